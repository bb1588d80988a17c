/* SPDX-License-Identifier: MIT */
/*
 * What another thread takes away at any moment. The process's name in the manifest says what:
 *
 *   vanish        the result buffer of a call whose answer carries a capability. Either the call is
 *                 refused, and then nothing was given; or it is complete: the answer lies in the
 *                 memory that was mapped, and the caller holds one capability more. The buffer is a
 *                 page of a MemoryObject, so that what was written can be read in any case.
 *   vanish-call   a call that is cancelled while it is answered. Either CANCEL finds it, and the
 *                 call completes CANCELLED; or it does not, and the call was answered.
 *
 * Needs "endpoint-factory", "frame-allocator", "thread-spawner", "virtual-memory".
 */
#include "abi/atomic.h"
#include "schema/generated/endpoint.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/lib/memory.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/call.h"
#include "user/rt/cap.h"
#include "user/rt/syscall.h"

enum {
    ROUNDS = 100,
    ROOM = 512,
    SLOTS = 64,
    POLL_NS = 100 * 1000,
    STEPS = 40, /* of a little time more for whoever answers */
    STEP_NS = 500,
};

struct bench {
    struct check *check;
    struct rt *rt;
    struct memory_object object;
    struct virtual_memory memory;
    struct memory_range page; /* where the object is mapped, when it is */
    struct sqe create;        /* EndpointFactory.create into that page */
    struct endpoint_owner owner;
    uint32_t stop;  /* atomic */
    uint32_t hold;  /* atomic: calls are not answered while it is 1 */
    uint32_t ended; /* atomic */
    unsigned refused;
    unsigned complete;
};

/* The other thread. */
static int mapper(struct rt *rt, void *argument)
{
    struct bench *bench = argument;
    const struct memory_part part = {.object = bench->object};

    while (atomic_load_acquire_u32(&bench->stop) == 0) {
        (void)memory_client_unmap(rt, bench->memory, bench->page);
        (void)memory_client_map_object(rt, bench->memory, part, MEMORY_PROTECTION_READ_WRITE,
                                       &bench->page);
    }
    atomic_store_release_u32(&bench->ended, 1);
    return 0;
}

static void message_build(struct bench *bench)
{
    struct rt_buffer copy = rt_buffer_alloc(&bench->rt->ring, ROOM);
    struct endpoint_limits_builder limits;
    struct client client;

    client_open(&client, bench->rt, check_held(bench->check, "endpoint-factory"),
                CLIENT_ROOM_SMALL);
    limits =
        endpoint_factory_create_params_init_limits(endpoint_factory_create_request(&client.call));
    endpoint_limits_set_message_bytes(limits, 64);
    endpoint_limits_set_capabilities(limits, 1);
    endpoint_limits_set_queue_length(limits, 1);
    bench->create =
        (struct sqe){.opcode = OPCODE_CALL,
                     .method = ENDPOINT_FACTORY_METHOD_CREATE,
                     .cap = check_held(bench->check, "endpoint-factory"),
                     .interface_id = ENDPOINT_FACTORY_INTERFACE_ID,
                     .message = (uintptr_t)copy.bytes,
                     .message_bytes = client.call.request_segment.used_words * CAPN_WORD_BYTES,
                     .result = bench->page.address,
                     .result_bytes = ROOM};
    memcpy(copy.bytes, client.request.bytes, bench->create.message_bytes);
    CHECK_EQUAL(bench->check, client_close(&client), TRANSPORT_OK);
}

/* Releases the endpoints that the process owns; how many there were. */
static unsigned endpoints_release(struct bench *bench)
{
    struct rt_ring *ring = &bench->rt->ring;
    unsigned count = 0;

    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        struct cap_id id;

        if (rt_token(ring, LIMIT_DESCRIPTORS + slot, ENDPOINT_INTERFACE_ID, &id) == TRANSPORT_OK) {
            CHECK_EQUAL(bench->check, rt_release(ring, id), TRANSPORT_OK);
            count++;
        }
    }
    return count;
}

