/* SPDX-License-Identifier: MIT */
/*
 * Capabilities beside messages, sessions and watches, both sides from one thread: its ring takes
 * the calls that it has itself submitted. Needs "endpoint-factory" and "null".
 */
#include "core/string.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/greeter.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/rt/call.h"

enum {
    MESSAGE_BYTES = 256,
    QUEUE_LENGTH = 8,
    CAPABILITIES = 2,
    BADGE = 77,
    ROUNDS = 300, /* more than slots, so that one left behind each time is noticed */
};

struct bench {
    struct check *check;
    struct rt_ring *ring;
    struct endpoint_factory factory;
    struct endpoint_owner owner;
    struct cap_id client;
    struct rt_buffer inbox;
    struct rt_buffer request;
    struct rt_buffer answer;
    struct rt_buffer reply;
    struct rt_buffer scratch; /* of calls made while another is under way */
};

/* What a call or an answer carries. */
struct parcel {
    uint32_t count;
    struct transfer transfer[LIMIT_TRANSFERS];
};

static struct endpoint_owner endpoint_make(struct bench *bench, uint16_t capabilities)
{
    const struct manifest_export limits = {
        .message_bytes = MESSAGE_BYTES, .capabilities = capabilities, .queue_length = QUEUE_LENGTH};
    struct endpoint_owner owner = {.cap.raw = 0};

    CHECK_EQUAL(bench->check,
                endpoint_client_create(bench->check->rt, bench->factory, &limits, &owner),
                TRANSPORT_OK);
    return owner;
}

static int32_t session_make(struct bench *bench, struct endpoint_owner owner, uint64_t badge,
                            struct cap_id *client)
{
    const struct endpoint_session session = {.interface_id = GREETER_INTERFACE_ID,
                                             .facet = MANIFEST_FACET_ALL,
                                             .badge = badge,
                                             .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};

    return endpoint_client_mint(bench->check->rt, owner, &session, client);
}

static struct cqe do_now(struct bench *bench, struct sqe entry)
{
    struct cqe completion = {.result = INT32_MIN};

    CHECK_EQUAL(bench->check, rt_ring_do(bench->ring, &entry, &completion), TRANSPORT_OK);
    return completion;
}

static struct sqe call_entry(const struct bench *bench, const struct parcel *parcel)
{
    const struct rt_call call = {
        .cap = bench->client,
        .interface_id = GREETER_INTERFACE_ID,
        .method = GREETER_METHOD_GREET,
        .transfers = (uint8_t)parcel->count,
        .message = bench->request.bytes,
        .message_bytes = 16,
        .result = bench->answer.bytes,
        .result_bytes = bench->answer.size,
    };

    memcpy(bench->request.bytes + 16, parcel->transfer, sizeof(parcel->transfer));
    return rt_call_entry(&call);
}

static struct rt_operation call_begin(struct bench *bench, const struct parcel *parcel)
{
    struct sqe entry = call_entry(bench, parcel);
    struct rt_operation operation = check_submit(bench->check, bench->ring, &entry);

    CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
    return operation;
}

static struct rt_request take(struct bench *bench)
{
    return rt_receive(bench->ring, bench->owner.cap, bench->inbox);
}

static int32_t give(struct bench *bench, uint64_t token, const struct parcel *parcel,
                    struct refusal *refusal)
{
    const struct rt_reply reply = {.endpoint = bench->owner.cap,
                                   .token = token,
                                   .message = bench->reply.bytes,
                                   .message_bytes = 8,
                                   .transfers = (uint8_t)parcel->count};

    memcpy(bench->reply.bytes + 8, parcel->transfer, sizeof(parcel->transfer));
    return rt_return_refused(bench->ring, &reply, refusal);
}

/* Calls the NullObject through `cap`: TRANSPORT_OK if the capability works. */
static int32_t use(struct bench *bench, struct cap_id cap)
{
    const struct rt_call call = {.cap = cap,
                                 .interface_id = NULL_OBJECT_INTERFACE_ID,
                                 .method = NULL_OBJECT_METHOD_NOTHING,
                                 .message = bench->scratch.bytes + 256,
                                 .result = bench->scratch.bytes,
                                 .result_bytes = 256};
    struct rt_answer answer = rt_call(bench->ring, &call);

    return answer.status < 0 ? answer.status : TRANSPORT_OK;
}

