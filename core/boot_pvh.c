/* SPDX-License-Identifier: MIT */
/*
 * Reads what a direct boot by QEMU or Xen leaves: a start-of-day structure with pointers to a
 * module list, a memory map, the command line and the ACPI root pointer (Xen's
 * arch-x86/hvm/start_info.h). Version 0 has no memory map and cannot be used; versions after 1 only
 * append.
 */
#include "core/boot_info.h"

#include "core/bits.h"

/* Byte offsets in the start-of-day structure. */
enum start_field {
    START_MAGIC = 0,
    START_VERSION = 4,
    START_MODULE_COUNT = 12,
    START_MODULE_LIST = 16,
    START_COMMAND_LINE = 24,
    START_RSDP = 32,
    START_SIZE_0 = 40,
    START_MAP = 40,
    START_MAP_COUNT = 48,
    START_SIZE_1 = 56,
};

#define MODULE_ENTRY_SIZE 32u /* address, size, command line, reserved */
#define MAP_ENTRY_SIZE    24u /* address, size, type, reserved */

static enum boot_error command_line_read(struct boot_info *info, const struct boot_memory *memory,
                                         uint64_t address)
{
    if (address == 0) {
        return BOOT_OK;
    }
    /* Byte by byte: its length is unknown, and it may end just before memory that is not there. */
    for (uint32_t i = 0; i < BOOT_COMMAND_LINE_SIZE; i++) {
        const uint8_t *byte = boot_memory_map(memory, address + i, 1);

        if (byte == NULL) {
            return BOOT_ERROR_UNREADABLE;
        }
        info->command_line[i] = (char)*byte;
        if (*byte == 0) {
            return BOOT_OK;
        }
    }
    return BOOT_ERROR_COMMAND_LINE_TOO_LONG;
}

/* One module is all we can use, so only the first is read and the others are counted. */
static enum boot_error modules_read(struct boot_info *info, const struct boot_memory *memory,
                                    uint64_t address, uint32_t count)
{
    const uint8_t *entry;
    enum boot_error error;

    if (count == 0) {
        return BOOT_OK;
    }
    entry = boot_memory_map(memory, address, MODULE_ENTRY_SIZE);
    if (entry == NULL) {
        return BOOT_ERROR_UNREADABLE;
    }
    error = boot_info_add_module(info, read_u64(entry), read_u64(entry + 8));
    info->module_count = count;
    return error;
}

static enum boot_error memory_map_read(struct boot_info *info, const struct boot_memory *memory,
                                       uint64_t address, uint32_t count)
{
    const uint8_t *entries;

    if (count == 0) {
        return BOOT_ERROR_NO_MEMORY_MAP;
    }
    if (count > BOOT_PVH_ENTRIES_MAX) {
        return BOOT_ERROR_TOO_LARGE;
    }
    entries = boot_memory_map(memory, address, (uint64_t)count * MAP_ENTRY_SIZE);
    if (entries == NULL) {
        return BOOT_ERROR_UNREADABLE;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *entry = entries + (size_t)i * MAP_ENTRY_SIZE;
        struct boot_range range = {
            .start = read_u64(entry),
            .length = read_u64(entry + 8),
            .type = boot_range_type_from_e820(read_u32(entry + 16)),
        };
        enum boot_error error = boot_info_add_range(info, &range);

        if (error != BOOT_OK) {
            return error;
        }
    }
    return BOOT_OK;
}

enum boot_error boot_pvh_parse(struct boot_info *info, const struct boot_memory *memory,
                               uint64_t address)
{
    const uint8_t *start = boot_memory_map(memory, address, START_SIZE_0);
    enum boot_error error;

    boot_info_init(info, BOOT_SOURCE_PVH);
    if (start == NULL) {
        return BOOT_ERROR_UNREADABLE;
    }
    if (read_u32(start + START_MAGIC) != BOOT_PVH_MAGIC) {
        return BOOT_ERROR_BAD_MAGIC;
    }
    if (read_u32(start + START_VERSION) == 0) {
        return BOOT_ERROR_NO_MEMORY_MAP;
    }
    start = boot_memory_map(memory, address, START_SIZE_1);
    if (start == NULL) {
        return BOOT_ERROR_UNREADABLE;
    }
    info->rsdp_address = read_u64(start + START_RSDP);
    error = command_line_read(info, memory, read_u64(start + START_COMMAND_LINE));
    if (error == BOOT_OK) {
        error = modules_read(info, memory, read_u64(start + START_MODULE_LIST),
                             read_u32(start + START_MODULE_COUNT));
    }
    if (error == BOOT_OK) {
        error = memory_map_read(info, memory, read_u64(start + START_MAP),
                                read_u32(start + START_MAP_COUNT));
    }
    ASSERT(boot_info_check(info) == 0 || error != BOOT_OK);
    return error;
}
