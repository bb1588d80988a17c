/* SPDX-License-Identifier: MIT */
/*
 * The reference model: PARK and UNPARK.
 *
 * Programs tell the model what they write into the words they park at, before they write it. A PARK
 * that waits found its value there at some moment of its dispatch; one that is told CHANGED did not
 * at some moment. Who waits is woken by an UNPARK of the same word, those that wait longest first;
 * an UNPARK says how many, and leaves nobody who waited before it while it had one left to wake.
 *
 * A word of a memory object is the object's, whoever names it: all who hold an edge of it meet
 * there. Nobody writes into one, so that it is 0; its page may be missing while nobody has found
 * it.
 */
#include "sim/model_inside.h"

#include "schema/generated/memory.capnp.h"

enum {
    WRITES = 1 << 13, /* of words in one run */
    PARKED = 1 << 12, /* ever in one run */
};

static struct write {
    uint64_t owner; /* thread in whose arena it lies */
    uint64_t pid;
    uint64_t address;
    uint32_t value;
    uint64_t time;
} writes[WRITES];
static uint32_t write_count;
static uint64_t parked[PARKED];
static uint32_t parked_count;
static uint64_t unparks[PARKED]; /* complete, in that order */
static uint32_t unpark_count;

void model_word(uint64_t owner, uint64_t address, uint32_t value)
{
    model_now++;
    if (write_count == WRITES) {
        model_disagree("the model has no room for another write");
        return;
    }
    writes[write_count++] = (struct write){owner, owner >> 16, address, value, model_now};
}

/* Whether the word lay in the arena of a thread that is gone: something else may be there. */
static bool word_is_gone(const struct model_submission *park)
{
    for (uint32_t i = write_count; park->sqe.cap.raw == 0 && i > 0; i--) {
        const struct write *write = &writes[i - 1];

        if (write->pid == park->pid && write->address == park->sqe.address) {
            return model_thread_is_gone(write->owner);
        }
    }
    return false;
}

/* The memory object whose word it names, by what its id is or was; 0: none, or it is not known. The
 * word's place in it is known from then on. */
static uint64_t word_object(struct model_submission *submission)
{
    if (submission->word_object == 0 && submission->sqe.cap.raw != 0) {
        struct model_history history =
            model_history(submission->pid, submission->sqe.cap.raw, submission->begun, model_now);

        if (history.held != NULL) {
            struct model_slice slice = model_slice(&history.held->edge);
            uint64_t address = submission->sqe.address;

            submission->word_object = history.held->edge.object;
            submission->word_of_slice = history.held->edge.badge != 0;
            submission->word_address = address < slice.pages * LIMIT_PAGE_BYTES
                                           ? slice.first * LIMIT_PAGE_BYTES + address
                                           : UINT64_MAX;
        }
    }
    return submission->word_object;
}

static bool is_in_object(struct model_submission *submission)
{
    return word_object(submission) != 0 && submission->word_address % sizeof(uint32_t) == 0;
}

/* Whether the word held (or, with `other`, did not hold) `value` at some moment since `since`.
 * *known: the word is one of those that programs park at. */
static bool word_was(struct model_submission *park, uint32_t value, bool other, bool *known)
{
    bool found = false;

    if (park->sqe.cap.raw != 0) {
        *known = is_in_object(park);
        return *known && (value == 0) != other;
    }
    *known = false;
    for (uint32_t i = write_count; i > 0; i--) {
        const struct write *write = &writes[i - 1];

        if (write->pid == park->pid && write->address == park->sqe.address) {
            *known = true;
            found |= (write->value == value) != other;
            if (write->time < park->begun) {
                break; /* what it held when the dispatch began */
            }
        }
    }
    return found;
}

/* The last moment at which the word held the PARK's value; UINT64_MAX: it holds it now. */
static uint64_t word_held_until(const struct model_submission *park)
{
    uint64_t until = UINT64_MAX;

    if (park->sqe.cap.raw != 0) {
        return until;
    }
    for (uint32_t i = write_count; i > 0; i--) {
        const struct write *write = &writes[i - 1];

        if (write->pid == park->pid && write->address == park->sqe.address) {
            if (write->value == park->sqe.value) {
                return until;
            }
            until = write->time;
        }
    }
    return until;
}

