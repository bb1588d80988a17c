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
 * Regions of private memory are cut at the ends of a change's range and joined again after it;
 * those of an object are changed whole.
 *
 *   free --reserve--> reserved --COMMIT--> committed --DECOMMIT--> reserved
 *   free --MAP--> committed;   reserved, committed --UNMAP--> free;   committed --PROTECT-->
 *
 * A change:  APPLY --done--> FINISH
 *              '--refused--> UNDO --done--> FINISH
 *
 * APPLY adds pages (MAP, COMMIT), takes them out (UNMAP, DECOMMIT) or changes their flags; taking
 * out and changing wait for every CPU after each VSPACE_STEP_PAGES. UNDO takes out what APPLY had
 * added. FINISH gives the regions back and answers last, so that whoever hears the answer finds
 * quota and frames as it says.
 *
 * Invariants (memory_space_check):
 *  1. core/region's own.
 *  2. A region of an object that is committed and not revoked has a mapping in the object's list.
 *  3. While a change lives its process has not begun its teardown: it counts as a thread there.
 *
 * Locks: the space's around regions; the object's below it around its mappings. No page is made,
 * mapped or removed under either.
 *
 * What can fail: at the beginning, what the request asks; in APPLY, quota and memory, and a
 * revocation of the object's edge. Then UNDO.
 */
#include "kernel/object/memory_space.h"

#include "core/assert.h"
#include "core/checked.h"
#include "kernel/dispatch/call.h"
#include "kernel/mem/kmem.h"
#include "kernel/sched/layout.h"
#include "kernel/sched/process.h"
#include "kernel/work_check.h"
#include "schema/generated/exception.capnp.h"

enum {
    APPLY_PAGES = 8,    /* each is zeroed, charged and mapped: about 1,500 instructions */
    FINISH_REGIONS = 4, /* each is looked for and drops an edge: about 2,500 instructions */
    SPARES = 2,
};

enum change_phase {
    CHANGE_APPLY,
    CHANGE_UNDO,
    CHANGE_FINISH,
};

struct change {
    struct job job;
    struct unmap unmap;
    struct operation *operation; /* NULL: the caller is gone */
    struct process *process;
    enum change_kind kind;
    enum change_phase phase;
    enum status status; /* why it is undone */
    uint64_t start;
    uint64_t pages;
    uint64_t cursor; /* pages done */
    enum memory_protection protection;
    struct memory_region *region; /* MAP: the new one */
    struct memory_region *spare[SPARES];
};

static struct kmem_cache region_cache;
static struct kmem_cache change_cache;

void memory_spaces_init(void)
{
    kmem_cache_init(&region_cache, "memory region", sizeof(struct memory_region));
    kmem_cache_init(&change_cache, "memory change", sizeof(struct change));
}

void memory_space_init(struct memory_space *space)
{
    spinlock_init(&space->lock, LOCK_RANK_MEMORY_SPACE, 0);
    region_set_init(&space->regions, LIMIT_REGIONS);
}

unsigned memory_flags(enum memory_protection protection)
{
    switch (protection) {
    case MEMORY_PROTECTION_READ_WRITE:
        return ARCH_PAGE_WRITE;
    case MEMORY_PROTECTION_READ_EXECUTE:
        return ARCH_PAGE_EXECUTE;
    default:
        return 0;
    }
}

static struct memory_region *region_of(struct region *region)
{
    return region == NULL ? NULL : CONTAINER_OF(region, struct memory_region, region);
}

static bool region_is_private(const struct memory_region *region)
{
    return !region->shared;
}

/* The part of a space that is VirtualMemory's. */
static struct region_window window_of(struct process *process)
{
    vaddr_t low = arch_vspace_base(&process->vspace.arch) + LAYOUT_MEMORY;

    return (struct region_window){low / LIMIT_PAGE_BYTES, LIMIT_USER_MAX / LIMIT_PAGE_BYTES};
}

static bool refuse(struct capn_refuse_reason *reason, uint16_t why, uint64_t limit, uint64_t amount)
{
    *reason = (struct capn_refuse_reason){
        .reason = why, .argument = CAPN_NO_ARGUMENT, .limit = limit, .amount = amount};
    return false;
}

