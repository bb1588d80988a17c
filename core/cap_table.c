/* SPDX-License-Identifier: MIT */
/*
 * Capability table.
 *
 * Purpose: what a process holds, each edge in a slot, found by its CapId in constant time; an id
 * that was given out resolves to the edge it was made for or to nothing, for ever.
 *
 * A slot passes through
 *
 *   fresh -> held -> free -> held ...          generation + 1 each time an edge leaves
 *            held -> moving -> free            the edge left with a transfer (move_commit)
 *                    moving -> held            the transfer was cancelled, same id
 *            held -> buried -> free            revoked: emptied by the sweep, then released
 *   and becomes retired instead of free when its generation is CAP_GENERATION_MAX: never used
 * again.
 *
 * `name` tells the states apart. Its upper 44 bits are the generation (of the edge here, or of the
 * next one when the slot is free), its lower 20 are
 *   the slot's own number    held; object NULL: buried
 *   LINK_MOVING              on the move; object NULL: buried while it moved
 *   another slot, LINK_END   free, above the window: the next free slot
 *   LINK_FREE                free, in the window
 *   LINK_RETIRED             retired
 * so `name == id` is the whole check of slot, generation and state. 0 is a fresh slot.
 *
 * Slots below CAP_TABLE_WINDOW are descriptors: reached by their number, lowest free first, from a
 * bitmap. Slots above are reused first in, first out, from a doubly linked list, so that an exact
 * one can be taken. Memory grows by a page of slots with its page of provenance, never beyond what
 * the quota needs, rounded up to a page; a process that holds no descriptor has no window pages.
 *
 * A revoked edge is not taken out of its holder's table behind its back: its slot number may be a
 * descriptor that the holder still believes in. The sweep takes what the edge pins (object, grant);
 * the slot stays, answers REVOKED, and is the holder's to release.
 *
 * Invariants:
 *  1. Above the window: held + moving + buried + free_count + retired there = fresh -
 * CAP_TABLE_WINDOW, and the free list holds exactly the free slots, each once, linked both ways.
 *  2. used + reserved <= quota; free_count and the slots from fresh to paged are at least reserved.
 *  3. A slot that was used has a generation from 1 to CAP_GENERATION_MAX, which never falls.
 *  4. used, moving, buried and retired count the slots in these states.
 *  5. A window slot is free or fresh exactly when its bit in window_free is set.
 *  6. A held edge's grant is sound (grant_check) and its remembered epoch is not of the future.
 *  7. No edge in the window is grantable: a descriptor goes one hop, and so does what is made of
 * it.
 *
 * Locks: the caller's, one for the whole table. What can fail: quota and memory, in reserve and the
 * inserts that reserve themselves; ids that name nothing.
 */
#include "core/cap_table.h"

#include "core/assert.h"
#include "core/cap_slot.h"
#include "core/string.h"

void cap_table_init(struct cap_table *table, uint32_t quota, struct cap_table_memory memory)
{
    ASSERT(quota <= LIMIT_TABLE_SLOTS);
    memset(table, 0, sizeof(*table));
    table->memory = memory;
    table->quota = quota;
    table->fresh = CAP_TABLE_WINDOW;
    table->paged = CAP_TABLE_WINDOW;
    table->free_head = LINK_END;
    table->free_tail = LINK_END;
    for (uint32_t slot = 0; slot < CAP_TABLE_WINDOW; slot++) {
        window_set(table, slot, true);
    }
}

enum transport_error cap_table_set_quota(struct cap_table *table, uint32_t quota)
{
    ASSERT(quota <= LIMIT_TABLE_SLOTS);
    if (quota < table->used + table->reserved) {
        return TRANSPORT_LIMIT;
    }
    table->quota = quota;
    return TRANSPORT_OK;
}

/* ---- memory and reservations ---------------------------------------------------------------- */

/* A page of slots and its page of provenance, both or none. */
static bool page_ensure(struct cap_table *table, uint32_t index)
{
    const struct cap_table_memory *memory = &table->memory;

    ASSERT(index < CAP_TABLE_PAGES);
    if (table->page[index] != NULL) {
        return true;
    }
    table->cold[index] = memory->page_alloc(memory->context);
    if (table->cold[index] == NULL) {
        return false;
    }
    table->page[index] = memory->page_alloc(memory->context);
    if (table->page[index] == NULL) {
        memory->page_free(memory->context, table->cold[index]);
        table->cold[index] = NULL;
        return false;
    }
    return true;
}

