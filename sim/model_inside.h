/* SPDX-License-Identifier: MIT */
/* What the files of the model share. */
#ifndef SIM_MODEL_INSIDE_H
#define SIM_MODEL_INSIDE_H

#include "sim/model.h"

enum {
    MODEL_NAMES = 8192, /* submissions of one kind */
};

/* An edge that exists or existed. */
struct model_held {
    struct model_edge edge;
    uint64_t pid;
    uint64_t born; /* model time; the table showed it then first */
    uint64_t died; /* UINT64_MAX: it is there */
    uint64_t away; /* last time when it was on the move, and its id did not resolve; 0: never */
    uint64_t by;   /* submission that yielded it; 0: a grant of its spawn */
    struct model_held *previous; /* the edge of this process that appeared before it */
};

/* What is known of an id over an interval of model time. */
struct model_history {
    const struct model_held *held; /* NULL: never given out by the end of it */
    bool before;                   /* given out before it began */
    bool throughout;               /* good all the time */
    bool sometime;                 /* good at some moment */
};

/* Submissions by name. */
struct model_names {
    uint32_t count;
    uint64_t name[MODEL_NAMES];
};

extern uint64_t model_now;
extern struct model_names model_open;     /* submissions that are TAKEN, in any order */
extern struct model_names model_spawns;   /* that asked for one and were taken */
extern struct model_names model_carriers; /* that carry something and were taken */

/* model.c */
struct model_submission *model_find(uint64_t submission);
/* It is over. */
void model_under_way_remove(uint64_t name);
/* Whether what it asks for, a process or a thread with a handle or a run of frames, comes later. */
bool model_is_spawn(const struct model_submission *submission);

/* model_table.c */
struct model_history model_history(uint64_t pid, uint64_t id, uint64_t from, uint64_t to);
uint32_t model_slot(uint64_t id);
/* The edge of `pid` that appeared last, from which those before it are found; NULL: none. */
const struct model_held *model_newest(uint64_t pid);
/* Whether a delegation on the way up from `grant` was dead before `time`. */
bool model_grant_is_dead(uint64_t grant, uint64_t time);
/* What is delegated through `handle` is dead now. */
void model_revoked(uint64_t handle);
/* Whether `pid` is the first process of all; whether it is being built. */
bool model_is_first(uint64_t pid);
bool model_is_building(uint64_t pid);

/* model_cause.c */

/* Which submission brought this edge of `pid` about; 0 with *known: none, but it may be. */
uint64_t model_cause(const struct model_actor *actor, uint64_t pid, const struct model_edge *edge,
                     bool *known);
/* Whether a call or an answer under way takes this edge away from its holder. */
bool model_leaves(uint64_t pid, uint64_t id);
/* Whether a RETURN names this call: its endpoint and its token. */
bool model_names_call(const struct model_submission *by, const struct model_submission *call);
/* A CALL of NullObject.next, which answers with the object again. */
bool model_asks_again(const struct sqe *sqe);
/* The call under way that a RETURN names; 0: none. */
uint64_t model_call_returned(const struct model_submission *by);

/* model_verdict.c */

/* Whether the completion speaks rightly of the capability; true: and the rest is to be judged. */
bool model_cap_verdict(uint64_t name, const struct model_submission *submission, int32_t result,
                       struct model_history *history);
/* What the completion `cqe` says of the submission, and whether it may. */
void model_verdict(const struct model_actor *actor, uint64_t name,
                   struct model_submission *submission, const struct cqe *cqe);
/* An edge came to `call`'s process with its answer, at `path`, behind `order` others. */
void model_arrived(uint64_t call, uint64_t id, struct answer_path path, uint32_t order);

/* Whether a holder of an edge with `source` may have `facet`. */
bool model_facet_is_within(uint64_t facet, uint64_t source);

/* model_fault.c */
bool model_fault_joins(const struct model_submission *fault, uint64_t endpoint);
/* A thread runs: no fault of its may stand in the way. */
void model_fault_runs(uint64_t thread);

