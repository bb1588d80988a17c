/* SPDX-License-Identifier: MIT */
/*
 * The structures of kernel/arch/arch.h on x86-64. entry.S knows offsets of arch_cpu and
 * arch_context (layout.h); cpu_tables.c and context.c assert them.
 */
#ifndef KERNEL_ARCH_X86_64_ARCH_TYPES_H
#define KERNEL_ARCH_X86_64_ARCH_TYPES_H

#include "abi/compiler.h"
#include "kernel/arch/x86_64/layout.h"

struct trap_frame; /* traps.h */
struct cpu_stacks; /* cpu_tables.h */

enum {
    CPU_GDT_ENTRIES = 7,
};

/* Task state segment (AMD64 vol. 2, 12.2.5): only stacks are used. */
struct task_state {
    uint32_t spare0;
    uint64_t stack[3]; /* by privilege level: 0 is where an interrupt of a user begins */
    uint64_t spare1;
    uint64_t exception_stack[7]; /* IST 1 to 7 */
    uint64_t spare2;
    uint16_t spare3;
    uint16_t io_map; /* beyond the segment's limit: no port is open to users */
} PACKED;

struct arch_cpu {
    struct cpu *self; /* this structure's own address, read through GS */
    uint64_t stack_top;
    uint64_t tables;         /* physical root in CR3 */
    uint64_t clock_offset;   /* added to this CPU's cycle counter: cycles since boot */
    uint64_t timer_deadline; /* ns; UINT64_MAX: the timer is off */
    struct cpu_stacks *stacks;
    struct trap_frame *fault; /* of the kernel fault being reported */
    uint32_t fault_depth;
    uint32_t apic_id;
    uint64_t nmi_count;        /* NMIs nobody asked for */
    uint64_t unexpected_count; /* interrupts at vectors nobody uses */
    uint64_t gdt[CPU_GDT_ENTRIES];
    struct task_state tss;
} ALIGNED(64);

/* A thread's user registers. `saved` tells which of them hold something (layout.h). */
struct arch_context {
    uint64_t rbx, rbp, r12, r13, r14, r15;
    uint64_t rsp, rip, rflags;
    uint64_t rax;
    uint64_t rdi, rsi, rdx, rcx, r8, r9, r10, r11;
    uint64_t saved;
    uint64_t fs_base;
    uint64_t spare[4];
    uint8_t fpu[CONTEXT_FPU_BYTES]; /* XSAVE's standard form, or FXSAVE's in its first 512 bytes */
} ALIGNED(64);

/* One address space. The drain's place is kept between its steps (paging.c). */
struct arch_vspace {
    uint64_t root; /* physical address of the level 4 table */
    uint64_t drain_table[4];
    uint16_t drain_index[4];
    unsigned drain_level;
};

#endif
