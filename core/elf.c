/* SPDX-License-Identifier: MIT */
/*
 * The ELF reader.
 *
 * Purpose: to decide whether a file is a static program that can be mapped as it asks without
 * giving it anything beyond its own pages, and to say where each part goes. Whoever maps the image
 * afterwards checks nothing again, so everything is checked here: each field is bounded before it
 * is used, and no sum is made that could wrap.
 *
 * Rules, beyond the format's own:
 * - ET_EXEC for x86_64 only. Whatever needs another loader (PT_INTERP, PT_DYNAMIC) is refused.
 * - A segment is readable, and never both writable and executable. An executable stack is refused,
 *   not ignored. Unknown permission bits are refused.
 * - Segments come in ascending order, as the gABI demands, and no two share a page, whatever their
 *   permissions: a shared page would need the union of two rights.
 * - Address and file offset agree modulo the page and modulo the segment's alignment.
 * - A segment of no memory is left out. One of no file bytes may name any file offset.
 * - The entry lies in the part of an executable segment that comes from the file.
 * - At most one PT_TLS; its template lies in the file part of one segment, at the same distance
 * from the segment's start in file and memory, so that the loader may read it at either place.
 * - Other program headers, section headers and symbols are not looked at.
 *
 * Invariants of an accepted image:
 * 1. 1 to ELF_SEGMENTS_MAX segments, each of at least one byte, file part inside the file and not
 *    larger than the memory part, address and offset equal modulo the page when there is one.
 * 2. Flags are ELF_READ with at most one of ELF_WRITE and ELF_EXECUTE.
 * 3. Segments lie inside [user_min, user_max).
 * 4. Segments ascend and share no page.
 * 5. memory_size is the sum of their whole pages and at most memory_max.
 * 6. entry lies in the file part of an executable segment.
 * 7. A present TLS has 1 to ELF_TLS_SIZE_MAX bytes, a power-of-two alignment of at most
 *    ELF_TLS_ALIGN_MAX that its address keeps, and a template as above (or none).
 *
 * Locks: none. Memory: the image only.
 */
#include "core/elf.h"

#include "core/bits.h"
#include "core/checked.h"
#include "core/string.h"

/* Byte offsets in the file header (gABI figure 4-3). */
enum header_field {
    HEADER_CLASS = 4,
    HEADER_DATA = 5,
    HEADER_IDENT_VERSION = 6,
    HEADER_OS_ABI = 7,
    HEADER_ABI_VERSION = 8,
    HEADER_TYPE = 16,
    HEADER_MACHINE = 18,
    HEADER_VERSION = 20,
    HEADER_ENTRY = 24,
    HEADER_TABLE_OFFSET = 32,
    HEADER_FLAGS = 48,
    HEADER_SIZE_FIELD = 52,
    HEADER_ENTRY_SIZE = 54,
    HEADER_COUNT = 56,
    HEADER_SIZE = 64,
};

/* Byte offsets in a program header (gABI figure 5-1). */
enum program_field {
    PROGRAM_TYPE = 0,
    PROGRAM_FLAGS = 4,
    PROGRAM_OFFSET = 8,
    PROGRAM_ADDRESS = 16,
    PROGRAM_FILE_SIZE = 32,
    PROGRAM_MEMORY_SIZE = 40,
    PROGRAM_ALIGN = 48,
    PROGRAM_SIZE = 56,
};

enum program_type {
    TYPE_LOAD = 1,
    TYPE_DYNAMIC = 2,
    TYPE_INTERPRETER = 3,
    TYPE_TLS = 7,
    TYPE_GNU_STACK = 0x6474e551,
};

#define CLASS_64        2u
#define DATA_LITTLE     1u
#define VERSION_CURRENT 1u
#define OS_ABI_SYSTEM_V 0u
#define OS_ABI_GNU      3u /* what GNU tools write when a feature such as indirect functions is used */
#define TYPE_EXECUTABLE 2u
#define MACHINE_X86_64  62u

/* One program header, read once. */
struct program {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t address;
    uint64_t file_size;
    uint64_t memory_size;
    uint64_t align;
};

struct parse {
    const uint8_t *bytes;
    uint64_t length;
    const struct elf_limits *limits;
    struct elf_image *image;
};

static const char *const error_texts[ELF_ERROR_COUNT] = {
    [ELF_OK] = "success",
#define ELF_ERROR(name, text) [ELF_ERROR_##name] = text,
#include "core/elf_error.def"
#undef ELF_ERROR
};

