/* SPDX-License-Identifier: MIT */
/* Steps 5 and 6 of manifest.c: each service by itself, field by field. */
#include "core/assert.h"
#include "core/manifest_check.h"
#include "core/sched_context.h"
#include "core/string.h"

static bool service_name_check(struct manifest *m, uint32_t index,
                               struct manifest_service_reader from)
{
    struct capn_text name;

    if (!manifest_name_check(m, "name", manifest_service_at_name(from), &name)) {
        return false;
    }
    for (uint32_t i = 0; i < index; i++) {
        if (manifest_text_equal(
                manifest_service_get_name(manifest_service_list_get(m->service_list, i)), name)) {
            return manifest_refuse_name(m, "name", MANIFEST_ERROR_DUPLICATE, name);
        }
    }
    return true;
}

static bool argument_check(struct manifest *m, struct capn_pointer at, uint64_t *total)
{
    struct capn_text text;

    if (!manifest_text_check(m, at, &text)) {
        return false;
    }
    *total += text.length + 1;
    if (*total > MANIFEST_ARGUMENT_BYTES_MAX) {
        return manifest_refuse(m, MANIFEST_ERROR_TOO_LARGE, *total, MANIFEST_ARGUMENT_BYTES_MAX);
    }
    if (string_length(text.bytes, text.length) != text.length) {
        return manifest_refuse(m, MANIFEST_ERROR_ARGUMENT, string_length(text.bytes, text.length),
                               0);
    }
    return true;
}

static bool arguments_check(struct manifest *m, struct manifest_service_reader from)
{
    struct capn_list list;
    uint64_t total = 0;

    manifest_refill(m);
    list = manifest_service_get_arguments(from);
    if (!manifest_list_check(m, "arguments", manifest_service_at_arguments(from),
                             (struct manifest_range){0, MANIFEST_ARGUMENTS_MAX}, &list)) {
        return false;
    }
    for (uint32_t i = 0; i < list.count; i++) {
        manifest_enter(m, "arguments", i);
        if (!argument_check(m, capn_list_get_pointer(list, i), &total)) {
            return false;
        }
        manifest_leave(m);
    }
    return true;
}

static bool facet_check(struct manifest *m, struct capn_pointer at)
{
    struct authority_facet_reader facet;
    uint16_t which;

    if (!manifest_present(m, "facet", at)) {
        return false;
    }
    manifest_enter(m, "facet", MANIFEST_NO_INDEX);
    manifest_refill(m);
    facet = authority_facet_read(at);
    if (!manifest_pointers_good(m)) {
        return false;
    }
    which = authority_facet_which(facet);
    if (which > AUTHORITY_FACET_WHICH_METHODS) {
        return manifest_refuse(m, MANIFEST_ERROR_CHOICE, which, AUTHORITY_FACET_WHICH_METHODS);
    }
    /* All ones would be mistaken for ALL, which includes methods that do not exist yet. */
    if (authority_facet_get_methods(facet) == MANIFEST_FACET_ALL) {
        return manifest_refuse(m, MANIFEST_ERROR_RANGE, MANIFEST_FACET_ALL, MANIFEST_FACET_ALL - 1);
    }
    manifest_leave(m);
    return true;
}

static bool interface_check(struct manifest *m, uint64_t interface_id)
{
    return manifest_number_check(m, "interface", interface_id,
                                 (struct manifest_range){1, UINT64_MAX});
}

/* Whether no grant before `index` has this name. */
static bool grant_name_is_new(struct manifest_grant_list list, uint32_t index,
                              struct capn_text name)
{
    for (uint32_t i = 0; i < index; i++) {
        if (manifest_text_equal(manifest_grant_get_name(manifest_grant_list_get(list, i)), name)) {
            return false;
        }
    }
    return true;
}

static bool export_name_is_new(struct manifest_export_list list, uint32_t index,
                               struct capn_text name)
{
    for (uint32_t i = 0; i < index; i++) {
        if (manifest_text_equal(manifest_export_get_name(manifest_export_list_get(list, i)),
                                name)) {
            return false;
        }
    }
    return true;
}

