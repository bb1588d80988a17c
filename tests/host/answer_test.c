/* SPDX-License-Identifier: MIT */
/*
 * Answers and promised calls: each transition, chains broken from end to end, and misuse that
 * asserts. answer_walk_test.c walks at random.
 */
#include "tests/host/answer_fixture.h"

static int setup(void **state)
{
    (void)state;
    table_make(LIMIT_ANSWERS);
    return 0;
}

/* The state of the answer kept under `id`; FREE: none is. */
static enum answer_state state_of(uint32_t id)
{
    const struct answer *answer = answer_kept(&table, id);

    return answer == NULL ? ANSWER_FREE : (enum answer_state)answer->state;
}

/* covers: CALL/BAD_ANSWER, FINISH/BAD_ANSWER */
static void test_ids(void **state)
{
    struct answer *answer;
    struct cap_id cap;

    (void)state;
    assert_int_equal(answer_open(&table, id_make(LIMIT_ANSWERS, 1), &answer), TRANSPORT_BAD_ANSWER);
    assert_int_equal(answer_open(&table, id_make(3, 0), &answer), TRANSPORT_BAD_ANSWER);
    assert_int_equal(answer_finish(&table, 0), TRANSPORT_BAD_ANSWER);
    assert_int_equal(answer_finish(&table, id_make(3, 7)), TRANSPORT_BAD_ANSWER);
    answer = opened(id_make(3, 7));
    assert_int_equal(answer_open(&table, id_make(3, 8), &answer), TRANSPORT_BAD_ANSWER);
    assert_int_equal(answer_finish(&table, id_make(3, 8)), TRANSPORT_BAD_ANSWER);
    assert_int_equal(target_of(id_make(3, 8), 1, 0, &cap), ANSWER_TARGET_UNKNOWN);
    assert_int_equal(target_of(id_make(3, 7), 1, 0, &cap), ANSWER_TARGET_WAITS);
    assert_true(answer_decide(&table, answer, &good));
    assert_int_equal(answer_finish(&table, id_make(3, 7)), TRANSPORT_OK);
    assert_int_equal(answer_finish(&table, id_make(3, 7)), TRANSPORT_BAD_ANSWER);
    assert_int_equal(state_of(id_make(3, 7)), ANSWER_FREE);
    assert_int_equal(target_of(id_make(3, 7), 1, 0, &cap), ANSWER_TARGET_UNKNOWN);
    (void)opened(id_make(3, 8));
    assert_int_equal(target_of(id_make(3, 7), 1, 0, &cap), ANSWER_TARGET_UNKNOWN);
    assert_int_equal(answer_check(&table), 0);
}

static void test_paths(void **state)
{
    struct answer *answer = opened(id_make(0, 1));
    struct cap_id cap = {.raw = 0};

    (void)state;
    answer_add(&table, answer, path_make(1, 0), (struct cap_id){.raw = 11});
    answer_add(&table, answer, path_make(1, 1), (struct cap_id){.raw = 12});
    answer_add(&table, answer, path_make(2, 0), (struct cap_id){.raw = 13});
    answer_add(&table, answer, path_make(2, 0), (struct cap_id){.raw = 14});
    assert_true(answer_decide(&table, answer, &good));
    assert_int_equal(target_of(id_make(0, 1), 1, 0, &cap), ANSWER_TARGET_CAP);
    assert_int_equal(cap.raw, 11);
    assert_int_equal(target_of(id_make(0, 1), 1, 1, &cap), ANSWER_TARGET_CAP);
    assert_int_equal(cap.raw, 12);
    assert_int_equal(target_of(id_make(0, 1), 2, 0, &cap), ANSWER_TARGET_CAP);
    assert_int_equal(cap.raw, 13);
    assert_int_equal(target_of(id_make(0, 1), 2, 1, &cap), ANSWER_TARGET_NO_PATH);
    assert_int_equal(target_of(id_make(0, 1), 3, 0, &cap), ANSWER_TARGET_NO_PATH);
    assert_int_equal(answer_check(&table), 0);
}

