/* SPDX-License-Identifier: MIT */
/*
 * The boot manifest: what it must be before anything of it is believed.
 *
 * Purpose. The manifest is the authority graph of the system. It is checked whole before anything
 * starts: by mkmanifest when it is written, by the kernel before it starts init, by init before it
 * starts the rest. All three call manifest_open, so that none of them can accept, or refuse for
 * another reason, what the others do not.
 *
 * Vocabulary. A *service* is a process to be started; services[0] is init. A *grant* is one
 * capability a service starts with; its *source* is a kernel object or an *export*, an endpoint
 * which another service owns. A service's CapSet names its grants and, as their owner, its exports.
 *
 * The order of checks is part of the interface; the first that fails is the one reported.
 *    1. The bytes are exactly one framed message of one segment, and its root is a struct.
 *    2. schemaVersion is the one known. Nothing else of the message is looked at before.
 *    3. name; then every field of kernel.
 *    4. Each binary in order: name legal and new, data there and a loadable ELF image.
 *    5. Each service in order, field by field as the schema numbers them: name legal and new,
 *       binary, arguments, grants, exports (names legal, and new among the service's grants and
 *       exports), quotas, restart, scheduling. Fields that are absent (null) are refused, lists
 * too.
 *    6. The CapSet of the service fits its page.
 *    7. For each service in order: its binary exists; each grant's source exists, belongs to a
 *       service that starts earlier, has the interface, holds the facet and, for kernel objects, is
 *       held by init in a mode that lets it be passed on. init is granted kernel objects only.
 *       Each export's name is new in the whole system.
 *    8. The services' quotas together are within init's; the CPU share is a cap, so each by itself.
 *    9. Every binary is used.
 *   10. sourceHash has 32 bytes.
 *
 * What can fail: only the above, each with the place and the numbers. Nothing is allocated. Work is
 * bounded by the counts in manifest.h, never by what the message claims: a list is counted before
 * it is walked, a name measured before it is compared, and each step has the budget of one message.
 *
 * Locks: none. A struct manifest belongs to one thread.
 */
#include "core/manifest.h"

#include "core/assert.h"
#include "core/checked.h"
#include "core/manifest_layout.h"
#include "core/string.h"

enum {
    SYSTEM_SLACK_WORDS = 1024, /* budget beyond the message: zero-sized elements, pads */
    SOURCE_HASH_BYTES = 32,
    LOG_LEVEL_MAX = 4,
    TIMER_HERTZ_MIN = 10,
    TIMER_HERTZ_MAX = 10000,
    KERNEL_LOG_BYTES_MIN = 4096,
    KERNEL_LOG_BYTES_MAX = 16 * 1024 * 1024,
};

/* Always false, so that a check can end in `return refuse(...)`. */
static bool refuse(struct manifest *m, enum manifest_error error, uint64_t found, uint64_t limit)
{
    ASSERT(m->refusal.error == MANIFEST_OK);
    ASSERT(error != MANIFEST_OK);
    m->refusal.error = error;
    m->refusal.found = found;
    m->refusal.limit = limit;
    return false;
}

static bool refuse_text(struct manifest *m, enum manifest_error error, struct capn_text text)
{
    m->refusal.text = text;
    return refuse(m, error, text.length, error == MANIFEST_ERROR_NAME ? LIMIT_NAME_BYTES : 0);
}

static void enter(struct manifest *m, const char *field, uint32_t index)
{
    ASSERT(m->refusal.step_count < MANIFEST_PATH_STEPS);
    m->refusal.step[m->refusal.step_count] = (struct manifest_step){field, index};
    m->refusal.step_count++;
}

static void leave(struct manifest *m)
{
    ASSERT(m->refusal.step_count > 0);
    m->refusal.step_count--;
}

/* Whether the runtime has refused a pointer since the message was opened. */
static bool pointers_good(struct manifest *m)
{
    const struct capn_error *error = &m->reader.error;

    if (error->code == CAPN_OK) {
        return true;
    }
    m->refusal.detail = capn_status_text(error->code);
    return refuse(m, MANIFEST_ERROR_MESSAGE, error->found, error->limit);
}

static void refill(struct manifest *m)
{
    m->reader.traversal_words_left = m->budget_words;
}

