/* SPDX-License-Identifier: MIT */
/*
 * Transfers: all or nothing, and each capability exactly once.
 *
 * From any sender's table that the invariants allow and any descriptors, transfer_begin either
 * refuses with the reason and the index that its page says, and nothing has changed; or what was
 * named, and nothing else, is a bundle under way (bundle_holds). From any bundle under way,
 * whatever was revoked or buried since, and any receiver's table with so many slots reserved,
 * transfer_commit ends the id of each edge that moves, for ever, makes one edge of the receiver of
 * each that is alive and drops each that is not, and changes no other id of either table. If both
 * are one table, that is proved of the step for one item, with another still under way.
 * transfer_cancel gives every id that moved back its edge, changes no other, and every copy is
 * dropped once. transfer_bury_next takes the first copy below the delegation and nothing else,
 * whether its message waits or not. Counts and invariants hold. Items of a pool are taken all or
 * none, are in one chain only, and come back.
 *
 * bound: tables of 4 slots, 1 of them the window; bundles of up to 2; pools of 3; one delegation
 * cbmc: core/cap_table.c core/hold_edge.c core/transfer.c core/grant.c
 * options: -I verify/shim -I verify/small --unwind 6
 * prove: prove_pool prove_begin prove_commit prove_commit_within prove_cancel prove_bury
 * quick: prove_pool prove_bury
 * twin: prove_pool | core/transfer.c
 *     | pool->free_count -= count;
 *     | ;
 * twin: prove_pool | core/transfer.c
 *     | last->next = NULL;
 *     | ;
 * twin: prove_begin | core/transfer.c
 *     | moves_undo(from, bundle, item);
 *     | ;
 * twin: prove_begin | core/transfer.c
 *     | descriptor->spare == 0 && path_is_whole(descriptor->path);
 *     | descriptor->spare == 0;
 * twin: prove_commit | core/transfer.c
 *     | if (!hold_edge_is_alive(edge)) {
 *     | if (false) {
 * twin: prove_commit | core/transfer.c
 *     | error = edge_travels(&left, true, edge);
 *     | error = edge_travels(&left, true, &left);
 * twin: prove_commit_within | core/cap_slot.h
 *     | uint64_t next = name_behind(name);
 *     | uint64_t next = name & ~(uint64_t)CAP_SLOT_MAX;
 * twin: prove_commit_within | core/transfer.c
 *     | record->cap = cap_table_insert_reserved(ends->to, &edge, &each);
 *     | record->cap = item->from;
 * twin: prove_begin | core/transfer.c
 *     | copies_forget(bundle);
 *     | ;
 * twin: prove_cancel | core/transfer.c
 *     | drop_add(drops, &item->edge);
 *     | ;
 * twin: prove_bury | core/transfer.c
 *     | grant_is_below(item->edge.grant, above)
 *     | true
 * twin: prove_bury | core/transfer.c
 *     | item->edge.grant = NULL;
 *     | ;
 * twin: prove_cancel | core/cap_table.c
 *     | slot_moving(table, id)->name = id.raw;
 *     | slot_moving(table, id)->name = id.raw + (UINT64_C(1) << CAP_SLOT_BITS);
 */
#include "abi/compiler.h"

static void *any_zero(void *to, int value, size_t length);
#define memset any_zero
#include "core/cap_table.c"

#include "core/transfer.c"
#undef memset
#include "verify/any_table.h"

enum { POOL_ITEMS = 3 };

void prove_pool(void);
void prove_begin(void);
void prove_commit(void);
void prove_commit_within(void);
void prove_cancel(void);
void prove_bury(void);

static struct cap_table sender;
static struct cap_table receiver;
PAGES(sender);
PAGES(receiver);
static unsigned pages_given;

/* Each an object of its own, as the pages. */
static struct transfer_item item_0, item_1;
static struct transfer_item *const items[LIMIT_TRANSFERS] = {&item_0, &item_1};
static struct transfer_bundle bundle;
static struct transfer_drops drops;

