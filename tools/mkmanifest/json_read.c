/* SPDX-License-Identifier: MIT */
/*
 * JSON into the model: shape only. Which names exist, who holds what and whether quotas fit is
 * judged on the finished message by core/manifest, the code that the kernel and init run.
 *
 * schemaVersion is looked at before any other field.
 */
#include <string.h>

#include "tools/mkmanifest/interfaces.h"
#include "tools/mkmanifest/json_at.h"
#include "tools/mkmanifest/model.h"

#define KEYS(...)                                                                                  \
    ((struct key_list){(const char *const[]){__VA_ARGS__},                                         \
                       sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)})

enum { DEFAULT_PRIORITY = 8 };

/* What a service has when its JSON gives no quota, and what init has to give away. */
static const struct manifest_quotas service_quotas = {
    .slots = 64,
    .frames = 1024,
    .ring_bytes = 128 * 1024,
    .endpoint_queue = 64,
    .outstanding_calls = 64,
    .scratch_bytes = 64 * 1024,
    .threads = 4,
    .log_bytes = 4096,
    .grant_nodes = 64,
    .cpu_permille = 1000,
};
static const struct manifest_quotas init_quotas = {
    .slots = LIMIT_TABLE_SLOTS,
    .frames = 16384,
    .ring_bytes = 2 * 1024 * 1024,
    .endpoint_queue = 1024,
    .outstanding_calls = 1024,
    .scratch_bytes = 1024 * 1024,
    .threads = LIMIT_THREADS,
    .log_bytes = 64 * 1024,
    .grant_nodes = 1024,
    .cpu_permille = 1000,
};

/* Texts are copied, because the document does not outlive the reading. */
static bool name_read(struct json_at at, const char **name)
{
    if (!json_name_read(at, NULL, name)) {
        return false;
    }
    *name = pool_string(at.report->pool, *name);
    return true;
}

static bool u64_read(struct json_at at, const char *key, struct number_rule rule, uint64_t *number)
{
    return json_number_read(json_member(at, key), rule, number);
}

static bool u32_read(struct json_at at, const char *key, uint32_t absent, uint32_t *number)
{
    uint64_t wide;

    if (!u64_read(at, key, (struct number_rule){0, UINT32_MAX, absent, false}, &wide)) {
        return false;
    }
    *number = (uint32_t)wide;
    return true;
}

static bool u16_read(struct json_at at, const char *key, uint16_t absent, uint16_t *number)
{
    uint64_t wide;

    if (!u64_read(at, key, (struct number_rule){0, UINT16_MAX, absent, false}, &wide)) {
        return false;
    }
    *number = (uint16_t)wide;
    return true;
}

static bool u8_read(struct json_at at, const char *key, uint8_t absent, uint8_t *number)
{
    uint64_t wide;

    if (!u64_read(at, key, (struct number_rule){0, UINT8_MAX, absent, false}, &wide)) {
        return false;
    }
    *number = (uint8_t)wide;
    return true;
}

static bool names_read(struct json_at at, struct model_names *names)
{
    if (!json_array_check(at, (struct array_rule){0, MANIFEST_SERVICES_MAX, false},
                          &names->count)) {
        return false;
    }
    names->names = pool_alloc(at.report->pool, names->count + 1, sizeof(*names->names));
    for (size_t i = 0; i < names->count; i++) {
        if (!name_read(json_entry(at, i), &names->names[i])) {
            return false;
        }
    }
    return true;
}

static bool arguments_read(struct json_at at, struct model_names *arguments)
{
    if (!json_array_check(at, (struct array_rule){0, MANIFEST_ARGUMENTS_MAX, false},
                          &arguments->count)) {
        return false;
    }
    arguments->names = pool_alloc(at.report->pool, arguments->count + 1, sizeof(*arguments->names));
    for (size_t i = 0; i < arguments->count; i++) {
        const char *text;

        if (!json_text_read(json_entry(at, i), NULL, &text)) {
            return false;
        }
        arguments->names[i] = pool_string(at.report->pool, text);
    }
    return true;
}

