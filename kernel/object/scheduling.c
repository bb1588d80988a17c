/* SPDX-License-Identifier: MIT */
/* SchedulingParameters as calls ask for them: no more than the caller has. */
#include "kernel/object/scheduling.h"

#include "core/sched_context.h"
#include "kernel/dispatch/call.h"
#include "schema/generated/exception.capnp.h"

bool scheduling_refuse(struct capn_request *request, uint16_t reason, const char *name,
                       uint64_t limit, uint64_t amount)
{
    (void)capn_request_refuse(request, (struct capn_refuse_reason){.reason = reason,
                                                                   .argument = 0,
                                                                   .limit = limit,
                                                                   .amount = amount,
                                                                   .argument_name = name});
    return false;
}

bool scheduling_read(struct capn_request *request, struct scheduling_parameters_reader from,
                     const struct scheduling_names *names, struct scheduling *to)
{
    unsigned most = call_of(request)->caller->task.priority;

    *to = (struct scheduling){.priority = scheduling_parameters_get_priority(from),
                              .budget_ns = scheduling_parameters_get_budget_ns(from),
                              .period_ns = scheduling_parameters_get_period_ns(from),
                              .cpu_mask = scheduling_parameters_get_cpu_mask(from)};
    if (!sched_budget_is_valid(to->budget_ns, to->period_ns)) {
        return scheduling_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, names->budget,
                                 to->period_ns, to->budget_ns);
    }
    if (to->priority > most) {
        return scheduling_refuse(request, EXCEPTION_REASON_WIDER_THAN_SOURCE, names->priority, most,
                                 to->priority);
    }
    return (to->cpu_mask & sched_cpus()) != 0 ||
           scheduling_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, names->cpu_mask, sched_cpus(),
                             to->cpu_mask);
}

bool scheduling_read_new(struct capn_request *request, bool present,
                         struct scheduling_parameters_reader from, struct scheduling *to)
{
    static const struct scheduling_names names = {.priority = "request.scheduling.priority",
                                                  .budget = "request.scheduling.budgetNs",
                                                  .cpu_mask = "request.scheduling.cpuMask"};
    const struct thread *caller = call_of(request)->caller;

    *to = (struct scheduling){.priority = caller->task.priority, .cpu_mask = UINT64_MAX};
    if (present && !scheduling_read(request, from, &names, to)) {
        return false;
    }
    return caller->time.budget_ns == 0 ||
           scheduling_refuse(request, EXCEPTION_REASON_WIDER_THAN_SOURCE, names.budget,
                             caller->time.budget_ns, to->budget_ns);
}
