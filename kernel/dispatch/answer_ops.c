/* SPDX-License-Identifier: MIT */
/*
 * Submissions about answers and about other submissions: CALL as far as answers are concerned,
 * FINISH, CANCEL.
 *
 * A CALL that names an answer opens it first and ends it whatever comes: every refusal from then on
 * breaks the answer, so that calls promised from it are told BROKEN and not that the id is unknown.
 *
 * CANCEL. What is under way and can be taken back completes CANCELLED, exactly once: whoever takes
 * the operation off its place under that place's lock completes it. A completion that came first
 * makes CANCEL find nothing.
 */
#include "kernel/dispatch/submission.h"
#include "kernel/ipc/answers.h"
#include "kernel/ipc/endpoint.h"

enum {
    RELEASE_WORK = 512, /* of one edge that a FINISH releases, in bytes as dispatch.c counts */
};

/* Ends a CALL with an error; its answer, if it names one, is open. */
static void call_refuse_complete(struct thread *thread, const struct sqe *sqe,
                                 enum transport_error error, struct refusal *refusal)
{
    struct cqe cqe = {.user_data = sqe->user_data, .result = error};

    refusal->reason = (uint16_t)-error;
    cqe.refusal = *refusal;
    answers_complete(thread, sqe->answer, &cqe);
}

void submission_call_target(struct cpu *cpu, struct thread *thread, const struct sqe *sqe)
{
    struct refusal refusal = {.reason = 0};
    enum transport_error error = submission_call_edge(cpu, thread, sqe, &refusal);

    if (error != TRANSPORT_OK) {
        call_refuse_complete(thread, sqe, error, &refusal);
    }
}

void submission_call_broken(struct thread *thread, const struct sqe *sqe, enum answer_target target)
{
    struct refusal refusal = {
        .argument = target == ANSWER_TARGET_NO_PATH ? ARGUMENT_PATH : ARGUMENT_ANSWER,
        .amount = sqe->promise.answer,
    };

    call_refuse_complete(thread, sqe, TRANSPORT_BROKEN, &refusal);
}

/* A promised call may be sent when its caller is elsewhere: its buffers lie in the arena. */
static enum transport_error promised_buffers(const struct thread *thread, const struct sqe *sqe,
                                             struct refusal *refusal)
{
    uint64_t message_bytes = sqe->message_bytes + sqe->transfers * sizeof(struct transfer);
    uint32_t offset;

    if (message_bytes != 0 && !thread_arena_offset(thread, sqe->message, message_bytes, &offset)) {
        refusal->argument = ARGUMENT_MESSAGE;
        refusal->amount = sqe->message;
        return TRANSPORT_BAD_BUFFER;
    }
    if (sqe->result_bytes != 0 &&
        !thread_arena_offset(thread, sqe->result, sqe->result_bytes, &offset)) {
        refusal->argument = ARGUMENT_RESULT;
        refusal->amount = sqe->result;
        return TRANSPORT_BAD_BUFFER;
    }
    return TRANSPORT_OK;
}

/* Makes the call wait for its promise unless that is decided meanwhile. LIMIT: no operation. */
static enum transport_error promised_wait(struct thread *thread, const struct sqe *sqe,
                                          enum answer_target *target, struct cap_id *cap)
{
    struct operation *operation = operation_take(thread, OPERATION_PROMISED, sqe->user_data);

    if (operation == NULL) {
        return TRANSPORT_LIMIT;
    }
    operation->answer = sqe->answer;
    operation->sqe = *sqe;
    operation->located = false;
    *target = answers_target(thread, &sqe->promise, operation, cap);
    if (*target != ANSWER_TARGET_WAITS) {
        operation_release(operation);
    }
    return TRANSPORT_OK;
}

/* A promised CALL whose own answer is open: waits, goes to its target, or is refused. */
static enum transport_error call_promised(struct cpu *cpu, struct thread *thread,
                                          const struct sqe *sqe, enum answer_target target,
                                          struct cap_id cap, struct refusal *refusal)
{
    enum transport_error error = promised_buffers(thread, sqe, refusal);

