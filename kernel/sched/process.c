/* SPDX-License-Identifier: MIT */
/*
 * Processes.
 *
 * BUILDING -> ALIVE by the spawn job's commit; -> DYING by the first process_kill (exit, fault,
 * kill or the last thread's end); -> ENDED by the teardown job, which runs when the last thread
 * slot is free: edges are dropped first, then the address space, then the threads' kernel parts,
 * each in bounded steps; last the waiters are told and the process drops the reference to itself.
 *
 * Invariants (process_check):
 *  1. The capability table's own.
 *  2. live_count is the length of `threads`; thread_count is at least live_count.
 *  3. Nobody waits for a process that has ended and left the list of all.
 *
 * Locks: processes_lock for the list of all, then one process's, then ring locks below it.
 */
#include "kernel/sched/process.h"

#include "core/assert.h"
#include "core/string.h"
#include "kernel/dispatch/call.h"
#include "kernel/ipc/endpoint.h"
#include "kernel/log.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"
#include "kernel/object/process_handle.h"

enum {
    TEARDOWN_WAITERS = 8, /* each is answered with a report: about 600 instructions */
    TEARDOWN_EDGES =
        4, /* closing an endpoint completes up to 64 operations of about 150 instructions */
};

static struct kmem_cache process_cache;
static struct spinlock processes_lock = SPINLOCK_INIT(LOCK_RANK_PROCESSES);
static struct list processes;
static unsigned processes_alive;
static void (*empty_hook)(void); /* called once, when none is alive */
static uint64_t last_pid;        /* atomic */

static void process_destroy(struct object *object);

const struct object_type process_type = {
    .name = "process",
    .call = process_handle_call,
    .destroy = process_destroy,
};

void processes_init(void)
{
    list_init(&processes);
    kmem_cache_init(&process_cache, "process", sizeof(struct process));
}

static void *table_page_alloc(void *context)
{
    paddr_t frame;

    (void)context;
    return frame_alloc(&frame) == STATUS_OK ? arch_frame_pointer(frame) : NULL;
}

static void table_page_free(void *context, void *page)
{
    (void)context;
    frame_free(arch_pointer_frame(page));
}

_Static_assert(sizeof(struct cap_slot) * CAP_TABLE_PAGE_SLOTS <= LIMIT_PAGE_BYTES &&
                   sizeof(struct provenance) * CAP_TABLE_PAGE_SLOTS <= LIMIT_PAGE_BYTES,
               "a page of slots is one frame, its provenance another");

struct process *process_create(const char *name, size_t name_bytes, unsigned priority)
{
    struct process *process = kmem_alloc(&process_cache);

    if (process == NULL) {
        return NULL;
    }
    ASSERT(name_bytes <= LIMIT_NAME_BYTES);
    object_init(&process->object, &process_type);
    object_ref(&process->object);
    process->pid = atomic_add_u64(&last_pid, 1);
    memcpy(process->name, name, name_bytes);
    process->priority = priority;
    process->state = PROCESS_BUILDING;
    spinlock_init(&process->lock, LOCK_RANK_PROCESS, process->pid);
    cap_table_init(
        &process->table, LIMIT_TABLE_SLOTS,
        (struct cap_table_memory){.page_alloc = table_page_alloc, .page_free = table_page_free});
    list_init(&process->threads);
    list_init(&process->retired);
    list_init(&process->waiters);
    list_init(&process->orphans);
    spinlock_lock(&processes_lock);
    list_push_back(&processes, &process->all_node);
    processes_alive++;
    spinlock_unlock(&processes_lock);
    return process;
}

static void process_destroy(struct object *object)
{
    struct process *process = CONTAINER_OF(object, struct process, object);

    ASSERT(process->state == PROCESS_ENDED);
    kmem_free(&process_cache, process);
}

/* Makes every thread of a dying process look up: those that wait become ready, those that run
 * elsewhere are interrupted; their home CPUs retire them. Process lock held. */
