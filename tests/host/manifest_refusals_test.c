/* SPDX-License-Identifier: MIT */
/*
 * core/manifest: every refusal of a field with its place, the order of the checks, and what is just
 * within. Each case spoils one good manifest.
 */
#include "support.h"

#include "core/elf.h"
#include "core/sched_context.h"
#include "manifest_fixture.h"

static struct manifest manifest;

struct refusal_case {
    void (*spoil)(struct fixture *fixture);
    enum manifest_error error;
    const char *path;
};

#define SPOIL(name, ...)                                                                           \
    static void name(struct fixture *fixture)                                                      \
    {                                                                                              \
        struct fixture_service *init = &fixture->service[0];                                       \
        struct fixture_service *server = &fixture->service[1];                                     \
        struct fixture_service *client = &fixture->service[2];                                     \
                                                                                                   \
        (void)init;                                                                                \
        (void)server;                                                                              \
        (void)client;                                                                              \
        __VA_ARGS__;                                                                               \
    }

static const char name_of_33[] = "a23456789012345678901234567890123";
static char long_argument[MANIFEST_ARGUMENT_BYTES_MAX];

static void fill_capset(struct fixture_service *service, uint32_t grants)
{
    static char names[FIXTURE_LIST_MAX][8];

    for (uint32_t i = service->grant_count; i < grants; i++) {
        snprintf(names[i], sizeof(names[i]), "g%u", i);
        service->grant[i] = fixture_kernel_grant(names[i], MANIFEST_SOURCE_CONSOLE);
        service->grant[i].facet = (struct fixture_facet){.tag = 1, .methods = 1};
    }
    service->grant_count = grants;
}

static void many_services(struct fixture *fixture, uint32_t count)
{
    for (uint32_t i = fixture->service_count; i < count; i++) {
        snprintf(fixture->names[i], FIXTURE_NAME_BYTES, "s%u", i);
        fixture_service_init(&fixture->service[i], fixture->names[i], "client");
        fixture->service[i].quotas = (struct manifest_quotas){.slots = 1, .threads = 1};
    }
    fixture->service_count = count;
}

static void many_binaries(struct fixture *fixture, uint32_t count)
{
    for (uint32_t i = fixture->binary_count; i < count; i++) {
        fixture->binary[i] = fixture->binary[0];
        fixture->binary[i].name = "x";
    }
    fixture->binary_count = count;
}

SPOIL(version_zero, fixture->version = 0)
SPOIL(version_two, fixture->version = 2)
SPOIL(no_name, fixture->name = NULL)
SPOIL(bad_name, fixture->name = "Test")
SPOIL(no_kernel, fixture->kernel_absent = true)
SPOIL(log_level, fixture->kernel.log_level = 5)
SPOIL(timer_low, fixture->kernel.timer_hertz = 9)
SPOIL(timer_high, fixture->kernel.timer_hertz = 10001)
SPOIL(cpus, fixture->kernel.cpus_max = LIMIT_CPUS + 1)
SPOIL(log_bytes, fixture->kernel.log_bytes = 4095)
SPOIL(no_binaries, fixture->binaries_absent = true)
SPOIL(empty_binaries, fixture->binary_count = 0)
SPOIL(binaries_over, many_binaries(fixture, MANIFEST_BINARIES_MAX + 1))
SPOIL(binary_unnamed, fixture->binary[1].name = NULL)
SPOIL(binary_name_empty, fixture->binary[1].name = "")
SPOIL(binary_twice, fixture->binary[2].name = "init")
SPOIL(binary_absent, fixture->binary[2].bytes = NULL)
SPOIL(binary_cut, fixture->binary[2].length = 63)
SPOIL(binary_script, fixture->binary[2].bytes = (const uint8_t *)"#!/bin/sh\n";
      fixture->binary[2].length = 10)
