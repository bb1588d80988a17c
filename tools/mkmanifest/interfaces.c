/* SPDX-License-Identifier: MIT */
/* The interfaces of schema/, out of the metadata that is generated from it. */
#include "tools/mkmanifest/interfaces.h"

#include <string.h>

/* Interface number `index` of all files; false: there are fewer. */
static bool interface_at(size_t index, struct interface *interface)
{
    for (uint32_t f = 0; f < capn_meta_index.file_count; f++) {
        const struct capn_meta_file *file = capn_meta_index.files[f];

        for (uint32_t n = 0; n < file->node_count; n++) {
            if (file->nodes[n].kind == CAPN_META_NODE_INTERFACE && index-- == 0) {
                interface->meta = (struct capn_meta){file, &file->nodes[n]};
                return true;
            }
        }
    }
    return false;
}

const char *interface_method_name(struct interface interface, uint32_t ordinal)
{
    return capn_meta_text(interface.meta, capn_meta_method(interface.meta, ordinal)->name);
}

const char *interface_method_summary(struct pool *pool, struct interface interface,
                                     uint32_t ordinal)
{
    const char *text =
        capn_meta_text(interface.meta, capn_meta_method(interface.meta, ordinal)->doc);
    size_t length = 0;
    char *summary;

    while (text[length] != '\0' &&
           !(text[length] == '.' &&
             (text[length + 1] == ' ' || text[length + 1] == '\n' || text[length + 1] == '\0'))) {
        length++;
    }
    summary = pool_format(pool, "%.*s", (int)length, text);
    for (size_t i = 0; i < length; i++) {
        summary[i] = summary[i] == '\n' ? ' ' : summary[i];
    }
    return summary;
}

bool interface_find(const char *name, struct interface *interface)
{
    for (size_t i = 0; interface_at(i, interface); i++) {
        if (strcmp(interface_name(*interface), name) == 0) {
            return true;
        }
    }
    return false;
}

bool interface_by_id(uint64_t id, struct interface *interface)
{
    for (size_t i = 0; interface_at(i, interface); i++) {
        if (interface_id(*interface) == id) {
            return true;
        }
    }
    return false;
}

struct name_list interface_names(struct pool *pool)
{
    struct name_list list = {NULL, 0};
    struct interface interface;

    while (interface_at(list.count, &interface)) {
        list.count++;
    }
    list.names = pool_alloc(pool, list.count + 1, sizeof(*list.names));
    for (size_t i = 0; interface_at(i, &interface); i++) {
        list.names[i] = interface_name(interface);
    }
    return list;
}

struct name_list interface_methods(struct pool *pool, struct interface interface)
{
    uint32_t count = interface_method_count(interface);
    const char **names = pool_alloc(pool, (size_t)count + 1, sizeof(*names));

    for (uint32_t i = 0; i < count; i++) {
        names[i] = interface_method_name(interface, i);
    }
    return (struct name_list){names, count};
}
