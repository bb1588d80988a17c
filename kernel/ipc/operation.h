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

struct endpoint;
struct process;
struct thread;

enum operation_kind {
    OPERATION_FREE = 0,
    OPERATION_CALL,     /* at an endpoint */
    OPERATION_RECEIVE,  /* at an endpoint */
    OPERATION_WAIT,     /* for the end of a process */
    OPERATION_JOB,      /* a job completes it */
    OPERATION_PROMISED, /* a CALL whose target an answer still to come will name */
};

struct operation {
    struct list_node free_node;             /* thread->operations_free */
    struct endpoint_record endpoint_record; /* lock of `endpoint` */
    struct list_node received_node; /* CALL in flight: receiver->received, receiver's ring_lock */
    struct list_node wait_node;     /* WAIT: process->waiters, its lock */
    struct thread *owner;           /* who submitted; fixed */
    enum operation_kind kind;       /* owner's ring_lock */
    uint64_t user_data;
    uint32_t answer;             /* id under which the answer is kept; 0: it is not */
    struct answer_call promised; /* PROMISED: where it waits; owner's ring_lock */
    struct sqe sqe;              /* PROMISED: to be sent */
    struct endpoint *endpoint;   /* CALL, RECEIVE: holds a reference */
    struct process *process;     /* WAIT: holds a reference */
    struct thread *receiver;     /* CALL in flight; endpoint lock */
    uint64_t token;              /* CALL in flight */
    struct operation **holder;   /* JOB: where the job names this operation; same CPU */
    uint64_t interface_id;
    uint64_t badge;
    uint32_t message_offset; /* in the owner's arena */
    uint32_t message_bytes;
    uint32_t result_offset;
    uint32_t result_bytes;
    uint16_t method;
};

/* A free operation of `thread`; NULL: LIMIT_OPERATIONS are in use. */
struct operation *operation_take(struct thread *thread, enum operation_kind kind,
                                 uint64_t user_data);

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

/* Takes back every operation of the retiring `thread`, without completions. */
void operations_cancel(struct thread *thread);

/* Gives it back with its completion: the one place where a pending submission ends. The operation
 * is in no queue. Endpoint or process locks may be held, ring locks not. */
void operation_complete(struct operation *operation, int32_t result, uint32_t flags,
                        const struct refusal *refusal);

#endif
