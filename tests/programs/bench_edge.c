/* SPDX-License-Identifier: MIT */
/*
 * Measures the kernel's edge, as init: how long the machine took to get here and what an empty
 * cap_enter costs. Prints `bench NAME VALUE UNIT`; one cycle is one instruction on the
 * deterministic clock of the scene that reads it.
 */
#include "user/rt/rt.h"
#include "user/rt/syscall.h"

enum {
    BATCHES = 21,
    ROUNDS = 1000,
};

/* The least of BATCHES batches, for each round of a batch. */
static uint64_t null_enter(void)
{
    uint64_t least = UINT64_MAX;

    for (unsigned batch = 0; batch < BATCHES; batch++) {
        uint64_t start = rt_cycle_counter();
        uint64_t took;

        for (unsigned i = 0; i < ROUNDS; i++) {
            (void)rt_syscall_cap_enter(0, 0);
        }
        took = (rt_cycle_counter() - start) / ROUNDS;
        least = took < least ? took : least;
    }
    return least;
}

int main(struct rt *rt)
{
    uint64_t now = rt_cycle_counter() - rt->start->clock_start;

    (void)rt_print(rt, "bench boot_first_user %llu instructions\n", (unsigned long long)now);
    (void)rt_print(rt, "bench null_enter %llu instructions\n", (unsigned long long)null_enter());
    return 0;
}
