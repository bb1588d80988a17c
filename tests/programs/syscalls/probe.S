/* SPDX-License-Identifier: MIT */
/*
 * syscall_probe: one system call with every register chosen, and every register seen afterwards.
 * struct probe (probe.h) is at `probe_block`; it is addressed absolutely, because no register may be
 * trusted around the call, the stack pointer least of all.
 */
    .section .note.GNU-stack, "", @progbits

    .set RAX, 0
    .set RBX, 8
    .set RCX, 16
    .set RDX, 24
    .set RSI, 32
    .set RDI, 40
    .set RBP, 48
    .set RSP, 56
    .set R8, 64
    .set R9, 72
    .set R10, 80
    .set R11, 88
    .set R12, 96
    .set R13, 104
    .set R14, 112
    .set R15, 120
    .set FLAGS, 128
    .set AFTER, 136         /* struct probe_registers `after` */
    .set SAVED_RSP, 272
    .set KEEP_RSP, 280      /* not 0: the stack pointer is left alone */
    .set SPIN, 288          /* iterations before the call, with the registers loaded */

    .text
    .globl syscall_probe
    .type syscall_probe, @function
syscall_probe:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, probe_block + SAVED_RSP
    cmpq $0, probe_block + KEEP_RSP
    je 1f
    movq %rsp, probe_block + RSP
1:
    pushq probe_block + FLAGS
    popfq
    movq probe_block + RAX, %rax
    movq probe_block + RBX, %rbx
    movq probe_block + RCX, %rcx
    movq probe_block + RDX, %rdx
    movq probe_block + RSI, %rsi
    movq probe_block + RDI, %rdi
    movq probe_block + RBP, %rbp
    movq probe_block + RSP, %rsp
    movq probe_block + R8, %r8
    movq probe_block + R9, %r9
    movq probe_block + R10, %r10
    movq probe_block + R11, %r11
    movq probe_block + R12, %r12
    movq probe_block + R13, %r13
    movq probe_block + R14, %r14
    movq probe_block + R15, %r15
    /* `loop` keeps the flags; rcx is lost in the call anyway. */
    movq probe_block + SPIN, %rcx
2:
    loop 2b
    .globl syscall_probe_call
syscall_probe_call:
    syscall
    .globl syscall_probe_return
syscall_probe_return:
    movq %rax, probe_block + AFTER + RAX
    movq %rbx, probe_block + AFTER + RBX
    movq %rcx, probe_block + AFTER + RCX
    movq %rdx, probe_block + AFTER + RDX
    movq %rsi, probe_block + AFTER + RSI
    movq %rdi, probe_block + AFTER + RDI
    movq %rbp, probe_block + AFTER + RBP
    movq %rsp, probe_block + AFTER + RSP
    movq %r8, probe_block + AFTER + R8
    movq %r9, probe_block + AFTER + R9
    movq %r10, probe_block + AFTER + R10
    movq %r11, probe_block + AFTER + R11
    movq %r12, probe_block + AFTER + R12
    movq %r13, probe_block + AFTER + R13
    movq %r14, probe_block + AFTER + R14
    movq %r15, probe_block + AFTER + R15
    movq probe_block + SAVED_RSP, %rsp
    pushfq
    popq probe_block + AFTER + FLAGS
    pushq $2
    popfq
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
    .size syscall_probe, . - syscall_probe

/* void segments_set(uint64_t selector): loads every data segment register but ss */
    .globl segments_set
    .type segments_set, @function
segments_set:
    movl %edi, %ds
    movl %edi, %es
    movl %edi, %fs
    movl %edi, %gs
    ret
    .size segments_set, . - segments_set

/* uint64_t segments_get(void): all of them, or'ed */
    .globl segments_get
    .type segments_get, @function
segments_get:
    movl %ds, %eax
    movl %es, %ecx
    orl %ecx, %eax
    movl %fs, %ecx
    orl %ecx, %eax
    movl %gs, %ecx
    orl %ecx, %eax
    ret
    .size segments_get, . - segments_get

    .bss
    .balign 64
    .globl probe_block
    .type probe_block, @object
probe_block:
    .zero 296
    .size probe_block, . - probe_block
