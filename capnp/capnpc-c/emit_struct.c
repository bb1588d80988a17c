/* SPDX-License-Identifier: MIT */
/* Structs, groups, unions and enums: types in the first half of the header, accessors in the other.
 */
#include "capnp/capnpc-c/emit.h"

#include <string.h>

/* What the runtime's accessors of a number are called, its C type and its bytes. */
struct number {
    const char *suffix;
    const char *c_type;
    unsigned bytes; /* 0 for a bool, whose offset is in bits */
};

static const struct number numbers[TYPE_KIND_COUNT] = {
    [TYPE_BOOL] = {"bool", "bool", 0},      [TYPE_INT8] = {"i8", "int8_t", 1},
    [TYPE_INT16] = {"i16", "int16_t", 2},   [TYPE_INT32] = {"i32", "int32_t", 4},
    [TYPE_INT64] = {"i64", "int64_t", 8},   [TYPE_UINT8] = {"u8", "uint8_t", 1},
    [TYPE_UINT16] = {"u16", "uint16_t", 2}, [TYPE_UINT32] = {"u32", "uint32_t", 4},
    [TYPE_UINT64] = {"u64", "uint64_t", 8}, [TYPE_FLOAT32] = {"f32", "float", 4},
    [TYPE_FLOAT64] = {"f64", "double", 8},  [TYPE_ENUM] = {"u16", "uint16_t", 2},
};

/* ---- Types ---- */

void emit_enum(struct emitter *emitter, struct node *node)
{
    struct output *out = emitter->header;
    output_print(out, "\n");
    output_comment(out, "", node->doc);
    output_print(out, "enum %s {\n",
                 emitter_claim(emitter, node->display_name, "%s", node->c_name));
    for (size_t i = 0; i < node->enumerant_count; i++) {
        const struct enumerant *enumerant = &node->enumerants[i];
        const char *origin = text_format("%s.%s", node->display_name, enumerant->name);
        output_comment(out, "    ", enumerant->doc);
        output_print(out, "    %s = %zu,\n",
                     emitter_claim(emitter, origin, "%s_%s", text_upper(node->c_name),
                                   text_upper(enumerant->c_name)),
                     i);
    }
    if (node->enumerant_count == 0) {
        output_print(out, "    %s_NONE_DECLARED\n", text_upper(node->c_name));
    }
    output_print(out, "};\n#define %s %zu\n",
                 emitter_claim(emitter, node->display_name, "%s_COUNT", text_upper(node->c_name)),
                 node->enumerant_count);
}

static void emit_handle(struct emitter *emitter, struct node *node, const char *suffix,
                        const char *runtime_type)
{
    output_print(emitter->header, "struct %s {\n    struct %s raw;\n};\n",
                 emitter_claim(emitter, node->display_name, "%s_%s", node->c_name, suffix),
                 runtime_type);
}

static void emit_which_type(struct emitter *emitter, struct node *node)
{
    struct output *out = emitter->header;
    const char *upper = text_upper(node->c_name);
    output_print(out, "enum %s_which {\n", node->c_name);
    for (size_t i = 0; i < node->field_count; i++) {
        const struct field *field = &node->fields[i];
        if (field->discriminant != NO_DISCRIMINANT) {
            const char *origin = text_format("%s.%s", node->display_name, field->name);
            output_print(
                out, "    %s = %u,\n",
                emitter_claim(emitter, origin, "%s_WHICH_%s", upper, text_upper(field->c_name)),
                (unsigned)field->discriminant);
        }
    }
    output_print(out, "};\n");
}

/* Reading and building a whole struct at any pointer, and lists of it. They stand with the types,
 * since accessors of other files use them too. */
