/* SPDX-License-Identifier: MIT */
/*
 * Slices: what is cut of an edge is a part of what that is for, with nothing else of it changed.
 *
 * Any edge whose slice lies within its object, an object of any size, any request. The new edge's
 * pages are among the source's, and a word is reached through it exactly when it lies in them.
 *
 * bound: none
 * cbmc: core/slice.c core/hold_edge.c
 * options: -I verify/shim --unwind 65
 * prove: prove_slice prove_reach
 * quick: prove_slice prove_reach
 * twin: prove_slice | core/slice.c
 *     | !range_fits(range.offset, range.bytes, slice.pages * LIMIT_PAGE_BYTES)
 *     | !range_fits(range.offset, range.bytes, object_pages * LIMIT_PAGE_BYTES)
 * twin: prove_slice | core/slice.c
 *     | slice.first += range.offset / LIMIT_PAGE_BYTES;
 *     | slice.first = range.offset / LIMIT_PAGE_BYTES;
 * twin: prove_reach | core/slice.h
 *     | if (*offset >= bytes) {
 *     | if (*offset > bytes) {
 */
#include "verify/prover.h"

#include "core/slice.h"

void prove_slice(void);
void prove_reach(void);

static struct grant_node grant;

/* An edge of an object of `pages`, whole or a slice of it. */
static struct hold_edge any_edge(uint64_t pages)
{
    struct hold_edge edge = {.object = &grant,
                             .interface_id = nondet_u64(),
                             .facet = nondet_u64(),
                             .badge = nondet_u64(),
                             .grant = nondet_bool() ? NULL : &grant,
                             .epoch = nondet_u64(),
                             .mode = nondet_u8(),
                             .grantable = nondet_u8(),
                             .flags = nondet_u8()};
    uint64_t first = edge.badge >> 32;
    uint64_t count = edge.badge & UINT32_MAX;

    __CPROVER_assume(edge.badge == 0 || (count > 0 && first < pages && count <= pages - first));
    return edge;
}

static uint64_t any_pages(void)
{
    uint64_t pages = nondet_u64();

    __CPROVER_assume(pages > 0 && pages <= LIMIT_OBJECT_PAGES);
    return pages;
}

void prove_slice(void)
{
    uint64_t pages = any_pages();
    struct hold_edge from = any_edge(pages);
    struct slice_range range = {.offset = nondet_u64(), .bytes = nondet_u64()};
    struct slice source = slice_of(from.badge, pages);
    struct hold_edge to;
    struct slice made;

    if (slice_edge(&from, pages, range, &to) != STATUS_OK) {
        return;
    }
    made = slice_of(to.badge, pages);
    __CPROVER_assert(to.badge != 0 && made.pages > 0, "not the whole, and not nothing");
    __CPROVER_assert(made.first >= source.first &&
                         made.first + made.pages <= source.first + source.pages,
                     "within its source");
    __CPROVER_assert((made.first - source.first) * LIMIT_PAGE_BYTES == range.offset &&
                         made.pages * LIMIT_PAGE_BYTES == range.bytes,
                     "what was asked for");
    __CPROVER_assert(to.object == from.object && to.interface_id == from.interface_id &&
                         to.grant == from.grant && to.epoch == from.epoch,
                     "revoked together with its source");
    __CPROVER_assert(to.facet == from.facet && to.mode == from.mode &&
                         to.grantable == from.grantable && to.flags == 0,
                     "no right more");
}

void prove_reach(void)
{
    uint64_t pages = any_pages();
    struct hold_edge edge = any_edge(pages);
    struct slice slice = slice_of(edge.badge, pages);
    uint64_t asked = nondet_u64();
    uint64_t offset = asked;
    bool reached = slice_reach(edge.badge, &offset);

    if (edge.badge != 0) {
        __CPROVER_assert(reached == (asked < slice.pages * LIMIT_PAGE_BYTES), "what lies in it");
        __CPROVER_assert(!reached || offset == slice.first * LIMIT_PAGE_BYTES + asked,
                         "where it lies in the object");
    } else {
        __CPROVER_assert(reached && offset == asked, "the whole is as it is");
    }
}
