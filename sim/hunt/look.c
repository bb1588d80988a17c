/* SPDX-License-Identifier: MIT */
/*
 * Looking at the kernel's structures: each one's own x_check(), and what the model is told of it.
 *
 * A structure may only change under its lock, so it is looked at when the lock is given back
 * (look_under). look_all.c looks at everything, again and again, so that a write without the lock
 * is seen too. Objects have names here, since an address is used again and the model wants numbers
 * that never are.
 */
#include "sim/hunt/look.h"

#include "kernel/arch/host/machine.h"
#include "kernel/ipc/endpoint.h"
#include "kernel/ipc/park.h"
#include "kernel/object/spawn.h"
#include "kernel/object/memory_object.h"
#include "sim/hunt/hunt.h"
#include "sim/hunt/memory_look.h"
#include "sim/hunt/sched_look.h"

enum {
    NAMES = 1 << 12,
    KNOWN = 256,
    TABLE_EDGES = LIMIT_TABLE_SLOTS,
    LINK_MOVING = CAP_SLOT_MAX - 2, /* core/cap_slot.h: how a slot on the move is marked */
};

/* Names of objects, by address; one is made anew at object_init. */
static struct {
    const void *address;
    uint64_t name;
} names[NAMES];
static uint64_t last_name;

/* What exists, in no order: since the first time that its lock was given back. */
struct known {
    void *thing[KNOWN];
    uint32_t count;
};
static struct known processes;
static struct known endpoints;

/* ---- names ----------------------------------------------------------------------------------- */

uint64_t hunt_thread_name(uint64_t pid, uint64_t thread)
{
    return pid << 16 | thread;
}

uint64_t look_thread_name(const struct thread *thread)
{
    return hunt_thread_name(thread->process->pid, thread->id);
}