static void one_round(struct bench *bench)
{
    static const uint8_t zeros[64];
    uint8_t first[8];
    unsigned written = 0;
    struct cqe completion;

    CHECK_EQUAL(
        bench->check,
        memory_client_write(bench->rt, bench->object, 0, (struct capn_data){zeros, sizeof(zeros)}),
        TRANSPORT_OK);
    completion = check_done(bench->check, &bench->rt->ring, &bench->create);
    CHECK_EQUAL(bench->check, memory_client_read(bench->rt, bench->object, 0, first, sizeof(first)),
                TRANSPORT_OK);
    for (unsigned i = 0; i < sizeof(first); i++) {
        written += first[i] != 0;
    }
    if (completion.result == TRANSPORT_BAD_BUFFER) {
        bench->refused++;
        CHECK_EQUAL(bench->check, completion.refusal.argument, ARGUMENT_RESULT);
        CHECK_EQUAL(bench->check, endpoints_release(bench), 0);
        return;
    }
    bench->complete++;
    CHECK(bench->check, completion.result > 0);
    CHECK_EQUAL(bench->check, completion.flags, UINT32_C(1) << CQE_CAPS_SHIFT);
    CHECK(bench->check, written != 0);
    CHECK_EQUAL(bench->check, endpoints_release(bench), 1);
}

static void buffer_vanishes(struct bench *bench)
{
    struct rt *rt = bench->rt;
    const struct rt_thread_start begin = {.function = mapper, .argument = bench};
    struct frame_allocator allocator = {.cap = check_held(bench->check, "frame-allocator")};
    struct thread_spawner spawner = {.cap = check_held(bench->check, "thread-spawner")};

    bench->memory.cap = check_held(bench->check, "virtual-memory");
    CHECK_EQUAL(bench->check,
                memory_client_allocate(rt, allocator, LIMIT_PAGE_BYTES, &bench->object),
                TRANSPORT_OK);
    bench->page.bytes = LIMIT_PAGE_BYTES;
    CHECK_EQUAL(bench->check,
                memory_client_map_object(rt, bench->memory,
                                         (struct memory_part){.object = bench->object},
                                         MEMORY_PROTECTION_READ_WRITE, &bench->page),
                TRANSPORT_OK);
    message_build(bench);
    CHECK_EQUAL(bench->check, thread_client_spawn(rt, spawner, &begin), TRANSPORT_OK);
    for (unsigned i = 0; i < ROUNDS; i++) {
        one_round(bench);
    }
    atomic_store_release_u32(&bench->stop, 1);
    while (atomic_load_acquire_u32(&bench->ended) == 0) {
        rt_sleep(rt, POLL_NS);
    }
}

/* ---- a call that is cancelled ---------------------------------------------------------------- */

/* The other thread: receives and answers until the last owner edge goes. */
static int server(struct rt *rt, void *argument)
{
    struct bench *bench = argument;
    struct rt_buffer inbox = rt_buffer_alloc(&rt->ring, ROOM);
    const struct endpoint_message *head = (const void *)inbox.bytes;

    for (;;) {
        struct sqe entry = {.opcode = OPCODE_RECV,
                            .cap = bench->owner.cap,
                            .result = (uintptr_t)inbox.bytes,
                            .result_bytes = ROOM};
        struct cqe completion;

        if (rt_ring_do(&rt->ring, &entry, &completion) != TRANSPORT_OK || completion.result < 0) {
            break;
        }
        while (atomic_load_acquire_u32(&bench->hold) != 0) {
            rt_sleep(rt, POLL_NS);
        }
        entry = (struct sqe){.opcode = OPCODE_RETURN,
                             .cap = bench->owner.cap,
                             .token = head->token,
                             .message = (uintptr_t)inbox.bytes};
        (void)!rt_ring_do(&rt->ring, &entry, &completion);
    }
    atomic_store_release_u32(&bench->ended, 1);
    return 0;
}

