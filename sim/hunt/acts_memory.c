/* SPDX-License-Identifier: MIT */
/*
 * What a program of the hunt may do: memory objects and slices of them, and changes of its own
 * address space, whole regions or parts of them.
 *
 * What objects show lies above the private pages, into which kernel objects answer: nobody writes
 * into an object, so that threads may park at its words.
 */
#include "schema/generated/memory.capnp.h"
#include "sim/hunt/acts.h"
#include "sim/hunt/draft.h"

enum {
    PRIVATE_PAGES = 6, /* few, so that threads meet there */
    SHOWN_FIRST = 11,  /* what begins among those ends below */
    SHOWN_PAGES = 5,
    CHANGE_PAGES = 5,
    OBJECT_PAGES = 5,
};

_Static_assert(SHOWN_FIRST + SHOWN_PAGES + CHANGE_PAGES - 2 < MODEL_SPACE_PAGES,
               "the model sees all");

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};
static const struct model_intent object = {.ask = MODEL_ASK_OBJECT};

uint64_t act_memory_first(const struct actor *actor)
{
    return (actor->start->ring & UINT64_C(0xfff00000000)) + UINT64_C(0x200000000000);
}

uint64_t act_memory_page(struct actor *actor)
{
    return act_memory_first(actor) + actor_below(actor, PRIVATE_PAGES) * LIMIT_PAGE_BYTES;
}

/* Whole pages, mostly. */
static uint64_t bytes_draw(struct actor *actor, uint64_t pages_max)
{
    uint64_t bytes = (1 + actor_below(actor, pages_max)) * LIMIT_PAGE_BYTES;

    switch (actor_below(actor, 24)) {
    case 0:
        return 0;
    case 1:
        return bytes - 8 * (1 + actor_below(actor, 8));
    default:
        return bytes;
    }
}

/* ---- objects --------------------------------------------------------------------------------- */

void act_allocate(struct actor *actor)
{
    struct act_target target = {actor_cap(actor, FRAME_ALLOCATOR_INTERFACE_ID).id,
                                FRAME_ALLOCATOR_INTERFACE_ID, FRAME_ALLOCATOR_METHOD_ALLOCATE};
    struct model_intent intent = {.ask = MODEL_ASK_ALLOCATE};
    bool run = actor_below(actor, 3) == 0;
    struct frame_allocator_allocate_params_builder params;
    struct draft draft;

    intent.bytes = bytes_draw(actor, OBJECT_PAGES);
    if (run && intent.bytes > LIMIT_PAGE_BYTES) {
        intent.ask = MODEL_ASK_RUN;
    }
    params = frame_allocator_allocate_params_init(draft_begin(&draft, piece_small(actor)));
    frame_allocator_allocate_params_set_size_bytes(params, intent.bytes);
    frame_allocator_allocate_params_set_contiguous(params, run);
    act_call_object(actor, target, &draft, &intent, NULL, 0);
}

static void slice_through(struct actor *actor, uint64_t id)
{
    struct act_target target = {id, MEMORY_OBJECT_INTERFACE_ID, MEMORY_OBJECT_METHOD_SLICE};
    struct model_intent intent = {.ask = MODEL_ASK_SLICE,
                                  .bytes = bytes_draw(actor, OBJECT_PAGES - 1),
                                  .offset = actor_below(actor, OBJECT_PAGES) * LIMIT_PAGE_BYTES};
    struct memory_object_slice_params_builder params;
    struct draft draft;

    if (actor_below(actor, 24) == 0) { /* far away, or not at a page */
        intent.offset = actor_draw(actor) >> actor_below(actor, 64);
    }
    params = memory_object_slice_params_init(draft_begin(&draft, piece_small(actor)));
    memory_object_slice_params_set_offset(params, intent.offset);
    memory_object_slice_params_set_size_bytes(params, intent.bytes);
    act_call_object(actor, target, &draft, &intent, NULL, 0);
}

/* A copy of the edge that may be mapped, and perhaps not written or run. */
static void narrow(struct actor *actor, uint64_t id)
{
    struct sqe sqe = {.opcode = OPCODE_DUP,
                      .cap = {id},
                      .facet = UINT64_C(1) << MEMORY_OBJECT_METHOD_MAP_READ |
                               (actor_draw(actor) & ((1 << MEMORY_OBJECT_METHOD_COUNT) - 1))};

    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    act_enter_some(actor);
}

