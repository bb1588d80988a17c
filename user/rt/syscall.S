/* SPDX-License-Identifier: MIT */
/*
 * What C cannot say on x86-64: the two system calls, any other number, and the cycle counter. The
 * argument registers of a C call are those of a system call (abi/syscall.h), and the registers that
 * a system call loses are lost by a C call too, so each is two instructions.
 */
    .section .note.GNU-stack, "", @progbits
    .text

/* int64_t rt_syscall_cap_enter(uint64_t min_complete, uint64_t timeout_ns) */
    .globl rt_syscall_cap_enter
    .type rt_syscall_cap_enter, @function
rt_syscall_cap_enter:
    movl $1, %eax
    syscall
    ret
    .size rt_syscall_cap_enter, . - rt_syscall_cap_enter

/* int64_t rt_syscall_exit(uint64_t code, uint64_t scope) */
    .globl rt_syscall_exit
    .type rt_syscall_exit, @function
rt_syscall_exit:
    movl $2, %eax
    syscall
    ret
    .size rt_syscall_exit, . - rt_syscall_exit

/* int64_t rt_syscall_raw(uint64_t argument0, uint64_t argument1, uint64_t number) */
    .globl rt_syscall_raw
    .type rt_syscall_raw, @function
rt_syscall_raw:
    movq %rdx, %rax
    syscall
    ret
    .size rt_syscall_raw, . - rt_syscall_raw

/* uint64_t rt_cycle_counter(void) */
    .globl rt_cycle_counter
    .type rt_cycle_counter, @function
rt_cycle_counter:
    rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    ret
    .size rt_cycle_counter, . - rt_cycle_counter

/* void rt_cpu_pause(void): body of a spin loop */
    .globl rt_cpu_pause
    .type rt_cpu_pause, @function
rt_cpu_pause:
    pause
    ret
    .size rt_cpu_pause, . - rt_cpu_pause
