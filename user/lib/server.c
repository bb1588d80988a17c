/* SPDX-License-Identifier: MIT */
/* A server's loop. An answer that its caller no longer waits for is nobody's error: the loop goes
 * on with the next call. */
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
    cap_exception_set_detail(exception, static_text(reason->detail));
}

/* Handles the call in `message` and fills `reply`. */
static void call_handle(struct server *server, const struct rt_request *message,
                        struct rt_buffer answer, struct rt_reply *reply)
{
    uint32_t room =
        message->head->result_bytes < answer.size ? message->head->result_bytes : answer.size;
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
    outcome = server->dispatch(server->object, &request);
    *reply = (struct rt_reply){.endpoint = server->endpoint,
                               .token = message->head->token,
                               .message = answer.bytes,
                               .exception = outcome != CAPN_DISPATCH_ANSWERED};
    if (reply->exception) {
        struct capn_refuse_reason reason = outcome_reason(&request, outcome);

        capn_builder_init(&request.results, &results, 1);
        exception_build(&request, &reason);
    }
    reply->message_bytes = (uint32_t)capn_builder_words(&request.results) * CAPN_WORD_BYTES;
}

static int32_t serve(struct server *server, struct rt_buffer inbox, struct rt_buffer answer)
{
    struct rt_ring *ring = &server->rt->ring;
    struct rt_request message = rt_receive(ring, server->endpoint, inbox);

    for (;;) {
        struct rt_reply reply;

        if (message.status < 0) {
            return message.status;
        }
        call_handle(server, &message, answer, &reply);
        if (server->stopping) {
            int32_t status = rt_return(ring, &reply);

            return status == TRANSPORT_BAD_TOKEN ? TRANSPORT_OK : status;
        }
        message = rt_return_receive(ring, &reply, inbox);
        if (message.status == TRANSPORT_BAD_TOKEN || message.status == TRANSPORT_NO_ROOM) {
            message = rt_receive(ring, server->endpoint, inbox);
        }
    }
}

int32_t server_run(struct server *server)
{
    struct rt_ring *ring = &server->rt->ring;
    struct rt_buffer inbox = rt_buffer_alloc(ring, RT_RECEIVE_BYTES(server->message_bytes));
    struct rt_buffer answer = rt_buffer_alloc(ring, server->message_bytes);
    int32_t status = TRANSPORT_LIMIT;

    if (inbox.bytes != NULL && answer.bytes != NULL) {
        status = serve(server, inbox, answer);
    }
    rt_buffer_free(ring, inbox);
    rt_buffer_free(ring, answer);
    return status;
}
