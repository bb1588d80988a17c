/* SPDX-License-Identifier: MIT */
/*
 * What a program of the hunt may do: calls of servers, and all that servers do: receive, return,
 * watch. `act_converse` does it as most programs do, one call at a time.
 */
#include <string.h>

#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/fault.capnp.h"
#include "sim/hunt/acts.h"
#include "sim/hunt/draft.h"

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};

static uint32_t draw_bytes(struct actor *actor, uint32_t room)
{
    switch (actor_below(actor, 8)) {
    case 0:
        return 0;
    case 1:
        return room / 8 * 8;
    case 2:
        return (uint32_t)actor_below(actor, room + 64);
    default:
        return 8 + (uint32_t)actor_below(actor, room < 256 ? room / 8 : 32) * 8;
    }
}

static struct piece draw_piece(struct actor *actor)
{
    return actor_below(actor, 5) == 0 ? piece_large(actor) : piece_small(actor);
}

/* Puts descriptors behind the message, if there is room; a RETURN's have paths. */
static void message_carries(struct actor *actor, struct sqe *sqe, struct model_intent *intent,
                            struct piece message)
{
    uint32_t count = 1 + (uint32_t)actor_below(actor, 3);

    if (sqe->message_bytes % 8 != 0 ||
        sqe->message_bytes + count * sizeof(struct transfer) > message.room) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct transfer transfer = {.cap = {act_draw_id(actor)},
                                    .mode =
                                        actor_below(actor, 3) == 0 ? TRANSFER_MOVE : TRANSFER_COPY};

        if (sqe->opcode != OPCODE_CALL && actor_below(actor, 4) != 0) {
            transfer.path.step[0] = (uint8_t)(1 + actor_below(actor, 3));
        }
        memcpy(message.bytes + sqe->message_bytes + i * sizeof(transfer), &transfer,
               sizeof(transfer));
        intent->grant[i] = (struct model_grant){
            .id = transfer.cap.raw, .moves = transfer.mode == TRANSFER_MOVE, .path = transfer.path};
    }
    intent->grants = count;
    sqe->transfers = (uint8_t)count;
}

void act_call(struct actor *actor)
{
    struct model_edge edge = act_draw_client(actor);
    uint64_t count = actor_below(actor, 6) == 0 ? 1 + actor_below(actor, 40) : 1;

    if (edge.id == 0 && actor_below(actor, 16) != 0) {
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        struct piece message = draw_piece(actor);
        struct piece result = draw_piece(actor);
        uint64_t interface_id = edge.interface_id;
        struct model_intent intent = nothing;
        struct sqe sqe = {.opcode = OPCODE_CALL,
                          .method = (uint8_t)actor_below(actor, 4),
                          .message_bytes = draw_bytes(actor, message.room),
                          .cap = {edge.id},
                          .message = (uintptr_t)message.bytes,
                          .result = (uintptr_t)result.bytes,
                          .result_bytes = (uint32_t)actor_below(actor, result.room + 1)};

        if (!act_is_client(&edge) || actor_below(actor, 16) == 0) {
            interface_id = actor_draw(actor); /* a kernel object's is never drawn */
        }
        sqe.interface_id = interface_id;
        if (actor_below(actor, 4) == 0 && message.block >= 0) {
            message_carries(actor, &sqe, &intent, message);
        }
        if (actor_below(actor, 6) == 0) {
            sqe.answer = act_keep(actor);
        }
        (void)actor_submit(actor, &sqe, &intent, message, result);
    }
    act_enter_some(actor);
}

static struct sqe receive_entry(struct actor *actor, struct piece result)
{
    struct sqe sqe = {.opcode = OPCODE_RECV,
                      .cap = {actor_cap(actor, ENDPOINT_INTERFACE_ID).id},
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = BLOCK_LARGE_BYTES};

    if (actor_below(actor, 12) == 0) {
        sqe.result_bytes = (uint32_t)actor_below(actor, BLOCK_LARGE_BYTES);
    }
    if (actor_below(actor, 24) == 0) {
        sqe.cap.raw = act_draw_id(actor);
    }
    return sqe;
}

void act_receive(struct actor *actor)
{
    uint64_t count = actor_below(actor, 16) == 0 ? 1 + actor_below(actor, 40) : 1;

    if (actor_cap(actor, ENDPOINT_INTERFACE_ID).id == 0 && actor_below(actor, 16) != 0) {
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        struct piece result = piece_large(actor);
        struct sqe sqe = receive_entry(actor, result);

        if (result.block < 0) { /* what is told to two at one place could not be told apart */
            break;
        }
        (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, result);
    }
    act_enter_some(actor);
}

