/* SPDX-License-Identifier: MIT */
/* Memory: the caller's own address space, and objects that may be mapped into it. */
#ifndef USER_LIB_MEMORY_H
#define USER_LIB_MEMORY_H

#include "schema/generated/memory.capnp.h"
#include "user/lib/client.h"

struct virtual_memory {
    struct cap_id cap;
};

struct frame_allocator {
    struct cap_id cap;
};

struct memory_object {
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

/* Keeps addresses free, as memory_client_map without memory. */
int32_t memory_client_reserve(struct rt *rt, struct virtual_memory memory,
                              struct memory_range *range);

/* Puts private memory behind reserved addresses, and takes it away again. */
int32_t memory_client_commit(struct rt *rt, struct virtual_memory memory,
                             enum memory_protection protection, struct memory_range range);
int32_t memory_client_decommit(struct rt *rt, struct virtual_memory memory,
                               struct memory_range range);

/* What stands at or above an address. */
struct memory_seen {
    struct memory_range range;
    uint16_t protection; /* enum memory_protection */
    bool committed;
    bool shared;
    uint64_t object_offset;
};
int32_t memory_client_query(struct rt *rt, struct virtual_memory memory, uint64_t address,
                            struct memory_seen *seen);

/* A new object of zeroed memory, charged to the caller. */
int32_t memory_client_allocate(struct rt *rt, struct frame_allocator allocator, uint64_t bytes,
                               struct memory_object *object);

/* The same of one physical run. */
int32_t memory_client_allocate_run(struct rt *rt, struct frame_allocator allocator, uint64_t bytes,
                                   struct memory_object *object);

/* What the caller is charged and may be at most, in frames. */
struct memory_quota {
    uint64_t charged;
    uint64_t limit;
};
int32_t memory_client_quota(struct rt *rt, struct frame_allocator allocator,
                            struct memory_quota *quota);

/* Maps a part of an object, from `offset` on. */
struct memory_part {
    struct memory_object object;
    uint64_t offset;
};
int32_t memory_client_map_object(struct rt *rt, struct virtual_memory memory,
                                 struct memory_part part, enum memory_protection protection,
                                 struct memory_range *range);

/* A new capability for `bytes` of the object from part.offset on. */
int32_t memory_client_slice(struct rt *rt, struct memory_part part, uint64_t bytes,
                            struct memory_object *slice);

/* What a capability of an object shows. */
struct memory_extent {
    uint64_t bytes;
    bool contiguous;
    uint32_t mappings;
};
int32_t memory_client_info(struct rt *rt, struct memory_object object,
                           struct memory_extent *extent);

/* Copies to and from an object; at most a few hundred bytes. */
int32_t memory_client_write(struct rt *rt, struct memory_object object, uint64_t offset,
                            struct capn_data bytes);
int32_t memory_client_read(struct rt *rt, struct memory_object object, uint64_t offset, uint8_t *to,
                           uint32_t length);

#endif
