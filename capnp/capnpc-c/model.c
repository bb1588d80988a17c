/* SPDX-License-Identifier: MIT */
/*
 * From the compiler's request to the model. Two passes over the nodes: the first makes one entry
 * for each, the second fills in what refers to others. The compiler is trusted to have checked the
 * schema; what this pass still refuses is what C cannot express or what the format forbids, and a
 * reference to a node that is not there.
 */
#include "capnp/capnpc-c/model.h"
#include "capnp/capnpc-c/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void model_error(struct model *model, const char *where, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "capnpc-c: %s: ", where);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    model->error_count++;
}

static const char *string_of(struct capn_text text)
{
    return text_copy(text.bytes, text.length);
}

struct node *model_find(const struct model *model, uint64_t id)
{
    for (size_t i = 0; i < model->node_count; i++) {
        if (model->nodes[i].id == id) {
            return &model->nodes[i];
        }
    }
    return NULL;
}

/* As model_find, for references that the compiler promises to resolve. */
static struct node *node_required(struct model *model, uint64_t id, const char *where)
{
    struct node *node = model_find(model, id);
    if (!node) {
        model_error(model, where, "the request has no node 0x%016llx", (unsigned long long)id);
    }
    return node;
}

const char *annotation_text(struct capn_list annotations, uint64_t id)
{
    for (uint32_t i = 0; i < annotations.count; i++) {
        struct capn_struct annotation = capn_list_get_struct(annotations, i);
        if (annotation_id(annotation) == id) {
            struct capn_pointer text = value_pointer(annotation_value(annotation));
            return string_of(capn_read_text(text, (struct capn_text){0}));
        }
    }
    return NULL;
}

/* The name of a member in C: its annotation, or its own in snake case. */
static const char *member_c_name(struct capn_list annotations, const char *name)
{
    const char *chosen = annotation_text(annotations, ANNOTATION_NAME);
    return chosen ? chosen : text_snake(name);
}

static void type_load(struct model *model, struct type *type, struct capn_struct raw,
                      const char *where)
{
    while (type_which(raw) == TYPE_LIST) {
        if (type->list_depth == UINT8_MAX) {
            model_error(model, where, "a list is nested more than %u times", (unsigned)UINT8_MAX);
            return;
        }
        type->list_depth++;
        raw = type_list_element(raw);
    }
    uint16_t which = type_which(raw);
    if (which >= TYPE_KIND_COUNT) {
        model_error(model, where, "a type of kind %u is not known", (unsigned)which);
        return;
    }
    type->kind = (enum type_kind)which;
    if (which == TYPE_ENUM || which == TYPE_STRUCT || which == TYPE_INTERFACE) {
        type->node = node_required(model, type_node_id(raw), where);
    } else if (which == TYPE_ANY && type_any_is_capability(raw)) {
        type->kind = TYPE_INTERFACE;
    }
}

static bool type_is_pointer(struct type type)
{
    return type.list_depth > 0 ||
           (type.kind >= TYPE_TEXT && type.kind != TYPE_ENUM && type.kind != TYPE_VOID);
}

static void field_load(struct model *model, struct node *node, struct field *field,
                       struct capn_struct raw)
{
    field->name = string_of(member_name(raw));
    field->c_name = member_c_name(member_annotations(raw), field->name);
    field->discriminant = field_discriminant(raw);
    const char *where = text_format("%s.%s", node->display_name, field->name);
    if (field_is_group(raw)) {
        field->group = node_required(model, field_group_id(raw), where);
        return;
    }
    field->offset = field_slot_offset(raw);
    type_load(model, &field->type, field_slot_type(raw), where);
    struct capn_struct value = field_slot_default(raw);
    if (!type_is_pointer(field->type)) {
        field->default_bits = value_bits(value);
    } else if (field_slot_has_default(raw)) {
        struct capn_pointer pointer = value_pointer(value);
        if (capn_pointer_kind(pointer) != CAPN_KIND_NULL) {
            field->default_pointer = pointer;
        }
    }
}

