/* SPDX-License-Identifier: MIT */
/*
 * core/manifest: what is read back of what it accepts, and bytes that are no manifest. Fields with
 * values that it refuses: manifest_refusals_test.c.
 */
#include "support.h"

#include "core/hold_edge.h"
#include "manifest_fixture.h"

static struct manifest manifest;

static bool text_is(struct capn_text text, const char *expected)
{
    return text.length == strlen(expected) && memcmp(text.bytes, expected, text.length) == 0;
}

static void accepts_and_reads_back(void **state)
{
    struct fixture *fixture = fixture_make();
    struct manifest_service service;
    struct manifest_export exported;
    struct manifest_grant grant = {.source = 0};
    struct manifest_binary binary;
    struct manifest_kernel kernel;
    size_t length;
    uint8_t *bytes = fixture_encode(fixture, &length);

    (void)state;
    assert_int_equal(manifest_open(bytes, length, &manifest), MANIFEST_OK);
    assert_true(text_is(manifest_system_name(&manifest), "test"));
    manifest_kernel_get(&manifest, &kernel);
    assert_int_equal(kernel.log_level, 3);
    assert_true(kernel.halt_on_init_exit);
    assert_int_equal(kernel.cpus_max, 4);
    assert_int_equal(kernel.timer_hertz, 100);
    assert_int_equal(kernel.log_bytes, 8192);
    assert_int_equal(manifest.binary_count, 3);
    manifest_binary_get(&manifest, 1, &binary);
    assert_true(text_is(binary.name, "server"));
    assert_int_equal(binary.data.length, fixture_elf_bytes);
    assert_memory_equal(binary.data.bytes, fixture_elf, fixture_elf_bytes);
    assert_int_equal(manifest.service_count, 3);
    manifest_service_get(&manifest, 1, &service);
    assert_int_equal(service.binary, 1);
    assert_int_equal(service.argument_count, 1);
    assert_true(text_is(manifest_argument_get(&manifest, &service, 0), "--greeting=hello"));
    assert_int_equal(service.export_count, 1);
    manifest_export_get(&manifest, &service, 0, &exported);
    assert_true(text_is(exported.name, "greeter"));
    assert_int_equal(exported.facet, 3);
    assert_int_equal(exported.message_bytes, 1024);
    assert_int_equal(exported.capabilities, 2);
    assert_int_equal(exported.queue_length, 16);
    manifest_service_get(&manifest, 2, &service);
    assert_memory_equal(&service.quotas, &fixture->service[2].quotas,
                        offsetof(struct manifest_quotas, cpu_permille) + sizeof(uint16_t));
    manifest_grant_get(&manifest, &service, 0, &grant);
    assert_false(grant.from_kernel);
    assert_int_equal(grant.service, 1);
    assert_int_equal(grant.service_export, 0);
    assert_int_equal(grant.source, MANIFEST_SOURCE_COUNT);
    assert_int_equal(grant.badge, 7);
    assert_int_equal(grant.facet, 2);
    manifest_grant_get(&manifest, &service, 1, &grant);
    assert_true(grant.from_kernel);
    assert_int_equal(grant.source, MANIFEST_SOURCE_CONSOLE);
    assert_int_equal(grant.service, MANIFEST_NO_INDEX);
    assert_int_equal(grant.service_export, MANIFEST_NO_INDEX);
    assert_int_equal(grant.export_name.length, 0);
    assert_int_equal(manifest_service_find(&manifest, (struct capn_text){"client", 6}), 2);
    assert_int_equal(manifest_service_find(&manifest, (struct capn_text){"clien", 5}),
                     MANIFEST_NO_INDEX);
    free(bytes);
    free(fixture);
}

/* Asking does not use anything up. */
static void accessors_do_not_wear_out(void **state)
{
    struct fixture *fixture = fixture_make();
    struct manifest_service service;
    struct manifest_grant grant;
    size_t length;
    uint8_t *bytes = fixture_encode(fixture, &length);

    (void)state;
    assert_int_equal(manifest_open(bytes, length, &manifest), MANIFEST_OK);
    for (unsigned i = 0; i < 100000; i++) {
        manifest_service_get(&manifest, i % 3, &service);
        assert_int_equal(service.binary, i % 3);
    }
    manifest_service_get(&manifest, 2, &service);
    for (unsigned i = 0; i < 100000; i++) {
        manifest_grant_get(&manifest, &service, 0, &grant);
        assert_int_equal(grant.service, 1);
    }
    free(bytes);
    free(fixture);
}

/* An argument with a NUL inside cannot be written with C strings: change a byte. */
static void refuses_nul_in_argument(void **state)
{
    struct fixture *fixture = fixture_make();
    size_t length;
    uint8_t *bytes = fixture_encode(fixture, &length);
    uint8_t *place = bytes;
    char path[64];

    (void)state;
    while (memcmp(place, "--greeting", 10) != 0) {
        place++;
        assert_true(place + 10 < bytes + length);
    }
    place[3] = 0;
    assert_int_equal(manifest_open(bytes, length, &manifest), MANIFEST_ERROR_ARGUMENT);
    (void)manifest_path_text(&manifest.refusal, path, sizeof(path));
    assert_string_equal(path, "services[1].arguments[0]");
    assert_int_equal(manifest.refusal.found, 3);
    free(bytes);
    free(fixture);
}

