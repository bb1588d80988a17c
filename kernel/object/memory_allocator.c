/* SPDX-License-Identifier: MIT */
/*
 * FrameAllocator: quota becomes memory objects.
 *
 * An ordinary object is made at once, a promise of frames. A contiguous one is made by a job,
 * before anybody sees it:
 *
 *   TABLES --all there--> SEARCH --a run was found--> CLEAR --all entered--> END
 *     '-----refused----------'------refused---------------------------------->'
 *
 * SEARCH looks at a few candidates in each step. What it finds is charged at once and belongs to
 * the object page by page, as CLEAR zeroes and enters it. Whoever is wanted no longer (cancelled,
 * revoked, the caller gone) ends: a run that was found is still entered, unseen, so that the end of
 * the object gives it back like any other.
 *
 * Invariants:
 *  1. operation is NULL once the caller's thread is retired or cancelled it (same CPU, so no lock).
 *  2. A run is in the list from before its first step until its answer is given, so a revocation of
 *     the allocator's edge waits for it (core/uses.c).
 *
 * Locks: runs.lock around the list. What can fail: quota, memory, a run that long.
 */
#include "core/assert.h"
#include "kernel/dispatch/call.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"
#include "kernel/object/facet.h"
#include "kernel/object/grants.h"
#include "kernel/object/kernel_objects.h"
#include "kernel/object/memory_object.h"
#include "kernel/work_check.h"
#include "schema/generated/exception.capnp.h"

enum {
    CLEAR_PAGES = 8, /* each is zeroed and entered: about 800 instructions */
};

_Static_assert(MEMORY_CONTIGUOUS_MAX == RUN_FRAMES_MAX * LIMIT_PAGE_BYTES, "one limit");

enum run_phase {
    RUN_TABLES,
    RUN_SEARCH,
    RUN_CLEAR,
    RUN_END,
};

/* A contiguous object that is being made. */
struct run {
    struct job job;
    struct use under_way; /* runs.lock */
    struct operation *operation;
    struct process *caller;       /* referenced; a slot of its table is reserved */
    struct memory_object *memory; /* referenced */
    struct grant_node *through;   /* of the allocator's edge, referenced */
    uint64_t epoch;
    enum run_phase phase;
    enum status status; /* why it ends without an object */
    uint64_t search;    /* where the search goes on */
    uint64_t page;      /* next to be done */
    paddr_t first;      /* frame of page 0, from CLEAR on */
};

static struct kmem_cache run_cache;
static struct {
    struct spinlock lock;
    struct uses under_way; /* lock */
    uint64_t count;        /* atomic */
} runs = {.lock = SPINLOCK_INIT(LOCK_RANK_GRANT)};

void memory_runs_init(void)
{
    uses_init(&runs.under_way);
    runs.count = 0;
    kmem_cache_init(&run_cache, "memory run", sizeof(struct run));
}

uint64_t memory_runs_under_way(void)
{
    return atomic_load_acquire_u64(&runs.count);
}

static struct capn_refuse_reason size_reason(uint16_t why, uint64_t limit, uint64_t bytes)
{
    return (struct capn_refuse_reason){.reason = why,
                                       .argument = 0,
                                       .argument_name = "sizeBytes",
                                       .limit = limit,
                                       .amount = bytes};
}

/* The edge that the caller gets. The reference of whoever made the object is given up. */
static struct hold_edge edge_make(struct memory_object *memory)
{
    struct hold_edge edge =
        object_edge(&memory->object, MEMORY_OBJECT_INTERFACE_ID, CAP_FACET_ALL, 0);

    edge_mode_set(&edge, AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE);
    object_unref(&memory->object);
    return edge;
}

