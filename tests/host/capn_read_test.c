/* SPDX-License-Identifier: MIT */
/*
 * Reading: what happens after a refusal, limits, lists and structs that grew by evolution, default
 * values, and the bound on work.
 */
#include "tests/host/capn_tree.h"
#include "tests/host/capn_words.h"

/* Everything is refused after a refusal, and costs nothing. */
static void first_refusal_stays(void **state)
{
    (void)state;
    static const struct hand_made message = {
        {{STRUCT(0, 1, 2), 42, LIST(100, 2, 1), STRUCT(0, 1, 0), 7}}, {5}};
    struct loaded loaded;
    load(&loaded, &message, CAPN_LIMITS_DEFAULT);
    struct capn_struct root = capn_read_struct(capn_reader_root(&loaded.reader), NULL);
    assert_int_equal(capn_read_data(capn_get_pointer(root, 0), (struct capn_data){0}).length, 0);
    struct capn_error first = loaded.reader.error;
    uint64_t left = loaded.reader.traversal_words_left;
    assert_int_equal(first.code, CAPN_OUT_OF_BOUNDS);
    assert_int_equal(first.word, 2);
    struct capn_struct inner = capn_read_struct(capn_get_pointer(root, 1), NULL);
    assert_int_equal(capn_get_u64(inner, 0, 99), 99);
    assert_int_equal(capn_get_u64(root, 0, 0), 42);
    assert_int_equal(loaded.reader.traversal_words_left, left);
    struct capn_list list = {.reader = &loaded.reader};
    assert_int_equal(capn_list_get_u8(list, 3), 0);
    assert_int_equal(loaded.reader.error.code, CAPN_OUT_OF_BOUNDS);
    unload(&loaded);
}

static void index_past_the_end(void **state)
{
    (void)state;
    static const struct hand_made message = {{{LIST(0, 3, 3), 0x000300020001}}, {2}};
    struct loaded loaded;
    load(&loaded, &message, CAPN_LIMITS_DEFAULT);
    struct capn_list list =
        capn_read_list(capn_reader_root(&loaded.reader), CAPN_ELEMENT_TWO_BYTES, NULL);
    assert_int_equal(list.count, 3);
    assert_int_equal(capn_list_get_i16(list, 2), 3);
    /* An element too small reads as zero, and is no refusal. */
    assert_int_equal(capn_list_get_u64(list, 0), 0);
    assert_int_equal(capn_list_get_bool(list, 0), 0);
    assert_true(capn_pointer_is_null(capn_list_get_pointer(list, 0)));
    assert_int_equal(capn_reader_status(&loaded.reader), CAPN_OK);
    assert_int_equal(capn_list_get_u16(list, 3), 0);
    assert_int_equal(loaded.reader.error.code, CAPN_INDEX);
    assert_int_equal(loaded.reader.error.found, 3);
    assert_int_equal(loaded.reader.error.limit, 3);
    unload(&loaded);
}

static void depth_limit(void **state)
{
    (void)state;
    static const struct hand_made message = {
        {{STRUCT(0, 0, 1), STRUCT(0, 0, 1), LIST(0, 7, 1), STRUCT(1, 1, 0), 5}}, {5}};
    for (uint16_t depth = 0; depth < 6; depth++) {
        struct loaded loaded;
        load(&loaded, &message, (struct capn_limits){1000, depth});
        struct capn_struct s = capn_read_struct(capn_reader_root(&loaded.reader), NULL);
        s = capn_read_struct(capn_get_pointer(s, 0), NULL);
        struct capn_list list = capn_read_list(capn_get_pointer(s, 0), CAPN_ELEMENT_ANY, NULL);
        s = list.count != 0 ? capn_list_get_struct(list, 0) : (struct capn_struct){0};
        /* Struct, struct, list, and the list's element count one each. */
        assert_int_equal(capn_get_u64(s, 0, 0), depth < 4 ? 0 : 5);
        assert_int_equal(loaded.reader.error.code, depth < 4 ? CAPN_DEPTH_LIMIT : CAPN_OK);
        unload(&loaded);
        /* The walk over all of it counts as reading does. */
        load(&loaded, &message, (struct capn_limits){1000, depth});
        assert_int_equal(capn_reader_check_all(&loaded.reader),
                         depth < 4 ? CAPN_DEPTH_LIMIT : CAPN_OK);
        unload(&loaded);
    }
}

