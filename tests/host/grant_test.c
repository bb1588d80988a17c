/* SPDX-License-Identifier: MIT */
/*
 * Delegations one at a time: depth, splicing, counts, what the check finds, and the rules for
 * passing edges on (seed of the delegation rules: needs the right to grant and strips it).
 */
#include "tests/host/support.h"

#include "core/cap_table.h"

static struct grant_tree tree;
static unsigned nodes_freed;

static void node_free(struct grant_node *node)
{
    nodes_freed++;
    memset(node, 0xee, sizeof(*node));
}

/* A chain of `count` delegations, each below the one before. */
static void chain(struct grant_node *node, unsigned count)
{
    grant_tree_init(&tree);
    nodes_freed = 0;
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(grant_delegate(&tree, i == 0 ? NULL : &node[i - 1], &node[i]),
                         TRANSPORT_OK);
        assert_int_equal(grant_check(&node[i]), 0);
    }
}

/* Revoked at every place of chains of 1, 3 and GRANT_DEPTH_MAX: what lies at or below it is dead,
 * what lies above lives. */
static void test_revoke_at_every_depth(void **state)
{
    static const unsigned lengths[] = {1, 3, GRANT_DEPTH_MAX};
    struct grant_node node[GRANT_DEPTH_MAX];

    (void)state;
    for (unsigned l = 0; l < ARRAY_COUNT(lengths); l++) {
        for (unsigned revoked = 0; revoked < lengths[l]; revoked++) {
            chain(node, lengths[l]);
            assert_true(grant_revoke(&node[revoked]));
            assert_false(grant_revoke(&node[revoked]));
            assert_int_equal(tree.epoch, 2);
            for (unsigned i = 0; i < lengths[l]; i++) {
                uint64_t epoch = 1;

                assert_int_equal(grant_is_alive(&node[i], &epoch), i < revoked);
                assert_int_equal(epoch, i < revoked ? 2 : 1);
                assert_int_equal(grant_is_below(&node[i], &node[revoked]), i >= revoked);
                assert_int_equal(node[i].below, lengths[l] - 1 - i);
            }
        }
    }
}

/* True is said to whoever set the mark, whatever else the node is. */
static void test_who_revokes_first_is_told(void **state)
{
    struct grant_node node;

    (void)state;
    chain(&node, 1);
    grant_splice(&node);
    assert_true(grant_revoke(&node));
    assert_false(grant_walk(&node));
    assert_int_equal(tree.epoch, 2);
    assert_false(grant_revoke(&node));
    assert_int_equal(tree.epoch, 2);
}

static void test_one_more_is_refused(void **state)
{
    struct grant_node node[GRANT_DEPTH_MAX];
    struct grant_node more = {0};

    (void)state;
    chain(node, GRANT_DEPTH_MAX);
    assert_int_equal(grant_delegate(&tree, &node[GRANT_DEPTH_MAX - 1], &more), TRANSPORT_LIMIT);
    assert_null(more.tree);
    assert_int_equal(node[GRANT_DEPTH_MAX - 1].references, 1);
    assert_int_equal(tree.nodes, GRANT_DEPTH_MAX);
    assert_int_equal(grant_check(&node[GRANT_DEPTH_MAX - 1]), 0);
}

/* A handle that went leaves room for one more below, and takes nothing from those above. */
static void test_splice(void **state)
{
    struct grant_node node[GRANT_DEPTH_MAX];
    struct grant_node more;

    (void)state;
    chain(node, GRANT_DEPTH_MAX);
    grant_splice(&node[GRANT_DEPTH_MAX - 1]);
    assert_int_equal(grant_depth(&node[GRANT_DEPTH_MAX - 1]), GRANT_DEPTH_MAX - 1);
    assert_int_equal(grant_delegate(&tree, &node[GRANT_DEPTH_MAX - 1], &more), TRANSPORT_OK);
    assert_ptr_equal(more.parent, &node[GRANT_DEPTH_MAX - 2]);
    assert_true(grant_walk(&more));
    assert_true(grant_revoke(&node[0]));
    assert_false(grant_walk(&more));
    assert_false(grant_walk(&node[GRANT_DEPTH_MAX - 1]));
}

