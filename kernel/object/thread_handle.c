/* SPDX-License-Identifier: MIT */
/*
 * ThreadHandle.
 *
 * A thread is the kernel's as long as it runs; what its holders name is a record that outlives it:
 *
 *   made --open--> of a thread --close--> kept: how it ended --tell--> told
 *
 * The thread holds a reference of its record. The record names the thread between open and close,
 * under its lock; so whoever asks for something of the thread holds the lock while it is done, and
 * a thread that retires waits for that, a few hundred instructions.
 *
 * `close` comes when the thread has retired, `tell` when all that it had is back: whoever hears of
 * the end may have the quota again.
 *
 * Invariants (thread_record_check):
 *  1. kind is EXIT_KIND_RUNNING while there is a thread.
 *  2. Nobody waits once it is told, and it is told only after it was closed.
 *
 * Locks: the record's; below it the thread's ring and its CPU's run queue. What can fail: making a
 * record (memory).
 */
#include "kernel/object/thread_handle.h"

#include "core/assert.h"
#include "core/string.h"
#include "kernel/dispatch/call.h"
#include "kernel/mem/kmem.h"
#include "kernel/object/facet.h"
#include "kernel/object/scheduling.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/thread.capnp.h"

enum {
    TELL_WAITERS = 8, /* each is answered: about 600 instructions */
};

static struct kmem_cache record_cache;

void thread_records_init(void)
{
    kmem_cache_init(&record_cache, "thread record", sizeof(struct thread_record));
}

static struct thread_record *record_of(void *object)
{
    return CONTAINER_OF((struct object *)object, struct thread_record, object);
}

static struct capn_text text_of(const char *text)
{
    return (struct capn_text){text, string_length(text, LIMIT_NAME_BYTES)};
}

