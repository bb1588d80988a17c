/* SPDX-License-Identifier: MIT */
/*
 * The order of starting: init first, every exporter before those it serves, every service after
 * those that `after` names, and among services that are free to start the one that stands first in
 * the JSON. A cycle is refused with its members.
 */
#include <string.h>

#include "tools/mkmanifest/model.h"

static size_t service_index(const struct model *model, const char *name)
{
    size_t i = 0;

    while (i < model->service_count && strcmp(model->services[i].name, name) != 0) {
        i++;
    }
    return i;
}

struct name_list model_service_names(struct model *model)
{
    const char **names = pool_alloc(&model->pool, model->service_count, sizeof(*names));

    for (size_t i = 0; i < model->service_count; i++) {
        names[i] = model->services[i].name;
    }
    return (struct name_list){names, model->service_count};
}

/* Two services of one name would wait for each other's clients. */
static bool names_check(struct model *model)
{
    for (size_t i = 0; i < model->service_count; i++) {
        const struct model_service *service = &model->services[i];

        if (service_index(model, service->name) != i) {
            return report_refuse(
                &model->report,
                (struct refusal_text){pool_format(&model->pool, "%s.name", service->path),
                                      manifest_error_text(MANIFEST_ERROR_DUPLICATE),
                                      pool_format(&model->pool, "\"%s\"", service->name),
                                      "another name"});
        }
    }
    return true;
}

static bool after_check(struct model *model, const struct model_service *service)
{
    for (size_t i = 0; i < service->after.count; i++) {
        const char *name = service->after.names[i];
        const char *path = pool_format(&model->pool, "%s.after[%zu]", service->path, i);

        if (service == &model->services[0]) {
            return report_refuse(&model->report,
                                 (struct refusal_text){path, "init starts before every other",
                                                       pool_format(&model->pool, "\"%s\"", name),
                                                       "leave `after` out of init"});
        }
        if (service_index(model, name) == model->service_count) {
            return report_refuse(&model->report,
                                 (struct refusal_text){
                                     path, "`after` names services of this manifest",
                                     pool_format(&model->pool, "\"%s\"", name),
                                     suggest_name(&model->pool, name, model_service_names(model))});
        }
    }
    return true;
}

/* Whether service `index` must wait for `other`. Names that do not exist are judged elsewhere. */
static bool waits_for(const struct model *model, size_t index, size_t other)
{
    const struct model_service *service = &model->services[index];
    const char *name = model->services[other].name;

    if (index == 0) {
        return false;
    }
    if (other == 0) {
        return true;
    }
    for (size_t i = 0; i < service->after.count; i++) {
        if (strcmp(service->after.names[i], name) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < service->grant_count; i++) {
        if (!service->grants[i].from_kernel && strcmp(service->grants[i].source_name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The first service, not yet placed, that `index` waits for; service_count: none. */
static size_t unmet(const struct model *model, const bool *placed, size_t index)
{
    size_t other = 0;

    while (other < model->service_count && (placed[other] || !waits_for(model, index, other))) {
        other++;
    }
    return other;
}

/* Every service not placed waits for another one not placed: following that leads into a cycle. */
static bool refuse_cycle(struct model *model, const bool *placed, size_t index)
{
    bool *seen = pool_alloc(&model->pool, model->service_count, sizeof(*seen));
    const char *text;
    size_t next;

    while (!seen[index]) {
        seen[index] = true;
        index = unmet(model, placed, index);
    }
    text = model->services[index].name;
    for (next = unmet(model, placed, index); next != index; next = unmet(model, placed, next)) {
        text =
            pool_format(&model->pool, "%s, which waits for %s", text, model->services[next].name);
    }
    return report_refuse(
        &model->report,
        (struct refusal_text){
            model->services[index].path, "no services may each have to start before the other",
            pool_format(&model->pool, "%s, which waits for %s", text, model->services[index].name),
            "take one of these grants or `after` entries out"});
}

bool model_order(struct model *model)
{
    bool *placed = pool_alloc(&model->pool, model->service_count, sizeof(*placed));

    model->order = pool_alloc(&model->pool, model->service_count, sizeof(*model->order));
    if (!names_check(model)) {
        return false;
    }
    for (size_t i = 0; i < model->service_count; i++) {
        if (!after_check(model, &model->services[i])) {
            return false;
        }
    }
    for (size_t position = 0; position < model->service_count; position++) {
        size_t index = 0;

        while (index < model->service_count &&
               (placed[index] || unmet(model, placed, index) != model->service_count)) {
            index++;
        }
        if (index == model->service_count) {
            size_t left = 0;

            while (placed[left]) {
                left++;
            }
            return refuse_cycle(model, placed, left);
        }
        placed[index] = true;
        model->order[position] = index;
    }
    return true;
}
