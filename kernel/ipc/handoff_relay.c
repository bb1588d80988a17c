/* SPDX-License-Identifier: MIT */
/*
 * The short way of a RETURN_RECV whose answer is for one promised call alone: a link of a chain.
 * Theory in handoff_promise.c.
 *
 * All that is looked at is looked at before anything changes, in the order in which its locks are
 * taken. The lock of the server's process is what keeps the endpoint and what is passed until the
 * endpoint's is taken, which is tried; then the call keeps them, whose reference becomes the next
 * one's if both go through one object.
 *
 * The receive of the entry takes the next call, or, if receives of the thread wait already, the
 * place of the oldest, which takes it: then that one's operation becomes that of the entry.
 */
#include "core/cap_slot.h"
#include "kernel/ipc/handoff_inside.h"
#include "kernel/ipc/handoff_promise.h"

/* The first word of such an entry: as of any RETURN_RECV, but no exception, and one transfer. */
#define RELAY_FIXED (RETURN_FIXED | (uint64_t)SQE_EXCEPTION << 8)
#define RELAY_USUAL (RETURN_USUAL | HANDOFF_PASSING)

/* What the entry says, and what it is about. */
struct relaying {
    struct relay relay;
    struct thread *thread; /* the server */
    uint64_t epoch;        /* of the owner's edge */
    uint64_t user_data;
    uint32_t message; /* in the arena, with its descriptor */
    uint32_t result;
    uint32_t result_bytes;
    struct answer_path path; /* where the message points at the capability */
    struct cap_id from;      /* what is passed, in the server's table, */
    struct hold_edge edge;   /* and as it would be in the client's */
};

/* Reads the entry and its one descriptor, behind the message; false: it is not usual. */
static ALWAYS_INLINE bool relay_read(const struct thread *thread, const uint8_t *shared,
                                     struct relaying *relaying)
{
    uint64_t first = quick_word(shared, 0);
    uint64_t room = quick_word(shared, offsetof(struct sqe, result_bytes)); /* no answer's id */
    uint64_t bytes = first >> 32;
    uint32_t at;

    if (UNLIKELY((first & RELAY_FIXED) != RELAY_USUAL ||
                 quick_word(shared, offsetof(struct sqe, spare)) != 0 ||
                 !thread_arena_offset(thread, quick_word(shared, offsetof(struct sqe, message)),
                                      bytes + sizeof(struct transfer), &relaying->message) ||
                 !thread_arena_offset(thread, quick_word(shared, offsetof(struct sqe, result)),
                                      room, &relaying->result) ||
                 ((relaying->message | relaying->result) & 7) != 0)) {
        return false;
    }
    at = relaying->message + (uint32_t)bytes;
    if (UNLIKELY(at % LIMIT_PAGE_BYTES > LIMIT_PAGE_BYTES - sizeof(struct transfer))) {
        return false;
    }
    relaying->path = (struct answer_path){.step = {0}};
    relaying->relay.message_bytes = (uint32_t)bytes;
    relaying->result_bytes = (uint32_t)room;
    relaying->user_data = quick_word(shared, offsetof(struct sqe, user_data));
    return LIKELY(
        descriptor_copies(arena_at(thread, at), &relaying->from, &relaying->path.step[0]));
}

/* The edges that the entry names, of the endpoint by `cap`, which is locked if it is free, and of
 * what is passed, a client's of the same endpoint; false: something is not usual. The server's
 * process is locked. */
static ALWAYS_INLINE bool relay_edges(const struct cap_table *table, struct cap_id cap,
                                      struct relaying *relaying)
{
    const struct hold_edge *owner = owner_edge(table, cap);
    const struct cap_slot *given = cap_table_slot(table, relaying->from);
    struct endpoint *endpoint;

    if (UNLIKELY(owner == NULL || !cap_slot_is_plain(given, relaying->from) ||
                 given->edge.facet != CAP_FACET_ALL ||
                 !hold_edge_pass_copy(&given->edge, &relaying->edge))) {
        return false;
    }
    endpoint = endpoint_of_owner(owner->object);
    relaying->relay.promised.endpoint = endpoint;
    relaying->relay.promised.edge = &relaying->edge;
    relaying->epoch = owner->epoch;
    return LIKELY(endpoint_of_client(given->edge.object) == endpoint &&
                  spinlock_try(&endpoint->lock));
}

