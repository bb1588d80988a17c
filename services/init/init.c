/* SPDX-License-Identifier: MIT */
/*
 * init: the first process, and the only one the kernel starts. It reads the manifest, starts every
 * other service with exactly the capabilities that the manifest grants, waits for all of them, and
 * ends with 0 only if each ended with 0.
 */
#include "user/lib/graph.h"

enum {
    INIT_EXIT_FAILED = 1,   /* a service did not end with 0 */
    INIT_EXIT_MANIFEST = 2, /* the manifest cannot be read or is refused */
    INIT_EXIT_START = 3,    /* a service could not be started */
    INIT_MODULE_BYTES = 1024 * 1024,
};

/* What became of one service. */
struct child {
    struct capn_text name;
    struct process_handle handle;
    struct client wait; /* for its end */
};

/* Reports the end of a service that has ended; whether it ended with 0. */
static bool child_end(struct rt *rt, struct child *child)
{
    struct process_end end;
    char text[64];
    int32_t outcome = process_client_wait_end(&child->wait, &end);

    if (outcome != TRANSPORT_OK) {
        (void)rt_print(rt, "init: cannot wait for %.*s: %s\n", (int)child->name.length,
                       child->name.bytes, client_outcome_name(outcome));
        return false;
    }
    process_end_text(&end, text, sizeof(text));
    (void)rt_print(rt, "init: %.*s %s\n", (int)child->name.length, child->name.bytes, text);
    return end.kind == PROCESS_EXIT_KIND_EXITED && end.code == 0;
}

/* Waits for all services, and reports each when it ends; the number of those that failed. */
static uint32_t children_wait(struct rt *rt, struct child *children, uint32_t count)
{
    struct rt_operation operation[MANIFEST_SERVICES_MAX];
    uint32_t failed = 0;
    uint32_t left = 0;

    for (uint32_t i = 0; i < count; i++) {
        operation[i].id = 0;
        if (process_client_wait_begin(rt, children[i].handle, TIMEOUT_NONE, &children[i].wait) ==
            TRANSPORT_OK) {
            operation[i] = children[i].wait.operation;
            left++;
        } else {
            failed += !child_end(rt, &children[i]);
        }
    }
    for (; left > 0; left--) {
        uint32_t which;
        int32_t status = rt_ring_wait_any(&rt->ring, operation, count, &which);

        if (status != TRANSPORT_OK) {
            (void)rt_print(rt, "init: cannot wait: %s\n", rt_status_name(status));
            return failed + left;
        }
        operation[which].id = 0;
        failed += !child_end(rt, &children[which]);
    }
    return failed;
}

static bool child_start(struct graph *graph, uint32_t index, struct child *child)
{
    struct manifest_service service;

    manifest_service_get(&graph->manifest, index, &service);
    child->name = service.name;
    if (service.restart.mode == MANIFEST_RESTART_MODE_ON_FAILURE ||
        service.restart.mode == MANIFEST_RESTART_MODE_ALWAYS) {
        (void)rt_print(graph->rt, "init: %.*s asks to be restarted, which this init does not do\n",
                       (int)service.name.length, service.name.bytes);
        return false;
    }
    return graph_start(graph, index, &child->handle);
}

/* Programs are at most some ten, each some tens of kilobytes. */
static uint8_t module[INIT_MODULE_BYTES];

static struct child children[MANIFEST_SERVICES_MAX];

int main(struct rt *rt)
{
    struct graph graph;
    uint32_t count;
    uint32_t failed;

    if (!graph_open(&graph, rt, (struct graph_memory){module, sizeof(module)})) {
        return INIT_EXIT_MANIFEST;
    }
    count = graph.manifest.service_count - 1; /* without init */
    (void)rt_print(rt, "init: system %.*s, %u services to start\n",
                   (int)manifest_system_name(&graph.manifest).length,
                   manifest_system_name(&graph.manifest).bytes, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!child_start(&graph, i + 1, &children[i])) {
            return INIT_EXIT_START;
        }
    }
    graph_release_endpoints(&graph);
    failed = children_wait(rt, children, count);
    if (failed != 0) {
        (void)rt_print(rt, "init: %u of %u services failed\n", failed, count);
        return INIT_EXIT_FAILED;
    }
    (void)rt_print(rt, "init: all %u services ended with 0\n", count);
    return 0;
}
