/* SPDX-License-Identifier: MIT */
/*
 * The capability table of one process: hold edges by slot, found by CapId in constant time. Pure:
 * no lock (the process's lock is the caller's), pages come from the allocator that is passed in.
 * Theory in cap_table.c.
 */
#ifndef CORE_CAP_TABLE_H
#define CORE_CAP_TABLE_H

#include "abi/capid.h"
#include "abi/errors.h"
#include "abi/limits.h"
#include "core/hold_edge.h"
#include "core/provenance.h"

enum {
    CAP_TABLE_PAGE_SLOTS = LIMIT_PAGE_BYTES / 64, /* a slot is one cache line */
    CAP_TABLE_PAGES = (LIMIT_TABLE_SLOTS + CAP_TABLE_PAGE_SLOTS - 1) / CAP_TABLE_PAGE_SLOTS,
    CAP_TABLE_WINDOW = LIMIT_DESCRIPTORS, /* slots below are descriptors, lowest free first */
};

struct cap_slot {
    struct hold_edge edge; /* object NULL: none; while the slot is free, interface_id is the
                            * neighbour before it on the list of free slots */
    uint64_t name; /* held: the edge's CapId, so that one compare is the whole check of an id; else
                    * generation of the next edge, and how the slot is used (cap_table.c) */
};

/* Two frames' worth: CAP_TABLE_PAGE_SLOTS slots, and their provenance. Each zeroed, NULL: no
 * memory. */
struct cap_table_memory {
    void *(*page_alloc)(void *context);
    void (*page_free)(void *context, void *page);
    void *context;
};

struct cap_table {
    struct cap_slot *page[CAP_TABLE_PAGES];
    struct provenance *cold[CAP_TABLE_PAGES];
    struct cap_table_memory memory;
    uint64_t window_free[(CAP_TABLE_WINDOW + 63) / 64]; /* bit s: slot s holds nothing */
    uint32_t quota;                                     /* edges and reservations at most */
    uint32_t used;      /* slots that hold, held and wait for release, or move */
    uint32_t moving;    /* of these: being moved */
    uint32_t buried;    /* of these: revoked and emptied, waiting for release */
    uint32_t reserved;  /* promised to cap_table_insert_reserved */
    uint32_t retired;   /* slots whose generations are used up */
    uint32_t fresh;     /* first slot above the window that was never used */
    uint32_t paged;     /* slots from `fresh` to here lie in pages that are there */
    uint32_t free_head; /* oldest free slot above the window */
    uint32_t free_tail;
    uint32_t free_count;
};

/* ---- the table ------------------------------------------------------------------------------ */

/* An empty table of at most `quota` edges (at most LIMIT_TABLE_SLOTS). */
void cap_table_init(struct cap_table *table, uint32_t quota, struct cap_table_memory memory);

/* A new quota. LIMIT: more are used or reserved; nothing changed. */
MUST_USE enum transport_error cap_table_set_quota(struct cap_table *table, uint32_t quota);

/* Sets aside room above the window for `count` edges, pages included. LIMIT (quota, or no slot is
 * left), NO_MEMORY; nothing is reserved then. */
MUST_USE enum transport_error cap_table_reserve(struct cap_table *table, uint32_t count);

/* Gives back a reservation. */
void cap_table_unreserve(struct cap_table *table, uint32_t count);

/* Puts an edge into a reserved slot; cannot fail. `origin` is copied; NULL: the kernel made it. */
struct cap_id cap_table_insert_reserved(struct cap_table *table, const struct hold_edge *edge,
                                        const struct provenance *origin);

/*
 * The same, into a slot that nobody reserved if one is there that needs no other page: then
 * *reserved, of which there is at least 1, stays as it is, so that who reserved it need not do so
 * again; else it is one less.
 */
struct cap_id cap_table_insert_over(struct cap_table *table, const struct hold_edge *edge,
                                    const struct provenance *origin, uint32_t *reserved);

