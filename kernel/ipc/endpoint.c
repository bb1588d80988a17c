/* SPDX-License-Identifier: MIT */
/*
 * Endpoints.
 *
 * A message waits in its sender's arena and is copied once, at delivery, into the buffer that the
 * receiver named when it asked. Delivery cannot fail: RECV is refused unless its buffer holds the
 * largest message, CALL is refused when its message is larger, and every operation keeps a place
 * for its completion.
 *
 * Lifetime. An operation in an endpoint's queues holds a reference of the endpoint; whoever ends
 * it does so under the endpoint's lock while holding another, so the last reference never goes
 * under the lock. A thread that retires takes the lock of each endpoint its operations name, so no
 * other CPU is still completing one of them afterwards. A server thread finds the calls it took by
 * their tokens, never by pointer, because their owners may be gone.
 *
 * Locks: endpoint, then ring locks of caller or receiver (one at a time).
 * What can fail: buffers, limits, a closed endpoint, a token used before: each a named refusal with
 * nothing changed, except that an answer too large for its caller uses up the token and both sides
 * are told.
 */
#include "kernel/ipc/endpoint.h"

#include "core/assert.h"
#include "core/string.h"
#include "kernel/dispatch/call.h"
#include "kernel/mem/kmem.h"
#include "kernel/sched/process.h"

enum {
    RECEIVED_PER_STEP = 8, /* each may deliver a waiting call of ENDPOINT_MESSAGE_BYTES */
};

static struct kmem_cache endpoint_cache;

void endpoints_init(void)
{
    kmem_cache_init(&endpoint_cache, "endpoint", sizeof(struct endpoint));
}

struct endpoint *endpoint_create(const struct endpoint_limits *limits)
{
    struct endpoint *endpoint = kmem_alloc(&endpoint_cache);

    if (endpoint != NULL) {
        object_init(&endpoint->object, &endpoint_type);
        spinlock_init(&endpoint->lock, LOCK_RANK_ENDPOINT, 0);
        endpoint_queues_init(&endpoint->queues, limits);
    }
    return endpoint;
}

static struct operation *operation_of(struct endpoint_record *record)
{
    return CONTAINER_OF(record, struct operation, endpoint_record);
}

/* Copies between two arenas through the direct map, page by page. */
static void arena_copy(struct thread *to, uint32_t to_offset, struct thread *from,
                       uint32_t from_offset, uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t to_room;
        uint32_t from_room;
        uint8_t *target = thread_arena(to, to_offset, &to_room);
        const uint8_t *source = thread_arena(from, from_offset, &from_room);
        uint32_t chunk = bytes;

        chunk = chunk > to_room ? to_room : chunk;
        chunk = chunk > from_room ? from_room : chunk;
        memmove(target, source, chunk);
        to_offset += chunk;
        from_offset += chunk;
        bytes -= chunk;
    }
}

/* Takes a call in flight off its receiver's list. Endpoint lock held. */
static void received_remove(struct operation *call)
{
    struct thread *receiver = call->receiver;

    spinlock_lock(&receiver->ring_lock);
    list_remove(&call->received_node);
    spinlock_unlock(&receiver->ring_lock);
    call->receiver = NULL;
}

/* Ends an operation of the endpoint, which the caller pins and whose lock it holds. */
static void endpoint_complete(struct endpoint *endpoint, struct operation *operation,
                              int32_t result, uint32_t flags)
{
    operation_complete(operation, result, flags, NULL);
    object_unref(&endpoint->object);
}

