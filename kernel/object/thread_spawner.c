/* SPDX-License-Identifier: MIT */
/*
 * ThreadSpawner: a further thread in the caller's own process. Its stack is the caller's choice, or
 * one that the kernel makes; the answer carries its handle.
 */
#include "core/manifest.h"
#include "kernel/dispatch/call.h"
#include "kernel/mem/kmem.h"
#include "kernel/object/kernel_objects.h"
#include "kernel/object/scheduling.h"
#include "kernel/object/thread_handle.h"
#include "kernel/object/thread_spawner.h"
#include "kernel/work_check.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/thread.capnp.h"

/* The job that builds a thread; invariants as in spawn.c. */
struct thread_spawn {
    struct job job;
    struct operation *operation; /* NULL: the caller is gone, or has cancelled */
    struct process *process;     /* in whose table a slot for the handle is reserved; held */
    struct thread *thread;
    struct capn_refuse_reason failure; /* FAILED: why */
};

enum {
    STACK_ALIGNMENT = 16,
};

static struct kmem_cache thread_spawn_cache;

void thread_spawner_init(void)
{
    kmem_cache_init(&thread_spawn_cache, "thread spawn", sizeof(struct thread_spawn));
}

static void answer(struct thread_spawn *spawn)
{
    struct thread_spawner_spawn_results_builder results;
    struct deferred_answer message;

    deferred_begin(&message);
    message.cap = thread_record_edge(spawn->thread->plan.record);
    message.path = THREAD_SPAWNER_SPAWN_PATH_THREAD;
    results = thread_spawner_spawn_results_init(capn_builder_root(&message.results));
    thread_spawner_spawn_results_set_thread(results, 0);
    thread_spawner_spawn_results_set_ring_address(results, spawn->thread->ring_address);
    deferred_complete(spawn->operation, &message);
}

/* The last of a job: the process may end from here on. */
static void thread_spawn_free(struct thread_spawn *spawn)
{
    struct process *process = spawn->process;

    kmem_free(&thread_spawn_cache, spawn);
    process_thread_gone(process, NULL);
}

/* All that the failed thread had is back: the caller hears of it. */
static bool thread_spawn_failed(struct job *job)
{
    struct thread_spawn *spawn = CONTAINER_OF(job, struct thread_spawn, job);
    struct deferred_answer message = {.cap = {.object = NULL}};

    process_slot_give_back(spawn->process);
    if (spawn->operation != NULL) {
        deferred_refuse(&message, spawn->operation, spawn->failure);
        deferred_complete(spawn->operation, &message);
    }
    thread_spawn_free(spawn);
    return false;
}

static void spawn_fail(struct thread_spawn *spawn, enum status status)
{
    struct ledger_refusal ledger = account_refusal(spawn->process->account, LEDGER_FRAMES, 1);

    spawn->failure = status == STATUS_LIMIT
                         ? call_ledger_reason(&ledger)
                         : (struct capn_refuse_reason){.reason = EXCEPTION_REASON_OUT_OF_MEMORY,
                                                       .argument = CAPN_NO_ARGUMENT,
                                                       .detail = status_text(status)};
    spawn->job.step = thread_spawn_failed;
    thread_abandon(spawn->thread, &spawn->job);
}

/* A call that was cancelled makes no thread. */
static bool thread_spawn_step(struct job *job)
{
    struct thread_spawn *spawn = CONTAINER_OF(job, struct thread_spawn, job);
    struct thread *thread = spawn->thread;
    enum status status = STATUS_DEAD;
    bool done = false;

    if (!process_is_dying(spawn->process) && spawn->operation != NULL) {
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
    thread_record_open(thread->plan.record, thread);
    answer(spawn);
    thread_start(thread);
    thread_spawn_free(spawn);
    return false;
}

/* Refuses with the field named, as in schema/thread.capnp. */
static bool refuse(struct capn_request *request, uint16_t reason, const char *name, uint64_t limit,
                   uint64_t amount)
{
    return scheduling_refuse(request, reason, name, limit, amount);
}

/* The parts of a thread, its record among them: all of them, or none and the request is refused. */
static bool parts_create(struct capn_request *request, struct thread_plan *plan,
                         struct capn_text name, struct thread_spawn **created)
{
    struct thread_spawn *spawn = kmem_alloc(&thread_spawn_cache);
    enum ledger_line_name line = LEDGER_LINES;
    enum status status = STATUS_NO_MEMORY;

    plan->record = spawn == NULL ? NULL : thread_record_create(name);
    if (plan->record != NULL) {
        status = thread_create(plan, &spawn->thread, &line);
    }
    if (status == STATUS_OK) {
        spawn->process = plan->process;
        process_hold(plan->process);
        *created = spawn;
        return true;
    }
    if (plan->record != NULL) {
        object_unref(&plan->record->object);
    }
    if (spawn != NULL) {
        kmem_free(&thread_spawn_cache, spawn);
    }
    if (status == STATUS_LIMIT && line != LEDGER_LINES) {
        (void)call_refuse_ledger(request, line,
                                 line == LEDGER_RING_BYTES ? thread_ring_bytes(&plan->ring) : 1);
        return false;
    }
    (void)(status == STATUS_LIMIT ? call_refuse(request, EXCEPTION_REASON_LIMIT_EXCEEDED,
                                                LIMIT_THREADS, LIMIT_THREADS + 1)
                                  : call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, 0));
    return false;
}

