/* SPDX-License-Identifier: MIT */
/*
 * The census of capabilities: who holds an edge of an object holds a reference of it, and of the
 * delegation that it came through. Counted over all processes, in tables, beside calls that wait,
 * in plans and in mappings, there are never more edges of an object than it has references; what
 * has one too few is freed while somebody holds it. (One too many is a leak, which the kernel's own
 * census of frames finds at the end.) A closed endpoint has no owner's edge left.
 *
 * Edges whose lock is held are not counted: the bound is a lower one at every moment.
 */
#include "sim/hunt/census.h"

#include "kernel/ipc/endpoint.h"
#include "kernel/object/spawn.h"
#include "sim/hunt/hunt.h"
#include "sim/hunt/look.h"

enum {
    COUNTED = 1 << 12, /* objects and delegations of one census; a power of two */
    COUNTED_BITS = 12,
};

/* One that was met, by address; of an earlier census if `census` is. */
static struct counted {
    const void *what;
    const uint64_t *references;
    uint64_t census;
    uint64_t edges;
} counted[COUNTED];
static struct counted *met[COUNTED];
static uint32_t met_count;
static uint64_t census;

void census_begin(void)
{
    census++;
    met_count = 0;
}

static void count(const void *what, const uint64_t *references)
{
    uint64_t place = ((uintptr_t)what >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - COUNTED_BITS);

    while (counted[place].census == census && counted[place].what != what) {
        place = (place + 1) % COUNTED;
    }
    if (counted[place].census != census) {
        if (met_count == COUNTED / 2) {
            model_disagree("the hunt has no room to count another object");
            return;
        }
        counted[place] = (struct counted){.what = what, .references = references, .census = census};
        met[met_count++] = &counted[place];
    }
    counted[place].edges++;
}

static void edge_count(const struct hold_edge *edge)
{
    const struct object *object = edge->object;

    if (object == NULL) {
        return;
    }
    count(object, &object->references);
    if (edge->grant != NULL) {
        count(edge->grant, &edge->grant->references);
    }
    if (object->type == &endpoint_owner_type) {
        const struct endpoint *endpoint = CONTAINER_OF(object, struct endpoint, owner);

        if (!spinlock_is_held(&endpoint->lock) && endpoint->closed) {
            model_disagree("an owner's edge of endpoint %llu, which is closed",
                           (unsigned long long)look_object_name(&endpoint->object));
        }
    }
}

static void table_count(const struct cap_table *table)
{
    for (uint32_t page = 0; page < CAP_TABLE_PAGES; page++) {
        for (uint32_t i = 0; table->page[page] != NULL && i < CAP_TABLE_PAGE_SLOTS; i++) {
            const struct cap_slot *slot = &table->page[page][i];

            if (look_slot(slot, page * CAP_TABLE_PAGE_SLOTS + i) != LOOK_SLOT_FREE) {
                edge_count(&slot->edge);
            }
        }
    }
}

/* Copies on their way: the items of its threads. */
static void copies_count(const struct process *process)
{
    for (struct list_node *node = list_first(&process->threads); node != NULL;
         node = list_next(&process->threads, node)) {
        const struct thread *thread = CONTAINER_OF(node, struct thread, process_node);
        const struct transfer_item *item = arch_frame_pointer(thread->transfer_frame);

        for (unsigned i = 0; i < LIMIT_TRANSFERS_WAITING; i++) {
            edge_count(&item[i].edge);
        }
    }
}

static void mappings_count(const struct process *process)
{
    for (struct region *region = region_set_find(&process->memory.regions, 0); region != NULL;
         region = region_set_next(&process->memory.regions, region)) {
        const struct memory_region *found = CONTAINER_OF(region, struct memory_region, region);

        if (found->shared) {
            edge_count(&found->mapping.edge);
        }
    }
}

void census_process(const struct process *process, bool space)
{
    table_count(&process->table);
    copies_count(process);
    edge_count(&process->fault_edge);
    if (process->spawn != NULL) {
        edge_count(&process->spawn->file);
        for (unsigned i = 0; i < process->spawn->grant_count; i++) {
            edge_count(&process->spawn->grant[i].edge);
        }
    }
    if (space) {
        mappings_count(process);
    }
}

void census_end(void)
{
    for (uint32_t i = 0; i < met_count; i++) {
        if (met[i]->edges > *met[i]->references) {
            model_disagree("%llu edges and %llu references of an object or a delegation",
                           (unsigned long long)met[i]->edges,
                           (unsigned long long)*met[i]->references);
        }
    }
}
