/* SPDX-License-Identifier: MIT */
/*
 * The short way of chains: CALLs that keep their answers, CALLs promised from them, FINISH; and the
 * RETURN_RECVs that answer them (handoff_relay.c, handoff_answer.c).
 *
 *   client: CALL open as A, CALL on A/0 as B, CALL on B/0, FINISH A, FINISH B   one cap_enter
 *   server: RETURN_RECV of the first, with a capability --> the second is there: no switch
 *   server: RETURN_RECV of the second ...               --> the third
 *   server: RETURN_RECV of the last                     --> the CPU goes to the client
 *
 * Usual means what handoff.c says, but for what these are about: one answer kept, a promise that
 * waits for it, one capability beside an answer that is a plain copy of an edge never delegated.
 * Whatever differs leaves everything as it was, and the long way (answer_ops.c, answers.c, calls.c)
 * looks at it afresh.
 *
 * Submissions. What only concerns the thread's own answers is done in a run under the ring's lock:
 * promised calls begin to wait for their answers, FINISH takes ids away. A method of a kernel
 * object that answers with nothing, or with its object again (object_type.quick,
 * object_type.repeats), is carried out there and then, and what is promised from it is a call like
 * any.
 *
 * Sending on. The long way sends what waits for a decided answer by a job of the client's thread
 * (answers.c). When one call alone waits, its target is the endpoint at which the server just
 * answered and asked for its next call, and the client's home is this CPU, then nothing but that
 * job could come in between, and what it would do is done at once: the edge is looked up under the
 * client's lock, the operation that waited becomes the call's, and it meets the oldest receiver
 * under the endpoint's lock that the RETURN_RECV holds already. The order is the job's: answer
 * decided, call sent, completion of the answer posted. Else the job is started as ever.
 *
 * An answer that was finished with what it gives (SQE_RELEASE), before it came, is for the one call
 * that waits for it alone. Its capability would come into the client's table, be looked up there
 * and be gone: so it gets an id there, which the answer's record says and which is stale at once,
 * and the call goes to what the server handed over, with the reference that was made for the edge.
 * Nothing else could have named the edge meanwhile: the id was told to nobody. A thread that was
 * given a call of a chain tries this first with the answer it gives next (thread.links), from the
 * system call on (dispatch_link).
 *
 * Leaving. A submission that ends with promises begins its wait where its last entry is done, as
 * one that ends with calls does (handoff.c). The server that its first call met waits no more from
 * that call on, and is neither queued nor picked while the entries behind are done. Then this CPU
 * goes straight to it, if the thread waits, nobody else is ready and a loan would make no
 * difference: none is made, for the thread waits for more than this server's answer. Else it is
 * queued.
 *
 * The client pays as before: its operations, its slots, its table. The server runs on what it ran
 * on; it is told of the next call as if that had come from elsewhere, and finds it when its
 * cap_enter ends.
 *
 * Each word of an entry is read once from shared memory, atomically.
 *
 * Locks: endpoint, then the client's process, inside it the client's ring; of submissions the last
 * two alone. What can fail: nothing here.
 */
#include "kernel/ipc/handoff_promise.h"

#include "kernel/dispatch/quick_call.h"
#include "kernel/ipc/handoff_inside.h"

/* The first word of a promised CALL, of its bits in HANDOFF_FIXED. */
#define CALL_PROMISED (CALL_USUAL | (uint64_t)SQE_PROMISED << 8)
/* That of a FINISH which releases, whole. */
#define FINISH_RELEASE ((uint64_t)OPCODE_FINISH | (uint64_t)SQE_RELEASE << 8)

enum {
    PROMISE_BATCH = 8, /* entries that are done in one go, at most */
};

/* ---- a CALL of a kernel object --------------------------------------------------------------- */

/* The answer that the methods of object_type.repeats give, as those of object_type.quick give
 * QUICK_ANSWER: Cap'n Proto's pointers to a structure of a single pointer, and to capability 0. */
#define ANSWER_ONE UINT64_C(0x0001000000000000)
#define ANSWER_CAP UINT64_C(0x0000000000000003)

enum {
    ANSWER_ONE_BYTES = 16,
};