/* The first capabilities that have a path can be promised; the others are not kept. */
static void test_room(void **state)
{
    struct answer *answer = opened(id_make(0, 1));
    struct cap_id cap;

    (void)state;
    answer_add(&table, answer, path_make(0, 0), (struct cap_id){.raw = 99});
    for (uint8_t i = 1; i <= LIMIT_ANSWER_CAPS + 1; i++) {
        answer_add(&table, answer, path_make(i, 0), (struct cap_id){.raw = i});
        assert_int_equal(answer_check(&table), 0);
    }
    assert_true(answer_decide(&table, answer, &good));
    for (uint8_t i = 1; i <= LIMIT_ANSWER_CAPS; i++) {
        assert_int_equal(target_of(id_make(0, 1), i, 0, &cap), ANSWER_TARGET_CAP);
        assert_int_equal(cap.raw, i);
    }
    assert_int_equal(target_of(id_make(0, 1), LIMIT_ANSWER_CAPS + 1, 0, &cap),
                     ANSWER_TARGET_NO_PATH);
    assert_int_equal(target_of(id_make(0, 1), 0, 0, &cap), ANSWER_TARGET_NO_PATH);
}

/* An exception gives nothing, whatever came with it; an error neither. */
static void test_broken(void **state)
{
    static const struct cqe *const completion[] = {&bad, &excepted};
    struct cap_id cap;

    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(completion); i++) {
        struct answer *answer = opened(id_make(i, 1));

        answer_add(&table, answer, path_make(1, 0), (struct cap_id){.raw = 1});
        assert_true(answer_decide(&table, answer, completion[i]));
        assert_int_equal(target_of(id_make(i, 1), 1, 0, &cap), ANSWER_TARGET_BROKEN);
        assert_int_equal(answer_check(&table), 0);
    }
}

/* Calls go out in their order, a late one behind the others, and the answer settles last. */
static void test_order(void **state)
{
    uint32_t id = id_make(5, 9);
    struct answer *answer = opened(id);
    struct answer_work work;
    struct cap_id cap;

    (void)state;
    wait_for(id, 1, &calls[0]);
    wait_for(id, 9, &calls[1]);
    wait_for(id, 1, &calls[2]);
    answer_add(&table, answer, path_make(1, 0), (struct cap_id){.raw = 77});
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_NONE);
    assert_false(answer_decide(&table, answer, &good));
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_CALL);
    assert_ptr_equal(work.call, &calls[0]);
    assert_int_equal(work.target, ANSWER_TARGET_CAP);
    assert_int_equal(work.cap.raw, 77);
    wait_for(id, 1, &calls[3]);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_CALL);
    assert_ptr_equal(work.call, &calls[1]);
    assert_int_equal(work.target, ANSWER_TARGET_NO_PATH);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_CALL);
    assert_ptr_equal(work.call, &calls[2]);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_CALL);
    assert_ptr_equal(work.call, &calls[3]);
    /* Until it is settled a promise still waits: nothing overtakes. */
    assert_int_equal(target_of(id, 1, 0, &cap), ANSWER_TARGET_WAITS);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_SETTLED);
    assert_memory_equal(&work.completion, &good, sizeof(good));
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_NONE);
    assert_int_equal(target_of(id, 1, 0, &cap), ANSWER_TARGET_CAP);
    assert_int_equal(state_of(id), ANSWER_ANSWERED);
}

/* FINISH of an answer that is under way: its id is gone, who waits gets what was promised. */
static void test_finish_pending(void **state)
{
    uint32_t id = id_make(1, 2);
    struct answer *answer = opened(id);
    struct answer_work work;
    struct cap_id cap;

    (void)state;
    wait_for(id, 1, &calls[0]);
    assert_int_equal(answer_finish(&table, id), TRANSPORT_OK);
    assert_int_equal(target_of(id, 1, 0, &cap), ANSWER_TARGET_UNKNOWN);
    assert_int_equal(answer_open(&table, id_make(1, 3), &answer), TRANSPORT_BAD_ANSWER);
    answer_add(&table, answer, path_make(1, 0), (struct cap_id){.raw = 5});
    assert_false(answer_decide(&table, answer, &good));
    assert_int_equal(answer_check(&table), 0);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_CALL);
    assert_int_equal(work.cap.raw, 5);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_SETTLED);
    assert_int_equal(table.used, 0);
    (void)opened(id_make(1, 3));
}

static void settle_kept(void *answer)
{
    answer_settle(&table, answer);
}

