/* SPDX-License-Identifier: MIT */
/* Physical memory: a memfd, mapped whole as the direct map and page by page into windows. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/assert.h"
#include "core/bits.h"
#include "kernel/arch/host/machine.h"

enum { WINDOWS = 4096 };

/*
 * Where the direct map lies, always: what the kernel makes of an object's address, such as the
 * bucket of its words, is then the same in every run of a seed. Nothing else is put there by Linux,
 * whose own mappings begin above, and the sanitizers leave it to programs.
 */
#define DIRECT_MAP UINT64_C(0x7ea000000000)

void host_memory_init(void)
{
    uint64_t bytes = machine.options.memory_bytes;
    void *place = (void *)(uintptr_t)DIRECT_MAP;

    ASSERT(is_aligned(bytes, LIMIT_PAGE_BYTES));
    machine.windows_used = calloc(WINDOWS, 1);
    machine.memory_file = memfd_create("capos-memory", MFD_CLOEXEC);
    if (machine.windows_used == NULL || machine.memory_file < 0 ||
        ftruncate(machine.memory_file, (off_t)bytes) != 0) {
        host_fatal("no memory file");
    }
    machine.memory = mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE,
                          machine.memory_file, 0);
    if (machine.memory != place) {
        host_fatal("no direct map");
    }
}

bool host_page_show(vaddr_t page, paddr_t frame, bool write)
{
    void *place = (void *)(uintptr_t)page;
    int protection = write ? PROT_READ | PROT_WRITE : PROT_READ;

    ASSERT(frame < machine.options.memory_bytes);
    return mmap(place, LIMIT_PAGE_BYTES, protection, MAP_SHARED | MAP_FIXED, machine.memory_file,
                (off_t)frame) == place;
}

void host_page_hide(vaddr_t page)
{
    if (munmap((void *)(uintptr_t)page, LIMIT_PAGE_BYTES) != 0) {
        host_fatal("a page cannot be unmapped");
    }
}

void *arch_frame_pointer(paddr_t frame)
{
    ASSERT(frame < machine.options.memory_bytes);
    return machine.memory + frame;
}

paddr_t arch_pointer_frame(const void *pointer)
{
    uint64_t offset = (uint64_t)((const uint8_t *)pointer - machine.memory);

    ASSERT(offset < machine.options.memory_bytes);
    return align_down(offset, LIMIT_PAGE_BYTES);
}
