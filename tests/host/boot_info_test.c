/* SPDX-License-Identifier: MIT */
/*
 * Boot information apart from its formats: the memory map against a model with one type for each
 * address, the conditions for starting, and the rounding to frames.
 */
#include "tests/host/support.h"

#include "core/boot_info.h"

#define MODEL_SIZE 160u

static void compare(const struct boot_info *info, const enum boot_range_type *model)
{
    uint64_t address = 0;

    assert_int_equal(boot_info_check(info), 0);
    for (uint32_t i = 0; i < info->range_count; i++) {
        for (; address < info->range[i].start; address++) {
            assert_int_equal(model[address], 0);
        }
        for (; address < info->range[i].start + info->range[i].length; address++) {
            assert_int_equal(model[address], info->range[i].type);
        }
    }
    for (; address < MODEL_SIZE; address++) {
        assert_int_equal(model[address], 0);
    }
}

static void ranges_agree_with_the_model(void **state)
{
    struct test_random random;
    (void)state;

    test_random_init(&random, 0xb007);
    for (unsigned round = 0; round < 2000; round++) {
        enum boot_range_type model[MODEL_SIZE] = {0};
        struct boot_info info;

        boot_info_init(&info, BOOT_SOURCE_HOST);
        for (unsigned step = 0; step < 30; step++) {
            struct boot_range range = {.start = test_random_below(&random, MODEL_SIZE)};

            range.length = test_random_below(&random, MODEL_SIZE - range.start + 1);
            if (test_random_one_in(&random, 2)) {
                range.length %= 9;
            }
            range.type = (enum boot_range_type)(1 + test_random_below(&random, 5));
            assert_int_equal(boot_info_add_range(&info, &range), BOOT_OK);
            for (uint64_t i = range.start; i < range.start + range.length; i++) {
                model[i] = model[i] < range.type ? range.type : model[i];
            }
            compare(&info, model);
        }
    }
}

static void unknown_types_are_reserved(void **state)
{
    struct boot_range range = {.start = 0, .length = 10, .type = (enum boot_range_type)77};
    struct boot_info info;
    (void)state;

    boot_info_init(&info, BOOT_SOURCE_HOST);
    assert_int_equal(boot_info_add_range(&info, &range), BOOT_OK);
    assert_int_equal(info.range[0].type, BOOT_RANGE_RESERVED);
    range = (struct boot_range){.start = 10, .length = 10, .type = BOOT_RANGE_TYPE_END};
    assert_int_equal(boot_info_add_range(&info, &range), BOOT_OK);
    assert_int_equal(info.range_count, 1);
    assert_int_equal(info.range[0].length, 20);
    assert_int_equal(boot_range_type_from_e820(1), BOOT_RANGE_USABLE);
    assert_int_equal(boot_range_type_from_e820(2), BOOT_RANGE_RESERVED);
    assert_int_equal(boot_range_type_from_e820(3), BOOT_RANGE_ACPI_RECLAIM);
    assert_int_equal(boot_range_type_from_e820(4), BOOT_RANGE_ACPI_NVS);
    assert_int_equal(boot_range_type_from_e820(5), BOOT_RANGE_BAD);
    assert_int_equal(boot_range_type_from_e820(0), BOOT_RANGE_RESERVED);
    assert_int_equal(boot_range_type_from_e820(7), BOOT_RANGE_RESERVED);
}

static void lying_ranges_are_refused(void **state)
{
    struct boot_range range = {.start = UINT64_MAX - 5, .length = 10, .type = BOOT_RANGE_USABLE};
    struct boot_info info;
    (void)state;

    boot_info_init(&info, BOOT_SOURCE_HOST);
    assert_int_equal(boot_info_add_range(&info, &range), BOOT_ERROR_BAD_MEMORY_MAP);
    range = (struct boot_range){.start = 1, .length = UINT64_MAX, .type = BOOT_RANGE_USABLE};
    assert_int_equal(boot_info_add_range(&info, &range), BOOT_ERROR_BAD_MEMORY_MAP);
    range = (struct boot_range){.start = 1, .length = BOOT_ADDRESS_LIMIT};
    assert_int_equal(boot_info_add_range(&info, &range), BOOT_ERROR_BAD_MEMORY_MAP);
    range = (struct boot_range){.start = 0, .length = BOOT_ADDRESS_LIMIT};
    assert_int_equal(boot_info_add_range(&info, &range), BOOT_OK);
    assert_int_equal(boot_info_check(&info), 0);
}

