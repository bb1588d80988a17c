/* SPDX-License-Identifier: MIT */
/* The runtime's heap and its thread-local blocks, against what was written into them. */
#include "tests/host/support.h"

#include "abi/start_info.h"
#include "user/rt/heap.c"
#include "user/rt/tls.c"

enum {
    HEAP_BYTES = 16 * 1024,
    HELD_MAX = 64,
    STEPS = 50000,
};

static ALIGNED(16) uint8_t memory[HEAP_BYTES];
static struct rt_heap heap;

struct held {
    uint8_t *bytes;
    size_t size;
    uint8_t pattern;
};

static void held_check(const struct held *held)
{
    for (size_t i = 0; i < held->size; i++) {
        assert_int_equal(held->bytes[i], held->pattern);
    }
}

static void allocations_keep_their_bytes(void **state)
{
    struct held held[HELD_MAX];
    struct test_random source;
    size_t count = 0;
    unsigned full = 0;

    (void)state;
    memset(memory, 0xee, sizeof(memory));
    rt_heap_init(&heap, memory, sizeof(memory));
    test_random_init(&source, 11);
    for (unsigned step = 0; step < STEPS; step++) {
        if (count < HELD_MAX && test_random_below(&source, 2) == 0) {
            size_t size = test_random_below(&source, 700);
            uint8_t *bytes = rt_heap_alloc(&heap, size);

            if (bytes == NULL) {
                full++;
                continue;
            }
            assert_int_equal((uintptr_t)bytes % HEAP_ALIGNMENT, 0);
            for (size_t i = 0; i < size; i++) {
                assert_int_equal(bytes[i], 0);
            }
            held[count] = (struct held){bytes, size, (uint8_t)(step | 1)};
            memset(bytes, held[count].pattern, size);
            count++;
        } else if (count > 0) {
            size_t at = test_random_below(&source, count);

            held_check(&held[at]);
            rt_heap_free(&heap, held[at].bytes);
            held[at] = held[--count];
        }
        assert_int_equal(rt_heap_check(&heap), 0);
    }
    assert_true(full > 0);
    while (count > 0) {
        rt_heap_free(&heap, held[--count].bytes);
    }
    assert_int_equal(heap.used, 0);
    assert_non_null(rt_heap_alloc(&heap, HEAP_BYTES - 16)); /* all of it is one piece again */
    assert_null(rt_heap_alloc(&heap, 1));
}

static void pointer_free(void *pointer)
{
    rt_heap_free(&heap, pointer);
}

static void misuse_is_caught(void **state)
{
    uint8_t *bytes;

    (void)state;
    rt_heap_init(&heap, memory, sizeof(memory));
    assert_null(rt_heap_alloc(&heap, HEAP_BYTES));
    assert_null(rt_heap_alloc(&heap, SIZE_MAX));
    bytes = rt_heap_alloc(&heap, 100);
    rt_heap_free(&heap, NULL);
    rt_heap_free(&heap, bytes);
    assert_true(test_asserts(pointer_free, bytes));
    assert_true(test_asserts(pointer_free, &bytes)); /* not the heap's at all */
    bytes = rt_heap_alloc(&heap, 100);
    memset(bytes - 16, 0, 8); /* the size in the head */
    assert_int_equal(rt_heap_check(&heap), 1);
    rt_heap_init(&heap, memory, sizeof(memory));
    bytes = rt_heap_alloc(&heap, 100);
    memset(bytes - 8, 0, 4); /* the mark */
    assert_int_equal(rt_heap_check(&heap), 2);
    assert_true(test_asserts(pointer_free, bytes));
}

/* For every size and alignment the template lands where the linker looks for it. */
static void thread_blocks_follow_the_template(void **state)
{
    static ALIGNED(4096) uint8_t area[32768];
    static const uint8_t image[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

    (void)state;
    for (uint64_t alignment = 1; alignment <= 4096; alignment *= 2) {
        for (uint64_t bytes = 0; bytes <= 300; bytes += 17) {
            uint64_t file = bytes < sizeof(image) ? bytes : sizeof(image);
            struct start_info start = {.tls_image = (uint64_t)(uintptr_t)image,
                                       .tls_file_bytes = file,
                                       .tls_memory_bytes = bytes,
                                       .tls_alignment = alignment};
            uint8_t *pointer = area + 16384;
            uint64_t rounded = (bytes + alignment - 1) / alignment * alignment;

            memset(area, 0xee, sizeof(area));
            rt_tls_fill(&start, (uint64_t)(uintptr_t)pointer);
            assert_memory_equal(pointer - rounded, image, file);
            for (uint64_t i = file; i < bytes; i++) {
                assert_int_equal(pointer[i - rounded], 0);
            }
            assert_int_equal(*(uint64_t *)(void *)pointer, (uint64_t)(uintptr_t)pointer);
            assert_int_equal(pointer[-(ptrdiff_t)rounded - 1], 0xee);
            assert_int_equal(pointer[8], 0xee);
        }
    }
    memset(area, 0xee, sizeof(area));
    rt_tls_fill(&(struct start_info){.tls_memory_bytes = 8}, 0);
    assert_int_equal(area[0], 0xee);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_keep_their_bytes),
        cmocka_unit_test(misuse_is_caught),
        cmocka_unit_test(thread_blocks_follow_the_template),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
