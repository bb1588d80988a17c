/* SPDX-License-Identifier: MIT */
/*
 * kernel/mem over the tables of kernel/arch/host: the same mapping, checking, copying and teardown
 * code as on hardware, over present, user, write and no-execute bits that are data. What needs
 * translation buffers or an exact order of CPUs is in the other mem_*_test.c.
 */
#include "tests/host/host_cpu.h"

#include "kernel/mem/frames.h"
#include "kernel/mem/shootdown.h"
#include "kernel/mem/user_access.h"

enum {
    MEMORY_BYTES = 16 * 1024 * 1024,
    FIRST = 1024 * 1024,
    PAGES = 5,
    ABSENT = 8, /* not a flag: no page */
};

static struct vspace vspace;
static vaddr_t base; /* of the space's mappings */

static uint64_t frames_left(void)
{
    struct frames_census census;

    frames_census_take(&census);
    return census.free + census.cached + census.quarantine;
}

/* One machine for all tests, as far as memory needs it. */
static int machine_make(void **state)
{
    static struct boot_info info;
    const struct boot_range range = {FIRST, MEMORY_BYTES - FIRST, BOOT_RANGE_USABLE};

    (void)state;
    (void)host_cpu_alone(MEMORY_BYTES);
    boot_info_init(&info, BOOT_SOURCE_HOST);
    assert_int_equal(boot_info_add_range(&info, &range), BOOT_OK);
    assert_int_equal(boot_info_add_module(&info, FIRST, 1), BOOT_OK);
    frames_init(&info);
    shootdown_init();
    return 0;
}

static void space_begin(void)
{
    assert_int_equal(vspace_create(&vspace), STATUS_OK);
    base = arch_vspace_base(&vspace.arch) + UINT64_C(0x200000000000);
    vspace_activate(&vspace);
}

static void space_end(uint64_t left)
{
    vspace_activate(NULL);
    assert_int_equal(vspace_check(&vspace), 0);
    while (vspace_teardown_step(&vspace)) {
    }
    assert_int_equal(frames_left(), left);
    assert_int_equal(frames_check(), 0);
}

static vaddr_t page_at(unsigned index)
{
    return base + (vaddr_t)index * FRAME_BYTES;
}

static struct user_range range_of(vaddr_t address, uint64_t bytes)
{
    struct user_range range;

    assert_true(user_range_make(address, bytes, &range));
    return range;
}

static void pages_are_never_writable_and_executable(void **state)
{
    struct unmap unmap = {.complete = NULL};
    struct arch_mapping mapping;
    uint64_t left = frames_left();

    (void)state;
    space_begin();
    assert_int_equal(vspace_map_new(&vspace, page_at(0), ARCH_PAGE_WRITE | ARCH_PAGE_EXECUTE, NULL),
                     STATUS_INVALID_ARGUMENT);
    assert_false(arch_vspace_query(&vspace.arch, page_at(0), &mapping));
    assert_int_equal(vspace_map_new(&vspace, page_at(0), ARCH_PAGE_WRITE, NULL), STATUS_OK);
    assert_int_equal(
        vspace_protect(&vspace, page_at(0), 1, ARCH_PAGE_WRITE | ARCH_PAGE_EXECUTE, &unmap),
        STATUS_INVALID_ARGUMENT);
    assert_int_equal(vspace_protect(&vspace, page_at(0), 1, ARCH_PAGE_EXECUTE, &unmap), STATUS_OK);
    assert_true(arch_vspace_query(&vspace.arch, page_at(0), &mapping));
    assert_int_equal(mapping.flags, ARCH_PAGE_EXECUTE);
    space_end(left);
}

/* Pages of every kind side by side: a copy goes through exactly when each of its pages permits it,
 * and moves nothing otherwise. */
