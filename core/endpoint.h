/* SPDX-License-Identifier: MIT */
/*
 * One endpoint: calls that wait, receivers that wait, calls in flight by token, watches on those,
 * sessions by badge. Pure; the endpoint's lock is the caller's, and so is everything a record means
 * besides its place.
 */
#ifndef CORE_ENDPOINT_H
#define CORE_ENDPOINT_H

#include "abi/errors.h"
#include "abi/limits.h"
#include "abi/ring.h"
#include "core/list.h"

/* Fixed when an endpoint is made. */
struct endpoint_limits {
    uint32_t message_bytes; /* largest message, either way; a multiple of 8, not 0 */
    uint32_t capabilities;  /* most beside one message, either way; 0: none travel */
    uint32_t queue_length;  /* calls that may wait; not 0 */
};

enum endpoint_place {
    ENDPOINT_NOWHERE = 0,
    ENDPOINT_CALL_WAITS,
    ENDPOINT_RECEIVER_WAITS,
    ENDPOINT_IN_FLIGHT,
    ENDPOINT_WATCHES,
};

/* One call, receiver or watch; a member of the operation it stands for. Zeroed: nowhere. */
struct endpoint_record {
    struct list_node node;
    enum endpoint_place place;
    uint32_t token_slot; /* IN_FLIGHT, WATCHES */
};

struct endpoint_token {
    struct endpoint_record *call;  /* NULL: free */
    struct endpoint_record *watch; /* who is told how the call ended; NULL: nobody */
    uint64_t generation;           /* of the next token made in this slot; never 0 */
    uint64_t cancelled;            /* generation of a call taken back and not yet heard of; or 0 */
};

enum endpoint_session_state {
    ENDPOINT_SESSION_NONE = 0,
    ENDPOINT_SESSION_OPEN,   /* an edge or a call of its badge exists, or may */
    ENDPOINT_SESSION_CLOSED, /* none does; the owner has not been told */
};

/* One badge. Zeroed: none. Whoever makes and drops edges and calls counts them. */
struct endpoint_session {
    struct list_node node; /* in its bucket */
    struct list_node closed_node;
    uint64_t badge;
    enum endpoint_session_state state;
};

enum {
    ENDPOINT_BUCKETS = 32,
    ENDPOINT_TOKEN_SLOT_BITS = 5,
};
_Static_assert(LIMIT_TOKEN_SLOTS == 32, "in_flight has one bit for each token slot");
_Static_assert(LIMIT_TOKEN_SLOTS == 1 << ENDPOINT_TOKEN_SLOT_BITS, "a slot's number fits its bits");

struct endpoint_queues {
    struct endpoint_limits limits;
    struct list calls;
    struct list receivers;
    struct list closed; /* sessions whose end the owner has not been told */
    uint32_t call_count;
    uint32_t receiver_count;
    uint32_t session_count;
    uint32_t in_flight; /* mask of the token slots in use */
    struct endpoint_token token[LIMIT_TOKEN_SLOTS];
    struct list bucket[ENDPOINT_BUCKETS]; /* sessions, open and closed */
};

/* Whether an endpoint may have these limits: none 0 but capabilities, none beyond the system's. */
MUST_USE bool endpoint_limits_valid(const struct endpoint_limits *limits);

/* Bytes that a receiver's buffer must hold at least: head, largest message, all records. */
MUST_USE uint32_t endpoint_receive_bytes(const struct endpoint_limits *limits);

/* How many capabilities the answer of a call may bring, whose room has `result_bytes`: each has a
 * record there. */
static inline uint32_t endpoint_answer_slots(const struct endpoint_limits *limits,
                                             uint32_t result_bytes)
{
    uint32_t records = result_bytes / (uint32_t)sizeof(struct received_cap);

    return records < limits->capabilities ? records : limits->capabilities;
}

void endpoint_queues_init(struct endpoint_queues *queues, const struct endpoint_limits *limits);

/* Adds a call at the end, for which there is room. */
static inline void endpoint_push_call(struct endpoint_queues *queues, struct endpoint_record *call)
{
    ASSERT_AGAIN(call->place == ENDPOINT_NOWHERE);
    ASSERT_AGAIN(queues->call_count < queues->limits.queue_length);
    list_push_back(&queues->calls, &call->node);
    call->place = ENDPOINT_CALL_WAITS;
    queues->call_count++;
}

/* Adds a call at the end; false: limits.queue_length calls wait already. */
MUST_USE bool endpoint_add_call(struct endpoint_queues *queues, struct endpoint_record *call);