static bool refuse_limit(struct capn_refuse_reason *reason, const char *name, uint64_t limit)
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
static bool region_place(struct process *process, struct change_request *request,
                         struct memory_region *region, struct capn_refuse_reason *reason)
{
    struct region_set *set = &process->memory.regions;
    struct region_window window = window_of(process);
    enum status status;

    if (request->fixed) {
        if (request->start < window.low ||
            !range_fits(request->start, request->pages, window.high)) {
            return refuse(reason, EXCEPTION_REASON_OUT_OF_RANGE, window.low * LIMIT_PAGE_BYTES,
                          request->start * LIMIT_PAGE_BYTES);
        }
    } else if (region_set_place(set, window, request->pages, &request->start) != STATUS_OK) {
        return refuse(reason, EXCEPTION_REASON_OUT_OF_RANGE, window.high * LIMIT_PAGE_BYTES,
                      request->pages * LIMIT_PAGE_BYTES);
    }
    region->region.start = request->start;
    region->region.pages = request->pages;
    status = region_set_insert(set, &region->region);
    if (status == STATUS_EXISTS) {
        return refuse(reason, EXCEPTION_REASON_ALREADY_EXISTS, 0,
                      request->start * LIMIT_PAGE_BYTES);
    }
    return status == STATUS_OK || refuse_limit(reason, "regions", LIMIT_REGIONS);
}

bool memory_space_reserve(struct process *process, struct change_request *request,
                          struct capn_refuse_reason *reason)
{
    struct memory_region *region = kmem_alloc(&region_cache);
    bool placed;

    if (region == NULL) {
        return refuse(reason, EXCEPTION_REASON_OUT_OF_MEMORY, 0, 0);
    }
    region->protection = MEMORY_PROTECTION_NONE;
    spinlock_lock(&process->memory.lock);
    placed = region_place(process, request, region, reason);
    spinlock_unlock(&process->memory.lock);
    if (!placed) {
        kmem_free(&region_cache, region);
    }
    return placed;
}

static void region_remove(struct memory_space *space, struct memory_region *region)
{
    spinlock_lock(&space->lock);
    region_set_remove(&space->regions, &region->region);
    spinlock_unlock(&space->lock);
}

/* MAP: the new region, in the space and, with an object, in the object's list. */
static bool map_claim(struct change *change, struct change_request *request,
                      struct capn_refuse_reason *reason)
{
    struct memory_space *space = &change->process->memory;
    struct memory_region *region = change->spare[0];
    enum status status = STATUS_OK;
    bool placed;

    region->protection = request->protection;
    region->change = change;
    spinlock_lock(&space->lock);
    placed = region_place(change->process, request, region, reason);
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
        region_remove(space, region);
        region->shared = false;
        return status == STATUS_REVOKED ? refuse(reason, EXCEPTION_REASON_REVOKED_CAPABILITY, 0, 0)
                                        : refuse_limit(reason, "mappings", LIMIT_MAPPINGS);
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
    uint64_t end = request->start + request->pages;
    bool whole = region->region.start >= request->start &&
                 region->region.start + region->region.pages <= end;

