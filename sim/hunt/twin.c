/* SPDX-License-Identifier: MIT */
/* Twins: the programs, and the comparison. What they are for stands in twin.h. */
#include "sim/hunt/twin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/null.capnp.h"
#include "schema/generated/process.capnp.h"
#include "sim/hunt/draft.h"

enum {
    SERVER_NAMES = MODEL_SUBMISSIONS / 4, /* names of the server's submissions begin here, */
    OTHER_NAMES = MODEL_SUBMISSIONS / 2,  /* and those of a program that is only in the way */
    CLIENTS = 5,                          /* edges to the endpoint that the client has */
    INTERFACE = 0x1000,
    BATCH_MAX = 10, /* submissions with blocks of their own */
    QUICK_BATCH = 40,
    FILL = 0xa5,
    CHAIN = 4,
    CHAIN_ANSWER = 2 << ANSWER_SLOT_BITS | 8, /* ids of its answers, from here on */
    METHOD_PASS = 6, /* the server answers with a capability for the next call, if there is room */
    PASSED = 2,      /* interface of that, from INTERFACE */
    OWN = 3,         /* and of two edges to the client's own endpoint */
    OWN_CALLS = 14,  /* at once, most, there, */
    OWN_ASKS = 9,    /* and receives */
};

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};
static const struct model_intent object = {.ask = MODEL_ASK_OBJECT};

/* ---- what both do ---------------------------------------------------------------------------- */

static uint64_t mixed(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ b * UINT64_C(0xd6e8feb86659fd93)) + UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* A block for a result, with known bytes in it. */
static struct piece result_block(struct actor *actor, bool large)
{
    struct piece piece = large ? piece_large(actor) : piece_small(actor);

    if (piece.block >= 0) {
        memset(piece.bytes, FILL, piece.room);
    }
    return piece;
}

/* Waits as most programs do, for one completion and for ever, until nothing is under way. */
static void wait_for_all(struct actor *actor)
{
    while (actor->under_way != 0 && !actor->broken) {
        actor_enter(actor, 1, TIMEOUT_NONE);
    }
}

/* ---- setting up ------------------------------------------------------------------------------ */

static void object_call(struct actor *actor, uint64_t interface_id, uint8_t method,
                        struct draft *draft, const struct model_intent *intent)
{
    struct piece result = result_block(actor, false);
    struct sqe sqe = {.opcode = OPCODE_CALL,
                      .method = method,
                      .message_bytes = draft_bytes(draft),
                      .cap = {actor->own != 0 && interface_id == ENDPOINT_INTERFACE_ID
                                  ? actor->own
                                  : actor_cap(actor, interface_id).id},
                      .interface_id = interface_id,
                      .message = (uintptr_t)draft->piece.bytes,
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = result.room};

    for (uint32_t i = 0; i < intent->grants; i++) {
        struct transfer transfer = {.cap = {intent->grant[i].id}, .mode = TRANSFER_COPY};

        memcpy(draft->piece.bytes + sqe.message_bytes + i * sizeof(transfer), &transfer,
               sizeof(transfer));
        sqe.transfers++;
    }
    (void)actor_submit(actor, &sqe, intent, draft->piece, result);
    wait_for_all(actor);
}

