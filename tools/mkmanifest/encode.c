/* SPDX-License-Identifier: MIT */
/* The model as a Cap'n Proto message: schema/manifest.capnp, one framed segment. */
#include <stdlib.h>
#include <string.h>

#include "core/manifest_layout.h"
#include "tools/mkmanifest/interfaces.h"
#include "tools/mkmanifest/model.h"

enum { FRAME_BYTES = 8, FIRST_GUESS_WORDS = 4096 };

static void text_set(struct capn_struct_builder s, uint16_t pointer, const char *text)
{
    capn_write_text(capn_set_pointer(s, pointer), (struct capn_text){text, strlen(text)});
}

static void facet_set(struct capn_struct_builder s, uint16_t pointer, uint64_t facet)
{
    struct capn_struct_builder to =
        capn_init_struct(capn_set_pointer(s, pointer), MANIFEST_FACET_SIZE);

    if (facet != MANIFEST_FACET_ALL) {
        capn_set_u16(to, FACET_TAG_AT, FACET_METHODS, 0);
        capn_set_u64(to, FACET_METHODS_AT, facet, 0);
    }
}

static void kernel_set(struct capn_struct_builder root, const struct manifest_kernel *kernel)
{
    struct capn_struct_builder s =
        capn_init_struct(capn_set_pointer(root, MANIFEST_KERNEL_POINTER), MANIFEST_KERNEL_SIZE);

    capn_set_u8(s, KERNEL_LOG_LEVEL_AT, kernel->log_level, KERNEL_LOG_LEVEL_DEFAULT);
    capn_set_bool(s, KERNEL_HALT_ON_INIT_EXIT_BIT, kernel->halt_on_init_exit, true);
    capn_set_u16(s, KERNEL_MAX_CPUS_AT, kernel->cpus_max, 0);
    capn_set_u32(s, KERNEL_TIMER_HZ_AT, kernel->timer_hertz, KERNEL_TIMER_HZ_DEFAULT);
    capn_set_u32(s, KERNEL_LOG_BYTES_AT, kernel->log_bytes, KERNEL_LOG_BYTES_DEFAULT);
}

static void binaries_set(struct capn_struct_builder root, const struct model *model)
{
    struct capn_list_builder list =
        capn_init_struct_list(capn_set_pointer(root, MANIFEST_BINARIES_POINTER),
                              (uint32_t)model->binary_count, MANIFEST_BINARY_SIZE);

    for (uint32_t i = 0; i < model->binary_count; i++) {
        struct capn_struct_builder s = capn_list_set_struct(list, i);
        const struct model_binary *binary = &model->binaries[i];

        text_set(s, BINARY_NAME_POINTER, binary->name);
        capn_write_data(capn_set_pointer(s, BINARY_DATA_POINTER),
                        (struct capn_data){binary->bytes, binary->length});
    }
}

static void arguments_set(struct capn_struct_builder s, const struct model_names *arguments)
{
    struct capn_list_builder list =
        capn_init_list(capn_set_pointer(s, SERVICE_ARGUMENTS_POINTER), CAPN_ELEMENT_POINTER,
                       (uint32_t)arguments->count);

    for (uint32_t i = 0; i < arguments->count; i++) {
        capn_write_text(capn_list_set_pointer(list, i),
                        (struct capn_text){arguments->names[i], strlen(arguments->names[i])});
    }
}

static void grant_set(struct capn_struct_builder s, const struct model_grant *grant)
{
    text_set(s, GRANT_NAME_POINTER, grant->name);
    text_set(s, GRANT_SOURCE_NAME_POINTER, grant->source_name);
    if (!grant->from_kernel) {
        capn_set_u16(s, GRANT_SOURCE_TAG_AT, GRANT_SOURCE_SERVICE, 0);
        text_set(s, GRANT_EXPORT_NAME_POINTER, grant->export_name);
    }
    capn_set_u64(s, GRANT_INTERFACE_AT, grant->interface->id, 0);
    facet_set(s, GRANT_FACET_POINTER, grant->facet);
    capn_set_u64(s, GRANT_BADGE_AT, grant->badge, 0);
    capn_set_u16(s, GRANT_TRANSFER_MODE_AT, (uint16_t)grant->transfer, 0);
}

static void export_set(struct capn_struct_builder s, const struct model_export *exported)
{
    text_set(s, EXPORT_NAME_POINTER, exported->name);
    capn_set_u64(s, EXPORT_INTERFACE_AT, exported->interface->id, 0);
    facet_set(s, EXPORT_FACET_POINTER, exported->facet);
    capn_set_u32(s, EXPORT_MESSAGE_BYTES_AT, exported->message_bytes, EXPORT_MESSAGE_BYTES_DEFAULT);
    capn_set_u16(s, EXPORT_CAPABILITIES_AT, exported->capabilities, EXPORT_CAPABILITIES_DEFAULT);
    capn_set_u32(s, EXPORT_QUEUE_LENGTH_AT, exported->queue_length, EXPORT_QUEUE_LENGTH_DEFAULT);
}

