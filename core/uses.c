/* SPDX-License-Identifier: MIT */
/*
 * Sweeps.
 *
 * Purpose: a revocation is over when no work is under way that was begun through what it took away.
 * Such work ends by itself, because it asks before each of its steps whether its edge is alive; the
 * revocation has to know when. How much of other work is under way nothing but quotas bounds, so it
 * looks at a few pieces in each step, and others begin and end in between.
 *
 * A sweep stands in the list with two places of its own:
 *
 *   work  work  HERE  work  work  work  STOP  work
 *   '-- looked at --'                         '-- begun after the revocation: not its own
 *
 * It goes from the front to STOP twice. The first pass counts what is its own, all of it before
 * much of it can have ended. The second waits at each piece that is its own until that is gone. So
 * a list of n pieces takes 2 n / USES_LOOKS steps and those in which it waits. Nobody else's place
 * moves, so any number of revocations go through one list at their own pace.
 *
 * Invariants (uses_check):
 *  1. The list is well linked.
 *  2. A place has no grant and was not found.
 *
 * Locks: the caller's, one around a list. What can fail: nothing.
 */
#include "core/uses.h"

#include "core/assert.h"

void uses_init(struct uses *list)
{
    list_init(&list->nodes);
}

void uses_add(struct uses *list, struct use *work, const struct grant_node *grant)
{
    work->through = grant;
    work->is_place = false;
    work->found = false;
    list_push_back(&list->nodes, &work->node);
}

void uses_remove(struct use *work)
{
    ASSERT(!work->is_place);
    list_remove(&work->node);
}

static struct use *use_of(struct list_node *node)
{
    return CONTAINER_OF(node, struct use, node);
}

static void sweep_begin(struct uses *list, struct uses_sweep *sweep)
{
    sweep->here.is_place = true;
    sweep->stop.is_place = true;
    sweep->waits = false;
    list_push_front(&list->nodes, &sweep->here.node);
    list_push_back(&list->nodes, &sweep->stop.node);
}

/* The pass is over: true, if it was the second. */
static bool pass_end(struct uses *list, struct uses_sweep *sweep)
{
    list_remove(&sweep->here.node);
    if (sweep->waits) {
        list_remove(&sweep->stop.node);
        return true;
    }
    sweep->waits = true;
    list_push_front(&list->nodes, &sweep->here.node);
    return false;
}

/* Whether the node is work of the revocation; counts it once. */
static bool use_is_own(struct use *node, const struct grant_node *above, uint32_t *found)
{
    if (node->is_place || !grant_is_below(node->through, above)) {
        return false;
    }
    *found += !node->found;
    node->found = true;
    return true;
}

enum uses_left uses_sweep(struct uses *list, struct uses_sweep *sweep,
                          const struct grant_node *above, uint32_t *found, struct use **awaited)
{
    ASSERT(above != NULL);
    if (!list_node_is_linked(&sweep->here.node)) {
        sweep_begin(list, sweep);
    }
    for (unsigned looked = 0; looked < USES_LOOKS; looked++) {
        struct list_node *next = list_next(&list->nodes, &sweep->here.node);
        struct use *node = use_of(next);

        ASSERT(next != NULL);
        if (node == &sweep->stop) {
            if (pass_end(list, sweep)) {
                return USES_OVER;
            }
            continue;
        }
        if (use_is_own(node, above, found) && sweep->waits) {
            *awaited = node;
            return USES_WAITS;
        }
        list_remove(&sweep->here.node);
        list_insert_before(next->next, &sweep->here.node);
    }
    return USES_MORE;
}

unsigned uses_check(const struct uses *list, size_t count_max)
{
    size_t count;

    if (list_check(&list->nodes, count_max, &count) != 0) {
        return 1;
    }
    for (struct list_node *at = list_first(&list->nodes); at != NULL;
         at = list_next(&list->nodes, at)) {
        const struct use *node = use_of(at);

        if (node->is_place && (node->through != NULL || node->found)) {
            return 2;
        }
    }
    return 0;
}
