/* SPDX-License-Identifier: MIT */
/*
 * What one piece of kernel work does, asserted; kernel/work_check.h says what it may.
 *
 * 1. `memory_permits` is 0 whenever a piece begins.
 * 2. Memory is taken only while it is not 0, or before the first program runs.
 * 3. work_locks and work_allocations never exceed their limits; each piece counts from 0.
 *
 * Each CPU counts for itself, with interrupts off.
 */
#include "kernel/work_check.h"

#include "core/assert.h"

static bool booted;

void work_begin(void)
{
    struct cpu *cpu = arch_cpu_this();

    ASSERT(cpu->memory_permits == 0); /* 1 */
    cpu->work_locks = 0;
    cpu->work_allocations = 0;
}

void work_lock(struct cpu *cpu)
{
    ASSERT(!booted || ++cpu->work_locks <= WORK_LOCKS_MAX); /* 3 */
}

void work_allocation(void)
{
    struct cpu *cpu = arch_cpu_this();

    if (booted) {
        ASSERT(cpu->memory_permits > 0);                         /* 2 */
        ASSERT(++cpu->work_allocations <= WORK_ALLOCATIONS_MAX); /* 3 */
    }
}

void memory_permit_begin(void)
{
    arch_cpu_this()->memory_permits++;
}

void memory_permit_end(void)
{
    struct cpu *cpu = arch_cpu_this();

    ASSERT(cpu->memory_permits > 0);
    cpu->memory_permits--;
}

void memory_permit_booted(void)
{
    booted = true;
}
