/* SPDX-License-Identifier: MIT */
/* What a debug kernel checks in kernel/mem at each step, beside the x_check() functions. */
#include "kernel/mem/memory_debug.h"

#include "abi/atomic.h"
#include "core/assert.h"
#include "kernel/cpu.h"
#include "kernel/mem/frames.h"

bool memory_debug_poison(void)
{
    return true;
}

void memory_debug_frame_freed(paddr_t frame)
{
    for (unsigned i = 0; i < LIMIT_CPUS; i++) {
        for (unsigned s = 0; cpus[i] != NULL && s < CPU_FRAME_CACHE; s++) {
            uint64_t slot = atomic_load_relaxed_u64(&cpus[i]->frame_cache[s]);

            ASSERT((slot & ~(FRAME_BYTES - UINT64_C(1))) != frame); /* freed twice */
        }
    }
}

void memory_debug_frame_is_zero(paddr_t frame)
{
    const uint64_t *word = arch_frame_pointer(frame);
    uint64_t any = 0;

    for (unsigned i = 0; i < FRAME_BYTES / sizeof(uint64_t); i++) {
        any |= word[i];
    }
    ASSERT(any == 0);
}