static bool number_check(struct manifest *m, const char *field, uint64_t value, uint64_t minimum,
                         uint64_t maximum)
{
    enter(m, field, MANIFEST_NO_INDEX);
    if (value < minimum || value > maximum) {
        return refuse(m, MANIFEST_ERROR_RANGE, value, value < minimum ? minimum : maximum);
    }
    leave(m);
    return true;
}

/* A text that must be there; it is read into *text. */
static bool text_check(struct manifest *m, struct capn_pointer at, struct capn_text *text)
{
    refill(m);
    if (capn_pointer_is_null(at)) {
        return refuse(m, MANIFEST_ERROR_MISSING, 0, 0);
    }
    *text = capn_read_text(at, (struct capn_text){NULL, 0});
    return pointers_good(m);
}

static bool name_check(struct manifest *m, struct capn_pointer at, struct capn_text *name)
{
    if (!text_check(m, at, name)) {
        return false;
    }
    return manifest_name_is_valid(*name) || refuse_text(m, MANIFEST_ERROR_NAME, *name);
}

static bool named_check(struct manifest *m, const char *field, struct capn_pointer at,
                        struct capn_text *name)
{
    enter(m, field, MANIFEST_NO_INDEX);
    if (!name_check(m, at, name)) {
        return false;
    }
    leave(m);
    return true;
}

static bool struct_check(struct manifest *m, struct capn_pointer at, struct capn_struct *s)
{
    refill(m);
    if (capn_pointer_is_null(at)) {
        return refuse(m, MANIFEST_ERROR_MISSING, 0, 0);
    }
    *s = capn_read_struct(at, NULL);
    return pointers_good(m);
}

struct list_rule {
    const char *field;
    enum capn_element_size element;
    uint32_t minimum;
    uint32_t maximum;
};

static bool list_check(struct manifest *m, struct capn_pointer at, struct list_rule rule,
                       struct capn_list *list)
{
    enter(m, rule.field, MANIFEST_NO_INDEX);
    refill(m);
    if (capn_pointer_is_null(at)) {
        return refuse(m, MANIFEST_ERROR_MISSING, 0, 0);
    }
    *list = capn_read_list(at, rule.element, NULL);
    if (!pointers_good(m)) {
        return false;
    }
    if (list->count < rule.minimum) {
        return refuse(m, MANIFEST_ERROR_EMPTY, list->count, rule.minimum);
    }
    if (list->count > rule.maximum) {
        return refuse(m, MANIFEST_ERROR_TOO_MANY, list->count, rule.maximum);
    }
    leave(m);
    return true;
}

static bool facet_check(struct manifest *m, struct capn_pointer at)
{
    struct capn_struct facet;
    uint16_t tag;

    enter(m, "facet", MANIFEST_NO_INDEX);
    if (!struct_check(m, at, &facet)) {
        return false;
    }
    tag = capn_get_u16(facet, FACET_TAG_AT, 0);
    if (tag > FACET_METHODS) {
        return refuse(m, MANIFEST_ERROR_CHOICE, tag, FACET_METHODS);
    }
    /* All ones would be mistaken for ALL, which includes methods that do not exist yet. */
    if (tag == FACET_METHODS && capn_get_u64(facet, FACET_METHODS_AT, 0) == MANIFEST_FACET_ALL) {
        return refuse(m, MANIFEST_ERROR_RANGE, MANIFEST_FACET_ALL, MANIFEST_FACET_ALL - 1);
    }
    leave(m);
    return true;
}

/* ---- 1, 2: the message ----------------------------------------------------------------------- */

static bool message_check(struct manifest *m, const uint8_t *bytes, uint64_t length)
{
    struct capn_frame frame = {
        .segments = &m->segment, .segment_room = 1, .words_limit = UINT32_MAX};
    enum capn_status status = capn_frame_parse(&frame, bytes, length);

    if (status != CAPN_OK) {
        m->refusal.detail = capn_status_text(status);
        return refuse(m, MANIFEST_ERROR_NOT_FRAMED, length, frame.bytes);
    }
    if (frame.bytes != length) {
        m->refusal.detail = capn_status_text(CAPN_TRAILING_BYTES);
        return refuse(m, MANIFEST_ERROR_NOT_FRAMED, length, frame.bytes);
    }
    m->budget_words = m->segment.words + SYSTEM_SLACK_WORDS;
    capn_reader_init(&m->reader, &m->segment, 1,
                     (struct capn_limits){m->budget_words, CAPN_DEPTH_DEFAULT});
    m->root = capn_read_struct(capn_reader_root(&m->reader), NULL);
    return pointers_good(m);
}

