/* SPDX-License-Identifier: MIT */
/*
 * Building: what was built reads back as it was meant, in one segment of exactly the predicted
 * size, in many small ones through far pointers, and copied; what does not fit leaves a defined
 * error and no byte outside.
 */
#include "tests/host/capn_words.h"
#include "tests/host/capn_tree.h"

#define ROUNDS       2000u
#define SEGMENTS_MAX 200u

struct message {
    struct capn_guarded memory[SEGMENTS_MAX];
    struct capn_build_segment segments[SEGMENTS_MAX];
    struct capn_segment views[SEGMENTS_MAX];
    struct capn_builder builder;
    uint32_t room;
    uint32_t count;
};

/* Segments of `words` each. */
static void message_init(struct message *message, uint32_t count, uint32_t words)
{
    memset(message, 0, sizeof(*message));
    message->room = count;
    for (uint32_t i = 0; i < count; i++) {
        message->memory[i] = capn_guarded_make(words);
        message->segments[i].bytes = message->memory[i].bytes;
        message->segments[i].capacity_words = words;
    }
    capn_builder_init(&message->builder, message->segments, count);
}

/* Makes the views, and checks that nothing was written outside. */
static void message_finish(struct message *message)
{
    message->count = capn_builder_segments(&message->builder, message->views);
    for (uint32_t i = 0; i < message->room; i++) {
        assert_in_range(message->segments[i].used_words, 0, message->segments[i].capacity_words);
        capn_guarded_check(&message->memory[i], message->segments[i].used_words);
    }
}

static void message_free(struct message *message)
{
    for (uint32_t i = 0; i < message->room; i++) {
        capn_guarded_free(&message->memory[i]);
    }
}

static struct capn_reader message_reader(const struct message *message)
{
    struct capn_reader reader;
    capn_reader_init(&reader, message->views, message->count, CAPN_LIMITS_DEFAULT);
    return reader;
}

static void one_segment_exact(void **state)
{
    (void)state;
    struct test_random random;
    test_random_init(&random, 1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct capn_tree *tree = capn_tree_random(&random, (struct capn_tree_options){.depth = 6});
        uint32_t words = (uint32_t)(CAPN_ROOT_WORDS + capn_tree_words(tree));
        struct message message;
        message_init(&message, 1, words);
        capn_tree_build(tree, capn_builder_root(&message.builder));
        assert_int_equal(capn_builder_status(&message.builder), CAPN_OK);
        assert_int_equal(capn_builder_words(&message.builder), words);
        message_finish(&message);

        struct capn_reader reader = message_reader(&message);
        capn_tree_compare(tree, capn_reader_root(&reader));
        reader = message_reader(&message);
        assert_int_equal(capn_reader_check_all(&reader), CAPN_OK);
        reader = message_reader(&message);
        if (tree->kind != TREE_CAPABILITY) {
            assert_int_equal(capn_copy_words(capn_reader_root(&reader)), words - 1);
        }
        message_free(&message);

        /* One word less, and it is refused. */
        if (words > 1) {
            message_init(&message, 1, words - 1);
            capn_tree_build(tree, capn_builder_root(&message.builder));
            assert_int_equal(capn_builder_status(&message.builder), CAPN_NO_SPACE);
            message_finish(&message);
            message_free(&message);
        }
        capn_tree_free(tree);
    }
}

/* Counts the far pointers of each sort in all words of a message; data may look like one too, so
 * that this only tells that there are some. */
static void fars_count(const struct message *message, uint64_t *single, uint64_t *dual)
{
    for (uint32_t i = 0; i < message->count; i++) {
        for (uint64_t word = 0; word < message->views[i].words; word++) {
            uint64_t bits = capn_load_u64(message->views[i].bytes + word * 8);
            bool far = (bits & 3) == 2 && bits >> 32 < message->count;
            *single += far && (bits & 4) == 0;
            *dual += far && (bits & 4) != 0;
        }
    }
}