/* What a CALL of a chain says but for its target. */
struct chained {
    const uint8_t *shared;
    struct buffers buffers;
    uint64_t interface_id;
    uint32_t answer; /* id under which it is kept; 0: it is not */
};

/* Reads the CALL `shared`, whose first word is `first` and whose result_bytes and answer are
 * `room`; false: its buffers are not in the arena. */
static inline bool chained_read(const struct thread *thread, const uint8_t *shared, uint64_t first,
                                uint64_t room, struct chained *call)
{
    call->shared = shared;
    call->interface_id = quick_word(shared, offsetof(struct sqe, interface_id));
    call->answer = (uint32_t)(room >> 32);
    return buffers_find(thread, shared, first, (uint32_t)room, &call->buffers);
}

/* Whether `slot` holds an edge of a kernel object whose method is as usual and may be carried out
 * here, with room for its answer in one page. */
static inline bool object_is_usual(const struct cap_slot *slot, const struct chained *call)
{
    const struct hold_edge *edge = &slot->edge;
    const struct object_type *type = ((const struct object *)edge->object)->type;

    return quick_method_is(edge, call->interface_id, call->buffers.method,
                           type->quick | type->repeats) &&
           edge->grant == NULL && call->buffers.message_bytes <= LIMIT_CALL_BYTES &&
           call->buffers.result_bytes >= LIMIT_ANSWER_ROOM && call->buffers.result % 8 == 0 &&
           call->buffers.result % LIMIT_PAGE_BYTES <=
               LIMIT_PAGE_BYTES - ANSWER_ONE_BYTES - sizeof(struct received_cap);
}

/* Answers with the object again: the edge into the table, answer and record to `place`; the edge's
 * id, 0: the table has no room that is there. Process lock held. */
static inline struct cap_id object_repeat(struct process *process, const struct cap_slot *slot,
                                          uint64_t *place)
{
    struct received_cap *record = (struct received_cap *)(void *)(place + 2);
    struct provenance *origin;
    struct cap_id id = cap_table_repeat(&process->table, slot, &origin);

    if (LIKELY(id.raw != 0)) {
        object_ref(slot->edge.object);
        *origin = (struct provenance){.origin = EDGE_ORIGIN_KERNEL};
        place[0] = ANSWER_ONE;
        place[1] = ANSWER_CAP;
        *record =
            (struct received_cap){id, slot->edge.interface_id, slot->edge.facet, slot->edge.badge};
    }
    return id;
}

/* The call of the edge in `slot`: answered, its answer kept if it says so, complete. False: it is
 * not usual. Process and ring locks held. */
static bool object_call(struct thread *thread, const struct cap_slot *slot,
                        const struct chained *call)
{
    const struct object_type *type = ((const struct object *)slot->edge.object)->type;
    uint64_t *place =
        (uint64_t *)(void *)(thread->arena_page[call->buffers.result / LIMIT_PAGE_BYTES] +
                             call->buffers.result % LIMIT_PAGE_BYTES);
    struct cqe cqe = {.user_data = quick_word(call->shared, offsetof(struct sqe, user_data)),
                      .result = QUICK_ANSWER_BYTES};
    struct answer *answer = NULL;
    struct cap_id id = {0};

    if (!object_is_usual(slot, call) ||
        (call->answer != 0 &&
         answer_open(&thread->answers, call->answer, &answer) != TRANSPORT_OK)) {
        return false;
    }
    if ((type->repeats >> call->buffers.method & 1) != 0) {
        id = object_repeat(thread->process, slot, place);
        if (UNLIKELY(id.raw == 0)) {
            if (answer != NULL) {
                answer_withdraw(&thread->answers, answer);
            }
            return false;
        }
        cqe.result = ANSWER_ONE_BYTES;
        cqe.flags = 1U << CQE_CAPS_SHIFT;
    } else {
        place[0] = QUICK_ANSWER;
    }
    if (answer != NULL) {
        answer_at_once(&thread->answers, answer, id.raw != 0, id);
    }
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    spinlock_unlock(&thread->process->lock);
    ring_post(&thread->ring, &cqe);
    return true;
}

/* ---- a CALL that keeps its answer ------------------------------------------------------------ */

