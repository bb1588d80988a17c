/* SPDX-License-Identifier: MIT */
/*
 * Writes the corpus of fuzz/capn_schema_fuzz.c into the folder that it is given: for each type that
 * has fields, and for each method, one valid message. `make capn-schema-corpus` runs it.
 */
#include "tests/capnp/golden/features.visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 256u

static const char *folder;

/* What a message is for: a type, or a method of an interface. */
struct purpose {
    uint64_t id;
    const char *name;
    uint8_t method;
};

static void message_write(const struct purpose *purpose, const struct capn_segment *segment)
{
    uint8_t bytes[10 + 8 + WORDS * 8] = {[8] = 0xff, [9] = purpose->method};
    struct capn_output output = {.bytes = bytes, .capacity = sizeof(bytes), .used = 10};
    capn_store_u64(bytes, purpose->id);
    char path[512];
    if (capn_frame_write(segment, 1, &output) != CAPN_OK) {
        exit(1);
    }
    snprintf(path, sizeof(path), "%s/%s", folder, purpose->name);
    for (char *c = path; *c; c++) {
        *c = *c == '$' ? '-' : *c;
    }
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, output.used, file) != output.used || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

/* The first seed whose message fits. */
static void type_write(const struct visit_file *file, uint64_t id, struct purpose purpose)
{
    struct capn_meta type = capn_meta_find(file->meta, id);
    for (uint64_t seed = 3; type.node && type.node->count; seed++) {
        uint8_t memory[WORDS * 8];
        struct capn_build_segment room = {memory, WORDS, 0};
        struct capn_builder builder;
        struct capn_segment segment;
        struct fill fill = {
            .state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1, .depth_max = 2, .capabilities = 3};
        capn_builder_init(&builder, &room, 1);
        meta_fill(&fill, type, capn_builder_root(&builder));
        if (capn_builder_status(&builder) == CAPN_OK) {
            capn_builder_segments(&builder, &segment);
            message_write(&purpose, &segment);
            return;
        }
    }
}

static void types_write(const struct visit_file *file)
{
    for (const struct visit_entry *entry = file->entries; entry->name; entry++) {
        type_write(file, entry->id, (struct purpose){entry->id, entry->name, 0});
    }
}

static void methods_write(const struct visit_file *file)
{
    for (const struct visit_interface *each = file->interfaces; each->name; each++) {
        struct capn_meta type = capn_meta_find(file->meta, each->id);
        for (uint8_t i = 0; each->clients[i]; i++) {
            const struct capn_meta_method *method = capn_meta_method(type, i);
            char name[128];
            snprintf(name, sizeof(name), "%s.%s", each->name, capn_meta_text(type, method->name));
            type_write(file, method->params_id, (struct purpose){each->id, name, i});
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: corpus FOLDER\n");
        return 1;
    }
    folder = argv[1];
    types_write(&features_visits);
    for (size_t i = 0; visit_index[i]; i++) {
        types_write(visit_index[i]);
    }
    methods_write(&features_visits);
    for (size_t i = 0; visit_index[i]; i++) {
        methods_write(visit_index[i]);
    }
    return 0;
}