static bool version_check(struct manifest *m)
{
    uint32_t version = capn_get_u32(m->root, MANIFEST_SCHEMA_VERSION_AT, 0);

    enter(m, "schemaVersion", MANIFEST_NO_INDEX);
    if (version != MANIFEST_SCHEMA_VERSION) {
        return refuse(m, MANIFEST_ERROR_VERSION, version, MANIFEST_SCHEMA_VERSION);
    }
    leave(m);
    return true;
}

/* ---- 3: the system's name and the kernel's parameters -----------------------------------------
 */

static bool kernel_check(struct manifest *m)
{
    struct manifest_kernel kernel;
    struct capn_struct s;

    enter(m, "kernel", MANIFEST_NO_INDEX);
    if (!struct_check(m, capn_get_pointer(m->root, MANIFEST_KERNEL_POINTER), &s)) {
        return false;
    }
    manifest_kernel_get(m, &kernel);
    if (!number_check(m, "logLevel", kernel.log_level, 0, LOG_LEVEL_MAX) ||
        !number_check(m, "timerHz", kernel.timer_hertz, TIMER_HERTZ_MIN, TIMER_HERTZ_MAX) ||
        !number_check(m, "maxCpus", kernel.cpus_max, 0, LIMIT_CPUS) ||
        !number_check(m, "logBytes", kernel.log_bytes, KERNEL_LOG_BYTES_MIN,
                      KERNEL_LOG_BYTES_MAX)) {
        return false;
    }
    leave(m);
    return true;
}

/* ---- 4: binaries ----------------------------------------------------------------------------- */

static bool binary_is_new(struct manifest *m, uint32_t index, struct capn_text name)
{
    struct manifest_binary other;

    for (uint32_t i = 0; i < index; i++) {
        manifest_binary_get(m, i, &other);
        if (manifest_text_equal(other.name, name)) {
            return false;
        }
    }
    return true;
}

static bool binary_check(struct manifest *m, uint32_t index)
{
    struct capn_struct s = capn_list_get_struct(m->binary_list, index);
    struct capn_text name;
    struct capn_data data;

    enter(m, "binaries", index);
    enter(m, "name", MANIFEST_NO_INDEX);
    if (!name_check(m, capn_get_pointer(s, BINARY_NAME_POINTER), &name)) {
        return false;
    }
    if (!binary_is_new(m, index, name)) {
        return refuse_text(m, MANIFEST_ERROR_DUPLICATE, name);
    }
    leave(m);
    enter(m, "data", MANIFEST_NO_INDEX);
    refill(m);
    if (capn_pointer_is_null(capn_get_pointer(s, BINARY_DATA_POINTER))) {
        return refuse(m, MANIFEST_ERROR_MISSING, 0, 0);
    }
    data = capn_read_data(capn_get_pointer(s, BINARY_DATA_POINTER), (struct capn_data){NULL, 0});
    if (!pointers_good(m)) {
        return false;
    }
    if (data.length < 4 || memcmp(data.bytes, "\177ELF", 4) != 0) {
        return refuse(m, MANIFEST_ERROR_NOT_LOADABLE, data.length, 0);
    }
    leave(m);
    leave(m);
    return true;
}

static bool binaries_check(struct manifest *m)
{
    struct list_rule rule = {"binaries", CAPN_ELEMENT_COMPOSITE, 1, MANIFEST_BINARIES_MAX};

    if (!list_check(m, capn_get_pointer(m->root, MANIFEST_BINARIES_POINTER), rule,
                    &m->binary_list)) {
        return false;
    }
    m->binary_count = m->binary_list.count;
    for (uint32_t i = 0; i < m->binary_count; i++) {
        if (!binary_check(m, i)) {
            return false;
        }
    }
    return true;
}

/* ---- 5, 6: services, each by itself -----------------------------------------------------------
 */

static bool service_name_check(struct manifest *m, uint32_t index, struct capn_struct s)
{
    struct capn_text name;

    enter(m, "name", MANIFEST_NO_INDEX);
    if (!name_check(m, capn_get_pointer(s, SERVICE_NAME_POINTER), &name)) {
        return false;
    }
    for (uint32_t i = 0; i < index; i++) {
        struct capn_text other = capn_read_text(
            capn_get_pointer(capn_list_get_struct(m->service_list, i), SERVICE_NAME_POINTER),
            (struct capn_text){NULL, 0});

        if (manifest_text_equal(other, name)) {
            return refuse_text(m, MANIFEST_ERROR_DUPLICATE, name);
        }
    }
    leave(m);
    return true;
}

