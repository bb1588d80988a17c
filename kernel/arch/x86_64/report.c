/* SPDX-License-Identifier: MIT */
/*
 * What a report shows of the machine: registers and the way the kernel got somewhere.
 *
 * Backtraces follow frame pointers, which every C function of the kernel keeps (leaf functions of
 * the release build excepted) and which entry.S continues through a fault's frame. A frame pointer
 * is followed only to a mapped stack of this CPU, and at most `limit` times, so that a broken chain
 * ends the list and nothing else.
 */
#include "core/bits.h"
#include "kernel/arch/x86_64/cpu_tables.h"
#include "kernel/arch/x86_64/registers.h"
#include "kernel/arch/x86_64/traps.h"

unsigned arch_backtrace(uint64_t *addresses, unsigned limit)
{
    const struct cpu *cpu = arch_cpu_this();
    uint64_t frame = (uint64_t)__builtin_frame_address(0);
    unsigned count = 0;

    while (count < limit && is_aligned(frame, 8) && cpu_stack_contains(cpu, frame) &&
           cpu_stack_contains(cpu, frame + 8)) {
        const uint64_t *record = (const uint64_t *)frame;

        if (record[1] == 0) {
            break;
        }
        addresses[count++] = record[1];
        frame = record[0];
    }
    return count;
}

static void context_print(const struct arch_context *context, void (*print)(const char *, ...))
{
    print("  rip %016lx  rsp %016lx  rflags %08lx  fs %lx\n", context->rip, context->rsp,
          context->rflags, context->fs_base);
    print("  rax %016lx  rbx %016lx  rbp %016lx\n", context->rax, context->rbx, context->rbp);
    print("  r12 %016lx  r13 %016lx  r14 %016lx  r15 %016lx\n", context->r12, context->r13,
          context->r14, context->r15);
    if (context->saved != CONTEXT_SAVED_ALL) {
        print("  the other registers are dead: it is in a system call\n");
        return;
    }
    print("  rcx %016lx  rdx %016lx  rsi %016lx  rdi %016lx\n", context->rcx, context->rdx,
          context->rsi, context->rdi);
    print("  r8  %016lx  r9  %016lx  r10 %016lx  r11 %016lx\n", context->r8, context->r9,
          context->r10, context->r11);
}

static void frame_print(const struct trap_frame *frame, void (*print)(const char *, ...))
{
    print("  rip %016lx  rsp %016lx  rflags %08lx  cs %lx\n", frame->rip, frame->rsp, frame->rflags,
          frame->cs);
    print("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", frame->rax, frame->rbx, frame->rcx,
          frame->rdx);
    print("  rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx\n", frame->rsi, frame->rdi, frame->rbp,
          frame->r8);
    print("  r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx\n", frame->r9, frame->r10, frame->r11,
          frame->r12);
    print("  r13 %016lx  r14 %016lx  r15 %016lx\n", frame->r13, frame->r14, frame->r15);
    print("  cr2 %016lx  cr3 %016lx  cr0 %08lx  cr4 %08lx\n", cr2_read(), cr3_read(), cr0_read(),
          cr4_read());
}

void arch_registers_print(const struct arch_context *context,
                          void (*print)(const char *format, ...))
{
    const struct arch_cpu *cpu = &arch_cpu_this()->arch;
    const struct trap_frame *frame = cpu->fault;

    if (context != NULL) {
        context_print(context, print);
    } else if (frame != NULL) {
        frame_print(frame, print);
    } else {
        print("  no fault was taken on this CPU\n");
    }
    if (context == NULL && (cpu->nmi_count | cpu->unexpected_count) != 0) {
        print("  unexplained: %lu NMIs, %lu interrupts\n", cpu->nmi_count, cpu->unexpected_count);
    }
}

static const char *page_fault_cause(const struct arch_fault *fault)
{
    bool in_user_half = fault->address < LIMIT_USER_MAX;

    if (cpu_guard_contains(fault->address)) {
        return "kernel stack overflow (guard page)";
    }
    if (!fault->present) {
        return fault->address < LIMIT_USER_MIN ? "followed a null pointer"
                                               : "touched an address where nothing is mapped";
    }
    if (fault->execute) {
        return in_user_half ? "executed a user page (SMEP)" : "executed data (NX)";
    }
    if (in_user_half) {
        return fault->write ? "wrote user memory outside a window (SMAP)"
                            : "read user memory outside a window (SMAP)";
    }
    return fault->write ? "wrote read-only memory (WP)" : "touched a page it may not";
}

const char *arch_fault_cause(const struct arch_fault *fault)
{
    switch (fault->vector) {
    case VECTOR_DIVIDE:
        return "divided by zero";
    case VECTOR_NMI:
        return "non-maskable interrupt";
    case VECTOR_UNDEFINED:
        return "undefined instruction (a trap of the undefined-behaviour checks, in debug builds)";
    case VECTOR_DOUBLE_FAULT:
        return cpu_guard_contains(fault->address) ? "kernel stack overflow (guard page)"
                                                  : "faulted while entering a fault";
    case VECTOR_PROTECTION:
        return "general protection";
    case VECTOR_PAGE:
        return page_fault_cause(fault);
    case VECTOR_MACHINE_CHECK:
        return "the hardware reports an error (machine check)";
    default:
        return "processor exception";
    }
}
