/* SPDX-License-Identifier: MIT */
/*
 * Transfers: copy and move between tables, back again, and refused with nothing changed.
 * transfer_census_test.c walks at random over several tables.
 */
#include "tests/host/transfer_fixture.h"

enum {
    FEW = 3, /* items of a case's own */
};

static void test_copy(void **state)
{
    struct transfer descriptor = {.cap = put(0, 2, EDGE_MODE_COPY, NULL), .mode = TRANSFER_COPY};
    struct transfer_bundle bundle;
    struct received_cap record;
    const struct hold_edge *edge;
    uint32_t refused;

    (void)state;
    assert_int_equal(cap_table_reserve(&table[1], 1), TRANSPORT_OK);
    assert_int_equal(begin(0, &descriptor, 1, &bundle, &refused), TRANSPORT_OK);
    assert_int_equal(look(0, descriptor.cap), TRANSPORT_OK);
    assert_int_equal(things[2].references, 2);
    assert_int_equal(commit(0, 1, &bundle, &record), 1);
    assert_int_equal(look(0, descriptor.cap), TRANSPORT_OK);
    assert_int_equal(cap_table_lookup(&table[1], record.cap, &edge), TRANSPORT_OK);
    assert_ptr_equal(edge->object, &things[2]);
    assert_int_equal(record.interface_id, 9);
    assert_true(record.facet == UINT64_C(0xff) << 2 && edge->facet == record.facet);
    assert_int_equal(record.badge, 102);
    /* One hop: neither mode nor right nor flags arrive. */
    assert_int_equal(edge->mode, EDGE_MODE_NONE);
    assert_int_equal(edge->grantable, 0);
    assert_int_equal(edge->flags, 0);
    assert_int_equal(cap_table_origin(&table[1], record.cap)->origin, EDGE_ORIGIN_TRANSFER);
    assert_int_equal(cap_table_origin(&table[1], record.cap)->from_pid, 1);
    assert_true(cap_id_equal(cap_table_origin(&table[1], record.cap)->from_cap, descriptor.cap));
    assert_int_equal(pool.free_count, ITEMS);
}

static void test_move(void **state)
{
    struct transfer descriptor = {.cap = put(0, 1, EDGE_MODE_MOVE, NULL), .mode = TRANSFER_MOVE};
    struct transfer_bundle bundle;
    struct received_cap record;
    uint32_t refused;

    (void)state;
    assert_int_equal(cap_table_reserve(&table[1], 1), TRANSPORT_OK);
    assert_int_equal(begin(0, &descriptor, 1, &bundle, &refused), TRANSPORT_OK);
    assert_int_equal(look(0, descriptor.cap), TRANSPORT_STALE_CAP);
    assert_int_equal(commit(0, 1, &bundle, &record), 1);
    assert_int_equal(look(0, descriptor.cap), TRANSPORT_STALE_CAP);
    assert_int_equal(look(1, record.cap), TRANSPORT_OK);
    assert_int_equal(things[1].references, 1);
    assert_int_equal(table[0].used, 0);
    /* It does not move on. */
    descriptor.cap = record.cap;
    assert_int_equal(begin(1, &descriptor, 1, &bundle, &refused), TRANSPORT_NOT_GRANTABLE);
}

static void test_cancel_restores_the_id(void **state)
{
    struct transfer descriptor[2] = {
        {.cap = put(0, 1, EDGE_MODE_COPY, NULL), .mode = TRANSFER_MOVE},
        {.cap = put(0, 2, EDGE_MODE_COPY, NULL), .mode = TRANSFER_COPY}};
    struct transfer_bundle bundle;
    const struct hold_edge *edge;
    uint32_t refused;

    (void)state;
    assert_int_equal(begin(0, descriptor, 2, &bundle, &refused), TRANSPORT_OK);
    cancel(0, &bundle);
    assert_int_equal(look(0, descriptor[0].cap), TRANSPORT_OK);
    assert_int_equal(cap_table_lookup(&table[0], descriptor[0].cap, &edge), TRANSPORT_OK);
    assert_int_equal(edge->mode, EDGE_MODE_COPY); /* as it was, not as it would have arrived */
    assert_int_equal(edge->flags, EDGE_CLOSE_ON_SPAWN);
    assert_int_equal(things[1].references, 1);
    assert_int_equal(things[2].references, 1);
    assert_int_equal(cap_table_check(&table[0]), 0);
}

