/* SPDX-License-Identifier: MIT */
/*
 * Generated accessors against the schema's tables, for every type of the system's schemas and of
 * tests/capnp/features.capnp: built from one seed by setters and by tables the bytes are the same,
 * read by getters and by tables the text is the same.
 */
#include "tests/host/support.h"

#include <stdlib.h>
#include <string.h>

#include "tests/capnp/golden/features.visit.h"

#define WORDS      16384u
#define TEXT_BYTES 200000u
#define SEEDS      40u

struct message {
    uint8_t *bytes;
    struct capn_build_segment segment;
    struct capn_builder builder;
    struct capn_segment view;
};

static void message_init(struct message *message)
{
    message->bytes = malloc(WORDS * 8);
    memset(message->bytes, 0xa5, WORDS * 8);
    message->segment = (struct capn_build_segment){message->bytes, WORDS, 0};
    capn_builder_init(&message->builder, &message->segment, 1);
}

static void message_finish(struct message *message)
{
    assert_int_equal(capn_builder_status(&message->builder), CAPN_OK);
    assert_int_equal(capn_builder_segments(&message->builder, &message->view), 1);
}

static struct fill seeded(uint64_t seed)
{
    return (struct fill){.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1,
                         .depth_max = 4,
                         .capabilities = 3,
                         .in_place = seed % 2 != 0};
}

static struct capn_struct root_of(struct capn_reader *reader, const struct message *message)
{
    capn_reader_init(reader, &message->view, 1, CAPN_LIMITS_DEFAULT);
    return capn_read_struct(capn_reader_root(reader), NULL);
}

static void type_check(const struct visit_file *file, const struct visit_entry *entry,
                       uint64_t seed)
{
    struct capn_meta type = capn_meta_find(file->meta, entry->id);
    struct message typed, tabled;
    struct fill typed_fill = seeded(seed), tabled_fill = seeded(seed);
    message_init(&typed);
    message_init(&tabled);
    entry->fill(&typed_fill, capn_builder_root(&typed.builder));
    meta_fill(&tabled_fill, type, capn_builder_root(&tabled.builder));
    message_finish(&typed);
    message_finish(&tabled);
    assert_int_equal(typed.view.words, tabled.view.words);
    assert_memory_equal(typed.view.bytes, tabled.view.bytes, typed.view.words * 8);

    struct capn_reader reader;
    char *texts[2] = {malloc(TEXT_BYTES), malloc(TEXT_BYTES)};
    struct visit typed_visit = {.bytes = texts[0], .capacity = TEXT_BYTES};
    struct visit tabled_visit = {.bytes = texts[1], .capacity = TEXT_BYTES};
    capn_reader_init(&reader, &typed.view, 1, CAPN_LIMITS_DEFAULT);
    entry->visit(&typed_visit, capn_reader_root(&reader));
    assert_int_equal(capn_reader_status(&reader), CAPN_OK);
    meta_visit(&tabled_visit, type, root_of(&reader, &typed));
    assert_false(typed_visit.full);
    assert_int_equal(typed_visit.used, tabled_visit.used);
    assert_memory_equal(texts[0], texts[1], typed_visit.used);
    free(texts[0]);
    free(texts[1]);
    free(typed.bytes);
    free(tabled.bytes);
}

static void file_check(const struct visit_file *file)
{
    assert_non_null(file->entries[0].name);
    for (const struct visit_entry *entry = file->entries; entry->name; entry++) {
        assert_string_equal(entry->name, capn_meta_name(capn_meta_find(file->meta, entry->id)));
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            type_check(file, entry, seed);
        }
    }
}

static void system_accessors_and_tables_agree(void **state)
{
    (void)state;
    size_t files = 0;
    for (; visit_index[files]; files++) {
        file_check(visit_index[files]);
    }
    assert_int_equal(files, capn_meta_index.file_count);
}

static void feature_accessors_and_tables_agree(void **state)
{
    (void)state;
    file_check(&features_visits);
}

