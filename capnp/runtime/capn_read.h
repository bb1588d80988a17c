/* SPDX-License-Identifier: MIT */
/*
 * Reading a message that somebody else wrote. Nothing is copied and nothing is trusted: a pointer
 * is bounds-checked when it is followed, and what comes back (struct, list, text, data) holds the
 * size that was checked, so that reading a field afterwards is one compare and one load.
 *
 * Handles are small values; they live as long as the reader and the segments they came from. One
 * reader serves one thread. A handle of all zeroes is a valid null object: its fields read as their
 * defaults.
 *
 * Work is bounded by the reader's traversal limit: following a pointer costs the words of the
 * object (again each time it is followed), a list of elements without size costs one word per
 * element, a far pointer costs its landing pad. See capnp/README.md for the bound per input byte.
 */
#ifndef CAPNP_RUNTIME_CAPN_READ_H
#define CAPNP_RUNTIME_CAPN_READ_H

#include "capn_base.h"

struct capn_limits {
    uint64_t traversal_words;
    uint16_t depth;
};

#define CAPN_LIMITS_DEFAULT ((struct capn_limits){CAPN_TRAVERSAL_WORDS_DEFAULT, CAPN_DEPTH_DEFAULT})

struct capn_reader {
    const struct capn_segment *segments;
    uint32_t segment_count;
    uint16_t depth_limit;
    uint64_t traversal_words_left;
    uint64_t pointers_followed; /* non-null pointers examined so far, for measuring work */
    struct capn_error error;
};

/* A place that holds a pointer, not followed yet. `word` is NULL when there is no such place. */
struct capn_pointer {
    struct capn_reader *reader;
    const struct capn_segment *segment;
    const uint8_t *word;
    uint32_t depth_left;
};

/* A struct: data section of `data_bytes` at `data`, right behind it `pointer_count` pointers. */
struct capn_struct {
    struct capn_reader *reader;
    const struct capn_segment *segment;
    const uint8_t *data;
    uint32_t data_bytes;
    uint16_t pointer_count;
    uint16_t depth_left;
};

/* A list, each element of which is laid out as a struct is; bits excepted. */
struct capn_list {
    struct capn_reader *reader;
    const struct capn_segment *segment;
    const uint8_t *data;
    uint32_t count;
    uint32_t data_bytes; /* per element; 0 for void, bits and pointers */
    uint16_t pointer_count;
    uint16_t depth_left;
    uint8_t element_size; /* enum capn_element_size as found in the message */
};

/* Starts reading. `segments` stays the caller's and must outlive the reader. Sets CAPN_NO_ROOT when
 * there is no first word. */
void capn_reader_init(struct capn_reader *reader, const struct capn_segment *segments,
                      uint32_t segment_count, struct capn_limits limits);

/* Takes the root pointer's word from the budget and gives where it lies; NULL when there is none,
 * or after a refusal. */
const uint8_t *capn_reader_root_word(struct capn_reader *reader);

/* The place of the root pointer. Costs its word each time, so that a message without far pointers
 * that is read once costs exactly its words. */
static inline struct capn_pointer capn_reader_root(struct capn_reader *reader)
{
    const uint8_t *word = capn_reader_root_word(reader);
    return (struct capn_pointer){.reader = reader,
                                 .segment = word != NULL ? &reader->segments[0] : NULL,
                                 .word = word,
                                 .depth_left = reader->depth_limit};
}

/* The first refusal, CAPN_OK if there was none. Where and what: reader->error. */
static inline CAPN_MUST_USE enum capn_status capn_reader_status(const struct capn_reader *reader)
{
    return reader->error.code;
}

/* Follows every pointer of the message once, without a schema, within the reader's limits, and
 * gives the first refusal. Uses up the reader's budget as reading does. Text is not checked for its
 * NUL, since without a schema it cannot be told from data. */
CAPN_MUST_USE enum capn_status capn_reader_check_all(struct capn_reader *reader);

/* Notes a refusal (the first one stays); for accessors, generated code and services that refuse a
 * value themselves. `reader` may be NULL. */
CAPN_COLD void capn_reader_refuse(struct capn_reader *reader, const struct capn_error *error);
CAPN_COLD void capn_reader_refuse_index(struct capn_reader *reader, uint32_t index, uint32_t count);
CAPN_COLD void capn_reader_refuse_depth(struct capn_reader *reader);

/* ---- Following a pointer ---- */

enum capn_kind { CAPN_KIND_NULL, CAPN_KIND_STRUCT, CAPN_KIND_LIST, CAPN_KIND_CAPABILITY };