static void many_segments(void **state)
{
    (void)state;
    struct test_random random;
    test_random_init(&random, 2);
    uint64_t built = 0, single = 0, dual = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct capn_tree *tree = capn_tree_random(&random, (struct capn_tree_options){.depth = 5});
        struct message message;
        struct message copy;
        /* Just enough in every second round, so that pads and objects must part. */
        uint32_t words = (uint32_t)(2 + test_random_below(&random, 12));
        uint32_t segments = SEGMENTS_MAX;
        if (round % 2 == 0 && capn_tree_words(tree) / words < SEGMENTS_MAX - 3) {
            segments = (uint32_t)(capn_tree_words(tree) / words) + 2;
        }
        message_init(&message, segments, words);
        capn_tree_build(tree, capn_builder_root(&message.builder));
        message_finish(&message);
        if (capn_builder_status(&message.builder) != CAPN_OK) {
            assert_int_equal(capn_builder_status(&message.builder), CAPN_NO_SPACE);
        } else {
            built++;
            fars_count(&message, &single, &dual);
            struct capn_reader reader = message_reader(&message);
            capn_tree_compare(tree, capn_reader_root(&reader));

            /* Copied into one segment it takes what was predicted, far pointers gone. */
            reader = message_reader(&message);
            message_init(&copy, 1, (uint32_t)(1 + capn_tree_words(tree)));
            assert_int_equal(capn_copy(capn_builder_root(&copy.builder), capn_reader_root(&reader)),
                             CAPN_OK);
            assert_int_equal(capn_builder_words(&copy.builder), 1 + capn_tree_words(tree));
            message_finish(&copy);
            reader = message_reader(&copy);
            capn_tree_compare(tree, capn_reader_root(&reader));
            message_free(&copy);

            /* And into many again. */
            reader = message_reader(&message);
            message_init(&copy, SEGMENTS_MAX, (uint32_t)(2 + test_random_below(&random, 40)));
            if (capn_copy(capn_builder_root(&copy.builder), capn_reader_root(&reader)) == CAPN_OK) {
                message_finish(&copy);
                reader = message_reader(&copy);
                capn_tree_compare(tree, capn_reader_root(&reader));
            }
            message_free(&copy);
        }
        message_free(&message);
        capn_tree_free(tree);
    }
    assert_true(built > ROUNDS / 4);
    print_message("%u messages, %u far pointers, %u double\n", (unsigned)built, (unsigned)single,
                  (unsigned)dual);
    assert_true(single > 100 && dual > 20);
}

static void texts_and_data(void **state)
{
    (void)state;
    struct message message;
    /* Root, struct of five pointers, "" (1), "1234567" (1), "12345678" (2), data of 9 (2), none. */
    uint64_t words = CAPN_ROOT_WORDS + capn_struct_words((struct capn_size){0, 5}) +
                     capn_text_words(0) + capn_text_words(7) + capn_text_words(8) +
                     capn_data_words(9) + capn_data_words(0);
    assert_int_equal(words, 1 + 5 + 1 + 1 + 2 + 2);
    message_init(&message, 1, (uint32_t)words);
    struct capn_struct_builder s =
        capn_init_struct(capn_builder_root(&message.builder), (struct capn_size){0, 5});
    capn_write_text(capn_set_pointer(s, 0), (struct capn_text){"", 0});
    capn_write_text(capn_set_pointer(s, 1), (struct capn_text){"1234567", 7});
    char *text = capn_init_text(capn_set_pointer(s, 2), 8);
    memcpy(text, "12345678", 8);
    capn_write_data(capn_set_pointer(s, 3), (struct capn_data){(const uint8_t *)"123456789", 9});
    capn_write_data(capn_set_pointer(s, 4), (struct capn_data){(const uint8_t *)"", 0});
    assert_int_equal(capn_builder_status(&message.builder), CAPN_OK);
    assert_int_equal(capn_builder_words(&message.builder), words);
    message_finish(&message);

    struct capn_reader reader = message_reader(&message);
    struct capn_struct r = capn_read_struct(capn_reader_root(&reader), NULL);
    static const char *const expected[3] = {"", "1234567", "12345678"};
    for (uint16_t i = 0; i < 3; i++) {
        struct capn_text found = capn_read_text(capn_get_pointer(r, i), (struct capn_text){0});
        assert_int_equal(found.length, strlen(expected[i]));
        assert_string_equal(found.bytes, expected[i]);
    }
    struct capn_data data = capn_read_data(capn_get_pointer(r, 3), (struct capn_data){0});
    assert_int_equal(data.length, 9);
    assert_memory_equal(data.bytes, "123456789", 9);
    /* What follows in the last word is zero, not what the memory held. */
    assert_int_equal(data.bytes[15], 0);
    data = capn_read_data(capn_get_pointer(r, 4), (struct capn_data){(const uint8_t *)"x", 1});
    assert_int_equal(data.length, 0);
    message_free(&message);
}

