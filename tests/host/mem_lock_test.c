/* SPDX-License-Identifier: MIT */
/* Locks, and the order that debug kernels assert. */
#include "tests/host/mem_machine.h"

#include "kernel/lock.h"

/* Locks to take one after the other; the last one is the one in question. */
struct sequence {
    unsigned count;
    struct {
        enum lock_rank rank;
        uint64_t order;
        bool tried; /* by spinlock_try */
    } step[CPU_LOCKS_HELD_MAX + 1];
};

static void take_all(void *argument)
{
    static struct spinlock lock[CPU_LOCKS_HELD_MAX + 1];
    const struct sequence *sequence = argument;

    machine_cpus_reset();
    for (unsigned i = 0; i < sequence->count; i++) {
        spinlock_init(&lock[i], sequence->step[i].rank, sequence->step[i].order);
        if (sequence->step[i].tried) {
            assert_true(spinlock_try(&lock[i]));
        } else {
            spinlock_lock(&lock[i]);
        }
        assert_true(spinlock_is_held(&lock[i]));
    }
    for (unsigned i = 0; i < sequence->count; i++) { /* not in the order of taking */
        spinlock_unlock(&lock[i]);
        assert_false(spinlock_is_held(&lock[i]));
    }
    lock_check_none_held();
}

static void orders_are_asserted(void **state)
{
    static const struct {
        struct sequence sequence;
        bool good;
    } cases[] = {
        {{1, {{LOCK_RANK_LOG, 0, false}}}, true},
        {{3,
          {{LOCK_RANK_ENDPOINT, 0, false},
           {LOCK_RANK_PROCESS, 5, false},
           {LOCK_RANK_LOG, 0, false}}},
         true},
        {{2, {{LOCK_RANK_PROCESS, 5, false}, {LOCK_RANK_ENDPOINT, 0, false}}}, false},
        {{2, {{LOCK_RANK_VSPACE, 0, false}, {LOCK_RANK_VSPACE, 0, false}}}, false},
        {{2, {{LOCK_RANK_PROCESS, 5, false}, {LOCK_RANK_PROCESS, 6, false}}}, true},
        {{2, {{LOCK_RANK_PROCESS, 6, false}, {LOCK_RANK_PROCESS, 5, false}}}, false},
        {{2, {{LOCK_RANK_PROCESS, 6, false}, {LOCK_RANK_PROCESS, 6, false}}}, false},
        {{3,
          {{LOCK_RANK_PROCESS, 5, false},
           {LOCK_RANK_PROCESS, 6, false},
           {LOCK_RANK_PROCESS, 7, false}}},
         false},
        /* A lock that was tried could not deadlock, and hides no order of the others. */
        {{2, {{LOCK_RANK_LOG, 0, false}, {LOCK_RANK_ENDPOINT, 0, true}}}, true},
        {{3,
          {{LOCK_RANK_ENDPOINT, 0, false}, {LOCK_RANK_LOG, 0, true}, {LOCK_RANK_FRAMES, 0, false}}},
         true},
        {{3,
          {{LOCK_RANK_FRAMES, 0, false}, {LOCK_RANK_LOG, 0, true}, {LOCK_RANK_ENDPOINT, 0, false}}},
         false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        struct sequence sequence = cases[i].sequence;

        assert_int_equal(!test_asserts(take_all, &sequence), cases[i].good);
    }
}

static struct spinlock one;

static void unlock_one(void *argument)
{
    (void)argument;
    spinlock_unlock(&one);
}

static void lock_one(void *argument)
{
    (void)argument;
    spinlock_lock(&one);
}

static void none_held(void *argument)
{
    (void)argument;
    lock_check_none_held();
}

static void misuse_is_asserted(void **state)
{
    (void)state;
    machine_cpus_reset();
    one = (struct spinlock){0};
    assert_true(test_asserts(lock_one, NULL)); /* never initialized */
    spinlock_init(&one, LOCK_RANK_LOG, 0);
    assert_true(test_asserts(unlock_one, NULL)); /* not held */
    spinlock_lock(&one);
    assert_true(test_asserts(lock_one, NULL)); /* twice: it would wait for itself */
    assert_true(test_asserts(none_held, NULL));
    machine_this = 1;
    assert_false(test_asserts(none_held, NULL));
    assert_true(test_asserts(unlock_one, NULL)); /* another CPU's */
    assert_false(spinlock_try(&one));
    machine_this = 0;
    spinlock_unlock(&one);
    assert_false(test_asserts(none_held, NULL));
}

/* What the CPU that holds the lock does while another waits for it. */
static void holder_goes_on(const char *place)
{
    static unsigned turns;

    assert_string_equal(place, "spin");
    if (++turns == 5) {
        machine_this = 0;
        spinlock_unlock(&one);
        machine_this = 1;
    }
}

static void waiters_get_the_lock_when_it_is_free(void **state)
{
    (void)state;
    machine_cpus_reset();
    spinlock_init(&one, LOCK_RANK_LOG, 0);
    spinlock_lock(&one);
    machine_hook = holder_goes_on;
    machine_this = 1;
    spinlock_lock(&one);
    machine_hook = NULL;
    assert_int_equal(cpus[0]->locks_held, 0);
    assert_int_equal(cpus[1]->locks_held, 1);
    spinlock_unlock(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_asserted),
        cmocka_unit_test(misuse_is_asserted),
        cmocka_unit_test(waiters_get_the_lock_when_it_is_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
