/* SPDX-License-Identifier: MIT */
/*
 * Grants: which delegations an edge came through, and whether one of them was revoked. Theory in
 * grant.c. Every function may run on any CPU at any time without a lock: states and counts are
 * atomic, everything else is fixed when a node is made.
 */
#ifndef CORE_GRANT_H
#define CORE_GRANT_H

#include "abi/atomic.h"
#include "abi/errors.h"
#include "abi/limits.h"

enum {
    GRANT_DEPTH_MAX = LIMIT_GRANT_DEPTH, /* delegations between an object and an edge */
};

/* All delegations of one object. Lives in the object. */
struct grant_tree {
    uint64_t epoch; /* atomic: revocations in this tree so far, from 1 */
    uint64_t nodes; /* atomic: nodes that exist */
};

/* One delegation. It lives as long as an edge, a use in flight, a node below or its handle holds a
 * reference; each of these holds a reference of the object, so the tree outlives its nodes. */
struct grant_node {
    struct grant_tree *tree;   /* fixed */
    struct grant_node *parent; /* fixed; holds a reference. NULL: the object's first owner */
    uint64_t references;       /* atomic */
    uint64_t state;            /* atomic, bits only come: GRANT_REVOKED, GRANT_SPLICED */
    uint64_t below;            /* atomic: nodes below this one that exist */
    uint32_t depth;            /* fixed: 1 to GRANT_DEPTH_MAX */
    uint32_t spare;
};

enum {
    GRANT_REVOKED = 1, /* nothing below resolves any more */
    GRANT_SPLICED = 2, /* its handle is gone: nobody can revoke it any more */
};

void grant_tree_init(struct grant_tree *tree);

/*
 * Makes `node`, memory of the caller, a delegation under `parent`: the grant of the edge that is
 * delegated, found alive, or NULL for an edge that was never delegated. The new node has one
 * reference, the handle's. LIMIT: GRANT_DEPTH_MAX delegations lie above already; nothing changed.
 */
MUST_USE enum transport_error grant_delegate(struct grant_tree *tree, struct grant_node *parent,
                                             struct grant_node *node);

/* One more reference; `node` may be NULL. The caller holds one, or the lock of a table with one. */
void grant_ref(struct grant_node *node);

/* Gives a reference back; `node` may be NULL. Nodes that lose their last one go to `node_free`, at
 * most GRANT_DEPTH_MAX of them. */
void grant_unref(struct grant_node *node, void (*node_free)(struct grant_node *node));

/* The mark, constant time: from here on nothing below resolves. True: this call set it. */
bool grant_revoke(struct grant_node *node);

/* The handle is gone without a revoke: the node keeps its place and stops counting as a delegation
 * for those made below from now on. */
void grant_splice(struct grant_node *node);

/* Whether neither `node` (NULL: yes) nor a node above it is revoked: the walk, at most
 * GRANT_DEPTH_MAX steps. */
MUST_USE bool grant_walk(const struct grant_node *node);

/* Whether `node` is `above` or lies below it. */
MUST_USE bool grant_is_below(const struct grant_node *node, const struct grant_node *above);

/* Delegations that an edge of `node` came through and that can still be revoked. */
MUST_USE uint32_t grant_depth(const struct grant_node *node);

/*
 * Whether an edge or a use of `node` that remembers `*epoch` is alive: one compare while nothing in
 * the tree was revoked since; else the walk, and *epoch is renewed. The epoch is read first, so a
 * revoke during the walk is seen by the next question.
 */
MUST_USE static inline bool grant_is_alive(const struct grant_node *node, uint64_t *epoch)
{
    uint64_t now;

    if (node == NULL) {
        return true;
    }
    now = atomic_load_acquire_u64(&node->tree->epoch);
    if (LIKELY(now == *epoch)) {
        return true;
    }
    if (!grant_walk(node)) {
        return false;
    }
    *epoch = now;
    return true;
}

/* 0, or the number of the first broken invariant of grant.c, for `node` and those above it. */
MUST_USE unsigned grant_check(const struct grant_node *node);

#endif
