/* SPDX-License-Identifier: MIT */
/*
 * Address spaces on the small machine: refusals, memory exhaustion at every allocation, teardown,
 * and long random lives.
 */
#include "tests/host/mem_space.h"

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
    assert_int_equal(vspace.frames, 1 + 3 + 1);
    assert_int_equal(vspace_map_new(&vspace, PAGE(1), EXECUTE, NULL), STATUS_OK);
    assert_int_equal(vspace.frames, 1 + 3 + 2);
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
        cmocka_unit_test(checks_name_what_is_broken),
        cmocka_unit_test(random_lives_return_every_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
