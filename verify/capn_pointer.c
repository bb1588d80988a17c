/* SPDX-License-Identifier: MIT */
/*
 * Following any pointer of any message: the reader never loads outside a segment, and what it gives
 * out lies inside one.
 *
 * The state is arbitrary, not a run from the start: two segments of any size and content, the place
 * any word of either, any budget and any depth. Every place that a reader comes to is of that kind,
 * a field or an element of a handle whose bounds are asserted here, so that this is the induction
 * step for messages of every shape. Bounds: two segments of at most 2^32 - 1 words; where counts
 * are multiplied by sizes, of at most 255 words, and lists of at most 31 elements of 55 bytes.
 *
 * bound: 2 segments of 2^32 - 1 words; of 255 where sizes are multiplied
 * cbmc: capnp/runtime/capn_read.c
 * options: --unwind 3 --no-array-field-sensitivity
 * prove: prove_struct prove_list prove_struct_list prove_bytes prove_others
 *     prove_element prove_field
 * quick: prove_struct prove_element prove_field
 * twin: prove_struct | capnp/runtime/capn_read.c
 *     | start > limit || words > limit - start
 *     | words > limit - start
 * twin: prove_list | capnp/runtime/capn_read.c
 *     | start > limit || words > limit - start
 *     | start > limit
 * twin: prove_struct | capnp/runtime/capn_read.c
 *     | if (CAPN_UNLIKELY(words > left))
 *     | if (CAPN_UNLIKELY(left == 0))
 * twin: prove_others | capnp/runtime/capn_read.c
 *     | two_words ? 2 : 1, "landing pad"
 *     | 1, "landing pad"
 * twin: prove_struct_list | capnp/runtime/capn_read.c
 *     | words + 1, "struct list"
 *     | words, "struct list"
 * twin: prove_struct_list | capnp/runtime/capn_read.c
 *     | STRUCT || needed > words
 *     | STRUCT
 * twin: prove_bytes | capnp/runtime/capn_read.c
 *     | length != 0 && bytes[length - 1] == 0
 *     | bytes[length - 1] == 0
 * twin: prove_element | capnp/runtime/capn_read.h
 *     | UNLIKELY(index >= list.count)
 *     | UNLIKELY(index > list.count)
 * twin: prove_field | capnp/runtime/capn_read.h
 *     | (uint64_t)offset + 4 > s.data_bytes
 *     | offset + 4 > s.data_bytes
 * twin: prove_field | capnp/runtime/capn_read.h
 *     | bit / 8 >= s.data_bytes
 *     | bit / 8 > s.data_bytes
 */
#include "capnp/runtime/capn.h"

void *malloc(size_t bytes);
uint64_t nondet_u64(void);
uint32_t nondet_u32(void);
uint16_t nondet_u16(void);
bool nondet_bool(void);

void prove_struct(void);
void prove_list(void);
void prove_struct_list(void);
void prove_bytes(void);
void prove_others(void);
void prove_element(void);
void prove_field(void);

#define SEGMENTS 2

#define WORDS_MAX      UINT32_MAX
#define LIST_WORDS_MAX 255u

static struct capn_segment segments[SEGMENTS];
static struct capn_reader reader;

/* Any place in any message. */
static struct capn_pointer any_place(uint64_t words_max)
{
    for (unsigned i = 0; i < SEGMENTS; i++) {
        segments[i].words = nondet_u64();
        __CPROVER_assume(segments[i].words >= 1 && segments[i].words <= words_max);
        segments[i].bytes = malloc(segments[i].words * CAPN_WORD_BYTES);
        __CPROVER_assume(segments[i].bytes != NULL);
    }
    capn_reader_init(&reader, segments, SEGMENTS, (struct capn_limits){nondet_u64(), nondet_u16()});
    unsigned id = nondet_bool() ? 1 : 0;
    uint64_t word = nondet_u64();
    __CPROVER_assume(word < segments[id].words);
    return (struct capn_pointer){.reader = &reader,
                                 .segment = &segments[id],
                                 .word = segments[id].bytes + word * CAPN_WORD_BYTES,
                                 .depth_left = nondet_u16()};
}

/* Is `length` bytes from `bytes` on inside the segment? */
static bool is_inside(const struct capn_segment *segment, const void *bytes, uint64_t length)
{
    if (segment != &segments[0] && segment != &segments[1]) {
        return false;
    }
    uint64_t size = segment->words * CAPN_WORD_BYTES;
    uint64_t at = (uint64_t)((const uint8_t *)bytes - segment->bytes);
    return __CPROVER_same_object(bytes, segment->bytes) && at <= size && length <= size - at;
}

/* What each refusal and each success leaves behind, see invariants 3 and 5 of capn_read.c. */
static void budget_assert(uint64_t before, uint64_t words)
{
    uint64_t spent = before - reader.traversal_words_left;
    __CPROVER_assert(reader.traversal_words_left <= before, "the budget only shrinks");
    __CPROVER_assert(reader.error.code != CAPN_OK || spent >= words, "objects are paid for");
}

void prove_struct(void)
{
    struct capn_pointer place = any_place(WORDS_MAX);
    uint64_t budget = reader.traversal_words_left;
    struct capn_struct s = capn_read_struct(place, NULL);
    uint64_t length = s.data_bytes + s.pointer_count * UINT64_C(8);
    __CPROVER_assert(length == 0 || is_inside(s.segment, s.data, length), "struct inside");
    __CPROVER_assert(s.data == NULL || s.depth_left < place.depth_left, "one level down");
    __CPROVER_assert(reader.error.code == CAPN_OK || length == 0, "nothing after a refusal");
    budget_assert(budget, length / 8);
}

