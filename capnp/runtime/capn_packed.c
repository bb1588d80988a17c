/* SPDX-License-Identifier: MIT */
/*
 * The packed encoding. Each word is a tag byte, one bit for each byte that is not zero, and those
 * bytes. Tag 0x00 is followed by a count of further zero words, tag 0xff (after its eight bytes) by
 * a count of words that follow as they are.
 *
 * The unpacker is a machine fed one phase at a time, so that input and output may each end
 * anywhere:
 *
 *     TAG --0x00--> ZERO_COUNT --> ZEROES --> TAG
 *     TAG --0xff--> BYTES --> LITERAL_COUNT --> LITERALS --> TAG
 *     TAG --other-> BYTES --> TAG
 *
 * Invariants:
 *  1. output->used <= output->capacity, input->used <= input->length; both only grow.
 *  2. Only whole words are written; `have` < 8 bytes wait in `word` between calls.
 *  3. A step consumes input, produces output, or moves to a phase that will: the machine never
 *     spins.
 */
#include "capn_stream.h"

/* The numbers of struct capn_unpacker's `phase`; one that is all zeroes begins. */
enum phase { TAG, BYTES, LITERAL_COUNT, LITERALS, ZERO_COUNT, ZEROES };

static size_t room_words(const struct capn_output *output)
{
    return (output->capacity - output->used) / CAPN_WORD_BYTES;
}

/* Writes a word for which there is room. */
static void word_write(struct capn_output *output, const uint8_t *word)
{
    __builtin_memcpy(output->bytes + output->used, word, CAPN_WORD_BYTES);
    output->used += CAPN_WORD_BYTES;
}

/* Collects the bytes that the tag announces; true when the word is complete. */
static bool tagged_bytes(struct capn_unpacker *unpacker, struct capn_input *input)
{
    while (unpacker->have < CAPN_WORD_BYTES) {
        bool present = ((unpacker->tag >> unpacker->have) & 1) != 0;
        if (present && input->used == input->length) {
            return false;
        }
        unpacker->word[unpacker->have++] = present ? input->bytes[input->used++] : 0;
    }
    return true;
}

/* Goes on with a literal run: whole words at once, or one that the input's end cut, by way of
 * `word`. */
static bool literals(struct capn_unpacker *unpacker, struct capn_input *input,
                     struct capn_output *output)
{
    size_t words = (input->length - input->used) / CAPN_WORD_BYTES;
    size_t room = room_words(output);
    if (unpacker->run_words == 0) {
        unpacker->phase = TAG;
        return true;
    }
    if (room == 0) {
        return false;
    }
    if (unpacker->have != 0 || words == 0) {
        unpacker->tag = 0xff;
        if (!tagged_bytes(unpacker, input)) {
            return false;
        }
        word_write(output, unpacker->word);
        unpacker->have = 0;
        unpacker->run_words--;
        return true;
    }
    words = words < unpacker->run_words ? words : unpacker->run_words;
    words = words < room ? words : room;
    __builtin_memcpy(output->bytes + output->used, input->bytes + input->used,
                     words * CAPN_WORD_BYTES);
    output->used += words * CAPN_WORD_BYTES;
    input->used += words * CAPN_WORD_BYTES;
    unpacker->run_words = (uint16_t)(unpacker->run_words - words);
    return true;
}

static bool zeroes(struct capn_unpacker *unpacker, struct capn_output *output)
{
    size_t words = room_words(output);
    words = words < unpacker->run_words ? words : unpacker->run_words;
    if (words != 0) {
        __builtin_memset(output->bytes + output->used, 0, words * CAPN_WORD_BYTES);
    }
    output->used += words * CAPN_WORD_BYTES;
    unpacker->run_words = (uint16_t)(unpacker->run_words - words);
    return unpacker->run_words == 0;
}

/* The next byte of input, if there is one. */
static bool byte_read(struct capn_input *input, uint8_t *byte)
{
    if (input->used == input->length) {
        return false;
    }
    *byte = input->bytes[input->used++];
    return true;
}

