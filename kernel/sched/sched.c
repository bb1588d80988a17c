/* SPDX-License-Identifier: MIT */
/*
 * Scheduler: fixed priorities, round robin among equals, one run queue for each CPU.
 *
 * A task has a home CPU and runs there only, so no task is ever on two CPUs: whoever wakes it puts
 * it into its home's queue and, from another CPU, sends an IPI. A CPU that looks at its queue and
 * finds it empty sets `idle` under the same lock, so the waker either sees the task taken or sends
 * the IPI that ends the CPU's idling.
 *
 * Time is charged to cpu->payer, whose budget the current thread began on. What is run on no budget
 * is only counted, where the clock is read anyway (time_count): for who runs then, or who has just
 * left the CPU; so threads that switch directly have each other's time in theirs, in parts of a
 * quantum. A direct switch leaves the payer as it is (sched_payer_changes). When a loan ends under
 * a thread that runs on it, the CPU looks soon (cpu->reschedule here, an interrupt there), charges
 * whom it began on, and picks anew: it runs at less from then on, and at another's cost. Loans lie
 * between threads of one CPU and any CPU may end one, so whoever walks along them holds that CPU's
 * run_lock.
 *
 * Invariants (sched_check.c):
 *  1. The run queue's own (core/run_queue).
 *  2. The timer heap's own (core/deadline_heap).
 *  3. A queued task's home is this CPU.
 *  4. The current thread is not queued, from its being picked until it gives way.
 * Of each thread that was started and has not ended:
 *  5. It is current on its home CPU or on none.
 *  6. At most one of these is so: it is queued; it waits in cap_enter; it waits for its next
 *     budget; it is stopped by a fault. At rest, when no CPU is in the middle of anything: exactly
 *     one, or it is current.
 *  7. Its own time and its loans hold (core/sched_context.c): no time comes from nothing.
 *  8. A thread that is queued, or is picked (task_begin), lends to nobody.
 *  9. At rest: whom a thread lends to has taken a call of it that is not answered.
 *
 * Locks: the CPU's run_lock alone, taken below ring locks. What can fail: nothing. A timer lies in
 * the thread or the operation that it is for, which its process has paid for, so there is room for
 * each.
 */
#include "kernel/sched/task.h"

#include "abi/atomic.h"
#include "core/assert.h"
#include "kernel/dispatch/dispatch.h"
#include "kernel/irq_probe.h"
#include "kernel/sched/process.h"
#include "kernel/sched/switch.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/urgency.h"

enum {
    TIMERS_PER_INTERRUPT = 16,
};

uint64_t sched_quantum_ns = QUANTUM_NS;

static uint64_t next_placement; /* atomic */

static struct task *task_of(struct run_node *node)
{
    return CONTAINER_OF(node, struct task, node);
}

void sched_cpu_init(struct cpu *cpu)
{
    spinlock_init(&cpu->run_lock, LOCK_RANK_RUN_QUEUE, cpu->index);
    run_queue_init(&cpu->run_queue);
    deadline_heap_init(&cpu->timers);
    cpu->timer_armed_ns = UINT64_MAX;
}

uint64_t sched_cpus(void)
{
    return cpu_count == LIMIT_CPUS ? UINT64_MAX : (UINT64_C(1) << cpu_count) - 1;
}

struct cpu *sched_place(uint64_t cpu_mask)
{
    uint64_t turn = atomic_add_u64(&next_placement, 1) - 1;

    ASSERT((cpu_mask & sched_cpus()) != 0);
    while ((cpu_mask >> turn % cpu_count & 1) == 0) {
        turn++;
    }
    return cpus[turn % cpu_count];
}

/* What a task runs at: a thread's own priority or a greater one that it was lent. run_lock held. */
static unsigned task_priority(const struct task *task)
{
    return task->kind == TASK_THREAD
               ? sched_share_priority(&CONTAINER_OF(task, struct thread, task)->share)
               : task->priority;
}

/* Queues `task` at home; whether that CPU must be told. run_lock held. */
static bool task_queue(struct cpu *cpu, struct task *task)
{
    unsigned priority = task_priority(task);

    run_queue_push_back(&cpu->run_queue, &task->node, priority);
    if (!cpu_is_outranked(cpu, priority)) {
        return false;
    }
    if (cpu == arch_cpu_this()) {
        cpu->reschedule = true;
    }
    return true;
}

void task_start(struct task *task)
{
    struct cpu *cpu = task->cpu;
    bool notify;

    spinlock_lock(&cpu->run_lock);
    notify = task_queue(cpu, task);
    spinlock_unlock(&cpu->run_lock);
    if (notify) {
        cpu_notify(cpu, IPI_RESCHEDULE);
    }
}

