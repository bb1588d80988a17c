/* SPDX-License-Identifier: MIT */
/*
 * The parser of the direct boot's start-of-day structure: what QEMU gives, each lie in turn, and
 * random damage, after which whatever was accepted must satisfy boot_info_check().
 */
#include "tests/host/support.h"

#include "core/boot_info.h"
#include "tests/host/fake_memory.h"

#define START_ADDRESS   0x9000u
#define LINE_ADDRESS    0x9100u
#define MODULES_ADDRESS 0x9800u
#define MAP_ADDRESS     0xa000u

/* The structure and everything it points to, as bytes, so that a test can lie in any field. */
struct machine {
    struct fake_blob start;
    struct fake_blob line;
    struct fake_blob modules;
    struct fake_blob map;
};

static struct machine machine;
static struct boot_info info;

static void map_entry(uint64_t base, uint64_t length, uint32_t type)
{
    blob_u64(&machine.map, base);
    blob_u64(&machine.map, length);
    blob_u32(&machine.map, type);
    blob_u32(&machine.map, 0);
}

static void machine_valid(void)
{
    memset(&machine, 0, sizeof(machine));
    blob_bytes(&machine.line, "debug=1 root", 13);
    blob_u64(&machine.modules, 0x200000);
    blob_u64(&machine.modules, 0x4321);
    blob_u64(&machine.modules, 0);
    blob_u64(&machine.modules, 0);
    map_entry(0, 0x9fc00, 1);
    map_entry(0xf0000, 0x10000, 2);
    map_entry(0x100000, 0xfee0000, 1);
    map_entry(0xffe0000, 0x20000, 2);
    blob_u32(&machine.start, BOOT_PVH_MAGIC);
    blob_u32(&machine.start, 1);
    blob_u32(&machine.start, 0);
    blob_u32(&machine.start, 1);
    blob_u64(&machine.start, MODULES_ADDRESS);
    blob_u64(&machine.start, LINE_ADDRESS);
    blob_u64(&machine.start, 0xf5ae0);
    blob_u64(&machine.start, MAP_ADDRESS);
    blob_u32(&machine.start, 4);
    blob_u32(&machine.start, 0);
}

static enum boot_error parse(void)
{
    struct fake_memory fake;
    enum boot_error error;

    fake_memory_init(&fake);
    fake_memory_add(&fake, START_ADDRESS, machine.start.bytes, machine.start.length);
    fake_memory_add(&fake, LINE_ADDRESS, machine.line.bytes, machine.line.length);
    fake_memory_add(&fake, MODULES_ADDRESS, machine.modules.bytes, machine.modules.length);
    fake_memory_add(&fake, MAP_ADDRESS, machine.map.bytes, machine.map.length);
    error = boot_pvh_parse(&info, &fake.memory, START_ADDRESS);
    fake_memory_forget(&fake);
    return error;
}

static void a_valid_structure_is_read_whole(void **state)
{
    (void)state;
    machine_valid();
    assert_int_equal(parse(), BOOT_OK);
    assert_int_equal(boot_info_check(&info), 0);
    assert_int_equal(boot_info_validate(&info, 1 << 20), BOOT_OK);
    assert_int_equal(info.source, BOOT_SOURCE_PVH);
    assert_string_equal(info.command_line, "debug=1 root");
    assert_int_equal(info.module_start, 0x200000);
    assert_int_equal(info.module_length, 0x4321);
    assert_int_equal(info.rsdp_address, 0xf5ae0);
    assert_int_equal(info.rsdp_length, 0);
    assert_int_equal(info.range_count, 4);
    assert_int_equal(info.range[2].start, 0x100000);
    assert_int_equal(info.range[3].type, BOOT_RANGE_RESERVED);
}

static void absent_parts_are_absent(void **state)
{
    (void)state;
    machine_valid();
    blob_put_u32(&machine.start, 24, 0); /* command line */
    blob_put_u32(&machine.start, 12, 0); /* module count; the list's address may be anything */
    blob_put_u32(&machine.start, 16, 0xdead);
    assert_int_equal(parse(), BOOT_OK);
    assert_string_equal(info.command_line, "");
    assert_int_equal(info.module_count, 0);
    assert_int_equal(boot_info_validate(&info, 0), BOOT_ERROR_NO_MODULE);
}

