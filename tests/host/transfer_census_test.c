/* SPDX-License-Identifier: MIT */
/*
 * Transfers: random walks over several tables with a census after every step: each object's
 * references are the edges of the tables and the copies under way, no more and no less.
 */
#include "tests/host/transfer_fixture.h"

#define BUNDLES 6u

static struct {
    struct transfer_bundle bundle;
    unsigned from;
    unsigned to;
    bool under_way;
} flight[BUNDLES];

/* Each object's references, counted from the edges that there are. */
static void census(void)
{
    uint64_t found[OBJECTS] = {0};
    uint32_t waiting = 0;

    for (unsigned i = 0; i < TABLES; i++) {
        uint32_t held = 0;

        assert_int_equal(cap_table_check(&table[i]), 0);
        for (unsigned page = 0; page < CAP_TABLE_PAGES; page++) {
            for (unsigned s = 0; table[i].page[page] != NULL && s < CAP_TABLE_PAGE_SLOTS; s++) {
                const struct cap_slot *slot = &table[i].page[page][s];
                const struct thing *thing = slot->edge.object;

                /* Free slots keep links where edges keep objects: only pointers to things count. */
                if (thing >= things && thing < things + OBJECTS) {
                    found[thing - things]++;
                    held++;
                }
            }
        }
        assert_int_equal(held, table[i].used - table[i].buried);
    }
    for (unsigned i = 0; i < BUNDLES; i++) {
        if (!flight[i].under_way) {
            continue;
        }
        assert_int_equal(transfer_check(&table[flight[i].from], &flight[i].bundle), 0);
        for (const struct transfer_item *item = flight[i].bundle.first; item != NULL;
             item = item->next) {
            waiting++;
            if (item->edge.object != NULL) {
                found[(struct thing *)item->edge.object - things]++;
            }
        }
    }
    assert_int_equal(pool.free_count + waiting, ITEMS);
    for (unsigned i = 0; i < OBJECTS; i++) {
        assert_int_equal(found[i], things[i].references);
    }
}

/* Some id of table `of`, mostly of an edge that is there. */
static struct cap_id some_id(struct test_random *random, unsigned of)
{
    uint32_t cursor = CAP_TABLE_WINDOW + (uint32_t)test_random_below(random, QUOTA);
    struct cap_entry entry = {.id = {.raw = test_random_u64(random)}};
    bool found = false;

    if (!test_random_one_in(random, 16)) {
        found = cap_table_next(&table[of], &cursor, 64, &entry, &found) && found;
    }
    return found ? entry.id : (struct cap_id){.raw = entry.id.raw};
}

static void step_begin(struct test_random *random)
{
    unsigned at = (unsigned)test_random_below(random, BUNDLES);
    unsigned from = (unsigned)test_random_below(random, TABLES);
    unsigned to = (unsigned)test_random_below(random, TABLES);
    uint32_t count = (uint32_t)test_random_below(random, 5);
    uint64_t before[OBJECTS];
    struct transfer descriptor[4];
    uint32_t refused;

    if (flight[at].under_way || pool.free_count < count) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        descriptor[i] = (struct transfer){
            .cap = some_id(random, from),
            .mode =
                (uint8_t)(test_random_one_in(random, 24) ? 0 : 1 + test_random_below(random, 2))};
    }
    if (cap_table_reserve(&table[to], count) != TRANSPORT_OK) {
        return;
    }
    for (unsigned i = 0; i < OBJECTS; i++) {
        before[i] = things[i].references;
    }
    if (begin(from, descriptor, count, &flight[at].bundle, &refused) != TRANSPORT_OK) {
        cap_table_unreserve(&table[to], count);
        for (unsigned i = 0; i < OBJECTS; i++) {
            assert_int_equal(things[i].references, before[i]);
        }
        return;
    }
    flight[at].from = from;
    flight[at].to = to;
    flight[at].under_way = true;
}

static void step_end(struct test_random *random)
{
    unsigned at = (unsigned)test_random_below(random, BUNDLES);
    struct received_cap records[LIMIT_TRANSFERS];

    if (!flight[at].under_way) {
        return;
    }
    flight[at].under_way = false;
    if (test_random_one_in(random, 2)) {
        (void)commit(flight[at].from, flight[at].to, &flight[at].bundle, records);
    } else {
        uint32_t count = flight[at].bundle.count;

        cancel(flight[at].from, &flight[at].bundle);
        cap_table_unreserve(&table[flight[at].to], count);
    }
}

/* A node of the walk, revoked now and then, its edges swept at once or later. */
static struct grant_node nodes[64];
static unsigned node_count;

static void step_revoke(struct test_random *random)
{
    unsigned which;
    bool sweep = test_random_one_in(random, 2);

    if (node_count < 64 && test_random_one_in(random, 2)) {
        struct grant_node *parent = node_count == 0 || test_random_one_in(random, 3)
                                        ? NULL
                                        : &nodes[test_random_below(random, node_count)];

        if (parent == NULL || (grant_walk(parent) && grant_depth(parent) < GRANT_DEPTH_MAX)) {
            assert_int_equal(grant_delegate(&tree, parent, &nodes[node_count]), TRANSPORT_OK);
            node_count++;
        }
        return;
    }
    if (node_count == 0) {
        return;
    }
    which = (unsigned)test_random_below(random, node_count);
    (void)grant_revoke(&nodes[which]);
    for (unsigned i = 0; sweep && i < TABLES; i++) {
        struct hold_edge edge;
        uint32_t cursor = 0;
        bool found;

        while (cap_table_bury_next(&table[i], &cursor, 64, &nodes[which], &edge, &found)) {
            if (found) {
                thing_unref(&edge);
            }
        }
    }
    if (sweep) {
        (void)copies_bury(&nodes[which]);
    }
}

static void step_table(struct test_random *random)
{
    unsigned of = (unsigned)test_random_below(random, TABLES);
    struct hold_edge edge;

    if (test_random_one_in(random, 2)) {
        if (table[of].used + table[of].reserved < QUOTA) {
            struct grant_node *node =
                node_count == 0 ? NULL : &nodes[test_random_below(random, node_count)];

            if (node != NULL && !grant_walk(node)) {
                node = NULL;
            }
            (void)put(of, (unsigned)test_random_below(random, OBJECTS),
                      (enum edge_mode)test_random_below(random, 3), node);
        }
    } else if (cap_table_remove(&table[of], some_id(random, of), &edge) == TRANSPORT_OK) {
        thing_unref(&edge);
    }
}

static void test_conservation(void **state)
{
    struct test_random random;

    (void)state;
    memset(flight, 0, sizeof(flight));
    memset(nodes, 0, sizeof(nodes));
    node_count = 0;
    test_random_init(&random, 5);
    for (unsigned i = 0; i < 30000; i++) {
        switch (test_random_below(&random, 8)) {
        case 0:
        case 1:
            step_begin(&random);
            break;
        case 2:
        case 3:
            step_end(&random);
            break;
        case 4:
            if (test_random_one_in(&random, 40)) {
                step_revoke(&random);
            }
            break;
        default:
            step_table(&random);
        }
        census();
    }
    for (unsigned at = 0; at < BUNDLES; at++) {
        if (flight[at].under_way) {
            cancel(flight[at].from, &flight[at].bundle);
            flight[at].under_way = false;
        }
    }
    census();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_conservation, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