/* One phase; false when it waits for input or room. */
static bool step(struct capn_unpacker *unpacker, struct capn_input *input,
                 struct capn_output *output)
{
    uint8_t count;
    switch ((enum phase)unpacker->phase) {
    case TAG:
        if (!byte_read(input, &unpacker->tag)) {
            return false;
        }
        unpacker->have = 0;
        unpacker->phase = unpacker->tag == 0 ? ZERO_COUNT : BYTES;
        return true;
    case BYTES:
        if (!tagged_bytes(unpacker, input) || room_words(output) == 0) {
            return false;
        }
        word_write(output, unpacker->word);
        unpacker->have = 0;
        unpacker->phase = unpacker->tag == 0xff ? LITERAL_COUNT : TAG;
        return true;
    case LITERAL_COUNT:
        if (!byte_read(input, &count)) {
            return false;
        }
        unpacker->run_words = count;
        unpacker->phase = LITERALS;
        return true;
    case ZERO_COUNT:
        if (!byte_read(input, &count)) {
            return false;
        }
        /* And the word that the tag itself stands for. */
        unpacker->run_words = (uint16_t)(count + 1u);
        unpacker->phase = ZEROES;
        return true;
    case LITERALS:
        return literals(unpacker, input, output);
    case ZEROES:
        if (!zeroes(unpacker, output)) {
            return false;
        }
        unpacker->phase = TAG;
        return true;
    }
    return false;
}

void capn_unpack(struct capn_unpacker *unpacker, struct capn_input *input,
                 struct capn_output *output)
{
    while (step(unpacker, input, output)) {
    }
}

bool capn_unpacker_is_done(const struct capn_unpacker *unpacker)
{
    return unpacker->phase == TAG;
}

/* Does the machine, its input used up, wait for nothing but room? */
static bool waits_for_room(const struct capn_unpacker *unpacker)
{
    return unpacker->phase == ZEROES ||
           (unpacker->phase == BYTES && unpacker->have == CAPN_WORD_BYTES);
}

enum capn_status capn_unpack_all(struct capn_input *input, struct capn_output *output)
{
    struct capn_unpacker unpacker = {.phase = TAG};
    capn_unpack(&unpacker, input, output);
    if (input->used != input->length || waits_for_room(&unpacker)) {
        return CAPN_OUTPUT_FULL;
    }
    return capn_unpacker_is_done(&unpacker) ? CAPN_OK : CAPN_TRUNCATED;
}

enum capn_status capn_unpacked_words(const uint8_t *bytes, size_t length, uint64_t *words)
{
    uint8_t scratch[32 * CAPN_WORD_BYTES];
    struct capn_unpacker unpacker = {.phase = TAG};
    struct capn_input input = {.bytes = bytes, .length = length};
    struct capn_output output;
    *words = 0;
    do {
        output = (struct capn_output){.bytes = scratch, .capacity = sizeof(scratch)};
        capn_unpack(&unpacker, &input, &output);
        *words += output.used / CAPN_WORD_BYTES;
    } while (output.used == sizeof(scratch));
    return capn_unpacker_is_done(&unpacker) ? CAPN_OK : CAPN_TRUNCATED;
}

/* ---- Packing. Runs end with the piece (the table, a segment) that they are in, and where the
 * reference's writer ends them, so that both write the same bytes. ---- */

/* Tag, eight bytes, count. */
#define PACKED_STEP_BYTES 10u
#define PACKED_RUN_MAX    255u

void capn_packer_init(struct capn_packer *packer, const struct capn_segment *segments,
                      uint32_t segment_count)
{
    *packer = (struct capn_packer){
        .segments = segments, .segment_count = segment_count, .piece = segment_count == 0 ? 1 : 0};
}

void capn_packer_init_bare(struct capn_packer *packer, const struct capn_segment *segment)
{
    *packer = (struct capn_packer){.segments = segment, .segment_count = 1, .piece = 1};
}

static uint64_t piece_words(const struct capn_packer *packer)
{
    return packer->piece == 0 ? capn_frame_header_bytes(packer->segment_count) / CAPN_WORD_BYTES
                              : packer->segments[packer->piece - 1].words;
}

