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
#include "core/string.h"

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
    uint32_t spare;
};

struct answer {
    struct list waiting;   /* calls promised from it, in the order of their submission */
    struct cqe completion; /* of a decided answer with work: posted when it is settled */
    uint32_t id;           /* 0: FREE */
    uint8_t state;         /* enum answer_state */
    uint8_t held;          /* results */
    bool finished;         /* its id names nothing any more; FREE once it is settled */
    bool releases;         /* finished, and what it holds is released before it is settled */
    bool has_work;         /* on the table's work queue: decided, and not settled yet */
    uint8_t work_next;     /* slot of the next answer on that queue */
};

/* One promised call that waits; a member of the operation it stands for. Zeroed: nowhere. */
struct answer_call {
    struct list_node node;
    struct answer *answer; /* what it waits for; NULL: nowhere */
    struct answer_path path;
};

/* Memory of a table: the caller's, as long as the table. Zeroed. */
struct answer_memory {
    struct answer *answers;
    struct answer_result *results; /* LIMIT_ANSWER_CAPS for each answer */
    uint32_t answer_count;         /* at most 1 << ANSWER_SLOT_BITS */
};

struct answer_table {
    struct answer_memory memory;
    uint8_t work_first; /* slots, where work_count is not 0 */
    uint8_t work_last;
    uint32_t work_count; /* answers decided and not settled */
    uint32_t used;       /* answers not FREE */
    uint32_t waiting;    /* calls on all waiting lists */
};

void answer_table_init(struct answer_table *table, struct answer_memory memory);

static inline uint32_t answer_id_slot(uint32_t id)
{
    return id & ((1U << ANSWER_SLOT_BITS) - 1);
}

/*
 * Begins an answer: PENDING. BAD_ANSWER: the id's slot is beyond the table or in use, or its
 * generation is 0.
 */
MUST_USE static inline enum transport_error answer_open(struct answer_table *table, uint32_t id,
                                                        struct answer **opened)
{
    struct answer *answer;

    if (answer_id_slot(id) >= table->memory.answer_count || id >> ANSWER_SLOT_BITS == 0) {
        return TRANSPORT_BAD_ANSWER;
    }
    answer = &table->memory.answers[answer_id_slot(id)];
    if (answer->state != ANSWER_FREE) {
        return TRANSPORT_BAD_ANSWER;
    }
    ASSERT_AGAIN(answer->id == 0 && answer->held == 0 && list_is_empty(&answer->waiting));
    answer->id = id;
    answer->state = ANSWER_PENDING;
    table->used++;
    *opened = answer;
    return TRANSPORT_OK;
}

/* Takes back an answer_open of which nobody was told: FREE as before. */
void answer_withdraw(struct answer_table *table, struct answer *answer);

/* The answer opened under `id`, kept or finished; it is not FREE. */
static inline struct answer *answer_opened(const struct answer_table *table, uint32_t id)
{
    struct answer *answer = &table->memory.answers[answer_id_slot(id)];

    ASSERT_AGAIN(answer_id_slot(id) < table->memory.answer_count);
    ASSERT(answer->id == id);
    ASSERT_AGAIN(answer->state != ANSWER_FREE);
    return answer;
}

/* The answer kept under `id`; NULL: none is. */
static inline struct answer *answer_kept(const struct answer_table *table, uint32_t id)
{
    struct answer *answer;

    if (answer_id_slot(id) >= table->memory.answer_count || id >> ANSWER_SLOT_BITS == 0) {
        return NULL;
    }
    answer = &table->memory.answers[answer_id_slot(id)];
    return answer->id == id && !answer->finished ? answer : NULL;
}

/* The results of an answer: LIMIT_ANSWER_CAPS places, of which it holds some. */
static inline struct answer_result *answer_results(const struct answer_table *table,
                                                   const struct answer *answer)
{
    return &table->memory.results[(answer - table->memory.answers) * LIMIT_ANSWER_CAPS];
}

static inline bool answer_path_equal(struct answer_path a, struct answer_path b)
{
    uint32_t one;
    uint32_t other;

    memcpy(&one, a.step, sizeof(one));
    memcpy(&other, b.step, sizeof(other));
    return one == other;
}

/* Adds a capability to a PENDING answer. The first LIMIT_ANSWER_CAPS count, the others cannot be
 * promised; of two with one path the first counts; one without a path is passed over. */
void answer_add(struct answer_table *table, struct answer *answer, struct answer_path path,
                struct cap_id cap);

/*
 * The call of a PENDING answer has ended with `completion`: ANSWERED if that is a result, BROKEN if
 * it is an error or an exception. True: nothing waits for it and nothing it holds is to be
 * released, so it is settled (and gone if it was finished), and the caller posts the completion.
 * False: the table keeps the completion until answer_next hands it back.
 */
MUST_USE bool answer_decide(struct answer_table *table, struct answer *answer,
                            const struct cqe *completion);

