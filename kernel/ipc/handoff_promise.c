/* SPDX-License-Identifier: MIT */
/*
 * The short way of chains: CALLs that keep their answers, CALLs promised from them, FINISH; and the
 * RETURN_RECVs that answer them (handoff_answer.c).
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
 * promised calls begin to wait for their answers, FINISH takes ids away.
 *
 * Sending on. The long way sends what waits for a decided answer by a job of the client's thread
 * (answers.c). When one call alone waits, its target is the endpoint at which the server just
 * answered and asked for its next call, and the client's home is this CPU, then nothing but that
 * job could come in between, and what it would do is done at once: the edge is looked up under the
 * client's lock, the operation that waited becomes the call's, and it meets the oldest receiver
 * under the endpoint's lock that the RETURN_RECV holds already. The order is the job's: answer
 * decided, call sent, completion of the answer posted. Else the job is started as ever.
 *
 * The client pays as before: its operations, its slots, its table. The server runs on what it ran
 * on; it is told of the next call as if that had come from elsewhere, and finds it when its
 * cap_enter ends.
 *
 * Each word of an entry is read once from shared memory, atomically.
 *
 * Locks: endpoint, then the client's process, inside it the client's ring. What can fail: nothing
 * here.
 */
#include "kernel/ipc/handoff_promise.h"

#include "kernel/ipc/handoff_inside.h"

/* The first word of a usual entry: opcode, method, no transfers, message_bytes a multiple of 8
 * below 32 KiB; of a CALL perhaps SQE_PROMISED. */
#define FIRST_FIXED   UINT64_C(0xffff8007ff00ffff)
#define FIRST_USUAL   ((uint64_t)OPCODE_CALL)
#define FIRST_PROMISE (FIRST_USUAL | (uint64_t)SQE_PROMISED << 8)

/* Slots for what the answer of a call at `endpoint` may bring (call_slots in calls.c). */
static inline uint32_t slots_needed(const struct endpoint *endpoint, uint32_t result_bytes)
{
    uint32_t records = result_bytes / (uint32_t)sizeof(struct received_cap);
    uint32_t most = endpoint->queues.limits.capabilities;

    return records < most ? records : most;
}

/* Where the buffers of the shared entry are, whose first word is `first` and whose result_bytes are
 * `room`; false: not in the arena. */
static inline bool buffers_are(const struct thread *thread, const uint8_t *shared, uint64_t first,
                               uint32_t room, struct buffers *buffers)
{
    buffers->message_bytes = (uint32_t)(first >> 32);
    buffers->result_bytes = room;
    return thread_arena_offset(thread, quick_word(shared, offsetof(struct sqe, message)),
                               buffers->message_bytes, &buffers->message) &&
           thread_arena_offset(thread, quick_word(shared, offsetof(struct sqe, result)), room,
                               &buffers->result);
}

/* ---- a CALL that keeps its answer --------------------------------------------------------------
 */

/* What such a call is about. */
struct keeping {
    struct endpoint *endpoint; /* locked */
    struct object *target;     /* pinned */
    const uint8_t *shared;
    struct buffers buffers;
    uint64_t interface_id;
    uint64_t badge;
    uint64_t epoch;
    uint16_t method;
    uint32_t answer;
};

/* Whether a call that comes now meets `receiver`, or waits if there is none, as usual. Endpoint
 * lock held. */
static inline bool endpoint_is_usual(const struct endpoint *endpoint,
                                     struct endpoint_record *receiver)
{
    const struct endpoint_queues *queues = &endpoint->queues;

    if (receiver == NULL) {
        return !endpoint->closed && queues->call_count < queues->limits.queue_length;
    }
    return !endpoint->closed && operation_of(receiver)->grant == NULL && endpoint_can_meet(queues);
}

/* An operation for the call, whose answer is opened; NULL: the thread has too little over, or the
 * id is not free. */
static struct operation *keeping_take(struct thread *thread, const struct keeping *keeping)
{
    uint32_t slots = slots_needed(keeping->endpoint, keeping->buffers.result_bytes);
    struct operation *call = NULL;
    struct answer *answer;

    spinlock_lock(&thread->ring_lock);
    if (LIKELY(thread->slots_over >= slots && thread->operations_free != NULL &&
               (thread->calls_used < thread->calls_held || operation_calls_draw(thread)) &&
               answer_open(&thread->answers, keeping->answer, &answer) == TRANSPORT_OK)) {
        call = operation_pop(thread, OPERATION_CALL, true);
        thread->slots_over -= slots;
        call->slots = slots;
        call->answer = keeping->answer;
    }
    spinlock_unlock(&thread->ring_lock);
    return call;
}

