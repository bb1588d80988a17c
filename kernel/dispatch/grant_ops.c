/* SPDX-License-Identifier: MIT */
/* Submissions that delegate and revoke: DELEGATE, REVOKE. */
#include "kernel/dispatch/submission.h"
#include "kernel/object/grants.h"
#include "schema/generated/capability.capnp.h"

/* Puts both edges into the caller's table, whose slots were reserved. */
static void delegated_insert(struct thread *thread, const struct sqe *sqe,
                             const struct hold_edge *edge, const struct hold_edge *handle)
{
    struct process *process = thread->process;
    struct provenance origin = {.origin = EDGE_ORIGIN_DUPLICATE, .at_ns = arch_clock_ns()};
    struct cqe cqe = {.user_data = sqe->user_data};

    provenance_from(&origin, process->pid, process->name);
    origin.from_cap = sqe->cap;
    spinlock_lock(&process->lock);
    cqe.cap[0] = cap_table_insert_reserved(&process->table, edge, &origin);
    cqe.cap[1] = cap_table_insert_reserved(&process->table, handle, NULL);
    spinlock_unlock(&process->lock);
    thread_post(thread, &cqe);
}

enum transport_error submission_delegate(struct cpu *cpu, struct thread *thread,
                                         const struct sqe *sqe, struct refusal *refusal)
{
    struct process *process = thread->process;
    struct hold_edge source;
    struct hold_edge edge;
    struct hold_edge handle;
    struct ledger_refusal ledger;
    enum transport_error error = edge_pin(process, sqe->cap, &source, refusal);

    (void)cpu;
    if (error != TRANSPORT_OK) {
        return error;
    }
    error = process_slots_reserve(process, 2, &ledger);
    if (error == TRANSPORT_LIMIT) {
        error = account_refuse(&ledger, refusal);
    }
    if (error == TRANSPORT_OK) {
        const struct delegation_plan plan = {
            .source = &source, .facet = sqe->facet, .account = process->account};

        error = delegation_make(&plan, &edge, &handle, refusal);
        if (error == TRANSPORT_OK) {
            delegated_insert(thread, sqe, &edge, &handle);
        } else {
            spinlock_lock(&process->lock);
            cap_table_unreserve(&process->table, 2);
            spinlock_unlock(&process->lock);
        }
    }
    edge_unpin(&source);
    return error;
}

enum transport_error submission_revoke(struct cpu *cpu, struct thread *thread,
                                       const struct sqe *sqe, struct refusal *refusal)
{
    struct hold_edge handle;
    enum transport_error error = edge_pin(thread->process, sqe->cap, &handle, refusal);

    (void)cpu;
    if (error != TRANSPORT_OK) {
        return error;
    }
    error = edge_permits_as(&handle, &delegation_type, CAPABILITY_DELEGATION_INTERFACE_ID,
                            CAPABILITY_DELEGATION_METHOD_REVOKE);
    if (error != TRANSPORT_OK) {
        refusal->argument = ARGUMENT_CAP;
        refusal->amount = sqe->cap.raw;
    } else {
        error = revocation_start(thread, sqe->user_data,
                                 CONTAINER_OF(handle.object, struct delegation, object), refusal);
    }
    edge_unpin(&handle);
    return error;
}
