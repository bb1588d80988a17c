/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous TLB shootdown. No CPU waits for another: whoever removes or narrows a translation
 * takes a ticket; each CPU in the space's active set is interrupted, flushes, and publishes the
 * ticket it read before it flushed; when every CPU of the set has published a ticket at least as
 * large, the frames leave quarantine and the completion runs on the CPU that noticed.
 */
#ifndef KERNEL_MEM_SHOOTDOWN_H
#define KERNEL_MEM_SHOOTDOWN_H

#include "core/list.h"
#include "kernel/arch/arch.h"
#include "kernel/mem/vspace.h"

struct unmap {
    /* filled by the caller: runs once, on any CPU, holding no lock; may be NULL */
    void (*complete)(struct unmap *unmap);
    /* private to the shootdown: */
    struct list_node node;
    uint64_t ticket;
    uint64_t waiting; /* mask of CPUs not yet heard of */
    unsigned count;   /* pages removed or changed */
    unsigned frame_count;
    paddr_t frame[VSPACE_STEP_PAGES]; /* quarantined */
};

void shootdown_init(void);

/* Starts the shootdown for what `unmap` lists on the CPUs of `active`. Called without the vspace's
 * lock. May complete at once (nobody else is active). */
void shootdown_start(struct unmap *unmap, uint64_t active);

/* The IPI's part: flush, publish, complete what became complete. Also called when a CPU changes
 * its address space. */
void shootdown_acknowledge(struct cpu *cpu);

uint64_t shootdown_quarantine_frames(void);

#endif