void act_slice(struct actor *actor)
{
    if (actor_below(actor, 4) == 0) {
        narrow(actor, actor_cap(actor, MEMORY_OBJECT_INTERFACE_ID).id);
        return;
    }
    slice_through(actor, actor_cap(actor, MEMORY_OBJECT_INTERFACE_ID).id);
}

/* Asks about it, or reads; what it holds stays 0, whoever writes. */
void act_memory_object(struct actor *actor)
{
    static const uint8_t zeros[64];
    struct act_target target = {actor_cap(actor, MEMORY_OBJECT_INTERFACE_ID).id,
                                MEMORY_OBJECT_INTERFACE_ID, MEMORY_OBJECT_METHOD_INFO};
    uint64_t offset =
        actor_below(actor, OBJECT_PAGES + 1) * LIMIT_PAGE_BYTES - actor_below(actor, 3) * 32;
    struct draft draft;
    struct capn_pointer_builder root = draft_begin(&draft, piece_small(actor));

    switch (actor_below(actor, 3)) {
    case 0: {
        struct memory_object_read_params_builder params = memory_object_read_params_init(root);

        target.method = MEMORY_OBJECT_METHOD_READ;
        memory_object_read_params_set_offset(params, offset);
        memory_object_read_params_set_max_bytes(params, (uint32_t)actor_below(actor, 65));
        break;
    }
    case 1: {
        struct memory_object_write_params_builder params = memory_object_write_params_init(root);

        target.method = MEMORY_OBJECT_METHOD_WRITE;
        memory_object_write_params_set_offset(params, offset);
        memory_object_write_params_set_bytes(
            params, (struct capn_data){zeros, (uint32_t)actor_below(actor, 65)});
        break;
    }
    default:
        (void)memory_object_info_params_init(root);
        break;
    }
    act_call_object(actor, target, &draft, &object, NULL, 0);
}

/* ---- the address space ----------------------------------------------------------------------- */

/* Asks for the change that the intent says. */
static void change_memory(struct actor *actor, struct model_intent *intent)
{
    struct act_target target = {actor_cap(actor, VIRTUAL_MEMORY_INTERFACE_ID).id,
                                VIRTUAL_MEMORY_INTERFACE_ID, 0};
    uint64_t address = act_memory_first(actor) + intent->page * LIMIT_PAGE_BYTES;
    enum memory_protection protection = (enum memory_protection)intent->protection;
    struct draft draft;
    struct capn_pointer_builder root = draft_begin(&draft, piece_small(actor));

    intent->ask = MODEL_ASK_CHANGE;
    switch (intent->change) {
    case MODEL_MAP: {
        struct virtual_memory_map_params_builder params = virtual_memory_map_params_init(root);

        target.method = VIRTUAL_MEMORY_METHOD_MAP;
        virtual_memory_map_params_set_size_bytes(params, intent->bytes);
        virtual_memory_map_params_set_protection(params, protection);
        virtual_memory_map_params_set_address_hint(params, address);
        virtual_memory_map_params_set_fixed(params, true);
        if (intent->object != 0) {
            virtual_memory_map_params_set_object(params, 0);
            virtual_memory_map_params_set_object_offset(params, intent->offset);
        }
        break;
    }
    case MODEL_PROTECT: {
        struct virtual_memory_protect_params_builder params =
            virtual_memory_protect_params_init(root);

        target.method = VIRTUAL_MEMORY_METHOD_PROTECT;
        virtual_memory_protect_params_set_address(params, address);
        virtual_memory_protect_params_set_size_bytes(params, intent->bytes);
        virtual_memory_protect_params_set_protection(params, protection);
        break;
    }
    case MODEL_RESERVE: {
        struct virtual_memory_reserve_params_builder params =
            virtual_memory_reserve_params_init(root);

        target.method = VIRTUAL_MEMORY_METHOD_RESERVE;
        virtual_memory_reserve_params_set_size_bytes(params, intent->bytes);
        virtual_memory_reserve_params_set_address_hint(params, address);
        virtual_memory_reserve_params_set_fixed(params, true);
        break;
    }
    case MODEL_COMMIT: {
        struct virtual_memory_commit_params_builder params =
            virtual_memory_commit_params_init(root);

        target.method = VIRTUAL_MEMORY_METHOD_COMMIT;
        virtual_memory_commit_params_set_address(params, address);
        virtual_memory_commit_params_set_size_bytes(params, intent->bytes);
        virtual_memory_commit_params_set_protection(params, protection);
        break;
    }
    case MODEL_DECOMMIT: {
        struct virtual_memory_decommit_params_builder params =
            virtual_memory_decommit_params_init(root);

        target.method = VIRTUAL_MEMORY_METHOD_DECOMMIT;
        virtual_memory_decommit_params_set_address(params, address);
        virtual_memory_decommit_params_set_size_bytes(params, intent->bytes);
        break;
    }
    default: {
        struct virtual_memory_unmap_params_builder params = virtual_memory_unmap_params_init(root);

        target.method = VIRTUAL_MEMORY_METHOD_UNMAP;
        virtual_memory_unmap_params_set_address(params, address);
        virtual_memory_unmap_params_set_size_bytes(params, intent->bytes);
        break;
    }
    }
    act_call_object(actor, target, &draft, intent, &intent->object, intent->object != 0);
}

