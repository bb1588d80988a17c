/* SPDX-License-Identifier: MIT */
/* The short way of a RETURN_RECV that carries a capability, or that answers a call whose answer is
 * kept. Theory in handoff_promise.c. */
#include "core/cap_slot.h"
#include "kernel/ipc/answers.h"
#include "kernel/ipc/handoff_inside.h"
#include "kernel/ipc/handoff_promise.h"

/* What one is about. */
struct answering {
    struct endpoint *endpoint; /* locked and pinned */
    uint64_t epoch;            /* of the owner's edge */
    const uint8_t *shared;
    uint64_t first; /* word of the entry */
    struct buffers buffers;
    bool passes;             /* a capability: */
    struct passed passed;    /* with references of its own */
    struct answer_path path; /* where the message points at it */
    struct operation *call;  /* that is answered */
};

/* Reads the one descriptor, behind the message; false: it is no plain copy with a path of at most
 * one step, or lies across pages. */
static inline bool descriptor_read(const struct thread *thread, struct answering *answering)
{
    const uint8_t *descriptor = descriptor_at(thread, &answering->buffers);

    answering->path = (struct answer_path){.step = {0}};
    return descriptor != NULL &&
           descriptor_copies(descriptor, &answering->passed.from, &answering->path.step[0]);
}

/* What the entry says of the thread's own table: the endpoint, pinned, and what it passes, with
 * references. False: something is not usual, and nothing is pinned. */
static inline bool edges_find(struct process *process, struct cap_id cap,
                              struct answering *answering)
{
    const struct hold_edge *edge;
    bool found = false;

    spinlock_lock(&process->lock);
    edge = owner_edge(&process->table, cap);
    if (LIKELY(edge != NULL)) {
        answering->endpoint = endpoint_of_owner(edge->object);
        answering->epoch = edge->epoch;
        found = !answering->passes || handoff_passed(process, &answering->passed);
    }
    if (found) {
        object_ref(&answering->endpoint->object);
    }
    spinlock_unlock(&process->lock);
    return found;
}

/* The call in flight under `token` if this answer to it has nothing unusual; NULL: it has. Endpoint
 * lock held. */
static inline struct operation *answering_find(const struct thread *server,
                                               const struct answering *answering, uint64_t token)
{
    const struct endpoint *endpoint = answering->endpoint;
    uint32_t records = answering->passes * (uint32_t)sizeof(struct received_cap);
    struct operation *call = call_taken(endpoint, server, token, true);

    return LIKELY(call != NULL && !endpoint->closed &&
                  answering->buffers.message_bytes + records <= call->result_bytes &&
                  call->slots >= answering->passes)
               ? call
               : NULL;
}

/* The receive that comes with the answer, when nobody's call waits; NULL: the thread has too little
 * over. Endpoint lock held. */
static inline struct operation *
receive_take(struct thread *thread, const struct answering *answering, bool last, bool *waits)
{
    struct operation *receive = NULL;

    spinlock_lock(&thread->ring_lock);
    if (LIKELY(receive_fits(thread, answering->endpoint))) {
        receive = receive_begin(thread, answering->endpoint, answering->call);
        *waits = last && wait_begin(thread);
    }
    spinlock_unlock(&thread->ring_lock);
    return receive;
}

static inline void receive_queue(struct operation *receive, const struct answering *answering)
{
    struct endpoint *endpoint = answering->endpoint;

    receive->user_data = quick_word(answering->shared, offsetof(struct sqe, user_data));
    receive->endpoint = endpoint;
    receive->target = &endpoint->object;
    object_ref(&endpoint->object);
    receive->epoch = answering->epoch;
    receive->result_offset = answering->buffers.result;
    receive->result_bytes = answering->buffers.result_bytes;
    if (!endpoint_add_receiver(&endpoint->queues, &receive->endpoint_record)) {
        ASSERT(false); /* endpoint_only_calls */
    }
}

/* The capability arrives in the caller's table, its record behind the message; its id. */
static inline struct cap_id answer_pass(const struct thread *server,
                                        const struct answering *answering)
{
    struct operation *call = answering->call;
    const struct arrival arrival = {.call = call,
                                    .from = server->process,
                                    .to = call->owner->process,
                                    .slots = &call->slots,
                                    .origin = EDGE_ORIGIN_RESULT};
    struct cap_id cap = handoff_arrive(&arrival, &answering->passed);

    record_write(call->owner, call->result_offset + answering->buffers.message_bytes,
                 &answering->passed.edge, cap);
    return cap;
}

