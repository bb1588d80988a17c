/* SPDX-License-Identifier: MIT */
/*
 * Handing off: the short way of the two submissions that make up a round trip, CALL and
 * RETURN_RECV, when everything about them is as usual.
 *
 *   client: CALL --> the server's receive completes --> the CPU goes to the server
 *   server: RETURN_RECV --> the client's call completes --> the CPU goes to the client
 *
 * Usual means: one submission, alone in its queue, of a thread that is about to wait without a time
 * limit; no capabilities, no answer kept, no delegation on the edges; both buffers in the arenas. A
 * CALL among several goes the short way too, without a switch; so does a RETURN_RECV whose server
 * finds the next call waiting and goes on with it. Whatever differs leaves everything as it was,
 * and the long way (calls.c, delivery.c) looks at the entry afresh and has the words for a refusal.
 * So the short way does what the long way would, in the same order and under the same locks, and
 * refuses nothing.
 *
 * The switch: if the peer waits on this CPU for just this completion, it is not queued: the CPU
 * goes straight to it, on what is left of the waiting thread's quantum. A caller lends its server
 * time and priority until it is ready again, in whatever way (core/sched_context.c).
 *
 * Each word of the entry is read once from shared memory, atomically.
 *
 * Locks: process, given back; the endpoint's, and inside it the rings of server and client, one at
 * a time. What can fail: nothing here.
 */
#include "kernel/ipc/handoff.h"

#include "core/assert.h"
#include "core/bits.h"
#include "core/string.h"
#include "kernel/ipc/delivery.h"
#include "kernel/sched/process.h"

/* Whether this CPU may go from `from`, which is about to wait, straight to `to`, which `waits` for
 * what just came. The queue is read without its lock: who is queued by another CPU at this moment
 * sends an IPI. On a budget the CPU is picked anew, which looks at what is left of it. */
static inline bool may_switch(const struct cpu *cpu, const struct thread *from,
                              const struct thread *to, bool waits)
{
    uint32_t ready = cpu->run_queue.ready_mask;
    const struct endpoint_switch facts = {
        .caller_waits = true,
        .receiver_waits = waits && !cpu->reschedule,
        .same_cpu = to->task.cpu == cpu,
        .ending = to->exiting || process_is_dying(to->process),
        .caller_priority = from->task.priority,
        .receiver_priority = to->task.priority,
        .anyone_ready = ready != 0,
        .ready_priority = ready != 0 ? bit_highest(ready) : 0,
        .time_left_ns = cpu->limited || to->time.budget_ns != 0 ? 0 : SCHED_UNLIMITED,
    };

    return endpoint_may_switch(&facts);
}

/* The first word of a usual entry: opcode, no transfers, message_bytes a multiple of 8 below 32
 * KiB; a CALL has a method, a RETURN_RECV may have SQE_EXCEPTION. */
struct entry_first {
    uint64_t fixed;
    uint64_t usual;
};
static const struct entry_first first_call = {UINT64_C(0xffff8007ff00ffff), OPCODE_CALL};
static const struct entry_first first_return = {UINT64_C(0xffff8007fffffeff), OPCODE_RETURN_RECV};

/* What the thread's submission says, each word read once. */
struct entry {
    uint64_t first;
    struct cap_id cap;
    uint64_t second; /* interface_id or token */
    uint32_t message_bytes;
    uint32_t message; /* offsets in the arena */
    uint32_t result;
    uint32_t result_bytes;
    uint64_t user_data;
};

/* Reads the entry, whose first word has the bits `usual` of those of `fixed`; false: it is not
 * usual. */
static inline bool entry_read(const struct thread *thread, const uint8_t *shared,
                              struct entry_first form, struct entry *entry)
{
    uint64_t first = quick_word(shared, 0);
    uint64_t room =
        quick_word(shared, offsetof(struct sqe, result_bytes)); /* and the answer's id */

