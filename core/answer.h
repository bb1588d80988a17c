/* SPDX-License-Identifier: MIT */
/*
 * The answers that one thread keeps, and the calls promised from them. A CALL may name an id under
 * which its answer is kept; later CALLs may name "the capability at this pointer path of answer n"
 * as their target, before n has come. Pure: the ring's lock is the caller's, and so is what a call
 * means besides its place.
 */
#ifndef CORE_ANSWER_H
#define CORE_ANSWER_H

#include "abi/ring.h"
#include "core/list.h"

enum answer_state {
    ANSWER_FREE = 0,
    ANSWER_PENDING,  /* its call is under way */
    ANSWER_ANSWERED, /* it holds what the call gave */
    ANSWER_BROKEN,   /* the call gave nothing: refused, failed, excepted, cancelled */
};

/* A capability of an answer: where the message points at it, and its id in the caller's table. */
struct answer_result {
    struct cap_id cap;
    struct answer_path path;
    uint32_t next; /* in the answer's chain or the free chain; ANSWER_RESULT_NONE ends */
};

enum {
    ANSWER_RESULT_NONE = UINT32_MAX,
};

struct answer {
    struct list waiting;        /* calls promised from it, in the order of their submission */
    struct list_node work_node; /* on table->work: decided, and not settled yet */
    void *owner;                /* the caller's: what answer_next hands back when it settles */
    uint32_t id;                /* 0: FREE */
    uint32_t first;             /* of its chain of results */
    uint16_t held;              /* results in the chain */
    uint16_t room;              /* results that may still be added; PENDING only */
    uint8_t state;              /* enum answer_state */
    bool finished;              /* its id names nothing any more; FREE once it is settled */
};

/* One promised call that waits; a member of the operation it stands for. Zeroed: nowhere. */
struct answer_call {
    struct list_node node;
    struct answer *answer; /* what it waits for; NULL: nowhere */
    struct answer_path path;
};

/* Memory of a table: the caller's, as long as the table. */
struct answer_memory {
    struct answer *answers;
    struct answer_result *results;
    uint32_t answer_count; /* at most 1 << ANSWER_SLOT_BITS */
    uint32_t result_count;
};

struct answer_table {
    struct answer_memory memory;
    struct list work;         /* answers decided and not settled, oldest first */
    uint32_t result_free;     /* chain of free results */
    uint32_t result_count;    /* in that chain */
    uint32_t result_reserved; /* of those, promised to answers that are PENDING */
    uint32_t used;            /* answers not FREE */
    uint32_t waiting;         /* calls on all waiting lists */
};

void answer_table_init(struct answer_table *table, struct answer_memory memory);

/*
 * Begins an answer: PENDING, with room for `results` capabilities. `owner` is not looked at.
 * BAD_ANSWER: the id's slot is beyond the table or in use, or its generation is 0. LIMIT: fewer
 * than `results` records are free.
 */
MUST_USE enum transport_error answer_open(struct answer_table *table, uint32_t id, uint32_t results,
                                          void *owner, struct answer **answer);

/* Adds a capability to a PENDING answer, which has room. Of two with one path the first counts. */
void answer_add(struct answer_table *table, struct answer *answer, struct answer_path path,
                struct cap_id cap);

/*
 * The answer has come (`broken` false) or will not. True: nothing waits for it, it is settled, and
 * if it was finished it is gone. False: answer_next will say when it is settled.
 */
MUST_USE bool answer_decide(struct answer_table *table, struct answer *answer, bool broken);

/* What a promise stands for now. */
enum answer_target {
    ANSWER_TARGET_CAP,     /* *cap is it */
    ANSWER_TARGET_WAITS,   /* answer_wait says when it is known */
    ANSWER_TARGET_BROKEN,  /* the answer broke */
    ANSWER_TARGET_NO_PATH, /* the answer has no capability there */
    ANSWER_TARGET_UNKNOWN, /* no answer is kept under this id */
};
MUST_USE enum answer_target answer_target_find(const struct answer_table *table,
                                               const struct promise *promise, struct cap_id *cap);

/* Makes `call` wait for a promise that WAITS, behind the calls that wait for the same answer. */
void answer_wait(struct answer_table *table, const struct promise *promise,
                 struct answer_call *call);

/* Takes a call that waits off its answer. */
void answer_call_remove(struct answer_table *table, struct answer_call *call);

/*
 * Ends the keeping of an answer: its id names nothing from now on. Calls that wait for it still get
 * what they were promised. BAD_ANSWER: no answer is kept under this id.
 */
MUST_USE enum transport_error answer_finish(struct answer_table *table, uint32_t id);

/* One step of the work that decided answers leave. */
enum answer_step {
    ANSWER_STEP_NONE,    /* nothing is left */
    ANSWER_STEP_CALL,    /* `call` is nowhere now: send it to `target`'s outcome */
    ANSWER_STEP_SETTLED, /* nothing waits for the answer of `owner` any more */
};
struct answer_work {
    struct answer_call *call;
    enum answer_target target; /* CAP, BROKEN or NO_PATH */
    struct cap_id cap;
    void *owner;
};

/* Takes one step, of the answer decided first, calls in the order they were submitted. */
MUST_USE enum answer_step answer_next(struct answer_table *table, struct answer_work *work);

/* The state of the answer kept under `id`; FREE: none is. */
MUST_USE enum answer_state answer_state_of(const struct answer_table *table, uint32_t id);

/* 0, or the number of the first broken invariant of answer.c. */
MUST_USE unsigned answer_check(const struct answer_table *table);

static inline bool answer_path_equal(struct answer_path a, struct answer_path b)
{
    return a.step[0] == b.step[0] && a.step[1] == b.step[1] && a.step[2] == b.step[2] &&
           a.step[3] == b.step[3];
}

#endif