    if (error == TRANSPORT_OK && target == ANSWER_TARGET_WAITS) {
        error = promised_wait(thread, sqe, &target, &cap);
        if (error != TRANSPORT_OK) {
            error = operation_refuse(thread, OPERATION_PROMISED, refusal);
        } else if (target == ANSWER_TARGET_WAITS) {
            return TRANSPORT_OK;
        }
    }
    if (error != TRANSPORT_OK) {
        return error;
    }
    if (target == ANSWER_TARGET_CAP) {
        struct sqe call = *sqe;

        call.cap = cap;
        submission_call_target(cpu, thread, &call);
    } else {
        submission_call_broken(thread, sqe, target);
    }
    return TRANSPORT_OK;
}

static enum transport_error answer_refuse(struct refusal *refusal, uint32_t id)
{
    refusal->argument = ARGUMENT_ANSWER;
    refusal->amount = id;
    return TRANSPORT_BAD_ANSWER;
}

enum transport_error submission_call(struct cpu *cpu, struct thread *thread, const struct sqe *sqe,
                                     struct refusal *refusal)
{
    bool promised = (sqe->flags & SQE_PROMISED) != 0;
    enum answer_target target = ANSWER_TARGET_CAP;
    enum transport_error error;
    struct cap_id cap = {.raw = 0};

    if (LIKELY(!promised && sqe->answer == 0)) {
        return submission_call_edge(cpu, thread, sqe, refusal);
    }
    /* Before the call's own answer is opened: a call cannot be promised from itself. */
    if (promised) {
        target = answers_target(thread, &sqe->promise, NULL, &cap);
    }
    if (sqe->answer != 0 && answers_open(thread, sqe->answer) != TRANSPORT_OK) {
        return answer_refuse(refusal, sqe->answer);
    }
    if (!promised) {
        submission_call_target(cpu, thread, sqe);
        return TRANSPORT_OK;
    }
    error = target == ANSWER_TARGET_UNKNOWN ? answer_refuse(refusal, sqe->promise.answer)
                                            : call_promised(cpu, thread, sqe, target, cap, refusal);
    if (error != TRANSPORT_OK) {
        call_refuse_complete(thread, sqe, error, refusal);
    }
    return TRANSPORT_OK;
}

enum transport_error submission_finish(struct cpu *cpu, struct thread *thread,
                                       const struct sqe *sqe, struct refusal *refusal)
{
    bool releases = (sqe->flags & SQE_RELEASE) != 0;
    uint32_t released = 0;

    if ((releases ? answers_finish_release(thread, sqe->answer, &released)
                  : answers_finish(thread, sqe->answer)) != TRANSPORT_OK) {
        return answer_refuse(refusal, sqe->answer);
    }
    cpu->effects += released * RELEASE_WORK;
    submission_post(thread, sqe, 0);
    return TRANSPORT_OK;
}

/* The oldest by place of the thread's operations with this user_data; NULL: none. Completions may
 * end it at any time; only this CPU begins others. */
static struct operation *operation_find(struct thread *thread, uint64_t user_data)
{
    struct operation *found = NULL;

    spinlock_lock(&thread->ring_lock);
    for (unsigned i = 0; i < LIMIT_OPERATIONS && found == NULL; i++) {
        struct operation *operation = thread_operation(thread, i);

        if (operation->kind != OPERATION_FREE && operation->user_data == user_data) {
            found = operation;
        }
    }
    spinlock_unlock(&thread->ring_lock);
    return found;
}

enum transport_error submission_cancel(struct cpu *cpu, struct thread *thread,
                                       const struct sqe *sqe, struct refusal *refusal)
{
    struct operation *operation = operation_find(thread, sqe->token);

    (void)cpu;
    if (operation == NULL || !operation_cancel(operation)) {
        refusal->argument = ARGUMENT_TOKEN;
        refusal->amount = sqe->token;
        return TRANSPORT_NOT_FOUND;
    }
    submission_post(thread, sqe, 0);
    return TRANSPORT_OK;
}
