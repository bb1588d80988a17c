/* SPDX-License-Identifier: MIT */
/*
 * Where a secondary CPU begins: 16-bit real mode, cs = page << 8, ip = 0 (AMD64 vol. 2, 16.7.7).
 * smp.c copies the code between trampoline_start and trampoline_end into a page below 1 MiB and
 * writes the parameters (layout.h) at its end. The code goes straight from real to long mode on the
 * boot tables, which map that page at its physical address, and then leaves the page for good.
 *
 * A CPU that was given up and arrives late must not share a stack with the next one: whoever
 * takes the claim word first goes on, everybody else halts.
 */
#include "kernel/arch/x86_64/layout.h"

#define CR0_START 0x80000011 /* paging, extension type, protection */
#define CR4_START 0x20       /* physical address extension */
#define MSR_EFER  0xc0000080
#define EFER_BITS 0x900      /* no-execute, long mode */

    .section .text.trampoline, "ax"
    .code16
    .global trampoline_start
    .global trampoline_end
    .balign 16
trampoline_start:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    xorl %eax, %eax
    xchgl %eax, TRAMPOLINE_CLAIM
    testl %eax, %eax
    jz 1f
    movl $CR4_START, %eax
    movl %eax, %cr4
    movl TRAMPOLINE_TABLES, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_BITS, %eax
    wrmsr
    lgdtl TRAMPOLINE_GDT
    movl $CR0_START, %eax
    movl %eax, %cr0
    ljmpl *TRAMPOLINE_JUMP
1:  hlt
    jmp 1b

    .code64
    .global trampoline_long
trampoline_long:
    /* rip-relative: the page's own parameters, through the identity map */
    movq trampoline_start + TRAMPOLINE_STACK(%rip), %rsp
    movq trampoline_start + TRAMPOLINE_CPU(%rip), %rdi
    movq trampoline_start + TRAMPOLINE_ROOT(%rip), %rsi
    movabsq $secondary_high_half, %rax
    jmpq *%rax
    .balign 8
    .global trampoline_gdt
trampoline_gdt:
    .quad 0
    .quad 0x00209b0000000000 /* 64-bit code */
    .quad 0x0000930000000000 /* data */
trampoline_end:

    .section .text.boot, "ax"
    .type secondary_high_half, @function
secondary_high_half:
    movq %rsi, %cr3
    xorl %eax, %eax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    movw %ax, %ss /* the descriptors are out of reach by now; cpu_tables_load sets it */
    xorl %ebp, %ebp
    call secondary_start
    ud2
    .size secondary_high_half, . - secondary_high_half

    .section .note.GNU-stack, "", @progbits
