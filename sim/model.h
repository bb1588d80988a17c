/* SPDX-License-Identifier: MIT */
/*
 * The reference model of the authority graph: who holds what, which submissions are under way, what
 * waits at which endpoint. It is told what happens (a submission was taken, a table looks so now, a
 * completion was posted) and judges whether that may be. Simple and slow on purpose, written from
 * the architecture's text and abi/ alone; its objects use no symbol of core/ or kernel/.
 *
 * Names. Objects, endpoints and threads are numbers that the caller chooses, never used twice; a
 * thread's has its process's pid above its lowest 16 bits.
 * A submission is named by its user_data: a number that the caller never uses twice either.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "abi/ring.h"

enum {
    MODEL_PROCESSES = 256, /* in one run */
    MODEL_SUBMISSIONS = 32768,
    MODEL_EDGES = 65536, /* ever made in one run */
    MODEL_ENDPOINTS = 2048,
    MODEL_GRANTS = 24,      /* of one spawn */
    MODEL_VIEW = 256,       /* records of one kind at one endpoint */
    MODEL_SPACE_PAGES = 20, /* that programs map and unmap; nobody asks for others */
    MODEL_RUN = 8,          /* submissions that one use of an endpoint's lock may be for */
};

enum model_edge_state {
    MODEL_EDGE_HELD,
    MODEL_EDGE_MOVING, /* leaving with a transfer; its id does not resolve */
    MODEL_EDGE_BURIED, /* revoked; its slot waits for release, and nothing else of it is left */
};

struct model_edge {
    uint64_t id; /* CapId */
    enum model_edge_state state;
    uint64_t object;
    uint64_t interface_id;
    uint64_t facet;
    uint64_t badge;
    uint64_t grant; /* delegation it came through; 0: none */
    uint32_t mode;  /* 0: not to be passed on, 1: as a copy or leaving, 2: only leaving */
    uint32_t grantable;
    uint32_t object_pages; /* of a memory object, nobody writes into which; 0: it is none */
    bool object_is_run;    /* its frames are one run */
};

/* What a CALL's message asks of a kernel object, as its sender meant it. */
enum model_ask {
    MODEL_ASK_NOTHING,  /* yields no capability: what goes to servers, with `grant` beside it */
    MODEL_ASK_OBJECT,   /* the same of a kernel object */
    MODEL_ASK_CREATE,   /* an endpoint: its owner's edge */
    MODEL_ASK_MINT,     /* a client's edge: interface_id, facet, badge, transfer */
    MODEL_ASK_SPAWN,    /* a process: its handle; and the grants, into the child */
    MODEL_ASK_THREAD,   /* a thread: its handle */
    MODEL_ASK_ALLOCATE, /* a memory object of `bytes` */
    MODEL_ASK_RUN,      /* the same, its frames one run; much later perhaps */
    MODEL_ASK_SLICE,    /* `bytes` from `offset` on of what the edge is for */
    MODEL_ASK_CHANGE,   /* nothing: `change` of this process's address space */
    MODEL_ASK_DECIDE,   /* nothing: RETURN to a fault's call, with `action` */
    MODEL_ASK_WAIT,     /* nothing, perhaps much later */
};

struct model_grant {
    uint64_t id;
    uint64_t facet; /* of the child's edge, if narrowed */
    bool narrowed;
    bool moves;              /* beside a CALL to a server or a RETURN: leaves its holder */
    struct answer_path path; /* beside a RETURN: where the message points at it */
    uint32_t transfer;       /* TransferMode of schema/authority.capnp */
};

enum model_change {
    MODEL_MAP, /* of `object` from `offset` on, or of private memory */
    MODEL_UNMAP,
    MODEL_PROTECT,
    MODEL_RESERVE,
    MODEL_COMMIT,
    MODEL_DECOMMIT,
};

struct model_intent {
    enum model_ask ask;
    uint64_t interface_id; /* of the edge yielded */
    uint64_t facet;
    uint64_t badge;
    uint32_t transfer;       /* TransferMode of schema/authority.capnp */
    struct answer_path path; /* where the answer points at the edge yielded */
    uint64_t bytes;          /* ALLOCATE, RUN, SLICE, CHANGE */
    uint64_t offset;         /* SLICE, MAP */
    enum model_change change;
    uint64_t page;       /* CHANGE: the first, of MODEL_SPACE_PAGES */
    uint64_t object;     /* MAP: id of a memory object; 0: private memory */
    uint32_t protection; /* Protection of schema/memory.capnp */
    uint32_t action;     /* FaultAction of schema/fault.capnp */
    uint32_t grants;
    struct model_grant grant[MODEL_GRANTS];
};

enum model_life {
    MODEL_BUILDING,
    MODEL_ALIVE,
    MODEL_DYING,
    MODEL_ENDED,
};

