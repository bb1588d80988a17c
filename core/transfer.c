/* SPDX-License-Identifier: MIT */
/*
 * Transfer.
 *
 * A message carries capabilities as descriptors beside it: copy this one, move that one. Between
 * the submission and the delivery they are a *bundle*. A capability that moves stays in its slot of
 * the sender's table, marked as being on the move, so that its quota, its references and its id are
 * there if the message is taken back; one that is copied travels as an edge of its own, in an item
 * that the sender had reserved with its ring. The receiver's slots were reserved before, so that
 * once a bundle has begun it can only arrive or come back:
 *
 *   descriptors --transfer_begin--> bundle --transfer_commit--> edges of the receiver
 *                   (refused:              --transfer_cancel--> edges of the sender, as before
 *                    nothing changed)
 *
 * What arrives has neither the right to be passed on nor any flag: a descriptor takes a capability
 * one hop and no further. Who may pass it on in the first place says hold_edge_pass.
 *
 * Conservation: no capability comes to be or is lost but by these three. begin makes one edge for
 * each copy and takes none away; commit turns each item into one edge of the receiver and ends the
 * sender's if it moves; cancel ends the copies. One that was revoked on its way ends there, and its
 * references are given to whoever can drop them. A revoke does not wait for that: as it empties the
 * slots of tables it empties the copies beside messages (transfer_bury_next), because a call may
 * wait for as long as its sender likes. The item stays, and arrives as no capability.
 *
 * The checks look at every descriptor before the first edge stops to resolve. A capability may be
 * copied and moved by one message; moved twice, the second refuses all.
 *
 * Invariants (transfer_check, of a bundle under way):
 *  1. The chain of items is `count` long, at most LIMIT_TRANSFERS.
 *  2. A copy has neither mode, right nor flags; if it was buried, no delegation either.
 *  3. What moves is named by one item alone, and at least so many edges of the table are on the
 *     move.
 *  4. An item has an object only while it is a copy on its way: not one that moves, nor one that is
 *     spent. So who searches a sender's items for copies needs to know nothing of its bundles.
 *
 * Locks: the sender's table in begin, cancel and bury, both tables in commit, the caller's. What
 * can fail: begin, and taking items from the pool.
 */
#include "core/transfer.h"

#include "core/assert.h"
#include "core/string.h"

static const struct edge_passing passing_copy = {.facet = CAP_FACET_ALL};
static const struct edge_passing passing_move = {.facet = CAP_FACET_ALL, .leaving = true};

void transfer_pool_init(struct transfer_pool *pool, struct transfer_item *items, uint32_t count)
{
    pool->free = NULL;
    pool->free_count = count;
    for (uint32_t i = count; i-- > 0;) {
        items[i].edge.object = NULL;
        items[i].next = pool->free;
        pool->free = &items[i];
    }
}

enum transport_error transfer_pool_take(struct transfer_pool *pool, uint32_t count,
                                        struct transfer_bundle *bundle)
{
    struct transfer_item *last = NULL;

    ASSERT(count <= LIMIT_TRANSFERS);
    if (count > pool->free_count) {
        return TRANSPORT_LIMIT;
    }
    bundle->count = count;
    bundle->first = count == 0 ? NULL : pool->free;
    for (uint32_t i = 0; i < count; i++) {
        last = pool->free;
        ASSERT(last != NULL);
        pool->free = last->next;
    }
    if (last != NULL) {
        last->next = NULL;
    }
    pool->free_count -= count;
    return TRANSPORT_OK;
}

void transfer_pool_give(struct transfer_pool *pool, struct transfer_bundle *bundle)
{
    while (bundle->first != NULL) {
        struct transfer_item *item = bundle->first;

        ASSERT(bundle->count > 0);
        ASSERT(item->edge.object == NULL);
        bundle->first = item->next;
        bundle->count--;
        item->next = pool->free;
        pool->free = item;
        pool->free_count++;
    }
    ASSERT(bundle->count == 0);
}

