/* SPDX-License-Identifier: MIT */
/*
 * Messages as bytes: framing, packing with buffers cut anywhere, canonical form. Every prefix of a
 * stream is refused, and no output buffer is overrun.
 */
#include "tests/host/capn_tree.h"

#define MEMORY_WORDS 20000u
#define SEGMENTS_MAX 64u

/* A random tree built in one large segment or many small ones. */
struct built {
    struct capn_tree *tree;
    uint8_t memory[SEGMENTS_MAX][MEMORY_WORDS / SEGMENTS_MAX * 8];
    uint8_t large[MEMORY_WORDS * 8];
    struct capn_build_segment room[SEGMENTS_MAX];
    struct capn_segment segments[SEGMENTS_MAX];
    uint32_t count;
};

static void build(struct built *built, struct capn_tree *tree, struct test_random *random,
                  bool small)
{
    struct capn_builder builder;
    uint32_t words = (uint32_t)(4 + test_random_below(random, 30));
    for (uint32_t i = 0; i < SEGMENTS_MAX; i++) {
        built->room[i] = (struct capn_build_segment){built->memory[i], words, 0};
    }
    built->tree = tree;
    capn_builder_init(&builder, built->room, SEGMENTS_MAX);
    if (small) {
        capn_tree_build(tree, capn_builder_root(&builder));
    }
    if (!small || capn_builder_status(&builder) != CAPN_OK) {
        built->room[0] = (struct capn_build_segment){built->large, MEMORY_WORDS, 0};
        capn_builder_init(&builder, built->room, 1);
        capn_tree_build(tree, capn_builder_root(&builder));
    }
    assert_int_equal(capn_builder_status(&builder), CAPN_OK);
    built->count = capn_builder_segments(&builder, built->segments);
}

static struct capn_tree *small_tree(struct test_random *random, struct capn_tree_options options)
{
    struct capn_tree *tree = capn_tree_random(random, options);
    while (capn_tree_words(tree) > 1000) {
        capn_tree_free(tree);
        tree = capn_tree_random(random, options);
    }
    return tree;
}

/* ---- Framing ---- */

static void framing(void **state)
{
    (void)state;
    static struct built built;
    struct test_random random;
    test_random_init(&random, 5);
    for (unsigned round = 0; round < 200; round++) {
        struct capn_tree *tree = small_tree(&random, (struct capn_tree_options){.depth = 4});
        build(&built, tree, &random, round % 2 == 0);
        uint64_t bytes = capn_frame_bytes(built.segments, built.count);
        uint8_t *stream = malloc((size_t)bytes);
        assert_non_null(stream);
        struct capn_output output = {stream, (size_t)bytes - 1, 0};
        assert_int_equal(capn_frame_write(built.segments, built.count, &output), CAPN_OUTPUT_FULL);
        assert_int_equal(output.used, 0);
        output.capacity++;
        assert_int_equal(capn_frame_write(built.segments, built.count, &output), CAPN_OK);
        assert_int_equal(output.used, bytes);

        struct capn_segment found[SEGMENTS_MAX];
        struct capn_frame frame = {
            .segments = found, .segment_room = SEGMENTS_MAX, .words_limit = MEMORY_WORDS};
        /* Told what is needed from nothing on, one arrives at the length. */
        size_t length = 0;
        unsigned asked = 0;
        while (capn_frame_parse(&frame, stream, length) == CAPN_TRUNCATED) {
            assert_true(frame.bytes > length && frame.bytes <= bytes);
            length = (size_t)frame.bytes;
            asked++;
        }
        assert_int_equal(length, bytes);
        assert_in_range(asked, 1, 3);
        for (size_t cut = 0; cut < bytes; cut++) {
            assert_int_equal(capn_frame_parse(&frame, stream, cut), CAPN_TRUNCATED);
            assert_int_equal(frame.segment_count, 0);
        }
        assert_int_equal(capn_frame_parse(&frame, stream, (size_t)bytes), CAPN_OK);
        assert_int_equal(frame.segment_count, built.count);
        struct capn_reader reader;
        capn_reader_init(&reader, found, frame.segment_count, CAPN_LIMITS_DEFAULT);
        capn_tree_compare(tree, capn_reader_root(&reader));

        uint64_t words = (bytes - capn_frame_header_bytes(built.count)) / 8;
        frame.words_limit = words - 1;
        assert_int_equal(capn_frame_parse(&frame, stream, (size_t)bytes), CAPN_MESSAGE_TOO_LARGE);
        frame.words_limit = words;
        frame.segment_room = built.count - 1;
        assert_int_equal(capn_frame_parse(&frame, stream, (size_t)bytes), CAPN_TOO_MANY_SEGMENTS);
        free(stream);
        capn_tree_free(tree);
    }
}

