/* SPDX-License-Identifier: MIT */
/*
 * A manifest as the JSON says it, with names resolved to numbers where the message has numbers.
 * Everything lies in the model's pool.
 */
#ifndef TOOLS_MKMANIFEST_MODEL_H
#define TOOLS_MKMANIFEST_MODEL_H

#include "core/manifest.h"
#include "tools/mkmanifest/interfaces.h"
#include "tools/mkmanifest/report.h"
#include "tools/mkmanifest/sha256.h"

struct model_names {
    const char **names;
    size_t count;
};

struct model_binary {
    const char *name;
    const char *path; /* as written */
    const uint8_t *bytes;
    size_t length;
};

struct model_grant {
    const char *name;
    const char *source; /* as written: "kernel:console", "service:export" */
    bool from_kernel;
    const char *source_name;
    const char *export_name; /* NULL for kernel objects */
    struct interface interface;
    uint64_t facet;
    uint64_t badge;
    enum authority_transfer_mode transfer;
};

struct model_export {
    const char *name;
    struct interface interface;
    uint64_t facet;
    uint32_t message_bytes;
    uint16_t capabilities;
    uint32_t queue_length;
};

struct model_service {
    const char *name;
    const char *binary;
    const char *path; /* JSON path, like "$.services[1]" */
    struct model_names arguments;
    struct model_names after;
    struct model_grant *grants;
    size_t grant_count;
    struct model_export *exports;
    size_t export_count;
    struct manifest_quotas quotas;
    struct manifest_restart restart;
    struct manifest_scheduling scheduling;
};

struct model {
    struct pool pool;
    struct report report;
    const char *name;
    uint32_t schema_version;
    struct manifest_kernel kernel;
    struct model_binary *binaries;
    size_t binary_count;
    struct model_service *services; /* as in the JSON, init first */
    size_t service_count;
    size_t *order; /* message position -> index among services */
    uint8_t source_hash[SHA256_BYTES];
};

/* An empty model for reports about `file`, which must outlive it. */
void model_init(struct model *model, const char *file);
void model_free(struct model *model);

/* ---- json_read.c: shape --------------------------------------------------------------------- */

/* Reads JSON text; false: model->report says why. The text is not kept. */
bool model_read_json(struct model *model, const char *text, size_t length) MUST_USE;

/* ---- order.c -------------------------------------------------------------------------------- */

/* Finds the order of starting; false: a cycle, in model->report. */
bool model_order(struct model *model) MUST_USE;

/* ---- binaries.c ----------------------------------------------------------------------------- */

/* Loads every binary; paths are relative to `folder`, and stay inside it. */
bool model_load_binaries(struct model *model, const char *folder) MUST_USE;

/* ---- encode.c ------------------------------------------------------------------------------- */

/* The framed message, in the model's pool, without checking it. */
void model_encode(struct model *model, const uint8_t **bytes, size_t *length);

/* ---- judge.c -------------------------------------------------------------------------------- */

/* Runs manifest_open on the message and words what it refuses in terms of the JSON. */
bool model_judge(struct model *model, struct manifest *manifest, const uint8_t *bytes,
                 size_t length) MUST_USE;

/* Names of things, for suggestions; in the model's pool. */
struct name_list model_service_names(struct model *model);
struct name_list model_binary_names(struct model *model);

#endif
