/* SPDX-License-Identifier: MIT */
/* Submissions on the caller's own capability table: RELEASE. */
#include "kernel/dispatch/submission.h"

enum transport_error submission_release(struct cpu *cpu, struct thread *thread,
                                        const struct sqe *sqe, struct refusal *refusal)
{
    struct process *process = thread->process;
    struct hold_edge edge;
    enum transport_error error;

    (void)cpu;
    spinlock_lock(&process->lock);
    error = cap_table_remove(&process->table, sqe->cap, &edge);
    spinlock_unlock(&process->lock);
    if (error == TRANSPORT_OK) {
        edge_drop(&edge);
        submission_post(thread, sqe, 0);
    } else {
        refusal->argument = ARGUMENT_CAP;
        refusal->amount = sqe->cap.raw;
    }
    return error;
}