static void node_load_struct(struct model *model, struct node *node)
{
    struct capn_list fields = node_members(node->raw);
    node->size = (struct capn_size){.data_words = node_struct_data_words(node->raw),
                                    .pointers = node_struct_pointers(node->raw)};
    node->is_group = node_struct_is_group(node->raw);
    node->discriminant_count = node_struct_discriminant_count(node->raw);
    node->discriminant_offset = node_struct_discriminant_offset(node->raw);
    node->field_count = fields.count;
    node->fields = memory_take(fields.count, sizeof(*node->fields));
    for (uint32_t i = 0; i < fields.count; i++) {
        field_load(model, node, &node->fields[i], capn_list_get_struct(fields, i));
    }
}

static void node_load_enum(struct node *node)
{
    struct capn_list list = node_members(node->raw);
    node->enumerant_count = list.count;
    node->enumerants = memory_take(list.count, sizeof(*node->enumerants));
    for (uint32_t i = 0; i < list.count; i++) {
        struct capn_struct raw = capn_list_get_struct(list, i);
        struct enumerant *enumerant = &node->enumerants[i];
        enumerant->name = string_of(member_name(raw));
        enumerant->c_name = member_c_name(enumerant_annotations(raw), enumerant->name);
    }
}

static void node_load_interface(struct model *model, struct node *node)
{
    struct capn_list methods = node_members(node->raw);
    struct capn_list supers = node_superclasses(node->raw);
    if (methods.count > METHODS_MAX) {
        model_error(model, node->display_name,
                    "the interface has %u methods, a facet has bits for %u; split the interface",
                    (unsigned)methods.count, METHODS_MAX);
    }
    node->method_count = methods.count;
    node->methods = memory_take(methods.count, sizeof(*node->methods));
    for (uint32_t i = 0; i < methods.count; i++) {
        struct capn_struct raw = capn_list_get_struct(methods, i);
        struct method *method = &node->methods[i];
        method->name = string_of(member_name(raw));
        method->c_name = member_c_name(member_annotations(raw), method->name);
        const char *where = text_format("%s.%s", node->display_name, method->name);
        method->params = node_required(model, method_param_id(raw), where);
        method->results = node_required(model, method_result_id(raw), where);
    }
    node->superclass_count = supers.count;
    node->superclasses = memory_take(supers.count, sizeof(struct node *));
    for (uint32_t i = 0; i < supers.count; i++) {
        uint64_t id = superclass_id(capn_list_get_struct(supers, i));
        node->superclasses[i] = node_required(model, id, node->display_name);
    }
}

static void node_load(struct model *model, struct node *node)
{
    switch (node->kind) {
    case NODE_STRUCT:
        node_load_struct(model, node);
        break;
    case NODE_ENUM:
        node_load_enum(node);
        break;
    case NODE_INTERFACE:
        node_load_interface(model, node);
        break;
    case NODE_CONST:
        type_load(model, &node->type, node_const_type(node->raw), node->display_name);
        node->value = node_const_value(node->raw);
        break;
    default:
        break;
    }
}

/* The comments of a node and its members. */
static void node_load_docs(struct node *node, struct capn_struct info)
{
    struct capn_list members = source_info_members(info);
    node->doc = string_of(source_info_doc(info));
    for (uint32_t i = 0; i < members.count; i++) {
        const char *doc = string_of(request_text(capn_list_get_struct(members, i), 0));
        if (i < node->field_count) {
            node->fields[i].doc = doc;
        } else if (i < node->enumerant_count) {
            node->enumerants[i].doc = doc;
        } else if (i < node->method_count) {
            node->methods[i].doc = doc;
        }
    }
}

static void child_add(struct node *node, struct node *child, struct node *file)
{
    if (!child || child->file) {
        return;
    }
    struct node **larger = memory_take(node->child_count + 1, sizeof(struct node *));
    if (node->child_count) {
        memcpy(larger, node->children, node->child_count * sizeof(struct node *));
    }
    larger[node->child_count++] = child;
    node->children = larger;
    child->file = file;
}

