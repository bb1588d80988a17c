/* SPDX-License-Identifier: MIT */
/*
 * Answers and promised calls: a random walk against a model of arrays, checked after each step, in
 * tables of the real size, of two and of one.
 */
#include "tests/host/answer_fixture.h"

#define RESULTS LIMIT_ANSWER_CAPS

struct model_answer {
    uint32_t id; /* 0: free */
    struct answer *answer;
    bool finished;
    bool releases;
    bool decided;
    bool broken;
    bool working;
    uint64_t order; /* when it was decided */
    unsigned held;
    struct answer_path path[RESULTS];
    uint64_t cap[RESULTS];
    unsigned waiting;
    unsigned call[CALLS];
};

static struct model_answer model[LIMIT_ANSWERS];
static int model_waits[CALLS]; /* slot, or -1 */
static uint64_t model_clock;
static uint32_t model_generation;
static unsigned model_answer_count;

static void model_free_if_done(struct model_answer *it)
{
    if (it->finished && it->decided && !it->working) {
        memset(it, 0, sizeof(*it));
    }
}

static void step_open(struct test_random *random)
{
    uint32_t slot = (uint32_t)test_random_below(random, model_answer_count);
    uint32_t id = id_make(slot, ++model_generation);
    struct answer *answer = NULL;
    enum transport_error error = answer_open(&table, id, &answer);

    if (model[slot].id != 0) {
        assert_int_equal(error, TRANSPORT_BAD_ANSWER);
    } else {
        assert_int_equal(error, TRANSPORT_OK);
        model[slot] = (struct model_answer){.id = id, .answer = answer};
    }
}

static void step_add(struct test_random *random)
{
    struct model_answer *it = &model[test_random_below(random, model_answer_count)];

    if (it->id != 0 && !it->decided && it->held < RESULTS) {
        it->path[it->held] = path_make((uint8_t)(1 + test_random_below(random, 3)),
                                       (uint8_t)test_random_below(random, 2));
        it->cap[it->held] = test_random_u64(random) | 1;
        answer_add(&table, it->answer, it->path[it->held],
                   (struct cap_id){.raw = it->cap[it->held]});
        it->held++;
    }
}

static void step_decide(struct test_random *random)
{
    struct model_answer *it = &model[test_random_below(random, model_answer_count)];
    struct cqe completion = {.user_data = it->id};

    if (it->id != 0 && !it->decided) {
        it->decided = true;
        it->broken = test_random_one_in(random, 3);
        completion.result = it->broken ? TRANSPORT_CANCELLED : 16;
        it->order = ++model_clock;
        it->held = it->broken ? 0 : it->held;
        it->working = it->waiting > 0 || (it->releases && it->held > 0);
        assert_int_equal(answer_decide(&table, it->answer, &completion), !it->working);
        model_free_if_done(it);
    }
}

static enum answer_target model_target(const struct model_answer *it, uint32_t id,
                                       struct answer_path path, uint64_t *cap)
{
    if (it->id == 0 || it->id != id || it->finished) {
        return ANSWER_TARGET_UNKNOWN;
    }
    if (!it->decided || it->working) {
        return ANSWER_TARGET_WAITS;
    }
    if (it->broken) {
        return ANSWER_TARGET_BROKEN;
    }
    for (unsigned i = 0; i < it->held; i++) {
        if (memcmp(&it->path[i], &path, sizeof(path)) == 0) {
            *cap = it->cap[i];
            return ANSWER_TARGET_CAP;
        }
    }
    return ANSWER_TARGET_NO_PATH;
}

static void step_promise(struct test_random *random)
{
    uint32_t slot = (uint32_t)test_random_below(random, model_answer_count);
    unsigned call = (unsigned)test_random_below(random, CALLS);
    struct model_answer *it = &model[slot];
    struct promise promise = promise_make(it->id, (uint8_t)(1 + test_random_below(random, 3)),
                                          (uint8_t)test_random_below(random, 2));
    struct cap_id cap = {.raw = 0};
    uint64_t expected = 0;
    enum answer_target target;

    if (test_random_one_in(random, 8)) {
        promise.answer += 1U << ANSWER_SLOT_BITS;
    }
    target = model_target(it, promise.answer, promise.path, &expected);
    assert_int_equal(answer_target_find(&table, &promise, &cap), target);
    assert_int_equal(cap.raw, expected);
    if (target == ANSWER_TARGET_WAITS && model_waits[call] < 0) {
        answer_wait(&table, &promise, &calls[call]);
        model_waits[call] = (int)slot;
        it->call[it->waiting++] = call;
    }
}

