/* SPDX-License-Identifier: MIT */
/*
 * Other CPUs: starting them, stopping them, and waiting.
 *
 * Start (AMD64 vol. 2, 16.5; Intel SDM 3A, 8.4): INIT to each, a pause, then one at a time STARTUP
 * with the page of the trampoline, once more if it does not answer. Only the oldest 64-bit CPUs
 * need the 10 ms between the two that the manuals ask for; they hear the second one. The
 * trampoline's parameters are one CPU's, so the next is started when the one before has arrived or
 * was given up. One that arrives late takes the claim word (trampoline.S) of another or none at
 * all, never a stack that is in use; which CPU a structure belongs to is told by the CPU that
 * arrives, not by whom we called.
 *
 * A CPU's cycle counter is compared with the boot CPU's while it starts: boot CPU's count, its
 * count, boot CPU's count. When its count lies between the other two, in any round, the counters
 * are one for all we can tell, and the offset is 0; else it is taken from the tightest round.
 *
 * States of `arrival`: NOBODY -> CALLED (boot CPU) -> ARRIVED (the other; it answers time stamps)
 * -> NOBODY (boot CPU). The other CPU then enters the portable kernel by itself.
 */
#include "abi/atomic.h"
#include "core/assert.h"
#include "core/string.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/cpu_tables.h"
#include "kernel/arch/x86_64/kernel_map.h"
#include "kernel/arch/x86_64/page_table.h"
#include "kernel/arch/x86_64/registers.h"
#include "kernel/arch/x86_64/timer.h"
#include "kernel/log.h"

#define NS_PER_US        UINT64_C(1000)
#define NS_PER_MS        UINT64_C(1000000)
#define INIT_PAUSE_NS    (100 * NS_PER_US)
#define STARTUP_AGAIN_NS (10 * NS_PER_MS)
#define ARRIVAL_NS       (2000 * NS_PER_MS)
#define HALT_NS          (200 * NS_PER_MS)

enum {
    CLOCK_ROUNDS = 4,
    APIC_ID_BROADCAST = 0xff,
};

#define HALTER_NOBODY UINT32_MAX

enum arrival_state {
    ARRIVAL_NOBODY,
    ARRIVAL_CALLED,
    ARRIVAL_ARRIVED,
};

extern const char trampoline_start[], trampoline_end[], trampoline_long[], trampoline_gdt[];

/* Shared between the boot CPU and the one that starts; by __atomic accesses. */
static struct {
    uint32_t state;    /* enum arrival_state */
    uint64_t question; /* number of the time stamp asked for; 0: none */
    uint64_t answer;   /* number of the time stamp given */
    uint64_t stamp;
} arrival;

static struct cpu *running[LIMIT_CPUS];
static unsigned running_count;
static uint32_t halter = HALTER_NOBODY; /* index of the CPU that stops the others */
static uint32_t halted;                 /* CPUs that stopped */

/* ---- the CPU that starts --------------------------------------------------------------------- */

/* Answers the boot CPU's questions for the time until it lets this CPU go. */
static void time_stamps_answer(void)
{
    uint64_t answered = 0;

    while (atomic_load_acquire_u32(&arrival.state) != ARRIVAL_NOBODY) {
        uint64_t question = atomic_load_acquire_u64(&arrival.question);

        if (question == answered) {
            arch_spin_hint();
            continue;
        }
        arrival.stamp = tsc_read();
        answered = question;
        atomic_store_release_u64(&arrival.answer, question);
    }
}

NORETURN void secondary_start(struct cpu *cpu);
NORETURN void secondary_start(struct cpu *cpu)
{
    cpu_tables_load(cpu, cpu->arch.stacks);
    cpu_features_enable();
    cpu_features_check();
    apic_enable();
    cpu->arch.apic_id = apic_id();
    atomic_store_release_u32(&arrival.state, ARRIVAL_ARRIVED);
    time_stamps_answer();
    kernel_secondary_main(cpu);
}

/* ---- the boot CPU ---------------------------------------------------------------------------- */

