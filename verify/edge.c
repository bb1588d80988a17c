/* SPDX-License-Identifier: MIT */
/*
 * Edges: what is made of an edge never has more than it, whatever is asked.
 *
 * Any edge, any request. The new one names the same object, interface, badge and delegation, and
 * remembers the same epoch; its methods are among the source's, its right to be passed on is not
 * above it, and it has no flags. hold_edge_permits lets through only what interface and facet say.
 *
 * bound: none
 * cbmc: core/hold_edge.c
 * options: -I verify/shim --unwind 65
 * prove: prove_pass prove_give prove_duplicate prove_permits
 * quick: prove_pass prove_give prove_duplicate prove_permits
 * twin: prove_pass | core/hold_edge.c
 *     | from->mode == EDGE_MODE_COPY || (from->mode == EDGE_MODE_MOVE && passing->leaving)
 *     | from->mode == EDGE_MODE_COPY || from->mode == EDGE_MODE_MOVE
 * twin: prove_pass | core/hold_edge.c
 *     | !allowed || (passing->keep_grant && (from->grantable == 0 || passing->descriptor))
 *     | !allowed || (passing->keep_grant && passing->descriptor)
 * twin: prove_pass | core/hold_edge.c
 *     | !allowed || (passing->keep_grant && (from->grantable == 0 || passing->descriptor))
 *     | !allowed || (passing->keep_grant && from->grantable == 0)
 * twin: prove_give | core/hold_edge.c
 *     | gift->mode >= EDGE_MODE_COUNT || (gift->mode != EDGE_MODE_NONE && from->grantable == 0)
 *     | gift->mode >= EDGE_MODE_COUNT || (gift->grantable && from->grantable == 0)
 * twin: prove_give | core/hold_edge.c
 *     | gift->grantable && gift->descriptor
 *     | gift->mode == EDGE_MODE_MOVE && gift->descriptor
 * twin: prove_duplicate | core/hold_edge.c
 *     | (facet != CAP_FACET_ALL && (facet & ~within) == 0)
 *     | (facet & ~within) == 0 || within == 0
 * twin: prove_permits | core/hold_edge.c
 *     | method >= 64 || ((edge->facet >> method) & 1) == 0
 *     | ((edge->facet >> (method & 63)) & 1) == 0
 */
#include "verify/prover.h"

#include "core/hold_edge.h"

void prove_pass(void);
void prove_give(void);
void prove_duplicate(void);
void prove_permits(void);

static struct grant_node grant;

static struct hold_edge any_edge(void)
{
    return (struct hold_edge){.object = &grant,
                              .interface_id = nondet_u64(),
                              .facet = nondet_u64(),
                              .badge = nondet_u64(),
                              .grant = nondet_bool() ? NULL : &grant,
                              .epoch = nondet_u64(),
                              .mode = nondet_u8(),
                              .grantable = nondet_u8(),
                              .flags = nondet_u8()};
}

/* Bit by bit; all ones is every method, also those beyond the word. */
static bool facet_is_no_wider(uint64_t facet, uint64_t source)
{
    bool within = true;

    for (unsigned method = 0; method < 64; method++) {
        within = within && ((facet >> method & 1) == 0 || (source >> method & 1) != 0);
    }
    return within && (facet != CAP_FACET_ALL || source == CAP_FACET_ALL);
}

static void made_assert(const struct hold_edge *made, const struct hold_edge *from)
{
    __CPROVER_assert(made->object == from->object && made->interface_id == from->interface_id &&
                         made->badge == from->badge,
                     "the same thing");
    __CPROVER_assert(made->grant == from->grant && made->epoch == from->epoch,
                     "revoked together with its source");
    __CPROVER_assert(facet_is_no_wider(made->facet, from->facet), "no method more");
    __CPROVER_assert(made->flags == 0, "its own flags");
}

void prove_pass(void)
{
    struct hold_edge from = any_edge();
    struct hold_edge to;
    struct edge_passing passing = {.facet = nondet_u64(),
                                   .leaving = nondet_bool(),
                                   .keep_grant = nondet_bool(),
                                   .descriptor = nondet_bool()};

    if (hold_edge_pass(&from, &passing, &to) != TRANSPORT_OK) {
        return;
    }
    made_assert(&to, &from);
    __CPROVER_assert(from.mode == EDGE_MODE_COPY ||
                         (from.mode == EDGE_MODE_MOVE && passing.leaving),
                     "only what may be passed on so");
    __CPROVER_assert(to.mode == from.mode || to.mode == EDGE_MODE_NONE, "as its source, or not");
    __CPROVER_assert(to.mode == EDGE_MODE_NONE || (passing.keep_grant && from.grantable != 0),
                     "further only with the right to grant");
    __CPROVER_assert(to.grantable == 0 || (passing.keep_grant && from.grantable != 0),
                     "no right to grant from nothing");
    __CPROVER_assert(to.grantable == 0 || !passing.descriptor, "none in the window");
}

void prove_give(void)
{
    struct hold_edge from = any_edge();
    struct hold_edge to;
    struct edge_gift gift = {.facet = nondet_u64(),
                             .badge = nondet_u64(),
                             .mode = nondet_u8(),
                             .narrows = nondet_bool(),
                             .descriptor = nondet_bool()};

    gift.grantable = gift.mode != EDGE_MODE_NONE && nondet_bool();
    if (hold_edge_give(&from, &gift, &to) != GIFT_OK) {
        return;
    }
    made_assert(&to, &from);
    __CPROVER_assert(from.mode == EDGE_MODE_COPY, "the giver keeps its own");
    __CPROVER_assert(to.mode == EDGE_MODE_NONE || from.grantable != 0,
                     "further only with the right to grant");
    __CPROVER_assert(to.grantable == 0 || from.grantable != 0, "no right to grant from nothing");
    __CPROVER_assert(to.grantable == 0 || !gift.descriptor, "none in the window");
}

void prove_duplicate(void)
{
    struct hold_edge from = any_edge();
    struct hold_edge to;

    if (hold_edge_duplicate(&from, nondet_u64(), &to) == TRANSPORT_OK) {
        made_assert(&to, &from);
        __CPROVER_assert(to.mode == from.mode && to.grantable == from.grantable, "no right more");
    }
}

void prove_permits(void)
{
    struct hold_edge edge = any_edge();
    uint64_t interface_id = nondet_u64();
    uint16_t method = nondet_u16();
    enum transport_error error = hold_edge_permits(&edge, interface_id, method);
    bool listed = false;

    for (unsigned i = 0; i < 64; i++) {
        listed = listed || (i == method && (edge.facet >> i & 1) != 0);
    }
    __CPROVER_assert((error == TRANSPORT_OK) == (interface_id == edge.interface_id &&
                                                 (listed || edge.facet == CAP_FACET_ALL)),
                     "its interface, and a method of its facet");
}
