/* SPDX-License-Identifier: MIT */
/*
 * The ELF reader: a valid file, one test for each reason to refuse, truncation at every length, and
 * random bytes, random damage and random program headers judged by an independent oracle. Files lie
 * in allocations of their exact length.
 */
#include "tests/host/support.h"

#include "tests/host/elf_oracle.h"

#define FILE_SIZE 0x3400u
#define HEADERS   4u

static const struct elf_limits limits = {
    .user_min = 0x10000,
    .user_max = UINT64_C(0x00007ffffffff000),
    .memory_max = 0x100000,
};

struct file {
    Elf64_Ehdr header;
    Elf64_Phdr program[ELF_PROGRAM_HEADERS_MAX];
    uint32_t length;
};

static struct elf_image image;

static Elf64_Phdr load(uint64_t address, uint64_t offset, uint64_t size, uint32_t flags)
{
    return (Elf64_Phdr){
        .p_type = PT_LOAD,
        .p_flags = flags,
        .p_offset = offset,
        .p_vaddr = address,
        .p_paddr = address,
        .p_filesz = size,
        .p_memsz = size,
        .p_align = 0x1000,
    };
}

/* Text, read-only data with the TLS template, data with zeros behind it, TLS. */
static struct file file_valid(void)
{
    struct file file = {
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = EM_X86_64,
                   .e_version = EV_CURRENT,
                   .e_entry = 0x400010,
                   .e_phoff = sizeof(Elf64_Ehdr),
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = HEADERS},
        .length = FILE_SIZE,
    };

    file.program[0] = load(0x400000, 0, 0x1234, PF_R | PF_X);
    file.program[1] = load(0x402000, 0x2000, 0x800, PF_R);
    file.program[2] = load(0x403300, 0x3300, 0x100, PF_R | PF_W);
    file.program[2].p_memsz = 0x5000;
    file.program[3] = load(0x402100, 0x2100, 0x30, PF_R);
    file.program[3].p_type = PT_TLS;
    file.program[3].p_memsz = 0x48;
    file.program[3].p_align = 16;
    return file;
}

/* The file's bytes in an allocation of exactly its length; headers that do not fit are cut. */
static uint8_t *file_bytes(const struct file *file)
{
    uint8_t *bytes = calloc(1, file->length == 0 ? 1 : file->length);
    uint8_t whole[sizeof(file->header) + sizeof(file->program)];
    size_t size = sizeof(whole) < file->length ? sizeof(whole) : file->length;

    assert_non_null(bytes);
    memcpy(whole, &file->header, sizeof(file->header));
    memcpy(whole + sizeof(file->header), file->program, sizeof(file->program));
    memcpy(bytes, whole, size);
    return bytes;
}

/* Parses, with the oracle looking on. */
static enum elf_error parse_with(const struct file *file, const struct elf_limits *with)
{
    uint8_t *bytes = file_bytes(file);
    enum elf_error error = elf_parse(bytes, file->length, with, &image);
    const char *complaint = elf_oracle_judge(bytes, file->length, with);

    free(bytes);
    if (complaint != NULL) {
        fail_msg("%s (parser says: %s)", complaint, elf_error_text(error));
    }
    return error;
}

static enum elf_error parse(const struct file *file)
{
    return parse_with(file, &limits);
}

static void a_valid_file_is_read_whole(void **state)
{
    struct file file = file_valid();
    (void)state;

    assert_int_equal(parse(&file), ELF_OK);
    assert_int_equal(elf_image_check(&image, FILE_SIZE, &limits), 0);
    assert_int_equal(image.entry, 0x400010);
    assert_int_equal(image.segment_count, 3);
    assert_int_equal(image.segment[0].flags, ELF_READ | ELF_EXECUTE);
    assert_int_equal(image.segment[2].address, 0x403300);
    assert_int_equal(image.segment[2].file_offset, 0x3300);
    assert_int_equal(image.segment[2].file_size, 0x100);
    assert_int_equal(image.segment[2].memory_size, 0x5000);
    assert_int_equal(image.memory_size, (2 + 1 + 6) * 0x1000);
    assert_true(image.tls.present);
    assert_int_equal(image.tls.address, 0x402100);
    assert_int_equal(image.tls.file_offset, 0x2100);
    assert_int_equal(image.tls.file_size, 0x30);
    assert_int_equal(image.tls.memory_size, 0x48);
    assert_int_equal(image.tls.align, 16);
}

