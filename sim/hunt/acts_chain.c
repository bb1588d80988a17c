/* SPDX-License-Identifier: MIT */
/*
 * What a program of the hunt may do: chains of calls, each promised from the answer of the one
 * before, and the answers that send them on. An answer carries the edge that the next call of its
 * chain goes through; what is kept is mostly finished, with what it gives, before it came, so that
 * the answer is for that call alone. A chain goes to another process or to its own caller.
 */
#include <string.h>

#include "schema/generated/endpoint.capnp.h"
#include "sim/hunt/acts.h"
#include "sim/hunt/draft.h"

enum {
    CHAIN_MAX = 4,
    TOKENS_MAX = 32,
};

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};

/* Whether nothing about it is unusual. */
static bool is_plain(const struct model_edge *edge)
{
    return edge->state == MODEL_EDGE_HELD && edge->grant == 0 && edge->facet == UINT64_MAX;
}

/* An edge that an answer may carry: a client's, which may be copied. */
static bool is_link(const struct model_edge *edge)
{
    return act_is_client(edge) && is_plain(edge) && edge->mode == 1;
}

/* The edge of this process to `endpoint` that is its owner's, or one that an answer may carry and
 * has the interface; 0: there is none. */
static uint64_t find_edge(const struct actor *actor, uint64_t endpoint, uint64_t interface_id)
{
    static struct model_edge edges[LIMIT_TABLE_SLOTS];
    uint32_t count = model_edges(actor->pid, edges, LIMIT_TABLE_SLOTS);

    for (uint32_t i = 0; i < count; i++) {
        if (edges[i].object == endpoint && edges[i].interface_id == interface_id &&
            (interface_id == ENDPOINT_INTERFACE_ID ? is_plain(&edges[i]) : is_link(&edges[i]))) {
            return edges[i].id;
        }
    }
    return 0;
}

/* As long as a thread may wait for an answer that perhaps nobody gives. */
static uint64_t patience_ns(const struct actor *actor)
{
    return actor->thread == hunt_thread_name(1, 1) ? ACT_TIMEOUT_SHORT_NS : TIMEOUT_NONE;
}

/* ---- who calls ------------------------------------------------------------------------------- */

/* Ids for the answers that a chain keeps: of `count` places of this thread, one behind the other,
 * which are given up first if they are in use. */
static void chain_keep(struct actor *actor, uint32_t *kept, uint64_t count)
{
    uint64_t first = actor_below(actor, ACTOR_KEPT);

    for (uint64_t i = 0; i < count; i++) {
        uint64_t place = (first + i) % ACTOR_KEPT;
        struct sqe finish = {.opcode = OPCODE_FINISH, .answer = actor->kept[place]};

        if (finish.answer != 0) {
            (void)actor_submit(actor, &finish, &nothing, PIECE_NONE, PIECE_NONE);
        }
        kept[i] = ++actor->generation << ANSWER_SLOT_BITS | (uint32_t)place;
        actor->kept[place] = kept[i];
    }
}

/* Mostly at once: then the answers are for the chain alone. */
static void chain_finish(struct actor *actor, const uint32_t *kept, uint64_t count)
{
    for (uint64_t i = 0; i < count && actor_below(actor, 8) != 0; i++) {
        struct sqe finish = {.opcode = OPCODE_FINISH,
                             .flags = actor_below(actor, 8) != 0 ? SQE_RELEASE : 0,
                             .answer = kept[i]};

        (void)actor_submit(actor, &finish, &nothing, PIECE_NONE, PIECE_NONE);
        actor->kept[kept[i] & ((1U << ANSWER_SLOT_BITS) - 1)] = 0;
    }
}

