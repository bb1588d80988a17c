/* SPDX-License-Identifier: MIT */
/* Release kernels leave these checks out; kernel/debug/memory_debug.c is the other half. */
#include "kernel/mem/memory_debug.h"

bool memory_debug_poison(void)
{
    return false;
}

void memory_debug_frame_freed(paddr_t frame)
{
    (void)frame;
}

void memory_debug_frame_is_zero(paddr_t frame)
{
    (void)frame;
}

void memory_debug_teardown(struct vspace *vspace)
{
    (void)vspace;
}

void memory_debug_interrupt(struct cpu *cpu, uint64_t reasons)
{
    (void)cpu;
    (void)reasons;
}

bool user_copy_race_is_armed(void)
{
    return false;
}

void user_copy_race_arm(const char *command_line)
{
    (void)command_line;
}

void user_copy_rendezvous(struct vspace *vspace, vaddr_t address)
{
    (void)vspace;
    (void)address;
}

void user_copy_rendezvous_end(struct vspace *vspace, enum status status)
{
    (void)vspace;
    (void)status;
}

void unmap_rendezvous(struct vspace *vspace, vaddr_t page, unsigned pages)
{
    (void)vspace;
    (void)page;
    (void)pages;
}

void unmap_rendezvous_end(struct vspace *vspace, const struct unmap *unmap)
{
    (void)vspace;
    (void)unmap;
}
