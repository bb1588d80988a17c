/* SPDX-License-Identifier: MIT */
/*
 * mkmanifest's reading of JSON: each refusal with path, rule, finding and suggestion; random
 * systems that come back from the message as they went in; random graphs, accepted if and only if
 * a plain reading of the rules says so.
 */
#include "support.h"

#include "manifest_fixture.h"
#include "manifest_properties.h"
#include "tools/mkmanifest/model.h"

static struct manifest manifest;

/* Reads, orders, encodes and judges; binaries are all the fixture's. NULL: accepted. The report and
 * the message live as long as the model. */
static const char *judge(struct model *model, const char *json)
{
    const uint8_t *bytes;
    size_t length;

    model_init(model, "test.json");
    if (!model_read_json(model, json, strlen(json)) || !model_order(model)) {
        assert_non_null(model->report.text);
        return model->report.text;
    }
    for (size_t i = 0; i < model->binary_count; i++) {
        model->binaries[i].bytes = fixture_elf;
        model->binaries[i].length = fixture_elf_bytes;
    }
    model_encode(model, &bytes, &length);
    if (model_judge(model, &manifest, bytes, length)) {
        assert_null(model->report.text);
        return NULL;
    }
    assert_non_null(model->report.text);
    return model->report.text;
}

/* ---- refusals -------------------------------------------------------------------------------- */

static const char base[] =
    "{\"schemaVersion\": 1, \"name\": \"base\", \"kernel\": {\"logLevel\": 3},"
    " \"binaries\": [{\"name\": \"init\"}, {\"name\": \"server\"}, {\"name\": \"client\"}],"
    " \"init\": {\"name\": \"init\", \"priority\": 10, \"binary\": \"init\", \"grants\": ["
    "  {\"name\": \"console\", \"source\": \"kernel:console\", \"interface\": \"Console\","
    "   \"facet\": \"all\", \"transfer\": \"copy\"},"
    "  {\"name\": \"null\", \"source\": \"kernel:null\", \"interface\": \"NullObject\","
    "   \"facet\": [\"echo\"], \"transfer\": \"copy\"}]},"
    " \"services\": ["
    "  {\"name\": \"client\", \"binary\": \"client\", \"grants\": ["
    "   {\"name\": \"greeter\", \"source\": \"server:greeter\", \"interface\": \"Greeter\","
    "    \"facet\": [\"greet\"], \"badge\": 7},"
    "   {\"name\": \"out\", \"source\": \"kernel:console\", \"interface\": \"Console\","
    "    \"facet\": [\"write\"]}]},"
    "  {\"name\": \"server\", \"binary\": \"server\", \"priority\": 9, \"grants\": [],"
    "   \"exports\": [{\"name\": \"greeter\", \"interface\": \"Greeter\"}]}]}";

struct json_case {
    const char *from; /* in `base`, once */
    const char *to;
    const char *path;
    const char *rule;
    const char *found;
    const char *suggestion; /* NULL: any, but there is always one */
};

