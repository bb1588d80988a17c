/* SPDX-License-Identifier: MIT */
/* Cap'n Proto messages written down word by word, for the tests of the reader. */
#ifndef TESTS_HOST_CAPN_WORDS_H
#define TESTS_HOST_CAPN_WORDS_H

#include "tests/host/support.h"

#include "capnp/runtime/capn.h"

/* Pointer words, as the encoding has them. */
#define STRUCT(offset, data, pointers)                                                             \
    ((uint64_t)(uint32_t)((uint32_t)(offset) << 2) | (uint64_t)(data) << 32 |                      \
     (uint64_t)(pointers) << 48)
#define LIST(offset, element, count)                                                               \
    ((uint64_t)(uint32_t)((uint32_t)(offset) << 2) | 1u | (uint64_t)(element) << 32 |              \
     (uint64_t)(count) << 35)
#define FAR(offset, segment)     ((uint64_t)(offset) << 3 | 2u | (uint64_t)(segment) << 32)
#define FAR_TWO(offset, segment) ((uint64_t)(offset) << 3 | 6u | (uint64_t)(segment) << 32)
#define CAPABILITY(index)        (3u | (uint64_t)(index) << 32)

#define WORDS_MAX 12u

/* A message of up to three segments written down as words. */
struct hand_made {
    uint64_t words[3][WORDS_MAX];
    uint32_t counts[3];
};

struct loaded {
    uint8_t *memory[3];
    struct capn_segment segments[3];
    struct capn_reader reader;
};

/* Each segment in memory of exactly its size and off by one, so that sanitizers see every step
 * aside. */
static inline void load(struct loaded *loaded, const struct hand_made *message,
                        struct capn_limits limits)
{
    uint32_t count = 0;
    for (uint32_t id = 0; id < 3; id++) {
        size_t length = message->counts[id] * 8u;
        loaded->memory[id] = malloc(length + 1);
        assert_non_null(loaded->memory[id]);
        for (uint32_t i = 0; i < message->counts[id]; i++) {
            capn_store_u64(loaded->memory[id] + 1 + i * 8, message->words[id][i]);
        }
        loaded->segments[id].bytes = loaded->memory[id] + 1;
        loaded->segments[id].words = message->counts[id];
        count = message->counts[id] != 0 ? id + 1 : count;
    }
    capn_reader_init(&loaded->reader, loaded->segments, count, limits);
}

static inline void unload(struct loaded *loaded)
{
    for (uint32_t id = 0; id < 3; id++) {
        free(loaded->memory[id]);
    }
}

#endif
