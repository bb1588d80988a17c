/* SPDX-License-Identifier: MIT */
/*
 * Work that is under way, each piece through a delegation, and the revocations that look for what
 * is theirs, a few pieces at a time. Pure; the lock is the caller's. Theory in uses.c.
 */
#ifndef CORE_USES_H
#define CORE_USES_H

#include "core/grant.h"
#include "core/list.h"

enum {
    USES_LOOKS = 32, /* pieces in one step, up to 160 instructions each at full depth */
};

/* A member of a piece of work, or one of a sweep's places. Zeroed: in no list. */
struct use {
    struct list_node node;
    const struct grant_node *through; /* of the edge that was used; NULL: it was never delegated */
    bool is_place;
    bool found; /* a revocation has counted it */
};

struct uses {
    struct list nodes;
};

void uses_init(struct uses *list);

/* Work has begun through `grant`, which the caller refers to until uses_remove. */
void uses_add(struct uses *list, struct use *work, const struct grant_node *grant);

/* It is over. */
void uses_remove(struct use *work);

/* One revocation's way through a list. Zeroed: not begun. It lies where it is until it is over. */
struct uses_sweep {
    struct use here; /* what is before it was looked at, in this pass */
    struct use stop; /* what is behind it has begun later */
    bool waits;      /* second pass */
};

enum uses_left {
    USES_MORE,  /* call again */
    USES_WAITS, /* call again; *awaited is not over yet */
    USES_OVER,  /* nothing of it is under way */
};

/* One step of the sweep of a revocation: everything below `above` was marked dead before the first,
 * so that no such work can begin. Adds to *found what no revocation has counted before. */
MUST_USE enum uses_left uses_sweep(struct uses *list, struct uses_sweep *sweep,
                                   const struct grant_node *above, uint32_t *found,
                                   struct use **awaited);

/* 0, or the number of the first broken invariant of uses.c; at most `count_max` nodes are there.
 */
MUST_USE unsigned uses_check(const struct uses *list, size_t count_max);

#endif
