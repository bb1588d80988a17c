/* SPDX-License-Identifier: MIT */
/*
 * User access on the small machine: which ranges are permitted, what is copied, and the race of a
 * copy with an unmap.
 */
#include "tests/host/mem_space.h"

#include "kernel/mem/user_access.h"

/* ---- user access ----------------------------------------------------------------------------- */

static void ranges_outside_the_user_half_are_refused(void **state)
{
    static const struct {
        vaddr_t address;
        uint64_t bytes;
        bool good;
    } cases[] = {
        {LIMIT_USER_MIN, 0, true},
        {LIMIT_USER_MIN, LIMIT_USER_MAX - LIMIT_USER_MIN, true},
        {LIMIT_USER_MIN, LIMIT_USER_MAX - LIMIT_USER_MIN + 1, false},
        {LIMIT_USER_MIN - 1, 1, false},
        {0, 0, false},
        {0, UINT64_MAX, false},
        {LIMIT_USER_MAX - 1, 1, true},
        {LIMIT_USER_MAX - 1, 2, false},
        {LIMIT_USER_MAX, 0, true},
        {LIMIT_USER_MAX, 1, false},
        {LIMIT_USER_MAX + 1, 0, false},
        {PAGE(0), UINT64_MAX - PAGE(0) + 1, false}, /* ends at 0 */
        {PAGE(0), UINT64_MAX - PAGE(0) + 2, false}, /* wraps into the user half */
        {PAGE(0), UINT64_MAX, false},
        {KERNEL, 8, false},
        {KERNEL, UINT64_MAX - KERNEL + 1 + PAGE(0), false},
        {UINT64_MAX, 1, false},
        {UINT64_MAX, 0, false},
    };
    struct user_range range;

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(user_range_make(cases[i].address, cases[i].bytes, &range), cases[i].good);
        if (cases[i].good) {
            assert_int_equal(range.address, cases[i].address);
            assert_int_equal(range.bytes, cases[i].bytes);
        }
    }
}

static struct user_range range_of(vaddr_t address, uint64_t bytes)
{
    struct user_range range;

    assert_true(user_range_make(address, bytes, &range));
    return range;
}

/* Pages of every permission side by side: each range is permitted exactly when each page is. */
static void permissions_are_those_of_every_page(void **state)
{
    enum {
        ABSENT = 8, /* not a flag: no page */
        PAGES = 6
    };
    static const unsigned kinds[4] = {ABSENT, 0, WRITE, EXECUTE};
    struct vspace vspace;
    struct test_random random;
    unsigned kind[PAGES];

    (void)state;
    test_random_init(&random, 7);
    for (unsigned round = 0; round < 60; round++) {
        space_start(&vspace);
        for (unsigned i = 0; i < PAGES; i++) {
            kind[i] = kinds[test_random_below(&random, 4)];
            if (kind[i] != ABSENT) {
                assert_int_equal(vspace_map_new(&vspace, PAGE(i), kind[i], NULL), STATUS_OK);
            }
        }
        for (unsigned trial = 0; trial < 60; trial++) {
            uint64_t start = test_random_below(&random, PAGES * FRAME_BYTES);
            uint64_t bytes = test_random_below(&random, PAGES * FRAME_BYTES - start + 1);
            bool write = test_random_one_in(&random, 2);
            bool good = true;

            if (test_random_one_in(&random, 2)) { /* ends exactly at a page, or one beside it */
                bytes = (start + bytes) / FRAME_BYTES * FRAME_BYTES + test_random_below(&random, 2);
                bytes = bytes > start ? bytes - start : 0;
            }
            for (uint64_t at = start; at < start + bytes; at++) {
                unsigned flags = kind[at / FRAME_BYTES];

                good = good && flags != ABSENT && (!write || flags == WRITE);
            }
            assert_int_equal(user_range_permitted(&vspace, range_of(PAGE(0) + start, bytes), write),
                             good);
        }
        space_end(&vspace, machine_free_frames() + vspace.frames);
    }
}