static void framing_refusals(void **state)
{
    (void)state;
    struct capn_segment found[4];
    struct capn_frame frame = {.segments = found, .segment_room = 4, .words_limit = UINT64_MAX};
    uint8_t bytes[32];
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(capn_frame_parse(&frame, bytes, sizeof(bytes)), CAPN_TOO_MANY_SEGMENTS);
    /* Four segments of 2^32 - 1 words each: counted in 64 bits, missing, not wrapped around. */
    capn_store_u32(bytes, 3);
    assert_int_equal(capn_frame_parse(&frame, bytes, sizeof(bytes)), CAPN_TRUNCATED);
    assert_int_equal(frame.bytes, 24 + 4 * UINT64_C(0xffffffff) * 8);
    struct capn_output output = {bytes, sizeof(bytes), 0};
    assert_int_equal(capn_frame_write(NULL, 0, &output), CAPN_NO_ROOT);
    struct capn_segment huge = {bytes, UINT64_C(1) << 32};
    assert_int_equal(capn_frame_write_header(&huge, 1, &output), CAPN_TOO_LARGE);
    assert_int_equal(output.used, 0);
    /* A table that just does not fit. */
    const struct capn_segment three[] = {{bytes, 0}, {bytes, 1}, {bytes, 0}};
    output.capacity = 15;
    assert_int_equal(capn_frame_write_header(three, 3, &output), CAPN_OUTPUT_FULL);
    output.capacity = 23;
    assert_int_equal(capn_frame_write(three, 3, &output), CAPN_OUTPUT_FULL);
    assert_int_equal(output.used, 0);
}

/* Cut anywhere, in memory of exactly that size: what is missing is said, as far as it is known. */
static void framing_cut_anywhere(void **state)
{
    (void)state;
    uint8_t words[8] = {1, 2, 3}, bytes[24];
    const struct capn_segment three[] = {{words, 0}, {words, 1}, {words, 0}};
    struct capn_output output = {bytes, sizeof(bytes), 0};
    assert_int_equal(capn_frame_write(three, 3, &output), CAPN_OK);
    assert_int_equal(output.used, sizeof(bytes));
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        struct capn_segment found[3];
        struct capn_frame frame = {.segments = found, .segment_room = 3, .words_limit = 1};
        uint8_t *cut = malloc(length + (length == 0));
        assert_non_null(cut);
        memcpy(cut, bytes, length);
        assert_int_equal(capn_frame_parse(&frame, cut, length),
                         length < sizeof(bytes) ? CAPN_TRUNCATED : CAPN_OK);
        assert_int_equal(frame.bytes, length < 4 ? 4 : length < 16 ? 16 : sizeof(bytes));
        assert_int_equal(frame.segment_count, length < sizeof(bytes) ? 0 : 3);
        free(cut);
    }
}

/* ---- Packing ---- */

struct vector {
    const char *story;
    const char *plain;
    size_t plain_length;
    const char *packed;
    size_t packed_length;
};

#define VECTOR(story, plain, packed)                                                               \
    {                                                                                              \
        story, plain, sizeof(plain) - 1, packed, sizeof(packed) - 1                                \
    }
#define EIGHT(c) c c c c c c c c