static bool kernel_read(struct json_at at, struct manifest_kernel *kernel)
{
    if (!json_object_check(at,
                           KEYS("logLevel", "timerHz", "maxCpus", "logBytes", "haltOnInitExit"))) {
        return false;
    }
    return u8_read(at, "logLevel", 2, &kernel->log_level) &&
           u32_read(at, "timerHz", 1000, &kernel->timer_hertz) &&
           u16_read(at, "maxCpus", 0, &kernel->cpus_max) &&
           u32_read(at, "logBytes", 65536, &kernel->log_bytes) &&
           json_bool_read(json_member(at, "haltOnInitExit"), true, &kernel->halt_on_init_exit);
}

static bool interface_read(struct json_at at, struct interface *interface)
{
    struct pool *pool = at.report->pool;
    const char *name;

    if (!json_text_read(at, NULL, &name)) {
        return false;
    }
    return interface_find(name, interface) ||
           json_refuse(at, "the schema has no interface of this name",
                       suggest_name(pool, name, interface_names(pool)));
}

static bool method_read(struct json_at at, struct interface interface, uint64_t *facet)
{
    struct pool *pool = at.report->pool;
    const char *name;

    if (!json_text_read(at, NULL, &name)) {
        return false;
    }
    for (uint32_t i = 0; i < interface_method_count(interface); i++) {
        if (strcmp(interface_method_name(interface, i), name) == 0) {
            if ((*facet >> i & 1) != 0) {
                return json_refuse(at, "a facet names each method once", "take it out");
            }
            *facet |= UINT64_C(1) << i;
            return true;
        }
    }
    return json_refuse(
        at, pool_format(pool, "%s has no method of this name", interface_name(interface)),
        suggest_name(pool, name, interface_methods(pool, interface)));
}

/* "all", or a list of methods. */
static bool facet_read(struct json_at at, struct interface interface, uint64_t *facet)
{
    size_t count;

    if (json_is_string(at.value) && strcmp(json_string_value(at.value), "all") == 0) {
        *facet = MANIFEST_FACET_ALL;
        return true;
    }
    if (!json_is_array(at.value)) {
        return json_refuse(at, "a facet is \"all\" or a list of methods", "[\"METHOD\", ...]");
    }
    if (!json_array_check(at, (struct array_rule){0, 63, true}, &count)) {
        return false;
    }
    *facet = 0;
    for (size_t i = 0; i < count; i++) {
        if (!method_read(json_entry(at, i), interface, facet)) {
            return false;
        }
    }
    return true;
}

/* "kernel:object" or "service:export". */
static bool source_read(struct json_at at, struct model_grant *grant)
{
    struct pool *pool = at.report->pool;
    const char *text;
    const char *colon;
    struct capn_text left;
    struct capn_text right;

    if (!json_text_read(at, NULL, &text)) {
        return false;
    }
    colon = strchr(text, ':');
    if (colon == NULL) {
        return json_refuse(at, "a source is \"kernel:OBJECT\" or \"SERVICE:EXPORT\"",
                           pool_format(pool, "\"kernel:%s\"", name_suggestion(pool, text)));
    }
    left = (struct capn_text){text, (size_t)(colon - text)};
    right = (struct capn_text){colon + 1, strlen(colon + 1)};
    if (!manifest_name_is_valid(left) || !manifest_name_is_valid(right)) {
        return json_refuse(
            at, "both names of a source are 1 to 32 characters of a-z, 0-9, '_' and '-'",
            pool_format(pool, "\"%s:%s\"",
                        name_suggestion(pool, pool_format(pool, "%.*s", (int)left.length, text)),
                        name_suggestion(pool, right.bytes)));
    }
    grant->source = pool_string(pool, text);
    grant->from_kernel = manifest_text_equal(left, (struct capn_text){"kernel", 6});
    if (grant->from_kernel) {
        grant->source_name = pool_string(pool, right.bytes);
    } else {
        grant->source_name = pool_format(pool, "%.*s", (int)left.length, left.bytes);
        grant->export_name = pool_string(pool, right.bytes);
    }
    return true;
}

