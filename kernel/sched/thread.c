/* SPDX-License-Identifier: MIT */
/*
 * Threads.
 *
 * States and who moves them:
 *   building -> READY        thread_start, by the job that built it
 *   READY -> RUNNING         cpu_run of the home CPU
 *   RUNNING -> WAITING       cap_enter, under ring_lock: `waiting` is set
 *   WAITING -> READY         whoever clears `waiting` under ring_lock (a completion, a timeout, a
 *                            kill), exactly once
 *   RUNNING -> STOPPED       a fault, under ring_lock, if a handler is told: `fault_state`
 *   STOPPED -> READY         the answer's job, or a kill (kernel/ipc/fault_call.c)
 *   READY -> RETIRED         cpu_run of the home CPU when the process is dying, or exit
 *
 * A record (kernel/object/thread_handle.c) outlives its thread: it forgets the thread when that
 * retires, and tells those who wait for its end when all that the thread had is back.
 *
 * Invariants (sched_thread_check asks half of 1, sim/hunt/look.c 3):
 *  1. A thread that waits is in no run queue; a timer is queued only while it waits.
 *  2. operations_used plus the free list is LIMIT_OPERATIONS.
 *  3. Completions reserved in the ring are at least the operations in use (each will post one).
 *
 * Memory: the region's stack and StartInfo pages belong to the address space; the ring's frames
 * belong to the thread, are mapped shared, and go back when nothing maps them: after the shootdown
 * of the region in a live process, after the address space in a dying one.
 */
#include "kernel/sched/thread.h"

#include "core/assert.h"
#include "core/string.h"
#include "kernel/ipc/answers.h"
#include "kernel/ipc/endpoint.h"
#include "kernel/ipc/fault_call.h"
#include "kernel/fault.h"
#include "kernel/mem/account.h"
#include "kernel/mem/kmem.h"
#include "kernel/object/thread_handle.h"
#include "kernel/sched/layout.h"
#include "kernel/sched/process.h"

enum {
    STACK_PAGES = LIMIT_STACK_BYTES / LIMIT_PAGE_BYTES,
    RING_FIRST_PAGE = STACK_PAGES + 1, /* of those that are built: stack, StartInfo, ring */
    BUILD_STEP_PAGES = 6,              /* each is zeroed and mapped: about 1,300 instructions */
    THREAD_CONTROL_BYTES = 256,        /* above the thread pointer, at the top of the stack */
};

static struct kmem_cache thread_cache;

void threads_init(void)
{
    kmem_cache_init(&thread_cache, "thread", sizeof(struct thread));
}

static vaddr_t region_base(const struct thread *thread)
{
    return arch_vspace_base(&thread->process->vspace.arch) + LAYOUT_THREADS +
           thread->slot * LAYOUT_THREAD_BYTES;
}

unsigned thread_operations(const struct thread *thread)
{
    return LIMIT_OPERATIONS + (thread->fault_desk != NULL);
}

struct operation *thread_operation(struct thread *thread, unsigned index)
{
    struct operation *first;

    ASSERT(index < thread_operations(thread));
    if (index == LIMIT_OPERATIONS) {
        return &thread->fault_desk->operation;
    }
    first = arch_frame_pointer(thread->operation_frame[index / OPERATIONS_PER_FRAME]);
    return &first[index % OPERATIONS_PER_FRAME];
}

static void operations_free(struct thread *thread)
{
    for (unsigned i = 0; i < OPERATION_FRAMES; i++) {
        if (thread->operation_frame[i] != 0) {
            account_frame_free(thread->account, thread->operation_frame[i]);
        }
    }
    if (thread->transfer_frame != 0) {
        account_frame_free(thread->account, thread->transfer_frame);
    }
}

_Static_assert(LIMIT_TRANSFERS_WAITING * sizeof(struct transfer_item) <= LIMIT_PAGE_BYTES,
               "a thread's items are one frame");

static enum status transfers_create(struct thread *thread)
{
    enum status status = account_frame_alloc(thread->account, &thread->transfer_frame);

    if (status != STATUS_OK) {
        thread->transfer_frame = 0;
        return status;
    }
    transfer_pool_init(&thread->transfers, arch_frame_pointer(thread->transfer_frame),
                       LIMIT_TRANSFERS_WAITING);
    return STATUS_OK;
}