static const struct vector vectors[] = {
    VECTOR("nothing", "", ""),
    VECTOR("one zero word", "\0\0\0\0\0\0\0\0", "\0\0"),
    VECTOR("two zero words", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "\0\1"),
    VECTOR("the example of the encoding's description",
           "\x08\x00\x00\x00\x03\x00\x02\x00\x19\x00\x00\x00\xaa\x01\x00\x00",
           "\x51\x08\x03\x02\x31\x19\xaa\x01"),
    VECTOR("a word without zeroes", "12345678",
           "\xff"
           "12345678\0"),
    VECTOR("a run of two", "1234567812345678",
           "\xff"
           "12345678\1"
           "12345678"),
    VECTOR("a run takes words with one zero, not with two", "12345678\0002345678\0\000345678",
           "\xff"
           "12345678\1\0002345678\xfc"
           "345678"),
};

static void packing_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
        const struct vector *v = &vectors[i];
        struct capn_segment segment = {(const uint8_t *)v->plain, v->plain_length / 8};
        struct capn_packer packer;
        uint8_t bytes[64];
        struct capn_output output = {bytes, sizeof(bytes), 0};
        capn_packer_init_bare(&packer, &segment);
        assert_true(capn_pack(&packer, &output));
        if (output.used != v->packed_length || memcmp(bytes, v->packed, output.used) != 0) {
            fail_msg("%s: packed otherwise", v->story);
        }
        struct capn_input input = {(const uint8_t *)v->packed, v->packed_length, 0};
        output.used = 0;
        assert_int_equal(capn_unpack_all(&input, &output), CAPN_OK);
        if (output.used != v->plain_length || memcmp(bytes, v->plain, output.used) != 0) {
            fail_msg("%s: unpacked otherwise", v->story);
        }
    }
}

/* The longest runs, and one word more. */
static void packing_long_runs(void **state)
{
    (void)state;
    enum { WORDS = 700 };
    static uint8_t plain[WORDS * 8], packed[WORDS * 10], again[WORDS * 8];
    for (unsigned fill = 0; fill < 2; fill++) {
        memset(plain, fill ? 'x' : 0, sizeof(plain));
        for (uint64_t words = 254; words <= WORDS; words += words < 260 ? 1 : 251) {
            struct capn_segment segment = {plain, words};
            struct capn_packer packer;
            struct capn_output output = {packed, sizeof(packed), 0};
            capn_packer_init_bare(&packer, &segment);
            assert_true(capn_pack(&packer, &output));
            uint64_t runs = (words + 255) / 256;
            assert_int_equal(output.used, fill ? words * 8 + runs * 2 : runs * 2);
            struct capn_input input = {packed, output.used, 0};
            struct capn_output back = {again, sizeof(again), 0};
            assert_int_equal(capn_unpack_all(&input, &back), CAPN_OK);
            assert_int_equal(back.used, words * 8);
            assert_memory_equal(plain, again, back.used);
        }
    }
}

/* Words with about the zeroes of real messages, in runs. */
static void words_random(struct test_random *random, uint8_t *bytes, size_t length)
{
    uint64_t zero_one_in = 1;
    for (size_t i = 0; i < length; i++) {
        if (test_random_one_in(random, 60)) {
            zero_one_in = 1 + test_random_below(random, 12);
        }
        bool zero = test_random_one_in(random, zero_one_in);
        bytes[i] = zero ? 0 : (uint8_t)test_random_u64(random);
    }
}

