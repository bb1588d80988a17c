/* SPDX-License-Identifier: MIT */
/* The kernel command line: words, lookup, unknown words, numbers. */
#include "tests/host/support.h"

#include "core/command_line.h"

static void expect_word(const struct command_line_word *word, const char *key, const char *value)
{
    assert_int_equal(word->key_length, strlen(key));
    assert_memory_equal(word->key, key, word->key_length);
    if (value == NULL) {
        assert_null(word->value);
        assert_int_equal(word->value_length, 0);
    } else {
        assert_int_equal(word->value_length, strlen(value));
        assert_memory_equal(word->value, value, word->value_length);
    }
}

static void words_come_in_order(void **state)
{
    const char *line = "  quiet\ttrace=3 \n empty= =odd a=b=c last";
    struct command_line_word word;
    size_t position = 0;
    (void)state;

    assert_true(command_line_next(line, &position, &word));
    expect_word(&word, "quiet", NULL);
    assert_true(command_line_next(line, &position, &word));
    expect_word(&word, "trace", "3");
    assert_true(command_line_next(line, &position, &word));
    expect_word(&word, "empty", "");
    assert_true(command_line_next(line, &position, &word));
    expect_word(&word, "", "odd");
    assert_true(command_line_next(line, &position, &word));
    expect_word(&word, "a", "b=c");
    assert_true(command_line_next(line, &position, &word));
    expect_word(&word, "last", NULL);
    assert_false(command_line_next(line, &position, &word));
    assert_false(command_line_next(line, &position, &word));
    position = 0;
    assert_false(command_line_next("", &position, &word));
    assert_false(command_line_next(" \t\r\n", &position, &word));
}

static void a_key_is_found_once(void **state)
{
    struct command_line_word word;
    (void)state;

    assert_int_equal(command_line_find("a=1 ab=2 b", "ab", &word), STATUS_OK);
    expect_word(&word, "ab", "2");
    assert_int_equal(command_line_find("a=1 ab=2 b", "b", &word), STATUS_OK);
    expect_word(&word, "b", NULL);
    assert_int_equal(command_line_find("a=1 ab=2 b", "abc", &word), STATUS_NOT_FOUND);
    assert_int_equal(command_line_find("ab=2", "a", &word), STATUS_NOT_FOUND);
    assert_int_equal(command_line_find("", "a", &word), STATUS_NOT_FOUND);
    assert_int_equal(command_line_find("a=1 b a=1", "a", &word), STATUS_EXISTS);
    assert_int_equal(command_line_find("x=a a", "a", &word), STATUS_OK);
}

static void every_unknown_key_is_reported(void **state)
{
    static const char *const keys[] = {"trace", "smp"};
    const char *line = "trace=1 tracee=2 =x smp trac smp=";
    struct command_line_word word;
    size_t position = 0;
    (void)state;

    assert_true(command_line_next_unknown(line, keys, 2, &position, &word));
    expect_word(&word, "tracee", "2");
    assert_true(command_line_next_unknown(line, keys, 2, &position, &word));
    expect_word(&word, "", "x");
    assert_true(command_line_next_unknown(line, keys, 2, &position, &word));
    expect_word(&word, "trac", NULL);
    assert_false(command_line_next_unknown(line, keys, 2, &position, &word));
}

static void numbers_are_exact_or_refused(void **state)
{
    static const struct {
        const char *line;
        enum status status;
        uint64_t value;
    } cases[] = {
        {"n=0", STATUS_OK, 0},
        {"n=42", STATUS_OK, 42},
        {"n=042", STATUS_OK, 42}, /* no octal */
        {"n=0x2a", STATUS_OK, 42},
        {"n=0xFf", STATUS_OK, 255},
        {"n=0xA", STATUS_OK, 10},
        {"n=18446744073709551615", STATUS_OK, UINT64_MAX},
        {"n=0xffffffffffffffff", STATUS_OK, UINT64_MAX},
        {"n=18446744073709551616", STATUS_OVERFLOW, 0},
        {"n=20000000000000000000", STATUS_OVERFLOW, 0},
        {"n=0x10000000000000000", STATUS_OVERFLOW, 0},
        {"n", STATUS_INVALID_ARGUMENT, 0},
        {"n=", STATUS_INVALID_ARGUMENT, 0},
        {"n=0x", STATUS_INVALID_ARGUMENT, 0},
        {"n=12a", STATUS_INVALID_ARGUMENT, 0},
        {"n=0x1g", STATUS_INVALID_ARGUMENT, 0},
        {"n=0x1G", STATUS_INVALID_ARGUMENT, 0},
        {"n=0x:", STATUS_INVALID_ARGUMENT, 0}, /* between the digits and the letters */
        {"n=:", STATUS_INVALID_ARGUMENT, 0},
        {"n=0x@", STATUS_INVALID_ARGUMENT, 0},
        {"n=0x`", STATUS_INVALID_ARGUMENT, 0},
        {"n=0x/", STATUS_INVALID_ARGUMENT, 0},
        {"n=1x5", STATUS_INVALID_ARGUMENT, 0},
        {"n=-1", STATUS_INVALID_ARGUMENT, 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct command_line_word word;
        uint64_t value = 0;

        assert_int_equal(command_line_find(cases[i].line, "n", &word), STATUS_OK);
        assert_int_equal(command_line_number(&word, &value), cases[i].status);
        assert_int_equal(value, cases[i].value);
    }
}

/* Any bytes: every word lies inside the line and the walk ends. */
static void random_lines_are_walked_within_bounds(void **state)
{
    struct test_random random;
    (void)state;

    test_random_init(&random, 0xc11);
    for (unsigned round = 0; round < 5000; round++) {
        size_t length = test_random_below(&random, 40);
        char *line = malloc(length + 1);
        struct command_line_word word;
        size_t position = 0;
        unsigned words = 0;

        assert_non_null(line);
        for (size_t i = 0; i < length; i++) {
            line[i] = " =ab\xff"[test_random_below(&random, 5)];
        }
        line[length] = '\0';
        while (command_line_next(line, &position, &word)) {
            assert_true(word.key >= line && word.key + word.key_length <= line + length);
            assert_true(word.value == NULL || word.value + word.value_length <= line + length);
            assert_true(++words <= length);
        }
        assert_int_equal(position, length);
        free(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_come_in_order),
        cmocka_unit_test(a_key_is_found_once),
        cmocka_unit_test(every_unknown_key_is_reported),
        cmocka_unit_test(numbers_are_exact_or_refused),
        cmocka_unit_test(random_lines_are_walked_within_bounds),
    };

    return cmocka_run_group_tests_name("command_line", tests, NULL, NULL);
}
