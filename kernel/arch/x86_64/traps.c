/* SPDX-License-Identifier: MIT */
/*
 * Interrupts and faults, as entry.S found them, told to the portable kernel.
 *
 *   in user mode     vectors 0 to 31: kernel_user_fault; timer and IPI: kernel_interrupt
 *   in the kernel    timer and IPI (only arch_idle and arch_interrupt_window have interrupts on):
 *                    kernel_interrupt; a page fault of a copying instruction (user_copy.S) at a
 *                    user address: the copy answers false; everything else: kernel_fault
 *   NMI              if a panic asked all CPUs to stop: this one stops; else counted
 *   double fault, machine check: kernel_fault
 *
 * Interrupts are acknowledged before the portable kernel hears of them, because it need not come
 * back. Vectors nobody uses are acknowledged and counted; the 8259s and the local APIC have
 * spurious ones that must not be acknowledged.
 *
 * A kernel fault while one is being reported ends the machine at once.
 */
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/instruction.h"
#include "kernel/arch/x86_64/registers.h"
#include "kernel/arch/x86_64/timer.h"
#include "kernel/arch/x86_64/traps.h"
#include "kernel/cpu.h"
#include "kernel/log.h"

enum {
    VECTOR_EXCEPTIONS = 32,

    PAGE_ERROR_PRESENT = 1,
    PAGE_ERROR_WRITE = 2,
    PAGE_ERROR_FETCH = 16,
};

struct copy_fixup {
    uint64_t instruction;
    uint64_t resume;
};

extern const struct copy_fixup copy_fixups_start[], copy_fixups_end[];

static enum arch_fault_kind fault_kind(uint64_t vector)
{
    switch (vector) {
    case VECTOR_DIVIDE:
        return ARCH_FAULT_DIVIDE;
    case VECTOR_DEBUG:
    case VECTOR_BREAKPOINT:
        return ARCH_FAULT_BREAKPOINT;
    case VECTOR_UNDEFINED:
        return ARCH_FAULT_INSTRUCTION;
    case VECTOR_PROTECTION:
        return ARCH_FAULT_PRIVILEGE;
    case VECTOR_PAGE:
        return ARCH_FAULT_PAGE;
    case VECTOR_X87:
    case VECTOR_SIMD:
        return ARCH_FAULT_FLOAT;
    case VECTOR_ALIGNMENT:
        return ARCH_FAULT_ALIGNMENT;
    default:
        return ARCH_FAULT_OTHER;
    }
}

static struct arch_fault fault_make(uint64_t vector, uint64_t error)
{
    struct arch_fault fault = {
        .kind = fault_kind(vector),
        .vector = (unsigned)vector,
        .code = error,
    };

    if (vector == VECTOR_PAGE) {
        fault.present = (error & PAGE_ERROR_PRESENT) != 0;
        fault.write = (error & PAGE_ERROR_WRITE) != 0;
        fault.execute = (error & PAGE_ERROR_FETCH) != 0;
        fault.address = cr2_read();
    }
    return fault;
}

static void interrupt_handle(struct cpu *cpu, uint64_t vector)
{
    switch (vector) {
    case VECTOR_TIMER:
        apic_acknowledge();
        if (timer_is_due(cpu)) {
            kernel_interrupt(cpu, ARCH_INTERRUPT_TIMER);
        }
        return;
    case VECTOR_IPI:
        apic_acknowledge();
        kernel_interrupt(cpu, ARCH_INTERRUPT_IPI);
        return;
    case VECTOR_SPURIOUS:
        break;
    default:
        /* The 8259s are masked: what they still raise is spurious and wants no acknowledgement. */
        if (vector >= VECTOR_PIC_FIRST + 16) {
            apic_acknowledge();
        }
        break;
    }
    cpu->arch.unexpected_count++;
}

/* The cause of a general-protection fault at `pc` of the active address space. An error code names
 * a selector: a segment or gate that is not the program's. */
static enum arch_fault_kind protection_kind(uint64_t pc, uint64_t error)
{
    uint64_t in_page = LIMIT_PAGE_BYTES - pc % LIMIT_PAGE_BYTES;
    size_t length = in_page < INSTRUCTION_BYTES_MAX ? in_page : INSTRUCTION_BYTES_MAX;
    uint8_t code[INSTRUCTION_BYTES_MAX];

    if (error != 0) {
        return ARCH_FAULT_PRIVILEGE;
    }
    if (pc >= LIMIT_USER_MAX || !arch_copy_from_user(code, pc, length)) {
        return ARCH_FAULT_ADDRESS;
    }
    switch (instruction_classify(code, length)) {
    case INSTRUCTION_PRIVILEGED:
        return ARCH_FAULT_PRIVILEGE;
    case INSTRUCTION_ALIGNED:
        return ARCH_FAULT_ALIGNMENT;
    default:
        return ARCH_FAULT_ADDRESS;
    }
}

void trap_from_user(struct cpu *cpu, uint64_t vector, uint64_t error)
{
    struct arch_fault fault;

    cpu_flags_check();
    if (vector >= VECTOR_EXCEPTIONS) {
        interrupt_handle(cpu, vector);
        return;
    }
    fault = fault_make(vector, error);
    fault.pc = cpu->context->rip;
    fault.stack = cpu->context->rsp;
    if (vector == VECTOR_PROTECTION) {
        fault.kind = protection_kind(fault.pc, error);
    }
    kernel_user_fault(cpu, &fault);
}

NORETURN void trap_refuse_resume(struct cpu *cpu)
{
    struct arch_fault fault = fault_make(VECTOR_PROTECTION, 0);

    fault.pc = cpu->context->rip;
    fault.stack = cpu->context->rsp;
    kernel_user_fault(cpu, &fault);
    arch_cpu_restart(cpu);
}

static NORETURN void kernel_fault_report(struct trap_frame *frame, struct arch_fault *fault)
{
    struct arch_cpu *arch = &arch_cpu_this()->arch;

    if (arch->fault_depth++ != 0) {
        log_raw("\nkernel fault while one was reported: vector %u, pc 0x%lx\n", fault->vector,
                frame->rip);
        arch_power_off(false);
    }
    arch->fault = frame;
    fault->pc = frame->rip;
    fault->stack = frame->rsp;
    if (frame->vector == VECTOR_DOUBLE_FAULT) {
        fault->address = cr2_read();
    }
    kernel_fault(fault);
}

static bool copy_fixup(struct trap_frame *frame, const struct arch_fault *fault)
{
    if (fault->kind != ARCH_FAULT_PAGE || fault->address >= LIMIT_USER_MAX) {
        return false;
    }
    for (const struct copy_fixup *entry = copy_fixups_start; entry < copy_fixups_end; entry++) {
        if (entry->instruction == frame->rip) {
            frame->rip = entry->resume;
            return true;
        }
    }
    return false;
}

void trap_from_kernel(struct trap_frame *frame)
{
    struct arch_fault fault;

    if (frame->vector >= VECTOR_EXCEPTIONS) {
        interrupt_handle(arch_cpu_this(), frame->vector);
        return;
    }
    fault = fault_make(frame->vector, frame->error);
    if (!copy_fixup(frame, &fault)) {
        kernel_fault_report(frame, &fault);
    }
}

void trap_paranoid(struct trap_frame *frame)
{
    struct arch_fault fault;

    if (frame->vector == VECTOR_NMI) {
        if (smp_is_halting()) {
            smp_halted_note();
            arch_halt();
        }
        arch_cpu_this()->arch.nmi_count++;
        return;
    }
    fault = fault_make(frame->vector, frame->error);
    kernel_fault_report(frame, &fault);
}
