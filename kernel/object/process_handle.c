/* SPDX-License-Identifier: MIT */
/* ProcessHandle: wait, kill, info. */
#include "kernel/object/process_handle.h"

#include "core/string.h"
#include "kernel/dispatch/call.h"
#include "kernel/fault.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/process.capnp.h"

static struct capn_text text_of(const char *text)
{
    return (struct capn_text){text, string_length(text, LIMIT_NAME_BYTES)};
}

static void exit_report_build(struct process_exit_report_builder report,
                              const struct process *process)
{
    const struct process_exit *exit = &process->exit;

    process_exit_report_set_kind(report, (enum process_exit_kind)exit->kind);
    process_exit_report_set_code(report, exit->code);
    process_exit_report_set_cpu_time_ns(report, process->cpu_time_ns);
    process_exit_report_set_peak_frames(report, exit->peak_frames);
    if (exit->kind == EXIT_KIND_FAULTED) {
        fault_report_build(process_exit_report_init_fault(report), &exit->fault,
                           exit->fault_thread);
    }
}

/* What the process may use itself now: its limits less what it gave to children. */
static uint32_t own_limit(struct account *account, enum ledger_line_name name)
{
    struct ledger_line line = account_line(account, name);
    uint64_t own = line.limit - line.donated;

    return own < UINT32_MAX ? (uint32_t)own : UINT32_MAX;
}

/* Of a process that has ended: nothing. Process lock held. */
static void quotas_build(struct authority_quotas_builder quotas, struct account *account)
{
    if (account == NULL) {
        return;
    }
    authority_quotas_set_slots(quotas, own_limit(account, LEDGER_SLOTS));
    authority_quotas_set_frames(quotas, own_limit(account, LEDGER_FRAMES));
    authority_quotas_set_ring_bytes(quotas, own_limit(account, LEDGER_RING_BYTES));
    authority_quotas_set_endpoint_queue(quotas, own_limit(account, LEDGER_ENDPOINT_QUEUE));
    authority_quotas_set_outstanding_calls(quotas, own_limit(account, LEDGER_OUTSTANDING_CALLS));
    authority_quotas_set_scratch_bytes(quotas, own_limit(account, LEDGER_SCRATCH_BYTES));
    authority_quotas_set_threads(quotas, own_limit(account, LEDGER_THREADS));
    authority_quotas_set_log_bytes(quotas, own_limit(account, LEDGER_LOG_BYTES));
    authority_quotas_set_grant_nodes(quotas, own_limit(account, LEDGER_GRANT_NODES));
    authority_quotas_set_cpu_permille(quotas, (uint16_t)own_limit(account, LEDGER_CPU_PERMILLE));
}

void process_end_answer(struct waitable *waitable, struct operation *operation)
{
    struct process *process = CONTAINER_OF(waitable->object, struct process, object);
    struct deferred_answer answer;
    struct process_handle_wait_results_builder results;

    deferred_begin(&answer);
    results = process_handle_wait_results_init(capn_builder_root(&answer.results));
    exit_report_build(process_handle_wait_results_init_exit(results), process);
    deferred_complete(operation, &answer);
}

void process_stop_answer(struct waitable *waitable, struct operation *operation)
{
    struct deferred_answer answer;

    (void)waitable;
    deferred_begin(&answer);
    (void)process_handle_kill_results_init(capn_builder_root(&answer.results));
    deferred_complete(operation, &answer);
}

static enum capn_dispatch handle_wait(void *object, struct capn_request *request,
                                      struct process_handle_wait_params_reader params,
                                      struct process_handle_wait_results_builder results)
{
    struct process *process = CONTAINER_OF((struct object *)object, struct process, object);
    uint64_t timeout_ns = process_handle_wait_params_get_timeout_ns(params);
    struct operation *operation;

    (void)results;
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    if (timeout_ns == 0 && atomic_load_acquire_u32(&process->state) != PROCESS_ENDED) {
        return call_refuse(request, EXCEPTION_REASON_WOULD_BLOCK, 0, 0);
    }
    operation = call_defer(request, OPERATION_WAIT);
    if (operation == NULL) {
        return CAPN_DISPATCH_REFUSED;
    }
    process_wait(process, PROCESS_WAIT_END, operation, timeout_ns);
    return CAPN_DISPATCH_LATER;
}

static enum capn_dispatch handle_kill(void *object, struct capn_request *request,
                                      struct process_handle_kill_params_reader params,
                                      struct process_handle_kill_results_builder results)
{
    struct process *process = CONTAINER_OF((struct object *)object, struct process, object);
    int32_t code = process_handle_kill_params_get_code(params);
    struct operation *operation;

    (void)results;
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    operation = call_defer(request, OPERATION_WAIT);
    if (operation == NULL) {
        return CAPN_DISPATCH_REFUSED;
    }
    process_kill(process, &(struct process_exit){.kind = EXIT_KIND_KILLED, .code = code});
    process_wait(process, PROCESS_WAIT_STOP, operation, TIMEOUT_NONE);
    return CAPN_DISPATCH_LATER;
}

static enum capn_dispatch handle_info(void *object, struct capn_request *request,
                                      struct process_handle_info_params_reader params,
                                      struct process_handle_info_results_builder results)
{
    struct process *process = CONTAINER_OF((struct object *)object, struct process, object);

    (void)request;
    (void)params;
    spinlock_lock(&process->lock);
    process_handle_info_results_set_pid(results, process->pid);
    process_handle_info_results_set_name(results, text_of(process->name));
    process_handle_info_results_set_kind(results, (enum process_exit_kind)process->exit.kind);
    process_handle_info_results_set_threads(results, process->live_count);
    process_handle_info_results_set_slots(results, process->table.used);
    process_handle_info_results_set_frames(
        results, process->account == NULL
                     ? 0
                     : (uint32_t)account_line(process->account, LEDGER_FRAMES).used);
    process_handle_info_results_set_restart_count(results, process->restart_count);
    quotas_build(process_handle_info_results_init_quotas(results), process->account);
    spinlock_unlock(&process->lock);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch handle_give(void *object, struct capn_request *request,
                                      struct process_handle_give_params_reader params,
                                      struct process_handle_give_results_builder results)
{
    (void)object;
    (void)params;
    (void)results;
    return call_refuse(request, EXCEPTION_REASON_OPCODE_ONLY, 0, 0);
}

enum capn_dispatch process_handle_call(struct object *object, struct capn_request *request)
{
    static const struct process_handle_server server = {
        .wait = handle_wait, .kill = handle_kill, .info = handle_info, .give = handle_give};

    return process_handle_dispatch(&server, object, request);
}