static void run_answer(struct run *run)
{
    struct deferred_answer answer = {.cap = {.object = NULL}};
    struct frame_allocator_allocate_results_builder results;
    uint64_t bytes = run->memory->pages * LIMIT_PAGE_BYTES;

    if (run->status == STATUS_OK && run->operation != NULL) {
        deferred_begin(&answer);
        answer.cap = edge_make(run->memory);
        answer.path = FRAME_ALLOCATOR_ALLOCATE_PATH_OBJECT;
        results = frame_allocator_allocate_results_init(capn_builder_root(&answer.results));
        frame_allocator_allocate_results_set_object(results, 0);
        deferred_complete(run->operation, &answer);
        return;
    }
    process_slot_give_back(run->caller);
    object_unref(&run->memory->object);
    if (run->operation != NULL) {
        deferred_refuse(&answer, run->operation,
                        size_reason(run->status == STATUS_REVOKED
                                        ? EXCEPTION_REASON_REVOKED_CAPABILITY
                                        : EXCEPTION_REASON_OUT_OF_MEMORY,
                                    0, bytes));
        deferred_complete(run->operation, &answer);
    }
}

static void run_end(struct run *run)
{
    run_answer(run);
    spinlock_lock(&runs.lock);
    uses_remove(&run->under_way);
    spinlock_unlock(&runs.lock);
    grant_unref(run->through, grant_node_free);
    object_unref(&run->caller->object);
    kmem_free(&run_cache, run);
    atomic_add_u64(&runs.count, UINT64_MAX);
}

/* Zeroes and enters a few pages; true: these were the last. */
static bool pages_clear(struct run *run)
{
    for (unsigned i = 0; i < CLEAR_PAGES && run->page < run->memory->pages; i++, run->page++) {
        paddr_t frame = run->first + run->page * LIMIT_PAGE_BYTES;

        if (run->status == STATUS_OK) {
            frame_clear(frame);
        }
        memory_object_enter(run->memory, run->page, frame);
    }
    return run->page == run->memory->pages;
}

/* One step of TABLES or SEARCH; STATUS_BUSY: there is more of it. */
static enum status run_gather(struct run *run)
{
    struct memory_object *memory = run->memory;
    enum status status;

    if (run->phase == RUN_TABLES) {
        status = memory_object_table(memory, run->page);
        run->page += MEMORY_TABLE_ENTRIES;
        return status == STATUS_OK && run->page < memory->pages ? STATUS_BUSY : status;
    }
    status = frame_run_take((unsigned)memory->pages, &run->search, &run->first);
    if (status == STATUS_OK) {
        account_commit(memory->account, LEDGER_FRAMES, memory->pages);
    }
    return status;
}

static bool run_step(struct job *job)
{
    struct run *run = CONTAINER_OF(job, struct run, job);
    enum status status;

    if (run->status == STATUS_OK && !grant_is_alive(run->through, &run->epoch)) {
        run->status = STATUS_REVOKED;
    } else if (run->status == STATUS_OK && run->operation == NULL) {
        run->status = STATUS_CANCELLED;
    }
    if (run->phase == RUN_CLEAR) {
        run->phase += pages_clear(run);
        return true;
    }
    if (run->phase == RUN_END || run->status != STATUS_OK) {
        run_end(run);
        return false;
    }
    memory_permit_begin(); /* building */
    status = run_gather(run);
    memory_permit_end();
    if (status == STATUS_OK) {
        run->phase++;
        run->page = 0;
    } else if (status != STATUS_BUSY) {
        run->status = status;
    }
    return true;
}

static bool runs_revoke(struct object *object, struct revoke_step *step)
{
    struct use *awaited;
    enum uses_left result;

    (void)object;
    spinlock_lock(&runs.lock);
    result = uses_sweep(&runs.under_way, &step->sweep, step->above, &step->receipt.calls, &awaited);
    if (result == USES_WAITS) {
        const struct run *run = CONTAINER_OF(awaited, struct run, under_way);

        if (run->job.task.priority < step->priority) {
            step->priority = run->job.task.priority; /* its end is work of that one */
        }
    }
    spinlock_unlock(&runs.lock);
    return result != USES_OVER;
}

/* Begins to make a contiguous object; its answer comes later. The slot that the call had reserved
 * for it is the run's from here on. */
static enum capn_dispatch run_begin(struct capn_request *request, struct memory_object *memory)
{
    struct call *call = call_of(request);
    struct run *run = kmem_alloc(&run_cache);
    struct operation *operation;

