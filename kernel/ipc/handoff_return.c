/* SPDX-License-Identifier: MIT */
/* The short way of RETURN_RECV. Theory in handoff.c. */
#include "kernel/ipc/handoff_inside.h"
#include "kernel/ipc/handoff_promise.h"

/* The first word of a usual RETURN_RECV: opcode, perhaps SQE_EXCEPTION, no transfers, message_bytes
 * a multiple of 8 below 32 KiB. */
#define RETURN_FIXED UINT64_C(0xffff8007fffffeff)
#define RETURN_USUAL ((uint64_t)OPCODE_RETURN_RECV)
/* Where it says how many transfers there are. */
#define RETURN_TRANSFERS UINT64_C(0xff000000)

/* The call in flight under `token` if its answer of `bytes` has nothing unusual. Endpoint lock
 * held. */
static ALWAYS_INLINE struct operation *call_find(const struct endpoint *endpoint,
                                                 const struct thread *server, uint64_t token,
                                                 uint32_t bytes)
{
    struct endpoint_record *record = endpoint_find(&endpoint->queues, token);
    const struct endpoint_record *watch = endpoint->queues.token[endpoint_token_slot(token)].watch;
    struct operation *call;

    if (UNLIKELY(record == NULL)) {
        return NULL;
    }
    call = operation_of(record);
    /* All are mostly 0: one test. */
    return LIKELY(((uintptr_t)watch | (uintptr_t)call->grant | (uintptr_t)call->taken_grant |
                   call->answer | endpoint->closed) == 0 &&
                  call->receiver == server && bytes <= call->result_bytes)
               ? call
               : NULL;
}

/* Whether a receive that comes now gets the oldest call that waits, or waits itself if there is
 * none, and in either case nothing unusual. Endpoint lock held. */
static ALWAYS_INLINE bool receive_is_usual(const struct endpoint_queues *queues,
                                           struct endpoint_record *waiting)
{
    return endpoint_only_calls(queues) &&
           (waiting == NULL || /* or all tokens were out, and older receivers may wait with it */
            (endpoint_next_receiver(queues) == NULL && operation_of(waiting)->bundle.count == 0 &&
             operation_of(waiting)->grant == NULL));
}

COLD void handoff_closed(struct endpoint *endpoint)
{
    struct settling settling;

    object_ref(&endpoint->object); /* others' references may go as soon as the lock does */
    settle_begin(&settling);
    settle_unlock(endpoint, &settling);
    object_unref(&endpoint->object);
}

/* The answer of `call`, taken out of the endpoint, is there, and it holds nothing any more: it
 * completes. wait_end's result. `server` is the current thread. Endpoint lock held. */
static ALWAYS_INLINE bool call_complete(struct cpu *cpu, const struct thread *server,
                                        struct operation *call, uint64_t first,
                                        const struct thread *waits)
{
    struct thread *client = call->owner;
    bool straight;

    spinlock_lock(&client->ring_lock);
    ring_post_result(&client->ring, call->user_data, (int32_t)(first >> 32),
                     (first >> 8 & SQE_EXCEPTION) != 0 ? (uint32_t)CQE_EXCEPTION : 0);
    call_release(client, call);
    straight = wait_end(cpu, client, waits, false);
    if (UNLIKELY(!straight && thread_lends_to(client, server))) {
        sched_lent_for(client, server); /* it waits for something else as well */
    }
    spinlock_unlock(&client->ring_lock);
    return straight;
}

/* What a RETURN_RECV that is found usual is about. */
struct returning {
    struct endpoint *endpoint; /* locked and pinned */
    struct cap_id cap;         /* the owner's edge */
    bool pin;                  /* and the pin is for the first receive that waits */
    uint64_t epoch;            /* of the owner's edge */
    struct operation *call;    /* that is answered */
    uint64_t first;            /* word of the entry */
    struct buffers buffers;
};

/* Whether the thread has over what a receive needs. Its ring is locked. */
static ALWAYS_INLINE bool receive_fits(const struct thread *thread, const struct endpoint *endpoint)
{
    return LIKELY(thread->slots_over >= endpoint->queues.limits.capabilities &&
                  operation_may_receive(thread) && thread->operations_free != NULL);
}

/* The submission is accepted; the answer is copied, its token used up, and its call completes.
 * wait_end's result. The call is in nobody's list. */