/* On whose budget the thread runs when it runs; NULL: on none. run_lock held. */
static struct sched_context *thread_payer(const struct thread *thread)
{
    return sched_limited(sched_payer(&thread->share));
}

/* Whether the current thread of this CPU is another than who would run now, because a loan has
 * ended: it runs at what is its own, and perhaps at another's cost. run_lock held. */
static bool current_is_over(struct cpu *cpu)
{
    const struct thread *current = cpu->current;

    if (current == NULL) {
        return false;
    }
    return cpu_runs_at(cpu, task_priority(&current->task)) || thread_payer(current) != cpu->payer;
}

/* What the thread lent is over; whether its CPU must be told, which looks then at who runs there
 * (sched_interrupt). run_lock held. */
static bool loan_over(struct cpu *cpu, struct thread *thread)
{
    if (thread->share.borrower == NULL) {
        return false;
    }
    sched_loan_end(&thread->share);
    if (cpu != arch_cpu_this()) {
        return true;
    }
    if (current_is_over(cpu)) {
        cpu->reschedule = true;
    }
    return false;
}

void sched_thread_ready(struct thread *thread)
{
    struct cpu *cpu = thread->task.cpu;
    bool notify;

    spinlock_lock(&cpu->run_lock);
    if (deadline_node_is_queued(&thread->timer.node)) {
        deadline_heap_remove(&cpu->timers, &thread->timer.node);
    }
    notify = loan_over(cpu, thread);
    notify |= task_queue(cpu, &thread->task);
    spinlock_unlock(&cpu->run_lock);
    if (notify) {
        cpu_notify(cpu, IPI_RESCHEDULE);
    }
}

void timer_start(struct cpu *cpu, struct timer *timer, uint64_t deadline_ns)
{
    ASSERT(cpu == arch_cpu_this());
    spinlock_lock(&cpu->run_lock);
    deadline_heap_insert(&cpu->timers, &timer->node, deadline_ns);
    spinlock_unlock(&cpu->run_lock);
}

void timer_stop(struct cpu *cpu, struct timer *timer)
{
    spinlock_lock(&cpu->run_lock);
    if (deadline_node_is_queued(&timer->node)) {
        deadline_heap_remove(&cpu->timers, &timer->node);
    }
    spinlock_unlock(&cpu->run_lock);
}

static void wait_expired(struct timer *timer)
{
    thread_wake(CONTAINER_OF(timer, struct thread, timer), true);
}

void sched_thread_wait(struct thread *thread)
{
    if (thread->deadline_ns != TIMEOUT_NONE) {
        thread->timer.expired = wait_expired;
        timer_start(thread->task.cpu, &thread->timer, thread->deadline_ns);
    }
}

void sched_requeue(struct cpu *cpu, struct thread *thread)
{
    sched_requeue_below(cpu, thread, LIMIT_PRIORITIES);
}

void sched_requeue_below(struct cpu *cpu, struct thread *thread, unsigned most)
{
    unsigned priority;

    spinlock_lock(&cpu->run_lock);
    priority = task_priority(&thread->task);
    run_queue_push_back(&cpu->run_queue, &thread->task.node, priority < most ? priority : most);
    spinlock_unlock(&cpu->run_lock);
}

/* ---- budgets and loans ----------------------------------------------------------------------- */

/* Charges what the current thread has run since it was charged last, to the budget that it began
 * on. run_lock held. */
static void time_charge(struct cpu *cpu, uint64_t now_ns)
{
    sched_context_charge(cpu->payer, now_ns - cpu->run_start_ns);
    cpu->run_start_ns = now_ns;
}

/* Counts what was run on no budget since the clock was read last, for `ran`, which runs or was the
 * last to. run_lock held. */
static void time_count(struct cpu *cpu, struct thread *ran, uint64_t now_ns)
{
    ASSERT(cpu->payer == NULL);
    ran->counted_ns += now_ns - cpu->run_start_ns;
    cpu->run_start_ns = now_ns;
}

static void time_expired(struct timer *timer)
{
    task_start(&CONTAINER_OF(timer, struct thread, time_timer)->task);
}

/* Whose budget the thread is about to run on, renewed; NULL: none. A loan is worth what its payer
 * has left: with nothing it is over, and the thread runs at its own cost. run_lock held. */
static struct sched_context *payer_begin(struct thread *thread, uint64_t now_ns)
{
    struct sched_context *payer = thread_payer(thread);

