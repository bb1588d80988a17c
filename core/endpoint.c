/* SPDX-License-Identifier: MIT */
/*
 * Endpoints.
 *
 * An endpoint is where the calls of many clients meet the receivers of one server. Its limits are
 * fixed when it is made, and everyone who waits at it has reserved by them, so that a delivery
 * cannot fail: a receiver has room for the largest message with all its capabilities, a caller for
 * those of the answer.
 *
 * A call:     nowhere -> waits (add_call) -> in flight (match) -> nowhere (finish, remove).
 * A receiver: nowhere -> waits (add_receiver) -> nowhere (match, remove).
 * A watch:    nowhere -> watches (watch) -> nowhere (when its call leaves, or remove).
 * A session:  none -> open (open) -> closed (close) -> none (match, remove).
 *
 * A token is a slot's number and the generation it was made in. Finishing or removing the call
 * raises the generation, which is too wide to come round, so a token is good once. A call that is
 * removed while in flight was taken back by its caller; its token answers CANCELLED the first time
 * the server uses it and BAD_TOKEN from then on, so that a server can tell a caller that lost
 * interest from a mistake of its own.
 *
 * A session is a badge. Its edges and calls are counted where they are made and dropped; when none
 * is left the session is closed, and the owner is told by the next receiver, once: telling it is
 * what makes the badge free again. The record is there from the minting on, so that telling needs
 * no memory. Ends are told before calls: they give resources back, and there are at most as many
 * as the owner minted.
 *
 * Invariants:
 *  1. Each record's `place` says which structure holds it, and it is in that one alone.
 *  2. call_count and receiver_count are the lengths of their lists, at most limits.queue_length and
 *     LIMIT_ENDPOINT_RECEIVERS.
 *  3. in_flight has the bits of the token slots in use; the record of each names its slot, and so
 *     does its watch; a free slot has no watch.
 *  4. No generation is 0; a generation kept as cancelled is older than its slot's.
 *  5. Every session is in the bucket of its badge, no two have one badge, and session_count of them
 *     are there, at most LIMIT_ENDPOINT_SESSIONS; the closed ones, and no others, are in `closed`.
 *
 * Locks: the endpoint's, the caller's. What can fail: a full queue, a token that is not good, a
 * badge in use; each leaves everything as it was, but that a cancellation is told once.
 */
#include "core/endpoint.h"

#include "abi/ring.h"
#include "core/string.h"

static struct endpoint_record *record_of(struct list_node *node)
{
    return CONTAINER_OF(node, struct endpoint_record, node);
}

bool endpoint_limits_valid(const struct endpoint_limits *limits)
{
    return limits->message_bytes != 0 && limits->message_bytes % 8 == 0 &&
           limits->message_bytes <= LIMIT_MESSAGE_BYTES && limits->queue_length != 0 &&
           limits->queue_length <= LIMIT_ENDPOINT_QUEUE &&
           limits->capabilities <= LIMIT_ENDPOINT_CAPABILITIES;
}

uint32_t endpoint_receive_bytes(const struct endpoint_limits *limits)
{
    return (uint32_t)sizeof(struct endpoint_message) + limits->message_bytes +
           limits->capabilities * (uint32_t)sizeof(struct received_cap);
}

void endpoint_queues_init(struct endpoint_queues *queues, const struct endpoint_limits *limits)
{
    ASSERT(endpoint_limits_valid(limits));
    memset(queues, 0, sizeof(*queues));
    queues->limits = *limits;
    list_init(&queues->calls);
    list_init(&queues->receivers);
    list_init(&queues->closed);
    for (uint32_t i = 0; i < LIMIT_TOKEN_SLOTS; i++) {
        queues->token[i].generation = 1;
    }
    for (uint32_t i = 0; i < ENDPOINT_BUCKETS; i++) {
        list_init(&queues->bucket[i]);
    }
}

bool endpoint_add_call(struct endpoint_queues *queues, struct endpoint_record *call)
{
    ASSERT(call->place == ENDPOINT_NOWHERE);
    if (queues->call_count >= queues->limits.queue_length) {
        return false;
    }
    endpoint_push_call(queues, call);
    return true;
}

struct endpoint_record *endpoint_next_call(const struct endpoint_queues *queues)
{
    if (list_is_empty(&queues->calls) || list_is_empty(&queues->receivers) ||
        queues->in_flight == UINT32_MAX) {
        return NULL;
    }
    return record_of(list_first(&queues->calls));
}

