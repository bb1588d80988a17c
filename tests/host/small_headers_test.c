/* SPDX-License-Identifier: MIT */
/* The headers everything else stands on: status, checked arithmetic, bits, strings, lists. */
#include "tests/host/support.h"

#include "core/bits.h"
#include "core/checked.h"
#include "core/list.h"
#include "core/status.h"
#include "core/string.h"

static void every_status_has_a_text(void **state)
{
    (void)state;
    for (int status = 0; status < STATUS_COUNT; status++) {
        assert_true(strlen(status_text((enum status)status)) > 3);
        assert_string_not_equal(status_text((enum status)status), "unknown status");
        for (int other = 0; other < status; other++) {
            assert_string_not_equal(status_text((enum status)status),
                                    status_text((enum status)other));
        }
    }
    assert_string_equal(status_text(STATUS_OK), "success");
    assert_string_equal(status_text(STATUS_COUNT), "unknown status");
    assert_string_equal(status_text((enum status) - 1), "unknown status");
}

static uint64_t edge_draw(struct test_random *random)
{
    uint64_t near = test_random_below(random, 7) - 3;

    switch (test_random_below(random, 5)) {
    case 0:
        return near;
    case 1:
        return (UINT64_C(1) << test_random_below(random, 64)) + near;
    case 2:
        return UINT64_MAX - near;
    default:
        return test_random_u64(random) >> test_random_below(random, 64);
    }
}

static void checked_arithmetic_is_exact(void **state)
{
    struct test_random random;
    (void)state;

    test_random_init(&random, 0xc4ec);
    for (unsigned round = 0; round < 200000; round++) {
        uint64_t a = edge_draw(&random);
        uint64_t b = edge_draw(&random);
        unsigned __int128 sum = (unsigned __int128)a + b;
        unsigned __int128 product = (unsigned __int128)a * b;
        uint64_t align = UINT64_C(1) << test_random_below(&random, 64);
        unsigned __int128 up = ((unsigned __int128)a + align - 1) / align * align;
        uint64_t result = 0;

        assert_int_equal(checked_add(a, b, &result), sum <= UINT64_MAX);
        assert_true(sum > UINT64_MAX || result == sum);
        assert_int_equal(checked_mul(a, b, &result), product <= UINT64_MAX);
        assert_true(product > UINT64_MAX || result == product);
        assert_int_equal(checked_align_up(a, align, &result), up <= UINT64_MAX);
        assert_true(up > UINT64_MAX || result == up);
        assert_int_equal(range_fits(a, b, UINT64_MAX - 5), sum <= UINT64_MAX - 5);
        assert_int_equal(range_fits(a, b, a), b == 0);
    }
}

static void bits_agree_with_counting(void **state)
{
    struct test_random random;
    (void)state;

    test_random_init(&random, 0xb175);
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t word = edge_draw(&random);
        unsigned count = 0;
        unsigned lowest = 64;
        unsigned highest = 64;

        for (unsigned bit = 0; bit < 64; bit++) {
            if ((word >> bit & 1) != 0) {
                count++;
                highest = bit;
                lowest = lowest == 64 ? bit : lowest;
            }
        }
        assert_int_equal(bit_count(word), count);
        assert_int_equal(is_power_of_two(word), count == 1);
        if (word != 0) {
            assert_int_equal(bit_lowest(word), lowest);
            assert_int_equal(bit_highest(word), highest);
        }
        assert_int_equal(align_down(word, 4096), word / 4096 * 4096);
        assert_int_equal(is_aligned(word, 4096), word % 4096 == 0);
        if (word <= UINT64_MAX - 4095) {
            assert_int_equal(align_up(word, 4096), (word + 4095) / 4096 * 4096);
        }
    }
    for (unsigned count = 0; count <= 64; count++) {
        assert_int_equal(bit_count(bits_below(count)), count);
        assert_true(count == 64 || bits_below(count) >> count == 0);
    }
}

static void reads_are_little_endian(void **state)
{
    const uint8_t bytes[] = {0, 0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8};
    (void)state;

    assert_int_equal(read_u16(bytes + 1), 0x9281);
    assert_int_equal(read_u32(bytes + 1), 0xb4a39281);
    assert_int_equal(read_u64(bytes + 1), UINT64_C(0xf8e7d6c5b4a39281));
}

static void call_bit_lowest(void *argument)
{
    (void)bit_lowest(*(uint64_t *)argument);
}

static void call_align_up(void *argument)
{
    (void)align_up(*(uint64_t *)argument, 4096);
}

static void call_align_down(void *argument)
{
    (void)align_down(0, *(uint64_t *)argument);
}

static void misuse_asserts(void **state)
{
    uint64_t zero = 0;
    uint64_t last = UINT64_MAX;
    uint64_t one = 1;
    (void)state;

    assert_true(test_asserts(call_bit_lowest, &zero));
    assert_true(test_asserts(call_align_up, &last));
    assert_true(test_asserts(call_align_down, &zero));
    assert_false(test_asserts(call_bit_lowest, &one));
}

