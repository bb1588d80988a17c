/* SPDX-License-Identifier: MIT */
/* What the files of the model share. */
#ifndef SIM_MODEL_INSIDE_H
#define SIM_MODEL_INSIDE_H

#include "sim/model.h"

/* An edge that exists or existed. */
struct model_held {
    struct model_edge edge;
    uint64_t pid;
    uint64_t born; /* model time; the table showed it then first */
    uint64_t died; /* UINT64_MAX: it is there */
    uint64_t away; /* last time when it was on the move, and its id did not resolve; 0: never */
    uint64_t by;   /* submission that yielded it; 0: a grant of its spawn */
};

/* What is known of an id over an interval of model time. */
struct model_history {
    const struct model_held *held; /* NULL: never given out by the end of it */
    bool before;                   /* given out before it began */
    bool throughout;               /* good all the time */
    bool sometime;                 /* good at some moment */
};

extern uint64_t model_now;

struct model_history model_history(uint64_t pid, uint64_t id, uint64_t from, uint64_t to);
struct model_submission *model_find(uint64_t submission);
bool model_thread_is_gone(uint64_t thread);
/* Whether an edge may be called so; 0 or a transport error. */
int32_t model_permits(const struct model_edge *edge, uint64_t interface_id, unsigned method);
bool model_is_endpoint(uint64_t object);
bool model_is_closed(uint64_t endpoint);
/* False: it has closed and something waits there still. */
bool model_endpoint_rests(uint64_t endpoint);
/* Looks at what a completion says of a submission at an endpoint. */
void model_completed_at_endpoint(const struct model_actor *actor, uint64_t name,
                                 struct model_submission *submission, const struct cqe *cqe);

#endif
