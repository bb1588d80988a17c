/* SPDX-License-Identifier: MIT */
/*
 * The scheduler's invariants, looked at: of a CPU and of a thread. Their numbers are those of
 * sched.c's head, which says what each means. The kernel itself never calls these; fuzzers and the
 * simulator do.
 */
#include "kernel/sched/task.h"

#include "kernel/ipc/operation.h"
#include "kernel/sched/thread.h"

/* Invariant 3; the queue's own invariants hold. */
static bool queue_is_at_home(const struct cpu *cpu)
{
    for (unsigned priority = 0; priority < RUN_PRIORITIES; priority++) {
        const struct list *list = &cpu->run_queue.ready[priority];

        for (struct list_node *node = list_first(list); node != NULL;
             node = list_next(list, node)) {
            const struct run_node *queued = CONTAINER_OF(node, struct run_node, link);

            if (CONTAINER_OF(queued, const struct task, node)->cpu != cpu) {
                return false;
            }
        }
    }
    return true;
}

unsigned sched_check(struct cpu *cpu)
{
    unsigned broken = 0;

    spinlock_lock(&cpu->run_lock);
    if (run_queue_check(&cpu->run_queue) != 0) {
        broken = 1;
    } else if (deadline_heap_check(&cpu->timers) != 0) {
        broken = 2;
    } else if (!queue_is_at_home(cpu)) {
        broken = 3;
    } else if (cpu->current != NULL && cpu->current->task.node.queued) {
        broken = 4;
    }
    spinlock_unlock(&cpu->run_lock);
    return broken;
}

/* Whether the thread lends to nobody, or to one that has taken a call of it. */
static bool loan_has_call(const struct thread *thread)
{
    const struct list *received;
    struct list_node *node;

    if (thread->share.borrower == NULL) {
        return true;
    }
    received = &CONTAINER_OF(thread->share.borrower, struct thread, share)->received;
    for (node = list_first(received); node != NULL; node = list_next(received, node)) {
        if (CONTAINER_OF(node, struct operation, received_node)->owner == thread) {
            return true;
        }
    }
    return false;
}

unsigned sched_thread_check(const struct thread *thread, bool at_rest)
{
    const struct cpu *home = thread->task.cpu;
    unsigned states = (thread->task.node.queued ? 1U : 0U) + (thread->waiting ? 1U : 0U) +
                      (deadline_node_is_queued(&thread->time_timer.node) ? 1U : 0U) +
                      (thread->fault_state != FAULT_NONE ? 1U : 0U);

    for (unsigned i = 0; i < LIMIT_CPUS; i++) {
        if (cpus[i] != NULL && cpus[i] != home && cpus[i]->current == thread) {
            return 5;
        }
    }
    if (states > 1 || (at_rest && (states == 1) == (home->current == thread))) {
        return 6;
    }
    if (sched_context_check(&thread->time) != 0 || sched_share_check(&thread->share) != 0) {
        return 7;
    }
    if (thread->task.node.queued && sched_lends(&thread->share)) {
        return 8;
    }
    return at_rest && !loan_has_call(thread) ? 9 : 0;
}