/* A copy of the program's own capability, to be given away: by way of a call to itself. */
static struct cap_id null_cap(struct bench *bench)
{
    struct cap_id cap = {.raw = 0};

    CHECK_EQUAL(bench->check, rt_find(bench->check->rt, "null", NULL_OBJECT_INTERFACE_ID, &cap),
                TRANSPORT_OK);
    return cap;
}

static struct parcel parcel_of(struct cap_id cap, enum transfer_mode mode)
{
    return (struct parcel){.count = 1, .transfer = {{.cap = cap, .mode = (uint8_t)mode}}};
}

static const struct parcel nothing;

/* By copy: it arrives, works, and the sender's still does. It does not go on from there. */
static void pass_by_copy(struct bench *bench)
{
    struct check *check = bench->check;
    struct cap_id mine = null_cap(bench);
    struct parcel parcel = parcel_of(mine, TRANSFER_COPY);
    struct rt_operation operation = call_begin(bench, &parcel);
    struct rt_request request = take(bench);
    struct cap_id theirs;
    struct refusal refusal;
    struct cqe completion;

    CHECK_EQUAL(check, request.status, (int)sizeof(*request.head) + 16);
    CHECK_EQUAL(check, request.head->caps, 1);
    theirs = request.caps[0].cap;
    CHECK(check, request.caps[0].interface_id == NULL_OBJECT_INTERFACE_ID);
    CHECK(check, theirs.raw != mine.raw);
    CHECK_EQUAL(check, use(bench, theirs), TRANSPORT_OK);
    CHECK_EQUAL(check, use(bench, mine), TRANSPORT_OK);
    parcel = parcel_of(theirs, TRANSFER_COPY);
    CHECK_EQUAL(check, give(bench, request.head->token, &parcel, &refusal),
                TRANSPORT_NOT_GRANTABLE);
    CHECK_EQUAL(check, refusal.argument, ARGUMENT_TRANSFERS);
    CHECK_EQUAL(check, refusal.amount, 0);
    /* What was refused left the token good and the capability where it is. */
    CHECK_EQUAL(check, use(bench, theirs), TRANSPORT_OK);
    CHECK_EQUAL(check, give(bench, request.head->token, &nothing, &refusal), TRANSPORT_OK);
    completion = check_completion(bench->check, bench->ring, operation);
    CHECK_EQUAL(check, completion.result, 8);
    CHECK_EQUAL(check, rt_release(bench->ring, theirs), TRANSPORT_OK);
}

/* A session of the bench's own endpoint is moved there and back as a result. */
static void pass_by_move(struct bench *bench)
{
    struct check *check = bench->check;
    struct endpoint_owner other = endpoint_make(bench, 0);
    struct rt_operation operation;
    struct rt_request request;
    struct refusal refusal;
    struct cqe completion;
    struct received_cap record;
    struct parcel parcel;
    struct cap_id mine;

    CHECK_EQUAL(check, session_make(bench, other, 0, &mine), TRANSPORT_OK);
    parcel = parcel_of(mine, TRANSFER_MOVE);
    operation = call_begin(bench, &parcel);
    /* On the move: its old name is stale already, whoever asks. */
    CHECK_EQUAL(check, rt_release(bench->ring, mine), TRANSPORT_STALE_CAP);
    request = take(bench);
    CHECK_EQUAL(check, request.head->caps, 1);
    CHECK_EQUAL(check, rt_release(bench->ring, mine), TRANSPORT_STALE_CAP);
    /* The owner's edge travels back beside the answer, as the caller's. */
    parcel = parcel_of(other.cap, TRANSFER_MOVE);
    parcel.transfer[0].path.step[0] = 1;
    CHECK_EQUAL(check, give(bench, request.head->token, &parcel, &refusal), TRANSPORT_OK);
    completion = check_completion(bench->check, bench->ring, operation);
    CHECK_EQUAL(check, completion.result, 8);
    CHECK_EQUAL(check, completion.flags >> CQE_CAPS_SHIFT, 1);
    memcpy(&record, bench->answer.bytes + 8, sizeof(record));
    CHECK(check, record.interface_id == ENDPOINT_INTERFACE_ID);
    CHECK_EQUAL(check, rt_release(bench->ring, other.cap), TRANSPORT_STALE_CAP);
    CHECK_EQUAL(check, rt_release(bench->ring, record.cap), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(bench->ring, request.caps[0].cap), TRANSPORT_OK);
}

