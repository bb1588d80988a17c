/* SPDX-License-Identifier: MIT */
/*
 * A change of regions, for memory_space.c, memory_claim.c and memory_change.c alone. The theory is
 * in memory_space.c.
 */
#ifndef KERNEL_OBJECT_MEMORY_CHANGE_H
#define KERNEL_OBJECT_MEMORY_CHANGE_H

#include "kernel/mem/shootdown.h"
#include "kernel/object/memory_space.h"

enum {
    CHANGE_SPARES = 2,
    CLAIM_REGIONS =
        16, /* each is claimed in some 150 instructions, behind a search for the first */
    FINISH_REGIONS = 4, /* each is looked for and drops an edge: about 2,500 instructions */
};

enum change_phase {
    CHANGE_CLAIM, /* not of MAP, which has its region from the beginning */
    CHANGE_APPLY,
    CHANGE_UNDO,
    CHANGE_FINISH,
};

struct change {
    struct job job;
    struct unmap unmap;
    struct operation *operation; /* NULL: the caller is gone */
    struct process *process;
    enum change_kind kind;
    enum change_phase phase;
    enum status status; /* why it is undone */
    bool refused;       /* at CLAIM, for `reason` */
    struct capn_refuse_reason reason;
    uint64_t start;
    uint64_t pages;
    uint64_t cursor;   /* pages done; CLAIM: up to where regions are its own */
    uint64_t finished; /* FINISH: up to where no region is its own any more */
    enum memory_protection protection;
    struct memory_region *region; /* MAP: the new one */
    struct memory_region *spare[CHANGE_SPARES];
};

void memory_changes_init(void);

/* A reason for whoever asked; false, so that a check can end with it. */
bool memory_refuse(struct capn_refuse_reason *reason, uint16_t why, uint64_t limit,
                   uint64_t amount);
bool memory_refuse_limit(struct capn_refuse_reason *reason, const char *name, uint64_t limit);

static inline struct memory_region *memory_region_of(struct region *region)
{
    return region == NULL ? NULL : CONTAINER_OF(region, struct memory_region, region);
}

static inline bool memory_region_is_private(const struct memory_region *region)
{
    return !region->shared;
}

/* Memory of a region, zeroed; NULL: there is none. */
struct memory_region *memory_region_alloc(void);

/* Puts the region where the request wants it; false: refused. Space lock held. */
bool memory_region_place(struct process *process, struct change_request *request,
                         struct memory_region *region, struct capn_refuse_reason *reason);

void memory_region_remove(struct memory_space *space, struct memory_region *region);

/* The end of a region that is in no space any more, and of what it held. No lock is held. */
void memory_region_end(struct memory_region *region);

/* Makes the new region of a MAP the change's own, or says why not and changes nothing. */
bool change_claim_new(struct change *change, struct change_request *request,
                      struct capn_refuse_reason *reason);

enum claim {
    CLAIM_MORE,
    CLAIM_OVER,    /* all of the range is the change's, cut at its ends */
    CLAIM_REFUSED, /* *reason says why; FINISH gives back what was claimed */
};

/* The next few regions of the range become the change's own. */
enum claim change_claim(struct change *change, struct capn_refuse_reason *reason);

#endif