/* Whether what waits for `answer`, which is decided now, may be sent here: one call, by a thread of
 * this CPU, with the endpoint as its target and as usual. Its thread's ring and its process are
 * locked. */
static inline bool promised_find(const struct cpu *cpu, struct thread *client,
                                 struct endpoint *endpoint, const struct answer *answer,
                                 struct promised *promised)
{
    struct answer_call *waiting = answer_sole(&client->answers, answer, &promised->cap);
    struct endpoint_record *record = endpoint_next_receiver(&endpoint->queues);
    const struct operation *call;

    if (waiting == NULL || record == NULL || client->task.cpu != cpu || client->answers_running ||
        client->exiting || process_is_dying(client->process)) {
        return false;
    }
    promised->operation = CONTAINER_OF(waiting, struct operation, promised);
    promised->endpoint = endpoint;
    call = promised->operation;
    return call->located &&
           cap_table_lookup(&client->process->table, promised->cap, &promised->edge) ==
               TRANSPORT_OK &&
           endpoint_of_client(promised->edge->object) == endpoint &&
           promised->edge->interface_id == call->interface_id &&
           promised->edge->facet == CAP_FACET_ALL && promised->edge->grant == NULL &&
           call->message_bytes <= endpoint->queues.limits.message_bytes &&
           client->slots_over >=
               endpoint_answer_slots(&endpoint->queues.limits, call->result_bytes) &&
           operation_of(record)->grant == NULL && endpoint_can_meet(&endpoint->queues);
}

/* What the call completes with. */
static inline struct given answering_gives(const struct answering *answering)
{
    struct given given = given_by(answering->first);

    given.flags |= (uint32_t)answering->passes << CQE_CAPS_SHIFT;
    return given;
}

/* The kept answer of the call comes, with `cap` if one came beside it: the call completes, or waits
 * with its completion for what was promised from it. What may be sent at once is `promised` (true).
 * Endpoint lock held. */
static inline bool kept_answer(struct cpu *cpu, const struct answering *answering,
                               struct cap_id cap, struct promised *promised)
{
    struct operation *call = answering->call;
    struct thread *client = call->owner;
    uint32_t id = call->answer;
    struct given given = answering_gives(answering);
    struct cqe cqe = {.user_data = call->user_data, .result = given.bytes, .flags = given.flags};
    struct answer *answer;
    bool sends;

    spinlock_lock(&client->process->lock);
    spinlock_lock(&client->ring_lock);
    answer = answer_opened(&client->answers, id);
    if (answering->passes) {
        answer_add(&client->answers, answer, answering->path, cap);
    }
    call->answer = 0;
    call_release(client, call);
    sends = (cqe.flags & CQE_EXCEPTION) == 0 &&
            promised_find(cpu, client, answering->endpoint, answer, promised);
    if (sends) {
        promised_begin(promised);
        ring_post(&client->ring, &cqe);
        (void)wait_end(cpu, client, NULL, false);
    } else {
        answers_complete_locked(client, id, &cqe);
    }
    spinlock_unlock(&client->ring_lock);
    spinlock_unlock(&client->process->lock);
    return sends;
}

/* The promised call meets the oldest receiver. Endpoint lock held. */
static inline void promised_send(struct cpu *cpu, const struct promised *promised)
{
    struct endpoint_queues *queues = &promised->endpoint->queues;
    struct operation *call = promised->operation;
    struct operation *receive = operation_of(endpoint_take_receiver(queues));

    cpu->effects += call->message_bytes;
    call->token = endpoint_fly(queues, &call->endpoint_record);
    (void)call_give(cpu, promised->endpoint, call, receive, NULL, NULL);
}

/* The submission is accepted, the receive that came with it waits: the answer goes to its caller.
 * wait_end's result. Endpoint lock held. */