    if (LIKELY(payer == NULL)) {
        return NULL;
    }
    sched_context_renew(payer, now_ns);
    if (sched_context_left(payer) == 0 && thread->share.lender != NULL) {
        sched_loan_end(thread->share.lender);
        payer = thread_payer(thread);
        if (payer != NULL) {
            sched_context_renew(payer, now_ns);
        }
    }
    return payer;
}

/* Whether the thread may run: its payer has time, which then ends its quantum too. Else it is off
 * the queue until its own next period. run_lock held. */
static bool time_begin(struct cpu *cpu, struct thread *thread, uint64_t now_ns)
{
    struct sched_context *payer = payer_begin(thread, now_ns);
    uint64_t left;

    cpu->payer = payer;
    cpu->run_start_ns = now_ns;
    if (LIKELY(payer == NULL)) {
        return true;
    }
    left = sched_context_left(payer);
    thread->time_timer.expired = time_expired;
    if (left == 0 && !process_is_dying(thread->process) && !thread->exiting) {
        deadline_heap_insert(&cpu->timers, &thread->time_timer.node, sched_context_renew_at(payer));
        return false;
    }
    if (left != 0 && left < cpu->quantum_end_ns - now_ns) {
        cpu->quantum_end_ns = now_ns + left;
    }
    return true;
}

void sched_lent_for(struct thread *lender, const struct thread *borrower)
{
    struct cpu *cpu = lender->task.cpu;
    bool notify = false;

    spinlock_lock(&cpu->run_lock);
    if (lender->share.borrower == &borrower->share) {
        notify = loan_over(cpu, lender);
    }
    spinlock_unlock(&cpu->run_lock);
    if (notify) {
        cpu_notify(cpu, IPI_RESCHEDULE);
    }
}

bool sched_payer_changes(const struct cpu *cpu, const struct thread *to)
{
    return thread_payer(to) != cpu->payer;
}

struct sched_pair sched_pair_look(struct cpu *cpu, const struct thread *from,
                                  const struct thread *to)
{
    struct sched_pair pair;

    spinlock_lock(&cpu->run_lock);
    pair = (struct sched_pair){.from_priority = task_priority(&from->task),
                               .to_priority = task_priority(&to->task),
                               .payer_changes = sched_payer_changes(cpu, to)};
    spinlock_unlock(&cpu->run_lock);
    return pair;
}

void sched_lent_back(struct thread *thread)
{
    struct cpu *cpu = thread->task.cpu;

    spinlock_lock(&cpu->run_lock);
    sched_loan_end(&thread->share);
    spinlock_unlock(&cpu->run_lock);
}

void sched_thread_leave(struct thread *thread)
{
    struct cpu *cpu = thread->task.cpu;

    spinlock_lock(&cpu->run_lock);
    sched_share_leave(&thread->share);
    spinlock_unlock(&cpu->run_lock);
}

void sched_thread_hurry(struct thread *thread)
{
    struct cpu *cpu = thread->task.cpu;

    spinlock_lock(&cpu->run_lock);
    if (deadline_node_is_queued(&thread->time_timer.node)) {
        deadline_heap_remove(&cpu->timers, &thread->time_timer.node);
        (void)task_queue(cpu, &thread->task);
    }
    spinlock_unlock(&cpu->run_lock);
}

struct scheduling sched_thread_terms(struct thread *thread)
{
    struct cpu *cpu = thread->task.cpu;
    struct scheduling terms;

    spinlock_lock(&cpu->run_lock);
    terms = (struct scheduling){.priority = thread->share.priority,
                                .budget_ns = thread->time.budget_ns,
                                .period_ns = thread->time.period_ns,
                                .cpu_mask = thread->plan.scheduling.cpu_mask};
    spinlock_unlock(&cpu->run_lock);
    return terms;
}

uint64_t sched_thread_used_ns(struct thread *thread)
{
    struct cpu *cpu = thread->task.cpu;
    uint64_t used_ns;

    spinlock_lock(&cpu->run_lock);
    if (cpu == arch_cpu_this() && thread == cpu->current && cpu->payer == NULL) {
        time_count(cpu, thread, arch_clock_ns());
    }
    used_ns = thread->time.used_ns + thread->counted_ns;
    spinlock_unlock(&cpu->run_lock);
    return used_ns;
}

