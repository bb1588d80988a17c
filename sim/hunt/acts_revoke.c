/* SPDX-License-Identifier: MIT */
/*
 * What a program of the hunt may do: use a delegated edge, revoke its delegation or one above, and
 * use it again at once, all of it in one batch. What is found alive before the revoke is remembered
 * by the kernel, and what is begun before it has to be ended by it.
 */
#include <string.h>

#include "schema/generated/capability.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/memory.capnp.h"
#include "schema/generated/process.capnp.h"
#include "sim/hunt/acts.h"

enum {
    PAIRS_MAX = 64,
    SPAWNS_EVERY = 6, /* a run has few processes to spend */
};

/* A delegation's handle, and an edge that a revoke through it ends. */
struct pair {
    uint64_t handle;
    struct model_edge edge;
};

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};

static uint64_t one(struct actor *actor, struct sqe sqe)
{
    return actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
}

/* What this process holds of both; false: nothing. */
static bool pair_draw(struct actor *actor, struct pair *pair)
{
    static struct model_edge edges[LIMIT_TABLE_SLOTS];
    uint32_t edge_count = model_edges(actor->pid, edges, LIMIT_TABLE_SLOTS);
    struct pair found[PAIRS_MAX];
    uint32_t count = 0;
    uint32_t depth_min = actor_below(actor, 3) == 0 ? 2 : 1; /* what was delegated again, perhaps */

    for (uint32_t i = 0; i < edge_count; i++) {
        for (uint32_t k = 0; k < edge_count && count < PAIRS_MAX &&
                             edges[i].interface_id == CAPABILITY_DELEGATION_INTERFACE_ID;
             k++) {
            if (edges[k].state == MODEL_EDGE_HELD && edges[k].grant != 0 &&
                model_depth_below(edges[i].object, edges[k].grant) >= depth_min) {
                found[count++] = (struct pair){edges[i].id, edges[k]};
            }
        }
    }
    if (count == 0) {
        return false;
    }
    *pair = found[actor_below(actor, count)];
    return true;
}

/* Delegates something worth to be revoked; in half of the cases what is delegated itself. */
static void delegate_something(struct actor *actor)
{
    struct sqe sqe = {.opcode = OPCODE_DELEGATE, .facet = UINT64_MAX};
    struct pair pair;

    if (actor_below(actor, 2) == 0 && pair_draw(actor, &pair)) {
        sqe.cap.raw = pair.edge.id;
    } else if (actor_below(actor, 2) == 0) {
        sqe.cap.raw = actor_cap(actor, PROCESS_SPAWNER_INTERFACE_ID).id;
    } else if (actor_below(actor, 3) == 0) {
        sqe.cap.raw = actor_cap(actor, ENDPOINT_INTERFACE_ID).id;
    } else if (actor_below(actor, 2) == 0) {
        sqe.cap.raw = actor_cap(actor, MEMORY_OBJECT_INTERFACE_ID).id;
    } else {
        sqe.cap.raw = act_draw_client(actor).id;
    }
    if (sqe.cap.raw != 0) {
        (void)one(actor, sqe);
        actor_enter(actor, 1, ACT_TIMEOUT_SHORT_NS);
    }
}

static void call_through(struct actor *actor, const struct model_edge *edge)
{
    struct piece message = piece_small(actor);
    struct piece result = piece_small(actor);
    struct sqe sqe = {.opcode = OPCODE_CALL,
                      .method = (uint8_t)actor_below(actor, 3),
                      .message_bytes = 8,
                      .cap = {edge->id},
                      .interface_id = edge->interface_id,
                      .message = (uintptr_t)message.bytes,
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = result.room};

    (void)actor_submit(actor, &sqe, &nothing, message, result);
}

/* A copy of the edge waits beside a call to some server. */
static void carry(struct actor *actor, const struct model_edge *edge)
{
    struct model_edge server = act_draw_client(actor);
    struct piece message = piece_small(actor);
    struct piece result = piece_small(actor);
    struct transfer transfer = {.cap = {edge->id}, .mode = TRANSFER_COPY};
    struct model_intent intent = {
        .ask = MODEL_ASK_NOTHING, .grants = 1, .grant = {{.id = edge->id}}};
    struct sqe sqe = {.opcode = OPCODE_CALL,
                      .transfers = 1,
                      .cap = {server.id},
                      .interface_id = server.interface_id,
                      .message = (uintptr_t)message.bytes,
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = result.room};

    if (!act_is_client(&server) || server.facet == 0 || message.block < 0) {
        actor_give_back(actor, message);
        actor_give_back(actor, result);
        return;
    }
    sqe.method = (uint8_t)__builtin_ctzll(server.facet);
    memcpy(message.bytes, &transfer, sizeof(transfer));
    (void)actor_submit(actor, &sqe, &intent, message, result);
}

static void receive_through(struct actor *actor, uint64_t owner)
{
    struct piece result = piece_large(actor);
    struct sqe sqe = {.opcode = OPCODE_RECV,
                      .cap = {owner},
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = BLOCK_LARGE_BYTES};

    if (result.block >= 0) {
        (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, result);
    }
}

static void use(struct actor *actor, const struct model_edge *edge)
{
    uint64_t way = actor_below(actor, 7);

    if (way == 6 && edge->mode == 1) {
        carry(actor, edge);
    } else if ((edge->interface_id == PROCESS_SPAWNER_INTERFACE_ID || edge->grantable != 0) &&
               actor_below(actor, SPAWNS_EVERY) == 0) {
        act_spawn_below(actor, edge);
    } else if (way == 0) {
        (void)one(actor,
                  (struct sqe){.opcode = OPCODE_DELEGATE, .cap = {edge->id}, .facet = UINT64_MAX});
    } else if (way == 1) {
        (void)one(actor,
                  (struct sqe){.opcode = OPCODE_TRANSFER,
                               .cap = {edge->id},
                               .target = {actor_cap(actor, PROCESS_HANDLE_INTERFACE_ID).id}});
    } else if (way < 5 && act_is_client(edge)) {
        call_through(actor, edge);
    } else if (way < 5 && edge->interface_id == ENDPOINT_INTERFACE_ID) {
        receive_through(actor, edge->id);
    } else if (way < 4 && edge->interface_id == MEMORY_OBJECT_INTERFACE_ID) {
        act_memory_through(actor, edge);
    } else if (way < 5 && edge->interface_id == MEMORY_OBJECT_INTERFACE_ID) {
        (void)one(actor,
                  (struct sqe){.opcode = actor_below(actor, 3) == 0 ? OPCODE_UNPARK : OPCODE_PARK,
                               .cap = {edge->id}});
    } else {
        (void)one(actor,
                  (struct sqe){.opcode = OPCODE_DUP, .cap = {edge->id}, .facet = UINT64_MAX});
    }
}

void act_revoke(struct actor *actor)
{
    struct pair pair;

    if (actor_below(actor, 2) == 0 || !pair_draw(actor, &pair)) {
        delegate_something(actor);
        if (!pair_draw(actor, &pair)) {
            return;
        }
    }
    actor->gathers = true;
    for (uint64_t times = 1 + actor_below(actor, 2); times > 0; times--) {
        use(actor, &pair.edge);
    }
    if (actor_below(actor, 4) == 0) { /* has the kernel begun what it does later? */
        actor_enter(actor, 0, 0);
    }
    (void)one(actor, (struct sqe){.opcode = OPCODE_REVOKE, .cap = {pair.handle}});
    for (uint64_t times = 1 + actor_below(actor, 3); times > 0; times--) {
        use(actor, &pair.edge);
    }
    actor->gathers = false;
    act_enter_some(actor);
}