/* Everything that decides about a table, to compare before and after. */
static void snapshot(unsigned of, uint8_t *bytes, size_t size)
{
    size_t at = 0;

    assert_true(sizeof(table[of]) <= size);
    memcpy(bytes, &table[of], sizeof(table[of]));
    at = sizeof(table[of]);
    for (unsigned i = 0; i < CAP_TABLE_PAGES; i++) {
        if (table[of].page[i] != NULL) {
            size_t page = CAP_TABLE_PAGE_SLOTS * sizeof(struct cap_slot);

            assert_true(at + page <= size);
            memcpy(bytes + at, table[of].page[i], page);
            at += page;
        }
    }
    memset(bytes + at, 0, size - at);
}

static void expect_refusal(const struct transfer *descriptor, uint32_t count, bool answers,
                           enum transport_error expected, uint32_t index)
{
    static uint8_t before[16384];
    static uint8_t after[16384];
    struct transfer_bundle bundle;
    uint32_t refused = UINT32_MAX;

    snapshot(0, before, sizeof(before));
    assert_int_equal(transfer_pool_take(&pool, count, &bundle), TRANSPORT_OK);
    assert_int_equal(
        transfer_begin(&table[0],
                       &(struct transfer_request){.descriptor = descriptor, .answers = answers},
                       &bundle, &refused),
        expected);
    assert_int_equal(refused, index);
    transfer_pool_give(&pool, &bundle);
    snapshot(0, after, sizeof(after));
    assert_memory_equal(before, after, sizeof(before));
}

/* Each error, behind descriptors that are good and move: the table is the same, byte for byte. */
static void test_refusals_change_nothing(void **state)
{
    struct cap_id good = put(0, 0, EDGE_MODE_COPY, NULL);
    struct cap_id other = put(0, 1, EDGE_MODE_COPY, NULL);
    struct cap_id moves_only = put(0, 2, EDGE_MODE_MOVE, NULL);
    struct cap_id fixed = put(0, 3, EDGE_MODE_NONE, NULL);
    struct cap_id gone = put(0, 4, EDGE_MODE_COPY, NULL);
    struct transfer all[3] = {{.cap = good, .mode = TRANSFER_MOVE},
                              {.cap = other, .mode = TRANSFER_MOVE}};
    struct hold_edge edge;

    (void)state;
    assert_int_equal(cap_table_remove(&table[0], gone, &edge), TRANSPORT_OK);
    thing_unref(&edge);
    all[2] = (struct transfer){.cap = moves_only, .mode = TRANSFER_COPY};
    expect_refusal(all, 3, false, TRANSPORT_NOT_GRANTABLE, 2);
    all[2] = (struct transfer){.cap = fixed, .mode = TRANSFER_MOVE};
    expect_refusal(all, 3, false, TRANSPORT_NOT_GRANTABLE, 2);
    all[2] = (struct transfer){.cap = gone, .mode = TRANSFER_COPY};
    expect_refusal(all, 3, false, TRANSPORT_STALE_CAP, 2);
    all[2] = (struct transfer){.cap = {.raw = gone.raw + 64}, .mode = TRANSFER_COPY};
    expect_refusal(all, 3, false, TRANSPORT_BAD_CAP, 2);
    all[2] = (struct transfer){.cap = {.raw = 0}, .mode = TRANSFER_COPY};
    expect_refusal(all, 3, false, TRANSPORT_BAD_CAP, 2);
    all[2] = (struct transfer){.cap = good, .mode = TRANSFER_MOVE};
    expect_refusal(all, 3, false, TRANSPORT_STALE_CAP, 2); /* moved twice */
    all[2] = (struct transfer){.cap = moves_only, .mode = 0};
    expect_refusal(all, 3, false, TRANSPORT_BAD_FIELD, 2);
    all[2].mode = 3;
    expect_refusal(all, 3, false, TRANSPORT_BAD_FIELD, 2);
    all[2] = (struct transfer){.cap = moves_only, .mode = TRANSFER_MOVE, .flags = 1};
    expect_refusal(all, 3, true, TRANSPORT_BAD_FIELD, 2);
    all[2] = (struct transfer){.cap = moves_only, .mode = TRANSFER_MOVE, .spare = 1};
    expect_refusal(all, 3, true, TRANSPORT_BAD_FIELD, 2);
    all[2] = (struct transfer){.cap = moves_only, .mode = TRANSFER_MOVE, .path.step = {1}};
    expect_refusal(all, 3, false, TRANSPORT_BAD_FIELD, 2); /* a call names no path */
    all[2].path = (struct answer_path){.step = {1, 0, 2}};
    expect_refusal(all, 3, true, TRANSPORT_BAD_FIELD, 2);
    all[0].mode = 9; /* the first that is wrong is named */
    expect_refusal(all, 3, true, TRANSPORT_BAD_FIELD, 0);
}

