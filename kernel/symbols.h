/* SPDX-License-Identifier: MIT */
/*
 * What the kernel knows about its own image: the names of its functions, for panic reports, and an
 * id made of its contents. tools/kernel_symbols.py writes both at link time.
 */
#ifndef KERNEL_SYMBOLS_H
#define KERNEL_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct kernel_symbol {
    uint64_t address; /* of the function's first instruction, in the kernel's address space */
    const char *name;
};

/* Ascending by address, no address twice. A function ends where the next one begins. */
extern const struct kernel_symbol kernel_symbols[];
extern const size_t kernel_symbol_count;

/* 16 hexadecimal digits and a terminating zero: equal for equal images, whoever built them. */
extern const char kernel_build_id[];

#endif
