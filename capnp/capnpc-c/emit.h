/* SPDX-License-Identifier: MIT */
/*
 * From the model to C. One file of the schema becomes NAME.capnp.h (types, accessors, stubs),
 * NAME.capnp.c (defaults, constants, dispatch) and NAME.meta.c (the schema as tables).
 */
#ifndef CAPNPC_C_EMIT_H
#define CAPNPC_C_EMIT_H

#include "capnp/capnpc-c/emitter.h"

/* The header whole; the other files need what it finds. */
void emit_header(struct emitter *emitter);

/* Type sections: everything that other files' accessors need of this one. */
void emit_struct_types(struct emitter *emitter, struct node *node);
void emit_enum(struct emitter *emitter, struct node *node);
void emit_interface_types(struct emitter *emitter, struct node *node);

/* Accessor sections. */
void emit_struct_accessors(struct emitter *emitter, struct node *node);
void emit_interface_stubs(struct emitter *emitter, struct node *node);
void emit_const(struct emitter *emitter, struct node *node);

/* A pointer's default or constant as a flat message in NAME.capnp.c; `name` is declared in the
 * header as a const struct capn_segment. */
void emit_segment(struct emitter *emitter, const char *name, struct capn_pointer pointer);
/* Data as an array of bytes; declared in the header. */
void emit_bytes(struct emitter *emitter, const char *name, struct capn_data data);

/* "((struct capn_text){...})". */
const char *text_literal(struct capn_text text);

/* A number as the type's C literal. */
const char *number_literal(enum type_kind kind, uint64_t bits);

/* CAPN_ELEMENT_... of a list of this type (one depth taken off). */
const char *element_size_name(struct type type, unsigned depth);

bool type_is_pointer_kind(struct type type);

void emit_meta(struct emitter *emitter);
void emit_meta_index(struct model *model);

/* Only when the environment's CAPNPC_C_VISIT asks for it. */
void emit_visit(struct emitter *emitter);
void emit_visit_index(struct model *model);

#endif
