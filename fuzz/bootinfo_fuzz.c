/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as what a boot loader and firmware leave in memory. The first byte chooses what they
 * are: multiboot2 tags, a PVH start-of-day structure, an ACPI root pointer, a MADT or an HPET
 * table. The rest lies at MEMORY_BASE and nothing else is accessible; each access gets a copy of
 * exactly its length, so that one byte too many is seen. Whatever is accepted must keep
 * boot_info_check().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/acpi.h"
#include "core/boot_info.h"

#define MEMORY_BASE UINT64_C(0x1000)
#define COPIES_MAX  8192u

struct memory {
    const uint8_t *bytes;
    uint64_t length;
    void *copy[COPIES_MAX];
    size_t copy_count;
};

static const void *memory_map(void *context, uint64_t address, uint64_t length)
{
    struct memory *memory = context;
    uint64_t offset = address - MEMORY_BASE;
    void *copy;

    if (address < MEMORY_BASE || length == 0 || offset > memory->length ||
        length > memory->length - offset || memory->copy_count == COPIES_MAX) {
        return NULL;
    }
    copy = malloc(length);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, memory->bytes + offset, length);
    memory->copy[memory->copy_count++] = copy;
    return copy;
}

static void demand(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bootinfo: %s\n", what);
        abort();
    }
}

static void boot_try(const struct boot_memory *memory, bool multiboot2)
{
    static struct boot_info info;
    enum boot_error error = multiboot2 ? boot_multiboot2_parse(&info, memory, MEMORY_BASE)
                                       : boot_pvh_parse(&info, memory, MEMORY_BASE);

    if (error != BOOT_OK) {
        return;
    }
    demand(boot_info_check(&info) == 0, "accepted information breaks an invariant");
    if (boot_info_validate(&info, 1 << 20) == BOOT_OK) {
        demand(info.module_count == 1 && info.module_length != 0, "started without a module");
        demand(info.module_start + info.module_length <= boot_info_usable_end(&info),
               "the module lies beyond all memory");
    }
}

static void madt_try(const struct acpi_table *table)
{
    static struct acpi_madt madt;

    if (acpi_madt_parse(table, &madt) == ACPI_OK) {
        demand(madt.cpu_count >= 1 && madt.cpu_count <= ACPI_CPUS_MAX, "processors out of range");
        demand(madt.io_apic_count <= ACPI_IO_APICS_MAX, "I/O APICs out of range");
        demand(madt.override_count <= ACPI_OVERRIDES_MAX, "overrides out of range");
        demand(madt.nmi_count <= ACPI_NMI_SOURCES_MAX, "NMIs out of range");
        demand(madt.lapic_address % 4096 == 0, "the local APIC is not on a page");
    }
}

static void acpi_try(const struct boot_memory *memory)
{
    struct boot_info info = {.rsdp_address = MEMORY_BASE};
    struct acpi_root root;
    struct acpi_table table;

    if (acpi_root_find(&root, memory, &info) == ACPI_OK &&
        acpi_table_find(&root, memory, "APIC", &table) == ACPI_OK) {
        madt_try(&table);
    }
}

/* One table alone, without the checksum that random bytes never have. */
static void table_try(const struct memory *memory, bool is_madt)
{
    struct acpi_table table = {.bytes = memory->bytes, .length = (uint32_t)memory->length};
    struct acpi_hpet hpet;

    if (is_madt) {
        madt_try(&table);
    } else if (acpi_hpet_parse(&table, &hpet) == ACPI_OK) {
        demand(hpet.address != 0 && hpet.address % 1024 == 0, "the HPET is not aligned");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct memory memory;
    struct boot_memory access = {.map = memory_map, .context = &memory};

    if (size == 0) {
        return 0;
    }
    memory.bytes = data + 1;
    memory.length = size - 1;
    switch (data[0] % 5) {
    case 0:
    case 1:
        boot_try(&access, data[0] % 5 == 0);
        break;
    case 2:
        acpi_try(&access);
        break;
    default:
        table_try(&memory, data[0] % 5 == 3);
        break;
    }
    while (memory.copy_count > 0) {
        free(memory.copy[--memory.copy_count]);
    }
    return 0;
}
