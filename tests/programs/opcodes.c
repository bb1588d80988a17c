/* SPDX-License-Identifier: MIT */
/*
 * The refusals of the opcodes that call, take, answer and watch: each documented error from the
 * cause that its page names. Both sides are one thread. Needs "endpoint-factory", "null" and
 * "thread-spawner".
 *
 * covers: CALL/BAD_CAP, CALL/STALE_CAP, CALL/REVOKED, CALL/WRONG_INTERFACE, CALL/NO_METHOD,
 * covers: CALL/NOT_GRANTABLE, CALL/NO_ROOM, CALL/LIMIT, CALL/PEER_GONE, CALL/BAD_FIELD
 * covers: RECV/BAD_CAP, RECV/STALE_CAP, RECV/REVOKED, RECV/WRONG_INTERFACE, RECV/NO_METHOD,
 * covers: RECV/NO_ROOM, RECV/BAD_BUFFER, RECV/LIMIT, RECV/PEER_GONE
 * covers: RETURN/BAD_CAP, RETURN/STALE_CAP, RETURN/REVOKED, RETURN/WRONG_INTERFACE,
 * covers: RETURN/NO_METHOD, RETURN/BAD_BUFFER, RETURN/NOT_GRANTABLE, RETURN/BAD_TOKEN,
 * covers: RETURN/CANCELLED, RETURN/NO_ROOM, RETURN/BAD_FIELD
 * covers: RETURN_RECV/BAD_CAP, RETURN_RECV/STALE_CAP, RETURN_RECV/REVOKED,
 * covers: RETURN_RECV/WRONG_INTERFACE, RETURN_RECV/NO_METHOD, RETURN_RECV/BAD_BUFFER,
 * covers: RETURN_RECV/NOT_GRANTABLE, RETURN_RECV/BAD_TOKEN, RETURN_RECV/CANCELLED,
 * covers: RETURN_RECV/NO_ROOM, RETURN_RECV/LIMIT, RETURN_RECV/PEER_GONE
 * covers: WATCH/BAD_CAP, WATCH/STALE_CAP, WATCH/REVOKED, WATCH/WRONG_INTERFACE, WATCH/NO_METHOD,
 * covers: WATCH/BAD_TOKEN, WATCH/CANCELLED, WATCH/LIMIT, PARK/REVOKED, UNPARK/REVOKED
 */
#include "core/string.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/greeter.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/lib/thread_spawner.h"

enum {
    MESSAGE_BYTES = 256,
    QUEUE = 4,
};

/* Both edges of an endpoint. */
struct pair {
    struct endpoint_owner owner;
    struct cap_id client;
};

struct bench {
    struct check *check;
    struct rt *rt;
    struct rt_ring *ring;
    struct pair pair;
    struct cap_id fixed; /* a client's edge that may not be passed on */
    struct cap_id null;
    struct rt_buffer inbox;
    struct rt_buffer buffer;
    uint32_t done; /* atomic: the other thread is */
};

static struct pair pair_make(struct bench *bench)
{
    struct manifest_export limits = {
        .message_bytes = MESSAGE_BYTES, .capabilities = 2, .queue_length = QUEUE};
    struct endpoint_session session = {.interface_id = GREETER_INTERFACE_ID,
                                       .facet = GREETER_FACET_GREET,
                                       .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    struct endpoint_factory factory;
    struct pair pair = {.client = {.raw = 0}};

    CHECK_EQUAL(bench->check,
                rt_find(bench->rt, "endpoint-factory", ENDPOINT_FACTORY_INTERFACE_ID, &factory.cap),
                TRANSPORT_OK);
    CHECK_EQUAL(bench->check, endpoint_client_create(bench->rt, factory, &limits, &pair.owner),
                TRANSPORT_OK);
    CHECK_EQUAL(bench->check, endpoint_client_mint(bench->rt, pair.owner, &session, &pair.client),
                TRANSPORT_OK);
    return pair;
}

static uint64_t address_of(struct rt_buffer buffer)
{
    return (uint64_t)(uintptr_t)buffer.bytes;
}

static struct rt_operation submit(struct bench *bench, const struct sqe *entry)
{
    struct rt_operation operation = {.id = 0};

