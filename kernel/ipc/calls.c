/* SPDX-License-Identifier: MIT */
/* The submissions on endpoints: CALL, RECV, RETURN, WATCH. Theory in endpoint.c. */
#include "kernel/ipc/answers.h"
#include "kernel/ipc/delivery.h"

static enum transport_error refuse(struct refusal *refusal, enum transport_error error,
                                   enum refusal_argument argument, uint32_t limit)
{
    refusal->reason = (uint16_t)-error;
    refusal->argument = (uint16_t)argument;
    refusal->limit = limit;
    return error;
}

static enum transport_error refuse_amount(struct refusal *refusal, enum transport_error error,
                                          enum refusal_argument argument, struct refusal numbers)
{
    refusal->amount = numbers.amount;
    return refuse(refusal, error, argument, numbers.limit);
}

/* Of what the submission says there, with no limit to it. */
static enum transport_error refuse_field(struct refusal *refusal, enum transport_error error,
                                         enum refusal_argument argument, uint64_t amount)
{
    refusal->amount = amount;
    return refuse(refusal, error, argument, 0);
}

static enum transport_error operation_begin(struct thread *thread, enum operation_kind kind,
                                            const struct sqe *sqe, struct operation **begun,
                                            struct refusal *refusal)
{
    *begun = operation_take(thread, kind, sqe->user_data);
    return *begun != NULL ? TRANSPORT_OK : operation_refuse(thread, kind, refusal);
}

/* From now on the operation holds references of `target` and of the edge's grant. */
static void operation_use(struct operation *operation, struct endpoint *endpoint,
                          struct object *target, const struct hold_edge *edge)
{
    operation->endpoint = endpoint;
    operation->target = target;
    operation->grant = edge->grant;
    operation->epoch = edge->epoch;
    object_ref(target);
    grant_ref(edge->grant);
}

/* Why the operation of `sqe` cannot be published now; OK: it may. Lock held. */
static enum transport_error publish_error(const struct endpoint *endpoint,
                                          struct operation *operation, const struct sqe *sqe,
                                          struct refusal *refusal)
{
    if (endpoint->closed) {
        return refuse_field(refusal, TRANSPORT_PEER_GONE, ARGUMENT_CAP, sqe->cap.raw);
    }
    if (!operation_is_alive(operation)) {
        return refuse_field(refusal, TRANSPORT_REVOKED, ARGUMENT_CAP, sqe->cap.raw);
    }
    return TRANSPORT_OK;
}

/* Gives up an operation that was not published. No lock is held. */
static void operation_abandon(struct endpoint *endpoint, struct operation *operation)
{
    struct settling settling;

    settle_lock(endpoint, &settling);
    endpoint_end(endpoint, operation, NULL, &(struct operation_outcome){.silent = true}, &settling);
    settle_unlock(endpoint, &settling);
}

/* ---- CALL ------------------------------------------------------------------------------------ */

/* Offsets in the caller's arena. */
struct operation_buffers {
    uint32_t message;
    uint32_t result;
};

/* What is wrong with the call's lengths and buffers; OK: where they are. */
static enum transport_error call_error(const struct thread *thread,
                                       const struct endpoint_limits *limits, const struct sqe *sqe,
                                       struct operation_buffers *buffers, struct refusal *refusal)
{
    uint32_t descriptors = sqe->transfers * (uint32_t)sizeof(struct transfer);

    if (UNLIKELY(sqe->transfers > limits->capabilities)) {
        return refuse_amount(
            refusal, TRANSPORT_TOO_LARGE, ARGUMENT_TRANSFERS,
            (struct refusal){.limit = limits->capabilities, .amount = sqe->transfers});
    }
    if (UNLIKELY(sqe->message_bytes > limits->message_bytes)) {
        return refuse_amount(
            refusal, TRANSPORT_TOO_LARGE, ARGUMENT_MESSAGE_BYTES,
            (struct refusal){.limit = limits->message_bytes, .amount = sqe->message_bytes});
    }
    if (!thread_arena_offset(thread, sqe->message, sqe->message_bytes + descriptors,
                             &buffers->message)) {
        return refuse_field(refusal, TRANSPORT_BAD_BUFFER, ARGUMENT_MESSAGE, sqe->message);
    }
    buffers->result = 0;
    if (sqe->result_bytes != 0 &&
        !thread_arena_offset(thread, sqe->result, sqe->result_bytes, &buffers->result)) {
        return refuse_field(refusal, TRANSPORT_BAD_BUFFER, ARGUMENT_RESULT, sqe->result);
    }
    return TRANSPORT_OK;
}