const char *elf_error_text(enum elf_error error)
{
    return (unsigned)error < ELF_ERROR_COUNT ? error_texts[error] : "unknown ELF error";
}

static uint64_t page_down(uint64_t address)
{
    return align_down(address, ELF_PAGE_SIZE);
}

/* The end of the last page of a segment that lies below a page-aligned limit, so it cannot wrap. */
static uint64_t page_end(const struct elf_segment *segment)
{
    return align_up(segment->address + segment->memory_size, ELF_PAGE_SIZE);
}

static enum elf_error header_check(const uint8_t *header)
{
    static const uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};

    if (memcmp(header, magic, sizeof(magic)) != 0) {
        return ELF_ERROR_BAD_MAGIC;
    }
    if (header[HEADER_CLASS] != CLASS_64 || header[HEADER_DATA] != DATA_LITTLE ||
        header[HEADER_IDENT_VERSION] != VERSION_CURRENT) {
        return ELF_ERROR_BAD_CLASS;
    }
    if ((header[HEADER_OS_ABI] != OS_ABI_SYSTEM_V && header[HEADER_OS_ABI] != OS_ABI_GNU) ||
        header[HEADER_ABI_VERSION] != 0) {
        return ELF_ERROR_BAD_ABI;
    }
    if (read_u16(header + HEADER_TYPE) != TYPE_EXECUTABLE) {
        return ELF_ERROR_BAD_TYPE;
    }
    if (read_u16(header + HEADER_MACHINE) != MACHINE_X86_64) {
        return ELF_ERROR_BAD_MACHINE;
    }
    if (read_u32(header + HEADER_VERSION) != VERSION_CURRENT ||
        read_u32(header + HEADER_FLAGS) != 0 ||
        read_u16(header + HEADER_SIZE_FIELD) != HEADER_SIZE) {
        return ELF_ERROR_BAD_HEADER;
    }
    return ELF_OK;
}

/* Finds the program header table, which lies inside the file. */
static enum elf_error table_find(const struct parse *parse, const uint8_t **table, uint32_t *count)
{
    uint64_t offset = read_u64(parse->bytes + HEADER_TABLE_OFFSET);

    *count = read_u16(parse->bytes + HEADER_COUNT);
    if (*count == 0) {
        return ELF_ERROR_NO_PROGRAM_HEADERS;
    }
    if (*count > ELF_PROGRAM_HEADERS_MAX) {
        return ELF_ERROR_TOO_MANY_HEADERS;
    }
    if (read_u16(parse->bytes + HEADER_ENTRY_SIZE) != PROGRAM_SIZE) {
        return ELF_ERROR_BAD_HEADER;
    }
    if (!range_fits(offset, (uint64_t)*count * PROGRAM_SIZE, parse->length)) {
        return ELF_ERROR_BAD_HEADER_TABLE;
    }
    ASSERT(offset < parse->length);
    *table = parse->bytes + offset;
    return ELF_OK;
}

static void program_read(const uint8_t *from, struct program *program)
{
    *program = (struct program){
        .type = read_u32(from + PROGRAM_TYPE),
        .flags = read_u32(from + PROGRAM_FLAGS),
        .offset = read_u64(from + PROGRAM_OFFSET),
        .address = read_u64(from + PROGRAM_ADDRESS),
        .file_size = read_u64(from + PROGRAM_FILE_SIZE),
        .memory_size = read_u64(from + PROGRAM_MEMORY_SIZE),
        .align = read_u64(from + PROGRAM_ALIGN),
    };
}

static enum elf_error flags_check(uint32_t flags)
{
    if ((flags & ~(uint32_t)(ELF_READ | ELF_WRITE | ELF_EXECUTE)) != 0 || (flags & ELF_READ) == 0) {
        return ELF_ERROR_BAD_FLAGS;
    }
    if ((flags & ELF_WRITE) != 0 && (flags & ELF_EXECUTE) != 0) {
        return ELF_ERROR_WRITABLE_CODE;
    }
    return ELF_OK;
}

/* Whether address and offset agree modulo page and alignment. */
static bool alignment_holds(const struct program *program)
{
    uint64_t align = program->align;

    if (align != 0 && !is_power_of_two(align)) {
        return false;
    }
    if (align < ELF_PAGE_SIZE) {
        align = ELF_PAGE_SIZE;
    }
    return is_aligned(program->address - program->offset, align);
}

