/* SPDX-License-Identifier: MIT */
/*
 * Endpoints, both sides from one thread: its ring takes the calls that it has itself submitted.
 * Needs "endpoint-factory".
 */
#include "core/string.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/greeter.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/rt/call.h"

enum {
    MESSAGE_BYTES = 4096, /* the endpoint's largest */
    QUEUE_LENGTH = 32,    /* calls that may wait there */
    WORDS = 8,
    BADGE = 77,
    ROUNDS = 100,
};

/* Both edges of one endpoint. */
struct pair {
    struct endpoint_owner owner;
    struct cap_id client;
};

struct bench {
    struct check *check;
    struct rt_ring *ring;
    struct pair pair;
    struct rt_buffer inbox;
    struct rt_buffer request;
    struct rt_buffer answer;
    struct rt_buffer reply;
};

static struct pair pair_make(struct check *check, uint64_t facet)
{
    struct endpoint_factory factory;
    struct manifest_export limits = {.message_bytes = MESSAGE_BYTES, .queue_length = QUEUE_LENGTH};
    struct endpoint_session session = {
        .interface_id = GREETER_INTERFACE_ID, .facet = facet, .badge = BADGE};
    struct pair pair = {.client = {.raw = 0}};

    CHECK_EQUAL(check,
                rt_find(check->rt, "endpoint-factory", ENDPOINT_FACTORY_INTERFACE_ID, &factory.cap),
                TRANSPORT_OK);
    CHECK_EQUAL(check, endpoint_client_create(check->rt, factory, &limits, &pair.owner),
                TRANSPORT_OK);
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, pair.owner, &session, &pair.client),
                TRANSPORT_OK);
    return pair;
}

static struct rt_call call_of(const struct bench *bench)
{
    return (struct rt_call){
        .cap = bench->pair.client,
        .interface_id = GREETER_INTERFACE_ID,
        .method = GREETER_METHOD_GREET,
        .message = bench->request.bytes,
        .message_bytes = WORDS * 8,
        .result = bench->answer.bytes,
        .result_bytes = WORDS * 8,
    };
}

static struct rt_operation call_submit(struct bench *bench, const struct rt_call *call)
{
    struct sqe entry = rt_call_entry(call);
    struct rt_operation operation = {.id = 0};

    CHECK_EQUAL(bench->check, rt_ring_submit(bench->ring, &entry, &operation), TRANSPORT_OK);
    return operation;
}

/* The completion that must come for `operation`. */
static struct cqe taken(struct bench *bench, struct rt_operation operation)
{
    struct cqe completion = {.result = INT32_MIN};

    CHECK_EQUAL(bench->check, rt_ring_wait(bench->ring, operation, TIMEOUT_NONE, &completion),
                TRANSPORT_OK);
    return completion;
}

/* A call, its arrival, its answer: everything travels unchanged. */
static void round_trip(struct bench *bench, uint8_t pattern)
{
    struct check *check = bench->check;
    struct rt_call call = call_of(bench);
    struct rt_operation operation;
    struct rt_request request;
    struct cqe completion;

    memset(bench->request.bytes, pattern, WORDS * 8);
    memset(bench->answer.bytes, 0, WORDS * 8);
    operation = call_submit(bench, &call);
    request = rt_receive(bench->ring, bench->pair.owner.cap, bench->inbox);
    CHECK_EQUAL(check, request.status, (int)sizeof(*request.head) + WORDS * 8);
    CHECK_EQUAL(check, request.head->badge, BADGE);
    CHECK(check, request.head->interface_id == GREETER_INTERFACE_ID);
    CHECK_EQUAL(check, request.head->method, GREETER_METHOD_GREET);
    CHECK_EQUAL(check, request.head->message_bytes, WORDS * 8);
    CHECK_EQUAL(check, request.head->result_bytes, WORDS * 8);
    CHECK_EQUAL(check, memcmp(request.message, bench->request.bytes, WORDS * 8), 0);
    memset(bench->reply.bytes, pattern + 1, WORDS * 8);
    CHECK_EQUAL(check,
                rt_return(bench->ring, &(struct rt_reply){.endpoint = bench->pair.owner.cap,
                                                          .token = request.head->token,
                                                          .message = bench->reply.bytes,
                                                          .message_bytes = WORDS * 8}),
                TRANSPORT_OK);
    completion = taken(bench, operation);
    CHECK_EQUAL(check, completion.result, WORDS * 8);
    CHECK_EQUAL(check, completion.flags, 0);
    CHECK_EQUAL(check, memcmp(bench->answer.bytes, bench->reply.bytes, WORDS * 8), 0);
}