/* FINISH that releases: what a settled answer holds is the caller's to release; of one that is to
 * come it is the last work, after the calls that were promised from it. */
static void test_finish_release(void **state)
{
    struct answer_released released = {.count = 9};
    uint32_t id = id_make(1, 2);
    struct answer *answer = opened(id);
    struct answer_work work;
    struct cap_id cap;

    (void)state;
    assert_int_equal(answer_finish_release(&table, id_make(1, 3), &released), TRANSPORT_BAD_ANSWER);
    assert_int_equal(released.count, 0);
    answer_add(&table, answer, path_make(1, 0), (struct cap_id){.raw = 5});
    answer_add(&table, answer, path_make(2, 0), (struct cap_id){.raw = 6});
    assert_true(answer_decide(&table, answer, &good));
    assert_int_equal(answer_finish_release(&table, id, &released), TRANSPORT_OK);
    assert_int_equal(released.count, 2);
    assert_int_equal(released.cap[0].raw + released.cap[1].raw, 11);
    assert_int_equal(table.used, 0);
    answer = opened(id);
    wait_for(id, 1, &calls[0]);
    assert_int_equal(answer_finish_release(&table, id, &released), TRANSPORT_OK);
    assert_int_equal(released.count, 0);
    assert_int_equal(answer_check(&table), 0);
    assert_int_equal(answer_finish_release(&table, id, &released), TRANSPORT_BAD_ANSWER);
    answer_add(&table, answer, path_make(1, 0), (struct cap_id){.raw = 7});
    assert_null(answer_sole(&table, answer, &cap));
    assert_true(test_asserts(settle_kept, answer));
    assert_false(answer_decide(&table, answer, &good));
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_CALL);
    assert_int_equal(work.cap.raw, 7);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_RELEASE);
    assert_int_equal(work.cap.raw, 7);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_SETTLED);
    assert_int_equal(work.completion.result, good.result);
    assert_int_equal(table.used, 0);
    answer = opened(id); /* nobody waits: work all the same */
    assert_int_equal(answer_finish_release(&table, id, &released), TRANSPORT_OK);
    answer_add(&table, answer, path_make(1, 0), (struct cap_id){.raw = 8});
    assert_false(answer_decide(&table, answer, &good));
    assert_int_equal(answer_check(&table), 0);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_RELEASE);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_SETTLED);
    answer = opened(id); /* and none if it gives nothing */
    assert_int_equal(answer_finish_release(&table, id, &released), TRANSPORT_OK);
    answer_add(&table, answer, path_make(1, 0), (struct cap_id){.raw = 8});
    assert_true(answer_decide(&table, answer, &bad));
    assert_int_equal(table.used, 0);
    answer = opened(id); /* while its calls are sent */
    wait_for(id, 1, &calls[0]);
    answer_add(&table, answer, path_make(1, 0), (struct cap_id){.raw = 9});
    assert_false(answer_decide(&table, answer, &good));
    assert_int_equal(answer_finish_release(&table, id, &released), TRANSPORT_OK);
    assert_int_equal(released.count, 0);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_CALL);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_RELEASE);
    assert_int_equal(work.cap.raw, 9);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_SETTLED);
    assert_int_equal(table.used, 0);
}

static void relay(void *call)
{
    answer_relay(&table, call);
}

/* The short way of an answer that is for one call alone: as far as the table is concerned, it goes
 * with that. */
