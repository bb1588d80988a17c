/* SPDX-License-Identifier: MIT */
/* Physical memory: what boots are refused, who gets which frame, and that each is accounted for. */
#include "tests/host/mem_machine.h"

#define DIRT 0x77

static bool frame_is_zero(paddr_t frame)
{
    for (unsigned i = 0; i < FRAME_BYTES; i++) {
        if (machine_memory[frame + i] != 0) {
            return false;
        }
    }
    return true;
}

/* Whether `frame` touches memory that was in use at boot. */
static bool frame_is_reserved(paddr_t frame)
{
    paddr_t end = frame + FRAME_BYTES;

    return frame == 0 || (frame < MACHINE_KERNEL_END && end > MACHINE_KERNEL) ||
           (frame < 0xa000 && end > 0x8000) ||
           (frame < MACHINE_MODULE + MACHINE_MODULE_BYTES && end > MACHINE_MODULE) ||
           (frame < 0x100000 && end > 0x9f000) || frame >= MACHINE_BYTES - 0x10000;
}

static void boot_counts_every_frame(void **state)
{
    struct frames_census census;
    uint64_t usable = 0x9f + (MACHINE_BYTES - 0x110000) / FRAME_BYTES;

    (void)state;
    machine_start("");
    frames_census_take(&census);
    assert_int_equal(census.total, usable);
    /* frame 0, two of the trampoline's, the kernel, the module, the bitmap */
    assert_int_equal(census.bitmap_bytes, 8 * (64 + 1));
    assert_int_equal(census.reserved, 1 + 2 + 0x80 + 6 + 1);
    assert_int_equal(frames_reserved_for_data(), 6 + 1);
    assert_int_equal(census.free, census.total - census.reserved);
    assert_int_equal(census.cached + census.quarantine + census.owned, 0);
    machine_check();
}

static void every_frame_is_handed_out_once_and_zero(void **state)
{
    static bool seen[MACHINE_FRAMES];
    uint64_t before;

    (void)state;
    machine_start("");
    memset(seen, 0, sizeof seen);
    before = machine_free_frames();
    machine_memory_leave(0);
    assert_int_equal(machine_taken_count, before);
    assert_int_equal(machine_free_frames(), 0);
    for (unsigned i = 0; i < machine_taken_count; i++) {
        paddr_t frame = machine_taken[i];

        assert_false(frame_is_reserved(frame));
        assert_false(seen[frame / FRAME_BYTES]);
        assert_true(frame_is_zero(frame));
        seen[frame / FRAME_BYTES] = true;
        memset(machine_memory + frame, DIRT, FRAME_BYTES);
    }
    machine_check();
    machine_memory_return();
    assert_int_equal(machine_free_frames(), before);
    machine_memory_leave(0);
    for (unsigned i = 0; i < machine_taken_count; i++) {
        assert_true(frame_is_zero(machine_taken[i]));
    }
    machine_memory_return();
    machine_check();
}

/* Boots with one usable range, the kernel and the module inside or beside it. */
static const char *boot_refusal(uint64_t start, uint64_t length)
{
    const struct boot_range range = {start, length, BOOT_RANGE_USABLE};

    machine_cpus_reset();
    boot_info_init(&machine_boot, BOOT_SOURCE_HOST);
    assert_int_equal(boot_info_add_range(&machine_boot, &range), BOOT_OK);
    assert_int_equal(boot_info_add_module(&machine_boot, MACHINE_MODULE, MACHINE_MODULE_BYTES),
                     BOOT_OK);
    machine_refusal_reason = NULL;
    if (setjmp(machine_refusal) == 0) {
        frames_init(&machine_boot);
    }
    return machine_refusal_reason;
}

static void boots_without_memory_are_refused(void **state)
{
    (void)state;
    assert_non_null(strstr(boot_refusal(0x100000, 0x80000), "frame bitmap"));
    assert_non_null(strstr(boot_refusal(0x180000, 0x1000), "1 MiB"));
    /* The module takes 6 frames, the bitmap 1, and 256 have to be left. */
    assert_non_null(strstr(boot_refusal(0x200000, (256 + 6) * FRAME_BYTES), "1 MiB"));
    assert_null(boot_refusal(0x200000, (256 + 7) * FRAME_BYTES));
    assert_null(boot_refusal(0x180000, 0x80000 + (6 + 129) * FRAME_BYTES));
    assert_int_equal(machine_free_frames(), 0x80 + 129 - 1);
}

