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
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/greeter.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/lib/facet.h"
#include "user/lib/thread_spawner.h"

enum {
    MESSAGE_BYTES = 4096,
    BADGE = 5,
    CHAIN = 20,
    RACE_ROUNDS = 120,
};

struct bench {
    struct check *check;
    struct rt *rt;
    struct rt_ring *ring;
    struct endpoint_factory factory;
    struct endpoint_owner owner;
    struct cap_id client;
    struct rt_buffer inbox;
    struct rt_buffer buffer; /* requests and answers: nothing here reads them */
};

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

/* Whether it has come, after one look at the kernel. */
static bool has_come(struct bench *bench, struct rt_operation operation, struct cqe *completion)
{
    CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
    return rt_ring_poll(bench->ring, operation, completion);
}

static struct sqe greet(const struct bench *bench, struct rt_answer_id answer)
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

static const struct capn_path first_path = {.length = 1, .index = {0}};

static struct sqe promised(const struct bench *bench, struct rt_answer_id from,
                           struct rt_answer_id answer)
{
    struct sqe entry = greet(bench, answer);

    entry.flags = SQE_PROMISED;
    entry.promise = rt_promised(from, RT_PATH(first_path));
    return entry;
}

/* Takes the oldest call that waits at the endpoint; its token. */
static uint64_t received(struct bench *bench)
{
    struct rt_request request = rt_receive(bench->ring, bench->owner.cap, bench->inbox);

    CHECK(bench->check, request.status > 0);
    return request.status > 0 ? request.head->token : 0;
}

static void answer(struct bench *bench, uint64_t token, bool exception)
{
    CHECK_EQUAL(bench->check,
                rt_return(bench->ring, &(struct rt_reply){.endpoint = bench->owner.cap,
                                                          .token = token,
                                                          .message = bench->buffer.bytes,
                                                          .exception = exception}),
                TRANSPORT_OK);
}

/* create -> mint -> greet, and info beside it: all of it submitted before the kernel is entered
 * once. The call that comes out at the end arrives at the endpoint made at the beginning. */
static void kernel_chain(struct bench *bench)
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

/* Answers a call with the client's edge at `path`. */
static void answer_with_cap(struct bench *bench, uint64_t token, struct answer_path path)
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

/* The single capability that came with an answer of no bytes; it is given up again. */
static struct cap_id answer_cap(struct bench *bench, const struct cqe *completion,
                                const uint8_t *result)
{
    struct received_cap record;

    CHECK_EQUAL(bench->check, completion->result, 0);
    CHECK_EQUAL(bench->check, completion->flags >> CQE_CAPS_SHIFT, 1);
    memcpy(&record, result, sizeof(record));
    CHECK(bench->check, record.interface_id == GREETER_INTERFACE_ID);
    return record.cap;
}

/* A chain of four calls on a server that is a program: all submitted before the first is received,
 * each sent when the one before is answered, and the client enters for all of them together. */
static void server_chain(struct bench *bench)
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
static void order_kept(struct bench *bench)
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

