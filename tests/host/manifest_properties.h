/* SPDX-License-Identifier: MIT */
/*
 * What must hold of every manifest that was accepted, said a second time and in the plainest way:
 * by looking at all pairs. Tests and fuzz targets share it, so it asserts nothing itself.
 */
#ifndef TESTS_HOST_MANIFEST_PROPERTIES_H
#define TESTS_HOST_MANIFEST_PROPERTIES_H

#include <stdint.h>

#include "core/hold_edge.h"
#include "core/manifest.h"

static inline bool property_grant(struct manifest *m, const struct manifest_service *holder,
                                  const struct manifest_grant *grant)
{
    struct manifest_service other;
    struct manifest_export exported;
    struct manifest_grant held;
    bool init_may_give = false;

    if (!manifest_name_is_valid(grant->name) || grant->transfer >= AUTHORITY_TRANSFER_MODE_COUNT) {
        return false;
    }
    if (!grant->from_kernel) {
        if (grant->service >= holder->index || holder->index == 0) {
            return false;
        }
        manifest_service_get(m, grant->service, &other);
        if (grant->service_export >= other.export_count) {
            return false;
        }
        manifest_export_get(m, &other, grant->service_export, &exported);
        return manifest_text_equal(other.name, grant->source_name) &&
               manifest_text_equal(exported.name, grant->export_name) &&
               exported.interface_id == grant->interface_id &&
               facet_is_within(grant->facet, exported.facet);
    }
    if (grant->source >= MANIFEST_SOURCE_COUNT || grant->badge != 0 ||
        grant->interface_id != manifest_source_interface(grant->source)) {
        return false;
    }
    if (holder->index == 0) {
        return true;
    }
    manifest_service_get(m, 0, &other);
    for (uint32_t i = 0; i < other.grant_count; i++) {
        manifest_grant_get(m, &other, i, &held);
        init_may_give = init_may_give || (held.from_kernel && held.source == grant->source &&
                                          facet_is_within(grant->facet, held.facet) &&
                                          manifest_transfer_within(grant->transfer, held.transfer));
    }
    return init_may_give;
}

/* Whether no other grant has the badge of this one at its export. */
static inline bool property_badge(struct manifest *m, const struct manifest_service *holder,
                                  uint32_t index)
{
    struct manifest_service service;
    struct manifest_grant other;
    struct manifest_grant grant;

    manifest_grant_get(m, holder, index, &grant);
    for (uint32_t i = 0; i < m->service_count; i++) {
        manifest_service_get(m, i, &service);
        for (uint32_t j = 0; j < service.grant_count; j++) {
            manifest_grant_get(m, &service, j, &other);
            if ((i != holder->index || j != index) && grant.badge != 0 &&
                other.badge == grant.badge && other.service == grant.service &&
                other.service_export == grant.service_export) {
                return false;
            }
        }
    }
    return true;
}

/* Whether a name of this service's CapSet stands there once. */
static inline bool property_capset(struct manifest *m, const struct manifest_service *service)
{
    struct capn_text names[2 * LIMIT_CAPSET_ENTRIES];
    uint32_t count = 0;

    if (service->grant_count + service->export_count > LIMIT_CAPSET_ENTRIES) {
        return false;
    }
    for (uint32_t i = 0; i < service->grant_count; i++) {
        struct manifest_grant grant;

        manifest_grant_get(m, service, i, &grant);
        names[count++] = grant.name;
    }
    for (uint32_t i = 0; i < service->export_count; i++) {
        struct manifest_export exported;

        manifest_export_get(m, service, i, &exported);
        names[count++] = exported.name;
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (manifest_text_equal(names[i], names[j])) {
                return false;
            }
        }
    }
    return true;
}

static inline bool property_export_once(struct manifest *m, struct capn_text name)
{
    unsigned found = 0;

    for (uint32_t i = 0; i < m->service_count; i++) {
        struct manifest_service service;

        manifest_service_get(m, i, &service);
        for (uint32_t j = 0; j < service.export_count; j++) {
            struct manifest_export exported;

            manifest_export_get(m, &service, j, &exported);
            found += manifest_text_equal(exported.name, name) ? 1u : 0u;
        }
    }
    return found == 1;
}

/* 0, or the number of the property that does not hold. */
static inline unsigned manifest_properties(struct manifest *m)
{
    uint64_t frames = 0;
    struct manifest_service init;

    if (!manifest_name_is_valid(manifest_system_name(m)) || m->service_count == 0) {
        return 1;
    }
    manifest_service_get(m, 0, &init);
    for (uint32_t i = 0; i < m->service_count; i++) {
        struct manifest_service service;

        manifest_service_get(m, i, &service);
        if (manifest_service_find(m, service.name) != i || service.binary >= m->binary_count) {
            return 2;
        }
        if (!property_capset(m, &service)) {
            return 3;
        }
        for (uint32_t j = 0; j < service.grant_count; j++) {
            struct manifest_grant grant;

            manifest_grant_get(m, &service, j, &grant);
            if (!property_grant(m, &service, &grant) || !property_badge(m, &service, j)) {
                return 4;
            }
        }
        for (uint32_t j = 0; j < service.export_count; j++) {
            struct manifest_export exported;

            manifest_export_get(m, &service, j, &exported);
            if (!property_export_once(m, exported.name)) {
                return 5;
            }
        }
        if (i != 0 && (service.scheduling.priority > init.scheduling.priority ||
                       init.scheduling.budget_ns != 0)) {
            return 7;
        }
        frames += i == 0 ? 0 : service.quotas.frames;
    }
    return frames > init.quotas.frames ? 6 : 0;
}

#endif
