/* SPDX-License-Identifier: MIT */
/*
 * What a program of the hunt may do next: valid submissions of every opcode and every kernel
 * object, and hostile ones. Each act draws what it needs from the actor and ends by entering the
 * kernel, mostly.
 */
#include <stdio.h>
#include <string.h>

#include "schema/generated/capability.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/memory.capnp.h"
#include "schema/generated/null.capnp.h"
#include "schema/generated/process.capnp.h"
#include "schema/generated/thread.capnp.h"
#include "sim/hunt/draft.h"

enum {
    SPAWN_GRANTS_MAX = 6,
    INTERFACES = 3, /* that clients' edges have */
    INTERFACE_FIRST = 0x1000,
    TIMEOUT_SHORT_NS = 20 * 1000,
    MEMORY_PAGES = 6, /* few, so that threads meet there */
};

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};
static const struct model_intent object = {.ask = MODEL_ASK_OBJECT};

static unsigned lives; /* processes that were asked for */

/* ---- helpers --------------------------------------------------------------------------------- */

void act_enter_some(struct actor *actor)
{
    uint64_t way = actor_below(actor, 10);

    /* As most programs wait, which is what the kernel's short ways are for. The first thread of all
     * must not wait for ever. */
    if (way == 1 && actor->under_way != 0 && actor->thread != hunt_thread_name(1, 1)) {
        actor_enter(actor, 1, TIMEOUT_NONE);
        return;
    }
    switch (way) {
    case 0:
        break; /* a batch: the next act's enter takes this along */
    case 8:    /* gives way */
        actor_enter(actor, LIMIT_CQ_ENTRIES, 1 + actor_below(actor, TIMEOUT_SHORT_NS));
        break;
    case 1:
    case 2:
        actor_enter(actor, 1, 1 + actor_below(actor, TIMEOUT_SHORT_NS));
        break;
    case 3:
        actor_enter(actor, 1 + actor_below(actor, 6), 1 + actor_below(actor, TIMEOUT_SHORT_NS));
        break;
    default:
        actor_enter(actor, 0, 0);
        break;
    }
}

struct target {
    uint64_t id;
    uint64_t interface_id;
    uint8_t method;
};

/* A page of the memory that act_memory maps and unmaps. */
static uint64_t memory_page(struct actor *actor)
{
    uint64_t window = actor->start->ring & UINT64_C(0xfff00000000);

    return window + UINT64_C(0x200000000000) + actor_below(actor, MEMORY_PAGES) * LIMIT_PAGE_BYTES;
}

/* A CALL on a kernel object with `transfers` descriptors. */
static void call_object(struct actor *actor, struct target target, struct draft *draft,
                        const struct model_intent *intent, const uint64_t *transfers,
                        uint8_t transfer_count)
{
    struct piece result = draft->piece.block < 0 ? PIECE_NONE : piece_small(actor);
    uint32_t bytes = draft_bytes(draft);
    struct sqe sqe = {.opcode = OPCODE_CALL,
                      .method = target.method,
                      .transfers = transfer_count,
                      .message_bytes = bytes,
                      .cap = {target.id},
                      .interface_id = target.interface_id,
                      .message = (uintptr_t)draft->piece.bytes,
                      .result = (uintptr_t)result.bytes,
                      .result_bytes = BLOCK_SMALL_BYTES};

    if (target.id == 0 && actor_below(actor, 16) != 0) { /* nothing to call: seldom worth trying */
        actor_give_back(actor, draft->piece);
        actor_give_back(actor, result);
        return;
    }
    if (draft->piece.block < 0) { /* shared scratch: what it says by then is anybody's guess */
        actor_enter(actor, 1, TIMEOUT_SHORT_NS);
        return;
    }
    for (uint8_t i = 0; i < transfer_count; i++) {
        struct transfer transfer = {.cap = {transfers[i]}, .mode = TRANSFER_COPY};

        memcpy(draft->piece.bytes + bytes + i * sizeof(transfer), &transfer, sizeof(transfer));
    }
    if (actor_below(actor, 8) == 0) { /* outside the arena, where it may go away */
        sqe.result = memory_page(actor) + LIMIT_PAGE_BYTES - actor_below(actor, 64) * 8;
        result.bytes = NULL;
    }
    (void)actor_submit(actor, &sqe, intent, draft->piece, result);
    act_enter_some(actor);
}

