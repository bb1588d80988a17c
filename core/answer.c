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
 * Invariants:
 *  1. A FREE answer has id 0 and neither results, room, waiting calls nor work.
 *  2. Any other answer's id is not 0 and names its slot, with a generation that is not 0.
 *  3. Each call on an answer's waiting list names that answer; `waiting` counts them all, `used`
 * the answers that are not FREE.
 *  4. A PENDING answer has no work. An answer without work that is decided has nothing waiting, and
 *     is not finished.
 *  5. Every result is in exactly one chain, an answer's (`held` long) or the free one
 *     (`result_count` long); room is what PENDING answers were promised, `result_reserved` in all,
 *     and no more than are free.
 *  6. A BROKEN answer holds no result.
 *
 * Locks: the caller's. What can fail: opening an answer, finding a promise's target, finishing.
 */
#include "core/answer.h"

#include "core/string.h"

static struct answer *answer_of(struct list_node *work_node)
{
    return CONTAINER_OF(work_node, struct answer, work_node);
}

void answer_table_init(struct answer_table *table, struct answer_memory memory)
{
    ASSERT(memory.answer_count <= 1U << ANSWER_SLOT_BITS);
    ASSERT(memory.result_count <= UINT16_MAX);
    memset(table, 0, sizeof(*table));
    table->memory = memory;
    list_init(&table->work);
    memset(memory.answers, 0, memory.answer_count * sizeof(memory.answers[0]));
    memset(memory.results, 0, memory.result_count * sizeof(memory.results[0]));
    for (uint32_t i = 0; i < memory.answer_count; i++) {
        list_init(&memory.answers[i].waiting);
        memory.answers[i].first = ANSWER_RESULT_NONE;
    }
    table->result_free = ANSWER_RESULT_NONE;
    for (uint32_t i = memory.result_count; i > 0; i--) {
        memory.results[i - 1].next = table->result_free;
        table->result_free = i - 1;
    }
    table->result_count = memory.result_count;
}

static uint32_t id_slot(uint32_t id)
{
    return id & ((1U << ANSWER_SLOT_BITS) - 1);
}

static uint32_t id_generation(uint32_t id)
{
    return id >> ANSWER_SLOT_BITS;
}

/* The answer kept under `id`, or NULL. */
static struct answer *answer_find(const struct answer_table *table, uint32_t id)
{
    struct answer *answer;

    if (id_slot(id) >= table->memory.answer_count || id_generation(id) == 0) {
        return NULL;
    }
    answer = &table->memory.answers[id_slot(id)];
    return answer->id == id && !answer->finished ? answer : NULL;
}

enum transport_error answer_open(struct answer_table *table, uint32_t id, uint32_t results,
                                 void *owner, struct answer **opened)
{
    struct answer *answer;

    if (id_slot(id) >= table->memory.answer_count || id_generation(id) == 0) {
        return TRANSPORT_BAD_ANSWER;
    }
    answer = &table->memory.answers[id_slot(id)];
    if (answer->state != ANSWER_FREE) {
        return TRANSPORT_BAD_ANSWER;
    }
    if (results > table->result_count - table->result_reserved) {
        return TRANSPORT_LIMIT;
    }
    ASSERT(answer->id == 0 && list_is_empty(&answer->waiting));
    answer->id = id;
    answer->owner = owner;
    answer->state = ANSWER_PENDING;
    answer->room = (uint16_t)results;
    table->result_reserved += results;
    table->used++;
    *opened = answer;
    return TRANSPORT_OK;
}

void answer_add(struct answer_table *table, struct answer *answer, struct answer_path path,
                struct cap_id cap)
{
    uint32_t index = table->result_free;
    struct answer_result *result;

    ASSERT(answer->state == ANSWER_PENDING);
    ASSERT(answer->room > 0 && index != ANSWER_RESULT_NONE);
    result = &table->memory.results[index];
    table->result_free = result->next;
    table->result_count--;
    table->result_reserved--;
    *result = (struct answer_result){.cap = cap, .path = path, .next = answer->first};
    answer->first = index;
    answer->held++;
    answer->room--;
}

static void results_drop(struct answer_table *table, struct answer *answer)
{
    while (answer->first != ANSWER_RESULT_NONE) {
        uint32_t index = answer->first;
        struct answer_result *result = &table->memory.results[index];

        ASSERT(answer->held > 0);
        answer->first = result->next;
        answer->held--;
        result->next = table->result_free;
        table->result_free = index;
        table->result_count++;
    }
    ASSERT(answer->held == 0);
}

static void answer_free(struct answer_table *table, struct answer *answer)
{
    ASSERT(list_is_empty(&answer->waiting) && !list_node_is_linked(&answer->work_node));
    ASSERT(answer->room == 0 && table->used > 0);
    results_drop(table, answer);
    answer->id = 0;
    answer->owner = NULL;
    answer->state = ANSWER_FREE;
    answer->finished = false;
    table->used--;
}

bool answer_decide(struct answer_table *table, struct answer *answer, bool broken)
{
    ASSERT(answer->state == ANSWER_PENDING);
    table->result_reserved -= answer->room;
    answer->room = 0;
    answer->state = broken ? ANSWER_BROKEN : ANSWER_ANSWERED;
    if (broken) {
        results_drop(table, answer);
    }
    if (!list_is_empty(&answer->waiting)) {
        list_push_back(&table->work, &answer->work_node);
        return false;
    }
    if (answer->finished) {
        answer_free(table, answer);
    }
    return true;
}

/* What a decided answer has at `path`. The chain is newest first, so the last match was added
 * first. */
