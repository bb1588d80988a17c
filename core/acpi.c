/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables.
 *
 * The firmware's tables are foreign input: each length is bounded before the bytes are mapped, each
 * checksum is summed over exactly that length, each entry of a table is bounded by the table.
 * Tables are never written and nothing is remembered but what the caller's structures hold.
 *
 * Order: root pointer (5.2.5.3) -> XSDT or RSDT (5.2.7, 5.2.8) -> tables by signature (5.2.6).
 *
 * What can fail: everything, each with its own error; nothing is left half filled that the caller
 * may use.
 */
#include "core/acpi.h"

#include "core/assert.h"
#include "core/bits.h"
#include "core/string.h"

enum {
    HEADER_BYTES = 36,
    RSDP_1_BYTES = 20,
    RSDP_2_BYTES = 36,
    MADT_FIXED_BYTES = HEADER_BYTES + 8,
    HPET_BYTES = 56,
};

/* Types of MADT entries (5.2.12, table 5-45). */
enum {
    MADT_LOCAL_APIC = 0,
    MADT_IO_APIC = 1,
    MADT_OVERRIDE = 2,
    MADT_NMI_SOURCE = 3,
    MADT_LOCAL_NMI = 4,
    MADT_ADDRESS_OVERRIDE = 5,
    MADT_LOCAL_X2APIC = 9,
    MADT_LOCAL_X2APIC_NMI = 10,
};

const char *acpi_error_text(enum acpi_error error)
{
    static const char *const texts[ACPI_ERROR_COUNT] = {
        [ACPI_OK] = "no error",
#define ACPI_ERROR(name, text) [ACPI_ERROR_##name] = text,
#include "core/acpi_error.def"
#undef ACPI_ERROR
    };

    return (unsigned)error < ACPI_ERROR_COUNT ? texts[error] : "unknown ACPI error";
}

