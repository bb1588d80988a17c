/* SPDX-License-Identifier: MIT */
/*
 * Submissions before the check of their form and the ring that takes them. The first byte says how
 * the rest is read:
 *   any   64 bytes as they are: one defined answer, the same each time, and one the pages allow
 *   pair  choices of a valid submission: accepted; then one field of it forbidden: refused with the
 *         documented error and argument
 *   all   a seed: pairs of every opcode and every field
 * What the check refuses, the ring never hands out as valid beyond doubt, and what stands in the
 * shared entry afterwards is not looked at again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ring.h"
#include "fuzz/sqe_oracle.h"

enum {
    WAYS = 3,
};

static struct {
    struct ring_header header;
    struct sqe sq[LIMIT_SQ_ENTRIES];
    struct cqe cq[LIMIT_CQ_ENTRIES];
} memory;

static void demand(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "sqe: %s\n", what);
        abort();
    }
}

/* Its answer, asked twice with other bytes where the refusal goes. */
static enum transport_error answer(const struct sqe *sqe, struct refusal *refusal)
{
    struct sqe before = *sqe;
    struct refusal again;
    enum transport_error error;

    memset(refusal, 0x5a, sizeof(*refusal));
    memset(&again, 0xa5, sizeof(again));
    error = sqe_wire_validation_error(sqe, refusal);
    demand(sqe_wire_validation_error(sqe, &again) == error, "another answer the second time");
    demand(memcmp(refusal, &again, sizeof(again)) == 0, "another refusal the second time");
    demand(memcmp(sqe, &before, sizeof(before)) == 0, "the submission was changed");
    return error;
}

/* The same submission through a ring. */
static void ring_try(const struct sqe *sqe, enum transport_error error, bool at_tick)
{
    struct ring_sizes sizes = {0};
    struct ring ring;
    struct sqe taken;

    memset(&memory, 0, sizeof(memory));
    demand(ring_sizes_settle(&sizes), "the sizes of every day are refused");
    ring_init(&ring, &sizes, (struct ring_memory){&memory.header, memory.sq, memory.cq});
    memory.sq[0] = *sqe;
    ring_publish(&memory.header.sq_tail, 1);
    if (at_tick) {
        bool is_taken = ring_take_at_tick(&ring, &taken);

        demand(!is_taken || error == TRANSPORT_OK, "the tick took what is refused");
        demand(!is_taken || sqe->opcode == OPCODE_NOP || sqe->opcode == OPCODE_TOKEN ||
                   sqe->opcode == OPCODE_FINISH,
               "the tick took what is not for it");
        demand(ring.sq_head == is_taken, "the tick took and left at once");
    } else {
        enum ring_take take = ring_take(&ring, &taken);

        demand(take == RING_TAKE_DOUBTFUL || (take == RING_TAKE_ENTRY && error == TRANSPORT_OK),
               "valid beyond doubt, and refused");
        demand(memcmp(&taken, sqe, sizeof(taken)) == 0, "not what was submitted");
        demand(ring_reserved(&ring) == 1, "a submission without its completion");
        ring_post_result(&ring, taken.user_data, 0, 0);
    }
    demand(ring_check(&ring) == 0, "the ring breaks an invariant");
}

static void sqe_try(const struct sqe *sqe, const struct sqe_verdict *verdict, bool at_tick)
{
    struct refusal refusal;
    enum transport_error error = answer(sqe, &refusal);
    const char *complaint = sqe_judge(sqe, error, &refusal);

    demand(complaint == NULL, complaint);
    if (verdict != NULL) {
        demand(error == TRANSPORT_OK || verdict->error != TRANSPORT_OK,
               "a valid submission was refused");
        demand(error == verdict->error, "not the documented error for this field");
        demand(refusal.argument == verdict->argument, "not the documented argument");
        demand(refusal.amount == verdict->amount && refusal.limit == verdict->limit,
               "not the amount found, or not its limit");
    }
    ring_try(sqe, error, at_tick);
}

/* A submission of this opcode from the dice, as it is and with one field spoilt. */
static void pair_try(uint8_t opcode, unsigned field, struct dice *dice, bool at_tick)
{
    static const struct sqe_verdict valid;
    struct sqe_verdict verdict;
    struct sqe sqe;

    sqe_generate(&sqe, opcode, dice);
    sqe_try(&sqe, &valid, at_tick);
    verdict = sqe_spoil(&sqe, field, dice);
    sqe_try(&sqe, &verdict, at_tick);
}

static void all_try(struct dice *dice, bool at_tick)
{
    uint64_t state = dice_word(dice, 8) | 1;

    for (unsigned i = 0; i < OPCODE_FORWARD * SQE_FIELDS; i++) {
        uint8_t bytes[96];
        struct dice all = {bytes, sizeof(bytes)};

        for (unsigned at = 0; at < sizeof(bytes); at++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
            bytes[at] = (uint8_t)(state >> 56);
        }
        pair_try((uint8_t)(i / SQE_FIELDS), i % SQE_FIELDS, &all, at_tick);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dice dice = {data, size};
    unsigned way = (unsigned)dice_below(&dice, WAYS);
    bool at_tick = (dice_word(&dice, 1) & 1) != 0;

    if (way == 0) {
        struct sqe sqe = {0};

        memcpy(&sqe, dice.bytes, dice.left < sizeof(sqe) ? dice.left : sizeof(sqe));
        sqe_try(&sqe, NULL, at_tick);
    } else if (way == 1) {
        uint8_t opcode = (uint8_t)dice_below(&dice, OPCODE_FORWARD);
        unsigned field = (unsigned)dice_below(&dice, SQE_FIELDS);

        pair_try(opcode, field, &dice, at_tick);
    } else if (dice.left <= sizeof(uint64_t)) { /* longer ones would be the same again */
        all_try(&dice, at_tick);
    }
    return 0;
}