    if (region->change != NULL) {
        return refuse(reason, EXCEPTION_REASON_BUSY, 0, region->region.start * LIMIT_PAGE_BYTES);
    }
    if (!region_is_private(region) && !whole) {
        return refuse(reason, EXCEPTION_REASON_UNSUPPORTED, region->region.pages, request->pages);
    }
    switch (request->kind) {
    case CHANGE_COMMIT:
        if (region->committed || !region_is_private(region)) {
            return refuse(reason, EXCEPTION_REASON_ALREADY_EXISTS, 0,
                          region->region.start * LIMIT_PAGE_BYTES);
        }
        return true;
    case CHANGE_DECOMMIT:
        if (!region->committed || !region_is_private(region)) {
            return refuse(reason, EXCEPTION_REASON_NOT_FOUND, 0,
                          region->region.start * LIMIT_PAGE_BYTES);
        }
        return true;
    case CHANGE_PROTECT:
        if (!region->committed) {
            return refuse(reason, EXCEPTION_REASON_NOT_FOUND, 0,
                          region->region.start * LIMIT_PAGE_BYTES);
        }
        if (!region_is_private(region) &&
            !memory_edge_permits(&region->mapping.edge, request->protection)) {
            return refuse(reason, EXCEPTION_REASON_METHOD_NOT_IN_FACET, region->mapping.edge.facet,
                          request->protection);
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
    struct memory_region *region = region_of(region_set_find(&space->regions, request->start));

    return region != NULL && region->region.start < request->start + request->pages ? region : NULL;
}

static struct memory_region *range_next(const struct memory_space *space,
                                        const struct change_request *request,
                                        const struct memory_region *region)
{
    struct memory_region *next = region_of(region_set_next(&space->regions, &region->region));

    return next != NULL && next->region.start < request->start + request->pages ? next : NULL;
}

/* Whether the whole range can be changed as asked. Space lock held. */
static bool range_allows(const struct memory_space *space, const struct change_request *request,
                         struct capn_refuse_reason *reason)
{
    struct memory_region *region = range_first(space, request);
    uint64_t covered = request->start;

    if (region == NULL) {
        return refuse(reason, EXCEPTION_REASON_NOT_FOUND, 0, request->start * LIMIT_PAGE_BYTES);
    }
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
        return refuse(reason, EXCEPTION_REASON_NOT_FOUND, 0, covered * LIMIT_PAGE_BYTES);
    }
    return space->regions.count + SPARES <= LIMIT_REGIONS ||
           refuse_limit(reason, "regions", LIMIT_REGIONS);
}

/* Cuts the private region that holds page `at` there, unless it begins at it. Space lock held. */
static void region_cut(struct change *change, uint64_t at)
{
    struct memory_space *space = &change->process->memory;
    struct memory_region *region = region_of(region_set_find(&space->regions, at));
    struct memory_region *rest = change->spare[0] != NULL ? change->spare[0] : change->spare[1];
    enum status status;

    if (region == NULL || region->region.start >= at) {
        return;
    }
    ASSERT(region_is_private(region) && rest != NULL);
    change->spare[rest == change->spare[0] ? 0 : 1] = NULL;
    rest->protection = region->protection;
    rest->committed = region->committed;
    status = region_set_split(&space->regions, &region->region, at - region->region.start,
                              &rest->region);
    ASSERT(status == STATUS_OK);
}

/* Takes the object regions of the range for the change; false: a revocation is at one of them, and
 * none is taken. Space lock held. */
static bool mappings_claim(struct change *change, const struct change_request *request)
{
    struct memory_space *space = &change->process->memory;
    struct memory_region *region = range_first(space, request);
    struct memory_region *stop = NULL;
    bool revoked;

    for (; region != NULL && stop == NULL; region = range_next(space, request, region)) {
        if (!region_is_private(region)) {
            bool free = mapping_change(&region->mapping, &revoked);

            if (free && revoked && request->kind != CHANGE_UNMAP) {
                mapping_settle(&region->mapping, false);
                free = false;
            }
            stop = free ? NULL : region;
        }
    }
    if (stop == NULL) {
        return true;
    }
    for (region = range_first(space, request); region != stop;
         region = range_next(space, request, region)) {
        if (!region_is_private(region)) {
            mapping_settle(&region->mapping, false);
        }
    }
    return false;
}

/* The regions of the range are the change's, cut at its ends. */
static bool range_claim(struct change *change, const struct change_request *request,
                        struct capn_refuse_reason *reason)
{
    struct memory_space *space = &change->process->memory;
    struct memory_region *region;
    bool allowed;

