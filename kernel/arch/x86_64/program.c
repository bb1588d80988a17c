/* SPDX-License-Identifier: MIT */
/* Programs are what the boot package's binaries are: static ELF files of this ISA. */
#include "capnp/runtime/capn_base.h"
#include "kernel/arch/arch.h"

enum elf_error arch_program_parse(const struct capn_data *binary, const struct elf_limits *limits,
                                  struct elf_image *image)
{
    return elf_parse(binary->bytes, binary->length, limits, image);
}
