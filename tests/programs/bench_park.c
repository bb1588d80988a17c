/* SPDX-License-Identifier: MIT */
/*
 * What waking and being woken costs: two sides hand a word to and fro. Each unparks the other and
 * parks itself in one submission of two entries. First two threads of this process, then this
 * process and one that it starts from its own binary, with the words in a memory object that both
 * map. As init; prints `bench NAME VALUE UNIT`.
 */
#include "abi/atomic.h"
#include "schema/generated/memory.capnp.h"
#include "schema/generated/process.capnp.h"
#include "schema/generated/thread.capnp.h"
#include "user/lib/memory.h"
#include "user/lib/process.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/call.h"
#include "user/rt/rt.h"

enum {
    BATCHES = 21,
    ROUNDS = 1000,
    PEER_FRAMES = 256,
};

/* One side's word: 1 while it has something to do. */
struct words {
    ALIGNED(64) uint32_t here;
    ALIGNED(64) uint32_t there;
    uint32_t over;
};

static struct words own;

NOINLINE void tally_begin(void);
NOINLINE void tally_end(void);

void tally_begin(void)
{
    __asm__ volatile("" : : : "memory");
}

void tally_end(void)
{
    __asm__ volatile("nop" : : : "memory");
}

/* One side's view: its word and the other's, and how the kernel is told of them. */
struct side {
    struct rt_ring *ring;
    struct words *words;
    uint32_t *mine;
    uint32_t *other;
    struct rt_turn turn;
};

/* `memory`: the object that the words begin; raw 0: they are the process's own. */
static struct side side_of(struct rt *rt, struct words *words, struct cap_id memory, bool is_here)
{
    struct side side = {.ring = &rt->ring,
                        .words = words,
                        .mine = is_here ? &words->here : &words->there,
                        .other = is_here ? &words->there : &words->here};
    uint64_t base = memory.raw == 0 ? 0 : (uintptr_t)words;

    side.turn = (struct rt_turn){.wake_cap = memory,
                                 .wake = (uintptr_t)side.other - base,
                                 .wait_cap = memory,
                                 .wait = (uintptr_t)side.mine - base};
    rt->ring.checks = false;
    return side;
}

/* Hands on to the other side, and waits until it hands back. */
static bool hand_on(const struct side *side)
{
    int32_t status;

    atomic_store_release_u32(side->mine, 0);
    atomic_store_release_u32(side->other, 1);
    status = rt_wake_and_wait(side->ring, &side->turn);
    return (status == 0 || status == TRANSPORT_CHANGED) && atomic_load_acquire_u32(side->mine) == 1;
}

static void answer(const struct side *side)
{
    while (atomic_load_acquire_u32(&side->words->over) == 0 && hand_on(side)) {
    }
}

static int other_thread(struct rt *rt, void *argument)
{
    struct side side = side_of(rt, &own, (struct cap_id){0}, false);

    (void)argument;
    answer(&side);
    return 0;
}

static uint64_t batch_run(const struct side *side)
{
    uint64_t start = rt_cycle_counter();

    for (unsigned i = 0; i < ROUNDS; i++) {
        if (!hand_on(side)) {
            return UINT64_MAX;
        }
    }
    return rt_cycle_counter() - start;
}

static bool measure(struct rt *rt, const struct side *side, const char *name)
{
    uint64_t least = UINT64_MAX;

    *side->mine = 1;
    for (unsigned batch = 0; batch < BATCHES; batch++) {
        uint64_t took = batch_run(side);

        if (took == UINT64_MAX) {
            return false;
        }
        least = took < least ? took : least;
    }
    tally_begin();
    (void)batch_run(side);
    tally_end();
    (void)rt_print(rt, "bench %s %llu instructions\n", name, (unsigned long long)(least / ROUNDS));
    (void)rt_print(rt, "tallied %s %u\n", name, ROUNDS);
    return true;
}

static bool threads_measure(struct rt *rt)
{
    static struct rt_thread_start begin = {.function = other_thread};
    struct side side = side_of(rt, &own, (struct cap_id){0}, true);
    struct thread_spawner spawner;

    return rt_find(rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &spawner.cap) ==
               TRANSPORT_OK &&
           thread_client_spawn(rt, spawner, &begin) == TRANSPORT_OK &&
           measure(rt, &side, "park_threads");
}