/* Two delegations of one object: the second does not fall with the first. */
static void test_siblings_are_revoked_apart(void **state)
{
    struct grant_node one;
    struct grant_node other;
    uint64_t epoch = 1;

    (void)state;
    grant_tree_init(&tree);
    assert_int_equal(grant_delegate(&tree, NULL, &one), TRANSPORT_OK);
    assert_int_equal(grant_delegate(&tree, NULL, &other), TRANSPORT_OK);
    assert_true(grant_revoke(&one));
    assert_true(grant_is_alive(&other, &epoch));
    epoch = 1;
    assert_false(grant_is_alive(&one, &epoch));
    assert_false(grant_is_below(&other, &one));
}

static void test_nodes_go_with_the_last_reference(void **state)
{
    struct grant_node node[3];

    (void)state;
    chain(node, 3);
    grant_unref(&node[0], node_free); /* the handles of the two above */
    grant_unref(&node[1], node_free);
    assert_int_equal(nodes_freed, 0);
    assert_int_equal(tree.nodes, 3);
    grant_ref(&node[2]);
    grant_unref(&node[2], node_free);
    assert_int_equal(nodes_freed, 0);
    grant_unref(&node[2], node_free);
    assert_int_equal(nodes_freed, 3);
    assert_int_equal(tree.nodes, 0);
}

static void unref_once_more(void *argument)
{
    grant_unref(argument, node_free);
}

static void ref_the_dead(void *argument)
{
    grant_ref(argument);
}

static void test_mistakes_are_caught(void **state)
{
    struct grant_node node[2];

    (void)state;
    chain(node, 2);
    node[1].references = 0;
    assert_true(test_asserts(unref_once_more, &node[1]));
    node[1].references = 0;
    assert_true(test_asserts(ref_the_dead, &node[1]));
    chain(node, 2);
    node[1].depth = 1;
    assert_int_equal(grant_check(&node[1]), 1);
    chain(node, 2);
    node[0].below = 2;
    assert_int_equal(grant_check(&node[1]), 2);
    chain(node, 2);
    node[0].state = 4;
    assert_int_equal(grant_check(&node[1]), 3);
}

/* Of `bits` modulo 6: an edge of each mode, with the right to grant and without. */
static struct hold_edge edge_of(unsigned bits)
{
    static int object;

    return (struct hold_edge){.object = &object,
                              .interface_id = 5,
                              .facet = 6,
                              .badge = 7,
                              .epoch = 8,
                              .mode = (uint8_t)(bits % 3),
                              .grantable = bits / 3 % 2,
                              .flags = EDGE_CLOSE_ON_SPAWN};
}

/* Every mode, leaving or not, with the right kept or not: what the receiver gets. */
static void test_passing(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 24; bits++) {
        struct hold_edge from = edge_of(bits);
        struct edge_passing passing = {
            .facet = 2, .leaving = bits / 6 % 2 != 0, .keep_grant = bits / 12 % 2 != 0};
        bool allowed =
            from.mode == EDGE_MODE_COPY || (from.mode == EDGE_MODE_MOVE && passing.leaving);
        struct hold_edge to;

        if (passing.keep_grant && from.grantable == 0) {
            allowed = false;
        }
        assert_int_equal(hold_edge_pass(&from, &passing, &to),
                         allowed ? TRANSPORT_OK : TRANSPORT_NOT_GRANTABLE);
        if (allowed) {
            assert_int_equal(to.mode, passing.keep_grant ? from.mode : EDGE_MODE_NONE);
            assert_int_equal(to.grantable, passing.keep_grant);
            assert_int_equal(to.facet, 2);
            assert_int_equal(to.flags, 0);
            passing.facet = 1;
            assert_int_equal(hold_edge_pass(&from, &passing, &to), TRANSPORT_NO_METHOD);
        }
    }
}

/* The short form says what the long one does, of every mode, with the right to grant and without.
 */
static void test_passing_a_copy(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 6; bits++) {
        struct hold_edge from = edge_of(bits);
        struct edge_passing passing = {.facet = from.facet};
        struct hold_edge expected = {.badge = 99};
        struct hold_edge to = expected;
        bool passes = hold_edge_pass(&from, &passing, &expected) == TRANSPORT_OK;

        assert_int_equal(hold_edge_pass_copy(&from, &to), passes);
        assert_memory_equal(&to, &expected, sizeof(to));
    }
}

