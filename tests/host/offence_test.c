/* SPDX-License-Identifier: MIT */
/* Offences: the free allowance of each window, one report in each second, and nothing lost. */
#include "tests/host/support.h"

#include "core/offence.h"

static void test_allowance(void **state)
{
    struct offence_meter meter;
    uint64_t now_ns = 5;

    (void)state;
    offence_init(&meter);
    assert_int_equal(offence_check(&meter), 0);
    for (unsigned window = 0; window < 5; window++) {
        for (unsigned i = 1; i <= 3 * OFFENCE_FREE; i++) {
            struct offence_verdict verdict = offence_note(&meter, now_ns + i);

            assert_int_equal(verdict.throttled, i > OFFENCE_FREE);
            assert_int_equal(offence_check(&meter), 0);
        }
        now_ns += OFFENCE_WINDOW_NS + 1;
    }
    assert_int_equal(meter.total, 15 * OFFENCE_FREE);
}

/* The window begins with the first offence and is over a window later, not before. */
static void test_window_ends(void **state)
{
    struct offence_meter meter;

    (void)state;
    offence_init(&meter);
    for (unsigned i = 0; i < OFFENCE_FREE; i++) {
        assert_false(offence_note(&meter, 1000).throttled);
    }
    assert_true(offence_note(&meter, 1000 + OFFENCE_WINDOW_NS - 1).throttled);
    assert_false(offence_note(&meter, 1000 + OFFENCE_WINDOW_NS).throttled);
    assert_int_equal(meter.in_window, 1);
}

/* Whatever the times, the reports add up to the offences, at most one in a second. */
static void test_reports(void **state)
{
    struct test_random random;
    struct offence_meter meter;
    uint64_t now_ns = 0;
    uint64_t reported = 0;
    uint64_t last_ns = 0;
    bool any = false;

    (void)state;
    test_random_init(&random, 7);
    offence_init(&meter);
    for (unsigned i = 0; i < 20000; i++) {
        struct offence_verdict verdict = offence_note(&meter, now_ns);

        if (verdict.report != 0) {
            assert_true(!any || now_ns - last_ns >= OFFENCE_REPORT_WINDOW_NS);
            reported += verdict.report;
            last_ns = now_ns;
            any = true;
        }
        assert_int_equal(reported + meter.unreported, meter.total);
        assert_int_equal(offence_check(&meter), 0);
        now_ns += test_random_below(&random, 40 * 1000 * 1000);
    }
    assert_true(reported > 0);
    assert_int_equal(meter.total, 20000);
}

static void test_check(void **state)
{
    struct offence_meter meter;

    (void)state;
    offence_init(&meter);
    assert_int_equal(offence_note(&meter, 1).report, 1);
    meter.unreported = 2;
    assert_int_equal(offence_check(&meter), 1);
    meter.unreported = 0;
    meter.in_window = 0;
    assert_int_equal(offence_check(&meter), 2);
    meter.in_window = 1;
    meter.log.lines = 9;
    assert_int_equal(offence_check(&meter), 3);
}

static void test_who_offends_without_end_stays_throttled(void **state)
{
    struct offence_meter meter;

    (void)state;
    offence_init(&meter);
    assert_false(offence_note(&meter, 1).throttled);
    meter.total = UINT64_C(1) << 40;
    meter.in_window = UINT32_MAX;
    assert_true(offence_note(&meter, 2).throttled);
    assert_int_equal(offence_check(&meter), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allowance),
        cmocka_unit_test(test_window_ends),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_who_offends_without_end_stays_throttled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
