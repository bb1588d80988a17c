/* SPDX-License-Identifier: MIT */
/*
 * The reader: from a pointer word to a checked object.
 *
 * Vocabulary. A *place* is where a pointer lies (struct capn_pointer). *Resolving* it looks through
 * far pointers and gives a target: the word that describes the object, its segment and its first
 * word. *Reading* the target checks it and gives a handle (struct or list) whose size is true.
 *
 * Invariants of every handle that is given out:
 *  1. data .. data + size lies inside the bytes of `segment`, whatever the message says.
 *  2. data_bytes + 8 * pointer_count is the size of one element; a struct is one element.
 *  3. The words of the object were taken from the reader's budget before the handle was made.
 *  4. depth_left is one less than that of the place the handle came from.
 *  5. Once reader->error is set no target is resolved any more, so that work stops there.
 * Arithmetic on what the message says is done in 64 bits on word indices; a native pointer is
 * formed after the index was found to be inside. Nothing here recurs: a far pointer leads to at
 * most one more.
 */
#include "capn_internal.h"

const uint8_t capn_element_bits[8] = {0, 1, 8, 16, 32, 64, 64, 0};

void capn_reader_init(struct capn_reader *reader, const struct capn_segment *segments,
                      uint32_t segment_count, struct capn_limits limits)
{
    *reader = (struct capn_reader){.segments = segments,
                                   .segment_count = segment_count,
                                   .depth_limit = limits.depth,
                                   .traversal_words_left = limits.traversal_words};
    if (segment_count == 0 || segments[0].words == 0) {
        reader->error = (struct capn_error){.code = CAPN_NO_ROOT, .limit = 1, .what = "message"};
    }
}

/* ---- Refusals ---- */

void capn_reader_refuse(struct capn_reader *reader, const struct capn_error *error)
{
    if (reader != NULL && reader->error.code == CAPN_OK) {
        reader->error = *error;
    }
}

void capn_reader_refuse_index(struct capn_reader *reader, uint32_t index, uint32_t count)
{
    struct capn_error error = {.code = CAPN_INDEX,
                               .segment = CAPN_NO_SEGMENT,
                               .found = index,
                               .limit = count,
                               .what = "list element"};
    capn_reader_refuse(reader, &error);
}

void capn_reader_refuse_depth(struct capn_reader *reader)
{
    struct capn_error error = {.code = CAPN_DEPTH_LIMIT,
                               .segment = CAPN_NO_SEGMENT,
                               .limit = reader != NULL ? reader->depth_limit : 0,
                               .what = "list element"};
    capn_reader_refuse(reader, &error);
}

void capn_refuse(const struct capn_pointer *pointer, struct capn_refusal refusal)
{
    struct capn_error error = {.code = refusal.code,
                               .segment = CAPN_NO_SEGMENT,
                               .found = refusal.found,
                               .limit = refusal.limit,
                               .what = refusal.what};
    for (uint32_t id = 0; id < pointer->reader->segment_count; id++) {
        if (pointer->segment == &pointer->reader->segments[id]) {
            error.segment = id;
            error.word = (uint64_t)(pointer->word - pointer->segment->bytes) / CAPN_WORD_BYTES;
        }
    }
    capn_reader_refuse(pointer->reader, &error);
}

/* ---- Bounds and budget ---- */

/* Takes `words` from the budget. */
static bool budget_take(const struct capn_pointer *pointer, uint64_t words, const char *what)
{
    uint64_t left = pointer->reader->traversal_words_left;
    if (CAPN_UNLIKELY(words > left)) {
        capn_refuse(pointer, (struct capn_refusal){CAPN_TRAVERSAL_LIMIT, what, words, left});
        return false;
    }
    pointer->reader->traversal_words_left = left - words;
    return true;
}

/* The first byte of the `words` words at `start`, which are inside the segment and paid for; NULL
 * after a refusal. */
