/* SPDX-License-Identifier: MIT */
/*
 * Physical memory for tests of boot-time parsers: a few regions with bytes, nothing else
 * accessible. Each access answers with a fresh copy of exactly the length asked for, at the end of
 * a page before one that nobody may touch: a parser that reads one byte more than it asked for ends
 * the test, without a sanitizer too.
 */
#ifndef TESTS_HOST_FAKE_MEMORY_H
#define TESTS_HOST_FAKE_MEMORY_H

#include "core/boot_memory.h"

#define FAKE_REGIONS_MAX 8u

struct fake_region {
    uint64_t address;
    uint64_t length;
    const uint8_t *bytes;
};

struct fake_memory {
    struct boot_memory memory; /* hand this to the parser */
    struct fake_region region[FAKE_REGIONS_MAX];
    uint32_t region_count;
    struct fake_copy *copies;
};

void fake_memory_init(struct fake_memory *fake);
/* The bytes stay the caller's and are read at each access. */
void fake_memory_add(struct fake_memory *fake, uint64_t address, const void *bytes,
                     uint64_t length);
/* Frees all copies handed out; regions stay. */
void fake_memory_forget(struct fake_memory *fake);

/* A byte buffer to build foreign tables in; little-endian. Writing past its end aborts. */
struct fake_blob {
    uint8_t bytes[8192];
    uint32_t length;
};

void blob_u8(struct fake_blob *blob, uint8_t value);
void blob_u16(struct fake_blob *blob, uint16_t value);
void blob_u32(struct fake_blob *blob, uint32_t value);
void blob_u64(struct fake_blob *blob, uint64_t value);
void blob_bytes(struct fake_blob *blob, const void *bytes, uint32_t length);
void blob_align(struct fake_blob *blob, uint32_t alignment);
/* Overwrites earlier bytes. */
void blob_put_u32(struct fake_blob *blob, uint32_t offset, uint32_t value);
/* Sets the byte at `at` so that the sum of [start, start + length) is 0 modulo 256. */
void blob_checksum(struct fake_blob *blob, uint32_t start, uint32_t length, uint32_t at);

#endif