static bool arguments_check(struct manifest *m, struct capn_struct s)
{
    struct list_rule rule = {"arguments", CAPN_ELEMENT_POINTER, 0, MANIFEST_ARGUMENTS_MAX};
    struct capn_list list;
    uint64_t total = 0;

    if (!list_check(m, capn_get_pointer(s, SERVICE_ARGUMENTS_POINTER), rule, &list)) {
        return false;
    }
    for (uint32_t i = 0; i < list.count; i++) {
        struct capn_text text;

        enter(m, "arguments", i);
        if (!text_check(m, capn_list_get_pointer(list, i), &text)) {
            return false;
        }
        total += text.length + 1;
        if (total > MANIFEST_ARGUMENT_BYTES_MAX) {
            return refuse(m, MANIFEST_ERROR_TOO_LARGE, total, MANIFEST_ARGUMENT_BYTES_MAX);
        }
        if (string_length(text.bytes, text.length) != text.length) {
            return refuse(m, MANIFEST_ERROR_ARGUMENT, string_length(text.bytes, text.length), 0);
        }
        leave(m);
    }
    return true;
}

/* Whether entry `index` of the list has a name (its first pointer) that no entry before it has. */
static bool name_is_new(struct capn_list list, uint32_t index, struct capn_text name)
{
    _Static_assert((int)GRANT_NAME_POINTER == (int)EXPORT_NAME_POINTER, "one walk serves both");

    for (uint32_t i = 0; i < index; i++) {
        struct capn_text other =
            capn_read_text(capn_get_pointer(capn_list_get_struct(list, i), GRANT_NAME_POINTER),
                           (struct capn_text){NULL, 0});

        if (manifest_text_equal(other, name)) {
            return false;
        }
    }
    return true;
}

static bool grant_source_check(struct manifest *m, struct capn_struct s)
{
    struct capn_text text;
    uint16_t tag = capn_get_u16(s, GRANT_SOURCE_TAG_AT, 0);

    enter(m, "source", MANIFEST_NO_INDEX);
    if (tag > GRANT_SOURCE_SERVICE) {
        return refuse(m, MANIFEST_ERROR_CHOICE, tag, GRANT_SOURCE_SERVICE);
    }
    if (!name_check(m, capn_get_pointer(s, GRANT_SOURCE_NAME_POINTER), &text)) {
        return false;
    }
    if (tag == GRANT_SOURCE_SERVICE &&
        !name_check(m, capn_get_pointer(s, GRANT_EXPORT_NAME_POINTER), &text)) {
        return false;
    }
    leave(m);
    return true;
}

static bool grant_check(struct manifest *m, struct capn_list list, uint32_t index)
{
    struct capn_struct s = capn_list_get_struct(list, index);
    struct capn_text name;
    uint16_t mode;

    enter(m, "grants", index);
    enter(m, "name", MANIFEST_NO_INDEX);
    if (!name_check(m, capn_get_pointer(s, GRANT_NAME_POINTER), &name)) {
        return false;
    }
    if (!name_is_new(list, index, name)) {
        return refuse_text(m, MANIFEST_ERROR_DUPLICATE, name);
    }
    leave(m);
    if (!grant_source_check(m, s) ||
        !number_check(m, "interface", capn_get_u64(s, GRANT_INTERFACE_AT, 0), 1, UINT64_MAX) ||
        !facet_check(m, capn_get_pointer(s, GRANT_FACET_POINTER))) {
        return false;
    }
    mode = capn_get_u16(s, GRANT_TRANSFER_MODE_AT, 0);
    if (mode >= MANIFEST_TRANSFER_COUNT) {
        enter(m, "transfer", MANIFEST_NO_INDEX);
        return refuse(m, MANIFEST_ERROR_CHOICE, mode, MANIFEST_TRANSFER_COUNT - 1);
    }
    leave(m);
    return true;
}