/* One id of a table, and the table's counts, before the operation. */
struct watched {
    struct cap_id id;
    enum id_state state;
    struct hold_edge edge;
    uint32_t quota, used, moving, buried, reserved, retired, fresh, paged;
};

static void *any_zero(void *to, int value, size_t length)
{
    if (length == sizeof(struct received_cap)) {
        __CPROVER_assert(value == 0, "zeroes");
        *(struct received_cap *)to = (struct received_cap){0};
        return to;
    }
    return edge_or_table_zero(to, value, length);
}

static struct watched watch(const struct cap_table *table)
{
    struct cap_id id = {nondet_u64()};

    return (struct watched){.id = id,
                            .state = id_state(table, id),
                            .edge = edge_in(table, cap_id_slot(id)),
                            .quota = table->quota,
                            .used = table->used,
                            .moving = table->moving,
                            .buried = table->buried,
                            .reserved = table->reserved,
                            .retired = table->retired,
                            .fresh = table->fresh,
                            .paged = table->paged};
}

/* The table holds again, and the id watched is in state `wanted`, with the edge that it had. */
static void state_assert(const struct cap_table *table, const struct watched *before,
                         enum id_state wanted)
{
    struct hold_edge edge = edge_in(table, cap_id_slot(before->id));

    __CPROVER_assert(table_holds(table), "the invariants hold");
    __CPROVER_assert(id_state(table, before->id) == wanted, "an id changes only when asked to");
    __CPROVER_assert(table->quota == before->quota && table->paged == before->paged,
                     "quota and memory");
    if (before->state != ID_NEVER && wanted != ID_STALE) {
        __CPROVER_assert(edges_equal(&edge, &before->edge), "the edge it was made for");
    }
}

/* No slot was taken or left. */
static void slots_assert(const struct cap_table *table, const struct watched *before)
{
    __CPROVER_assert(table->used == before->used && table->buried == before->buried &&
                         table->reserved == before->reserved && table->retired == before->retired &&
                         table->fresh == before->fresh,
                     "the counts");
}

static bool may_pass(const struct hold_edge *edge, bool leaving)
{
    return edge->mode == 1 || (edge->mode == 2 && leaving);
}

/* What holds of an item under way. */
static bool item_holds(const struct transfer_item *item)
{
    struct hold_edge edge = edge_in(&sender, cap_id_slot(item->from));

    if (item->moves) {
        return id_state(&sender, item->from) == ID_MOVING &&
               (edge.object == NULL || may_pass(&edge, true)) && item->edge.object == NULL;
    }
    return item->edge.mode == 0 && item->edge.grantable == 0 && item->edge.flags == 0 &&
           edge_is_sound(&item->edge) && (item->edge.object != NULL || item->edge.grant == NULL);
}

/* What holds of the items while a bundle is under way. */
static bool bundle_holds(void)
{
    for (uint32_t i = 0; i < bundle.count; i++) {
        if (!item_holds(items[i])) {
            return false;
        }
    }
    return bundle.count < 2 || !items[0]->moves || !items[1]->moves ||
           items[0]->from.raw != items[1]->from.raw;
}

static bool is_moved(struct cap_id id)
{
    return (bundle.count > 0 && items[0]->moves && items[0]->from.raw == id.raw) ||
           (bundle.count > 1 && items[1]->moves && items[1]->from.raw == id.raw);
}

static uint32_t moves_count(void)
{
    return (bundle.count > 0 && items[0]->moves) + (bundle.count > 1 && items[1]->moves);
}

static void any_sender(void)
{
    uint32_t count = nondet_u32();

    any_grants();
    any_table(&sender, (struct table_pages){sender_slots, sender_colds}, &pages_given);
    __CPROVER_assume(count <= LIMIT_TRANSFERS);
    bundle = (struct transfer_bundle){count == 0 ? NULL : &item_0, count};
    item_0.next = count == 2 ? &item_1 : NULL;
    item_1.next = NULL;
}

