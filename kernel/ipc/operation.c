/* SPDX-License-Identifier: MIT */
/* Operations: taken and given back under the owner's ring lock. */
#include "kernel/ipc/operation.h"

#include "core/assert.h"
#include "kernel/ipc/answers.h"
#include "kernel/ipc/fault_call.h"
#include "kernel/ipc/operation_pool.h"
#include "kernel/object/grants.h"
#include "kernel/sched/process.h"

enum {
    CALLS_DRAWN = 3, /* at once, beside the one that a thread keeps */
};

/* Draws for `more` calls on the ledger of the thread's process, or as many as it has. */
static void calls_draw(struct thread *thread, uint32_t more)
{
    thread->calls_held +=
        (uint32_t)account_charge_most(thread->account, LEDGER_OUTSTANDING_CALLS, more);
}

/*
 * A thread draws for several calls at once, for CALLS_DRAWN or as many again as it has, or as many
 * as it is about to make, and gives back all but one when none of its calls is left: a thread that
 * calls and waits in turn does not touch the ledger, one that submits a chain does so once. Ring
 * lock held; true: there is room for one more.
 */
bool operation_calls_draw(struct thread *thread)
{
    uint32_t held = thread->calls_held;

    ASSERT(thread->calls_used == held);
    calls_draw(thread, held == 0 ? 1 : held < CALLS_DRAWN ? CALLS_DRAWN : held);
    return thread->calls_used < thread->calls_held;
}

void operation_calls_draw_for(struct thread *thread, uint32_t left)
{
    uint32_t wanted;

    spinlock_lock(&thread->ring_lock);
    wanted = thread->calls_used + left;
    if (thread->calls_held < wanted) {
        calls_draw(thread, wanted - thread->calls_held);
    }
    spinlock_unlock(&thread->ring_lock);
}

void operation_calls_give(struct thread *thread)
{
    uint32_t keeps;

    spinlock_lock(&thread->ring_lock);
    keeps = thread->calls_used == 0 ? 1 : 2 * thread->calls_used;
    if (thread->calls_held > keeps) {
        account_release(thread->account, LEDGER_OUTSTANDING_CALLS, thread->calls_held - keeps);
        thread->calls_held = keeps;
    }
    spinlock_unlock(&thread->ring_lock);
}

void operation_calls_rest(struct thread *thread)
{
    ASSERT(thread->calls_used == 0 && thread->calls_held > 1);
    account_release(thread->account, LEDGER_OUTSTANDING_CALLS, thread->calls_held - 1);
    thread->calls_held = 1;
}

static bool kind_is_call(enum operation_kind kind)
{
    return kind == OPERATION_CALL || kind == OPERATION_PROMISED || kind == OPERATION_WAIT ||
           kind == OPERATION_JOB;
}

enum transport_error operation_refuse(struct thread *thread, enum operation_kind kind,
                                      struct refusal *refusal)
{
    struct ledger_refusal ledger;

    if (!kind_is_call(kind) || thread->operations_used == LIMIT_OPERATIONS) {
        refusal->argument = ARGUMENT_NONE;
        refusal->limit = LIMIT_OPERATIONS;
        refusal->amount = LIMIT_OPERATIONS;
        return TRANSPORT_LIMIT;
    }
    ledger = account_refusal(thread->account, LEDGER_OUTSTANDING_CALLS, 1);
    return account_refuse(&ledger, refusal);
}

struct sqe operation_promise(const struct operation *operation)
{
    uint64_t arena = operation->owner->arena_address;

    ASSERT(operation->kind == OPERATION_PROMISED);
    if (!operation->located) {
        return operation->sqe;
    }
    return (struct sqe){
        .opcode = OPCODE_CALL,
        .flags = SQE_PROMISED,
        .method = (uint8_t)operation->method,
        .message_bytes = operation->message_bytes,
        .user_data = operation->user_data,
        .promise = operation->sqe.promise,
        .interface_id = operation->interface_id,
        .message = arena + operation->message_offset,
        .result = arena + operation->result_offset,
        .result_bytes = operation->result_bytes,
        .answer = operation->answer,
    };
}