static void the_range_table_has_an_end(void **state)
{
    struct boot_info info;
    enum boot_error error = BOOT_OK;
    (void)state;

    boot_info_init(&info, BOOT_SOURCE_HOST);
    for (uint64_t i = 0; i < BOOT_RANGES_MAX; i++) {
        struct boot_range range = {.start = i * 10, .length = 5, .type = BOOT_RANGE_USABLE};

        assert_int_equal(boot_info_add_range(&info, &range), BOOT_OK);
    }
    assert_int_equal(info.range_count, BOOT_RANGES_MAX);
    error = boot_info_add_range(&info, &(struct boot_range){.start = 5000, .length = 1, .type = 1});
    assert_int_equal(error, BOOT_ERROR_TOO_MANY_RANGES);
    assert_int_equal(boot_info_check(&info), 0);
    /* Nothing needs no place. */
    error = boot_info_add_range(&info, &(struct boot_range){.start = 12, .length = 0, .type = 1});
    assert_int_equal(error, BOOT_OK);
    assert_int_equal(boot_info_check(&info), 0);

    /* One entry over all of them joins everything as it goes and never needs more than two places.
     */
    boot_info_init(&info, BOOT_SOURCE_HOST);
    for (uint64_t i = 0; i < BOOT_RANGES_MAX - 2; i++) {
        struct boot_range range = {.start = i * 10, .length = 5, .type = BOOT_RANGE_USABLE};

        assert_int_equal(boot_info_add_range(&info, &range), BOOT_OK);
    }
    error = boot_info_add_range(
        &info, &(struct boot_range){.start = 2, .length = 5000, .type = BOOT_RANGE_RESERVED});
    assert_int_equal(error, BOOT_OK);
    assert_int_equal(info.range_count, 2);
}

static void each_condition_for_starting_is_looked_for(void **state)
{
    struct boot_range low = {.start = 0x1000, .length = 0x9f000, .type = BOOT_RANGE_USABLE};
    struct boot_range high = {.start = 0x100000, .length = 0x100000, .type = BOOT_RANGE_USABLE};
    struct boot_range above = {.start = 0x200000, .length = 0x1000, .type = BOOT_RANGE_RESERVED};
    struct boot_info info;
    (void)state;

    boot_info_init(&info, BOOT_SOURCE_HOST);
    assert_int_equal(boot_info_validate(&info, 0), BOOT_ERROR_NO_MEMORY_MAP);
    assert_int_equal(boot_info_usable_end(&info), 0);
    assert_int_equal(boot_info_add_range(&info, &high), BOOT_OK);
    assert_int_equal(boot_info_add_range(&info, &low), BOOT_OK);
    assert_int_equal(boot_info_usable_end(&info), 0x200000);
    assert_int_equal(boot_info_add_range(&info, &above), BOOT_OK);
    assert_int_equal(boot_info_usable_end(&info), 0x200000);
    assert_int_equal(boot_info_total(&info, BOOT_RANGE_USABLE), 0x19f000);
    assert_int_equal(boot_info_total(&info, BOOT_RANGE_BAD), 0);
    assert_int_equal(boot_info_validate(&info, 0x19f001), BOOT_ERROR_TOO_LITTLE_MEMORY);
    assert_int_equal(boot_info_validate(&info, 0x19f000), BOOT_ERROR_NO_MODULE);
    assert_int_equal(boot_info_add_module(&info, UINT64_MAX, 2), BOOT_ERROR_BAD_MODULE);
    assert_int_equal(boot_info_add_module(&info, 0x180000, 0x80000), BOOT_OK);
    assert_int_equal(boot_info_validate(&info, 0), BOOT_OK);
    assert_int_equal(boot_info_add_module(&info, 0x110000, 0x100), BOOT_OK);
    assert_int_equal(boot_info_validate(&info, 0), BOOT_ERROR_TWO_MODULES);
    assert_int_equal(info.module_start, 0x180000);
    info.module_count = 1;
    info.module_length++;
    assert_int_equal(boot_info_validate(&info, 0), BOOT_ERROR_BAD_MODULE);
    info.module_length = 0;
    assert_int_equal(boot_info_validate(&info, 0), BOOT_ERROR_BAD_MODULE);
    info.module_start = 0x9f000;
    info.module_length = 0x2000;
    assert_int_equal(boot_info_validate(&info, 0), BOOT_ERROR_BAD_MODULE);
    info.module_length = 0x1000;
    assert_int_equal(boot_info_validate(&info, 0), BOOT_OK);
    info.module_start = 0x200000;
    assert_int_equal(boot_info_validate(&info, 0), BOOT_ERROR_BAD_MODULE);
}

