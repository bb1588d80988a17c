/* SPDX-License-Identifier: MIT */
/*
 * Refusals that need more than an endpoint: PARK and UNPARK on edges that do not allow them, and
 * receives in a thread with the smallest ring. Needs "endpoint-factory", "frame-allocator" and
 * "thread-spawner".
 *
 * covers: PARK/REVOKED, PARK/NO_METHOD, UNPARK/REVOKED, UNPARK/NO_METHOD
 * covers: RECV/LIMIT, RETURN_RECV/LIMIT
 */
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/greeter.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/lib/memory.h"
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

/* The entry ends with `error`, and the argument refused is the one named. */
static void refused(struct bench *bench, const struct sqe *entry, enum transport_error error,
                    enum refusal_argument argument, unsigned line)
{
    struct cqe completion = check_done(bench->check, bench->ring, entry);

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

/* A delegated edge of `cap` whose delegation was revoked. */
static struct cap_id revoked_edge(struct bench *bench, struct cap_id cap)
{
    struct sqe entry = {.opcode = OPCODE_DELEGATE, .cap = cap, .facet = UINT64_MAX};
    struct cqe completion = check_done(bench->check, bench->ring, &entry);
    struct cap_id edge = completion.cap[0];

    CHECK_EQUAL(bench->check, completion.result, 0);
    entry = (struct sqe){.opcode = OPCODE_REVOKE, .cap = completion.cap[1]};
    CHECK(bench->check, check_done(bench->check, bench->ring, &entry).result >= 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, entry.cap), TRANSPORT_OK);
    return edge;
}

/* An edge like `cap` with the methods of `facet` only. */
static struct cap_id narrowed(struct bench *bench, struct cap_id cap, uint64_t facet)
{
    struct sqe entry = {.opcode = OPCODE_DUP, .cap = cap, .facet = facet};
    struct cqe completion = check_done(bench->check, bench->ring, &entry);

    CHECK_EQUAL(bench->check, completion.result, 0);
    return completion.cap[0];
}

/* PARK needs the right to read, UNPARK the right to write; neither helps on a revoked edge. */
static void words_refused(struct bench *bench)
{
    struct frame_allocator allocator;
    struct memory_object object;
    struct sqe park = {.opcode = OPCODE_PARK};
    struct sqe unpark = {.opcode = OPCODE_UNPARK, .value = 1};

    CHECK_EQUAL(bench->check,
                rt_find(bench->rt, "frame-allocator", FRAME_ALLOCATOR_INTERFACE_ID, &allocator.cap),
                TRANSPORT_OK);
    CHECK_EQUAL(bench->check,
                memory_client_allocate(bench->rt, allocator, LIMIT_PAGE_BYTES, &object),
                TRANSPORT_OK);
    park.cap = narrowed(bench, object.cap, ~MEMORY_OBJECT_FACET_READ);
    unpark.cap = narrowed(bench, object.cap, ~MEMORY_OBJECT_FACET_WRITE);
    REFUSED(bench, &park, NO_METHOD, CAP);
    REFUSED(bench, &unpark, NO_METHOD, CAP);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, park.cap), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, unpark.cap), TRANSPORT_OK);
    park.cap = unpark.cap = revoked_edge(bench, object.cap);
    REFUSED(bench, &park, REVOKED, CAP);
    REFUSED(bench, &unpark, REVOKED, CAP);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, park.cap), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, object.cap), TRANSPORT_OK);
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
        waiting[i] = check_submit(bench->check, bench->ring, &receive);
    }
    REFUSED(bench, &receive, LIMIT, NONE);
    for (unsigned i = 0; i < 2; i++) { /* then with slots over, which the call had for its answer */
        entry = call_entry(bench, bench->pair.client);
        entry.result = address_of(bench->buffer);
        entry.result_bytes = bench->buffer.size;
        call = check_submit(bench->check, bench->ring, &entry);
        CHECK(bench->check, check_completion(bench->check, bench->ring, waiting[i]).result > 0);
        head = (const struct endpoint_message *)(const void *)bench->inbox.bytes;
        waiting[i] = check_submit(bench->check, bench->ring, &receive);
        entry = owner_entry(bench, OPCODE_RETURN_RECV, bench->pair.owner.cap, head->token);
        REFUSED(bench, &entry, LIMIT, NONE);
        CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, call).result, 0);
    }
    for (unsigned i = 0; i < LIMIT_CQ_ENTRIES_MIN / 2; i++) {
        CHECK_EQUAL(bench->check, rt_cancel(bench->ring, waiting[i]), TRANSPORT_OK);
        CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, waiting[i]).result,
                    TRANSPORT_CANCELLED);
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

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct bench bench = {.check = &check, .rt = rt, .ring = &rt->ring};

    bench.ring->checks = false; /* entries share their buffers */
    bench.inbox = rt_buffer_alloc(bench.ring, RT_RECEIVE_BYTES(MESSAGE_BYTES) +
                                                  2 * (uint32_t)sizeof(struct received_cap));
    bench.buffer = rt_buffer_alloc(bench.ring, 512);
    bench.pair = pair_make(&bench);
    words_refused(&bench);
    small_ring(&bench);
    return check_end(&check);
}
