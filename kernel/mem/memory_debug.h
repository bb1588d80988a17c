/* SPDX-License-Identifier: MIT */
/*
 * What a debug kernel does beyond a release kernel in kernel/mem: kernel/debug/memory_debug.c has
 * the checks, kernel/release/memory_debug.c has empty functions.
 */
#ifndef KERNEL_MEM_MEMORY_DEBUG_H
#define KERNEL_MEM_MEMORY_DEBUG_H

#include "kernel/arch/arch.h"

/* Whether free kernel objects are filled with SLAB_POISON and verified. */
bool memory_debug_poison(void);

/* `frame` is about to be freed: asserts that no CPU's cache holds it. */
void memory_debug_frame_freed(paddr_t frame);

/* `frame` is about to be handed out without being zeroed: asserts that it is zero. */
void memory_debug_frame_is_zero(paddr_t frame);

#endif