/* The call meets a receiver or waits. */
static enum quick keeping_call(struct cpu *cpu, struct thread *thread,
                               const struct keeping *keeping)
{
    struct endpoint *endpoint = keeping->endpoint;
    struct endpoint_record *record = endpoint_next_receiver(&endpoint->queues);
    struct operation *call;

    if (!endpoint_is_usual(endpoint, record)) {
        return QUICK_NONE;
    }
    call = keeping_take(thread, keeping);
    if (call == NULL) {
        return QUICK_NONE;
    }
    call->user_data = quick_word(keeping->shared, offsetof(struct sqe, user_data));
    call->endpoint = endpoint;
    call->target = keeping->target;
    call->epoch = keeping->epoch;
    call->badge = keeping->badge;
    call->interface_id = keeping->interface_id;
    call->method = keeping->method;
    call->message_offset = keeping->buffers.message;
    call->message_bytes = keeping->buffers.message_bytes;
    call->result_offset = keeping->buffers.result;
    call->result_bytes = keeping->buffers.result_bytes;
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    cpu->effects += call->message_bytes;
    if (record != NULL) {
        call->token = endpoint_fly(&endpoint->queues, &call->endpoint_record);
        (void)endpoint_take_receiver(&endpoint->queues);
        (void)call_give(cpu, endpoint, call, operation_of(record), NULL, NULL);
    } else if (!endpoint_add_call(&endpoint->queues, &call->endpoint_record)) {
        ASSERT(false); /* endpoint_is_usual */
    }
    return QUICK_DONE;
}

/* A CALL of an endpoint. `first` is its first word, `room` that of result_bytes and answer. */
static enum quick keeping_submission(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                                     uint64_t first, uint64_t room)
{
    struct process *process = thread->process;
    struct cap_id cap = {quick_word(shared, offsetof(struct sqe, cap))};
    struct keeping keeping = {.shared = shared,
                              .interface_id =
                                  quick_word(shared, offsetof(struct sqe, interface_id)),
                              .method = first >> 16 & UINT8_MAX,
                              .answer = (uint32_t)(room >> 32)};
    const struct hold_edge *edge;
    enum quick quick;

    if (quick_word(shared, offsetof(struct sqe, spare)) != 0 ||
        !buffers_are(thread, shared, first, (uint32_t)room, &keeping.buffers)) {
        return QUICK_NONE;
    }
    spinlock_lock(&process->lock);
    if (LIKELY(cap_table_lookup(&process->table, cap, &edge) == TRANSPORT_OK &&
               edge->interface_id == keeping.interface_id && edge->facet == CAP_FACET_ALL &&
               edge->grant == NULL)) {
        keeping.target = edge->object;
        keeping.endpoint = endpoint_of_client(keeping.target);
        keeping.badge = edge->badge;
        keeping.epoch = edge->epoch;
    }
    if (keeping.endpoint != NULL &&
        keeping.buffers.message_bytes <= keeping.endpoint->queues.limits.message_bytes) {
        object_ref(keeping.target);
    } else {
        keeping.endpoint = NULL;
    }
    spinlock_unlock(&process->lock);
    if (keeping.endpoint == NULL) {
        return QUICK_NONE;
    }
    spinlock_lock(&keeping.endpoint->lock);
    quick = keeping_call(cpu, thread, &keeping);
    spinlock_unlock(&keeping.endpoint->lock);
    if (quick == QUICK_NONE) {
        object_unref(keeping.target);
    }
    return quick;
}

/* ---- what only concerns the thread's answers ---------------------------------------------------
 */

/* FINISH, without its completion; false: it is not usual. Ring lock held. */
static inline bool finish_one(struct thread *thread, const uint8_t *shared)
{
    uint64_t answer = quick_word(shared, offsetof(struct sqe, result_bytes));

    return (quick_word(shared, offsetof(struct sqe, cap)) |
            quick_word(shared, offsetof(struct sqe, interface_id)) |
            quick_word(shared, offsetof(struct sqe, message)) |
            quick_word(shared, offsetof(struct sqe, result)) | (uint32_t)answer |
            quick_word(shared, offsetof(struct sqe, spare))) == 0 &&
           answer_finish(&thread->answers, (uint32_t)(answer >> 32)) == TRANSPORT_OK;
}

/* A CALL promised from an answer that is not there yet begins to wait; false: it is not usual. Ring
 * lock held. `first` is its first word. */
