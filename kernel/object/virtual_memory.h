/* SPDX-License-Identifier: MIT */
/* VirtualMemory's cache. */
#ifndef KERNEL_OBJECT_VIRTUAL_MEMORY_H
#define KERNEL_OBJECT_VIRTUAL_MEMORY_H

void virtual_memory_init(void);

#endif
