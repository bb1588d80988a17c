/* SPDX-License-Identifier: MIT */
/*
 * Address spaces, shootdowns and user access on the small machine: refusals, memory exhaustion at
 * every allocation, stale translations, and the orders in which CPUs answer.
 */
#include "tests/host/mem_machine.h"

#include "kernel/mem/user_access.h"

#define PAGE(n)   (UINT64_C(0x400000) + (vaddr_t)(n)*FRAME_BYTES)
#define LAST_PAGE (LIMIT_USER_MAX - FRAME_BYTES)
#define KERNEL    UINT64_C(0xffff800000000000)

enum {
    WRITE = ARCH_PAGE_WRITE,
    EXECUTE = ARCH_PAGE_EXECUTE,
};

/* What complete() counts. */
static unsigned completions;
static unsigned completion_cpu;

static void unmap_counted(struct unmap *unmap)
{
    completions++;
    completion_cpu = machine_this;
    assert_int_equal(arch_cpu_this()->locks_held, 0);
    memset(unmap, 0xcc, sizeof *unmap); /* it is the caller's again */
}

static struct unmap unmap_new(void)
{
    return (struct unmap){.complete = unmap_counted};
}

static void space_start(struct vspace *vspace)
{
    machine_start("");
    completions = 0;
    memset(vspace, 0xcc, sizeof *vspace);
    assert_int_equal(vspace_create(vspace), STATUS_OK);
}

static void space_end(struct vspace *vspace, uint64_t free_frames)
{
    while (vspace_teardown_step(vspace)) {
    }
    assert_int_equal(machine_free_frames(), free_frames);
    machine_check();
}

static void activate_on(unsigned cpu, struct vspace *vspace)
{
    unsigned was = machine_this;

    machine_this = cpu;
    vspace_activate(vspace);
    machine_this = was;
}

static unsigned flags_of(const struct vspace *vspace, vaddr_t page)
{
    struct arch_mapping mapping;

    assert_true(arch_vspace_query(&vspace->arch, page, &mapping));
    return mapping.flags;
}

static void check_space(struct vspace *vspace)
{
    assert_int_equal(vspace_check(vspace), 0);
    machine_check();
}

/* ---- mapping --------------------------------------------------------------------------------- */

static void maps_are_refused_by_rule(void **state)
{
    static const struct {
        vaddr_t page;
        unsigned flags;
        enum status status;
    } refused[] = {
        {PAGE(0) + 1, 0, STATUS_MISALIGNED},
        {PAGE(0) + 2048, WRITE | EXECUTE, STATUS_MISALIGNED}, /* the first failure is the answer */
        {0, WRITE, STATUS_OUT_OF_RANGE},
        {LIMIT_USER_MIN - FRAME_BYTES, WRITE, STATUS_OUT_OF_RANGE},
        {LIMIT_USER_MAX, WRITE, STATUS_OUT_OF_RANGE},
        {LIMIT_USER_MAX + FRAME_BYTES, WRITE, STATUS_OUT_OF_RANGE},
        {KERNEL, WRITE, STATUS_OUT_OF_RANGE},
        {UINT64_MAX - (FRAME_BYTES - 1), WRITE, STATUS_OUT_OF_RANGE},
        {KERNEL, WRITE | EXECUTE, STATUS_OUT_OF_RANGE},
        {PAGE(0), WRITE | EXECUTE, STATUS_INVALID_ARGUMENT},
        {PAGE(0), ARCH_PAGE_SHARED, STATUS_INVALID_ARGUMENT},
        {PAGE(0), 8, STATUS_INVALID_ARGUMENT},
    };
    struct vspace vspace;
    uint64_t before;
    paddr_t frame;

    (void)state;
    space_start(&vspace);
    assert_int_equal(frame_alloc(&frame), STATUS_OK);
    before = machine_free_frames();
    for (unsigned i = 0; i < ARRAY_COUNT(refused); i++) {
        assert_int_equal(vspace_map_new(&vspace, refused[i].page, refused[i].flags, NULL),
                         refused[i].status);
        assert_int_equal(vspace_map_shared(&vspace, refused[i].page, refused[i].flags, frame),
                         refused[i].status);
        assert_int_equal(machine_free_frames(), before);
        check_space(&vspace);
    }
    frame_free(frame);
    space_end(&vspace, before + 2);
}

