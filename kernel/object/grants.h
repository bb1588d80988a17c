/* SPDX-License-Identifier: MIT */
/* Delegations as kernel objects: memory of grant nodes, and the handle that revokes one. */
#ifndef KERNEL_OBJECT_GRANTS_H
#define KERNEL_OBJECT_GRANTS_H

#include "core/grant.h"

void grants_init(void);

/* Memory for one node; NULL: none is left. */
struct grant_node *grant_node_alloc(void) MUST_USE;

/* For grant_unref: the last reference is gone. */
void grant_node_free(struct grant_node *node);

#endif