static void refusals(void **state)
{
    (void)state;
    struct message message;
    struct capn_struct_builder s;

    message_init(&message, 1, 20);
    s = capn_init_struct(capn_builder_root(&message.builder), (struct capn_size){1, 1});
    capn_set_u32(s, 4, 1, 0);
    assert_int_equal(capn_builder_status(&message.builder), CAPN_OK);
    capn_set_u32(s, 5, 1, 0);
    assert_int_equal(message.builder.error.code, CAPN_NO_FIELD);
    assert_int_equal(message.builder.error.found, 5);
    assert_int_equal(message.builder.error.limit, 8);
    /* The first refusal stays, and nothing is placed any more. */
    assert_null(capn_init_data(capn_set_pointer(s, 0), 1));
    assert_int_equal(capn_builder_words(&message.builder), 3);

    capn_builder_init(&message.builder, message.segments, 1);
    s = capn_init_struct(capn_builder_root(&message.builder), (struct capn_size){0, 1});
    capn_write_capability(capn_set_pointer(s, 0), 7);
    capn_write_text(capn_set_pointer(s, 0), (struct capn_text){"again", 5});
    assert_int_equal(message.builder.error.code, CAPN_ALREADY_SET);
    assert_int_equal(message.builder.error.segment, 0);
    assert_int_equal(message.builder.error.word, 1);

    capn_builder_init(&message.builder, message.segments, 1);
    s = capn_init_struct(capn_builder_root(&message.builder), (struct capn_size){0, 1});
    assert_null(capn_init_data(capn_set_pointer(s, 1), 8));
    assert_int_equal(message.builder.error.code, CAPN_NO_FIELD);

    capn_builder_init(&message.builder, message.segments, 1);
    assert_null(capn_init_text(capn_builder_root(&message.builder), UINT64_MAX));
    assert_int_equal(message.builder.error.code, CAPN_TOO_LARGE);
    capn_builder_init(&message.builder, message.segments, 1);
    assert_null(capn_init_data(capn_builder_root(&message.builder), UINT64_C(1) << 29));
    assert_int_equal(message.builder.error.code, CAPN_TOO_LARGE);
    capn_builder_init(&message.builder, message.segments, 1);
    (void)capn_init_struct_list(capn_builder_root(&message.builder), UINT32_MAX,
                                (struct capn_size){UINT16_MAX, UINT16_MAX});
    assert_int_equal(message.builder.error.code, CAPN_TOO_LARGE);
    /* As many as a list may have, of more words than one may have. */
    capn_builder_init(&message.builder, message.segments, 1);
    (void)capn_init_struct_list(capn_builder_root(&message.builder), CAPN_LIST_COUNT_MAX,
                                (struct capn_size){2, 0});
    assert_int_equal(message.builder.error.code, CAPN_TOO_LARGE);
    assert_int_equal(message.builder.error.limit, CAPN_LIST_COUNT_MAX);
    capn_builder_init(&message.builder, message.segments, 1);
    (void)capn_init_list(capn_builder_root(&message.builder), CAPN_ELEMENT_COMPOSITE, 1);
    assert_int_equal(message.builder.error.code, CAPN_ELEMENT_SIZE);

    capn_builder_init(&message.builder, message.segments, 1);
    struct capn_list_builder list =
        capn_init_list(capn_builder_root(&message.builder), CAPN_ELEMENT_TWO_BYTES, 3);
    capn_list_set_u16(list, 2, 1);
    assert_int_equal(capn_builder_status(&message.builder), CAPN_OK);
    capn_list_set_u16(list, 3, 1);
    assert_int_equal(message.builder.error.code, CAPN_INDEX);
    assert_int_equal(message.builder.error.found, 3);
    capn_builder_init(&message.builder, message.segments, 1);
    list = capn_init_list(capn_builder_root(&message.builder), CAPN_ELEMENT_TWO_BYTES, 3);
    capn_list_set_u32(list, 0, 1);
    assert_int_equal(message.builder.error.code, CAPN_NO_FIELD);

    capn_builder_init(&message.builder, message.segments, 0);
    assert_int_equal(message.builder.error.code, CAPN_NO_SPACE);
    s = capn_init_struct(capn_builder_root(&message.builder), (struct capn_size){1, 1});
    assert_null(s.data);
    message_free(&message);

    /* Null handles take everything and do nothing. */
    struct capn_struct_builder nothing = {0};
    capn_set_u8(nothing, 0, 1, 0);
    capn_write_text(capn_set_pointer(nothing, 0), (struct capn_text){"x", 1});
    assert_null(capn_init_data(capn_set_pointer(nothing, 0), 1));
}