/* model_memory.c */

/* The pages of its object that an edge is for. */
struct model_slice {
    uint64_t first;
    uint64_t pages;
};
struct model_slice model_slice(const struct model_edge *edge);
/* Whether a slice as asked, of what `from` is for, is just this edge. */
bool model_is_slice(const struct model_intent *intent, const struct model_edge *from,
                    const struct model_edge *edge);
/* A CHANGE is taken; complete. */
void model_change_taken(uint64_t name, struct model_submission *change);
void model_change_verdict(uint64_t name, const struct model_submission *change,
                          const struct cqe *cqe);
/* A REVOKE through `handle` is complete: nothing is mapped through what it took. */
void model_memory_revoked(uint64_t name, uint64_t handle);
/* Every CPU is idle: changes that nobody waits for are over too. */
void model_memory_rests(void);

/* model_answer.c: a CALL is taken, looked at, not looked at any more, complete. The last says true
 * if nothing is left to be judged. */
void model_call_taken(uint64_t name, struct model_submission *call);
/* Whether model_thread_ends was told of it. */
bool model_thread_is_ending(uint64_t thread);
void model_call_dispatching(uint64_t name, struct model_submission *call);
void model_call_dispatched(uint64_t name, struct model_submission *call);
bool model_call_completed(uint64_t name, struct model_submission *call, const struct cqe *cqe);
/* Sets sqe.cap of a promised call to what came at its path, if that has come. */
void model_promise_resolve(struct model_submission *call);
/* Whether the edge `id` of process `pid` came with an answer that is finished with what it gave. */
bool model_answer_gives_up(uint64_t pid, uint64_t id);
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
                        struct model_submission *park, const struct cqe *cqe);
void model_unpark_verdict(uint64_t name, struct model_submission *unpark, const struct cqe *cqe);
/* A REVOKE through `handle` is complete: nobody waits who began before it. */
void model_park_revoked(uint64_t name, const struct model_submission *revoke, uint64_t handle);
bool model_park_rests(const struct model_submission *park);

/* The RETURN under way that names the token of `call`; 0: none. */
uint64_t model_returner(const struct model_actor *actor, const struct model_submission *call);
/* A WATCH is complete. */
void model_watch_verdict(uint64_t name, const struct model_submission *watch,
                         const struct cqe *cqe);
/* Every CPU is idle, and it is under way: whether it waits for a call. */
bool model_watch_rests(uint64_t name, const struct model_submission *watch);

/* Whether an edge may be called so; 0 or a transport error. */
int32_t model_permits(const struct model_edge *edge, uint64_t interface_id, unsigned method);
bool model_is_endpoint(uint64_t object);
bool model_is_closed(uint64_t endpoint);
/* Whether the token is new at this endpoint; it is not from now on. */
bool model_token_is_new(uint64_t endpoint, uint64_t token, uint64_t call);
/* The call that was delivered at this endpoint under this token; 0: none ever. */
uint64_t model_call_of_token(uint64_t endpoint, uint64_t token);
/* The call that a RETURN names and that was in flight when its endpoint was last looked at; 0:
 * none. */
uint64_t model_flight_named(const struct model_submission *by);
/* False: it has closed and something waits there still. */
bool model_endpoint_rests(uint64_t endpoint);

/* model_return.c */

/* Whether it is a receive that was told this token and is not known yet to have got a call. */
bool model_was_told(uint64_t name, uint64_t token);
/* In a run, a RETURN may name the token under which a call was received earlier in the same run, by
 * luck or because its program could tell: the call flew between two looks at the endpoint. */
void model_flown_between(const struct model_actor *actor, uint64_t name,
                         struct model_submission *call);
/* Looks at what a completion says of a submission at an endpoint. */
void model_completed_at_endpoint(const struct model_actor *actor, uint64_t name,
                                 struct model_submission *submission, const struct cqe *cqe);

#endif
