/* SPDX-License-Identifier: MIT */
/*
 * Users' address spaces: four-level tables whose lower half is the user's and whose upper half is
 * the kernel's, the same root entries in each (kernel_map.c). Pages are 4 KiB. Table entries above
 * the pages allow everything; the page's own entry decides.
 *
 * Invariants: (1) no user page is writable and executable; (2) a page whose frame belongs to
 * somebody else carries ENTRY_SHARED and is never given to whoever drains the space; (3) every
 * present entry below the root names a table or page of the user half.
 *
 * There are no process-context identifiers: emulators do not have them, and a switch writes CR3,
 * which drops all user translations of this CPU (the kernel's are global). The caller holds the
 * address space's lock for everything but activate.
 *
 * The drain walks the tree from the left without recursion and keeps its place in struct
 * arch_vspace between calls: table and next index for each level. A table is given out when its
 * last entry is passed. Scanning a table of 512 entries gives at least one frame (the table), and
 * a call ends once it has looked at DRAIN_ENTRIES_MAX entries, with whatever it has found.
 */
#include "core/assert.h"
#include "core/bits.h"
#include "core/string.h"
#include "kernel/arch/x86_64/kernel_map.h"
#include "kernel/arch/x86_64/page_table.h"
#include "kernel/arch/x86_64/registers.h"
#include "kernel/cpu.h"

enum {
    DRAIN_ENTRIES_MAX = 256, /* of about 12 instructions each */
};

#define TABLE_FLAGS (ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER)

static uint64_t entry_make(struct arch_mapping mapping)
{
    return mapping.frame | ENTRY_PRESENT | ENTRY_USER |
           ((mapping.flags & ARCH_PAGE_WRITE) != 0 ? ENTRY_WRITE : 0) |
           ((mapping.flags & ARCH_PAGE_EXECUTE) != 0 ? 0 : ENTRY_NO_EXECUTE) |
           ((mapping.flags & ARCH_PAGE_SHARED) != 0 ? ENTRY_SHARED : 0);
}

static struct arch_mapping entry_mapping(uint64_t entry)
{
    return (struct arch_mapping){
        .frame = entry & ENTRY_ADDRESS,
        .flags = ((entry & ENTRY_WRITE) != 0 ? (unsigned)ARCH_PAGE_WRITE : 0) |
                 ((entry & ENTRY_NO_EXECUTE) != 0 ? 0 : (unsigned)ARCH_PAGE_EXECUTE) |
                 ((entry & ENTRY_SHARED) != 0 ? (unsigned)ARCH_PAGE_SHARED : 0),
    };
}

static bool flags_allowed(unsigned flags)
{
    return (flags & (ARCH_PAGE_WRITE | ARCH_PAGE_EXECUTE)) != (ARCH_PAGE_WRITE | ARCH_PAGE_EXECUTE);
}

/*
 * The lowest entry on the way to `address` that exists: the page's own (*level 0), or the first
 * one above it that is not present.
 */
static uint64_t *entry_lowest(const struct arch_vspace *vspace, vaddr_t address, unsigned *level)
{
    uint64_t *table = table_pointer(vspace->root);
    uint64_t *entry;

    ASSERT(address < LIMIT_USER_MAX);
    for (*level = TABLE_LEVELS - 1;; --*level) {
        entry = &table[table_index(address, *level)];
        if (*level == 0 || (*entry & ENTRY_PRESENT) == 0) {
            return entry;
        }
        table = table_pointer(*entry);
    }
}

/* The entry of a page that is there; NULL: none. */
static uint64_t *entry_present(const struct arch_vspace *vspace, vaddr_t address)
{
    unsigned level;
    uint64_t *entry = entry_lowest(vspace, address, &level);

    return (*entry & ENTRY_PRESENT) != 0 ? entry : NULL;
}

static void page_flush(const struct arch_vspace *vspace, vaddr_t page)
{
    if (arch_cpu_this()->arch.tables == vspace->root) {
        tlb_flush_page(page);
    }
}

void arch_vspace_init(struct arch_vspace *vspace, paddr_t root)
{
    uint64_t *table = table_pointer(root);

    ASSERT(is_aligned(root, LIMIT_PAGE_BYTES));
    *vspace = (struct arch_vspace){.root = root, .drain_level = TABLE_LEVELS - 1};
    vspace->drain_table[TABLE_LEVELS - 1] = root;
    memcpy(table + TABLE_KERNEL_FIRST, table_pointer(kernel_map_root()) + TABLE_KERNEL_FIRST,
           (TABLE_ENTRIES - TABLE_KERNEL_FIRST) * sizeof(*table));
}

paddr_t arch_vspace_root(const struct arch_vspace *vspace)
{
    return vspace->root;
}

vaddr_t arch_vspace_base(const struct arch_vspace *vspace)
{
    (void)vspace;
    return 0;
}

enum status arch_vspace_map(struct arch_vspace *vspace, vaddr_t page, struct arch_mapping mapping,
                            struct frame_reserve *reserve)
{
    unsigned level;
    uint64_t *entry = entry_lowest(vspace, page, &level);

