/* SPDX-License-Identifier: MIT */
/*
 * What a process has in its own part of its address space: regions, and the changes of them. The
 * theory is in memory_space.c.
 */
#ifndef KERNEL_OBJECT_MEMORY_SPACE_H
#define KERNEL_OBJECT_MEMORY_SPACE_H

#include "core/region.h"
#include "kernel/object/memory_object.h"
#include "schema/generated/memory.capnp.h"

struct process;
struct thread;
struct operation;

struct memory_space {
    struct spinlock lock;
    struct region_set regions; /* lock; of struct memory_region.region */
    uint64_t left_to;          /* teardown: nobody else is at what lies below this page */
};

enum change_kind {
    CHANGE_MAP,
    CHANGE_UNMAP,
    CHANGE_PROTECT,
    CHANGE_COMMIT,
    CHANGE_DECOMMIT,
};

/* One run of pages with one answer to every question about them. Guarded by the space's lock. */
struct memory_region {
    struct region region;
    enum memory_protection protection;
    bool committed;         /* every page is there; false: none is, or a revocation took them */
    struct change *change;  /* at work on it; NULL: none */
    bool shared;            /* a mapping of an object, or what a revocation left of one */
    struct mapping mapping; /* shared */
};

/* What is asked: a range, and what it is to be. */
struct change_request {
    enum change_kind kind;
    uint64_t start; /* page number; MAP: a hint, unless fixed */
    uint64_t pages;
    enum memory_protection protection;
    bool fixed;
    const struct hold_edge *edge; /* MAP of an object: taken over if the change begins */
    uint64_t object_page;
};

void memory_spaces_init(void);
void memory_space_init(struct memory_space *space);

/*
 * Begins a change of the caller's own space, in bounded steps; `operation` (an OPERATION_JOB of
 * `caller`) is completed when every CPU has seen it, or when all is as before. Errors, at once and
 * with nothing changed: EXCEPTION_REASON_* in *reason with its limit and amount.
 */
bool change_begin(struct thread *caller, struct operation *operation,
                  const struct change_request *request, struct capn_refuse_reason *reason) MUST_USE;

/* Keeps a range free: all of it is the answer. As change_begin, but over when it returns. */
bool memory_space_reserve(struct process *process, struct change_request *request,
                          struct capn_refuse_reason *reason) MUST_USE;

/* What stands at or above `page`; false: nothing does. */
struct memory_view {
    uint64_t start;
    uint64_t pages;
    enum memory_protection protection;
    bool committed;
    bool shared;
    uint64_t object_page; /* of the slice that was mapped */
};
bool memory_space_query(struct memory_space *space, uint64_t page,
                        struct memory_view *view) MUST_USE;

/* The teardown of a process, no thread of which can run: first nobody else may touch its space any
 * more (before its tables go), then its regions go. Each is a bounded step; false: done. */
bool memory_space_leave_step(struct memory_space *space) MUST_USE;
bool memory_space_free_step(struct memory_space *space) MUST_USE;

#endif
