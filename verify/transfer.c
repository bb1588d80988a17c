/* SPDX-License-Identifier: MIT */
/*
 * Transfers that do not arrive: what a sender takes back is as it was.
 *
 * From any sender's table that the invariants allow, with any bundle under way (bundle_holds),
 * whatever was revoked or buried since: transfer_cancel gives every id that moved back its edge,
 * changes no other, and every copy is dropped once; counts and invariants hold. Items of a pool are
 * taken all or none, are in one chain only, and come back.
 *
 * bound: a table of 4 slots, 1 of them the window; bundles of up to 2; pools of 3; one delegation
 * cbmc: core/cap_table.c core/transfer.c core/grant.c
 * options: -I verify/shim -I verify/small --unwind 6
 * prove: prove_pool prove_cancel
 * quick: prove_pool
 * twin: prove_pool | core/transfer.c
 *     | pool->free_count -= count;
 *     | ;
 * twin: prove_pool | core/transfer.c
 *     | last->next = NULL;
 *     | ;
 * twin: prove_cancel | core/transfer.c
 *     | drop_add(drops, &item->edge);
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
void prove_cancel(void);

static struct cap_table sender;
PAGES(sender);
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

/* What holds of the items while a bundle is under way. */
static bool bundle_holds(void)
{
    for (uint32_t i = 0; i < bundle.count; i++) {
        const struct transfer_item *item = items[i];
        struct hold_edge edge = edge_in(&sender, cap_id_slot(item->from));

        if (item->moves
                ? id_state(&sender, item->from) != ID_MOVING ||
                      (edge.object != NULL && !may_pass(&edge, true))
                : item->edge.object == NULL || item->edge.mode != 0 || item->edge.grantable != 0 ||
                      item->edge.flags != 0 || !edge_is_sound(&item->edge)) {
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

/* ---- proofs
 * ---------------------------------------------------------------------------------------------- */

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

void prove_cancel(void)
{
    struct watched before;
    uint32_t moves;
    uint32_t count = 0;

    any_bundle();
    before = watch(&sender);
    moves = moves_count();
    transfer_cancel(&sender, &bundle, &drops);
    slots_assert(&sender, &before);
    __CPROVER_assert(sender.moving == before.moving - moves, "moves no more");
    state_assert(&sender, &before, is_moved(before.id) ? ID_HELD : before.state);
    __CPROVER_assert(drops.count == bundle.count - moves, "each copy is dropped once");
    for (uint32_t i = 0; i < bundle.count; i++) {
        if (!items[i]->moves) {
            __CPROVER_assert(edges_equal(&drops.edge[count], &items[i]->edge), "that copy");
            count++;
        }
    }
}