/* The call that endpoint_match would take next if it takes one; NULL: none can be taken now. */
MUST_USE struct endpoint_record *endpoint_next_call(const struct endpoint_queues *queues);

/* Whether the end of a session waits to be told. */
static inline bool endpoint_has_closed(const struct endpoint_queues *queues)
{
    return !list_is_empty(&queues->closed);
}

/* Whether the next receiver gets a call at most: no session's end waits, and it finds a place. */
static inline bool endpoint_only_calls(const struct endpoint_queues *queues)
{
    return list_is_empty(&queues->closed) && queues->receiver_count < LIMIT_ENDPOINT_RECEIVERS;
}

/* The oldest call that waits; NULL: none. */
static inline struct endpoint_record *endpoint_waiting_call(const struct endpoint_queues *queues)
{
    struct list_node *node = list_first(&queues->calls);

    return node == NULL ? NULL : CONTAINER_OF(node, struct endpoint_record, node);
}

/* The same when there is one. */
static inline struct endpoint_record *endpoint_oldest_call(const struct endpoint_queues *queues)
{
    ASSERT_AGAIN(!list_is_empty(&queues->calls));
    return CONTAINER_OF(queues->calls.head.next, struct endpoint_record, node);
}

/* Adds a receiver at the end, for which there is room. */
static inline void endpoint_push_receiver(struct endpoint_queues *queues,
                                          struct endpoint_record *receiver)
{
    ASSERT_AGAIN(receiver->place == ENDPOINT_NOWHERE);
    ASSERT_AGAIN(queues->receiver_count < LIMIT_ENDPOINT_RECEIVERS);
    list_push_back(&queues->receivers, &receiver->node);
    receiver->place = ENDPOINT_RECEIVER_WAITS;
    queues->receiver_count++;
}

/* Adds a receiver at the end; false: LIMIT_ENDPOINT_RECEIVERS wait already. */
MUST_USE static inline bool endpoint_add_receiver(struct endpoint_queues *queues,
                                                  struct endpoint_record *receiver)
{
    if (UNLIKELY(queues->receiver_count >= LIMIT_ENDPOINT_RECEIVERS)) {
        return false;
    }
    endpoint_push_receiver(queues, receiver);
    return true;
}

/* The receiver that endpoint_match would take next; NULL: none waits. */
MUST_USE static inline struct endpoint_record *
endpoint_next_receiver(const struct endpoint_queues *queues)
{
    struct list_node *node = list_first(&queues->receivers);

    return node == NULL ? NULL : CONTAINER_OF(node, struct endpoint_record, node);
}

/* The same when there is one. */
static inline struct endpoint_record *endpoint_oldest_receiver(const struct endpoint_queues *queues)
{
    ASSERT_AGAIN(!list_is_empty(&queues->receivers));
    return CONTAINER_OF(queues->receivers.head.next, struct endpoint_record, node);
}

/* Takes a receiver that waits off; it is nowhere. */
static inline void endpoint_remove_receiver(struct endpoint_queues *queues,
                                            struct endpoint_record *receiver)
{
    ASSERT_AGAIN(receiver->place == ENDPOINT_RECEIVER_WAITS);
    list_remove(&receiver->node);
    queues->receiver_count--;
    receiver->place = ENDPOINT_NOWHERE;
}

/* The next receiver, which is there, becomes the last: as if it were taken and a new one came. */
static inline void endpoint_rotate_receivers(struct endpoint_queues *queues)
{
    struct list_node *node = queues->receivers.head.next;

    ASSERT_AGAIN(node != &queues->receivers.head);
    list_remove(node);
    list_push_back(&queues->receivers, node);
}

/* Takes the next one off; it is nowhere. */
static inline struct endpoint_record *endpoint_take_receiver(struct endpoint_queues *queues)
{
    struct endpoint_record *receiver = endpoint_next_receiver(queues);

    ASSERT(receiver != NULL);
    endpoint_remove_receiver(queues, receiver);
    return receiver;
}

static inline uint32_t endpoint_token_slot(uint64_t token)
{
    return (uint32_t)token % LIMIT_TOKEN_SLOTS;
}

static inline uint64_t endpoint_token_generation(uint64_t token)
{
    return token >> ENDPOINT_TOKEN_SLOT_BITS;
}

/* `call`, which is in no list, goes into the lowest free token slot; its token. A slot is free. */
static inline uint64_t endpoint_fly(struct endpoint_queues *queues, struct endpoint_record *call)
{
    uint64_t slot = (uint32_t)__builtin_ctz(~queues->in_flight);
    struct endpoint_token *token = &queues->token[slot];

    ASSERT_AGAIN(token->call == NULL && token->watch == NULL);
    queues->in_flight |= UINT32_C(1) << slot;
    token->call = call;
    call->place = ENDPOINT_IN_FLIGHT;
    call->token_slot = (uint32_t)slot;
    return (token->generation << ENDPOINT_TOKEN_SLOT_BITS) | slot;
}

