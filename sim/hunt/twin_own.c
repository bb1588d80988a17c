/* SPDX-License-Identifier: MIT */
/*
 * Twins: a thread on both sides of an endpoint, so that calls, and answers, come in runs. What they
 * are for stands in twin.h.
 */
#include "schema/generated/endpoint.capnp.h"
#include "sim/hunt/twin_inside.h"

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};

/* Receives and calls of a round. */
struct own_round {
    uint64_t ask[OWN_ASKS + 2 * OWN_CALLS]; /* receives; 0: it was not submitted */
    uint64_t call[OWN_CALLS];
    uint32_t asks;
    uint32_t calls;
};

static void own_ask(struct actor *actor, struct own_round *round)
{
    for (uint64_t count = 1 + actor_below(actor, OWN_ASKS); count != 0; count--) {
        struct piece result = twin_block(actor, true);
        struct sqe sqe = {.opcode = OPCODE_RECV,
                          .cap = {actor->own},
                          .result = (uintptr_t)result.bytes,
                          .result_bytes = BLOCK_LARGE_BYTES};

        round->ask[round->asks++] = actor_submit(actor, &sqe, &nothing, PIECE_NONE, result);
    }
}

static void own_call(struct actor *actor, struct own_round *round)
{
    uint64_t session = actor_below(actor, 4) == 0 ? 1 : 0;

    for (uint64_t count = 1 + actor_below(actor, OWN_CALLS); count != 0; count--) {
        uint64_t other = actor_below(actor, 12) == 0 ? 1 : 0; /* ends a run */
        struct model_edge edge = actor_cap(actor, INTERFACE + OWN + (session ^ other));
        struct piece message = {-1, actor->arena + SCRATCH_OFFSET + 640, 256};
        struct piece result = twin_block(actor, false);
        struct sqe sqe = {.opcode = OPCODE_CALL,
                          .message_bytes = 8 * (uint32_t)actor_below(actor, message.room / 8),
                          .cap = {edge.id},
                          .interface_id = edge.interface_id,
                          .message = (uintptr_t)message.bytes,
                          .result = (uintptr_t)result.bytes,
                          .result_bytes = result.room};

        if (actor_below(actor, 16) == 0) {
            twin_change(actor, &sqe);
        }
        round->call[round->calls++] = actor_submit(actor, &sqe, &nothing, message, result);
    }
}

/* How many of these are under way; of CALLs, those that nobody has received. */
static uint32_t own_waiting(const uint64_t *names, uint32_t count)
{
    uint32_t waiting = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct model_submission *submission = model_submission(names[i]);

        waiting += submission != NULL && submission->state == MODEL_TAKEN && submission->token == 0;
    }
    return waiting;
}

/* Enters, and waits until no call and no receive wait for each other. */
static void own_enter(struct actor *actor, const struct own_round *round)
{
    actor_enter(actor, 0, 0);
    while (own_waiting(round->call, round->calls) != 0 &&
           own_waiting(round->ask, round->asks) != 0 && !actor->broken) {
        actor_enter(actor, 1, TIMEOUT_NONE);
    }
}

/* Answers what was received, all at once, each with the next receive; false: nothing was. */
static bool own_answer(struct actor *actor, struct own_round *round)
{
    uint64_t tokens[LIMIT_TOKEN_SLOTS];
    uint64_t calls[LIMIT_TOKEN_SLOTS];
    uint32_t count = model_tokens(actor->pid, tokens, calls, LIMIT_TOKEN_SLOTS);

    for (uint32_t done = 0; done < count; done++) {
        uint32_t least = done;
        struct piece message = piece_small(actor);
        struct piece result = twin_block(actor, true);
        struct sqe sqe = {.opcode = OPCODE_RETURN_RECV,
                          .flags = actor_below(actor, 12) == 0 ? SQE_EXCEPTION : 0,
                          .cap = {actor->own},
                          .message = (uintptr_t)message.bytes,
                          .message_bytes = 8 * (uint32_t)actor_below(actor, 65),
                          .result = (uintptr_t)result.bytes,
                          .result_bytes = BLOCK_LARGE_BYTES};

        for (uint32_t i = done; i < count; i++) { /* whatever order the model has them in */
            least = tokens[i] < tokens[least] ? i : least;
        }
        sqe.token = tokens[least];
        tokens[least] = tokens[done];
        if (actor_below(actor, 24) == 0) {
            sqe.token ^= UINT64_C(1) << actor_below(actor, 64);
        } else if (actor_below(actor, 24) == 0) {
            sqe.opcode = OPCODE_RETURN;
            sqe.result = 0;
            sqe.result_bytes = 0;
            actor_give_back(actor, result);
            result = PIECE_NONE;
        }
        if (round->asks < ARRAY_COUNT(round->ask)) {
            round->ask[round->asks++] = actor_submit(actor, &sqe, &nothing, message, result);
        }
    }
    return count != 0;
}

void twin_own_round(struct actor *actor)
{
    struct own_round round = {.asks = 0};
    bool asks_first = actor_below(actor, 2) == 0;

    if (asks_first) {
        own_ask(actor, &round);
    }
    own_call(actor, &round);
    if (!asks_first) {
        own_ask(actor, &round);
    }
    own_enter(actor, &round);
    while (own_answer(actor, &round)) {
        own_enter(actor, &round);
    }
    for (uint32_t i = 0; i < round.asks; i++) {
        struct sqe sqe = {.opcode = OPCODE_CANCEL, .token = round.ask[i]};

        if (own_waiting(&round.ask[i], 1) != 0) {
            (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
        }
    }
    for (uint32_t i = 0; i < round.calls; i++) { /* more than were ever received */
        struct sqe sqe = {.opcode = OPCODE_CANCEL, .token = round.call[i]};

        if (own_waiting(&round.call[i], 1) != 0) {
            (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
        }
    }
    twin_wait(actor);
}
