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
