/* SPDX-License-Identifier: MIT */
/*
 * The builder: room for objects, and the pointers to them.
 *
 * Invariants:
 *  1. used_words <= the capacity of every segment; bytes past used_words are never written.
 *  2. Every word below used_words was zeroed or filled when it was taken: nothing of what the
 *     memory held before gets into a message.
 *  3. A pointer is written once, when its object is placed; each placed object has exactly one
 *     pointer, so that what is used is what the objects need (and landing pads).
 *  4. Once builder->error is set nothing is placed any more.
 * Each placement checks first and changes after: a refused object leaves the segments as they were.
 */
#include "capn_internal.h"

void capn_builder_init(struct capn_builder *builder, struct capn_build_segment *segments,
                       uint32_t segment_count)
{
    *builder = (struct capn_builder){.segments = segments, .segment_count = segment_count};
    for (uint32_t id = 0; id < segment_count; id++) {
        segments[id].used_words = 0;
    }
    if (segment_count == 0 || segments[0].capacity_words == 0) {
        builder->error = (struct capn_error){
            .code = CAPN_NO_SPACE, .found = CAPN_ROOT_WORDS, .what = "root pointer"};
        return;
    }
    capn_store_u64(segments[0].bytes, 0);
    segments[0].used_words = CAPN_ROOT_WORDS;
}

uint32_t capn_builder_segments(const struct capn_builder *builder, struct capn_segment *segments)
{
    uint32_t in_use = 0;
    for (uint32_t id = 0; id < builder->segment_count; id++) {
        segments[id] = (struct capn_segment){.bytes = builder->segments[id].bytes,
                                             .words = builder->segments[id].used_words};
        in_use = segments[id].words != 0 ? id + 1 : in_use;
    }
    return in_use;
}

uint64_t capn_builder_words(const struct capn_builder *builder)
{
    uint64_t words = 0;
    for (uint32_t id = 0; id < builder->segment_count; id++) {
        words += builder->segments[id].used_words;
    }
    return words;
}

/* ---- Refusals ---- */

void capn_builder_refuse(struct capn_builder *builder, const struct capn_error *error)
{
    if (builder != NULL && builder->error.code == CAPN_OK) {
        builder->error = *error;
    }
}

void capn_builder_refuse_field(struct capn_builder *builder, uint32_t field, uint32_t limit)
{
    struct capn_error error = {.code = CAPN_NO_FIELD,
                               .segment = CAPN_NO_SEGMENT,
                               .found = field,
                               .limit = limit,
                               .what = "field"};
    capn_builder_refuse(builder, &error);
}

void capn_builder_refuse_index(struct capn_builder *builder, uint32_t index, uint32_t count)
{
    struct capn_error error = {.code = CAPN_INDEX,
                               .segment = CAPN_NO_SEGMENT,
                               .found = index,
                               .limit = count,
                               .what = "list element"};
    capn_builder_refuse(builder, &error);
}

static uint64_t word_index(const struct capn_pointer_builder *at)
{
    return (uint64_t)(at->word - at->builder->segments[at->segment].bytes) / CAPN_WORD_BYTES;
}

static CAPN_COLD void place_refuse(const struct capn_pointer_builder *to,
                                   struct capn_refusal refusal)
{
    struct capn_error error = {.code = refusal.code,
                               .segment = CAPN_NO_SEGMENT,
                               .found = refusal.found,
                               .limit = refusal.limit,
                               .what = refusal.what};
    if (to->word != NULL) {
        error.segment = to->segment;
        error.word = word_index(to);
    }
    capn_builder_refuse(to->builder, &error);
}

/* ---- Placing ---- */

/* What is to be placed: its words, and its pointer without the offset. */
struct placement {
    uint64_t words;
    uint64_t bits;
    const char *what;
};

/* Where an object came to lie. */
struct placed {
    uint8_t *bytes;
    uint32_t segment;
};

/* Offsets have 29 bits and a sign, far pointers 29 bits: words past that cannot be pointed at. */
static uint64_t segment_room(const struct capn_build_segment *segment)
{
    uint64_t capacity = segment->capacity_words < CAPN_LIST_COUNT_MAX ? segment->capacity_words
                                                                      : CAPN_LIST_COUNT_MAX;
    return capacity - segment->used_words;
}

/* Takes words that are there. */
static uint8_t *segment_take(struct capn_build_segment *segment, uint64_t words)
{
    uint8_t *bytes = segment->bytes + (size_t)segment->used_words * CAPN_WORD_BYTES;
    segment->used_words += (uint32_t)words;
    return bytes;
}

static uint64_t far_bits(uint32_t segment, uint64_t word, bool two_words)
{
    return (uint64_t)segment << 32 | word << 3 | (two_words ? 4u : 0u) | CAPN_BITS_FAR;
}

