/* SPDX-License-Identifier: MIT */
/*
 * The capability table against a model that remembers every id ever given out: what is held
 * resolves to its edge, everything else to BAD_CAP or STALE_CAP, for ever.
 */
#include "tests/host/support.h"

#include "core/cap_slot.h"
#include "core/cap_table.h"
#include "tests/host/slot_pages.h"

#define IDS   4096u
#define QUOTA 200u

struct given {
    struct cap_id id;
    uint64_t badge;
    bool held;
};

static struct cap_table table;
static struct given given[IDS];
static size_t given_count;
static size_t held_count;
static int object;
static struct slot_pages supply;

static void setup(uint32_t quota, unsigned pages)
{
    given_count = 0;
    held_count = 0;
    supply.left = pages;
    cap_table_init(&table, quota, slot_memory(&supply));
}

static void teardown(void)
{
    struct hold_edge edge;
    uint32_t cursor = 0;

    while (cap_table_remove_next(&table, &cursor, &edge)) {
        assert_ptr_equal(edge.object, &object);
    }
    cap_table_free(&table);
    assert_int_equal(supply.out, 0);
}

static enum transport_error insert(uint64_t badge)
{
    struct hold_edge edge = {.object = &object, .interface_id = 7, .facet = badge, .badge = badge};
    enum transport_error error = cap_table_insert(&table, &edge, NULL, &given[given_count].id);

    if (error == TRANSPORT_OK) {
        given[given_count].badge = badge;
        given[given_count].held = true;
        given_count++;
        held_count++;
    }
    return error;
}

/* The two questions that decide most lookups agree with the lookup. */
static void questions_compare(struct cap_id id, enum transport_error error)
{
    const struct cap_slot *slot = cap_table_slot(&table, id);

    assert_int_equal(cap_slot_is_plain(slot, id), error == TRANSPORT_OK);
    if (cap_slot_is_past(slot, id)) {
        assert_int_equal(error, TRANSPORT_STALE_CAP);
    }
    if (error == TRANSPORT_STALE_CAP && cap_id_generation(id) != CAP_GENERATION_MAX) {
        assert_true(cap_slot_is_past(slot, id));
    }
}

static void compare(const struct given *expected)
{
    const struct hold_edge *edge;
    enum transport_error error = cap_table_lookup(&table, expected->id, &edge);

    questions_compare(expected->id, error);
    if (!expected->held && cap_id_generation(expected->id) < CAP_GENERATION_MAX) {
        struct cap_id next =
            cap_id_make(cap_id_slot(expected->id), cap_id_generation(expected->id) + 1);

        questions_compare(next, cap_table_lookup(&table, next, &edge));
    }
    if (expected->held) {
        assert_int_equal(error, TRANSPORT_OK);
        assert_int_equal(edge->badge, expected->badge);
    } else {
        assert_int_equal(error, TRANSPORT_STALE_CAP);
    }
}

static void test_model(void **state)
{
    struct test_random random;

    (void)state;
    setup(QUOTA, 2 * CAP_TABLE_PAGES);
    test_random_init(&random, 5);
    while (given_count < IDS - 1) {
        if (held_count < QUOTA && test_random_below(&random, 100) < 55) {
            assert_int_equal(insert(test_random_u64(&random)), TRANSPORT_OK);
        } else if (given_count > 0) {
            struct given *one = &given[test_random_below(&random, given_count)];
            struct hold_edge edge;
            enum transport_error error = cap_table_remove(&table, one->id, &edge);

            assert_int_equal(error, one->held ? TRANSPORT_OK : TRANSPORT_STALE_CAP);
            held_count -= one->held;
            one->held = false;
        }
        assert_int_equal(cap_table_check(&table), 0);
        assert_int_equal(table.used, held_count);
        for (unsigned i = 0; i < 4 && given_count > 0; i++) {
            compare(&given[test_random_below(&random, given_count)]);
        }
    }
    for (size_t i = 0; i < given_count; i++) {
        compare(&given[i]);
    }
    teardown();
}

