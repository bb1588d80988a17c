/* SPDX-License-Identifier: MIT */
/*
 * The longest stretch with interrupts off and the shortest switch of threads, in ticks of the cycle
 * counter: under an emulator that counts one tick for each instruction, in instructions. Each CPU
 * keeps its own.
 */
#include "kernel/irq_probe.h"

#include "kernel/log.h"

struct irq_probe irq_probes[LIMIT_CPUS];

void irq_probe_reset(void)
{
    for (unsigned i = 0; i < LIMIT_CPUS; i++) {
        irq_probes[i] = (struct irq_probe){.begin = irq_probes[i].begin};
    }
}

static uint64_t longest_of(unsigned stretch)
{
    uint64_t longest = 0;

    for (unsigned i = 0; i < LIMIT_CPUS; i++) {
        if (irq_probes[i].longest[stretch] > longest) {
            longest = irq_probes[i].longest[stretch];
        }
    }
    return longest;
}

void irq_probe_report(void)
{
    static const char *const names[IRQ_STRETCH_COUNT] = {
        [IRQ_STRETCH_SYSCALL] = "system call", [IRQ_STRETCH_INTERRUPT] = "interrupt",
        [IRQ_STRETCH_FAULT] = "fault",         [IRQ_STRETCH_JOB] = "job step",
        [IRQ_STRETCH_SWITCH] = "switch",
    };
    uint64_t least = irq_probe_this()->switch_least;
    uint64_t longest = 0;

    for (unsigned stretch = 0; stretch < IRQ_STRETCH_COUNT; stretch++) {
        uint64_t one = longest_of(stretch);

        log_raw("irq off: %s at most %llu\n", names[stretch], (unsigned long long)one);
        longest = one > longest ? one : longest;
    }
    if (least != 0) {
        log_raw("bench thread_switch %llu instructions\n", (unsigned long long)least);
    }
    log_raw("bench irq_off_max %llu instructions\n", (unsigned long long)longest);
}