/* ---- Evolution ---- */

static void lists_that_grew(void **state)
{
    (void)state;
    struct loaded loaded;
    /* Two structs of two data words and a pointer. */
    static const struct hand_made structs = {{{LIST(0, 7, 6), STRUCT(2, 2, 1), 0x1122334455667788,
                                               1, CAPABILITY(4), 0x99aabbccddeeff00, 2, 0}},
                                             {8}};
    load(&loaded, &structs, CAPN_LIMITS_DEFAULT);
    struct capn_pointer root = capn_reader_root(&loaded.reader);
    struct capn_list list = capn_read_list(root, CAPN_ELEMENT_BYTE, NULL);
    assert_int_equal(capn_list_get_u8(list, 1), 0x00);
    list = capn_read_list(root, CAPN_ELEMENT_TWO_BYTES, NULL);
    assert_int_equal(capn_list_get_u16(list, 1), 0xff00);
    list = capn_read_list(root, CAPN_ELEMENT_EIGHT_BYTES, NULL);
    assert_int_equal(capn_list_get_u64(list, 0), 0x1122334455667788);
    list = capn_read_list(root, CAPN_ELEMENT_VOID, NULL);
    assert_int_equal(list.count, 2);
    list = capn_read_list(root, CAPN_ELEMENT_POINTER, NULL);
    assert_int_equal(capn_read_capability(capn_list_get_pointer(list, 0)), 4);
    assert_int_equal(capn_read_capability(capn_list_get_pointer(list, 1)), CAPN_NO_CAPABILITY);
    assert_int_equal(capn_reader_status(&loaded.reader), CAPN_OK);
    unload(&loaded);

    /* Elements of two bytes, read as structs and as bytes. */
    static const struct hand_made twos = {{{LIST(0, 3, 3), 0x000333442211}}, {2}};
    load(&loaded, &twos, CAPN_LIMITS_DEFAULT);
    root = capn_reader_root(&loaded.reader);
    list = capn_read_list(root, CAPN_ELEMENT_COMPOSITE, NULL);
    struct capn_struct s = capn_list_get_struct(list, 1);
    assert_int_equal(s.data_bytes, 2);
    assert_int_equal(capn_get_u16(s, 0, 0), 0x3344);
    assert_int_equal(capn_get_u32(s, 0, 77), 77);
    assert_int_equal(capn_get_bool(s, 2, false), true);
    assert_int_equal(capn_get_bool(s, 16, true), true);
    assert_true(capn_pointer_is_null(capn_get_pointer(s, 0)));
    list = capn_read_list(root, CAPN_ELEMENT_BYTE, NULL);
    assert_int_equal(capn_list_get_u8(list, 0), 0x11);
    assert_int_equal(capn_list_get_u8(list, 1), 0x44);
    assert_int_equal(capn_reader_status(&loaded.reader), CAPN_OK);
    unload(&loaded);

    /* Pointers, read as structs. */
    static const struct hand_made pointers = {{{LIST(0, 6, 2), CAPABILITY(1), CAPABILITY(2)}}, {3}};
    load(&loaded, &pointers, CAPN_LIMITS_DEFAULT);
    list = capn_read_list(capn_reader_root(&loaded.reader), CAPN_ELEMENT_COMPOSITE, NULL);
    s = capn_list_get_struct(list, 1);
    assert_int_equal(s.data_bytes, 0);
    assert_int_equal(capn_read_capability(capn_get_pointer(s, 0)), 2);
    assert_int_equal(capn_reader_status(&loaded.reader), CAPN_OK);
    unload(&loaded);
}

