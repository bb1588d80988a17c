/* SPDX-License-Identifier: MIT */
/*
 * Accessors of a manifest that manifest_open has accepted. None of them can fail: what they follow
 * was followed and checked before, and each starts with the whole traversal budget, so that asking
 * often does not use it up.
 */
#include "core/assert.h"
#include "core/manifest_check.h"

static struct capn_text text_empty(void)
{
    return (struct capn_text){"", 0};
}

static void refill(struct manifest *manifest)
{
    ASSERT(manifest->refusal.error == MANIFEST_OK);
    manifest_refill(manifest);
}

static uint64_t facet_read(struct authority_facet_reader facet)
{
    return authority_facet_which(facet) == AUTHORITY_FACET_WHICH_ALL
               ? MANIFEST_FACET_ALL
               : authority_facet_get_methods(facet);
}

struct capn_text manifest_system_name(struct manifest *manifest)
{
    refill(manifest);
    return manifest_get_name(manifest->root);
}

void manifest_kernel_get(struct manifest *manifest, struct manifest_kernel *kernel)
{
    struct manifest_kernel_parameters_reader from;

    refill(manifest);
    from = manifest_get_kernel(manifest->root);
    kernel->log_level = manifest_kernel_parameters_get_log_level(from);
    kernel->halt_on_init_exit = manifest_kernel_parameters_get_halt_on_init_exit(from);
    kernel->cpus_max = manifest_kernel_parameters_get_max_cpus(from);
    kernel->timer_hertz = manifest_kernel_parameters_get_timer_hz(from);
    kernel->log_bytes = manifest_kernel_parameters_get_log_bytes(from);
}

void manifest_binary_get(struct manifest *manifest, uint32_t index, struct manifest_binary *binary)
{
    struct manifest_binary_reader from;

    ASSERT(index < manifest->binary_count);
    refill(manifest);
    from = manifest_binary_list_get(manifest->binary_list, index);
    binary->name = manifest_binary_get_name(from);
    binary->data = manifest_binary_get_data(from);
}

static uint32_t binary_find(struct manifest *manifest, struct capn_text name)
{
    uint32_t i = 0;

    while (
        i < manifest->binary_count &&
        !manifest_text_equal(
            manifest_binary_get_name(manifest_binary_list_get(manifest->binary_list, i)), name)) {
        i++;
    }
    return i < manifest->binary_count ? i : MANIFEST_NO_INDEX;
}

static void quotas_read(struct authority_quotas_reader from, struct manifest_quotas *quotas)
{
    quotas->slots = authority_quotas_get_slots(from);
    quotas->frames = authority_quotas_get_frames(from);
    quotas->ring_bytes = authority_quotas_get_ring_bytes(from);
    quotas->endpoint_queue = authority_quotas_get_endpoint_queue(from);
    quotas->outstanding_calls = authority_quotas_get_outstanding_calls(from);
    quotas->scratch_bytes = authority_quotas_get_scratch_bytes(from);
    quotas->threads = authority_quotas_get_threads(from);
    quotas->log_bytes = authority_quotas_get_log_bytes(from);
    quotas->grant_nodes = authority_quotas_get_grant_nodes(from);
    quotas->cpu_permille = authority_quotas_get_cpu_permille(from);
}

static void restart_read(struct manifest_restart_policy_reader from,
                         struct manifest_restart *restart)
{
    restart->mode = (enum manifest_restart_mode)manifest_restart_policy_get_mode(from);
    restart->restarts_max = manifest_restart_policy_get_max_restarts(from);
    restart->window_ns = manifest_restart_policy_get_window_ns(from);
    restart->backoff_ns = manifest_restart_policy_get_backoff_ns(from);
}

static void scheduling_read(struct scheduling_parameters_reader from,
                            struct manifest_scheduling *scheduling)
{
    scheduling->priority = scheduling_parameters_get_priority(from);
    scheduling->budget_ns = scheduling_parameters_get_budget_ns(from);
    scheduling->period_ns = scheduling_parameters_get_period_ns(from);
    scheduling->cpu_mask = scheduling_parameters_get_cpu_mask(from);
}

void manifest_service_get(struct manifest *manifest, uint32_t index,
                          struct manifest_service *service)
{
    struct manifest_service_reader from;