static void new_pages_are_zero_and_counted(void **state)
{
    struct vspace vspace;
    paddr_t first;
    paddr_t last;
    paddr_t none = 12345;

    (void)state;
    space_start(&vspace);
    assert_int_equal(vspace_map_new(&vspace, PAGE(0), WRITE, &first), STATUS_OK);
    assert_int_equal(vspace_frames(&vspace), 1 + 3 + 1);
    assert_int_equal(vspace_map_new(&vspace, PAGE(1), EXECUTE, NULL), STATUS_OK);
    assert_int_equal(vspace_frames(&vspace), 1 + 3 + 2);
    assert_int_equal(vspace_map_new(&vspace, LAST_PAGE, 0, &last), STATUS_OK);
    assert_int_equal(vspace_map_new(&vspace, LIMIT_USER_MIN, 0, NULL), STATUS_OK);
    assert_int_equal(vspace_map_new(&vspace, PAGE(1), WRITE, &none), STATUS_EXISTS);
    assert_int_equal(none, 12345);
    for (unsigned i = 0; i < FRAME_BYTES; i++) {
        assert_int_equal(machine_memory[first + i] | machine_memory[last + i], 0);
    }
    check_space(&vspace);
    space_end(&vspace, machine_free_frames() + vspace.frames);
}

static void refused_and_shared_maps_cost_no_page(void **state)
{
    struct vspace vspace;
    uint64_t before;
    paddr_t foreign;

    (void)state;
    space_start(&vspace);
    assert_int_equal(frame_alloc(&foreign), STATUS_OK);
    assert_int_equal(vspace_map_new(&vspace, PAGE(0), WRITE, NULL), STATUS_OK);
    before = machine_free_frames();
    assert_int_equal(vspace_map_new(&vspace, PAGE(0), WRITE, NULL), STATUS_EXISTS);
    assert_int_equal(vspace_map_shared(&vspace, PAGE(0), WRITE, foreign), STATUS_EXISTS);
    assert_int_equal(machine_free_frames(), before);
    assert_int_equal(vspace_map_shared(&vspace, PAGE(1), WRITE, foreign), STATUS_OK);
    assert_int_equal(machine_free_frames(), before); /* the tables were there */
    check_space(&vspace);
    space_end(&vspace, before + vspace.frames);
    frame_free(foreign);
}

/* Mapping a page zeroes it and no more: what the reserve gives back is known to be zero. */
static void maps_do_not_zero_their_reserve_again(void **state)
{
    struct vspace vspace;
    unsigned clean = 0;

    (void)state;
    space_start(&vspace);
    assert_int_equal(vspace_map_new(&vspace, PAGE(0), WRITE, NULL), STATUS_OK);
    for (unsigned i = 1; i < 100; i++) {
        assert_int_equal(vspace_map_new(&vspace, PAGE(i), WRITE, NULL), STATUS_OK);
    }
    for (unsigned s = 0; s < CPU_FRAME_CACHE; s++) {
        clean += (cpus[0]->frame_cache[s] & 1) != 0 ? 1 : 0;
    }
    assert_int_equal(clean, ARCH_TABLES_PER_MAP);
    space_end(&vspace, machine_free_frames() + vspace.frames);
}

