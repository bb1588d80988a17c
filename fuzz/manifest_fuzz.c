/* SPDX-License-Identifier: MIT */
/*
 * The manifest decoder on hostile bytes. Whatever is accepted is walked by every accessor and has
 * every property that the rules promise; whatever is refused names a place.
 *
 * Input: the module's bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/host/manifest_properties.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static uint64_t sink;

static void demand(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* Reads every byte that an accessor hands out. */
static void touch(const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        sink += ((const uint8_t *)bytes)[i];
    }
}

static void touch_text(struct capn_text text)
{
    touch(text.bytes, text.length);
}

static void service_walk(struct manifest *manifest, uint32_t index)
{
    struct manifest_service service;
    struct manifest_export exported;
    struct manifest_grant grant;

    manifest_service_get(manifest, index, &service);
    touch_text(service.name);
    touch_text(service.binary_name);
    for (uint32_t i = 0; i < service.argument_count; i++) {
        touch_text(manifest_argument_get(manifest, &service, i));
    }
    for (uint32_t i = 0; i < service.grant_count; i++) {
        manifest_grant_get(manifest, &service, i, &grant);
        touch_text(grant.name);
        touch_text(grant.source_name);
        touch_text(grant.export_name);
    }
    for (uint32_t i = 0; i < service.export_count; i++) {
        manifest_export_get(manifest, &service, i, &exported);
        touch_text(exported.name);
    }
}

static void walk(struct manifest *manifest)
{
    struct manifest_kernel kernel;
    struct manifest_binary binary;

    manifest_kernel_get(manifest, &kernel);
    touch_text(manifest_system_name(manifest));
    for (uint32_t i = 0; i < manifest->binary_count; i++) {
        manifest_binary_get(manifest, i, &binary);
        touch_text(binary.name);
        touch(binary.data.bytes, binary.data.length);
    }
    for (uint32_t i = 0; i < manifest->service_count; i++) {
        service_walk(manifest, i);
    }
    demand(manifest_properties(manifest) == 0);
    demand(manifest->refusal.error == MANIFEST_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    /* A copy of exactly this length, so that a byte too far is seen. */
    uint8_t *bytes = malloc(length == 0 ? 1 : length);
    struct manifest manifest;

    demand(bytes != NULL);
    memcpy(bytes, input, length);
    if (manifest_open(bytes, length, &manifest) == MANIFEST_OK) {
        walk(&manifest);
    } else {
        char path[200];

        demand(manifest_path_text(&manifest.refusal, path, sizeof(path)) < sizeof(path));
        touch(path, strlen(path));
        touch_text(manifest.refusal.text);
        touch(manifest_error_text(manifest.refusal.error),
              strlen(manifest_error_text(manifest.refusal.error)));
    }
    free(bytes);
    return 0;
}
