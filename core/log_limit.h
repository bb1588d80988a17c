/* SPDX-License-Identifier: MIT */
/*
 * Bounds log lines: at most so many in each window of time, and the ones left out are counted and
 * reported once. Time comes from the caller. No lock.
 */
#ifndef CORE_LOG_LIMIT_H
#define CORE_LOG_LIMIT_H

#include "abi/compiler.h"

struct log_limit {
    uint64_t window_ns;
    uint64_t window_start_ns;
    uint32_t lines_max;  /* in one window */
    uint32_t lines;      /* admitted in this window, at most lines_max */
    uint64_t suppressed; /* since the last report */
};

/* `window_ns` at least 1. With lines_max 0 nothing is ever admitted. */
void log_limit_init(struct log_limit *limit, uint64_t window_ns, uint32_t lines_max);

/*
 * Whether a line may be written at `now_ns`. When it may, *suppressed is the number of lines left
 * out since the last admitted one, to be reported before it; when not, it is 0. A clock that steps
 * back stays in its window.
 */
MUST_USE bool log_limit_admit(struct log_limit *limit, uint64_t now_ns, uint64_t *suppressed);

/* 0, or 1 when lines exceeds lines_max or a field is out of its range. */
MUST_USE unsigned log_limit_check(const struct log_limit *limit);

#endif
