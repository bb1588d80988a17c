/* SPDX-License-Identifier: MIT */
/*
 * Every error of the opcodes that call and serve endpoints, each from a program that runs into it.
 * Needs "endpoint-factory".
 *
 * covers: CALL/BAD_CAP, CALL/STALE_CAP, CALL/REVOKED, CALL/WRONG_INTERFACE, CALL/NO_METHOD
 * covers: CALL/NOT_GRANTABLE, CALL/NO_ROOM, CALL/LIMIT, CALL/PEER_GONE
 * covers: RECV/BAD_CAP, RECV/STALE_CAP, RECV/REVOKED, RECV/WRONG_INTERFACE, RECV/NO_METHOD
 * covers: RECV/NO_ROOM, RECV/BAD_BUFFER, RECV/LIMIT, RECV/PEER_GONE
 * covers: RETURN/BAD_CAP, RETURN/STALE_CAP, RETURN/REVOKED, RETURN/WRONG_INTERFACE
 * covers: RETURN/NO_METHOD, RETURN/BAD_BUFFER, RETURN/NOT_GRANTABLE, RETURN/BAD_TOKEN
 * covers: RETURN/CANCELLED, RETURN/NO_ROOM
 * covers: RETURN_RECV/BAD_CAP, RETURN_RECV/STALE_CAP, RETURN_RECV/REVOKED
 * covers: RETURN_RECV/WRONG_INTERFACE, RETURN_RECV/NO_METHOD, RETURN_RECV/BAD_BUFFER
 * covers: RETURN_RECV/NOT_GRANTABLE, RETURN_RECV/BAD_TOKEN, RETURN_RECV/CANCELLED
 * covers: RETURN_RECV/NO_ROOM, RETURN_RECV/LIMIT, RETURN_RECV/PEER_GONE
 * covers: WATCH/BAD_CAP, WATCH/STALE_CAP, WATCH/REVOKED, WATCH/WRONG_INTERFACE, WATCH/NO_METHOD
 * covers: WATCH/BAD_TOKEN, WATCH/LIMIT, WATCH/CANCELLED
 */
#include "abi/ledgers.h"
#include "core/string.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/greeter.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/rt/call.h"

enum {
    MESSAGE_BYTES = 64,
    QUEUE_LENGTH = 2,
};

struct bench {
    struct check *check;
    struct rt_ring *ring;
    struct endpoint_factory factory;
    struct endpoint_owner owner;
    struct cap_id client;
    struct cap_id fixed; /* as `client`, but not to be passed on */
    struct rt_buffer inbox;
    struct rt_buffer message;
    struct rt_buffer answer;
};

static const enum opcode opcodes[] = {OPCODE_CALL, OPCODE_RECV, OPCODE_RETURN, OPCODE_RETURN_RECV,
                                      OPCODE_WATCH};

static uint64_t address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static struct cap_id client_make(struct bench *bench, enum authority_transfer_mode mode)
{
    const struct endpoint_session session = {
        .interface_id = GREETER_INTERFACE_ID, .facet = MANIFEST_FACET_ALL, .mode = mode};
    struct cap_id client = {.raw = 0};

    CHECK_EQUAL(bench->check,
                endpoint_client_mint(bench->check->rt, bench->owner, &session, &client),
                TRANSPORT_OK);
    return client;
}

static void pair_make(struct bench *bench)
{
    const struct manifest_export limits = {
        .message_bytes = MESSAGE_BYTES, .capabilities = 1, .queue_length = QUEUE_LENGTH};

    CHECK_EQUAL(bench->check,
                endpoint_client_create(bench->check->rt, bench->factory, &limits, &bench->owner),
                TRANSPORT_OK);
    bench->client = client_make(bench, AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE);
    bench->fixed = client_make(bench, AUTHORITY_TRANSFER_MODE_NONE);
}

/* A submission that is good but for the token, on the edge of its side. */
static struct sqe entry_of(const struct bench *bench, enum opcode opcode)
{
    struct sqe entry = {.opcode = (uint8_t)opcode, .cap = bench->owner.cap};

