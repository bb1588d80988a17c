/* SPDX-License-Identifier: MIT */
/*
 * Refusals of the capability table that the model meets too seldom, each by itself. The case's name
 * is what would be lost.
 */
#include "tests/host/support.h"

#include "core/cap_table.h"
#include "tests/host/slot_pages.h"

enum {
    QUOTA = 64,
};

static struct cap_table table;
static struct grant_tree tree;
static struct grant_node node;
static int object;

static struct hold_edge edge_make(struct grant_node *grant)
{
    return (struct hold_edge){
        .object = &object, .interface_id = 7, .facet = CAP_FACET_ALL, .grant = grant, .epoch = 1};
}

static struct cap_id insert(struct grant_node *grant)
{
    struct hold_edge edge = edge_make(grant);
    struct cap_id id = {0};

    assert_int_equal(cap_table_insert(&table, &edge, NULL, &id), TRANSPORT_OK);
    return id;
}

static void drop(struct cap_id id)
{
    struct hold_edge edge;

    assert_int_equal(cap_table_remove(&table, id, &edge), TRANSPORT_OK);
}

static int setup(void **state)
{
    (void)state;
    cap_table_init(&table, QUOTA, slot_memory(NULL));
    grant_tree_init(&tree);
    assert_int_equal(grant_delegate(&tree, NULL, &node), TRANSPORT_OK);
    return 0;
}

static int teardown(void **state)
{
    struct hold_edge edge;
    uint32_t cursor = 0;

    (void)state;
    assert_int_equal(cap_table_check(&table), 0);
    while (cap_table_remove_next(&table, &cursor, &edge)) {
    }
    cap_table_free(&table);
    return 0;
}

static void a_retired_slot_is_never_used_again(void **state)
{
    struct cap_id id = insert(NULL);
    uint32_t slot = cap_id_slot(id);
    struct hold_edge edge = edge_make(NULL);
    struct cap_slot *entry = &table.page[slot / CAP_TABLE_PAGE_SLOTS][slot % CAP_TABLE_PAGE_SLOTS];

    (void)state;
    entry->name = CAP_GENERATION_MAX << CAP_SLOT_BITS | slot;
    drop((struct cap_id){entry->name});
    assert_int_equal(table.retired, 1);
    assert_int_equal(cap_table_insert_at(&table, slot, &edge, NULL, &id), TRANSPORT_SLOT_IN_USE);
    assert_int_equal(cap_table_count(&table, 7), 0); /* and nothing is in it */
    (void)insert(NULL);
    assert_int_equal(cap_table_insert_at(&table, slot, &edge, NULL, &id), TRANSPORT_SLOT_IN_USE);
}

static void id_zero_names_nothing(void **state)
{
    struct hold_edge edge = edge_make(NULL);
    const struct hold_edge *found;
    struct cap_id id;

    (void)state;
    assert_int_equal(cap_table_insert_at(&table, 5, &edge, NULL, &id), TRANSPORT_OK);
    found = &edge;
    assert_int_equal(cap_table_lookup(&table, (struct cap_id){0}, &found), TRANSPORT_BAD_CAP);
    assert_null(found);
    assert_int_equal(cap_table_remove(&table, (struct cap_id){0}, &edge), TRANSPORT_BAD_CAP);
    assert_null(cap_table_origin(&table, (struct cap_id){0}));
}

static void a_stale_id_changes_no_flags(void **state)
{
    struct cap_id old = insert(NULL);
    struct cap_id now;
    const struct hold_edge *found;

    (void)state;
    drop(old);
    assert_int_equal(cap_table_set_flags(&table, old, EDGE_CLOSE_ON_SPAWN), TRANSPORT_STALE_CAP);
    now = insert(NULL);
    assert_int_equal(cap_id_slot(now), cap_id_slot(old));
    assert_int_equal(cap_table_set_flags(&table, old, EDGE_CLOSE_ON_SPAWN), TRANSPORT_STALE_CAP);
    assert_int_equal(cap_table_lookup(&table, now, &found), TRANSPORT_OK);
    assert_int_equal(found->flags, 0);
}

static void a_stale_id_has_no_origin(void **state)
{
    struct cap_id id = insert(NULL);

    (void)state;
    assert_non_null(cap_table_origin(&table, id));
    drop(id);
    assert_null(cap_table_origin(&table, id));
}

static void a_revoked_edge_is_listed_as_revoked(void **state)
{
    struct cap_entry entry;
    uint32_t cursor = 0;
    bool found = false;

    (void)state;
    (void)insert(&node);
    assert_true(grant_revoke(&node));
    while (!found) {
        assert_true(cap_table_next(&table, &cursor, 1000, &entry, &found));
    }
    assert_ptr_equal(entry.edge.object, &object); /* not buried yet */
    assert_true(entry.revoked);
}