static void pause_ns(uint64_t ns)
{
    uint64_t end = tsc_read() + timer_cycles(ns);

    while ((int64_t)(end - tsc_read()) > 0) {
        arch_spin_hint();
    }
}

static bool arrival_wait(uint64_t ns)
{
    uint64_t end = tsc_read() + timer_cycles(ns);

    do {
        if (atomic_load_acquire_u32(&arrival.state) == ARRIVAL_ARRIVED) {
            return true;
        }
        arch_spin_hint();
    } while ((int64_t)(end - tsc_read()) > 0);
    return false;
}

/* What must be added to the other CPU's cycle counter to have this one's. */
static uint64_t clock_offset_measure(void)
{
    uint64_t best_width = UINT64_MAX;
    uint64_t offset = 0;

    for (uint64_t number = 1; number <= CLOCK_ROUNDS; number++) {
        uint64_t before = tsc_read();
        uint64_t width;

        atomic_store_release_u64(&arrival.question, number);
        while (atomic_load_acquire_u64(&arrival.answer) != number) {
            arch_spin_hint();
        }
        width = tsc_read() - before;
        if (arrival.stamp - before <= width) {
            return 0;
        }
        if (width < best_width) {
            best_width = width;
            offset = before + width / 2 - arrival.stamp;
        }
    }
    return offset;
}

static uint32_t *parameter_u32(unsigned offset)
{
    return (uint32_t *)((uint8_t *)arch_frame_pointer(kernel_map_trampoline()) + offset);
}

static void parameter_set_u64(unsigned offset, uint64_t value)
{
    parameter_u32(offset)[0] = (uint32_t)value;
    parameter_u32(offset)[1] = (uint32_t)(value >> 32);
}

static void trampoline_prepare(void)
{
    paddr_t page = kernel_map_trampoline();
    uint32_t base = (uint32_t)page;
    uint32_t gdt = base + (uint32_t)(trampoline_gdt - trampoline_start);

    ASSERT(trampoline_end - trampoline_start <= TRAMPOLINE_PARAMETERS);
    memcpy(arch_frame_pointer(page), trampoline_start, (size_t)(trampoline_end - trampoline_start));
    *parameter_u32(TRAMPOLINE_CLAIM) = 0;
    *parameter_u32(TRAMPOLINE_TABLES) = kernel_map_trampoline_open();
    parameter_set_u64(TRAMPOLINE_GDT, (uint64_t)gdt << 16 | (3 * sizeof(uint64_t) - 1));
    parameter_u32(TRAMPOLINE_JUMP)[0] = base + (uint32_t)(trampoline_long - trampoline_start);
    parameter_u32(TRAMPOLINE_JUMP)[1] = SELECTOR_KERNEL_CODE;
    parameter_set_u64(TRAMPOLINE_ROOT, kernel_map_root());
}

enum start_result {
    START_RUNNING,
    START_SILENT, /* it never came; its structure may serve another */
    START_STUCK,  /* it came and did not arrive; nothing of it may be used again */
};

static enum start_result cpu_start(uint32_t id, struct cpu *cpu)
{
    uint32_t command = APIC_COMMAND_STARTUP | (uint32_t)(kernel_map_trampoline() >> 12);

    arrival.question = 0;
    arrival.answer = 0;
    parameter_set_u64(TRAMPOLINE_STACK, cpu_stack_range(cpu->arch.stacks, 0).end);
    parameter_set_u64(TRAMPOLINE_CPU, (uint64_t)cpu);
    atomic_store_release_u32(&arrival.state, ARRIVAL_CALLED);
    atomic_store_release_u32(parameter_u32(TRAMPOLINE_CLAIM), 1);
    apic_send(id, command);
    if (!arrival_wait(STARTUP_AGAIN_NS)) {
        apic_send(id, command);
        if (!arrival_wait(ARRIVAL_NS)) {
            bool unclaimed = atomic_exchange_u32(parameter_u32(TRAMPOLINE_CLAIM), 0) == 1;

            return unclaimed ? START_SILENT : START_STUCK;
        }
    }
    cpu->arch.clock_offset = arch_cpu_this()->arch.clock_offset + clock_offset_measure();
    running[running_count++] = cpu;
    atomic_store_release_u32(&arrival.state, ARRIVAL_NOBODY);
    return START_RUNNING;
}

