/* SPDX-License-Identifier: MIT */
/*
 * The Multiple APIC Description Table (ACPI 6.4, 5.2.12): processors, I/O APICs, how ISA interrupts
 * are wired, where NMIs arrive. And the HPET's description, which is short.
 *
 * After the table's fixed part comes a list of entries, each with type and length. An entry shorter
 * than its type needs, or longer than the table's rest, makes the whole table unusable: half a list
 * of processors is worse than none. Types that we do not use are stepped over.
 */
#include "core/acpi.h"

#include "core/bits.h"
#include "core/string.h"

enum madt_field {
    MADT_LAPIC_ADDRESS = 36,
    MADT_FLAGS = 40,
    MADT_ENTRIES = 44,
};

enum entry_type {
    ENTRY_LAPIC = 0,
    ENTRY_IO_APIC = 1,
    ENTRY_OVERRIDE = 2,
    ENTRY_NMI_SOURCE = 3,
    ENTRY_LAPIC_NMI = 4,
    ENTRY_LAPIC_ADDRESS = 5,
    ENTRY_X2APIC = 9,
    ENTRY_X2APIC_NMI = 10,
    ENTRY_TYPES = 11,
};

/* The length that each type must at least have; 0: a type we step over. */
static const uint8_t entry_length_min[ENTRY_TYPES] = {
    [ENTRY_LAPIC] = 8,      [ENTRY_IO_APIC] = 12,    [ENTRY_OVERRIDE] = 10,
    [ENTRY_NMI_SOURCE] = 8, [ENTRY_LAPIC_NMI] = 6,   [ENTRY_LAPIC_ADDRESS] = 12,
    [ENTRY_X2APIC] = 16,    [ENTRY_X2APIC_NMI] = 12,
};

#define ENTRY_HEADER_SIZE    2u
#define MADT_HAS_8259        1u
#define CPU_ENABLED          1u
#define CPU_ONLINE_CAPABLE   2u
#define LAPIC_ID_NONE        0xffu
#define X2APIC_ID_NONE       UINT32_MAX
#define PROCESSOR_ALL        0xffu
#define X2APIC_PROCESSOR_ALL UINT32_MAX
#define PAGE_SIZE            4096u

static bool madt_has_cpu(const struct acpi_madt *madt, uint32_t apic_id)
{
    for (uint32_t i = 0; i < madt->cpu_count; i++) {
        if (madt->cpu[i].apic_id == apic_id) {
            return true;
        }
    }
    return false;
}

/* A processor entry of either kind. Firmware may list one by both kinds; it counts once. */
static enum acpi_error cpu_add(struct acpi_madt *madt, const struct acpi_cpu *cpu, uint32_t flags)
{
    if ((flags & (CPU_ENABLED | CPU_ONLINE_CAPABLE)) == 0) {
        return ACPI_OK;
    }
    if (madt->cpu_count == ACPI_CPUS_MAX || madt_has_cpu(madt, cpu->apic_id)) {
        madt->cpus_ignored++;
        return ACPI_OK;
    }
    ASSERT(madt->cpu_count < ACPI_CPUS_MAX);
    madt->cpu[madt->cpu_count] = *cpu;
    madt->cpu[madt->cpu_count].enabled = (flags & CPU_ENABLED) != 0;
    madt->cpu_count++;
    return ACPI_OK;
}

static enum acpi_error lapic_read(struct acpi_madt *madt, const uint8_t *entry)
{
    struct acpi_cpu cpu = {.processor_id = entry[2], .apic_id = entry[3]};

    return entry[3] == LAPIC_ID_NONE ? ACPI_OK : cpu_add(madt, &cpu, read_u32(entry + 4));
}

static enum acpi_error x2apic_read(struct acpi_madt *madt, const uint8_t *entry)
{
    struct acpi_cpu cpu = {
        .processor_id = read_u32(entry + 12),
        .apic_id = read_u32(entry + 4),
        .x2apic = true,
    };

    return cpu.apic_id == X2APIC_ID_NONE ? ACPI_OK : cpu_add(madt, &cpu, read_u32(entry + 8));
}

static enum acpi_error io_apic_read(struct acpi_madt *madt, const uint8_t *entry)
{
    struct acpi_io_apic *io_apic = &madt->io_apic[madt->io_apic_count];