static ALWAYS_INLINE bool answer(struct cpu *cpu, struct thread *thread,
                                 const struct returning *returning, const struct thread *waits)
{
    struct operation *call = returning->call;
    uint32_t bytes = returning->buffers.message_bytes;

    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    cpu->effects += QUICK_ENTRY + bytes;
    message_copy(call->owner, call->result_offset, thread, returning->buffers.message, bytes);
    endpoint_land(&returning->endpoint->queues, &call->endpoint_record,
                  call->endpoint_record.token_slot);
    operation_let_go(returning->endpoint, call);
    return call_complete(cpu, thread, call, returning->first, waits);
}

/* Nobody calls: the receive waits. */
static ALWAYS_INLINE enum quick return_wait(struct cpu *cpu, struct thread *thread,
                                            const uint8_t *shared, struct returning *returning,
                                            struct thread **next)
{
    struct endpoint *endpoint = returning->endpoint;
    struct thread *client = returning->call->owner;
    struct operation *receive = NULL;
    bool waits = false;

    spinlock_lock(&thread->ring_lock);
    if (receive_fits(thread, endpoint)) {
        receive = operation_pop_free(thread, OPERATION_RECEIVE, false);
        receive->slots = endpoint->queues.limits.capabilities;
        thread->slots_over -= receive->slots;
        list_remove(&returning->call->received_node);
        waits = next != NULL && wait_begin(thread);
    }
    spinlock_unlock(&thread->ring_lock);
    if (UNLIKELY(receive == NULL)) {
        return QUICK_NONE;
    }
    receive->user_data = quick_word(shared, offsetof(struct sqe, user_data));
    receive->endpoint = endpoint;
    receive->target = &endpoint->object;
    if (LIKELY(returning->pin)) {
        returning->pin = false;
    } else {
        object_ref(&endpoint->object);
    }
    receive->epoch = returning->epoch;
    receive->result_offset = returning->buffers.result;
    receive->result_bytes = returning->buffers.result_bytes;
    endpoint_push_receiver(&endpoint->queues, &receive->endpoint_record);
    if (LIKELY(answer(cpu, thread, returning, waits ? thread : NULL))) {
        *next = client;
        return QUICK_SWITCH;
    }
    return waits ? QUICK_WAIT : QUICK_DONE;
}

/* The oldest call that waits, `taken`, comes at once: what the receive needs is there, and given
 * back before anybody could see it taken. The pin stays the caller's. */
static ALWAYS_INLINE enum quick return_take(struct cpu *cpu, struct thread *thread,
                                            const uint8_t *shared,
                                            const struct returning *returning,
                                            struct operation *taken)
{
    uint64_t user_data = quick_word(shared, offsetof(struct sqe, user_data));
    struct message message;
    bool fits;

    spinlock_lock(&thread->ring_lock);
    fits = receive_fits(thread, returning->endpoint);
    if (fits) {
        list_remove(&returning->call->received_node);
    }
    spinlock_unlock(&thread->ring_lock);
    if (UNLIKELY(!fits)) {
        return QUICK_NONE;
    }
    (void)answer(cpu, thread, returning, NULL);
    taken->token = endpoint_hand_out(&returning->endpoint->queues);
    taken->taken_epoch = returning->epoch;
    taken->receiver = thread;
    cpu->effects += taken->message_bytes;
    message = message_of(taken, 0);
    message_deliver(thread, returning->buffers.result, &message);
    spinlock_lock(&thread->ring_lock);
    list_push_back(&thread->received, &taken->received_node);
    ring_post_result(&thread->ring, user_data,
                     (int32_t)(sizeof(struct endpoint_message) + taken->message_bytes), 0);
    spinlock_unlock(&thread->ring_lock);
    return QUICK_DONE;
}

/* The endpoint whose owner's edge `cap` is; NULL: the edge is not usual. The process is locked. */
static ALWAYS_INLINE struct endpoint *owned_endpoint(struct process *process, struct cap_id cap,
                                                     uint64_t *epoch)
{
    const struct cap_slot *slot = cap_table_resolve(&process->table, cap);
    const struct hold_edge *edge;

    if (UNLIKELY(slot == NULL)) {
        return NULL;
    }
    edge = &slot->edge;
    if (UNLIKELY(edge->object == NULL || edge->grant != NULL ||
                 ((const struct object *)edge->object)->type != &endpoint_owner_type ||
                 edge->interface_id != ENDPOINT_INTERFACE_ID || edge->facet != CAP_FACET_ALL)) {
        return NULL;
    }
    *epoch = edge->epoch;
    return CONTAINER_OF(edge->object, struct endpoint, owner);
}

