/* SPDX-License-Identifier: MIT */
/*
 * One address space for another on this CPU, as a step of a change of thread: for vspace.c and the
 * scheduler alone. Theory in vspace.c.
 */
#ifndef KERNEL_MEM_VSPACE_CHANGE_H
#define KERNEL_MEM_VSPACE_CHANGE_H

#include "kernel/cpu.h"
#include "kernel/mem/shootdown.h"
#include "kernel/mem/vspace.h"

/* vspace_activate on `cpu`, this one, from `left`, which is active, to another. Either may be NULL.
 */
static ALWAYS_INLINE void vspace_change(struct cpu *cpu, struct vspace *left, struct vspace *vspace)
{
    uint64_t bit = UINT64_C(1) << cpu->index;
    uint64_t ticket;

    if (vspace != NULL) {
        atomic_or_u64(&vspace->active, bit);
    }
    ticket = shootdown_newest();
    atomic_fence(); /* ordering point 2 of kernel/mem/shootdown.c */
    arch_vspace_activate(vspace != NULL ? &vspace->arch : NULL);
    cpu->vspace = vspace;
    if (left != NULL) {
        atomic_and_u64(&left->active, ~bit); /* releases: the flush came before */
    }
    shootdown_flushed(cpu, ticket);
}

#endif
