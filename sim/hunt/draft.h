/* SPDX-License-Identifier: MIT */
/* Messages to kernel objects, as the hunt's programs write them. */
#ifndef SIM_HUNT_DRAFT_H
#define SIM_HUNT_DRAFT_H

#include "schema/generated/authority.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "sim/hunt/actor.h"

/* A message under construction. */
struct draft {
    struct piece piece;
    struct capn_build_segment segment;
    struct capn_builder builder;
};

/* Begins a message in `piece`; its root. */
static inline struct capn_pointer_builder draft_begin(struct draft *draft, struct piece piece)
{
    draft->piece = piece;
    draft->segment = (struct capn_build_segment){
        .bytes = piece.bytes,
        .capacity_words = LIMIT_CALL_BYTES < piece.room ? LIMIT_CALL_BYTES / 8 : piece.room / 8};
    capn_builder_init(&draft->builder, &draft->segment, 1);
    return capn_builder_root(&draft->builder);
}

static inline uint32_t draft_bytes(const struct draft *draft)
{
    return (uint32_t)capn_builder_words(&draft->builder) * 8;
}

static inline void facet_write(struct authority_facet_builder facet, uint64_t mask)
{
    if (mask == UINT64_MAX) {
        authority_facet_set_all(facet);
    } else {
        authority_facet_set_methods(facet, mask);
    }
}

/* A MINT of what `intent` asks for. */
static inline void draft_mint(struct draft *draft, struct piece piece,
                              const struct model_intent *intent)
{
    struct endpoint_mint_params_builder params =
        endpoint_mint_params_init(draft_begin(draft, piece));

    endpoint_mint_params_set_interface_id(params, intent->interface_id);
    facet_write(endpoint_mint_params_init_facet(params), intent->facet);
    endpoint_mint_params_set_badge(params, intent->badge);
    endpoint_mint_params_set_transfer_mode(params, (enum authority_transfer_mode)intent->transfer);
}

#endif