static void test_relay(void **state)
{
    struct answer_released released;
    uint32_t id = id_make(1, 2);
    struct answer *answer = opened(id);
    struct answer *other = opened(id_make(2, 2));

    (void)state;
    assert_null(answer_relays(&table, answer, path_make(1, 0))); /* nobody waits */
    wait_for(id, 1, &calls[0]);
    assert_null(answer_relays(&table, answer, path_make(1, 0))); /* it keeps what it gets */
    assert_true(test_asserts(relay, &calls[0]));
    assert_int_equal(answer_finish_release(&table, id, &released), TRANSPORT_OK);
    assert_null(answer_relays(&table, answer, path_make(2, 0))); /* at another path */
    assert_null(answer_relays(&table, answer, path_make(1, 1)));
    answer_wait(&table, &(struct promise){.answer = id_make(2, 2), .path = path_make(1, 0)},
                &calls[1]);
    assert_false(answer_decide(&table, other, &bad));
    assert_null(answer_relays(&table, answer, path_make(1, 0))); /* another was decided before */
    answer_call_remove(&table, &calls[1]);
    assert_int_equal(answer_next(&table, &(struct answer_work){0}), ANSWER_STEP_SETTLED);
    assert_ptr_equal(answer_relays(&table, answer, path_make(1, 0)), &calls[0]);
    answer_relay(&table, &calls[0]);
    assert_null(calls[0].answer);
    assert_int_equal(answer_check(&table), 0);
    assert_int_equal(table.used, 1);
    answer = opened(id);
    wait_for(id, 1, &calls[0]);
    wait_for(id, 1, &calls[1]);
    assert_int_equal(answer_finish_release(&table, id, &released), TRANSPORT_OK);
    assert_null(answer_relays(&table, answer, path_make(1, 0))); /* two wait */
    answer_call_remove(&table, &calls[1]);
    answer_add(&table, answer, path_make(2, 0), (struct cap_id){.raw = 7});
    assert_null(answer_relays(&table, answer, path_make(1, 0))); /* it has something */
    assert_false(answer_decide(&table, answer, &good));
    assert_null(answer_relays(&table, answer, path_make(1, 0))); /* decided */
}

/* A call that is cancelled while it waits is not sent; its own answer is the caller's to break. */
static void test_remove(void **state)
{
    uint32_t id = id_make(1, 2);
    struct answer *answer = opened(id);
    struct answer_work work;

    (void)state;
    wait_for(id, 1, &calls[0]);
    wait_for(id, 1, &calls[1]);
    answer_call_remove(&table, &calls[0]);
    assert_false(answer_decide(&table, answer, &bad));
    answer_call_remove(&table, &calls[1]);
    assert_int_equal(answer_next(&table, &work), ANSWER_STEP_SETTLED);
    assert_int_equal(state_of(id), ANSWER_BROKEN);
    assert_int_equal(answer_check(&table), 0);
}

/* A chain as long as the table: call i waits for answer i and would make answer i + 1. */
static void test_chain_breaks(void **state)
{
    struct answer *link[CALLS + 1];
    struct answer_work work;
    unsigned broken = 0;
    unsigned settled = 0;

    (void)state;
    for (uint32_t i = 0; i <= CALLS; i++) {
        link[i] = opened(id_make(i, 4));
    }
    for (uint32_t i = 0; i < CALLS; i++) {
        wait_for(id_make(i, 4), 1, &calls[i]);
    }
    assert_false(answer_decide(&table, link[0], &bad));
    for (;;) {
        enum answer_step step = answer_next(&table, &work);

        if (step == ANSWER_STEP_NONE) {
            break;
        }
        if (step == ANSWER_STEP_SETTLED) {
            settled++;
            continue;
        }
        assert_int_equal(work.target, ANSWER_TARGET_BROKEN);
        assert_ptr_equal(work.call, &calls[broken]);
        broken++;
        settled += answer_decide(&table, link[broken], &bad);
        assert_int_equal(answer_check(&table), 0);
    }
    assert_int_equal(broken, CALLS);
    assert_int_equal(settled, CALLS + 1);
    for (uint32_t i = 0; i <= CALLS; i++) {
        assert_int_equal(state_of(id_make(i, 4)), ANSWER_BROKEN);
        assert_int_equal(answer_finish(&table, id_make(i, 4)), TRANSPORT_OK);
    }
    assert_int_equal(table.used, 0);
    assert_int_equal(table.waiting, 0);
}

static void decide_again(void *answer)
{
    assert_true(answer_decide(&table, answer, &good));
}

static void add_one(void *answer)
{
    answer_add(&table, answer, path_make(1, 0), (struct cap_id){.raw = 1});
}

static void remove_call(void *call)
{
    answer_call_remove(&table, call);
}

static void test_misuse(void **state)
{
    struct answer *answer = opened(id_make(0, 1));

    (void)state;
    add_one(answer);
    assert_true(answer_decide(&table, answer, &good));
    assert_true(test_asserts(add_one, answer));
    assert_true(test_asserts(decide_again, answer));
    assert_true(test_asserts(remove_call, &calls[0]));
}

