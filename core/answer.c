/* SPDX-License-Identifier: MIT */
/*
 * Answers and promised calls.
 *
 * Purpose. A chain of calls, each on what the one before returns, costs its caller one crossing: it
 * submits all of them and the kernel sends each one on when its target is known. The kernel never
 * looks into a message for that. Whoever answers says beside each capability at which pointer path
 * of the result it stands, the promise says which path it means, and the two are compared.
 *
 * Vocabulary. An answer is *decided* when its call has ended, well (ANSWERED) or not (BROKEN). It
 * is *settled* when besides nothing waits for it. A decided answer that is not settled has work:
 * each waiting call is taken off, first come first served, and sent to its target or refused.
 *
 *                 open            decide(false)                 finish
 *      FREE ------------> PENDING -------------> ANSWERED ------------------> FREE
 *                            |                                                 ^
 *                            |    decide(true)               finish            |
 *                            +-----------------> BROKEN -----------------------+
 *
 * finish takes the id away at once in every state; an answer that is not settled then keeps its
 * slot until it is. A promise of a decided answer that is not settled waits too, behind the others:
 * what was submitted first is sent first. The completion of an answer is posted when it settles, so
 * a caller that has seen it and calls the capability directly is behind every promised call.
 *
 * An answer names edges of its caller's own table by their ids; it holds none itself. So there is
 * one place for a process's capabilities, and a promised call is looked up exactly like a direct
 * one: an edge released, moved or revoked meanwhile refuses it. Breaking a chain of any length is
 * iterative: each call refused for a broken answer decides its own answer, which joins the work.
 *
 * finish may say that what the answer holds is released with it. Of an answer that is settled that
 * is the finisher's to do; of another it is the last work before it settles, so that calls promised
 * from it find their target, and who has seen its completion finds nothing.
 *
 * Invariants:
 *  1. A FREE answer has id 0 and neither results, waiting calls nor work.
 *  2. Any other answer's id is not 0 and names its slot, with a generation that is not 0.
 *  3. Each call on an answer's waiting list names that answer; `waiting` counts them all, `used`
 *     the answers that are not FREE.
 *  4. A PENDING answer has no work. An answer without work that is decided has nothing waiting, and
 *     is not finished.
 *  5. The work queue has exactly the answers with work, each once.
 *  6. An answer holds at most LIMIT_ANSWER_CAPS results, a BROKEN one none.
 *  7. What releases is finished.
 *
 * Locks: the caller's. What can fail: opening an answer, finding a promise's target, finishing.
 */
#include "core/answer.h"

#include "core/string.h"

void answer_table_init(struct answer_table *table, struct answer_memory memory)
{
    ASSERT(memory.answer_count <= 1U << ANSWER_SLOT_BITS);
    memset(table, 0, sizeof(*table));
    table->memory = memory;
    memset(memory.answers, 0, memory.answer_count * sizeof(memory.answers[0]));
    for (uint32_t i = 0; i < memory.answer_count; i++) {
        list_init(&memory.answers[i].waiting);
    }
}

static uint32_t id_generation(uint32_t id)
{
    return id >> ANSWER_SLOT_BITS;
}

static void answer_free(struct answer_table *table, struct answer *answer)
{
    ASSERT(list_is_empty(&answer->waiting) && !answer->has_work);
    ASSERT(table->used > 0);
    answer->id = 0;
    answer->held = 0;
    answer->state = ANSWER_FREE;
    answer->finished = false;
    answer->releases = false;
    table->used--;
}

void answer_withdraw(struct answer_table *table, struct answer *answer)
{
    ASSERT(answer->state == ANSWER_PENDING && answer->held == 0);
    answer_free(table, answer);
}

void answer_add(struct answer_table *table, struct answer *answer, struct answer_path path,
                struct cap_id cap)
{
    ASSERT(answer->state == ANSWER_PENDING);
    ASSERT(answer->held <= LIMIT_ANSWER_CAPS);
    if (answer->held == LIMIT_ANSWER_CAPS || path.step[0] == 0) {
        return;
    }
    answer_results(table, answer)[answer->held] = (struct answer_result){.cap = cap, .path = path};
    answer->held++;
}

static void work_push(struct answer_table *table, struct answer *answer)
{
    uint8_t slot = (uint8_t)(answer - table->memory.answers);

    ASSERT(!answer->has_work);
    if (table->work_count == 0) {
        table->work_first = slot;
    } else {
        table->memory.answers[table->work_last].work_next = slot;
    }
    table->work_last = slot;
    table->work_count++;
    answer->has_work = true;
}

