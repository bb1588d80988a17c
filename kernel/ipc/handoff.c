/* SPDX-License-Identifier: MIT */
/*
 * Handing off: the short way of the two submissions that make up a round trip, CALL and
 * RETURN_RECV, when everything about them is as usual.
 *
 *   client: CALL --> the server's receive completes --> the CPU goes to the server
 *   server: RETURN_RECV --> the client's call completes --> the CPU goes to the client
 *
 * Usual means: no capabilities, no answer kept, no delegation on the edges, both buffers in the
 * arenas, and the server's next call, if one waits, as usual itself. One capability beside a call
 * goes this way too (call_passing); one beside an answer, and answers that are kept, have a short
 * way of their own (handoff_promise.c). Whatever else differs leaves everything as it was, and the
 * long way (calls.c, delivery.c) looks at the entry afresh and has the words for a refusal. So the
 * short way does what the long way would, in the same order and under the same locks, and refuses
 * nothing.
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
 * time and priority until the answer is given or it is ready again, in whatever way
 * (core/sched_context.c); one that is queued has become ready before it could lend. Who pays for
 * the CPU stays the same over a switch; where it would not, because one of the two runs on a budget
 * that is not lent, the peer is queued.
 *
 * Each word of the entry is read once from shared memory, atomically, where it is needed.
 *
 * The call that most are, and the answer that most are (call_meet, return_meet): alone in their
 * submission, waited for, the call through an edge that names the endpoint and no session. They
 * pass on what others take anew: the receive's reference of the endpoint is the call's from then
 * on, and the call's the next receive's; only the answer to a session's call takes one for the
 * receive, and gives up the call's, which may end the session. Nothing pins the endpoint meanwhile
 * but the lock of the process that holds the edge; so the endpoint's is tried inside it, against
 * the order, and if another CPU has it, the entry is done as all others are: looked up, pinned, the
 * process given back, the endpoint locked. They leave for the peer themselves and do not return.
 *
 * Several entries of one edge in one submission are done as one, in runs (handoff_run.c).
 *
 * A loan is made only if it makes a difference: for a caller that is more urgent than its server,
 * or if a budget or another loan is in it. Terms that are changed while a call is under way count
 * from the next one on.
 *
 * Locks: process, and inside it the endpoint's, if it is free, and the ring's; or process, given
 * back, then the endpoint's; inside that the rings of server and client, one at a time, then the
 * run queue, to lend; given back. What can fail: nothing here.
 */
#include "kernel/ipc/handoff_inside.h"

/* A usual CALL with one transfer. */
#define CALL_PASSING (CALL_USUAL | HANDOFF_PASSING)

bool handoff_lend_closely(struct cpu *cpu, struct thread *thread, struct thread *server)
{
    bool lent;
    bool stays;

    spinlock_lock(&cpu->run_lock);
    lent = LIKELY(!thread->task.node.queued) && sched_lend(&thread->share, &server->share);
    stays = lent || !sched_payer_changes(cpu, server);
    spinlock_unlock(&cpu->run_lock);
    if (LIKELY(stays)) {
        return true;
    }
    sched_thread_ready(server);
    return false;
}

/* ---- CALL ------------------------------------------------------------------------------------ */

/* An operation for a call, with `slots` for what its answer brings (endpoint_answer_slots), which
 * begins the wait if there is one; NULL: the thread has too little over. */
