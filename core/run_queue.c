/* SPDX-License-Identifier: MIT */
/*
 * The run queue of one CPU.
 *
 * Purpose: the next thread in constant time, first in first out among equals. Round robin is the
 * caller's: it pushes a preempted thread to the back, one that was interrupted before its slice
 * ended to the front.
 *
 *   out --push_back, push_front--> queued --pop, remove--> out
 *
 * Invariants:
 * 1. Every list is well linked and holds count nodes in all.
 * 2. Bit p of ready_mask is set exactly when list p is not empty.
 * 3. Every node of list p is marked queued and has priority p.
 *
 * Locks: none here; the kernel holds the CPU's run-queue lock. Nothing can fail; a node that is
 * pushed twice or removed without being queued is our own mistake and asserts.
 */
#include "core/run_queue.h"

#include "core/bits.h"

/* More nodes than any system has: it only makes the check end on a broken list. */
#define CHECK_NODES_MAX (1u << 24)

void run_queue_init(struct run_queue *queue)
{
    for (unsigned priority = 0; priority < RUN_PRIORITIES; priority++) {
        list_init(&queue->ready[priority]);
    }
    queue->ready_mask = 0;
    queue->count = 0;
}

/* Common to both pushes: everything but the list. */
static void node_enter(struct run_queue *queue, struct run_node *node, unsigned priority)
{
    ASSERT(priority < RUN_PRIORITIES);
    ASSERT(!node->queued);
    node->priority = (uint8_t)priority;
    node->queued = true;
    queue->ready_mask |= UINT32_C(1) << priority;
    queue->count++;
}

void run_queue_push_back(struct run_queue *queue, struct run_node *node, unsigned priority)
{
    node_enter(queue, node, priority);
    list_push_back(&queue->ready[priority], &node->link);
}

void run_queue_push_front(struct run_queue *queue, struct run_node *node, unsigned priority)
{
    node_enter(queue, node, priority);
    list_push_front(&queue->ready[priority], &node->link);
}

void run_queue_remove(struct run_queue *queue, struct run_node *node)
{
    ASSERT(node->queued && node->priority < RUN_PRIORITIES);
    ASSERT(queue->count > 0);
    list_remove(&node->link);
    node->queued = false;
    queue->count--;
    if (list_is_empty(&queue->ready[node->priority])) {
        queue->ready_mask &= ~(UINT32_C(1) << node->priority);
    }
}

unsigned run_queue_highest(const struct run_queue *queue)
{
    return queue->ready_mask == 0 ? RUN_PRIORITY_NONE : bit_highest(queue->ready_mask);
}

struct run_node *run_queue_peek(const struct run_queue *queue)
{
    unsigned priority = run_queue_highest(queue);

    if (priority == RUN_PRIORITY_NONE) {
        return NULL;
    }
    ASSERT(!list_is_empty(&queue->ready[priority])); /* invariant 2 */
    return CONTAINER_OF(list_first(&queue->ready[priority]), struct run_node, link);
}

struct run_node *run_queue_pop(struct run_queue *queue)
{
    struct run_node *node = run_queue_peek(queue);

    if (node != NULL) {
        run_queue_remove(queue, node);
    }
    return node;
}

/* Invariant 3 for one list, which is well linked. */
static bool nodes_hold(const struct list *list, unsigned priority)
{
    for (struct list_node *link = list_first(list); link != NULL; link = list_next(list, link)) {
        const struct run_node *node = CONTAINER_OF(link, struct run_node, link);

        if (!node->queued || node->priority != priority) {
            return false;
        }
    }
    return true;
}

unsigned run_queue_check(const struct run_queue *queue)
{
    size_t total = 0;

    for (unsigned priority = 0; priority < RUN_PRIORITIES; priority++) {
        const struct list *list = &queue->ready[priority];
        size_t count = 0;

        if (list_check(list, CHECK_NODES_MAX, &count) != 0) {
            return 1;
        }
        total += count;
        if ((queue->ready_mask >> priority & 1) != (count != 0)) {
            return 2;
        }
        if (!nodes_hold(list, priority)) {
            return 3;
        }
    }
    return total == queue->count ? 0 : 1;
}
