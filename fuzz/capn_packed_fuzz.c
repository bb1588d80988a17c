/* SPDX-License-Identifier: MIT */
/*
 * The packed decoder: however input and output are cut, the same words come out, as many as
 * predicted; and what came out packs and unpacks to itself.
 *
 * Input: two bytes that say how to cut, then a packed stream.
 */
#include <stdlib.h>
#include <string.h>

#include "capnp/runtime/capn.h"

#define WORDS_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static void demand(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* In memory of exactly its size. */
static uint8_t *allocate(size_t length)
{
    uint8_t *memory = malloc(length == 0 ? 1 : length);
    demand(memory != NULL);
    return memory;
}

static void unpack_in_pieces(struct capn_input packed, const uint8_t *expected,
                             size_t expected_length, const uint8_t *cuts)
{
    uint8_t *plain = allocate(expected_length);
    struct capn_unpacker unpacker = {0};
    size_t out = 0;
    unsigned turn = 0;
    while (packed.used != packed.length || out != expected_length) {
        size_t in_before = packed.used;
        size_t out_before = out;
        size_t some = 1 + (cuts[turn % 2] & 15u);
        size_t left = packed.length - packed.used;
        size_t room = 8 + (size_t)(cuts[(turn + 1) % 2] >> 4);
        room = room < expected_length - out ? room : expected_length - out;
        struct capn_input piece = {packed.bytes + packed.used, some < left ? some : left, 0};
        struct capn_output output = {plain + out, room, 0};
        capn_unpack(&unpacker, &piece, &output);
        packed.used += piece.used;
        out += output.used;
        turn++;
        if (packed.used == in_before && out == out_before) {
            break;
        }
    }
    demand(out == expected_length && memcmp(plain, expected, out) == 0);
    free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    if (length < 2) {
        return 0;
    }
    struct capn_input packed = {input + 2, length - 2, 0};
    uint64_t words;
    enum capn_status status = capn_unpacked_words(packed.bytes, packed.length, &words);
    demand(status == CAPN_OK || status == CAPN_TRUNCATED);
    if (words > WORDS_MAX) {
        return 0;
    }
    uint8_t *plain = allocate((size_t)words * 8);
    struct capn_output output = {plain, (size_t)words * 8, 0};
    enum capn_status again = capn_unpack_all(&packed, &output);
    demand(output.used == words * 8);
    /* With no room for another word an early end may look like a lack of room. */
    demand(again == status || (status == CAPN_TRUNCATED && again == CAPN_OUTPUT_FULL));
    packed.used = 0;
    unpack_in_pieces(packed, plain, (size_t)words * 8, input);

    struct capn_segment segment = {plain, words};
    struct capn_packer packer;
    size_t room = (size_t)words * 10 + 10;
    uint8_t *bytes = allocate(room);
    struct capn_output repacked = {bytes, room, 0};
    capn_packer_init_bare(&packer, &segment);
    demand(capn_pack(&packer, &repacked));
    struct capn_input back = {bytes, repacked.used, 0};
    unpack_in_pieces(back, plain, (size_t)words * 8, input);
    free(bytes);
    free(plain);
    return 0;
}
