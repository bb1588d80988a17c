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
 *       too.
 *    6. The CapSet of the service fits its page, and one spawn can pass what is in it.
 *    7. For each service in order: its binary exists; each grant's source exists, belongs to a
 *       service that starts earlier, has the interface, holds the facet and, for kernel objects, is
 *       held by init in a mode that lets it be passed on. init is granted kernel objects only.
 *       No two grants of one export have one badge, but those without.
 *       Each export's name is new in the whole system.
 *    8. Init, if it starts anybody, has no budget, and no service is more urgent than init.
 *    9. The services' quotas together are within init's; the CPU share is a cap, so each by itself.
 *   10. Every binary is used.
 *   11. sourceHash has 32 bytes.
 *
 * What can fail: only the above, each with the place and the numbers. Nothing is allocated. Work is
 * bounded by the counts in manifest.h, never by what the message claims: a list is counted before
 * it is walked, a name measured before it is compared, and each step has the budget of one message.
 *
 * Locks: none. A struct manifest belongs to one thread.
 *
 * Files: this one has the order and steps 1 to 4, manifest_service.c steps 5 and 6,
 * manifest_graph.c steps 7 to 10, manifest_check.c what they share, manifest_read.c the accessors.
 */
#include "core/assert.h"
#include "core/elf.h"
#include "core/manifest_check.h"

enum {
    SLACK_WORDS = 1024, /* budget beyond the message: elements without size are charged too */
    SOURCE_HASH_BYTES = 32,
    LOG_LEVEL_MAX = 3,
    TIMER_HERTZ_MIN = 10,
    TIMER_HERTZ_MAX = 10000,
    KERNEL_LOG_BYTES_MIN = 4096,
    KERNEL_LOG_BYTES_MAX = 16 * 1024 * 1024,
};

/* ---- 1, 2: the message ----------------------------------------------------------------------- */

static bool refuse_frame(struct manifest *m, enum capn_status status, uint64_t found,
                         uint64_t limit)
{
    m->refusal.detail = capn_status_text(status);
    return manifest_refuse(m, MANIFEST_ERROR_NOT_FRAMED, found, limit);
}

static bool message_check(struct manifest *m, const uint8_t *bytes, uint64_t length)
{
    struct capn_frame frame = {
        .segments = &m->segment, .segment_room = 1, .words_limit = UINT32_MAX};
    enum capn_status status = capn_frame_parse(&frame, bytes, length);

    if (status != CAPN_OK) {
        return refuse_frame(m, status, length, frame.bytes);
    }
    if (frame.bytes != length) {
        return refuse_frame(m, CAPN_TRAILING_BYTES, length, frame.bytes);
    }
    m->budget_words = m->segment.words + SLACK_WORDS;
    capn_reader_init(&m->reader, &m->segment, 1,
                     (struct capn_limits){m->budget_words, CAPN_DEPTH_DEFAULT});
    m->root = manifest_read(capn_reader_root(&m->reader));
    return manifest_pointers_good(m);
}

static bool version_check(struct manifest *m)
{
    uint32_t version = manifest_get_schema_version(m->root);

    return version == MANIFEST_CURRENT_SCHEMA_VERSION ||
           manifest_refuse_field(
               m, "schemaVersion", MANIFEST_ERROR_VERSION,
               (struct manifest_numbers){version, MANIFEST_CURRENT_SCHEMA_VERSION});
}

/* ---- 3: the system's name and the kernel's parameters ---------------------------------------- */

static bool kernel_check(struct manifest *m)
{
    struct manifest_kernel kernel;

    if (!manifest_present(m, "kernel", manifest_at_kernel(m->root))) {
        return false;
    }
    manifest_enter(m, "kernel", MANIFEST_NO_INDEX);
    manifest_kernel_get(m, &kernel);
    if (!manifest_pointers_good(m) ||
        !manifest_number_check(m, "logLevel", kernel.log_level,
                               (struct manifest_range){0, LOG_LEVEL_MAX}) ||
        !manifest_number_check(m, "timerHz", kernel.timer_hertz,
                               (struct manifest_range){TIMER_HERTZ_MIN, TIMER_HERTZ_MAX}) ||
        !manifest_number_check(m, "maxCpus", kernel.cpus_max,
                               (struct manifest_range){0, LIMIT_CPUS}) ||
        !manifest_number_check(
            m, "logBytes", kernel.log_bytes,
            (struct manifest_range){KERNEL_LOG_BYTES_MIN, KERNEL_LOG_BYTES_MAX})) {
        return false;
    }
    manifest_leave(m);
    return true;
}

