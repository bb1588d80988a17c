/* SPDX-License-Identifier: MIT */
/*
 * A look at everything: every structure's own x_check(), the model, the ledgers' law and the census
 * of capabilities, wherever something may have changed or not. What is under a lock that a CPU
 * holds is left out, as it may be half done: it is looked at by the first look that finds the lock
 * free, and much of it when the lock is given back (look_under).
 *
 * When (observe.c). After each operation: at the first switch point behind the end of a dispatch or
 * of a short way, a completion that came by itself, a thread's end. In one seed of LOOK_EACH_STEP,
 * if it has several CPUs, at every switch point. And when every CPU is idle, where more can be
 * said: nothing is on its way then.
 *
 * A look changes nothing, so the run of a seed is the same however often is looked. Some of the
 * kernel's own checks take locks, which are free: the locks of the CPU on which a look happens to
 * be made are set aside meanwhile, with what its debug kernel counts, and no point in them is a
 * switch point (observe.c).
 */
#include <string.h>

#include "kernel/arch/host/machine.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/shootdown.h"
#include "sim/hunt/census.h"
#include "sim/hunt/hunt.h"
#include "sim/hunt/look.h"
#include "sim/hunt/memory_look.h"
#include "sim/hunt/sched_look.h"

enum {
    LISTS = 8,
    USES_MAX = 1 << 16, /* only makes the check end on a broken list */
    FRAMES_SUM = 4,     /* invariants of frames.c: of all frames, */
    FRAMES_COUNT = 5,   /* and of how many a CPU has */
    VSPACE_ACTIVE = 3,  /* of vspace.c, of the CPUs that have the space */
    SCHED_CURRENT = 4,  /* of sched.c, of the current thread */
};

/* Lists of work under way, since their making. */
static const struct uses *uses_lists[LISTS];
static uint32_t uses_count;

/* The lock that a CPU is about to give back, which its list of locks no longer has. */
static const struct spinlock *giving_back[LIMIT_CPUS];

static uint32_t held; /* ranks of which some lock is held, a bit each */

void __real_uses_init(struct uses *list);
void __wrap_uses_init(struct uses *list);

void __wrap_uses_init(struct uses *list)
{
    __real_uses_init(list);
    if (uses_count == LISTS) {
        model_disagree("the hunt has no room for another list of work");
        return;
    }
    uses_lists[uses_count++] = list;
}

/* ---- locks ----------------------------------------------------------------------------------- */

void look_giving_back(const struct spinlock *lock)
{
    giving_back[machine.current->index] = lock;
}

void look_stored(const void *word)
{
    const struct spinlock **lock = &giving_back[machine.current->index];

    if (*lock != NULL && word == &(*lock)->held) {
        *lock = NULL;
    }
}

/* An entry of a CPU's list: the lowest bit says how it was taken (kernel/debug/lock_check.c). */
static const struct spinlock *lock_of(const struct spinlock *entry)
{
    return (const struct spinlock *)((uintptr_t)entry & ~(uintptr_t)1);
}

/* Those that a CPU waits for are in its list too; another holds them. */
static uint32_t ranks_held(void)
{
    uint32_t ranks = 0;

    for (unsigned i = 0; i < machine.count; i++) {
        for (unsigned k = 0; k < cpus[i]->locks_held; k++) {
            ranks |= UINT32_C(1) << lock_of(cpus[i]->lock_held[k])->rank;
        }
        if (giving_back[i] != NULL) {
            ranks |= UINT32_C(1) << giving_back[i]->rank;
        }
    }
    return ranks;
}

static bool is_free(enum lock_rank rank)
{
    return (held >> rank & 1) == 0;
}

/* ---- processors and processes ---------------------------------------------------------------- */

/* Who gives way, which no dispatch does, is queued, and current until another is picked. */
static void scheduler_look(struct cpu *cpu)
{
    unsigned broken = sched_check(cpu);

    if (broken != SCHED_CURRENT || observe_dispatches(cpu->index)) {
        look_broken("the scheduler, CPU", cpu->index, broken);
    }
}

