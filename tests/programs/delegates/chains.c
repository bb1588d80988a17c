/* SPDX-License-Identifier: MIT */
/* Delegations through processes, one behind the other, revoked at the first. */
#include "core/string.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/delegates/delegates.h"
#include "tests/programs/support/gate.h"
#include "user/rt/cap.h"

enum {
    GONE_HOPS = 5,
    COPIES = 4, /* of the last process: what it was given, and three of that */
};

static void name_make(char *name, const char *kind, unsigned number)
{
    size_t length = string_length(kind, LIMIT_NAME_BYTES);

    memcpy(name, kind, length);
    name[length] = '-';
    name[length + 1] = (char)('0' + number / 10);
    name[length + 2] = (char)('0' + number % 10);
    name[length + 3] = '\0';
}

/* Starts process `number` of a chain with what was delegated to it. */
static int32_t hop_start(struct check *check, const char *kind, unsigned number,
                         struct cap_id subject, struct cap_id report, struct process_handle *handle)
{
    struct cap_id spawner = check_held(check, "process-spawner");
    char name[LIMIT_NAME_BYTES];
    struct process_grant grants[4];

    name_make(name, kind, number);
    grants[0] = giving_grant("null", subject);
    grants[1] = giving_grant("report", report);
    grants[2] = giving_grant("process-spawner", spawner);
    grants[3] = giving_grant("console", check_held(check, "console"));
    return delegate_spawn(check->rt, spawner, name, grants, 4, handle);
}

static void chain(struct check *check, const char *kind, unsigned hops)
{
    struct rt_ring *ring = &check->rt->ring;
    struct gate reports = gate_make(check);
    bool stays = kind[0] == 'h';
    struct process_handle first;
    struct rt_delegated made;
    struct receipt receipt;
    int32_t edges;

    CHECK_EQUAL(check, rt_delegate(ring, check_held(check, "null"), RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    if (!CHECK_EQUAL(check, hop_start(check, kind, hops, made.cap, reports.client, &first),
                     TRANSPORT_OK)) {
        return;
    }
    CHECK_EQUAL(check, gate_pass(check, &reports), NULL_OBJECT_METHOD_NOTHING);
    edges = rt_revoke(ring, made.handle, &receipt, NULL);
    if (stays) {
        /* ours, two of each process in between, and the last one's copies */
        CHECK_EQUAL(check, edges, 1 + 2 * (int32_t)(hops - 1) + COPIES);
        CHECK_EQUAL(check, receipt.nodes, hops - 1);
    } else {
        CHECK(check, edges >= 1 + COPIES && edges <= 1 + 2 * (int32_t)(hops - 1) + COPIES);
    }
    CHECK_EQUAL(check, giving_call(check->rt, made.cap, 0), TRANSPORT_REVOKED);
    CHECK_EQUAL(check, gate_pass(check, &reports), NULL_OBJECT_METHOD_ECHO);
    giving_good_end(check, first);
    giving_release(check, made.cap);
    giving_release(check, made.handle);
    gate_end(check, &reports);
}

/* The last process: every copy works, then none does. */
static void hop_last(struct check *check, struct cap_id subject, struct cap_id report)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_duplicate request = {.cap = subject, .facet = RT_FACET_SAME};
    struct cap_id copy[COPIES] = {subject};
    unsigned dead = 0;

    CHECK_EQUAL(check, rt_duplicate(ring, &request, &copy[1], NULL), TRANSPORT_OK);
    request.flags = SQE_WINDOW;
    CHECK_EQUAL(check, rt_duplicate(ring, &request, &copy[2], NULL), TRANSPORT_OK);
    request = (struct rt_duplicate){.cap = copy[1], .facet = NULL_OBJECT_FACET_NOTHING};
    CHECK_EQUAL(check, rt_duplicate(ring, &request, &copy[3], NULL), TRANSPORT_OK);
    for (unsigned i = 0; i < COPIES; i++) {
        CHECK_EQUAL(check, giving_call(check->rt, copy[i], 0), TRANSPORT_OK);
    }
    CHECK_EQUAL(check, giving_call(check->rt, report, NULL_OBJECT_METHOD_NOTHING), TRANSPORT_OK);
    while (dead < COPIES) {
        int32_t status = giving_call(check->rt, copy[dead], 0);

        if (status == TRANSPORT_REVOKED) {
            dead++;
        } else if (!CHECK_EQUAL(check, status, TRANSPORT_OK) || !CHECK_EQUAL(check, dead, 0)) {
            return; /* one mark kills all: none lives when another is dead */
        }
    }
    CHECK_EQUAL(check, rt_duplicate(ring, &request, &copy[0], NULL), TRANSPORT_REVOKED);
    CHECK_EQUAL(check, giving_call(check->rt, report, NULL_OBJECT_METHOD_ECHO), TRANSPORT_OK);
}

void hop(struct check *check)
{
    const char *digits = &check->rt->start->process_name[name_begins(check->rt, "hop") ? 4 : 5];
    unsigned number = (unsigned)(digits[0] - '0') * 10 + (unsigned)(digits[1] - '0');
    bool stays = name_begins(check->rt, "hop");
    struct cap_id subject = check_held(check, "null");
    struct cap_id report = check_held(check, "report");
    struct process_handle next;
    struct rt_delegated made;

    if (number == 1) {
        hop_last(check, subject, report);
        return;
    }
    CHECK_EQUAL(check, rt_delegate(&check->rt->ring, subject, RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    CHECK_EQUAL(check,
                hop_start(check, stays ? "hop" : "gone", number - 1, made.cap, report, &next),
                TRANSPORT_OK);
    if (stays) {
        giving_good_end(check, next);
    }
}

void chains(struct check *check)
{
    chain(check, "hop", 1);
    chain(check, "hop", 3);
    chain(check, "hop", LIMIT_GRANT_DEPTH);
    chain(check, "gone", GONE_HOPS);
}
