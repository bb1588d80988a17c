/* SPDX-License-Identifier: MIT */
/* Four-level page tables (AMD64 vol. 2, 5.3): entry bits, and the kernel's view of a table. */
#ifndef KERNEL_ARCH_X86_64_PAGE_TABLE_H
#define KERNEL_ARCH_X86_64_PAGE_TABLE_H

#include "kernel/arch/arch.h"

#define ENTRY_PRESENT       (UINT64_C(1) << 0)
#define ENTRY_WRITE         (UINT64_C(1) << 1)
#define ENTRY_USER          (UINT64_C(1) << 2)
#define ENTRY_WRITE_THROUGH (UINT64_C(1) << 3)
#define ENTRY_CACHE_DISABLE (UINT64_C(1) << 4)
#define ENTRY_LARGE         (UINT64_C(1) << 7)
#define ENTRY_GLOBAL        (UINT64_C(1) << 8)
#define ENTRY_SHARED        (UINT64_C(1) << 9) /* software: the frame is somebody else's */
#define ENTRY_NO_EXECUTE    (UINT64_C(1) << 63)
#define ENTRY_ADDRESS       UINT64_C(0x000ffffffffff000)

enum {
    TABLE_ENTRIES = 512,
    TABLE_LEVELS = 4,        /* level 3 is the root, level 0 holds pages of 4 KiB */
    TABLE_KERNEL_FIRST = 256 /* root entries from here on are the kernel's, the same everywhere */
};

/* The index into a table of `level` for `address`. */
static inline unsigned table_index(uint64_t address, unsigned level)
{
    return (unsigned)(address >> (12 + 9 * level)) & (TABLE_ENTRIES - 1);
}

/* The bytes that one entry of a table of `level` covers. */
static inline uint64_t table_span(unsigned level)
{
    return UINT64_C(1) << (12 + 9 * level);
}

static inline uint64_t *table_pointer(uint64_t entry)
{
    return (uint64_t *)(LAYOUT_DIRECT_BASE + (entry & ENTRY_ADDRESS));
}

#endif
