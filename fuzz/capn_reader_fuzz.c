/* SPDX-License-Identifier: MIT */
/*
 * The reader without a schema: every pointer of a hostile message is read as the input says, within
 * limits; then the message is copied, through many segments and one, made canonical, and compared.
 *
 * Input: one byte of limits, one byte n, n bytes of script, then a framed message.
 */
#include <stdlib.h>
#include <string.h>

#include "capnp/runtime/capn_float.h"

#define SEGMENTS_MAX 16u
#define WORDS_MAX    65536u
#define STACK_MAX    256u

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

/* What was read goes here, so that reading it cannot be left out. */
static uint64_t sink;

static void demand(bool condition)
{
    if (!condition) {
        abort();
    }
}

static uint8_t *allocate(size_t length)
{
    uint8_t *memory = malloc(length == 0 ? 1 : length);
    demand(memory != NULL);
    return memory;
}

/* Pointers still to be read; those that find no room are left out. */
struct pending {
    struct capn_pointer pointers[STACK_MAX];
    size_t count;
};

static void push(struct pending *pending, struct capn_pointer pointer)
{
    if (pending->count < STACK_MAX) {
        pending->pointers[pending->count++] = pointer;
    }
}

static void bytes_read(const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++) {
        sink += at[i];
    }
}

static void struct_read(struct pending *pending, struct capn_struct s)
{
    bytes_read(s.data, s.data_bytes);
    for (uint32_t offset = 0; offset < s.data_bytes + 9u; offset += 3) {
        sink += capn_get_u8(s, offset, 1) + capn_get_u16(s, offset, 2) + capn_get_u32(s, offset, 3);
        sink += capn_get_u64(s, offset, 4) + capn_get_bool(s, offset * 8, true);
        sink += (uint64_t)capn_get_i64(s, offset, -1);
        sink += capn_get_f64(s, offset, 1.0) == 0.0;
    }
    for (uint16_t i = 0; i < s.pointer_count; i++) {
        push(pending, capn_get_pointer(s, i));
    }
}

static void list_read(struct pending *pending, struct capn_list list, uint8_t how)
{
    for (uint32_t i = 0; i < list.count; i++) {
        sink +=
            capn_list_get_bool(list, i) + capn_list_get_u8(list, i) + capn_list_get_u16(list, i);
        sink += capn_list_get_u32(list, i) + capn_list_get_u64(list, i);
        push(pending, capn_list_get_pointer(list, i));
        if ((how & 1) != 0 && list.element_size != CAPN_ELEMENT_BIT) {
            struct_read(pending, capn_list_get_struct(list, i));
        }
    }
    if ((how & 16) != 0) {
        sink += capn_list_get_u16(list, list.count);
    }
}

static void pointer_read(struct pending *pending, struct capn_pointer pointer, uint8_t how)
{
    static const uint16_t path[2] = {0, 1};
    switch (how % 12) {
    case 9: {
        struct capn_text text = capn_read_text(pointer, (struct capn_text){NULL, 0});
        demand(text.bytes[text.length] == 0);
        bytes_read(text.bytes, text.length);
        break;
    }
    case 10: {
        struct capn_data data = capn_read_data(pointer, (struct capn_data){NULL, 0});
        bytes_read(data.bytes, data.length);
        break;
    }
    case 11:
        sink += capn_read_capability(capn_read_path(pointer, path, how / 16 % 3));
        break;
    case 8:
        switch (capn_pointer_kind(pointer)) {
        case CAPN_KIND_NULL:
            break;
        case CAPN_KIND_STRUCT:
            struct_read(pending, capn_read_struct(pointer, NULL));
            break;
        case CAPN_KIND_LIST:
            list_read(pending, capn_read_list(pointer, CAPN_ELEMENT_ANY, NULL), how);
            break;
        case CAPN_KIND_CAPABILITY:
            sink += capn_read_capability(pointer);
            break;
        }
        break;
    default:
        list_read(pending, capn_read_list(pointer, (enum capn_element_size)(how % 12), NULL), how);
        break;
    }
}

struct message {
    struct capn_segment segments[SEGMENTS_MAX];
    uint32_t count;
    struct capn_limits limits;
};

static struct capn_reader reader_of(const struct message *message)
{
    struct capn_reader reader;
    capn_reader_init(&reader, message->segments, message->count, message->limits);
    return reader;
}

