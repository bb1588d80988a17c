/* SPDX-License-Identifier: MIT */
/*
 * The frame bitmap against a naive model: one byte for each frame. All operations are interleaved
 * at random, and after each the free count, every answer and the invariants are compared.
 */
#include "tests/host/support.h"

#include "core/frame_bitmap.h"

#define MODEL_FRAMES_MAX 20000u

struct pair {
    struct frame_bitmap bitmap;
    uint64_t words[1024];
    bool used[MODEL_FRAMES_MAX];
    uint64_t frames;
};

static void pair_init(struct pair *pair, uint64_t frames)
{
    memset(pair, 0, sizeof(*pair));
    memset(pair->used, 1, sizeof(pair->used));
    pair->frames = frames;
    assert_int_equal(
        frame_bitmap_init(&pair->bitmap, pair->words, frame_bitmap_words_needed(frames), frames),
        STATUS_OK);
}

static void pair_compare(const struct pair *pair)
{
    uint64_t free_count = 0;

    for (uint64_t frame = 0; frame < pair->frames; frame++) {
        free_count += !pair->used[frame];
        if (frame_bitmap_is_free(&pair->bitmap, frame) == pair->used[frame]) {
            fail_msg("frame %llu differs from the model", (unsigned long long)frame);
        }
    }
    assert_int_equal(frame_bitmap_free_count(&pair->bitmap), free_count);
    assert_int_equal(frame_bitmap_check(&pair->bitmap), 0);
}

static bool model_any(const struct pair *pair, uint64_t first, uint64_t count, bool used)
{
    for (uint64_t frame = first; frame < first + count; frame++) {
        if (pair->used[frame] == used) {
            return true;
        }
    }
    return false;
}

static void model_set(struct pair *pair, uint64_t first, uint64_t count, bool used)
{
    for (uint64_t frame = first; frame < first + count; frame++) {
        pair->used[frame] = used;
    }
}

/* The lowest run the model can give, or UINT64_MAX. */
static uint64_t model_find_run(const struct pair *pair, const struct frame_run_request *request)
{
    uint64_t end = request->end != 0 && request->end < pair->frames ? request->end : pair->frames;
    uint64_t align = request->align == 0 ? 1 : request->align;

    for (uint64_t first = 0; first + request->count <= end; first += align) {
        if (first >= request->start && !model_any(pair, first, request->count, true)) {
            return first;
        }
    }
    return UINT64_MAX;
}

static void step_alloc(struct pair *pair)
{
    uint64_t frame = 0;
    enum status status = frame_bitmap_alloc(&pair->bitmap, &frame);

    if (!model_any(pair, 0, pair->frames, false)) {
        assert_int_equal(status, STATUS_NO_MEMORY);
        return;
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(frame < pair->frames);
    assert_false(pair->used[frame]);
    pair->used[frame] = true;
}

static void step_alloc_contiguous(struct pair *pair, struct test_random *random)
{
    struct frame_run_request request = {
        .count = 1 + test_random_below(random, 150),
        .align = UINT64_C(1) << test_random_below(random, 8),
        .start = test_random_one_in(random, 2) ? 0 : test_random_below(random, pair->frames),
        .end = test_random_one_in(random, 2) ? 0 : test_random_below(random, pair->frames + 100),
    };
    uint64_t expected = model_find_run(pair, &request);
    uint64_t first = 0;
    enum status status = frame_bitmap_alloc_contiguous(&pair->bitmap, &request, &first);

    if (expected == UINT64_MAX) {
        assert_int_equal(status, STATUS_NO_MEMORY);
        return;
    }
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(first, expected);
    model_set(pair, first, request.count, true);
}

static void step_free(struct pair *pair, struct test_random *random)
{
    uint64_t first = test_random_below(random, pair->frames + 10);
    uint64_t count = test_random_one_in(random, 2) ? 1 : 1 + test_random_below(random, 100);
    enum status status = count == 1 ? frame_bitmap_free(&pair->bitmap, first)
                                    : frame_bitmap_free_contiguous(&pair->bitmap, first, count);

    if (first + count > pair->frames) {
        assert_int_equal(status, STATUS_OUT_OF_RANGE);
    } else if (model_any(pair, first, count, false)) {
        assert_int_equal(status, STATUS_NOT_ALLOCATED);
    } else {
        assert_int_equal(status, STATUS_OK);
        model_set(pair, first, count, false);
    }
}

static void step_mark_used(struct pair *pair, struct test_random *random)
{
    uint64_t first = test_random_below(random, pair->frames + 10);
    uint64_t count = test_random_below(random, 200);
    enum status status = frame_bitmap_mark_used(&pair->bitmap, first, count);

    if (first + count > pair->frames) {
        assert_int_equal(status, STATUS_OUT_OF_RANGE);
    } else {
        assert_int_equal(status, STATUS_OK);
        model_set(pair, first, count, true);
    }
}

static void operations_agree_with_the_model(void **state)
{
    static const uint64_t sizes[] = {1, 2, 63, 64, 65, 127, 1000, 4096, 4097, 10007};
    static struct pair pair;
    (void)state;

    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        struct test_random random;

        test_random_init(&random, 0xf4a3e + i);
        pair_init(&pair, sizes[i]);
        for (unsigned step = 0; step < 3000; step++) {
            switch (test_random_below(&random, 4)) {
            case 0:
                step_alloc(&pair);
                break;
            case 1:
                step_alloc_contiguous(&pair, &random);
                break;
            case 2:
                step_free(&pair, &random);
                break;
            default:
                if (test_random_one_in(&random, 4)) {
                    step_mark_used(&pair, &random);
                } else {
                    step_alloc(&pair);
                }
                break;
            }
            if (step % 16 == 0 || sizes[i] < 200) {
                pair_compare(&pair);
            }
        }
        pair_compare(&pair);
    }
}