static struct words *words_map(struct rt *rt, struct memory_object object)
{
    struct memory_range range = {.bytes = LIMIT_PAGE_BYTES};
    struct virtual_memory memory;

    if (rt_find(rt, "virtual-memory", VIRTUAL_MEMORY_INTERFACE_ID, &memory.cap) != TRANSPORT_OK ||
        memory_client_map_object(rt, memory, (struct memory_part){.object = object},
                                 MEMORY_PROTECTION_READ_WRITE, &range) != TRANSPORT_OK) {
        return NULL;
    }
    return (struct words *)(uintptr_t)range.address;
}

/* Starts this binary again, with the object. */
static bool peer_start(struct rt *rt, struct memory_object object, struct process_handle *peer)
{
    struct process_grant grants[2] = {{.name = {"memory", 6}, .cap = object.cap},
                                      {.name = {"virtual-memory", 14}}};
    struct process_request request = {.name = {"peer", 4},
                                      .grants = grants,
                                      .grant_count = ARRAY_COUNT(grants),
                                      .quotas = {.slots = 8,
                                                 .frames = PEER_FRAMES,
                                                 .ring_bytes = RING_BYTES,
                                                 .outstanding_calls = 8,
                                                 .scratch_bytes = LIMIT_PAGE_BYTES,
                                                 .threads = 1},
                                      .scheduling = {.cpu_mask = UINT64_MAX}};
    struct process_spawner spawner;

    for (unsigned i = 0; i < ARRAY_COUNT(grants); i++) {
        grants[i].facet = MANIFEST_FACET_ALL;
        grants[i].mode = AUTHORITY_TRANSFER_MODE_NONE;
    }
    return rt_find(rt, "virtual-memory", VIRTUAL_MEMORY_INTERFACE_ID, &grants[1].cap) ==
               TRANSPORT_OK &&
           rt_find(rt, "process-spawner", PROCESS_SPAWNER_INTERFACE_ID, &spawner.cap) ==
               TRANSPORT_OK &&
           process_client_spawn(rt, spawner, &request, peer) == TRANSPORT_OK;
}

static bool processes_measure(struct rt *rt)
{
    struct frame_allocator allocator;
    struct memory_object object;
    struct process_handle peer;
    struct process_end end;
    struct words *words;
    struct side side;
    struct sqe wake = {.opcode = OPCODE_UNPARK, .value = 1};
    struct cqe completion;

    if (rt_find(rt, "frame-allocator", FRAME_ALLOCATOR_INTERFACE_ID, &allocator.cap) !=
            TRANSPORT_OK ||
        memory_client_allocate(rt, allocator, LIMIT_PAGE_BYTES, &object) != TRANSPORT_OK) {
        return false;
    }
    words = words_map(rt, object);
    if (words == NULL || !peer_start(rt, object, &peer)) {
        return false;
    }
    side = side_of(rt, words, object.cap, true);
    if (!measure(rt, &side, "park_pingpong")) {
        return false;
    }
    atomic_store_release_u32(&words->over, 1);
    atomic_store_release_u32(side.other, 1);
    wake.cap = object.cap;
    wake.address = side.turn.wake;
    return rt_ring_do(&rt->ring, &wake, &completion) == TRANSPORT_OK && completion.result == 1 &&
           process_client_wait(rt, peer, &end) == TRANSPORT_OK && end.code == 0;
}

static int peer_run(struct rt *rt)
{
    struct memory_object object;
    struct words *words;
    struct side side;

    if (rt_find(rt, "memory", MEMORY_OBJECT_INTERFACE_ID, &object.cap) != TRANSPORT_OK) {
        return 1;
    }
    words = words_map(rt, object);
    if (words == NULL) {
        return 2;
    }
    side = side_of(rt, words, object.cap, false);
    answer(&side);
    return 0;
}

int main(struct rt *rt)
{
    if (rt_name_is(rt, "peer")) {
        return peer_run(rt);
    }
    return threads_measure(rt) && processes_measure(rt) ? 0 : 1;
}
