/* SPDX-License-Identifier: MIT */
/*
 * Assertions of programs. An assertion knows no struct rt, so the process's first thread leaves its
 * own here: the one variable of the runtime. A report from another thread uses that thread's ring
 * from outside; the process ends with it, so nothing is left to disturb.
 */
#include "user/rt/panic.h"

#include "core/assert.h"
#include "core/format.h"

static struct rt *panic_rt;

void rt_panic_through(struct rt *rt)
{
    panic_rt = rt;
}

void assert_failed(const char *expression, const char *file, unsigned line)
{
    struct rt *rt = panic_rt;

    panic_rt = NULL;
    if (rt != NULL) {
        (void)rt_print(rt, "%.32s: assertion failed: %s (%s:%u)\n", rt->start->process_name,
                       expression, file, line);
    }
    rt_exit(RT_EXIT_ASSERTION);
}

void rt_panic(struct rt *rt, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    (void)format_text_arguments(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)rt_print(rt, "%.32s: panic: %s\n", rt->start->process_name, text);
    rt_exit(RT_EXIT_ASSERTION);
}