/* Whether a call that comes now would meet the oldest receiver, which is there: endpoint_fly and
 * endpoint_take_receiver are then what endpoint_add_call and endpoint_match do. */
static inline bool endpoint_can_meet(const struct endpoint_queues *queues)
{
    return LIKELY(queues->call_count == 0 && list_is_empty(&queues->closed) &&
                  queues->in_flight != UINT32_MAX);
}

/* Gives the oldest call that waits to a receiver that does not: it is in flight under the token
 * returned. A token slot is free. */
MUST_USE static inline uint64_t endpoint_hand_out(struct endpoint_queues *queues)
{
    struct list_node *node = list_pop_front(&queues->calls);

    ASSERT(node != NULL && queues->in_flight != UINT32_MAX && queues->call_count > 0);
    queues->call_count--;
    return endpoint_fly(queues, CONTAINER_OF(node, struct endpoint_record, node));
}

/* The same for `call`, which is known to be the oldest. */
static inline uint64_t endpoint_hand_out_oldest(struct endpoint_queues *queues,
                                                struct endpoint_record *call)
{
    ASSERT_AGAIN(list_first(&queues->calls) == &call->node && queues->in_flight != UINT32_MAX);
    list_remove(&call->node);
    queues->call_count--;
    return endpoint_fly(queues, call);
}

/* The call in flight under `token`, which stays good; NULL: none. */
MUST_USE static inline struct endpoint_record *endpoint_find(const struct endpoint_queues *queues,
                                                             uint64_t token)
{
    const struct endpoint_token *slot = &queues->token[endpoint_token_slot(token)];

    return slot->generation == endpoint_token_generation(token) ? slot->call : NULL;
}

/* `call`, in flight in `slot`, is nowhere, its token used up and its slot free. Nobody watches it,
 * or the caller sees to it. */
static inline void endpoint_land(struct endpoint_queues *queues, struct endpoint_record *call,
                                 uint32_t slot)
{
    struct endpoint_token *token = &queues->token[slot];

    ASSERT_AGAIN(call->place == ENDPOINT_IN_FLIGHT);
    call->place = ENDPOINT_NOWHERE;
    token->call = NULL;
    token->generation++;
    queues->in_flight &= ~(UINT32_C(1) << slot);
}

/* Whether the calls in flight have the lowest token slots, so that endpoint_fly would give one that
 * lands now its own slot again. */
static inline bool endpoint_is_packed(const struct endpoint_queues *queues)
{
    return (queues->in_flight & (queues->in_flight + 1)) == 0;
}

/* endpoint_land of `call`, in flight under `token`, and endpoint_hand_out_oldest of `next` behind
 * it: the token of `next`. The queues are packed, and stay so. */
static inline uint64_t endpoint_exchange(struct endpoint_queues *queues,
                                         struct endpoint_record *call, uint64_t token,
                                         struct endpoint_record *next)
{
    uint32_t slot = call->token_slot;

    ASSERT_AGAIN(endpoint_is_packed(queues) && call->place == ENDPOINT_IN_FLIGHT);
    ASSERT_AGAIN(endpoint_find(queues, token) == call && queues->token[slot].watch == NULL);
    ASSERT_AGAIN(list_first(&queues->calls) == &next->node);
    list_remove(&next->node);
    queues->call_count--;
    call->place = ENDPOINT_NOWHERE;
    next->place = ENDPOINT_IN_FLIGHT;
    next->token_slot = slot;
    queues->token[slot].call = next;
    queues->token[slot].generation++;
    return token + LIMIT_TOKEN_SLOTS;
}

/* Frees the slot of a call in flight, whose token is used up; who watched it (NULL: nobody). Both
 * are nowhere. */
static inline struct endpoint_record *endpoint_retire(struct endpoint_queues *queues, uint32_t slot)
{
    struct endpoint_token *token = &queues->token[slot];
    struct endpoint_record *watch = token->watch;

    ASSERT(token->call != NULL);
    endpoint_land(queues, token->call, slot);
    if (UNLIKELY(watch != NULL)) {
        ASSERT(watch->place == ENDPOINT_WATCHES && watch->token_slot == slot);
        watch->place = ENDPOINT_NOWHERE;
        token->watch = NULL;
    }
    return watch;
}

