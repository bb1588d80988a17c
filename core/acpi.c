/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables.
 *
 * Purpose: to find out which processors and interrupt controllers there are, without believing a
 * byte that its table does not contain. Chapters are those of the ACPI Specification 6.4.
 *
 * A table is read in two steps: its 36-byte header says its length, which is bounded, and then the
 * whole is reached and its checksum made. From then on a table is bytes and a length, and every
 * field is inside that length before it is read. Tables are firmware's and stay where they are;
 * nothing here writes to them, and what the kernel keeps is copied into the structures of acpi.h.
 *
 * What can fail: everything, with an acpi_error. A machine without usable tables boots on one CPU,
 * if the kernel so decides; that decision is not made here.
 */
#include "core/acpi.h"

#include "core/bits.h"
#include "core/string.h"

#define TABLE_HEADER_SIZE 36u
#define TABLE_LENGTH      4u /* offset of the length field */

/* Byte offsets in the root pointer (5.2.5.3). */
enum root_pointer_field {
    RSDP_REVISION = 15,
    RSDP_RSDT = 16,
    RSDP_LENGTH = 20,
    RSDP_XSDT = 24,
};

static const char *const error_texts[ACPI_ERROR_COUNT] = {
    [ACPI_OK] = "success",
#define ACPI_ERROR(name, text) [ACPI_ERROR_##name] = text,
#include "core/acpi_error.def"
#undef ACPI_ERROR
};

const char *acpi_error_text(enum acpi_error error)
{
    return (unsigned)error < ACPI_ERROR_COUNT ? error_texts[error] : "unknown ACPI error";
}

/* Whether the bytes add up to 0 modulo 256. */
static bool checksum_holds(const uint8_t *bytes, uint32_t length)
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

/* Reaches a table that must have this signature and checks length and checksum. */
static enum acpi_error table_read(const struct boot_memory *memory, uint64_t address,
                                  const char *signature, struct acpi_table *table)
{
    const uint8_t *header = boot_memory_map(memory, address, TABLE_HEADER_SIZE);

    if (header == NULL) {
        return ACPI_ERROR_UNREADABLE;
    }
    if (!signature_is(header, signature)) {
        return ACPI_ERROR_BAD_SIGNATURE;
    }
    table->address = address;
    table->length = read_u32(header + TABLE_LENGTH);
    if (table->length < TABLE_HEADER_SIZE || table->length > ACPI_TABLE_SIZE_MAX) {
        return ACPI_ERROR_BAD_LENGTH;
    }
    table->bytes = boot_memory_map(memory, address, table->length);
    if (table->bytes == NULL) {
        return ACPI_ERROR_UNREADABLE;
    }
    return checksum_holds(table->bytes, table->length) ? ACPI_OK : ACPI_ERROR_BAD_CHECKSUM;
}

/* The bytes of the root pointer, as many as its revision has; NULL and an error otherwise. */
static const uint8_t *root_pointer_find(const struct boot_memory *memory,
                                        const struct boot_info *info, uint32_t *length)
{
    const uint8_t *bytes = info->rsdp;

    *length = info->rsdp_length;
    if (*length != 0) {
        return bytes;
    }
    bytes = boot_memory_map(memory, info->rsdp_address, BOOT_RSDP_SIZE_1);
    if (bytes == NULL || bytes[RSDP_REVISION] < 2) {
        *length = BOOT_RSDP_SIZE_1;
        return bytes;
    }
    *length = BOOT_RSDP_SIZE;
    return boot_memory_map(memory, info->rsdp_address, BOOT_RSDP_SIZE);
}

/* Whether a root pointer of `length` bytes is one (5.2.5.3). */
static bool root_pointer_holds(const uint8_t *bytes, uint32_t length)
{
    if (memcmp(bytes, "RSD PTR ", 8) != 0 || !checksum_holds(bytes, BOOT_RSDP_SIZE_1)) {
        return false;
    }
    /* A later one may be longer than we know, but then its checksum is out of our sight. */
    return length < BOOT_RSDP_SIZE || bytes[RSDP_REVISION] < 2 ||
           read_u32(bytes + RSDP_LENGTH) > BOOT_RSDP_SIZE ||
           (read_u32(bytes + RSDP_LENGTH) == BOOT_RSDP_SIZE &&
            checksum_holds(bytes, BOOT_RSDP_SIZE));
}

enum acpi_error acpi_root_find(struct acpi_root *root, const struct boot_memory *memory,
                               const struct boot_info *info)
{
    struct acpi_table table = {0};
    const uint8_t *pointer;
    uint32_t length = 0;
    enum acpi_error error;
    uint64_t xsdt = 0;

    if (info->rsdp_length == 0 && info->rsdp_address == 0) {
        return ACPI_ERROR_NO_ROOT_POINTER;
    }
    pointer = root_pointer_find(memory, info, &length);
    if (pointer == NULL) {
        return ACPI_ERROR_UNREADABLE;
    }
    if (!root_pointer_holds(pointer, length)) {
        return ACPI_ERROR_BAD_ROOT_POINTER;
    }
    if (length >= BOOT_RSDP_SIZE && pointer[RSDP_REVISION] >= 2) {
        xsdt = read_u64(pointer + RSDP_XSDT);
    }
    if (xsdt != 0) {
        error = table_read(memory, xsdt, "XSDT", &table);
    } else {
        error = table_read(memory, read_u32(pointer + RSDP_RSDT), "RSDT", &table);
    }
    if (error != ACPI_OK) {
        return error;
    }
    ASSERT(table.length >= TABLE_HEADER_SIZE); /* table_read */
    root->address = table.address;
    root->entry_size = xsdt != 0 ? 8 : 4;
    if ((table.length - TABLE_HEADER_SIZE) % root->entry_size != 0) {
        return ACPI_ERROR_BAD_LENGTH;
    }
    root->entry_count = (table.length - TABLE_HEADER_SIZE) / root->entry_size;
    root->entries = table.bytes + TABLE_HEADER_SIZE;
    return ACPI_OK;
}

enum acpi_error acpi_table_find(const struct acpi_root *root, const struct boot_memory *memory,
                                const char *signature, struct acpi_table *table)
{
    ASSERT(root->entry_size == 4 || root->entry_size == 8);
    ASSERT(string_length(signature, 5) == 4);
    for (uint32_t i = 0; i < root->entry_count; i++) {
        const uint8_t *entry = root->entries + (size_t)i * root->entry_size;
        uint64_t address = root->entry_size == 8 ? read_u64(entry) : read_u32(entry);
        enum acpi_error error;

        if (address == 0) {
            continue; /* some firmware leaves holes */
        }
        error = table_read(memory, address, signature, table);
        if (error != ACPI_ERROR_BAD_SIGNATURE) {
            return error;
        }
    }
    return ACPI_ERROR_NO_TABLE;
}