SPOIL(no_services, fixture->services_absent = true)
SPOIL(empty_services, fixture->service_count = 0)
SPOIL(services_over, many_services(fixture, MANIFEST_SERVICES_MAX + 1))
SPOIL(service_unnamed, server->name = NULL)
SPOIL(service_name_long, server->name = name_of_33)
SPOIL(service_name_dot, server->name = "ser.ver")
SPOIL(service_twice, client->name = "server")
SPOIL(service_binary_absent, client->binary = NULL)
SPOIL(no_arguments, server->arguments_absent = true)
SPOIL(arguments_over, server->argument_count = MANIFEST_ARGUMENTS_MAX + 1)
SPOIL(argument_null, server->argument[1] = NULL; server->argument_count = 2)
SPOIL(argument_long, server->argument[1] = long_argument; server->argument_count = 2)
SPOIL(no_grants, client->grants_absent = true)
SPOIL(grants_over, fill_capset(client, LIMIT_CAPSET_ENTRIES + 1))
SPOIL(grant_unnamed, client->grant[1].name = NULL)
SPOIL(grant_twice, client->grant[1].name = "greeter")
SPOIL(source_tag, client->grant[0].source_tag = 2)
SPOIL(source_null, client->grant[0].source = NULL)
SPOIL(source_export_null, client->grant[0].export_name = NULL)
SPOIL(interface_zero, client->grant[0].interface_id = 0)
SPOIL(facet_absent, client->grant[0].facet.absent = true)
SPOIL(facet_tag, client->grant[0].facet.tag = 2)
SPOIL(facet_ones, client->grant[0].facet.methods = UINT64_MAX)
SPOIL(transfer_unknown, client->grant[0].transfer = AUTHORITY_TRANSFER_MODE_COUNT)
SPOIL(no_exports, client->exports_absent = true)
SPOIL(export_unnamed, server->exported[0].name = NULL)
SPOIL(export_as_grant, server->grant[0] = fixture_kernel_grant("greeter", MANIFEST_SOURCE_CONSOLE);
      server->grant_count = 1)
SPOIL(export_twice_here, server->exported[1] = server->exported[0]; server->export_count = 2)
SPOIL(export_interface, server->exported[0].interface_id = 0)
SPOIL(export_facet, server->exported[0].facet.absent = true)
SPOIL(export_message, server->exported[0].message_bytes = LIMIT_MESSAGE_BYTES + 1)
SPOIL(export_message_low, server->exported[0].message_bytes = 7)
SPOIL(export_message_uneven, server->exported[0].message_bytes = LIMIT_MESSAGE_BYTES - 4)
SPOIL(export_capabilities, server->exported[0].capabilities = LIMIT_TRANSFERS + 1)
SPOIL(export_queue, server->exported[0].queue_length = 0)
SPOIL(no_quotas, server->quotas_absent = true)
SPOIL(no_restart, server->restart_absent = true)
SPOIL(no_scheduling, server->scheduling_absent = true)
SPOIL(slots_none, server->quotas.slots = 0)
SPOIL(slots_over, server->quotas.slots = LIMIT_TABLE_SLOTS + 1)
SPOIL(threads_none, server->quotas.threads = 0)
SPOIL(restart_unknown, server->restart_mode = MANIFEST_RESTART_MODE_COUNT)
SPOIL(priority_over, server->scheduling.priority = LIMIT_PRIORITIES)
SPOIL(budget_short, server->scheduling.budget_ns = SCHED_BUDGET_MIN_NS - 1;
      server->scheduling.period_ns = SCHED_BUDGET_MIN_NS)
SPOIL(budget_long, server->scheduling.budget_ns = SCHED_PERIOD_MAX_NS + 1;
      server->scheduling.period_ns = SCHED_PERIOD_MAX_NS)
SPOIL(period_short, server->scheduling.budget_ns = SCHED_BUDGET_MIN_NS;
      server->scheduling.period_ns = SCHED_BUDGET_MIN_NS - 1)
SPOIL(period_long, server->scheduling.budget_ns = SCHED_BUDGET_MIN_NS;
      server->scheduling.period_ns = SCHED_PERIOD_MAX_NS + 1)
SPOIL(no_cpu, server->scheduling.cpu_mask = 0)
SPOIL(capset_over, fill_capset(server, LIMIT_CAPSET_ENTRIES))
SPOIL(spawn_over, fill_capset(server, LIMIT_GRANTS))
SPOIL(binary_unknown, client->binary = "clientt")
SPOIL(kernel_unknown, client->grant[1].source = "consol")
SPOIL(kernel_interface, client->grant[1].interface_id++)
SPOIL(kernel_facet, client->grant[1].facet.methods = 8)
SPOIL(kernel_badge, client->grant[1].badge = 1)
SPOIL(kernel_not_held, client->grant[1] = fixture_kernel_grant("timer", MANIFEST_SOURCE_TIMER))
SPOIL(kernel_wider, client->grant[1] = fixture_kernel_grant("null", MANIFEST_SOURCE_NULL_OBJECT))
SPOIL(kernel_not_copied,
      client->grant[1] = fixture_kernel_grant("spawner", MANIFEST_SOURCE_PROCESS_SPAWNER))
