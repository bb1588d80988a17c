/* SPDX-License-Identifier: MIT */
/*
 * The ways into the kernel and out of it.
 *
 * GS. In the kernel the GS base is this CPU's struct cpu, in user mode it is 0 (a user can load GS
 * selectors, but every descriptor has base 0, and user FSGSBASE is off). SWAPGS at each crossing
 * exchanges the two. NMI, double fault and machine check can hit between the crossing and its
 * SWAPGS; they look at the base itself.
 *
 * System call. SYSCALL leaves RIP in rcx and RFLAGS in r11 and switches no stack. Interrupts are
 * off (FMASK), so the only things that can interrupt the first instructions have stacks of their
 * own. What the C calling convention would lose is stored in the thread's context, which r8 names
 * for those stores; like it, everything else is dead by the ABI (abi/syscall.h). The arguments stay
 * in the registers that they came in. When kernel_syscall returns, the callee-saved registers still
 * hold the user's values.
 *
 * SYSRET's pitfalls: (1) a non-canonical return address faults in the kernel on some CPUs, with the
 * user's stack pointer loaded; the address is tested before, and LIMIT_USER_MAX keeps the last user
 * page unmapped so that RIP + 2 never crosses. (2) Between loading the user's rsp and SYSRETQ
 * nothing can interrupt but what has its own stack. (3) RFLAGS come from the context, which only
 * the CPU and arch_context_init write; FMASK cleared TF, IF, DF, NT, AC and IOPL for the kernel's
 * own time. (4) Caller-saved registers are zeroed so that no kernel value leaves.
 *
 * Interrupt or fault in user mode: the CPU pushes on the kernel stack (TSS), everything goes to the
 * context, the stack is empty again, C is called, and IRETQ brings everything back.
 *
 * Interrupt or fault in the kernel: everything on the current stack as a struct trap_frame, with a
 * frame record behind it so that backtraces go through. AC (SMAP's window) is cleared on the way
 * in, because interrupts do not clear it.
 */
#include "kernel/arch/x86_64/layout.h"
#include "kernel/arch/x86_64/smap_site.h"

    .section .text.entry, "ax"

/* ---- system call ----------------------------------------------------------------------------- */

    .global entry_syscall
    .type entry_syscall, @function
    .balign 64
entry_syscall:
    swapgs
    movq %gs:CPU_CONTEXT, %r8
    movq %rsp, CONTEXT_RSP(%r8)
    movq %gs:CPU_STACK_TOP, %rsp
    movq %rcx, CONTEXT_RIP(%r8)
    movq %r11, CONTEXT_RFLAGS(%r8)
    movq %rbx, CONTEXT_RBX(%r8)
    movq %rbp, CONTEXT_RBP(%r8)
    movq %r12, CONTEXT_R12(%r8)
    movq %r13, CONTEXT_R13(%r8)
    movq %r14, CONTEXT_R14(%r8)
    movq %r15, CONTEXT_R15(%r8)
    movl $CONTEXT_SAVED_SYSCALL, CONTEXT_SAVED(%r8)
    movq %rax, %rcx
    movq %gs:CPU_SELF, %rdx
    call kernel_syscall
    movq %gs:CPU_CONTEXT, %rdi

/* rdi: context; rax: result; callee-saved registers: the user's. */
leave_by_sysret:
    movq CONTEXT_RIP(%rdi), %rcx
    movq CONTEXT_RFLAGS(%rdi), %r11
    movq %rcx, %rdx
    shrq $47, %rdx
    jnz leave_refused
    movq CONTEXT_RSP(%rdi), %rsp
    xorl %esi, %esi
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    xorl %edi, %edi
    swapgs
    sysretq
    .size entry_syscall, . - entry_syscall

/* The context's program counter is not canonical: its thread faults. rdi: context */
leave_refused:
    movq %rax, CONTEXT_RAX(%rdi)
    movq %gs:CPU_STACK_TOP, %rsp
    movq %gs:CPU_SELF, %rdi
    xorl %ebp, %ebp
    call trap_refuse_resume
    ud2

/* ---- leaving to any context ------------------------------------------------------------------ */

    .global arch_context_resume
    .type arch_context_resume, @function
    .balign 16
arch_context_resume:
    movq CONTEXT_RBX(%rdi), %rbx
    movq CONTEXT_RBP(%rdi), %rbp
    movq CONTEXT_R12(%rdi), %r12
    movq CONTEXT_R13(%rdi), %r13
    movq CONTEXT_R14(%rdi), %r14
    movq CONTEXT_R15(%rdi), %r15
    movq CONTEXT_RAX(%rdi), %rax
    cmpl $CONTEXT_SAVED_ALL, CONTEXT_SAVED(%rdi)
    jne leave_by_sysret

    movq CONTEXT_RIP(%rdi), %rcx
    movq %rcx, %rdx
    shrq $47, %rdx
    jnz leave_refused
    movq %gs:CPU_STACK_TOP, %rsp
    pushq $SELECTOR_USER_DATA
    pushq CONTEXT_RSP(%rdi)
    pushq CONTEXT_RFLAGS(%rdi)
    pushq $SELECTOR_USER_CODE
    pushq %rcx
    movq CONTEXT_RSI(%rdi), %rsi
    movq CONTEXT_RDX(%rdi), %rdx
    movq CONTEXT_RCX(%rdi), %rcx
    movq CONTEXT_R8(%rdi), %r8
    movq CONTEXT_R9(%rdi), %r9
    movq CONTEXT_R10(%rdi), %r10
    movq CONTEXT_R11(%rdi), %r11
    movq CONTEXT_RDI(%rdi), %rdi
    swapgs
    iretq
    .size arch_context_resume, . - arch_context_resume