/* Ids that name nothing, are in use, or stand for the call itself. */
static void ids_refused(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct rt_answer_id beyond = {.raw = 1U << ANSWER_SLOT_BITS | LIMIT_ANSWERS};
    struct sqe entry = greet(bench, id);
    struct sqe again = greet(bench, id);
    struct rt_operation first;
    struct cqe completion;

    first = check_submit(bench->check, bench->ring, &entry);
    completion = check_done(bench->check, bench->ring, &again);
    CHECK_EQUAL(check, completion.result, TRANSPORT_BAD_ANSWER);
    CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_ANSWER);
    again = greet(bench, beyond);
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &again).result, TRANSPORT_BAD_ANSWER);
    again = promised(bench, beyond, (struct rt_answer_id){.raw = 0});
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &again).result, TRANSPORT_BAD_ANSWER);
    beyond.raw = id.raw ^ 1U << ANSWER_SLOT_BITS;
    again = promised(bench, beyond, (struct rt_answer_id){.raw = 0});
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &again).result, TRANSPORT_BAD_ANSWER);
    again = rt_finish_entry(beyond);
    completion = check_done(bench->check, bench->ring, &again);
    CHECK_EQUAL(check, completion.result, TRANSPORT_BAD_ANSWER);
    CHECK_EQUAL(check, completion.refusal.amount, beyond.raw);
    answer(bench, received(bench), false);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, first).result, 0);
    CHECK_EQUAL(check, rt_finish(bench->ring, id), TRANSPORT_OK);
    again = rt_finish_entry(id);
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &again).result, TRANSPORT_BAD_ANSWER);
    /* A call cannot be promised from itself; what it leaves is a broken answer. */
    id = rt_answer_take(bench->ring);
    again = promised(bench, id, id);
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &again).result, TRANSPORT_BAD_ANSWER);
    again = promised(bench, id, (struct rt_answer_id){.raw = 0});
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &again).result, TRANSPORT_BROKEN);
    CHECK_EQUAL(check, rt_finish(bench->ring, id), TRANSPORT_OK);
}

/* Buffers of a promised call lie in the arena. */
static void buffers_refused(struct bench *bench)
{
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct sqe first = greet(bench, id);
    struct sqe entry = promised(bench, id, (struct rt_answer_id){.raw = 0});
    uint64_t outside[8] = {0};
    struct rt_operation operation = check_submit(bench->check, bench->ring, &first);
    struct cqe completion;

    entry.message = (uint64_t)(uintptr_t)outside;
    entry.message_bytes = sizeof(outside);
    completion = check_done(bench->check, bench->ring, &entry);
    CHECK_EQUAL(bench->check, completion.result, TRANSPORT_BAD_BUFFER);
    CHECK_EQUAL(bench->check, completion.refusal.argument, ARGUMENT_MESSAGE);
    entry = promised(bench, id, (struct rt_answer_id){.raw = 0});
    entry.result = (uint64_t)(uintptr_t)outside;
    completion = check_done(bench->check, bench->ring, &entry);
    CHECK_EQUAL(bench->check, completion.result, TRANSPORT_BAD_BUFFER);
    CHECK_EQUAL(bench->check, completion.refusal.argument, ARGUMENT_RESULT);
    answer(bench, received(bench), false);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation).result, 0);
    CHECK_EQUAL(bench->check, rt_finish(bench->ring, id), TRANSPORT_OK);
}

/* A promised call without message and answer is refused for where they would be when it is sent,
 * which is when a server that waits on answers what it is promised from. */
static void empty_buffers_refused(struct bench *bench)
{
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct rt_buffer result = rt_buffer_alloc(bench->ring, 128);
    struct transfer transfer = {
        .cap = bench->client, .mode = TRANSFER_COPY, .path = RT_PATH(first_path)};
    struct sqe first = greet(bench, id);
    struct sqe entry = promised(bench, id, (struct rt_answer_id){.raw = 0});
    struct sqe answers = {.opcode = OPCODE_RETURN_RECV,
                          .cap = bench->owner.cap,
                          .transfers = 1,
                          .message = (uint64_t)(uintptr_t)bench->buffer.bytes,
                          .result = (uint64_t)(uintptr_t)bench->inbox.bytes,
                          .result_bytes = bench->inbox.size};
    struct rt_operation operation[4];
    struct cqe completion;

    first.result = (uint64_t)(uintptr_t)result.bytes;
    first.result_bytes = 128;
    entry.message_bytes = entry.result_bytes = 0;
    entry.message = entry.result = first.result + UINT32_MAX / 8 * 8;
    operation[0] = check_submit(bench->check, bench->ring, &first);
    operation[1] = check_submit(bench->check, bench->ring, &entry);
    answers.token = received(bench);
    memcpy(bench->buffer.bytes, &transfer, sizeof(transfer));
    operation[2] = check_submit(bench->check, bench->ring, &answers);
    completion = check_completion(bench->check, bench->ring, operation[1]);
    CHECK_EQUAL(bench->check, completion.result, TRANSPORT_BAD_BUFFER);
    CHECK_EQUAL(bench->check, completion.refusal.argument, ARGUMENT_MESSAGE);
    completion = check_completion(bench->check, bench->ring, operation[0]);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, answer_cap(bench, &completion, result.bytes)),
                TRANSPORT_OK);
    CHECK_EQUAL(bench->check, rt_finish(bench->ring, id), TRANSPORT_OK);
    entry = greet(bench, (struct rt_answer_id){.raw = 0}); /* for whom the server waited */
    operation[3] = check_submit(bench->check, bench->ring, &entry);
    CHECK(bench->check, check_completion(bench->check, bench->ring, operation[2]).result > 0);
    answer(bench, ((const struct endpoint_message *)(const void *)bench->inbox.bytes)->token,
           false);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[3]).result, 0);
    rt_buffer_free(bench->ring, result);
}

