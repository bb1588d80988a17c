/* SPDX-License-Identifier: MIT */
/* --explain: what a service may do, and through whom, in words. */
#include <inttypes.h>

#include "tools/mkmanifest/view.h"

const char *restart_word(enum manifest_restart_mode mode)
{
    switch (mode) {
    case MANIFEST_RESTART_MODE_NEVER:
        return "never";
    case MANIFEST_RESTART_MODE_ON_FAILURE:
        return "on-failure";
    case MANIFEST_RESTART_MODE_ALWAYS:
        return "always";
    case MANIFEST_RESTART_MODE_ESSENTIAL:
        return "essential";
    }
    return "unknown";
}

const char *transfer_word(enum authority_transfer_mode mode)
{
    switch (mode) {
    case AUTHORITY_TRANSFER_MODE_NONE:
        return "none";
    case AUTHORITY_TRANSFER_MODE_COPY:
        return "copy";
    case AUTHORITY_TRANSFER_MODE_MOVE:
        return "move";
    case AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE:
        return "copy-grantable";
    case AUTHORITY_TRANSFER_MODE_MOVE_GRANTABLE:
        return "move-grantable";
    }
    return "unknown";
}

static const char *transfer_sentence(enum authority_transfer_mode mode)
{
    switch (mode) {
    case AUTHORITY_TRANSFER_MODE_NONE:
        return "may not pass it on";
    case AUTHORITY_TRANSFER_MODE_COPY:
        return "may pass on copies, whose holders may not pass them on";
    case AUTHORITY_TRANSFER_MODE_MOVE:
        return "may pass it on once, and has it no more then";
    case AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE:
        return "may pass on copies, and with them the right to pass them on";
    case AUTHORITY_TRANSFER_MODE_MOVE_GRANTABLE:
        return "may pass it on, and with it the right to pass it on";
    }
    return "unknown mode";
}

static const char *restart_sentence(enum manifest_restart_mode mode)
{
    switch (mode) {
    case MANIFEST_RESTART_MODE_NEVER:
        return "its end is final";
    case MANIFEST_RESTART_MODE_ON_FAILURE:
        return "restarted when it fails";
    case MANIFEST_RESTART_MODE_ALWAYS:
        return "restarted whenever it ends";
    case MANIFEST_RESTART_MODE_ESSENTIAL:
        return "its end is the system's end";
    }
    return "unknown restart mode";
}

static bool text_is(struct capn_text text, struct capn_text other)
{
    return manifest_text_equal(text, other);
}

static int length(struct capn_text text)
{
    return (int)text.length;
}

/* The methods of a facet: those it has or, with `have` false, those it lacks. */
static void methods_write(FILE *to, struct interface interface, uint64_t facet, bool have)
{
    const char *separator = "";

    for (uint32_t i = 0; i < interface_method_count(interface); i++) {
        bool has = (facet >> i & 1) != 0;

        if (has == have) {
            fprintf(to, "%s%s", separator, interface_method_name(interface, i));
            separator = ", ";
        }
    }
}

static void facet_write(FILE *to, struct pool *pool, uint64_t interface_number, uint64_t facet)
{
    struct interface interface;
    uint64_t all;

    if (!interface_by_id(interface_number, &interface)) {
        fprintf(to, "      may call methods 0x%" PRIx64 " of an interface without a name\n", facet);
        return;
    }
    if (facet == MANIFEST_FACET_ALL) {
        fputs("      may call every method (", to);
        methods_write(to, interface, facet, true);
        fputs("), and any added later\n", to);
        return;
    }
    for (uint32_t i = 0; i < interface_method_count(interface); i++) {
        if ((facet >> i & 1) != 0) {
            fprintf(to, "      may call %s: %s\n", interface_method_name(interface, i),
                    interface_method_summary(pool, interface, i));
        }
    }
    all = interface_method_count(interface) == 64
              ? UINT64_MAX
              : (UINT64_C(1) << interface_method_count(interface)) - 1;
    if ((facet & all) != all) {
        fputs("      may not call ", to);
        methods_write(to, interface, facet, false);
        fputs("\n", to);
    }
}

static const char *name_of_interface(struct pool *pool, uint64_t id)
{
    struct interface interface;

    return interface_by_id(id, &interface) ? interface_name(interface)
                                           : pool_format(pool, "interface 0x%016" PRIx64, id);
}