static void packing_cut_anywhere(void **state)
{
    (void)state;
    enum { WORDS = 600 };
    static uint8_t plain[WORDS * 8], packed[WORDS * 11], again[WORDS * 8], pieces[WORDS * 11];
    struct test_random random;
    test_random_init(&random, 6);
    for (unsigned round = 0; round < 300; round++) {
        uint64_t words = test_random_below(&random, WORDS);
        words_random(&random, plain, (size_t)words * 8);
        struct capn_segment segment = {plain, words};
        struct capn_packer packer;
        struct capn_output whole = {packed, sizeof(packed), 0};
        capn_packer_init_bare(&packer, &segment);
        assert_true(capn_pack(&packer, &whole));

        /* Packed by way of small buffers it is the same. */
        size_t used = 0;
        bool done = false;
        capn_packer_init_bare(&packer, &segment);
        while (!done) {
            struct capn_output piece = {pieces + used, 10 + (size_t)test_random_below(&random, 30),
                                        0};
            done = capn_pack(&packer, &piece);
            assert_true(done || piece.used != 0);
            used += piece.used;
        }
        assert_int_equal(used, whole.used);
        assert_memory_equal(packed, pieces, used);

        uint64_t expected;
        assert_int_equal(capn_unpacked_words(packed, whole.used, &expected), CAPN_OK);
        assert_int_equal(expected, words);

        /* Unpacked with input and output cut anywhere it is the same. */
        struct capn_unpacker unpacker = {0};
        size_t in = 0, out = 0;
        memset(again, 0xee, sizeof(again));
        while (in != whole.used || !capn_unpacker_is_done(&unpacker)) {
            size_t some = (size_t)test_random_below(&random, 20);
            some = some < whole.used - in ? some : whole.used - in;
            struct capn_input input = {packed + in, some, 0};
            struct capn_output output = {again + out, (size_t)test_random_below(&random, 40), 0};
            capn_unpack(&unpacker, &input, &output);
            assert_in_range(input.used, 0, some);
            assert_in_range(output.used, 0, output.capacity);
            in += input.used;
            out += output.used;
        }
        assert_int_equal(out, words * 8);
        assert_memory_equal(plain, again, out);

        /* Every cut off stream ends early, or at a word. */
        for (size_t cut = 0; cut < whole.used && round < 20; cut++) {
            struct capn_input input = {packed, cut, 0};
            struct capn_output output = {again, sizeof(again), 0};
            enum capn_status status = capn_unpack_all(&input, &output);
            assert_true(status == CAPN_OK || status == CAPN_TRUNCATED);
            assert_true(output.used < words * 8 || status == CAPN_TRUNCATED);
        }
        /* And every room too small is too small. */
        for (size_t room = 0; room < words * 8 && round < 20; room += 3) {
            struct capn_input input = {packed, whole.used, 0};
            struct capn_output output = {again, room, 0};
            assert_int_equal(capn_unpack_all(&input, &output), CAPN_OUTPUT_FULL);
            assert_int_equal(output.used, room / 8 * 8);
        }
    }
}

/* Any bytes are a packed stream; nothing is written past the end, and the machine stops. */
static void unpacking_noise(void **state)
{
    (void)state;
    struct test_random random;
    test_random_init(&random, 7);
    for (unsigned round = 0; round < 3000; round++) {
        size_t length = (size_t)test_random_below(&random, 60);
        uint8_t *noise = malloc(length + 1);
        assert_non_null(noise);
        words_random(&random, noise, length);
        uint64_t words = 0;
        enum capn_status status = capn_unpacked_words(noise, length, &words);
        /* A word more than is there, so that an early end is not taken for a lack of room. */
        uint8_t *plain = malloc((size_t)words * 8 + 8);
        assert_non_null(plain);
        struct capn_input input = {noise, length, 0};
        struct capn_output output = {plain, (size_t)words * 8 + 8, 0};
        assert_int_equal(capn_unpack_all(&input, &output), status);
        assert_int_equal(output.used, words * 8);
        assert_int_equal(input.used, length);
        /* The bound that capnp/README.md states. */
        assert_in_range(words * 8, 0, length * 1024);
        free(plain);
        free(noise);
    }
    uint64_t most = 0;
    assert_int_equal(capn_unpacked_words((const uint8_t[]){0, 255, 0, 255}, 4, &most), CAPN_OK);
    assert_int_equal(most * 8, 4 * 1024);
}

