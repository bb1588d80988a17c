/* SPDX-License-Identifier: MIT */
/*
 * The kernel, init and mkmanifest find the same thing wrong first. The manifests here have several
 * faults each; what the kernel says at boot is compared with what the tool says of the same bytes.
 * Init runs the same decoder over the same module and cannot get as far when the kernel refuses:
 * tests/tools/mkmanifest_test.py shows that its program has that decoder in it.
 */
#include "support.h"

#include "kernel/arch/host/host.h"
#include "manifest_fixture.h"
#include "tools/mkmanifest/model.h"

enum { FAULTS = 8 };

/* Faults in the order in which they are to be found. */
static void fault_apply(struct fixture *fixture, unsigned fault)
{
    switch (fault) {
    case 0:
        fixture->version = 7;
        break;
    case 1:
        fixture->name = NULL;
        break;
    case 2:
        fixture->kernel.timer_hertz = 1;
        break;
    case 3:
        fixture->binary[1].name = "init";
        break;
    case 4:
        fixture->service[1].name = "Server";
        break;
    case 5:
        fixture->service[2].scheduling.priority = 200;
        break;
    case 6:
        fixture->service[2].grant[0].badge = 0;
        fixture->service[2].grant[1].source = "konsole";
        break;
    default:
        fixture->service[0].quotas.frames = 1;
        break;
    }
}

/* What the kernel says when it boots with this module. */
static char *kernel_says(const uint8_t *bytes, size_t length)
{
    struct host_options options = {.cpus = 1,
                                   .seed = 1,
                                   .memory_bytes = 16 * 1024 * 1024,
                                   .module = bytes,
                                   .module_bytes = length};
    struct host_result result;

    host_machine_run(&options, &result);
    assert_int_equal(result.end, HOST_END_FAILURE);
    return result.console;
}

static void kernel_and_tool_find_the_same(void **state)
{
    (void)state;
    for (unsigned faults = 1; faults < 1u << FAULTS; faults++) {
        struct fixture *fixture = fixture_make();
        struct manifest manifest;
        struct model model;
        char expected[256];
        char path[96];
        size_t length;
        uint8_t *bytes;
        char *said;

        for (unsigned fault = 0; fault < FAULTS; fault++) {
            if ((faults >> fault & 1) != 0) {
                fault_apply(fixture, fault);
            }
        }
        bytes = fixture_encode(fixture, &length);
        model_init(&model, "test.json");
        assert_false(model_judge(&model, &manifest, bytes, length));
        (void)manifest_path_text(&manifest.refusal, path, sizeof(path));
        snprintf(expected, sizeof(expected), "the manifest is refused at %s: %s\n", path,
                 manifest_error_text(manifest.refusal.error));
        said = kernel_says(bytes, length);
        if (strstr(said, expected) == NULL ||
            strstr(model.report.text, manifest_error_text(manifest.refusal.error)) == NULL) {
            fail_msg("expected %s, the kernel:\n%sthe tool:\n%s", expected, said,
                     model.report.text);
        }
        free(said);
        free(bytes);
        free(fixture);
        model_free(&model);
    }
}

/* Of two faults the one that stands earlier in the list is found. */
static void the_order_is_the_documented_one(void **state)
{
    static const char *const paths[FAULTS] = {"schemaVersion",
                                              "name",
                                              "kernel.timerHz",
                                              "binaries[1].name",
                                              "services[1].name",
                                              "services[2].scheduling.priority",
                                              "services[2].grants[1].source",
                                              "services[1].quotas.frames"};

    (void)state;
    for (unsigned first = 0; first < FAULTS; first++) {
        for (unsigned second = first; second < FAULTS; second++) {
            struct fixture *fixture = fixture_make();
            struct manifest manifest;
            char path[96];
            size_t length;
            uint8_t *bytes;

            fault_apply(fixture, second);
            fault_apply(fixture, first);
            bytes = fixture_encode(fixture, &length);
            assert_int_not_equal(manifest_open(bytes, length, &manifest), MANIFEST_OK);
            (void)manifest_path_text(&manifest.refusal, path, sizeof(path));
            assert_string_equal(path, paths[first]);
            free(bytes);
            free(fixture);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_and_tool_find_the_same),
        cmocka_unit_test(the_order_is_the_documented_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
