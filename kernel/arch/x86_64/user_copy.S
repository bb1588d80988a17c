/* SPDX-License-Identifier: MIT */
/*
 * The only instructions that touch user memory by user addresses: arch_copy_from_user and
 * arch_copy_to_user (arch.h). The direction does not matter to the code; they are two functions so
 * that a fault report tells which it was. Interrupts are off, the window (STAC to CLAC) is as long
 * as the copy. A page fault at a copying instruction goes on at the address its entry in
 * .copy_fixups names (traps.c), where the answer is false.
 */
#include "kernel/arch/x86_64/layout.h"
#include "kernel/arch/x86_64/smap_site.h"

.macro COPY_FIXUP instruction:req, continue:req
    .pushsection .copy_fixups, "a"
    .quad \instruction
    .quad \continue
    .popsection
.endm

/* rdi: to; rsi: from; rdx: bytes; al: whether all was copied */
.macro COPY_FUNCTION name:req
    .global \name
    .type \name, @function
    .balign 16
\name:
    movq %rdx, %rcx
    shrq $3, %rcx
    SMAP_SITE SMAP_STAC
.Lwords_\@:
    rep movsq
    movl %edx, %ecx
    andl $7, %ecx
.Lbytes_\@:
    rep movsb
    SMAP_SITE SMAP_CLAC
    movl $1, %eax
    ret
.Lfault_\@:
    SMAP_SITE SMAP_CLAC
    xorl %eax, %eax
    ret
    COPY_FIXUP .Lwords_\@, .Lfault_\@
    COPY_FIXUP .Lbytes_\@, .Lfault_\@
    .size \name, . - \name
.endm

    .section .text.user_copy, "ax"
COPY_FUNCTION arch_copy_from_user
COPY_FUNCTION arch_copy_to_user

    .section .note.GNU-stack, "", @progbits
