/* SPDX-License-Identifier: MIT */
/*
 * A thread on a budget. The manifest gives this process 2 ms of CPU time in each 10 ms; nobody else
 * runs. It looks at the clock all the time: a jump of the clock is time it did not run. The scene's
 * clock counts instructions, so two runs see the same.
 *
 *   budget-spins   over 20 periods it runs its budget and no more
 *   budget-rests   one that waits most of the time is not stopped
 *   budget-alone   the same as the first without a budget: it is never stopped
 */
#include "core/string.h"
#include "schema/generated/exception.capnp.h"
#include "tests/programs/support/check.h"
#include "tests/programs/support/stopped.h"
#include "user/lib/thread_spawner.h"

enum {
    PERIOD_NS = 10 * 1000 * 1000,
    BUDGET_NS = 2 * 1000 * 1000,
    PERIODS = 20,
    RESTS = 10,
};

static int idle(struct rt *rt, void *argument)
{
    (void)rt;
    (void)argument;
    return 0;
}

/* A thread on a budget makes no other: that one would have a budget of its own. */
static void cannot_spawn(struct check *check)
{
    static struct rt_thread_start begin = {.function = idle};
    struct thread_spawner spawner;

    if (CHECK_EQUAL(check,
                    rt_find(check->rt, "thread-spawner", THREAD_SPAWNER_INTERFACE_ID, &spawner.cap),
                    TRANSPORT_OK)) {
        CHECK_EQUAL(check, thread_client_spawn(check->rt, spawner, &begin),
                    EXCEPTION_REASON_WIDER_THAN_SOURCE);
    }
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    uint64_t total = (uint64_t)PERIODS * PERIOD_NS;

    if (rt_name_is(rt, "budget-spins")) {
        uint64_t ran = total - stopped_ns(rt, total);

        /* The first and the last period may lie partly outside. */
        CHECK(&check, ran >= (uint64_t)(PERIODS - 2) * BUDGET_NS);
        CHECK(&check, ran <= (uint64_t)(PERIODS + 2) * BUDGET_NS);
        cannot_spawn(&check);
    } else if (rt_name_is(rt, "budget-rests")) {
        for (unsigned i = 0; i < RESTS; i++) {
            CHECK_EQUAL(&check, stopped_ns(rt, BUDGET_NS / 4), 0);
            rt_sleep(rt, PERIOD_NS);
        }
    } else {
        CHECK_EQUAL(&check, stopped_ns(rt, total / 4), 0);
    }
    return check_end(&check);
}
