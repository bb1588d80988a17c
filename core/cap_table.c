/* SPDX-License-Identifier: MIT */
/*
 * Capability table.
 *
 * A slot passes through: fresh (never used) -> held -> free -> held ...; a slot whose generation
 * would pass CAP_GENERATION_MAX becomes retired instead of free and is never used again. Freed
 * slots are reused first in, first out. Insert takes the oldest free slot, or the first fresh one
 * of a page that is there.
 *
 * Invariants:
 *  1. used + free_count + retired = fresh - CAP_TABLE_WINDOW: each slot once used is in one state.
 *  2. used + reserved <= quota, and that many slots exist in pages that are there.
 *  3. The generation of a slot only grows: it is raised when an edge leaves, so an id that was
 *     given out resolves to the edge it was made for or to nothing, for ever.
 *  4. The free list holds exactly the free slots, each once, and ends at free_tail.
 *  5. A held slot's object is not NULL; any other slot's is.
 */
#include "core/cap_table.h"

#include "core/assert.h"
#include "core/string.h"

static struct cap_slot *slot_at(const struct cap_table *table, uint32_t slot)
{
    ASSERT(slot < LIMIT_TABLE_SLOTS);
    ASSERT(table->page[slot / CAP_TABLE_PAGE_SLOTS] != NULL);
    return &table->page[slot / CAP_TABLE_PAGE_SLOTS][slot % CAP_TABLE_PAGE_SLOTS];
}

void cap_table_init(struct cap_table *table, uint32_t quota, struct cap_table_memory memory)
{
    ASSERT(quota <= LIMIT_TABLE_SLOTS - CAP_TABLE_WINDOW);
    memset(table, 0, sizeof(*table));
    table->memory = memory;
    table->quota = quota;
    table->fresh = CAP_TABLE_WINDOW;
    table->free_head = CAP_SLOT_MAX;
    table->free_tail = CAP_SLOT_MAX;
}

/* Slots that exist beyond those held: on the free list or fresh in a page that is there. */
static uint32_t slots_ready(const struct cap_table *table)
{
    uint32_t end = table->fresh;

    while (end < LIMIT_TABLE_SLOTS && table->page[end / CAP_TABLE_PAGE_SLOTS] != NULL) {
        end += CAP_TABLE_PAGE_SLOTS - end % CAP_TABLE_PAGE_SLOTS;
    }
    return table->free_count + (end - table->fresh);
}

static bool page_add(struct cap_table *table)
{
    for (uint32_t i = table->fresh / CAP_TABLE_PAGE_SLOTS; i < CAP_TABLE_PAGES; i++) {
        if (table->page[i] == NULL) {
            table->page[i] = table->memory.page_alloc(table->memory.context);
            return table->page[i] != NULL;
        }
    }
    return false;
}

