/* SPDX-License-Identifier: MIT */
/* The boot console's device. */
#ifndef KERNEL_ARCH_X86_64_SERIAL_H
#define KERNEL_ARCH_X86_64_SERIAL_H

#include "kernel/arch/arch.h"

/* Sets the line up; arch_console_write works from then on. */
void serial_init(void);

#endif
