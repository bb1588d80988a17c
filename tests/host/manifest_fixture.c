/* SPDX-License-Identifier: MIT */
/* Makes manifests, sound ones and broken ones. */
#include "manifest_fixture.h"

#include "support.h"

#include "schema/generated/null.capnp.h"

enum { ENCODE_WORDS = 256 * 1024 };

/* ELF header, one program header, one instruction (System V gABI, figures 4-3 and 5-1). */
const uint8_t fixture_elf[] = {
    0x7f, 'E',  'L',  'F', 2,  1, 1,  0,
    0,    0,    0,    0,   0,  0, 0,  0, /* class, data, version */
    2,    0,    62,   0,   1,  0, 0,  0,
    0x78, 0,    0x40, 0,   0,  0, 0,  0, /* EXEC, x86-64, entry 0x400078 */
    64,   0,    0,    0,   0,  0, 0,  0,
    0,    0,    0,    0,   0,  0, 0,  0, /* program headers at 64 */
    0,    0,    0,    0,   64, 0, 56, 0,
    1,    0,    0,    0,   0,  0, 0,  0, /* sizes, one program header */
    1,    0,    0,    0,   5,  0, 0,  0,
    0,    0,    0,    0,   0,  0, 0,  0, /* LOAD, R+X, offset 0 */
    0,    0,    0x40, 0,   0,  0, 0,  0,
    0,    0,    0x40, 0,   0,  0, 0,  0, /* at 0x400000 */
    0x7a, 0,    0,    0,   0,  0, 0,  0,
    0x7a, 0,    0,    0,   0,  0, 0,  0, /* 0x7a bytes */
    0,    0x10, 0,    0,   0,  0, 0,  0, /* alignment 4096 */
    0xeb, 0xfe,                          /* jmp . */
};
const size_t fixture_elf_bytes = sizeof(fixture_elf);

static const struct manifest_quotas service_quotas = {.slots = 64,
                                                      .frames = 64,
                                                      .ring_bytes = 65536,
                                                      .endpoint_queue = 8,
                                                      .outstanding_calls = 8,
                                                      .scratch_bytes = 4096,
                                                      .threads = 1,
                                                      .log_bytes = 512,
                                                      .grant_nodes = 8,
                                                      .cpu_permille = 500};
static const struct manifest_quotas init_quotas = {.slots = 1024,
                                                   .frames = 65536,
                                                   .ring_bytes = 16 * 1024 * 1024,
                                                   .endpoint_queue = 1024,
                                                   .outstanding_calls = 1024,
                                                   .scratch_bytes = 1024 * 1024,
                                                   .threads = 64,
                                                   .log_bytes = 65536,
                                                   .grant_nodes = 1024,
                                                   .cpu_permille = 1000};

void fixture_service_init(struct fixture_service *service, const char *name, const char *binary)
{
    memset(service, 0, sizeof(*service));
    service->name = name;
    service->binary = binary;
    service->quotas = service_quotas;
    service->scheduling = (struct manifest_scheduling){.priority = 8, .cpu_mask = UINT64_MAX};
}

struct fixture_grant fixture_kernel_grant(const char *name, enum manifest_source source)
{
    return (struct fixture_grant){.name = name,
                                  .source = manifest_source_name(source),
                                  .interface_id = manifest_source_interface(source)};
}

static void services_make(struct fixture *fixture)
{
    struct fixture_service *init = &fixture->service[0];
    struct fixture_service *server = &fixture->service[1];
    struct fixture_service *client = &fixture->service[2];

    fixture_service_init(init, "init", "init");
    init->quotas = init_quotas;
    init->grant[0] = fixture_kernel_grant("console", MANIFEST_SOURCE_CONSOLE);
    init->grant[0].transfer = AUTHORITY_TRANSFER_MODE_COPY;
    init->grant[1] = fixture_kernel_grant("spawner", MANIFEST_SOURCE_PROCESS_SPAWNER);
    init->grant[2] = fixture_kernel_grant("null", MANIFEST_SOURCE_NULL_OBJECT);
    init->grant[2].facet = (struct fixture_facet){.tag = 1, .methods = NULL_OBJECT_FACET_ECHO};
    init->grant[2].transfer = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE;
    init->grant_count = 3;
    fixture_service_init(server, "server", "server");
    server->argument[0] = "--greeting=hello";
    server->argument_count = 1;
    server->exported[0] = (struct fixture_export){.name = "greeter",
                                                  .interface_id = NULL_OBJECT_INTERFACE_ID,
                                                  .facet = {.tag = 1, .methods = 3},
                                                  .message_bytes = 1024,
                                                  .capabilities = 2,
                                                  .queue_length = 16};
    server->export_count = 1;
    fixture_service_init(client, "client", "client");
    client->grant[0] = (struct fixture_grant){.name = "greeter",
                                              .source_tag = 1,
                                              .source = "server",
                                              .export_name = "greeter",
                                              .interface_id = NULL_OBJECT_INTERFACE_ID,
                                              .facet = {.tag = 1, .methods = 2},
                                              .badge = 7};
    client->grant[1] = fixture_kernel_grant("console", MANIFEST_SOURCE_CONSOLE);
    client->grant[1].facet = (struct fixture_facet){.tag = 1, .methods = 1};
    client->grant_count = 2;
    fixture->service_count = 3;
}