static void each_lie_has_its_error(void **state)
{
    static const struct {
        uint32_t offset;
        uint32_t value;
        enum boot_error expected;
    } cases[] = {
        {0, 0x336ec579, BOOT_ERROR_BAD_MAGIC},
        {4, 0, BOOT_ERROR_NO_MEMORY_MAP},
        {16, 0x5000, BOOT_ERROR_UNREADABLE},
        {20, 0xffffffff, BOOT_ERROR_UNREADABLE},
        {24, 0x5000, BOOT_ERROR_UNREADABLE},
        {40, 0x5000, BOOT_ERROR_UNREADABLE},
        {48, 0, BOOT_ERROR_NO_MEMORY_MAP},
        {48, 5, BOOT_ERROR_UNREADABLE},
        {48, BOOT_PVH_ENTRIES_MAX, BOOT_ERROR_UNREADABLE},
        {48, BOOT_PVH_ENTRIES_MAX + 1, BOOT_ERROR_TOO_LARGE},
        {48, UINT32_MAX, BOOT_ERROR_TOO_LARGE},
        {4, 2, BOOT_OK},
        {12, 2, BOOT_OK},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        machine_valid();
        blob_put_u32(&machine.start, cases[i].offset, cases[i].value);
        assert_int_equal(parse(), cases[i].expected);
    }
    assert_int_equal(boot_info_validate(&info, 0), BOOT_ERROR_TWO_MODULES);
    machine_valid();
    blob_put_u32(&machine.modules, 4, 0xffffffff);
    assert_int_equal(parse(), BOOT_ERROR_BAD_MODULE);
    machine_valid();
    blob_put_u32(&machine.map, 12, 0xffffffff);
    assert_int_equal(parse(), BOOT_ERROR_BAD_MEMORY_MAP);
}

static void the_command_line_is_whole_or_refused(void **state)
{
    (void)state;
    machine_valid();
    machine.line.length = 0;
    for (unsigned i = 0; i < BOOT_COMMAND_LINE_SIZE - 1; i++) {
        blob_u8(&machine.line, 'x');
    }
    assert_int_equal(parse(), BOOT_ERROR_UNREADABLE); /* no NUL before memory ends */
    blob_u8(&machine.line, 0);
    assert_int_equal(parse(), BOOT_OK);
    assert_int_equal(strlen(info.command_line), BOOT_COMMAND_LINE_SIZE - 1);
    machine.line.bytes[BOOT_COMMAND_LINE_SIZE - 1] = 'x';
    blob_u8(&machine.line, 0);
    assert_int_equal(parse(), BOOT_ERROR_COMMAND_LINE_TOO_LONG);
}

static void every_truncation_is_an_error(void **state)
{
    (void)state;
    machine_valid();
    for (uint32_t length = 0; length < 56; length++) {
        machine.start.length = length;
        assert_int_equal(parse(), BOOT_ERROR_UNREADABLE);
    }
}

static void random_damage_is_survived(void **state)
{
    struct test_random random;
    unsigned accepted = 0;
    (void)state;

    test_random_init(&random, 0x336ec578);
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t changes = 1 + test_random_below(&random, 3);

        machine_valid();
        for (uint64_t i = 0; i < changes; i++) {
            struct fake_blob *blobs[] = {&machine.start, &machine.line, &machine.modules,
                                         &machine.map};
            struct fake_blob *target = blobs[test_random_below(&random, ARRAY_COUNT(blobs))];

            target->bytes[test_random_below(&random, target->length)] =
                (uint8_t)test_random_u64(&random);
        }
        if (parse() == BOOT_OK) {
            accepted++;
            assert_int_equal(boot_info_check(&info), 0);
        }
    }
    print_message("          %u of 20000 damaged structures were still acceptable\n", accepted);
    assert_in_range(accepted, 1, 19999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_structure_is_read_whole),
        cmocka_unit_test(absent_parts_are_absent),
        cmocka_unit_test(each_lie_has_its_error),
        cmocka_unit_test(the_command_line_is_whole_or_refused),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(random_damage_is_survived),
    };

    return cmocka_run_group_tests_name("boot_pvh", tests, NULL, NULL);
}