static void quotas_set(struct capn_struct_builder service, const struct manifest_quotas *quotas)
{
    struct capn_struct_builder s =
        capn_init_struct(capn_set_pointer(service, SERVICE_QUOTAS_POINTER), MANIFEST_QUOTAS_SIZE);

    capn_set_u32(s, QUOTA_SLOTS_AT, quotas->slots, 0);
    capn_set_u32(s, QUOTA_FRAMES_AT, quotas->frames, 0);
    capn_set_u32(s, QUOTA_RING_BYTES_AT, quotas->ring_bytes, 0);
    capn_set_u32(s, QUOTA_ENDPOINT_QUEUE_AT, quotas->endpoint_queue, 0);
    capn_set_u32(s, QUOTA_OUTSTANDING_CALLS_AT, quotas->outstanding_calls, 0);
    capn_set_u32(s, QUOTA_SCRATCH_BYTES_AT, quotas->scratch_bytes, 0);
    capn_set_u32(s, QUOTA_THREADS_AT, quotas->threads, 0);
    capn_set_u32(s, QUOTA_LOG_BYTES_AT, quotas->log_bytes, 0);
    capn_set_u32(s, QUOTA_GRANT_NODES_AT, quotas->grant_nodes, 0);
    capn_set_u16(s, QUOTA_CPU_PERMILLE_AT, quotas->cpu_permille, QUOTA_CPU_PERMILLE_DEFAULT);
}

static void policies_set(struct capn_struct_builder service, const struct model_service *from)
{
    struct capn_struct_builder restart =
        capn_init_struct(capn_set_pointer(service, SERVICE_RESTART_POINTER), MANIFEST_RESTART_SIZE);
    struct capn_struct_builder scheduling = capn_init_struct(
        capn_set_pointer(service, SERVICE_SCHEDULING_POINTER), MANIFEST_SCHEDULING_SIZE);

    capn_set_u16(restart, RESTART_MODE_AT, (uint16_t)from->restart.mode, 0);
    capn_set_u32(restart, RESTART_MAX_AT, from->restart.restarts_max, 0);
    capn_set_u64(restart, RESTART_WINDOW_AT, from->restart.window_ns, 0);
    capn_set_u64(restart, RESTART_BACKOFF_AT, from->restart.backoff_ns, 0);
    capn_set_u8(scheduling, SCHEDULING_PRIORITY_AT, from->scheduling.priority, 0);
    capn_set_u64(scheduling, SCHEDULING_BUDGET_AT, from->scheduling.budget_ns, 0);
    capn_set_u64(scheduling, SCHEDULING_PERIOD_AT, from->scheduling.period_ns, 0);
    capn_set_u64(scheduling, SCHEDULING_CPU_MASK_AT, from->scheduling.cpu_mask, UINT64_MAX);
}

static void service_set(struct capn_struct_builder s, const struct model_service *service)
{
    struct capn_list_builder list;

    text_set(s, SERVICE_NAME_POINTER, service->name);
    text_set(s, SERVICE_BINARY_POINTER, service->binary);
    arguments_set(s, &service->arguments);
    list = capn_init_struct_list(capn_set_pointer(s, SERVICE_GRANTS_POINTER),
                                 (uint32_t)service->grant_count, MANIFEST_GRANT_SIZE);
    for (uint32_t i = 0; i < service->grant_count; i++) {
        grant_set(capn_list_set_struct(list, i), &service->grants[i]);
    }
    list = capn_init_struct_list(capn_set_pointer(s, SERVICE_EXPORTS_POINTER),
                                 (uint32_t)service->export_count, MANIFEST_EXPORT_SIZE);
    for (uint32_t i = 0; i < service->export_count; i++) {
        export_set(capn_list_set_struct(list, i), &service->exports[i]);
    }
    quotas_set(s, &service->quotas);
    policies_set(s, service);
}

static void root_set(struct capn_struct_builder root, const struct model *model)
{
    struct capn_list_builder services;

    capn_set_u32(root, MANIFEST_SCHEMA_VERSION_AT, model->schema_version, 0);
    text_set(root, MANIFEST_NAME_POINTER, model->name);
    kernel_set(root, &model->kernel);
    services = capn_init_struct_list(capn_set_pointer(root, MANIFEST_SERVICES_POINTER),
                                     (uint32_t)model->service_count, MANIFEST_SERVICE_SIZE);
    for (uint32_t i = 0; i < model->service_count; i++) {
        service_set(capn_list_set_struct(services, i), &model->services[model->order[i]]);
    }
    capn_write_data(capn_set_pointer(root, MANIFEST_SOURCE_HASH_POINTER),
                    (struct capn_data){model->source_hash, SHA256_BYTES});
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
        root_set(capn_init_struct(capn_builder_root(&builder), MANIFEST_ROOT_SIZE), model);
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
