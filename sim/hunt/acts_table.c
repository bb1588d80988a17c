/* SPDX-License-Identifier: MIT */
/* What a program of the hunt may do: edges copied, delegated, handed on, revoked, released. */
#include "schema/generated/capability.capnp.h"
#include "schema/generated/process.capnp.h"
#include "sim/hunt/acts.h"

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};

void act_release(struct actor *actor)
{
    struct sqe sqe = {.opcode = OPCODE_RELEASE, .cap = {act_draw_id(actor)}};

    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    act_enter_some(actor);
}

/* DUP, TOKEN, DELEGATE, TRANSFER, REVOKE on what this process holds, or does not. */
void act_table(struct actor *actor)
{
    struct sqe sqe = {.cap = {act_draw_id(actor)}};

    switch (actor_below(actor, 6)) {
    case 0:
        sqe.opcode = OPCODE_TOKEN;
        sqe.cap.raw = 0;
        sqe.interface_id = actor_cap(actor, 0).interface_id;
        sqe.slot = (uint32_t)actor_below(actor, 280);
        break;
    case 1:
    case 2:
        sqe.opcode = OPCODE_DUP;
        sqe.facet = act_draw_facet(actor);
        sqe.flags = (uint8_t)(actor_below(actor, 3) == 0 ? SQE_WINDOW : 0);
        if (sqe.flags == 0 && actor_below(actor, 3) == 0) {
            sqe.flags = SQE_EXACT_SLOT;
            sqe.slot = (uint32_t)actor_below(actor, 280);
        }
        break;
    case 3:
        sqe.opcode = OPCODE_DELEGATE;
        sqe.facet = act_draw_facet(actor);
        break;
    case 4:
        sqe.opcode = OPCODE_REVOKE;
        sqe.cap.raw = actor_cap(actor, CAPABILITY_DELEGATION_INTERFACE_ID).id;
        break;
    default:
        sqe.opcode = OPCODE_TRANSFER;
        sqe.target.raw = actor_cap(actor, PROCESS_HANDLE_INTERFACE_ID).id;
        sqe.flags = (uint8_t)(actor_below(actor, 4) * SQE_MOVE); /* MOVE, KEEP_GRANT, both, none */
        break;
    }
    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    act_enter_some(actor);
}

/* The same edge released twice, and used in between. */
void act_release_race(struct actor *actor)
{
    struct model_edge edge = act_draw_client(actor);
    struct sqe call = {.opcode = OPCODE_CALL, .cap = {edge.id}, .interface_id = edge.interface_id};

    if (!act_is_client(&edge)) {
        call.interface_id = 1;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct sqe sqe = {.opcode = OPCODE_RELEASE, .cap = {edge.id}};

        (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
        call.message = (uintptr_t)actor->arena;
        (void)actor_submit(actor, &call, &nothing, PIECE_NONE, PIECE_NONE);
    }
    act_enter_some(actor);
}
