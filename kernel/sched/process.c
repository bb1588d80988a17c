/* SPDX-License-Identifier: MIT */
/*
 * Processes.
 *
 * BUILDING -> ALIVE by the spawn job's commit; -> DYING by the first process_kill (exit, fault,
 * kill or the last thread's end); -> ENDED by the teardown job, which runs when the last thread
 * slot is free: who waits for the process to stop is told first, then edges are dropped, then the
 * address space, then the threads' kernel parts, each in bounded steps; then its account is closed,
 * which gives back what its parent had given it; last the waiters are told and the process drops
 * the reference to itself.
 *
 * Invariants (process_check):
 *  1. The capability table's own.
 *  2. live_count is the length of `threads`; thread_count is at least live_count.
 *  3. Nobody waits for a process that has ended and left.
 *  4. The table's quota is what the account has in use of LEDGER_SLOTS, until that is closed.
 * Of all of them (processes_check):
 *  5. The tree by pid holds, and the list is well linked.
 *  6. In the list are those of the tree, and of those that have left the ones at which a walk
 *     stands; `processes_alive` counts at least those of the tree.
 *
 * Locks: processes_lock for the list of all and the tree by pid, then one process's, then ring
 * locks below it.
 */
#include "kernel/sched/process.h"

#include "core/assert.h"
#include "core/string.h"
#include "kernel/dispatch/call.h"
#include "kernel/ipc/endpoint.h"
#include "kernel/mem/account.h"
#include "kernel/mem/kmem.h"
#include "kernel/object/process_handle.h"
#include "kernel/work_check.h"

enum {
    TABLE_SLOTS_MAX = LIMIT_TABLE_SLOTS,
    CHECK_PROCESSES_MAX = 1 << 20, /* only makes the check end on a broken list */
    STOP_THREADS = 16,             /* told in one step of a kill: up to 450 instructions each */
    TEARDOWN_WAITERS = 8,          /* each is answered with a report: about 600 instructions */
    TEARDOWN_EDGES =
        4, /* closing an endpoint completes up to 64 operations of about 150 instructions */
};

static struct kmem_cache process_cache;
static struct spinlock processes_lock = SPINLOCK_INIT(LOCK_RANK_PROCESSES);
static struct list processes;
static unsigned processes_alive;
static void (*empty_hook)(void); /* called once, when none is alive */
static uint64_t last_pid;        /* atomic */
static struct key_tree processes_by_pid;

static void process_destroy(struct object *object);
static bool process_revoke(struct object *object, struct revoke_step *step);

const struct object_type process_type = {
    .name = "process",
    .call = process_handle_call,
    .revoke = process_revoke,
    .destroy = process_destroy,
};

void processes_init(void)
{
    list_init(&processes);
    processes_by_pid = (struct key_tree){.root = NULL}; /* the host restarts kernels */
    kmem_cache_init(&process_cache, "process", sizeof(struct process));
}

static void *table_page_alloc(void *context)
{
    paddr_t frame;

    return account_frame_alloc(context, &frame) == STATUS_OK ? arch_frame_pointer(frame) : NULL;
}

static void table_page_free(void *context, void *page)
{
    account_frame_free(context, arch_pointer_frame(page));
}

_Static_assert(sizeof(struct cap_slot) * CAP_TABLE_PAGE_SLOTS <= LIMIT_PAGE_BYTES &&
                   sizeof(struct provenance) * CAP_TABLE_PAGE_SLOTS <= LIMIT_PAGE_BYTES,
               "a page of slots is one frame, its provenance another");

enum status process_create(const struct account_plan *plan, unsigned priority,
                           struct process **created, struct ledger_refusal *refusal)
{
    struct process *process = kmem_alloc(&process_cache);
    enum status status;
    uint32_t slots;