/* ---- Defaults, read from a message that has nothing ---- */

static void text_is(struct capn_text text, const char *expected)
{
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.bytes, expected, text.length);
}

static struct features_defaults_reader defaults_of_nothing(struct capn_reader *reader,
                                                           struct capn_segment *segment)
{
    static const uint8_t nothing[8];
    *segment = (struct capn_segment){nothing, 1};
    capn_reader_init(reader, segment, 1, CAPN_LIMITS_DEFAULT);
    return features_defaults_read(capn_reader_root(reader));
}

static void number_defaults(void **state)
{
    (void)state;
    struct capn_reader reader;
    struct capn_segment segment;
    struct features_defaults_reader d = defaults_of_nothing(&reader, &segment);
    assert_true(features_defaults_get_bool(d));
    assert_int_equal(features_defaults_get_int8(d), -128);
    assert_int_equal(features_defaults_get_int16(d), -12345);
    assert_int_equal(features_defaults_get_int32(d), INT32_MIN);
    assert_int_equal(features_defaults_get_int64(d), INT64_MIN);
    assert_int_equal(features_defaults_get_uint8(d), 255);
    assert_int_equal(features_defaults_get_uint16(d), 65535);
    assert_int_equal(features_defaults_get_uint32(d), UINT32_MAX);
    assert_true(features_defaults_get_uint64(d) == UINT64_MAX);
    assert_true(features_defaults_get_float32(d) == 1.5f);
    assert_true(features_defaults_get_float64(d) == -1e300);
    assert_true(capn_bits_of_float(features_defaults_get_float32_inf(d)) == 0x7f800000);
    assert_true(features_defaults_get_float64_nan(d) != features_defaults_get_float64_nan(d));
    assert_int_equal(features_defaults_get_colour(d), FEATURES_COLOUR_DARK_BLUE);
    assert_int_equal(features_defaults_which(d), FEATURES_DEFAULTS_WHICH_FIRST);
    assert_int_equal(features_defaults_get_first(d), 25);
    assert_int_equal(features_defaults_group_get_inner(features_defaults_get_group(d)), 23);
}

static void pointer_defaults(void **state)
{
    (void)state;
    struct capn_reader reader;
    struct capn_segment segment;
    struct features_defaults_reader d = defaults_of_nothing(&reader, &segment);
    text_is(features_defaults_get_text(d), "two\nlines, \"quoted\", ?\?/ and \xc3\xbc");
    text_is(features_defaults_get_empty(d), "");
    text_is(features_defaults_group_get_text(features_defaults_get_group(d)), "in a group");
    struct capn_data data = features_defaults_get_data(d);
    assert_int_equal(data.length, 4);
    assert_memory_equal(data.bytes, "\x00\x01\xfe\xff", 4);
    struct features_leaf_reader leaf = features_defaults_get_leaf(d);
    assert_int_equal(features_leaf_get_number(leaf), 7);
    text_is(features_leaf_get_name(leaf), "seven");
    struct capn_list numbers = features_defaults_get_numbers(d);
    assert_int_equal(numbers.count, 3);
    assert_int_equal(capn_list_get_i16(numbers, 0), -1);
    struct capn_list bools = features_defaults_get_bools(d);
    assert_true(capn_list_get_bool(bools, 0) && !capn_list_get_bool(bools, 1));
    text_is(capn_list_get_text(features_defaults_get_texts(d), 2), "c");
    struct features_leaf_list leaves = features_defaults_get_leaves(d);
    assert_int_equal(features_leaf_get_number(features_leaf_list_get(leaves, 1)), 2);
    struct capn_list nested = features_defaults_get_nested(d);
    struct capn_list inner = capn_list_get_list(nested, 0, CAPN_ELEMENT_BYTE);
    assert_int_equal(capn_list_get_u8(inner, 1), 2);
    assert_false(features_defaults_has_leaf(d));
    assert_int_equal(capn_reader_status(&reader), CAPN_OK);
}

