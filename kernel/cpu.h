/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU state and the CPU's main loop. Each field is this CPU's own unless a lock or "atomic" is
 * named; other CPUs reach it through `cpus[index]`.
 */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include "abi/limits.h"
#include "core/deadline_heap.h"
#include "core/run_queue.h"
#include "core/scratch.h"
#include "kernel/arch/arch.h"
#include "kernel/lock.h"

struct thread;
struct vspace;

enum {
    CPU_FRAME_CACHE = 32,
    CPU_LOCKS_HELD_MAX = 8,
};

/* Why an IPI was sent: bits of cpu->ipi_reasons. */
enum {
    IPI_RESCHEDULE = 1,
    IPI_SHOOTDOWN = 2,
    IPI_CENSUS = 4, /* debug kernels: kernel/mem/memory_debug.h */
    IPI_QUIESCE =
        8, /* nothing to do: to have answered is the answer (kernel/object/revocation.c) */
};

struct cpu {
    struct arch_cpu arch;         /* first: entry code finds it at offset 0 */
    struct arch_context *context; /* of the current thread; NULL: none */
    unsigned index;
    bool online;
    struct thread *current;
    struct vspace *vspace; /* active here; NULL: the kernel's alone */

    /* atomic: */
    uint64_t ipi_reasons;
    uint64_t shootdown_seen; /* newest ticket flushed for */

    /* run_lock: */
    struct spinlock run_lock;
    struct run_queue run_queue;
    bool idle;
    uint32_t running_priority; /* atomic: of what runs here; 0 when idle (sched/urgency.h) */

    /* Of threads of this CPU and of their operations, which have the room for them. */
    struct deadline_heap timers;
    bool reschedule; /* a more urgent task became ready here */
    uint64_t quantum_end_ns;
    struct sched_context *payer; /* on whose budget the current thread runs; NULL: on none */
    uint64_t run_start_ns;       /* from when on nobody is charged, and nothing counted */
    struct thread *ran;          /* has left the CPU, on no budget, and is not counted yet */
    uint64_t timer_armed_ns;

    /* Work done for others since somebody set this to 0, in bytes of messages delivered, which cost
     * an instruction for 8: what a submission's own fields do not tell. */
    uint32_t effects;

    /* frame cache */
    unsigned frame_cache_count;
    paddr_t frame_cache[CPU_FRAME_CACHE];

    /* debug: locks held, in order of taking */
    unsigned locks_held;
    const struct spinlock *lock_held[CPU_LOCKS_HELD_MAX];

    /* debug: what this piece of work did, kernel/work_check.h */
    unsigned work_locks;
    unsigned work_allocations;
    unsigned memory_permits;

    /* messages to kernel objects are copied here before they are looked at */
    struct scratch call_scratch;
    struct scratch result_scratch;
    ALIGNED(16) uint8_t call_bytes[LIMIT_CALL_BYTES];
    ALIGNED(16) uint8_t result_bytes[LIMIT_ANSWER_BYTES];
};

extern struct cpu *cpus[LIMIT_CPUS]; /* NULL: no such CPU */
extern unsigned cpu_count;           /* CPUs online; fixed once the first program runs */

/* Picks what runs next on this CPU and runs it, for ever. Holds no lock. */
NORETURN void cpu_run(struct cpu *cpu);

/* Sends an IPI with `reasons` unless it is this CPU. */
void cpu_notify(struct cpu *cpu, uint64_t reasons);

#endif