/* A token answers once; invented ones answer never. */
static void tokens(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_call call = call_of(bench);
    struct rt_operation operation = call_submit(bench, &call);
    struct rt_request request = rt_receive(bench->ring, bench->pair.owner.cap, bench->inbox);
    uint64_t token = request.head->token;
    struct rt_reply reply = {.endpoint = bench->pair.owner.cap, .message = bench->reply.bytes};

    for (uint64_t guess = 0; guess < 64; guess++) {
        reply.token = token ^ (UINT64_C(1) << guess);
        CHECK_EQUAL(check, rt_return(bench->ring, &reply), TRANSPORT_BAD_TOKEN);
    }
    reply.token = token;
    CHECK_EQUAL(check, rt_return(bench->ring, &reply), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_return(bench->ring, &reply), TRANSPORT_BAD_TOKEN);
    CHECK_EQUAL(check, taken(bench, operation).result, 0);
}

/* An answer that the caller has no room for uses up the token and tells both. */
static void answer_large(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_call call = call_of(bench);
    struct rt_operation operation = call_submit(bench, &call);
    struct rt_request request = rt_receive(bench->ring, bench->pair.owner.cap, bench->inbox);
    struct rt_reply reply = {.endpoint = bench->pair.owner.cap,
                             .token = request.head->token,
                             .message = bench->reply.bytes,
                             .message_bytes = WORDS * 8 + 8};

    CHECK_EQUAL(check, rt_return(bench->ring, &reply), TRANSPORT_NO_ROOM);
    CHECK_EQUAL(check, taken(bench, operation).result, TRANSPORT_NO_ROOM);
    CHECK_EQUAL(check, rt_return(bench->ring, &reply), TRANSPORT_BAD_TOKEN);
}

/* Buffers of endpoint messages lie in the arena, and messages have a limit. */
static void buffers_refused(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_call call = call_of(bench);
    uint8_t outside[64] ALIGNED(8) = {0};
    struct rt_buffer small = {.bytes = bench->inbox.bytes, .size = 64};
    struct cqe completion;

    call.message = outside;
    completion = taken(bench, call_submit(bench, &call));
    CHECK_EQUAL(check, completion.result, TRANSPORT_BAD_BUFFER);
    CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_MESSAGE);
    call = call_of(bench);
    call.result = outside;
    completion = taken(bench, call_submit(bench, &call));
    CHECK_EQUAL(check, completion.result, TRANSPORT_BAD_BUFFER);
    CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_RESULT);
    call = call_of(bench);
    call.message_bytes = MESSAGE_BYTES + 8;
    completion = taken(bench, call_submit(bench, &call));
    CHECK_EQUAL(check, completion.result, TRANSPORT_TOO_LARGE);
    CHECK_EQUAL(check, completion.refusal.limit, MESSAGE_BYTES);
    CHECK_EQUAL(check, rt_receive(bench->ring, bench->pair.owner.cap, small).status,
                TRANSPORT_NO_ROOM);
    small = (struct rt_buffer){.bytes = outside, .size = bench->inbox.size};
    CHECK_EQUAL(check, rt_receive(bench->ring, bench->pair.owner.cap, small).status,
                TRANSPORT_BAD_BUFFER);
}

/* Each edge allows its own side only. */
static void sides_apart(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_call call = call_of(bench);

    CHECK_EQUAL(check, rt_receive(bench->ring, bench->pair.client, bench->inbox).status,
                TRANSPORT_WRONG_INTERFACE);
    CHECK_EQUAL(
        check,
        rt_return(bench->ring, &(struct rt_reply){.endpoint = bench->pair.client, .token = 1}),
        TRANSPORT_WRONG_INTERFACE);
    call.cap = bench->pair.owner.cap;
    CHECK_EQUAL(check, taken(bench, call_submit(bench, &call)).result, TRANSPORT_WRONG_INTERFACE);
    /* receive() and answer() are rights that opcodes use, not methods that can be called. */
    call.interface_id = ENDPOINT_INTERFACE_ID;
    call.method = ENDPOINT_METHOD_RECEIVE;
    call.result_bytes = bench->answer.size;
    CHECK_EQUAL(check, taken(bench, call_submit(bench, &call)).flags & CQE_EXCEPTION,
                CQE_EXCEPTION);
}