static const struct json_case cases[] = {
    {"\"schemaVersion\": 1", "\"schemaVersion\": 2, \"bogus\": 0", "$.schemaVersion",
     "an integer from 1 to 1", "2", "1"},
    {"\"schemaVersion\": 1, ", "", "$.schemaVersion", "an integer from 1 to 1", "nothing", NULL},
    {"\"kernel\": {", "\"kernal\": {}, \"kernel\": {", "$\n", "fields that this version knows",
     "\"kernal\"", "\"kernel\""},
    {"\"logLevel\": 3", "\"logLevl\": 3", "$.kernel", "fields that this version knows",
     "\"logLevl\"", "\"logLevel\""},
    {"\"logLevel\": 3", "\"logLevel\": 9", "$.kernel.logLevel", "outside its range", "9",
     "the limit is 3"},
    {"\"logLevel\": 3", "\"logLevel\": -1", "$.kernel.logLevel", "an integer from 0", "-1", "0"},
    {"\"logLevel\": 3", "\"logLevel\": 3.5", "$.kernel.logLevel", "an integer from 0",
     "3.5, which is no integer", "3"},
    {"\"logLevel\": 3", "\"logLevel\": 99999999999999999999", "line 1", "beyond 63 bits",
     "too big integer", NULL},
    {"\"logLevel\": 3", "\"logLevel\": 1e400", "line 1", "", "real number overflow", NULL},
    {"\"logLevel\": 3", "\"logLevel\": \"3\"", "$.kernel.logLevel", "an integer from 0", "\"3\"",
     NULL},
    {"\"logLevel\": 3", "\"logLevel\": 3, \"logLevel\": 3", "line 1", "without duplicate keys",
     "duplicate object key", NULL},
    {"\"name\": \"base\"", "\"name\": \"my system\"", "$.name", "a name is 1 to 32 characters",
     "\"my system\"", "\"my-system\""},
    {"{\"name\": \"init\"}", "{\"name\": \"Init\"}", "$.binaries[0].name",
     "a name is 1 to 32 characters", "\"Init\"", "\"init\""},
    {"{\"name\": \"init\"}", "{\"name\": \"\"}", "$.binaries[0].name",
     "a name is 1 to 32 characters", "\"\"", NULL},
    {"{\"name\": \"init\"}", "{\"name\": \"client\"}", "$.binaries[2].name", "used already",
     "\"client\"", NULL},
    {"{\"name\": \"init\"},", "{\"name\": \"init\"}, {\"name\": \"spare\"},", "$.binaries[1]",
     "no service uses", "\"spare\"", "take it out"},
    {"\"name\": \"client\", \"binary\": \"client\"", "\"name\": \"client\"", "$.services[0].binary",
     "a text is required", "nothing", NULL},
    {"\"name\": \"client\", \"binary\": \"client\"", "\"name\": \"server\", \"binary\": \"client\"",
     "$.services[1].name", "used already", "\"server\"", "another name"},
    {"\"name\": \"base\"", "\"name\": \"a23456789012345678901234567890123\"", "$.name",
     "a name is 1 to 32 characters", "\"a23456789012345678901234567890123\"",
     "\"a2345678901234567890123456789012\""},
    {"\"binary\": \"server\"", "\"binary\": \"sever\"", "$.services[1].binary",
     "no binary has this name", "\"sever\"", "\"server\""},
    {"\"grants\": [],", "", "$.services[1].grants", "a list is required", "nothing", NULL},
    {"\"grants\": [],", "\"grants\": [], \"grant\": [],", "$.services[1]",
     "fields that this version knows", "\"grant\"", "\"grants\""},
    {"\"server:greeter\"", "\"server.greeter\"", "$.services[0].grants[0].source", "SERVICE:EXPORT",
     "\"server.greeter\"", NULL},
    {"\"server:greeter\"", "\"server:Greeter\"", "$.services[0].grants[0].source",
     "both names of a source", "\"server:Greeter\"", NULL},
    {"\"server:greeter\"", "\"servr:greeter\"", "$.services[0].grants[0].source",
     "no service has this name", "\"servr\"", "\"server\""},
    {"\"server:greeter\"", "\"server:greter\"", "$.services[0].grants[0].source",
     "no export of this name", "\"greter\"", "\"greeter\""},
    {"\"kernel:console\", \"interface\": \"Console\",    \"facet\": [\"write\"]",
     "\"kernel:konsole\", \"interface\": \"Console\",    \"facet\": [\"write\"]",
     "$.services[0].grants[1].source", "kernel has no object", "\"konsole\"", "\"console\""},
    {"\"kernel:console\", \"interface\": \"Console\",    \"facet\": [\"write\"]",
     "\"kernel:timer\", \"interface\": \"Timer\",    \"facet\": [\"now\"]",
     "$.services[0].grants[1].source", "init does not hold", "\"timer\"", "kernel:timer"},
    {"\"interface\": \"Greeter\",    \"facet\"", "\"interface\": \"Greter\",    \"facet\"",
     "$.services[0].grants[0].interface", "no interface of this name", "\"Greter\"", "\"Greeter\""},
    {"\"interface\": \"Greeter\",    \"facet\": [\"greet\"]",
     "\"interface\": \"Console\",    \"facet\": [\"write\"]", "$.services[0].grants[0].interface",
     "not that of the source", "\"Console\"", "\"Greeter\""},
    {"[\"greet\"]", "[\"geet\"]", "$.services[0].grants[0].facet[0]",
     "Greeter has no method of this name", "\"geet\"", "\"greet\""},
    {"[\"greet\"]", "[\"greet\", \"greet\"]", "$.services[0].grants[0].facet[1]",
     "each method once", "\"greet\"", NULL},
    {"[\"greet\"]", "\"everything\"", "$.services[0].grants[0].facet", "\"all\" or a list",
     "\"everything\"", NULL},
    {"\"badge\": 7", "\"badge\": 0.5", "$.services[0].grants[0].badge", "an integer from 0", "0.5",
     NULL},
    {"\"facet\": [\"greet\"], \"badge\": 7},",
     "\"facet\": [\"greet\"], \"badge\": 7}, {\"name\": \"again\", \"source\": \"server:greeter\", "
     "\"interface\": \"Greeter\", \"facet\": [\"greet\"], \"badge\": 7},",
     "$.services[0].grants[1].badge", "has this badge", "7", "another badge"},
    {"\"badge\": 7", "\"transfer\": \"coppy\"", "$.services[0].grants[0].transfer",
     "not one of those allowed", "\"coppy\"", "\"copy\""},
    {"\"facet\": [\"write\"]", "\"facet\": [\"write\"], \"badge\": 1",
     "$.services[0].grants[1].badge", "kernel objects have no badges", "1", NULL},
    {"\"facet\": [\"write\"]", "\"facet\": [\"write\"], \"transfer\": \"copy\"",
     "$.services[0].grants[1].transfer", "wider than what the source holds", "\"copy\"",
     "init holds it with transfer \"copy\""},
    {"\"facet\": [\"write\"]}",
     "\"facet\": [\"write\"]}, {\"name\": \"out\", \"source\": "
     "\"kernel:null\", \"interface\": \"NullObject\", \"facet\": [\"echo\"]}",
     "$.services[0].grants[2].name", "used already", "\"out\"", NULL},
    {"\"facet\": [\"write\"]}",
     "\"facet\": [\"write\"]}, {\"name\": \"n\", \"source\": "
     "\"kernel:null\", \"interface\": \"NullObject\", \"facet\": \"all\"}",
     "$.services[0].grants[2].facet", "wider than what the source holds", "\"all\"",
     "at most [\"echo\"]"},
    {"\"exports\": [{\"name\": \"greeter\", \"interface\": \"Greeter\"}]",
     "\"exports\": [{\"name\": \"greeter\", \"interface\": \"Greeter\", \"facet\": [\"finish\"]}]",
     "$.services[0].grants[0].facet", "wider than what the source holds", "[\"greet\"]",
     "at most [\"finish\"]"},
    {"\"interface\": \"Greeter\"}]",
     "\"interface\": \"Greeter\"}, {\"name\": \"greeter\", "
     "\"interface\": \"Greeter\"}]",
     "$.services[1].exports[1].name", "used already", "\"greeter\"", NULL},
    {"\"interface\": \"Greeter\"}]", "\"interface\": \"Greeter\", \"messageBytes\": 1}]",
     "$.services[1].exports[0].messageBytes", "outside its range", "1", "the limit is 8"},
    {"\"interface\": \"Greeter\"}]", "\"interface\": \"Greeter\", \"messageBytes\": 1001}]",
     "$.services[1].exports[0].messageBytes", "not a multiple of 8", "1001", "1000 or 1008"},
    {"\"priority\": 9", "\"priority\": 32", "$.services[1].priority", "an integer from 0 to 31",
     "32", NULL},
    {"\"priority\": 9", "\"priority\": 11", "$.services[1].priority", "init starts the service",
     "11", "the limit is 10"},
    {"\"priority\": 10", "\"budgetNs\": 100000, \"periodNs\": 100000", "$.init.budgetNs",
     "none can be started on a budget", "100000", "leave init's budget out"},
    {"\"priority\": 9", "\"cpus\": []", "$.services[1].cpus", "1 to 64 entries", "0 entries", NULL},
    {"\"priority\": 9", "\"cpus\": [64]", "$.services[1].cpus[0]", "an integer from 0 to 63", "64",
     NULL},
    {"\"priority\": 9", "\"budgetNs\": 10, \"periodNs\": 20", "$.services[1].budgetNs",
     "outside its range", "10", "the limit is 100000"},
    {"\"priority\": 9", "\"budgetNs\": 100000, \"periodNs\": 99999", "$.services[1].periodNs",
     "outside its range", "99999", "the limit is 100000"},
    {"\"priority\": 9", "\"restart\": \"alway\"", "$.services[1].restart",
     "not one of those allowed", "\"alway\"", "\"always\""},
    {"\"priority\": 9", "\"restart\": {\"mode\": \"always\", \"maxRestart\": 3}",
     "$.services[1].restart", "fields that this version knows", "\"maxRestart\"",
     "\"maxRestarts\""},
    {"\"priority\": 9", "\"quota\": {\"frames\": 65536}", "$.services[1].quota.frames",
     "more than init has", "65536", "the limit is 16384"},
    {"\"priority\": 9", "\"quota\": {\"threads\": 0}", "$.services[1].quota.threads",
     "outside its range", "0", "the limit is 1"},
    {"\"priority\": 9", "\"quota\": {\"frame\": 1}", "$.services[1].quota",
     "fields that this version knows", "\"frame\"", "\"frames\""},
    {"\"priority\": 9", "\"quota\": {\"frames\": 4294967296}", "$.services[1].quota.frames",
     "an integer from 0 to 4294967295", "4294967296", "4294967295"},
    {"\"priority\": 9", "\"arguments\": [1]", "$.services[1].arguments[0]", "a text is required",
     "1", NULL},
    {"\"priority\": 9", "\"arguments\": [\"a\\u0000b\"]", "line 1", "one JSON value",
     "\\u0000 is not allowed", NULL},
    {"\"priority\": 9", "\"after\": [\"client\"]", "$.services[0]",
     "each have to start before the other",
     "client, which waits for server, which waits for client", "take one"},
    {"\"priority\": 9", "\"after\": [\"server\"]", "$.services[1]",
     "each have to start before the other", "server, which waits for server", "take one"},
    {"\"priority\": 9", "\"after\": [\"clent\"]", "$.services[1].after[0]",
     "names services of this manifest", "\"clent\"", "\"client\""},
    {"\"binary\": \"init\", \"grants\"",
     "\"binary\": \"init\", \"after\": [\"client\"], \"grants\"", "$.init.after[0]",
     "init starts before every other", "\"client\"", "leave"},
    {"\"source\": \"kernel:null\"", "\"source\": \"server:greeter\"", "$.init.grants[1].source",
     "kernel objects only", "\"server\"", NULL},
    {"\"services\": [", "\"services\": {}, \"x\": [", "$\n", "fields that this version knows",
     "\"x\"", NULL},
    {"\"kernel\": {\"logLevel\": 3}", "\"kernel\": null", "$.kernel", "an object is required",
     "null", NULL},
};