/* The first part of a file has its headers exactly from their last byte on; nothing is read of
 * fewer bytes than there are. */
static void headers_lie_in_the_first_part(void **state)
{
    struct file file = file_valid();
    uint64_t end = file.header.e_phoff + (uint64_t)file.header.e_phnum * sizeof(file.program[0]);
    (void)state;

    for (file.length = 0; file.length <= end + 1; file.length++) {
        uint8_t *bytes = file_bytes(&file);

        assert_int_equal(elf_headers_within(bytes, file.length), file.length >= end);
        free(bytes);
    }
    file.length = (uint32_t)end;
    for (unsigned shift = 12; shift < 64; shift++) {
        uint8_t *bytes;

        file.header.e_phoff = UINT64_MAX << shift;
        bytes = file_bytes(&file);
        assert_false(elf_headers_within(bytes, file.length));
        free(bytes);
    }
}

/* ---- one edit of the valid file for each rule ----------------------------------------------- */

#define EDIT(name, ...)                                                                            \
    static void edit_##name(struct file *f)                                                        \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }

EDIT(length, f->length = sizeof(Elf64_Ehdr) - 1)
EDIT(magic, f->header.e_ident[3] = 'G')
EDIT(class, f->header.e_ident[EI_CLASS] = ELFCLASS32)
EDIT(data, f->header.e_ident[EI_DATA] = ELFDATA2MSB)
EDIT(ident_version, f->header.e_ident[EI_VERSION] = 0)
EDIT(os_abi, f->header.e_ident[EI_OSABI] = ELFOSABI_FREEBSD)
EDIT(abi_version, f->header.e_ident[EI_ABIVERSION] = 1)
EDIT(type, f->header.e_type = ET_DYN)
EDIT(machine, f->header.e_machine = EM_RISCV)
EDIT(version, f->header.e_version = 2)
EDIT(flags, f->header.e_flags = 1)
EDIT(header_size, f->header.e_ehsize = 63)
EDIT(no_headers, f->header.e_phnum = 0)
EDIT(many_headers, f->header.e_phnum = ELF_PROGRAM_HEADERS_MAX + 1)
EDIT(huge_count, f->header.e_phnum = UINT16_MAX)
EDIT(entry_size, f->header.e_phentsize = 57)
EDIT(table_end, f->header.e_phoff = FILE_SIZE - 4 * sizeof(Elf64_Phdr) + 1)
EDIT(table_wraps, f->header.e_phoff = UINT64_MAX - 8)
EDIT(interpreter, f->program[3].p_type = PT_INTERP)
EDIT(dynamic, f->program[3].p_type = PT_DYNAMIC)
EDIT(stack, f->program[3] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W | PF_X})
EDIT(unknown_flag, f->program[1].p_flags |= 8)
EDIT(unreadable, f->program[1].p_flags = PF_W)
EDIT(no_rights, f->program[1].p_flags = 0)
EDIT(writable_code, f->program[0].p_flags |= PF_W)
EDIT(file_larger, f->program[2].p_memsz = 0xff)
EDIT(file_end, f->program[2].p_filesz = 0x101)
EDIT(file_wraps, f->program[2].p_offset = UINT64_MAX - 0xcff)
EDIT(odd_align, f->program[1].p_align = 0x3000)
EDIT(incongruent, f->program[1].p_vaddr += 0x10)
EDIT(incongruent_large, f->program[1].p_align = 0x200000; f->program[1].p_vaddr += 0x1000)
EDIT(below_user, f->program[0].p_vaddr = 0xf000)
EDIT(kernel_half, f->program[2].p_vaddr = UINT64_C(0xffff800000000300))
EDIT(into_kernel, f->program[2].p_vaddr = UINT64_C(0x00007fffffffc300))
EDIT(address_wraps, f->program[2].p_vaddr = UINT64_MAX - 0xcff)
EDIT(huge_memory, f->program[2].p_memsz = UINT64_MAX)
EDIT(same_page, f->program[1].p_vaddr = 0x401000; f->program[1].p_offset = 0x2000)
EDIT(descending, f->program[2].p_vaddr = 0x300300)
EDIT(inside, f->program[2].p_vaddr = 0x402300)
EDIT(too_much, f->program[2].p_memsz = 0x100000)
EDIT(nothing, f->header.e_phnum = 1; f->program[0].p_type = PT_NOTE)
EDIT(only_empty, f->header.e_phnum = 1; f->program[0].p_memsz = 0; f->program[0].p_filesz = 0)
EDIT(entry_before, f->header.e_entry = 0x3fffff)
EDIT(entry_behind, f->header.e_entry = 0x401234)
EDIT(entry_in_data, f->header.e_entry = 0x402000)
EDIT(two_tls, f->header.e_phnum = 5; f->program[4] = f->program[3])
EDIT(tls_large, f->program[3].p_memsz = ELF_TLS_SIZE_MAX + 1)
EDIT(tls_sizes, f->program[3].p_memsz = 0x2f)
EDIT(tls_align_odd, f->program[3].p_align = 24)
EDIT(tls_align_large, f->program[3].p_align = 8192)
EDIT(tls_align_very_large, f->program[3].p_align = 8192; f->program[3].p_vaddr = 0x402000;
     f->program[3].p_offset = 0x2000)
