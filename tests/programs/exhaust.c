/* SPDX-License-Identifier: MIT */
/*
 * Using up what is limited: each limit is met with its own error, nothing that was there before is
 * harmed, and what is given back can be had again. By its name in the manifest:
 *
 *   exhaust-slots        capability slots, by endpoints
 *   exhaust-operations   operations under way, by receives that nobody answers
 *   exhaust-arena        the ring's arena
 *   exhaust-frames       the machine's memory; spawns and threads are refused meanwhile, and spawns
 *                        work afterwards
 *
 * Needs "endpoint-factory", "virtual-memory", "process-spawner", "null" and, to use up memory,
 * "thread-spawner".
 */
#include "schema/generated/exception.capnp.h"
#include "tests/programs/support/giving.h"
#include "user/lib/endpoint.h"
#include "user/lib/memory.h"
#include "user/lib/process.h"
#include "user/lib/thread_spawner.h"

enum {
    ROUNDS = 3,
    PAGES = 16,
    BINARY_QUIET = 1, /* spin, which as "quiet" only sleeps for a while */
    MESSAGE_BYTES = 4096,
    WAITS = 10000,
    WAIT_NS = 100 * 1000,
};

#define PLACE UINT64_C(0x0000300000000000)
#define BYTES ((uint64_t)PAGES * LIMIT_PAGE_BYTES)

/* A call that must work whatever is used up. */
static void null_works(struct check *check)
{
    CHECK_EQUAL(check, giving_ask(check->rt, check_held(check, "null")), TRANSPORT_OK);
}

static int32_t endpoint_make(struct check *check, struct endpoint_owner *owner)
{
    struct endpoint_factory factory = {.cap = check_held(check, "endpoint-factory")};
    struct manifest_export limits = {.message_bytes = MESSAGE_BYTES, .queue_length = 1};

    return endpoint_client_create(check->rt, factory, &limits, owner);
}

static void slots(struct check *check)
{
    static struct endpoint_owner owners[LIMIT_TABLE_SLOTS];
    uint32_t most = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t count = 0;
        int32_t outcome = TRANSPORT_OK;

        while (outcome == TRANSPORT_OK && count < LIMIT_TABLE_SLOTS) {
            outcome = endpoint_make(check, &owners[count]);
            count += outcome == TRANSPORT_OK;
        }
        CHECK_EQUAL(check, outcome, TRANSPORT_LIMIT);
        CHECK(check, count > 8 && (round == 0 || count == most));
        most = count;
        /* A call whose answer brings no capability needs no slot. */
        CHECK(check, rt_print(check->rt, "exhaust-slots: %u more than the table holds\n", 1U) >= 0);
        for (uint32_t i = 0; i < count; i++) {
            CHECK_EQUAL(check, rt_release(&check->rt->ring, owners[i].cap), TRANSPORT_OK);
        }
        null_works(check);
    }
}

static void operations(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_buffer inbox = rt_buffer_alloc(ring, RT_RECEIVE_BYTES(MESSAGE_BYTES));
    struct rt_operation operation[LIMIT_OPERATIONS];
    struct endpoint_owner owner;
    struct cqe completion;
    struct sqe entry;

    CHECK_EQUAL(check, endpoint_make(check, &owner), TRANSPORT_OK);
    entry = (struct sqe){.opcode = OPCODE_RECV,
                         .cap = owner.cap,
                         .result = (uint64_t)(uintptr_t)inbox.bytes,
                         .result_bytes = inbox.size};
    ring->checks = false; /* one buffer for all of them: none is ever written */
    for (unsigned i = 0; i < LIMIT_OPERATIONS; i++) {
        CHECK_EQUAL(check, rt_ring_submit(ring, &entry, &operation[i]), TRANSPORT_OK);
        CHECK_EQUAL(check, rt_ring_enter(ring, 0, 0), TRANSPORT_OK);
        CHECK(check, !rt_ring_poll(ring, operation[i], &completion));
    }
    CHECK_EQUAL(check, rt_ring_do(ring, &entry, &completion), TRANSPORT_OK);
    CHECK_EQUAL(check, completion.result, TRANSPORT_LIMIT);
    CHECK_EQUAL(check, completion.refusal.limit, LIMIT_OPERATIONS);
    null_works(check);
    /* The owner's end answers all of them, and the operations can be had again. */
    CHECK_EQUAL(check, rt_release(ring, owner.cap), TRANSPORT_OK);
    for (unsigned i = 0; i < LIMIT_OPERATIONS; i++) {
        CHECK_EQUAL(check, rt_ring_wait(ring, operation[i], TIMEOUT_NONE, &completion),
                    TRANSPORT_OK);
        CHECK_EQUAL(check, completion.result, TRANSPORT_PEER_GONE);
    }
    null_works(check);
}

