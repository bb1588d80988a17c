/* SPDX-License-Identifier: MIT */
/*
 * Any capability table: every state that its invariants allow, of LIMIT_TABLE_SLOTS slots, of which
 * LIMIT_DESCRIPTORS are the window, one slot in each page. Its edges have any contents, and no
 * grant or one of a delegation that may be revoked.
 *
 * The invariants are written once more, by numbers of slots that the prover knows: cap_table_check
 * follows links, which costs a prover a hundred times as much. For a harness that includes
 * core/cap_table.c before.
 */
#ifndef VERIFY_ANY_TABLE_H
#define VERIFY_ANY_TABLE_H

#include "verify/prover.h"

_Static_assert(CAP_TABLE_PAGE_SLOTS == 1 && LIMIT_TABLE_SLOTS == 4, "a page for each slot");

/* ---- memory ---------------------------------------------------------------------------------- */

/* Each page an object of its own: to the prover one of a few, not bytes at some offset. */
#define PAGES(prefix)                                                                              \
    static struct cap_slot prefix##_slot_0, prefix##_slot_1, prefix##_slot_2, prefix##_slot_3;     \
    static struct provenance prefix##_cold_0, prefix##_cold_1, prefix##_cold_2, prefix##_cold_3;   \
    static struct cap_slot *const prefix##_slots[] = {&prefix##_slot_0, &prefix##_slot_1,          \
                                                      &prefix##_slot_2, &prefix##_slot_3};         \
    static struct provenance *const prefix##_colds[] = {&prefix##_cold_0, &prefix##_cold_1,        \
                                                        &prefix##_cold_2, &prefix##_cold_3}

struct table_pages {
    struct cap_slot *const *slot;
    struct provenance *const *cold;
};

/* Pages that are not in use, provenance first; or there is no memory, at any time. */
static struct cap_slot spare_slot_0, spare_slot_1, spare_slot_2;
static struct provenance spare_cold_0, spare_cold_1, spare_cold_2;

static void *pages_alloc(void *context)
{
    static void *const spare[] = {&spare_cold_0, &spare_slot_0, &spare_cold_1,
                                  &spare_slot_1, &spare_cold_2, &spare_slot_2};
    unsigned *given = context;

    __CPROVER_assume(*given < ARRAY_COUNT(spare));
    return nondet_bool() ? NULL : spare[(*given)++];
}

static unsigned pages_freed;

static void pages_free(void *context, void *page)
{
    (void)context;
    (void)page;
    pages_freed++;
}

/* What the compiler may call: whole structures, where a prover would go byte by byte. */
static void *edge_or_table_zero(void *to, int value, size_t length)
{
    __CPROVER_assert(value == 0, "zeroes");
    if (length == sizeof(struct hold_edge)) {
        *(struct hold_edge *)to = (struct hold_edge){0};
    } else {
        __CPROVER_assert(length == sizeof(struct cap_table), "an edge or a table");
        *(struct cap_table *)to = (struct cap_table){0};
    }
    return to;
}

/* ---- edges ----------------------------------------------------------------------------------- */

static struct grant_tree any_tree;
static struct grant_node any_node;
static char any_object;

static void any_grants(void)
{
    any_tree = (struct grant_tree){.epoch = nondet_u64(), .nodes = 1};
    any_node = (struct grant_node){.tree = &any_tree,
                                   .references = LIMIT_TABLE_SLOTS,
                                   .state = nondet_u8() & (GRANT_REVOKED | GRANT_SPLICED),
                                   .depth = 1};
    __CPROVER_assume(any_tree.epoch != 0);
}

static bool edge_is_revoked(const struct hold_edge *edge)
{
    return edge->object == NULL || (edge->grant != NULL && (any_node.state & GRANT_REVOKED) != 0);
}

/* What makes the one compare of grant_is_alive right; verify/grant.c proves that it stays so. */
static bool edge_is_sound(const struct hold_edge *edge)
{
    return edge->grant == NULL ||
           (edge->epoch <= any_tree.epoch &&
            (edge->epoch != any_tree.epoch || (any_node.state & GRANT_REVOKED) == 0));
}

