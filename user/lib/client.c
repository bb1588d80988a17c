/* SPDX-License-Identifier: MIT */
/* The transport of typed calls. */
#include "user/lib/client.h"

#include "core/string.h"
#include "schema/generated/exception.capnp.h"

enum {
    TRAVERSAL_FACTOR = 4, /* a word of an answer may be met so often */
    ANSWER_DEPTH = 8,
};

/* Reads an answer that is a CapException: its reason, never "none". */
static int32_t exception_reason(struct capn_call *call)
{
    int32_t reason =
        cap_exception_get_reason(cap_exception_read(capn_reader_root(&call->response)));

    return reason == EXCEPTION_REASON_NONE ? TRANSPORT_BAD_MESSAGE : reason;
}

static int32_t client_invoke(struct capn_call *call)
{
    struct client *client = call->context;
    uint32_t message_bytes = call->request_segment.used_words * CAPN_WORD_BYTES;
    size_t transfer_bytes = client->transfer_count * sizeof(client->transfer[0]);
    struct rt_call wire = {
        .cap = client->cap,
        .interface_id = call->interface_id,
        .method = call->method,
        .transfers = client->transfer_count,
        .message = client->request.bytes,
        .message_bytes = message_bytes,
        .result = client->answer.bytes,
        .result_bytes = client->answer.size,
    };

    client->transfer_count = 0;
    if (message_bytes + transfer_bytes > client->request.size) {
        return TRANSPORT_TOO_LARGE;
    }
    memcpy(client->request.bytes + message_bytes, client->transfer, transfer_bytes);
    client->wire = rt_call(&client->rt->ring, &wire);
    if (client->wire.status < 0) {
        return client->wire.status;
    }
    call->response_segment = (struct capn_segment){
        .bytes = client->answer.bytes,
        .words = (uint64_t)client->wire.status / CAPN_WORD_BYTES,
    };
    capn_reader_init(&call->response, &call->response_segment, 1,
                     (struct capn_limits){
                         .traversal_words = call->response_segment.words * TRAVERSAL_FACTOR,
                         .depth = ANSWER_DEPTH,
                     });
    return client->wire.exception ? exception_reason(call) : TRANSPORT_OK;
}

static int32_t client_invoke_without_room(struct capn_call *call)
{
    (void)call;
    return TRANSPORT_LIMIT;
}

void client_open(struct client *client, struct rt *rt, struct cap_id cap, struct client_room room)
{
    memset(client, 0, sizeof(*client));
    client->rt = rt;
    client->cap = cap;
    client->request = rt_buffer_alloc(&rt->ring, room.request_bytes);
    client->answer = rt_buffer_alloc(&rt->ring, room.answer_bytes);
    client->call.context = client;
    client->call.invoke = client_invoke;
    client->call.request_segment = (struct capn_build_segment){
        .bytes = client->request.bytes,
        .capacity_words = client->request.size / CAPN_WORD_BYTES,
    };
    if (client->request.bytes == NULL || client->answer.bytes == NULL) {
        client->call.invoke = client_invoke_without_room;
        client->call.request_segment.capacity_words = 0;
    }
}

uint32_t client_pass(struct client *client, struct cap_id cap, enum transfer_mode mode)
{
    if (cap.raw == 0 || client->transfer_count == LIMIT_TRANSFERS) {
        return CAPN_NO_CAPABILITY;
    }
    client->transfer[client->transfer_count] = (struct transfer){.cap = cap, .mode = mode};
    client->transfer_count++;
    return client->transfer_count - 1u;
}

struct cap_id client_received(const struct client *client, uint32_t index)
{
    if (index >= client->wire.cap_count) {
        return (struct cap_id){.raw = 0};
    }
    return client->wire.caps[index].cap;
}

int32_t client_close(struct client *client)
{
    int32_t status = client->call.status;

    rt_buffer_free(&client->rt->ring, client->request);
    rt_buffer_free(&client->rt->ring, client->answer);
    return status == CAPN_CALL_BAD_REQUEST ? TRANSPORT_TOO_LARGE : status;
}
