/* SPDX-License-Identifier: MIT */
/*
 * The shortest way: a thread that has nothing under way submits one entry and waits for its one
 * completion, as most programs do most of the time.
 *
 * The ring is alone (ring_is_alone): as many submissions completed as accepted, every completion
 * consumed, one entry there. So nobody else posts to it; there is room for the completion; and once
 * it is posted the wait is over, with one completion. What that saves is the ring's lock and every
 * second look at an index.
 *
 * Otherwise this is the short way (quick.c), with its rule: an entry is carried out here only if
 * everything about it is as usual, and is untouched if not. Then, and for every other opcode, the
 * system call goes on as if it began now (dispatch_enter), or, if the thread was given a link of a
 * chain, with the answer to that (dispatch_link). A CALL of an endpoint has its edge looked up here
 * and goes on in kernel/ipc/handoff.c.
 *
 * Locks: the process's, for the edge. What can fail: nothing here.
 */
#include "kernel/dispatch/lone.h"

#include "kernel/dispatch/quick_call.h"
#include "kernel/ipc/handoff.h"

/* Accepts the CALL and completes it. The process's lock is held, and given back. */
static ALWAYS_INLINE int64_t call_complete(const uint8_t *entry, struct thread *thread,
                                           uint64_t numbers, const struct cap_id words[2])
{
    uint64_t user_data = quick_word(entry, offsetof(struct sqe, user_data));
    struct process *process = thread->process;
    uint32_t index = ring_accept_alone(&thread->ring);
    struct cqe *place;

    spinlock_unlock(&process->lock);
    place = lone_write(thread, index, user_data, numbers);
    place->cap[0] = words[0];
    place->cap[1] = words[1];
    return lone_show(process, thread);
}

/* Gives the process's lock back: the CALL is not usual. */
static NOINLINE int64_t call_leave(struct thread *thread)
{
    spinlock_unlock(&thread->process->lock);
    return lone_leave();
}

/* A CALL through an id that is no edge; the slot has moved on. */
static ALWAYS_INLINE int64_t call_refuse(const uint8_t *entry, struct thread *thread,
                                         struct cap_id cap)
{
    const uint64_t head = (uint64_t)-TRANSPORT_STALE_CAP | (uint64_t)ARGUMENT_CAP << 16;
    const struct cap_id words[2] = {{head}, cap};

    if (UNLIKELY(!quick_call_is_refusable(entry))) {
        return call_leave(thread);
    }
    return call_complete(entry, thread, (uint32_t)TRANSPORT_STALE_CAP, words);
}
_Static_assert(offsetof(struct cqe, refusal.reason) == offsetof(struct cqe, cap) &&
                   offsetof(struct cqe, refusal.argument) == offsetof(struct cqe, cap) + 2 &&
                   offsetof(struct cqe, refusal.amount) == offsetof(struct cqe, cap[1]),
               "the refusal as two words");

/* The CALL of an endpoint through `edge`. The process's lock is held, and given back. */
static NOINLINE int64_t call_endpoint(const uint8_t *entry, struct thread *thread,
                                      const struct hold_edge *edge)
{
    struct cpu *cpu = arch_cpu_this();
    struct thread *next;
    enum quick quick;

    thread->wait_for = 1;
    thread->timed_out = false;
    thread->deadline_ns = TIMEOUT_NONE;
    cpu->effects = 0;
    ring_consumed_alone(&thread->ring);
    quick = handoff_call(cpu, thread, entry, edge, 1, &next);
    if (LIKELY(quick == QUICK_SWITCH)) {
        sched_switch(cpu, next);
    }
    if (quick == QUICK_WAIT) {
        cpu_run(cpu);
    }
    return lone_leave();
}

int64_t lone_call(const uint8_t *entry, struct thread *thread)
{
    struct cap_id cap = {quick_word(entry, offsetof(struct sqe, cap))};
    struct process *process = thread->process;
    const struct cap_id nothing[2] = {{0}, {0}};
    const struct cap_slot *slot;
    uint64_t *answer;

    spinlock_lock(&process->lock);
    slot = cap_table_slot(&process->table, cap);
    if (UNLIKELY(!cap_slot_is_plain(slot, cap))) {
        return cap_slot_is_past(slot, cap) ? call_refuse(entry, thread, cap) : call_leave(thread);
    }
    if (((const struct object *)slot->edge.object)->type->quick == 0) {
        return call_endpoint(entry, thread, &slot->edge);
    }
    if (UNLIKELY(!quick_call_read(thread, entry, &slot->edge, &answer))) {
        return call_leave(thread);
    }
    *answer = QUICK_ANSWER;
    return call_complete(entry, thread, QUICK_ANSWER_BYTES, nothing);
}