/* Copied and moved by one message, in either order: two edges arrive. */
static void test_copy_beside_move(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        struct cap_id id = put(0, 5, EDGE_MODE_COPY, NULL);
        struct transfer descriptor[2] = {
            {.cap = id, .mode = order == 0 ? TRANSFER_COPY : TRANSFER_MOVE},
            {.cap = id, .mode = order == 0 ? TRANSFER_MOVE : TRANSFER_COPY}};
        struct transfer_bundle bundle;
        struct received_cap record[2];
        uint32_t refused;

        assert_int_equal(cap_table_reserve(&table[1], 2), TRANSPORT_OK);
        assert_int_equal(begin(0, descriptor, 2, &bundle, &refused), TRANSPORT_OK);
        assert_int_equal(commit(0, 1, &bundle, record), 2);
        assert_int_equal(look(0, id), TRANSPORT_STALE_CAP);
        assert_int_equal(look(1, record[0].cap), TRANSPORT_OK);
        assert_int_equal(look(1, record[1].cap), TRANSPORT_OK);
    }
    assert_int_equal(things[5].references, 4);
}

/* A program that calls itself: both ends are one table. */
static void test_one_table(void **state)
{
    struct cap_id id = put(0, 6, EDGE_MODE_COPY, NULL);
    struct transfer descriptor = {.cap = id, .mode = TRANSFER_MOVE};
    struct transfer_bundle bundle;
    struct received_cap record;
    uint32_t refused;

    (void)state;
    assert_int_equal(cap_table_reserve(&table[0], 1), TRANSPORT_OK);
    assert_int_equal(begin(0, &descriptor, 1, &bundle, &refused), TRANSPORT_OK);
    assert_int_equal(commit(0, 0, &bundle, &record), 1);
    assert_int_equal(look(0, id), TRANSPORT_STALE_CAP);
    assert_int_equal(look(0, record.cap), TRANSPORT_OK);
    assert_int_equal(things[6].references, 1);
    assert_int_equal(cap_table_check(&table[0]), 0);
}

