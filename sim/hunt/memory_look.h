/* SPDX-License-Identifier: MIT */
/* What the hunt sees of memory. Theory in memory_look.c. */
#ifndef SIM_HUNT_MEMORY_LOOK_H
#define SIM_HUNT_MEMORY_LOOK_H

#include "sim/hunt/hunt.h"
#include "sim/hunt/look.h"

/* A memory object was made; something was freed, perhaps one. */
void memory_look_made(const void *object);
void memory_look_gone(const void *object);

/* Looks at the memory of a process; the lock of its space is free. */
void memory_look_space(const struct process *process);

/* Looks at the frames of each object whose lock is free. */
void memory_look_objects(void);

/* Looks at who is charged for frames: every CPU is idle. */
void memory_look_rest(void);

#endif