/* Reserves what the call needs and takes what travels with it. An error leaves the operation as it
 * was taken. */
static enum transport_error call_reserve(struct operation *call, struct endpoint *endpoint,
                                         const struct sqe *sqe, struct refusal *refusal)
{
    struct thread *thread = call->owner;
    uint32_t slots = endpoint_answer_slots(&endpoint->queues.limits, sqe->result_bytes);
    enum transport_error error = TRANSPORT_OK;

    if (slots != 0 || sqe->transfers != 0) {
        error = operation_reserve(call, slots, sqe->transfers, refusal);
    }
    if (error == TRANSPORT_OK && sqe->transfers != 0) {
        error = passing_begin(thread, sqe, call->message_offset + sqe->message_bytes, &call->bundle,
                              refusal);
        if (error != TRANSPORT_OK) {
            spinlock_lock(&thread->ring_lock);
            transfer_pool_give(&thread->transfers, &call->bundle);
            spinlock_unlock(&thread->ring_lock);
        }
    }
    return error;
}

enum transport_error endpoint_call(struct thread *thread, const struct hold_edge *edge,
                                   const struct sqe *sqe, struct refusal *refusal)
{
    struct endpoint *endpoint = endpoint_of_client(edge->object);
    struct operation_buffers buffers;
    struct operation *call;
    struct settling settling;
    enum transport_error error =
        call_error(thread, &endpoint->queues.limits, sqe, &buffers, refusal);

    if (error == TRANSPORT_OK) {
        error = operation_begin(thread, OPERATION_CALL, sqe, &call, refusal);
    }
    if (error != TRANSPORT_OK) {
        return error;
    }
    call->interface_id = sqe->interface_id;
    call->method = sqe->method;
    call->badge = edge->badge;
    call->answer = sqe->answer;
    call->message_offset = buffers.message;
    call->message_bytes = sqe->message_bytes;
    call->result_offset = buffers.result;
    call->result_bytes = sqe->result_bytes;
    error = call_reserve(call, endpoint, sqe, refusal);
    if (error != TRANSPORT_OK) {
        operation_release(call);
        return error;
    }
    operation_use(call, endpoint, edge->object, edge);
    settle_lock(endpoint, &settling);
    error = publish_error(endpoint, call, sqe, refusal);
    if (error == TRANSPORT_OK && !endpoint_add_call(&endpoint->queues, &call->endpoint_record)) {
        error =
            refuse(refusal, TRANSPORT_LIMIT, ARGUMENT_CAP, endpoint->queues.limits.queue_length);
    }
    settle_unlock(endpoint, &settling);
    if (error != TRANSPORT_OK) {
        operation_abandon(endpoint, call);
    }
    return error;
}

/* ---- RECV ------------------------------------------------------------------------------------ */

