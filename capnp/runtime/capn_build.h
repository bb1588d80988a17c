/* SPDX-License-Identifier: MIT */
/*
 * Building a message in segments that the caller owns. An object goes into its parent's segment if
 * that has room, else into the first one that has, through a far pointer. Each object is built
 * once, in place, when the pointer to it is set; a pointer that is set cannot be set again, so that
 * there are no orphans and the space a message takes is exactly what capn_*_words() add up to.
 *
 * The first refusal stays in builder->error; after it every new object is a null handle whose
 * setters do nothing, so a whole message may be built and the error asked once. The builder never
 * writes outside a segment, nor past its used words. Handles live as long as the builder and its
 * segments.
 */
#ifndef CAPNP_RUNTIME_CAPN_BUILD_H
#define CAPNP_RUNTIME_CAPN_BUILD_H

#include "capn_base.h"
#include "capn_read.h"

/* Memory to build in; need not be zeroed nor aligned. More than 2^29 - 1 words are not used. */
struct capn_build_segment {
    uint8_t *bytes;
    uint32_t capacity_words;
    uint32_t used_words;
};

struct capn_builder {
    struct capn_build_segment *segments;
    uint32_t segment_count;
    struct capn_error error;
};

/* A place that will hold a pointer; `word` is NULL when there is no such place. */
struct capn_pointer_builder {
    struct capn_builder *builder;
    uint8_t *word;
    uint32_t segment;
};

struct capn_struct_builder {
    struct capn_builder *builder;
    uint8_t *data;
    uint32_t segment;
    uint32_t data_bytes;
    uint16_t pointer_count;
};

struct capn_list_builder {
    struct capn_builder *builder;
    uint8_t *data;
    uint32_t segment;
    uint32_t count;
    uint32_t data_bytes; /* per element */
    uint16_t pointer_count;
    uint8_t element_size; /* enum capn_element_size */
};

/* Starts a message: empties the segments and takes the root pointer's word from the first. Sets
 * CAPN_NO_SPACE when that has none. */
void capn_builder_init(struct capn_builder *builder, struct capn_build_segment *segments,
                       uint32_t segment_count);

/* The place of the root pointer. */
static inline struct capn_pointer_builder capn_builder_root(struct capn_builder *builder)
{
    bool there = builder->segment_count != 0 && builder->segments[0].used_words != 0;
    return (struct capn_pointer_builder){.builder = builder,
                                         .word = there ? builder->segments[0].bytes : NULL};
}

static inline CAPN_MUST_USE enum capn_status capn_builder_status(const struct capn_builder *builder)
{
    return builder->error.code;
}

/* What was built, for sending or reading: fills `segments` (at least builder->segment_count
 * entries) and gives the number of those in use. */
uint32_t capn_builder_segments(const struct capn_builder *builder, struct capn_segment *segments);

/* Words used in all segments. */
uint64_t capn_builder_words(const struct capn_builder *builder);

/* Notes a refusal; the first one stays. `builder` may be NULL. */
CAPN_COLD void capn_builder_refuse(struct capn_builder *builder, const struct capn_error *error);
CAPN_COLD void capn_builder_refuse_field(struct capn_builder *builder, uint32_t field,
                                         uint32_t limit);
CAPN_COLD void capn_builder_refuse_index(struct capn_builder *builder, uint32_t index,
                                         uint32_t count);

/* ---- Objects. Causes of a null handle: CAPN_NO_SPACE, CAPN_ALREADY_SET, CAPN_TOO_LARGE,
 * CAPN_NO_FIELD (no such pointer in the parent). What is built is zero. ---- */

/* The work behind what follows, which is inline so that handles stay in registers: for that the
 * places are put together again, field by field. */
void capn_init_struct_at(const struct capn_pointer_builder *to, struct capn_size size,
                         struct capn_struct_builder *out);
void capn_init_list_at(const struct capn_pointer_builder *to, enum capn_element_size element,
                       uint32_t count, struct capn_list_builder *out);
void capn_init_struct_list_at(const struct capn_pointer_builder *to, uint32_t count,
                              struct capn_size size, struct capn_list_builder *out);
void capn_write_text_at(const struct capn_pointer_builder *to, struct capn_text text);
void capn_write_data_at(const struct capn_pointer_builder *to, struct capn_data data);

static inline struct capn_struct_builder capn_init_struct(struct capn_pointer_builder to,
                                                          struct capn_size size)
{
    struct capn_struct_builder s;
    struct capn_pointer_builder place = {to.builder, to.word, to.segment};
    capn_init_struct_at(&place, size, &s);
    return s;
}

