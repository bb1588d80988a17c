/* SPDX-License-Identifier: MIT */
/*
 * Capabilities beside messages: core/transfer with the locks of processes, and with the references
 * that edges hold.
 */
#ifndef KERNEL_IPC_PASSING_H
#define KERNEL_IPC_PASSING_H

#include "core/transfer.h"
#include "kernel/sched/process.h"

/*
 * Reads the descriptors of a CALL or RETURN, which lie in the sender's arena at `offset`, once, and
 * begins the bundle, which has sqe->transfers items. Errors: transfer_begin's, with *refusal's
 * argument TRANSFERS and amount the descriptor's index; then nothing happened. No lock is held.
 */
MUST_USE enum transport_error passing_begin(struct thread *sender, const struct sqe *sqe,
                                            uint32_t offset, struct transfer_bundle *bundle,
                                            struct refusal *refusal);

/* Takes the bundle back into the table of `sender`. No process or ring lock is held. */
void passing_cancel(struct process *sender, const struct transfer_bundle *bundle,
                    struct transfer_drops *drops);

struct passing {
    struct process *from;
    struct process *to;
    enum edge_origin origin;
    uint64_t interface_id; /* of the call that carries it */
    uint16_t method;
};

/* Puts the bundle into reserved slots of the receiver; how many were filled. No process or ring
 * lock is held. */
uint32_t passing_commit(const struct passing *passing, const struct transfer_bundle *bundle,
                        struct received_cap *records, struct transfer_drops *drops);

/* How far a revoke has looked for copies beside the waiting calls of a process's threads. Zeroed:
 * at the beginning. */
struct passing_search {
    unsigned slot; /* of the thread that is next */
    uint32_t item; /* of it */
};

/*
 * One stretch of that: empties the next copy below `above` (transfer_bury_next), of one thread at
 * most; *edge is what was there, for edge_drop, its object NULL if there was none. False: no thread
 * is left to look at. A thread that is started meanwhile has no copy of what is dead. No lock is
 * held.
 */
MUST_USE bool passing_bury_next(struct process *process, struct passing_search *search,
                                const struct grant_node *above, struct hold_edge *edge);

/* Drops what arrived nowhere. No lock is held. */
void passing_drop(struct transfer_drops *drops);

#endif
