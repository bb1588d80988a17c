/* SPDX-License-Identifier: MIT */
/*
 * Endpoint queues.
 *
 * A call: nowhere -> waits (add_call) -> in flight (match) -> nowhere (finish or remove).
 * A receiver: nowhere -> waits (add_receiver) -> nowhere (match or remove).
 * A token is the slot's number and the generation it was made in; finishing or removing the call
 * raises the generation, so a token is good once.
 *
 * Invariants:
 *  1. Each record's `place` says which structure holds it, and it is in that one alone.
 *  2. call_count and receiver_count are the lengths of their lists, at most
 *     LIMIT_ENDPOINT_QUEUE and LIMIT_ENDPOINT_RECEIVERS.
 *  3. in_flight is the number of token slots in use; the record of each names its slot.
 *  4. No generation is 0.
 */
#include "core/endpoint.h"

#include "core/string.h"

static struct endpoint_record *record_of(struct list_node *node)
{
    return CONTAINER_OF(node, struct endpoint_record, node);
}

void endpoint_queues_init(struct endpoint_queues *queues)
{
    memset(queues, 0, sizeof(*queues));
    list_init(&queues->calls);
    list_init(&queues->receivers);
    for (uint32_t i = 0; i < LIMIT_TOKEN_SLOTS; i++) {
        queues->token[i].generation = 1;
    }
}

bool endpoint_add_call(struct endpoint_queues *queues, struct endpoint_record *call)
{
    ASSERT(call->place == ENDPOINT_NOWHERE);
    if (queues->call_count >= LIMIT_ENDPOINT_QUEUE) {
        return false;
    }
    list_push_back(&queues->calls, &call->node);
    call->place = ENDPOINT_CALL_WAITS;
    queues->call_count++;
    return true;
}

bool endpoint_add_receiver(struct endpoint_queues *queues, struct endpoint_record *receiver)
{
    ASSERT(receiver->place == ENDPOINT_NOWHERE);
    if (queues->receiver_count >= LIMIT_ENDPOINT_RECEIVERS) {
        return false;
    }
    list_push_back(&queues->receivers, &receiver->node);
    receiver->place = ENDPOINT_RECEIVER_WAITS;
    queues->receiver_count++;
    return true;
}

static uint32_t token_slot_free(const struct endpoint_queues *queues)
{
    uint32_t slot = 0;

    while (slot < LIMIT_TOKEN_SLOTS && queues->token[slot].call != NULL) {
        slot++;
    }
    return slot;
}

bool endpoint_match(struct endpoint_queues *queues, struct endpoint_record **call,
                    struct endpoint_record **receiver, uint64_t *token)
{
    uint32_t slot;

    if (list_is_empty(&queues->calls) || list_is_empty(&queues->receivers)) {
        return false;
    }
    slot = token_slot_free(queues);
    if (slot == LIMIT_TOKEN_SLOTS) {
        return false;
    }
    *call = record_of(list_pop_front(&queues->calls));
    *receiver = record_of(list_pop_front(&queues->receivers));
    ASSERT((*call)->place == ENDPOINT_CALL_WAITS);
    ASSERT((*receiver)->place == ENDPOINT_RECEIVER_WAITS);
    queues->call_count--;
    queues->receiver_count--;
    queues->in_flight++;
    queues->token[slot].call = *call;
    (*call)->place = ENDPOINT_IN_FLIGHT;
    (*call)->token_slot = slot;
    (*receiver)->place = ENDPOINT_NOWHERE;
    *token = ((uint64_t)queues->token[slot].generation << 32) | slot;
    return true;
}

struct endpoint_record *endpoint_find(const struct endpoint_queues *queues, uint64_t token)
{
    uint32_t slot = (uint32_t)token;

    if (slot >= LIMIT_TOKEN_SLOTS || queues->token[slot].generation != token >> 32) {
        return NULL;
    }
    return queues->token[slot].call;
}

static void token_retire(struct endpoint_queues *queues, uint32_t slot)
{
    struct endpoint_token *token = &queues->token[slot];

    ASSERT(token->call != NULL);
    token->call->place = ENDPOINT_NOWHERE;
    token->call = NULL;
    token->generation = token->generation == UINT32_MAX ? 1 : token->generation + 1;
    queues->in_flight--;
}

struct endpoint_record *endpoint_finish(struct endpoint_queues *queues, uint64_t token)
{
    struct endpoint_record *call = endpoint_find(queues, token);

    if (call != NULL) {
        token_retire(queues, (uint32_t)token);
    }
    return call;
}

void endpoint_remove(struct endpoint_queues *queues, struct endpoint_record *record)
{
    switch (record->place) {
    case ENDPOINT_NOWHERE:
        return;
    case ENDPOINT_IN_FLIGHT:
        ASSERT(queues->token[record->token_slot].call == record);
        token_retire(queues, record->token_slot);
        return;
    case ENDPOINT_CALL_WAITS:
        queues->call_count--;
        break;
    case ENDPOINT_RECEIVER_WAITS:
        queues->receiver_count--;
        break;
    }
    list_remove(&record->node);
    record->place = ENDPOINT_NOWHERE;
}

struct endpoint_record *endpoint_any(const struct endpoint_queues *queues)
{
    if (!list_is_empty(&queues->calls)) {
        return record_of(list_first(&queues->calls));
    }
    if (!list_is_empty(&queues->receivers)) {
        return record_of(list_first(&queues->receivers));
    }
    for (uint32_t i = 0; i < LIMIT_TOKEN_SLOTS && queues->in_flight > 0; i++) {
        if (queues->token[i].call != NULL) {
            return queues->token[i].call;
        }
    }
    return NULL;
}

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

unsigned endpoint_check(const struct endpoint_queues *queues)
{
    uint32_t calls;
    uint32_t receivers;
    uint32_t in_flight = 0;

    if (!list_holds(&queues->calls, ENDPOINT_CALL_WAITS, &calls) ||
        !list_holds(&queues->receivers, ENDPOINT_RECEIVER_WAITS, &receivers)) {
        return 1;
    }
    if (calls != queues->call_count || calls > LIMIT_ENDPOINT_QUEUE ||
        receivers != queues->receiver_count || receivers > LIMIT_ENDPOINT_RECEIVERS) {
        return 2;
    }
    for (uint32_t i = 0; i < LIMIT_TOKEN_SLOTS; i++) {
        const struct endpoint_record *call = queues->token[i].call;

        if (queues->token[i].generation == 0) {
            return 4;
        }
        if (call != NULL && (call->place != ENDPOINT_IN_FLIGHT || call->token_slot != i)) {
            return 3;
        }
        in_flight += call != NULL;
    }
    return in_flight == queues->in_flight ? 0 : 3;
}