/* A token to return: one this process holds, or a wrong one. *endpoint: an owner's edge for it. */
static uint64_t draw_token(struct actor *actor, uint64_t *owner, bool *fault)
{
    uint64_t tokens[32];
    uint64_t calls[32];
    uint32_t count = model_tokens(actor->pid, tokens, calls, 32);
    static struct model_edge edges[LIMIT_TABLE_SLOTS];
    uint32_t edge_count = model_edges(actor->pid, edges, LIMIT_TABLE_SLOTS);
    uint32_t choice;

    *owner = actor_cap(actor, ENDPOINT_INTERFACE_ID).id;
    if (count == 0 || actor_below(actor, 16) == 0) {
        return actor_below(actor, 2) == 0 ? actor_draw(actor)
                                          : actor_below(actor, 8) << 32 | actor_below(actor, 8);
    }
    choice = (uint32_t)actor_below(actor, count);
    *fault = model_submission(calls[choice])->fault;
    for (uint32_t i = 0; i < edge_count; i++) {
        if (edges[i].interface_id == ENDPOINT_INTERFACE_ID &&
            edges[i].object == model_submission(calls[choice])->endpoint) {
            *owner = edges[i].id;
        }
    }
    return tokens[choice];
}

/* The answer to a fault's call, in words that the kernel understands: mostly, that it goes on. */
static void decide(struct actor *actor, struct sqe *sqe, struct model_intent *intent,
                   struct piece message)
{
    struct draft draft;
    struct fault_handler_fault_results_builder results =
        fault_handler_fault_results_init(draft_begin(&draft, message));

    intent->ask = MODEL_ASK_DECIDE;
    intent->action = actor_below(actor, 6) == 0 ? (uint32_t)actor_below(actor, FAULT_ACTION_COUNT)
                                                : (uint32_t)FAULT_ACTION_RESUME;
    fault_handler_fault_results_set_action(results, (enum fault_action)intent->action);
    sqe->message_bytes = draft_bytes(&draft);
}

void act_return(struct actor *actor)
{
    struct piece message = draw_piece(actor);
    struct model_intent intent = nothing;
    uint64_t owner;
    struct sqe sqe = {.opcode = OPCODE_RETURN,
                      .flags = actor_below(actor, 4) == 0 ? SQE_EXCEPTION : 0,
                      .message_bytes = draw_bytes(actor, message.room),
                      .message = (uintptr_t)message.bytes};
    struct piece result = PIECE_NONE;
    bool fault = false;

    sqe.token = draw_token(actor, &owner, &fault);
    sqe.cap.raw = owner;
    if (fault && message.block >= 0 && actor_below(actor, 8) != 0) {
        decide(actor, &sqe, &intent, message);
    }
    if (actor_below(actor, 2) == 0) {
        result = piece_large(actor);
    }
    if (result.block >= 0) {
        sqe.opcode = OPCODE_RETURN_RECV;
        sqe.result = (uintptr_t)result.bytes;
        sqe.result_bytes = BLOCK_LARGE_BYTES;
    }
    if (intent.ask == MODEL_ASK_NOTHING && actor_below(actor, 3) == 0 && message.block >= 0) {
        message_carries(actor, &sqe, &intent, message);
    }
    (void)actor_submit(actor, &sqe, &intent, message, result);
    act_enter_some(actor);
}

/* What only a handler lets go on: a breakpoint, or a page that may come meanwhile. */
void act_fault(struct actor *actor)
{
    if (actor->start->process_name[0] != ACT_NAME_TOLD &&
        (actor->pid == 1 || actor_below(actor, 16) != 0)) {
        return;
    }
    if (actor_below(actor, 3) != 0) {
        __asm__ volatile("int3" ::: "memory");
    } else {
        (void)*(const volatile uint8_t *)(uintptr_t)act_memory_page(actor);
    }
}

/* A usual call or answer, alone, and waited for without a time limit. */
static void converse_once(struct actor *actor, bool serves)
{
    uint64_t tokens[1];
    uint64_t calls[1];
    bool answers = serves && model_tokens(actor->pid, tokens, calls, 1) == 1;
    struct model_edge edge =
        serves ? actor_cap(actor, ENDPOINT_INTERFACE_ID) : act_draw_client(actor);
    struct piece message = serves && !answers ? PIECE_NONE : piece_small(actor);
    struct piece result = serves ? piece_large(actor) : piece_small(actor);
    struct sqe sqe = {.opcode = answers  ? OPCODE_RETURN_RECV
                                : serves ? OPCODE_RECV
                                         : OPCODE_CALL,
                      .cap = {edge.id},
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = result.room};

    if (edge.id == 0 || result.block < 0 || (message.block < 0 && sqe.opcode != OPCODE_RECV) ||
        (!serves && !act_is_client(&edge))) {
        actor_give_back(actor, message);
        actor_give_back(actor, result);
        return;
    }
    if (sqe.opcode != OPCODE_RECV) {
        sqe.message = (uintptr_t)message.bytes;
        sqe.message_bytes = 8 * (uint32_t)actor_below(actor, 20);
        sqe.token = answers ? tokens[0] : edge.interface_id;
    }
    (void)actor_submit(actor, &sqe, &nothing, message, result);
    actor_enter(actor, 1,
                actor->thread == hunt_thread_name(1, 1) ? ACT_TIMEOUT_SHORT_NS : TIMEOUT_NONE);
}

