/* SPDX-License-Identifier: MIT */
/* This kernel does not count its work. */
#ifndef WORK_CHECK_HOOKS_H
#define WORK_CHECK_HOOKS_H

static inline void work_begin(void)
{
}

static inline void work_lock(struct cpu *cpu)
{
    (void)cpu;
}

static inline void work_allocation(void)
{
}

static inline void memory_permit_begin(void)
{
}

static inline void memory_permit_end(void)
{
}

static inline void memory_permit_booted(void)
{
}

#endif
