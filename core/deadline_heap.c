/* SPDX-License-Identifier: MIT */
/*
 * The deadline heap.
 *
 * Purpose: the earliest of many deadlines at once, with a cost that does not grow faster than their
 * number's logarithm (17 steps for 65,536 sleepers), from an array reserved beforehand: arming a
 * timer cannot fail for want of memory once its place is reserved.
 *
 * Slot i's children are 2i + 1 and 2i + 2. A node knows its slot, so that it can be taken out from
 * anywhere.
 *
 * Invariants:
 * 1. count <= capacity.
 * 2. A node's deadline is not before its parent's.
 * 3. The node in slot i has place i + 1.
 *
 * Locks: none here; the kernel holds the timer lock of the CPU.
 */
#include "core/deadline_heap.h"

#include "core/assert.h"

void deadline_heap_init(struct deadline_heap *heap, struct deadline_node **slots, uint32_t capacity)
{
    ASSERT(capacity < UINT32_MAX / 2);
    *heap = (struct deadline_heap){.slot = slots, .capacity = capacity};
}

static void slot_set(struct deadline_heap *heap, uint32_t index, struct deadline_node *node)
{
    ASSERT(index < heap->count);
    heap->slot[index] = node;
    node->place = index + 1;
}

/* Puts `node` at `index` or nearer to the root, moving later ancestors down. */
static void sift_up(struct deadline_heap *heap, uint32_t index, struct deadline_node *node)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;

        if (heap->slot[parent]->deadline_ns <= node->deadline_ns) {
            break;
        }
        slot_set(heap, index, heap->slot[parent]);
        index = parent;
    }
    slot_set(heap, index, node);
}

/* Puts `node` at `index` or further from the root, moving earlier children up. */
static void sift_down(struct deadline_heap *heap, uint32_t index, struct deadline_node *node)
{
    for (;;) {
        uint32_t child = 2 * index + 1;

        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count &&
            heap->slot[child + 1]->deadline_ns < heap->slot[child]->deadline_ns) {
            child++;
        }
        if (node->deadline_ns <= heap->slot[child]->deadline_ns) {
            break;
        }
        slot_set(heap, index, heap->slot[child]);
        index = child;
    }
    slot_set(heap, index, node);
}

/* Puts `node` where it belongs when slot `index` is free for it. */
static void place_find(struct deadline_heap *heap, uint32_t index, struct deadline_node *node)
{
    if (index > 0 && node->deadline_ns < heap->slot[(index - 1) / 2]->deadline_ns) {
        sift_up(heap, index, node);
    } else {
        sift_down(heap, index, node);
    }
}

enum status deadline_heap_insert(struct deadline_heap *heap, struct deadline_node *node,
                                 uint64_t deadline_ns)
{
    ASSERT(!deadline_node_is_queued(node));
    if (heap->count == heap->capacity) {
        return STATUS_LIMIT;
    }
    node->deadline_ns = deadline_ns;
    heap->count++;
    sift_up(heap, heap->count - 1, node);
    return STATUS_OK;
}

void deadline_heap_remove(struct deadline_heap *heap, struct deadline_node *node)
{
    uint32_t index = node->place - 1;
    struct deadline_node *last;

    ASSERT(deadline_node_is_queued(node));
    ASSERT(index < heap->count && heap->slot[index] == node);
    last = heap->slot[heap->count - 1];
    heap->count--;
    node->place = 0;
    if (last != node) {
        place_find(heap, index, last);
    }
}

void deadline_heap_move(struct deadline_heap *heap, struct deadline_node *node,
                        uint64_t deadline_ns)
{
    uint32_t index = node->place - 1;

    ASSERT(deadline_node_is_queued(node));
    ASSERT(index < heap->count && heap->slot[index] == node);
    node->deadline_ns = deadline_ns;
    place_find(heap, index, node);
}

struct deadline_node *deadline_heap_peek(const struct deadline_heap *heap)
{
    return heap->count == 0 ? NULL : heap->slot[0];
}

struct deadline_node *deadline_heap_pop_due(struct deadline_heap *heap, uint64_t now_ns)
{
    struct deadline_node *node = deadline_heap_peek(heap);

    if (node == NULL || node->deadline_ns > now_ns) {
        return NULL;
    }
    deadline_heap_remove(heap, node);
    return node;
}

unsigned deadline_heap_check(const struct deadline_heap *heap)
{
    if (heap->count > heap->capacity) {
        return 1;
    }
    for (uint32_t i = 0; i < heap->count; i++) {
        if (i > 0 && heap->slot[i]->deadline_ns < heap->slot[(i - 1) / 2]->deadline_ns) {
            return 2;
        }
        if (heap->slot[i]->place != i + 1) {
            return 3;
        }
    }
    return 0;
}