/* Each refusal of a CALL leaves every capability where it was, those before the bad one too. */
static void refused_changes_nothing(struct bench *bench)
{
    struct check *check = bench->check;
    struct endpoint_owner other = endpoint_make(bench, 0);
    struct parcel parcel = {.count = 2};
    struct cap_id good = null_cap(bench);
    struct cap_id mine;
    struct cqe completion;

    CHECK_EQUAL(check, session_make(bench, other, 0, &mine), TRANSPORT_OK);
    const struct {
        struct transfer second;
        int32_t result;
        enum refusal_argument argument;
    } cases[] = {
        {{.cap = {.raw = 0}, .mode = TRANSFER_COPY}, TRANSPORT_BAD_CAP, ARGUMENT_TRANSFERS},
        {{.cap = {.raw = mine.raw ^ (UINT64_C(1) << 30)}, .mode = TRANSFER_COPY},
         TRANSPORT_BAD_CAP,
         ARGUMENT_TRANSFERS},
        {{.cap = mine, .mode = TRANSFER_MOVE}, TRANSPORT_STALE_CAP, ARGUMENT_TRANSFERS},
        {{.cap = good, .mode = 0}, TRANSPORT_BAD_FIELD, ARGUMENT_TRANSFERS},
        {{.cap = good, .mode = 3}, TRANSPORT_BAD_FIELD, ARGUMENT_TRANSFERS},
        {{.cap = good, .mode = TRANSFER_COPY, .flags = 1}, TRANSPORT_BAD_FIELD, ARGUMENT_TRANSFERS},
        {{.cap = good, .mode = TRANSFER_COPY, .path.step = {1}},
         TRANSPORT_BAD_FIELD,
         ARGUMENT_TRANSFERS},
    };

    parcel.transfer[0] = (struct transfer){.cap = mine, .mode = TRANSFER_MOVE};
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        parcel.transfer[1] = cases[i].second;
        completion = do_now(bench, call_entry(bench, &parcel));
        CHECK_EQUAL(check, completion.result, cases[i].result);
        CHECK_EQUAL(check, completion.refusal.argument, cases[i].argument);
        CHECK_EQUAL(check, completion.refusal.amount, 1);
    }
    parcel.count = CAPABILITIES + 1;
    completion = do_now(bench, call_entry(bench, &parcel));
    CHECK_EQUAL(check, completion.result, TRANSPORT_TOO_LARGE);
    CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_TRANSFERS);
    CHECK_EQUAL(check, completion.refusal.limit, CAPABILITIES);
    /* It still moves, so it is still there. */
    CHECK_EQUAL(check, rt_release(bench->ring, mine), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(bench->ring, other.cap), TRANSPORT_OK);
}

/* A call taken back gives back what moved with it, under the same name. */
static void cancel_returns(struct bench *bench)
{
    struct check *check = bench->check;
    struct endpoint_owner other = endpoint_make(bench, 0);
    struct rt_operation operation;
    struct parcel parcel;
    struct cap_id mine;

    CHECK_EQUAL(check, session_make(bench, other, 0, &mine), TRANSPORT_OK);
    parcel = parcel_of(mine, TRANSFER_MOVE);
    operation = call_begin(bench, &parcel);
    CHECK_EQUAL(check, rt_cancel(bench->ring, operation), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, operation).result,
                TRANSPORT_CANCELLED);
    CHECK_EQUAL(check, rt_release(bench->ring, mine), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(bench->ring, other.cap), TRANSPORT_OK);
}