static struct hold_edge any_edge(void)
{
    return (struct hold_edge){.object = nondet_bool() ? NULL : &any_object,
                              .interface_id = nondet_u64(),
                              .facet = nondet_u64(),
                              .badge = nondet_u64(),
                              .grant = nondet_bool() ? NULL : &any_node,
                              .epoch = nondet_u64(),
                              .mode = nondet_u8(),
                              .grantable = nondet_u8(),
                              .flags = nondet_u8()};
}

static bool edges_equal(const struct hold_edge *a, const struct hold_edge *b)
{
    return a->object == b->object && a->interface_id == b->interface_id && a->facet == b->facet &&
           a->badge == b->badge && a->grant == b->grant && a->mode == b->mode &&
           a->grantable == b->grantable && a->flags == b->flags;
}

/* ---- the invariants -------------------------------------------------------------------------- */

static uint64_t name_of(const struct cap_table *table, uint32_t slot)
{
    return table->page[slot] == NULL ? 0 : table->page[slot]->name;
}

static uint32_t link_of(const struct cap_table *table, uint32_t slot)
{
    return (uint32_t)(name_of(table, slot) & CAP_SLOT_MAX);
}

/* Held, buried or moving. */
static bool is_used(const struct cap_table *table, uint32_t slot)
{
    return (name_of(table, slot) != 0 && link_of(table, slot) == slot) ||
           link_of(table, slot) == LINK_MOVING;
}

/* What each slot looks like in each state. */
static bool slot_holds(const struct cap_table *table, uint32_t slot)
{
    const struct cap_slot *entry = table->page[slot];
    uint64_t name = name_of(table, slot);
    uint32_t link = link_of(table, slot);
    bool above = slot >= CAP_TABLE_WINDOW;

    if ((entry == NULL) != (table->cold[slot] == NULL) ||
        (above && (entry != NULL) != (slot < table->paged))) {
        return false;
    }
    if (!above && (table->window_free[0] >> slot & 1) != (name == 0 || link == LINK_FREE)) {
        return false;
    }
    if (name == 0) {
        return (entry == NULL || entry->edge.object == NULL) && (!above || slot >= table->fresh);
    }
    if (above && slot >= table->fresh) {
        return false;
    }
    if (is_used(table, slot)) {
        return name >> CAP_SLOT_BITS != 0 && edge_is_sound(&entry->edge) &&
               (above || entry->edge.object == NULL || entry->edge.grantable == 0) &&
               (entry->edge.object != NULL || entry->edge.grant == NULL);
    }
    if (entry->edge.object != NULL || name >> CAP_SLOT_BITS == 0) {
        return false;
    }
    if (link == LINK_RETIRED) {
        return name >> CAP_SLOT_BITS == CAP_GENERATION_MAX;
    }
    return above ? link == LINK_END || (link >= CAP_TABLE_WINDOW && link < table->fresh)
                 : link == LINK_FREE;
}

/* How long the list of free slots is, or UINT32_MAX if it is broken. */
static uint32_t free_list_length(const struct cap_table *table)
{
    uint32_t count = 0;
    uint32_t last = LINK_END;
    uint32_t slot = table->free_head;

    for (uint32_t step = CAP_TABLE_WINDOW; step < LIMIT_TABLE_SLOTS && slot != LINK_END; step++) {
        uint32_t next = LINK_RETIRED;

        for (uint32_t i = CAP_TABLE_WINDOW; i < LIMIT_TABLE_SLOTS; i++) {
            if (i == slot && slot < table->fresh && table->page[i] != NULL &&
                table->page[i]->edge.interface_id == last) {
                next = link_of(table, i);
            }
        }
        if (next == LINK_RETIRED) {
            return UINT32_MAX;
        }
        last = slot;
        slot = next;
        count++;
    }
    return slot == LINK_END && last == table->free_tail ? count : UINT32_MAX;
}

