/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables: root pointers of both versions, table lists of both widths, MADT and HPET, each lie
 * in turn, and random damage. Accesses answer with exact-length copies, so reading too far is seen.
 */
#include "tests/host/support.h"

#include "core/acpi.h"
#include "tests/host/fake_memory.h"

#define LIST_ADDRESS 0x7fe1000u
#define MADT_ADDRESS 0x7fe2000u
#define HPET_ADDRESS 0x7fe3000u
#define RSDP_ADDRESS 0xf5ae0u

static struct boot_info info;
static struct fake_blob rsdp;
static struct fake_blob list;
static struct fake_blob madt_blob;
static struct fake_blob hpet_blob;
static struct acpi_root root;
static struct acpi_madt madt;
static struct acpi_hpet hpet;
static uint64_t hpet_at = HPET_ADDRESS;

static void table_begin(struct fake_blob *blob, const char *signature)
{
    blob->length = 0;
    blob_bytes(blob, signature, 4);
    blob_u32(blob, 0);
    blob_u8(blob, 1);
    blob_u8(blob, 0);
    blob_bytes(blob, "CAPOS TESTTABL\1\0\0\0TEST\1\0\0\0", 26);
    assert_int_equal(blob->length, 36);
}

static void table_end(struct fake_blob *blob)
{
    blob_put_u32(blob, 4, blob->length);
    blob_checksum(blob, 0, blob->length, 9);
}

static void rsdp_build(uint8_t revision, uint32_t rsdt, uint64_t xsdt)
{
    rsdp.length = 0;
    blob_bytes(&rsdp, "RSD PTR ", 8);
    blob_u8(&rsdp, 0);
    blob_bytes(&rsdp, "CAPOS ", 6);
    blob_u8(&rsdp, revision);
    blob_u32(&rsdp, rsdt);
    if (revision >= 2) {
        blob_u32(&rsdp, 36);
        blob_u64(&rsdp, xsdt);
        blob_u32(&rsdp, 0);
    }
    blob_checksum(&rsdp, 0, 20, 8);
    if (revision >= 2) {
        blob_checksum(&rsdp, 0, 36, 32);
    }
}

static void cpu_entry(uint8_t processor, uint8_t apic, uint32_t flags)
{
    blob_u8(&madt_blob, 0);
    blob_u8(&madt_blob, 8);
    blob_u8(&madt_blob, processor);
    blob_u8(&madt_blob, apic);
    blob_u32(&madt_blob, flags);
}

static void x2apic_entry(uint32_t processor, uint32_t apic, uint32_t flags)
{
    blob_u8(&madt_blob, 9);
    blob_u8(&madt_blob, 16);
    blob_u16(&madt_blob, 0);
    blob_u32(&madt_blob, apic);
    blob_u32(&madt_blob, flags);
    blob_u32(&madt_blob, processor);
}

static void io_apic_entry(uint8_t id, uint32_t address, uint32_t base)
{
    blob_u8(&madt_blob, 1);
    blob_u8(&madt_blob, 12);
    blob_u8(&madt_blob, id);
    blob_u8(&madt_blob, 0);
    blob_u32(&madt_blob, address);
    blob_u32(&madt_blob, base);
}

static void override_entry(uint8_t source, uint32_t interrupt, uint16_t flags)
{
    blob_u8(&madt_blob, 2);
    blob_u8(&madt_blob, 10);
    blob_u8(&madt_blob, 0);
    blob_u8(&madt_blob, source);
    blob_u32(&madt_blob, interrupt);
    blob_u16(&madt_blob, flags);
}

static void nmi_entry(uint8_t processor, uint16_t flags, uint8_t lint)
{
    blob_u8(&madt_blob, 4);
    blob_u8(&madt_blob, 6);
    blob_u8(&madt_blob, processor);
    blob_u16(&madt_blob, flags);
    blob_u8(&madt_blob, lint);
}