static bool source_check(struct manifest *m, struct manifest_grant_source_reader from)
{
    struct manifest_grant_source_service_reader service = manifest_grant_source_get_service(from);
    struct capn_text name;
    uint16_t which = manifest_grant_source_which(from);

    if (which == MANIFEST_GRANT_SOURCE_WHICH_KERNEL) {
        return manifest_name_check(m, "source", manifest_grant_source_at_kernel(from), &name);
    }
    if (which == MANIFEST_GRANT_SOURCE_WHICH_SERVICE) {
        return manifest_name_check(m, "source", manifest_grant_source_service_at_name(service),
                                   &name) &&
               manifest_name_check(m, "source",
                                   manifest_grant_source_service_at_export_name(service), &name);
    }
    return manifest_refuse_field(
        m, "source", MANIFEST_ERROR_CHOICE,
        (struct manifest_numbers){which, MANIFEST_GRANT_SOURCE_WHICH_SERVICE});
}

static bool grant_check(struct manifest *m, struct manifest_grant_list list, uint32_t index)
{
    struct manifest_grant_reader from = manifest_grant_list_get(list, index);
    struct capn_text name;
    uint16_t mode = manifest_grant_get_transfer_mode(from);

    manifest_enter(m, "grants", index);
    if (!manifest_name_check(m, "name", manifest_grant_at_name(from), &name)) {
        return false;
    }
    if (!grant_name_is_new(list, index, name)) {
        return manifest_refuse_name(m, "name", MANIFEST_ERROR_DUPLICATE, name);
    }
    if (!source_check(m, manifest_grant_get_source(from)) ||
        !interface_check(m, manifest_grant_get_interface_id(from)) ||
        !facet_check(m, manifest_grant_at_facet(from))) {
        return false;
    }
    if (mode >= AUTHORITY_TRANSFER_MODE_COUNT) {
        return manifest_refuse_field(
            m, "transfer", MANIFEST_ERROR_CHOICE,
            (struct manifest_numbers){mode, AUTHORITY_TRANSFER_MODE_COUNT - 1});
    }
    manifest_leave(m);
    return true;
}

/* What endpoint_limits_valid says, with the field. */
static bool export_sizes_check(struct manifest *m, struct manifest_export_reader from)
{
    uint32_t bytes = manifest_export_get_message_bytes(from);

    return manifest_number_check(m, "messageBytes", bytes,
                                 (struct manifest_range){8, LIMIT_MESSAGE_BYTES}) &&
           (bytes % 8 == 0 ||
            manifest_refuse_field(m, "messageBytes", MANIFEST_ERROR_WORDS,
                                  (struct manifest_numbers){bytes, bytes - bytes % 8})) &&
           manifest_number_check(m, "capabilities", manifest_export_get_capabilities(from),
                                 (struct manifest_range){0, LIMIT_ENDPOINT_CAPABILITIES}) &&
           manifest_number_check(m, "queueLength", manifest_export_get_queue_length(from),
                                 (struct manifest_range){1, LIMIT_ENDPOINT_QUEUE});
}

static bool export_check(struct manifest *m, struct manifest_grant_list grants,
                         struct manifest_export_list list, uint32_t index)
{
    struct manifest_export_reader from = manifest_export_list_get(list, index);
    struct capn_text name;

    manifest_enter(m, "exports", index);
    if (!manifest_name_check(m, "name", manifest_export_at_name(from), &name)) {
        return false;
    }
    if (!export_name_is_new(list, index, name) ||
        !grant_name_is_new(grants, grants.raw.count, name)) {
        return manifest_refuse_name(m, "name", MANIFEST_ERROR_DUPLICATE, name);
    }
    if (!interface_check(m, manifest_export_get_interface_id(from)) ||
        !facet_check(m, manifest_export_at_facet(from)) || !export_sizes_check(m, from)) {
        return false;
    }
    manifest_leave(m);
    return true;
}

static bool edges_check(struct manifest *m, struct manifest_service_reader from)
{
    const struct manifest_range range = {0, LIMIT_CAPSET_ENTRIES};
    struct manifest_grant_list grants;
    struct manifest_export_list exports;

    manifest_refill(m);
    grants = manifest_service_get_grants(from);
    if (!manifest_list_check(m, "grants", manifest_service_at_grants(from), range, &grants.raw)) {
        return false;
    }
    for (uint32_t i = 0; i < grants.raw.count; i++) {
        if (!grant_check(m, grants, i)) {
            return false;
        }
    }
    manifest_refill(m);
    exports = manifest_service_get_exports(from);
    if (!manifest_list_check(m, "exports", manifest_service_at_exports(from), range,
                             &exports.raw)) {
        return false;
    }
    for (uint32_t i = 0; i < exports.raw.count; i++) {
        if (!export_check(m, grants, exports, i)) {
            return false;
        }
    }
    return true;
}