/* Slots and counts agree. */
static bool counts_hold(const struct cap_table *table)
{
    uint32_t used = 0;
    uint32_t moving = 0;
    uint32_t buried = 0;
    uint32_t retired = 0;
    uint32_t free_above = 0;

    for (uint32_t slot = 0; slot < LIMIT_TABLE_SLOTS; slot++) {
        bool now = is_used(table, slot);
        uint32_t link = link_of(table, slot);

        used += now;
        moving += link == LINK_MOVING;
        buried += now && table->page[slot]->edge.object == NULL;
        retired += link == LINK_RETIRED;
        free_above +=
            slot >= CAP_TABLE_WINDOW && name_of(table, slot) != 0 && !now && link != LINK_RETIRED;
    }
    return used == table->used && moving == table->moving && buried == table->buried &&
           retired == table->retired && free_above == table->free_count;
}

/* All that holds of a table between two operations; table.c proves that it implies what
 * cap_table_check looks at. */
static bool table_holds(const struct cap_table *table)
{
    if (table->quota > LIMIT_TABLE_SLOTS || table->used > LIMIT_TABLE_SLOTS ||
        table->reserved > LIMIT_TABLE_SLOTS || table->used + table->reserved > table->quota ||
        table->paged > LIMIT_TABLE_SLOTS || table->fresh < CAP_TABLE_WINDOW ||
        table->fresh > table->paged || table->window_free[0] >> CAP_TABLE_WINDOW != 0 ||
        table->free_count > LIMIT_TABLE_SLOTS ||
        table->free_count + (table->paged - table->fresh) < table->reserved) {
        return false;
    }
    for (uint32_t slot = 0; slot < LIMIT_TABLE_SLOTS; slot++) {
        if (!slot_holds(table, slot)) {
            return false;
        }
    }
    return counts_hold(table) && free_list_length(table) == table->free_count;
}

static void any_table(struct cap_table *table, struct table_pages pages, unsigned *given)
{
    *table = (struct cap_table){.memory = {pages_alloc, pages_free, given},
                                .window_free = {nondet_u64()},
                                .quota = nondet_u32(),
                                .used = nondet_u32(),
                                .moving = nondet_u32(),
                                .buried = nondet_u32(),
                                .reserved = nondet_u32(),
                                .retired = nondet_u32(),
                                .fresh = nondet_u32(),
                                .paged = nondet_u32(),
                                .free_head = nondet_u32(),
                                .free_tail = nondet_u32(),
                                .free_count = nondet_u32()};
    for (uint32_t slot = 0; slot < LIMIT_TABLE_SLOTS; slot++) {
        bool present = nondet_bool();

        pages.slot[slot]->edge = any_edge();
        pages.slot[slot]->name = nondet_u64();
        table->page[slot] = present ? pages.slot[slot] : NULL;
        table->cold[slot] = present ? pages.cold[slot] : NULL;
    }
    __CPROVER_assume(table_holds(table));
}

/* ---- what an id is in a table ---------------------------------------------------------------- */

enum id_state {
    ID_NEVER,  /* nobody was given it */
    ID_HELD,   /* names an edge, or one that was revoked and emptied */
    ID_MOVING, /* its edge is on the move */
    ID_STALE,  /* it was given out, and its edge is gone */
};

/* By the state diagram of cap_table.c, not by its code. */
static enum id_state id_state(const struct cap_table *table, struct cap_id id)
{
    uint32_t slot = (uint32_t)(id.raw & 0xfffff);
    uint64_t generation = id.raw >> 20;
    uint64_t name = 0;
    uint32_t link;

    for (uint32_t i = 0; i < LIMIT_TABLE_SLOTS; i++) {
        name = i == slot ? name_of(table, i) : name;
    }
    link = (uint32_t)(name & 0xfffff);
    if (name == 0 || generation == 0 || generation > name >> 20) {
        return ID_NEVER;
    }
    if (generation < name >> 20) {
        return ID_STALE;
    }
    if (link == slot) {
        return ID_HELD;
    }
    if (link == LINK_MOVING) {
        return ID_MOVING;
    }
    return link == LINK_RETIRED ? ID_STALE : ID_NEVER; /* free: its next edge's generation */
}

/* The edge of a slot. */
static struct hold_edge edge_in(const struct cap_table *table, uint32_t slot)
{
    struct hold_edge edge = {0};

    for (uint32_t i = 0; i < LIMIT_TABLE_SLOTS; i++) {
        if (i == slot && table->page[i] != NULL) {
            edge = table->page[i]->edge;
        }
    }
    return edge;
}

#endif
