/* SPDX-License-Identifier: MIT */
/*
 * What a program of the hunt may do next. Each act draws what it needs from the actor and ends by
 * entering the kernel, mostly. acts.c has the table of all and what they share.
 */
#ifndef SIM_HUNT_ACTS_H
#define SIM_HUNT_ACTS_H

#include "sim/hunt/actor.h"

enum {
    ACT_INTERFACES = 3, /* that clients' edges have */
    ACT_INTERFACE_FIRST = 0x1000,
    ACT_TIMEOUT_SHORT_NS = 20 * 1000,
};

struct act {
    const char *name;
    unsigned weight;
    void (*run)(struct actor *actor);
};
extern const struct act acts[];
extern const unsigned act_count;

/* ---- acts.c: shared ---- */

/* Enters the kernel, mostly; or never, where many acts are to be one batch (actor->gathers). */
void act_enter_some(struct actor *actor);
uint64_t act_draw_id(struct actor *actor);
uint64_t act_draw_facet(struct actor *actor);
/* An edge to call a server through: mostly one of the clients'. */
struct model_edge act_draw_client(struct actor *actor);
/* Whether it is an edge that some process minted: a kernel object's is never called with a message
 * that the model does not know. */
bool act_is_client(const struct model_edge *edge);

/* ---- acts_objects.c: calls of kernel objects ---- */

void act_null(struct actor *actor);
void act_create(struct actor *actor);
void act_mint(struct actor *actor);
void act_endpoint_info(struct actor *actor);
void act_spawn(struct actor *actor);
/* Through this spawner, a process of a lower priority mostly. */
void act_spawn_below(struct actor *actor, uint64_t spawner);
void act_handle(struct actor *actor);
void act_thread(struct actor *actor);
void act_thread_handle(struct actor *actor);
void act_memory(struct actor *actor);
void act_allocate(struct actor *actor);
void act_page_race(struct actor *actor);

/* ---- acts_endpoint.c: calls of servers, and what servers do ---- */

void act_call(struct actor *actor);
void act_receive(struct actor *actor);
void act_return(struct actor *actor);
void act_converse(struct actor *actor);
void act_watch(struct actor *actor);

/* ---- acts_answer.c: answers that are kept, what is promised from them, taking back ---- */

/* An id to keep an answer under: mostly one that is free. */
uint32_t act_keep(struct actor *actor);
void act_promise(struct actor *actor);
void act_finish(struct actor *actor);
void act_cancel(struct actor *actor);

/* ---- acts_table.c: edges by opcode ---- */

void act_release(struct actor *actor);
void act_table(struct actor *actor);
void act_release_race(struct actor *actor);

/* ---- acts_revoke.c ---- */

void act_revoke(struct actor *actor);

/* ---- acts_park.c ---- */

void act_park(struct actor *actor);

#endif
