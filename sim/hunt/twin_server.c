/* SPDX-License-Identifier: MIT */
/* Twins: the server, which has one receive under way. What they are for stands in twin.h. */
#include <string.h>

#include "schema/generated/endpoint.capnp.h"
#include "sim/hunt/twin_inside.h"

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};

/* Asks for the next call; `sqe` may return one before, as `intent` says. */
static void receive_with(struct actor *actor, struct sqe *sqe, struct piece message,
                         const struct model_intent *intent)
{
    struct piece result = twin_block(actor, true);

    sqe->result = (uintptr_t)result.bytes;
    sqe->result_bytes = BLOCK_LARGE_BYTES;
    actor->heard = 0;
    actor->listening = actor_submit(actor, sqe, intent, message, result);
}

static void receive(struct actor *actor, struct sqe *sqe, struct piece message)
{
    receive_with(actor, sqe, message, &nothing);
}

/* Returns `token` wrongly; the call stays. */
static void return_wrongly(struct actor *actor, uint64_t token)
{
    struct piece message = piece_small(actor);
    struct sqe sqe = {.opcode = OPCODE_RETURN_RECV,
                      .cap = {actor_cap(actor, ENDPOINT_INTERFACE_ID).id},
                      .token = token,
                      .message = (uintptr_t)message.bytes,
                      .message_bytes = 16};

    switch (actor_below(actor, 6)) {
    case 0:
        sqe.token ^= UINT64_C(1) << actor_below(actor, 64);
        break;
    case 1:
        sqe.message -= SCRATCH_OFFSET + LIMIT_ARENA_BYTES;
        break;
    case 2:
        sqe.flags = SQE_PROMISED;
        break;
    case 3:
        sqe.message_bytes = 12;
        break;
    case 4:
        sqe.cap.raw += UINT64_C(1) << CAP_SLOT_BITS;
        break;
    default:
        sqe.spare = 1;
        break;
    }
    receive(actor, &sqe, message);
    twin_wait(actor);
}

/* Answers a call of METHOD_PASS, and asks for the next. */
static void serve_passing(struct actor *actor, const struct endpoint_message *head)
{
    struct piece message = piece_small(actor);
    struct model_edge passed = actor_cap(actor, INTERFACE + PASSED);
    struct transfer transfer = {.cap = {passed.id}, .mode = TRANSFER_COPY, .path = {.step = {1}}};
    struct sqe sqe = {.opcode = OPCODE_RETURN_RECV,
                      .flags = actor_below(actor, 16) == 0 ? SQE_EXCEPTION : 0,
                      .transfers = 1,
                      .cap = {actor_cap(actor, ENDPOINT_INTERFACE_ID).id},
                      .token = head->token,
                      .message = (uintptr_t)message.bytes,
                      .message_bytes = 8 * (uint32_t)actor_below(actor, 8)};
    struct model_intent intent = {.ask = MODEL_ASK_NOTHING, .grants = 1};

    switch (actor_below(actor, 12)) {
    case 0:
        transfer.path.step[0] = 0;
        break;
    case 1:
        transfer.path.step[0] = 2;
        break;
    case 2:
        transfer.path.step[1] = 1;
        break;
    default:
        break;
    }
    intent.grant[0] = (struct model_grant){.id = passed.id, .path = transfer.path};
    memcpy(message.bytes + sqe.message_bytes, &transfer, sizeof(transfer));
    receive_with(actor, &sqe, message, &intent);
}

/* Answers the call that was heard, and asks for the next. */
static void serve(struct actor *actor, uint64_t token)
{
    uint64_t owner = actor_cap(actor, ENDPOINT_INTERFACE_ID).id;
    struct piece message = piece_small(actor);
    struct sqe sqe = {.opcode = OPCODE_RETURN_RECV,
                      .cap = {owner},
                      .token = token,
                      .message = (uintptr_t)message.bytes,
                      .message_bytes = 8 * (uint32_t)actor_below(actor, BLOCK_SMALL_BYTES / 8 + 1)};
    uint64_t way = actor_below(actor, 12);

    if (way == 0) {
        sqe.flags = SQE_EXCEPTION;
    } else if (way <= 2) { /* in two */
        struct sqe listen = {.opcode = OPCODE_RECV, .cap = {owner}};

        sqe.opcode = OPCODE_RETURN;
        (void)actor_submit(actor, &sqe, &nothing, message, PIECE_NONE);
        if (way == 1) {
            actor_enter(actor, 1, TIMEOUT_NONE);
        }
        receive(actor, &listen, PIECE_NONE);
        return;
    }
    receive(actor, &sqe, message);
}

void twin_server(struct actor *actor)
{
    struct sqe listen = {.opcode = OPCODE_RECV};

    twin_mint(actor, INTERFACE + PASSED, UINT64_MAX, 11);
    listen.cap.raw = actor_cap(actor, ENDPOINT_INTERFACE_ID).id;
    receive(actor, &listen, PIECE_NONE);
    for (;;) {
        struct endpoint_message head;
        const struct model_submission *heard;

        if (actor->under_way != 0) {
            actor_enter(actor, 1, TIMEOUT_NONE);
        }
        heard = model_submission(actor->heard);
        if (actor->listening != 0 || actor->broken) {
            continue;
        }
        if (heard == NULL || heard->token == 0) { /* refused, perhaps with its answer given */
            receive(actor, &listen, PIECE_NONE);
            continue;
        }
        memcpy(&head, (const void *)(uintptr_t)heard->sqe.result, sizeof(head));
        actor->random = twin_mixed(hunt_options.seed, head.token);
        if (actor_below(actor, 8) == 0) {
            return_wrongly(actor, head.token);
        }
        if (head.method == METHOD_PASS && head.result_bytes == BLOCK_SMALL_BYTES) {
            serve_passing(actor, &head);
        } else {
            serve(actor, head.token);
        }
    }
}
