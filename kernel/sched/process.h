/* SPDX-License-Identifier: MIT */
/*
 * Processes: an address space, a capability table, threads, a name. A process is the object behind
 * ProcessHandle edges and outlives its own resources until the last of them is gone.
 *
 *   BUILDING (spawn job) -> ALIVE -> DYING (no thread may go on) -> TEARDOWN (job) -> ENDED
 */
#ifndef KERNEL_SCHED_PROCESS_H
#define KERNEL_SCHED_PROCESS_H

#include "core/cap_table.h"
#include "core/key_tree.h"
#include "kernel/ipc/wait.h"
#include "kernel/mem/vspace.h"
#include "kernel/object/memory_space.h"
#include "kernel/object/object.h"
#include "kernel/sched/task.h"
#include "kernel/sched/thread.h"

enum process_state {
    PROCESS_BUILDING,
    PROCESS_ALIVE,
    PROCESS_DYING,
    PROCESS_ENDED,
};

enum exit_kind {
    EXIT_KIND_RUNNING, /* as ExitKind in schema/process.capnp */
    EXIT_KIND_EXITED,
    EXIT_KIND_KILLED,
    EXIT_KIND_FAULTED,
};

/* What can be waited for. */
enum process_wait {
    PROCESS_WAIT_STOP, /* no thread of it can run any more */
    PROCESS_WAIT_END,  /* it has ended, and its memory is back */
    PROCESS_WAITS,
};

struct spawn;

struct process_exit {
    enum exit_kind kind;
    int32_t code;
    struct arch_fault fault;
    uint64_t fault_thread;
    uint32_t peak_frames; /* once it has ended */
};

struct process {
    struct object object;
    uint64_t pid;
    char name[LIMIT_NAME_BYTES + 1]; /* zeroes behind it */
    struct provenance duplicated;    /* of edges that DUP makes, but for source and time; fixed */
    uint32_t restart_count; /* how often its supervisor has started it before, as that says */
    unsigned priority;
    struct account *account; /* process lock once it is DYING; NULL: closed */
    struct vspace vspace;
    struct memory_space memory;
    /* processes_lock: */
    struct list_node all_node; /* until it has left and nobody's walk stands at it */
    struct key_node by_pid;    /* until it has left */
    unsigned walkers;          /* of process_next, at it */
    bool left;                 /* it has ended: what follows is none of others' business */

    struct spinlock lock; /* rank process, by pid */
    /* lock: */
    struct cap_table table;
    struct list threads;   /* until they are retired */
    struct list retired;   /* freed by the teardown, after the address space */
    unsigned live_count;   /* started and not retired */
    uint64_t thread_slots; /* mask of thread regions in use */
    unsigned thread_count; /* slots in use: building, live, or being reclaimed; and process_hold */
    uint64_t next_thread_id;
    struct waitable waits[PROCESS_WAITS];
    struct list orphans; /* calls that its threads took and left; ended when its edges are gone */
    struct hold_edge fault_edge; /* who is told of faults of its threads; object NULL: nobody */
    struct spawn *spawn;         /* whose plan has edges for it, from start to end; NULL: none */
    struct process_exit exit;
    uint64_t cpu_time_ns; /* of threads that have retired */
    /* atomic, grows only: */
    uint32_t state; /* enum process_state */

    struct start_info start; /* what every thread's StartInfo page begins with */

    /* Called by the teardown when its account is closed, before who waits is told; NULL: nobody
     * asked. Set before the teardown starts; on its CPU. */
    void (*given_back)(struct process *process);
    void *given_back_context;
    void (*ended)(void); /* called once it has ended; NULL: nobody asked. Set before it runs */
    struct job stopping; /* of a kill, while threads are left to be told; holds a reference */
    unsigned stops_left; /* lock: of those */
    struct job teardown;
    uint32_t teardown_cursor;
    bool stop_told;   /* nobody waits for PROCESS_WAIT_STOP, nor will */
    bool vspace_left; /* nobody else touches the address space any more */
    bool vspace_made; /* there is an address space to give back */
    bool account_closed;
};