/* A call in flight taken back: the token says so once, and a watch is told. */
static void cancel_in_flight(struct bench *bench)
{
    struct check *check = bench->check;
    struct rt_operation operation = call_begin(bench, &nothing);
    struct rt_request request = take(bench);
    uint64_t token = request.head->token;
    struct sqe entry = rt_watch_entry(bench->owner.cap, token);
    struct rt_operation watch;
    struct refusal refusal;
    struct cqe completion;

    CHECK_EQUAL(check, rt_ring_submit(bench->ring, &entry, &watch), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
    completion = do_now(bench, entry); /* one watch for each call */
    CHECK_EQUAL(check, completion.result, TRANSPORT_LIMIT);
    CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_TOKEN);
    CHECK_EQUAL(check, rt_cancel(bench->ring, operation), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, operation).result,
                TRANSPORT_CANCELLED);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, watch).result, WATCH_CANCELLED);
    CHECK_EQUAL(check, do_now(bench, entry).result, WATCH_CANCELLED);
    CHECK_EQUAL(check, give(bench, token, &nothing, &refusal), TRANSPORT_CANCELLED);
    CHECK_EQUAL(check, give(bench, token, &nothing, &refusal), TRANSPORT_BAD_TOKEN);
    CHECK_EQUAL(check, do_now(bench, entry).result, TRANSPORT_BAD_TOKEN);
    /* Answered: the watch ends with that. */
    operation = call_begin(bench, &nothing);
    request = take(bench);
    entry.token = request.head->token;
    CHECK_EQUAL(check, rt_ring_submit(bench->ring, &entry, &watch), TRANSPORT_OK);
    CHECK_EQUAL(check, give(bench, request.head->token, &nothing, &refusal), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, watch).result, WATCH_ENDED);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, operation).result, 8);
    /* Taken back itself, a watch leaves its call alone. */
    operation = call_begin(bench, &nothing);
    request = take(bench);
    entry.token = request.head->token;
    CHECK_EQUAL(check, rt_ring_submit(bench->ring, &entry, &watch), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_cancel(bench->ring, watch), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, watch).result,
                TRANSPORT_CANCELLED);
    CHECK_EQUAL(check, give(bench, request.head->token, &nothing, &refusal), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, operation).result, 8);
}

/* An answer with more capabilities than its caller has room for uses up the token, tells both, and
 * leaves the capabilities with the server. */
static void answer_large(struct bench *bench)
{
    struct check *check = bench->check;
    struct endpoint_owner other = endpoint_make(bench, 0);
    struct sqe entry = call_entry(bench, &nothing);
    struct rt_operation operation;
    struct rt_request request;
    struct refusal refusal;
    struct parcel parcel;

    entry.result_bytes = 8;
    CHECK_EQUAL(check, rt_ring_submit(bench->ring, &entry, &operation), TRANSPORT_OK);
    request = take(bench);
    parcel = parcel_of(other.cap, TRANSFER_MOVE);
    CHECK_EQUAL(check, give(bench, request.head->token, &parcel, &refusal), TRANSPORT_NO_ROOM);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, operation).result,
                TRANSPORT_NO_ROOM);
    CHECK_EQUAL(check, give(bench, request.head->token, &nothing, &refusal), TRANSPORT_BAD_TOKEN);
    CHECK_EQUAL(check, rt_release(bench->ring, other.cap), TRANSPORT_OK);
}

/* Slots: what arrives is released again and again without using up the table. */
static void many_rounds(struct bench *bench)
{
    struct check *check = bench->check;
    struct parcel parcel = parcel_of(null_cap(bench), TRANSFER_COPY);

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct rt_operation operation = call_begin(bench, &parcel);
        struct rt_request request = take(bench);
        struct received_cap record;
        struct refusal refusal;
        struct parcel back = parcel;

        CHECK_EQUAL(check, rt_release(bench->ring, request.caps[0].cap), TRANSPORT_OK);
        CHECK_EQUAL(check, give(bench, request.head->token, &back, &refusal), TRANSPORT_OK);
        CHECK_EQUAL(check,
                    check_completion(bench->check, bench->ring, operation).flags >> CQE_CAPS_SHIFT,
                    1);
        memcpy(&record, bench->answer.bytes + 8, sizeof(record));
        CHECK_EQUAL(check, rt_release(bench->ring, record.cap), TRANSPORT_OK);
    }
}