/* With n frames left the allocation after the nth fails; nothing of the map is left then. */
static void maps_survive_exhaustion_at_every_allocation(void **state)
{
    struct vspace vspace;
    paddr_t foreign;

    (void)state;
    space_start(&vspace);
    assert_int_equal(frame_alloc(&foreign), STATUS_OK);
    for (unsigned n = 0; n <= ARCH_TABLES_PER_MAP + 1; n++) {
        vaddr_t page = UINT64_C(0x100000000000) + ((vaddr_t)n << 39);
        enum status expected = n < ARCH_TABLES_PER_MAP + 1 ? STATUS_NO_MEMORY : STATUS_OK;
        uint64_t frames = vspace.frames;

        machine_memory_leave(n);
        assert_int_equal(vspace_map_new(&vspace, page, WRITE, NULL), expected);
        assert_int_equal(machine_free_frames(), expected == STATUS_OK ? 0 : n);
        assert_int_equal(vspace.frames, expected == STATUS_OK ? frames + n : frames);
        check_space(&vspace);
        machine_memory_return();
    }
    for (unsigned n = 0; n <= ARCH_TABLES_PER_MAP; n++) {
        vaddr_t page = UINT64_C(0x200000000000) + ((vaddr_t)n << 39);
        enum status expected = n < ARCH_TABLES_PER_MAP ? STATUS_NO_MEMORY : STATUS_OK;

        machine_memory_leave(n);
        assert_int_equal(vspace_map_shared(&vspace, page, WRITE, foreign), expected);
        assert_int_equal(machine_free_frames(), expected == STATUS_OK ? 0 : n);
        check_space(&vspace);
        machine_memory_return();
    }
    machine_memory_leave(0);
    assert_int_equal(vspace_create(&(struct vspace){0}), STATUS_NO_MEMORY);
    machine_memory_return();
    space_end(&vspace, machine_free_frames() + vspace.frames);
    frame_free(foreign);
}

/* ---- unmapping and protecting ---------------------------------------------------------------- */