static const uint8_t *words_at(const struct capn_pointer *pointer, const struct capn_target *target,
                               uint64_t words, const char *what)
{
    uint64_t limit = target->segment->words;
    /* A negative start is a huge one. */
    uint64_t start = (uint64_t)target->start;
    if (CAPN_UNLIKELY(start > limit || words > limit - start)) {
        capn_refuse(pointer, (struct capn_refusal){CAPN_OUT_OF_BOUNDS, what, words, limit});
        return NULL;
    }
    if (!budget_take(pointer, words, what)) {
        return NULL;
    }
    return target->segment->bytes + start * CAPN_WORD_BYTES;
}

/* The segment that a far pointer names, NULL after a refusal. */
static const struct capn_segment *far_segment(const struct capn_pointer *pointer, uint64_t bits)
{
    const struct capn_reader *reader = pointer->reader;
    uint32_t id = (uint32_t)(bits >> 32);
    /* As in the reference, an empty segment is none: only an object without words could lie there.
     */
    if (id >= reader->segment_count || reader->segments[id].words == 0) {
        capn_refuse(pointer, (struct capn_refusal){CAPN_UNKNOWN_SEGMENT, "far pointer", id,
                                                   reader->segment_count});
        return NULL;
    }
    return &reader->segments[id];
}

/* Looks through one far pointer. The landing pad is either the object's own pointer, which must be
 * near, or (double far) a far pointer to the object itself, followed by a tag that describes it. */
static bool far_resolve(const struct capn_pointer *pointer, uint64_t bits,
                        struct capn_target *target)
{
    bool two_words = (bits & 4) != 0;
    struct capn_target pad = {.segment = far_segment(pointer, bits),
                              .start = (int64_t)((uint32_t)bits >> 3)};
    if (pad.segment == NULL) {
        return false;
    }
    const uint8_t *word = words_at(pointer, &pad, two_words ? 2 : 1, "landing pad");
    if (word == NULL) {
        return false;
    }
    uint64_t landing = capn_load_u64(word);
    bool landing_is_far = capn_bits_kind(landing) == CAPN_BITS_FAR;
    if (landing_is_far != two_words || (two_words && (landing & 4) != 0)) {
        capn_refuse(pointer,
                    (struct capn_refusal){CAPN_BAD_LANDING_PAD, "landing pad", landing, two_words});
        return false;
    }
    if (!two_words) {
        target->segment = pad.segment;
        target->bits = landing;
        target->start = pad.start + 1 + capn_bits_offset(landing);
        return true;
    }
    target->segment = far_segment(pointer, landing);
    target->bits = capn_load_u64(word + CAPN_WORD_BYTES);
    target->start = (int64_t)((uint32_t)landing >> 3);
    if (capn_bits_kind(target->bits) == CAPN_BITS_FAR) {
        capn_refuse(pointer, (struct capn_refusal){CAPN_BAD_LANDING_PAD, "landing pad's tag",
                                                   target->bits, 0});
        return false;
    }
    return target->segment != NULL;
}

bool capn_resolve(const struct capn_pointer *pointer, struct capn_target *target)
{
    struct capn_reader *reader = pointer->reader;
    if (CAPN_UNLIKELY(reader == NULL || reader->error.code != CAPN_OK)) {
        return false;
    }
    reader->pointers_followed++;
    uint64_t bits = capn_load_u64(pointer->word);
    if (CAPN_UNLIKELY(capn_bits_kind(bits) == CAPN_BITS_FAR)) {
        return far_resolve(pointer, bits, target);
    }
    uint64_t index = (uint64_t)(pointer->word - pointer->segment->bytes) / CAPN_WORD_BYTES;
    target->segment = pointer->segment;
    target->bits = bits;
    target->start = (int64_t)index + 1 + capn_bits_offset(bits);
    return true;
}

/* ---- Objects ---- */

const uint8_t *capn_reader_root_word(struct capn_reader *reader)
{
    if (reader->segment_count == 0 || reader->segments[0].words == 0) {
        return NULL;
    }
    const struct capn_segment *first = &reader->segments[0];
    struct capn_pointer root = {.reader = reader, .segment = first, .word = first->bytes};
    return budget_take(&root, CAPN_ROOT_WORDS, "root pointer") ? first->bytes : NULL;
}

