/* SPDX-License-Identifier: MIT */
/* The short way of RETURN_RECV. Theory in handoff.c. */
#include "kernel/ipc/handoff_inside.h"
#include "kernel/ipc/handoff_promise.h"

/* The first word of a usual RETURN_RECV: opcode, perhaps SQE_EXCEPTION, no transfers, message_bytes
 * a multiple of 8 below 32 KiB. */
#define RETURN_FIXED UINT64_C(0xffff8007fffffeff)
#define RETURN_USUAL ((uint64_t)OPCODE_RETURN_RECV)

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

COLD void handoff_closed(struct endpoint *endpoint)
{
    struct settling settling;

    object_ref(&endpoint->object); /* others' references may go as soon as the lock does */
    settle_begin(&settling);
    settle_unlock(endpoint, &settling);
    object_unref(&endpoint->object);
}

/* The flags of the completion of a call whose answer is the entry that begins with `first`. */
static ALWAYS_INLINE uint32_t answer_flags(uint64_t first)
{
    return (first >> 8 & SQE_EXCEPTION) != 0 ? (uint32_t)CQE_EXCEPTION : 0;
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
    ring_post_result(&client->ring, call->user_data, (int32_t)(first >> 32), answer_flags(first));
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

/* The endpoint whose owner's edge `cap` is; NULL: the edge is not usual. The process is locked. */
static ALWAYS_INLINE struct endpoint *owned_endpoint(struct process *process, struct cap_id cap)
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

/* RETURN_RECVs of one owner's edge, one behind the other. */
struct run {
    struct cpu *cpu;
    struct thread *thread;
    struct endpoint *endpoint; /* pinned */
    struct cap_id cap;
    struct thread **next; /* of the last entry; NULL: the thread does not wait behind it */
    uint32_t left;        /* entries that were not done */
    uint32_t references; /* of the endpoint, that nothing has any more and are not given back yet */
    enum quick quick;    /* what became of the entries done; NONE: none is */
    bool over;           /* the next one is not usual, or there is none */
};

/* Finds what the next entry of a run, at `shared`, is about, and the call that it answers, which
 * may not be the last of its session if somebody `calls`. False: something is not usual. The
 * endpoint is locked. */
static ALWAYS_INLINE bool run_find(const struct run *run, const uint8_t *shared, bool calls,
                                   struct returning *returning)
{
    struct endpoint *endpoint = run->endpoint;

    returning->endpoint = endpoint;
    if (UNLIKELY(!return_read(run->thread, shared, returning) ||
                 quick_word(shared, offsetof(struct sqe, cap)) != run->cap.raw)) {
        return false;
    }
    returning->call =
        call_find(endpoint, run->thread, quick_word(shared, offsetof(struct sqe, token)),
                  returning->buffers.message_bytes);
    return LIKELY(returning->call != NULL && !(calls && call_is_last(endpoint, returning->call)));
}

/* The call's answer is copied and its token used up; true: it was of a session, and holds that
 * still. Otherwise it holds nothing of the endpoint any more. */
static ALWAYS_INLINE bool run_land(struct run *run, const struct returning *returning)
{
    struct endpoint *endpoint = run->endpoint;
    struct operation *call = returning->call;

    message_copy(call->owner, call->result_offset, run->thread, returning->buffers.message,
                 returning->buffers.message_bytes);
    endpoint_land(&endpoint->queues, &call->endpoint_record, call->endpoint_record.token_slot);
    if (UNLIKELY(call->target != &endpoint->object)) {
        return true;
    }
    call->target = NULL;
    run->references++;
    return false;
}

/* The same, and a call of a session holds nothing any more either, whose end may wait now. */
static ALWAYS_INLINE bool run_answer(struct run *run, const struct returning *returning)
{
    bool session = run_land(run, returning);

    if (UNLIKELY(session)) {
        operation_unuse(run->endpoint, returning->call);
    }
    return session;
}

/* `done` entries are, with their `effects`. */
static ALWAYS_INLINE void run_count(struct run *run, uint32_t done, uint32_t effects)
{
    run->left -= done;
    run->cpu->effects += effects;
    run->over |= run->left == 0 || run->cpu->effects >= QUICK_EFFECTS;
    if (done != 0) {
        run->quick = QUICK_DONE;
    }
}

/* What is left of an entry whose call was `taken`: its message goes to `offset` of the arena. */
static ALWAYS_INLINE void run_take(const struct run *run, struct operation *taken, uint32_t offset)
{
    struct message message = {.from = taken->owner,
                              .offset = taken->message_offset,
                              .bytes = taken->message_bytes,
                              .head = {.badge = taken->badge,
                                       .interface_id = taken->interface_id,
                                       .form = head_form(taken->method, 0, taken->message_bytes),
                                       .room = taken->result_bytes}};

    message.head.token = endpoint_hand_out_oldest(&run->endpoint->queues, &taken->endpoint_record);
    taken->token = message.head.token;
    taken->receiver = run->thread;
    message_deliver(run->thread, offset, &message);
}

/* Calls wait: up to `most` entries answer one each and get the next at once, so that what their
 * receives need is given back before anybody could see it taken. The endpoint is locked. */
static NOINLINE void run_serve(struct run *run, uint32_t most)
{
    struct endpoint_queues *queues = &run->endpoint->queues;
    struct thread *thread = run->thread;
    struct ring *ring = &thread->ring;
    uint32_t room = quick_room(run->cpu);
    uint32_t effects = 0;
    uint32_t done = 0;
    bool session = false;

    spinlock_lock(&thread->ring_lock);
    run->over = !endpoint_only_calls(queues) || endpoint_next_receiver(queues) != NULL ||
                !receive_fits(thread, run->endpoint);
    most = run->over ? 0 : most;
    while (done < most && effects < room && !session) {
        const uint8_t *shared = ring_peek(ring, ring->sq_head);
        struct endpoint_record *waiting = endpoint_waiting_call(queues);
        struct returning returning;
        struct operation *taken;
        uint64_t user_data;

        if (waiting == NULL) {
            break;
        }
        taken = operation_of(waiting);
        if (UNLIKELY((taken->bundle.count | (uintptr_t)taken->grant) != 0 ||
                     !run_find(run, shared, true, &returning))) {
            run->over = true;
            break;
        }
        user_data = quick_word(shared, offsetof(struct sqe, user_data));
        ring_accept(ring, ring->sq_head + 1);
        list_replace(&returning.call->received_node, &taken->received_node);
        spinlock_unlock(&thread->ring_lock);
        session = run_answer(run, &returning);
        (void)call_complete(run->cpu, thread, returning.call, returning.first, NULL);
        run_take(run, taken, returning.buffers.result);
        effects += QUICK_ENTRY + returning.buffers.message_bytes + taken->message_bytes;
        done++;
        spinlock_lock(&thread->ring_lock);
        ring_post_result(ring, user_data,
                         (int32_t)(sizeof(struct endpoint_message) + taken->message_bytes), 0);
    }
    spinlock_unlock(&thread->ring_lock);
    run_count(run, done, effects);
}

/* The receive of an entry waits. */
static ALWAYS_INLINE void run_push(struct run *run, const struct buffers *buffers,
                                   struct operation *receive)
{
    receive->endpoint = run->endpoint;
    receive->target = &run->endpoint->object;
    receive->result_offset = buffers->result;
    receive->result_bytes = buffers->result_bytes;
    if (LIKELY(run->references != 0)) {
        run->references--;
    } else {
        object_ref(receive->target);
    }
    endpoint_push_receiver(&run->endpoint->queues, &receive->endpoint_record);
}

/* A call taken out of the endpoint, whose answer is there, and the first word of the entry that
 * gave it. */
struct answered {
    struct operation *call;
    uint64_t first;
};

/* Calls that hold nothing any more complete, in their order, those of one client behind each other
 * under one lock of its ring. wait_end's result for the last one's client, or NULL; `waits` is the
 * `server`, the current thread, if it does. The endpoint is locked. */
static ALWAYS_INLINE struct thread *calls_complete(struct cpu *cpu, const struct thread *server,
                                                   const struct answered *answered, uint32_t count,
                                                   const struct thread *waits)
{
    const struct answered *end = answered + count;
    struct thread *straight = NULL;

    while (answered != end) {
        struct thread *client = answered->call->owner;
        struct ring *ring = &client->ring;
        uint32_t tail;

        spinlock_lock(&client->ring_lock);
        tail = ring->cq_tail;
        do {
            result_write(ring, tail++, answered->call->user_data, (int32_t)(answered->first >> 32),
                         answer_flags(answered->first));
            call_release(client, answered->call);
            answered++;
        } while (answered != end && answered->call->owner == client);
        ASSERT_AGAIN(atomic_load_relaxed_u32(&ring->sq_head) - tail <= ring->cq_entries);
        ring_posted(ring, tail);
        if (wait_end(cpu, client, answered == end ? waits : NULL, false)) {
            straight = client;
        } else if (UNLIKELY(thread_lends_to(client, server))) {
            sched_lent_for(client, server); /* it waits for something else as well */
        }
        spinlock_unlock(&client->ring_lock);
    }
    return straight;
}

/* Nobody calls: up to `most` entries answer one each and wait, all taken under one lock of
 * the ring; then the calls complete. The endpoint is locked. */
static NOINLINE void run_await(struct run *run, uint32_t most)
{
    struct endpoint_queues *queues = &run->endpoint->queues;
    struct thread *thread = run->thread;
    struct ring *ring = &thread->ring;
    struct answered answered[RUN_LOCKED];
    const struct thread *waits = NULL;
    struct thread *straight;
    uint32_t slots = queues->limits.capabilities;
    uint32_t room = quick_room(run->cpu);
    uint32_t effects = 0;
    uint32_t done = 0;
    uint32_t head;
    bool session = false;

    spinlock_lock(&thread->ring_lock);
    head = ring->sq_head;
    while (done < most && effects < room && !session) {
        const uint8_t *shared = ring_peek(ring, head + done);
        struct operation *receive;
        struct returning returning;

        if (UNLIKELY(!endpoint_only_calls(queues) || !receive_fits(thread, run->endpoint) ||
                     !run_find(run, shared, false, &returning))) {
            run->over = true;
            break;
        }
        receive = operation_pop_free(thread, OPERATION_RECEIVE, false);
        receive->slots = slots;
        thread->slots_over -= slots;
        receive->user_data = quick_word(shared, offsetof(struct sqe, user_data));
        list_remove(&returning.call->received_node);
        session = run_land(run, &returning);
        answered[done] = (struct answered){.call = returning.call, .first = returning.first};
        run_push(run, &returning.buffers, receive);
        effects += QUICK_ENTRY + returning.buffers.message_bytes;
        done++;
    }
    if (LIKELY(done != 0)) {
        ring_accept(ring, head + done);
    }
    if (done == run->left && run->next != NULL && wait_begin(thread)) {
        waits = thread;
    }
    spinlock_unlock(&thread->ring_lock);
    if (UNLIKELY(session)) {
        operation_unuse(run->endpoint, answered[done - 1].call);
    }
    straight = calls_complete(run->cpu, thread, answered, done, waits);
    run_count(run, done, effects);
    if (straight != NULL) {
        *run->next = straight;
        run->quick = QUICK_SWITCH;
    } else if (waits != NULL) {
        run->quick = QUICK_WAIT;
    }
}

/*
 * Entries of one edge, from the first on as long as they are usual, as call_run. The endpoint is
 * pinned, and no lock is held.
 */
static ALWAYS_INLINE void return_run(struct run *run)
{
    struct endpoint *endpoint = run->endpoint;
    bool closed;

    while (!run->over) {
        spinlock_lock(&endpoint->lock);
        if (endpoint_waiting_call(&endpoint->queues) != NULL) {
            run_serve(run, run->left < RUN_LOCKED ? run->left : RUN_LOCKED);
        } else {
            run_await(run, run->left < RUN_LOCKED ? run->left : RUN_LOCKED);
        }
        if (run->references != 0) {
            object_put_more(&endpoint->object, run->references);
            run->references = 0;
        }
        closed = run->quick != QUICK_NONE && endpoint_has_closed(&endpoint->queues);
        run->over |= closed;
        if (UNLIKELY(closed)) {
            handoff_closed(endpoint);
        } else {
            spinlock_unlock(&endpoint->lock);
        }
    }
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

/* Any other, and those behind it. */
static NOINLINE enum quick return_pinned(struct cpu *cpu, struct thread *thread,
                                         const uint8_t *shared, uint32_t left, struct thread **next)
{
    struct process *process = thread->process;
    struct run run = {.cpu = cpu, .thread = thread, .next = next, .left = left};

    run.cap.raw = quick_word(shared, offsetof(struct sqe, cap));
    spinlock_lock(&process->lock);
    run.endpoint = owned_endpoint(process, run.cap);
    if (LIKELY(run.endpoint != NULL)) {
        object_ref(&run.endpoint->object);
    }
    spinlock_unlock(&process->lock);
    if (UNLIKELY(run.endpoint == NULL)) {
        return QUICK_NONE;
    }
    return_run(&run);
    object_unref(&run.endpoint->object);
    return LIKELY(run.quick != QUICK_NONE) ? run.quick : handoff_answer(cpu, thread, left, next);
}

enum quick handoff_return(struct cpu *cpu, struct thread *thread, uint32_t left,
                          struct thread **next)
{
    const uint8_t *shared = ring_peek(&thread->ring, thread->ring.sq_head);
    struct process *process = thread->process;
    struct cap_id cap = {quick_word(shared, offsetof(struct sqe, cap))};
    struct endpoint *endpoint;

    if (LIKELY(left == 1 && next != NULL)) {
        spinlock_lock(&process->lock);
        endpoint = owned_endpoint(process, cap);
        if (LIKELY(endpoint != NULL && return_meet(cpu, thread, shared, endpoint))) {
            return QUICK_WAIT;
        }
        spinlock_unlock(&process->lock);
    }
    return return_pinned(cpu, thread, shared, left, next);
}
