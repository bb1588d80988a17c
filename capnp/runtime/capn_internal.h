/* SPDX-License-Identifier: MIT */
/*
 * Inside the runtime only: the bits of a pointer word, and pointers that have been resolved but not
 * yet read as something.
 */
#ifndef CAPNP_RUNTIME_CAPN_INTERNAL_H
#define CAPNP_RUNTIME_CAPN_INTERNAL_H

#include "capn.h"

/* The two lowest bits of a pointer word. */
enum { CAPN_BITS_STRUCT = 0, CAPN_BITS_LIST = 1, CAPN_BITS_FAR = 2, CAPN_BITS_OTHER = 3 };

/* The whole lower half of a capability pointer. */
#define CAPN_LOW_CAPABILITY UINT32_C(3)

/* A struct without sections points at itself, so that it differs from null. */
#define CAPN_EMPTY_STRUCT UINT64_C(0x00000000fffffffc)

/* What a pointer leads to: far pointers are done with, the bounds of the object are not checked. */
struct capn_target {
    const struct capn_segment *segment;
    uint64_t bits; /* the pointer word that describes the object */
    int64_t start; /* index of the object's first word in its segment, when struct or list */
};

/* Resolves a pointer that is not null. False after a refusal, now or earlier. */
bool capn_resolve(const struct capn_pointer *pointer, struct capn_target *target);

/* The object itself, bounds, budget and depth checked; false after a refusal. */
bool capn_target_struct(const struct capn_pointer *pointer, const struct capn_target *target,
                        struct capn_struct *out);
bool capn_target_list(const struct capn_pointer *pointer, const struct capn_target *target,
                      enum capn_element_size expected, struct capn_list *out);

/* Notes that following `pointer` was refused. */
struct capn_refusal {
    enum capn_status code;
    const char *what;
    uint64_t found;
    uint64_t limit;
};
CAPN_COLD void capn_refuse(const struct capn_pointer *pointer, struct capn_refusal refusal);

/* Bits of one element, by enum capn_element_size; COMPOSITE's are in its tag. */
extern const uint8_t capn_element_bits[8];

static inline unsigned capn_bits_kind(uint64_t bits)
{
    return (unsigned)(bits & 3);
}

/* Signed offset in words, from the end of the pointer to the object. */
static inline int64_t capn_bits_offset(uint64_t bits)
{
    uint32_t low = (uint32_t)bits >> 2;
    return (int64_t)(low ^ (UINT32_C(1) << 29)) - (INT64_C(1) << 29);
}

static inline struct capn_size capn_bits_size(uint64_t bits)
{
    return (struct capn_size){(uint16_t)(bits >> 32), (uint16_t)(bits >> 48)};
}

static inline unsigned capn_bits_element(uint64_t bits)
{
    return (unsigned)(bits >> 32) & 7;
}

/* Count of elements; of words without tag for a struct list. */
static inline uint32_t capn_bits_count(uint64_t bits)
{
    return (uint32_t)(bits >> 35);
}

/* A struct list's tag has its count where a pointer has the offset. */
static inline uint32_t capn_tag_count(uint64_t bits)
{
    return (uint32_t)bits >> 2;
}

static inline uint64_t capn_word_at(const struct capn_segment *segment, uint64_t word)
{
    return capn_load_u64(segment->bytes + word * CAPN_WORD_BYTES);
}

#endif