static bool page_add(struct cap_table *table)
{
    uint32_t index = table->paged / CAP_TABLE_PAGE_SLOTS;

    ASSERT(table->paged < LIMIT_TABLE_SLOTS);
    if (!page_ensure(table, index)) {
        return false;
    }
    table->paged = (index + 1) * CAP_TABLE_PAGE_SLOTS;
    if (table->paged > LIMIT_TABLE_SLOTS) {
        table->paged = LIMIT_TABLE_SLOTS;
    }
    return true;
}

enum transport_error cap_table_reserve(struct cap_table *table, uint32_t count)
{
    if (count > table->quota - table->used - table->reserved) {
        return TRANSPORT_LIMIT;
    }
    /*@ loop invariant place: table->paged <= LIMIT_TABLE_SLOTS &&
          \at(table->paged, Pre) <= table->paged;
        loop assigns table->paged;
        loop variant LIMIT_TABLE_SLOTS - table->paged;
     */
    while (table->free_count + (table->paged - table->fresh) < table->reserved + count) {
        if (table->paged == LIMIT_TABLE_SLOTS) {
            return TRANSPORT_LIMIT;
        }
        if (!page_add(table)) {
            return TRANSPORT_NO_MEMORY;
        }
    }
    table->reserved += count;
    return TRANSPORT_OK;
}

void cap_table_unreserve(struct cap_table *table, uint32_t count)
{
    ASSERT(count <= table->reserved);
    table->reserved -= count;
}

/* ---- inserting ------------------------------------------------------------------------------ */

/* Makes room for one more edge above the window (room_is_there), with another page if need be. */
static enum transport_error room_make(struct cap_table *table)
{
    enum transport_error error;

    if (LIKELY(room_is_there(table))) {
        return TRANSPORT_OK;
    }
    error = cap_table_reserve(table, 1);
    if (error == TRANSPORT_OK) {
        table->reserved--;
    }
    return error;
}

/* Puts `edge` into the slot that is next above the window; there is one. */
static struct cap_id slot_insert(struct cap_table *table, const struct hold_edge *edge,
                                 const struct provenance *origin)
{
    return slot_fill(table, free_take(table), edge, origin);
}

struct cap_id cap_table_insert_reserved(struct cap_table *table, const struct hold_edge *edge,
                                        const struct provenance *origin)
{
    ASSERT(table->reserved > 0);
    table->reserved--;
    return slot_insert(table, edge, origin);
}

struct cap_id cap_table_insert_over(struct cap_table *table, const struct hold_edge *edge,
                                    const struct provenance *origin, uint32_t *reserved)
{
    ASSERT(*reserved > 0 && table->reserved >= *reserved);
    if (UNLIKELY(!room_is_there(table))) {
        table->reserved--;
        --*reserved;
    }
    return slot_insert(table, edge, origin);
}

enum transport_error cap_table_insert(struct cap_table *table, const struct hold_edge *edge,
                                      const struct provenance *origin, struct cap_id *id)
{
    enum transport_error error = room_make(table);

    if (error != TRANSPORT_OK) {
        return error;
    }
    *id = slot_insert(table, edge, origin);
    return TRANSPORT_OK;
}

struct cap_id cap_table_repeat(struct cap_table *table, const struct cap_slot *from,
                               struct provenance **origin)
{
    return room_is_there(table) ? slot_repeat(table, from, false, origin) : (struct cap_id){0};
}

/* Into a window slot whose bit is set. */
static enum transport_error window_insert(struct cap_table *table, uint32_t slot,
                                          const struct hold_edge *edge,
                                          const struct provenance *origin, struct cap_id *id)
{
    if (table->used + table->reserved == table->quota) {
        return TRANSPORT_LIMIT;
    }
    if (!page_ensure(table, slot / CAP_TABLE_PAGE_SLOTS)) {
        return TRANSPORT_NO_MEMORY;
    }
    window_set(table, slot, false);
    *id = slot_fill(table, slot, edge, origin);
    slot_at(table, slot)->edge.grantable = 0;
    return TRANSPORT_OK;
}

