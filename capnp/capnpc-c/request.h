/* SPDX-License-Identifier: MIT */
/*
 * The part of Cap'n Proto's own schema (schema.capnp, CodeGeneratorRequest) that the generator
 * reads, as accessors over the runtime. The offsets are those that `capnp compile -ocapnp` prints;
 * tests/tools/capnpc_c_test.py compares them with what the generator itself makes of schema.capnp.
 */
#ifndef CAPNPC_C_REQUEST_H
#define CAPNPC_C_REQUEST_H

#include "capnp/runtime/capn.h"

enum node_kind {
    NODE_FILE,
    NODE_STRUCT,
    NODE_ENUM,
    NODE_INTERFACE,
    NODE_CONST,
    NODE_ANNOTATION,
};

/* Type and Value share these numbers. */
enum type_kind {
    TYPE_VOID,
    TYPE_BOOL,
    TYPE_INT8,
    TYPE_INT16,
    TYPE_INT32,
    TYPE_INT64,
    TYPE_UINT8,
    TYPE_UINT16,
    TYPE_UINT32,
    TYPE_UINT64,
    TYPE_FLOAT32,
    TYPE_FLOAT64,
    TYPE_TEXT,
    TYPE_DATA,
    TYPE_LIST,
    TYPE_ENUM,
    TYPE_STRUCT,
    TYPE_INTERFACE,
    TYPE_ANY,
    TYPE_KIND_COUNT
};

#define NO_DISCRIMINANT 0xffffu

static inline struct capn_list request_list(struct capn_struct s, uint16_t pointer)
{
    return capn_read_list(capn_get_pointer(s, pointer), CAPN_ELEMENT_COMPOSITE, NULL);
}

static inline struct capn_struct request_struct(struct capn_struct s, uint16_t pointer)
{
    return capn_read_struct(capn_get_pointer(s, pointer), NULL);
}

static inline struct capn_text request_text(struct capn_struct s, uint16_t pointer)
{
    return capn_read_text(capn_get_pointer(s, pointer), (struct capn_text){0});
}

/* ---- CodeGeneratorRequest ---- */

static inline struct capn_list request_nodes(struct capn_struct request)
{
    return request_list(request, 0);
}

static inline struct capn_list request_files(struct capn_struct request)
{
    return request_list(request, 1);
}

static inline struct capn_list request_source_info(struct capn_struct request)
{
    return request_list(request, 3);
}

/* RequestedFile and RequestedFile.Import: an id and a name. */
static inline uint64_t request_file_id(struct capn_struct file)
{
    return capn_get_u64(file, 0, 0);
}

static inline struct capn_text request_file_name(struct capn_struct file)
{
    return request_text(file, 0);
}

static inline struct capn_list request_file_imports(struct capn_struct file)
{
    return request_list(file, 1);
}

/* ---- Node.SourceInfo ---- */

static inline uint64_t source_info_id(struct capn_struct info)
{
    return capn_get_u64(info, 0, 0);
}

static inline struct capn_text source_info_doc(struct capn_struct info)
{
    return request_text(info, 0);
}

static inline struct capn_list source_info_members(struct capn_struct info)
{
    return request_list(info, 1);
}

/* ---- Node ---- */

static inline uint64_t node_id(struct capn_struct node)
{
    return capn_get_u64(node, 0, 0);
}

static inline struct capn_text node_display_name(struct capn_struct node)
{
    return request_text(node, 0);
}

static inline uint32_t node_display_prefix(struct capn_struct node)
{
    return capn_get_u32(node, 8, 0);
}

static inline uint64_t node_scope_id(struct capn_struct node)
{
    return capn_get_u64(node, 16, 0);
}

static inline uint16_t node_which(struct capn_struct node)
{
    return capn_get_u16(node, 12, 0);
}

/* NestedNode: a name and an id. */
static inline struct capn_list node_nested(struct capn_struct node)
{
    return request_list(node, 1);
}

static inline struct capn_list node_annotations(struct capn_struct node)
{
    return request_list(node, 2);
}

static inline uint16_t node_struct_data_words(struct capn_struct node)
{
    return capn_get_u16(node, 14, 0);
}

static inline uint16_t node_struct_pointers(struct capn_struct node)
{
    return capn_get_u16(node, 24, 0);
}

static inline bool node_struct_is_group(struct capn_struct node)
{
    return capn_get_bool(node, 224, false);
}