/* `wait_ns`: how long the server has before the call is cancelled. */
static void cancel_round(struct bench *bench, const struct sqe *entry, uint64_t wait_ns)
{
    struct rt_ring *ring = &bench->rt->ring;
    struct rt_operation call = check_submit(bench->check, ring, entry);
    int32_t cancelled;
    struct cqe completion;

    CHECK_EQUAL(bench->check, rt_ring_enter(ring, 1, wait_ns), TRANSPORT_OK);
    cancelled = rt_cancel(ring, call);
    completion = check_completion(bench->check, ring, call);
    CHECK_EQUAL(bench->check, cancelled,
                completion.result == TRANSPORT_CANCELLED ? TRANSPORT_OK : TRANSPORT_NOT_FOUND);
    if (completion.result != TRANSPORT_CANCELLED) {
        CHECK_EQUAL(bench->check, completion.result, 0);
    }
    *(completion.result == 0 ? &bench->complete : &bench->refused) += 1;
}

/* The call as the last of a batch, to a server that may wait for it: who waits for nothing goes on
 * before it is answered, who waits for it gets it. */
static void batch_round(struct bench *bench, const struct sqe *entry)
{
    struct rt_ring *ring = &bench->rt->ring;
    const struct sqe nop = {.opcode = OPCODE_NOP};

    for (unsigned waits = 0; waits < 2; waits++) {
        struct rt_operation first;
        struct rt_operation call;

        rt_sleep(bench->rt, POLL_NS); /* so that the server receives */
        atomic_store_release_u32(&bench->hold, waits == 0);
        first = check_submit(bench->check, ring, &nop);
        call = check_submit(bench->check, ring, entry);
        CHECK(bench->check, rt_syscall_cap_enter(waits == 0 ? 0 : 2, TIMEOUT_NONE) >= 0);
        atomic_store_release_u32(&bench->hold, 0);
        CHECK_EQUAL(bench->check, check_completion(bench->check, ring, first).result, 0);
        CHECK_EQUAL(bench->check, check_completion(bench->check, ring, call).result, 0);
    }
}

static void call_vanishes(struct bench *bench)
{
    const struct manifest_export limits = {
        .message_bytes = 64, .capabilities = 1, .queue_length = 4};
    const struct endpoint_session session = {
        .interface_id = 1, .facet = RT_FACET_SAME, .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    const struct rt_thread_start begin = {.function = server, .argument = bench};
    struct endpoint_factory factory = {.cap = check_held(bench->check, "endpoint-factory")};
    struct thread_spawner spawner = {.cap = check_held(bench->check, "thread-spawner")};
    struct rt_buffer buffer = rt_buffer_alloc(&bench->rt->ring, ROOM);
    struct sqe entry = {.opcode = OPCODE_CALL,
                        .interface_id = 1,
                        .message = (uintptr_t)buffer.bytes,
                        .result = (uintptr_t)buffer.bytes,
                        .result_bytes = ROOM};

    CHECK_EQUAL(bench->check, endpoint_client_create(bench->rt, factory, &limits, &bench->owner),
                TRANSPORT_OK);
    CHECK_EQUAL(bench->check, endpoint_client_mint(bench->rt, bench->owner, &session, &entry.cap),
                TRANSPORT_OK);
    CHECK_EQUAL(bench->check, thread_client_spawn(bench->rt, spawner, &begin), TRANSPORT_OK);
    for (unsigned i = 0; i < 4 * ROUNDS; i++) {
        cancel_round(bench, &entry, i % STEPS * STEP_NS);
    }
    for (unsigned i = 0; i < STEPS; i++) {
        batch_round(bench, &entry);
    }
    CHECK_EQUAL(bench->check, rt_release(&bench->rt->ring, bench->owner.cap), TRANSPORT_OK);
    while (atomic_load_acquire_u32(&bench->ended) == 0) {
        rt_sleep(bench->rt, POLL_NS);
    }
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct bench bench = {.check = &check, .rt = rt};

    rt->ring.checks = false; /* a result lies outside the arena */
    if (rt_name_is(rt, "vanish")) {
        buffer_vanishes(&bench);
    } else {
        call_vanishes(&bench);
    }
    (void)rt_print(rt, "%.32s: %u calls refused, %u complete\n", rt->start->process_name,
                   bench.refused, bench.complete);
    return check_end(&check);
}
