/* SPDX-License-Identifier: MIT */
/*
 * A second opinion on ELF files, for the property test and the fuzzer. It knows the rules of
 * core/elf.c but shares no code and no method with it: it reads the file with the C library's
 * structures, computes in 128 bits so that nothing can wrap, and judges all segments together
 * instead of one after another. Header only, and free of any test library, so that both can use it.
 */
#ifndef TESTS_HOST_ELF_ORACLE_H
#define TESTS_HOST_ELF_ORACLE_H

#include <elf.h>
#include <string.h>

#include "core/elf.h"

typedef unsigned __int128 oracle_wide;

struct oracle_file {
    const uint8_t *bytes;
    uint64_t length;
    const struct elf_limits *limits;
    Elf64_Ehdr header;
    Elf64_Phdr program[ELF_PROGRAM_HEADERS_MAX];
};

static inline bool oracle_power(uint64_t value)
{
    return __builtin_popcountll(value) == 1;
}

static inline bool oracle_header(struct oracle_file *file)
{
    Elf64_Ehdr *h = &file->header;

    if (file->length < sizeof(*h)) {
        return false;
    }
    memcpy(h, file->bytes, sizeof(*h));
    if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 ||
        h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_ident[EI_VERSION] != EV_CURRENT ||
        (h->e_ident[EI_OSABI] != ELFOSABI_NONE && h->e_ident[EI_OSABI] != ELFOSABI_GNU) ||
        h->e_ident[EI_ABIVERSION] != 0 || h->e_type != ET_EXEC || h->e_machine != EM_X86_64 ||
        h->e_version != EV_CURRENT || h->e_flags != 0 || h->e_ehsize != sizeof(*h) ||
        h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum < 1 ||
        h->e_phnum > ELF_PROGRAM_HEADERS_MAX ||
        (oracle_wide)h->e_phoff + (oracle_wide)h->e_phnum * sizeof(Elf64_Phdr) > file->length) {
        return false;
    }
    memcpy(file->program, file->bytes + h->e_phoff, h->e_phnum * sizeof(Elf64_Phdr));
    return true;
}

static inline bool oracle_load(const struct oracle_file *file, const Elf64_Phdr *p)
{
    uint64_t align = p->p_align > ELF_PAGE_SIZE ? p->p_align : ELF_PAGE_SIZE;

    if ((p->p_flags & ~7u) != 0 || (p->p_flags & PF_R) == 0 || (p->p_flags & 3u) == 3u ||
        p->p_filesz > p->p_memsz) {
        return false;
    }
    if (p->p_memsz == 0) {
        return true;
    }
    return (p->p_filesz == 0 || (oracle_wide)p->p_offset + p->p_filesz <= file->length) &&
           (p->p_align == 0 || oracle_power(p->p_align)) &&
           p->p_vaddr % align == p->p_offset % align && p->p_vaddr >= file->limits->user_min &&
           (oracle_wide)p->p_vaddr + p->p_memsz <= file->limits->user_max;
}

/* The first page of a segment and the first page behind it. */
static inline oracle_wide oracle_first_page(const Elf64_Phdr *p)
{
    return p->p_vaddr / ELF_PAGE_SIZE;
}

static inline oracle_wide oracle_end_page(const Elf64_Phdr *p)
{
    return ((oracle_wide)p->p_vaddr + p->p_memsz + ELF_PAGE_SIZE - 1) / ELF_PAGE_SIZE;
}

static inline bool oracle_loads_together(const struct oracle_file *file)
{
    oracle_wide pages = 0;
    unsigned count = 0;
    bool entry = false;

    for (unsigned i = 0; i < file->header.e_phnum; i++) {
        const Elf64_Phdr *p = &file->program[i];

        if (p->p_type != PT_LOAD || p->p_memsz == 0) {
            continue;
        }
        count++;
        pages += oracle_end_page(p) - oracle_first_page(p);
        entry = entry || ((p->p_flags & PF_X) != 0 && file->header.e_entry >= p->p_vaddr &&
                          file->header.e_entry < (oracle_wide)p->p_vaddr + p->p_filesz);
        for (unsigned j = 0; j < i; j++) {
            const Elf64_Phdr *q = &file->program[j];

            if (q->p_type == PT_LOAD && q->p_memsz != 0 &&
                oracle_end_page(q) > oracle_first_page(p)) {
                return false;
            }
        }
    }
    return count >= 1 && count <= ELF_SEGMENTS_MAX && entry &&
           pages * ELF_PAGE_SIZE <= file->limits->memory_max;
}

