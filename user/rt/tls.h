/* SPDX-License-Identifier: MIT */
/*
 * Thread-local data in the layout of the x86-64 psABI (variant II): the block ends at the thread
 * pointer, and the word there holds its own address. The kernel gives each thread the memory and
 * the pointer; the thread fills it before anything else runs.
 */
#ifndef USER_RT_TLS_H
#define USER_RT_TLS_H

#include "abi/start_info.h"

/* Fills the block below `thread_pointer` from the program's template. 0: there is none, nothing is
 * done. */
void rt_tls_fill(const struct start_info *start, uint64_t thread_pointer);

/* Divides the top of a stack that ends at `high` into a block for thread-local data and the stack
 * proper: the thread pointer, and where the stack begins. */
uint64_t rt_stack_divide(const struct start_info *start, uint64_t high, uint64_t *stack_top);

#endif
