/* SPDX-License-Identifier: MIT */
/* The six functions of kernel/arch/arch.h that are too small to be called. */
#ifndef KERNEL_ARCH_X86_64_ARCH_INLINE_H
#define KERNEL_ARCH_X86_64_ARCH_INLINE_H

#include "kernel/arch/x86_64/layout.h"

/* Not volatile: a CPU never becomes another while kernel code runs. */
static inline struct cpu *arch_cpu_this(void)
{
    struct cpu *cpu;

    __asm__("movq %%gs:%c1, %0" : "=r"(cpu) : "i"(CPU_SELF));
    return cpu;
}

static inline void arch_spin_hint(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline void arch_lock_point(void)
{
}

static inline void *arch_frame_pointer(paddr_t frame)
{
    return (void *)(LAYOUT_DIRECT_BASE + frame);
}

/* Copies whole words between two places that do not overlap. */
static inline void arch_copy_words(void *to, const void *from, size_t words)
{
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

/* entry.S; the kernel has no red zone that the call could write to. */
static inline void arch_call_rarely(void (*function)(void *), void *argument)
{
    __asm__ volatile("call arch_call_saving" : "+a"(function), "+D"(argument) : : "memory", "cc");
}

#endif