static void madt_begin(void)
{
    table_begin(&madt_blob, "APIC");
    blob_u32(&madt_blob, 0xfee00000);
    blob_u32(&madt_blob, 1);
}

/* What QEMU gives for four processors, and the rarer entries beside it. */
static void madt_valid(void)
{
    madt_begin();
    for (uint8_t i = 0; i < 4; i++) {
        cpu_entry(i, (uint8_t)(2 * i), 1);
    }
    cpu_entry(4, 9, 0);    /* can never be enabled */
    cpu_entry(5, 10, 2);   /* may be enabled later */
    cpu_entry(6, 0xff, 1); /* no APIC id */
    io_apic_entry(3, 0xfec00000, 24);
    override_entry(0, 2, 0);
    override_entry(9, 9, 0x000d);
    override_entry(11, 11, 0x0007);
    nmi_entry(0xff, 0, 1);
    blob_bytes(&madt_blob, "\x03\x08\x05\x00\x17\x00\x00\x00", 8);
    blob_bytes(&madt_blob, "\x0a\x0c\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00", 12);
    blob_bytes(&madt_blob, "\x0a\x0c\x00\x00\x05\x00\x00\x00\x01\x00\x00\x00", 12);
    x2apic_entry(7, 4, 1); /* listed above already */
    x2apic_entry(8, 0x1234, 1);
    x2apic_entry(9, UINT32_MAX, 1);
    blob_bytes(&madt_blob, "\x7f\x04??", 4); /* a type of the future */
    table_end(&madt_blob);
}

static void hpet_valid(void)
{
    table_begin(&hpet_blob, "HPET");
    blob_u32(&hpet_blob, 0x8086a201);
    blob_u32(&hpet_blob, 0x00004000); /* memory space, 64 bits wide */
    blob_u64(&hpet_blob, 0xfed00000);
    blob_u8(&hpet_blob, 3);
    blob_u16(&hpet_blob, 0x1234);
    blob_u8(&hpet_blob, 0);
    table_end(&hpet_blob);
}

static void list_valid(bool wide)
{
    table_begin(&list, wide ? "XSDT" : "RSDT");
    for (unsigned i = 0; i < 3; i++) {
        uint64_t address = (uint64_t[]){0, hpet_at, MADT_ADDRESS}[i];

        if (wide) {
            blob_u64(&list, address);
        } else {
            blob_u32(&list, (uint32_t)address);
        }
    }
    table_end(&list);
}

static void machine_valid(bool wide)
{
    boot_info_init(&info, BOOT_SOURCE_PVH);
    info.rsdp_address = RSDP_ADDRESS;
    rsdp_build(wide ? 2 : 0, wide ? 0xdead0000 : LIST_ADDRESS, wide ? LIST_ADDRESS : 0);
    list_valid(wide);
    madt_valid();
    hpet_valid();
}

/* Everything the kernel does, in its order; `signature` is the table to find. */
static enum acpi_error read_table(const char *signature)
{
    struct fake_memory fake;
    struct acpi_table table = {0};
    enum acpi_error error;

    fake_memory_init(&fake);
    fake_memory_add(&fake, RSDP_ADDRESS, rsdp.bytes, rsdp.length);
    fake_memory_add(&fake, LIST_ADDRESS, list.bytes, list.length);
    fake_memory_add(&fake, MADT_ADDRESS, madt_blob.bytes, madt_blob.length);
    fake_memory_add(&fake, hpet_at, hpet_blob.bytes, hpet_blob.length);
    error = acpi_root_find(&root, &fake.memory, &info);
    if (error == ACPI_OK) {
        error = acpi_table_find(&root, &fake.memory, signature, &table);
    }
    if (error == ACPI_OK && strcmp(signature, "APIC") == 0) {
        error = acpi_madt_parse(&table, &madt);
    } else if (error == ACPI_OK) {
        error = acpi_hpet_parse(&table, &hpet);
    }
    fake_memory_forget(&fake);
    return error;
}

