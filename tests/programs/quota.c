/* SPDX-License-Identifier: MIT */
/*
 * Each line of a process's ledger, used up: the refusal names the ledger, its limit and what was
 * asked; nothing is lost by it, and what is given back can be had again. The limits are those of
 * tests/scenes/quota.json. Invariants and criteria: docs/authority-accounting-transfer.md, A1 to A4
 * and S1, S2.
 */
#include "abi/ledgers.h"
#include "core/string.h"
#include "schema/generated/console.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"
#include "schema/generated/process.capnp.h"
#include "schema/generated/thread.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/lib/memory.h"
#include "user/rt/call.h"
#include "user/rt/thread.h"

enum {
    /* of the service "quota" in the scene */
    QUOTA_SLOTS = 40,
    QUOTA_FRAMES = 300,
    QUOTA_QUEUE = 200,
    QUOTA_CALLS = 12,
    QUOTA_SCRATCH = 4096,
    QUOTA_THREADS = 2,
    QUOTA_LOG = 8192,

    QUEUE_CHUNK = 64,
    QUEUES = QUOTA_QUEUE / (QUEUE_CHUNK + 1),
    CHUNK = 512,
    CHUNKS_MAX = 100000,
    ROUNDS = 3,
};

/* A CapException that names the ledger, its limit and what was asked; closes the client. */
static void refused_by(struct check *check, struct client *client, const char *ledger,
                       uint64_t limit, uint64_t amount)
{
    CHECK_EQUAL(check, client->call.status, EXCEPTION_REASON_QUOTA_EXCEEDED);
    if (client->call.status == EXCEPTION_REASON_QUOTA_EXCEEDED) {
        struct cap_exception_reader exception =
            cap_exception_read(capn_reader_root(&client->call.response));
        struct capn_text name = cap_exception_get_limit_name(exception);

        CHECK(check, string_matches(name.bytes, name.length, ledger));
        CHECK_EQUAL(check, cap_exception_get_limit(exception), limit);
        CHECK_EQUAL(check, cap_exception_get_amount(exception), amount);
    }
    (void)client_close(client);
}

static void refusal_names(struct check *check, const struct refusal *refusal,
                          enum ledger_line_name line, uint64_t limit)
{
    CHECK_EQUAL(check, refusal->argument, ARGUMENT_LEDGER + line);
    CHECK_EQUAL(check, refusal->limit, limit);
    CHECK(check, refusal->amount > 0);
}

static int32_t endpoint_make(struct check *check, uint32_t queue, struct endpoint_owner *owner)
{
    struct endpoint_factory factory = {.cap = check_held(check, "endpoint-factory")};
    struct manifest_export limits = {.message_bytes = 4096, .queue_length = queue};

    return endpoint_client_create(check->rt, factory, &limits, owner);
}

static void release(struct check *check, struct cap_id cap)
{
    CHECK_EQUAL(check, rt_release(&check->rt->ring, cap), TRANSPORT_OK);
}

static void slots(struct check *check)
{
    static struct endpoint_owner owners[QUOTA_SLOTS];
    struct endpoint_owner one;
    struct client client;
    uint32_t count = 0;

    while (count < QUOTA_SLOTS && endpoint_make(check, 1, &owners[count]) == TRANSPORT_OK) {
        count++;
    }
    CHECK(check, count > 0 && count < QUOTA_SLOTS);
    client_open(&client, check->rt, check_held(check, "endpoint-factory"), CLIENT_ROOM_SMALL);
    (void)endpoint_factory_create_params_init_limits(endpoint_factory_create_request(&client.call));
    (void)endpoint_factory_create_invoke(&client.call);
    CHECK_EQUAL(check, client.call.status, TRANSPORT_LIMIT);
    refusal_names(check, &client.wire.refusal, LEDGER_SLOTS, QUOTA_SLOTS);
    (void)client_close(&client);
    while (count > 0) {
        release(check, owners[--count].cap);
    }
    CHECK_EQUAL(check, endpoint_make(check, 1, &one), TRANSPORT_OK);
    release(check, one.cap);
}