    entry->first = first;
    entry->message_bytes = (uint32_t)(first >> 32);
    entry->cap.raw = quick_word(shared, offsetof(struct sqe, cap));
    entry->second = quick_word(shared, offsetof(struct sqe, interface_id));
    entry->user_data = quick_word(shared, offsetof(struct sqe, user_data));
    entry->result_bytes = (uint32_t)room;
    return (first & form.fixed) == form.usual && room <= LIMIT_ARENA_BYTES &&
           quick_word(shared, offsetof(struct sqe, spare)) == 0 &&
           thread_arena_offset(thread, quick_word(shared, offsetof(struct sqe, message)),
                               entry->message_bytes, &entry->message) &&
           thread_arena_offset(thread, quick_word(shared, offsetof(struct sqe, result)), room,
                               &entry->result);
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
static inline enum quick call_refuse_id(struct thread *thread, const struct entry *entry,
                                        enum transport_error error)
{
    entry_complete(thread, &(struct cqe){.user_data = entry->user_data,
                                         .result = error,
                                         .refusal = {.reason = (uint16_t)-error,
                                                     .argument = ARGUMENT_CAP,
                                                     .amount = entry->cap.raw}});
    return QUICK_DONE;
}

/* A CALL of a kernel object's method that reads nothing, changes nothing and answers with an empty
 * structure (object_type.quick). The process's lock is held: the edge is not pinned. */
static inline enum quick call_quick(struct thread *thread, const struct entry *entry,
                                    const struct hold_edge *edge)
{
    unsigned method = entry->first >> 16 & UINT8_MAX;

    if (method >= 64 || (((const struct object *)edge->object)->type->quick >> method & 1) == 0 ||
        edge->interface_id != entry->second || edge->facet != CAP_FACET_ALL ||
        entry->message_bytes > LIMIT_CALL_BYTES || entry->result_bytes < LIMIT_ANSWER_ROOM ||
        entry->result % EMPTY_ANSWER_BYTES != 0) {
        return QUICK_NONE;
    }
    *(uint64_t *)(void *)(thread->arena_page[entry->result / LIMIT_PAGE_BYTES] +
                          entry->result % LIMIT_PAGE_BYTES) = EMPTY_ANSWER;
    entry_complete(thread,
                   &(struct cqe){.user_data = entry->user_data, .result = EMPTY_ANSWER_BYTES});
    return QUICK_DONE;
}

/* The thread's edge `id` if it is whole and was never delegated; its process's lock is held. */
static inline const struct hold_edge *edge_find(struct thread *thread, struct cap_id id,
                                                uint64_t interface_id)
{
    const struct hold_edge *edge;

    return LIKELY(cap_table_lookup(&thread->process->table, id, &edge) == TRANSPORT_OK) &&
                   edge->interface_id == interface_id && edge->facet == CAP_FACET_ALL &&
                   edge->grant == NULL
               ? edge
               : NULL;
}

/* An operation with `slots` for what arrives, from what the thread has drawn and has over; NULL:
 * the long way, which draws more. Its ring is locked. */
static inline struct operation *operation_take_over(struct thread *thread, enum operation_kind kind,
                                                    uint32_t slots)
{
    struct operation *operation;
    struct list_node *node;

    if (UNLIKELY(thread->slots_over < slots ||
                 (kind == OPERATION_RECEIVE ? thread->receives >= thread->ring.cq_entries / 2
                                            : thread->calls_used >= thread->calls_held))) {
        return NULL;
    }
    node = list_pop_front(&thread->operations_free);
    if (UNLIKELY(node == NULL)) {
        return NULL;
    }
    operation = CONTAINER_OF(node, struct operation, free_node);
    operation->kind = kind;
    operation->slots = slots;
    thread->slots_over -= slots;
    thread->operations_used++;
    thread->receives += kind == OPERATION_RECEIVE;
    operation->counted = kind == OPERATION_CALL;
    thread->calls_used += kind == OPERATION_CALL;
    return operation;
}

/* Copies within one page of each side, or the long way round. */
static inline void message_copy(struct thread *to, uint32_t to_offset, struct thread *from,
                                uint32_t from_offset, uint32_t bytes)
{
    uint32_t to_within = to_offset % LIMIT_PAGE_BYTES;
    uint32_t from_within = from_offset % LIMIT_PAGE_BYTES;

    if (LIKELY(to_within + bytes <= LIMIT_PAGE_BYTES && from_within + bytes <= LIMIT_PAGE_BYTES &&
               bytes != 0)) {
        arch_copy_words(to->arena_page[to_offset / LIMIT_PAGE_BYTES] + to_within,
                        from->arena_page[from_offset / LIMIT_PAGE_BYTES] + from_within, bytes / 8);
    } else {
        arena_copy(to, to_offset, from, from_offset, bytes);
    }
}

/* Gives up what the operation holds. Endpoint lock held. */
static inline void operation_let_go(struct endpoint *endpoint, struct operation *operation)
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

/* operation_release_locked for an operation that holds nothing any more. Its thread keeps what it
 * has drawn for calls as long as it has more than it would give back. */
static inline void operation_free(struct thread *thread, struct operation *operation)
{
    if (UNLIKELY(operation->grant != NULL ||
                 (operation->counted && thread->calls_used == 1 && thread->calls_held > 1))) {
        operation_release_locked(operation);
        return;
    }
    ASSERT(operation->target == NULL && operation->bundle.count == 0);
    thread->slots_over += operation->slots;
    thread->receives -= operation->kind == OPERATION_RECEIVE;
    thread->calls_used -= operation->counted;
    thread->operations_used--;
    operation->slots = 0;
    operation->kind = OPERATION_FREE;
    operation->endpoint = NULL;
    operation->receiver = NULL;
    list_push_back(&thread->operations_free, &operation->free_node);
}

/* Ends `operation` of `peer` with a number of bytes. True: the peer was waiting for that, on this
 * CPU, and may run here and now instead of being queued. Endpoint lock held. */
static ALWAYS_INLINE bool complete(struct cpu *cpu, const struct thread *current,
                                   struct operation *operation, struct operation *taken,
                                   uint32_t bytes, uint32_t flags)
{
    /* `current` NULL: the current thread is not about to wait. `taken`: the call that it got. */
    struct thread *peer = operation->owner;
    bool straight = false;

    spinlock_lock(&peer->ring_lock);
    if (taken != NULL) {
        list_push_back(&peer->received, &taken->received_node);
    }
    ring_post_result(&peer->ring, operation->user_data, (int32_t)bytes, flags);
    operation_free(peer, operation);
    if (peer->waiting && (ring_completions(&peer->ring) >= peer->wait_for || peer->ring.corrupt)) {
        peer->waiting = false;
        straight =
            current != NULL && may_switch(cpu, current, peer,
                                          peer->deadline_ns == TIMEOUT_NONE && !peer->ring.corrupt);
        if (LIKELY(straight)) {
            if (peer->share.borrower != NULL) {
                sched_lent_back(peer);
            }
        } else {
            sched_thread_ready(peer);
        }
    }
    spinlock_unlock(&peer->ring_lock);
    return straight;
}

/* The current thread waits from now on, unless enough has come meanwhile; then `next`, if there is
 * one, is queued like any other. `lends`: it waits for what `next` does now. */
static inline enum quick finish(struct thread *thread, struct thread *next, bool lends)
{
    bool waits;

    spinlock_lock(&thread->ring_lock);
    waits =
        next != NULL && ring_completions(&thread->ring) < thread->wait_for && !thread->ring.corrupt;
    thread->waiting = waits;
    thread->entering = waits;
    if (waits && lends) {
        struct cpu *cpu = thread->task.cpu;

        /* Until the thread is ready again, which nobody can make it before its ring is unlocked:
         * a loan made later would have nobody to end it. If it cannot lend, each runs on its own.
         */
        spinlock_lock(&cpu->run_lock);
        (void)!sched_lend(&thread->share, &next->share);
        spinlock_unlock(&cpu->run_lock);
    }
    spinlock_unlock(&thread->ring_lock);
    if (!waits) {
        if (next != NULL) {
            sched_thread_ready(next);
        }
        return QUICK_DONE;
    }
    if (UNLIKELY(process_is_dying(thread->process))) {
        thread_wake(thread, false); /* the kill may have looked before the thread waited */
    }
    return QUICK_SWITCH;
}

/* ---- CALL --------------------------------------------------------------------------------------
 */

/* The call is in flight at the oldest receiver: writes its message there. Endpoint lock held. */
static inline void message_deliver(const struct operation *call, const struct operation *receive)
{
    struct thread *server = receive->owner;
    uint32_t within = receive->result_offset % LIMIT_PAGE_BYTES;
    struct endpoint_message own;
    struct endpoint_message *head = &own;

    ASSERT(sizeof(*head) + call->message_bytes <= receive->result_bytes);
    if (LIKELY(within + sizeof(*head) <= LIMIT_PAGE_BYTES)) {
        head =
            (struct endpoint_message
                 *)(void *)(server->arena_page[receive->result_offset / LIMIT_PAGE_BYTES] + within);
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
        thread_arena_write(server, receive->result_offset, head, sizeof(*head));
    }
    message_copy(server, receive->result_offset + (uint32_t)sizeof(*head), call->owner,
                 call->message_offset, call->message_bytes);
}

/* `call`, in flight, goes to the server of `receive`, which completes. Endpoint lock held. */
static ALWAYS_INLINE bool call_give(struct cpu *cpu, const struct thread *current,
                                    struct endpoint *endpoint, struct operation *call,
                                    struct operation *receive)
{
    message_deliver(call, receive);
    call->taken_epoch = receive->epoch;
    call->receiver = receive->owner;
    operation_let_go(endpoint, receive);
    return complete(cpu, current, receive, call,
                    (uint32_t)sizeof(struct endpoint_message) + call->message_bytes, 0);
}

/* Publishes `call`: it meets a receiver, whose operation is *receive then, or waits. False: the
 * long way. Endpoint lock held. */
static ALWAYS_INLINE bool call_publish(struct endpoint *endpoint, struct operation *call,
                                       struct operation **receive)
{
    struct endpoint_queues *queues = &endpoint->queues;
    struct endpoint_record *record = endpoint_next_receiver(queues);

