/* SPDX-License-Identifier: MIT */
/*
 * Handing off: the short way of the two submissions that make up a round trip, CALL and
 * RETURN_RECV, when everything about them is as usual.
 *
 *   client: CALL --> the server's receive completes --> the CPU goes to the server
 *   server: RETURN_RECV --> the client's call completes --> the CPU goes to the client
 *
 * Usual means: no capabilities, no answer kept, no delegation on the edges, both buffers in the
 * arenas, and the server's next call, if one waits, as usual itself. Whatever differs leaves
 * everything as it was, and the long way (calls.c, delivery.c) looks at the entry afresh and has
 * the words for a refusal. So the short way does what the long way would, in the same order and
 * under the same locks, and refuses nothing.
 *
 * The wait. The last submission before a wait without a time limit begins that wait itself, in the
 * section of the ring's lock in which it takes its operation: who completes the operation, on
 * whatever CPU, finds the thread waiting and makes it ready. From then on the thread is like any
 * other that waits, although it is still here: it is queued, if it became ready, and picked again
 * only when this CPU has left it. How far its completions must come is noted as an index
 * (wait_until), so that who completes need not look at the user's.
 *
 * The switch. If the peer waits on this CPU for just this completion, it is not queued: the CPU
 * goes straight to it, on what is left of the waiting thread's quantum. A caller lends its server
 * time and priority until it is ready again, in whatever way (core/sched_context.c); one that is
 * queued has become ready before it could lend.
 *
 * Each word of the entry is read once from shared memory, atomically, where it is needed.
 *
 * Locks: process, and inside it the ring; given back; the endpoint's, and inside it the rings of
 * server and client, one at a time; given back; the run queue, to lend. What can fail: nothing
 * here.
 */
#include "kernel/ipc/handoff.h"

#include "core/assert.h"
#include "core/string.h"
#include "kernel/ipc/delivery.h"
#include "kernel/ipc/operation_pool.h"
#include "kernel/ipc/straight.h"
#include "kernel/sched/process.h"

/* The first word of a usual entry: opcode, no transfers, message_bytes a multiple of 8 below 32
 * KiB; a CALL has a method, a RETURN_RECV may have SQE_EXCEPTION. */
#define CALL_FIXED   UINT64_C(0xffff8007ff00ffff)
#define CALL_USUAL   ((uint64_t)OPCODE_CALL)
#define RETURN_FIXED UINT64_C(0xffff8007fffffeff)
#define RETURN_USUAL ((uint64_t)OPCODE_RETURN_RECV)

/* ---- entries -----------------------------------------------------------------------------------
 */

/* What an entry says of its buffers. */
struct buffers {
    uint32_t message_bytes;
    uint32_t message; /* offsets in the arena */
    uint32_t result;
    uint32_t result_bytes;
};

/* Reads the buffers of the shared entry, whose first word is `first`; false: they are not in the
 * arena, or an answer is kept. */
static ALWAYS_INLINE bool buffers_read(const struct thread *thread, const uint8_t *shared,
                                       uint64_t first, struct buffers *buffers)
{
    uint64_t room =
        quick_word(shared, offsetof(struct sqe, result_bytes)); /* and the answer's id */

    buffers->message_bytes = (uint32_t)(first >> 32);
    buffers->result_bytes = (uint32_t)room;
    return room <= LIMIT_ARENA_BYTES && quick_word(shared, offsetof(struct sqe, spare)) == 0 &&
           thread_arena_offset(thread, quick_word(shared, offsetof(struct sqe, message)),
                               buffers->message_bytes, &buffers->message) &&
           thread_arena_offset(thread, quick_word(shared, offsetof(struct sqe, result)), room,
                               &buffers->result);
}

/* Cap'n Proto's pointer to a structure without data and pointers, as the root of a message
 * (encoding, "Structs": the offset of a zero-sized one is -1). */
#define EMPTY_ANSWER       UINT64_C(0x00000000fffffffc)
#define EMPTY_ANSWER_BYTES 8

/* Accepts the submission and posts its completion. The process's lock may be held. */
static inline void entry_complete(struct thread *thread, const struct cqe *cqe)
{
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    spinlock_lock(&thread->ring_lock);
    ring_post(&thread->ring, cqe);
    spinlock_unlock(&thread->ring_lock);
}

