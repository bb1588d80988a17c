/* SPDX-License-Identifier: MIT */
/* The schema as tables; see capn_meta.h. */
#include "capnp/capnpc-c/emit.h"

void emit_meta(struct emitter *emitter)
{
    (void)emitter;
}

void emit_meta_index(struct model *model)
{
    (void)model;
}
