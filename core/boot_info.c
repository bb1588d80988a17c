/* SPDX-License-Identifier: MIT */
/*
 * Boot information.
 *
 * Purpose: one form of what the boot loader said, so that the kernel has one way to start.
 * Everything here comes from outside and may lie; nothing is trusted beyond its format, and every
 * refusal is one line of text (boot_error.def).
 *
 * The memory map is kept sorted, disjoint and merged at all times: boot_info_add_range() cuts what
 * is there at the new range's ends, raises the type of the pieces inside to the more restrictive of
 * the two, fills the gaps, and joins equal neighbours. The type of an address is therefore the most
 * restrictive that any entry gave it, whatever the order of the entries.
 *
 * Invariants:
 * 1. Ranges are not empty, ascending, disjoint, and end at or below BOOT_ADDRESS_LIMIT.
 * 2. Ranges that touch differ in type, and every type is one of the enum.
 * 3. The command line ends with a NUL inside its array.
 * 4. rsdp_length is 0, BOOT_RSDP_SIZE_1 or BOOT_RSDP_SIZE.
 * 5. Without a module its start and length are 0; with one, start + length does not wrap.
 *
 * Locks: none; used by one CPU before the others start.
 */
#include "core/boot_info.h"

#include "core/bits.h"
#include "core/checked.h"
#include "core/string.h"

#define PAGE_SIZE 4096u

static const char *const error_texts[BOOT_ERROR_COUNT] = {
    [BOOT_OK] = "success",
#define BOOT_ERROR(name, text) [BOOT_ERROR_##name] = text,
#include "core/boot_error.def"
#undef BOOT_ERROR
};

const char *boot_error_text(enum boot_error error)
{
    return (unsigned)error < BOOT_ERROR_COUNT ? error_texts[error] : "unknown boot error";
}

enum boot_range_type boot_range_type_from_e820(uint32_t type)
{
    switch (type) {
    case 1:
        return BOOT_RANGE_USABLE;
    case 3:
        return BOOT_RANGE_ACPI_RECLAIM;
    case 4:
        return BOOT_RANGE_ACPI_NVS;
    case 5:
        return BOOT_RANGE_BAD;
    default:
        return BOOT_RANGE_RESERVED;
    }
}

void boot_info_init(struct boot_info *info, enum boot_source source)
{
    memset(info, 0, sizeof(*info));
    info->source = source;
}

static uint64_t range_end(const struct boot_range *range)
{
    return range->start + range->length;
}

static enum boot_error range_insert(struct boot_info *info, uint32_t index,
                                    const struct boot_range *range)
{
    ASSERT(index <= info->range_count);
    if (info->range_count == BOOT_RANGES_MAX) {
        return BOOT_ERROR_TOO_MANY_RANGES;
    }
    memmove(&info->range[index + 1], &info->range[index],
            (info->range_count - index) * sizeof(info->range[0]));
    info->range[index] = *range;
    info->range_count++;
    return BOOT_OK;
}

static void range_remove(struct boot_info *info, uint32_t index)
{
    ASSERT(index < info->range_count);
    info->range_count--;
    memmove(&info->range[index], &info->range[index + 1],
            (info->range_count - index) * sizeof(info->range[0]));
}

/* The first range that ends after `address`, or range_count. */
static uint32_t range_find(const struct boot_info *info, uint64_t address)
{
    uint32_t index = 0;

    while (index < info->range_count && range_end(&info->range[index]) <= address) {
        index++;
    }
    return index;
}

/* Makes sure that no range has `address` in its inside. */
static enum boot_error range_cut(struct boot_info *info, uint64_t address)
{
    uint32_t index = range_find(info, address);
    struct boot_range *range = &info->range[index];
    struct boot_range upper;

    if (index == info->range_count || range->start >= address) {
        return BOOT_OK;
    }
    ASSERT(address < range_end(range));
    upper = *range;
    upper.length = range_end(range) - address;
    upper.start = address;
    range->length = address - range->start;
    return range_insert(info, index + 1, &upper);
}

/* Joins range `index` to the one before it if they touch and agree; true when it did. */
static bool range_join(struct boot_info *info, uint32_t index)
{
    struct boot_range *range = &info->range[index];

    ASSERT(index == 0 || index >= info->range_count || range_end(&range[-1]) <= range->start);
    if (index == 0 || index >= info->range_count || range[-1].type != range->type ||
        range_end(&range[-1]) != range->start) {
        return false;
    }
    range[-1].length += range->length;
    range_remove(info, index);
    return true;
}

/* Gives [start, end), at whose ends no range is cut, at least `type`. */
static enum boot_error range_raise(struct boot_info *info, uint64_t start, uint64_t end,
                                   enum boot_range_type type)
{
    uint32_t index = range_find(info, start);
    enum boot_error error;

    while (start < end) {
        struct boot_range *range = &info->range[index];

        if (index == info->range_count || range->start > start) {
            struct boot_range gap = {.start = start, .length = end - start, .type = type};

            if (index < info->range_count && range->start < end) {
                gap.length = range->start - start;
            }
            error = range_insert(info, index, &gap);
            if (error != BOOT_OK) {
                return error;
            }
        } else if (range->type < type) {
            range->type = type;
        }
        start = range_end(range);
        if (!range_join(info, index)) {
            index++;
        }
    }
    ASSERT(start == end);
    (void)range_join(info, index);
    return BOOT_OK;
}