/* Entry `index` of the segment table: the count less one, the sizes, padding. */
static uint64_t table_entry(const struct capn_packer *packer, uint64_t index)
{
    if (index == 0) {
        return packer->segment_count - 1;
    }
    return index <= packer->segment_count ? (uint32_t)packer->segments[index - 1].words : 0;
}

static uint64_t piece_word(const struct capn_packer *packer, uint64_t word)
{
    if (packer->piece != 0) {
        return capn_load_u64(packer->segments[packer->piece - 1].bytes + word * CAPN_WORD_BYTES);
    }
    return table_entry(packer, word * 2) | table_entry(packer, word * 2 + 1) << 32;
}

static unsigned zero_bytes(uint64_t word)
{
    unsigned zeroes_seen = 0;
    for (unsigned i = 0; i < CAPN_WORD_BYTES; i++) {
        zeroes_seen += (word >> (8 * i) & 0xff) == 0;
    }
    return zeroes_seen;
}

/* Words, from the packer's place on, that belong to a run of words with `least` to `most` zero
 * bytes. */
static uint32_t run_length(const struct capn_packer *packer, unsigned least, unsigned most)
{
    uint64_t left = piece_words(packer) - packer->word;
    uint32_t limit = left < PACKED_RUN_MAX ? (uint32_t)left : PACKED_RUN_MAX;
    uint32_t length = 0;
    while (length < limit) {
        unsigned zeroes_found = zero_bytes(piece_word(packer, packer->word + length));
        if (zeroes_found < least || zeroes_found > most) {
            break;
        }
        length++;
    }
    return length;
}

/* One word and the run that it starts; there are PACKED_STEP_BYTES of room. */
static void word_pack(struct capn_packer *packer, struct capn_output *output)
{
    uint64_t word = piece_word(packer, packer->word++);
    uint8_t *tag = &output->bytes[output->used++];
    *tag = 0;
    for (unsigned i = 0; i < CAPN_WORD_BYTES; i++) {
        uint8_t byte = (uint8_t)(word >> (8 * i));
        if (byte != 0) {
            *tag = (uint8_t)(*tag | 1u << i);
            output->bytes[output->used++] = byte;
        }
    }
    if (*tag == 0) {
        uint32_t run = run_length(packer, CAPN_WORD_BYTES, CAPN_WORD_BYTES);
        output->bytes[output->used++] = (uint8_t)run;
        packer->word += run;
    } else if (*tag == 0xff) {
        packer->literal_words = run_length(packer, 0, 1);
        output->bytes[output->used++] = (uint8_t)packer->literal_words;
    }
}

/* Copies what there is room for of a literal run. */
static void literals_copy(struct capn_packer *packer, struct capn_output *output)
{
    while (packer->literal_words != 0 && room_words(output) != 0) {
        capn_store_u64(output->bytes + output->used, piece_word(packer, packer->word));
        output->used += CAPN_WORD_BYTES;
        packer->word++;
        packer->literal_words--;
    }
}

bool capn_pack(struct capn_packer *packer, struct capn_output *output)
{
    while (packer->piece <= packer->segment_count) {
        literals_copy(packer, output);
        if (packer->literal_words != 0) {
            return false;
        }
        if (packer->word == piece_words(packer)) {
            packer->piece++;
            packer->word = 0;
            continue;
        }
        if (output->capacity - output->used < PACKED_STEP_BYTES) {
            return false;
        }
        word_pack(packer, output);
    }
    return true;
}

uint64_t capn_packed_bytes(const struct capn_segment *segments, uint32_t segment_count)
{
    uint8_t scratch[32 * CAPN_WORD_BYTES];
    struct capn_packer packer;
    struct capn_output output;
    uint64_t bytes = 0;
    bool done;
    capn_packer_init(&packer, segments, segment_count);
    do {
        output = (struct capn_output){.bytes = scratch, .capacity = sizeof(scratch)};
        done = capn_pack(&packer, &output);
        bytes += output.used;
    } while (!done);
    return bytes;
}
