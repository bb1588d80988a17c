/* SPDX-License-Identifier: MIT */
/*
 * Formatted text against the host's snprintf: random conversions, widths, precisions, lengths and
 * values, in buffers that are too small, exact and large, each allocated to the byte.
 */
#include "tests/host/support.h"

#include "core/format.h"

#define TEXT_MAX 4096

/* Ours, through a pointer: a compiler that sees the format would refuse what is tried here. */
static size_t (*volatile format_call)(char *, size_t, const char *, ...) = format_text;

/* Calls ours with a buffer of exactly `size` bytes and compares with what vsnprintf would have
 * left. */
static void compare(size_t size, const char *format, ...)
{
    char expected[TEXT_MAX];
    char *buffer = malloc(size == 0 ? 1 : size);
    va_list arguments;
    int length;

    assert_non_null(buffer);
    va_start(arguments, format);
    length = vsnprintf(expected, sizeof(expected), format, arguments);
    va_end(arguments);
    assert_in_range(length, 0, TEXT_MAX - 1);
    va_start(arguments, format);
    assert_int_equal(format_text_arguments(buffer, size, format, arguments), length);
    va_end(arguments);
    if (size != 0) {
        expected[size < TEXT_MAX ? size - 1 : TEXT_MAX - 1] = '\0';
        assert_string_equal(buffer, expected);
    }
    free(buffer);
}

static void append(char *to, const char *text)
{
    assert_true(strlen(to) + strlen(text) < 64);
    strcat(to, text);
}

/* Builds a random conversion up to its length modifier; flags that C leaves undefined stay out. */
static void spec_build(struct test_random *random, char *to, char conversion, const char *modifier)
{
    char number[16];
    char letter[2] = {conversion, 0};

    strcpy(to, "<%");
    if (test_random_one_in(random, 3)) {
        append(to, "-");
    }
    if (conversion == 'd' || conversion == 'i') {
        append(to, test_random_one_in(random, 4) ? "+" : "");
        append(to, test_random_one_in(random, 4) ? " " : "");
    }
    if (conversion != 's' && conversion != 'c') {
        append(to, test_random_one_in(random, 3) ? "0" : "");
    }
    if (conversion == 'x' || conversion == 'X') {
        append(to, test_random_one_in(random, 3) ? "#" : "");
    }
    if (test_random_one_in(random, 2)) {
        snprintf(number, sizeof(number), "%u", (unsigned)test_random_below(random, 30));
        append(to, number[0] == '0' ? "" : number);
    }
    if (conversion != 'c' && test_random_one_in(random, 2)) {
        snprintf(number, sizeof(number), ".%u", (unsigned)test_random_below(random, 30));
        append(to, test_random_one_in(random, 8) ? "." : number);
    }
    append(to, modifier);
    append(to, letter);
    append(to, ">");
}

static uint64_t value_draw(struct test_random *random)
{
    static const uint64_t edges[] = {
        0,          1,         9,          10,        0x7f,
        0x80,       0xff,      INT16_MAX,  INT32_MAX, UINT32_MAX,
        0x80000000, INT64_MAX, UINT64_MAX, 1u << 15,  UINT64_C(1) << 63};

    if (test_random_one_in(random, 3)) {
        return edges[test_random_below(random, ARRAY_COUNT(edges))];
    }
    return test_random_u64(random) >> test_random_below(random, 64);
}

static size_t size_draw(struct test_random *random)
{
    return test_random_one_in(random, 4) ? 128 : test_random_below(random, 40);
}

static void numbers_agree_with_the_library(void **state)
{
    static const char conversions[] = "diuxX";
    struct test_random random;
    (void)state;

    test_random_init(&random, 0xf0);
    for (unsigned round = 0; round < 100000; round++) {
        char conversion = conversions[test_random_below(&random, 5)];
        uint64_t value = value_draw(&random);
        size_t size = size_draw(&random);
        char spec[64];

        switch (test_random_below(&random, 8)) {
        case 0:
            spec_build(&random, spec, conversion, "hh");
            compare(size, spec, (int)value);
            break;
        case 1:
            spec_build(&random, spec, conversion, "h");
            compare(size, spec, (int)value);
            break;
        case 2:
            spec_build(&random, spec, conversion, "l");
            compare(size, spec, (long)value);
            break;
        case 3:
            spec_build(&random, spec, conversion, "ll");
            compare(size, spec, (long long)value);
            break;
        case 4:
            spec_build(&random, spec, conversion, "z");
            compare(size, spec, (size_t)value);
            break;
        case 5:
            spec_build(&random, spec, conversion, "t");
            compare(size, spec, (ptrdiff_t)value);
            break;
        case 6:
            spec_build(&random, spec, conversion, "j");
            compare(size, spec, (intmax_t)value);
            break;
        default:
            spec_build(&random, spec, conversion, "");
            compare(size, spec, (int)value);
            break;
        }
    }
}

