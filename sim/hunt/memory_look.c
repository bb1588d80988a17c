/* SPDX-License-Identifier: MIT */
/*
 * Looking at memory: what an address space has in its regions, told to the model, and whether its
 * tables show just that; what objects have, and who is charged for it.
 *
 * While a change or a revocation is at work on pages, tables and regions differ. When every CPU is
 * idle no frame is on its way: then each one that is not the kernel's own or a cache's is charged
 * to one account, and what is set aside in the accounts is what memory objects may still come to
 * need.
 */
#include "sim/hunt/memory_look.h"

#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"
#include "kernel/object/memory_object.h"
#include "kernel/object/memory_space.h"
#include "kernel/sched/layout.h"

enum {
    OBJECTS = 256,
};

static const struct memory_object *objects[OBJECTS];
static uint32_t object_count;

void memory_look_made(const void *object)
{
    if (object_count == OBJECTS) {
        model_disagree("the hunt has no room for another memory object");
        return;
    }
    objects[object_count++] = memory_object_of((void *)(uintptr_t)object);
}

void memory_look_gone(const void *object)
{
    for (uint32_t i = 0; i < object_count; i++) {
        if (&objects[i]->object == object) {
            objects[i] = objects[--object_count];
            return;
        }
    }
}

/* ---- address spaces -------------------------------------------------------------------------- */

static unsigned flags_of(uint32_t protection)
{
    return protection == MEMORY_PROTECTION_READ_WRITE     ? ARCH_PAGE_WRITE
           : protection == MEMORY_PROTECTION_READ_EXECUTE ? ARCH_PAGE_EXECUTE
                                                          : 0;
}

/* One page as its region says; *settled: nobody is at work on it. */
static struct model_page page_read(const struct memory_region *region, uint64_t page, bool *settled)
{
    struct model_page view = {.state = MODEL_PAGE_RESERVED, .protection = region->protection};

    *settled = region->change == NULL;
    if (!*settled) {
        return (struct model_page){.state = MODEL_PAGE_CHANGING};
    }
    if (region->shared && region->mapping.edge.object == NULL) {
        return (struct model_page){.state = MODEL_PAGE_TAKEN_BACK};
    }
    if (region->shared) {
        view.state = MODEL_PAGE_SHOWN;
        view.object = look_object_name(region->mapping.edge.object);
        view.object_page = region->mapping.object_page + page - region->region.start;
        view.facet = region->mapping.edge.facet;
        view.grant =
            region->mapping.edge.grant == NULL ? 0 : look_object_name(region->mapping.edge.grant);
        *settled = !region->mapping.revoked;
    } else if (region->committed) {
        view.state = MODEL_PAGE_COMMITTED;
    }
    return view;
}

/* Whether the tables show the page as its region says. */
static void tables_look(const struct process *process, uint64_t page,
                        const struct memory_region *region, const struct model_page *view)
{
    bool there = view->state == MODEL_PAGE_COMMITTED || view->state == MODEL_PAGE_SHOWN;
    struct arch_mapping mapping = {.frame = 0};
    unsigned flags = flags_of(view->protection);
    bool found = arch_vspace_query(&process->vspace.arch, page * LIMIT_PAGE_BYTES, &mapping);

    if (view->state == MODEL_PAGE_SHOWN) {
        flags |= ARCH_PAGE_SHARED;
        found = found && mapping.frame ==
                             memory_object_frame_there(
                                 memory_object_of(region->mapping.edge.object), view->object_page);
    }
    if (found != there || (there && mapping.flags != flags)) {
        model_disagree("process %llu: the tables do not show page %llx as its region says",
                       (unsigned long long)process->pid, (unsigned long long)page);
    }
}

void memory_look_space(const struct process *process)
{
    struct model_page pages[MODEL_SPACE_PAGES] = {{.state = MODEL_PAGE_FREE}};
    const struct model_page free = {.state = MODEL_PAGE_FREE};
    uint64_t first = (arch_vspace_base(&process->vspace.arch) + LAYOUT_MEMORY) / LIMIT_PAGE_BYTES;
    uint64_t at = first;

    if (process->state >= PROCESS_DYING || process->vspace.frames == 0) {
        return;
    }
    hunt_report->checks++;
    for (struct region *region = region_set_find(&process->memory.regions, 0); region != NULL;
         region = region_set_next(&process->memory.regions, region)) {
        const struct memory_region *found = CONTAINER_OF(region, struct memory_region, region);

        if (region->start < at || region->start + region->pages > first + MODEL_SPACE_PAGES) {
            model_disagree("process %llu has memory where nobody asked for it",
                           (unsigned long long)process->pid);
            return;
        }
        for (; at < region->start; at++) {
            tables_look(process, at, NULL, &free);
        }
        for (; at < region->start + region->pages; at++) {
            bool settled;

            pages[at - first] = page_read(found, at, &settled);
            if (settled) {
                tables_look(process, at, found, &pages[at - first]);
            }
        }
    }
    for (; at < first + MODEL_SPACE_PAGES; at++) {
        tables_look(process, at, NULL, &free);
    }
    model_space(process->pid, pages);
}

/* ---- charges --------------------------------------------------------------------------------- */

/* Frames that the object may still come to need: root, tables of 512 pages, pages. */
static uint64_t object_needs(const struct memory_object *memory)
{
    return 1 + (memory->pages + 511) / 512 + memory->pages - memory->frames;
}

static void object_look(const struct memory_object *memory)
{
    paddr_t first = memory_object_frame_there(memory, 0);

    hunt_report->checks++;
    for (uint64_t page = 0; memory->contiguous && page < memory->pages; page++) {
        paddr_t frame = memory_object_frame_there(memory, page);

        if (frame != 0 && frame != first + page * LIMIT_PAGE_BYTES) {
            model_disagree("page %llu of a contiguous object lies elsewhere",
                           (unsigned long long)page);
        }
    }
}

void memory_look_objects(void)
{
    for (uint32_t i = 0; i < object_count; i++) {
        if (!spinlock_is_held(&objects[i]->lock)) {
            object_look(objects[i]);
        }
    }
}

void memory_look_rest(void)
{
    struct frames_census frames;
    struct ledger_census ledger;
    uint64_t aside = 0;

    if (accounts_kernel_frames == 0 || accounts_census(LEDGER_FRAMES, &ledger) != 0) {
        return;
    }
    frames_census_take(&frames);
    if (frames.owned + frames.quarantine != accounts_kernel_frames + kmem_frames() + ledger.used) {
        model_disagree("%llu frames are in use, %llu are the kernel's and its caches', %llu are "
                       "charged, and every CPU is idle",
                       (unsigned long long)(frames.owned + frames.quarantine),
                       (unsigned long long)(accounts_kernel_frames + kmem_frames()),
                       (unsigned long long)ledger.used);
    }
    for (uint32_t i = 0; i < object_count; i++) {
        aside += object_needs(objects[i]);
    }
    if (aside != ledger.reserved) {
        model_disagree("memory objects may need %llu frames, %llu are set aside, and every CPU is "
                       "idle",
                       (unsigned long long)aside, (unsigned long long)ledger.reserved);
    }
}
