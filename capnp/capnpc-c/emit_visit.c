/* SPDX-License-Identifier: MIT */
/*
 * For tests of generated code: NAME.visit.c, which calls every getter and every setter of a file.
 * It is written only when the environment's CAPNPC_C_VISIT names the header of the functions that
 * take the values (N_visit) and give them (N_fill); tests/capnp/visit.h is the one of this tree.
 */
#include "capnp/capnpc-c/emit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const number_suffixes[TYPE_KIND_COUNT] = {
    [TYPE_BOOL] = "bool",  [TYPE_INT8] = "i8",     [TYPE_INT16] = "i16",   [TYPE_INT32] = "i32",
    [TYPE_INT64] = "i64",  [TYPE_UINT8] = "u8",    [TYPE_UINT16] = "u16",  [TYPE_UINT32] = "u32",
    [TYPE_UINT64] = "u64", [TYPE_FLOAT32] = "f32", [TYPE_FLOAT64] = "f64", [TYPE_ENUM] = "u16",
};

static struct output *out; /* the file being written */

static const char *enum_names(struct type type)
{
    return text_format("%s_names, %zu", type.node->c_name, type.node->enumerant_count);
}

/* ---- Reading ---- */

/* One value that is at hand as the C expression `value`. */
static void visit_value(struct type type, const char *indent, const char *value)
{
    switch (type.kind) {
    case TYPE_VOID:
        output_print(out, "%svisit_void(v);\n", indent);
        break;
    case TYPE_ENUM:
        output_print(out, "%svisit_enum(v, %s, %s);\n", indent, value, enum_names(type));
        break;
    case TYPE_STRUCT:
        output_print(out, "%s%s_visit(v, %s);\n", indent, type.node->c_name, value);
        break;
    case TYPE_TEXT:
    case TYPE_DATA:
        output_print(out, "%svisit_%s(v, %s);\n", indent, type.kind == TYPE_TEXT ? "text" : "data",
                     value);
        break;
    case TYPE_INTERFACE:
        output_print(out, "%svisit_capability(v, %s);\n", indent, value);
        break;
    case TYPE_ANY:
        output_print(out, "%svisit_any(v, %s);\n", indent, value);
        break;
    default:
        output_print(out, "%svisit_%s(v, %s);\n", indent, number_suffixes[type.kind], value);
        break;
    }
}

/* Element `index` of the list `list` as a C expression. */
static const char *element_expression(struct type type, const char *list, const char *index)
{
    switch (type.kind) {
    case TYPE_STRUCT:
        return text_format("%s_list_get((struct %s_list){%s}, %s)", type.node->c_name,
                           type.node->c_name, list, index);
    case TYPE_TEXT:
        return text_format("capn_list_get_text(%s, %s)", list, index);
    case TYPE_DATA:
        return text_format("capn_list_get_data(%s, %s)", list, index);
    case TYPE_INTERFACE:
        return text_format("capn_list_get_capability(%s, %s)", list, index);
    case TYPE_ANY:
        return text_format("capn_list_get_pointer(%s, %s)", list, index);
    case TYPE_VOID:
        return "0";
    default:
        return text_format("capn_list_get_%s(%s, %s)", number_suffixes[type.kind], list, index);
    }
}