static void any_bundle(void)
{
    any_sender();
    for (uint32_t i = 0; i < LIMIT_TRANSFERS; i++) {
        items[i]->edge = any_edge();
        items[i]->from.raw = nondet_u64();
        items[i]->moves = nondet_bool();
    }
    __CPROVER_assume(bundle_holds());
}

/* ---- proofs ---------------------------------------------------------------------------------- */

/* Items are taken all or none, and come back. */
void prove_pool(void)
{
    static struct transfer_item own_0, own_1, own_2;
    struct transfer_pool pool;
    uint32_t has = nondet_u32();
    uint32_t count = nondet_u32();
    struct transfer_item *first;
    uint32_t length = 0;

    __CPROVER_assume(has <= POOL_ITEMS && count <= LIMIT_TRANSFERS);
    own_0.next = has > 1 ? &own_1 : NULL;
    own_1.next = has > 2 ? &own_2 : NULL;
    pool = (struct transfer_pool){has == 0 ? NULL : &own_0, has};
    first = pool.free;
    if (transfer_pool_take(&pool, count, &bundle) != TRANSPORT_OK) {
        __CPROVER_assert(count > has, "refused only when fewer are free");
        __CPROVER_assert(pool.free == first && pool.free_count == has, "nothing changed");
        return;
    }
    __CPROVER_assert(count <= has && pool.free_count == has - count, "so many are gone");
    __CPROVER_assert(bundle.count == count, "so many are taken");
    for (struct transfer_item *item = bundle.first; item != NULL; item = item->next) {
        length++;
    }
    __CPROVER_assert(length == count, "the bundle's chain");
    for (struct transfer_item *item = pool.free; item != NULL; item = item->next) {
        __CPROVER_assert(item != bundle.first, "free, or the bundle's");
        length++;
    }
    __CPROVER_assert(length == has, "the pool's chain");
    transfer_pool_give(&pool, &bundle);
    __CPROVER_assert(bundle.first == NULL && bundle.count == 0, "the bundle is spent");
    length = 0;
    for (struct transfer_item *item = pool.free; item != NULL; item = item->next) {
        length++;
    }
    __CPROVER_assert(length == has && pool.free_count == has, "all are back");
}

/* What descriptor `index` is refused for by itself, by the page of the opcodes. */
static enum transport_error refusal_of(const struct transfer *descriptor, bool answers)
{
    const uint8_t *step = descriptor->path.step;
    struct hold_edge edge = edge_in(&sender, cap_id_slot(descriptor->cap));
    bool path_is_good = answers
                            ? (step[0] != 0 || step[1] == 0) && (step[1] != 0 || step[2] == 0) &&
                                  (step[2] != 0 || step[3] == 0)
                            : (step[0] == 0 && step[1] == 0 && step[2] == 0 && step[3] == 0);

    if ((descriptor->mode != TRANSFER_COPY && descriptor->mode != TRANSFER_MOVE) ||
        descriptor->flags != 0 || descriptor->spare != 0 || !path_is_good) {
        return TRANSPORT_BAD_FIELD;
    }
    switch (id_state(&sender, descriptor->cap)) {
    case ID_NEVER:
        return TRANSPORT_BAD_CAP;
    case ID_STALE:
    case ID_MOVING:
        return TRANSPORT_STALE_CAP;
    case ID_HELD:
        break;
    }
    if (edge_is_revoked(&edge)) {
        return TRANSPORT_REVOKED;
    }
    return may_pass(&edge, descriptor->mode == TRANSFER_MOVE) ? TRANSPORT_OK
                                                              : TRANSPORT_NOT_GRANTABLE;
}

/* What a receiver gets of an edge: neither the right to pass it on nor flags. */
static struct hold_edge passed(struct hold_edge edge)
{
    edge.mode = 0;
    edge.grantable = 0;
    edge.flags = 0;
    return edge;
}

/* Nothing of the bundle is a copy on its way any more. */
static void spent_assert(void)
{
    for (uint32_t i = 0; i < bundle.count; i++) {
        __CPROVER_assert(items[i]->edge.object == NULL, "a spent item has no object");
    }
}

