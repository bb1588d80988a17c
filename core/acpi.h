/* SPDX-License-Identifier: MIT */
/*
 * The static ACPI tables the kernel needs before it has drivers: root pointer, table list,
 * interrupt controllers (MADT), HPET. No AML. Chapters are those of the ACPI Specification 6.4.
 */
#ifndef CORE_ACPI_H
#define CORE_ACPI_H

#include "core/boot_info.h"

#define ACPI_CPUS_MAX        64u
#define ACPI_IO_APICS_MAX    8u
#define ACPI_OVERRIDES_MAX   24u
#define ACPI_NMI_SOURCES_MAX 72u
/* No table we read comes near this; a larger one is a lie. */
#define ACPI_TABLE_SIZE_MAX (1u << 20)

enum acpi_error {
    ACPI_OK = 0,
#define ACPI_ERROR(name, text) ACPI_ERROR_##name,
#include "core/acpi_error.def"
#undef ACPI_ERROR
    ACPI_ERROR_COUNT
};

/* The RSDT or XSDT, found and checked. */
struct acpi_root {
    uint64_t address;     /* of the table, physical */
    uint32_t entry_size;  /* bytes: 4 in an RSDT, 8 in an XSDT */
    uint32_t entry_count; /* tables it lists */
    const uint8_t *entries;
};

/* One table whose length and checksum are right; `bytes` begins with its 36-byte header. */
struct acpi_table {
    uint64_t address;
    const uint8_t *bytes;
    uint32_t length;
};

struct acpi_cpu {
    uint32_t apic_id;
    uint32_t processor_id;
    bool enabled; /* false: may be brought online later, not now */
    bool x2apic;
};

struct acpi_io_apic {
    uint32_t id;
    uint32_t address;               /* physical */
    uint32_t global_interrupt_base; /* its first global system interrupt */
};

enum acpi_polarity { ACPI_POLARITY_BUS, ACPI_POLARITY_HIGH, ACPI_POLARITY_LOW };
enum acpi_trigger { ACPI_TRIGGER_BUS, ACPI_TRIGGER_EDGE, ACPI_TRIGGER_LEVEL };

/* ISA interrupt `source` arrives as global system interrupt `global_interrupt`. */
struct acpi_override {
    uint8_t source;
    uint32_t global_interrupt;
    enum acpi_polarity polarity;
    enum acpi_trigger trigger;
};

/* A non-maskable interrupt: at LINT `lint` of a processor, or at a global interrupt. */
struct acpi_nmi {
    bool local;
    bool all_processors;   /* local only */
    uint32_t processor_id; /* local only */
    uint8_t lint;          /* local only: 0 or 1 */
    uint32_t global_interrupt;
    enum acpi_polarity polarity;
    enum acpi_trigger trigger;
};

struct acpi_madt {
    uint64_t lapic_address;
    bool has_8259; /* the PC-AT compatible interrupt controllers exist too */
    uint32_t cpu_count;
    uint32_t cpus_ignored; /* processors beyond ACPI_CPUS_MAX, or listed again */
    uint32_t io_apic_count;
    uint32_t override_count;
    uint32_t nmi_count;
    struct acpi_cpu cpu[ACPI_CPUS_MAX];
    struct acpi_io_apic io_apic[ACPI_IO_APICS_MAX];
    struct acpi_override override[ACPI_OVERRIDES_MAX];
    struct acpi_nmi nmi[ACPI_NMI_SOURCES_MAX];
};

struct acpi_hpet {
    uint64_t address; /* physical, of its register block */
    uint32_t block_id;
    uint8_t number;
    uint16_t minimum_tick;
};

/* Never NULL. */
MUST_USE const char *acpi_error_text(enum acpi_error error);

/*
 * Finds and checks the table list, XSDT before RSDT, from the boot loader's root pointer. Errors:
 * NO_ROOT_POINTER, BAD_ROOT_POINTER, UNREADABLE, BAD_SIGNATURE, BAD_LENGTH, BAD_CHECKSUM.
 */
MUST_USE enum acpi_error acpi_root_find(struct acpi_root *root, const struct boot_memory *memory,
                                        const struct boot_info *info);

/*
 * The first table with this signature of four characters. Tables of other signatures are not
 * judged. Errors: NO_TABLE, UNREADABLE (of a list entry too), BAD_LENGTH, BAD_CHECKSUM.
 */
MUST_USE enum acpi_error acpi_table_find(const struct acpi_root *root,
                                         const struct boot_memory *memory, const char *signature,
                                         struct acpi_table *table);

/*
 * Reads a MADT ("APIC", 5.2.12). Disabled processors that can never be enabled are left out.
 * Errors: BAD_SIGNATURE, BAD_LENGTH, BAD_ENTRY, NO_CPU, TOO_MANY, BAD_ADDRESS.
 */
MUST_USE enum acpi_error acpi_madt_parse(const struct acpi_table *table, struct acpi_madt *madt);

/* Reads an HPET table (IA-PC HPET 1.0a, 3.2.4). Errors: BAD_SIGNATURE, BAD_LENGTH, BAD_ADDRESS. */
MUST_USE enum acpi_error acpi_hpet_parse(const struct acpi_table *table, struct acpi_hpet *hpet);

#endif