/* The first service's quotas are what it has to give away: what one process may use, for each. */
static bool quotas_check(struct manifest *m, const struct manifest_quotas *quotas, bool first)
{
    uint32_t processes = first ? MANIFEST_SERVICES_MAX : 1;

    manifest_enter(m, "quotas", MANIFEST_NO_INDEX);
    if (!manifest_number_check(m, "slots", quotas->slots,
                               (struct manifest_range){1, processes * LIMIT_TABLE_SLOTS}) ||
        !manifest_number_check(m, "threads", quotas->threads,
                               (struct manifest_range){1, processes * LIMIT_THREADS})) {
        return false;
    }
    manifest_leave(m);
    return true;
}

static bool restart_check(struct manifest *m, const struct manifest_restart *restart)
{
    manifest_enter(m, "restart", MANIFEST_NO_INDEX);
    if ((unsigned)restart->mode >= MANIFEST_RESTART_MODE_COUNT) {
        return manifest_refuse_field(
            m, "mode", MANIFEST_ERROR_CHOICE,
            (struct manifest_numbers){(unsigned)restart->mode, MANIFEST_RESTART_MODE_COUNT - 1});
    }
    manifest_leave(m);
    return true;
}

/* What sched_budget_is_valid says, with the field. */
static bool budget_check(struct manifest *m, const struct manifest_scheduling *scheduling)
{
    uint64_t budget_ns = scheduling->budget_ns;

    return manifest_number_check(
               m, "budgetNs", budget_ns,
               (struct manifest_range){SCHED_BUDGET_MIN_NS, SCHED_PERIOD_MAX_NS}) &&
           manifest_number_check(m, "periodNs", scheduling->period_ns,
                                 (struct manifest_range){budget_ns, SCHED_PERIOD_MAX_NS});
}

static bool scheduling_check(struct manifest *m, const struct manifest_scheduling *scheduling)
{
    manifest_enter(m, "scheduling", MANIFEST_NO_INDEX);
    if (!manifest_number_check(m, "priority", scheduling->priority,
                               (struct manifest_range){0, LIMIT_PRIORITIES - 1}) ||
        (scheduling->budget_ns != 0 && !budget_check(m, scheduling)) ||
        !manifest_number_check(m, "cpuMask", scheduling->cpu_mask,
                               (struct manifest_range){1, UINT64_MAX})) {
        return false;
    }
    manifest_leave(m);
    return true;
}

/* Quotas, restart, scheduling: all three are there before the first is looked into. */
static bool policies_check(struct manifest *m, uint32_t index, struct manifest_service_reader from)
{
    struct manifest_service service;
    uint32_t entries;

    if (!manifest_present(m, "quotas", manifest_service_at_quotas(from)) ||
        !manifest_present(m, "restart", manifest_service_at_restart(from)) ||
        !manifest_present(m, "scheduling", manifest_service_at_scheduling(from))) {
        return false;
    }
    manifest_service_get(m, index, &service);
    if (!manifest_pointers_good(m) ||
        !quotas_check(m, &service.quotas, index == MANIFEST_INIT_INDEX) ||
        !restart_check(m, &service.restart) || !scheduling_check(m, &service.scheduling)) {
        return false;
    }
    entries = service.grant_count + service.export_count;
    if (entries > LIMIT_CAPSET_ENTRIES) {
        return manifest_refuse(m, MANIFEST_ERROR_CAPSET, entries, LIMIT_CAPSET_ENTRIES);
    }
    return entries <= LIMIT_GRANTS ||
           manifest_refuse(m, MANIFEST_ERROR_GRANTS, entries, LIMIT_GRANTS);
}

bool manifest_service_check(struct manifest *m, uint32_t index)
{
    struct manifest_service_reader from = manifest_service_list_get(m->service_list, index);
    struct capn_text binary;

    ASSERT(m->refusal.step_count == 0);
    manifest_enter(m, "services", index);
    if (!service_name_check(m, index, from) ||
        !manifest_name_check(m, "binary", manifest_service_at_binary(from), &binary) ||
        !arguments_check(m, from) || !edges_check(m, from) || !policies_check(m, index, from)) {
        return false;
    }
    manifest_leave(m);
    return true;
}
