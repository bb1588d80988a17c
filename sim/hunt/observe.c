/* SPDX-License-Identifier: MIT */
/*
 * What the hunt sees of the kernel, and the faults it makes.
 *
 * The linker puts functions of this file in the place of a few of the kernel's (mk/sim.mk: --wrap),
 * and each goes on into the kernel's own. So the unchanged kernel tells: which submission a CPU
 * works on (submission_dispatch), each lock given back (lock_check_release), when a thread begins
 * and ends, when an object is made or destroyed.
 *
 * A structure may only change under its lock. So it is looked at when the lock is given back: its
 * own x_check(), and the comparison with the model. Structures whose lock is free are all checked
 * again now and then and when every CPU is idle, so that a write without the lock is seen too.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/arch/host/machine.h"
#include "kernel/dispatch/quick.h"
#include "kernel/ipc/endpoint.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"
#include "kernel/sched/process.h"
#include "kernel/sched/thread.h"
#include "sim/hunt/sched_look.h"
#include "sim/hunt/twin.h"

enum {
    NAMES = 1 << 12,
    RINGS = 1 << 10,
    TABLE_EDGES = LIMIT_TABLE_SLOTS,
    LINK_MOVING = CAP_SLOT_MAX - 2, /* core/cap_table.c: how a slot on the move is marked */
    SWEEP_STEPS = 4096,             /* steps between two looks at everything */
    LATE_STEPS_MAX = 200,
};

/* What a CPU is doing, as far as the hunt knows. */
struct doing {
    struct model_actor actor;
    bool in_short;               /* in the short way, */
    struct model_actor accepted; /* which accepted this one last */
    uint64_t late_step;          /* a delayed interrupt comes at this step; 0: none */
    uint64_t done;               /* model time: nothing accepted here was looked at before */
};

static struct doing doings[LIMIT_CPUS];

/* Rings that were ever drained, by header. */
static struct known_ring {
    const void *header;
    struct thread *thread;
    uint32_t taken; /* seen so far */
    uint32_t posted;
} rings[RINGS];
static bool looking;
static uint64_t random_state;
static uint32_t memory_after; /* allocations that succeed before some fail; with memory_fail */
static uint32_t memory_fail;
static uint64_t last_sweep;
static uint32_t shape_now;

/* Names of objects, by address; one is made anew at object_init. */
static struct {
    const void *address;
    uint64_t name;
} names[NAMES];
static uint64_t last_name;

/* Processes that exist, in order of pid. */
static struct process *known[HUNT_LIVES * 2];
static uint32_t known_count;

void sim_atomic_point(void);
bool __real_submission_dispatch(struct cpu *cpu, struct thread *thread, const struct sqe *sqe,
                                bool valid);
bool __wrap_submission_dispatch(struct cpu *cpu, struct thread *thread, const struct sqe *sqe,
                                bool valid);
unsigned __real_quick_drain(struct thread *thread, unsigned limit);
unsigned __wrap_quick_drain(struct thread *thread, unsigned limit);
enum quick __real_quick_submission(struct cpu *cpu, struct thread *thread, uint32_t left,
                                   struct thread **next);
enum quick __wrap_quick_submission(struct cpu *cpu, struct thread *thread, uint32_t left,
                                   struct thread **next);
void __real_submission_call_target(struct cpu *cpu, struct thread *thread, const struct sqe *sqe);
void __wrap_submission_call_target(struct cpu *cpu, struct thread *thread, const struct sqe *sqe);
void __real_submission_call_broken(struct thread *thread, const struct sqe *sqe,
                                   enum answer_target target);
void __wrap_submission_call_broken(struct thread *thread, const struct sqe *sqe,
                                   enum answer_target target);
