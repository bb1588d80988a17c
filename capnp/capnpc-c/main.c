/* SPDX-License-Identifier: MIT */
/*
 * capnpc-c: the Cap'n Proto compiler's plugin for C.
 *
 *     capnp compile -o PATH/capnpc-c[:FOLDER] FILE.capnp ...
 *
 * The compiler parses and checks the schema and sends what it found, as a message, to standard
 * input; this program reads it with the runtime that its output uses, checks what C and the system
 * add (names, facets, comments), and writes the files. Any error: everything wrong is said on
 * standard error, nothing is written, the exit code is 1. The same input gives the same bytes.
 *
 * The order of reading: request.h (the message), model.h (what is known), names.c and docs.c (what
 * is refused), emit.h (what is written).
 */
#include "capnp/capnpc-c/emit.h"

#include <stdio.h>
#include <string.h>

#define REQUEST_SEGMENTS_MAX 512u

static unsigned char *input_read(size_t *length)
{
    size_t capacity = 1u << 20;
    unsigned char *bytes = memory_take(capacity, 1);
    *length = 0;
    for (;;) {
        size_t got = fread(bytes + *length, 1, capacity - *length, stdin);
        *length += got;
        if (got == 0) {
            return bytes;
        }
        if (*length == capacity) {
            unsigned char *larger = memory_take(capacity, 2);
            memcpy(larger, bytes, capacity);
            bytes = larger;
            capacity *= 2;
        }
    }
}

static int refuse_input(const char *why)
{
    fprintf(stderr,
            "capnpc-c: standard input is no CodeGeneratorRequest: %s\n"
            "usage: capnp compile -o PATH/capnpc-c[:FOLDER] FILE.capnp ...\n",
            why);
    return 1;
}

static void files_emit(struct model *model)
{
    for (size_t i = 0; i < model->file_count; i++) {
        struct emitter emitter = {.model = model, .file = &model->files[i]};
        emit_header(&emitter);
        emit_meta(&emitter);
        emit_visit(&emitter);
    }
    if (model->file_count > 1) {
        emit_meta_index(model);
        emit_visit_index(model);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return refuse_input(text_format("unexpected argument \"%s\"", argv[1]));
    }
    size_t length = 0;
    unsigned char *bytes = input_read(&length);
    struct capn_segment segments[REQUEST_SEGMENTS_MAX];
    struct capn_frame frame = {.segments = segments,
                               .segment_room = REQUEST_SEGMENTS_MAX,
                               .words_limit = CAPN_LIST_COUNT_MAX};
    enum capn_status status = capn_frame_parse(&frame, bytes, length);
    if (status != CAPN_OK) {
        return refuse_input(capn_status_text(status));
    }
    struct capn_reader reader;
    struct capn_limits limits = {.traversal_words = UINT64_MAX, .depth = 256};
    capn_reader_init(&reader, segments, frame.segment_count, limits);

    struct model model;
    model_load(&model, &reader);
    if (capn_reader_status(&reader) != CAPN_OK) {
        return refuse_input(capn_status_text(reader.error.code));
    }
    if (model.error_count == 0) {
        names_assign(&model);
    }
    if (model.error_count == 0) {
        docs_check(&model);
        files_emit(&model); /* in spite of those, to tell of names that fall together as well */
    }
    if (model.error_count != 0) {
        fprintf(stderr, "capnpc-c: %zu error%s, nothing written\n", model.error_count,
                model.error_count == 1 ? "" : "s");
        return 1;
    }
    return output_write_all() ? 0 : 1;
}
