/* SPDX-License-Identifier: MIT */
/*
 * Regions.
 *
 * Purpose: to know what stands where in an address space besides what its page tables say: what was
 * reserved, what belongs together, where there is room.
 *
 * A list in order, searched from its beginning: count_max bounds each search, and it is the only
 * bound that an address space needs.
 *
 * Invariants (region_set_check):
 *  1. The list is well linked and has `count` members, count_max at most.
 *  2. Each region has a page at least, and none wraps.
 *  3. Each begins at or after the end of the one before.
 *
 * What can fail: insert, split and place, before anything has changed.
 */
#include "core/region.h"

#include "core/checked.h"

void region_set_init(struct region_set *set, uint32_t count_max)
{
    list_init(&set->regions);
    set->count = 0;
    set->count_max = count_max;
}

static struct region *region_of(struct list_node *node)
{
    return node == NULL ? NULL : CONTAINER_OF(node, struct region, node);
}

struct region *region_set_next(const struct region_set *set, const struct region *region)
{
    return region_of(list_next(&set->regions, &region->node));
}

struct region *region_set_find(const struct region_set *set, uint64_t page)
{
    struct region *region = region_of(list_first(&set->regions));

    while (region != NULL && page >= region->start && page - region->start >= region->pages) {
        region = region_set_next(set, region);
    }
    return region;
}

bool region_set_is_free(const struct region_set *set, uint64_t start, uint64_t pages)
{
    const struct region *next = region_set_find(set, start);

    return next == NULL || (next->start >= start && next->start - start >= pages);
}

enum status region_set_place(const struct region_set *set, struct region_window window,
                             uint64_t pages, uint64_t *hint)
{
    uint64_t at = window.low;

    ASSERT(pages > 0 && window.low <= window.high);
    if (*hint >= window.low && range_fits(*hint, pages, window.high) &&
        region_set_is_free(set, *hint, pages)) {
        return STATUS_OK;
    }
    for (const struct region *next = region_set_find(set, at);
         next != NULL && !(next->start >= at && next->start - at >= pages);
         next = region_set_next(set, next)) {
        at = next->start + next->pages;
    }
    if (!range_fits(at, pages, window.high)) {
        return STATUS_NOT_FOUND;
    }
    *hint = at;
    return STATUS_OK;
}

enum status region_set_insert(struct region_set *set, struct region *region)
{
    struct region *next = region_set_find(set, region->start);
    uint64_t end;

    ASSERT(region->pages > 0 && checked_add(region->start, region->pages, &end));
    if (!region_set_is_free(set, region->start, region->pages)) {
        return STATUS_EXISTS;
    }
    if (set->count == set->count_max) {
        return STATUS_LIMIT;
    }
    list_insert_before(next == NULL ? &set->regions.head : &next->node, &region->node);
    set->count++;
    return STATUS_OK;
}

void region_set_remove(struct region_set *set, struct region *region)
{
    ASSERT(set->count > 0);
    list_remove(&region->node);
    set->count--;
}

enum status region_set_split(struct region_set *set, struct region *region, uint64_t at,
                             struct region *rest)
{
    ASSERT(at > 0 && at < region->pages);
    if (set->count == set->count_max) {
        return STATUS_LIMIT;
    }
    rest->start = region->start + at;
    rest->pages = region->pages - at;
    region->pages = at;
    list_insert_before(region->node.next, &rest->node);
    set->count++;
    return STATUS_OK;
}

unsigned region_set_check(const struct region_set *set)
{
    const struct region *region;
    uint64_t end = 0;
    size_t count;

    if (list_check(&set->regions, set->count_max, &count) != 0 || count != set->count) {
        return 1;
    }
    for (region = region_of(list_first(&set->regions)); region != NULL;
         region = region_set_next(set, region)) {
        if (region->pages == 0 || region->pages > UINT64_MAX - region->start) {
            return 2;
        }
        if (region->start < end) {
            return 3;
        }
        end = region->start + region->pages;
    }
    return 0;
}