/* Any element size but COMPOSITE and ANY. */
static inline struct capn_list_builder
capn_init_list(struct capn_pointer_builder to, enum capn_element_size element, uint32_t count)
{
    struct capn_list_builder list;
    struct capn_pointer_builder place = {to.builder, to.word, to.segment};
    capn_init_list_at(&place, element, count, &list);
    return list;
}

static inline struct capn_list_builder capn_init_struct_list(struct capn_pointer_builder to,
                                                             uint32_t count, struct capn_size size)
{
    struct capn_list_builder list;
    struct capn_pointer_builder place = {to.builder, to.word, to.segment};
    capn_init_struct_list_at(&place, count, size, &list);
    return list;
}

/* Memory for a text (its NUL is there already) or data of `length` bytes, to be filled by the
 * caller; NULL after a refusal. */
char *capn_init_text(struct capn_pointer_builder to, uint64_t length);
uint8_t *capn_init_data(struct capn_pointer_builder to, uint64_t length);

/* Copies. A text with bytes == NULL stays a null pointer. */
static inline void capn_write_text(struct capn_pointer_builder to, struct capn_text text)
{
    struct capn_pointer_builder place = {to.builder, to.word, to.segment};
    capn_write_text_at(&place, text);
}

static inline void capn_write_data(struct capn_pointer_builder to, struct capn_data data)
{
    struct capn_pointer_builder place = {to.builder, to.word, to.segment};
    capn_write_data_at(&place, data);
}

/* Sets a capability pointer; CAPN_NO_CAPABILITY leaves it null. */
void capn_write_capability(struct capn_pointer_builder to, uint32_t index);

/* Deep copy of what `from` points to, far pointers resolved, list upgrades kept as they are,
 * capability indices as they are. At most CAPN_WALK_DEPTH_MAX levels. A refusal on the reading side
 * is noted on both sides. */
enum capn_status capn_copy(struct capn_pointer_builder to, struct capn_pointer from);

/* The same into a struct that exists (a struct list's element). CAPN_TOO_LARGE when `from` has data
 * or pointers that `to` has no place for. */
enum capn_status capn_copy_struct(struct capn_struct_builder to, struct capn_struct from);

/* What was built behind a pointer earlier; a null handle when it is null, CAPN_WRONG_KIND when it
 * is something else. */
struct capn_struct_builder capn_built_struct(struct capn_pointer_builder at);
struct capn_list_builder capn_built_list(struct capn_pointer_builder at);

/* A view for reading back data fields with capn_get_*(); pointers are not reachable through it. */
static inline struct capn_struct capn_built_fields(struct capn_struct_builder s)
{
    return (struct capn_struct){.data = s.data, .data_bytes = s.data_bytes};
}

static inline bool capn_built_pointer_is_null(struct capn_pointer_builder at)
{
    return at.word == NULL || capn_load_u64(at.word) == 0;
}

/* ---- Fields ---- */

static inline struct capn_pointer_builder capn_set_pointer(struct capn_struct_builder s,
                                                           uint16_t index)
{
    return (struct capn_pointer_builder){
        .builder = s.builder,
        .word = index < s.pointer_count ? s.data + s.data_bytes + (size_t)index * 8 : NULL,
        .segment = s.segment};
}

static inline bool capn_field_fits(struct capn_struct_builder s, uint32_t offset, uint32_t bytes)
{
    if (CAPN_UNLIKELY((uint64_t)offset + bytes > s.data_bytes)) {
        capn_builder_refuse_field(s.builder, offset, s.data_bytes);
        return false;
    }
    return true;
}

static inline void capn_set_bool(struct capn_struct_builder s, uint32_t bit, bool value,
                                 bool default_value)
{
    if (capn_field_fits(s, bit / 8, 1)) {
        unsigned mask = 1u << (bit % 8);
        unsigned rest = s.data[bit / 8] & ~mask;
        s.data[bit / 8] = (uint8_t)(value != default_value ? rest | mask : rest);
    }
}

static inline void capn_set_u8(struct capn_struct_builder s, uint32_t offset, uint8_t value,
                               uint8_t default_value)
{
    if (capn_field_fits(s, offset, 1)) {
        s.data[offset] = (uint8_t)(value ^ default_value);
    }
}

static inline void capn_set_u16(struct capn_struct_builder s, uint32_t offset, uint16_t value,
                                uint16_t default_value)
{
    if (capn_field_fits(s, offset, 2)) {
        capn_store_u16(s.data + offset, (uint16_t)(value ^ default_value));
    }
}

static inline void capn_set_u32(struct capn_struct_builder s, uint32_t offset, uint32_t value,
                                uint32_t default_value)
{
    if (capn_field_fits(s, offset, 4)) {
        capn_store_u32(s.data + offset, value ^ default_value);
    }
}

