/* SPDX-License-Identifier: MIT */
/* ProcessHandle: what a supervisor may do with a process. */
#ifndef KERNEL_OBJECT_PROCESS_HANDLE_H
#define KERNEL_OBJECT_PROCESS_HANDLE_H

#include "kernel/sched/process.h"

enum capn_dispatch process_handle_call(struct object *object, struct capn_request *request);

/* Completes a wait with the report of a process that has ended; its lock is held. Drops the
 * operation's reference, which is not the last. */
void process_wait_complete(struct process *process, struct operation *operation);

#endif
