/* SPDX-License-Identifier: MIT */
/* The end of a program that has noticed a mistake of its own. */
#ifndef USER_RT_PANIC_H
#define USER_RT_PANIC_H

#include "user/rt/rt.h"

/* From now on a failed assertion is reported through the console of `rt`, which must outlive the
 * process's other threads. */
void rt_panic_through(struct rt *rt);

/* Reports through the console, if one is held, and ends the process. */
NORETURN void rt_panic(struct rt *rt, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
