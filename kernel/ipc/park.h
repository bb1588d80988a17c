/* SPDX-License-Identifier: MIT */
/* Waiting at a word: core/park behind locks, with operations, time limits and completions. */
#ifndef KERNEL_IPC_PARK_H
#define KERNEL_IPC_PARK_H

#include "kernel/dispatch/quick.h"
#include "kernel/ipc/park_waits.h"

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

/* One thread wakes another and waits itself. */
struct park_turn {
    struct park_key wake;
    uint64_t wake_data;         /* user_data of the UNPARK */
    struct object *wake_object; /* the caller's, for the time of the call; NULL: private memory */
    struct park_word wait;      /* another key than `wake` */
    uint64_t wait_data;         /* of the PARK */
    uint32_t expected;
};

/*
 * Carries out the next two submissions of the current thread, which are all that is left before it
 * waits: wakes the one that waits longest at turn->wake, and waits at turn->wait, with a direct
 * switch if both can be (quick_submission). The operation takes over the caller's reference of
 * turn->wait.object. NONE: the word has another value or cannot be read, no operation is left, or
 * the thread would not wait; nothing happened. No lock is held.
 */
MUST_USE enum quick park_turn(struct cpu *cpu, struct thread *thread, const struct park_turn *turn,
                              struct thread **next);

/* Takes back a PARK operation of a thread of this CPU, with a CANCELLED completion or none. False:
 * it ended before. */
MUST_USE bool park_cancel(struct operation *operation, bool completes);

#endif
