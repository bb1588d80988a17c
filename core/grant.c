/* SPDX-License-Identifier: MIT */
/*
 * Grants.
 *
 * Purpose: whoever hands an edge on can keep a handle, and by it take the edge back at one stroke,
 * together with everything that was made of it: copies, copies of copies, through processes that
 * died in between.
 *
 * Vocabulary. A delegation is a node. Every edge names the youngest delegation that it came
 * through, or none; plain copies name the same one as their source. DELEGATE makes a node below the
 * one of its source edge. An edge is dead when its node or one above it is revoked.
 *
 *   made (grant_delegate) -> revoked (grant_revoke)
 *                         -> spliced (grant_splice: the handle went without a revoke)
 *   and freed once no edge, use, node below or handle refers to it, in whatever state.
 *
 * Constant time. To revoke is to set one bit and to count the tree's epoch up. An edge remembers
 * the epoch at which it was last found alive; while the tree's epoch is still that one, nothing in
 * the tree was revoked since and one compare is the whole check. Otherwise the walk looks at its at
 * most GRANT_DEPTH_MAX nodes once, and the edge remembers again.
 *
 * Order. The mark is set first and the epoch counted second; a check reads the epoch first and the
 * marks second, and remembers the epoch that it read. So a check that sees the new epoch sees the
 * mark, and one that read the old epoch and missed the mark remembers an epoch that is over: the
 * next check walks. A new edge takes the remembered epoch of its source, never the current one, or
 * a revoke between the source's check and the new edge would be forgotten.
 *
 * Invariants:
 *  1. A node's parent belongs to the same tree, and its depth is one less; without a parent that is
 *     1. No node is deeper than GRANT_DEPTH_MAX. Both are fixed, so a walk needs no lock: each node
 *     holds a reference of its parent.
 *  2. references is not 0 while anybody can reach the node; `below` of a node counts those nodes
 *     whose ancestor it is, and is never above the tree's count of other nodes.
 *  3. State bits come and never go; the epoch only grows.
 *
 * Splicing. A node whose handle is gone cannot be revoked, so it may be skipped: it is, when a new
 * node looks for its parent. Older nodes and edges keep it alive until they go. So an edge pins at
 * most GRANT_DEPTH_MAX nodes that nobody is charged for, which its slot's price covers.
 *
 * Locks: none. What can fail: depth alone.
 */
#include "core/grant.h"

#include "core/assert.h"

void grant_tree_init(struct grant_tree *tree)
{
    tree->epoch = 1;
    tree->nodes = 0;
}

static uint64_t state_of(const struct grant_node *node)
{
    return atomic_load_acquire_u64(&node->state);
}

/* The youngest delegation from `node` upwards that still has a handle or was revoked. */
static struct grant_node *unspliced(struct grant_node *node)
{
    while (node != NULL && state_of(node) == GRANT_SPLICED) {
        node = node->parent;
    }
    return node;
}

enum transport_error grant_delegate(struct grant_tree *tree, struct grant_node *parent,
                                    struct grant_node *node)
{
    parent = unspliced(parent);
    ASSERT(parent == NULL || parent->tree == tree);
    if (parent != NULL && parent->depth >= GRANT_DEPTH_MAX) {
        return TRANSPORT_LIMIT;
    }
    *node = (struct grant_node){.tree = tree,
                                .parent = parent,
                                .references = 1,
                                .depth = parent == NULL ? 1 : parent->depth + 1};
    grant_ref(parent);
    atomic_add_u64(&tree->nodes, 1);
    for (; parent != NULL; parent = parent->parent) {
        atomic_add_u64(&parent->below, 1);
    }
    return TRANSPORT_OK;
}

void grant_ref(struct grant_node *node)
{
    if (node != NULL) {
        uint64_t now = atomic_add_u64(&node->references, 1);

        ASSERT(now > 1);
    }
}

void grant_unref(struct grant_node *node, void (*node_free)(struct grant_node *node))
{
    while (node != NULL) {
        struct grant_node *parent = node->parent;
        uint64_t now = atomic_add_u64(&node->references, UINT64_MAX);

        ASSERT(now != UINT64_MAX);
        if (now != 0) {
            return;
        }
        ASSERT(atomic_load_relaxed_u64(&node->below) == 0);
        for (struct grant_node *above = parent; above != NULL; above = above->parent) {
            uint64_t below = atomic_add_u64(&above->below, UINT64_MAX);

            ASSERT(below != UINT64_MAX);
        }
        now = atomic_add_u64(&node->tree->nodes, UINT64_MAX);
        ASSERT(now != UINT64_MAX);
        node_free(node);
        node = parent;
    }
}

bool grant_revoke(struct grant_node *node)
{
    bool first = (atomic_or_u64(&node->state, GRANT_REVOKED) & GRANT_REVOKED) == 0;

    if (first) {
        atomic_add_u64(&node->tree->epoch, 1);
    }
    return first;
}

void grant_splice(struct grant_node *node)
{
    uint64_t before = atomic_or_u64(&node->state, GRANT_SPLICED);

    ASSERT((before & GRANT_SPLICED) == 0);
}

bool grant_walk(const struct grant_node *node)
{
    /*@ loop invariant chain(node) && (revoked(node) <==> revoked(\at(node, Pre)));
        loop invariant node != \null ==> node->depth + steps <= GRANT_DEPTH_MAX;
        loop assigns node, steps;
        loop variant GRANT_DEPTH_MAX + 1 - steps;
     */
    for (unsigned steps = 0; node != NULL; steps++) {
        ASSERT(steps < GRANT_DEPTH_MAX);
        if ((state_of(node) & GRANT_REVOKED) != 0) {
            return false;
        }
        node = node->parent;
    }
    return true;
}

bool grant_is_below(const struct grant_node *node, const struct grant_node *above)
{
    while (node != NULL && node->depth > above->depth) {
        node = node->parent;
    }
    return node == above;
}

uint32_t grant_depth(const struct grant_node *node)
{
    uint32_t depth = 0;

    for (; node != NULL; node = node->parent) {
        depth += state_of(node) != GRANT_SPLICED;
    }
    return depth;
}

unsigned grant_check(const struct grant_node *node)
{
    for (; node != NULL; node = node->parent) {
        const struct grant_node *parent = node->parent;

        if (node->depth == 0 || node->depth > GRANT_DEPTH_MAX ||
            node->depth != (parent == NULL ? 1 : parent->depth + 1) ||
            (parent != NULL && parent->tree != node->tree)) {
            return 1;
        }
        if (atomic_load_relaxed_u64(&node->references) == 0 ||
            atomic_load_relaxed_u64(&node->below) >= atomic_load_relaxed_u64(&node->tree->nodes)) {
            return 2;
        }
        if ((state_of(node) & ~(uint64_t)(GRANT_REVOKED | GRANT_SPLICED)) != 0 ||
            atomic_load_relaxed_u64(&node->tree->epoch) == 0) {
            return 3;
        }
    }
    return 0;
}
