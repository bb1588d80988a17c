/* SPDX-License-Identifier: MIT */
/*
 * Kernel log: one line at a time, with CPU and time, levels, bounded for each window; what is
 * dropped is counted and said. No kernel address appears outside a panic report.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include "abi/compiler.h"

enum kernel_log_level {
    LOG_ERROR,
    LOG_WARNING,
    LOG_NOTICE,
    LOG_DEBUG,
}; /* as LogLevel in schema/log.capnp */

void log_line(enum kernel_log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

/* Bytes of a program's console message, whole, prefixed by nothing; the caller bounds them. */
void log_console(const char *bytes, size_t count);

/* Panic: stops all CPUs, prints one report, ends the machine with a failing verdict. */
NORETURN void panic(const char *format, ...) PRINTF_LIKE(1, 2);

/* Prints without lock or prefix; for reports that own the console. */
void log_raw(const char *format, ...) PRINTF_LIKE(1, 2);

/* A report of several log_raw lines, each bounded by its caller, that nobody else's output
 * interrupts. false: there were too many lately, and this one is to be left out: no end belongs to
 * it. */
MUST_USE bool log_report_begin(void);
void log_report_end(void);

extern enum kernel_log_level log_threshold;

#endif