    *receive = NULL;
    if (endpoint->closed || call->message_bytes > queues->limits.message_bytes) {
        return false;
    }
    if (record == NULL) {
        return endpoint_add_call(queues, &call->endpoint_record);
    }
    if (operation_of(record)->grant != NULL ||
        !endpoint_meet(queues, &call->endpoint_record, &call->token)) {
        return false;
    }
    *receive = operation_of(record);
    return true;
}

enum quick handoff_call(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                        struct thread **next)
{
    struct process *process = thread->process;
    struct entry own;
    const struct entry *entry = &own;
    const struct hold_edge *edge;
    struct endpoint *endpoint;
    struct operation *call = NULL;
    struct operation *receive;
    struct thread *server = NULL;
    struct object *target;
    enum transport_error error;
    uint32_t slots;
    bool straight = false;

    if (!entry_read(thread, shared, first_call, &own)) {
        return QUICK_NONE;
    }
    spinlock_lock(&process->lock);
    error = cap_table_lookup(&process->table, entry->cap, &edge);
    if (UNLIKELY(error != TRANSPORT_OK)) {
        spinlock_unlock(&process->lock);
        return call_refuse_id(thread, entry, error);
    }
    target = edge->object;
    endpoint = endpoint_of_client(target);
    if (endpoint == NULL || edge->interface_id != entry->second || edge->facet != CAP_FACET_ALL ||
        edge->grant != NULL) {
        enum quick handoff = call_quick(thread, entry, edge);

        spinlock_unlock(&process->lock);
        return handoff;
    }
    object_ref(target); /* the operation's, in the end */
    slots = entry->result_bytes / (uint32_t)sizeof(struct received_cap);
    slots =
        slots < endpoint->queues.limits.capabilities ? slots : endpoint->queues.limits.capabilities;
    spinlock_lock(&thread->ring_lock);
    call = operation_take_over(thread, OPERATION_CALL, slots);
    spinlock_unlock(&thread->ring_lock);
    if (LIKELY(call != NULL)) {
        call->user_data = entry->user_data;
        call->endpoint = endpoint;
        call->target = target;
        call->epoch = edge->epoch;
        call->badge = edge->badge;
        call->interface_id = entry->second;
        call->method = entry->first >> 16 & UINT8_MAX;
        call->message_offset = entry->message;
        call->message_bytes = entry->message_bytes;
        call->result_offset = entry->result;
        call->result_bytes = entry->result_bytes;
    }
    spinlock_unlock(&process->lock);
    if (UNLIKELY(call == NULL)) {
        object_unref(target);
        return QUICK_NONE;
    }
    spinlock_lock(&endpoint->lock);
    if (UNLIKELY(!call_publish(endpoint, call, &receive))) {
        spinlock_unlock(&endpoint->lock);
        call->target = NULL;
        operation_release(call);
        object_unref(target);
        return QUICK_NONE;
    }
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    cpu->effects += entry->message_bytes;
    if (receive != NULL) {
        server = receive->owner;
        straight = call_give(cpu, next != NULL ? thread : NULL, endpoint, call, receive);
    }
    spinlock_unlock(&endpoint->lock);
    if (next == NULL || !straight) {
        return QUICK_DONE;
    }
    *next = server;
    return finish(thread, *next, true);
}

/* ---- RETURN_RECV -------------------------------------------------------------------------------
 */

/* The call in flight under `token` if its answer has nothing unusual. Endpoint lock held. */
static inline struct operation *call_find(const struct endpoint *endpoint,
                                          const struct thread *server, const struct entry *entry)
{
    struct endpoint_record *record = endpoint_find(&endpoint->queues, entry->second);
    struct operation *call;

    if (UNLIKELY(record == NULL || endpoint->closed)) {
        return NULL;
    }
    call = operation_of(record);
    return call->receiver == server && call->answer == 0 && call->grant == NULL &&
                   call->taken_grant == NULL && entry->message_bytes <= call->result_bytes &&
                   endpoint->queues.token[record->token_slot].watch == NULL
               ? call
               : NULL;
}

/* The call was the last of its session: whoever receives is told, perhaps this thread. Gives the
 * endpoint's lock back. */
static COLD void closed_deliver(struct endpoint *endpoint)
{
    struct settling settling;

    object_ref(&endpoint->object); /* others' references may go as soon as the lock does */
    settle_begin(&settling);
    settle_unlock(endpoint, &settling);
    object_unref(&endpoint->object);
}

enum quick handoff_return(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                          struct thread **next)
{
    struct process *process = thread->process;
    struct entry own;
    const struct entry *entry = &own;
    const struct hold_edge *edge;
    struct endpoint *endpoint;
    struct operation *receive = NULL;
    struct operation *call = NULL;
    struct thread *client;
    struct endpoint_record *waiting;
    struct endpoint_end end;
    uint64_t epoch;
    bool straight = false;