void sched_thread_change(struct thread *thread, const struct scheduling *terms)
{
    struct cpu *cpu = thread->task.cpu;
    bool queued;

    spinlock_lock(&cpu->run_lock);
    queued = thread->task.node.queued;
    if (queued) {
        run_queue_remove(&cpu->run_queue, &thread->task.node);
    }
    if (deadline_node_is_queued(&thread->time_timer.node)) {
        deadline_heap_remove(&cpu->timers, &thread->time_timer.node);
        queued = true; /* it asks for time anew when it is picked */
    }
    thread->task.priority = terms->priority;
    atomic_store_relaxed_u32(&thread->share.priority, terms->priority);
    thread->plan.scheduling.cpu_mask = terms->cpu_mask;
    if (terms->budget_ns != thread->time.budget_ns || terms->period_ns != thread->time.period_ns) {
        sched_context_change(&thread->time, terms->budget_ns, terms->period_ns, arch_clock_ns());
    }
    if (queued) {
        (void)task_queue(cpu, &thread->task);
    }
    if (cpu == arch_cpu_this()) {
        cpu->reschedule = true;
    }
    spinlock_unlock(&cpu->run_lock);
    cpu_notify(cpu, IPI_RESCHEDULE); /* who runs there may run on the old terms */
}

void job_start(struct job *job, struct cpu *cpu, unsigned priority)
{
    job->task.kind = TASK_JOB;
    job->task.priority = priority;
    job->task.cpu = cpu;
    task_start(&job->task);
}

/* Lets timers expire whose time is over: a bounded number, the rest at the next interrupt. */
static void timers_expire(struct cpu *cpu, uint64_t now_ns)
{
    for (unsigned i = 0; i < TIMERS_PER_INTERRUPT; i++) {
        struct deadline_node *node;

        spinlock_lock(&cpu->run_lock);
        node = deadline_heap_pop_due(&cpu->timers, now_ns);
        spinlock_unlock(&cpu->run_lock);
        if (node == NULL) {
            return;
        }
        CONTAINER_OF(node, struct timer, node)->expired(CONTAINER_OF(node, struct timer, node));
    }
}

/* Arms the local timer for the earlier of `deadline_ns` and the next waiter's. run_lock held.
 * The device is written only for an earlier deadline than it has: firing early costs one interrupt,
 * and switching among threads then does not touch the device at all. */
static void timer_arm(struct cpu *cpu, uint64_t deadline_ns)
{
    struct deadline_node *node = deadline_heap_peek(&cpu->timers);

    if (node != NULL && node->deadline_ns < deadline_ns) {
        deadline_ns = node->deadline_ns;
    }
    if (deadline_ns < cpu->timer_armed_ns) {
        cpu->timer_armed_ns = deadline_ns;
        arch_timer_set(deadline_ns);
    }
}

bool sched_interrupt(struct cpu *cpu, enum arch_interrupt kind)
{
    uint64_t now_ns = arch_clock_ns();
    struct thread *current = cpu->current;
    unsigned own;
    bool outranked;
    bool leave = false;

    if (kind == ARCH_INTERRUPT_TIMER) {
        cpu->timer_armed_ns = UINT64_MAX;
    }
    cpu->reschedule = false;
    timers_expire(cpu, now_ns);
    if (current == NULL) {
        return false;
    }
    spinlock_lock(&cpu->run_lock);
    own = task_priority(&current->task);
    outranked = cpu_runs_at(cpu, own); /* its terms may have changed */
    if (UNLIKELY(thread_payer(current) != cpu->payer)) {
        leave = true; /* and is picked again on the new ones */
    } else if (UNLIKELY(cpu->payer != NULL)) {
        time_charge(cpu, now_ns);
        leave = sched_context_left(cpu->payer) == 0;
    } else {
        time_count(cpu, current, now_ns);
    }
    if (process_is_dying(current->process) || outranked) {
        leave = true;
    } else if (!leave && now_ns >= cpu->quantum_end_ns) {
        leave = run_queue_highest(&cpu->run_queue) == own;
        cpu->quantum_end_ns = now_ns + sched_quantum_ns;
    }
    if (leave) {
        run_queue_push_back(&cpu->run_queue, &current->task.node, own);
    } else {
        timer_arm(cpu, cpu->quantum_end_ns);
    }
    spinlock_unlock(&cpu->run_lock);
    return leave;
}

/* The current thread leaves the CPU; where it goes was decided before. */
static ALWAYS_INLINE void current_leave(struct cpu *cpu)
{
    struct thread *current = cpu->current;

    if (current != NULL) {
        irq_probe_leave();
        arch_context_save(&current->context);
        if (UNLIKELY(cpu->payer != NULL)) {
            spinlock_lock(&cpu->run_lock);
            time_charge(cpu, arch_clock_ns());
            cpu->payer = NULL;
            spinlock_unlock(&cpu->run_lock);
        } else {
            cpu->ran = current; /* task_pick reads the clock */
        }
        cpu->current = NULL;
        cpu->context = NULL;
    }
}