    if (process == NULL) {
        return STATUS_NO_MEMORY;
    }
    status = account_create(plan, &process->account, refusal);
    if (status != STATUS_OK) {
        kmem_free(&process_cache, process);
        return status;
    }
    object_init(&process->object, &process_type);
    object_ref(&process->object);
    process->pid = atomic_add_u64(&last_pid, 1);
    memcpy(process->name, plan->name, plan->name_bytes);
    process->duplicated.origin = EDGE_ORIGIN_DUPLICATE;
    provenance_from(&process->duplicated, process->pid, process->name);
    process->priority = priority;
    process->state = PROCESS_BUILDING;
    spinlock_init(&process->lock, LOCK_RANK_PROCESS, process->pid);
    slots = (uint32_t)account_reserve_most(process->account, LEDGER_SLOTS, TABLE_SLOTS_MAX);
    account_commit(process->account, LEDGER_SLOTS, slots);
    cap_table_init(&process->table, slots,
                   (struct cap_table_memory){.page_alloc = table_page_alloc,
                                             .page_free = table_page_free,
                                             .context = process->account});
    memory_space_init(&process->memory);
    list_init(&process->threads);
    list_init(&process->retired);
    waitable_init(&process->waits[PROCESS_WAIT_STOP], &process->object, &process->lock,
                  process_stop_answer);
    waitable_init(&process->waits[PROCESS_WAIT_END], &process->object, &process->lock,
                  process_end_answer);
    list_init(&process->orphans);
    spinlock_lock(&processes_lock);
    process->by_pid.key = process->pid;
    key_tree_insert(&processes_by_pid, &process->by_pid);
    list_push_back(&processes, &process->all_node);
    processes_alive++;
    spinlock_unlock(&processes_lock);
    *created = process;
    return STATUS_OK;
}

bool process_slots_spare(struct process *process, uint64_t count)
{
    struct cap_table *table = &process->table;
    bool spare;

    spinlock_lock(&process->lock);
    spare = count <= table->quota &&
            cap_table_set_quota(table, table->quota - (uint32_t)count) == TRANSPORT_OK;
    if (spare) {
        account_release(process->account, LEDGER_SLOTS, count);
    }
    spinlock_unlock(&process->lock);
    return spare;
}

void process_slots_refill(struct process *process)
{
    enum transport_error error;
    uint32_t more;

    spinlock_lock(&process->lock);
    if (process->account == NULL) {
        spinlock_unlock(&process->lock);
        return;
    }
    more = (uint32_t)account_reserve_most(process->account, LEDGER_SLOTS,
                                          TABLE_SLOTS_MAX - process->table.quota);
    account_commit(process->account, LEDGER_SLOTS, more);
    error = cap_table_set_quota(&process->table, process->table.quota + more);
    ASSERT(error == TRANSPORT_OK);
    spinlock_unlock(&process->lock);
}

enum transport_error process_slots_reserve(struct process *process, uint32_t count,
                                           struct ledger_refusal *refusal)
{
    enum ledger_line_name line = LEDGER_SLOTS;
    enum transport_error error;

    memory_permit_begin(); /* a table */
    spinlock_lock(&process->lock);
    error = cap_table_reserve(&process->table, count);
    spinlock_unlock(&process->lock);
    if (error == TRANSPORT_LIMIT) {
        process_slots_refill(process);
        spinlock_lock(&process->lock);
        error = cap_table_reserve(&process->table, count);
        spinlock_unlock(&process->lock);
    }
    memory_permit_end();
    if (error == TRANSPORT_NO_MEMORY &&
        account_refusal(process->account, LEDGER_FRAMES, 1).available == 0) {
        error = TRANSPORT_LIMIT;
        line = LEDGER_FRAMES;
    }
    if (error != TRANSPORT_OK && refusal != NULL) {
        *refusal =
            account_refusal(process->account, line, line == LEDGER_SLOTS ? count : UINT64_C(1));
    }
    return error;
}

void process_slot_give_back(struct process *process)
{
    spinlock_lock(&process->lock);
    if (!process_is_dying(process)) {
        cap_table_unreserve(&process->table, 1);
    }
    spinlock_unlock(&process->lock);
}

static void process_destroy(struct object *object)
{
    struct process *process = CONTAINER_OF(object, struct process, object);

    ASSERT(process->state == PROCESS_ENDED);
    kmem_free(&process_cache, process);
}

/* Makes some threads of a dying process look up: those that wait become ready, those that run
 * elsewhere are interrupted; their home CPUs retire them. Who was told goes behind the others.
 * True: some are left. Process lock held. */