static bool export_check(struct manifest *m, struct capn_list grants, struct capn_list list,
                         uint32_t index)
{
    struct capn_struct s = capn_list_get_struct(list, index);
    struct capn_text name;

    enter(m, "exports", index);
    enter(m, "name", MANIFEST_NO_INDEX);
    if (!name_check(m, capn_get_pointer(s, EXPORT_NAME_POINTER), &name)) {
        return false;
    }
    if (!name_is_new(list, index, name) || !name_is_new(grants, grants.count, name)) {
        return refuse_text(m, MANIFEST_ERROR_DUPLICATE, name);
    }
    leave(m);
    if (!number_check(m, "interface", capn_get_u64(s, EXPORT_INTERFACE_AT, 0), 1, UINT64_MAX) ||
        !facet_check(m, capn_get_pointer(s, EXPORT_FACET_POINTER)) ||
        !number_check(m, "messageBytes",
                      capn_get_u32(s, EXPORT_MESSAGE_BYTES_AT, EXPORT_MESSAGE_BYTES_DEFAULT), 8,
                      LIMIT_MESSAGE_BYTES) ||
        !number_check(m, "capabilities",
                      capn_get_u16(s, EXPORT_CAPABILITIES_AT, EXPORT_CAPABILITIES_DEFAULT), 0,
                      LIMIT_TRANSFERS) ||
        !number_check(m, "queueLength",
                      capn_get_u32(s, EXPORT_QUEUE_LENGTH_AT, EXPORT_QUEUE_LENGTH_DEFAULT), 1,
                      MANIFEST_QUEUE_LENGTH_MAX)) {
        return false;
    }
    leave(m);
    return true;
}

static bool edges_check(struct manifest *m, struct capn_struct s)
{
    struct list_rule grant_rule = {"grants", CAPN_ELEMENT_COMPOSITE, 0, UINT16_MAX};
    struct list_rule export_rule = {"exports", CAPN_ELEMENT_COMPOSITE, 0, UINT16_MAX};
    struct capn_list grants;
    struct capn_list exports;

    grant_rule.maximum = LIMIT_CAPSET_ENTRIES;
    export_rule.maximum = LIMIT_CAPSET_ENTRIES;
    if (!list_check(m, capn_get_pointer(s, SERVICE_GRANTS_POINTER), grant_rule, &grants)) {
        return false;
    }
    for (uint32_t i = 0; i < grants.count; i++) {
        if (!grant_check(m, grants, i)) {
            return false;
        }
    }
    if (!list_check(m, capn_get_pointer(s, SERVICE_EXPORTS_POINTER), export_rule, &exports)) {
        return false;
    }
    for (uint32_t i = 0; i < exports.count; i++) {
        if (!export_check(m, grants, exports, i)) {
            return false;
        }
    }
    return true;
}

static bool quotas_check(struct manifest *m, const struct manifest_quotas *quotas)
{
    enter(m, "quotas", MANIFEST_NO_INDEX);
    if (!number_check(m, "slots", quotas->slots, 1, LIMIT_TABLE_SLOTS) ||
        !number_check(m, "threads", quotas->threads, 1, LIMIT_THREADS)) {
        return false;
    }
    leave(m);
    return true;
}

static bool restart_check(struct manifest *m, const struct manifest_restart *restart)
{
    enter(m, "restart", MANIFEST_NO_INDEX);
    enter(m, "mode", MANIFEST_NO_INDEX);
    if ((unsigned)restart->mode >= MANIFEST_RESTART_COUNT) {
        return refuse(m, MANIFEST_ERROR_CHOICE, restart->mode, MANIFEST_RESTART_COUNT - 1);
    }
    leave(m);
    leave(m);
    return true;
}

static bool scheduling_check(struct manifest *m, const struct manifest_scheduling *scheduling)
{
    enter(m, "scheduling", MANIFEST_NO_INDEX);
    if (!number_check(m, "priority", scheduling->priority, 0, LIMIT_PRIORITIES - 1) ||
        !number_check(m, "periodNs", scheduling->period_ns, scheduling->budget_ns, UINT64_MAX) ||
        !number_check(m, "cpuMask", scheduling->cpu_mask, 1, UINT64_MAX)) {
        return false;
    }
    leave(m);
    return true;
}

static bool presence_check(struct manifest *m, struct capn_struct s, const char *field,
                           uint16_t pointer)
{
    struct capn_struct ignored;

    enter(m, field, MANIFEST_NO_INDEX);
    if (!struct_check(m, capn_get_pointer(s, pointer), &ignored)) {
        return false;
    }
    leave(m);
    return true;
}

