/* SPDX-License-Identifier: MIT */
/*
 * The hunt looks at the scheduler: each thread in one state, on one CPU, and no CPU time made from
 * nothing. How long each thread ran is measured apart from the kernel, from the moment its context
 * is loaded to the moment it is saved. The law, for a thread on a budget:
 *
 *   measured <= charged (used_ns)         else it ran for nothing; while nobody runs on it
 *   given <= budget * periods begun       else time was made; counted anew when its terms change
 *
 * and given + debt == used + left, which sched_context_check asserts. What a thread runs on
 * borrowed time is measured for whoever paid when it began. New terms count from the next time that
 * it is picked, so what runs since it was picked under others is not measured.
 */
#include "sim/hunt/sched_look.h"

#include <string.h>

#include "kernel/arch/host/machine.h"
#include "kernel/sched/process.h"

enum {
    THREADS = 1 << 10,
};

/* Threads that were started, by address. */
static struct known {
    const struct thread *thread; /* NULL: nothing was here yet */
    bool alive;                  /* it has not ended */
    uint64_t budget_ns;          /* its terms, */
    uint64_t period_ns;
    uint64_t begun_ns;   /* the first period under them, */
    uint64_t before_ns;  /* and what it was given before */
    uint64_t changed_ns; /* when they were seen to be others */
    uint64_t measured_ns;
} known[THREADS];

static struct run {
    const struct thread *runs; /* NULL: nobody on a budget */
    struct known *payer;       /* whose budget that was when it began */
    uint64_t since_ns;
} runs[LIMIT_CPUS];

void __real_arch_context_load(struct arch_context *context);
void __wrap_arch_context_load(struct arch_context *context);
void __real_arch_context_save(struct arch_context *context);
void __wrap_arch_context_save(struct arch_context *context);

/* The place of a thread at this address. */
static struct known *known_place(const struct thread *thread)
{
    uint64_t place = ((uintptr_t)thread >> 6) * UINT64_C(0x9e3779b97f4a7c15) >> 54;

    while (known[place].thread != NULL && known[place].thread != thread) {
        place = (place + 1) % THREADS;
    }
    return &known[place];
}

void sched_look_started(const struct thread *thread)
{
    *known_place(thread) =
        (struct known){.thread = thread,
                       .alive = true,
                       .budget_ns = thread->time.budget_ns,
                       .period_ns = thread->time.period_ns,
                       .begun_ns = thread->time.until_ns - thread->time.period_ns};
}

void sched_look_ended(const void *thread)
{
    known_place(thread)->alive = false;
}

void __wrap_arch_context_save(struct arch_context *context)
{
    struct run *run = &runs[machine.current->index];

    observe_leaves();
    if (run->runs != NULL && &run->runs->context == context) {
        run->payer->measured_ns += machine.now_ns - run->since_ns;
    }
    run->runs = NULL;
    __real_arch_context_save(context);
}

/* The terms of the thread are others: what it may be given is counted from now on. */
static void terms_look(struct known *place)
{
    const struct sched_context *time = &place->thread->time;

    if (place->budget_ns != time->budget_ns || place->period_ns != time->period_ns) {
        place->budget_ns = time->budget_ns;
        place->period_ns = time->period_ns;
        place->begun_ns = machine.now_ns;
        if (time->until_ns - time->period_ns < machine.now_ns) { /* else it begins later */
            place->begun_ns = time->until_ns - time->period_ns;
        }
        place->before_ns = time->given_ns - time->left_ns;
        place->changed_ns = machine.now_ns;
        for (unsigned i = 0; i < machine.count; i++) { /* who runs runs on the old ones */
            runs[i].runs = runs[i].payer == place ? NULL : runs[i].runs;
        }
    }
}

void __wrap_arch_context_load(struct arch_context *context)
{
    struct thread *thread = CONTAINER_OF(context, struct thread, context);
    const struct sched_context *payer = sched_payer(&thread->share);
    struct known *place = known_place(CONTAINER_OF(payer, struct thread, time));
    struct run *run = &runs[machine.current->index];

    __real_arch_context_load(context);
    terms_look(place);
    if (payer->budget_ns != 0 && place->changed_ns < machine.current->run_start_ns) {
        *run = (struct run){.runs = thread, .payer = place, .since_ns = machine.now_ns};
    }
}

static void budget_look(const struct known *place)
{
    const struct thread *thread = place->thread;
    const struct sched_context *time = &thread->time;
    uint64_t periods;

    if (time->budget_ns == 0) {
        return;
    }
    periods = (machine.now_ns - place->begun_ns) / time->period_ns + 1;
    if (time->given_ns - place->before_ns > periods * time->budget_ns) {
        model_disagree("thread %llu of process %llu was given %llu ns in %llu periods of %llu",
                       (unsigned long long)thread->id, (unsigned long long)thread->process->pid,
                       (unsigned long long)(time->given_ns - place->before_ns),
                       (unsigned long long)periods, (unsigned long long)time->budget_ns);
    }
    if (thread->task.cpu->payer != time && place->measured_ns > time->used_ns) {
        model_disagree("thread %llu of process %llu ran %llu ns and was charged %llu",
                       (unsigned long long)thread->id, (unsigned long long)thread->process->pid,
                       (unsigned long long)place->measured_ns, (unsigned long long)time->used_ns);
    }
}

void sched_look_thread(const struct thread *thread, bool at_rest)
{
    unsigned invariant;
    struct known *place;

    if (thread->ring_lock.held || thread->task.cpu->run_lock.held) {
        return;
    }
    place = known_place(thread);
    if (!place->alive) {
        return;
    }
    hunt_report->checks++;
    invariant = sched_thread_check(thread, at_rest);
    if (invariant != 0) {
        model_disagree("invariant %u of the scheduler is broken by thread %llu of process %llu",
                       invariant, (unsigned long long)thread->id,
                       (unsigned long long)thread->process->pid);
    }
    terms_look(place);
    budget_look(place);
}

void sched_look_loan(const struct thread *thread)
{
    const struct sched_share *lender = thread->share.lender;
    struct list_node *node;

    if (lender == NULL || machine.count != 1) {
        return; /* on another CPU a call may be just about to end */
    }
    for (node = list_first(&thread->received); node != NULL;
         node = list_next(&thread->received, node)) {
        if (&CONTAINER_OF(node, struct operation, received_node)->owner->share == lender) {
            return;
        }
    }
    model_disagree("thread %llu of process %llu runs on a loan, and has answered its call",
                   (unsigned long long)thread->id, (unsigned long long)thread->process->pid);
}
