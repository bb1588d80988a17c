/* SPDX-License-Identifier: MIT */
/* Twins: what each tells, and the comparison. What they are for stands in twin.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/hunt/twin_inside.h"

void twin_note(const struct cqe *cqe, const uint8_t *block, uint32_t block_bytes)
{
    struct hunt_twin *twin = &hunt_report->twin;
    uint64_t hash = 0;

    if (cqe->user_data >= OTHER_NAMES) {
        return;
    }
    for (uint32_t i = 0; block != NULL && i + sizeof(hash) <= block_bytes; i += sizeof(hash)) {
        uint64_t word;

        memcpy(&word, block + i, sizeof(word));
        hash = twin_mixed(hash, word);
    }
    twin->completion[cqe->user_data] = (struct hunt_twin_completion){
        .done = twin->completion[cqe->user_data].done + 1, .cqe = *cqe, .hash = hash};
}

void twin_state(uint64_t name, uint64_t value)
{
    struct hunt_twin *twin = &hunt_report->twin;

    if (twin->state_count < HUNT_TWIN_STATES) {
        twin->state[twin->state_count++] = (struct hunt_twin_state){name, value};
    }
}

static bool completions_differ(const struct hunt_twin *one, const struct hunt_twin *other)
{
    for (uint32_t i = 0; i < HUNT_TWIN_NAMES; i++) {
        const struct hunt_twin_completion *a = &one->completion[i];
        const struct hunt_twin_completion *b = &other->completion[i];

        if (memcmp(a, b, sizeof(*a)) != 0) {
            (void)snprintf(hunt_report->text, HUNT_TEXT,
                           "submission %u: short way %d flags %x word %" PRIx64 " bytes %" PRIx64
                           " (%" PRIu64 " times), long way %d flags %x word %" PRIx64
                           " bytes %" PRIx64 " (%" PRIu64 " times)",
                           i, a->cqe.result, a->cqe.flags, a->cqe.cap[1].raw, a->hash, a->done,
                           b->cqe.result, b->cqe.flags, b->cqe.cap[1].raw, b->hash, b->done);
            return true;
        }
    }
    return false;
}

static bool states_differ(const struct hunt_twin *one, const struct hunt_twin *other)
{
    if (one->state_count != other->state_count) {
        (void)snprintf(hunt_report->text, HUNT_TEXT,
                       "%u words of state by the short way, %u by the "
                       "long way",
                       one->state_count, other->state_count);
        return true;
    }
    for (uint32_t i = 0; i < one->state_count; i++) {
        if (memcmp(&one->state[i], &other->state[i], sizeof(one->state[i])) != 0) {
            (void)snprintf(hunt_report->text, HUNT_TEXT,
                           "state %u: short way %" PRIx64 " is %" PRIx64 ", long way %" PRIx64
                           " is %" PRIx64,
                           i, one->state[i].name, one->state[i].value, other->state[i].name,
                           other->state[i].value);
            return true;
        }
    }
    return false;
}

bool twin_run(const struct hunt_options *options)
{
    static struct hunt_twin one;
    struct hunt_options run = *options;

    run.twin = true;
    run.cpus = options->cpus != 0 ? options->cpus : 1 + (unsigned)(options->seed / 2 % 2);
    run.way = HUNT_WAY_SHORT;
    hunt_run(&run);
    if (hunt_failed()) {
        return false;
    }
    one = hunt_report->twin;
    run.way = HUNT_WAY_LONG;
    hunt_run(&run);
    if (hunt_failed()) {
        return false;
    }
    if (completions_differ(&one, &hunt_report->twin) || states_differ(&one, &hunt_report->twin)) {
        hunt_report->disagreed = true;
        hunt_report->end = HOST_END_FAILURE;
        return false;
    }
    return true;
}