/* Quotas, restart, scheduling: all three are there before the first is looked into. */
static bool policies_check(struct manifest *m, uint32_t index, struct capn_struct s)
{
    struct manifest_service service;

    if (!presence_check(m, s, "quotas", SERVICE_QUOTAS_POINTER) ||
        !presence_check(m, s, "restart", SERVICE_RESTART_POINTER) ||
        !presence_check(m, s, "scheduling", SERVICE_SCHEDULING_POINTER)) {
        return false;
    }
    manifest_service_get(m, index, &service);
    if (!quotas_check(m, &service.quotas) || !restart_check(m, &service.restart) ||
        !scheduling_check(m, &service.scheduling)) {
        return false;
    }
    if (service.grant_count + service.export_count > LIMIT_CAPSET_ENTRIES) {
        return refuse(m, MANIFEST_ERROR_CAPSET, service.grant_count + service.export_count,
                      LIMIT_CAPSET_ENTRIES);
    }
    return true;
}

static bool service_check(struct manifest *m, uint32_t index)
{
    struct capn_struct s = capn_list_get_struct(m->service_list, index);
    struct capn_text binary;

    enter(m, "services", index);
    if (!service_name_check(m, index, s) ||
        !named_check(m, "binary", capn_get_pointer(s, SERVICE_BINARY_POINTER), &binary) ||
        !arguments_check(m, s) || !edges_check(m, s) || !policies_check(m, index, s)) {
        return false;
    }
    leave(m);
    return true;
}

static bool services_check(struct manifest *m)
{
    struct list_rule rule = {"services", CAPN_ELEMENT_COMPOSITE, 1, MANIFEST_SERVICES_MAX};

    if (!list_check(m, capn_get_pointer(m->root, MANIFEST_SERVICES_POINTER), rule,
                    &m->service_list)) {
        return false;
    }
    m->service_count = m->service_list.count;
    for (uint32_t i = 0; i < m->service_count; i++) {
        if (!service_check(m, i)) {
            return false;
        }
    }
    return true;
}

/* ---- 7: services among each other -------------------------------------------------------------
 */

static bool refuse_field(struct manifest *m, const char *field, enum manifest_error error,
                         struct capn_text text)
{
    enter(m, field, MANIFEST_NO_INDEX);
    return refuse_text(m, error, text);
}

static bool refuse_facet(struct manifest *m, uint64_t found, uint64_t held)
{
    enter(m, "facet", MANIFEST_NO_INDEX);
    return refuse(m, MANIFEST_ERROR_FACET, found, held);
}

static bool refuse_interface(struct manifest *m, uint64_t found, uint64_t held)
{
    enter(m, "interface", MANIFEST_NO_INDEX);
    return refuse(m, MANIFEST_ERROR_INTERFACE, found, held);
}

/* A kernel object granted to another than init comes out of init's hands. */
static bool held_check(struct manifest *m, const struct manifest_grant *grant)
{
    struct manifest_service init;
    struct manifest_grant held;
    uint32_t index;

    manifest_service_get(m, MANIFEST_INIT_INDEX, &init);
    index = manifest_grant_of_source(m, &init, grant->source);
    if (index == MANIFEST_NO_INDEX) {
        return refuse_field(m, "source", MANIFEST_ERROR_NOT_HELD, grant->source_name);
    }
    manifest_grant_get(m, &init, index, &held);
    if (!manifest_facet_within(grant->facet, held.facet)) {
        return refuse_facet(m, grant->facet, held.facet);
    }
    if (!manifest_transfer_within(grant->transfer, held.transfer)) {
        enter(m, "transfer", MANIFEST_NO_INDEX);
        return refuse(m, MANIFEST_ERROR_TRANSFER, grant->transfer, held.transfer);
    }
    return true;
}

static bool kernel_grant_check(struct manifest *m, uint32_t service,
                               const struct manifest_grant *grant)
{
    if (grant->source == MANIFEST_SOURCE_COUNT) {
        return refuse_field(m, "source", MANIFEST_ERROR_NO_SOURCE, grant->source_name);
    }
    if (grant->interface_id != manifest_source_interface(grant->source)) {
        return refuse_interface(m, grant->interface_id, manifest_source_interface(grant->source));
    }
    if (grant->facet != MANIFEST_FACET_ALL &&
        !manifest_facet_within(grant->facet, manifest_source_methods(grant->source))) {
        return refuse_facet(m, grant->facet, manifest_source_methods(grant->source));
    }
    if (grant->badge != 0) {
        enter(m, "badge", MANIFEST_NO_INDEX);
        return refuse(m, MANIFEST_ERROR_BADGE, grant->badge, 0);
    }
    return service == MANIFEST_INIT_INDEX || held_check(m, grant);
}