/* The call in flight under `token` if it may be answered so by the thread, and its client, who
 * keeps the answer, is of this CPU; else NULL. The endpoint is locked. */
static ALWAYS_INLINE struct operation *relay_call_find(const struct cpu *cpu, uint64_t token,
                                                       const struct relaying *relaying)
{
    const struct endpoint *endpoint = relaying->relay.promised.endpoint;
    struct operation *call = call_taken(endpoint, relaying->thread, token, true);

    return LIKELY(call != NULL && !endpoint->closed && call->answer != 0 && call->slots != 0 &&
                  call->owner->task.cpu == cpu &&
                  relaying->relay.message_bytes + sizeof(struct received_cap) <= call->result_bytes)
               ? call
               : NULL;
}

/* Whether a receive that comes now gets the next call at once, or takes the place of the oldest one
 * that waits, which is the thread's too: `receive`. What the thread has over for it only grows by
 * others. The endpoint is locked. */
static ALWAYS_INLINE bool relay_receives(const struct relaying *relaying,
                                         const struct operation *receive)
{
    const struct endpoint *endpoint = relaying->relay.promised.endpoint;
    const struct endpoint_queues *queues = &endpoint->queues;
    const struct thread *thread = relaying->thread;

    return LIKELY(relaying->result_bytes >= endpoint->receive_bytes && queues->call_count == 0 &&
                  endpoint_only_calls(queues) && receive_fits(thread, endpoint) &&
                  (receive == NULL || (receive->owner == thread && receive->grant == NULL)));
}

/* Whether the answer to `call` is for one call alone, which may be sent on here; its id in the
 * client's table is given out then. Process and ring of the client are locked, who runs on this
 * CPU. */
static ALWAYS_INLINE bool relay_find(struct relaying *relaying, const struct operation *call,
                                     struct thread *client, struct process *process)
{
    struct promised *promised = &relaying->relay.promised;
    const struct endpoint_limits *limits = &promised->endpoint->queues.limits;
    struct answer_call *waiting = answer_relays(
        &client->answers, answer_opened(&client->answers, call->answer), relaying->path);
    struct operation *next;

    if (UNLIKELY(waiting == NULL || (client->answers_running | client->exiting) != 0 ||
                 process_is_dying(process))) {
        return false;
    }
    next = CONTAINER_OF(waiting, struct operation, promised);
    if (UNLIKELY(!next->located || next->interface_id != relaying->edge.interface_id ||
                 next->message_bytes > limits->message_bytes ||
                 client->slots_over + call->slots <
                     endpoint_answer_slots(limits, next->result_bytes))) {
        return false;
    }
    promised->operation = next;
    promised->cap = slot_pass(&process->table);
    return LIKELY(promised->cap.raw != 0);
}

/* The answer, accepted, and the record of what came go to the client, whose call completes; the
 * promised call is nowhere. Process and ring of the client are locked. */
static ALWAYS_INLINE void relay_answer(struct cpu *cpu, struct relaying *relaying,
                                       struct operation *call, struct thread *client)
{
    const struct relay *relay = &relaying->relay;
    struct thread *thread = relaying->thread;

    endpoint_land(&relay->promised.endpoint->queues, &call->endpoint_record,
                  call->endpoint_record.token_slot);
    call->target = NULL;
    relaying->relay.call = call;
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    message_copy(client, call->result_offset, thread, relaying->message, relay->message_bytes);
    record_write(client, call->result_offset + relay->message_bytes, &relaying->edge,
                 relay->promised.cap);
    relay_begin(relay);
    (void)wait_end(cpu, client, NULL, false);
    if (UNLIKELY(thread_lends_to(client, thread))) {
        sched_lent_for(client, thread);
    }
}

/* The promised call flies to the receive of the entry, or to `receive`, the oldest of the thread,
 * whose operation is the entry's from then on and the youngest; it takes the place of `call` among
 * those that the thread has to answer. The endpoint is locked. */
