/* SPDX-License-Identifier: MIT */
/*
 * Interrupt controllers. The local APIC (xAPIC, memory-mapped) gives each CPU its timer and
 * carries interrupts between CPUs. Device interrupts are not used by the kernel: the 8259s are
 * moved away from the exceptions' vectors and masked, and every input of every I/O APIC is masked,
 * whatever firmware left there.
 *
 * A machine whose firmware hands over in x2APIC mode is refused at boot (boot.c), because that mode
 * cannot be left without a reset of the APIC.
 */
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/kernel_map.h"
#include "kernel/arch/x86_64/registers.h"
#include "kernel/cpu.h"

enum {
    APIC_ID = 0x20,
    APIC_TASK_PRIORITY = 0x80,
    APIC_END = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_COMMAND_LOW = 0x300,
    APIC_COMMAND_HIGH = 0x310,
    APIC_TIMER = 0x320,
    APIC_THERMAL = 0x330,
    APIC_COUNTERS = 0x340,
    APIC_LINT0 = 0x350,
    APIC_LINT1 = 0x360,
    APIC_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,

    APIC_MASKED = 0x10000,
    APIC_INPUT_NMI = 0x400,
    APIC_ENABLED = 0x100,
    APIC_DIVIDE_1 = 0xb,
    APIC_PENDING = 0x1000,
    APIC_PENDING_POLLS = 100000,
    APIC_BASE_ENABLED = 0x800,

    PIC1_COMMAND = 0x20,
    PIC1_DATA = 0x21,
    PIC2_COMMAND = 0xa0,
    PIC2_DATA = 0xa1,
    PIC_INITIALISE = 0x11,
    PIC_8086 = 0x01,

    IO_APIC_SELECT = 0,
    IO_APIC_WINDOW = 4, /* in 32-bit words */
    IO_APIC_VERSION = 1,
    IO_APIC_INPUT = 0x10,
};

struct acpi_madt acpi_madt;
struct acpi_hpet acpi_hpet;
static volatile uint32_t *apic;

static uint32_t apic_read(unsigned offset)
{
    return apic[offset / sizeof(*apic)];
}

static void apic_write(unsigned offset, uint32_t value)
{
    apic[offset / sizeof(*apic)] = value;
}

static void pic_mask(void)
{
    port_write_u8(PIC1_COMMAND, PIC_INITIALISE);
    port_write_u8(PIC2_COMMAND, PIC_INITIALISE);
    port_write_u8(PIC1_DATA, VECTOR_PIC_FIRST);
    port_write_u8(PIC2_DATA, VECTOR_PIC_FIRST + 8);
    port_write_u8(PIC1_DATA, 4); /* the second one hangs on input 2 */
    port_write_u8(PIC2_DATA, 2);
    port_write_u8(PIC1_DATA, PIC_8086);
    port_write_u8(PIC2_DATA, PIC_8086);
    port_write_u8(PIC1_DATA, 0xff);
    port_write_u8(PIC2_DATA, 0xff);
}

static void io_apic_mask(paddr_t address)
{
    volatile uint32_t *registers = kernel_map_device(address, LIMIT_PAGE_BYTES);
    uint32_t last;

    registers[IO_APIC_SELECT] = IO_APIC_VERSION;
    last = registers[IO_APIC_WINDOW] >> 16 & 0xff;
    for (uint32_t input = 0; input <= last; input++) {
        registers[IO_APIC_SELECT] = IO_APIC_INPUT + 2 * input;
        registers[IO_APIC_WINDOW] = APIC_MASKED;
        registers[IO_APIC_SELECT] = IO_APIC_INPUT + 2 * input + 1;
        registers[IO_APIC_WINDOW] = 0;
    }
}

void interrupt_controllers_init(void)
{
    pic_mask();
    for (uint32_t i = 0; i < acpi_madt.io_apic_count; i++) {
        io_apic_mask(acpi_madt.io_apic[i].address);
    }
    apic = kernel_map_device(acpi_madt.lapic_address, LIMIT_PAGE_BYTES);
}

uint32_t apic_id(void)
{
    return apic_read(APIC_ID) >> 24;
}

/* Whether firmware's entry `nmi` is about the CPU with this APIC id. */
static bool nmi_is_for(const struct acpi_nmi *nmi, uint32_t id)
{
    for (uint32_t i = 0; i < acpi_madt.cpu_count && !nmi->all_processors; i++) {
        if (acpi_madt.cpu[i].apic_id == id && acpi_madt.cpu[i].processor_id == nmi->processor_id) {
            return true;
        }
    }
    return nmi->all_processors;
}

/* The two local inputs: NMI where firmware says that one is wired, else masked. */
static void local_inputs_set(void)
{
    apic_write(APIC_LINT0, APIC_MASKED);
    apic_write(APIC_LINT1, APIC_MASKED);
    for (uint32_t i = 0; i < acpi_madt.nmi_count; i++) {
        const struct acpi_nmi *nmi = &acpi_madt.nmi[i];

        if (nmi->local && nmi_is_for(nmi, apic_id())) {
            apic_write(nmi->lint == 0 ? APIC_LINT0 : APIC_LINT1, APIC_INPUT_NMI);
        }
    }
}

void apic_enable(void)
{
    msr_write(MSR_APIC_BASE, msr_read(MSR_APIC_BASE) | APIC_BASE_ENABLED);
    apic_write(APIC_TASK_PRIORITY, 0);
    apic_write(APIC_TIMER, APIC_MASKED | VECTOR_TIMER);
    apic_write(APIC_THERMAL, APIC_MASKED);
    apic_write(APIC_COUNTERS, APIC_MASKED);
    local_inputs_set();
    apic_write(APIC_ERROR, APIC_MASKED);
    apic_write(APIC_SPURIOUS, APIC_ENABLED | VECTOR_SPURIOUS);
    apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_1);
    apic_write(APIC_TIMER_INITIAL, 0);
    apic_write(APIC_TIMER, VECTOR_TIMER); /* one shot */
    apic_acknowledge();
}

void apic_acknowledge(void)
{
    apic_write(APIC_END, 0);
}

void apic_send(uint32_t id, uint32_t command)
{
    /* The command before was accepted long ago, or the APIC is broken: bounded either way. */
    for (unsigned poll = 0; poll < APIC_PENDING_POLLS; poll++) {
        if ((apic_read(APIC_COMMAND_LOW) & APIC_PENDING) == 0) {
            break;
        }
        arch_spin_hint();
    }
    apic_write(APIC_COMMAND_HIGH, id << 24);
    apic_write(APIC_COMMAND_LOW, command);
}

void apic_timer_start(uint32_t ticks)
{
    apic_write(APIC_TIMER_INITIAL, ticks);
}

uint32_t apic_timer_left(void)
{
    return apic_read(APIC_TIMER_CURRENT);
}

void arch_ipi_send(struct cpu *cpu)
{
    apic_send(cpu->arch.apic_id, APIC_COMMAND_FIXED | VECTOR_IPI);
}
