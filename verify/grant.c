/* SPDX-License-Identifier: MIT */
/*
 * Grants: nothing resolves after a revoke, ever.
 *
 * Any chain of delegations above an edge, of every length that is allowed, in any mixture of
 * states; an edge that remembers any epoch that it may remember; and a node beside the chain, for
 * what happens elsewhere in the tree. The invariant: an edge that remembers the tree's epoch has no
 * revoked node above it. Proved: the one compare and the walk answer exactly whether a node above
 * is revoked; every operation keeps the invariant, so that what is dead stays dead; what is
 * delegated under a dead edge is born dead; and a node that can still be revoked is never skipped.
 *
 * bound: chains of all 16 delegations; counts and epochs below 2^64 - 1
 * cbmc: core/grant.c
 * options: -I verify/shim --unwind 18
 * prove: prove_alive prove_revoke prove_dead_stays_dead prove_delegate prove_unref
 * quick: prove_revoke prove_delegate
 * twin: prove_alive | core/grant.c
 *     | if ((state_of(node) & GRANT_REVOKED) != 0) {
 *     | if (state_of(node) == GRANT_REVOKED) {
 * twin: prove_revoke | core/grant.c
 *     | atomic_add_u64(&node->tree->epoch, 1);
 *     | ;
 * twin: prove_dead_stays_dead | core/grant.h
 *     | if (!grant_walk(node)) {
 *     | if (node->state == GRANT_REVOKED) {
 * twin: prove_delegate | core/grant.c
 *     | node != NULL && state_of(node) == GRANT_SPLICED
 *     | node != NULL && (state_of(node) & GRANT_SPLICED) != 0
 * twin: prove_delegate | core/grant.c
 *     | parent != NULL && parent->depth >= GRANT_DEPTH_MAX
 *     | parent != NULL && parent->depth > GRANT_DEPTH_MAX
 * twin: prove_unref | core/grant.c
 *     | if (now != 0) {
 *     | if (now > 1) {
 */
#include "verify/prover.h"

#include "core/grant.h"

void prove_alive(void);
void prove_revoke(void);
void prove_dead_stays_dead(void);
void prove_delegate(void);
void prove_unref(void);

enum {
    CHAIN = GRANT_DEPTH_MAX,
    BOTTOM = CHAIN - 1,
};

static struct grant_tree tree;
/* The chain, upwards from the last to the first that is in use; each an object of its own. */
static struct grant_node node_0, node_1, node_2, node_3, node_4, node_5, node_6, node_7, node_8,
    node_9, node_10, node_11, node_12, node_13, node_14, node_15;
static struct grant_node *const node[CHAIN] = {
    &node_0, &node_1, &node_2,  &node_3,  &node_4,  &node_5,  &node_6,  &node_7,
    &node_8, &node_9, &node_10, &node_11, &node_12, &node_13, &node_14, &node_15};
static struct grant_node beside; /* a node of the tree that is not of the chain */
static unsigned first;
static uint64_t epoch; /* that the edge of node[BOTTOM] remembers */

static uint64_t any_count(void)
{
    uint64_t count = nondet_u64();

    __CPROVER_assume(count > 0 && count < UINT64_MAX - CHAIN);
    return count;
}

static struct grant_node any_node(struct grant_node *parent, uint32_t depth)
{
    return (struct grant_node){.tree = &tree,
                               .parent = parent,
                               .references = any_count(),
                               .state = nondet_u8() & (GRANT_REVOKED | GRANT_SPLICED),
                               .below = any_count(),
                               .depth = depth};
}

/* Whether a node of the chain is revoked: what the kernel's answer is compared with. */
static bool chain_is_revoked(void)
{
    bool revoked = false;

    for (unsigned i = 0; i < CHAIN; i++) {
        revoked = revoked || (i >= first && (node[i]->state & GRANT_REVOKED) != 0);
    }
    return revoked;
}

static bool edge_is_sound(uint64_t remembered)
{
    return remembered <= tree.epoch && (remembered != tree.epoch || !chain_is_revoked());
}

static void any_state(void)
{
    tree = (struct grant_tree){.epoch = any_count(), .nodes = any_count()};
    first = nondet_u8();
    __CPROVER_assume(first < CHAIN);
    for (unsigned i = 0; i < CHAIN; i++) {
        *node[i] = any_node(i <= first ? NULL : node[i - 1], i - first + 1);
    }
    beside = any_node(NULL, 1);
    epoch = nondet_u64();
    __CPROVER_assume(edge_is_sound(epoch));
}

/* Does something to any node of the chain, one by one: to the prover each is an object it knows. */
#define AT_ANY(index, action)                                                                      \
    do {                                                                                           \
        uint8_t chosen = nondet_u8();                                                              \
                                                                                                   \
        __CPROVER_assume(chosen >= first && chosen < CHAIN);                                       \
        for (unsigned index = 0; index < CHAIN; index++) {                                         \
            if (index == chosen) {                                                                 \
                action;                                                                            \
            }                                                                                      \
        }                                                                                          \
    } while (false)

