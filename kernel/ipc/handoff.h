/* SPDX-License-Identifier: MIT */
/* The short way for a call and its answer, with a direct switch. Theory in handoff.c. */
#ifndef KERNEL_IPC_HANDOFF_H
#define KERNEL_IPC_HANDOFF_H

#include "kernel/dispatch/quick.h"

/* quick_submission of the opcodes CALL and RETURN_RECV. */
MUST_USE enum quick handoff_call(struct cpu *cpu, struct thread *thread, uint32_t left,
                                 struct thread **next);
MUST_USE enum quick handoff_return(struct cpu *cpu, struct thread *thread, uint32_t left,
                                   struct thread **next);

#endif