/* Leaves to the current thread, or goes on with its cap_enter; returns only if that left it queued
 * or waiting. */
static void thread_go_on(struct cpu *cpu, struct thread *thread)
{
    if (!thread->entering || dispatch_continue(cpu, thread)) {
        thread_leave_to(thread);
    }
    current_leave(cpu);
}

void sched_switch(struct cpu *cpu, struct thread *to)
{
    if (UNLIKELY(cpu->reschedule)) {
        sched_switch_down(cpu, to); /* somebody became ready here since it was decided */
    }
    thread_switch(cpu, cpu->current, to);
}

void sched_switch_forgo(struct cpu *cpu, struct thread *to)
{
    spinlock_lock(&cpu->run_lock);
    if (current_is_over(cpu)) {
        cpu->reschedule = true;
    }
    spinlock_unlock(&cpu->run_lock);
    sched_thread_ready(to);
}

void sched_switch_down(struct cpu *cpu, struct thread *to)
{
    unsigned priority;
    bool outranked;

    spinlock_lock(&cpu->run_lock);
    priority = task_priority(&to->task);
    outranked = cpu_runs_at(cpu, priority);
    if (outranked) {
        run_queue_push_front(&cpu->run_queue, &to->task.node, priority);
    }
    spinlock_unlock(&cpu->run_lock);
    if (outranked) {
        cpu_run(cpu);
    }
}

/* What is left of its cap_enter is a stretch of its own, behind the one that came here. */
void sched_go_on(struct cpu *cpu, struct thread *thread)
{
    spinlock_lock(&cpu->run_lock);
    run_queue_push_front(&cpu->run_queue, &thread->task.node, task_priority(&thread->task));
    spinlock_unlock(&cpu->run_lock);
    cpu_run(cpu);
}

static void job_run(struct job *job)
{
    if (job->step(job)) {
        task_start(&job->task);
    }
}

/* Whether the task that was taken off the queue runs now; a thread with its quantum. run_lock
 * held. */
static bool task_begin(struct cpu *cpu, struct task *task)
{
    uint64_t now_ns;

    if (task->kind == TASK_THREAD) {
        ASSERT(CONTAINER_OF(task, struct thread, task)->share.borrower == NULL);
        now_ns = arch_clock_ns();
        cpu->quantum_end_ns = now_ns + sched_quantum_ns;
        if (!time_begin(cpu, CONTAINER_OF(task, struct thread, task), now_ns)) {
            return false;
        }
        timer_arm(cpu, cpu->quantum_end_ns);
    }
    /* After its loan, which may just have ended; nobody in the queue is more urgent. */
    atomic_store_relaxed_u32(&cpu->running_priority, task_priority(task));
    return true;
}

/* The next task, out of the queue; NULL: none, and the CPU is marked idle. */
static struct task *task_pick(struct cpu *cpu)
{
    struct run_node *node;

    spinlock_lock(&cpu->run_lock);
    if (cpu->ran != NULL) {
        time_count(cpu, cpu->ran, arch_clock_ns());
        cpu->ran = NULL;
    }
    do {
        node = run_queue_pop(&cpu->run_queue);
    } while (node != NULL && !task_begin(cpu, task_of(node)));
    cpu->idle = node == NULL;
    cpu->reschedule = false;
    if (node == NULL) {
        atomic_store_relaxed_u32(&cpu->running_priority, 0);
        timer_arm(cpu, UINT64_MAX);
    }
    spinlock_unlock(&cpu->run_lock);
    return node == NULL ? NULL : task_of(node);
}

/* Between two pieces of work, so that no stretch is the sum of two. */
static void interrupts_let_in(void)
{
    irq_probe_end();
    arch_interrupt_window();
    irq_probe_begin(IRQ_STRETCH_SWITCH);
}

void cpu_run(struct cpu *cpu)
{
    current_leave(cpu);
    for (;;) {
        struct task *task;

        interrupts_let_in();
        task = task_pick(cpu);
        lock_check_none_held();
        if (task == NULL) {
            vspace_activate(NULL);
            irq_probe_end();
            arch_idle();
        } else if (task->kind == TASK_JOB) {
            irq_probe_begin(IRQ_STRETCH_JOB);
            job_run(CONTAINER_OF(task, struct job, task));
        } else {
            struct thread *thread = CONTAINER_OF(task, struct thread, task);

            if (!process_is_dying(thread->process) && !thread->exiting) {
                thread_load(cpu, thread, cpu->vspace);
                thread_go_on(cpu, thread);
            } else {
                thread_retire(thread);
            }
        }
    }
}