static bool grant_read(struct json_at at, struct model_grant *grant)
{
    size_t transfer = 0;

    if (!json_object_check(at, KEYS("name", "source", "interface", "facet", "badge", "transfer")) ||
        !name_read(json_member(at, "name"), &grant->name) ||
        !source_read(json_member(at, "source"), grant) ||
        !interface_read(json_member(at, "interface"), &grant->interface) ||
        !facet_read(json_member(at, "facet"), grant->interface, &grant->facet) ||
        !u64_read(at, "badge", (struct number_rule){0, INT64_MAX, 0, false}, &grant->badge) ||
        !json_choice_read(json_member(at, "transfer"),
                          KEYS("none", "copy", "move", "copy-grantable", "move-grantable"), 0,
                          &transfer)) {
        return false;
    }
    grant->transfer = (enum authority_transfer_mode)transfer;
    return true;
}

static bool export_read(struct json_at at, struct model_export *exported)
{
    /* A handle of all zeroes reads as the schema's defaults. */
    const struct manifest_export_reader defaults = {0};
    struct json_at facet = json_member(at, "facet");

    if (!json_object_check(at, KEYS("name", "interface", "facet", "messageBytes", "capabilities",
                                    "queueLength")) ||
        !name_read(json_member(at, "name"), &exported->name) ||
        !interface_read(json_member(at, "interface"), &exported->interface)) {
        return false;
    }
    exported->facet = MANIFEST_FACET_ALL;
    if (facet.value != NULL && !facet_read(facet, exported->interface, &exported->facet)) {
        return false;
    }
    return u32_read(at, "messageBytes", manifest_export_get_message_bytes(defaults),
                    &exported->message_bytes) &&
           u16_read(at, "capabilities", manifest_export_get_capabilities(defaults),
                    &exported->capabilities) &&
           u32_read(at, "queueLength", manifest_export_get_queue_length(defaults),
                    &exported->queue_length);
}

static bool edges_read(struct json_at at, struct model_service *service)
{
    struct json_at grants = json_member(at, "grants");
    struct json_at exports = json_member(at, "exports");

    if (!json_array_check(grants, (struct array_rule){0, LIMIT_CAPSET_ENTRIES, true},
                          &service->grant_count)) {
        return false;
    }
    service->grants =
        pool_alloc(at.report->pool, service->grant_count + 1, sizeof(*service->grants));
    for (size_t i = 0; i < service->grant_count; i++) {
        if (!grant_read(json_entry(grants, i), &service->grants[i])) {
            return false;
        }
    }
    if (!json_array_check(exports, (struct array_rule){0, LIMIT_CAPSET_ENTRIES, false},
                          &service->export_count)) {
        return false;
    }
    service->exports =
        pool_alloc(at.report->pool, service->export_count + 1, sizeof(*service->exports));
    for (size_t i = 0; i < service->export_count; i++) {
        if (!export_read(json_entry(exports, i), &service->exports[i])) {
            return false;
        }
    }
    return true;
}

