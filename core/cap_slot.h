/* SPDX-License-Identifier: MIT */
/*
 * The slots of a capability table: which state one is in, where free ones are kept, how an edge
 * gets into one and leaves it. For cap_table.c, whose head has the theory, and for the shortest
 * ways through the kernel, which want these few steps in line.
 */
#ifndef CORE_CAP_SLOT_H
#define CORE_CAP_SLOT_H

#include "core/assert.h"
#include "core/cap_table.h"
#include "core/string.h"

enum {
    LINK_END = (1 << CAP_SLOT_BITS) - 1,
    LINK_RETIRED = LINK_END - 1,
    LINK_MOVING = LINK_END - 2,
    LINK_FREE = LINK_END - 3,
};

_Static_assert((uint32_t)LIMIT_TABLE_SLOTS <= (uint32_t)LINK_FREE,
               "no slot has the number of a link");
_Static_assert((uint32_t)LIMIT_TABLE_SLOTS > (uint32_t)CAP_TABLE_WINDOW,
               "there are slots above the window");
_Static_assert(sizeof(struct hold_edge) == 56 && sizeof(struct cap_slot) == 64,
               "a slot is one cache line");

static inline struct cap_slot *slot_at(const struct cap_table *table, uint32_t slot)
{
    ASSERT_AGAIN(slot < LIMIT_TABLE_SLOTS);
    ASSERT_AGAIN(table->page[slot / CAP_TABLE_PAGE_SLOTS] != NULL);
    return &table->page[slot / CAP_TABLE_PAGE_SLOTS][slot % CAP_TABLE_PAGE_SLOTS];
}

static inline uint32_t slot_link(const struct cap_slot *entry)
{
    return (uint32_t)(entry->name & CAP_SLOT_MAX);
}

/* The neighbour before a free slot. It lies in a member of the edge that is not there, so that what
 * a slot is has one type and the proofs without bounds can follow it. */
static inline uint32_t slot_previous(const struct cap_slot *entry)
{
    return (uint32_t)entry->edge.interface_id;
}

static inline void slot_set_previous(struct cap_slot *entry, uint32_t previous)
{
    entry->edge.interface_id = previous;
}

static inline uint64_t slot_generation(const struct cap_slot *entry)
{
    return entry->name >> CAP_SLOT_BITS;
}

/* A free slot's neighbour behind it is `to`, where it was `from`. */
static inline void slot_relink(struct cap_slot *entry, uint32_t from, uint32_t to)
{
    entry->name ^= (uint64_t)from ^ to;
}

/* The name of the generation behind that of `name`, its link 0; 0: there is none. */
static inline uint64_t name_behind(uint64_t name)
{
    return (name | CAP_SLOT_MAX) + 1;
}

/* `name`, whose link is 0, with `link`. */
static inline uint64_t name_linked(uint64_t name, uint32_t link)
{
    return name | link;
}

static inline bool slot_is_held(const struct cap_slot *entry, uint32_t slot)
{
    return entry->name != 0 && slot_link(entry) == slot;
}

/* Held, buried or moving: what `used` counts. */
static inline bool slot_is_used(const struct cap_slot *entry, uint32_t slot)
{
    return slot_is_held(entry, slot) || slot_link(entry) == LINK_MOVING;
}

static inline void window_set(struct cap_table *table, uint32_t slot, bool is_free)
{
    uint64_t bit = UINT64_C(1) << (slot % 64);

    ASSERT(slot < CAP_TABLE_WINDOW);
    if (is_free) {
        table->window_free[slot / 64] |= bit;
    } else {
        table->window_free[slot / 64] &= ~bit;
    }
}

static inline bool window_is_free(const struct cap_table *table, uint32_t slot)
{
    return (table->window_free[slot / 64] >> (slot % 64) & 1) != 0;
}

/* ---- the free list above the window --------------------------------------------------------- */