static void constants(void **state)
{
    (void)state;
    assert_int_equal(FEATURES_ANSWER, 42);
    assert_int_equal(FEATURES_NEGATIVE, -3);
    assert_true(FEATURES_RATIO == 0.25);
    assert_true(FEATURES_YES);
    assert_int_equal(FEATURES_FAVOURITE, FEATURES_COLOUR_DARK_BLUE);
    text_is(FEATURES_GREETING, "hello");
    assert_memory_equal(FEATURES_MAGIC.bytes, "\xca\xfe", FEATURES_MAGIC.length);
    struct capn_reader reader;
    capn_reader_init(&reader, &features_tree, 1, CAPN_LIMITS_DEFAULT);
    struct features_reader tree = features_read(capn_reader_root(&reader));
    assert_int_equal(features_numbers_get_int32(features_get_numbers(tree)), -5);
    struct features_list selves = features_get_selves(tree);
    assert_true(features_has_empty(features_list_get(selves, 1)));
    capn_reader_init(&reader, &features_primes, 1, CAPN_LIMITS_DEFAULT);
    struct capn_list primes =
        capn_read_list(capn_reader_root(&reader), CAPN_ELEMENT_TWO_BYTES, NULL);
    assert_int_equal(capn_list_get_u16(primes, 3), 7);
    assert_int_equal(capn_reader_status(&reader), CAPN_OK);
}

/* ---- Unions: what is not active reads as its default ---- */

static void inactive_members(void **state)
{
    (void)state;
    struct message message;
    message_init(&message);
    struct features_unions_builder b = features_unions_init(capn_builder_root(&message.builder));
    features_unions_set_number(b, UINT64_MAX);
    struct features_unions_shape_builder shape = features_unions_init_shape(b);
    features_unions_shape_set_circle(shape, 2.5); /* its bits stay when another member is set */
    features_unions_shape_set_named(shape, FEATURES_GREETING);
    message_finish(&message);
    struct capn_reader reader;
    struct features_unions_reader r = {root_of(&reader, &message)};
    assert_int_equal(features_unions_which(r), FEATURES_UNIONS_WHICH_NUMBER);
    assert_true(features_unions_get_number(r) == UINT64_MAX);
    assert_int_equal(features_unions_group_get_x(features_unions_get_group(r)), 0);
    assert_false(features_unions_has_text(r));
    text_is(features_unions_get_text(r), "");
    struct features_unions_shape_reader s = features_unions_get_shape(r);
    assert_int_equal(features_unions_shape_which(s), FEATURES_UNIONS_SHAPE_WHICH_NAMED);
    text_is(features_unions_shape_get_named(s), "hello");
    assert_true(features_unions_shape_get_circle(s) == 0);
    assert_int_equal(capn_reader_status(&reader), CAPN_OK);
    free(message.bytes);
}

/* ---- Interfaces ---- */

static void numbers_of_interfaces(void **state)
{
    (void)state;
    assert_int_equal(FEATURES_DERIVED_METHOD_COUNT, 2);
    assert_int_equal(FEATURES_DERIVED_METHOD_PASS, 1);
    assert_true(FEATURES_DERIVED_FACET_PASS == 2);
    assert_true(FEATURES_DERIVED_FACETS_DECLARED == 3);
    assert_true(features_derived_is(FEATURES_BASE_INTERFACE_ID));
    assert_true(features_derived_is(FEATURES_OTHER_INTERFACE_ID));
    assert_false(features_base_is(FEATURES_DERIVED_INTERFACE_ID));
    struct capn_path path = FEATURES_DERIVED_GO_PATH_HOLDER_NESTED_DEEPER_CAP;
    assert_int_equal(path.length, 4);
    assert_int_equal(path.index[0], 0); /* holder */
    assert_int_equal(path.index[1], 1); /* nested */
    assert_int_equal(path.index[2], 1); /* deeper */
    assert_int_equal(path.index[3], 0); /* cap */
}

