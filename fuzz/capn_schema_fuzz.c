/* SPDX-License-Identifier: MIT */
/*
 * Hostile messages as every type of the system's schemas and of tests/capnp/features.capnp: read by
 * the generated getters and, a second time, by the schema's tables, which must see the same values
 * and the same first refusal. As the parameters of every method the message goes through the
 * generated dispatch too.
 *
 * Input: eight bytes are the id of a type or interface, or some other number that chooses one, one
 * byte the limits, one the method, then a framed message. tests/capnp/corpus_main.c writes the
 * corpus: one message for each.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/capnp/golden/features.visit.h"

#define SEGMENTS_MAX 16u
#define WORDS_MAX    65536u
#define TEXT_BYTES   65536u

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static void demand(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* A type, or an interface. */
struct target {
    const struct visit_file *file;
    const struct visit_entry *entry;
    const struct visit_interface *interface;
};
static struct target targets[1024];
static uint32_t target_count;

static void target_add(struct target target)
{
    demand(target_count < sizeof(targets) / sizeof(targets[0]));
    targets[target_count++] = target;
}

static void file_add(const struct visit_file *file)
{
    for (const struct visit_entry *entry = file->entries; entry->name; entry++) {
        target_add((struct target){file, entry, NULL});
    }
    for (const struct visit_interface *each = file->interfaces; each->name; each++) {
        target_add((struct target){file, NULL, each});
    }
}

static const struct target *target_of(uint64_t id)
{
    for (uint32_t i = 0; i < target_count; i++) {
        const struct target *target = &targets[i];
        if ((target->entry ? target->entry->id : target->interface->id) == id) {
            return target;
        }
    }
    return &targets[id % target_count];
}

/* Two readers over one message, and what was read through each. */
struct pair {
    struct capn_frame *frame;
    struct capn_limits limits;
    struct capn_reader readers[2];
    struct visit visits[2];
};

static void pair_init(struct pair *pair, struct capn_frame *frame, uint8_t limits)
{
    static char texts[2][TEXT_BYTES];
    memset(pair, 0, sizeof(*pair));
    pair->frame = frame;
    pair->limits = (struct capn_limits){UINT64_C(16) << (limits & 15), (uint16_t)(1 + limits / 16)};
    for (size_t i = 0; i < 2; i++) {
        capn_reader_init(&pair->readers[i], frame->segments, frame->segment_count, pair->limits);
        pair->visits[i] = (struct visit){.bytes = texts[i], .capacity = TEXT_BYTES};
    }
}

/* The root for the reading by tables. */
static struct capn_struct pair_root(struct pair *pair)
{
    return capn_read_struct(capn_reader_root(&pair->readers[1]), NULL);
}

static void pair_compare(const struct pair *pair)
{
    const struct capn_reader *readers = pair->readers;
    const struct visit *visits = pair->visits;
    demand(visits[0].used == visits[1].used);
    demand(memcmp(visits[0].bytes, visits[1].bytes, visits[0].used) == 0);
    demand(readers[0].error.code == readers[1].error.code);
    demand(readers[0].traversal_words_left == readers[1].traversal_words_left);
    demand(readers[0].traversal_words_left <= pair->limits.traversal_words);
}

static void type_read(struct capn_frame *frame, const struct target *target, uint8_t limits)
{
    const struct visit_entry *entry = target->entry;
    struct pair pair;
    pair_init(&pair, frame, limits);
    entry->visit(&pair.visits[0], capn_reader_root(&pair.readers[0]));
    meta_visit(&pair.visits[1], capn_meta_find(target->file->meta, entry->id), pair_root(&pair));
    pair_compare(&pair);
}

static void method_call(struct capn_frame *frame, const struct target *target, uint8_t limits,
                        uint8_t method)
{
    static uint8_t results[4096];
    const struct visit_interface *interface = target->interface;
    struct capn_meta type = capn_meta_find(target->file->meta, interface->id);
    struct capn_build_segment segment = {results, sizeof(results) / 8, 0};
    struct pair pair;
    pair_init(&pair, frame, limits);
    struct fill fill = {.state = 1u + method, .depth_max = 3};
    struct visit_call call = {.v = &pair.visits[0], .f = &fill};
    struct capn_request request = {.interface_id = interface->id, .method = method};
    request.parameters = pair.readers[0];
    capn_builder_init(&request.results, &segment, 1);
    enum capn_dispatch outcome = interface->call(&call, &request);
    if (method >= type.node->count) {
        demand(outcome == CAPN_DISPATCH_UNKNOWN_METHOD);
        return;
    }
    pair.readers[0] = request.parameters;
    struct capn_meta parameters =
        capn_meta_find(target->file->meta, capn_meta_method(type, method)->params_id);
    meta_visit(&pair.visits[1], parameters, pair_root(&pair));
    pair_compare(&pair);
    bool malformed = capn_reader_status(&request.parameters) != CAPN_OK;
    bool room = capn_builder_status(&request.results) == CAPN_OK;
    demand(outcome == (malformed ? CAPN_DISPATCH_BAD_PARAMETERS
                       : room    ? CAPN_DISPATCH_ANSWERED
                                 : CAPN_DISPATCH_BAD_RESULTS));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    struct capn_segment segments[SEGMENTS_MAX];
    struct capn_frame frame = {
        .segments = segments, .segment_room = SEGMENTS_MAX, .words_limit = WORDS_MAX};
    if (target_count == 0) {
        file_add(&features_visits);
        for (size_t i = 0; visit_index[i]; i++) {
            file_add(visit_index[i]);
        }
    }
    if (length < 10 || capn_frame_parse(&frame, input + 10, length - 10) != CAPN_OK) {
        return 0;
    }
    const struct target *target = target_of(capn_load_u64(input));
    if (target->entry) {
        type_read(&frame, target, input[8]);
    } else {
        method_call(&frame, target, input[8], input[9]);
    }
    return 0;
}
