/* SPDX-License-Identifier: MIT */
/*
 * What a change of thread does to the CPU, for kernel/arch/arch.h. Theory in context.c. FPU and
 * segment bases go with the thread; general registers are the entry's (entry.S). What is inline
 * here reaches fpu_way, cpu_features, selectors_clear and kernel_map_root from portable code.
 */
#ifndef KERNEL_ARCH_X86_64_ARCH_SWITCH_H
#define KERNEL_ARCH_X86_64_ARCH_SWITCH_H

#include "kernel/arch/arch.h"
#include "kernel/arch/x86_64/fpu.h"
#include "kernel/arch/x86_64/registers.h"

/* Physical root of the tables with the kernel's half and no user's. kernel_map.c. */
uint64_t kernel_map_root(void);

/* All selectors of data segments become 0. context.c. */
COLD void selectors_clear(void);

/* All four data selectors, or'ed: 0 is what each thread starts with. */
static inline uint32_t selectors_read(void)
{
    uint32_t ds, es, fs, gs;

    __asm__ volatile("movl %%ds, %0\n\tmovl %%es, %1\n\tmovl %%fs, %2\n\tmovl %%gs, %3"
                     : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
    return ds | es | fs | gs;
}

static inline void arch_context_set_result(struct arch_context *context, int64_t result)
{
    context->rax = (uint64_t)result;
}

static inline void arch_context_save(struct arch_context *context)
{
    fpu_save(context->fpu);
}

static inline void arch_context_load(struct arch_context *context)
{
    cpu_flags_check();
    if (UNLIKELY(selectors_read() != 0)) {
        selectors_clear();
    }
    msr_write(MSR_FS_BASE, context->fs_base);
    fpu_load(context->fpu);
}

static inline void arch_vspace_activate(struct arch_vspace *vspace)
{
    uint64_t tables = vspace == NULL ? kernel_map_root() : vspace->root;

    __asm__ volatile("movq %0, %%gs:%c1" : : "r"(tables), "i"(CPU_TABLES) : "memory");
    cr3_write(tables);
}

#endif
