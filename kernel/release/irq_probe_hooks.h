/* SPDX-License-Identifier: MIT */
/* This kernel does not measure. */
#ifndef IRQ_PROBE_HOOKS_H
#define IRQ_PROBE_HOOKS_H

static inline void irq_probe_begin(enum irq_stretch stretch)
{
    (void)stretch;
}

static inline void irq_probe_end(void)
{
}

static inline void irq_probe_leave(void)
{
}

static inline void irq_probe_arrive(const struct vspace *vspace)
{
    (void)vspace;
}

#endif
