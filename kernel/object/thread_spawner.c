/* SPDX-License-Identifier: MIT */
/*
 * ThreadSpawner: a further thread in the caller's own process. Thin: the answer carries no handle;
 * the stack is the kernel's choice.
 */
#include "kernel/dispatch/call.h"
#include "kernel/mem/kmem.h"
#include "kernel/object/kernel_objects.h"
#include "kernel/object/thread_spawner.h"
#include "kernel/work_check.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/thread.capnp.h"

/* The job that builds a thread; invariants as in spawn.c. */
struct thread_spawn {
    struct job job;
    struct operation *operation; /* NULL: the caller is gone */
    struct thread *thread;
    enum status status;                /* FAILED: why */
    struct capn_refuse_reason failure; /* and in the words of an answer */
};

static struct kmem_cache thread_spawn_cache;

void thread_spawner_init(void)
{
    kmem_cache_init(&thread_spawn_cache, "thread spawn", sizeof(struct thread_spawn));
}

static void answer(struct thread_spawn *spawn, enum status status)
{
    struct deferred_answer message = {.cap = {.object = NULL}};

    if (spawn->operation == NULL) {
        return;
    }
    if (status == STATUS_OK) {
        struct thread_spawner_spawn_results_builder results;

        deferred_begin(&message);
        results = thread_spawner_spawn_results_init(capn_builder_root(&message.results));
        thread_spawner_spawn_results_set_ring_address(results, spawn->thread->ring_address);
    } else {
        deferred_refuse(&message, spawn->operation, spawn->failure);
    }
    deferred_complete(spawn->operation, &message);
}

/* All that the failed thread had is back: the caller hears of it. */
static bool thread_spawn_failed(struct job *job)
{
    struct thread_spawn *spawn = CONTAINER_OF(job, struct thread_spawn, job);

    answer(spawn, spawn->status);
    kmem_free(&thread_spawn_cache, spawn);
    return false;
}

static void spawn_fail(struct thread_spawn *spawn, enum status status)
{
    struct ledger_refusal ledger =
        account_refusal(spawn->thread->process->account, LEDGER_FRAMES, 1);

    spawn->status = status;
    spawn->failure = status == STATUS_LIMIT
                         ? call_ledger_reason(&ledger)
                         : (struct capn_refuse_reason){.reason = EXCEPTION_REASON_OUT_OF_MEMORY,
                                                       .argument = CAPN_NO_ARGUMENT,
                                                       .detail = status_text(status)};
    spawn->job.step = thread_spawn_failed;
    thread_abandon(spawn->thread, &spawn->job);
}

static bool thread_spawn_step(struct job *job)
{
    struct thread_spawn *spawn = CONTAINER_OF(job, struct thread_spawn, job);
    struct thread *thread = spawn->thread;
    enum status status = STATUS_DEAD;
    bool done = false;

    if (!process_is_dying(thread->process)) {
        memory_permit_begin(); /* building */
        status = thread_build_step(thread, &done);
        memory_permit_end();
    }
    if (status == STATUS_OK && !done) {
        return true;
    }
    if (status != STATUS_OK) {
        spawn_fail(spawn, status);
        return false;
    }
    answer(spawn, STATUS_OK);
    thread_start(thread);
    kmem_free(&thread_spawn_cache, spawn);
    return false;
}

static enum capn_dispatch start(struct capn_request *request, const struct thread_plan *plan)
{
    struct operation *operation = call_defer(request, OPERATION_JOB);
    struct thread_spawn *spawn;
    enum ledger_line_name line = LEDGER_LINES;
    enum status status = STATUS_NO_MEMORY;

