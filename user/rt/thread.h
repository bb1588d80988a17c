/* SPDX-License-Identifier: MIT */
/*
 * A second thread: its C function, the memory it needs, and how it begins.
 * user/lib/thread_spawner.h makes it run.
 */
#ifndef USER_RT_THREAD_H
#define USER_RT_THREAD_H

#include "user/rt/rt.h"

/* What a new thread runs; the value is its exit code. */
typedef int (*rt_thread_function)(struct rt *rt, void *argument);

/* Lives until the thread has read it, which its creator learns by whatever the two agree on. */
struct rt_thread_start {
    rt_thread_function function;
    void *argument;
};

/* First instruction of every thread but the first (start.S). */
void rt_thread_begin(void);

#endif
