/* SPDX-License-Identifier: MIT */
/*
 * AddressSanitizer wants to know when the stack changes. Its functions are there in a build with it
 * and absent (weak, NULL) in any other, so one source serves both. Programs are never instrumented:
 * while one runs, the sanitizer believes the CPU's kernel stack to be in use, which it is, stopped.
 */
#ifndef KERNEL_ARCH_HOST_SANITIZER_H
#define KERNEL_ARCH_HOST_SANITIZER_H

#include "abi/compiler.h"

/* Before a switch to the stack [low, top); *kept holds what the sanitizer keeps of this one. */
void sanitizer_switch_begin(void **kept, const uint8_t *low, const uint8_t *top);

/* After it: `kept` of the stack that goes on, NULL on its first run. */
void sanitizer_switch_end(void *kept);

/* As sanitizer_switch_begin, towards the stack that host_boot was called on. */
void sanitizer_leave_main(void);

#endif
