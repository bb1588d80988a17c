/* SPDX-License-Identifier: MIT */
/*
 * Address spaces as data: four-level tables of 512 entries in frames, as hardware has them, with
 * present, user, write and no-execute bits in each entry. What they say decides every check and
 * every copy; the host's own maps follow them.
 *
 * Windows. Space w shows its pages at host addresses whose bits 32 to 43 are w and whose upper bits
 * are 0x1 or 0x2: kernel/sched/layout.h's regions, each cut to 4 GiB, shifted by arch_vspace_base.
 * Window 0 is left out: its lowest addresses belong to AddressSanitizer. A window is given back
 * when its space is drained and used again as late as possible.
 *
 * Invariants: (1) a present page of window w lies in it, and the host shows its frame there with
 * the same write permission; (2) no page is writable and executable; (3) entries above the pages
 * are present and permit everything.
 */
#include <stdlib.h>

#include "core/assert.h"
#include "core/bits.h"
#include "core/string.h"
#include "kernel/arch/host/machine.h"
#include "kernel/mem/frames.h"

#define ENTRY_PRESENT    UINT64_C(1)
#define ENTRY_WRITE      UINT64_C(2)
#define ENTRY_USER       UINT64_C(4)
#define ENTRY_NO_EXECUTE UINT64_C(8)
#define ENTRY_SHARED     UINT64_C(16)
#define ENTRY_FRAME      (~UINT64_C(0xfff))
#define TABLE_BITS       (ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER)

#define WINDOW_SHIFT 32
#define WINDOW_MASK  UINT64_C(0xfff)
#define WINDOW_LOW   UINT64_C(0x100000000000)
#define WINDOW_HIGH  UINT64_C(0x300000000000)

enum {
    ENTRIES = 512,
    ENTRY_BITS = 9,
    PAGE_BITS = 12,
    WINDOWS = 4096,
    ROOT_LEVEL = HOST_TABLE_LEVELS - 1,
    DRAIN_ENTRIES_MAX = 1024,
};

static uint64_t *table_at(uint64_t entry)
{
    return arch_frame_pointer(entry & ENTRY_FRAME);
}

static unsigned index_of(vaddr_t address, unsigned level)
{
    return (unsigned)(address >> (PAGE_BITS + ENTRY_BITS * level)) % ENTRIES;
}

static uint64_t entry_make(struct arch_mapping mapping)
{
    return mapping.frame | ENTRY_PRESENT | ENTRY_USER |
           ((mapping.flags & ARCH_PAGE_WRITE) != 0 ? ENTRY_WRITE : 0) |
           ((mapping.flags & ARCH_PAGE_EXECUTE) != 0 ? 0 : ENTRY_NO_EXECUTE) |
           ((mapping.flags & ARCH_PAGE_SHARED) != 0 ? ENTRY_SHARED : 0);
}

static struct arch_mapping entry_mapping(uint64_t entry)
{
    unsigned flags = 0;

    flags |= (entry & ENTRY_WRITE) != 0 ? (unsigned)ARCH_PAGE_WRITE : 0;
    flags |= (entry & ENTRY_NO_EXECUTE) == 0 ? (unsigned)ARCH_PAGE_EXECUTE : 0;
    flags |= (entry & ENTRY_SHARED) != 0 ? (unsigned)ARCH_PAGE_SHARED : 0;
    return (struct arch_mapping){.frame = entry & ENTRY_FRAME, .flags = flags};
}

static bool flags_are_allowed(unsigned flags)
{
    return (flags & (ARCH_PAGE_WRITE | ARCH_PAGE_EXECUTE)) != (ARCH_PAGE_WRITE | ARCH_PAGE_EXECUTE);
}

/* The lowest entry there is on the way to `address`: the page's (*level 0) or the first above it
 * that is absent. */
