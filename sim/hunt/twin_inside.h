/* SPDX-License-Identifier: MIT */
/* What the files of the twins share. What they are for stands in twin.h. */
#ifndef SIM_HUNT_TWIN_INSIDE_H
#define SIM_HUNT_TWIN_INSIDE_H

#include "sim/hunt/actor.h"
#include "sim/hunt/twin.h"

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

/* ---- twin.c: what both do, and the client ---- */

uint64_t twin_mixed(uint64_t a, uint64_t b);
/* A block for a result, with known bytes in it. */
struct piece twin_block(struct actor *actor, bool large);
/* Waits as most programs do, for one completion and for ever, until nothing is under way. */
void twin_wait(struct actor *actor);
/* Mints an edge of this process's endpoint. */
void twin_mint(struct actor *actor, uint64_t interface_id, uint64_t facet, uint64_t badge);
/* One thing about a usual entry is changed. What it says stays a matter of this process alone. */
void twin_change(struct actor *actor, struct sqe *sqe);

/* ---- twin_own.c: runs of calls and of answers at an endpoint of the client's own ---- */

void twin_own_round(struct actor *actor);

/* ---- twin_server.c ---- */

void twin_server(struct actor *actor);

#endif