/* Mostly one that may be written. */
static uint32_t protection_draw(struct actor *actor)
{
    return actor_below(actor, 3) == 0 ? (uint32_t)actor_below(actor, 5)
                                      : (uint32_t)MEMORY_PROTECTION_READ_WRITE;
}

/* A page from `first` on of those that are in this state, mostly; any of `count` otherwise. */
static uint64_t page_draw(struct actor *actor, uint64_t first, uint64_t count,
                          enum model_page_state state)
{
    const struct model_page *pages = model_pages(actor->pid);
    uint64_t drawn = actor_below(actor, count);

    for (uint64_t i = 0; i < count && actor_below(actor, 8) != 0; i++) {
        uint64_t page = first + (drawn + i) % count;

        if (pages[page].state == state) {
            return page;
        }
    }
    return first + drawn;
}

/* Shows some of what the edge is for, now and then beyond it. The pages are told. */
static struct model_intent map_through(struct actor *actor, uint64_t id, uint32_t protection)
{
    struct model_intent intent = {
        .change = MODEL_MAP,
        .page = page_draw(actor, SHOWN_FIRST, SHOWN_PAGES, MODEL_PAGE_FREE),
        .object = id,
        .offset = actor_below(actor, 2) * actor_below(actor, 3) * LIMIT_PAGE_BYTES,
        .bytes = bytes_draw(actor, 1 + actor_below(actor, CHANGE_PAGES - 1)),
        .protection = protection};

    change_memory(actor, &intent);
    return intent;
}

/* A mapping, and when it is there a change of a part of it. */
static void map_and_cut(struct actor *actor, uint64_t id)
{
    struct model_intent intent = map_through(
        actor, id, actor_below(actor, 2) == 0 ? MEMORY_PROTECTION_READ : protection_draw(actor));

    actor_enter(actor, 1, ACT_TIMEOUT_SHORT_NS);
    intent.change = actor_below(actor, 2) == 0 ? MODEL_UNMAP : MODEL_PROTECT;
    intent.object = 0;
    intent.page +=
        intent.bytes < LIMIT_PAGE_BYTES ? 0 : actor_below(actor, intent.bytes / LIMIT_PAGE_BYTES);
    intent.bytes = LIMIT_PAGE_BYTES;
    intent.protection = protection_draw(actor);
    change_memory(actor, &intent);
}

void act_memory_through(struct actor *actor, const struct model_edge *edge)
{
    switch (actor_below(actor, 4)) {
    case 0:
        slice_through(actor, edge->id);
        break;
    case 1:
    case 2:
        map_and_cut(actor, edge->id);
        break;
    default:
        (void)map_through(actor, edge->id, protection_draw(actor));
        break;
    }
}

