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
#include "kernel/dispatch/lone.h"
#include "kernel/dispatch/quick.h"
#include "kernel/dispatch/quick_park.h"
#include "kernel/dispatch/submission.h"
#include "kernel/ipc/handoff_promise.h"
#include "kernel/irq_probe.h"
#include "kernel/sched/process.h"

enum {
    /* Work of one stretch, in bytes of message and result, which cost an instruction for 8; every
     * submission counts as DISPATCH_BASE more, for the some 900 instructions of a call, and each
     * descriptor beside it as DISPATCH_TRANSFER, for the 300 to check, count and carry it. */
    DISPATCH_WORK = 32 * 1024,
    DISPATCH_BASE = DISPATCH_WORK / LIMIT_DISPATCH_BATCH * 25 / 16,
    DISPATCH_QUICK = DISPATCH_WORK / LIMIT_DISPATCH_BATCH / 8,
    DISPATCH_TRANSFER = 640,
    TICK_BATCH = 8, /* submissions that a timer tick carries out */
};

enum drain {
    DRAIN_EMPTY,
    DRAIN_MORE, /* the stretch is over, submissions are left */
    DRAIN_CORRUPT,
    DRAIN_LEFT, /* the thread waits, or has been queued; *next runs now if it is not NULL */
};

/* Whether the next submission is a CALL without flags that keeps no answer, as far as one look
 * tells. */
static bool next_is_call(const struct thread *thread)
{
    const struct ring *ring = &thread->ring;
    const uint8_t *entry = ring_peek(ring, ring->sq_head);

    return (quick_word(entry, 0) & UINT16_MAX) == OPCODE_CALL &&
           quick_word(entry, offsetof(struct sqe, result_bytes)) <= UINT32_MAX;
}

/* One stretch. `next` is given if the thread waits without a time limit once all is drained, and
 * may leave the CPU here. */
static enum drain ring_drain(struct cpu *cpu, struct thread *thread, struct thread **next)
{
    uint32_t work =
        next_is_call(thread) ? quick_drain(thread, LIMIT_DISPATCH_BATCH) * DISPATCH_QUICK : 0;

    cpu->effects = 0;
    while (work + cpu->effects < DISPATCH_WORK) {
        struct sqe sqe;
        enum ring_take take;
        uint32_t left = ring_acceptable(&thread->ring);
        uint32_t head = thread->ring.sq_head;
        enum quick quick = left == 0 ? QUICK_NONE : quick_submission(cpu, thread, left, next);

        if (quick == QUICK_DONE) {
            work += (thread->ring.sq_head - head) * DISPATCH_BASE;
            continue;
        }
        if (quick != QUICK_NONE) {
            return DRAIN_LEFT;
        }
        take = ring_take(&thread->ring, &sqe);

        if (UNLIKELY(take == RING_TAKE_CORRUPT)) {
            return DRAIN_CORRUPT;
        }
        if (take != RING_TAKE_ENTRY && take != RING_TAKE_DOUBTFUL) {
            return DRAIN_EMPTY;
        }
        if (!submission_dispatch(cpu, thread, &sqe, take == RING_TAKE_ENTRY)) {
            return DRAIN_MORE;
        }
        work += DISPATCH_BASE + sqe.message_bytes + sqe.transfers * DISPATCH_TRANSFER +
                (sqe.result_bytes < DISPATCH_WORK ? sqe.result_bytes : DISPATCH_WORK);
    }
    return ring_has_submissions(&thread->ring) ? DRAIN_MORE : DRAIN_EMPTY;
}

