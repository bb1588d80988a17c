/* SPDX-License-Identifier: MIT */
/*
 * From the boot manifest to running processes: what init does, for init and for test supervisors.
 * The caller holds the boot package, a process spawner, and an endpoint factory if any service
 * exports; it finds them by interface, whatever their names are.
 */
#ifndef USER_LIB_GRAPH_H
#define USER_LIB_GRAPH_H

#include "core/manifest.h"
#include "user/lib/boot_package.h"
#include "user/lib/endpoint.h"
#include "user/lib/process.h"

enum {
    GRAPH_ENDPOINTS_MAX = 64, /* exports of all services */
};

/* The endpoint behind one export. */
struct graph_endpoint {
    uint32_t service;
    uint32_t exported; /* index among the service's exports */
    struct endpoint_owner owner;
};

struct graph {
    struct rt *rt;
    struct boot_package package;
    struct process_spawner spawner;
    struct endpoint_factory factory; /* cap.raw 0: not held */
    struct manifest manifest;
    uint32_t endpoint_count;
    struct graph_endpoint endpoint[GRAPH_ENDPOINTS_MAX];
};

/* Memory for the boot module, which the manifest points into as long as the graph is used. */
struct graph_memory {
    uint8_t *bytes;
    uint64_t size;
};

/* Reads the boot module into `memory` and checks the manifest. Says on the console why it cannot;
 * false then. */
MUST_USE bool graph_open(struct graph *graph, struct rt *rt, struct graph_memory memory);

/*
 * Starts service `index` with exactly the capabilities that the manifest grants it, or changes
 * nothing that a later start would notice. Says on the console why it cannot; false then.
 */
MUST_USE bool graph_start(struct graph *graph, uint32_t index, struct process_handle *handle);

/* Gives up the supervisor's share in every endpoint, once nobody else is to be started: from then
 * on an endpoint ends with its server. */
void graph_release_endpoints(struct graph *graph);

#endif
