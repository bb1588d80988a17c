/* SPDX-License-Identifier: MIT */
/*
 * CapId: the name by which one process speaks of one of its own capabilities. It carries no
 * authority outside the table it was made for. 20 bits of slot, 44 bits of generation; generations
 * start at 1 and a slot whose generation would wrap is retired, so an id that went stale stays so.
 */
#ifndef ABI_CAPID_H
#define ABI_CAPID_H

#include "abi/compiler.h"

enum {
    CAP_SLOT_BITS = 20,
    CAP_GENERATION_BITS = 44,
};

#define CAP_GENERATION_MAX ((UINT64_C(1) << CAP_GENERATION_BITS) - 1)
#define CAP_SLOT_MAX       ((UINT32_C(1) << CAP_SLOT_BITS) - 1)

/* A handle, never a bare integer. raw 0 is no capability. */
struct cap_id {
    uint64_t raw;
};

static inline struct cap_id cap_id_make(uint32_t slot, uint64_t generation)
{
    return (struct cap_id){.raw = (generation << CAP_SLOT_BITS) | (slot & CAP_SLOT_MAX)};
}

static inline uint32_t cap_id_slot(struct cap_id id)
{
    return (uint32_t)(id.raw & CAP_SLOT_MAX);
}

static inline uint64_t cap_id_generation(struct cap_id id)
{
    return id.raw >> CAP_SLOT_BITS;
}

static inline bool cap_id_equal(struct cap_id a, struct cap_id b)
{
    return a.raw == b.raw;
}

_Static_assert(sizeof(struct cap_id) == 8, "a CapId is one 64-bit word");
_Static_assert(CAP_SLOT_BITS + CAP_GENERATION_BITS == 64, "slot and generation fill the word");

#endif