enum model_state {
    MODEL_UNKNOWN,
    MODEL_INTENDED, /* written into a ring */
    MODEL_TAKEN,    /* accepted by the kernel */
    MODEL_DONE,     /* completed */
    MODEL_DROPPED,  /* its thread is gone */
};

/* One submission. */
struct model_submission {
    enum model_state state;
    uint64_t pid;
    uint64_t thread;
    struct sqe sqe; /* as the kernel took it */
    uint64_t begun; /* model time */
    uint64_t ended;
    struct model_intent intent;
    int32_t wire;          /* the verdict on its form */
    uint32_t yielded;      /* edges that came to be by it and stayed */
    uint32_t removed;      /* edges that went by it */
    uint32_t carried;      /* CALL: mask of the edges beside it that have arrived */
    uint64_t endpoint;     /* CALL, RECV: where it is or was queued; 0: nowhere */
    uint64_t token;        /* CALL: under which it was delivered; RECV: what it was told; 0: none */
    bool told_closed;      /* RECV: a session's end */
    uint64_t receiver;     /* CALL: the thread that got it, */
    uint64_t delivered_at; /* and when */
    uint64_t delivered;    /* RECV: the CALL it got; 0: none */
    uint64_t answered_by;  /* CALL: the RETURN that ended it */
    uint64_t returned;     /* RETURN: the call that it has answered; 0: none */
    uint64_t dispatched;   /* when the kernel was done with looking at it; 0: not yet */
    uint64_t cancelled_by; /* the CANCEL that took it back; 0: none */
    bool unposted;         /* CALL: it has left its endpoint, and its completion is to come */
    uint32_t woken;        /* UNPARK: how many */
    /* PARK, UNPARK: the memory object, once it is known; 0: the program's own; */
    uint64_t word_object;
    uint64_t word_address; /* and where in it; UINT64_MAX: beyond what the edge is for, */
    bool word_of_slice;    /* which is a part of it */
    uint32_t pages;        /* CHANGE: that it changed, each time it changed one */
    bool meets;            /* CHANGE: another was under way that it has pages in common with */
    /* CALL, and answers: */
    bool keeps;             /* its answer, under sqe.answer */
    bool exception;         /* once DONE */
    bool said_good;         /* somebody was told that it ended well, */
    bool said_bad;          /* or badly */
    bool promised;          /* its target is: */
    uint64_t sent_by;       /* the RETURN_RECV that sent it on; 0: none did */
    struct promise promise; /* (sqe.cap is what that turned out to be; 0: not known) */
    uint64_t from;          /* the call whose answer that is; 0: none was kept under the id */
    bool sent;              /* to its target */
    int32_t result;         /* once DONE */
    bool fault;             /* a CALL that the kernel makes for a thread that faulted, */
    struct model_edge told; /* through this edge, which is in no table */
};

/* On whose behalf a CPU works: a submission being dispatched, or something else. The short way does
 * several for one use of an endpoint's lock: all of them, the oldest first, `submission` the last.
 */
struct model_actor {
    uint64_t submission; /* user_data; 0: none */
    uint64_t pid;        /* of the current thread; 0: a job or nobody */
    uint64_t thread;
    uint32_t runs; /* 0: not by the short way */
    uint64_t run[LIMIT_SQ_ENTRIES];
};

/* An endpoint as it is between two uses of its lock. Submissions by user_data, oldest first. */
struct model_endpoint_view {
    uint64_t endpoint;
    bool closed;
    bool pumps; /* a job delivers the rest */
    uint32_t calls;
    uint32_t receivers;
    uint32_t flights;
    uint64_t call[MODEL_VIEW];
    uint64_t receiver[MODEL_VIEW];
    uint64_t flight[MODEL_VIEW];
    uint64_t flight_token[MODEL_VIEW];
    uint64_t flight_receiver[MODEL_VIEW]; /* thread */
    uint64_t flight_watch[MODEL_VIEW];    /* the WATCH of it; 0: none */
};

enum model_page_state {
    MODEL_PAGE_FREE,
    MODEL_PAGE_RESERVED,
    MODEL_PAGE_COMMITTED,  /* private */
    MODEL_PAGE_SHOWN,      /* of a memory object */
    MODEL_PAGE_TAKEN_BACK, /* was that, until a delegation was revoked */
    MODEL_PAGE_CHANGING,   /* a change is at work on it; the rest means nothing */
};

/* A page of an address space as it is between two uses of its lock. */
struct model_page {
    enum model_page_state state;
    uint32_t protection;
    uint64_t object; /* SHOWN: what it shows, */
    uint64_t object_page;
    uint64_t facet; /* and through what edge */
    uint64_t grant;
};

/* Once in the life of a process, like the kernel's static data. */
void model_reset(void);

/* What was wrong first; NULL: nothing so far. */
const char *model_disagreement(void);