static void expect_cpu(unsigned index, uint32_t apic, uint32_t processor, bool enabled)
{
    assert_int_equal(madt.cpu[index].apic_id, apic);
    assert_int_equal(madt.cpu[index].processor_id, processor);
    assert_int_equal(madt.cpu[index].enabled, enabled);
}

static void both_versions_lead_to_the_tables(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        machine_valid(wide != 0);
        assert_int_equal(read_table("APIC"), ACPI_OK);
        assert_int_equal(root.entry_size, wide != 0 ? 8 : 4);
        assert_int_equal(root.entry_count, 3);
        assert_int_equal(root.address, LIST_ADDRESS);
        assert_int_equal(read_table("HPET"), ACPI_OK);
        assert_int_equal(read_table("FACP"), ACPI_ERROR_NO_TABLE);
        /* The same from the copy that multiboot2 gives. */
        assert_int_equal(boot_info_set_root_pointer(&info, rsdp.bytes, rsdp.length), BOOT_OK);
        info.rsdp_address = 0;
        assert_int_equal(read_table("APIC"), ACPI_OK);
    }
}

static void a_madt_is_read_whole(void **state)
{
    (void)state;
    machine_valid(true);
    assert_int_equal(read_table("APIC"), ACPI_OK);
    assert_int_equal(madt.lapic_address, 0xfee00000);
    assert_true(madt.has_8259);
    assert_int_equal(madt.cpu_count, 6);
    expect_cpu(0, 0, 0, true);
    expect_cpu(3, 6, 3, true);
    expect_cpu(4, 10, 5, false);
    expect_cpu(5, 0x1234, 8, true);
    assert_true(madt.cpu[5].x2apic);
    assert_false(madt.cpu[4].x2apic);
    assert_int_equal(madt.cpus_ignored, 1);
    assert_int_equal(madt.io_apic_count, 1);
    assert_int_equal(madt.io_apic[0].id, 3);
    assert_int_equal(madt.io_apic[0].address, 0xfec00000);
    assert_int_equal(madt.io_apic[0].global_interrupt_base, 24);
    assert_int_equal(madt.override_count, 3);
    assert_int_equal(madt.override[0].source, 0);
    assert_int_equal(madt.override[0].global_interrupt, 2);
    assert_int_equal(madt.override[0].polarity, ACPI_POLARITY_BUS);
    assert_int_equal(madt.override[0].trigger, ACPI_TRIGGER_BUS);
    assert_int_equal(madt.override[1].source, 9);
    assert_int_equal(madt.override[1].polarity, ACPI_POLARITY_HIGH);
    assert_int_equal(madt.override[1].trigger, ACPI_TRIGGER_LEVEL);
    assert_int_equal(madt.override[2].polarity, ACPI_POLARITY_LOW);
    assert_int_equal(madt.override[2].trigger, ACPI_TRIGGER_EDGE);
    assert_int_equal(madt.nmi_count, 4);
    assert_true(madt.nmi[0].local && madt.nmi[0].all_processors && madt.nmi[0].lint == 1);
    assert_int_equal(madt.nmi[0].processor_id, 0xff);
    assert_false(madt.nmi[1].local);
    assert_int_equal(madt.nmi[1].global_interrupt, 0x17);
    assert_int_equal(madt.nmi[1].polarity, ACPI_POLARITY_HIGH);
    assert_int_equal(madt.nmi[1].trigger, ACPI_TRIGGER_EDGE);
    assert_true(madt.nmi[2].local && madt.nmi[3].local);
    assert_true(madt.nmi[2].all_processors);
    assert_false(madt.nmi[3].all_processors);
    assert_int_equal(madt.nmi[3].processor_id, 5);
    assert_int_equal(madt.nmi[3].lint, 1);
}

static void a_wide_list_reaches_beyond_4_gib(void **state)
{
    (void)state;
    hpet_at = (UINT64_C(1) << 32) + HPET_ADDRESS;
    machine_valid(true);
    assert_int_equal(read_table("HPET"), ACPI_OK);
    machine_valid(false);
    assert_int_equal(read_table("HPET"), ACPI_ERROR_UNREADABLE);
    hpet_at = HPET_ADDRESS;
}