static bool kind_check(const struct capn_pointer *pointer, uint64_t bits, unsigned kind,
                       const char *what)
{
    if (CAPN_LIKELY(capn_bits_kind(bits) == kind)) {
        return true;
    }
    bool reserved =
        capn_bits_kind(bits) == CAPN_BITS_OTHER && (uint32_t)bits != CAPN_LOW_CAPABILITY;
    capn_refuse(pointer, (struct capn_refusal){reserved ? CAPN_UNKNOWN_POINTER : CAPN_WRONG_KIND,
                                               what, capn_bits_kind(bits), kind});
    return false;
}

static bool depth_check(const struct capn_pointer *pointer, const char *what)
{
    if (CAPN_LIKELY(pointer->depth_left != 0)) {
        return true;
    }
    uint64_t limit = pointer->reader->depth_limit;
    capn_refuse(pointer, (struct capn_refusal){CAPN_DEPTH_LIMIT, what, limit + 1, limit});
    return false;
}

bool capn_target_struct(const struct capn_pointer *pointer, const struct capn_target *target,
                        struct capn_struct *out)
{
    if (!kind_check(pointer, target->bits, CAPN_BITS_STRUCT, "struct") ||
        !depth_check(pointer, "struct")) {
        return false;
    }
    struct capn_size size = capn_bits_size(target->bits);
    const uint8_t *data = words_at(pointer, target, capn_struct_words(size), "struct");
    if (data == NULL) {
        return false;
    }
    *out = (struct capn_struct){.reader = pointer->reader,
                                .segment = target->segment,
                                .data = data,
                                .data_bytes = size.data_words * CAPN_WORD_BYTES,
                                .pointer_count = size.pointers,
                                .depth_left = (uint16_t)(pointer->depth_left - 1)};
    return true;
}

/* May a list with these elements be read as one of `expected`? See capn_read_list. */
static bool element_fits(const struct capn_list *list, enum capn_element_size expected)
{
    bool bits_found = list->element_size == CAPN_ELEMENT_BIT;
    switch (expected) {
    case CAPN_ELEMENT_ANY:
        return true;
    case CAPN_ELEMENT_BIT:
        return bits_found;
    case CAPN_ELEMENT_VOID:
    case CAPN_ELEMENT_COMPOSITE:
        return !bits_found;
    case CAPN_ELEMENT_POINTER:
        return list->pointer_count != 0;
    case CAPN_ELEMENT_BYTE:
    case CAPN_ELEMENT_TWO_BYTES:
    case CAPN_ELEMENT_FOUR_BYTES:
    case CAPN_ELEMENT_EIGHT_BYTES:
        return list->data_bytes >= capn_element_bits[expected] / 8u;
    }
    return false;
}

/* A struct list: a tag that says how many structs of which size, then the structs. */
static bool composite_read(const struct capn_pointer *pointer, const struct capn_target *target,
                           struct capn_list *out)
{
    uint64_t words = capn_bits_count(target->bits);
    const uint8_t *bytes = words_at(pointer, target, words + 1, "struct list");
    if (bytes == NULL) {
        return false;
    }
    uint64_t tag = capn_load_u64(bytes);
    struct capn_size size = capn_bits_size(tag);
    uint64_t needed = capn_tag_count(tag) * capn_struct_words(size);
    /* The tag has a bit more than a list pointer has for its count. */
    if (capn_tag_count(tag) > CAPN_LIST_COUNT_MAX) {
        capn_refuse(pointer, (struct capn_refusal){CAPN_BAD_LIST_TAG, "struct list's count",
                                                   capn_tag_count(tag), CAPN_LIST_COUNT_MAX});
        return false;
    }
    if (capn_bits_kind(tag) != CAPN_BITS_STRUCT || needed > words) {
        capn_refuse(pointer,
                    (struct capn_refusal){CAPN_BAD_LIST_TAG, "struct list", needed, words});
        return false;
    }
    out->data = bytes + CAPN_WORD_BYTES;
    out->count = capn_tag_count(tag);
    out->data_bytes = size.data_words * CAPN_WORD_BYTES;
    out->pointer_count = size.pointers;
    return capn_struct_words(size) != 0 ||
           budget_take(pointer, out->count, "list of empty structs");
}