static enum answer_target target_at(const struct answer_table *table, const struct answer *answer,
                                    struct answer_path path, struct cap_id *cap)
{
    enum answer_target target = ANSWER_TARGET_NO_PATH;
    uint32_t index = answer->first;

    ASSERT(answer->state == ANSWER_ANSWERED || answer->state == ANSWER_BROKEN);
    if (answer->state == ANSWER_BROKEN) {
        return ANSWER_TARGET_BROKEN;
    }
    while (index != ANSWER_RESULT_NONE) {
        const struct answer_result *result = &table->memory.results[index];

        if (answer_path_equal(result->path, path)) {
            *cap = result->cap;
            target = ANSWER_TARGET_CAP;
        }
        index = result->next;
    }
    return target;
}

enum answer_target answer_target_find(const struct answer_table *table,
                                      const struct promise *promise, struct cap_id *cap)
{
    const struct answer *answer = answer_find(table, promise->answer);

    if (answer == NULL) {
        return ANSWER_TARGET_UNKNOWN;
    }
    if (answer->state == ANSWER_PENDING || list_node_is_linked(&answer->work_node)) {
        return ANSWER_TARGET_WAITS;
    }
    return target_at(table, answer, promise->path, cap);
}

void answer_wait(struct answer_table *table, const struct promise *promise,
                 struct answer_call *call)
{
    struct answer *answer = answer_find(table, promise->answer);

    ASSERT(answer != NULL && call->answer == NULL);
    ASSERT(answer->state == ANSWER_PENDING || list_node_is_linked(&answer->work_node));
    call->answer = answer;
    call->path = promise->path;
    list_push_back(&answer->waiting, &call->node);
    table->waiting++;
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
    struct answer *answer = answer_find(table, id);

    if (answer == NULL) {
        return TRANSPORT_BAD_ANSWER;
    }
    ASSERT(answer->state != ANSWER_FREE);
    answer->finished = true;
    if (answer->state != ANSWER_PENDING && !list_node_is_linked(&answer->work_node)) {
        answer_free(table, answer);
    }
    return TRANSPORT_OK;
}

enum answer_step answer_next(struct answer_table *table, struct answer_work *work)
{
    struct list_node *node = list_first(&table->work);
    struct answer *answer;

    *work = (struct answer_work){.call = NULL};
    if (node == NULL) {
        return ANSWER_STEP_NONE;
    }
    answer = answer_of(node);
    node = list_first(&answer->waiting);
    if (node != NULL) {
        work->call = CONTAINER_OF(node, struct answer_call, node);
        work->target = target_at(table, answer, work->call->path, &work->cap);
        answer_call_remove(table, work->call);
        return ANSWER_STEP_CALL;
    }
    work->owner = answer->owner;
    list_remove(&answer->work_node);
    if (answer->finished) {
        answer_free(table, answer);
    }
    return ANSWER_STEP_SETTLED;
}

enum answer_state answer_state_of(const struct answer_table *table, uint32_t id)
{
    const struct answer *answer = answer_find(table, id);

    return answer == NULL ? ANSWER_FREE : (enum answer_state)answer->state;
}

/* ---- the check ---------------------------------------------------------------------------------
 */

/* The length of a chain of results; more than there are means that it is circular. */
static uint32_t chain_length(const struct answer_table *table, uint32_t first)
{
    uint32_t length = 0;

    while (first != ANSWER_RESULT_NONE && length <= table->memory.result_count) {
        if (first >= table->memory.result_count) {
            return UINT32_MAX;
        }
        first = table->memory.results[first].next;
        length++;
    }
    return length;
}

static unsigned answer_check_one(const struct answer_table *table, uint32_t slot, uint32_t *waiting)
{
    const struct answer *answer = &table->memory.answers[slot];
    bool has_work = list_node_is_linked(&answer->work_node);
    size_t count = 0;

    if (list_check(&answer->waiting, table->waiting, &count) != 0) {
        return 3;
    }
    *waiting += (uint32_t)count;
    if (answer->state == ANSWER_FREE) {
        return answer->id != 0 || answer->held != 0 || answer->room != 0 || count != 0 ||
                       has_work || answer->finished
                   ? 1
                   : 0;
    }
    if (id_slot(answer->id) != slot || id_generation(answer->id) == 0) {
        return 2;
    }
    for (struct list_node *node = list_first(&answer->waiting); node != NULL;
         node = list_next(&answer->waiting, node)) {
        if (CONTAINER_OF(node, struct answer_call, node)->answer != answer) {
            return 3;
        }
    }
    if ((answer->state == ANSWER_PENDING && has_work) ||
        (answer->state != ANSWER_PENDING && !has_work && (count != 0 || answer->finished))) {
        return 4;
    }
    if (chain_length(table, answer->first) != answer->held ||
        (answer->state != ANSWER_PENDING && answer->room != 0)) {
        return 5;
    }
    return answer->state == ANSWER_BROKEN && answer->held != 0 ? 6 : 0;
}

unsigned answer_check(const struct answer_table *table)
{
    uint32_t waiting = 0;
    uint32_t used = 0;
    uint32_t held = 0;
    uint32_t room = 0;

    for (uint32_t slot = 0; slot < table->memory.answer_count; slot++) {
        unsigned broken = answer_check_one(table, slot, &waiting);

        if (broken != 0) {
            return broken;
        }
        used += table->memory.answers[slot].state != ANSWER_FREE;
        held += table->memory.answers[slot].held;
        room += table->memory.answers[slot].room;
    }
    if (waiting != table->waiting || used != table->used) {
        return 3;
    }
    if (chain_length(table, table->result_free) != table->result_count ||
        held + table->result_count != table->memory.result_count ||
        room != table->result_reserved || room > table->result_count) {
        return 5;
    }
    return 0;
}
