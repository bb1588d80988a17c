/* SPDX-License-Identifier: MIT */
/*
 * Taking operations back: one by one for CANCEL, all of them for a thread that retires.
 *
 * An operation is at one place (an endpoint, a list of waiters, an answer, a job), and ends by
 * being taken off it under that place's lock. Whoever finds it still there completes or releases
 * it; whoever comes second finds it gone and does nothing. Only the owner's home CPU begins
 * operations, and it is the one that cancels them, so an operation that ended meanwhile is free and
 * not another.
 */
#include "kernel/ipc/answers.h"
#include "kernel/ipc/endpoint.h"
#include "kernel/ipc/park.h"
#include "kernel/ipc/wait.h"
#include "kernel/sched/process.h"

enum {
    /* Each is about 300 instructions, and may let a call of the largest message be delivered, about
     * 8,000 more: a step ends when so many bytes were. */
    CANCELLED_PER_STEP = 4,
    CANCELLED_BYTES = 8192,
};

static bool promised_cancel(struct operation *operation, bool completes)
{
    bool waited = answers_call_remove(operation->owner, operation);

    if (waited) {
        operation_end(operation, completes);
    }
    return waited;
}

/* The job stops if it can, or goes on with nobody to tell. It runs on this CPU. */
static bool job_cancel(struct operation *operation, bool completes)
{
    *operation->holder = NULL;
    operation_end(operation, completes);
    return true;
}

static bool cancel(struct operation *operation, bool completes)
{
    struct thread *thread = operation->owner;
    enum operation_kind kind;
    struct endpoint *endpoint;
    bool ended = false;

    spinlock_lock(&thread->ring_lock);
    kind = operation->kind;
    endpoint = operation->endpoint;
    if (endpoint != NULL) {
        object_ref(&endpoint->object);
    }
    spinlock_unlock(&thread->ring_lock);
    switch (kind) {
    case OPERATION_FREE:
        break;
    case OPERATION_CALL:
    case OPERATION_RECEIVE:
    case OPERATION_WATCH:
        ended = endpoint_operation_cancel(endpoint, operation, completes);
        break;
    case OPERATION_WAIT:
        ended = wait_cancel(operation, completes);
        break;
    case OPERATION_JOB:
        ended = job_cancel(operation, completes);
        break;
    case OPERATION_PARK:
        ended = park_cancel(operation, completes);
        break;
    case OPERATION_PROMISED:
        ended = promised_cancel(operation, completes);
        break;
    }
    if (endpoint != NULL) {
        object_unref(&endpoint->object);
    }
    return ended;
}

bool operation_cancel(struct operation *operation)
{
    return cancel(operation, true);
}

bool operations_cancel(struct thread *thread)
{
    struct cpu *cpu = arch_cpu_this();
    unsigned count = thread_operations(thread);
    unsigned ended = 0;

    cpu->effects = 0;
    while (cpu->effects < CANCELLED_BYTES && thread->cancelled < count &&
           ended < CANCELLED_PER_STEP) {
        ended += cancel(thread_operation(thread, thread->cancelled), false);
        thread->cancelled++;
    }
    return thread->cancelled == count;
}