/* What such a call is about. */
struct keeping {
    struct chained call;
    struct endpoint *endpoint; /* locked */
    struct object *target;     /* pinned */
    uint64_t badge;
    uint64_t epoch;
    const struct thread *waits; /* the thread, if it may leave for the server behind what follows */
    struct thread *server;      /* which does not wait any more, and is to run; NULL: none */
};

/* An operation for the call, whose answer is opened; NULL: the thread has too little over, or the
 * id is not free. */
static struct operation *keeping_take(struct thread *thread, const struct keeping *keeping)
{
    uint32_t slots = endpoint_answer_slots(&keeping->endpoint->queues.limits,
                                           keeping->call.buffers.result_bytes);
    struct operation *call = NULL;
    struct answer *answer;

    spinlock_lock(&thread->ring_lock);
    if (LIKELY(thread->slots_over >= slots && thread->operations_free != NULL &&
               operation_may_call(thread) &&
               answer_open(&thread->answers, keeping->call.answer, &answer) == TRANSPORT_OK)) {
        call = operation_pop_free(thread, OPERATION_CALL, true);
        thread->slots_over -= slots;
        call->slots = slots;
        call->answer = keeping->call.answer;
    }
    spinlock_unlock(&thread->ring_lock);
    return call;
}

/* The call meets a receiver or waits. */
static enum quick keeping_call(struct cpu *cpu, struct thread *thread, struct keeping *keeping)
{
    struct endpoint *endpoint = keeping->endpoint;
    struct endpoint_record *record = endpoint_next_receiver(&endpoint->queues);
    struct operation *call;
    struct thread *server;

    if (!call_is_usual(endpoint, record)) {
        return QUICK_NONE;
    }
    call = keeping_take(thread, keeping);
    if (call == NULL) {
        return QUICK_NONE;
    }
    call->user_data = quick_word(keeping->call.shared, offsetof(struct sqe, user_data));
    call->endpoint = endpoint;
    call->target = keeping->target;
    call->epoch = keeping->epoch;
    call->badge = keeping->badge;
    call->interface_id = keeping->call.interface_id;
    call->method = keeping->call.buffers.method;
    call->message_offset = keeping->call.buffers.message;
    call->message_bytes = keeping->call.buffers.message_bytes;
    call->result_offset = keeping->call.buffers.result;
    call->result_bytes = keeping->call.buffers.result_bytes;
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    cpu->effects += call->message_bytes;
    if (record != NULL) {
        call->token = endpoint_fly(&endpoint->queues, &call->endpoint_record);
        endpoint_remove_receiver(&endpoint->queues, record);
        server = operation_of(record)->owner;
        atomic_store_relaxed_u32(&server->links, 1);
        call_deliver(server, operation_of(record)->result_offset, call);
        if (call_given(cpu, endpoint, call, operation_of(record), keeping->waits)) {
            keeping->server = server;
        }
    } else if (!endpoint_add_call(&endpoint->queues, &call->endpoint_record)) {
        ASSERT(false); /* call_is_usual */
    }
    return QUICK_DONE;
}

/* A CALL of an endpoint or of a kernel object, whose words were read, and whose server may be left
 * for. */
static enum quick keeping_submission(struct cpu *cpu, struct thread *thread,
                                     struct keeping *keeping)
{
    struct process *process = thread->process;
    struct cap_id cap = {quick_word(keeping->call.shared, offsetof(struct sqe, cap))};
    struct cap_slot *slot;
    enum quick quick = QUICK_NONE;

    spinlock_lock(&process->lock);
    slot = cap_table_resolve(&process->table, cap);
    if (UNLIKELY(slot == NULL || slot->edge.object == NULL || slot->edge.grant != NULL)) {
        spinlock_unlock(&process->lock);
        return QUICK_NONE;
    }
    keeping->target = slot->edge.object;
    keeping->endpoint = endpoint_of_client(keeping->target);
    keeping->badge = slot->edge.badge;
    keeping->epoch = slot->edge.epoch;
    if (keeping->endpoint == NULL) {
        spinlock_lock(&thread->ring_lock);
        if (object_call(thread, slot, &keeping->call)) {
            quick = QUICK_DONE;
        } else {
            spinlock_unlock(&process->lock);
        }
        spinlock_unlock(&thread->ring_lock);
        return quick;
    }
    if (slot->edge.interface_id != keeping->call.interface_id ||
        slot->edge.facet != CAP_FACET_ALL ||
        keeping->call.buffers.message_bytes > keeping->endpoint->queues.limits.message_bytes) {
        spinlock_unlock(&process->lock);
        return QUICK_NONE;
    }
    object_ref(keeping->target);
    spinlock_unlock(&process->lock);
    spinlock_lock(&keeping->endpoint->lock);
    quick = keeping_call(cpu, thread, keeping);
    spinlock_unlock(&keeping->endpoint->lock);
    if (quick == QUICK_NONE) {
        object_unref(keeping->target);
    }
    return quick;
}