/* Whether a nonempty program header lies inside the user range. */
static bool address_holds(const struct parse *parse, const struct program *program)
{
    return program->address >= parse->limits->user_min &&
           range_fits(program->address, program->memory_size, parse->limits->user_max);
}

/* Appends a checked segment to the image, unless it is in the way of the one before. */
static enum elf_error segment_append(struct parse *parse, const struct elf_segment *segment)
{
    struct elf_image *image = parse->image;
    uint64_t pages_size = page_end(segment) - page_down(segment->address);

    ASSERT(segment->memory_size != 0 && pages_size >= segment->memory_size);
    if (image->segment_count == ELF_SEGMENTS_MAX) {
        return ELF_ERROR_TOO_MANY_SEGMENTS;
    }
    if (image->segment_count > 0 &&
        page_down(segment->address) < page_end(&image->segment[image->segment_count - 1])) {
        return ELF_ERROR_OVERLAP;
    }
    ASSERT(image->memory_size <= parse->limits->memory_max); /* invariant 5 so far */
    if (pages_size > parse->limits->memory_max - image->memory_size) {
        return ELF_ERROR_TOO_MUCH_MEMORY;
    }
    image->memory_size += pages_size;
    image->segment[image->segment_count] = *segment;
    image->segment_count++;
    return ELF_OK;
}

static enum elf_error load_read(struct parse *parse, const struct program *program)
{
    enum elf_error error = flags_check(program->flags);
    struct elf_segment segment = {
        .address = program->address,
        .memory_size = program->memory_size,
        .file_offset = program->file_size == 0 ? 0 : program->offset,
        .file_size = program->file_size,
        .flags = program->flags,
    };

    if (error != ELF_OK) {
        return error;
    }
    if (program->file_size > program->memory_size) {
        return ELF_ERROR_BAD_SIZE;
    }
    if (program->memory_size == 0) {
        return ELF_OK;
    }
    if (!range_fits(segment.file_offset, segment.file_size, parse->length)) {
        return ELF_ERROR_FILE_RANGE;
    }
    if (!alignment_holds(program)) {
        return ELF_ERROR_BAD_ALIGNMENT;
    }
    if (!address_holds(parse, program)) {
        return ELF_ERROR_ADDRESS_RANGE;
    }
    return segment_append(parse, &segment);
}

/* Notes the TLS header; where its template lies is looked at when all segments are known. */
static enum elf_error tls_read(struct parse *parse, const struct program *program)
{
    struct elf_tls *tls = &parse->image->tls;
    uint64_t align = program->align == 0 ? 1 : program->align;

    if (tls->present) {
        return ELF_ERROR_TWO_TLS;
    }
    if (program->file_size > program->memory_size || program->memory_size > ELF_TLS_SIZE_MAX ||
        !is_power_of_two(align) || align > ELF_TLS_ALIGN_MAX ||
        !is_aligned(program->address, align)) {
        return ELF_ERROR_BAD_TLS;
    }
    if (program->memory_size == 0) {
        return ELF_OK;
    }
    *tls = (struct elf_tls){
        .present = true,
        .address = program->file_size == 0 ? 0 : program->address,
        .memory_size = program->memory_size,
        .file_offset = program->file_size == 0 ? 0 : program->offset,
        .file_size = program->file_size,
        .align = align,
    };
    return ELF_OK;
}

static enum elf_error program_apply(struct parse *parse, const struct program *program)
{
    switch (program->type) {
    case TYPE_LOAD:
        return load_read(parse, program);
    case TYPE_DYNAMIC:
    case TYPE_INTERPRETER:
        return ELF_ERROR_DYNAMIC;
    case TYPE_TLS:
        return tls_read(parse, program);
    case TYPE_GNU_STACK:
        return (program->flags & ELF_EXECUTE) != 0 ? ELF_ERROR_EXECUTABLE_STACK : ELF_OK;
    default:
        return ELF_OK;
    }
}

/* Whether `length` bytes from `address` lie in the file part of `segment`. */
static bool file_part_covers(const struct elf_segment *segment, uint64_t address, uint64_t length)
{
    return address >= segment->address &&
           range_fits(address - segment->address, length, segment->file_size);
}

static bool entry_holds(const struct elf_image *image)
{
    for (uint32_t i = 0; i < image->segment_count; i++) {
        if ((image->segment[i].flags & ELF_EXECUTE) != 0 &&
            file_part_covers(&image->segment[i], image->entry, 1)) {
            return true;
        }
    }
    return false;
}