/* True when the pointer is null or absent (what "has" asks). Follows nothing. */
static inline bool capn_pointer_is_null(struct capn_pointer pointer)
{
    return pointer.word == NULL || capn_load_u64(pointer.word) == 0;
}

/* What an AnyPointer holds; far pointers are looked through. CAPN_KIND_NULL after a refusal too. */
enum capn_kind capn_pointer_kind(struct capn_pointer pointer);

/* The work behind the three functions below. Those are inline so that handles stay in registers: a
 * handle that is returned through memory is read back before its stores are done. */
void capn_read_struct_at(const struct capn_pointer *pointer,
                         const struct capn_segment *default_value, struct capn_struct *out);
void capn_read_list_at(const struct capn_pointer *pointer, enum capn_element_size expected,
                       const struct capn_segment *default_value, struct capn_list *out);
struct capn_text capn_read_text_at(const struct capn_pointer *pointer,
                                   struct capn_text default_value);

/*
 * `default_value` is NULL or a flat one-segment message (root pointer first) that the generated
 * code supplies; it is used when the pointer is null. Errors leave a null object and note the
 * cause.
 */
static inline struct capn_struct capn_read_struct(struct capn_pointer pointer,
                                                  const struct capn_segment *default_value)
{
    struct capn_struct s;
    capn_read_struct_at(&pointer, default_value, &s);
    return s;
}

/*
 * `expected` is what the schema says. Lists that grew by evolution are understood: a struct list is
 * read as a list of its first field, a list of anything but bits as a struct list, and elements may
 * be larger than expected. ANY takes every list.
 */
static inline struct capn_list capn_read_list(struct capn_pointer pointer,
                                              enum capn_element_size expected,
                                              const struct capn_segment *default_value)
{
    struct capn_list list;
    capn_read_list_at(&pointer, expected, default_value, &list);
    return list;
}

/* `default_value.bytes` is used as given when the pointer is null; if it is NULL too, "" is. */
static inline struct capn_text capn_read_text(struct capn_pointer pointer,
                                              struct capn_text default_value)
{
    return capn_read_text_at(&pointer, default_value);
}
struct capn_data capn_read_data(struct capn_pointer pointer, struct capn_data default_value);

/* The index in the message's capability table, CAPN_NO_CAPABILITY for null or after a refusal. */
uint32_t capn_read_capability(struct capn_pointer pointer);

/* Follows `length` pointer fields of nested structs, the path of a promised answer. */
struct capn_pointer capn_read_path(struct capn_pointer pointer, const uint16_t *path,
                                   size_t length);

/* The words that the object behind `pointer`, with all it points to, takes when copied into one
 * segment (its own pointer not counted). Spends budget as reading does; 0 after a refusal. */
uint64_t capn_copy_words(struct capn_pointer pointer);

/* ---- Fields of a struct. Offsets are bytes into the data section, a bool's is in bits. A field
 * that the message's struct is too short to have reads as its default. ---- */

static inline struct capn_pointer capn_get_pointer(struct capn_struct s, uint16_t index)
{
    return (struct capn_pointer){
        .reader = s.reader,
        .segment = s.segment,
        .word = index < s.pointer_count ? s.data + s.data_bytes + (size_t)index * 8 : NULL,
        .depth_left = s.depth_left};
}

static inline bool capn_get_bool(struct capn_struct s, uint32_t bit, bool default_value)
{
    if (CAPN_UNLIKELY(bit / 8 >= s.data_bytes)) {
        return default_value;
    }
    return (((s.data[bit / 8] >> (bit % 8)) & 1) != 0) != default_value;
}

static inline uint8_t capn_get_u8(struct capn_struct s, uint32_t offset, uint8_t default_value)
{
    if (CAPN_UNLIKELY((uint64_t)offset + 1 > s.data_bytes)) {
        return default_value;
    }
    return (uint8_t)(s.data[offset] ^ default_value);
}

static inline uint16_t capn_get_u16(struct capn_struct s, uint32_t offset, uint16_t default_value)
{
    if (CAPN_UNLIKELY((uint64_t)offset + 2 > s.data_bytes)) {
        return default_value;
    }
    return (uint16_t)(capn_load_u16(s.data + offset) ^ default_value);
}

static inline uint32_t capn_get_u32(struct capn_struct s, uint32_t offset, uint32_t default_value)
{
    if (CAPN_UNLIKELY((uint64_t)offset + 4 > s.data_bytes)) {
        return default_value;
    }
    return capn_load_u32(s.data + offset) ^ default_value;
}

