/* SPDX-License-Identifier: MIT */
/*
 * Memory spaces.
 *
 * Purpose: VirtualMemory's work: to reserve, map, protect and remove runs of pages of a process, in
 * bounded steps, each whole or not at all, and each over only when every CPU has seen it.
 *
 * Words: a *region* is a run of pages about which everything is the same: reserved or committed,
 * its protection, private or of an object. A *change* is a job that works on the regions of a
 * range; they are its own as long as it lasts, and any other change of them is refused as busy.
 * Regions are cut at the ends of a change's range and joined again after it with neighbours about
 * which everything is the same; a mapping of an object is cut and joined with its region.
 *
 *   free --reserve--> reserved --COMMIT--> committed --DECOMMIT--> reserved
 *   free --MAP--> committed;   reserved, committed --UNMAP--> free;   committed --PROTECT-->
 *
 * A change:  CLAIM --all--> APPLY --done--> FINISH
 *              |              '--refused--> UNDO --done--> FINISH
 *              '--refused--> FINISH
 *
 * CLAIM goes through the range from its beginning and makes each region the change's own, a few in
 * each step; a region that cannot be is a refusal, and FINISH gives back those before it. So of two
 * changes that meet one goes on. What is mapped into a hole of an UNMAP's range meanwhile may be
 * claimed with the rest or stay. APPLY adds pages (MAP, COMMIT), takes them out (UNMAP, DECOMMIT)
 * or changes their flags; taking out and changing wait for every CPU after each VSPACE_STEP_PAGES.
 * UNDO takes out what APPLY had added. FINISH gives the regions back and answers last, so that
 * whoever hears the answer finds quota and frames as it says.
 *
 * Invariants (the simulator compares regions and tables, sim/hunt/memory_look.c):
 *  1. core/region's own.
 *  2. A region of an object that is committed and not revoked has a mapping in the object's list,
 *     of the same pages.
 *  3. While a change lives its process has not begun its teardown: it counts as a thread there.
 *
 * Locks: the space's around regions; the object's below it around its mappings. No page is made,
 * mapped or removed under either.
 *
 * What can fail: in CLAIM, what the request asks, and room for the parts (regions of the space,
 * mappings of an object); in APPLY, quota and memory, and a revocation of the object's edge.
 * Then UNDO.
 */
#include "kernel/object/memory_space.h"

#include "core/checked.h"
#include "kernel/mem/kmem.h"
#include "kernel/object/memory_change.h"
#include "kernel/sched/layout.h"
#include "kernel/sched/process.h"
#include "schema/generated/exception.capnp.h"

enum {
    LEAVE_REGIONS = 64, /* each takes its object's lock: about 60 instructions */
};

static struct kmem_cache region_cache;

void memory_spaces_init(void)
{
    kmem_cache_init(&region_cache, "memory region", sizeof(struct memory_region));
    memory_changes_init();
}

void memory_space_init(struct memory_space *space)
{
    spinlock_init(&space->lock, LOCK_RANK_MEMORY_SPACE, 0);
    region_set_init(&space->regions, LIMIT_REGIONS);
}

struct memory_region *memory_region_alloc(void)
{
    return kmem_alloc(&region_cache);
}

static void memory_region_free(struct memory_region *region)
{
    kmem_free(&region_cache, region);
}

/* The part of a space that is VirtualMemory's. */
static struct region_window window_of(struct process *process)
{
    vaddr_t low = arch_vspace_base(&process->vspace.arch) + LAYOUT_MEMORY;

    return (struct region_window){low / LIMIT_PAGE_BYTES, LIMIT_USER_MAX / LIMIT_PAGE_BYTES};
}

bool memory_refuse(struct capn_refuse_reason *reason, uint16_t why, uint64_t limit, uint64_t amount)
{
    *reason = (struct capn_refuse_reason){
        .reason = why, .argument = CAPN_NO_ARGUMENT, .limit = limit, .amount = amount};
    return false;
}

bool memory_refuse_limit(struct capn_refuse_reason *reason, const char *name, uint64_t limit)
{
    *reason = (struct capn_refuse_reason){.reason = EXCEPTION_REASON_LIMIT_EXCEEDED,
                                          .argument = CAPN_NO_ARGUMENT,
                                          .limit_name = name,
                                          .limit = limit,
                                          .amount = limit + 1};
    return false;
}

/* ---- new regions ----------------------------------------------------------------------------- */

