/* SPDX-License-Identifier: MIT */
/*
 * The two system calls. Number in the first result register (x86-64: rax), arguments in the first
 * two argument registers (rdi, rsi), result in rax. Callee-saved registers are kept; every other
 * general register comes back as zero, rcx and r11 as SYSCALL defines them. Every other number
 * returns TRANSPORT_NO_SYSCALL and has no effect.
 */
#ifndef ABI_SYSCALL_H
#define ABI_SYSCALL_H

/*
 * cap_enter(min_complete, timeout_ns): drains the submission queue (at most LIMIT_DISPATCH_BATCH
 * entries), then returns the number of completions that wait in the queue once it is at least
 * min_complete or timeout_ns have passed. timeout_ns 0: do not wait; all ones: no limit of time.
 * Errors: BAD_ARGUMENT (min_complete exceeds the queue), RING_CORRUPT, INTERRUPTED.
 */
#define SYSCALL_CAP_ENTER 1

/* exit(code, scope): ends the thread (EXIT_THREAD) or the process (EXIT_PROCESS); does not return
 * unless scope is neither: BAD_ARGUMENT. */
#define SYSCALL_EXIT 2

#define EXIT_THREAD  0
#define EXIT_PROCESS 1

#define TIMEOUT_NONE UINT64_MAX

#endif
