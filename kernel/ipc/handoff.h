/* SPDX-License-Identifier: MIT */
/* The short way for a call and its answer, with a direct switch. Theory in handoff.c. */
#ifndef KERNEL_IPC_HANDOFF_H
#define KERNEL_IPC_HANDOFF_H

#include "kernel/dispatch/quick.h"

/* The bits of a CALL's first word that are zero, but for the opcode, when all about it is usual: it
 * has flags, transfers, and a message_bytes that is a multiple of 8 below 32 KiB. With
 * HANDOFF_PASSING set it has one transfer. */
#define HANDOFF_FIXED   UINT64_C(0xffff8007ff00ffff)
#define HANDOFF_PASSING (UINT64_C(1) << 24)

/* quick_submission of the CALL `shared`, whose capability the dispatcher found: `edge`, held and
 * alive. Of the entry nothing is believed but what is read here. The process's lock is held, for
 * the edge, and given back. */
MUST_USE enum quick handoff_call(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                                 const struct hold_edge *edge, uint32_t left, struct thread **next);

/* quick_submission of the opcode RETURN_RECV. */
MUST_USE enum quick handoff_return(struct cpu *cpu, struct thread *thread, uint32_t left,
                                   struct thread **next);

#endif