/* Reads one entry; false: it is not usual. */
static ALWAYS_INLINE bool return_read(const struct thread *thread, const uint8_t *shared,
                                      struct returning *returning)
{
    returning->first = quick_word(shared, 0);
    return LIKELY((returning->first & RETURN_FIXED) == RETURN_USUAL &&
                  buffers_read(thread, shared, returning->first, &returning->buffers) &&
                  returning->buffers.result % 8 == 0 &&
                  returning->buffers.result_bytes >= returning->endpoint->receive_bytes);
}

/* Whether its answer ends the session of `call`: the receiver is told of that before it gets a call
 * that waits. Whoever gives up the last edge at this moment comes after. Endpoint lock held. */
static ALWAYS_INLINE bool call_is_last(const struct endpoint *endpoint,
                                       const struct operation *call)
{
    return call->target != &endpoint->object &&
           atomic_load_relaxed_u64(&call->target->references) == 1;
}

/* One entry whose form is usual. */
static ALWAYS_INLINE enum quick return_one(struct cpu *cpu, struct thread *thread,
                                           const uint8_t *shared, struct returning *returning,
                                           struct thread **next)
{
    struct endpoint *endpoint = returning->endpoint;
    struct endpoint_record *waiting = endpoint_waiting_call(&endpoint->queues);

    if (UNLIKELY(!receive_is_usual(&endpoint->queues, waiting))) {
        return QUICK_NONE;
    }
    returning->call = call_find(endpoint, thread, quick_word(shared, offsetof(struct sqe, token)),
                                returning->buffers.message_bytes);
    if (UNLIKELY(returning->call == NULL ||
                 (waiting != NULL && call_is_last(endpoint, returning->call)))) {
        return QUICK_NONE;
    }
    return waiting == NULL ? return_wait(cpu, thread, shared, returning, next)
                           : return_take(cpu, thread, shared, returning, operation_of(waiting));
}

/* The entries behind one that was done, as long as they are usual and of the same edge, as
 * call_rest. */
static NOINLINE enum quick return_rest(struct cpu *cpu, struct thread *thread, uint32_t left,
                                       struct returning *returning, struct thread **next)
{
    struct endpoint *endpoint = returning->endpoint;

    for (; left != 0 && cpu->effects < QUICK_EFFECTS && !endpoint_has_closed(&endpoint->queues);
         left--) {
        const uint8_t *shared = ring_peek(&thread->ring, thread->ring.sq_head);
        enum quick quick;

        if (!return_read(thread, shared, returning) ||
            quick_word(shared, offsetof(struct sqe, cap)) != returning->cap.raw) {
            break;
        }
        spinlock_unlock(&endpoint->lock);
        spinlock_lock(&endpoint->lock);
        quick = return_one(cpu, thread, shared, returning, left == 1 ? next : NULL);
        if (quick != QUICK_DONE) {
            return quick == QUICK_NONE ? QUICK_DONE : quick;
        }
    }
    return QUICK_DONE;
}

/* The receive of a RETURN_RECV that begins its thread's wait; its call is the server's no more.
 * NULL: it would not wait, or has too little over. Endpoint and process are locked. */
static ALWAYS_INLINE struct operation *
receive_take(struct thread *thread, const struct endpoint *endpoint, struct operation *call)
{
    struct operation *receive = NULL;

    spinlock_lock(&thread->ring_lock);
    if (LIKELY(receive_fits(thread, endpoint) && wait_begin(thread))) {
        receive = operation_pop_free(thread, OPERATION_RECEIVE, false);
        receive->slots = endpoint->queues.limits.capabilities;
        thread->slots_over -= receive->slots;
        list_remove(&call->received_node);
    }
    spinlock_unlock(&thread->ring_lock);
    return receive;
}

/*
 * The answer that most are: alone in its submission, of a call through an edge that names the
 * endpoint itself, and nobody calls now, so that the server waits. Its thread leaves for the
 * client, or waits; false: it is another one, or somebody has the endpoint's lock, and nothing has
 * changed. The process's lock is held, and given back if true: until the endpoint's is taken it
 * keeps the endpoint, then the call does, whose reference becomes the receive's.
 */
