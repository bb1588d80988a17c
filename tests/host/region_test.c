/* SPDX-License-Identifier: MIT */
/*
 * Regions against a model with one byte for each page: whose it is. Small spaces, few regions, so
 * that every edge is met.
 */
#include "tests/host/support.h"

#include "core/region.h"

#define PAGES   40u
#define REGIONS 9u
#define STEPS   60000u

static struct region region[REGIONS + 1];
static bool used[REGIONS + 1];
static uint8_t owner[PAGES]; /* 0: nobody's, else index + 1 */
static struct region_set set;
static struct test_random source;

static unsigned below(unsigned bound)
{
    return (unsigned)test_random_below(&source, bound);
}

static bool model_is_free(uint64_t start, uint64_t pages)
{
    for (uint64_t i = start; i < start + pages && i < PAGES; i++) {
        if (owner[i] != 0) {
            return false;
        }
    }
    return true;
}

static unsigned used_count(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i <= REGIONS; i++) {
        count += used[i];
    }
    return count;
}

static void compare(void)
{
    uint64_t page = below(PAGES);
    const struct region *found = region_set_find(&set, page);

    assert_int_equal(region_set_check(&set), 0);
    assert_int_equal(set.count, used_count());
    while (page < PAGES && owner[page] == 0) {
        page++;
    }
    if (page == PAGES) {
        assert_null(found);
    } else {
        assert_ptr_equal(found, &region[owner[page] - 1]);
    }
}

static unsigned unused(void)
{
    unsigned i = 0;

    while (used[i]) {
        i++;
    }
    return i;
}

static void own(unsigned index)
{
    used[index] = true;
    for (uint64_t i = 0; i < region[index].pages; i++) {
        owner[region[index].start + i] = (uint8_t)(index + 1);
    }
}

static void step_insert(void)
{
    unsigned index = unused();
    uint64_t start = below(PAGES);
    uint64_t pages = 1 + below(PAGES - (unsigned)start);
    enum status status;

    region[index] = (struct region){.start = start, .pages = pages};
    status = region_set_insert(&set, &region[index]);
    if (!model_is_free(start, pages)) {
        assert_int_equal(status, STATUS_EXISTS);
    } else if (used_count() == REGIONS) {
        assert_int_equal(status, STATUS_LIMIT);
    } else {
        assert_int_equal(status, STATUS_OK);
        own(index);
    }
}

static void step_place(void)
{
    struct region_window window = {.low = below(PAGES / 2), .high = PAGES - below(PAGES / 2)};
    uint64_t pages = 1 + below(8);
    uint64_t hint = below(PAGES);
    uint64_t expected = hint;
    enum status status;

    if (hint < window.low || hint + pages > window.high || !model_is_free(hint, pages)) {
        expected = window.low;
        while (expected + pages <= window.high && !model_is_free(expected, pages)) {
            expected++;
        }
    }
    status = region_set_place(&set, window, pages, &hint);
    if (expected + pages > window.high) {
        assert_int_equal(status, STATUS_NOT_FOUND);
    } else {
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(hint, expected);
    }
}

static void step_remove(void)
{
    unsigned index = below(REGIONS + 1);

    if (used[index]) {
        region_set_remove(&set, &region[index]);
        used[index] = false;
        for (unsigned i = 0; i < PAGES; i++) {
            owner[i] = owner[i] == index + 1 ? 0 : owner[i];
        }
    }
}

static void step_split(void)
{
    unsigned index = below(REGIONS + 1);
    unsigned rest = unused();
    uint64_t at;

    if (!used[index] || region[index].pages < 2) {
        return;
    }
    at = 1 + below((unsigned)region[index].pages - 1);
    region[rest] = (struct region){.pages = 0};
    if (used_count() == REGIONS) {
        assert_int_equal(region_set_split(&set, &region[index], at, &region[rest]), STATUS_LIMIT);
        return;
    }
    assert_int_equal(region_set_split(&set, &region[index], at, &region[rest]), STATUS_OK);
    own(rest);
}

static void test_model(void **state)
{
    (void)state;
    test_random_init(&source, 3);
    region_set_init(&set, REGIONS);
    for (unsigned i = 0; i < STEPS; i++) {
        switch (below(4)) {
        case 0:
            step_insert();
            break;
        case 1:
            step_place();
            break;
        case 2:
            step_remove();
            break;
        default:
            step_split();
        }
        compare();
    }
}

static void test_check_notices(void **state)
{
    struct region a = {.start = 4, .pages = 4};
    struct region b = {.start = 8, .pages = 4};

    (void)state;
    region_set_init(&set, 2);
    assert_int_equal(region_set_insert(&set, &a), STATUS_OK);
    assert_int_equal(region_set_insert(&set, &b), STATUS_OK);
    set.count = 1;
    assert_int_equal(region_set_check(&set), 1);
    set.count = 2;
    b.pages = 0;
    assert_int_equal(region_set_check(&set), 2);
    b.pages = 4;
    a.pages = 5;
    assert_int_equal(region_set_check(&set), 3);
    a.pages = 4;
    assert_int_equal(region_set_check(&set), 0);
}

/* The ends of the number range: nothing wraps. */
static void test_far_ends(void **state)
{
    struct region last = {.start = UINT64_MAX - 4, .pages = 4};
    uint64_t hint = UINT64_MAX - 6;

    (void)state;
    region_set_init(&set, 2);
    assert_int_equal(region_set_insert(&set, &last), STATUS_OK);
    assert_true(region_set_is_free(&set, UINT64_MAX - 6, 2));
    assert_false(region_set_is_free(&set, UINT64_MAX - 6, 3));
    assert_int_equal(
        region_set_place(&set, (struct region_window){UINT64_MAX - 6, UINT64_MAX}, 3, &hint),
        STATUS_NOT_FOUND);
    assert_int_equal(
        region_set_place(&set, (struct region_window){UINT64_MAX - 6, UINT64_MAX}, 2, &hint),
        STATUS_OK);
    assert_int_equal(hint, UINT64_MAX - 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_check_notices),
        cmocka_unit_test(test_far_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