static void queue(struct check *check)
{
    struct endpoint_owner most;
    struct endpoint_owner more[QUEUES];
    struct endpoint_owner none;
    uint32_t count = 0;
    struct endpoint_limits_builder limits;
    struct client client;

    CHECK_EQUAL(check, endpoint_make(check, QUEUE_CHUNK, &most), TRANSPORT_OK);
    while (count < QUEUES - 1) {
        CHECK_EQUAL(check, endpoint_make(check, QUEUE_CHUNK, &more[count++]), TRANSPORT_OK);
    }
    client_open(&client, check->rt, check_held(check, "endpoint-factory"), CLIENT_ROOM_SMALL);
    limits =
        endpoint_factory_create_params_init_limits(endpoint_factory_create_request(&client.call));
    endpoint_limits_set_message_bytes(limits, 4096);
    endpoint_limits_set_queue_length(limits, QUEUE_CHUNK);
    (void)endpoint_factory_create_invoke(&client.call);
    refused_by(check, &client, "endpointQueue", QUOTA_QUEUE, QUEUE_CHUNK + 1); /* with itself */
    release(check, most.cap);
    while (endpoint_make(check, QUEUE_CHUNK, &none) != TRANSPORT_OK) {
        rt_sleep(check->rt, 1000 * 1000); /* a closing endpoint gives back in steps */
    }
    release(check, none.cap);
    while (count > 0) {
        release(check, more[--count].cap);
    }
}

/* A badge takes a place from its minting until its end was told, or will not be: so many at one
 * time, held or not. */
static void badges(struct check *check)
{
    struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                       .facet = MANIFEST_FACET_ALL};
    struct endpoint_mint_params_builder params;
    struct endpoint_owner owner;
    struct endpoint_owner all;
    struct client client;
    struct cap_id cap;

    CHECK_EQUAL(check, endpoint_make(check, QUEUE_CHUNK, &owner), TRANSPORT_OK);
    for (uint32_t left = QUOTA_QUEUE - QUEUE_CHUNK - 1; left > 0; left--) {
        session.badge++;
        CHECK_EQUAL(check, endpoint_client_mint(check->rt, owner, &session, &cap), TRANSPORT_OK);
        release(check, cap);
    }
    client_open(&client, check->rt, owner.cap, CLIENT_ROOM_SMALL);
    params = endpoint_mint_request(&client.call);
    endpoint_mint_params_set_badge(params, session.badge + 1);
    endpoint_mint_params_set_interface_id(params, session.interface_id);
    authority_facet_set_all(endpoint_mint_params_init_facet(params));
    (void)endpoint_mint_invoke(&client.call);
    refused_by(check, &client, "endpointQueue", QUOTA_QUEUE, 1);
    session.badge = 0;
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, owner, &session, &cap), TRANSPORT_OK);
    release(check, cap);
    release(check, owner.cap);
    while (endpoint_make(check, QUOTA_QUEUE - 1, &all) != TRANSPORT_OK) {
        rt_sleep(check->rt, 1000 * 1000);
    }
    release(check, all.cap);
}

static void frames(struct check *check)
{
    struct frame_allocator allocator = {.cap = check_held(check, "frame-allocator")};
    struct memory_quota before;
    struct memory_quota after;
    struct memory_object object;
    struct client client;
    uint64_t pages = QUOTA_FRAMES - 10;

    CHECK_EQUAL(check, memory_client_quota(check->rt, allocator, &before), TRANSPORT_OK);
    CHECK_EQUAL(check, before.limit, QUOTA_FRAMES);
    client_open(&client, check->rt, allocator.cap, CLIENT_ROOM_SMALL);
    frame_allocator_allocate_params_set_size_bytes(frame_allocator_allocate_request(&client.call),
                                                   pages * LIMIT_PAGE_BYTES);
    (void)frame_allocator_allocate_invoke(&client.call);
    refused_by(check, &client, "frames", QUOTA_FRAMES, pages + 2); /* with root and table */
    CHECK_EQUAL(check, memory_client_quota(check->rt, allocator, &after), TRANSPORT_OK);
    CHECK_EQUAL(check, after.charged, before.charged);
    pages = before.limit - before.charged - 2;
    CHECK_EQUAL(check,
                memory_client_allocate(check->rt, allocator, pages * LIMIT_PAGE_BYTES, &object),
                TRANSPORT_OK);
    CHECK_EQUAL(check, memory_client_quota(check->rt, allocator, &after), TRANSPORT_OK);
    CHECK_EQUAL(check, after.charged, QUOTA_FRAMES);
    release(check, object.cap);
    do {
        CHECK_EQUAL(check, memory_client_quota(check->rt, allocator, &after), TRANSPORT_OK);
    } while (after.charged != before.charged); /* frames go back in steps; a loss would hang */
}

