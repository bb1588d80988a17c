/* SPDX-License-Identifier: MIT */
/* A server's loop. An answer that its caller no longer waits for is nobody's error: the loop goes
 * on with the next call. An answer whose capabilities may not be given leaves the call unanswered;
 * its caller gets an exception instead. */
#include "user/lib/server.h"

#include "core/string.h"
#include "schema/generated/exception.capnp.h"

enum {
    TRAVERSAL_FACTOR = 4, /* a word of a request may be met so often */
    REQUEST_DEPTH = 16,
    EXCEPTION_BYTES = 256, /* room that every answer buffer has at least */
};

static struct capn_refuse_reason outcome_reason(const struct capn_request *request,
                                                enum capn_dispatch outcome)
{
    struct capn_refuse_reason reason = {.argument = CAPN_NO_ARGUMENT};

    switch (outcome) {
    case CAPN_DISPATCH_REFUSED:
        return request->refusal;
    case CAPN_DISPATCH_BAD_PARAMETERS:
        reason.reason = EXCEPTION_REASON_MALFORMED_MESSAGE;
        reason.limit = request->parameters.error.limit;
        reason.amount = request->parameters.error.found;
        reason.detail = capn_status_text(request->parameters.error.code);
        return reason;
    case CAPN_DISPATCH_BAD_RESULTS:
        reason.reason = EXCEPTION_REASON_MESSAGE_TOO_LARGE;
        return reason;
    case CAPN_DISPATCH_UNKNOWN_INTERFACE:
        reason.reason = EXCEPTION_REASON_WRONG_INTERFACE;
        return reason;
    default:
        reason.reason = EXCEPTION_REASON_UNKNOWN_METHOD;
        reason.amount = request->method;
        return reason;
    }
}

static struct capn_text static_text(const char *text)
{
    return (struct capn_text){text, text == NULL ? 0 : string_length(text, EXCEPTION_BYTES)};
}

/* The answer that is a CapException; texts that do not fit are left out. */
static void exception_build(struct capn_request *request, const struct capn_refuse_reason *reason)
{
    struct cap_exception_builder exception =
        cap_exception_init(capn_builder_root(&request->results));

    cap_exception_set_reason(exception, (enum exception_reason)reason->reason);
    cap_exception_set_method(exception, request->method);
    cap_exception_set_argument_index(exception, reason->argument);
    cap_exception_set_interface_id(exception, request->interface_id);
    cap_exception_set_limit(exception, reason->limit);
    cap_exception_set_amount(exception, reason->amount);
    cap_exception_set_limit_name(exception, static_text(reason->limit_name));
    cap_exception_set_argument(exception, static_text(reason->argument_name));
    cap_exception_set_detail(exception, static_text(reason->detail));
}

struct cap_id server_borrow(const struct server *server, uint32_t index)
{
    return index < server->cap_count ? server->caps[index].cap : (struct cap_id){.raw = 0};
}

struct cap_id server_take(struct server *server, uint32_t index)
{
    struct cap_id cap = server_borrow(server, index);

    if (cap.raw != 0) {
        server->taken |= UINT32_C(1) << index;
    }
    return cap;
}

uint32_t server_pass(struct server *server, struct cap_id cap, enum transfer_mode mode,
                     const struct capn_path *path)
{
    if (cap.raw == 0 || server->transfer_count == LIMIT_TRANSFERS) {
        return CAPN_NO_CAPABILITY;
    }
    server->transfer[server->transfer_count] = (struct transfer){.cap = cap, .mode = (uint8_t)mode};
    if (path != NULL) {
        server->transfer[server->transfer_count].path = RT_PATH(*path);
    }
    server->transfer_count++;
    return server->transfer_count - 1u;
}

/* Makes the answer an exception. */
static void reply_except(struct rt_reply *reply, struct capn_request *request,
                         const struct capn_refuse_reason *reason)
{
    capn_builder_init(&request->results, request->results.segments, 1);
    exception_build(request, reason);
    reply->exception = true;
    reply->transfers = 0;
    reply->message_bytes = (uint32_t)capn_builder_words(&request->results) * CAPN_WORD_BYTES;
}

static void call_handle(struct server *server, const struct rt_request *message,
                        struct rt_buffer answer, struct rt_reply *reply)
{
    uint32_t most = answer.size - (uint32_t)sizeof(server->transfer);
    uint32_t room = message->head->result_bytes < most ? message->head->result_bytes : most;
    struct capn_segment segment = {.bytes = message->message,
                                   .words = message->head->message_bytes / CAPN_WORD_BYTES};
    struct capn_build_segment results = {.bytes = answer.bytes,
                                         .capacity_words = room / CAPN_WORD_BYTES};
    struct capn_request request = {.interface_id = message->head->interface_id,
                                   .method = message->head->method,
                                   .context = server};
    enum capn_dispatch outcome;

    capn_reader_init(&request.parameters, &segment, 1,
                     (struct capn_limits){.traversal_words = segment.words * TRAVERSAL_FACTOR,
                                          .depth = REQUEST_DEPTH});
    capn_builder_init(&request.results, &results, 1);
    server->badge = message->head->badge;
    server->caps = message->caps;
    server->cap_count = message->head->caps;
    server->taken = 0;
    server->transfer_count = 0;
    outcome = server->dispatch(server->object, &request);
    *reply = (struct rt_reply){.endpoint = server->endpoint,
                               .token = message->head->token,
                               .message = answer.bytes,
                               .transfers = (uint8_t)server->transfer_count};
    if (outcome != CAPN_DISPATCH_ANSWERED) {
        struct capn_refuse_reason reason = outcome_reason(&request, outcome);

        reply_except(reply, &request, &reason);
        return;
    }
    reply->message_bytes = (uint32_t)capn_builder_words(&request.results) * CAPN_WORD_BYTES;
    memcpy(answer.bytes + reply->message_bytes, server->transfer,
           reply->transfers * sizeof(server->transfer[0]));
}

