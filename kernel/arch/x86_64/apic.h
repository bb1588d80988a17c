/* SPDX-License-Identifier: MIT */
/* Interrupt controllers and the other CPUs. Theory in apic.c and smp.c. */
#ifndef KERNEL_ARCH_X86_64_APIC_H
#define KERNEL_ARCH_X86_64_APIC_H

#include "core/acpi.h"
#include "kernel/arch/arch.h"

/* What the firmware's tables say; with an error in them, one CPU and the usual addresses. */
extern struct acpi_madt acpi_madt;
extern struct acpi_hpet acpi_hpet; /* address 0: there is none */

/* Remaps and masks the 8259s, masks every I/O APIC input, maps the local APIC. Once. */
void interrupt_controllers_init(void);

/* Switches this CPU's local APIC on; its timer stays off. */
void apic_enable(void);

uint32_t apic_id(void);
void apic_acknowledge(void);

/* Interrupt commands (AMD64 vol. 2, 16.5). */
void apic_send(uint32_t id, uint32_t command);
enum {
    APIC_COMMAND_FIXED = 0x4000, /* | vector */
    APIC_COMMAND_NMI = 0x4400,
    APIC_COMMAND_INIT = 0x4500,
    APIC_COMMAND_STARTUP = 0x4600, /* | page number of the code */
    APIC_COMMAND_ALL_OTHERS = 0xc0000,
};

/* One-shot timer, in ticks of its own clock; 0 stops it. */
void apic_timer_start(uint32_t ticks);
uint32_t apic_timer_left(void);

/* For NMIs: a panic stops all CPUs. */
bool smp_is_halting(void);
void smp_halted_note(void);

#endif
