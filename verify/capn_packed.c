/* SPDX-License-Identifier: MIT */
/*
 * The packed decoder stays inside its buffers, and never spins; so does the encoder.
 *
 * The decoder is proved by one step from any state that its invariants allow, with any input and
 * output: so for streams of every length. Bounds: buffers of at most 65,536 bytes in a step. The
 * encoder is proved by one word, and by one run, of a segment of at most three words.
 *
 * bound: buffers of 65,536 bytes; segments of 3 words
 * cbmc: capnp/runtime/capn_packed.c
 * options: --unwind 10
 * prove: prove_tag prove_bytes prove_counts prove_literals prove_zeroes
 *     prove_pack prove_copy
 * quick: prove_tag prove_bytes prove_counts prove_literals prove_zeroes
 *     prove_pack prove_copy
 * twin: prove_tag | capnp/runtime/capn_packed.c
 *     | unpacker->tag == 0 ? ZERO_COUNT : BYTES;
 *     | unpacker->tag == 0 ? ZERO_COUNT : ZEROES;
 * twin: prove_counts | capnp/runtime/capn_packed.c
 *     | (uint16_t)(count + 1u);
 *     | (uint16_t)(count + 2u);
 * twin: prove_bytes | capnp/runtime/capn_packed.c
 *     | if (!tagged_bytes(unpacker, input) || room_words(output) == 0)
 *     | if (!tagged_bytes(unpacker, input))
 * twin: prove_literals | capnp/runtime/capn_packed.c
 *     | words = words < room ? words : room;
 *     | ;
 * twin: prove_bytes | capnp/runtime/capn_packed.c
 *     | if (present && input->used == input->length)
 *     | if (present && input->used > input->length)
 * twin: prove_literals | capnp/runtime/capn_packed.c
 *     | words = (input->length - input->used) / CAPN_WORD_BYTES;
 *     | words = (input->length - input->used + 7) / CAPN_WORD_BYTES;
 * twin: prove_zeroes | capnp/runtime/capn_packed.c
 *     | size_t words = room_words(output);
 *     | size_t words = output->capacity / CAPN_WORD_BYTES;
 * twin: prove_pack | capnp/runtime/capn_packed.c
 *     | #define PACKED_STEP_BYTES 10u
 *     | #define PACKED_STEP_BYTES 9u
 * twin: prove_copy | capnp/runtime/capn_packed.c
 *     | while (packer->literal_words != 0 && room_words(output) != 0)
 *     | while (packer->literal_words != 0)
 */
#include <stddef.h>
#include <stdint.h>

/*
 * Copying checks that both sides are there and copies nothing: words read are then any words, which
 * is more than what the buffers can hold, and nothing else depends on contents.
 */
static void *memory_copy(void *to, const void *from, size_t length)
{
    __CPROVER_assert(length == 0 || __CPROVER_r_ok(from, length), "copied from a buffer");
    __CPROVER_assert(length == 0 || __CPROVER_w_ok(to, length), "copied into a buffer");
    return to;
}

static void *memory_set(void *to, int value, size_t length)
{
    (void)value;
    __CPROVER_assert(length == 0 || __CPROVER_w_ok(to, length), "zeroed in a buffer");
    return to;
}

#undef __builtin_memcpy
#undef __builtin_memset
#define __builtin_memcpy memory_copy
#define __builtin_memset memory_set
#include "capnp/runtime/capn_packed.c"

void *malloc(size_t bytes);
size_t nondet_size(void);
uint16_t nondet_u16(void);
uint8_t nondet_u8(void);

void prove_tag(void);
void prove_bytes(void);
void prove_counts(void);
void prove_literals(void);
void prove_zeroes(void);
void prove_pack(void);
void prove_copy(void);

#define LENGTH_MAX    65536u
#define SEGMENT_WORDS 3u

static struct capn_input any_input(void)
{
    struct capn_input input = {.length = nondet_size(), .used = nondet_size()};
    __CPROVER_assume(input.length <= LENGTH_MAX && input.used <= input.length);
    input.bytes = malloc(input.length);
    __CPROVER_assume(input.bytes != NULL);
    return input;
}

