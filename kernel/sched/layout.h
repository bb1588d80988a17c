/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel puts things in a process, relative to arch_vspace_base. Programs learn every
 * address from StartInfo; nothing here is ABI. The image lies below LAYOUT_CAPSET, memory of the
 * VirtualMemory object above LAYOUT_MEMORY.
 */
#ifndef KERNEL_SCHED_LAYOUT_H
#define KERNEL_SCHED_LAYOUT_H

#include "abi/ring.h"

#define LAYOUT_IMAGE_END UINT64_C(0x00000fff00000000)
#define LAYOUT_CAPSET    UINT64_C(0x0000100000000000)
#define LAYOUT_ARGUMENTS UINT64_C(0x0000100000001000)
#define LAYOUT_THREADS   UINT64_C(0x0000100010000000)
#define LAYOUT_MEMORY    UINT64_C(0x0000200000000000)

/* One region for each thread slot; a guard page below and above the stack. */
#define LAYOUT_THREAD_BYTES UINT64_C(0x100000)
#define LAYOUT_STACK_LOW    UINT64_C(0x1000)
#define LAYOUT_STACK_HIGH   (LAYOUT_STACK_LOW + LIMIT_STACK_BYTES)
#define LAYOUT_START_INFO   UINT64_C(0x20000)
#define LAYOUT_RING         UINT64_C(0x40000)

_Static_assert(LAYOUT_STACK_HIGH < LAYOUT_START_INFO, "a guard page above the stack");
_Static_assert(LAYOUT_RING + RING_ARENA_OFFSET + LIMIT_ARENA_BYTES_MAX < LAYOUT_THREAD_BYTES,
               "a ring fits its region");

#endif