static bool primitive_read(const struct capn_pointer *pointer, const struct capn_target *target,
                           struct capn_list *out)
{
    enum capn_element_size element = (enum capn_element_size)out->element_size;
    uint32_t count = capn_bits_count(target->bits);
    out->data = words_at(pointer, target, capn_list_words(element, count), "list");
    if (out->data == NULL) {
        return false;
    }
    out->count = count;
    out->pointer_count = element == CAPN_ELEMENT_POINTER;
    out->data_bytes = out->pointer_count != 0 ? 0 : capn_element_bits[element] / 8u;
    return element != CAPN_ELEMENT_VOID || budget_take(pointer, count, "list of void");
}

bool capn_target_list(const struct capn_pointer *pointer, const struct capn_target *target,
                      enum capn_element_size expected, struct capn_list *out)
{
    if (!kind_check(pointer, target->bits, CAPN_BITS_LIST, "list") ||
        !depth_check(pointer, "list")) {
        return false;
    }
    struct capn_list list = {.reader = pointer->reader,
                             .segment = target->segment,
                             .depth_left = (uint16_t)(pointer->depth_left - 1),
                             .element_size = (uint8_t)capn_bits_element(target->bits)};
    bool composite = list.element_size == CAPN_ELEMENT_COMPOSITE;
    if (!(composite ? composite_read(pointer, target, &list)
                    : primitive_read(pointer, target, &list))) {
        return false;
    }
    if (CAPN_UNLIKELY(!element_fits(&list, expected))) {
        capn_refuse(pointer, (struct capn_refusal){CAPN_ELEMENT_SIZE, "list", list.element_size,
                                                   (uint64_t)expected});
        return false;
    }
    *out = list;
    return true;
}

/* ---- What the generated code calls ---- */

/* The place itself, or, when it is null, the root of the default value, put together in `root`;
 * NULL when both are null. */
static const struct capn_pointer *pointer_or_default(const struct capn_pointer *pointer,
                                                     const struct capn_segment *default_value,
                                                     struct capn_pointer *root)
{
    if (CAPN_LIKELY(!capn_pointer_is_null(*pointer))) {
        return pointer;
    }
    if (default_value == NULL || default_value->words == 0) {
        return NULL;
    }
    *root = *pointer;
    root->segment = default_value;
    root->word = default_value->bytes;
    return capn_pointer_is_null(*root) ? NULL : root;
}

void capn_read_struct_at(const struct capn_pointer *pointer,
                         const struct capn_segment *default_value, struct capn_struct *out)
{
    struct capn_target target;
    struct capn_pointer root;
    const struct capn_pointer *at = pointer_or_default(pointer, default_value, &root);
    if (at == NULL || !capn_resolve(at, &target) || !capn_target_struct(at, &target, out)) {
        /* A null struct has depth left as well: the defaults of its pointers are read through it.
         */
        *out = (struct capn_struct){
            .reader = pointer->reader,
            .depth_left = (uint16_t)(pointer->depth_left - (pointer->depth_left != 0))};
    }
}

void capn_read_list_at(const struct capn_pointer *pointer, enum capn_element_size expected,
                       const struct capn_segment *default_value, struct capn_list *out)
{
    struct capn_target target;
    struct capn_pointer root;
    const struct capn_pointer *at = pointer_or_default(pointer, default_value, &root);
    if (at == NULL || !capn_resolve(at, &target) || !capn_target_list(at, &target, expected, out)) {
        *out = (struct capn_list){.reader = pointer->reader};
    }
}

