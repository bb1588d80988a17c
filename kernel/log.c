/* SPDX-License-Identifier: MIT */
/*
 * Log and panic.
 *
 * One lock keeps lines, console writes and reports whole. Lines are bounded to LOG_LINES_MAX for
 * each window; what was left out is counted and said with the next line that is let through.
 * Errors always pass. Reports are bounded likewise, to REPORTS_MAX in a longer window: a program
 * can fault as often as it likes, and each report holds the lock for a dozen lines. A panic takes
 * the console from whoever has it: the other CPUs are stopped first, so nobody writes afterwards.
 */
#include "kernel/log.h"

#include <stdarg.h>

#include "core/format.h"
#include "core/log_limit.h"
#include "kernel/cpu.h"
#include "kernel/symbols.h"

enum {
    LOG_LINE_BYTES = 240,
    LOG_LINES_MAX = 200,
    LOG_WINDOW_NS = 1000 * 1000 * 1000,
    REPORTS_MAX = 64,
    REPORT_WINDOWS = 10, /* LOG_WINDOW_NS that the window of reports is long */
    PANIC_FRAMES = 24,
};

enum kernel_log_level log_threshold = LOG_NOTICE;

static struct spinlock log_lock = SPINLOCK_INIT(LOCK_RANK_LOG);
static struct log_limit log_limit = {.window_ns = LOG_WINDOW_NS, .lines_max = LOG_LINES_MAX};
static struct log_limit report_limit = {.window_ns = (uint64_t)REPORT_WINDOWS * LOG_WINDOW_NS,
                                        .lines_max = REPORTS_MAX};
static uint32_t panicking; /* atomic: 1 + the index of the CPU that reports; 0: none */

static void write_arguments(const char *format, va_list arguments)
{
    char line[LOG_LINE_BYTES];
    size_t length = format_text_arguments(line, sizeof(line), format, arguments);

    if (length >= sizeof(line)) {
        length = sizeof(line) - 1;
        line[length - 1] = '~'; /* cut here */
    }
    arch_console_write(line, length);
}

void log_raw(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_arguments(format, arguments);
    va_end(arguments);
}

static void log_prefix(uint64_t now_ns)
{
    log_raw("[%llu.%06llu cpu%u] ", (unsigned long long)(now_ns / 1000000000),
            (unsigned long long)(now_ns / 1000 % 1000000), arch_cpu_this()->index);
}

void log_line(enum kernel_log_level level, const char *format, ...)
{
    uint64_t now_ns = arch_clock_ns();
    uint64_t suppressed = 0;
    va_list arguments;

    if (level > log_threshold) {
        return;
    }
    spinlock_lock(&log_lock);
    if (log_limit_admit(&log_limit, now_ns, &suppressed) || level == LOG_ERROR) {
        if (suppressed != 0) {
            log_prefix(now_ns);
            log_raw("%llu lines left out\n", (unsigned long long)suppressed);
        }
        log_prefix(now_ns);
        va_start(arguments, format);
        write_arguments(format, arguments);
        va_end(arguments);
        arch_console_write("\n", 1);
    }
    spinlock_unlock(&log_lock);
}

void log_console(const char *bytes, size_t count)
{
    spinlock_lock(&log_lock);
    arch_console_write(bytes, count);
    spinlock_unlock(&log_lock);
}

bool log_report_begin(void)
{
    uint64_t now_ns = arch_clock_ns();
    uint64_t suppressed = 0;

    spinlock_lock(&log_lock);
    if (!log_limit_admit(&report_limit, now_ns, &suppressed)) {
        if (report_limit.suppressed == 1) {
            log_prefix(now_ns);
            log_raw("too many reports: the next ones are left out\n");
        }
        spinlock_unlock(&log_lock);
        return false;
    }
    if (suppressed != 0) {
        log_prefix(now_ns);
        log_raw("%llu reports left out\n", (unsigned long long)suppressed);
    }
    return true;
}

void log_report_end(void)
{
    spinlock_unlock(&log_lock);
}

/* The function that holds `address`, or NULL. */
static const struct kernel_symbol *symbol_find(uint64_t address)
{
    size_t low = 0;
    size_t high = kernel_symbol_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (kernel_symbols[middle].address <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? NULL : &kernel_symbols[low - 1];
}

static void backtrace_print(void)
{
    uint64_t frames[PANIC_FRAMES];
    unsigned count = arch_backtrace(frames, PANIC_FRAMES);

    for (unsigned i = 0; i < count; i++) {
        const struct kernel_symbol *symbol = symbol_find(frames[i]);

        if (symbol != NULL) {
            log_raw("  %2u 0x%llx %s+0x%llx\n", i, (unsigned long long)frames[i], symbol->name,
                    (unsigned long long)(frames[i] - symbol->address));
        } else {
            log_raw("  %2u 0x%llx\n", i, (unsigned long long)frames[i]);
        }
    }
}

/* Takes the machine: the first CPU to get here goes on, with the others stopped. A panic while one
 * is reported by the same CPU ends the machine: there is nobody else to do it. */
static void panic_begin(void)
{
    uint32_t self = arch_cpu_this()->index + 1;
    uint32_t first = 0;

    if (!__atomic_compare_exchange_n(&panicking, &first, self, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        if (first == self) {
            log_raw("\npanic while one was reported\n");
            arch_power_off(false);
        }
        arch_halt();
    }
    arch_cpus_halt_others();
}

static NORETURN void panic_end(void)
{
    const struct cpu *cpu = arch_cpu_this();

    log_raw("  build %s, cpu %u of %u\n", kernel_build_id, cpu->index, cpu_count);
    arch_registers_print(NULL, log_raw);
    log_raw("  stack:\n");
    backtrace_print();
    log_raw("  halt class: kernel bug; nothing on this machine goes on\n");
    arch_power_off(false);
}

void panic(const char *format, ...)
{
    va_list arguments;

    panic_begin();
    log_raw("\npanic: ");
    va_start(arguments, format);
    write_arguments(format, arguments);
    va_end(arguments);
    log_raw("\n");
    panic_end();
}

void kernel_boot_refused(const char *reason)
{
    log_raw("\ncapOS cannot boot: %s\n", reason);
    arch_power_off(false);
}

void kernel_fault(const struct arch_fault *fault)
{
    panic("kernel fault: %s, vector %u, code 0x%llx, address 0x%llx, pc 0x%llx",
          arch_fault_cause(fault), fault->vector, (unsigned long long)fault->code,
          (unsigned long long)fault->address, (unsigned long long)fault->pc);
}
