/* SPDX-License-Identifier: MIT */
/*
 * Threads. A thread is created inside a process by a job (process start or ThreadSpawner), runs on
 * its home CPU, waits in cap_enter as a state of its ring, and is retired by its home CPU.
 *
 *   READY <-> RUNNING -> WAITING -> READY ...   any -> RETIRED
 *
 * READY: in its CPU's run queue. RUNNING: cpu->current. WAITING: ring.waiting is set, in no queue,
 * perhaps in the CPU's timer heap. RETIRED: never runs again.
 */
#ifndef KERNEL_SCHED_THREAD_H
#define KERNEL_SCHED_THREAD_H

#include "abi/start_info.h"
#include "abi/syscall.h"
#include "core/answer.h"
#include "core/offence.h"
#include "core/ring.h"
#include "core/sched_context.h"
#include "kernel/ipc/operation.h"
#include "kernel/mem/account.h"
#include "kernel/mem/shootdown.h"
#include "kernel/object/object.h"
#include "kernel/sched/task.h"

struct fault_desk;
struct process;
struct thread_record;

enum {
    ARENA_FIRST_PAGE = RING_ARENA_OFFSET / LIMIT_PAGE_BYTES,
    ARENA_PAGES_MAX = LIMIT_ARENA_BYTES_MAX / LIMIT_PAGE_BYTES,
    RING_PAGES_MAX = ARENA_FIRST_PAGE + ARENA_PAGES_MAX,
    ANSWER_FRAMES = 2, /* answers, and their capabilities */
    OPERATIONS_PER_FRAME = LIMIT_PAGE_BYTES / sizeof(struct operation),
    OPERATION_FRAMES = (LIMIT_OPERATIONS + OPERATIONS_PER_FRAME - 1) / OPERATIONS_PER_FRAME,
};

/* What becomes of a thread that faulted: kernel/ipc/fault_call.c. */
enum fault_state {
    FAULT_NONE,
    FAULT_STOPPED,  /* until its handler answers; in no queue */
    FAULT_ANSWERED, /* a job of its home CPU acts on that */
};

/* What a new thread is made of. */
struct thread_plan {
    struct process *process;
    vaddr_t entry;
    uint64_t argument;
    vaddr_t stack_top;      /* of its maker's choice; 0: the kernel makes a stack */
    vaddr_t thread_pointer; /* of its maker's choice; 0: on the kernel's stack, else none */
    struct scheduling scheduling;
    struct ring_sizes ring;       /* 0: the default */
    struct thread_record *record; /* what its handles name, referenced; NULL: there are none */
};

struct thread {
    struct task task;
    struct process *process;       /* alive until the thread is retired */
    struct account *account;       /* the process's; pays for thread, ring and operations */
    struct list_node process_node; /* process lock */
    uint64_t id;                   /* within the process, from 1 */
    unsigned slot;                 /* which of the process's thread regions it uses */
    unsigned built;                /* pages of the region that are there, by thread_build_step */
    bool given_back;               /* all it had but itself */
    struct thread_plan plan;       /* run_lock of the home CPU: its cpu_mask */
    struct job reclaim;            /* after retirement in a live process: gives the region back */
    struct job *reclaimed;         /* started after that; NULL: nobody waits for it */
    struct unmap unmap;
    struct offence_meter offences; /* home CPU */
    uint32_t links; /* atomic: 1: the answer that it gives next is perhaps one link of a chain; a
                       guess, of its clients on any CPU */
    struct job answers_job; /* sends promised calls on: kernel/ipc/answers.c */

    struct spinlock ring_lock;
    /* ring_lock: */
    struct ring ring;
    bool waiting;  /* in cap_enter until `wait_for` completions are there */
    bool entering; /* cap_enter goes on when the thread is next picked */
    bool timed_out;
    bool interrupted;    /* the next wait in cap_enter is over at once */
    bool exiting;        /* home CPU: never runs again */
    uint8_t fault_state; /* enum fault_state */
    int32_t exit_code;
    uint32_t wait_for;    /* completions */
    uint32_t wait_until;  /* waiting: where ring.cq_tail is enough, by the head that was believed */
    uint64_t deadline_ns; /* TIMEOUT_NONE: none */
    uint32_t operations_used;
    uint32_t receives;   /* of these: RECEIVE */
    uint32_t calls_used; /* operations that are calls */
    uint32_t calls_held; /* charged to the account; those not used stay with the thread */
    struct operation *operations_free; /* by free_next, the one given back last first */
    struct answer_table answers;
    bool answers_running;           /* answers_job is on its way */
    struct transfer_pool transfers; /* items for capabilities beside calls that wait */
    uint32_t slots_over;            /* reserved in the process's table, for no operation now */
    struct list received;           /* calls in flight that this thread took and has not returned */

    struct timer timer; /* of its wait; on the home CPU */

    /* run_lock of the home CPU: */
    struct sched_context time; /* its own budget */
    uint64_t counted_ns;       /* what it ran on no budget */
    struct sched_share share;  /* on whose time it runs */
    struct timer time_timer;   /* its budget is used up: until the next one */