/* rdi: struct cpu */
    .global arch_cpu_restart
    .type arch_cpu_restart, @function
    .balign 16
arch_cpu_restart:
    movq %gs:CPU_STACK_TOP, %rsp
    xorl %ebp, %ebp
    call cpu_run
    ud2
    .size arch_cpu_restart, . - arch_cpu_restart

/* ---- calls that leave every register as it was ------------------------------------------------ */

/* rax: function of one pointer; rdi: the pointer; both are lost, nothing else is. */
    .global arch_call_saving
    .type arch_call_saving, @function
    .balign 16
arch_call_saving:
    pushq %rbp
    movq %rsp, %rbp
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    andq $-16, %rsp
    call *%rax
    leaq -56(%rbp), %rsp
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbp
    ret
    .size arch_call_saving, . - arch_call_saving

/* ---- interrupts and faults ------------------------------------------------------------------- */

.macro SAVE_ALL
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
.endm

.macro RESTORE_ALL
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
.endm

/* Offsets in a struct trap_frame of what the frame record repeats. */
#define FRAME_RBP 32
#define FRAME_RIP 136

/* Calls `function` with the trap frame at rsp, behind a frame record of the interrupted code. */
.macro CALL_WITH_FRAME function:req
    movq %rsp, %rdi
    pushq FRAME_RIP(%rdi)
    pushq FRAME_RBP(%rdi)
    movq %rsp, %rbp
    call \function
    addq $16, %rsp
.endm

/*
 * One stub of 16 bytes for each vector: makes the frame uniform (error code, vector) and goes on.
 * The CPU pushes an error code at vectors 8, 10 to 14, 17, 21, 29 and 30. NMI (2), double fault (8)
 * and machine check (18) have stacks of their own and may come at any instruction.
 */
    .global entry_stubs
    .balign 16
entry_stubs:
    .set vector, 0
    .rept 256
    .if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
    pushq $0
    .endif
    pushq $vector
    .if vector == 2 || vector == 8 || vector == 18
    jmp entry_paranoid
    .else
    jmp entry_common
    .endif
    .balign 16
    .set vector, vector + 1
    .endr

    .type entry_common, @function
    .balign 64
entry_common:
    testb $3, 24(%rsp)
    jz entry_kernel
    swapgs
    pushq %rax
    movq %gs:CPU_CONTEXT, %rax
    movq %rbx, CONTEXT_RBX(%rax)
    movq %rbp, CONTEXT_RBP(%rax)
    movq %r12, CONTEXT_R12(%rax)
    movq %r13, CONTEXT_R13(%rax)
    movq %r14, CONTEXT_R14(%rax)
    movq %r15, CONTEXT_R15(%rax)
    movq %rdi, CONTEXT_RDI(%rax)
    movq %rsi, CONTEXT_RSI(%rax)
    movq %rdx, CONTEXT_RDX(%rax)
    movq %rcx, CONTEXT_RCX(%rax)
    movq %r8, CONTEXT_R8(%rax)
    movq %r9, CONTEXT_R9(%rax)
    movq %r10, CONTEXT_R10(%rax)
    movq %r11, CONTEXT_R11(%rax)
    popq CONTEXT_RAX(%rax)
    popq %rsi
    popq %rdx
    popq CONTEXT_RIP(%rax)
    addq $8, %rsp
    popq CONTEXT_RFLAGS(%rax)
    popq CONTEXT_RSP(%rax)
    addq $8, %rsp
    movl $CONTEXT_SAVED_ALL, CONTEXT_SAVED(%rax)
    cld
    SMAP_SITE SMAP_CLAC
    movq %gs:CPU_SELF, %rdi
    call trap_from_user
    movq %gs:CPU_CONTEXT, %rdi
    jmp arch_context_resume

entry_kernel:
    SAVE_ALL
    cld
    SMAP_SITE SMAP_CLAC
    CALL_WITH_FRAME trap_from_kernel
    RESTORE_ALL
    addq $16, %rsp
    iretq
    .size entry_common, . - entry_common

    .type entry_paranoid, @function
    .balign 16
entry_paranoid:
    SAVE_ALL
    cld
    SMAP_SITE SMAP_CLAC
    movl $0xc0000101, %ecx /* GS base: negative in the kernel, 0 in user mode */
    rdmsr
    xorl %ebx, %ebx
    testl %edx, %edx
    js 1f
    swapgs
    incl %ebx
1:
    CALL_WITH_FRAME trap_paranoid
    testl %ebx, %ebx
    jz 2f
    swapgs
2:
    RESTORE_ALL
    addq $16, %rsp
    iretq
    .size entry_paranoid, . - entry_paranoid

/* Where SYSCALL from 32-bit code would arrive; no such code segment exists. */
    .global entry_compat
    .type entry_compat, @function
entry_compat:
    ud2
    .size entry_compat, . - entry_compat

    .section .note.GNU-stack, "", @progbits
