/* SPDX-License-Identifier: MIT */
/*
 * Slices.
 *
 * Purpose: to hand on a part of a memory object, and nothing around it.
 *
 * A slice is no object of its own. It is an edge of the object like any other, with the pages that
 * it is for in its badge: the first in the upper half, how many in the lower. So it is duplicated,
 * passed on, delegated and revoked as every edge is, costs the slot it lies in, shares the frames,
 * keeps the object alive, and a word has one name for whoever waits at it, through whatever edge.
 * Badge 0 is the whole object; no slice has it, because none is empty.
 *
 * Nobody but slice_edge writes such a badge: those of the kernel's own objects are fixed when their
 * edges are made, and every way to make an edge of another keeps them.
 *
 * Invariants:
 *  1. A slice lies within its object.
 *  2. One that was cut from another lies within that.
 *
 * What can fail: what is asked, before anything is made.
 */
#include "core/slice.h"

#include "core/assert.h"
#include "core/checked.h"

#define PAGES_BITS 32

_Static_assert(LIMIT_OBJECT_PAGES <= UINT32_MAX, "a badge holds any page of any object");

static uint64_t badge_of(struct slice slice)
{
    ASSERT(slice.pages > 0 && slice.pages <= LIMIT_OBJECT_PAGES);
    ASSERT(slice.first < LIMIT_OBJECT_PAGES);
    return slice.first << PAGES_BITS | slice.pages;
}

struct slice slice_of(uint64_t badge, uint64_t object_pages)
{
    struct slice slice = {.pages = object_pages};

    if (badge != 0) {
        slice.first = badge >> PAGES_BITS;
        slice.pages = badge & UINT32_MAX;
        ASSERT(range_fits(slice.first, slice.pages, object_pages)); /* 1 */
    }
    return slice;
}

enum status slice_edge(const struct hold_edge *from, uint64_t object_pages,
                       struct slice_range range, struct hold_edge *to)
{
    struct slice slice = slice_of(from->badge, object_pages);

    if (range.offset % LIMIT_PAGE_BYTES != 0 || range.bytes % LIMIT_PAGE_BYTES != 0) {
        return STATUS_MISALIGNED;
    }
    if (range.bytes == 0 ||
        !range_fits(range.offset, range.bytes, slice.pages * LIMIT_PAGE_BYTES)) {
        return STATUS_OUT_OF_RANGE;
    }
    slice.first += range.offset / LIMIT_PAGE_BYTES;
    slice.pages = range.bytes / LIMIT_PAGE_BYTES;
    if (hold_edge_duplicate(from, CAP_FACET_ALL, to) != TRANSPORT_OK) {
        ASSERT(false); /* the facet it has is no wider */
    }
    to->badge = badge_of(slice); /* 2 */
    return STATUS_OK;
}
