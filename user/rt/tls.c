/* SPDX-License-Identifier: MIT */
/* Blocks of thread-local data, from the template that StartInfo names. */
#include "user/rt/tls.h"

#include "core/assert.h"
#include "core/string.h"

/* Distance from the thread pointer down to the first byte of the block; the template itself is
 * aligned, so the linker counts in the same way. */
static uint64_t tls_offset(const struct start_info *start)
{
    uint64_t alignment = start->tls_alignment == 0 ? 1 : start->tls_alignment;

    return (start->tls_memory_bytes + alignment - 1) / alignment * alignment;
}

void rt_tls_fill(const struct start_info *start, uint64_t thread_pointer)
{
    uint8_t *block = (uint8_t *)(uintptr_t)(thread_pointer - tls_offset(start));

    if (thread_pointer == 0) {
        return;
    }
    ASSERT(start->tls_file_bytes <= start->tls_memory_bytes);
    if (start->tls_file_bytes != 0) {
        memcpy(block, (const void *)(uintptr_t)start->tls_image, start->tls_file_bytes);
    }
    memset(block + start->tls_file_bytes, 0, start->tls_memory_bytes - start->tls_file_bytes);
    *(uint64_t *)(uintptr_t)thread_pointer = thread_pointer;
}

enum {
    CONTROL_BYTES = 256, /* at the thread pointer and above it */
    STACK_ALIGNMENT = 16,
};

uint64_t rt_stack_divide(const struct start_info *start, uint64_t high, uint64_t *stack_top)
{
    uint64_t alignment =
        start->tls_alignment < CONTROL_BYTES ? CONTROL_BYTES : start->tls_alignment;
    uint64_t thread_pointer = (high - CONTROL_BYTES) & ~(alignment - 1);

    *stack_top = (thread_pointer - tls_offset(start)) & ~(uint64_t)(STACK_ALIGNMENT - 1);
    return thread_pointer;
}
