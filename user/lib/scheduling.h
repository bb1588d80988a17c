/* SPDX-License-Identifier: MIT */
/* Terms of scheduling in messages. */
#ifndef USER_LIB_SCHEDULING_H
#define USER_LIB_SCHEDULING_H

#include "core/manifest.h"
#include "schema/generated/scheduling.capnp.h"

static inline void scheduling_client_set(struct scheduling_parameters_builder builder,
                                         const struct manifest_scheduling *scheduling)
{
    scheduling_parameters_set_priority(builder, scheduling->priority);
    scheduling_parameters_set_budget_ns(builder, scheduling->budget_ns);
    scheduling_parameters_set_period_ns(builder, scheduling->period_ns);
    scheduling_parameters_set_cpu_mask(builder, scheduling->cpu_mask);
}

#endif