/* The badge that the next message says is over; 0: it says something else. */
static uint64_t closed_badge(struct bench *bench, struct endpoint_owner owner)
{
    struct rt_request request = rt_receive(bench->ring, owner.cap, bench->inbox);

    CHECK_EQUAL(bench->check, request.status, (int)sizeof(*request.head));
    return request.status > 0 && request.head->kind == ENDPOINT_MESSAGE_CLOSED ? request.head->badge
                                                                               : 0;
}

/* A session ends with its last capability and call, and is told once. */
static void sessions(struct bench *bench)
{
    struct check *check = bench->check;
    struct bench other = *bench;
    struct rt_operation operation;
    struct rt_operation receive;
    struct rt_request request;
    struct refusal refusal;
    struct parcel parcel;
    struct cap_id client[3];
    struct cap_id copy;
    struct sqe entry;

    other.owner = endpoint_make(bench, CAPABILITIES);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQUAL(check, session_make(bench, other.owner, BADGE + i, &client[i]), TRANSPORT_OK);
    }
    CHECK_EQUAL(check, session_make(bench, other.owner, BADGE, &copy),
                EXCEPTION_REASON_ALREADY_EXISTS);
    CHECK_EQUAL(check, rt_release(bench->ring, client[1]), TRANSPORT_OK);
    CHECK_EQUAL(check, closed_badge(bench, other.owner), BADGE + 1);
    /* Told, the badge may be used again; before that not. */
    CHECK_EQUAL(check, session_make(bench, other.owner, BADGE + 1, &client[1]), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(bench->ring, client[1]), TRANSPORT_OK);
    CHECK_EQUAL(check, session_make(bench, other.owner, BADGE + 1, &client[1]),
                EXCEPTION_REASON_ALREADY_EXISTS);
    CHECK_EQUAL(check, closed_badge(bench, other.owner), BADGE + 1);
    /* A copy keeps it open, wherever it is; so does a call. */
    parcel = parcel_of(client[0], TRANSFER_COPY);
    operation = call_begin(bench, &parcel);
    CHECK_EQUAL(check, rt_release(bench->ring, client[0]), TRANSPORT_OK);
    request = take(bench);
    copy = request.caps[0].cap;
    CHECK_EQUAL(check, give(bench, request.head->token, &nothing, &refusal), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, operation).result, 8);
    other.client = copy;
    operation = call_begin(&other, &nothing);
    CHECK_EQUAL(check, rt_release(bench->ring, copy), TRANSPORT_OK);
    request = take(&other);
    CHECK_EQUAL(check, request.head->kind, ENDPOINT_MESSAGE_CALL);
    CHECK_EQUAL(check, request.head->badge, BADGE);
    CHECK_EQUAL(check, give(&other, request.head->token, &nothing, &refusal), TRANSPORT_OK);
    CHECK_EQUAL(check, closed_badge(bench, other.owner), BADGE);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, operation).result, 8);
    /* A receiver that waits is told when it happens; nothing else comes. */
    entry = (struct sqe){.opcode = OPCODE_RECV,
                         .cap = other.owner.cap,
                         .result = (uint64_t)(uintptr_t)bench->inbox.bytes,
                         .result_bytes = bench->inbox.size};
    CHECK_EQUAL(check, rt_ring_submit(bench->ring, &entry, &receive), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_release(bench->ring, client[2]), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, receive).result,
                (int)sizeof(struct endpoint_message));
    CHECK_EQUAL(check, rt_ring_submit(bench->ring, &entry, &receive), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_nop(bench->ring), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_cancel(bench->ring, receive), TRANSPORT_OK);
    CHECK_EQUAL(check, check_completion(bench->check, bench->ring, receive).result,
                TRANSPORT_CANCELLED);
    CHECK_EQUAL(check, rt_release(bench->ring, other.owner.cap), TRANSPORT_OK);
}

