/* SPDX-License-Identifier: MIT */
/*
 * What is made of an edge, field by field: each field of the source has a value of its own, and
 * what comes out is compared whole. The delegation and the epoch at which it was last alive go
 * along with everything, or a revocation would miss what was made.
 * And the step that tells where an edge came from, likewise.
 */
#include "tests/host/support.h"

#include "core/hold_edge.h"
#include "core/provenance.h"

static int object;
static struct grant_tree tree;
static struct grant_node node;

/* An edge of which no field is 0. */
static struct hold_edge edge_full(void)
{
    return (struct hold_edge){.object = &object,
                              .interface_id = 5,
                              .facet = 6,
                              .badge = 7,
                              .grant = &node,
                              .epoch = 8,
                              .mode = EDGE_MODE_COPY,
                              .grantable = 1,
                              .flags = EDGE_CLOSE_ON_SPAWN};
}

/* The same edge passed on: no flags, one hop, of the methods `facet`. */
static struct hold_edge edge_passed(uint64_t facet)
{
    struct hold_edge edge = edge_full();

    edge.facet = facet;
    edge.mode = EDGE_MODE_NONE;
    edge.grantable = 0;
    edge.flags = 0;
    return edge;
}

static void assert_edge(const struct hold_edge *edge, const struct hold_edge *expected)
{
    assert_ptr_equal(edge->object, expected->object);
    assert_int_equal(edge->interface_id, expected->interface_id);
    assert_int_equal(edge->facet, expected->facet);
    assert_int_equal(edge->badge, expected->badge);
    assert_ptr_equal(edge->grant, expected->grant);
    assert_int_equal(edge->epoch, expected->epoch);
    assert_int_equal(edge->mode, expected->mode);
    assert_int_equal(edge->grantable, expected->grantable);
    assert_int_equal(edge->flags, expected->flags);
}

static int setup(void **state)
{
    (void)state;
    grant_tree_init(&tree);
    assert_int_equal(grant_delegate(&tree, NULL, &node), TRANSPORT_OK);
    return 0;
}

static void a_copy_is_the_same_but_for_its_flags(void **state)
{
    struct hold_edge from = edge_full();
    struct hold_edge expected = edge_full();
    struct hold_edge to = {.badge = 99};

    (void)state;
    expected.flags = 0;
    hold_edge_copy(&from, &to);
    assert_edge(&to, &expected);
    assert_int_equal(hold_edge_duplicate(&from, CAP_FACET_ALL, &to), TRANSPORT_OK);
    assert_edge(&to, &expected);
    expected.facet = 2;
    assert_int_equal(hold_edge_duplicate(&from, 2, &to), TRANSPORT_OK);
    assert_edge(&to, &expected);
}

static void what_answers_with_itself_is_not_passed_on_and_is_revoked_with_it(void **state)
{
    struct hold_edge from = edge_full();
    struct hold_edge expected = edge_passed(from.facet);
    struct hold_edge to;

    (void)state;
    memset(&to, 0xff, sizeof(to));
    hold_edge_repeat(&from, &to);
    assert_edge(&to, &expected);
    to.epoch = 1;
    assert_true(hold_edge_is_alive(&to));
    assert_true(grant_revoke(&node));
    assert_false(hold_edge_is_alive(&to));
}

static void what_is_passed_on_keeps_its_delegation(void **state)
{
    struct hold_edge from = edge_full();
    struct hold_edge expected = edge_passed(4);
    struct edge_passing passing = {.facet = 4};
    struct hold_edge to;

    (void)state;
    assert_int_equal(hold_edge_pass(&from, &passing, &to), TRANSPORT_OK);
    assert_edge(&to, &expected);
    passing.keep_grant = true;
    expected.mode = EDGE_MODE_COPY;
    expected.grantable = 1;
    assert_int_equal(hold_edge_pass(&from, &passing, &to), TRANSPORT_OK);
    assert_edge(&to, &expected);
}

