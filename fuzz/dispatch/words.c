/* SPDX-License-Identifier: MIT */
/* Messages to kernel objects, built once with the generated builders. */
#include "fuzz/dispatch/words.h"

#include <stdlib.h>
#include <string.h>

#include "schema/generated/capability.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/fault.capnp.h"
#include "schema/generated/memory.capnp.h"
#include "schema/generated/null.capnp.h"
#include "schema/generated/process.capnp.h"
#include "schema/generated/thread.capnp.h"

#define USER_REGION UINT64_C(0x200000000000) /* addresses that nothing else is mapped at */

enum {
    PAGE = LIMIT_PAGE_BYTES,
};

/* What is being built. */
struct draft {
    struct word *word;
    uint64_t address; /* of a user page */
    uint64_t id;      /* of a capability of the user's */
    unsigned how;
    struct capn_pointer_builder root;
};

static void target(struct draft *draft, uint64_t interface_id, unsigned method)
{
    draft->word->interface_id = interface_id;
    draft->word->method = (uint8_t)method;
}

/* how: the mode; bit 5, without a badge: an edge that faults may be told through. */
static void mint_make(struct draft *draft, uint64_t badge)
{
    static const enum authority_transfer_mode modes[] = {
        AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE, AUTHORITY_TRANSFER_MODE_NONE,
        AUTHORITY_TRANSFER_MODE_COPY, AUTHORITY_TRANSFER_MODE_MOVE,
        AUTHORITY_TRANSFER_MODE_MOVE_GRANTABLE};
    struct endpoint_mint_params_builder params = endpoint_mint_params_init(draft->root);
    struct authority_facet_builder facet = endpoint_mint_params_init_facet(params);

    target(draft, ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_MINT);
    endpoint_mint_params_set_interface_id(params, badge == 0 && (draft->how & 32) != 0
                                                      ? FAULT_HANDLER_INTERFACE_ID
                                                      : FUZZ_INTERFACE + badge % 2);
    if (badge == 0) {
        authority_facet_set_all(facet);
    } else {
        authority_facet_set_methods(facet, 7);
    }
    endpoint_mint_params_set_badge(params, badge);
    endpoint_mint_params_set_transfer_mode(params, modes[draft->how % ARRAY_COUNT(modes)]);
}

static void create_make(struct draft *draft)
{
    static const uint32_t bytes[] = {256, 0, 12, LIMIT_MESSAGE_BYTES + 8};
    static const uint16_t capabilities[] = {4, 0, LIMIT_ENDPOINT_CAPABILITIES + 1, 16};
    static const uint32_t queues[] = {4, 0, LIMIT_ENDPOINT_QUEUE + 1, 64};
    struct endpoint_limits_builder limits = endpoint_factory_create_params_init_limits(
        endpoint_factory_create_params_init(draft->root));

    target(draft, ENDPOINT_FACTORY_INTERFACE_ID, ENDPOINT_FACTORY_METHOD_CREATE);
    endpoint_limits_set_message_bytes(limits, bytes[draft->how & 3]);
    endpoint_limits_set_capabilities(limits, capabilities[draft->how >> 2 & 3]);
    endpoint_limits_set_queue_length(limits, queues[draft->how >> 4 & 3]);
}

/* how: bit 0 a quarter of all, bit 1 no frames, bits 2 and 3 another priority, bit 4 a budget of
 * time. */
static void quotas_make(struct process_spawn_request_builder request, unsigned how)
{
    static const uint8_t priorities[] = {8, 9, 7, 9};
    uint32_t part = (how & 1) != 0 ? 4 : 1;
    struct authority_quotas_builder quotas = process_spawn_request_init_quotas(request);

    if ((how >> 2 & 7) != 0) {
        struct scheduling_parameters_builder scheduling =
            process_spawn_request_init_scheduling(request);

        scheduling_parameters_set_priority(scheduling, priorities[how >> 2 & 3]);
        if ((how & 16) != 0) {
            scheduling_parameters_set_budget_ns(scheduling, 100 * 1000);
            scheduling_parameters_set_period_ns(scheduling, 1000 * 1000);
        }
    }
    authority_quotas_set_slots(quotas, 60 / part);
    authority_quotas_set_frames(quotas, (how & 2) != 0 ? 0 : part == 1 ? 360 : 110);
    authority_quotas_set_ring_bytes(quotas, 400 * 1024 / part);
    authority_quotas_set_endpoint_queue(quotas, 64 / part);
    authority_quotas_set_outstanding_calls(quotas, 80 / part);
    authority_quotas_set_scratch_bytes(quotas, 160 * 1024 / part);
    authority_quotas_set_threads(quotas, part == 1 ? 3 : 1);
    authority_quotas_set_log_bytes(quotas, 512 / part);
    authority_quotas_set_grant_nodes(quotas, 24 / part);
    authority_quotas_set_cpu_permille(quotas, (how & 2) != 0 ? 0 : 50);
}

