/* SPDX-License-Identifier: MIT */
/*
 * How the parsers of foreign tables reach physical memory: by one function that the embedder gives.
 * The kernel answers from its direct map, the host tests from a byte array, so that a lying address
 * ends in NULL instead of a fault.
 */
#ifndef CORE_BOOT_MEMORY_H
#define CORE_BOOT_MEMORY_H

#include "abi/compiler.h"

struct boot_memory {
    /*
     * The `length` bytes (at least 1) at physical `address`, or NULL when any of them is not
     * accessible; `address + length` may wrap, and then the answer is NULL. The bytes stay readable
     * and unchanged while the parser runs; no alignment is promised.
     */
    const void *(*map)(void *context, uint64_t address, uint64_t length);
    void *context;
};

/* The bytes, or NULL. */
static inline const uint8_t *boot_memory_map(const struct boot_memory *memory, uint64_t address,
                                             uint64_t length)
{
    return memory->map(memory->context, address, length);
}

#endif