void transfer_bundle_make(struct transfer_bundle *bundle, struct transfer_item *items,
                          uint32_t count)
{
    ASSERT(count <= LIMIT_TRANSFERS);
    bundle->first = count == 0 ? NULL : items;
    bundle->count = count;
    for (uint32_t i = 0; i < count; i++) {
        items[i].next = i + 1 < count ? &items[i + 1] : NULL;
    }
}

/* What `from` becomes when it travels: everything but the right to go on. */
static enum transport_error edge_travels(const struct hold_edge *from, bool moves,
                                         struct hold_edge *to)
{
    struct edge_passing passing = moves ? passing_move : passing_copy;

    passing.facet = from->facet;
    return hold_edge_pass(from, &passing, to);
}

/* A path's steps are all before its end. */
static bool path_is_whole(struct answer_path path)
{
    bool ended = false;

    for (unsigned i = 0; i < PATH_STEPS; i++) {
        if (ended && path.step[i] != 0) {
            return false;
        }
        ended = path.step[i] == 0;
    }
    return true;
}

static bool descriptor_is_valid(const struct transfer *descriptor, bool answers)
{
    if (descriptor->mode != TRANSFER_COPY && descriptor->mode != TRANSFER_MOVE) {
        return false;
    }
    if (!answers) {
        return transfer_is_plain(descriptor);
    }
    return descriptor->flags == 0 && descriptor->spare == 0 && path_is_whole(descriptor->path);
}

/* Checks one descriptor and fills its item; nothing of the table changes. */
static enum transport_error item_check(struct cap_table *from,
                                       const struct transfer_request *request, uint32_t index,
                                       struct transfer_item *item)
{
    const struct transfer *descriptor = &request->descriptor[index];
    const struct hold_edge *edge;
    enum transport_error error;

    if (!descriptor_is_valid(descriptor, request->answers)) {
        return TRANSPORT_BAD_FIELD;
    }
    error = cap_table_lookup(from, descriptor->cap, &edge);
    if (error != TRANSPORT_OK) {
        return error;
    }
    item->from = descriptor->cap;
    item->path = descriptor->path;
    item->moves = descriptor->mode == TRANSFER_MOVE;
    return edge_travels(edge, item->moves, &item->edge);
}

/* No item has an object, and what `item_check` noted is no copy. */
static void copies_forget(const struct transfer_bundle *bundle)
{
    for (struct transfer_item *item = bundle->first; item != NULL; item = item->next) {
        item->edge.object = NULL;
    }
}

/* Ends the moves that were begun before `end`. */
static void moves_undo(struct cap_table *from, const struct transfer_bundle *bundle,
                       const struct transfer_item *end)
{
    for (const struct transfer_item *item = bundle->first; item != end; item = item->next) {
        if (item->moves) {
            cap_table_move_cancel(from, item->from);
        }
    }
}

/* Lets what moves stop to resolve: all of it or none. */
static enum transport_error moves_begin(struct cap_table *from,
                                        const struct transfer_bundle *bundle, uint32_t *refused)
{
    uint32_t index = 0;

    for (struct transfer_item *item = bundle->first; item != NULL; item = item->next, index++) {
        struct hold_edge moving;
        enum transport_error error = TRANSPORT_OK;

        if (item->moves) {
            item->edge.object = NULL;
            error = cap_table_move_begin(from, item->from, &moving);
        }
        if (error != TRANSPORT_OK) {
            moves_undo(from, bundle, item);
            *refused = index;
            return error;
        }
    }
    return TRANSPORT_OK;
}

enum transport_error transfer_begin(struct cap_table *from, const struct transfer_request *request,
                                    struct transfer_bundle *bundle, uint32_t *refused)
{
    enum transport_error error = TRANSPORT_OK;
    uint32_t index = 0;

    for (struct transfer_item *item = bundle->first; error == TRANSPORT_OK && item != NULL;
         item = item->next, index++) {
        error = item_check(from, request, index, item);
        *refused = index;
    }
    if (error == TRANSPORT_OK) {
        ASSERT(index == bundle->count);
        error = moves_begin(from, bundle, refused);
    }
    if (error != TRANSPORT_OK) {
        copies_forget(bundle);
    }
    return error;
}