static bool service_grant_check(struct manifest *m, uint32_t service,
                                const struct manifest_grant *grant)
{
    struct manifest_service exporter;
    struct manifest_export exported;

    if (service == MANIFEST_INIT_INDEX) {
        return refuse_field(m, "source", MANIFEST_ERROR_INIT_SOURCE, grant->source_name);
    }
    if (grant->service == MANIFEST_NO_INDEX) {
        return refuse_field(m, "source", MANIFEST_ERROR_NO_SERVICE, grant->source_name);
    }
    if (grant->service_export == MANIFEST_NO_INDEX) {
        return refuse_field(m, "source", MANIFEST_ERROR_NO_EXPORT, grant->export_name);
    }
    if (grant->service >= service) {
        return refuse_field(m, "source", MANIFEST_ERROR_LATER_SERVICE, grant->source_name);
    }
    manifest_service_get(m, grant->service, &exporter);
    manifest_export_get(m, &exporter, grant->service_export, &exported);
    if (grant->interface_id != exported.interface_id) {
        return refuse_interface(m, grant->interface_id, exported.interface_id);
    }
    if (!manifest_facet_within(grant->facet, exported.facet)) {
        return refuse_facet(m, grant->facet, exported.facet);
    }
    return true;
}

/* Whether no service up to and including `service` exports this name before its export `index`. */
static bool export_is_new(struct manifest *m, uint32_t service, uint32_t index,
                          struct capn_text name)
{
    for (uint32_t i = 0; i <= service; i++) {
        struct capn_list list = capn_read_list(
            capn_get_pointer(capn_list_get_struct(m->service_list, i), SERVICE_EXPORTS_POINTER),
            CAPN_ELEMENT_COMPOSITE, NULL);

        if (!name_is_new(list, i == service ? index : list.count, name)) {
            return false;
        }
    }
    return true;
}

static bool exports_check(struct manifest *m, const struct manifest_service *service)
{
    for (uint32_t i = 0; i < service->export_count; i++) {
        struct manifest_export exported;

        manifest_export_get(m, service, i, &exported);
        if (!export_is_new(m, service->index, i, exported.name)) {
            enter(m, "exports", i);
            return refuse_field(m, "name", MANIFEST_ERROR_DUPLICATE, exported.name);
        }
    }
    return true;
}

static bool relations_check(struct manifest *m, uint32_t index)
{
    struct manifest_service service;

    enter(m, "services", index);
    manifest_service_get(m, index, &service);
    if (service.binary == MANIFEST_NO_INDEX) {
        return refuse_field(m, "binary", MANIFEST_ERROR_NO_BINARY, service.binary_name);
    }
    for (uint32_t i = 0; i < service.grant_count; i++) {
        struct manifest_grant grant;

        enter(m, "grants", i);
        manifest_grant_get(m, &service, i, &grant);
        if (!(grant.from_kernel ? kernel_grant_check(m, index, &grant)
                                : service_grant_check(m, index, &grant))) {
            return false;
        }
        leave(m);
    }
    if (!exports_check(m, &service)) {
        return false;
    }
    leave(m);
    return true;
}

/* ---- 8, 9, 10 ----------------------------------------------------------------------------------
 */

/* One account of the ledger: the sum so far and what init has. */
struct quota_line {
    const char *field;
    uint64_t sum;
    uint64_t limit;
};

enum { QUOTA_LINES = 9 };

static void quota_lines_add(struct quota_line *lines, const struct manifest_quotas *quotas,
                            bool is_limit)
{
    const struct {
        const char *field;
        uint32_t amount;
    } amounts[QUOTA_LINES] = {
        {"slots", quotas->slots},
        {"frames", quotas->frames},
        {"ringBytes", quotas->ring_bytes},
        {"endpointQueue", quotas->endpoint_queue},
        {"outstandingCalls", quotas->outstanding_calls},
        {"scratchBytes", quotas->scratch_bytes},
        {"threads", quotas->threads},
        {"logBytes", quotas->log_bytes},
        {"grantNodes", quotas->grant_nodes},
    };

    for (unsigned i = 0; i < QUOTA_LINES; i++) {
        lines[i].field = amounts[i].field;
        if (is_limit) {
            lines[i].limit = amounts[i].amount;
        } else {
            lines[i].sum += amounts[i].amount;
        }
    }
}