/* how: the quotas'; bit 5: facets for the grants, or, without any, who is told of faults. */
static void spawn_make(struct draft *draft, uint8_t grants)
{
    struct process_spawn_request_builder request =
        process_spawner_spawn_params_init_request(process_spawner_spawn_params_init(draft->root));
    struct process_spawn_grant_builder_list list =
        process_spawn_request_init_grants(request, grants);

    target(draft, PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_SPAWN);
    draft->word->transfers = grants;
    process_spawn_request_set_name(request, (struct capn_text){"child", 5});
    process_spawn_request_image_set_boot_binary(process_spawn_request_init_image(request), 0);
    quotas_make(request, draft->how);
    if (grants == 0 && (draft->how & 32) != 0) {
        draft->word->transfers = 1;
        process_spawn_request_set_fault_endpoint(request, 0);
    }
    for (uint8_t i = 0; i < grants; i++) {
        struct process_spawn_grant_builder grant = process_spawn_grant_list_edit(list, i);
        const char name[3] = {'g', (char)('a' + i), '\0'};

        process_spawn_grant_set_name(grant, (struct capn_text){name, 2});
        process_spawn_grant_set_capability(grant, i);
        process_spawn_grant_set_transfer_mode(grant, AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE);
        if ((draft->how & 32) != 0 && i % 2 == 1) { /* perhaps wider than the source's */
            authority_facet_set_methods(process_spawn_grant_init_facet(grant), 15);
        } else if ((draft->how & 32) != 0) {
            authority_facet_set_all(process_spawn_grant_init_facet(grant));
        }
    }
}

static void handle_make(struct draft *draft, enum word_name name)
{
    if (name == WORD_WAIT) {
        target(draft, PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_WAIT);
        process_handle_wait_params_set_timeout_ns(process_handle_wait_params_init(draft->root),
                                                  5000);
    } else if (name == WORD_KILL) {
        target(draft, PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_KILL);
        process_handle_kill_params_set_code(process_handle_kill_params_init(draft->root), 3);
    } else {
        target(draft, PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_INFO);
        (void)process_handle_info_params_init(draft->root);
    }
}

static void thread_make(struct draft *draft)
{
    static const uint32_t submissions[] = {8, 2, 24, 128};
    static const uint32_t completions[] = {128, 4, 24, 256};
    static const uint32_t arenas[] = {2 * PAGE, 1024, 3 * PAGE, 0};
    struct thread_request_builder request =
        thread_spawner_spawn_params_init_request(thread_spawner_spawn_params_init(draft->root));

    struct thread_ring_sizes_builder ring = thread_request_init_ring(request);

    target(draft, THREAD_SPAWNER_INTERFACE_ID, THREAD_SPAWNER_METHOD_SPAWN);
    thread_request_set_entry(request, draft->address);
    thread_request_set_argument(request, 1);
    thread_ring_sizes_set_submission_entries(ring, submissions[draft->how & 3]);
    thread_ring_sizes_set_completion_entries(ring, completions[draft->how >> 2 & 3]);
    thread_ring_sizes_set_arena_bytes(ring, arenas[draft->how >> 4 & 3]);
}

static void map_make(struct draft *draft, bool object)
{
    struct virtual_memory_map_params_builder params = virtual_memory_map_params_init(draft->root);

    target(draft, VIRTUAL_MEMORY_INTERFACE_ID, VIRTUAL_MEMORY_METHOD_MAP);
    virtual_memory_map_params_set_size_bytes(params, (object ? 1 : 2) * PAGE);
    virtual_memory_map_params_set_protection(params, (enum memory_protection)(object ? 1 : 2));
    virtual_memory_map_params_set_address_hint(params, draft->address + (object ? 8 * PAGE : 0));
    virtual_memory_map_params_set_fixed(params, true);
    if (object) {
        draft->word->transfers = 1;
        virtual_memory_map_params_set_object(params, 0);
    }
}

