/* SPDX-License-Identifier: MIT */
/* This kernel does not measure; its pieces of work are counted from here. */
#ifndef IRQ_PROBE_HOOKS_H
#define IRQ_PROBE_HOOKS_H

#include "kernel/work_check.h"

static inline void irq_probe_begin(enum irq_stretch stretch)
{
    (void)stretch;
    work_begin();
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
