/* SPDX-License-Identifier: MIT */
/*
 * The name of a slot as a word, for every word, and where a slot lies, for every slot: the steps
 * that verify/wp/slots.c takes for granted, which knows of a name only that a link and a generation
 * make it.
 *
 * bound: none; each word of 64 bits, each slot
 * cbmc: core/cap_table.c
 * options: -I verify/shim
 * prove: prove_parts prove_relink prove_behind prove_linked prove_make prove_place
 *     prove_resolve prove_window
 * quick: prove_parts prove_relink prove_behind prove_linked prove_make prove_place
 *     prove_resolve prove_window
 * twin: prove_parts | core/cap_slot.h
 *     | return entry->name >> CAP_SLOT_BITS;
 *     | return entry->name >> (CAP_SLOT_BITS - 1);
 * twin: prove_relink | core/cap_slot.h
 *     | entry->name ^= (uint64_t)from ^ to;
 *     | entry->name |= (uint64_t)from ^ to;
 * twin: prove_behind | core/cap_slot.h
 *     | return (name | CAP_SLOT_MAX) + 1;
 *     | return name + CAP_SLOT_MAX;
 * twin: prove_linked | core/cap_slot.h
 *     | return name | link;
 *     | return name + link + 1;
 * twin: prove_make | abi/capid.h
 *     | (slot & CAP_SLOT_MAX)};
 *     | slot << 1};
 * twin: prove_resolve | core/cap_table.h
 *     | slot->name == id.raw && id.raw >> CAP_SLOT_BITS
 *     | slot->name >= id.raw && id.raw >> CAP_SLOT_BITS
 * twin: prove_window | core/cap_slot.h
 *     | table->window_free[slot / 64] &= ~bit;
 *     | table->window_free[slot / 64] = 0;
 * twin: prove_place | core/cap_slot.h
 *     | return &table->page[slot / CAP_TABLE_PAGE_SLOTS][slot % CAP_TABLE_PAGE_SLOTS];
 *     | return &table->page[slot / CAP_TABLE_PAGE_SLOTS][0];
 */
#include "verify/prover.h"

#include "core/cap_table.c"

void prove_parts(void);
void prove_relink(void);
void prove_behind(void);
void prove_linked(void);
void prove_make(void);
void prove_place(void);
void prove_resolve(void);
void prove_window(void);

static uint64_t link_of(uint64_t name)
{
    return name % 0x100000;
}

static uint64_t generation_of(uint64_t name)
{
    return name / 0x100000;
}

/* A name is its link and its generation, and nothing else. */
void prove_parts(void)
{
    struct cap_slot entry = {.name = nondet_u64()};
    uint64_t other = nondet_u64();

    __CPROVER_assert(slot_link(&entry) == link_of(entry.name), "the link");
    __CPROVER_assert(slot_link(&entry) <= CAP_SLOT_MAX, "of 20 bits");
    __CPROVER_assert(slot_generation(&entry) == generation_of(entry.name), "the generation");
    __CPROVER_assert(slot_generation(&entry) <= CAP_GENERATION_MAX, "of 44 bits");
    __CPROVER_assert(link_of(other) != link_of(entry.name) ||
                         generation_of(other) != generation_of(entry.name) || other == entry.name,
                     "both make the name");
    __CPROVER_assert(link_of(0) == 0 && generation_of(0) == 0, "of a fresh slot");
}

void prove_relink(void)
{
    uint64_t name = nondet_u64();
    uint32_t to = nondet_u32();
    struct cap_slot entry = {.name = name};

    __CPROVER_assume(to <= CAP_SLOT_MAX);
    slot_relink(&entry, (uint32_t)link_of(name), to);
    __CPROVER_assert(link_of(entry.name) == to, "the new link");
    __CPROVER_assert(generation_of(entry.name) == generation_of(name), "the same generation");
}

