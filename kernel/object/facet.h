/* SPDX-License-Identifier: MIT */
/* Facets in messages, and whether one is within another. */
#ifndef KERNEL_OBJECT_FACET_H
#define KERNEL_OBJECT_FACET_H

#include "core/manifest.h"
#include "schema/generated/authority.capnp.h"

/* The mask that the message's Facet means. */
static inline uint64_t facet_read(struct authority_facet_reader facet)
{
    return authority_facet_which(facet) == AUTHORITY_FACET_WHICH_ALL
               ? MANIFEST_FACET_ALL
               : authority_facet_get_methods(facet);
}

#endif
