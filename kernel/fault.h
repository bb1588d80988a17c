/* SPDX-License-Identifier: MIT */
/* Reports of what programs did that the processor refuses. */
#ifndef KERNEL_FAULT_H
#define KERNEL_FAULT_H

#include "kernel/arch/arch.h"

/* In the user's words, at most LIMIT_NAME_BYTES. */
const char *fault_kind_text(const struct arch_fault *fault);

#endif