/* What stands behind the first 20 bytes of an old root pointer is not its. */
static void an_old_root_pointer_has_no_wide_list(void **state)
{
    (void)state;
    machine_valid(false);
    blob_u64(&rsdp, 0xdead0000deadULL);
    blob_u64(&rsdp, 0xdead0000deadULL);
    assert_int_equal(rsdp.length, 36);
    assert_int_equal(boot_info_set_root_pointer(&info, rsdp.bytes, rsdp.length), BOOT_OK);
    assert_int_equal(read_table("APIC"), ACPI_OK);
    assert_int_equal(root.entry_size, 4);
}

static void a_madt_may_end_behind_its_fields(void **state)
{
    (void)state;
    machine_valid(true);
    madt_begin();
    table_end(&madt_blob);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_NO_CPU);
}

static void the_lapic_address_can_be_overridden(void **state)
{
    (void)state;
    machine_valid(true);
    blob_bytes(&madt_blob, "\x05\x0c\x00\x00\x00\x00\xe0\xfe\x01\x00\x00\x00", 12);
    table_end(&madt_blob);
    assert_int_equal(read_table("APIC"), ACPI_OK);
    assert_int_equal(madt.lapic_address, UINT64_C(0x1fee00000));
}

static void an_hpet_is_read_whole(void **state)
{
    (void)state;
    machine_valid(true);
    assert_int_equal(read_table("HPET"), ACPI_OK);
    assert_int_equal(hpet.address, 0xfed00000);
    assert_int_equal(hpet.block_id, 0x8086a201);
    assert_int_equal(hpet.number, 3);
    assert_int_equal(hpet.minimum_tick, 0x1234);
}

static void bad_root_pointers_are_refused(void **state)
{
    (void)state;
    machine_valid(true);
    info.rsdp_address = 0;
    assert_int_equal(read_table("APIC"), ACPI_ERROR_NO_ROOT_POINTER);
    info.rsdp_address = 0x1000;
    assert_int_equal(read_table("APIC"), ACPI_ERROR_UNREADABLE);
    machine_valid(true);
    rsdp.bytes[0] = 'r';
    assert_int_equal(read_table("APIC"), ACPI_ERROR_BAD_ROOT_POINTER);
    machine_valid(true);
    rsdp.bytes[12] ^= 1; /* the first checksum; the second is made right again */
    blob_checksum(&rsdp, 0, 36, 32);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_BAD_ROOT_POINTER);
    machine_valid(true);
    rsdp.bytes[33] ^= 1; /* the second */
    assert_int_equal(read_table("APIC"), ACPI_ERROR_BAD_ROOT_POINTER);
    machine_valid(true);
    blob_put_u32(&rsdp, 20, 35);
    blob_checksum(&rsdp, 0, 36, 32);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_BAD_ROOT_POINTER);
    machine_valid(true);
    blob_put_u32(&rsdp, 20, 40); /* one of the future: its own checksum is further than we see */
    assert_int_equal(read_table("APIC"), ACPI_OK);
    machine_valid(true);
    rsdp.length = 35;
    assert_int_equal(read_table("APIC"), ACPI_ERROR_UNREADABLE);
    machine_valid(false);
    rsdp.length = 19;
    assert_int_equal(read_table("APIC"), ACPI_ERROR_UNREADABLE);
    machine_valid(false);
    rsdp.bytes[0] = 'r'; /* the signature alone: the checksum is right */
    blob_checksum(&rsdp, 0, 20, 8);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_BAD_ROOT_POINTER);
    /* A copy that the loader made: no more of it is believed than its revision has, or it has. */
    machine_valid(false);
    memcpy(info.rsdp, rsdp.bytes, 20);
    info.rsdp_length = 36;
    assert_int_equal(read_table("APIC"), ACPI_OK);
    assert_int_equal(root.entry_size, 4);
    rsdp_build(2, LIST_ADDRESS, LIST_ADDRESS);
    memcpy(info.rsdp, rsdp.bytes, 20);
    info.rsdp_length = 20;
    assert_int_equal(read_table("APIC"), ACPI_OK);
    assert_int_equal(root.entry_size, 4);
    /* Version 2 without an XSDT falls back to the RSDT. */
    machine_valid(false);
    rsdp_build(2, LIST_ADDRESS, 0);
    assert_int_equal(read_table("APIC"), ACPI_OK);
    assert_int_equal(root.entry_size, 4);
}