static void packed_messages(void **state)
{
    (void)state;
    static struct built built;
    static uint8_t packed[MEMORY_WORDS * 10], plain[MEMORY_WORDS * 8 + 8 * SEGMENTS_MAX];
    struct test_random random;
    test_random_init(&random, 8);
    for (unsigned round = 0; round < 200; round++) {
        struct capn_tree *tree = small_tree(&random, (struct capn_tree_options){.depth = 5});
        build(&built, tree, &random, round % 2 == 0);
        struct capn_packer packer;
        struct capn_output output = {packed, sizeof(packed), 0};
        capn_packer_init(&packer, built.segments, built.count);
        assert_true(capn_pack(&packer, &output));
        assert_int_equal(capn_packed_bytes(built.segments, built.count), output.used);
        struct capn_input input = {packed, output.used, 0};
        struct capn_output back = {plain, sizeof(plain), 0};
        assert_int_equal(capn_unpack_all(&input, &back), CAPN_OK);
        struct capn_segment found[SEGMENTS_MAX];
        struct capn_frame frame = {
            .segments = found, .segment_room = SEGMENTS_MAX, .words_limit = MEMORY_WORDS};
        assert_int_equal(capn_frame_parse(&frame, plain, back.used), CAPN_OK);
        assert_int_equal(frame.bytes, back.used);
        struct capn_reader reader;
        capn_reader_init(&reader, found, frame.segment_count, CAPN_LIMITS_DEFAULT);
        capn_tree_compare(tree, capn_reader_root(&reader));
        capn_tree_free(tree);
    }
    struct capn_packer none;
    struct capn_output output = {packed, sizeof(packed), 0};
    capn_packer_init(&none, NULL, 0);
    assert_true(capn_pack(&none, &output));
    assert_int_equal(output.used, 0);
}

/* ---- Canonical form ---- */

static enum capn_status canonical_of(const struct capn_segment *segments, uint32_t count,
                                     struct capn_output *output)
{
    struct capn_reader reader;
    capn_reader_init(&reader, segments, count, CAPN_LIMITS_DEFAULT);
    return capn_canonical_write(capn_reader_root(&reader), output);
}

static void canonical_form(void **state)
{
    (void)state;
    static struct built built;
    static uint8_t one[MEMORY_WORDS * 8], two[MEMORY_WORDS * 8];
    struct test_random random;
    struct capn_reader reader;
    unsigned canonical_at_once = 0;
    test_random_init(&random, 9);
    for (unsigned round = 0; round < 500; round++) {
        struct capn_tree *tree =
            small_tree(&random, (struct capn_tree_options){.depth = 5, .no_capabilities = true});
        struct capn_output first = {one, sizeof(one), 0}, second = {two, sizeof(two), 0};

        /* The same from one segment and from many. */
        build(&built, tree, &random, false);
        assert_int_equal(canonical_of(built.segments, built.count, &first), CAPN_OK);
        capn_reader_init(&reader, built.segments, built.count, CAPN_LIMITS_DEFAULT);
        canonical_at_once += capn_canonical_check(&reader) == CAPN_OK;
        build(&built, tree, &random, true);
        assert_int_equal(canonical_of(built.segments, built.count, &second), CAPN_OK);
        assert_int_equal(first.used, second.used);
        assert_memory_equal(one, two, first.used);

        /* Predicted, canonical, and its own canonical form. */
        capn_reader_init(&reader, built.segments, built.count, CAPN_LIMITS_DEFAULT);
        assert_int_equal(capn_canonical_words(capn_reader_root(&reader)) * 8, first.used);
        struct capn_segment form = {one, first.used / 8};
        capn_reader_init(&reader, &form, 1, CAPN_LIMITS_DEFAULT);
        assert_int_equal(capn_canonical_check(&reader), CAPN_OK);
        second.used = 0;
        assert_int_equal(canonical_of(&form, 1, &second), CAPN_OK);
        assert_int_equal(first.used, second.used);
        assert_memory_equal(one, two, first.used);

        /* A word less is too little, and nothing is written then. */
        second.used = 0;
        second.capacity = first.used - 8;
        assert_int_equal(canonical_of(&form, 1, &second), CAPN_OUTPUT_FULL);
        assert_int_equal(second.used, 0);
        /* A word more at the end is not canonical. */
        form.words++;
        memset(one + first.used, 0, 8);
        capn_reader_init(&reader, &form, 1, CAPN_LIMITS_DEFAULT);
        assert_int_equal(capn_canonical_check(&reader), CAPN_NOT_CANONICAL);
        capn_tree_free(tree);
    }
    assert_in_range(canonical_at_once, 1, 450);
}