void prove_behind(void)
{
    uint64_t name = nondet_u64();
    uint64_t next = name_behind(name);

    if (generation_of(name) == CAP_GENERATION_MAX) {
        __CPROVER_assert(next == 0, "there is none");
    } else {
        __CPROVER_assert(next != 0 && link_of(next) == 0, "no link");
        __CPROVER_assert(generation_of(next) == generation_of(name) + 1, "one more");
    }
}

void prove_linked(void)
{
    uint64_t name = nondet_u64();
    uint32_t link = nondet_u32();

    __CPROVER_assume(link_of(name) == 0 && link <= CAP_SLOT_MAX);
    __CPROVER_assert(link_of(name_linked(name, link)) == link, "the link");
    __CPROVER_assert(generation_of(name_linked(name, link)) == generation_of(name),
                     "the same generation");
}

void prove_make(void)
{
    uint32_t slot = nondet_u32();
    uint64_t generation = nondet_u64();
    struct cap_id id = cap_id_make(slot, generation);

    __CPROVER_assume(slot <= CAP_SLOT_MAX && generation <= CAP_GENERATION_MAX);
    __CPROVER_assert(link_of(id.raw) == slot, "the slot");
    __CPROVER_assert(generation_of(id.raw) == generation, "the generation");
}

/* Two slots lie apart, each in the page of its number. */
void prove_place(void)
{
    static struct cap_slot pages[CAP_TABLE_PAGES][CAP_TABLE_PAGE_SLOTS];
    static struct cap_table table;
    uint32_t slot = nondet_u32();
    uint32_t other = nondet_u32();

    __CPROVER_assume(slot < LIMIT_TABLE_SLOTS && other < LIMIT_TABLE_SLOTS && slot != other);
    table.page[slot / CAP_TABLE_PAGE_SLOTS] = pages[slot / CAP_TABLE_PAGE_SLOTS];
    table.page[other / CAP_TABLE_PAGE_SLOTS] = pages[other / CAP_TABLE_PAGE_SLOTS];
    __CPROVER_assert(slot_at(&table, slot) == &pages[0][0] + slot, "its own place");
    __CPROVER_assert(slot_at(&table, slot) != slot_at(&table, other), "and no other's");
}

/* An id resolves to the slot of its number, if that is there and bears this very name, and to
 * nothing else. */
void prove_resolve(void)
{
    static struct cap_slot page[CAP_TABLE_PAGE_SLOTS];
    static struct cap_table table;
    struct cap_id id = {nondet_u64()};
    uint64_t slot = link_of(id.raw);
    bool here = slot < LIMIT_TABLE_SLOTS && nondet_bool();

    page[slot % CAP_TABLE_PAGE_SLOTS].name = nondet_u64();
    if (here) {
        table.page[slot / CAP_TABLE_PAGE_SLOTS] = page;
        here = page[slot % CAP_TABLE_PAGE_SLOTS].name == id.raw && generation_of(id.raw) != 0;
    }
    __CPROVER_assert(cap_id_slot(id) == slot, "the slot of its number");
    __CPROVER_assert(cap_table_resolve(&table, id) ==
                         (here ? &page[slot % CAP_TABLE_PAGE_SLOTS] : NULL),
                     "by its name alone");
}

/* A bit of the window is set, or cleared, and no other is. */
void prove_window(void)
{
    struct cap_table table;
    uint32_t slot = nondet_u32();
    uint32_t other = nondet_u32();
    bool is_free = nondet_bool();
    bool before;

    for (uint32_t word = 0; word < ARRAY_COUNT(table.window_free); word++) {
        table.window_free[word] = nondet_u64();
    }
    __CPROVER_assume(slot < CAP_TABLE_WINDOW && other < CAP_TABLE_WINDOW);
    before = window_is_free(&table, other);
    window_set(&table, slot, is_free);
    __CPROVER_assert(window_is_free(&table, other) == (other == slot ? is_free : before),
                     "this one and no other");
}