static void unmaps_and_protects_are_refused_by_rule(void **state)
{
    static const struct {
        vaddr_t page;
        unsigned pages;
        enum status status;
    } refused[] = {
        {PAGE(0) + 8, 1, STATUS_MISALIGNED},
        {PAGE(0), VSPACE_STEP_PAGES + 1, STATUS_TOO_LARGE},
        {PAGE(0), UINT32_MAX, STATUS_TOO_LARGE},
        {KERNEL, VSPACE_STEP_PAGES + 1, STATUS_TOO_LARGE},
        {KERNEL, 1, STATUS_OUT_OF_RANGE},
        {0, 1, STATUS_OUT_OF_RANGE},
        {LAST_PAGE, 2, STATUS_OUT_OF_RANGE},
        {LIMIT_USER_MAX, 1, STATUS_OUT_OF_RANGE},
        {UINT64_MAX - (FRAME_BYTES - 1), 2, STATUS_OUT_OF_RANGE}, /* wraps */
    };
    struct unmap unmap = unmap_new();
    struct vspace vspace;

    (void)state;
    space_start(&vspace);
    assert_int_equal(vspace_map_new(&vspace, PAGE(0), WRITE, NULL), STATUS_OK);
    assert_int_equal(vspace_map_new(&vspace, LAST_PAGE, WRITE, NULL), STATUS_OK);
    for (unsigned i = 0; i < ARRAY_COUNT(refused); i++) {
        assert_int_equal(vspace_unmap(&vspace, refused[i].page, refused[i].pages, &unmap),
                         refused[i].status);
        assert_int_equal(vspace_protect(&vspace, refused[i].page, refused[i].pages, 0, &unmap),
                         refused[i].status);
    }
    assert_int_equal(vspace_protect(&vspace, PAGE(0), 1, WRITE | EXECUTE, &unmap),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(vspace_protect(&vspace, PAGE(0), 1, ARCH_PAGE_SHARED, &unmap),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(vspace_protect(&vspace, PAGE(0), 2, 0, &unmap), STATUS_NOT_FOUND);
    assert_int_equal(flags_of(&vspace, PAGE(0)), WRITE);
    assert_int_equal(completions, 0);
    assert_int_equal(space_page_count(space_of(&vspace.arch)), 2);
    space_end(&vspace, machine_free_frames() + vspace.frames);
}

static void unmaps_pass_over_holes_and_foreign_frames(void **state)
{
    struct unmap unmap = unmap_new();
    struct vspace vspace;
    uint64_t before;
    paddr_t foreign;

    (void)state;
    space_start(&vspace);
    assert_int_equal(frame_alloc(&foreign), STATUS_OK);
    assert_int_equal(vspace_map_new(&vspace, PAGE(0), WRITE, NULL), STATUS_OK);
    assert_int_equal(vspace_map_shared(&vspace, PAGE(2), WRITE, foreign), STATUS_OK);
    assert_int_equal(vspace_map_new(&vspace, PAGE(15), WRITE, NULL), STATUS_OK);
    assert_int_equal(vspace_map_new(&vspace, PAGE(16), WRITE, NULL), STATUS_OK);
    check_space(&vspace);
    before = machine_free_frames();
    assert_int_equal(vspace_unmap(&vspace, PAGE(0), 16, &unmap), STATUS_OK);
    assert_int_equal(completions, 1);
    assert_int_equal(machine_free_frames(), before + 2);
    assert_false(frame_is_available(foreign));
    assert_int_equal(space_page_count(space_of(&vspace.arch)), 1);
    check_space(&vspace);
    unmap = unmap_new();
    assert_int_equal(vspace_unmap(&vspace, PAGE(0), 16, &unmap), STATUS_OK); /* nothing there */
    unmap = unmap_new();
    assert_int_equal(vspace_unmap(&vspace, PAGE(16), 0, &unmap), STATUS_OK);
    assert_int_equal(completions, 3);
    frame_free(foreign);
    space_end(&vspace, machine_free_frames() + vspace.frames);
}

static void protects_keep_whose_frame_it_is(void **state)
{
    struct unmap unmap = unmap_new();
    struct vspace vspace;
    paddr_t foreign;

    (void)state;
    space_start(&vspace);
    assert_int_equal(frame_alloc(&foreign), STATUS_OK);
    assert_int_equal(vspace_map_shared(&vspace, PAGE(0), WRITE, foreign), STATUS_OK);
    assert_int_equal(vspace_map_new(&vspace, PAGE(1), WRITE, NULL), STATUS_OK);
    assert_int_equal(vspace_protect(&vspace, PAGE(0), 2, EXECUTE, &unmap), STATUS_OK);
    assert_int_equal(completions, 1);
    assert_int_equal(flags_of(&vspace, PAGE(0)), EXECUTE | ARCH_PAGE_SHARED);
    assert_int_equal(flags_of(&vspace, PAGE(1)), EXECUTE);
    check_space(&vspace);
    space_end(&vspace, machine_free_frames() + vspace.frames);
    frame_free(foreign);
}

/* ---- teardown -------------------------------------------------------------------------------- */

static void teardowns_are_bounded_and_return_everything(void **state)
{
    struct vspace vspace;
    uint64_t before;
    uint64_t last;
    unsigned steps = 0;

    (void)state;
    machine_start("");
    before = machine_free_frames();
    assert_int_equal(vspace_create(&vspace), STATUS_OK);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(vspace_map_new(&vspace, PAGE(i * 70), WRITE, NULL), STATUS_OK);
    }
    check_space(&vspace);
    do {
        last = machine_free_frames();
        steps++;
        assert_true(steps < 100);
    } while (vspace_teardown_step(&vspace) && machine_free_frames() - last <= VSPACE_STEP_PAGES);
    assert_int_equal(machine_free_frames(), before);
    assert_true(steps > 100 / VSPACE_STEP_PAGES);
    machine_check();
}

static void call_teardown(void *argument)
{
    (void)vspace_teardown_step(argument);
}

static void teardown_of_an_active_space_asserts(void **state)
{
    struct vspace vspace;

    (void)state;
    space_start(&vspace);
    activate_on(3, &vspace);
    assert_true(test_asserts(call_teardown, &vspace));
    activate_on(3, NULL);
    space_end(&vspace, machine_free_frames() + vspace.frames);
}

/* ---- shootdown ------------------------------------------------------------------------------- */

static void spaces_that_are_active_nowhere_else_wait_for_nobody(void **state)
{
    struct unmap unmap = unmap_new();
    struct vspace vspace;

    (void)state;
    space_start(&vspace);
    activate_on(0, &vspace);
    assert_int_equal(vspace_map_new(&vspace, PAGE(0), WRITE, NULL), STATUS_OK);
    assert_non_null(machine_translate(0, PAGE(0), true));
    assert_int_equal(vspace_unmap(&vspace, PAGE(0), 1, &unmap), STATUS_OK);
    assert_int_equal(completions, 1);
    assert_null(machine_translate(0, PAGE(0), true)); /* its own translation went at once */
    for (unsigned i = 0; i < MACHINE_CPUS; i++) {
        assert_false(machine_cpu[i].interrupt);
    }
    activate_on(0, NULL);
    check_space(&vspace);
    space_end(&vspace, machine_free_frames() + vspace.frames);
}

/* The frame stays in quarantine, and a stale translation usable, until the last CPU has answered.
 */
static void frames_wait_for_the_last_cpu(void **state)
{
    static const unsigned orders[6][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3},
                                          {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
    struct frames_census census;
    struct vspace vspace;
    struct unmap unmap;
    uint64_t before;
    paddr_t frame;

    (void)state;
    for (unsigned o = 0; o < ARRAY_COUNT(orders); o++) {
        space_start(&vspace);
        before = machine_free_frames();
        unmap = unmap_new();
        for (unsigned i = 0; i < MACHINE_CPUS; i++) {
            activate_on(i, &vspace);
        }
        assert_int_equal(vspace_map_new(&vspace, PAGE(0), WRITE, &frame), STATUS_OK);
        for (unsigned i = 0; i < MACHINE_CPUS; i++) {
            assert_non_null(machine_translate(i, PAGE(0), true));
        }
        assert_int_equal(vspace_unmap(&vspace, PAGE(0), 1, &unmap), STATUS_OK);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(completions, 0);
            assert_false(frame_is_available(frame));
            assert_int_equal(shootdown_quarantine_frames(), 1);
            frames_census_take(&census);
            assert_int_equal(census.quarantine, 1);
            assert_non_null(machine_translate(orders[o][i], PAGE(0), true)); /* stale */
            check_space(&vspace);
            assert_true(machine_interrupt_take(orders[o][i]));
            assert_null(machine_translate(orders[o][i], PAGE(0), true));
        }
        assert_int_equal(completions, 1);
        assert_int_equal(completion_cpu, orders[o][2]); /* the one that noticed */
        assert_true(frame_is_available(frame));
        for (unsigned i = 0; i < MACHINE_CPUS; i++) {
            activate_on(i, NULL);
        }
        space_end(&vspace, before + 1);
    }
}

static void changing_the_space_counts_as_an_answer(void **state)
{
    struct vspace vspace;
    struct vspace other;
    struct unmap unmap = unmap_new();

    (void)state;
    space_start(&vspace);
    assert_int_equal(vspace_create(&other), STATUS_OK);
    activate_on(1, &vspace);
    activate_on(2, &vspace);
    assert_int_equal(vspace_map_new(&vspace, PAGE(0), WRITE, NULL), STATUS_OK);
    assert_int_equal(vspace_unmap(&vspace, PAGE(0), 1, &unmap), STATUS_OK);
    activate_on(1, &other); /* flushes, but does not look: its interrupt is on the way */
    assert_int_equal(completions, 0);
    assert_true(machine_interrupt_take(2));
    assert_int_equal(completions, 1);
    machine_cpu[1].flushes = 0;
    assert_true(machine_interrupt_take(1));
    assert_int_equal(machine_cpu[1].flushes, 0); /* nothing left to flush */
    activate_on(1, NULL);
    activate_on(2, NULL);
    while (vspace_teardown_step(&other)) {
    }
    space_end(&vspace, machine_free_frames() + vspace.frames);
}

/* Many are pending, one answer completes only a batch, and goes on in further interrupts. */
static void answers_are_bounded(void **state)
{
    enum { UNMAPS = 3 * SHOOTDOWN_BATCH + 2 };
    struct unmap unmap[UNMAPS];
    struct vspace vspace;
    unsigned interrupts = 0;

    (void)state;
    space_start(&vspace);
    activate_on(1, &vspace);
    for (unsigned i = 0; i < UNMAPS; i++) {
        unmap[i] = unmap_new();
        assert_int_equal(vspace_map_new(&vspace, PAGE(i), WRITE, NULL), STATUS_OK);
        assert_int_equal(vspace_unmap(&vspace, PAGE(i), 1, &unmap[i]), STATUS_OK);
    }
    assert_int_equal(completions, 0);
    check_space(&vspace);
    while (machine_interrupt_take(1)) {
        interrupts++;
        assert_true(completions <= interrupts * SHOOTDOWN_BATCH);
    }
    assert_int_equal(completions, UNMAPS);
    assert_int_equal(interrupts, UNMAPS / SHOOTDOWN_BATCH + 1);
    assert_int_equal(machine_cpu[1].flushes, 1); /* one covered them all */
    activate_on(1, NULL);
    space_end(&vspace, machine_free_frames() + vspace.frames);
}

/* A later unmap that waits for fewer CPUs stays behind the head, and is found with it. */
static void slow_heads_are_completed_in_order(void **state)
{
    struct vspace slow;
    struct vspace fast;
    struct unmap first = unmap_new();
    struct unmap second = unmap_new();

    (void)state;
    space_start(&slow);
    assert_int_equal(vspace_create(&fast), STATUS_OK);
    activate_on(1, &slow);
    activate_on(2, &fast);
    assert_int_equal(vspace_map_new(&slow, PAGE(0), WRITE, NULL), STATUS_OK);
    assert_int_equal(vspace_map_new(&fast, PAGE(0), WRITE, NULL), STATUS_OK);
    assert_int_equal(vspace_unmap(&slow, PAGE(0), 1, &first), STATUS_OK);
    assert_int_equal(vspace_unmap(&fast, PAGE(0), 1, &second), STATUS_OK);
    assert_true(machine_interrupt_take(2));
    assert_int_equal(completions, 0);
    assert_int_equal(shootdown_check(), 0);
    assert_true(machine_interrupt_take(1));
    assert_int_equal(completions, 2);
    activate_on(1, NULL);
    activate_on(2, NULL);
    while (vspace_teardown_step(&fast)) {
    }
    space_end(&slow, machine_free_frames() + slow.frames);
}

static struct vspace *nested_vspace;
static struct unmap nested_unmap;

static void unmap_nests(struct unmap *unmap)
{
    (void)unmap;
    assert_int_equal(vspace_unmap(nested_vspace, PAGE(1), 1, &nested_unmap), STATUS_OK);
}

static void call_nesting_unmap(void *argument)
{
    assert_int_equal(vspace_unmap(nested_vspace, PAGE(0), 1, argument), STATUS_OK);
}

static void call_unmap_with_a_lock(void *argument)
{
    struct spinlock lock;

    spinlock_init(&lock, LOCK_RANK_ENDPOINT, 0);
    spinlock_lock(&lock);
    assert_int_equal(vspace_unmap(nested_vspace, PAGE(1), 1, argument), STATUS_OK);
}

static void completions_do_not_nest_and_hold_no_lock(void **state)
{
    struct unmap unmap = {.complete = unmap_nests};
    struct vspace vspace;

    (void)state;
    space_start(&vspace);
    nested_vspace = &vspace;
    assert_true(test_asserts(call_nesting_unmap, &unmap));
    space_start(&vspace);
    assert_true(test_asserts(call_unmap_with_a_lock, &nested_unmap));
}

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
    uint8_t buffer[3 * FRAME_BYTES];

    (void)state;
    race_start();
    assert_int_equal(user_copy_in(&race_space, buffer, range_of(PAGE(0), sizeof buffer)),
                     STATUS_FAULT);
    assert_true(race_acted);
    assert_non_null(strstr(machine_log, "the copy was refused"));
    race_end();
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

/* ---- checks ---------------------------------------------------------------------------------- */

/* Breaks each invariant in turn and sees its number. */
static void checks_name_what_is_broken(void **state)
{
    struct vspace vspace;
    struct machine_entry *entry;
    uint64_t word;
    struct unmap unmap = unmap_new();

    (void)state;
    space_start(&vspace);
    activate_on(1, &vspace);
    assert_int_equal(vspace_map_new(&vspace, PAGE(0), WRITE, NULL), STATUS_OK);
    assert_int_equal(vspace_check(&vspace), 0);
    vspace.frames++;
    assert_int_equal(vspace_check(&vspace), 1);
    vspace.frames--;
    entry = space_find(space_of(&vspace.arch), PAGE(0));
    word = entry->word;
    entry->word |= EXECUTE << 1;
    assert_int_equal(vspace_check(&vspace), 2);
    entry->word = word;
    entry->page = LIMIT_USER_MAX;
    assert_int_equal(vspace_check(&vspace), 2);
    entry->page = PAGE(0);
    vspace.active |= 4;
    assert_int_equal(vspace_check(&vspace), 3);
    vspace.active = 0;
    assert_int_equal(vspace_check(&vspace), 3);
    vspace.active = 2;
    assert_int_equal(vspace_unmap(&vspace, PAGE(0), 1, &unmap), STATUS_OK);
    assert_int_equal(shootdown_check(), 0);
    unmap.frame_count = 2;
    assert_int_equal(shootdown_check(), 3);
    unmap.frame_count = 1;
    unmap.waiting = 0;
    assert_int_equal(shootdown_check(), 2);
    unmap.waiting = 2;
    unmap.ticket++;
    assert_int_equal(shootdown_check(), 1);
    unmap.ticket--;
    cpus[3]->shootdown_seen = 2;
    assert_int_equal(shootdown_check(), 4);
    cpus[3]->shootdown_seen = 0;
    machine_settle();
    activate_on(1, NULL);
    space_end(&vspace, machine_free_frames() + vspace.frames);
}

/* ---- a long random life ---------------------------------------------------------------------- */

enum {
    LIFE_SPACES = 3,
    LIFE_UNMAPS = 24,
};

struct life {
    struct test_random random;
    struct vspace space[LIFE_SPACES];
    struct unmap unmap[LIFE_UNMAPS];
    bool pending[LIFE_UNMAPS];
};

static struct life life;

static void life_completed(struct unmap *unmap)
{
    unsigned i = (unsigned)(unmap - life.unmap);

    assert_true(life.pending[i]);
    life.pending[i] = false;
}

static struct unmap *life_free_unmap(void)
{
    for (unsigned i = 0; i < LIFE_UNMAPS; i++) {
        if (!life.pending[i]) {
            life.unmap[i].complete = life_completed;
            life.pending[i] = true;
            return &life.unmap[i];
        }
    }
    return NULL;
}

static void life_change(struct vspace *vspace, vaddr_t page, unsigned pages)
{
    static const unsigned flags[3] = {0, WRITE, EXECUTE};
    struct unmap *unmap = life_free_unmap();
    enum status status;

    if (unmap == NULL) {
        return;
    }
    if (test_random_one_in(&life.random, 2)) {
        status = vspace_unmap(vspace, page, pages, unmap);
        assert_int_equal(status, STATUS_OK);
    } else {
        status =
            vspace_protect(vspace, page, pages, flags[test_random_below(&life.random, 3)], unmap);
    }
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_NOT_FOUND);
        life.pending[unmap - life.unmap] = false;
    }
}

