/* SPDX-License-Identifier: MIT */
/* Endpoints: core/endpoint behind a lock, with messages and completions. */
#ifndef KERNEL_IPC_ENDPOINT_H
#define KERNEL_IPC_ENDPOINT_H

#include "kernel/sched/thread.h"
#include "schema/generated/endpoint.capnp.h"

struct endpoint {
    struct object object;
    struct spinlock lock;
    /* lock: */
    struct endpoint_queues queues;
    uint32_t owners; /* edges of the owner's interface */
    bool closed;     /* the last owner is gone */
};

extern const struct object_type endpoint_type;

/* CALLs through the owner's interface. */
enum capn_dispatch endpoint_owner_call(struct object *object, struct capn_request *request);

void endpoints_init(void);

/* An endpoint of valid limits with one reference, the caller's. NULL: no memory. */
struct endpoint *endpoint_create(const struct endpoint_limits *limits);

/*
 * The four submissions on endpoints. `edge` was looked up, tested and pinned. Each posts its
 * completion itself, now or later, and returns TRANSPORT_OK; or an error with *refusal filled,
 * which the caller posts.
 */
enum transport_error endpoint_call(struct thread *thread, const struct hold_edge *edge,
                                   const struct sqe *sqe, struct refusal *refusal) MUST_USE;
enum transport_error endpoint_receive(struct thread *thread, const struct hold_edge *edge,
                                      const struct sqe *sqe, struct refusal *refusal) MUST_USE;
/* RETURN's part: answers the call; posts nothing of the server's. */
enum transport_error endpoint_return(struct thread *thread, const struct hold_edge *edge,
                                     const struct sqe *sqe, struct refusal *refusal) MUST_USE;

/* Takes back an operation of `endpoint`, which the caller pins, with or without a CANCELLED
 * completion (operation_end). False: it ended before. */
MUST_USE bool endpoint_operation_cancel(struct endpoint *endpoint, struct operation *operation,
                                        bool completes);

/* Cancels calls that `thread` received and did not return: PEER_GONE to the callers. A bounded
 * number; false: some are left. */
MUST_USE bool received_cancel(struct thread *thread);

#endif
