/* SPDX-License-Identifier: MIT */
/*
 * Reads what a multiboot2 loader (GRUB) leaves: a blob of tags, each 8-aligned with type and size,
 * ended by a tag of type 0 (Multiboot2 Specification 2.0, 3.6). The blob's own total size is read
 * once and bounds everything; a tag is bounded by the blob and a field by its tag before it is
 * looked at. Tags we do not use are stepped over.
 */
#include "core/boot_info.h"

#include "core/bits.h"
#include "core/string.h"

enum tag_type {
    TAG_END = 0,
    TAG_COMMAND_LINE = 1,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_RSDP_1 = 14,
    TAG_RSDP_2 = 15,
};

#define BLOB_HEADER_SIZE   8u /* total size, reserved */
#define TAG_HEADER_SIZE    8u /* type, size */
#define TAG_ALIGN          8u
#define MODULE_FIELDS_SIZE 8u  /* start, end; then a string */
#define MAP_FIELDS_SIZE    8u  /* entry size, entry version; then the entries */
#define MAP_ENTRY_SIZE_MIN 24u /* base, length, type, reserved; later versions may append */

/* What follows the header of one tag. */
struct tag {
    uint32_t type;
    const uint8_t *body;
    uint32_t length;
};

struct tag_walk {
    struct boot_info *info;
    bool command_line_seen;
    bool memory_map_seen;
};

static enum boot_error command_line_read(struct tag_walk *walk, const struct tag *tag)
{
    const char *text = (const char *)tag->body;

    if (walk->command_line_seen) {
        return BOOT_ERROR_DUPLICATE_TAG;
    }
    walk->command_line_seen = true;
    if (string_length(text, tag->length) == tag->length) {
        return BOOT_ERROR_TRUNCATED;
    }
    if (!string_copy(walk->info->command_line, BOOT_COMMAND_LINE_SIZE, text, tag->length)) {
        return BOOT_ERROR_COMMAND_LINE_TOO_LONG;
    }
    return BOOT_OK;
}

static enum boot_error module_read(struct tag_walk *walk, const struct tag *tag)
{
    uint32_t start;
    uint32_t end;

    ASSERT(tag->type == TAG_MODULE);
    if (tag->length < MODULE_FIELDS_SIZE) {
        return BOOT_ERROR_BAD_TAG;
    }
    start = read_u32(tag->body);
    end = read_u32(tag->body + 4);
    if (end < start) {
        return BOOT_ERROR_BAD_MODULE;
    }
    return boot_info_add_module(walk->info, start, end - start);
}

static enum boot_error memory_map_read(struct tag_walk *walk, const struct tag *tag)
{
    uint32_t entry_size;
    uint32_t rest;

    if (walk->memory_map_seen) {
        return BOOT_ERROR_DUPLICATE_TAG;
    }
    walk->memory_map_seen = true;
    if (tag->length < MAP_FIELDS_SIZE) {
        return BOOT_ERROR_BAD_TAG;
    }
    entry_size = read_u32(tag->body);
    rest = tag->length - MAP_FIELDS_SIZE;
    if (entry_size < MAP_ENTRY_SIZE_MIN || entry_size % TAG_ALIGN != 0) {
        return BOOT_ERROR_BAD_TAG;
    }
    if (rest % entry_size != 0) {
        return BOOT_ERROR_TRUNCATED;
    }
    for (uint32_t offset = 0; offset < rest; offset += entry_size) {
        const uint8_t *entry = tag->body + MAP_FIELDS_SIZE + offset;
        struct boot_range range = {
            .start = read_u64(entry),
            .length = read_u64(entry + 8),
            .type = boot_range_type_from_e820(read_u32(entry + 16)),
        };
        enum boot_error error = boot_info_add_range(walk->info, &range);

        if (error != BOOT_OK) {
            return error;
        }
    }
    return BOOT_OK;
}

static enum boot_error root_pointer_read(struct tag_walk *walk, const struct tag *tag)
{
    /* A loader may give both kinds; the later specification's is the better one, whatever the
     * order. */
    if (tag->type == TAG_RSDP_1 && walk->info->rsdp_length == BOOT_RSDP_SIZE) {
        return BOOT_OK;
    }
    if (tag->type == TAG_RSDP_1) {
        return boot_info_set_root_pointer(walk->info, tag->body,
                                          tag->length < BOOT_RSDP_SIZE_1 ? 0 : BOOT_RSDP_SIZE_1);
    }
    if (tag->length < BOOT_RSDP_SIZE) {
        return BOOT_ERROR_BAD_ROOT_POINTER;
    }
    return boot_info_set_root_pointer(walk->info, tag->body, tag->length);
}

static enum boot_error tag_read(struct tag_walk *walk, const struct tag *tag)
{
    switch (tag->type) {
    case TAG_COMMAND_LINE:
        return command_line_read(walk, tag);
    case TAG_MODULE:
        return module_read(walk, tag);
    case TAG_MEMORY_MAP:
        return memory_map_read(walk, tag);
    case TAG_RSDP_1:
    case TAG_RSDP_2:
        return root_pointer_read(walk, tag);
    default:
        return BOOT_OK;
    }
}

/* Walks the tags of `blob`; every iteration moves at least TAG_HEADER_SIZE bytes on. */
static enum boot_error tags_read(struct tag_walk *walk, const uint8_t *blob, uint32_t total)
{
    uint32_t offset = BLOB_HEADER_SIZE;

    while (offset < total && total - offset >= TAG_HEADER_SIZE) {
        struct tag tag = {.type = read_u32(blob + offset)};
        uint32_t size = read_u32(blob + offset + 4);
        enum boot_error error;

        ASSERT(is_aligned(offset, TAG_ALIGN));
        if (size < TAG_HEADER_SIZE) {
            return BOOT_ERROR_BAD_TAG;
        }
        if (size > total - offset) {
            return BOOT_ERROR_TRUNCATED;
        }
        if (tag.type == TAG_END) {
            return walk->memory_map_seen ? BOOT_OK : BOOT_ERROR_NO_MEMORY_MAP;
        }
        tag.body = blob + offset + TAG_HEADER_SIZE;
        tag.length = size - TAG_HEADER_SIZE;
        error = tag_read(walk, &tag);
        ASSERT(boot_info_check(walk->info) == 0 || error != BOOT_OK);
        if (error != BOOT_OK) {
            return error;
        }
        offset += (uint32_t)align_up(size, TAG_ALIGN);
    }
    return BOOT_ERROR_TRUNCATED;
}

enum boot_error boot_multiboot2_parse(struct boot_info *info, const struct boot_memory *memory,
                                      uint64_t address)
{
    struct tag_walk walk = {.info = info};
    const uint8_t *blob;
    uint32_t total;

    boot_info_init(info, BOOT_SOURCE_MULTIBOOT2);
    if (!is_aligned(address, TAG_ALIGN)) {
        return BOOT_ERROR_MISALIGNED;
    }
    blob = boot_memory_map(memory, address, BLOB_HEADER_SIZE);
    if (blob == NULL) {
        return BOOT_ERROR_UNREADABLE;
    }
    total = read_u32(blob);
    if (total < BLOB_HEADER_SIZE + TAG_HEADER_SIZE) {
        return BOOT_ERROR_TRUNCATED;
    }
    if (total > BOOT_MULTIBOOT2_SIZE_MAX) {
        return BOOT_ERROR_TOO_LARGE;
    }
    blob = boot_memory_map(memory, address, total);
    if (blob == NULL) {
        return BOOT_ERROR_UNREADABLE;
    }
    return tags_read(&walk, blob, total);
}
