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
    ACT_NAME_TOLD = 'q', /* begins the names of those whose faults somebody is told of */
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

struct act_target {
    uint64_t id;
    uint64_t interface_id;
    uint8_t method;
};
struct draft;
/* A CALL on a kernel object with `transfer_count` descriptors. */
void act_call_object(struct actor *actor, struct act_target target, struct draft *draft,
                     const struct model_intent *intent, const uint64_t *transfers,
                     uint8_t transfer_count);

void act_null(struct actor *actor);
void act_create(struct actor *actor);
void act_mint(struct actor *actor);
void act_endpoint_info(struct actor *actor);
void act_spawn(struct actor *actor);
/* Through this spawner, or with this edge among its grants, a process of a lower priority mostly.
 */
void act_spawn_below(struct actor *actor, const struct model_edge *edge);
void act_handle(struct actor *actor);
void act_thread(struct actor *actor);
void act_thread_handle(struct actor *actor);

/* ---- acts_memory.c: memory objects and this process's address space ---- */

/* The first page of the memory that act_memory maps and unmaps; one of those that are private. */
uint64_t act_memory_first(const struct actor *actor);
uint64_t act_memory_page(struct actor *actor);
void act_memory(struct actor *actor);
void act_allocate(struct actor *actor);
void act_slice(struct actor *actor);
/* A slice of what this edge of a memory object is for, or a mapping of it. */
void act_memory_through(struct actor *actor, const struct model_edge *edge);
void act_memory_object(struct actor *actor);
void act_page_race(struct actor *actor);
/* Takes part in what another thread of this process has begun by act_page_race; false: in nothing.
 */
bool act_page_joins(struct actor *actor);

/* ---- acts_endpoint.c: calls of servers, and what servers do ---- */

void act_call(struct actor *actor);
void act_receive(struct actor *actor);
void act_return(struct actor *actor);
void act_converse(struct actor *actor);
void act_crowd(struct actor *actor);
void act_watch(struct actor *actor);
void act_fault(struct actor *actor);

/* ---- acts_answer.c: answers that are kept, what is promised from them, taking back ---- */

/* An id to keep an answer under: mostly one that is free. */
uint32_t act_keep(struct actor *actor);
void act_promise(struct actor *actor);
void act_finish(struct actor *actor);
void act_cancel(struct actor *actor);

/* ---- acts_chain.c: calls that answers send on ---- */

void act_chain(struct actor *actor);
void act_serve_chain(struct actor *actor);

/* ---- acts_table.c: edges by opcode ---- */

void act_release(struct actor *actor);
void act_table(struct actor *actor);
void act_release_race(struct actor *actor);

/* ---- acts_revoke.c ---- */

void act_revoke(struct actor *actor);

/* ---- acts_park.c ---- */

void act_park(struct actor *actor);

#endif
