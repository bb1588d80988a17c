/* SPDX-License-Identifier: MIT */
/* What a program of the hunt may do: calls of kernel objects, each with a message of its schema. */
#include <stdio.h>
#include <string.h>

#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/null.capnp.h"
#include "schema/generated/process.capnp.h"
#include "schema/generated/thread.capnp.h"
#include "sim/hunt/acts.h"
#include "sim/hunt/draft.h"

enum {
    SPAWN_GRANTS_MAX = 6,
};

static const struct model_intent object = {.ask = MODEL_ASK_OBJECT};

static unsigned lives; /* processes that were asked for */

void act_call_object(struct actor *actor, struct act_target target, struct draft *draft,
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
        actor_enter(actor, 1, ACT_TIMEOUT_SHORT_NS);
        return;
    }
    for (uint8_t i = 0; i < transfer_count; i++) {
        struct transfer transfer = {.cap = {transfers[i]}, .mode = TRANSFER_COPY};

        memcpy(draft->piece.bytes + bytes + i * sizeof(transfer), &transfer, sizeof(transfer));
    }
    if (actor->to_page) {
        sqe.result = act_memory_first(actor) + actor_below(actor, 4) * BLOCK_SMALL_BYTES;
        result.bytes = NULL;
    } else if (actor_below(actor, 8) == 0) { /* outside the arena, where it may go away */
        sqe.result = act_memory_page(actor) + LIMIT_PAGE_BYTES - actor_below(actor, 64) * 8;
        result.bytes = NULL;
    }
    (void)actor_submit(actor, &sqe, intent, draft->piece, result);
    act_enter_some(actor);
}

void act_null(struct actor *actor)
{
    struct act_target target = {actor_cap(actor, NULL_OBJECT_INTERFACE_ID).id,
                                NULL_OBJECT_INTERFACE_ID, (uint8_t)actor_below(actor, 3)};
    struct draft draft;

    (void)null_object_nothing_params_init(draft_begin(&draft, piece_small(actor)));
    act_call_object(actor, target, &draft, &object, NULL, 0);
}

void act_create(struct actor *actor)
{
    struct act_target target = {actor_cap(actor, ENDPOINT_FACTORY_INTERFACE_ID).id,
                                ENDPOINT_FACTORY_INTERFACE_ID, ENDPOINT_FACTORY_METHOD_CREATE};
    struct model_intent intent = {.ask = MODEL_ASK_CREATE};
    struct draft draft;

    (void)endpoint_factory_create_params_init(draft_begin(&draft, piece_small(actor)));
    act_call_object(actor, target, &draft, &intent, NULL, 0);
}

void act_mint(struct actor *actor)
{
    struct act_target target = {actor_cap(actor, ENDPOINT_INTERFACE_ID).id, ENDPOINT_INTERFACE_ID,
                                ENDPOINT_METHOD_MINT};
    struct model_intent intent = {.ask = MODEL_ASK_MINT,
                                  .interface_id =
                                      ACT_INTERFACE_FIRST + actor_below(actor, ACT_INTERFACES),
                                  .facet = act_draw_facet(actor),
                                  .badge = actor_below(actor, 5),
                                  .transfer = (uint32_t)actor_below(actor, 6)};
    struct draft draft;

    draft_mint(&draft, piece_small(actor), &intent);
    act_call_object(actor, target, &draft, &intent, NULL, 0);
}

void act_endpoint_info(struct actor *actor)
{
    struct act_target target = {actor_cap(actor, ENDPOINT_INTERFACE_ID).id, ENDPOINT_INTERFACE_ID,
                                ENDPOINT_METHOD_INFO};
    struct draft draft;

    (void)endpoint_info_params_init(draft_begin(&draft, piece_small(actor)));
    act_call_object(actor, target, &draft, &object, NULL, 0);
}

/* The grants of a spawn: `first`, if there is one, and some of what this process holds, whether it
 * may grant it or not. */
static uint8_t spawn_grants(struct actor *actor, const struct model_edge *first,
                            struct process_spawn_request_builder request,
                            struct model_intent *intent, uint64_t *transfers)
{
    uint8_t count = (uint8_t)((first != NULL) + actor_below(actor, SPAWN_GRANTS_MAX));
    struct process_spawn_grant_builder_list list =
        process_spawn_request_init_grants(request, count);