/* Puts `slot` behind all others, with `name` but for its link. */
static inline void free_push(struct cap_table *table, uint32_t slot, struct cap_slot *entry,
                             uint64_t name)
{
    entry->name = name_linked(name, LINK_END);
    slot_set_previous(entry, table->free_tail);
    if (table->free_tail == LINK_END) {
        table->free_head = slot;
    } else {
        slot_relink(slot_at(table, table->free_tail), LINK_END, slot);
    }
    table->free_tail = slot;
    table->free_count++;
}

static inline void free_remove(struct cap_table *table, uint32_t slot, const struct cap_slot *entry)
{
    uint32_t next = slot_link(entry);
    uint32_t previous = slot_previous(entry);

    ASSERT(table->free_count > 0);
    if (previous == LINK_END) {
        ASSERT(table->free_head == slot);
        table->free_head = next;
    } else {
        ASSERT(slot_link(slot_at(table, previous)) == slot);
        slot_relink(slot_at(table, previous), slot, next);
    }
    if (next == LINK_END) {
        ASSERT(table->free_tail == slot);
        table->free_tail = previous;
    } else {
        slot_set_previous(slot_at(table, next), previous);
    }
    table->free_count--;
}

/* Takes `entry`, the oldest free slot, off the list. */
static ALWAYS_INLINE void free_pop(struct cap_table *table, const struct cap_slot *entry)
{
    const struct cap_slot *oldest = slot_at(table, table->free_head);
    uint32_t next = slot_link(entry);

    ASSERT_AGAIN(entry == oldest);
    table->free_head = next;
    table->free_count--;
    if (UNLIKELY(next == LINK_END)) {
        ASSERT_AGAIN(table->free_count == 0);
        table->free_tail = LINK_END;
    } else {
        slot_set_previous(slot_at(table, next), LINK_END);
    }
}

/* Takes the slot for the next edge above the window: the oldest free one, else a fresh one, of
 * which the caller knows that there is one. */
static inline uint32_t free_take(struct cap_table *table)
{
    uint32_t slot = table->free_head;

    if (slot == LINK_END) {
        ASSERT(table->fresh < table->paged);
        return table->fresh++;
    }
    free_pop(table, slot_at(table, slot));
    return slot;
}

/* ---- filling and vacating ------------------------------------------------------------------- */

static inline struct provenance *slot_origin(const struct cap_table *table, uint32_t slot)
{
    return &table->cold[slot / CAP_TABLE_PAGE_SLOTS][slot % CAP_TABLE_PAGE_SLOTS];
}

/* The edge in `slot` has a name from now on, of this generation. */
static inline struct cap_id slot_name_in(struct cap_table *table, uint32_t slot,
                                         struct cap_slot *entry, uint64_t generation)
{
    ASSERT_AGAIN(generation != 0);
    entry->name = cap_id_make(slot, generation).raw;
    table->used++;
    return (struct cap_id){entry->name};
}

/* The same, of the slot's next generation, which is 1 when it is fresh. */
static inline struct cap_id slot_name(struct cap_table *table, uint32_t slot,
                                      struct cap_slot *entry)
{
    uint64_t generation = slot_generation(entry);

    ASSERT_AGAIN(entry->edge.object != NULL);
    return slot_name_in(table, slot, entry, generation == 0 ? 1 : generation);
}

/* Writes where the edge in `slot` came from; NULL: the kernel made it. */
static inline void slot_set_origin(struct cap_table *table, uint32_t slot,
                                   const struct provenance *origin)
{
    if (origin != NULL) {
        *slot_origin(table, slot) = *origin;
    } else {
        *slot_origin(table, slot) = (struct provenance){.origin = EDGE_ORIGIN_KERNEL};
    }
}

/* Puts `edge` into `slot`, which is fresh or was taken off its list. */
static inline struct cap_id slot_fill(struct cap_table *table, uint32_t slot,
                                      const struct hold_edge *edge, const struct provenance *origin)
{
    struct cap_slot *entry = slot_at(table, slot);

    ASSERT(entry->edge.object == NULL);
    entry->edge = *edge;
    slot_set_origin(table, slot, origin);
    return slot_name(table, slot, entry);
}

