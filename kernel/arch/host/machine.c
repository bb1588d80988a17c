/* SPDX-License-Identifier: MIT */
/*
 * The kernel as a host process.
 *
 * Purpose. The portable kernel, unchanged, on a machine whose every choice is made by a seeded
 * generator: a run is repeated exactly by its seed, and a seed that fails is a reproducer. It is no
 * stub: the same table walks, permission checks, copies, locks, interrupts and teardowns run here
 * as on hardware.
 *
 * Virtual CPUs are coroutines in one OS thread. Each has a kernel stack; programs run on their own
 * stacks, in memory of their own address spaces. At a *switch point* (a lock about to be taken, the
 * body of a spin loop, the way into and out of a program, a wait) virtual time goes on a little and
 * another virtual CPU may be chosen.
 *
 *   OFF -> RUNNING <-> IDLE,  any -> HALTED
 *
 * Time is virtual: it passes at switch points only, and jumps to the next timer when every CPU is
 * idle. When there is none either, the machine sleeps for ever, which is a finding
 * (HOST_END_ASLEEP).
 *
 * Interrupts come where hardware would let them in: in arch_idle, in arch_interrupt_window, and on
 * the way into a program. A program that neither calls nor hints (rt_cpu_pause, rt_cycle_counter)
 * is never interrupted.
 *
 * Memory is one memfd. The direct map is a mapping of all of it; each address space has page tables
 * in frames, walked and checked as data, and a *window* of host addresses into which its pages are
 * mapped with their protection, so that a program's pointers are user addresses. Execution is data
 * only: programs are C functions of this process, and no page is ever executable for the host.
 *
 * The kernel's copies use a translation buffer for each CPU (copy.c), so that a frame given back
 * too early is seen.
 *
 * What this does not show: stale translations in programs (a page that is unmapped is gone for them
 * at once), memory ordering weaker than one thread's, and one program reaching into another or into
 * the kernel by host pointers that nobody gave it.
 *
 * Invariants (host_check):
 *  1. machine.current was started.
 *  2. A RUNNING or IDLE CPU that is not current has a stopped stack.
 *  3. in_user is set for the current CPU alone.
 *
 * What can fail: the host (memory, maps): host_fatal, which names it.
 */
#include "kernel/arch/host/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/assert.h"
#include "kernel/arch/host/sanitizer.h"
#include "kernel/mem/frames.h"

enum {
    MEMORY_FIRST = 1024 * 1024, /* below: nothing, so that frame 0 is never handed out */
    STEPS_DEFAULT = 50 * 1000 * 1000,
    SWITCH_PERCENT_DEFAULT = 25,
};

struct machine machine;

void host_fatal(const char *what)
{
    fprintf(stderr, "host machine: %s: %s\n", what, strerror(errno));
    abort();
}

static void boot_info_make(void)
{
    const struct host_options *options = &machine.options;
    struct boot_range range = {.start = MEMORY_FIRST,
                               .length = options->memory_bytes - MEMORY_FIRST,
                               .type = BOOT_RANGE_USABLE};

    boot_info_init(&machine.boot_info, BOOT_SOURCE_HOST);
    if (boot_info_add_range(&machine.boot_info, &range) != BOOT_OK ||
        boot_info_add_module(&machine.boot_info, MEMORY_FIRST, options->module_bytes) != BOOT_OK ||
        strlen(options->command_line) >= sizeof(machine.boot_info.command_line)) {
        host_fatal("the options make no machine");
    }
    memcpy(machine.memory + MEMORY_FIRST, options->module, options->module_bytes);
    memcpy(machine.boot_info.command_line, options->command_line,
           strlen(options->command_line) + 1);
}

static void boot_cpu_main(struct cpu *cpu)
{
    (void)cpu;
    kernel_main(&machine.boot_info);
}

enum host_end host_boot(const struct host_options *options, int console)
{
    struct cpu *cpu;