EDIT(tls_unaligned, f->program[3].p_vaddr += 8; f->program[3].p_offset += 8)
EDIT(tls_elsewhere, f->program[3].p_offset += 16)
EDIT(tls_outside, f->program[3].p_filesz = 0x701; f->program[3].p_memsz = 0x800)
EDIT(tls_in_zeros, f->program[3].p_vaddr = 0x403400; f->program[3].p_offset = 0x3400)
EDIT(tls_wraps, f->program[3].p_vaddr = UINT64_MAX - 15)

/* And edits that must be accepted. */
EDIT(gnu_abi, f->header.e_ident[EI_OSABI] = ELFOSABI_GNU)
EDIT(calm_stack, f->program[3] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W})
EDIT(unknown_type, f->program[3].p_type = 0x6fffffff)
EDIT(no_align, f->program[1].p_align = 0)
EDIT(byte_align, f->program[1].p_align = 1)
EDIT(empty_segment, f->program[1] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R};
     f->program[3].p_type = PT_NULL)
EDIT(zeros_beyond_file, f->program[2].p_filesz = 0; f->program[2].p_offset = 0x99999300)
EDIT(zero_tls, f->program[3].p_filesz = 0; f->program[3].p_vaddr = 0; f->program[3].p_offset = 77)
EDIT(last_page, f->program[2].p_vaddr = UINT64_C(0x00007fffffffa300);
     f->program[2].p_memsz = 0x4d00)
EDIT(first_page, f->program[0].p_vaddr = 0x10000; f->header.e_entry = 0x10000)
EDIT(last_entry, f->header.e_entry = 0x401233)
EDIT(all_memory, f->program[2].p_memsz = 0xfcd00)
EDIT(tls_without_memory, f->program[3].p_memsz = 0; f->program[3].p_filesz = 0)

