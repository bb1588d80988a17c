/* SPDX-License-Identifier: MIT */
/* The short way for a call and its answer, with a direct switch. Theory in handoff.c. */
#ifndef KERNEL_IPC_HANDOFF_H
#define KERNEL_IPC_HANDOFF_H

#include "kernel/sched/thread.h"

enum handoff {
    HANDOFF_NONE,   /* the submission is not usual, and untouched: the long way */
    HANDOFF_DONE,   /* it is carried out; the thread goes on with its cap_enter */
    HANDOFF_SWITCH, /* it is carried out, the thread waits, and *next runs now on its time */
};

/* Carries out the one submission of the current thread, which is about to wait for `wait_for`
 * completions without a time limit, if it is a usual CALL or RETURN_RECV. No lock is held. */
MUST_USE enum handoff handoff_submission(struct cpu *cpu, struct thread *thread,
                                         struct thread **next);

/* Whether the next submission is a CALL at all, as far as one look tells. */
static inline bool handoff_is_call(const struct thread *thread)
{
    const struct ring *ring = &thread->ring;

    return (atomic_load_relaxed_word(ring_peek(ring, ring->sq_head)) & UINT8_MAX) == OPCODE_CALL;
}

/* Carries out the next submission of the current thread if it is a usual CALL, without a switch; of
 * how many message bytes. No lock is held. */
MUST_USE bool handoff_queue(struct cpu *cpu, struct thread *thread, uint32_t *bytes);

#endif
