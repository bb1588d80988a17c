/* SPDX-License-Identifier: MIT */
/* This kernel checks what each piece of work does: work_check.c. */
#ifndef WORK_CHECK_HOOKS_H
#define WORK_CHECK_HOOKS_H

/* Another piece of work begins on this CPU. */
void work_begin(void);

/* A lock is about to be taken; memory is about to be. */
void work_lock(struct cpu *cpu);
void work_allocation(void);

/* Memory may be taken from here to there; they nest. Both on one CPU, in one piece of work. */
void memory_permit_begin(void);
void memory_permit_end(void);

/* The first program is about to run. */
void memory_permit_booted(void);

#endif
