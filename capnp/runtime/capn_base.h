/* SPDX-License-Identifier: MIT */
/*
 * What every part of the Cap'n Proto runtime shares: words, segments, sizes, errors, and loads and
 * stores that are little-endian, unaligned and aliasing-safe. Freestanding: nothing but these three
 * headers; the compiler may call memcpy, memset, memmove and memcmp, nothing else is ever
 * undefined.
 *
 * Source of the format: "Encoding Spec" of the Cap'n Proto project (capnproto.org/encoding.html).
 */
#ifndef CAPNP_RUNTIME_CAPN_BASE_H
#define CAPNP_RUNTIME_CAPN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPN_WORD_BYTES 8u

/* The reference implementation's defaults: 64 MiB of traversal, 64 levels. */
#define CAPN_TRAVERSAL_WORDS_DEFAULT (UINT64_C(8) * 1024 * 1024)
#define CAPN_DEPTH_DEFAULT           64u

/* Deep copy, canonical form and the whole-message check keep one frame per level on their stack;
 * a reader's depth limit above this one is cut to it there. */
#define CAPN_WALK_DEPTH_MAX 64u

/* A list pointer has 29 bits for its count or words. */
#define CAPN_LIST_COUNT_MAX ((UINT32_C(1) << 29) - 1)

/* What a null capability pointer reads as. */
#define CAPN_NO_CAPABILITY UINT32_MAX

/* A location in an error that lies in no segment of the message (a schema's default value). */
#define CAPN_NO_SEGMENT UINT32_MAX

#define CAPN_MUST_USE      __attribute__((warn_unused_result))
#define CAPN_COLD          __attribute__((cold, noinline))
#define CAPN_LIKELY(x)     __builtin_expect(!!(x), 1)
#define CAPN_UNLIKELY(x)   __builtin_expect(!!(x), 0)
#define CAPN_LITTLE_ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

enum capn_status {
#define CAPN_STATUS(name, text) CAPN_##name,
#include "capn_status.def"
#undef CAPN_STATUS
    CAPN_STATUS_COUNT
};

/* The English sentence for a status; "unknown status" for a number that is none. Never NULL. */
const char *capn_status_text(enum capn_status status);

/*
 * What was refused and where. The first refusal stays: a reader or builder that has one answers
 * every later pointer with null, so the whole of a message may be read and the error asked once.
 */
struct capn_error {
    enum capn_status code;
    uint32_t segment; /* id of the segment, or CAPN_NO_SEGMENT */
    uint64_t word;    /* index in the segment of the pointer (building: of the object) refused */
    uint64_t found;   /* what was found: words, count, index, segment id or kind, by code */
    uint64_t limit;   /* what was allowed */
    const char *what; /* a static string: "struct", "list", "text", "far pointer", ... */
};

/* One flat piece of a message. Alignment is not required. The bytes belong to the caller and must
 * neither move nor change while a reader uses them. */
struct capn_segment {
    const uint8_t *bytes;
    uint64_t words;
};

/* The size of a struct's two sections, in words (a pointer is one word). */
struct capn_size {
    uint16_t data_words;
    uint16_t pointers;
};

/* Text is UTF-8 by convention and not checked for it; `length` is without the NUL that follows. */
struct capn_text {
    const char *bytes;
    size_t length;
};

struct capn_data {
    const uint8_t *bytes;
    size_t length;
};

/* The encoding's numbers for a list's elements; ANY is the reader's "whatever it is". */
enum capn_element_size {
    CAPN_ELEMENT_VOID = 0,
    CAPN_ELEMENT_BIT = 1,
    CAPN_ELEMENT_BYTE = 2,
    CAPN_ELEMENT_TWO_BYTES = 3,
    CAPN_ELEMENT_FOUR_BYTES = 4,
    CAPN_ELEMENT_EIGHT_BYTES = 5,
    CAPN_ELEMENT_POINTER = 6,
    CAPN_ELEMENT_COMPOSITE = 7,
    CAPN_ELEMENT_ANY = 8
};

static inline uint16_t capn_load_u16(const uint8_t *bytes)
{
    uint16_t value;
    __builtin_memcpy(&value, bytes, sizeof(value));
    return CAPN_LITTLE_ENDIAN ? value : __builtin_bswap16(value);
}

static inline uint32_t capn_load_u32(const uint8_t *bytes)
{
    uint32_t value;
    __builtin_memcpy(&value, bytes, sizeof(value));
    return CAPN_LITTLE_ENDIAN ? value : __builtin_bswap32(value);
}

static inline uint64_t capn_load_u64(const uint8_t *bytes)
{
    uint64_t value;
    __builtin_memcpy(&value, bytes, sizeof(value));
    return CAPN_LITTLE_ENDIAN ? value : __builtin_bswap64(value);
}

static inline void capn_store_u16(uint8_t *bytes, uint16_t value)
{
    value = CAPN_LITTLE_ENDIAN ? value : __builtin_bswap16(value);
    __builtin_memcpy(bytes, &value, sizeof(value));
}

static inline void capn_store_u32(uint8_t *bytes, uint32_t value)
{
    value = CAPN_LITTLE_ENDIAN ? value : __builtin_bswap32(value);
    __builtin_memcpy(bytes, &value, sizeof(value));
}

static inline void capn_store_u64(uint8_t *bytes, uint64_t value)
{
    value = CAPN_LITTLE_ENDIAN ? value : __builtin_bswap64(value);
    __builtin_memcpy(bytes, &value, sizeof(value));
}

/*
 * Space, exactly, before anything is built: how many words of a segment an object takes. A message
 * in one segment takes one word for its root pointer plus the sum over its objects. With several
 * segments each object outside its parent's segment costs one word more (its landing pad).
 */
#define CAPN_ROOT_WORDS UINT64_C(1)

static inline uint64_t capn_struct_words(struct capn_size size)
{
    return (uint64_t)size.data_words + size.pointers;
}

static inline uint64_t capn_data_words(uint64_t length)
{
    return length / CAPN_WORD_BYTES + (length % CAPN_WORD_BYTES != 0);
}

static inline uint64_t capn_text_words(uint64_t length)
{
    return length / CAPN_WORD_BYTES + 1;
}

/* The tag word included. */
static inline uint64_t capn_struct_list_words(uint32_t count, struct capn_size size)
{
    return 1 + (uint64_t)count * capn_struct_words(size);
}

/* For every element size but COMPOSITE. */
static inline uint64_t capn_list_words(enum capn_element_size element, uint32_t count)
{
    static const uint8_t bits[8] = {0, 1, 8, 16, 32, 64, 64, 0};
    return ((uint64_t)count * bits[element & 7] + 63) / 64;
}

#endif