static void test_ids_never_given(void **state)
{
    struct test_random random;
    const struct hold_edge *edge;

    (void)state;
    setup(QUOTA, 2 * CAP_TABLE_PAGES);
    assert_int_equal(insert(1), TRANSPORT_OK);
    assert_int_equal(cap_table_lookup(&table, (struct cap_id){0}, &edge), TRANSPORT_BAD_CAP);
    for (uint32_t slot = 0; slot < CAP_TABLE_WINDOW; slot++) {
        assert_int_equal(cap_table_lookup(&table, cap_id_make(slot, 1), &edge), TRANSPORT_BAD_CAP);
    }
    assert_int_equal(cap_table_lookup(&table, cap_id_make(CAP_TABLE_WINDOW, 2), &edge),
                     TRANSPORT_BAD_CAP);
    assert_int_equal(cap_table_lookup(&table, cap_id_make(CAP_TABLE_WINDOW, 0), &edge),
                     TRANSPORT_BAD_CAP);
    assert_int_equal(cap_table_lookup(&table, cap_id_make(CAP_TABLE_WINDOW + 1, 1), &edge),
                     TRANSPORT_BAD_CAP);
    assert_int_equal(cap_table_lookup(&table, cap_id_make(CAP_SLOT_MAX, 1), &edge),
                     TRANSPORT_BAD_CAP);
    test_random_init(&random, 9);
    for (unsigned i = 0; i < 100000; i++) {
        struct cap_id id = {test_random_u64(&random)};

        if (!cap_id_equal(id, given[0].id)) {
            enum transport_error error = cap_table_lookup(&table, id, &edge);

            assert_int_not_equal(error, TRANSPORT_OK);
            questions_compare(id, error);
        }
    }
    for (uint32_t slot = 0; slot <= CAP_TABLE_WINDOW + 1; slot++) {
        for (uint64_t generation = 0; generation < 3; generation++) {
            struct cap_id id = cap_id_make(slot, generation);

            questions_compare(id, cap_table_lookup(&table, id, &edge));
        }
    }
    teardown();
}

static void test_quota_and_memory(void **state)
{
    (void)state;
    setup(3, 2 * CAP_TABLE_PAGES);
    assert_int_equal(cap_table_reserve(&table, 2), TRANSPORT_OK);
    assert_int_equal(insert(1), TRANSPORT_OK);
    assert_int_equal(insert(2), TRANSPORT_LIMIT);
    assert_int_equal(cap_table_reserve(&table, 1), TRANSPORT_LIMIT);
    cap_table_unreserve(&table, 2);
    assert_int_equal(insert(2), TRANSPORT_OK);
    assert_int_equal(cap_table_check(&table), 0);
    teardown();
    setup(QUOTA, 2);
    assert_int_equal(cap_table_reserve(&table, CAP_TABLE_PAGE_SLOTS + 1), TRANSPORT_NO_MEMORY);
    assert_int_equal(table.reserved, 0);
    for (unsigned i = 0; i < CAP_TABLE_PAGE_SLOTS; i++) {
        assert_int_equal(insert(i), TRANSPORT_OK);
    }
    assert_int_equal(insert(0), TRANSPORT_NO_MEMORY);
    assert_int_equal(cap_table_check(&table), 0);
    teardown();
}

/* One in which every field says something. */
static struct hold_edge whole_edge(void)
{
    return (struct hold_edge){.object = &object,
                              .interface_id = 7,
                              .facet = 5,
                              .badge = 9,
                              .mode = EDGE_MODE_COPY,
                              .grantable = 1,
                              .flags = EDGE_CLOSE_ON_SPAWN};
}

/* The short way of DUP and RELEASE: the same edge under another id, quota and pages that are there
 * permitting; and out again, with the id stale. */
