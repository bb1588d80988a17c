/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a program file: parser and oracle must agree whether to accept it and as what. The
 * same oracle judges the property test.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/host/elf_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct elf_limits limits = {
        .user_min = 0x10000,
        .user_max = UINT64_C(0x00007ffffffff000),
        .memory_max = 0x100000,
    };
    const char *complaint = elf_oracle_judge(data, size, &limits);

    if (complaint != NULL) {
        fprintf(stderr, "elf: %s\n", complaint);
        abort();
    }
    return 0;
}
