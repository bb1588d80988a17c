/* SPDX-License-Identifier: MIT */
/*
 * Manifests for tests: a description in plain C and the message made of it, by the generated
 * builders alone, so that any field can be wrong or absent. Strings may be NULL: the field is then
 * left null.
 */
#ifndef TESTS_HOST_MANIFEST_FIXTURE_H
#define TESTS_HOST_MANIFEST_FIXTURE_H

#include "core/manifest.h"

enum {
    FIXTURE_LIST_MAX = 70, /* one more than the CapSet takes, and some */
    FIXTURE_SERVICES_MAX = MANIFEST_SERVICES_MAX + 2,
    FIXTURE_BINARIES_MAX = MANIFEST_BINARIES_MAX + 2,
    FIXTURE_NAME_BYTES = 48,
};

struct fixture_facet {
    bool absent;
    uint16_t tag; /* 0: all; 1: methods */
    uint64_t methods;
};

struct fixture_grant {
    const char *name;
    uint16_t source_tag; /* 0: kernel; 1: service */
    const char *source;
    const char *export_name;
    uint64_t interface_id;
    struct fixture_facet facet;
    uint64_t badge;
    uint16_t transfer;
};

struct fixture_export {
    const char *name;
    uint64_t interface_id;
    struct fixture_facet facet;
    uint32_t message_bytes;
    uint16_t capabilities;
    uint32_t queue_length;
};

struct fixture_service {
    const char *name;
    const char *binary;
    const char *argument[FIXTURE_LIST_MAX];
    uint32_t argument_count;
    struct fixture_grant grant[FIXTURE_LIST_MAX];
    uint32_t grant_count;
    struct fixture_export exported[FIXTURE_LIST_MAX];
    uint32_t export_count;
    bool arguments_absent;
    bool grants_absent;
    bool exports_absent;
    bool quotas_absent;
    bool restart_absent;
    bool scheduling_absent;
    struct manifest_quotas quotas;
    uint16_t restart_mode;
    struct manifest_scheduling scheduling;
};

struct fixture_binary {
    const char *name;
    const uint8_t *bytes; /* NULL: absent */
    size_t length;
};

struct fixture {
    uint32_t version;
    const char *name;
    bool kernel_absent;
    struct manifest_kernel kernel;
    bool binaries_absent;
    struct fixture_binary binary[FIXTURE_BINARIES_MAX];
    uint32_t binary_count;
    bool services_absent;
    struct fixture_service service[FIXTURE_SERVICES_MAX];
    uint32_t service_count;
    size_t hash_bytes;                                                       /* SIZE_MAX: absent */
    char names[FIXTURE_SERVICES_MAX + FIXTURE_LIST_MAX][FIXTURE_NAME_BYTES]; /* for the test */
};

/* The smallest program that core/elf accepts. */
extern const uint8_t fixture_elf[];
extern const size_t fixture_elf_bytes;

/*
 * A sound manifest: init, which holds console, process-spawner and null; "server", which exports
 * "greeter" (NullObject, both methods); "client", which is granted it and the console. Allocated;
 * give it to free().
 */
struct fixture *fixture_make(void);

/* A service of the defaults, and a kernel grant. */
void fixture_service_init(struct fixture_service *service, const char *name, const char *binary);
struct fixture_grant fixture_kernel_grant(const char *name, enum manifest_source source);

/* The framed message, allocated. */
uint8_t *fixture_encode(const struct fixture *fixture, size_t *length);

#endif
