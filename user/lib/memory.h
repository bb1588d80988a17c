/* SPDX-License-Identifier: MIT */
/* VirtualMemory: the caller's own address space. */
#ifndef USER_LIB_MEMORY_H
#define USER_LIB_MEMORY_H

#include "schema/generated/memory.capnp.h"
#include "user/lib/client.h"

struct virtual_memory {
    struct cap_id cap;
};

/* Pages to be mapped or changed. */
struct memory_range {
    uint64_t address;
    uint64_t bytes;
};

/* Maps zeroed private memory at range->address, or where the kernel likes when that is 0; the
 * address is written back. */
int32_t memory_client_map(struct rt *rt, struct virtual_memory memory,
                          enum memory_protection protection, struct memory_range *range);

int32_t memory_client_unmap(struct rt *rt, struct virtual_memory memory, struct memory_range range);

int32_t memory_client_protect(struct rt *rt, struct virtual_memory memory,
                              enum memory_protection protection, struct memory_range range);

#endif
