/* SPDX-License-Identifier: MIT */
/*
 * Building the authority graph.
 *
 * For each export the supervisor makes an endpoint and grants its owner's edge to the exporter; for
 * each grant of an export it mints a client's edge of exactly the interface, facet and badge that
 * the manifest states, grants that, and releases its own. Kernel objects are granted from the edges
 * that the supervisor was itself granted. What the supervisor holds is therefore never more than
 * its own line of the manifest plus the owner's edges, and those it gives up at the end.
 */
#include "user/lib/graph.h"

#include "core/assert.h"
#include "core/string.h"

/* A service being started: its grants, and the edges that were minted only for it. */
struct start {
    struct graph *graph;
    struct manifest_service service;
    struct process_grant grant[LIMIT_TRANSFERS];
    uint32_t grant_count;
    struct cap_id minted[LIMIT_TRANSFERS];
    uint32_t minted_count;
};

static const char *own_name(const struct graph *graph)
{
    return graph->rt->start->process_name;
}

static int text_length(struct capn_text text)
{
    return (int)text.length;
}

/* Looks up one capability of the supervisor by interface; raw 0: it is not held. */
static struct cap_id held(const struct rt *rt, uint64_t interface_id)
{
    const struct capset_entry *entry = rt_find_interface(rt, interface_id);

    return entry == NULL ? (struct cap_id){.raw = 0} : entry->cap;
}

static bool refused(struct graph *graph, const char *what, int32_t outcome)
{
    (void)rt_print(graph->rt, "%.32s: %s: %s\n", own_name(graph), what,
                   client_outcome_name(outcome));
    return false;
}

/* Copies the boot module into `memory`; *length becomes its own. */
static bool module_read(struct graph *graph, struct graph_memory memory, uint64_t *length)
{
    uint32_t binaries;
    int32_t outcome = boot_package_client_size(graph->rt, graph->package, length, &binaries);

    if (outcome != TRANSPORT_OK) {
        return refused(graph, "cannot ask the boot package for its size", outcome);
    }
    if (*length > memory.size) {
        (void)rt_print(
            graph->rt, "%.32s: the boot package has %llu bytes, there is room for %llu\n",
            own_name(graph), (unsigned long long)*length, (unsigned long long)memory.size);
        return false;
    }
    outcome = boot_package_client_read(graph->rt, graph->package, 0, memory.bytes, *length);
    if (outcome != TRANSPORT_OK) {
        return refused(graph, "cannot read the boot package", outcome);
    }
    return true;
}

bool graph_open(struct graph *graph, struct rt *rt, struct graph_memory memory)
{
    uint64_t length;
    char path[96];

    *graph = (struct graph){
        .rt = rt,
        .package.cap = held(rt, BOOT_PACKAGE_INTERFACE_ID),
        .spawner.cap = held(rt, PROCESS_SPAWNER_INTERFACE_ID),
        .factory.cap = held(rt, ENDPOINT_FACTORY_INTERFACE_ID),
    };
    if (!module_read(graph, memory, &length)) {
        return false;
    }
    if (manifest_open(memory.bytes, length, &graph->manifest) != MANIFEST_OK) {
        const struct manifest_refusal *refusal = &graph->manifest.refusal;

        (void)manifest_path_text(refusal, path, sizeof(path));
        (void)rt_print(rt, "%.32s: the manifest is refused: %s: %s\n", own_name(graph), path,
                       manifest_error_text(refusal->error));
        return false;
    }
    return true;
}

/* ---- grants ---------------------------------------------------------------------------------- */

static bool grant_add(struct start *start, const struct process_grant *grant)
{
    if (start->grant_count == LIMIT_TRANSFERS) {
        return refused(start->graph, "more grants than one spawn carries", TRANSPORT_TOO_LARGE);
    }
    start->grant[start->grant_count] = *grant;
    start->grant_count++;
    return true;
}

/* Makes the endpoint of one export and grants its owner's edge. */
static bool export_add(struct start *start, uint32_t index)
{
    struct graph *graph = start->graph;
    struct graph_endpoint *endpoint = &graph->endpoint[graph->endpoint_count];
    struct manifest_export exported;
    int32_t outcome;

    if (graph->endpoint_count == GRAPH_ENDPOINTS_MAX) {
        return refused(graph, "more exports than one supervisor keeps", TRANSPORT_LIMIT);
    }
    manifest_export_get(&graph->manifest, &start->service, index, &exported);
    outcome = endpoint_client_create(graph->rt, graph->factory, &exported, &endpoint->owner);
    if (outcome != TRANSPORT_OK) {
        return refused(graph, "cannot make an endpoint", outcome);
    }
    endpoint->service = start->service.index;
    endpoint->exported = index;
    graph->endpoint_count++;
    return grant_add(start, &(struct process_grant){
                                .name = exported.name,
                                .cap = endpoint->owner.cap,
                                .facet = MANIFEST_FACET_ALL,
                                .mode = AUTHORITY_TRANSFER_MODE_COPY,
                            });
}

