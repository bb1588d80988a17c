/* SPDX-License-Identifier: MIT */
/*
 * Judges the finished message with the decoder that the kernel and init run, and words its refusal
 * for those who wrote the JSON: the path there, what was found, the nearest name that would do.
 */
#include <inttypes.h>
#include <string.h>

#include "tools/mkmanifest/interfaces.h"
#include "tools/mkmanifest/model.h"
#include "tools/mkmanifest/view.h"

/* The decoder's field names are the schema's; where the JSON has another, it is listed here. */
static const char *const json_names[][2] = {
    {"quotas", ".quota"},
    {"scheduling", ""},
    {"cpuMask", ".cpus"},
    {"data", ".path"},
};

static const char *json_field(struct pool *pool, const char *field)
{
    for (size_t i = 0; i < ARRAY_COUNT(json_names); i++) {
        if (strcmp(json_names[i][0], field) == 0) {
            return json_names[i][1];
        }
    }
    return pool_format(pool, ".%s", field);
}

static const char *json_path(struct model *model, const struct manifest_refusal *refusal)
{
    const char *path = "$";

    for (uint32_t i = 0; i < refusal->step_count; i++) {
        const struct manifest_step *step = &refusal->step[i];

        if (strcmp(step->field, "services") == 0 && step->index < model->service_count) {
            path = model->services[model->order[step->index]].path;
        } else if (step->index == MANIFEST_NO_INDEX) {
            path = pool_format(&model->pool, "%s%s", path, json_field(&model->pool, step->field));
        } else {
            path = pool_format(&model->pool, "%s%s[%u]", path,
                               json_field(&model->pool, step->field), step->index);
        }
    }
    return path;
}

/* The service and the grant that a refusal is about; NULL when it is about none. */
static const struct model_service *refused_service(const struct model *model,
                                                   const struct manifest_refusal *refusal)
{
    bool is = refusal->step_count > 0 && strcmp(refusal->step[0].field, "services") == 0 &&
              refusal->step[0].index < model->service_count;

    return is ? &model->services[model->order[refusal->step[0].index]] : NULL;
}

static const struct model_grant *refused_grant(const struct model *model,
                                               const struct manifest_refusal *refusal)
{
    const struct model_service *service = refused_service(model, refusal);
    bool is = service != NULL && refusal->step_count > 1 &&
              strcmp(refusal->step[1].field, "grants") == 0 &&
              refusal->step[1].index < service->grant_count;

    return is ? &service->grants[refusal->step[1].index] : NULL;
}

static const char *facet_text(struct pool *pool, struct interface interface, uint64_t facet)
{
    const char *text = "";

    if (facet == MANIFEST_FACET_ALL) {
        return "\"all\"";
    }
    for (unsigned i = 0; i < 64; i++) {
        if ((facet >> i & 1) != 0) {
            text = i < interface_method_count(interface)
                       ? pool_format(pool, "%s%s\"%s\"", text, text[0] == '\0' ? "" : ", ",
                                     interface_method_name(interface, i))
                       : pool_format(pool, "%s%smethod %u", text, text[0] == '\0' ? "" : ", ", i);
        }
    }
    return pool_format(pool, "[%s]", text);
}

static const char *interface_text(struct pool *pool, uint64_t id)
{
    struct interface interface;

    return interface_by_id(id, &interface) ? pool_format(pool, "\"%s\"", interface_name(interface))
                                           : pool_format(pool, "interface 0x%016" PRIx64, id);
}

static const char *found_text(struct model *model, const struct manifest_refusal *refusal)
{
    const struct model_grant *grant = refused_grant(model, refusal);
    struct pool *pool = &model->pool;

    if (refusal->error == MANIFEST_ERROR_FACET && grant != NULL) {
        return facet_text(pool, grant->interface, refusal->found);
    }
    if (refusal->error == MANIFEST_ERROR_INTERFACE) {
        return interface_text(pool, refusal->found);
    }
    if (refusal->error == MANIFEST_ERROR_TRANSFER) {
        return pool_format(pool, "\"%s\"",
                           transfer_word((enum authority_transfer_mode)refusal->found));
    }
    if (refusal->text.bytes != NULL) {
        return pool_format(pool, "\"%.*s\"", (int)refusal->text.length, refusal->text.bytes);
    }
    if (refusal->detail != NULL) {
        return refusal->detail;
    }
    return pool_format(pool, "%" PRIu64, refusal->found);
}