static inline uint16_t node_struct_discriminant_count(struct capn_struct node)
{
    return capn_get_u16(node, 30, 0);
}

static inline uint32_t node_struct_discriminant_offset(struct capn_struct node)
{
    return capn_get_u32(node, 32, 0);
}

/* Fields of a struct, enumerants of an enum, methods of an interface. */
static inline struct capn_list node_members(struct capn_struct node)
{
    return request_list(node, 3);
}

static inline struct capn_list node_superclasses(struct capn_struct node)
{
    return request_list(node, 4);
}

static inline struct capn_struct node_const_type(struct capn_struct node)
{
    return request_struct(node, 3);
}

static inline struct capn_struct node_const_value(struct capn_struct node)
{
    return request_struct(node, 4);
}

/* ---- Field, Enumerant and Method begin alike ---- */

static inline struct capn_text member_name(struct capn_struct member)
{
    return request_text(member, 0);
}

static inline struct capn_list member_annotations(struct capn_struct member)
{
    return request_list(member, 1);
}

static inline struct capn_list enumerant_annotations(struct capn_struct enumerant)
{
    return request_list(enumerant, 1);
}

static inline uint16_t field_discriminant(struct capn_struct field)
{
    return capn_get_u16(field, 2, NO_DISCRIMINANT);
}

static inline bool field_is_group(struct capn_struct field)
{
    return capn_get_u16(field, 8, 0) == 1;
}

static inline uint32_t field_slot_offset(struct capn_struct field)
{
    return capn_get_u32(field, 4, 0);
}

static inline struct capn_struct field_slot_type(struct capn_struct field)
{
    return request_struct(field, 2);
}

static inline struct capn_struct field_slot_default(struct capn_struct field)
{
    return request_struct(field, 3);
}

static inline bool field_slot_has_default(struct capn_struct field)
{
    return capn_get_bool(field, 128, false);
}

static inline uint64_t field_group_id(struct capn_struct field)
{
    return capn_get_u64(field, 16, 0);
}

static inline uint64_t method_param_id(struct capn_struct method)
{
    return capn_get_u64(method, 8, 0);
}

static inline uint64_t method_result_id(struct capn_struct method)
{
    return capn_get_u64(method, 16, 0);
}

static inline uint64_t superclass_id(struct capn_struct superclass)
{
    return capn_get_u64(superclass, 0, 0);
}

/* ---- Type ---- */

static inline uint16_t type_which(struct capn_struct type)
{
    return capn_get_u16(type, 0, 0);
}

static inline struct capn_struct type_list_element(struct capn_struct type)
{
    return request_struct(type, 0);
}

/* Of an enum, struct or interface. */
static inline uint64_t type_node_id(struct capn_struct type)
{
    return capn_get_u64(type, 8, 0);
}

/* AnyPointer that is declared as Capability. */
static inline bool type_any_is_capability(struct capn_struct type)
{
    return capn_get_u16(type, 8, 0) == 0 && capn_get_u16(type, 10, 0) == 3;
}

/* ---- Value ---- */

static inline uint16_t value_which(struct capn_struct value)
{
    return capn_get_u16(value, 0, 0);
}

/* The bits of a number, bool or enum, extended with zeroes. */
static inline uint64_t value_bits(struct capn_struct value)
{
    switch (value_which(value)) {
    case TYPE_BOOL:
        return capn_get_bool(value, 16, false);
    case TYPE_INT8:
    case TYPE_UINT8:
        return capn_get_u8(value, 2, 0);
    case TYPE_INT16:
    case TYPE_UINT16:
    case TYPE_ENUM:
        return capn_get_u16(value, 2, 0);
    case TYPE_INT32:
    case TYPE_UINT32:
    case TYPE_FLOAT32:
        return capn_get_u32(value, 4, 0);
    case TYPE_INT64:
    case TYPE_UINT64:
    case TYPE_FLOAT64:
        return capn_get_u64(value, 8, 0);
    default:
        return 0;
    }
}

/* Text, data, list, struct or AnyPointer. */
static inline struct capn_pointer value_pointer(struct capn_struct value)
{
    return capn_get_pointer(value, 0);
}

/* ---- Annotation ---- */

static inline uint64_t annotation_id(struct capn_struct annotation)
{
    return capn_get_u64(annotation, 0, 0);
}

static inline struct capn_struct annotation_value(struct capn_struct annotation)
{
    return request_struct(annotation, 0);
}

#endif
