/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic that says when it does not fit. Each returns true and stores the exact result, or
 * returns false and leaves `*result` unspecified; use is `if (!checked_add(a, b, &sum)) refuse`.
 */
#ifndef CORE_CHECKED_H
#define CORE_CHECKED_H

#include "abi/compiler.h"

MUST_USE static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *result)
{
    return !ADD_OVERFLOWS(a, b, result);
}

MUST_USE static inline bool checked_mul(uint64_t a, uint64_t b, uint64_t *result)
{
    return !MUL_OVERFLOWS(a, b, result);
}

/* Rounds up to a multiple of `alignment`, a power of two. */
MUST_USE static inline bool checked_align_up(uint64_t value, uint64_t alignment, uint64_t *result)
{
    uint64_t raised;

    if (ADD_OVERFLOWS(value, alignment - 1, &raised)) {
        return false;
    }
    *result = raised & ~(alignment - 1);
    return true;
}

/*
 * Whether [start, start + length) lies inside [0, limit), without ever computing a sum that wraps.
 * An empty range at `limit` does.
 */
MUST_USE static inline bool range_fits(uint64_t start, uint64_t length, uint64_t limit)
{
    return start <= limit && length <= limit - start;
}

#endif