/* How the first call of a chain may end. */
enum chain_end {
    CHAIN_NO_CAPABILITY, /* it answers, with nothing at the path */
    CHAIN_EXCEPTION,
    CHAIN_CANCELLED, /* the first call is taken back */
    CHAIN_REFUSED,   /* at submission */
    CHAIN_ENDS,
};

/* A chain of calls, each promised from the one before, breaks from its first link to its last, each
 * told once; which argument is refused says why. */
static void chain_breaks(struct bench *bench, enum chain_end end)
{
    struct check *check = bench->check;
    struct rt_answer_id id[CHAIN];
    struct rt_operation link[CHAIN];
    struct cqe completion;
    struct sqe entry;

    for (unsigned i = 0; i < CHAIN; i++) {
        id[i] = rt_answer_take(bench->ring);
        entry = i == 0 ? greet(bench, id[0]) : promised(bench, id[i - 1], id[i]);
        if (end == CHAIN_REFUSED && i == 0) {
            entry.cap = bench->owner.cap;
        }
        link[i] = check_submit(bench->check, bench->ring, &entry);
    }
    if (end == CHAIN_CANCELLED) {
        CHECK_EQUAL(check, rt_cancel(bench->ring, link[0]), TRANSPORT_OK);
    } else if (end != CHAIN_REFUSED) {
        CHECK(check, !has_come(bench, link[0], &completion));
        CHECK(check, !has_come(bench, link[CHAIN - 1], &completion));
        answer(bench, received(bench), end == CHAIN_EXCEPTION);
    }
    completion = check_completion(bench->check, bench->ring, link[0]);
    CHECK_EQUAL(check, completion.result,
                end == CHAIN_REFUSED     ? TRANSPORT_WRONG_INTERFACE
                : end == CHAIN_CANCELLED ? TRANSPORT_CANCELLED
                                         : 0);
    for (unsigned i = 1; i < CHAIN; i++) {
        completion = check_completion(bench->check, bench->ring, link[i]);
        CHECK_EQUAL(check, completion.result, TRANSPORT_BROKEN);
        CHECK_EQUAL(check, completion.refusal.argument,
                    i == 1 && end == CHAIN_NO_CAPABILITY ? ARGUMENT_PATH : ARGUMENT_ANSWER);
    }
    for (unsigned i = 0; i < CHAIN; i++) {
        CHECK_EQUAL(check, rt_finish(bench->ring, id[i]), TRANSPORT_OK);
    }
    CHECK_EQUAL(check, bench->ring->in_flight, 0);
}

