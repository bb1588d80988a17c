/* SPDX-License-Identifier: MIT */
/* Facets and transfer modes as messages tell them and as edges hold them. */
#ifndef KERNEL_OBJECT_FACET_H
#define KERNEL_OBJECT_FACET_H

#include "core/cap_table.h"
#include "core/manifest.h"
#include "schema/generated/authority.capnp.h"

/* The mask that the message's Facet means. */
static inline uint64_t facet_read(struct authority_facet_reader facet)
{
    return authority_facet_which(facet) == AUTHORITY_FACET_WHICH_ALL
               ? MANIFEST_FACET_ALL
               : authority_facet_get_methods(facet);
}

/* What the message's mode means for an edge; EDGE_MODE_COUNT: it is none. */
static inline uint8_t mode_read(enum authority_transfer_mode mode)
{
    static const uint8_t modes[AUTHORITY_TRANSFER_MODE_COUNT] = {
        [AUTHORITY_TRANSFER_MODE_NONE] = EDGE_MODE_NONE,
        [AUTHORITY_TRANSFER_MODE_COPY] = EDGE_MODE_COPY,
        [AUTHORITY_TRANSFER_MODE_MOVE] = EDGE_MODE_MOVE,
        [AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE] = EDGE_MODE_COPY,
        [AUTHORITY_TRANSFER_MODE_MOVE_GRANTABLE] = EDGE_MODE_MOVE,
    };

    return mode < AUTHORITY_TRANSFER_MODE_COUNT ? modes[mode] : EDGE_MODE_COUNT;
}

/* Whether it has the right to grant. */
static inline bool mode_is_grantable(enum authority_transfer_mode mode)
{
    return mode == AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE ||
           mode == AUTHORITY_TRANSFER_MODE_MOVE_GRANTABLE;
}

/* Gives `edge` the mode that the message asks for, which is one. */
static inline void edge_mode_set(struct hold_edge *edge, enum authority_transfer_mode mode)
{
    edge->grantable = mode_is_grantable(mode);
    edge->mode = mode_read(mode);
}

/* The mode of `edge` as messages tell it. */
static inline enum authority_transfer_mode edge_mode_get(const struct hold_edge *edge)
{
    if (edge->mode == EDGE_MODE_NONE) {
        return AUTHORITY_TRANSFER_MODE_NONE;
    }
    if (edge->mode == EDGE_MODE_COPY) {
        return edge->grantable != 0 ? AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE
                                    : AUTHORITY_TRANSFER_MODE_COPY;
    }
    return edge->grantable != 0 ? AUTHORITY_TRANSFER_MODE_MOVE_GRANTABLE
                                : AUTHORITY_TRANSFER_MODE_MOVE;
}

#endif