/* A descriptor goes one hop: it arrives in a window without the right to grant or not at all. */
static void test_passing_into_a_window(void **state)
{
    int object;
    struct hold_edge from = {.object = &object, .facet = 6, .mode = EDGE_MODE_COPY, .grantable = 1};
    struct edge_passing passing = {.facet = 6, .descriptor = true};
    struct hold_edge to;

    (void)state;
    assert_int_equal(hold_edge_pass(&from, &passing, &to), TRANSPORT_OK);
    assert_int_equal(to.grantable, 0);
    passing.keep_grant = true;
    assert_int_equal(hold_edge_pass(&from, &passing, &to), TRANSPORT_NOT_GRANTABLE);
    passing.descriptor = false;
    assert_int_equal(hold_edge_pass(&from, &passing, &to), TRANSPORT_OK);
    assert_int_equal(to.grantable, 1);
}

static enum gift_error gift_expected(const struct hold_edge *from, const struct edge_gift *gift)
{
    if (from->mode != EDGE_MODE_COPY) {
        return GIFT_ERROR_NOT_GRANTABLE;
    }
    if (gift->mode != EDGE_MODE_NONE && (from->grantable == 0 || gift->mode > EDGE_MODE_MOVE)) {
        return GIFT_ERROR_MODE;
    }
    return gift->grantable && gift->descriptor ? GIFT_ERROR_NOT_DESCRIPTOR : GIFT_OK;
}

/* Every mode of the source and of the gift, with the right and without, in the window or not. */
static void test_giving(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 96; bits++) {
        struct hold_edge from = edge_of(bits);
        struct edge_gift gift = {.mode = (uint8_t)(bits / 6 % 4), .descriptor = bits / 24 % 2 != 0};
        struct hold_edge to = {.badge = 99};
        enum gift_error expected;

        gift.grantable = bits / 48 != 0 && gift.mode != EDGE_MODE_NONE;
        expected = gift_expected(&from, &gift);
        assert_int_equal(hold_edge_give(&from, &gift, &to), expected);
        if (expected != GIFT_OK) {
            assert_int_equal(to.badge, 99);
            continue;
        }
        assert_ptr_equal(to.object, from.object);
        assert_int_equal(to.interface_id, 5);
        assert_int_equal(to.facet, 6);
        assert_int_equal(to.badge, 7);
        assert_int_equal(to.epoch, 8);
        assert_int_equal(to.mode, gift.mode);
        assert_int_equal(to.grantable, gift.grantable);
        assert_int_equal(to.flags, 0); /* the giver's own */
    }
}

/* Facet and badge of a gift, and which refusal comes first when several are due. */
static void test_giving_no_more(void **state)
{
    int object;
    struct hold_edge from = {.object = &object, .facet = 6, .badge = 7, .mode = EDGE_MODE_COPY};
    struct edge_gift gift = {.facet = 2, .narrows = true, .badge = 7};
    struct hold_edge to;

    (void)state;
    assert_int_equal(hold_edge_give(&from, &gift, &to), GIFT_OK);
    assert_int_equal(to.facet, 2);
    gift.facet = 1;
    gift.mode = EDGE_MODE_COUNT;
    gift.grantable = true;
    gift.descriptor = true;
    gift.badge = 8;
    assert_int_equal(hold_edge_give(&from, &gift, &to), GIFT_ERROR_FACET);
    gift.narrows = false; /* the facet does not count then */
    assert_int_equal(hold_edge_give(&from, &gift, &to), GIFT_ERROR_MODE);
    gift.mode = EDGE_MODE_COPY;
    assert_int_equal(hold_edge_give(&from, &gift, &to), GIFT_ERROR_MODE);
    from.grantable = 1;
    assert_int_equal(hold_edge_give(&from, &gift, &to), GIFT_ERROR_BADGE);
    gift.badge = 0;
    assert_int_equal(hold_edge_give(&from, &gift, &to), GIFT_ERROR_NOT_DESCRIPTOR);
    gift.descriptor = false;
    assert_int_equal(hold_edge_give(&from, &gift, &to), GIFT_OK);
    assert_int_equal(to.facet, 6);
    assert_int_equal(to.badge, 7);
    from.mode = EDGE_MODE_MOVE; /* the giver keeps its own */
    assert_int_equal(hold_edge_give(&from, &gift, &to), GIFT_ERROR_NOT_GRANTABLE);
}

