/* SPDX-License-Identifier: MIT */
/*
 * The program of a spawn: its headers are read and checked with the plan, its pages mapped by the
 * job.
 *
 * It is a binary of the boot package, whose bytes lie side by side and stay as they are, or a
 * memory object, whose pages lie anywhere and whose bytes others may change at any time. So an
 * object's headers are read of a copy, and only once: what the plan's image says has been checked.
 * What the pages hold then is the child's concern alone.
 *
 * Locks: the child's process lock, for the edge of the object. What can fail: memory; an image that
 * cannot be loaded; a revocation of the object.
 */
#include "kernel/object/spawn_image.h"

#include "core/string.h"
#include "kernel/mem/frames.h"
#include "kernel/object/boot_package.h"
#include "kernel/object/memory_object.h"
#include "kernel/sched/layout.h"

enum {
    SPAWN_STEP_PAGES = 4,      /* each is zeroed, copied, mapped: about 2,000 instructions */
    SPAWN_TLS_MAX = 16 * 1024, /* static TLS lies at the top of the stack */
    SPAWN_IMAGE_MAX = 64 * 1024 * 1024,
};

static const struct elf_limits image_limits = {
    .user_min = LIMIT_USER_MIN, .user_max = LAYOUT_IMAGE_END, .memory_max = SPAWN_IMAGE_MAX};

/* Reads what the program asks to be mapped. STATUS_CORRUPT: *why says it in words. */
static enum status program_read(struct spawn *spawn, const struct arch_program *program,
                                const char **why)
{
    enum elf_error error = arch_program_parse(program, &image_limits, &spawn->image);

    *why = elf_error_text(error);
    if (error == ELF_OK && spawn->image.tls.memory_size > SPAWN_TLS_MAX) {
        *why = "the static thread-local storage is larger than a stack has room for";
        error = ELF_ERROR_BAD_TLS;
    }
    return error == ELF_OK ? STATUS_OK : STATUS_CORRUPT;
}

/* The same of a memory object, whose pages lie anywhere and may change: of a copy of its first
 * page, which has to hold the headers. */
static enum status file_read(struct spawn *spawn, const char **why)
{
    struct arch_program program = {.have = LIMIT_PAGE_BYTES,
                                   .length = memory_edge_bytes(&spawn->file)};
    enum status status;
    paddr_t frame;

    if (frame_alloc(&frame) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    program.bytes = arch_frame_pointer(frame);
    status = memory_edge_read(&spawn->file, 0, arch_frame_pointer(frame), LIMIT_PAGE_BYTES);
    if (status == STATUS_OK && !elf_headers_within(program.bytes, program.have)) {
        *why = "the program headers lie outside the first page";
        status = STATUS_CORRUPT;
    } else if (status == STATUS_OK) {
        status = program_read(spawn, &program, why);
    }
    frame_free(frame);
    return status;
}

enum status spawn_image_plan(const struct spawn_plan *plan, struct spawn *spawn, const char **why)
{
    struct manifest_binary binary;

    if (plan->file != NULL) {
        spawn->file = *plan->file;
        return file_read(spawn, why);
    }
    if (!boot_package_binary(plan->binary, &binary)) {
        return STATUS_NOT_FOUND;
    }
    spawn->bytes = binary.data.bytes;
    return program_read(spawn,
                        &(struct arch_program){.bytes = binary.data.bytes,
                                               .have = binary.data.length,
                                               .length = binary.data.length},
                        why);
}

/* Whether the file's object may be read in this step. */
static bool file_is_alive(struct spawn *spawn)
{
    bool alive;

    spinlock_lock(&spawn->process->lock);
    alive = spawn->file.object != NULL && hold_edge_is_alive(&spawn->file);
    spinlock_unlock(&spawn->process->lock);
    return alive;
}

/* Copies the part of the segment that page `page` shows. STATUS_REVOKED: the object it comes from
 * is out of reach; STATUS_NO_MEMORY. */
static enum status segment_copy(struct spawn *spawn, const struct elf_segment *segment,
                                vaddr_t page, paddr_t frame)
{
    uint64_t file_end = segment->address + segment->file_size;
    uint64_t start = page > segment->address ? page : segment->address;
    uint64_t end = page + LIMIT_PAGE_BYTES < file_end ? page + LIMIT_PAGE_BYTES : file_end;
    uint8_t *target = arch_frame_pointer(frame);
    uint64_t offset = segment->file_offset + (start - segment->address);

    if (start >= end) {
        return STATUS_OK;
    }
    if (spawn->bytes != NULL) {
        memcpy(target + (start - page), spawn->bytes + offset, end - start);
        return STATUS_OK;
    }
    if (!file_is_alive(spawn)) {
        return STATUS_REVOKED;
    }
    return memory_edge_read(&spawn->file, offset, target + (start - page), end - start);
}

enum status spawn_image_step(struct spawn *spawn, bool *done)
{
    for (unsigned i = 0; i < SPAWN_STEP_PAGES; i++) {
        const struct elf_segment *segment;
        unsigned flags = 0;
        paddr_t frame;
        vaddr_t page;
        enum status status;

        *done = spawn->segment == spawn->image.segment_count;
        if (*done) {
            return STATUS_OK;
        }
        segment = &spawn->image.segment[spawn->segment];
        page =
            (segment->address & ~(uint64_t)(LIMIT_PAGE_BYTES - 1)) + spawn->page * LIMIT_PAGE_BYTES;
        flags |= (segment->flags & ELF_WRITE) != 0 ? ARCH_PAGE_WRITE : 0;
        flags |= (segment->flags & ELF_EXECUTE) != 0 ? ARCH_PAGE_EXECUTE : 0;
        status = vspace_map_new(&spawn->process->vspace, page, flags, &frame);
        if (status != STATUS_OK) {
            return status;
        }
        status = segment_copy(spawn, segment, page, frame);
        if (status != STATUS_OK) {
            return status;
        }
        spawn->page++;
        if (page + LIMIT_PAGE_BYTES >= segment->address + segment->memory_size) {
            spawn->segment++;
            spawn->page = 0;
        }
    }
    *done = false;
    return STATUS_OK;
}