static void settle(void *answer)
{
    answer_settle(&table, answer);
}

static void withdraw(void *answer)
{
    answer_withdraw(&table, answer);
}

/* The short way: the one call that waits for an answer that is about to come. */
static void test_sole(void **state)
{
    uint32_t id = id_make(5, 9);
    struct answer *answer = opened(id);
    struct answer *other = opened(id_make(6, 1));
    struct cap_id cap = {.raw = 0};

    (void)state;
    assert_null(answer_sole(&table, answer, &cap)); /* nobody waits */
    wait_for(id, 1, &calls[0]);
    assert_null(answer_sole(&table, answer, &cap)); /* nothing is at its path */
    answer_add(&table, answer, path_make(2, 0), (struct cap_id){.raw = 12});
    assert_null(answer_sole(&table, answer, &cap));
    answer_add(&table, answer, path_make(1, 0), (struct cap_id){.raw = 11});
    assert_ptr_equal(answer_sole(&table, answer, &cap), &calls[0]);
    assert_int_equal(cap.raw, 11);
    wait_for(id, 2, &calls[1]);
    assert_null(answer_sole(&table, answer, &cap)); /* two wait */
    assert_true(test_asserts(settle, answer));
    answer_call_remove(&table, &calls[1]);
    wait_for(id_make(6, 1), 1, &calls[2]);
    assert_false(answer_decide(&table, other, &bad));
    assert_null(answer_sole(&table, answer, &cap)); /* another was decided before */
    answer_call_remove(&table, &calls[2]);
    assert_int_equal(answer_next(&table, &(struct answer_work){0}), ANSWER_STEP_SETTLED);
    assert_ptr_equal(answer_sole(&table, answer, &cap), &calls[0]);
    answer_settle(&table, answer);
    assert_int_equal(answer_check(&table), 0);
    assert_null(calls[0].answer);
    assert_int_equal(target_of(id, 1, 0, &cap), ANSWER_TARGET_CAP);
    assert_int_equal(answer_next(&table, &(struct answer_work){0}), ANSWER_STEP_NONE);
    assert_true(test_asserts(settle, answer)); /* decided */
    assert_int_equal(answer_finish(&table, id), TRANSPORT_OK);
    assert_int_equal(state_of(id), ANSWER_FREE);
}

/* The same of an answer that was finished meanwhile: it is gone. */
static void test_sole_finished(void **state)
{
    uint32_t id = id_make(5, 9);
    struct answer *answer = opened(id);
    struct cap_id cap = {.raw = 0};

    (void)state;
    wait_for(id, 1, &calls[0]);
    assert_int_equal(answer_finish(&table, id), TRANSPORT_OK);
    answer_add(&table, answer, path_make(1, 0), (struct cap_id){.raw = 11});
    assert_ptr_equal(answer_sole(&table, answer, &cap), &calls[0]);
    answer_settle(&table, answer);
    assert_int_equal(answer_check(&table), 0);
    assert_int_equal(table.used, 0);
    assert_true(test_asserts(withdraw, answer));
    answer = opened(id);
    answer_withdraw(&table, answer);
    assert_int_equal(answer_check(&table), 0);
    assert_int_equal(table.used, 0);
    answer_add(&table, opened(id), path_make(1, 0), (struct cap_id){.raw = 11});
    assert_true(test_asserts(withdraw, answer));
}

static void answer_again(void *answer)
{
    answer_at_once(&table, answer, 1, (struct cap_id){.raw = 1});
}

