/* SPDX-License-Identifier: MIT */
/*
 * The stream framing: u32 number of segments less one, u32 words of each segment, padding to a
 * word, then the segments. Sizes are added up in 64 bits and held against the caller's limits
 * before anything is looked for in the input.
 */
#include "capn_stream.h"

enum capn_status capn_frame_parse(struct capn_frame *frame, const uint8_t *bytes, size_t length)
{
    frame->segment_count = 0;
    frame->bytes = 4;
    if (length < frame->bytes) {
        return CAPN_TRUNCATED;
    }
    uint64_t count = (uint64_t)capn_load_u32(bytes) + 1;
    if (count > frame->segment_room) {
        return CAPN_TOO_MANY_SEGMENTS;
    }
    frame->bytes = capn_frame_header_bytes((uint32_t)count);
    if (length < frame->bytes) {
        return CAPN_TRUNCATED;
    }
    uint64_t words = 0;
    for (uint64_t i = 0; i < count; i++) {
        words += capn_load_u32(bytes + 4 + 4 * i);
    }
    /* At most 2^32 segments of 2^32 words: no overflow, but the bytes could. */
    if (words > frame->words_limit || words > UINT64_MAX / CAPN_WORD_BYTES - count) {
        return CAPN_MESSAGE_TOO_LARGE;
    }
    uint64_t start = frame->bytes;
    frame->bytes += words * CAPN_WORD_BYTES;
    if (length < frame->bytes) {
        return CAPN_TRUNCATED;
    }
    for (uint64_t i = 0; i < count; i++) {
        frame->segments[i].bytes = bytes + start;
        frame->segments[i].words = capn_load_u32(bytes + 4 + 4 * i);
        start += frame->segments[i].words * CAPN_WORD_BYTES;
    }
    frame->segment_count = (uint32_t)count;
    return CAPN_OK;
}

uint64_t capn_frame_bytes(const struct capn_segment *segments, uint32_t segment_count)
{
    uint64_t bytes = capn_frame_header_bytes(segment_count);
    for (uint32_t i = 0; i < segment_count; i++) {
        bytes += segments[i].words * CAPN_WORD_BYTES;
    }
    return bytes;
}

enum capn_status capn_frame_write_header(const struct capn_segment *segments,
                                         uint32_t segment_count, struct capn_output *output)
{
    if (segment_count == 0) {
        return CAPN_NO_ROOT;
    }
    for (uint32_t i = 0; i < segment_count; i++) {
        if (segments[i].words > UINT32_MAX) {
            return CAPN_TOO_LARGE;
        }
    }
    uint64_t length = capn_frame_header_bytes(segment_count);
    if (length > output->capacity - output->used) {
        return CAPN_OUTPUT_FULL;
    }
    uint8_t *at = output->bytes + output->used;
    output->used += (size_t)length;
    capn_store_u64(at + length - CAPN_WORD_BYTES, 0);
    capn_store_u32(at, segment_count - 1);
    for (uint32_t i = 0; i < segment_count; i++) {
        capn_store_u32(at + 4 + (size_t)i * 4, (uint32_t)segments[i].words);
    }
    return CAPN_OK;
}

enum capn_status capn_frame_write(const struct capn_segment *segments, uint32_t segment_count,
                                  struct capn_output *output)
{
    if (segment_count != 0 &&
        capn_frame_bytes(segments, segment_count) > output->capacity - output->used) {
        return CAPN_OUTPUT_FULL;
    }
    enum capn_status status = capn_frame_write_header(segments, segment_count, output);
    for (uint32_t i = 0; i < segment_count && status == CAPN_OK; i++) {
        size_t length = (size_t)segments[i].words * CAPN_WORD_BYTES;
        if (length != 0) {
            __builtin_memcpy(output->bytes + output->used, segments[i].bytes, length);
        }
        output->used += length;
    }
    return status;
}