    if (opcode == OPCODE_CALL) {
        entry.cap = bench->client;
        entry.interface_id = GREETER_INTERFACE_ID;
        entry.method = GREETER_METHOD_FINISH;
        entry.result = address_of(bench->answer.bytes);
        entry.result_bytes = 8;
    }
    if (opcode == OPCODE_RECV || opcode == OPCODE_RETURN_RECV) {
        entry.result = address_of(bench->inbox.bytes);
        entry.result_bytes = bench->inbox.size;
    }
    if (opcode == OPCODE_CALL || opcode == OPCODE_RETURN || opcode == OPCODE_RETURN_RECV) {
        entry.message = address_of(bench->message.bytes);
        entry.message_bytes = 8;
    }
    return entry;
}

static struct rt_operation begin(struct bench *bench, const struct sqe *entry)
{
    struct rt_operation operation = check_submit(bench->check, bench->ring, entry);

    CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
    return operation;
}

static struct cqe done(struct bench *bench, struct sqe entry)
{
    return check_completion(bench->check, bench->ring, begin(bench, &entry));
}

static void expect(struct bench *bench, struct sqe entry, int32_t result,
                   enum refusal_argument argument)
{
    struct cqe completion = done(bench, entry);

    check_refusal(bench->check, &entry, &completion);
    CHECK_EQUAL(bench->check, completion.result, result);
    CHECK_EQUAL(bench->check, completion.refusal.argument, argument);
}

/* Another edge of `cap` that has `facet` alone. */
static struct cap_id narrowed(struct bench *bench, struct cap_id cap, uint64_t facet)
{
    struct cqe completion =
        done(bench, (struct sqe){.opcode = OPCODE_DUP, .cap = cap, .facet = facet});

    CHECK_EQUAL(bench->check, completion.result, 0);
    return completion.cap[0];
}

static void release(struct bench *bench, struct cap_id cap)
{
    CHECK_EQUAL(bench->check, rt_release(bench->ring, cap), TRANSPORT_OK);
}

/* What is wrong with the edge, for every opcode. */
static void edges(struct bench *bench)
{
    const uint64_t mint = UINT64_C(1) << ENDPOINT_METHOD_MINT;
    struct cap_id owner = narrowed(bench, bench->owner.cap, mint);
    struct cap_id client = narrowed(bench, bench->client, GREETER_FACET_GREET);

    for (unsigned i = 0; i < ARRAY_COUNT(opcodes); i++) {
        bool calls = opcodes[i] == OPCODE_CALL;
        struct sqe entry = entry_of(bench, opcodes[i]);

        entry.cap.raw ^= UINT64_C(1) << 40;
        expect(bench, entry, TRANSPORT_BAD_CAP, ARGUMENT_CAP);
        entry.cap = narrowed(bench, calls ? bench->client : bench->owner.cap, 1);
        release(bench, entry.cap);
        expect(bench, entry, TRANSPORT_STALE_CAP, ARGUMENT_CAP);
        entry.cap = calls ? bench->owner.cap : bench->client;
        expect(bench, entry, TRANSPORT_WRONG_INTERFACE, calls ? ARGUMENT_INTERFACE : ARGUMENT_CAP);
        entry.cap = calls ? client : owner;
        expect(bench, entry, TRANSPORT_NO_METHOD, calls ? ARGUMENT_METHOD : ARGUMENT_CAP);
    }
    release(bench, owner);
    release(bench, client);
}

/* One edge for all: what is under way through it ends with REVOKED, and so does what comes after.
 */
