/* SPDX-License-Identifier: MIT */
/* The CPUs there are, and how one tells another that it has work. */
#include "kernel/cpu.h"

#include "abi/atomic.h"

struct cpu *cpus[LIMIT_CPUS];
unsigned cpu_count;

void cpu_notify(struct cpu *cpu, uint64_t reasons)
{
    if (cpu == arch_cpu_this()) {
        return;
    }
    /* Whoever leaves a reason where it stood already finds an interrupt that is not handled yet. */
    if ((atomic_or_u64(&cpu->ipi_reasons, reasons) & reasons) != reasons) {
        arch_ipi_send(cpu);
    }
}