/* A CALL through an id that is no edge: the refusal of edge_pin. */
static ALWAYS_INLINE enum quick call_refuse_id(struct thread *thread, const uint8_t *shared,
                                               struct cap_id cap, enum transport_error error)
{
    entry_complete(
        thread,
        &(struct cqe){
            .user_data = quick_word(shared, offsetof(struct sqe, user_data)),
            .result = error,
            .refusal = {.reason = (uint16_t)-error, .argument = ARGUMENT_CAP, .amount = cap.raw}});
    return QUICK_DONE;
}

/* A CALL of a kernel object's method that reads nothing, changes nothing and answers with an empty
 * structure (object_type.quick). The process's lock is held: the edge is not pinned. */
static ALWAYS_INLINE enum quick call_quick(struct thread *thread, const uint8_t *shared,
                                           unsigned method, struct buffers buffers,
                                           const struct hold_edge *edge)
{
    if (method >= 64 || (((const struct object *)edge->object)->type->quick >> method & 1) == 0 ||
        edge->interface_id != quick_word(shared, offsetof(struct sqe, interface_id)) ||
        edge->facet != CAP_FACET_ALL || buffers.message_bytes > LIMIT_CALL_BYTES ||
        buffers.result_bytes < LIMIT_ANSWER_ROOM || buffers.result % EMPTY_ANSWER_BYTES != 0) {
        return QUICK_NONE;
    }
    *(uint64_t *)(void *)(thread->arena_page[buffers.result / LIMIT_PAGE_BYTES] +
                          buffers.result % LIMIT_PAGE_BYTES) = EMPTY_ANSWER;
    entry_complete(thread,
                   &(struct cqe){.user_data = quick_word(shared, offsetof(struct sqe, user_data)),
                                 .result = EMPTY_ANSWER_BYTES});
    return QUICK_DONE;
}

/* ---- operations --------------------------------------------------------------------------------
 */

/* The current thread, which waits, lends what it runs on to its server, which runs now. One that is
 * queued is ready again, and has nobody to end a loan; if it cannot lend, each runs on its own. */
static ALWAYS_INLINE void lend(struct cpu *cpu, struct thread *thread, struct thread *server)
{
    spinlock_lock(&cpu->run_lock);
    if (LIKELY(!thread->task.node.queued)) {
        (void)!sched_lend(&thread->share, &server->share);
    }
    spinlock_unlock(&cpu->run_lock);
}

/* Gives up what the operation holds. Endpoint lock held. */
static ALWAYS_INLINE void operation_let_go(struct endpoint *endpoint, struct operation *operation)
{
    struct object *target = operation->target;

    if (LIKELY(target == &endpoint->object && operation->grant == NULL)) {
        operation->target = NULL;
        if (UNLIKELY(object_put(target))) {
            ASSERT(false); /* the endpoint is pinned */
        }
    } else {
        operation_unuse(endpoint, operation);
    }
}

/* Copies within one page of each side, or the long way round. */
static ALWAYS_INLINE void message_copy(struct thread *to, uint32_t to_offset, struct thread *from,
                                       uint32_t from_offset, uint32_t bytes)
{
    uint32_t to_within = to_offset % LIMIT_PAGE_BYTES;
    uint32_t from_within = from_offset % LIMIT_PAGE_BYTES;

    if (LIKELY(to_within + bytes <= LIMIT_PAGE_BYTES && from_within + bytes <= LIMIT_PAGE_BYTES)) {
        arch_copy_words(to->arena_page[to_offset / LIMIT_PAGE_BYTES] + to_within,
                        from->arena_page[from_offset / LIMIT_PAGE_BYTES] + from_within, bytes / 8);
    } else {
        arena_copy(to, to_offset, from, from_offset, bytes);
    }
}

/* The head of the message of `call`, in flight, at its place or elsewhere. */
static ALWAYS_INLINE void head_write(struct endpoint_message *head, const struct operation *call)
{
    head->token = call->token;
    head->badge = call->badge;
    head->interface_id = call->interface_id;
    head->method = call->method;
    head->caps = 0;
    head->message_bytes = call->message_bytes;
    head->result_bytes = call->result_bytes;
    head->kind = ENDPOINT_MESSAGE_CALL;
    head->spare[0] = 0;
    head->spare[1] = 0;
}