    if (!entry_read(thread, shared, first_return, &own)) {
        return QUICK_NONE;
    }
    spinlock_lock(&process->lock);
    edge = edge_find(thread, entry->cap, ENDPOINT_INTERFACE_ID);
    if (edge == NULL || ((const struct object *)edge->object)->type != &endpoint_owner_type) {
        spinlock_unlock(&process->lock);
        return QUICK_NONE;
    }
    endpoint = endpoint_of_owner(edge->object);
    epoch = edge->epoch;
    object_ref(&endpoint->object); /* the receive's, in the end */
    spinlock_unlock(&process->lock);

    spinlock_lock(&endpoint->lock);
    waiting = endpoint_waiting_call(&endpoint->queues);
    if (entry->result % 8 == 0 &&
        entry->result_bytes >= endpoint_receive_bytes(&endpoint->queues.limits) &&
        endpoint_only_calls(&endpoint->queues) &&
        (waiting == NULL || /* or all tokens were out, and older receivers may wait with it */
         (endpoint_next_receiver(&endpoint->queues) == NULL &&
          operation_of(waiting)->bundle.count == 0 && operation_of(waiting)->grant == NULL))) {
        call = call_find(endpoint, thread, entry);
    }
    if (LIKELY(call != NULL)) {
        spinlock_lock(&thread->ring_lock);
        receive =
            operation_take_over(thread, OPERATION_RECEIVE, endpoint->queues.limits.capabilities);
        if (LIKELY(receive != NULL)) {
            list_remove(&call->received_node);
        }
        spinlock_unlock(&thread->ring_lock);
    }
    if (UNLIKELY(receive == NULL)) {
        spinlock_unlock(&endpoint->lock);
        object_unref(&endpoint->object);
        return QUICK_NONE;
    }
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    cpu->effects += entry->message_bytes;
    receive->user_data = entry->user_data;
    receive->endpoint = endpoint;
    receive->target = &endpoint->object;
    receive->epoch = epoch;
    receive->result_offset = entry->result;
    receive->result_bytes = entry->result_bytes;
    message_copy(call->owner, call->result_offset, thread, entry->message, entry->message_bytes);
    if (endpoint_finish(&endpoint->queues, entry->second, &end) != TRANSPORT_OK ||
        (waiting == NULL && !endpoint_add_receiver(&endpoint->queues, &receive->endpoint_record))) {
        ASSERT(false); /* found above; fewer receivers than a moment ago */
    }
    call->receiver = NULL;
    client = call->owner;
    operation_let_go(endpoint, call);
    straight = complete(cpu, next != NULL && waiting == NULL ? thread : NULL, call, NULL,
                        entry->message_bytes,
                        (entry->first >> 8 & SQE_EXCEPTION) != 0 ? (uint32_t)CQE_EXCEPTION : 0);
    if (waiting != NULL) {
        struct operation *taken = operation_of(waiting);

        taken->token = endpoint_hand_out(&endpoint->queues);
        (void)call_give(cpu, NULL, endpoint, taken, receive);
    }
    if (UNLIKELY(endpoint_session_closed(&endpoint->queues) != NULL)) {
        closed_deliver(endpoint);
    } else {
        spinlock_unlock(&endpoint->lock);
    }
    if (!straight) {
        return QUICK_DONE;
    }
    *next = client;
    return finish(thread, client, false);
}
