/* SPDX-License-Identifier: MIT */
/*
 * A binary heap of deadlines over an array the caller reserved: the earliest is at hand in constant
 * time, insertion and removal take a logarithmic number of steps and never allocate. Nodes are
 * members of the waiting objects. Locking is the caller's. Invariants in deadline_heap.c.
 */
#ifndef CORE_DEADLINE_HEAP_H
#define CORE_DEADLINE_HEAP_H

#include "core/status.h"

/* A zeroed node is in no heap. */
struct deadline_node {
    uint64_t deadline_ns;
    uint32_t place; /* index in the heap plus 1; 0: in no heap */
};

struct deadline_heap {
    struct deadline_node **slot;
    uint32_t capacity;
    uint32_t count;
};

/* An empty heap over `capacity` pointers at `slots`, which stay the heap's. */
void deadline_heap_init(struct deadline_heap *heap, struct deadline_node **slots,
                        uint32_t capacity);

/*
 * Inserts a node that is in no heap; it stays the caller's and is not freed before it is out again.
 * Errors: LIMIT (full).
 */
MUST_USE enum status deadline_heap_insert(struct deadline_heap *heap, struct deadline_node *node,
                                          uint64_t deadline_ns);

/* Takes out a node that is in this heap. */
void deadline_heap_remove(struct deadline_heap *heap, struct deadline_node *node);

/* Gives a node that is in this heap another deadline. */
void deadline_heap_move(struct deadline_heap *heap, struct deadline_node *node,
                        uint64_t deadline_ns);

/* The node with the earliest deadline, or NULL. Equal deadlines come in no particular order. */
MUST_USE struct deadline_node *deadline_heap_peek(const struct deadline_heap *heap);

/* Takes out the earliest node if its deadline is `now_ns` or before; else NULL. */
MUST_USE struct deadline_node *deadline_heap_pop_due(struct deadline_heap *heap, uint64_t now_ns);

MUST_USE static inline bool deadline_node_is_queued(const struct deadline_node *node)
{
    return node->place != 0;
}

/* 0, or the number of the first broken invariant. */
MUST_USE unsigned deadline_heap_check(const struct deadline_heap *heap);

#endif
