/* SPDX-License-Identifier: MIT */
/* Clock and timer of each CPU. Theory in timer.c. */
#ifndef KERNEL_ARCH_X86_64_TIMER_H
#define KERNEL_ARCH_X86_64_TIMER_H

#include "kernel/arch/arch.h"

/* Measures the cycle counter and the local timer against HPET or PIT; system time 0 is now. Once,
 * with the boot CPU's local APIC on. False: neither reference runs. */
bool timer_calibrate(void);

/* Whether this CPU's deadline has come; if not, the timer is set again for the rest. */
bool timer_is_due(struct cpu *cpu);

/* Cycle counter steps in `ns`, for waits while starting. */
uint64_t timer_cycles(uint64_t ns);

#endif
