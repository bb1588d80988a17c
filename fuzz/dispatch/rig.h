/* SPDX-License-Identifier: MIT */
/*
 * The kernel on strings: the host kernel with one CPU, whose programs are played by the caller.
 * rig.c has the theory.
 */
#ifndef FUZZ_DISPATCH_RIG_H
#define FUZZ_DISPATCH_RIG_H

#include "kernel/sched/process.h"

/* Whose move it is when the kernel is left. */
enum rig_turn {
    RIG_PROGRAM, /* the current thread of the CPU is in its program */
    RIG_ASLEEP,  /* every thread waits, and no timer is set */
    RIG_ENDED,   /* the machine was powered off, or panicked */
};

/* Boots a machine up to the first instruction of init. Once in a process. */
void rig_boot(const uint8_t *manifest, size_t bytes);

/* What is now is what rig_reset goes back to. Once. */
void rig_keep(void);
void rig_reset(void);

enum rig_turn rig_turn(void);
/* The thread that runs; only when it is a program's turn. */
struct thread *rig_thread(void);

/* Moves of the program. Each returns when it is somebody's turn again. */
void rig_syscall(uint64_t number, uint64_t argument0, uint64_t argument1);
void rig_fault(uint64_t address);
/* Time passes until the next timer, at most `at_most_ns`; its interrupt comes if it is due. */
void rig_wait(uint64_t at_most_ns);
/* Ends init as if it had exited; with it the machine ends. */
void rig_end_init(void);

/* Memory for the kernel: `count` allocations fail after the next `after`. */
void rig_starve(uint32_t after, uint32_t count);

/* A byte of the current thread's memory, through its page tables; NULL: it may not write there. */
uint8_t *rig_user_byte(struct thread *thread, uint64_t address);

/* What the kernel wrote since rig_keep, as a string; the last part of it, if it is long. */
const char *rig_console(void);

#endif