uint64_t act_draw_facet(struct actor *actor)
{
    switch (actor_below(actor, 4)) {
    case 0:
        return actor_draw(actor) & 7;
    case 1:
        return 1;
    default:
        return UINT64_MAX;
    }
}

uint64_t act_draw_id(struct actor *actor)
{
    uint64_t stale;

    switch (actor_below(actor, 6)) {
    case 0:
        return actor_draw(actor);
    case 1:
    case 2:
        stale = model_stale_id(actor->pid, actor_draw(actor));
        return stale != 0 ? stale : actor_draw(actor);
    case 3: /* a slot's next generation, which nobody was given */
        stale = actor_below(actor, 2) == 0 ? model_stale_id(actor->pid, actor_draw(actor)) : 0;
        return (stale != 0 ? stale : actor_cap(actor, 0).id) + (UINT64_C(1) << CAP_SLOT_BITS);
    default:
        return actor_cap(actor, 0).id;
    }
}

/* ---- kernel objects -------------------------------------------------------------------------- */

static void act_nop(struct actor *actor)
{
    uint64_t count = 1 + actor_below(actor, 8);

    for (uint64_t i = 0; i < count; i++) {
        struct sqe sqe = {.opcode = OPCODE_NOP};

        (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    }
    if (actor_below(actor, 4) == 0 && !actor->broken) {
        actor_enter(actor, 1, TIMEOUT_NONE); /* those complete at once: waiting for ever is safe */
    }
    act_enter_some(actor);
}

static void act_null(struct actor *actor)
{
    struct target target = {actor_cap(actor, NULL_OBJECT_INTERFACE_ID).id, NULL_OBJECT_INTERFACE_ID,
                            (uint8_t)actor_below(actor, 3)};
    struct draft draft;

    (void)null_object_nothing_params_init(draft_begin(&draft, piece_small(actor)));
    call_object(actor, target, &draft, &object, NULL, 0);
}

static void act_create(struct actor *actor)
{
    struct target target = {actor_cap(actor, ENDPOINT_FACTORY_INTERFACE_ID).id,
                            ENDPOINT_FACTORY_INTERFACE_ID, ENDPOINT_FACTORY_METHOD_CREATE};
    struct model_intent intent = {.ask = MODEL_ASK_CREATE};
    struct draft draft;

    (void)endpoint_factory_create_params_init(draft_begin(&draft, piece_small(actor)));
    call_object(actor, target, &draft, &intent, NULL, 0);
}

static void act_mint(struct actor *actor)
{
    struct target target = {actor_cap(actor, ENDPOINT_INTERFACE_ID).id, ENDPOINT_INTERFACE_ID,
                            ENDPOINT_METHOD_MINT};
    struct model_intent intent = {.ask = MODEL_ASK_MINT,
                                  .interface_id = INTERFACE_FIRST + actor_below(actor, INTERFACES),
                                  .facet = act_draw_facet(actor),
                                  .badge = actor_below(actor, 5),
                                  .transfer = (uint32_t)actor_below(actor, 6)};
    struct endpoint_mint_params_builder params;
    struct draft draft;

    params = endpoint_mint_params_init(draft_begin(&draft, piece_small(actor)));
    endpoint_mint_params_set_interface_id(params, intent.interface_id);
    facet_write(endpoint_mint_params_init_facet(params), intent.facet);
    endpoint_mint_params_set_badge(params, intent.badge);
    endpoint_mint_params_set_transfer_mode(params, (enum authority_transfer_mode)intent.transfer);
    call_object(actor, target, &draft, &intent, NULL, 0);
}

static void act_endpoint_info(struct actor *actor)
{
    struct target target = {actor_cap(actor, ENDPOINT_INTERFACE_ID).id, ENDPOINT_INTERFACE_ID,
                            ENDPOINT_METHOD_INFO};
    struct draft draft;

    (void)endpoint_info_params_init(draft_begin(&draft, piece_small(actor)));
    call_object(actor, target, &draft, &object, NULL, 0);
}

/* The grants of a spawn: some of what this process holds, whether it may grant it or not. */
static uint8_t spawn_grants(struct actor *actor, struct process_spawn_request_builder request,
                            struct model_intent *intent, uint64_t *transfers)
{
    uint8_t count = (uint8_t)actor_below(actor, SPAWN_GRANTS_MAX + 1);
    struct process_spawn_grant_builder_list list =
        process_spawn_request_init_grants(request, count);

    for (uint8_t i = 0; i < count; i++) {
        struct process_spawn_grant_builder grant = process_spawn_grant_list_edit(list, i);
        struct model_edge edge = actor_cap(actor, 0);
        uint32_t mode =
            edge.grantable == 0 && actor_below(actor, 8) != 0 ? 0 : (uint32_t)actor_below(actor, 3);
        char name[8];

        /* Mostly what may be granted, or every spawn would be refused. */
        for (unsigned tries = 0; tries < 4 && edge.grantable == 0; tries++) {
            edge = actor_cap(actor, 0);
        }
        (void)snprintf(name, sizeof(name), "g%u", i);
        process_spawn_grant_set_name(grant, (struct capn_text){name, (uint32_t)strlen(name)});
        process_spawn_grant_set_capability(grant, i);
        process_spawn_grant_set_transfer_mode(grant, (enum authority_transfer_mode)mode);
        intent->grant[i] = (struct model_grant){.id = edge.id, .transfer = mode};
        if (actor_below(actor, 4) == 0) {
            intent->grant[i].narrowed = true;
            intent->grant[i].facet = act_draw_facet(actor);
            if (actor_below(actor, 4) != 0) { /* else perhaps wider than the source */
                intent->grant[i].facet &= edge.facet;
            }
            facet_write(process_spawn_grant_init_facet(grant), intent->grant[i].facet);
        }
        transfers[i] = edge.id;
    }
    intent->grants = count;
    return count;
}

/* Of each thing some, seldom none of one; a factor for children that have children. */
static void spawn_quotas(struct actor *actor, struct authority_quotas_builder quotas)
{
    uint32_t factor = 1U << actor_below(actor, 4);
    uint64_t none = actor_below(actor, 80);

    authority_quotas_set_slots(quotas, none == 0 ? 0 : 24 * factor);
    authority_quotas_set_frames(quotas, none == 1 ? 5 : 120 * factor);
    authority_quotas_set_ring_bytes(quotas, none == 2 ? 0 : 160 * 1024 * factor);
    authority_quotas_set_endpoint_queue(quotas, none == 3 ? 0 : 256 * factor);
    authority_quotas_set_outstanding_calls(quotas, none == 4 ? 0 : 64 * factor);
    authority_quotas_set_scratch_bytes(quotas, none == 5 ? 0 : 40 * 1024 * factor);
    authority_quotas_set_threads(quotas, none == 6 ? 0 : factor);
    authority_quotas_set_log_bytes(quotas, none == 7 ? 0 : 256 * factor);
    authority_quotas_set_grant_nodes(quotas, none == 8 ? 0 : 16 * factor);
    authority_quotas_set_cpu_permille(quotas, (uint16_t)(none == 9 ? 0 : 10 * factor));
}

/* Mostly the priority of all, now and then less; and a budget, now and then a wrong one. */
static void spawn_scheduling(struct actor *actor, struct scheduling_parameters_builder parameters)
{
    uint64_t budget_ns = 80 * 1000 + actor_below(actor, 400 * 1000);

    scheduling_parameters_set_priority(
        parameters, (uint8_t)(actor_below(actor, 4) == 0 ? actor_below(actor, 10) : 8));
    if (actor_below(actor, 2) == 0) {
        scheduling_parameters_set_budget_ns(parameters, budget_ns);
        scheduling_parameters_set_period_ns(parameters, budget_ns * (1 + actor_below(actor, 4)));
    }
}

static void act_spawn(struct actor *actor)
{
    struct target target = {actor_cap(actor, PROCESS_SPAWNER_INTERFACE_ID).id,
                            PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_SPAWN};
    struct model_intent intent = {.ask = MODEL_ASK_SPAWN};
    uint64_t transfers[SPAWN_GRANTS_MAX];
    struct process_spawn_request_builder request;
    struct draft draft;
    uint8_t count;
    char name[32];

    if (lives >= HUNT_LIVES) {
        return;
    }
    lives++;
    (void)snprintf(name, sizeof(name), "p%016llx", (unsigned long long)actor_draw(actor));
    request = process_spawner_spawn_params_init_request(
        process_spawner_spawn_params_init(draft_begin(&draft, piece_large(actor))));
    process_spawn_request_set_name(request, (struct capn_text){name, (uint32_t)strlen(name)});
    process_spawn_request_image_set_boot_binary(process_spawn_request_init_image(request),
                                                actor_below(actor, 16) == 0 ? 7 : 0);
    if (actor_below(actor, 32) != 0) {
        spawn_quotas(actor, process_spawn_request_init_quotas(request));
    }
    if (actor_below(actor, 3) == 0) {
        spawn_scheduling(actor, process_spawn_request_init_scheduling(request));
    }
    count = spawn_grants(actor, request, &intent, transfers);
    call_object(actor, target, &draft, &intent, transfers, count);
}

static void act_handle(struct actor *actor)
{
    struct target target = {actor_cap(actor, PROCESS_HANDLE_INTERFACE_ID).id,
                            PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_INFO};
    struct model_intent intent = object;
    struct draft draft;
    struct capn_pointer_builder root = draft_begin(&draft, piece_small(actor));

    switch (actor_below(actor, 4)) {
    case 0:
    case 2:
        target.method = PROCESS_HANDLE_METHOD_KILL;
        process_handle_kill_params_set_code(process_handle_kill_params_init(root), 3);
        break;
    case 1:
        target.method = PROCESS_HANDLE_METHOD_WAIT;
        intent.ask = MODEL_ASK_WAIT;
        (void)process_handle_wait_params_init(root);
        break;
    default:
        (void)process_handle_info_params_init(root);
        break;
    }
    call_object(actor, target, &draft, &intent, NULL, 0);
}

static void act_thread(struct actor *actor)
{
    struct target target = {actor_cap(actor, THREAD_SPAWNER_INTERFACE_ID).id,
                            THREAD_SPAWNER_INTERFACE_ID, THREAD_SPAWNER_METHOD_SPAWN};
    struct model_intent intent = {.ask = MODEL_ASK_THREAD};
    struct thread_request_builder request;
    struct draft draft;

    request = thread_spawner_spawn_params_init_request(
        thread_spawner_spawn_params_init(draft_begin(&draft, piece_small(actor))));
    thread_request_set_entry(request, (uintptr_t)hunt_actor);
    thread_request_set_argument(request, actor_draw(actor) | 1);
    call_object(actor, target, &draft, &intent, NULL, 0);
}

/* Whoever has a handle of a thread, of this process or another: its end and its terms. */
static void act_thread_handle(struct actor *actor)
{
    struct target target = {actor_cap(actor, THREAD_HANDLE_INTERFACE_ID).id,
                            THREAD_HANDLE_INTERFACE_ID, THREAD_HANDLE_METHOD_INFO};
    struct model_intent intent = object;
    struct draft draft;
    struct capn_pointer_builder root = draft_begin(&draft, piece_small(actor));
    struct scheduling_parameters_builder terms;

    switch (actor_below(actor, 3)) {
    case 0:
        target.method = THREAD_HANDLE_METHOD_WAIT;
        intent.ask = MODEL_ASK_WAIT;
        (void)thread_handle_wait_params_init(root);
        break;
    case 1:
        target.method = THREAD_HANDLE_METHOD_SET_SCHEDULING;
        terms = thread_handle_set_scheduling_params_init_parameters(
            thread_handle_set_scheduling_params_init(root));
        scheduling_parameters_set_priority(terms, (uint8_t)actor_below(actor, 12));
        break;
    default:
        (void)thread_handle_info_params_init(root);
        break;
    }
    call_object(actor, target, &draft, &intent, NULL, 0);
}

static void act_memory(struct actor *actor)
{
    struct target target = {actor_cap(actor, VIRTUAL_MEMORY_INTERFACE_ID).id,
                            VIRTUAL_MEMORY_INTERFACE_ID, 0};
    uint64_t address = memory_page(actor);
    uint64_t bytes = actor_below(actor, actor_below(actor, 16) == 0 ? 20 : 5) * LIMIT_PAGE_BYTES;
    struct draft draft;
    struct capn_pointer_builder root = draft_begin(&draft, piece_small(actor));

    if (actor_below(actor, 2) == 0) {
        struct virtual_memory_map_params_builder params = virtual_memory_map_params_init(root);

        target.method = VIRTUAL_MEMORY_METHOD_MAP;
        virtual_memory_map_params_set_size_bytes(params, bytes);
        virtual_memory_map_params_set_protection(params,
                                                 (enum memory_protection)actor_below(actor, 4));
        virtual_memory_map_params_set_address_hint(params, address);
        virtual_memory_map_params_set_fixed(params, true);
    } else {
        struct virtual_memory_unmap_params_builder params = virtual_memory_unmap_params_init(root);

        target.method = VIRTUAL_MEMORY_METHOD_UNMAP;
        virtual_memory_unmap_params_set_address(params, address);
        virtual_memory_unmap_params_set_size_bytes(params, bytes);
    }
    call_object(actor, target, &draft, &object, NULL, 0);
}

/* ---- endpoints ------------------------------------------------------------------------------- */

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

/* An edge to call a server through: mostly one of the clients'. */
struct model_edge act_draw_client(struct actor *actor)
{
    uint64_t start = actor_below(actor, INTERFACES);
    struct model_edge edge;

    for (uint64_t i = 0; i < INTERFACES; i++) {
        edge = actor_cap(actor, INTERFACE_FIRST + (start + i) % INTERFACES);
        if (edge.id != 0) {
            return edge;
        }
    }
    return actor_cap(actor, 0);
}

/* Whether it is an edge that some process minted: a kernel object's is never called with a message
 * that the model does not know. */
bool act_is_client(const struct model_edge *edge)
{
    return edge->interface_id >= INTERFACE_FIRST &&
           edge->interface_id < INTERFACE_FIRST + INTERFACES;
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

static void act_call(struct actor *actor)
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

static void act_receive(struct actor *actor)
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
static uint64_t draw_token(struct actor *actor, uint64_t *owner)
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
    for (uint32_t i = 0; i < edge_count; i++) {
        if (edges[i].interface_id == ENDPOINT_INTERFACE_ID &&
            edges[i].object == model_submission(calls[choice])->endpoint) {
            *owner = edges[i].id;
        }
    }
    return tokens[choice];
}

static void act_return(struct actor *actor)
{
    struct piece message = draw_piece(actor);
    struct model_intent intent = nothing;
    uint64_t owner;
    struct sqe sqe = {.opcode = OPCODE_RETURN,
                      .flags = actor_below(actor, 4) == 0 ? SQE_EXCEPTION : 0,
                      .message_bytes = draw_bytes(actor, message.room),
                      .message = (uintptr_t)message.bytes};
    struct piece result = PIECE_NONE;

    sqe.token = draw_token(actor, &owner);
    sqe.cap.raw = owner;
    if (actor_below(actor, 2) == 0) {
        result = piece_large(actor);
    }
    if (result.block >= 0) {
        sqe.opcode = OPCODE_RETURN_RECV;
        sqe.result = (uintptr_t)result.bytes;
        sqe.result_bytes = BLOCK_LARGE_BYTES;
    }
    if (actor_below(actor, 3) == 0 && message.block >= 0) {
        message_carries(actor, &sqe, &intent, message);
    }
    (void)actor_submit(actor, &sqe, &intent, message, result);
    act_enter_some(actor);
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
                actor->thread == hunt_thread_name(1, 1) ? TIMEOUT_SHORT_NS : TIMEOUT_NONE);
}