static void strings_agree_with_the_library(void **state)
{
    struct test_random random;
    (void)state;

    test_random_init(&random, 0x5717);
    for (unsigned round = 0; round < 30000; round++) {
        size_t length = test_random_below(&random, 40);
        char *text = malloc(length + 1);
        size_t size = size_draw(&random);
        char spec[64];

        assert_non_null(text);
        for (size_t i = 0; i < length; i++) {
            text[i] = (char)('a' + test_random_below(&random, 26));
        }
        text[length] = '\0';
        spec_build(&random, spec, 's', "");
        compare(size, spec, text);
        spec_build(&random, spec, 'c', "");
        compare(size, spec, (int)('A' + test_random_below(&random, 26)));
        free(text);
    }
}

static void stars_agree_with_the_library(void **state)
{
    struct test_random random;
    (void)state;

    test_random_init(&random, 0x57a2);
    for (unsigned round = 0; round < 5000; round++) {
        int width = (int)test_random_below(&random, 61) - 30;
        int precision = (int)test_random_below(&random, 41) - 10;
        size_t size = size_draw(&random);
        int value = (int)value_draw(&random);

        compare(size, "[%*d]", width, value);
        compare(size, "[%.*x]", precision, (unsigned)value);
        compare(size, "[%*.*s]", width, precision, "a longer text than fits");
        compare(size, "%u%% of %s: %lu, %#018llx%c", 7u, "it", (unsigned long)value,
                (unsigned long long)value, '!');
    }
}

/* %.*s is how bounded text is printed: nothing beyond the precision may be read. */
static void a_precision_bounds_what_is_read(void **state)
{
    char *text = malloc(3);
    char buffer[16];
    (void)state;

    assert_non_null(text);
    memcpy(text, "abc", 3);
    assert_int_equal(format_text(buffer, sizeof(buffer), "%.*s|", 3, text), 4);
    assert_string_equal(buffer, "abc|");
    free(text);
}

static void unknown_conversions_stand_as_they_are(void **state)
{
    static const struct {
        const char *format;
        const char *expected;
    } cases[] = {
        {"a%p %d", "a%p 7"}, {"%q%d", "%q7"},         {"%", "%"},        {"%d %", "7 %"},
        {"%ld%lc", "7%lc"},  {"%-5", "%-5"},          {"%d%ls", "7%ls"}, {"%5.3f|%d", "%5.3f|7"},
        {"%n%d", "%n7"},     {"%d%-08.3", "7%-08.3"},
    };
    char buffer[64];
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        format_call(buffer, sizeof(buffer), cases[i].format, 7L);
        assert_string_equal(buffer, cases[i].expected);
    }
}

static void fields_are_bounded(void **state)
{
    static char long_text[3000];
    (void)state;

    assert_int_equal(format_call(NULL, 0, "%99999999999999999999d", 1), FORMAT_FIELD_MAX);
    assert_int_equal(format_call(NULL, 0, "%.2000000000u", 1u), FORMAT_FIELD_MAX);
    assert_int_equal(format_call(NULL, 0, "%*s", INT32_MIN, ""), FORMAT_FIELD_MAX);
    assert_int_equal(format_call(NULL, 0, "%*s", INT32_MAX, ""), FORMAT_FIELD_MAX);
    assert_int_equal(format_call(NULL, 0, "%.*u", INT32_MAX, 1u), FORMAT_FIELD_MAX);
    memset(long_text, 'x', sizeof(long_text) - 1);
    assert_int_equal(format_call(NULL, 0, "%s", long_text), sizeof(long_text) - 1);
    assert_int_equal(format_call(NULL, 0, "%.2000s", long_text), 2000);
    assert_int_equal(format_call(NULL, 0, "%.*s", INT32_MAX, long_text), sizeof(long_text) - 1);
}

static void no_string_is_said(void **state)
{
    const char *volatile nothing = NULL;
    char buffer[16];
    (void)state;

    assert_int_equal(format_call(buffer, sizeof(buffer), "%s", nothing), 6);
    assert_string_equal(buffer, "(null)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_agree_with_the_library),
        cmocka_unit_test(strings_agree_with_the_library),
        cmocka_unit_test(stars_agree_with_the_library),
        cmocka_unit_test(a_precision_bounds_what_is_read),
        cmocka_unit_test(unknown_conversions_stand_as_they_are),
        cmocka_unit_test(fields_are_bounded),
        cmocka_unit_test(no_string_is_said),
    };

    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
