/* SPDX-License-Identifier: MIT */
/* What entry.S hands to C. Theory in traps.c. */
#ifndef KERNEL_ARCH_X86_64_TRAPS_H
#define KERNEL_ARCH_X86_64_TRAPS_H

#include "kernel/arch/arch.h"

/* Exceptions by vector (AMD64 vol. 2, 8.2). */
enum {
    VECTOR_DIVIDE = 0,
    VECTOR_DEBUG = 1,
    VECTOR_NMI = 2,
    VECTOR_BREAKPOINT = 3,
    VECTOR_UNDEFINED = 6,
    VECTOR_DOUBLE_FAULT = 8,
    VECTOR_PROTECTION = 13,
    VECTOR_PAGE = 14,
    VECTOR_X87 = 16,
    VECTOR_ALIGNMENT = 17,
    VECTOR_MACHINE_CHECK = 18,
    VECTOR_SIMD = 19,
};

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
