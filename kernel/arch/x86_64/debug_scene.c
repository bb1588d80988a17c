/* SPDX-License-Identifier: MIT */
/*
 * Things the kernel never does, done on purpose by kernel/debug/scene.c (command line: debug=...),
 * so that boot scenes see each protection stop them. Where a protection is absent they return, and
 * the scene fails.
 */
#include "kernel/arch/arch.h"

void arch_debug_execute(vaddr_t address)
{
    __asm__ volatile("call *%0" : : "r"(address) : "memory");
}

void arch_debug_read(vaddr_t address)
{
    uint64_t word;

    __asm__ volatile("movq (%1), %0" : "=r"(word) : "r"(address) : "memory");
}

/* Pushes without end, as unbounded recursion would. */
void arch_debug_overflow(void)
{
    for (;;) {
        __asm__ volatile("pushq $0" : : : "memory");
    }
}
