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

/* Gives `edge` the mode that the message asks for. */
static inline void edge_mode_set(struct hold_edge *edge, enum authority_transfer_mode mode)
{
    bool copies =
        mode == AUTHORITY_TRANSFER_MODE_COPY || mode == AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE;

    edge->grantable = mode == AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE ||
                      mode == AUTHORITY_TRANSFER_MODE_MOVE_GRANTABLE;
    edge->mode = mode == AUTHORITY_TRANSFER_MODE_NONE ? EDGE_MODE_NONE
                 : copies                             ? EDGE_MODE_COPY
                                                      : EDGE_MODE_MOVE;
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