/* Reserve and insert in one. */
MUST_USE enum transport_error cap_table_insert(struct cap_table *table,
                                               const struct hold_edge *edge,
                                               const struct provenance *origin, struct cap_id *id);

/*
 * The edge that hold_edge_repeat makes of `from`, a slot whose edge is held and alive, put where
 * cap_table_insert puts one; its references are the caller's to take. *origin is where its
 * provenance is to be written. The id 0: no room that is there already, and nothing changed.
 */
MUST_USE struct cap_id cap_table_repeat(struct cap_table *table, const struct cap_slot *from,
                                        struct provenance **origin);

/* Into the lowest free slot of the window, quota permitting; the edge there is not grantable,
 * whatever `edge` is. LIMIT, NO_MEMORY. */
MUST_USE enum transport_error cap_table_insert_window(struct cap_table *table,
                                                      const struct hold_edge *edge,
                                                      const struct provenance *origin,
                                                      struct cap_id *id);

/*
 * Into slot `slot`: a free one of the window (as cap_table_insert_window), or a free one above it
 * that was used before.
 * SLOT_IN_USE: held, retired or beyond the slots used so far; LIMIT, NO_MEMORY.
 */
MUST_USE enum transport_error cap_table_insert_at(struct cap_table *table, uint32_t slot,
                                                  const struct hold_edge *edge,
                                                  const struct provenance *origin,
                                                  struct cap_id *id);

/* The slot whose number is in `id`, whatever is in it; NULL: it has no memory. */
static inline struct cap_slot *cap_table_slot(const struct cap_table *table, struct cap_id id)
{
    uint32_t slot = cap_id_slot(id);
    struct cap_slot *page;

    if (UNLIKELY(slot >= LIMIT_TABLE_SLOTS)) {
        return NULL;
    }
    page = table->page[slot / CAP_TABLE_PAGE_SLOTS];
    return LIKELY(page != NULL) ? page + slot % CAP_TABLE_PAGE_SLOTS : NULL;
}

/* The slot that `id` names, its edge held or buried; NULL: cap_table_id_error tells why. */
static inline struct cap_slot *cap_table_resolve(const struct cap_table *table, struct cap_id id)
{
    struct cap_slot *slot = cap_table_slot(table, id);

    return LIKELY(slot != NULL && slot->name == id.raw && id.raw >> CAP_SLOT_BITS != 0) ? slot
                                                                                        : NULL;
}

/* Whether `slot` (cap_table_slot's) holds the edge `id` and that was never delegated: what
 * cap_table_lookup finds mostly, with less to look at. A slot that has an object and the name of
 * `id` was used, so that the generation is none of 0. */
static inline bool cap_slot_is_plain(const struct cap_slot *slot, struct cap_id id)
{
    return LIKELY(slot != NULL && slot->name == id.raw && slot->edge.object != NULL &&
                  slot->edge.grant == NULL);
}

/* Whether the edge `id` has left `slot` for sure: an edge with a later generation is there, or was,
 * or will be. cap_table_id_error would say STALE_CAP. */
static inline bool cap_slot_is_past(const struct cap_slot *slot, struct cap_id id)
{
    return LIKELY(slot != NULL && cap_id_generation(id) != 0 &&
                  (id.raw | CAP_SLOT_MAX) < slot->name);
}

/* The id of an edge that cap_table_lookup found in its table. */
static inline struct cap_id cap_table_name(const struct hold_edge *edge)
{
    return (struct cap_id){((const struct cap_slot *)(const void *)edge)->name};
}

/* Why an id resolves to nothing: BAD_CAP or STALE_CAP. */
COLD enum transport_error cap_table_id_error(const struct cap_table *table, struct cap_id id);

/*
 * The edge that `id` names; valid until the table changes. BAD_CAP: no such slot was ever used or
 * the id is malformed; STALE_CAP: the slot has moved on, or its edge is being moved; REVOKED: a
 * delegation that it came through was revoked.
 */
