/* SPDX-License-Identifier: MIT */
/*
 * Operations: accepted submissions that complete later. Each thread owns LIMIT_OPERATIONS of them,
 * reserved with its ring; taking one never allocates.
 */
#ifndef KERNEL_IPC_OPERATION_H
#define KERNEL_IPC_OPERATION_H

#include "abi/ring.h"
#include "core/endpoint.h"

struct endpoint;
struct process;
struct thread;

enum operation_kind {
    OPERATION_FREE = 0,
    OPERATION_CALL,    /* at an endpoint */
    OPERATION_RECEIVE, /* at an endpoint */
    OPERATION_WAIT,    /* for the end of a process */
    OPERATION_JOB,     /* a job completes it */
};

struct operation {
    struct list_node free_node;             /* thread->operations_free */
    struct endpoint_record endpoint_record; /* lock of `endpoint` */
    struct list_node received_node; /* CALL in flight: receiver->received, receiver's ring_lock */
    struct list_node wait_node;     /* WAIT: process->waiters, its lock */
    struct thread *owner;           /* who submitted; fixed */
    enum operation_kind kind;       /* owner's ring_lock */
    uint64_t user_data;
    struct endpoint *endpoint; /* CALL, RECEIVE: holds a reference */
    struct process *process;   /* WAIT: holds a reference */
    struct thread *receiver;   /* CALL in flight; endpoint lock */
    uint64_t token;            /* CALL in flight */
    struct operation **holder; /* JOB: where the job names this operation; same CPU */
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

/* Gives it back with its completion: the one place where a pending submission ends. The operation
 * is in no queue. Endpoint or process locks may be held, ring locks not. */
void operation_complete(struct operation *operation, int32_t result, uint32_t flags,
                        const struct refusal *refusal);

#endif