static void act_converse(struct actor *actor)
{
    bool serves = actor_below(actor, 2) == 0;

    actor_enter(actor, 0, 0);
    for (uint64_t rounds = 1 + actor_below(actor, 4); rounds > 0 && actor->under_way == 0;
         rounds--) {
        converse_once(actor, serves);
    }
}

/* ---- the table ------------------------------------------------------------------------------- */

static void act_release(struct actor *actor)
{
    struct sqe sqe = {.opcode = OPCODE_RELEASE, .cap = {act_draw_id(actor)}};

    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    act_enter_some(actor);
}

/* DUP, TOKEN, DELEGATE, TRANSFER, REVOKE on what this process holds, or does not. */
static void act_table(struct actor *actor)
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
static void act_release_race(struct actor *actor)
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

/* ---- hostile --------------------------------------------------------------------------------- */

/* A field of a valid submission changed, or all of it noise. */
static void act_malformed(struct actor *actor)
{
    struct sqe sqe = {.opcode = (uint8_t)actor_below(actor, OPCODE_COUNT + 2)};
    uint8_t *bytes = (uint8_t *)&sqe;
    uint64_t changes = actor_below(actor, 4);

    if (sqe.opcode != OPCODE_NOP && sqe.opcode != OPCODE_CANCEL) {
        sqe.cap.raw = act_draw_id(actor);
    }
    for (uint64_t i = 0; i < changes; i++) {
        uint64_t at = 1 + actor_below(actor, sizeof(sqe) - 1);

        bytes[at] =
            (uint8_t)(actor_below(actor, 3) == 0 ? actor_draw(actor) : 1U << actor_below(actor, 8));
    }
    if (sqe.opcode == OPCODE_CALL) {
        sqe.interface_id |= UINT64_C(0xf) << 60; /* no object's */
        sqe.interface_id ^= 1;
    }
    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    act_enter_some(actor);
}

