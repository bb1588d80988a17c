/* SPDX-License-Identifier: MIT */
/*
 * Dispatch: the two system calls.
 *
 * cap_enter works in the context of the thread that called it, on its home CPU. It drains the
 * thread's submission queue, in bounded stretches: after LIMIT_DISPATCH_BATCH entries or
 * DISPATCH_WORK it gives way (the thread is queued with `entering` set and interrupts
 * come in) and goes on when it is picked again. Then it returns or waits.
 *
 * Every submission taken posts exactly one completion: here, or by the operation it became.
 *
 * Invariants:
 *  1. `entering` is set exactly while a thread that is not running has a cap_enter to go on with.
 *  2. A thread waits only with its completion count below wait_for, both looked at under its ring
 *     lock, under which every completion is posted: no wake-up is lost.
 *
 * Locks: none across submissions. What can fail: everything a submission names; each failure is a
 * completion with its refusal.
 */
#include "kernel/dispatch/dispatch.h"

#include "abi/syscall.h"
#include "core/assert.h"
#include "core/string.h"
#include "kernel/dispatch/call.h"
#include "kernel/ipc/endpoint.h"
#include "kernel/irq_probe.h"
#include "kernel/sched/process.h"

enum {
    /* Work of one stretch, in bytes of message and result, which cost an instruction for 8; every
     * submission counts as DISPATCH_BASE more, for the some 600 instructions of a call. */
    DISPATCH_WORK = 32 * 1024,
    DISPATCH_BASE = 1024,
};

static void post(struct thread *thread, const struct sqe *sqe, int32_t result,
                 const struct refusal *refusal)
{
    struct cqe cqe = {.user_data = sqe->user_data, .result = result};

    if (refusal != NULL) {
        cqe.refusal = *refusal;
    }
    thread_post(thread, &cqe);
}

/* The edge that `id` names, copied and pinned (object_unref it): BAD_CAP and the like. */
static enum transport_error edge_pin(struct process *process, struct cap_id id,
                                     struct hold_edge *pinned)
{
    const struct hold_edge *edge;
    enum transport_error error;

    spinlock_lock(&process->lock);
    error = cap_table_lookup(&process->table, id, &edge);
    if (error == TRANSPORT_OK) {
        *pinned = *edge;
        object_ref(pinned->object);
    }
    spinlock_unlock(&process->lock);
    return error;
}

static enum transport_error dispatch_release(struct thread *thread, const struct sqe *sqe,
                                             struct refusal *refusal)
{
    struct process *process = thread->process;
    struct hold_edge edge;
    enum transport_error error;

    spinlock_lock(&process->lock);
    error = cap_table_remove(&process->table, sqe->cap, &edge);
    spinlock_unlock(&process->lock);
    if (error == TRANSPORT_OK) {
        edge_drop(&edge);
        post(thread, sqe, 0, NULL);
    } else {
        refusal->argument = ARGUMENT_CAP;
    }
    return error;
}

/* CALL: on an endpoint it queues, on any other object it runs now. */
static enum transport_error dispatch_call(struct cpu *cpu, struct thread *thread,
                                          const struct sqe *sqe, struct refusal *refusal)
{
    struct hold_edge edge;
    enum transport_error error = edge_pin(thread->process, sqe->cap, &edge);
    struct object *object;

    refusal->argument = ARGUMENT_CAP;
    if (error != TRANSPORT_OK) {
        return error;
    }
    object = edge.object;
    error = hold_edge_permits(&edge, sqe->interface_id, sqe->method);
    if (error != TRANSPORT_OK) {
        refusal->argument =
            error == TRANSPORT_WRONG_INTERFACE ? ARGUMENT_INTERFACE : ARGUMENT_METHOD;
    } else if (object->type == &endpoint_type && edge.interface_id != ENDPOINT_INTERFACE_ID) {
        memset(refusal, 0, sizeof(*refusal));
        error = endpoint_call(thread, &edge, sqe, refusal);
    } else {
        error = call_kernel_object(cpu, thread, sqe, &edge, refusal);
    }
    object_unref(object);
    return error;
}

