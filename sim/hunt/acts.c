/* SPDX-License-Identifier: MIT */
/*
 * What a program of the hunt may do next: the table of all acts, what they share, and those that
 * are hostile or nothing much. The others stand in acts_*.c, by what they are about.
 */
#include "sim/hunt/acts.h"

#include "schema/generated/endpoint.capnp.h"

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};

/* ---- shared ---------------------------------------------------------------------------------- */

void act_enter_some(struct actor *actor)
{
    uint64_t way;

    if (actor->gathers) {
        return;
    }
    way = actor_below(actor, 10);

    /* As most programs wait, which is what the kernel's short ways are for. The first thread of all
     * must not wait for ever. */
    if (way == 1 && actor->under_way != 0 && actor->thread != hunt_thread_name(1, 1)) {
        actor_enter(actor, actor->under_way > 1 && actor_below(actor, 3) == 0 ? 2 : 1,
                    TIMEOUT_NONE);
        return;
    }
    switch (way) {
    case 0:
        break; /* a batch: the next act's enter takes this along */
    case 8:    /* gives way */
        actor_enter(actor, LIMIT_CQ_ENTRIES, 1 + actor_below(actor, ACT_TIMEOUT_SHORT_NS));
        break;
    case 1:
    case 2:
        actor_enter(actor, 1, 1 + actor_below(actor, ACT_TIMEOUT_SHORT_NS));
        break;
    case 3:
        actor_enter(actor, 1 + actor_below(actor, 6), 1 + actor_below(actor, ACT_TIMEOUT_SHORT_NS));
        break;
    default:
        actor_enter(actor, 0, 0);
        break;
    }
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

struct model_edge act_draw_client(struct actor *actor)
{
    uint64_t start = actor_below(actor, ACT_INTERFACES);
    struct model_edge edge;

    for (uint64_t i = 0; i < ACT_INTERFACES; i++) {
        edge = actor_cap(actor, ACT_INTERFACE_FIRST + (start + i) % ACT_INTERFACES);
        if (edge.id != 0) {
            return edge;
        }
    }
    return actor_cap(actor, 0);
}

bool act_is_client(const struct model_edge *edge)
{
    return edge->interface_id >= ACT_INTERFACE_FIRST &&
           edge->interface_id < ACT_INTERFACE_FIRST + ACT_INTERFACES;
}

/* ---- of no consequence, or hostile ----------------------------------------------------------- */

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
    {"change its memory", 6, act_memory},
    {"allocate memory", 3, act_allocate},
    {"cut a slice", 3, act_slice},
    {"use a memory object", 1, act_memory_object},
    {"have answers in a page that goes", 3, act_page_race},
    {"call a server", 16, act_call},
    {"receive", 16, act_receive},
    {"return", 16, act_return},
    {"converse", 6, act_converse},
    {"use up an endpoint's tokens", 2, act_crowd},
    {"release", 6, act_release},
    {"duplicate, delegate, transfer, revoke", 10, act_table},
    {"use, revoke, use again", 5, act_revoke},
    {"release twice", 2, act_release_race},
    {"promise", 10, act_promise},
    {"finish an answer", 3, act_finish},
    {"call in a chain", 3, act_chain},
    {"serve a chain", 4, act_serve_chain},
    {"cancel", 5, act_cancel},
    {"watch a call", 4, act_watch},
    {"park or unpark", 8, act_park},
    {"submit something malformed", 6, act_malformed},
    {"corrupt the ring", 1, act_corrupt},
    {"enter", 4, act_enter},
    {"exit", 1, act_exit},
    {"fault", 6, act_fault},
    {"starve the kernel", 2, act_starve},
};
const unsigned act_count = ARRAY_COUNT(acts);