/* Impossible indices: the ring fails closed, and this thread is as good as dead. */
static void act_corrupt(struct actor *actor)
{
    if (actor->pid == 1 || actor_below(actor, 4) != 0) {
        return;
    }
    actor->broken = true;
    hunt_fault(HUNT_FAULT_RING);
    if (actor_below(actor, 2) == 0) {
        ring_publish(&actor->header->sq_tail,
                     actor->tail + LIMIT_SQ_ENTRIES + 1 + (uint32_t)actor_below(actor, 1000));
    } else {
        ring_publish(&actor->header->cq_head,
                     actor->head + LIMIT_CQ_ENTRIES + 1 + (uint32_t)actor_below(actor, 1000));
    }
    actor_enter(actor, 1, 1000);
}

static void act_enter(struct actor *actor)
{
    static const uint64_t counts[] = {0, 1, 2, LIMIT_CQ_ENTRIES, LIMIT_CQ_ENTRIES + 1, UINT64_MAX};
    uint64_t count = counts[actor_below(actor, 6)];

    actor_enter(actor, count, actor_below(actor, 3) == 0 ? 0 : actor_below(actor, 200 * 1000));
}

static void act_exit(struct actor *actor)
{
    if (actor->pid != 1 && actor_below(actor, 8) == 0) {
        (void)rt_syscall_exit(0, actor_below(actor, 2) == 0 ? EXIT_THREAD : EXIT_PROCESS);
    }
}

