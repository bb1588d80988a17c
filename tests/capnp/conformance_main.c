/* SPDX-License-Identifier: MIT */
/*
 * Our half of the conformance run; tests/capnp/conformance.py has the other, which gives the same
 * messages to the reference and compares.
 *
 *   conformance write GROUP SEED COUNT FOLDER   builds COUNT random messages of the group with
 *       generated setters: FOLDER/GROUP.{binary,packed,canonical,text}; appends what they hold to
 *       FOLDER/counts
 *   conformance read FORMAT AS < STREAM         reads a stream of framed or packed messages with
 *       generated getters and prints each as text, AnyPointers as AS says
 *   conformance canonical < STREAM              writes the canonical forms of framed messages
 *   conformance pack < STREAM                   packs framed messages
 *
 * Groups: `text` has only what the text syntax can say; `upgraded` lists of an older schema
 * besides; `any` AnyPointers and generics too; `capability` capabilities as well. The roots of
 * `parameters` and `results` are what a call of a generic interface carries, Reader.each's
 * parameters and Reader.get's results.
 */
#include "tests/capnp/golden/features.visit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS        65536u
#define SEGMENTS_MAX 8u
#define TEXT_BYTES   (1u << 21)
#define STREAM_BYTES (1u << 27)

enum root { ROOT_FEATURES, ROOT_PARAMETERS, ROOT_RESULTS };

struct group {
    const char *name;
    bool text_only;
    bool upgraded;
    bool any;
    uint32_t capabilities;
    enum root root;
};

static const struct group groups[] = {
    {"text", true, false, false, 0, ROOT_FEATURES},
    {"upgraded", true, true, false, 0, ROOT_FEATURES},
    {"any", false, true, true, 0, ROOT_FEATURES},
    {"capability", false, true, true, 3, ROOT_FEATURES},
    {"parameters", false, true, true, 3, ROOT_PARAMETERS},
    {"results", false, true, true, 3, ROOT_RESULTS},
};
static const struct group *group;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "conformance: %s\n", what);
    exit(1);
}

static void check(enum capn_status status, const char *what)
{
    if (status != CAPN_OK) {
        fprintf(stderr, "conformance: %s: %s\n", what, capn_status_text(status));
        exit(1);
    }
}

/* ---- Building ---- */

static void fill_old_numbers(struct fill *f, struct capn_pointer_builder to)
{
    struct capn_list_builder list = capn_init_list(to, CAPN_ELEMENT_FOUR_BYTES, fill_count(f));
    for (uint32_t i = 0; i < list.count; i++) {
        capn_list_set_u32(list, i, fill_u32(f));
    }
}

static void fill_old_texts(struct fill *f, struct capn_pointer_builder to)
{
    struct capn_list_builder list = capn_init_list(to, CAPN_ELEMENT_POINTER, fill_count(f));
    for (uint32_t i = 0; i < list.count; i++) {
        capn_list_set_text(list, i, fill_text(f));
    }
}

static void fill_any_struct(struct fill *f, struct capn_pointer_builder to)
{
    struct capn_struct_builder s = capn_init_struct(to, (struct capn_size){3, 2});
    capn_set_u64(s, 8, fill_u64(f), 0);
    capn_write_text(capn_set_pointer(s, 1), fill_text(f));
}

/* What the group leaves out stays null; what the setters would not do is done here. */
static bool special(struct fill *f, const char *name, struct capn_pointer_builder to)
{
    static const char *const generic[] = {"Generics.leafBox", "Generics.boxBox", "Generics.anyBox",
                                          "Generics.pair", "Generics.anyItem"};
    static const char *const any[] = {"Generics.any", "Generics.anyStruct", "Generics.anyList"};
    for (size_t i = 0; i < sizeof(generic) / sizeof(generic[0]); i++) {
        if (strcmp(name, generic[i]) == 0) {
            return !group->any || group->capabilities != 0;
        }
    }
    if (strcmp(name, "Generics.textBox") == 0 || strcmp(name, "Generics.textItem") == 0) {
        return group->any;
    }
    /* The reference makes no text of a null capability in a list or as an active member. */
    if (strcmp(name, "Lists.bases") == 0 || strcmp(name, "Features.holder") == 0) {
        return group->text_only;
    }
    for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++) {
        if (strcmp(name, any[i]) == 0 && !group->any) {
            return true;
        }
    }
    if (strcmp(name, "Generics.anyStruct") == 0) {
        fill_any_struct(f, to);
    } else if (strcmp(name, "Generics.anyList") == 0) {
        fill_old_numbers(f, to);
    } else if (strcmp(name, "Lists.upgradedNumbers") == 0 && group->upgraded && fill_bool(f)) {
        fill_old_numbers(f, to);
    } else if (strcmp(name, "Lists.upgradedTexts") == 0 && group->upgraded && fill_bool(f)) {
        fill_old_texts(f, to);
    } else {
        return false;
    }
    return true;
}

/* ---- What a group's messages are ---- */