    for (uint8_t i = 0; i < count; i++) {
        struct process_spawn_grant_builder grant = process_spawn_grant_list_edit(list, i);
        struct model_edge edge = actor_cap(actor, 0);
        uint32_t mode =
            edge.grantable == 0 && actor_below(actor, 8) != 0 ? 0 : (uint32_t)actor_below(actor, 3);
        char name[8];

        if (i == 0 && first != NULL) {
            edge = *first;
            mode = 0;
        }
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
static void spawn_scheduling(struct actor *actor, struct scheduling_parameters_builder parameters,
                             bool below)
{
    uint64_t budget_ns = 80 * 1000 + actor_below(actor, 400 * 1000);

    scheduling_parameters_set_priority(parameters, (uint8_t)(below ? actor_below(actor, 8)
                                                             : actor_below(actor, 4) == 0
                                                                 ? actor_below(actor, 10)
                                                                 : 8));
    if (actor_below(actor, 2) == 0) {
        scheduling_parameters_set_budget_ns(parameters, budget_ns);
        scheduling_parameters_set_period_ns(parameters, budget_ns * (1 + actor_below(actor, 4)));
    }
}

/* An endpoint to be told of a child's faults, now and then one that may be revoked; 0: none. */
static uint64_t draw_told(struct actor *actor)
{
    static struct model_edge edges[LIMIT_TABLE_SLOTS];
    uint32_t count = model_edges(actor->pid, edges, LIMIT_TABLE_SLOTS);
    uint64_t way = actor_below(actor, 4);

    for (uint32_t i = 0; i < count && way == 0; i++) {
        if (edges[i].interface_id == ENDPOINT_INTERFACE_ID && edges[i].grant != 0 &&
            edges[i].state == MODEL_EDGE_HELD) {
            return edges[i].id;
        }
    }
    return way < 2 ? actor_cap(actor, ENDPOINT_INTERFACE_ID).id : 0;
}

/* `below`: of a lower priority than this process has, mostly; with `first` among its grants. */
static void spawn_through(struct actor *actor, uint64_t spawner, bool below,
                          const struct model_edge *first)
{
    struct act_target target = {spawner, PROCESS_SPAWNER_INTERFACE_ID,
                                PROCESS_SPAWNER_METHOD_SPAWN};
    struct model_intent intent = {.ask = MODEL_ASK_SPAWN};
    uint64_t transfers[SPAWN_GRANTS_MAX + 1];
    struct process_spawn_request_builder request;
    struct draft draft;
    uint8_t count;
    uint64_t told;
    char name[32];

    if (lives >= HUNT_LIVES) {
        return;
    }
    lives++;
    told = draw_told(actor);
    (void)snprintf(name, sizeof(name), "%c%016llx", told != 0 ? ACT_NAME_TOLD : 'p',
                   (unsigned long long)actor_draw(actor));
    request = process_spawner_spawn_params_init_request(
        process_spawner_spawn_params_init(draft_begin(&draft, piece_large(actor))));
    process_spawn_request_set_name(request, (struct capn_text){name, (uint32_t)strlen(name)});
    process_spawn_request_image_set_boot_binary(process_spawn_request_init_image(request),
                                                actor_below(actor, 16) == 0 ? 7 : 0);
    if (actor_below(actor, 32) != 0) {
        spawn_quotas(actor, process_spawn_request_init_quotas(request));
    }
    if (below || actor_below(actor, 3) == 0) {
        spawn_scheduling(actor, process_spawn_request_init_scheduling(request), below);
    }
    count = spawn_grants(actor, first, request, &intent, transfers);
    if (told != 0) {
        process_spawn_request_set_fault_endpoint(request, count);
        transfers[count++] = told;
    }
    act_call_object(actor, target, &draft, &intent, transfers, count);
}

void act_spawn(struct actor *actor)
{
    spawn_through(actor, actor_cap(actor, PROCESS_SPAWNER_INTERFACE_ID).id, false, NULL);
}

void act_spawn_below(struct actor *actor, const struct model_edge *edge)
{
    bool is_spawner = edge->interface_id == PROCESS_SPAWNER_INTERFACE_ID;

    spawn_through(actor, is_spawner ? edge->id : actor_cap(actor, PROCESS_SPAWNER_INTERFACE_ID).id,
                  true, is_spawner ? NULL : edge);
}

void act_handle(struct actor *actor)
{
    struct act_target target = {actor_cap(actor, PROCESS_HANDLE_INTERFACE_ID).id,
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
    act_call_object(actor, target, &draft, &intent, NULL, 0);
}

void act_thread(struct actor *actor)
{
    struct act_target target = {actor_cap(actor, THREAD_SPAWNER_INTERFACE_ID).id,
                                THREAD_SPAWNER_INTERFACE_ID, THREAD_SPAWNER_METHOD_SPAWN};
    struct model_intent intent = {.ask = MODEL_ASK_THREAD};
    struct thread_request_builder request;
    struct draft draft;

    request = thread_spawner_spawn_params_init_request(
        thread_spawner_spawn_params_init(draft_begin(&draft, piece_small(actor))));
    thread_request_set_entry(request, (uintptr_t)hunt_actor);
    thread_request_set_argument(request, actor_draw(actor) | 1);
    act_call_object(actor, target, &draft, &intent, NULL, 0);
}

/* Whoever has a handle of a thread, of this process or another: its end and its terms. */
void act_thread_handle(struct actor *actor)
{
    struct act_target target = {actor_cap(actor, THREAD_HANDLE_INTERFACE_ID).id,
                                THREAD_HANDLE_INTERFACE_ID, THREAD_HANDLE_METHOD_INFO};
    struct model_intent intent = object;
    struct draft draft;
    struct capn_pointer_builder root = draft_begin(&draft, piece_small(actor));
    struct scheduling_parameters_builder terms;

    switch (actor_below(actor, 4)) {
    case 0:
        target.method = THREAD_HANDLE_METHOD_WAIT;
        intent.ask = MODEL_ASK_WAIT;
        (void)thread_handle_wait_params_init(root);
        break;
    case 1:
        target.method = THREAD_HANDLE_METHOD_SET_SCHEDULING;
        terms = thread_handle_set_scheduling_params_init_parameters(
            thread_handle_set_scheduling_params_init(root));
        if (actor_below(actor, 2) == 0) {
            spawn_scheduling(actor, terms, false);
        } else {
            scheduling_parameters_set_priority(terms, (uint8_t)actor_below(actor, 12));
        }
        break;
    case 2: /* a wait without a time limit may end with nothing now */
        target.method = THREAD_HANDLE_METHOD_INTERRUPT;
        (void)thread_handle_interrupt_params_init(root);
        break;
    default:
        (void)thread_handle_info_params_init(root);
        break;
    }
    act_call_object(actor, target, &draft, &intent, NULL, 0);
}