static void copies_ask_every_page(void **state)
{
    static const unsigned kinds[] = {ABSENT, 0, ARCH_PAGE_WRITE, ARCH_PAGE_EXECUTE};
    static uint8_t kernel_side[PAGES * FRAME_BYTES];
    static uint8_t user_side[PAGES * FRAME_BYTES];
    struct test_random random;
    uint64_t left = frames_left();

    (void)state;
    test_random_init(&random, 3);
    for (unsigned round = 0; round < 40; round++) {
        unsigned kind[PAGES];
        paddr_t frame[PAGES] = {0};

        space_begin();
        for (unsigned i = 0; i < PAGES; i++) {
            kind[i] = kinds[test_random_below(&random, ARRAY_COUNT(kinds))];
            if (kind[i] != ABSENT) {
                assert_int_equal(vspace_map_new(&vspace, page_at(i), kind[i], &frame[i]),
                                 STATUS_OK);
            }
        }
        memset(user_side, 0, sizeof(user_side));
        for (unsigned trial = 0; trial < 40; trial++) {
            uint64_t start = test_random_below(&random, PAGES * FRAME_BYTES);
            uint64_t bytes = test_random_below(&random, PAGES * FRAME_BYTES - start + 1);
            bool write = test_random_one_in(&random, 2);
            bool good = true;

            for (uint64_t at = start; at < start + bytes; at++) {
                unsigned flags = kind[at / FRAME_BYTES];

                good = good && flags != ABSENT && (!write || flags == ARCH_PAGE_WRITE);
            }
            test_random_fill(&random, kernel_side, sizeof(kernel_side));
            if (write) {
                assert_int_equal(user_copy_out(&vspace, range_of(base + start, bytes), kernel_side),
                                 good ? STATUS_OK : STATUS_FAULT);
                if (good) {
                    memcpy(user_side + start, kernel_side, bytes);
                }
            } else {
                assert_int_equal(user_copy_in(&vspace, kernel_side, range_of(base + start, bytes)),
                                 good ? STATUS_OK : STATUS_FAULT);
                assert_true(!good || memcmp(kernel_side, user_side + start, bytes) == 0);
            }
        }
        for (unsigned i = 0; i < PAGES; i++) {
            if (frame[i] != 0) {
                assert_memory_equal(arch_frame_pointer(frame[i]),
                                    user_side + (size_t)i * FRAME_BYTES, FRAME_BYTES);
            }
        }
        space_end(left);
    }
}

/* With n frames left the allocation after the nth fails, and nothing is left of it. */
static void exhaustion_changes_nothing(void **state)
{
    static paddr_t taken[MEMORY_BYTES / FRAME_BYTES];
    uint64_t left = frames_left();

    (void)state;
    for (unsigned n = 0; n <= ARCH_TABLES_PER_MAP + 1; n++) {
        enum status expected = n <= ARCH_TABLES_PER_MAP ? STATUS_NO_MEMORY : STATUS_OK;
        struct arch_mapping mapping;
        unsigned count = 0;

        space_begin();
        while (frame_alloc(&taken[count]) == STATUS_OK) {
            count++;
        }
        for (unsigned i = 0; i < n; i++) {
            frame_free(taken[--count]);
        }
        assert_int_equal(vspace_map_new(&vspace, page_at(0), ARCH_PAGE_WRITE, NULL), expected);
        assert_int_equal(arch_vspace_query(&vspace.arch, page_at(0), &mapping),
                         expected == STATUS_OK);
        assert_int_equal(vspace_check(&vspace), 0);
        while (count > 0) {
            frame_free(taken[--count]);
        }
        space_end(left);
    }
}

static void unmapped_pages_are_gone(void **state)
{
    struct unmap unmap = {.complete = NULL};
    uint64_t left = frames_left();
    uint8_t byte = 1;

    (void)state;
    space_begin();
    for (unsigned i = 0; i < 2 * VSPACE_STEP_PAGES; i++) {
        assert_int_equal(vspace_map_new(&vspace, page_at(i), ARCH_PAGE_WRITE, NULL), STATUS_OK);
    }
    assert_int_equal(vspace_unmap(&vspace, page_at(3), VSPACE_STEP_PAGES, &unmap), STATUS_OK);
    assert_int_equal(unmap.count, VSPACE_STEP_PAGES);
    for (unsigned i = 0; i < 2 * VSPACE_STEP_PAGES; i++) {
        bool gone = i >= 3 && i < 3 + VSPACE_STEP_PAGES;

        assert_int_equal(user_copy_out(&vspace, range_of(page_at(i), 1), &byte),
                         gone ? STATUS_FAULT : STATUS_OK);
    }
    assert_int_equal(shootdown_quarantine_frames(), 0); /* nobody else had them */
    space_end(left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_never_writable_and_executable),
        cmocka_unit_test(copies_ask_every_page),
        cmocka_unit_test(exhaustion_changes_nothing),
        cmocka_unit_test(unmapped_pages_are_gone),
    };

    return cmocka_run_group_tests(tests, machine_make, NULL);
}