static void read_all(const struct message *message, const uint8_t *script, size_t script_length)
{
    struct capn_reader reader = reader_of(message);
    struct pending pending = {.count = 0};
    push(&pending, capn_reader_root(&reader));
    for (size_t i = 0; pending.count != 0 && reader.error.code == CAPN_OK; i++) {
        uint8_t how = i < script_length ? script[i] : 8;
        pending.count--;
        pointer_read(&pending, pending.pointers[pending.count], how);
    }
    demand(reader.traversal_words_left <= message->limits.traversal_words);
    demand(capn_status_text(reader.error.code) != NULL);
}

/* The canonical form, NULL if there is none. */
static uint8_t *canonical(const struct message *message, size_t *length)
{
    struct capn_reader reader = reader_of(message);
    uint64_t words = capn_canonical_words(capn_reader_root(&reader));
    if (words == 0 || words > WORDS_MAX) {
        return NULL;
    }
    uint8_t *bytes = allocate((size_t)words * 8);
    struct capn_output output = {bytes, (size_t)words * 8, 0};
    reader = reader_of(message);
    demand(capn_canonical_write(capn_reader_root(&reader), &output) == CAPN_OK);
    demand(output.used == words * 8);
    struct capn_segment form = {bytes, words};
    capn_reader_init(&reader, &form, 1, CAPN_LIMITS_DEFAULT);
    demand(capn_canonical_check(&reader) == CAPN_OK);
    *length = output.used;
    return bytes;
}

/* Copies through segments of `segment_words`; what is copied must mean the same. */
static void copy_and_compare(const struct message *message, uint32_t segment_words,
                             uint32_t segment_count)
{
    struct capn_build_segment segments[SEGMENTS_MAX];
    struct capn_builder builder;
    struct message copy = {.limits = CAPN_LIMITS_DEFAULT};
    size_t length = 0, copy_length = 0;
    for (uint32_t i = 0; i < segment_count; i++) {
        segments[i] =
            (struct capn_build_segment){allocate((size_t)segment_words * 8), segment_words, 0};
    }
    struct capn_reader reader = reader_of(message);
    capn_builder_init(&builder, segments, segment_count);
    if (capn_copy(capn_builder_root(&builder), capn_reader_root(&reader)) == CAPN_OK) {
        copy.count = capn_builder_segments(&builder, copy.segments);
        struct capn_reader check = reader_of(&copy);
        enum capn_status status = capn_reader_check_all(&check);
        demand(status == CAPN_OK || status == CAPN_TRAVERSAL_LIMIT);
        uint8_t *form = canonical(message, &length);
        uint8_t *copy_form = form != NULL ? canonical(&copy, &copy_length) : NULL;
        demand(copy_form == NULL ||
               (length == copy_length && memcmp(form, copy_form, length) == 0));
        free(form);
        free(copy_form);
    }
    for (uint32_t i = 0; i < segment_count; i++) {
        demand(segments[i].used_words <= segments[i].capacity_words);
        free(segments[i].bytes);
    }
}

/* The message in memory of exactly its size. */
static bool message_load(struct message *message, const uint8_t *framed, size_t length)
{
    struct capn_frame frame = {
        .segments = message->segments, .segment_room = SEGMENTS_MAX, .words_limit = WORDS_MAX};
    if (capn_frame_parse(&frame, framed, length) != CAPN_OK) {
        return false;
    }
    message->count = frame.segment_count;
    for (uint32_t i = 0; i < message->count; i++) {
        size_t bytes = (size_t)message->segments[i].words * 8;
        uint8_t *memory = allocate(bytes);
        memcpy(memory, message->segments[i].bytes, bytes);
        message->segments[i].bytes = memory;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static const uint64_t words[4] = {8, 64, 1024, 1 << 17};
    static const uint16_t depths[4] = {2, 5, 20, 64};
    struct message message;
    if (length < 2 || length < (size_t)2 + input[1]) {
        return 0;
    }
    size_t script_length = input[1];
    message.limits = (struct capn_limits){words[input[0] & 3], depths[input[0] >> 2 & 3]};
    if (!message_load(&message, input + 2 + script_length, length - 2 - script_length)) {
        return 0;
    }
    read_all(&message, input + 2, script_length);
    struct capn_reader reader = reader_of(&message);
    enum capn_status status = capn_reader_check_all(&reader);
    demand(status < CAPN_STATUS_COUNT);
    demand(reader.pointers_followed <= message.limits.traversal_words + 1);
    copy_and_compare(&message, 4096, 1);
    copy_and_compare(&message, 3 + (input[0] >> 4), SEGMENTS_MAX);
    for (uint32_t i = 0; i < message.count; i++) {
        free((void *)(uintptr_t)message.segments[i].bytes);
    }
    return 0;
}
