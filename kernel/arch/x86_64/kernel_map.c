/* SPDX-License-Identifier: MIT */
/*
 * The kernel's address space (docs/memory-map.md). It is built once, from the boot tables, before
 * any portable code runs; its upper half is then shared by every address space, because all copy
 * the same root entries, and those never change again: what is mapped later (device registers,
 * stacks of other CPUs) hangs below tables that exist by then.
 *
 *   direct map   usable memory and ACPI tables, writable, never executable; read-only where the
 *                image's text, constants and sealed data lie. Nothing else: no device, no hole, so
 * that no stray pointer and no speculation reaches one image        text read and execute;
 * constants read-only; sealed data writable until arch_memory_finish, read-only then; data writable
 *   stacks       of the other CPUs, each with an unmapped guard page below
 *   devices      not cached
 *
 * Invariants, counted by kernel_map_audit over all tables: (1) no page of this half is writable and
 * executable; (2) none is open to users; (3) no page that is writable shows the image's text,
 * constants or sealed data, under whichever address.
 *
 * Tables come from a pool at first, one piece of usable memory below 4 GiB that the boot tables
 * reach, and from the frame allocator once arch_memory_finish has run. What the pool did not use
 * goes back: arch_memory_reserved, asked by the frame allocator, ends it there.
 *
 * All entries are global: switching address spaces keeps them in the translation buffer.
 */
#include "core/assert.h"
#include "core/bits.h"
#include "core/boot_info.h"
#include "core/string.h"
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/cpu_tables.h"
#include "kernel/arch/x86_64/kernel_map.h"
#include "kernel/arch/x86_64/page_table.h"
#include "kernel/arch/x86_64/registers.h"
#include "kernel/mem/frames.h"

enum {
    POOL_SPARE_TABLES = 24, /* image, devices, stacks, trampoline: few each */
};

/* What arch_memory_reserved tells of; an empty range is a thing that does not exist. */
enum {
    RESERVED_FIRST_PAGE, /* firmware's, and 0 is no frame's address */
    RESERVED_IMAGE,
    RESERVED_MODULE,
    RESERVED_POOL,
    RESERVED_TRAMPOLINE,
    RESERVED_COUNT
};

#define LOW_END UINT64_C(0x100000)

/* Symbols of kernel.ld: only their addresses mean something. */
extern char image_start[], image_end[];
extern char text_start[], text_end[], rodata_start[], rodata_end[];
extern char sealed_start[], sealed_end[], data_start[], data_end[];
extern uint64_t boot_root[];

struct region {
    uint64_t address; /* virtual */
    paddr_t start;
    uint64_t bytes;
    uint64_t flags; /* ENTRY_* but present and global */
};

struct reserved {
    paddr_t start;
    paddr_t end;
};

static struct {
    paddr_t next;
    paddr_t end;
    bool closed; /* tables come from the frame allocator */
} pool;

static paddr_t kernel_root;
static paddr_t trampoline_page;
static uint64_t devices_next = LAYOUT_DEVICES_BASE;
static struct reserved reserved[RESERVED_COUNT];

static paddr_t image_physical(const char *symbol)
{
    return (uint64_t)symbol - LAYOUT_IMAGE_BASE;
}

static void reserve(unsigned index, paddr_t start, paddr_t end)
{
    ASSERT(start <= end);
    reserved[index] = (struct reserved){.start = start, .end = end};
}