enum transport_error cap_table_reserve(struct cap_table *table, uint32_t count)
{
    if (count > table->quota - table->used - table->reserved) {
        return TRANSPORT_LIMIT;
    }
    while (slots_ready(table) < table->reserved + count) {
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

struct cap_id cap_table_insert_reserved(struct cap_table *table, const struct hold_edge *edge)
{
    uint32_t slot = table->free_head;
    struct cap_slot *entry;

    ASSERT(table->reserved > 0);
    ASSERT(edge->object != NULL);
    if (slot != CAP_SLOT_MAX) {
        entry = slot_at(table, slot);
        table->free_head = entry->next_free;
        if (table->free_head == CAP_SLOT_MAX) {
            table->free_tail = CAP_SLOT_MAX;
        }
        table->free_count--;
    } else {
        slot = table->fresh++;
        entry = slot_at(table, slot);
        entry->generation = 1;
    }
    ASSERT(entry->edge.object == NULL);
    entry->edge = *edge;
    table->reserved--;
    table->used++;
    return cap_id_make(slot, entry->generation);
}

enum transport_error cap_table_insert(struct cap_table *table, const struct hold_edge *edge,
                                      struct cap_id *id)
{
    enum transport_error error = cap_table_reserve(table, 1);

    if (error == TRANSPORT_OK) {
        *id = cap_table_insert_reserved(table, edge);
    }
    return error;
}

/* The slot that `id` names if it is held in that generation. */
static enum transport_error slot_resolve(const struct cap_table *table, struct cap_id id,
                                         struct cap_slot **found)
{
    uint32_t slot = cap_id_slot(id);
    struct cap_slot *entry;

    if (slot >= LIMIT_TABLE_SLOTS || cap_id_generation(id) == 0 ||
        table->page[slot / CAP_TABLE_PAGE_SLOTS] == NULL) {
        return TRANSPORT_BAD_CAP;
    }
    entry = slot_at(table, slot);
    if (cap_id_generation(id) > entry->generation) {
        return TRANSPORT_BAD_CAP;
    }
    if (cap_id_generation(id) < entry->generation || entry->edge.object == NULL) {
        return entry->generation == 0 ? TRANSPORT_BAD_CAP : TRANSPORT_STALE_CAP;
    }
    *found = entry;
    return TRANSPORT_OK;
}

enum transport_error cap_table_lookup(const struct cap_table *table, struct cap_id id,
                                      const struct hold_edge **edge)
{
    struct cap_slot *entry;
    enum transport_error error = slot_resolve(table, id, &entry);

    if (error == TRANSPORT_OK) {
        *edge = &entry->edge;
    }
    return error;
}

enum transport_error hold_edge_permits(const struct hold_edge *edge, uint64_t interface_id,
                                       uint16_t method)
{
    if (edge->interface_id != interface_id) {
        return TRANSPORT_WRONG_INTERFACE;
    }
    if (edge->facet == CAP_FACET_ALL) {
        return TRANSPORT_OK;
    }
    if (method >= 64 || ((edge->facet >> method) & 1) == 0) {
        return TRANSPORT_NO_METHOD;
    }
    return TRANSPORT_OK;
}

static void slot_vacate(struct cap_table *table, uint32_t slot, struct cap_slot *entry)
{
    memset(&entry->edge, 0, sizeof(entry->edge));
    table->used--;
    if (entry->generation == CAP_GENERATION_MAX) {
        table->retired++;
        return;
    }
    entry->generation++;
    entry->next_free = CAP_SLOT_MAX;
    if (table->free_tail == CAP_SLOT_MAX) {
        table->free_head = slot;
    } else {
        slot_at(table, table->free_tail)->next_free = slot;
    }
    table->free_tail = slot;
    table->free_count++;
}

enum transport_error cap_table_remove(struct cap_table *table, struct cap_id id,
                                      struct hold_edge *edge)
{
    struct cap_slot *entry;
    enum transport_error error = slot_resolve(table, id, &entry);

    if (error == TRANSPORT_OK) {
        *edge = entry->edge;
        slot_vacate(table, cap_id_slot(id), entry);
    }
    return error;
}

bool cap_table_remove_next(struct cap_table *table, uint32_t *cursor, struct hold_edge *edge)
{
    for (uint32_t slot = *cursor; slot < LIMIT_TABLE_SLOTS; slot++) {
        uint32_t index = slot / CAP_TABLE_PAGE_SLOTS;

        if (table->page[index] == NULL) {
            slot = (index + 1) * CAP_TABLE_PAGE_SLOTS - 1;
            continue;
        }
        struct cap_slot *entry = slot_at(table, slot);
        if (entry->edge.object != NULL) {
            *edge = entry->edge;
            slot_vacate(table, slot, entry);
            *cursor = slot + 1;
            return true;
        }
    }
    *cursor = LIMIT_TABLE_SLOTS;
    return false;
}

void cap_table_free(struct cap_table *table)
{
    ASSERT(table->used == 0);
    for (uint32_t i = 0; i < CAP_TABLE_PAGES; i++) {
        if (table->page[i] != NULL) {
            table->memory.page_free(table->memory.context, table->page[i]);
            table->page[i] = NULL;
        }
    }
}

/* Invariant 4: counts the free list, or says 0xffffffff when it is broken. */
static uint32_t free_list_count(const struct cap_table *table)
{
    uint32_t count = 0;
    uint32_t last = CAP_SLOT_MAX;

    for (uint32_t slot = table->free_head; slot != CAP_SLOT_MAX;
         slot = slot_at(table, slot)->next_free) {
        if (slot >= table->fresh || slot < CAP_TABLE_WINDOW || count > table->free_count ||
            slot_at(table, slot)->edge.object != NULL) {
            return UINT32_MAX;
        }
        last = slot;
        count++;
    }
    return last == table->free_tail ? count : UINT32_MAX;
}

unsigned cap_table_check(const struct cap_table *table)
{
    uint32_t held = 0;

    if (table->used + table->free_count + table->retired != table->fresh - CAP_TABLE_WINDOW) {
        return 1;
    }
    if (table->used + table->reserved > table->quota || slots_ready(table) < table->reserved) {
        return 2;
    }
    for (uint32_t slot = CAP_TABLE_WINDOW; slot < table->fresh; slot++) {
        const struct cap_slot *entry = slot_at(table, slot);

        if (entry->generation == 0 || entry->generation > CAP_GENERATION_MAX) {
            return 3;
        }
        held += entry->edge.object != NULL;
    }
    if (free_list_count(table) != table->free_count) {
        return 4;
    }
    return held == table->used ? 0 : 5;
}