static bool quota_read(struct json_at at, const struct manifest_quotas *absent,
                       struct manifest_quotas *quotas)
{
    if (at.value != NULL &&
        !json_object_check(at, KEYS("slots", "frames", "ringBytes", "endpointQueue",
                                    "outstandingCalls", "scratchBytes", "threads", "logBytes",
                                    "grantNodes", "cpuPermille"))) {
        return false;
    }
    return u32_read(at, "slots", absent->slots, &quotas->slots) &&
           u32_read(at, "frames", absent->frames, &quotas->frames) &&
           u32_read(at, "ringBytes", absent->ring_bytes, &quotas->ring_bytes) &&
           u32_read(at, "endpointQueue", absent->endpoint_queue, &quotas->endpoint_queue) &&
           u32_read(at, "outstandingCalls", absent->outstanding_calls,
                    &quotas->outstanding_calls) &&
           u32_read(at, "scratchBytes", absent->scratch_bytes, &quotas->scratch_bytes) &&
           u32_read(at, "threads", absent->threads, &quotas->threads) &&
           u32_read(at, "logBytes", absent->log_bytes, &quotas->log_bytes) &&
           u32_read(at, "grantNodes", absent->grant_nodes, &quotas->grant_nodes) &&
           u16_read(at, "cpuPermille", absent->cpu_permille, &quotas->cpu_permille);
}

/* A word, or an object with the word as "mode". */
static bool restart_read(struct json_at at, struct manifest_restart *restart)
{
    struct json_at mode = at;
    struct number_rule time = {0, INT64_MAX, 0, false};
    size_t choice = 0;

    if (json_is_object(at.value)) {
        if (!json_object_check(at, KEYS("mode", "maxRestarts", "windowNs", "backoffNs")) ||
            !u32_read(at, "maxRestarts", 0, &restart->restarts_max) ||
            !u64_read(at, "windowNs", time, &restart->window_ns) ||
            !u64_read(at, "backoffNs", time, &restart->backoff_ns)) {
            return false;
        }
        mode = json_member(at, "mode");
    }
    if (!json_choice_read(mode, KEYS("never", "on-failure", "always", "essential"), 0, &choice)) {
        return false;
    }
    restart->mode = (enum manifest_restart_mode)choice;
    return true;
}

/* "cpus" lists CPU numbers; without it every CPU may be used. */
static bool cpus_read(struct json_at at, uint64_t *mask)
{
    size_t count;

    *mask = UINT64_MAX;
    if (at.value == NULL) {
        return true;
    }
    if (!json_array_check(at, (struct array_rule){1, LIMIT_CPUS, true}, &count)) {
        return false;
    }
    *mask = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t cpu;

        if (!json_number_read(json_entry(at, i), (struct number_rule){0, LIMIT_CPUS - 1, 0, true},
                              &cpu)) {
            return false;
        }
        *mask |= UINT64_C(1) << cpu;
    }
    return true;
}

static bool scheduling_read(struct json_at at, struct manifest_scheduling *scheduling)
{
    struct number_rule time = {0, INT64_MAX, 0, false};
    struct number_rule priority = {0, LIMIT_PRIORITIES - 1, DEFAULT_PRIORITY, false};
    uint64_t number;

    if (!u64_read(at, "priority", priority, &number) ||
        !u64_read(at, "budgetNs", time, &scheduling->budget_ns) ||
        !u64_read(at, "periodNs", time, &scheduling->period_ns) ||
        !cpus_read(json_member(at, "cpus"), &scheduling->cpu_mask)) {
        return false;
    }
    scheduling->priority = (uint8_t)number;
    return true;
}

static bool service_read(struct json_at at, const struct manifest_quotas *absent,
                         struct model_service *service)
{
    service->path = at.path;
    return json_object_check(at, KEYS("name", "binary", "arguments", "grants", "exports", "quota",
                                      "restart", "priority", "budgetNs", "periodNs", "cpus",
                                      "after")) &&
           name_read(json_member(at, "name"), &service->name) &&
           name_read(json_member(at, "binary"), &service->binary) &&
           arguments_read(json_member(at, "arguments"), &service->arguments) &&
           edges_read(at, service) &&
           quota_read(json_member(at, "quota"), absent, &service->quotas) &&
           restart_read(json_member(at, "restart"), &service->restart) &&
           scheduling_read(at, &service->scheduling) &&
           names_read(json_member(at, "after"), &service->after);
}