bool arch_memory_reserved(unsigned index, paddr_t *start, paddr_t *end)
{
    /* Whoever asks is about to own the rest of memory: the pool ends where it was used up to. */
    pool.end = pool.next;
    reserved[RESERVED_POOL].end = pool.end;
    if (index >= RESERVED_COUNT) {
        return false;
    }
    *start = reserved[index].start;
    *end = reserved[index].end;
    return true;
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* A zeroed table; 0: no memory. */
static paddr_t table_new(void)
{
    paddr_t table;

    if (pool.closed) {
        return frame_alloc(&table) == STATUS_OK ? table : 0;
    }
    if (pool.next == pool.end) {
        return 0;
    }
    table = pool.next;
    pool.next += FRAME_BYTES;
    memset(table_pointer(table), 0, FRAME_BYTES);
    return table;
}

/* The entry of `level` for `address`, with the tables above it made where missing; NULL: no
 * memory. */
static uint64_t *entry_find(uint64_t address, unsigned level)
{
    uint64_t *table = table_pointer(kernel_root);

    for (unsigned above = TABLE_LEVELS - 1; above > level; above--) {
        uint64_t *entry = &table[table_index(address, above)];

        if ((*entry & ENTRY_PRESENT) == 0) {
            paddr_t made = table_new();

            if (made == 0) {
                return NULL;
            }
            *entry = made | ENTRY_PRESENT | ENTRY_WRITE;
        }
        ASSERT((*entry & ENTRY_LARGE) == 0);
        table = table_pointer(*entry);
    }
    return &table[table_index(address, level)];
}

/* The largest page with which `region` can begin. */
static unsigned region_level(const struct region *region)
{
    unsigned level = cpu_features.pages_1g ? 2 : 1;

    while (level > 0 && (!is_aligned(region->address | region->start, table_span(level)) ||
                         region->bytes < table_span(level))) {
        level--;
    }
    return level;
}

static bool region_map(struct region region)
{
    ASSERT(is_aligned(region.address | region.start | region.bytes, FRAME_BYTES));
    ASSERT((region.flags & (ENTRY_WRITE | ENTRY_NO_EXECUTE)) != ENTRY_WRITE);
    while (region.bytes > 0) {
        unsigned level = region_level(&region);
        uint64_t span = table_span(level);
        uint64_t *entry = entry_find(region.address, level);

        if (entry == NULL) {
            return false;
        }
        ASSERT((*entry & ENTRY_PRESENT) == 0);
        *entry = region.start | region.flags | ENTRY_PRESENT | ENTRY_GLOBAL |
                 (level > 0 ? ENTRY_LARGE : 0);
        region.address += span;
        region.start += span;
        region.bytes -= span;
    }
    return true;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static bool image_section_map(const char *start, const char *end, uint64_t flags)
{
    return region_map((struct region){.address = (uint64_t)start,
                                      .start = image_physical(start),
                                      .bytes = (uint64_t)(end - start),
                                      .flags = flags});
}

/* Data without the boot CPU's guard pages. */
static bool image_data_map(void)
{
    const char *from = data_start;

    for (unsigned i = 0; i < STACK_COUNT; i++) {
        const char *guard = (const char *)cpu_stack_range(&boot_stacks, i).guard;

        if (!image_section_map(from, guard, ENTRY_WRITE | ENTRY_NO_EXECUTE)) {
            return false;
        }
        from = guard + STACK_GUARD_BYTES;
    }
    return image_section_map(from, data_end, ENTRY_WRITE | ENTRY_NO_EXECUTE);
}

static bool direct_map(paddr_t start, paddr_t end, uint64_t flags)
{
    if (start >= end) {
        return true;
    }
    return region_map((struct region){.address = LAYOUT_DIRECT_BASE + start,
                                      .start = start,
                                      .bytes = end - start,
                                      .flags = flags | ENTRY_NO_EXECUTE});
}

static paddr_t lower(paddr_t a, paddr_t b)
{
    return a < b ? a : b;
}

static paddr_t higher(paddr_t a, paddr_t b)
{
    return a > b ? a : b;
}

/* One range of memory: before, in and after the read-only part of the image. */
static bool direct_range_map(paddr_t start, paddr_t end)
{
    paddr_t fixed_start = image_physical(text_start);
    paddr_t fixed_end = image_physical(sealed_end);

    return direct_map(start, lower(end, fixed_start), ENTRY_WRITE) &&
           direct_map(higher(start, fixed_start), lower(end, fixed_end), 0) &&
           direct_map(higher(start, fixed_end), end, ENTRY_WRITE);
}

static bool range_in_direct_map(const struct boot_range *range)
{
    return range->type == BOOT_RANGE_USABLE || range->type == BOOT_RANGE_ACPI_RECLAIM;
}

/* Ranges of different types may share a page at their border; each page is mapped once. */
static bool memory_map_direct(const struct boot_info *info)
{
    paddr_t done = 0;

    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct boot_range *range = &info->range[i];
        paddr_t start = higher(align_down(range->start, FRAME_BYTES), done);
        paddr_t end = align_up(range->start + range->length, FRAME_BYTES);

        end = lower(end, LAYOUT_DIRECT_END - LAYOUT_DIRECT_BASE);
        if (!range_in_direct_map(range) || start >= end) {
            continue;
        }
        if (!direct_range_map(start, end)) {
            return false;
        }
        done = end;
    }
    return true;
}

/* ---- choosing memory before there is an allocator -------------------------------------------- */

/* The first address from `start` on that begins `bytes` free of the image and the module. */
static paddr_t clear_of_taken(const struct boot_info *info, paddr_t start, uint64_t bytes)
{
    const struct reserved taken[] = {
        {LAYOUT_IMAGE_LOAD, (uint64_t)image_end},
        {info->module_start, info->module_start + info->module_length},
    };
    bool moved;

    do {
        moved = false;
        for (unsigned i = 0; i < ARRAY_COUNT(taken); i++) {
            if (start < taken[i].end && taken[i].start < start + bytes) {
                start = align_up(taken[i].end, FRAME_BYTES);
                moved = true;
            }
        }
    } while (moved);
    return start;
}

/* `bytes` of usable memory inside [from, to), not taken; 0: there is no such place. */
static paddr_t place_find(const struct boot_info *info, paddr_t from, paddr_t to, uint64_t bytes)
{
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct boot_range *range = &info->range[i];
        paddr_t start, end;

        if (range->type != BOOT_RANGE_USABLE) {
            continue;
        }
        start = align_up(higher(range->start, from), FRAME_BYTES);
        start = clear_of_taken(info, start, bytes);
        end = lower(range->start + range->length, to);
        if (start < end && bytes <= end - start) {
            return start;
        }
    }
    return 0;
}

