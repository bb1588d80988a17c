/* SPDX-License-Identifier: MIT */
/* Waiting at a word: core/park behind locks, with operations, time limits and completions. */
#ifndef KERNEL_IPC_PARK_H
#define KERNEL_IPC_PARK_H

#include "core/park.h"
#include "kernel/ipc/park_waits.h"
#include "kernel/sched/process.h"

/* Those who wait at the words whose keys fall into one bucket. */
struct park_place {
    struct spinlock lock; /* two at most, the lower one first */
    struct park_bucket waiters;
};

extern struct park_place park_places[PARK_BUCKETS];
extern uint64_t park_seed; /* fixed at boot */

static inline struct park_place *park_place_of(struct park_key key)
{
    return &park_places[park_bucket_of(key, park_seed)];
}

/* A word to wait at. */
struct park_word {
    struct park_key key;
    struct object *object;    /* memory that is shared under this name; NULL: the process's own */
    const uint32_t *shared;   /* the word there; NULL: it has none at this offset */
    struct park_waits *waits; /* of the object */
    struct grant_node *grant; /* of the edge of the object; NULL: it was never delegated */
};

void park_init(void);

/* What PARK asks for besides the word. */
struct park_wait {
    uint32_t expected;
    uint64_t timeout_ns;
    uint64_t user_data;
};

/*
 * Waits at `word` if it holds what is expected: TRANSPORT_OK, and an operation completes later.
 * BAD_BUFFER: the word cannot be read; CHANGED: it holds *found; LIMIT: no operation is left.
 * Nothing happened then. The current thread's; no lock is held.
 */
MUST_USE enum transport_error park_begin(struct thread *thread, const struct park_word *word,
                                         const struct park_wait *wait, uint32_t *found);

/* Ends the waits of at most `limit` (LIMIT_UNPARK counts too) at `key`, the longest first; how
 * many. No lock is held. */
uint32_t park_wake(struct park_key key, uint32_t limit);

/* The operation waits in `place`, or was just taken out of its bucket, and is in no list any more;
 * its object, whose reference is the caller's to give up. The place is locked. */
struct object *park_leave(struct park_place *place, struct operation *operation);

/* Takes back a PARK operation of a thread of this CPU, with a CANCELLED completion or none. False:
 * it ended before. */
MUST_USE bool park_cancel(struct operation *operation, bool completes);

#endif