static void each_rule_has_its_error(void **state)
{
    static const struct {
        const char *name;
        void (*edit)(struct file *);
        enum elf_error expected;
    } cases[] = {
#define CASE(name, error) {#name, edit_##name, error}
        CASE(length, ELF_ERROR_TRUNCATED_HEADER),
        CASE(magic, ELF_ERROR_BAD_MAGIC),
        CASE(class, ELF_ERROR_BAD_CLASS),
        CASE(data, ELF_ERROR_BAD_CLASS),
        CASE(ident_version, ELF_ERROR_BAD_CLASS),
        CASE(os_abi, ELF_ERROR_BAD_ABI),
        CASE(abi_version, ELF_ERROR_BAD_ABI),
        CASE(type, ELF_ERROR_BAD_TYPE),
        CASE(machine, ELF_ERROR_BAD_MACHINE),
        CASE(version, ELF_ERROR_BAD_HEADER),
        CASE(flags, ELF_ERROR_BAD_HEADER),
        CASE(header_size, ELF_ERROR_BAD_HEADER),
        CASE(no_headers, ELF_ERROR_NO_PROGRAM_HEADERS),
        CASE(many_headers, ELF_ERROR_TOO_MANY_HEADERS),
        CASE(huge_count, ELF_ERROR_TOO_MANY_HEADERS),
        CASE(entry_size, ELF_ERROR_BAD_HEADER),
        CASE(table_end, ELF_ERROR_BAD_HEADER_TABLE),
        CASE(table_wraps, ELF_ERROR_BAD_HEADER_TABLE),
        CASE(interpreter, ELF_ERROR_DYNAMIC),
        CASE(dynamic, ELF_ERROR_DYNAMIC),
        CASE(stack, ELF_ERROR_EXECUTABLE_STACK),
        CASE(unknown_flag, ELF_ERROR_BAD_FLAGS),
        CASE(unreadable, ELF_ERROR_BAD_FLAGS),
        CASE(no_rights, ELF_ERROR_BAD_FLAGS),
        CASE(writable_code, ELF_ERROR_WRITABLE_CODE),
        CASE(file_larger, ELF_ERROR_BAD_SIZE),
        CASE(file_end, ELF_ERROR_FILE_RANGE),
        CASE(file_wraps, ELF_ERROR_FILE_RANGE),
        CASE(odd_align, ELF_ERROR_BAD_ALIGNMENT),
        CASE(incongruent, ELF_ERROR_BAD_ALIGNMENT),
        CASE(incongruent_large, ELF_ERROR_BAD_ALIGNMENT),
        CASE(below_user, ELF_ERROR_ADDRESS_RANGE),
        CASE(kernel_half, ELF_ERROR_ADDRESS_RANGE),
        CASE(into_kernel, ELF_ERROR_ADDRESS_RANGE),
        CASE(address_wraps, ELF_ERROR_ADDRESS_RANGE),
        CASE(huge_memory, ELF_ERROR_ADDRESS_RANGE),
        CASE(same_page, ELF_ERROR_OVERLAP),
        CASE(descending, ELF_ERROR_OVERLAP),
        CASE(inside, ELF_ERROR_OVERLAP),
        CASE(too_much, ELF_ERROR_TOO_MUCH_MEMORY),
        CASE(nothing, ELF_ERROR_NO_SEGMENTS),
        CASE(only_empty, ELF_ERROR_NO_SEGMENTS),
        CASE(entry_before, ELF_ERROR_BAD_ENTRY),
        CASE(entry_behind, ELF_ERROR_BAD_ENTRY),
        CASE(entry_in_data, ELF_ERROR_BAD_ENTRY),
        CASE(two_tls, ELF_ERROR_TWO_TLS),
        CASE(tls_large, ELF_ERROR_BAD_TLS),
        CASE(tls_sizes, ELF_ERROR_BAD_TLS),
        CASE(tls_align_odd, ELF_ERROR_BAD_TLS),
        CASE(tls_align_large, ELF_ERROR_BAD_TLS),
        CASE(tls_align_very_large, ELF_ERROR_BAD_TLS),
        CASE(tls_unaligned, ELF_ERROR_BAD_TLS),
        CASE(tls_elsewhere, ELF_ERROR_BAD_TLS),
        CASE(tls_outside, ELF_ERROR_BAD_TLS),
        CASE(tls_in_zeros, ELF_ERROR_BAD_TLS),
        CASE(tls_wraps, ELF_ERROR_BAD_TLS),
        CASE(gnu_abi, ELF_OK),
        CASE(calm_stack, ELF_OK),
        CASE(unknown_type, ELF_OK),
        CASE(no_align, ELF_OK),
        CASE(byte_align, ELF_OK),
        CASE(empty_segment, ELF_OK),
        CASE(zeros_beyond_file, ELF_OK),
        CASE(zero_tls, ELF_OK),
        CASE(last_page, ELF_OK),
        CASE(first_page, ELF_OK),
        CASE(last_entry, ELF_OK),
        CASE(all_memory, ELF_OK),
        CASE(tls_without_memory, ELF_OK),
#undef CASE
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct file file = file_valid();
        enum elf_error error;

        cases[i].edit(&file);
        error = parse(&file);
        if (error != cases[i].expected) {
            fail_msg("%s: %s, expected %s", cases[i].name, elf_error_text(error),
                     elf_error_text(cases[i].expected));
        }
    }
}

