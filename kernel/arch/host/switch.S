/* SPDX-License-Identifier: MIT */
/*
 * What C cannot say: changing stacks. The host is x86-64 with the System V ABI; rbx, rbp, r12 to
 * r15, the x87 control word and MXCSR survive a call.
 *
 * A stopped stack, from its stack pointer up: MXCSR and control word (8 bytes), r15, r14, r13, r12,
 * rbx, rbp, return address.
 */
    .section .note.GNU-stack, "", @progbits

    .macro SAVE_REGISTERS
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    .endm

    .macro LOAD_REGISTERS
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    .endm

    .macro FUNCTION name
    .globl \name
    .type \name, @function
\name:
    .endm

    .text

/* void host_switch(void **save, void *to) */
FUNCTION host_switch
    SAVE_REGISTERS
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    LOAD_REGISTERS
    ret
    .size host_switch, . - host_switch

/* void host_stack_run(void *top, void (*function)(void *), void *argument) */
FUNCTION host_stack_run
    movq %rdi, %rsp
    movq %rdx, %rdi
    xorl %ebp, %ebp
    call *%rsi
    ud2
    .size host_stack_run, . - host_stack_run

/* void host_user_resume(uint64_t stack_pointer, uint64_t result) */
FUNCTION host_user_resume
    movq %rdi, %rsp
    movq %rsi, %rax
    LOAD_REGISTERS
    xorl %ecx, %ecx
    xorl %edx, %edx
    xorl %esi, %esi
    xorl %edi, %edi
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    xorl %r11d, %r11d
    ret
    .size host_user_resume, . - host_user_resume

/* void host_user_start(uint64_t stack_top, uint64_t entry, uint64_t argument) */
FUNCTION host_user_start
    leaq -8(%rdi), %rsp
    movq %rsi, %rax
    movq %rdx, %rdi
    xorl %ebx, %ebx
    xorl %ebp, %ebp
    xorl %ecx, %ecx
    xorl %edx, %edx
    xorl %esi, %esi
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    xorl %r11d, %r11d
    xorl %r12d, %r12d
    xorl %r13d, %r13d
    xorl %r14d, %r14d
    xorl %r15d, %r15d
    jmp *%rax
    .size host_user_start, . - host_user_start

/*
 * The edge of a program on the host: user/rt/syscall.h's five functions. A system call or a hint
 * leaves the program's stack for the kernel stack of the CPU.
 */
FUNCTION rt_syscall_cap_enter
    movl $1, %edx
    jmp host_user_leave
    .size rt_syscall_cap_enter, . - rt_syscall_cap_enter

FUNCTION rt_syscall_exit
    movl $2, %edx
    jmp host_user_leave
    .size rt_syscall_exit, . - rt_syscall_exit

/* Numbers that no system call has, so that a loop over all of them never meets a hint. */
FUNCTION rt_cycle_counter
FUNCTION rt_cpu_pause
    movabsq $0x686f737468696e74, %rdx
    jmp host_user_leave
    .size rt_cpu_pause, . - rt_cpu_pause

FUNCTION rt_syscall_raw
host_user_leave:
    SAVE_REGISTERS
    movq %rsp, %rcx
    movq host_kernel_stack(%rip), %rsp
    xorl %ebp, %ebp
    call host_user_call
    ud2
    .size rt_syscall_raw, . - rt_syscall_raw
