/* SPDX-License-Identifier: MIT */
/*
 * Manifests and schemas of earlier days with today's code: what was readable stays readable and
 * means the same. tests/vintage/README.md says where the files come from.
 */
#include "tests/host/support.h"

#include "core/manifest.h"
#include "schema/generated/console.capnp.h"
#include "schema/generated/log.capnp.h"
#include "tests/capnp/vintage.h"

#define ECHO_INTERFACE UINT64_C(1311768467463790320)

struct file {
    uint8_t *bytes;
    size_t length;
};

static struct file file_read(const char *path)
{
    struct file file = {.bytes = malloc(1u << 20)};
    FILE *stream = fopen(path, "rb");
    if (!stream) {
        print_error("%s cannot be read; the test runs in the tree's root\n", path);
    }
    assert_non_null(stream);
    file.length = fread(file.bytes, 1, 1u << 20, stream);
    fclose(stream);
    return file;
}

static void text_is(struct capn_text text, const char *expected)
{
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.bytes, expected, text.length);
}

static void init_is_as_written(struct manifest *manifest)
{
    struct manifest_service service;
    struct manifest_grant grant;
    manifest_service_get(manifest, 0, &service);
    text_is(service.name, "init");
    assert_int_equal(service.binary, 0);
    assert_int_equal(service.argument_count, 2);
    text_is(manifest_argument_get(manifest, &service, 1), "quietly");
    assert_int_equal(service.grant_count, 2);
    manifest_grant_get(manifest, &service, 0, &grant);
    assert_true(grant.from_kernel && grant.source == MANIFEST_SOURCE_CONSOLE);
    assert_true(grant.facet == MANIFEST_FACET_ALL);
    assert_int_equal(grant.transfer, AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE);
    manifest_grant_get(manifest, &service, 1, &grant);
    assert_true(grant.interface_id == LOG_INTERFACE_ID);
    assert_true(grant.facet == 3);
    assert_int_equal(service.quotas.slots, 1024);
    assert_int_equal(service.quotas.frames, 65536);
    assert_int_equal(service.quotas.scratch_bytes, 1048576);
    assert_int_equal(service.quotas.grant_nodes, 1024);
    assert_int_equal(service.restart.mode, MANIFEST_RESTART_MODE_ESSENTIAL);
    assert_int_equal(service.scheduling.priority, 20);
    assert_true(service.scheduling.cpu_mask == UINT64_MAX);
}

static void server_is_as_written(struct manifest *manifest)
{
    struct manifest_service service;
    struct manifest_export exported;
    struct manifest_grant grant;
    manifest_service_get(manifest, 1, &service);
    text_is(service.name, "server");
    text_is(service.binary_name, "second");
    assert_int_equal(service.argument_count, 0);
    manifest_grant_get(manifest, &service, 0, &grant);
    assert_true(grant.facet == CONSOLE_FACET_WRITE);
    assert_int_equal(grant.transfer, AUTHORITY_TRANSFER_MODE_NONE);
    assert_int_equal(service.export_count, 1);
    manifest_export_get(manifest, &service, 0, &exported);
    text_is(exported.name, "echo");
    assert_true(exported.interface_id == ECHO_INTERFACE && exported.facet == 6);
    assert_int_equal(exported.message_bytes, 8192);
    assert_int_equal(exported.capabilities, 3);
    assert_int_equal(exported.queue_length, 16);
    assert_int_equal(service.quotas.cpu_permille, 500);
    assert_int_equal(service.restart.mode, MANIFEST_RESTART_MODE_ON_FAILURE);
    assert_int_equal(service.restart.restarts_max, 5);
    assert_true(service.restart.window_ns == UINT64_C(60000000000));
    assert_true(service.restart.backoff_ns == 1000000);
    assert_true(service.scheduling.budget_ns == 2000000);
    assert_true(service.scheduling.period_ns == 10000000);
    assert_true(service.scheduling.cpu_mask == 3);
}

