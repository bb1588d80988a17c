/* SPDX-License-Identifier: MIT */
/*
 * The multiboot2 parser: a blob as GRUB writes it, each lie in turn, every truncation, and random
 * damage to a valid blob, after which whatever was accepted must satisfy boot_info_check().
 */
#include "tests/host/support.h"

#include "core/boot_info.h"
#include "tests/host/fake_memory.h"

#define BLOB_ADDRESS 0x10000u

static void tag_begin(struct fake_blob *blob, uint32_t type, uint32_t *start)
{
    blob_align(blob, 8);
    *start = blob->length;
    blob_u32(blob, type);
    blob_u32(blob, 0);
}

static void tag_end(struct fake_blob *blob, uint32_t start)
{
    blob_put_u32(blob, start + 4, blob->length - start);
}

static void tag_string(struct fake_blob *blob, uint32_t type, const char *text)
{
    uint32_t start;

    tag_begin(blob, type, &start);
    blob_bytes(blob, text, (uint32_t)strlen(text) + 1);
    tag_end(blob, start);
}

static void tag_module(struct fake_blob *blob, uint32_t from, uint32_t to)
{
    uint32_t start;

    tag_begin(blob, 3, &start);
    blob_u32(blob, from);
    blob_u32(blob, to);
    blob_bytes(blob, "manifest", 9);
    tag_end(blob, start);
}

static void map_entry(struct fake_blob *blob, uint64_t base, uint64_t length, uint32_t type)
{
    blob_u64(blob, base);
    blob_u64(blob, length);
    blob_u32(blob, type);
    blob_u32(blob, 0);
}

static void tag_map(struct fake_blob *blob)
{
    uint32_t start;

    tag_begin(blob, 6, &start);
    blob_u32(blob, 24);
    blob_u32(blob, 0);
    map_entry(blob, 0x100000, 0x7ee0000, 1);
    map_entry(blob, 0, 0x9fc00, 1);
    map_entry(blob, 0x9fc00, 0x400, 2);
    map_entry(blob, 0xf0000, 0x10000, 2);
    map_entry(blob, 0x7fe0000, 0x20000, 3);
    map_entry(blob, 0xfffc0000, 0x40000, 2);
    tag_end(blob, start);
}

static void tag_root_pointer(struct fake_blob *blob, uint32_t type, uint32_t length)
{
    uint32_t start;

    tag_begin(blob, type, &start);
    for (uint32_t i = 0; i < length; i++) {
        blob_u8(blob, (uint8_t)(type + i));
    }
    tag_end(blob, start);
}

static void blob_begin(struct fake_blob *blob)
{
    blob->length = 0;
    blob_u32(blob, 0);
    blob_u32(blob, 0);
}

static void blob_end(struct fake_blob *blob)
{
    blob_align(blob, 8);
    blob_u32(blob, 0);
    blob_u32(blob, 8);
    blob_put_u32(blob, 0, blob->length);
}

static void blob_valid(struct fake_blob *blob)
{
    blob_begin(blob);
    tag_string(blob, 1, "quiet trace=3");
    tag_string(blob, 2, "GRUB 2.06");
    tag_module(blob, 0x200000, 0x234567);
    tag_map(blob);
    tag_root_pointer(blob, 14, 20);
    tag_root_pointer(blob, 15, 36);
    tag_string(blob, 99, "a tag of the future");
    blob_end(blob);
}

static enum boot_error parse_at(const struct fake_blob *blob, uint64_t address, uint32_t length,
                                struct boot_info *info)
{
    struct fake_memory fake;
    enum boot_error error;

    fake_memory_init(&fake);
    fake_memory_add(&fake, address, blob->bytes, length);
    error = boot_multiboot2_parse(info, &fake.memory, address);
    fake_memory_forget(&fake);
    return error;
}

static enum boot_error parse(const struct fake_blob *blob, struct boot_info *info)
{
    return parse_at(blob, BLOB_ADDRESS, blob->length, info);
}

static struct fake_blob blob;
static struct boot_info info;

