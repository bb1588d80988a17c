/* SPDX-License-Identifier: MIT */
/*
 * Signals of the host are the machine's exceptions. One that comes while a program runs becomes
 * kernel_user_fault on the CPU's kernel stack; one that comes in the kernel is a bug of ours and
 * becomes kernel_fault. A program that faulted is resumed by a signal of our own, whose handler
 * returns to the registers of the fault.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "core/assert.h"
#include "kernel/arch/host/machine.h"

enum {
    ALTERNATE_BYTES = 256 * 1024,
    ERROR_WRITE = 2, /* of the page-fault error code (AMD64 vol. 2, 8.4.2) */
    ERROR_EXECUTE = 16,
};

_Static_assert(REG_R8 == 0 && REG_EFL + 1 == HOST_REGISTERS, "registers are one run of gregs");
_Static_assert(sizeof(struct _libc_fpstate) == HOST_FLOAT_BYTES, "what FXSAVE leaves");

static struct arch_fault pending_fault;
static struct arch_context *resumed; /* by the signal under way; NULL: none is */

static enum arch_fault_kind kind_of(int number)
{
    switch (number) {
    case SIGSEGV:
        return ARCH_FAULT_PAGE;
    case SIGBUS:
        return ARCH_FAULT_ALIGNMENT;
    case SIGFPE:
        return ARCH_FAULT_DIVIDE;
    case SIGILL:
        return ARCH_FAULT_INSTRUCTION;
    case SIGTRAP:
        return ARCH_FAULT_BREAKPOINT;
    default:
        return ARCH_FAULT_OTHER;
    }
}

static void fault_describe(struct arch_fault *fault, int number, const siginfo_t *info,
                           const ucontext_t *context)
{
    const greg_t *registers = context->uc_mcontext.gregs;
    uint64_t code = (uint64_t)registers[REG_ERR];
    struct arch_mapping mapping;

    *fault = (struct arch_fault){.kind = kind_of(number),
                                 .vector = (unsigned)registers[REG_TRAPNO],
                                 .code = code,
                                 .pc = (uint64_t)registers[REG_RIP],
                                 .stack = (uint64_t)registers[REG_RSP]};
    /* A wild address that is not canonical comes without itself: privilege, as on hardware. */
    if (number == SIGSEGV && info->si_code == SI_KERNEL) {
        fault->kind = ARCH_FAULT_PRIVILEGE;
    }
    if (fault->kind != ARCH_FAULT_PAGE) {
        return;
    }
    fault->address = (uint64_t)(uintptr_t)info->si_addr;
    fault->write = (code & ERROR_WRITE) != 0;
    fault->execute = (code & ERROR_EXECUTE) != 0;
    fault->present = machine.current->arch.vspace != NULL && fault->address < LIMIT_USER_MAX &&
                     arch_vspace_query(machine.current->arch.vspace, fault->address, &mapping);
}

/* On the kernel stack, with the signal handled. */
static void fault_enter(void *argument)
{
    struct cpu *cpu = argument;

    ASSERT(cpu->context != NULL);
    cpu->context->stack_pointer = pending_fault.stack;
    cpu->context->pc = pending_fault.pc;
    host_switch_point(false);
    kernel_user_fault(cpu, &pending_fault);
    arch_context_resume(cpu->context);
}

static void registers_save(struct arch_context *context, const ucontext_t *user)
{
    memcpy(context->registers, user->uc_mcontext.gregs, sizeof(context->registers));
    memcpy(context->float_registers, user->uc_mcontext.fpregs, sizeof(context->float_registers));
    context->faulted = true;
}

static void resume_handler(int number, siginfo_t *info, void *context)
{
    ucontext_t *user = context;

    (void)number;
    (void)info;
    ASSERT(resumed != NULL);
    memcpy(user->uc_mcontext.gregs, resumed->registers, sizeof(resumed->registers));
    memcpy(user->uc_mcontext.fpregs, resumed->float_registers, sizeof(resumed->float_registers));
    resumed = NULL;
    machine.current->arch.in_user = true;
}

void host_fault_resume(struct arch_context *context)
{
    context->faulted = false;
    resumed = context;
    (void)raise(SIGUSR2);
    host_fatal("a program cannot go on behind a fault here");
}

static void kernel_enter(void *argument)
{
    (void)argument;
    kernel_fault(&pending_fault);
}

static void handler(int number, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    greg_t *registers = user->uc_mcontext.gregs;
    struct cpu *cpu = machine.current;

    if (cpu == NULL) {
        signal(number, SIG_DFL);
        return;
    }
    fault_describe(&pending_fault, number, info, user);
    if (cpu->arch.in_user && cpu->context != NULL) {
        registers_save(cpu->context, user);
    }
    registers[REG_RDI] = (greg_t)(uintptr_t)cpu->arch.stack_top;
    registers[REG_RDX] = (greg_t)(uintptr_t)cpu;
    registers[REG_RSI] = (greg_t)(uintptr_t)(cpu->arch.in_user ? fault_enter : kernel_enter);
    registers[REG_RIP] = (greg_t)(uintptr_t)host_stack_run;
    if (!cpu->arch.in_user) {
        registers[REG_RDI] = (greg_t)((uint64_t)registers[REG_RSP] - 1024) & ~(greg_t)15;
    }
    cpu->arch.in_user = false;
}

void host_signals_init(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction resume = {.sa_sigaction = resume_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t stack = {.ss_sp = malloc(ALTERNATE_BYTES), .ss_size = ALTERNATE_BYTES};

    sigemptyset(&action.sa_mask);
    if (stack.ss_sp == NULL || sigaltstack(&stack, NULL) != 0) {
        host_fatal("no stack for signals");
    }
    sigemptyset(&resume.sa_mask);
    if (sigaction(SIGUSR2, &resume, NULL) != 0) {
        host_fatal("a signal cannot be handled");
    }
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        if (sigaction(numbers[i], &action, NULL) != 0) {
            host_fatal("a signal cannot be handled");
        }
    }
}

const char *arch_fault_cause(const struct arch_fault *fault)
{
    return fault->kind == ARCH_FAULT_PAGE ? "touched memory that is not there" : "host signal";
}
