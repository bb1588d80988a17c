/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader told us, in one form whichever loader it was: memory ranges, the module, the
 * ACPI root pointer, the command line. The theory is in boot_info.c; boot_multiboot2.c and
 * boot_pvh.c read the two foreign formats.
 *
 * Use: boot_multiboot2_parse() or boot_pvh_parse(), then boot_info_validate(), then read the
 * fields.
 */
#ifndef CORE_BOOT_INFO_H
#define CORE_BOOT_INFO_H

#include "core/boot_memory.h"

#define BOOT_RANGES_MAX        128u
#define BOOT_COMMAND_LINE_SIZE 512u
#define BOOT_RSDP_SIZE         36u /* ACPI 2.0 and later */
#define BOOT_RSDP_SIZE_1       20u /* ACPI 1.0 */
/* x86_64's architectural bound on physical addresses (Intel SDM volume 3A, 4.1.4). */
#define BOOT_ADDRESS_LIMIT (UINT64_C(1) << 52)

/* What a PVH loader leaves in the first word of its structure. */
#define BOOT_PVH_MAGIC 0x336ec578u
/* More than any firmware gives; a larger structure is a lie. */
#define BOOT_MULTIBOOT2_SIZE_MAX (1u << 20)
#define BOOT_PVH_ENTRIES_MAX     4096u

enum boot_error {
    BOOT_OK = 0,
#define BOOT_ERROR(name, text) BOOT_ERROR_##name,
#include "core/boot_error.def"
#undef BOOT_ERROR
    BOOT_ERROR_COUNT
};

enum boot_source {
    BOOT_SOURCE_NONE = 0,
    BOOT_SOURCE_MULTIBOOT2,
    BOOT_SOURCE_PVH,
    BOOT_SOURCE_HOST, /* the simulator, which fills the structure itself */
};

/* From the least to the most restrictive: where two ranges conflict the higher one holds. */
enum boot_range_type {
    BOOT_RANGE_USABLE = 1,
    BOOT_RANGE_ACPI_RECLAIM, /* usable once the ACPI tables have been read */
    BOOT_RANGE_ACPI_NVS,
    BOOT_RANGE_RESERVED,
    BOOT_RANGE_BAD,
    BOOT_RANGE_TYPE_END,
};

struct boot_range {
    uint64_t start;  /* physical address, bytes */
    uint64_t length; /* bytes, never 0 */
    enum boot_range_type type;
};

struct boot_info {
    enum boot_source source;
    uint32_t range_count;
    struct boot_range range[BOOT_RANGES_MAX]; /* sorted, disjoint, merged */
    /* PVH gives the address of the RSDP, multiboot2 a copy of its bytes; 0 means: not given. */
    uint64_t rsdp_address;
    uint32_t rsdp_length;
    uint8_t rsdp[BOOT_RSDP_SIZE];
    uint32_t module_count;
    uint64_t module_start; /* of the first module, physical address */
    uint64_t module_length;
    char command_line[BOOT_COMMAND_LINE_SIZE]; /* NUL-terminated, never cut */
};

/* The line for the console; never NULL. "unknown boot error" outside the enum. */
MUST_USE const char *boot_error_text(enum boot_error error);

/* The type that an address range of INT 15h E820 kind (ACPI 6.4, table 15-4) has here. */
MUST_USE enum boot_range_type boot_range_type_from_e820(uint32_t type);

/* Makes `info` empty, of the given source. */
void boot_info_init(struct boot_info *info, enum boot_source source);

/*
 * Adds one range of the memory map; order and overlap do not matter. An unknown type counts as
 * reserved, length 0 as nothing. Errors: BAD_MEMORY_MAP (reaches beyond BOOT_ADDRESS_LIMIT),
 * TOO_MANY_RANGES (needs two free places to work in); `info` is unspecified after an error.
 */
MUST_USE enum boot_error boot_info_add_range(struct boot_info *info,
                                             const struct boot_range *range);

/*
 * Notes a copy of the ACPI root pointer, of which the first 36 or else 20 bytes are kept. Errors:
 * BAD_ROOT_POINTER (shorter than 20).
 */
MUST_USE enum boot_error boot_info_set_root_pointer(struct boot_info *info, const uint8_t *bytes,
                                                    uint64_t length);

/* Notes a module. The first one's place is kept, all are counted. Errors: BAD_MODULE (wraps). */
MUST_USE enum boot_error boot_info_add_module(struct boot_info *info, uint64_t start,
                                              uint64_t length);

/*
 * Whether the system can be started from this: exactly one module, wholly in usable memory, and at
 * least `memory_min` bytes of usable memory. Errors, in the order they are looked for:
 * NO_MEMORY_MAP, TOO_LITTLE_MEMORY, NO_MODULE, TWO_MODULES, BAD_MODULE.
 */
MUST_USE enum boot_error boot_info_validate(const struct boot_info *info, uint64_t memory_min);

/* The bytes of all ranges of one type. */
MUST_USE uint64_t boot_info_total(const struct boot_info *info, enum boot_range_type type);

/* The first address above all usable memory: what a frame bitmap must reach. 0 when there is none.
 */
MUST_USE uint64_t boot_info_usable_end(const struct boot_info *info);

/* Whether [start, start + length) lies wholly in ranges of `type`. */
MUST_USE bool boot_info_covers(const struct boot_info *info, uint64_t start, uint64_t length,
                               enum boot_range_type type);

/*
 * The whole frames inside `range`, rounded inwards: what may be handed out of a usable range.
 * `*count` may be 0.
 */
void boot_range_frames(const struct boot_range *range, uint64_t *first, uint64_t *count);

/* 0, or the number of the first broken invariant of boot_info.c. */
MUST_USE unsigned boot_info_check(const struct boot_info *info);

/*
 * Reads the multiboot2 information structure at physical `address` (Multiboot2 Specification 2.0,
 * section 3.6). On error `info` is unspecified. Errors: UNREADABLE, MISALIGNED, TRUNCATED,
 * TOO_LARGE, BAD_TAG, DUPLICATE_TAG, NO_MEMORY_MAP, BAD_MEMORY_MAP, TOO_MANY_RANGES,
 * COMMAND_LINE_TOO_LONG, BAD_MODULE, BAD_ROOT_POINTER.
 */
MUST_USE enum boot_error boot_multiboot2_parse(struct boot_info *info,
                                               const struct boot_memory *memory, uint64_t address);

/*
 * Reads the start-of-day structure of the x86/HVM direct boot ABI at physical `address` (Xen,
 * docs/misc/pvh and arch-x86/hvm/start_info.h; versions 0 and 1, later ones extend). On error
 * `info` is unspecified. Errors: UNREADABLE, BAD_MAGIC, TOO_LARGE, NO_MEMORY_MAP, BAD_MEMORY_MAP,
 * TOO_MANY_RANGES, COMMAND_LINE_TOO_LONG, BAD_MODULE.
 */
MUST_USE enum boot_error boot_pvh_parse(struct boot_info *info, const struct boot_memory *memory,
                                        uint64_t address);

#endif
