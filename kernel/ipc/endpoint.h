/* SPDX-License-Identifier: MIT */
/* Endpoints: core/endpoint behind a lock, with messages, capabilities and completions. */
#ifndef KERNEL_IPC_ENDPOINT_H
#define KERNEL_IPC_ENDPOINT_H

#include "kernel/sched/thread.h"
#include "schema/generated/endpoint.capnp.h"

struct endpoint {
    struct object object; /* what clients' edges without a badge name */
    struct object owner;  /* what owners' edges name: with the last of them the endpoint closes */
    struct account *account; /* pays for the places; fixed */
    uint32_t receive_bytes;  /* least room of a receive, by the limits; fixed */
    struct spinlock lock;
    /* lock: */
    struct endpoint_queues queues;
    bool closed;        /* the last owner is gone */
    struct job closing; /* ends what waits */
    bool pumps;
    struct job pumping; /* while `pumps`: delivers what one stretch may not; holds a reference */
};

/* One badge. Its edges and its calls are references of `object`. */
struct session {
    struct object object; /* what clients' edges with the badge name */
    struct endpoint *endpoint;
    struct account *account;        /* pays for its place; fixed */
    struct endpoint_session record; /* the endpoint's lock */
};

/* Places of endpointQueue: what an endpoint is charged, its queue and itself; and a session, in
 * which the message of its end has its place from the beginning. */
enum {
    SESSION_PLACES = 1,
};

static inline uint64_t endpoint_places(const struct endpoint_limits *limits)
{
    return UINT64_C(1) + limits->queue_length;
}

extern const struct object_type endpoint_type;
extern const struct object_type endpoint_owner_type;
extern const struct object_type session_type;

/* The endpoint at which calls on a client's edge of `object` queue; NULL: it is no such object. */
static inline struct endpoint *endpoint_of_client(struct object *object)
{
    if (object->type == &session_type) {
        return CONTAINER_OF(object, struct session, object)->endpoint;
    }
    return object->type == &endpoint_type ? CONTAINER_OF(object, struct endpoint, object) : NULL;
}

/* The endpoint of an owner's edge. */
static inline struct endpoint *endpoint_of_owner(struct object *object)
{
    ASSERT(object->type == &endpoint_owner_type);
    return CONTAINER_OF(object, struct endpoint, owner);
}

/* CALLs through the owner's interface. */
enum capn_dispatch endpoint_owner_call(struct object *object, struct capn_request *request);

void endpoints_init(void);

/* Endpoints whose owners are gone and in which something still waits for its end. */
uint64_t endpoints_closing(void);

/* An endpoint of valid limits, with one reference of its owner object, the caller's; its places are
 * charged to the account until it is destroyed. STATUS_LIMIT (endpointQueue), STATUS_NO_MEMORY. */
MUST_USE enum status endpoint_create(const struct endpoint_limits *limits, struct account *account,
                                     struct endpoint **endpoint);

/* Why a session could not be made. */
enum session_refusal {
    SESSION_OK,
    SESSION_QUOTA,  /* endpointQueue of the account */
    SESSION_EXISTS, /* the badge has one */
    SESSION_LIMIT,  /* LIMIT_ENDPOINT_SESSIONS */
    SESSION_NO_MEMORY,
};

/* A session with one reference, the caller's; its place is charged to the account until the owner
 * was told of its end, or will not be. The owner is pinned. */
MUST_USE enum session_refusal session_create(struct endpoint *endpoint, uint64_t badge,
                                             struct account *account, struct session **session);

/*
 * The submissions on endpoints. `edge` was looked up, tested and pinned. Each posts its completion
 * itself, now or later, and returns TRANSPORT_OK; or an error with *refusal filled, which the
 * caller posts.
 */
enum transport_error endpoint_call(struct thread *thread, const struct hold_edge *edge,
                                   const struct sqe *sqe, struct refusal *refusal) MUST_USE;
enum transport_error endpoint_receive(struct thread *thread, const struct hold_edge *edge,
                                      const struct sqe *sqe, struct refusal *refusal) MUST_USE;
enum transport_error endpoint_watch_call(struct thread *thread, const struct hold_edge *edge,
                                         const struct sqe *sqe, struct refusal *refusal) MUST_USE;
/* RETURN's part: answers the call; posts nothing of the server's. */
enum transport_error endpoint_return(struct thread *thread, const struct hold_edge *edge,
                                     const struct sqe *sqe, struct refusal *refusal) MUST_USE;

/* Takes back an operation of `endpoint`, which the caller pins, with or without a CANCELLED
 * completion. False: it ended before. */
MUST_USE bool endpoint_operation_cancel(struct endpoint *endpoint, struct operation *operation,
                                        bool completes);

/* Cancels calls that `thread` received and did not return: PEER_RESTARTED to the callers, or they
 * become orphans of its process if that ends. A bounded number; false: some are left. */
MUST_USE bool received_cancel(struct thread *thread);

/* Ends the orphans of a process whose edges are gone: PEER_RESTARTED. Bounded, as above. */
MUST_USE bool orphans_cancel(struct process *process);

#endif
