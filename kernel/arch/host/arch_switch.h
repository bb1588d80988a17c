/* SPDX-License-Identifier: MIT */
/* What other ISAs have inline (kernel/arch/arch.h); here they are functions like all others. */
#ifndef KERNEL_ARCH_HOST_ARCH_SWITCH_H
#define KERNEL_ARCH_HOST_ARCH_SWITCH_H

#include "kernel/arch/arch.h"

void arch_context_set_result(struct arch_context *context, int64_t result);
void arch_context_save(struct arch_context *context);
void arch_context_load(struct arch_context *context);
void arch_vspace_activate(struct arch_vspace *vspace);

#endif