static ALWAYS_INLINE void relay_deliver(const struct relaying *relaying, struct operation *receive,
                                        struct operation *call)
{
    struct endpoint_queues *queues = &relaying->relay.promised.endpoint->queues;
    struct operation *next = relaying->relay.promised.operation;
    struct thread *thread = relaying->thread;
    uint64_t told = relaying->user_data;
    uint32_t offset = relaying->result;

    atomic_store_relaxed_u32(&thread->links, next->answer != 0);
    next->token = endpoint_fly(queues, &next->endpoint_record);
    next->taken_epoch = relaying->epoch;
    next->receiver = thread;
    if (LIKELY(receive != NULL)) {
        told = receive->user_data;
        offset = receive->result_offset;
        next->taken_epoch = receive->epoch;
        receive->user_data = relaying->user_data;
        receive->result_offset = relaying->result;
        receive->result_bytes = relaying->result_bytes;
        receive->epoch = relaying->epoch;
        endpoint_rotate_receivers(queues);
    }
    call_deliver(thread, offset, next);
    spinlock_lock(&thread->ring_lock);
    list_replace(&call->received_node, &next->received_node);
    ring_post_result(&thread->ring, told,
                     (int32_t)(sizeof(struct endpoint_message) + next->message_bytes), 0);
    spinlock_unlock(&thread->ring_lock);
}

/* The endpoint is locked, `call` found, and what is passed is kept. False: nothing changed. */
static ALWAYS_INLINE bool relay_one(struct cpu *cpu, struct relaying *relaying,
                                    struct operation *receive, struct operation *call)
{
    struct thread *client = call->owner;
    struct process *process = client->process;
    bool found;

    spinlock_lock(&process->lock);
    spinlock_lock(&client->ring_lock);
    found = relay_find(relaying, call, client, process);
    if (LIKELY(found)) {
        cpu->effects +=
            relaying->relay.message_bytes + relaying->relay.promised.operation->message_bytes;
        relay_answer(cpu, relaying, call, client);
    }
    spinlock_unlock(&client->ring_lock);
    spinlock_unlock(&process->lock);
    if (LIKELY(found)) {
        relay_deliver(relaying, receive, call);
    }
    return found;
}

/* Gives up a reference of what clients' edges of the endpoint name. The endpoint is locked, and
 * given back. */
static NOINLINE void target_drop(struct endpoint *endpoint, struct object *target)
{
    if (object_put(target)) {
        ASSERT(target->type == &session_type); /* the endpoint is kept */
        session_over(endpoint, CONTAINER_OF(target, struct session, object));
    }
    if (UNLIKELY(endpoint_has_closed(&endpoint->queues))) {
        handoff_closed(endpoint);
    } else {
        spinlock_unlock(&endpoint->lock);
    }
}

bool handoff_relay(struct cpu *cpu, struct thread *thread, const uint8_t *shared)
{
    struct process *process = thread->process;
    struct cap_id cap;
    struct relaying relaying;
    struct operation *receive;
    struct operation *call;
    struct endpoint *endpoint;
    struct object *target;
    struct object *given;
    bool relayed;

    relaying.thread = thread;
    if (UNLIKELY(!relay_read(thread, shared, &relaying))) {
        return false;
    }
    cap.raw = quick_word(shared, offsetof(struct sqe, cap));
    spinlock_lock(&process->lock);
    if (UNLIKELY(!relay_edges(&process->table, cap, &relaying))) {
        spinlock_unlock(&process->lock);
        return false;
    }
    endpoint = relaying.relay.promised.endpoint;
    receive = endpoint->queues.receiver_count == 0
                  ? NULL
                  : operation_of(endpoint_oldest_receiver(&endpoint->queues));
    call = relay_call_find(cpu, quick_word(shared, offsetof(struct sqe, token)), &relaying);
    if (UNLIKELY(call == NULL || !relay_receives(&relaying, receive))) {
        spinlock_unlock(&process->lock);
        spinlock_unlock(&endpoint->lock);
        return false;
    }
    target = call->target;
    given = relaying.edge.object;
    if (UNLIKELY(target != given)) {
        object_ref(given);
    }
    spinlock_unlock(&process->lock);
    relayed = relay_one(cpu, &relaying, receive, call);
    if (UNLIKELY(target != given)) {
        target_drop(endpoint, relayed ? target : given);
    } else {
        spinlock_unlock(&endpoint->lock);
    }
    return relayed;
}