static void segments_have_a_limit(void **state)
{
    struct file file = file_valid();
    (void)state;

    for (uint16_t i = 0; i < ELF_PROGRAM_HEADERS_MAX; i++) {
        file.program[i] = load(0x400000 + i * UINT64_C(0x1000), 0, 0x100, PF_R | PF_X);
    }
    file.header.e_phnum = ELF_SEGMENTS_MAX;
    assert_int_equal(parse(&file), ELF_OK);
    assert_int_equal(image.segment_count, ELF_SEGMENTS_MAX);
    file.header.e_phnum = ELF_SEGMENTS_MAX + 1;
    assert_int_equal(parse(&file), ELF_ERROR_TOO_MANY_SEGMENTS);
}

/* Headers of other kinds count too, and so does an alignment that is as large as it may be. */
static void limits_are_reached(void **state)
{
    struct file file = file_valid();
    (void)state;

    file.header.e_phnum = ELF_PROGRAM_HEADERS_MAX;
    for (uint16_t i = HEADERS; i < ELF_PROGRAM_HEADERS_MAX; i++) {
        file.program[i].p_type = PT_NOTE;
    }
    assert_int_equal(parse(&file), ELF_OK);
    file = file_valid();
    file.program[3] = load(0x402000, 0x2000, 0x30, PF_R);
    file.program[3].p_type = PT_TLS;
    file.program[3].p_align = ELF_TLS_ALIGN_MAX;
    assert_int_equal(parse(&file), ELF_OK);
    assert_int_equal(image.tls.align, ELF_TLS_ALIGN_MAX);
}

/* Whatever its header says of file and address: nothing is copied from there. */
static void a_template_of_no_bytes_lies_nowhere(void **state)
{
    struct file file = file_valid();
    (void)state;

    file.program[3].p_filesz = 0;
    file.program[3].p_offset = UINT64_MAX;
    assert_int_equal(parse(&file), ELF_OK);
    assert_true(image.tls.present);
    assert_int_equal(image.tls.address, 0);
    assert_int_equal(image.tls.file_offset, 0);
    assert_int_equal(image.tls.memory_size, 0x48);
}

static void a_header_alone_is_read(void **state)
{
    struct file file = file_valid();
    uint8_t *bytes;
    (void)state;

    file.header.e_phnum = 0;
    file.length = sizeof(Elf64_Ehdr);
    assert_int_equal(parse(&file), ELF_ERROR_NO_PROGRAM_HEADERS);
    bytes = file_bytes(&file);
    assert_true(elf_headers_within(bytes, sizeof(Elf64_Ehdr)));
    free(bytes);
}

/* The highest limits there can be: the last page of the address space and all of memory. */
static void limits_may_be_extreme(void **state)
{
    static const struct elf_limits all = {
        .user_min = 0, .user_max = UINT64_MAX - 0xfff, .memory_max = UINT64_MAX};
    struct file file = file_valid();
    (void)state;

    file.program[2].p_vaddr = UINT64_MAX - 0x2cff;
    file.program[2].p_memsz = 0x1d00;
    assert_int_equal(parse_with(&file, &all), ELF_OK);
    file.program[2].p_memsz = 0x1d01;
    assert_int_equal(parse_with(&file, &all), ELF_ERROR_ADDRESS_RANGE);
    file = file_valid();
    assert_int_equal(
        parse_with(&file, &(struct elf_limits){.user_min = 0, .user_max = limits.user_max}),
        ELF_ERROR_TOO_MUCH_MEMORY);
}