static void revoked(struct bench *bench)
{
    struct cqe delegated[2];
    struct rt_operation waiting[2];
    struct cap_id own[2] = {bench->client, bench->owner.cap};
    struct sqe entry;

    for (unsigned i = 0; i < 2; i++) {
        delegated[i] = done(
            bench,
            (struct sqe){.opcode = OPCODE_DELEGATE, .cap = own[i], .facet = MANIFEST_FACET_ALL});
        CHECK_EQUAL(bench->check, delegated[i].result, 0);
    }
    entry = entry_of(bench, OPCODE_CALL);
    entry.cap = delegated[0].cap[0];
    waiting[0] = begin(bench, &entry);
    CHECK_EQUAL(bench->check,
                done(bench, (struct sqe){.opcode = OPCODE_REVOKE, .cap = delegated[0].cap[1]})
                    .receipt.calls,
                1);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, waiting[0]).result,
                TRANSPORT_REVOKED);
    entry = entry_of(bench, OPCODE_RECV);
    entry.cap = delegated[1].cap[0];
    waiting[1] = begin(bench, &entry);
    CHECK_EQUAL(bench->check,
                done(bench, (struct sqe){.opcode = OPCODE_REVOKE, .cap = delegated[1].cap[1]})
                    .receipt.calls,
                1);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, waiting[1]).result,
                TRANSPORT_REVOKED);
    for (unsigned i = 0; i < ARRAY_COUNT(opcodes); i++) {
        entry = entry_of(bench, opcodes[i]);
        entry.cap = delegated[opcodes[i] == OPCODE_CALL ? 0 : 1].cap[0];
        expect(bench, entry, TRANSPORT_REVOKED, ARGUMENT_CAP);
    }
    for (unsigned i = 0; i < 2; i++) {
        release(bench, delegated[i].cap[0]);
        release(bench, delegated[i].cap[1]);
    }
}

/* Revoked in flight: the caller is told, and the server's answer comes too late. */
static void revoked_in_flight(struct bench *bench)
{
    struct cqe delegated = done(
        bench,
        (struct sqe){.opcode = OPCODE_DELEGATE, .cap = bench->client, .facet = MANIFEST_FACET_ALL});
    struct sqe entry = entry_of(bench, OPCODE_CALL);
    struct rt_operation call;
    struct rt_operation watch;
    struct rt_request request;
    uint64_t token;

    entry.cap = delegated.cap[0];
    call = begin(bench, &entry);
    request = rt_receive(bench->ring, bench->owner.cap, bench->inbox);
    token = request.head->token;
    entry = entry_of(bench, OPCODE_WATCH);
    entry.token = token;
    watch = begin(bench, &entry);
    CHECK_EQUAL(
        bench->check,
        done(bench, (struct sqe){.opcode = OPCODE_REVOKE, .cap = delegated.cap[1]}).receipt.calls,
        1);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, call).result,
                TRANSPORT_REVOKED);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, watch).result,
                WATCH_CANCELLED);
    entry = entry_of(bench, OPCODE_RETURN);
    entry.token = token;
    expect(bench, entry, TRANSPORT_CANCELLED, ARGUMENT_TOKEN);
    release(bench, delegated.cap[0]);
    release(bench, delegated.cap[1]);
}

/* A call in flight; its token. */
static uint64_t taken(struct bench *bench, struct rt_operation *call)
{
    struct sqe entry = entry_of(bench, OPCODE_CALL);
    struct rt_request request;

    *call = begin(bench, &entry);
    request = rt_receive(bench->ring, bench->owner.cap, bench->inbox);
    CHECK(bench->check, request.status > 0);
    return request.head->token;
}