enum boot_error boot_info_add_range(struct boot_info *info, const struct boot_range *range)
{
    enum boot_range_type type = range->type;
    enum boot_error error;

    if (!range_fits(range->start, range->length, BOOT_ADDRESS_LIMIT)) {
        return BOOT_ERROR_BAD_MEMORY_MAP;
    }
    if (range->length == 0) {
        return BOOT_OK;
    }
    if (type < BOOT_RANGE_USABLE || type >= BOOT_RANGE_TYPE_END) {
        type = BOOT_RANGE_RESERVED;
    }
    error = range_cut(info, range->start);
    if (error == BOOT_OK) {
        error = range_cut(info, range_end(range));
    }
    if (error == BOOT_OK) {
        error = range_raise(info, range->start, range_end(range), type);
    }
    return error;
}

enum boot_error boot_info_set_root_pointer(struct boot_info *info, const uint8_t *bytes,
                                           uint64_t length)
{
    if (length < BOOT_RSDP_SIZE_1) {
        return BOOT_ERROR_BAD_ROOT_POINTER;
    }
    info->rsdp_length = length < BOOT_RSDP_SIZE ? BOOT_RSDP_SIZE_1 : BOOT_RSDP_SIZE;
    ASSERT(info->rsdp_length <= length && info->rsdp_length <= sizeof(info->rsdp));
    memcpy(info->rsdp, bytes, info->rsdp_length);
    return BOOT_OK;
}

enum boot_error boot_info_add_module(struct boot_info *info, uint64_t start, uint64_t length)
{
    if (!range_fits(start, length, BOOT_ADDRESS_LIMIT)) {
        return BOOT_ERROR_BAD_MODULE;
    }
    if (info->module_count == 0) {
        info->module_start = start;
        info->module_length = length;
    }
    if (info->module_count < UINT32_MAX) {
        info->module_count++;
    }
    return BOOT_OK;
}

enum boot_error boot_info_validate(const struct boot_info *info, uint64_t memory_min)
{
    if (info->range_count == 0) {
        return BOOT_ERROR_NO_MEMORY_MAP;
    }
    if (boot_info_total(info, BOOT_RANGE_USABLE) < memory_min) {
        return BOOT_ERROR_TOO_LITTLE_MEMORY;
    }
    if (info->module_count == 0) {
        return BOOT_ERROR_NO_MODULE;
    }
    if (info->module_count > 1) {
        return BOOT_ERROR_TWO_MODULES;
    }
    if (!boot_info_covers(info, info->module_start, info->module_length,
                          BOOT_RANGE_USABLE)) { /* an empty one never is */
        return BOOT_ERROR_BAD_MODULE;
    }
    return BOOT_OK;
}

uint64_t boot_info_total(const struct boot_info *info, enum boot_range_type type)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < info->range_count; i++) {
        if (info->range[i].type == type) {
            total += info->range[i].length;
        }
    }
    ASSERT(total <= BOOT_ADDRESS_LIMIT); /* invariant 1 */
    return total;
}

uint64_t boot_info_usable_end(const struct boot_info *info)
{
    uint32_t i = info->range_count;

    while (i > 0) {
        i--;
        if (info->range[i].type == BOOT_RANGE_USABLE) {
            return range_end(&info->range[i]);
        }
    }
    return 0;
}

bool boot_info_covers(const struct boot_info *info, uint64_t start, uint64_t length,
                      enum boot_range_type type)
{
    uint32_t index = range_find(info, start);
    const struct boot_range *range = &info->range[index];

    /* Neighbours of one type are one range (invariant 2), so looking at one is enough. */
    return length != 0 && index < info->range_count && range->type == type &&
           range->start <= start && length <= range_end(range) - start;
}

void boot_range_frames(const struct boot_range *range, uint64_t *first, uint64_t *count)
{
    uint64_t end = align_down(range_end(range), PAGE_SIZE);
    uint64_t start = align_up(range->start, PAGE_SIZE);

    *first = start / PAGE_SIZE;
    *count = start < end ? (end - start) / PAGE_SIZE : 0;
}

unsigned boot_info_check(const struct boot_info *info)
{
    if (info->range_count > BOOT_RANGES_MAX) {
        return 1;
    }
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct boot_range *range = &info->range[i];

        if (range->length == 0 || !range_fits(range->start, range->length, BOOT_ADDRESS_LIMIT) ||
            (i > 0 && range_end(&range[-1]) > range->start)) {
            return 1;
        }
        if (range->type < BOOT_RANGE_USABLE || range->type >= BOOT_RANGE_TYPE_END ||
            (i > 0 && range_end(&range[-1]) == range->start && range[-1].type == range->type)) {
            return 2;
        }
    }
    if (string_length(info->command_line, BOOT_COMMAND_LINE_SIZE) == BOOT_COMMAND_LINE_SIZE) {
        return 3;
    }
    if (info->rsdp_length != 0 && info->rsdp_length != BOOT_RSDP_SIZE_1 &&
        info->rsdp_length != BOOT_RSDP_SIZE) {
        return 4;
    }
    if (!range_fits(info->module_start, info->module_length, BOOT_ADDRESS_LIMIT) ||
        (info->module_count == 0 && (info->module_start != 0 || info->module_length != 0))) {
        return 5;
    }
    return 0;
}
