/* SPDX-License-Identifier: MIT */
/*
 * Reads a static ELF64 executable for x86_64 into a short list of segments to map. Pure: it looks
 * at bytes and answers. Everything it accepts is safe to map as it says; the rules are in elf.c.
 * Format: System V gABI chapters 4 and 5, x86-64 psABI 1.0.
 */
#ifndef CORE_ELF_H
#define CORE_ELF_H

#include "abi/compiler.h"

#define ELF_SEGMENTS_MAX        16u
#define ELF_PROGRAM_HEADERS_MAX 32u
#define ELF_PAGE_SIZE           4096u
/* A thread's static TLS block: what one page of template and the control block leave. */
#define ELF_TLS_SIZE_MAX  65536u
#define ELF_TLS_ALIGN_MAX 4096u

enum elf_error {
    ELF_OK = 0,
#define ELF_ERROR(name, text) ELF_ERROR_##name,
#include "core/elf_error.def"
#undef ELF_ERROR
    ELF_ERROR_COUNT
};

enum elf_flags { ELF_EXECUTE = 1, ELF_WRITE = 2, ELF_READ = 4 };

/* Where programs may live. */
struct elf_limits {
    uint64_t user_min;   /* lowest address, page aligned */
    uint64_t user_max;   /* first address that is too high, page aligned */
    uint64_t memory_max; /* bytes, whole pages of all segments together */
};

/* memory_size bytes at `address`: file_size from the file, the rest zero. */
struct elf_segment {
    uint64_t address;
    uint64_t memory_size; /* at least 1 */
    uint64_t file_offset;
    uint64_t file_size; /* at most memory_size; 0 for pure zeros */
    uint32_t flags;     /* of enum elf_flags; ELF_READ always, never both others */
};

/* The initial image of a thread's static TLS; it is part of a segment, so it is mapped as well. */
struct elf_tls {
    bool present;
    uint64_t address;
    uint64_t memory_size;
    uint64_t file_offset;
    uint64_t file_size;
    uint64_t align; /* a power of two, at least 1 */
};

struct elf_image {
    uint64_t entry;
    uint64_t memory_size; /* bytes, whole pages of all segments together */
    uint32_t segment_count;
    struct elf_segment segment[ELF_SEGMENTS_MAX]; /* ascending, no page shared */
    struct elf_tls tls;
};

/* Never NULL. */
MUST_USE const char *elf_error_text(enum elf_error error);

/* Whether the headers of a file, of which the first `have` bytes are at `bytes`, lie in these: then
 * elf_parse with the length of the whole file reads no other. */
MUST_USE bool elf_headers_within(const uint8_t *bytes, uint64_t have);

/*
 * Reads a file of `length` bytes at `bytes` (any alignment), which must not change meanwhile. On
 * error `image` is unspecified. Every error of elf_error.def is possible.
 */
MUST_USE enum elf_error elf_parse(const uint8_t *bytes, uint64_t length,
                                  const struct elf_limits *limits, struct elf_image *image);

/* 0, or the number of the first invariant of elf.c that `image` breaks for these limits. */
MUST_USE unsigned elf_image_check(const struct elf_image *image, uint64_t length,
                                  const struct elf_limits *limits);

#endif
