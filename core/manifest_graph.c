/* SPDX-License-Identifier: MIT */
/*
 * Steps 7 to 10 of manifest.c: the services among each other. Every field was checked before, so
 * the accessors may be used.
 */
#include "core/assert.h"
#include "core/hold_edge.h"
#include "core/manifest_check.h"

_Static_assert(MANIFEST_FACET_ALL == CAP_FACET_ALL, "facets of grants are those of edges");

/* ---- 7: binaries, sources, exports ----------------------------------------------------------- */

static bool refuse_numbers(struct manifest *m, const char *field, enum manifest_error error,
                           uint64_t found, uint64_t limit)
{
    return manifest_refuse_field(m, field, error, (struct manifest_numbers){found, limit});
}

/* A kernel object granted to another than init comes out of init's hands. */
static bool held_check(struct manifest *m, const struct manifest_grant *grant)
{
    struct manifest_service init;
    struct manifest_grant held;
    uint32_t index;

    manifest_service_get(m, MANIFEST_INIT_INDEX, &init);
    index = manifest_grant_of_source(m, &init, grant->source);
    if (index == MANIFEST_NO_INDEX) {
        return manifest_refuse_name(m, "source", MANIFEST_ERROR_NOT_HELD, grant->source_name);
    }
    manifest_grant_get(m, &init, index, &held);
    if (!facet_is_within(grant->facet, held.facet)) {
        return refuse_numbers(m, "facet", MANIFEST_ERROR_FACET, grant->facet, held.facet);
    }
    return manifest_transfer_within(grant->transfer, held.transfer) ||
           refuse_numbers(m, "transfer", MANIFEST_ERROR_TRANSFER, grant->transfer, held.transfer);
}

static bool kernel_grant_check(struct manifest *m, uint32_t service,
                               const struct manifest_grant *grant)
{
    uint64_t interface_id;
    uint64_t methods;

    if (grant->source == MANIFEST_SOURCE_COUNT) {
        return manifest_refuse_name(m, "source", MANIFEST_ERROR_NO_SOURCE, grant->source_name);
    }
    interface_id = manifest_source_interface(grant->source);
    methods = manifest_source_methods(grant->source);
    if (grant->interface_id != interface_id) {
        return refuse_numbers(m, "interface", MANIFEST_ERROR_INTERFACE, grant->interface_id,
                              interface_id);
    }
    if (grant->facet != MANIFEST_FACET_ALL && !facet_is_within(grant->facet, methods)) {
        return refuse_numbers(m, "facet", MANIFEST_ERROR_FACET, grant->facet, methods);
    }
    if (grant->badge != 0) {
        return refuse_numbers(m, "badge", MANIFEST_ERROR_BADGE, grant->badge, 0);
    }
    return service == MANIFEST_INIT_INDEX || held_check(m, grant);
}

static bool service_grant_check(struct manifest *m, uint32_t service,
                                const struct manifest_grant *grant)
{
    struct manifest_service exporter;
    struct manifest_export exported;

    if (service == MANIFEST_INIT_INDEX) {
        return manifest_refuse_name(m, "source", MANIFEST_ERROR_INIT_SOURCE, grant->source_name);
    }
    if (grant->service == MANIFEST_NO_INDEX) {
        return manifest_refuse_name(m, "source", MANIFEST_ERROR_NO_SERVICE, grant->source_name);
    }
    if (grant->service_export == MANIFEST_NO_INDEX) {
        return manifest_refuse_name(m, "source", MANIFEST_ERROR_NO_EXPORT, grant->export_name);
    }
    if (grant->service >= service) {
        return manifest_refuse_name(m, "source", MANIFEST_ERROR_LATER_SERVICE, grant->source_name);
    }
    manifest_service_get(m, grant->service, &exporter);
    manifest_export_get(m, &exporter, grant->service_export, &exported);
    if (grant->interface_id != exported.interface_id) {
        return refuse_numbers(m, "interface", MANIFEST_ERROR_INTERFACE, grant->interface_id,
                              exported.interface_id);
    }
    return facet_is_within(grant->facet, exported.facet) ||
           refuse_numbers(m, "facet", MANIFEST_ERROR_FACET, grant->facet, exported.facet);
}

/* Whether no grant before that at `index` of the service has its badge at the same export: a badge
 * is one session's, which is made once. */
static bool badge_is_new(struct manifest *m, const struct manifest_service *service, uint32_t index,
                         const struct manifest_grant *grant)
{
    for (uint32_t i = 0; grant->badge != 0 && i <= service->index; i++) {
        struct manifest_service other;

        manifest_service_get(m, i, &other);
        for (uint32_t j = 0; j < (i < service->index ? other.grant_count : index); j++) {
            struct manifest_grant before;

            manifest_grant_get(m, &other, j, &before);
            if (before.badge == grant->badge && before.service == grant->service &&
                before.service_export == grant->service_export) {
                return false;
            }
        }
    }
    return true;
}

/* Whether no service before `service` exports this name. */
static bool export_is_new(struct manifest *m, uint32_t service, struct capn_text name)
{
    for (uint32_t i = 0; i < service; i++) {
        struct manifest_service other;
        struct manifest_export exported;

        manifest_service_get(m, i, &other);
        for (uint32_t j = 0; j < other.export_count; j++) {
            manifest_export_get(m, &other, j, &exported);
            if (manifest_text_equal(exported.name, name)) {
                return false;
            }
        }
    }
    return true;
}

static bool exports_check(struct manifest *m, const struct manifest_service *service)
{
    for (uint32_t i = 0; i < service->export_count; i++) {
        struct manifest_export exported;

        manifest_export_get(m, service, i, &exported);
        if (!export_is_new(m, service->index, exported.name)) {
            manifest_enter(m, "exports", i);
            return manifest_refuse_name(m, "name", MANIFEST_ERROR_DUPLICATE, exported.name);
        }
    }
    return true;
}