static ALWAYS_INLINE struct operation *call_take(struct thread *thread, uint32_t slots, bool last,
                                                 bool *waits)
{
    struct operation *call = NULL;

    spinlock_lock(&thread->ring_lock);
    if (LIKELY(thread->slots_over >= slots && operation_may_call(thread))) {
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

/* Whether nothing about a call of an edge that was never delegated, at `endpoint`, is unusual. The
 * process's lock is held. */
static ALWAYS_INLINE bool edge_is_usual(const struct hold_edge *edge,
                                        const struct endpoint *endpoint, const uint8_t *shared,
                                        const struct buffers *buffers)
{
    return LIKELY(edge->interface_id == quick_word(shared, offsetof(struct sqe, interface_id)) &&
                  edge->facet == CAP_FACET_ALL &&
                  buffers->message_bytes <= endpoint->queues.limits.message_bytes);
}

/* The operation of a call that begins its thread's wait; NULL: it would not wait, or has too little
 * over. Endpoint and process are locked. */
static ALWAYS_INLINE struct operation *meeting_take(struct thread *thread, uint32_t slots)
{
    struct operation *call = NULL;

    spinlock_lock(&thread->ring_lock);
    if (LIKELY(thread->slots_over >= slots && thread->calls_used < thread->calls_held &&
               thread->operations_free != NULL && wait_begin(thread))) {
        call = operation_pop_free(thread, OPERATION_CALL, true);
        thread->slots_over -= slots;
        call->slots = slots;
    }
    spinlock_unlock(&thread->ring_lock);
    return call;
}

/*
 * The call that most are: alone in its submission, waited for, through an edge that names the
 * endpoint itself, where a receiver waits. Its thread leaves for the server, or waits; false: it is
 * another one, or somebody has the endpoint's lock, and nothing has changed. The process's lock is
 * held, and given back if true.
 *
 * That lock is what keeps the endpoint until its own is taken, which is tried: then the receiver in
 * its queue keeps it, whose reference becomes the call's, so that none is taken and none dropped.
 */
static ALWAYS_INLINE bool call_meet(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                                    const struct hold_edge *edge, const struct buffers *buffers)
{
    struct endpoint *endpoint = CONTAINER_OF(edge->object, struct endpoint, object);
    struct endpoint_queues *queues = &endpoint->queues;
    uint64_t interface_id = edge->interface_id;
    uint64_t badge = edge->badge;
    struct endpoint_record *record;
    struct operation *receive;
    struct operation *call;
    struct message message;
    struct thread *server;
    bool straight;

    if (UNLIKELY(!edge_is_usual(edge, endpoint, shared, buffers) ||
                 !spinlock_try(&endpoint->lock))) {
        return false;
    }
    record = endpoint_next_receiver(queues);
    if (UNLIKELY(record == NULL || !call_is_usual(endpoint, record) ||
                 (call = meeting_take(
                      thread, endpoint_answer_slots(&queues->limits, buffers->result_bytes))) ==
                     NULL)) {
        spinlock_unlock(&endpoint->lock);
        return false;
    }
    spinlock_unlock(&thread->process->lock);
    receive = operation_of(record);
    server = receive->owner;
    call->user_data = quick_word(shared, offsetof(struct sqe, user_data));
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    call->endpoint = endpoint;
    call->target = receive->target;
    call->interface_id = interface_id;
    call->method = buffers->method;
    call->result_offset = buffers->result;
    call->result_bytes = buffers->result_bytes;
    call->token = endpoint_fly(queues, &call->endpoint_record);
    message = (struct message){
        .from = thread,
        .offset = buffers->message,
        .bytes = buffers->message_bytes,
        .head = {.token = call->token,
                 .badge = badge,
                 .interface_id = interface_id,
                 .form = head_form(buffers->method, 0, buffers->message_bytes),
                 .room = buffers->result_bytes},
    };
    endpoint_remove_receiver(queues, record);
    ASSERT_AGAIN(receive->target == &endpoint->object &&
                 sizeof(struct endpoint_message) + buffers->message_bytes <= receive->result_bytes);
    receive->target = NULL;
    message_deliver(server, receive->result_offset, &message);
    straight = receive_complete(cpu, server, call, receive, buffers->message_bytes, thread) &&
               lend(cpu, thread, server);
    spinlock_unlock(&endpoint->lock);
    if (LIKELY(straight)) {
        thread_switch(cpu, thread, server);
    }
    return true;
}

/* One usual entry: its call meets a receiver or waits. The reference of the target is the call's
 * from now on, unless it is NONE. */
static ALWAYS_INLINE enum quick call_one(struct cpu *cpu, struct thread *thread,
                                         const uint8_t *shared, const struct calling *calling,
                                         const struct buffers *buffers, struct thread **next,
                                         const struct passed *passed)
{
    struct endpoint *endpoint = calling->endpoint;
    struct endpoint_record *record = endpoint_next_receiver(&endpoint->queues);
    uint32_t slots = endpoint_answer_slots(&endpoint->queues.limits, buffers->result_bytes);
    struct operation *call;
    struct operation *receive;
    struct thread *server;
    bool waits = false;

    if (UNLIKELY(!call_is_usual(endpoint, record) || (passed != NULL && record == NULL))) {
        return QUICK_NONE;
    }
    call = call_take(thread, slots, next != NULL, &waits);
    if (UNLIKELY(call == NULL)) {
        return QUICK_NONE;
    }
    call->user_data = quick_word(shared, offsetof(struct sqe, user_data));
    call->endpoint = endpoint;
    call->target = calling->target;
    call->epoch = calling->epoch;
    call->badge = calling->badge;
    call->interface_id = calling->interface_id;
    call->method = buffers->method;
    call->message_offset = buffers->message;
    call->message_bytes = buffers->message_bytes;
    call->result_offset = buffers->result;
    call->result_bytes = buffers->result_bytes;
    ring_accept(&thread->ring, thread->ring.sq_head + 1);
    cpu->effects += QUICK_ENTRY + buffers->message_bytes;
    if (record == NULL) {
        if (!endpoint_add_call(&endpoint->queues, &call->endpoint_record)) {
            ASSERT(false); /* call_is_usual */
        }
        return waits ? QUICK_WAIT : QUICK_DONE;
    }
    receive = operation_of(record);
    call->token = endpoint_fly(&endpoint->queues, &call->endpoint_record);
    endpoint_remove_receiver(&endpoint->queues, record);
    server = receive->owner;
    if (LIKELY(call_give(cpu, endpoint, call, receive, waits ? thread : NULL, passed) &&
               lend(cpu, thread, server))) {
        *next = server;
        return QUICK_SWITCH;
    }
    return waits ? QUICK_WAIT : QUICK_DONE;
}

/* ---- one capability beside a CALL ------------------------------------------------------------ */

struct cap_id handoff_arrive(const struct arrival *arrival, const struct passed *passed)
{
    struct provenance origin = {.method = arrival->call->method,
                                .origin = arrival->origin,
                                .from_cap = passed->from,
                                .detail = arrival->call->interface_id,
                                .at_ns = arch_clock_ns()};
    struct process *to = arrival->to;
    struct cap_id cap;

    provenance_from(&origin, arrival->from->pid, arrival->from->name);
    spinlock_lock(&to->lock);
    cap = cap_table_insert_over(&to->table, &passed->edge, &origin, arrival->slots);
    spinlock_unlock(&to->lock);
    return cap;
}

void handoff_pass(const struct operation *call, struct operation *receive,
                  const struct passed *passed)
{
    const struct arrival arrival = {.call = call,
                                    .from = call->owner->process,
                                    .to = receive->owner->process,
                                    .slots = &receive->slots,
                                    .origin = EDGE_ORIGIN_TRANSFER};
    struct cap_id cap = handoff_arrive(&arrival, passed);

    record_write(receive->owner,
                 receive->result_offset + (uint32_t)sizeof(struct endpoint_message) +
                     call->message_bytes,
                 &passed->edge, cap);
}

/* Reads the one descriptor, behind the message; false: it is no plain copy, has a path, which only
 * an answer's may, or lies across pages. */
static inline bool descriptor_read(const struct thread *thread, const struct buffers *buffers,
                                   struct cap_id *cap)
{
    const uint8_t *descriptor = descriptor_at(thread, buffers);
    uint8_t step;

    return descriptor != NULL && descriptor_copies(descriptor, cap, &step) && step == 0;
}

bool handoff_passed(struct process *process, struct passed *passed)
{
    const struct hold_edge *edge;

    if (cap_table_lookup(&process->table, passed->from, &edge) != TRANSPORT_OK ||
        edge->facet != CAP_FACET_ALL || edge->grant != NULL ||
        !hold_edge_pass_copy(edge, &passed->edge)) {
        return false;
    }
    object_ref(edge->object);
    return true;
}

/* What a call of `edge` has of it; false: it is not usual. The process's lock is held. */
static ALWAYS_INLINE bool calling_make(const struct hold_edge *edge, const uint8_t *shared,
                                       const struct buffers *buffers, struct calling *calling)
{
    calling->target = edge->object;
    calling->endpoint = endpoint_of_client(calling->target);
    calling->cap = cap_table_name(edge);
    calling->interface_id = edge->interface_id;
    calling->badge = edge->badge;
    calling->epoch = edge->epoch;
    return LIKELY(calling->endpoint != NULL && edge->grant == NULL &&
                  edge_is_usual(edge, calling->endpoint, shared, buffers));
}

/* A CALL with one capability, which a receiver waits for. `first` is the entry's first word. The
 * process's lock is held, and given back. */
static NOINLINE enum quick call_passing(struct cpu *cpu, struct thread *thread,
                                        const uint8_t *shared, uint64_t first,
                                        const struct hold_edge *edge, struct thread **next)
{
    struct process *process = thread->process;
    struct calling calling;
    struct buffers buffers;
    struct passed passed;
    enum quick quick;
    bool usual =
        (first & HANDOFF_FIXED) == CALL_PASSING && buffers_read(thread, shared, first, &buffers) &&
        descriptor_read(thread, &buffers, &passed.from) && thread->transfers.free_count != 0 &&
        calling_make(edge, shared, &buffers, &calling) &&
        calling.endpoint->queues.limits.capabilities != 0 && handoff_passed(process, &passed);

    if (usual) {
        object_ref(calling.target);
    }
    spinlock_unlock(&process->lock);
    if (!usual) {
        return QUICK_NONE;
    }
    spinlock_lock(&calling.endpoint->lock);
    quick = call_one(cpu, thread, shared, &calling, &buffers, next, &passed);
    spinlock_unlock(&calling.endpoint->lock);
    if (quick == QUICK_NONE) {
        object_unref(passed.edge.object);
        object_unref(calling.target);
    }
    return quick;
}

/* Any other, and those behind it. The process's lock is held, and given back. */
static NOINLINE enum quick call_pinned(struct cpu *cpu, struct thread *thread,
                                       const uint8_t *shared, const struct hold_edge *edge,
                                       uint32_t left, struct thread **next)
{
    uint64_t first = quick_word(shared, 0);
    struct calling calling;
    struct buffers buffers;
    enum quick quick;

    if (UNLIKELY((first & HANDOFF_FIXED) != CALL_USUAL ||
                 !buffers_read(thread, shared, first, &buffers) ||
                 !calling_make(edge, shared, &buffers, &calling))) {
        return call_passing(cpu, thread, shared, first, edge, left == 1 ? next : NULL);
    }
    object_ref(calling.target);
    spinlock_unlock(&thread->process->lock);
    if (left > 1) {
        const struct calling common = calling; /* the other stays in registers */
        struct run run = {.cpu = cpu,
                          .thread = thread,
                          .endpoint = common.endpoint,
                          .calling = &common,
                          .next = next,
                          .left = left};

        handoff_run_calls(&run);
        object_unref(common.target);
        return run.quick;
    }
    spinlock_lock(&calling.endpoint->lock);
    quick = call_one(cpu, thread, shared, &calling, &buffers, next, NULL);
    spinlock_unlock(&calling.endpoint->lock);
    if (UNLIKELY(quick == QUICK_NONE)) {
        object_unref(calling.target);
    }
    return quick;
}

enum quick handoff_call(struct cpu *cpu, struct thread *thread, const uint8_t *shared,
                        const struct hold_edge *edge, uint32_t left, struct thread **next)
{
    uint64_t first = quick_word(shared, 0);
    struct buffers buffers;

    if (LIKELY(left == 1 && next != NULL && (first & HANDOFF_FIXED) == CALL_USUAL &&
               ((const struct object *)edge->object)->type == &endpoint_type &&
               edge->grant == NULL && buffers_read(thread, shared, first, &buffers) &&
               call_meet(cpu, thread, shared, edge, &buffers))) {
        return QUICK_WAIT;
    }
    return call_pinned(cpu, thread, shared, edge, left, next);
}
