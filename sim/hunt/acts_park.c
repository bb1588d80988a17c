/* SPDX-License-Identifier: MIT */
/* What a program of the hunt may do: wait at words, write them, wake who waits. */
#include <string.h>

#include "sim/hunt/acts.h"

enum {
    WORDS = 3,
    WORD_VALUES = 3,
};

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};

/* A word that all threads of the process know. */
static uint32_t *word_of(struct actor *actor)
{
    static uint8_t *first[MODEL_PROCESSES]; /* by pid: in the arena of the thread that came first */
    uint64_t place = actor->pid % MODEL_PROCESSES;

    if (first[place] == NULL) {
        first[place] = actor->arena + LIMIT_ARENA_BYTES - WORDS_BYTES;
        for (unsigned i = 0; i < WORDS; i++) {
            model_word(actor->pid, (uintptr_t)first[place] + i * sizeof(uint32_t), 0);
            memset(first[place] + i * sizeof(uint32_t), 0, sizeof(uint32_t));
        }
    }
    return (uint32_t *)(void *)first[place] + actor_below(actor, WORDS);
}

static void submit_park(struct actor *actor, uint32_t *word)
{
    struct sqe sqe = {.opcode = OPCODE_PARK,
                      .address = (uintptr_t)word,
                      .value = *word,
                      .timeout_ns = actor_below(actor, 3) == 0 ? TIMEOUT_NONE
                                                               : actor_below(actor, 200 * 1000)};

    if (actor_below(actor, 6) == 0) {
        sqe.value = (uint32_t)actor_below(actor, WORD_VALUES);
    }
    if (actor_below(actor, 16) == 0) {
        sqe.address += 1 + actor_below(actor, 3);
    }
    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
}

void act_park(struct actor *actor)
{
    uint32_t *word = word_of(actor);
    uint64_t times = 1 + (actor_below(actor, 3) == 0);

    for (uint64_t i = 0; i < times; i++) {
        switch (actor_below(actor, 5)) {
        case 0:
        case 1:
            submit_park(actor, word);
            break;
        case 2: {
            uint32_t value = (uint32_t)actor_below(actor, WORD_VALUES);

            model_word(actor->pid, (uintptr_t)word, value);
            *(volatile uint32_t *)word = value;
            break;
        }
        default: {
            struct sqe sqe = {.opcode = OPCODE_UNPARK,
                              .address = (uintptr_t)word,
                              .value = (uint32_t)actor_below(actor, 4)};

            (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
            break;
        }
        }
    }
    act_enter_some(actor);
}