    CHECK_EQUAL(bench->check, rt_ring_submit(bench->ring, entry, &operation), TRANSPORT_OK);
    return operation;
}

static struct cqe taken(struct bench *bench, struct rt_operation operation)
{
    struct cqe completion = {.result = INT32_MIN};

    CHECK_EQUAL(bench->check, rt_ring_wait(bench->ring, operation, TIMEOUT_NONE, &completion),
                TRANSPORT_OK);
    return completion;
}

/* The entry ends with `error`, and the argument refused is the one named. */
static void refused(struct bench *bench, const struct sqe *entry, enum transport_error error,
                    enum refusal_argument argument, unsigned line)
{
    struct cqe completion = taken(bench, submit(bench, entry));

    (void)check_numbers(bench->check, completion.result, error, line);
    (void)check_numbers(bench->check, completion.refusal.argument, argument, line);
}
#define REFUSED(bench, entry, error, argument)                                                     \
    refused((bench), (entry), TRANSPORT_##error, ARGUMENT_##argument, __LINE__)

static struct sqe call_entry(const struct bench *bench, struct cap_id cap)
{
    return (struct sqe){
        .opcode = OPCODE_CALL,
        .method = GREETER_METHOD_GREET,
        .cap = cap,
        .interface_id = GREETER_INTERFACE_ID,
        .message = address_of(bench->buffer),
        .result = address_of(bench->buffer),
        .result_bytes = 64,
    };
}

/* RECV, RETURN, RETURN_RECV or WATCH on `cap`. */
static struct sqe owner_entry(const struct bench *bench, enum opcode opcode, struct cap_id cap,
                              uint64_t token)
{
    struct sqe entry = {.opcode = (uint8_t)opcode, .cap = cap};

    if (opcode != OPCODE_RECV) {
        entry.token = token;
    }
    if (opcode == OPCODE_RETURN || opcode == OPCODE_RETURN_RECV) {
        entry.message = address_of(bench->buffer);
    }
    if (opcode == OPCODE_RECV || opcode == OPCODE_RETURN_RECV) {
        entry.result = address_of(bench->inbox);
        entry.result_bytes = bench->inbox.size;
    }
    return entry;
}

static uint64_t received(struct bench *bench)
{
    struct rt_request request = rt_receive(bench->ring, bench->pair.owner.cap, bench->inbox);

    return CHECK(bench->check, request.status > 0) ? request.head->token : 0;
}

/* One call in flight; *call completes when it is over. */
static uint64_t call_in_flight(struct bench *bench, struct rt_operation *call)
{
    struct sqe entry = call_entry(bench, bench->pair.client);

    *call = submit(bench, &entry);
    return received(bench);
}

/* A delegated edge of `cap` whose delegation was revoked. */
static struct cap_id revoked_edge(struct bench *bench, struct cap_id cap)
{
    struct sqe entry = {.opcode = OPCODE_DELEGATE, .cap = cap, .facet = UINT64_MAX};
    struct cqe completion = taken(bench, submit(bench, &entry));
    struct cap_id edge = completion.cap[0];

    CHECK_EQUAL(bench->check, completion.result, 0);
    entry = (struct sqe){.opcode = OPCODE_REVOKE, .cap = completion.cap[1]};
    CHECK(bench->check, taken(bench, submit(bench, &entry)).result >= 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, entry.cap), TRANSPORT_OK);
    return edge;
}

/* An owner's edge that holds one right only. */
static struct cap_id owner_narrow(struct bench *bench, uint64_t facet)
{
    struct sqe entry = {.opcode = OPCODE_DUP, .cap = bench->pair.owner.cap, .facet = facet};
    struct cqe completion = taken(bench, submit(bench, &entry));

