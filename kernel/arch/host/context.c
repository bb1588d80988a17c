/* SPDX-License-Identifier: MIT */
/*
 * Into a program and out of it. A program's registers lie on its own stack while it is stopped; the
 * context has where. Each way into the kernel begins at the top of the CPU's kernel stack, which
 * holds nothing then: the kernel never returns into a program by unwinding.
 */
#include "core/assert.h"
#include "core/bits.h"
#include "core/string.h"
#include "kernel/arch/host/machine.h"

#define HINT_NUMBER UINT64_C(0x686f737468696e74) /* switch.S has it too */

enum {
    STOPPED_WORDS = 7, /* below the return address of a stopped stack */
};

void *host_kernel_stack;

void arch_context_init(struct arch_context *context, const struct arch_start *start)
{
    ASSERT(is_aligned(start->stack_top, 16));
    ASSERT(start->entry != 0);
    *context = (struct arch_context){.stack_pointer = start->stack_top,
                                     .pc = start->entry,
                                     .entry = start->entry,
                                     .argument = start->argument};
}

void arch_context_set_result(struct arch_context *context, int64_t result)
{
    context->result = (uint64_t)result;
}

void arch_context_save(struct arch_context *context)
{
    (void)context;
}

void arch_context_load(struct arch_context *context)
{
    (void)context;
}

/* On the fresh kernel stack: lets others and interrupts go first, then the program. */
static void user_enter(void *argument)
{
    struct cpu *cpu = argument;
    struct arch_context *context;
    enum arch_interrupt kind;

    host_switch_point(false);
    while (host_interrupt_take(cpu, &kind)) {
        kernel_interrupt(cpu, kind);
        host_switch_point(false);
    }
    context = cpu->context;
    ASSERT(context != NULL && machine.current == cpu);
    host_kernel_stack = cpu->arch.stack_top;
    if (context->faulted) {
        host_fault_resume(context);
    }
    cpu->arch.in_user = true;
    if (context->entry != 0) {
        uint64_t entry = context->entry;

        context->entry = 0;
        host_user_start(context->stack_pointer, entry, context->argument);
    }
    host_user_resume(context->stack_pointer, context->result);
}

void arch_context_resume(struct arch_context *context)
{
    struct cpu *cpu = machine.current;

    ASSERT(cpu->context == context);
    host_stack_run(cpu->arch.stack_top, user_enter, cpu);
}

static void run(void *cpu)
{
    cpu_run(cpu);
}

void arch_cpu_restart(struct cpu *cpu)
{
    host_stack_run(cpu->arch.stack_top, run, cpu);
}

void host_user_call(uint64_t argument0, uint64_t argument1, uint64_t number, uint64_t stack_pointer)
{
    struct cpu *cpu = machine.current;
    struct arch_context *context = cpu->context;

    ASSERT(cpu->arch.in_user && context != NULL);
    cpu->arch.in_user = false;
    context->stack_pointer = stack_pointer;
    memcpy(&context->pc, (const uint64_t *)(uintptr_t)stack_pointer + STOPPED_WORDS,
           sizeof(context->pc));
    host_switch_point(false);
    if (number == HINT_NUMBER) {
        context->result = machine.now_ns;
    } else {
        arch_context_set_result(context, kernel_syscall(argument0, argument1, cpu, number));
    }
    arch_context_resume(context);
}
