/* SPDX-License-Identifier: MIT */
/*
 * Provenance: how an edge came into its table. One cold record for each slot, in an array parallel
 * to the slots, so that no lookup touches it; written when the edge is inserted, read by
 * CapabilityManager.why, by dumps and by checks. It decides nothing.
 */
#ifndef CORE_PROVENANCE_H
#define CORE_PROVENANCE_H

#include "abi/capid.h"
#include "abi/limits.h"
#include "core/string.h"

/* Numbers as EdgeOrigin in schema/capability.capnp. */
enum edge_origin {
    EDGE_ORIGIN_MANIFEST = 0,
    EDGE_ORIGIN_SPAWN = 1,
    EDGE_ORIGIN_TRANSFER = 2, /* beside a CALL, or by TRANSFER */
    EDGE_ORIGIN_RESULT = 3,
    EDGE_ORIGIN_DUPLICATE = 4, /* DUP or DELEGATE in the holder's own table */
    EDGE_ORIGIN_KERNEL = 5,
};

/* One step: from whom, through what, when. Zeroes where a kind has no such thing. */
struct provenance {
    char from_name[LIMIT_NAME_BYTES]; /* process it came from; not terminated when it fills it */
    uint64_t from_pid : 40;           /* never reused: 2^40 processes are 34 years of one a ms */
    uint64_t method : 16;             /* TRANSFER, RESULT: of the call that carried it */
    uint64_t origin : 8;              /* enum edge_origin */
    struct cap_id from_cap;           /* the source edge, in the table of from_pid */
    uint64_t detail;                  /* TRANSFER, RESULT: interface of the call; MANIFEST, SPAWN:
                                       * index of the grant */
    uint64_t at_ns;                   /* since boot */
};

/* Notes the process that an edge came from; `name` has LIMIT_NAME_BYTES, the unused ones zero. */
static inline void provenance_from(struct provenance *step, uint64_t pid, const char *name)
{
    step->from_pid = pid & ((UINT64_C(1) << 40) - 1);
    memcpy(step->from_name, name, LIMIT_NAME_BYTES);
}

/* Writes a step that is like `same` but for the edge it came from; its time is the caller's to
 * write. */
static inline void provenance_copy(struct provenance *step, const struct provenance *same,
                                   struct cap_id from_cap)
{
    step->from_cap = from_cap;
    memcpy(step, same, offsetof(struct provenance, from_cap));
    step->detail = same->detail;
}

_Static_assert(sizeof(struct provenance) == 64, "one record is one cache line");

#endif
