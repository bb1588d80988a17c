/* SPDX-License-Identifier: MIT */
/* What entry.S hands to C. Theory in traps.c. */
#ifndef KERNEL_ARCH_X86_64_TRAPS_H
#define KERNEL_ARCH_X86_64_TRAPS_H

#include "kernel/arch/arch.h"

/* The interrupted kernel's registers on its stack; entry.S pushes them in this order, last first.
 */
struct trap_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
    uint64_t vector;
    uint64_t error;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* From entry.S. */
void trap_from_user(struct cpu *cpu, uint64_t vector, uint64_t error);
void trap_from_kernel(struct trap_frame *frame);
void trap_paranoid(struct trap_frame *frame);
NORETURN void trap_refuse_resume(struct cpu *cpu);

#endif
