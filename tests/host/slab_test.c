/* SPDX-License-Identifier: MIT */
/*
 * The object caches: sizes and alignments, random use against a list of what is out, every refusal,
 * damage to free objects, and the check itself.
 */
#include "tests/host/support.h"

#include "core/slab.h"

#define OUT_MAX 600u

static struct slab_cache cache;

static void *page_new(uint32_t size)
{
    void *page = aligned_alloc(size, size);

    assert_non_null(page);
    memset(page, 0x77, size);
    return page;
}

static void pages_drop(void)
{
    void *page = slab_take_empty_page(&cache);

    while (page != NULL) {
        free(page);
        page = slab_take_empty_page(&cache);
    }
    assert_int_equal(cache.page_count, 0);
    assert_int_equal(slab_check(&cache), 0);
}

static void *object_new(void)
{
    void *object = NULL;
    enum status status = slab_alloc(&cache, &object);

    if (status == STATUS_NO_MEMORY) {
        assert_true(list_is_empty(&cache.partial) && list_is_empty(&cache.empty));
        assert_int_equal(slab_add_page(&cache, page_new(cache.config.page_size)), STATUS_OK);
        status = slab_alloc(&cache, &object);
    }
    assert_int_equal(status, STATUS_OK);
    return object;
}

static void configs_are_checked(void **state)
{
    static const struct {
        struct slab_config config;
        enum status expected;
    } cases[] = {
        {{.object_size = 0, .object_align = 8, .page_size = 4096}, STATUS_INVALID_ARGUMENT},
        {{.object_size = 8, .object_align = 0, .page_size = 4096}, STATUS_INVALID_ARGUMENT},
        {{.object_size = 8, .object_align = 24, .page_size = 4096}, STATUS_INVALID_ARGUMENT},
        {{.object_size = 8, .object_align = 8192, .page_size = 65536}, STATUS_INVALID_ARGUMENT},
        {{.object_size = 8, .object_align = 8, .page_size = 2048}, STATUS_INVALID_ARGUMENT},
        {{.object_size = 8, .object_align = 8, .page_size = 4097}, STATUS_INVALID_ARGUMENT},
        {{.object_size = 4097, .object_align = 8, .page_size = 4096}, STATUS_TOO_LARGE},
        {{.object_size = 4096, .object_align = 8, .page_size = 4096}, STATUS_TOO_LARGE},
        {{.object_size = 8, .object_align = 4096, .page_size = 4096}, STATUS_TOO_LARGE},
        {{.object_size = 3900, .object_align = 64, .page_size = 4096}, STATUS_OK},
        {{.object_size = 8, .object_align = 4096, .page_size = 8192}, STATUS_OK},
        {{.object_size = 1, .object_align = 1, .page_size = 4096}, STATUS_OK},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(slab_init(&cache, &cases[i].config), cases[i].expected);
        if (cases[i].expected == STATUS_OK) {
            assert_in_range(cache.objects_in_page, 1, SLAB_OBJECTS_MAX);
            assert_int_equal(slab_check(&cache), 0);
        }
    }
}

/* What random use needs to know of an object: where it is and with what it was filled. */
struct out {
    uint8_t *object;
    uint8_t fill;
};

static void out_verify(const struct out *out)
{
    for (uint32_t i = 0; i < cache.config.object_size; i++) {
        assert_int_equal(out->object[i], out->fill);
    }
}

static void random_use_keeps_objects_apart(void **state)
{
    static const struct slab_config configs[] = {
        {.object_size = 16, .object_align = 16, .page_size = 4096, .poison = true},
        {.object_size = 24, .object_align = 8, .page_size = 4096},
        {.object_size = 200, .object_align = 64, .page_size = 4096, .poison = true},
        {.object_size = 3000, .object_align = 64, .page_size = 4096, .poison = true},
        {.object_size = 5000, .object_align = 64, .page_size = 16384, .poison = true},
        {.object_size = 1, .object_align = 1, .page_size = 4096},
    };
    (void)state;

    for (size_t c = 0; c < ARRAY_COUNT(configs); c++) {
        static struct out outs[OUT_MAX];
        size_t count = 0;
        size_t peak = 0;
        struct test_random random;

        test_random_init(&random, 0x51ab + c);
        assert_int_equal(slab_init(&cache, &configs[c]), STATUS_OK);
        for (unsigned step = 0; step < 6000; step++) {
            bool grow = test_random_below(&random, 100) < (step / 1000 % 2 == 0 ? 70u : 30u);

            if (grow && count < OUT_MAX) {
                uint8_t *object = object_new();

                assert_int_equal((uintptr_t)object % configs[c].object_align, 0);
                for (uint32_t i = 0; i < configs[c].object_size; i++) {
                    assert_int_equal(object[i], 0);
                }
                outs[count] = (struct out){object, (uint8_t)test_random_u64(&random)};
                memset(object, outs[count].fill, configs[c].object_size);
                count++;
                peak = count > peak ? count : peak;
            } else if (count > 0) {
                size_t at = test_random_below(&random, count);

                out_verify(&outs[at]);
                assert_int_equal(slab_free(&cache, outs[at].object), STATUS_OK);
                assert_int_equal(slab_free(&cache, outs[at].object), STATUS_NOT_ALLOCATED);
                outs[at] = outs[--count];
            }
            assert_int_equal(cache.used_count, count);
            if (step % 64 == 0) {
                assert_int_equal(slab_check(&cache), 0);
            }
        }
        assert_int_equal(cache.used_peak, peak);
        while (count > 0) {
            count--;
            out_verify(&outs[count]);
            assert_int_equal(slab_free(&cache, outs[count].object), STATUS_OK);
        }
        assert_int_equal(cache.empty_count, cache.page_count);
        pages_drop();
    }
}