MUST_USE static inline enum transport_error
cap_table_lookup(struct cap_table *table, struct cap_id id, const struct hold_edge **edge)
{
    struct cap_slot *entry = cap_table_resolve(table, id);

    *edge = NULL;
    if (UNLIKELY(entry == NULL)) {
        return cap_table_id_error(table, id);
    }
    if (UNLIKELY(entry->edge.object == NULL || !hold_edge_is_alive(&entry->edge))) {
        return TRANSPORT_REVOKED;
    }
    *edge = &entry->edge;
    return TRANSPORT_OK;
}

/* The id of the edge in `slot`, if it has this interface. BAD_CAP (nothing is there), REVOKED,
 * WRONG_INTERFACE. */
MUST_USE enum transport_error cap_table_token(struct cap_table *table, uint32_t slot,
                                              uint64_t interface_id, struct cap_id *id);

/* Takes the edge out; its references are the caller's. A revoked edge comes out as well; object
 * NULL: it was buried, there is nothing to drop. BAD_CAP, STALE_CAP. */
MUST_USE enum transport_error cap_table_remove(struct cap_table *table, struct cap_id id,
                                               struct hold_edge *edge);

/* cap_table_remove of an edge that cap_table_resolve found and that is not buried: `entry` is its
 * slot. Its references are the caller's, who has read what it needs of it. */
void cap_table_vacate(struct cap_table *table, struct cap_slot *entry);

/*
 * Moving. begin: the id stops to resolve; *edge is a copy to check by, slot and references stay the
 * table's. Then commit: the slot is free and *edge with its references is the caller's (object
 * NULL: it was revoked and buried meanwhile); or cancel: everything is as before, with the same id.
 * Errors of begin as lookup.
 */
MUST_USE enum transport_error cap_table_move_begin(struct cap_table *table, struct cap_id id,
                                                   struct hold_edge *edge);
void cap_table_move_commit(struct cap_table *table, struct cap_id id, struct hold_edge *edge);
void cap_table_move_cancel(struct cap_table *table, struct cap_id id);

/* Sets the flags of an edge (EDGE_*). Errors as lookup. */
MUST_USE enum transport_error cap_table_set_flags(struct cap_table *table, struct cap_id id,
                                                  uint8_t flags);

struct cap_entry {
    struct cap_id id;
    struct hold_edge edge; /* object NULL: revoked and buried */
    struct provenance origin;
    bool revoked;
};

/* The next slot with an edge, on the move or not, at or after *cursor; false: there is none. An
 * edge that stays is seen once, whatever else changes between two calls; slots are looked at
 * `steps` at a time at most, then *found is false with true returned. */
MUST_USE bool cap_table_next(struct cap_table *table, uint32_t *cursor, uint32_t steps,
                             struct cap_entry *entry, bool *found);

/*
 * The next edge at or after *cursor of which `above` or a node below it is the grant, emptied: its
 * references are the caller's, its slot answers REVOKED until its holder releases it. Edges on the
 * move are found too. Steps and *found as cap_table_next.
 */
MUST_USE bool cap_table_bury_next(struct cap_table *table, uint32_t *cursor, uint32_t steps,
                                  const struct grant_node *above, struct hold_edge *edge,
                                  bool *found);

/* How many held edges have this interface. */
uint32_t cap_table_count(const struct cap_table *table, uint64_t interface_id);

/* Where the edge (alive or revoked) came from; NULL: the id names none. Valid until it changes. */
const struct provenance *cap_table_origin(const struct cap_table *table, struct cap_id id);

/* Takes out any edge; false: the table is empty. For teardown: nothing moves. `cursor` from 0. */
MUST_USE bool cap_table_remove_next(struct cap_table *table, uint32_t *cursor,
                                    struct hold_edge *edge);

/* Gives every page back; the table holds no edge, and is as new. */
void cap_table_free(struct cap_table *table);

/* 0, or the number of the first broken invariant of cap_table.c. */
MUST_USE unsigned cap_table_check(const struct cap_table *table);

#endif