/* Behind the bitmap of the window is the quota: its lowest bit says of no slot that it is free. */
static void the_first_slot_above_the_window_can_be_named(void **state)
{
    struct cap_id old = insert(NULL);
    struct hold_edge edge = edge_make(NULL);
    struct cap_id id = {0};

    (void)state;
    assert_int_equal(cap_id_slot(old), CAP_TABLE_WINDOW);
    assert_int_equal(cap_table_set_quota(&table, QUOTA - 1), TRANSPORT_OK);
    drop(old);
    assert_int_equal(cap_table_insert_at(&table, CAP_TABLE_WINDOW, &edge, NULL, &id), TRANSPORT_OK);
    assert_int_equal(cap_id_slot(id), CAP_TABLE_WINDOW);
    assert_int_equal(cap_id_generation(id), cap_id_generation(old) + 1);
}

/* Behind the pages of slots are those of provenance: `origin` would pass for a held slot. */
static void no_slot_lies_behind_the_last(void **state)
{
    struct hold_edge edge = edge_make(NULL);
    struct provenance origin = {.from_name = "object", .from_cap = {1}};
    struct cap_id id;

    (void)state;
    origin.at_ns = cap_id_make(LIMIT_TABLE_SLOTS, 5).raw;
    assert_int_equal(cap_table_insert_at(&table, 0, &edge, &origin, &id), TRANSPORT_OK);
    id = cap_id_make(LIMIT_TABLE_SLOTS, 1);
    assert_null(cap_table_slot(&table, id));
    assert_int_equal(cap_table_id_error(&table, id), TRANSPORT_BAD_CAP);
    assert_int_equal(cap_table_token(&table, LIMIT_TABLE_SLOTS, 7, &id), TRANSPORT_BAD_CAP);
}

static void what_moves_is_told_as_it_was(void **state)
{
    struct cap_id id = insert(NULL);
    struct hold_edge edge = {0};

    (void)state;
    assert_int_equal(cap_table_move_begin(&table, id, &edge), TRANSPORT_OK);
    assert_ptr_equal(edge.object, &object);
    assert_int_equal(edge.interface_id, 7);
    cap_table_move_cancel(&table, id);
}

static void a_walk_looks_at_no_more_slots_than_it_was_told(void **state)
{
    struct cap_entry entry;
    struct hold_edge edge;
    uint32_t cursor = 0;
    bool found = true;

    (void)state;
    (void)insert(NULL);
    (void)insert(&node);
    assert_true(cap_table_next(&table, &cursor, 0, &entry, &found));
    assert_false(found);
    assert_int_equal(cursor, 0);
    found = true;
    assert_true(cap_table_bury_next(&table, &cursor, 0, &node, &edge, &found));
    assert_false(found);
    assert_int_equal(cursor, 0);
    cursor = CAP_TABLE_WINDOW;
    assert_true(cap_table_bury_next(&table, &cursor, 1, &node, &edge, &found));
    assert_false(found); /* the edge that was not delegated was looked at */
    assert_int_equal(cursor, CAP_TABLE_WINDOW + 1);
    assert_true(cap_table_bury_next(&table, &cursor, 1, &node, &edge, &found));
    assert_true(found);
    assert_ptr_equal(edge.object, &object);
}

/* Pages that are not there are one step each, so that the cursor is further than the steps. */
static void a_revoke_stops_where_its_steps_end(void **state)
{
    uint32_t steps = CAP_TABLE_WINDOW / CAP_TABLE_PAGE_SLOTS + 2;
    struct hold_edge edge;
    uint32_t cursor = 0;
    bool found = true;

    (void)state;
    (void)insert(NULL);
    (void)insert(&node);
    assert_true(cap_table_bury_next(&table, &cursor, steps, &node, &edge, &found));
    assert_false(found);
    assert_int_equal(cursor, CAP_TABLE_WINDOW + 1);
}

static void a_buried_edge_names_no_delegation(void **state)
{
    struct cap_id id = insert(&node);
    struct hold_edge edge;
    uint32_t cursor = 0;
    bool found;

    (void)state;
    assert_true(grant_revoke(&node));
    assert_true(cap_table_bury_next(&table, &cursor, UINT32_MAX, &node, &edge, &found));
    assert_true(found);
    assert_ptr_equal(edge.grant, &node);
    assert_int_equal(cap_table_remove(&table, id, &edge), TRANSPORT_OK);
    assert_null(edge.object);
    assert_null(edge.grant);
}

