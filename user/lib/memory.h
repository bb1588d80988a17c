/* SPDX-License-Identifier: MIT */
/* VirtualMemory (schema/memory.capnp): the caller's own address space. */
#ifndef USER_LIB_MEMORY_H
#define USER_LIB_MEMORY_H

#include "user/lib/client.h"

#define VIRTUAL_MEMORY_INTERFACE_ID UINT64_C(0x8a873baaca4d01ee)

struct virtual_memory {
    struct cap_id cap;
};

enum {
    VIRTUAL_MEMORY_METHOD_MAP = 0,
    VIRTUAL_MEMORY_METHOD_UNMAP = 1,
    VIRTUAL_MEMORY_METHOD_PROTECT = 2,
};

/* The numbers equal the schema's Protection. */
enum protection {
    PROTECTION_NONE = 0,
    PROTECTION_READ = 1,
    PROTECTION_READ_WRITE = 2,
    PROTECTION_READ_EXECUTE = 3,
};

/* Maps zeroed private memory where the kernel likes. */
int32_t memory_client_map(struct rt *rt, struct virtual_memory memory, uint64_t size_bytes,
                          enum protection protection, uint64_t *address);

int32_t memory_client_unmap(struct rt *rt, struct virtual_memory memory, uint64_t address,
                            uint64_t size_bytes);

int32_t memory_client_protect(struct rt *rt, struct virtual_memory memory, uint64_t address,
                              uint64_t size_bytes, enum protection protection);

#endif