static void life_map(struct vspace *vspace, vaddr_t page)
{
    unsigned flags = test_random_one_in(&life.random, 2) ? WRITE : 0;
    enum status status = vspace_map_new(vspace, page, flags, NULL);

    assert_true(status == STATUS_OK || status == STATUS_EXISTS || status == STATUS_NO_MEMORY);
}

static void life_step(void)
{
    struct vspace *vspace = &life.space[test_random_below(&life.random, LIFE_SPACES)];
    vaddr_t page = PAGE(test_random_below(&life.random, 40) * 13);
    unsigned pages = (unsigned)test_random_below(&life.random, VSPACE_STEP_PAGES + 1);
    unsigned cpu = (unsigned)test_random_below(&life.random, MACHINE_CPUS);

    machine_this = cpu;
    switch (test_random_below(&life.random, 8)) {
    case 0:
        vspace_activate(test_random_one_in(&life.random, 4) ? NULL : vspace);
        break;
    case 1:
    case 2:
        (void)machine_interrupt_take(cpu);
        break;
    case 3:
        life_change(vspace, page, pages);
        break;
    case 4:
    case 5:
        life_map(vspace, page);
        break;
    default:
        (void)machine_translate(cpu, page, test_random_one_in(&life.random, 2));
        break;
    }
}

