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

static int32_t client_invoke_without_room(struct capn_call *call)
{
    (void)call;
    return TRANSPORT_LIMIT;
}

/* The CALL that the request makes, its capabilities copied behind it. */
static struct rt_call call_of(struct client *client)
{
    const struct capn_call *call = &client->call;
    uint32_t message_bytes = call->request_segment.used_words * CAPN_WORD_BYTES;

    memcpy(client->request.bytes + message_bytes, client->transfer,
           client->transfer_count * sizeof(client->transfer[0]));
    return (struct rt_call){
        .cap = client->cap,
        .promise = client->promise,
        .answer = client->answer_id,
        .interface_id = call->interface_id,
        .method = (uint8_t)call->method, /* below 64: the generator refuses more */
        .transfers = client->transfer_count,
        .message = client->request.bytes,
        .message_bytes = message_bytes,
        .result = client->answer.bytes,
        .result_bytes = client->answer.size,
    };
}

/* Submits the request. Nothing is under way unless the result is 0. */
static int32_t request_submit(struct client *client)
{
    size_t bytes = client->call.request_segment.used_words * CAPN_WORD_BYTES +
                   client->transfer_count * sizeof(client->transfer[0]);
    struct sqe entry;

    if (client->call.invoke == client_invoke_without_room) {
        return TRANSPORT_LIMIT;
    }
    if (capn_builder_status(&client->call.request) != CAPN_OK || bytes > client->request.size) {
        return TRANSPORT_TOO_LARGE;
    }
    client->wire_call = call_of(client);
    client->transfer_count = 0;
    entry = rt_call_entry(&client->wire_call);
    return rt_ring_submit(&client->rt->ring, &entry, &client->operation);
}

/* Makes the completion's message readable; the outcome of the call. */
static int32_t answer_open(struct client *client, const struct cqe *completion)
{
    struct capn_call *call = &client->call;

    client->wire = rt_call_answer(&client->wire_call, completion);
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

int32_t client_submit(struct client *client)
{
    client->call.status = request_submit(client);
    return client->call.status;
}

int32_t client_finish(struct client *client)
{
    struct cqe completion;

    client->call.status =
        rt_ring_wait(&client->rt->ring, client->operation, TIMEOUT_NONE, &completion);
    if (client->call.status == TRANSPORT_OK) {
        client->call.status = answer_open(client, &completion);
    }
    return client->call.status;
}

static int32_t client_invoke(struct capn_call *call)
{
    struct client *client = call->context;
    int32_t status = client_submit(client);

    return status == TRANSPORT_OK ? client_finish(client) : status;
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

bool client_keep(struct client *client)
{
    if (client->answer_id.raw == 0) {
        client->answer_id = rt_answer_take(&client->rt->ring);
    }
    return client->answer_id.raw != 0;
}

void client_open_promised(struct client *client, const struct client *of, struct capn_path path,
                          struct client_room room)
{
    client_open(client, of->rt, (struct cap_id){.raw = 0}, room);
    client->promise = rt_promised(of->answer_id, RT_PATH(path));
}

uint32_t client_pass(struct client *client, struct cap_id cap, enum transfer_mode mode)
{
    if (cap.raw == 0 || client->transfer_count == LIMIT_TRANSFERS) {
        return CAPN_NO_CAPABILITY;
    }
    client->transfer[client->transfer_count] = (struct transfer){.cap = cap, .mode = (uint8_t)mode};
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

    if (client->answer_id.raw != 0) {
        /* BAD_ANSWER: the call was refused before its answer was kept. */
        (void)!rt_finish(&client->rt->ring, client->answer_id);
    }
    rt_buffer_free(&client->rt->ring, client->request);
    rt_buffer_free(&client->rt->ring, client->answer);
    if (status == CAPN_CALL_BAD_REQUEST) {
        return client->call.invoke == client_invoke_without_room ? TRANSPORT_LIMIT
                                                                 : TRANSPORT_TOO_LARGE;
    }
    return status;
}
