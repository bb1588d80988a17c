/* SPDX-License-Identifier: MIT */
/*
 * Bounding of log lines: windows follow each other from the first line on. A line in a window that
 * has admitted lines_max already is left out and counted; the next admitted line brings the count
 * out.
 *
 * Invariant 1: lines <= lines_max and window_ns >= 1.
 */
#include "core/log_limit.h"

#include "core/assert.h"

void log_limit_init(struct log_limit *limit, uint64_t window_ns, uint32_t lines_max)
{
    ASSERT(window_ns >= 1);
    *limit = (struct log_limit){.window_ns = window_ns, .lines_max = lines_max};
}

bool log_limit_admit(struct log_limit *limit, uint64_t now_ns, uint64_t *suppressed)
{
    ASSERT(log_limit_check(limit) == 0);
    *suppressed = 0;
    if (now_ns >= limit->window_start_ns && now_ns - limit->window_start_ns >= limit->window_ns) {
        limit->window_start_ns = now_ns;
        limit->lines = 0;
    }
    if (limit->lines == limit->lines_max) {
        limit->suppressed += limit->suppressed < UINT64_MAX;
        return false;
    }
    limit->lines++;
    *suppressed = limit->suppressed;
    limit->suppressed = 0;
    return true;
}

unsigned log_limit_check(const struct log_limit *limit)
{
    return limit->window_ns >= 1 && limit->lines <= limit->lines_max ? 0 : 1;
}
