/* SPDX-License-Identifier: MIT */
/*
 * Operations: accepted submissions that complete later. Each thread owns LIMIT_OPERATIONS of them,
 * reserved with its ring; taking one never allocates.
 */
#ifndef KERNEL_IPC_OPERATION_H
#define KERNEL_IPC_OPERATION_H

#include "abi/ring.h"
#include "core/answer.h"
#include "core/endpoint.h"
#include "core/park.h"
#include "core/transfer.h"
#include "kernel/sched/task.h"

struct endpoint;
struct object;
struct process;
struct thread;
struct waitable;

enum operation_kind {
    OPERATION_FREE = 0,
    OPERATION_CALL,     /* at an endpoint */
    OPERATION_RECEIVE,  /* at an endpoint */
    OPERATION_WATCH,    /* at an endpoint: how a call in flight ends */
    OPERATION_WAIT,     /* for something to happen to an object */
    OPERATION_JOB,      /* a job completes it */
    OPERATION_PARK,     /* at a word */
    OPERATION_PROMISED, /* a CALL whose target an answer still to come will name */
};

struct operation {
    struct endpoint_record endpoint_record; /* lock of `endpoint` */
    struct operation *free_next;            /* thread->operations_free */
    struct list_node received_node; /* CALL in flight: receiver->received, receiver's ring_lock; or
                                       orphaned_in->orphans, its lock */
    struct list_node wait_node;     /* WAIT: waits_at->waiters, PARK: park_waits' list; its lock */
    uint64_t wait_turn;             /* WAIT, PARK: among those; its lock */
    struct thread *owner;           /* who submitted; fixed */
    enum operation_kind kind;       /* owner's ring_lock */
    bool counted;                   /* as one of the owner's calls_used */
    bool located;                   /* PROMISED: what follows says all but the promise of `sqe` */
    uint64_t user_data;
    uint32_t answer;               /* id under which the answer is kept; 0: it is not */
    uint32_t posts_nothing;        /* 1: a CALL of the kernel's own for the owner, in no pool; its
                                      end moves the thread (fault_call.c); fixed */
    struct answer_call promised;   /* PROMISED: where it waits; owner's ring_lock */
    struct sqe sqe;                /* PROMISED: to be sent; operation_promise reads it */
    struct park_waiter park;       /* PARK: lock of its bucket */
    struct object *park_object;    /* PARK: holds a reference; NULL: a word of the process's own */
    struct park_waits *park_waits; /* PARK: of that object, linked there by wait_node;
                                      NULL: a hand-on, in no list */
    struct timer timer;            /* PARK, WAIT: its time limit */
    struct endpoint *endpoint;     /* CALL, RECEIVE, WATCH: kept by `target` */
    struct waitable *waits_at; /* WAIT: holds a reference of its object; NULL: it does not yet */
    /* endpoint lock: */
    struct object *target;          /* what the edge named: holds a reference */
    struct grant_node *grant;       /* of that edge: holds a reference */
    uint64_t epoch;                 /* at which `grant` was last found alive */
    struct grant_node *taken_grant; /* CALL in flight: of the edge it was taken through */
    uint64_t taken_epoch;
    struct transfer_bundle bundle; /* CALL that waits: what travels with it */
    struct thread *receiver;       /* CALL in flight; NULL: its thread is gone */
    struct process *orphaned_in;   /* CALL in flight without receiver: the process that ends */
    uint64_t token;                /* CALL in flight */
    uint32_t slots;                /* reserved in the owner's table for what arrives */
    struct operation **holder;     /* JOB: where the job names this operation; same CPU */
    uint64_t interface_id;
    uint64_t badge;
    uint32_t message_offset; /* in the owner's arena */
    uint32_t message_bytes;
    uint32_t result_offset;
    uint32_t result_bytes;
    uint16_t method;
};

/* A free operation of `thread`; NULL: LIMIT_OPERATIONS are in use, or receives would fill more than
 * half of its completion queue and leave no room for what it receives them for, or the process's
 * ledger has no outstanding call left; operation_refuse says which. RECEIVE and WATCH are no calls.
 */
struct operation *operation_take(struct thread *thread, enum operation_kind kind,
                                 uint64_t user_data);

/* The CALL that a PROMISED operation stands for. */
struct sqe operation_promise(const struct operation *operation);

/* Says why operation_take gave none. */
enum transport_error operation_refuse(struct thread *thread, enum operation_kind kind,
                                      struct refusal *refusal);

/*
 * Reserves for what will arrive: `slots` in the owner's table, from those its thread has over or
 * anew; and the items of `transfers` capabilities that travel out, into operation->bundle. Errors:
 * LIMIT, NO_MEMORY, with *refusal filled; the operation is as before. No lock is held, and the
 * owner's submissions are this CPU's.
 */
MUST_USE enum transport_error operation_reserve(struct operation *operation, uint32_t slots,
                                                uint32_t transfers, struct refusal *refusal);

/* Gives back what a retiring thread has over. */
void operations_unreserve(struct thread *thread);

/* Notes the grant of the edge that a deferred call on a kernel object came through, so that a
 * revocation can find it. Before the operation is published anywhere. */
void operation_set_grant(struct operation *operation, struct grant_node *grant);

/* Gives it back without a completion. */
void operation_release(struct operation *operation);

/* The same with the owner's ring_lock held. */
void operation_release_locked(struct operation *operation);

/* Ends what was just taken off its place: with a CANCELLED completion, or without any because the
 * owner is retiring. */
void operation_end(struct operation *operation, bool completes);

/* CANCEL: takes back an operation of the thread that this CPU runs, wherever it is, with a
 * CANCELLED completion. False: it ended before. No lock is held. */
MUST_USE bool operation_cancel(struct operation *operation);

/* Takes back the operations of the retiring `thread`, without completions: a bounded number; false:
 * some are left. */
MUST_USE bool operations_cancel(struct thread *thread);

/* Gives it back with its completion: the one place where a pending submission ends. The operation
 * is in no queue. Endpoint or process locks may be held, ring locks not. */
void operation_complete(struct operation *operation, int32_t result, uint32_t flags,
                        const struct refusal *refusal);

#endif
