/* SPDX-License-Identifier: MIT */
/*
 * Time on the CPU. By its name in the manifest the program
 *   spin       loops for ever without ever entering the kernel,
 *   progress   works in turns of its own beside it and ends,
 *   sleeper    sleeps, and checks that it slept as long as it asked and returned at once when not,
 *   returns-N  returns N from main (trial expects the code),
 *   blocked    waits for ever in cap_enter.
 */
#include "core/string.h"
#include "tests/programs/support/check.h"
#include "user/rt/call.h"
#include "user/rt/clock.h"

enum {
    PROGRESS_ROUNDS = 20,
    PROGRESS_WORK = 100 * 1000,
    SLEEP_NS = 20 * 1000 * 1000,
    SHORT_SLEEP_NS = 50 * 1000,
    SHORT_SLEEPS = 50,
};

static int progress(struct rt *rt)
{
    for (unsigned round = 0; round < PROGRESS_ROUNDS; round++) {
        for (volatile unsigned i = 0; i < PROGRESS_WORK; i++) {
        }
        rt_sleep(rt, SHORT_SLEEP_NS);
    }
    (void)rt_print(rt, "progress: %u rounds done beside the others\n", PROGRESS_ROUNDS);
    return 0;
}

static void sleeper(struct check *check)
{
    const struct start_info *start = check->rt->start;
    uint64_t before = clock_now_ns(start);
    uint64_t after;

    rt_sleep(check->rt, SLEEP_NS);
    after = clock_now_ns(start);
    CHECK(check, after - before >= SLEEP_NS);
    for (unsigned i = 0; i < SHORT_SLEEPS; i++) {
        before = clock_now_ns(start);
        rt_sleep(check->rt, SHORT_SLEEP_NS);
        after = clock_now_ns(start);
        CHECK(check, after - before >= SHORT_SLEEP_NS);
    }
    /* Not to wait, and to wait for nothing: both return at once, with nothing there. */
    CHECK_EQUAL(check, rt_syscall_cap_enter(1, 0), 0);
    CHECK_EQUAL(check, rt_syscall_cap_enter(0, TIMEOUT_NONE), 0);
    CHECK_EQUAL(check, rt_syscall_cap_enter(0, SLEEP_NS), 0);
    CHECK_EQUAL(check, rt_syscall_cap_enter(1, 1), 0); /* a nanosecond is over soon */
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    if (rt_name_is(rt, "spin")) {
        for (;;) {
            rt_cpu_pause();
        }
    }
    if (rt_name_is(rt, "progress")) {
        return progress(rt);
    }
    if (rt_name_is(rt, "blocked")) {
        (void)rt_syscall_cap_enter(1, TIMEOUT_NONE);
        return 1;
    }
    if (rt_name_is(rt, "returns-42")) {
        return 42;
    }
    sleeper(&check);
    return check_end(&check);
}
