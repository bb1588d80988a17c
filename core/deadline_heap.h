/* SPDX-License-Identifier: MIT */
/*
 * A binary heap of deadlines, linked through its nodes: the earliest is at hand in constant time,
 * insertion and removal take a logarithmic number of steps. Nodes are members of the waiting
 * objects, so there is room for every one of them. Locking is the caller's. Invariants in
 * deadline_heap.c.
 */
#ifndef CORE_DEADLINE_HEAP_H
#define CORE_DEADLINE_HEAP_H

#include "core/status.h"

/* A zeroed node is in no heap. */
struct deadline_node {
    uint64_t deadline_ns;
    struct deadline_node *parent; /* the root: itself; NULL: in no heap */
    struct deadline_node *left;
    struct deadline_node *right;
};

struct deadline_heap {
    struct deadline_node *root;
    uint32_t count;
};

/* An empty heap. */
void deadline_heap_init(struct deadline_heap *heap);

/* Inserts a node that is in no heap; it stays the caller's and is not freed before it is out again.
 */
void deadline_heap_insert(struct deadline_heap *heap, struct deadline_node *node,
                          uint64_t deadline_ns);

/* Takes out a node that is in this heap. */
void deadline_heap_remove(struct deadline_heap *heap, struct deadline_node *node);

/* The node with the earliest deadline, or NULL. Equal deadlines come in no particular order. */
MUST_USE struct deadline_node *deadline_heap_peek(const struct deadline_heap *heap);

/* Takes out the earliest node if its deadline is `now_ns` or before; else NULL. */
MUST_USE struct deadline_node *deadline_heap_pop_due(struct deadline_heap *heap, uint64_t now_ns);

MUST_USE static inline bool deadline_node_is_queued(const struct deadline_node *node)
{
    return node->parent != NULL;
}

/* 0, or the number of the first broken invariant. */
MUST_USE unsigned deadline_heap_check(const struct deadline_heap *heap);

#endif
