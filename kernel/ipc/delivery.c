/* SPDX-License-Identifier: MIT */
/* Deliveries and ends at an endpoint, under its lock. Theory in endpoint.c. */
#include "kernel/ipc/delivery.h"

#include "core/assert.h"
#include "core/string.h"
#include "kernel/object/grants.h"

enum {
    /* Calls and receivers without a right that one stretch ends before it delivers, each up to
     * 2,000 instructions; the revoke that took the right ends the others. */
    DEAD_PER_STRETCH = 2,
    /* No delivery begins after so many in one stretch, or so many bytes of them: each is up to
     * 2,200 instructions and one for 8 bytes. Behind those whose right was taken any number of
     * calls and receivers can have come to wait for each other. */
    DELIVERIES_PER_STRETCH = 2,
    DELIVERED_BYTES = 8192,
};

void arena_copy(struct thread *to, uint32_t to_offset, struct thread *from, uint32_t from_offset,
                uint32_t bytes)
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

void received_remove(struct operation *call)
{
    struct spinlock *lock =
        call->receiver != NULL ? &call->receiver->ring_lock : &call->orphaned_in->lock;

    spinlock_lock(lock);
    list_remove(&call->received_node);
    spinlock_unlock(lock);
    if (call->receiver != NULL && UNLIKELY(thread_lends_to(call->owner, call->receiver))) {
        sched_lent_for(call->owner, call->receiver);
    }
    call->receiver = NULL;
    call->orphaned_in = NULL;
}

bool operation_is_alive(struct operation *operation)
{
    return grant_is_alive(operation->grant, &operation->epoch) &&
           grant_is_alive(operation->taken_grant, &operation->taken_epoch);
}

void operation_unuse(struct endpoint *endpoint, struct operation *operation)
{
    struct object *target = operation->target;

    grant_unref(operation->grant, grant_node_free);
    grant_unref(operation->taken_grant, grant_node_free);
    operation->grant = NULL;
    operation->taken_grant = NULL;
    operation->target = NULL;
    if (object_put(target)) {
        ASSERT(target->type == &session_type); /* the endpoint is pinned */
        session_over(endpoint, CONTAINER_OF(target, struct session, object));
    }
}

/* Takes the bundle of a call that waits back to its sender. */
static void bundle_take_back(struct operation *call, struct settling *settling)
{
    struct thread *sender = call->owner;

    passing_cancel(sender->process, &call->bundle, &settling->drops);
    spinlock_lock(&sender->ring_lock);
    transfer_pool_give(&sender->transfers, &call->bundle);
    spinlock_unlock(&sender->ring_lock);
}

void endpoint_end(struct endpoint *endpoint, struct operation *operation,
                  struct endpoint_record *watch, const struct operation_outcome *outcome,
                  struct settling *settling)
{
    ASSERT(operation->endpoint_record.place == ENDPOINT_NOWHERE);
    if (operation->bundle.count != 0) {
        bundle_take_back(operation, settling);
    }
    operation_unuse(endpoint, operation);
    if (outcome->silent) {
        operation_release(operation);
    } else {
        operation_complete(operation, outcome->result, outcome->flags, outcome->refusal);
    }
    if (watch != NULL) {
        bool taken_back = outcome->silent || outcome->result == TRANSPORT_CANCELLED ||
                          outcome->result == TRANSPORT_REVOKED;

        operation_unuse(endpoint, operation_of(watch));
        operation_complete(operation_of(watch), taken_back ? WATCH_CANCELLED : WATCH_ENDED, 0,
                           NULL);
    }
}

void endpoint_take_back(struct endpoint *endpoint, struct operation *operation,
                        const struct operation_outcome *outcome, struct settling *settling)
{
    if (operation->endpoint_record.place == ENDPOINT_IN_FLIGHT) {
        received_remove(operation);
    }
    endpoint_end(endpoint, operation,
                 endpoint_remove(&endpoint->queues, &operation->endpoint_record), outcome,
                 settling);
}

/* The capabilities of `call` go to the receiver, with their records at `offset` of its arena. */
static void bundle_deliver(struct operation *call, struct operation *receive, uint32_t offset,
                           struct settling *settling)
{
    struct received_cap records[LIMIT_TRANSFERS];
    struct thread *sender = call->owner;
    const struct passing passing = {.from = sender->process,
                                    .to = receive->owner->process,
                                    .origin = EDGE_ORIGIN_TRANSFER,
                                    .interface_id = call->interface_id,
                                    .method = call->method};
    uint32_t count = call->bundle.count;

    receive->slots -= passing_commit(&passing, &call->bundle, records, &settling->drops);
    thread_arena_write(receive->owner, offset, records, count * (uint32_t)sizeof(records[0]));
    spinlock_lock(&sender->ring_lock);
    transfer_pool_give(&sender->transfers, &call->bundle);
    spinlock_unlock(&sender->ring_lock);
}

/* Hands `call` to `receiver`. */
static void deliver(struct endpoint *endpoint, const struct endpoint_match *match,
                    struct settling *settling)
{
    struct operation *call = operation_of(match->call);
    struct operation *receive = operation_of(match->receiver);
    struct thread *receiver = receive->owner;
    struct endpoint_message head = {
        .token = match->token,
        .badge = call->badge,
        .interface_id = call->interface_id,
        .method = call->method,
        .caps = (uint16_t)call->bundle.count,
        .message_bytes = call->message_bytes,
        .result_bytes = call->result_bytes,
    };
    uint32_t total = (uint32_t)sizeof(head) + call->message_bytes;