bool manifest_relations_check(struct manifest *m, uint32_t index)
{
    struct manifest_service service;

    manifest_enter(m, "services", index);
    manifest_service_get(m, index, &service);
    if (service.binary == MANIFEST_NO_INDEX) {
        return manifest_refuse_name(m, "binary", MANIFEST_ERROR_NO_BINARY, service.binary_name);
    }
    for (uint32_t i = 0; i < service.grant_count; i++) {
        struct manifest_grant grant;

        manifest_enter(m, "grants", i);
        manifest_grant_get(m, &service, i, &grant);
        if (!(grant.from_kernel ? kernel_grant_check(m, index, &grant)
                                : service_grant_check(m, index, &grant))) {
            return false;
        }
        if (!badge_is_new(m, &service, i, &grant)) {
            return refuse_numbers(m, "badge", MANIFEST_ERROR_SHARED_BADGE, grant.badge, 0);
        }
        manifest_leave(m);
    }
    if (!exports_check(m, &service)) {
        return false;
    }
    manifest_leave(m);
    return true;
}

/* ---- 8: what init may start ------------------------------------------------------------------ */

/* The rules by which the spawner would refuse init. */
bool manifest_urgencies_check(struct manifest *m)
{
    struct manifest_service init;

    manifest_service_get(m, MANIFEST_INIT_INDEX, &init);
    if (m->service_count > 1 && init.scheduling.budget_ns != 0) {
        manifest_enter(m, "services", MANIFEST_INIT_INDEX);
        manifest_enter(m, "scheduling", MANIFEST_NO_INDEX);
        return refuse_numbers(m, "budgetNs", MANIFEST_ERROR_INIT_BUDGET, init.scheduling.budget_ns,
                              0);
    }
    for (uint32_t i = MANIFEST_INIT_INDEX + 1; i < m->service_count; i++) {
        struct manifest_service service;

        manifest_service_get(m, i, &service);
        if (service.scheduling.priority > init.scheduling.priority) {
            manifest_enter(m, "services", i);
            manifest_enter(m, "scheduling", MANIFEST_NO_INDEX);
            return refuse_numbers(m, "priority", MANIFEST_ERROR_PRIORITY,
                                  service.scheduling.priority, init.scheduling.priority);
        }
    }
    return true;
}

/* ---- 9: quotas ------------------------------------------------------------------------------- */

enum { QUOTA_LINES = 9 };

/* The accounts that are handed out, in the order of the schema. The CPU share is none of them. */
struct quota_lines {
    uint64_t amount[QUOTA_LINES];
};

static const char *const quota_names[QUOTA_LINES] = {
    "slots",        "frames",  "ringBytes", "endpointQueue", "outstandingCalls",
    "scratchBytes", "threads", "logBytes",  "grantNodes"};

static struct quota_lines quota_lines_make(const struct manifest_quotas *quotas)
{
    return (struct quota_lines){{quotas->slots, quotas->frames, quotas->ring_bytes,
                                 quotas->endpoint_queue, quotas->outstanding_calls,
                                 quotas->scratch_bytes, quotas->threads, quotas->log_bytes,
                                 quotas->grant_nodes}};
}

/* Adds one service's quotas to the sum, which stays within `limit`. */
static bool quotas_add(struct manifest *m, struct quota_lines *sum, struct quota_lines limit,
                       const struct manifest_quotas *quotas)
{
    struct quota_lines lines = quota_lines_make(quotas);

    for (unsigned i = 0; i < QUOTA_LINES; i++) {
        sum->amount[i] += lines.amount[i];
        if (sum->amount[i] > limit.amount[i]) {
            return refuse_numbers(m, quota_names[i], MANIFEST_ERROR_QUOTA, sum->amount[i],
                                  limit.amount[i]);
        }
    }
    return true;
}

bool manifest_quota_sums_check(struct manifest *m)
{
    struct quota_lines sum = {{0}};
    struct manifest_service init;

    manifest_service_get(m, MANIFEST_INIT_INDEX, &init);
    for (uint32_t i = MANIFEST_INIT_INDEX + 1; i < m->service_count; i++) {
        struct manifest_service service;

        manifest_service_get(m, i, &service);
        manifest_enter(m, "services", i);
        manifest_enter(m, "quotas", MANIFEST_NO_INDEX);
        if (!quotas_add(m, &sum, quota_lines_make(&init.quotas), &service.quotas)) {
            return false;
        }
        if (service.quotas.cpu_permille > init.quotas.cpu_permille) {
            return refuse_numbers(m, "cpuPermille", MANIFEST_ERROR_QUOTA,
                                  service.quotas.cpu_permille, init.quotas.cpu_permille);
        }
        manifest_leave(m);
        manifest_leave(m);
    }
    return true;
}

/* ---- 10: binaries ---------------------------------------------------------------------------- */

bool manifest_binaries_used_check(struct manifest *m)
{
    bool used[MANIFEST_BINARIES_MAX] = {false};

    for (uint32_t i = 0; i < m->service_count; i++) {
        struct manifest_service service;

        manifest_service_get(m, i, &service);
        ASSERT(service.binary < m->binary_count);
        used[service.binary] = true;
    }
    for (uint32_t i = 0; i < m->binary_count; i++) {
        if (!used[i]) {
            struct manifest_binary binary;

            manifest_binary_get(m, i, &binary);
            manifest_enter(m, "binaries", i);
            return manifest_refuse_text(m, MANIFEST_ERROR_UNUSED_BINARY, binary.name);
        }
    }
    return true;
}