/* message_deliver across pages. */
static NOINLINE void message_deliver_pages(const struct operation *call, struct thread *server,
                                           uint32_t offset)
{
    struct endpoint_message head;

    head_write(&head, call);
    thread_arena_write(server, offset, &head, sizeof(head));
    arena_copy(server, offset + (uint32_t)sizeof(head), call->owner, call->message_offset,
               call->message_bytes);
}

/* The call is in flight: writes its message to the arena of its server. Endpoint lock held. */
static ALWAYS_INLINE void message_deliver(const struct operation *call, struct thread *server,
                                          uint32_t offset)
{
    uint32_t bytes = (uint32_t)sizeof(struct endpoint_message) + call->message_bytes;
    uint32_t to_within = offset % LIMIT_PAGE_BYTES;
    uint32_t from_within = call->message_offset % LIMIT_PAGE_BYTES;
    struct endpoint_message *head;
    const uint8_t *from;

    if (UNLIKELY(to_within + bytes > LIMIT_PAGE_BYTES || from_within + bytes > LIMIT_PAGE_BYTES)) {
        message_deliver_pages(call, server, offset);
        return;
    }
    head = (struct endpoint_message *)(void *)(server->arena_page[offset / LIMIT_PAGE_BYTES] +
                                               to_within);
    from = call->owner->arena_page[call->message_offset / LIMIT_PAGE_BYTES] + from_within;
    head_write(head, call);
    arch_copy_words(head + 1, from, call->message_bytes / 8);
}

/* `call`, in flight, goes to the server of `receive`, which completes; wait_end's result. Endpoint
 * lock held. */
static ALWAYS_INLINE bool call_give(struct cpu *cpu, struct endpoint *endpoint,
                                    struct operation *call, struct operation *receive,
                                    const struct thread *waits)
{
    struct thread *server = receive->owner;
    bool straight;

    ASSERT(sizeof(struct endpoint_message) + call->message_bytes <= receive->result_bytes);
    message_deliver(call, server, receive->result_offset);
    call->taken_epoch = receive->epoch;
    call->receiver = server;
    operation_let_go(endpoint, receive);
    spinlock_lock(&server->ring_lock);
    list_push_back(&server->received, &call->received_node);
    ring_post_result(&server->ring, receive->user_data,
                     (int32_t)(sizeof(struct endpoint_message) + call->message_bytes), 0);
    operation_push(server, receive, OPERATION_RECEIVE);
    straight = wait_end(cpu, server, waits);
    spinlock_unlock(&server->ring_lock);
    return straight;
}

/* ---- CALL --------------------------------------------------------------------------------------
 */

/* What the CALLs of a run have in common. */
struct calling {
    struct endpoint *endpoint; /* locked */
    struct object *target;     /* what their edge names; pinned */
    struct cap_id cap;
    uint64_t interface_id;
    uint64_t badge;
    uint64_t epoch;
};

/* Whether a call that comes now may meet `receiver`, or wait if there is none, as usual. Endpoint
 * lock held. */
static ALWAYS_INLINE bool call_is_usual(const struct endpoint *endpoint,
                                        struct endpoint_record *receiver)
{
    const struct endpoint_queues *queues = &endpoint->queues;

    if (receiver == NULL) {
        return LIKELY(!endpoint->closed && queues->call_count < queues->limits.queue_length);
    }
    return LIKELY(!endpoint->closed && operation_of(receiver)->grant == NULL &&
                  endpoint_can_meet(queues));
}

/* An operation for a call, with `slots` for what its answer brings (call_slots in calls.c), which
 * begins the wait if there is one; NULL: the thread has too little over. */
static ALWAYS_INLINE struct operation *call_take(struct thread *thread, uint32_t slots, bool last,
                                                 bool *waits)
{
    struct operation *call = NULL;

    spinlock_lock(&thread->ring_lock);
    if (LIKELY(thread->slots_over >= slots &&
               (thread->calls_used < thread->calls_held || operation_calls_draw(thread)))) {
        call = operation_pop(thread, OPERATION_CALL, true);
    }
    if (LIKELY(call != NULL)) {
        thread->slots_over -= slots;
        call->slots = slots;
        *waits = last && wait_begin(thread);
    }
    spinlock_unlock(&thread->ring_lock);
    return call;
}