/* A reader that knows more fields than the writer did gets defaults. */
static void structs_that_grew(void **state)
{
    (void)state;
    static const struct hand_made message = {{{STRUCT(0, 1, 0), 0xffffffff00000001}}, {2}};
    struct loaded loaded;
    load(&loaded, &message, CAPN_LIMITS_DEFAULT);
    struct capn_struct s = capn_read_struct(capn_reader_root(&loaded.reader), NULL);
    assert_int_equal(capn_get_u8(s, 0, 0), 1);
    assert_int_equal(capn_get_u32(s, 0, 5), 4);
    assert_int_equal(capn_get_i32(s, 4, -1), 0);
    assert_int_equal(capn_get_i8(s, 8, -3), -3);
    assert_int_equal(capn_get_i16(s, 7, -3), -3);
    assert_int_equal(capn_get_u32(s, 5, 6), 6);
    assert_int_equal(capn_get_u64(s, 1, 9), 9);
    assert_int_equal(capn_get_u64(s, UINT32_MAX, 9), 9);
    assert_int_equal(capn_get_bool(s, 63, false), true);
    assert_int_equal(capn_get_bool(s, 64, true), true);
    assert_int_equal(capn_get_bool(s, UINT32_MAX, false), false);
    assert_true(capn_pointer_is_null(capn_get_pointer(s, 0)));
    assert_int_equal(capn_reader_status(&loaded.reader), CAPN_OK);
    unload(&loaded);

    struct capn_struct nothing = {0};
    assert_int_equal(capn_get_u16(nothing, 0, 12), 12);
    assert_true(capn_pointer_is_null(capn_get_pointer(nothing, 0)));
    nothing = capn_read_struct(capn_get_pointer(nothing, 0), NULL);
    assert_int_equal(capn_get_u16(nothing, 0, 12), 12);
}