SPOIL(kernel_transfer, client->grant[1].transfer = AUTHORITY_TRANSFER_MODE_COPY)
SPOIL(init_service, init->grant[0] = client->grant[0])
SPOIL(service_unknown, client->grant[0].source = "serve")
SPOIL(service_itself, client->grant[0].source = "client"; client->exported[0] = server->exported[0];
      client->export_count = 1; server->export_count = 0; client->grant[0].name = "own")
SPOIL(service_later, fixture->service[3] = *client; fixture->service[2] = *server;
      fixture->service[1] = fixture->service[3])
SPOIL(export_unknown, client->grant[0].export_name = "greet")
SPOIL(service_interface, client->grant[0].interface_id++)
SPOIL(service_facet, client->grant[0].facet.methods = 4)
SPOIL(service_facet_all, client->grant[0].facet.tag = 0)
SPOIL(export_twice, client->exported[0] = server->exported[0]; client->export_count = 1;
      client->grant[0].name = "other")
SPOIL(badge_twice, client->grant[1] = client->grant[0]; client->grant[1].name = "again")
SPOIL(badge_elsewhere, fixture->service[3] = *client; fixture->service[3].name = "again";
      fixture->service_count = 4)
SPOIL(init_budget, init->scheduling.budget_ns = SCHED_BUDGET_MIN_NS;
      init->scheduling.period_ns = SCHED_BUDGET_MIN_NS)
SPOIL(priority_above, client->scheduling.priority = init->scheduling.priority + 1)
SPOIL(quota_frames, init->quotas.frames = 127)
SPOIL(quota_nodes, init->quotas.grant_nodes = 15)
SPOIL(quota_cpu, init->quotas.cpu_permille = 499)
SPOIL(binary_unused, client->binary = "server")
SPOIL(hash_absent, fixture->hash_bytes = SIZE_MAX)
SPOIL(hash_short, fixture->hash_bytes = 31)

