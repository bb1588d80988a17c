/* SPDX-License-Identifier: MIT */
/*
 * Clock: the cycle counter (TSC), whose rate is measured once at boot against the HPET or, without
 * one, the 8254 (PIT). It is used although an emulator does not announce it as invariant: there it
 * is one counter for all CPUs and never stops, every x86-64 made since 2008 has it invariant, and
 * nothing else is read as cheaply and by programs too. Each CPU has an offset to the boot CPU's
 * counter, measured when it starts (smp.c).
 *
 * Timer: the local APIC's, one shot, counting at its bus rate, measured in the same window. Its 32
 * bits may be shorter than a deadline: then it fires early, timer_is_due() finds that and sets it
 * again, and the portable kernel hears only of the true end.
 *
 * Measuring. A sample is a reference count with the cycle counter read before and after; of several
 * the tightest is kept, so that a CPU that is taken away in between (emulators share theirs) does
 * no harm. The window's length is measured too, not assumed. The PIT wraps after 55 ms, so two
 * measurements must agree.
 *
 * Fractions are 32.32 fixed point: rate conversion is one multiplication.
 */
#include "core/assert.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/kernel_map.h"
#include "kernel/arch/x86_64/registers.h"
#include "kernel/arch/x86_64/timer.h"
#include "kernel/cpu.h"

#define NS_PER_SECOND  UINT64_C(1000000000)
#define FS_PER_SECOND  UINT64_C(1000000000000000)
#define PIT_HERTZ      UINT64_C(1193182)
#define WINDOW_DIVISOR 250 /* of a second: 4 ms */

enum {
    SAMPLE_TRIES = 8,
    MEASURE_TRIES = 6,
    POLLS_MAX = 2000000, /* a reference that does not reach a window by then stands still */

    HPET_PERIOD = 0x04, /* femtoseconds, upper half of the capabilities */
    HPET_CONFIGURATION = 0x10,
    HPET_COUNTER = 0xf0,
    HPET_PERIOD_MAX = 100000000,

    PIT_CHANNEL2 = 0x42,
    PIT_COMMAND = 0x43,
    PIT_GATE = 0x61,
    PIT_LATCH2 = 0x80,
    PIT_MODE2_CHANNEL2 = 0xb4, /* both bytes, rate generator */
};

struct sample {
    uint64_t reference;
    uint64_t cycles;
    uint64_t uncertainty; /* cycles between the two readings around the reference */
    uint32_t bus;         /* local timer, counts down */
};

struct reference {
    uint64_t hertz;
    uint64_t mask; /* of its counter */
    uint64_t (*read)(void);
};

static volatile uint8_t *hpet;
static uint64_t clock_hertz;
static uint64_t clock_start;       /* counter at system time 0 */
uint64_t arch_clock_scale;         /* ns for a cycle, 32.32 */
static uint64_t clock_cycle_scale; /* cycles for a ns, 32.32 */
static uint64_t timer_bus_scale;   /* bus ticks for a ns, 32.32 */
static uint64_t timer_longest_ns;  /* what 32 bits of the local timer hold */

static uint64_t scale(uint64_t value, uint64_t factor)
{
    return (uint64_t)(((unsigned __int128)value * factor) >> 32);
}

static uint64_t ratio(uint64_t numerator, uint64_t denominator)
{
    ASSERT(denominator != 0 && denominator <= UINT64_MAX / 2);
    ASSERT(numerator / denominator <= UINT32_MAX);
    uint64_t whole = numerator / denominator;
    uint64_t rest = numerator % denominator;
    uint64_t fraction = 0;

    for (unsigned bit = 0; bit < 32; bit++) {
        rest <<= 1;
        fraction <<= 1;
        if (rest >= denominator) {
            rest -= denominator;
            fraction |= 1;
        }
    }
    return whole << 32 | fraction;
}

/* ---- references ------------------------------------------------------------------------------ */

static uint64_t hpet_read(void)
{
    return *(volatile uint32_t *)(hpet + HPET_COUNTER);
}

static bool hpet_open(struct reference *reference)
{
    uint32_t period;

    if (acpi_hpet.address == 0) {
        return false;
    }
    hpet = kernel_map_device(acpi_hpet.address, LIMIT_PAGE_BYTES);
    period = *(volatile uint32_t *)(hpet + HPET_PERIOD);
    if (period == 0 || period > HPET_PERIOD_MAX) {
        return false;
    }
    *(volatile uint32_t *)(hpet + HPET_CONFIGURATION) |= 1;
    *reference =
        (struct reference){.hertz = FS_PER_SECOND / period, .mask = UINT32_MAX, .read = hpet_read};
    return true;
}

/* The PIT counts down; its complement counts up. */
static uint64_t pit_read(void)
{
    unsigned count;

    port_write_u8(PIT_COMMAND, PIT_LATCH2);
    count = port_read_u8(PIT_CHANNEL2);
    count |= (unsigned)port_read_u8(PIT_CHANNEL2) << 8;
    return 0xffff - count;
}