static void built_earlier(void **state)
{
    (void)state;
    struct message message;
    uint64_t found = 0;
    for (uint32_t words = 2; words < 14; words++) {
        message_init(&message, 12, words);
        struct capn_struct_builder root =
            capn_init_struct(capn_builder_root(&message.builder), (struct capn_size){0, 2});
        struct capn_struct_builder inner =
            capn_init_struct(capn_set_pointer(root, 0), (struct capn_size){1, 0});
        struct capn_list_builder list =
            capn_init_struct_list(capn_set_pointer(root, 1), 2, (struct capn_size){1, 0});
        if (capn_builder_status(&message.builder) == CAPN_OK) {
            found++;
            struct capn_struct_builder again =
                capn_built_struct(capn_builder_root(&message.builder));
            assert_ptr_equal(again.data, root.data);
            assert_int_equal(again.pointer_count, 2);
            assert_ptr_equal(capn_built_struct(capn_set_pointer(again, 0)).data, inner.data);
            struct capn_list_builder list_again = capn_built_list(capn_set_pointer(again, 1));
            assert_ptr_equal(list_again.data, list.data);
            assert_int_equal(list_again.count, 2);
            capn_set_u64(inner, 0, 77, 0);
            assert_int_equal(capn_get_u64(capn_built_fields(inner), 0, 0), 77);
            assert_int_equal(capn_builder_status(&message.builder), CAPN_OK);
            (void)capn_built_list(capn_set_pointer(root, 0));
            assert_int_equal(message.builder.error.code, CAPN_WRONG_KIND);
        }
        message_finish(&message);
        message_free(&message);
    }
    assert_true(found > 6);
}

/* Segments may be shared with somebody who writes to them: what was built and no longer makes sense
 * is refused. Two words are in use behind the root pointer; the first holds what the case says. */
static void built_and_spoiled(void **state)
{
    static const struct {
        uint64_t root;
        uint64_t first;
        enum capn_status as_struct;
        enum capn_status as_list;
    } cases[] = {
        {STRUCT(0, 2, 0), 0, CAPN_OK, CAPN_WRONG_KIND},
        {STRUCT(0, 3, 0), 0, CAPN_WRONG_KIND, CAPN_WRONG_KIND},
        {STRUCT(3, 0, 0), 0, CAPN_WRONG_KIND, CAPN_WRONG_KIND},
        {STRUCT(-3, 1, 0), 0, CAPN_WRONG_KIND, CAPN_WRONG_KIND},
        {LIST(0, CAPN_ELEMENT_BYTE, 16), 0, CAPN_WRONG_KIND, CAPN_OK},
        {LIST(0, CAPN_ELEMENT_BYTE, 17), 0, CAPN_WRONG_KIND, CAPN_WRONG_KIND},
        {LIST(0, CAPN_ELEMENT_COMPOSITE, 1), STRUCT(1, 1, 0), CAPN_WRONG_KIND, CAPN_OK},
        {LIST(0, CAPN_ELEMENT_COMPOSITE, 1), STRUCT(2, 1, 0), CAPN_WRONG_KIND, CAPN_BAD_LIST_TAG},
        {LIST(0, CAPN_ELEMENT_COMPOSITE, 2), STRUCT(1, 1, 0), CAPN_WRONG_KIND, CAPN_WRONG_KIND},
        {FAR(1, 0), STRUCT(0, 1, 0), CAPN_OK, CAPN_WRONG_KIND},
        {FAR(1, 0), STRUCT(0, 2, 0), CAPN_WRONG_KIND, CAPN_WRONG_KIND},
        {FAR(1, 1), STRUCT(0, 1, 0), CAPN_WRONG_KIND, CAPN_WRONG_KIND},
        {FAR(3, 0), STRUCT(0, 1, 0), CAPN_WRONG_KIND, CAPN_WRONG_KIND},
        {FAR_TWO(2, 0), 0, CAPN_WRONG_KIND, CAPN_WRONG_KIND},
        {FAR_TWO(1, 0), FAR(1, 1), CAPN_WRONG_KIND, CAPN_WRONG_KIND},
        {CAPABILITY(1), 0, CAPN_WRONG_KIND, CAPN_WRONG_KIND},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (unsigned as_list = 0; as_list < 2; as_list++) {
            struct message message;
            message_init(&message, 1, 3);
            struct capn_pointer_builder root = capn_builder_root(&message.builder);
            (void)capn_init_struct(root, (struct capn_size){2, 0});
            capn_store_u64(root.word, cases[i].root);
            capn_store_u64(root.word + 8, cases[i].first);
            const uint8_t *data =
                as_list != 0 ? capn_built_list(root).data : capn_built_struct(root).data;
            enum capn_status expected = as_list != 0 ? cases[i].as_list : cases[i].as_struct;
            if (message.builder.error.code != expected || (data != NULL) != (expected == CAPN_OK)) {
                fail_msg("case %zu, list %u: %s", i, as_list,
                         capn_status_text(message.builder.error.code));
            }
            message_free(&message);
        }
    }

    /* Nothing was built there; and nothing is found after a refusal. */
    struct message message;
    message_init(&message, 1, 3);
    struct capn_pointer_builder root = capn_builder_root(&message.builder);
    assert_null(capn_built_struct(root).data);
    assert_null(capn_built_list(root).data);
    assert_int_equal(capn_builder_status(&message.builder), CAPN_OK);
    struct capn_struct_builder s = capn_init_struct(root, (struct capn_size){1, 0});
    assert_ptr_equal(capn_built_struct(root).data, s.data);
    capn_set_u64(s, 8, 1, 0);
    assert_int_equal(message.builder.error.code, CAPN_NO_FIELD);
    assert_null(capn_built_struct(root).data);
    message_free(&message);
}