/* A page given back means that none of its objects is in use, and that the others' pages stay. */
static void only_empty_pages_come_back(void **state)
{
    const struct slab_config config = {.object_size = 1000, .object_align = 8, .page_size = 4096};
    void *objects[9];
    (void)state;

    assert_int_equal(slab_init(&cache, &config), STATUS_OK);
    assert_int_equal(cache.objects_in_page, 4);
    for (size_t i = 0; i < ARRAY_COUNT(objects); i++) {
        objects[i] = object_new();
    }
    assert_int_equal(cache.page_count, 3);
    assert_null(slab_take_empty_page(&cache));
    assert_int_equal(slab_free(&cache, objects[8]), STATUS_OK);
    assert_int_equal(cache.empty_count, 1);
    free(slab_take_empty_page(&cache));
    assert_int_equal(cache.page_count, 2);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(slab_free(&cache, objects[i]), STATUS_OK);
    }
    pages_drop();
}

static void pages_in_partial_use_are_filled_first(void **state)
{
    const struct slab_config config = {.object_size = 1000, .object_align = 8, .page_size = 4096};
    void *objects[8];
    (void)state;

    assert_int_equal(slab_init(&cache, &config), STATUS_OK);
    for (size_t i = 0; i < ARRAY_COUNT(objects); i++) {
        objects[i] = object_new();
    }
    for (size_t i = 4; i < 8; i++) {
        assert_int_equal(slab_free(&cache, objects[i]), STATUS_OK);
    }
    assert_int_equal(slab_free(&cache, objects[2]), STATUS_OK);
    assert_ptr_equal(object_new(), objects[2]);
    assert_int_equal(cache.empty_count, 1);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(slab_free(&cache, objects[i]), STATUS_OK);
    }
    pages_drop();
}

static void the_limit_holds(void **state)
{
    const struct slab_config config = {
        .object_size = 64, .object_align = 8, .page_size = 4096, .objects_max = 3};
    void *objects[3];
    void *more = NULL;
    (void)state;

    assert_int_equal(slab_init(&cache, &config), STATUS_OK);
    for (size_t i = 0; i < 3; i++) {
        objects[i] = object_new();
    }
    assert_int_equal(slab_alloc(&cache, &more), STATUS_LIMIT);
    assert_int_equal(slab_free(&cache, objects[1]), STATUS_OK);
    objects[1] = object_new();
    assert_int_equal(slab_alloc(&cache, &more), STATUS_LIMIT);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(slab_free(&cache, objects[i]), STATUS_OK);
    }
    pages_drop();
}