enum transport_error endpoint_receive(struct thread *thread, const struct hold_edge *edge,
                                      const struct sqe *sqe, struct refusal *refusal)
{
    struct endpoint *endpoint = endpoint_of_owner(edge->object);
    uint32_t room = endpoint->receive_bytes;
    struct operation *receive;
    struct settling settling;
    enum transport_error error;
    uint32_t result;

    if (sqe->result_bytes < room) {
        return refuse_amount(refusal, TRANSPORT_NO_ROOM, ARGUMENT_RESULT_BYTES,
                             (struct refusal){.limit = room, .amount = sqe->result_bytes});
    }
    if (!thread_arena_offset(thread, sqe->result, sqe->result_bytes, &result) || result % 8 != 0) {
        return refuse_field(refusal, TRANSPORT_BAD_BUFFER, ARGUMENT_RESULT, sqe->result);
    }
    error = operation_begin(thread, OPERATION_RECEIVE, sqe, &receive, refusal);
    if (error != TRANSPORT_OK) {
        return error;
    }
    receive->result_offset = result;
    receive->result_bytes = sqe->result_bytes;
    if (endpoint->queues.limits.capabilities != 0) {
        error = operation_reserve(receive, endpoint->queues.limits.capabilities, 0, refusal);
        if (error != TRANSPORT_OK) {
            operation_release(receive);
            return error;
        }
    }
    operation_use(receive, endpoint, &endpoint->object, edge);
    settle_lock(endpoint, &settling);
    error = publish_error(endpoint, receive, sqe, refusal);
    if (error == TRANSPORT_OK &&
        !endpoint_add_receiver(&endpoint->queues, &receive->endpoint_record)) {
        error = refuse(refusal, TRANSPORT_LIMIT, ARGUMENT_CAP, LIMIT_ENDPOINT_RECEIVERS);
    }
    settle_unlock(endpoint, &settling);
    if (error != TRANSPORT_OK) {
        operation_abandon(endpoint, receive);
    }
    return error;
}

/* ---- RETURN ---------------------------------------------------------------------------------- */

/* An answer under way: what the server gives, with its bundle in memory of its own. */
struct answering {
    struct thread *server;
    const struct sqe *sqe;
    uint32_t message; /* offset in the server's arena */
    struct transfer_bundle bundle;
    struct transfer_item item[LIMIT_TRANSFERS];
};

/* Why the answer cannot reach its caller although the token is good. */
static enum transport_error answer_error(struct operation *call, const struct answering *answering,
                                         struct refusal *refusal)
{
    uint32_t caps = answering->bundle.count;
    uint32_t bytes = answering->sqe->message_bytes + caps * (uint32_t)sizeof(struct received_cap);

    if (!operation_is_alive(call)) {
        return refuse_field(refusal, TRANSPORT_REVOKED, ARGUMENT_TOKEN, answering->sqe->token);
    }
    if (caps > call->slots) {
        return refuse_amount(refusal, TRANSPORT_NO_ROOM, ARGUMENT_TRANSFERS,
                             (struct refusal){.limit = call->slots, .amount = caps});
    }
    if (bytes > call->result_bytes) {
        return refuse_amount(refusal, TRANSPORT_NO_ROOM, ARGUMENT_MESSAGE_BYTES,
                             (struct refusal){.limit = call->result_bytes, .amount = bytes});
    }
    return TRANSPORT_OK;
}

/* The answer's capabilities go to the caller, with their records behind the message, and into the
 * answer that the caller keeps. */
static void answer_bundle(struct operation *call, struct answering *answering,
                          struct settling *settling)
{
    struct received_cap records[LIMIT_TRANSFERS];
    struct thread *caller = call->owner;
    const struct passing passing = {.from = answering->server->process,
                                    .to = caller->process,
                                    .origin = EDGE_ORIGIN_RESULT,
                                    .interface_id = call->interface_id,
                                    .method = call->method};
    uint32_t index = 0;

    call->slots -= passing_commit(&passing, &answering->bundle, records, &settling->drops);
    thread_arena_write(caller, call->result_offset + answering->sqe->message_bytes, records,
                       answering->bundle.count * (uint32_t)sizeof(records[0]));
    for (const struct transfer_item *item = answering->bundle.first; item != NULL;
         item = item->next) {
        if (records[index].cap.raw != 0) {
            answers_add(caller, call->answer, item->path, records[index].cap);
        }
        index++;
    }
}

/* The token was good: the call ends, with the answer or with why it does not get it. Lock held. */
static enum transport_error answer_give(struct endpoint *endpoint, const struct endpoint_end *end,
                                        struct answering *answering, struct settling *settling,
                                        struct refusal *refusal)
{
    struct operation *call = operation_of(end->call);
    const struct sqe *sqe = answering->sqe;
    struct operation_outcome outcome = {.result = (int32_t)sqe->message_bytes};
    enum transport_error error = answer_error(call, answering, refusal);