    spinlock_lock(&space->lock);
    allowed = range_allows(space, request, reason);
    if (allowed && !mappings_claim(change, request)) {
        allowed = refuse(reason, EXCEPTION_REASON_BUSY, 0, request->start * LIMIT_PAGE_BYTES);
    }
    if (allowed) {
        region_cut(change, request->start);
        region_cut(change, request->start + request->pages);
        for (region = range_first(space, request); region != NULL;
             region = range_next(space, request, region)) {
            region->change = change;
        }
    }
    spinlock_unlock(&space->lock);
    return allowed;
}

/* ---- the job --------------------------------------------------------------------------------- */

static void change_seen(struct unmap *unmap)
{
    task_start(&CONTAINER_OF(unmap, struct change, unmap)->job.task);
}

/* The next pages of the change's range that are in a region of its own, VSPACE_STEP_PAGES at most;
 * skips holes. 0: none is left. */
static unsigned stretch_next(struct change *change, uint64_t end, uint64_t *page)
{
    struct memory_space *space = &change->process->memory;
    struct memory_region *region;
    uint64_t pages = 0;

    spinlock_lock(&space->lock);
    region = region_of(region_set_find(&space->regions, change->start + change->cursor));
    while (region != NULL && region->region.start < end &&
           (region->change != change || !region->committed)) {
        region = region_of(region_set_next(&space->regions, &region->region));
    }
    if (region != NULL && region->region.start < end) {
        uint64_t region_end = region->region.start + region->region.pages;

        *page = change->start + change->cursor;
        *page = *page > region->region.start ? *page : region->region.start;
        pages = (region_end < end ? region_end : end) - *page;
        pages = pages < VSPACE_STEP_PAGES ? pages : VSPACE_STEP_PAGES;
        change->cursor = *page + pages - change->start;
    }
    spinlock_unlock(&space->lock);
    return (unsigned)pages;
}

/* Takes pages out or changes them; goes on when every CPU has seen it. The change is not to be
 * touched after the call into the space: it may run elsewhere. */
static void stretch_change(struct change *change, uint64_t page, unsigned pages)
{
    struct vspace *vspace = &change->process->vspace;
    vaddr_t address = page * LIMIT_PAGE_BYTES;
    enum status status;

    change->unmap.complete = change_seen;
    if (change->kind == CHANGE_PROTECT) {
        status = vspace_protect(vspace, address, pages, memory_flags(change->protection),
                                &change->unmap);
    } else {
        status = vspace_unmap(vspace, address, pages, &change->unmap);
    }
    ASSERT(status == STATUS_OK);
}

static enum status page_add(struct change *change, uint64_t page)
{
    struct vspace *vspace = &change->process->vspace;
    vaddr_t address = page * LIMIT_PAGE_BYTES;
    unsigned flags = memory_flags(change->protection);
    struct mapping *mapping;
    paddr_t frame;
    enum status status;

    if (change->region == NULL || region_is_private(change->region)) {
        return vspace_map_new(vspace, address, flags, NULL);
    }
    mapping = &change->region->mapping;
    status = memory_object_frame(
        CONTAINER_OF((struct object *)mapping->edge.object, struct memory_object, object),
        mapping->object_page + (page - change->start), &frame);
    return status == STATUS_OK ? vspace_map_shared(vspace, address, flags, frame) : status;
}

/* One step of MAP and COMMIT. A revocation that comes meanwhile ends it. */
static void step_add(struct change *change)
{
    bool shared = change->region != NULL && !region_is_private(change->region);

    for (unsigned i = 0; i < APPLY_PAGES && change->cursor < change->pages; i++) {
        change->status = page_add(change, change->start + change->cursor);
        if (change->status != STATUS_OK) {
            change->phase = CHANGE_UNDO;
            return;
        }
        change->cursor++;
    }
    if (shared && mapping_is_revoked(&change->region->mapping)) {
        change->status = STATUS_REVOKED;
        change->phase = CHANGE_UNDO;
    } else if (change->cursor == change->pages) {
        change->phase = CHANGE_FINISH;
    }
}

/* One step back: the last pages that were added. True: nothing is left. */
static bool step_undo(struct change *change)
{
    unsigned pages;

    if (change->cursor == 0) {
        return true;
    }
    pages = change->cursor < VSPACE_STEP_PAGES ? (unsigned)change->cursor : VSPACE_STEP_PAGES;
    change->cursor -= pages;
    stretch_change(change, change->start + change->cursor, pages);
    return false;
}

/* Whether the region can be joined with the one before it. Space lock held. */
static bool region_joins(const struct memory_region *before, const struct memory_region *region)
{
    return before != NULL && before->change == NULL && region_is_private(before) &&
           region_is_private(region) && before->committed == region->committed &&
           before->protection == region->protection &&
           before->region.start + before->region.pages == region->region.start;
}

/* Joins the region with its equal neighbour below; returns what is left over, or NULL. */
static struct memory_region *region_join(struct memory_space *space, struct memory_region *region)
{
    struct list_node *node = region->region.node.previous;
    struct memory_region *before = node == &space->regions.regions.head
                                       ? NULL
                                       : region_of(CONTAINER_OF(node, struct region, node));