/* Revoked on its way, swept or not: nothing arrives, nothing is left behind. */
static void test_revoked_on_its_way(void **state)
{
    (void)state;
    for (unsigned swept = 0; swept < 2; swept++) {
        struct grant_node node;
        struct transfer descriptor[2];
        struct transfer_bundle bundle;
        struct received_cap record[2];
        struct hold_edge edge;
        uint32_t cursor = 0;
        uint32_t refused;
        bool found;

        assert_int_equal(grant_delegate(&tree, NULL, &node), TRANSPORT_OK);
        descriptor[0] =
            (struct transfer){.cap = put(0, 0, EDGE_MODE_COPY, &node), .mode = TRANSFER_MOVE};
        descriptor[1] =
            (struct transfer){.cap = put(0, 1, EDGE_MODE_COPY, &node), .mode = TRANSFER_COPY};
        assert_int_equal(cap_table_reserve(&table[1], 2), TRANSPORT_OK);
        assert_int_equal(begin(0, descriptor, 2, &bundle, &refused), TRANSPORT_OK);
        assert_true(grant_revoke(&node));
        while (swept == 1 && cap_table_bury_next(&table[0], &cursor, 64, &node, &edge, &found)) {
            if (found) {
                thing_unref(&edge);
            }
        }
        if (swept == 1) {
            assert_int_equal(copies_bury(&node), 1);
            assert_int_equal(copies_bury(&node), 0);
            assert_int_equal(things[1].references, 0); /* while the message still waits */
            assert_int_equal(transfer_check(&table[0], &bundle), 0);
        }
        assert_int_equal(commit(0, 1, &bundle, record), 0);
        assert_int_equal(record[0].cap.raw, 0);
        assert_int_equal(record[1].cap.raw, 0);
        assert_int_equal(look(0, descriptor[0].cap), TRANSPORT_STALE_CAP);
        assert_int_equal(look(0, descriptor[1].cap), TRANSPORT_REVOKED);
        assert_int_equal(begin(0, &descriptor[1], 1, &bundle, &refused), TRANSPORT_REVOKED);
        assert_int_equal(cap_table_remove(&table[0], descriptor[1].cap, &edge), TRANSPORT_OK);
        thing_unref(&edge);
        assert_int_equal(things[0].references, 0);
        assert_int_equal(things[1].references, 0);
        assert_int_equal(table[1].used, 0);
        assert_int_equal(table[1].reserved, 0);
    }
}

/* Of what is beside messages a revoke takes the copies below it, and nothing else. */
static void test_copies_are_buried(void **state)
{
    struct grant_node node[2];
    struct transfer descriptor[4];
    struct transfer_bundle bundle[2];
    struct received_cap record[4];
    uint32_t refused;

    (void)state;
    assert_int_equal(grant_delegate(&tree, NULL, &node[0]), TRANSPORT_OK);
    assert_int_equal(grant_delegate(&tree, &node[0], &node[1]), TRANSPORT_OK);
    for (unsigned i = 0; i < 4; i++) {
        descriptor[i] = (struct transfer){
            .cap = put(0, i, EDGE_MODE_COPY, i == 0 ? NULL : &node[i / 2]), .mode = TRANSFER_COPY};
    }
    assert_int_equal(cap_table_reserve(&table[1], 4), TRANSPORT_OK);
    assert_int_equal(begin(0, descriptor, 4, &bundle[0], &refused), TRANSPORT_OK);
    assert_int_equal(begin(0, descriptor, 4, &bundle[1], &refused), TRANSPORT_OK);
    assert_true(grant_revoke(&node[1]));
    assert_int_equal(copies_bury(&node[1]), 4);
    assert_int_equal(things[0].references, 3);
    assert_int_equal(things[1].references, 3);
    assert_int_equal(things[2].references, 1);
    assert_int_equal(things[3].references, 1);
    /* What was buried arrives as nothing, or comes back as nothing; the rest arrives or does. */
    assert_int_equal(commit(0, 1, &bundle[0], record), 2);
    assert_true(record[0].cap.raw != 0 && record[1].cap.raw != 0);
    assert_true(record[2].cap.raw == 0 && record[3].cap.raw == 0);
    assert_int_equal(transfer_check(&table[0], &bundle[1]), 0);
    cancel(0, &bundle[1]);
    assert_int_equal(pool.free_count, ITEMS);
    assert_int_equal(things[0].references, 2);
    assert_int_equal(things[1].references, 2);
    assert_int_equal(things[2].references, 1);
}