    if (madt->io_apic_count == ACPI_IO_APICS_MAX) {
        return ACPI_ERROR_TOO_MANY;
    }
    *io_apic = (struct acpi_io_apic){
        .id = entry[2],
        .address = read_u32(entry + 4),
        .global_interrupt_base = read_u32(entry + 8),
    };
    if (io_apic->address == 0 || io_apic->address % 16 != 0) {
        return ACPI_ERROR_BAD_ADDRESS;
    }
    madt->io_apic_count++;
    return ACPI_OK;
}

/* MPS INTI flags (table 5.26); reserved values count as "conforms to the bus". */
static enum acpi_polarity polarity_of(uint32_t flags)
{
    switch (flags & 3) {
    case 1:
        return ACPI_POLARITY_HIGH;
    case 3:
        return ACPI_POLARITY_LOW;
    default:
        return ACPI_POLARITY_BUS;
    }
}

static enum acpi_trigger trigger_of(uint32_t flags)
{
    switch (flags >> 2 & 3) {
    case 1:
        return ACPI_TRIGGER_EDGE;
    case 3:
        return ACPI_TRIGGER_LEVEL;
    default:
        return ACPI_TRIGGER_BUS;
    }
}

static enum acpi_error override_read(struct acpi_madt *madt, const uint8_t *entry)
{
    uint32_t flags = read_u16(entry + 8);

    if (madt->override_count == ACPI_OVERRIDES_MAX) {
        return ACPI_ERROR_TOO_MANY;
    }
    madt->override[madt->override_count] = (struct acpi_override){
        .source = entry[3],
        .global_interrupt = read_u32(entry + 4),
        .polarity = polarity_of(flags),
        .trigger = trigger_of(flags),
    };
    madt->override_count++;
    return ACPI_OK;
}

static enum acpi_error nmi_add(struct acpi_madt *madt, const struct acpi_nmi *nmi, uint32_t flags)
{
    if (madt->nmi_count == ACPI_NMI_SOURCES_MAX) {
        return ACPI_ERROR_TOO_MANY;
    }
    if (nmi->lint > 1) {
        return ACPI_ERROR_BAD_ENTRY;
    }
    madt->nmi[madt->nmi_count] = *nmi;
    madt->nmi[madt->nmi_count].polarity = polarity_of(flags);
    madt->nmi[madt->nmi_count].trigger = trigger_of(flags);
    madt->nmi_count++;
    return ACPI_OK;
}

static enum acpi_error nmi_source_read(struct acpi_madt *madt, const uint8_t *entry)
{
    struct acpi_nmi nmi = {.global_interrupt = read_u32(entry + 4)};

    return nmi_add(madt, &nmi, read_u16(entry + 2));
}

static enum acpi_error lapic_nmi_read(struct acpi_madt *madt, const uint8_t *entry)
{
    struct acpi_nmi nmi = {
        .local = true,
        .all_processors = entry[2] == PROCESSOR_ALL,
        .processor_id = entry[2],
        .lint = entry[5],
    };

    return nmi_add(madt, &nmi, read_u16(entry + 3));
}

static enum acpi_error x2apic_nmi_read(struct acpi_madt *madt, const uint8_t *entry)
{
    struct acpi_nmi nmi = {
        .local = true,
        .all_processors = read_u32(entry + 4) == X2APIC_PROCESSOR_ALL,
        .processor_id = read_u32(entry + 4),
        .lint = entry[8],
    };

    return nmi_add(madt, &nmi, read_u16(entry + 2));
}

static enum acpi_error entry_read(struct acpi_madt *madt, const uint8_t *entry)
{
    switch ((enum entry_type)entry[0]) {
    case ENTRY_LAPIC:
        return lapic_read(madt, entry);
    case ENTRY_IO_APIC:
        return io_apic_read(madt, entry);
    case ENTRY_OVERRIDE:
        return override_read(madt, entry);
    case ENTRY_NMI_SOURCE:
        return nmi_source_read(madt, entry);
    case ENTRY_LAPIC_NMI:
        return lapic_nmi_read(madt, entry);
    case ENTRY_LAPIC_ADDRESS:
        madt->lapic_address = read_u64(entry + 4);
        return ACPI_OK;
    case ENTRY_X2APIC:
        return x2apic_read(madt, entry);
    case ENTRY_X2APIC_NMI:
        return x2apic_nmi_read(madt, entry);
    case ENTRY_TYPES:
    default:
        return ACPI_OK;
    }
}

