/* SPDX-License-Identifier: MIT */
/*
 * The end. Under an emulator, which CPUID tells: first QEMU's isa-debug-exit, if the machine has
 * it, with the verdict as exit status (0x10 gives 33, 0x01 gives 3; success is never 0); then, for
 * a success, the power management port of QEMU's boards. A failure without that device leaves its
 * report standing: the machine halts. So does a real machine, where powering off takes ACPI's
 * interpreted tables; and ports like these are somebody else's there.
 */
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/registers.h"
#include "kernel/arch/arch.h"

enum {
    EXIT_PORT = 0xf4,
    EXIT_SUCCESS = 0x10,
    EXIT_FAILURE = 0x01,
    POWER_PORT_Q35 = 0x604, /* PM1a control of q35 and of pc */
    POWER_SLEEP_S5 = 0x2000,
};

NORETURN void arch_halt(void)
{
    for (;;) {
        __asm__ volatile("cli\n\thlt" : : : "memory");
    }
}

NORETURN void arch_power_off(bool success)
{
    if (cpu_features.emulated) {
        port_write_u32(EXIT_PORT, success ? EXIT_SUCCESS : EXIT_FAILURE);
        if (success) {
            port_write_u16(POWER_PORT_Q35, POWER_SLEEP_S5);
        }
    }
    arch_halt();
}
