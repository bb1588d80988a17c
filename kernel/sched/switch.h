/* SPDX-License-Identifier: MIT */
/*
 * From one thread to another on this CPU, inline: for sched.c and the short ways of kernel/ipc
 * alone, whose length is mostly this. Theory in sched.c and kernel/ipc/handoff.c.
 */
#ifndef KERNEL_SCHED_SWITCH_H
#define KERNEL_SCHED_SWITCH_H

#include "kernel/irq_probe.h"
#include "kernel/mem/vspace_change.h"
#include "kernel/sched/process.h"
#include "kernel/sched/urgency.h"

/* The thread is the current one of this CPU, which has the space `left` active (NULL: none). */
static ALWAYS_INLINE void thread_load(struct cpu *cpu, struct thread *thread, struct vspace *left)
{
    struct vspace *vspace = &thread->process->vspace;

    cpu->current = thread;
    cpu->context = &thread->context;
    if (left != vspace) {
        vspace_change(cpu, left, vspace);
    }
    arch_context_load(&thread->context);
    irq_probe_arrive(vspace);
}

/* The kernel's work for the current thread is done. */
NORETURN static ALWAYS_INLINE void thread_leave_to(struct thread *thread)
{
    lock_check_none_held();
    irq_probe_end();
    arch_context_resume(&thread->context);
}

/* The current thread's CPU goes on with `to` at another priority, on a loan, or although somebody
 * became ready. Returns if nobody in its queue is more urgent (urgency.h); else `to` is before its
 * equals there and they run. */
void sched_switch_down(struct cpu *cpu, struct thread *to);

/* The current thread, loaded before, goes on with its cap_enter, or something else runs here. */
NORETURN void sched_go_on(struct cpu *cpu, struct thread *thread);

/* sched_switch from the current thread, `from`. */
NORETURN static ALWAYS_INLINE void thread_switch(struct cpu *cpu, struct thread *from,
                                                 struct thread *to)
{
    const struct ring *ring = &to->ring;

    ASSERT_AGAIN(to->entering && !to->task.node.queued && cpu->vspace == &from->process->vspace);
    if (UNLIKELY(sched_borrows(&to->share) ||
                 (sched_own_priority(&to->share) != cpu->running_priority &&
                  !cpu_rises_to(cpu, sched_own_priority(&to->share))))) {
        sched_switch_down(cpu, to);
    }
    irq_probe_leave();
    arch_context_save(&from->context);
    thread_load(cpu, to, &from->process->vspace);
    /* The completion that ended its wait was the last that it asked for, and nothing is left to
     * drain: so its cap_enter is over. What another CPU posts meanwhile may not be shown yet. */
    if (LIKELY(!ring_has_submissions(ring) && !ring->corrupt)) {
        to->entering = false;
        arch_context_set_result(&to->context, to->wait_for);
        thread_leave_to(to);
    }
    sched_go_on(cpu, to);
}

#endif