static enum status operations_create(struct thread *thread)
{
    for (unsigned i = 0; i < OPERATION_FRAMES; i++) {
        enum status status = account_frame_alloc(thread->account, &thread->operation_frame[i]);

        if (status != STATUS_OK) {
            thread->operation_frame[i] = 0;
            return status;
        }
    }
    for (unsigned i = 0; i < LIMIT_OPERATIONS; i++) {
        struct operation *operation = thread_operation(thread, i);

        operation->owner = thread;
        operation->free_next = thread->operations_free;
        thread->operations_free = operation;
    }
    return STATUS_OK;
}

/* What a thread costs its process besides frames. STATUS_LIMIT: *line says what there is too little
 * of. */
static enum status thread_charge(struct thread *thread, enum ledger_line_name *line)
{
    enum status status = account_charge(thread->account, LEDGER_THREADS, 1);

    *line = LEDGER_THREADS;
    if (status == STATUS_OK) {
        status = account_charge(thread->account, LEDGER_RING_BYTES,
                                thread_ring_bytes(&thread->plan.ring));
        *line = LEDGER_RING_BYTES;
        if (status != STATUS_OK) {
            account_release(thread->account, LEDGER_THREADS, 1);
        }
    }
    if (status == STATUS_OK && process_tells_faults(thread->process)) {
        status = account_charge(thread->account, LEDGER_OUTSTANDING_CALLS, 1);
        *line = LEDGER_OUTSTANDING_CALLS;
        thread->fault_charged = status == STATUS_OK;
        if (status != STATUS_OK) {
            account_release(thread->account, LEDGER_RING_BYTES,
                            thread_ring_bytes(&thread->plan.ring));
            account_release(thread->account, LEDGER_THREADS, 1);
        }
    }
    return status;
}

static void thread_uncharge(struct thread *thread)
{
    ASSERT(thread->calls_used == 0);
    account_release(thread->account, LEDGER_OUTSTANDING_CALLS,
                    thread->calls_held + thread->fault_charged);
    account_release(thread->account, LEDGER_RING_BYTES, thread_ring_bytes(&thread->plan.ring));
    account_release(thread->account, LEDGER_THREADS, 1);
}

/* Takes a thread slot of the process. */
static enum status slot_take(struct process *process, struct thread *thread)
{
    enum status status = STATUS_LIMIT;

    spinlock_lock(&process->lock);
    if (process_is_dying(process)) {
        status = STATUS_DEAD;
    } else if (~process->thread_slots != 0) {
        thread->slot = (unsigned)__builtin_ctzll(~process->thread_slots);
        process->thread_slots |= UINT64_C(1) << thread->slot;
        process->thread_count++;
        thread->id = ++process->next_thread_id;
        status = STATUS_OK;
    }
    spinlock_unlock(&process->lock);
    return status;
}

enum status thread_create(const struct thread_plan *plan, struct thread **created,
                          enum ledger_line_name *line)
{
    struct thread *thread = kmem_alloc(&thread_cache);
    enum status status = STATUS_NO_MEMORY;
    bool settled;

    if (thread == NULL) {
        return status;
    }
    thread->process = plan->process;
    thread->account = plan->process->account;
    thread->plan = *plan;
    thread->task.kind = TASK_THREAD;
    thread->task.priority = plan->scheduling.priority;
    sched_context_init(&thread->time, plan->scheduling.budget_ns, plan->scheduling.period_ns,
                       arch_clock_ns());
    thread->share =
        (struct sched_share){.own = &thread->time, .priority = plan->scheduling.priority};
    thread->task.cpu = sched_place(plan->scheduling.cpu_mask);
    thread->built = plan->stack_top == 0 ? 0 : STACK_PAGES;
    spinlock_init(&thread->ring_lock, LOCK_RANK_RING, 0);
    offence_init(&thread->offences);
    list_init(&thread->received);
    settled = ring_sizes_settle(&thread->plan.ring);
    ASSERT(settled);
    status = thread_charge(thread, line);
    if (status != STATUS_OK) {
        kmem_free(&thread_cache, thread);
        return status;
    }
    *line = LEDGER_LINES;
    status = slot_take(plan->process, thread);
    if (status != STATUS_OK) {
        thread_uncharge(thread);
        kmem_free(&thread_cache, thread);
        return status;
    }
    *created = thread;
    return STATUS_OK;
}

