/* SPDX-License-Identifier: MIT */
/* Segment and task state tables and the kernel stacks of each CPU. Theory in cpu_tables.c. */
#ifndef KERNEL_ARCH_X86_64_CPU_TABLES_H
#define KERNEL_ARCH_X86_64_CPU_TABLES_H

#include "kernel/cpu.h"

/* The stacks of one CPU as they lie in the kernel's address space; the guards are never mapped. */
struct cpu_stacks {
    uint8_t main_guard[STACK_GUARD_BYTES];
    uint8_t main[STACK_MAIN_BYTES];
    uint8_t double_fault_guard[STACK_GUARD_BYTES];
    uint8_t double_fault[STACK_EXCEPTION_BYTES];
    uint8_t nmi_guard[STACK_GUARD_BYTES];
    uint8_t nmi[STACK_EXCEPTION_BYTES];
    uint8_t machine_check_guard[STACK_GUARD_BYTES];
    uint8_t machine_check[STACK_EXCEPTION_BYTES];
};

enum {
    STACK_COUNT = 4,
    IST_DOUBLE_FAULT = 1, /* TSS slots, from 1 */
    IST_NMI = 2,
    IST_MACHINE_CHECK = 3,
};

struct stack_range {
    uint64_t guard; /* the guard page's address */
    uint64_t start; /* the lowest usable byte */
    uint64_t end;
};

extern struct cpu_stacks boot_stacks; /* the boot CPU's, in the image */

/* Stack `index` (below STACK_COUNT) of a set. */
struct stack_range cpu_stack_range(const struct cpu_stacks *stacks, unsigned index);

/* Whether a word at `address` lies on one of this CPU's stacks / on a guard page of any CPU. */
bool cpu_stack_contains(const struct cpu *cpu, uint64_t address);
bool cpu_guard_contains(uint64_t address);

/* Makes `cpu` the structure of the CPU this runs on: its GDT, TSS, GS base, and the shared IDT. */
void cpu_tables_load(struct cpu *cpu, struct cpu_stacks *stacks);

/* Fills the interrupt table that all CPUs share. Once. */
void interrupt_table_init(void);

#endif
