/* SPDX-License-Identifier: MIT */
/* The structures of kernel/arch/arch.h on the host. machine.c has the theory. */
#ifndef KERNEL_ARCH_HOST_ARCH_TYPES_H
#define KERNEL_ARCH_HOST_ARCH_TYPES_H

#include "abi/compiler.h"

enum host_cpu_state {
    HOST_CPU_OFF,     /* not started */
    HOST_CPU_RUNNING, /* in the kernel or in a program; may be chosen at any switch point */
    HOST_CPU_IDLE,    /* in arch_idle; may be chosen when an interrupt waits for it */
    HOST_CPU_HALTED,  /* never again */
};

enum {
    HOST_TRANSLATIONS = 16,
};

/* What one CPU remembers of one page, until it flushes. */
struct host_translation {
    uint64_t page; /* 0: nothing */
    uint64_t frame;
    unsigned flags;
};

/* A virtual CPU: a coroutine with a kernel stack of its own. */
struct arch_cpu {
    enum host_cpu_state state;
    bool in_user;         /* the program's code runs, on the program's stack */
    bool ipi_pending;     /* an interrupt that another CPU sent */
    uint64_t deadline_ns; /* of its timer; UINT64_MAX: off */
    uint8_t *stack_low;   /* kernel stack; a guard page lies below */
    uint8_t *stack_top;
    void *stack_pointer;        /* where the coroutine stopped, while another one runs */
    void *sanitizer_stack;      /* AddressSanitizer's, kept over a switch */
    struct arch_vspace *vspace; /* active; NULL: the kernel's alone */
    struct host_translation translation[HOST_TRANSLATIONS]; /* by page number, modulo */
};

enum {
    HOST_REGISTERS = 18,    /* of ucontext_t: r8 to eflags */
    HOST_FLOAT_BYTES = 512, /* as FXSAVE leaves them */
};

/* A thread's program as it stopped: in a system call, callee-saved registers lie on its own stack;
 * at a fault, all are here. */
struct arch_context {
    uint64_t stack_pointer; /* user address: of the saved registers, or the fresh stack's top */
    uint64_t pc;            /* for reports */
    uint64_t result;        /* of the pending system call */
    uint64_t entry;         /* of a thread that has not run yet; 0: it has */
    uint64_t argument;
    bool faulted;
    uint64_t registers[HOST_REGISTERS];
    uint8_t float_registers[HOST_FLOAT_BYTES];
};

enum {
    HOST_TABLE_LEVELS = 4,
};

/* One address space. The drain's place is kept between its steps (tables.c). */
struct arch_vspace {
    uint64_t root;   /* frame of the highest table */
    uint64_t window; /* index of the window of host addresses */
    uint64_t drain_table[HOST_TABLE_LEVELS];
    uint16_t drain_index[HOST_TABLE_LEVELS];
    unsigned drain_level;
};

#endif
