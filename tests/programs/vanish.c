/* SPDX-License-Identifier: MIT */
/*
 * A call whose result buffer may be unmapped by another thread at any moment, and whose answer
 * carries a capability. Either the call is refused, and then nothing was given; or it is complete:
 * the answer lies in the memory that was mapped, and the caller holds one capability more.
 *
 * The buffer is a page of a MemoryObject, so that what was written can be read in any case. Needs
 * "endpoint-factory", "frame-allocator", "thread-spawner", "virtual-memory".
 */
#include "abi/atomic.h"
#include "schema/generated/endpoint.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/memory.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/cap.h"

enum {
    ROUNDS = 100,
    ROOM = 512,
    SLOTS = 64,
    POLL_NS = 100 * 1000,
};

struct bench {
    struct check *check;
    struct rt *rt;
    struct memory_object object;
    struct virtual_memory memory;
    struct memory_range page; /* where the object is mapped, when it is */
    struct sqe create;        /* EndpointFactory.create into that page */
    uint32_t stop;            /* atomic */
    uint32_t ended;           /* atomic */
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

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct bench bench = {.check = &check, .rt = rt};
    const struct rt_thread_start begin = {.function = mapper, .argument = &bench};
    struct frame_allocator allocator = {.cap = check_held(&check, "frame-allocator")};
    struct thread_spawner spawner = {.cap = check_held(&check, "thread-spawner")};

    rt->ring.checks = false; /* the result lies outside the arena */
    bench.memory.cap = check_held(&check, "virtual-memory");
    CHECK_EQUAL(&check, memory_client_allocate(rt, allocator, LIMIT_PAGE_BYTES, &bench.object),
                TRANSPORT_OK);
    bench.page.bytes = LIMIT_PAGE_BYTES;
    CHECK_EQUAL(&check,
                memory_client_map_object(rt, bench.memory,
                                         (struct memory_part){.object = bench.object},
                                         MEMORY_PROTECTION_READ_WRITE, &bench.page),
                TRANSPORT_OK);
    message_build(&bench);
    CHECK_EQUAL(&check, thread_client_spawn(rt, spawner, &begin), TRANSPORT_OK);
    for (unsigned i = 0; i < ROUNDS; i++) {
        one_round(&bench);
    }
    atomic_store_release_u32(&bench.stop, 1);
    while (atomic_load_acquire_u32(&bench.ended) == 0) {
        rt_sleep(rt, POLL_NS);
    }
    (void)rt_print(rt, "vanish: %u calls refused, %u complete\n", bench.refused, bench.complete);
    return check_end(&check);
}
