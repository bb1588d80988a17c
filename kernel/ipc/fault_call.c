/* SPDX-License-Identifier: MIT */
/*
 * Faults told to an endpoint.
 *
 * A process that was spawned with a fault endpoint has an edge to it (process->fault_edge), which
 * is in no table: the process cannot call through it, its faults do. Each of its threads owns a
 * desk, one frame reserved with the thread: an operation, the message, room for the answer. When
 * the thread faults the kernel writes the message and queues the operation at the endpoint like any
 * call; tokens, watches, revocation, the ends of servers and endpoints treat it as one. It differs
 * in where it ends: it posts no completion, it moves the thread.
 *
 *   NONE --fault--> STOPPED --the call ends--> ANSWERED --job--> NONE: resumed, or ending
 *                      `------kill------------> NONE: the thread is picked, and retires
 *
 * STOPPED: the thread is in no queue and does not wait in cap_enter. Whoever ends the call, on any
 * CPU and perhaps under the endpoint's lock, notes the result and starts the job on the thread's
 * home CPU; that reads the answer and does what it says. So a handler's RETURN does no work of the
 * process it decides about. Every end but an answer that says otherwise ends the process, as a
 * fault without a handler does: a call that could not be queued ends in the same way.
 *
 * The desk lies behind the arena in the thread's own numbering (FAULT_DESK_OFFSET), where no
 * program can name it, so that messages are copied as all are.
 *
 * Invariants:
 *  1. The operation is a CALL only while the thread is STOPPED, or was killed then and has not
 *     retired.
 *  2. The job is started only from STOPPED, and the thread leaves ANSWERED in it alone.
 *
 * Locks: the process's to read its edge; the endpoint's; inside it the ring's, which guards
 * fault_state. What can fail: making a desk. A fault itself takes nothing that was not reserved.
 */
#include "kernel/ipc/fault_call.h"

#include "core/assert.h"
#include "core/string.h"
#include "kernel/fault.h"
#include "kernel/ipc/delivery.h"
#include "schema/generated/endpoint.capnp.h"

#define FAULT_DESK_OFFSET ((uint32_t)ARENA_PAGES_MAX * LIMIT_PAGE_BYTES)

_Static_assert(sizeof(struct fault_desk) <= LIMIT_PAGE_BYTES, "a desk is one frame");
_Static_assert(FAULT_MESSAGE_BYTES % 8 == 0, "messages are copied by words");

/* ---- edges ----------------------------------------------------------------------------------- */

enum transport_error fault_edge_make(const struct hold_edge *from, struct hold_edge *made)
{
    static const struct edge_method mint = {ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_MINT};
    struct object *object = from->object;
    struct edge_telling telling = {
        .told = {FAULT_HANDLER_INTERFACE_ID, FAULT_HANDLER_METHOD_FAULT}};
    struct endpoint *endpoint = endpoint_of_client(object);
    enum transport_error error;

    if (object->type == &endpoint_owner_type) {
        telling.owner = &mint;
        endpoint = endpoint_of_owner(object);
        object = &endpoint->object;
    }
    if (endpoint == NULL) {
        return TRANSPORT_WRONG_INTERFACE;
    }
    error = hold_edge_tell(from, &telling, made);
    if (error != TRANSPORT_OK) {
        return error;
    }
    if (endpoint->queues.limits.message_bytes < FAULT_MESSAGE_BYTES) {
        return TRANSPORT_TOO_LARGE;
    }
    made->object = object;
    edge_ref(made);
    return TRANSPORT_OK;
}

/* ---- desks ----------------------------------------------------------------------------------- */

enum status fault_desk_create(struct thread *thread)
{
    paddr_t frame;
    enum status status = account_frame_alloc(thread->account, &frame);

    if (status == STATUS_OK) {
        thread->fault_desk = arch_frame_pointer(frame);
        thread->fault_desk->operation.owner = thread;
        thread->fault_desk->operation.posts_nothing = 1;
        thread->arena_page[ARENA_PAGES_MAX] = arch_frame_pointer(frame);
    }
    return status;
}

void fault_desk_destroy(struct thread *thread)
{
    struct fault_desk *desk = thread->fault_desk;

    if (desk != NULL) {
        ASSERT(desk->operation.kind == OPERATION_FREE && thread->fault_state == FAULT_NONE);
        thread->fault_desk = NULL;
        account_frame_free(thread->account, arch_pointer_frame(desk));
    }
}

/* ---- the call -------------------------------------------------------------------------------- */

static uint32_t message_build(struct fault_desk *desk, const struct thread *thread)
{
    const struct process *process = thread->process;
    struct capn_build_segment segment = {.bytes = desk->message,
                                         .capacity_words = FAULT_MESSAGE_BYTES / CAPN_WORD_BYTES};
    struct fault_handler_fault_params_builder params;
    struct capn_builder builder;

    capn_builder_init(&builder, &segment, 1);
    params = fault_handler_fault_params_init(capn_builder_root(&builder));
    fault_handler_fault_params_set_process(
        params, (struct capn_text){process->name, string_length(process->name, LIMIT_NAME_BYTES)});
    fault_handler_fault_params_set_pid(params, process->pid);
    fault_report_build(fault_handler_fault_params_init_report(params), &desk->fault, thread->id);
    ASSERT(capn_builder_status(&builder) == CAPN_OK);
    return (uint32_t)capn_builder_words(&builder) * CAPN_WORD_BYTES;
}

