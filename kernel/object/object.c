/* SPDX-License-Identifier: MIT */
/* Reference counts of kernel objects and their edges. */
#include "kernel/object/object.h"

#include "kernel/object/grants.h"

void object_init(struct object *object, const struct object_type *type)
{
    object->type = type;
    object->references = 1;
    grant_tree_init(&object->grants);
}

struct hold_edge object_edge(struct object *object, uint64_t interface_id, uint64_t facet,
                             uint64_t badge)
{
    struct hold_edge edge = {
        .object = object, .interface_id = interface_id, .facet = facet, .badge = badge};

    object_ref(object);
    return edge;
}

void edge_ref(const struct hold_edge *edge)
{
    object_ref(edge->object);
    grant_ref(edge->grant);
}

void edge_unpin(const struct hold_edge *edge)
{
    grant_unref(edge->grant, grant_node_free);
    object_unref(edge->object);
}

void edge_drop(const struct hold_edge *edge)
{
    if (edge->object != NULL) {
        edge_unpin(edge);
    }
}