/* One usual entry: its call meets a receiver or waits. The reference of the target is the call's
 * from now on, unless it is NONE. */
static ALWAYS_INLINE enum quick call_one(struct cpu *cpu, struct thread *thread,
                                         const uint8_t *shared, const struct calling *calling,
                                         const struct buffers *buffers, uint8_t method,
                                         struct thread **next)
{
    struct endpoint *endpoint = calling->endpoint;
    struct endpoint_record *record = endpoint_next_receiver(&endpoint->queues);
    uint32_t records = buffers->result_bytes / (uint32_t)sizeof(struct received_cap);
    uint32_t most = endpoint->queues.limits.capabilities;
    struct operation *call;
    struct operation *receive;
    bool waits = false;

    if (UNLIKELY(!call_is_usual(endpoint, record))) {
        return QUICK_NONE;
    }
    call = call_take(thread, records < most ? records : most, next != NULL, &waits);
    if (UNLIKELY(call == NULL)) {
        return QUICK_NONE;
    }
    call->user_data = quick_word(shared, offsetof(struct sqe, user_data));
    call->endpoint = endpoint;
    call->target = calling->target;
    call->epoch = calling->epoch;
    call->badge = calling->badge;
    call->interface_id = calling->interface_id;
    call->method = method;
    call->message_offset = buffers->message;
    call->message_bytes = buffers->message_bytes;
    call->result_offset = buffers->result;
    call->result_bytes = buffers->result_bytes;
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    cpu->effects += buffers->message_bytes;
    if (record == NULL) {
        if (!endpoint_add_call(&endpoint->queues, &call->endpoint_record)) {
            ASSERT(false); /* call_is_usual */
        }
        return waits ? QUICK_WAIT : QUICK_DONE;
    }
    receive = operation_of(record);
    call->token = endpoint_fly(&endpoint->queues, &call->endpoint_record);
    (void)endpoint_take_receiver(&endpoint->queues);
    if (next != NULL) {
        *next = receive->owner;
    }
    if (LIKELY(call_give(cpu, endpoint, call, receive, waits ? thread : NULL))) {
        return QUICK_SWITCH;
    }
    return waits ? QUICK_WAIT : QUICK_DONE;
}

/* Reads one entry; false: it is not usual. */
static ALWAYS_INLINE bool call_read(const struct thread *thread, const uint8_t *shared,
                                    struct buffers *buffers, uint8_t *method)
{
    uint64_t first = quick_word(shared, 0);

    *method = (uint8_t)(first >> 16);
    return LIKELY((first & CALL_FIXED) == CALL_USUAL &&
                  buffers_read(thread, shared, first, buffers));
}

/* The entries behind one that was done, as long as they are usual calls of the same edge. It counts
 * as looked up for all of them when it was for the first: nothing between them can have changed it,
 * and what others do to it meanwhile comes after. The endpoint's lock is given back and taken again
 * for each. */
static NOINLINE enum quick call_rest(struct cpu *cpu, struct thread *thread, uint32_t left,
                                     const struct calling *calling, struct thread **next)
{
    struct endpoint *endpoint = calling->endpoint;

    for (; left != 0 && cpu->effects < QUICK_EFFECTS; left--) {
        const uint8_t *shared = ring_peek(&thread->ring, thread->ring.sq_head);
        struct buffers buffers;
        enum quick quick;
        uint8_t method;

        if (!call_read(thread, shared, &buffers, &method) ||
            quick_word(shared, offsetof(struct sqe, cap)) != calling->cap.raw ||
            quick_word(shared, offsetof(struct sqe, interface_id)) != calling->interface_id ||
            buffers.message_bytes > endpoint->queues.limits.message_bytes) {
            break;
        }
        spinlock_unlock(&endpoint->lock);
        spinlock_lock(&endpoint->lock);
        object_ref(calling->target);
        quick = call_one(cpu, thread, shared, calling, &buffers, method, left == 1 ? next : NULL);
        if (quick == QUICK_NONE && object_put(calling->target)) {
            ASSERT(false); /* the run has a pin */
        }
        if (quick != QUICK_DONE) {
            return quick == QUICK_NONE ? QUICK_DONE : quick;
        }
    }
    return QUICK_DONE;
}

