/* SPDX-License-Identifier: MIT */
/*
 * Access to user memory.
 *
 * Purpose: the only way by which the kernel reads or writes memory at an address that a program
 * gave.
 *
 * Three steps, each of which a hostile address must pass:
 *   range       user_range_make, arithmetic only: no kernel address, no wrap
 *   permission  what the tables say of each page of the range: present, user's, writable if needed
 *   copy        arch_copy_*: page by page, in a window in which the processor lets the kernel touch
 *               user pages, and out of which a fault returns false
 *
 * The permission check is not implied by the copy: it refuses before the first byte is copied, it
 * holds on architectures and hosts whose copy checks less, and it is the same code on all of them.
 * The copy's own check is not implied by the permission check either: another CPU may unmap or
 * narrow a page between the two.
 *
 * One word is read by range and copy alone (user_word_read): within a page there is no first byte
 * before the refusal, and to read is what every page that is there permits (arch_vspace_map).
 *
 * Invariants:
 * 1. A user_range lies in the user half and does not wrap.
 * 2. No byte is copied by user_copy_* unless the check found every page of the range permitted.
 * 3. A copy whose page another CPU unmaps meanwhile either fails, or goes whole to or from the
 *    frame that was there. That frame is in quarantine until this CPU has flushed, which it cannot
 *    do before the copy is over, because interrupts are off: no byte of its next owner is read or
 *    overwritten.
 *
 * Locks: the space's, for the check alone. The copy runs without it, so that an unmap never waits
 * for a copy.
 */
#include "kernel/mem/user_access.h"

#include "core/assert.h"
#include "core/checked.h"
#include "kernel/cpu.h"
#include "kernel/mem/frames.h"
#include "kernel/mem/memory_debug.h"

bool user_range_make(vaddr_t address, uint64_t bytes, struct user_range *range)
{
    if (address < LIMIT_USER_MIN || !range_fits(address, bytes, LIMIT_USER_MAX)) {
        return false;
    }
    *range = (struct user_range){.address = address, .bytes = (size_t)bytes};
    return true;
}

/* The bytes from `address` to the end of its page, `bytes` at most. */
static size_t bytes_in_page(vaddr_t address, size_t bytes)
{
    size_t rest = FRAME_BYTES - (size_t)(address % FRAME_BYTES);

    return bytes < rest ? bytes : rest;
}

bool user_range_permitted(struct vspace *vspace, struct user_range range, bool write)
{
    unsigned need = write ? ARCH_PAGE_WRITE : 0;
    struct arch_mapping mapping;
    bool permitted = range.bytes <= USER_COPY_BYTES_MAX;

    ASSERT(range_fits(range.address, range.bytes, LIMIT_USER_MAX)); /* invariant 1 */
    spinlock_lock(&vspace->lock);
    while (permitted && range.bytes > 0) {
        size_t step = bytes_in_page(range.address, range.bytes);

        permitted = arch_vspace_query(&vspace->arch, range.address, &mapping) &&
                    (mapping.flags & need) == need;
        range.address += step;
        range.bytes -= step;
    }
    spinlock_unlock(&vspace->lock);
    return permitted;
}

/* What both copies check first. */
static enum status copy_validate(struct vspace *vspace, struct user_range range, bool write)
{
    ASSERT(arch_cpu_this()->vspace == vspace);
    if (range.bytes > USER_COPY_BYTES_MAX) {
        return STATUS_TOO_LARGE;
    }
    return user_range_permitted(vspace, range, write) ? STATUS_OK : STATUS_FAULT;
}

enum status user_copy_in(struct vspace *vspace, void *to, struct user_range from)
{
    enum status status = copy_validate(vspace, from, false);
    uint8_t *byte = to;

    while (status == STATUS_OK && from.bytes > 0) {
        size_t step = bytes_in_page(from.address, from.bytes);

        user_copy_rendezvous(vspace, from.address);
        if (!arch_copy_from_user(byte, from.address, step)) {
            status = STATUS_FAULT;
        }
        byte += step;
        from.address += step;
        from.bytes -= step;
    }
    user_copy_rendezvous_end(vspace, status);
    return status;
}

bool user_word_read(vaddr_t address, uint32_t *word)
{
    struct user_range range = {.bytes = 0};

    return user_range_make(address, sizeof(*word), &range) &&
           arch_copy_from_user(word, range.address, sizeof(*word));
}

enum status user_copy_out(struct vspace *vspace, struct user_range to, const void *from)
{
    enum status status = copy_validate(vspace, to, true);
    const uint8_t *byte = from;

    while (status == STATUS_OK && to.bytes > 0) {
        size_t step = bytes_in_page(to.address, to.bytes);

        user_copy_rendezvous(vspace, to.address);
        if (!arch_copy_to_user(to.address, byte, step)) {
            status = STATUS_FAULT;
        }
        byte += step;
        to.address += step;
        to.bytes -= step;
    }
    user_copy_rendezvous_end(vspace, status);
    return status;
}