static void work_pop(struct answer_table *table)
{
    struct answer *answer = &table->memory.answers[table->work_first];

    ASSERT(table->work_count > 0 && answer->has_work);
    answer->has_work = false;
    table->work_first = answer->work_next;
    table->work_count--;
}

bool answer_decide(struct answer_table *table, struct answer *answer, const struct cqe *completion)
{
    bool broken = completion->result < 0 || (completion->flags & CQE_EXCEPTION) != 0;

    ASSERT(answer->state == ANSWER_PENDING);
    answer->state = broken ? ANSWER_BROKEN : ANSWER_ANSWERED;
    if (broken) {
        answer->held = 0;
    }
    if (!list_is_empty(&answer->waiting) || (answer->releases && answer->held != 0)) {
        answer->completion = *completion;
        work_push(table, answer);
        return false;
    }
    if (answer->finished) {
        answer_free(table, answer);
    }
    return true;
}

/* The capability that `answer` has at `path`; NULL: none. */
static inline const struct answer_result *
result_at(const struct answer_table *table, const struct answer *answer, struct answer_path path)
{
    const struct answer_result *result = answer_results(table, answer);

    for (unsigned i = 0; i < answer->held; i++) {
        if (answer_path_equal(result[i].path, path)) {
            return &result[i];
        }
    }
    return NULL;
}

/* What a decided answer has at `path`. */
static enum answer_target target_at(const struct answer_table *table, const struct answer *answer,
                                    struct answer_path path, struct cap_id *cap)
{
    const struct answer_result *result = result_at(table, answer, path);

    ASSERT(answer->state == ANSWER_ANSWERED || answer->state == ANSWER_BROKEN);
    if (answer->state == ANSWER_BROKEN) {
        return ANSWER_TARGET_BROKEN;
    }
    if (result == NULL) {
        return ANSWER_TARGET_NO_PATH;
    }
    *cap = result->cap;
    return ANSWER_TARGET_CAP;
}

struct answer_call *answer_sole(const struct answer_table *table, const struct answer *answer,
                                struct cap_id *cap)
{
    struct list_node *node = list_first(&answer->waiting);
    const struct answer_result *result;
    struct answer_call *call;

    ASSERT(answer->state == ANSWER_PENDING);
    if (node == NULL || node != list_last(&answer->waiting) || table->work_count != 0 ||
        answer->releases) {
        return NULL;
    }
    call = CONTAINER_OF(node, struct answer_call, node);
    result = result_at(table, answer, call->path);
    if (result == NULL) {
        return NULL;
    }
    *cap = result->cap;
    return call;
}

void answer_settle(struct answer_table *table, struct answer *answer)
{
    struct list_node *node = list_first(&answer->waiting);

    ASSERT(answer->state == ANSWER_PENDING && node == list_last(&answer->waiting));
    ASSERT(!answer->releases);
    answer_call_remove(table, CONTAINER_OF(node, struct answer_call, node));
    answer->state = ANSWER_ANSWERED;
    if (answer->finished) {
        answer_free(table, answer);
    }
}

void answer_at_once(struct answer_table *table, struct answer *answer, uint8_t step,
                    struct cap_id cap)
{
    ASSERT(answer->state == ANSWER_PENDING && answer->held == 0 && !answer->finished);
    ASSERT(list_is_empty(&answer->waiting));
    if (step != 0) {
        *answer_results(table, answer) =
            (struct answer_result){.cap = cap, .path = {.step = {step}}};
        answer->held = 1;
    }
    answer->state = ANSWER_ANSWERED;
}

enum answer_target answer_target_find(const struct answer_table *table,
                                      const struct promise *promise, struct cap_id *cap)
{
    const struct answer *answer = answer_kept(table, promise->answer);

    if (answer == NULL) {
        return ANSWER_TARGET_UNKNOWN;
    }
    if (answer_is_awaited(answer)) {
        return ANSWER_TARGET_WAITS;
    }
    return target_at(table, answer, promise->path, cap);
}

void answer_wait(struct answer_table *table, const struct promise *promise,
                 struct answer_call *call)
{
    struct answer *answer = answer_kept(table, promise->answer);

    ASSERT(answer != NULL);
    answer_wait_for(table, answer, promise->path, call);
}

void answer_call_remove(struct answer_table *table, struct answer_call *call)
{
    ASSERT(call->answer != NULL && table->waiting > 0);
    list_remove(&call->node);
    call->answer = NULL;
    table->waiting--;
}

enum transport_error answer_finish(struct answer_table *table, uint32_t id)
{
    struct answer *answer = answer_kept(table, id);

