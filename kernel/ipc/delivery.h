/* SPDX-License-Identifier: MIT */
/*
 * What happens under an endpoint's lock: deliveries, ends, and what they leave to be done when the
 * lock is given back. For kernel/ipc alone. Theory in endpoint.c.
 */
#ifndef KERNEL_IPC_DELIVERY_H
#define KERNEL_IPC_DELIVERY_H

#include "kernel/ipc/endpoint.h"
#include "kernel/ipc/passing.h"

/* One stretch under an endpoint's lock. */
struct settling {
    struct transfer_drops drops; /* edges to drop when the lock is given back */
    uint32_t bytes;              /* of messages that were copied */
    uint32_t deliveries;
};

/* Begins a stretch under a lock that is held already. */
static inline void settle_begin(struct settling *settling)
{
    settling->drops.count = 0;
    settling->bytes = 0;
    settling->deliveries = 0;
}

/* Takes the lock and begins a stretch. The caller pins the endpoint until settle_unlock is over. */
void settle_lock(struct endpoint *endpoint, struct settling *settling);

/* Delivers what can be delivered, gives the lock back and drops what is left over. */
void settle_unlock(struct endpoint *endpoint, struct settling *settling);

/* How an operation ends; `silent`: its owner retires, and nobody is told. */
struct operation_outcome {
    int32_t result;
    uint32_t flags;
    const struct refusal *refusal; /* NULL: none */
    bool silent;
};

/*
 * Ends an operation that the endpoint does not hold any more: takes its bundle back, gives up what
 * it holds, completes it. `watch` is who watched it. Lock held; settling->drops has room for the
 * bundle.
 */
void endpoint_end(struct endpoint *endpoint, struct operation *operation,
                  struct endpoint_record *watch, const struct operation_outcome *outcome,
                  struct settling *settling);

/* The same for one that it still holds. */
void endpoint_take_back(struct endpoint *endpoint, struct operation *operation,
                        const struct operation_outcome *outcome, struct settling *settling);

/* Gives up the references of an operation that never was in the endpoint. */
void operation_unuse(struct endpoint *endpoint, struct operation *operation);

static inline struct operation *operation_of(struct endpoint_record *record)
{
    return CONTAINER_OF(record, struct operation, endpoint_record);
}

/* Whether the edge that the operation was begun through is alive, and so the one through which it
 * was taken, if it was. */
bool operation_is_alive(struct operation *operation);

/* Copies between two arenas through the direct map. */
void arena_copy(struct thread *to, uint32_t to_offset, struct thread *from, uint32_t from_offset,
                uint32_t bytes);

/* Takes a call in flight off its receiver's list, or off the orphans'. Endpoint lock held. */
void received_remove(struct operation *call);

/* A session without an edge or call: its end is told, or it goes with its endpoint. Lock held. */
void session_over(struct endpoint *endpoint, struct session *session);
void session_free(struct endpoint *endpoint, struct endpoint_session *record);

#endif
