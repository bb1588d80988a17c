/* SPDX-License-Identifier: MIT */
/*
 * The rules of a hold edge: which methods it lets through, and what may be made of it. Whatever is
 * made has no more methods and no more right to be passed on than what it is made of, comes through
 * the same delegation and has no flags. Of tables nothing is known here but that they have a window
 * of descriptors, which go one hop: no edge there has the right to grant. What can fail is a
 * refusal, and then nothing is written that counts.
 */
#include "core/hold_edge.h"

#include "core/assert.h"

enum transport_error hold_edge_permits(const struct hold_edge *edge, uint64_t interface_id,
                                       uint16_t method)
{
    if (edge->interface_id != interface_id) {
        return TRANSPORT_WRONG_INTERFACE;
    }
    if (edge->facet == CAP_FACET_ALL) {
        return TRANSPORT_OK;
    }
    if (method >= 64 || ((edge->facet >> method) & 1) == 0) {
        return TRANSPORT_NO_METHOD;
    }
    return TRANSPORT_OK;
}

bool facet_is_within(uint64_t facet, uint64_t within)
{
    return within == CAP_FACET_ALL || (facet != CAP_FACET_ALL && (facet & ~within) == 0);
}

enum transport_error hold_edge_duplicate(const struct hold_edge *from, uint64_t facet,
                                         struct hold_edge *to)
{
    if (facet != CAP_FACET_ALL && !facet_is_within(facet, from->facet)) {
        return TRANSPORT_NO_METHOD;
    }
    hold_edge_copy(from, to);
    to->facet = facet == CAP_FACET_ALL ? from->facet : facet;
    return TRANSPORT_OK;
}

enum transport_error hold_edge_pass(const struct hold_edge *from,
                                    const struct edge_passing *passing, struct hold_edge *to)
{
    bool allowed =
        from->mode == EDGE_MODE_COPY || (from->mode == EDGE_MODE_MOVE && passing->leaving);

    if (!allowed || (passing->keep_grant && (from->grantable == 0 || passing->descriptor))) {
        return TRANSPORT_NOT_GRANTABLE;
    }
    if (!facet_is_within(passing->facet, from->facet)) {
        return TRANSPORT_NO_METHOD;
    }
    hold_edge_copy(from, to);
    to->facet = passing->facet;
    if (!passing->keep_grant) {
        to->mode = EDGE_MODE_NONE;
        to->grantable = 0;
    }
    return TRANSPORT_OK;
}

enum gift_error hold_edge_give(const struct hold_edge *from, const struct edge_gift *gift,
                               struct hold_edge *to)
{
    ASSERT(!gift->grantable || gift->mode != EDGE_MODE_NONE);
    if (from->mode != EDGE_MODE_COPY) {
        return GIFT_ERROR_NOT_GRANTABLE;
    }
    if (gift->narrows && !facet_is_within(gift->facet, from->facet)) {
        return GIFT_ERROR_FACET;
    }
    if (gift->mode >= EDGE_MODE_COUNT || (gift->mode != EDGE_MODE_NONE && from->grantable == 0)) {
        return GIFT_ERROR_MODE;
    }
    if (gift->badge != 0 && gift->badge != from->badge) {
        return GIFT_ERROR_BADGE;
    }
    if (gift->grantable && gift->descriptor) {
        return GIFT_ERROR_NOT_DESCRIPTOR;
    }
    hold_edge_copy(from, to);
    to->facet = gift->narrows ? gift->facet : from->facet;
    to->mode = gift->mode;
    to->grantable = gift->grantable;
    return GIFT_OK;
}

enum transport_error hold_edge_tell(const struct hold_edge *from,
                                    const struct edge_telling *telling, struct hold_edge *to)
{
    const struct edge_method *needed = telling->owner != NULL ? telling->owner : &telling->told;
    enum transport_error error = hold_edge_permits(from, needed->interface_id, needed->method);

    ASSERT(telling->told.method < 64);
    if (error != TRANSPORT_OK) {
        return error;
    }
    if (telling->owner == NULL && from->mode != EDGE_MODE_COPY) {
        return TRANSPORT_NOT_GRANTABLE;
    }
    hold_edge_repeat(from, to);
    to->interface_id = telling->told.interface_id;
    to->facet = UINT64_C(1) << telling->told.method;
    to->badge = telling->owner != NULL ? 0 : from->badge;
    return TRANSPORT_OK;
}