/* `slot`, whose edge had `name`, is empty: the generation goes up first, then it is free; or it is
 * retired. */
static inline void slot_free(struct cap_table *table, uint32_t slot, struct cap_slot *entry,
                             uint64_t name)
{
    uint64_t next = name_behind(name);

    if (UNLIKELY(next == 0)) {
        entry->name = cap_id_make(LINK_RETIRED, CAP_GENERATION_MAX).raw;
        entry->edge = (struct hold_edge){0};
        table->retired++;
        return;
    }
    entry->edge.object = NULL;
    entry->edge.grant = NULL;
    if (UNLIKELY(slot < CAP_TABLE_WINDOW)) {
        entry->name = name_linked(next, LINK_FREE);
        window_set(table, slot, true);
    } else {
        free_push(table, slot, entry, next);
    }
}

/* The edge that had `name`, or has it on the move, has left `slot`, and its object was taken. */
static inline void slot_leave(struct cap_table *table, uint32_t slot, struct cap_slot *entry,
                              uint64_t name)
{
    slot_free(table, slot, entry, name);
    table->used--;
}

/* Takes the edge, held, on the move or buried, out of `slot`. */
static inline void slot_vacate(struct cap_table *table, uint32_t slot, struct cap_slot *entry)
{
    ASSERT_AGAIN(slot_is_used(entry, slot));
    if (UNLIKELY(entry->edge.object == NULL)) {
        ASSERT(table->buried > 0);
        table->buried--;
    }
    slot_leave(table, slot, entry, entry->name);
}

/* The oldest free slot above the window is given out and free again, as if an edge had come and
 * gone; the id that was its name. Somebody has reserved a slot. The id 0: none was used before, or
 * its generations are used up; nothing changed. */
static inline struct cap_id slot_pass(struct cap_table *table)
{
    uint32_t slot = table->free_head;
    struct cap_slot *entry;
    uint64_t generation;
    uint32_t next;

    ASSERT_AGAIN(table->reserved > 0);
    if (UNLIKELY(slot == LINK_END)) {
        return (struct cap_id){0};
    }
    entry = slot_at(table, slot);
    generation = slot_generation(entry);
    if (UNLIKELY(generation == CAP_GENERATION_MAX)) {
        return (struct cap_id){0};
    }
    next = slot_link(entry);
    entry->name = (generation + 1) << CAP_SLOT_BITS | LINK_END;
    if (LIKELY(next != LINK_END)) { /* else it is the last too */
        table->free_head = next;
        slot_set_previous(slot_at(table, next), LINK_END);
        slot_set_previous(entry, table->free_tail);
        slot_relink(slot_at(table, table->free_tail), LINK_END, slot);
        table->free_tail = slot;
    }
    return cap_id_make(slot, generation);
}

/* Whether one more edge has its place above the window without another page. */
static inline bool room_is_there(const struct cap_table *table)
{
    return table->used + table->reserved < table->quota &&
           table->free_count + (table->paged - table->fresh) > table->reserved;
}

/* Makes an edge of that in the slot `from`, whose edge is held and alive, which the holder may pass
 * on as before (hold_edge_copy) or not at all (hold_edge_repeat). There is room for it
 * (room_is_there); else as cap_table_repeat. */
static ALWAYS_INLINE struct cap_id slot_repeat(struct cap_table *table, const struct cap_slot *from,
                                               bool passable, struct provenance **origin)
{
    uint32_t slot = free_take(table);
    struct cap_slot *entry = slot_at(table, slot);

    ASSERT_AGAIN(from->edge.object != NULL);
    if (passable) {
        hold_edge_copy(&from->edge, &entry->edge);
    } else {
        hold_edge_repeat(&from->edge, &entry->edge);
    }
    *origin = slot_origin(table, slot);
    return slot_name(table, slot, entry);
}

#endif