/* RECV, RETURN and RETURN_RECV on an owner's edge. */
static enum transport_error dispatch_endpoint(struct thread *thread, const struct sqe *sqe,
                                              struct refusal *refusal)
{
    bool answers = sqe->opcode != OPCODE_RECV;
    bool receives = sqe->opcode != OPCODE_RETURN;
    struct hold_edge edge;
    enum transport_error error = edge_pin(thread->process, sqe->cap, &edge);

    refusal->argument = ARGUMENT_CAP;
    if (error != TRANSPORT_OK) {
        return error;
    }
    if (receives) {
        error = hold_edge_permits(&edge, ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_RECEIVE);
    }
    if (error == TRANSPORT_OK && answers) {
        error = hold_edge_permits(&edge, ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_ANSWER);
    }
    if (error == TRANSPORT_OK) {
        memset(refusal, 0, sizeof(*refusal));
        if (answers) {
            error = endpoint_return(thread, &edge, sqe, refusal);
        }
        if (error == TRANSPORT_OK && receives) {
            error = endpoint_receive(thread, &edge, sqe, refusal);
        } else if (error == TRANSPORT_OK) {
            post(thread, sqe, 0, NULL);
        }
    }
    object_unref(edge.object);
    return error;
}

static void dispatch_one(struct cpu *cpu, struct thread *thread, const struct sqe *sqe)
{
    struct refusal refusal;
    enum transport_error error = sqe_wire_validation_error(sqe, &refusal);

    if (error == TRANSPORT_OK) {
        switch ((enum opcode)sqe->opcode) {
        case OPCODE_NOP:
            post(thread, sqe, 0, NULL);
            break;
        case OPCODE_CALL:
            error = dispatch_call(cpu, thread, sqe, &refusal);
            break;
        case OPCODE_RECV:
        case OPCODE_RETURN:
        case OPCODE_RETURN_RECV:
            error = dispatch_endpoint(thread, sqe, &refusal);
            break;
        case OPCODE_RELEASE:
            error = dispatch_release(thread, sqe, &refusal);
            break;
        default:
            ASSERT(false);
        }
    } else {
        thread->ring.invalid++;
    }
    if (error != TRANSPORT_OK) {
        refusal.reason = (uint16_t)-error;
        post(thread, sqe, error, &refusal);
    }
}

enum drain {
    DRAIN_EMPTY,
    DRAIN_MORE, /* the stretch is over, submissions are left */
    DRAIN_CORRUPT,
};

static enum drain ring_drain(struct cpu *cpu, struct thread *thread)
{
    uint32_t work = 0;

    for (unsigned i = 0; i < LIMIT_DISPATCH_BATCH && work < DISPATCH_WORK; i++) {
        enum ring_take take;
        struct sqe sqe;

        spinlock_lock(&thread->ring_lock);
        take = ring_take(&thread->ring, &sqe);
        spinlock_unlock(&thread->ring_lock);
        if (take == RING_TAKE_CORRUPT) {
            return DRAIN_CORRUPT;
        }
        if (take != RING_TAKE_ENTRY) {
            return DRAIN_EMPTY;
        }
        dispatch_one(cpu, thread, &sqe);
        work += DISPATCH_BASE + sqe.message_bytes +
                (sqe.result_bytes < DISPATCH_WORK ? sqe.result_bytes : DISPATCH_WORK);
    }
    return DRAIN_MORE;
}

/* Whether the system call is over, with its result; else the thread waits from now on. */
static bool enter_finish(struct thread *thread, int64_t *result)
{
    bool over = true;
    uint32_t count;

    spinlock_lock(&thread->ring_lock);
    count = ring_completions(&thread->ring);
    *result = count;
    if (thread->ring.corrupt) {
        *result = TRANSPORT_RING_CORRUPT;
    } else if (count < thread->wait_for && !thread->timed_out) {
        if (!sched_thread_wait(thread)) {
            *result = TRANSPORT_LIMIT;
        } else {
            thread->waiting = true;
            thread->entering = true;
            over = false;
        }
    }
    spinlock_unlock(&thread->ring_lock);
    if (!over && process_is_dying(thread->process)) {
        thread_wake(thread, false); /* the kill may have looked before the thread waited */
    }
    return over;
}