    vaddr_t ring_address;                     /* in the process */
    vaddr_t arena_address;                    /* of the ring's arena, there */
    uint8_t *arena_page[ARENA_PAGES_MAX + 1]; /* where the kernel reaches it; last, fault_desk */
    paddr_t ring_frame[RING_PAGES_MAX];
    paddr_t operation_frame[OPERATION_FRAMES];
    paddr_t answer_frame[ANSWER_FRAMES];
    paddr_t transfer_frame;
    struct fault_desk *fault_desk; /* for telling of its faults; NULL: they end its process */
    bool fault_charged;            /* one of its process's outstanding calls is for that */
    unsigned cancelled;            /* operations looked at by operations_cancel; home CPU */

    ALIGNED(64) struct arch_context context;
};

void threads_init(void);

/* Bytes of a ring of these sizes: what its thread is charged. */
static inline uint32_t thread_ring_bytes(const struct ring_sizes *sizes)
{
    return RING_ARENA_OFFSET + sizes->arena_bytes;
}

/* A thread of `plan->process`, with ring sizes that ring_sizes_settle accepts, which holds
 * one of the process's thread slots and nothing else yet. STATUS_LIMIT: *line is the ledger's line
 * that is used up, LEDGER_LINES when all LIMIT_THREADS slots are taken; STATUS_NO_MEMORY;
 * STATUS_DEAD: the process is ending. */
enum status thread_create(const struct thread_plan *plan, struct thread **thread,
                          enum ledger_line_name *line) MUST_USE;

/* One bounded step of giving it operations, answers, stack, StartInfo and ring. *done: it may be
 * started. Errors: LIMIT (frames), NO_MEMORY; what was built is the caller's to give up
 * (thread_abandon). */
enum status thread_build_step(struct thread *thread, bool *done) MUST_USE;

/* Makes a built thread runnable. */
void thread_start(struct thread *thread);

/* Gives up a thread that was never started. What it had goes back to its process in the background;
 * `then` (may be NULL) is started, on its own CPU, when that is done, or when the process is dying
 * and will do it. */
void thread_abandon(struct thread *thread, struct job *then);

/* How many operations the thread has: LIMIT_OPERATIONS for its submissions, and one for its faults
 * if somebody is told of them. */
unsigned thread_operations(const struct thread *thread);

/* Operation `index` (below thread_operations) of the thread, free or not. */
struct operation *thread_operation(struct thread *thread, unsigned index);

/* One bounded step of freeing a retired thread, whose ring is mapped nowhere any more: first what
 * it had, then those are told who wait for that. False: the thread is gone. */
MUST_USE bool thread_free_step(struct thread *thread);

/* The kernel's pointer to arena bytes of the thread, up to the end of their page. */
static inline uint8_t *thread_arena(struct thread *thread, uint32_t offset, uint32_t *contiguous)
{
    uint32_t page = offset / LIMIT_PAGE_BYTES;
    uint32_t within = offset % LIMIT_PAGE_BYTES;

    ASSERT(page <= ARENA_PAGES_MAX);
    *contiguous = LIMIT_PAGE_BYTES - within;
    return thread->arena_page[page] + within;
}

/* Copies into the arena; the range was checked. */
void thread_arena_write(struct thread *thread, uint32_t offset, const void *from, uint32_t bytes);

/* Whether [address, address + bytes) lies in the thread's arena; its offset there. */
static inline bool thread_arena_offset(const struct thread *thread, uint64_t address,
                                       uint64_t bytes, uint32_t *offset)
{
    uint64_t start = address - thread->arena_address;
    uint64_t end;

    if (UNLIKELY(ADD_OVERFLOWS(start, bytes, &end) || end > thread->plan.ring.arena_bytes)) {
        return false;
    }
    *offset = (uint32_t)start;
    return true;
}

/* Whether `lender`, of any CPU, seems to lend to `borrower`: sched_lent_for makes sure. */
static inline bool thread_lends_to(const struct thread *lender, const struct thread *borrower)
{
    return atomic_load_relaxed_word(&lender->share.borrower) ==
           (uint64_t)(uintptr_t)&borrower->share;
}

/* A completion was posted while the thread waits: makes it ready if that satisfies its wait.
 * ring_lock held. */
void thread_posted(struct thread *thread);

/* Posts a completion and wakes the thread if that satisfies its wait. The ring_lock is held;
 * endpoint and process locks may be. */
static inline void thread_post_locked(struct thread *thread, const struct cqe *cqe)
{
    ring_post(&thread->ring, cqe);
    if (thread->waiting) {
        thread_posted(thread);
    }
}

/* The same with the ring_lock not held. */
static inline void thread_post(struct thread *thread, const struct cqe *cqe)
{
    spinlock_lock(&thread->ring_lock);
    thread_post_locked(thread, cqe);
    spinlock_unlock(&thread->ring_lock);
}

/* Makes a waiting thread ready without a completion (kill, timeout); a kill, one that is stopped by
 * a fault too. */
void thread_wake(struct thread *thread, bool timed_out);

/* Ends the thread's wait in cap_enter, or the next one; whether it waited. */
bool thread_interrupt(struct thread *thread);

/* How a thread that is exiting ends: exited, or faulted by its handler's word. */
struct process_exit thread_exit_of(const struct thread *thread);

/* Whether the thread waits in cap_enter now. */
bool thread_is_blocked(struct thread *thread);

/* exit(code, EXIT_THREAD) of the current thread. */
NORETURN void thread_exit(struct cpu *cpu, struct thread *thread, int32_t code);

/* One step of ending the thread on its home CPU, which picks it again until nothing is left: it is
 * not current any more. Cancels what it began and what it took; the last thread starts its
 * process's teardown. */
void thread_retire(struct thread *thread);

#endif
