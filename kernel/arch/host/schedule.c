/* SPDX-License-Identifier: MIT */
/* Which virtual CPU runs, and when it is. */
#include <stdlib.h>
#include <sys/mman.h>

#include "core/assert.h"
#include "kernel/arch/host/machine.h"
#include "kernel/arch/host/sanitizer.h"

enum {
    STACK_BYTES = 512 * 1024, /* generous: sanitizers make frames many times larger */
    STEP_NS_DEFAULT = 400,    /* virtual time between two switch points, at most */
    FRAME_WORDS = 8,          /* what host_switch loads: seven words and the return address */
};

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
uint64_t host_random(void)
{
    uint64_t x = machine.random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    machine.random = x;
    return x * UINT64_C(2685821657736338717);
}

static uint64_t random_below(uint64_t bound)
{
    return (host_random() >> 16) % bound;
}

/* ---- coroutines ------------------------------------------------------------------------------ */

static void (*starts[LIMIT_CPUS])(struct cpu *cpu);

static void cpu_first(void)
{
    struct cpu *cpu = machine.current;

    sanitizer_switch_end(NULL);
    starts[cpu->index](cpu);
    host_fatal("a virtual CPU came to its end");
}

void host_cpu_prepare(struct cpu *cpu)
{
    uint8_t *low = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (low == MAP_FAILED || mprotect(low, LIMIT_PAGE_BYTES, PROT_NONE) != 0) {
        host_fatal("no memory for a kernel stack");
    }
    cpu->arch = (struct arch_cpu){
        .deadline_ns = UINT64_MAX, .stack_low = low, .stack_top = low + STACK_BYTES};
}

void host_cpu_start(struct cpu *cpu, void (*start)(struct cpu *cpu))
{
    uint64_t *frame = (uint64_t *)(void *)cpu->arch.stack_top - FRAME_WORDS - 1;

    ASSERT(cpu->arch.state == HOST_CPU_OFF);
    starts[cpu->index] = start;
    frame[0] =
        UINT64_C(0x037f) << 32 | 0x1f80; /* MXCSR and x87 control word as a process has them */
    for (unsigned i = 1; i < FRAME_WORDS - 1; i++) {
        frame[i] = 0;
    }
    frame[FRAME_WORDS - 1] = (uint64_t)(uintptr_t)cpu_first;
    cpu->arch.stack_pointer = frame;
    cpu->arch.state = HOST_CPU_RUNNING;
}

static bool has_stopped_stack(const struct cpu *cpu)
{
    const uint8_t *stopped = cpu->arch.stack_pointer;

    return stopped > cpu->arch.stack_low && stopped < cpu->arch.stack_top;
}

unsigned host_check(void)
{
    for (unsigned i = 0; i < machine.count; i++) {
        const struct cpu *cpu = cpus[i];

        if (cpu == machine.current) {
            if (cpu->arch.state == HOST_CPU_OFF) {
                return 1;
            }
            continue;
        }
        if ((cpu->arch.state == HOST_CPU_RUNNING || cpu->arch.state == HOST_CPU_IDLE) &&
            !has_stopped_stack(cpu)) {
            return 2;
        }
        if (cpu->arch.in_user) {
            return 3;
        }
    }
    return 0;
}

static void cpu_switch(struct cpu *to)
{
    struct cpu *from = machine.current;

    if (to == from) {
        return;
    }
    ASSERT(!from->arch.in_user);
    ASSERT(host_check() == 0);
    machine.switches++;
    machine.current = to;
    sanitizer_switch_begin(&from->arch.sanitizer_stack, to->arch.stack_low, to->arch.stack_top);
    host_switch(&from->arch.stack_pointer, to->arch.stack_pointer);
    sanitizer_switch_end(from->arch.sanitizer_stack);
    ASSERT(machine.current == from);
}

/* ---- choice ---------------------------------------------------------------------------------- */

static bool interrupt_waits(const struct cpu *cpu)
{
    return cpu->arch.ipi_pending || cpu->arch.deadline_ns <= machine.now_ns;
}

static bool is_runnable(const struct cpu *cpu)
{
    return cpu->arch.state == HOST_CPU_RUNNING ||
           (cpu->arch.state == HOST_CPU_IDLE && interrupt_waits(cpu));
}

/* A random CPU that can run, other than `except` (NULL: any); NULL: there is none. */
static struct cpu *choose(const struct cpu *except)
{
    struct cpu *able[LIMIT_CPUS];
    unsigned count = 0;

    for (unsigned i = 0; i < machine.count; i++) {
        if (cpus[i] != except && is_runnable(cpus[i])) {
            able[count++] = cpus[i];
        }
    }
    return count == 0 ? NULL : able[random_below(count)];
}

/* Every CPU is idle: time goes to the next timer. */
static void time_jump(void)
{
    uint64_t next_ns = UINT64_MAX;

    if (machine.options.watch != NULL && machine.options.watch->idle != NULL &&
        machine.options.watch->idle()) {
        return;
    }
    for (unsigned i = 0; i < machine.count; i++) {
        if (cpus[i]->arch.state == HOST_CPU_IDLE && cpus[i]->arch.deadline_ns < next_ns) {
            next_ns = cpus[i]->arch.deadline_ns;
        }
    }
    if (next_ns == UINT64_MAX) {
        host_end(HOST_END_ASLEEP);
    }
    machine.now_ns = next_ns;
}

static void step(void)
{
    uint64_t bound_ns = machine.options.step_ns_max;

    machine.now_ns += 1 + random_below(bound_ns == 0 ? STEP_NS_DEFAULT : bound_ns);
    machine.steps++;
    if (machine.steps >= machine.options.steps_max) {
        host_end(HOST_END_STEPS);
    }
    if (machine.options.watch != NULL && machine.options.watch->step != NULL) {
        machine.options.watch->step();
    }
}

void host_switch_point(bool waiting)
{
    struct cpu *next;

    ASSERT(machine.current != NULL);
    step();
    if (!waiting && random_below(100) >= machine.options.switch_percent) {
        return;
    }
    next = choose(machine.current);
    if (next != NULL) {
        cpu_switch(next);
    } else if (machine.current->arch.state == HOST_CPU_HALTED) {
        host_end(HOST_END_ASLEEP);
    }
}

/* ---- interrupts ------------------------------------------------------------------------------ */

bool host_interrupt_take(struct cpu *cpu, enum arch_interrupt *kind)
{
    if (cpu->arch.ipi_pending) {
        cpu->arch.ipi_pending = false;
        *kind = ARCH_INTERRUPT_IPI;
        return true;
    }
    if (cpu->arch.deadline_ns <= machine.now_ns) {
        cpu->arch.deadline_ns = UINT64_MAX;
        *kind = ARCH_INTERRUPT_TIMER;
        return true;
    }
    return false;
}

void arch_idle(void)
{
    struct cpu *cpu = machine.current;
    enum arch_interrupt kind;

    ASSERT(cpu->context == NULL);
    cpu->arch.state = HOST_CPU_IDLE;
    step();
    while (!interrupt_waits(cpu)) {
        struct cpu *next = choose(NULL);

        if (next == NULL) {
            time_jump();
        } else {
            cpu_switch(next);
        }
    }
    cpu->arch.state = HOST_CPU_RUNNING;
    if (host_interrupt_take(cpu, &kind)) {
        kernel_interrupt(cpu, kind);
    }
}