static void client_is_as_written(struct manifest *manifest)
{
    struct manifest_service service;
    struct manifest_grant grant;
    manifest_service_get(manifest, 2, &service);
    text_is(manifest_argument_get(manifest, &service, 0), "--times=3");
    text_is(manifest_argument_get(manifest, &service, 1), "");
    manifest_grant_get(manifest, &service, 0, &grant);
    assert_false(grant.from_kernel);
    assert_int_equal(grant.service, 1);
    text_is(grant.source_name, "server");
    text_is(grant.export_name, "echo");
    assert_true(grant.badge == 77 && grant.facet == 2);
    assert_int_equal(grant.transfer, AUTHORITY_TRANSFER_MODE_MOVE);
    manifest_grant_get(manifest, &service, 1, &grant);
    assert_int_equal(grant.transfer, AUTHORITY_TRANSFER_MODE_COPY);
    assert_int_equal(service.restart.mode, MANIFEST_RESTART_MODE_ALWAYS);
}

static void manifest_is_as_written(const char *path)
{
    struct file file = file_read(path);
    struct manifest manifest;
    enum manifest_error error = manifest_open(file.bytes, file.length, &manifest);
    if (error != MANIFEST_OK) {
        char place[128];
        manifest_path_text(&manifest.refusal, place, sizeof(place));
        print_error("%s: %s: %s\n", path, place, manifest_error_text(error));
    }
    assert_int_equal(error, MANIFEST_OK);
    text_is(manifest_system_name(&manifest), "vintage-one");
    assert_int_equal(manifest.binary_count, 2);
    assert_int_equal(manifest.service_count, 3);
    struct manifest_kernel kernel;
    manifest_kernel_get(&manifest, &kernel);
    assert_int_equal(kernel.log_level, 3);
    assert_int_equal(kernel.timer_hertz, 250);
    assert_int_equal(kernel.cpus_max, 2);
    assert_int_equal(kernel.log_bytes, 8192);
    assert_false(kernel.halt_on_init_exit);
    struct manifest_binary binary;
    manifest_binary_get(&manifest, 1, &binary);
    text_is(binary.name, "second");
    assert_int_equal(binary.data.length, 122);
    init_is_as_written(&manifest);
    server_is_as_written(&manifest);
    client_is_as_written(&manifest);
    free(file.bytes);
}

static void manifest_of_version_1(void **state)
{
    (void)state;
    manifest_is_as_written("tests/vintage/manifest-1.bin");
}

/* What a newer writer adds is passed over. */
static void manifest_of_a_newer_writer(void **state)
{
    (void)state;
    manifest_is_as_written("tests/vintage/manifest-1-newer.bin");
}

static void other_versions_are_refused(void **state)
{
    (void)state;
    struct file file = file_read("tests/vintage/manifest-1.bin");
    struct manifest manifest;
    for (uint32_t version = 0; version < 4; version++) {
        capn_store_u32(file.bytes + 16, version); /* frame header, root pointer, first word */
        bool opened = manifest_open(file.bytes, file.length, &manifest) == MANIFEST_OK;
        assert_int_equal(opened, version == MANIFEST_CURRENT_SCHEMA_VERSION);
    }
    free(file.bytes);
}

static void nothing_was_changed_or_removed(void **state)
{
    (void)state;
    struct vintage old, today;
    vintage_of_index(&today, &capn_meta_index);
    assert_true(vintage_of_file(&old, "tests/vintage/schema-1.txt"));
    assert_true(old.count > 500);
    const char *missing = vintage_missing(&old, &today);
    if (missing) {
        print_error("today's schemas lack: %s\n", missing);
    }
    assert_null(missing);
    vintage_free(&old);
    vintage_free(&today);
}

static void a_change_would_be_seen(void **state)
{
    (void)state;
    struct vintage old, today;
    vintage_of_index(&old, &capn_meta_index);
    vintage_of_index(&today, &capn_meta_index);
    assert_null(vintage_missing(&old, &today));
    for (size_t i = 0; i < today.count; i += 7) {
        today.lines[i][strlen(today.lines[i]) / 2] ^= 1;
        assert_non_null(vintage_missing(&old, &today));
        today.lines[i][strlen(today.lines[i]) / 2] ^= 1;
    }
    vintage_free(&old);
    vintage_free(&today);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifest_of_version_1),
        cmocka_unit_test(manifest_of_a_newer_writer),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(nothing_was_changed_or_removed),
        cmocka_unit_test(a_change_would_be_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
