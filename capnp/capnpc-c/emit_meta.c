/* SPDX-License-Identifier: MIT */
/*
 * The schema as tables; capn_meta.h says what they mean. Strings go into one array as they are met;
 * equal ones are stored once.
 */
#include "capnp/capnpc-c/emit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The tables of one file, written when all are full. */
struct tables {
    struct emitter *emitter;
    struct output *out;
    struct output text;
    struct output fields;
    struct output enumerants;
    struct output methods;
    struct output parents;
    struct output defaults;
    size_t text_bytes;
    size_t field_count;
    size_t enumerant_count;
    size_t method_count;
    size_t parent_count;
    struct node **nodes;
    size_t node_count;
};

/* What a node's entry needs to know of the other tables. */
struct place {
    size_t first;
    size_t first_parent;
};

static struct tables *current; /* emitter_each hands no context through */

struct string {
    const char *text;
    size_t offset;
    struct string *next;
};
static struct string *strings;

/* Offset of the string in the file's text. */
static size_t string_place(struct tables *tables, const char *text)
{
    if (!text || !*text) {
        return 0;
    }
    for (struct string *string = strings; string; string = string->next) {
        if (strcmp(string->text, text) == 0) {
            return string->offset;
        }
    }
    struct string *string = memory_take(1, sizeof(*string));
    *string = (struct string){.text = text, .offset = tables->text_bytes, .next = strings};
    strings = string;
    output_print(&tables->text, "\n    ");
    output_string(&tables->text, text, strlen(text));
    output_print(&tables->text, " \"\\0\" /* %zu */", string->offset);
    tables->text_bytes += strlen(text) + 1;
    return string->offset;
}

/* The flat message of a text or data default, which the accessors have as a literal only. */
static const char *default_blob(struct tables *tables, const struct node *node,
                                const struct field *field)
{
    const char *name = text_format("default_%s_%s", node->c_name, field->c_name);
    uint64_t words = 1 + capn_copy_words(field->default_pointer);
    struct capn_build_segment segment = {.bytes = memory_take((size_t)words, CAPN_WORD_BYTES),
                                         .capacity_words = (uint32_t)words};
    struct capn_builder builder;
    capn_builder_init(&builder, &segment, 1);
    if (capn_copy(capn_builder_root(&builder), field->default_pointer) != CAPN_OK) {
        model_error(tables->emitter->model, node->display_name,
                    "the default of %s cannot be copied", field->name);
        return "NULL";
    }
    output_print(&tables->defaults, "\nstatic const uint8_t %s_bytes[] = {", name);
    for (size_t i = 0; i < (size_t)segment.used_words * CAPN_WORD_BYTES; i++) {
        output_print(&tables->defaults, "%s0x%02x,", i % 8 ? " " : "\n    ", segment.bytes[i]);
    }
    output_print(&tables->defaults, "\n};\nstatic const struct capn_segment %s = {%s_bytes, %u};\n",
                 name, name, (unsigned)segment.used_words);
    return text_format("&%s", name);
}

static const char *default_reference(struct tables *tables, const struct node *node,
                                     const struct field *field)
{
    if (field->group || capn_pointer_is_null(field->default_pointer)) {
        return "NULL";
    }
    bool blob = field->type.list_depth == 0 &&
                (field->type.kind == TYPE_TEXT || field->type.kind == TYPE_DATA);
    return blob ? default_blob(tables, node, field)
                : text_format("&%s_%s_default", node->c_name, field->c_name);
}

