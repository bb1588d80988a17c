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
    assert_int_equal(cap_table_lookup(&table, (struct cap_id){0}, &found), TRANSPORT_BAD_CAP);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_retired_slot_is_never_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(id_zero_names_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stale_id_changes_no_flags, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stale_id_has_no_origin, setup, teardown),
        cmocka_unit_test_setup_teardown(a_revoked_edge_is_listed_as_revoked, setup, teardown),
    };

    return cmocka_run_group_tests_name("cap table refusals", tests, NULL, NULL);
}