enum endpoint_delivery {
    ENDPOINT_DELIVERS_NOTHING,
    ENDPOINT_DELIVERS_CALL,
    ENDPOINT_DELIVERS_CLOSED,
};

struct endpoint_match {
    struct endpoint_record *receiver;
    struct endpoint_record *call;     /* DELIVERS_CALL */
    uint64_t token;                   /* of `call` */
    struct endpoint_session *session; /* DELIVERS_CLOSED */
};

/*
 * Takes the oldest receiver and what it gets: the oldest session whose end was not told, which is
 * then none; else the oldest call, if a token slot is free, which is then in flight. The receiver
 * is nowhere. DELIVERS_NOTHING: nothing changed.
 */
MUST_USE enum endpoint_delivery endpoint_match(struct endpoint_queues *queues,
                                               struct endpoint_match *match);

/* A call that left the endpoint, and who watched it (NULL: nobody); both are nowhere. */
struct endpoint_end {
    struct endpoint_record *call;
    struct endpoint_record *watch;
};

/*
 * Uses up `token` and gives the call in flight under it. CANCELLED: the call was taken back after
 * it was received; told once. BAD_TOKEN: never made, or used before.
 */
MUST_USE enum transport_error endpoint_finish(struct endpoint_queues *queues, uint64_t token,
                                              struct endpoint_end *end);

/*
 * Has `watch` told how the call in flight under `token` ends. CANCELLED: it was taken back already,
 * and the token stays as it is; BAD_TOKEN; LIMIT: it is watched already. Nothing changed then.
 */
MUST_USE enum transport_error endpoint_watch(struct endpoint_queues *queues, uint64_t token,
                                             struct endpoint_record *watch);

/* Takes a record out wherever it is. Returns who watched it, if it was a call in flight; its token
 * then answers CANCELLED once. */
MUST_USE struct endpoint_record *endpoint_remove(struct endpoint_queues *queues,
                                                 struct endpoint_record *record);

/* Any call or receiver that is left, calls first; NULL: none. */
MUST_USE struct endpoint_record *endpoint_any(const struct endpoint_queues *queues);

/* Opens a session. EXISTS: the badge is in use, or its end was not told; LIMIT:
 * LIMIT_ENDPOINT_SESSIONS are there. */
enum endpoint_session_refusal {
    ENDPOINT_SESSION_OK = 0,
    ENDPOINT_SESSION_EXISTS,
    ENDPOINT_SESSION_LIMIT,
};
MUST_USE enum endpoint_session_refusal endpoint_session_open(struct endpoint_queues *queues,
                                                             struct endpoint_session *session,
                                                             uint64_t badge);

/* The last edge and call of an open session are gone: its end waits for a receiver. */
void endpoint_session_close(struct endpoint_queues *queues, struct endpoint_session *session);

/* Takes a session out in whatever state. */
void endpoint_session_remove(struct endpoint_queues *queues, struct endpoint_session *session);

/* The oldest session whose end was not told; NULL: none. */
MUST_USE struct endpoint_session *endpoint_session_closed(const struct endpoint_queues *queues);

/* What decides whether a CALL that waits switches straight to its receiver. */
struct endpoint_switch {
    bool caller_waits;          /* its cap_enter will wait, and nothing is left to drain */
    bool receiver_waits;        /* in cap_enter, and this delivery is what it waits for */
    bool same_cpu;              /* both have this CPU as their home */
    bool ending;                /* either process or thread is ending */
    unsigned caller_priority;   /* lent to the receiver until it answers */
    unsigned receiver_priority; /* its own */
    unsigned ready_priority;    /* of the most urgent task that is ready here */
    bool anyone_ready;          /* ready_priority holds */
    uint64_t time_left_ns;      /* of the caller's quantum, lent with the priority */
};

/*
 * Whether the kernel may go from the caller straight to the receiver without asking the run queue:
 * the caller gives up the CPU anyway, the receiver can run here and now, on time the caller has,
 * and nobody who is ready is more urgent than the pair.
 */
MUST_USE static inline bool endpoint_may_switch(const struct endpoint_switch *facts)
{
    unsigned lent = facts->caller_priority > facts->receiver_priority ? facts->caller_priority
                                                                      : facts->receiver_priority;

    return facts->caller_waits && facts->receiver_waits && facts->same_cpu && !facts->ending &&
           facts->time_left_ns != 0 && (!facts->anyone_ready || facts->ready_priority <= lent);
}

/* 0, or the number of the first broken invariant of endpoint.c. */
MUST_USE unsigned endpoint_check(const struct endpoint_queues *queues);

#endif