    if (!region_joins(before, region)) {
        return NULL;
    }
    region_set_remove(&space->regions, &region->region);
    before->region.pages += region->region.pages;
    return region;
}

/* What the change made of one of its regions. Returns the region when it is to go. Space lock held.
 */
static struct memory_region *region_finish(struct change *change, struct memory_region *region)
{
    struct memory_space *space = &change->process->memory;
    bool failed = change->status != STATUS_OK;

    region->change = NULL;
    if (change->kind == CHANGE_UNMAP || (change->kind == CHANGE_MAP && failed)) {
        region_set_remove(&space->regions, &region->region);
        return region;
    }
    if (!failed && change->kind == CHANGE_DECOMMIT) {
        region->committed = false;
        region->protection = MEMORY_PROTECTION_NONE;
    } else if (!failed) {
        region->committed = true;
        region->protection = change->protection;
    }
    if (!region_is_private(region)) {
        mapping_settle(&region->mapping, false);
        return NULL;
    }
    return region_join(space, region);
}

static void region_free(struct memory_region *region)
{
    if (!region_is_private(region)) {
        mapping_settle(&region->mapping, true);
        edge_drop(&region->mapping.edge); /* nothing, if a revocation was there first */
    }
    kmem_free(&region_cache, region);
}

/* Gives a few regions back; true: none is left. */
static bool step_finish(struct change *change)
{
    struct memory_space *space = &change->process->memory;

    for (unsigned i = 0; i < FINISH_REGIONS; i++) {
        struct memory_region *region;
        struct memory_region *gone = NULL;
        bool found = false;

        spinlock_lock(&space->lock);
        region = region_of(region_set_find(&space->regions, change->start));
        while (region != NULL && region->change != change) {
            region = region_of(region_set_next(&space->regions, &region->region));
        }
        if (region != NULL) {
            found = true;
            gone = region_finish(change, region);
        }
        spinlock_unlock(&space->lock);
        if (gone != NULL) {
            region_free(gone);
        }
        if (!found) {
            return true;
        }
    }
    return false;
}

static struct capn_refuse_reason failure_reason(const struct change *change)
{
    struct capn_refuse_reason reason;
    struct ledger_refusal ledger;

    if (change->status == STATUS_LIMIT) {
        ledger = account_refusal(change->process->account, LEDGER_FRAMES, change->pages);
        return call_ledger_reason(&ledger);
    }
    (void)refuse(&reason,
                 change->status == STATUS_REVOKED  ? EXCEPTION_REASON_REVOKED_CAPABILITY
                 : change->status == STATUS_EXISTS ? EXCEPTION_REASON_ALREADY_EXISTS
                                                   : EXCEPTION_REASON_OUT_OF_MEMORY,
                 0, change->pages * LIMIT_PAGE_BYTES);
    return reason;
}

static void change_free(struct change *change)
{
    for (unsigned i = 0; i < SPARES; i++) {
        if (change->spare[i] != NULL) {
            kmem_free(&region_cache, change->spare[i]);
        }
    }
    kmem_free(&change_cache, change);
}

static void change_answer(struct change *change)
{
    struct deferred_answer answer = {.cap = {.object = NULL}};

    if (change->operation == NULL) {
        return;
    }
    if (change->status != STATUS_OK) {
        deferred_refuse(&answer, change->operation, failure_reason(change));
    } else if (change->kind == CHANGE_MAP) {
        deferred_begin(&answer);
        virtual_memory_map_results_set_address(
            virtual_memory_map_results_init(capn_builder_root(&answer.results)),
            change->start * LIMIT_PAGE_BYTES);
    } else {
        deferred_begin(&answer);
        (void)capn_init_struct(capn_builder_root(&answer.results), (struct capn_size){0, 0});
    }
    deferred_complete(change->operation, &answer);
}

/* One step of APPLY; false: it goes on when every CPU has seen it. */
static bool step_apply(struct change *change)
{
    uint64_t page;
    unsigned pages;

    if (change->kind == CHANGE_MAP || change->kind == CHANGE_COMMIT) {
        step_add(change);
        return true;
    }
    pages = stretch_next(change, change->start + change->pages, &page);
    if (pages == 0) {
        change->phase = CHANGE_FINISH;
        return true;
    }
    stretch_change(change, page, pages);
    return false;
}

static bool change_step(struct job *job)
{
    struct change *change = CONTAINER_OF(job, struct change, job);
    struct process *process = change->process;

    if (change->phase == CHANGE_APPLY && !process_is_dying(process)) {
        bool more;

        memory_permit_begin(); /* building */
        more = step_apply(change);
        memory_permit_end();
        return more;
    }
    if (change->phase == CHANGE_UNDO && !process_is_dying(process)) {
        if (step_undo(change)) {
            change->phase = CHANGE_FINISH;
            return true;
        }
        return false;
    }
    /* In a dying process the teardown does the rest: regions stay as they are. */
    if (!process_is_dying(process) && !step_finish(change)) {
        return true;
    }
    change_answer(change);
    change_free(change);
    process_thread_gone(process, NULL);
    return false;
}

/* Memory for a change, and the process's promise not to end before it. */
static struct change *change_create(struct thread *caller, const struct change_request *request)
{
    struct change *change = kmem_alloc(&change_cache);

