/* SPDX-License-Identifier: MIT */
/*
 * What a program of the hunt may do: calls promised from answers still to come, through kernel
 * objects and servers; the end of their keeping; taking back what is under way.
 */
#include "schema/generated/endpoint.capnp.h"
#include "sim/hunt/acts.h"
#include "sim/hunt/draft.h"

enum {
    CHAIN_MAX = 4,
};

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};

uint32_t act_keep(struct actor *actor)
{
    uint32_t place = (uint32_t)actor_below(actor, ACTOR_KEPT);
    uint32_t id = ++actor->generation << ANSWER_SLOT_BITS | place;

    if (actor_below(actor, 16) == 0) { /* in use, beyond the table, or without a generation */
        id = (uint32_t)actor_draw(actor) >> actor_below(actor, 24);
        return id == 0 ? 1 : id;
    }
    if (actor->kept[place] != 0 && actor_below(actor, 8) != 0) {
        struct sqe sqe = {.opcode = OPCODE_FINISH,
                          .flags = actor_below(actor, 3) == 0 ? SQE_RELEASE : 0,
                          .answer = actor->kept[place]};

        (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    }
    actor->kept[place] = id;
    return id;
}

/* An answer of this thread: mostly one that it keeps. */
static uint32_t draw_answer(struct actor *actor)
{
    uint32_t id = actor->kept[actor_below(actor, ACTOR_KEPT)];

    if (actor_below(actor, 24) == 0) {
        return (uint32_t)actor_draw(actor);
    }
    return id != 0 ? id : 1U << ANSWER_SLOT_BITS;
}

static struct answer_path draw_path(struct actor *actor)
{
    struct answer_path path = {.step = {1}};

    if (actor_below(actor, 4) == 0) {
        path.step[0] = (uint8_t)(1 + actor_below(actor, 3));
        path.step[1] = (uint8_t)(actor_below(actor, 3) == 0);
    }
    return path;
}

/* A CREATE whose answer is kept; 0: there is nothing to create with. */
static uint32_t submit_create(struct actor *actor)
{
    uint64_t factory = actor_cap(actor, ENDPOINT_FACTORY_INTERFACE_ID).id;
    struct model_intent intent = {.ask = MODEL_ASK_CREATE, .path = {.step = {1}}};
    struct piece piece = piece_small(actor);
    struct piece result = piece_small(actor);
    struct draft draft;
    struct sqe sqe = {.opcode = OPCODE_CALL,
                      .method = ENDPOINT_FACTORY_METHOD_CREATE,
                      .cap = {factory},
                      .interface_id = ENDPOINT_FACTORY_INTERFACE_ID,
                      .message = (uintptr_t)piece.bytes,
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = result.room};

    if (factory == 0 || piece.block < 0 || result.block < 0) {
        actor_give_back(actor, piece);
        actor_give_back(actor, result);
        return 0;
    }
    (void)endpoint_factory_create_params_init(draft_begin(&draft, piece));
    sqe.message_bytes = draft_bytes(&draft);
    sqe.answer = act_keep(actor);
    (void)actor_submit(actor, &sqe, &intent, piece, result);
    return sqe.answer;
}

/* A MINT of the endpoint that `answer` is to bring, its own answer kept; *interface_id: of the
 * edge. */
static uint32_t submit_mint(struct actor *actor, uint32_t answer, uint64_t *interface_id)
{
    struct model_intent intent = {.ask = MODEL_ASK_MINT,
                                  .path = {.step = {1}},
                                  .interface_id =
                                      ACT_INTERFACE_FIRST + actor_below(actor, ACT_INTERFACES),
                                  .facet = act_draw_facet(actor),
                                  .badge = actor_below(actor, 5),
                                  .transfer = (uint32_t)actor_below(actor, 5)};
    struct piece piece = piece_small(actor);
    struct piece result = piece_small(actor);
    struct draft draft;
    struct sqe sqe = {.opcode = OPCODE_CALL,
                      .flags = SQE_PROMISED,
                      .method = ENDPOINT_METHOD_MINT,
                      .promise = {answer, draw_path(actor)},
                      .interface_id = ENDPOINT_INTERFACE_ID,
                      .message = (uintptr_t)piece.bytes,
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = result.room};

    if (piece.block < 0 || result.block < 0) {
        actor_give_back(actor, piece);
        actor_give_back(actor, result);
        return 0;
    }
    *interface_id = intent.interface_id;
    draft_mint(&draft, piece, &intent);
    sqe.message_bytes = draft_bytes(&draft);
    sqe.answer = act_keep(actor);
    (void)actor_submit(actor, &sqe, &intent, piece, result);
    return sqe.answer;
}

/* Calls promised one from the other, to servers, the first from `answer`. */
static void submit_chain(struct actor *actor, uint32_t answer, uint64_t interface_id)
{
    uint64_t count = 1 + actor_below(actor, CHAIN_MAX);

    for (uint64_t i = 0; i < count; i++) {
        struct piece message = piece_small(actor);
        struct piece result = piece_small(actor);
        struct sqe sqe = {.opcode = OPCODE_CALL,
                          .flags = SQE_PROMISED,
                          .method = (uint8_t)actor_below(actor, 3),
                          .message_bytes = 8 * (uint32_t)actor_below(actor, 12),
                          .promise = {answer, draw_path(actor)},
                          .interface_id = interface_id,
                          .message = (uintptr_t)message.bytes,
                          .result = (uintptr_t)result.bytes,
                          .result_bytes = result.room};

        if (actor_below(actor, 3) != 0) {
            sqe.answer = act_keep(actor);
        }
        if (actor_below(actor, 16) == 0) {
            sqe.result = (uintptr_t)actor->arena - 64; /* not in the arena */
        }
        (void)actor_submit(actor, &sqe, &nothing, message, result);
        if (sqe.answer != 0 && actor_below(actor, 3) != 0) {
            answer = sqe.answer;
            interface_id = ACT_INTERFACE_FIRST + actor_below(actor, ACT_INTERFACES);
        }
    }
}

void act_promise(struct actor *actor)
{
    uint64_t interface_id = ACT_INTERFACE_FIRST + actor_below(actor, ACT_INTERFACES);
    uint32_t answer = 0;

    if (actor_below(actor, 2) == 0) {
        answer = submit_create(actor);
        if (answer != 0) {
            answer = submit_mint(actor, answer, &interface_id);
        }
    }
    submit_chain(actor, answer != 0 ? answer : draw_answer(actor), interface_id);
    act_enter_some(actor);
}

void act_finish(struct actor *actor)
{
    struct sqe sqe = {.opcode = OPCODE_FINISH,
                      .flags = actor_below(actor, 2) == 0 ? SQE_RELEASE : 0,
                      .answer = draw_answer(actor)};

    for (unsigned i = 0; i < ACTOR_KEPT; i++) {
        if (actor->kept[i] == sqe.answer) {
            actor->kept[i] = actor_below(actor, 4) == 0 ? sqe.answer : 0; /* else again */
        }
    }
    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    act_enter_some(actor);
}

void act_cancel(struct actor *actor)
{
    uint64_t names[64];
    uint32_t count = model_under_way(actor->thread, names, 64);
    uint64_t times = 1 + (actor_below(actor, 4) == 0);
    uint64_t token =
        count != 0 ? names[actor_below(actor, count)] : actor_below(actor, MODEL_SUBMISSIONS);

    for (uint64_t i = 0; i < times; i++) {
        struct sqe sqe = {.opcode = OPCODE_CANCEL, .token = token};

        (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    }
    act_enter_some(actor);
}
