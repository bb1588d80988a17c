/* SPDX-License-Identifier: MIT */
/*
 * The capability table of one process: hold edges by slot, found by CapId in constant time. Pure:
 * no lock (the process's lock is the caller's), pages come from the allocator that is passed in.
 */
#ifndef CORE_CAP_TABLE_H
#define CORE_CAP_TABLE_H

#include "abi/capid.h"
#include "abi/errors.h"
#include "abi/limits.h"

#define CAP_FACET_ALL UINT64_MAX /* every method, those added later too */

enum {
    CAP_TABLE_PAGE_SLOTS = 64,
    CAP_TABLE_PAGES = LIMIT_TABLE_SLOTS / CAP_TABLE_PAGE_SLOTS,
    CAP_TABLE_WINDOW = 256, /* slots 0..255 are descriptors; ordinary inserts lie above */
};

/* What a slot holds. The table owns one reference of `object` for each edge; whoever removes the
 * edge takes that reference over. */
struct hold_edge {
    void *object;
    uint64_t interface_id;
    uint64_t facet; /* bit m: method m may be called; CAP_FACET_ALL */
    uint64_t badge;
    uint32_t grantable; /* 1: may be transferred by copy, with the same right */
};

struct cap_slot {
    struct hold_edge edge; /* edge.object NULL: the slot is free, reserved or retired */
    uint64_t generation;   /* of the edge here, or of the next one */
    uint32_t next_free;    /* slot after this one on the free list */
    uint32_t spare;
};

/* Pages of CAP_TABLE_PAGE_SLOTS slots, zeroed. NULL: no memory. */
struct cap_table_memory {
    struct cap_slot *(*page_alloc)(void *context);
    void (*page_free)(void *context, struct cap_slot *page);
    void *context;
};

struct cap_table {
    struct cap_slot *page[CAP_TABLE_PAGES];
    struct cap_table_memory memory;
    uint32_t quota;     /* edges and reservations at most */
    uint32_t used;      /* edges */
    uint32_t reserved;  /* promised to cap_table_insert_reserved */
    uint32_t retired;   /* slots whose generations are used up */
    uint32_t fresh;     /* first slot that was never used */
    uint32_t free_head; /* oldest free slot; CAP_SLOT_MAX: none */
    uint32_t free_tail;
    uint32_t free_count;
};

/* An empty table of at most `quota` edges (at most LIMIT_TABLE_SLOTS - CAP_TABLE_WINDOW). */
void cap_table_init(struct cap_table *table, uint32_t quota, struct cap_table_memory memory);

/* Sets aside room for `count` edges, pages included. TRANSPORT_LIMIT (quota), TRANSPORT_NO_MEMORY;
 * nothing is reserved then. */
MUST_USE enum transport_error cap_table_reserve(struct cap_table *table, uint32_t count);

/* Gives back a reservation. */
void cap_table_unreserve(struct cap_table *table, uint32_t count);

/* Puts an edge into a reserved slot; cannot fail. */
struct cap_id cap_table_insert_reserved(struct cap_table *table, const struct hold_edge *edge);

/* Reserve and insert in one. */
MUST_USE enum transport_error cap_table_insert(struct cap_table *table,
                                               const struct hold_edge *edge, struct cap_id *id);

/*
 * The edge that `id` names; valid until the table changes. BAD_CAP: no such slot was ever used or
 * the id is malformed; STALE_CAP: the slot has moved on.
 */
MUST_USE enum transport_error cap_table_lookup(const struct cap_table *table, struct cap_id id,
                                               const struct hold_edge **edge);

/* Whether `edge` may be called as `interface_id`, method `method`. WRONG_INTERFACE, NO_METHOD. */
MUST_USE enum transport_error hold_edge_permits(const struct hold_edge *edge, uint64_t interface_id,
                                                uint16_t method);

/* Takes the edge out; its reference is the caller's. Errors as lookup. */
MUST_USE enum transport_error cap_table_remove(struct cap_table *table, struct cap_id id,
                                               struct hold_edge *edge);

/* Takes out any edge; false: the table is empty. For teardown. `cursor` starts at 0. */
MUST_USE bool cap_table_remove_next(struct cap_table *table, uint32_t *cursor,
                                    struct hold_edge *edge);

/* Gives every page back; the table holds no edge. */
void cap_table_free(struct cap_table *table);

/* 0, or the number of the first broken invariant of cap_table.c. */
MUST_USE unsigned cap_table_check(const struct cap_table *table);

#endif
