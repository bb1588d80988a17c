/* SPDX-License-Identifier: MIT */
/*
 * Slices of memory objects: which pages of its object an edge is for. Pure; theory in slice.c.
 */
#ifndef CORE_SLICE_H
#define CORE_SLICE_H

#include "core/cap_table.h"
#include "core/status.h"

struct slice {
    uint64_t first; /* page of the object */
    uint64_t pages; /* at least 1 */
};

/* The pages that an edge with this badge is for, of an object of `object_pages`. */
MUST_USE struct slice slice_of(uint64_t badge, uint64_t object_pages);

/* What is asked of a slice: bytes from an offset in it on. */
struct slice_range {
    uint64_t offset;
    uint64_t bytes;
};

/*
 * The edge that a holder of `from`, an edge of an object of `object_pages`, may make for itself of
 * a part of what that is for: everything equal but the pages, and the flags, which are none. In
 * this order: MISALIGNED (both are multiples of a page), OUT_OF_RANGE (no page, or beyond the end
 * of `from`).
 */
MUST_USE enum status slice_edge(const struct hold_edge *from, uint64_t object_pages,
                                struct slice_range range, struct hold_edge *to);

/* Moves *offset from the slice to its object. False: it lies beyond the slice. An edge for the
 * whole reaches any offset: what the object has there is its own affair. */
MUST_USE static inline bool slice_reach(uint64_t badge, uint64_t *offset)
{
    uint64_t first_bytes = (badge >> 32) * LIMIT_PAGE_BYTES;
    uint64_t bytes = (badge & UINT32_MAX) * LIMIT_PAGE_BYTES;

    if (badge == 0) {
        return true;
    }
    if (*offset >= bytes) {
        return false;
    }
    *offset += first_bytes;
    return true;
}

#endif