/* `base` with one replacement; free() it. */
static char *base_with(const char *from, const char *to)
{
    const char *place = strstr(base, from);
    size_t room = sizeof(base) + strlen(to) + 1;
    char *json = malloc(room);

    assert_non_null(json);
    if (place == NULL) {
        fail_msg("not in the base: %s", from);
    }
    snprintf(json, room, "%.*s%s%s", (int)(place - base), base, to, place + strlen(from));
    return json;
}

static void expect_part(const char *report, const char *label, const char *part)
{
    const char *place = strstr(report, label);

    if (place == NULL || strstr(place, part) == NULL) {
        fail_msg("no %s with \"%s\" in:\n%s", label, part, report);
    }
}

static void the_base_is_accepted(void **state)
{
    struct model model;
    const char *report = judge(&model, base);

    (void)state;
    if (report != NULL) {
        fail_msg("%s", report);
    }
    assert_int_equal(manifest_properties(&manifest), 0);
    model_free(&model);
}

static void refuses_each_with_path_rule_and_finding(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char *json = base_with(cases[i].from, cases[i].to);
        struct model model;
        const char *report = judge(&model, json);
        char head[96];

        if (report == NULL) {
            fail_msg("accepted: %s", json);
        }
        snprintf(head, sizeof(head), "test.json: %s", cases[i].path);
        if (strncmp(report, head, strlen(head)) != 0) {
            fail_msg("expected %s in:\n%s", head, report);
        }
        expect_part(report, "  rule:  ", cases[i].rule);
        expect_part(report, "  found: ", cases[i].found);
        expect_part(report, "  try:   ", cases[i].suggestion == NULL ? "" : cases[i].suggestion);
        model_free(&model);
        free(json);
    }
}