/* An upper bound of the tables that memory_map_direct needs. */
static uint64_t tables_estimate(const struct boot_info *info)
{
    uint64_t tables = POOL_SPARE_TABLES;

    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct boot_range *range = &info->range[i];

        if (range_in_direct_map(range)) {
            /* at each end a table of every level; between them a directory for each GiB, unless
             * one entry maps it */
            tables += 6 + (range->length >> 39);
            tables += cpu_features.pages_1g ? 0 : range->length >> 30;
        }
    }
    return tables;
}

static bool pool_open(const struct boot_info *info)
{
    uint64_t bytes = tables_estimate(info) * FRAME_BYTES;

    pool.next = place_find(info, LOW_END, LAYOUT_BOOT_MAPPED, bytes);
    pool.end = pool.next + bytes;
    return pool.next != 0;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool map_all(const struct boot_info *info)
{
    kernel_root = table_new();
    return kernel_root != 0 && memory_map_direct(info) &&
           image_section_map(text_start, text_end, 0) &&
           image_section_map(rodata_start, rodata_end, ENTRY_NO_EXECUTE) &&
           image_section_map(sealed_start, sealed_end, ENTRY_WRITE | ENTRY_NO_EXECUTE) &&
           image_data_map() && entry_find(LAYOUT_STACKS_BASE, 1) != NULL &&
           entry_find(LAYOUT_DEVICES_BASE, 1) != NULL;
}

const char *kernel_map_build(const struct boot_info *info)
{
    paddr_t pool_start;

    ASSERT((uint64_t)text_start > LAYOUT_IMAGE_BASE && (uint64_t)data_end < LAYOUT_STACKS_BASE);
    ASSERT((uint64_t)image_start == LAYOUT_IMAGE_LOAD);
    if (!pool_open(info)) {
        return boot_error_text(BOOT_ERROR_TOO_LITTLE_MEMORY);
    }
    pool_start = pool.next;
    trampoline_page = place_find(info, FRAME_BYTES, LOW_END, FRAME_BYTES);
    if (!map_all(info)) {
        return "the tables of the kernel's address space do not fit their pool";
    }
    cr3_write(kernel_root);
    arch_cpu_this()->arch.tables = kernel_root;

    reserve(RESERVED_FIRST_PAGE, 0, FRAME_BYTES);
    reserve(RESERVED_IMAGE, LAYOUT_IMAGE_LOAD, align_up((uint64_t)image_end, FRAME_BYTES));
    reserve(RESERVED_MODULE, align_down(info->module_start, FRAME_BYTES),
            align_up(info->module_start + info->module_length, FRAME_BYTES));
    reserve(RESERVED_POOL, pool_start, pool.end);
    if (trampoline_page != 0) {
        reserve(RESERVED_TRAMPOLINE, trampoline_page, trampoline_page + FRAME_BYTES);
    }
    return NULL;
}

uint64_t kernel_map_root(void)
{
    return kernel_root;
}

paddr_t kernel_map_trampoline(void)
{
    return trampoline_page;
}

volatile void *kernel_map_device(paddr_t address, uint64_t bytes)
{
    uint64_t offset = address & (FRAME_BYTES - 1);
    uint64_t size = align_up(offset + bytes, FRAME_BYTES);
    uint64_t at = devices_next;

    ASSERT(size <= LAYOUT_DEVICES_END - devices_next);
    devices_next += size;
    if (!region_map((struct region){.address = at,
                                    .start = address - offset,
                                    .bytes = size,
                                    .flags = ENTRY_WRITE | ENTRY_NO_EXECUTE | ENTRY_CACHE_DISABLE |
                                             ENTRY_WRITE_THROUGH})) {
        kernel_boot_refused("no memory for the tables of device registers");
    }
    return (volatile void *)(at + offset);
}

struct cpu_stacks *kernel_map_stacks(unsigned index)
{
    struct cpu_stacks *stacks =
        (struct cpu_stacks *)(LAYOUT_STACKS_BASE + (uint64_t)index * STACKS_STRIDE);

    ASSERT(index > 0 && index < LIMIT_CPUS);
    for (unsigned i = 0; i < STACK_COUNT; i++) {
        struct stack_range range = cpu_stack_range(stacks, i);

        for (uint64_t page = range.start; page < range.end; page += FRAME_BYTES) {
            paddr_t frame;

            if (frame_alloc(&frame) != STATUS_OK) {
                return NULL;
            }
            if (!region_map((struct region){.address = page,
                                            .start = frame,
                                            .bytes = FRAME_BYTES,
                                            .flags = ENTRY_WRITE | ENTRY_NO_EXECUTE})) {
                frame_free(frame);
                return NULL;
            }
        }
    }
    return stacks;
}

uint32_t kernel_map_trampoline_open(void)
{
    memcpy(boot_root + TABLE_KERNEL_FIRST, table_pointer(kernel_root) + TABLE_KERNEL_FIRST,
           (TABLE_ENTRIES - TABLE_KERNEL_FIRST) * sizeof(*boot_root));
    return (uint32_t)image_physical((const char *)boot_root);
}

void kernel_map_trampoline_close(void)
{
    boot_root[0] = 0;
}

/* ---- after the frame allocator is up --------------------------------------------------------- */

/* Everything of this CPU's translation buffer, global entries too. */
static void tlb_flush_global(void)
{
    uint64_t cr4 = cr4_read();

    cr4_write(cr4 & ~CR4_PGE);
    cr4_write(cr4);
}

static void sealed_protect(void)
{
    for (uint64_t page = (uint64_t)sealed_start; page < (uint64_t)sealed_end; page += FRAME_BYTES) {
        uint64_t *entry = entry_find(page, 0);

        ASSERT(entry != NULL && (*entry & ENTRY_PRESENT) != 0);
        *entry &= ~ENTRY_WRITE;
    }
    tlb_flush_global();
}

/* Whether the page that `entry` of `level` maps keeps the invariants. */
static bool entry_is_sound(uint64_t entry, unsigned level)
{
    paddr_t start = entry & ENTRY_ADDRESS & ~(table_span(level) - 1);
    bool fixed = start < image_physical(sealed_end) &&
                 image_physical(text_start) < start + table_span(level);

    if ((entry & ENTRY_USER) != 0) {
        return false;
    }
    return (entry & ENTRY_WRITE) == 0 || ((entry & ENTRY_NO_EXECUTE) != 0 && !fixed);
}

/* Counts pages of the kernel's half that break an invariant: 0. */
static uint64_t kernel_map_audit(void)
{
    const uint64_t *table[TABLE_LEVELS];
    unsigned index[TABLE_LEVELS];
    unsigned level = TABLE_LEVELS - 1;
    uint64_t bad = 0;

    table[level] = table_pointer(kernel_root);
    index[level] = TABLE_KERNEL_FIRST;
    for (;;) {
        uint64_t entry;

        if (index[level] == TABLE_ENTRIES) {
            if (level == TABLE_LEVELS - 1) {
                return bad;
            }
            index[++level]++;
            continue;
        }
        entry = table[level][index[level]];
        if ((entry & ENTRY_PRESENT) != 0 && level > 0 && (entry & ENTRY_LARGE) == 0) {
            table[--level] = table_pointer(entry);
            index[level] = 0;
            continue;
        }
        if ((entry & ENTRY_PRESENT) != 0 && !entry_is_sound(entry, level)) {
            bad++;
        }
        index[level]++;
    }
}

void arch_memory_finish(void)
{
    pool.closed = true;
    sealed_protect();
    ASSERT(kernel_map_audit() == 0);
    ASSERT((table_pointer(kernel_root)[0] & ENTRY_PRESENT) == 0);
}
