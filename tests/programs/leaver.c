/* SPDX-License-Identifier: MIT */
/* An init that starts every service of the manifest and ends without waiting for any of them. */
#include "user/lib/graph.h"

enum {
    LEAVER_EXIT_MANIFEST = 1,
    LEAVER_EXIT_START = 2,
    LEAVER_MODULE_BYTES = 1536 * 1024,
};

static uint8_t module[LEAVER_MODULE_BYTES];
static struct graph graph;

int main(struct rt *rt)
{
    const struct graph_memory memory = {module, sizeof(module)};

    if (!graph_open(&graph, rt, memory)) {
        return LEAVER_EXIT_MANIFEST;
    }
    for (uint32_t i = MANIFEST_INIT_INDEX + 1; i < graph.manifest.service_count; i++) {
        struct process_handle handle;

        if (!graph_start(&graph, i, &handle)) {
            return LEAVER_EXIT_START;
        }
    }
    return 0;
}