    CHECK_EQUAL(bench->check, completion.result, 0);
    return completion.cap[0];
}

/* Ids that name nothing good, for every opcode that names an edge. */
static void capabilities_refused(struct bench *bench)
{
    static const enum opcode owners[] = {OPCODE_RECV, OPCODE_RETURN, OPCODE_RETURN_RECV,
                                         OPCODE_WATCH};
    struct pair other = pair_make(bench);
    struct cap_id dead = revoked_edge(bench, bench->pair.owner.cap);
    struct cap_id dead_client = revoked_edge(bench, bench->pair.client);
    struct sqe entry;

    CHECK_EQUAL(bench->check, rt_release(bench->ring, other.owner.cap), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, other.client), TRANSPORT_OK);
    for (size_t i = 0; i < ARRAY_COUNT(owners); i++) {
        entry = owner_entry(bench, owners[i], (struct cap_id){.raw = 1}, 1);
        REFUSED(bench, &entry, BAD_CAP, CAP);
        entry.cap = other.owner.cap;
        REFUSED(bench, &entry, STALE_CAP, CAP);
        entry.cap = dead;
        REFUSED(bench, &entry, REVOKED, CAP);
        entry.cap = bench->pair.client;
        REFUSED(bench, &entry, WRONG_INTERFACE, CAP);
        entry.cap = owner_narrow(bench, owners[i] == OPCODE_RECV ? ENDPOINT_FACET_ANSWER
                                                                 : ENDPOINT_FACET_RECEIVE);
        REFUSED(bench, &entry, NO_METHOD, CAP);
        CHECK_EQUAL(bench->check, rt_release(bench->ring, entry.cap), TRANSPORT_OK);
        entry = owner_entry(bench, owners[i], bench->pair.owner.cap, 1);
        entry.spare = 1;
        REFUSED(bench, &entry, BAD_FIELD, SPARE);
    }
    entry = (struct sqe){.opcode = OPCODE_PARK, .cap = dead};
    REFUSED(bench, &entry, REVOKED, CAP);
    entry.opcode = OPCODE_UNPARK;
    REFUSED(bench, &entry, REVOKED, CAP);
    entry = call_entry(bench, (struct cap_id){.raw = 1});
    REFUSED(bench, &entry, BAD_CAP, CAP);
    entry.cap = other.client;
    REFUSED(bench, &entry, STALE_CAP, CAP);
    entry.cap = dead_client;
    REFUSED(bench, &entry, REVOKED, CAP);
    entry.cap = bench->pair.client;
    entry.interface_id = NULL_OBJECT_INTERFACE_ID;
    REFUSED(bench, &entry, WRONG_INTERFACE, INTERFACE);
    entry = call_entry(bench, bench->pair.client);
    entry.method = GREETER_METHOD_FINISH;
    REFUSED(bench, &entry, NO_METHOD, METHOD);
    entry = call_entry(bench, bench->pair.client);
    entry.spare = 1;
    REFUSED(bench, &entry, BAD_FIELD, SPARE);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, dead), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, dead_client), TRANSPORT_OK);
}