static void pages_make(struct draft *draft, enum word_name name)
{
    struct capn_pointer_builder root = draft->root;

    draft->word->interface_id = VIRTUAL_MEMORY_INTERFACE_ID;
    switch (name) {
    case WORD_UNMAP: {
        struct virtual_memory_unmap_params_builder params = virtual_memory_unmap_params_init(root);

        draft->word->method = VIRTUAL_MEMORY_METHOD_UNMAP;
        virtual_memory_unmap_params_set_address(params, draft->address);
        virtual_memory_unmap_params_set_size_bytes(params, PAGE);
        break;
    }
    case WORD_PROTECT: {
        struct virtual_memory_protect_params_builder params =
            virtual_memory_protect_params_init(root);

        draft->word->method = VIRTUAL_MEMORY_METHOD_PROTECT;
        virtual_memory_protect_params_set_address(params, draft->address);
        virtual_memory_protect_params_set_size_bytes(params, PAGE);
        virtual_memory_protect_params_set_protection(params, (enum memory_protection)1);
        break;
    }
    case WORD_RESERVE: {
        struct virtual_memory_reserve_params_builder params =
            virtual_memory_reserve_params_init(root);

        draft->word->method = VIRTUAL_MEMORY_METHOD_RESERVE;
        virtual_memory_reserve_params_set_size_bytes(params, 4 * PAGE);
        virtual_memory_reserve_params_set_address_hint(params, draft->address + 4 * PAGE);
        virtual_memory_reserve_params_set_fixed(params, true);
        break;
    }
    case WORD_COMMIT: {
        struct virtual_memory_commit_params_builder params =
            virtual_memory_commit_params_init(root);

        draft->word->method = VIRTUAL_MEMORY_METHOD_COMMIT;
        virtual_memory_commit_params_set_address(params, draft->address + 4 * PAGE);
        virtual_memory_commit_params_set_size_bytes(params, 2 * PAGE);
        virtual_memory_commit_params_set_protection(params, (enum memory_protection)2);
        break;
    }
    case WORD_DECOMMIT: {
        struct virtual_memory_decommit_params_builder params =
            virtual_memory_decommit_params_init(root);

        draft->word->method = VIRTUAL_MEMORY_METHOD_DECOMMIT;
        virtual_memory_decommit_params_set_address(params, draft->address + 4 * PAGE);
        virtual_memory_decommit_params_set_size_bytes(params, PAGE);
        break;
    }
    default:
        draft->word->method = VIRTUAL_MEMORY_METHOD_QUERY;
        virtual_memory_query_params_set_address(virtual_memory_query_params_init(root),
                                                draft->address);
        break;
    }
}

static void frames_make(struct draft *draft, enum word_name name)
{
    if (name == WORD_FRAMES_INFO) {
        target(draft, FRAME_ALLOCATOR_INTERFACE_ID, FRAME_ALLOCATOR_METHOD_INFO);
        (void)frame_allocator_info_params_init(draft->root);
    } else {
        struct frame_allocator_allocate_params_builder params =
            frame_allocator_allocate_params_init(draft->root);

        target(draft, FRAME_ALLOCATOR_INTERFACE_ID, FRAME_ALLOCATOR_METHOD_ALLOCATE);
        frame_allocator_allocate_params_set_size_bytes(params, 2 * PAGE);
        frame_allocator_allocate_params_set_contiguous(params, name == WORD_ALLOCATE_CONTIGUOUS);
    }
}

static void object_make(struct draft *draft, enum word_name name)
{
    draft->word->interface_id = MEMORY_OBJECT_INTERFACE_ID;
    if (name == WORD_OBJECT_INFO) {
        draft->word->method = MEMORY_OBJECT_METHOD_INFO;
        (void)memory_object_info_params_init(draft->root);
    } else if (name == WORD_OBJECT_READ) {
        draft->word->method = MEMORY_OBJECT_METHOD_READ;
        memory_object_read_params_set_max_bytes(memory_object_read_params_init(draft->root), 64);
    } else if (name == WORD_OBJECT_WRITE) {
        static const uint8_t bytes[16] = {1, 2, 3};

        draft->word->method = MEMORY_OBJECT_METHOD_WRITE;
        memory_object_write_params_set_bytes(memory_object_write_params_init(draft->root),
                                             (struct capn_data){bytes, sizeof(bytes)});
    } else {
        struct memory_object_slice_params_builder params =
            memory_object_slice_params_init(draft->root);

        draft->word->method = MEMORY_OBJECT_METHOD_SLICE;
        memory_object_slice_params_set_offset(params, PAGE);
        memory_object_slice_params_set_size_bytes(params, PAGE);
    }
}

