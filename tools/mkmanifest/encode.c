/* SPDX-License-Identifier: MIT */
/* The model as a Cap'n Proto message: schema/manifest.capnp, one framed segment. */
#include <stdlib.h>
#include <string.h>

#include "tools/mkmanifest/interfaces.h"
#include "tools/mkmanifest/model.h"

enum { FRAME_BYTES = 8, FIRST_GUESS_WORDS = 4096 };

static struct capn_text text(const char *string)
{
    return (struct capn_text){string, strlen(string)};
}

static void facet_set(struct authority_facet_builder to, uint64_t facet)
{
    if (facet == MANIFEST_FACET_ALL) {
        authority_facet_set_all(to);
    } else {
        authority_facet_set_methods(to, facet);
    }
}

static void kernel_set(struct manifest_kernel_parameters_builder to,
                       const struct manifest_kernel *kernel)
{
    manifest_kernel_parameters_set_log_level(to, kernel->log_level);
    manifest_kernel_parameters_set_timer_hz(to, kernel->timer_hertz);
    manifest_kernel_parameters_set_max_cpus(to, kernel->cpus_max);
    manifest_kernel_parameters_set_log_bytes(to, kernel->log_bytes);
    manifest_kernel_parameters_set_halt_on_init_exit(to, kernel->halt_on_init_exit);
}

static void binaries_set(struct manifest_builder root, const struct model *model)
{
    struct manifest_binary_builder_list list =
        manifest_init_binaries(root, (uint32_t)model->binary_count);

    for (uint32_t i = 0; i < model->binary_count; i++) {
        struct manifest_binary_builder to = manifest_binary_list_edit(list, i);
        const struct model_binary *binary = &model->binaries[i];

        manifest_binary_set_name(to, text(binary->name));
        manifest_binary_set_data(to, (struct capn_data){binary->bytes, binary->length});
    }
}

static void arguments_set(struct manifest_service_builder to, const struct model_names *arguments)
{
    struct capn_list_builder list = manifest_service_init_arguments(to, (uint32_t)arguments->count);

    for (uint32_t i = 0; i < arguments->count; i++) {
        capn_list_set_text(list, i, text(arguments->names[i]));
    }
}

static void grant_set(struct manifest_grant_builder to, const struct model_grant *grant)
{
    struct manifest_grant_source_builder source = manifest_grant_init_source(to);

    manifest_grant_set_name(to, text(grant->name));
    if (grant->from_kernel) {
        manifest_grant_source_set_kernel(source, text(grant->source_name));
    } else {
        struct manifest_grant_source_service_builder service =
            manifest_grant_source_init_service(source);

        manifest_grant_source_service_set_name(service, text(grant->source_name));
        manifest_grant_source_service_set_export_name(service, text(grant->export_name));
    }
    manifest_grant_set_interface_id(to, interface_id(grant->interface));
    facet_set(manifest_grant_init_facet(to), grant->facet);
    manifest_grant_set_badge(to, grant->badge);
    manifest_grant_set_transfer_mode(to, grant->transfer);
}

static void export_set(struct manifest_export_builder to, const struct model_export *exported)
{
    manifest_export_set_name(to, text(exported->name));
    manifest_export_set_interface_id(to, interface_id(exported->interface));
    facet_set(manifest_export_init_facet(to), exported->facet);
    manifest_export_set_message_bytes(to, exported->message_bytes);
    manifest_export_set_capabilities(to, exported->capabilities);
    manifest_export_set_queue_length(to, exported->queue_length);
}

static void quotas_set(struct authority_quotas_builder to, const struct manifest_quotas *quotas)
{
    authority_quotas_set_slots(to, quotas->slots);
    authority_quotas_set_frames(to, quotas->frames);
    authority_quotas_set_ring_bytes(to, quotas->ring_bytes);
    authority_quotas_set_endpoint_queue(to, quotas->endpoint_queue);
    authority_quotas_set_outstanding_calls(to, quotas->outstanding_calls);
    authority_quotas_set_scratch_bytes(to, quotas->scratch_bytes);
    authority_quotas_set_threads(to, quotas->threads);
    authority_quotas_set_log_bytes(to, quotas->log_bytes);
    authority_quotas_set_grant_nodes(to, quotas->grant_nodes);
    authority_quotas_set_cpu_permille(to, quotas->cpu_permille);
}

