/* SPDX-License-Identifier: MIT */
/*
 * The job of a change: pages in, out or changed, a few in each step, and its answer. The theory is
 * in memory_space.c.
 */
#include "kernel/object/memory_change.h"

#include "core/assert.h"
#include "kernel/dispatch/call.h"
#include "kernel/mem/kmem.h"
#include "kernel/sched/process.h"
#include "kernel/work_check.h"
#include "schema/generated/exception.capnp.h"

enum {
    APPLY_PAGES = 8, /* each is zeroed, charged and mapped: about 1,500 instructions */
};

static struct kmem_cache change_cache;

void memory_changes_init(void)
{
    kmem_cache_init(&change_cache, "memory change", sizeof(struct change));
}

/* ARCH_PAGE_* of a protection. */
static unsigned memory_flags(enum memory_protection protection)
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
    region = memory_region_of(region_set_find(&space->regions, change->start + change->cursor));
    while (region != NULL && region->region.start < end &&
           (region->change != change || !region->committed)) {
        region = memory_region_of(region_set_next(&space->regions, &region->region));
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

    if (change->region == NULL || memory_region_is_private(change->region)) {
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
    bool shared = change->region != NULL && !memory_region_is_private(change->region);

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
static bool region_joins(struct memory_region *before, struct memory_region *region)
{
    return before->change == NULL && region->change == NULL && before->shared == region->shared &&
           before->committed == region->committed && before->protection == region->protection &&
           before->region.start + before->region.pages == region->region.start &&
           (!region->shared || mapping_join(&before->mapping, &region->mapping));
}

/* Joins the region with an equal neighbour below it; returns what is left over, for
 * memory_region_end, or NULL. Space lock held. */
static struct memory_region *region_join_below(struct memory_space *space,
                                               struct memory_region *region)
{
    struct memory_region *before;

    if (region->region.node.previous == &space->regions.regions.head) {
        return NULL;
    }
    before = memory_region_of(CONTAINER_OF(region->region.node.previous, struct region, node));
    if (!region_joins(before, region)) {
        return NULL;
    }
    region_set_remove(&space->regions, &region->region);
    before->region.pages += region->region.pages;
    return region;
}

/* The same of the region that begins at page `at`, if one does. */
static struct memory_region *region_join_at(struct memory_space *space, uint64_t at)
{
    struct memory_region *region = memory_region_of(region_set_find(&space->regions, at));

    return region == NULL || region->region.start != at ? NULL : region_join_below(space, region);
}

/* What the change made of one of its regions. Returns the region when it is to go. Space lock held.
 */
static struct memory_region *region_finish(struct change *change, struct memory_region *region)
{
    struct memory_space *space = &change->process->memory;
    bool failed = change->status != STATUS_OK;

    region->change = NULL;
    if (change->kind == (failed ? CHANGE_MAP : CHANGE_UNMAP)) {
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
    if (!memory_region_is_private(region)) {
        mapping_settle(&region->mapping, false);
    }
    return region_join_below(space, region);
}

/* Gives a few regions back, each joined with its equal neighbour below, at last what stands above
 * the range; true: none is left. */
static bool step_finish(struct change *change)
{
    struct memory_space *space = &change->process->memory;
    uint64_t end = change->start + change->pages;

    for (unsigned i = 0; i < FINISH_REGIONS; i++) {
        struct memory_region *region;
        struct memory_region *gone = NULL;
        bool found = false;

        spinlock_lock(&space->lock);
        region =
            memory_region_of(region_set_find(&space->regions, change->start + change->finished));
        while (region != NULL && region->change != change && region->region.start < end) {
            region = memory_region_of(region_set_next(&space->regions, &region->region));
        }
        if (region != NULL && region->change == change) {
            found = true;
            change->finished = region->region.start + region->region.pages - change->start;
            gone = region_finish(change, region);
        } else {
            gone = region_join_at(space, end);
        }
        spinlock_unlock(&space->lock);
        if (gone != NULL) {
            memory_region_end(gone);
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

    if (change->refused) {
        return change->reason;
    }
    if (change->status == STATUS_LIMIT) {
        ledger = account_refusal(change->process->account, LEDGER_FRAMES, change->pages);
        return call_ledger_reason(&ledger);
    }
    (void)memory_refuse(&reason,
                        change->status == STATUS_REVOKED  ? EXCEPTION_REASON_REVOKED_CAPABILITY
                        : change->status == STATUS_EXISTS ? EXCEPTION_REASON_ALREADY_EXISTS
                                                          : EXCEPTION_REASON_OUT_OF_MEMORY,
                        0, change->pages * LIMIT_PAGE_BYTES);
    return reason;
}

static void change_free(struct change *change)
{
    for (unsigned i = 0; i < CHANGE_SPARES; i++) {
        if (change->spare[i] != NULL) {
            memory_region_end(change->spare[i]);
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

/* One step of CLAIM. */
static void step_claim(struct change *change)
{
    switch (change_claim(change, &change->reason)) {
    case CLAIM_MORE:
        return;
    case CLAIM_OVER:
        change->phase = CHANGE_APPLY;
        change->cursor = 0;
        return;
    case CLAIM_REFUSED:
        change->refused = true;
        change->status = STATUS_BUSY;
        change->phase = CHANGE_FINISH;
        return;
    }
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

    if (change->phase == CHANGE_CLAIM && !process_is_dying(process)) {
        step_claim(change);
        return true;
    }
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
    for (unsigned i = 0; i < CHANGE_SPARES; i++) {
        change->spare[i] = memory_region_alloc();
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

    if (change == NULL) {
        return memory_refuse(reason, EXCEPTION_REASON_OUT_OF_MEMORY, 0, 0);
    }
    if (request->kind == CHANGE_MAP) {
        if (!change_claim_new(change, &asked, reason)) {
            change_free(change);
            return false;
        }
        change->phase = CHANGE_APPLY;
    }
    process_hold(caller->process);
    change->operation = operation;
    operation->holder = &change->operation;
    change->job.step = change_step;
    job_start(&change->job, arch_cpu_this(), caller->task.priority);
    return true;
}
