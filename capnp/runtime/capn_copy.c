/* SPDX-License-Identifier: MIT */
/*
 * One walk over a message with five uses: check all of it, measure a copy, copy, write the
 * canonical form, tell whether a message has it.
 *
 * The walk visits pointers in preorder and keeps one frame per level: a frame stands at one pointer
 * of one element of one object (a struct is a list of one element). Invariants:
 *  1. Frames are at most CAPN_WALK_DEPTH_MAX, one for each object on the way from the root.
 *  2. `words` is what the objects placed so far take in one segment; in canonical form that is the
 *     index at which the next object must lie.
 *  3. Every object was paid for from the reader's budget when it was read, so that the steps of a
 *     walk are at most the words that it may traverse, and the copy is no larger than that and its
 *     tags.
 */
#include "capn_internal.h"

struct frame {
    const struct capn_segment *segment;
    const uint8_t *element; /* source: the element at hand */
    uint8_t *to;            /* its copy; NULL while nothing is written */
    uint32_t elements_left; /* the one at hand included */
    uint32_t data_bytes;    /* per element, in the source and in the copy */
    uint32_t to_data_bytes;
    uint32_t to_segment;
    uint16_t pointer_count;
    uint16_t to_pointer_count; /* pointers past these are null */
    uint16_t next_pointer;
    uint16_t depth_left;
};

struct walk {
    struct capn_reader *reader;
    struct capn_builder *builder; /* NULL: nothing is written */
    uint64_t words;
    bool canonical; /* cut off trailing zeroes, refuse capabilities */
    bool check;     /* refuse what is not where and as the canonical form has it */
    uint32_t frame_count;
    struct frame frames[CAPN_WALK_DEPTH_MAX];
};

/* ---- Canonical sizes ---- */

/* How many of `words` words there are up to the last that is not zero. */
static uint16_t words_trimmed(const uint8_t *bytes, uint16_t words)
{
    while (words != 0 && capn_load_u64(bytes + (size_t)(words - 1u) * CAPN_WORD_BYTES) == 0) {
        words--;
    }
    return words;
}

/* The smallest size that holds every element of `list`. Looks at no word twice more than needed. */
static struct capn_size size_trimmed(const struct capn_list *list)
{
    struct capn_size most = {0, 0};
    for (uint32_t i = 0; i < list->count; i++) {
        const uint8_t *element = capn_list_at(*list, i);
        uint16_t data = words_trimmed(element, (uint16_t)(list->data_bytes / CAPN_WORD_BYTES));
        uint16_t pointers = words_trimmed(element + list->data_bytes, list->pointer_count);
        most.data_words = data > most.data_words ? data : most.data_words;
        most.pointers = pointers > most.pointers ? pointers : most.pointers;
    }
    return most;
}

static bool size_equal(struct capn_size a, struct capn_size b)
{
    return a.data_words == b.data_words && a.pointers == b.pointers;
}

static bool not_canonical(const struct capn_pointer *from, const char *what, uint64_t found,
                          uint64_t limit)
{
    capn_refuse(from, (struct capn_refusal){CAPN_NOT_CANONICAL, what, found, limit});
    return false;
}

/* In a check: does the object lie where the canonical form has it? */
static bool position_check(const struct walk *walk, const struct capn_pointer *from,
                           const struct capn_target *target, const char *what)
{
    if (walk->check && (uint64_t)target->start != walk->words) {
        return not_canonical(from, what, (uint64_t)target->start, walk->words);
    }
    return true;
}

/* ---- Objects ---- */

static bool frame_push(struct walk *walk, const struct capn_pointer *from, struct frame frame)
{
    if (frame.to_pointer_count == 0 || frame.elements_left == 0) {
        return true;
    }
    if (walk->frame_count == CAPN_WALK_DEPTH_MAX) {
        capn_refuse(from, (struct capn_refusal){CAPN_DEPTH_LIMIT, "walk", CAPN_WALK_DEPTH_MAX + 1,
                                                CAPN_WALK_DEPTH_MAX});
        return false;
    }
    walk->frames[walk->frame_count++] = frame;
    return true;
}