static void refuses_what_is_no_json(void **state)
{
    static const char *const texts[] = {"", "{", "[1]", "\"text\"", "null", "{} {}", "\xff", "{,}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct model model;

        assert_non_null(judge(&model, texts[i]));
        model_free(&model);
    }
}

/* ---- random systems -------------------------------------------------------------------------- */

/* A growing text. */
struct text {
    char *bytes;
    size_t length;
    size_t room;
};

static void PRINTF_LIKE(2, 3) add(struct text *text, const char *format, ...)
{
    va_list arguments;
    int length;

    if (text->room - text->length < 512) {
        text->room = text->room * 2 + 4096;
        text->bytes = realloc(text->bytes, text->room);
        assert_non_null(text->bytes);
    }
    va_start(arguments, format);
    length = vsnprintf(text->bytes + text->length, text->room - text->length, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < text->room - text->length);
    text->length += (size_t)length;
}

enum {
    GRAPH_SERVICES = 10,
    GRAPH_GRANTS = 5,
    GRAPH_EXPORTS = 2,
};

/* A grant of export `exported` of service `to`; the number GRAPH_SERVICES names nobody. */
struct graph_grant {
    unsigned to;
    unsigned exported;
    unsigned facet; /* two bits of Greeter */
    uint64_t badge;
    unsigned transfer;
};