static bool services_read(struct json_at root, struct model *model)
{
    struct json_at list = json_member(root, "services");
    size_t count;

    if (!json_array_check(list, (struct array_rule){0, MANIFEST_SERVICES_MAX - 1, true}, &count)) {
        return false;
    }
    model->service_count = count + 1;
    model->services = pool_alloc(&model->pool, model->service_count, sizeof(*model->services));
    if (!service_read(json_member(root, "init"), &init_quotas, &model->services[0])) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!service_read(json_entry(list, i), &service_quotas, &model->services[i + 1])) {
            return false;
        }
    }
    return true;
}

static bool binaries_read(struct json_at at, struct model *model)
{
    if (!json_array_check(at, (struct array_rule){1, MANIFEST_BINARIES_MAX, true},
                          &model->binary_count)) {
        return false;
    }
    model->binaries = pool_alloc(&model->pool, model->binary_count, sizeof(*model->binaries));
    for (size_t i = 0; i < model->binary_count; i++) {
        struct json_at entry = json_entry(at, i);
        struct model_binary *binary = &model->binaries[i];

        if (!json_object_check(entry, KEYS("name", "path")) ||
            !name_read(json_member(entry, "name"), &binary->name) ||
            !json_text_read(json_member(entry, "path"), binary->name, &binary->path)) {
            return false;
        }
        binary->path = pool_string(&model->pool, binary->path);
    }
    return true;
}

/* The file's name without folder and ".json", for a manifest that does not name itself. */
static const char *default_name(struct model *model)
{
    const char *slash = strrchr(model->report.file, '/');
    const char *base = slash == NULL ? model->report.file : slash + 1;
    size_t length = strcspn(base, ".");
    struct capn_text name = {base, length};

    return manifest_name_is_valid(name) ? pool_format(&model->pool, "%.*s", (int)length, base)
                                        : "system";
}

static bool version_read(struct json_at root, struct model *model)
{
    uint64_t version;
    struct number_rule rule = {MANIFEST_CURRENT_SCHEMA_VERSION, MANIFEST_CURRENT_SCHEMA_VERSION, 0,
                               true};

    if (!json_is_object(root.value)) {
        return json_refuse(root, "an object is required here", "{ \"schemaVersion\": 1, ... }");
    }
    if (!u64_read(root, "schemaVersion", rule, &version)) {
        return false;
    }
    model->schema_version = (uint32_t)version;
    return true;
}

static bool root_read(struct json_at root, struct model *model)
{
    if (!version_read(root, model) ||
        !json_object_check(root, KEYS("schemaVersion", "name", "sources", "kernel", "binaries",
                                      "init", "services"))) {
        return false;
    }
    if (!json_name_read(json_member(root, "name"), default_name(model), &model->name)) {
        return false;
    }
    model->name = pool_string(&model->pool, model->name);
    return kernel_read(json_member(root, "kernel"), &model->kernel) &&
           binaries_read(json_member(root, "binaries"), model) && services_read(root, model);
}

void model_init(struct model *model, const char *file)
{
    *model = (struct model){.report = {.file = file}};
    model->report.pool = &model->pool;
}

void model_free(struct model *model)
{
    pool_free(&model->pool);
}

bool model_read_json(struct model *model, const char *text, size_t length)
{
    struct sha256 sha;
    json_error_t error;
    json_t *document = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    bool good;

    if (document == NULL) {
        return report_refuse(
            &model->report,
            (struct refusal_text){
                pool_format(&model->pool, "line %d, column %d", error.line, error.column),
                "the file is one JSON value without duplicate keys or numbers beyond 63 bits",
                pool_string(&model->pool, error.text), "look before that place"});
    }
    sha256_init(&sha);
    sha256_add(&sha, text, length);
    sha256_finish(&sha, model->source_hash);
    good = root_read((struct json_at){&model->report, "$", document}, model);
    json_decref(document);
    return good;
}
