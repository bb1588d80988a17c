/* SPDX-License-Identifier: MIT */
/*
 * A sibling thread writes into the ring while the first thread submits through it: entries, results
 * and messages change under the kernel's eyes, and at last the indices do. Nothing here has a right
 * outcome but one: the kernel stands, and the process can still end. Needs "thread-spawner".
 */
#include "abi/atomic.h"
#include "schema/generated/console.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/thread_spawner.h"
#include "user/rt/call.h"
#include "user/rt/clock.h"

enum {
    ROUNDS = 3000,
    SCRIBBLES_PER_LOOK = 64,
};

/* What the sibling may spoil, from `base` on. */
struct victim {
    struct rt_thread_start begin;
    volatile uint64_t *base;
    uint64_t words; /* atomic: 0 ends the sibling */
    uint32_t begun; /* atomic: the first thread is done with calls that it must understand */
    uint32_t ended; /* atomic */
};

static struct victim victim;

static int scribbler(struct rt *rt, void *argument)
{
    struct victim *target = argument;
    uint64_t random = rt->start->random_seed[0] | 1;
    uint64_t words;

    while (atomic_load_acquire_u32(&target->begun) == 0) {
        rt_cpu_pause();
    }
    while ((words = atomic_load_acquire_u64(&target->words)) != 0) {
        for (unsigned i = 0; i < SCRIBBLES_PER_LOOK; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            target->base[(random >> 20) % words] = random;
        }
    }
    atomic_store_release_u32(&target->ended, 1);
    return 0;
}

/* Submits calls and no-ops by hand, for the client would not survive what happens to its ring. */
static unsigned rounds(struct rt *rt, unsigned count)
{
    struct rt_ring *ring = &rt->ring;
    unsigned corrupt = 0;

    for (unsigned round = 0; round < count && corrupt == 0; round++) {
        for (unsigned i = 0; i < LIMIT_SQ_ENTRIES / 2; i++) {
            ring->submissions[ring->tail % LIMIT_SQ_ENTRIES] = (struct sqe){
                .opcode = i % 2 == 0 ? OPCODE_NOP : OPCODE_CALL,
                .cap = i % 2 == 0 ? (struct cap_id){.raw = 0} : rt->console,
            };
            ring->tail++;
        }
        ring_publish(&ring->header->sq_tail, ring->tail);
        corrupt += rt_syscall_cap_enter(0, 0) == TRANSPORT_RING_CORRUPT;
        ring->head = ring_load_peer(&ring->header->cq_tail);
        ring_publish(&ring->header->cq_head, ring->head);
    }
    return corrupt;
}

int main(struct rt *rt)
{
    struct thread_spawner spawner;

    victim.begin = (struct rt_thread_start){.function = scribbler, .argument = &victim};
    victim.base = (volatile uint64_t *)rt->ring.submissions;
    victim.words = (RING_BYTES - RING_SQ_OFFSET) / sizeof(uint64_t);
    if (rt_find(rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &spawner.cap) != TRANSPORT_OK ||
        thread_client_spawn(rt, spawner, &victim.begin) != TRANSPORT_OK) {
        return 1;
    }
    atomic_store_release_u32(&victim.begun, 1);
    if (rounds(rt, ROUNDS) != 0) {
        return 2; /* the indices were not touched: the ring must not have failed */
    }
    victim.base = (volatile uint64_t *)rt->ring.header;
    atomic_store_release_u64(&victim.words, RING_BYTES / sizeof(uint64_t));
    (void)rounds(rt, ROUNDS);
    atomic_store_release_u64(&victim.words, 0);
    for (unsigned i = 0; i < ROUNDS && atomic_load_acquire_u32(&victim.ended) == 0; i++) {
        (void)rt_syscall_cap_enter(1, 1000000); /* RING_CORRUPT at once, once it is */
        rt_cpu_pause();
    }
    return 0;
}