/* Reports a disagreement found elsewhere. The first one counts. */
void model_disagree(const char *format, ...) PRINTF_LIKE(1, 2);

void model_process(uint64_t pid, enum model_life life);
/* A thread will run no user code again: what it began ends without completions. */
void model_thread_gone(uint64_t thread);
/* It is about to end: calls that wait for an answer of its are not sent any more. */
void model_thread_ends(uint64_t thread);

/* A submission stands in a ring. */
void model_intend(uint64_t submission, uint64_t pid, uint64_t thread,
                  const struct model_intent *intent);
/* A submission was accepted. The kernel may have looked at it since `since` (model_time), when it
 * was done with the one before, but not before it was written. */
void model_taken(uint64_t pid, uint64_t thread, const struct sqe *sqe, uint64_t since);
/* A submission that was accepted is looked at from now on, and not any more. */
void model_dispatching(uint64_t submission);
void model_dispatched(uint64_t submission);
/* It was taken by the short way, which had looked at it before. */
void model_taken_short(uint64_t submission);
/* A promised call goes to the capability `cap` of its caller. */
void model_sent(uint64_t submission, uint64_t cap);
/* The same, sent on by the RETURN_RECV that answers the call it is promised from. */
void model_sent_by(uint64_t submission, uint64_t cap, uint64_t by);
/* The same, to an edge of `pid` that came with the answer and is gone before its table is seen. */
void model_relayed(const struct model_actor *actor, uint64_t pid, const struct model_edge *edge,
                   uint64_t submission);
/* It is refused because of its answer. */
void model_sent_broken(uint64_t submission);
/* A program is about to write `value` into a word that threads park at, in the arena of `owner`. */
void model_word(uint64_t owner, uint64_t address, uint32_t value);
uint64_t model_time(void);
/* A thread faulted, and its call is about to be queued through `told`; that call ended. */
void model_fault(uint64_t submission, uint64_t thread, const struct model_edge *told);
void model_fault_ended(const struct model_actor *actor, uint64_t submission, const struct cqe *cqe);
/* The kernel posts a completion to `thread`; `head`: what lies at the result of a RECV. */
void model_completed(const struct model_actor *actor, uint64_t thread, const struct cqe *cqe,
                     const struct endpoint_message *head);

/* The whole table of `pid`, in order of slots, as its lock was just released by `actor`. */
void model_table(const struct model_actor *actor, uint64_t pid, const struct model_edge *edges,
                 uint32_t count);
/* Beside a call of `pid` that waits, or in the plan it is built from, is a copy of an edge that
 * came through `grant`. */
void model_copy(uint64_t pid, uint64_t grant);
/* An endpoint as its lock was just released by `actor`. */
void model_endpoint(const struct model_actor *actor, const struct model_endpoint_view *view);
/* The first MODEL_SPACE_PAGES pages of the memory of `pid`, as its lock was just released. */
void model_space(uint64_t pid, const struct model_page *pages);
/* The endpoint is destroyed. */
void model_endpoint_gone(uint64_t endpoint);
/* Every CPU is idle: whatever is under way must be waiting somewhere. */
void model_quiescent(void);

/* A RECV's message as its receiver read it. */
void model_received(uint64_t submission, const struct endpoint_message *head, uint64_t stamp);
/* A CALL's answer as its caller read it: the first word of the message. */
void model_answered(uint64_t submission, uint64_t stamp);

/* ---- asked by the generator ---- */

const struct model_submission *model_submission(uint64_t submission);
uint32_t model_edges(uint64_t pid, struct model_edge *edges, uint32_t room);
/* Whether these are the ids that `pid` holds, in the same order. */
bool model_has_ids(uint64_t pid, const struct model_edge *edges, uint32_t count);
/* Some id that was once good in `pid` and is no more; 0: none. `choice` chooses. */
uint64_t model_stale_id(uint64_t pid, uint64_t choice);
/* Submissions of `thread` that are under way. */
uint32_t model_under_way(uint64_t thread, uint64_t *names, uint32_t room);
/* The tokens of calls that threads of `pid` took and have not returned. */
uint32_t model_tokens(uint64_t pid, uint64_t *tokens, uint64_t *calls, uint32_t room);
bool model_is_alive(uint64_t pid);
/* The pages of its memory, MODEL_SPACE_PAGES of them. */
const struct model_page *model_pages(uint64_t pid);
bool model_thread_is_gone(uint64_t thread);
/* How many delegations from the edge that came through `grant` up to the handle's, which a revoke
 * through it ends then; 0: it does not. */
uint32_t model_depth_below(uint64_t handle, uint64_t grant);

/* The verdict on the form of a submission, by the rules of abi/ring.h: 0 or a transport error. */
int32_t model_wire(const struct sqe *sqe);

#endif
