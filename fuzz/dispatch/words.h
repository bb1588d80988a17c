/* SPDX-License-Identifier: MIT */
/* Messages to kernel objects, ready made: the fuzz target sends them as they are, or with bytes
 * changed. One for each method that the kernel has, more where a method does different things. */
#ifndef FUZZ_DISPATCH_WORDS_H
#define FUZZ_DISPATCH_WORDS_H

#include "abi/ring.h"

enum word_name {
    WORD_NOTHING,
    WORD_ECHO,
    WORD_CREATE,
    WORD_MINT,
    WORD_MINT_BADGE,
    WORD_ENDPOINT_INFO,
    WORD_SPAWN,
    WORD_SPAWN_GRANTS,
    WORD_WAIT,
    WORD_KILL,
    WORD_HANDLE_INFO,
    WORD_THREAD,
    WORD_MAP,
    WORD_MAP_OBJECT,
    WORD_UNMAP,
    WORD_PROTECT,
    WORD_RESERVE,
    WORD_COMMIT,
    WORD_DECOMMIT,
    WORD_QUERY,
    WORD_ALLOCATE,
    WORD_ALLOCATE_CONTIGUOUS,
    WORD_FRAMES_INFO,
    WORD_OBJECT_INFO,
    WORD_OBJECT_READ,
    WORD_OBJECT_WRITE,
    WORD_SLICE,
    WORD_REVOKE,
    WORD_DELEGATION_INFO,
    WORD_LIST,
    WORD_WHY,
    WORD_CENSUS,
    WORD_LEDGER,
    WORDS,
};

enum {
    WORD_BYTES_MAX = 1024,
    WORD_GRANTS = 6, /* capabilities that WORD_SPAWN_GRANTS wants beside it */
    FUZZ_INTERFACE = 0x1000,
};

struct word {
    uint64_t interface_id;
    uint8_t method;
    uint8_t transfers;
    uint32_t length;
    uint8_t bytes[WORD_BYTES_MAX];
};

/* Who sends it. */
struct word_ask {
    uint64_t base; /* where the user's regions begin in its address space */
    uint64_t id;   /* of one of its capabilities, for those that ask about one */
    unsigned how;  /* other sizes and numbers, allowed or not; 0: allowed */
};

void word_make(struct word *word, enum word_name name, const struct word_ask *ask);

#endif
