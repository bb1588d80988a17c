/* SPDX-License-Identifier: MIT */
/*
 * The copies between kernel and programs. They walk the tables and go through the direct map, so
 * that what the tables say decides, not what the host would let the process touch.
 *
 * Each virtual CPU has a translation buffer, as a processor has: what it walked once it uses until
 * it flushes, whatever another CPU does to the tables meanwhile; and between the kernel's check of
 * a range and the copy of a page of it another CPU may run. A translation that is still used must
 * name a frame that is nobody's next: the kernel's quarantine is held to that here.
 */
#include "core/assert.h"
#include "core/string.h"
#include "kernel/arch/host/machine.h"
#include "kernel/mem/frames.h"

static struct host_translation *translation_slot(vaddr_t page)
{
    return &machine.current->arch.translation[page / LIMIT_PAGE_BYTES % HOST_TRANSLATIONS];
}

void host_translation_forget(vaddr_t page)
{
    struct host_translation *slot = translation_slot(page);

    if (slot->page == page) {
        *slot = (struct host_translation){.page = 0};
    }
}

void arch_tlb_flush(void)
{
    struct arch_cpu *cpu = &machine.current->arch;

    memset(cpu->translation, 0, sizeof(cpu->translation));
}

void arch_vspace_activate(struct arch_vspace *vspace)
{
    machine.current->arch.vspace = vspace;
    arch_tlb_flush();
}

/* The translation of `page`, remembered or found by a walk; NULL: there is none. */
static const struct host_translation *translation_find(vaddr_t page)
{
    const struct arch_vspace *vspace = machine.current->arch.vspace;
    struct host_translation *slot = translation_slot(page);
    struct arch_mapping mapping;

    if (slot->page != page) {
        if (vspace == NULL || !arch_vspace_query(vspace, page, &mapping)) {
            return NULL;
        }
        *slot = (struct host_translation){page, mapping.frame, mapping.flags};
    }
    ASSERT(!frame_is_available(slot->frame));
    return slot;
}

/* The kernel's pointer to a user byte of the active space; NULL: not permitted. */
static uint8_t *user_pointer(vaddr_t address, bool write)
{
    vaddr_t within = address % LIMIT_PAGE_BYTES;
    const struct host_translation *translation;

    host_switch_point(false);
    translation = translation_find(address - within);
    if (translation == NULL || (write && (translation->flags & ARCH_PAGE_WRITE) == 0)) {
        return NULL;
    }
    return (uint8_t *)arch_frame_pointer(translation->frame) + within;
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
