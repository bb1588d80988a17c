/* SPDX-License-Identifier: MIT */
/* Checks of test programs. */
#include "tests/programs/support/check.h"

#include "abi/ledgers.h"

bool check_note(struct check *check, bool good, const char *expression, unsigned line)
{
    if (good) {
        check->passed++;
    } else {
        check->failed++;
        (void)rt_print(check->rt, "%.32s: FAILED at line %u: %s\n", check->rt->start->process_name,
                       line, expression);
    }
    return good;
}

bool check_numbers(struct check *check, int64_t found, int64_t expected, unsigned line)
{
    if (found == expected) {
        check->passed++;
        return true;
    }
    check->failed++;
    (void)rt_print(check->rt, "%.32s: FAILED at line %u: %lld (%s), expected %lld (%s)\n",
                   check->rt->start->process_name, line, (long long)found,
                   rt_status_name((int32_t)found), (long long)expected,
                   rt_status_name((int32_t)expected));
    return false;
}

struct rt_operation check_submit(struct check *check, struct rt_ring *ring, const struct sqe *entry)
{
    struct rt_operation operation = {.id = 0};

    CHECK_EQUAL(check, rt_ring_submit(ring, entry, &operation), TRANSPORT_OK);
    return operation;
}

struct cqe check_completion(struct check *check, struct rt_ring *ring,
                            struct rt_operation operation)
{
    struct cqe completion = {.result = INT32_MIN};

    CHECK_EQUAL(check, rt_ring_wait(ring, operation, TIMEOUT_NONE, &completion), TRANSPORT_OK);
    if (completion.result < 0) { /* however late it came, the refusal says why */
        CHECK_EQUAL(check, completion.refusal.reason, (uint16_t)-completion.result);
    }
    return completion;
}

/* Errors that may be about nothing that the entry says. */
static bool is_about_nothing(int32_t error)
{
    switch (error) {
    case TRANSPORT_LIMIT:
    case TRANSPORT_NO_MEMORY:
    case TRANSPORT_CANCELLED:
    case TRANSPORT_PEER_GONE:
    case TRANSPORT_PEER_RESTARTED:
    case TRANSPORT_TIMEOUT:
        return true;
    default:
        return false;
    }
}

/* The number that the entry has where it was refused. */
static uint64_t argument_number(const struct sqe *entry, unsigned argument)
{
    switch (argument) {
    case ARGUMENT_OPCODE:
        return entry->opcode;
    case ARGUMENT_FLAGS:
        return entry->flags;
    case ARGUMENT_METHOD:
        return entry->method;
    case ARGUMENT_CAP:
        return entry->cap.raw;
    case ARGUMENT_INTERFACE:
    case ARGUMENT_TOKEN:
    case ARGUMENT_FACET:
    case ARGUMENT_TARGET:
        return entry->interface_id; /* one place */
    case ARGUMENT_MESSAGE:
    case ARGUMENT_ADDRESS:
        return entry->message; /* so are these */
    case ARGUMENT_MESSAGE_BYTES:
        return entry->message_bytes;
    case ARGUMENT_RESULT:
        return entry->result;
    case ARGUMENT_RESULT_BYTES:
        return entry->result_bytes;
    case ARGUMENT_TRANSFERS:
        return entry->transfers;
    case ARGUMENT_SPARE:
        return entry->spare;
    default:
        return entry->answer; /* or slot, or value */
    }
}

/* Whether `refusal` says of `error` what it met, where that is another number than the entry's. */
static bool tells_what_it_met(const struct sqe *entry, int32_t error, const struct refusal *refusal)
{
    switch (refusal->argument) {
    case ARGUMENT_NONE:
        return is_about_nothing(error) &&
               (error != TRANSPORT_LIMIT || (refusal->limit | refusal->amount) != 0);
    case ARGUMENT_CAP: /* the transfer mode; of a promised call, what the answer held */
        return error == TRANSPORT_NOT_GRANTABLE || (entry->flags & SQE_PROMISED) != 0 ||
               (error == TRANSPORT_LIMIT && refusal->limit != 0 &&
                (refusal->amount == 0 || refusal->amount == refusal->limit + 1));
    case ARGUMENT_TARGET: /* the pid */
        return error == TRANSPORT_PEER_GONE && refusal->amount != 0;
    case ARGUMENT_TRANSFERS: /* which of them, or the sizes */
        return refusal->amount < entry->transfers ||
               (error == TRANSPORT_NO_ROOM && refusal->amount > refusal->limit);
    case ARGUMENT_MESSAGE_BYTES: /* what the caller of an answer has room for */
        return error == TRANSPORT_NO_ROOM && refusal->amount > refusal->limit;
    case ARGUMENT_RESULT_BYTES: /* an answer longer than the room */
        return refusal->limit == entry->result_bytes && refusal->amount > refusal->limit;
    case ARGUMENT_ANSWER:
    case ARGUMENT_PATH:
        return (entry->flags & SQE_PROMISED) != 0 && refusal->amount == entry->promise.answer;
    case ARGUMENT_VALUE:
        return error == TRANSPORT_CHANGED && refusal->amount != entry->value;
    default:
        return error == TRANSPORT_LIMIT && refusal->argument >= ARGUMENT_LEDGER &&
               refusal->argument < ARGUMENT_LEDGER + LEDGER_LINES && refusal->amount != 0;
    }
}

void check_refusal(struct check *check, const struct sqe *entry, const struct cqe *completion)
{
    const struct refusal *refusal = &completion->refusal;

    if (completion->result >= 0) {
        return;
    }
    if (!tells_what_it_met(entry, completion->result, refusal) &&
        (refusal->argument == ARGUMENT_NONE || refusal->argument >= ARGUMENT_LEDGER ||
         refusal->amount != argument_number(entry, refusal->argument))) {
        (void)rt_print(check->rt, "%.32s: opcode %u, %s: argument %u, amount %llx, limit %u\n",
                       check->rt->start->process_name, entry->opcode,
                       rt_status_name(completion->result), refusal->argument,
                       (unsigned long long)refusal->amount, refusal->limit);
        CHECK(check, false);
        return;
    }
    check->passed++;
}

struct cqe check_done(struct check *check, struct rt_ring *ring, const struct sqe *entry)
{
    struct cqe completion = check_completion(check, ring, check_submit(check, ring, entry));

    check_refusal(check, entry, &completion);
    return completion;
}

struct cap_id check_held(struct check *check, const char *name)
{
    struct cap_id cap = {.raw = 0};

    CHECK_EQUAL(check, rt_find(check->rt, name, 0, &cap), TRANSPORT_OK);
    return cap;
}

struct manifest_quotas check_quotas(void)
{
    return (struct manifest_quotas){.slots = 8,
                                    .frames = 96,
                                    .ring_bytes = RING_BYTES,
                                    .outstanding_calls = 4,
                                    .scratch_bytes = 2048,
                                    .threads = 1,
                                    .log_bytes = 512,
                                    .cpu_permille = 1000};
}

int check_end(const struct check *check)
{
    (void)rt_print(check->rt, "%.32s: %u checks passed, %u failed\n",
                   check->rt->start->process_name, check->passed, check->failed);
    return check->failed == 0 && check->passed != 0 ? 0 : 1;
}
