/* SPDX-License-Identifier: MIT */
/* Kernel object caches over frames: what they take, what they give back, and what they notice. */
#include "tests/host/mem_machine.h"

#include "kernel/mem/kmem.h"

struct small {
    uint64_t word[5];
};

struct wide {
    ALIGNED(64) uint8_t bytes[192];
};

enum {
    MANY = 500,
};

static struct kmem_cache small_cache;
static struct kmem_cache wide_cache;

static void caches_start(void)
{
    machine_start("");
    kmem_cache_init(&small_cache, "small", sizeof(struct small));
    kmem_cache_init(&wide_cache, "wide", sizeof(struct wide));
}

static void objects_are_zero_and_aligned(void **state)
{
    static void *object[MANY];
    uint64_t before;

    (void)state;
    caches_start();
    before = machine_free_frames();
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            struct kmem_cache *cache = i % 2 == 0 ? &small_cache : &wide_cache;
            size_t size = i % 2 == 0 ? sizeof(struct small) : sizeof(struct wide);
            uint8_t *byte = kmem_alloc(cache);

            assert_non_null(byte);
            assert_int_equal((uintptr_t)byte % (i % 2 == 0 ? 8 : 64), 0);
            for (size_t b = 0; b < size; b++) {
                assert_int_equal(byte[b], 0);
            }
            memset(byte, 0xdd, size);
            object[i] = byte;
        }
        assert_int_equal(kmem_in_use(&small_cache) + kmem_in_use(&wide_cache), MANY);
        assert_int_equal(machine_free_frames() + kmem_frames(), before);
        assert_int_equal(kmem_check(), 0);
        for (unsigned i = 0; i < MANY; i++) {
            kmem_free(i % 2 == 0 ? &small_cache : &wide_cache, object[i]);
        }
        assert_int_equal(kmem_in_use(&small_cache) + kmem_in_use(&wide_cache), 0);
        assert_true(kmem_frames() <= 2); /* one empty page kept in each */
        assert_int_equal(machine_free_frames() + kmem_frames(), before);
        assert_int_equal(kmem_check(), 0);
    }
    kmem_reclaim();
    assert_int_equal(kmem_frames(), 0);
    assert_int_equal(machine_free_frames(), before);
    machine_check();
}

/* With n frames left the allocation of the frame after the nth fails. */
static void exhaustion_changes_nothing(void **state)
{
    static void *object[MANY];

    (void)state;
    for (unsigned n = 0; n < 4; n++) {
        unsigned count = 0;

        caches_start();
        machine_memory_leave(n);
        while ((object[count] = kmem_alloc(&wide_cache)) != NULL) {
            count++;
            assert_true(count < MANY);
        }
        assert_int_equal(count, n * wide_cache.slab.objects_in_page);
        assert_int_equal(kmem_in_use(&wide_cache), count);
        assert_int_equal(kmem_frames(), n);
        assert_int_equal(machine_free_frames(), 0);
        assert_int_equal(kmem_check(), 0);
        if (count > 0) { /* one comes back, and only one */
            kmem_free(&wide_cache, object[--count]);
            assert_non_null(object[count] = kmem_alloc(&wide_cache));
            assert_null(kmem_alloc(&wide_cache));
            count++;
        }
        while (count > 0) {
            kmem_free(&wide_cache, object[--count]);
        }
        kmem_reclaim();
        assert_int_equal(machine_free_frames(), n);
        machine_memory_return();
        machine_check();
    }
}

/* A page is not given back and taken again by an object that comes and goes. */
static void one_empty_page_is_kept(void **state)
{
    uint64_t before;

    (void)state;
    caches_start();
    kmem_free(&small_cache, kmem_alloc(&small_cache));
    before = machine_free_frames();
    assert_int_equal(kmem_frames(), 1);
    for (unsigned i = 0; i < 10; i++) {
        kmem_free(&small_cache, kmem_alloc(&small_cache));
        assert_int_equal(machine_free_frames(), before);
    }
}

struct bad_free {
    struct kmem_cache *cache;
    void *object;
};

static void call_free(void *argument)
{
    const struct bad_free *bad = argument;

    kmem_free(bad->cache, bad->object);
}

static void wrong_frees_assert(void **state)
{
    struct bad_free bad;
    uint8_t *object;

    (void)state;
    caches_start();
    object = kmem_alloc(&small_cache);
    bad = (struct bad_free){&small_cache, object + 8};
    assert_true(test_asserts(call_free, &bad));
    caches_start();
    object = kmem_alloc(&small_cache);
    bad = (struct bad_free){&wide_cache, object};
    assert_true(test_asserts(call_free, &bad));
    caches_start();
    object = kmem_alloc(&small_cache);
    kmem_free(&small_cache, object);
    bad = (struct bad_free){&small_cache, object};
    assert_true(test_asserts(call_free, &bad));
}

static void call_alloc(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < MANY; i++) {
        assert_non_null(kmem_alloc(&small_cache));
    }
}

static void uses_after_the_free_are_noticed(void **state)
{
    struct small *object;

    (void)state;
    caches_start();
    object = kmem_alloc(&small_cache);
    kmem_free(&small_cache, object);
    object->word[3] = 1;
    assert_true(test_asserts(call_alloc, NULL));
}

static void call_init_of_too_large(void *argument)
{
    kmem_cache_init(argument, "large", FRAME_BYTES);
}

static void objects_larger_than_a_page_are_refused(void **state)
{
    struct kmem_cache cache;

    (void)state;
    caches_start();
    assert_true(test_asserts(call_init_of_too_large, &cache));
}

static void check_notices_a_damaged_slab(void **state)
{
    (void)state;
    caches_start();
    assert_non_null(kmem_alloc(&small_cache));
    assert_int_equal(kmem_check(), 0);
    small_cache.slab.used_count++;
    assert_int_equal(kmem_check(), 1);
    small_cache.slab.used_count--;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_zero_and_aligned),
        cmocka_unit_test(exhaustion_changes_nothing),
        cmocka_unit_test(one_empty_page_is_kept),
        cmocka_unit_test(wrong_frees_assert),
        cmocka_unit_test(uses_after_the_free_are_noticed),
        cmocka_unit_test(objects_larger_than_a_page_are_refused),
        cmocka_unit_test(check_notices_a_damaged_slab),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
