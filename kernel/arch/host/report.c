/* SPDX-License-Identifier: MIT */
/* Reports, and what has no meaning on the host. */
#include "kernel/arch/host/machine.h"

void arch_registers_print(const struct arch_context *context,
                          void (*print)(const char *format, ...))
{
    if (context != NULL) {
        print("  pc %016llx sp %016llx\n", (unsigned long long)context->pc,
              (unsigned long long)context->stack_pointer);
    }
    print("  seed %llu, step %llu, %llu ns\n", (unsigned long long)machine.options.seed,
          (unsigned long long)machine.steps, (unsigned long long)machine.now_ns);
}

unsigned arch_backtrace(uint64_t *addresses, unsigned limit)
{
    const struct cpu *cpu = machine.current;
    const uint64_t *frame = __builtin_frame_address(0);
    unsigned count = 0;

    while (count < limit && (const uint8_t *)frame >= cpu->arch.stack_low &&
           (const uint8_t *)(frame + 2) <= cpu->arch.stack_top) {
        addresses[count++] = frame[1];
        frame = (const uint64_t *)(uintptr_t)frame[0];
    }
    return count;
}

/* The host has neither SMEP nor SMAP, and its kernel stacks end at a guard page without a report.
 */
void arch_debug_execute(vaddr_t address)
{
    (void)address;
}

void arch_debug_read(vaddr_t address)
{
    (void)address;
}

void arch_debug_overflow(void)
{
}