void prove_alive(void)
{
    bool alive;

    any_state();
    alive = grant_is_alive(node[BOTTOM], &epoch);
    __CPROVER_assert(alive == !chain_is_revoked(), "alive exactly when nothing above is revoked");
    __CPROVER_assert(grant_walk(node[BOTTOM]) == alive, "and so says the walk");
    __CPROVER_assert(edge_is_sound(epoch), "what it remembers is sound");
}

void prove_revoke(void)
{
    uint64_t before = 0;
    bool was_first = false;

    any_state();
    AT_ANY(i, before = node[i]->state; was_first = grant_revoke(node[i]));
    __CPROVER_assert(was_first == ((before & GRANT_REVOKED) == 0), "the first says so");
    __CPROVER_assert(!grant_is_alive(node[BOTTOM], &epoch), "dead");
    __CPROVER_assert(!grant_is_alive(node[BOTTOM], &epoch), "and asked again");
}

/* Whatever one does with a tree, an edge that is dead in it stays dead, and none becomes unsound.
 */
void prove_dead_stays_dead(void)
{
    static struct grant_node made;
    bool dead;

    any_state();
    dead = chain_is_revoked();
    switch (nondet_u8() % 7) {
    case 0:
        (void)grant_delegate(&tree, node[BOTTOM], &made);
        break;
    case 1:
        AT_ANY(i, grant_ref(node[i]));
        break;
    case 2:
        (void)grant_revoke(&beside);
        break;
    case 3:
        AT_ANY(i, (void)grant_revoke(node[i]));
        dead = true;
        break;
    case 4:
        AT_ANY(i, __CPROVER_assume((node[i]->state & GRANT_SPLICED) == 0); grant_splice(node[i]));
        break;
    case 5: { /* another edge of the same node, with what it remembers */
        uint64_t other = nondet_u64();

        __CPROVER_assume(edge_is_sound(other));
        (void)grant_is_alive(node[BOTTOM], &other);
        __CPROVER_assert(edge_is_sound(other), "the other edge");
        break;
    }
    default: {
        uint64_t copy = epoch; /* a copy takes what its source remembers */

        (void)grant_is_alive(node[BOTTOM], &epoch);
        __CPROVER_assert(grant_is_alive(node[BOTTOM], &copy) == !dead, "a copy");
        break;
    }
    }
    __CPROVER_assert(chain_is_revoked() == dead, "a mark comes by a revoke alone, and never goes");
    __CPROVER_assert(edge_is_sound(epoch), "what it remembers is sound");
    __CPROVER_assert(grant_is_alive(node[BOTTOM], &epoch) == !dead, "dead for ever");
}

void prove_delegate(void)
{
    static struct grant_node made;
    uint64_t remembered;
    uint32_t handles;
    bool dead;

    any_state();
    dead = chain_is_revoked();
    remembered = epoch;
    handles = grant_depth(node[BOTTOM]);
    if (grant_delegate(&tree, node[BOTTOM], &made) != TRANSPORT_OK) {
        __CPROVER_assert(handles != 0, "a chain of which nothing counts is never too deep");
        __CPROVER_assert(node[BOTTOM]->depth == GRANT_DEPTH_MAX || first == 0, "deep");
        return;
    }
    __CPROVER_assert(made.depth >= 1 && made.depth <= GRANT_DEPTH_MAX, "its depth");
    __CPROVER_assert(made.parent == NULL || made.depth == made.parent->depth + 1, "one below");
    __CPROVER_assert(grant_is_alive(&made, &remembered) == !dead, "dead under what is dead");
    if (!dead) {
        AT_ANY(i, __CPROVER_assume((node[i]->state & GRANT_SPLICED) == 0);
               (void)grant_revoke(node[i]));
        __CPROVER_assert(!grant_is_alive(&made, &remembered), "whoever has a handle can revoke it");
    }
}

static unsigned freed;

/* Called from the youngest upwards. */
static void node_freed(struct grant_node *gone)
{
    __CPROVER_assert(gone == node[BOTTOM - freed], "in order, each once");
    __CPROVER_assert(gone->references == 0, "nobody holds it");
    freed++;
}

void prove_unref(void)
{
    static uint64_t before[CHAIN];
    uint64_t nodes;

    any_state();
    nodes = tree.nodes;
    __CPROVER_assume(nodes > CHAIN);
    for (unsigned i = 0; i < CHAIN; i++) {
        before[i] = node[i]->references;
        /* A node is below each node above it; nothing is below one that is about to go. */
        __CPROVER_assume(node[i]->below >= BOTTOM - i);
        __CPROVER_assume(node[i]->references != 1 || node[i]->below == BOTTOM - i);
    }
    node[BOTTOM]->below = 0;
    __CPROVER_assume(node[BOTTOM]->references == 1 || !nondet_bool());
    grant_unref(node[BOTTOM], node_freed);
    __CPROVER_assert(tree.nodes == nodes - freed, "the tree counts them");
    __CPROVER_assert(freed <= CHAIN - first, "the chain's alone");
    for (unsigned i = 0; i < CHAIN; i++) {
        unsigned from_bottom = BOTTOM - i;

        if (i >= first && from_bottom < freed) {
            __CPROVER_assert(before[i] == 1, "the last reference");
        } else if (i >= first) {
            __CPROVER_assert(node[i]->references == before[i] - (from_bottom == freed), "one less");
        }
    }
}
