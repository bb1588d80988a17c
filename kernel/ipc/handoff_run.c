/* SPDX-License-Identifier: MIT */
/*
 * Runs: several entries of one edge in one submission, done as one. Up to RUN_LOCKED of them are
 * done under one lock of the endpoint, which is as long as a stretch of deliveries may be, and in
 * their order, as if each were alone. Calls meet receivers while some wait, and are queued when
 * none does; answers take the oldest calls while some wait, and their receives wait when none does.
 *
 * A stretch is read and decided under one lock of the thread's ring. Then the peers' rings are
 * locked, each once for those behind each other that are its, and what completes there is shown.
 * Where answers took calls, the thread's own completions come last. To the endpoint all that is one
 * step: tokens are used up and given out entry by entry, as the long way does it, but a call that
 * an entry took has no receiver before it is delivered, so that an entry behind it that names its
 * token, which nobody can know yet, ends the run and is looked at again.
 *
 * In one stretch all answers are copied before the first call is delivered: what buffers hold that
 * overlap, of different submissions under way, is not promised.
 *
 * What a run needs is drawn for all of it: places for its calls, which are given back when it ends
 * early, and references, which calls, receives and answers hand to each other, and which are
 * counted before the endpoint's lock is given back. Slots that the thread has too few of are
 * reserved between two locks, for the entry that needs them.
 */
#include "kernel/ipc/handoff_inside.h"

enum {
    RUN_LOCKED = 8, /* entries of a run that are done under one lock of the endpoint, at most */
};