static void model_call_take(struct model_answer *it, unsigned call)
{
    unsigned at = 0;

    while (it->call[at] != call) {
        at++;
    }
    it->waiting--;
    memmove(&it->call[at], &it->call[at + 1], (it->waiting - at) * sizeof(it->call[0]));
    model_waits[call] = -1;
}

static void step_remove(struct test_random *random)
{
    unsigned call = (unsigned)test_random_below(random, CALLS);

    if (model_waits[call] >= 0) {
        model_call_take(&model[model_waits[call]], call);
        answer_call_remove(&table, &calls[call]);
    }
}

static void step_finish(struct test_random *random)
{
    struct model_answer *it = &model[test_random_below(random, model_answer_count)];
    uint32_t id = test_random_one_in(random, 8) ? it->id + (1U << ANSWER_SLOT_BITS) : it->id;
    bool known = it->id != 0 && it->id == id && !it->finished;

    bool releases = test_random_one_in(random, 2);
    struct answer_released released = {.count = 0};

    assert_int_equal(releases ? answer_finish_release(&table, id, &released)
                              : answer_finish(&table, id),
                     known ? TRANSPORT_OK : TRANSPORT_BAD_ANSWER);
    assert_int_equal(released.count,
                     known && releases && it->decided && !it->working ? it->held : 0);
    for (unsigned i = 0; i < released.count; i++) {
        assert_int_equal(released.cap[i].raw, it->cap[it->held - 1 - i]);
    }
    if (known) {
        it->finished = true;
        it->releases = releases;
        model_free_if_done(it);
    }
}

static void step_next(struct test_random *random)
{
    struct model_answer *oldest = NULL;
    struct answer_work work;
    enum answer_step step = answer_next(&table, &work);

    (void)random;
    for (unsigned i = 0; i < model_answer_count; i++) {
        if (model[i].working && (oldest == NULL || model[i].order < oldest->order)) {
            oldest = &model[i];
        }
    }
    if (oldest == NULL) {
        assert_int_equal(step, ANSWER_STEP_NONE);
    } else if (oldest->waiting == 0 && oldest->releases && oldest->held > 0) {
        assert_int_equal(step, ANSWER_STEP_RELEASE);
        assert_int_equal(work.cap.raw, oldest->cap[--oldest->held]);
    } else if (oldest->waiting == 0) {
        assert_int_equal(step, ANSWER_STEP_SETTLED);
        assert_int_equal(work.completion.user_data, oldest->id);
        assert_int_equal(work.completion.result < 0, oldest->broken);
        oldest->working = false;
        model_free_if_done(oldest);
    } else {
        struct model_answer settled = *oldest;
        uint64_t cap = 0;

        settled.working = false;
        settled.finished = false;
        assert_int_equal(step, ANSWER_STEP_CALL);
        assert_ptr_equal(work.call, &calls[oldest->call[0]]);
        assert_int_equal(work.target,
                         model_target(&settled, settled.id, calls[oldest->call[0]].path, &cap));
        assert_int_equal(work.cap.raw, cap);
        assert_null(work.call->answer);
        model_call_take(oldest, oldest->call[0]);
    }
}

static void walk(uint64_t seed, unsigned answer_count, unsigned steps)
{
    static void (*const step[])(struct test_random * random) = {
        step_open,    step_open,    step_add,    step_add,    step_decide, step_promise,
        step_promise, step_promise, step_remove, step_finish, step_next,   step_next,
    };
    struct test_random random;

    test_random_init(&random, seed);
    memset(model, 0, sizeof(model));
    for (unsigned i = 0; i < CALLS; i++) {
        model_waits[i] = -1;
    }
    model_answer_count = answer_count;
    table_make(answer_count);
    for (unsigned i = 0; i < steps; i++) {
        step[test_random_below(&random, ARRAY_COUNT(step))](&random);
        assert_int_equal(answer_check(&table), 0);
    }
}

static void test_walk(void **state)
{
    (void)state;
    walk(1, LIMIT_ANSWERS, 60000);
    walk(2, 12, 60000);
    walk(3, 2, 60000);
    walk(4, 1, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
