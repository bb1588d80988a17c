/* SPDX-License-Identifier: MIT */
/* Endpoints that test programs wait at. */
#include "tests/programs/support/gate.h"

#include "schema/generated/null.capnp.h"
#include "tests/programs/support/giving.h"

struct gate gate_make(struct check *check)
{
    struct endpoint_factory factory = {check_held(check, "endpoint-factory")};
    struct manifest_export limits = {
        .message_bytes = GATE_MESSAGE_BYTES, .capabilities = 1, .queue_length = 16};
    struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                       .facet = MANIFEST_FACET_ALL,
                                       .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    struct gate gate = {.client = {0}};

    CHECK_EQUAL(check, endpoint_client_create(check->rt, factory, &limits, &gate.owner),
                TRANSPORT_OK);
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, gate.owner, &session, &gate.client),
                TRANSPORT_OK);
    gate.inbox = rt_buffer_alloc(&check->rt->ring, RT_RECEIVE_BYTES(GATE_MESSAGE_BYTES));
    gate.reply = rt_buffer_alloc(&check->rt->ring, GATE_MESSAGE_BYTES);
    return gate;
}

uint64_t gate_take(struct check *check, struct gate *gate)
{
    struct rt_request request = rt_receive(&check->rt->ring, gate->owner.cap, gate->inbox);

    return CHECK(check, request.status >= 0) ? request.head->token : 0;
}

void gate_answer(struct check *check, struct gate *gate, uint64_t token)
{
    CHECK_EQUAL(check,
                rt_return(&check->rt->ring, &(struct rt_reply){.endpoint = gate->owner.cap,
                                                               .token = token,
                                                               .message = gate->reply.bytes,
                                                               .message_bytes = 8}),
                TRANSPORT_OK);
}

uint16_t gate_pass(struct check *check, struct gate *gate)
{
    struct rt_request request = rt_receive(&check->rt->ring, gate->owner.cap, gate->inbox);
    uint16_t method = UINT16_MAX;

    if (CHECK(check, request.status >= 0)) {
        method = request.head->method;
        gate_answer(check, gate, request.head->token);
    }
    return method;
}

void gate_end(struct check *check, struct gate *gate)
{
    rt_buffer_free(&check->rt->ring, gate->inbox);
    rt_buffer_free(&check->rt->ring, gate->reply);
    giving_release(check, gate->client);
    giving_release(check, gate->owner.cap);
}