    if (answer == NULL) {
        return TRANSPORT_BAD_ANSWER;
    }
    ASSERT(answer->state != ANSWER_FREE);
    answer->finished = true;
    if (answer->state != ANSWER_PENDING && !answer->has_work) {
        answer_free(table, answer);
    }
    return TRANSPORT_OK;
}

/* Takes the last of what the answer holds. */
static struct cap_id result_pop(const struct answer_table *table, struct answer *answer)
{
    ASSERT(answer->held > 0);
    answer->held--;
    return answer_results(table, answer)[answer->held].cap;
}

enum transport_error answer_finish_release(struct answer_table *table, uint32_t id,
                                           struct answer_released *released)
{
    struct answer *answer = answer_kept(table, id);

    released->count = 0;
    if (answer == NULL) {
        return TRANSPORT_BAD_ANSWER;
    }
    if (answer_is_awaited(answer)) {
        answer_finish_awaited(answer);
        return TRANSPORT_OK;
    }
    while (answer->held != 0) {
        released->cap[released->count++] = result_pop(table, answer);
    }
    answer_free(table, answer);
    return TRANSPORT_OK;
}

enum answer_step answer_next(struct answer_table *table, struct answer_work *work)
{
    struct answer *answer;
    struct list_node *node;

    if (table->work_count == 0) {
        return ANSWER_STEP_NONE;
    }
    answer = &table->memory.answers[table->work_first];
    node = list_first(&answer->waiting);
    if (node != NULL) {
        *work = (struct answer_work){.call = CONTAINER_OF(node, struct answer_call, node)};
        work->target = target_at(table, answer, work->call->path, &work->cap);
        answer_call_remove(table, work->call);
        return ANSWER_STEP_CALL;
    }
    if (answer->releases && answer->held != 0) {
        *work = (struct answer_work){.cap = result_pop(table, answer)};
        return ANSWER_STEP_RELEASE;
    }
    *work = (struct answer_work){.completion = answer->completion};
    work_pop(table);
    if (answer->finished) {
        answer_free(table, answer);
    }
    return ANSWER_STEP_SETTLED;
}

/* ---- the check ------------------------------------------------------------------------------- */

static unsigned answer_check_one(const struct answer_table *table, uint32_t slot, uint32_t *waiting)
{
    const struct answer *answer = &table->memory.answers[slot];
    size_t count = 0;

    if (list_check(&answer->waiting, table->waiting, &count) != 0) {
        return 3;
    }
    *waiting += (uint32_t)count;
    if (answer->state == ANSWER_FREE) {
        return answer->id != 0 || answer->held != 0 || count != 0 || answer->has_work ||
                       answer->finished || answer->releases
                   ? 1
                   : 0;
    }
    if (answer_id_slot(answer->id) != slot || id_generation(answer->id) == 0) {
        return 2;
    }
    for (struct list_node *node = list_first(&answer->waiting); node != NULL;
         node = list_next(&answer->waiting, node)) {
        if (CONTAINER_OF(node, struct answer_call, node)->answer != answer) {
            return 3;
        }
    }
    if ((answer->state == ANSWER_PENDING && answer->has_work) ||
        (answer->state != ANSWER_PENDING && !answer->has_work &&
         (count != 0 || answer->finished))) {
        return 4;
    }
    if (answer->held > LIMIT_ANSWER_CAPS || (answer->state == ANSWER_BROKEN && answer->held != 0)) {
        return 6;
    }
    return answer->releases && !answer->finished ? 7 : 0;
}

/* Invariant 5: as many on the queue as have work, all of them with work, the last one last. A queue
 * that met an answer twice would be longer than that. */
static bool work_queue_holds(const struct answer_table *table, uint32_t with_work)
{
    uint32_t slot = table->work_first;

    if (table->work_count != with_work) {
        return false;
    }
    for (uint32_t i = 0; i < with_work; i++) {
        if (slot >= table->memory.answer_count || !table->memory.answers[slot].has_work ||
            (slot == table->work_last) != (i + 1 == with_work)) {
            return false;
        }
        slot = table->memory.answers[slot].work_next;
    }
    return true;
}

unsigned answer_check(const struct answer_table *table)
{
    uint32_t waiting = 0;
    uint32_t used = 0;
    uint32_t with_work = 0;

    for (uint32_t slot = 0; slot < table->memory.answer_count; slot++) {
        unsigned broken = answer_check_one(table, slot, &waiting);

        if (broken != 0) {
            return broken;
        }
        used += table->memory.answers[slot].state != ANSWER_FREE;
        with_work += table->memory.answers[slot].has_work;
    }
    if (waiting != table->waiting || used != table->used) {
        return 3;
    }
    return work_queue_holds(table, with_work) ? 0 : 5;
}