    received_remove(call);
    if (error != TRANSPORT_OK) {
        outcome.result = error;
        if (answering->bundle.count != 0) {
            passing_cancel(answering->server->process, &answering->bundle, &settling->drops);
        }
    } else {
        arena_copy(call->owner, call->result_offset, answering->server, answering->message,
                   sqe->message_bytes);
        if (answering->bundle.count != 0) {
            answer_bundle(call, answering, settling);
        }
        outcome.flags = ((sqe->flags & SQE_EXCEPTION) != 0 ? (uint32_t)CQE_EXCEPTION : 0) |
                        answering->bundle.count << CQE_CAPS_SHIFT;
    }
    endpoint_end(endpoint, call, end->watch, &outcome, settling);
    return error;
}

static enum transport_error answer_begin(struct answering *answering, uint32_t capabilities,
                                         struct refusal *refusal)
{
    const struct sqe *sqe = answering->sqe;
    uint32_t descriptors = sqe->transfers * (uint32_t)sizeof(struct transfer);

    if (UNLIKELY(sqe->transfers > capabilities)) {
        return refuse_amount(refusal, TRANSPORT_TOO_LARGE, ARGUMENT_TRANSFERS,
                             (struct refusal){.limit = capabilities, .amount = sqe->transfers});
    }
    if (!thread_arena_offset(answering->server, sqe->message, sqe->message_bytes + descriptors,
                             &answering->message)) {
        return refuse_field(refusal, TRANSPORT_BAD_BUFFER, ARGUMENT_MESSAGE, sqe->message);
    }
    transfer_bundle_make(&answering->bundle, answering->item, sqe->transfers);
    return sqe->transfers == 0
               ? TRANSPORT_OK
               : passing_begin(answering->server, sqe, answering->message + sqe->message_bytes,
                               &answering->bundle, refusal);
}

enum transport_error endpoint_return(struct thread *thread, const struct hold_edge *edge,
                                     const struct sqe *sqe, struct refusal *refusal)
{
    struct endpoint *endpoint = endpoint_of_owner(edge->object);
    struct answering answering;
    struct settling settling;
    struct endpoint_end end;
    enum transport_error error;

    answering.server = thread;
    answering.sqe = sqe;
    error = answer_begin(&answering, endpoint->queues.limits.capabilities, refusal);
    if (error != TRANSPORT_OK) {
        return error;
    }
    settle_lock(endpoint, &settling);
    error = endpoint_finish(&endpoint->queues, sqe->token, &end);
    if (error == TRANSPORT_OK) {
        error = answer_give(endpoint, &end, &answering, &settling, refusal);
    } else {
        error = refuse_field(refusal, error, ARGUMENT_TOKEN, sqe->token);
        if (answering.bundle.count != 0) {
            passing_cancel(thread->process, &answering.bundle, &settling.drops);
        }
    }
    settle_unlock(endpoint, &settling);
    return error;
}

/* ---- WATCH ----------------------------------------------------------------------------------- */

enum transport_error endpoint_watch_call(struct thread *thread, const struct hold_edge *edge,
                                         const struct sqe *sqe, struct refusal *refusal)
{
    struct endpoint *endpoint = endpoint_of_owner(edge->object);
    struct operation *watch;
    struct settling settling;
    enum transport_error error = operation_begin(thread, OPERATION_WATCH, sqe, &watch, refusal);

    if (error != TRANSPORT_OK) {
        return error;
    }
    operation_use(watch, endpoint, &endpoint->object, edge);
    settle_lock(endpoint, &settling);
    error = publish_error(endpoint, watch, sqe, refusal);
    if (error == TRANSPORT_OK) {
        error = endpoint_watch(&endpoint->queues, sqe->token, &watch->endpoint_record);
        if (error == TRANSPORT_CANCELLED) {
            endpoint_end(endpoint, watch, NULL,
                         &(struct operation_outcome){.result = WATCH_CANCELLED}, &settling);
            error = TRANSPORT_OK;
        } else if (error != TRANSPORT_OK) {
            refusal->amount = sqe->token;
            error = refuse(refusal, error, ARGUMENT_TOKEN, error == TRANSPORT_LIMIT ? 1 : 0);
        }
    }
    settle_unlock(endpoint, &settling);
    if (error != TRANSPORT_OK) {
        operation_abandon(endpoint, watch);
    }
    return error;
}