/* ---- what only concerns the thread's answers ------------------------------------------------- */

/* Objects of edges that FINISHes released, to be given up. */
struct finish_drops {
    uint32_t count;
    struct object *object[PROMISE_BATCH];
};

/* What the settled `answer` holds leaves the table, and the answer is gone; false: it is not usual:
 * two edges, or one that was delegated. */
static NOINLINE bool finish_release(struct thread *thread, const struct answer *answer,
                                    struct finish_drops *drops)
{
    struct cap_table *table = &thread->process->table;
    struct answer_released released;

    if (answer->held > 1) {
        return false;
    }
    if (answer->held == 1) {
        struct cap_id cap = answer_results(&thread->answers, answer)->cap;
        struct cap_slot *slot = cap_table_slot(table, cap);

        if (!cap_slot_is_plain(slot, cap)) {
            return false;
        }
        drops->object[drops->count++] = slot->edge.object;
        cap_table_vacate(table, slot);
    }
    return answer_finish_release(&thread->answers, answer->id, &released) == TRANSPORT_OK;
}

/* FINISH, and its completion as `index`, which is shown later; false: it is not usual. Ring and
 * process locks held. */
static ALWAYS_INLINE bool finish_one(struct thread *thread, const uint8_t *shared, uint64_t first,
                                     uint32_t index, struct finish_drops *drops)
{
    uint64_t id = quick_word(shared, offsetof(struct sqe, result_bytes));
    struct answer *answer = answer_kept(&thread->answers, (uint32_t)(id >> 32));
    struct cqe *place;

    if (UNLIKELY((quick_word(shared, offsetof(struct sqe, cap)) |
                  quick_word(shared, offsetof(struct sqe, interface_id)) |
                  quick_word(shared, offsetof(struct sqe, message)) |
                  quick_word(shared, offsetof(struct sqe, result)) | (uint32_t)id |
                  quick_word(shared, offsetof(struct sqe, spare))) != 0 ||
                 answer == NULL)) {
        return false;
    }
    if (LIKELY(first == FINISH_RELEASE && answer_is_awaited(answer))) {
        answer_finish_awaited(answer);
    } else if (first == FINISH_RELEASE
                   ? !finish_release(thread, answer, drops)
                   : answer_finish(&thread->answers, answer->id) != TRANSPORT_OK) {
        return false;
    }
    place = ring_post_place(&thread->ring, index);
    place->user_data = quick_word(shared, offsetof(struct sqe, user_data));
    place->result = 0;
    place->flags = 0;
    place->cap[0] = place->cap[1] = (struct cap_id){0};
    return true;
}

/* Makes a CALL promised from `answer`, which is not there yet, wait for it; `room`: its
 * result_bytes and its own answer. False: it is not usual, or the thread has too little over, or
 * its own answer's id is not free. Ring lock held. */
static ALWAYS_INLINE bool promise_wait(struct thread *thread, const uint8_t *shared, uint64_t first,
                                       uint64_t room, struct answer *answer, struct promise promise)
{
    struct operation *operation;
    struct answer *own;
    struct buffers buffers;

    if (UNLIKELY(!buffers_find(thread, shared, first, (uint32_t)room, &buffers) ||
                 thread->operations_free == NULL || !operation_may_call(thread) ||
                 (room >> 32 != 0 &&
                  answer_open(&thread->answers, (uint32_t)(room >> 32), &own) != TRANSPORT_OK))) {
        return false;
    }
    operation = operation_pop_free(thread, OPERATION_PROMISED, true);
    operation->located = true;
    operation->sqe.promise = promise;
    operation->user_data = quick_word(shared, offsetof(struct sqe, user_data));
    operation->answer = (uint32_t)(room >> 32);
    operation->interface_id = quick_word(shared, offsetof(struct sqe, interface_id));
    operation->method = buffers.method;
    operation->message_offset = buffers.message;
    operation->message_bytes = buffers.message_bytes;
    operation->result_offset = buffers.result;
    operation->result_bytes = buffers.result_bytes;
    answer_wait_for(&thread->answers, answer, promise.path, &operation->promised);
    return true;
}