/* The thread is stopped from here on; false: a kill has looked already. */
static bool thread_stop(struct thread *thread)
{
    bool stops;

    spinlock_lock(&thread->ring_lock);
    ASSERT(thread->fault_state == FAULT_NONE && !thread->waiting);
    stops = !process_is_dying(thread->process);
    if (stops) {
        ASSERT(thread->fault_desk->operation.kind == OPERATION_FREE);
        thread->fault_state = FAULT_STOPPED;
        thread->fault_desk->operation.kind = OPERATION_CALL;
    }
    spinlock_unlock(&thread->ring_lock);
    return stops;
}

/* The edge to tell, with references for a use of it; false: it was revoked and emptied. */
static bool edge_pin(struct process *process, struct hold_edge *edge)
{
    spinlock_lock(&process->lock);
    *edge = process->fault_edge;
    if (edge->object != NULL) {
        edge_ref(edge);
    }
    spinlock_unlock(&process->lock);
    return edge->object != NULL;
}

/* Queues the call; what cannot be queued ends at once, and so does the process. */
static void call_publish(struct operation *call, const struct hold_edge *edge)
{
    struct endpoint *endpoint = endpoint_of_client(edge->object);
    struct operation_outcome outcome = {.result = TRANSPORT_OK};
    struct settling settling;

    call->endpoint = endpoint;
    call->target = edge->object; /* the pin's references are the call's */
    call->grant = edge->grant;
    call->epoch = edge->epoch;
    object_ref(&endpoint->object);
    settle_lock(endpoint, &settling);
    if (endpoint->closed) {
        outcome.result = TRANSPORT_PEER_GONE;
    } else if (!operation_is_alive(call)) {
        outcome.result = TRANSPORT_REVOKED;
    } else if (!endpoint_add_call(&endpoint->queues, &call->endpoint_record)) {
        outcome.result = TRANSPORT_LIMIT;
    }
    if (outcome.result != TRANSPORT_OK) {
        endpoint_end(endpoint, call, NULL, &outcome, &settling);
    }
    settle_unlock(endpoint, &settling);
    object_unref(&endpoint->object);
}

bool fault_call_send(struct thread *thread, const struct arch_fault *fault)
{
    struct fault_desk *desk = thread->fault_desk;
    struct operation *call = &desk->operation;
    struct hold_edge edge;

    desk->fault = *fault;
    memset(desk->message, 0, sizeof(desk->message));
    call->interface_id = FAULT_HANDLER_INTERFACE_ID;
    call->method = FAULT_HANDLER_METHOD_FAULT;
    call->message_offset = FAULT_DESK_OFFSET + (uint32_t)offsetof(struct fault_desk, message);
    call->message_bytes = message_build(desk, thread);
    call->result_offset = FAULT_DESK_OFFSET + (uint32_t)offsetof(struct fault_desk, answer);
    call->result_bytes = FAULT_ANSWER_BYTES;
    if (!thread_stop(thread)) {
        return false;
    }
    if (edge_pin(thread->process, &edge)) {
        call->badge = edge.badge;
        call_publish(call, &edge);
    } else {
        operation_complete(call, TRANSPORT_REVOKED, 0, NULL);
    }
    return true;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* What the answer says; END_PROCESS if it says nothing that can be understood. */
static enum fault_action answer_read(const struct fault_desk *desk)
{
    struct capn_segment segment = {.bytes = desk->answer,
                                   .words = (uint32_t)desk->result / CAPN_WORD_BYTES};
    struct fault_handler_fault_results_reader results;
    struct capn_reader reader;
    uint16_t action;

    if (desk->result <= 0 || (desk->flags & CQE_EXCEPTION) != 0) {
        return FAULT_ACTION_END_PROCESS;
    }
    capn_reader_init(&reader, &segment, 1,
                     (struct capn_limits){.traversal_words = FAULT_ANSWER_BYTES, .depth = 4});
    results = fault_handler_fault_results_read(capn_reader_root(&reader));
    action = fault_handler_fault_results_get_action(results);
    return capn_reader_status(&reader) == CAPN_OK && action < FAULT_ACTION_COUNT
               ? (enum fault_action)action
               : FAULT_ACTION_END_PROCESS;
}

static void action_take(struct thread *thread, enum fault_action action)
{
    struct fault_desk *desk = thread->fault_desk;

    switch (action) {
    case FAULT_ACTION_RESUME:
        break;
    case FAULT_ACTION_END_THREAD:
        fault_report(thread, &desk->fault);
        desk->ends_thread = true;
        thread->exiting = true;
        thread->exit_code = FAULT_EXIT_CODE;
        break;
    case FAULT_ACTION_END_PROCESS:
        fault_ends_process(thread, &desk->fault);
        break;
    }
}

static bool answer_step(struct job *job)
{
    struct fault_desk *desk = CONTAINER_OF(job, struct fault_desk, job);
    struct thread *thread = desk->operation.owner;

    if (!process_is_dying(thread->process)) {
        action_take(thread, answer_read(desk));
    }
    spinlock_lock(&thread->ring_lock);
    ASSERT(thread->fault_state == FAULT_ANSWERED);
    thread->fault_state = FAULT_NONE;
    sched_thread_ready(thread);
    spinlock_unlock(&thread->ring_lock);
    return false;
}

void fault_call_complete(struct thread *thread, const struct cqe *cqe)
{
    struct fault_desk *desk = thread->fault_desk;

    ASSERT(desk->operation.kind == OPERATION_FREE);
    if (thread->fault_state == FAULT_STOPPED) {
        thread->fault_state = FAULT_ANSWERED;
        desk->result = cqe->result;
        desk->flags = cqe->flags;
        desk->job.step = answer_step;
        job_start(&desk->job, thread->task.cpu, thread->task.priority);
    }
}