static void default_values(void **state)
{
    (void)state;
    static const struct hand_made message = {{{STRUCT(0, 0, 1), 0}}, {2}};
    /* struct { 17, text "hi" } and a list of two bytes, as generated code has them. */
    uint8_t struct_bytes[5 * 8], list_bytes[2 * 8];
    const uint64_t struct_words[5] = {STRUCT(0, 1, 1), 17, LIST(0, 2, 3), 0x6968, 0};
    const uint64_t list_words[2] = {LIST(0, 3, 2), 0x00060005};
    for (size_t i = 0; i < 5; i++) {
        capn_store_u64(struct_bytes + i * 8, struct_words[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        capn_store_u64(list_bytes + i * 8, list_words[i]);
    }
    const struct capn_segment default_struct = {struct_bytes, 5};
    const struct capn_segment default_list = {list_bytes, 2};
    const struct capn_segment default_broken = {struct_bytes, 2};

    struct loaded loaded;
    load(&loaded, &message, CAPN_LIMITS_DEFAULT);
    struct capn_struct root = capn_read_struct(capn_reader_root(&loaded.reader), NULL);
    /* Null in the message, and not even in the message. */
    for (uint16_t index = 0; index < 2; index++) {
        struct capn_pointer field = capn_get_pointer(root, index);
        struct capn_struct s = capn_read_struct(field, &default_struct);
        assert_int_equal(capn_get_u64(s, 0, 0), 17);
        assert_string_equal(capn_read_text(capn_get_pointer(s, 0), (struct capn_text){0}).bytes,
                            "hi");
        struct capn_list list = capn_read_list(field, CAPN_ELEMENT_TWO_BYTES, &default_list);
        assert_int_equal(list.count, 2);
        assert_int_equal(capn_list_get_u16(list, 1), 6);
        assert_int_equal(capn_read_text(field, (struct capn_text){"word", 4}).length, 4);
        assert_int_equal(capn_read_text(field, (struct capn_text){0}).length, 0);
        assert_string_equal(capn_read_text(field, (struct capn_text){0}).bytes, "");
        assert_int_equal(
            capn_read_data(field, (struct capn_data){(const uint8_t *)"abc", 3}).length, 3);
    }
    assert_int_equal(capn_reader_status(&loaded.reader), CAPN_OK);
    /* A default that is wrong itself is refused like anything else, and lies in no segment. */
    (void)capn_read_struct(capn_get_pointer(root, 0), &default_broken);
    assert_int_equal(loaded.reader.error.code, CAPN_OUT_OF_BOUNDS);
    assert_int_equal(loaded.reader.error.segment, CAPN_NO_SEGMENT);
    unload(&loaded);
}

static void paths(void **state)
{
    (void)state;
    static const struct hand_made message = {{{STRUCT(0, 0, 2), 0, STRUCT(0, 0, 1), CAPABILITY(9)}},
                                             {4}};
    static const uint16_t path[2] = {1, 0};
    struct loaded loaded;
    load(&loaded, &message, CAPN_LIMITS_DEFAULT);
    struct capn_pointer root = capn_reader_root(&loaded.reader);
    assert_int_equal(capn_read_capability(capn_read_path(root, path, 2)), 9);
    assert_ptr_equal(capn_read_path(root, path, 0).word, root.word);
    assert_int_equal(capn_reader_status(&loaded.reader), CAPN_OK);
    unload(&loaded);
}

/* ---- Work ---- */

/* A message read once costs its words, not one more. */
static void budget_is_exact(void **state)
{
    (void)state;
    struct test_random random;
    test_random_init(&random, 3);
    for (unsigned round = 0; round < 300; round++) {
        struct capn_tree *tree = capn_tree_random(&random, (struct capn_tree_options){.depth = 5});
        uint32_t words = (uint32_t)(1 + capn_tree_words(tree));
        struct capn_guarded memory = capn_guarded_make(words);
        struct capn_build_segment room = {memory.bytes, words, 0};
        struct capn_builder builder;
        struct capn_segment segment;
        capn_builder_init(&builder, &room, 1);
        capn_tree_build(tree, capn_builder_root(&builder));
        assert_int_equal(capn_builder_segments(&builder, &segment), 1);

        struct capn_reader reader;
        capn_reader_init(&reader, &segment, 1, CAPN_LIMITS_DEFAULT);
        assert_int_equal(capn_reader_check_all(&reader), CAPN_OK);
        /* Elements without size are all that costs more than the words it takes. */
        uint64_t spent = CAPN_TRAVERSAL_WORDS_DEFAULT - reader.traversal_words_left;
        assert_true(spent >= words);
        capn_reader_init(&reader, &segment, 1, (struct capn_limits){spent, 64});
        assert_int_equal(capn_reader_check_all(&reader), CAPN_OK);
        assert_int_equal(reader.traversal_words_left, 0);
        capn_reader_init(&reader, &segment, 1, (struct capn_limits){spent - 1, 64});
        assert_int_equal(capn_reader_check_all(&reader), CAPN_TRAVERSAL_LIMIT);
        capn_guarded_free(&memory);
        capn_tree_free(tree);
    }
}

/*
 * The bound that capnp/README.md states: whatever the message says, no more pointers are followed
 * than words are paid for, so with a budget of the message's own size at most one per eight bytes
 * of input. Messages at random, with words that point back and at each other, and two by hand: one
 * whose objects are each other's pointers, and the worst, a list of pointers to structs that cost
 * nothing.
 */
static void work_is_bounded(void **state)
{
    (void)state;
    enum { WORDS = 64, ROUNDS = 20000 };
    struct test_random random;
    test_random_init(&random, 4);
    uint8_t bytes[WORDS * 8];
    const struct capn_segment segment = {bytes, WORDS};
    uint64_t most = 0, limited = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t by_hand = 0;
        for (uint32_t i = 0; i < WORDS; i++) {
            int32_t at = (int32_t)test_random_below(&random, WORDS) - (int32_t)i - 1;
            uint64_t bits =
                STRUCT(at, test_random_below(&random, 4), test_random_below(&random, 40));
            switch (test_random_below(&random, 6)) {
            case 0:
                bits = LIST(at, test_random_below(&random, 8), test_random_below(&random, 60));
                break;
            case 1:
                bits = FAR(test_random_below(&random, WORDS), 0);
                break;
            default:
                break;
            }
            if (round == 0) {
                by_hand = STRUCT(-(int32_t)i, 0, WORDS - 1);
            } else if (round == 1) {
                by_hand = i == 0 ? LIST(0, CAPN_ELEMENT_POINTER, WORDS - 1) : STRUCT(-1, 0, 0);
            }
            capn_store_u64(bytes + i * 8, round <= 1 ? by_hand : bits);
        }
        struct capn_reader reader;
        capn_reader_init(&reader, &segment, 1, (struct capn_limits){WORDS, 64});
        enum capn_status status = capn_reader_check_all(&reader);
        /* The last one may have been refused because it could not be paid for. */
        assert_in_range(reader.pointers_followed, 0, WORDS + 1);
        limited += status == CAPN_TRAVERSAL_LIMIT;
        most = reader.pointers_followed > most ? reader.pointers_followed : most;

        /* A larger budget allows more work on the same bytes, in proportion and no further. */
        capn_reader_init(&reader, &segment, 1, (struct capn_limits){WORDS * 100, 64});
        status = capn_reader_check_all(&reader);
        assert_true(status < CAPN_STATUS_COUNT);
        assert_in_range(reader.pointers_followed, 0, WORDS * 100 + 1);
    }
    print_message("at most %u pointers for %u bytes, %u times limited\n", (unsigned)most,
                  (unsigned)sizeof(bytes), (unsigned)limited);
    assert_true(limited > ROUNDS / 100);
    assert_int_equal(most, WORDS);
}

/* No root, no place; a null pointer is of no kind, and a capability is not read after a refusal. */
static void nothing_there(void **state)
{
    (void)state;
    const uint8_t bytes[16] = {3, 0, 0, 0, 7};
    const struct capn_segment empty = {bytes, 0}, full = {bytes, 2};
    struct capn_reader reader;
    capn_reader_init(&reader, &empty, 1, CAPN_LIMITS_DEFAULT);
    assert_int_equal(capn_reader_status(&reader), CAPN_NO_ROOT);
    assert_null(capn_reader_root(&reader).word);
    capn_reader_init(&reader, NULL, 0, CAPN_LIMITS_DEFAULT);
    assert_int_equal(capn_reader_status(&reader), CAPN_NO_ROOT);
    assert_null(capn_reader_root(&reader).word);

    capn_reader_init(&reader, &full, 1, CAPN_LIMITS_DEFAULT);
    struct capn_pointer root = capn_reader_root(&reader), null = root;
    null.word = bytes + 8;
    assert_int_equal(capn_pointer_kind(null), CAPN_KIND_NULL);
    assert_int_equal(reader.pointers_followed, 0);
    assert_int_equal(capn_read_capability(root), 7);
    capn_reader_refuse_index(&reader, 1, 1);
    assert_int_equal(capn_read_capability(root), CAPN_NO_CAPABILITY);
    assert_int_equal(capn_pointer_kind(root), CAPN_KIND_NULL);
}

/* Many far pointers that share one landing pad: its object is paid for each time. */
static void overlapping_far_pointers(void **state)
{
    (void)state;
    enum { POINTERS = 32, WORDS = 64 };
    uint64_t words[2][WORDS + 1] = {{LIST(0, CAPN_ELEMENT_POINTER, POINTERS)},
                                    {STRUCT(0, WORDS, 0)}};
    uint8_t bytes[2][sizeof(words[0])];
    for (unsigned i = 0; i < WORDS + 1; i++) {
        bool pointer = i > 0 && i <= POINTERS;
        capn_store_u64(bytes[0] + i * 8, pointer ? FAR(0, 1) : words[0][i]);
        capn_store_u64(bytes[1] + i * 8, words[1][i]);
    }
    const struct capn_segment segments[] = {{bytes[0], POINTERS + 1}, {bytes[1], WORDS + 1}};
    struct capn_reader reader;
    capn_reader_init(&reader, segments, 2, (struct capn_limits){POINTERS + 1 + WORDS + 1, 64});
    assert_int_equal(capn_reader_check_all(&reader), CAPN_TRAVERSAL_LIMIT);
    /* The list, the first object with its pad, the second one's pad; not the second object. */
    assert_int_equal(reader.pointers_followed, 3);
    capn_reader_init(&reader, segments, 2,
                     (struct capn_limits){POINTERS + 1 + POINTERS * (WORDS + 1), 64});
    assert_int_equal(capn_reader_check_all(&reader), CAPN_OK);
    assert_int_equal(reader.traversal_words_left, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_refusal_stays),
        cmocka_unit_test(index_past_the_end),
        cmocka_unit_test(depth_limit),
        cmocka_unit_test(lists_that_grew),
        cmocka_unit_test(structs_that_grew),
        cmocka_unit_test(default_values),
        cmocka_unit_test(paths),
        cmocka_unit_test(budget_is_exact),
        cmocka_unit_test(work_is_bounded),
        cmocka_unit_test(overlapping_far_pointers),
        cmocka_unit_test(nothing_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
