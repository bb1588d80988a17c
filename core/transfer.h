/* SPDX-License-Identifier: MIT */
/*
 * Capabilities that travel beside a message, out of one table and into another. Pure; the locks of
 * both tables and of the pool are the caller's. Theory in transfer.c.
 */
#ifndef CORE_TRANSFER_H
#define CORE_TRANSFER_H

#include "abi/ring.h"
#include "core/cap_table.h"

/* One capability on its way. */
struct transfer_item {
    struct transfer_item *next; /* of its bundle, or of the pool's free ones; NULL: the last */
    struct hold_edge edge;      /* a copy: what arrives, with references of its own; object NULL:
                                   it moves, was buried, or is not on its way */
    struct cap_id from;         /* in the sender's table */
    struct answer_path path;    /* where the message points at it; RETURN only */
    bool moves;                 /* the edge is still in the sender's table, on the move */
};

/* The capabilities of one message. Zeroed: none. */
struct transfer_bundle {
    struct transfer_item *first;
    uint32_t count;
};

/* Items that a sender has for its messages that wait. */
struct transfer_pool {
    struct transfer_item *free;
    uint32_t free_count;
};

/* Edges that arrived nowhere: their references are the caller's to drop, with no lock held. */
struct transfer_drops {
    uint32_t count;
    struct hold_edge edge[LIMIT_TRANSFERS];
};

void transfer_pool_init(struct transfer_pool *pool, struct transfer_item *items, uint32_t count);

/* Takes `count` items for one message. LIMIT: fewer are free, nothing changed. */
MUST_USE enum transport_error transfer_pool_take(struct transfer_pool *pool, uint32_t count,
                                                 struct transfer_bundle *bundle);

/* Gives the items back; the bundle holds nothing any more. */
void transfer_pool_give(struct transfer_pool *pool, struct transfer_bundle *bundle);

/* A bundle of items that are the caller's own: of a message that does not wait. */
void transfer_bundle_make(struct transfer_bundle *bundle, struct transfer_item *items,
                          uint32_t count);

/* What a sender's descriptors say. */
struct transfer_request {
    const struct transfer *descriptor; /* private copies, one for each item of the bundle */
    bool answers;                      /* they are a RETURN's: a path is allowed */
};

/*
 * Check and begin: each descriptor is checked against the sender's table, and when all are good the
 * bundle is what travels. A copy has been noted but not referenced: the caller takes the references
 * of each item that does not move (edge_ref) before it lets go of the lock. An edge that moves
 * stops to resolve. Else nothing changed and *refused is the descriptor's index. In this order:
 * BAD_FIELD (mode, flags, path, spare), BAD_CAP, STALE_CAP (also: moved twice), REVOKED,
 * NOT_GRANTABLE.
 */
MUST_USE enum transport_error transfer_begin(struct cap_table *from,
                                             const struct transfer_request *request,
                                             struct transfer_bundle *bundle, uint32_t *refused);

/*
 * Commit: every capability of the bundle goes into slots that were reserved in `to`, with an origin
 * like *origin from the sender's id of it, and record[i] says what arrived as number i. One that
 * was revoked on its way arrives as no capability: record[i].cap is 0, its slot stays reserved, and
 * what it still holds goes to `drops` (which has room). Returns how many slots were filled. The
 * items are spent. `from` and `to` may be one table.
 */
struct transfer_ends {
    struct cap_table *from;
    struct cap_table *to;
};
uint32_t transfer_commit(const struct transfer_ends *ends, const struct transfer_bundle *bundle,
                         const struct provenance *origin, struct received_cap *records,
                         struct transfer_drops *drops);

/* Cancel: what moved is back under the id it had, what was copied and not buried goes to `drops`.
 * The items are spent. */
void transfer_cancel(struct cap_table *from, const struct transfer_bundle *bundle,
                     struct transfer_drops *drops);

/* Whether `drops` has room for what `bundle` may leave. */
MUST_USE static inline bool transfer_drops_fit(const struct transfer_drops *drops,
                                               const struct transfer_bundle *bundle)
{
    return bundle->count <= LIMIT_TRANSFERS - drops->count;
}

/* Items of a sender that a revoke has not looked at yet. */
struct transfer_search {
    struct transfer_item *item; /* the next of an array */
    uint32_t count;             /* so many are left */
};

/*
 * For a revoke: goes on to the next copy on its way that came through `above`, whatever message it
 * is of, and empties it: *edge is what was there, its references are the caller's to drop. It will
 * arrive as no capability. False: none of those left was one. Up to search->count walks.
 */
MUST_USE bool transfer_bury_next(struct transfer_search *search, const struct grant_node *above,
                                 struct hold_edge *edge);

/* 0, or the number of the first broken invariant of transfer.c, of a bundle under way. */
MUST_USE unsigned transfer_check(const struct cap_table *from,
                                 const struct transfer_bundle *bundle);

#endif