/* Whether the system call is over, with its result; else the thread waits from now on. */
static bool enter_finish(struct thread *thread, int64_t *result)
{
    bool over = true;
    uint32_t count = ring_completions(&thread->ring);

    /* Completions only come while the thread itself is here: enough now is enough. */
    if (LIKELY(count >= thread->wait_for && !thread->ring.corrupt)) {
        *result = count;
        return true;
    }
    spinlock_lock(&thread->ring_lock);
    count = ring_completions(&thread->ring);
    *result = count;
    if (thread->ring.corrupt) {
        *result = TRANSPORT_RING_CORRUPT;
    } else if (count < thread->wait_for && !thread->timed_out) {
        if (UNLIKELY(thread->interrupted)) {
            thread->interrupted = false;
        } else {
            sched_thread_wait(thread);
            thread->wait_until = thread->ring.cq_head + thread->wait_for;
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
 * queued or waits. `next` as ring_drain's; it is NULL afterwards unless that thread runs now. */
static bool enter_stretch(struct cpu *cpu, struct thread *thread, int64_t *result,
                          struct thread **next)
{
    enum drain drain = DRAIN_EMPTY;

    if (ring_has_submissions(&thread->ring) || thread->ring.corrupt) {
        drain = ring_drain(cpu, thread, next);
    }
    if (drain == DRAIN_LEFT) {
        return false;
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

    if (!enter_stretch(cpu, thread, &result, NULL)) {
        return false;
    }
    arch_context_set_result(&thread->context, result);
    return true;
}

/* A corrupt ring is not looked at but here: its user may have repaired it. */
static void ring_look_again(struct thread *thread)
{
    spinlock_lock(&thread->ring_lock);
    (void)!ring_repair(&thread->ring);
    spinlock_unlock(&thread->ring_lock);
}

void dispatch_tick(struct cpu *cpu, struct thread *thread)
{
    struct sqe sqe;

    for (unsigned i = 0; i < TICK_BATCH && ring_take_at_tick(&thread->ring, &sqe); i++) {
        (void)submission_dispatch(cpu, thread, &sqe, true);
    }
}

/* A cap_enter that has nothing to drain and nothing to wait for: no lock, since only completions
 * can come meanwhile and nobody else moves the rest of a running thread's ring. */
static bool enter_is_empty(const struct cpu *cpu, const struct thread *thread)
{
    return !ring_has_submissions(&thread->ring) && !thread->ring.corrupt &&
           !sched_should_yield(cpu);
}

static NOINLINE int64_t enter_long(struct cpu *cpu, uint64_t min_complete, uint64_t timeout_ns)
{
    struct thread *thread = cpu->current;
    struct thread *next = NULL;
    bool waits = min_complete != 0 && timeout_ns == TIMEOUT_NONE;
    int64_t result;

    if (min_complete == 0 && enter_is_empty(cpu, thread)) {
        uint32_t count = ring_completions(&thread->ring);

        if (LIKELY(!thread->ring.corrupt)) {
            return count;
        }
    }
    if (UNLIKELY(thread->ring.corrupt)) {
        ring_look_again(thread);
    }
    if (min_complete > thread->ring.cq_entries) {
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
    if (!enter_stretch(cpu, thread, &result, waits ? &next : NULL)) {
        if (next != NULL) {
            sched_switch(cpu, next);
        }
        cpu_run(cpu);
    }
    return result;
}

/* Whether the next submission is a CALL without flags that keeps its answer, as far as one look
 * tells: the first of a chain, perhaps. */
static inline bool next_is_kept(const struct ring *ring)
{
    const uint8_t *entry = ring_peek(ring, ring->sq_head);

    return quick_word(entry, offsetof(struct sqe, result_bytes)) > UINT32_MAX &&
           (quick_word(entry, 0) & UINT16_MAX) == OPCODE_CALL;
}

/* Whether the submissions of the thread are done by one call of the short way, if all about them is
 * usual: one, an UNPARK and a PARK, or a chain; and all their completions are waited for. */
static inline bool enter_is_short(const struct ring *ring, uint64_t min_complete)
{
    return min_complete == 1 ? ring_is_single(ring)
           : min_complete == 2
               ? ring_acceptable(ring) == 2
               : min_complete != 0 && next_is_kept(ring) && ring_acceptable(ring) == min_complete;
}

/* Most entries are such: those that are usual are done by the short way. */
static int64_t syscall_cap_enter(struct cpu *cpu, uint64_t min_complete, uint64_t timeout_ns)
{
    struct thread *thread = cpu->current;
    struct thread *next;
    enum quick quick;
    uint32_t count;

    if (timeout_ns != TIMEOUT_NONE || !enter_is_short(&thread->ring, min_complete)) {
        return enter_long(cpu, min_complete, timeout_ns);
    }
    thread->wait_for = (uint32_t)min_complete;
    thread->timed_out = false;
    thread->deadline_ns = TIMEOUT_NONE;
    cpu->effects = 0;
    quick = min_complete == 2 ? quick_wake_and_wait(cpu, thread, &next)
                              : quick_submission(cpu, thread, (uint32_t)min_complete, &next);
    if (LIKELY(quick == QUICK_SWITCH)) {
        sched_switch(cpu, next);
    }
    if (quick == QUICK_WAIT) {
        cpu_run(cpu);
    }
    if (quick == QUICK_DONE && (min_complete <= 2 || !ring_has_submissions(&thread->ring)) &&
        !sched_should_yield(cpu) && !process_is_dying(thread->process)) {
        count = ring_completions(&thread->ring);
        if (LIKELY(count >= thread->wait_for && !thread->ring.corrupt)) {
            return count;
        }
    }
    return enter_long(cpu, min_complete, timeout_ns);
}

NOINLINE int64_t dispatch_enter(uint64_t min_complete, uint64_t timeout_ns, struct cpu *cpu)
{
    int64_t result = syscall_cap_enter(cpu, min_complete, timeout_ns);

    irq_probe_end();
    return result;
}

NOINLINE int64_t dispatch_link(struct cpu *cpu, struct thread *thread)
{
    struct ring *ring = &thread->ring;
    uint32_t count;

    if (LIKELY(ring_is_single(ring))) {
        cpu->effects = 0;
        if (UNLIKELY(!handoff_relay(cpu, thread, ring_peek(ring, ring->sq_head)))) {
            atomic_store_relaxed_u32(&thread->links, 0);
        } else if (LIKELY(!sched_should_yield(cpu) && !process_is_dying(thread->process))) {
            count = ring_completions(ring); /* 0: the user claims to have read it */
            if (LIKELY(count != 0)) {
                irq_probe_end();
                return count;
            }
        }
    }
    return dispatch_enter(1, TIMEOUT_NONE, cpu);
}

/* exit, and every number that is none. */
static NOINLINE int64_t syscall_other(uint64_t code, uint64_t scope, struct cpu *cpu,
                                      uint64_t number)
{
    struct thread *thread = cpu->current;

    if (number != SYSCALL_EXIT) {
        irq_probe_end();
        return TRANSPORT_NO_SYSCALL;
    }
    if (scope != EXIT_THREAD && scope != EXIT_PROCESS) {
        irq_probe_end();
        return TRANSPORT_BAD_ARGUMENT;
    }
    if (scope == EXIT_PROCESS) {
        process_kill(thread->process,
                     &(struct process_exit){.kind = EXIT_KIND_EXITED, .code = (int32_t)code});
    }
    thread_exit(cpu, thread, (int32_t)code);
}

int64_t kernel_syscall(uint64_t argument0, uint64_t argument1, struct cpu *cpu, uint64_t number)
{
    irq_probe_begin(IRQ_STRETCH_SYSCALL);
    if (number == SYSCALL_CAP_ENTER && argument1 == TIMEOUT_NONE && argument0 == 1) {
        struct thread *thread = cpu->current;

        return ring_is_alone(&thread->ring) ? lone_enter(thread) : lone_pass(thread);
    }
    return LIKELY(number == SYSCALL_CAP_ENTER) ? dispatch_enter(argument0, argument1, cpu)
                                               : syscall_other(argument0, argument1, cpu, number);
}