static bool checksum_is_zero(const uint8_t *bytes, uint32_t length)
{
    uint8_t sum = 0;

    for (uint32_t i = 0; i < length; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return sum == 0;
}

static bool signature_is(const uint8_t *bytes, const char *signature)
{
    return memcmp(bytes, signature, 4) == 0;
}

/* Maps the whole table whose header is at `address`; length and checksum are right afterwards. */
static enum acpi_error table_map(const struct boot_memory *memory, uint64_t address,
                                 struct acpi_table *table)
{
    const uint8_t *header = boot_memory_map(memory, address, HEADER_BYTES);
    uint32_t length;

    if (header == NULL) {
        return ACPI_ERROR_UNREADABLE;
    }
    length = read_u32(header + 4);
    if (length < HEADER_BYTES || length > ACPI_TABLE_SIZE_MAX) {
        return ACPI_ERROR_BAD_LENGTH;
    }
    table->bytes = boot_memory_map(memory, address, length);
    if (table->bytes == NULL) {
        return ACPI_ERROR_UNREADABLE;
    }
    if (!checksum_is_zero(table->bytes, length)) {
        return ACPI_ERROR_BAD_CHECKSUM;
    }
    table->address = address;
    table->length = length;
    return ACPI_OK;
}

/* The bytes of the root pointer, from the loader's copy or from memory. */
static const uint8_t *root_pointer(const struct boot_memory *memory, const struct boot_info *info,
                                   uint32_t *available)
{
    const uint8_t *bytes;

    if (info->rsdp_length != 0) {
        *available = info->rsdp_length;
        return info->rsdp;
    }
    *available = RSDP_2_BYTES;
    bytes = boot_memory_map(memory, info->rsdp_address, RSDP_2_BYTES);
    if (bytes == NULL) {
        *available = RSDP_1_BYTES;
        bytes = boot_memory_map(memory, info->rsdp_address, RSDP_1_BYTES);
    }
    return bytes;
}

/* Checks a list of tables and fills `root`. */
static enum acpi_error list_read(const struct boot_memory *memory, uint64_t address,
                                 uint32_t entry_size, struct acpi_root *root)
{
    struct acpi_table table;
    enum acpi_error error = table_map(memory, address, &table);

    if (error != ACPI_OK) {
        return error;
    }
    if (!signature_is(table.bytes, entry_size == 8 ? "XSDT" : "RSDT")) {
        return ACPI_ERROR_BAD_SIGNATURE;
    }
    if ((table.length - HEADER_BYTES) % entry_size != 0) {
        return ACPI_ERROR_BAD_LENGTH;
    }
    root->address = address;
    root->entry_size = entry_size;
    root->entry_count = (table.length - HEADER_BYTES) / entry_size;
    root->entries = table.bytes + HEADER_BYTES;
    return ACPI_OK;
}

enum acpi_error acpi_root_find(struct acpi_root *root, const struct boot_memory *memory,
                               const struct boot_info *info)
{
    uint32_t available;
    const uint8_t *pointer;
    uint64_t xsdt = 0;

    if (info->rsdp_length == 0 && info->rsdp_address == 0) {
        return ACPI_ERROR_NO_ROOT_POINTER;
    }
    pointer = root_pointer(memory, info, &available);
    if (pointer == NULL) {
        return ACPI_ERROR_UNREADABLE;
    }
    if (available < RSDP_1_BYTES || memcmp(pointer, "RSD PTR ", 8) != 0 ||
        !checksum_is_zero(pointer, RSDP_1_BYTES)) {
        return ACPI_ERROR_BAD_ROOT_POINTER;
    }
    if (pointer[15] >= 2) {
        if (available < RSDP_2_BYTES || read_u32(pointer + 20) < RSDP_2_BYTES ||
            !checksum_is_zero(pointer, RSDP_2_BYTES)) {
            return ACPI_ERROR_BAD_ROOT_POINTER;
        }
        xsdt = read_u64(pointer + 24);
    }
    if (xsdt != 0) {
        return list_read(memory, xsdt, 8, root);
    }
    return list_read(memory, read_u32(pointer + 16), 4, root);
}

enum acpi_error acpi_table_find(const struct acpi_root *root, const struct boot_memory *memory,
                                const char *signature, struct acpi_table *table)
{
    for (uint32_t i = 0; i < root->entry_count; i++) {
        const uint8_t *entry = root->entries + (size_t)i * root->entry_size;
        uint64_t address = root->entry_size == 8 ? read_u64(entry) : read_u32(entry);
        const uint8_t *header = boot_memory_map(memory, address, HEADER_BYTES);

        if (header == NULL) {
            return ACPI_ERROR_UNREADABLE;
        }
        if (signature_is(header, signature)) {
            return table_map(memory, address, table);
        }
    }
    return ACPI_ERROR_NO_TABLE;
}

/* Polarity and trigger of MPS INTI flags (5.2.12.5, table 5-50). */
static enum acpi_polarity polarity_of(uint16_t flags)
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

static enum acpi_trigger trigger_of(uint16_t flags)
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

/* Notes a processor; `flags` as in the entry: bit 0 enabled, bit 1 may be enabled later. */
static void cpu_add(struct acpi_madt *madt, struct acpi_cpu cpu, uint32_t flags)
{
    cpu.enabled = (flags & 1) != 0;
    if ((flags & 3) == 0) {
        return;
    }
    for (uint32_t i = 0; i < madt->cpu_count; i++) {
        if (madt->cpu[i].apic_id == cpu.apic_id) {
            madt->cpus_ignored++;
            return;
        }
    }
    if (madt->cpu_count == ACPI_CPUS_MAX) {
        madt->cpus_ignored++;
        return;
    }
    madt->cpu[madt->cpu_count++] = cpu;
}

static enum acpi_error io_apic_add(struct acpi_madt *madt, const uint8_t *entry)
{
    if (madt->io_apic_count == ACPI_IO_APICS_MAX) {
        return ACPI_ERROR_TOO_MANY;
    }
    madt->io_apic[madt->io_apic_count++] =
        (struct acpi_io_apic){.id = entry[2],
                              .address = read_u32(entry + 4),
                              .global_interrupt_base = read_u32(entry + 8)};
    return ACPI_OK;
}

static enum acpi_error override_add(struct acpi_madt *madt, const uint8_t *entry)
{
    if (madt->override_count == ACPI_OVERRIDES_MAX) {
        return ACPI_ERROR_TOO_MANY;
    }
    madt->override[madt->override_count++] =
        (struct acpi_override){.source = entry[3],
                               .global_interrupt = read_u32(entry + 4),
                               .polarity = polarity_of(read_u16(entry + 8)),
                               .trigger = trigger_of(read_u16(entry + 8))};
    return ACPI_OK;
}

static enum acpi_error nmi_add(struct acpi_madt *madt, struct acpi_nmi nmi, uint16_t flags)
{
    if (madt->nmi_count == ACPI_NMI_SOURCES_MAX) {
        return ACPI_ERROR_TOO_MANY;
    }
    nmi.polarity = polarity_of(flags);
    nmi.trigger = trigger_of(flags);
    madt->nmi[madt->nmi_count++] = nmi;
    return ACPI_OK;
}

/* Bytes that an entry of this type must at least have; 0: a type that is passed over. */
static uint32_t entry_bytes_min(uint8_t type)
{
    static const uint8_t bytes[] = {
        [MADT_LOCAL_APIC] = 8,    [MADT_IO_APIC] = 12,          [MADT_OVERRIDE] = 10,
        [MADT_NMI_SOURCE] = 8,    [MADT_LOCAL_NMI] = 6,         [MADT_ADDRESS_OVERRIDE] = 12,
        [MADT_LOCAL_X2APIC] = 16, [MADT_LOCAL_X2APIC_NMI] = 12,
    };

    return type < ARRAY_COUNT(bytes) ? bytes[type] : 0;
}

/* One entry, known to be as long as its type needs. */
static enum acpi_error entry_read(struct acpi_madt *madt, const uint8_t *entry)
{
    switch (entry[0]) {
    case MADT_LOCAL_APIC:
        cpu_add(madt, (struct acpi_cpu){.processor_id = entry[2], .apic_id = entry[3]},
                read_u32(entry + 4));
        return ACPI_OK;
    case MADT_LOCAL_X2APIC:
        cpu_add(madt,
                (struct acpi_cpu){.apic_id = read_u32(entry + 4),
                                  .processor_id = read_u32(entry + 12),
                                  .x2apic = true},
                read_u32(entry + 8));
        return ACPI_OK;
    case MADT_IO_APIC:
        return io_apic_add(madt, entry);
    case MADT_OVERRIDE:
        return override_add(madt, entry);
    case MADT_NMI_SOURCE:
        return nmi_add(madt, (struct acpi_nmi){.global_interrupt = read_u32(entry + 4)},
                       read_u16(entry + 2));
    case MADT_LOCAL_NMI:
        return nmi_add(madt,
                       (struct acpi_nmi){.local = true,
                                         .all_processors = entry[2] == UINT8_MAX,
                                         .processor_id = entry[2],
                                         .lint = entry[5]},
                       read_u16(entry + 3));
    case MADT_LOCAL_X2APIC_NMI:
        return nmi_add(madt,
                       (struct acpi_nmi){.local = true,
                                         .all_processors = read_u32(entry + 4) == UINT32_MAX,
                                         .processor_id = read_u32(entry + 4),
                                         .lint = entry[8]},
                       read_u16(entry + 2));
    case MADT_ADDRESS_OVERRIDE:
        madt->lapic_address = read_u64(entry + 4);
        return ACPI_OK;
    default:
        return ACPI_OK;
    }
}

enum acpi_error acpi_madt_parse(const struct acpi_table *table, struct acpi_madt *madt)
{
    uint32_t offset = MADT_FIXED_BYTES;
    enum acpi_error error = ACPI_OK;

    memset(madt, 0, sizeof(*madt));
    if (table->length < MADT_FIXED_BYTES) {
        return ACPI_ERROR_BAD_LENGTH;
    }
    if (!signature_is(table->bytes, "APIC")) {
        return ACPI_ERROR_BAD_SIGNATURE;
    }
    madt->lapic_address = read_u32(table->bytes + HEADER_BYTES);
    madt->has_8259 = (read_u32(table->bytes + HEADER_BYTES + 4) & 1) != 0;
    while (offset < table->length && error == ACPI_OK) {
        const uint8_t *entry = table->bytes + offset;
        uint32_t left = table->length - offset;

        if (left < 2 || entry[1] < 2 || entry[1] > left || entry[1] < entry_bytes_min(entry[0])) {
            return ACPI_ERROR_BAD_ENTRY;
        }
        error = entry_read(madt, entry);
        offset += entry[1];
    }
    if (error != ACPI_OK) {
        return error;
    }
    if (madt->lapic_address == 0 || madt->lapic_address % 4096 != 0 ||
        madt->lapic_address >= BOOT_ADDRESS_LIMIT) {
        return ACPI_ERROR_BAD_ADDRESS;
    }
    ASSERT(madt->cpu_count <= ACPI_CPUS_MAX);
    for (uint32_t i = 0; i < madt->cpu_count; i++) {
        if (madt->cpu[i].enabled) {
            return ACPI_OK;
        }
    }
    return ACPI_ERROR_NO_CPU;
}

enum acpi_error acpi_hpet_parse(const struct acpi_table *table, struct acpi_hpet *hpet)
{
    memset(hpet, 0, sizeof(*hpet));
    if (table->length < HPET_BYTES) {
        return ACPI_ERROR_BAD_LENGTH;
    }
    if (!signature_is(table->bytes, "HPET")) {
        return ACPI_ERROR_BAD_SIGNATURE;
    }
    hpet->block_id = read_u32(table->bytes + HEADER_BYTES);
    hpet->address = read_u64(table->bytes + HEADER_BYTES + 8);
    hpet->number = table->bytes[HEADER_BYTES + 16];
    hpet->minimum_tick = read_u16(table->bytes + HEADER_BYTES + 17);
    /* The address structure's first byte is its space: 0, system memory (5.2.3.2). */
    if (table->bytes[HEADER_BYTES + 4] != 0 || hpet->address == 0 || hpet->address % 1024 != 0 ||
        hpet->address >= BOOT_ADDRESS_LIMIT) {
        return ACPI_ERROR_BAD_ADDRESS;
    }
    return ACPI_OK;
}
