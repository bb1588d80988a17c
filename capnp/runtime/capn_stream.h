/* SPDX-License-Identifier: MIT */
/*
 * Messages as bytes: the stream framing (a table of segment sizes, then the segments), the packed
 * encoding in both directions over buffers of any size, and the canonical form.
 */
#ifndef CAPNP_RUNTIME_CAPN_STREAM_H
#define CAPNP_RUNTIME_CAPN_STREAM_H

#include "capn_base.h"
#include "capn_read.h"

/* Bytes to read: `used` is moved by what is consumed. */
struct capn_input {
    const uint8_t *bytes;
    size_t length;
    size_t used;
};

/* Bytes to write: `used` is moved by what is written, never past `capacity`. */
struct capn_output {
    uint8_t *bytes;
    size_t capacity;
    size_t used;
};

/* ---- Framing ---- */

struct capn_frame {
    struct capn_segment *segments; /* set by the caller: room for segment_room entries */
    uint32_t segment_room;
    uint64_t words_limit; /* set by the caller: most words in all segments together */

    uint32_t segment_count; /* result */
    uint64_t bytes;         /* result: length of the whole message, or of what is needed to go on */
};

/*
 * Finds the segments of the framed message at the start of `bytes`; they point into it.
 * CAPN_TRUNCATED when more bytes are needed (frame->bytes says how many, counted from the start,
 * are needed to get further), CAPN_TOO_MANY_SEGMENTS, CAPN_MESSAGE_TOO_LARGE. Bytes that follow are
 * left alone.
 */
CAPN_MUST_USE enum capn_status capn_frame_parse(struct capn_frame *frame, const uint8_t *bytes,
                                                size_t length);

/* Length of the segment table for `segment_count` >= 1 segments. */
static inline uint64_t capn_frame_header_bytes(uint32_t segment_count)
{
    return ((uint64_t)segment_count / 2 + 1) * CAPN_WORD_BYTES;
}

/* Length of the framed message. */
uint64_t capn_frame_bytes(const struct capn_segment *segments, uint32_t segment_count);

/* Writes table and segments; nothing unless all fits (CAPN_OUTPUT_FULL). CAPN_NO_ROOT without
 * segments, CAPN_TOO_LARGE for a segment of 2^32 words. */
CAPN_MUST_USE enum capn_status capn_frame_write(const struct capn_segment *segments,
                                                uint32_t segment_count, struct capn_output *output);

/* The table alone, for those who send the segments from where they are. */
CAPN_MUST_USE enum capn_status capn_frame_write_header(const struct capn_segment *segments,
                                                       uint32_t segment_count,
                                                       struct capn_output *output);

/* ---- Packed encoding ---- */

/* Start with all zeroes. */
struct capn_unpacker {
    uint16_t run_words; /* words of a run still to come */
    uint8_t phase;      /* what the next input byte is */
    uint8_t tag;        /* which bytes of the word are in the input */
    uint8_t have;       /* bytes of the word that are there */
    uint8_t word[8];    /* the word being put together */
};

/*
 * Unpacks until the input is used up or the output has no room for the next word; may be called
 * again with more of either. Every byte sequence is some packed stream; whether it may end here
 * says capn_unpacker_is_done(). Writes whole words only. A run may go on across calls and, unlike
 * in the reference reader, across the message's segments.
 */
void capn_unpack(struct capn_unpacker *unpacker, struct capn_input *input,
                 struct capn_output *output);

/* True at the end of a word, with nothing owed to the output. */
bool capn_unpacker_is_done(const struct capn_unpacker *unpacker);

/* The whole of a packed stream at once: CAPN_TRUNCATED, CAPN_OUTPUT_FULL. */
CAPN_MUST_USE enum capn_status capn_unpack_all(struct capn_input *input,
                                               struct capn_output *output);

/* Exactly how many words a packed stream unpacks to; CAPN_TRUNCATED if it ends early. */
CAPN_MUST_USE enum capn_status capn_unpacked_words(const uint8_t *bytes, size_t length,
                                                   uint64_t *words);

struct capn_packer {
    const struct capn_segment *segments;
    uint32_t segment_count;
    uint32_t piece;         /* 0 is the segment table, n is segment n - 1 */
    uint64_t word;          /* next word of the piece */
    uint32_t literal_words; /* words of a literal run still to be copied */
};

/* A packed message: framed, table and segments packed each by itself, as the reference writes it.
 */
void capn_packer_init(struct capn_packer *packer, const struct capn_segment *segments,
                      uint32_t segment_count);

/* Only the words of one segment, without a table. */
void capn_packer_init_bare(struct capn_packer *packer, const struct capn_segment *segment);

/* Packs until the output has less than 10 bytes left or all is done; true when all is done. The
 * output must have room for 10 bytes at the start, else nothing moves. */
bool capn_pack(struct capn_packer *packer, struct capn_output *output);

/* Exactly how many bytes capn_pack will write in all. */
uint64_t capn_packed_bytes(const struct capn_segment *segments, uint32_t segment_count);

/* ---- Canonical form ---- */

/*
 * Writes the object behind `from` as a canonical message: one segment without table, objects in
 * preorder, trailing zero words and null pointers cut off. CAPN_OUTPUT_FULL, CAPN_HAS_CAPABILITY,
 * or what reading refuses.
 */
CAPN_MUST_USE enum capn_status capn_canonical_write(struct capn_pointer from,
                                                    struct capn_output *output);

/* Exactly how many words that takes, the root pointer included; 0 after a refusal. Spends budget.
 */
uint64_t capn_canonical_words(struct capn_pointer from);

/* CAPN_OK, or CAPN_NOT_CANONICAL and where (reader->error), or what reading refuses. */
CAPN_MUST_USE enum capn_status capn_canonical_check(struct capn_reader *reader);

#endif