/* FINISH before the answer has come: the id is gone at once, who waits is told all the same. */
static void finish_early(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct sqe entry = greet(bench, id);
    struct rt_operation first = check_submit(bench->check, bench->ring, &entry);
    struct rt_operation second;
    struct rt_operation third;

    entry = promised(bench, id, (struct rt_answer_id){.raw = 0});
    second = check_submit(bench->check, bench->ring, &entry);
    third = check_submit(bench->check, bench->ring,
                         &(struct sqe){.opcode = OPCODE_FINISH, .answer = id.raw});
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, third).result, TRANSPORT_OK);
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &entry).result, TRANSPORT_BAD_ANSWER);
    /* The slot is free once the call is over. */
    entry = greet(bench, id);
    CHECK_EQUAL(check, check_done(bench->check, bench->ring, &entry).result, TRANSPORT_BAD_ANSWER);
    answer(bench, received(bench), false);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, first).result, 0);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, second).result,
                TRANSPORT_BROKEN);
    first = check_submit(bench->check, bench->ring, &entry);
    answer(bench, received(bench), false);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, first).result, 0);
    CHECK_EQUAL(check, rt_finish(bench->ring, id), TRANSPORT_OK);
}

/* Submits a call that keeps its answer, one promised from it if `waits`, and a FINISH that releases
 * what comes, which is answered first; the call's answer comes then. */
static struct cap_id release_early(struct bench *bench, const uint8_t *result, bool waits)
{
    struct check *check = bench->check;
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct sqe entry = greet(bench, id);
    struct rt_operation second = {0};
    struct rt_operation first;
    struct cqe completion;
    struct cap_id cap;

    entry.result = (uint64_t)(uintptr_t)result;
    entry.result_bytes = 128;
    first = check_submit(check, bench->ring, &entry);
    if (waits) {
        entry = promised(bench, id, (struct rt_answer_id){.raw = 0});
        second = check_submit(check, bench->ring, &entry);
    }
    CHECK_EQUAL(check, rt_finish_release(bench->ring, id), TRANSPORT_OK);
    answer_with_cap(bench, received(bench), RT_PATH(first_path));
    completion = check_completion(check, bench->ring, first);
    cap = answer_cap(bench, &completion, result);
    CHECK_EQUAL(check, rt_release(bench->ring, cap), TRANSPORT_STALE_CAP);
    if (waits) { /* it found its target */
        answer(bench, received(bench), false);
        CHECK_EQUAL(check, check_completion(check, bench->ring, second).result, 0);
    }
    return cap;
}

/* FINISH with SQE_RELEASE: what came with the answer goes with it, whenever it comes; what cannot
 * be promised stays. covers: FINISH/BAD_ANSWER */
static void finish_releases(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_buffer result = rt_buffer_alloc(bench->ring, 128);
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct sqe finish = rt_finish_release_entry(id);
    struct sqe entry = greet(bench, id);
    struct rt_operation call;
    struct cqe completion;
    struct cap_id cap;

    CHECK_EQUAL(check, check_done(check, bench->ring, &finish).result, TRANSPORT_BAD_ANSWER);
    for (unsigned round = 0; round < 3; round++) {
        entry.result = (uint64_t)(uintptr_t)result.bytes;
        entry.result_bytes = 128;
        call = check_submit(check, bench->ring, &entry);
        /* In the last round at no path. */
        answer_with_cap(bench, received(bench),
                        round < 2 ? RT_PATH(first_path) : (struct answer_path){.step = {0}});
        completion = check_completion(check, bench->ring, call);
        cap = answer_cap(bench, &completion, result.bytes);
        if (round == 1) { /* gone already */
            CHECK_EQUAL(check, rt_release(bench->ring, cap), TRANSPORT_OK);
        }
        CHECK_EQUAL(check, check_done(check, bench->ring, &finish).result, TRANSPORT_OK);
        CHECK_EQUAL(check, check_done(check, bench->ring, &finish).result, TRANSPORT_BAD_ANSWER);
        CHECK_EQUAL(check, rt_release(bench->ring, cap),
                    round < 2 ? TRANSPORT_STALE_CAP : TRANSPORT_OK);
    }
    rt_answer_release(bench->ring, id);
    for (unsigned round = 0; round < 4; round++) {
        cap = release_early(bench, result.bytes, round % 2 == 0);
        CHECK(check, cap.raw != 0);
    }
    rt_buffer_free(bench->ring, result);
}

