/* SPDX-License-Identifier: MIT */
/*
 * Where a thread begins: rdi is its StartInfo page, every other general register is zero, rsp the
 * top of its stack. The stack is aligned as the psABI asks before a call, and rbp is zero so that a
 * backtrace ends here.
 */
    .section .note.GNU-stack, "", @progbits

    .section .text.start, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    xorl %ebp, %ebp
    andq $-16, %rsp
    call rt_main
    ud2
    .size _start, . - _start

    .text
    .globl rt_thread_begin
    .type rt_thread_begin, @function
rt_thread_begin:
    xorl %ebp, %ebp
    andq $-16, %rsp
    call rt_thread_main
    ud2
    .size rt_thread_begin, . - rt_thread_begin