static void bytes_copy(uint8_t *to, const uint8_t *from, size_t length)
{
    if (length != 0) {
        __builtin_memcpy(to, from, length);
    }
}

static bool builder_is_ok(const struct walk *walk)
{
    return walk->builder->error.code == CAPN_OK;
}

static bool struct_visit(struct walk *walk, const struct capn_pointer *from,
                         const struct capn_target *target, struct capn_pointer_builder to)
{
    struct capn_struct s;
    if (!capn_target_struct(from, target, &s)) {
        return false;
    }
    struct capn_size found = {(uint16_t)(s.data_bytes / CAPN_WORD_BYTES), s.pointer_count};
    struct capn_size size = found;
    if (walk->canonical) {
        size.data_words = words_trimmed(s.data, found.data_words);
        size.pointers = words_trimmed(s.data + s.data_bytes, found.pointers);
    }
    bool empty = capn_struct_words(size) == 0;
    if (walk->check && !size_equal(found, size)) {
        return not_canonical(from, "struct", capn_struct_words(found), capn_struct_words(size));
    }
    if (walk->check && empty && target->bits != CAPN_EMPTY_STRUCT) {
        return not_canonical(from, "empty struct", target->bits, CAPN_EMPTY_STRUCT);
    }
    if (!empty && !position_check(walk, from, target, "struct")) {
        return false;
    }
    walk->words += capn_struct_words(size);
    struct capn_struct_builder copy = {.builder = NULL};
    if (walk->builder != NULL) {
        copy = capn_init_struct(to, size);
        if (!builder_is_ok(walk)) {
            return false;
        }
        bytes_copy(copy.data, s.data, copy.data_bytes);
    }
    return frame_push(walk, from,
                      (struct frame){.segment = s.segment,
                                     .element = s.data,
                                     .to = copy.data,
                                     .elements_left = 1,
                                     .data_bytes = s.data_bytes,
                                     .to_data_bytes = copy.data_bytes,
                                     .to_segment = copy.segment,
                                     .pointer_count = s.pointer_count,
                                     .to_pointer_count = size.pointers,
                                     .depth_left = s.depth_left});
}

static bool struct_list_visit(struct walk *walk, const struct capn_pointer *from,
                              const struct capn_target *target, const struct capn_list *list,
                              struct capn_pointer_builder to)
{
    struct capn_size found = {(uint16_t)(list->data_bytes / CAPN_WORD_BYTES), list->pointer_count};
    struct capn_size size = walk->canonical ? size_trimmed(list) : found;
    uint64_t words = capn_struct_list_words(list->count, size);
    if (walk->check &&
        (!size_equal(found, size) || words != capn_bits_count(target->bits) + UINT64_C(1))) {
        return not_canonical(from, "struct list", capn_bits_count(target->bits), words - 1);
    }
    walk->words += words;
    struct capn_list_builder copy = {.builder = NULL};
    if (walk->builder != NULL) {
        copy = capn_init_struct_list(to, list->count, size);
        if (!builder_is_ok(walk)) {
            return false;
        }
        for (uint32_t i = 0; i < list->count && copy.data_bytes != 0; i++) {
            bytes_copy(capn_list_builder_at(copy, i), capn_list_at(*list, i), copy.data_bytes);
        }
    }
    if (list->depth_left == 0 && list->count != 0) {
        capn_reader_refuse_depth(walk->reader);
        return false;
    }
    return frame_push(walk, from,
                      (struct frame){.segment = list->segment,
                                     .element = list->data,
                                     .to = copy.data,
                                     .elements_left = list->count,
                                     .data_bytes = list->data_bytes,
                                     .to_data_bytes = copy.data_bytes,
                                     .to_segment = copy.segment,
                                     .pointer_count = list->pointer_count,
                                     .to_pointer_count = size.pointers,
                                     .depth_left = (uint16_t)(list->depth_left - 1u)});
}

