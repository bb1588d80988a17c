/* SPDX-License-Identifier: MIT */
/*
 * Accessors of a manifest that manifest_open has accepted, and the small rules beside them. None of
 * them can fail: what they follow was followed and checked before, and each starts with the whole
 * traversal budget, so that asking often does not use it up.
 */
#include "core/manifest.h"

#include "core/assert.h"
#include "core/manifest_layout.h"
#include "core/string.h"

static const char *const error_texts[MANIFEST_ERROR_COUNT] = {
    [MANIFEST_OK] = "it is accepted",
#define MANIFEST_ERROR(name, text) [MANIFEST_ERROR_##name] = text,
#include "core/manifest_error.def"
#undef MANIFEST_ERROR
};

struct source_facts {
    const char *name;
    uint64_t interface_id;
    unsigned methods;
};

static const struct source_facts source_facts[MANIFEST_SOURCE_COUNT] = {
#define MANIFEST_SOURCE(name, text, interface, methods)                                            \
    [MANIFEST_SOURCE_##name] = {text, UINT64_C(interface), methods},
#include "core/manifest_source.def"
#undef MANIFEST_SOURCE
};

const char *manifest_error_text(enum manifest_error error)
{
    if ((unsigned)error >= MANIFEST_ERROR_COUNT) {
        return "unknown manifest error";
    }
    return error_texts[error];
}

const char *manifest_source_name(enum manifest_source source)
{
    ASSERT((unsigned)source < MANIFEST_SOURCE_COUNT);
    return source_facts[source].name;
}

uint64_t manifest_source_interface(enum manifest_source source)
{
    ASSERT((unsigned)source < MANIFEST_SOURCE_COUNT);
    return source_facts[source].interface_id;
}

uint64_t manifest_source_methods(enum manifest_source source)
{
    ASSERT((unsigned)source < MANIFEST_SOURCE_COUNT);
    ASSERT(source_facts[source].methods < 64);
    return (UINT64_C(1) << source_facts[source].methods) - 1;
}

enum manifest_source manifest_source_find(struct capn_text name)
{
    unsigned i;

    for (i = 0; i < MANIFEST_SOURCE_COUNT; i++) {
        if (string_matches(name.bytes, name.length, source_facts[i].name)) {
            break;
        }
    }
    return (enum manifest_source)i;
}

bool manifest_name_is_valid(struct capn_text name)
{
    if (name.length == 0 || name.length > LIMIT_NAME_BYTES) {
        return false;
    }
    for (size_t i = 0; i < name.length; i++) {
        char c = name.bytes[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) {
            return false;
        }
    }
    return true;
}

bool manifest_text_equal(struct capn_text a, struct capn_text b)
{
    return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

bool manifest_facet_within(uint64_t narrow, uint64_t wide)
{
    return wide == MANIFEST_FACET_ALL || (narrow != MANIFEST_FACET_ALL && (narrow & ~wide) == 0);
}

bool manifest_transfer_within(enum manifest_transfer given, enum manifest_transfer held)
{
    return held == MANIFEST_TRANSFER_COPY_GRANTABLE ||
           (held == MANIFEST_TRANSFER_COPY && given == MANIFEST_TRANSFER_NONE);
}

static void refill(struct manifest *manifest)
{
    ASSERT(manifest->refusal.error == MANIFEST_OK);
    manifest->reader.traversal_words_left = manifest->budget_words;
}

static struct capn_text text_at(struct capn_struct s, uint16_t pointer)
{
    return capn_read_text(capn_get_pointer(s, pointer), (struct capn_text){NULL, 0});
}

static struct capn_struct struct_at(struct capn_struct s, uint16_t pointer)
{
    return capn_read_struct(capn_get_pointer(s, pointer), NULL);
}

static struct capn_list list_at(struct capn_struct s, uint16_t pointer,
                                enum capn_element_size element)
{
    return capn_read_list(capn_get_pointer(s, pointer), element, NULL);
}

static uint64_t facet_read(struct capn_struct facet)
{
    return capn_get_u16(facet, FACET_TAG_AT, 0) == FACET_ALL
               ? MANIFEST_FACET_ALL
               : capn_get_u64(facet, FACET_METHODS_AT, 0);
}

struct capn_text manifest_system_name(struct manifest *manifest)
{
    refill(manifest);
    return text_at(manifest->root, MANIFEST_NAME_POINTER);
}

void manifest_kernel_get(struct manifest *manifest, struct manifest_kernel *kernel)
{
    struct capn_struct s;

    refill(manifest);
    s = struct_at(manifest->root, MANIFEST_KERNEL_POINTER);
    kernel->log_level = capn_get_u8(s, KERNEL_LOG_LEVEL_AT, KERNEL_LOG_LEVEL_DEFAULT);
    kernel->halt_on_init_exit = capn_get_bool(s, KERNEL_HALT_ON_INIT_EXIT_BIT, true);
    kernel->cpus_max = capn_get_u16(s, KERNEL_MAX_CPUS_AT, 0);
    kernel->timer_hertz = capn_get_u32(s, KERNEL_TIMER_HZ_AT, KERNEL_TIMER_HZ_DEFAULT);
    kernel->log_bytes = capn_get_u32(s, KERNEL_LOG_BYTES_AT, KERNEL_LOG_BYTES_DEFAULT);
}

void manifest_binary_get(struct manifest *manifest, uint32_t index, struct manifest_binary *binary)
{
    struct capn_struct s;

    ASSERT(index < manifest->binary_count);
    refill(manifest);
    s = capn_list_get_struct(manifest->binary_list, index);
    binary->name = text_at(s, BINARY_NAME_POINTER);
    binary->data =
        capn_read_data(capn_get_pointer(s, BINARY_DATA_POINTER), (struct capn_data){NULL, 0});
}

static uint32_t binary_find(struct manifest *manifest, struct capn_text name)
{
    for (uint32_t i = 0; i < manifest->binary_count; i++) {
        struct capn_struct s = capn_list_get_struct(manifest->binary_list, i);

        if (manifest_text_equal(text_at(s, BINARY_NAME_POINTER), name)) {
            return i;
        }
    }
    return MANIFEST_NO_INDEX;
}

static void quotas_read(struct capn_struct s, struct manifest_quotas *quotas)
{
    quotas->slots = capn_get_u32(s, QUOTA_SLOTS_AT, 0);
    quotas->frames = capn_get_u32(s, QUOTA_FRAMES_AT, 0);
    quotas->ring_bytes = capn_get_u32(s, QUOTA_RING_BYTES_AT, 0);
    quotas->endpoint_queue = capn_get_u32(s, QUOTA_ENDPOINT_QUEUE_AT, 0);
    quotas->outstanding_calls = capn_get_u32(s, QUOTA_OUTSTANDING_CALLS_AT, 0);
    quotas->scratch_bytes = capn_get_u32(s, QUOTA_SCRATCH_BYTES_AT, 0);
    quotas->threads = capn_get_u32(s, QUOTA_THREADS_AT, 0);
    quotas->log_bytes = capn_get_u32(s, QUOTA_LOG_BYTES_AT, 0);
    quotas->grant_nodes = capn_get_u32(s, QUOTA_GRANT_NODES_AT, 0);
    quotas->cpu_permille = capn_get_u16(s, QUOTA_CPU_PERMILLE_AT, QUOTA_CPU_PERMILLE_DEFAULT);
}

static void restart_read(struct capn_struct s, struct manifest_restart *restart)
{
    restart->mode = (enum manifest_restart_mode)capn_get_u16(s, RESTART_MODE_AT, 0);
    restart->restarts_max = capn_get_u32(s, RESTART_MAX_AT, 0);
    restart->window_ns = capn_get_u64(s, RESTART_WINDOW_AT, 0);
    restart->backoff_ns = capn_get_u64(s, RESTART_BACKOFF_AT, 0);
}

static void scheduling_read(struct capn_struct s, struct manifest_scheduling *scheduling)
{
    scheduling->priority = capn_get_u8(s, SCHEDULING_PRIORITY_AT, 0);
    scheduling->budget_ns = capn_get_u64(s, SCHEDULING_BUDGET_AT, 0);
    scheduling->period_ns = capn_get_u64(s, SCHEDULING_PERIOD_AT, 0);
    scheduling->cpu_mask = capn_get_u64(s, SCHEDULING_CPU_MASK_AT, UINT64_MAX);
}

void manifest_service_get(struct manifest *manifest, uint32_t index,
                          struct manifest_service *service)
{
    struct capn_struct s;

    ASSERT(index < manifest->service_count);
    refill(manifest);
    s = capn_list_get_struct(manifest->service_list, index);
    service->index = index;
    service->name = text_at(s, SERVICE_NAME_POINTER);
    service->binary_name = text_at(s, SERVICE_BINARY_POINTER);
    service->binary = binary_find(manifest, service->binary_name);
    service->argument_list = list_at(s, SERVICE_ARGUMENTS_POINTER, CAPN_ELEMENT_POINTER);
    service->argument_count = service->argument_list.count;
    service->grant_list = list_at(s, SERVICE_GRANTS_POINTER, CAPN_ELEMENT_COMPOSITE);
    service->grant_count = service->grant_list.count;
    service->export_list = list_at(s, SERVICE_EXPORTS_POINTER, CAPN_ELEMENT_COMPOSITE);
    service->export_count = service->export_list.count;
    quotas_read(struct_at(s, SERVICE_QUOTAS_POINTER), &service->quotas);
    restart_read(struct_at(s, SERVICE_RESTART_POINTER), &service->restart);
    scheduling_read(struct_at(s, SERVICE_SCHEDULING_POINTER), &service->scheduling);
}

uint32_t manifest_service_find(struct manifest *manifest, struct capn_text name)
{
    refill(manifest);
    for (uint32_t i = 0; i < manifest->service_count; i++) {
        struct capn_struct s = capn_list_get_struct(manifest->service_list, i);

        if (manifest_text_equal(text_at(s, SERVICE_NAME_POINTER), name)) {
            return i;
        }
    }
    return MANIFEST_NO_INDEX;
}

static void export_read(struct capn_struct s, struct manifest_export *exported)
{
    exported->name = text_at(s, EXPORT_NAME_POINTER);
    exported->interface_id = capn_get_u64(s, EXPORT_INTERFACE_AT, 0);
    exported->facet = facet_read(struct_at(s, EXPORT_FACET_POINTER));
    exported->message_bytes =
        capn_get_u32(s, EXPORT_MESSAGE_BYTES_AT, EXPORT_MESSAGE_BYTES_DEFAULT);
    exported->capabilities = capn_get_u16(s, EXPORT_CAPABILITIES_AT, EXPORT_CAPABILITIES_DEFAULT);
    exported->queue_length = capn_get_u32(s, EXPORT_QUEUE_LENGTH_AT, EXPORT_QUEUE_LENGTH_DEFAULT);
}

void manifest_export_get(struct manifest *manifest, const struct manifest_service *service,
                         uint32_t index, struct manifest_export *exported)
{
    ASSERT(index < service->export_count);
    refill(manifest);
    export_read(capn_list_get_struct(service->export_list, index), exported);
}

/* Finds the exporter and the export that a grant names. */
static void grant_resolve(struct manifest *manifest, struct manifest_grant *grant)
{
    struct capn_list exports;

    grant->service_export = MANIFEST_NO_INDEX;
    grant->service = manifest_service_find(manifest, grant->source_name);
    if (grant->service == MANIFEST_NO_INDEX) {
        return;
    }
    exports = list_at(capn_list_get_struct(manifest->service_list, grant->service),
                      SERVICE_EXPORTS_POINTER, CAPN_ELEMENT_COMPOSITE);
    for (uint32_t i = 0; i < exports.count; i++) {
        struct capn_struct s = capn_list_get_struct(exports, i);

        if (manifest_text_equal(text_at(s, EXPORT_NAME_POINTER), grant->export_name)) {
            grant->service_export = i;
            return;
        }
    }
}

void manifest_grant_get(struct manifest *manifest, const struct manifest_service *service,
                        uint32_t index, struct manifest_grant *grant)
{
    struct capn_struct s;

    ASSERT(index < service->grant_count);
    refill(manifest);
    s = capn_list_get_struct(service->grant_list, index);
    *grant = (struct manifest_grant){
        .name = text_at(s, GRANT_NAME_POINTER),
        .from_kernel = capn_get_u16(s, GRANT_SOURCE_TAG_AT, 0) == GRANT_SOURCE_KERNEL,
        .source = MANIFEST_SOURCE_COUNT,
        .service = MANIFEST_NO_INDEX,
        .service_export = MANIFEST_NO_INDEX,
        .source_name = text_at(s, GRANT_SOURCE_NAME_POINTER),
        .interface_id = capn_get_u64(s, GRANT_INTERFACE_AT, 0),
        .facet = facet_read(struct_at(s, GRANT_FACET_POINTER)),
        .badge = capn_get_u64(s, GRANT_BADGE_AT, 0),
        .transfer = (enum manifest_transfer)capn_get_u16(s, GRANT_TRANSFER_MODE_AT, 0),
    };
    if (grant->from_kernel) {
        grant->source = manifest_source_find(grant->source_name);
    } else {
        grant->export_name = text_at(s, GRANT_EXPORT_NAME_POINTER);
        grant_resolve(manifest, grant);
    }
}

struct capn_text manifest_argument_get(struct manifest *manifest,
                                       const struct manifest_service *service, uint32_t index)
{
    ASSERT(index < service->argument_count);
    refill(manifest);
    return capn_read_text(capn_list_get_pointer(service->argument_list, index),
                          (struct capn_text){NULL, 0});
}

uint32_t manifest_grant_of_source(struct manifest *manifest, const struct manifest_service *service,
                                  enum manifest_source source)
{
    for (uint32_t i = 0; i < service->grant_count; i++) {
        struct manifest_grant grant;

        manifest_grant_get(manifest, service, i, &grant);
        if (grant.from_kernel && grant.source == source) {
            return i;
        }
    }
    return MANIFEST_NO_INDEX;
}