static uint64_t *entry_lowest(const struct arch_vspace *vspace, vaddr_t address, unsigned *level)
{
    uint64_t *entry = &table_at(vspace->root)[index_of(address, ROOT_LEVEL)];

    ASSERT(address < LIMIT_USER_MAX);
    *level = ROOT_LEVEL;
    while (*level > 0 && (*entry & ENTRY_PRESENT) != 0) {
        --*level;
        entry = &table_at(*entry)[index_of(address, *level)];
    }
    return entry;
}

static uint64_t *entry_present(const struct arch_vspace *vspace, vaddr_t address)
{
    unsigned level;
    uint64_t *entry = entry_lowest(vspace, address, &level);

    return (*entry & ENTRY_PRESENT) != 0 ? entry : NULL;
}

/* ---- windows --------------------------------------------------------------------------------- */

static uint64_t window_take(void)
{
    static uint64_t last;

    for (unsigned i = 0; i < WINDOWS; i++) {
        last = last % (WINDOWS - 1) + 1;
        if (machine.windows_used[last] == 0) {
            machine.windows_used[last] = 1;
            return last;
        }
    }
    host_fatal("more address spaces than windows");
}

static bool window_holds(const struct arch_vspace *vspace, vaddr_t page)
{
    return page >= WINDOW_LOW && page < WINDOW_HIGH &&
           (page >> WINDOW_SHIFT & WINDOW_MASK) == vspace->window;
}

vaddr_t arch_vspace_base(const struct arch_vspace *vspace)
{
    return vspace->window << WINDOW_SHIFT;
}

/* Flushes as a processor would: this CPU, if the space is active here. */
static void page_flush(const struct arch_vspace *vspace, vaddr_t page)
{
    if (machine.current->arch.vspace == vspace) {
        host_translation_forget(page);
    }
}

/* ---- pages ----------------------------------------------------------------------------------- */

void arch_vspace_init(struct arch_vspace *vspace, paddr_t root)
{
    ASSERT(is_aligned(root, LIMIT_PAGE_BYTES));
    *vspace =
        (struct arch_vspace){.root = root, .window = window_take(), .drain_level = ROOT_LEVEL};
    vspace->drain_table[ROOT_LEVEL] = root;
}

paddr_t arch_vspace_root(const struct arch_vspace *vspace)
{
    return vspace->root;
}

enum status arch_vspace_map(struct arch_vspace *vspace, vaddr_t page, struct arch_mapping mapping,
                            struct frame_reserve *reserve)
{
    unsigned level;
    uint64_t *entry = entry_lowest(vspace, page, &level);