enum transport_error cap_table_insert_window(struct cap_table *table, const struct hold_edge *edge,
                                             const struct provenance *origin, struct cap_id *id)
{
    for (uint32_t word = 0; word < ARRAY_COUNT(table->window_free); word++) {
        if (table->window_free[word] != 0) {
            uint32_t bit = (uint32_t)COUNT_TRAILING_ZEROS_U64(table->window_free[word]);

            return window_insert(table, word * 64 + bit, edge, origin, id);
        }
    }
    return TRANSPORT_LIMIT;
}

enum transport_error cap_table_insert_at(struct cap_table *table, uint32_t slot,
                                         const struct hold_edge *edge,
                                         const struct provenance *origin, struct cap_id *id)
{
    struct cap_slot *entry;
    enum transport_error error;

    if (slot < CAP_TABLE_WINDOW && window_is_free(table, slot)) {
        return window_insert(table, slot, edge, origin, id);
    }
    if (slot < CAP_TABLE_WINDOW || slot >= table->fresh) {
        return TRANSPORT_SLOT_IN_USE;
    }
    entry = slot_at(table, slot);
    if (slot_is_used(entry, slot) || slot_link(entry) == LINK_RETIRED) {
        return TRANSPORT_SLOT_IN_USE;
    }
    error = cap_table_reserve(table, 1);
    if (error == TRANSPORT_OK) {
        free_remove(table, slot, entry);
        table->reserved--;
        *id = slot_fill(table, slot, edge, origin);
    }
    return error;
}

/* ---- finding -------------------------------------------------------------------------------- */

/* Why `id` is not the name of an edge that is held. */
enum transport_error cap_table_id_error(const struct cap_table *table, struct cap_id id)
{
    uint32_t slot = cap_id_slot(id);
    uint64_t given; /* generations that ids of this slot were given out with */
    const struct cap_slot *entry;

    if (slot >= LIMIT_TABLE_SLOTS || cap_id_generation(id) == 0 ||
        table->page[slot / CAP_TABLE_PAGE_SLOTS] == NULL) {
        return TRANSPORT_BAD_CAP;
    }
    entry = slot_at(table, slot);
    given = slot_generation(entry);
    if (given != 0 && !slot_is_used(entry, slot) && slot_link(entry) != LINK_RETIRED) {
        given--;
    }
    return cap_id_generation(id) > given ? TRANSPORT_BAD_CAP : TRANSPORT_STALE_CAP;
}

enum transport_error cap_table_token(struct cap_table *table, uint32_t slot, uint64_t interface_id,
                                     struct cap_id *id)
{
    struct cap_slot *entry;

    if (slot >= LIMIT_TABLE_SLOTS || table->page[slot / CAP_TABLE_PAGE_SLOTS] == NULL ||
        !slot_is_held(slot_at(table, slot), slot)) {
        return TRANSPORT_BAD_CAP;
    }
    entry = slot_at(table, slot);
    if (entry->edge.object == NULL || !hold_edge_is_alive(&entry->edge)) {
        return TRANSPORT_REVOKED;
    }
    if (entry->edge.interface_id != interface_id) {
        return TRANSPORT_WRONG_INTERFACE;
    }
    *id = (struct cap_id){entry->name};
    return TRANSPORT_OK;
}

enum transport_error cap_table_remove(struct cap_table *table, struct cap_id id,
                                      struct hold_edge *edge)
{
    struct cap_slot *entry = cap_table_resolve(table, id);

    if (entry == NULL) {
        return cap_table_id_error(table, id);
    }
    *edge = entry->edge;
    slot_vacate(table, cap_id_slot(id), entry);
    return TRANSPORT_OK;
}

void cap_table_vacate(struct cap_table *table, struct cap_slot *entry)
{
    ASSERT(entry->edge.object != NULL);
    slot_vacate(table, slot_link(entry), entry);
}

enum transport_error cap_table_set_flags(struct cap_table *table, struct cap_id id, uint8_t flags)
{
    const struct hold_edge *edge;
    enum transport_error error = cap_table_lookup(table, id, &edge);

    if (error == TRANSPORT_OK) {
        cap_table_resolve(table, id)->edge.flags = flags;
    }
    return error;
}

