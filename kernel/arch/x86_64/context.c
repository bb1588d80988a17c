/* SPDX-License-Identifier: MIT */
/*
 * A thread's registers. entry.S writes the general ones, on the way in; this file makes fresh ones,
 * and arch_switch.h moves what the entry leaves in the CPU.
 *
 * `saved` tells how much of a context holds something. By a system call only what the ABI keeps was
 * stored, and the way out is SYSRET with the rest zeroed; by an interrupt everything was, and the
 * way out is IRET. A fresh context counts as interrupted before its first instruction.
 *
 * FS base: a program cannot set it (user FSGSBASE is off) but can make it 0 by loading a selector.
 * So it never has to be saved, and is written at each change of thread, also when the next one has
 * the same: nobody knows without looking what the last one left. Selectors mean nothing in 64-bit
 * mode, but they can be read back: those a program left behind are cleared, so that the next one
 * does not find them.
 */
#include "core/assert.h"
#include "core/bits.h"
#include "core/string.h"
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/fpu.h"
#include "kernel/arch/x86_64/registers.h"
#include "kernel/cpu.h"

#define ASSERT_OFFSET(member, offset)                                                              \
    _Static_assert(offsetof(struct arch_context, member) == (offset), "offset in layout.h")
ASSERT_OFFSET(rbx, CONTEXT_RBX);
ASSERT_OFFSET(rbp, CONTEXT_RBP);
ASSERT_OFFSET(r12, CONTEXT_R12);
ASSERT_OFFSET(r13, CONTEXT_R13);
ASSERT_OFFSET(r14, CONTEXT_R14);
ASSERT_OFFSET(r15, CONTEXT_R15);
ASSERT_OFFSET(rsp, CONTEXT_RSP);
ASSERT_OFFSET(rip, CONTEXT_RIP);
ASSERT_OFFSET(rflags, CONTEXT_RFLAGS);
ASSERT_OFFSET(rax, CONTEXT_RAX);
ASSERT_OFFSET(rdi, CONTEXT_RDI);
ASSERT_OFFSET(rsi, CONTEXT_RSI);
ASSERT_OFFSET(rdx, CONTEXT_RDX);
ASSERT_OFFSET(rcx, CONTEXT_RCX);
ASSERT_OFFSET(r8, CONTEXT_R8);
ASSERT_OFFSET(r9, CONTEXT_R9);
ASSERT_OFFSET(r10, CONTEXT_R10);
ASSERT_OFFSET(r11, CONTEXT_R11);
ASSERT_OFFSET(saved, CONTEXT_SAVED);
ASSERT_OFFSET(fs_base, CONTEXT_FS_BASE);
ASSERT_OFFSET(fpu, CONTEXT_FPU);
_Static_assert(CONTEXT_FPU % 64 == 0, "XSAVE wants 64-byte alignment");

void arch_context_init(struct arch_context *context, const struct arch_start *start)
{
    ASSERT(is_aligned(start->stack_top, 16));
    memset(context, 0, sizeof(*context));
    context->saved = CONTEXT_SAVED_ALL;
    context->rip = start->entry;
    /* The ABI's stack at a function's first instruction: a return address below a multiple of 16.
     * Nothing stands there; who returns to it faults at 0. */
    context->rsp = start->stack_top - 8;
    context->rdi = start->argument;
    context->rflags = RFLAGS_RESERVED | RFLAGS_IF;
    context->fs_base = start->thread_pointer;
    fpu_clear(context->fpu);
}

/* Loading GS clears the base of the active GS on some CPUs: it must be the user's, which is 0. */
void selectors_clear(void)
{
    __asm__ volatile("movl %0, %%ds\n\t"
                     "movl %0, %%es\n\t"
                     "movl %0, %%fs\n\t"
                     "swapgs\n\t"
                     "movl %0, %%gs\n\t"
                     "swapgs"
                     :
                     : "r"(0)
                     : "memory");
}