/* A list of lists of ... at depth `level`; the list is in the C variable l<level>. */
static void visit_list(struct type type, unsigned level, const char *indent)
{
    const char *inner = text_format("%s    ", indent);
    output_print(out, "%svisit_list_open(v);\n", indent);
    output_print(out, "%sfor (uint32_t i%u = 0; i%u < l%u.count && visit_goes_on(v); i%u++) {\n",
                 indent, level, level, level, level);
    output_print(out, "%svisit_element(v);\n", inner);
    if (level + 1 < type.list_depth) {
        bool structs = level + 2 == type.list_depth && type.kind == TYPE_STRUCT;
        output_print(out, "%sstruct capn_list l%u = ", inner, level + 1);
        if (structs) {
            output_print(out, "%s_list_read(capn_list_get_pointer(l%u, i%u)).raw;\n",
                         type.node->c_name, level, level);
        } else {
            output_print(out, "capn_list_get_list(l%u, i%u, %s);\n", level, level,
                         element_size_name(type, level + 2));
        }
        visit_list(type, level + 1, inner);
    } else {
        struct type element = type;
        element.list_depth = 0;
        visit_value(
            element, inner,
            element_expression(element, text_format("l%u", level), text_format("i%u", level)));
    }
    output_print(out, "%s}\n%svisit_list_close(v);\n", indent, indent);
}

static void visit_field(const struct node *node, const struct field *field, const char *indent)
{
    const char *getter = text_format("%s_get_%s(r)", node->c_name, field->c_name);
    const char *inner = text_format("%s    ", indent);
    if (field->group) {
        output_print(out, "%svisit_name(v, \"%s\");\n%s%s_visit(v, %s);\n", indent, field->name,
                     indent, field->group->c_name, getter);
        return;
    }
    bool in_union = field->discriminant != NO_DISCRIMINANT;
    if (!type_is_pointer_kind(field->type)) {
        if (field->type.kind != TYPE_VOID || in_union) {
            output_print(out, "%svisit_name(v, \"%s\");\n", indent, field->name);
            visit_value(field->type, indent, getter);
        }
        return;
    }
    output_print(out, "%sif (%s_has_%s(r)) {\n%svisit_name(v, \"%s\");\n", indent, node->c_name,
                 field->c_name, inner, field->name);
    if (field->type.list_depth) {
        bool wrapped = field->type.list_depth == 1 && field->type.kind == TYPE_STRUCT;
        output_print(out, "%sstruct capn_list l0 = %s%s;\n", inner, getter, wrapped ? ".raw" : "");
        visit_list(field->type, 0, inner);
    } else {
        visit_value(field->type, inner,
                    field->type.kind == TYPE_ANY
                        ? text_format("%s_at_%s(r)", node->c_name, field->c_name)
                        : getter);
    }
    if (in_union) {
        output_print(out, "%s} else {\n%svisit_null_member(v, \"%s\");\n", indent, inner,
                     field->name);
    }
    output_print(out, "%s}\n", indent);
}

static void emit_visit_struct(const struct node *node)
{
    const char *n = node->c_name;
    output_print(out, "\nvoid %s_visit(struct visit *v, struct %s_reader r)\n{\n", n, n);
    output_print(out, "    (void)r;\n    visit_struct_open(v);\n");
    for (size_t i = 0; i < node->field_count; i++) {
        if (node->fields[i].discriminant == NO_DISCRIMINANT) {
            visit_field(node, &node->fields[i], "    ");
        }
    }
    if (node->discriminant_count) {
        output_print(out, "    switch (%s_which(r)) {\n", n);
        for (size_t i = 0; i < node->field_count; i++) {
            if (node->fields[i].discriminant != NO_DISCRIMINANT) {
                output_print(out, "    case %s_WHICH_%s: {\n", text_upper(n),
                             text_upper(node->fields[i].c_name));
                visit_field(node, &node->fields[i], "        ");
                output_print(out, "        break;\n    }\n");
            }
        }
        output_print(out,
                     "    default:\n        visit_unknown_member(v);\n        break;\n    }\n");
    }
    output_print(out, "    visit_struct_close(v);\n}\n");
}

/* ---- Building ---- */