/* In the order of the checks, which checks_keep_their_order relies on. */
static const struct refusal_case cases[] = {
    {version_zero, MANIFEST_ERROR_VERSION, "schemaVersion"},
    {version_two, MANIFEST_ERROR_VERSION, "schemaVersion"},
    {no_name, MANIFEST_ERROR_MISSING, "name"},
    {bad_name, MANIFEST_ERROR_NAME, "name"},
    {no_kernel, MANIFEST_ERROR_MISSING, "kernel"},
    {log_level, MANIFEST_ERROR_RANGE, "kernel.logLevel"},
    {timer_low, MANIFEST_ERROR_RANGE, "kernel.timerHz"},
    {timer_high, MANIFEST_ERROR_RANGE, "kernel.timerHz"},
    {cpus, MANIFEST_ERROR_RANGE, "kernel.maxCpus"},
    {log_bytes, MANIFEST_ERROR_RANGE, "kernel.logBytes"},
    {no_binaries, MANIFEST_ERROR_MISSING, "binaries"},
    {empty_binaries, MANIFEST_ERROR_EMPTY, "binaries"},
    {binaries_over, MANIFEST_ERROR_TOO_MANY, "binaries"},
    {binary_unnamed, MANIFEST_ERROR_MISSING, "binaries[1].name"},
    {binary_name_empty, MANIFEST_ERROR_NAME, "binaries[1].name"},
    {binary_twice, MANIFEST_ERROR_DUPLICATE, "binaries[2].name"},
    {binary_absent, MANIFEST_ERROR_MISSING, "binaries[2].data"},
    {binary_cut, MANIFEST_ERROR_NOT_LOADABLE, "binaries[2].data"},
    {binary_script, MANIFEST_ERROR_NOT_LOADABLE, "binaries[2].data"},
    {no_services, MANIFEST_ERROR_MISSING, "services"},
    {empty_services, MANIFEST_ERROR_EMPTY, "services"},
    {services_over, MANIFEST_ERROR_TOO_MANY, "services"},
    {service_unnamed, MANIFEST_ERROR_MISSING, "services[1].name"},
    {service_name_long, MANIFEST_ERROR_NAME, "services[1].name"},
    {service_name_dot, MANIFEST_ERROR_NAME, "services[1].name"},
    {no_arguments, MANIFEST_ERROR_MISSING, "services[1].arguments"},
    {arguments_over, MANIFEST_ERROR_TOO_MANY, "services[1].arguments"},
    {argument_null, MANIFEST_ERROR_MISSING, "services[1].arguments[1]"},
    {argument_long, MANIFEST_ERROR_TOO_LARGE, "services[1].arguments[1]"},
    {export_unnamed, MANIFEST_ERROR_MISSING, "services[1].exports[0].name"},
    {export_as_grant, MANIFEST_ERROR_DUPLICATE, "services[1].exports[0].name"},
    {export_interface, MANIFEST_ERROR_RANGE, "services[1].exports[0].interface"},
    {export_facet, MANIFEST_ERROR_MISSING, "services[1].exports[0].facet"},
    {export_message, MANIFEST_ERROR_RANGE, "services[1].exports[0].messageBytes"},
    {export_message_low, MANIFEST_ERROR_RANGE, "services[1].exports[0].messageBytes"},
    {export_message_uneven, MANIFEST_ERROR_WORDS, "services[1].exports[0].messageBytes"},
    {export_capabilities, MANIFEST_ERROR_RANGE, "services[1].exports[0].capabilities"},
    {export_queue, MANIFEST_ERROR_RANGE, "services[1].exports[0].queueLength"},
    {export_twice_here, MANIFEST_ERROR_DUPLICATE, "services[1].exports[1].name"},
    {no_quotas, MANIFEST_ERROR_MISSING, "services[1].quotas"},
    {no_restart, MANIFEST_ERROR_MISSING, "services[1].restart"},
    {no_scheduling, MANIFEST_ERROR_MISSING, "services[1].scheduling"},
    {slots_none, MANIFEST_ERROR_RANGE, "services[1].quotas.slots"},
    {slots_over, MANIFEST_ERROR_RANGE, "services[1].quotas.slots"},
    {threads_none, MANIFEST_ERROR_RANGE, "services[1].quotas.threads"},
    {restart_unknown, MANIFEST_ERROR_CHOICE, "services[1].restart.mode"},
    {priority_over, MANIFEST_ERROR_RANGE, "services[1].scheduling.priority"},
    {budget_short, MANIFEST_ERROR_RANGE, "services[1].scheduling.budgetNs"},
    {budget_long, MANIFEST_ERROR_RANGE, "services[1].scheduling.budgetNs"},
    {period_short, MANIFEST_ERROR_RANGE, "services[1].scheduling.periodNs"},
    {period_long, MANIFEST_ERROR_RANGE, "services[1].scheduling.periodNs"},
    {no_cpu, MANIFEST_ERROR_RANGE, "services[1].scheduling.cpuMask"},
    {capset_over, MANIFEST_ERROR_CAPSET, "services[1]"},
    {spawn_over, MANIFEST_ERROR_GRANTS, "services[1]"},
    {service_twice, MANIFEST_ERROR_DUPLICATE, "services[2].name"},
    {service_binary_absent, MANIFEST_ERROR_MISSING, "services[2].binary"},
    {no_grants, MANIFEST_ERROR_MISSING, "services[2].grants"},
    {grants_over, MANIFEST_ERROR_TOO_MANY, "services[2].grants"},
    {source_tag, MANIFEST_ERROR_CHOICE, "services[2].grants[0].source"},
    {source_null, MANIFEST_ERROR_MISSING, "services[2].grants[0].source"},
    {source_export_null, MANIFEST_ERROR_MISSING, "services[2].grants[0].source"},
    {interface_zero, MANIFEST_ERROR_RANGE, "services[2].grants[0].interface"},
    {facet_absent, MANIFEST_ERROR_MISSING, "services[2].grants[0].facet"},
    {facet_tag, MANIFEST_ERROR_CHOICE, "services[2].grants[0].facet"},
    {facet_ones, MANIFEST_ERROR_RANGE, "services[2].grants[0].facet"},
    {transfer_unknown, MANIFEST_ERROR_CHOICE, "services[2].grants[0].transfer"},
    {grant_unnamed, MANIFEST_ERROR_MISSING, "services[2].grants[1].name"},
    {grant_twice, MANIFEST_ERROR_DUPLICATE, "services[2].grants[1].name"},
    {no_exports, MANIFEST_ERROR_MISSING, "services[2].exports"},
    {init_service, MANIFEST_ERROR_INIT_SOURCE, "services[0].grants[0].source"},
    {service_later, MANIFEST_ERROR_LATER_SERVICE, "services[1].grants[0].source"},
    {binary_unknown, MANIFEST_ERROR_NO_BINARY, "services[2].binary"},
    {service_unknown, MANIFEST_ERROR_NO_SERVICE, "services[2].grants[0].source"},
    {service_itself, MANIFEST_ERROR_LATER_SERVICE, "services[2].grants[0].source"},
    {export_unknown, MANIFEST_ERROR_NO_EXPORT, "services[2].grants[0].source"},
    {service_interface, MANIFEST_ERROR_INTERFACE, "services[2].grants[0].interface"},
    {service_facet, MANIFEST_ERROR_FACET, "services[2].grants[0].facet"},
    {service_facet_all, MANIFEST_ERROR_FACET, "services[2].grants[0].facet"},
    {kernel_unknown, MANIFEST_ERROR_NO_SOURCE, "services[2].grants[1].source"},
    {kernel_interface, MANIFEST_ERROR_INTERFACE, "services[2].grants[1].interface"},
    {kernel_facet, MANIFEST_ERROR_FACET, "services[2].grants[1].facet"},
    {kernel_badge, MANIFEST_ERROR_BADGE, "services[2].grants[1].badge"},
    {kernel_not_held, MANIFEST_ERROR_NOT_HELD, "services[2].grants[1].source"},
    {kernel_wider, MANIFEST_ERROR_FACET, "services[2].grants[1].facet"},
    {kernel_not_copied, MANIFEST_ERROR_TRANSFER, "services[2].grants[1].transfer"},
    {kernel_transfer, MANIFEST_ERROR_TRANSFER, "services[2].grants[1].transfer"},
    {badge_twice, MANIFEST_ERROR_SHARED_BADGE, "services[2].grants[1].badge"},
    {export_twice, MANIFEST_ERROR_DUPLICATE, "services[2].exports[0].name"},
    {badge_elsewhere, MANIFEST_ERROR_SHARED_BADGE, "services[3].grants[0].badge"},
    {init_budget, MANIFEST_ERROR_INIT_BUDGET, "services[0].scheduling.budgetNs"},
    {priority_above, MANIFEST_ERROR_PRIORITY, "services[2].scheduling.priority"},
    {quota_cpu, MANIFEST_ERROR_QUOTA, "services[1].quotas.cpuPermille"},
    {quota_frames, MANIFEST_ERROR_QUOTA, "services[2].quotas.frames"},
    {quota_nodes, MANIFEST_ERROR_QUOTA, "services[2].quotas.grantNodes"},
    {binary_unused, MANIFEST_ERROR_UNUSED_BINARY, "binaries[2]"},
    {hash_absent, MANIFEST_ERROR_MISSING, "sourceHash"},
    {hash_short, MANIFEST_ERROR_RANGE, "sourceHash"},
};