/* All but the thread itself. */
static void thread_give_back(struct thread *thread)
{
    ASSERT(!thread->task.node.queued && !deadline_node_is_queued(&thread->timer.node));
    operations_free(thread);
    fault_desk_destroy(thread);
    answers_destroy(thread);
    for (unsigned i = 0; i < RING_PAGES_MAX; i++) {
        if (thread->ring_frame[i] != 0) {
            account_frame_free(thread->account, thread->ring_frame[i]);
        }
    }
    thread_uncharge(thread);
    thread->given_back = true;
}

bool thread_free_step(struct thread *thread)
{
    struct thread_record *record = thread->plan.record;

    if (!thread->given_back) {
        thread_give_back(thread);
    }
    if (record != NULL) {
        if (thread_record_tell(record)) {
            return true;
        }
        object_unref(&record->object);
    }
    kmem_free(&thread_cache, thread);
    return false;
}

/* The page of the region that building step `index` makes. */
static enum status build_page(struct thread *thread, unsigned index)
{
    struct vspace *vspace = &thread->process->vspace;
    vaddr_t base = region_base(thread);
    enum status status;

    if (index < STACK_PAGES) {
        return vspace_map_new(vspace, base + LAYOUT_STACK_LOW + index * LIMIT_PAGE_BYTES,
                              ARCH_PAGE_WRITE, NULL);
    }
    index -= RING_FIRST_PAGE;
    status = account_frame_alloc(thread->account, &thread->ring_frame[index]);
    if (status == STATUS_OK) {
        status = vspace_map_shared(vspace, base + LAYOUT_RING + index * LIMIT_PAGE_BYTES,
                                   ARCH_PAGE_WRITE, thread->ring_frame[index]);
    }
    return status;
}

/* Below the thread control block: the program's static TLS, then the stack. */
static vaddr_t stack_start(const struct start_info *info)
{
    uint64_t alignment = info->tls_alignment < 16 ? 16 : info->tls_alignment;
    vaddr_t top = info->thread_pointer - info->tls_memory_bytes;

    return top & ~(alignment - 1);
}

/* Stack and thread pointer into StartInfo, as the plan says; returns where the stack begins. */
static vaddr_t stack_fill(const struct thread *thread, struct start_info *info)
{
    const struct thread_plan *plan = &thread->plan;
    vaddr_t base = region_base(thread);
    uint64_t alignment = info->tls_alignment < 64 ? 64 : info->tls_alignment;

    info->thread_pointer = plan->thread_pointer;
    if (plan->stack_top != 0) {
        info->stack_high = plan->stack_top;
        return plan->stack_top;
    }
    info->stack_low = base + LAYOUT_STACK_LOW;
    info->stack_high = base + LAYOUT_STACK_HIGH;
    if (plan->thread_pointer != 0) {
        return info->stack_high;
    }
    info->thread_pointer = (info->stack_high - THREAD_CONTROL_BYTES) & ~(alignment - 1);
    return stack_start(info);
}

/* The StartInfo page, and the context that points at it. */
static enum status build_start(struct thread *thread)
{
    struct process *process = thread->process;
    vaddr_t base = region_base(thread);
    vaddr_t page = base + LAYOUT_START_INFO;
    struct start_info *info;
    vaddr_t stack_top;
    paddr_t frame;
    enum status status = vspace_map_new(&process->vspace, page, 0, &frame);

    if (status != STATUS_OK) {
        return status;
    }
    info = arch_frame_pointer(frame);
    *info = process->start;
    info->thread = thread->id;
    info->ring = base + LAYOUT_RING;
    info->entry = thread->plan.entry;
    info->thread_argument = thread->plan.argument;
    stack_top = stack_fill(thread, info);
    for (unsigned i = 0; i < ARRAY_COUNT(info->random_seed); i++) {
        if (!arch_random_u64(&info->random_seed[i])) {
            info->random_seed[i] = 0;
        }
    }
    arch_context_init(&thread->context,
                      &(struct arch_start){.entry = thread->plan.entry,
                                           .stack_top = stack_top,
                                           .argument = page,
                                           .thread_pointer = info->thread_pointer});
    return STATUS_OK;
}

