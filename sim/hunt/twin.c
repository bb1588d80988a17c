/* SPDX-License-Identifier: MIT */
/*
 * Twins: what both programs do, and the client. What they are for stands in twin.h. The rest:
 *
 *   twin_own.c      the client serves an endpoint of its own, by runs
 *   twin_server.c   the server
 *   twin_compare.c  the comparison
 */
#include "sim/hunt/twin_inside.h"

#include <stdlib.h>
#include <string.h>

#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/null.capnp.h"
#include "schema/generated/process.capnp.h"
#include "sim/hunt/draft.h"

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};
static const struct model_intent object = {.ask = MODEL_ASK_OBJECT};

/* ---- what both do ---------------------------------------------------------------------------- */

uint64_t twin_mixed(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ b * UINT64_C(0xd6e8feb86659fd93)) + UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* A block for a result, with known bytes in it. */
struct piece twin_block(struct actor *actor, bool large)
{
    struct piece piece = large ? piece_large(actor) : piece_small(actor);

    if (piece.block >= 0) {
        memset(piece.bytes, FILL, piece.room);
    }
    return piece;
}

/* Waits as most programs do, for one completion and for ever, until nothing is under way. */
void twin_wait(struct actor *actor)
{
    while (actor->under_way != 0 && !actor->broken) {
        actor_enter(actor, 1, TIMEOUT_NONE);
    }
}

/* ---- setting up ------------------------------------------------------------------------------ */

static void object_call(struct actor *actor, uint64_t interface_id, uint8_t method,
                        struct draft *draft, const struct model_intent *intent)
{
    struct piece result = twin_block(actor, false);
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
    twin_wait(actor);
}

void twin_mint(struct actor *actor, uint64_t interface_id, uint64_t facet, uint64_t badge)
{
    struct model_intent intent = {.ask = MODEL_ASK_MINT,
                                  .interface_id = interface_id,
                                  .facet = facet,
                                  .badge = badge,
                                  .transfer = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    struct draft draft;

    draft_mint(&draft, piece_small(actor), &intent);
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
    twin_mint(actor, INTERFACE + OWN, UINT64_MAX, 0);
    twin_mint(actor, INTERFACE + OWN + 1, UINT64_MAX, 5);
}

static void set_up(struct actor *actor)
{
    struct sqe sqe = {.opcode = OPCODE_DELEGATE, .facet = UINT64_MAX};

    endpoint_make(actor);
    twin_mint(actor, INTERFACE, UINT64_MAX, 0);
    sqe.cap.raw = actor_cap(actor, INTERFACE).id;
    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    twin_wait(actor);
    twin_mint(actor, INTERFACE, UINT64_MAX, 7);
    twin_mint(actor, INTERFACE, 3, 0);
    twin_mint(actor, INTERFACE + 1, UINT64_MAX, 9);
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
void twin_change(struct actor *actor, struct sqe *sqe)
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
    struct piece result = twin_block(actor, server && actor_below(actor, 8) == 0);
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
        twin_change(actor, &sqe);
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
            twin_change(actor, &sqe);
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
    struct piece result = twin_block(actor, false);
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
        twin_change(actor, &sqe);
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
        twin_wait(actor);
        made[i] = actor->duplicate;
    }
    for (uint32_t i = 0; i < CHAIN; i++) {
        struct sqe release = {.opcode = OPCODE_RELEASE, .cap = {made[i]}};

        (void)actor_submit(actor, &release, &nothing, PIECE_NONE, PIECE_NONE);
    }
    actor->duplicate = 0;
    twin_wait(actor);
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
        twin_wait(actor);
    }
    for (uint32_t link = 0; link + 1 < CHAIN; link++) {
        bool release = releases > 1 || (releases == 1 && actor_below(actor, 2) == 0);
        struct sqe sqe = {.opcode = OPCODE_FINISH,
                          .flags = release ? SQE_RELEASE : 0,
                          .answer = CHAIN_ANSWER + link};

        (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    }
    twin_wait(actor);
}

static void client_round(struct actor *actor)
{
    uint64_t count = actor_below(actor, 2) == 0 ? 1 : 2 + actor_below(actor, BATCH_MAX - 1);

    if (actor_below(actor, 8) == 0) {
        quick_batch(actor);
        count = actor_below(actor, 3);
    }
    if (actor_below(actor, 6) == 0) {
        twin_wait(actor);
        chain_round(actor, actor_below(actor, 2) == 0);
        count = 0;
    }
    if (actor_below(actor, 6) == 0) {
        twin_wait(actor);
        twin_own_round(actor);
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
    twin_wait(actor);
}

static void client(struct actor *actor)
{
    set_up(actor);
    for (uint32_t i = 1; i <= hunt_options.steps; i++) {
        actor->random = twin_mixed(hunt_options.seed, i);
        client_round(actor);
    }
    while (!hunt_server_rests()) { /* it may have answered, and not asked for its next call */
        actor_enter(actor, 1, 1000);
    }
    hunt_state_tell();
    (void)rt_syscall_exit(0, EXIT_PROCESS);
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
        twin_server(&actor);
    } else {
        actor.last_name = &names[2];
        other(&actor);
    }
}