static struct name_list source_names(struct pool *pool)
{
    const char **names = pool_alloc(pool, MANIFEST_SOURCE_COUNT, sizeof(*names));

    for (unsigned i = 0; i < MANIFEST_SOURCE_COUNT; i++) {
        names[i] = manifest_source_name((enum manifest_source)i);
    }
    return (struct name_list){names, MANIFEST_SOURCE_COUNT};
}

static struct name_list export_names(struct model *model, const char *service)
{
    for (size_t i = 0; i < model->service_count; i++) {
        const struct model_service *exporter = &model->services[i];

        if (strcmp(exporter->name, service) == 0) {
            const char **names =
                pool_alloc(&model->pool, exporter->export_count + 1, sizeof(*names));

            for (size_t j = 0; j < exporter->export_count; j++) {
                names[j] = exporter->exports[j].name;
            }
            return (struct name_list){names, exporter->export_count};
        }
    }
    return (struct name_list){NULL, 0};
}

static const char *suggestion_text(struct model *model, const struct manifest_refusal *refusal)
{
    const struct model_grant *grant = refused_grant(model, refusal);
    const char *name =
        refusal->text.bytes == NULL
            ? ""
            : pool_format(&model->pool, "%.*s", (int)refusal->text.length, refusal->text.bytes);
    struct pool *pool = &model->pool;

    switch (refusal->error) {
    case MANIFEST_ERROR_NO_BINARY:
        return suggest_name(pool, name, model_binary_names(model));
    case MANIFEST_ERROR_NO_SERVICE:
        return suggest_name(pool, name, model_service_names(model));
    case MANIFEST_ERROR_NO_SOURCE:
        return suggest_name(pool, name, source_names(pool));
    case MANIFEST_ERROR_NO_EXPORT:
        return suggest_name(pool, name,
                            grant == NULL ? (struct name_list){NULL, 0}
                                          : export_names(model, grant->source_name));
    case MANIFEST_ERROR_FACET:
        return grant == NULL ? "fewer methods"
                             : pool_format(pool, "at most %s",
                                           facet_text(pool, grant->interface, refusal->limit));
    case MANIFEST_ERROR_INTERFACE:
        return interface_text(pool, refusal->limit);
    case MANIFEST_ERROR_TRANSFER:
        return pool_format(pool, "init holds it with transfer \"%s\"",
                           transfer_word((enum authority_transfer_mode)refusal->limit));
    case MANIFEST_ERROR_NOT_HELD:
        return pool_format(pool, "grant \"kernel:%s\" to init with transfer \"copy\"", name);
    case MANIFEST_ERROR_UNUSED_BINARY:
        return "take it out, or name it as the binary of a service";
    case MANIFEST_ERROR_RANGE:
    case MANIFEST_ERROR_PRIORITY:
    case MANIFEST_ERROR_QUOTA:
    case MANIFEST_ERROR_CAPSET:
    case MANIFEST_ERROR_GRANTS:
    case MANIFEST_ERROR_TOO_LARGE:
    case MANIFEST_ERROR_TOO_MANY:
        return pool_format(pool, "the limit is %" PRIu64, refusal->limit);
    case MANIFEST_ERROR_WORDS:
        return pool_format(pool, "%" PRIu64 " or %" PRIu64, refusal->limit, refusal->limit + 8);
    case MANIFEST_ERROR_DUPLICATE:
        return "another name";
    case MANIFEST_ERROR_SHARED_BADGE:
        return "another badge";
    case MANIFEST_ERROR_INIT_BUDGET:
        return "leave init's budget out";
    case MANIFEST_ERROR_BADGE:
        return "leave the badge out";
    case MANIFEST_ERROR_INIT_SOURCE:
    case MANIFEST_ERROR_LATER_SERVICE:
        return "\"kernel:OBJECT\", or the export of a service that starts earlier";
    case MANIFEST_ERROR_NOT_LOADABLE:
        return "a static ELF program for x86-64, as `make user` builds";
    default:
        return "what systems/schema.cue allows here";
    }
}

bool model_judge(struct model *model, struct manifest *manifest, const uint8_t *bytes,
                 size_t length)
{
    enum manifest_error error = manifest_open(bytes, length, manifest);

    if (error == MANIFEST_OK) {
        return true;
    }
    return report_refuse(&model->report,
                         (struct refusal_text){json_path(model, &manifest->refusal),
                                               manifest_error_text(error),
                                               found_text(model, &manifest->refusal),
                                               suggestion_text(model, &manifest->refusal)});
}