static void bad_lists_are_refused(void **state)
{
    (void)state;
    machine_valid(true);
    list_valid(false);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_BAD_SIGNATURE);
    machine_valid(true);
    list.bytes[20] ^= 1;
    assert_int_equal(read_table("APIC"), ACPI_ERROR_BAD_CHECKSUM);
    machine_valid(true);
    blob_u32(&list, 0);
    table_end(&list);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_BAD_LENGTH);
    machine_valid(true);
    blob_put_u32(&list, 4, 35);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_BAD_LENGTH);
    machine_valid(true);
    blob_put_u32(&list, 4, ACPI_TABLE_SIZE_MAX);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_UNREADABLE);
    machine_valid(true);
    blob_put_u32(&list, 4, ACPI_TABLE_SIZE_MAX + 1);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_BAD_LENGTH);
    machine_valid(true);
    blob_put_u32(&list, 4, list.length + 1);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_UNREADABLE);
    machine_valid(true);
    list.length = 36;
    table_end(&list);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_NO_TABLE);
    machine_valid(true);
    blob_put_u32(&list, 44, 0x1000); /* the table before ours is not there */
    table_end(&list);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_UNREADABLE);
    /* A damaged table is not silently passed over for a later one. */
    machine_valid(true);
    madt_blob.bytes[20] ^= 1;
    assert_int_equal(read_table("APIC"), ACPI_ERROR_BAD_CHECKSUM);
}

static void add_short_entry(void)
{
    blob_bytes(&madt_blob, "\x00\x07\x00\x00\x01\x00\x00", 7);
}

static void add_zero_entry(void)
{
    blob_bytes(&madt_blob, "\x7f\x00", 2);
}

static void add_one_byte(void)
{
    blob_u8(&madt_blob, 0x7f);
}

static void add_long_entry(void)
{
    blob_bytes(&madt_blob, "\x7f\x03", 2);
}

static void add_lint_2(void)
{
    nmi_entry(0xff, 0, 2);
}

static void add_io_apic_at_0(void)
{
    io_apic_entry(1, 0, 24);
}

static void add_io_apic_unaligned(void)
{
    io_apic_entry(1, 0xfec00008, 24);
}

static void add_unaligned_lapic(void)
{
    blob_bytes(&madt_blob, "\x05\x0c\x00\x00\x10\x00\xe0\xfe\x00\x00\x00\x00", 12);
}

static void add_far_lapic(void)
{
    blob_bytes(&madt_blob, "\x05\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00", 12);
}