static void emit_roots(struct emitter *emitter, const struct node *node)
{
    struct output *out = emitter->header;
    const char *n = node->c_name;
    const char *origin = node->display_name;
    emitter_claim(emitter, origin, "%s_read", n);
    emitter_claim(emitter, origin, "%s_init", n);
    output_print(out,
                 "static inline struct %s_reader %s_read(struct capn_pointer at)\n{\n"
                 "    return (struct %s_reader){capn_read_struct(at, NULL)};\n}\n",
                 n, n, n);
    output_print(out,
                 "static inline struct %s_builder %s_init(struct capn_pointer_builder to)\n{\n"
                 "    return (struct %s_builder){capn_init_struct(to, %s_SIZE)};\n}\n",
                 n, n, n, text_upper(n));
    if (node->is_detached) {
        return;
    }
    emitter_claim(emitter, origin, "%s_list_read", n);
    emitter_claim(emitter, origin, "%s_list_init", n);
    emitter_claim(emitter, origin, "%s_list_get", n);
    emitter_claim(emitter, origin, "%s_list_edit", n);
    output_print(
        out,
        "static inline struct %s_list %s_list_read(struct capn_pointer at)\n{\n"
        "    return (struct %s_list){capn_read_list(at, CAPN_ELEMENT_COMPOSITE, NULL)};\n}\n",
        n, n, n);
    output_print(out,
                 "static inline struct %s_builder_list %s_list_init(struct capn_pointer_builder to,"
                 " uint32_t count)\n{\n"
                 "    return (struct %s_builder_list){capn_init_struct_list(to, count, %s_SIZE)};"
                 "\n}\n",
                 n, n, n, text_upper(n));
    output_print(out,
                 "static inline struct %s_reader %s_list_get(struct %s_list list, uint32_t index)"
                 "\n{\n    return (struct %s_reader){capn_list_get_struct(list.raw, index)};\n}\n",
                 n, n, n, n);
    output_print(out,
                 "static inline struct %s_builder %s_list_edit(struct %s_builder_list list,"
                 " uint32_t index)\n{\n"
                 "    return (struct %s_builder){capn_list_set_struct(list.raw, index)};\n}\n",
                 n, n, n, n);
}

void emit_struct_types(struct emitter *emitter, struct node *node)
{
    struct output *out = emitter->header;
    const char *upper = text_upper(node->c_name);
    output_print(out, "\n");
    output_comment(out, "", node->doc);
    emit_handle(emitter, node, "reader", "capn_struct");
    emit_handle(emitter, node, "builder", "capn_struct_builder");
    if (!node->is_group) {
        if (!node->is_detached) {
            emit_handle(emitter, node, "list", "capn_list");
            emit_handle(emitter, node, "builder_list", "capn_list_builder");
        }
        output_print(out, "#define %s UINT64_C(0x%016llx)\n",
                     emitter_claim(emitter, node->display_name, "%s_TYPE_ID", upper),
                     (unsigned long long)node->id);
        output_print(out, "#define %s ((struct capn_size){.data_words = %u, .pointers = %u})\n",
                     emitter_claim(emitter, node->display_name, "%s_SIZE", upper),
                     (unsigned)node->size.data_words, (unsigned)node->size.pointers);
    }
    if (node->discriminant_count) {
        emit_which_type(emitter, node);
    }
    if (!node->is_group) {
        emit_roots(emitter, node);
    }
}

/* ---- Accessors ---- */

/* What every field's accessors are made with. */
struct field_context {
    struct emitter *emitter;
    const struct node *node;
    const struct field *field;
    const char *origin;
    const char *n;     /* the struct's C name */
    const char *f;     /* the field's */
    const char *which; /* the union member's constant, NULL outside a union */
};

/* "static inline TYPE NAME(": the name is claimed. The comment goes before the field's first one.
 */
static void emit_begin(const struct field_context *c, const char *c_type, const char *verb)
{
    const char *name = emitter_claim(c->emitter, c->origin, "%s_%s_%s", c->n, verb, c->f);
    bool star = c_type[strlen(c_type) - 1] == '*';
    output_print(c->emitter->header, "static inline %s%s%s(", c_type, star ? "" : " ", name);
}

static void emit_discriminant_set(const struct field_context *c)
{
    if (c->which) {
        output_print(c->emitter->header, "    capn_set_u16(b.raw, %u, %s, 0);\n",
                     (unsigned)c->node->discriminant_offset * 2, c->which);
    }
}

static void emit_number(const struct field_context *c)
{
    struct output *out = c->emitter->header;
    const struct number *number = &numbers[c->field->type.kind];
    bool is_enum = c->field->type.kind == TYPE_ENUM;
    unsigned offset = (unsigned)c->field->offset * (number->bytes ? number->bytes : 1);
    const char *value = number_literal(c->field->type.kind, c->field->default_bits);
    emit_begin(c, number->c_type, "get");
    output_print(out, "struct %s_reader r)\n{\n    return ", c->n);
    if (c->which) {
        output_print(out, "%s_which(r) != %s ? %s : ", c->n, c->which, value);
    }
    output_print(out, "capn_get_%s(r.raw, %u, %s);\n}\n", number->suffix, offset, value);

    emit_begin(c, "void", "set");
    output_print(out, "struct %s_builder b, %s%s value)\n{\n", c->n,
                 is_enum ? text_format("enum %s", c->field->type.node->c_name) : number->c_type,
                 "");
    emit_discriminant_set(c);
    output_print(out, "    capn_set_%s(b.raw, %u, %svalue, %s);\n}\n", number->suffix, offset,
                 is_enum ? "(uint16_t)" : "", value);
}

