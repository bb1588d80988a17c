/* SPDX-License-Identifier: MIT */
/* x87, SSE and AVX registers of threads. Theory in fpu.c. */
#ifndef KERNEL_ARCH_X86_64_FPU_H
#define KERNEL_ARCH_X86_64_FPU_H

#include "kernel/arch/arch.h"

/* Chooses the instructions. Once, after cpu_features_enable. */
void fpu_init(void);

/* The initial state, in which a program begins. */
void fpu_clear(uint8_t *area);

void fpu_save(uint8_t *area);
void fpu_load(const uint8_t *area);

#endif
