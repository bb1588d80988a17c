/* SPDX-License-Identifier: MIT */
/*
 * The kernel, init and mkmanifest find the same thing wrong first. The manifests here have several
 * faults each; what the kernel says at boot and what init says before it starts anything are
 * compared with what the tool says of the same bytes. Init's part is its own code
 * (user/lib/graph.c) over a boot package that is the fixture; with a sound kernel it never gets to
 * see such a manifest.
 */
#include "support.h"

#include <stdarg.h>

#include "kernel/arch/host/host.h"
#include "manifest_fixture.h"
#include "tools/mkmanifest/model.h"

/* A program's main takes its runtime; this one's does not. */
#define main program_main
#include "user/lib/graph.c"
#undef main

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

/* ---- what init stands on: a boot package, a console, and nothing else ------------------------ */

static const uint8_t *package_bytes;
static uint64_t package_length;
static char init_said[1024];

const struct capset_entry *rt_find_interface(const struct rt *rt, uint64_t interface_id)
{
    static const struct capset_entry entry = {.cap.raw = 1};

    (void)rt;
    return interface_id == BOOT_PACKAGE_INTERFACE_ID ? &entry : NULL;
}

int32_t boot_package_client_size(struct rt *rt, struct boot_package package, uint64_t *size_bytes,
                                 uint32_t *binaries)
{
    (void)rt;
    assert_int_equal(package.cap.raw, 1);
    *size_bytes = package_length;
    *binaries = 0;
    return TRANSPORT_OK;
}

int32_t boot_package_client_read(struct rt *rt, struct boot_package package, uint64_t offset,
                                 void *to, uint64_t length)
{
    (void)rt;
    (void)package;
    assert_int_equal(offset, 0);
    assert_int_equal(length, package_length);
    memcpy(to, package_bytes, length);
    return TRANSPORT_OK;
}

int32_t rt_print(struct rt *rt, const char *format, ...)
{
    va_list arguments;

    (void)rt;
    va_start(arguments, format);
    vsnprintf(init_said, sizeof(init_said), format, arguments);
    va_end(arguments);
    return TRANSPORT_OK;
}

/* Starting a service: not reached after a refusal. */
const char *client_outcome_name(int32_t outcome)
{
    fail_msg("outcome %d", outcome);
    return "";
}

int32_t endpoint_client_create(struct rt *rt, struct endpoint_factory factory,
                               const struct manifest_export *limits, struct endpoint_owner *owner)
{
    (void)rt, (void)factory, (void)limits, (void)owner;
    fail_msg("an endpoint was made");
    return TRANSPORT_OK;
}

int32_t endpoint_client_mint(struct rt *rt, struct endpoint_owner owner,
                             const struct endpoint_session *session, struct cap_id *session_cap)
{
    (void)rt, (void)owner, (void)session;
    *session_cap = (struct cap_id){.raw = 0};
    fail_msg("a session was made");
    return TRANSPORT_OK;
}

int32_t process_client_spawn(struct rt *rt, struct process_spawner spawner,
                             const struct process_request *request, struct process_handle *handle)
{
    (void)rt, (void)spawner, (void)request, (void)handle;
    fail_msg("a process was started");
    return TRANSPORT_OK;
}

int32_t rt_release(struct rt_ring *ring, struct cap_id cap)
{
    (void)ring, (void)cap;
    fail_msg("a capability was released");
    return TRANSPORT_OK;
}

/* What init says when its boot package is this. */
static const char *init_says(const uint8_t *bytes, size_t length)
{
    static struct graph graph;
    struct start_info start = {.process_name = "init"};
    struct rt rt = {.start = &start};
    uint8_t *memory = malloc(length);

    package_bytes = bytes;
    package_length = length;
    init_said[0] = 0;
    assert_false(graph_open(&graph, &rt, (struct graph_memory){memory, length}));
    free(memory);
    return init_said;
}

/* ---- the comparison -------------------------------------------------------------------------- */

static void all_three_find_the_same(void **state)
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
        snprintf(expected, sizeof(expected), "init: the manifest is refused: %s: %s\n", path,
                 manifest_error_text(manifest.refusal.error));
        assert_string_equal(init_says(bytes, length), expected);
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

/* Init's budget comes from no program that the kernel could refuse: it is the manifest's. */
static void init_gets_no_budget_that_a_program_could_not_ask_for(void **state)
{
    static const struct {
        uint64_t budget_ns;
        uint64_t period_ns;
        const char *field;
    } cases[] = {
        {UINT64_C(1) << 63, UINT64_C(1) << 63, "budgetNs"},
        {UINT64_C(1) << 62, UINT64_MAX, "periodNs"},
        {1, 1000000, "budgetNs"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct fixture *fixture = fixture_make();
        char expected[96];
        size_t length;
        uint8_t *bytes;
        char *said;

        fixture->service[0].scheduling.budget_ns = cases[i].budget_ns;
        fixture->service[0].scheduling.period_ns = cases[i].period_ns;
        bytes = fixture_encode(fixture, &length);
        said = kernel_says(bytes, length);
        snprintf(expected, sizeof(expected),
                 "the manifest is refused at services[0].scheduling.%s: %s\n", cases[i].field,
                 manifest_error_text(MANIFEST_ERROR_RANGE));
        if (strstr(said, expected) == NULL) {
            fail_msg("expected %s, the kernel:\n%s", expected, said);
        }
        free(said);
        free(bytes);
        free(fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_gets_no_budget_that_a_program_could_not_ask_for),
        cmocka_unit_test(all_three_find_the_same),
        cmocka_unit_test(the_order_is_the_documented_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