/* Each bit of a canonical message that is flipped gives another message, or a refusal: two messages
 * with one canonical form would be two canonical forms of one message. */
static void canonical_form_is_unique(void **state)
{
    (void)state;
    static struct built built;
    static uint8_t one[MEMORY_WORDS * 8], two[MEMORY_WORDS * 8];
    struct test_random random;
    test_random_init(&random, 10);
    for (unsigned round = 0; round < 60; round++) {
        struct capn_tree *tree =
            small_tree(&random, (struct capn_tree_options){.depth = 3, .no_capabilities = true});
        build(&built, tree, &random, false);
        struct capn_output first = {one, sizeof(one), 0};
        assert_int_equal(canonical_of(built.segments, built.count, &first), CAPN_OK);
        struct capn_segment form = {one, first.used / 8};
        for (size_t bit = 0; bit < first.used * 8; bit++) {
            one[bit / 8] ^= (uint8_t)(1u << bit % 8);
            struct capn_reader reader;
            capn_reader_init(&reader, &form, 1, (struct capn_limits){100000, 64});
            if (capn_canonical_check(&reader) == CAPN_OK) {
                struct capn_output second = {two, sizeof(two), 0};
                assert_int_equal(canonical_of(&form, 1, &second), CAPN_OK);
                assert_int_equal(second.used, first.used);
                assert_memory_equal(one, two, first.used);
            }
            one[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        capn_tree_free(tree);
    }
}

static void canonical_refusals(void **state)
{
    (void)state;
    uint8_t bytes[3 * 8], room[64];
    struct capn_output output = {room, sizeof(room), 0};
    capn_store_u64(bytes, UINT64_C(1) << 48); /* struct of one pointer, right behind */
    capn_store_u64(bytes + 8, 3 | UINT64_C(5) << 32);
    struct capn_segment segment = {bytes, 2};
    assert_int_equal(canonical_of(&segment, 1, &output), CAPN_HAS_CAPABILITY);
    struct capn_reader reader;
    capn_reader_init(&reader, &segment, 1, CAPN_LIMITS_DEFAULT);
    assert_int_equal(capn_canonical_check(&reader), CAPN_HAS_CAPABILITY);

    /* The same object, one word later. */
    capn_store_u64(bytes, 4 | UINT64_C(1) << 32);
    capn_store_u64(bytes + 8, 0);
    capn_store_u64(bytes + 16, 1);
    segment.words = 3;
    capn_reader_init(&reader, &segment, 1, CAPN_LIMITS_DEFAULT);
    assert_int_equal(capn_canonical_check(&reader), CAPN_NOT_CANONICAL);
    assert_string_equal(reader.error.what, "struct");
    /* Three bits, and a fourth that is set. */
    capn_store_u64(bytes, 1 | UINT64_C(1) << 32 | UINT64_C(3) << 35);
    capn_store_u64(bytes + 8, 0xf);
    segment.words = 2;
    capn_reader_init(&reader, &segment, 1, CAPN_LIMITS_DEFAULT);
    assert_int_equal(capn_canonical_check(&reader), CAPN_NOT_CANONICAL);
    assert_string_equal(reader.error.what, "list's padding");
    assert_int_equal(canonical_of(&segment, 1, &output), CAPN_OK);
    assert_int_equal(room[8], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing),
        cmocka_unit_test(framing_refusals),
        cmocka_unit_test(framing_cut_anywhere),
        cmocka_unit_test(packing_vectors),
        cmocka_unit_test(packing_long_runs),
        cmocka_unit_test(packing_cut_anywhere),
        cmocka_unit_test(unpacking_noise),
        cmocka_unit_test(packed_messages),
        cmocka_unit_test(canonical_form),
        cmocka_unit_test(canonical_form_is_unique),
        cmocka_unit_test(canonical_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