static void pit_open(struct reference *reference)
{
    uint8_t gate = port_read_u8(PIT_GATE);

    port_write_u8(PIT_GATE, (uint8_t)((gate & ~2u) | 1u)); /* gate on, speaker off */
    port_write_u8(PIT_COMMAND, PIT_MODE2_CHANNEL2);
    port_write_u8(PIT_CHANNEL2, 0);
    port_write_u8(PIT_CHANNEL2, 0);
    *reference = (struct reference){.hertz = PIT_HERTZ, .mask = 0xffff, .read = pit_read};
}

/* ---- measuring ------------------------------------------------------------------------------- */

static struct sample sample_take(const struct reference *reference)
{
    struct sample best = {.uncertainty = UINT64_MAX};

    for (unsigned i = 0; i < SAMPLE_TRIES; i++) {
        struct sample sample;
        uint64_t before = tsc_read();

        sample.bus = apic_timer_left();
        sample.reference = reference->read();
        sample.cycles = tsc_read();
        sample.uncertainty = sample.cycles - before;
        sample.cycles = before + sample.uncertainty / 2;
        if (sample.uncertainty < best.uncertainty) {
            best = sample;
        }
    }
    return best;
}

/* Rates of the two counters in hertz. */
struct rates {
    uint64_t cycles;
    uint64_t bus; /* 0: the local timer ran out during the window */
};

/* Measures one window. False: the reference does not move. */
static bool window_measure(const struct reference *reference, struct rates *rates)
{
    uint64_t window = reference->hertz / WINDOW_DIVISOR;
    struct sample first, last;
    uint64_t elapsed;
    unsigned polls = 0;

    apic_timer_start(UINT32_MAX);
    first = sample_take(reference);
    do {
        if (++polls > POLLS_MAX) {
            return false;
        }
        arch_spin_hint();
    } while (((reference->read() - first.reference) & reference->mask) < window);
    last = sample_take(reference);
    apic_timer_start(0);
    elapsed = (last.reference - first.reference) & reference->mask;
    if (elapsed == 0) {
        return false;
    }
    rates->cycles = (last.cycles - first.cycles) * reference->hertz / elapsed;
    rates->bus = last.bus == 0 ? 0 : (uint64_t)(first.bus - last.bus) * reference->hertz / elapsed;
    return true;
}

static bool rates_agree(uint64_t a, uint64_t b)
{
    uint64_t difference = a > b ? a - b : b - a;

    return difference < a / 100;
}

/* Measures until two windows agree; an HPET's counter is too long to be misread and needs one. */
static bool rates_measure(const struct reference *reference, struct rates *rates)
{
    uint64_t before = 0;

    for (unsigned i = 0; i < MEASURE_TRIES; i++) {
        if (!window_measure(reference, rates)) {
            return false;
        }
        if (rates->cycles == 0 || rates->bus == 0) {
            continue;
        }
        if (reference->mask == UINT32_MAX || rates_agree(rates->cycles, before)) {
            return true;
        }
        before = rates->cycles;
    }
    return false;
}

bool timer_calibrate(void)
{
    struct reference reference;
    struct rates rates;

    if (!hpet_open(&reference) || !rates_measure(&reference, &rates)) {
        pit_open(&reference);
        if (!rates_measure(&reference, &rates)) {
            return false;
        }
    }
    clock_hertz = rates.cycles;
    arch_clock_scale = ratio(NS_PER_SECOND, clock_hertz);
    clock_cycle_scale = ratio(clock_hertz, NS_PER_SECOND);
    timer_bus_scale = ratio(rates.bus, NS_PER_SECOND);
    timer_longest_ns = scale(UINT32_MAX / 2, ratio(NS_PER_SECOND, rates.bus));
    clock_start = tsc_read();
    arch_cpu_this()->arch.clock_offset = -clock_start;
    return true;
}

/* ---- use ------------------------------------------------------------------------------------- */

uint64_t timer_cycles(uint64_t ns)
{
    return scale(ns, clock_cycle_scale);
}

uint64_t arch_cycles(void)
{
    return tsc_read();
}

void arch_clock_describe(uint64_t *hertz, uint64_t *start)
{
    *hertz = clock_hertz;
    *start = clock_start;
}

void arch_timer_set(uint64_t deadline_ns)
{
    struct arch_cpu *arch = &arch_cpu_this()->arch;
    uint64_t now, left;

    arch->timer_deadline = deadline_ns;
    if (deadline_ns == UINT64_MAX) {
        apic_timer_start(0);
        return;
    }
    now = arch_clock_ns();
    left = deadline_ns > now ? deadline_ns - now : 0;
    if (left > timer_longest_ns) {
        left = timer_longest_ns;
    }
    apic_timer_start((uint32_t)scale(left, timer_bus_scale) + 1);
}

bool timer_is_due(struct cpu *cpu)
{
    uint64_t deadline = cpu->arch.timer_deadline;

    if (deadline == UINT64_MAX) {
        return false;
    }
    if (arch_clock_ns() < deadline) {
        arch_timer_set(deadline);
        return false;
    }
    cpu->arch.timer_deadline = UINT64_MAX;
    return true;
}
