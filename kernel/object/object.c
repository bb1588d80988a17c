/* SPDX-License-Identifier: MIT */
/* Reference counts of kernel objects and their edges. */
#include "kernel/object/object.h"

#include "abi/atomic.h"
#include "core/assert.h"

void object_init(struct object *object, const struct object_type *type)
{
    object->type = type;
    object->references = 1;
}

void object_ref(struct object *object)
{
    uint64_t now = atomic_add_u64(&object->references, 1);

    ASSERT(now > 1);
}

void object_unref(struct object *object)
{
    uint64_t now = atomic_add_u64(&object->references, UINT64_MAX);

    ASSERT(now != UINT64_MAX);
    if (now == 0 && object->type->destroy != NULL) {
        object->type->destroy(object);
    }
}

struct hold_edge object_edge(struct object *object, uint64_t interface_id, uint64_t facet,
                             uint64_t badge)
{
    struct hold_edge edge = {
        .object = object, .interface_id = interface_id, .facet = facet, .badge = badge};

    object_ref(object);
    if (object->type->edge_added != NULL) {
        object->type->edge_added(object, &edge);
    }
    return edge;
}

void edge_adopt(const struct hold_edge *edge)
{
    struct object *object = edge->object;

    if (object->type->edge_added != NULL) {
        object->type->edge_added(object, edge);
    }
}

void edge_drop(const struct hold_edge *edge)
{
    struct object *object = edge->object;

    if (object->type->edge_removed != NULL) {
        object->type->edge_removed(object, edge);
    }
    object_unref(object);
}
