/* SPDX-License-Identifier: MIT */
/*
 * What the generator knows about a schema: the nodes of the request with their C names, documents
 * and checks done. Emitters read it and change nothing.
 */
#ifndef CAPNPC_C_MODEL_H
#define CAPNPC_C_MODEL_H

#include "capnp/capnpc-c/request.h"

/* A facet has one bit for each method. */
#define METHODS_MAX 64u

/* Interfaces above an interface, at any distance. */
#define ANCESTORS_MAX 64u

/* Pointer indices in a path to a result capability: the most that a pipelined call can name. */
#define PATH_MAX_LENGTH 4u

struct node;

struct type {
    enum type_kind kind; /* of the innermost element when list_depth > 0; never TYPE_LIST */
    uint8_t list_depth;  /* how many List() stand around it */
    struct node *node;   /* enum, struct, interface; NULL for Capability */
};

struct field {
    const char *name;   /* in the schema */
    const char *c_name; /* snake case */
    const char *doc;
    uint16_t discriminant; /* NO_DISCRIMINANT outside a union */
    struct node *group;    /* the group's node, or NULL for a slot */
    struct type type;
    uint32_t offset;                     /* in units of the type's size; pointers: index */
    uint64_t default_bits;               /* numbers, bools, enums */
    struct capn_pointer default_pointer; /* null when there is no default */
};

struct enumerant {
    const char *name;
    const char *c_name;
    const char *doc;
};

struct method {
    const char *name;
    const char *c_name;
    const char *doc;
    struct node *params;
    struct node *results;
};

struct node {
    struct capn_struct raw;
    uint64_t id;
    uint64_t scope_id;
    enum node_kind kind;
    const char *display_name; /* "file.capnp:Outer.Inner" */
    const char *name;         /* its own name, without its scope */
    const char *c_name;       /* lower case, complete; NULL until named */
    const char *doc;
    struct node *file;
    bool is_group;
    bool is_detached; /* a method's parameter or result list: in no scope */

    struct capn_size size; /* struct */
    uint16_t discriminant_count;
    uint32_t discriminant_offset; /* in units of 16 bits */
    struct field *fields;
    size_t field_count;

    struct enumerant *enumerants;
    size_t enumerant_count;

    struct method *methods;
    size_t method_count;
    struct node **superclasses;
    size_t superclass_count;

    struct type type; /* const */
    struct capn_struct value;

    struct node **children; /* what is emitted after it, in order: groups, nested nodes, lists of
                               parameters and results */
    size_t child_count;
};

struct import {
    uint64_t id;
    const char *name;
};

struct requested_file {
    struct node *node;
    const char *path; /* as on the command line */
    const char *stem; /* snake case of the name without folder and .capnp */
    struct import *imports;
    size_t import_count;
};

struct model {
    struct capn_reader *reader;
    struct node *nodes;
    size_t node_count;
    struct requested_file *files;
    size_t file_count;
    size_t error_count;
};

/* Reads the request. Errors are printed and counted; the model is fit for use when there are none.
 */
void model_load(struct model *model, struct capn_reader *reader);

/* NULL when the request has no such node. */
struct node *model_find(const struct model *model, uint64_t id);

/* Prints "capnpc-c: WHERE: message" and counts. */
void model_error(struct model *model, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The text of an annotation, NULL when the list does not have it. */
const char *annotation_text(struct capn_list annotations, uint64_t id);

/* A C identifier of file scope or a macro: must be new in this run and no keyword. `origin` is what
 * it is made from, for the message. */
void name_claim(struct model *model, const char *identifier, const char *origin);
bool name_is_keyword(const char *identifier);

/* Fills in every c_name. */
void names_assign(struct model *model);

/* The lines that $C.methodDocs and $C.interfaceDocs ask for. */
void docs_check(struct model *model);

#define ANNOTATION_PREFIX         UINT64_C(0xd5b3b8c1c5f44c01)
#define ANNOTATION_NAME           UINT64_C(0xd5b3b8c1c5f44c02)
#define ANNOTATION_METHOD_DOCS    UINT64_C(0xd5b3b8c1c5f44c03)
#define ANNOTATION_INTERFACE_DOCS UINT64_C(0xd5b3b8c1c5f44c04)

/* The result type of a streaming method, which /capnp/stream.capnp declares. */
#define STREAM_RESULT_ID UINT64_C(0x995f9a3377c0b16e)

#endif