struct graph_service {
    unsigned exports;
    unsigned export_facet[GRAPH_EXPORTS]; /* 0: all */
    unsigned export_name[GRAPH_EXPORTS];  /* equal numbers are equal names */
    unsigned grants;
    struct graph_grant grant[GRAPH_GRANTS];
    unsigned priority;
    uint32_t frames;
};

struct graph {
    unsigned services; /* without init; service i is called "s<i>" */
    struct graph_service service[GRAPH_SERVICES];
};

static const char *const transfer_words[] = {"none", "copy", "move", "copy-grantable",
                                             "move-grantable"};

/* `mess`: one in so many choices is wrong; 0: none is. */
static void graph_make(struct graph *graph, struct test_random *random, unsigned mess)
{
    unsigned names = 0;

    memset(graph, 0, sizeof(*graph));
    graph->services = (unsigned)test_random_below(random, GRAPH_SERVICES + 1);
    for (unsigned i = 0; i < graph->services; i++) {
        struct graph_service *service = &graph->service[i];

        service->exports = (unsigned)test_random_below(random, GRAPH_EXPORTS + 1);
        for (unsigned j = 0; j < service->exports; j++) {
            bool twice = mess != 0 && names > 0 && test_random_one_in(random, mess);

            service->export_facet[j] = (unsigned)test_random_below(random, 4);
            service->export_name[j] = twice ? (unsigned)test_random_below(random, names) : names++;
        }
        service->priority = (unsigned)test_random_below(random, 32);
        service->frames = (uint32_t)test_random_below(random, 64);
    }
    for (unsigned i = 0; i < graph->services; i++) {
        struct graph_service *service = &graph->service[i];

        service->grants = (unsigned)test_random_below(random, GRAPH_GRANTS + 1);
        for (unsigned j = 0; j < service->grants; j++) {
            struct graph_grant *grant = &service->grant[j];
            bool wrong = mess != 0 && test_random_one_in(random, mess);
            unsigned reach = wrong ? GRAPH_SERVICES + 1 : i;

            grant->to = reach == 0 ? GRAPH_SERVICES : (unsigned)test_random_below(random, reach);
            if (grant->to >= graph->services || graph->service[grant->to].exports == 0) {
                if (!wrong) {
                    service->grants = j;
                    break;
                }
                grant->exported = 0;
            } else {
                grant->exported =
                    (unsigned)test_random_below(random, graph->service[grant->to].exports);
            }
            grant->facet = 1 + (unsigned)test_random_below(random, 3);
            if (!wrong && graph->service[grant->to].export_facet[grant->exported] != 0) {
                grant->facet = graph->service[grant->to].export_facet[grant->exported];
            }
            grant->badge = test_random_u64(random) >> 1;
            grant->transfer = (unsigned)test_random_below(random, ARRAY_COUNT(transfer_words));
        }
    }
}

static const char *facet_json(unsigned facet)
{
    static const char *const words[] = {"\"all\"", "[\"greet\"]", "[\"finish\"]",
                                        "[\"finish\", \"greet\"]"};

    return words[facet];
}