/* A chain through `edge`; false: there was no room for all of it. */
static bool chain_submit(struct actor *actor, const struct model_edge *edge)
{
    uint64_t count = 2 + actor_below(actor, CHAIN_MAX - 1);
    uint32_t kept[CHAIN_MAX] = {0}; /* the last keeps nothing */
    uint64_t done = 0;

    chain_keep(actor, kept, count - 1);
    for (; done < count; done++) {
        struct piece message = piece_small(actor);
        struct piece result = piece_small(actor);
        struct sqe sqe = {.opcode = OPCODE_CALL,
                          .method = (uint8_t)__builtin_ctzll(edge->facet),
                          .message_bytes = 8 * (uint32_t)actor_below(actor, 12),
                          .cap = {edge->id},
                          .interface_id = edge->interface_id,
                          .message = (uintptr_t)message.bytes,
                          .result = (uintptr_t)result.bytes,
                          .result_bytes = result.room,
                          .answer = kept[done]};

        if (message.block < 0 || result.block < 0) {
            actor_give_back(actor, message);
            actor_give_back(actor, result);
            break;
        }
        if (done != 0) {
            sqe.flags = SQE_PROMISED;
            sqe.promise = (struct promise){kept[done - 1], {.step = {1}}};
        }
        (void)actor_submit(actor, &sqe, &nothing, message, result);
    }
    chain_finish(actor, kept, count - 1);
    return done == count;
}

/* ---- who answers ----------------------------------------------------------------------------- */

/* A client's edge of this process's endpoint that an answer may carry. */
static void link_mint(struct actor *actor, uint64_t owner, uint64_t interface_id)
{
    struct model_intent intent = {.ask = MODEL_ASK_MINT,
                                  .interface_id = interface_id,
                                  .facet = UINT64_MAX,
                                  .badge = actor_below(actor, 5),
                                  .transfer = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    struct piece result = piece_small(actor);
    struct draft draft;
    struct sqe sqe = {.opcode = OPCODE_CALL,
                      .method = ENDPOINT_METHOD_MINT,
                      .cap = {owner},
                      .interface_id = ENDPOINT_INTERFACE_ID,
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = result.room};

    draft_mint(&draft, piece_small(actor), &intent);
    if (draft.piece.block < 0 || result.block < 0) {
        actor_give_back(actor, draft.piece);
        actor_give_back(actor, result);
        return;
    }
    sqe.message = (uintptr_t)draft.piece.bytes;
    sqe.message_bytes = draft_bytes(&draft);
    (void)actor_submit(actor, &sqe, &intent, draft.piece, result);
    actor_enter(actor, 0, 0);
}

/* Asks for a call; false: there is no room for one. */
static bool receive(struct actor *actor, uint64_t owner)
{
    struct piece result = piece_large(actor);
    struct sqe sqe = {.opcode = OPCODE_RECV,
                      .cap = {owner},
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = result.room};

    if (result.block < 0) {
        return false;
    }
    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, result);
    return true;
}

/* A call that this thread took and has not answered, one whose answer is kept if there is one;
 * *token. NULL: none. */
static const struct model_submission *call_taken(const struct actor *actor, uint64_t *token)
{
    uint64_t tokens[TOKENS_MAX];
    uint64_t calls[TOKENS_MAX];
    uint32_t count = model_tokens(actor->pid, tokens, calls, TOKENS_MAX);
    const struct model_submission *taken = NULL;

    for (uint32_t i = 0; i < count; i++) {
        const struct model_submission *call = model_submission(calls[i]);

        if (call->receiver == actor->thread && !call->fault &&
            (taken == NULL || (call->keeps && !taken->keeps))) {
            *token = tokens[i];
            taken = call;
        }
    }
    return taken;
}

/* Puts the edge that goes on behind the message, mostly where the chain looks for it. */
static void answer_carries(struct actor *actor, struct sqe *sqe, struct model_intent *intent,
                           uint64_t link)
{
    struct transfer transfer = {.cap = {link}, .mode = TRANSFER_COPY, .path = {.step = {1}}};

    if (actor_below(actor, 12) == 0) {
        transfer.path.step[0] = (uint8_t)actor_below(actor, 3);
    }
    memcpy((uint8_t *)(uintptr_t)sqe->message + sqe->message_bytes, &transfer, sizeof(transfer));
    intent->grant[0] = (struct model_grant){.id = link, .path = transfer.path};
    intent->grants = 1;
    sqe->transfers = 1;
}

