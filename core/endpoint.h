/* SPDX-License-Identifier: MIT */
/*
 * The queues of one endpoint: calls that wait, receivers that wait, calls in flight by token. Pure;
 * the endpoint's lock is the caller's, and so is everything a record means besides its place.
 */
#ifndef CORE_ENDPOINT_H
#define CORE_ENDPOINT_H

#include "abi/limits.h"
#include "core/list.h"

enum endpoint_place {
    ENDPOINT_NOWHERE = 0,
    ENDPOINT_CALL_WAITS,
    ENDPOINT_RECEIVER_WAITS,
    ENDPOINT_IN_FLIGHT,
};

/* One call or one receiver; a member of the operation it stands for. Zeroed: nowhere. */
struct endpoint_record {
    struct list_node node;
    enum endpoint_place place;
    uint32_t token_slot; /* IN_FLIGHT */
};

struct endpoint_token {
    struct endpoint_record *call; /* NULL: free */
    uint32_t generation;          /* of the next token made in this slot; never 0 */
};

struct endpoint_queues {
    struct list calls;
    struct list receivers;
    uint32_t call_count;
    uint32_t receiver_count;
    uint32_t in_flight;
    struct endpoint_token token[LIMIT_TOKEN_SLOTS];
};

void endpoint_queues_init(struct endpoint_queues *queues);

/* Adds a call at the end; false: LIMIT_ENDPOINT_QUEUE calls wait already. */
MUST_USE bool endpoint_add_call(struct endpoint_queues *queues, struct endpoint_record *call);

/* Adds a receiver at the end; false: LIMIT_ENDPOINT_RECEIVERS wait already. */
MUST_USE bool endpoint_add_receiver(struct endpoint_queues *queues,
                                    struct endpoint_record *receiver);

/*
 * Takes the oldest call and the oldest receiver if there are both and a token slot is free: the
 * call is then in flight under *token, the receiver nowhere. false: nothing changed.
 */
MUST_USE bool endpoint_match(struct endpoint_queues *queues, struct endpoint_record **call,
                             struct endpoint_record **receiver, uint64_t *token);

/* The call in flight under `token`, which is used up; NULL: unknown or used before. */
struct endpoint_record *endpoint_finish(struct endpoint_queues *queues, uint64_t token);

/* The same without using it up. */
MUST_USE struct endpoint_record *endpoint_find(const struct endpoint_queues *queues,
                                               uint64_t token);

/* Takes a record out wherever it is. */
void endpoint_remove(struct endpoint_queues *queues, struct endpoint_record *record);

/* Any record that is left, calls first; NULL: none. */
MUST_USE struct endpoint_record *endpoint_any(const struct endpoint_queues *queues);

/* 0, or the number of the first broken invariant of endpoint.c. */
MUST_USE unsigned endpoint_check(const struct endpoint_queues *queues);

#endif