static void a_valid_blob_is_read_whole(void **state)
{
    (void)state;
    blob_valid(&blob);
    assert_int_equal(parse(&blob, &info), BOOT_OK);
    assert_int_equal(boot_info_check(&info), 0);
    assert_int_equal(boot_info_validate(&info, 1 << 20), BOOT_OK);
    assert_int_equal(info.source, BOOT_SOURCE_MULTIBOOT2);
    assert_string_equal(info.command_line, "quiet trace=3");
    assert_int_equal(info.module_count, 1);
    assert_int_equal(info.module_start, 0x200000);
    assert_int_equal(info.module_length, 0x34567);
    assert_int_equal(info.rsdp_address, 0);
    assert_int_equal(info.rsdp_length, 36);
    assert_int_equal(info.rsdp[0], 15);
    assert_int_equal(info.rsdp[35], 50);
    assert_int_equal(info.range_count, 6);
    assert_int_equal(info.range[0].start, 0);
    assert_int_equal(info.range[0].length, 0x9fc00);
    assert_int_equal(info.range[0].type, BOOT_RANGE_USABLE);
    assert_int_equal(info.range[3].start, 0x100000);
    assert_int_equal(info.range[4].type, BOOT_RANGE_ACPI_RECLAIM);
    assert_int_equal(info.range[5].type, BOOT_RANGE_RESERVED);
}

static void the_later_root_pointer_wins_in_either_order(void **state)
{
    (void)state;
    blob_begin(&blob);
    tag_map(&blob);
    tag_root_pointer(&blob, 15, 36);
    tag_root_pointer(&blob, 14, 20);
    blob_end(&blob);
    assert_int_equal(parse(&blob, &info), BOOT_OK);
    assert_int_equal(info.rsdp_length, 36);
    assert_int_equal(info.rsdp[0], 15);

    blob_begin(&blob);
    tag_map(&blob);
    tag_root_pointer(&blob, 14, 24);
    blob_end(&blob);
    assert_int_equal(parse(&blob, &info), BOOT_OK);
    assert_int_equal(info.rsdp_length, 20);
}

static void expect_one_tag(void (*build)(struct fake_blob *), enum boot_error expected)
{
    blob_begin(&blob);
    build(&blob);
    blob_end(&blob);
    assert_int_equal(parse(&blob, &info), expected);
}

static void build_nothing(struct fake_blob *to)
{
    (void)to;
}

static void build_two_maps(struct fake_blob *to)
{
    tag_map(to);
    tag_map(to);
}

static void build_two_lines(struct fake_blob *to)
{
    tag_string(to, 1, "a");
    tag_string(to, 1, "b");
}

static void build_long_line(struct fake_blob *to)
{
    char text[BOOT_COMMAND_LINE_SIZE + 1];

    memset(text, 'x', sizeof(text));
    text[BOOT_COMMAND_LINE_SIZE] = 0;
    tag_string(to, 1, text);
}

static void build_open_line(struct fake_blob *to)
{
    uint32_t start;

    tag_begin(to, 1, &start);
    blob_bytes(to, "abc", 3);
    tag_end(to, start);
}

static void build_empty_line(struct fake_blob *to)
{
    uint32_t start;

    tag_begin(to, 1, &start);
    tag_end(to, start);
}

static void build_backward_module(struct fake_blob *to)
{
    tag_module(to, 0x2000, 0x1fff);
}

static void module_fields(struct fake_blob *to, uint32_t from, uint32_t end)
{
    uint32_t start;

    tag_begin(to, 3, &start);
    blob_u32(to, from);
    blob_u32(to, end);
    tag_end(to, start);
}

/* Without a string, which nobody reads; and one of no bytes, which boot_info_validate refuses. */
static void build_nameless_module(struct fake_blob *to)
{
    tag_map(to);
    module_fields(to, 0x2000, 0x3000);
}

static void build_empty_module(struct fake_blob *to)
{
    tag_map(to);
    module_fields(to, 0x2000, 0x2000);
}

static void build_empty_map(struct fake_blob *to)
{
    uint32_t start;

    tag_begin(to, 6, &start);
    blob_u32(to, 24);
    blob_u32(to, 0);
    tag_end(to, start);
}

static void build_short_module(struct fake_blob *to)
{
    uint32_t start;

    tag_begin(to, 3, &start);
    blob_u32(to, 1);
    tag_end(to, start);
}

static void build_small_root_1(struct fake_blob *to)
{
    tag_root_pointer(to, 14, 19);
}

