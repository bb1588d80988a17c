/* SPDX-License-Identifier: MIT */
/*
 * What a debug kernel checks in kernel/mem: some things at each step, all x_check() functions in a
 * periodic census.
 *
 * The census is exact because of a rendezvous: CPU 0 interrupts every other CPU, each of them notes
 * the round it has come for and stays in its interrupt handler until the round is released. Kernel
 * code is interrupted between steps only, so nobody is inside an allocator then. CPU 0 holds no
 * lock while it waits, so every CPU comes; one that the host does not run in time makes the round
 * void, no more.
 *
 * 1. `released` never exceeds `called`; both rise by one, by CPU 0 alone.
 * 2. arrived[i] is the last round CPU i has seen; CPU i stays while that is above `released`.
 */
#include "kernel/mem/memory_debug.h"

#include "abi/atomic.h"
#include "core/assert.h"
#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/mem/account.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/shootdown.h"

#define CENSUS_PERIOD_NS UINT64_C(50000000)
#define CENSUS_WAIT_NS   UINT64_C(200000000)

static struct {
    uint64_t due_ns; /* CPU 0's own */
    /* atomic: */
    uint64_t called;
    uint64_t released;
    uint64_t arrived[LIMIT_CPUS];
} census;

bool memory_debug_poison(void)
{
    return true;
}

void memory_debug_frame_freed(paddr_t frame)
{
    for (unsigned i = 0; i < LIMIT_CPUS; i++) {
        for (unsigned s = 0; cpus[i] != NULL && s < CPU_FRAME_CACHE; s++) {
            uint64_t slot = atomic_load_relaxed_u64(&cpus[i]->frame_cache[s]);

            ASSERT((slot & ~(FRAME_BYTES - UINT64_C(1))) != frame); /* freed twice */
        }
    }
}

void memory_debug_frame_is_zero(paddr_t frame)
{
    const uint64_t *word = arch_frame_pointer(frame);
    uint64_t any = 0;

    for (unsigned i = 0; i < FRAME_BYTES / sizeof(uint64_t); i++) {
        any |= word[i];
    }
    ASSERT(any == 0);
}

void memory_debug_teardown(struct vspace *vspace)
{
    ASSERT(vspace_check(vspace) == 0);
}

/* The conservation law of every line, and of frames their whole sum: what is owned or in quarantine
 * is the kernel's, a cache's, or charged to an account. */
static void ledger_check_all(const struct frames_census *frames)
{
    struct ledger_census ledger;

    if (accounts_kernel_frames == 0) {
        return;
    }
    for (enum ledger_line_name line = 0; line < LEDGER_LINES; line++) {
        ASSERT(accounts_census(line, &ledger) == 0);
        ASSERT(line != LEDGER_FRAMES || frames->owned + frames->quarantine ==
                                            accounts_kernel_frames + kmem_frames() + ledger.used);
    }
}

/* Nobody else is in kernel/mem. */
static void census_check(void)
{
    struct frames_census frames;

    ASSERT(frames_check() == 0);
    ASSERT(kmem_check() == 0);
    ASSERT(shootdown_check() == 0);
    for (unsigned i = 0; i < LIMIT_CPUS; i++) {
        if (cpus[i] != NULL && cpus[i]->vspace != NULL) {
            ASSERT(vspace_check(cpus[i]->vspace) == 0);
        }
    }
    frames_census_take(&frames);
    ASSERT(kmem_frames() <= frames.owned);
    ledger_check_all(&frames);
    log_line(LOG_DEBUG, "memory census %llu holds: %llu frames owned, %llu free",
             (unsigned long long)census.called, (unsigned long long)frames.owned,
             (unsigned long long)(frames.free + frames.cached));
}

static bool cpu_takes_part(const struct cpu *leader, unsigned index)
{
    return cpus[index] != NULL && cpus[index] != leader && cpus[index]->online;
}

/* Calls all others and waits for them; false: one did not come in time. */
static bool census_gather(const struct cpu *leader, uint64_t round)
{
    uint64_t end_ns = arch_clock_ns() + CENSUS_WAIT_NS;

    for (unsigned i = 0; i < LIMIT_CPUS; i++) {
        if (cpu_takes_part(leader, i)) {
            cpu_notify(cpus[i], IPI_CENSUS);
        }
    }
    for (unsigned i = 0; i < LIMIT_CPUS; i++) {
        while (cpu_takes_part(leader, i) && atomic_load_acquire_u64(&census.arrived[i]) != round) {
            if (arch_clock_ns() > end_ns) {
                return false;
            }
            arch_spin_hint();
        }
    }
    return true;
}

static void census_lead(const struct cpu *leader)
{
    uint64_t round = census.called + 1;

    atomic_store_release_u64(&census.called, round);
    if (census_gather(leader, round)) {
        census_check();
    }
    atomic_store_release_u64(&census.released, round);
}

static void census_attend(const struct cpu *cpu)
{
    uint64_t round = atomic_load_acquire_u64(&census.called);

    atomic_store_release_u64(&census.arrived[cpu->index], round);
    while (atomic_load_acquire_u64(&census.released) < round) {
        arch_spin_hint();
    }
}

void memory_debug_interrupt(struct cpu *cpu, uint64_t reasons)
{
    uint64_t now_ns;

    lock_check_none_held();
    if ((reasons & IPI_CENSUS) != 0) {
        census_attend(cpu);
    }
    if (cpu->index != 0 || user_copy_race_is_armed()) {
        return;
    }
    now_ns = arch_clock_ns();
    if (now_ns >= census.due_ns) {
        census_lead(cpu);
        census.due_ns = arch_clock_ns() + CENSUS_PERIOD_NS;
    }
}