static void what_is_given_keeps_its_delegation(void **state)
{
    struct hold_edge from = edge_full();
    struct hold_edge expected = edge_passed(4);
    struct edge_gift gift = {.facet = 4, .narrows = true, .mode = EDGE_MODE_MOVE};
    struct hold_edge to;

    (void)state;
    expected.mode = EDGE_MODE_MOVE;
    assert_int_equal(hold_edge_give(&from, &gift, &to), GIFT_OK);
    assert_edge(&to, &expected);
    for (unsigned bit = 0; bit < 64; bit++) { /* a badge is one with all its bits */
        gift.badge = from.badge ^ UINT64_C(1) << bit;
        assert_int_equal(hold_edge_give(&from, &gift, &to), GIFT_ERROR_BADGE);
    }
}

static void what_the_kernel_tells_is_revoked_with_what_it_was_named_by(void **state)
{
    static const struct edge_method owner = {5, 1};
    struct hold_edge from = edge_full();
    struct hold_edge expected = edge_passed(4);
    struct edge_telling telling = {.told = {5, 2}};
    struct hold_edge to;

    (void)state;
    assert_int_equal(hold_edge_tell(&from, &telling, &to), TRANSPORT_OK);
    assert_edge(&to, &expected);
    telling.owner = &owner;
    telling.told.interface_id = 9;
    expected.interface_id = 9;
    expected.badge = 0;
    assert_int_equal(hold_edge_tell(&from, &telling, &to), TRANSPORT_OK);
    assert_edge(&to, &expected);
}

/* Facets have 64 bits, and each is looked at. */
static void every_method_has_its_bit(void **state)
{
    struct hold_edge edge = edge_full();

    (void)state;
    for (uint16_t method = 0; method < 64; method++) {
        edge.facet = UINT64_C(1) << method;
        assert_false(facet_is_within(edge.facet, ~edge.facet));
        assert_true(facet_is_within(edge.facet, edge.facet));
        for (uint16_t other = 0; other < 66; other++) {
            assert_int_equal(hold_edge_permits(&edge, 5, other),
                             other == method ? TRANSPORT_OK : TRANSPORT_NO_METHOD);
        }
    }
}

static void a_step_names_the_process_it_came_from(void **state)
{
    static const char name[LIMIT_NAME_BYTES] = "giver";
    struct provenance step = {.method = 7, .origin = EDGE_ORIGIN_RESULT};
    struct provenance copy;
    uint64_t largest = (UINT64_C(1) << 40) - 1;

    (void)state;
    provenance_from(&step, largest, name);
    assert_true(step.from_pid == largest);
    assert_memory_equal(step.from_name, name, sizeof(name));
    assert_int_equal(step.method, 7);
    assert_int_equal(step.origin, EDGE_ORIGIN_RESULT);
    step.detail = 9;
    step.at_ns = 11;
    memset(&copy, 0, sizeof(copy));
    provenance_copy(&copy, &step, (struct cap_id){13});
    assert_true(copy.from_pid == largest);
    assert_memory_equal(copy.from_name, name, sizeof(name));
    assert_int_equal(copy.method, 7);
    assert_int_equal(copy.origin, EDGE_ORIGIN_RESULT);
    assert_int_equal(copy.detail, 9);
    assert_true(copy.from_cap.raw == 13 && copy.at_ns == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_copy_is_the_same_but_for_its_flags, setup),
        cmocka_unit_test_setup(what_answers_with_itself_is_not_passed_on_and_is_revoked_with_it,
                               setup),
        cmocka_unit_test_setup(what_is_passed_on_keeps_its_delegation, setup),
        cmocka_unit_test_setup(what_is_given_keeps_its_delegation, setup),
        cmocka_unit_test_setup(what_the_kernel_tells_is_revoked_with_what_it_was_named_by, setup),
        cmocka_unit_test(every_method_has_its_bit),
        cmocka_unit_test(a_step_names_the_process_it_came_from),
    };

    return cmocka_run_group_tests_name("hold edge", tests, NULL, NULL);
}
