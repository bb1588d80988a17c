/* SPDX-License-Identifier: MIT */
/* Chains that hold: on kernel objects, on a server, and their order. */
#include "core/string.h"
#include "schema/generated/endpoint.capnp.h"
#include "tests/programs/pipeline/pipeline.h"
#include "user/lib/facet.h"

enum {
    BADGE = 5,
};

/* create -> mint -> greet, and info beside it: all of it submitted before the kernel is entered
 * once. The call that comes out at the end arrives at the endpoint made at the beginning. */
void kernel_chain(struct bench *bench)
{
    struct check *check = bench->check;
    struct client create;
    struct client mint;
    struct client info;
    struct endpoint_limits_builder limits;
    struct endpoint_mint_params_builder params;
    struct endpoint_info_results_reader told;
    struct rt_operation call;
    struct sqe entry;
    struct cap_id owner;
    struct cap_id session;
    struct rt_request request;

    client_open(&create, bench->rt, bench->factory.cap, CLIENT_ROOM_SMALL);
    CHECK(check, client_keep(&create));
    limits =
        endpoint_factory_create_params_init_limits(endpoint_factory_create_request(&create.call));
    endpoint_limits_set_message_bytes(limits, MESSAGE_BYTES);
    endpoint_limits_set_capabilities(limits, 0);
    endpoint_limits_set_queue_length(limits, 32);
    CHECK_EQUAL(check, client_submit(&create), TRANSPORT_OK);
    client_open_promised(&mint, &create, ENDPOINT_FACTORY_CREATE_PATH_ENDPOINT, CLIENT_ROOM_SMALL);
    CHECK(check, client_keep(&mint));
    params = endpoint_mint_request(&mint.call);
    endpoint_mint_params_set_interface_id(params, GREETER_INTERFACE_ID);
    facet_client_set(endpoint_mint_params_init_facet(params), MANIFEST_FACET_ALL);
    endpoint_mint_params_set_badge(params, BADGE);
    CHECK_EQUAL(check, client_submit(&mint), TRANSPORT_OK);
    entry = greet(bench, (struct rt_answer_id){.raw = 0});
    entry.flags = SQE_PROMISED;
    entry.promise = rt_promised(mint.answer_id, RT_PATH(ENDPOINT_MINT_PATH_CLIENT));
    call = check_submit(bench->check, bench->ring, &entry);
    client_open_promised(&info, &create, ENDPOINT_FACTORY_CREATE_PATH_ENDPOINT, CLIENT_ROOM_SMALL);
    (void)endpoint_info_request(&info.call);
    CHECK_EQUAL(check, client_submit(&info), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_ring_enter(bench->ring, 3, TIMEOUT_NONE), TRANSPORT_OK);
    CHECK_EQUAL(check, client_finish(&create), TRANSPORT_OK);
    owner = client_received(&create, 0);
    CHECK_EQUAL(check, client_finish(&mint), TRANSPORT_OK);
    session = client_received(&mint, 0);
    CHECK_EQUAL(check, client_finish(&info), TRANSPORT_OK);
    told = endpoint_info_response(&info.call);
    CHECK_EQUAL(check, endpoint_info_results_get_waiting_calls(told), 1);
    request = rt_receive(bench->ring, owner, bench->inbox);
    CHECK(check, request.status > 0 && request.head->badge == BADGE);
    CHECK_EQUAL(check,
                rt_return(bench->ring, &(struct rt_reply){.endpoint = owner,
                                                          .token = request.head->token,
                                                          .message = bench->buffer.bytes}),
                TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, call).result, 0);
    CHECK_EQUAL(check, client_close(&info), TRANSPORT_OK);
    CHECK_EQUAL(check, client_close(&mint), TRANSPORT_OK);
    CHECK_EQUAL(check, client_close(&create), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(bench->ring, session), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(bench->ring, owner), TRANSPORT_OK);
}

/* A chain of four calls on a server that is a program: all submitted before the first is received,
 * each sent when the one before is answered, and the client enters for all of them together. */