/* All descriptors or none; each refusal for its reason, of the first that has one. */
void prove_begin(void)
{
    struct transfer descriptor[LIMIT_TRANSFERS];
    struct transfer_request request = {.descriptor = descriptor, .answers = nondet_bool()};
    struct hold_edge source[LIMIT_TRANSFERS];
    enum transport_error wanted = TRANSPORT_OK;
    enum transport_error error;
    uint32_t wanted_index = 0;
    uint32_t refused = 0;
    struct watched before;

    any_sender();
    for (uint32_t i = 0; i < LIMIT_TRANSFERS; i++) {
        descriptor[i] = (struct transfer){
            .cap = {nondet_u64()},
            .mode = nondet_u8(),
            .flags = nondet_u8(),
            .path = {{nondet_u8(), nondet_u8(), nondet_u8(), nondet_u8()}},
            .spare = nondet_u16(),
        };
        source[i] = edge_in(&sender, cap_id_slot(descriptor[i].cap));
        if (i < bundle.count && wanted == TRANSPORT_OK) {
            wanted = refusal_of(&descriptor[i], request.answers);
            wanted_index = i;
        }
    }
    if (wanted == TRANSPORT_OK && bundle.count == 2 && descriptor[0].mode == TRANSFER_MOVE &&
        descriptor[1].mode == TRANSFER_MOVE && descriptor[0].cap.raw == descriptor[1].cap.raw) {
        wanted = TRANSPORT_STALE_CAP;
    }
    before = watch(&sender);
    error = transfer_begin(&sender, &request, &bundle, &refused);
    __CPROVER_assert(error == wanted, "its reason");
    slots_assert(&sender, &before);
    if (error != TRANSPORT_OK) {
        spent_assert();
        __CPROVER_assert(refused == wanted_index, "its index");
        __CPROVER_assert(sender.moving == before.moving, "none is on the move");
        state_assert(&sender, &before, before.state);
        return;
    }
    __CPROVER_assert(sender.moving == before.moving + moves_count(), "so many are on the move");
    state_assert(&sender, &before, is_moved(before.id) ? ID_MOVING : before.state);
    __CPROVER_assert(!is_moved(before.id) || cap_table_resolve(&sender, before.id) == NULL,
                     "what moves resolves no more");
    __CPROVER_assert(bundle_holds(), "a bundle under way");
    for (uint32_t i = 0; i < bundle.count; i++) {
        struct hold_edge edge = passed(source[i]);

        if (descriptor[i].mode == TRANSFER_MOVE) {
            edge.object = NULL; /* it is the table's still */
        }
        __CPROVER_assert(items[i]->from.raw == descriptor[i].cap.raw &&
                             items[i]->moves == (descriptor[i].mode == TRANSFER_MOVE),
                         "as asked");
        __CPROVER_assert(edges_equal(&items[i]->edge, &edge), "of the edge that was named");
    }
}

/* What each item has become: it arrived, or its references are to be dropped, or it was buried. */
struct arrivals {
    struct hold_edge edge[LIMIT_TRANSFERS];
    bool alive[LIMIT_TRANSFERS];
    uint32_t alive_count;
    uint32_t dead_count; /* of those that have an object */
};

static struct arrivals arrivals_of(const struct cap_table *from)
{
    struct arrivals arrivals = {0};

    for (uint32_t i = 0; i < bundle.count; i++) {
        arrivals.edge[i] =
            items[i]->moves ? passed(edge_in(from, cap_id_slot(items[i]->from))) : items[i]->edge;
        arrivals.alive[i] = !edge_is_revoked(&arrivals.edge[i]);
        arrivals.alive_count += arrivals.alive[i];
        arrivals.dead_count += !arrivals.alive[i] && arrivals.edge[i].object != NULL;
    }
    return arrivals;
}

