/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects. Each is counted: one reference for each hold edge, each operation that uses it
 * and each structure that names it. The last reference destroys it.
 */
#ifndef KERNEL_OBJECT_OBJECT_H
#define KERNEL_OBJECT_OBJECT_H

#include "capnp/runtime/capn_generated.h"
#include "core/cap_table.h"

struct capn_request;
struct object;

struct object_type {
    const char *name;
    /* A CALL: the generated dispatch of the object's interface (kernel/dispatch/call.h). Endpoints
     * are called so through their owner's interface only; through any other the call queues. */
    enum capn_dispatch (*call)(struct object *object, struct capn_request *request);
    /* An edge of this object came to be, or went. NULL: nothing to do. No lock is held. */
    void (*edge_added)(struct object *object, const struct hold_edge *edge);
    void (*edge_removed)(struct object *object, const struct hold_edge *edge);
    /* The last reference is gone. NULL: static object. */
    void (*destroy)(struct object *object);
};

struct object {
    const struct object_type *type;
    uint64_t references; /* atomic */
};

void object_init(struct object *object, const struct object_type *type);
void object_ref(struct object *object);
void object_unref(struct object *object);

/* An edge to `object` about to be put into a table: takes the edge's reference. */
struct hold_edge object_edge(struct object *object, uint64_t interface_id, uint64_t facet,
                             uint64_t badge);

/* An edge copied out of a table whose object was already pinned for it: makes the copy an edge of
 * its own. No lock is held. */
void edge_adopt(const struct hold_edge *edge);

/* An edge that was taken out of its table: drops its reference. No lock is held. */
void edge_drop(const struct hold_edge *edge);

#endif