enum quick handoff_call(struct cpu *cpu, struct thread *thread, uint32_t left, struct thread **next)
{
    const uint8_t *shared = ring_peek(&thread->ring, thread->ring.sq_head);
    struct process *process = thread->process;
    const struct hold_edge *edge;
    struct calling calling;
    struct buffers buffers;
    enum transport_error error;
    enum quick quick;
    uint8_t method;
    bool run;

    if (UNLIKELY(!call_read(thread, shared, &buffers, &method))) {
        return QUICK_NONE;
    }
    calling.cap.raw = quick_word(shared, offsetof(struct sqe, cap));
    spinlock_lock(&process->lock);
    error = cap_table_lookup(&process->table, calling.cap, &edge);
    if (UNLIKELY(error != TRANSPORT_OK)) {
        spinlock_unlock(&process->lock);
        return call_refuse_id(thread, shared, calling.cap, error);
    }
    calling.interface_id = edge->interface_id;
    calling.target = edge->object;
    calling.endpoint = endpoint_of_client(calling.target);
    if (UNLIKELY(calling.endpoint == NULL)) {
        quick = call_quick(thread, shared, method, buffers, edge);
        spinlock_unlock(&process->lock);
        return quick;
    }
    if (UNLIKELY(calling.interface_id != quick_word(shared, offsetof(struct sqe, interface_id)) ||
                 edge->facet != CAP_FACET_ALL || edge->grant != NULL ||
                 buffers.message_bytes > calling.endpoint->queues.limits.message_bytes)) {
        spinlock_unlock(&process->lock);
        return QUICK_NONE;
    }
    calling.badge = edge->badge;
    calling.epoch = edge->epoch;
    object_ref(calling.target);
    spinlock_unlock(&process->lock);

    spinlock_lock(&calling.endpoint->lock);
    quick = call_one(cpu, thread, shared, &calling, &buffers, method, left == 1 ? next : NULL);
    run = left > 1 && quick == QUICK_DONE;
    if (UNLIKELY(run)) {
        const struct calling rest = calling; /* the other stays in registers */

        object_ref(calling.target);
        quick = call_rest(cpu, thread, left - 1, &rest, next);
    }
    spinlock_unlock(&calling.endpoint->lock);
    if (LIKELY(quick == QUICK_SWITCH)) {
        lend(cpu, thread, *next);
    }
    if (UNLIKELY(run || quick == QUICK_NONE)) {
        object_unref(calling.target);
    }
    return quick;
}

/* ---- RETURN_RECV -------------------------------------------------------------------------------
 */

/* The call in flight under `token` if its answer of `bytes` has nothing unusual. Endpoint lock
 * held. */