void act_converse(struct actor *actor)
{
    bool serves = actor_below(actor, 2) == 0;

    actor_enter(actor, 0, 0);
    for (uint64_t rounds = 1 + actor_below(actor, 4); rounds > 0 && actor->under_way == 0;
         rounds--) {
        converse_once(actor, serves);
    }
}

/* An edge to an endpoint that this process owns too, and the owner's; false: there is none. */
static bool pair_find(struct actor *actor, uint64_t *owner, struct model_edge *client)
{
    static struct model_edge edges[LIMIT_TABLE_SLOTS];
    uint32_t count = model_edges(actor->pid, edges, LIMIT_TABLE_SLOTS);

    for (uint32_t i = count; i > 0; i--) {
        for (uint32_t k = 0; k < count && act_is_client(&edges[i - 1]); k++) {
            if (edges[k].interface_id == ENDPOINT_INTERFACE_ID && edges[k].facet == UINT64_MAX &&
                edges[k].grant == 0 && edges[i - 1].grant == 0 && edges[i - 1].facet != 0 &&
                edges[k].object == edges[i - 1].object) {
                *owner = edges[k].id;
                *client = edges[i - 1];
                return true;
            }
        }
    }
    return false;
}

/* Calls without a message, and receives, as many as asked and as there are blocks for. */
static void crowd_submit(struct actor *actor, uint64_t owner, const struct model_edge *client,
                         uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct piece result = piece_large(actor);
        struct sqe call = {.opcode = OPCODE_CALL,
                           .method = (uint8_t)__builtin_ctzll(client->facet),
                           .cap = {client->id},
                           .interface_id = client->interface_id};
        struct sqe receive = {.opcode = OPCODE_RECV,
                              .cap = {owner},
                              .result = (uintptr_t)result.bytes,
                              .result_bytes = BLOCK_LARGE_BYTES};

        if (result.block < 0) {
            return;
        }
        call.message = call.result = (uintptr_t)actor->arena;
        (void)actor_submit(actor, &call, &nothing, PIECE_NONE, PIECE_NONE);
        (void)actor_submit(actor, &receive, &nothing, PIECE_NONE, result);
    }
}

/* Answers a call that this thread has, and asks for the next. */
static void crowd_answer(struct actor *actor, uint64_t owner, uint64_t endpoint)
{
    uint64_t tokens[LIMIT_TOKEN_SLOTS];
    uint64_t calls[LIMIT_TOKEN_SLOTS];
    uint32_t count = model_tokens(actor->pid, tokens, calls, LIMIT_TOKEN_SLOTS);
    struct piece result = piece_large(actor);
    struct sqe sqe = {.opcode = OPCODE_RETURN_RECV,
                      .cap = {owner},
                      .message = (uintptr_t)actor->arena,
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = BLOCK_LARGE_BYTES};

    for (uint32_t i = 0; i < count && sqe.token == 0; i++) {
        const struct model_submission *call = model_submission(calls[i]);

        sqe.token = call->endpoint == endpoint && call->receiver == actor->thread ? tokens[i] : 0;
    }
    if (sqe.token == 0 || result.block < 0) {
        actor_give_back(actor, result);
        return;
    }
    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, result);
    actor_enter(actor, 1, ACT_TIMEOUT_SHORT_NS);
}

/* All tokens of an endpoint are out; then calls and receivers wait there, and an answer comes. */
void act_crowd(struct actor *actor)
{
    struct model_edge client;
    uint64_t owner;

    if (actor_below(actor, 2) == 0 || !pair_find(actor, &owner, &client)) {
        return;
    }
    for (unsigned i = 0; i < 5; i++) {
        crowd_submit(actor, owner, &client, 8);
        actor_enter(actor, 8, ACT_TIMEOUT_SHORT_NS);
    }
    for (uint64_t times = 1 + actor_below(actor, 3); times > 0; times--) {
        crowd_answer(actor, owner, client.object);
    }
}

void act_watch(struct actor *actor)
{
    uint64_t tokens[32];
    uint64_t calls[32];
    uint32_t count = model_tokens(actor->pid, tokens, calls, 32);
    static struct model_edge edges[LIMIT_TABLE_SLOTS];
    uint32_t edge_count = model_edges(actor->pid, edges, LIMIT_TABLE_SLOTS);
    struct sqe sqe = {.opcode = OPCODE_WATCH};
    uint32_t choice;

    if (count == 0) {
        return;
    }
    choice = (uint32_t)actor_below(actor, count);
    sqe.token = actor_below(actor, 12) == 0 ? actor_draw(actor) : tokens[choice];
    for (uint32_t i = 0; i < edge_count; i++) {
        if (edges[i].interface_id == ENDPOINT_INTERFACE_ID &&
            edges[i].object == model_submission(calls[choice])->endpoint) {
            sqe.cap.raw = edges[i].id;
        }
    }
    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    act_enter_some(actor);
}