/* The owner goes with calls waiting that carry capabilities, one of them its own session's: all
 * come back, and a full table of waiting calls ends in steps. */
static void owner_gone(struct bench *bench)
{
    struct check *check = bench->check;
    struct bench other = *bench;
    struct rt_operation operation[QUEUE_LENGTH];
    struct cap_id mine[QUEUE_LENGTH];

    other.owner = endpoint_make(bench, CAPABILITIES);
    CHECK_EQUAL(check, session_make(bench, other.owner, 5, &other.client), TRANSPORT_OK);
    bench->ring->checks = false;
    for (unsigned i = 0; i < QUEUE_LENGTH; i++) {
        struct parcel parcel;

        CHECK_EQUAL(check, session_make(bench, other.owner, 100 + i, &mine[i]), TRANSPORT_OK);
        parcel = parcel_of(mine[i], TRANSFER_MOVE);
        operation[i] = call_begin(&other, &parcel);
    }
    CHECK_EQUAL(check, do_now(bench, call_entry(&other, &nothing)).result, TRANSPORT_LIMIT);
    CHECK_EQUAL(check, rt_release(bench->ring, other.owner.cap), TRANSPORT_OK);
    for (unsigned i = 0; i < QUEUE_LENGTH; i++) {
        CHECK_EQUAL(check, check_completion(bench->check, bench->ring, operation[i]).result,
                    TRANSPORT_PEER_GONE);
        CHECK_EQUAL(check, rt_release(bench->ring, mine[i]), TRANSPORT_OK);
    }
    CHECK_EQUAL(check, rt_release(bench->ring, other.client), TRANSPORT_OK);
    bench->ring->checks = true;
}

/* An endpoint is made with the limits asked for, or not at all. */
static void limits_refused(struct bench *bench)
{
    const struct manifest_export bad[] = {
        {.message_bytes = 0, .queue_length = 1},
        {.message_bytes = 12, .queue_length = 1},
        {.message_bytes = LIMIT_MESSAGE_BYTES + 8, .queue_length = 1},
        {.message_bytes = 8, .queue_length = 0},
        {.message_bytes = 8, .queue_length = LIMIT_ENDPOINT_QUEUE + 1},
        {.message_bytes = 8, .queue_length = 1, .capabilities = LIMIT_ENDPOINT_CAPABILITIES + 1},
    };
    struct endpoint_owner owner;

    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        CHECK_EQUAL(bench->check,
                    endpoint_client_create(bench->check->rt, bench->factory, &bad[i], &owner),
                    EXCEPTION_REASON_OUT_OF_RANGE);
    }
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct bench bench = {.check = &check, .ring = &rt->ring};

    CHECK_EQUAL(&check,
                rt_find(rt, "endpoint-factory", ENDPOINT_FACTORY_INTERFACE_ID, &bench.factory.cap),
                TRANSPORT_OK);
    bench.inbox = rt_buffer_alloc(bench.ring, RT_RECEIVE_BYTES(MESSAGE_BYTES));
    bench.request = rt_buffer_alloc(bench.ring, 512);
    bench.answer = rt_buffer_alloc(bench.ring, 512);
    bench.reply = rt_buffer_alloc(bench.ring, 512);
    bench.scratch = rt_buffer_alloc(bench.ring, 512);
    bench.owner = endpoint_make(&bench, CAPABILITIES);
    CHECK_EQUAL(&check, session_make(&bench, bench.owner, 0, &bench.client), TRANSPORT_OK);
    limits_refused(&bench);
    pass_by_copy(&bench);
    pass_by_move(&bench);
    refused_changes_nothing(&bench);
    cancel_returns(&bench);
    cancel_in_flight(&bench);
    answer_large(&bench);
    many_rounds(&bench);
    sessions(&bench);
    owner_gone(&bench);
    many_rounds(&bench);
    return check_end(&check);
}
