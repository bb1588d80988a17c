/* SPDX-License-Identifier: MIT */
/* Physical memory and table building for the tests of boot-time parsers. */
#include "tests/host/support.h"

#include "tests/host/fake_memory.h"

struct fake_copy {
    struct fake_copy *next;
    uint8_t *bytes;
};

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
        copy = malloc(sizeof(*copy));
        assert_non_null(copy);
        copy->bytes = malloc(length);
        assert_non_null(copy->bytes);
        memcpy(copy->bytes, region->bytes + offset, length);
        copy->next = fake->copies;
        fake->copies = copy;
        return copy->bytes;
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
        free(copy->bytes);
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
