/* SPDX-License-Identifier: MIT */
/*
 * The deadline heap.
 *
 * Purpose: the earliest of many deadlines at once, with a cost that does not grow faster than their
 * number's logarithm (17 steps for 65,536 sleepers), from nodes that lie in whatever sleeps. Who
 * has a node has a place: arming a timer cannot fail, and nobody can use up what another needs.
 *
 * The nodes are the numbers 1 to count of a complete binary tree: 2k and 2k + 1 are the children of
 * k, so the bits of k below its highest tell the way from the root, 0 left and 1 right. A node goes
 * in and out at the last number; any other that is taken out is replaced by the last, which then
 * changes places with its parent or with its earlier child until it fits.
 *
 * Invariants:
 * 1. The tree has exactly the numbers 1 to count.
 * 2. A node's deadline is not before its parent's.
 * 3. A node's parent names it; the root is its own parent, a node in no heap has none.
 *
 * Locks: none here; the kernel holds the timer lock of the CPU. Nothing can fail.
 */
#include "core/deadline_heap.h"

#include "core/assert.h"
#include "core/bits.h"

void deadline_heap_init(struct deadline_heap *heap)
{
    *heap = (struct deadline_heap){.count = 0};
}

/* The node of this number, or NULL where the tree is broken. */
static struct deadline_node *node_find(const struct deadline_heap *heap, uint32_t number)
{
    struct deadline_node *node = heap->root;

    ASSERT(number != 0);
    for (unsigned bit = bit_highest(number); bit > 0 && node != NULL; bit--) {
        node = (number >> (bit - 1) & 1) == 0 ? node->left : node->right;
    }
    return node;
}

/* `child` (NULL: nobody) is on the left or right of `parent`. */
static void child_set(struct deadline_node *parent, bool left, struct deadline_node *child)
{
    if (left) {
        parent->left = child;
    } else {
        parent->right = child;
    }
    if (child != NULL) {
        child->parent = parent;
    }
}

/* What named `old` from above names `node`. */
static void place_take(struct deadline_heap *heap, const struct deadline_node *old,
                       struct deadline_node *node)
{
    if (heap->root == old) {
        heap->root = node;
        node->parent = node;
    } else {
        child_set(old->parent, old->parent->left == old, node);
    }
}

/* `node`, which is not the root, changes places with its parent. */
static void rise(struct deadline_heap *heap, struct deadline_node *node)
{
    struct deadline_node *parent = node->parent;
    struct deadline_node *left = node->left;
    struct deadline_node *right = node->right;
    bool was_left = parent->left == node;

    ASSERT(was_left || parent->right == node);
    place_take(heap, parent, node);
    child_set(node, !was_left, was_left ? parent->right : parent->left);
    child_set(node, was_left, parent);
    child_set(parent, true, left);
    child_set(parent, false, right);
}

/* Moves `node` to where its deadline belongs. */
static void settle(struct deadline_heap *heap, struct deadline_node *node)
{
    while (node != heap->root && node->deadline_ns < node->parent->deadline_ns) {
        rise(heap, node);
    }
    for (;;) {
        struct deadline_node *child = node->left;

        if (node->right != NULL && node->right->deadline_ns < child->deadline_ns) {
            child = node->right;
        }
        if (child == NULL || node->deadline_ns <= child->deadline_ns) {
            return;
        }
        rise(heap, child);
    }
}

void deadline_heap_insert(struct deadline_heap *heap, struct deadline_node *node,
                          uint64_t deadline_ns)
{
    ASSERT(!deadline_node_is_queued(node));
    ASSERT(heap->count < UINT32_MAX);
    *node = (struct deadline_node){.deadline_ns = deadline_ns};
    heap->count++;
    if (heap->count == 1) {
        heap->root = node;
        node->parent = node;
        return;
    }
    child_set(node_find(heap, heap->count / 2), heap->count % 2 == 0, node);
    settle(heap, node);
}

void deadline_heap_remove(struct deadline_heap *heap, struct deadline_node *node)
{
    struct deadline_node *last;

    ASSERT(deadline_node_is_queued(node) && heap->count > 0);
    ASSERT(node->parent == node ? heap->root == node
                                : node->parent->left == node || node->parent->right == node);
    last = node_find(heap, heap->count);
    heap->count--;
    if (heap->count == 0) {
        ASSERT(last == node);
        heap->root = NULL;
    } else {
        child_set(last->parent, last->parent->left == last, NULL);
    }
    if (last != node) {
        place_take(heap, node, last);
        child_set(last, true, node->left);
        child_set(last, false, node->right);
        settle(heap, last);
    }
    *node = (struct deadline_node){.deadline_ns = node->deadline_ns};
}

struct deadline_node *deadline_heap_peek(const struct deadline_heap *heap)
{
    return heap->root;
}

struct deadline_node *deadline_heap_pop_due(struct deadline_heap *heap, uint64_t now_ns)
{
    struct deadline_node *node = heap->root;

    if (node == NULL || node->deadline_ns > now_ns) {
        return NULL;
    }
    deadline_heap_remove(heap, node);
    return node;
}

unsigned deadline_heap_check(const struct deadline_heap *heap)
{
    if ((heap->root == NULL) != (heap->count == 0)) {
        return 1;
    }
    for (uint32_t i = 1; i <= heap->count; i++) {
        const struct deadline_node *node = node_find(heap, i);
        const struct deadline_node *parent = i == 1 ? node : node_find(heap, i / 2);

        if (node == NULL || (node->left != NULL) != (i <= heap->count / 2) ||
            (node->right != NULL) != (i <= (heap->count - 1) / 2)) {
            return 1;
        }
        if (node->deadline_ns < parent->deadline_ns) {
            return 2;
        }
        if (node->parent != parent) {
            return 3;
        }
    }
    return 0;
}