static void fill_element(struct type type, const char *indent, unsigned level)
{
    switch (type.kind) {
    case TYPE_VOID:
        break;
    case TYPE_STRUCT:
        output_print(out, "%s%s_fill(f, %s_list_edit((struct %s_builder_list){l%u}, i%u));\n",
                     indent, type.node->c_name, type.node->c_name, type.node->c_name, level, level);
        break;
    case TYPE_TEXT:
    case TYPE_DATA: {
        const char *kind = type.kind == TYPE_TEXT ? "text" : "data";
        output_print(out, "%scapn_list_set_%s(l%u, i%u, fill_%s(f));\n", indent, kind, level, level,
                     kind);
        break;
    }
    case TYPE_INTERFACE:
        output_print(out, "%scapn_list_set_capability(l%u, i%u, fill_capability(f));\n", indent,
                     level, level);
        break;
    case TYPE_ANY:
        output_print(out, "%sfill_any(f, capn_list_set_pointer(l%u, i%u));\n", indent, level,
                     level);
        break;
    case TYPE_ENUM:
        output_print(out, "%scapn_list_set_u16(l%u, i%u, fill_enum(f, %zu));\n", indent, level,
                     level, type.node->enumerant_count);
        break;
    default:
        output_print(out, "%scapn_list_set_%s(l%u, i%u, fill_%s(f));\n", indent,
                     number_suffixes[type.kind], level, level, number_suffixes[type.kind]);
        break;
    }
}

/* Builds the list of depth `level` at the pointer `place`. */
static void fill_list(struct type type, unsigned level, const char *indent, const char *place)
{
    const char *inner = text_format("%s    ", indent);
    bool structs = level + 1 == type.list_depth && type.kind == TYPE_STRUCT;
    output_print(out, "%suint32_t n%u = fill_count(f);\n", indent, level);
    if (structs) {
        output_print(out, "%sstruct capn_list_builder l%u = %s_list_init(%s, n%u).raw;\n", indent,
                     level, type.node->c_name, place, level);
    } else {
        output_print(out, "%sstruct capn_list_builder l%u = capn_init_list(%s, %s, n%u);\n", indent,
                     level, place, element_size_name(type, level + 1), level);
    }
    output_print(out, "%sfor (uint32_t i%u = 0; i%u < l%u.count; i%u++) {\n", indent, level, level,
                 level, level);
    if (level + 1 < type.list_depth) {
        output_print(out, "%sif (fill_enter_member(f)) {\n", inner);
        fill_list(type, level + 1, text_format("%s    ", inner),
                  text_format("capn_list_set_pointer(l%u, i%u)", level, level));
        output_print(out, "%s    fill_leave(f);\n%s}\n", inner, inner);
    } else {
        struct type element = type;
        element.list_depth = 0;
        fill_element(element, inner, level);
    }
    output_print(out, "%s}\n", indent);
}

/* By its setter and in place, in turns. */
static void fill_blob(const struct node *node, const struct field *field, const char *indent)
{
    const char *n = node->c_name;
    const char *c = field->c_name;
    const char *kind = field->type.kind == TYPE_TEXT ? "text" : "data";
    output_print(out, "%sstruct capn_%s value = fill_%s(f);\n", indent, kind, kind);
    output_print(out, "%sif (fill_in_place(f)) {\n", indent);
    output_print(out, "%s    fill_copy(%s_init_%s(b, value.length), value.bytes, value.length);\n",
                 indent, n, c);
    output_print(out, "%s} else {\n%s    %s_set_%s(b, value);\n%s}\n", indent, indent, n, c,
                 indent);
}