static uint64_t *name_place(const void *address)
{
    uint64_t place = ((uintptr_t)address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 52;

    for (uint32_t i = 0; i < NAMES; i++, place = (place + 1) % NAMES) {
        if (names[place].address == NULL) {
            names[place].address = address;
            names[place].name = ++last_name;
        }
        if (names[place].address == address) {
            return &names[place].name;
        }
    }
    model_disagree("the hunt has no room for another name");
    return &names[0].name;
}

/* The name of an object that was made; 0: none was at this address. */
static uint64_t name_if_any(const void *address)
{
    uint64_t place = ((uintptr_t)address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 52;

    while (names[place].address != NULL && names[place].address != address) {
        place = (place + 1) % NAMES;
    }
    return names[place].address == NULL ? 0 : names[place].name;
}

uint64_t look_object_name(const void *object)
{
    uint64_t *name = name_place(object);

    if (*name == 0) { /* something else was here before */
        *name = ++last_name;
    }
    return *name;
}

void look_made(const struct object *object, const struct object_type *type)
{
    *name_place(object) = ++last_name;
    if (type == &memory_object_type) {
        memory_look_made(object);
    }
}

/* ---- looking --------------------------------------------------------------------------------- */

/* A structure's own check failed. */
void look_broken(const char *what, uint64_t which, unsigned invariant)
{
    if (invariant != 0) {
        model_disagree("invariant %u of %s is broken (%llu)", invariant, what,
                       (unsigned long long)which);
    }
}

static enum model_life life_of(const struct process *process)
{
    switch ((enum process_state)process->state) {
    case PROCESS_BUILDING:
        return MODEL_BUILDING;
    case PROCESS_ALIVE:
        return MODEL_ALIVE;
    case PROCESS_DYING:
        return MODEL_DYING;
    default:
        return MODEL_ENDED;
    }
}

/* The model knows one object where the kernel has one for owners, one for each badge and one for
 * clients without. */
static const void *meant_by(struct object *object)
{
    if (object->type == &endpoint_owner_type) {
        return &endpoint_of_owner(object)->object;
    }
    return endpoint_of_client(object) != NULL ? &endpoint_of_client(object)->object : object;
}

struct model_edge look_edge(struct cap_id cap, const struct hold_edge *held)
{
    struct object *object = held->object;
    struct model_edge edge = {.id = cap.raw, .state = MODEL_EDGE_HELD};

    edge.object = look_object_name(meant_by(object));
    edge.interface_id = held->interface_id;
    edge.facet = held->facet;
    edge.badge = held->badge;
    edge.grant = held->grant == NULL ? 0 : look_object_name(held->grant);
    if (object->type == &memory_object_type) {
        edge.object_pages = (uint32_t)memory_object_of(object)->pages;
        edge.object_is_run = memory_object_of(object)->contiguous;
    }
    edge.mode = held->mode;
    edge.grantable = held->grantable;
    return edge;
}

static struct model_edge edge_read(const struct cap_slot *slot, uint32_t number, bool moving)
{
    struct cap_id cap = {(slot->name & ~(uint64_t)CAP_SLOT_MAX) | number};
    struct model_edge edge;

    if (slot->edge.object == NULL) {
        return (struct model_edge){.id = cap.raw, .state = MODEL_EDGE_BURIED};
    }
    edge = look_edge(cap, &slot->edge);
    edge.state = moving ? MODEL_EDGE_MOVING : MODEL_EDGE_HELD;
    return edge;
}

enum look_slot look_slot(const struct cap_slot *slot, uint32_t number)
{
    uint32_t link = (uint32_t)(slot->name & CAP_SLOT_MAX);

    if (slot->name == 0 || (link != number && link != LINK_MOVING)) {
        return LOOK_SLOT_FREE;
    }
    return link == LINK_MOVING ? LOOK_SLOT_MOVING : LOOK_SLOT_HELD;
}

static uint32_t table_read(const struct cap_table *table, struct model_edge *edges)
{
    uint32_t count = 0;

    for (uint32_t page = 0; page < CAP_TABLE_PAGES; page++) {
        if (table->page[page] == NULL) {
            continue;
        }
        for (uint32_t i = 0; i < CAP_TABLE_PAGE_SLOTS; i++) {
            const struct cap_slot *slot = &table->page[page][i];
            uint32_t number = page * CAP_TABLE_PAGE_SLOTS + i;
            enum look_slot state = look_slot(slot, number);

            if (state != LOOK_SLOT_FREE) {
                edges[count++] = edge_read(slot, number, state == LOOK_SLOT_MOVING);
            }
        }
    }
    return count;
}

/* The story's lines about edges: what differs from what the model knew. */
static void edges_note(uint64_t pid, const struct model_edge *now, uint32_t now_count)
{
    static struct model_edge was[TABLE_EDGES];
    uint32_t was_count = model_edges(pid, was, TABLE_EDGES);
    uint32_t i = 0;
    uint32_t j = 0;

    while (i < was_count || j < now_count) {
        uint64_t slot_was = i < was_count ? was[i].id & CAP_SLOT_MAX : UINT64_MAX;
        uint64_t slot_now = j < now_count ? now[j].id & CAP_SLOT_MAX : UINT64_MAX;

        if (slot_was == slot_now && was[i].id == now[j].id) {
            i++;
            j++;
        } else if (slot_was <= slot_now) {
            hunt_note(HUNT_EVENT_EDGE, pid << 1, was[i].id, was[i].object, was[i].interface_id);
            i++;
        } else {
            hunt_note(HUNT_EVENT_EDGE, pid << 1 | 1, now[j].id, now[j].object, now[j].interface_id);
            j++;
        }
    }
}

static void kept_look(const struct process *process, const struct hold_edge *edge)
{
    if (edge->object != NULL && edge->grant != NULL) {
        model_copy(process->pid, look_object_name(edge->grant));
    }
}

/* The copies beside calls of its threads that wait, taken or not. */
static void copies_look(const struct process *process)
{
    for (struct list_node *node = list_first(&process->threads); node != NULL;
         node = list_next(&process->threads, node)) {
        const struct thread *thread = CONTAINER_OF(node, struct thread, process_node);
        const struct transfer_item *item = arch_frame_pointer(thread->transfer_frame);

        for (unsigned i = 0; i < LIMIT_TRANSFERS_WAITING; i++) {
            kept_look(process, &item[i].edge);
        }
    }
}

/* What the spawn that builds the process keeps for it. */
static void plan_look(const struct process *process)
{
    const struct spawn *spawn = process->spawn;

    if (spawn != NULL) {
        kept_look(process, &spawn->file);
        for (unsigned i = 0; i < spawn->grant_count; i++) {
            kept_look(process, &spawn->grant[i].edge);
        }
    }
}

void look_process(const struct model_actor *actor, struct process *process)
{
    static struct model_edge edges[TABLE_EDGES];
    uint32_t count;

    hunt_report->checks++;
    if (process->state < PROCESS_DYING || process->table.used != 0) { /* else it may be freed */
        look_broken("a capability table", process->pid, cap_table_check(&process->table));
    }
    count = table_read(&process->table, edges);
    if (life_of(process) == MODEL_DYING && model_is_alive(process->pid) &&
        process->exit.kind == EXIT_KIND_KILLED) {
        hunt_fault(HUNT_FAULT_KILL);
    }
    model_process(process->pid, life_of(process));
    if (!model_has_ids(process->pid, edges, count)) {
        edges_note(process->pid, edges, count);
    }
    model_table(actor, process->pid, edges, count);
    copies_look(process);
    plan_look(process);
}

static uint32_t records_read(const struct list *list, uint64_t *names_to)
{
    uint32_t count = 0;

    for (struct list_node *node = list_first(list); node != NULL && count < MODEL_VIEW;
         node = list_next(list, node)) {
        const struct endpoint_record *record = CONTAINER_OF(node, struct endpoint_record, node);

        names_to[count++] = CONTAINER_OF(record, struct operation, endpoint_record)->user_data;
    }
    return count;
}

void look_endpoint(const struct model_actor *actor, const struct endpoint *endpoint)
{
    static struct model_endpoint_view view;
    const struct endpoint_queues *queues = &endpoint->queues;

    hunt_report->checks++;
    look_broken("an endpoint", look_object_name(&endpoint->object), endpoint_check(queues));
    view.endpoint = look_object_name(&endpoint->object);
    view.closed = endpoint->closed;
    view.pumps = endpoint->pumps;
    view.calls = records_read(&queues->calls, view.call);
    view.receivers = records_read(&queues->receivers, view.receiver);
    view.flights = 0;
    for (uint32_t i = 0; i < LIMIT_TOKEN_SLOTS; i++) {
        if (queues->token[i].call != NULL) {
            const struct operation *call =
                CONTAINER_OF(queues->token[i].call, struct operation, endpoint_record);

            view.flight[view.flights] = call->user_data;
            view.flight_watch[view.flights] =
                queues->token[i].watch == NULL
                    ? 0
                    : CONTAINER_OF(queues->token[i].watch, struct operation, endpoint_record)
                          ->user_data;
            view.flight_token[view.flights] = call->token;
            view.flight_receiver[view.flights++] =
                call->receiver == NULL ? 0 : look_thread_name(call->receiver);
        }
    }
    model_endpoint(actor, &view);
}

void look_thread(struct thread *thread)
{
    struct ring *ring = &thread->ring;
    uint32_t posted = ring->cq_tail - ring->cq_head;

    hunt_report->checks++;
    look_broken("a ring", look_thread_name(thread), ring_check(ring));
    look_broken("answers", look_thread_name(thread), answer_check(&thread->answers));
    if (thread->waiting && !ring->corrupt && posted >= thread->wait_for && thread->wait_for != 0) {
        model_disagree("thread %llu waits for %u completions and has %u: a lost wake-up",
                       (unsigned long long)thread->id, thread->wait_for, posted);
    }
    /* The short way takes its operation before it accepts the submission, under whose endpoint's
     * lock nobody else sees the operation before the acceptance. */
    if (ring->sq_head - ring->cq_tail + (thread->task.cpu->current == thread) <
        thread->operations_used) {
        model_disagree("thread %llu has %u operations and %u completions reserved",
                       (unsigned long long)thread->id, thread->operations_used,
                       ring->sq_head - ring->cq_tail);
    }
}

void look_cpu(struct cpu *cpu)
{
    hunt_report->checks++;
    if (cpu->current != NULL && cpu->current->process->state < PROCESS_ENDED) {
        sched_look_thread(cpu->current, false);
    }
    look_broken("a run queue", cpu->index, run_queue_check(&cpu->run_queue));
    look_broken("a timer heap", cpu->index, deadline_heap_check(&cpu->timers));
    if (cpu->current != NULL && cpu->current->task.node.queued && cpu->current->task.cpu != cpu) {
        model_disagree("CPU %u runs a thread that another queues", cpu->index);
    }
}

/* Its own invariants; who has left the tree has none. */
static void account_look(const struct account *account)
{
    if (account == account_root() || account->ledger.parent != NULL) {
        hunt_report->checks++;
        look_broken("a ledger", name_if_any(account), ledger_check(&account->ledger));
    }
}

/* True: it was not known. */
static bool learn(struct known *known, void *thing)
{
    for (uint32_t i = 0; i < known->count; i++) {
        if (known->thing[i] == thing) {
            return false;
        }
    }
    if (known->count == KNOWN) {
        model_disagree("the hunt has no room for another process or endpoint");
        return false;
    }
    known->thing[known->count++] = thing;
    return true;
}

static void forget(struct known *known, const void *thing)
{
    for (uint32_t i = 0; i < known->count; i++) {
        if (known->thing[i] == thing) {
            known->thing[i] = known->thing[--known->count];
            return;
        }
    }
}

struct process *look_known_process(uint32_t number)
{
    return number < processes.count ? processes.thing[number] : NULL;
}

struct endpoint *look_known_endpoint(uint32_t number)
{
    return number < endpoints.count ? endpoints.thing[number] : NULL;
}

uint32_t look_slots_reserved(struct thread *thread)
{
    uint32_t count = thread->slots_over;

    for (unsigned i = 0; i < LIMIT_OPERATIONS; i++) {
        count += thread_operation(thread, i)->slots;
    }
    return count;
}

void look_parked(struct park_place *place)
{
    unsigned index = (unsigned)(place - park_places);

    hunt_report->checks++;
    look_broken("who waits at words", index, park_check(&place->waiters, index));
}

void look_under(const struct spinlock *lock, const struct model_actor *actor)
{
    if (lock->rank == LOCK_RANK_PROCESS) {
        struct process *process = CONTAINER_OF(lock, struct process, lock);

        hunt_report->processes += learn(&processes, process);
        look_process(actor, process);
    } else if (lock->rank == LOCK_RANK_ENDPOINT) {
        struct endpoint *endpoint = CONTAINER_OF(lock, struct endpoint, lock);

        (void)learn(&endpoints, endpoint);
        look_endpoint(actor, endpoint);
        if (machine.current->current != NULL) {
            sched_look_loan(machine.current->current);
        }
    } else if (lock->rank == LOCK_RANK_RING) {
        look_thread(CONTAINER_OF(lock, struct thread, ring_lock));
        sched_look_thread(CONTAINER_OF(lock, struct thread, ring_lock), false);
    } else if (lock->rank == LOCK_RANK_MEMORY_SPACE) {
        struct process *process = CONTAINER_OF(lock, struct process, memory.lock);

        memory_look_space(process);
        look_broken("regions of process", process->pid, region_set_check(&process->memory.regions));
    } else if (lock->rank == LOCK_RANK_ACCOUNT) {
        account_look(CONTAINER_OF(lock, struct account, lock));
    } else if (lock->rank == LOCK_RANK_RUN_QUEUE) {
        look_cpu(CONTAINER_OF(lock, struct cpu, run_lock));
    } else if (lock->rank == LOCK_RANK_PARK) {
        look_parked(CONTAINER_OF(lock, struct park_place, lock));
    }
}

void look_gone(const void *object)
{
    forget(&processes, object);
    forget(&endpoints, object);
    sched_look_ended(object);
    memory_look_gone(object);
    if (name_if_any(object) != 0) {
        model_endpoint_gone(name_if_any(object));
        *name_place(object) = 0;
    }
}