/* The answer in the buffer, replaced by an exception because its capabilities may not be given. */
static void reply_not_grantable(struct server *server, const struct rt_request *message,
                                struct rt_buffer answer, struct rt_reply *reply)
{
    struct capn_build_segment results = {.bytes = answer.bytes,
                                         .capacity_words = EXCEPTION_BYTES / CAPN_WORD_BYTES};
    struct capn_request request = {.interface_id = message->head->interface_id,
                                   .method = message->head->method,
                                   .context = server};
    const struct capn_refuse_reason reason = {.reason = EXCEPTION_REASON_NOT_GRANTABLE,
                                              .argument = CAPN_NO_ARGUMENT};

    capn_builder_init(&request.results, &results, 1);
    reply_except(reply, &request, &reason);
}

/* Whether the call was used up by a RETURN that failed so, and the server goes on. */
static bool call_is_over(int32_t status, const struct refusal *refusal)
{
    return refusal->argument == ARGUMENT_TOKEN || status == TRANSPORT_NO_ROOM;
}

/* Releases what came with the call and was not taken. The handler is over, so is the answer. */
static int32_t borrowed_release(struct server *server)
{
    for (uint32_t i = 0; i < server->cap_count; i++) {
        if (((server->taken >> i) & 1) == 0 && server->caps[i].cap.raw != 0) {
            int32_t status = rt_release(&server->rt->ring, server->caps[i].cap);

            if (status != TRANSPORT_OK) {
                return status;
            }
        }
    }
    server->cap_count = 0;
    return TRANSPORT_OK;
}

/* Releases what was to leave with an answer that did not arrive: its handler has given it up. One
 * that could not be given is the handler's own mistake, and may be gone already. */
static void moves_release(struct server *server)
{
    for (uint32_t i = 0; i < server->transfer_count; i++) {
        if (server->transfer[i].mode == TRANSFER_MOVE) {
            int32_t status = rt_release(&server->rt->ring, server->transfer[i].cap);

            (void)status;
        }
    }
}

/* Answers the call in `message` on its own; 0: the loop may go on. */
static int32_t answer_alone(struct server *server, const struct rt_request *message,
                            struct rt_buffer answer, struct rt_reply *reply)
{
    struct refusal refusal;
    int32_t status = rt_return_refused(&server->rt->ring, reply, &refusal);

    if (status != TRANSPORT_OK && !call_is_over(status, &refusal) &&
        refusal.argument == ARGUMENT_TRANSFERS) {
        reply_not_grantable(server, message, answer, reply);
        status = rt_return_refused(&server->rt->ring, reply, &refusal);
    }
    if (status != TRANSPORT_OK && !call_is_over(status, &refusal)) {
        return status;
    }
    if (status != TRANSPORT_OK || reply->transfers == 0) {
        moves_release(server);
    }
    return borrowed_release(server);
}

/* Answers and waits for the next call, with one submission if nothing else is to be done. */
static struct rt_request answer_and_receive(struct server *server, const struct rt_request *message,
                                            struct rt_buffer inbox, struct rt_buffer answer,
                                            struct rt_reply *reply)
{
    struct rt_ring *ring = &server->rt->ring;
    struct rt_request next;

    if (server->transfer_count != 0 || server->cap_count != 0) {
        next.status = answer_alone(server, message, answer, reply);
    } else {
        next = rt_return_receive(ring, reply, inbox);
        if (next.status >= 0 || !call_is_over(next.status, &next.refusal)) {
            return next;
        }
        next.status = TRANSPORT_OK;
    }
    return next.status < 0 ? next : rt_receive(ring, server->endpoint, inbox);
}

static int32_t serve(struct server *server, struct rt_buffer inbox, struct rt_buffer answer)
{
    struct rt_request message = rt_receive(&server->rt->ring, server->endpoint, inbox);

    while (message.status >= 0) {
        struct rt_reply reply;

        if (message.head->kind == ENDPOINT_MESSAGE_CLOSED) {
            if (server->closed != NULL) {
                server->closed(server->object, message.head->badge);
            }
            if (server->stopping) {
                return TRANSPORT_OK;
            }
            message = rt_receive(&server->rt->ring, server->endpoint, inbox);
            continue;
        }
        call_handle(server, &message, answer, &reply);
        if (server->stopping) {
            return answer_alone(server, &message, answer, &reply);
        }
        message = answer_and_receive(server, &message, inbox, answer, &reply);
    }
    return message.status;
}

int32_t server_run(struct server *server)
{
    struct rt_ring *ring = &server->rt->ring;
    struct rt_buffer inbox = rt_buffer_alloc(ring, RT_RECEIVE_BYTES(server->message_bytes));
    struct rt_buffer answer =
        rt_buffer_alloc(ring, server->message_bytes + (uint32_t)sizeof(server->transfer));
    int32_t status = TRANSPORT_LIMIT;

    if (inbox.bytes != NULL && answer.bytes != NULL) {
        status = serve(server, inbox, answer);
    }
    rt_buffer_free(ring, inbox);
    rt_buffer_free(ring, answer);
    return status;
}
