/* SPDX-License-Identifier: MIT */
/* The measuring kernel's hooks: in kernel/measure/irq_probe.c. */
#ifndef IRQ_PROBE_HOOKS_H
#define IRQ_PROBE_HOOKS_H

/* Interrupts have just gone off on this CPU, or one piece of work follows another. */
void irq_probe_begin(enum irq_stretch stretch);

/* They are about to come on. */
void irq_probe_end(void);

#endif