static void scratch(struct check *check)
{
    struct frame_allocator allocator = {.cap = check_held(check, "frame-allocator")};
    struct memory_object_read_params_builder params;
    struct memory_object object;
    struct client client;
    uint8_t byte = 1;

    CHECK_EQUAL(check, memory_client_allocate(check->rt, allocator, 32 * 1024, &object),
                TRANSPORT_OK);
    client_open(&client, check->rt, object.cap,
                (struct client_room){.request_bytes = 256, .answer_bytes = LIMIT_ANSWER_BYTES});
    params = memory_object_read_request(&client.call);
    memory_object_read_params_set_max_bytes(params, MEMORY_OBJECT_READ_MAX);
    (void)memory_object_read_invoke(&client.call);
    refused_by(check, &client, "scratchBytes", QUOTA_SCRATCH, LIMIT_ANSWER_BYTES);
    CHECK_EQUAL(check, memory_client_read(check->rt, object, 0, &byte, 1), TRANSPORT_OK);
    CHECK_EQUAL(check, byte, 0);
    release(check, object.cap);
}

static int sleeper(struct rt *rt, void *argument)
{
    (void)argument;
    rt_sleep(rt, 1000 * 1000);
    return 0;
}

static int32_t thread_make(struct check *check, struct client *client,
                           struct rt_thread_start *begin)
{
    struct thread_request_builder request;

    client_open(client, check->rt, check_held(check, "thread-spawner"), CLIENT_ROOM_SMALL);
    request = thread_spawner_spawn_params_init_request(thread_spawner_spawn_request(&client->call));
    thread_request_set_entry(request, (uint64_t)(uintptr_t)rt_thread_begin);
    thread_request_set_argument(request, (uint64_t)(uintptr_t)begin);
    (void)thread_spawner_spawn_invoke(&client->call);
    return client->call.status;
}

static void threads(struct check *check, bool ring_is_short)
{
    static struct rt_thread_start begin = {.function = sleeper};
    struct client client;
    uint32_t started = 0;

    while (thread_make(check, &client, &begin) == TRANSPORT_OK && started < QUOTA_THREADS) {
        started++;
        (void)client_close(&client);
    }
    CHECK_EQUAL(check, started, ring_is_short ? 0 : QUOTA_THREADS - 1);
    if (ring_is_short) {
        refused_by(check, &client, "ringBytes", RING_BYTES, RING_BYTES);
        return;
    }
    refused_by(check, &client, "threads", QUOTA_THREADS, 1);
    /* The other thread's end gives back what it took. */
    while (thread_make(check, &client, &begin) != TRANSPORT_OK) {
        CHECK_EQUAL(check, client_close(&client), EXCEPTION_REASON_QUOTA_EXCEEDED);
        rt_sleep(check->rt, 1000 * 1000);
    }
    (void)client_close(&client);
}

static void calls(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_operation operation[QUOTA_CALLS + 1];
    struct endpoint_owner owner;
    struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                       .facet = MANIFEST_FACET_ALL};
    struct rt_buffer buffer = rt_buffer_alloc(ring, 64);
    struct cqe completion;
    struct cap_id client;
    struct sqe entry;

    CHECK_EQUAL(check, endpoint_make(check, 32, &owner), TRANSPORT_OK);
    CHECK_EQUAL(check, endpoint_client_mint(check->rt, owner, &session, &client), TRANSPORT_OK);
    entry = (struct sqe){.opcode = OPCODE_CALL,
                         .cap = client,
                         .interface_id = NULL_OBJECT_INTERFACE_ID,
                         .message = (uint64_t)(uintptr_t)buffer.bytes,
                         .message_bytes = 8};
    ring->checks = false; /* one message for all of them */
    for (unsigned i = 0; i <= QUOTA_CALLS; i++) {
        CHECK_EQUAL(check, rt_ring_submit(ring, &entry, &operation[i]), TRANSPORT_OK);
    }
    CHECK_EQUAL(check, rt_ring_wait(ring, operation[QUOTA_CALLS], TIMEOUT_NONE, &completion),
                TRANSPORT_OK);
    CHECK_EQUAL(check, completion.result, TRANSPORT_LIMIT);
    refusal_names(check, &completion.refusal, LEDGER_OUTSTANDING_CALLS, QUOTA_CALLS);
    release(check, owner.cap);
    for (unsigned i = 0; i < QUOTA_CALLS; i++) {
        CHECK_EQUAL(check, rt_ring_wait(ring, operation[i], TIMEOUT_NONE, &completion),
                    TRANSPORT_OK);
        CHECK(check, completion.result < 0);
    }
    ring->checks = true;
    release(check, client);
    rt_buffer_free(ring, buffer);
}

static int32_t console_write(struct check *check, struct client *client)
{
    static char dots[CHUNK];

    for (unsigned i = 0; i < CHUNK; i++) {
        dots[i] = i % 64 == 63 ? '\n' : '.';
    }
    client_open(client, check->rt, check_held(check, "console"),
                (struct client_room){.request_bytes = 1024, .answer_bytes = 512});
    console_write_params_set_bytes(console_write_request(&client->call),
                                   (struct capn_data){(const uint8_t *)dots, CHUNK});
    (void)console_write_invoke(&client->call);
    return client->call.status;
}

