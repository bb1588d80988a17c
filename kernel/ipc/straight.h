/* SPDX-License-Identifier: MIT */
/*
 * Waiting and waking of the short ways that go straight from the thread that begins to wait to the
 * one it woke. Theory in handoff.c. For kernel/ipc alone.
 */
#ifndef KERNEL_IPC_STRAIGHT_H
#define KERNEL_IPC_STRAIGHT_H

#include "core/bits.h"
#include "core/endpoint.h"
#include "kernel/sched/process.h"

/* The current thread waits from now on for `wait_for` completions, one at least, without a time
 * limit; false: it has as many, or has no reason to wait, and goes on with its cap_enter. Its ring
 * is locked. */
static ALWAYS_INLINE bool wait_begin(struct thread *thread)
{
    struct ring *ring = &thread->ring;
    uint32_t head = ring_load_peer(&ring->header->cq_head);
    uint32_t have = ring->cq_tail - head;

    /* An impossible index, by which there were more than can be, is left to those who look at it
     * for its own sake. */
    if (UNLIKELY(
            (have != 0 && (have > ring->cq_tail - ring->cq_head || have >= thread->wait_for)) ||
            process_is_dying(thread->process) || thread->interrupted)) {
        return false;
    }
    atomic_store_relaxed_u32(&ring->cq_head, head);
    thread->wait_until = head + thread->wait_for;
    thread->waiting = true;
    thread->entering = true;
    return true;
}

/* Whether this CPU may go from `from` to `to`, where a budget or a loan may be in it or somebody is
 * ready. */
static NOINLINE UNUSED bool pair_may_switch(struct cpu *cpu, const struct thread *from,
                                            const struct thread *to, bool lends)
{
    struct sched_pair pair = sched_pair_look(cpu, from, to);
    uint32_t ready = cpu->run_queue.ready_mask;
    struct endpoint_switch facts = {
        .caller_waits = true,
        .receiver_waits = true,
        .same_cpu = true,
        .anyone_ready = true,
        .time_left_ns = SCHED_UNLIMITED,
    };

    if (cpu->reschedule || to->exiting || (!lends && pair.payer_changes)) {
        return false;
    }
    if (ready == 0) {
        return true;
    }
    facts.ready_priority = bit_highest(ready);
    facts.caller_priority = lends ? pair.from_priority : 0;
    facts.receiver_priority = pair.to_priority;
    return endpoint_may_switch(&facts);
}

/* may_switch where not everything is as usual; what `to` lent is over if so. */
static NOINLINE UNUSED bool may_switch_closely(struct cpu *cpu, const struct thread *from,
                                               struct thread *to, bool lends)
{
    bool may = pair_may_switch(cpu, from, to, lends);

    if (may && sched_lends(&to->share)) {
        sched_lent_back(to);
    }
    return may;
}

/* Whether this CPU goes from `from`, which waits, straight to `to`, which waited for what just
 * came, and runs at the priority of `from` too if that `lends`, and then at its cost (lend in
 * handoff_inside.h). The queue is read without its lock: who is queued by another CPU at this
 * moment sends an IPI, or is found when the CPU goes on at less (thread_switch). */
static ALWAYS_INLINE bool may_switch(struct cpu *cpu, const struct thread *from, struct thread *to,
                                     bool lends)
{
    if (UNLIKELY(to->task.cpu != cpu || to->deadline_ns != TIMEOUT_NONE ||
                 process_is_dying(to->process))) {
        return false;
    }
    /* All are mostly 0: one test. */
    return LIKELY((to->time.budget_ns | atomic_load_relaxed_word(&to->share.lender) |
                   atomic_load_relaxed_word(&to->share.borrower) | cpu->run_queue.ready_mask |
                   cpu->reschedule | (uintptr_t)cpu->payer | to->exiting) == 0) ||
           may_switch_closely(cpu, from, to, lends);
}

/* A completion was posted to `peer`: true if that ends its wait, it runs here and now, and `waits`
 * (the current thread does; NULL: it does not), which `lends` to it, may be left for it. Else it is
 * queued, if that ends its wait. Its ring is locked. */
static ALWAYS_INLINE bool wait_end(struct cpu *cpu, struct thread *peer, const struct thread *waits,
                                   bool lends)
{
    if (!peer->waiting || (int32_t)(peer->ring.cq_tail - peer->wait_until) < 0) {
        return false;
    }
    peer->waiting = false;
    if (UNLIKELY(waits == NULL || !may_switch(cpu, waits, peer, lends))) {
        sched_thread_ready(peer);
        return false;
    }
    return true;
}

#endif