static void copies_cross_pages(void **state)
{
    static uint8_t out[USER_COPY_BYTES_MAX];
    static uint8_t in[USER_COPY_BYTES_MAX + 1];
    struct test_random random;
    struct vspace vspace;

    (void)state;
    test_random_init(&random, 1);
    test_random_fill(&random, out, sizeof out);
    space_start(&vspace);
    activate_on(0, &vspace);
    for (unsigned i = 0; i < 17; i++) {
        assert_int_equal(vspace_map_new(&vspace, PAGE(i), WRITE, NULL), STATUS_OK);
    }
    for (unsigned trial = 0; trial < 200; trial++) {
        uint64_t bytes = test_random_below(&random, sizeof out + 1);
        struct user_range range = range_of(PAGE(0) + test_random_below(&random, 4096), bytes);

        memset(in, 0, sizeof in);
        assert_int_equal(user_copy_out(&vspace, range, out), STATUS_OK);
        assert_int_equal(user_copy_in(&vspace, in, range), STATUS_OK);
        assert_memory_equal(in, out, bytes);
        assert_int_equal(in[bytes], 0);
    }
    assert_int_equal(user_copy_in(&vspace, in, range_of(PAGE(0), sizeof out + 1)),
                     STATUS_TOO_LARGE);
    assert_int_equal(user_copy_out(&vspace, range_of(PAGE(0), sizeof out + 1), out),
                     STATUS_TOO_LARGE);
    assert_true(user_range_permitted(&vspace, range_of(PAGE(0), sizeof out), true));
    assert_false(user_range_permitted(&vspace, range_of(PAGE(0), sizeof out + 1), true));
    activate_on(0, NULL);
    space_end(&vspace, machine_free_frames() + vspace.frames);
}

static void a_word_is_read_where_there_is_one(void **state)
{
    const uint32_t written = 0x12345678;
    struct vspace vspace;
    uint32_t word = 0;

    (void)state;
    space_start(&vspace);
    activate_on(0, &vspace);
    assert_int_equal(vspace_map_new(&vspace, PAGE(0), WRITE, NULL), STATUS_OK);
    assert_int_equal(user_copy_out(&vspace, range_of(PAGE(0) + 8, sizeof written), &written),
                     STATUS_OK);
    assert_true(user_word_read(PAGE(0) + 8, &word));
    assert_int_equal(word, written);
    assert_false(user_word_read(PAGE(1), &word));
    assert_false(user_word_read(LIMIT_USER_MAX, &word));
    assert_false(user_word_read(UINT64_MAX - 3, &word));
    activate_on(0, NULL);
    space_end(&vspace, machine_free_frames() + vspace.frames);
}

/* The check refuses before the first byte moves, wherever the bad page is. */
static void refused_copies_move_nothing(void **state)
{
    static uint8_t buffer[3 * FRAME_BYTES];
    struct vspace vspace;
    paddr_t frame[3];

    (void)state;
    for (unsigned bad = 0; bad < 3; bad++) {
        space_start(&vspace);
        activate_on(0, &vspace);
        for (unsigned i = 0; i < 3; i++) {
            unsigned flags = i == bad ? 0 : WRITE;

            assert_int_equal(vspace_map_new(&vspace, PAGE(i), flags, &frame[i]), STATUS_OK);
        }
        memset(buffer, 0x11, sizeof buffer);
        assert_int_equal(user_copy_out(&vspace, range_of(PAGE(0), sizeof buffer), buffer),
                         STATUS_FAULT);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(machine_memory[frame[i]], 0);
        }
        assert_int_equal(user_copy_in(&vspace, buffer, range_of(PAGE(0), sizeof buffer)),
                         STATUS_OK);
        memset(buffer, 0x11, sizeof buffer);
        assert_int_equal(user_copy_in(&vspace, buffer, range_of(PAGE(1), sizeof buffer)),
                         STATUS_FAULT); /* the last page is missing */
        assert_int_equal(buffer[0], 0x11);
        activate_on(0, NULL);
        space_end(&vspace, machine_free_frames() + vspace.frames);
    }
}

/* ---- the race of a copy with an unmap -------------------------------------------------------- */

static struct vspace race_space;
static struct unmap race_unmap;
static bool race_acted;