/* 0, or the number of the first broken invariant. lock held. */
static unsigned thread_record_check(const struct thread_record *record)
{
    if (record->thread != NULL && record->kind != EXIT_KIND_RUNNING) {
        return 1;
    }
    if (record->told && (!list_is_empty(&record->ended.waiters) || record->thread != NULL)) {
        return 2;
    }
    return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void record_answer(struct waitable *waitable, struct operation *operation)
{
    struct thread_record *record = record_of(waitable->object);
    struct thread_handle_wait_results_builder results;
    struct deferred_answer answer;

    deferred_begin(&answer);
    results = thread_handle_wait_results_init(capn_builder_root(&answer.results));
    thread_handle_wait_results_set_kind(results, (enum process_exit_kind)record->kind);
    thread_handle_wait_results_set_code(results, record->code);
    deferred_complete(operation, &answer);
}

static void record_destroy(struct object *object)
{
    struct thread_record *record = record_of(object);

    ASSERT(record->thread == NULL && list_is_empty(&record->ended.waiters));
    kmem_free(&record_cache, record);
}

static bool record_revoke(struct object *object, struct revoke_step *step)
{
    return waitables_revoke(&record_of(object)->ended, 1, step);
}

static enum capn_dispatch record_call(struct object *object, struct capn_request *request);

static const struct object_type record_type = {
    .name = "thread", .call = record_call, .revoke = record_revoke, .destroy = record_destroy};

struct thread_record *thread_record_create(struct capn_text name)
{
    struct thread_record *record = kmem_alloc(&record_cache);

    if (record != NULL) {
        object_init(&record->object, &record_type);
        spinlock_init(&record->lock, LOCK_RANK_THREAD, 0);
        waitable_init(&record->ended, &record->object, &record->lock, record_answer);
        memcpy(record->name, name.bytes, name.length);
    }
    return record;
}

void thread_record_open(struct thread_record *record, struct thread *thread)
{
    spinlock_lock(&record->lock);
    record->id = thread->id;
    record->thread = thread;
    ASSERT(thread_record_check(record) == 0);
    spinlock_unlock(&record->lock);
}

void thread_record_close(struct thread_record *record, struct thread *thread)
{
    struct process *process = thread->process;
    struct process_exit exit = thread_exit_of(thread);

    if (!thread->exiting) {
        spinlock_lock(&process->lock);
        exit = process->exit; /* it ends with its process, and in the same way */
        spinlock_unlock(&process->lock);
    }
    spinlock_lock(&record->lock);
    ASSERT(record->thread == thread);
    record->thread = NULL;
    record->kind = exit.kind;
    record->code = exit.code;
    record->cpu_time_ns = thread->time.used_ns + thread->counted_ns;
    spinlock_unlock(&record->lock);
}

bool thread_record_tell(struct thread_record *record)
{
    bool left;

    spinlock_lock(&record->lock);
    left = waitable_complete(&record->ended, TELL_WAITERS);
    record->told = !left;
    ASSERT(thread_record_check(record) == 0);
    spinlock_unlock(&record->lock);
    return left;
}

struct hold_edge thread_record_edge(struct thread_record *record)
{
    struct hold_edge edge =
        object_edge(&record->object, THREAD_HANDLE_INTERFACE_ID, CAP_FACET_ALL, 0);

    edge_mode_set(&edge, AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE);
    return edge;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static enum capn_dispatch refuse_closed(struct capn_request *request)
{
    return call_refuse(request, EXCEPTION_REASON_CLOSED, 0, 0);
}

/* Whether the caller may give the thread these terms. A thread on a budget makes no time: it gives
 * no more in a period, and no shorter period, than the thread has. */
static bool terms_permitted(struct capn_request *request, const struct scheduling *now,
                            const struct scheduling *terms, const struct thread *thread)
{
    bool limited = call_of(request)->caller->time.budget_ns != 0;

    if (limited && (now->budget_ns == 0 || terms->budget_ns == 0 ||
                    terms->budget_ns > now->budget_ns || terms->period_ns < now->period_ns)) {
        return scheduling_refuse(request, EXCEPTION_REASON_WIDER_THAN_SOURCE, "parameters.budgetNs",
                                 now->budget_ns, terms->budget_ns);
    }
    return (terms->cpu_mask >> thread->task.cpu->index & 1) != 0 ||
           scheduling_refuse(request, EXCEPTION_REASON_UNSUPPORTED, "parameters.cpuMask",
                             UINT64_C(1) << thread->task.cpu->index, terms->cpu_mask);
}

static enum capn_dispatch
record_set_scheduling(void *object, struct capn_request *request,
                      struct thread_handle_set_scheduling_params_reader params,
                      struct thread_handle_set_scheduling_results_builder results)
{
    static const struct scheduling_names names = {.priority = "parameters.priority",
                                                  .budget = "parameters.budgetNs",
                                                  .cpu_mask = "parameters.cpuMask"};
    struct thread_record *record = record_of(object);
    struct scheduling terms;
    struct scheduling now;
    bool permitted;

    (void)results;
    if (!thread_handle_set_scheduling_params_has_parameters(params)) {
        (void)scheduling_refuse(request, EXCEPTION_REASON_MISSING_ARGUMENT, "parameters", 0, 0);
        return CAPN_DISPATCH_REFUSED;
    }
    if (!scheduling_read(request, thread_handle_set_scheduling_params_get_parameters(params),
                         &names, &terms)) {
        return CAPN_DISPATCH_REFUSED;
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    spinlock_lock(&record->lock);
    if (record->thread == NULL) {
        spinlock_unlock(&record->lock);
        return refuse_closed(request);
    }
    now = sched_thread_terms(record->thread);
    permitted = terms_permitted(request, &now, &terms, record->thread);
    if (permitted) {
        sched_thread_change(record->thread, &terms);
    }
    spinlock_unlock(&record->lock);
    return permitted ? CAPN_DISPATCH_ANSWERED : CAPN_DISPATCH_REFUSED;
}

static enum capn_dispatch
record_get_scheduling(void *object, struct capn_request *request,
                      struct thread_handle_get_scheduling_params_reader params,
                      struct thread_handle_get_scheduling_results_builder results)
{
    struct thread_record *record = record_of(object);
    struct scheduling_parameters_builder to;
    struct scheduling now = {.priority = 0};
    bool lives;

    (void)params;
    spinlock_lock(&record->lock);
    lives = record->thread != NULL;
    if (lives) {
        now = sched_thread_terms(record->thread);
    }
    spinlock_unlock(&record->lock);
    if (!lives) {
        return refuse_closed(request);
    }
    to = thread_handle_get_scheduling_results_init_parameters(results);
    scheduling_parameters_set_priority(to, (uint8_t)now.priority);
    scheduling_parameters_set_budget_ns(to, now.budget_ns);
    scheduling_parameters_set_period_ns(to, now.period_ns);
    scheduling_parameters_set_cpu_mask(to, now.cpu_mask);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch record_wait(void *object, struct capn_request *request,
                                      struct thread_handle_wait_params_reader params,
                                      struct thread_handle_wait_results_builder results)
{
    struct thread_record *record = record_of(object);
    uint64_t timeout_ns = thread_handle_wait_params_get_timeout_ns(params);
    struct operation *operation;
    bool itself;
    bool told;

    (void)results;
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    spinlock_lock(&record->lock);
    itself = record->thread == call_of(request)->caller;
    told = record->told;
    spinlock_unlock(&record->lock);
    if (itself) {
        return call_refuse(request, EXCEPTION_REASON_DEADLOCK, 0, 0);
    }
    if (timeout_ns == 0 && !told) {
        return call_refuse(request, EXCEPTION_REASON_WOULD_BLOCK, 0, 0);
    }
    operation = call_defer(request, OPERATION_WAIT);
    if (operation == NULL) {
        return CAPN_DISPATCH_REFUSED;
    }
    spinlock_lock(&record->lock);
    if (record->told) {
        record->ended.complete(&record->ended, operation);
    } else {
        waitable_add(&record->ended, operation, timeout_ns);
    }
    spinlock_unlock(&record->lock);
    return CAPN_DISPATCH_LATER;
}

static enum capn_dispatch record_interrupt(void *object, struct capn_request *request,
                                           struct thread_handle_interrupt_params_reader params,
                                           struct thread_handle_interrupt_results_builder results)
{
    struct thread_record *record = record_of(object);
    bool blocked = false;
    bool lives;

    (void)params;
    spinlock_lock(&record->lock);
    lives = record->thread != NULL;
    if (lives) {
        blocked = thread_interrupt(record->thread);
    }
    spinlock_unlock(&record->lock);
    if (!lives) {
        return refuse_closed(request);
    }
    thread_handle_interrupt_results_set_was_blocked(results, blocked);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch record_info(void *object, struct capn_request *request,
                                      struct thread_handle_info_params_reader params,
                                      struct thread_handle_info_results_builder results)
{
    struct thread_record *record = record_of(object);
    uint64_t cpu_time_ns;
    bool blocked = false;

    (void)request;
    (void)params;
    spinlock_lock(&record->lock);
    cpu_time_ns = record->cpu_time_ns;
    if (record->thread != NULL) {
        cpu_time_ns = sched_thread_used_ns(record->thread);
        blocked = thread_is_blocked(record->thread);
    }
    spinlock_unlock(&record->lock);
    thread_handle_info_results_set_thread_id(results, record->id);
    thread_handle_info_results_set_name(results, text_of(record->name));
    thread_handle_info_results_set_cpu_time_ns(results, cpu_time_ns);
    thread_handle_info_results_set_blocked(results, blocked);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch record_call(struct object *object, struct capn_request *request)
{
    static const struct thread_handle_server server = {.set_scheduling = record_set_scheduling,
                                                       .get_scheduling = record_get_scheduling,
                                                       .wait = record_wait,
                                                       .interrupt = record_interrupt,
                                                       .info = record_info};

    return thread_handle_dispatch(&server, object, request);
}