static void emit_void(const struct field_context *c)
{
    if (!c->which) {
        return;
    }
    emit_begin(c, "void", "set");
    output_print(c->emitter->header, "struct %s_builder b)\n{\n", c->n);
    emit_discriminant_set(c);
    output_print(c->emitter->header, "}\n");
}

/* The place of a pointer, and whether it is null: what all other pointer accessors go through. */
static void emit_places(const struct field_context *c)
{
    struct output *out = c->emitter->header;
    unsigned index = (unsigned)c->field->offset;
    emit_begin(c, "struct capn_pointer", "at");
    output_print(out, "struct %s_reader r)\n{\n    return ", c->n);
    if (c->which) {
        output_print(out, "%s_which(r) != %s ? capn_absent_pointer(r.raw) : ", c->n, c->which);
    }
    output_print(out, "capn_get_pointer(r.raw, %u);\n}\n", index);
    emit_begin(c, "bool", "has");
    output_print(out, "struct %s_reader r)\n{\n    return !capn_pointer_is_null(%s_at_%s(r));\n}\n",
                 c->n, c->n, c->f);
    emit_begin(c, "struct capn_pointer_builder", "place");
    output_print(out, "struct %s_builder b)\n{\n", c->n);
    emit_discriminant_set(c);
    output_print(out, "    return capn_set_pointer(b.raw, %u);\n}\n", index);
}

/* A getter whose body is one expression over the place. */
static void emit_get(const struct field_context *c, const char *c_type, const char *before,
                     const char *after)
{
    emit_begin(c, c_type, "get");
    output_print(c->emitter->header, "struct %s_reader r)\n{\n    return %s%s_at_%s(r)%s;\n}\n",
                 c->n, before, c->n, c->f, after);
}

static const char *default_name(const struct field_context *c)
{
    if (capn_pointer_is_null(c->field->default_pointer)) {
        return NULL;
    }
    return emitter_claim(c->emitter, c->origin, "%s_%s_default", c->n, c->f);
}

static void emit_blob(const struct field_context *c)
{
    struct output *out = c->emitter->header;
    bool is_text = c->field->type.kind == TYPE_TEXT;
    const char *kind = is_text ? "text" : "data";
    const char *value = text_format("((struct capn_%s){0})", kind);
    const char *name = default_name(c);
    if (name && is_text) {
        value = text_literal(capn_read_text(c->field->default_pointer, (struct capn_text){0}));
        output_print(out, "#define %s %s\n", name, value);
        value = name;
    } else if (name) {
        struct capn_data data = capn_read_data(c->field->default_pointer, (struct capn_data){0});
        emit_bytes(c->emitter, name, data);
        value = text_format("((struct capn_data){%s, %zu})", name, data.length);
    }
    const char *c_type = text_format("struct capn_%s", kind);
    emit_get(c, c_type, text_format("capn_read_%s(", kind), text_format(", %s)", value));
    emit_begin(c, "void", "set");
    output_print(
        out, "struct %s_builder b, %s value)\n{\n    capn_write_%s(%s_place_%s(b), value);\n}\n",
        c->n, c_type, kind, c->n, c->f);
    emit_begin(c, is_text ? "char *" : "uint8_t *", "init");
    output_print(out,
                 "struct %s_builder b, uint64_t length)\n{\n"
                 "    return capn_init_%s(%s_place_%s(b), length);\n}\n",
                 c->n, kind, c->n, c->f);
}

static const char *default_segment(const struct field_context *c)
{
    const char *name = default_name(c);
    if (!name) {
        return "NULL";
    }
    emit_segment(c->emitter, name, c->field->default_pointer);
    return text_format("&%s", name);
}

static void emit_struct_field(const struct field_context *c)
{
    const char *m = c->field->type.node->c_name;
    const char *value = default_segment(c);
    emit_get(c, text_format("struct %s_reader", m),
             text_format("(struct %s_reader){capn_read_struct(", m), text_format(", %s)}", value));
    emit_begin(c, text_format("struct %s_builder", m), "init");
    output_print(c->emitter->header,
                 "struct %s_builder b)\n{\n    return %s_init(%s_place_%s(b));\n}\n", c->n, m, c->n,
                 c->f);
}

