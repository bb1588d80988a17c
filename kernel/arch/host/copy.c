/* SPDX-License-Identifier: MIT */
/*
 * The copies between kernel and programs. They walk the tables and go through the direct map, so
 * that what the tables say decides, not what the host would let the process touch.
 */
#include "core/string.h"
#include "kernel/arch/host/machine.h"

/* The kernel's pointer to a user byte of the active space; NULL: not permitted. */
static uint8_t *user_pointer(vaddr_t address, bool write)
{
    const struct arch_vspace *vspace = machine.current->arch.vspace;
    struct arch_mapping mapping;

    if (vspace == NULL || !arch_vspace_query(vspace, address, &mapping) ||
        (write && (mapping.flags & ARCH_PAGE_WRITE) == 0)) {
        return NULL;
    }
    return (uint8_t *)arch_frame_pointer(mapping.frame) + address % LIMIT_PAGE_BYTES;
}

static size_t bytes_in_page(vaddr_t address, size_t bytes)
{
    size_t room = LIMIT_PAGE_BYTES - (size_t)(address % LIMIT_PAGE_BYTES);

    return bytes < room ? bytes : room;
}

bool arch_copy_from_user(void *to, vaddr_t from, size_t bytes)
{
    uint8_t *target = to;

    while (bytes > 0) {
        size_t chunk = bytes_in_page(from, bytes);
        const uint8_t *source = user_pointer(from, false);

        if (source == NULL) {
            return false;
        }
        memcpy(target, source, chunk);
        target += chunk;
        from += chunk;
        bytes -= chunk;
    }
    return true;
}

bool arch_copy_to_user(vaddr_t to, const void *from, size_t bytes)
{
    const uint8_t *source = from;

    while (bytes > 0) {
        size_t chunk = bytes_in_page(to, bytes);
        uint8_t *target = user_pointer(to, true);

        if (target == NULL) {
            return false;
        }
        memcpy(target, source, chunk);
        source += chunk;
        to += chunk;
        bytes -= chunk;
    }
    return true;
}
