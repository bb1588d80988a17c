/* SPDX-License-Identifier: MIT */
/*
 * Address spaces on the small machine: to start with one, to end with it, and an unmap that counts
 * its completion. Exactly one file of a test program includes it, in the place of mem_machine.h.
 */
#ifndef TESTS_HOST_MEM_SPACE_H
#define TESTS_HOST_MEM_SPACE_H

#include "tests/host/mem_machine.h"

#define PAGE(n)   (UINT64_C(0x400000) + (vaddr_t)(n)*FRAME_BYTES)
#define LAST_PAGE (LIMIT_USER_MAX - FRAME_BYTES)
#define KERNEL    UINT64_C(0xffff800000000000)

enum {
    WRITE = ARCH_PAGE_WRITE,
    EXECUTE = ARCH_PAGE_EXECUTE,
};

/* What complete() counts. */
static unsigned completions;
static unsigned completion_cpu;

static void unmap_counted(struct unmap *unmap)
{
    completions++;
    completion_cpu = machine_this;
    assert_int_equal(arch_cpu_this()->locks_held, 0);
    memset(unmap, 0xcc, sizeof *unmap); /* it is the caller's again */
}

static struct unmap unmap_new(void)
{
    return (struct unmap){.complete = unmap_counted};
}

static void space_start(struct vspace *vspace)
{
    machine_start("");
    completions = 0;
    memset(vspace, 0xcc, sizeof *vspace);
    assert_int_equal(vspace_create(vspace), STATUS_OK);
}

static void space_end(struct vspace *vspace, uint64_t free_frames)
{
    while (vspace_teardown_step(vspace)) {
    }
    assert_int_equal(machine_free_frames(), free_frames);
    machine_check();
}

static void activate_on(unsigned cpu, struct vspace *vspace)
{
    unsigned was = machine_this;

    machine_this = cpu;
    vspace_activate(vspace);
    machine_this = was;
}

UNUSED static unsigned flags_of(const struct vspace *vspace, vaddr_t page)
{
    struct arch_mapping mapping;

    assert_true(arch_vspace_query(&vspace->arch, page, &mapping));
    return mapping.flags;
}

UNUSED static void check_space(struct vspace *vspace)
{
    assert_int_equal(vspace_check(vspace), 0);
    machine_check();
}

#endif
