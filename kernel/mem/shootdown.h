/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous TLB shootdown. No CPU waits for another: whoever removes or narrows a translation
 * takes a ticket; each CPU in the space's active set is interrupted, flushes, and publishes the
 * ticket it read before it flushed; when every CPU of the set has published a ticket at least as
 * large, the frames leave quarantine and the completion runs on the CPU that noticed. The theory is
 * in shootdown.c.
 */
#ifndef KERNEL_MEM_SHOOTDOWN_H
#define KERNEL_MEM_SHOOTDOWN_H

#include "core/list.h"
#include "kernel/arch/arch.h"
#include "kernel/cpu.h"
#include "kernel/mem/vspace.h"

enum {
    SHOOTDOWN_BATCH = 4, /* completions in one interrupt: 4 times 16 frames freed */
};

struct unmap {
    /*
     * Filled by the caller: runs once, on any CPU, holding no lock; may be NULL. The structure is
     * the caller's again (and may be freed) from this call on. It must not start another shootdown,
     * for then completions would nest without bound: it queues work.
     */
    void (*complete)(struct unmap *unmap);
    /* private to the shootdown: */
    struct list_node node;
    uint64_t ticket;
    uint64_t waiting; /* mask of CPUs not yet heard of */
    unsigned count;   /* pages removed or changed */
    unsigned frame_count;
    paddr_t frame[VSPACE_STEP_PAGES]; /* quarantined */
    struct account *account;          /* that paid for them and gets the charge back */
};

/* Before the first address space; after frames_init. */
void shootdown_init(void);

/* Starts the shootdown for what `unmap` lists on the CPUs of `active`, read after the tables were
 * changed. The caller holds no lock. May complete at once (nobody else is active). */
void shootdown_start(struct unmap *unmap, uint64_t active);

/*
 * This CPU's answer to IPI_SHOOTDOWN: flush, publish, complete up to SHOOTDOWN_BATCH of what became
 * complete (more: another such IPI to itself). The interrupt's handler clears cpu->ipi_reasons
 * before it calls this, so that a reason set meanwhile is not lost. Holds no lock.
 */
void shootdown_acknowledge(struct cpu *cpu);

/* For vspace_activate, which flushes anyway: the newest ticket, read before the flush, and the note
 * after it that this CPU has flushed for it. */
extern uint64_t shootdown_newest_ticket; /* atomic; shootdown.c's */

static inline uint64_t shootdown_newest(void)
{
    return atomic_load_acquire_u64(&shootdown_newest_ticket);
}

static inline void shootdown_flushed(struct cpu *cpu, uint64_t ticket)
{
    if (atomic_load_relaxed_u64(&cpu->shootdown_seen) < ticket) {
        atomic_store_release_u64(&cpu->shootdown_seen, ticket);
    }
}

uint64_t shootdown_quarantine_frames(void);

/* 0, or the number of the first broken invariant of shootdown.c. */
unsigned shootdown_check(void);

#endif
