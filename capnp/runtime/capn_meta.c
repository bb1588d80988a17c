/* SPDX-License-Identifier: MIT */
/* Finding a node by its id: a file's nodes are in the order of their ids. */
#include "capn_meta.h"

static const struct capn_meta_node *node_find(const struct capn_meta_file *file, uint64_t id)
{
    uint32_t low = 0;
    uint32_t high = file->node_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (file->nodes[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < file->node_count && file->nodes[low].id == id;
    return found ? &file->nodes[low] : NULL;
}

struct capn_meta capn_meta_find(const struct capn_meta_file *file, uint64_t id)
{
    struct capn_meta meta = {.file = file, .node = node_find(file, id)};
    for (uint32_t i = 0; i < file->import_count && meta.node == NULL; i++) {
        meta.file = file->imports[i];
        meta.node = node_find(meta.file, id);
    }
    return meta;
}

struct capn_meta capn_meta_index_find(const struct capn_meta_index *index, uint64_t id)
{
    struct capn_meta meta = {0};
    for (uint32_t i = 0; i < index->file_count && meta.node == NULL; i++) {
        meta.file = index->files[i];
        meta.node = node_find(meta.file, id);
    }
    return meta;
}