static enum manifest_error open_spoiled(const struct refusal_case *a, const struct refusal_case *b,
                                        char *path, size_t size)
{
    struct fixture *fixture = fixture_make();
    enum manifest_error error;
    uint8_t *bytes;
    size_t length;

    a->spoil(fixture);
    if (b != NULL) {
        b->spoil(fixture);
    }
    bytes = fixture_encode(fixture, &length);
    error = manifest_open(bytes, length, &manifest);
    (void)manifest_path_text(&manifest.refusal, path, size);
    free(bytes);
    free(fixture);
    return error;
}

static void refuses_each_with_its_place(void **state)
{
    char path[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        enum manifest_error error = open_spoiled(&cases[i], NULL, path, sizeof(path));

        if (error != cases[i].error || strcmp(path, cases[i].path) != 0) {
            fail_msg("case %zu: %s at %s, expected %s at %s", i, manifest_error_text(error), path,
                     manifest_error_text(cases[i].error), cases[i].path);
        }
    }
}

/* Every error of the list has a case here, but those that need bytes rather than fields. */
static void every_error_has_a_case(void **state)
{
    (void)state;
    for (unsigned error = 1; error < MANIFEST_ERROR_COUNT; error++) {
        bool found = error == MANIFEST_ERROR_NOT_FRAMED || error == MANIFEST_ERROR_MESSAGE ||
                     error == MANIFEST_ERROR_ARGUMENT;

        for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
            found = found || cases[i].error == error;
        }
        if (!found) {
            fail_msg("no case for: %s", manifest_error_text((enum manifest_error)error));
        }
    }
    assert_string_equal(manifest_error_text(MANIFEST_ERROR_COUNT), "unknown manifest error");
}

