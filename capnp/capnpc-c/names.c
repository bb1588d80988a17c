/* SPDX-License-Identifier: MIT */
/*
 * Names in C, by the one rule of capnp/names.md, and the refusal of names that fall
 * together or are keywords. Nothing is ever renamed in silence: the schema's author says what a
 * colliding declaration shall be called, with $C.name.
 */
#include "capnp/capnpc-c/model.h"
#include "capnp/capnpc-c/text.h"

#include <string.h>

/* C11, and what C23 adds and the headers of C11 define as macros. */
static const char *const keywords[] = {
    "alignas",  "alignof",  "asm",          "auto",     "bool",     "break",   "case",
    "char",     "const",    "constexpr",    "continue", "default",  "do",      "double",
    "else",     "enum",     "extern",       "false",    "float",    "for",     "goto",
    "if",       "inline",   "int",          "long",     "noreturn", "nullptr", "register",
    "restrict", "return",   "short",        "signed",   "sizeof",   "static",  "static_assert",
    "struct",   "switch",   "thread_local", "true",     "typedef",  "typeof",  "typeof_unqual",
    "union",    "unsigned", "void",         "volatile", "while",
};

bool name_is_keyword(const char *identifier)
{
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        if (strcmp(identifier, keywords[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A set of claimed identifiers: open addressing, never more than half full. */
struct claim {
    const char *identifier;
    const char *origin;
};
static struct claim *claims;
static size_t claim_capacity;
static size_t claim_count;

static struct claim *claim_slot(struct claim *table, size_t capacity, const char *identifier)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *c = identifier; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    }
    size_t i = (size_t)hash & (capacity - 1);
    while (table[i].identifier && strcmp(table[i].identifier, identifier) != 0) {
        i = (i + 1) & (capacity - 1);
    }
    return &table[i];
}

static void claims_grow(void)
{
    size_t capacity = claim_capacity ? 2 * claim_capacity : 4096;
    struct claim *table = memory_take(capacity, sizeof(*table));
    for (size_t i = 0; i < claim_capacity; i++) {
        if (claims[i].identifier) {
            *claim_slot(table, capacity, claims[i].identifier) = claims[i];
        }
    }
    claims = table;
    claim_capacity = capacity;
}

static bool identifier_is_valid(const char *identifier)
{
    if (identifier[0] >= '0' && identifier[0] <= '9') {
        return false;
    }
    for (const char *c = identifier; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';
        if (!letter && !(*c >= '0' && *c <= '9')) {
            return false;
        }
    }
    return identifier[0] != 0;
}

void name_claim(struct model *model, const char *identifier, const char *origin)
{
    if (!identifier_is_valid(identifier)) {
        model_error(model, origin, "\"%s\" is no C identifier; give it one with $C.name(\"...\")",
                    identifier);
        return;
    }
    if (name_is_keyword(identifier)) {
        model_error(model, origin,
                    "\"%s\" is a keyword of C; give it another name with $C.name(\"...\")",
                    identifier);
        return;
    }
    if (2 * (claim_count + 1) > claim_capacity) {
        claims_grow();
    }
    struct claim *claim = claim_slot(claims, claim_capacity, identifier);
    if (claim->identifier) {
        model_error(
            model, origin,
            "the C name \"%s\" is taken by %s; give one of them another with $C.name(\"...\")",
            identifier, claim->origin);
        return;
    }
    *claim = (struct claim){.identifier = text_copy(identifier, strlen(identifier)),
                            .origin = text_copy(origin, strlen(origin))};
    claim_count++;
}

/* "timer" + "timer_object" is "timer_object": a name that begins with its prefix keeps one. */
static const char *prefix_join(const char *prefix, const char *name)
{
    size_t length = strlen(prefix);
    if (text_starts_with(name, prefix) && (name[length] == 0 || name[length] == '_')) {
        return name;
    }
    return text_format("%s_%s", prefix, name);
}

static const char *field_of_group(const struct node *node, const struct node *group)
{
    for (size_t i = 0; i < node->field_count; i++) {
        if (node->fields[i].group == group) {
            return node->fields[i].c_name;
        }
    }
    return text_snake(group->name);
}

static const char *method_list_name(const struct node *node, const struct node *list)
{
    for (size_t i = 0; i < node->method_count; i++) {
        if (node->methods[i].params == list) {
            return text_format("%s_params", node->methods[i].c_name);
        }
        if (node->methods[i].results == list) {
            return text_format("%s_results", node->methods[i].c_name);
        }
    }
    return text_snake(list->name);
}

static void names_assign_children(struct model *model, struct node *node)
{
    for (size_t i = 0; i < node->child_count; i++) {
        struct node *child = node->children[i];
        const char *chosen = annotation_text(node_annotations(child->raw), ANNOTATION_NAME);
        if (chosen) {
            child->c_name = chosen;
        } else if (child->is_group) {
            child->c_name = text_format("%s_%s", node->c_name, field_of_group(node, child));
        } else if (child->is_detached) {
            child->c_name = text_format("%s_%s", node->c_name, method_list_name(node, child));
        } else if (node->kind == NODE_FILE) {
            child->c_name = prefix_join(node->c_name, text_snake(child->name));
        } else {
            child->c_name = text_format("%s_%s", node->c_name, text_snake(child->name));
        }
        names_assign_children(model, child);
    }
}

/* The stem of a file that is imported, not requested, comes from its display name. */
static const char *file_prefix(const struct model *model, const struct node *file)
{
    const char *chosen = annotation_text(node_annotations(file->raw), ANNOTATION_PREFIX);
    if (chosen) {
        return chosen;
    }
    for (size_t i = 0; i < model->file_count; i++) {
        if (model->files[i].node == file) {
            return model->files[i].stem;
        }
    }
    const char *slash = strrchr(file->display_name, '/');
    const char *base = slash ? slash + 1 : file->display_name;
    const char *dot = strstr(base, ".capnp");
    return text_snake(text_copy(base, dot ? (size_t)(dot - base) : strlen(base)));
}

/* What a node refers to must be of the kind that is meant, and in some file. */
static void reference_check(struct model *model, const struct node *from, const struct node *to,
                            enum node_kind kind)
{
    if (to && (!to->c_name || to->kind != kind)) {
        model_error(model, from->display_name, "it refers to %s, which is in no file or no %s",
                    to->display_name,
                    kind == NODE_STRUCT ? "struct"
                    : kind == NODE_ENUM ? "enum"
                                        : "interface");
    }
}

static void references_check(struct model *model, const struct node *node)
{
    static const enum node_kind kinds[TYPE_KIND_COUNT] = {
        [TYPE_ENUM] = NODE_ENUM, [TYPE_STRUCT] = NODE_STRUCT, [TYPE_INTERFACE] = NODE_INTERFACE};
    for (size_t i = 0; i < node->field_count; i++) {
        const struct field *field = &node->fields[i];
        reference_check(model, node, field->group, NODE_STRUCT);
        if (field->group && (!field->group->is_group || field->group->scope_id != node->id)) {
            model_error(model, node->display_name, "its group %s is not its own", field->name);
        }
        reference_check(model, node, field->type.node, kinds[field->type.kind]);
    }
    for (size_t i = 0; i < node->method_count; i++) {
        reference_check(model, node, node->methods[i].params, NODE_STRUCT);
        reference_check(model, node, node->methods[i].results, NODE_STRUCT);
    }
    for (size_t i = 0; i < node->superclass_count; i++) {
        reference_check(model, node, node->superclasses[i], NODE_INTERFACE);
    }
    reference_check(model, node, node->type.node, kinds[node->type.kind]);
}

void names_assign(struct model *model)
{
    for (size_t i = 0; i < model->node_count; i++) {
        struct node *node = &model->nodes[i];
        if (node->kind == NODE_FILE) {
            node->c_name = file_prefix(model, node);
            names_assign_children(model, node);
        }
    }
    struct node *stream = model_find(model, STREAM_RESULT_ID);
    if (stream) {
        stream->c_name = "capn_stream_result";
    }
    for (size_t i = 0; i < model->node_count; i++) {
        if (model->nodes[i].c_name) {
            references_check(model, &model->nodes[i]);
        }
    }
}
