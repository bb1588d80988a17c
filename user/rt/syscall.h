/* SPDX-License-Identifier: MIT */
/*
 * The edge of a program: the two system calls and the clock. Everything else of the runtime is
 * portable C above these five functions.
 */
#ifndef USER_RT_SYSCALL_H
#define USER_RT_SYSCALL_H

#include "abi/compiler.h"
#include "abi/syscall.h"

/* Drains the calling thread's ring and waits; abi/syscall.h has the meaning and the errors. */
int64_t rt_syscall_cap_enter(uint64_t min_complete, uint64_t timeout_ns);

/* Ends the thread or the process. Returns BAD_ARGUMENT for any other scope. */
int64_t rt_syscall_exit(uint64_t code, uint64_t scope);

/* Any number, for tests that show what the others answer. */
int64_t rt_syscall_raw(uint64_t argument0, uint64_t argument1, uint64_t number);

/* Cycles; rate and zero point are in StartInfo. */
uint64_t rt_cycle_counter(void);

/* Body of a spin loop. */
void rt_cpu_pause(void);

#endif
