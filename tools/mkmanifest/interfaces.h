/* SPDX-License-Identifier: MIT */
/* The interfaces that a manifest may name, with their methods: those of schema/. */
#ifndef TOOLS_MKMANIFEST_INTERFACES_H
#define TOOLS_MKMANIFEST_INTERFACES_H

#include "capnp/runtime/capn_meta.h"
#include "tools/mkmanifest/report.h"

/* An interface of the schema's metadata. */
struct interface {
    struct capn_meta meta;
};

static inline const char *interface_name(struct interface interface)
{
    return capn_meta_name(interface.meta);
}

static inline uint64_t interface_id(struct interface interface)
{
    return interface.meta.node->id;
}

static inline uint32_t interface_method_count(struct interface interface)
{
    return interface.meta.node->count;
}

/* `ordinal` below the count. */
const char *interface_method_name(struct interface interface, uint32_t ordinal);

/* The first sentence of the comment of a method, or of the interface; never NULL. */
const char *interface_method_summary(struct pool *pool, struct interface interface,
                                     uint32_t ordinal);

/* False: there is none. */
bool interface_find(const char *name, struct interface *interface);
bool interface_by_id(uint64_t id, struct interface *interface);

struct name_list interface_names(struct pool *pool);
struct name_list interface_methods(struct pool *pool, struct interface interface);

#endif