static void emit_list_field(const struct field_context *c)
{
    struct output *out = c->emitter->header;
    struct type type = c->field->type;
    const char *element = element_size_name(type, 1);
    const char *value = default_segment(c);
    if (type.list_depth == 1 && type.kind == TYPE_STRUCT) {
        const char *m = type.node->c_name;
        emit_get(c, text_format("struct %s_list", m),
                 text_format("(struct %s_list){capn_read_list(", m),
                 text_format(", %s, %s)}", element, value));
        emit_begin(c, text_format("struct %s_builder_list", m), "init");
        output_print(out,
                     "struct %s_builder b, uint32_t count)\n{\n"
                     "    return %s_list_init(%s_place_%s(b), count);\n}\n",
                     c->n, m, c->n, c->f);
        return;
    }
    emit_get(c, "struct capn_list", "capn_read_list(", text_format(", %s, %s)", element, value));
    emit_begin(c, "struct capn_list_builder", "init");
    output_print(out,
                 "struct %s_builder b, uint32_t count)\n{\n"
                 "    return capn_init_list(%s_place_%s(b), %s, count);\n}\n",
                 c->n, c->n, c->f, element);
}

static void emit_capability(const struct field_context *c)
{
    emit_get(c, "uint32_t", "capn_read_capability(", ")");
    emit_begin(c, "void", "set");
    output_print(c->emitter->header,
                 "struct %s_builder b, uint32_t index)\n{\n"
                 "    capn_write_capability(%s_place_%s(b), index);\n}\n",
                 c->n, c->n, c->f);
}

static void emit_group(const struct field_context *c)
{
    struct output *out = c->emitter->header;
    const char *m = c->field->group->c_name;
    emit_begin(c, text_format("struct %s_reader", m), "get");
    output_print(out, "struct %s_reader r)\n{\n    return (struct %s_reader){", c->n, m);
    if (c->which) {
        output_print(out, "%s_which(r) != %s ? capn_absent_group(r.raw) : ", c->n, c->which);
    }
    output_print(out, "r.raw};\n}\n");
    emit_begin(c, text_format("struct %s_builder", m), "init");
    output_print(out, "struct %s_builder b)\n{\n", c->n);
    emit_discriminant_set(c);
    output_print(out, "    return (struct %s_builder){b.raw};\n}\n", m);
}

static void emit_field(struct emitter *emitter, const struct node *node, const struct field *field)
{
    struct field_context c = {
        .emitter = emitter,
        .node = node,
        .field = field,
        .origin = text_format("%s.%s", node->display_name, field->name),
        .n = node->c_name,
        .f = field->c_name,
    };
    if (field->discriminant != NO_DISCRIMINANT) {
        c.which = text_format("%s_WHICH_%s", text_upper(node->c_name), text_upper(field->c_name));
    }
    output_print(emitter->header, "\n");
    output_comment(emitter->header, "", field->doc);
    if (field->group) {
        emit_group(&c);
    } else if (!type_is_pointer_kind(field->type)) {
        (field->type.kind == TYPE_VOID ? emit_void : emit_number)(&c);
    } else {
        emit_places(&c);
        if (field->type.list_depth) {
            emit_list_field(&c);
        } else if (field->type.kind == TYPE_STRUCT) {
            emit_struct_field(&c);
        } else if (field->type.kind == TYPE_INTERFACE) {
            emit_capability(&c);
        } else if (field->type.kind != TYPE_ANY) {
            emit_blob(&c);
        }
    }
}

void emit_struct_accessors(struct emitter *emitter, struct node *node)
{
    output_print(emitter->header, "\n/* ---- %s ---- */\n", node->display_name);
    if (node->discriminant_count) {
        emitter_claim(emitter, node->display_name, "%s_which", node->c_name);
        output_print(emitter->header,
                     "\n/* The active member; a number that enum %s_which does not have comes from"
                     " a newer schema. */\n"
                     "static inline uint16_t %s_which(struct %s_reader r)\n{\n"
                     "    return capn_get_u16(r.raw, %u, 0);\n}\n",
                     node->c_name, node->c_name, node->c_name,
                     (unsigned)node->discriminant_offset * 2);
    }
    for (size_t i = 0; i < node->field_count; i++) {
        emit_field(emitter, node, &node->fields[i]);
    }
}