struct fixture *fixture_make(void)
{
    static const char *const names[] = {"init", "server", "client"};
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    fixture->version = 1;
    fixture->name = "test";
    fixture->hash_bytes = 32;
    fixture->kernel = (struct manifest_kernel){.log_level = 3,
                                               .halt_on_init_exit = true,
                                               .cpus_max = 4,
                                               .timer_hertz = 100,
                                               .log_bytes = 8192};
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        fixture->binary[i] = (struct fixture_binary){names[i], fixture_elf, fixture_elf_bytes};
    }
    fixture->binary_count = ARRAY_COUNT(names);
    services_make(fixture);
    return fixture;
}

/* ---- encoding -------------------------------------------------------------------------------- */

static struct capn_text text(const char *string)
{
    return (struct capn_text){string, string == NULL ? 0 : strlen(string)};
}

static void facet_set(struct capn_pointer_builder to, const struct fixture_facet *facet)
{
    struct authority_facet_builder builder;

    if (facet->absent) {
        return;
    }
    builder = authority_facet_init(to);
    if (facet->tag != 0) {
        authority_facet_set_methods(builder, facet->methods);
        capn_set_u16(builder.raw, 0, facet->tag, 0);
    }
}

static void grant_set(struct manifest_grant_builder to, const struct fixture_grant *grant)
{
    struct manifest_grant_source_builder source = manifest_grant_init_source(to);

    manifest_grant_set_name(to, text(grant->name));
    if (grant->source_tag == 1) {
        struct manifest_grant_source_service_builder service =
            manifest_grant_source_init_service(source);

        manifest_grant_source_service_set_name(service, text(grant->source));
        manifest_grant_source_service_set_export_name(service, text(grant->export_name));
    } else {
        manifest_grant_source_set_kernel(source, text(grant->source));
    }
    capn_set_u16(to.raw, 0, grant->source_tag, 0);
    manifest_grant_set_interface_id(to, grant->interface_id);
    facet_set(manifest_grant_place_facet(to), &grant->facet);
    manifest_grant_set_badge(to, grant->badge);
    manifest_grant_set_transfer_mode(to, (enum authority_transfer_mode)grant->transfer);
}

static void export_set(struct manifest_export_builder to, const struct fixture_export *exported)
{
    manifest_export_set_name(to, text(exported->name));
    manifest_export_set_interface_id(to, exported->interface_id);
    facet_set(manifest_export_place_facet(to), &exported->facet);
    manifest_export_set_message_bytes(to, exported->message_bytes);
    manifest_export_set_capabilities(to, exported->capabilities);
    manifest_export_set_queue_length(to, exported->queue_length);
}

static void quotas_set(struct authority_quotas_builder to, const struct manifest_quotas *quotas)
{
    authority_quotas_set_slots(to, quotas->slots);
    authority_quotas_set_frames(to, quotas->frames);
    authority_quotas_set_ring_bytes(to, quotas->ring_bytes);
    authority_quotas_set_endpoint_queue(to, quotas->endpoint_queue);
    authority_quotas_set_outstanding_calls(to, quotas->outstanding_calls);
    authority_quotas_set_scratch_bytes(to, quotas->scratch_bytes);
    authority_quotas_set_threads(to, quotas->threads);
    authority_quotas_set_log_bytes(to, quotas->log_bytes);
    authority_quotas_set_grant_nodes(to, quotas->grant_nodes);
    authority_quotas_set_cpu_permille(to, quotas->cpu_permille);
}