/* The bits of the last byte that belong to the list: all of them, but for a list of bits. */
static uint8_t last_byte_mask(const struct capn_list *list)
{
    bool partial = list->element_size == CAPN_ELEMENT_BIT && list->count % 8 != 0;
    return (uint8_t)(partial ? (1u << list->count % 8) - 1 : 0xff);
}

/* In a check: is what follows the last element, up to the end of its word, zero? */
static bool padding_check(const struct capn_pointer *from, const struct capn_list *list,
                          size_t length, size_t words)
{
    unsigned waste = 0;
    if (length != 0) {
        waste = list->data[length - 1] & ~(unsigned)last_byte_mask(list);
    }
    for (size_t i = length; i < words * CAPN_WORD_BYTES; i++) {
        waste |= list->data[i];
    }
    return waste == 0 || not_canonical(from, "list's padding", waste, 0);
}

static bool plain_list_visit(struct walk *walk, const struct capn_pointer *from,
                             const struct capn_list *list, struct capn_pointer_builder to)
{
    enum capn_element_size element = (enum capn_element_size)list->element_size;
    bool pointers = element == CAPN_ELEMENT_POINTER;
    uint64_t words = capn_list_words(element, list->count);
    size_t length = (size_t)(((uint64_t)list->count * capn_element_bits[element] + 7) / 8);
    if (walk->check && !pointers && !padding_check(from, list, length, (size_t)words)) {
        return false;
    }
    walk->words += words;
    struct capn_list_builder copy = {.builder = NULL};
    if (walk->builder != NULL) {
        copy = capn_init_list(to, element, list->count);
        if (!builder_is_ok(walk)) {
            return false;
        }
        if (!pointers && length != 0) {
            bytes_copy(copy.data, list->data, length);
            copy.data[length - 1] = (uint8_t)(copy.data[length - 1] & last_byte_mask(list));
        }
    }
    return frame_push(walk, from,
                      (struct frame){.segment = list->segment,
                                     .element = list->data,
                                     .to = copy.data,
                                     .elements_left = list->count,
                                     .to_segment = copy.segment,
                                     .pointer_count = list->pointer_count,
                                     .to_pointer_count = list->pointer_count,
                                     .depth_left = list->depth_left});
}

static bool capability_visit(struct walk *walk, const struct capn_pointer *from,
                             struct capn_pointer_builder to)
{
    if (walk->canonical) {
        capn_refuse(from, (struct capn_refusal){CAPN_HAS_CAPABILITY, "capability",
                                                capn_load_u64(from->word) >> 32, 0});
        return false;
    }
    uint32_t index = capn_read_capability(*from);
    if (walk->builder != NULL) {
        capn_write_capability(to, index);
    }
    return walk->builder == NULL || builder_is_ok(walk);
}

/* One pointer: places what it points to and leaves a frame for what is below that. */
static bool pointer_visit(struct walk *walk, const struct capn_pointer *from,
                          struct capn_pointer_builder to)
{
    struct capn_target target;
    if (capn_pointer_is_null(*from)) {
        return true;
    }
    uint64_t bits = capn_load_u64(from->word);
    if ((uint32_t)bits == CAPN_LOW_CAPABILITY) {
        return capability_visit(walk, from, to);
    }
    if (walk->check && capn_bits_kind(bits) == CAPN_BITS_FAR) {
        return not_canonical(from, "far pointer", bits, 0);
    }
    if (!capn_resolve(from, &target)) {
        return false;
    }
    if (capn_bits_kind(target.bits) != CAPN_BITS_LIST) {
        return struct_visit(walk, from, &target, to);
    }
    struct capn_list list;
    if (!capn_target_list(from, &target, CAPN_ELEMENT_ANY, &list) ||
        !position_check(walk, from, &target, "list")) {
        return false;
    }
    return list.element_size == CAPN_ELEMENT_COMPOSITE
               ? struct_list_visit(walk, from, &target, &list, to)
               : plain_list_visit(walk, from, &list, to);
}