/* Through a pointer: inlined, gcc 12 takes bytes behind the literal's NUL for reachable. */
static bool (*volatile matches)(const char *, size_t, const char *) = string_matches;

static void strings_stop_where_they_must(void **state)
{
    static const char with_nul[] = {'a', 'b', 0, 0};
    char *open = malloc(3);
    char to[4];
    (void)state;

    assert_non_null(open);
    memcpy(open, "abc", 3); /* no NUL: the sanitizer sees a byte too many */
    assert_int_equal(string_length(open, 3), 3);
    assert_int_equal(string_length("ab\0cd", 5), 2);
    assert_int_equal(string_length(open, 0), 0);
    assert_true(string_equal("", ""));
    assert_true(string_equal("ab", "ab"));
    assert_false(string_equal("ab", "abc"));
    assert_false(string_equal("abc", "ab"));
    assert_true(matches(open, 3, "abc"));
    assert_false(matches(open, 3, "ab"));
    assert_false(matches(open, 2, "abc"));
    assert_true(matches(open, 0, ""));
    assert_true(matches(with_nul, 2, with_nul));
    assert_false(matches(with_nul, 1, with_nul));
    assert_false(matches(with_nul, 3, with_nul)); /* what stands behind a NUL counts as well */
    assert_true(string_copy(to, sizeof(to), open, 3));
    assert_string_equal(to, "abc");
    assert_false(string_copy(to, 3, open, 3));
    assert_string_equal(to, "");
    assert_true(string_copy(to, sizeof(to), "x\0yz!", 5));
    assert_string_equal(to, "x");
    free(open);
}

struct item {
    int value;
    struct list_node node;
};

static void expect_list(const struct list *list, const int *values, size_t count)
{
    struct list_node *node = list_first(list);
    size_t length = 0;

    for (size_t i = 0; i < count; i++) {
        assert_non_null(node);
        assert_int_equal(CONTAINER_OF(node, struct item, node)->value, values[i]);
        node = list_next(list, node);
    }
    assert_null(node);
    assert_int_equal(list_check(list, count, &length), 0);
    assert_int_equal(length, count);
    assert_int_equal(list_is_empty(list), count == 0);
}

static void lists_keep_their_order(void **state)
{
    struct item items[5] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};
    struct list list;
    (void)state;

    list_init(&list);
    expect_list(&list, NULL, 0);
    assert_null(list_pop_front(&list));
    assert_null(list_last(&list));
    list_push_back(&list, &items[1].node);
    list_push_back(&list, &items[2].node);
    list_push_front(&list, &items[0].node);
    list_insert_before(&items[2].node, &items[4].node);
    expect_list(&list, (int[]){0, 1, 4, 2}, 4);
    assert_ptr_equal(list_last(&list), &items[2].node);
    list_remove(&items[1].node);
    assert_false(list_node_is_linked(&items[1].node));
    assert_null(items[1].node.next);
    assert_null(items[1].node.previous);
    expect_list(&list, (int[]){0, 4, 2}, 3);
    assert_ptr_equal(list_pop_front(&list), &items[0].node);
    expect_list(&list, (int[]){4, 2}, 2);
}

static struct list misused;

static void push_node(void *argument)
{
    list_push_back(&misused, argument);
}

static void remove_node(void *argument)
{
    list_remove(argument);
}

static void list_misuse_is_seen(void **state)
{
    struct list_node node = {NULL, NULL};
    struct list_node broken = {NULL, NULL};
    size_t count = 0;
    (void)state;

    list_init(&misused);
    assert_true(test_asserts(remove_node, &node));
    assert_false(test_asserts(push_node, &node));
    assert_true(test_asserts(push_node, &node));
    list_push_back(&misused, &broken);
    broken.previous = &broken;
    assert_true(test_asserts(remove_node, &broken));
    assert_int_equal(list_check(&misused, 10, &count), 1);
    broken.previous = &node;
    assert_int_equal(list_check(&misused, 1, &count), 1); /* longer than it may be */
    assert_int_equal(list_check(&misused, 2, &count), 0);
    broken.next = NULL;
    assert_int_equal(list_check(&misused, 10, &count), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_text),  cmocka_unit_test(checked_arithmetic_is_exact),
        cmocka_unit_test(bits_agree_with_counting), cmocka_unit_test(reads_are_little_endian),
        cmocka_unit_test(misuse_asserts),           cmocka_unit_test(strings_stop_where_they_must),
        cmocka_unit_test(lists_keep_their_order),   cmocka_unit_test(list_misuse_is_seen),
    };

    return cmocka_run_group_tests_name("small_headers", tests, NULL, NULL);
}
