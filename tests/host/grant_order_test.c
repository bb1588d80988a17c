/* SPDX-License-Identifier: MIT */
/*
 * Every place where another CPU can come between two memory accesses of a check or of a revoke: the
 * atomic shim is replaced by one that runs the other side before the nth access, for every n,
 * whole. What must hold afterwards: an edge, and a copy made of it while the revoke was under way,
 * are dead once both sides are through. Swapping the mark and the epoch, reading the epoch last, or
 * giving a copy the current epoch each fail here.
 */
#define ABI_ATOMIC_H
#include "abi/compiler.h"

static unsigned accesses_left; /* until the other side runs; 0: it has run, or does not */
static void (*other_side)(void);

static inline void access_point(void)
{
    if (accesses_left > 0 && --accesses_left == 0) {
        other_side();
    }
}

static inline uint64_t atomic_load_acquire_u64(const uint64_t *word)
{
    access_point();
    return *word;
}

static inline uint64_t atomic_load_relaxed_u64(const uint64_t *word)
{
    access_point();
    return *word;
}

static inline uint64_t atomic_add_u64(uint64_t *word, uint64_t amount)
{
    access_point();
    *word += amount;
    return *word;
}

static inline uint64_t atomic_or_u64(uint64_t *word, uint64_t bits)
{
    uint64_t before;

    access_point();
    before = *word;
    *word |= bits;
    return before;
}

#include "core/cap_table.c"
#include "core/grant.c"

#include "tests/host/slot_pages.h"
#include "tests/host/support.h"

enum {
    DEPTH = 3,
    POINTS = 40, /* more accesses than either side makes */
};

static struct grant_tree tree;
static struct grant_node node[DEPTH];
static struct grant_node more;
static struct cap_table table;
static struct cap_id source;
static struct cap_id copy;      /* of the source; raw 0: none was made */
static struct cap_id delegated; /* from the source; raw 0: none was made */
static unsigned revoked;
static bool stale;  /* the edge was last found alive before some other revoke: it has to walk */
static bool splice; /* the handle goes as soon as it has revoked */
static int object;

static void setup(void)
{
    struct hold_edge edge = {.object = &object,
                             .interface_id = 7,
                             .facet = 7,
                             .mode = EDGE_MODE_COPY,
                             .grant = &node[DEPTH - 1]};

    accesses_left = 0;
    copy.raw = 0;
    delegated.raw = 0;
    grant_tree_init(&tree);
    for (unsigned i = 0; i < DEPTH; i++) {
        assert_int_equal(grant_delegate(&tree, i == 0 ? NULL : &node[i - 1], &node[i]),
                         TRANSPORT_OK);
    }
    edge.epoch = tree.epoch;
    tree.epoch += stale;
    cap_table_init(&table, 16, slot_memory(NULL));
    assert_int_equal(cap_table_insert(&table, &edge, NULL, &source), TRANSPORT_OK);
}

static void teardown(void)
{
    struct hold_edge edge;
    uint32_t cursor = 0;

    while (cap_table_remove_next(&table, &cursor, &edge)) {
    }
    cap_table_free(&table);
}

static void revoke(void)
{
    (void)grant_revoke(&node[revoked]);
    if (splice) {
        grant_splice(&node[revoked]);
    }
}

/* A lookup, then a copy and a delegation of what it found, as the kernel makes them. */
static void use(void)
{
    const struct hold_edge *found;
    struct hold_edge edge;

    if (cap_table_lookup(&table, source, &found) != TRANSPORT_OK) {
        return;
    }
    edge = *found;
    assert_int_equal(cap_table_insert(&table, &edge, NULL, &copy), TRANSPORT_OK);
    if (grant_delegate(&tree, edge.grant, &more) == TRANSPORT_OK) {
        edge.grant = &more;
        assert_int_equal(cap_table_insert(&table, &edge, NULL, &delegated), TRANSPORT_OK);
    }
}

static void expect_dead(struct cap_id id)
{
    const struct hold_edge *found;

    if (id.raw != 0) {
        assert_int_equal(cap_table_lookup(&table, id, &found), TRANSPORT_REVOKED);
        assert_int_equal(cap_table_lookup(&table, id, &found), TRANSPORT_REVOKED);
    }
}

static void interleave_one(void (*one)(void), void (*other)(void))
{
    for (revoked = 0; revoked < DEPTH; revoked++) {
        for (unsigned point = 1; point < POINTS; point++) {
            setup();
            other_side = other;
            accesses_left = point;
            one();
            if (accesses_left > 0) {
                accesses_left = 0;
                other();
            }
            expect_dead(source);
            expect_dead(copy);
            expect_dead(delegated);
            teardown();
        }
    }
}

static void interleave(void (*one)(void), void (*other)(void))
{
    for (unsigned variant = 0; variant < 4; variant++) {
        stale = variant % 2 != 0;
        splice = variant / 2 != 0;
        interleave_one(one, other);
    }
    stale = false;
    splice = false;
}

static void test_revoke_during_use(void **state)
{
    (void)state;
    interleave(use, revoke);
}

static void test_use_during_revoke(void **state)
{
    (void)state;
    interleave(revoke, use);
}

/* An edge of a sibling that was found alive before, during and after stays so. */
static void test_sibling_survives(void **state)
{
    struct grant_node sibling;
    uint64_t epoch;

    (void)state;
    for (unsigned point = 1; point < POINTS; point++) {
        setup();
        assert_int_equal(grant_delegate(&tree, &node[0], &sibling), TRANSPORT_OK);
        epoch = tree.epoch - point % 2;
        revoked = 1;
        other_side = revoke;
        accesses_left = point;
        assert_true(grant_is_alive(&sibling, &epoch));
        assert_true(grant_is_alive(&sibling, &epoch));
        accesses_left = 0;
        teardown();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_revoke_during_use),
        cmocka_unit_test(test_use_during_revoke),
        cmocka_unit_test(test_sibling_survives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
