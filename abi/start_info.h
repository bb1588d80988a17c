/* SPDX-License-Identifier: MIT */
/*
 * StartInfo: the read-only page at which the first argument register of a new thread points. The
 * first thread of a process and every later one have a page each.
 */
#ifndef ABI_START_INFO_H
#define ABI_START_INFO_H

#include "abi/limits.h"
#include "abi/compiler.h"

#define START_INFO_MAGIC   UINT32_C(0x54524154) /* "TART" */
#define START_INFO_VERSION 1

struct start_info {
    uint32_t magic;
    uint16_t version;
    uint16_t size; /* bytes of this structure that are filled in */
    uint64_t pid;  /* never reused */
    uint64_t thread;
    uint64_t ring;             /* user address of the thread's ring header */
    uint64_t capset;           /* user address of the process's CapSet page */
    uint64_t argument_message; /* user address of the argument message; 0: none */
    uint64_t argument_bytes;
    uint64_t entry;           /* where the thread began */
    uint64_t thread_argument; /* chosen by whoever started the thread; 0 for the first */
    uint64_t stack_low;       /* lowest usable address of the stack; its guard lies below */
    uint64_t stack_high;
    uint64_t
        tls_image; /* PT_TLS of the program: user address, file bytes, memory bytes, alignment */
    uint64_t tls_file_bytes;
    uint64_t tls_memory_bytes;
    uint64_t tls_alignment;
    uint64_t thread_pointer; /* the FS base given to this thread */
    uint64_t clock_hertz;    /* rate of the cycle counter */
    uint64_t clock_start;    /* the cycle counter when system time was 0 */
    uint64_t random_seed[4];
    char process_name[LIMIT_NAME_BYTES]; /* the manifest's name of this process */
};

_Static_assert(offsetof(struct start_info, process_name) == 176, "StartInfo layout");
_Static_assert(offsetof(struct start_info, ring) == 24, "StartInfo layout");

#endif
