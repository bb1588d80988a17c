/* SPDX-License-Identifier: MIT */
/* x87, SSE and AVX registers of threads. Theory in fpu.c. */
#ifndef KERNEL_ARCH_X86_64_FPU_H
#define KERNEL_ARCH_X86_64_FPU_H

#include "abi/compiler.h"
#include "kernel/arch/x86_64/cpu_features.h"

enum fpu_way {
    FPU_FXSAVE,
    FPU_XSAVE,
    FPU_XSAVEOPT,
};

extern enum fpu_way fpu_way; /* fixed by fpu_init */

/* Chooses the instructions. Once, after cpu_features_enable. */
void fpu_init(void);

/* The initial state, in which a program begins. */
void fpu_clear(uint8_t *area);

/* In each change of thread: small enough not to be called. */
static inline void fpu_save(uint8_t *area)
{
    if (LIKELY(fpu_way == FPU_XSAVEOPT)) {
        __asm__ volatile("xsaveopt64 %0" : : "m"(*area), "a"(-1), "d"(-1) : "memory");
    } else if (fpu_way == FPU_XSAVE) {
        __asm__ volatile("xsave64 %0" : : "m"(*area), "a"(-1), "d"(-1) : "memory");
    } else {
        __asm__ volatile("fxsave64 %0" : : "m"(*area) : "memory");
    }
}

static inline void fpu_load(const uint8_t *area)
{
    static const uint32_t fpu_nothing = 0;

    if (cpu_features.float_pointers_leak) {
        __asm__ volatile("fnclex\n\temms\n\tfildl %0" : : "m"(fpu_nothing));
    }
    if (UNLIKELY(fpu_way == FPU_FXSAVE)) {
        __asm__ volatile("fxrstor64 %0" : : "m"(*area) : "memory");
    } else {
        __asm__ volatile("xrstor64 %0" : : "m"(*area), "a"(-1), "d"(-1) : "memory");
    }
}

#endif