static void caches_are_bounded_and_drained(void **state)
{
    struct frames_census census;
    uint64_t before;
    paddr_t frame[100];

    (void)state;
    machine_start("");
    before = machine_free_frames();
    for (unsigned i = 0; i < ARRAY_COUNT(frame); i++) {
        assert_int_equal(frame_alloc(&frame[i]), STATUS_OK);
    }
    frames_census_take(&census);
    assert_int_equal(census.owned, ARRAY_COUNT(frame));
    machine_this = 1; /* given back on another CPU */
    for (unsigned i = 0; i < ARRAY_COUNT(frame); i++) {
        frame_free(frame[i]);
        assert_true(machine_cpu[1].cpu.frame_cache_count <= CPU_FRAME_CACHE);
    }
    frames_census_take(&census);
    assert_int_equal(census.owned, 0);
    assert_true(census.cached >= CPU_FRAME_CACHE / 2);
    machine_check();
    for (machine_this = 0; machine_this < MACHINE_CPUS; machine_this++) {
        frames_cache_drain();
    }
    machine_this = 0;
    frames_census_take(&census);
    assert_int_equal(census.cached, 0);
    assert_int_equal(census.free, before);
}

/* What lies in other CPUs' caches is not lost to a CPU that needs it. */
static void memory_is_exhausted_only_when_none_is_left(void **state)
{
    paddr_t frame[3 * 5];
    paddr_t none;

    (void)state;
    machine_start("");
    machine_memory_leave(0);
    for (unsigned i = 0; i < ARRAY_COUNT(frame); i++) {
        machine_this = 1 + i % 3;
        frame_free(machine_taken[--machine_taken_count]);
    }
    machine_this = 0;
    for (unsigned i = 0; i < ARRAY_COUNT(frame); i++) {
        assert_int_equal(frame_alloc(&frame[i]), STATUS_OK);
    }
    assert_int_equal(frame_alloc(&none), STATUS_NO_MEMORY);
    machine_check();
    for (unsigned i = 0; i < ARRAY_COUNT(frame); i++) {
        machine_this = i % MACHINE_CPUS; /* over the holes that were left */
        frame_free(frame[i]);
    }
    machine_memory_return();
    machine_check();
}

static void reserves_are_filled_wholly_or_not_at_all(void **state)
{
    (void)state;
    machine_start("");
    for (unsigned left = 0; left <= 6; left++) {
        struct frame_reserve reserve = {.count = 0};
        enum status status;

        machine_memory_leave(left);
        status = frame_reserve_fill(&reserve, 5);
        assert_int_equal(status, left >= 5 ? STATUS_OK : STATUS_NO_MEMORY);
        assert_int_equal(reserve.count, left >= 5 ? 5 : 0);
        assert_int_equal(machine_free_frames(), left - reserve.count);
        for (unsigned i = 0; i < reserve.count; i++) {
            assert_true(frame_is_zero(reserve.frame[i]));
        }
        frame_reserve_release(&reserve);
        assert_int_equal(reserve.count, 0);
        assert_int_equal(machine_free_frames(), left);
        machine_memory_return();
    }
    machine_check();
}

static void call_frame_alloc(void *argument)
{
    paddr_t *frame = argument;

    assert_int_equal(frame_alloc(frame), STATUS_OK);
}

/* A frame of a reserve is trusted to be zero when it comes back; debug kernels look. */
static void reserved_frames_written_to_are_noticed(void **state)
{
    struct frame_reserve reserve = {.count = 0};
    paddr_t frame;

    (void)state;
    machine_start("");
    assert_int_equal(frame_reserve_fill(&reserve, 1), STATUS_OK);
    frame = reserve.frame[0];
    frame_reserve_release(&reserve);
    machine_memory[frame + 2049] = 1;
    assert_int_equal(frames_check(), 3);
    assert_true(test_asserts(call_frame_alloc, &frame));
}

static void call_frame_free(void *argument)
{
    frame_free(*(paddr_t *)argument);
}