/* A message as deep as a reader lets it be, deeper than a walk is. */
static void copy_too_deep(void **state)
{
    (void)state;
    enum { LEVELS = CAPN_WALK_DEPTH_MAX + 2 };
    for (unsigned levels = CAPN_WALK_DEPTH_MAX - 1; levels <= LEVELS; levels++) {
        struct message from, to;
        message_init(&from, 1, LEVELS + 2);
        message_init(&to, 1, LEVELS + 2);
        struct capn_pointer_builder at = capn_builder_root(&from.builder);
        for (unsigned level = 0; level < levels; level++) {
            at = capn_set_pointer(capn_init_struct(at, (struct capn_size){0, 1}), 0);
        }
        message_finish(&from);
        struct capn_segment segment;
        struct capn_reader reader;
        assert_int_equal(capn_builder_segments(&from.builder, &segment), 1);
        capn_reader_init(&reader, &segment, 1, (struct capn_limits){1000, 1000});
        enum capn_status status =
            capn_copy(capn_builder_root(&to.builder), capn_reader_root(&reader));
        assert_int_equal(status, levels <= CAPN_WALK_DEPTH_MAX ? CAPN_OK : CAPN_DEPTH_LIMIT);
        /* Nowhere to copy to. */
        assert_int_equal(
            capn_copy((struct capn_pointer_builder){0}, (struct capn_pointer){.reader = &reader}),
            CAPN_NO_FIELD);
        message_free(&from);
        message_free(&to);
    }
}

static void copy_into_struct(void **state)
{
    (void)state;
    struct message from, to;
    message_init(&from, 1, 20);
    struct capn_struct_builder s =
        capn_init_struct(capn_builder_root(&from.builder), (struct capn_size){2, 2});
    capn_set_u64(s, 0, 11, 0);
    capn_write_text(capn_set_pointer(s, 0), (struct capn_text){"text", 4});
    message_finish(&from);
    struct capn_reader reader = message_reader(&from);
    struct capn_struct source = capn_read_struct(capn_reader_root(&reader), NULL);

    /* Smaller, but nothing is lost. */
    message_init(&to, 1, 20);
    struct capn_list_builder list =
        capn_init_struct_list(capn_builder_root(&to.builder), 2, (struct capn_size){1, 1});
    assert_int_equal(capn_copy_struct(capn_list_set_struct(list, 1), source), CAPN_OK);
    message_finish(&to);
    struct capn_reader copied = message_reader(&to);
    struct capn_list read = capn_read_list(capn_reader_root(&copied), CAPN_ELEMENT_COMPOSITE, NULL);
    struct capn_struct element = capn_list_get_struct(read, 1);
    assert_int_equal(capn_get_u64(element, 0, 0), 11);
    assert_string_equal(capn_read_text(capn_get_pointer(element, 0), (struct capn_text){0}).bytes,
                        "text");
    message_free(&to);

    /* Something would be lost. */
    message_init(&to, 1, 20);
    list = capn_init_struct_list(capn_builder_root(&to.builder), 1, (struct capn_size){1, 0});
    assert_int_equal(capn_copy_struct(capn_list_set_struct(list, 0), source), CAPN_TOO_LARGE);
    message_free(&to);
    message_init(&to, 1, 20);
    list = capn_init_struct_list(capn_builder_root(&to.builder), 1, (struct capn_size){0, 1});
    assert_int_equal(capn_copy_struct(capn_list_set_struct(list, 0), source), CAPN_TOO_LARGE);
    message_free(&to);
    message_free(&from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_segment_exact), cmocka_unit_test(many_segments),
        cmocka_unit_test(texts_and_data),    cmocka_unit_test(refusals),
        cmocka_unit_test(built_earlier),     cmocka_unit_test(built_and_spoiled),
        cmocka_unit_test(copy_too_deep),     cmocka_unit_test(copy_into_struct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