/* The records and the drops say what arrived and what did not. */
static void arrivals_assert(const struct arrivals *arrivals, const struct received_cap *records,
                            uint32_t filled)
{
    uint32_t dropped = 0;

    __CPROVER_assert(filled == arrivals->alive_count, "each that is alive arrives once");
    __CPROVER_assert(drops.count == arrivals->dead_count, "each that is dead is dropped once");
    for (uint32_t i = 0; i < bundle.count; i++) {
        const struct hold_edge *edge = &arrivals->edge[i];

        if (arrivals->alive[i]) {
            __CPROVER_assert(records[i].cap.raw != 0 &&
                                 records[i].interface_id == edge->interface_id &&
                                 records[i].facet == edge->facet && records[i].badge == edge->badge,
                             "the record says what arrived");
        } else {
            __CPROVER_assert(records[i].cap.raw == 0, "the record says that nothing arrived");
            if (edge->object != NULL) {
                __CPROVER_assert(edges_equal(&drops.edge[dropped], edge), "that edge is dropped");
                dropped++;
            }
        }
    }
    __CPROVER_assert(bundle.count < 2 || records[0].cap.raw == 0 ||
                         records[0].cap.raw != records[1].cap.raw,
                     "each has its own id");
}

/* The id watched in the receiver's table: one of the arrivals, or `otherwise`. */
static void received_assert(const struct cap_table *table, const struct watched *before,
                            const struct arrivals *arrivals, const struct received_cap *records,
                            enum id_state otherwise)
{
    bool is_new = false;
    struct hold_edge now = edge_in(table, cap_id_slot(before->id));

    for (uint32_t i = 0; i < bundle.count; i++) {
        if (records[i].cap.raw != 0 && records[i].cap.raw == before->id.raw) {
            is_new = true;
            __CPROVER_assert(edges_equal(&now, &arrivals->edge[i]), "the edge that was sent");
        }
    }
    __CPROVER_assert(!is_new || before->state == ID_NEVER, "no id is given out twice");
    if (!is_new) {
        state_assert(table, before, otherwise);
        return;
    }
    __CPROVER_assert(table_holds(table), "the invariants hold");
    __CPROVER_assert(id_state(table, before->id) == ID_HELD, "what arrived is held");
}

/* What is under way leaves the sender and arrives at the receiver, each capability exactly once. */
void prove_commit(void)
{
    const struct transfer_ends ends = {.from = &sender, .to = &receiver};
    struct provenance origin = {0};
    struct received_cap records[LIMIT_TRANSFERS];
    struct arrivals arrivals;
    struct watched sent;
    struct watched received;
    uint32_t filled;

    any_bundle();
    any_table(&receiver, (struct table_pages){receiver_slots, receiver_colds}, &pages_given);
    __CPROVER_assume(receiver.reserved >= bundle.count);
    arrivals = arrivals_of(&sender);
    sent = watch(&sender);
    received = watch(&receiver);
    filled = transfer_commit(&ends, &bundle, &origin, records, &drops);
    spent_assert();
    arrivals_assert(&arrivals, records, filled);
    state_assert(&sender, &sent, is_moved(sent.id) ? ID_STALE : sent.state);
    __CPROVER_assert(!is_moved(sent.id) || cap_table_resolve(&sender, sent.id) == NULL,
                     "what has moved resolves no more");
    __CPROVER_assert(sender.used == sent.used - moves_count() &&
                         sender.moving == sent.moving - moves_count() &&
                         sender.reserved == sent.reserved,
                     "so many have left");
    received_assert(&receiver, &received, &arrivals, records, received.state);
    __CPROVER_assert(receiver.used == received.used + filled &&
                         receiver.reserved == received.reserved - filled &&
                         receiver.moving == received.moving && receiver.buried == received.buried,
                     "so many have arrived");
}

/*
 * Within one table: the step that transfer_commit does for each item in turn, with another item of
 * the same message still under way. It leaves the other as it was, so that the step holds for that
 * one too, and with it any bundle.
 */