/* Descriptors and buffers of CALL. */
static void calls_refused(struct bench *bench)
{
    struct transfer transfer = {.cap = bench->fixed, .mode = TRANSFER_COPY};
    struct sqe entry = call_entry(bench, bench->pair.client);
    struct rt_operation waiting[QUEUE];

    memcpy(bench->buffer.bytes, &transfer, sizeof(transfer));
    entry.transfers = 1;
    REFUSED(bench, &entry, NOT_GRANTABLE, TRANSFERS);
    entry = (struct sqe){.opcode = OPCODE_CALL,
                         .method = NULL_OBJECT_METHOD_NOTHING,
                         .cap = bench->null,
                         .interface_id = NULL_OBJECT_INTERFACE_ID,
                         .message = address_of(bench->buffer),
                         .result = address_of(bench->buffer),
                         .result_bytes = LIMIT_ANSWER_ROOM - 8};
    REFUSED(bench, &entry, NO_ROOM, RESULT_BYTES);
    entry = call_entry(bench, bench->pair.client);
    for (unsigned i = 0; i < QUEUE; i++) {
        waiting[i] = submit(bench, &entry);
    }
    REFUSED(bench, &entry, LIMIT, CAP);
    for (unsigned i = 0; i < QUEUE; i++) {
        CHECK_EQUAL(bench->check, rt_cancel(bench->ring, waiting[i]), TRANSPORT_OK);
        CHECK_EQUAL(bench->check, taken(bench, waiting[i]).result, TRANSPORT_CANCELLED);
    }
}

/* Tokens, buffers and descriptors of RETURN and RETURN_RECV. */
static void returns_refused(struct bench *bench, enum opcode opcode)
{
    struct transfer transfer = {.cap = bench->fixed, .mode = TRANSFER_COPY};
    struct rt_operation call;
    uint64_t token = call_in_flight(bench, &call);
    uint64_t outside[4] = {0};
    struct sqe entry = owner_entry(bench, opcode, bench->pair.owner.cap, token + 1);
    struct cqe completion;

    REFUSED(bench, &entry, BAD_TOKEN, TOKEN);
    entry.token = token;
    entry.message = (uint64_t)(uintptr_t)outside;
    entry.message_bytes = sizeof(outside);
    REFUSED(bench, &entry, BAD_BUFFER, MESSAGE);
    memcpy(bench->buffer.bytes, &transfer, sizeof(transfer));
    entry = owner_entry(bench, opcode, bench->pair.owner.cap, token);
    entry.transfers = 1;
    REFUSED(bench, &entry, NOT_GRANTABLE, TRANSFERS);
    entry = owner_entry(bench, opcode, bench->pair.owner.cap, token);
    entry.message_bytes = 128; /* the caller has room for 64 */
    completion = taken(bench, submit(bench, &entry));
    CHECK_EQUAL(bench->check, completion.result, TRANSPORT_NO_ROOM);
    CHECK_EQUAL(bench->check, completion.refusal.limit, 64);
    CHECK_EQUAL(bench->check, taken(bench, call).result, TRANSPORT_NO_ROOM);
    token = call_in_flight(bench, &call);
    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, call), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, taken(bench, call).result, TRANSPORT_CANCELLED);
    entry = owner_entry(bench, opcode, bench->pair.owner.cap, token);
    REFUSED(bench, &entry, CANCELLED, TOKEN);
    REFUSED(bench, &entry, BAD_TOKEN, TOKEN);
}

static void watches_refused(struct bench *bench)
{
    struct rt_operation call;
    uint64_t token = call_in_flight(bench, &call);
    struct sqe entry = owner_entry(bench, OPCODE_WATCH, bench->pair.owner.cap, token + 1);
    struct rt_operation watch;

    REFUSED(bench, &entry, BAD_TOKEN, TOKEN);
    entry.token = token;
    watch = submit(bench, &entry);
    REFUSED(bench, &entry, LIMIT, TOKEN);
    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, call), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, taken(bench, call).result, TRANSPORT_CANCELLED);
    CHECK_EQUAL(bench->check, taken(bench, watch).result, WATCH_CANCELLED);
    CHECK_EQUAL(bench->check, taken(bench, submit(bench, &entry)).result, WATCH_CANCELLED);
    /* And the watch itself may be taken back. */
    token = call_in_flight(bench, &call);
    entry.token = token;
    watch = submit(bench, &entry);
    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, watch), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, taken(bench, watch).result, TRANSPORT_CANCELLED);
    watch = submit(bench, &entry);
    entry = owner_entry(bench, OPCODE_RETURN, bench->pair.owner.cap, token);
    CHECK_EQUAL(bench->check, taken(bench, submit(bench, &entry)).result, 0);
    CHECK_EQUAL(bench->check, taken(bench, watch).result, WATCH_ENDED);
    CHECK_EQUAL(bench->check, taken(bench, call).result, 0);
}