static void give_right_without_mode(void *argument)
{
    struct edge_gift gift = {.mode = EDGE_MODE_NONE, .grantable = true};
    struct hold_edge to;

    assert_int_equal(hold_edge_give(argument, &gift, &to), GIFT_OK);
}

static void test_a_right_without_mode_is_a_mistake(void **state)
{
    struct hold_edge from = {.mode = EDGE_MODE_COPY, .grantable = 1};

    (void)state;
    assert_true(test_asserts(give_right_without_mode, &from));
}

/* What the kernel may call of what a parent names: of a client's edge the method it has, of an
 * owner's what that could make; never more, and never to be passed on. */
static void test_telling(void **state)
{
    enum {
        TOLD = 5,
        OWNER = 9,
        METHOD = 3,
        MINT = 2,
    };
    static const struct edge_method mint = {OWNER, MINT};

    (void)state;
    for (unsigned bits = 0; bits < 24; bits++) {
        bool owner = bits / 12 % 2 != 0;
        int object;
        struct hold_edge from = {.object = &object,
                                 .interface_id = owner ? OWNER : TOLD,
                                 .facet = UINT64_C(1) << (owner ? MINT : METHOD) | 1,
                                 .badge = 7,
                                 .mode = (uint8_t)(bits % 3),
                                 .grantable = bits / 3 % 2,
                                 .flags = EDGE_CLOSE_ON_SPAWN};
        struct edge_telling telling = {.told = {TOLD, METHOD}, .owner = owner ? &mint : NULL};
        bool allowed = owner || from.mode == EDGE_MODE_COPY;
        struct hold_edge to = {.badge = 99};

        if (bits / 6 % 2 != 0) {
            from.facet = CAP_FACET_ALL;
        }
        assert_int_equal(hold_edge_tell(&from, &telling, &to),
                         allowed ? TRANSPORT_OK : TRANSPORT_NOT_GRANTABLE);
        if (allowed) {
            assert_ptr_equal(to.object, &object);
            assert_int_equal(to.interface_id, TOLD);
            assert_int_equal(to.facet, 1 << METHOD);
            assert_int_equal(to.badge, owner ? 0 : 7);
            assert_int_equal(to.mode, EDGE_MODE_NONE);
            assert_int_equal(to.grantable, 0);
            assert_int_equal(to.flags, 0);
        }
        from.facet = ~(UINT64_C(1) << (owner ? MINT : METHOD)) & 0xff;
        assert_int_equal(hold_edge_tell(&from, &telling, &to), TRANSPORT_NO_METHOD);
        from.interface_id = owner ? TOLD : OWNER;
        assert_int_equal(hold_edge_tell(&from, &telling, &to), TRANSPORT_WRONG_INTERFACE);
    }
}

static void test_facets(void **state)
{
    (void)state;
    assert_true(facet_is_within(0, 0));
    assert_true(facet_is_within(5, 7));
    assert_false(facet_is_within(5, 4));
    assert_true(facet_is_within(5, CAP_FACET_ALL));
    assert_true(facet_is_within(CAP_FACET_ALL, CAP_FACET_ALL));
    assert_false(facet_is_within(CAP_FACET_ALL, CAP_FACET_ALL >> 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_revoke_at_every_depth),
        cmocka_unit_test(test_who_revokes_first_is_told),
        cmocka_unit_test(test_one_more_is_refused),
        cmocka_unit_test(test_splice),
        cmocka_unit_test(test_siblings_are_revoked_apart),
        cmocka_unit_test(test_nodes_go_with_the_last_reference),
        cmocka_unit_test(test_mistakes_are_caught),
        cmocka_unit_test(test_passing),
        cmocka_unit_test(test_passing_a_copy),
        cmocka_unit_test(test_passing_into_a_window),
        cmocka_unit_test(test_giving),
        cmocka_unit_test(test_giving_no_more),
        cmocka_unit_test(test_a_right_without_mode_is_a_mistake),
        cmocka_unit_test(test_telling),
        cmocka_unit_test(test_facets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