/* The version is found wrong whatever else is wrong, the fields of one service in their order. */
static void checks_keep_their_order(void **state)
{
    static const unsigned stages[] = {0, 2, 5, 13, 22, 42, 52};
    char path[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(stages); i++) {
        const struct refusal_case *first = &cases[stages[i]];

        for (size_t j = i + 1; j < ARRAY_COUNT(stages); j++) {
            enum manifest_error error = open_spoiled(&cases[stages[j]], first, path, sizeof(path));

            assert_int_equal(error, first->error);
            assert_string_equal(path, first->path);
        }
        assert_int_equal(open_spoiled(&cases[ARRAY_COUNT(cases) - 1], first, path, sizeof(path)),
                         first->error);
    }
}

/* At the limits, not beyond them. */
static void accepts_the_largest(void **state)
{
    struct fixture *fixture = fixture_make();
    size_t length;
    uint8_t *bytes;

    (void)state;
    fill_capset(&fixture->service[1], LIMIT_GRANTS - 1);
    many_services(fixture, MANIFEST_SERVICES_MAX);
    fixture->service[0].quotas.threads = 64;
    bytes = fixture_encode(fixture, &length);
    assert_int_equal(manifest_open(bytes, length, &manifest), MANIFEST_OK);
    free(bytes);
    free(fixture);
}

SPOIL(timer_least, fixture->kernel.timer_hertz = 10)
SPOIL(timer_most, fixture->kernel.timer_hertz = 10000)
SPOIL(log_least, fixture->kernel.log_bytes = 4096)
SPOIL(cpus_most, fixture->kernel.cpus_max = LIMIT_CPUS)
SPOIL(message_least, server->exported[0].message_bytes = 8)
SPOIL(message_most, server->exported[0].message_bytes = LIMIT_MESSAGE_BYTES)
SPOIL(queue_most, server->exported[0].queue_length = LIMIT_ENDPOINT_QUEUE)
SPOIL(first_has_for_all, init->quotas.slots = MANIFEST_SERVICES_MAX * LIMIT_TABLE_SLOTS;
      init->quotas.threads = MANIFEST_SERVICES_MAX * LIMIT_THREADS)
SPOIL(all_is_given, init->quotas.frames = server->quotas.frames + client->quotas.frames)
SPOIL(budget_least, server->scheduling.budget_ns = SCHED_BUDGET_MIN_NS;
      server->scheduling.period_ns = SCHED_BUDGET_MIN_NS)
SPOIL(budget_most, server->scheduling.budget_ns = SCHED_PERIOD_MAX_NS;
      server->scheduling.period_ns = SCHED_PERIOD_MAX_NS)
SPOIL(no_badges, badge_twice(fixture); client->grant[0].badge = client->grant[1].badge = 0)
SPOIL(two_badges, badge_twice(fixture); client->grant[1].badge++)
SPOIL(badge_of_others, client->exported[0] = server->exported[0];
      client->exported[0].name = "other"; client->export_count = 1; badge_elsewhere(fixture);
      fixture->service[3].export_count = 0; fixture->service[3].grant[0].source = "client";
      fixture->service[3].grant[0].export_name = "other")
SPOIL(badge_of_two, server->exported[1] = server->exported[0]; server->exported[1].name = "other";
      server->export_count = 2; badge_twice(fixture); client->grant[1].export_name = "other")