static void foreign_pointers_are_refused(void **state)
{
    const struct slab_config config = {.object_size = 64, .object_align = 64, .page_size = 4096};
    static struct slab_cache other;
    uint8_t *object;
    uint8_t *page;
    void *taken = NULL;
    (void)state;

    assert_int_equal(slab_init(&cache, &config), STATUS_OK);
    assert_int_equal(slab_init(&other, &config), STATUS_OK);
    object = object_new();
    page = (uint8_t *)((uintptr_t)object & ~(uintptr_t)4095);
    assert_int_equal(slab_free(&cache, NULL), STATUS_INVALID_ARGUMENT);
    assert_int_equal(slab_free(&cache, object + 1), STATUS_INVALID_ARGUMENT);
    assert_int_equal(slab_free(&cache, page), STATUS_INVALID_ARGUMENT);
    assert_int_equal(slab_free(&cache, page + cache.first_offset - cache.stride),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(slab_free(&other, object), STATUS_INVALID_ARGUMENT);
    assert_int_equal(slab_free(&cache, object + 64), STATUS_NOT_ALLOCATED);
    assert_int_equal(slab_add_page(&cache, object), STATUS_MISALIGNED);
    assert_int_equal(slab_alloc(&other, &taken), STATUS_NO_MEMORY);
    assert_int_equal(slab_check(&cache), 0);
    assert_int_equal(slab_free(&cache, object), STATUS_OK);
    pages_drop();
}

/* More places than the bitmap has are not objects: 1-byte objects would fit thousands of times. */
static void places_beyond_the_bitmap_are_no_objects(void **state)
{
    const struct slab_config config = {.object_size = 1, .object_align = 1, .page_size = 4096};
    uint8_t *object;
    (void)state;

    assert_int_equal(slab_init(&cache, &config), STATUS_OK);
    assert_int_equal(cache.objects_in_page, SLAB_OBJECTS_MAX);
    object = object_new();
    assert_int_equal(slab_free(&cache, object + SLAB_OBJECTS_MAX), STATUS_INVALID_ARGUMENT);
    assert_int_equal(slab_free(&cache, object + SLAB_OBJECTS_MAX - 1), STATUS_NOT_ALLOCATED);
    assert_int_equal(slab_free(&cache, object), STATUS_OK);
    pages_drop();
}

static void a_write_after_free_is_seen(void **state)
{
    const struct slab_config config = {
        .object_size = 100, .object_align = 8, .page_size = 4096, .poison = true};
    uint8_t *object;
    void *again = NULL;
    void *next = NULL;
    (void)state;

    assert_int_equal(slab_init(&cache, &config), STATUS_OK);
    object = object_new();
    assert_int_equal(slab_free(&cache, object), STATUS_OK);
    assert_int_equal(object[50], SLAB_POISON);
    object[99] = 1;
    assert_int_equal(slab_check(&cache), 5);
    assert_int_equal(slab_alloc(&cache, &again), STATUS_CORRUPT);
    assert_ptr_equal(again, object);
    assert_int_equal(slab_check(&cache), 0); /* it is out of use, not free */
    assert_int_equal(slab_alloc(&cache, &next), STATUS_OK);
    assert_ptr_not_equal(next, object);
    assert_int_equal(slab_free(&cache, next), STATUS_OK);
    assert_int_equal(slab_free(&cache, object), STATUS_OK);
    pages_drop();
}

static void check_finds_damage(void **state)
{
    const struct slab_config config = {.object_size = 1000, .object_align = 8, .page_size = 4096};
    unsigned found = 0;
    void *page;
    (void)state;

    assert_int_equal(slab_init(&cache, &config), STATUS_OK);
    page = page_new(4096);
    assert_int_equal(slab_add_page(&cache, page), STATUS_OK);
    (void)object_new();
    cache.page_count = 2;
    assert_int_equal(slab_check(&cache), 1);
    cache.page_count = 1;
    cache.empty_count = 1;
    assert_int_equal(slab_check(&cache), 1);
    cache.empty_count = 0;
    cache.used_count = 2;
    assert_int_equal(slab_check(&cache), 4);
    cache.used_count = 1;
    cache.config.objects_max = 1;
    assert_int_equal(slab_check(&cache), 0);
    list_push_back(&cache.full, list_pop_front(&cache.partial));
    assert_int_equal(slab_check(&cache), 3);
    list_push_back(&cache.partial, list_pop_front(&cache.full));
    assert_int_equal(slab_check(&cache), 0);
    /* Whatever lies between the page's links and its first object, the bitmap among it. */
    for (size_t i = sizeof(struct list_node); i < cache.first_offset; i++) {
        ((uint8_t *)page)[i] ^= 0x80;
        found += slab_check(&cache) == 2;
        ((uint8_t *)page)[i] ^= 0x80;
    }
    assert_in_range(found, sizeof(void *) + sizeof(uint32_t) + SLAB_OBJECTS_MAX / 8,
                    cache.first_offset);
    assert_int_equal(slab_check(&cache), 0);
    free(page);
}

static void a_page_that_was_taken_back_has_no_objects(void **state)
{
    static _Alignas(SLAB_PAGE_SIZE_MIN) uint8_t page[SLAB_PAGE_SIZE_MIN];
    const struct slab_config config = {
        .object_size = 64, .object_align = 8, .page_size = SLAB_PAGE_SIZE_MIN};
    void *object = NULL;

    (void)state;
    assert_int_equal(slab_init(&cache, &config), STATUS_OK);
    assert_int_equal(slab_add_page(&cache, page), STATUS_OK);
    assert_int_equal(slab_alloc(&cache, &object), STATUS_OK);
    assert_int_equal(slab_free(&cache, object), STATUS_OK);
    assert_int_equal(slab_free(&cache, object), STATUS_NOT_ALLOCATED);
    assert_ptr_equal(slab_take_empty_page(&cache), page);
    assert_int_equal(slab_free(&cache, object), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configs_are_checked),
        cmocka_unit_test(random_use_keeps_objects_apart),
        cmocka_unit_test(only_empty_pages_come_back),
        cmocka_unit_test(pages_in_partial_use_are_filled_first),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(foreign_pointers_are_refused),
        cmocka_unit_test(places_beyond_the_bitmap_are_no_objects),
        cmocka_unit_test(a_write_after_free_is_seen),
        cmocka_unit_test(check_finds_damage),
        cmocka_unit_test(a_page_that_was_taken_back_has_no_objects),
    };

    return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