static bool quota_sums_check(struct manifest *m)
{
    struct quota_line lines[QUOTA_LINES] = {{0}};
    struct manifest_service service;
    uint16_t cpu_permille;

    manifest_service_get(m, MANIFEST_INIT_INDEX, &service);
    quota_lines_add(lines, &service.quotas, true);
    cpu_permille = service.quotas.cpu_permille;
    for (uint32_t i = MANIFEST_INIT_INDEX + 1; i < m->service_count; i++) {
        manifest_service_get(m, i, &service);
        quota_lines_add(lines, &service.quotas, false);
        enter(m, "services", i);
        enter(m, "quotas", MANIFEST_NO_INDEX);
        for (unsigned line = 0; line < QUOTA_LINES; line++) {
            if (lines[line].sum > lines[line].limit) {
                enter(m, lines[line].field, MANIFEST_NO_INDEX);
                return refuse(m, MANIFEST_ERROR_QUOTA, lines[line].sum, lines[line].limit);
            }
        }
        if (service.quotas.cpu_permille > cpu_permille) {
            enter(m, "cpuPermille", MANIFEST_NO_INDEX);
            return refuse(m, MANIFEST_ERROR_QUOTA, service.quotas.cpu_permille, cpu_permille);
        }
        leave(m);
        leave(m);
    }
    return true;
}

static bool binaries_used_check(struct manifest *m)
{
    uint64_t used[(MANIFEST_BINARIES_MAX + 63) / 64] = {0};

    for (uint32_t i = 0; i < m->service_count; i++) {
        struct manifest_service service;

        manifest_service_get(m, i, &service);
        ASSERT(service.binary < m->binary_count);
        used[service.binary / 64] |= UINT64_C(1) << (service.binary % 64);
    }
    for (uint32_t i = 0; i < m->binary_count; i++) {
        if ((used[i / 64] >> (i % 64) & 1) == 0) {
            struct manifest_binary binary;

            manifest_binary_get(m, i, &binary);
            enter(m, "binaries", i);
            return refuse_text(m, MANIFEST_ERROR_UNUSED_BINARY, binary.name);
        }
    }
    return true;
}

static bool source_hash_check(struct manifest *m)
{
    struct capn_pointer at = capn_get_pointer(m->root, MANIFEST_SOURCE_HASH_POINTER);
    struct capn_data hash;

    enter(m, "sourceHash", MANIFEST_NO_INDEX);
    refill(m);
    if (capn_pointer_is_null(at)) {
        return refuse(m, MANIFEST_ERROR_MISSING, 0, 0);
    }
    hash = capn_read_data(at, (struct capn_data){NULL, 0});
    if (!pointers_good(m)) {
        return false;
    }
    if (hash.length != SOURCE_HASH_BYTES) {
        return refuse(m, MANIFEST_ERROR_RANGE, hash.length, SOURCE_HASH_BYTES);
    }
    leave(m);
    return true;
}

static bool contents_check(struct manifest *m)
{
    struct capn_text name;

    if (!named_check(m, "name", capn_get_pointer(m->root, MANIFEST_NAME_POINTER), &name) ||
        !kernel_check(m) || !binaries_check(m) || !services_check(m)) {
        return false;
    }
    for (uint32_t i = 0; i < m->service_count; i++) {
        if (!relations_check(m, i)) {
            return false;
        }
    }
    return quota_sums_check(m) && binaries_used_check(m) && source_hash_check(m);
}

enum manifest_error manifest_open(const uint8_t *bytes, uint64_t length, struct manifest *manifest)
{
    *manifest = (struct manifest){0};
    if (message_check(manifest, bytes, length) && version_check(manifest) &&
        contents_check(manifest)) {
        ASSERT(manifest->refusal.step_count == 0);
        ASSERT(manifest->refusal.error == MANIFEST_OK);
        ASSERT(manifest->reader.error.code == CAPN_OK);
    }
    return manifest->refusal.error;
}