/* ---- The walk ---- */

/* Moves a frame on to its next element; false when there is none. */
static bool frame_advance(struct frame *frame)
{
    frame->elements_left--;
    frame->next_pointer = 0;
    if (frame->elements_left == 0) {
        return false;
    }
    frame->element += frame->data_bytes + (size_t)frame->pointer_count * CAPN_WORD_BYTES;
    if (frame->to != NULL) {
        frame->to += frame->to_data_bytes + (size_t)frame->to_pointer_count * CAPN_WORD_BYTES;
    }
    return true;
}

/* Visits whatever is below the frames; true when all of it was. */
static bool walk_run(struct walk *walk)
{
    while (walk->frame_count != 0) {
        struct frame *frame = &walk->frames[walk->frame_count - 1];
        if (frame->next_pointer == frame->to_pointer_count) {
            walk->frame_count -= !frame_advance(frame);
            continue;
        }
        size_t at = (size_t)frame->next_pointer++ * CAPN_WORD_BYTES;
        struct capn_pointer from = {.reader = walk->reader,
                                    .segment = frame->segment,
                                    .word = frame->element + frame->data_bytes + at,
                                    .depth_left = frame->depth_left};
        struct capn_pointer_builder to = {.builder = walk->builder, .segment = frame->to_segment};
        if (walk->builder != NULL) {
            to.word = frame->to + frame->to_data_bytes + at;
        }
        if (!pointer_visit(walk, &from, to)) {
            return false;
        }
    }
    return true;
}

static void walk_init(struct walk *walk, struct capn_reader *reader, struct capn_builder *builder)
{
    walk->reader = reader;
    walk->builder = builder;
    walk->words = 0;
    walk->canonical = false;
    walk->check = false;
    walk->frame_count = 0;
}

/* ---- Its uses ---- */

/* The first refusal of either side, told to the builder too. */
static enum capn_status copy_status(const struct capn_reader *reader, struct capn_builder *builder)
{
    if (builder == NULL) {
        return CAPN_NO_FIELD;
    }
    if (reader != NULL && reader->error.code != CAPN_OK) {
        capn_builder_refuse(builder, &reader->error);
    }
    return builder->error.code;
}

enum capn_status capn_copy(struct capn_pointer_builder to, struct capn_pointer from)
{
    struct walk walk;
    walk_init(&walk, from.reader, to.builder);
    if (to.builder != NULL && to.builder->error.code == CAPN_OK &&
        pointer_visit(&walk, &from, to)) {
        (void)walk_run(&walk);
    }
    return copy_status(from.reader, to.builder);
}

/* Would `from` lose anything in a struct of the size of `to`? */
static bool struct_fits(struct capn_struct_builder to, struct capn_struct from)
{
    unsigned lost = 0;
    for (uint32_t i = to.data_bytes; i < from.data_bytes; i++) {
        lost |= from.data[i];
    }
    for (uint32_t i = to.pointer_count; i < from.pointer_count; i++) {
        lost |= !capn_pointer_is_null(capn_get_pointer(from, (uint16_t)i));
    }
    return lost == 0;
}