/* CANCEL of a call that waits for its promise, waits at the endpoint, or is in flight; of a RECV;
 * and of what is over. */
static void cancels(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_answer_id id = rt_answer_take(bench->ring);
    struct sqe entry = greet(bench, id);
    struct rt_operation first = check_submit(bench->check, bench->ring, &entry);
    struct rt_operation second;
    struct rt_operation receive;
    uint64_t token;

    entry = promised(bench, id, (struct rt_answer_id){.raw = 0});
    second = check_submit(bench->check, bench->ring, &entry);
    CHECK_EQUAL(check, rt_cancel(bench->ring, second), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, second).result,
                TRANSPORT_CANCELLED);
    CHECK_EQUAL(check, rt_cancel(bench->ring, second), TRANSPORT_NOT_FOUND);
    CHECK_EQUAL(check, rt_cancel(bench->ring, first), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, first).result,
                TRANSPORT_CANCELLED);
    CHECK_EQUAL(check, rt_finish(bench->ring, id), TRANSPORT_OK);
    entry = greet(bench, (struct rt_answer_id){.raw = 0});
    first = check_submit(bench->check, bench->ring, &entry);
    token = received(bench);
    CHECK_EQUAL(check, rt_cancel(bench->ring, first), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, first).result,
                TRANSPORT_CANCELLED);
    CHECK(check, rt_return(bench->ring, &(struct rt_reply){.endpoint = bench->owner.cap,
                                                           .token = token,
                                                           .message = bench->buffer.bytes}) < 0);
    entry = (struct sqe){.opcode = OPCODE_RECV,
                         .cap = bench->owner.cap,
                         .result = (uint64_t)(uintptr_t)bench->inbox.bytes,
                         .result_bytes = bench->inbox.size};
    receive = check_submit(bench->check, bench->ring, &entry);
    CHECK_EQUAL(check, rt_cancel(bench->ring, receive), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, receive).result,
                TRANSPORT_CANCELLED);
}

/* Every answer slot in use; the ids come back. */
static void slots_used_up(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_answer_id id[LIMIT_ANSWERS];
    struct sqe entry;

    for (unsigned i = 0; i < LIMIT_ANSWERS; i++) {
        id[i] = rt_answer_take(bench->ring);
        CHECK(check, id[i].raw != 0);
        entry = greet(bench, id[i]);
        entry.cap.raw = 1;
        CHECK_EQUAL(check, check_done(bench->check, bench->ring, &entry).result, TRANSPORT_BAD_CAP);
    }
    CHECK_EQUAL(check, rt_answer_take(bench->ring).raw, 0);
    for (unsigned i = 0; i < LIMIT_ANSWERS; i++) {
        CHECK_EQUAL(check, rt_finish(bench->ring, id[i]), TRANSPORT_OK);
    }
}

/* A server in another thread, which answers every call with a capability until FINISH. */
struct server {
    struct cap_id owner;
    struct cap_id client;
    uint32_t done; /* atomic */
};

static int serve(struct rt *rt, void *argument)
{
    struct server *server = argument;
    struct rt_buffer inbox = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(MESSAGE_BYTES) + 64);
    struct rt_buffer reply = rt_buffer_alloc(&rt->ring, sizeof(struct transfer));
    struct transfer transfer = {
        .cap = server->client, .mode = TRANSFER_COPY, .path = RT_PATH(first_path)};
    struct rt_request request = {.status = 1};
    bool over = false;

    rt->ring.checks = false;
    memcpy(reply.bytes, &transfer, sizeof(transfer));
    while (!over && request.status > 0) {
        request = rt_receive(&rt->ring, server->owner, inbox);
        if (request.status > 0) {
            over = request.head->method == GREETER_METHOD_FINISH;
            /* CANCELLED: the caller has given up; that is its right. */
            (void)!rt_return(&rt->ring, &(struct rt_reply){.endpoint = server->owner,
                                                           .token = request.head->token,
                                                           .message = reply.bytes,
                                                           .transfers = over ? 0 : 1});
        }
    }
    atomic_store_release_u32(&server->done, 1);
    return 0;
}