static inline bool promise_one(struct thread *thread, const uint8_t *shared, uint64_t first)
{
    struct sqe sqe = {.interface_id = quick_word(shared, offsetof(struct sqe, interface_id)),
                      .message = quick_word(shared, offsetof(struct sqe, message)),
                      .result = quick_word(shared, offsetof(struct sqe, result))};
    uint64_t room = quick_word(shared, offsetof(struct sqe, result_bytes));
    struct operation *operation;
    struct answer *own;
    struct cap_id cap;
    uint32_t offset;

    sqe.cap.raw = quick_word(shared, offsetof(struct sqe, cap));
    sqe.result_bytes = (uint32_t)room;
    sqe.answer = (uint32_t)(room >> 32);
    if (sqe.promise.answer == 0 || sqe.promise.path.step[0] == 0 || sqe.cap.raw >> 40 != 0 ||
        quick_word(shared, offsetof(struct sqe, spare)) != 0 ||
        !thread_arena_offset(thread, sqe.message, first >> 32, &offset) ||
        !thread_arena_offset(thread, sqe.result, sqe.result_bytes, &offset) ||
        thread->operations_free == NULL ||
        answer_target_find(&thread->answers, &sqe.promise, &cap) != ANSWER_TARGET_WAITS ||
        !(thread->calls_used < thread->calls_held || operation_calls_draw(thread)) ||
        (sqe.answer != 0 && answer_open(&thread->answers, sqe.answer, &own) != TRANSPORT_OK)) {
        return false;
    }
    sqe.opcode = OPCODE_CALL;
    sqe.flags = SQE_PROMISED;
    sqe.method = first >> 16 & UINT8_MAX;
    sqe.message_bytes = (uint32_t)(first >> 32);
    sqe.user_data = quick_word(shared, offsetof(struct sqe, user_data));
    operation = operation_pop(thread, OPERATION_PROMISED, true);
    operation->user_data = sqe.user_data;
    operation->answer = sqe.answer;
    operation->sqe = sqe;
    answer_wait(&thread->answers, &sqe.promise, &operation->promised);
    return true;
}

/* As many entries as are usual, of at most `limit`: promised calls, then FINISHes, whose
 * completions are shown at the end. */
static unsigned promise_run(struct thread *thread, unsigned limit)
{
    struct ring *ring = &thread->ring;
    uint32_t head = ring->sq_head;
    uint32_t tail;
    unsigned done;

    spinlock_lock(&thread->ring_lock);
    tail = ring->cq_tail;
    for (done = 0; done < limit; done++) {
        const uint8_t *shared = ring_peek(ring, head + done);
        uint64_t first = quick_word(shared, 0);

        if ((first & FIRST_FIXED) == FIRST_PROMISE && tail == ring->cq_tail) {
            if (!promise_one(thread, shared, first)) {
                break;
            }
        } else if (first == OPCODE_FINISH && finish_one(thread, shared)) {
            struct cqe *place = ring_post_place(ring, tail++);

            place->user_data = quick_word(shared, offsetof(struct sqe, user_data));
            place->result = 0;
            place->flags = 0;
            place->cap[0] = place->cap[1] = (struct cap_id){0};
        } else {
            break;
        }
    }
    if (done != 0) {
        ring_accept(ring, head + done);
    }
    if (tail != ring->cq_tail) {
        ring_posted(ring, tail);
    }
    spinlock_unlock(&thread->ring_lock);
    return done;
}

enum quick handoff_promise(struct cpu *cpu, struct thread *thread)
{
    const uint8_t *shared = ring_peek(&thread->ring, thread->ring.sq_head);
    uint64_t first = quick_word(shared, 0);
    uint32_t left = ring_acceptable(&thread->ring); /* by now perhaps none */

    if (left != 0 && (first & FIRST_FIXED) == FIRST_USUAL) {
        uint64_t room = quick_word(shared, offsetof(struct sqe, result_bytes));

        return room >> 32 != 0 ? keeping_submission(cpu, thread, shared, first, room) : QUICK_NONE;
    }
    return promise_run(thread, left < LIMIT_DISPATCH_BATCH ? left : LIMIT_DISPATCH_BATCH) != 0
               ? QUICK_DONE
               : QUICK_NONE;
}

/* ---- a promised call is sent -------------------------------------------------------------------
 */

bool promised_fits(const struct thread *thread, const struct endpoint *endpoint,
                   const struct sqe *sqe)
{
    return thread->slots_over >= slots_needed(endpoint, sqe->result_bytes);
}

void promised_begin(const struct promised *promised)
{
    struct operation *call = promised->operation;
    struct thread *thread = call->owner;
    const struct sqe *sqe = &call->sqe;
    uint32_t slots = slots_needed(promised->endpoint, sqe->result_bytes);

    ASSERT(call->kind == OPERATION_PROMISED && thread->slots_over >= slots);
    answer_settle(&thread->answers, call->promised.answer);
    call->kind = OPERATION_CALL;
    thread->slots_over -= slots;
    call->slots = slots;
    call->endpoint = promised->endpoint;
    call->target = promised->edge->object;
    object_ref(call->target);
    call->epoch = promised->edge->epoch;
    call->badge = promised->edge->badge;
    call->interface_id = sqe->interface_id;
    call->method = sqe->method;
    call->message_offset = (uint32_t)(sqe->message - thread->arena_address);
    call->message_bytes = sqe->message_bytes;
    call->result_offset = (uint32_t)(sqe->result - thread->arena_address);
    call->result_bytes = sqe->result_bytes;
}
