/* SPDX-License-Identifier: MIT */
/* The short way of RETURN_RECV. Theory in handoff.c. */
#include "kernel/ipc/handoff_inside.h"
#include "kernel/ipc/handoff_promise.h"

COLD void handoff_closed(struct endpoint *endpoint)
{
    struct settling settling;

    object_ref(&endpoint->object); /* others' references may go as soon as the lock does */
    settle_begin(&settling);
    settle_unlock(endpoint, &settling);
    object_unref(&endpoint->object);
}

/* The endpoint whose owner's edge `cap` is; NULL: the edge is not usual. The process is locked. */
static ALWAYS_INLINE struct endpoint *owned_endpoint(const struct process *process,
                                                     struct cap_id cap)
{
    const struct hold_edge *edge = owner_edge(&process->table, cap);

    return LIKELY(edge != NULL) ? endpoint_of_owner(edge->object) : NULL;
}

/* The receive of a RETURN_RECV that begins its thread's wait; its call is the server's no more.
 * NULL: it would not wait, or has too little over. Endpoint and process are locked. */
static ALWAYS_INLINE struct operation *
receive_take(struct thread *thread, const struct endpoint *endpoint, struct operation *call)
{
    struct operation *receive = NULL;

    spinlock_lock(&thread->ring_lock);
    if (LIKELY(receive_fits(thread, endpoint) && wait_begin(thread))) {
        receive = receive_begin(thread, endpoint, call);
    }
    spinlock_unlock(&thread->ring_lock);
    return receive;
}

/* What return_meet has found: the answer is given, the server waits, and its thread leaves for the
 * client, or waits. The process's lock is given back. `session`: the call is of one, which may end
 * with it, and the endpoint's reference that its receive has is new. */
static ALWAYS_INLINE void return_give(struct cpu *cpu, const uint8_t *shared,
                                      const struct returning *returning, bool session)
{
    struct endpoint *endpoint = returning->endpoint;
    struct endpoint_queues *queues = &endpoint->queues;
    struct operation *receive = returning->receive;
    struct operation *call = returning->call;
    struct object *target = call->target;
    struct thread *thread = receive->owner;
    struct thread *client = call->owner;
    bool straight;

    spinlock_unlock(&thread->process->lock);
    receive->user_data = quick_word(shared, offsetof(struct sqe, user_data));
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    receive->endpoint = endpoint;
    receive->target = &endpoint->object;
    call->target = NULL;
    receive->result_offset = returning->buffers.result;
    receive->result_bytes = returning->buffers.result_bytes;
    endpoint_push_receiver(queues, &receive->endpoint_record);
    message_copy(client, call->result_offset, thread, returning->buffers.message,
                 returning->buffers.message_bytes);
    endpoint_land(queues, &call->endpoint_record, call->endpoint_record.token_slot);
    straight = call_complete(cpu, thread, call, given_by(returning->first), thread);
    if (session && UNLIKELY(object_put(target))) {
        session_over(endpoint, CONTAINER_OF(target, struct session, object));
        handoff_closed(endpoint);
        if (straight) {
            sched_switch(cpu, client); /* unless who was told is more urgent */
        }
    } else {
        spinlock_unlock(&endpoint->lock);
    }
    if (LIKELY(straight)) {
        thread_switch(cpu, thread, client);
    }
}

static NOINLINE void return_give_session(struct cpu *cpu, const uint8_t *shared,
                                         const struct returning *returning)
{
    object_ref(&returning->endpoint->object);
    return_give(cpu, shared, returning, true);
}

/*
 * The answer that most are: alone in its submission, and nobody calls now, so that the server
 * waits. Its thread leaves for the client, or waits; false: it is another one, or somebody has the
 * endpoint's lock, and nothing has changed. The process's lock is held, and given back if true:
 * until the endpoint's is taken it keeps the endpoint, then the receive does, whose reference is
 * that of the call, or a new one if the call's is a session's.
 */
static ALWAYS_INLINE bool return_meet(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                                      struct endpoint *endpoint)
{
    struct returning returning;
    uint64_t token = quick_word(shared, offsetof(struct sqe, token));

    returning.endpoint = endpoint;
    if (UNLIKELY(!return_read(thread, shared, &returning) || !spinlock_try(&endpoint->lock))) {
        return false;
    }
    returning.call = endpoint->closed
                         ? NULL
                         : call_find(endpoint, thread, token, returning.buffers.message_bytes);
    if (UNLIKELY(returning.call == NULL || endpoint->queues.call_count != 0 ||
                 !endpoint_only_calls(&endpoint->queues) ||
                 (returning.receive = receive_take(thread, endpoint, returning.call)) == NULL)) {
        spinlock_unlock(&endpoint->lock);
        return false;
    }
    if (UNLIKELY(returning.call->target != &endpoint->object)) {
        const struct returning copy = returning; /* the other stays in registers */

        return_give_session(cpu, shared, &copy);
    } else {
        return_give(cpu, shared, &returning, false);
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
    handoff_run_answers(&run);
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