/* The first segment with `words` of room other than `except`; segment_count when none has. */
static uint32_t segment_find(const struct capn_builder *builder, uint64_t words, uint32_t except)
{
    uint32_t id = 0;
    while (id < builder->segment_count &&
           (id == except || segment_room(&builder->segments[id]) < words)) {
        id++;
    }
    return id;
}

/* Places an object outside its parent's segment: with its landing pad before it where both fit,
 * else with a two-word pad wherever there is room for that. */
static bool place_far(const struct capn_pointer_builder *to, const struct placement *object,
                      struct placed *placed)
{
    struct capn_builder *builder = to->builder;
    uint32_t none = builder->segment_count;
    uint32_t home = segment_find(builder, object->words + 1, none);
    if (home != none) {
        struct capn_build_segment *segment = &builder->segments[home];
        capn_store_u64(to->word, far_bits(home, segment->used_words, false));
        capn_store_u64(segment_take(segment, 1), object->bits);
        placed->segment = home;
        placed->bytes = segment_take(segment, object->words);
        return true;
    }
    home = segment_find(builder, object->words, none);
    uint32_t pad = home != none ? segment_find(builder, 2, home) : none;
    if (pad == none) {
        uint64_t most = 0;
        for (uint32_t id = 0; id < none; id++) {
            uint64_t room = segment_room(&builder->segments[id]);
            most = room > most ? room : most;
        }
        place_refuse(to, (struct capn_refusal){CAPN_NO_SPACE, object->what, object->words, most});
        return false;
    }
    capn_store_u64(to->word, far_bits(pad, builder->segments[pad].used_words, true));
    uint8_t *landing = segment_take(&builder->segments[pad], 2);
    capn_store_u64(landing, far_bits(home, builder->segments[home].used_words, false));
    capn_store_u64(landing + CAPN_WORD_BYTES, object->bits);
    placed->segment = home;
    placed->bytes = segment_take(&builder->segments[home], object->words);
    return true;
}

/* May `to` be given a pointer? */
static bool place_check(const struct capn_pointer_builder *to, const char *what)
{
    if (CAPN_UNLIKELY(to->builder == NULL || to->builder->error.code != CAPN_OK)) {
        return false;
    }
    if (CAPN_UNLIKELY(to->word == NULL)) {
        place_refuse(to, (struct capn_refusal){CAPN_NO_FIELD, what, 0, 0});
        return false;
    }
    if (CAPN_UNLIKELY(capn_load_u64(to->word) != 0)) {
        place_refuse(to, (struct capn_refusal){CAPN_ALREADY_SET, what, capn_load_u64(to->word), 0});
        return false;
    }
    return true;
}

/* Finds room and writes the pointer; what was in the object's memory is still there. */
static bool place(const struct capn_pointer_builder *to, const struct placement *object,
                  struct placed *placed)
{
    if (!place_check(to, object->what)) {
        return false;
    }
    if (CAPN_UNLIKELY(object->words > CAPN_LIST_COUNT_MAX)) {
        place_refuse(to, (struct capn_refusal){CAPN_TOO_LARGE, object->what, object->words,
                                               CAPN_LIST_COUNT_MAX});
        return false;
    }
    struct capn_build_segment *segment = &to->builder->segments[to->segment];
    if (CAPN_UNLIKELY(segment_room(segment) < object->words)) {
        return place_far(to, object, placed);
    }
    uint64_t offset = segment->used_words - word_index(to) - 1;
    capn_store_u64(to->word, object->bits | offset << 2);
    placed->segment = to->segment;
    placed->bytes = segment_take(segment, object->words);
    return true;
}

static void placed_zero(const struct placed *placed, uint64_t words)
{
    __builtin_memset(placed->bytes, 0, (size_t)words * CAPN_WORD_BYTES);
}

/* ---- Objects ---- */

static uint64_t size_bits(struct capn_size size)
{
    return (uint64_t)size.data_words << 32 | (uint64_t)size.pointers << 48;
}

static uint64_t list_bits(enum capn_element_size element, uint64_t count)
{
    return CAPN_BITS_LIST | (uint64_t)element << 32 | count << 35;
}

void capn_init_struct_at(const struct capn_pointer_builder *to, struct capn_size size,
                         struct capn_struct_builder *out)
{
    struct placement object = {capn_struct_words(size), size_bits(size), "struct"};
    struct placed placed = {.bytes = to->word, .segment = to->segment};
    bool empty = object.words == 0;
    if (!(empty ? place_check(to, object.what) : place(to, &object, &placed))) {
        *out = (struct capn_struct_builder){.builder = to->builder};
        return;
    }
    if (empty) {
        capn_store_u64(to->word, CAPN_EMPTY_STRUCT);
    }
    placed_zero(&placed, object.words);
    *out = (struct capn_struct_builder){.builder = to->builder,
                                        .data = placed.bytes,
                                        .segment = placed.segment,
                                        .data_bytes = size.data_words * CAPN_WORD_BYTES,
                                        .pointer_count = size.pointers};
}

