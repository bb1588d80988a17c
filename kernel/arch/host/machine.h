/* SPDX-License-Identifier: MIT */
/* Inside kernel/arch/host only: the one machine of this process. */
#ifndef KERNEL_ARCH_HOST_MACHINE_H
#define KERNEL_ARCH_HOST_MACHINE_H

#include "core/boot_info.h"
#include "kernel/arch/host/host.h"
#include "kernel/cpu.h"

struct machine {
    struct host_options options;
    struct boot_info boot_info;
    struct cpu *current; /* the virtual CPU that runs */
    unsigned count;      /* virtual CPUs that exist */
    uint64_t random;     /* state of the generator */
    uint64_t now_ns;     /* virtual time */
    uint64_t steps;
    uint64_t switches;
    uint8_t *memory;          /* direct map: physical address 0 */
    int memory_file;          /* the same, for mapping into windows */
    void *main_stack_pointer; /* who called host_boot */
    void *main_sanitizer_stack;
    enum host_end end;
    int console;           /* file descriptor */
    uint8_t *windows_used; /* by window index */
};

extern struct machine machine;

/* ---- machine.c ---- */

/* Boots and runs to the end; returns how it ended. Once in a process. */
enum host_end host_boot(const struct host_options *options, int console);

/* Ends the machine from whatever stack. */
NORETURN void host_end(enum host_end end);

/* An own mistake or a refusal of the host: says so and aborts the process. */
NORETURN void host_fatal(const char *what);

/* ---- schedule.c ---- */

uint64_t host_random(void);

/* Gives a CPU its stack; it enters `start(cpu)` when it is first chosen. */
void host_cpu_prepare(struct cpu *cpu);
void host_cpu_start(struct cpu *cpu, void (*start)(struct cpu *cpu));

/* A switch point: virtual time goes on, and perhaps another CPU. `waiting`: this CPU can do nothing
 * useful until another has run. */
void host_switch_point(bool waiting);

/* 0, or the number of the first broken invariant of machine.c. */
unsigned host_check(void) MUST_USE;

/* An interrupt that waits for this CPU, taken; false: none. */
bool host_interrupt_take(struct cpu *cpu, enum arch_interrupt *kind);

/* ---- context.c, switch.S ---- */

/* Saves the callee-saved registers and *save, and goes on where `to` stopped. */
void host_switch(void **save, void *to);

/* Runs function(argument) on a fresh stack that ends at `top`; never comes back. */
NORETURN void host_stack_run(void *top, void (*function)(void *argument), void *argument);

NORETURN void host_user_resume(uint64_t stack_pointer, uint64_t result);
NORETURN void host_user_start(uint64_t stack_top, uint64_t entry, uint64_t argument);

/* From the program's stack (switch.S): the number and arguments of a system call, or a hint. */
NORETURN USED void host_user_call(uint64_t argument0, uint64_t argument1, uint64_t number,
                                  uint64_t stack_pointer);

/* Kernel stack of the CPU that runs a program; read by switch.S. */
extern void *host_kernel_stack;

/* ---- fault.c ---- */

void host_signals_init(void);

/* Goes on with a program that faulted, where it was. The context is of this CPU. */
NORETURN void host_fault_resume(struct arch_context *context);

/* ---- memory.c, tables.c ---- */

void host_memory_init(void);

/* Shows a frame at a user address of the host process, or hides it. False: the host refuses. */
bool host_page_show(vaddr_t page, paddr_t frame, bool write) MUST_USE;
void host_page_hide(vaddr_t page);

/* Makes this CPU forget one page of the active space. */
void host_translation_forget(vaddr_t page);

#endif
