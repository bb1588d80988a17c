/* SPDX-License-Identifier: MIT */
/* What this machine's processors can do, and switching it on. Theory in cpu_features.c. */
#ifndef KERNEL_ARCH_X86_64_CPU_FEATURES_H
#define KERNEL_ARCH_X86_64_CPU_FEATURES_H

#include "core/assert.h"

struct cpu_features {
    bool no_execute;
    bool pages_1g;
    bool smep;
    bool smap;
    bool umip;
    bool xsave;
    bool xsaveopt;
    bool avx;
    bool rdrand;
    bool machine_check;
    bool emulated;               /* a hypervisor or emulator says so */
    bool float_pointers_leak;    /* FXRSTOR/XRSTOR leave the last x87 pointers of somebody else */
    uint64_t kernel_flags_clear; /* RFLAGS that no program can leave set in the kernel */
};

extern struct cpu_features cpu_features;

/* Reads CPUID of the boot CPU and, with SMAP, makes STAC and CLAC of the prepared NOPs. Once, while
 * the kernel's text is writable. */
void cpu_features_detect(void);

/* Sets this CPU's control registers and system call registers. The boot CPU and then every other.
 */
void cpu_features_enable(void);

/* Asserts on this CPU that every protection the machine has is on. */
void cpu_features_check(void);

/* Asserts that nothing a program set in RFLAGS is set in the kernel: above all AC, SMAP's window.
 */
static inline void cpu_flags_check(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
    ASSERT((flags & cpu_features.kernel_flags_clear) == 0);
}

#endif