/* Hands `call` to `receiver`. Lock held. */
static void deliver(struct endpoint *endpoint, struct operation *call, struct operation *receive,
                    uint64_t token)
{
    struct thread *receiver = receive->owner;
    struct endpoint_message head = {
        .token = token,
        .badge = call->badge,
        .interface_id = call->interface_id,
        .method = call->method,
        .message_bytes = call->message_bytes,
        .result_bytes = call->result_bytes,
    };
    uint32_t total = (uint32_t)sizeof(head) + call->message_bytes;

    ASSERT(total <= receive->result_bytes);
    thread_arena_write(receiver, receive->result_offset, &head, sizeof(head));
    arena_copy(receiver, receive->result_offset + (uint32_t)sizeof(head), call->owner,
               call->message_offset, call->message_bytes);
    call->receiver = receiver;
    call->token = token;
    spinlock_lock(&receiver->ring_lock);
    list_push_back(&receiver->received, &call->received_node);
    spinlock_unlock(&receiver->ring_lock);
    endpoint_complete(endpoint, receive, (int32_t)total, 0);
}

/* Delivers while calls meet receivers. Lock held. */
static void endpoint_pump(struct endpoint *endpoint)
{
    struct endpoint_match match;

    while (endpoint_match(&endpoint->queues, &match) == ENDPOINT_DELIVERS_CALL) {
        deliver(endpoint, operation_of(match.call), operation_of(match.receiver), match.token);
    }
}

static enum transport_error refuse(struct refusal *refusal, enum transport_error error,
                                   enum refusal_argument argument, uint32_t limit)
{
    refusal->reason = (uint16_t)-error;
    refusal->argument = (uint16_t)argument;
    refusal->limit = limit;
    return error;
}

enum transport_error endpoint_call(struct thread *thread, const struct hold_edge *edge,
                                   const struct sqe *sqe, struct refusal *refusal)
{
    struct endpoint *endpoint = CONTAINER_OF(edge->object, struct endpoint, object);
    struct operation *operation;
    uint32_t message;
    uint32_t result = 0;
    bool queued = false;

    if (sqe->transfers != 0) {
        refusal->amount = sqe->transfers;
        return refuse(refusal, TRANSPORT_LIMIT, ARGUMENT_TRANSFERS, 0);
    }
    if (sqe->message_bytes > endpoint->queues.limits.message_bytes) {
        refusal->amount = sqe->message_bytes;
        return refuse(refusal, TRANSPORT_TOO_LARGE, ARGUMENT_MESSAGE_BYTES,
                      endpoint->queues.limits.message_bytes);
    }
    if (!thread_arena_offset(thread, sqe->message, sqe->message_bytes, &message)) {
        return refuse(refusal, TRANSPORT_BAD_BUFFER, ARGUMENT_MESSAGE, 0);
    }
    if (sqe->result_bytes != 0 &&
        !thread_arena_offset(thread, sqe->result, sqe->result_bytes, &result)) {
        return refuse(refusal, TRANSPORT_BAD_BUFFER, ARGUMENT_RESULT, 0);
    }
    operation = operation_take(thread, OPERATION_CALL, sqe->user_data);
    if (operation == NULL) {
        return refuse(refusal, TRANSPORT_LIMIT, ARGUMENT_NONE, LIMIT_OPERATIONS);
    }
    operation->interface_id = sqe->interface_id;
    operation->method = sqe->method;
    operation->badge = edge->badge;
    operation->answer = sqe->answer;
    operation->message_offset = message;
    operation->message_bytes = sqe->message_bytes;
    operation->result_offset = result;
    operation->result_bytes = sqe->result_bytes;
    operation->endpoint = endpoint;
    object_ref(&endpoint->object);
    spinlock_lock(&endpoint->lock);
    if (!endpoint->closed) {
        queued = endpoint_add_call(&endpoint->queues, &operation->endpoint_record);
        endpoint_pump(endpoint);
    }
    spinlock_unlock(&endpoint->lock);
    if (queued) {
        return TRANSPORT_OK;
    }
    operation_release(operation);
    object_unref(&endpoint->object);
    return endpoint->closed ? refuse(refusal, TRANSPORT_PEER_GONE, ARGUMENT_CAP, 0)
                            : refuse(refusal, TRANSPORT_LIMIT, ARGUMENT_CAP,
                                     endpoint->queues.limits.queue_length);
}

