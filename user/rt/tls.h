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

#endif