/* Takes every frame one by one, gives all back in random order; each exactly once. */
static void every_frame_comes_once(void **state)
{
    static struct pair pair;
    static uint64_t taken[MODEL_FRAMES_MAX];
    struct test_random random;
    uint64_t frame = 0;
    (void)state;

    test_random_init(&random, 7);
    pair_init(&pair, MODEL_FRAMES_MAX);
    assert_int_equal(frame_bitmap_add_free_range(&pair.bitmap, 0, MODEL_FRAMES_MAX), STATUS_OK);
    for (uint64_t i = 0; i < MODEL_FRAMES_MAX; i++) {
        assert_int_equal(frame_bitmap_alloc(&pair.bitmap, &frame), STATUS_OK);
        assert_int_equal(frame, i); /* next fit from an empty bitmap goes in order */
        taken[i] = frame;
    }
    assert_int_equal(frame_bitmap_alloc(&pair.bitmap, &frame), STATUS_NO_MEMORY);
    for (uint64_t i = MODEL_FRAMES_MAX; i > 0; i--) {
        uint64_t other = test_random_below(&random, i);

        assert_int_equal(frame_bitmap_free(&pair.bitmap, taken[other]), STATUS_OK);
        assert_int_equal(frame_bitmap_free(&pair.bitmap, taken[other]), STATUS_NOT_ALLOCATED);
        taken[other] = taken[i - 1];
    }
    assert_int_equal(frame_bitmap_free_count(&pair.bitmap), MODEL_FRAMES_MAX);
    assert_int_equal(frame_bitmap_check(&pair.bitmap), 0);
}

static void next_fit_does_not_reuse_at_once(void **state)
{
    static struct pair pair;
    uint64_t first = 0;
    uint64_t second = 0;
    (void)state;

    pair_init(&pair, 200);
    assert_int_equal(frame_bitmap_add_free_range(&pair.bitmap, 100, 100), STATUS_OK);
    assert_int_equal(frame_bitmap_alloc(&pair.bitmap, &first), STATUS_OK);
    assert_int_equal(first, 100);
    assert_int_equal(frame_bitmap_free(&pair.bitmap, first), STATUS_OK);
    assert_int_equal(frame_bitmap_alloc(&pair.bitmap, &second), STATUS_OK);
    assert_int_equal(second, 101);
}