/* What CPU 1 does while CPU 0 waits inside its copy. */
static void race_other_cpu(const char *place)
{
    struct frames_census census;

    if (strcmp(place, "spin") != 0 || race_acted) {
        return;
    }
    race_acted = true;
    machine_this = 1;
    race_unmap = unmap_new();
    assert_int_equal(vspace_unmap(&race_space, PAGE(1), 1, &race_unmap), STATUS_OK);
    frames_census_take(&census);
    assert_int_equal(census.quarantine, 1);
    machine_memory_leave(0); /* whoever wants memory now: it is not this frame */
    for (unsigned i = 0; i < machine_taken_count; i++) {
        memset(machine_memory + machine_taken[i], 0xbb, FRAME_BYTES);
    }
    machine_this = 0;
}

static void race_start(void)
{
    static char word[64];

    snprintf(word, sizeof word, "user_copy_race=0x%llx", (unsigned long long)PAGE(1));
    machine_start(word);
    completions = 0;
    race_acted = false;
    assert_int_equal(vspace_create(&race_space), STATUS_OK);
    activate_on(0, &race_space);
    activate_on(1, &race_space);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(vspace_map_new(&race_space, PAGE(i), WRITE, NULL), STATUS_OK);
    }
    machine_hook = race_other_cpu;
}

static void race_end(void)
{
    machine_hook = NULL;
    assert_int_equal(completions, 0); /* the copier has not answered yet */
    assert_int_equal(shootdown_quarantine_frames(), 1);
    machine_settle();
    assert_int_equal(completions, 1);
    machine_memory_return();
    activate_on(0, NULL);
    activate_on(1, NULL);
    space_end(&race_space, machine_free_frames() + race_space.frames);
}

/* The copier's CPU has no translation of the page: the copy ends with an error. */
static void copies_of_a_page_unmapped_meanwhile_fail(void **state)
{
    static uint8_t buffer[3 * FRAME_BYTES];

    (void)state;
    for (unsigned out = 0; out < 2; out++) {
        struct user_range range;

        race_start();
        range = range_of(PAGE(0), sizeof buffer);
        assert_int_equal(out != 0 ? user_copy_out(&race_space, range, buffer)
                                  : user_copy_in(&race_space, buffer, range),
                         STATUS_FAULT);
        assert_true(race_acted);
        assert_non_null(strstr(machine_log, "the copy was refused"));
        race_end();
    }
}

/* It has a stale one: the copy is complete, into the frame that nobody else got meanwhile. */
static void copies_through_a_stale_translation_are_complete(void **state)
{
    static uint8_t buffer[3 * FRAME_BYTES];
    paddr_t frame;

    (void)state;
    race_start();
    frame = machine_translate(0, PAGE(1), true)->frame;
    memset(buffer, 0x33, sizeof buffer);
    assert_int_equal(user_copy_out(&race_space, range_of(PAGE(0) + 100, 2 * FRAME_BYTES), buffer),
                     STATUS_OK);
    assert_true(race_acted);
    assert_non_null(strstr(machine_log, "the copy is complete"));
    for (unsigned i = 0; i < FRAME_BYTES; i++) {
        assert_int_equal(machine_memory[frame + i], 0x33);
    }
    race_end();
}

/* Without a partner both sides go on after their wait, and say so. */
static void lonely_races_end_by_the_clock(void **state)
{
    struct unmap unmap = unmap_new();
    uint8_t byte;

    (void)state;
    race_start();
    machine_hook = NULL;
    machine_this = 1;
    assert_int_equal(vspace_unmap(&race_space, PAGE(1), 1, &unmap), STATUS_OK);
    machine_this = 0;
    assert_non_null(strstr(machine_log, "no copy came"));
    machine_settle();
    assert_int_equal(vspace_map_new(&race_space, PAGE(1), WRITE, NULL), STATUS_OK);
    assert_int_equal(user_copy_in(&race_space, &byte, range_of(PAGE(1), 1)), STATUS_OK);
    assert_non_null(strstr(machine_log, "no unmap came"));
    activate_on(0, NULL);
    activate_on(1, NULL);
    space_end(&race_space, machine_free_frames() + race_space.frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_outside_the_user_half_are_refused),
        cmocka_unit_test(permissions_are_those_of_every_page),
        cmocka_unit_test(copies_cross_pages),
        cmocka_unit_test(a_word_is_read_where_there_is_one),
        cmocka_unit_test(refused_copies_move_nothing),
        cmocka_unit_test(copies_of_a_page_unmapped_meanwhile_fail),
        cmocka_unit_test(copies_through_a_stale_translation_are_complete),
        cmocka_unit_test(lonely_races_end_by_the_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