/* An answer that is there when its call was submitted. */
static void test_at_once(void **state)
{
    struct answer *answer = opened(id_make(3, 1));
    struct answer *empty = opened(id_make(4, 1));
    struct answer_released released;
    struct cap_id cap = {.raw = 0};

    (void)state;
    answer_at_once(&table, answer, 1, (struct cap_id){.raw = 7});
    answer_at_once(&table, empty, 0, (struct cap_id){.raw = 8});
    assert_int_equal(answer_check(&table), 0);
    assert_int_equal(target_of(id_make(3, 1), 1, 0, &cap), ANSWER_TARGET_CAP);
    assert_int_equal(cap.raw, 7);
    assert_int_equal(target_of(id_make(3, 1), 1, 1, &cap), ANSWER_TARGET_NO_PATH);
    assert_int_equal(target_of(id_make(4, 1), 1, 0, &cap), ANSWER_TARGET_NO_PATH);
    assert_int_equal(empty->held, 0);
    assert_int_equal(answer_finish_release(&table, id_make(4, 1), &released), TRANSPORT_OK);
    assert_int_equal(released.count, 0);
    assert_true(test_asserts(answer_again, answer));
    wait_for((uint32_t)opened(id_make(5, 1))->id, 1, &calls[0]);
    assert_true(test_asserts(answer_again, answer_opened(&table, id_make(5, 1))));
    assert_int_equal(answer_finish(&table, id_make(3, 1)), TRANSPORT_OK);
    assert_int_equal(state_of(id_make(3, 1)), ANSWER_FREE);
}

/* The check sees each kind of damage. */
static void test_check(void **state)
{
    struct answer *answer = opened(id_make(2, 1));

    (void)state;
    answer_add(&table, answer, path_make(1, 0), (struct cap_id){.raw = 1});
    assert_int_equal(answer_check(&table), 0);
    answers[4].id = 9;
    assert_int_equal(answer_check(&table), 1);
    answers[4].id = 0;
    answer->id = id_make(3, 1);
    assert_int_equal(answer_check(&table), 2);
    answer->id = id_make(2, 1);
    table.used++;
    assert_int_equal(answer_check(&table), 3);
    table.used--;
    answer->state = ANSWER_ANSWERED;
    answer->finished = true;
    assert_int_equal(answer_check(&table), 4);
    answer->finished = false;
    assert_int_equal(answer_check(&table), 0);
    table.work_count = 1;
    assert_int_equal(answer_check(&table), 5);
    answer->has_work = true;
    assert_int_equal(answer_check(&table), 5);
    table.work_first = 2;
    table.work_last = 2;
    assert_int_equal(answer_check(&table), 0);
    answer->state = ANSWER_BROKEN;
    assert_int_equal(answer_check(&table), 6);
    answer->held = 0;
    assert_int_equal(answer_check(&table), 0);
    answer->releases = true;
    assert_int_equal(answer_check(&table), 7);
    answer->finished = true;
    assert_int_equal(answer_check(&table), 0);
    answers[4].releases = true;
    assert_int_equal(answer_check(&table), 1);
}

static void test_an_answer_behind_the_table_is_not_kept(void **state)
{
    struct cap_id cap;

    (void)state;
    (void)opened(id_make(7, 1));
    table.memory.answer_count = 7; /* what lies behind a smaller table looks like one of its own */
    assert_int_equal(target_of(id_make(7, 1), 1, 0, &cap), ANSWER_TARGET_UNKNOWN);
    assert_int_equal(answer_finish(&table, id_make(7, 1)), TRANSPORT_BAD_ANSWER);
}

static void test_every_error_breaks_an_answer(void **state)
{
    (void)state;
    for (int32_t result = -1; result > -64; result--) {
        struct cqe completion = {.result = result};

        table_make(LIMIT_ANSWERS);
        assert_true(answer_decide(&table, opened(id_make(3, 1)), &completion));
        assert_int_equal(answers[3].state, ANSWER_BROKEN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_ids, setup),
        cmocka_unit_test_setup(test_paths, setup),
        cmocka_unit_test_setup(test_room, setup),
        cmocka_unit_test_setup(test_broken, setup),
        cmocka_unit_test_setup(test_order, setup),
        cmocka_unit_test_setup(test_finish_pending, setup),
        cmocka_unit_test_setup(test_finish_release, setup),
        cmocka_unit_test_setup(test_relay, setup),
        cmocka_unit_test_setup(test_remove, setup),
        cmocka_unit_test_setup(test_chain_breaks, setup),
        cmocka_unit_test_setup(test_misuse, setup),
        cmocka_unit_test_setup(test_sole, setup),
        cmocka_unit_test_setup(test_sole_finished, setup),
        cmocka_unit_test_setup(test_at_once, setup),
        cmocka_unit_test_setup(test_check, setup),
        cmocka_unit_test_setup(test_an_answer_behind_the_table_is_not_kept, setup),
        cmocka_unit_test_setup(test_every_error_breaks_an_answer, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