    ASSERT(machine.memory == NULL);
    ASSERT(options->cpus >= 1 && options->cpus <= LIMIT_CPUS);
    machine.options = *options;
    machine.console = console;
    machine.random = options->seed * 2 + 1;
    if (machine.options.command_line == NULL) {
        machine.options.command_line = "";
    }
    if (machine.options.steps_max == 0) {
        machine.options.steps_max = STEPS_DEFAULT;
    }
    if (machine.options.switch_percent == 0) {
        machine.options.switch_percent = SWITCH_PERCENT_DEFAULT;
    }
    host_memory_init();
    host_signals_init();
    boot_info_make();
    cpu = cpu_create(0);
    host_cpu_prepare(cpu);
    host_cpu_start(cpu, boot_cpu_main);
    machine.count = 1;
    machine.current = cpu;
    sanitizer_switch_begin(&machine.main_sanitizer_stack, cpu->arch.stack_low, cpu->arch.stack_top);
    host_switch(&machine.main_stack_pointer, cpu->arch.stack_pointer);
    sanitizer_switch_end(machine.main_sanitizer_stack);
    return machine.end;
}

void host_end(enum host_end end)
{
    void *gone;

    machine.end = end;
    if (machine.options.watch != NULL && machine.options.watch->ended != NULL) {
        machine.options.watch->ended(end);
    }
    sanitizer_leave_main();
    host_switch(&gone, machine.main_stack_pointer);
    host_fatal("a machine that ended went on");
}

/* ---- arch.h: processors ---------------------------------------------------------------------- */

struct cpu *arch_cpu_this(void)
{
    return machine.current;
}

unsigned arch_cpus_start(unsigned limit)
{
    unsigned wanted = machine.options.cpus < limit ? machine.options.cpus : limit;

    while (machine.count < wanted) {
        struct cpu *cpu = cpu_create(machine.count);

        if (cpu == NULL) {
            break;
        }
        host_cpu_prepare(cpu);
        host_cpu_start(cpu, kernel_secondary_main);
        machine.count++;
        while (!cpu->online) {
            host_switch_point(true);
        }
    }
    return machine.count;
}

void arch_ipi_send(struct cpu *cpu)
{
    cpu->arch.ipi_pending = true;
}

void arch_cpus_halt_others(void)
{
    for (unsigned i = 0; i < machine.count; i++) {
        if (cpus[i] != machine.current) {
            cpus[i]->arch.state = HOST_CPU_HALTED;
        }
    }
}

void arch_interrupt_window(void)
{
    enum arch_interrupt kind;

    host_switch_point(false);
    if (host_interrupt_take(machine.current, &kind)) {
        kernel_interrupt(machine.current, kind);
    }
}

void arch_spin_hint(void)
{
    host_switch_point(true);
}

void arch_lock_point(void)
{
    host_switch_point(false);
}

/* ---- arch.h: time and entropy ---------------------------------------------------------------- */

uint64_t arch_clock_ns(void)
{
    return machine.now_ns;
}

uint64_t arch_cycles(void)
{
    return machine.now_ns;
}

void arch_clock_describe(uint64_t *hertz, uint64_t *start)
{
    *hertz = 1000 * 1000 * 1000;
    *start = 0;
}

void arch_timer_set(uint64_t deadline_ns)
{
    machine.current->arch.deadline_ns = deadline_ns;
}

bool arch_random_u64(uint64_t *value)
{
    *value = host_random();
    return true;
}

/* ---- arch.h: console, end -------------------------------------------------------------------- */

void arch_console_write(const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(machine.console, bytes, count);

        if (written < 0) {
            host_fatal("the console's file");
        }
        bytes += written;
        count -= (size_t)written;
    }
}

void arch_power_off(bool success)
{
    host_end(success ? HOST_END_SUCCESS : HOST_END_FAILURE);
}

void arch_halt(void)
{
    machine.current->arch.state = HOST_CPU_HALTED;
    for (;;) {
        host_switch_point(true);
    }
}

void arch_protection_report(void)
{
}

void arch_memory_finish(void)
{
}

bool arch_memory_reserved(unsigned index, paddr_t *start, paddr_t *end)
{
    (void)index;
    (void)start;
    (void)end;
    return false;
}