static void add_no_lapic(void)
{
    blob_bytes(&madt_blob, "\x05\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 12);
}

static void add_io_apics(void)
{
    for (uint8_t i = 0; i < ACPI_IO_APICS_MAX; i++) {
        io_apic_entry(i, 0xfec00000u + i * 0x1000u, i * 24u);
    }
}

static void add_overrides(void)
{
    for (uint8_t i = 0; i < ACPI_OVERRIDES_MAX; i++) {
        override_entry(i, i, 0);
    }
}

static void add_nmis(void)
{
    for (unsigned i = 0; i < ACPI_NMI_SOURCES_MAX; i++) {
        nmi_entry((uint8_t)i, 0, 0);
    }
}

static void bad_entries_are_refused(void **state)
{
    static const struct {
        void (*add)(void);
        enum acpi_error expected;
    } cases[] = {
        {add_short_entry, ACPI_ERROR_BAD_ENTRY},
        {add_zero_entry, ACPI_ERROR_BAD_ENTRY},
        {add_one_byte, ACPI_ERROR_BAD_ENTRY},
        {add_long_entry, ACPI_ERROR_BAD_ENTRY},
        {add_lint_2, ACPI_ERROR_BAD_ENTRY},
        {add_io_apic_at_0, ACPI_ERROR_BAD_ADDRESS},
        {add_io_apic_unaligned, ACPI_ERROR_BAD_ADDRESS},
        {add_unaligned_lapic, ACPI_ERROR_BAD_ADDRESS},
        {add_far_lapic, ACPI_ERROR_BAD_ADDRESS},
        {add_no_lapic, ACPI_ERROR_BAD_ADDRESS},
        {add_io_apics, ACPI_ERROR_TOO_MANY},
        {add_overrides, ACPI_ERROR_TOO_MANY},
        {add_nmis, ACPI_ERROR_TOO_MANY},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        machine_valid(true);
        cases[i].add();
        table_end(&madt_blob);
        assert_int_equal(read_table("APIC"), cases[i].expected);
    }
    machine_valid(true);
    madt_blob.length = 43;
    table_end(&madt_blob);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_BAD_LENGTH);
    madt_begin();
    cpu_entry(1, 1, 2); /* none enabled */
    table_end(&madt_blob);
    assert_int_equal(read_table("APIC"), ACPI_ERROR_NO_CPU);
    assert_int_equal(
        acpi_madt_parse(&(struct acpi_table){.bytes = hpet_blob.bytes, .length = 56}, &madt),
        ACPI_ERROR_BAD_SIGNATURE);
}

/* Each type, cut to every length below what it needs, as the last entry of an exact allocation. */
static void every_short_entry_is_refused(void **state)
{
    static const uint8_t needed[] = {8, 12, 10, 8, 6, 12, 2, 2, 2, 16, 12, 2};
    (void)state;

    for (uint8_t type = 0; type < ARRAY_COUNT(needed); type++) {
        for (uint8_t length = 0; length < 20; length++) {
            struct acpi_table table;
            uint8_t *bytes;
            enum acpi_error error;

            madt_begin();
            cpu_entry(0, 0, 1);
            table.length = madt_blob.length + (length < 2 ? 2 : length);
            bytes = calloc(1, table.length);
            assert_non_null(bytes);
            memcpy(bytes, madt_blob.bytes, madt_blob.length);
            bytes[madt_blob.length] = type;
            bytes[madt_blob.length + 1] = length;
            table.bytes = bytes;
            error = acpi_madt_parse(&table, &madt);
            assert_int_equal(error == ACPI_ERROR_BAD_ENTRY, length < needed[type]);
            free(bytes);
        }
    }
}

static void more_processors_than_fit_are_counted(void **state)
{
    (void)state;
    machine_valid(true);
    madt_begin();
    for (uint8_t i = 0; i < ACPI_CPUS_MAX + 7; i++) {
        cpu_entry(i, i, 1);
    }
    table_end(&madt_blob);
    assert_int_equal(read_table("APIC"), ACPI_OK);
    assert_int_equal(madt.cpu_count, ACPI_CPUS_MAX);
    assert_int_equal(madt.cpus_ignored, 7);
}