static void build_small_root_2(struct fake_blob *to)
{
    tag_root_pointer(to, 15, 35);
}

static void build_good_root_and_small(struct fake_blob *to)
{
    tag_root_pointer(to, 15, 36);
    tag_root_pointer(to, 15, 35);
}

static void build_zero_tag(struct fake_blob *to)
{
    blob_u32(to, 77);
    blob_u32(to, 0);
}

static void build_huge_tag(struct fake_blob *to)
{
    blob_u32(to, 77);
    blob_u32(to, UINT32_MAX);
}

static void build_map(struct fake_blob *to, uint32_t entry_size, uint32_t bytes)
{
    uint32_t start;

    tag_begin(to, 6, &start);
    blob_u32(to, entry_size);
    blob_u32(to, 0);
    for (uint32_t i = 0; i < bytes; i++) {
        blob_u8(to, 0);
    }
    tag_end(to, start);
}

static void build_entry_size_0(struct fake_blob *to)
{
    build_map(to, 0, 24);
}

static void build_entry_size_16(struct fake_blob *to)
{
    build_map(to, 16, 32);
}

static void build_entry_size_25(struct fake_blob *to)
{
    build_map(to, 25, 25);
}

static void build_entry_cut(struct fake_blob *to)
{
    build_map(to, 24, 40);
}

static void build_entry_size_32(struct fake_blob *to)
{
    build_map(to, 32, 64);
}

static void build_map_without_fields(struct fake_blob *to)
{
    uint32_t start;

    tag_begin(to, 6, &start);
    blob_u32(to, 24);
    tag_end(to, start);
}

static void build_wrapping_entry(struct fake_blob *to)
{
    uint32_t start;

    tag_begin(to, 6, &start);
    blob_u32(to, 24);
    blob_u32(to, 0);
    map_entry(to, UINT64_MAX, 2, 1);
    tag_end(to, start);
}

static void each_lie_has_its_error(void **state)
{
    static const struct {
        void (*build)(struct fake_blob *);
        enum boot_error expected;
    } cases[] = {
        {build_nothing, BOOT_ERROR_NO_MEMORY_MAP},
        {build_two_maps, BOOT_ERROR_DUPLICATE_TAG},
        {build_two_lines, BOOT_ERROR_DUPLICATE_TAG},
        {build_long_line, BOOT_ERROR_COMMAND_LINE_TOO_LONG},
        {build_open_line, BOOT_ERROR_TRUNCATED},
        {build_empty_line, BOOT_ERROR_TRUNCATED},
        {build_backward_module, BOOT_ERROR_BAD_MODULE},
        {build_short_module, BOOT_ERROR_BAD_TAG},
        {build_nameless_module, BOOT_OK},
        {build_empty_module, BOOT_OK},
        {build_empty_map, BOOT_OK},
        {build_small_root_1, BOOT_ERROR_BAD_ROOT_POINTER},
        {build_small_root_2, BOOT_ERROR_BAD_ROOT_POINTER},
        {build_good_root_and_small, BOOT_ERROR_BAD_ROOT_POINTER},
        {build_zero_tag, BOOT_ERROR_BAD_TAG},
        {build_huge_tag, BOOT_ERROR_TRUNCATED},
        {build_entry_size_0, BOOT_ERROR_BAD_TAG},
        {build_entry_size_16, BOOT_ERROR_BAD_TAG},
        {build_entry_size_25, BOOT_ERROR_BAD_TAG},
        {build_entry_cut, BOOT_ERROR_TRUNCATED},
        {build_entry_size_32, BOOT_OK},
        {build_map_without_fields, BOOT_ERROR_BAD_TAG},
        {build_wrapping_entry, BOOT_ERROR_BAD_MEMORY_MAP},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        expect_one_tag(cases[i].build, cases[i].expected);
    }
}

static void the_longest_line_fits(void **state)
{
    char text[BOOT_COMMAND_LINE_SIZE];
    (void)state;

    memset(text, 'x', sizeof(text));
    text[BOOT_COMMAND_LINE_SIZE - 1] = 0;
    blob_begin(&blob);
    tag_map(&blob);
    tag_string(&blob, 1, text);
    blob_end(&blob);
    assert_int_equal(parse(&blob, &info), BOOT_OK);
    assert_string_equal(info.command_line, text);
}