static void service_json(struct text *text, const struct graph *graph, unsigned index)
{
    const struct graph_service *service = &graph->service[index];

    add(text,
        "{\"name\": \"s%u\", \"binary\": \"b\", \"priority\": %u, \"quota\": {\"frames\": %u, "
        "\"slots\": 1, \"threads\": 1, \"ringBytes\": 0, \"scratchBytes\": 0}, \"grants\": [",
        index, service->priority, service->frames);
    for (unsigned j = 0; j < service->grants; j++) {
        const struct graph_grant *grant = &service->grant[j];
        unsigned name = grant->to < graph->services
                            ? graph->service[grant->to].export_name[grant->exported]
                            : 0;

        add(text, "%s{\"name\": \"g%u\", \"source\": \"s%u:e%u\", \"interface\": \"Greeter\", ",
            j == 0 ? "" : ", ", j, grant->to, name);
        add(text, "\"facet\": %s, \"badge\": %llu, \"transfer\": \"%s\"}", facet_json(grant->facet),
            (unsigned long long)grant->badge, transfer_words[grant->transfer]);
    }
    add(text, "], \"exports\": [");
    for (unsigned j = 0; j < service->exports; j++) {
        add(text, "%s{\"name\": \"e%u\", \"interface\": \"Greeter\", \"facet\": %s}",
            j == 0 ? "" : ", ", service->export_name[j], facet_json(service->export_facet[j]));
    }
    add(text, "]}");
}

/* The services in a random order, so that starting order has to be found. */
static char *graph_json(const struct graph *graph, struct test_random *random)
{
    struct text text = {NULL, 0, 0};
    unsigned order[GRAPH_SERVICES];

    for (unsigned i = 0; i < graph->services; i++) {
        unsigned j = (unsigned)test_random_below(random, i + 1);

        order[i] = order[j];
        order[j] = i;
    }
    add(&text, "{\"schemaVersion\": 1, \"kernel\": {}, \"binaries\": [{\"name\": \"b\"}], ");
    add(&text,
        "\"init\": {\"name\": \"init\", \"binary\": \"b\", \"priority\": 31, \"grants\": []}, "
        "\"services\": [");
    for (unsigned i = 0; i < graph->services; i++) {
        add(&text, "%s", i == 0 ? "" : ", ");
        service_json(&text, graph, order[i]);
    }
    add(&text, "]}");
    return text.bytes;
}

/* The rules for such graphs, read plainly. */
static bool graph_is_sound(const struct graph *graph)
{
    bool placed[GRAPH_SERVICES] = {false};
    unsigned count = 0;

    for (unsigned i = 0; i < graph->services; i++) {
        for (unsigned j = 0; j < graph->service[i].exports; j++) {
            for (unsigned k = 0; k <= i; k++) {
                for (unsigned l = 0; l < graph->service[k].exports; l++) {
                    if ((k != i || l < j) &&
                        graph->service[k].export_name[l] == graph->service[i].export_name[j]) {
                        return false;
                    }
                }
            }
        }
        for (unsigned j = 0; j < graph->service[i].grants; j++) {
            const struct graph_grant *grant = &graph->service[i].grant[j];
            unsigned wide;

            if (grant->to >= graph->services || graph->service[grant->to].exports == 0) {
                return false;
            }
            wide = graph->service[grant->to].export_facet[grant->exported];
            if (wide != 0 && (grant->facet & ~wide) != 0) {
                return false;
            }
        }
    }
    for (unsigned round = 0; round < graph->services; round++) {
        for (unsigned i = 0; i < graph->services; i++) {
            bool ready = !placed[i];

            for (unsigned j = 0; j < graph->service[i].grants; j++) {
                ready = ready && placed[graph->service[i].grant[j].to];
            }
            if (ready) {
                placed[i] = true;
                count++;
            }
        }
    }
    return count == graph->services;
}

static void expect_name(struct capn_text text, const char *letter, unsigned number)
{
    char expected[16];

    snprintf(expected, sizeof(expected), "%s%u", letter, number);
    assert_true(manifest_text_equal(text, (struct capn_text){expected, strlen(expected)}));
}