static void bad_arguments_are_refused_and_change_nothing(void **state)
{
    static struct pair pair;
    static struct frame_bitmap before;
    struct frame_run_request request = {.count = 0, .align = 1};
    uint64_t words[4];
    uint64_t first = 0;
    (void)state;

    assert_int_equal(frame_bitmap_words_needed(0), 0);
    assert_int_not_equal(frame_bitmap_words_needed(FRAME_BITMAP_FRAMES_MAX), 0);
    assert_int_equal(frame_bitmap_words_needed(FRAME_BITMAP_FRAMES_MAX + 1), 0);
    assert_int_equal(frame_bitmap_words_needed(64), 1);
    assert_int_equal(frame_bitmap_words_needed(65), 3);
    assert_int_equal(frame_bitmap_words_needed(64 * 64 + 1), 65 + 2 + 1);
    assert_int_equal(frame_bitmap_init(&pair.bitmap, words, 4, 0), STATUS_INVALID_ARGUMENT);
    assert_int_equal(frame_bitmap_init(&pair.bitmap, words, 2, 65), STATUS_TOO_LARGE);

    pair_init(&pair, 300);
    assert_int_equal(frame_bitmap_add_free_range(&pair.bitmap, 10, 20), STATUS_OK);
    before = pair.bitmap;
    assert_int_equal(frame_bitmap_add_free_range(&pair.bitmap, 0, 301), STATUS_OUT_OF_RANGE);
    assert_int_equal(frame_bitmap_add_free_range(&pair.bitmap, 5, UINT64_MAX), STATUS_OUT_OF_RANGE);
    assert_int_equal(frame_bitmap_add_free_range(&pair.bitmap, 0, 11), STATUS_NOT_ALLOCATED);
    assert_int_equal(frame_bitmap_mark_used(&pair.bitmap, 300, 1), STATUS_OUT_OF_RANGE);
    assert_int_equal(frame_bitmap_free(&pair.bitmap, 300), STATUS_OUT_OF_RANGE);
    assert_int_equal(frame_bitmap_free(&pair.bitmap, UINT64_MAX), STATUS_OUT_OF_RANGE);
    assert_int_equal(frame_bitmap_free(&pair.bitmap, 10), STATUS_NOT_ALLOCATED);
    assert_int_equal(frame_bitmap_alloc_contiguous(&pair.bitmap, &request, &first),
                     STATUS_INVALID_ARGUMENT);
    request = (struct frame_run_request){.count = 1, .align = 3};
    assert_int_equal(frame_bitmap_alloc_contiguous(&pair.bitmap, &request, &first),
                     STATUS_INVALID_ARGUMENT);
    request = (struct frame_run_request){.count = UINT64_MAX, .align = UINT64_C(1) << 63};
    assert_int_equal(frame_bitmap_alloc_contiguous(&pair.bitmap, &request, &first),
                     STATUS_NO_MEMORY);
    assert_memory_equal(&before, &pair.bitmap, sizeof(before));
    assert_int_equal(frame_bitmap_check(&pair.bitmap), 0);
}

/* Every second frame is used: a bounded search must give up, say where, and finish when resumed. */
static void bounded_search_resumes(void **state)
{
    static struct pair pair;
    struct frame_run_request request = {.count = 2, .tries_max = 10};
    uint64_t first = 0;
    unsigned rounds = 0;
    enum status status;
    (void)state;

    pair_init(&pair, 1000);
    for (uint64_t frame = 0; frame < 998; frame += 2) {
        assert_int_equal(frame_bitmap_add_free_range(&pair.bitmap, frame, 1), STATUS_OK);
    }
    assert_int_equal(frame_bitmap_add_free_range(&pair.bitmap, 998, 2), STATUS_OK);
    do {
        status = frame_bitmap_alloc_contiguous(&pair.bitmap, &request, &first);
        assert_true(status != STATUS_BUSY || first > request.start);
        request.start = first;
        rounds++;
    } while (status == STATUS_BUSY);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(first, 998);
    assert_int_equal(rounds, 50);
}

/* 64 GiB: four levels. The last frame is found from the first without a scan of the words between.
 */
