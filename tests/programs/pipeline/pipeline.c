/* SPDX-License-Identifier: MIT */
/*
 * Promised calls, both sides from one thread: chains on kernel objects in one crossing, calls that
 * wait for an endpoint's answer, answers that break, FINISH and CANCEL at every moment. Then chains
 * of four against a server in a thread of its own, racing with its answers. Needs
 * "endpoint-factory" and "thread-spawner".
 *
 * covers: CALL/BAD_ANSWER, CALL/BROKEN, CALL/CANCELLED, CALL/BAD_BUFFER, FINISH/BAD_ANSWER,
 * covers: CANCEL/NOT_FOUND, RECV/CANCELLED
 */
#include "core/string.h"
#include "tests/programs/pipeline/pipeline.h"
#include "core/string.h"

static void bench_make(struct bench *bench, struct check *check)
{
    struct manifest_export limits = {
        .message_bytes = MESSAGE_BYTES, .capabilities = 2, .queue_length = 32};
    struct endpoint_session session = {.interface_id = GREETER_INTERFACE_ID,
                                       .facet = MANIFEST_FACET_ALL,
                                       .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};

    *bench = (struct bench){.check = check, .rt = check->rt, .ring = &check->rt->ring};
    bench->ring->checks = false; /* calls share their buffers */
    bench->inbox = rt_buffer_alloc(bench->ring, RT_RECEIVE_BYTES(MESSAGE_BYTES) +
                                                    2 * (uint32_t)sizeof(struct received_cap));
    bench->buffer = rt_buffer_alloc(bench->ring, 512);
    CHECK_EQUAL(
        check,
        rt_find(bench->rt, "endpoint-factory", ENDPOINT_FACTORY_INTERFACE_ID, &bench->factory.cap),
        TRANSPORT_OK);
    CHECK_EQUAL(check, endpoint_client_create(bench->rt, bench->factory, &limits, &bench->owner),
                TRANSPORT_OK);
    CHECK_EQUAL(check, endpoint_client_mint(bench->rt, bench->owner, &session, &bench->client),
                TRANSPORT_OK);
}

bool has_come(struct bench *bench, struct rt_operation operation, struct cqe *completion)
{
    CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
    return rt_ring_poll(bench->ring, operation, completion);
}

struct sqe greet(const struct bench *bench, struct rt_answer_id answer)
{
    struct rt_call call = {
        .cap = bench->client,
        .interface_id = GREETER_INTERFACE_ID,
        .method = GREETER_METHOD_GREET,
        .message = bench->buffer.bytes,
        .result = bench->buffer.bytes,
        .result_bytes = bench->buffer.size,
        .answer = answer,
    };

    return rt_call_entry(&call);
}

struct sqe promised(const struct bench *bench, struct rt_answer_id from, struct rt_answer_id answer)
{
    struct sqe entry = greet(bench, answer);

    entry.flags = SQE_PROMISED;
    entry.promise = rt_promised(from, RT_PATH(first_path));
    return entry;
}

uint64_t received(struct bench *bench)
{
    struct rt_request request = rt_receive(bench->ring, bench->owner.cap, bench->inbox);

    CHECK(bench->check, request.status > 0);
    return request.status > 0 ? request.head->token : 0;
}

void answer(struct bench *bench, uint64_t token, bool exception)
{
    CHECK_EQUAL(bench->check,
                rt_return(bench->ring, &(struct rt_reply){.endpoint = bench->owner.cap,
                                                          .token = token,
                                                          .message = bench->buffer.bytes,
                                                          .exception = exception}),
                TRANSPORT_OK);
}

void answer_with_cap(struct bench *bench, uint64_t token, struct answer_path path)
{
    struct transfer transfer = {.cap = bench->client, .mode = TRANSFER_COPY, .path = path};

    memcpy(bench->buffer.bytes, &transfer, sizeof(transfer));
    CHECK_EQUAL(bench->check,
                rt_return(bench->ring, &(struct rt_reply){.endpoint = bench->owner.cap,
                                                          .token = token,
                                                          .message = bench->buffer.bytes,
                                                          .transfers = 1}),
                TRANSPORT_OK);
}

struct cap_id answer_cap(struct bench *bench, const struct cqe *completion, const uint8_t *result)
{
    struct received_cap record;

    CHECK_EQUAL(bench->check, completion->result, 0);
    CHECK_EQUAL(bench->check, completion->flags >> CQE_CAPS_SHIFT, 1);
    memcpy(&record, result, sizeof(record));
    CHECK(bench->check, record.interface_id == GREETER_INTERFACE_ID);
    return record.cap;
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct bench bench;

    bench_make(&bench, &check);
    kernel_chain(&bench);
    for (unsigned round = 0; round < 3; round++) {
        server_chain(&bench);
        order_kept(&bench);
    }
    ids_refused(&bench);
    buffers_refused(&bench);
    empty_buffers_refused(&bench);
    for (unsigned round = 0; round < 3; round++) {
        for (enum chain_end end = CHAIN_NO_CAPABILITY; end < CHAIN_ENDS; end++) {
            chain_breaks(&bench, end);
        }
    }
    finish_early(&bench);
    finish_releases(&bench);
    cancels(&bench);
    slots_used_up(&bench);
    races(&bench);
    /* Ends with a chain under way and its answers kept. */
    for (unsigned i = 0; i < 3; i++) {
        struct rt_answer_id id = rt_answer_take(&rt->ring);
        struct sqe entry = greet(&bench, id);

        (void)check_submit(&check, &rt->ring, &entry);
        entry = promised(&bench, id, (struct rt_answer_id){.raw = 0});
        (void)check_submit(&check, &rt->ring, &entry);
    }
    CHECK_EQUAL(&check, rt_ring_enter(&rt->ring, 0, 0), TRANSPORT_OK);
    return check_end(&check);
}
