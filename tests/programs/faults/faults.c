/* SPDX-License-Identifier: MIT */
/*
 * Faults told to an endpoint. The parent ("handler") spawns children that fault, each in the way of
 * its name, and decides what becomes of them:
 *
 *   mended    one thread writes to reserved pages; the parent has the child's other thread put
 *             memory there and lets the first try again
 *   reads, breaks, divides, undefined
 *             one instruction; resumed it tries again, or is past it
 *   later     as reads, after a while
 *   halves    a thread of two faults and is ended alone
 *   asks      does not fault: its call is answered beside a fault
 *   keeper    a handler of another's faults, which leaves, or faults itself, with one unanswered
 *
 * and what becomes of them without a word: the endpoint goes, its queue is full, an edge is
 * revoked, the answer is no answer, the child is killed while it is stopped. As "flood" it spawns
 * more of them, without a handler, than are reported.
 */
#include "tests/programs/faults/faults.h"

enum {
    FLOOD = 70, /* children of "flood" that fault at once */
};

static int handler(struct check *check)
{
    handler_mends(check);
    handler_ends(check);
    handler_steps(check);
    handler_serves(check);
    handler_halves(check);
    endpoint_vanishes(check);
    queue_is_full(check);
    killed(check);
    revoked(check);
    answered_badly(check);
    handler_fails(check, "keeper");
    handler_fails(check, "faulting-keeper");
    refusals(check);
    CHECK_EQUAL(check, rt_ring_blocks_used(&check->rt->ring), 0);
    CHECK_EQUAL(check, check->rt->ring.strays, 0);
    return check_end(check);
}

/* 64 reports in 10 seconds, and what was left out before the one after them. */
static int flood(struct check *check)
{
    for (unsigned i = 0; i < FLOOD; i++) {
        child_faulted(check, simple_spawn(check, "reads", (struct cap_id){.raw = 0}));
    }
    rt_sleep(check->rt, UINT64_C(10) * 1000 * 1000 * 1000);
    (void)child_end(check, simple_spawn(check, "divides", (struct cap_id){.raw = 0}));
    return check_end(check);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    if (rt_name_is(rt, "flood")) {
        return flood(&check);
    }
    if (rt_name_is(rt, "mended")) {
        return mended(&check);
    }
    if (rt_name_is(rt, "asks")) {
        return asks(&check);
    }
    if (rt_name_is(rt, "halves")) {
        return halves(&check);
    }
    if (rt_name_is(rt, "keeper") || rt_name_is(rt, "faulting-keeper")) {
        return keeper(&check, !rt_name_is(rt, "keeper"));
    }
    if (rt_name_is(rt, "reads")) {
        reads();
    }
    if (rt_name_is(rt, "later")) {
        later(rt);
    }
    if (rt_name_is(rt, "divides")) {
        divides();
    }
    if (rt_name_is(rt, "undefined")) {
        undefined();
    }
    return rt_name_is(rt, "breaks") ? breaks() : handler(&check);
}