static void field_add(struct tables *tables, const struct node *node, const struct field *field)
{
    /* CAPN_META_GROUP has the number of List, which no innermost type has. */
    unsigned type = field->group ? (unsigned)TYPE_LIST : (unsigned)field->type.kind;
    const struct node *target = field->group ? field->group : field->type.node;
    output_print(&tables->fields,
                 "    {UINT64_C(0x%016" PRIx64 "), UINT64_C(0x%" PRIx64
                 "), %s, %zu, %zu, %u, %u, %u, %u}, /* %s.%s */\n",
                 target ? target->id : 0, field->default_bits,
                 default_reference(tables, node, field), string_place(tables, field->name),
                 string_place(tables, field->doc), (unsigned)field->offset,
                 (unsigned)field->discriminant, type, (unsigned)field->type.list_depth,
                 node->display_name, field->name);
    tables->field_count++;
}

static struct place members_add(struct tables *tables, const struct node *node)
{
    struct place place = {.first_parent = tables->parent_count};
    if (node->kind == NODE_STRUCT) {
        place.first = tables->field_count;
        for (size_t i = 0; i < node->field_count; i++) {
            field_add(tables, node, &node->fields[i]);
        }
    } else if (node->kind == NODE_ENUM) {
        place.first = tables->enumerant_count;
        for (size_t i = 0; i < node->enumerant_count; i++) {
            output_print(&tables->enumerants, "    {%zu, %zu},\n",
                         string_place(tables, node->enumerants[i].name),
                         string_place(tables, node->enumerants[i].doc));
            tables->enumerant_count++;
        }
    } else {
        place.first = tables->method_count;
        for (size_t i = 0; i < node->method_count; i++) {
            const struct method *method = &node->methods[i];
            output_print(&tables->methods,
                         "    {UINT64_C(0x%016" PRIx64 "), UINT64_C(0x%016" PRIx64
                         "), %zu, %zu}, /* %s.%s */\n",
                         method->params->id, method->results->id,
                         string_place(tables, method->name), string_place(tables, method->doc),
                         node->display_name, method->name);
            tables->method_count++;
        }
        for (size_t i = 0; i < node->superclass_count; i++) {
            output_print(&tables->parents, "    UINT64_C(0x%016" PRIx64 "), /* %s */\n",
                         node->superclasses[i]->id, node->superclasses[i]->display_name);
            tables->parent_count++;
        }
    }
    return place;
}

/* A group of "file:Outer.Inner": what stands behind the colon. */
static const char *local_name(const struct node *node)
{
    const char *colon = strrchr(node->display_name, ':');
    return colon ? colon + 1 : node->display_name;
}

static void node_add(struct tables *tables, const struct node *node, struct output *out)
{
    struct place place = members_add(tables, node);
    size_t count = node->kind == NODE_STRUCT ? node->field_count
                   : node->kind == NODE_ENUM ? node->enumerant_count
                                             : node->method_count;
    output_print(out,
                 "    {UINT64_C(0x%016" PRIx64 "), %zu, %zu, %zu, %zu, %zu, %zu, %u, %u, {%u, %u},"
                 " %u, %s}, /* %s */\n",
                 node->id, string_place(tables, local_name(node)), string_place(tables, node->doc),
                 place.first, count, node->superclass_count, place.first_parent,
                 (unsigned)node->discriminant_offset, (unsigned)node->discriminant_count,
                 (unsigned)node->size.data_words, (unsigned)node->size.pointers,
                 (unsigned)node->kind, node->is_group ? "true" : "false", local_name(node));
}

static void node_collect(struct emitter *emitter, struct node *node)
{
    (void)emitter;
    bool wanted =
        node->kind == NODE_STRUCT || node->kind == NODE_ENUM || node->kind == NODE_INTERFACE;
    if (wanted) {
        current->nodes[current->node_count++] = node;
    }
}

static int node_compare(const void *left, const void *right)
{
    uint64_t a = (*(struct node *const *)left)->id;
    uint64_t b = (*(struct node *const *)right)->id;
    return a < b ? -1 : a > b;
}

static void table_print(struct output *out, const char *type, const char *name,
                        const struct output *rows)
{
    if (rows->length) {
        output_print(out, "\nstatic const %s %s[] = {\n%s};\n", type, name,
                     text_copy(rows->bytes, rows->length));
    }
}