static void threads_stop(struct process *process)
{
    struct list_node *node;

    for (node = list_first(&process->threads); node != NULL;
         node = list_next(&process->threads, node)) {
        struct thread *thread = CONTAINER_OF(node, struct thread, process_node);

        thread_wake(thread, false);
        cpu_notify(thread->task.cpu, IPI_RESCHEDULE);
    }
}

void process_kill(struct process *process, const struct process_exit *exit)
{
    spinlock_lock(&process->lock);
    if (process->state < PROCESS_DYING) {
        process->exit = *exit;
        atomic_store_release_u32(&process->state, PROCESS_DYING);
        threads_stop(process);
    }
    spinlock_unlock(&process->lock);
}

static bool teardown_step(struct job *job);

static void teardown_start(struct process *process)
{
    process->teardown.step = teardown_step;
    job_start(&process->teardown, arch_cpu_this(), process->priority);
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

    spinlock_lock(&process->lock);
    node = list_pop_front(&process->retired);
    spinlock_unlock(&process->lock);
    if (node == NULL) {
        return false;
    }
    thread_free(CONTAINER_OF(node, struct thread, process_node));
    return true;
}

/* From now on the process has ended; a few of those who wait are told. false: all are. */
static bool teardown_waiters(struct process *process)
{
    bool left;

    cap_table_free(&process->table);
    spinlock_lock(&process->lock);
    atomic_store_release_u32(&process->state, PROCESS_ENDED);
    for (unsigned i = 0; i < TEARDOWN_WAITERS; i++) {
        struct list_node *node = list_pop_front(&process->waiters);

        if (node != NULL) {
            process_wait_complete(process, CONTAINER_OF(node, struct operation, wait_node));
        }
    }
    left = !list_is_empty(&process->waiters);
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
    list_remove(&process->all_node);
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

    if (teardown_edges(process) || !orphans_cancel(process)) {
        return true;
    }
    if (process->vspace_made) {
        process->vspace_made = vspace_teardown_step(&process->vspace);
        return true;
    }
    if (teardown_thread(process)) {
        return true;
    }
    if (teardown_waiters(process)) {
        return true;
    }
    teardown_finish(process);
    return false;
}

void process_wait(struct process *process, struct operation *operation)
{
    operation->process = process;
    object_ref(&process->object);
    spinlock_lock(&process->lock);
    if (process->state == PROCESS_ENDED) {
        process_wait_complete(process, operation);
    } else {
        list_push_back(&process->waiters, &operation->wait_node);
    }
    spinlock_unlock(&process->lock);
}

bool process_wait_cancel(struct operation *operation, bool completes)
{
    struct process *process;
    bool waited;

    /* The operation's own reference keeps the process while it waits; once it was completed the
     * operation names none. Both under the owner's ring lock, which only the owner's CPU and
     * completions take: read it there. */
    spinlock_lock(&operation->owner->ring_lock);
    process = operation->process;
    if (process != NULL) {
        object_ref(&process->object);
    }
    spinlock_unlock(&operation->owner->ring_lock);
    if (process == NULL) {
        return false;
    }
    spinlock_lock(&process->lock);
    waited = list_node_is_linked(&operation->wait_node);
    if (waited) {
        list_remove(&operation->wait_node);
        operation_end(operation, completes);
    }
    spinlock_unlock(&process->lock);
    if (waited) {
        object_unref(&process->object);
    }
    object_unref(&process->object);
    return waited;
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

void process_kill_all(const struct process *except)
{
    struct list_node *node;

    spinlock_lock(&processes_lock);
    for (node = list_first(&processes); node != NULL; node = list_next(&processes, node)) {
        struct process *process = CONTAINER_OF(node, struct process, all_node);

        if (process != except) {
            process_kill(process, &(struct process_exit){.kind = EXIT_KIND_KILLED});
        }
    }
    spinlock_unlock(&processes_lock);
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
    } else if (process->state == PROCESS_ENDED && !list_node_is_linked(&process->all_node) &&
               !list_is_empty(&process->waiters)) {
        broken = 3;
    }
    spinlock_unlock(&process->lock);
    return broken;
}