static void ring_make(struct thread *thread)
{
    ring_init(&thread->ring, &thread->plan.ring,
              (struct ring_memory){
                  .header = arch_frame_pointer(thread->ring_frame[0]),
                  .sq = arch_frame_pointer(thread->ring_frame[RING_SQ_OFFSET / LIMIT_PAGE_BYTES]),
                  .cq = arch_frame_pointer(thread->ring_frame[RING_CQ_OFFSET / LIMIT_PAGE_BYTES]),
              });
}

/* What it works with in the kernel. */
static enum status parts_create(struct thread *thread)
{
    enum status status = operations_create(thread);

    if (status == STATUS_OK) {
        status = transfers_create(thread);
    }
    if (status == STATUS_OK) {
        status = answers_create(thread);
    }
    if (status == STATUS_OK && thread->fault_charged) {
        status = fault_desk_create(thread);
    }
    return status;
}

enum status thread_build_step(struct thread *thread, bool *done)
{
    unsigned pages = RING_FIRST_PAGE + thread_ring_bytes(&thread->plan.ring) / LIMIT_PAGE_BYTES;
    enum status status = STATUS_OK;

    if (thread->operations_free == NULL) {
        *done = false;
        return parts_create(thread);
    }
    for (unsigned i = 0; i < BUILD_STEP_PAGES && thread->built < pages; i++) {
        status =
            thread->built == STACK_PAGES ? build_start(thread) : build_page(thread, thread->built);
        if (status != STATUS_OK) {
            return status;
        }
        thread->built++;
    }
    *done = thread->built == pages;
    if (*done) {
        thread->ring_address = region_base(thread) + LAYOUT_RING;
        thread->arena_address = thread->ring_address + RING_ARENA_OFFSET;
        for (unsigned i = 0; i < pages - RING_FIRST_PAGE - ARENA_FIRST_PAGE; i++) {
            thread->arena_page[i] = arch_frame_pointer(thread->ring_frame[ARENA_FIRST_PAGE + i]);
        }
        ring_make(thread);
    }
    return status;
}

void thread_start(struct thread *thread)
{
    struct process *process = thread->process;

    spinlock_lock(&process->lock);
    list_push_back(&process->threads, &thread->process_node);
    process->live_count++;
    spinlock_unlock(&process->lock);
    task_start(&thread->task);
}

void thread_arena_write(struct thread *thread, uint32_t offset, const void *from, uint32_t bytes)
{
    const uint8_t *source = from;

    while (bytes > 0) {
        uint32_t room;
        uint8_t *target = thread_arena(thread, offset, &room);
        uint32_t chunk = bytes < room ? bytes : room;

        memcpy(target, source, chunk);
        offset += chunk;
        source += chunk;
        bytes -= chunk;
    }
}

void thread_posted(struct thread *thread)
{
    if (ring_completions(&thread->ring) >= thread->wait_for || thread->ring.corrupt) {
        thread->waiting = false;
        sched_thread_ready(thread);
    }
}

void thread_wake(struct thread *thread, bool timed_out)
{
    spinlock_lock(&thread->ring_lock);
    if (thread->waiting) {
        thread->waiting = false;
        thread->timed_out = timed_out;
        sched_thread_ready(thread);
    } else if (!timed_out && thread->fault_state == FAULT_STOPPED) {
        thread->fault_state = FAULT_NONE;
        sched_thread_ready(thread);
    }
    spinlock_unlock(&thread->ring_lock);
}

bool thread_interrupt(struct thread *thread)
{
    bool waited;

    spinlock_lock(&thread->ring_lock);
    waited = thread->waiting;
    if (waited) {
        thread->waiting = false;
        thread->timed_out = true;
        sched_thread_ready(thread);
    } else {
        thread->interrupted = true;
    }
    spinlock_unlock(&thread->ring_lock);
    return waited;
}

bool thread_is_blocked(struct thread *thread)
{
    bool waits;

    spinlock_lock(&thread->ring_lock);
    waits = thread->waiting;
    spinlock_unlock(&thread->ring_lock);
    return waits;
}

/* The page of the region at the reclaim job's cursor. */
static vaddr_t reclaim_page(const struct thread *thread, unsigned cursor)
{
    return region_base(thread) + cursor * LIMIT_PAGE_BYTES;
}

static void reclaim_unmapped(struct unmap *unmap)
{
    struct thread *thread = CONTAINER_OF(unmap, struct thread, unmap);

    task_start(&thread->reclaim.task);
}