/* What is wrong with an answer, for RETURN and RETURN_RECV. */
static void answers(struct bench *bench, enum opcode opcode)
{
    const struct transfer fixed = {.cap = bench->fixed, .mode = TRANSFER_COPY};
    uint8_t outside[16] ALIGNED(8) = {0};
    struct sqe entry = entry_of(bench, opcode);
    struct rt_operation call;

    entry.token = taken(bench, &call);
    entry.message = address_of(outside);
    expect(bench, entry, TRANSPORT_BAD_BUFFER, ARGUMENT_MESSAGE);
    entry.message = address_of(bench->message.bytes);
    memcpy(bench->message.bytes + 8, &fixed, sizeof(fixed));
    entry.transfers = 1;
    expect(bench, entry, TRANSPORT_NOT_GRANTABLE, ARGUMENT_TRANSFERS);
    entry.transfers = 2;
    expect(bench, entry, TRANSPORT_TOO_LARGE, ARGUMENT_TRANSFERS);
    entry.transfers = 0;
    entry.token++;
    expect(bench, entry, TRANSPORT_BAD_TOKEN, ARGUMENT_TOKEN);
    entry.token--;
    entry.message_bytes = 16;
    expect(bench, entry, TRANSPORT_NO_ROOM, ARGUMENT_MESSAGE_BYTES);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, call).result,
                TRANSPORT_NO_ROOM);
    entry.message_bytes = 8;
    expect(bench, entry, TRANSPORT_BAD_TOKEN, ARGUMENT_TOKEN);
    entry.token = taken(bench, &call);
    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, call), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, call).result,
                TRANSPORT_CANCELLED);
    expect(bench, entry, TRANSPORT_CANCELLED, ARGUMENT_TOKEN);
}

/* A call that may not pass on what it names; an endpoint's queue that is full. */
static void calls(struct bench *bench)
{
    const struct transfer fixed = {.cap = bench->fixed, .mode = TRANSFER_MOVE};
    struct sqe entry = entry_of(bench, OPCODE_CALL);
    struct rt_operation call[QUEUE_LENGTH];

    memcpy(bench->message.bytes + 8, &fixed, sizeof(fixed));
    entry.transfers = 1;
    expect(bench, entry, TRANSPORT_NOT_GRANTABLE, ARGUMENT_TRANSFERS);
    entry.transfers = 0;
    for (unsigned i = 0; i < QUEUE_LENGTH; i++) {
        call[i] = begin(bench, &entry);
    }
    expect(bench, entry, TRANSPORT_LIMIT, ARGUMENT_CAP);
    for (unsigned i = 0; i < QUEUE_LENGTH; i++) {
        CHECK_EQUAL(bench->check, rt_cancel(bench->ring, call[i]), TRANSPORT_OK);
        CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, call[i]).result,
                    TRANSPORT_CANCELLED);
    }
}

static void receives(struct bench *bench)
{
    uint8_t outside[16] ALIGNED(8) = {0};
    struct sqe entry = entry_of(bench, OPCODE_RECV);
    struct rt_operation call;
    struct rt_operation receive[LIMIT_OPERATIONS];
    static struct cap_id dup[LIMIT_TABLE_SLOTS];
    struct cqe completion = {.result = 0};
    unsigned dup_count = 0;
    unsigned count = 0;

    entry.result_bytes = sizeof(struct endpoint_message) + MESSAGE_BYTES;
    expect(bench, entry, TRANSPORT_NO_ROOM, ARGUMENT_RESULT_BYTES);
    entry.result_bytes = bench->inbox.size;
    entry.result = address_of(outside);
    expect(bench, entry, TRANSPORT_BAD_BUFFER, ARGUMENT_RESULT);
    entry.result = address_of(bench->inbox.bytes) + 4;
    entry.result_bytes -= 8;
    expect(bench, entry, TRANSPORT_BAD_BUFFER, ARGUMENT_RESULT);
    /* With the table full no slot is left for what a call may bring, but those that the thread has
     * over; then the receiving half of RETURN_RECV is refused, and the answer has gone out. */
    entry = entry_of(bench, OPCODE_RETURN_RECV);
    entry.token = taken(bench, &call);
    while (dup_count < ARRAY_COUNT(dup)) {
        completion = done(
            bench,
            (struct sqe){.opcode = OPCODE_DUP, .cap = bench->client, .facet = MANIFEST_FACET_ALL});
        if (completion.result != 0) {
            break;
        }
        dup[dup_count++] = completion.cap[0];
    }
    CHECK_EQUAL(bench->check, completion.result, TRANSPORT_LIMIT);
    for (bool more = true; more && count < LIMIT_OPERATIONS;) {
        struct sqe another = entry_of(bench, OPCODE_RECV);

        receive[count] = begin(bench, &another);
        more = !rt_ring_poll(bench->ring, receive[count], &completion);
        count += more;
    }
    CHECK_EQUAL(bench->check, completion.result, TRANSPORT_LIMIT);
    CHECK_EQUAL(bench->check, completion.refusal.argument, ARGUMENT_LEDGER + LEDGER_SLOTS);
    expect(bench, entry, TRANSPORT_LIMIT, (enum refusal_argument)(ARGUMENT_LEDGER + LEDGER_SLOTS));
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, call).result, 8);
    for (unsigned i = 0; i < count; i++) {
        CHECK_EQUAL(bench->check, rt_cancel(bench->ring, receive[i]), TRANSPORT_OK);
        CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, receive[i]).result,
                    TRANSPORT_CANCELLED);
    }
    while (dup_count > 0) {
        release(bench, dup[--dup_count]);
    }
}

