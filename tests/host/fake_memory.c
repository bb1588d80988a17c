/* SPDX-License-Identifier: MIT */
/* Physical memory and table building for the tests of boot-time parsers. */
#include "tests/host/support.h"

#include <sys/mman.h>

#include "tests/host/fake_memory.h"

enum {
    PAGE_BYTES = 4096,
};

/* The end of the copy is the end of `pages`; behind them lies one that nobody may touch. */
struct fake_copy {
    struct fake_copy *next;
    uint8_t *pages;
    size_t bytes;
};

/* Of one page, given back: to map a page takes longer than to read it. */
static struct fake_copy *unused;

static struct fake_copy *copy_make(size_t bytes)
{
    struct fake_copy *copy = unused;

    if (bytes == PAGE_BYTES && copy != NULL) {
        unused = copy->next;
        return copy;
    }
    copy = malloc(sizeof(*copy));
    assert_non_null(copy);
    copy->bytes = bytes;
    copy->pages =
        mmap(NULL, bytes + PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(copy->pages, MAP_FAILED);
    assert_int_equal(mprotect(copy->pages + bytes, PAGE_BYTES, PROT_NONE), 0);
    return copy;
}

static const void *fake_map(void *context, uint64_t address, uint64_t length)
{
    struct fake_memory *fake = context;

    if (length == 0 || address > UINT64_MAX - (length - 1)) {
        return NULL;
    }
    for (uint32_t i = 0; i < fake->region_count; i++) {
        const struct fake_region *region = &fake->region[i];
        uint64_t offset = address - region->address;
        struct fake_copy *copy;

        if (address < region->address || offset > region->length ||
            length > region->length - offset) {
            continue;
        }
        copy = copy_make((length + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
        copy->next = fake->copies;
        fake->copies = copy;
        return memcpy(copy->pages + copy->bytes - length, region->bytes + offset, length);
    }
    return NULL;
}

void fake_memory_init(struct fake_memory *fake)
{
    memset(fake, 0, sizeof(*fake));
    fake->memory.map = fake_map;
    fake->memory.context = fake;
}

void fake_memory_add(struct fake_memory *fake, uint64_t address, const void *bytes, uint64_t length)
{
    assert_true(fake->region_count < FAKE_REGIONS_MAX);
    fake->region[fake->region_count++] =
        (struct fake_region){.address = address, .length = length, .bytes = bytes};
}

void fake_memory_forget(struct fake_memory *fake)
{
    while (fake->copies != NULL) {
        struct fake_copy *copy = fake->copies;

        fake->copies = copy->next;
        if (copy->bytes == PAGE_BYTES) {
            copy->next = unused;
            unused = copy;
            continue;
        }
        (void)munmap(copy->pages, copy->bytes + PAGE_BYTES);
        free(copy);
    }
}

void blob_u8(struct fake_blob *blob, uint8_t value)
{
    assert_true(blob->length < sizeof(blob->bytes));
    blob->bytes[blob->length++] = value;
}

void blob_u16(struct fake_blob *blob, uint16_t value)
{
    blob_u8(blob, (uint8_t)value);
    blob_u8(blob, (uint8_t)(value >> 8));
}

void blob_u32(struct fake_blob *blob, uint32_t value)
{
    blob_u16(blob, (uint16_t)value);
    blob_u16(blob, (uint16_t)(value >> 16));
}

void blob_u64(struct fake_blob *blob, uint64_t value)
{
    blob_u32(blob, (uint32_t)value);
    blob_u32(blob, (uint32_t)(value >> 32));
}

void blob_bytes(struct fake_blob *blob, const void *bytes, uint32_t length)
{
    const uint8_t *byte = bytes;

    for (uint32_t i = 0; i < length; i++) {
        blob_u8(blob, byte[i]);
    }
}

void blob_align(struct fake_blob *blob, uint32_t alignment)
{
    while (blob->length % alignment != 0) {
        blob_u8(blob, 0);
    }
}

void blob_put_u32(struct fake_blob *blob, uint32_t offset, uint32_t value)
{
    assert_true(offset + 4 <= blob->length);
    for (uint32_t i = 0; i < 4; i++) {
        blob->bytes[offset + i] = (uint8_t)(value >> (8 * i));
    }
}

void blob_checksum(struct fake_blob *blob, uint32_t start, uint32_t length, uint32_t at)
{
    uint8_t sum = 0;

    assert_true(start + length <= blob->length);
    blob->bytes[at] = 0;
    for (uint32_t i = 0; i < length; i++) {
        sum = (uint8_t)(sum + blob->bytes[start + i]);
    }
    blob->bytes[at] = (uint8_t)-sum;
}