static void refuses_bad_framing(void **state)
{
    struct fixture *fixture = fixture_make();
    size_t length;
    uint8_t *bytes = fixture_encode(fixture, &length);
    uint8_t two_segments[24] = {1, 0, 0, 0, 1, 0, 0, 0};

    (void)state;
    for (size_t cut = 0; cut < length; cut += cut < 64 ? 1 : 97) {
        assert_int_equal(manifest_open(bytes, cut, &manifest), MANIFEST_ERROR_NOT_FRAMED);
        assert_non_null(manifest.refusal.detail);
    }
    assert_int_equal(manifest_open(bytes, length + 8, &manifest), MANIFEST_ERROR_NOT_FRAMED);
    assert_int_equal(manifest_open(two_segments, sizeof(two_segments), &manifest),
                     MANIFEST_ERROR_NOT_FRAMED);
    free(bytes);
    free(fixture);
}

/* A name that no limit holds back by itself: the pointer leads outside. */
static void refuses_bad_pointers(void **state)
{
    struct fixture *fixture = fixture_make();
    size_t length;
    uint8_t *bytes = fixture_encode(fixture, &length);

    (void)state;
    memset(bytes + 8 + 16, 0xfd, 4); /* the root's first pointer: a list far beyond the end */
    assert_int_equal(manifest_open(bytes, length, &manifest), MANIFEST_ERROR_MESSAGE);
    assert_int_equal(manifest.refusal.step_count, 1);
    assert_non_null(manifest.refusal.detail);
    free(bytes);
    free(fixture);
}

/* Any single byte changed: accepted or refused, never anything else. Sanitizers watch. */
static void survives_changed_bytes(void **state)
{
    struct fixture *fixture = fixture_make();
    struct test_random random;
    size_t length;
    uint8_t *bytes = fixture_encode(fixture, &length);
    char path[32];

    (void)state;
    test_random_init(&random, 4);
    for (unsigned i = 0; i < 20000; i++) {
        size_t at = test_random_below(&random, length);
        uint8_t old = bytes[at];

        bytes[at] = (uint8_t)test_random_u64(&random);
        if (manifest_open(bytes, length, &manifest) != MANIFEST_OK) {
            (void)manifest_path_text(&manifest.refusal, path, sizeof(path));
        }
        bytes[at] = old;
    }
    free(bytes);
    free(fixture);
}

static void get_too_far(void *argument)
{
    struct manifest_binary binary;

    (void)argument;
    manifest_binary_get(&manifest, manifest.binary_count, &binary);
}

static void asserts_on_bad_index(void **state)
{
    struct fixture *fixture = fixture_make();
    size_t length;
    uint8_t *bytes = fixture_encode(fixture, &length);

    (void)state;
    assert_int_equal(manifest_open(bytes, length, &manifest), MANIFEST_OK);
    assert_true(test_asserts(get_too_far, NULL));
    free(bytes);
    free(fixture);
}

static void path_text_is_cut_and_counted(void **state)
{
    struct manifest_refusal refusal = {
        .step_count = 3, .step = {{"services", 12}, {"grants", 0}, {"facet", MANIFEST_NO_INDEX}}};
    char path[12];

    (void)state;
    assert_int_equal(manifest_path_text(&refusal, path, sizeof(path)),
                     strlen("services[12].grants[0].facet"));
    assert_string_equal(path, "services[12");
    assert_int_equal(manifest_path_text(&refusal, path, 1), strlen("services[12].grants[0].facet"));
    assert_string_equal(path, "");
    refusal.step_count = 0;
    assert_int_equal(manifest_path_text(&refusal, path, sizeof(path)), 8);
    assert_string_equal(path, "manifest");
}

static void names_and_facets(void **state)
{
    char name_of_33[33];

    (void)state;
    memset(name_of_33, 'a', sizeof(name_of_33));
    assert_true(manifest_name_is_valid((struct capn_text){"a-z_09", 6}));
    assert_false(manifest_name_is_valid((struct capn_text){"", 0}));
    assert_false(manifest_name_is_valid((struct capn_text){"a b", 3}));
    assert_true(manifest_name_is_valid((struct capn_text){name_of_33, 32}));
    assert_false(manifest_name_is_valid((struct capn_text){name_of_33, 33}));
    assert_true(facet_is_within(MANIFEST_FACET_ALL, MANIFEST_FACET_ALL));
    assert_false(facet_is_within(MANIFEST_FACET_ALL, MANIFEST_FACET_ALL - 1));
    assert_true(facet_is_within(5, 7));
    assert_false(facet_is_within(8, 7));
    for (unsigned i = 0; i < MANIFEST_SOURCE_COUNT; i++) {
        const char *name = manifest_source_name((enum manifest_source)i);

        assert_int_equal(manifest_source_find((struct capn_text){name, strlen(name)}), i);
        assert_true(manifest_name_is_valid((struct capn_text){name, strlen(name)}));
    }
    assert_int_equal(manifest_source_find((struct capn_text){"consol", 6}), MANIFEST_SOURCE_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_and_reads_back),  cmocka_unit_test(accessors_do_not_wear_out),
        cmocka_unit_test(refuses_nul_in_argument), cmocka_unit_test(refuses_bad_framing),
        cmocka_unit_test(refuses_bad_pointers),    cmocka_unit_test(survives_changed_bytes),
        cmocka_unit_test(asserts_on_bad_index),    cmocka_unit_test(path_text_is_cut_and_counted),
        cmocka_unit_test(names_and_facets),
    };

    return cmocka_run_group_tests_name("manifest decode", tests, NULL, NULL);
}
