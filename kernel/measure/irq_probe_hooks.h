/* SPDX-License-Identifier: MIT */
/*
 * The measuring kernel's hooks, inline so that they disturb what they measure as little as they
 * can: a read of the clock and two or three stores each.
 */
#ifndef IRQ_PROBE_HOOKS_H
#define IRQ_PROBE_HOOKS_H

struct irq_probe {
    uint64_t begin; /* 0: interrupts are on */
    uint64_t stretch;
    uint64_t longest[IRQ_STRETCH_COUNT];
    uint64_t left; /* when the last thread left, while nothing else has run; 0: something has */
    const struct vspace *left_space;
    uint64_t switch_least; /* 0: none yet */
};

extern struct irq_probe irq_probes[LIMIT_CPUS];

static inline struct irq_probe *irq_probe_this(void)
{
    return &irq_probes[arch_cpu_this()->index];
}

/* Interrupts have just gone off on this CPU, or one piece of work follows another. */
static inline void irq_probe_begin(enum irq_stretch stretch)
{
    struct irq_probe *probe = irq_probe_this();

    if (probe->begin == 0) {
        probe->begin = arch_cycles();
    }
    probe->stretch = stretch;
    if (stretch == IRQ_STRETCH_JOB) {
        probe->left = 0;
    }
}

/* They are about to come on. */
static inline void irq_probe_end(void)
{
    struct irq_probe *probe = irq_probe_this();

    if (probe->begin != 0) {
        uint64_t length = arch_cycles() - probe->begin;

        probe->begin = 0;
        if (length > probe->longest[probe->stretch]) {
            probe->longest[probe->stretch] = length;
        }
    }
}

/*
 * A thread leaves this CPU, its address space still active; the next one's context is loaded. What
 * comes between is a switch if nothing else ran and the space is the same.
 */
static inline void irq_probe_leave(void)
{
    struct irq_probe *probe = irq_probe_this();

    probe->left_space = arch_cpu_this()->vspace;
    probe->left = arch_cycles();
}

static inline void irq_probe_arrive(const struct vspace *vspace)
{
    uint64_t now = arch_cycles();
    struct irq_probe *probe = irq_probe_this();
    uint64_t took = now - probe->left;

    if (probe->left != 0 && probe->left_space == vspace &&
        (probe->switch_least == 0 || took < probe->switch_least)) {
        probe->switch_least = took;
    }
    probe->left = 0;
}

#endif