static void policies_set(struct manifest_service_builder to, const struct model_service *service)
{
    struct manifest_restart_policy_builder restart = manifest_service_init_restart(to);
    struct scheduling_parameters_builder scheduling = manifest_service_init_scheduling(to);

    quotas_set(manifest_service_init_quotas(to), &service->quotas);
    manifest_restart_policy_set_mode(restart, service->restart.mode);
    manifest_restart_policy_set_max_restarts(restart, service->restart.restarts_max);
    manifest_restart_policy_set_window_ns(restart, service->restart.window_ns);
    manifest_restart_policy_set_backoff_ns(restart, service->restart.backoff_ns);
    scheduling_parameters_set_priority(scheduling, service->scheduling.priority);
    scheduling_parameters_set_budget_ns(scheduling, service->scheduling.budget_ns);
    scheduling_parameters_set_period_ns(scheduling, service->scheduling.period_ns);
    scheduling_parameters_set_cpu_mask(scheduling, service->scheduling.cpu_mask);
}

static void service_set(struct manifest_service_builder to, const struct model_service *service)
{
    struct manifest_grant_builder_list grants;
    struct manifest_export_builder_list exports;

    manifest_service_set_name(to, text(service->name));
    manifest_service_set_binary(to, text(service->binary));
    arguments_set(to, &service->arguments);
    grants = manifest_service_init_grants(to, (uint32_t)service->grant_count);
    for (uint32_t i = 0; i < service->grant_count; i++) {
        grant_set(manifest_grant_list_edit(grants, i), &service->grants[i]);
    }
    exports = manifest_service_init_exports(to, (uint32_t)service->export_count);
    for (uint32_t i = 0; i < service->export_count; i++) {
        export_set(manifest_export_list_edit(exports, i), &service->exports[i]);
    }
    policies_set(to, service);
}

static void root_set(struct manifest_builder root, const struct model *model)
{
    struct manifest_service_builder_list services;

    manifest_set_schema_version(root, model->schema_version);
    manifest_set_name(root, text(model->name));
    kernel_set(manifest_init_kernel(root), &model->kernel);
    services = manifest_init_services(root, (uint32_t)model->service_count);
    for (uint32_t i = 0; i < model->service_count; i++) {
        service_set(manifest_service_list_edit(services, i), &model->services[model->order[i]]);
    }
    manifest_set_source_hash(root, (struct capn_data){model->source_hash, SHA256_BYTES});
    binaries_set(root, model);
}

void model_encode(struct model *model, const uint8_t **bytes, size_t *length)
{
    uint64_t words = FIRST_GUESS_WORDS;
    struct capn_build_segment segment;
    struct capn_segment built;
    struct capn_builder builder;
    struct capn_output header;
    uint8_t *buffer;

    for (size_t i = 0; i < model->binary_count; i++) {
        words += capn_data_words(model->binaries[i].length);
    }
    for (;; words *= 2) {
        buffer = pool_alloc(&model->pool, words + 1, CAPN_WORD_BYTES);
        segment = (struct capn_build_segment){buffer + FRAME_BYTES, (uint32_t)words, 0};
        capn_builder_init(&builder, &segment, 1);
        root_set(manifest_init(capn_builder_root(&builder)), model);
        if (capn_builder_status(&builder) != CAPN_NO_SPACE || words > UINT32_MAX / 4) {
            break;
        }
    }
    capn_builder_segments(&builder, &built);
    header = (struct capn_output){buffer, FRAME_BYTES, 0};
    if (capn_builder_status(&builder) != CAPN_OK ||
        capn_frame_write_header(&built, 1, &header) != CAPN_OK) {
        abort(); /* binaries are limited, so that a message always fits */
    }
    *bytes = buffer;
    *length = FRAME_BYTES + (size_t)built.words * CAPN_WORD_BYTES;
}