static bool threads_stop(struct process *process)
{
    for (unsigned i = 0; i < STOP_THREADS && process->stops_left > 0; i++) {
        struct list_node *node = list_pop_front(&process->threads);
        struct thread *thread;

        if (node == NULL) {
            process->stops_left = 0;
            break;
        }
        thread = CONTAINER_OF(node, struct thread, process_node);
        list_push_back(&process->threads, node);
        process->stops_left--;
        thread_wake(thread, false);
        sched_thread_hurry(thread);
        cpu_notify(thread->task.cpu, IPI_RESCHEDULE);
    }
    return process->stops_left > 0;
}

static bool stopping_step(struct job *job)
{
    struct process *process = CONTAINER_OF(job, struct process, stopping);
    bool left;

    spinlock_lock(&process->lock);
    left = threads_stop(process);
    spinlock_unlock(&process->lock);
    if (!left) {
        object_unref(&process->object);
    }
    return left;
}

void process_kill(struct process *process, const struct process_exit *exit)
{
    struct cpu *cpu = arch_cpu_this();

    spinlock_lock(&process->lock);
    if (process->state < PROCESS_DYING) {
        process->exit = *exit;
        atomic_store_release_u32(&process->state, PROCESS_DYING);
        process->stops_left = process->live_count;
        if (threads_stop(process)) {
            object_ref(&process->object); /* the job's */
            process->stopping.step = stopping_step;
            job_start(&process->stopping, cpu, cpu->running_priority);
        }
    }
    spinlock_unlock(&process->lock);
}

bool process_tells_faults(struct process *process)
{
    bool tells;

    spinlock_lock(&process->lock);
    tells = process->fault_edge.object != NULL;
    spinlock_unlock(&process->lock);
    return tells;
}

bool process_fault_edge_take(struct process *process, const struct grant_node *above,
                             struct hold_edge *edge)
{
    bool takes;

    spinlock_lock(&process->lock);
    *edge = process->fault_edge;
    takes = edge->object != NULL && (above == NULL || grant_is_below(edge->grant, above));
    if (takes) {
        process->fault_edge = (struct hold_edge){.object = NULL};
    }
    spinlock_unlock(&process->lock);
    return takes;
}

static bool teardown_step(struct job *job);

static void teardown_start(struct process *process)
{
    process->teardown.step = teardown_step;
    job_start(&process->teardown, arch_cpu_this(), process->priority);
}

void process_hold(struct process *process)
{
    spinlock_lock(&process->lock);
    ASSERT(process->thread_count > 0); /* the caller's */
    process->thread_count++;
    spinlock_unlock(&process->lock);
}

void process_thread_gone(struct process *process, struct thread *thread)
{
    bool last;

    spinlock_lock(&process->lock);
    if (thread != NULL) {
        list_push_back(&process->retired, &thread->process_node);
    }
    ASSERT(process->thread_count > 0);
    last = --process->thread_count == 0 && process->state == PROCESS_DYING;
    spinlock_unlock(&process->lock);
    if (last) {
        teardown_start(process);
    }
}

void process_abandon(struct process *process, enum exit_kind kind)
{
    spinlock_lock(&process->lock);
    ASSERT(process->thread_count == 0);
    process->exit.kind = kind;
    atomic_store_release_u32(&process->state, PROCESS_DYING);
    spinlock_unlock(&process->lock);
    teardown_start(process);
}

/* Drops a few edges; false: none was left. */
static bool teardown_edges(struct process *process)
{
    struct hold_edge told;

    if (process_fault_edge_take(process, NULL, &told)) {
        edge_drop(&told);
        return true;
    }
    for (unsigned i = 0; i < TEARDOWN_EDGES; i++) {
        struct hold_edge edge;
        bool found;

        spinlock_lock(&process->lock);
        found = cap_table_remove_next(&process->table, &process->teardown_cursor, &edge);
        spinlock_unlock(&process->lock);
        if (!found) {
            return false;
        }
        edge_drop(&edge);
    }
    return true;
}

