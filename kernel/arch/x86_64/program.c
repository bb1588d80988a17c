/* SPDX-License-Identifier: MIT */
/* Programs are static ELF files of this ISA. */
#include "kernel/arch/arch.h"

enum elf_error arch_program_parse(const struct arch_program *program,
                                  const struct elf_limits *limits, struct elf_image *image)
{
    return elf_parse(program->bytes, program->length, limits, image);
}