/*
 * The short way of an answer for which one call waits: the one that waits for this PENDING answer,
 * when its promise names a capability that the answer has, *cap, nothing that it holds is to be
 * released, and no other answer has work; nothing changes. NULL: else. Then, if the answer is to be
 * ANSWERED, answer_settle does what answer_decide and answer_next would: the call is nowhere, to be
 * sent to *cap, and the answer is settled, its completion the caller's to post once the call was
 * sent.
 */
MUST_USE struct answer_call *answer_sole(const struct answer_table *table,
                                         const struct answer *answer, struct cap_id *cap);
void answer_settle(struct answer_table *table, struct answer *answer);

/*
 * The short way of an answer that is for one call alone: the one that waits for this answer at
 * `path`, when nothing else does, the answer is finished with what it gives, holds nothing yet, and
 * no other answer has work; nothing changes. NULL: else. Then, if a capability comes at `path` and
 * the answer is to be ANSWERED, answer_relay does what answer_add, answer_decide and answer_next
 * would: the call is nowhere, to be sent to that capability, which is released, and the answer is
 * settled and FREE, its completion the caller's to post.
 */
MUST_USE static inline struct answer_call *answer_relays(const struct answer_table *table,
                                                         const struct answer *answer,
                                                         struct answer_path path)
{
    struct list_node *node = list_first(&answer->waiting);
    struct answer_call *call;

    if (node == NULL || node != list_last(&answer->waiting) || !answer->releases ||
        answer->state != ANSWER_PENDING || answer->held != 0 || table->work_count != 0) {
        return NULL;
    }
    call = CONTAINER_OF(node, struct answer_call, node);
    return answer_path_equal(call->path, path) ? call : NULL;
}

static inline void answer_relay(struct answer_table *table, struct answer_call *call)
{
    struct answer *answer = call->answer;

    ASSERT_AGAIN(answer->releases && answer->state == ANSWER_PENDING && answer->held == 0);
    list_remove(&call->node);
    ASSERT_AGAIN(list_is_empty(&answer->waiting));
    call->answer = NULL;
    table->waiting--;
    table->used--;
    answer->id = 0;
    answer->state = ANSWER_FREE;
    answer->finished = false;
    answer->releases = false;
}

/* The call of an answer that was just opened has ended with a result at once, and with the
 * capability `cap` at the path of one step, `step`, if that is not 0: ANSWERED, settled. */
void answer_at_once(struct answer_table *table, struct answer *answer, uint8_t step,
                    struct cap_id cap);

/* What a promise stands for at this moment. */
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

/* The same for an answer that is known to be undecided, or to have work, at `path`. */
static inline void answer_wait_for(struct answer_table *table, struct answer *answer,
                                   struct answer_path path, struct answer_call *call)
{
    ASSERT_AGAIN(call->answer == NULL && (answer->state == ANSWER_PENDING || answer->has_work));
    call->answer = answer;
    call->path = path;
    list_push_back(&answer->waiting, &call->node);
    table->waiting++;
}

/* Whether what is promised from `answer`, which is kept, waits for it. */
static inline bool answer_is_awaited(const struct answer *answer)
{
    return answer->state == ANSWER_PENDING || answer->has_work;
}

/* answer_finish_release of an answer that is awaited. */
static inline void answer_finish_awaited(struct answer *answer)
{
    ASSERT_AGAIN(answer_is_awaited(answer) && !answer->finished);
    answer->finished = true;
    answer->releases = true;
}

/* Takes a call that waits off its answer. */
void answer_call_remove(struct answer_table *table, struct answer_call *call);

/*
 * Ends the keeping of an answer: its id names nothing from now on. Calls that wait for it still get
 * what they were promised. BAD_ANSWER: no answer is kept under this id.
 */
MUST_USE enum transport_error answer_finish(struct answer_table *table, uint32_t id);

/* What an answer held and gives up: edges of its caller's table, as far as they are still there. */
struct answer_released {
    uint32_t count;
    struct cap_id cap[LIMIT_ANSWER_CAPS];
};

/*
 * The same, and what the answer holds is released: by the caller now, if it is in *released, or
 * when answer_next says so, once nothing waits for it any more.
 */
MUST_USE enum transport_error answer_finish_release(struct answer_table *table, uint32_t id,
                                                    struct answer_released *released);

/* One step of the work that decided answers leave. */
enum answer_step {
    ANSWER_STEP_NONE,    /* nothing is left */
    ANSWER_STEP_CALL,    /* `call` is nowhere now: send it to `target`'s outcome */
    ANSWER_STEP_RELEASE, /* nothing waits for an answer that gives up `cap`: release that */
    ANSWER_STEP_SETTLED, /* and nothing is left of it: post its `completion` */
};
struct answer_work {
    struct answer_call *call;
    enum answer_target target; /* CAP, BROKEN or NO_PATH */
    struct cap_id cap;
    struct cqe completion;
};

/* Takes one step, of the answer decided first: calls in the order they were submitted, then what is
 * released. */
MUST_USE enum answer_step answer_next(struct answer_table *table, struct answer_work *work);

/* 0, or the number of the first broken invariant of answer.c. */
MUST_USE unsigned answer_check(const struct answer_table *table);

#endif