static void act_starve(struct actor *actor)
{
    hunt_arm_memory((uint32_t)actor_below(actor, 60), 1 + (uint32_t)actor_below(actor, 6));
}

const struct act acts[] = {
    {"nop", 4, act_nop},
    {"call a null object", 3, act_null},
    {"create an endpoint", 5, act_create},
    {"mint a client", 8, act_mint},
    {"ask about an endpoint", 1, act_endpoint_info},
    {"spawn a process", 6, act_spawn},
    {"use a process handle", 4, act_handle},
    {"spawn a thread", 4, act_thread},
    {"use a thread's handle", 3, act_thread_handle},
    {"map or unmap", 3, act_memory},
    {"call a server", 16, act_call},
    {"receive", 16, act_receive},
    {"return", 16, act_return},
    {"converse", 6, act_converse},
    {"release", 6, act_release},
    {"duplicate, delegate, transfer, revoke", 10, act_table},
    {"release twice", 2, act_release_race},
    {"promise", 10, act_promise},
    {"finish an answer", 3, act_finish},
    {"cancel", 5, act_cancel},
    {"watch a call", 4, act_watch},
    {"park or unpark", 8, act_park},
    {"submit something malformed", 6, act_malformed},
    {"corrupt the ring", 1, act_corrupt},
    {"enter", 4, act_enter},
    {"exit", 1, act_exit},
    {"starve the kernel", 2, act_starve},
};
const unsigned act_count = ARRAY_COUNT(acts);