enum transport_error endpoint_receive(struct thread *thread, const struct hold_edge *edge,
                                      const struct sqe *sqe, struct refusal *refusal)
{
    struct endpoint *endpoint = CONTAINER_OF(edge->object, struct endpoint, object);
    uint32_t room = endpoint_receive_bytes(&endpoint->queues.limits);
    struct operation *operation;
    uint32_t result;
    bool queued = false;
    bool closed;

    if (sqe->result_bytes < room) {
        refusal->amount = sqe->result_bytes;
        return refuse(refusal, TRANSPORT_NO_ROOM, ARGUMENT_RESULT_BYTES, room);
    }
    if (!thread_arena_offset(thread, sqe->result, sqe->result_bytes, &result) || result % 8 != 0) {
        return refuse(refusal, TRANSPORT_BAD_BUFFER, ARGUMENT_RESULT, 0);
    }
    operation = operation_take(thread, OPERATION_RECEIVE, sqe->user_data);
    if (operation == NULL) {
        return refuse(refusal, TRANSPORT_LIMIT, ARGUMENT_NONE, LIMIT_OPERATIONS);
    }
    operation->result_offset = result;
    operation->result_bytes = sqe->result_bytes;
    operation->endpoint = endpoint;
    object_ref(&endpoint->object);
    spinlock_lock(&endpoint->lock);
    closed = endpoint->closed;
    if (!closed && endpoint_add_receiver(&endpoint->queues, &operation->endpoint_record)) {
        queued = true;
        endpoint_pump(endpoint);
    }
    spinlock_unlock(&endpoint->lock);
    if (queued) {
        return TRANSPORT_OK;
    }
    operation_release(operation);
    object_unref(&endpoint->object);
    return closed ? refuse(refusal, TRANSPORT_PEER_GONE, ARGUMENT_CAP, 0)
                  : refuse(refusal, TRANSPORT_LIMIT, ARGUMENT_CAP, LIMIT_ENDPOINT_RECEIVERS);
}

enum transport_error endpoint_return(struct thread *thread, const struct hold_edge *edge,
                                     const struct sqe *sqe, struct refusal *refusal)
{
    struct endpoint *endpoint = CONTAINER_OF(edge->object, struct endpoint, object);
    enum transport_error error = TRANSPORT_OK;
    struct operation *call;
    struct endpoint_end end;
    uint32_t message;

    if (sqe->transfers != 0) {
        refusal->amount = sqe->transfers;
        return refuse(refusal, TRANSPORT_LIMIT, ARGUMENT_TRANSFERS, 0);
    }
    if (!thread_arena_offset(thread, sqe->message, sqe->message_bytes, &message)) {
        return refuse(refusal, TRANSPORT_BAD_BUFFER, ARGUMENT_MESSAGE, 0);
    }
    spinlock_lock(&endpoint->lock);
    error = endpoint_finish(&endpoint->queues, sqe->token, &end);
    if (error != TRANSPORT_OK) {
        spinlock_unlock(&endpoint->lock);
        refusal->amount = sqe->token;
        return refuse(refusal, error, ARGUMENT_TOKEN, 0);
    }
    call = operation_of(end.call);
    received_remove(call);
    if (sqe->message_bytes > call->result_bytes) {
        refusal->amount = sqe->message_bytes;
        error = refuse(refusal, TRANSPORT_NO_ROOM, ARGUMENT_MESSAGE_BYTES, call->result_bytes);
        endpoint_complete(endpoint, call, TRANSPORT_NO_ROOM, 0);
    } else {
        arena_copy(call->owner, call->result_offset, thread, message, sqe->message_bytes);
        endpoint_complete(endpoint, call, (int32_t)sqe->message_bytes,
                          (sqe->flags & SQE_EXCEPTION) != 0 ? CQE_EXCEPTION : 0);
    }
    endpoint_pump(endpoint);
    spinlock_unlock(&endpoint->lock);
    return error;
}