/* What was refused, has moved or has come back is no copy on its way. */
static void test_nothing_on_its_way_is_buried(void **state)
{
    struct grant_node node;
    struct transfer descriptor[3];
    struct transfer_bundle bundle;
    struct received_cap record[3];
    uint32_t refused;

    (void)state;
    assert_int_equal(grant_delegate(&tree, NULL, &node), TRANSPORT_OK);
    descriptor[0] =
        (struct transfer){.cap = put(0, 0, EDGE_MODE_COPY, &node), .mode = TRANSFER_COPY};
    descriptor[1] =
        (struct transfer){.cap = put(0, 1, EDGE_MODE_COPY, &node), .mode = TRANSFER_MOVE};
    descriptor[2] = descriptor[1]; /* moved twice, and then not at all */
    assert_int_equal(begin(0, descriptor, 3, &bundle, &refused), TRANSPORT_STALE_CAP);
    assert_int_equal(copies_bury(&node), 0);
    descriptor[2].mode = 0;
    assert_int_equal(begin(0, descriptor, 3, &bundle, &refused), TRANSPORT_BAD_FIELD);
    assert_int_equal(copies_bury(&node), 0);
    assert_int_equal(begin(0, descriptor, 2, &bundle, &refused), TRANSPORT_OK);
    cancel(0, &bundle);
    assert_int_equal(copies_bury(&node), 0);
    assert_int_equal(cap_table_reserve(&table[1], 2), TRANSPORT_OK);
    assert_int_equal(begin(0, descriptor, 2, &bundle, &refused), TRANSPORT_OK);
    assert_int_equal(commit(0, 1, &bundle, record), 2);
    assert_int_equal(copies_bury(&node), 0);
    descriptor[0].cap = record[0].cap; /* both arrived with no right to go on */
    assert_int_equal(begin(1, descriptor, 1, &bundle, &refused), TRANSPORT_NOT_GRANTABLE);
    assert_int_equal(copies_bury(&node), 0);
}

/* transfer_check names what is broken. */
static void test_check_names_the_invariant(void **state)
{
    struct transfer descriptor[2] = {
        {.cap = put(0, 1, EDGE_MODE_COPY, NULL), .mode = TRANSFER_MOVE},
        {.cap = put(0, 2, EDGE_MODE_COPY, NULL), .mode = TRANSFER_COPY}};
    struct transfer_bundle bundle;
    struct grant_node node;
    uint32_t refused;

    (void)state;
    assert_int_equal(begin(0, descriptor, 2, &bundle, &refused), TRANSPORT_OK);
    bundle.first->edge.object = &things[1];
    assert_int_equal(transfer_check(&table[0], &bundle), 4);
    bundle.first->edge.object = NULL;
    bundle.first->next->edge.object = NULL;
    assert_int_equal(transfer_check(&table[0], &bundle), 0);
    bundle.first->next->edge.grant = &node;
    assert_int_equal(transfer_check(&table[0], &bundle), 2);
    bundle.first->next->edge.grant = NULL;
    bundle.first->next->edge.object = &things[2];
    cancel(0, &bundle);
}

/* The n-th page refused, for every n: a receiver that cannot reserve leaves all as it was.
 * covers: CALL/NO_MEMORY, RECV/NO_MEMORY */
static void test_no_memory(void **state)
{
    (void)state;
    for (unsigned pages = 0; pages < 4; pages++) {
        struct cap_id id = put(0, 0, EDGE_MODE_COPY, NULL);
        enum transport_error error;

        supply.left = pages;
        error = cap_table_reserve(&table[1], 1);
        assert_int_equal(error, pages < 2 ? TRANSPORT_NO_MEMORY : TRANSPORT_OK);
        if (error == TRANSPORT_OK) {
            struct transfer descriptor = {.cap = id, .mode = TRANSFER_MOVE};
            struct transfer_bundle bundle;
            struct received_cap record;
            uint32_t refused;

            assert_int_equal(begin(0, &descriptor, 1, &bundle, &refused), TRANSPORT_OK);
            supply.left = 0; /* delivery asks for nothing */
            assert_int_equal(commit(0, 1, &bundle, &record), 1);
            return;
        }
        assert_int_equal(look(0, id), TRANSPORT_OK);
        supply.left = UINT32_MAX;
    }
    fail();
}