/* Buffers of RECV, as many receives as may wait, and one that comes with an answer too many. */
static void receives_refused(struct bench *bench)
{
    struct sqe receive = owner_entry(bench, OPCODE_RECV, bench->pair.owner.cap, 0);
    struct rt_operation waiting[LIMIT_OPERATIONS];
    uint32_t ahead = LIMIT_OPERATIONS - 1; /* the call takes one */
    struct rt_operation call;
    struct sqe entry = receive;
    uint64_t token;

    entry.result_bytes = 64;
    REFUSED(bench, &entry, NO_ROOM, RESULT_BYTES);
    entry = receive;
    entry.result += 4;
    entry.result_bytes -= 8;
    REFUSED(bench, &entry, BAD_BUFFER, RESULT);
    token = call_in_flight(bench, &call);
    for (uint32_t i = 0; i < ahead; i++) {
        waiting[i] = submit(bench, &receive);
    }
    REFUSED(bench, &receive, LIMIT, NONE);
    /* A NOP needs no operation; the completion queue still has room for it. */
    CHECK_EQUAL(bench->check, rt_nop(bench->ring), TRANSPORT_OK);
    entry = owner_entry(bench, OPCODE_RETURN, bench->pair.owner.cap, token);
    CHECK_EQUAL(bench->check, taken(bench, submit(bench, &entry)).result, 0);
    CHECK_EQUAL(bench->check, taken(bench, call).result, 0);
    for (uint32_t i = 0; i < ahead; i++) {
        CHECK_EQUAL(bench->check, rt_cancel(bench->ring, waiting[i]), TRANSPORT_OK);
        CHECK_EQUAL(bench->check, taken(bench, waiting[i]).result, TRANSPORT_CANCELLED);
    }
}

/* A RETURN_RECV whose receive finds no room to wait: the answer goes out all the same. */
static void return_receive_small(struct bench *bench)
{
    struct rt_operation call;
    uint64_t token = call_in_flight(bench, &call);
    struct sqe entry = owner_entry(bench, OPCODE_RETURN_RECV, bench->pair.owner.cap, token);

    entry.result_bytes = 64;
    REFUSED(bench, &entry, NO_ROOM, RESULT_BYTES);
    CHECK_EQUAL(bench->check, taken(bench, call).result, 0);
}

/* In a thread with the smallest ring: receives promise at most half of its completions. */
static int half_of_queue(struct rt *rt, void *argument)
{
    struct bench *bench = argument;
    struct sqe receive;
    struct sqe entry;
    struct rt_operation waiting[LIMIT_CQ_ENTRIES_MIN / 2 + 1];
    struct rt_operation call;
    const struct endpoint_message *head;

    bench->check->rt = rt;
    bench->rt = rt;
    bench->ring = &rt->ring;
    bench->ring->checks = false;
    bench->inbox = rt_buffer_alloc(bench->ring, bench->inbox.size);
    bench->buffer = rt_buffer_alloc(bench->ring, 64);
    receive = owner_entry(bench, OPCODE_RECV, bench->pair.owner.cap, 0);
    for (unsigned i = 0; i < LIMIT_CQ_ENTRIES_MIN / 2; i++) {
        waiting[i] = submit(bench, &receive);
    }
    REFUSED(bench, &receive, LIMIT, NONE);
    entry = call_entry(bench, bench->pair.client);
    call = submit(bench, &entry);
    CHECK(bench->check, taken(bench, waiting[0]).result > 0);
    head = (const struct endpoint_message *)(const void *)bench->inbox.bytes;
    waiting[0] = submit(bench, &receive);
    entry = owner_entry(bench, OPCODE_RETURN_RECV, bench->pair.owner.cap, head->token);
    REFUSED(bench, &entry, LIMIT, NONE);
    CHECK_EQUAL(bench->check, taken(bench, call).result, 0);
    for (unsigned i = 0; i < LIMIT_CQ_ENTRIES_MIN / 2; i++) {
        CHECK_EQUAL(bench->check, rt_cancel(bench->ring, waiting[i]), TRANSPORT_OK);
        CHECK_EQUAL(bench->check, taken(bench, waiting[i]).result, TRANSPORT_CANCELLED);
    }
    atomic_store_release_u32(&bench->done, 1);
    return 0;
}