static void test_duplicate_and_vacate(void **state)
{
    struct hold_edge edge = whole_edge();
    const struct hold_edge *copy;
    struct provenance *origin = NULL;
    struct cap_slot *source;
    struct cap_id first;
    struct cap_id second;

    (void)state;
    setup(2, 2 * CAP_TABLE_PAGES);
    assert_int_equal(cap_table_insert(&table, &edge, NULL, &first), TRANSPORT_OK);
    source = cap_table_resolve(&table, first);
    assert_true(room_is_there(&table));
    second = slot_repeat(&table, source, true, &origin);
    assert_int_equal(cap_table_lookup(&table, second, &copy), TRANSPORT_OK);
    assert_int_not_equal(second.raw, first.raw);
    assert_ptr_equal(origin, cap_table_origin(&table, second));
    edge.flags = 0; /* the holder's mark of one edge is not the other's */
    assert_memory_equal(copy, &edge, sizeof(edge));
    assert_int_equal(cap_table_check(&table), 0);
    assert_false(room_is_there(&table)); /* quota */
    cap_table_vacate(&table, cap_table_resolve(&table, second));
    assert_int_equal(cap_table_lookup(&table, second, &copy), TRANSPORT_STALE_CAP);
    assert_int_equal(cap_table_check(&table), 0);
    assert_int_equal(cap_table_reserve(&table, 1), TRANSPORT_OK);
    assert_false(room_is_there(&table)); /* what is reserved */
    cap_table_unreserve(&table, 1);
    assert_true(room_is_there(&table));
    assert_int_equal(cap_id_slot(slot_repeat(&table, source, true, &origin)), cap_id_slot(second));
    teardown();
    setup(QUOTA, 2);
    assert_int_equal(cap_table_insert(&table, &edge, NULL, &first), TRANSPORT_OK);
    for (unsigned i = 1; i < CAP_TABLE_PAGE_SLOTS; i++) {
        source = cap_table_resolve(&table, first);
        assert_true(room_is_there(&table));
        assert_int_not_equal(slot_repeat(&table, source, true, &origin).raw, 0);
    }
    assert_false(room_is_there(&table)); /* no page is there */
    assert_int_equal(cap_table_check(&table), 0);
    teardown();
}

/* An object answers with itself: the same edge, without the right to pass it on. */
static void test_repeat(void **state)
{
    struct hold_edge edge = whole_edge();
    const struct hold_edge *found;
    struct provenance *origin = NULL;
    struct cap_slot *source;
    struct cap_id first;
    struct cap_id second;

    (void)state;
    setup(2, 2 * CAP_TABLE_PAGES);
    assert_int_equal(cap_table_insert(&table, &edge, NULL, &first), TRANSPORT_OK);
    source = cap_table_resolve(&table, first);
    second = cap_table_repeat(&table, source, &origin);
    assert_int_equal(cap_table_lookup(&table, second, &found), TRANSPORT_OK);
    assert_ptr_equal(origin, cap_table_origin(&table, second));
    assert_memory_equal(&source->edge, &edge, sizeof(edge));
    edge.mode = EDGE_MODE_NONE;
    edge.grantable = 0;
    edge.flags = 0;
    assert_memory_equal(found, &edge, sizeof(edge));
    assert_int_equal(cap_table_check(&table), 0);
    assert_int_equal(cap_table_repeat(&table, source, &origin).raw, 0); /* quota */
    assert_int_equal(cap_table_check(&table), 0);
    teardown();
}

/* What arrives leaves the reservation to who made it as long as there is other room. */
static void test_insert_over(void **state)
{
    const struct hold_edge edge = {
        .object = &object, .interface_id = 7, .facet = 5, .mode = EDGE_MODE_NONE};
    const struct provenance origin = {.origin = EDGE_ORIGIN_RESULT, .detail = 9};
    const struct hold_edge *found;
    uint32_t reserved = 2;
    struct cap_id id;

    (void)state;
    setup(3, 2 * CAP_TABLE_PAGES);
    assert_int_equal(cap_table_reserve(&table, 2), TRANSPORT_OK);
    id = cap_table_insert_over(&table, &edge, &origin, &reserved);
    assert_int_equal(reserved, 2);
    assert_int_equal(table.reserved, 2);
    assert_int_equal(cap_table_lookup(&table, id, &found), TRANSPORT_OK);
    assert_memory_equal(found, &edge, sizeof(edge));
    assert_memory_equal(cap_table_origin(&table, id), &origin, sizeof(origin));
    (void)cap_table_insert_over(&table, &edge, &origin, &reserved); /* the quota */
    assert_int_equal(reserved, 1);
    assert_int_equal(table.reserved, 1);
    assert_int_equal(cap_table_check(&table), 0);
    teardown();
    setup(QUOTA, 2);
    assert_int_equal(cap_table_reserve(&table, CAP_TABLE_PAGE_SLOTS), TRANSPORT_OK);
    reserved = CAP_TABLE_PAGE_SLOTS;
    (void)cap_table_insert_over(&table, &edge, &origin, &reserved); /* no page is there */
    assert_int_equal(reserved, CAP_TABLE_PAGE_SLOTS - 1);
    assert_int_equal(table.reserved, CAP_TABLE_PAGE_SLOTS - 1);
    assert_int_equal(cap_table_check(&table), 0);
    cap_table_unreserve(&table, reserved);
    teardown();
}