/* ---- 4: binaries ----------------------------------------------------------------------------- */

static bool binary_name_check(struct manifest *m, uint32_t index,
                              struct manifest_binary_reader from)
{
    struct capn_text name;

    if (!manifest_name_check(m, "name", manifest_binary_at_name(from), &name)) {
        return false;
    }
    for (uint32_t i = 0; i < index; i++) {
        struct manifest_binary other;

        manifest_binary_get(m, i, &other);
        if (manifest_text_equal(other.name, name)) {
            return manifest_refuse_name(m, "name", MANIFEST_ERROR_DUPLICATE, name);
        }
    }
    return true;
}

static bool image_check(struct manifest *m, struct capn_data data)
{
    const struct elf_limits limits = {LIMIT_USER_MIN, LIMIT_USER_MAX, UINT64_MAX};
    struct elf_image image;
    enum elf_error error = elf_parse(data.bytes, data.length, &limits, &image);

    if (error == ELF_OK) {
        return true;
    }
    m->refusal.detail = elf_error_text(error);
    return manifest_refuse(m, MANIFEST_ERROR_NOT_LOADABLE, data.length, 0);
}

static bool binary_check(struct manifest *m, uint32_t index)
{
    struct manifest_binary_reader from = manifest_binary_list_get(m->binary_list, index);
    struct capn_data data;

    manifest_enter(m, "binaries", index);
    if (!binary_name_check(m, index, from) ||
        !manifest_present(m, "data", manifest_binary_at_data(from))) {
        return false;
    }
    manifest_enter(m, "data", MANIFEST_NO_INDEX);
    manifest_refill(m);
    data = manifest_binary_get_data(from);
    if (!manifest_pointers_good(m) || !image_check(m, data)) {
        return false;
    }
    manifest_leave(m);
    manifest_leave(m);
    return true;
}

static bool binaries_check(struct manifest *m)
{
    manifest_refill(m);
    m->binary_list = manifest_get_binaries(m->root);
    if (!manifest_list_check(m, "binaries", manifest_at_binaries(m->root),
                             (struct manifest_range){1, MANIFEST_BINARIES_MAX},
                             &m->binary_list.raw)) {
        return false;
    }
    m->binary_count = m->binary_list.raw.count;
    for (uint32_t i = 0; i < m->binary_count; i++) {
        if (!binary_check(m, i)) {
            return false;
        }
    }
    return true;
}

/* ---- 5 to 11 --------------------------------------------------------------------------------- */

static bool services_check(struct manifest *m)
{
    manifest_refill(m);
    m->service_list = manifest_get_services(m->root);
    if (!manifest_list_check(m, "services", manifest_at_services(m->root),
                             (struct manifest_range){1, MANIFEST_SERVICES_MAX},
                             &m->service_list.raw)) {
        return false;
    }
    m->service_count = m->service_list.raw.count;
    for (uint32_t i = 0; i < m->service_count; i++) {
        if (!manifest_service_check(m, i)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < m->service_count; i++) {
        if (!manifest_relations_check(m, i)) {
            return false;
        }
    }
    return true;
}

static bool source_hash_check(struct manifest *m)
{
    struct capn_data hash;

    if (!manifest_present(m, "sourceHash", manifest_at_source_hash(m->root))) {
        return false;
    }
    manifest_enter(m, "sourceHash", MANIFEST_NO_INDEX);
    manifest_refill(m);
    hash = manifest_get_source_hash(m->root);
    if (!manifest_pointers_good(m)) {
        return false;
    }
    if (hash.length != SOURCE_HASH_BYTES) {
        return manifest_refuse(m, MANIFEST_ERROR_RANGE, hash.length, SOURCE_HASH_BYTES);
    }
    manifest_leave(m);
    return true;
}

static bool contents_check(struct manifest *m)
{
    struct capn_text name;

    return manifest_name_check(m, "name", manifest_at_name(m->root), &name) && kernel_check(m) &&
           binaries_check(m) && services_check(m) && manifest_urgencies_check(m) &&
           manifest_quota_sums_check(m) && manifest_binaries_used_check(m) && source_hash_check(m);
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
