/* SPDX-License-Identifier: MIT */
/* ProcessHandle: what a supervisor may do with a process. */
#ifndef KERNEL_OBJECT_PROCESS_HANDLE_H
#define KERNEL_OBJECT_PROCESS_HANDLE_H

#include "kernel/sched/process.h"

enum capn_dispatch process_handle_call(struct object *object, struct capn_request *request);

/* What completes the waits of a process: with the report of its end, and with nothing. Its lock is
 * held. */
void process_end_answer(struct waitable *waitable, struct operation *operation);
void process_stop_answer(struct waitable *waitable, struct operation *operation);

#endif