/* The files that types of this one come from, in the order of their headers. */
static size_t imports_print(struct emitter *emitter, struct output *out)
{
    size_t count = 0;
    const struct node *const *files = emitter_includes(emitter, &count);
    if (count) {
        output_print(out, "\nstatic const struct capn_meta_file *const imports[] = {\n");
        for (size_t i = 0; i < count; i++) {
            output_print(out, "    &%s_meta,\n", files[i]->c_name);
        }
        output_print(out, "};\n");
    }
    return count;
}

void emit_meta(struct emitter *emitter)
{
    const char *path = emitter->file->path;
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    struct output nodes = {0};
    struct tables tables = {.emitter = emitter, .text_bytes = 1};
    tables.nodes = memory_take(emitter->model->node_count, sizeof(struct node *));
    tables.out = output_open(text_format("%s.meta.c", file_path_stem(path)));
    strings = NULL;
    current = &tables;
    emitter_each(emitter, node_collect);
    qsort(tables.nodes, tables.node_count, sizeof(struct node *), node_compare);
    for (size_t i = 0; i < tables.node_count; i++) {
        node_add(&tables, tables.nodes[i], &nodes);
    }
    struct output *out = tables.out;
    output_print(out,
                 "/* SPDX-License-Identifier: MIT */\n"
                 "/* Generated by capnpc-c from %s: the schema as tables for capn_meta.h. */\n"
                 "#include \"capnp/runtime/capn_meta.h\"\n#include \"%s.h\"\n",
                 path, base);
    output_print(out, "\nstatic const char text[] =\n    \"\\0\"%s;\n",
                 tables.text.length ? text_copy(tables.text.bytes, tables.text.length) : "");
    if (tables.defaults.length) {
        output_print(out, "%s", text_copy(tables.defaults.bytes, tables.defaults.length));
    }
    table_print(out, "struct capn_meta_field", "fields", &tables.fields);
    table_print(out, "struct capn_meta_enumerant", "enumerants", &tables.enumerants);
    table_print(out, "struct capn_meta_method", "methods", &tables.methods);
    table_print(out, "uint64_t", "parents", &tables.parents);
    table_print(out, "struct capn_meta_node", "nodes", &nodes);
    size_t imports = imports_print(emitter, out);
    output_print(out,
                 "\nconst struct capn_meta_file %s_meta = {\n    .path = \"%s\",\n"
                 "    .text = text,\n",
                 emitter->file->node->c_name, path);
    const struct {
        const char *name;
        size_t count;
    } members[] = {{"nodes", tables.node_count},           {"fields", tables.field_count},
                   {"enumerants", tables.enumerant_count}, {"methods", tables.method_count},
                   {"parents", tables.parent_count},       {"imports", imports}};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (members[i].count) {
            output_print(out, "    .%s = %s,\n", members[i].name, members[i].name);
        }
    }
    output_print(out, "    .node_count = %zu,\n    .import_count = %zu,\n};\n", tables.node_count,
                 imports);
}

void emit_meta_index(struct model *model)
{
    struct output *out = output_open("index.meta.c");
    output_print(out, "/* SPDX-License-Identifier: MIT */\n"
                      "/* Generated by capnpc-c: all files of one run, for capn_meta.h. */\n"
                      "#include \"capnp/runtime/capn_meta.h\"\n");
    for (size_t i = 0; i < model->file_count; i++) {
        output_print(out, "#include \"%s.h\"\n", model->files[i].path);
    }
    output_print(out, "\nstatic const struct capn_meta_file *const files[] = {\n");
    for (size_t i = 0; i < model->file_count; i++) {
        output_print(out, "    &%s_meta,\n", model->files[i].node->c_name);
    }
    output_print(out, "};\n\nconst struct capn_meta_index capn_meta_index = {files, %zu};\n",
                 model->file_count);
}
