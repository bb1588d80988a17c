/* SPDX-License-Identifier: MIT */
/* CapSet: the read-only page that names the capabilities a process was started with. */
#ifndef ABI_CAPSET_H
#define ABI_CAPSET_H

#include "abi/capid.h"
#include "abi/limits.h"

#define CAPSET_MAGIC   UINT32_C(0x53504143) /* "CAPS" */
#define CAPSET_VERSION 1

struct capset_entry {
    char name[LIMIT_NAME_BYTES]; /* not terminated when it fills the field */
    struct cap_id cap;
    uint64_t interface_id;
    uint64_t facet; /* methods that the edge may call; all ones: ALL */
    uint64_t spare;
};

struct capset {
    uint32_t magic;
    uint16_t version;
    uint16_t count;
    uint8_t spare[56];
    struct capset_entry entry[LIMIT_CAPSET_ENTRIES];
};

_Static_assert(sizeof(struct capset_entry) == 64, "a CapSet entry is 64 bytes");
_Static_assert(sizeof(struct capset) == LIMIT_PAGE_BYTES, "a CapSet is one page");

#endif