/* Walks the entries; each iteration moves at least ENTRY_HEADER_SIZE bytes on. */
static enum acpi_error entries_read(struct acpi_madt *madt, const struct acpi_table *table)
{
    uint32_t offset = MADT_ENTRIES;

    while (offset < table->length) {
        const uint8_t *entry = table->bytes + offset;
        uint32_t rest = table->length - offset;
        uint8_t length;
        enum acpi_error error;

        ASSERT(rest <= table->length - MADT_ENTRIES);
        if (rest < ENTRY_HEADER_SIZE) {
            return ACPI_ERROR_BAD_ENTRY;
        }
        length = entry[1];
        if (length < ENTRY_HEADER_SIZE || length > rest ||
            (entry[0] < ENTRY_TYPES && length < entry_length_min[entry[0]])) {
            return ACPI_ERROR_BAD_ENTRY;
        }
        error = entry_read(madt, entry);
        if (error != ACPI_OK) {
            return error;
        }
        offset += length;
    }
    return ACPI_OK;
}

static bool any_cpu_enabled(const struct acpi_madt *madt)
{
    for (uint32_t i = 0; i < madt->cpu_count; i++) {
        if (madt->cpu[i].enabled) {
            return true;
        }
    }
    return false;
}

enum acpi_error acpi_madt_parse(const struct acpi_table *table, struct acpi_madt *madt)
{
    enum acpi_error error;

    memset(madt, 0, sizeof(*madt));
    if (table->length < MADT_ENTRIES) {
        return ACPI_ERROR_BAD_LENGTH;
    }
    if (memcmp(table->bytes, "APIC", 4) != 0) {
        return ACPI_ERROR_BAD_SIGNATURE;
    }
    madt->lapic_address = read_u32(table->bytes + MADT_LAPIC_ADDRESS);
    madt->has_8259 = (read_u32(table->bytes + MADT_FLAGS) & MADT_HAS_8259) != 0;
    error = entries_read(madt, table);
    if (error != ACPI_OK) {
        return error;
    }
    if (madt->lapic_address == 0 || madt->lapic_address >= BOOT_ADDRESS_LIMIT ||
        !is_aligned(madt->lapic_address, PAGE_SIZE)) {
        return ACPI_ERROR_BAD_ADDRESS;
    }
    ASSERT(madt->io_apic_count <= ACPI_IO_APICS_MAX);
    ASSERT(madt->override_count <= ACPI_OVERRIDES_MAX);
    ASSERT(madt->nmi_count <= ACPI_NMI_SOURCES_MAX);
    return any_cpu_enabled(madt) ? ACPI_OK : ACPI_ERROR_NO_CPU;
}

/* Byte offsets in the HPET table; the address is a generic address structure (5.2.3.2). */
enum hpet_field {
    HPET_BLOCK_ID = 36,
    HPET_ADDRESS_SPACE = 40,
    HPET_ADDRESS = 44,
    HPET_NUMBER = 52,
    HPET_MINIMUM_TICK = 53,
    HPET_SIZE = 56,
};

#define HPET_REGISTERS_ALIGN 1024u
#define SPACE_MEMORY         0u

enum acpi_error acpi_hpet_parse(const struct acpi_table *table, struct acpi_hpet *hpet)
{
    memset(hpet, 0, sizeof(*hpet));
    if (table->length < HPET_SIZE) {
        return ACPI_ERROR_BAD_LENGTH;
    }
    if (memcmp(table->bytes, "HPET", 4) != 0) {
        return ACPI_ERROR_BAD_SIGNATURE;
    }
    *hpet = (struct acpi_hpet){
        .address = read_u64(table->bytes + HPET_ADDRESS),
        .block_id = read_u32(table->bytes + HPET_BLOCK_ID),
        .number = table->bytes[HPET_NUMBER],
        .minimum_tick = read_u16(table->bytes + HPET_MINIMUM_TICK),
    };
    if (table->bytes[HPET_ADDRESS_SPACE] != SPACE_MEMORY || hpet->address == 0 ||
        hpet->address >= BOOT_ADDRESS_LIMIT || !is_aligned(hpet->address, HPET_REGISTERS_ALIGN)) {
        return ACPI_ERROR_BAD_ADDRESS;
    }
    return ACPI_OK;
}