static void double_frees_assert(void **state)
{
    paddr_t frame;
    paddr_t odd;

    (void)state;
    machine_start("");
    assert_int_equal(frame_alloc(&frame), STATUS_OK);
    frame_free(frame);
    assert_true(test_asserts(call_frame_free, &frame));
    machine_this = 2; /* while it lies in another CPU's cache */
    assert_true(test_asserts(call_frame_free, &frame));
    machine_this = 0;
    odd = frame + 8;
    assert_true(test_asserts(call_frame_free, &odd));
    odd = 0;
    assert_true(test_asserts(call_frame_free, &odd));
    odd = MACHINE_BYTES;
    assert_true(test_asserts(call_frame_free, &odd));
}

static void drain_all(void *argument)
{
    (void)argument;
    frames_cache_drain();
}

/* A release kernel does not look at the other caches; the bitmap still notices. */
static void double_frees_past_the_cache_assert_at_the_drain(void **state)
{
    paddr_t frame;

    (void)state;
    machine_start("");
    assert_int_equal(frame_alloc(&frame), STATUS_OK);
    frame_free(frame);
    frames_cache_drain();
    frame_free(frame);
    assert_int_equal(frames_check(), 2);
    assert_true(test_asserts(drain_all, NULL));
}

static void contiguous_frames_are_aligned_and_zero(void **state)
{
    static const unsigned counts[] = {1, 2, 7, 64, 300};
    uint64_t before;
    paddr_t first;

    (void)state;
    machine_start("");
    before = machine_free_frames();
    for (unsigned i = 0; i < ARRAY_COUNT(counts); i++) {
        for (unsigned align = 1; align <= 256; align *= 4) {
            assert_int_equal(frame_alloc_contiguous(counts[i], align, &first), STATUS_OK);
            assert_int_equal(first % (align * FRAME_BYTES), 0);
            assert_int_equal(machine_free_frames(), before - counts[i]);
            for (unsigned f = 0; f < counts[i]; f++) {
                assert_true(frame_is_zero(first + (paddr_t)f * FRAME_BYTES));
                assert_false(frame_is_reserved(first + (paddr_t)f * FRAME_BYTES));
                memset(machine_memory + first + (paddr_t)f * FRAME_BYTES, DIRT, FRAME_BYTES);
                frame_free(first + (paddr_t)f * FRAME_BYTES);
            }
        }
    }
    assert_int_equal(frame_alloc_contiguous(MACHINE_FRAMES, 1, &first), STATUS_NO_MEMORY);
    assert_int_equal(machine_free_frames(), before);
    machine_check();
}

static int frame_order(const void *a, const void *b)
{
    const paddr_t *left = a;
    const paddr_t *right = b;

    return (*left > *right) - (*left < *right);
}

/* A run is found step by step behind many that are too short, where it is and nowhere else. */
static void runs_are_searched_in_steps(void **state)
{
    enum { LONG = 6, HOLES = 40 };
    static paddr_t taken[MACHINE_FRAMES];
    unsigned count = 0;
    unsigned steps = 0;
    uint64_t from = 0;
    paddr_t expected;
    paddr_t first;
    enum status status;

    (void)state;
    machine_start("");
    while (frame_alloc(&taken[count]) == STATUS_OK) {
        count++;
    }
    qsort(taken, count, sizeof(taken[0]), frame_order);
    /* Every other of the first is free, then LONG in a row. */
    for (unsigned i = 0; i < HOLES; i++) {
        frame_free(taken[2 * i]);
    }
    expected = taken[2 * HOLES + 1];
    for (unsigned i = 1; i <= LONG; i++) {
        assert_int_equal(taken[2 * HOLES + i], expected + (i - 1) * FRAME_BYTES);
        frame_free(taken[2 * HOLES + i]);
    }
    while ((status = frame_run_take(LONG, &from, &first)) == STATUS_BUSY) {
        steps++;
    }
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(first, expected);
    assert_in_range(steps, 5, HOLES);
    from = 0;
    while ((status = frame_run_take(2, &from, &first)) == STATUS_BUSY) {
    }
    assert_int_equal(status, STATUS_NO_MEMORY);
    frame_clear(expected);
    assert_true(frame_is_zero(expected));
    machine_check();
}

/* One step of the property test: `owner` holds the frames that are out. */
struct owned_frames {
    paddr_t frame[MACHINE_FRAMES];
    unsigned count;
};

static void owned_take(struct owned_frames *owned, paddr_t frame)
{
    for (unsigned i = 0; i < owned->count; i++) {
        assert_true(owned->frame[i] != frame);
    }
    assert_true(frame_is_zero(frame));
    machine_memory[frame + frame / FRAME_BYTES % FRAME_BYTES] = DIRT;
    owned->frame[owned->count++] = frame;
}