/* A promised CALL whose answer is there, with a capability to be called: carried out, if that is a
 * kernel object's. Process and ring locks held; the process's is given back if so. */
static NOINLINE bool promise_call(struct thread *thread, const uint8_t *shared, uint64_t first,
                                  struct promise promise)
{
    struct cap_slot *slot;
    struct chained call;
    struct cap_id cap;

    if (!chained_read(thread, shared, first, quick_word(shared, offsetof(struct sqe, result_bytes)),
                      &call) ||
        answer_target_find(&thread->answers, &promise, &cap) != ANSWER_TARGET_CAP) {
        return false;
    }
    slot = cap_table_resolve(&thread->process->table, cap);
    return slot != NULL && slot->edge.object != NULL && object_call(thread, slot, &call);
}

/* What became of an entry of a run. */
enum run_step {
    RUN_OVER,   /* it is not usual, or not now */
    RUN_DONE,   /* it is to be accepted */
    RUN_CALLED, /* it was accepted, and the process's lock given back */
};

/* A promised CALL, the first of its run or not. Process and ring locks held. `first` is its first
 * word. */
static ALWAYS_INLINE enum run_step promise_one(struct thread *thread, const uint8_t *shared,
                                               uint64_t first, bool leads)
{
    struct sqe target = {.cap = {quick_word(shared, offsetof(struct sqe, cap))}};
    struct promise promise = target.promise;
    struct answer *answer = answer_kept(&thread->answers, promise.answer);

    if (UNLIKELY(answer == NULL || (target.cap.raw >> 32) - 1 >= UINT8_MAX || /* one step */
                 quick_word(shared, offsetof(struct sqe, spare)) != 0)) {
        return RUN_OVER;
    }
    if (UNLIKELY(!answer_is_awaited(answer))) {
        return leads && promise_call(thread, shared, first, promise) ? RUN_CALLED : RUN_OVER;
    }
    return promise_wait(thread, shared, first,
                        quick_word(shared, offsetof(struct sqe, result_bytes)), answer, promise)
               ? RUN_DONE
               : RUN_OVER;
}

/* As many entries as are usual, of at most `limit`: a promised call of a kernel object; or promised
 * calls that wait, then FINISHes, whose completions are shown at the end. How many. `waits`:
 * whether the thread is to wait behind all of them; whether it does. */
static uint32_t promise_run(struct thread *thread, uint32_t limit, bool *waits)
{
    struct process *process = thread->process;
    struct ring *ring = &thread->ring;
    struct finish_drops drops;
    enum run_step step = RUN_DONE;
    uint32_t head = ring->sq_head;
    uint32_t posted = 0;
    uint32_t done = 0;

    drops.count = 0;
    spinlock_lock(&process->lock);
    spinlock_lock(&thread->ring_lock);
    while (done < limit) {
        const uint8_t *shared = ring_peek(ring, head + done);
        uint64_t first = quick_word(shared, 0);

        if (posted == 0 && (first & HANDOFF_FIXED) == CALL_PROMISED) {
            step = promise_one(thread, shared, first, done == 0);
            if (UNLIKELY(step != RUN_DONE)) {
                break;
            }
        } else if (LIKELY((first == OPCODE_FINISH || first == FINISH_RELEASE) &&
                          finish_one(thread, shared, first, ring->cq_tail + posted, &drops))) {
            posted++;
        } else {
            break;
        }
        done++;
    }
    if (done != 0) {
        ring_accept(ring, head + done);
    }
    if (UNLIKELY(step == RUN_CALLED)) {
        done = 1;
    } else {
        spinlock_unlock(&process->lock); /* what was released is gone for all to see */
    }
    if (posted != 0) {
        ring_posted(ring, ring->cq_tail + posted);
    }
    *waits = *waits && done == limit && wait_begin(thread);
    spinlock_unlock(&thread->ring_lock);
    for (uint32_t i = 0; UNLIKELY(i < drops.count); i++) {
        object_unref(drops.object[i]);
    }
    return done;
}

