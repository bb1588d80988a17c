/* SPDX-License-Identifier: MIT */
/*
 * Tasks: what a run queue holds. A thread, or a job: a long kernel operation cut into bounded steps
 * that run at its payer's priority with interrupts let in between.
 */
#ifndef KERNEL_SCHED_TASK_H
#define KERNEL_SCHED_TASK_H

#include "kernel/cpu.h"

enum task_kind {
    TASK_THREAD,
    TASK_JOB,
};

struct task {
    struct run_node node; /* run_lock of `cpu` */
    enum task_kind kind;
    unsigned priority;
    struct cpu *cpu; /* home: the only CPU that runs it; fixed */
};

/* One bounded step; false: the job is over and its structure may be gone. */
struct job {
    struct task task;
    bool (*step)(struct job *job);
};

enum {
    PRIORITY_DEFAULT = 8,
    QUANTUM_NS = 1000 * 1000, /* until the manifest says otherwise: its timerHz */
};

/* How long a thread runs before others of its priority. Set before the first program starts. */
extern uint64_t sched_quantum_ns;

/* Makes a task runnable on its CPU and interrupts that CPU if it should look. The task is in no
 * queue and not running. */
void task_start(struct task *task);

/* Starts `job` on `cpu` at `priority`. */
void job_start(struct job *job, struct cpu *cpu, unsigned priority);

/* How a thread competes for a CPU, as schema/scheduling.capnp has it. */
struct scheduling {
    unsigned priority;  /* below RUN_PRIORITIES */
    uint64_t budget_ns; /* of CPU time in each period; 0: as much as there is */
    uint64_t period_ns;
    uint64_t cpu_mask; /* names a CPU of the machine at least */
};

/* The CPUs online, as a mask. */
uint64_t sched_cpus(void);

/* The CPU for the next new thread: round robin over those online that `cpu_mask` names. */
struct cpu *sched_place(uint64_t cpu_mask);

/* Initialises the scheduler's part of a new struct cpu. */
void sched_cpu_init(struct cpu *cpu);

/* Timers and reschedule requests, from kernel_interrupt. Returns whether the current thread must
 * leave the CPU. */
bool sched_interrupt(struct cpu *cpu, enum arch_interrupt kind);

/* Something that happens on a CPU at a time, once. Zeroed: it is not armed. */
struct timer {
    struct deadline_node node; /* run_lock of its CPU */
    void (*expired)(struct timer *timer);
};

/* Arms a timer of this CPU that is not armed: `expired` is called on it, with no lock held, at or
 * soon after deadline_ns, unless it is stopped before. Ring and park locks may be held. */
void timer_start(struct cpu *cpu, struct timer *timer, uint64_t deadline_ns);

/* Stops a timer of `cpu`, armed or not; it may be expiring at this moment. */
void timer_stop(struct cpu *cpu, struct timer *timer);

struct thread;

/* A waiting thread becomes ready: out of the timer heap, into its CPU's queue. Its ring lock may be
 * held. */
void sched_thread_ready(struct thread *thread);

/* The current thread is about to wait until thread->deadline_ns. Its ring lock is held. */
void sched_thread_wait(struct thread *thread);

/* How the thread competes now; and other terms for it, from when it is picked next. Its CPU stays
 * what it is. Any CPU, no lock of a rank above LOCK_RANK_RUN_QUEUE is held; the thread has not
 * retired. */
struct scheduling sched_thread_terms(struct thread *thread);
uint64_t sched_thread_used_ns(struct thread *thread); /* charged to its own budget, and counted */
void sched_thread_change(struct thread *thread, const struct scheduling *terms);

/* Something more urgent than the current thread became ready on this CPU. */
static inline bool sched_should_yield(const struct cpu *cpu)
{
    return cpu->reschedule;
}

/* Goes from the current thread, which waits, to `to`, on what is left of its quantum; or to one who
 * is more urgent, if that became ready here since it was decided. */
NORETURN void sched_switch(struct cpu *cpu, struct thread *to);

/* The switch to `to`, which waits no more, was decided on and is not made: it is queued. What it
 * lent to the current thread ended with the decision, so that goes on at what is its own. */
void sched_switch_forgo(struct cpu *cpu, struct thread *to);

/* What decides on a switch between two threads of this CPU where loans or budgets are in it. */
struct sched_pair {
    unsigned from_priority; /* what each runs at */
    unsigned to_priority;
    bool payer_changes; /* sched_payer_changes */
};
struct sched_pair sched_pair_look(struct cpu *cpu, const struct thread *from,
                                  const struct thread *to);

/* Whether `to` runs on another budget than the current thread does, or on one where that has none:
 * the CPU is picked anew then, which looks at what is left. run_lock held. */
bool sched_payer_changes(const struct cpu *cpu, const struct thread *to);

/* A waiting thread of this CPU is about to run without being queued: what it lent is over. */
void sched_lent_back(struct thread *thread);

/* The call that the loan was made for is over: if `lender`, of any CPU, lends to `borrower`, it
 * does not any more. Endpoint locks may be held. */
void sched_lent_for(struct thread *lender, const struct thread *borrower);

/* A thread that retires has nothing to do with anybody's time any more. */
void sched_thread_leave(struct thread *thread);

/* A thread of a dying process does not wait for its next budget. */
void sched_thread_hurry(struct thread *thread);

/* Queues the current thread behind its equals; the caller ends in cpu_run. */
void sched_requeue(struct cpu *cpu, struct thread *thread);

/* The same of a thread that is ending, at a priority of at most `most`: that of the job it waits
 * for, which would never run behind a thread that asks again and again at a greater one. */
void sched_requeue_below(struct cpu *cpu, struct thread *thread, unsigned most);

/* 0, or the number of the first broken invariant of sched.c; takes the CPU's run lock. */
MUST_USE unsigned sched_check(struct cpu *cpu);

/* The same for a thread that was started and has not ended, read when neither its ring lock nor its
 * home's run lock is held. `at_rest`: no CPU is in the middle of anything. */
MUST_USE unsigned sched_thread_check(const struct thread *thread, bool at_rest);

#endif