extern const struct object_type process_type;

void processes_init(void);

/*
 * A process without address space or threads, holding one reference that its ending drops, and one
 * for the caller. Its account gets the plan's amounts; the process has the account's name. Errors:
 * STATUS_LIMIT (*refusal: the line of the parent's account), STATUS_NO_MEMORY, STATUS_DEAD.
 */
enum status process_create(const struct account_plan *plan, unsigned priority,
                           struct process **process, struct ledger_refusal *refusal) MUST_USE;

/*
 * Takes `count` slots out of the table's quota, so that they can be given away; false: the table
 * has fewer to spare. process_slots_refill gives the table what its account has available, which is
 * what children that ended gave back.
 */
bool process_slots_spare(struct process *process, uint64_t count) MUST_USE;
void process_slots_refill(struct process *process);

/* cap_table_reserve in the process's table, refilled if it must be. *refusal (may be NULL) is
 * filled for an error: the ledger's line that is used up with LIMIT, which it also is when the
 * account has no frame for another page of slots. */
enum transport_error process_slots_reserve(struct process *process, uint32_t count,
                                           struct ledger_refusal *refusal) MUST_USE;

/* One reserved slot that was not used, back to the table; a process that is dying gives it back
 * with its table, perhaps long ago. */
void process_slot_give_back(struct process *process);

/* No thread of `process` runs user code again, and it ends as `exit` says; the first such call
 * counts. Threads on other CPUs are interrupted. Any CPU, no lock held. */
void process_kill(struct process *process, const struct process_exit *exit);

static inline bool process_is_dying(const struct process *process)
{
    return atomic_load_acquire_u32(&process->state) >= PROCESS_DYING;
}

/* Whether faults of its threads are told to anybody, as far as is known now. */
bool process_tells_faults(struct process *process);

/* Takes the edge that they are told through away if it is `above` or below it (NULL: in any case);
 * it is the caller's to drop. False: there is none such. */
bool process_fault_edge_take(struct process *process, const struct grant_node *above,
                             struct hold_edge *edge) MUST_USE;

/* A job works on the live process for one of its threads, whose call is under way: the teardown
 * waits for the process_thread_gone(process, NULL) that ends it. */
void process_hold(struct process *process);

/* A thread slot is free again; the last one of a process that has no live thread starts its
 * teardown. `thread` (may be NULL) goes to the retired list. */
void process_thread_gone(struct process *process, struct thread *thread);

/* A process that never came to be more than a plan: no frame, no thread, and no edge but that to
 * its fault endpoint. Its account goes back at once. process_abandon comes next. */
void process_give_back(struct process *process);

/* A process whose building failed: nothing of it ran. Ends it; no slot of it is in use. */
void process_abandon(struct process *process, enum exit_kind kind);

/* Completes `operation` with its answer when that has happened; at once if it has. `timeout_ns` as
 * waitable_add's. */
void process_wait(struct process *process, enum process_wait what, struct operation *operation,
                  uint64_t timeout_ns);

/* Calls `hook` once no process is left, from the last one's teardown or at once. */
void processes_when_empty(void (*hook)(void));

/*
 * A walk over all processes in the order of their making: the one after `after` (NULL: the first),
 * referenced; NULL: there is none, and the walk is over. Takes over the caller's reference of
 * `after`. One made meanwhile is seen; one that ends while a walk stands at it may be. Each step
 * is as long as the next, however many there are; who begins a walk goes on to its end.
 */
struct process *process_next(struct process *after);

/* The process `pid`, referenced, if it has not ended; NULL: there is none. */
struct process *process_find(uint64_t pid);

unsigned process_count(void);

/* 0, or the number of the first broken invariant of process.c; takes its lock. */
MUST_USE unsigned process_check(struct process *process);

/* The same of all processes: 5 to 6. Takes their lock. */
MUST_USE unsigned processes_check(void);

#endif
