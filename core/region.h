/* SPDX-License-Identifier: MIT */
/*
 * The regions of an address space: disjoint runs of pages in order of their addresses. A region is
 * a member of what its owner knows about it. Pure, no allocation; the lock is the caller's.
 */
#ifndef CORE_REGION_H
#define CORE_REGION_H

#include "core/list.h"
#include "core/status.h"

struct region {
    struct list_node node;
    uint64_t start; /* page number */
    uint64_t pages; /* at least 1 */
};

struct region_set {
    struct list regions; /* by start */
    uint32_t count;
    uint32_t count_max;
};

void region_set_init(struct region_set *set, uint32_t count_max);

/* The region that holds `page`, or the first above it; NULL: there is none. */
struct region *region_set_find(const struct region_set *set, uint64_t page);

/* The region after `region`; NULL: it is the last. */
struct region *region_set_next(const struct region_set *set, const struct region *region);

/* Whether no region touches [start, start + pages). */
bool region_set_is_free(const struct region_set *set, uint64_t start, uint64_t pages);

/* A place for `pages` in [low, high): at `hint` if that lies in it and is free, else the lowest.
 * STATUS_NOT_FOUND. */
struct region_window {
    uint64_t low;
    uint64_t high;
};
enum status region_set_place(const struct region_set *set, struct region_window window,
                             uint64_t pages, uint64_t *hint) MUST_USE;

/* Adds a region, start and pages filled in. STATUS_EXISTS: another touches it; STATUS_LIMIT:
 * count_max. */
enum status region_set_insert(struct region_set *set, struct region *region) MUST_USE;

/* Takes a region of the set out. */
void region_set_remove(struct region_set *set, struct region *region);

/* Cuts `region` before its page `at` (1 to pages - 1): `rest` becomes the part from there on.
 * STATUS_LIMIT: count_max. */
enum status region_set_split(struct region_set *set, struct region *region, uint64_t at,
                             struct region *rest) MUST_USE;

/* 0, or the number of the first broken invariant of region.c. */
unsigned region_set_check(const struct region_set *set) MUST_USE;

#endif