    if (change == NULL) {
        return NULL;
    }
    change->process = caller->process;
    change->kind = request->kind;
    change->start = request->start;
    change->pages = request->pages;
    change->protection = request->protection;
    for (unsigned i = 0; i < SPARES; i++) {
        change->spare[i] = kmem_alloc(&region_cache);
        if (change->spare[i] == NULL) {
            change_free(change);
            return NULL;
        }
    }
    return change;
}

bool change_begin(struct thread *caller, struct operation *operation,
                  const struct change_request *request, struct capn_refuse_reason *reason)
{
    struct change_request asked = *request;
    struct change *change = change_create(caller, request);
    bool claimed;

    if (change == NULL) {
        return refuse(reason, EXCEPTION_REASON_OUT_OF_MEMORY, 0, 0);
    }
    claimed = request->kind == CHANGE_MAP ? map_claim(change, &asked, reason)
                                          : range_claim(change, &asked, reason);
    if (!claimed) {
        change_free(change);
        return false;
    }
    process_hold(caller->process);
    change->operation = operation;
    operation->holder = &change->operation;
    change->job.step = change_step;
    job_start(&change->job, arch_cpu_this(), caller->task.priority);
    return true;
}

/* ---- questions and the end ------------------------------------------------------------------- */

bool memory_space_query(struct memory_space *space, uint64_t page, struct memory_view *view)
{
    struct memory_region *region;

    spinlock_lock(&space->lock);
    region = region_of(region_set_find(&space->regions, page));
    if (region != NULL) {
        *view = (struct memory_view){
            .start = region->region.start,
            .pages = region->region.pages,
            .protection = region->protection,
            .committed = region->committed &&
                         (region_is_private(region) || !mapping_is_revoked(&region->mapping)),
            .shared = !region_is_private(region),
            .object_page = region_is_private(region) ? 0 : region->mapping.object_page};
    }
    spinlock_unlock(&space->lock);
    return region != NULL;
}

bool memory_space_leave_step(struct memory_space *space)
{
    struct memory_region *region = region_of(region_set_find(&space->regions, 0));
    bool left = true;

    /* No change and no thread is left: nobody else is in the list, but revocations at its mappings.
     */
    spinlock_lock(&space->lock);
    while (region != NULL && left) {
        left = region_is_private(region) || mapping_leave(&region->mapping);
        region = region_of(region_set_next(&space->regions, &region->region));
    }
    spinlock_unlock(&space->lock);
    return !left;
}

bool memory_space_free_step(struct memory_space *space)
{
    for (unsigned i = 0; i < FINISH_REGIONS; i++) {
        struct memory_region *region = region_of(region_set_find(&space->regions, 0));

        if (region == NULL) {
            return false;
        }
        region_remove(space, region);
        region_free(region);
    }
    return true;
}
