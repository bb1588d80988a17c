/* SPDX-License-Identifier: MIT */
/*
 * The runnable threads of one CPU: a first-in first-out list for each fixed priority and a bitmap
 * of the lists that are not empty. Every operation is constant time. No lock and no thread: nodes
 * are members of whatever is scheduled. Invariants in run_queue.c.
 */
#ifndef CORE_RUN_QUEUE_H
#define CORE_RUN_QUEUE_H

#include "core/list.h"

#define RUN_PRIORITIES    32u
#define RUN_PRIORITY_NONE RUN_PRIORITIES /* what run_queue_highest says of an empty queue */

/* A zeroed node is in no queue. Priority 0 is the least, RUN_PRIORITIES - 1 the most urgent. */
struct run_node {
    struct list_node link;
    uint8_t priority; /* fixed while queued */
    bool queued;
};

struct run_queue {
    struct list ready[RUN_PRIORITIES];
    uint32_t ready_mask; /* bit p: ready[p] is not empty */
    uint32_t count;
};

void run_queue_init(struct run_queue *queue);

/* Queue a node, which is in no queue, behind or before its equals. `priority` < RUN_PRIORITIES. */
void run_queue_push_back(struct run_queue *queue, struct run_node *node, unsigned priority);
void run_queue_push_front(struct run_queue *queue, struct run_node *node, unsigned priority);

/* Takes out a node of this queue. */
void run_queue_remove(struct run_queue *queue, struct run_node *node);

/* Takes out the first node of the highest priority, or NULL. */
MUST_USE struct run_node *run_queue_pop(struct run_queue *queue);

/* That node, left where it is, or NULL. */
MUST_USE struct run_node *run_queue_peek(const struct run_queue *queue);

/* The highest priority that has a node, or RUN_PRIORITY_NONE. */
MUST_USE unsigned run_queue_highest(const struct run_queue *queue);

/* 0, or the number of the first broken invariant. Walks every node. */
MUST_USE unsigned run_queue_check(const struct run_queue *queue);

#endif