static void root_fill(struct fill *f, struct capn_pointer_builder to)
{
    if (group->root == ROOT_PARAMETERS) {
        features_reader_each_params_fill(f, features_reader_each_params_init(to));
    } else if (group->root == ROOT_RESULTS) {
        features_reader_get_results_fill(f, features_reader_get_results_init(to));
    } else {
        features_fill(f, features_init(to));
    }
}

static void root_visit(struct visit *v, struct capn_pointer at)
{
    if (group->root == ROOT_PARAMETERS) {
        features_reader_each_params_visit(v, features_reader_each_params_read(at));
    } else if (group->root == ROOT_RESULTS) {
        features_reader_get_results_visit(v, features_reader_get_results_read(at));
    } else {
        features_visit(v, features_read(at));
    }
}

static uint64_t root_type_id(void)
{
    static const uint64_t ids[] = {
        [ROOT_FEATURES] = FEATURES_TYPE_ID,
        [ROOT_PARAMETERS] = FEATURES_READER_EACH_PARAMS_TYPE_ID,
        [ROOT_RESULTS] = FEATURES_READER_GET_RESULTS_TYPE_ID,
    };
    return ids[group->root];
}

struct message {
    struct capn_build_segment segments[SEGMENTS_MAX];
    struct capn_segment views[SEGMENTS_MAX];
    uint32_t count;
    struct capn_builder builder;
};

/* One roomy segment, behind up to seven small ones half of the time. */
static void message_init(struct message *message, struct fill *f, uint8_t *memory)
{
    uint32_t small = fill_bool(f) ? fill_below(f, SEGMENTS_MAX) : 0;
    for (uint32_t i = 0; i <= small; i++) {
        uint32_t words = i == small ? WORDS : 1 + fill_below(f, 24);
        message->segments[i] = (struct capn_build_segment){memory, words, 0};
        memory += (size_t)words * 8;
    }
    capn_builder_init(&message->builder, message->segments, small + 1);
}

static void message_build(struct message *message, uint64_t seed)
{
    static uint8_t memory[WORDS * 8 + SEGMENTS_MAX * 25 * 8];
    struct fill f = {.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1,
                     .depth_max = 5,
                     .text_only = group->text_only,
                     .capabilities = group->capabilities,
                     .special = special};
    message_init(message, &f, memory);
    root_fill(&f, capn_builder_root(&message->builder));
    check(capn_builder_status(&message->builder), "building");
    message->count = capn_builder_segments(&message->builder, message->views);
}

/* ---- Streams ---- */

static struct capn_output stream_open(void)
{
    struct capn_output output = {.bytes = malloc(STREAM_BYTES), .capacity = STREAM_BYTES};
    if (!output.bytes) {
        fail("out of memory");
    }
    return output;
}

static void stream_save(const struct capn_output *output, const char *folder, const char *suffix)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s.%s", folder, group->name, suffix);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(output->bytes, 1, output->used, file) != output->used ||
        fclose(file) != 0) {
        fail(path);
    }
}

static void print_text(struct capn_output *output, struct capn_pointer root)
{
    struct visit v = {.bytes = (char *)output->bytes + output->used,
                      .capacity = output->capacity - output->used - 1,
                      .any_is_text = group->text_only};
    root_visit(&v, root);
    if (v.full) {
        fail("a message's text does not fit");
    }
    output->used += v.used;
    output->bytes[output->used++] = '\n';
}

static void write_canonical(struct capn_output *output, struct capn_pointer root)
{
    uint64_t before = output->used;
    uint64_t words = capn_canonical_words(root);
    check(capn_canonical_write(root, output), "canonical form");
    if (output->used - before != words * 8) {
        fail("the canonical form has not the predicted length");
    }
}

static void write_packed(struct capn_output *output, const struct capn_segment *segments,
                         uint32_t count)
{
    struct capn_packer packer;
    uint64_t before = output->used;
    capn_packer_init(&packer, segments, count);
    if (!capn_pack(&packer, output)) {
        fail("the packed stream does not fit");
    }
    if (output->used - before != capn_packed_bytes(segments, count)) {
        fail("the packed form has not the predicted length");
    }
}

/* ---- Counting ---- */

/* Pointers that lead to another segment, by looking at every word that may be one: counts a little
 * too much, since data may look alike, in messages of several segments only. */
static void count_segments(const struct message *message, uint64_t *counts)
{
    if (message->count < 2) {
        return;
    }
    counts[FEATURE_SEGMENTS]++;
    for (uint32_t i = 0; i < message->count; i++) {
        for (uint64_t word = 0; word < message->views[i].words; word++) {
            uint64_t bits = capn_load_u64(message->views[i].bytes + word * 8);
            bool far = (bits & 3) == 2 && bits >> 32 < message->count &&
                       (uint32_t)bits >> 3 < message->views[bits >> 32].words;
            if (far) {
                counts[bits & 4 ? FEATURE_DOUBLE_FAR_POINTER : FEATURE_FAR_POINTER]++;
            }
        }
    }
}