static void arena(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_buffer all = rt_buffer_alloc(ring, LIMIT_ARENA_BYTES);

    CHECK(check, all.bytes != NULL);
    CHECK_EQUAL(check, giving_ask(check->rt, check_held(check, "null")), TRANSPORT_LIMIT);
    rt_buffer_free(ring, all);
    null_works(check);
}

static int32_t spawn(struct check *check, struct process_handle *handle)
{
    struct process_spawner spawner = {.cap = check_held(check, "process-spawner")};
    struct process_request request = {
        .name = {"quiet", 5},
        .boot_binary = BINARY_QUIET,
        .quotas = check_quotas(),
        .scheduling = {.cpu_mask = UINT64_MAX},
    };

    return process_client_spawn(check->rt, spawner, &request, handle);
}

/* A spawn that works, to its end. */
static void spawn_works(struct check *check)
{
    struct process_handle handle;
    struct process_end end;

    CHECK_EQUAL(check, spawn(check, &handle), TRANSPORT_OK);
    CHECK_EQUAL(check, process_client_wait(check->rt, handle, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, end.kind, PROCESS_EXIT_KIND_EXITED);
    CHECK_EQUAL(check, rt_release(&check->rt->ring, handle.cap), TRANSPORT_OK);
}

static int never_runs(struct rt *rt, void *argument)
{
    (void)rt;
    (void)argument;
    return 0;
}

/* A thread that cannot be built gives back what was built of it. With the memory of `last` free
 * there is enough to begin with and too little to end; what is given back comes a little later. */
static void threads_refused(struct check *check, struct memory_range last)
{
    const struct rt_thread_start begin = {.function = never_runs};
    struct thread_spawner spawner = {.cap = check_held(check, "thread-spawner")};
    struct virtual_memory memory = {.cap = check_held(check, "virtual-memory")};

    for (unsigned i = 0; i < ROUNDS; i++) {
        int32_t outcome = EXCEPTION_REASON_QUOTA_EXCEEDED;

        CHECK_EQUAL(check, memory_client_unmap(check->rt, memory, last), TRANSPORT_OK);
        CHECK_EQUAL(check, thread_client_spawn(check->rt, spawner, &begin),
                    EXCEPTION_REASON_QUOTA_EXCEEDED);
        for (unsigned wait = 0; wait < WAITS && outcome != TRANSPORT_OK; wait++) {
            rt_sleep(check->rt, WAIT_NS);
            outcome = memory_client_map(check->rt, memory, MEMORY_PROTECTION_READ_WRITE, &last);
        }
        CHECK_EQUAL(check, outcome, TRANSPORT_OK);
    }
}

static void frames(struct check *check)
{
    struct virtual_memory memory = {.cap = check_held(check, "virtual-memory")};
    struct process_handle handle;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t mapped = 0;
        int32_t outcome = TRANSPORT_OK;

        spawn_works(check);
        while (outcome == TRANSPORT_OK) {
            struct memory_range range = {.address = PLACE + mapped, .bytes = BYTES};

            outcome = memory_client_map(check->rt, memory, MEMORY_PROTECTION_READ_WRITE, &range);
            mapped += outcome == TRANSPORT_OK ? BYTES : 0;
        }
        CHECK_EQUAL(check, outcome, EXCEPTION_REASON_QUOTA_EXCEEDED);
        CHECK(check, mapped > BYTES);
        CHECK_EQUAL(check, spawn(check, &handle), EXCEPTION_REASON_QUOTA_EXCEEDED);
        threads_refused(check, (struct memory_range){PLACE + mapped - BYTES, BYTES});
        null_works(check);
        for (uint64_t offset = 0; offset < mapped; offset += BYTES) {
            CHECK_EQUAL(check,
                        memory_client_unmap(check->rt, memory,
                                            (struct memory_range){PLACE + offset, BYTES}),
                        TRANSPORT_OK);
        }
    }
    spawn_works(check);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    if (rt_name_is(rt, "exhaust-slots")) {
        slots(&check);
    } else if (rt_name_is(rt, "exhaust-operations")) {
        operations(&check);
    } else if (rt_name_is(rt, "exhaust-arena")) {
        arena(&check);
    } else {
        frames(&check);
    }
    return check_end(&check);
}