enum endpoint_delivery endpoint_match(struct endpoint_queues *queues, struct endpoint_match *match)
{
    if (list_is_empty(&queues->receivers)) {
        return ENDPOINT_DELIVERS_NOTHING;
    }
    if (UNLIKELY(!list_is_empty(&queues->closed))) {
        match->session = endpoint_session_closed(queues);
        match->receiver = endpoint_take_receiver(queues);
        endpoint_session_remove(queues, match->session);
        return ENDPOINT_DELIVERS_CLOSED;
    }
    if (endpoint_next_call(queues) == NULL) {
        return ENDPOINT_DELIVERS_NOTHING;
    }
    match->call = endpoint_waiting_call(queues);
    match->token = endpoint_hand_out(queues);
    match->receiver = endpoint_take_receiver(queues);
    return ENDPOINT_DELIVERS_CALL;
}

/* Why `token`, under which no call is in flight, is not good. */
static enum transport_error token_error(const struct endpoint_queues *queues, uint64_t token)
{
    uint64_t generation = endpoint_token_generation(token);

    return generation != 0 && queues->token[endpoint_token_slot(token)].cancelled == generation
               ? TRANSPORT_CANCELLED
               : TRANSPORT_BAD_TOKEN;
}

enum transport_error endpoint_finish(struct endpoint_queues *queues, uint64_t token,
                                     struct endpoint_end *end)
{
    enum transport_error error;

    end->call = endpoint_find(queues, token);
    if (end->call != NULL) {
        end->watch = endpoint_retire(queues, endpoint_token_slot(token));
        return TRANSPORT_OK;
    }
    error = token_error(queues, token);
    if (error == TRANSPORT_CANCELLED) {
        queues->token[endpoint_token_slot(token)].cancelled = 0;
    }
    return error;
}

enum transport_error endpoint_watch(struct endpoint_queues *queues, uint64_t token,
                                    struct endpoint_record *watch)
{
    struct endpoint_token *slot;

    ASSERT(watch->place == ENDPOINT_NOWHERE);
    if (endpoint_find(queues, token) == NULL) {
        return token_error(queues, token);
    }
    slot = &queues->token[endpoint_token_slot(token)];
    if (slot->watch != NULL) {
        return TRANSPORT_LIMIT;
    }
    slot->watch = watch;
    watch->place = ENDPOINT_WATCHES;
    watch->token_slot = endpoint_token_slot(token);
    return TRANSPORT_OK;
}

struct endpoint_record *endpoint_remove(struct endpoint_queues *queues,
                                        struct endpoint_record *record)
{
    struct endpoint_token *token = &queues->token[record->token_slot];

    switch (record->place) {
    case ENDPOINT_NOWHERE:
        return NULL;
    case ENDPOINT_IN_FLIGHT:
        ASSERT(token->call == record);
        token->cancelled = token->generation;
        return endpoint_retire(queues, record->token_slot);
    case ENDPOINT_WATCHES:
        ASSERT(token->watch == record);
        token->watch = NULL;
        record->place = ENDPOINT_NOWHERE;
        return NULL;
    case ENDPOINT_CALL_WAITS:
        ASSERT(queues->call_count > 0);
        queues->call_count--;
        break;
    case ENDPOINT_RECEIVER_WAITS:
        ASSERT(queues->receiver_count > 0);
        queues->receiver_count--;
        break;
    }
    list_remove(&record->node);
    record->place = ENDPOINT_NOWHERE;
    return NULL;
}

/* The call in flight in the lowest slot of `mask`; NULL: it is empty. */
static struct endpoint_record *in_flight_first(const struct endpoint_queues *queues, uint32_t mask)
{
    return mask == 0 ? NULL : queues->token[__builtin_ctz(mask)].call;
}