void prove_commit_within(void)
{
    const struct transfer_ends ends = {.from = &sender, .to = &sender};
    struct provenance origin = {0};
    struct received_cap records[LIMIT_TRANSFERS];
    struct arrivals arrivals;
    struct watched before;
    struct hold_edge other;
    uint32_t filled;
    bool two;

    any_bundle();
    __CPROVER_assume(bundle.count > 0 && sender.reserved >= bundle.count);
    two = bundle.count == 2;
    other = items[1]->edge;
    bundle.count = 1;
    item_0.next = NULL;
    arrivals = arrivals_of(&sender);
    before = watch(&sender);
    filled = transfer_commit(&ends, &bundle, &origin, records, &drops);
    spent_assert();
    arrivals_assert(&arrivals, records, filled);
    if (is_moved(before.id)) {
        state_assert(&sender, &before, ID_STALE);
        __CPROVER_assert(cap_table_resolve(&sender, before.id) == NULL,
                         "what has moved resolves no more");
    } else {
        received_assert(&sender, &before, &arrivals, records, before.state);
    }
    __CPROVER_assert(sender.used == before.used - moves_count() + filled &&
                         sender.moving == before.moving - moves_count() &&
                         sender.reserved == before.reserved - filled,
                     "so many have gone and come");
    if (two) {
        __CPROVER_assert(edges_equal(&items[1]->edge, &other), "the other item has its edge");
        __CPROVER_assert(item_holds(&item_1), "the other item is under way still");
        __CPROVER_assert(sender.reserved >= 1, "and has its slot");
    }
}

void prove_cancel(void)
{
    struct hold_edge copy[LIMIT_TRANSFERS] = {{0}};
    struct watched before;
    uint32_t moves;
    uint32_t count = 0;

    any_bundle();
    for (uint32_t i = 0; i < bundle.count; i++) {
        copy[i] = items[i]->edge;
    }
    before = watch(&sender);
    moves = moves_count();
    transfer_cancel(&sender, &bundle, &drops);
    slots_assert(&sender, &before);
    __CPROVER_assert(sender.moving == before.moving - moves, "moves no more");
    state_assert(&sender, &before, is_moved(before.id) ? ID_HELD : before.state);
    spent_assert();
    for (uint32_t i = 0; i < bundle.count; i++) {
        if (copy[i].object != NULL) {
            __CPROVER_assert(edges_equal(&drops.edge[count], &copy[i]), "that copy");
            count++;
        }
    }
    __CPROVER_assert(drops.count == count, "each copy that was not buried is dropped once");
}

/* Of any items, in bundles or not, the first copy below the delegation is emptied, and no other. */
void prove_bury(void)
{
    static struct transfer_item item[POOL_ITEMS];
    struct hold_edge before[POOL_ITEMS];
    struct transfer_search search = {.item = item, .count = nondet_u32()};
    struct hold_edge edge = {0};
    uint32_t count = search.count;
    uint32_t first = POOL_ITEMS;
    bool found;

    any_grants();
    __CPROVER_assume(count <= POOL_ITEMS);
    for (uint32_t i = 0; i < POOL_ITEMS; i++) {
        item[i].edge = any_edge();
        item[i].moves = nondet_bool();
        __CPROVER_assume(!item[i].moves || item[i].edge.object == NULL);
        before[i] = item[i].edge;
        if (first == POOL_ITEMS && i < count && before[i].object != NULL &&
            before[i].grant != NULL) {
            first = i;
        }
    }
    found = transfer_bury_next(&search, &any_node, &edge);
    __CPROVER_assert(found == (first != POOL_ITEMS), "found if there is one");
    __CPROVER_assert(search.count == (found ? count - first - 1 : 0), "so many are left");
    __CPROVER_assert(search.item == item + (count - search.count), "the next one");
    __CPROVER_assert(!found || edges_equal(&edge, &before[first]), "what was there");
    for (uint32_t i = 0; i < POOL_ITEMS; i++) {
        struct hold_edge wanted = before[i];

        if (i == first) {
            wanted.object = NULL;
            wanted.grant = NULL;
        }
        __CPROVER_assert(edges_equal(&item[i].edge, &wanted), "no other is touched");
    }
}