static void test_pool(void **state)
{
    struct transfer_bundle bundle[4];

    (void)state;
    assert_int_equal(transfer_pool_take(&pool, 16, &bundle[0]), TRANSPORT_OK);
    assert_int_equal(transfer_pool_take(&pool, 16, &bundle[1]), TRANSPORT_OK);
    assert_int_equal(transfer_pool_take(&pool, 9, &bundle[2]), TRANSPORT_LIMIT);
    assert_int_equal(pool.free_count, 8);
    assert_int_equal(transfer_pool_take(&pool, 8, &bundle[2]), TRANSPORT_OK);
    assert_int_equal(transfer_pool_take(&pool, 0, &bundle[3]), TRANSPORT_OK);
    assert_null(bundle[3].first);
    for (unsigned i = 0; i < 4; i++) {
        transfer_pool_give(&pool, &bundle[i]);
        assert_null(bundle[i].first);
    }
    assert_int_equal(pool.free_count, ITEMS);
}

static void test_items_begin_empty_whatever_was_in_their_memory(void **state)
{
    struct transfer_item item[FEW];
    struct transfer_pool small;
    struct transfer_bundle bundle;
    struct grant_node above = {.depth = 1};
    struct transfer_search search = {.item = item, .count = FEW};
    struct hold_edge edge;

    (void)state;
    memset(item, 0xff, sizeof(item));
    memset(&small, 0xff, sizeof(small));
    transfer_pool_init(&small, item, FEW);
    for (unsigned i = 0; i < FEW; i++) {
        item[i].edge.grant = &above; /* of an edge that was here before */
    }
    assert_false(transfer_bury_next(&search, &above, &edge));
    assert_int_equal(transfer_pool_take(&small, FEW, &bundle), TRANSPORT_OK);
    assert_null(small.free);
    assert_int_equal(small.free_count, 0);
}

static void test_a_bundle_is_as_long_as_it_says(void **state)
{
    struct transfer_item item[FEW + 1];
    struct transfer_bundle bundle;
    unsigned length = 0;

    (void)state;
    memset(item, 0, sizeof(item));
    transfer_bundle_make(&bundle, item, FEW);
    for (const struct transfer_item *it = bundle.first; it != NULL; it = it->next) {
        assert_ptr_equal(it, &item[length]);
        length++;
    }
    assert_int_equal(length, FEW);
    assert_int_equal(bundle.count, FEW);
    assert_null(item[FEW].next);
}

static void test_the_descriptor_that_moves_again_is_named(void **state)
{
    struct cap_id one = put(0, 1, EDGE_MODE_MOVE, NULL);
    struct cap_id other = put(0, 2, EDGE_MODE_MOVE, NULL);
    const struct transfer descriptor[FEW] = {{.cap = one, .mode = TRANSFER_MOVE},
                                             {.cap = one, .mode = TRANSFER_MOVE},
                                             {.cap = other, .mode = TRANSFER_MOVE}};
    struct transfer_bundle bundle;
    uint32_t refused = UINT32_MAX;

    (void)state;
    assert_int_equal(begin(0, descriptor, FEW, &bundle, &refused), TRANSPORT_STALE_CAP);
    assert_int_equal(refused, 1);
}

/* A copy that a revoke has emptied has no references to drop. */
static void test_of_an_emptied_copy_nothing_is_dropped(void **state)
{
    struct transfer_item item = {.next = NULL};
    struct transfer_bundle bundle;
    struct transfer_drops drops = {.count = 0};

    (void)state;
    transfer_bundle_make(&bundle, &item, 1);
    transfer_cancel(&table[0], &bundle, &drops);
    assert_int_equal(drops.count, 0);
    item.edge.object = &things[0];
    transfer_cancel(&table[0], &bundle, &drops);
    assert_int_equal(drops.count, 1);
    assert_null(item.edge.object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_move, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel_restores_the_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copy_beside_move, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revoked_on_its_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copies_are_buried, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_on_its_way_is_buried, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_names_the_invariant, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_items_begin_empty_whatever_was_in_their_memory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_bundle_is_as_long_as_it_says, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_descriptor_that_moves_again_is_named, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_of_an_emptied_copy_nothing_is_dropped, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
