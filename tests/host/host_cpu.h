/* SPDX-License-Identifier: MIT */
/* One CPU of the host kernel without a boot: what a test of a part of it needs. */
#ifndef TESTS_HOST_HOST_CPU_H
#define TESTS_HOST_HOST_CPU_H

#include "tests/host/support.h"

#include "kernel/arch/host/machine.h"

/* The only CPU of a machine of this much memory; it runs, and is online. Once in a program. */
static inline struct cpu *host_cpu_alone(uint64_t memory_bytes)
{
    struct cpu *cpu;

    machine.options = (struct host_options){.cpus = 1,
                                            .seed = 1,
                                            .memory_bytes = memory_bytes,
                                            .steps_max = UINT64_MAX,
                                            .switch_percent = 1};
    machine.random = 1;
    host_memory_init();
    cpu = cpu_create(0);
    cpu->online = true;
    cpu->arch.state = HOST_CPU_RUNNING;
    machine.current = cpu;
    machine.count = 1;
    return cpu;
}

#endif
