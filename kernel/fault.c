/* SPDX-License-Identifier: MIT */
/*
 * Faults of programs. The process's handler is asked what becomes of the thread, if it has one
 * (kernel/ipc/fault_call.c). Without one, or by its word: one report that names process, thread,
 * cause, address, registers and what to do next, unless there were too many lately; then the
 * process ends as faulted, or the thread alone. Everything else goes on.
 */
#include "kernel/fault.h"

#include "core/string.h"
#include "kernel/ipc/fault_call.h"
#include "kernel/irq_probe.h"
#include "kernel/log.h"
#include "kernel/sched/layout.h"
#include "kernel/sched/process.h"

enum {
    KIND_BYTES = 64, /* more than the words of any kind */
};

/* In the user's words. */
static const char *fault_kind_text(const struct arch_fault *fault)
{
    switch (fault->kind) {
    case ARCH_FAULT_PAGE:
        if (fault->execute) {
            return fault->present ? "executed data" : "jumped to nothing";
        }
        if (fault->write) {
            return fault->present ? "wrote read-only memory" : "wrote unmapped memory";
        }
        return fault->present ? "read forbidden memory" : "read unmapped memory";
    case ARCH_FAULT_PRIVILEGE:
        return "privileged instruction";
    case ARCH_FAULT_ADDRESS:
        return "impossible address";
    case ARCH_FAULT_DIVIDE:
        return "divided by zero, or the quotient does not fit";
    case ARCH_FAULT_INSTRUCTION:
        return "undefined instruction";
    case ARCH_FAULT_ALIGNMENT:
        return "unaligned access";
    case ARCH_FAULT_FLOAT:
        return "floating-point exception";
    case ARCH_FAULT_BREAKPOINT:
        return "breakpoint";
    case ARCH_FAULT_OTHER:
        break;
    }
    return "processor exception";
}

/* Whether `address` lies in the guard page below the thread's stack. */
static bool is_stack_overflow(const struct thread *thread, const struct arch_fault *fault)
{
    uint64_t region = thread->ring_address - LAYOUT_RING;

    return fault->kind == ARCH_FAULT_PAGE && !fault->present && fault->address >= region &&
           fault->address < region + LAYOUT_STACK_LOW;
}

static const char *fault_advice(const struct thread *thread, const struct arch_fault *fault)
{
    if (is_stack_overflow(thread, fault)) {
        return "the stack is full: use less of it, or start the thread with a larger one";
    }
    switch (fault->kind) {
    case ARCH_FAULT_PAGE:
        if (fault->address >= LIMIT_USER_MAX) {
            return "the address is the kernel's: no program may touch it";
        }
        if (fault->execute) {
            return "code must lie in an executable segment of the image";
        }
        return fault->present ? "the page is mapped without this right"
                              : "look at the instruction with: make debug";
    case ARCH_FAULT_PRIVILEGE:
        return "ask an object for the effect: programs hold no processor privilege";
    case ARCH_FAULT_ALIGNMENT:
        return "align the operand to its own size, or use the unaligned form";
    case ARCH_FAULT_ADDRESS:
        return "the pointer was never an address: look where it came from with: make debug";
    default:
        return "look at the instruction with: make debug";
    }
}

void fault_report(const struct thread *thread, const struct arch_fault *fault)
{
    const struct process *process = thread->process;

    if (!log_report_begin()) {
        return;
    }
    log_raw("fault: process %s (pid %llu) thread %llu: %s%s", process->name,
            (unsigned long long)process->pid, (unsigned long long)thread->id,
            is_stack_overflow(thread, fault) ? "stack overflow: " : "", fault_kind_text(fault));
    if (fault->kind == ARCH_FAULT_PAGE) {
        log_raw(" at address 0x%llx", (unsigned long long)fault->address);
    }
    log_raw(", pc 0x%llx, vector %u\n", (unsigned long long)fault->pc, fault->vector);
    arch_registers_print(&thread->context, log_raw);
    log_raw("  next: %s\n", fault_advice(thread, fault));
    log_report_end();
}

static enum process_fault_cause fault_cause(const struct arch_fault *fault)
{
    switch (fault->kind) {
    case ARCH_FAULT_PAGE:
        return PROCESS_FAULT_CAUSE_PAGE;
    case ARCH_FAULT_PRIVILEGE:
        return PROCESS_FAULT_CAUSE_PRIVILEGE;
    case ARCH_FAULT_ADDRESS:
        return PROCESS_FAULT_CAUSE_ADDRESS;
    case ARCH_FAULT_DIVIDE:
        return PROCESS_FAULT_CAUSE_DIVIDE;
    case ARCH_FAULT_INSTRUCTION:
        return PROCESS_FAULT_CAUSE_INSTRUCTION;
    case ARCH_FAULT_ALIGNMENT:
        return PROCESS_FAULT_CAUSE_ALIGNMENT;
    case ARCH_FAULT_FLOAT:
        return PROCESS_FAULT_CAUSE_FLOATING_POINT;
    case ARCH_FAULT_BREAKPOINT:
        return PROCESS_FAULT_CAUSE_BREAKPOINT;
    case ARCH_FAULT_OTHER:
        break;
    }
    return PROCESS_FAULT_CAUSE_OTHER;
}

static enum process_fault_access fault_access(const struct arch_fault *fault)
{
    if (fault->kind != ARCH_FAULT_PAGE) {
        return PROCESS_FAULT_ACCESS_NONE;
    }
    if (fault->execute) {
        return PROCESS_FAULT_ACCESS_EXECUTE;
    }
    return fault->write ? PROCESS_FAULT_ACCESS_WRITE : PROCESS_FAULT_ACCESS_READ;
}

void fault_report_build(struct process_fault_report_builder report, const struct arch_fault *fault,
                        uint64_t thread_id)
{
    const char *kind = fault_kind_text(fault);

    process_fault_report_set_kind(report,
                                  (struct capn_text){kind, string_length(kind, KIND_BYTES)});
    process_fault_report_set_vector(report, (uint16_t)fault->vector);
    process_fault_report_set_address(report, fault->address);
    process_fault_report_set_instruction_pointer(report, fault->pc);
    process_fault_report_set_stack_pointer(report, fault->stack);
    process_fault_report_set_thread_id(report, thread_id);
    process_fault_report_set_cause(report, fault_cause(fault));
    process_fault_report_set_access(report, fault_access(fault));
    process_fault_report_set_mapped(report, fault->kind == ARCH_FAULT_PAGE && fault->present);
}

struct process_exit fault_exit(const struct thread *thread, const struct arch_fault *fault)
{
    return (struct process_exit){.kind = EXIT_KIND_FAULTED,
                                 .code = FAULT_EXIT_CODE,
                                 .fault = *fault,
                                 .fault_thread = thread->id};
}

void fault_ends_process(const struct thread *thread, const struct arch_fault *fault)
{
    struct process_exit exit = fault_exit(thread, fault);

    fault_report(thread, fault);
    process_kill(thread->process, &exit);
}

void kernel_user_fault(struct cpu *cpu, const struct arch_fault *fault)
{
    struct thread *thread = cpu->current;

    irq_probe_begin(IRQ_STRETCH_FAULT);
    if (thread->fault_desk != NULL && fault_call_send(thread, fault)) {
        cpu_run(cpu);
    }
    if (!process_is_dying(thread->process)) {
        fault_ends_process(thread, fault);
    }
    sched_requeue(cpu, thread);
    cpu_run(cpu);
}