/* A parameter or result list that was written in the method itself is in no scope. */
static bool method_owns(const struct node *list)
{
    return list && list->scope_id == 0 && list->kind == NODE_STRUCT &&
           strchr(list->display_name, '$') != NULL;
}

/* Hangs groups, nested declarations and parameter lists below the nodes that they belong to. */
static void children_load(struct model *model, struct node *node, struct node *file)
{
    for (size_t i = 0; i < node->field_count; i++) {
        child_add(node, node->fields[i].group, file);
    }
    for (size_t i = 0; i < node->method_count; i++) {
        struct node *lists[2] = {node->methods[i].params, node->methods[i].results};
        for (size_t k = 0; k < 2; k++) {
            if (method_owns(lists[k])) {
                lists[k]->is_detached = true;
                child_add(node, lists[k], file);
            }
        }
    }
    struct capn_list nested = node_nested(node->raw);
    for (uint32_t i = 0; i < nested.count; i++) {
        struct capn_struct entry = capn_list_get_struct(nested, i);
        struct node *child = model_find(model, request_file_id(entry));
        if (child) {
            child->name = string_of(request_text(entry, 0));
            child_add(node, child, file);
        }
    }
    for (size_t i = 0; i < node->child_count; i++) {
        children_load(model, node->children[i], file);
    }
}

static const char *file_stem(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *dot = strstr(base, ".capnp");
    return text_snake(text_copy(base, dot ? (size_t)(dot - base) : strlen(base)));
}

static void files_load(struct model *model, struct capn_list files)
{
    model->file_count = files.count;
    model->files = memory_take(files.count, sizeof(*model->files));
    for (uint32_t i = 0; i < files.count; i++) {
        struct capn_struct raw = capn_list_get_struct(files, i);
        struct requested_file *file = &model->files[i];
        struct capn_list imports = request_file_imports(raw);
        file->path = string_of(request_file_name(raw));
        file->node = node_required(model, request_file_id(raw), file->path);
        file->stem = file_stem(file->path);
        file->import_count = imports.count;
        file->imports = memory_take(imports.count, sizeof(*file->imports));
        for (uint32_t k = 0; k < imports.count; k++) {
            struct capn_struct import = capn_list_get_struct(imports, k);
            file->imports[k].id = request_file_id(import);
            file->imports[k].name = string_of(request_file_name(import));
        }
    }
}

void model_load(struct model *model, struct capn_reader *reader)
{
    struct capn_struct request = capn_read_struct(capn_reader_root(reader), NULL);
    struct capn_list nodes = request_nodes(request);
    struct capn_list infos = request_source_info(request);
    *model = (struct model){.reader = reader, .node_count = nodes.count};
    model->nodes = memory_take(nodes.count, sizeof(*model->nodes));
    for (uint32_t i = 0; i < nodes.count; i++) {
        struct node *node = &model->nodes[i];
        node->raw = capn_list_get_struct(nodes, i);
        node->id = node_id(node->raw);
        node->scope_id = node_scope_id(node->raw);
        node->kind = (enum node_kind)node_which(node->raw);
        node->display_name = string_of(node_display_name(node->raw));
        uint32_t prefix = node_display_prefix(node->raw);
        node->name = node->display_name + (prefix <= strlen(node->display_name) ? prefix : 0);
    }
    for (size_t i = 0; i < model->node_count; i++) {
        node_load(model, &model->nodes[i]);
    }
    for (uint32_t i = 0; i < infos.count; i++) {
        struct capn_struct info = capn_list_get_struct(infos, i);
        struct node *node = model_find(model, source_info_id(info));
        if (node) {
            node_load_docs(node, info);
        }
    }
    files_load(model, request_files(request));
    for (size_t i = 0; i < model->node_count; i++) {
        if (model->nodes[i].kind == NODE_FILE) {
            model->nodes[i].file = &model->nodes[i];
            children_load(model, &model->nodes[i], &model->nodes[i]);
        }
    }
}
