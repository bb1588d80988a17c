/* SPDX-License-Identifier: MIT */
/* The two system calls and the submissions behind the first. Theory in dispatch.c. */
#ifndef KERNEL_DISPATCH_DISPATCH_H
#define KERNEL_DISPATCH_DISPATCH_H

#include "kernel/sched/thread.h"

/*
 * Goes on with the cap_enter of `thread`, which is current and loaded: drains, posts, and returns
 * true when the system call is to return to the user (its result is set); false: the thread waits
 * or has given way, and the caller takes it off the CPU. Never nests cpu_run, whose depth on the
 * kernel stack is bounded by that.
 */
MUST_USE bool dispatch_continue(struct cpu *cpu, struct thread *thread);

/* cap_enter of the current thread by the ways that ask nothing of its ring. No lock is held. */
int64_t dispatch_enter(uint64_t min_complete, uint64_t timeout_ns, struct cpu *cpu);

/* cap_enter(1, TIMEOUT_NONE) of the current thread, which perhaps answers a link of a chain
 * (handoff_relay); else by the ways above. No lock is held. */
int64_t dispatch_link(struct cpu *cpu, struct thread *thread);

/* Carries out a few submissions of the current thread, which a timer interrupt met in user mode, as
 * long as they are safe (ring_take_at_tick): a program that computes for long need not enter. */
void dispatch_tick(struct cpu *cpu, struct thread *thread);

#endif