    if (operation == NULL) {
        return CAPN_DISPATCH_REFUSED;
    }
    spawn = kmem_alloc(&thread_spawn_cache);
    if (spawn != NULL) {
        status = thread_create(plan, &spawn->thread, &line);
    }
    if (status != STATUS_OK) {
        operation_release(operation);
        if (spawn != NULL) {
            kmem_free(&thread_spawn_cache, spawn);
        }
        if (status == STATUS_LIMIT && line != LEDGER_LINES) {
            return call_refuse_ledger(
                request, line, line == LEDGER_RING_BYTES ? thread_ring_bytes(&plan->ring) : 1);
        }
        return status == STATUS_LIMIT ? call_refuse(request, EXCEPTION_REASON_LIMIT_EXCEEDED,
                                                    LIMIT_THREADS, LIMIT_THREADS)
                                      : call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, 0);
    }
    spawn->operation = operation;
    operation->holder = &spawn->operation;
    spawn->job.step = thread_spawn_step;
    job_start(&spawn->job, arch_cpu_this(), plan->priority);
    return CAPN_DISPATCH_LATER;
}

static enum capn_dispatch spawner_spawn(void *object, struct capn_request *request,
                                        struct thread_spawner_spawn_params_reader params,
                                        struct thread_spawner_spawn_results_builder results)
{
    struct thread_request_reader message = thread_spawner_spawn_params_get_request(params);
    struct thread *caller = call_of(request)->caller;
    struct thread_ring_sizes_reader ring = thread_request_get_ring(message);
    struct thread_plan plan = {
        .process = caller->process,
        .entry = thread_request_get_entry(message),
        .argument = thread_request_get_argument(message),
        .priority = caller->task.priority,
        .ring = {.sq_entries = thread_ring_sizes_get_submission_entries(ring),
                 .cq_entries = thread_ring_sizes_get_completion_entries(ring),
                 .arena_bytes = thread_ring_sizes_get_arena_bytes(ring)}};

    (void)object;
    (void)results;
    if (!thread_spawner_spawn_params_has_request(params)) {
        return call_refuse(request, EXCEPTION_REASON_MISSING_ARGUMENT, 0, 0);
    }
    if (plan.entry < LIMIT_USER_MIN || plan.entry >= LIMIT_USER_MAX) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, LIMIT_USER_MAX, plan.entry);
    }
    if (thread_request_get_stack_top(message) != 0 ||
        thread_request_get_thread_pointer(message) != 0) {
        return call_refuse(request, EXCEPTION_REASON_UNSUPPORTED, 0,
                           thread_request_get_stack_top(message));
    }
    if (!ring_sizes_settle(&plan.ring)) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, LIMIT_ARENA_BYTES_MAX,
                           plan.ring.arena_bytes);
    }
    if (thread_request_has_scheduling(message)) {
        struct scheduling_parameters_reader scheduling = thread_request_get_scheduling(message);

        plan.priority = scheduling_parameters_get_priority(scheduling);
        plan.budget_ns = scheduling_parameters_get_budget_ns(scheduling);
        plan.period_ns = scheduling_parameters_get_period_ns(scheduling);
    }
    if (!sched_budget_is_valid(plan.budget_ns, plan.period_ns)) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, plan.period_ns, plan.budget_ns);
    }
    /* Each thread has a budget of its own: with another one a limited thread would have more. */
    if (caller->time.budget_ns != 0) {
        return call_refuse(request, EXCEPTION_REASON_WIDER_THAN_SOURCE, caller->time.budget_ns,
                           plan.budget_ns);
    }
    if (plan.priority > caller->task.priority) {
        return call_refuse(request, EXCEPTION_REASON_WIDER_THAN_SOURCE, caller->task.priority,
                           plan.priority);
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    return start(request, &plan);
}

static enum capn_dispatch spawner_call(struct object *object, struct capn_request *request)
{
    static const struct thread_spawner_server server = {.spawn = spawner_spawn};

    return thread_spawner_dispatch(&server, object, request);
}

static const struct object_type spawner_type = {.name = "thread spawner",
                                                .call = spawner_call,
                                                .makes = UINT64_C(1)
                                                         << THREAD_SPAWNER_METHOD_SPAWN};

struct object thread_spawner_object = OBJECT_STATIC(&spawner_type);
