/* SPDX-License-Identifier: MIT */
/* A table of answers for the tests of core/answer.c, each of which has one of its own. */
#ifndef TESTS_HOST_ANSWER_FIXTURE_H
#define TESTS_HOST_ANSWER_FIXTURE_H

#include "tests/host/support.h"

#include "core/answer.h"

#define CALLS 48u

static struct answer answers[LIMIT_ANSWERS];
static struct answer_result results[LIMIT_ANSWERS * LIMIT_ANSWER_CAPS];
static struct answer_call calls[CALLS];
static struct answer_table table;

static inline void table_make(uint32_t answer_count)
{
    memset(calls, 0, sizeof(calls));
    answer_table_init(&table, (struct answer_memory){
                                  .answers = answers,
                                  .results = results,
                                  .answer_count = answer_count,
                              });
    assert_int_equal(answer_check(&table), 0);
}

static inline uint32_t id_make(uint32_t slot, uint32_t generation)
{
    return generation << ANSWER_SLOT_BITS | slot;
}

static inline struct answer_path path_make(uint8_t first, uint8_t second)
{
    return (struct answer_path){.step = {first, second, 0, 0}};
}

static inline struct promise promise_make(uint32_t id, uint8_t first, uint8_t second)
{
    return (struct promise){.answer = id, .path = path_make(first, second)};
}

static const struct cqe good = {.user_data = 1, .result = 8};
static const struct cqe bad = {.user_data = 2, .result = TRANSPORT_PEER_GONE};
static const struct cqe excepted = {.user_data = 3, .result = 8, .flags = CQE_EXCEPTION};

static inline struct answer *opened(uint32_t id)
{
    struct answer *answer = NULL;

    assert_int_equal(answer_open(&table, id, &answer), TRANSPORT_OK);
    assert_non_null(answer);
    return answer;
}

static inline enum answer_target target_of(uint32_t id, uint8_t first, uint8_t second,
                                           struct cap_id *cap)
{
    struct promise promise = promise_make(id, first, second);

    return answer_target_find(&table, &promise, cap);
}

static inline void wait_for(uint32_t id, uint8_t first, struct answer_call *call)
{
    struct promise promise = promise_make(id, first, 0);
    struct cap_id cap;

    assert_int_equal(answer_target_find(&table, &promise, &cap), ANSWER_TARGET_WAITS);
    answer_wait(&table, &promise, call);
    assert_int_equal(answer_check(&table), 0);
}

#endif