/* A list of `count` elements of any size but COMPOSITE, not zeroed. */
static bool list_place(const struct capn_pointer_builder *to, enum capn_element_size element,
                       uint64_t count, struct placed *placed)
{
    if (count > CAPN_LIST_COUNT_MAX) {
        place_refuse(to, (struct capn_refusal){CAPN_TOO_LARGE, "list", count, CAPN_LIST_COUNT_MAX});
        return false;
    }
    struct placement object = {capn_list_words(element, (uint32_t)count), list_bits(element, count),
                               "list"};
    return place(to, &object, placed);
}

void capn_init_list_at(const struct capn_pointer_builder *to, enum capn_element_size element,
                       uint32_t count, struct capn_list_builder *out)
{
    struct placed placed;
    *out = (struct capn_list_builder){.builder = to->builder};
    if ((unsigned)element >= CAPN_ELEMENT_COMPOSITE) {
        place_refuse(to, (struct capn_refusal){CAPN_ELEMENT_SIZE, "list", (uint64_t)element,
                                               CAPN_ELEMENT_POINTER});
        return;
    }
    if (!list_place(to, element, count, &placed)) {
        return;
    }
    placed_zero(&placed, capn_list_words(element, count));
    out->segment = placed.segment;
    out->data = placed.bytes;
    out->count = count;
    out->pointer_count = element == CAPN_ELEMENT_POINTER;
    out->data_bytes = out->pointer_count != 0 ? 0 : capn_element_bits[element] / 8u;
    out->element_size = (uint8_t)element;
}

void capn_init_struct_list_at(const struct capn_pointer_builder *to, uint32_t count,
                              struct capn_size size, struct capn_list_builder *out)
{
    uint64_t words = capn_struct_list_words(count, size);
    struct placement object = {words, list_bits(CAPN_ELEMENT_COMPOSITE, words - 1), "struct list"};
    struct placed placed;
    *out = (struct capn_list_builder){.builder = to->builder};
    /* The count may be beyond what a list can say although elements of no size need no words. */
    if (count > CAPN_LIST_COUNT_MAX) {
        place_refuse(
            to, (struct capn_refusal){CAPN_TOO_LARGE, object.what, count, CAPN_LIST_COUNT_MAX});
        return;
    }
    if (!place(to, &object, &placed)) {
        return;
    }
    placed_zero(&placed, words);
    capn_store_u64(placed.bytes, size_bits(size) | (uint64_t)count << 2);
    out->segment = placed.segment;
    out->data = placed.bytes + CAPN_WORD_BYTES;
    out->count = count;
    out->data_bytes = size.data_words * CAPN_WORD_BYTES;
    out->pointer_count = size.pointers;
    out->element_size = CAPN_ELEMENT_COMPOSITE;
}

/* A list of `length` bytes, the last word of it zeroed. */
static uint8_t *bytes_place(const struct capn_pointer_builder *to, uint64_t length)
{
    struct placed placed;
    if (!list_place(to, CAPN_ELEMENT_BYTE, length, &placed)) {
        return NULL;
    }
    if (length != 0) {
        size_t last = (size_t)(length - 1) / CAPN_WORD_BYTES * CAPN_WORD_BYTES;
        capn_store_u64(placed.bytes + last, 0);
    }
    return placed.bytes;
}

char *capn_init_text(struct capn_pointer_builder to, uint64_t length)
{
    return (char *)capn_init_data(to, length < UINT64_MAX ? length + 1 : length);
}

uint8_t *capn_init_data(struct capn_pointer_builder to, uint64_t length)
{
    uint8_t *bytes = bytes_place(&to, length);
    if (bytes != NULL) {
        __builtin_memset(bytes, 0, (size_t)length);
    }
    return bytes;
}

void capn_write_text_at(const struct capn_pointer_builder *to, struct capn_text text)
{
    if (text.bytes == NULL) {
        return;
    }
    uint64_t length = text.length;
    uint8_t *bytes = bytes_place(to, length < UINT64_MAX ? length + 1 : length);
    if (bytes != NULL) {
        __builtin_memcpy(bytes, text.bytes, text.length);
    }
}

void capn_write_data_at(const struct capn_pointer_builder *to, struct capn_data data)
{
    if (data.bytes == NULL) {
        return;
    }
    uint8_t *bytes = bytes_place(to, data.length);
    if (bytes != NULL && data.length != 0) {
        __builtin_memcpy(bytes, data.bytes, data.length);
    }
}

void capn_write_capability(struct capn_pointer_builder to, uint32_t index)
{
    if (index != CAPN_NO_CAPABILITY && place_check(&to, "capability")) {
        capn_store_u64(to.word, CAPN_LOW_CAPABILITY | (uint64_t)index << 32);
    }
}