static void count_message(const struct message *message, uint64_t *counts)
{
    static char text[TEXT_BYTES];
    struct capn_reader reader;
    struct visit v = {.bytes = text, .capacity = sizeof(text), .counts = counts};
    uint64_t type_id = root_type_id();
    capn_reader_init(&reader, message->views, message->count, CAPN_LIMITS_DEFAULT);
    struct capn_struct root = capn_read_struct(capn_reader_root(&reader), NULL);
    meta_visit(&v, capn_meta_find(&features_meta, type_id), root);
    check(capn_reader_status(&reader), "reading by tables");
    if (group->root != ROOT_FEATURES && !capn_pointer_is_null(capn_get_pointer(root, 0))) {
        counts[group->root == ROOT_PARAMETERS ? FEATURE_GENERIC_METHOD_PARAMETERS
                                              : FEATURE_GENERIC_METHOD_RESULTS]++;
    }
    count_segments(message, counts);
}

static void counts_save(const uint64_t *counts, const char *folder)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/counts", folder);
    FILE *file = fopen(path, "ab");
    if (!file) {
        fail(path);
    }
    for (size_t i = 0; i < FEATURE_COUNT; i++) {
        fprintf(file, "%" PRIu64 "\t%s\n", counts[i], feature_text((enum feature)i));
    }
    if (fclose(file) != 0) {
        fail(path);
    }
}

/* ---- Commands ---- */

static void write_group(uint64_t seed, uint64_t count, const char *folder)
{
    static uint64_t counts[FEATURE_COUNT];
    struct capn_output binary = stream_open(), packed = stream_open();
    struct capn_output canonical = stream_open(), text = stream_open();
    for (uint64_t i = 0; i < count; i++) {
        struct message message;
        struct capn_reader reader;
        message_build(&message, seed + i);
        check(capn_frame_write(message.views, message.count, &binary), "framing");
        write_packed(&packed, message.views, message.count);
        capn_reader_init(&reader, message.views, message.count, CAPN_LIMITS_DEFAULT);
        print_text(&text, capn_reader_root(&reader));
        check(capn_reader_status(&reader), "reading");
        if (group->capabilities == 0) {
            write_canonical(&canonical, capn_reader_root(&reader));
        }
        count_message(&message, counts);
    }
    stream_save(&binary, folder, "binary");
    stream_save(&packed, folder, "packed");
    stream_save(&canonical, folder, "canonical");
    stream_save(&text, folder, "text");
    counts_save(counts, folder);
}

static struct capn_input input_read(void)
{
    struct capn_output all = stream_open();
    all.used = fread(all.bytes, 1, all.capacity, stdin);
    return (struct capn_input){.bytes = all.bytes, .length = all.used};
}

static struct capn_input unpack(struct capn_input input)
{
    struct capn_output words = stream_open();
    check(capn_unpack_all(&input, &words), "unpacking");
    return (struct capn_input){.bytes = words.bytes, .length = words.used};
}

/* Each message of the stream on its own. */
static void stream_each(struct capn_input input, struct capn_output *output,
                        void (*each)(struct capn_output *, const struct capn_frame *))
{
    static struct capn_segment segments[64];
    while (input.used < input.length) {
        struct capn_frame frame = {
            .segments = segments, .segment_room = 64, .words_limit = STREAM_BYTES / 8};
        check(capn_frame_parse(&frame, input.bytes + input.used, input.length - input.used),
              "a frame");
        each(output, &frame);
        input.used += frame.bytes;
    }
}

static void each_text(struct capn_output *output, const struct capn_frame *frame)
{
    struct capn_reader reader;
    capn_reader_init(&reader, frame->segments, frame->segment_count, CAPN_LIMITS_DEFAULT);
    print_text(output, capn_reader_root(&reader));
    check(capn_reader_status(&reader), "reading");
}

static void each_canonical(struct capn_output *output, const struct capn_frame *frame)
{
    struct capn_reader reader;
    capn_reader_init(&reader, frame->segments, frame->segment_count, CAPN_LIMITS_DEFAULT);
    write_canonical(output, capn_reader_root(&reader));
}

static void each_packed(struct capn_output *output, const struct capn_frame *frame)
{
    write_packed(output, frame->segments, frame->segment_count);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    struct capn_output output = stream_open();
    if (strcmp(command, "write") == 0 && argc == 6) {
        for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
            group = strcmp(groups[i].name, argv[2]) == 0 ? &groups[i] : group;
        }
        if (!group) {
            fail("no such group");
        }
        write_group(strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10), argv[5]);
    } else if (strcmp(command, "read") == 0 && argc == 4) {
        group = strcmp(argv[3], "text") == 0 ? &groups[0] : &groups[3];
        struct capn_input input = input_read();
        stream_each(strcmp(argv[2], "packed") == 0 ? unpack(input) : input, &output, each_text);
    } else if (strcmp(command, "canonical") == 0 && argc == 2) {
        stream_each(input_read(), &output, each_canonical);
    } else if (strcmp(command, "pack") == 0 && argc == 2) {
        stream_each(input_read(), &output, each_packed);
    } else {
        fail("usage: see the head of tests/capnp/conformance_main.c");
    }
    return fwrite(output.bytes, 1, output.used, stdout) == output.used ? 0 : 1;
}
