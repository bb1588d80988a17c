/* SPDX-License-Identifier: MIT */
/*
 * Lets mkmanifest run under MSan although libjansson is not built for it: what the library
 * writes is not seen, so that its memory would look uninitialised. Here it gets its memory from an
 * arena that counts as written after each parse, and a stack that does so before. What is ours is
 * watched as ever.
 */
#include <jansson.h>

#include <sanitizer/msan_interface.h>

#include "abi/compiler.h"

enum {
    STACK_BYTES = 512 * 1024,
    ARENA_BYTES = 64 * 1024 * 1024,
    BLOCK_ALIGNMENT = 16,
};

json_t *__real_json_loadb(const char *bytes, size_t length, size_t flags, json_error_t *error);
json_t *__wrap_json_loadb(const char *bytes, size_t length, size_t flags, json_error_t *error);

static ALIGNED(BLOCK_ALIGNMENT) char arena[ARENA_BYTES];
static size_t arena_used;
static size_t blocks;

static void *arena_alloc(size_t bytes)
{
    void *block = arena + arena_used;

    bytes = (bytes + BLOCK_ALIGNMENT - 1) / BLOCK_ALIGNMENT * BLOCK_ALIGNMENT;
    if (bytes > sizeof(arena) - arena_used) {
        return NULL;
    }
    __msan_unpoison(block, bytes);
    arena_used += bytes;
    blocks++;
    return block;
}

/* The arena is empty again with its last block. */
static void arena_free(void *block)
{
    blocks -= block != NULL;
    arena_used = blocks == 0 ? 0 : arena_used;
}

static NOINLINE void stack_clean(void)
{
    volatile char stack[STACK_BYTES];

    __msan_unpoison(&stack, sizeof(stack));
}

json_t *__wrap_json_loadb(const char *bytes, size_t length, size_t flags, json_error_t *error)
{
    json_t *document;

    json_set_alloc_funcs(arena_alloc, arena_free);
    stack_clean();
    document = __real_json_loadb(bytes, length, flags, error);
    __msan_unpoison(arena, arena_used);
    __msan_unpoison(error, sizeof(*error));
    return document;
}