static void frames_are_rounded_inwards(void **state)
{
    static const struct {
        uint64_t start;
        uint64_t length;
        uint64_t first;
        uint64_t count;
    } cases[] = {
        {0, 4096, 0, 1},    {1, 4096, 1, 0},    {1, 8191, 1, 1},
        {4096, 4095, 1, 0}, {4095, 4098, 1, 1}, {0x100000, 0x3000, 0x100, 3},
        {100, 50, 1, 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct boot_range range = {.start = cases[i].start, .length = cases[i].length};
        uint64_t first = 0;
        uint64_t count = 0;

        boot_range_frames(&range, &first, &count);
        assert_int_equal(first, cases[i].first);
        assert_int_equal(count, cases[i].count);
    }
}

static void every_error_has_a_text(void **state)
{
    (void)state;
    for (int error = 0; error < BOOT_ERROR_COUNT; error++) {
        assert_true(strlen(boot_error_text((enum boot_error)error)) > 3);
        assert_string_not_equal(boot_error_text((enum boot_error)error), "unknown boot error");
    }
    assert_string_equal(boot_error_text((enum boot_error)999), "unknown boot error");
    assert_string_equal(boot_error_text(BOOT_ERROR_COUNT), "unknown boot error");
}

static void modules_without_end_stay_too_many(void **state)
{
    struct boot_info info;

    (void)state;
    boot_info_init(&info, BOOT_SOURCE_HOST);
    assert_int_equal(boot_info_add_module(&info, 0x1000, 0x1000), BOOT_OK);
    info.module_count = UINT32_MAX;
    assert_int_equal(boot_info_add_module(&info, 0x3000, 0x1000), BOOT_OK);
    assert_true(info.module_count == UINT32_MAX);
}

static void check_finds_damage(void **state)
{
    struct boot_info info;
    struct boot_range range = {.start = 0x1000, .length = 0x1000, .type = BOOT_RANGE_USABLE};
    (void)state;

    boot_info_init(&info, BOOT_SOURCE_HOST);
    assert_int_equal(boot_info_add_range(&info, &range), BOOT_OK);
    info.range[1] = (struct boot_range){.start = 0x1fff, .length = 1, .type = BOOT_RANGE_BAD};
    info.range_count = 2;
    assert_int_equal(boot_info_check(&info), 1);
    info.range[1].start = 0x2000;
    assert_int_equal(boot_info_check(&info), 0);
    info.range[1].type = BOOT_RANGE_USABLE;
    assert_int_equal(boot_info_check(&info), 2);
    info.range_count = 1;
    memset(info.command_line, 'x', sizeof(info.command_line));
    assert_int_equal(boot_info_check(&info), 3);
    info.command_line[0] = 0;
    info.rsdp_length = 21;
    assert_int_equal(boot_info_check(&info), 4);
    info.rsdp_length = 0;
    info.module_length = 1;
    assert_int_equal(boot_info_check(&info), 5);
    info.module_length = 0;
    assert_int_equal(boot_info_check(&info), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_agree_with_the_model),
        cmocka_unit_test(unknown_types_are_reserved),
        cmocka_unit_test(lying_ranges_are_refused),
        cmocka_unit_test(the_range_table_has_an_end),
        cmocka_unit_test(each_condition_for_starting_is_looked_for),
        cmocka_unit_test(frames_are_rounded_inwards),
        cmocka_unit_test(every_error_has_a_text),
        cmocka_unit_test(modules_without_end_stay_too_many),
        cmocka_unit_test(check_finds_damage),
    };

    return cmocka_run_group_tests_name("boot_info", tests, NULL, NULL);
}
