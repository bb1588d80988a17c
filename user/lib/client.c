/* SPDX-License-Identifier: MIT */
/* One typed call. */
#include "user/lib/client.h"

#include "core/assert.h"
#include "core/string.h"

/* Budget of a reader, in words for each word of the answer: every pointer followed twice. */
enum {
    CLIENT_TRAVERSAL_FACTOR = 2,
    CLIENT_DEPTH = 8,
    CLIENT_FACET_WORDS = 2,
};

int32_t client_begin(struct client_call *call, struct rt *rt, const struct client_target *target)
{
    *call = (struct client_call){.rt = rt, .target = *target};
    call->request = rt_buffer_alloc(&rt->ring, target->request_bytes);
    call->answer = rt_buffer_alloc(&rt->ring, target->result_bytes);
    if (call->request.bytes == NULL || call->answer.bytes == NULL) {
        call->status = TRANSPORT_LIMIT;
        return call->status;
    }
    call->segment = (struct capn_build_segment){
        .bytes = call->request.bytes,
        .capacity_words = target->request_bytes / CAPN_WORD_BYTES,
    };
    capn_builder_init(&call->builder, &call->segment, 1);
    return TRANSPORT_OK;
}

struct capn_struct_builder client_parameters(struct client_call *call, struct capn_size size)
{
    return capn_init_struct(capn_builder_root(&call->builder), size);
}

uint32_t client_transfer(struct client_call *call, struct cap_id cap, enum transfer_mode mode)
{
    if (cap.raw == 0 || call->transfers == LIMIT_TRANSFERS) {
        return CAPN_NO_CAPABILITY;
    }
    call->transfer[call->transfers] = (struct transfer){.cap = cap, .mode = mode};
    call->transfers++;
    return call->transfers - 1u;
}

int32_t client_send(struct client_call *call)
{
    struct rt_call wire = {
        .cap = call->target.cap,
        .interface_id = call->target.interface_id,
        .method = call->target.method,
        .transfers = call->transfers,
        .message = call->request.bytes,
        .message_bytes = call->segment.used_words * CAPN_WORD_BYTES,
        .result_bytes = call->target.result_bytes,
        .result = call->answer.bytes,
    };
    size_t transfer_bytes = call->transfers * sizeof(call->transfer[0]);

    /* Messages that this program builds fit the room it chose. */
    ASSERT(capn_builder_status(&call->builder) == CAPN_OK);
    ASSERT(wire.message_bytes + transfer_bytes <= call->request.size);
    memcpy(call->request.bytes + wire.message_bytes, call->transfer, transfer_bytes);
    call->result = rt_call(&call->rt->ring, &wire);
    if (call->result.status < 0) {
        call->status = call->result.status;
        return call->status;
    }
    call->answer_segment = (struct capn_segment){
        .bytes = call->answer.bytes,
        .words = (uint64_t)call->result.status / CAPN_WORD_BYTES,
    };
    capn_reader_init(
        &call->reader, &call->answer_segment, 1,
        (struct capn_limits){
            .traversal_words = call->answer_segment.words * CLIENT_TRAVERSAL_FACTOR + 8,
            .depth = CLIENT_DEPTH,
        });
    call->status = TRANSPORT_OK;
    if (call->result.exception) {
        call->status = capn_get_u16(client_results(call), 0, 0);
        if (call->status == CLIENT_REASON_NONE) {
            call->status = TRANSPORT_BAD_MESSAGE;
        }
    }
    return call->status;
}

struct capn_struct client_results(struct client_call *call)
{
    if (call->answer_segment.words == 0) {
        return (struct capn_struct){.reader = NULL};
    }
    return capn_read_struct(capn_reader_root(&call->reader), NULL);
}

struct cap_id client_result_cap(const struct client_call *call, struct capn_pointer pointer)
{
    uint32_t index = capn_read_capability(pointer);

    if (index >= call->result.cap_count) {
        return (struct cap_id){.raw = 0};
    }
    return call->result.caps[index].cap;
}

int32_t client_end(struct client_call *call)
{
    rt_buffer_free(&call->rt->ring, call->request);
    rt_buffer_free(&call->rt->ring, call->answer);
    return call->status;
}

void client_facet_write(struct capn_pointer_builder to, uint64_t facet)
{
    struct capn_struct_builder s =
        capn_init_struct(to, (struct capn_size){.data_words = CLIENT_FACET_WORDS});

    capn_set_u16(s, 0, facet == CLIENT_FACET_ALL ? 0 : 1, 0);
    capn_set_u64(s, 8, facet == CLIENT_FACET_ALL ? 0 : facet, 0);
}

/* In the order of schema/exception.capnp's Reason. */
static const char *const reason_names[] = {
    "none",
    "malformedMessage",
    "unknownMethod",
    "methodNotInFacet",
    "staleCapability",
    "revokedCapability",
    "wrongInterface",
    "missingCapability",
    "missingArgument",
    "invalidArgument",
    "outOfRange",
    "misaligned",
    "invalidName",
    "alreadyExists",
    "notFound",
    "quotaExceeded",
    "limitExceeded",
    "outOfMemory",
    "notGrantable",
    "widerThanSource",
    "busy",
    "wouldBlock",
    "timedOut",
    "cancelled",
    "interrupted",
    "brokenAnswer",
    "peerDied",
    "peerRestarted",
    "unsupportedVersion",
    "badImage",
    "notSeekable",
    "notOwner",
    "deadlock",
    "closed",
    "messageTooLarge",
    "tooManyCapabilities",
    "permissionDenied",
    "unsupported",
    "writableAndExecutable",
    "opcodeOnly",
};

const char *client_outcome_name(int32_t outcome)
{
    if (outcome > 0 && (size_t)outcome < ARRAY_COUNT(reason_names)) {
        return reason_names[outcome];
    }
    return rt_status_name(outcome);
}