SPOIL(sole_budget, fixture->service_count = 1; fixture->binary_count = 1;
      init->scheduling.budget_ns = SCHED_BUDGET_MIN_NS;
      init->scheduling.period_ns = SCHED_BUDGET_MIN_NS)
SPOIL(period_without_budget, server->scheduling.period_ns = UINT64_MAX)
SPOIL(arguments_most, memset(long_argument, 'x', sizeof(long_argument) - 1);
      server->argument[0] = long_argument)

SPOIL(budget_and_worse_behind, server->scheduling.budget_ns = SCHED_BUDGET_MIN_NS;
      server->scheduling.period_ns = SCHED_BUDGET_MIN_NS; client->quotas.slots = 0)

SPOIL(capset_most, fill_capset(server, LIMIT_CAPSET_ENTRIES - 1))

static void what_is_within_ends_no_check(void **state)
{
    struct refusal_case behind = {.spoil = budget_and_worse_behind};
    char path[128];

    (void)state;
    assert_int_equal(open_spoiled(&behind, NULL, path, sizeof(path)), MANIFEST_ERROR_RANGE);
    assert_string_equal(path, "services[2].quotas.slots");
    behind.spoil = capset_most; /* as many as fit the page, more than a spawn passes */
    assert_int_equal(open_spoiled(&behind, NULL, path, sizeof(path)), MANIFEST_ERROR_GRANTS);
}

static void accepts_what_is_just_within(void **state)
{
    static void (*const reach[])(struct fixture *
                                 fixture) = {timer_least,     timer_most,
                                             log_least,       cpus_most,
                                             message_least,   message_most,
                                             queue_most,      first_has_for_all,
                                             all_is_given,    budget_least,
                                             arguments_most,  budget_most,
                                             sole_budget,     period_without_budget,
                                             no_badges,       two_badges,
                                             badge_of_others, badge_of_two};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(reach); i++) {
        struct refusal_case within = {.spoil = reach[i]};
        char path[128];

        if (open_spoiled(&within, NULL, path, sizeof(path)) != MANIFEST_OK) {
            fail_msg("case %zu: refused at %s", i, path);
        }
    }
}

/* What was found, and the nearest that would have been accepted. */
static void tells_what_it_found_and_the_limit(void **state)
{
    static const struct {
        void (*spoil)(struct fixture *fixture);
        uint64_t found;
        uint64_t limit;
    } told[] = {
        {timer_low, 9, 10},
        {timer_high, 10001, 10000},
        {transfer_unknown, AUTHORITY_TRANSFER_MODE_COUNT, AUTHORITY_TRANSFER_MODE_COUNT - 1},
        {restart_unknown, MANIFEST_RESTART_MODE_COUNT, MANIFEST_RESTART_MODE_COUNT - 1},
        {facet_ones, MANIFEST_FACET_ALL, MANIFEST_FACET_ALL - 1},
        {bad_name, 4, LIMIT_NAME_BYTES},
        {kernel_unknown, 6, 0},
        {export_message_uneven, LIMIT_MESSAGE_BYTES - 4, LIMIT_MESSAGE_BYTES - 8},
    };
    struct refusal_case script = {.spoil = binary_script};
    char path[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(told); i++) {
        struct refusal_case beyond = {.spoil = told[i].spoil};

        assert_int_not_equal(open_spoiled(&beyond, NULL, path, sizeof(path)), MANIFEST_OK);
        assert_true(manifest.refusal.found == told[i].found);
        assert_true(manifest.refusal.limit == told[i].limit);
    }
    assert_int_not_equal(open_spoiled(&script, NULL, path, sizeof(path)), MANIFEST_OK);
    assert_string_equal(manifest.refusal.detail, elf_error_text(ELF_ERROR_TRUNCATED_HEADER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_each_with_its_place),
        cmocka_unit_test(every_error_has_a_case),
        cmocka_unit_test(checks_keep_their_order),
        cmocka_unit_test(accepts_the_largest),
        cmocka_unit_test(what_is_within_ends_no_check),
        cmocka_unit_test(accepts_what_is_just_within),
        cmocka_unit_test(tells_what_it_found_and_the_limit),
    };

    memset(long_argument, 'x', sizeof(long_argument) - 1);
    return cmocka_run_group_tests_name("manifest refusals", tests, NULL, NULL);
}