static inline void capn_set_u64(struct capn_struct_builder s, uint32_t offset, uint64_t value,
                                uint64_t default_value)
{
    if (capn_field_fits(s, offset, 8)) {
        capn_store_u64(s.data + offset, value ^ default_value);
    }
}

static inline void capn_set_i8(struct capn_struct_builder s, uint32_t offset, int8_t value,
                               int8_t default_value)
{
    capn_set_u8(s, offset, (uint8_t)value, (uint8_t)default_value);
}

static inline void capn_set_i16(struct capn_struct_builder s, uint32_t offset, int16_t value,
                                int16_t default_value)
{
    capn_set_u16(s, offset, (uint16_t)value, (uint16_t)default_value);
}

static inline void capn_set_i32(struct capn_struct_builder s, uint32_t offset, int32_t value,
                                int32_t default_value)
{
    capn_set_u32(s, offset, (uint32_t)value, (uint32_t)default_value);
}

static inline void capn_set_i64(struct capn_struct_builder s, uint32_t offset, int64_t value,
                                int64_t default_value)
{
    capn_set_u64(s, offset, (uint64_t)value, (uint64_t)default_value);
}

/* ---- Elements ---- */

static inline uint8_t *capn_list_builder_at(struct capn_list_builder list, uint32_t index)
{
    return list.data + (size_t)index * (list.data_bytes + (size_t)list.pointer_count * 8);
}

static inline bool capn_element_fits(struct capn_list_builder list, uint32_t index, uint32_t bytes)
{
    if (CAPN_UNLIKELY(index >= list.count)) {
        capn_builder_refuse_index(list.builder, index, list.count);
        return false;
    }
    if (CAPN_UNLIKELY(bytes > list.data_bytes)) {
        capn_builder_refuse_field(list.builder, bytes, list.data_bytes);
        return false;
    }
    return true;
}

static inline void capn_list_set_bool(struct capn_list_builder list, uint32_t index, bool value)
{
    if (capn_element_fits(list, index, 0) && list.element_size == CAPN_ELEMENT_BIT) {
        unsigned mask = 1u << (index % 8);
        unsigned rest = list.data[index / 8] & ~mask;
        list.data[index / 8] = (uint8_t)(value ? rest | mask : rest);
    }
}

static inline void capn_list_set_u8(struct capn_list_builder list, uint32_t index, uint8_t value)
{
    if (capn_element_fits(list, index, 1)) {
        *capn_list_builder_at(list, index) = value;
    }
}

static inline void capn_list_set_u16(struct capn_list_builder list, uint32_t index, uint16_t value)
{
    if (capn_element_fits(list, index, 2)) {
        capn_store_u16(capn_list_builder_at(list, index), value);
    }
}

static inline void capn_list_set_u32(struct capn_list_builder list, uint32_t index, uint32_t value)
{
    if (capn_element_fits(list, index, 4)) {
        capn_store_u32(capn_list_builder_at(list, index), value);
    }
}

static inline void capn_list_set_u64(struct capn_list_builder list, uint32_t index, uint64_t value)
{
    if (capn_element_fits(list, index, 8)) {
        capn_store_u64(capn_list_builder_at(list, index), value);
    }
}

static inline void capn_list_set_i8(struct capn_list_builder list, uint32_t index, int8_t value)
{
    capn_list_set_u8(list, index, (uint8_t)value);
}

static inline void capn_list_set_i16(struct capn_list_builder list, uint32_t index, int16_t value)
{
    capn_list_set_u16(list, index, (uint16_t)value);
}

static inline void capn_list_set_i32(struct capn_list_builder list, uint32_t index, int32_t value)
{
    capn_list_set_u32(list, index, (uint32_t)value);
}

static inline void capn_list_set_i64(struct capn_list_builder list, uint32_t index, int64_t value)
{
    capn_list_set_u64(list, index, (uint64_t)value);
}

/* The place of element `index` of a list of pointers. */
static inline struct capn_pointer_builder capn_list_set_pointer(struct capn_list_builder list,
                                                                uint32_t index)
{
    bool there = capn_element_fits(list, index, 0) && list.pointer_count != 0;
    return (struct capn_pointer_builder){
        .builder = list.builder,
        .word = there ? capn_list_builder_at(list, index) + list.data_bytes : NULL,
        .segment = list.segment};
}

/* Element `index` of a struct list. */
static inline struct capn_struct_builder capn_list_set_struct(struct capn_list_builder list,
                                                              uint32_t index)
{
    struct capn_struct_builder s = {.builder = list.builder, .segment = list.segment};
    if (capn_element_fits(list, index, 0)) {
        s.data = capn_list_builder_at(list, index);
        s.data_bytes = list.data_bytes;
        s.pointer_count = list.pointer_count;
    }
    return s;
}

#endif
