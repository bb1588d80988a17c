/* SPDX-License-Identifier: MIT */
/* Checks of test programs. */
#include "tests/programs/support/check.h"

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

struct cqe check_done(struct check *check, struct rt_ring *ring, const struct sqe *entry)
{
    return check_completion(check, ring, check_submit(check, ring, entry));
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
