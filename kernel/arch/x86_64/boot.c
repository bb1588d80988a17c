/* SPDX-License-Identifier: MIT */
/*
 * From boot.S to the portable kernel (docs/boot-flow.md). The order matters:
 *
 *   console, features, the boot CPU's tables   from here on a fault has a report
 *   boot information, ACPI tables              parsed by core/, through the boot tables' direct map
 *   the kernel's address space                 permissions hold from here on
 *   control registers, FPU, interrupt controllers, clock
 *   kernel_main                                 for good
 *
 * Whatever is missing ends in kernel_boot_refused: one line and a stop.
 */
#include "core/acpi.h"
#include "core/boot_info.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/cpu_tables.h"
#include "kernel/arch/x86_64/fpu.h"
#include "kernel/arch/x86_64/kernel_map.h"
#include "kernel/arch/x86_64/registers.h"
#include "kernel/arch/x86_64/serial.h"
#include "kernel/arch/x86_64/timer.h"
#include "kernel/log.h"

/* Image, tables and caches of one CPU take about one MiB; a small system takes the other. */
#define BOOT_MEMORY_MIN (UINT64_C(2) << 20)

#define APIC_BASE_X2APIC  (UINT64_C(1) << 10)
#define APIC_BASE_ADDRESS UINT64_C(0x000ffffffffff000)

static struct boot_info boot_info;

/* Foreign tables, as far as the boot tables map memory. */
static const void *boot_memory_lookup(void *context, uint64_t address, uint64_t length)
{
    (void)context;
    if (address >= LAYOUT_BOOT_MAPPED || length > LAYOUT_BOOT_MAPPED - address) {
        return NULL;
    }
    return (const void *)(LAYOUT_DIRECT_BASE + address);
}

static void boot_info_read(const struct boot_memory *memory, uint32_t entry, uint32_t address)
{
    enum boot_error error = entry == BOOT_ENTRY_PVH
                                ? boot_pvh_parse(&boot_info, memory, address)
                                : boot_multiboot2_parse(&boot_info, memory, address);

    if (error == BOOT_OK) {
        error = boot_info_validate(&boot_info, BOOT_MEMORY_MIN);
    }
    if (error != BOOT_OK) {
        kernel_boot_refused(boot_error_text(error));
    }
}

static enum acpi_error madt_read(const struct acpi_root *root, const struct boot_memory *memory)
{
    struct acpi_table table;
    enum acpi_error error = acpi_table_find(root, memory, "APIC", &table);

    return error != ACPI_OK ? error : acpi_madt_parse(&table, &acpi_madt);
}

/* Without usable tables: this CPU alone, its local APIC where the CPU says, the PIT as reference.
 */
static void acpi_read(const struct boot_memory *memory)
{
    struct acpi_root root;
    struct acpi_table table;
    enum acpi_error error = acpi_root_find(&root, memory, &boot_info);

    if (error == ACPI_OK) {
        if (acpi_table_find(&root, memory, "HPET", &table) != ACPI_OK ||
            acpi_hpet_parse(&table, &acpi_hpet) != ACPI_OK) {
            acpi_hpet.address = 0;
        }
        error = madt_read(&root, memory);
    }
    if (error != ACPI_OK) {
        log_line(LOG_WARNING, "%s: starting one processor only", acpi_error_text(error));
        acpi_madt =
            (struct acpi_madt){.lapic_address = msr_read(MSR_APIC_BASE) & APIC_BASE_ADDRESS};
    }
}

NORETURN void boot_start(uint32_t entry, uint32_t address);
NORETURN void boot_start(uint32_t entry, uint32_t address)
{
    const struct boot_memory memory = {.map = boot_memory_lookup, .context = NULL};
    struct cpu *cpu = cpu_create(0);
    const char *reason;

    serial_init();
    interrupt_table_init();
    cpu_tables_load(cpu, &boot_stacks);
    cpu_features_detect();
    if (!cpu_features.no_execute) {
        kernel_boot_refused("this processor has no execute protection (NX)");
    }
    boot_info_read(&memory, entry, address);
    if ((msr_read(MSR_APIC_BASE) & APIC_BASE_X2APIC) != 0) {
        kernel_boot_refused("firmware left the local APIC in x2APIC mode, which is not supported");
    }
    acpi_read(&memory);
    cpu_features_enable();
    reason = kernel_map_build(&boot_info);
    if (reason != NULL) {
        kernel_boot_refused(reason);
    }
    fpu_init();
    interrupt_controllers_init();
    apic_enable();
    cpu->arch.apic_id = apic_id();
    if (!timer_calibrate()) {
        kernel_boot_refused("neither HPET nor PIT runs: there is no clock");
    }
    kernel_main(&boot_info);
}