enum capn_status capn_copy_struct(struct capn_struct_builder to, struct capn_struct from)
{
    struct walk walk;
    walk_init(&walk, from.reader, to.builder);
    if (to.builder == NULL || to.builder->error.code != CAPN_OK) {
        return copy_status(from.reader, to.builder);
    }
    if (!struct_fits(to, from)) {
        struct capn_error error = {.code = CAPN_TOO_LARGE,
                                   .segment = CAPN_NO_SEGMENT,
                                   .found = from.data_bytes / CAPN_WORD_BYTES + from.pointer_count,
                                   .limit = to.data_bytes / CAPN_WORD_BYTES + to.pointer_count,
                                   .what = "struct to copy into"};
        capn_builder_refuse(to.builder, &error);
        return error.code;
    }
    uint32_t shared = to.data_bytes < from.data_bytes ? to.data_bytes : from.data_bytes;
    bytes_copy(to.data, from.data, shared);
    if (shared < to.data_bytes) {
        __builtin_memset(to.data + shared, 0, to.data_bytes - shared);
    }
    uint16_t pointers =
        to.pointer_count < from.pointer_count ? to.pointer_count : from.pointer_count;
    struct capn_pointer place = {.reader = from.reader};
    struct frame frame = {.segment = from.segment,
                          .element = from.data,
                          .to = to.data,
                          .elements_left = 1,
                          .data_bytes = from.data_bytes,
                          .to_data_bytes = to.data_bytes,
                          .to_segment = to.segment,
                          .pointer_count = from.pointer_count,
                          .to_pointer_count = pointers,
                          .depth_left = from.depth_left};
    if (frame_push(&walk, &place, frame)) {
        (void)walk_run(&walk);
    }
    return copy_status(from.reader, to.builder);
}

uint64_t capn_copy_words(struct capn_pointer pointer)
{
    struct walk walk;
    walk_init(&walk, pointer.reader, NULL);
    return pointer_visit(&walk, &pointer, (struct capn_pointer_builder){.word = NULL}) &&
                   walk_run(&walk)
               ? walk.words
               : 0;
}

enum capn_status capn_reader_check_all(struct capn_reader *reader)
{
    (void)capn_copy_words(capn_reader_root(reader));
    return reader->error.code;
}

uint64_t capn_canonical_words(struct capn_pointer from)
{
    struct walk walk;
    walk_init(&walk, from.reader, NULL);
    walk.canonical = true;
    walk.words = CAPN_ROOT_WORDS;
    return pointer_visit(&walk, &from, (struct capn_pointer_builder){.word = NULL}) &&
                   walk_run(&walk)
               ? walk.words
               : 0;
}

enum capn_status capn_canonical_write(struct capn_pointer from, struct capn_output *output)
{
    uint64_t room = (output->capacity - output->used) / CAPN_WORD_BYTES;
    struct capn_build_segment segment = {
        .bytes = output->bytes + output->used,
        .capacity_words = room < CAPN_LIST_COUNT_MAX ? (uint32_t)room : CAPN_LIST_COUNT_MAX};
    struct capn_builder builder;
    struct walk walk;
    capn_builder_init(&builder, &segment, 1);
    walk_init(&walk, from.reader, &builder);
    walk.canonical = true;
    if (builder.error.code == CAPN_OK && pointer_visit(&walk, &from, capn_builder_root(&builder)) &&
        walk_run(&walk)) {
        output->used += (size_t)segment.used_words * CAPN_WORD_BYTES;
    }
    if (from.reader != NULL && from.reader->error.code != CAPN_OK) {
        return from.reader->error.code;
    }
    return builder.error.code == CAPN_NO_SPACE ? CAPN_OUTPUT_FULL : builder.error.code;
}

enum capn_status capn_canonical_check(struct capn_reader *reader)
{
    struct walk walk;
    struct capn_pointer root = capn_reader_root(reader);
    walk_init(&walk, reader, NULL);
    walk.canonical = true;
    walk.check = true;
    walk.words = CAPN_ROOT_WORDS;
    if (reader->error.code == CAPN_OK && reader->segment_count != 1) {
        (void)not_canonical(&root, "segments", reader->segment_count, 1);
    }
    if (reader->error.code == CAPN_OK &&
        pointer_visit(&walk, &root, (struct capn_pointer_builder){.word = NULL}) &&
        walk_run(&walk) && walk.words != reader->segments[0].words) {
        (void)not_canonical(&root, "segment's end", reader->segments[0].words, walk.words);
    }
    return reader->error.code;
}
