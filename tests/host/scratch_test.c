/* SPDX-License-Identifier: MIT */
/*
 * Scratch against the only thing that matters: no byte of an earlier use is ever seen by a later
 * one. The buffer lies in an allocation of its exact length.
 */
#include "tests/host/support.h"

#include "core/scratch.h"

#define CAPACITY 257u
#define STEPS    20000u

static void test_nothing_is_seen_again(void **state)
{
    uint8_t *bytes = malloc(CAPACITY);
    struct test_random random;
    struct scratch scratch;

    (void)state;
    memset(bytes, 0xee, CAPACITY);
    scratch_init(&scratch, bytes, CAPACITY);
    test_random_init(&random, 11);
    for (unsigned i = 0; i < STEPS; i++) {
        uint32_t room = 1 + (uint32_t)test_random_below(&random, CAPACITY);
        uint32_t filled = (uint32_t)test_random_below(&random, room + 1);
        uint32_t written = filled + (uint32_t)test_random_below(&random, room - filled + 1);

        assert_int_equal(scratch_take(&scratch, room, filled), STATUS_OK);
        for (uint32_t at = filled; at < room; at++) {
            assert_int_equal(bytes[at], 0);
        }
        memset(bytes, 0x80 | (int)(i & 0x7f), written);
        scratch_give(&scratch, written);
        assert_int_equal(scratch_check(&scratch), 0);
    }
    free(bytes);
}

static void test_bounds_and_pressure(void **state)
{
    uint8_t bytes[8];
    struct scratch scratch;

    (void)state;
    scratch_init(&scratch, bytes, sizeof(bytes));
    assert_int_equal(scratch_take(&scratch, 9, 0), STATUS_TOO_LARGE);
    assert_int_equal(scratch_take(&scratch, 8, 8), STATUS_OK);
    assert_int_equal(scratch_take(&scratch, 1, 0), STATUS_BUSY);
    scratch_give(&scratch, 0);
    assert_int_equal(scratch_take(&scratch, UINT32_MAX, 0), STATUS_TOO_LARGE);
    assert_int_equal(scratch_take(&scratch, 1, 0), STATUS_OK); /* later valid use is served */
    scratch_give(&scratch, 1);
    assert_int_equal(scratch_charge(0), 0);
    assert_int_equal(scratch_charge(SCRATCH_FREE_BYTES), 0);
    assert_int_equal(scratch_charge(SCRATCH_FREE_BYTES + 1), SCRATCH_FREE_BYTES + 1);
    assert_int_equal(scratch_charge(UINT64_MAX), UINT64_MAX);
}

static void test_check_notices(void **state)
{
    uint8_t bytes[4];
    struct scratch scratch;

    (void)state;
    scratch_init(&scratch, bytes, sizeof(bytes));
    assert_int_equal(scratch_take(&scratch, 4, 0), STATUS_OK);
    bytes[3] = 1;
    scratch_give(&scratch, 3); /* a lie: four bytes were written */
    assert_int_equal(scratch_check(&scratch), 2);
    scratch.dirty = 5;
    assert_int_equal(scratch_check(&scratch), 1);
}

static void give_what_is_free(void *argument)
{
    scratch_give(argument, 0);
}

static void test_own_mistakes_assert(void **state)
{
    uint8_t bytes[4];
    struct scratch scratch;

    (void)state;
    scratch_init(&scratch, bytes, sizeof(bytes));
    assert_true(test_asserts(give_what_is_free, &scratch));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_seen_again),
        cmocka_unit_test(test_bounds_and_pressure),
        cmocka_unit_test(test_check_notices),
        cmocka_unit_test(test_own_mistakes_assert),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
