/* SPDX-License-Identifier: MIT */
/* The table of opcodes, the wire check before it, and what the handlers share. */
#include "kernel/dispatch/submission.h"

#include "kernel/log.h"

static enum transport_error submission_nop(struct cpu *cpu, struct thread *thread,
                                           const struct sqe *sqe, struct refusal *refusal)
{
    (void)cpu;
    (void)refusal;
    submission_post(thread, sqe, 0);
    return TRANSPORT_OK;
}

/* NULL: an opcode of the ABI that this kernel does not offer, refused as an unknown one is. */
static submission_handler *const handler[OPCODE_COUNT] = {
    [OPCODE_NOP] = submission_nop,
    [OPCODE_CALL] = submission_call,
    [OPCODE_RECV] = submission_receive,
    [OPCODE_RETURN] = submission_return,
    [OPCODE_RETURN_RECV] = submission_return_receive,
    [OPCODE_RELEASE] = submission_release,
    [OPCODE_PARK] = submission_park,
    [OPCODE_UNPARK] = submission_unpark,
    [OPCODE_FINISH] = submission_finish,
    [OPCODE_CANCEL] = submission_cancel,
    [OPCODE_WATCH] = submission_watch,
    [OPCODE_DUP] = submission_duplicate,
    [OPCODE_TRANSFER] = submission_transfer,
    [OPCODE_DELEGATE] = submission_delegate,
    [OPCODE_REVOKE] = submission_revoke,
    [OPCODE_TOKEN] = submission_token,
};

static void post_refusal(struct thread *thread, const struct sqe *sqe, enum transport_error error,
                         struct refusal *refusal)
{
    struct cqe cqe = {.user_data = sqe->user_data, .result = error};

    refusal->reason = (uint16_t)-error;
    cqe.refusal = *refusal;
    thread_post(thread, &cqe);
}

/* Counts an invalid submission; whether the thread may go on with its turn. */
static bool offence_forgiven(struct thread *thread)
{
    struct offence_verdict verdict = offence_note(&thread->offences, arch_clock_ns());

    if (verdict.report != 0) {
        log_line(LOG_WARNING, "%s: thread %llu: %llu invalid submissions", thread->process->name,
                 (unsigned long long)thread->id, (unsigned long long)verdict.report);
    }
    return !verdict.throttled;
}

bool submission_dispatch(struct cpu *cpu, struct thread *thread, const struct sqe *sqe, bool valid)
{
    struct refusal refusal = {0};
    enum transport_error error = valid ? TRANSPORT_OK : sqe_wire_validation_error(sqe, &refusal);
    bool forgiven = true;

    if (error != TRANSPORT_OK) {
        forgiven = offence_forgiven(thread);
    } else if (handler[sqe->opcode] == NULL) {
        refusal.argument = ARGUMENT_OPCODE;
        refusal.amount = sqe->opcode;
        error = TRANSPORT_BAD_OPCODE;
    } else {
        error = handler[sqe->opcode](cpu, thread, sqe, &refusal);
    }
    if (error != TRANSPORT_OK) {
        post_refusal(thread, sqe, error, &refusal);
    }
    return forgiven;
}

void submission_post(struct thread *thread, const struct sqe *sqe, int32_t result)
{
    thread_post(thread, &(struct cqe){.user_data = sqe->user_data, .result = result});
}

enum transport_error edge_pin(struct process *process, struct cap_id id, struct hold_edge *pinned,
                              struct refusal *refusal)
{
    const struct hold_edge *edge;
    enum transport_error error;

    spinlock_lock(&process->lock);
    error = cap_table_lookup(&process->table, id, &edge);
    if (error == TRANSPORT_OK) {
        *pinned = *edge;
        edge_ref(pinned);
    } else {
        refusal->argument = ARGUMENT_CAP;
        refusal->amount = id.raw;
    }
    spinlock_unlock(&process->lock);
    return error;
}