/* Answers a call, and asks for the next; false: there is nothing to do that with. */
static bool answer(struct actor *actor, const struct model_submission *call, uint64_t token)
{
    struct model_intent intent = nothing;
    struct piece message = piece_small(actor);
    struct piece result = piece_large(actor);
    uint64_t link = find_edge(actor, call->endpoint, call->sqe.interface_id);
    struct sqe sqe = {.opcode = OPCODE_RETURN_RECV,
                      .flags = actor_below(actor, 24) == 0 ? SQE_EXCEPTION : 0,
                      .cap = {find_edge(actor, call->endpoint, ENDPOINT_INTERFACE_ID)},
                      .token = token,
                      .message = (uintptr_t)message.bytes,
                      .message_bytes = 8 * (uint32_t)actor_below(actor, 8),
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = result.room};

    if (sqe.cap.raw == 0 || result.block < 0 || message.block < 0) {
        actor_give_back(actor, message);
        actor_give_back(actor, result);
        return false;
    }
    if (link == 0) {
        link_mint(actor, sqe.cap.raw, call->sqe.interface_id);
    } else if (actor_below(actor, 12) != 0) {
        answer_carries(actor, &sqe, &intent, link);
    }
    (void)actor_submit(actor, &sqe, &intent, message, result);
    return true;
}

/* Takes a call through `owner`, or answers one and takes the next. */
static bool serve_once(struct actor *actor, uint64_t owner)
{
    uint64_t token = 0;
    const struct model_submission *call = call_taken(actor, &token);

    if (call == NULL ? owner == 0 || !receive(actor, owner) : !answer(actor, call, token)) {
        return false;
    }
    actor_enter(actor, 1, actor_below(actor, 2) == 0 ? ACT_TIMEOUT_SHORT_NS : patience_ns(actor));
    return true;
}

static void serve(struct actor *actor, uint64_t owner)
{
    uint64_t rounds = 1 + actor_below(actor, CHAIN_MAX + 2);

    while (rounds > 0 && !actor->broken && serve_once(actor, owner)) {
        rounds--;
    }
}

/* An owner's edge of some endpoint; 0: there is none. */
static uint64_t draw_owner(struct actor *actor)
{
    static struct model_edge edges[LIMIT_TABLE_SLOTS];
    uint32_t count = model_edges(actor->pid, edges, LIMIT_TABLE_SLOTS);
    uint32_t start = count == 0 ? 0 : (uint32_t)actor_below(actor, count);

    for (uint32_t i = 0; i < count; i++) {
        const struct model_edge *edge = &edges[(start + i) % count];

        if (edge->interface_id == ENDPOINT_INTERFACE_ID && is_plain(edge)) {
            return edge->id;
        }
    }
    return 0;
}

void act_serve_chain(struct actor *actor)
{
    actor_enter(actor, 0, 0);
    serve(actor, draw_owner(actor));
}

/* An edge for a chain: one of the clients', or of an endpoint that this process owns. */
static struct model_edge chain_edge(struct actor *actor, uint64_t *owner)
{
    static struct model_edge edges[LIMIT_TABLE_SLOTS];
    struct model_edge edge = act_draw_client(actor);
    uint32_t count = model_edges(actor->pid, edges, LIMIT_TABLE_SLOTS);
    bool own = actor_below(actor, 2) == 0;

    *owner = find_edge(actor, edge.object, ENDPOINT_INTERFACE_ID);
    for (uint32_t i = 0; i < count && own && *owner == 0; i++) {
        if (is_link(&edges[i])) {
            edge = edges[i];
            *owner = find_edge(actor, edge.object, ENDPOINT_INTERFACE_ID);
        }
    }
    return edge;
}

/* A chain to another process, or one that its caller answers itself. */
void act_chain(struct actor *actor)
{
    uint64_t owner;
    struct model_edge edge = chain_edge(actor, &owner);

    actor_enter(actor, 0, 0);
    if (owner != 0 && receive(actor, owner)) {
        actor_enter(actor, 0, 0);
    }
    if (!act_is_client(&edge) || edge.facet == 0 || !chain_submit(actor, &edge)) {
        return;
    }
    actor_enter(actor, owner == 0, patience_ns(actor));
    if (owner != 0) {
        serve(actor, owner);
    }
}
