/* SPDX-License-Identifier: MIT */
/* Reports of what programs did that the processor refuses, and what they end. */
#ifndef KERNEL_FAULT_H
#define KERNEL_FAULT_H

#include "kernel/sched/process.h"
#include "schema/generated/process.capnp.h"

enum {
    FAULT_EXIT_CODE = -1, /* of what ends by a fault */
};

/* The fault of a thread as messages tell it. */
void fault_report_build(struct process_fault_report_builder report, const struct arch_fault *fault,
                        uint64_t thread_id);

/* How whatever ends by this fault of the thread ends. */
struct process_exit fault_exit(const struct thread *thread, const struct arch_fault *fault);

/* Prints the report of a fault that ends the thread, which is not running or current. */
void fault_report(const struct thread *thread, const struct arch_fault *fault);

/* The same, and ends its process. */
void fault_ends_process(const struct thread *thread, const struct arch_fault *fault);

#endif