/* A minted facet is what the client may call. */
static void facet_narrow(struct check *check)
{
    struct bench narrow = {.check = check, .ring = &check->rt->ring};
    struct rt_call call;

    narrow.pair = pair_make(check, GREETER_FACET_FINISH);
    narrow.request = rt_buffer_alloc(narrow.ring, WORDS * 8);
    narrow.answer = rt_buffer_alloc(narrow.ring, WORDS * 8);
    call = call_of(&narrow);
    CHECK_EQUAL(check, taken(&narrow, call_submit(&narrow, &call)).result, TRANSPORT_NO_METHOD);
    CHECK_EQUAL(check, rt_release(narrow.ring, narrow.pair.client), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(narrow.ring, narrow.pair.owner.cap), TRANSPORT_OK);
    rt_buffer_free(narrow.ring, narrow.request);
    rt_buffer_free(narrow.ring, narrow.answer);
}

/* As many calls wait as the endpoint queues; the next is refused, the others are served in order.
 */
static void queue_limit(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_operation operation[QUEUE_LENGTH];
    struct rt_call call = call_of(bench);
    struct cqe completion;

    bench->ring->checks = false; /* all of them share one message and one result */
    for (unsigned i = 0; i < QUEUE_LENGTH; i++) {
        call.method = (uint8_t)(i % GREETER_METHOD_COUNT);
        operation[i] = call_submit(bench, &call);
    }
    completion = taken(bench, call_submit(bench, &call));
    CHECK_EQUAL(check, completion.result, TRANSPORT_LIMIT);
    CHECK_EQUAL(check, completion.refusal.limit, QUEUE_LENGTH);
    for (unsigned i = 0; i < QUEUE_LENGTH; i++) {
        struct rt_request request = rt_receive(bench->ring, bench->pair.owner.cap, bench->inbox);

        CHECK_EQUAL(check, request.head->method, i % GREETER_METHOD_COUNT);
        CHECK_EQUAL(check,
                    rt_return(bench->ring, &(struct rt_reply){.endpoint = bench->pair.owner.cap,
                                                              .token = request.head->token,
                                                              .message = bench->reply.bytes}),
                    TRANSPORT_OK);
        CHECK_EQUAL(check, taken(bench, operation[i]).result, 0);
    }
    bench->ring->checks = true;
}

/* The owner goes: calls that wait and calls in flight end with PEER_GONE, and so do later ones. */
static void owner_gone(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_call call = call_of(bench);
    struct rt_operation in_flight;
    struct rt_operation waiting;

    bench->ring->checks = false;
    in_flight = call_submit(bench, &call);
    CHECK(check, rt_receive(bench->ring, bench->pair.owner.cap, bench->inbox).status > 0);
    waiting = call_submit(bench, &call);
    CHECK_EQUAL(check, rt_release(bench->ring, bench->pair.owner.cap), TRANSPORT_OK);
    CHECK_EQUAL(check, taken(bench, in_flight).result, TRANSPORT_PEER_GONE);
    CHECK_EQUAL(check, taken(bench, waiting).result, TRANSPORT_PEER_GONE);
    CHECK_EQUAL(check, taken(bench, call_submit(bench, &call)).result, TRANSPORT_PEER_GONE);
    CHECK_EQUAL(check, rt_release(bench->ring, bench->pair.client), TRANSPORT_OK);
    bench->ring->checks = true;
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct bench bench = {.check = &check, .ring = &rt->ring};

    bench.inbox = rt_buffer_alloc(bench.ring, RT_RECEIVE_BYTES(MESSAGE_BYTES));
    bench.request = rt_buffer_alloc(bench.ring, MESSAGE_BYTES + 8);
    bench.answer = rt_buffer_alloc(bench.ring, 512);
    bench.reply = rt_buffer_alloc(bench.ring, 512);
    bench.pair = pair_make(&check, MANIFEST_FACET_ALL);
    for (unsigned i = 0; i < ROUNDS; i++) {
        round_trip(&bench, (uint8_t)i);
    }
    tokens(&bench);
    answer_large(&bench);
    buffers_refused(&bench);
    sides_apart(&bench);
    facet_narrow(&check);
    queue_limit(&bench);
    round_trip(&bench, 3);
    owner_gone(&bench);
    return check_end(&check);
}