static bool tls_template_holds(const struct elf_image *image)
{
    const struct elf_tls *tls = &image->tls;

    if (!tls->present || tls->file_size == 0) {
        return true;
    }
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segment[i];

        if (file_part_covers(segment, tls->address, tls->file_size)) {
            /* Modulo 2^64 on both sides, so this says that the two distances are equal. */
            return tls->file_offset - segment->file_offset == tls->address - segment->address;
        }
    }
    return false;
}

bool elf_headers_within(const uint8_t *bytes, uint64_t have)
{
    return have >= HEADER_SIZE &&
           range_fits(read_u64(bytes + HEADER_TABLE_OFFSET),
                      (uint64_t)read_u16(bytes + HEADER_COUNT) * PROGRAM_SIZE, have);
}

enum elf_error elf_parse(const uint8_t *bytes, uint64_t length, const struct elf_limits *limits,
                         struct elf_image *image)
{
    struct parse parse = {.bytes = bytes, .length = length, .limits = limits, .image = image};
    const uint8_t *table = NULL;
    uint32_t count = 0;
    enum elf_error error;

    ASSERT(limits->user_min < limits->user_max);
    ASSERT(is_aligned(limits->user_min | limits->user_max, ELF_PAGE_SIZE));
    memset(image, 0, sizeof(*image));
    if (length < HEADER_SIZE) {
        return ELF_ERROR_TRUNCATED_HEADER;
    }
    error = header_check(bytes);
    if (error == ELF_OK) {
        error = table_find(&parse, &table, &count);
    }
    for (uint32_t i = 0; i < count && error == ELF_OK; i++) {
        struct program program;

        program_read(table + (size_t)i * PROGRAM_SIZE, &program);
        error = program_apply(&parse, &program);
    }
    if (error != ELF_OK) {
        return error;
    }
    if (image->segment_count == 0) {
        return ELF_ERROR_NO_SEGMENTS;
    }
    image->entry = read_u64(bytes + HEADER_ENTRY);
    if (!entry_holds(image)) {
        return ELF_ERROR_BAD_ENTRY;
    }
    if (!tls_template_holds(image)) {
        return ELF_ERROR_BAD_TLS;
    }
    ASSERT(elf_image_check(image, length, limits) == 0);
    return ELF_OK;
}

/* Invariants 1 to 3 for one segment: 0 or the number. */
static unsigned segment_check(const struct elf_segment *segment, uint64_t length,
                              const struct elf_limits *limits)
{
    if (segment->memory_size == 0 || segment->file_size > segment->memory_size ||
        !range_fits(segment->file_offset, segment->file_size, length) ||
        (segment->file_size != 0 &&
         !is_aligned(segment->address - segment->file_offset, ELF_PAGE_SIZE))) {
        return 1;
    }
    if (flags_check(segment->flags) != ELF_OK) {
        return 2;
    }
    if (segment->address < limits->user_min ||
        !range_fits(segment->address, segment->memory_size, limits->user_max)) {
        return 3;
    }
    return 0;
}

static bool tls_holds(const struct elf_image *image)
{
    const struct elf_tls *tls = &image->tls;

    return !tls->present || (tls->memory_size != 0 && tls->memory_size <= ELF_TLS_SIZE_MAX &&
                             tls->file_size <= tls->memory_size && is_power_of_two(tls->align) &&
                             tls->align <= ELF_TLS_ALIGN_MAX &&
                             is_aligned(tls->address, tls->align) && tls_template_holds(image));
}

unsigned elf_image_check(const struct elf_image *image, uint64_t length,
                         const struct elf_limits *limits)
{
    uint64_t pages_size = 0;

    if (image->segment_count == 0 || image->segment_count > ELF_SEGMENTS_MAX) {
        return 1;
    }
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segment[i];
        unsigned broken = segment_check(segment, length, limits);

        if (broken != 0) {
            return broken;
        }
        if (i > 0 && page_down(segment->address) < page_end(&segment[-1])) {
            return 4;
        }
        pages_size += page_end(segment) - page_down(segment->address);
    }
    if (pages_size != image->memory_size || pages_size > limits->memory_max) {
        return 5;
    }
    if (!entry_holds(image)) {
        return 6;
    }
    return tls_holds(image) ? 0 : 7;
}