struct endpoint_record *endpoint_any(const struct endpoint_queues *queues)
{
    if (!list_is_empty(&queues->calls)) {
        return record_of(list_first(&queues->calls));
    }
    if (!list_is_empty(&queues->receivers)) {
        return record_of(list_first(&queues->receivers));
    }
    return in_flight_first(queues, queues->in_flight);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static struct endpoint_session *session_of(struct list_node *node)
{
    return CONTAINER_OF(node, struct endpoint_session, node);
}

/* Badges are the owner's choice: one who makes them collide slows down itself, and no search is
 * longer than LIMIT_ENDPOINT_SESSIONS. */
static uint32_t bucket_of(uint64_t badge)
{
    return (uint32_t)(badge ^ (badge >> 32)) % ENDPOINT_BUCKETS;
}

static bool badge_in_use(const struct list *bucket, uint64_t badge)
{
    for (struct list_node *node = list_first(bucket); node != NULL;
         node = list_next(bucket, node)) {
        if (session_of(node)->badge == badge) {
            return true;
        }
    }
    return false;
}

enum endpoint_session_refusal endpoint_session_open(struct endpoint_queues *queues,
                                                    struct endpoint_session *session,
                                                    uint64_t badge)
{
    struct list *bucket = &queues->bucket[bucket_of(badge)];

    ASSERT(session->state == ENDPOINT_SESSION_NONE);
    if (badge_in_use(bucket, badge)) {
        return ENDPOINT_SESSION_EXISTS;
    }
    if (queues->session_count >= LIMIT_ENDPOINT_SESSIONS) {
        return ENDPOINT_SESSION_LIMIT;
    }
    session->badge = badge;
    session->state = ENDPOINT_SESSION_OPEN;
    list_push_back(bucket, &session->node);
    queues->session_count++;
    return ENDPOINT_SESSION_OK;
}

void endpoint_session_close(struct endpoint_queues *queues, struct endpoint_session *session)
{
    ASSERT(session->state == ENDPOINT_SESSION_OPEN);
    session->state = ENDPOINT_SESSION_CLOSED;
    list_push_back(&queues->closed, &session->closed_node);
}

void endpoint_session_remove(struct endpoint_queues *queues, struct endpoint_session *session)
{
    ASSERT(session->state != ENDPOINT_SESSION_NONE);
    ASSERT(queues->session_count > 0);
    if (session->state == ENDPOINT_SESSION_CLOSED) {
        list_remove(&session->closed_node);
    }
    list_remove(&session->node);
    queues->session_count--;
    session->state = ENDPOINT_SESSION_NONE;
}

struct endpoint_session *endpoint_session_closed(const struct endpoint_queues *queues)
{
    struct list_node *node = list_first(&queues->closed);

    return node == NULL ? NULL : CONTAINER_OF(node, struct endpoint_session, closed_node);
}

/* ---- check ----------------------------------------------------------------------------------- */

/* Invariant 1 for one list; its length in *count. */
static bool list_holds(const struct list *list, enum endpoint_place place, uint32_t *count)
{
    *count = 0;
    for (struct list_node *node = list_first(list); node != NULL; node = list_next(list, node)) {
        if (record_of(node)->place != place) {
            return false;
        }
        (*count)++;
    }
    return true;
}

/* Invariants 3 and 4 for one slot. */
static unsigned token_check(const struct endpoint_queues *queues, uint32_t slot)
{
    const struct endpoint_token *token = &queues->token[slot];
    bool used = ((queues->in_flight >> slot) & 1) != 0;

    if (token->generation == 0 ||
        (token->cancelled != 0 && token->cancelled >= token->generation)) {
        return 4;
    }
    if (used != (token->call != NULL) || (!used && token->watch != NULL)) {
        return 3;
    }
    if (used && (token->call->place != ENDPOINT_IN_FLIGHT || token->call->token_slot != slot)) {
        return 3;
    }
    if (token->watch != NULL &&
        (token->watch->place != ENDPOINT_WATCHES || token->watch->token_slot != slot)) {
        return 3;
    }
    return 0;
}

/* Invariant 5. */
static bool sessions_hold(const struct endpoint_queues *queues)
{
    uint32_t count = 0;
    uint32_t closed = 0;
    size_t listed;

    for (uint32_t i = 0; i < ENDPOINT_BUCKETS; i++) {
        const struct list *bucket = &queues->bucket[i];

        for (struct list_node *node = list_first(bucket); node != NULL;
             node = list_next(bucket, node)) {
            const struct endpoint_session *session = session_of(node);
            bool is_closed = session->state == ENDPOINT_SESSION_CLOSED;

            if (bucket_of(session->badge) != i || session->state == ENDPOINT_SESSION_NONE ||
                is_closed != list_node_is_linked(&session->closed_node)) {
                return false;
            }
            for (struct list_node *other = list_next(bucket, node); other != NULL;
                 other = list_next(bucket, other)) {
                if (session_of(other)->badge == session->badge) {
                    return false;
                }
            }
            closed += is_closed;
            count++;
        }
    }
    return count == queues->session_count && count <= LIMIT_ENDPOINT_SESSIONS &&
           list_check(&queues->closed, LIMIT_ENDPOINT_SESSIONS, &listed) == 0 && listed == closed;
}

unsigned endpoint_check(const struct endpoint_queues *queues)
{
    uint32_t calls;
    uint32_t receivers;

    if (!list_holds(&queues->calls, ENDPOINT_CALL_WAITS, &calls) ||
        !list_holds(&queues->receivers, ENDPOINT_RECEIVER_WAITS, &receivers)) {
        return 1;
    }
    if (calls != queues->call_count || calls > queues->limits.queue_length ||
        receivers != queues->receiver_count || receivers > LIMIT_ENDPOINT_RECEIVERS) {
        return 2;
    }
    for (uint32_t i = 0; i < LIMIT_TOKEN_SLOTS; i++) {
        unsigned broken = token_check(queues, i);

        if (broken != 0) {
            return broken;
        }
    }
    return sessions_hold(queues) ? 0 : 5;
}