/* The bytes of a list of bytes, NULL when the pointer is null or refused. Texts and data end a
 * branch, so that depth does not matter. */
static const uint8_t *bytes_read(const struct capn_pointer *pointer, const char *what,
                                 uint32_t *length)
{
    struct capn_target target;
    if (capn_pointer_is_null(*pointer) || !capn_resolve(pointer, &target) ||
        !kind_check(pointer, target.bits, CAPN_BITS_LIST, what)) {
        return NULL;
    }
    if (capn_bits_element(target.bits) != CAPN_ELEMENT_BYTE) {
        capn_refuse(pointer,
                    (struct capn_refusal){CAPN_ELEMENT_SIZE, what, capn_bits_element(target.bits),
                                          CAPN_ELEMENT_BYTE});
        return NULL;
    }
    *length = capn_bits_count(target.bits);
    return words_at(pointer, &target, capn_data_words(*length), what);
}

struct capn_text capn_read_text_at(const struct capn_pointer *pointer,
                                   struct capn_text default_value)
{
    uint32_t length = 0;
    const uint8_t *bytes = bytes_read(pointer, "text", &length);
    if (bytes != NULL && length != 0 && bytes[length - 1] == 0) {
        return (struct capn_text){(const char *)bytes, length - 1};
    }
    if (bytes != NULL) {
        capn_refuse(pointer, (struct capn_refusal){CAPN_TEXT_NOT_TERMINATED, "text",
                                                   length != 0 ? bytes[length - 1] : 0, length});
    }
    return default_value.bytes != NULL ? default_value : (struct capn_text){"", 0};
}

struct capn_data capn_read_data(struct capn_pointer pointer, struct capn_data default_value)
{
    static const uint8_t nothing[1] = {0};
    uint32_t length = 0;
    const uint8_t *bytes = bytes_read(&pointer, "data", &length);
    if (bytes != NULL) {
        return (struct capn_data){bytes, length};
    }
    return default_value.bytes != NULL ? default_value : (struct capn_data){nothing, 0};
}

uint32_t capn_read_capability(struct capn_pointer pointer)
{
    if (capn_pointer_is_null(pointer) || pointer.reader == NULL ||
        pointer.reader->error.code != CAPN_OK) {
        return CAPN_NO_CAPABILITY;
    }
    pointer.reader->pointers_followed++;
    uint64_t bits = capn_load_u64(pointer.word);
    if ((uint32_t)bits == CAPN_LOW_CAPABILITY) {
        return (uint32_t)(bits >> 32);
    }
    if (kind_check(&pointer, bits, CAPN_BITS_OTHER, "capability")) {
        capn_refuse(&pointer, (struct capn_refusal){CAPN_UNKNOWN_POINTER, "capability",
                                                    (uint32_t)bits, CAPN_LOW_CAPABILITY});
    }
    return CAPN_NO_CAPABILITY;
}

enum capn_kind capn_pointer_kind(struct capn_pointer pointer)
{
    struct capn_target target;
    if (capn_pointer_is_null(pointer) || !capn_resolve(&pointer, &target)) {
        return CAPN_KIND_NULL;
    }
    switch (capn_bits_kind(target.bits)) {
    case CAPN_BITS_STRUCT:
        return CAPN_KIND_STRUCT;
    case CAPN_BITS_LIST:
        return CAPN_KIND_LIST;
    default:
        if ((uint32_t)target.bits == CAPN_LOW_CAPABILITY) {
            return CAPN_KIND_CAPABILITY;
        }
        capn_refuse(&pointer, (struct capn_refusal){CAPN_UNKNOWN_POINTER, "any pointer",
                                                    (uint32_t)target.bits, CAPN_LOW_CAPABILITY});
        return CAPN_KIND_NULL;
    }
}

struct capn_pointer capn_read_path(struct capn_pointer pointer, const uint16_t *path, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        pointer = capn_get_pointer(capn_read_struct(pointer, NULL), path[i]);
    }
    return pointer;
}