/* A memory object's edge, now and then one that does not allow everything; 0: there is none. */
static uint64_t draw_object(struct actor *actor)
{
    static struct model_edge edges[LIMIT_TABLE_SLOTS];
    uint32_t count = model_edges(actor->pid, edges, LIMIT_TABLE_SLOTS);
    bool narrowed = actor_below(actor, 3) == 0;

    for (uint32_t i = count; i > 0 && narrowed; i--) {
        if (edges[i - 1].interface_id == MEMORY_OBJECT_INTERFACE_ID &&
            edges[i - 1].facet != UINT64_MAX) {
            return edges[i - 1].id;
        }
    }
    return actor_cap(actor, MEMORY_OBJECT_INTERFACE_ID).id;
}

void act_memory(struct actor *actor)
{
    static const enum model_page_state made_of[] = {
        [MODEL_MAP] = MODEL_PAGE_FREE,          [MODEL_UNMAP] = MODEL_PAGE_COMMITTED,
        [MODEL_PROTECT] = MODEL_PAGE_COMMITTED, [MODEL_RESERVE] = MODEL_PAGE_FREE,
        [MODEL_COMMIT] = MODEL_PAGE_RESERVED,   [MODEL_DECOMMIT] = MODEL_PAGE_COMMITTED,
    };
    static const enum model_change kinds[] = {MODEL_MAP,    MODEL_MAP,     MODEL_UNMAP,
                                              MODEL_UNMAP,  MODEL_PROTECT, MODEL_RESERVE,
                                              MODEL_COMMIT, MODEL_DECOMMIT};
    uint64_t id = draw_object(actor);
    bool shown = id != 0 && actor_below(actor, 2) == 0;
    struct model_intent intent = {.change = kinds[actor_below(actor, ARRAY_COUNT(kinds))],
                                  .bytes = bytes_draw(actor, 1 + actor_below(actor, CHANGE_PAGES)),
                                  .protection = protection_draw(actor)};

    intent.page = page_draw(actor, 0, PRIVATE_PAGES, made_of[intent.change]);
    if (shown && intent.change == MODEL_MAP) {
        id = actor_below(actor, 12) == 0 ? act_draw_id(actor) : id;
        if (actor_below(actor, 2) == 0) {
            map_and_cut(actor, id);
        } else {
            (void)map_through(actor, id, protection_draw(actor));
        }
        return;
    }
    if (shown && intent.change <= MODEL_PROTECT) {
        intent.page = page_draw(actor, SHOWN_FIRST, SHOWN_PAGES + 2, MODEL_PAGE_SHOWN);
        intent.bytes = bytes_draw(actor, 2);
    }
    change_memory(actor, &intent);
}

/* Who asks for answers in a page that goes, by pid, and how many others may take part. */
static struct {
    uint64_t asks;
    uint64_t wants;
} races[MODEL_PROCESSES];

static void page_change(struct actor *actor)
{
    uint64_t times = 4 + actor_below(actor, 6);

    for (uint64_t i = 0; i < times; i++) {
        struct model_intent intent = {
            .change = model_pages(actor->pid)[0].state == MODEL_PAGE_FREE ? MODEL_MAP : MODEL_UNMAP,
            .bytes = LIMIT_PAGE_BYTES,
            .protection = MEMORY_PROTECTION_READ_WRITE};

        change_memory(actor, &intent);
        actor_enter(actor, 1, ACT_TIMEOUT_SHORT_NS);
    }
}

bool act_page_joins(struct actor *actor)
{
    uint64_t place = actor->pid % MODEL_PROCESSES;

    if (races[place].wants == 0 || races[place].asks == actor->thread) {
        return false;
    }
    races[place].wants--;
    page_change(actor);
    return true;
}

/* Answers that bring an edge go into a page that comes and goes: one thread asks for some, the next
 * others of its process change the page meanwhile. */
void act_page_race(struct actor *actor)
{
    uint64_t times = 6 + actor_below(actor, 10);

    if (actor_below(actor, 4) == 0) {
        page_change(actor);
        return;
    }
    races[actor->pid % MODEL_PROCESSES].asks = actor->thread;
    races[actor->pid % MODEL_PROCESSES].wants = 2;
    actor->gathers = true;
    for (uint64_t i = 0; i < times; i++) {
        actor->to_page = true;
        if (actor_below(actor, 4) == 0) {
            act_create(actor);
        } else {
            act_mint(actor);
        }
        actor->to_page = false;
    }
    actor->gathers = false;
    act_enter_some(actor);
}