static void small_ring(struct bench *bench)
{
    static const struct ring_sizes sizes = {LIMIT_SQ_ENTRIES_MIN, LIMIT_CQ_ENTRIES_MIN,
                                            LIMIT_PAGE_BYTES};
    static struct check check;
    static struct bench other;
    static struct rt_thread_start begin = {.function = half_of_queue, .argument = &other};
    struct thread_spawner spawner;

    other = *bench;
    other.check = &check;
    CHECK_EQUAL(bench->check,
                rt_find(bench->rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &spawner.cap),
                TRANSPORT_OK);
    CHECK_EQUAL(bench->check, thread_client_spawn_sized(bench->rt, spawner, &begin, &sizes),
                TRANSPORT_OK);
    while (atomic_load_acquire_u32(&other.done) == 0) {
        rt_sleep(bench->rt, 1000000);
    }
    bench->check->passed += check.passed;
    bench->check->failed += check.failed;
}

/* The last owner's edge goes while a RECV, a RETURN_RECV and a CALL wait. */
static void owner_gone(struct bench *bench)
{
    struct rt_operation call;
    uint64_t token = call_in_flight(bench, &call);
    struct sqe receive = owner_entry(bench, OPCODE_RECV, bench->pair.owner.cap, 0);
    struct sqe both = owner_entry(bench, OPCODE_RETURN_RECV, bench->pair.owner.cap, token);
    struct sqe entry = call_entry(bench, bench->pair.client);
    struct rt_operation first = submit(bench, &receive);
    struct rt_operation second = submit(bench, &both);

    CHECK_EQUAL(bench->check, taken(bench, call).result, 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, bench->pair.owner.cap), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, taken(bench, first).result, TRANSPORT_PEER_GONE);
    CHECK_EQUAL(bench->check, taken(bench, second).result, TRANSPORT_PEER_GONE);
    REFUSED(bench, &entry, PEER_GONE, CAP);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct bench bench = {.check = &check, .rt = rt, .ring = &rt->ring};
    struct endpoint_session fixed = {.interface_id = GREETER_INTERFACE_ID,
                                     .facet = GREETER_FACET_GREET,
                                     .mode = AUTHORITY_TRANSFER_MODE_NONE};

    bench.ring->checks = false; /* entries share their buffers */
    bench.inbox = rt_buffer_alloc(bench.ring, RT_RECEIVE_BYTES(MESSAGE_BYTES) +
                                                  2 * (uint32_t)sizeof(struct received_cap) + 8);
    bench.buffer = rt_buffer_alloc(bench.ring, 512);
    CHECK_EQUAL(&check, rt_find(rt, "null", NULL_OBJECT_INTERFACE_ID, &bench.null), TRANSPORT_OK);
    bench.pair = pair_make(&bench);
    CHECK_EQUAL(&check, endpoint_client_mint(rt, bench.pair.owner, &fixed, &bench.fixed),
                TRANSPORT_OK);
    capabilities_refused(&bench);
    calls_refused(&bench);
    returns_refused(&bench, OPCODE_RETURN);
    returns_refused(&bench, OPCODE_RETURN_RECV);
    watches_refused(&bench);
    receives_refused(&bench);
    return_receive_small(&bench);
    small_ring(&bench);
    owner_gone(&bench);
    return check_end(&check);
}