struct operation *operation_take(struct thread *thread, enum operation_kind kind,
                                 uint64_t user_data)
{
    bool counted = kind_is_call(kind);
    struct operation *operation = NULL;

    spinlock_lock(&thread->ring_lock);
    if (kind == OPERATION_RECEIVE ? operation_may_receive(thread)
                                  : !counted || operation_may_call(thread)) {
        operation = operation_pop(thread, kind, counted);
    }
    if (operation != NULL) {
        operation->user_data = user_data;
    }
    spinlock_unlock(&thread->ring_lock);
    return operation;
}

enum transport_error operation_reserve(struct operation *operation, uint32_t slots,
                                       uint32_t transfers, struct refusal *refusal)
{
    struct thread *thread = operation->owner;
    enum transport_error error;

    ASSERT(operation->slots == 0);
    spinlock_lock(&thread->ring_lock);
    error = transfer_pool_take(&thread->transfers, transfers, &operation->bundle);
    if (error == TRANSPORT_OK && slots <= thread->slots_over) {
        thread->slots_over -= slots;
        operation->slots = slots;
    }
    spinlock_unlock(&thread->ring_lock);
    if (error != TRANSPORT_OK) {
        refusal->argument = ARGUMENT_TRANSFERS;
        refusal->limit = LIMIT_TRANSFERS_WAITING;
        refusal->amount = transfers;
        return error;
    }
    if (operation->slots != slots) {
        struct ledger_refusal ledger;

        error = process_slots_reserve(thread->process, slots, &ledger);
        if (error != TRANSPORT_OK) {
            spinlock_lock(&thread->ring_lock);
            transfer_pool_give(&thread->transfers, &operation->bundle);
            spinlock_unlock(&thread->ring_lock);
            refusal->argument = ARGUMENT_SLOT;
            refusal->amount = slots;
            return error == TRANSPORT_LIMIT ? account_refuse(&ledger, refusal) : error;
        }
        operation->slots = slots;
    }
    return TRANSPORT_OK;
}

void operations_unreserve(struct thread *thread)
{
    struct process *process = thread->process;

    spinlock_lock(&process->lock);
    spinlock_lock(&thread->ring_lock);
    cap_table_unreserve(&process->table, thread->slots_over);
    thread->slots_over = 0;
    spinlock_unlock(&thread->ring_lock);
    spinlock_unlock(&process->lock);
}

void operation_set_grant(struct operation *operation, struct grant_node *grant)
{
    ASSERT(operation->grant == NULL);
    grant_ref(grant);
    operation->grant = grant;
}

void operation_release_locked(struct operation *operation)
{
    struct thread *thread = operation->owner;

    ASSERT(operation->endpoint_record.place == ENDPOINT_NOWHERE);
    ASSERT(operation->promised.answer == NULL);
    operation->answer = 0;
    operation->waits_at = NULL;
    grant_unref(operation->grant, grant_node_free);
    operation->grant = NULL;
    if (operation->counted) {
        ASSERT(thread->calls_used > 0);
        operation_calls_over(thread, 1);
    }
    if (LIKELY(operation->posts_nothing == 0)) {
        operation_push(thread, operation, operation->kind);
    } else {
        operation->endpoint = NULL;
        operation->receiver = NULL;
        operation->kind = OPERATION_FREE;
    }
}

void operation_release(struct operation *operation)
{
    struct thread *thread = operation->owner;

    spinlock_lock(&thread->ring_lock);
    operation_release_locked(operation);
    spinlock_unlock(&thread->ring_lock);
}

void operation_end(struct operation *operation, bool completes)
{
    if (completes) {
        operation_complete(operation, TRANSPORT_CANCELLED, 0, NULL);
    } else {
        operation_release(operation);
    }
}

void operation_complete(struct operation *operation, int32_t result, uint32_t flags,
                        const struct refusal *refusal)
{
    struct thread *thread = operation->owner;
    struct cqe cqe = {.user_data = operation->user_data, .result = result, .flags = flags};
    uint32_t answer;

    if (refusal != NULL) {
        cqe.refusal = *refusal;
    }
    if (result < 0) {
        cqe.refusal.reason = (uint16_t)-result;
    }
    /* In one section: once it is over the owner may retire and be freed. */
    spinlock_lock(&thread->ring_lock);
    answer = operation->answer;
    operation_release_locked(operation);
    if (LIKELY(operation->posts_nothing == 0)) {
        answers_complete_locked(thread, answer, &cqe);
    } else {
        fault_call_complete(thread, &cqe);
    }
    spinlock_unlock(&thread->ring_lock);
}
