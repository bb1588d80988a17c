/* SPDX-License-Identifier: MIT */
/*
 * A schema as constant tables (NAME.meta.c, made by capnpc-c): what an object can say about itself,
 * and what lets code that knows no type read or print any message. Names and comments lie in one
 * string per file; a table entry has their offsets, 0 being the empty string.
 */
#ifndef CAPNP_RUNTIME_CAPN_META_H
#define CAPNP_RUNTIME_CAPN_META_H

#include "capn.h"

/* Kinds of types, with the numbers of schema.capnp's Type. A list has its element's kind and a
 * list_depth above 0. */
enum capn_meta_type {
    CAPN_META_VOID,
    CAPN_META_BOOL,
    CAPN_META_INT8,
    CAPN_META_INT16,
    CAPN_META_INT32,
    CAPN_META_INT64,
    CAPN_META_UINT8,
    CAPN_META_UINT16,
    CAPN_META_UINT32,
    CAPN_META_UINT64,
    CAPN_META_FLOAT32,
    CAPN_META_FLOAT64,
    CAPN_META_TEXT,
    CAPN_META_DATA,
    CAPN_META_GROUP, /* stands where the schema has List */
    CAPN_META_ENUM,
    CAPN_META_STRUCT,
    CAPN_META_INTERFACE, /* type_id 0: Capability */
    CAPN_META_ANY
};

enum capn_meta_kind {
    CAPN_META_NODE_STRUCT = 1, /* groups too */
    CAPN_META_NODE_ENUM = 2,
    CAPN_META_NODE_INTERFACE = 3
};

#define CAPN_META_NO_UNION UINT16_MAX

struct capn_meta_field {
    uint64_t type_id;                         /* of the struct, group, enum or interface; else 0 */
    uint64_t default_bits;                    /* numbers, bools, enums */
    const struct capn_segment *default_value; /* pointers: a flat message, or NULL */
    uint32_t name;
    uint32_t doc;
    uint32_t offset;       /* in units of the type's size; a pointer's index; 0 for a group */
    uint16_t discriminant; /* CAPN_META_NO_UNION outside a union */
    uint8_t type;          /* enum capn_meta_type */
    uint8_t list_depth;
};

struct capn_meta_method {
    uint64_t params_id;
    uint64_t results_id;
    uint32_t name;
    uint32_t doc;
};

struct capn_meta_enumerant {
    uint32_t name;
    uint32_t doc;
};

struct capn_meta_node {
    uint64_t id;
    uint32_t name; /* within its file, like "Console.write$Params" */
    uint32_t doc;
    uint32_t first; /* index in the file's fields, enumerants or methods, by kind */
    uint16_t count;
    uint16_t parent_count; /* an interface's own parents, not theirs */
    uint32_t first_parent;
    uint32_t discriminant_offset; /* in units of 16 bits */
    uint16_t discriminant_count;  /* 0: no union */
    struct capn_size size;
    uint8_t kind; /* enum capn_meta_kind */
    bool is_group;
};

struct capn_meta_file {
    const char *path;
    const char *text;
    const struct capn_meta_node *nodes; /* in the order of their ids */
    const struct capn_meta_field *fields;
    const struct capn_meta_enumerant *enumerants;
    const struct capn_meta_method *methods;
    const uint64_t *parents;
    const struct capn_meta_file *const *imports; /* the files whose types it uses */
    uint32_t node_count;
    uint32_t import_count;
};

/* A node with its file, which has its strings and tables. */
struct capn_meta {
    const struct capn_meta_file *file;
    const struct capn_meta_node *node;
};

/* All files of one run of the generator over several: index.meta.c. */
struct capn_meta_index {
    const struct capn_meta_file *const *files;
    uint32_t file_count;
};
extern const struct capn_meta_index capn_meta_index;

/* The node with this id in the file or one that it imports directly; .node is NULL if there is
 * none. */
struct capn_meta capn_meta_find(const struct capn_meta_file *file, uint64_t id);

/* The same in all files of an index. */
struct capn_meta capn_meta_index_find(const struct capn_meta_index *index, uint64_t id);

static inline const char *capn_meta_text(struct capn_meta meta, uint32_t offset)
{
    return meta.file->text + offset;
}

static inline const char *capn_meta_name(struct capn_meta meta)
{
    return capn_meta_text(meta, meta.node->name);
}

/* `index` must be below node->count, and the node of the right kind. */
static inline const struct capn_meta_field *capn_meta_field(struct capn_meta meta, uint32_t index)
{
    return &meta.file->fields[meta.node->first + index];
}

static inline const struct capn_meta_enumerant *capn_meta_enumerant(struct capn_meta meta,
                                                                    uint32_t index)
{
    return &meta.file->enumerants[meta.node->first + index];
}

static inline const struct capn_meta_method *capn_meta_method(struct capn_meta meta, uint32_t index)
{
    return &meta.file->methods[meta.node->first + index];
}

/* The fields of params or results, or of a field that is a struct, group, enum or interface. */
static inline struct capn_meta capn_meta_of(struct capn_meta meta, uint64_t id)
{
    return capn_meta_find(meta.file, id);
}

#endif