static bool same_word(struct model_submission *a, struct model_submission *b)
{
    if ((a->sqe.cap.raw == 0) != (b->sqe.cap.raw == 0)) {
        return false;
    }
    if (a->sqe.cap.raw == 0) {
        return a->pid == b->pid && a->sqe.address == b->sqe.address;
    }
    return word_object(a) != 0 && word_object(a) == word_object(b) &&
           a->word_address == b->word_address && a->word_address != UINT64_MAX;
}

/* Whether somebody found the page of the object's word before this began. */
static bool page_was_there(struct model_submission *park)
{
    for (uint32_t i = 0; i < parked_count; i++) {
        struct model_submission *other = model_find(parked[i]);

        if (other != park && other->sqe.cap.raw != 0 && other->dispatched < park->begun &&
            word_object(other) == word_object(park) &&
            other->word_address / LIMIT_PAGE_BYTES == park->word_address / LIMIT_PAGE_BYTES) {
            return true;
        }
    }
    return false;
}

void model_park_dispatched(uint64_t name, struct model_submission *park)
{
    bool known;

    if (park->wire != TRANSPORT_OK || park->state != MODEL_TAKEN) {
        return;
    }
    if (!word_was(park, park->sqe.value, false, &known) && !word_is_gone(park)) {
        model_disagree("submission %llu waits at a word that%s did not hold its value",
                       (unsigned long long)name, known ? "" : " nobody wrote and");
    }
    for (uint32_t i = unpark_count; i > 0; i--) {
        struct model_submission *unpark = model_find(unparks[i - 1]);

        if (same_word(unpark, park) && unpark->begun > park->begun &&
            unpark->begun > word_held_until(park) && !word_is_gone(park) &&
            unpark->woken < unpark->sqe.value && unpark->woken < LIMIT_UNPARK) {
            model_disagree("submission %llu waits, and %llu unparked after its word had changed: a "
                           "lost wake-up",
                           (unsigned long long)name, (unsigned long long)unparks[i - 1]);
        }
        if (unpark->ended < park->begun) {
            break;
        }
    }
    if (parked_count == PARKED) {
        model_disagree("the model has no room for another PARK");
        return;
    }
    parked[parked_count++] = name;
}

static void woken_verdict(const struct model_actor *actor, uint64_t name,
                          struct model_submission *park)
{
    struct model_submission *by = model_find(actor->submission);

    if (by == NULL || by->sqe.opcode != OPCODE_UNPARK || !same_word(by, park) ||
        by->woken >= by->sqe.value || by->woken >= LIMIT_UNPARK) {
        model_disagree("submission %llu was unparked by nobody", (unsigned long long)name);
        return;
    }
    by->woken++;
    for (uint32_t i = 0; i < parked_count; i++) {
        struct model_submission *other = model_find(parked[i]);

        if (parked[i] != name && other->state == MODEL_TAKEN && same_word(other, park) &&
            other->dispatched != 0 && other->dispatched < park->begun) {
            model_disagree("submission %llu was unparked before %llu, which waits longer",
                           (unsigned long long)name, (unsigned long long)parked[i]);
        }
    }
}

/* What is said of the capability of a PARK or UNPARK; true: the rest is to be judged. `method` is
 * the one of MemoryObject that its edge has to allow. */
static bool object_verdict(uint64_t name, struct model_submission *submission, unsigned method,
                           int32_t result)
{
    struct model_history history;
    int32_t permitted;

    if (submission->sqe.cap.raw == 0) {
        return true;
    }
    if (!model_cap_verdict(name, submission, result, &history)) {
        return false;
    }
    permitted = model_permits(&history.held->edge, MEMORY_OBJECT_INTERFACE_ID, method);
    if ((result == TRANSPORT_WRONG_INTERFACE || result == TRANSPORT_NO_METHOD
             ? result
             : TRANSPORT_OK) != permitted) {
        model_disagree("submission %llu: result %d where the edge says %d",
                       (unsigned long long)name, result, permitted);
    }
    return permitted == TRANSPORT_OK;
}