/* A transport without a wire: the caller's request is the server's, in the same memory. */
struct loop {
    const struct features_derived_server *server;
    struct capn_build_segment result_segment;
    uint8_t results[512];
    enum capn_dispatch outcome;
    struct capn_refuse_reason refusal;
};

static int32_t loop_invoke(struct capn_call *call)
{
    struct loop *loop = call->context;
    struct capn_request request = {.interface_id = call->interface_id, .method = call->method};
    struct capn_segment parameters;
    capn_builder_segments(&call->request, &parameters);
    capn_reader_init(&request.parameters, &parameters, 1, CAPN_LIMITS_DEFAULT);
    loop->result_segment = (struct capn_build_segment){loop->results, sizeof(loop->results) / 8, 0};
    capn_builder_init(&request.results, &loop->result_segment, 1);
    loop->outcome = features_derived_dispatch(loop->server, loop, &request);
    loop->refusal = request.refusal;
    if (loop->outcome != CAPN_DISPATCH_ANSWERED) {
        return -1 - (int32_t)loop->outcome;
    }
    capn_builder_segments(&request.results, &call->response_segment);
    capn_reader_init(&call->response, &call->response_segment, 1, CAPN_LIMITS_DEFAULT);
    return 0;
}

static enum capn_dispatch go(void *object, struct capn_request *request,
                             struct features_derived_go_params_reader params,
                             struct features_derived_go_results_builder results)
{
    (void)object;
    struct capn_text text = features_derived_go_params_get_text(params);
    if (features_derived_go_params_get_colour(params) != FEATURES_COLOUR_GREEN) {
        struct capn_refuse_reason reason = {.reason = 9, .argument = 0, .limit = 2, .amount = 3};
        return capn_request_refuse(request, reason);
    }
    if (capn_request_is_malformed(request)) {
        return CAPN_DISPATCH_BAD_PARAMETERS;
    }
    struct features_holder_builder holder = features_derived_go_results_init_holder(results);
    features_holder_set_cap(holder, (uint32_t)text.length);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch ping(void *object, struct capn_request *request,
                               struct features_base_ping_params_reader params,
                               struct features_base_ping_results_builder results)
{
    (void)object;
    (void)request;
    (void)params;
    (void)results;
    return CAPN_DISPATCH_ANSWERED;
}

static const struct features_base_server base_server = {.ping = ping};
static const struct features_middle_server middle_server = {.features_base = &base_server};
static const struct features_derived_server derived_server = {.features_middle = &middle_server,
                                                              .go = go};

static void loop_init(struct loop *loop, struct capn_call *call, uint8_t *memory, uint32_t words)
{
    *loop = (struct loop){.server = &derived_server};
    *call = (struct capn_call){.invoke = loop_invoke, .context = loop};
    call->request_segment = (struct capn_build_segment){memory, words, 0};
}

static void call_and_dispatch(void **state)
{
    (void)state;
    uint8_t memory[512];
    struct loop loop;
    struct capn_call call;
    loop_init(&loop, &call, memory, 64);

    /* Own method, with a default parameter. */
    (void)features_derived_go_request(&call);
    struct features_derived_go_results_reader results = features_derived_go_invoke(&call);
    assert_int_equal(call.status, 0);
    struct features_holder_reader holder = features_derived_go_results_get_holder(results);
    assert_int_equal(features_holder_get_cap(holder), strlen("go"));

    /* Refused by the handler. */
    struct features_derived_go_params_builder params = features_derived_go_request(&call);
    features_derived_go_params_set_colour(params, FEATURES_COLOUR_RED);
    results = features_derived_go_invoke(&call);
    assert_int_equal(loop.outcome, CAPN_DISPATCH_REFUSED);
    assert_int_equal(loop.refusal.reason, 9);
    assert_false(features_derived_go_results_has_holder(results));

    /* A method of the parent's parent, by its interface. */
    (void)features_base_ping_request(&call);
    (void)features_base_ping_invoke(&call);
    assert_int_equal(loop.outcome, CAPN_DISPATCH_ANSWERED);

    /* No handler; no such interface; parent without a table. */
    (void)features_derived_pass_request(&call);
    (void)features_derived_pass_invoke(&call);
    assert_int_equal(loop.outcome, CAPN_DISPATCH_UNKNOWN_METHOD);
    capn_call_begin(&call, 77, 0);
    (void)capn_call_invoke(&call);
    assert_int_equal(loop.outcome, CAPN_DISPATCH_UNKNOWN_INTERFACE);
    (void)features_other_other_request(&call);
    (void)features_other_other_invoke(&call);
    assert_int_equal(loop.outcome, CAPN_DISPATCH_UNKNOWN_INTERFACE);
}

static void call_with_bad_messages(void **state)
{
    (void)state;
    uint8_t memory[512];
    struct loop loop;
    struct capn_call call;

    /* The request does not fit: it is not sent. */
    loop_init(&loop, &call, memory, 2);
    struct features_derived_go_params_builder params = features_derived_go_request(&call);
    features_derived_go_params_set_text(params, FEATURES_GREETING);
    (void)features_derived_go_invoke(&call);
    assert_int_equal(call.status, CAPN_CALL_BAD_REQUEST);
    assert_int_equal(call.request.error.code, CAPN_NO_SPACE);

    /* A hostile request: its text leads outside. */
    loop_init(&loop, &call, memory, 64);
    params = features_derived_go_request(&call);
    features_derived_go_params_set_text(params, FEATURES_GREETING);
    size_t place = (size_t)(features_derived_go_params_place_text(params).word - memory);
    memory[place + 4] = 0xff;
    memory[place + 5] = 0xff;
    (void)features_derived_go_invoke(&call);
    assert_int_equal(loop.outcome, CAPN_DISPATCH_BAD_PARAMETERS);
}

/* ---- Every method of every interface: client and server of generated code ---- */

struct wire {
    struct visit_call server;
    enum capn_dispatch (*call)(struct visit_call *call, struct capn_request *request);
    struct capn_build_segment result_segment;
    uint8_t *results;
    enum capn_dispatch outcome;
};

static int32_t wire_invoke(struct capn_call *call)
{
    struct wire *wire = call->context;
    struct capn_request request = {.interface_id = call->interface_id, .method = call->method};
    struct capn_segment parameters;
    capn_builder_segments(&call->request, &parameters);
    capn_reader_init(&request.parameters, &parameters, 1, CAPN_LIMITS_DEFAULT);
    wire->result_segment = (struct capn_build_segment){wire->results, WORDS, 0};
    capn_builder_init(&request.results, &wire->result_segment, 1);
    wire->outcome = wire->call(&wire->server, &request);
    capn_builder_segments(&request.results, &call->response_segment);
    capn_reader_init(&call->response, &call->response_segment, 1, CAPN_LIMITS_DEFAULT);
    return (int32_t)wire->outcome;
}

/* What the tables make of a type and a seed, as text. */
static void expect_text(const struct visit_file *file, uint64_t type_id, uint64_t seed,
                        const struct visit *found)
{
    struct capn_meta type = capn_meta_find(file->meta, type_id);
    struct message message;
    struct capn_reader reader;
    struct fill fill = seeded(seed);
    struct visit expected = {.bytes = malloc(TEXT_BYTES), .capacity = TEXT_BYTES};
    if (!type.node) { /* a streaming method's result: it has nothing */
        free(expected.bytes);
        return;
    }
    message_init(&message);
    meta_fill(&fill, type, capn_builder_root(&message.builder));
    message_finish(&message);
    meta_visit(&expected, type, root_of(&reader, &message));
    assert_int_equal(found->used, expected.used);
    assert_memory_equal(found->bytes, expected.bytes, expected.used);
    free(expected.bytes);
    free(message.bytes);
}

static void method_check(const struct visit_file *file, const struct visit_interface *interface,
                         uint16_t number)
{
    struct capn_meta type = capn_meta_find(file->meta, interface->id);
    const struct capn_meta_method *method = capn_meta_method(type, number);
    struct fill client_fill = seeded(number + 1u), server_fill = seeded(number + 100u);
    struct visit client_visit = {.bytes = malloc(TEXT_BYTES), .capacity = TEXT_BYTES};
    struct visit server_visit = {.bytes = malloc(TEXT_BYTES), .capacity = TEXT_BYTES};
    struct visit again_visit = {.bytes = malloc(TEXT_BYTES), .capacity = TEXT_BYTES};
    struct visit_call client = {&client_visit, &again_visit, &client_fill};
    struct wire wire = {.server = {.v = &server_visit, .f = &server_fill}, .call = interface->call};
    struct capn_call call = {.invoke = wire_invoke, .context = &wire};
    wire.results = malloc(WORDS * 8);
    call.request_segment = (struct capn_build_segment){malloc(WORDS * 8), WORDS, 0};
    interface->clients[number](&client, &call);
    assert_int_equal(call.method, number);
    assert_true(call.interface_id == interface->id);
    assert_int_equal(call.status, 0);
    expect_text(file, method->params_id, number + 1u, &server_visit);
    expect_text(file, method->results_id, number + 100u, &client_visit);
    expect_text(file, method->results_id, number + 100u, &again_visit);
    free(again_visit.bytes);
    free(wire.results);
    free(call.request_segment.bytes);
    free(client_visit.bytes);
    free(server_visit.bytes);
}

/* What the tables say of an interface's ancestors, against N_is. */
static void ancestors_check(const struct visit_file *file, const struct visit_interface *interface)
{
    uint64_t above[64] = {interface->id};
    size_t count = 1;
    for (size_t i = 0; i < count; i++) {
        struct capn_meta type = capn_meta_find(file->meta, above[i]);
        assert_true(interface->is(above[i]));
        for (uint16_t k = 0; k < type.node->parent_count; k++) {
            above[count++] = type.file->parents[type.node->first_parent + k];
        }
    }
    for (size_t i = 0; visit_index[i]; i++) {
        for (const struct visit_interface *other = visit_index[i]->interfaces; other->name;
             other++) {
            bool found = false;
            for (size_t k = 0; k < count; k++) {
                found |= above[k] == other->id;
            }
            assert_int_equal(interface->is(other->id), found);
        }
    }
}

static size_t interfaces_check(const struct visit_file *file)
{
    size_t methods = 0;
    for (const struct visit_interface *i = file->interfaces; i->name; i++) {
        struct capn_meta type = capn_meta_find(file->meta, i->id);
        uint16_t number = 0;
        ancestors_check(file, i);
        for (; i->clients[number]; number++) {
            method_check(file, i, number);
            methods++;
        }
        assert_int_equal(number, type.node->count);
        struct wire wire = {.call = i->call, .results = malloc(WORDS * 8)};
        uint8_t memory[64];
        struct capn_call call = {.invoke = wire_invoke, .context = &wire};
        call.request_segment = (struct capn_build_segment){memory, 8, 0};
        capn_call_begin(&call, i->id, number);
        (void)capn_call_invoke(&call);
        assert_int_equal(wire.outcome, CAPN_DISPATCH_UNKNOWN_METHOD);
        free(wire.results);
    }
    return methods;
}

static void every_method(void **state)
{
    (void)state;
    size_t methods = interfaces_check(&features_visits);
    for (size_t i = 0; visit_index[i]; i++) {
        methods += interfaces_check(visit_index[i]);
    }
    assert_true(methods > 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_accessors_and_tables_agree),
        cmocka_unit_test(feature_accessors_and_tables_agree),
        cmocka_unit_test(number_defaults),
        cmocka_unit_test(pointer_defaults),
        cmocka_unit_test(constants),
        cmocka_unit_test(inactive_members),
        cmocka_unit_test(numbers_of_interfaces),
        cmocka_unit_test(call_and_dispatch),
        cmocka_unit_test(call_with_bad_messages),
        cmocka_unit_test(every_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