static inline bool oracle_tls_template(const struct oracle_file *file, const Elf64_Phdr *tls)
{
    for (unsigned i = 0; i < file->header.e_phnum; i++) {
        const Elf64_Phdr *p = &file->program[i];

        if (p->p_type == PT_LOAD && p->p_memsz != 0 && tls->p_vaddr >= p->p_vaddr &&
            (oracle_wide)tls->p_vaddr + tls->p_filesz <= (oracle_wide)p->p_vaddr + p->p_filesz &&
            (oracle_wide)tls->p_vaddr - p->p_vaddr + p->p_offset == tls->p_offset) {
            return true;
        }
    }
    return tls->p_filesz == 0;
}

/* Headers other than PT_LOAD. A TLS header without memory is none. */
static inline bool oracle_others(const struct oracle_file *file)
{
    unsigned count = 0;

    for (unsigned i = 0; i < file->header.e_phnum; i++) {
        const Elf64_Phdr *p = &file->program[i];

        if (p->p_type == PT_DYNAMIC || p->p_type == PT_INTERP ||
            (p->p_type == PT_GNU_STACK && (p->p_flags & PF_X) != 0)) {
            return false;
        }
        if (p->p_type != PT_TLS) {
            continue;
        }
        if (count != 0 || p->p_filesz > p->p_memsz || p->p_memsz > ELF_TLS_SIZE_MAX ||
            (p->p_align != 0 && (!oracle_power(p->p_align) || p->p_align > ELF_TLS_ALIGN_MAX ||
                                 p->p_vaddr % p->p_align != 0)) ||
            !oracle_tls_template(file, p)) {
            return false;
        }
        count += p->p_memsz != 0;
    }
    return true;
}

static inline bool oracle_same_segments(const struct oracle_file *file,
                                        const struct elf_image *image)
{
    unsigned n = 0;

    for (unsigned i = 0; i < file->header.e_phnum; i++) {
        const Elf64_Phdr *p = &file->program[i];
        const struct elf_segment *s = &image->segment[n];

        if (p->p_type != PT_LOAD || p->p_memsz == 0) {
            continue;
        }
        if (n == image->segment_count || s->address != p->p_vaddr || s->memory_size != p->p_memsz ||
            s->file_size != p->p_filesz || s->flags != p->p_flags ||
            (p->p_filesz != 0 && s->file_offset != p->p_offset)) {
            return false;
        }
        n++;
    }
    return n == image->segment_count && image->entry == file->header.e_entry;
}

/* NULL when parser and oracle agree about these bytes, else what they disagree about. */
static inline const char *elf_oracle_judge(const uint8_t *bytes, uint64_t length,
                                           const struct elf_limits *limits)
{
    struct oracle_file file = {.bytes = bytes, .length = length, .limits = limits};
    struct elf_image image;
    bool accepted = elf_parse(bytes, length, limits, &image) == ELF_OK;
    bool good = oracle_header(&file);

    for (unsigned i = 0; good && i < file.header.e_phnum; i++) {
        good = file.program[i].p_type != PT_LOAD || oracle_load(&file, &file.program[i]);
    }
    good = good && oracle_loads_together(&file) && oracle_others(&file);
    if (accepted != good) {
        return accepted ? "accepted a file that breaks a rule" : "refused a file that keeps all";
    }
    if (accepted && !oracle_same_segments(&file, &image)) {
        return "the segments are not the file's";
    }
    if (accepted && elf_image_check(&image, length, limits) != 0) {
        return "the image breaks an invariant";
    }
    return NULL;
}

#endif
