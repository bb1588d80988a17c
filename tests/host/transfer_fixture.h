/* SPDX-License-Identifier: MIT */
/*
 * Tables, objects and a pool of items for the tests of core/transfer.c, each of which has its own:
 * one message out of one table and into another, and the references that go with it.
 */
#ifndef TESTS_HOST_TRANSFER_FIXTURE_H
#define TESTS_HOST_TRANSFER_FIXTURE_H

#include "tests/host/support.h"

#include "core/transfer.h"
#include "tests/host/slot_pages.h"

#define TABLES  3u
#define OBJECTS 8u
#define QUOTA   24u
#define ITEMS   40u

struct thing {
    uint64_t references; /* as a kernel object's: one for each edge that pins it */
};

static struct cap_table table[TABLES];
static struct thing things[OBJECTS];
static struct transfer_pool pool;
static struct transfer_item items[ITEMS];
static struct grant_tree tree;
static struct slot_pages supply;

static inline int setup(void **state)
{
    (void)state;
    supply.left = UINT32_MAX;
    for (unsigned i = 0; i < TABLES; i++) {
        cap_table_init(&table[i], QUOTA, slot_memory(&supply));
    }
    memset(things, 0, sizeof(things));
    grant_tree_init(&tree);
    transfer_pool_init(&pool, items, ITEMS);
    return 0;
}

static inline void thing_ref(const struct hold_edge *edge)
{
    ((struct thing *)edge->object)->references++;
}

static inline void thing_unref(const struct hold_edge *edge)
{
    struct thing *thing = edge->object;

    if (thing != NULL) {
        assert_true(thing->references > 0);
        thing->references--;
    }
}

static inline int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TABLES; i++) {
        struct hold_edge edge;
        uint32_t cursor = 0;

        while (cap_table_remove_next(&table[i], &cursor, &edge)) {
            thing_unref(&edge);
        }
        cap_table_free(&table[i]);
    }
    for (unsigned i = 0; i < OBJECTS; i++) {
        assert_int_equal(things[i].references, 0);
    }
    assert_int_equal(supply.out, 0);
    return 0;
}

static inline struct cap_id put(unsigned to, unsigned thing, enum edge_mode mode,
                                struct grant_node *grant)
{
    struct hold_edge edge = {.object = &things[thing],
                             .interface_id = 7 + thing,
                             .facet = UINT64_C(0xff) << thing,
                             .badge = 100 + thing,
                             .grant = grant,
                             .epoch = atomic_load_relaxed_u64(&tree.epoch),
                             .mode = (uint8_t)mode,
                             .grantable = mode != EDGE_MODE_NONE,
                             .flags = EDGE_CLOSE_ON_SPAWN};
    struct cap_id id;

    assert_int_equal(cap_table_insert(&table[to], &edge, NULL, &id), TRANSPORT_OK);
    thing_ref(&edge);
    return id;
}

static inline void drops_end(struct transfer_drops *drops)
{
    while (drops->count > 0) {
        thing_unref(&drops->edge[--drops->count]);
    }
}

/* One message of `count` descriptors out of table `from`. */
static inline enum transport_error begin(unsigned from, const struct transfer *descriptor,
                                         uint32_t count, struct transfer_bundle *bundle,
                                         uint32_t *refused)
{
    enum transport_error error;

    assert_int_equal(transfer_pool_take(&pool, count, bundle), TRANSPORT_OK);
    error = transfer_begin(&table[from], &(struct transfer_request){.descriptor = descriptor},
                           bundle, refused);
    if (error != TRANSPORT_OK) {
        transfer_pool_give(&pool, bundle);
        return error;
    }
    for (struct transfer_item *item = bundle->first; item != NULL; item = item->next) {
        if (!item->moves) {
            thing_ref(&item->edge);
        }
    }
    assert_int_equal(transfer_check(&table[from], bundle), 0);
    return TRANSPORT_OK;
}

/* A revoke of `above` finds what is left of it beside messages. How many copies that were. */
static inline unsigned copies_bury(const struct grant_node *above)
{
    struct transfer_search search = {.item = items, .count = ITEMS};
    struct hold_edge edge;
    unsigned found = 0;

    while (transfer_bury_next(&search, above, &edge)) {
        assert_true(grant_is_below(edge.grant, above));
        thing_unref(&edge);
        found++;
    }
    assert_int_equal(search.count, 0);
    return found;
}

static inline uint32_t commit(unsigned from, unsigned to, struct transfer_bundle *bundle,
                              struct received_cap *records)
{
    const struct provenance origin = {.origin = EDGE_ORIGIN_TRANSFER, .from_pid = from + 1};
    struct transfer_drops drops = {.count = 0};
    uint32_t filled;

    filled = transfer_commit(&(struct transfer_ends){&table[from], &table[to]}, bundle, &origin,
                             records, &drops);
    cap_table_unreserve(&table[to], bundle->count - filled);
    drops_end(&drops);
    transfer_pool_give(&pool, bundle);
    return filled;
}

static inline void cancel(unsigned from, struct transfer_bundle *bundle)
{
    struct transfer_drops drops = {.count = 0};

    transfer_cancel(&table[from], bundle, &drops);
    drops_end(&drops);
    transfer_pool_give(&pool, bundle);
}

static inline enum transport_error look(unsigned in, struct cap_id id)
{
    const struct hold_edge *edge;

    return cap_table_lookup(&table[in], id, &edge);
}

#endif