/* A slot that passes is as after an edge that came and went, one free slot or several. */
static void test_pass(void **state)
{
    struct hold_edge edge = {.object = &object, .interface_id = 7, .facet = 5};
    struct hold_edge out;
    struct cap_id wanted[8];
    struct cap_id id;

    (void)state;
    for (unsigned free = 1; free <= 3; free++) {
        for (unsigned way = 0; way < 2; way++) {
            setup(QUOTA, 2);
            for (unsigned i = 0; i < free; i++) {
                assert_int_equal(insert(i), TRANSPORT_OK);
            }
            assert_int_equal(cap_table_reserve(&table, 1), TRANSPORT_OK);
            assert_int_equal(slot_pass(&table).raw, 0); /* no slot was used before */
            for (unsigned i = 0; i < free; i++) {
                assert_int_equal(cap_table_remove(&table, given[i].id, &out), TRANSPORT_OK);
            }
            for (unsigned i = 0; i < ARRAY_COUNT(wanted); i++) {
                if (way == 0) {
                    id = cap_table_insert_reserved(&table, &edge, NULL);
                    assert_int_equal(cap_table_remove(&table, id, &out), TRANSPORT_OK);
                    assert_int_equal(cap_table_reserve(&table, 1), TRANSPORT_OK);
                    wanted[i] = id;
                } else {
                    assert_int_equal(slot_pass(&table).raw, wanted[i].raw);
                    assert_int_equal(table.reserved, 1);
                }
                questions_compare(wanted[i], TRANSPORT_STALE_CAP);
                assert_int_equal(cap_table_check(&table), 0);
            }
            cap_table_unreserve(&table, 1);
            teardown();
        }
    }
}

static void pass_unreserved(void *context)
{
    (void)context;
    (void)slot_pass(&table);
}

/* Nothing passes in whose stead nobody reserved, nor the last generation. */
static void test_pass_refused(void **state)
{
    struct hold_edge out;
    struct cap_slot *slot;

    (void)state;
    setup(QUOTA, 2);
    assert_int_equal(insert(1), TRANSPORT_OK);
    slot = cap_table_slot(&table, given[0].id);
    assert_int_equal(cap_table_remove(&table, given[0].id, &out), TRANSPORT_OK);
    assert_true(test_asserts(pass_unreserved, NULL));
    assert_int_equal(cap_table_reserve(&table, 1), TRANSPORT_OK);
    slot->name = CAP_GENERATION_MAX << CAP_SLOT_BITS | slot_link(slot);
    assert_int_equal(slot_pass(&table).raw, 0);
    slot->name -= UINT64_C(1) << CAP_SLOT_BITS;
    assert_int_equal(cap_id_generation(slot_pass(&table)), CAP_GENERATION_MAX - 1);
    assert_int_equal(slot_pass(&table).raw, 0);
    assert_int_equal(cap_table_check(&table), 0);
    cap_table_unreserve(&table, 1);
    teardown();
}

/* What lies in the window goes one hop, and so does what is made of it. */
static void test_descriptors_are_not_grantable(void **state)
{
    const struct hold_edge edge = {.object = &object,
                                   .interface_id = 7,
                                   .facet = CAP_FACET_ALL,
                                   .mode = EDGE_MODE_COPY,
                                   .grantable = 1};
    const struct hold_edge *found;
    struct hold_edge copy;
    struct cap_id id[2];

    (void)state;
    setup(QUOTA, 2 * CAP_TABLE_PAGES);
    assert_int_equal(cap_table_insert_window(&table, &edge, NULL, &id[0]), TRANSPORT_OK);
    assert_int_equal(cap_table_insert_at(&table, 3, &edge, NULL, &id[1]), TRANSPORT_OK);
    for (unsigned i = 0; i < ARRAY_COUNT(id); i++) {
        assert_int_equal(cap_table_lookup(&table, id[i], &found), TRANSPORT_OK);
        assert_int_equal(found->mode, EDGE_MODE_COPY);
        assert_int_equal(found->grantable, 0);
        assert_int_equal(hold_edge_duplicate(found, CAP_FACET_ALL, &copy), TRANSPORT_OK);
        assert_int_equal(copy.grantable, 0);
    }
    assert_int_equal(cap_table_check(&table), 0);
    cap_table_resolve(&table, id[1])->edge.grantable = 1;
    assert_int_equal(cap_table_check(&table), 7);
    teardown();
}