static struct capn_output any_output(size_t capacity_max)
{
    struct capn_output output = {.capacity = nondet_size(), .used = nondet_size()};
    __CPROVER_assume(output.capacity <= capacity_max && output.used <= output.capacity);
    output.bytes = malloc(output.capacity);
    __CPROVER_assume(output.bytes != NULL);
    return output;
}

/* What every state between two steps fulfils; that of all zeroes does. */
static bool is_valid(const struct capn_unpacker *unpacker)
{
    switch (unpacker->phase) {
    case TAG:
    case ZERO_COUNT:
        return true;
    case LITERAL_COUNT:
        return unpacker->have == 0;
    case BYTES:
        return unpacker->have <= CAPN_WORD_BYTES;
    case LITERALS:
        return unpacker->have < CAPN_WORD_BYTES && unpacker->run_words <= 255;
    case ZEROES:
        return unpacker->run_words <= 256;
    }
    return false;
}

/* One step from any valid state of a phase. */
static void step_from(uint8_t phase)
{
    struct capn_unpacker unpacker = {
        .run_words = nondet_u16(), .phase = phase, .tag = nondet_u8(), .have = nondet_u8()};
    for (unsigned i = 0; i < CAPN_WORD_BYTES; i++) {
        unpacker.word[i] = nondet_u8();
    }
    __CPROVER_assume(is_valid(&unpacker));
    struct capn_input input = any_input();
    struct capn_output output = any_output(LENGTH_MAX);
    const struct capn_input input_before = input;
    const struct capn_output output_before = output;

    bool moved = step(&unpacker, &input, &output);

    __CPROVER_assert(is_valid(&unpacker), "the state stays valid");
    __CPROVER_assert(input.used >= input_before.used && input.used <= input.length, "input");
    __CPROVER_assert(output.used >= output_before.used && output.used <= output.capacity, "output");
    __CPROVER_assert((output.used - output_before.used) % CAPN_WORD_BYTES == 0, "whole words");
    __CPROVER_assert(output.used - output_before.used <= 256 * CAPN_WORD_BYTES, "a run at most");
    bool consumed = input.used != input_before.used;
    bool produced = output.used != output_before.used;
    bool run_over = unpacker.phase == TAG && phase != TAG;
    __CPROVER_assert(!moved || consumed || produced || run_over, "a step is progress");
}

void prove_tag(void)
{
    step_from(TAG);
}

void prove_bytes(void)
{
    step_from(BYTES);
}

void prove_counts(void)
{
    step_from(LITERAL_COUNT);
    step_from(ZERO_COUNT);
}

void prove_literals(void)
{
    step_from(LITERALS);
}

void prove_zeroes(void)
{
    step_from(ZEROES);
}

/* A packer anywhere in a segment of at most SEGMENT_WORDS. */
static struct capn_packer any_packer(struct capn_segment *segment)
{
    struct capn_packer packer;
    segment->words = nondet_u8();
    __CPROVER_assume(segment->words <= SEGMENT_WORDS);
    segment->bytes = malloc(segment->words * CAPN_WORD_BYTES);
    __CPROVER_assume(segment->bytes != NULL);
    capn_packer_init_bare(&packer, segment);
    packer.word = nondet_u8();
    return packer;
}

void prove_pack(void)
{
    struct capn_segment segment;
    struct capn_packer packer = any_packer(&segment);
    struct capn_output output = any_output(PACKED_STEP_BYTES + 2);
    __CPROVER_assume(packer.word < segment.words);
    __CPROVER_assume(output.capacity - output.used >= PACKED_STEP_BYTES);
    size_t used_before = output.used;
    uint64_t word_before = packer.word;
    word_pack(&packer, &output);
    __CPROVER_assert(output.used > used_before && output.used <= output.capacity, "output");
    __CPROVER_assert(packer.word > word_before, "progress");
    __CPROVER_assert(packer.word + packer.literal_words <= segment.words, "segment");
}

void prove_copy(void)
{
    struct capn_segment segment;
    struct capn_packer packer = any_packer(&segment);
    struct capn_output output = any_output(LENGTH_MAX);
    packer.literal_words = nondet_u8();
    __CPROVER_assume(packer.word + packer.literal_words <= segment.words);
    literals_copy(&packer, &output);
    __CPROVER_assert(output.used <= output.capacity, "output");
    __CPROVER_assert(packer.word + packer.literal_words <= segment.words, "segment");
}