/* Whether entry `index` of the firmware's list is a CPU to be started here. */
static bool cpu_is_startable(uint32_t index)
{
    const struct acpi_cpu *cpu = &acpi_madt.cpu[index];

    return cpu->enabled && cpu->apic_id < APIC_ID_BROADCAST && cpu->apic_id != apic_id();
}

static void cpus_initialise(unsigned limit)
{
    for (uint32_t i = 0, sent = 1; i < acpi_madt.cpu_count && sent < limit; i++) {
        if (cpu_is_startable(i)) {
            apic_send(acpi_madt.cpu[i].apic_id, APIC_COMMAND_INIT);
            sent++;
        }
    }
    pause_ns(INIT_PAUSE_NS);
}

/* A structure with stacks for CPU `index`; NULL: no memory. */
static struct cpu *cpu_prepare(unsigned index)
{
    struct cpu_stacks *stacks = kernel_map_stacks(index);
    struct cpu *cpu = stacks == NULL ? NULL : cpu_create(index);

    if (cpu == NULL) {
        log_line(LOG_WARNING, "cpu %u: no memory to start it", index);
        return NULL;
    }
    cpu->arch.stacks = stacks;
    return cpu;
}

static void cpus_start(unsigned limit)
{
    struct cpu *next = NULL;

    trampoline_prepare();
    cpus_initialise(limit);
    for (uint32_t i = 0; i < acpi_madt.cpu_count && running_count < limit; i++) {
        uint32_t id = acpi_madt.cpu[i].apic_id;
        enum start_result result;

        if (!cpu_is_startable(i)) {
            continue;
        }
        next = next != NULL ? next : cpu_prepare(running_count);
        if (next == NULL) {
            break;
        }
        result = cpu_start(id, next);
        if (result == START_RUNNING) {
            next = NULL;
            continue;
        }
        log_line(LOG_WARNING, "the processor with APIC id %u did not start; it is left out", id);
        if (result == START_STUCK) {
            break;
        }
    }
    kernel_map_trampoline_close();
}

unsigned arch_cpus_start(unsigned limit)
{
    limit = limit < LIMIT_CPUS ? limit : LIMIT_CPUS;
    running[0] = arch_cpu_this();
    running_count = 1;
    if (acpi_madt.cpu_count > 1 && limit > 1) {
        if (kernel_map_trampoline() != 0) {
            cpus_start(limit);
        } else {
            log_line(LOG_WARNING, "no free page below 1 MiB: the other processors stay off");
        }
    }
    return running_count;
}

/* ---- stopping -------------------------------------------------------------------------------- */

bool smp_is_halting(void)
{
    return atomic_load_acquire_u32(&halter) != HALTER_NOBODY;
}

void smp_halted_note(void)
{
    __atomic_add_fetch(&halted, 1, __ATOMIC_ACQ_REL);
}

void arch_cpus_halt_others(void)
{
    struct cpu *self = arch_cpu_this();
    uint32_t nobody = HALTER_NOBODY;
    uint64_t end = tsc_read() + timer_cycles(HALT_NS);
    unsigned asked = 0;

    if (!__atomic_compare_exchange_n(&halter, &nobody, self->index, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        if (nobody == self->index) {
            return; /* again: they are stopped already */
        }
        smp_halted_note(); /* two panics at once: the first one reports */
        arch_halt();
    }
    for (unsigned i = 0; i < running_count; i++) {
        if (running[i] != self) {
            apic_send(running[i]->arch.apic_id, APIC_COMMAND_NMI);
            asked++;
        }
    }
    while (atomic_load_acquire_u32(&halted) < asked && (int64_t)(end - tsc_read()) > 0) {
        arch_spin_hint();
    }
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* STI takes effect after the instruction that follows it: no interrupt fits between it and HLT. */
void arch_idle(void)
{
    __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

void arch_interrupt_window(void)
{
    __asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
}
