/* SPDX-License-Identifier: MIT */
/*
 * Programs of the host are C functions. The binary in the boot package is a small, valid ELF file,
 * so that the manifest is judged by the same rules as on hardware, and behind its last byte of code
 * stands the name under which the function was given to the machine:
 *
 *   ... "capos-host-program:" NAME NUL
 *
 * Nothing of the file is mapped.
 */
#include "kernel/arch/host/machine.h"

#include <string.h>

static const char mark[] = "capos-host-program:";

/* The name in the binary; NULL: it has none. */
static const char *name_find(const struct arch_program *program)
{
    const size_t mark_bytes = sizeof(mark) - 1;

    for (size_t at = 0; at + mark_bytes < program->have; at++) {
        const char *name = (const char *)program->bytes + at + mark_bytes;

        if (memcmp(program->bytes + at, mark, mark_bytes) == 0) {
            return memchr(name, 0, program->have - at - mark_bytes) == NULL ? NULL : name;
        }
    }
    return NULL;
}

enum elf_error arch_program_parse(const struct arch_program *program,
                                  const struct elf_limits *limits, struct elf_image *image)
{
    enum elf_error error = elf_parse(program->bytes, program->length, limits, image);
    const char *name;

    if (error != ELF_OK) {
        return error;
    }
    name = name_find(program);
    *image = (struct elf_image){.entry = 0};
    for (size_t i = 0; name != NULL && i < machine.options.program_count; i++) {
        if (strcmp(machine.options.programs[i].name, name) == 0) {
            image->entry = (uint64_t)(uintptr_t)machine.options.programs[i].entry;
        }
    }
    return image->entry == 0 ? ELF_ERROR_BAD_ENTRY : ELF_OK;
}
