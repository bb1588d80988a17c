/* SPDX-License-Identifier: MIT */
/* The interfaces that a manifest may name, with their methods. */
#ifndef TOOLS_MKMANIFEST_INTERFACES_H
#define TOOLS_MKMANIFEST_INTERFACES_H

#include "tools/mkmanifest/report.h"

struct interface {
    const char *name;
    uint64_t id;
    const char *const *methods; /* by ordinal */
    size_t method_count;
};

/* NULL: there is none. */
const struct interface *interface_find(const char *name);
const struct interface *interface_by_id(uint64_t id);

struct name_list interface_names(struct pool *pool);
struct name_list interface_methods(struct pool *pool, const struct interface *interface);

#endif
