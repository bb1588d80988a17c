/* SPDX-License-Identifier: MIT */
/* The short ways of promises and of answers that are kept or carry a capability. Theory in
 * handoff_promise.c. */
#ifndef KERNEL_IPC_HANDOFF_PROMISE_H
#define KERNEL_IPC_HANDOFF_PROMISE_H

#include "kernel/dispatch/quick.h"

struct endpoint;
struct operation;

/* quick_submission of a CALL that keeps its answer or is promised, and of FINISH. */
MUST_USE enum quick handoff_promise(struct cpu *cpu, struct thread *thread, uint32_t left,
                                    struct thread **next);

/* quick_submission of a RETURN_RECV that carries a capability, or that answers a call whose answer
 * is kept. */
MUST_USE enum quick handoff_answer(struct cpu *cpu, struct thread *thread, uint32_t left,
                                   struct thread **next);

/* The RETURN_RECV `shared`, the next entry, which perhaps answers one promised call alone: if it
 * does and all about it is usual, it is carried out, and that call is sent on; else nothing
 * changes. No lock is held. */
MUST_USE bool handoff_relay(struct cpu *cpu, struct thread *thread, const uint8_t *shared);

/* A promised call whose target is known now. */
struct promised {
    struct operation *operation; /* PROMISED, waiting for the answer, located */
    struct cap_id cap;           /* in the table of its thread's process */
    const struct hold_edge *edge;
    struct endpoint *endpoint; /* at which calls through `edge` queue; locked */
};

/* It becomes a call at the endpoint, which is nowhere, with references of its own; the answer it
 * waited for is settled. Its process's lock and its thread's ring_lock are held. */
void promised_begin(const struct promised *promised);

/* A promised call for which alone an answer came: the one capability of the answer is its target,
 * and is released with that. */
struct relay {
    struct promised promised; /* `cap`: gone; `edge`: as it would be in the table */
    struct operation *call;   /* that is answered, nowhere, without a target */
    uint32_t message_bytes;   /* of the answer, which is there, with the capability's record */
};

/* The call that is answered completes, its answer is settled, and the promised one becomes a call
 * at the endpoint, which is nowhere; a reference of the edge's object is its. Process and ring of
 * the client are locked. */
void relay_begin(const struct relay *relay);

#endif
