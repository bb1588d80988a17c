/* SPDX-License-Identifier: MIT */
/*
 * How a change begins: what it asks is held against the regions that are there, and those it will
 * work on become its own, a few in each step, all of them in the end or none. The theory is in
 * memory_space.c.
 */
#include "kernel/object/memory_change.h"

#include "core/assert.h"
#include "kernel/sched/process.h"
#include "schema/generated/exception.capnp.h"

/* MAP: the new region, in the space and, with an object, in the object's list. */
bool change_claim_new(struct change *change, struct change_request *request,
                      struct capn_refuse_reason *reason)
{
    struct memory_space *space = &change->process->memory;
    struct memory_region *region = change->spare[0];
    enum status status = STATUS_OK;
    bool placed;

    region->protection = request->protection;
    region->change = change;
    region->shared = request->edge != NULL;
    if (region->shared) {
        region->mapping.edge = *request->edge;
        region->mapping.space_lock = &space->lock;
        region->mapping.vspace = &change->process->vspace;
        region->mapping.pages = request->pages;
        region->mapping.object_page = request->object_page;
    }
    spinlock_lock(&space->lock);
    placed = memory_region_place(change->process, request, region, reason);
    region->mapping.address = request->start * LIMIT_PAGE_BYTES;
    spinlock_unlock(&space->lock);
    if (!placed) {
        region->shared = false;
        return false;
    }
    if (region->shared) {
        status = mapping_publish(&region->mapping);
    }
    if (status != STATUS_OK) {
        memory_region_remove(space, region);
        region->shared = false;
        return status == STATUS_REVOKED
                   ? memory_refuse(reason, EXCEPTION_REASON_REVOKED_CAPABILITY, 0, 0)
                   : memory_refuse_limit(reason, "mappings", LIMIT_MAPPINGS);
    }
    change->region = region;
    change->spare[0] = NULL;
    change->start = request->start;
    return true;
}

/* ---- claiming what is there ------------------------------------------------------------------ */

/* Whether a change of this kind may be made of the region. Space lock held. */
static bool region_allows(const struct change *change, const struct memory_region *region,
                          struct capn_refuse_reason *reason)
{
    if (region->change != NULL) {
        return memory_refuse(reason, EXCEPTION_REASON_BUSY, 0,
                             region->region.start * LIMIT_PAGE_BYTES);
    }
    switch (change->kind) {
    case CHANGE_COMMIT:
        if (region->committed || !memory_region_is_private(region)) {
            return memory_refuse(reason, EXCEPTION_REASON_ALREADY_EXISTS, 0,
                                 region->region.start * LIMIT_PAGE_BYTES);
        }
        return true;
    case CHANGE_DECOMMIT:
        if (!region->committed || !memory_region_is_private(region)) {
            return memory_refuse(reason, EXCEPTION_REASON_NOT_FOUND, 0,
                                 region->region.start * LIMIT_PAGE_BYTES);
        }
        return true;
    case CHANGE_PROTECT:
        if (!region->committed) {
            return memory_refuse(reason, EXCEPTION_REASON_NOT_FOUND, 0,
                                 region->region.start * LIMIT_PAGE_BYTES);
        }
        if (!memory_region_is_private(region) &&
            !memory_edge_permits(&region->mapping.edge, change->protection)) {
            return memory_refuse(reason, EXCEPTION_REASON_METHOD_NOT_IN_FACET,
                                 region->mapping.edge.facet, change->protection);
        }
        return true;
    default:
        return true;
    }
}

/* Cuts the region that holds page `at` there, unless it begins at it. Its object has room for one
 * more mapping, or STATUS_LIMIT and nothing changed; the space has room for one more region.
 * *low and *high: the two parts, or as they were. Space lock held. */
static enum status region_cut(struct change *change, uint64_t at, struct memory_region **low,
                              struct memory_region **high)
{
    struct memory_space *space = &change->process->memory;
    struct memory_region *region = memory_region_of(region_set_find(&space->regions, at));
    unsigned spare = change->spare[0] != NULL ? 0 : 1;
    struct memory_region *rest = change->spare[spare];
    enum status status = STATUS_OK;

    if (region == NULL || region->region.start >= at) {
        return STATUS_OK;
    }
    ASSERT(rest != NULL);
    if (region->shared) {
        status = mapping_split(&region->mapping, at - region->region.start, &rest->mapping);
    }
    if (status == STATUS_OK) {
        *low = region;
        *high = rest;
        change->spare[spare] = NULL;
        rest->protection = region->protection;
        rest->committed = region->committed;
        rest->shared = region->shared;
        status = region_set_split(&space->regions, &region->region, at - region->region.start,
                                  &rest->region);
        ASSERT(status == STATUS_OK);
    }
    return status;
}

