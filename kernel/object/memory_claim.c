/* SPDX-License-Identifier: MIT */
/*
 * How a change begins: what it asks is held against the regions that are there, and those it will
 * work on become its own, all of them or none. The theory is in memory_space.c.
 */
#include "kernel/object/memory_change.h"

#include "core/assert.h"
#include "kernel/dispatch/call.h"
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
    spinlock_lock(&space->lock);
    placed = memory_region_place(change->process, request, region, reason);
    spinlock_unlock(&space->lock);
    if (!placed) {
        return false;
    }
    if (request->edge != NULL) {
        region->shared = true;
        region->mapping.edge = *request->edge;
        region->mapping.space_lock = &space->lock;
        region->mapping.vspace = &change->process->vspace;
        region->mapping.address = request->start * LIMIT_PAGE_BYTES;
        region->mapping.pages = request->pages;
        region->mapping.object_page = request->object_page;
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
static bool region_allows(const struct change_request *request, const struct memory_region *region,
                          struct capn_refuse_reason *reason)
{
    if (region->change != NULL) {
        return memory_refuse(reason, EXCEPTION_REASON_BUSY, 0,
                             region->region.start * LIMIT_PAGE_BYTES);
    }
    switch (request->kind) {
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
            !memory_edge_permits(&region->mapping.edge, request->protection)) {
            return memory_refuse(reason, EXCEPTION_REASON_METHOD_NOT_IN_FACET,
                                 region->mapping.edge.facet, request->protection);
        }
        return true;
    default:
        return true;
    }
}

/* The first region of the range, or NULL. */
static struct memory_region *range_first(const struct memory_space *space,
                                         const struct change_request *request)
{
    struct memory_region *region =
        memory_region_of(region_set_find(&space->regions, request->start));

    return region != NULL && region->region.start < request->start + request->pages ? region : NULL;
}

static struct memory_region *range_next(const struct memory_space *space,
                                        const struct change_request *request,
                                        const struct memory_region *region)
{
    struct memory_region *next =
        memory_region_of(region_set_next(&space->regions, &region->region));

    return next != NULL && next->region.start < request->start + request->pages ? next : NULL;
}

/* Whether the whole range can be changed as asked. Space lock held. */
static bool range_allows(const struct memory_space *space, const struct change_request *request,
                         struct capn_refuse_reason *reason)
{
    struct memory_region *region = range_first(space, request);
    uint64_t covered = request->start;
    unsigned cuts;

    if (region == NULL) {
        return memory_refuse(reason, EXCEPTION_REASON_NOT_FOUND, 0,
                             request->start * LIMIT_PAGE_BYTES);
    }
    cuts = region->region.start < request->start;
    for (; region != NULL; region = range_next(space, request, region)) {
        if (request->kind != CHANGE_UNMAP && region->region.start > covered) {
            break;
        }
        if (!region_allows(request, region, reason)) {
            return false;
        }
        covered = region->region.start + region->region.pages;
    }
    if (request->kind != CHANGE_UNMAP && covered < request->start + request->pages) {
        return memory_refuse(reason, EXCEPTION_REASON_NOT_FOUND, 0, covered * LIMIT_PAGE_BYTES);
    }
    cuts += covered > request->start + request->pages;
    return space->regions.count + cuts <= LIMIT_REGIONS ||
           memory_refuse_limit(reason, "regions", LIMIT_REGIONS);
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

/* Gives back the object regions of the range up to `stop`. Space lock held. */
static void mappings_release(struct change *change, const struct change_request *request,
                             const struct memory_region *stop)
{
    struct memory_space *space = &change->process->memory;

    for (struct memory_region *region = range_first(space, request); region != stop;
         region = range_next(space, request, region)) {
        if (!memory_region_is_private(region)) {
            mapping_settle(&region->mapping, false);
        }
    }
}

/* Takes the object regions of the range for the change; false: a revocation is at one of them, and
 * none is taken. Space lock held. */
static bool mappings_claim(struct change *change, const struct change_request *request)
{
    struct memory_space *space = &change->process->memory;
    struct memory_region *region = range_first(space, request);
    bool revoked;

    for (; region != NULL; region = range_next(space, request, region)) {
        if (!memory_region_is_private(region)) {
            bool free = mapping_change(&region->mapping, &revoked);

            if (free && revoked && request->kind != CHANGE_UNMAP) {
                mapping_settle(&region->mapping, false);
                free = false;
            }
            if (!free) {
                mappings_release(change, request, region);
                return false;
            }
        }
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

/* The range begins and ends where regions do. False: an object has no room for the parts, and all
 * is as it was, the mappings of the range given back. Space lock held. */
static bool range_cut(struct change *change, const struct change_request *request)
{
    struct memory_space *space = &change->process->memory;
    struct memory_region *below = NULL;
    struct memory_region *above = NULL;
    struct memory_region *within;
    enum status status = region_cut(change, request->start, &below, &within);

    if (status == STATUS_OK) {
        status = region_cut(change, request->start + request->pages, &within, &above);
    }
    part_release(below);
    part_release(above);
    if (status == STATUS_OK) {
        return true;
    }
    mappings_release(change, request, NULL);
    if (below != NULL) {
        change->spare[0] = memory_region_join(space, request->start);
    }
    return false;
}

/* The regions of the range are the change's, cut at its ends. */
bool change_claim(struct change *change, const struct change_request *request,
                  struct capn_refuse_reason *reason)
{
    struct memory_space *space = &change->process->memory;
    struct memory_region *region;
    bool allowed;

    spinlock_lock(&space->lock);
    allowed = range_allows(space, request, reason);
    if (allowed && !mappings_claim(change, request)) {
        allowed =
            memory_refuse(reason, EXCEPTION_REASON_BUSY, 0, request->start * LIMIT_PAGE_BYTES);
    }
    if (allowed && !range_cut(change, request)) {
        allowed = memory_refuse_limit(reason, "mappings", LIMIT_MAPPINGS);
    }
    for (region = allowed ? range_first(space, request) : NULL; region != NULL;
         region = range_next(space, request, region)) {
        region->change = change;
    }
    spinlock_unlock(&space->lock);
    return allowed;
}