static void expect_service(const struct graph *graph, unsigned index)
{
    const struct graph_service *from = &graph->service[index];
    struct manifest_service service;
    char name[16];

    snprintf(name, sizeof(name), "s%u", index);
    manifest_service_get(&manifest,
                         manifest_service_find(&manifest, (struct capn_text){name, strlen(name)}),
                         &service);
    assert_int_equal(service.scheduling.priority, from->priority);
    assert_int_equal(service.quotas.frames, from->frames);
    assert_int_equal(service.grant_count, from->grants);
    assert_int_equal(service.export_count, from->exports);
    for (unsigned j = 0; j < from->grants; j++) {
        struct manifest_grant grant;

        manifest_grant_get(&manifest, &service, j, &grant);
        expect_name(grant.name, "g", j);
        expect_name(grant.source_name, "s", from->grant[j].to);
        assert_int_equal(grant.facet, from->grant[j].facet);
        assert_int_equal(grant.badge, from->grant[j].badge);
        assert_int_equal(grant.transfer, from->grant[j].transfer);
    }
    for (unsigned j = 0; j < from->exports; j++) {
        struct manifest_export exported;

        manifest_export_get(&manifest, &service, j, &exported);
        expect_name(exported.name, "e", from->export_name[j]);
        assert_true(exported.facet ==
                    (from->export_facet[j] == 0 ? MANIFEST_FACET_ALL : from->export_facet[j]));
    }
}

static void random_systems_come_back(void **state)
{
    struct test_random random;

    (void)state;
    test_random_init(&random, 11);
    for (unsigned round = 0; round < 400; round++) {
        struct graph graph;
        struct model model;
        const char *report;
        char *json;

        graph_make(&graph, &random, 0);
        json = graph_json(&graph, &random);
        report = judge(&model, json);
        if (report != NULL) {
            fail_msg("%s\n%s", report, json);
        }
        assert_int_equal(manifest.service_count, graph.services + 1);
        for (unsigned i = 0; i < graph.services; i++) {
            expect_service(&graph, i);
        }
        assert_int_equal(manifest_properties(&manifest), 0);
        model_free(&model);
        free(json);
    }
}

static void random_graphs_are_judged_rightly(void **state)
{
    struct test_random random;
    unsigned accepted = 0;
    unsigned refused = 0;

    (void)state;
    test_random_init(&random, 12);
    for (unsigned round = 0; round < 1500; round++) {
        struct graph graph;
        struct model model;
        const char *report;
        char *json;

        graph_make(&graph, &random, 12);
        json = graph_json(&graph, &random);
        report = judge(&model, json);
        if ((report == NULL) != graph_is_sound(&graph)) {
            fail_msg("%s\n%s", report == NULL ? "accepted" : report, json);
        }
        if (report == NULL) {
            assert_int_equal(manifest_properties(&manifest), 0);
        }
        accepted += report == NULL;
        refused += report != NULL;
        model_free(&model);
        free(json);
    }
    assert_true(accepted > 100 && refused > 100);
}

/* ---- small parts ----------------------------------------------------------------------------- */

static void nearest_names(void **state)
{
    static const char *names[] = {"console", "timer", "log", "process-spawner"};
    struct name_list list = {names, ARRAY_COUNT(names)};

    (void)state;
    assert_string_equal(nearest_name("consol", list), "console");
    assert_string_equal(nearest_name("cnosole", list), "console");
    assert_string_equal(nearest_name("tmer", list), "timer");
    assert_string_equal(nearest_name("proces-spawnr", list), "process-spawner");
    assert_null(nearest_name("frame-allocator", list));
    assert_null(nearest_name("console", (struct name_list){NULL, 0}));
}

/* FIPS 180-4's example, the empty text, and a million times 'a'. */
static void sha256_examples(void **state)
{
    static const struct {
        const char *text;
        unsigned times;
        const char *digest;
    } examples[] = {
        {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"aaaaaaaaaa", 100000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(examples); i++) {
        uint8_t digest[SHA256_BYTES];
        char text[SHA256_BYTES * 2 + 1];
        struct sha256 sha;

        sha256_init(&sha);
        for (unsigned j = 0; j < examples[i].times; j++) {
            sha256_add(&sha, examples[i].text, strlen(examples[i].text));
        }
        sha256_finish(&sha, digest);
        for (size_t j = 0; j < sizeof(digest); j++) {
            snprintf(text + j * 2, 3, "%02x", digest[j]);
        }
        assert_string_equal(text, examples[i].digest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_base_is_accepted),
        cmocka_unit_test(refuses_each_with_path_rule_and_finding),
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(random_systems_come_back),
        cmocka_unit_test(random_graphs_are_judged_rightly),
        cmocka_unit_test(nearest_names),
        cmocka_unit_test(sha256_examples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