static void lists_set(struct manifest_service_builder to, const struct fixture_service *service)
{
    if (!service->arguments_absent) {
        struct capn_list_builder list =
            manifest_service_init_arguments(to, service->argument_count);

        for (uint32_t i = 0; i < service->argument_count; i++) {
            capn_list_set_text(list, i, text(service->argument[i]));
        }
    }
    if (!service->grants_absent) {
        struct manifest_grant_builder_list list =
            manifest_service_init_grants(to, service->grant_count);

        for (uint32_t i = 0; i < service->grant_count; i++) {
            grant_set(manifest_grant_list_edit(list, i), &service->grant[i]);
        }
    }
    if (!service->exports_absent) {
        struct manifest_export_builder_list list =
            manifest_service_init_exports(to, service->export_count);

        for (uint32_t i = 0; i < service->export_count; i++) {
            export_set(manifest_export_list_edit(list, i), &service->exported[i]);
        }
    }
}

static void service_set(struct manifest_service_builder to, const struct fixture_service *service)
{
    manifest_service_set_name(to, text(service->name));
    manifest_service_set_binary(to, text(service->binary));
    lists_set(to, service);
    if (!service->quotas_absent) {
        quotas_set(manifest_service_init_quotas(to), &service->quotas);
    }
    if (!service->restart_absent) {
        manifest_restart_policy_set_mode(manifest_service_init_restart(to),
                                         (enum manifest_restart_mode)service->restart_mode);
    }
    if (!service->scheduling_absent) {
        struct scheduling_parameters_builder scheduling = manifest_service_init_scheduling(to);

        scheduling_parameters_set_priority(scheduling, service->scheduling.priority);
        scheduling_parameters_set_budget_ns(scheduling, service->scheduling.budget_ns);
        scheduling_parameters_set_period_ns(scheduling, service->scheduling.period_ns);
        scheduling_parameters_set_cpu_mask(scheduling, service->scheduling.cpu_mask);
    }
}

static void head_set(struct manifest_builder root, const struct fixture *fixture)
{
    static const uint8_t hash[64];

    manifest_set_schema_version(root, fixture->version);
    manifest_set_name(root, text(fixture->name));
    if (!fixture->kernel_absent) {
        struct manifest_kernel_parameters_builder kernel = manifest_init_kernel(root);

        manifest_kernel_parameters_set_log_level(kernel, fixture->kernel.log_level);
        manifest_kernel_parameters_set_halt_on_init_exit(kernel, fixture->kernel.halt_on_init_exit);
        manifest_kernel_parameters_set_max_cpus(kernel, fixture->kernel.cpus_max);
        manifest_kernel_parameters_set_timer_hz(kernel, fixture->kernel.timer_hertz);
        manifest_kernel_parameters_set_log_bytes(kernel, fixture->kernel.log_bytes);
    }
    if (fixture->hash_bytes != SIZE_MAX) {
        manifest_set_source_hash(root, (struct capn_data){hash, fixture->hash_bytes});
    }
}

static void root_set(struct manifest_builder root, const struct fixture *fixture)
{
    head_set(root, fixture);
    if (!fixture->binaries_absent) {
        struct manifest_binary_builder_list list =
            manifest_init_binaries(root, fixture->binary_count);

        for (uint32_t i = 0; i < fixture->binary_count; i++) {
            struct manifest_binary_builder to = manifest_binary_list_edit(list, i);

            manifest_binary_set_name(to, text(fixture->binary[i].name));
            if (fixture->binary[i].bytes != NULL) {
                manifest_binary_set_data(
                    to, (struct capn_data){fixture->binary[i].bytes, fixture->binary[i].length});
            }
        }
    }
    if (!fixture->services_absent) {
        struct manifest_service_builder_list list =
            manifest_init_services(root, fixture->service_count);

        for (uint32_t i = 0; i < fixture->service_count; i++) {
            service_set(manifest_service_list_edit(list, i), &fixture->service[i]);
        }
    }
}

uint8_t *fixture_encode(const struct fixture *fixture, size_t *length)
{
    uint8_t *bytes = malloc((ENCODE_WORDS + 1) * CAPN_WORD_BYTES);
    struct capn_build_segment segment = {bytes + 8, ENCODE_WORDS, 0};
    struct capn_output header = {bytes, 8, 0};
    struct capn_builder builder;
    struct capn_segment built;

    assert_non_null(bytes);
    capn_builder_init(&builder, &segment, 1);
    root_set(manifest_init(capn_builder_root(&builder)), fixture);
    assert_int_equal(capn_builder_status(&builder), CAPN_OK);
    assert_int_equal(capn_builder_segments(&builder, &built), 1);
    assert_int_equal(capn_frame_write_header(&built, 1, &header), CAPN_OK);
    *length = 8 + (size_t)built.words * CAPN_WORD_BYTES;
    return bytes;
}