static void a_listed_edge_says_where_it_came_from(void **state)
{
    struct provenance origin = {.from_pid = 77, .origin = EDGE_ORIGIN_TRANSFER};
    struct hold_edge edge = edge_make(NULL);
    struct cap_entry entry;
    struct cap_id id;
    uint32_t cursor = CAP_TABLE_WINDOW;
    bool found = false;

    (void)state;
    assert_int_equal(cap_table_insert(&table, &edge, &origin, &id), TRANSPORT_OK);
    memset(&entry, 0xff, sizeof(entry));
    assert_true(cap_table_next(&table, &cursor, 1, &entry, &found));
    assert_true(found);
    assert_true(cap_id_equal(entry.id, id));
    assert_int_equal(entry.origin.from_pid, 77);
    assert_int_equal(entry.origin.origin, EDGE_ORIGIN_TRANSFER);
    assert_false(entry.revoked);
}

/* A slot is used again and again: what the kernel puts there is nobody's gift. */
static void what_the_kernel_makes_comes_from_nobody(void **state)
{
    struct provenance origin = {.from_pid = 77, .origin = EDGE_ORIGIN_TRANSFER};
    struct hold_edge edge = edge_make(&node);
    const struct provenance *found;
    const struct cap_slot *entry;
    struct cap_id id;

    (void)state;
    assert_int_equal(cap_table_insert(&table, &edge, &origin, &id), TRANSPORT_OK);
    entry = cap_table_slot(&table, id);
    drop(id);
    assert_null(entry->edge.object);
    assert_null(entry->edge.grant);
    id = insert(NULL);
    assert_ptr_equal(cap_table_slot(&table, id), entry);
    found = cap_table_origin(&table, id);
    assert_non_null(found);
    assert_int_equal(found->origin, EDGE_ORIGIN_KERNEL);
    assert_int_equal(found->from_pid, 0);
}

/* What is in a slot of the window when its edge has left, and in one that a revoke has emptied,
 * says of which interface it was. */
static void what_has_left_is_not_counted(void **state)
{
    struct hold_edge edge = edge_make(NULL);
    struct cap_id id;
    uint32_t cursor = 0;
    bool found;

    (void)state;
    assert_int_equal(cap_table_insert_at(&table, 3, &edge, NULL, &id), TRANSPORT_OK);
    (void)insert(&node);
    assert_int_equal(cap_table_count(&table, 7), 2);
    drop(id);
    assert_int_equal(cap_table_count(&table, 7), 1);
    assert_true(grant_revoke(&node));
    while (cap_table_bury_next(&table, &cursor, UINT32_MAX, &node, &edge, &found)) {
    }
    assert_int_equal(cap_table_count(&table, 7), 0);
}

static void an_id_is_a_name_with_all_its_bits(void **state)
{
    struct cap_id id = insert(NULL);
    const struct hold_edge *found;

    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        struct cap_id other = {id.raw ^ UINT64_C(1) << bit};

        assert_int_not_equal(cap_table_lookup(&table, other, &found), TRANSPORT_OK);
        assert_false(cap_slot_is_plain(cap_table_slot(&table, id), other));
        assert_int_equal(cap_table_token(&table, cap_id_slot(id), 7 ^ UINT64_C(1) << bit, &other),
                         TRANSPORT_WRONG_INTERFACE);
    }
    assert_int_equal(cap_table_lookup(&table, id, &found), TRANSPORT_OK);
}

static void half_a_page_leaves_nothing_behind(void **state)
{
    struct slot_pages pages = {.left = 1};
    struct cap_table poor;

    (void)state;
    cap_table_init(&poor, QUOTA, slot_memory(&pages));
    assert_int_equal(cap_table_reserve(&poor, 1), TRANSPORT_NO_MEMORY);
    assert_int_equal(pages.out, 0);
    assert_null(poor.page[CAP_TABLE_WINDOW / CAP_TABLE_PAGE_SLOTS]);
    assert_null(poor.cold[CAP_TABLE_WINDOW / CAP_TABLE_PAGE_SLOTS]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_retired_slot_is_never_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(id_zero_names_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stale_id_changes_no_flags, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stale_id_has_no_origin, setup, teardown),
        cmocka_unit_test_setup_teardown(a_revoked_edge_is_listed_as_revoked, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_slot_above_the_window_can_be_named, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_slot_lies_behind_the_last, setup, teardown),
        cmocka_unit_test_setup_teardown(what_moves_is_told_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_walk_looks_at_no_more_slots_than_it_was_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_revoke_stops_where_its_steps_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_buried_edge_names_no_delegation, setup, teardown),
        cmocka_unit_test_setup_teardown(a_listed_edge_says_where_it_came_from, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_kernel_makes_comes_from_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_left_is_not_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(an_id_is_a_name_with_all_its_bits, setup, teardown),
        cmocka_unit_test_setup_teardown(half_a_page_leaves_nothing_behind, setup, teardown),
    };

    return cmocka_run_group_tests_name("cap table refusals", tests, NULL, NULL);
}