static void life_end(uint64_t free_frames)
{
    for (unsigned i = 0; i < MACHINE_CPUS; i++) {
        activate_on(i, NULL);
    }
    machine_settle();
    for (unsigned i = 0; i < LIFE_UNMAPS; i++) {
        assert_false(life.pending[i]);
    }
    for (unsigned i = 0; i < LIFE_SPACES; i++) {
        while (vspace_teardown_step(&life.space[i])) {
        }
    }
    assert_int_equal(machine_free_frames(), free_frames);
    machine_check();
}

static void random_lives_return_every_frame(void **state)
{
    uint64_t before;

    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        machine_start("");
        memset(&life, 0, sizeof life);
        test_random_init(&life.random, seed);
        before = machine_free_frames();
        for (unsigned i = 0; i < LIFE_SPACES; i++) {
            assert_int_equal(vspace_create(&life.space[i]), STATUS_OK);
        }
        if (seed % 3 == 2) {
            machine_memory_leave(30);
        }
        for (unsigned step = 0; step < 2000; step++) {
            life_step();
            machine_check_buffers();
            if (step % 64 == 0) {
                for (unsigned i = 0; i < LIFE_SPACES; i++) {
                    check_space(&life.space[i]);
                }
            }
        }
        machine_memory_return();
        life_end(before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_refused_by_rule),
        cmocka_unit_test(new_pages_are_zero_and_counted),
        cmocka_unit_test(refused_and_shared_maps_cost_no_page),
        cmocka_unit_test(maps_do_not_zero_their_reserve_again),
        cmocka_unit_test(maps_survive_exhaustion_at_every_allocation),
        cmocka_unit_test(unmaps_and_protects_are_refused_by_rule),
        cmocka_unit_test(unmaps_pass_over_holes_and_foreign_frames),
        cmocka_unit_test(protects_keep_whose_frame_it_is),
        cmocka_unit_test(teardowns_are_bounded_and_return_everything),
        cmocka_unit_test(teardown_of_an_active_space_asserts),
        cmocka_unit_test(spaces_that_are_active_nowhere_else_wait_for_nobody),
        cmocka_unit_test(frames_wait_for_the_last_cpu),
        cmocka_unit_test(changing_the_space_counts_as_an_answer),
        cmocka_unit_test(answers_are_bounded),
        cmocka_unit_test(slow_heads_are_completed_in_order),
        cmocka_unit_test(completions_do_not_nest_and_hold_no_lock),
        cmocka_unit_test(ranges_outside_the_user_half_are_refused),
        cmocka_unit_test(permissions_are_those_of_every_page),
        cmocka_unit_test(copies_cross_pages),
        cmocka_unit_test(refused_copies_move_nothing),
        cmocka_unit_test(copies_of_a_page_unmapped_meanwhile_fail),
        cmocka_unit_test(copies_through_a_stale_translation_are_complete),
        cmocka_unit_test(lonely_races_end_by_the_clock),
        cmocka_unit_test(checks_name_what_is_broken),
        cmocka_unit_test(random_lives_return_every_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