/* Reads the CALL `shared`, whose first word is `first`; false: it is not usual. */
static inline bool keeping_read(const struct thread *thread, const uint8_t *shared, uint64_t first,
                                struct keeping *keeping)
{
    uint64_t room = quick_word(shared, offsetof(struct sqe, result_bytes));

    return room >> 32 != 0 && quick_word(shared, offsetof(struct sqe, spare)) == 0 &&
           chained_read(thread, shared, first, room, &keeping->call);
}

/* Whether this CPU goes from `thread`, which waits, straight to its server, which waits no more,
 * because nobody else is ready and a loan would make no difference. */
static inline bool server_is_next(const struct cpu *cpu, const struct thread *thread,
                                  const struct thread *server)
{
    return LIKELY(!sched_borrows(&thread->share) &&
                  sched_own_priority(&thread->share) <= sched_own_priority(&server->share) &&
                  ((uintptr_t)cpu->payer | server->time.budget_ns |
                   atomic_load_relaxed_word(&server->share.lender) | cpu->run_queue.ready_mask |
                   cpu->reschedule | server->exiting) == 0 &&
                  !process_is_dying(server->process));
}

enum quick handoff_promise(struct cpu *cpu, struct thread *thread, uint32_t left,
                           struct thread **next)
{
    const uint8_t *shared = ring_peek(&thread->ring, thread->ring.sq_head);
    uint64_t first = quick_word(shared, 0);
    bool waits = false;
    uint32_t total = 0;
    uint32_t done = 1;
    struct keeping keeping;

    if (UNLIKELY(left > PROMISE_BATCH)) {
        left = PROMISE_BATCH;
        next = NULL; /* not behind these */
    }
    keeping.server = NULL;
    if ((first & HANDOFF_FIXED) == CALL_USUAL) {
        keeping.waits = next != NULL && left > 1 ? thread : NULL;
        if (!keeping_read(thread, shared, first, &keeping) ||
            keeping_submission(cpu, thread, &keeping) != QUICK_DONE) {
            return QUICK_NONE;
        }
        total = 1;
    }
    while (total < left && done != 0) {
        waits = next != NULL;
        done = promise_run(thread, left - total, &waits);
        total += done;
    }
    if (keeping.server != NULL) {
        if (waits && server_is_next(cpu, thread, keeping.server)) {
            *next = keeping.server;
            return QUICK_SWITCH;
        }
        sched_switch_forgo(cpu, keeping.server);
    }
    return waits ? QUICK_WAIT : total != 0 ? QUICK_DONE : QUICK_NONE;
}

/* ---- a promised call is sent ----------------------------------------------------------------- */

/* The operation of a promised call becomes that of a call; the reference of its target is the
 * caller's to take. */
static inline void promised_become(const struct promised *promised)
{
    struct operation *call = promised->operation;
    struct thread *thread = call->owner;
    uint32_t slots = endpoint_answer_slots(&promised->endpoint->queues.limits, call->result_bytes);

    ASSERT_AGAIN(call->kind == OPERATION_PROMISED && call->located);
    ASSERT_AGAIN(thread->slots_over >= slots);
    call->kind = OPERATION_CALL;
    thread->slots_over -= slots;
    call->slots = slots;
    call->endpoint = promised->endpoint;
    call->target = promised->edge->object;
    call->epoch = promised->edge->epoch;
    call->badge = promised->edge->badge;
}

void promised_begin(const struct promised *promised)
{
    answer_settle(&promised->operation->owner->answers, promised->operation->promised.answer);
    promised_become(promised);
    object_ref(promised->operation->target);
}

void relay_begin(const struct relay *relay)
{
    struct operation *call = relay->call;
    struct thread *client = call->owner;

    answer_relay(&client->answers, &relay->promised.operation->promised);
    ring_post_result(&client->ring, call->user_data, (int32_t)relay->message_bytes,
                     1U << CQE_CAPS_SHIFT);
    call->answer = 0;
    operation_push(client, call, OPERATION_CALL);
    ASSERT_AGAIN(client->calls_used > 1); /* the promised one is */
    client->calls_used--;
    promised_become(&relay->promised);
}