    ASSERT(is_aligned(page | mapping.frame, LIMIT_PAGE_BYTES));
    if (!flags_allowed(mapping.flags)) {
        return STATUS_INVALID_ARGUMENT;
    }
    if ((*entry & ENTRY_PRESENT) != 0) {
        return STATUS_EXISTS;
    }
    if (reserve->count < level) {
        return STATUS_NO_MEMORY;
    }
    while (level > 0) {
        paddr_t table = reserve->frame[--reserve->count];

        *entry = table | TABLE_FLAGS;
        level--;
        entry = &table_pointer(table)[table_index(page, level)];
    }
    *entry = entry_make(mapping);
    return STATUS_OK;
}

bool arch_vspace_unmap(struct arch_vspace *vspace, vaddr_t page, struct arch_mapping *mapping)
{
    uint64_t *entry = entry_present(vspace, page);

    if (entry == NULL) {
        return false;
    }
    *mapping = entry_mapping(*entry);
    *entry = 0;
    page_flush(vspace, page);
    return true;
}

bool arch_vspace_protect(struct arch_vspace *vspace, vaddr_t page, unsigned flags)
{
    uint64_t *entry = entry_present(vspace, page);
    struct arch_mapping mapping;

    ASSERT(flags_allowed(flags));
    if (entry == NULL) {
        return false;
    }
    mapping = entry_mapping(*entry);
    mapping.flags = (mapping.flags & ARCH_PAGE_SHARED) | (flags & ~(unsigned)ARCH_PAGE_SHARED);
    *entry = entry_make(mapping);
    page_flush(vspace, page);
    return true;
}

bool arch_vspace_query(const struct arch_vspace *vspace, vaddr_t address,
                       struct arch_mapping *mapping)
{
    const uint64_t *entry = entry_present(vspace, address);

    if (entry == NULL) {
        return false;
    }
    *mapping = entry_mapping(*entry);
    return true;
}

/* Passes the end of the table at the drain's level: unhooks it from the one above. Returns it. */
static paddr_t drain_ascend(struct arch_vspace *vspace)
{
    paddr_t table = vspace->drain_table[vspace->drain_level];
    unsigned above = ++vspace->drain_level;

    table_pointer(vspace->drain_table[above])[vspace->drain_index[above]] = 0;
    vspace->drain_index[above]++;
    return table;
}

unsigned arch_vspace_drain(struct arch_vspace *vspace, paddr_t *frames, unsigned limit, bool *empty)
{
    unsigned count = 0;

    *empty = false;
    for (unsigned seen = 0; count < limit && seen < DRAIN_ENTRIES_MAX; seen++) {
        unsigned level = vspace->drain_level;
        unsigned index = vspace->drain_index[level];
        bool at_root = level == TABLE_LEVELS - 1;
        uint64_t *entry;

        if (index == (at_root ? TABLE_KERNEL_FIRST : TABLE_ENTRIES)) {
            if (at_root) {
                *empty = true;
                break;
            }
            frames[count++] = drain_ascend(vspace);
            continue;
        }
        entry = &table_pointer(vspace->drain_table[level])[index];
        if ((*entry & ENTRY_PRESENT) != 0 && level > 0) {
            vspace->drain_table[level - 1] = *entry & ENTRY_ADDRESS;
            vspace->drain_index[level - 1] = 0;
            vspace->drain_level = level - 1;
            continue;
        }
        if ((*entry & (ENTRY_PRESENT | ENTRY_SHARED)) == ENTRY_PRESENT) {
            frames[count++] = *entry & ENTRY_ADDRESS;
        }
        *entry = 0;
        vspace->drain_index[level]++;
    }
    return count;
}

static void page_count(uint64_t entry, vaddr_t page, struct arch_vspace_census *census)
{
    struct arch_mapping mapping = entry_mapping(entry);

    if ((mapping.flags & ARCH_PAGE_SHARED) != 0) {
        census->shared++;
    } else {
        census->owned++;
    }
    if (!flags_allowed(mapping.flags) || page < LIMIT_USER_MIN || page >= LIMIT_USER_MAX) {
        census->forbidden++;
    }
}

/* The tree from the left, without recursion: table and next index for each level. */
void arch_vspace_census_take(const struct arch_vspace *vspace, struct arch_vspace_census *census)
{
    const uint64_t *table[TABLE_LEVELS];
    unsigned index[TABLE_LEVELS] = {0};
    unsigned level = TABLE_LEVELS - 1;

    *census = (struct arch_vspace_census){.owned = 1};
    table[level] = table_pointer(vspace->root);
    while (level < TABLE_LEVELS) {
        uint64_t entry;

        if (index[level] == (level == TABLE_LEVELS - 1 ? TABLE_KERNEL_FIRST : TABLE_ENTRIES)) {
            level++;
            continue;
        }
        entry = table[level][index[level]++];
        if ((entry & ENTRY_PRESENT) == 0) {
            continue;
        }
        if (level == 0) {
            vaddr_t page = 0;

            for (unsigned l = 0; l < TABLE_LEVELS; l++) {
                page |= (vaddr_t)(index[l] - 1) << (12 + 9 * l);
            }
            page_count(entry, page, census);
        } else {
            census->owned++;
            level--;
            table[level] = table_pointer(entry);
            index[level] = 0;
        }
    }
}

void arch_tlb_flush(void)
{
    cr3_write(arch_cpu_this()->arch.tables);
}

paddr_t arch_pointer_frame(const void *pointer)
{
    return align_down((uint64_t)pointer - LAYOUT_DIRECT_BASE, LIMIT_PAGE_BYTES);
}
