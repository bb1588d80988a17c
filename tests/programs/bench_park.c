/* SPDX-License-Identifier: MIT */
/*
 * What waking and being woken costs: two threads of one process hand a word to and fro. Each side
 * unparks the other and parks itself in one submission of two entries. As init; prints
 * `bench NAME VALUE UNIT`.
 */
#include "abi/atomic.h"
#include "schema/generated/thread.capnp.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/rt.h"
#include "user/rt/syscall.h"

enum {
    BATCHES = 21,
    ROUNDS = 1000,
};

/* One side's word: 1 while it has something to do. */
static ALIGNED(64) uint32_t here;
static ALIGNED(64) uint32_t there;
static uint32_t over;

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

/* Hands on to `other`, and waits until `own` is handed back. */
static bool hand_on(struct rt_ring *ring, uint32_t *own, uint32_t *other)
{
    struct sqe *wake = rt_ring_place(ring, 0);
    struct sqe *wait = rt_ring_place(ring, 1);

    atomic_store_release_u32(own, 0);
    atomic_store_release_u32(other, 1);
    *wake = (struct sqe){
        .opcode = OPCODE_UNPARK, .user_data = RT_RING_OWN, .address = (uintptr_t)other, .value = 1};
    *wait = (struct sqe){.opcode = OPCODE_PARK,
                         .user_data = RT_RING_OWN,
                         .address = (uintptr_t)own,
                         .timeout_ns = TIMEOUT_NONE};
    rt_ring_push(ring, 2);
    while (rt_ring_ready(ring) < 2) {
        if (rt_syscall_cap_enter(2, TIMEOUT_NONE) < 0) {
            return false;
        }
    }
    rt_ring_taken(ring, 2);
    return atomic_load_acquire_u32(own) == 1;
}

static int other_side(struct rt *rt, void *argument)
{
    (void)argument;
    rt->ring.checks = false;
    while (atomic_load_acquire_u32(&over) == 0) {
        if (!hand_on(&rt->ring, &there, &here)) {
            break;
        }
    }
    return 0;
}

static uint64_t batch_run(struct rt *rt)
{
    uint64_t start = rt_cycle_counter();

    for (unsigned i = 0; i < ROUNDS; i++) {
        if (!hand_on(&rt->ring, &here, &there)) {
            return UINT64_MAX;
        }
    }
    return rt_cycle_counter() - start;
}

int main(struct rt *rt)
{
    static struct rt_thread_start begin = {.function = other_side};
    struct thread_spawner spawner;
    uint64_t least = UINT64_MAX;

    if (rt_find(rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &spawner.cap) != TRANSPORT_OK ||
        thread_client_spawn(rt, spawner, &begin) != TRANSPORT_OK) {
        return 1;
    }
    rt->ring.checks = false;
    here = 1;
    for (unsigned batch = 0; batch < BATCHES; batch++) {
        uint64_t took = batch_run(rt);

        if (took == UINT64_MAX) {
            return 2;
        }
        least = took < least ? took : least;
    }
    tally_begin();
    (void)batch_run(rt);
    tally_end();
    (void)rt_print(rt, "bench park_pingpong %llu instructions\n",
                   (unsigned long long)(least / ROUNDS));
    (void)rt_print(rt, "tallied park_pingpong %u\n", ROUNDS);
    return 0;
}
