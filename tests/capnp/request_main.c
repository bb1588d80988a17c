/* SPDX-License-Identifier: MIT */
/*
 * Reads a CodeGeneratorRequest from standard input twice, with the accessors that the generator has
 * by hand (request.h) and with those that it makes of schema.capnp itself, and compares what they
 * say. Built by tests/tools/capnpc_c_test.py, which generates schema.capnp.h first.
 */
#include "schema.capnp.h"

#include "capnp/capnpc-c/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long compared;

#define SAME(left, right)                                                                          \
    do {                                                                                           \
        compared++;                                                                                \
        if ((uint64_t)(left) != (uint64_t)(right)) {                                               \
            fprintf(stderr, "%s:%d: %s is not %s\n", __FILE__, __LINE__, #left, #right);           \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static void text_same(struct capn_text left, struct capn_text right)
{
    SAME(left.length, right.length);
    SAME(memcmp(left.bytes, right.bytes, left.length), 0);
}

static void type_same(struct capn_struct raw)
{
    struct schema_type_reader type = {raw};
    SAME(type_which(raw), schema_type_which(type));
    switch (type_which(raw)) {
    case TYPE_LIST: {
        struct schema_type_list_reader list = schema_type_get_list(type);
        struct schema_type_reader element = schema_type_list_get_element_type(list);
        SAME(type_list_element(raw).data, element.raw.data);
        type_same(element.raw);
        break;
    }
    case TYPE_ENUM:
        SAME(type_node_id(raw), schema_type_enum_get_type_id(schema_type_get_enum(type)));
        break;
    case TYPE_STRUCT:
        SAME(type_node_id(raw), schema_type_struct_get_type_id(schema_type_get_struct(type)));
        break;
    case TYPE_INTERFACE:
        SAME(type_node_id(raw), schema_type_interface_get_type_id(schema_type_get_interface(type)));
        break;
    case TYPE_ANY: {
        struct schema_type_any_pointer_reader any = schema_type_get_any_pointer(type);
        struct schema_type_any_pointer_unconstrained_reader kind =
            schema_type_any_pointer_get_unconstrained(any);
        bool plain =
            schema_type_any_pointer_which(any) == SCHEMA_TYPE_ANY_POINTER_WHICH_UNCONSTRAINED;
        SAME(type_any_is_capability(raw),
             plain && schema_type_any_pointer_unconstrained_which(kind) ==
                          SCHEMA_TYPE_ANY_POINTER_UNCONSTRAINED_WHICH_CAPABILITY);
        break;
    }
    default:
        break;
    }
}

static void value_same(struct capn_struct raw)
{
    struct schema_value_reader value = {raw};
    SAME(value_which(raw), schema_value_which(value));
    uint64_t bits = schema_value_get_bool(value);
    bits |= (uint8_t)schema_value_get_int8(value) | schema_value_get_uint8(value);
    bits |= (uint16_t)schema_value_get_int16(value) | schema_value_get_uint16(value);
    bits |= schema_value_get_enum(value);
    bits |= (uint32_t)schema_value_get_int32(value) | schema_value_get_uint32(value);
    bits |= (uint64_t)schema_value_get_int64(value) | schema_value_get_uint64(value);
    bits |= capn_bits_of_float(schema_value_get_float32(value));
    bits |= capn_bits_of_double(schema_value_get_float64(value));
    SAME(value_bits(raw), bits);
}

static void field_same(struct capn_struct raw)
{
    struct schema_field_reader field = {raw};
    text_same(member_name(raw), schema_field_get_name(field));
    SAME(member_annotations(raw).count, schema_field_get_annotations(field).raw.count);
    SAME(field_discriminant(raw), schema_field_get_discriminant_value(field));
    SAME(field_is_group(raw), schema_field_which(field) == SCHEMA_FIELD_WHICH_GROUP);
    if (field_is_group(raw)) {
        SAME(field_group_id(raw), schema_field_group_get_type_id(schema_field_get_group(field)));
        return;
    }
    struct schema_field_slot_reader slot = schema_field_get_slot(field);
    SAME(field_slot_offset(raw), schema_field_slot_get_offset(slot));
    SAME(field_slot_has_default(raw), schema_field_slot_get_had_explicit_default(slot));
    SAME(field_slot_type(raw).data, schema_field_slot_get_type(slot).raw.data);
    SAME(field_slot_default(raw).data, schema_field_slot_get_default_value(slot).raw.data);
    type_same(field_slot_type(raw));
    value_same(field_slot_default(raw));
}

static void struct_same(struct capn_struct raw, struct schema_node_reader node)
{
    struct schema_node_struct_reader group = schema_node_get_struct(node);
    struct schema_field_list fields = schema_node_struct_get_fields(group);
    SAME(node_struct_data_words(raw), schema_node_struct_get_data_word_count(group));
    SAME(node_struct_pointers(raw), schema_node_struct_get_pointer_count(group));
    SAME(node_struct_is_group(raw), schema_node_struct_get_is_group(group));
    SAME(node_struct_discriminant_count(raw), schema_node_struct_get_discriminant_count(group));
    SAME(node_struct_discriminant_offset(raw), schema_node_struct_get_discriminant_offset(group));
    SAME(node_members(raw).data, fields.raw.data);
    for (uint32_t i = 0; i < fields.raw.count; i++) {
        field_same(capn_list_get_struct(node_members(raw), i));
    }
}

static void interface_same(struct capn_struct raw, struct schema_node_reader node)
{
    struct schema_node_interface_reader group = schema_node_get_interface(node);
    struct schema_method_list methods = schema_node_interface_get_methods(group);
    struct schema_superclass_list supers = schema_node_interface_get_superclasses(group);
    SAME(node_members(raw).data, methods.raw.data);
    for (uint32_t i = 0; i < methods.raw.count; i++) {
        struct schema_method_reader method = schema_method_list_get(methods, i);
        text_same(member_name(method.raw), schema_method_get_name(method));
        SAME(member_annotations(method.raw).count, schema_method_get_annotations(method).raw.count);
        SAME(method_param_id(method.raw), schema_method_get_param_struct_type(method));
        SAME(method_result_id(method.raw), schema_method_get_result_struct_type(method));
    }
    SAME(node_superclasses(raw).count, supers.raw.count);
    for (uint32_t i = 0; i < supers.raw.count; i++) {
        struct schema_superclass_reader super = schema_superclass_list_get(supers, i);
        SAME(superclass_id(super.raw), schema_superclass_get_id(super));
    }
}

static void annotations_same(struct capn_list raw, struct schema_annotation_list list)
{
    SAME(raw.count, list.raw.count);
    for (uint32_t i = 0; i < raw.count; i++) {
        struct schema_annotation_reader annotation = schema_annotation_list_get(list, i);
        SAME(annotation_id(annotation.raw), schema_annotation_get_id(annotation));
        struct schema_value_reader value = schema_annotation_get_value(annotation);
        SAME(annotation_value(annotation.raw).data, value.raw.data);
    }
}

static void node_same(struct schema_node_reader node)
{
    struct capn_struct raw = node.raw;
    SAME(node_id(raw), schema_node_get_id(node));
    SAME(node_scope_id(raw), schema_node_get_scope_id(node));
    SAME(node_which(raw), schema_node_which(node));
    SAME(node_display_prefix(raw), schema_node_get_display_name_prefix_length(node));
    text_same(node_display_name(raw), schema_node_get_display_name(node));
    SAME(node_nested(raw).count, schema_node_get_nested_nodes(node).raw.count);
    annotations_same(node_annotations(raw), schema_node_get_annotations(node));
    if (node_which(raw) == NODE_STRUCT) {
        struct_same(raw, node);
    } else if (node_which(raw) == NODE_ENUM) {
        struct schema_enumerant_list list =
            schema_node_enum_get_enumerants(schema_node_get_enum(node));
        SAME(node_members(raw).data, list.raw.data);
    } else if (node_which(raw) == NODE_INTERFACE) {
        interface_same(raw, node);
    } else if (node_which(raw) == NODE_CONST) {
        struct schema_node_const_reader group = schema_node_get_const(node);
        SAME(node_const_type(raw).data, schema_node_const_get_type(group).raw.data);
        SAME(node_const_value(raw).data, schema_node_const_get_value(group).raw.data);
    }
}

static void request_same(struct capn_struct raw)
{
    struct schema_code_generator_request_reader request = {raw};
    struct schema_node_list nodes = schema_code_generator_request_get_nodes(request);
    struct schema_node_source_info_list infos =
        schema_code_generator_request_get_source_info(request);
    struct schema_code_generator_request_requested_file_list files =
        schema_code_generator_request_get_requested_files(request);
    SAME(request_nodes(raw).count, nodes.raw.count);
    for (uint32_t i = 0; i < nodes.raw.count; i++) {
        node_same(schema_node_list_get(nodes, i));
    }
    SAME(request_source_info(raw).count, infos.raw.count);
    for (uint32_t i = 0; i < infos.raw.count; i++) {
        struct schema_node_source_info_reader info = schema_node_source_info_list_get(infos, i);
        SAME(source_info_id(info.raw), schema_node_source_info_get_id(info));
        text_same(source_info_doc(info.raw), schema_node_source_info_get_doc_comment(info));
        SAME(source_info_members(info.raw).count,
             schema_node_source_info_get_members(info).raw.count);
    }
    SAME(request_files(raw).count, files.raw.count);
    for (uint32_t i = 0; i < files.raw.count; i++) {
        struct schema_code_generator_request_requested_file_reader file =
            schema_code_generator_request_requested_file_list_get(files, i);
        SAME(request_file_id(file.raw), schema_code_generator_request_requested_file_get_id(file));
        text_same(request_file_name(file.raw),
                  schema_code_generator_request_requested_file_get_filename(file));
        SAME(request_file_imports(file.raw).count,
             schema_code_generator_request_requested_file_get_imports(file).raw.count);
    }
}

int main(void)
{
    static unsigned char bytes[1u << 24];
    static struct capn_segment segments[512];
    size_t length = fread(bytes, 1, sizeof(bytes), stdin);
    struct capn_frame frame = {.segments = segments, .segment_room = 512, .words_limit = 1u << 22};
    if (capn_frame_parse(&frame, bytes, length) != CAPN_OK) {
        fprintf(stderr, "standard input is no message\n");
        return 1;
    }
    struct capn_reader reader;
    struct capn_limits limits = {.traversal_words = UINT64_MAX, .depth = 64};
    capn_reader_init(&reader, segments, frame.segment_count, limits);
    request_same(capn_read_struct(capn_reader_root(&reader), NULL));
    if (capn_reader_status(&reader) != CAPN_OK) {
        fprintf(stderr, "%s\n", capn_status_text(reader.error.code));
        return 1;
    }
    printf("%lu values agree\n", compared);
    return 0;
}