static void fill_pointer(const struct node *node, const struct field *field, const char *indent)
{
    const char *n = node->c_name;
    const char *c = field->c_name;
    const char *inner = text_format("%s    ", indent);
    struct type type = field->type;
    bool in_union = field->discriminant != NO_DISCRIMINANT;
    const char *deep = text_format("%s    ", inner);
    if (in_union) {
        output_print(out, "%s(void)%s_place_%s(b);\n", indent, n, c);
    }
    output_print(out, "%sif (fill_enter%s(f)) {\n", indent, in_union ? "_member" : "");
    output_print(out, "%sif (!fill_special(f, \"%s.%s\", %s_place_%s(b))) {\n", inner, node->name,
                 field->name, n, c);
    if (type.list_depth) {
        fill_list(type, 0, deep, text_format("%s_place_%s(b)", n, c));
    } else if (type.kind == TYPE_STRUCT) {
        output_print(out, "%s%s_fill(f, %s_init_%s(b));\n", deep, type.node->c_name, n, c);
    } else if (type.kind == TYPE_TEXT || type.kind == TYPE_DATA) {
        fill_blob(node, field, deep);
    } else if (type.kind == TYPE_INTERFACE) {
        output_print(out, "%s%s_set_%s(b, fill_capability(f));\n", deep, n, c);
    } else {
        output_print(out, "%sfill_any(f, %s_place_%s(b));\n", deep, n, c);
    }
    output_print(out, "%s}\n%sfill_leave(f);\n%s}\n", inner, inner, indent);
}

static void fill_field(const struct node *node, const struct field *field, const char *indent)
{
    const char *n = node->c_name;
    const char *c = field->c_name;
    if (field->group) {
        output_print(out, "%s%s_fill(f, %s_init_%s(b));\n", indent, field->group->c_name, n, c);
    } else if (type_is_pointer_kind(field->type)) {
        fill_pointer(node, field, indent);
    } else if (field->type.kind == TYPE_ENUM) {
        output_print(out, "%s%s_set_%s(b, (enum %s)fill_enum(f, %zu));\n", indent, n, c,
                     field->type.node->c_name, field->type.node->enumerant_count);
    } else if (field->type.kind != TYPE_VOID) {
        output_print(out, "%s%s_set_%s(b, fill_%s(f));\n", indent, n, c,
                     number_suffixes[field->type.kind]);
    } else if (field->discriminant != NO_DISCRIMINANT) {
        output_print(out, "%s%s_set_%s(b);\n", indent, n, c);
    }
}

static void emit_fill_struct(const struct node *node)
{
    const char *n = node->c_name;
    output_print(out, "\nvoid %s_fill(struct fill *f, struct %s_builder b)\n{\n", n, n);
    output_print(out, "    (void)f;\n    (void)b;\n");
    for (size_t i = 0; i < node->field_count; i++) {
        if (node->fields[i].discriminant == NO_DISCRIMINANT) {
            fill_field(node, &node->fields[i], "    ");
        }
    }
    if (node->discriminant_count) {
        output_print(out, "    switch (fill_member(f, %u)) {\n",
                     (unsigned)node->discriminant_count);
        for (size_t i = 0; i < node->field_count; i++) {
            if (node->fields[i].discriminant != NO_DISCRIMINANT) {
                output_print(out, "    case %u:\n", (unsigned)node->fields[i].discriminant);
                fill_field(node, &node->fields[i], "        ");
                output_print(out, "        break;\n");
            }
        }
        output_print(out, "    default:\n        break;\n    }\n");
    }
    output_print(out, "}\n");
}

/* ---- Calls: a client that fills and a server that visits ---- */

static void emit_visit_method(const struct node *node, const struct method *method)
{
    const char *stub = text_format("%s_%s", node->c_name, method->c_name);
    bool stream = method->results->id == STREAM_RESULT_ID;
    output_print(
        out,
        "\nstatic enum capn_dispatch %s_visited(void *object, struct capn_request *request,\n"
        "    struct %s_reader params, struct %s_builder results)\n{\n"
        "    struct visit_call *c = object;\n    (void)request;\n"
        "    %s_visit(c->v, params);\n",
        stub, method->params->c_name, method->results->c_name, method->params->c_name);
    if (stream) {
        output_print(out, "    (void)results;\n");
    } else {
        output_print(out, "    %s_fill(c->f, results);\n", method->results->c_name);
    }
    output_print(out, "    return CAPN_DISPATCH_ANSWERED;\n}\n");
    output_print(out,
                 "static void %s_client(struct visit_call *c, struct capn_call *call)\n{\n"
                 "    %s_fill(c->f, %s_request(call));\n",
                 stub, method->params->c_name, stub);
    if (stream) {
        output_print(out, "    (void)%s_invoke(call);\n    (void)%s_response(call);\n}\n", stub,
                     stub);
    } else {
        output_print(out,
                     "    %s_visit(c->v, %s_invoke(call));\n"
                     "    %s_visit(c->again, %s_response(call));\n}\n",
                     method->results->c_name, stub, method->results->c_name, stub);
    }
}

