/* SPDX-License-Identifier: MIT */
/*
 * The longest stretch with interrupts off, in ticks of the cycle counter: under an emulator that
 * counts one tick for each instruction, in instructions. Each CPU keeps its own.
 */
#include "kernel/irq_probe.h"

#include "kernel/log.h"

struct probe {
    uint64_t begin; /* 0: interrupts are on */
    enum irq_stretch stretch;
    uint64_t longest[IRQ_STRETCH_COUNT];
};

static struct probe probes[LIMIT_CPUS];

void irq_probe_begin(enum irq_stretch stretch)
{
    struct probe *probe = &probes[arch_cpu_this()->index];

    if (probe->begin == 0) {
        probe->begin = arch_cycles();
    }
    probe->stretch = stretch;
}

void irq_probe_end(void)
{
    struct probe *probe = &probes[arch_cpu_this()->index];
    uint64_t length;

    if (probe->begin == 0) {
        return;
    }
    length = arch_cycles() - probe->begin;
    probe->begin = 0;
    if (length > probe->longest[probe->stretch]) {
        probe->longest[probe->stretch] = length;
    }
}

void irq_probe_reset(void)
{
    for (unsigned i = 0; i < LIMIT_CPUS; i++) {
        probes[i] = (struct probe){.begin = probes[i].begin};
    }
}

void irq_probe_report(void)
{
    static const char *const names[IRQ_STRETCH_COUNT] = {
        [IRQ_STRETCH_SYSCALL] = "system call", [IRQ_STRETCH_INTERRUPT] = "interrupt",
        [IRQ_STRETCH_FAULT] = "fault",         [IRQ_STRETCH_JOB] = "job step",
        [IRQ_STRETCH_SWITCH] = "switch",
    };
    uint64_t all = 0;

    for (unsigned kind = 0; kind < IRQ_STRETCH_COUNT; kind++) {
        uint64_t longest = 0;

        for (unsigned i = 0; i < LIMIT_CPUS; i++) {
            longest = probes[i].longest[kind] > longest ? probes[i].longest[kind] : longest;
        }
        log_raw("irq off: %s at most %llu\n", names[kind], (unsigned long long)longest);
        all = longest > all ? longest : all;
    }
    log_raw("bench irq_off_max %llu instructions\n", (unsigned long long)all);
}
