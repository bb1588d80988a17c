/* SPDX-License-Identifier: MIT */
/*
 * The ELF reader: it reads no byte outside the file, and what it accepts is safe to map.
 *
 * The file is a block of exactly its length, so that a read outside of it is a failure of the
 * proof. What is read there is any value, another each time: whatever the bytes are, and also if
 * they change meanwhile. Segments are proved one by one: any program header read into an image that
 * the rules allow so far gives such an image again, or is refused; so for as many as a file has.
 *
 * bound: files of 2^40 bytes; one program header at a time
 * cbmc: core/elf.c
 * options: --object-bits 12 --unwind 5 --unwindset memcmp.0:6,prove_short.0:65
 * prove: prove_table prove_within prove_short prove_load prove_overlap prove_full prove_tls
 * quick: prove_table prove_load
 * twin: prove_table | core/elf.c
 *     | if (!range_fits(offset, (uint64_t)*count * PROGRAM_SIZE, parse->length)) {
 *     | if (offset + (uint64_t)*count * PROGRAM_SIZE > parse->length) {
 * twin: prove_within | core/elf.c
 *     | return have >= HEADER_SIZE &&
 *     | return have >= HEADER_COUNT &&
 * twin: prove_short | core/elf.c
 *     | if (length < HEADER_SIZE) {
 *     | if (length < HEADER_SIZE - 1) {
 * twin: prove_load | core/elf.c
 *     | if (!address_holds(parse, program)) {
 *     | if (program->address < parse->limits->user_min) {
 * twin: prove_load | core/elf.c
 *     | if (!range_fits(segment.file_offset, segment.file_size, parse->length)) {
 *     | if (segment.file_offset + segment.file_size > parse->length) {
 * twin: prove_overlap | core/elf.c
 *     | page_down(segment->address) < page_end(&image->segment[image->segment_count - 1])) {
 *     | segment->address < image->segment[image->segment_count - 1].address) {
 * twin: prove_full | core/elf.c
 *     | if (image->segment_count == ELF_SEGMENTS_MAX) {
 *     | if (image->segment_count > ELF_SEGMENTS_MAX) {
 * twin: prove_tls | core/elf.c
 *     | !is_power_of_two(align) || align > ELF_TLS_ALIGN_MAX ||
 *     | align > ELF_TLS_ALIGN_MAX ||
 */
#include "verify/prover.h"

#include "core/bits.h"

/* Reads: the bytes must be there, and are any. */
static uint16_t any_u16_at(const uint8_t *from)
{
    __CPROVER_assert(__CPROVER_r_ok(from, 2), "read in the file");
    return nondet_u16();
}

static uint32_t any_u32_at(const uint8_t *from)
{
    __CPROVER_assert(__CPROVER_r_ok(from, 4), "read in the file");
    return nondet_u32();
}

static uint64_t any_u64_at(const uint8_t *from)
{
    __CPROVER_assert(__CPROVER_r_ok(from, 8), "read in the file");
    return nondet_u64();
}

#define read_u16 any_u16_at
#define read_u32 any_u32_at
#define read_u64 any_u64_at
#include "core/elf.c"

void *malloc(size_t bytes);

void prove_table(void);
void prove_within(void);
void prove_short(void);
void prove_load(void);
void prove_overlap(void);
void prove_full(void);
void prove_tls(void);

static struct elf_image image;
static struct elf_limits limits;

/* Any file, in a block of its own length. */
static const uint8_t *any_file(uint64_t length)
{
    const uint8_t *bytes = malloc(length);

    __CPROVER_assume(bytes != NULL);
    return bytes;
}

static uint64_t any_length(void)
{
    uint64_t length = nondet_u64();

    __CPROVER_assume(length <= UINT64_C(1) << 40);
    return length;
}

static void any_limits(void)
{
    limits = (struct elf_limits){nondet_u64(), nondet_u64(), nondet_u64()};
    __CPROVER_assume(limits.user_min < limits.user_max &&
                     ((limits.user_min | limits.user_max) & (ELF_PAGE_SIZE - 1)) == 0);
}

static struct program any_program(void)
{
    return (struct program){.type = nondet_u32(),
                            .flags = nondet_u32(),
                            .offset = nondet_u64(),
                            .address = nondet_u64(),
                            .file_size = nondet_u64(),
                            .memory_size = nondet_u64(),
                            .align = nondet_u64()};
}

/* Inside [from, to), by sums that cannot wrap. */
static bool is_inside(uint64_t start, uint64_t length, uint64_t from, uint64_t to)
{
    return start >= from && (unsigned __int128)start + length <= to;
}

/* The table of program headers lies in the file, whatever the header says. */
void prove_table(void)
{
    uint64_t length = any_length();
    const uint8_t *bytes = any_file(length);
    struct parse parse = {.bytes = bytes, .length = length, .limits = &limits, .image = &image};
    const uint8_t *table = NULL;
    uint32_t count = 0;

    __CPROVER_assume(length >= HEADER_SIZE);
    if (header_check(bytes) == ELF_OK && table_find(&parse, &table, &count) == ELF_OK) {
        uint64_t at = (uint64_t)(table - bytes);
        uint32_t chosen = nondet_u32();
        struct program program;

        __CPROVER_assert(count >= 1 && is_inside(at, (uint64_t)count * PROGRAM_SIZE, 0, length),
                         "inside the file");
        __CPROVER_assume(chosen < count);
        program_read(table + (size_t)chosen * PROGRAM_SIZE, &program);
    }
}