static void place_and_size_are_checked(void **state)
{
    static const uint8_t zeros[16];
    struct fake_memory fake;
    (void)state;

    blob_valid(&blob);
    fake_memory_init(&fake);
    assert_int_equal(boot_multiboot2_parse(&info, &fake.memory, 0), BOOT_ERROR_UNREADABLE);
    assert_int_equal(boot_multiboot2_parse(&info, &fake.memory, 4), BOOT_ERROR_MISALIGNED);
    fake_memory_add(&fake, 0x1000, zeros, sizeof(zeros));
    assert_int_equal(boot_multiboot2_parse(&info, &fake.memory, 0x1000), BOOT_ERROR_TRUNCATED);
    fake_memory_forget(&fake);
    assert_int_equal(parse_at(&blob, UINT64_MAX - 7, blob.length, &info), BOOT_ERROR_UNREADABLE);
    assert_int_equal(parse_at(&blob, BLOB_ADDRESS, blob.length - 1, &info), BOOT_ERROR_UNREADABLE);
    blob_put_u32(&blob, 0, BOOT_MULTIBOOT2_SIZE_MAX + 1);
    assert_int_equal(parse(&blob, &info), BOOT_ERROR_TOO_LARGE);
    blob_put_u32(&blob, 0, BOOT_MULTIBOOT2_SIZE_MAX);
    assert_int_equal(parse(&blob, &info), BOOT_ERROR_UNREADABLE);
    blob_put_u32(&blob, 0, blob.length + 8);
    assert_int_equal(parse(&blob, &info), BOOT_ERROR_UNREADABLE);
}

static void two_modules_are_counted(void **state)
{
    (void)state;
    blob_begin(&blob);
    tag_map(&blob);
    tag_module(&blob, 0x200000, 0x201000);
    tag_module(&blob, 0x300000, 0x301000);
    blob_end(&blob);
    assert_int_equal(parse(&blob, &info), BOOT_OK);
    assert_int_equal(info.module_count, 2);
    assert_int_equal(info.module_start, 0x200000);
    assert_int_equal(boot_info_validate(&info, 0), BOOT_ERROR_TWO_MODULES);
}

/* A blob whose total size says less than there is: never more is read than it says. */
static void every_truncation_is_an_error(void **state)
{
    uint32_t whole;
    (void)state;

    blob_valid(&blob);
    whole = blob.length;
    for (uint32_t length = 0; length < whole; length++) {
        blob_put_u32(&blob, 0, length);
        assert_int_not_equal(parse_at(&blob, BLOB_ADDRESS, length < 8 ? 8 : length, &info),
                             BOOT_OK);
        assert_int_not_equal(parse_at(&blob, BLOB_ADDRESS, whole, &info), BOOT_OK);
    }
}

static void random_damage_is_survived(void **state)
{
    struct test_random random;
    unsigned accepted = 0;
    (void)state;

    test_random_init(&random, 0x36d76289);
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t changes = 1 + test_random_below(&random, 4);

        blob_valid(&blob);
        for (uint64_t i = 0; i < changes; i++) {
            uint64_t at = test_random_below(&random, blob.length);

            if (test_random_one_in(&random, 3)) {
                blob.bytes[at] ^= (uint8_t)(1u << test_random_below(&random, 8));
            } else {
                blob.bytes[at] = (uint8_t)test_random_u64(&random);
            }
        }
        if (parse(&blob, &info) == BOOT_OK) {
            accepted++;
            assert_int_equal(boot_info_check(&info), 0);
        }
    }
    print_message("          %u of 20000 damaged blobs were still acceptable\n", accepted);
    assert_in_range(accepted, 1, 19999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_blob_is_read_whole),
        cmocka_unit_test(the_later_root_pointer_wins_in_either_order),
        cmocka_unit_test(each_lie_has_its_error),
        cmocka_unit_test(the_longest_line_fits),
        cmocka_unit_test(place_and_size_are_checked),
        cmocka_unit_test(two_modules_are_counted),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(random_damage_is_survived),
    };

    return cmocka_run_group_tests_name("boot_multiboot2", tests, NULL, NULL);
}
