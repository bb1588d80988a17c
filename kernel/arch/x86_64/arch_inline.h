/* SPDX-License-Identifier: MIT */
/* The seven functions of kernel/arch/arch.h that are too small to be called. */
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

extern uint64_t arch_clock_scale; /* timer.c: ns for a cycle, 32.32; fixed once it is measured */

static inline uint64_t arch_clock_ns(void)
{
    uint64_t low, high; /* rdtsc clears the upper halves (Intel SDM vol. 2B) */
    uint64_t cycles;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    cycles = high << 32 | low;
    __asm__("addq %%gs:%c1, %0" : "+r"(cycles) : "i"(CPU_CLOCK) : "cc");
    return (uint64_t)(((unsigned __int128)cycles * arch_clock_scale) >> 32);
}

#endif