void __real_thread_start(struct thread *thread);
void __wrap_thread_start(struct thread *thread);
void __real_lock_check_release(const struct spinlock *lock);
void __wrap_lock_check_release(const struct spinlock *lock);
void __real_thread_retire(struct thread *thread);
void __wrap_thread_retire(struct thread *thread);
void __real_object_init(struct object *object, const struct object_type *type);
void __wrap_object_init(struct object *object, const struct object_type *type);
enum status __real_frame_alloc(paddr_t *frame);
enum status __wrap_frame_alloc(paddr_t *frame);
void *__real_kmem_alloc(struct kmem_cache *cache);
void *__wrap_kmem_alloc(struct kmem_cache *cache);
void __real_kmem_free(struct kmem_cache *cache, void *object);
void __wrap_kmem_free(struct kmem_cache *cache, void *object);
void __real_arch_ipi_send(struct cpu *cpu);
void __wrap_arch_ipi_send(struct cpu *cpu);

/* ---- small things ---------------------------------------------------------------------------- */

uint64_t hunt_random(void)
{
    uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t hunt_thread_name(uint64_t pid, uint64_t thread)
{
    return pid << 16 | thread;
}

static uint64_t name_of_thread(const struct thread *thread)
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

static uint64_t name_of(const void *object)
{
    uint64_t *name = name_place(object);

    if (*name == 0) { /* something else was here before */
        *name = ++last_name;
    }
    return *name;
}

/* The place of the ring whose header lies here. */
static struct known_ring *ring_place(const void *header)
{
    uint64_t place = ((uintptr_t)header >> 12) * UINT64_C(0x9e3779b97f4a7c15) >> 54;

    while (rings[place].header != NULL && rings[place].header != header) {
        place = (place + 1) % RINGS;
    }
    return &rings[place];
}

static struct doing *doing_here(void)
{
    return &doings[machine.current->index];
}

/* Who works here: a submission being dispatched, or the one that the short way accepted last, which
 * it does under the endpoint's lock. */
static const struct model_actor *actor_here(void)
{
    const struct doing *doing = doing_here();

    return doing->actor.submission != 0 ? &doing->actor : &doing->accepted;
}

/* The first disagreement ends the machine, from whatever stack. */
static void judge(void)
{
    const char *text = model_disagreement();

    if (text != NULL && !hunt_report->disagreed) {
        hunt_report->disagreed = true;
        strncpy(hunt_report->text, text, HUNT_TEXT - 1);
        host_end(HOST_END_FAILURE);
    }
}

/* A structure's own check failed. */
static void broken(const char *what, uint64_t which, unsigned invariant)
{
    if (invariant != 0) {
        model_disagree("invariant %u of %s is broken (%llu)", invariant, what,
                       (unsigned long long)which);
    }
}

/* ---- looking --------------------------------------------------------------------------------- */

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

static struct model_edge edge_read(const struct cap_slot *slot, uint32_t number, bool moving)
{
    struct model_edge edge = {.id = (slot->name & ~(uint64_t)CAP_SLOT_MAX) | number,
                              .state = moving ? MODEL_EDGE_MOVING : MODEL_EDGE_HELD};

    if (slot->edge.object == NULL) {
        edge.state = MODEL_EDGE_BURIED;
        return edge;
    }
    edge.object = name_of(meant_by(slot->edge.object));
    edge.interface_id = slot->edge.interface_id;
    edge.facet = slot->edge.facet;
    edge.badge = slot->edge.badge;
    edge.grant = slot->edge.grant == NULL ? 0 : name_of(slot->edge.grant);
    edge.mode = slot->edge.mode;
    edge.grantable = slot->edge.grantable;
    return edge;
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
            uint32_t link = (uint32_t)(slot->name & CAP_SLOT_MAX);

            if (slot->name != 0 && (link == number || link == LINK_MOVING)) {
                edges[count++] = edge_read(slot, number, link == LINK_MOVING);
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

static void process_look(const struct model_actor *actor, struct process *process)
{
    static struct model_edge edges[TABLE_EDGES];
    uint32_t count;

    hunt_report->checks++;
    if (process->state < PROCESS_DYING || process->table.used != 0) { /* else it may be freed */
        broken("a capability table", process->pid, cap_table_check(&process->table));
    }
    count = table_read(&process->table, edges);
    if (life_of(process) == MODEL_DYING && model_is_alive(process->pid) &&
        process->exit.kind == EXIT_KIND_KILLED) {
        hunt_fault(HUNT_FAULT_KILL);
    }
    model_process(process->pid, life_of(process));
    edges_note(process->pid, edges, count);
    model_table(actor, process->pid, edges, count);
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

static void endpoint_look(const struct model_actor *actor, const struct endpoint *endpoint)
{
    static struct model_endpoint_view view;
    const struct endpoint_queues *queues = &endpoint->queues;

    hunt_report->checks++;
    broken("an endpoint", name_of(&endpoint->object), endpoint_check(queues));
    view.endpoint = name_of(&endpoint->object);
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
                call->receiver == NULL ? 0 : name_of_thread(call->receiver);
        }
    }
    model_endpoint(actor, &view);
}

static void thread_look(struct thread *thread)
{
    struct ring *ring = &thread->ring;
    uint32_t posted = ring->cq_tail - ring->cq_head;

    hunt_report->checks++;
    broken("a ring", name_of_thread(thread), ring_check(ring));
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

static void cpu_look(struct cpu *cpu)
{
    hunt_report->checks++;
    if (cpu->current != NULL && cpu->current->process->state < PROCESS_ENDED) {
        sched_look_thread(cpu->current, false);
    }
    broken("a run queue", cpu->index, run_queue_check(&cpu->run_queue));
    broken("a timer heap", cpu->index, deadline_heap_check(&cpu->timers));
    if (cpu->current != NULL && cpu->current->task.node.queued && cpu->current->task.cpu != cpu) {
        model_disagree("CPU %u runs a thread that another queues", cpu->index);
    }
}

/* Its own invariants; who has left the tree has none. */
static void account_look(const struct account *account)
{
    if (account == account_root() || account->ledger.parent != NULL) {
        hunt_report->checks++;
        broken("a ledger", name_if_any(account), ledger_check(&account->ledger));
    }
}

static void process_learn(struct process *process)
{
    for (uint32_t i = 0; i < known_count; i++) {
        if (known[i] == process) {
            return;
        }
    }
    if (known_count == ARRAY_COUNT(known)) {
        model_disagree("the hunt has no room for another process");
        return;
    }
    known[known_count++] = process;
    hunt_report->processes++;
}

static void process_forget(const void *process)
{
    for (uint32_t i = 0; i < known_count; i++) {
        if (known[i] == process) {
            known[i] = known[--known_count];
            return;
        }
    }
}

/* Slots of its process's table that belong to the thread's operations, or may. */
static uint32_t slots_reserved(struct thread *thread)
{
    uint32_t count = thread->slots_over;

    for (unsigned i = 0; i < LIMIT_OPERATIONS; i++) {
        count += thread_operation(thread, i)->slots;
    }
    return count;
}

/* Everything whose lock is free. `idle`: no CPU is in the middle of anything. */
static void sweep(bool idle)
{
    const struct model_actor nobody = {0};

    for (unsigned i = 0; i < machine.count; i++) {
        if (!cpus[i]->run_lock.held) {
            cpu_look(cpus[i]);
        }
        if (idle && run_queue_highest(&cpus[i]->run_queue) != RUN_PRIORITY_NONE) {
            model_disagree("CPU %u sleeps with a task in its queue", i);
        }
    }
    for (uint32_t i = 0; i < known_count; i++) {
        struct process *process = known[i];
        uint32_t reserved = 0;

        if (process->lock.held) {
            continue;
        }
        process_look(&nobody, process);
        for (struct list_node *node = list_first(&process->threads); node != NULL;
             node = list_next(&process->threads, node)) {
            struct thread *thread = CONTAINER_OF(node, struct thread, process_node);

            if (!thread->ring_lock.held) {
                thread_look(thread);
            }
            sched_look_thread(thread, idle);
            reserved += idle ? slots_reserved(thread) : 0;
            if (idle && process->state >= PROCESS_DYING && thread->waiting) {
                model_disagree("thread %llu of process %llu waits, its process is dying, and every "
                               "CPU is idle",
                               (unsigned long long)thread->id, (unsigned long long)process->pid);
            }
        }
        if (idle && process->table.reserved != reserved) {
            model_disagree("process %llu has %u slots reserved and %u claimed, and every CPU is "
                           "idle",
                           (unsigned long long)process->pid, process->table.reserved, reserved);
        }
    }
    for (enum ledger_line_name line = 0; idle && line < LEDGER_LINES; line++) {
        struct ledger_census census;

        broken("the ledgers' conservation, line", line,
               ledger_census(&account_root()->ledger, line, &census));
    }
    last_sweep = machine.steps;
}

/* ---- in the kernel's place ------------------------------------------------------------------- */

void sim_atomic_point(void)
{
    struct cpu *cpu = machine.current;

    if (!looking && cpu != NULL && machine.count > 1 && !cpu->arch.in_user &&
        cpu->arch.state == HOST_CPU_RUNNING) {
        host_switch_point(false);
    }
}

void __wrap_lock_check_release(const struct spinlock *lock)
{
    bool was = looking;

    __real_lock_check_release(lock);
    if (machine.current == NULL || hunt_options.quiet_checks) {
        return;
    }
    shape_now = (shape_now * 31 + lock->rank * 8 + machine.current->index) & 0xffffff;
    looking = true;
    if (lock->rank == LOCK_RANK_PROCESS) {
        struct process *process = CONTAINER_OF(lock, struct process, lock);

        process_learn(process);
        process_look(actor_here(), process);
    } else if (lock->rank == LOCK_RANK_ENDPOINT) {
        endpoint_look(actor_here(), CONTAINER_OF(lock, struct endpoint, lock));
    } else if (lock->rank == LOCK_RANK_RING) {
        thread_look(CONTAINER_OF(lock, struct thread, ring_lock));
        sched_look_thread(CONTAINER_OF(lock, struct thread, ring_lock), false);
    } else if (lock->rank == LOCK_RANK_ACCOUNT) {
        account_look(CONTAINER_OF(lock, struct account, lock));
    } else if (lock->rank == LOCK_RANK_RUN_QUEUE) {
        cpu_look(CONTAINER_OF(lock, struct cpu, run_lock));
    }
    looking = was;
    judge();
}

bool __wrap_submission_dispatch(struct cpu *cpu, struct thread *thread, const struct sqe *sqe,
                                bool valid)
{
    struct doing *doing = doing_here();
    bool over;

    doing->actor = (struct model_actor){.submission = sqe->user_data,
                                        .pid = thread->process->pid,
                                        .thread = name_of_thread(thread)};
    model_dispatching(sqe->user_data);
    over = __real_submission_dispatch(cpu, thread, sqe, valid);
    model_dispatched(sqe->user_data);
    doing->actor = (struct model_actor){0};
    doing->done = model_time();
    return over;
}

/* A job sends a promised call on. */
void __wrap_submission_call_target(struct cpu *cpu, struct thread *thread, const struct sqe *sqe)
{
    struct doing *doing = doing_here();

    doing->actor = (struct model_actor){.submission = sqe->user_data,
                                        .pid = thread->process->pid,
                                        .thread = name_of_thread(thread)};
    model_sent(sqe->user_data, sqe->cap.raw);
    judge();
    __real_submission_call_target(cpu, thread, sqe);
    doing->actor = (struct model_actor){0};
}

void __wrap_submission_call_broken(struct thread *thread, const struct sqe *sqe,
                                   enum answer_target target)
{
    model_sent_broken(sqe->user_data);
    __real_submission_call_broken(thread, sqe, target);
}

/* ---- the short ways -------------------------------------------------------------------------- */

static bool way_is_long(void)
{
    return hunt_options.way == HUNT_WAY_SEED ? hunt_options.seed % 8 == 7
                                             : hunt_options.way == HUNT_WAY_LONG;
}

static void short_begin(void)
{
    doing_here()->in_short = true;
}

static void short_end(void)
{
    doing_here()->in_short = false;
    doing_here()->accepted = (struct model_actor){0};
}

unsigned __wrap_quick_drain(struct thread *thread, unsigned limit)
{
    unsigned done = 0;

    if (!way_is_long()) {
        short_begin();
        done = __real_quick_drain(thread, limit);
        short_end();
    }
    if (done > limit) {
        model_disagree("the short way did %u submissions where it may do %u", done, limit);
    }
    hunt_report->short_count[HUNT_SHORT_QUICK] += done;
    return done;
}

enum quick __wrap_quick_submission(struct cpu *cpu, struct thread *thread, uint32_t left,
                                   struct thread **next)
{
    enum quick quick = QUICK_NONE;

    if (!way_is_long()) {
        short_begin();
        quick = __real_quick_submission(cpu, thread, left, next);
        short_end();
    }
    if (next == NULL && quick != QUICK_NONE && quick != QUICK_DONE) {
        model_disagree("the short way left a thread that was not about to wait");
    }
    hunt_report->short_count[HUNT_SHORT_SWITCH] += quick == QUICK_SWITCH;
    hunt_report->short_count[HUNT_SHORT_DONE] +=
        quick == QUICK_WAIT || (quick == QUICK_DONE && next != NULL && left == 1);
    hunt_report->short_count[HUNT_SHORT_QUEUE] += quick == QUICK_DONE && (next == NULL || left > 1);
    return quick;
}

/* What a twin compares of a process and its threads: no address, no time. How many slots and calls
 * a thread keeps for later is a matter of what was needed at once, and so of who ran when; but what
 * is reserved is claimed. */
static void process_tell(const struct process *process)
{
    static struct model_edge edges[TABLE_EDGES];
    uint32_t count = model_edges(process->pid, edges, TABLE_EDGES);
    uint64_t name = process->pid << 32;
    uint64_t claimed = 0;

    for (uint32_t i = 0; i < count; i++) {
        twin_state(name | 1, edges[i].id);
        twin_state(name | 2, edges[i].object);
        twin_state(name | 3, edges[i].interface_id);
        twin_state(name | 4, edges[i].facet);
        twin_state(name | 5, edges[i].badge);
        twin_state(name | 6, edges[i].grant << 8 | edges[i].mode << 1 | edges[i].grantable);
    }
    twin_state(name | 7, process->table.used);
    if (machine.count > 1) {
        return; /* the server may be about to ask for its next call */
    }
    for (struct list_node *node = list_first(&process->threads); node != NULL;
         node = list_next(&process->threads, node)) {
        struct thread *thread = CONTAINER_OF(node, struct thread, process_node);

        twin_state(name | 8, thread->operations_used);
        twin_state(name | 9, thread->receives);
        twin_state(name | 10, thread->calls_used);
        twin_state(name | 11, thread->ring.sq_head);
        twin_state(name | 12, thread->ring.cq_tail);
        twin_state(name | 13, thread->transfers.free_count);
        twin_state(name | 14, thread->answers.used);
        claimed += slots_reserved(thread);
    }
    twin_state(name | 15, process->table.reserved - claimed);
}

bool hunt_server_rests(void)
{
    for (uint32_t i = 0; i < known_count; i++) {
        const struct process *process = known[i];

        for (struct list_node *node = list_first(&process->threads);
             process->pid == 2 && node != NULL; node = list_next(&process->threads, node)) {
            if (!CONTAINER_OF(node, struct thread, process_node)->waiting) {
                return false;
            }
        }
    }
    return true;
}

void hunt_state_tell(void)
{
    for (uint64_t pid = 1; pid <= 2; pid++) {
        for (uint32_t i = 0; i < known_count; i++) {
            if (known[i]->pid == pid) {
                process_tell(known[i]);
            }
        }
    }
}

void __wrap_thread_start(struct thread *thread)
{
    const void *header = thread->ring.header;

    *ring_place(header) = (struct known_ring){.header = header, .thread = thread};
    sched_look_started(thread);
    __real_thread_start(thread);
}

static void submission_taken(const struct thread *thread, const struct sqe *sqe)
{
    hunt_report->operations++;
    hunt_note(HUNT_EVENT_TAKE, sqe->user_data, sqe->opcode, sqe->cap.raw, sqe->token);
    model_taken(thread->process->pid, name_of_thread(thread), sqe, doing_here()->done);
    doing_here()->done = model_time();
    if (doing_here()->in_short) {
        doing_here()->accepted = (struct model_actor){.submission = sqe->user_data,
                                                      .pid = thread->process->pid,
                                                      .thread = name_of_thread(thread)};
    }
}

/* What lies where a RECV wanted its message; false: it is none, or it got none. */
static bool head_read(struct thread *thread, const struct cqe *cqe, struct endpoint_message *head)
{
    const struct model_submission *submission = model_submission(cqe->user_data);
    uint8_t *to = (uint8_t *)head;
    uint32_t offset;

    if (submission == NULL || cqe->result < (int32_t)sizeof(*head) ||
        (submission->sqe.opcode != OPCODE_RECV && submission->sqe.opcode != OPCODE_RETURN_RECV) ||
        !thread_arena_offset(thread, submission->sqe.result, sizeof(*head), &offset)) {
        return false;
    }
    for (uint32_t i = 0; i < sizeof(*head); i++) {
        uint32_t room;

        to[i] = *thread_arena(thread, offset + i, &room);
    }
    return true;
}

static void completion_posted(struct thread *thread, const struct cqe *cqe)
{
    const struct model_submission *submission = model_submission(cqe->user_data);
    struct endpoint_message head;

    if (submission != NULL) {
        unsigned opcode =
            submission->sqe.opcode < OPCODE_COUNT ? submission->sqe.opcode : (unsigned)OPCODE_COUNT;

        hunt_report->result_count[opcode][cqe->result >= 0 ? 0 : -cqe->result % 32]++;
    }
    hunt_note(HUNT_EVENT_COMPLETE, cqe->user_data, (uint64_t)(int64_t)cqe->result, cqe->cap[0].raw,
              name_of_thread(thread));
    if (thread->exiting || process_is_dying(thread->process)) {
        model_thread_ends(name_of_thread(thread));
    }
    model_completed(actor_here(), name_of_thread(thread), cqe,
                    head_read(thread, cqe, &head) ? &head : NULL);
    judge();
}

/* An index of a ring was published: by the kernel, through its direct map. */
static void ring_published(struct known_ring *known_ring)
{
    struct thread *thread = known_ring->thread;
    const struct ring *ring = &thread->ring;

    while (known_ring->taken != ring->header->sq_head) {
        submission_taken(thread, &ring->sq[known_ring->taken++ & (ring->sq_entries - 1)]);
    }
    while (known_ring->posted != ring->header->cq_tail) {
        completion_posted(thread, &ring->cq[known_ring->posted++ & (ring->cq_entries - 1)]);
    }
}

void sim_atomic_stored(const void *word)
{
    uintptr_t within = (uintptr_t)word % LIMIT_PAGE_BYTES;
    struct known_ring *known_ring;

    if (machine.current == NULL || looking ||
        (within != offsetof(struct ring_header, cq_tail) &&
         within != offsetof(struct ring_header, sq_head))) {
        return;
    }
    known_ring = ring_place((const uint8_t *)word - within);
    if (known_ring->thread != NULL &&
        (const void *)known_ring->thread->ring.header == (const uint8_t *)word - within) {
        looking = true;
        ring_published(known_ring);
        looking = false;
        judge();
    }
}

void __wrap_thread_retire(struct thread *thread)
{
    hunt_note(HUNT_EVENT_RETIRE, name_of_thread(thread), 0, 0, 0);
    doing_here()->actor = (struct model_actor){0};
    model_thread_gone(name_of_thread(thread));
    __real_thread_retire(thread);
}

void __wrap_object_init(struct object *object, const struct object_type *type)
{
    *name_place(object) = ++last_name;
    __real_object_init(object, type);
}

void __wrap_kmem_free(struct kmem_cache *cache, void *object)
{
    process_forget(object);
    sched_look_ended(object);
    for (uint32_t i = 0; i < RINGS; i++) {
        if (rings[i].thread == object) {
            rings[i].thread = NULL;
        }
    }
    if (name_if_any(object) != 0) {
        model_endpoint_gone(name_if_any(object));
        *name_place(object) = 0;
    }
    __real_kmem_free(cache, object);
}

void hunt_observe_reset(uint64_t seed)
{
    random_state = seed;
}

/* ---- faults ---------------------------------------------------------------------------------- */

void hunt_fault(enum hunt_fault fault)
{
    hunt_report->faults++;
    hunt_report->fault_count[fault]++;
}

void hunt_arm_memory(uint32_t after, uint32_t count)
{
    memory_after = after;
    memory_fail = count;
    hunt_note(HUNT_EVENT_FAULT, HUNT_FAULT_MEMORY, after, count, 0);
}

/* Whether this allocation fails. */
static bool memory_fails(void)
{
    if (memory_fail == 0) {
        return false;
    }
    if (memory_after > 0) {
        memory_after--;
        return false;
    }
    memory_fail--;
    hunt_fault(HUNT_FAULT_MEMORY);
    return true;
}

enum status __wrap_frame_alloc(paddr_t *frame)
{
    return memory_fails() ? STATUS_NO_MEMORY : __real_frame_alloc(frame);
}

void *__wrap_kmem_alloc(struct kmem_cache *cache)
{
    return memory_fails() ? NULL : __real_kmem_alloc(cache);
}

void __wrap_arch_ipi_send(struct cpu *cpu)
{
    struct doing *doing = &doings[cpu->index];

    if (doing->late_step == 0 && hunt_random() % 4 == 0) {
        doing->late_step = machine.steps + 1 + hunt_random() % LATE_STEPS_MAX;
        hunt_fault(HUNT_FAULT_IPI);
        return;
    }
    if (doing->late_step == 0) {
        __real_arch_ipi_send(cpu);
    }
}

/* Interrupts whose time has come, or all of them; whether there was one. */
static bool late_interrupts(bool all)
{
    bool any = false;

    for (unsigned i = 0; i < machine.count; i++) {
        if (doings[i].late_step != 0 && (all || doings[i].late_step <= machine.steps)) {
            doings[i].late_step = 0;
            __real_arch_ipi_send(cpus[i]);
            any = true;
        }
    }
    return any;
}

/* ---- the machine's watch --------------------------------------------------------------------- */

static void watch_step(void)
{
    if (looking) {
        return;
    }
    (void)late_interrupts(false);
    if (!hunt_options.quiet_checks && machine.steps - last_sweep >= SWEEP_STEPS) {
        looking = true;
        sweep(false);
        looking = false;
        judge();
    }
    if (hunt_report->shape[shape_now % HUNT_SHAPES] == 0) {
        hunt_report->shape[shape_now % HUNT_SHAPES] = 1;
        hunt_report->shapes++;
    }
}

static bool watch_idle(void)
{
    if (late_interrupts(true)) {
        return true;
    }
    if (!hunt_options.quiet_checks) {
        looking = true;
        sweep(true);
        model_quiescent();
        looking = false;
        judge();
    }
    return false;
}

static void watch_ended(enum host_end end)
{
    hunt_report->end = end;
    hunt_report->steps = machine.steps;
    hunt_report->switches = machine.switches;
    hunt_report->virtual_ns = machine.now_ns;
}

const struct host_watch hunt_watch = {.step = watch_step, .idle = watch_idle, .ended = watch_ended};