static enum capn_dispatch start(struct capn_request *request, struct thread_plan *plan,
                                struct capn_text name)
{
    struct ledger_refusal ledger;
    struct operation *operation;
    struct thread_spawn *spawn;

    switch (process_slots_reserve(plan->process, 1, &ledger)) {
    case TRANSPORT_OK:
        break;
    case TRANSPORT_LIMIT:
        return capn_request_refuse(request, call_ledger_reason(&ledger));
    default:
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_MEMORY, 0, 0);
    }
    operation = call_defer(request, OPERATION_JOB);
    if (operation == NULL) {
        process_slot_give_back(plan->process);
        return CAPN_DISPATCH_REFUSED;
    }
    if (!parts_create(request, plan, name, &spawn)) {
        operation_release(operation);
        process_slot_give_back(plan->process);
        return CAPN_DISPATCH_REFUSED;
    }
    spawn->operation = operation;
    operation->holder = &spawn->operation;
    spawn->job.step = thread_spawn_step;
    job_start(&spawn->job, arch_cpu_this(), plan->scheduling.priority);
    return CAPN_DISPATCH_LATER;
}

/* Whether [LIMIT_USER_MIN, LIMIT_USER_MAX) holds the address; a stack may end where it does. */
static bool address_check(struct capn_request *request, uint64_t address, const char *name,
                          uint64_t past)
{
    return (address >= LIMIT_USER_MIN && address < LIMIT_USER_MAX + past) ||
           refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, name, LIMIT_USER_MAX, address);
}

/* The addresses of the request into the plan. */
static bool addresses_read(struct capn_request *request, struct thread_request_reader message,
                           struct thread_plan *plan)
{
    plan->entry = thread_request_get_entry(message);
    plan->stack_top = thread_request_get_stack_top(message);
    plan->thread_pointer = thread_request_get_thread_pointer(message);
    plan->argument = thread_request_get_argument(message);
    if (!address_check(request, plan->entry, "request.entry", 0)) {
        return false;
    }
    if (plan->stack_top != 0 && !address_check(request, plan->stack_top, "request.stackTop", 1)) {
        return false;
    }
    if (plan->stack_top % STACK_ALIGNMENT != 0) {
        return refuse(request, EXCEPTION_REASON_MISALIGNED, "request.stackTop", STACK_ALIGNMENT,
                      plan->stack_top);
    }
    return plan->thread_pointer == 0 ||
           address_check(request, plan->thread_pointer, "request.threadPointer", 0);
}

static enum capn_dispatch spawner_spawn(void *object, struct capn_request *request,
                                        struct thread_spawner_spawn_params_reader params,
                                        struct thread_spawner_spawn_results_builder results)
{
    struct thread_request_reader message = thread_spawner_spawn_params_get_request(params);
    struct thread_ring_sizes_reader ring = thread_request_get_ring(message);
    struct capn_text name = thread_request_get_name(message);
    struct thread_plan plan = {
        .process = call_of(request)->caller->process,
        .ring = {.sq_entries = thread_ring_sizes_get_submission_entries(ring),
                 .cq_entries = thread_ring_sizes_get_completion_entries(ring),
                 .arena_bytes = thread_ring_sizes_get_arena_bytes(ring)}};

    (void)object;
    (void)results;
    if (!thread_spawner_spawn_params_has_request(params)) {
        (void)refuse(request, EXCEPTION_REASON_MISSING_ARGUMENT, "request", 0, 0);
        return CAPN_DISPATCH_REFUSED;
    }
    if (!addresses_read(request, message, &plan)) {
        return CAPN_DISPATCH_REFUSED;
    }
    if (!ring_sizes_settle(&plan.ring)) {
        (void)refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, "request.ring", LIMIT_ARENA_BYTES_MAX,
                     plan.ring.arena_bytes);
        return CAPN_DISPATCH_REFUSED;
    }
    if (thread_request_has_name(message) && !manifest_name_is_valid(name)) {
        (void)refuse(request, EXCEPTION_REASON_INVALID_NAME, "request.name", LIMIT_NAME_BYTES,
                     name.length);
        return CAPN_DISPATCH_REFUSED;
    }
    if (!scheduling_read_new(request, thread_request_has_scheduling(message),
                             thread_request_get_scheduling(message), &plan.scheduling)) {
        return CAPN_DISPATCH_REFUSED;
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    return start(request, &plan, name);
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