static void endpoint_edge_added(struct object *object, const struct hold_edge *edge)
{
    struct endpoint *endpoint = CONTAINER_OF(object, struct endpoint, object);

    if (edge->interface_id == ENDPOINT_INTERFACE_ID) {
        spinlock_lock(&endpoint->lock);
        endpoint->owners++;
        spinlock_unlock(&endpoint->lock);
    }
}

/* The last owner is gone: everything that waits is told. At most LIMIT_ENDPOINT_QUEUE calls,
 * LIMIT_ENDPOINT_RECEIVERS and LIMIT_TOKEN_SLOTS in flight. */
static void endpoint_close(struct endpoint *endpoint)
{
    struct endpoint_record *record;

    endpoint->closed = true;
    while ((record = endpoint_any(&endpoint->queues)) != NULL) {
        struct operation *operation = operation_of(record);
        struct endpoint_record *watch;

        if (record->place == ENDPOINT_IN_FLIGHT) {
            received_remove(operation);
        }
        watch = endpoint_remove(&endpoint->queues, record);
        ASSERT(watch == NULL);
        endpoint_complete(endpoint, operation, TRANSPORT_PEER_GONE, 0);
    }
}

static void endpoint_edge_removed(struct object *object, const struct hold_edge *edge)
{
    struct endpoint *endpoint = CONTAINER_OF(object, struct endpoint, object);

    if (edge->interface_id == ENDPOINT_INTERFACE_ID) {
        spinlock_lock(&endpoint->lock);
        ASSERT(endpoint->owners > 0);
        if (--endpoint->owners == 0) {
            endpoint_close(endpoint);
        }
        spinlock_unlock(&endpoint->lock);
    }
}

static void endpoint_destroy(struct object *object)
{
    struct endpoint *endpoint = CONTAINER_OF(object, struct endpoint, object);

    ASSERT(endpoint_any(&endpoint->queues) == NULL);
    kmem_free(&endpoint_cache, endpoint);
}

bool endpoint_operation_cancel(struct endpoint *endpoint, struct operation *operation,
                               bool completes)
{
    struct endpoint_record *watch;
    bool pending;

    spinlock_lock(&endpoint->lock);
    pending = operation->endpoint_record.place != ENDPOINT_NOWHERE;
    if (pending) {
        if (operation->endpoint_record.place == ENDPOINT_IN_FLIGHT) {
            received_remove(operation);
        }
        watch = endpoint_remove(&endpoint->queues, &operation->endpoint_record);
        ASSERT(watch == NULL);
        operation_end(operation, completes);
        endpoint_pump(endpoint);
    }
    spinlock_unlock(&endpoint->lock);
    if (pending) {
        object_unref(&endpoint->object);
    }
    return pending;
}

bool received_cancel(struct thread *thread)
{
    for (unsigned i = 0; i < RECEIVED_PER_STEP; i++) {
        struct endpoint *endpoint;
        struct list_node *node;
        struct endpoint_end end;
        uint64_t token;

        spinlock_lock(&thread->ring_lock);
        node = list_first(&thread->received);
        if (node == NULL) {
            spinlock_unlock(&thread->ring_lock);
            return true;
        }
        endpoint = CONTAINER_OF(node, struct operation, received_node)->endpoint;
        token = CONTAINER_OF(node, struct operation, received_node)->token;
        object_ref(&endpoint->object);
        spinlock_unlock(&thread->ring_lock);
        spinlock_lock(&endpoint->lock);
        if (endpoint_finish(&endpoint->queues, token, &end) == TRANSPORT_OK) {
            received_remove(operation_of(end.call));
            endpoint_complete(endpoint, operation_of(end.call), TRANSPORT_PEER_GONE, 0);
            endpoint_pump(endpoint);
        }
        spinlock_unlock(&endpoint->lock);
        object_unref(&endpoint->object);
    }
    return false;
}

const struct object_type endpoint_type = {
    .name = "endpoint",
    .call = endpoint_owner_call,
    .edge_added = endpoint_edge_added,
    .edge_removed = endpoint_edge_removed,
    .destroy = endpoint_destroy,
};
