/* SPDX-License-Identifier: MIT */
/*
 * The race of a user copy with an unmap on another CPU, forced; kernel/mem/memory_debug.h says what
 * it does and how it is asked for.
 *
 *   armed --the copy comes--> here --the unmap changed the tables--> unmapped --copy ends--> off
 *
 * 1. `copier`, `vspace` are written once, before `here`; `frame` once, before `unmapped`.
 * 2. While `unmapped` is set and `page` is not 0, the copier's CPU has kept interrupts off since
 *    before the tables changed: it cannot have answered the shootdown, so `frame` is in the hands
 *    of the unmap or in quarantine.
 *
 * Here a CPU waits for another with interrupts off, for two seconds at most. It holds no lock that
 * the other wants: neither side has taken the space's lock yet, or both have given it back.
 */
#include "kernel/mem/memory_debug.h"

#include "abi/atomic.h"
#include "core/assert.h"
#include "core/command_line.h"
#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/shootdown.h" /* struct unmap */

#define RACE_WAIT_NS UINT64_C(2000000000)

static struct {
    uint64_t page;    /* 0: off */
    uint64_t pass;    /* copies that go past before one takes part */
    uint64_t arrived; /* copies that came to the page */
    uint64_t here;
    uint64_t unmapped;
    const struct cpu *copier;
    const struct cpu *unmapper;
    const struct vspace *vspace;
    paddr_t frame;
} race;

/* The number that the command line gives for `key`; 0: none. */
static uint64_t word_number(const char *command_line, const char *key)
{
    struct command_line_word word;
    uint64_t number = 0;

    if (command_line_find(command_line, key, &word) == STATUS_OK &&
        command_line_number(&word, &number) != STATUS_OK) {
        log_line(LOG_ERROR, "%s wants a number", key);
        return 0;
    }
    return number;
}

void user_copy_race_arm(const char *command_line)
{
    uint64_t page = word_number(command_line, "user_copy_race");

    if (page % FRAME_BYTES != 0) {
        log_line(LOG_ERROR, "user_copy_race wants the address of a page");
        page = 0;
    }
    race.pass = word_number(command_line, "user_copy_race_pass");
    race.arrived = 0;
    race.here = 0;
    race.unmapped = 0;
    race.copier = NULL;
    race.unmapper = NULL;
    atomic_store_relaxed_u64(&race.page, page);
}

bool user_copy_race_is_armed(void)
{
    return atomic_load_relaxed_u64(&race.page) != 0;
}

/* False, with a warning that nobody came: the wait ended by the clock. */
static bool race_wait(const uint64_t *flag, const char *missing)
{
    uint64_t end_ns = arch_clock_ns() + RACE_WAIT_NS;

    while (atomic_load_acquire_u64(flag) == 0) {
        if (arch_clock_ns() >= end_ns) {
            log_line(LOG_WARNING, "user_copy_race: no %s came", missing);
            return false;
        }
        arch_spin_hint();
    }
    return true;
}

void user_copy_rendezvous(struct vspace *vspace, vaddr_t address)
{
    uint64_t page = atomic_load_relaxed_u64(&race.page);

    if (page == 0 || address - address % FRAME_BYTES != page ||
        atomic_add_u64(&race.arrived, 1) != race.pass + 1) {
        return;
    }
    race.copier = arch_cpu_this();
    race.vspace = vspace;
    atomic_store_release_u64(&race.here, 1);
    if (!race_wait(&race.unmapped, "unmap")) {
        atomic_store_relaxed_u64(&race.page, 0);
    }
}

void user_copy_rendezvous_end(struct vspace *vspace, enum status status)
{
    if (atomic_load_relaxed_u64(&race.page) == 0 || atomic_load_acquire_u64(&race.unmapped) == 0 ||
        race.copier != arch_cpu_this() || race.vspace != vspace) {
        return;
    }
    ASSERT(race.frame != 0 && !frame_is_available(race.frame)); /* 2 */
    log_line(LOG_NOTICE, "user_copy_race: the copy %s, the page's frame is nobody's yet",
             status == STATUS_OK ? "is complete" : "was refused");
    atomic_store_relaxed_u64(&race.page, 0);
}

void unmap_rendezvous(struct vspace *vspace, vaddr_t page, unsigned pages)
{
    uint64_t wanted = atomic_load_relaxed_u64(&race.page);
    struct arch_mapping mapping;

    if (wanted == 0 || wanted < page || (wanted - page) / FRAME_BYTES >= pages ||
        !race_wait(&race.here, "copy") || race.vspace != vspace || race.copier == arch_cpu_this() ||
        race.unmapper != NULL) {
        return;
    }
    if (arch_vspace_query(&vspace->arch, wanted, &mapping)) {
        race.frame = mapping.frame;
        race.unmapper = arch_cpu_this();
    }
}

void unmap_rendezvous_end(struct vspace *vspace, const struct unmap *unmap)
{
    if (race.unmapper == arch_cpu_this() && race.vspace == vspace && unmap->frame_count > 0) {
        atomic_store_release_u64(&race.unmapped, 1);
    }
}
