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
/* An edge came to `call`'s process with its answer, at `path`. */
void model_arrived(uint64_t call, uint64_t id, struct answer_path path);

/* model_answer.c: a CALL is taken, looked at, not looked at any more, complete. The last says true
 * if nothing is left to be judged. */
void model_call_taken(uint64_t name, struct model_submission *call);
void model_call_dispatching(uint64_t name, struct model_submission *call);
void model_call_dispatched(struct model_submission *call);
bool model_call_completed(uint64_t name, struct model_submission *call, const struct cqe *cqe);
/* Sets sqe.cap of a promised call to what came at its path, if that has come. */
void model_promise_resolve(struct model_submission *call);
bool model_promise_rests(const struct model_submission *call);
void model_finish_verdict(uint64_t name, const struct model_submission *finish,
                          const struct cqe *cqe);
void model_cancel_verdict(uint64_t name, const struct model_submission *cancel,
                          const struct cqe *cqe);
/* `ended` completes CANCELLED. */
void model_cancelled(const struct model_actor *actor, uint64_t name,
                     struct model_submission *ended);

/* model_park.c */
void model_park_dispatched(uint64_t name, struct model_submission *park);
void model_park_verdict(const struct model_actor *actor, uint64_t name,
                        const struct model_submission *park, const struct cqe *cqe);
void model_unpark_verdict(uint64_t name, const struct model_submission *unpark,
                          const struct cqe *cqe);
bool model_park_rests(const struct model_submission *park);

/* The RETURN under way that names the token of `call`; 0: none. */
uint64_t model_returner(const struct model_actor *actor, const struct model_submission *call);
/* A WATCH is complete, or every CPU is idle and it is under way. */
void model_watch_verdict(uint64_t name, const struct model_submission *watch,
                         const struct cqe *cqe);
bool model_watch_rests(uint64_t name, const struct model_submission *watch);

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
