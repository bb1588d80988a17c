/* SPDX-License-Identifier: MIT */
/* See vintage.h. */
#include "tests/capnp/vintage.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void line_keep(struct vintage *vintage, const char *text)
{
    if (vintage->count == vintage->capacity) {
        vintage->capacity = 2 * vintage->capacity + 64;
        vintage->lines = realloc(vintage->lines, vintage->capacity * sizeof(char *));
    }
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (!copy || !vintage->lines) {
        abort();
    }
    memcpy(copy, text, size);
    vintage->lines[vintage->count++] = copy;
}

__attribute__((format(printf, 2, 3))) static void line_add(struct vintage *vintage,
                                                           const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof(line)) {
        abort();
    }
    line_keep(vintage, line);
}

/* A default value by its bytes. */
static uint64_t default_hash(const struct capn_segment *value)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (uint64_t i = 0; value && i < value->words * 8; i++) {
        hash = (hash ^ value->bytes[i]) * UINT64_C(0x100000001b3);
    }
    return value ? hash : 0;
}

static const char *type_name(const struct capn_meta_field *field)
{
    static const char *const names[] = {"Void",    "Bool",    "Int8",      "Int16",     "Int32",
                                        "Int64",   "UInt8",   "UInt16",    "UInt32",    "UInt64",
                                        "Float32", "Float64", "Text",      "Data",      "group",
                                        "enum",    "struct",  "interface", "AnyPointer"};
    return names[field->type];
}

static void node_add(struct vintage *vintage, struct capn_meta meta)
{
    const char *name = capn_meta_name(meta);
    for (uint32_t i = 0; i < meta.node->count; i++) {
        if (meta.node->kind == CAPN_META_NODE_ENUM) {
            line_add(vintage, "enumerant %016" PRIx64 " %" PRIu32 " %s.%s", meta.node->id, i, name,
                     capn_meta_text(meta, capn_meta_enumerant(meta, i)->name));
        } else if (meta.node->kind == CAPN_META_NODE_INTERFACE) {
            const struct capn_meta_method *method = capn_meta_method(meta, i);
            line_add(vintage,
                     "method %016" PRIx64 " %" PRIu32 " %016" PRIx64 " %016" PRIx64 " %s.%s",
                     meta.node->id, i, method->params_id, method->results_id, name,
                     capn_meta_text(meta, method->name));
        } else {
            const struct capn_meta_field *field = capn_meta_field(meta, i);
            line_add(vintage,
                     "field %016" PRIx64 " %" PRIu32 " member %u at %" PRIu32
                     " list %u %s %016" PRIx64 " = %" PRIx64 " %" PRIx64 " %s.%s",
                     meta.node->id, i, (unsigned)field->discriminant, field->offset,
                     (unsigned)field->list_depth, type_name(field), field->type_id,
                     field->default_bits, default_hash(field->default_value), name,
                     capn_meta_text(meta, field->name));
        }
    }
    for (uint32_t i = 0; i < meta.node->parent_count; i++) {
        line_add(vintage, "parent %016" PRIx64 " %016" PRIx64 " %s", meta.node->id,
                 meta.file->parents[meta.node->first_parent + i], name);
    }
}

void vintage_of_index(struct vintage *vintage, const struct capn_meta_index *index)
{
    *vintage = (struct vintage){0};
    for (uint32_t i = 0; i < index->file_count; i++) {
        for (uint32_t k = 0; k < index->files[i]->node_count; k++) {
            node_add(vintage, (struct capn_meta){index->files[i], &index->files[i]->nodes[k]});
        }
    }
}

bool vintage_of_file(struct vintage *vintage, const char *path)
{
    char line[512];
    FILE *file = fopen(path, "r");
    *vintage = (struct vintage){0};
    if (!file) {
        return false;
    }
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = 0;
        line_keep(vintage, line);
    }
    fclose(file);
    return true;
}

const char *vintage_missing(const struct vintage *old, const struct vintage *today)
{
    for (size_t i = 0; i < old->count; i++) {
        bool found = false;
        for (size_t k = 0; k < today->count && !found; k++) {
            found = strcmp(old->lines[i], today->lines[k]) == 0;
        }
        if (!found) {
            return old->lines[i];
        }
    }
    return NULL;
}

void vintage_free(struct vintage *vintage)
{
    for (size_t i = 0; i < vintage->count; i++) {
        free(vintage->lines[i]);
    }
    free(vintage->lines);
    *vintage = (struct vintage){0};
}