    if (run == NULL) {
        object_unref(&memory->object);
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, 0);
    }
    operation = call_defer(request, OPERATION_JOB);
    if (operation == NULL) {
        object_unref(&memory->object);
        kmem_free(&run_cache, run);
        return CAPN_DISPATCH_REFUSED;
    }
    ASSERT(call->result_caps_max == 1);
    call->result_caps_max = 0;
    memory->contiguous = true;
    run->memory = memory;
    run->operation = operation;
    operation->holder = &run->operation;
    run->caller = call->caller->process;
    object_ref(&run->caller->object);
    run->through = call->edge->grant;
    run->epoch = call->edge->epoch;
    grant_ref(run->through);
    atomic_add_u64(&runs.count, 1);
    spinlock_lock(&runs.lock);
    uses_add(&runs.under_way, &run->under_way, run->through);
    spinlock_unlock(&runs.lock);
    run->job.step = run_step;
    job_start(&run->job, arch_cpu_this(), call->caller->task.priority);
    return CAPN_DISPATCH_LATER;
}

static enum capn_dispatch
allocator_allocate(void *object, struct capn_request *request,
                   struct frame_allocator_allocate_params_reader params,
                   struct frame_allocator_allocate_results_builder results)
{
    struct account *account = call_of(request)->caller->process->account;
    uint64_t bytes = frame_allocator_allocate_params_get_size_bytes(params);
    bool run = frame_allocator_allocate_params_get_contiguous(params) && bytes > LIMIT_PAGE_BYTES;
    uint64_t most = run ? MEMORY_CONTIGUOUS_MAX : (uint64_t)MEMORY_PAGES_MAX * LIMIT_PAGE_BYTES;
    struct memory_object *memory;
    struct hold_edge edge;
    enum status status;

    (void)object;
    if (bytes == 0 || bytes > most) {
        return capn_request_refuse(request,
                                   size_reason(EXCEPTION_REASON_OUT_OF_RANGE, most, bytes));
    }
    if (bytes % LIMIT_PAGE_BYTES != 0) {
        return capn_request_refuse(
            request, size_reason(EXCEPTION_REASON_MISALIGNED, LIMIT_PAGE_BYTES, bytes));
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    status = memory_object_create(account, bytes / LIMIT_PAGE_BYTES, &memory);
    if (status == STATUS_LIMIT) {
        return call_refuse_ledger(request, LEDGER_FRAMES,
                                  memory_object_frames_most(bytes / LIMIT_PAGE_BYTES));
    }
    if (status != STATUS_OK) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, bytes);
    }
    if (run) {
        return run_begin(request, memory);
    }
    edge = edge_make(memory);
    frame_allocator_allocate_results_set_object(
        results, call_result_cap(call_of(request), &edge, FRAME_ALLOCATOR_ALLOCATE_PATH_OBJECT));
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch allocator_info(void *object, struct capn_request *request,
                                         struct frame_allocator_info_params_reader params,
                                         struct frame_allocator_info_results_builder results)
{
    struct ledger_line line =
        account_line(call_of(request)->caller->process->account, LEDGER_FRAMES);
    struct frames_census census;

    (void)object;
    (void)params;
    frames_census_take(&census);
    frame_allocator_info_results_set_free_frames(results, census.free + census.cached);
    frame_allocator_info_results_set_charged_frames(results, line.used + line.reserved);
    frame_allocator_info_results_set_limit_frames(results, line.limit - line.donated);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch allocator_call(struct object *object, struct capn_request *request)
{
    static const struct frame_allocator_server server = {.allocate = allocator_allocate,
                                                         .info = allocator_info};

    return frame_allocator_dispatch(&server, object, request);
}

static const struct object_type allocator_type = {.name = "frame allocator",
                                                  .call = allocator_call,
                                                  .gives = UINT64_C(1)
                                                           << FRAME_ALLOCATOR_METHOD_ALLOCATE,
                                                  .revoke = runs_revoke};

struct object frame_allocator_object = OBJECT_STATIC(&allocator_type);
