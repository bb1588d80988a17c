/* SPDX-License-Identifier: MIT */
/* The bound on log lines, against a model that remembers the time of every line. */
#include "tests/host/support.h"

#include "core/log_limit.h"

static void a_window_admits_so_many(void **state)
{
    struct log_limit limit;
    uint64_t suppressed = 0;
    (void)state;

    log_limit_init(&limit, 1000, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(log_limit_admit(&limit, 10 + i, &suppressed));
        assert_int_equal(suppressed, 0);
    }
    for (unsigned i = 0; i < 5; i++) {
        assert_false(log_limit_admit(&limit, 999, &suppressed));
        assert_int_equal(suppressed, 0);
    }
    assert_true(log_limit_admit(&limit, 1000, &suppressed));
    assert_int_equal(suppressed, 5);
    assert_true(log_limit_admit(&limit, 1001, &suppressed));
    assert_int_equal(suppressed, 0);
    assert_true(log_limit_admit(&limit, 500, &suppressed)); /* the clock steps back */
    assert_false(log_limit_admit(&limit, 500, &suppressed));
    assert_false(log_limit_admit(&limit, 1999, &suppressed));
    assert_true(log_limit_admit(&limit, UINT64_MAX, &suppressed));
    assert_int_equal(suppressed, 2);
}

static void nothing_is_admitted_of_nothing(void **state)
{
    struct log_limit limit;
    uint64_t suppressed = 7;
    (void)state;

    log_limit_init(&limit, 1, 0);
    for (uint64_t now = 0; now < 10; now++) {
        assert_false(log_limit_admit(&limit, now, &suppressed));
        assert_int_equal(suppressed, 0);
    }
    assert_int_equal(limit.suppressed, 10);
}

/* Admitted and suppressed lines together are all lines, and no window holds more than its bound. */
static void no_line_is_lost_from_the_count(void **state)
{
    struct test_random random;
    struct log_limit limit;
    uint64_t now = 0;
    uint64_t admitted = 0;
    uint64_t reported = 0;
    uint64_t in_window = 0;
    uint64_t window = 0;
    (void)state;

    test_random_init(&random, 0x106);
    log_limit_init(&limit, 100, 4);
    for (unsigned line = 0; line < 20000; line++) {
        uint64_t suppressed = 0;

        now += test_random_one_in(&random, 20) ? test_random_below(&random, 300)
                                               : test_random_below(&random, 10);
        if (log_limit_admit(&limit, now, &suppressed)) {
            admitted++;
            reported += suppressed;
            if (limit.window_start_ns != window) {
                window = limit.window_start_ns;
                in_window = 0;
            }
            assert_true(now - window < 100);
            assert_true(++in_window <= 4);
        }
        assert_int_equal(log_limit_check(&limit), 0);
        assert_int_equal(admitted + reported + limit.suppressed, line + 1);
    }
    assert_in_range(reported, 1, 20000);
    limit.lines = 5;
    assert_int_equal(log_limit_check(&limit), 1);
}

static void lines_left_out_are_counted_to_the_end(void **state)
{
    struct log_limit limit;
    uint64_t suppressed;

    (void)state;
    log_limit_init(&limit, 10, 1);
    assert_true(log_limit_admit(&limit, 1, &suppressed));
    limit.suppressed = UINT64_MAX;
    assert_false(log_limit_admit(&limit, 2, &suppressed));
    assert_true(log_limit_admit(&limit, 12, &suppressed));
    assert_true(suppressed == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_admits_so_many),
        cmocka_unit_test(nothing_is_admitted_of_nothing),
        cmocka_unit_test(no_line_is_lost_from_the_count),
        cmocka_unit_test(lines_left_out_are_counted_to_the_end),
    };

    return cmocka_run_group_tests_name("log_limit", tests, NULL, NULL);
}