    ASSERT(is_aligned(page | mapping.frame, LIMIT_PAGE_BYTES));
    if (!flags_are_allowed(mapping.flags)) {
        return STATUS_INVALID_ARGUMENT;
    }
    if ((*entry & ENTRY_PRESENT) != 0) {
        return STATUS_EXISTS;
    }
    /* Outside its window the host has no place for the page: the same as no memory for it. */
    if (reserve->count < level || !window_holds(vspace, page) ||
        !host_page_show(page, mapping.frame, (mapping.flags & ARCH_PAGE_WRITE) != 0)) {
        return STATUS_NO_MEMORY;
    }
    for (; level > 0; level--) {
        paddr_t table = reserve->frame[--reserve->count];

        *entry = table | TABLE_BITS;
        entry = &table_at(table)[index_of(page, level - 1)];
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
    host_page_hide(page);
    page_flush(vspace, page);
    return true;
}

bool arch_vspace_protect(struct arch_vspace *vspace, vaddr_t page, unsigned flags)
{
    uint64_t *entry = entry_present(vspace, page);
    struct arch_mapping mapping;

    ASSERT(flags_are_allowed(flags));
    if (entry == NULL) {
        return false;
    }
    mapping = entry_mapping(*entry);
    mapping.flags = (mapping.flags & ARCH_PAGE_SHARED) | (flags & ~(unsigned)ARCH_PAGE_SHARED);
    *entry = entry_make(mapping);
    if (!host_page_show(page, mapping.frame, (flags & ARCH_PAGE_WRITE) != 0)) {
        host_fatal("a page cannot be protected");
    }
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

/* ---- teardown -------------------------------------------------------------------------------- */

/* The user address that the drain's place stands for. */
static vaddr_t drain_address(const struct arch_vspace *vspace)
{
    vaddr_t address = 0;

    for (unsigned level = 0; level <= ROOT_LEVEL; level++) {
        address |= (vaddr_t)vspace->drain_index[level] << (PAGE_BITS + ENTRY_BITS * level);
    }
    return address;
}

/* The last entry of a table is passed: gives it out and goes on behind it in the one above. */
static paddr_t drain_ascend(struct arch_vspace *vspace)
{
    paddr_t table = vspace->drain_table[vspace->drain_level];
    unsigned above = ++vspace->drain_level;

    table_at(vspace->drain_table[above])[vspace->drain_index[above]] = 0;
    vspace->drain_index[above]++;
    return table;
}

/* Looks at one entry below the root; *frame is set when it gives one out. */
static void drain_entry(struct arch_vspace *vspace, paddr_t *frame)
{
    unsigned level = vspace->drain_level;
    uint64_t *entry = &table_at(vspace->drain_table[level])[vspace->drain_index[level]];

    if ((*entry & ENTRY_PRESENT) != 0 && level > 0) {
        vspace->drain_table[level - 1] = *entry & ENTRY_FRAME;
        vspace->drain_index[level - 1] = 0;
        vspace->drain_level = level - 1;
        return;
    }
    if ((*entry & ENTRY_PRESENT) != 0) {
        host_page_hide(drain_address(vspace));
        *frame = (*entry & ENTRY_SHARED) == 0 ? *entry & ENTRY_FRAME : 0;
    }
    *entry = 0;
    vspace->drain_index[level]++;
}

unsigned arch_vspace_drain(struct arch_vspace *vspace, paddr_t *frames, unsigned limit, bool *empty)
{
    unsigned count = 0;

    *empty = false;
    for (unsigned seen = 0; count < limit && seen < DRAIN_ENTRIES_MAX && !*empty; seen++) {
        paddr_t frame = 0;

        if (vspace->drain_index[vspace->drain_level] < ENTRIES) {
            drain_entry(vspace, &frame);
        } else if (vspace->drain_level < ROOT_LEVEL) {
            frame = drain_ascend(vspace);
        } else {
            machine.windows_used[vspace->window] = 0;
            *empty = true;
        }
        if (frame != 0) {
            frames[count++] = frame;
        }
    }
    return count;
}

static void page_count(const struct arch_vspace *vspace, vaddr_t page, uint64_t entry,
                       struct arch_vspace_census *census)
{
    struct arch_mapping mapping = entry_mapping(entry);

    if ((mapping.flags & ARCH_PAGE_SHARED) != 0) {
        census->shared++;
    } else {
        census->owned++;
    }
    if (!flags_are_allowed(mapping.flags) || !window_holds(vspace, page)) {
        census->forbidden++;
    }
}

void arch_vspace_census_take(const struct arch_vspace *vspace, struct arch_vspace_census *census)
{
    const uint64_t *table[HOST_TABLE_LEVELS] = {[ROOT_LEVEL] = table_at(vspace->root)};
    unsigned index[HOST_TABLE_LEVELS] = {0};
    vaddr_t address[HOST_TABLE_LEVELS + 1] = {0}; /* where the table above begins */
    unsigned level = ROOT_LEVEL;

    *census = (struct arch_vspace_census){.owned = 1};
    while (level <= ROOT_LEVEL) {
        unsigned at = index[level];
        uint64_t entry;

        while (at < ENTRIES && (table[level][at] & ENTRY_PRESENT) == 0) {
            at++;
        }
        index[level] = at + 1;
        if (at == ENTRIES) {
            level++;
            continue;
        }
        entry = table[level][at];
        address[level] = address[level + 1] | (vaddr_t)at << (PAGE_BITS + ENTRY_BITS * level);
        if (level == 0) {
            page_count(vspace, address[0], entry, census);
            continue;
        }
        census->owned++;
        level--;
        table[level] = table_at(entry);
        index[level] = 0;
    }
}