static void watches(struct bench *bench)
{
    struct sqe entry = entry_of(bench, OPCODE_WATCH);
    struct rt_operation call;
    struct rt_operation watch;

    entry.token = 1;
    expect(bench, entry, TRANSPORT_BAD_TOKEN, ARGUMENT_TOKEN);
    entry.token = taken(bench, &call);
    watch = begin(bench, &entry);
    expect(bench, entry, TRANSPORT_LIMIT, ARGUMENT_TOKEN);
    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, watch), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, watch).result,
                TRANSPORT_CANCELLED);
    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, call), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, call).result,
                TRANSPORT_CANCELLED);
}

/* The owner goes with each of its submissions waiting. */
static void owner_gone(struct bench *bench)
{
    struct sqe receive = entry_of(bench, OPCODE_RECV);
    struct sqe answer = entry_of(bench, OPCODE_RETURN_RECV);
    struct sqe watch = entry_of(bench, OPCODE_WATCH);
    struct sqe call = entry_of(bench, OPCODE_CALL);
    struct rt_operation operation[4];
    struct rt_operation first;

    answer.token = taken(bench, &first);
    operation[0] = begin(bench, &answer);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, first).result, 8);
    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, operation[0]), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[0]).result,
                TRANSPORT_CANCELLED);
    answer.token = taken(bench, &first);
    watch.token = taken(bench, &operation[1]);
    operation[2] = begin(bench, &watch);
    operation[0] = begin(bench, &answer);
    operation[3] = begin(bench, &receive);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, first).result, 8);
    release(bench, bench->owner.cap);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[0]).result,
                TRANSPORT_PEER_GONE);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[1]).result,
                TRANSPORT_PEER_GONE);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[2]).result,
                WATCH_ENDED);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[3]).result,
                TRANSPORT_PEER_GONE);
    expect(bench, call, TRANSPORT_PEER_GONE, ARGUMENT_CAP);
    release(bench, bench->client);
    release(bench, bench->fixed);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct bench bench = {.check = &check, .ring = &rt->ring};

    CHECK_EQUAL(&check,
                rt_find(rt, "endpoint-factory", ENDPOINT_FACTORY_INTERFACE_ID, &bench.factory.cap),
                TRANSPORT_OK);
    bench.inbox = rt_buffer_alloc(bench.ring, RT_RECEIVE_BYTES(MESSAGE_BYTES));
    bench.message = rt_buffer_alloc(bench.ring, 256);
    bench.answer = rt_buffer_alloc(bench.ring, 256);
    rt->ring.checks = false; /* many submissions share one buffer */
    pair_make(&bench);
    edges(&bench);
    answers(&bench, OPCODE_RETURN);
    answers(&bench, OPCODE_RETURN_RECV);
    calls(&bench);
    receives(&bench);
    watches(&bench);
    revoked(&bench);
    revoked_in_flight(&bench);
    owner_gone(&bench);
    return check_end(&check);
}