static inline bool answer_give(struct cpu *cpu, struct thread *thread,
                               const struct answering *answering, const struct thread *waits)
{
    struct operation *call = answering->call;
    struct thread *client = call->owner;
    uint32_t bytes = answering->buffers.message_bytes;
    struct cap_id cap = {0};
    struct promised promised;

    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    cpu->effects += bytes;
    message_copy(client, call->result_offset, thread, answering->buffers.message, bytes);
    if (answering->passes) {
        cap = answer_pass(thread, answering);
    }
    (void)endpoint_retire(&answering->endpoint->queues, call->endpoint_record.token_slot);
    operation_let_go(answering->endpoint, call);
    if (call->answer != 0) {
        if (thread_lends_to(client, thread)) {
            sched_lent_for(client, thread);
        }
        if (kept_answer(cpu, answering, cap, &promised)) {
            promised_send(cpu, &promised);
        }
        return false;
    }
    return call_complete(cpu, thread, call, answering_gives(answering), waits);
}

/* The endpoint is locked and pinned. */
static inline enum quick answer_one(struct cpu *cpu, struct thread *thread,
                                    struct answering *answering, struct thread **next)
{
    const struct endpoint_queues *queues = &answering->endpoint->queues;
    struct operation *receive;
    struct thread *client;
    bool waits = false;

    if (answering->buffers.result % 8 != 0 ||
        answering->buffers.result_bytes < answering->endpoint->receive_bytes ||
        answering->passes > queues->limits.capabilities || !endpoint_only_calls(queues) ||
        endpoint_waiting_call(queues) != NULL) {
        return QUICK_NONE;
    }
    answering->call = answering_find(thread, answering,
                                     quick_word(answering->shared, offsetof(struct sqe, token)));
    if (UNLIKELY(answering->call == NULL)) {
        return QUICK_NONE;
    }
    /* What is promised from a kept answer may be for this thread: it does not wait yet. */
    receive = receive_take(thread, answering, next != NULL && answering->call->answer == 0, &waits);
    if (UNLIKELY(receive == NULL)) {
        return QUICK_NONE;
    }
    client = answering->call->owner;
    receive_queue(receive, answering);
    if (answer_give(cpu, thread, answering, waits ? thread : NULL)) {
        *next = client;
        return QUICK_SWITCH;
    }
    return waits ? QUICK_WAIT : QUICK_DONE;
}

/* Any that is no link of a chain. */
static NOINLINE enum quick answer_pinned(struct cpu *cpu, struct thread *thread, uint32_t left,
                                         struct thread **next)
{
    const uint8_t *shared = ring_peek(&thread->ring, thread->ring.sq_head);
    struct cap_id cap = {quick_word(shared, offsetof(struct sqe, cap))};
    struct answering answering;
    enum quick quick;

    answering.shared = shared;
    answering.first = quick_word(shared, 0);
    answering.passes = (answering.first >> 24 & 1) != 0;
    if ((answering.first & RETURN_FIXED & ~HANDOFF_PASSING) != RETURN_USUAL ||
        !buffers_read(thread, shared, answering.first, &answering.buffers) ||
        (answering.passes && !descriptor_read(thread, &answering))) {
        return QUICK_NONE;
    }
    if (!edges_find(thread->process, cap, &answering)) {
        return QUICK_NONE;
    }
    spinlock_lock(&answering.endpoint->lock);
    quick = answer_one(cpu, thread, &answering, left == 1 ? next : NULL);
    if (UNLIKELY(quick != QUICK_NONE && endpoint_has_closed(&answering.endpoint->queues))) {
        handoff_closed(answering.endpoint);
    } else {
        spinlock_unlock(&answering.endpoint->lock);
    }
    if (quick == QUICK_NONE && answering.passes) {
        object_unref(answering.passed.edge.object);
    }
    object_unref(&answering.endpoint->object);
    return quick;
}

/* One that may be a link. */
static NOINLINE enum quick answer_linked(struct cpu *cpu, struct thread *thread, uint32_t left,
                                         struct thread **next)
{
    if (LIKELY(handoff_relay(cpu, thread, ring_peek(&thread->ring, thread->ring.sq_head)))) {
        return QUICK_DONE;
    }
    atomic_store_relaxed_u32(&thread->links, 0);
    return answer_pinned(cpu, thread, left, next);
}

enum quick handoff_answer(struct cpu *cpu, struct thread *thread, uint32_t left,
                          struct thread **next)
{
    return atomic_load_relaxed_u32(&thread->links) != 0 ? answer_linked(cpu, thread, left, next)
                                                        : answer_pinned(cpu, thread, left, next);
}
