/* SPDX-License-Identifier: MIT */
/* The kernel's own half of every address space. Theory in kernel_map.c. */
#ifndef KERNEL_ARCH_X86_64_KERNEL_MAP_H
#define KERNEL_ARCH_X86_64_KERNEL_MAP_H

#include "kernel/arch/arch.h"

/*
 * Chooses memory for tables and for the secondary CPUs' first page, builds the kernel's address
 * space and makes it current. NULL, or why the boot cannot go on. Once, on the boot tables.
 */
const char *kernel_map_build(const struct boot_info *info);

/* Maps device registers, not cached, for good. `bytes` from `address` on. */
volatile void *kernel_map_device(paddr_t address, uint64_t bytes);

/* Maps the stacks of CPU `index` (not 0) with new frames; NULL: no memory. */
struct cpu_stacks *kernel_map_stacks(unsigned index);

/* The page below 1 MiB where secondary CPUs begin; 0: no such page was found. */
paddr_t kernel_map_trampoline(void);

/* The boot tables as secondary CPUs need them: low memory one to one and the kernel's half; and
 * without low memory again. Returns their root, below 4 GiB. */
uint32_t kernel_map_trampoline_open(void);
void kernel_map_trampoline_close(void);

#endif
