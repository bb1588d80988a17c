/* SPDX-License-Identifier: MIT */
/*
 * Shootdowns on the small machine: stale translations, and the orders in which CPUs answer.
 */
#include "tests/host/mem_space.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spaces_that_are_active_nowhere_else_wait_for_nobody),
        cmocka_unit_test(frames_wait_for_the_last_cpu),
        cmocka_unit_test(changing_the_space_counts_as_an_answer),
        cmocka_unit_test(answers_are_bounded),
        cmocka_unit_test(slow_heads_are_completed_in_order),
        cmocka_unit_test(completions_do_not_nest_and_hold_no_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