/* Reads any place as a list of what `expected` says, and tells whether its elements are structs. */
static struct capn_list any_list(struct capn_pointer place)
{
    uint32_t expected = nondet_u32();
    __CPROVER_assume(expected <= CAPN_ELEMENT_ANY);
    struct capn_list list = capn_read_list(place, (enum capn_element_size)expected, NULL);
    __CPROVER_assert(list.count <= CAPN_LIST_COUNT_MAX, "count in 29 bits");
    __CPROVER_assert(reader.error.code == CAPN_OK || list.count == 0, "nothing after a refusal");
    return list;
}

void prove_list(void)
{
    struct capn_pointer place = any_place(WORDS_MAX);
    uint64_t budget = reader.traversal_words_left;
    struct capn_list list = any_list(place);
    if (list.element_size != CAPN_ELEMENT_COMPOSITE) {
        uint64_t words = capn_list_words((enum capn_element_size)list.element_size, list.count);
        __CPROVER_assert(words == 0 || is_inside(list.segment, list.data, words * 8), "inside");
        __CPROVER_assert(list.data_bytes <= 8 && list.pointer_count <= 1, "element's size");
        budget_assert(budget, list.element_size == CAPN_ELEMENT_VOID ? list.count : words);
    }
}

void prove_struct_list(void)
{
    struct capn_pointer place = any_place(LIST_WORDS_MAX);
    uint64_t budget = reader.traversal_words_left;
    struct capn_list list = any_list(place);
    if (list.element_size == CAPN_ELEMENT_COMPOSITE) {
        uint64_t element = list.data_bytes / 8 + (uint64_t)list.pointer_count;
        uint64_t words = list.count * element;
        __CPROVER_assert(words == 0 || is_inside(list.segment, list.data, words * 8), "inside");
        budget_assert(budget, element == 0 ? list.count : words);
    }
}

void prove_bytes(void)
{
    struct capn_pointer place = any_place(WORDS_MAX);
    if (nondet_bool()) {
        struct capn_text text = capn_read_text(place, (struct capn_text){"default", 7});
        __CPROVER_assert(text.bytes[text.length] == 0, "text ends in NUL");
        __CPROVER_assert(__CPROVER_r_ok(text.bytes, text.length + 1), "text inside");
    } else {
        struct capn_data data = capn_read_data(place, (struct capn_data){NULL, 0});
        __CPROVER_assert(data.length == 0 || __CPROVER_r_ok(data.bytes, data.length),
                         "data inside");
    }
}

void prove_others(void)
{
    static const uint16_t path[1] = {3};
    struct capn_pointer place = any_place(WORDS_MAX);
    if (nondet_bool()) {
        (void)capn_read_capability(place);
    } else if (nondet_bool()) {
        enum capn_kind kind = capn_pointer_kind(place);
        __CPROVER_assert(reader.error.code == CAPN_OK || kind == CAPN_KIND_NULL,
                         "nothing after a refusal");
    } else {
        struct capn_pointer at = capn_read_path(place, path, 1);
        __CPROVER_assert(at.word == NULL || is_inside(at.segment, at.word, 8), "path inside");
    }
}

/* Any element of any list whose bounds hold, as prove_list and prove_struct_list show that they do:
 * the list's memory is exactly as large as its handle says. */
void prove_element(void)
{
    struct capn_list list = {.reader = &reader, .segment = &segments[0]};
    list.element_size = (uint8_t)nondet_u16();
    list.depth_left = nondet_u16();
    if (list.element_size == CAPN_ELEMENT_BIT || nondet_bool()) {
        list.count = nondet_u32() & CAPN_LIST_COUNT_MAX;
    } else {
        list.count = nondet_u32() & 0x1f;
        list.data_bytes = nondet_u16() & 0x1f;
        list.pointer_count = nondet_u16() & 3;
    }
    uint32_t element = list.data_bytes + list.pointer_count * 8u;
    uint32_t length =
        list.element_size == CAPN_ELEMENT_BIT ? (list.count + 7) / 8 : list.count * element;
    list.data = malloc(length);
    __CPROVER_assume(list.data != NULL);
    uint32_t index = nondet_u32();
    switch (nondet_u16() & 3) {
    case 0:
        (void)capn_list_get_bool(list, index);
        (void)capn_list_get_u8(list, index);
        break;
    case 1:
        (void)capn_list_get_u64(list, index);
        break;
    case 2: {
        struct capn_pointer at = capn_list_get_pointer(list, index);
        __CPROVER_assert(at.word == NULL || __CPROVER_r_ok(at.word, 8), "pointer inside");
        break;
    }
    default: {
        struct capn_struct s = capn_list_get_struct(list, index);
        uint32_t size = s.data_bytes + s.pointer_count * 8u;
        __CPROVER_assert(size == 0 || __CPROVER_r_ok(s.data, size), "struct inside");
        break;
    }
    }
}

/* Any field of any struct, whose memory is exactly as large as its handle says. */
void prove_field(void)
{
    struct capn_struct s = {.reader = &reader, .segment = &segments[0]};
    s.pointer_count = nondet_u16();
    s.data_bytes = nondet_u32();
    __CPROVER_assume(s.data_bytes <= UINT16_MAX * CAPN_WORD_BYTES);
    s.data = malloc(s.data_bytes + s.pointer_count * 8u);
    __CPROVER_assume(s.data != NULL);
    struct capn_pointer at = capn_get_pointer(s, nondet_u16());
    __CPROVER_assert(at.word == NULL || __CPROVER_r_ok(at.word, 8), "pointer inside");
    uint32_t offset = nondet_u32();
    (void)capn_get_u64(s, offset, 0);
    (void)capn_get_u32(s, offset, 0);
    (void)capn_get_u16(s, offset, 0);
    (void)capn_get_u8(s, offset, 0);
    (void)capn_get_bool(s, offset, false);
}