void server_chain(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_buffer result = rt_buffer_alloc(bench->ring, 4 * 128);
    struct rt_answer_id id[4];
    struct rt_operation link[4];
    struct cqe completion;

    for (unsigned i = 0; i < 4; i++) {
        struct sqe entry;

        id[i] = rt_answer_take(bench->ring);
        entry = i == 0 ? greet(bench, id[0]) : promised(bench, id[i - 1], id[i]);
        entry.method = i % 2 == 0 ? GREETER_METHOD_GREET : GREETER_METHOD_FINISH;
        entry.message_bytes = 0;
        entry.result = (uint64_t)(uintptr_t)result.bytes + 128 * i;
        entry.result_bytes = 128;
        link[i] = check_submit(bench->check, bench->ring, &entry);
    }
    for (unsigned i = 0; i < 4; i++) {
        struct rt_request request = rt_receive(bench->ring, bench->owner.cap, bench->inbox);

        CHECK(check, request.status > 0);
        CHECK_EQUAL(check, request.head->method,
                    i % 2 == 0 ? GREETER_METHOD_GREET : GREETER_METHOD_FINISH);
        answer_with_cap(bench, request.head->token, RT_PATH(first_path));
    }
    for (unsigned i = 0; i < 4; i++) {
        completion = check_completion(bench->check, bench->ring, link[i]);
        CHECK_EQUAL(
            check,
            rt_release(bench->ring, answer_cap(bench, &completion, result.bytes + (size_t)128 * i)),
            TRANSPORT_OK);
        CHECK_EQUAL(check, rt_finish(bench->ring, id[i]), TRANSPORT_OK);
    }
    rt_buffer_free(bench->ring, result);
}

/* Who has seen the answer and calls its capability directly comes after every promised call, and
 * those come in the order of their submission. A path that the answer does not have is BROKEN. */
void order_kept(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct rt_answer_id none = {.raw = 0};
    struct rt_buffer result = rt_buffer_alloc(bench->ring, 128);
    struct rt_operation first;
    struct rt_operation waiting[6];
    struct rt_operation direct;
    struct cqe completion;
    struct sqe entry = greet(bench, id);
    struct cap_id cap;

    entry.result = (uint64_t)(uintptr_t)result.bytes;
    entry.result_bytes = 128;
    first = check_submit(bench->check, bench->ring, &entry);
    for (unsigned i = 0; i < 6; i++) {
        entry = promised(bench, id, none);
        entry.result_bytes = 64 + 8 * i; /* tells them apart at the server */
        if (i == 5) {
            entry.promise.path.step[1] = 1;
        }
        waiting[i] = check_submit(bench->check, bench->ring, &entry);
    }
    answer_with_cap(bench, received(bench), RT_PATH(first_path));
    completion = check_completion(bench->check, bench->ring, first);
    cap = answer_cap(bench, &completion, result.bytes);
    entry = greet(bench, none);
    entry.cap = cap;
    entry.result_bytes = 128;
    direct = check_submit(bench->check, bench->ring, &entry);
    completion = check_completion(bench->check, bench->ring, waiting[5]);
    CHECK_EQUAL(check, completion.result, TRANSPORT_BROKEN);
    CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_PATH);
    for (unsigned i = 0; i < 6; i++) {
        struct rt_request request = rt_receive(bench->ring, bench->owner.cap, bench->inbox);

        CHECK(check, request.status > 0);
        CHECK_EQUAL(check, request.head->result_bytes, i == 5 ? 128 : 64 + 8 * i);
        answer(bench, request.head->token, false);
        CHECK_EQUAL(
            check, check_completion(bench->check, bench->ring, i == 5 ? direct : waiting[i]).result,
            0);
    }
    /* The answer names the caller's edge: released, a late promise finds it stale. */
    CHECK_EQUAL(check, rt_release(bench->ring, cap), TRANSPORT_OK);
    entry = promised(bench, id, none);
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &entry).result, TRANSPORT_STALE_CAP);
    CHECK_EQUAL(check, rt_finish(bench->ring, id), TRANSPORT_OK);
    rt_buffer_free(bench->ring, result);
}