static void grant_write(FILE *to, struct pool *pool, const struct manifest_service *service,
                        const struct manifest_grant *grant)
{
    fprintf(to, "    %.*s: %s", length(grant->name), grant->name.bytes,
            name_of_interface(pool, grant->interface_id));
    if (!grant->from_kernel) {
        fprintf(to, ", answered by %.*s (its export %.*s), through init",
                length(grant->source_name), grant->source_name.bytes, length(grant->export_name),
                grant->export_name.bytes);
    } else {
        fprintf(to, ", the kernel's %.*s, %s", length(grant->source_name), grant->source_name.bytes,
                service->index == MANIFEST_INIT_INDEX ? "from the kernel itself" : "through init");
    }
    if (grant->badge != 0) {
        fprintf(to, ", badge %" PRIu64, grant->badge);
    }
    fputs("\n", to);
    facet_write(to, pool, grant->interface_id, grant->facet);
    fprintf(to, "      %s\n", transfer_sentence(grant->transfer));
}

/* Who calls this export, and as whom. */
static void callers_write(FILE *to, struct manifest *manifest,
                          const struct manifest_service *service,
                          const struct manifest_export *exported)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < manifest->service_count; i++) {
        struct manifest_service other;

        manifest_service_get(manifest, i, &other);
        for (uint32_t j = 0; j < other.grant_count; j++) {
            struct manifest_grant grant;

            manifest_grant_get(manifest, &other, j, &grant);
            if (grant.from_kernel || !text_is(grant.source_name, service->name) ||
                !text_is(grant.export_name, exported->name)) {
                continue;
            }
            fprintf(to, "      called by %.*s", length(other.name), other.name.bytes);
            if (grant.badge != 0) {
                fprintf(to, " (badge %" PRIu64 ")", grant.badge);
            }
            fputs("\n", to);
            count++;
        }
    }
    if (count == 0) {
        fputs("      called by nobody\n", to);
    }
}

static void exports_write(FILE *to, struct pool *pool, struct manifest *manifest,
                          const struct manifest_service *service)
{
    if (service->export_count == 0) {
        fputs("  answers no calls\n", to);
        return;
    }
    fputs("  answers calls to\n", to);
    for (uint32_t i = 0; i < service->export_count; i++) {
        struct manifest_export exported;

        manifest_export_get(manifest, service, i, &exported);
        fprintf(to, "    %.*s: %s, messages of at most %u bytes and %u capabilities, %u may wait\n",
                length(exported.name), exported.name.bytes,
                name_of_interface(pool, exported.interface_id), exported.message_bytes,
                exported.capabilities, exported.queue_length);
        callers_write(to, manifest, service, &exported);
    }
}

static void limits_write(FILE *to, const struct manifest_service *service)
{
    const struct manifest_quotas *quotas = &service->quotas;

    fprintf(to,
            "  may use at most %u slots, %u frames, %u bytes of rings, %u waiting calls,\n"
            "    %u calls sent, %u bytes of scratch, %u threads, %u bytes of log,\n"
            "    %u delegations, %u.%u %% of a CPU\n",
            quotas->slots, quotas->frames, quotas->ring_bytes, quotas->endpoint_queue,
            quotas->outstanding_calls, quotas->scratch_bytes, quotas->threads, quotas->log_bytes,
            quotas->grant_nodes, quotas->cpu_permille / 10, quotas->cpu_permille % 10);
}

void explain_write(FILE *to, struct pool *pool, struct manifest *manifest, uint32_t index)
{
    struct manifest_service service;

    manifest_service_get(manifest, index, &service);
    fprintf(to, "%.*s: program %.*s, priority %u, %s\n", length(service.name), service.name.bytes,
            length(service.binary_name), service.binary_name.bytes, service.scheduling.priority,
            restart_sentence(service.restart.mode));
    if (service.grant_count == 0) {
        fputs("  is granted nothing\n", to);
    } else {
        fprintf(to, "  is granted %u capabilit%s, and nothing else\n", service.grant_count,
                service.grant_count == 1 ? "y" : "ies");
    }
    for (uint32_t i = 0; i < service.grant_count; i++) {
        struct manifest_grant grant;

        manifest_grant_get(manifest, &service, i, &grant);
        grant_write(to, pool, &service, &grant);
    }
    exports_write(to, pool, manifest, &service);
    limits_write(to, &service);
    for (uint32_t i = 0; i < service.argument_count; i++) {
        struct capn_text text = manifest_argument_get(manifest, &service, i);

        fprintf(to, "  argument %u: \"%.*s\"\n", i, length(text), text.bytes);
    }
}