static void cpus_look(bool idle)
{
    for (unsigned i = 0; i < machine.count; i++) {
        struct cpu *cpu = cpus[i];

        if (!cpu->run_lock.held) {
            look_cpu(cpu);
            scheduler_look(cpu);
        }
        if (idle && run_queue_highest(&cpu->run_queue) != RUN_PRIORITY_NONE) {
            model_disagree("CPU %u sleeps with a task in its queue", i);
        }
        if (cpu->vspace != NULL && (cpu->vspace->active >> i & 1) == 0) {
            model_disagree("CPU %u has an address space that does not know of it", i);
        }
        look_broken("the room for messages to objects, CPU", i, scratch_check(&cpu->call_scratch));
        look_broken("the room for answers, CPU", i, scratch_check(&cpu->result_scratch));
    }
}

/* Returns slots of the process's table that belong to what its threads have under way, or may. */
static uint32_t threads_look(const struct process *process, bool idle)
{
    uint32_t reserved = 0;

    for (struct list_node *node = list_first(&process->threads); node != NULL;
         node = list_next(&process->threads, node)) {
        struct thread *thread = CONTAINER_OF(node, struct thread, process_node);

        if (!thread->ring_lock.held) {
            look_thread(thread);
        }
        sched_look_thread(thread, idle);
        look_broken("offences", look_thread_name(thread), offence_check(&thread->offences));
        reserved += idle ? look_slots_reserved(thread) : 0;
        if (idle && process->state >= PROCESS_DYING && thread->waiting) {
            model_disagree("thread %llu of process %llu waits, its process is dying, and every "
                           "CPU is idle",
                           (unsigned long long)thread->id, (unsigned long long)process->pid);
        }
    }
    return reserved;
}

/* A CPU that goes from one space into another is named by both for a moment: that invariant is
 * asked of the CPU (cpus_look) but at rest. */
static void space_look(struct process *process, bool idle)
{
    unsigned broken = vspace_check(&process->vspace);

    look_broken("an address space", process->pid, broken == VSPACE_ACTIVE && !idle ? 0 : broken);
}

static void processes_look(bool idle)
{
    const struct model_actor nobody = {0};
    struct process *process;

    for (uint32_t i = 0; (process = look_known_process(i)) != NULL; i++) {
        bool space = !process->memory.lock.held;
        uint32_t reserved;

        if (process->lock.held) {
            continue;
        }
        look_process(&nobody, process);
        if (is_free(LOCK_RANK_ACCOUNT)) {
            look_broken("a process", process->pid, process_check(process));
        }
        if (space) {
            memory_look_space(process);
            look_broken("regions of process", process->pid,
                        region_set_check(&process->memory.regions));
        }
        if (process->vspace_made && process->vspace.frames != 0 && space &&
            is_free(LOCK_RANK_VSPACE)) {
            space_look(process, idle);
        }
        reserved = threads_look(process, idle);
        if (idle && process->table.reserved != reserved) {
            model_disagree("process %llu has %u slots reserved and %u claimed, and every CPU is "
                           "idle",
                           (unsigned long long)process->pid, process->table.reserved, reserved);
        }
        census_process(process, space);
    }
    if (is_free(LOCK_RANK_PROCESSES)) {
        look_broken("all processes", 0, processes_check());
    }
}

/* ---- endpoints and words --------------------------------------------------------------------- */

static void bundles_look(const struct endpoint *endpoint)
{
    for (struct list_node *node = list_first(&endpoint->queues.calls); node != NULL;
         node = list_next(&endpoint->queues.calls, node)) {
        const struct operation *call = CONTAINER_OF(
            CONTAINER_OF(node, struct endpoint_record, node), struct operation, endpoint_record);

        if (call->bundle.count > 0 && !call->owner->process->lock.held) {
            look_broken("what travels beside a call", call->user_data,
                        transfer_check(&call->owner->process->table, &call->bundle));
        }
    }
}

