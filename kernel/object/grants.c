/* SPDX-License-Identifier: MIT */
/* Memory of delegations. */
#include "kernel/object/grants.h"

#include "kernel/mem/kmem.h"

static struct kmem_cache node_cache;

void grants_init(void)
{
    kmem_cache_init(&node_cache, "grant", sizeof(struct grant_node));
}

struct grant_node *grant_node_alloc(void)
{
    return kmem_alloc(&node_cache);
}

void grant_node_free(struct grant_node *node)
{
    kmem_free(&node_cache, node);
}