/* What the entries of a run may still count in cpu->effects: the first is done in any case. */
static inline uint32_t quick_room(const struct cpu *cpu)
{
    return cpu->effects < QUICK_EFFECTS ? QUICK_EFFECTS - cpu->effects : 1;
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

/* What became of the entries done: the thread `waits` (NULL: it does not), and this CPU goes to
 * `straight`, whose wait they ended (NULL: to nobody). */
static ALWAYS_INLINE void run_end(struct run *run, struct thread *straight,
                                  const struct thread *waits)
{
    if (straight != NULL) {
        *run->next = straight;
        run->quick = QUICK_SWITCH;
    } else if (waits != NULL) {
        run->quick = QUICK_WAIT;
    }
}

/* Completions of accepted submissions, one behind the other, that say nothing but a number and
 * flags. The ring is locked from posting_begin to posting_end, which shows them. */
struct posting {
    struct cqe *places;
    uint32_t mask;
    uint32_t tail;
};

static ALWAYS_INLINE struct posting posting_begin(const struct ring *ring)
{
    return (struct posting){ring->cq, ring->cq_entries - 1, ring->cq_tail};
}

static ALWAYS_INLINE void posting_add(struct posting *posting, uint64_t user_data, int32_t result,
                                      uint32_t flags)
{
    struct cqe *place = &posting->places[posting->tail++ & posting->mask];

    place->user_data = user_data;
    place->result = result;
    place->flags = flags;
    place->cap[0] = (struct cap_id){0};
    place->cap[1] = (struct cap_id){0};
}

static ALWAYS_INLINE void posting_end(const struct posting *posting, struct ring *ring)
{
    ASSERT_AGAIN(atomic_load_relaxed_u32(&ring->sq_head) - posting->tail <= ring->cq_entries);
    ring_posted(ring, posting->tail);
}

/* ---- runs of CALLs --------------------------------------------------------------------------- */

/* Reads one entry of a run; false: it is not usual, or of another edge. */
static ALWAYS_INLINE bool run_read(const struct thread *thread, const struct calling *calling,
                                   const uint8_t *shared, struct buffers *buffers)
{
    return call_read(thread, shared, buffers) &&
           quick_word(shared, offsetof(struct sqe, cap)) == calling->cap.raw &&
           quick_word(shared, offsetof(struct sqe, interface_id)) == calling->interface_id &&
           buffers->message_bytes <= calling->endpoint->queues.limits.message_bytes;
}

/* What the operation of a call has in any case, in flight or not. */
static ALWAYS_INLINE void call_begin(struct operation *call, const struct calling *calling,
                                     const uint8_t *shared, const struct buffers *buffers,
                                     uint32_t slots)
{
    call->method = buffers->method;
    call->result_offset = buffers->result;
    call->result_bytes = buffers->result_bytes;
    call->slots = slots;
    call->user_data = quick_word(shared, offsetof(struct sqe, user_data));
    call->endpoint = calling->endpoint;
    call->target = calling->target;
    call->interface_id = calling->interface_id;
}

/* Nobody receives: up to `most` entries are queued, under one lock of the ring. The endpoint is
 * locked. */
static NOINLINE void run_queue(struct run *run, uint32_t most)
{
    const struct calling calling = *run->calling;
    struct endpoint_queues *queues = &calling.endpoint->queues;
    struct thread *thread = run->thread;
    struct ring *ring = &thread->ring;
    const struct thread *waits = NULL;
    struct operation *call;
    uint32_t room = quick_room(run->cpu);
    uint32_t begin = ring->sq_head;
    uint32_t head = begin;
    uint32_t effects = 0;
    uint32_t end;
    uint32_t places = queues->limits.queue_length - queues->call_count;
    uint32_t drawn;
    uint32_t over;

    spinlock_lock(&thread->ring_lock);
    drawn = thread->calls_held - thread->calls_used;
    places = places < drawn ? places : drawn;
    end = begin + (most < places ? most : places);
    run->over = end == begin;
    over = thread->slots_over;
    call = thread->operations_free;
    while (head != end && effects < room) {
        const uint8_t *shared = ring_peek(ring, head);
        struct buffers buffers;
        uint32_t slots;

        if (UNLIKELY(call == NULL || !run_read(thread, &calling, shared, &buffers))) {
            run->over = true;
            break;
        }
        slots = endpoint_answer_slots(&queues->limits, buffers.result_bytes);
        if (UNLIKELY(over < slots)) {
            run->slots = slots;
            break;
        }
        over -= slots;
        effects += QUICK_ENTRY + buffers.message_bytes;
        call->message_offset = buffers.message;
        call->message_bytes = buffers.message_bytes;
        call_begin(call, &calling, shared, &buffers, slots);
        call->badge = calling.badge;
        endpoint_push_call(queues, &call->endpoint_record);
        call = operation_call_next(call);
        head++;
    }
    if (head != begin) {
        thread->slots_over = over;
        operation_calls_taken(thread, call, head - begin);
        ring_accept(ring, head);
    }
    if (head - begin == run->left && run->next != NULL && wait_begin(thread)) {
        waits = thread;
    }
    spinlock_unlock(&thread->ring_lock);
    run->references += head - begin;
    run_count(run, head - begin, effects);
    run_end(run, NULL, waits);
}

/* A call in flight and the receive that it met, out of the endpoint: its message is there. */
struct met {
    struct operation *call;
    struct operation *receive;
    uint32_t message_bytes;
};

/* The receives complete, in their order, those of one server behind each other under one lock of
 * its ring. wait_end's result for the last one's server, or NULL; `waits` is the current thread, if
 * it does. The endpoint is locked. */
static ALWAYS_INLINE struct thread *receives_complete(struct cpu *cpu, const struct met *met,
                                                      const struct met *end,
                                                      const struct thread *waits)
{
    struct thread *straight = NULL;

    while (met != end) {
        struct operation *receive = met->receive;
        struct thread *server = receive->owner;
        const struct met *first = met;
        struct posting posting;

        spinlock_lock(&server->ring_lock);
        posting = posting_begin(&server->ring);
        do {
            posting_add(&posting, receive->user_data,
                        (int32_t)(sizeof(struct endpoint_message) + met->message_bytes), 0);
            operation_clear(server, receive, OPERATION_RECEIVE);
            met->call->receiver = server;
            list_push_back(&server->received, &met->call->received_node);
            met++;
        } while (met != end && (receive = met->receive)->owner == server);
        operations_put(server, OPERATION_RECEIVE, (uint32_t)(met - first));
        posting_end(&posting, &server->ring);
        if (wait_end(cpu, server, met == end ? waits : NULL, true)) {
            straight = server;
        }
        spinlock_unlock(&server->ring_lock);
    }
    return straight;
}

/* The call that an entry began meets the oldest receiver: it is in flight, its message there, and
 * the receive holds nothing any more. Endpoint and ring are locked. */
static ALWAYS_INLINE void met_deliver(struct run *run, const struct calling *calling,
                                      const struct met *met, const struct buffers *buffers)
{
    struct endpoint *endpoint = calling->endpoint;
    struct operation *receive = met->receive;
    struct operation *call = met->call;
    struct message message;

    call->token = endpoint_fly(&endpoint->queues, &call->endpoint_record);
    endpoint_remove_receiver(&endpoint->queues, &receive->endpoint_record);
    ASSERT_AGAIN(receive->target == &endpoint->object &&
                 sizeof(struct endpoint_message) + buffers->message_bytes <= receive->result_bytes);
    message = (struct message){
        .from = run->thread,
        .offset = buffers->message,
        .bytes = buffers->message_bytes,
        .head = {.token = call->token,
                 .badge = calling->badge,
                 .interface_id = calling->interface_id,
                 .form = head_form(buffers->method, 0, buffers->message_bytes),
                 .room = buffers->result_bytes},
    };
    if (LIKELY(calling->target == receive->target)) {
        receive->target = NULL; /* its reference is the call's */
    } else {
        run->references++;
        operation_let_go(endpoint, receive);
    }
    message_deliver(receive->owner, receive->result_offset, &message);
}

/* Receivers wait, and nobody before: up to `most` entries meet one each, under one lock of the
 * ring, then the receives complete. The endpoint is locked. */
static NOINLINE void run_meet(struct run *run, uint32_t most)
{
    const struct calling calling = *run->calling;
    struct endpoint *endpoint = calling.endpoint;
    struct endpoint_queues *queues = &endpoint->queues;
    struct thread *thread = run->thread;
    struct ring *ring = &thread->ring;
    struct met met[RUN_LOCKED];
    struct met *last = met;
    const struct met *end;
    const struct thread *waits = NULL;
    struct thread *straight;
    struct operation *call;
    uint32_t room = quick_room(run->cpu);
    uint32_t effects = 0;
    uint32_t places = endpoint_can_meet(queues) ? queues->receiver_count : 0;
    uint32_t drawn;
    uint32_t head;
    uint32_t done;

    spinlock_lock(&thread->ring_lock);
    head = ring->sq_head;
    drawn = thread->calls_held - thread->calls_used;
    places = places < most ? places : most;
    end = met + (places < drawn ? places : drawn);
    run->over = end == met;
    call = thread->operations_free;
    while (last != end && effects < room) {
        const uint8_t *shared = ring_peek(ring, head);
        struct operation *receive = operation_of(endpoint_oldest_receiver(queues));
        struct buffers buffers;
        uint32_t slots;

        if (UNLIKELY(call == NULL || receive->grant != NULL || queues->in_flight == UINT32_MAX ||
                     !run_read(thread, &calling, shared, &buffers))) {
            run->over = true;
            break;
        }
        slots = endpoint_answer_slots(&queues->limits, buffers.result_bytes);
        if (UNLIKELY(thread->slots_over < slots)) {
            run->slots = slots;
            break;
        }
        thread->slots_over -= slots;
        last->call = call;
        last->receive = receive;
        last->message_bytes = buffers.message_bytes;
        last++;
        head++;
        effects += QUICK_ENTRY + buffers.message_bytes;
        call_begin(call, &calling, shared, &buffers, slots);
        met_deliver(run, &calling, &last[-1], &buffers);
        call = operation_call_next(call);
    }
    done = (uint32_t)(last - met);
    if (LIKELY(done != 0)) {
        operation_calls_taken(thread, call, done);
        ring_accept(ring, head);
    }
    if (done == run->left && run->next != NULL && wait_begin(thread)) {
        waits = thread;
    }
    spinlock_unlock(&thread->ring_lock);
    straight = receives_complete(run->cpu, met, last, waits);
    if (straight != NULL && !lend(run->cpu, thread, straight)) {
        straight = NULL;
    }
    run_count(run, done, effects);
    run_end(run, straight, waits);
}

/* The thread reserves slots for one more answer; false: it cannot. No lock is held. */
static NOINLINE bool run_reserve(struct run *run)
{
    struct thread *thread = run->thread;

    if (process_slots_reserve(thread->process, run->slots, NULL) != TRANSPORT_OK) {
        return false;
    }
    spinlock_lock(&thread->ring_lock);
    thread->slots_over += run->slots;
    spinlock_unlock(&thread->ring_lock);
    run->cpu->effects += QUICK_RESERVE;
    run->slots = 0;
    return true;
}

void handoff_run_calls(struct run *run)
{
    struct endpoint *endpoint = run->endpoint;
    struct thread *thread = run->thread;

    operation_calls_draw_for(thread, run->left);
    while (!run->over) {
        spinlock_lock(&endpoint->lock);
        if (UNLIKELY(endpoint->closed)) {
            run->over = true;
        } else if (endpoint_next_receiver(&endpoint->queues) != NULL) {
            run_meet(run, run->left < RUN_LOCKED ? run->left : RUN_LOCKED);
        } else {
            run_queue(run, run->left < RUN_LOCKED ? run->left : RUN_LOCKED);
        }
        if (run->references != 0) {
            object_ref_more(run->calling->target, run->references);
            run->references = 0;
        }
        spinlock_unlock(&endpoint->lock);
        run->over = run->over || (run->slots != 0 && !run_reserve(run));
    }
    if (run->left != 0) {
        operation_calls_give(thread);
    }
}

/* ---- runs of RETURN_RECVs -------------------------------------------------------------------- */

/* Whether its answer ends the session of `call`, which it is of: the receiver is told of that
 * before it gets a call that waits. Whoever gives up the last edge at this moment comes after.
 * Endpoint lock held. */
static inline bool call_is_last(const struct operation *call)
{
    return atomic_load_relaxed_u64(&call->target->references) == 1;
}

/* Finds what the entry of `thread` at `shared`, of a run at the owner's edge `cap` of `endpoint`,
 * is about, and the call that it answers. False: something is not usual. The endpoint is locked,
 * and not closed. */
static ALWAYS_INLINE bool run_find(struct thread *thread, struct endpoint *endpoint,
                                   struct cap_id cap, const uint8_t *shared,
                                   struct returning *returning)
{
    returning->endpoint = endpoint;
    if (UNLIKELY(!return_read(thread, shared, returning) ||
                 quick_word(shared, offsetof(struct sqe, cap)) != cap.raw)) {
        return false;
    }
    returning->call = call_find(endpoint, thread, quick_word(shared, offsetof(struct sqe, token)),
                                returning->buffers.message_bytes);
    return LIKELY(returning->call != NULL);
}

/* The answer that the entry gives is copied. */
static ALWAYS_INLINE void run_answer(struct thread *thread, const struct returning *returning)
{
    struct operation *call = returning->call;

    message_copy(call->owner, call->result_offset, thread, returning->buffers.message,
                 returning->buffers.message_bytes);
}

/* A call taken out of the endpoint, whose answer is there; of the entry that gave it the first
 * word, and what it gets, if it got a call at once: that, in flight, and where its message goes. */
struct answered {
    struct operation *call;
    uint64_t first;
    struct operation *next;
    uint64_t user_data; /* of the entry */
    uint32_t offset;    /* in the thread's arena */
};

/* `call`, answered, still holds its session if it was of one, and gives that up; whether it was.
 * Endpoint lock held. */
static ALWAYS_INLINE bool session_unuse(struct endpoint *endpoint, struct operation *call)
{
    bool session = call->target != NULL;

    if (UNLIKELY(session)) {
        operation_unuse(endpoint, call);
    }
    return session;
}

/* Calls that hold nothing any more complete, in their order, those of one client behind each other
 * under one lock of its ring. wait_end's result for the last one's client, or NULL; `waits` is the
 * `server`, the current thread, if it does. The endpoint is locked. */
static ALWAYS_INLINE struct thread *calls_complete(struct cpu *cpu, const struct thread *server,
                                                   const struct answered *answered,
                                                   const struct answered *end,
                                                   const struct thread *waits)
{
    struct thread *straight = NULL;

    while (answered != end) {
        struct operation *call = answered->call;
        struct thread *client = call->owner;
        const struct answered *first = answered;
        struct posting posting;

        spinlock_lock(&client->ring_lock);
        posting = posting_begin(&client->ring);
        do {
            struct given given = given_by(answered->first);

            posting_add(&posting, call->user_data, given.bytes, given.flags);
            operation_clear(client, call, OPERATION_CALL);
            answered++;
        } while (answered != end && (call = answered->call)->owner == client);
        operations_put(client, OPERATION_CALL, (uint32_t)(answered - first));
        operation_calls_over(client, (uint32_t)(answered - first));
        posting_end(&posting, &client->ring);
        if (wait_end(cpu, client, answered == end ? waits : NULL, false)) {
            straight = client;
        } else if (UNLIKELY(thread_lends_to(client, server))) {
            sched_lent_for(client, server); /* it waits for something else as well */
        }
        spinlock_unlock(&client->ring_lock);
    }
    return straight;
}

/* The next calls are the thread's from now on: their messages arrive, and their entries complete,
 * under one lock of its ring. The endpoint is locked. */
static ALWAYS_INLINE void takes_complete(struct thread *thread, const struct answered *answered,
                                         const struct answered *end)
{
    struct posting posting;

    spinlock_lock(&thread->ring_lock);
    posting = posting_begin(&thread->ring);
    for (; answered != end; answered++) {
        struct operation *call = answered->next;

        posting_add(&posting, answered->user_data,
                    (int32_t)(sizeof(struct endpoint_message) + call->message_bytes), 0);
        call->receiver = thread;
        call_deliver(thread, answered->offset, call);
    }
    posting_end(&posting, &thread->ring);
    spinlock_unlock(&thread->ring_lock);
}

/* Calls wait: up to `most` entries answer one each and get the next at once, so that what their
 * receives need is given back before anybody could see it taken. All are answered under one lock of
 * the ring, then their calls complete, then the next ones are delivered, which until then no entry
 * can name. The endpoint is locked. */
static NOINLINE void run_serve(struct run *run, uint32_t most)
{
    struct endpoint *endpoint = run->endpoint;
    struct endpoint_queues *queues = &endpoint->queues;
    struct thread *thread = run->thread;
    struct ring *ring = &thread->ring;
    struct answered answered[RUN_LOCKED];
    struct answered *last = answered;
    const struct answered *end;
    const struct cap_id cap = run->cap;
    bool packed = endpoint_is_packed(queues);
    uint32_t room = quick_room(run->cpu);
    uint32_t effects = 0;
    uint32_t done;
    uint32_t head;

    end = answered + (most < queues->call_count ? most : queues->call_count);
    spinlock_lock(&thread->ring_lock);
    head = ring->sq_head;
    run->over = !endpoint_only_calls(queues) || endpoint_next_receiver(queues) != NULL ||
                !receive_fits(thread, endpoint);
    if (UNLIKELY(run->over)) {
        end = answered;
    }
    while (last != end && effects < room) {
        const uint8_t *shared = ring_peek(ring, head);
        struct operation *next = operation_of(endpoint_oldest_call(queues));
        struct returning returning;
        struct operation *call;

        if (UNLIKELY((next->bundle.count | (uintptr_t)next->grant) != 0 ||
                     !run_find(thread, endpoint, cap, shared, &returning))) {
            run->over = true;
            break;
        }
        call = returning.call;
        if (LIKELY(call->target == &endpoint->object)) {
            call->target = NULL;
        } else if (call_is_last(call)) {
            run->over = true;
            break;
        } else {
            end = last + 1;
        }
        run_answer(thread, &returning);
        last->call = call;
        last->first = returning.first;
        last->next = next;
        last->user_data = quick_word(shared, offsetof(struct sqe, user_data));
        last->offset = returning.buffers.result;
        last++;
        head++;
        effects += QUICK_ENTRY + returning.buffers.message_bytes + next->message_bytes;
        list_replace(&call->received_node, &next->received_node);
        if (LIKELY(packed)) {
            next->token = endpoint_exchange(queues, &call->endpoint_record, call->token,
                                            &next->endpoint_record);
        } else {
            endpoint_land(queues, &call->endpoint_record, call->endpoint_record.token_slot);
            next->token = endpoint_hand_out_oldest(queues, &next->endpoint_record);
        }
    }
    if (LIKELY(last != answered)) {
        ring_accept(ring, head);
    }
    spinlock_unlock(&thread->ring_lock);
    done = (uint32_t)(last - answered);
    if (LIKELY(done != 0)) {
        run->references += done - session_unuse(endpoint, last[-1].call);
        (void)calls_complete(run->cpu, thread, answered, last, NULL);
        takes_complete(thread, answered, last);
    }
    run_count(run, done, effects);
}

/* Nobody calls: up to `most` entries answer one each and wait, all under one lock of the ring; then
 * the calls complete. The endpoint is locked. */
static NOINLINE void run_await(struct run *run, uint32_t most)
{
    struct endpoint *endpoint = run->endpoint;
    struct endpoint_queues *queues = &endpoint->queues;
    struct thread *thread = run->thread;
    struct ring *ring = &thread->ring;
    struct answered answered[RUN_LOCKED];
    struct answered *last = answered;
    const struct answered *end;
    const struct cap_id cap = run->cap;
    const struct thread *waits = NULL;
    struct thread *straight = NULL;
    uint32_t room = quick_room(run->cpu);
    uint32_t effects = 0;
    uint32_t places = LIMIT_ENDPOINT_RECEIVERS - queues->receiver_count;
    uint32_t done;
    uint32_t head;

    spinlock_lock(&thread->ring_lock);
    head = ring->sq_head;
    places = endpoint_has_closed(queues) ? 0 : places;
    run->over = places == 0;
    end = answered + (most < places ? most : places);
    while (last != end && effects < room) {
        const uint8_t *shared = ring_peek(ring, head);
        struct returning returning;
        struct operation *receive;
        struct operation *call;

        if (UNLIKELY(!receive_fits(thread, endpoint) ||
                     !run_find(thread, endpoint, cap, shared, &returning))) {
            run->over = true;
            break;
        }
        call = returning.call;
        last->call = call;
        last->first = returning.first;
        last++;
        head++;
        effects += QUICK_ENTRY + returning.buffers.message_bytes;
        receive = receive_begin(thread, endpoint, call);
        receive->user_data = quick_word(shared, offsetof(struct sqe, user_data));
        receive->endpoint = endpoint;
        receive->target = &endpoint->object;
        receive->result_offset = returning.buffers.result;
        receive->result_bytes = returning.buffers.result_bytes;
        endpoint_land(queues, &call->endpoint_record, call->endpoint_record.token_slot);
        endpoint_push_receiver(queues, &receive->endpoint_record);
        run_answer(thread, &returning);
        if (LIKELY(call->target == &endpoint->object)) {
            call->target = NULL; /* its reference is the receive's */
        } else {
            object_ref(&endpoint->object);
            end = last;
        }
    }
    done = (uint32_t)(last - answered);
    if (LIKELY(done != 0)) {
        ring_accept(ring, head);
    }
    if (done == run->left && run->next != NULL && wait_begin(thread)) {
        waits = thread;
    }
    spinlock_unlock(&thread->ring_lock);
    if (LIKELY(done != 0)) {
        (void)session_unuse(endpoint, last[-1].call);
        straight = calls_complete(run->cpu, thread, answered, last, waits);
    }
    run_count(run, done, effects);
    run_end(run, straight, waits);
}

void handoff_run_answers(struct run *run)
{
    struct endpoint *endpoint = run->endpoint;
    bool closed;

    while (!run->over) {
        spinlock_lock(&endpoint->lock);
        if (UNLIKELY(endpoint->closed)) {
            run->over = true;
        } else if (endpoint_waiting_call(&endpoint->queues) != NULL) {
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