static void emit_visit_interface(const struct node *node)
{
    const char *n = node->c_name;
    for (size_t i = 0; i < node->method_count; i++) {
        emit_visit_method(node, &node->methods[i]);
    }
    output_print(out, "\nconst struct %s_server %s_visited = {\n", n, n);
    for (size_t i = 0; i < node->superclass_count; i++) {
        const char *super = node->superclasses[i]->c_name;
        output_print(out, "    .%s = &%s_visited,\n", super, super);
    }
    for (size_t i = 0; i < node->method_count; i++) {
        const char *method = node->methods[i].c_name;
        output_print(out, "    .%s = %s_%s_visited,\n", method, n, method);
    }
    if (node->superclass_count + node->method_count == 0) {
        output_print(out, "    0,\n");
    }
    output_print(out,
                 "};\nstatic enum capn_dispatch %s_call(struct visit_call *c,"
                 " struct capn_request *request)\n{\n"
                 "    return %s_dispatch(&%s_visited, c, request);\n}\n",
                 n, n, n);
    output_print(
        out, "static void (*const %s_clients[])(struct visit_call *, struct capn_call *) = {\n", n);
    for (size_t i = 0; i < node->method_count; i++) {
        output_print(out, "    %s_%s_client,\n", n, node->methods[i].c_name);
    }
    output_print(out, "    NULL,\n};\n");
}

/* ---- The file ---- */

static void visit_declare(struct emitter *emitter, struct node *node)
{
    (void)emitter;
    if (node->kind == NODE_STRUCT) {
        output_print(out, "void %s_visit(struct visit *v, struct %s_reader r);\n", node->c_name,
                     node->c_name);
        output_print(out, "void %s_fill(struct fill *f, struct %s_builder b);\n", node->c_name,
                     node->c_name);
    } else if (node->kind == NODE_ENUM) {
        output_print(out, "extern const char *const %s_names[];\n", node->c_name);
    } else if (node->kind == NODE_INTERFACE) {
        output_print(out, "extern const struct %s_server %s_visited;\n", node->c_name,
                     node->c_name);
    }
}

static void visit_define(struct emitter *emitter, struct node *node)
{
    (void)emitter;
    if (node->kind == NODE_STRUCT) {
        emit_visit_struct(node);
        emit_fill_struct(node);
        if (!node->is_group) {
            const char *n = node->c_name;
            output_print(out,
                         "static void %s_visit_root(struct visit *v, struct capn_pointer at)\n{\n"
                         "    %s_visit(v, %s_read(at));\n}\n",
                         n, n, n);
            output_print(out,
                         "static void %s_fill_root(struct fill *f, struct capn_pointer_builder to)"
                         "\n{\n    %s_fill(f, %s_init(to));\n}\n",
                         n, n, n);
        }
    } else if (node->kind == NODE_ENUM) {
        output_print(out, "\nconst char *const %s_names[] = {\n", node->c_name);
        for (size_t i = 0; i < node->enumerant_count; i++) {
            output_print(out, "    \"%s\",\n", node->enumerants[i].name);
        }
        output_print(out, "    NULL,\n};\n");
    } else if (node->kind == NODE_INTERFACE) {
        emit_visit_interface(node);
    }
}