static void every_truncation_is_judged(void **state)
{
    struct file file = file_valid();
    (void)state;

    for (uint32_t length = 0; length < FILE_SIZE; length++) {
        file.length = length;
        assert_int_not_equal(parse(&file), ELF_OK);
    }
    file.length = FILE_SIZE;
    assert_int_equal(parse(&file), ELF_OK);
}

static void random_bytes_are_judged(void **state)
{
    struct test_random random;
    (void)state;

    test_random_init(&random, 0xe1f);
    for (unsigned round = 0; round < 20000; round++) {
        size_t length = test_random_below(&random, 700);
        uint8_t *bytes = malloc(length == 0 ? 1 : length);
        static const uint8_t start[] = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0};

        assert_non_null(bytes);
        test_random_fill(&random, bytes, length);
        if (length >= sizeof(start) && test_random_one_in(&random, 2)) {
            memcpy(bytes, start, sizeof(start));
        }
        assert_null(elf_oracle_judge(bytes, length, &limits));
        free(bytes);
    }
}

/* A number that a program header field might go wrong at. */
static uint64_t value_draw(struct test_random *random)
{
    static const uint64_t edges[] = {
        0,
        1,
        2,
        3,
        4,
        7,
        16,
        0xfff,
        0x1000,
        0x1001,
        0x2000,
        0x3000,
        0x3300,
        0x3400,
        0x400000,
        0x401000,
        0x402000,
        0x403000,
        0x10000,
        0x200000,
        UINT64_MAX,
        0x100000,
        UINT64_MAX - 0xfff,
        UINT64_C(0x7ffffffff000),
        UINT64_C(0x800000000000),
        UINT64_C(1) << 63,
        UINT32_MAX,
    };

    return edges[test_random_below(random, ARRAY_COUNT(edges))] +
           (test_random_one_in(random, 4) ? test_random_below(random, 5) - 2 : 0);
}

/* Damages fields of a valid file; half of the damage keeps the relation that a single change
 * breaks. */
static void random_damage_is_judged(void **state)
{
    struct test_random random;
    unsigned accepted = 0;
    (void)state;

    test_random_init(&random, 0xe1f2);
    for (unsigned round = 0; round < 60000; round++) {
        struct file file = file_valid();
        uint64_t changes = 1 + test_random_below(&random, 3);

        for (uint64_t i = 0; i < changes; i++) {
            Elf64_Phdr *p = &file.program[test_random_below(&random, HEADERS)];
            uint64_t value = value_draw(&random);

            switch (test_random_below(&random, 9)) {
            case 0:
                p->p_offset = value;
                break;
            case 1:
                p->p_vaddr = value;
                break;
            case 2:
                p->p_filesz = value;
                break;
            case 3:
                p->p_memsz = value;
                break;
            case 4:
                p->p_align = value;
                break;
            case 5:
                p->p_flags = (uint32_t)test_random_below(&random, 9);
                break;
            case 6:
                p->p_type = (uint32_t)test_random_below(&random, 8);
                break;
            case 7:
                file.header.e_entry = value;
                break;
            default:
                ((uint8_t *)&file.header)[test_random_below(&random, sizeof(file.header))] =
                    (uint8_t)test_random_u64(&random);
                break;
            }
        }
        accepted += parse(&file) == ELF_OK;
    }
    print_message("          %u of 60000 damaged files were still acceptable\n", accepted);
    assert_in_range(accepted, 1, 59999);
}