static void drop_add(struct transfer_drops *drops, const struct hold_edge *edge)
{
    ASSERT(drops->count < LIMIT_TRANSFERS);
    drops->edge[drops->count] = *edge;
    drops->count++;
}

/* Takes what an item carries, with its references. False: it was revoked; if it was not buried,
 * they are in `drops`. */
static bool item_arrives(struct cap_table *from, struct transfer_item *item, struct hold_edge *edge,
                         struct transfer_drops *drops)
{
    struct hold_edge left;

    *edge = item->edge;
    item->edge.object = NULL;
    if (item->moves) {
        enum transport_error error;

        cap_table_move_commit(from, item->from, &left);
        if (left.object == NULL) {
            return false;
        }
        error = edge_travels(&left, true, edge);
        ASSERT(error == TRANSPORT_OK);
    } else if (edge->object == NULL) {
        return false;
    }
    if (!hold_edge_is_alive(edge)) {
        drop_add(drops, edge);
        return false;
    }
    return true;
}

uint32_t transfer_commit(const struct transfer_ends *ends, const struct transfer_bundle *bundle,
                         const struct provenance *origin, struct received_cap *records,
                         struct transfer_drops *drops)
{
    struct provenance each = *origin;
    uint32_t index = 0;
    uint32_t filled = 0;

    ASSERT(transfer_drops_fit(drops, bundle));
    for (struct transfer_item *item = bundle->first; item != NULL; item = item->next, index++) {
        struct received_cap *record = &records[index];
        struct hold_edge edge;

        memset(record, 0, sizeof(*record));
        if (!item_arrives(ends->from, item, &edge, drops)) {
            continue;
        }
        each.from_cap = item->from;
        record->cap = cap_table_insert_reserved(ends->to, &edge, &each);
        record->interface_id = edge.interface_id;
        record->facet = edge.facet;
        record->badge = edge.badge;
        filled++;
    }
    ASSERT(index == bundle->count);
    return filled;
}

void transfer_cancel(struct cap_table *from, const struct transfer_bundle *bundle,
                     struct transfer_drops *drops)
{
    ASSERT(transfer_drops_fit(drops, bundle));
    for (struct transfer_item *item = bundle->first; item != NULL; item = item->next) {
        if (item->moves) {
            cap_table_move_cancel(from, item->from);
        } else if (item->edge.object != NULL) {
            drop_add(drops, &item->edge);
            item->edge.object = NULL;
        }
    }
}

bool transfer_bury_next(struct transfer_search *search, const struct grant_node *above,
                        struct hold_edge *edge)
{
    while (search->count > 0) {
        struct transfer_item *item = search->item;

        search->item++;
        search->count--;
        if (item->edge.object != NULL && grant_is_below(item->edge.grant, above)) {
            ASSERT(!item->moves);
            *edge = item->edge;
            item->edge.object = NULL;
            item->edge.grant = NULL;
            return true;
        }
    }
    return false;
}

/* Whether an item behind `item` moves the same capability. */
static bool moved_again(const struct transfer_item *item)
{
    for (const struct transfer_item *other = item->next; other != NULL; other = other->next) {
        if (other->moves && cap_id_equal(other->from, item->from)) {
            return true;
        }
    }
    return false;
}

unsigned transfer_check(const struct cap_table *from, const struct transfer_bundle *bundle)
{
    const struct transfer_item *item = bundle->first;
    uint32_t moving = 0;

    for (uint32_t i = 0; i < bundle->count; i++) {
        if (item == NULL || i == LIMIT_TRANSFERS) {
            return 1;
        }
        item = item->next;
    }
    if (item != NULL) {
        return 1;
    }
    for (item = bundle->first; item != NULL; item = item->next) {
        const struct hold_edge *edge = &item->edge;

        if (!item->moves && (edge->mode != EDGE_MODE_NONE || edge->grantable != 0 ||
                             edge->flags != 0 || (edge->object == NULL && edge->grant != NULL))) {
            return 2;
        }
        if (item->moves && edge->object != NULL) {
            return 4;
        }
        if (item->moves && moved_again(item)) {
            return 3;
        }
        moving += item->moves;
    }
    return moving <= from->moving ? 0 : 3;
}