static void manager_make(struct draft *draft, enum word_name name)
{
    if (name == WORD_LIST) {
        target(draft, CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_LIST);
        static const uint32_t counts[] = {12, 64, 12, 12};
        static const uint32_t slots[] = {0, 0, 260, 280};
        struct capability_manager_list_params_builder params =
            capability_manager_list_params_init(draft->root);

        capability_manager_list_params_set_max_edges(params, counts[draft->how & 3]);
        capability_manager_list_params_set_first_slot(params, slots[draft->how & 3]);
    } else if (name == WORD_WHY) {
        target(draft, CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_WHY);
        capability_manager_why_params_set_cap_id(capability_manager_why_params_init(draft->root),
                                                 draft->id);
    } else if (name == WORD_CENSUS) {
        target(draft, CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_CENSUS);
        (void)capability_manager_census_params_init(draft->root);
    } else {
        target(draft, CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_LEDGER);
        (void)capability_manager_ledger_params_init(draft->root);
    }
}

static void plain_make(struct draft *draft, enum word_name name)
{
    switch (name) {
    case WORD_NOTHING:
        target(draft, NULL_OBJECT_INTERFACE_ID, NULL_OBJECT_METHOD_NOTHING);
        (void)null_object_nothing_params_init(draft->root);
        break;
    case WORD_ECHO:
        target(draft, NULL_OBJECT_INTERFACE_ID, NULL_OBJECT_METHOD_ECHO);
        null_payload_set_a(
            null_object_echo_params_init_payload(null_object_echo_params_init(draft->root)), 77);
        break;
    case WORD_ENDPOINT_INFO:
        target(draft, ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_INFO);
        (void)endpoint_info_params_init(draft->root);
        break;
    case WORD_REVOKE:
        target(draft, CAPABILITY_DELEGATION_INTERFACE_ID, CAPABILITY_DELEGATION_METHOD_REVOKE);
        (void)capability_delegation_revoke_params_init(draft->root);
        break;
    default:
        target(draft, CAPABILITY_DELEGATION_INTERFACE_ID, CAPABILITY_DELEGATION_METHOD_INFO);
        (void)capability_delegation_info_params_init(draft->root);
        break;
    }
}

static void draft_fill(struct draft *draft, enum word_name name)
{
    switch (name) {
    case WORD_CREATE:
        create_make(draft);
        break;
    case WORD_MINT:
    case WORD_MINT_BADGE:
        mint_make(draft, name == WORD_MINT ? 0 : 7 + (draft->how >> 3) * 64);
        break;
    case WORD_SPAWN:
    case WORD_SPAWN_GRANTS:
        spawn_make(draft, name == WORD_SPAWN ? 0 : WORD_GRANTS);
        break;
    case WORD_WAIT:
    case WORD_KILL:
    case WORD_HANDLE_INFO:
        handle_make(draft, name);
        break;
    case WORD_THREAD:
        thread_make(draft);
        break;
    case WORD_MAP:
    case WORD_MAP_OBJECT:
        map_make(draft, name == WORD_MAP_OBJECT);
        break;
    case WORD_UNMAP:
    case WORD_PROTECT:
    case WORD_RESERVE:
    case WORD_COMMIT:
    case WORD_DECOMMIT:
    case WORD_QUERY:
        pages_make(draft, name);
        break;
    case WORD_ALLOCATE:
    case WORD_ALLOCATE_CONTIGUOUS:
    case WORD_FRAMES_INFO:
        frames_make(draft, name);
        break;
    case WORD_OBJECT_INFO:
    case WORD_OBJECT_READ:
    case WORD_OBJECT_WRITE:
    case WORD_SLICE:
        object_make(draft, name);
        break;
    case WORD_LIST:
    case WORD_WHY:
    case WORD_CENSUS:
    case WORD_LEDGER:
        manager_make(draft, name);
        break;
    default:
        plain_make(draft, name);
        break;
    }
}

void word_make(struct word *word, enum word_name name, const struct word_ask *ask)
{
    struct capn_build_segment segment = {.bytes = word->bytes,
                                         .capacity_words = WORD_BYTES_MAX / 8};
    struct capn_builder builder;
    struct draft draft = {
        .word = word, .address = ask->base + USER_REGION, .id = ask->id, .how = ask->how};

    memset(word, 0, sizeof(*word));
    capn_builder_init(&builder, &segment, 1);
    draft.root = capn_builder_root(&builder);
    draft_fill(&draft, name);
    if (capn_builder_status(&builder) != CAPN_OK) {
        abort();
    }
    word->length = (uint32_t)capn_builder_words(&builder) * 8;
}
