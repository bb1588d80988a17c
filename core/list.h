/* SPDX-License-Identifier: MIT */
/*
 * An intrusive, circular, doubly linked list. It owns nothing: a node is a member of the object
 * that is listed, and the object outlives its membership. Locking is the caller's.
 *
 * 1. Following `next` from the head returns to the head, and each node's neighbour points back.
 * 2. A node that is on no list has both pointers NULL, so a zeroed node is an unlinked node.
 *
 * Walk with `for (n = list_first(l); n != NULL; n = list_next(l, n))`; to remove while walking,
 * take the next node first.
 */
#ifndef CORE_LIST_H
#define CORE_LIST_H

#include "core/assert.h"

struct list_node {
    struct list_node *next;
    struct list_node *previous;
};

struct list {
    struct list_node head;
};

static inline void list_init(struct list *list)
{
    list->head.next = &list->head;
    list->head.previous = &list->head;
}

static inline void list_node_init(struct list_node *node)
{
    node->next = NULL;
    node->previous = NULL;
}

static inline bool list_node_is_linked(const struct list_node *node)
{
    return node->next != NULL;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->head.next == &list->head;
}

/* Puts `node`, which is on no list, before `position`, a node of a list or its head. */
static inline void list_insert_before(struct list_node *position, struct list_node *node)
{
    struct list_node *previous = position->previous;

    ASSERT_AGAIN(!list_node_is_linked(node));
    ASSERT_AGAIN(previous->next == position);
    node->next = position;
    node->previous = previous;
    previous->next = node;
    position->previous = node;
}

static inline void list_push_back(struct list *list, struct list_node *node)
{
    list_insert_before(&list->head, node);
}

static inline void list_push_front(struct list *list, struct list_node *node)
{
    list_insert_before(list->head.next, node);
}

/* Puts `node`, which is on no list, in the place of `other`, which is then on none. */
static inline void list_replace(struct list_node *other, struct list_node *node)
{
    struct list_node *next = other->next;
    struct list_node *previous = other->previous;

    ASSERT_AGAIN(list_node_is_linked(other) && !list_node_is_linked(node));
    ASSERT_AGAIN(previous->next == other && next->previous == other);
    node->next = next;
    node->previous = previous;
    previous->next = node;
    next->previous = node;
    list_node_init(other);
}

/* Takes `node` off the list it is on. */
static inline void list_remove(struct list_node *node)
{
    struct list_node *next = node->next;
    struct list_node *previous = node->previous;

    ASSERT_AGAIN(list_node_is_linked(node));
    ASSERT_AGAIN(previous->next == node && next->previous == node);
    previous->next = next;
    next->previous = previous;
    list_node_init(node);
}

/* The first node, or NULL. */
static inline struct list_node *list_first(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->head.next;
}

/* The last node, or NULL. */
static inline struct list_node *list_last(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->head.previous;
}

/* The node after `node`, or NULL. */
static inline struct list_node *list_next(const struct list *list, const struct list_node *node)
{
    ASSERT(list_node_is_linked(node));
    return node->next == &list->head ? NULL : node->next;
}

/* Takes the first node off and returns it, or NULL. */
static inline struct list_node *list_pop_front(struct list *list)
{
    struct list_node *node = list_first(list);

    if (node != NULL) {
        list_remove(node);
    }
    return node;
}

/*
 * 0, or the number of the broken invariant; `count` gets the number of nodes. A list longer than
 * `count_max` counts as broken, so that the check ends on any memory.
 */
MUST_USE static inline unsigned list_check(const struct list *list, size_t count_max, size_t *count)
{
    const struct list_node *node = &list->head;

    *count = 0;
    do {
        if (node->next == NULL || node->next->previous != node) {
            return 1;
        }
        node = node->next;
        if (node != &list->head && ++*count > count_max) {
            return 1;
        }
    } while (node != &list->head);
    return 0;
}

#endif
