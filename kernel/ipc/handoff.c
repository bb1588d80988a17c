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
static NOINLINE enum quick call_refuse_id(struct thread *thread, const uint8_t *shared,
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

/* The call is in flight: writes its message to the receiver. Endpoint lock held. */
static ALWAYS_INLINE void message_deliver(const struct operation *call,
                                          const struct operation *receive)
{
    struct thread *server = receive->owner;
    uint32_t offset = receive->result_offset;
    uint32_t within = offset % LIMIT_PAGE_BYTES;
    struct endpoint_message own;
    struct endpoint_message *head = &own;

    ASSERT(sizeof(*head) + call->message_bytes <= receive->result_bytes);
    if (LIKELY(within + sizeof(*head) <= LIMIT_PAGE_BYTES)) {
        head = (struct endpoint_message *)(void *)(server->arena_page[offset / LIMIT_PAGE_BYTES] +
                                                   within);
    }
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
    if (UNLIKELY(head == &own)) {
        thread_arena_write(server, offset, head, sizeof(*head));
    }
    message_copy(server, offset + (uint32_t)sizeof(*head), call->owner, call->message_offset,
                 call->message_bytes);
}

/* `call`, in flight, goes to the server of `receive`, which completes; wait_end's result. Endpoint
 * lock held. */
static ALWAYS_INLINE bool call_give(struct cpu *cpu, struct endpoint *endpoint,
                                    struct operation *call, struct operation *receive,
                                    const struct thread *waits)
{
    struct thread *server = receive->owner;
    bool straight;

    message_deliver(call, receive);
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

/* Publishes `call`: it meets a receiver, whose operation is *receive then, or waits. False: the
 * long way. Endpoint lock held. */
static ALWAYS_INLINE bool call_publish(struct endpoint *endpoint, struct operation *call,
                                       struct operation **receive)
{
    struct endpoint_queues *queues = &endpoint->queues;
    struct endpoint_record *record = endpoint_next_receiver(queues);

    *receive = NULL;
    if (UNLIKELY(endpoint->closed)) {
        return false;
    }
    if (record == NULL) {
        return endpoint_add_call(queues, &call->endpoint_record);
    }
    if (UNLIKELY(operation_of(record)->grant != NULL ||
                 !endpoint_meet(queues, &call->endpoint_record, &call->token))) {
        return false;
    }
    *receive = operation_of(record);
    return true;
}

/* The long way after all, for a call that could not be published: gives back what was taken, and
 * the wait that has begun. A thread that became ready meanwhile looks at its entry when it is
 * picked. No lock is held. */
static COLD NOINLINE enum quick call_undo(struct thread *thread, struct operation *call, bool waits)
{
    struct object *target = call->target;
    bool ready = false;

    spinlock_lock(&thread->ring_lock);
    if (waits) {
        ready = !thread->waiting;
        thread->entering = ready;
        thread->waiting = false;
    }
    call->target = NULL;
    operation_release_locked(call);
    spinlock_unlock(&thread->ring_lock);
    object_unref(target);
    return ready ? QUICK_WAIT : QUICK_NONE;
}

/* Slots for what an answer may bring (call_slots in calls.c). */
static inline uint32_t answer_slots(const struct endpoint *endpoint, uint32_t result_bytes)
{
    uint32_t records = result_bytes / (uint32_t)sizeof(struct received_cap);
    uint32_t most = endpoint->queues.limits.capabilities;

    return records < most ? records : most;
}

enum quick handoff_call(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                        struct thread **next)
{
    uint64_t first = quick_word(shared, 0);
    struct process *process = thread->process;
    const struct hold_edge *edge;
    struct endpoint *endpoint;
    struct operation *call = NULL;
    struct operation *receive;
    struct buffers buffers;
    struct object *target;
    struct cap_id cap;
    enum transport_error error;
    uint32_t slots;
    bool waits = false;
    bool straight;

    if (UNLIKELY((first & CALL_FIXED) != CALL_USUAL ||
                 !buffers_read(thread, shared, first, &buffers))) {
        return QUICK_NONE;
    }
    cap.raw = quick_word(shared, offsetof(struct sqe, cap));
    spinlock_lock(&process->lock);
    error = cap_table_lookup(&process->table, cap, &edge);
    if (UNLIKELY(error != TRANSPORT_OK)) {
        spinlock_unlock(&process->lock);
        return call_refuse_id(thread, shared, cap, error);
    }
    target = edge->object;
    endpoint = endpoint_of_client(target);
    if (UNLIKELY(endpoint == NULL)) {
        enum quick quick = call_quick(thread, shared, first >> 16 & UINT8_MAX, buffers, edge);

        spinlock_unlock(&process->lock);
        return quick;
    }
    slots = answer_slots(endpoint, buffers.result_bytes);
    if (LIKELY(edge->interface_id == quick_word(shared, offsetof(struct sqe, interface_id)) &&
               edge->facet == CAP_FACET_ALL && edge->grant == NULL &&
               buffers.message_bytes <= endpoint->queues.limits.message_bytes)) {
        spinlock_lock(&thread->ring_lock);
        if (LIKELY(thread->slots_over >= slots && thread->calls_used < thread->calls_held)) {
            call = operation_pop(thread, OPERATION_CALL, true);
        }
        if (LIKELY(call != NULL)) {
            thread->slots_over -= slots;
            call->slots = slots;
            waits = next != NULL && wait_begin(thread);
        }
        spinlock_unlock(&thread->ring_lock);
    }
    if (UNLIKELY(call == NULL)) {
        spinlock_unlock(&process->lock);
        return QUICK_NONE;
    }
    object_ref(target);
    call->user_data = quick_word(shared, offsetof(struct sqe, user_data));
    call->endpoint = endpoint;
    call->target = target;
    call->epoch = edge->epoch;
    call->badge = edge->badge;
    call->interface_id = edge->interface_id;
    call->method = first >> 16 & UINT8_MAX;
    call->message_offset = buffers.message;
    call->message_bytes = buffers.message_bytes;
    call->result_offset = buffers.result;
    call->result_bytes = buffers.result_bytes;
    spinlock_unlock(&process->lock);

    spinlock_lock(&endpoint->lock);
    if (UNLIKELY(!call_publish(endpoint, call, &receive))) {
        spinlock_unlock(&endpoint->lock);
        return call_undo(thread, call, waits);
    }
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    cpu->effects += buffers.message_bytes;
    straight = receive != NULL;
    if (LIKELY(straight)) {
        struct thread *server = receive->owner;

        straight = call_give(cpu, endpoint, call, receive, waits ? thread : NULL);
        if (LIKELY(straight)) {
            *next = server;
        }
    }
    spinlock_unlock(&endpoint->lock);
    if (LIKELY(straight)) {
        lend(cpu, thread, *next);
        return QUICK_SWITCH;
    }
    return waits ? QUICK_WAIT : QUICK_DONE;
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

enum quick handoff_return(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                          struct thread **next)
{
    uint64_t first = quick_word(shared, 0);
    struct process *process = thread->process;
    const struct hold_edge *edge;
    struct endpoint *endpoint;
    struct operation *receive = NULL;
    struct operation *call = NULL;
    struct endpoint_record *waiting;
    struct buffers buffers;
    uint64_t epoch;
    bool waits = false;
    bool straight;

    if (UNLIKELY((first & RETURN_FIXED) != RETURN_USUAL ||
                 !buffers_read(thread, shared, first, &buffers) || buffers.result % 8 != 0)) {
        return QUICK_NONE;
    }
    spinlock_lock(&process->lock);
    if (UNLIKELY(cap_table_lookup(&process->table,
                                  (struct cap_id){quick_word(shared, offsetof(struct sqe, cap))},
                                  &edge) != TRANSPORT_OK ||
                 ((const struct object *)edge->object)->type != &endpoint_owner_type ||
                 edge->interface_id != ENDPOINT_INTERFACE_ID || edge->facet != CAP_FACET_ALL ||
                 edge->grant != NULL)) {
        spinlock_unlock(&process->lock);
        return QUICK_NONE;
    }
    endpoint = endpoint_of_owner(edge->object);
    epoch = edge->epoch;
    object_ref(&endpoint->object); /* the receive's, in the end */
    spinlock_unlock(&process->lock);

    spinlock_lock(&endpoint->lock);
    waiting = endpoint_waiting_call(&endpoint->queues);
    if (LIKELY(buffers.result_bytes >= endpoint_receive_bytes(&endpoint->queues.limits) &&
               receive_is_usual(&endpoint->queues, waiting))) {
        call = call_find(endpoint, thread, quick_word(shared, offsetof(struct sqe, token)),
                         buffers.message_bytes);
    }
    if (LIKELY(call != NULL)) {
        uint32_t slots = endpoint->queues.limits.capabilities;

        spinlock_lock(&thread->ring_lock);
        if (LIKELY(thread->slots_over >= slots && operation_may_receive(thread))) {
            receive = operation_pop(thread, OPERATION_RECEIVE, false);
        }
        if (LIKELY(receive != NULL)) {
            thread->slots_over -= slots;
            receive->slots = slots;
            list_remove(&call->received_node);
            waits = next != NULL && waiting == NULL && wait_begin(thread);
        }
        spinlock_unlock(&thread->ring_lock);
    }
    if (UNLIKELY(receive == NULL)) {
        spinlock_unlock(&endpoint->lock);
        object_unref(&endpoint->object);
        return QUICK_NONE;
    }
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    cpu->effects += buffers.message_bytes;
    receive->user_data = quick_word(shared, offsetof(struct sqe, user_data));
    receive->endpoint = endpoint;
    receive->target = &endpoint->object;
    receive->epoch = epoch;
    receive->result_offset = buffers.result;
    receive->result_bytes = buffers.result_bytes;
    message_copy(call->owner, call->result_offset, thread, buffers.message, buffers.message_bytes);
    (void)endpoint_retire(&endpoint->queues, call->endpoint_record.token_slot);
    if (waiting == NULL && !endpoint_add_receiver(&endpoint->queues, &receive->endpoint_record)) {
        ASSERT(false); /* endpoint_only_calls */
    }
    {
        struct thread *client = call->owner;

        straight = answer_give(cpu, endpoint, call, first, waits ? thread : NULL);
        if (LIKELY(straight)) {
            *next = client;
        }
    }
    if (waiting != NULL) {
        struct operation *taken = operation_of(waiting);

        taken->token = endpoint_hand_out(&endpoint->queues);
        cpu->effects += taken->message_bytes;
        (void)call_give(cpu, endpoint, taken, receive, NULL);
    }
    if (UNLIKELY(endpoint_session_closed(&endpoint->queues) != NULL)) {
        closed_deliver(endpoint);
    } else {
        spinlock_unlock(&endpoint->lock);
    }
    if (LIKELY(straight)) {
        return QUICK_SWITCH;
    }
    return waits ? QUICK_WAIT : QUICK_DONE;
}