static void visit_interface(struct emitter *emitter, struct node *node)
{
    (void)emitter;
    if (node->kind == NODE_INTERFACE) {
        output_print(out, "    {UINT64_C(0x%016" PRIx64 "), \"%s\", %s_call, %s_clients, %s_is},\n",
                     node->id, node->name, node->c_name, node->c_name, node->c_name);
    }
}

static void visit_entry(struct emitter *emitter, struct node *node)
{
    (void)emitter;
    if (node->kind == NODE_STRUCT && !node->is_group) {
        const char *colon = strrchr(node->display_name, ':');
        output_print(out,
                     "    {UINT64_C(0x%016" PRIx64 "), \"%s\", %s_visit_root, %s_fill_root},\n",
                     node->id, colon ? colon + 1 : node->display_name, node->c_name, node->c_name);
    }
}

void emit_visit(struct emitter *emitter)
{
    const char *header = getenv("CAPNPC_C_VISIT");
    if (!header || !*header) {
        return;
    }
    const char *stem = file_path_stem(emitter->file->path);
    const char *base = strrchr(stem, '/') ? strrchr(stem, '/') + 1 : stem;
    size_t count = 0;
    const struct node *const *files = emitter_includes(emitter, &count);

    out = output_open(text_format("%s.visit.h", stem));
    const char *guard = text_format("CAPNPC_C_%s", text_upper(text_snake(stem)));
    output_print(out,
                 "/* SPDX-License-Identifier: MIT */\n"
                 "/* Generated by capnpc-c from %s, for tests. */\n"
                 "#ifndef %s_VISIT_H\n#define %s_VISIT_H\n\n#include \"%s\"\n"
                 "#include \"%s.capnp.h\"\n\n",
                 emitter->file->path, guard, guard, header, base);
    emitter_each(emitter, visit_declare);
    output_print(out, "\nextern const struct visit_file %s_visits;\n\n#endif\n",
                 emitter->file->node->c_name);

    out = output_open(text_format("%s.visit.c", stem));
    output_print(out,
                 "/* SPDX-License-Identifier: MIT */\n"
                 "/* Generated by capnpc-c from %s, for tests: every getter, every setter. */\n"
                 "#include \"%s.visit.h\"\n",
                 emitter->file->path, base);
    for (size_t i = 0; i < count; i++) {
        output_print(out, "#include \"%s.visit.h\"\n",
                     file_path_stem(include_path(emitter, files[i])));
    }
    emitter_each(emitter, visit_define);
    output_print(out, "\nstatic const struct visit_entry entries[] = {\n");
    emitter_each(emitter, visit_entry);
    output_print(out, "    {0},\n};\n\nstatic const struct visit_interface interfaces[] = {\n");
    emitter_each(emitter, visit_interface);
    output_print(out,
                 "    {0},\n};\n\nconst struct visit_file %s_visits = {\n"
                 "    .meta = &%s_meta,\n    .entries = entries,\n"
                 "    .interfaces = interfaces,\n};\n",
                 emitter->file->node->c_name, emitter->file->node->c_name);
}

void emit_visit_index(struct model *model)
{
    const char *header = getenv("CAPNPC_C_VISIT");
    if (!header || !*header) {
        return;
    }
    out = output_open("index.visit.c");
    output_print(out,
                 "/* SPDX-License-Identifier: MIT */\n"
                 "/* Generated by capnpc-c, for tests: all files of one run. */\n"
                 "#include \"%s\"\n\n",
                 header);
    for (size_t i = 0; i < model->file_count; i++) {
        output_print(out, "extern const struct visit_file %s_visits;\n",
                     model->files[i].node->c_name);
    }
    output_print(out, "\nconst struct visit_file *const visit_index[] = {\n");
    for (size_t i = 0; i < model->file_count; i++) {
        output_print(out, "    &%s_visits,\n", model->files[i].node->c_name);
    }
    output_print(out, "    NULL,\n};\n");
}