/* The mapping of the region is the change's alone; false: another change or a revocation is at it,
 * or a revocation has taken it and anything but UNMAP is asked. Space lock held. */
static bool mapping_claim(const struct change *change, struct memory_region *region,
                          struct capn_refuse_reason *reason)
{
    bool revoked;

    if (memory_region_is_private(region)) {
        return true;
    }
    if (!mapping_change(&region->mapping, &revoked)) {
        return memory_refuse(reason, EXCEPTION_REASON_BUSY, 0,
                             region->region.start * LIMIT_PAGE_BYTES);
    }
    if (revoked && change->kind != CHANGE_UNMAP) {
        mapping_settle(&region->mapping, false);
        return memory_refuse(reason, EXCEPTION_REASON_REVOKED_CAPABILITY, 0, 0);
    }
    return true;
}

/* The change is not at work on the part of a cut that lies beside its range. */
static void part_release(struct memory_region *region)
{
    if (region != NULL && region->shared) {
        mapping_settle(&region->mapping, false);
    }
}

/* Cuts what the change has begun to claim at page `at`, if a region crosses it. *within: the part
 * in the range, or as it was. False: no room, and the region is whole. Space lock held. */
static bool claim_cut(struct change *change, uint64_t at, struct memory_region **within,
                      struct capn_refuse_reason *reason)
{
    struct memory_region *low = NULL;
    struct memory_region *high = NULL;

    if (change->process->memory.regions.count == LIMIT_REGIONS) {
        return memory_refuse_limit(reason, "regions", LIMIT_REGIONS);
    }
    if (region_cut(change, at, &low, &high) != STATUS_OK) {
        return memory_refuse_limit(reason, "mappings", LIMIT_MAPPINGS);
    }
    if (at == change->start) {
        part_release(low);
        *within = high;
    } else {
        part_release(high);
    }
    return true;
}

/* One region, *part, is the change's, cut at the ends of its range: *part is what lies within.
 * False: refused, and the region is not, or it is and goes back with the others. Space lock held.
 */
static bool region_claim(struct change *change, struct memory_region **part,
                         struct capn_refuse_reason *reason)
{
    struct memory_region *region = *part;
    uint64_t end = change->start + change->pages;
    uint64_t covered = change->start + change->cursor;

    if (change->kind != CHANGE_UNMAP && region->region.start > covered) {
        return memory_refuse(reason, EXCEPTION_REASON_NOT_FOUND, 0, covered * LIMIT_PAGE_BYTES);
    }
    if (!region_allows(change, region, reason)) {
        return false;
    }
    if (!mapping_claim(change, region, reason)) {
        return false;
    }
    if (region->region.start < change->start &&
        !claim_cut(change, change->start, &region, reason)) {
        part_release(region);
        return false;
    }
    region->change = change;
    if (region->region.start + region->region.pages > end &&
        !claim_cut(change, end, &region, reason)) {
        return false;
    }
    change->cursor = region->region.start + region->region.pages - change->start;
    *part = region;
    return true;
}

enum claim change_claim(struct change *change, struct capn_refuse_reason *reason)
{
    struct memory_space *space = &change->process->memory;
    uint64_t end = change->start + change->pages;
    struct memory_region *region;
    bool good = true;
    bool over = false;

    spinlock_lock(&space->lock);
    region = memory_region_of(region_set_find(&space->regions, change->start + change->cursor));
    for (unsigned i = 0; i < CLAIM_REGIONS && good && !over; i++) {
        over = region == NULL || region->region.start >= end;
        good = over || region_claim(change, &region, reason);
        if (good && !over) {
            over = change->cursor == change->pages;
            region = memory_region_of(region_set_next(&space->regions, &region->region));
        }
    }
    spinlock_unlock(&space->lock);
    if (over &&
        (change->kind == CHANGE_UNMAP ? change->cursor == 0 : change->cursor != change->pages)) {
        good = memory_refuse(reason, EXCEPTION_REASON_NOT_FOUND, 0,
                             (change->start + change->cursor) * LIMIT_PAGE_BYTES);
    }
    return !good ? CLAIM_REFUSED : over ? CLAIM_OVER : CLAIM_MORE;
}