enum race {
    RACE_TOGETHER,   /* all four submitted, then one crossing */
    RACE_ONE_BY_ONE, /* each promised while the server may be answering what it is promised from */
    RACE_CANCEL,     /* one of them taken back meanwhile */
    RACE_FINISH,     /* and their answers finished meanwhile */
    RACES,
};

/* The end of a chain against a server on another CPU: what came is whole, and behind the first link
 * that broke everything is broken. */
static void race_ended(struct bench *bench, const struct rt_operation *link, const uint8_t *results,
                       enum race race)
{
    struct check *check = bench->check;
    bool broken = false;

    for (unsigned i = 0; i < 4; i++) {
        struct cqe completion = check_completion(bench->check, bench->ring, link[i]);

        if (completion.result == 0) {
            CHECK(check, !broken);
            CHECK_EQUAL(
                check,
                rt_release(bench->ring, answer_cap(bench, &completion, results + (size_t)128 * i)),
                TRANSPORT_OK);
        } else {
            CHECK(check, race == RACE_CANCEL);
            CHECK(check, completion.result == TRANSPORT_CANCELLED ||
                             (broken && completion.result == TRANSPORT_BROKEN));
            broken = true;
        }
    }
}

static void race_run(struct bench *bench, uint8_t *results, unsigned round)
{
    enum race race = (enum race)(round % RACES);
    struct rt_answer_id id[4];
    struct rt_operation link[4];
    int32_t status;

    for (unsigned i = 0; i < 4; i++) {
        struct sqe entry;

        id[i] = rt_answer_take(bench->ring);
        entry = i == 0 ? greet(bench, id[0]) : promised(bench, id[i - 1], id[i]);
        entry.result = (uint64_t)(uintptr_t)results + 128 * i;
        entry.result_bytes = 128;
        link[i] = check_submit(bench->check, bench->ring, &entry);
        if (race == RACE_ONE_BY_ONE) {
            CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
        }
    }
    if (race == RACE_TOGETHER) {
        CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 4, TIMEOUT_NONE), TRANSPORT_OK);
    } else if (race == RACE_CANCEL) {
        status = rt_cancel(bench->ring, link[round / RACES % 4]);
        CHECK(bench->check, status == TRANSPORT_OK || status == TRANSPORT_NOT_FOUND);
    }
    if (race != RACE_FINISH) {
        race_ended(bench, link, results, race);
    }
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQUAL(bench->check, rt_finish(bench->ring, id[i]), TRANSPORT_OK);
    }
    if (race == RACE_FINISH) {
        race_ended(bench, link, results, race);
    }
    CHECK_EQUAL(bench->check, bench->ring->in_flight, 0);
}

static void races(struct bench *bench)
{
    static struct server server;
    static struct rt_thread_start begin = {.function = serve, .argument = &server};
    struct rt_buffer results = rt_buffer_alloc(bench->ring, 4 * 128);
    struct thread_spawner spawner;
    struct sqe entry;

    server = (struct server){.owner = bench->owner.cap, .client = bench->client};
    CHECK_EQUAL(bench->check,
                rt_find(bench->rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &spawner.cap),
                TRANSPORT_OK);
    CHECK_EQUAL(bench->check, thread_client_spawn(bench->rt, spawner, &begin), TRANSPORT_OK);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        race_run(bench, results.bytes, round);
    }
    entry = greet(bench, (struct rt_answer_id){.raw = 0});
    entry.method = GREETER_METHOD_FINISH;
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result, 0);
    while (atomic_load_acquire_u32(&server.done) == 0) {
        rt_sleep(bench->rt, 1000000);
    }
    rt_buffer_free(bench->ring, results);
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