const struct provenance *cap_table_origin(const struct cap_table *table, struct cap_id id)
{
    uint32_t slot = cap_id_slot(id);

    return cap_table_resolve(table, id) == NULL ? NULL : slot_origin(table, slot);
}

/* ---- moving --------------------------------------------------------------------------------- */

enum transport_error cap_table_move_begin(struct cap_table *table, struct cap_id id,
                                          struct hold_edge *edge)
{
    const struct hold_edge *found;
    enum transport_error error = cap_table_lookup(table, id, &found);

    if (error == TRANSPORT_OK) {
        *edge = *found;
        slot_at(table, cap_id_slot(id))->name = (id.raw & ~(uint64_t)CAP_SLOT_MAX) | LINK_MOVING;
        table->moving++;
    }
    return error;
}

/* The slot whose edge left under the name `id`. */
static struct cap_slot *slot_moving(struct cap_table *table, struct cap_id id)
{
    struct cap_slot *entry = slot_at(table, cap_id_slot(id));

    ASSERT(slot_link(entry) == LINK_MOVING);
    ASSERT(slot_generation(entry) == cap_id_generation(id));
    ASSERT(table->moving > 0);
    table->moving--;
    return entry;
}

void cap_table_move_commit(struct cap_table *table, struct cap_id id, struct hold_edge *edge)
{
    struct cap_slot *entry = slot_moving(table, id);

    *edge = entry->edge;
    slot_vacate(table, cap_id_slot(id), entry);
}

void cap_table_move_cancel(struct cap_table *table, struct cap_id id)
{
    slot_moving(table, id)->name = id.raw;
}

/* ---- walking -------------------------------------------------------------------------------- */

/* The next used slot at or after *cursor within `steps`, and *cursor behind it. NULL with true: the
 * steps are over; NULL with false: the table is. */
static bool slot_next(const struct cap_table *table, uint32_t *cursor, uint32_t steps,
                      struct cap_slot **found)
{
    *found = NULL;
    while (*cursor < LIMIT_TABLE_SLOTS) {
        uint32_t slot = *cursor;

        if (steps-- == 0) {
            return true;
        }
        if (table->page[slot / CAP_TABLE_PAGE_SLOTS] == NULL) {
            *cursor = (slot / CAP_TABLE_PAGE_SLOTS + 1) * CAP_TABLE_PAGE_SLOTS;
            continue;
        }
        ++*cursor;
        if (slot_is_used(slot_at(table, slot), slot)) {
            *found = slot_at(table, slot);
            return true;
        }
    }
    return false;
}

bool cap_table_next(struct cap_table *table, uint32_t *cursor, uint32_t steps,
                    struct cap_entry *entry, bool *found)
{
    struct cap_slot *slot;
    uint32_t index;

    *found = false;
    if (!slot_next(table, cursor, steps, &slot)) {
        return false;
    }
    if (slot == NULL) {
        return true;
    }
    index = *cursor - 1;
    entry->id = cap_id_make(index, slot_generation(slot));
    entry->revoked = slot->edge.object == NULL || !hold_edge_is_alive(&slot->edge);
    entry->edge = slot->edge;
    entry->origin = *slot_origin(table, index);
    *found = true;
    return true;
}

uint32_t cap_table_count(const struct cap_table *table, uint64_t interface_id)
{
    uint32_t count = 0;

    for (uint32_t page = 0; page < CAP_TABLE_PAGES; page++) {
        const struct cap_slot *slot = table->page[page];

        for (uint32_t i = 0; slot != NULL && i < CAP_TABLE_PAGE_SLOTS; i++) {
            count += slot[i].edge.object != NULL && slot[i].edge.interface_id == interface_id;
        }
    }
    return count;
}

bool cap_table_bury_next(struct cap_table *table, uint32_t *cursor, uint32_t steps,
                         const struct grant_node *above, struct hold_edge *edge, bool *found)
{
    uint32_t begin = *cursor;
    struct cap_slot *slot;

    *found = false;
    while (*cursor - begin < steps && slot_next(table, cursor, steps - (*cursor - begin), &slot)) {
        if (slot == NULL) {
            return true;
        }
        if (slot->edge.object != NULL && grant_is_below(slot->edge.grant, above)) {
            *edge = slot->edge;
            slot->edge.object = NULL;
            slot->edge.grant = NULL;
            table->buried++;
            *found = true;
            return true;
        }
    }
    return *cursor < LIMIT_TABLE_SLOTS;
}