static bool teardown_thread(struct process *process)
{
    struct list_node *node;
    struct thread *thread;

    spinlock_lock(&process->lock);
    node = list_pop_front(&process->retired);
    spinlock_unlock(&process->lock);
    if (node == NULL) {
        return false;
    }
    thread = CONTAINER_OF(node, struct thread, process_node);
    if (thread_free_step(thread)) {
        spinlock_lock(&process->lock);
        list_push_back(&process->retired, &thread->process_node);
        spinlock_unlock(&process->lock);
    }
    return true;
}

/* What the process had goes back to its parent, and its children with what they have; false: all
 * is back but what others still hold of it. */
static bool teardown_account(struct process *process)
{
    struct account *account = process->account;
    bool more;

    if (account == NULL) {
        return false;
    }
    if (!process->account_closed) {
        spinlock_lock(&process->lock);
        cap_table_free(&process->table); /* a revocation, or who asks why, may be looking at it */
        process->account_closed = true;
        spinlock_unlock(&process->lock);
        process->exit.peak_frames = (uint32_t)account_line(account, LEDGER_FRAMES).peak;
        account_release(account, LEDGER_SLOTS, process->table.quota);
        account_close(account);
    }
    /* Whoever looks at the account through the process does so under its lock. */
    spinlock_lock(&process->lock);
    more = account_close_step(account);
    if (!more) {
        process->account = NULL;
    }
    spinlock_unlock(&process->lock);
    if (!more) {
        if (process->given_back != NULL) {
            process->given_back(process);
        }
    }
    return true;
}

void process_give_back(struct process *process)
{
    while (teardown_account(process)) {
        /* no child: the first round is the last */
    }
}

/* No thread of a dying process is left, nor one that is being made: none can run again. Process
 * lock held. */
static bool process_has_stopped(const struct process *process)
{
    return process_is_dying(process) && process->thread_count == 0;
}

/* A few of those who wait for the stop are told; false: all are, and nobody comes after them. */
static bool teardown_stopped(struct process *process)
{
    bool left;

    spinlock_lock(&process->lock);
    ASSERT(process_has_stopped(process));
    left = waitable_complete(&process->waits[PROCESS_WAIT_STOP], TEARDOWN_WAITERS);
    spinlock_unlock(&process->lock);
    return left;
}

/* From now on the process has ended; a few of those who wait are told. false: all are. */
static bool teardown_waiters(struct process *process)
{
    bool left;

    spinlock_lock(&process->lock);
    cap_table_free(&process->table); /* a revocation may be looking at it */
    atomic_store_release_u32(&process->state, PROCESS_ENDED);
    left = waitable_complete(&process->waits[PROCESS_WAIT_END], TEARDOWN_WAITERS);
    spinlock_unlock(&process->lock);
    return left;
}

/* The end: the process leaves the list and drops itself. It counts until nothing of it is left, and
 * who set `ended` is told after that: the machine's end takes a census. */
static void teardown_finish(struct process *process)
{
    void (*ended)(void) = process->ended;
    void (*empty)(void) = NULL;

    spinlock_lock(&processes_lock);
    process->left = true;
    key_tree_remove(&processes_by_pid, &process->by_pid);
    if (process->walkers == 0) {
        list_remove(&process->all_node);
    }
    spinlock_unlock(&processes_lock);
    object_unref(&process->object);
    spinlock_lock(&processes_lock);
    if (--processes_alive == 0) {
        empty = empty_hook;
        empty_hook = NULL;
    }
    spinlock_unlock(&processes_lock);
    if (ended != NULL) {
        ended();
    }
    if (empty != NULL) {
        empty();
    }
}

static bool teardown_step(struct job *job)
{
    struct process *process = CONTAINER_OF(job, struct process, teardown);

    if (!process->stop_told) {
        process->stop_told = !teardown_stopped(process);
        return true;
    }
    if (teardown_edges(process) || !orphans_cancel(process)) {
        return true;
    }
    if (!process->vspace_left) {
        process->vspace_left = !memory_space_leave_step(&process->memory);
        return true;
    }
    if (process->vspace_made) {
        process->vspace_made = vspace_teardown_step(&process->vspace);
        return true;
    }
    if (teardown_thread(process)) {
        return true;
    }
    if (memory_space_free_step(&process->memory) || teardown_account(process)) {
        return true;
    }
    if (teardown_waiters(process)) {
        return true;
    }
    teardown_finish(process);
    return false;
}