/* ---- What was built earlier ---- */

/* `words` words at `word` of a segment, as far as they are in use; NULL if they are not. */
static uint8_t *built_words(const struct capn_builder *builder, uint64_t segment, uint64_t word,
                            uint64_t words)
{
    if (segment >= builder->segment_count) {
        return NULL;
    }
    uint64_t used = builder->segments[segment].used_words;
    bool inside = word <= used && words <= used - word;
    return inside ? builder->segments[segment].bytes + (size_t)word * CAPN_WORD_BYTES : NULL;
}

static uint64_t built_object_words(uint64_t bits)
{
    if (capn_bits_kind(bits) == CAPN_BITS_STRUCT) {
        return capn_struct_words(capn_bits_size(bits));
    }
    unsigned element = capn_bits_element(bits);
    return element == CAPN_ELEMENT_COMPOSITE
               ? (uint64_t)capn_bits_count(bits) + 1
               : capn_list_words((enum capn_element_size)element, capn_bits_count(bits));
}

/* Finds the object behind a pointer of ours; the segments may be shared with somebody who writes to
 * them, so nothing is believed. `bits` gets the word that describes the object. */
static bool built_resolve(const struct capn_pointer_builder *at, unsigned kind, uint64_t *bits,
                          struct placed *placed)
{
    const struct capn_builder *builder = at->builder;
    if (capn_built_pointer_is_null(*at) || builder->error.code != CAPN_OK) {
        return false;
    }
    uint64_t segment = at->segment;
    uint64_t word = word_index(at);
    uint64_t found = capn_load_u64(at->word);
    *bits = found;
    if (capn_bits_kind(found) == CAPN_BITS_FAR) {
        bool two_words = (found & 4) != 0;
        segment = found >> 32;
        word = (uint32_t)found >> 3;
        const uint8_t *pad = built_words(builder, segment, word, two_words ? 2 : 1);
        *bits = pad != NULL ? capn_load_u64(two_words ? pad + CAPN_WORD_BYTES : pad) : found;
        if (pad != NULL && two_words) {
            segment = capn_load_u64(pad) >> 32;
            word = ((uint32_t)capn_load_u64(pad) >> 3) - UINT64_C(1);
        }
    }
    if (capn_bits_kind(*bits) == kind) {
        uint64_t start = word + 1 + (uint64_t)capn_bits_offset(*bits);
        placed->segment = (uint32_t)segment;
        placed->bytes = built_words(builder, segment, start, built_object_words(*bits));
        if (placed->bytes != NULL) {
            return true;
        }
    }
    place_refuse(at, (struct capn_refusal){CAPN_WRONG_KIND, "object built earlier",
                                           capn_bits_kind(*bits), kind});
    return false;
}

struct capn_struct_builder capn_built_struct(struct capn_pointer_builder at)
{
    struct capn_struct_builder s = {.builder = at.builder};
    struct placed placed;
    uint64_t bits;
    if (built_resolve(&at, CAPN_BITS_STRUCT, &bits, &placed)) {
        s.data = placed.bytes;
        s.segment = placed.segment;
        s.data_bytes = capn_bits_size(bits).data_words * CAPN_WORD_BYTES;
        s.pointer_count = capn_bits_size(bits).pointers;
    }
    return s;
}

struct capn_list_builder capn_built_list(struct capn_pointer_builder at)
{
    struct capn_list_builder list = {.builder = at.builder};
    struct placed placed;
    uint64_t bits;
    if (!built_resolve(&at, CAPN_BITS_LIST, &bits, &placed)) {
        return list;
    }
    unsigned element = capn_bits_element(bits);
    uint32_t count = capn_bits_count(bits);
    if (element == CAPN_ELEMENT_COMPOSITE) {
        uint64_t tag = capn_load_u64(placed.bytes);
        struct capn_size size = capn_bits_size(tag);
        if (capn_tag_count(tag) * capn_struct_words(size) > count) {
            place_refuse(&at, (struct capn_refusal){CAPN_BAD_LIST_TAG, "struct list built earlier",
                                                    capn_tag_count(tag), count});
            return list;
        }
        list.data = placed.bytes + CAPN_WORD_BYTES;
        list.count = capn_tag_count(tag);
        list.data_bytes = size.data_words * CAPN_WORD_BYTES;
        list.pointer_count = size.pointers;
    } else {
        list.data = placed.bytes;
        list.count = count;
        list.pointer_count = element == CAPN_ELEMENT_POINTER;
        list.data_bytes = list.pointer_count != 0 ? 0 : capn_element_bits[element] / 8u;
    }
    list.segment = placed.segment;
    list.element_size = (uint8_t)element;
    return list;
}