/* The region is unmapped: its slot is free, then the thread goes, then who waits for that hears. */
static bool reclaim_finish(struct thread *thread)
{
    struct process *process = thread->process;
    struct job *then = thread->reclaimed;

    if (!thread->given_back) {
        thread_give_back(thread);
        spinlock_lock(&process->lock);
        process->thread_slots &= ~(UINT64_C(1) << thread->slot);
        spinlock_unlock(&process->lock);
    }
    if (thread_free_step(thread)) {
        return true;
    }
    if (then != NULL) {
        job_start(then, then->task.cpu, then->task.priority);
    }
    process_thread_gone(process, NULL);
    return false;
}

/* One step: unmaps the next pages and goes on when no CPU can use them any more. */
static bool reclaim_step(struct job *job)
{
    struct thread *thread = CONTAINER_OF(job, struct thread, reclaim);
    unsigned end =
        (unsigned)(LAYOUT_RING + thread_ring_bytes(&thread->plan.ring)) / LIMIT_PAGE_BYTES;
    unsigned pages = VSPACE_STEP_PAGES;
    vaddr_t first;
    enum status status;

    if (thread->built >= end) {
        return reclaim_finish(thread);
    }
    if (pages > end - thread->built) {
        pages = end - thread->built;
    }
    first = reclaim_page(thread, thread->built);
    thread->built += pages;
    thread->unmap.complete = reclaim_unmapped;
    status = vspace_unmap(&thread->process->vspace, first, pages, &thread->unmap);
    ASSERT(status == STATUS_OK);
    return false;
}

/* The thread is in no list and nothing of it runs: its region and slot go back to a process that
 * lives on, or with the process. Pages that building never made are passed over; what is freed goes
 * to the cache of `cpu`. */
static void region_reclaim(struct thread *thread, struct cpu *cpu, bool dying)
{
    if (dying) {
        process_thread_gone(thread->process, thread);
        return;
    }
    thread->built = (unsigned)(LAYOUT_STACK_LOW / LIMIT_PAGE_BYTES);
    thread->reclaim.step = reclaim_step;
    job_start(&thread->reclaim, cpu, thread->task.priority);
}

void thread_abandon(struct thread *thread, struct job *then)
{
    bool dying = process_is_dying(thread->process);

    thread->reclaimed = dying ? NULL : then;
    region_reclaim(thread, arch_cpu_this(), dying);
    if (dying && then != NULL) {
        job_start(then, then->task.cpu, then->task.priority);
    }
}

void thread_exit(struct cpu *cpu, struct thread *thread, int32_t code)
{
    thread->exiting = true;
    thread->exit_code = code;
    sched_requeue(cpu, thread);
    cpu_run(cpu);
}

struct process_exit thread_exit_of(const struct thread *thread)
{
    const struct fault_desk *desk = thread->fault_desk;

    if (desk != NULL && desk->ends_thread) {
        return fault_exit(thread, &desk->fault);
    }
    return (struct process_exit){.kind = EXIT_KIND_EXITED, .code = thread->exit_code};
}

void thread_retire(struct thread *thread)
{
    struct process *process = thread->process;
    unsigned job_priority;
    bool last;

    ASSERT(arch_cpu_this()->current != thread);
    if (arch_cpu_this()->vspace == &process->vspace) {
        vspace_activate(NULL);
    }
    if (!operations_cancel(thread) || !received_cancel(thread)) {
        sched_requeue(thread->task.cpu, thread);
        return;
    }
    if (!answers_forget(thread, &job_priority)) {
        thread->cancelled = 0; /* the job may have begun operations meanwhile */
        sched_requeue_below(thread->task.cpu, thread, job_priority);
        return;
    }
    operations_unreserve(thread);
    sched_thread_leave(thread);
    spinlock_lock(&process->lock);
    list_remove(&thread->process_node);
    last = --process->live_count == 0;
    process->cpu_time_ns += thread->time.used_ns + thread->counted_ns;
    spinlock_unlock(&process->lock);
    if (last) {
        struct process_exit exit = thread_exit_of(thread);

        process_kill(process, &exit);
    }
    if (thread->plan.record != NULL) {
        thread_record_close(thread->plan.record, thread);
    }
    region_reclaim(thread, thread->task.cpu, process_is_dying(process));
}