/* What the loader asks before it reads headers reads nothing that is not there. */
void prove_within(void)
{
    uint64_t have = any_length();
    const uint8_t *bytes = any_file(have);

    __CPROVER_assert(!elf_headers_within(bytes, have) || have >= HEADER_SIZE,
                     "the header is there");
}

/* A file that is too short for a header is refused before anything of it is read. */
void prove_short(void)
{
    const uint8_t *nothing = any_file(0);

    any_limits();
    for (uint64_t length = 0; length < HEADER_SIZE; length++) {
        __CPROVER_assert(elf_parse(nothing, length, &limits, &image) == ELF_ERROR_TRUNCATED_HEADER,
                         "refused");
    }
}

/* One program header into an image of no segment or of those before it. */
static void load_any(uint32_t before)
{
    uint64_t length = nondet_u64();
    struct parse parse = {.length = length, .limits = &limits, .image = &image};
    struct program program = any_program();
    struct elf_image old;

    any_limits();
    image.segment_count = before;
    image.memory_size = nondet_u64();
    __CPROVER_assume(image.memory_size <= limits.memory_max);
    if (before > 0) {
        struct elf_segment *last = &image.segment[before - 1];

        *last = (struct elf_segment){nondet_u64(), nondet_u64(), nondet_u64(), nondet_u64(),
                                     nondet_u32()};
        __CPROVER_assume(segment_check(last, length, &limits) == 0);
    }
    old = image;
    if (load_read(&parse, &program) == ELF_OK && image.segment_count != before) {
        const struct elf_segment *segment = &image.segment[before];
        uint64_t begin = segment->address / ELF_PAGE_SIZE;
        uint64_t end = (segment->address + segment->memory_size - 1) / ELF_PAGE_SIZE;
        uint64_t pages = end - begin + 1;

        __CPROVER_assert(image.segment_count == before + 1, "one more");
        __CPROVER_assert(segment_check(segment, length, &limits) == 0, "the kernel's own check");
        __CPROVER_assert(segment->memory_size != 0 && segment->file_size <= segment->memory_size,
                         "its file part is a part of it");
        __CPROVER_assert(is_inside(segment->file_offset, segment->file_size, 0, length),
                         "inside the file");
        __CPROVER_assert(
            is_inside(segment->address, segment->memory_size, limits.user_min, limits.user_max),
            "inside the user's window");
        __CPROVER_assert((segment->flags & ELF_READ) != 0 &&
                             (segment->flags & (ELF_WRITE | ELF_EXECUTE)) !=
                                 (ELF_WRITE | ELF_EXECUTE) &&
                             segment->flags <= (ELF_READ | ELF_WRITE | ELF_EXECUTE),
                         "never writable code");
        __CPROVER_assert(image.memory_size == old.memory_size + pages * ELF_PAGE_SIZE &&
                             image.memory_size <= limits.memory_max,
                         "its pages are counted");
        if (before > 0) {
            const struct elf_segment *last = &old.segment[before - 1];

            __CPROVER_assert((last->address + last->memory_size - 1) / ELF_PAGE_SIZE < begin,
                             "no page is shared");
        }
    } else {
        __CPROVER_assert(image.segment_count == old.segment_count &&
                             image.memory_size == old.memory_size,
                         "nothing was taken");
    }
}

void prove_load(void)
{
    load_any(0);
}

/* Segments ascend, so that the one before stands for all. */
void prove_overlap(void)
{
    load_any(1);
}

/* There is no room for more. */
void prove_full(void)
{
    load_any(ELF_SEGMENTS_MAX);
}

/* A thread's template: bounded, aligned, and inside the file part of a segment. */
void prove_tls(void)
{
    struct parse parse = {.length = nondet_u64(), .limits = &limits, .image = &image};
    struct program program = any_program();
    struct elf_segment *segment = &image.segment[0];

    any_limits();
    image = (struct elf_image){.segment_count = 1};
    *segment =
        (struct elf_segment){nondet_u64(), nondet_u64(), nondet_u64(), nondet_u64(), nondet_u32()};
    __CPROVER_assume(segment_check(segment, parse.length, &limits) == 0);
    if (tls_read(&parse, &program) == ELF_OK && image.tls.present && tls_template_holds(&image)) {
        const struct elf_tls *tls = &image.tls;

        __CPROVER_assert(tls_holds(&image), "the kernel's own check");
        __CPROVER_assert(tls->memory_size >= 1 && tls->memory_size <= ELF_TLS_SIZE_MAX &&
                             tls->file_size <= tls->memory_size && tls->align >= 1 &&
                             tls->align <= ELF_TLS_ALIGN_MAX &&
                             (tls->align & (tls->align - 1)) == 0,
                         "bounded");
        __CPROVER_assert(tls->file_size == 0 ||
                             (is_inside(tls->file_offset, tls->file_size, 0, parse.length) &&
                              is_inside(tls->address, tls->file_size, segment->address,
                                        segment->address + segment->file_size)),
                         "inside the file and its segment");
    }
}