/* Files made of random segments that keep most rules, so that overlap and order decide. */
static void random_layouts_are_judged(void **state)
{
    struct test_random random;
    unsigned accepted = 0;
    (void)state;

    test_random_init(&random, 0xe1f3);
    for (unsigned round = 0; round < 40000; round++) {
        struct file file = file_valid();
        uint64_t address = 0x400000;

        file.header.e_phnum = (uint16_t)(1 + test_random_below(&random, 6));
        for (unsigned i = 0; i < file.header.e_phnum; i++) {
            static const uint32_t flags[] = {PF_R, PF_R | PF_X, PF_R | PF_W};
            uint64_t offset = test_random_below(&random, 0x3000);
            uint64_t size = test_random_below(&random, 0x3400 - offset);

            address += test_random_below(&random, 3) * 0x1000;
            file.program[i] = load(address + offset % 0x1000, offset, size,
                                   i == 0 ? PF_R | PF_X : flags[test_random_below(&random, 3)]);
            file.program[i].p_memsz +=
                test_random_one_in(&random, 2) ? 0 : test_random_below(&random, 0x2000);
            if (test_random_one_in(&random, 6)) {
                file.program[i].p_type = PT_TLS;
                file.program[i].p_align = UINT64_C(1) << test_random_below(&random, 6);
            }
            address += test_random_one_in(&random, 3) ? 0 : (size + 0xfff) / 0x1000 * 0x1000;
        }
        file.header.e_entry =
            file.program[0].p_vaddr + test_random_below(&random, file.program[0].p_filesz + 2);
        accepted += parse(&file) == ELF_OK;
    }
    print_message("          %u of 40000 random layouts were acceptable\n", accepted);
    assert_in_range(accepted, 100, 39900);
}

static void check_finds_damage(void **state)
{
    struct file file = file_valid();
    struct elf_image good;
    (void)state;

    assert_int_equal(parse(&file), ELF_OK);
    good = image;
    image.segment_count = 0;
    assert_int_equal(elf_image_check(&image, FILE_SIZE, &limits), 1);
    image = good;
    image.segment[1].file_offset += 8;
    assert_int_equal(elf_image_check(&image, FILE_SIZE, &limits), 1);
    image = good;
    image.segment[0].flags |= ELF_WRITE;
    assert_int_equal(elf_image_check(&image, FILE_SIZE, &limits), 2);
    image = good;
    image.segment[0].address = 0;
    assert_int_equal(elf_image_check(&image, FILE_SIZE, &limits), 3);
    image = good;
    image.segment[1].address = 0x401000;
    assert_int_equal(elf_image_check(&image, FILE_SIZE, &limits), 4);
    image = good;
    image.memory_size += 0x1000;
    assert_int_equal(elf_image_check(&image, FILE_SIZE, &limits), 5);
    image = good;
    image.entry = 0x402000;
    assert_int_equal(elf_image_check(&image, FILE_SIZE, &limits), 6);
    image = good;
    image.tls.align = 3;
    assert_int_equal(elf_image_check(&image, FILE_SIZE, &limits), 7);
}

static void every_error_has_a_text(void **state)
{
    (void)state;
    for (int error = 0; error < ELF_ERROR_COUNT; error++) {
        assert_true(strlen(elf_error_text((enum elf_error)error)) > 3);
        assert_string_not_equal(elf_error_text((enum elf_error)error), "unknown ELF error");
    }
    assert_string_equal(elf_error_text((enum elf_error)999), "unknown ELF error");
    assert_string_equal(elf_error_text(ELF_ERROR_COUNT), "unknown ELF error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_file_is_read_whole),
        cmocka_unit_test(headers_lie_in_the_first_part),
        cmocka_unit_test(each_rule_has_its_error),
        cmocka_unit_test(segments_have_a_limit),
        cmocka_unit_test(limits_are_reached),
        cmocka_unit_test(a_template_of_no_bytes_lies_nowhere),
        cmocka_unit_test(a_header_alone_is_read),
        cmocka_unit_test(limits_may_be_extreme),
        cmocka_unit_test(every_truncation_is_judged),
        cmocka_unit_test(random_bytes_are_judged),
        cmocka_unit_test(random_damage_is_judged),
        cmocka_unit_test(random_layouts_are_judged),
        cmocka_unit_test(check_finds_damage),
        cmocka_unit_test(every_error_has_a_text),
    };

    return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