static ALWAYS_INLINE struct operation *call_find(const struct endpoint *endpoint,
                                                 const struct thread *server, uint64_t token,
                                                 uint32_t bytes)
{
    struct endpoint_record *record = endpoint_find(&endpoint->queues, token);
    struct operation *call;

    if (UNLIKELY(record == NULL || endpoint->closed)) {
        return NULL;
    }
    call = operation_of(record);
    return LIKELY(call->receiver == server && call->answer == 0 && call->grant == NULL &&
                  call->taken_grant == NULL && bytes <= call->result_bytes &&
                  endpoint->queues.token[record->token_slot].watch == NULL)
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

/* The call was the last of its session: whoever receives is told, perhaps this thread. Gives the
 * endpoint's lock back. */
static COLD NOINLINE void closed_deliver(struct endpoint *endpoint)
{
    struct settling settling;

    object_ref(&endpoint->object); /* others' references may go as soon as the lock does */
    settle_begin(&settling);
    settle_unlock(endpoint, &settling);
    object_unref(&endpoint->object);
}

/* The answer of `call`, taken out of the endpoint, is there: the call completes. wait_end's result.
 * Endpoint lock held. */
static ALWAYS_INLINE bool answer_give(struct cpu *cpu, struct endpoint *endpoint,
                                      struct operation *call, uint64_t first,
                                      const struct thread *waits)
{
    struct thread *client = call->owner;
    bool straight;

    operation_let_go(endpoint, call);
    spinlock_lock(&client->ring_lock);
    ring_post_result(&client->ring, call->user_data, (int32_t)(first >> 32),
                     (first >> 8 & SQE_EXCEPTION) != 0 ? (uint32_t)CQE_EXCEPTION : 0);
    /* Its thread keeps what it has drawn for calls as long as it has more than it would give back.
     */
    if (UNLIKELY(call->grant != NULL || (client->calls_used == 1 && client->calls_held > 1))) {
        operation_release_locked(call);
    } else {
        client->calls_used--;
        operation_push(client, call, OPERATION_CALL);
    }
    straight = wait_end(cpu, client, waits);
    spinlock_unlock(&client->ring_lock);
    return straight;
}

/* What a RETURN_RECV that is found usual is about. */
struct returning {
    struct endpoint *endpoint; /* locked and pinned */
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
    cpu->effects += bytes;
    message_copy(call->owner, call->result_offset, thread, returning->buffers.message, bytes);
    (void)endpoint_retire(&returning->endpoint->queues, call->endpoint_record.token_slot);
    return answer_give(cpu, returning->endpoint, call, returning->first, waits);
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
        receive = operation_pop(thread, OPERATION_RECEIVE, false);
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
    if (!endpoint_add_receiver(&endpoint->queues, &receive->endpoint_record)) {
        ASSERT(false); /* endpoint_only_calls */
    }
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
    message_deliver(taken, thread, returning->buffers.result);
    spinlock_lock(&thread->ring_lock);
    list_push_back(&thread->received, &taken->received_node);
    ring_post_result(&thread->ring, quick_word(shared, offsetof(struct sqe, user_data)),
                     (int32_t)(sizeof(struct endpoint_message) + taken->message_bytes), 0);
    spinlock_unlock(&thread->ring_lock);
    return QUICK_DONE;
}

/* The endpoint whose owner's edge `cap` is, pinned; NULL: the edge is not usual. */
static ALWAYS_INLINE struct endpoint *owned_endpoint(struct process *process, struct cap_id cap,
                                                     uint64_t *epoch)
{
    struct endpoint *endpoint = NULL;
    const struct hold_edge *edge;

    spinlock_lock(&process->lock);
    if (LIKELY(cap_table_lookup(&process->table, cap, &edge) == TRANSPORT_OK &&
               ((const struct object *)edge->object)->type == &endpoint_owner_type &&
               edge->interface_id == ENDPOINT_INTERFACE_ID && edge->facet == CAP_FACET_ALL &&
               edge->grant == NULL)) {
        endpoint = endpoint_of_owner(edge->object);
        *epoch = edge->epoch;
        object_ref(&endpoint->object);
    }
    spinlock_unlock(&process->lock);
    return endpoint;
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
    if (UNLIKELY(returning->call == NULL)) {
        return QUICK_NONE;
    }
    return waiting == NULL ? return_wait(cpu, thread, shared, returning, next)
                           : return_take(cpu, thread, shared, returning, operation_of(waiting));
}

/* The entries behind one that was done, as long as they are usual and of the same edge, as
 * call_rest. */
static NOINLINE enum quick return_rest(struct cpu *cpu, struct thread *thread, uint32_t left,
                                       struct returning *returning, struct cap_id cap,
                                       struct thread **next)
{
    struct endpoint *endpoint = returning->endpoint;

    for (; left != 0 && cpu->effects < QUICK_EFFECTS && !endpoint_has_closed(&endpoint->queues);
         left--) {
        const uint8_t *shared = ring_peek(&thread->ring, thread->ring.sq_head);
        enum quick quick;

        if (!return_read(thread, shared, returning) ||
            quick_word(shared, offsetof(struct sqe, cap)) != cap.raw) {
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

enum quick handoff_return(struct cpu *cpu, struct thread *thread, uint32_t left,
                          struct thread **next)
{
    const uint8_t *shared = ring_peek(&thread->ring, thread->ring.sq_head);
    struct cap_id cap = {quick_word(shared, offsetof(struct sqe, cap))};
    struct returning returning;
    struct endpoint *endpoint;
    enum quick quick = QUICK_NONE;

    endpoint = owned_endpoint(thread->process, cap, &returning.epoch);
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
        quick = return_rest(cpu, thread, left - 1, &rest, cap, next);
        returning.pin = true;
    }
    if (UNLIKELY(quick != QUICK_NONE && endpoint_has_closed(&endpoint->queues))) {
        closed_deliver(endpoint);
    } else {
        spinlock_unlock(&endpoint->lock);
    }
    if (returning.pin) {
        object_unref(&endpoint->object);
    }
    return quick;
}
