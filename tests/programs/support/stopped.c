/* SPDX-License-Identifier: MIT */
/* Jumps of the clock. */
#include "tests/programs/support/stopped.h"

#include "user/rt/clock.h"

enum {
    JUMP_NS =
        1000 * 1000, /* more than an interrupt or a job takes, less than a period or a budget */
};

uint64_t stopped_ns(const struct rt *rt, uint64_t total_ns)
{
    uint64_t start = clock_now_ns(rt->start);
    uint64_t before = start;
    uint64_t stopped = 0;

    while (before - start < total_ns) {
        uint64_t now = clock_now_ns(rt->start);

        stopped += now - before > JUMP_NS ? now - before : 0;
        before = now;
    }
    return stopped;
}
