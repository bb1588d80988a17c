/* SPDX-License-Identifier: MIT */
/* The short way for a call and its answer, with a direct switch. Theory in handoff.c. */
#ifndef KERNEL_IPC_HANDOFF_H
#define KERNEL_IPC_HANDOFF_H

#include "kernel/dispatch/quick.h"

/* quick_submission of the opcodes CALL and RETURN_RECV; `shared` is the entry. */
MUST_USE enum quick handoff_call(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                                 struct thread **next);
MUST_USE enum quick handoff_return(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                                   struct thread **next);

#endif
