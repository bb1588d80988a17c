/* SPDX-License-Identifier: MIT */
/* Everything that holds between two moves: each structure's own check, the law of the ledgers. */
#ifndef FUZZ_DISPATCH_LOOK_H
#define FUZZ_DISPATCH_LOOK_H

#include "kernel/sched/process.h"

/* A finding: says what, with the kernel's last words, and aborts. */
NORETURN void look_complain(const char *what, uint64_t which, uint64_t detail);

/* Looks at every process with its table, threads, rings, answers and endpoints, at the scheduler
 * and at all ledgers. `thorough`: also at address spaces, frames and caches. */
void look_at_all(bool thorough);

/* The ids that a process holds: of one interface, or of all for 0. Returns how many. */
uint32_t look_ids(const struct process *process, uint64_t interface_id, uint64_t *ids,
                  uint32_t room);

#endif