static ALWAYS_INLINE bool return_meet(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                                      struct endpoint *endpoint)
{
    struct endpoint_queues *queues = &endpoint->queues;
    struct returning returning;
    uint64_t token = quick_word(shared, offsetof(struct sqe, token));
    struct operation *receive;
    struct operation *call;
    struct thread *client;
    uint32_t bytes;
    bool straight;

    returning.endpoint = endpoint;
    if (UNLIKELY(!return_read(thread, shared, &returning) || !spinlock_try(&endpoint->lock))) {
        return false;
    }
    bytes = returning.buffers.message_bytes;
    call = call_find(endpoint, thread, token, bytes);
    if (UNLIKELY(call == NULL || call->target != &endpoint->object || queues->call_count != 0 ||
                 !endpoint_only_calls(queues) ||
                 (receive = receive_take(thread, endpoint, call)) == NULL)) {
        spinlock_unlock(&endpoint->lock);
        return false;
    }
    spinlock_unlock(&thread->process->lock);
    client = call->owner;
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    receive->user_data = quick_word(shared, offsetof(struct sqe, user_data));
    receive->endpoint = endpoint;
    receive->target = call->target;
    call->target = NULL;
    receive->result_offset = returning.buffers.result;
    receive->result_bytes = returning.buffers.result_bytes;
    endpoint_push_receiver(queues, &receive->endpoint_record);
    message_copy(client, call->result_offset, thread, returning.buffers.message, bytes);
    endpoint_land(queues, &call->endpoint_record, endpoint_token_slot(token));
    straight = call_complete(cpu, thread, call, returning.first, thread);
    spinlock_unlock(&endpoint->lock);
    if (LIKELY(straight)) {
        thread_switch(cpu, thread, client);
    }
    return true;
}

/* Any other. */
static NOINLINE enum quick return_pinned(struct cpu *cpu, struct thread *thread,
                                         const uint8_t *shared, uint32_t left, struct thread **next)
{
    struct process *process = thread->process;
    struct endpoint *endpoint;
    struct returning returning;
    enum quick quick = QUICK_NONE;

    if (UNLIKELY((quick_word(shared, 0) & RETURN_TRANSFERS) != 0)) {
        return handoff_answer(cpu, thread, left, next);
    }
    returning.cap.raw = quick_word(shared, offsetof(struct sqe, cap));
    spinlock_lock(&process->lock);
    endpoint = owned_endpoint(process, returning.cap, &returning.epoch);
    if (LIKELY(endpoint != NULL)) {
        object_ref(&endpoint->object);
    }
    spinlock_unlock(&process->lock);
    if (UNLIKELY(endpoint == NULL)) {
        return QUICK_NONE;
    }
    returning.endpoint = endpoint;
    returning.pin = true;
    spinlock_lock(&endpoint->lock);
    if (LIKELY(return_read(thread, shared, &returning))) {
        quick = return_one(cpu, thread, shared, &returning, left == 1 ? next : NULL);
    }
    if (UNLIKELY(left > 1 && quick == QUICK_DONE)) {
        struct returning rest = returning; /* the other stays in registers */

        if (!rest.pin) {
            object_ref(&endpoint->object); /* the receive has the first pin */
        }
        rest.pin = false;
        quick = return_rest(cpu, thread, left - 1, &rest, next);
        returning.pin = true;
    }
    if (UNLIKELY(quick != QUICK_NONE && endpoint_has_closed(&endpoint->queues))) {
        handoff_closed(endpoint);
    } else {
        spinlock_unlock(&endpoint->lock);
    }
    if (returning.pin) {
        object_unref(&endpoint->object);
    }
    return LIKELY(quick != QUICK_NONE) ? quick : handoff_answer(cpu, thread, left, next);
}

enum quick handoff_return(struct cpu *cpu, struct thread *thread, uint32_t left,
                          struct thread **next)
{
    const uint8_t *shared = ring_peek(&thread->ring, thread->ring.sq_head);
    struct process *process = thread->process;
    struct cap_id cap = {quick_word(shared, offsetof(struct sqe, cap))};
    struct endpoint *endpoint;
    uint64_t epoch;

    if (LIKELY(left == 1 && next != NULL)) {
        spinlock_lock(&process->lock);
        endpoint = owned_endpoint(process, cap, &epoch);
        if (LIKELY(endpoint != NULL && return_meet(cpu, thread, shared, endpoint))) {
            return QUICK_WAIT;
        }
        spinlock_unlock(&process->lock);
    }
    return return_pinned(cpu, thread, shared, left, next);
}