/* The quota is for a second; after it there is as much again. */
static void log_bytes(struct check *check)
{
    struct client client;
    uint32_t chunks = 0;

    while (console_write(check, &client) == TRANSPORT_OK && chunks++ < CHUNKS_MAX) {
        (void)client_close(&client);
    }
    refused_by(check, &client, "logBytes", QUOTA_LOG, CHUNK);
    while (console_write(check, &client) != TRANSPORT_OK) {
        (void)client_close(&client);
        rt_sleep(check->rt, 50 * 1000 * 1000);
    }
    (void)client_close(&client);
}

/* A child gets no more than its parent has: each line that is asked too much is named. */
static void children(struct check *check)
{
    static const struct {
        struct manifest_quotas quotas;
        const char *ledger;
        uint64_t limit;
        uint64_t amount;
    } too_much[] = {
        {{.slots = QUOTA_SLOTS, .threads = 1}, "slots", QUOTA_SLOTS, QUOTA_SLOTS},
        {{.frames = QUOTA_FRAMES, .threads = 1}, "frames", QUOTA_FRAMES, QUOTA_FRAMES},
        {{.endpoint_queue = QUOTA_QUEUE + 1}, "endpointQueue", QUOTA_QUEUE, QUOTA_QUEUE + 1},
        {{.outstanding_calls = QUOTA_CALLS}, "outstandingCalls", QUOTA_CALLS, QUOTA_CALLS},
        {{.scratch_bytes = QUOTA_SCRATCH + 1}, "scratchBytes", QUOTA_SCRATCH, QUOTA_SCRATCH + 1},
        {{.threads = QUOTA_THREADS}, "threads", QUOTA_THREADS, QUOTA_THREADS},
        {{.log_bytes = QUOTA_LOG + 1}, "logBytes", QUOTA_LOG, QUOTA_LOG + 1},
        {{.grant_nodes = 1}, "grantNodes", 0, 1},
        {{.cpu_permille = 501}, "cpuPermille", 500, 501},
    };
    struct frame_allocator allocator = {.cap = check_held(check, "frame-allocator")};
    struct memory_quota before;
    struct memory_quota after;

    CHECK_EQUAL(check, memory_client_quota(check->rt, allocator, &before), TRANSPORT_OK);
    for (size_t i = 0; i < ARRAY_COUNT(too_much); i++) {
        const struct manifest_quotas *quotas = &too_much[i].quotas;
        struct process_spawn_request_builder request;
        struct authority_quotas_builder asked;
        struct client client;

        client_open(&client, check->rt, check_held(check, "process-spawner"), CLIENT_ROOM_SMALL);
        request =
            process_spawner_spawn_params_init_request(process_spawner_spawn_request(&client.call));
        process_spawn_request_set_name(request, (struct capn_text){"child", 5});
        asked = process_spawn_request_init_quotas(request);
        authority_quotas_set_slots(asked, quotas->slots);
        authority_quotas_set_frames(asked, quotas->frames);
        authority_quotas_set_endpoint_queue(asked, quotas->endpoint_queue);
        authority_quotas_set_outstanding_calls(asked, quotas->outstanding_calls);
        authority_quotas_set_scratch_bytes(asked, quotas->scratch_bytes);
        authority_quotas_set_threads(asked, quotas->threads);
        authority_quotas_set_log_bytes(asked, quotas->log_bytes);
        authority_quotas_set_grant_nodes(asked, quotas->grant_nodes);
        authority_quotas_set_cpu_permille(asked, quotas->cpu_permille);
        (void)process_spawner_spawn_invoke(&client.call);
        refused_by(check, &client, too_much[i].ledger, too_much[i].limit, too_much[i].amount);
    }
    CHECK_EQUAL(check, memory_client_quota(check->rt, allocator, &after), TRANSPORT_OK);
    CHECK_EQUAL(check, after.charged, before.charged);
    CHECK_EQUAL(check, after.limit, before.limit);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    const char *own = rt->start->process_name;

    if (string_matches(own, string_length(own, LIMIT_NAME_BYTES), "quota-ring")) {
        threads(&check, true);
        return check_end(&check);
    }
    queue(&check);
    badges(&check);
    for (unsigned round = 0; round < ROUNDS; round++) {
        slots(&check);
        frames(&check);
        scratch(&check);
        calls(&check);
        children(&check);
    }
    threads(&check, false);
    log_bytes(&check);
    return check_end(&check);
}