static void large_memory_is_found_through_the_summaries(void **state)
{
    uint64_t frames = UINT64_C(1) << 24;
    uint64_t count = frame_bitmap_words_needed(frames);
    uint64_t *words = malloc(count * sizeof(*words));
    struct frame_bitmap bitmap;
    uint64_t frame = 0;
    (void)state;

    assert_non_null(words);
    assert_int_equal(frame_bitmap_init(&bitmap, words, count, frames), STATUS_OK);
    assert_int_equal(bitmap.level_count, 4);
    for (unsigned round = 0; round < 1000; round++) {
        assert_int_equal(frame_bitmap_alloc(&bitmap, &frame), STATUS_NO_MEMORY);
        assert_int_equal(frame_bitmap_free(&bitmap, frames - 1), STATUS_OK);
        assert_int_equal(frame_bitmap_alloc(&bitmap, &frame), STATUS_OK);
        assert_int_equal(frame, frames - 1);
    }
    assert_int_equal(frame_bitmap_check(&bitmap), 0);
    free(words);
}

/* The check itself must notice each kind of damage. */
static void check_finds_damage(void **state)
{
    static struct pair pair;
    (void)state;

    pair_init(&pair, 5000);
    assert_int_equal(frame_bitmap_add_free_range(&pair.bitmap, 0, 5000), STATUS_OK);
    pair.bitmap.level[0][78] &= ~(UINT64_C(1) << 63);
    assert_int_equal(frame_bitmap_check(&pair.bitmap), 1);
    pair.bitmap.level[0][78] |= UINT64_C(1) << 63;
    pair.bitmap.level[1][0] |= 2;
    assert_int_equal(frame_bitmap_check(&pair.bitmap), 2);
    pair.bitmap.level[1][0] &= ~UINT64_C(2);
    pair.bitmap.level_words[1]++;
    assert_int_equal(frame_bitmap_check(&pair.bitmap), 3);
    pair.bitmap.level_words[1]--;
    pair.bitmap.level[0][5] |= 8;
    assert_int_equal(frame_bitmap_check(&pair.bitmap), 4);
    pair.bitmap.level[0][5] &= ~UINT64_C(8);
    pair.bitmap.next = 5000;
    assert_int_equal(frame_bitmap_check(&pair.bitmap), 5);
    pair.bitmap.next = 0;
    assert_int_equal(frame_bitmap_check(&pair.bitmap), 0);
}

static void a_bitmap_writes_the_words_that_it_needs(void **state)
{
    struct frame_bitmap bitmap;
    uint64_t words[8];
    uint64_t needed = frame_bitmap_words_needed(130);

    (void)state;
    assert_in_range(needed, 3, ARRAY_COUNT(words) - 1);
    memset(words, 0, sizeof(words));
    assert_int_equal(frame_bitmap_init(&bitmap, words, ARRAY_COUNT(words), 130), STATUS_OK);
    assert_true(words[needed - 1] != 0);
    assert_true(words[needed] == 0);
}

static void no_frames_are_added_or_taken(void **state)
{
    struct frame_bitmap bitmap;
    uint64_t words[4];

    (void)state;
    assert_int_equal(frame_bitmap_init(&bitmap, words, ARRAY_COUNT(words), 100), STATUS_OK);
    for (uint64_t first = 0; first <= 100; first++) {
        assert_int_equal(frame_bitmap_add_free_range(&bitmap, first, 0), STATUS_OK);
        assert_int_equal(frame_bitmap_mark_used(&bitmap, first, 0), STATUS_OK);
        assert_int_equal(frame_bitmap_free_contiguous(&bitmap, first, 0), STATUS_OK);
    }
    assert_int_equal(bitmap.free_count, 0);
    assert_int_equal(frame_bitmap_check(&bitmap), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_agree_with_the_model),
        cmocka_unit_test(every_frame_comes_once),
        cmocka_unit_test(next_fit_does_not_reuse_at_once),
        cmocka_unit_test(bad_arguments_are_refused_and_change_nothing),
        cmocka_unit_test(bounded_search_resumes),
        cmocka_unit_test(large_memory_is_found_through_the_summaries),
        cmocka_unit_test(check_finds_damage),
        cmocka_unit_test(a_bitmap_writes_the_words_that_it_needs),
        cmocka_unit_test(no_frames_are_added_or_taken),
    };

    return cmocka_run_group_tests_name("frame_bitmap", tests, NULL, NULL);
}