static void bad_hpets_are_refused(void **state)
{
    static const struct {
        uint32_t offset;
        uint32_t value;
        enum acpi_error expected;
    } cases[] = {
        {40, 1, ACPI_ERROR_BAD_ADDRESS},
        {44, 0, ACPI_ERROR_BAD_ADDRESS},
        {44, 0xfed00200, ACPI_ERROR_BAD_ADDRESS},
        {48, 0x00100000, ACPI_ERROR_BAD_ADDRESS},
        {48, 0x000fffff, ACPI_OK},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        machine_valid(true);
        blob_put_u32(&hpet_blob, cases[i].offset, cases[i].value);
        table_end(&hpet_blob);
        assert_int_equal(read_table("HPET"), cases[i].expected);
    }
    machine_valid(true);
    hpet_blob.length = 55;
    table_end(&hpet_blob);
    assert_int_equal(read_table("HPET"), ACPI_ERROR_BAD_LENGTH);
    assert_int_equal(
        acpi_hpet_parse(&(struct acpi_table){.bytes = madt_blob.bytes, .length = 56}, &hpet),
        ACPI_ERROR_BAD_SIGNATURE);
    machine_valid(true);
    blob_put_u32(&hpet_blob, 44, 0); /* the first address behind the last */
    blob_put_u32(&hpet_blob, 48, (uint32_t)(BOOT_ADDRESS_LIMIT >> 32));
    table_end(&hpet_blob);
    assert_int_equal(read_table("HPET"), ACPI_ERROR_BAD_ADDRESS);
}

static void random_damage_is_survived(void **state)
{
    struct test_random random;
    unsigned accepted = 0;
    (void)state;

    test_random_init(&random, 0xac91);
    for (unsigned round = 0; round < 20000; round++) {
        struct fake_blob *blobs[] = {&rsdp, &list, &madt_blob, &madt_blob, &madt_blob};
        uint64_t changes = 1 + test_random_below(&random, 3);

        machine_valid(test_random_one_in(&random, 2));
        for (uint64_t i = 0; i < changes; i++) {
            struct fake_blob *blob = blobs[test_random_below(&random, ARRAY_COUNT(blobs))];

            blob->bytes[test_random_below(&random, blob->length)] =
                (uint8_t)test_random_u64(&random);
        }
        /* Checksums are made right again, or every damage would end there. */
        blob_checksum(&list, 0, list.length, 9);
        blob_checksum(&madt_blob, 0, madt_blob.length, 9);
        blob_checksum(&rsdp, 0, 20, 8);
        if (rsdp.length >= 36) {
            blob_checksum(&rsdp, 0, 36, 32);
        }
        if (read_table("APIC") == ACPI_OK) {
            accepted++;
            assert_in_range(madt.cpu_count, 1, ACPI_CPUS_MAX);
            assert_true(madt.lapic_address % 4096 == 0);
        }
    }
    print_message("          %u of 20000 damaged tables were still acceptable\n", accepted);
    assert_in_range(accepted, 1, 19999);
}

static void every_error_has_a_text(void **state)
{
    (void)state;
    for (int error = 0; error < ACPI_ERROR_COUNT; error++) {
        assert_true(strlen(acpi_error_text((enum acpi_error)error)) > 3);
        assert_string_not_equal(acpi_error_text((enum acpi_error)error), "unknown ACPI error");
    }
    assert_string_equal(acpi_error_text((enum acpi_error)999), "unknown ACPI error");
    assert_string_equal(acpi_error_text(ACPI_ERROR_COUNT), "unknown ACPI error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_lead_to_the_tables),
        cmocka_unit_test(a_madt_is_read_whole),
        cmocka_unit_test(a_wide_list_reaches_beyond_4_gib),
        cmocka_unit_test(an_old_root_pointer_has_no_wide_list),
        cmocka_unit_test(a_madt_may_end_behind_its_fields),
        cmocka_unit_test(the_lapic_address_can_be_overridden),
        cmocka_unit_test(an_hpet_is_read_whole),
        cmocka_unit_test(bad_root_pointers_are_refused),
        cmocka_unit_test(bad_lists_are_refused),
        cmocka_unit_test(bad_entries_are_refused),
        cmocka_unit_test(every_short_entry_is_refused),
        cmocka_unit_test(more_processors_than_fit_are_counted),
        cmocka_unit_test(bad_hpets_are_refused),
        cmocka_unit_test(random_damage_is_survived),
        cmocka_unit_test(every_error_has_a_text),
    };

    return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