    ASSERT(index < manifest->service_count);
    refill(manifest);
    from = manifest_service_list_get(manifest->service_list, index);
    service->index = index;
    service->name = manifest_service_get_name(from);
    service->binary_name = manifest_service_get_binary(from);
    service->binary = binary_find(manifest, service->binary_name);
    service->argument_list = manifest_service_get_arguments(from);
    service->argument_count = service->argument_list.count;
    service->grant_list = manifest_service_get_grants(from);
    service->grant_count = service->grant_list.raw.count;
    service->export_list = manifest_service_get_exports(from);
    service->export_count = service->export_list.raw.count;
    quotas_read(manifest_service_get_quotas(from), &service->quotas);
    restart_read(manifest_service_get_restart(from), &service->restart);
    scheduling_read(manifest_service_get_scheduling(from), &service->scheduling);
}

uint32_t manifest_service_find(struct manifest *manifest, struct capn_text name)
{
    uint32_t i = 0;

    refill(manifest);
    while (i < manifest->service_count &&
           !manifest_text_equal(
               manifest_service_get_name(manifest_service_list_get(manifest->service_list, i)),
               name)) {
        i++;
    }
    return i < manifest->service_count ? i : MANIFEST_NO_INDEX;
}

void manifest_export_get(struct manifest *manifest, const struct manifest_service *service,
                         uint32_t index, struct manifest_export *exported)
{
    struct manifest_export_reader from;

    ASSERT(index < service->export_count);
    refill(manifest);
    from = manifest_export_list_get(service->export_list, index);
    exported->name = manifest_export_get_name(from);
    exported->interface_id = manifest_export_get_interface_id(from);
    exported->facet = facet_read(manifest_export_get_facet(from));
    exported->message_bytes = manifest_export_get_message_bytes(from);
    exported->capabilities = manifest_export_get_capabilities(from);
    exported->queue_length = manifest_export_get_queue_length(from);
}

/* Index of the export of this name; MANIFEST_NO_INDEX: the service has none. */
static uint32_t export_find(struct manifest *manifest, uint32_t service, struct capn_text name)
{
    struct manifest_export_list exports =
        manifest_service_get_exports(manifest_service_list_get(manifest->service_list, service));

    for (uint32_t i = 0; i < exports.raw.count; i++) {
        if (manifest_text_equal(manifest_export_get_name(manifest_export_list_get(exports, i)),
                                name)) {
            return i;
        }
    }
    return MANIFEST_NO_INDEX;
}

/* Where the grant comes from, as far as that exists. */
static void grant_source_read(struct manifest *manifest, struct manifest_grant_source_reader from,
                              struct manifest_grant *grant)
{
    grant->from_kernel = manifest_grant_source_which(from) == MANIFEST_GRANT_SOURCE_WHICH_KERNEL;
    grant->source = MANIFEST_SOURCE_COUNT;
    grant->service = MANIFEST_NO_INDEX;
    grant->service_export = MANIFEST_NO_INDEX;
    if (grant->from_kernel) {
        grant->source_name = manifest_grant_source_get_kernel(from);
        grant->export_name = text_empty();
        grant->source = manifest_source_find(grant->source_name);
        return;
    }
    grant->source_name =
        manifest_grant_source_service_get_name(manifest_grant_source_get_service(from));
    grant->export_name =
        manifest_grant_source_service_get_export_name(manifest_grant_source_get_service(from));
    grant->service = manifest_service_find(manifest, grant->source_name);
    if (grant->service != MANIFEST_NO_INDEX) {
        grant->service_export = export_find(manifest, grant->service, grant->export_name);
    }
}

void manifest_grant_get(struct manifest *manifest, const struct manifest_service *service,
                        uint32_t index, struct manifest_grant *grant)
{
    struct manifest_grant_reader from;

    ASSERT(index < service->grant_count);
    refill(manifest);
    from = manifest_grant_list_get(service->grant_list, index);
    grant->name = manifest_grant_get_name(from);
    grant->interface_id = manifest_grant_get_interface_id(from);
    grant->facet = facet_read(manifest_grant_get_facet(from));
    grant->badge = manifest_grant_get_badge(from);
    grant->transfer = (enum authority_transfer_mode)manifest_grant_get_transfer_mode(from);
    grant_source_read(manifest, manifest_grant_get_source(from), grant);
}

struct capn_text manifest_argument_get(struct manifest *manifest,
                                       const struct manifest_service *service, uint32_t index)
{
    ASSERT(index < service->argument_count);
    refill(manifest);
    return capn_list_get_text(service->argument_list, index);
}

uint32_t manifest_grant_of_source(struct manifest *manifest, const struct manifest_service *service,
                                  enum manifest_source source)
{
    ASSERT((unsigned)source < MANIFEST_SOURCE_COUNT);
    for (uint32_t i = 0; i < service->grant_count; i++) {
        struct manifest_grant grant;

        manifest_grant_get(manifest, service, i, &grant);
        if (grant.from_kernel && grant.source == source) {
            return i;
        }
    }
    return MANIFEST_NO_INDEX;
}
