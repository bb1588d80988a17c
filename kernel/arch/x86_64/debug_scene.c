/* SPDX-License-Identifier: MIT */
/*
 * Things the kernel never does, done on purpose (command line: debug=...), so that scenes see each
 * protection stop them. When one does not, the scene must fail: each ends in a panic that says so.
 */
#include "kernel/arch/arch.h"
#include "kernel/log.h"

NORETURN void arch_debug_execute(vaddr_t address)
{
    __asm__ volatile("call *%0" : : "r"(address) : "memory");
    panic("debug: the kernel executed a user page and nothing stopped it");
}

NORETURN void arch_debug_read(vaddr_t address)
{
    uint64_t word;

    __asm__ volatile("movq (%1), %0" : "=r"(word) : "r"(address) : "memory");
    panic("debug: the kernel read a user page outside a window and nothing stopped it");
}

NORETURN void arch_debug_stack_overflow(void)
{
    /* Pushes without end, as unbounded recursion would. */
    for (;;) {
        __asm__ volatile("pushq $0" : : : "memory");
    }
}