/* Puts the region where the request wants it. Space lock held. */
bool memory_region_place(struct process *process, struct change_request *request,
                         struct memory_region *region, struct capn_refuse_reason *reason)
{
    struct region_set *set = &process->memory.regions;
    struct region_window window = window_of(process);
    enum status status;

    if (request->fixed) {
        if (request->start < window.low ||
            !range_fits(request->start, request->pages, window.high)) {
            return memory_refuse(reason, EXCEPTION_REASON_OUT_OF_RANGE,
                                 window.low * LIMIT_PAGE_BYTES, request->start * LIMIT_PAGE_BYTES);
        }
    } else if (region_set_place(set, window, request->pages, &request->start) != STATUS_OK) {
        return memory_refuse(reason, EXCEPTION_REASON_OUT_OF_RANGE, window.high * LIMIT_PAGE_BYTES,
                             request->pages * LIMIT_PAGE_BYTES);
    }
    region->region.start = request->start;
    region->region.pages = request->pages;
    status = region_set_insert(set, &region->region);
    if (status == STATUS_EXISTS) {
        return memory_refuse(reason, EXCEPTION_REASON_ALREADY_EXISTS, 0,
                             request->start * LIMIT_PAGE_BYTES);
    }
    return status == STATUS_OK || memory_refuse_limit(reason, "regions", LIMIT_REGIONS);
}

bool memory_space_reserve(struct process *process, struct change_request *request,
                          struct capn_refuse_reason *reason)
{
    struct memory_region *region = memory_region_alloc();
    bool placed;

    if (region == NULL) {
        return memory_refuse(reason, EXCEPTION_REASON_OUT_OF_MEMORY, 0, 0);
    }
    region->protection = MEMORY_PROTECTION_NONE;
    spinlock_lock(&process->memory.lock);
    placed = memory_region_place(process, request, region, reason);
    spinlock_unlock(&process->memory.lock);
    if (!placed) {
        memory_region_free(region);
    }
    return placed;
}

void memory_region_remove(struct memory_space *space, struct memory_region *region)
{
    spinlock_lock(&space->lock);
    region_set_remove(&space->regions, &region->region);
    spinlock_unlock(&space->lock);
}

void memory_region_end(struct memory_region *region)
{
    if (!memory_region_is_private(region)) {
        mapping_settle(&region->mapping, true);
        edge_drop(&region->mapping.edge); /* nothing, if a revocation was there first */
    }
    memory_region_free(region);
}

/* ---- questions and the end ------------------------------------------------------------------- */

bool memory_space_query(struct memory_space *space, uint64_t page, struct memory_view *view)
{
    struct memory_region *region;

    spinlock_lock(&space->lock);
    region = memory_region_of(region_set_find(&space->regions, page));
    if (region != NULL) {
        *view = (struct memory_view){
            .start = region->region.start,
            .pages = region->region.pages,
            .protection = region->protection,
            .committed = region->committed && (memory_region_is_private(region) ||
                                               !mapping_is_revoked(&region->mapping)),
            .shared = !memory_region_is_private(region),
            .object_page =
                memory_region_is_private(region)
                    ? 0
                    : region->mapping.object_page -
                          slice_of(region->mapping.edge.badge, LIMIT_OBJECT_PAGES).first};
    }
    spinlock_unlock(&space->lock);
    return region != NULL;
}

bool memory_space_leave_step(struct memory_space *space)
{
    struct memory_region *region;

    /* No change and no thread is left: nobody else is in the list, but revocations at its mappings.
     */
    spinlock_lock(&space->lock);
    region = memory_region_of(region_set_find(&space->regions, space->left_to));
    for (unsigned i = 0; i < LEAVE_REGIONS && region != NULL; i++) {
        if (!memory_region_is_private(region) && !mapping_leave(&region->mapping)) {
            break;
        }
        space->left_to = region->region.start + region->region.pages;
        region = memory_region_of(region_set_next(&space->regions, &region->region));
    }
    spinlock_unlock(&space->lock);
    return region != NULL;
}

bool memory_space_free_step(struct memory_space *space)
{
    for (unsigned i = 0; i < FINISH_REGIONS; i++) {
        struct memory_region *region = memory_region_of(region_set_find(&space->regions, 0));

        if (region == NULL) {
            return false;
        }
        memory_region_remove(space, region);
        memory_region_end(region);
    }
    return true;
}
