/* SPDX-License-Identifier: MIT */
/* Rounds. */
#include "tests/programs/support/rounds.h"

#include "abi/atomic.h"
#include "tests/programs/support/giving.h"
#include "user/rt/cap.h"

void thread_start(struct check *check, struct rt_thread_start *begin, rt_thread_function function)
{
    struct thread_spawner threads = {check_held(check, "thread-spawner")};

    *begin = (struct rt_thread_start){.function = function};
    CHECK_EQUAL(check, thread_client_spawn(check->rt, threads, begin), TRANSPORT_OK);
}

void wait_until(struct rt *rt, const uint64_t *word, uint64_t value)
{
    while (atomic_load_acquire_u64(word) < value) {
        rt_sleep(rt, 1000);
    }
}

/* One that is lent to the other thread and revoked. */
static void round_revoked(struct check *check, struct rounds *rounds, uint64_t round,
                          uint64_t calls)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_delegated made;

    CHECK_EQUAL(check, rt_delegate(ring, check_held(check, "null"), RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    atomic_store_release_u64(&rounds->cap, made.cap.raw);
    atomic_store_release_u64(&rounds->round, round);
    for (uint64_t i = 0; i < calls; i++) {
        CHECK_EQUAL(check, giving_call(check->rt, made.cap, 0), TRANSPORT_OK);
    }
    CHECK(check, rt_revoke(ring, made.handle, NULL, NULL) >= 1);
    atomic_store_release_u64(&rounds->dead, round);
    wait_until(check->rt, &rounds->done, round);
    giving_release(check, made.cap);
    giving_release(check, made.handle);
}

void rounds_revoked(struct check *check, struct rounds *rounds, const struct rounds_plan *plan)
{
    thread_start(check, &rounds->begin, plan->other);
    for (uint64_t round = 1; round <= plan->count; round++) {
        round_revoked(check, rounds, round, round * plan->step % plan->below);
    }
    CHECK_EQUAL(check, rounds->failed, 0);
}