/* Whether that has happened. Process lock held. */
static bool wait_is_over(const struct process *process, enum process_wait what)
{
    return process->state == PROCESS_ENDED ||
           (what == PROCESS_WAIT_STOP && process_has_stopped(process));
}

void process_wait(struct process *process, enum process_wait what, struct operation *operation,
                  uint64_t timeout_ns)
{
    struct waitable *waitable = &process->waits[what];

    spinlock_lock(&process->lock);
    if (wait_is_over(process, what)) {
        waitable->complete(waitable, operation);
    } else {
        waitable_add(waitable, operation, timeout_ns);
    }
    spinlock_unlock(&process->lock);
}

void processes_when_empty(void (*hook)(void))
{
    bool empty;

    spinlock_lock(&processes_lock);
    empty = processes_alive == 0;
    if (!empty) {
        empty_hook = hook;
    }
    spinlock_unlock(&processes_lock);
    if (empty) {
        hook();
    }
}

/* Ends waits that were asked for through a revoked handle. */
static bool process_revoke(struct object *object, struct revoke_step *step)
{
    return waitables_revoke(CONTAINER_OF(object, struct process, object)->waits, PROCESS_WAITS,
                            step);
}

/* The walk of `after` leaves it; the node that it leads to. The lock is held. */
static struct list_node *walk_on(struct process *after)
{
    struct list_node *node = list_next(&processes, &after->all_node);

    ASSERT(after->walkers > 0);
    if (--after->walkers == 0 && after->left) {
        list_remove(&after->all_node);
    }
    return node;
}

struct process *process_next(struct process *after)
{
    struct process *next = NULL;
    struct list_node *node;

    spinlock_lock(&processes_lock);
    node = after == NULL ? list_first(&processes) : walk_on(after);
    if (node != NULL) {
        next = CONTAINER_OF(node, struct process, all_node);
        next->walkers++;
        object_ref(&next->object);
    }
    spinlock_unlock(&processes_lock);
    if (after != NULL) {
        object_unref(&after->object);
    }
    return next;
}

struct process *process_find(uint64_t pid)
{
    struct process *found = NULL;
    struct key_node *node;

    spinlock_lock(&processes_lock);
    node = key_tree_find(&processes_by_pid, pid);
    if (node != NULL) {
        found = CONTAINER_OF(node, struct process, by_pid);
        object_ref(&found->object);
    }
    spinlock_unlock(&processes_lock);
    return found;
}

unsigned process_count(void)
{
    unsigned count;

    spinlock_lock(&processes_lock);
    count = processes_alive;
    spinlock_unlock(&processes_lock);
    return count;
}

unsigned process_check(struct process *process)
{
    unsigned broken = 0;
    size_t live = 0;

    spinlock_lock(&process->lock);
    if (cap_table_check(&process->table) != 0) {
        broken = 1;
    } else if (list_check(&process->threads, LIMIT_THREADS, &live) != 0 ||
               live != process->live_count || process->thread_count < live) {
        broken = 2;
    } else if (process->left && !list_is_empty(&process->waits[PROCESS_WAIT_END].waiters)) {
        broken = 3;
    } else if (process->account != NULL && !process->account_closed &&
               account_line(process->account, LEDGER_SLOTS).used != process->table.quota) {
        broken = 4;
    }
    spinlock_unlock(&process->lock);
    return broken;
}

unsigned processes_check(void)
{
    unsigned broken = 0;
    size_t in_list = 0;
    size_t in_tree = 0;
    size_t present = 0;

    spinlock_lock(&processes_lock);
    if (key_tree_check(&processes_by_pid, &in_tree) != 0 ||
        list_check(&processes, CHECK_PROCESSES_MAX, &in_list) != 0) {
        broken = 5;
    }
    for (struct list_node *node = list_first(&processes); broken == 0 && node != NULL;
         node = list_next(&processes, node)) {
        const struct process *process = CONTAINER_OF(node, struct process, all_node);

        present += !process->left;
        broken = process->left && process->walkers == 0 ? 6 : 0;
    }
    if (broken == 0 && (present != in_tree || in_tree > processes_alive)) {
        broken = 6;
    }
    spinlock_unlock(&processes_lock);
    return broken;
}