/* One stretch of the cap_enter of the current thread. false: it is not over, and the thread was
 * queued or waits. */
static bool enter_stretch(struct cpu *cpu, struct thread *thread, int64_t *result)
{
    enum drain drain = DRAIN_EMPTY;

    if (ring_has_submissions(&thread->ring) || thread->ring.corrupt) {
        drain = ring_drain(cpu, thread);
    }
    *result = TRANSPORT_RING_CORRUPT;
    thread->entering = drain == DRAIN_MORE || sched_should_yield(cpu);
    if (thread->entering || process_is_dying(thread->process)) {
        sched_requeue(cpu, thread);
        return false;
    }
    return drain != DRAIN_EMPTY || enter_finish(thread, result);
}

bool dispatch_continue(struct cpu *cpu, struct thread *thread)
{
    int64_t result;

    if (!enter_stretch(cpu, thread, &result)) {
        return false;
    }
    arch_context_set_result(&thread->context, result);
    return true;
}

/* A cap_enter that has nothing to drain and nothing to wait for: no lock, since only completions
 * can come meanwhile and nobody else moves the rest of a running thread's ring. */
static bool enter_is_empty(const struct cpu *cpu, const struct thread *thread)
{
    return !ring_has_submissions(&thread->ring) && !thread->ring.corrupt &&
           !sched_should_yield(cpu);
}

static int64_t syscall_cap_enter(struct cpu *cpu, uint64_t min_complete, uint64_t timeout_ns)
{
    struct thread *thread = cpu->current;
    int64_t result;

    if (min_complete == 0 && enter_is_empty(cpu, thread)) {
        uint32_t count = ring_completions(&thread->ring);

        if (LIKELY(!thread->ring.corrupt)) {
            return count;
        }
    }
    if (min_complete > LIMIT_CQ_ENTRIES) {
        return TRANSPORT_BAD_ARGUMENT;
    }
    thread->wait_for = (uint32_t)min_complete;
    thread->timed_out = timeout_ns == 0;
    thread->deadline_ns = TIMEOUT_NONE;
    if (min_complete != 0 && timeout_ns != 0 && timeout_ns != TIMEOUT_NONE) {
        uint64_t now_ns = arch_clock_ns();

        thread->deadline_ns =
            timeout_ns > TIMEOUT_NONE - now_ns ? TIMEOUT_NONE : now_ns + timeout_ns;
    }
    if (!enter_stretch(cpu, thread, &result)) {
        cpu_run(cpu);
    }
    return result;
}

static int64_t syscall_exit(struct cpu *cpu, uint64_t code, uint64_t scope)
{
    struct thread *thread = cpu->current;

    if (scope != EXIT_THREAD && scope != EXIT_PROCESS) {
        return TRANSPORT_BAD_ARGUMENT;
    }
    if (scope == EXIT_PROCESS) {
        process_kill(thread->process,
                     &(struct process_exit){.kind = EXIT_KIND_EXITED, .code = (int32_t)code});
    }
    thread_exit(cpu, thread, (int32_t)code);
}

int64_t kernel_syscall(struct cpu *cpu, uint64_t number, uint64_t argument0, uint64_t argument1)
{
    int64_t result = TRANSPORT_NO_SYSCALL;

    irq_probe_begin(IRQ_STRETCH_SYSCALL);
    if (number == SYSCALL_CAP_ENTER) {
        result = syscall_cap_enter(cpu, argument0, argument1);
    } else if (number == SYSCALL_EXIT) {
        result = syscall_exit(cpu, argument0, argument1);
    }
    irq_probe_end();
    return result;
}
