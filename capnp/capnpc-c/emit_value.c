/* SPDX-License-Identifier: MIT */
/* Values in C: literals of numbers, texts and data, flat messages for pointers, constants. */
#include "capnp/capnpc-c/emit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool type_is_pointer_kind(struct type type)
{
    return type.list_depth > 0 || (type.kind >= TYPE_TEXT && type.kind != TYPE_ENUM);
}

static const char *signed_literal(int64_t value, const char *minimum, bool wide)
{
    if (wide ? value == INT64_MIN : value == INT32_MIN) {
        return minimum;
    }
    return text_format(wide ? "INT64_C(%" PRId64 ")" : "%" PRId64, value);
}

const char *number_literal(enum type_kind kind, uint64_t bits)
{
    bool is_float = kind == TYPE_FLOAT32 || kind == TYPE_FLOAT64;
    if (bits == 0 && kind != TYPE_BOOL && !is_float) {
        return "0";
    }
    switch (kind) {
    case TYPE_BOOL:
        return bits ? "true" : "false";
    case TYPE_INT8:
        return text_format("%d", (int)(int8_t)bits);
    case TYPE_INT16:
        return text_format("%d", (int)(int16_t)bits);
    case TYPE_INT32:
        return signed_literal((int32_t)bits, "INT32_MIN", false);
    case TYPE_INT64:
        return signed_literal((int64_t)bits, "INT64_MIN", true);
    case TYPE_UINT32:
        return text_format("UINT32_C(%" PRIu64 ")", bits);
    case TYPE_UINT64:
        return text_format(bits > 0xffffffff ? "UINT64_C(0x%" PRIx64 ")" : "UINT64_C(%" PRIu64 ")",
                           bits);
    case TYPE_FLOAT32:
        return text_format("capn_float_of_bits(UINT32_C(0x%08" PRIx64 "))", bits);
    case TYPE_FLOAT64:
        return text_format("capn_double_of_bits(UINT64_C(0x%016" PRIx64 "))", bits);
    default:
        return text_format("%" PRIu64, bits);
    }
}

const char *text_literal(struct capn_text text)
{
    struct output literal = {0};
    output_print(&literal, "((struct capn_text){");
    output_string(&literal, text.bytes, text.length);
    output_print(&literal, ", %zu})", text.length);
    return text_copy(literal.bytes, literal.length);
}

const char *element_size_name(struct type type, unsigned depth)
{
    static const char *const names[TYPE_KIND_COUNT] = {
        [TYPE_VOID] = "VOID",           [TYPE_BOOL] = "BIT",          [TYPE_INT8] = "BYTE",
        [TYPE_UINT8] = "BYTE",          [TYPE_INT16] = "TWO_BYTES",   [TYPE_UINT16] = "TWO_BYTES",
        [TYPE_ENUM] = "TWO_BYTES",      [TYPE_INT32] = "FOUR_BYTES",  [TYPE_UINT32] = "FOUR_BYTES",
        [TYPE_FLOAT32] = "FOUR_BYTES",  [TYPE_INT64] = "EIGHT_BYTES", [TYPE_UINT64] = "EIGHT_BYTES",
        [TYPE_FLOAT64] = "EIGHT_BYTES", [TYPE_STRUCT] = "COMPOSITE",
    };
    bool innermost = type.list_depth == depth;
    const char *name = innermost ? names[type.kind] : NULL;
    return text_format("CAPN_ELEMENT_%s", name ? name : "POINTER");
}

static void emit_byte_rows(struct output *out, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        output_print(out, "%s0x%02x,", i % 8 == 0 ? "\n    " : " ", bytes[i]);
    }
}

void emit_bytes(struct emitter *emitter, const char *name, struct capn_data data)
{
    struct output *source = emitter_source(emitter);
    output_print(emitter->header, "extern const uint8_t %s[%zu];\n", name,
                 data.length ? data.length : 1);
    output_print(source, "\nconst uint8_t %s[%zu] = {", name, data.length ? data.length : 1);
    emit_byte_rows(source, data.bytes, data.length);
    output_print(source, data.length ? "\n};\n" : "0};\n");
}

void emit_segment(struct emitter *emitter, const char *name, struct capn_pointer pointer)
{
    struct output *source = emitter_source(emitter);
    uint64_t words = 1 + capn_copy_words(pointer);
    struct capn_build_segment segment = {.bytes = memory_take((size_t)words, CAPN_WORD_BYTES),
                                         .capacity_words = (uint32_t)words};
    struct capn_builder builder;
    capn_builder_init(&builder, &segment, 1);
    enum capn_status status = CAPN_OK;
    if (!capn_pointer_is_null(pointer)) {
        status = capn_copy(capn_builder_root(&builder), pointer);
    }
    if (status != CAPN_OK || words > CAPN_LIST_COUNT_MAX) {
        model_error(emitter->model, name, "its value cannot be copied: %s",
                    capn_status_text(status));
        return;
    }
    output_print(emitter->header, "extern const struct capn_segment %s;\n", name);
    output_print(source, "\nstatic const uint8_t %s_bytes[] = {", name);
    emit_byte_rows(source, segment.bytes, (size_t)segment.used_words * CAPN_WORD_BYTES);
    output_print(source, "\n};\nconst struct capn_segment %s = {%s_bytes, %u};\n", name, name,
                 (unsigned)segment.used_words);
}

static void emit_pointer_const(struct emitter *emitter, struct node *node)
{
    struct output *header = emitter->header;
    struct capn_pointer pointer = value_pointer(node->value);
    if (node->type.list_depth == 0 && node->type.kind == TYPE_TEXT) {
        const char *name =
            emitter_claim(emitter, node->display_name, "%s", text_upper(node->c_name));
        output_print(header, "#define %s %s\n", name,
                     text_literal(capn_read_text(pointer, (struct capn_text){0})));
    } else if (node->type.list_depth == 0 && node->type.kind == TYPE_DATA) {
        struct capn_data data = capn_read_data(pointer, (struct capn_data){0});
        emit_bytes(emitter, emitter_claim(emitter, node->display_name, "%s", node->c_name), data);
        const char *name =
            emitter_claim(emitter, node->display_name, "%s", text_upper(node->c_name));
        output_print(header, "#define %s ((struct capn_data){%s, %zu})\n", name, node->c_name,
                     data.length);
    } else {
        emit_segment(emitter, emitter_claim(emitter, node->display_name, "%s", node->c_name),
                     pointer);
    }
}

void emit_const(struct emitter *emitter, struct node *node)
{
    output_print(emitter->header, "\n");
    output_comment(emitter->header, "", node->doc);
    if (type_is_pointer_kind(node->type)) {
        emit_pointer_const(emitter, node);
        return;
    }
    const char *name = emitter_claim(emitter, node->display_name, "%s", text_upper(node->c_name));
    uint64_t bits = value_bits(node->value);
    if (node->type.kind == TYPE_ENUM) {
        const struct node *type = node->type.node;
        const char *value =
            bits < type->enumerant_count
                ? text_upper(text_format("%s_%s", type->c_name, type->enumerants[bits].c_name))
                : number_literal(TYPE_UINT16, bits);
        output_print(emitter->header, "#define %s %s\n", name, value);
    } else if (node->type.kind == TYPE_VOID) {
        output_print(emitter->header, "#define %s ((void)0)\n", name);
    } else {
        output_print(emitter->header, "#define %s %s\n", name,
                     number_literal(node->type.kind, bits));
    }
}