    ASSERT(total + head.caps * sizeof(struct received_cap) <= receive->result_bytes);
    thread_arena_write(receiver, receive->result_offset, &head, sizeof(head));
    arena_copy(receiver, receive->result_offset + (uint32_t)sizeof(head), call->owner,
               call->message_offset, call->message_bytes);
    settling->bytes += call->message_bytes;
    if (head.caps != 0) {
        bundle_deliver(call, receive, receive->result_offset + total, settling);
    }
    /* From now on the call ends too when the edge goes that it was taken through. */
    call->taken_grant = receive->grant;
    call->taken_epoch = receive->epoch;
    receive->grant = NULL;
    call->receiver = receiver;
    call->token = match->token;
    spinlock_lock(&receiver->ring_lock);
    list_push_back(&receiver->received, &call->received_node);
    spinlock_unlock(&receiver->ring_lock);
    endpoint_end(endpoint, receive, NULL, &(struct operation_outcome){.result = (int32_t)total},
                 settling);
}

/* Tells the owner that a session is over. */
static void deliver_closed(struct endpoint *endpoint, const struct endpoint_match *match,
                           struct settling *settling)
{
    struct operation *receive = operation_of(match->receiver);
    struct endpoint_message head = {.badge = match->session->badge,
                                    .kind = ENDPOINT_MESSAGE_CLOSED};

    thread_arena_write(receive->owner, receive->result_offset, &head, sizeof(head));
    session_free(endpoint, match->session);
    endpoint_end(endpoint, receive, NULL,
                 &(struct operation_outcome){.result = (int32_t)sizeof(head)}, settling);
}

/* The next call or receiver if its edge was revoked; NULL: both are alive, or missing. */
static struct operation *next_dead(struct endpoint *endpoint)
{
    struct endpoint_record *call = endpoint_next_call(&endpoint->queues);
    struct endpoint_record *receiver = endpoint_next_receiver(&endpoint->queues);

    if (call != NULL && UNLIKELY(!operation_is_alive(operation_of(call)))) {
        return operation_of(call);
    }
    if (receiver != NULL && UNLIKELY(!operation_is_alive(operation_of(receiver)))) {
        return operation_of(receiver);
    }
    return NULL;
}

static bool pumping_step(struct job *job)
{
    struct endpoint *endpoint = CONTAINER_OF(job, struct endpoint, pumping);
    struct settling settling;

    settle_lock(endpoint, &settling);
    endpoint->pumps = false;
    settle_unlock(endpoint, &settling); /* may start the job anew */
    object_unref(&endpoint->object);
    return false;
}

/* The stretch has delivered as much as it may: if there is more, a job goes on. Lock held. */
static void pump_later(struct endpoint *endpoint)
{
    const struct endpoint_queues *queues = &endpoint->queues;
    struct cpu *cpu = arch_cpu_this();

    if (!endpoint->pumps && endpoint_next_receiver(queues) != NULL &&
        (endpoint_next_call(queues) != NULL || endpoint_session_closed(queues) != NULL)) {
        endpoint->pumps = true;
        object_ref(&endpoint->object);
        endpoint->pumping.step = pumping_step;
        job_start(&endpoint->pumping, cpu, cpu->running_priority);
    }
}

/* Delivers while there is something to deliver. True: what is to be dropped must be dropped before
 * it can go on. */
static bool pump(struct endpoint *endpoint, unsigned *dead_left, struct settling *settling)
{
    struct endpoint_match match;

    for (;;) {
        struct endpoint_record *call = endpoint_next_call(&endpoint->queues);
        struct operation *dead = next_dead(endpoint);

        if (call != NULL && !transfer_drops_fit(&settling->drops, &operation_of(call)->bundle)) {
            return true;
        }
        if (UNLIKELY(dead != NULL)) {
            if (*dead_left == 0) {
                return false;
            }
            --*dead_left;
            endpoint_take_back(endpoint, dead,
                               &(struct operation_outcome){.result = TRANSPORT_REVOKED}, settling);
            continue;
        }
        if (settling->deliveries == DELIVERIES_PER_STRETCH || settling->bytes >= DELIVERED_BYTES) {
            pump_later(endpoint);
            return false;
        }
        settling->deliveries++;
        switch (endpoint_match(&endpoint->queues, &match)) {
        case ENDPOINT_DELIVERS_NOTHING:
            return false;
        case ENDPOINT_DELIVERS_CALL:
            deliver(endpoint, &match, settling);
            break;
        case ENDPOINT_DELIVERS_CLOSED:
            deliver_closed(endpoint, &match, settling);
            break;
        }
    }
}

void settle_lock(struct endpoint *endpoint, struct settling *settling)
{
    settle_begin(settling);
    spinlock_lock(&endpoint->lock);
}

void settle_unlock(struct endpoint *endpoint, struct settling *settling)
{
    unsigned dead_left = DEAD_PER_STRETCH;
    bool more;

    do {
        more = !endpoint->closed && pump(endpoint, &dead_left, settling);
        spinlock_unlock(&endpoint->lock);
        if (UNLIKELY(settling->drops.count != 0)) {
            passing_drop(&settling->drops);
        }
        if (UNLIKELY(more)) {
            spinlock_lock(&endpoint->lock);
        }
    } while (more);
    arch_cpu_this()->effects += settling->bytes;
}