static void owned_give(struct owned_frames *owned, uint64_t which)
{
    frame_free(owned->frame[which]);
    owned->frame[which] = owned->frame[--owned->count];
}

static void property_step(struct test_random *random, struct owned_frames *owned)
{
    struct frame_reserve reserve = {.count = 0};
    paddr_t frame;

    machine_this = (unsigned)test_random_below(random, MACHINE_CPUS);
    switch (test_random_below(random, 12)) {
    case 0:
        frames_cache_drain();
        break;
    case 1:
        if (frame_reserve_fill(&reserve, (unsigned)test_random_below(random, 9)) == STATUS_OK) {
            while (reserve.count > 0 && test_random_one_in(random, 2)) {
                owned_take(owned, reserve.frame[--reserve.count]);
            }
            frame_reserve_release(&reserve);
        }
        break;
    case 2:
        if (frame_alloc_contiguous(3, 4, &frame) == STATUS_OK) {
            for (unsigned i = 0; i < 3; i++) {
                owned_take(owned, frame + i * FRAME_BYTES);
            }
        }
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        if (frame_alloc(&frame) == STATUS_OK) {
            owned_take(owned, frame);
        }
        break;
    default:
        if (owned->count > 0) {
            owned_give(owned, test_random_below(random, owned->count));
        }
        break;
    }
}

static void any_order_keeps_the_census(void **state)
{
    static struct owned_frames owned;
    struct test_random random;
    uint64_t before;

    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        test_random_init(&random, seed);
        machine_start("");
        owned.count = 0;
        before = machine_free_frames();
        if (seed % 2 == 1) { /* little memory: exhaustion on every path */
            machine_memory_leave(60);
            before = 60;
        }
        for (unsigned step = 0; step < 4000; step++) {
            property_step(&random, &owned);
            assert_int_equal(machine_free_frames(), before - owned.count);
            if (step % 500 == 0) {
                machine_check();
            }
        }
        while (owned.count > 0) {
            owned_give(&owned, owned.count - 1);
        }
        assert_int_equal(machine_free_frames(), before);
        machine_memory_return();
        machine_check();
    }
}

/* Breaks each invariant in turn and sees its number. */
static void check_names_what_is_broken(void **state)
{
    struct cpu *cpu = &machine_cpu[0].cpu;
    paddr_t frame;

    (void)state;
    machine_start("");
    assert_int_equal(frame_alloc(&frame), STATUS_OK);
    assert_int_equal(frames_check(), 0);
    cpus[1]->frame_cache[0] = cpu->frame_cache[0];
    assert_int_equal(frames_check(), 5); /* the count says there is none */
    cpus[1]->frame_cache_count = 1;
    assert_int_equal(frames_check(), 2);
    cpus[1]->frame_cache[0] = MACHINE_BYTES - FRAME_BYTES * 0x20; /* free in the bitmap */
    assert_int_equal(frames_check(), 2);
    cpus[1]->frame_cache[0] = MACHINE_BYTES + FRAME_BYTES;
    assert_int_equal(frames_check(), 2);
    cpus[1]->frame_cache[0] = 1; /* frame 0, clean */
    assert_int_equal(frames_check(), 6);
    cpus[1]->frame_cache[0] = 0;
    assert_int_equal(frames_check(), 0); /* a hole below the count is what a taker leaves */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_counts_every_frame),
        cmocka_unit_test(every_frame_is_handed_out_once_and_zero),
        cmocka_unit_test(boots_without_memory_are_refused),
        cmocka_unit_test(caches_are_bounded_and_drained),
        cmocka_unit_test(memory_is_exhausted_only_when_none_is_left),
        cmocka_unit_test(reserves_are_filled_wholly_or_not_at_all),
        cmocka_unit_test(reserved_frames_written_to_are_noticed),
        cmocka_unit_test(double_frees_assert),
        cmocka_unit_test(double_frees_past_the_cache_assert_at_the_drain),
        cmocka_unit_test(contiguous_frames_are_aligned_and_zero),
        cmocka_unit_test(runs_are_searched_in_steps),
        cmocka_unit_test(any_order_keeps_the_census),
        cmocka_unit_test(check_names_what_is_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