static inline uint64_t capn_get_u64(struct capn_struct s, uint32_t offset, uint64_t default_value)
{
    if (CAPN_UNLIKELY((uint64_t)offset + 8 > s.data_bytes)) {
        return default_value;
    }
    return capn_load_u64(s.data + offset) ^ default_value;
}

static inline int8_t capn_get_i8(struct capn_struct s, uint32_t offset, int8_t default_value)
{
    return (int8_t)capn_get_u8(s, offset, (uint8_t)default_value);
}

static inline int16_t capn_get_i16(struct capn_struct s, uint32_t offset, int16_t default_value)
{
    return (int16_t)capn_get_u16(s, offset, (uint16_t)default_value);
}

static inline int32_t capn_get_i32(struct capn_struct s, uint32_t offset, int32_t default_value)
{
    return (int32_t)capn_get_u32(s, offset, (uint32_t)default_value);
}

static inline int64_t capn_get_i64(struct capn_struct s, uint32_t offset, int64_t default_value)
{
    return (int64_t)capn_get_u64(s, offset, (uint64_t)default_value);
}

/* ---- Elements of a list. An index past the end reads as zero or null and notes CAPN_INDEX. An
 * element too small for what is asked reads as zero; capn_read_list has refused it before. ---- */

static inline const uint8_t *capn_list_at(struct capn_list list, uint32_t index)
{
    return list.data + (size_t)index * (list.data_bytes + (size_t)list.pointer_count * 8);
}

static inline bool capn_list_has(struct capn_list list, uint32_t index, uint32_t bytes)
{
    if (CAPN_UNLIKELY(index >= list.count)) {
        capn_reader_refuse_index(list.reader, index, list.count);
        return false;
    }
    return CAPN_LIKELY(bytes <= list.data_bytes);
}

static inline bool capn_list_get_bool(struct capn_list list, uint32_t index)
{
    if (!capn_list_has(list, index, 0) || list.element_size != CAPN_ELEMENT_BIT) {
        return false;
    }
    return ((list.data[index / 8] >> (index % 8)) & 1) != 0;
}

static inline uint8_t capn_list_get_u8(struct capn_list list, uint32_t index)
{
    return capn_list_has(list, index, 1) ? *capn_list_at(list, index) : 0;
}

static inline uint16_t capn_list_get_u16(struct capn_list list, uint32_t index)
{
    return capn_list_has(list, index, 2) ? capn_load_u16(capn_list_at(list, index)) : 0;
}

static inline uint32_t capn_list_get_u32(struct capn_list list, uint32_t index)
{
    return capn_list_has(list, index, 4) ? capn_load_u32(capn_list_at(list, index)) : 0;
}

static inline uint64_t capn_list_get_u64(struct capn_list list, uint32_t index)
{
    return capn_list_has(list, index, 8) ? capn_load_u64(capn_list_at(list, index)) : 0;
}

static inline int8_t capn_list_get_i8(struct capn_list list, uint32_t index)
{
    return (int8_t)capn_list_get_u8(list, index);
}

static inline int16_t capn_list_get_i16(struct capn_list list, uint32_t index)
{
    return (int16_t)capn_list_get_u16(list, index);
}

static inline int32_t capn_list_get_i32(struct capn_list list, uint32_t index)
{
    return (int32_t)capn_list_get_u32(list, index);
}

static inline int64_t capn_list_get_i64(struct capn_list list, uint32_t index)
{
    return (int64_t)capn_list_get_u64(list, index);
}

/* The place of element `index` of a list of pointers (texts, lists, capabilities, AnyPointers). */
static inline struct capn_pointer capn_list_get_pointer(struct capn_list list, uint32_t index)
{
    bool there = capn_list_has(list, index, 0) && list.pointer_count != 0;
    return (struct capn_pointer){.reader = list.reader,
                                 .segment = list.segment,
                                 .word = there ? capn_list_at(list, index) + list.data_bytes : NULL,
                                 .depth_left = list.depth_left};
}

/* Element `index` as a struct. Costs one level of depth, as in the reference. */
static inline struct capn_struct capn_list_get_struct(struct capn_list list, uint32_t index)
{
    struct capn_struct s = {.reader = list.reader, .segment = list.segment};
    if (!capn_list_has(list, index, 0)) {
        return s;
    }
    if (CAPN_UNLIKELY(list.depth_left == 0)) {
        capn_reader_refuse_depth(list.reader);
        return s;
    }
    s.data = capn_list_at(list, index);
    s.data_bytes = list.data_bytes;
    s.pointer_count = list.pointer_count;
    s.depth_left = (uint16_t)(list.depth_left - 1);
    return s;
}

#endif