static const struct graph_endpoint *endpoint_find(const struct graph *graph,
                                                  const struct manifest_grant *grant)
{
    for (uint32_t i = 0; i < graph->endpoint_count; i++) {
        const struct graph_endpoint *endpoint = &graph->endpoint[i];

        if (endpoint->service == grant->service && endpoint->exported == grant->service_export) {
            return endpoint;
        }
    }
    return NULL;
}

/* A client's edge to an export, minted for this service alone. */
static bool client_add(struct start *start, const struct manifest_grant *grant)
{
    struct graph *graph = start->graph;
    const struct graph_endpoint *endpoint = endpoint_find(graph, grant);
    struct cap_id client;
    int32_t outcome;

    if (endpoint == NULL) {
        return refused(graph, "the server of a grant is not running", TRANSPORT_PEER_GONE);
    }
    outcome = endpoint_client_mint(graph->rt, endpoint->owner,
                                   &(struct endpoint_session){
                                       .interface_id = grant->interface_id,
                                       .facet = grant->facet,
                                       .badge = grant->badge,
                                       .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE,
                                   },
                                   &client);
    if (outcome != TRANSPORT_OK) {
        return refused(graph, "cannot mint a client's edge", outcome);
    }
    start->minted[start->minted_count] = client;
    start->minted_count++;
    return grant_add(start, &(struct process_grant){
                                .name = grant->name,
                                .cap = client,
                                .facet = grant->facet,
                                .mode = grant->transfer,
                            });
}

/* A kernel object, from the edge that the supervisor holds itself. */
static bool kernel_add(struct start *start, const struct manifest_grant *grant)
{
    const struct capset_entry *entry =
        rt_find_interface(start->graph->rt, manifest_source_interface(grant->source));

    if (entry == NULL) {
        return refused(start->graph, "a grant's source is not held", TRANSPORT_BAD_CAP);
    }
    return grant_add(start, &(struct process_grant){
                                .name = grant->name,
                                .cap = entry->cap,
                                .facet = grant->facet,
                                .badge = grant->badge,
                                .mode = grant->transfer,
                            });
}

static bool grants_make(struct start *start)
{
    struct manifest *manifest = &start->graph->manifest;

    for (uint32_t i = 0; i < start->service.export_count; i++) {
        if (!export_add(start, i)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < start->service.grant_count; i++) {
        struct manifest_grant grant;

        manifest_grant_get(manifest, &start->service, i, &grant);
        if (!(grant.from_kernel ? kernel_add(start, &grant) : client_add(start, &grant))) {
            return false;
        }
    }
    return true;
}

/* ---- start ----------------------------------------------------------------------------------- */

static bool service_spawn(struct start *start, struct process_handle *handle)
{
    struct capn_text arguments[MANIFEST_ARGUMENTS_MAX];
    const struct manifest_service *service = &start->service;
    struct process_request request = {
        .name = service->name,
        .boot_binary = service->binary,
        .grants = start->grant,
        .grant_count = start->grant_count,
        .arguments = arguments,
        .argument_count = service->argument_count,
        .quotas = service->quotas,
        .scheduling = service->scheduling,
    };
    int32_t outcome;

    for (uint32_t i = 0; i < service->argument_count; i++) {
        arguments[i] = manifest_argument_get(&start->graph->manifest, service, i);
    }
    outcome = process_client_spawn(start->graph->rt, start->graph->spawner, &request, handle);
    return outcome == TRANSPORT_OK || refused(start->graph, "the spawner refuses", outcome);
}

static void owner_release(struct graph *graph, const struct graph_endpoint *endpoint)
{
    int32_t status = rt_release(&graph->rt->ring, endpoint->owner.cap);

    ASSERT(status == TRANSPORT_OK);
}

bool graph_start(struct graph *graph, uint32_t index, struct process_handle *handle)
{
    struct start start = {.graph = graph};
    uint32_t endpoints = graph->endpoint_count;
    bool started;

    manifest_service_get(&graph->manifest, index, &start.service);
    started = grants_make(&start) && service_spawn(&start, handle);
    for (uint32_t i = 0; i < start.minted_count; i++) {
        int32_t status = rt_release(&graph->rt->ring, start.minted[i]);

        ASSERT(status == TRANSPORT_OK);
    }
    if (!started) {
        (void)rt_print(graph->rt, "%.32s: cannot start %.*s\n", own_name(graph),
                       text_length(start.service.name), start.service.name.bytes);
        while (graph->endpoint_count > endpoints) {
            graph->endpoint_count--;
            owner_release(graph, &graph->endpoint[graph->endpoint_count]);
        }
    }
    return started;
}

void graph_release_endpoints(struct graph *graph)
{
    for (uint32_t i = 0; i < graph->endpoint_count; i++) {
        owner_release(graph, &graph->endpoint[i]);
    }
    graph->endpoint_count = 0;
}