static void endpoints_look(void)
{
    const struct model_actor nobody = {0};
    const struct endpoint *endpoint;

    for (uint32_t i = 0; (endpoint = look_known_endpoint(i)) != NULL; i++) {
        if (!endpoint->lock.held) {
            look_endpoint(&nobody, endpoint);
            bundles_look(endpoint);
        }
    }
}

static void words_look(void)
{
    for (unsigned i = 0; i < PARK_BUCKETS; i++) {
        if (!park_places[i].lock.held) {
            look_parked(&park_places[i]);
        }
    }
}

/* ---- memory and money ------------------------------------------------------------------------ */

/* A CPU that stands in the allocator is about to move a frame: its count of them, and with it the
 * sum, may be one off. */
static void frames_look(void)
{
    unsigned broken = frames_check();

    look_broken("frames", 0,
                (broken == FRAMES_SUM || broken == FRAMES_COUNT) && !inside_nobody() ? 0 : broken);
}

static void kernel_memory_look(void)
{
    if (is_free(LOCK_RANK_FRAMES) && is_free(LOCK_RANK_SHOOTDOWN)) {
        frames_look();
    }
    if (is_free(LOCK_RANK_CACHE)) {
        look_broken("caches", 0, kmem_check());
    }
    if (is_free(LOCK_RANK_SHOOTDOWN)) {
        look_broken("shootdowns", 0, shootdown_check());
    }
    for (uint32_t i = 0; i < uses_count; i++) {
        look_broken("a list of work", i, uses_check(uses_lists[i], USES_MAX));
    }
}

/* One ledger and those below it, each with its own check; `sum`: what all of them have. */
static void ledgers_add(const struct ledger *ledger, struct ledger_amounts *sum)
{
    hunt_report->checks++;
    look_broken("an account", 0, account_check(CONTAINER_OF(ledger, const struct account, ledger)));
    for (enum ledger_line_name line = 0; line < LEDGER_LINES; line++) {
        const struct ledger_line *at = &ledger->line[line];

        sum->amount[line] += at->limit - at->donated;
    }
    for (struct list_node *node = list_first(&ledger->children); node != NULL;
         node = list_next(&ledger->children, node)) {
        ledgers_add(CONTAINER_OF(node, const struct ledger, sibling_node), sum);
    }
}

/* The conservation law: what all ledgers have, used or to spare, is what the machine has. It
 * follows from what ledger_check asks of each; here it is said as itself. */
static void law_look(void)
{
    const struct ledger *root = &account_root()->ledger;
    struct ledger_amounts sum = {.amount = {0}};

    if (!is_free(LOCK_RANK_ACCOUNTS) || !is_free(LOCK_RANK_ACCOUNT)) {
        return;
    }
    hunt_report->laws++;
    ledgers_add(root, &sum);
    for (enum ledger_line_name line = 0; line < LEDGER_LINES; line++) {
        if (ledger_line_is_sum(line) && sum.amount[line] != root->line[line].limit) {
            model_disagree("all ledgers have %llu of %s, the machine has %llu",
                           (unsigned long long)sum.amount[line], ledger_line_text(line),
                           (unsigned long long)root->line[line].limit);
        }
    }
}

/* ---- everything ------------------------------------------------------------------------------ */

void look_all(bool idle)
{
    const struct spinlock *lock_held[CPU_LOCKS_HELD_MAX];
    struct cpu *cpu = machine.current;
    unsigned locks_held = cpu->locks_held;
    unsigned work_locks = cpu->work_locks;

    if (look_known_process(0) == NULL) {
        return; /* the machine boots: what there is to look at is not made yet */
    }
    memcpy(lock_held, cpu->lock_held, sizeof(lock_held));
    held = ranks_held();
    cpu->locks_held = 0;
    cpu->work_locks = 0;
    hunt_report->looks++;
    census_begin();
    cpus_look(idle);
    processes_look(idle);
    census_end();
    endpoints_look();
    words_look();
    memory_look_objects();
    kernel_memory_look();
    law_look();
    if (idle) {
        memory_look_rest();
    }
    memcpy(cpu->lock_held, lock_held, sizeof(lock_held));
    cpu->locks_held = locks_held;
    cpu->work_locks = work_locks;
}
