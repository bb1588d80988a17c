/* SPDX-License-Identifier: MIT */
/* What is checked after each move. */
#include "fuzz/dispatch/look.h"

#include <stdio.h>
#include <stdlib.h>

#include "fuzz/dispatch/rig.h"
#include "kernel/ipc/endpoint.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"

void look_complain(const char *what, uint64_t which, uint64_t detail)
{
    (void)fprintf(stderr, "dispatch: %s (%llu, %llu)\n%s", what, (unsigned long long)which,
                  (unsigned long long)detail, rig_console());
    abort();
}

static void demand(unsigned broken, const char *what, uint64_t which)
{
    if (broken != 0) {
        look_complain(what, which, broken);
    }
}

/* A slot with something in it, moving or not, by its place; NULL: there is none. */
static const struct cap_slot *slot_used(const struct cap_table *table, uint32_t number, bool *held)
{
    const struct cap_slot *page = table->page[number / CAP_TABLE_PAGE_SLOTS];
    const struct cap_slot *slot;

    if (page == NULL) {
        return NULL;
    }
    slot = &page[number % CAP_TABLE_PAGE_SLOTS];
    *held = slot->name >> CAP_SLOT_BITS != 0 && (slot->name & CAP_SLOT_MAX) == number;
    return *held ? slot : NULL;
}

uint32_t look_ids(const struct process *process, uint64_t interface_id, uint64_t *ids,
                  uint32_t room)
{
    uint32_t count = 0;

    for (uint32_t number = 0; number < LIMIT_TABLE_SLOTS && count < room; number++) {
        bool held;
        const struct cap_slot *slot;

        if (process->table.page[number / CAP_TABLE_PAGE_SLOTS] == NULL) {
            number += CAP_TABLE_PAGE_SLOTS - 1;
            continue;
        }
        slot = slot_used(&process->table, number, &held);
        if (slot != NULL && (interface_id == 0 || slot->edge.interface_id == interface_id)) {
            ids[count++] = slot->name;
        }
    }
    return count;
}

static void edge_look(const struct hold_edge *edge, uint64_t pid)
{
    struct object *object = edge->object;
    struct endpoint *endpoint = NULL;

    if (edge->grant != NULL) {
        demand(grant_check(edge->grant), "a delegation breaks an invariant", pid);
    }
    if (object == NULL) {
        return;
    }
    if (object->type == &endpoint_owner_type) {
        endpoint = endpoint_of_owner(object);
    } else {
        endpoint = endpoint_of_client(object);
    }
    if (endpoint != NULL) {
        demand(endpoint_check(&endpoint->queues), "an endpoint breaks an invariant", pid);
    }
}

static void thread_look(struct thread *thread)
{
    const struct ring *ring = &thread->ring;
    uint64_t name = thread->process->pid << 16 | thread->id;
    uint32_t completions = ring->cq_tail - ring->cq_head;

    demand(ring_check(ring), "a ring breaks an invariant", name);
    demand(answer_check(&thread->answers), "an answer table breaks an invariant", name);
    demand(offence_check(&thread->offences), "an offence meter breaks an invariant", name);
    demand(sched_context_check(&thread->time), "a budget breaks an invariant", name);
    demand(sched_share_check(&thread->share), "a share of time breaks an invariant", name);
    if (thread->waiting && !ring->corrupt && thread->wait_for != 0 &&
        completions >= thread->wait_for) {
        look_complain("a thread waits for completions that are there", name, completions);
    }
    if (ring_reserved(ring) < thread->operations_used) {
        look_complain("more operations than completions promised", name, thread->operations_used);
    }
}

static void process_look(struct process *process, bool thorough)
{
    demand(process_check(process), "a process breaks an invariant", process->pid);
    for (uint32_t number = 0; number < LIMIT_TABLE_SLOTS; number++) {
        bool held;
        const struct cap_slot *slot;

        if (process->table.page[number / CAP_TABLE_PAGE_SLOTS] == NULL) {
            number += CAP_TABLE_PAGE_SLOTS - 1;
            continue;
        }
        slot = slot_used(&process->table, number, &held);
        if (slot != NULL) {
            edge_look(&slot->edge, process->pid);
        }
    }
    for (struct list_node *node = list_first(&process->threads); node != NULL;
         node = list_next(&process->threads, node)) {
        thread_look(CONTAINER_OF(node, struct thread, process_node));
    }
    if (thorough && process->vspace_made && !process_is_dying(process)) {
        demand(vspace_check(&process->vspace), "an address space breaks an invariant",
               process->pid);
    }
}

/* Looking is no work of the kernel's: kernel/debug/work_check.c does not count it. */
static void locks_forget(unsigned locks)
{
    cpus[0]->work_locks = locks;
}

void look_at_all(bool thorough)
{
    unsigned locks = cpus[0]->work_locks;

    for (struct process *process = process_next(NULL); process != NULL;
         process = process_next(process)) {
        locks_forget(0);
        process_look(process, thorough);
    }
    for (enum ledger_line_name line = 0; line < LEDGER_LINES; line++) {
        struct ledger_census census;

        locks_forget(0);
        demand(accounts_census(line, &census), "the ledgers break their law", line);
    }
    demand(sched_check(cpus[0]), "the scheduler breaks an invariant", 0);
    locks_forget(0);
    if (thorough) {
        demand(frames_check(), "the frames break an invariant", 0);
        demand(kmem_check(), "a cache breaks an invariant", 0);
    }
    locks_forget(locks);
}