void model_park_verdict(const struct model_actor *actor, uint64_t name,
                        struct model_submission *park, const struct cqe *cqe)
{
    bool known;
    bool was;

    if (!object_verdict(name, park, MEMORY_OBJECT_METHOD_READ, cqe->result)) {
        return;
    }
    was = word_was(park, (uint32_t)cqe->refusal.amount, false, &known);
    known = known && !word_is_gone(park);
    switch (cqe->result) {
    case 0:
        woken_verdict(actor, name, park);
        break;
    case TRANSPORT_CHANGED:
        if (known && (!was || cqe->refusal.amount == park->sqe.value)) {
            model_disagree("submission %llu: CHANGED, and the word did not hold %llu",
                           (unsigned long long)name, (unsigned long long)cqe->refusal.amount);
        }
        break;
    case TRANSPORT_TIMEOUT:
        if (park->sqe.timeout_ns == UINT64_MAX) {
            model_disagree("submission %llu: TIMEOUT without a limit", (unsigned long long)name);
        }
        break;
    case TRANSPORT_BAD_BUFFER:
        if (known && (park->sqe.cap.raw == 0 || page_was_there(park))) {
            model_disagree("submission %llu: BAD_BUFFER for a word that is there",
                           (unsigned long long)name);
        }
        break;
    case TRANSPORT_LIMIT:
    case TRANSPORT_CANCELLED:
        break;
    default:
        model_disagree("submission %llu: PARK answered %d", (unsigned long long)name, cqe->result);
        break;
    }
}

void model_unpark_verdict(uint64_t name, struct model_submission *unpark, const struct cqe *cqe)
{
    if (!object_verdict(name, unpark, MEMORY_OBJECT_METHOD_WRITE, cqe->result) || cqe->result < 0) {
        if ((unpark->sqe.cap.raw == 0 || cqe->result == TRANSPORT_BAD_BUFFER) &&
            (cqe->result != TRANSPORT_BAD_BUFFER || unpark->sqe.address % sizeof(uint32_t) == 0) &&
            (word_object(unpark) == 0 || unpark->word_address != UINT64_MAX)) {
            model_disagree("submission %llu: UNPARK answered %d", (unsigned long long)name,
                           cqe->result);
        }
        return;
    }
    if (word_object(unpark) != 0 && unpark->word_of_slice && unpark->word_address == UINT64_MAX) {
        model_disagree("submission %llu: UNPARK of a word beyond its slice",
                       (unsigned long long)name);
    }
    if (unpark_count < PARKED) {
        unparks[unpark_count++] = name;
    }
    if ((uint32_t)cqe->result != unpark->woken) {
        model_disagree("submission %llu: UNPARK says %d, and woke %u", (unsigned long long)name,
                       cqe->result, unpark->woken);
    }
    for (uint32_t i = 0;
         unpark->woken < unpark->sqe.value && unpark->woken < LIMIT_UNPARK && i < parked_count;
         i++) {
        struct model_submission *other = model_find(parked[i]);

        if (other->state == MODEL_TAKEN && same_word(other, unpark) && other->dispatched != 0 &&
            other->dispatched < unpark->begun) {
            model_disagree("submission %llu: UNPARK left %llu, which waited before it",
                           (unsigned long long)name, (unsigned long long)parked[i]);
        }
    }
}

void model_park_revoked(uint64_t name, const struct model_submission *revoke, uint64_t handle)
{
    for (uint32_t i = 0; i < parked_count; i++) {
        const struct model_submission *park = model_find(parked[i]);
        struct model_history history;

        if (park->state != MODEL_TAKEN || park->sqe.cap.raw == 0 ||
            park->dispatched >= revoke->begun) {
            continue;
        }
        history = model_history(park->pid, park->sqe.cap.raw, park->begun, model_now);
        if (history.held != NULL && model_depth_below(handle, history.held->edge.grant) != 0) {
            model_disagree("submission %llu: REVOKE is over, and %llu waits through what it took",
                           (unsigned long long)name, (unsigned long long)parked[i]);
        }
    }
}

bool model_park_rests(const struct model_submission *park)
{
    return park->sqe.opcode == OPCODE_PARK && park->dispatched != 0;
}
