/* SPDX-License-Identifier: MIT */
/*
 * How long interrupts are off. Portable code brackets each stretch: it begins when an interrupt or
 * a system call enters, or an idle wait ends, and ends where interrupts are let in again. The
 * measuring kernel (kernel/measure/irq_probe_hooks.h) keeps the longest; in the others, both hooks
 * are empty and cost nothing. The few instructions of the entry code itself are outside.
 */
#ifndef KERNEL_IRQ_PROBE_H
#define KERNEL_IRQ_PROBE_H

#include "kernel/cpu.h"

/* What a stretch was about, for the line that reports the longest. */
enum irq_stretch {
    IRQ_STRETCH_SYSCALL,
    IRQ_STRETCH_INTERRUPT,
    IRQ_STRETCH_FAULT,
    IRQ_STRETCH_JOB,
    IRQ_STRETCH_SWITCH,
    IRQ_STRETCH_COUNT,
};

#include "irq_probe_hooks.h" /* kernel/<variant>/ */

/* Forgets what booting took: the figure is about a running machine. */
void irq_probe_reset(void);

/* Prints `bench irq_off_max N instructions` and what it was, if this kernel measures. */
void irq_probe_report(void);

#endif
