/* SPDX-License-Identifier: MIT */
/*
 * What a program of the hunt may do: wait at words, write them, wake who waits; at words of its
 * own, and at those of memory objects, which nobody writes.
 */
#include <string.h>

#include "schema/generated/memory.capnp.h"
#include "sim/hunt/acts.h"

enum {
    WORDS = 3,
    WORD_VALUES = 3,
};

static const struct model_intent nothing = {.ask = MODEL_ASK_NOTHING};

static uint64_t word_owner[MODEL_PROCESSES]; /* by pid: in whose arena its words lie */

/* A word that all threads of the process know. */
static uint32_t *word_of(struct actor *actor)
{
    static uint8_t *first[MODEL_PROCESSES]; /* by pid: in the arena of the thread that came first */
    uint64_t place = actor->pid % MODEL_PROCESSES;

    if (first[place] == NULL || model_thread_is_gone(word_owner[place])) {
        word_owner[place] = actor->thread;
        first[place] = actor->arena + LIMIT_ARENA_BYTES - WORDS_BYTES;
        for (unsigned i = 0; i < WORDS; i++) {
            model_word(word_owner[place], (uintptr_t)first[place] + i * sizeof(uint32_t), 0);
            memset(first[place] + i * sizeof(uint32_t), 0, sizeof(uint32_t));
        }
    }
    return (uint32_t *)(void *)first[place] + actor_below(actor, WORDS);
}

/* A word of a memory object, mostly; few of them, in either page, or none. */
static uint64_t offset_draw(struct actor *actor)
{
    if (actor_below(actor, 16) == 0) {
        return actor_draw(actor) >> actor_below(actor, 64);
    }
    return actor_below(actor, 2) * LIMIT_PAGE_BYTES + actor_below(actor, 2) * sizeof(uint32_t);
}

static uint64_t timeout_draw(struct actor *actor)
{
    return actor_below(actor, 3) == 0 ? TIMEOUT_NONE : actor_below(actor, 200 * 1000);
}

static void park_at_object(struct actor *actor, uint64_t object)
{
    uint64_t times = 1 + actor_below(actor, 2);

    for (uint64_t i = 0; i < times; i++) {
        struct sqe sqe = {.cap = {actor_below(actor, 12) == 0 ? act_draw_id(actor) : object},
                          .address = offset_draw(actor)};

        if (actor_below(actor, 2) == 0) {
            sqe.opcode = OPCODE_PARK;
            sqe.value = actor_below(actor, 8) == 0;
            sqe.timeout_ns = timeout_draw(actor);
        } else {
            sqe.opcode = OPCODE_UNPARK;
            sqe.value = (uint32_t)actor_below(actor, 4);
        }
        (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    }
}

static void submit_park(struct actor *actor, uint32_t *word)
{
    struct sqe sqe = {.opcode = OPCODE_PARK,
                      .address = (uintptr_t)word,
                      .value = *word,
                      .timeout_ns = timeout_draw(actor)};

    if (actor_below(actor, 6) == 0) {
        sqe.value = (uint32_t)actor_below(actor, WORD_VALUES);
    }
    if (actor_below(actor, 16) == 0) {
        sqe.address += 1 + actor_below(actor, 3);
    }
    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
}

/* Wakes one at one word and waits at another, as those do that hand work to and fro. */
static void hand_on(struct actor *actor)
{
    uint32_t *wake = word_of(actor);
    uint32_t *wait = word_of(actor);
    struct sqe sqe = {.opcode = OPCODE_UNPARK, .address = (uintptr_t)wake, .value = 1};

    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    sqe = (struct sqe){.opcode = OPCODE_PARK,
                       .address = (uintptr_t)wait,
                       .value = *wait,
                       .timeout_ns = TIMEOUT_NONE};
    (void)actor_submit(actor, &sqe, &nothing, PIECE_NONE, PIECE_NONE);
    /* The first thread of all must not wait for ever. */
    actor_enter(actor, 2,
                actor->thread == hunt_thread_name(1, 1) ? ACT_TIMEOUT_SHORT_NS : TIMEOUT_NONE);
}

void act_park(struct actor *actor)
{
    uint32_t *word = word_of(actor);
    uint64_t times = 1 + (actor_below(actor, 3) == 0);
    uint64_t object = actor_cap(actor, MEMORY_OBJECT_INTERFACE_ID).id;

    if (object != 0 && actor_below(actor, 2) == 0) {
        park_at_object(actor, object);
        act_enter_some(actor);
        return;
    }
    for (uint64_t i = 0; i < times; i++) {
        switch (actor_below(actor, 6)) {
        case 5:
            actor_enter(actor, 0, 0);
            hand_on(actor);
            break;
        case 0:
        case 1:
            submit_park(actor, word);
            break;
        case 2: {
            uint32_t value = (uint32_t)actor_below(actor, WORD_VALUES);

            model_word(word_owner[actor->pid % MODEL_PROCESSES], (uintptr_t)word, value);
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
