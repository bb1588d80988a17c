/* SPDX-License-Identifier: MIT */
/* Facets in messages. */
#ifndef USER_LIB_FACET_H
#define USER_LIB_FACET_H

#include "core/manifest.h"
#include "schema/generated/authority.capnp.h"

static inline void facet_client_set(struct authority_facet_builder builder, uint64_t facet)
{
    if (facet == MANIFEST_FACET_ALL) {
        authority_facet_set_all(builder);
    } else {
        authority_facet_set_methods(builder, facet);
    }
}

#endif