static void test_slot_retires(void **state)
{
    struct hold_edge edge;

    (void)state;
    setup(QUOTA, 2 * CAP_TABLE_PAGES);
    assert_int_equal(insert(1), TRANSPORT_OK);
    assert_int_equal(cap_table_remove(&table, given[0].id, &edge), TRANSPORT_OK);
    struct cap_slot *slot = &table.page[CAP_TABLE_WINDOW / CAP_TABLE_PAGE_SLOTS][0];

    slot->name = CAP_GENERATION_MAX << CAP_SLOT_BITS | (slot->name & CAP_SLOT_MAX);
    assert_int_equal(insert(2), TRANSPORT_OK);
    assert_int_equal(cap_id_slot(given[1].id), CAP_TABLE_WINDOW);
    assert_int_equal(cap_table_remove(&table, given[1].id, &edge), TRANSPORT_OK);
    given[0].held = false;
    given[1].held = false;
    assert_int_equal(table.retired, 1);
    compare(&given[0]);
    compare(&given[1]);
    assert_int_equal(insert(3), TRANSPORT_OK);
    assert_int_not_equal(cap_id_slot(given[2].id), CAP_TABLE_WINDOW);
    compare(&given[0]);
    compare(&given[1]);
    assert_int_equal(cap_table_check(&table), 0);
    teardown();
}

static void test_reuse_is_first_in_first_out(void **state)
{
    struct hold_edge edge;

    (void)state;
    setup(QUOTA, 2 * CAP_TABLE_PAGES);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(insert(i), TRANSPORT_OK);
    }
    assert_int_equal(cap_table_remove(&table, given[2].id, &edge), TRANSPORT_OK);
    assert_int_equal(cap_table_remove(&table, given[0].id, &edge), TRANSPORT_OK);
    assert_int_equal(insert(8), TRANSPORT_OK);
    assert_int_equal(insert(9), TRANSPORT_OK);
    assert_int_equal(cap_id_slot(given[3].id), cap_id_slot(given[2].id));
    assert_int_equal(cap_id_slot(given[4].id), cap_id_slot(given[0].id));
    teardown();
}

static void test_permits(void **state)
{
    struct hold_edge edge = {.object = &object, .interface_id = 7, .facet = 5};

    (void)state;
    assert_int_equal(hold_edge_permits(&edge, 7, 0), TRANSPORT_OK);
    assert_int_equal(hold_edge_permits(&edge, 7, 1), TRANSPORT_NO_METHOD);
    assert_int_equal(hold_edge_permits(&edge, 7, 2), TRANSPORT_OK);
    assert_int_equal(hold_edge_permits(&edge, 7, 64), TRANSPORT_NO_METHOD);
    assert_int_equal(hold_edge_permits(&edge, 8, 0), TRANSPORT_WRONG_INTERFACE);
    edge.facet = CAP_FACET_ALL;
    assert_int_equal(hold_edge_permits(&edge, 7, UINT16_MAX), TRANSPORT_OK);
    edge.facet = 0;
    assert_int_equal(hold_edge_permits(&edge, 7, 0), TRANSPORT_NO_METHOD);
}

/* Flags are the holder's own, and no duplicate has them. */
static void test_flags(void **state)
{
    const struct hold_edge *edge;
    struct hold_edge copy;

    (void)state;
    setup(QUOTA, 2);
    assert_int_equal(insert(3), TRANSPORT_OK);
    assert_int_equal(cap_table_set_flags(&table, given[0].id, EDGE_CLOSE_ON_SPAWN), TRANSPORT_OK);
    assert_int_equal(cap_table_lookup(&table, given[0].id, &edge), TRANSPORT_OK);
    assert_int_equal(edge->flags, EDGE_CLOSE_ON_SPAWN);
    assert_int_equal(hold_edge_duplicate(edge, CAP_FACET_ALL, &copy), TRANSPORT_OK);
    assert_int_equal(copy.flags, 0);
    assert_int_equal(cap_table_set_flags(&table, given[0].id, 0), TRANSPORT_OK);
    assert_int_equal(edge->flags, 0);
    teardown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_ids_never_given),
        cmocka_unit_test(test_quota_and_memory),
        cmocka_unit_test(test_duplicate_and_vacate),
        cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_insert_over),
        cmocka_unit_test(test_pass),
        cmocka_unit_test(test_pass_refused),
        cmocka_unit_test(test_descriptors_are_not_grantable),
        cmocka_unit_test(test_slot_retires),
        cmocka_unit_test(test_reuse_is_first_in_first_out),
        cmocka_unit_test(test_permits),
        cmocka_unit_test(test_flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
