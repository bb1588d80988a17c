/* SPDX-License-Identifier: MIT */
/* From the first instruction of a thread to its C function, and back. */
#include "user/rt/panic.h"
#include "user/rt/rt.h"
#include "user/rt/syscall.h"
#include "user/rt/thread.h"
#include "user/rt/tls.h"

/* Called by _start (start.S). */
NORETURN USED void rt_main(const struct start_info *start);

/* Called by rt_thread_begin (start.S). */
NORETURN USED void rt_thread_main(const struct start_info *start);

void rt_main(const struct start_info *start)
{
    struct rt rt;

    if (!rt_init(&rt, start)) {
        rt_exit(RT_EXIT_BAD_START);
    }
    rt_tls_fill(start, start->thread_pointer);
    rt_panic_through(&rt);
    rt_exit(main(&rt));
}

void rt_thread_main(const struct start_info *start)
{
    struct rt rt;
    const struct rt_thread_start *begin;

    if (!rt_init(&rt, start)) {
        rt_exit(RT_EXIT_BAD_START);
    }
    rt_tls_fill(start, start->thread_pointer);
    begin = (const struct rt_thread_start *)(uintptr_t)start->thread_argument;
    rt_thread_exit(begin->function(&rt, begin->argument));
}