static void mint(struct actor *actor, uint64_t interface_id, uint64_t facet, uint64_t badge)
{
    struct model_intent intent = {.ask = MODEL_ASK_MINT,
                                  .interface_id = interface_id,
                                  .facet = facet,
                                  .badge = badge,
                                  .transfer = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    struct endpoint_mint_params_builder params;
    struct draft draft;

    params = endpoint_mint_params_init(draft_begin(&draft, piece_small(actor)));
    endpoint_mint_params_set_interface_id(params, interface_id);
    facet_write(endpoint_mint_params_init_facet(params), facet);
    endpoint_mint_params_set_badge(params, badge);
    endpoint_mint_params_set_transfer_mode(params, AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE);
    object_call(actor, ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_MINT, &draft, &intent);
}

static void spawn(struct actor *actor, const char *name, uint64_t grant)
{
    struct model_intent intent = {.ask = MODEL_ASK_SPAWN, .grants = 1, .grant = {{.id = grant}}};
    struct process_spawn_request_builder request;
    struct process_spawn_grant_builder_list grants;
    struct authority_quotas_builder quotas;
    struct draft draft;

    request = process_spawner_spawn_params_init_request(
        process_spawner_spawn_params_init(draft_begin(&draft, piece_large(actor))));
    process_spawn_request_set_name(request, (struct capn_text){name, (uint32_t)strlen(name)});
    process_spawn_request_image_set_boot_binary(process_spawn_request_init_image(request), 0);
    quotas = process_spawn_request_init_quotas(request);
    authority_quotas_set_slots(quotas, 200);
    authority_quotas_set_frames(quotas, 400);
    authority_quotas_set_ring_bytes(quotas, 512 * 1024);
    authority_quotas_set_endpoint_queue(quotas, 64);
    authority_quotas_set_outstanding_calls(quotas, 64);
    authority_quotas_set_scratch_bytes(quotas, 40 * 1024);
    authority_quotas_set_threads(quotas, 2);
    authority_quotas_set_log_bytes(quotas, 1024);
    authority_quotas_set_grant_nodes(quotas, 16);
    authority_quotas_set_cpu_permille(quotas, 100);
    grants = process_spawn_request_init_grants(request, 1);
    process_spawn_grant_set_name(process_spawn_grant_list_edit(grants, 0),
                                 (struct capn_text){"g", 1});
    process_spawn_grant_set_capability(process_spawn_grant_list_edit(grants, 0), 0);
    object_call(actor, PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_SPAWN, &draft, &intent);
    if (actor_cap(actor, PROCESS_HANDLE_INTERFACE_ID).id == 0) {
        model_disagree("a twin has no server");
    }
}

static void endpoint_make(struct actor *actor)
{
    static const struct model_intent create = {.ask = MODEL_ASK_CREATE};
    struct draft draft;

    (void)endpoint_factory_create_params_init(draft_begin(&draft, piece_small(actor)));
    object_call(actor, ENDPOINT_FACTORY_INTERFACE_ID, ENDPOINT_FACTORY_METHOD_CREATE, &draft,
                &create);
}

/* An endpoint that the client serves itself, with a plain edge to it and a session. */
static void set_up_own(struct actor *actor)
{
    static struct model_edge edges[LIMIT_TABLE_SLOTS];
    uint64_t others = actor_cap(actor, ENDPOINT_INTERFACE_ID).id;
    uint32_t count;

    endpoint_make(actor);
    count = model_edges(actor->pid, edges, LIMIT_TABLE_SLOTS);
    for (uint32_t i = 0; i < count; i++) {
        if (edges[i].interface_id == ENDPOINT_INTERFACE_ID && edges[i].id != others) {
            actor->own = edges[i].id;
        }
    }
    mint(actor, INTERFACE + OWN, UINT64_MAX, 0);
    mint(actor, INTERFACE + OWN + 1, UINT64_MAX, 5);
}

static void set_up(struct actor *actor)
{
    struct sqe sqe = {.opcode = OPCODE_DELEGATE, .facet = UINT64_MAX};

    endpoint_make(actor);
    mint(actor, INTERFACE, UINT64_MAX, 0);
    sqe.cap.raw = actor_cap(actor, INTERFACE).id;
    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    wait_for_all(actor);
    mint(actor, INTERFACE, UINT64_MAX, 7);
    mint(actor, INTERFACE, 3, 0);
    mint(actor, INTERFACE + 1, UINT64_MAX, 9);
    spawn(actor, "s1", actor_cap(actor, ENDPOINT_INTERFACE_ID).id);
    while (!hunt_server_rests()) { /* objects are named in the order in which they are made */
        actor_enter(actor, 1, 1000);
    }
    if (hunt_options.seed % 3 == 0) {
        spawn(actor, "o1", actor_cap(actor, NULL_OBJECT_INTERFACE_ID).id);
    }
    set_up_own(actor);
}

/* ---- the client ------------------------------------------------------------------------------ */

/* One of the client's edges to the server. */
static struct model_edge server_edge(struct actor *actor)
{
    static struct model_edge edges[LIMIT_TABLE_SLOTS];
    uint32_t count = model_edges(actor->pid, edges, LIMIT_TABLE_SLOTS);
    uint32_t choice = (uint32_t)actor_below(actor, CLIENTS);

    choice = actor_below(actor, 2) == 0 ? 0 : choice; /* mostly the plainest */
    for (uint32_t i = 0; i < count; i++) {
        if (edges[i].interface_id >= INTERFACE && edges[i].interface_id <= INTERFACE + 1 &&
            choice-- == 0) {
            return edges[i];
        }
    }
    return (struct model_edge){.id = 0};
}

/* One thing about a usual entry is changed. What it says stays a matter of this process alone. */
static void change(struct actor *actor, struct sqe *sqe)
{
    switch (actor_below(actor, 14)) {
    case 0:
        sqe->interface_id ^= UINT64_C(1) << 63;
        break;
    case 1:
        sqe->method = (uint8_t)actor_below(actor, 256);
        break;
    case 2:
        sqe->cap.raw += UINT64_C(1) << CAP_SLOT_BITS;
        break;
    case 3:
        sqe->cap.raw = actor_draw(actor);
        break;
    case 4:
        sqe->result_bytes = (uint32_t)actor_below(actor, LIMIT_ANSWER_ROOM + 1);
        break;
    case 5:
        sqe->result += 4;
        sqe->result_bytes -= 8;
        break;
    case 6:
        sqe->result = 0;
        break;
    case 7:
        sqe->message -= SCRATCH_OFFSET + LIMIT_ARENA_BYTES;
        break;
    case 8:
        sqe->message_bytes += 1 + (uint32_t)actor_below(actor, 7);
        break;
    case 9:
        /* Too large for the endpoint: one that fits would reach into other blocks, and what is read
         * there depends on when. */
        sqe->message_bytes = BLOCK_LARGE_BYTES + 8 * (uint32_t)actor_below(actor, 1 << 14);
        break;
    case 10:
        sqe->spare = UINT64_C(1) << actor_below(actor, 64);
        break;
    case 11:
        sqe->flags = (uint8_t)(1U << actor_below(actor, 8));
        break;
    case 12:
        sqe->result_bytes = 0;
        break;
    default:
        sqe->answer = 256 + (uint32_t)actor_below(actor, 4);
        break;
    }
}

static void submit_call(struct actor *actor, bool server)
{
    struct model_edge edge =
        server ? server_edge(actor) : actor_cap(actor, NULL_OBJECT_INTERFACE_ID);
    struct piece message = piece_small(actor);
    struct piece result = result_block(actor, server && actor_below(actor, 8) == 0);
    struct sqe sqe = {.opcode = OPCODE_CALL,
                      .cap = {edge.id},
                      .interface_id = edge.interface_id,
                      .message = (uintptr_t)message.bytes,
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = result.room};

    if (message.block < 0 || result.block < 0) {
        actor_give_back(actor, message);
        actor_give_back(actor, result);
        return;
    }
    if (server) {
        sqe.method = (uint8_t)(actor_below(actor, 4) == 0 ? actor_below(actor, 5) : 0);
        sqe.message_bytes = 8 * (uint32_t)actor_below(actor, BLOCK_SMALL_BYTES / 8 + 1);
    } else {
        struct draft draft;

        (void)null_object_nothing_params_init(draft_begin(&draft, message));
        sqe.message_bytes = draft_bytes(&draft);
    }
    if (actor_below(actor, 4) == 0) {
        change(actor, &sqe);
    }
    (void)actor_submit(actor, &sqe, server ? &nothing : &object, message, result);
}

/* An entry of another opcode that concerns this process alone. */
static void submit_other(struct actor *actor)
{
    struct sqe sqe = {.opcode = OPCODE_NOP};
    struct model_edge edge = actor_cap(actor, 0);

    switch (actor_below(actor, 8)) {
    case 0:
    case 1:
        sqe.opcode = OPCODE_DUP;
        sqe.cap.raw = edge.id;
        sqe.facet = actor_below(actor, 2) == 0 ? UINT64_MAX : actor_below(actor, 4);
        sqe.flags = actor_below(actor, 4) == 0 ? SQE_WINDOW : 0;
        break;
    case 2:
    case 3: /* mostly what was made last, which no act before it needs */
        sqe.opcode = OPCODE_RELEASE;
        sqe.cap.raw = actor->duplicate;
        actor->duplicate = 0;
        break;
    case 4:
        sqe.opcode = OPCODE_PARK;
        sqe.address = (uintptr_t)actor->arena + SCRATCH_OFFSET + actor_below(actor, 3) * 4;
        sqe.value = 1 + (uint32_t)actor_below(actor, 2);
        sqe.timeout_ns = 1;
        break;
    case 5:
        sqe.opcode = OPCODE_UNPARK;
        sqe.address = (uintptr_t)actor->arena + SCRATCH_OFFSET;
        sqe.value = (uint32_t)actor_below(actor, 3);
        break;
    case 6:
        sqe.opcode = OPCODE_TOKEN;
        sqe.slot = (uint32_t)actor_below(actor, 24);
        sqe.interface_id = edge.interface_id;
        break;
    default:
        break;
    }
    if (actor_below(actor, 8) == 0) {
        sqe.spare = actor_below(actor, 2);
        sqe.cap.raw ^= actor_below(actor, 2) << CAP_SLOT_BITS;
    }
    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
}

/* Many usual entries at once, which share a message and a result. */
static void quick_batch(struct actor *actor)
{
    uint64_t count = 1 + actor_below(actor, QUICK_BATCH);
    struct piece message = {-1, actor->arena + SCRATCH_OFFSET + 64, 64};
    struct piece result = {-1, actor->arena + SCRATCH_OFFSET + 128, 512};
    struct draft draft;

    (void)null_object_nothing_params_init(draft_begin(&draft, message));
    for (uint64_t i = 0; i < count; i++) {
        struct sqe sqe = {.opcode = OPCODE_CALL,
                          .message_bytes = draft_bytes(&draft),
                          .cap = {actor_cap(actor, NULL_OBJECT_INTERFACE_ID).id},
                          .interface_id = NULL_OBJECT_INTERFACE_ID,
                          .message = (uintptr_t)message.bytes,
                          .result = (uintptr_t)result.bytes,
                          .result_bytes = LIMIT_ANSWER_ROOM};

        if (actor_below(actor, 16) == 0) {
            change(actor, &sqe);
        }
        (void)actor_submit(actor, &sqe, &object, message, result);
    }
}

/* One call of a chain, promised from the answer of the one before but the first. */
static bool chain_link(struct actor *actor, bool server, uint32_t link)
{
    struct model_edge edge =
        server ? server_edge(actor) : actor_cap(actor, NULL_OBJECT_INTERFACE_ID);
    struct piece message = piece_small(actor);
    struct piece result = result_block(actor, false);
    struct draft draft;
    struct sqe sqe = {.opcode = OPCODE_CALL,
                      .method = server ? METHOD_PASS : NULL_OBJECT_METHOD_NEXT,
                      .cap = {edge.id},
                      .interface_id = edge.interface_id,
                      .message = (uintptr_t)message.bytes,
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = result.room};

    if (message.block < 0 || result.block < 0) {
        actor_give_back(actor, message);
        actor_give_back(actor, result);
        return false;
    }
    (void)null_object_nothing_params_init(draft_begin(&draft, message));
    sqe.message_bytes = draft_bytes(&draft);
    if (link != 0) {
        sqe.flags = SQE_PROMISED;
        sqe.interface_id = server ? INTERFACE + PASSED : NULL_OBJECT_INTERFACE_ID;
        sqe.promise = (struct promise){CHAIN_ANSWER + link - 1, {.step = {1}}};
    }
    if (link + 1 == CHAIN) {
        sqe.method = 0;
    } else {
        sqe.answer = CHAIN_ANSWER + link;
    }
    if (actor_below(actor, 24) == 0) {
        change(actor, &sqe);
    }
    return actor_submit(actor, &sqe, server ? &nothing : &object, message, result) != 0;
}

/* Leaves as many free slots as a chain needs: then their order does not depend on when the edges
 * that its answers bring are given up. */
static void slots_free(struct actor *actor)
{
    struct sqe sqe = {.opcode = OPCODE_DUP, .cap = {actor_cap(actor, 0).id}, .facet = UINT64_MAX};
    uint64_t made[CHAIN];

    for (uint32_t i = 0; i < CHAIN; i++) {
        (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
        wait_for_all(actor);
        made[i] = actor->duplicate;
    }
    for (uint32_t i = 0; i < CHAIN; i++) {
        struct sqe release = {.opcode = OPCODE_RELEASE, .cap = {made[i]}};

        (void)actor_submit(actor, &release, &nothing, PIECE_NONE, PIECE_NONE);
    }
    actor->duplicate = 0;
    wait_for_all(actor);
}

/* A chain of calls in one submission, and what has been kept is finished, now or when all is there.
 */
static void chain_round(struct actor *actor, bool server)
{
    bool later = actor_below(actor, 4) == 0;
    uint64_t releases = actor_below(actor, 4); /* 0: none of them */

    if (releases != 0) {
        slots_free(actor);
    }
    for (uint32_t link = 0; link < CHAIN && chain_link(actor, server, link); link++) {
    }
    if (later) {
        wait_for_all(actor);
    }
    for (uint32_t link = 0; link + 1 < CHAIN; link++) {
        bool release = releases > 1 || (releases == 1 && actor_below(actor, 2) == 0);
        struct sqe sqe = {.opcode = OPCODE_FINISH,
                          .flags = release ? SQE_RELEASE : 0,
                          .answer = CHAIN_ANSWER + link};

        (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    }
    wait_for_all(actor);
}

/* ---- both sides of an endpoint in one thread: runs of calls, and of answers --------------------
 */

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
        struct piece result = result_block(actor, true);
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
        struct piece result = result_block(actor, false);
        struct sqe sqe = {.opcode = OPCODE_CALL,
                          .message_bytes = 8 * (uint32_t)actor_below(actor, message.room / 8),
                          .cap = {edge.id},
                          .interface_id = edge.interface_id,
                          .message = (uintptr_t)message.bytes,
                          .result = (uintptr_t)result.bytes,
                          .result_bytes = result.room};

        if (actor_below(actor, 16) == 0) {
            change(actor, &sqe);
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
        struct piece result = result_block(actor, true);
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

static void own_round(struct actor *actor)
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
    wait_for_all(actor);
}

static void client_round(struct actor *actor)
{
    uint64_t count = actor_below(actor, 2) == 0 ? 1 : 2 + actor_below(actor, BATCH_MAX - 1);

    if (actor_below(actor, 8) == 0) {
        quick_batch(actor);
        count = actor_below(actor, 3);
    }
    if (actor_below(actor, 6) == 0) {
        wait_for_all(actor);
        chain_round(actor, actor_below(actor, 2) == 0);
        count = 0;
    }
    if (actor_below(actor, 6) == 0) {
        wait_for_all(actor);
        own_round(actor);
        count = 0;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t kind = actor_below(actor, 8);

        if (kind < 6) {
            submit_call(actor, kind < 4);
        } else {
            submit_other(actor);
        }
    }
    wait_for_all(actor);
}

static void client(struct actor *actor)
{
    set_up(actor);
    for (uint32_t i = 1; i <= hunt_options.steps; i++) {
        actor->random = mixed(hunt_options.seed, i);
        client_round(actor);
    }
    while (!hunt_server_rests()) { /* it may have answered, and not asked for its next call */
        actor_enter(actor, 1, 1000);
    }
    hunt_state_tell();
    (void)rt_syscall_exit(0, EXIT_PROCESS);
}

/* ---- the server ------------------------------------------------------------------------------ */

/* Asks for the next call; `sqe` may return one before, as `intent` says. */
static void receive_with(struct actor *actor, struct sqe *sqe, struct piece message,
                         const struct model_intent *intent)
{
    struct piece result = result_block(actor, true);

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
    wait_for_all(actor);
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

static void server(struct actor *actor)
{
    struct sqe listen = {.opcode = OPCODE_RECV};

    mint(actor, INTERFACE + PASSED, UINT64_MAX, 11);
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
        actor->random = mixed(hunt_options.seed, head.token);
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

/* Takes the CPU now and then, so that a switch has somebody to look at. */
static void other(struct actor *actor)
{
    for (uint32_t i = 0; i < hunt_options.steps * 2; i++) {
        struct sqe sqe = {.opcode = OPCODE_NOP};

        (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
        actor_enter(actor, 2, 1 + (i * 7919) % 3000);
    }
    (void)rt_syscall_exit(0, EXIT_PROCESS);
}

void twin_actor(const struct start_info *start)
{
    static uint64_t names[3] = {0, SERVER_NAMES, OTHER_NAMES};
    struct actor actor;

    actor_open(&actor, start);
    if (start->pid == 1) {
        actor.last_name = &names[0];
        client(&actor);
    } else if (start->process_name[0] == 's') {
        actor.last_name = &names[1];
        server(&actor);
    } else {
        actor.last_name = &names[2];
        other(&actor);
    }
}

/* ---- the comparison -------------------------------------------------------------------------- */

void twin_note(const struct cqe *cqe, const uint8_t *block, uint32_t block_bytes)
{
    struct hunt_twin *twin = &hunt_report->twin;
    uint64_t hash = 0;

    if (cqe->user_data >= OTHER_NAMES) {
        return;
    }
    for (uint32_t i = 0; block != NULL && i + sizeof(hash) <= block_bytes; i += sizeof(hash)) {
        uint64_t word;

        memcpy(&word, block + i, sizeof(word));
        hash = mixed(hash, word);
    }
    twin->completion[cqe->user_data] = (struct hunt_twin_completion){
        .done = twin->completion[cqe->user_data].done + 1, .cqe = *cqe, .hash = hash};
}

void twin_state(uint64_t name, uint64_t value)
{
    struct hunt_twin *twin = &hunt_report->twin;

    if (twin->state_count < HUNT_TWIN_STATES) {
        twin->state[twin->state_count++] = (struct hunt_twin_state){name, value};
    }
}

static bool completions_differ(const struct hunt_twin *one, const struct hunt_twin *other)
{
    for (uint32_t i = 0; i < HUNT_TWIN_NAMES; i++) {
        const struct hunt_twin_completion *a = &one->completion[i];
        const struct hunt_twin_completion *b = &other->completion[i];

        if (memcmp(a, b, sizeof(*a)) != 0) {
            (void)snprintf(hunt_report->text, HUNT_TEXT,
                           "submission %u: short way %d flags %x word %" PRIx64 " bytes %" PRIx64
                           " (%" PRIu64 " times), long way %d flags %x word %" PRIx64
                           " bytes %" PRIx64 " (%" PRIu64 " times)",
                           i, a->cqe.result, a->cqe.flags, a->cqe.cap[1].raw, a->hash, a->done,
                           b->cqe.result, b->cqe.flags, b->cqe.cap[1].raw, b->hash, b->done);
            return true;
        }
    }
    return false;
}

static bool states_differ(const struct hunt_twin *one, const struct hunt_twin *other)
{
    if (one->state_count != other->state_count) {
        (void)snprintf(hunt_report->text, HUNT_TEXT,
                       "%u words of state by the short way, %u by the "
                       "long way",
                       one->state_count, other->state_count);
        return true;
    }
    for (uint32_t i = 0; i < one->state_count; i++) {
        if (memcmp(&one->state[i], &other->state[i], sizeof(one->state[i])) != 0) {
            (void)snprintf(hunt_report->text, HUNT_TEXT,
                           "state %u: short way %" PRIx64 " is %" PRIx64 ", long way %" PRIx64
                           " is %" PRIx64,
                           i, one->state[i].name, one->state[i].value, other->state[i].name,
                           other->state[i].value);
            return true;
        }
    }
    return false;
}

bool twin_run(const struct hunt_options *options)
{
    static struct hunt_twin one;
    struct hunt_options run = *options;

    run.twin = true;
    run.cpus = options->cpus != 0 ? options->cpus : 1 + (unsigned)(options->seed / 2 % 2);
    run.way = HUNT_WAY_SHORT;
    hunt_run(&run);
    if (hunt_failed()) {
        return false;
    }
    one = hunt_report->twin;
    run.way = HUNT_WAY_LONG;
    hunt_run(&run);
    if (hunt_failed()) {
        return false;
    }
    if (completions_differ(&one, &hunt_report->twin) || states_differ(&one, &hunt_report->twin)) {
        hunt_report->disagreed = true;
        hunt_report->end = HOST_END_FAILURE;
        return false;
    }
    return true;
}