bool cap_table_remove_next(struct cap_table *table, uint32_t *cursor, struct hold_edge *edge)
{
    struct cap_slot *slot;

    ASSERT(table->moving == 0);
    if (!slot_next(table, cursor, UINT32_MAX, &slot)) {
        return false;
    }
    *edge = slot->edge;
    slot_vacate(table, *cursor - 1, slot);
    return true;
}

void cap_table_free(struct cap_table *table)
{
    ASSERT(table->used == 0);
    for (uint32_t i = 0; i < CAP_TABLE_PAGES; i++) {
        if (table->page[i] != NULL) {
            table->memory.page_free(table->memory.context, table->page[i]);
            table->memory.page_free(table->memory.context, table->cold[i]);
        }
    }
    cap_table_init(table, table->quota, table->memory);
}

/* ---- the check ------------------------------------------------------------------------------ */

struct slot_counts {
    uint32_t used, moving, buried, retired;
    uint32_t above; /* slots above the window that are used, free or retired */
};

/* Invariants 3, 5 and 6 for one slot; counts it. */
static unsigned slot_check(const struct cap_table *table, uint32_t slot, struct slot_counts *counts)
{
    const struct cap_slot *entry = slot_at(table, slot);
    const struct hold_edge *edge = &entry->edge;
    uint64_t generation = slot_generation(entry);
    bool used = slot_is_used(entry, slot);

    if (entry->name != 0 && (generation == 0 || generation > CAP_GENERATION_MAX)) {
        return 3;
    }
    if (slot < CAP_TABLE_WINDOW &&
        window_is_free(table, slot) != (entry->name == 0 || slot_link(entry) == LINK_FREE)) {
        return 5;
    }
    if (used && edge->object != NULL && edge->grant != NULL &&
        (grant_check(edge->grant) != 0 ||
         edge->epoch > atomic_load_relaxed_u64(&edge->grant->tree->epoch))) {
        return 6;
    }
    if (used && slot < CAP_TABLE_WINDOW && edge->object != NULL && edge->grantable != 0) {
        return 7;
    }
    counts->used += used;
    counts->moving += slot_link(entry) == LINK_MOVING;
    counts->buried += used && edge->object == NULL;
    counts->retired += slot_link(entry) == LINK_RETIRED;
    counts->above += slot >= CAP_TABLE_WINDOW && (used || slot_link(entry) == LINK_RETIRED);
    return 0;
}

/* Invariant 1: counts the free list, or says 0xffffffff when it is broken. */
static uint32_t free_list_count(const struct cap_table *table)
{
    uint32_t count = 0;
    uint32_t last = LINK_END;
    const struct cap_slot *entry;

    for (uint32_t slot = table->free_head; slot != LINK_END; slot = slot_link(entry)) {
        if (slot >= table->fresh || slot < CAP_TABLE_WINDOW || count > table->free_count) {
            return UINT32_MAX;
        }
        entry = slot_at(table, slot);
        if (entry->edge.object != NULL || slot_previous(entry) != last) {
            return UINT32_MAX;
        }
        last = slot;
        count++;
    }
    return last == table->free_tail ? count : UINT32_MAX;
}

unsigned cap_table_check(const struct cap_table *table)
{
    struct slot_counts counts = {0};

    for (uint32_t slot = 0; slot < LIMIT_TABLE_SLOTS; slot++) {
        if (table->page[slot / CAP_TABLE_PAGE_SLOTS] != NULL) {
            unsigned broken = slot_check(table, slot, &counts);

            if (broken != 0) {
                return broken;
            }
        }
    }
    if (table->fresh < CAP_TABLE_WINDOW || table->fresh > table->paged ||
        free_list_count(table) != table->free_count ||
        counts.above + table->free_count != table->fresh - CAP_TABLE_WINDOW) {
        return 1;
    }
    if (table->used + table->reserved > table->quota ||
        table->free_count + (table->paged - table->fresh) < table->reserved) {
        return 2;
    }
    if (counts.used != table->used || counts.moving != table->moving ||
        counts.buried != table->buried || counts.retired != table->retired) {
        return 4;
    }
    return 0;
}
