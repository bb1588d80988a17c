/* SPDX-License-Identifier: MIT */
/*
 * The opcodes on one's own capability table, one thread: DUP, TOKEN, RELEASE, TRANSFER, DELEGATE,
 * REVOKE with each of their refusals, and CapabilityManager's view of the same. It is granted
 * "null" (copy-grantable), "once" (copy) and "plain" (none) of NullObject, "manager", and
 * "process-spawner". Named "idle" it waits to be killed, named "quick" it ends at once: what the
 * first one gives capabilities to.
 */
/* covers: DUP/BAD_FIELD, DUP/BAD_CAP, DUP/STALE_CAP, DUP/REVOKED, DUP/NO_METHOD */
/* covers: DUP/SLOT_IN_USE, DUP/LIMIT */
/* covers: TOKEN/BAD_FIELD, TOKEN/BAD_CAP, TOKEN/WRONG_INTERFACE, TOKEN/REVOKED */
/* covers: CALL/BAD_CAP, CALL/STALE_CAP, CALL/REVOKED, CALL/WRONG_INTERFACE, CALL/NO_METHOD */
/* covers: RELEASE/BAD_FIELD, RELEASE/BAD_CAP, RELEASE/STALE_CAP */
/* covers: DELEGATE/BAD_FIELD, DELEGATE/BAD_CAP, DELEGATE/STALE_CAP, DELEGATE/REVOKED */
/* covers: DELEGATE/NOT_GRANTABLE, DELEGATE/NO_METHOD, DELEGATE/LIMIT */
/* covers: REVOKE/BAD_FIELD, REVOKE/BAD_CAP, REVOKE/STALE_CAP, REVOKE/REVOKED */
/* covers: REVOKE/WRONG_INTERFACE, REVOKE/NO_METHOD, REVOKE/LIMIT, REVOKE/CANCELLED */
/* covers: TRANSFER/BAD_FIELD, TRANSFER/BAD_CAP, TRANSFER/STALE_CAP, TRANSFER/REVOKED */
/* covers: TRANSFER/NOT_GRANTABLE, TRANSFER/WRONG_INTERFACE, TRANSFER/NO_METHOD */
/* covers: TRANSFER/PEER_GONE, TRANSFER/SLOT_IN_USE, TRANSFER/LIMIT */
#include "core/string.h"
#include "schema/generated/capability.capnp.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/giving.h"
#include "user/lib/process.h"
#include "user/rt/cap.h"

enum {
    BINARY_OWN = 1,
    IDLE_NS = 1000 * 1000 * 1000,
    ROUNDS = 3,
};

static struct cap_id held(struct check *check, const char *name, uint64_t interface_id)
{
    struct cap_id cap = {0};

    CHECK_EQUAL(check, rt_find(check->rt, name, interface_id, &cap), TRANSPORT_OK);
    return cap;
}

static int32_t duplicate(struct check *check, struct cap_id cap, struct cap_id *made)
{
    return rt_duplicate(&check->rt->ring,
                        &(struct rt_duplicate){.cap = cap, .facet = RT_FACET_SAME}, made, NULL);
}

/* A submission that must be refused with `error` about `argument`. */
static void refused_at(struct check *check, const struct sqe *entry, int32_t error,
                       enum refusal_argument argument, unsigned line)
{
    struct cqe completion = check_done(check, &check->rt->ring, entry);

    if (completion.result != error || completion.refusal.argument != argument) {
        (void)rt_print(check->rt, "caps: line %u: %s, argument %u, expected %s, %u\n", line,
                       rt_status_name(completion.result), completion.refusal.argument,
                       rt_status_name(error), argument);
    }
    CHECK(check, completion.result == error && completion.refusal.argument == argument);
}

#define REFUSED(check, error, argument, ...)                                                       \
    refused_at((check), &(struct sqe){__VA_ARGS__}, TRANSPORT_##error, ARGUMENT_##argument,        \
               __LINE__)

/* An id whose edge was released. */
static struct cap_id stale(struct check *check)
{
    struct cap_id cap;

    CHECK_EQUAL(check, duplicate(check, held(check, "null", 0), &cap), TRANSPORT_OK);
    giving_release(check, cap);
    return cap;
}

/* An id whose edge was revoked; the handle is gone. */
static struct cap_id revoked(struct check *check)
{
    struct rt_delegated made;

    CHECK_EQUAL(check,
                rt_delegate(&check->rt->ring, held(check, "null", 0), RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    CHECK_EQUAL(check, rt_revoke(&check->rt->ring, made.handle, NULL, NULL), 1);
    giving_release(check, made.handle);
    return made.cap;
}

static const struct cap_id never = {UINT64_C(900) | UINT64_C(1) << CAP_SLOT_BITS};

/* ---- DUP and TOKEN --------------------------------------------------------------------------- */

static void duplicates(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct cap_id null = held(check, "null", NULL_OBJECT_INTERFACE_ID);
    struct cap_id dead = revoked(check);
    struct cap_id cap;
    struct cap_id narrow;

    CHECK_EQUAL(check, duplicate(check, null, &cap), TRANSPORT_OK);
    CHECK_EQUAL(check, giving_ask(check->rt, cap), TRANSPORT_OK);
    CHECK_EQUAL(check,
                rt_duplicate(ring,
                             &(struct rt_duplicate){.cap = cap, .facet = NULL_OBJECT_FACET_ECHO},
                             &narrow, NULL),
                TRANSPORT_OK);
    CHECK_EQUAL(check, giving_ask(check->rt, narrow), TRANSPORT_NO_METHOD);
    REFUSED(check, NO_METHOD, FACET, .opcode = OPCODE_DUP, .cap = narrow, .facet = 3);
    giving_release(check, cap);
    REFUSED(check, STALE_CAP, CAP, .opcode = OPCODE_DUP, .cap = cap, .facet = 1);
    REFUSED(check, BAD_CAP, CAP, .opcode = OPCODE_DUP, .cap = never, .facet = 1);
    REFUSED(check, REVOKED, CAP, .opcode = OPCODE_DUP, .cap = dead, .facet = 1);
    REFUSED(check, BAD_FIELD, SLOT, .opcode = OPCODE_DUP, .cap = null, .slot = 5);
    REFUSED(check, BAD_FIELD, FLAGS, .opcode = OPCODE_DUP, .cap = null,
            .flags = SQE_WINDOW | SQE_EXACT_SLOT);
    giving_release(check, narrow);
    giving_release(check, dead);
    REFUSED(check, STALE_CAP, CAP, .opcode = OPCODE_RELEASE, .cap = dead);
    REFUSED(check, BAD_CAP, CAP, .opcode = OPCODE_RELEASE, .cap = never);
    REFUSED(check, BAD_FIELD, ANSWER, .opcode = OPCODE_RELEASE, .cap = null, .slot = 1);
}

/* Descriptors: the lowest free slot, an exact one, and the id behind a slot. */
static void window(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct cap_id null = held(check, "null", NULL_OBJECT_INTERFACE_ID);
    struct rt_duplicate lowest = {.cap = null, .facet = RT_FACET_SAME, .flags = SQE_WINDOW};
    struct rt_duplicate exact = {.cap = null, .facet = 1, .flags = SQE_EXACT_SLOT, .slot = 1};
    struct cap_id slot[4];
    struct cap_id id;

    for (uint32_t i = 0; i < ARRAY_COUNT(slot); i++) {
        CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &slot[i], NULL), TRANSPORT_OK);
        CHECK_EQUAL(check, cap_id_slot(slot[i]), i);
        CHECK_EQUAL(check, rt_token(ring, i, NULL_OBJECT_INTERFACE_ID, &id), TRANSPORT_OK);
        CHECK(check, cap_id_equal(id, slot[i]));
        CHECK_EQUAL(check, giving_ask(check->rt, id), TRANSPORT_OK);
    }
    REFUSED(check, SLOT_IN_USE, SLOT, .opcode = OPCODE_DUP, .flags = SQE_EXACT_SLOT, .cap = null,
            .facet = 1, .slot = 1);
    REFUSED(check, SLOT_IN_USE, SLOT, .opcode = OPCODE_DUP, .flags = SQE_EXACT_SLOT, .cap = null,
            .facet = 1, .slot = 1 << 20);
    giving_release(check, slot[1]);
    REFUSED(check, BAD_CAP, SLOT, .opcode = OPCODE_TOKEN, .interface_id = 1, .slot = 1);
    CHECK_EQUAL(check, rt_duplicate(ring, &exact, &id, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, cap_id_slot(id), 1);
    CHECK(check, id.raw > slot[1].raw); /* a later generation of the slot */
    CHECK_EQUAL(check, giving_ask(check->rt, slot[1]), TRANSPORT_STALE_CAP);
    CHECK_EQUAL(check, giving_ask(check->rt, never), TRANSPORT_BAD_CAP);
    CHECK_EQUAL(check, giving_ask(check->rt, held(check, "manager", 0)), TRANSPORT_WRONG_INTERFACE);
    giving_release(check, id);
    giving_release(check, slot[0]);
    CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &slot[0], NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, cap_id_slot(slot[0]), 0);
    REFUSED(check, WRONG_INTERFACE, INTERFACE, .opcode = OPCODE_TOKEN, .interface_id = 1,
            .slot = 0);
    REFUSED(check, BAD_CAP, SLOT, .opcode = OPCODE_TOKEN, .interface_id = 1, .slot = UINT32_MAX);
    REFUSED(check, BAD_FIELD, CAP, .opcode = OPCODE_TOKEN, .cap = null);
    giving_release(check, slot[0]);
    giving_release(check, slot[2]);
    giving_release(check, slot[3]);
}

static void window_revoked(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_delegated made;
    struct rt_duplicate lowest = {.facet = RT_FACET_SAME, .flags = SQE_WINDOW};
    struct cap_id slot;

    CHECK_EQUAL(check, rt_delegate(ring, held(check, "null", 0), RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    lowest.cap = made.cap;
    CHECK_EQUAL(check, rt_duplicate(ring, &lowest, &slot, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_revoke(ring, made.handle, NULL, NULL), 2);
    REFUSED(check, REVOKED, SLOT, .opcode = OPCODE_TOKEN, .interface_id = NULL_OBJECT_INTERFACE_ID,
            .slot = cap_id_slot(slot));
    giving_release(check, slot);
    giving_release(check, made.cap);
    giving_release(check, made.handle);
}

/* ---- DELEGATE and REVOKE --------------------------------------------------------------------- */

/* Chains of 1, 3 and the greatest depth, each revoked at every place. */
static void chain(struct check *check, unsigned length)
{
    struct rt_ring *ring = &check->rt->ring;

    for (unsigned at = 0; at < length; at++) {
        struct rt_delegated made[LIMIT_GRANT_DEPTH];
        struct cap_id source = held(check, "null", 0);
        struct receipt receipt;

        for (unsigned i = 0; i < length; i++) {
            CHECK_EQUAL(check, rt_delegate(ring, source, RT_FACET_SAME, &made[i], NULL),
                        TRANSPORT_OK);
            source = made[i].cap;
        }
        if (length == LIMIT_GRANT_DEPTH) {
            REFUSED(check, LIMIT, CAP, .opcode = OPCODE_DELEGATE, .cap = source,
                    .facet = RT_FACET_SAME);
        }
        CHECK_EQUAL(check, rt_revoke(ring, made[at].handle, &receipt, NULL), length - at);
        CHECK_EQUAL(check, receipt.nodes, length - at - 1);
        CHECK_EQUAL(check, receipt.calls, 0);
        for (unsigned i = 0; i < length; i++) {
            CHECK_EQUAL(check, giving_ask(check->rt, made[i].cap),
                        i < at ? TRANSPORT_OK : TRANSPORT_REVOKED);
            giving_release(check, made[i].cap);
        }
        for (unsigned i = 0; i < length; i++) {
            giving_release(check, made[i].handle);
        }
    }
}

static void delegations(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct cap_id null = held(check, "null", 0);
    struct cap_id dead = revoked(check);
    struct rt_delegated one;
    struct rt_delegated other;
    struct cap_id copy;

    /* Two of one object to one holder end apart; a duplicate does not escape; a handle that was
     * used finds nothing more. */
    CHECK_EQUAL(check, rt_delegate(ring, null, RT_FACET_SAME, &one, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_delegate(ring, null, NULL_OBJECT_FACET_NOTHING, &other, NULL),
                TRANSPORT_OK);
    CHECK_EQUAL(check, duplicate(check, one.cap, &copy), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_revoke(ring, one.handle, NULL, NULL), 2);
    CHECK_EQUAL(check, giving_ask(check->rt, one.cap), TRANSPORT_REVOKED);
    CHECK_EQUAL(check, giving_ask(check->rt, copy), TRANSPORT_REVOKED);
    CHECK_EQUAL(check, giving_ask(check->rt, other.cap), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_revoke(ring, one.handle, NULL, NULL), 0);
    REFUSED(check, REVOKED, CAP, .opcode = OPCODE_DELEGATE, .cap = copy, .facet = 1);
    REFUSED(check, NO_METHOD, FACET, .opcode = OPCODE_DELEGATE, .cap = other.cap, .facet = 2);
    /* A handle dropped without a revoke: the edge lives on. */
    giving_release(check, other.handle);
    CHECK_EQUAL(check, giving_ask(check->rt, other.cap), TRANSPORT_OK);
    giving_release(check, other.cap);
    giving_release(check, copy);
    giving_release(check, one.cap);
    REFUSED(check, STALE_CAP, CAP, .opcode = OPCODE_DELEGATE, .cap = copy, .facet = 1);
    REFUSED(check, BAD_CAP, CAP, .opcode = OPCODE_DELEGATE, .cap = never, .facet = 1);
    REFUSED(check, REVOKED, CAP, .opcode = OPCODE_REVOKE, .cap = dead);
    REFUSED(check, BAD_FIELD, INTERFACE, .opcode = OPCODE_REVOKE, .cap = one.handle, .facet = 1);
    REFUSED(check, BAD_FIELD, ANSWER, .opcode = OPCODE_DELEGATE, .cap = null, .slot = 1);
    REFUSED(check, NOT_GRANTABLE, CAP, .opcode = OPCODE_DELEGATE, .cap = held(check, "plain", 0),
            .facet = RT_FACET_SAME);
    REFUSED(check, NOT_GRANTABLE, CAP, .opcode = OPCODE_DELEGATE, .cap = one.handle,
            .facet = RT_FACET_SAME);
    REFUSED(check, WRONG_INTERFACE, CAP, .opcode = OPCODE_REVOKE, .cap = null);
    giving_release(check, one.handle);
    REFUSED(check, STALE_CAP, CAP, .opcode = OPCODE_REVOKE, .cap = one.handle);
    REFUSED(check, BAD_CAP, CAP, .opcode = OPCODE_REVOKE, .cap = never);
    giving_release(check, dead);
}

/* Two handles of one delegation: a narrow one cannot revoke; two REVOKEs at once. */
static void handles(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct rt_duplicate narrow = {.facet = CAPABILITY_DELEGATION_FACET_INFO};
    struct sqe entry = {.opcode = OPCODE_REVOKE};
    struct rt_operation operation[2];
    struct cqe completion[2];
    struct rt_delegated made;
    struct cap_id info;

    CHECK_EQUAL(check, rt_delegate(ring, held(check, "null", 0), RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    narrow.cap = made.handle;
    CHECK_EQUAL(check, rt_duplicate(ring, &narrow, &info, NULL), TRANSPORT_OK);
    REFUSED(check, NO_METHOD, CAP, .opcode = OPCODE_REVOKE, .cap = info);
    CHECK_EQUAL(check, giving_ask(check->rt, made.cap), TRANSPORT_OK);
    entry.cap = made.handle;
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQUAL(check, rt_ring_submit(ring, &entry, &operation[i]), TRANSPORT_OK);
    }
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQUAL(check, rt_ring_wait(ring, operation[i], TIMEOUT_NONE, &completion[i]),
                    TRANSPORT_OK);
    }
    CHECK_EQUAL(check, completion[0].result, 1);
    CHECK_EQUAL(check, completion[1].result, TRANSPORT_LIMIT);
    CHECK_EQUAL(check, giving_ask(check->rt, made.cap), TRANSPORT_REVOKED);
    giving_release(check, info);
    giving_release(check, made.handle);
    giving_release(check, made.cap);
}

/* A REVOKE that was taken back has revoked; only nobody waits for what is in use. */
static void revoke_cancelled(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct sqe entry = {.opcode = OPCODE_REVOKE};
    struct rt_operation operation[2];
    struct cqe completion[2];
    struct rt_delegated made;
    uint64_t user_data;

    CHECK_EQUAL(check, rt_delegate(ring, held(check, "null", 0), RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    entry.cap = made.handle;
    CHECK_EQUAL(check, rt_ring_submit(ring, &entry, &operation[0]), TRANSPORT_OK);
    user_data = ring->submissions[(ring->tail - 1) & (ring->header->sq_entries - 1)].user_data;
    entry = (struct sqe){.opcode = OPCODE_CANCEL, .token = user_data};
    CHECK_EQUAL(check, rt_ring_submit(ring, &entry, &operation[1]), TRANSPORT_OK);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQUAL(check, rt_ring_wait(ring, operation[i], TIMEOUT_NONE, &completion[i]),
                    TRANSPORT_OK);
    }
    CHECK_EQUAL(check, completion[0].result, TRANSPORT_CANCELLED);
    CHECK_EQUAL(check, completion[1].result, TRANSPORT_OK);
    CHECK_EQUAL(check, giving_ask(check->rt, made.cap), TRANSPORT_REVOKED);
    giving_release(check, made.handle);
    giving_release(check, made.cap);
}

/* ---- TRANSFER -------------------------------------------------------------------------------- */

static struct process_handle spawn(struct check *check, const char *name)
{
    struct process_spawner spawner = {
        .cap = held(check, "process-spawner", PROCESS_SPAWNER_INTERFACE_ID)};
    struct process_request request = {
        .name = {name, string_length(name, LIMIT_NAME_BYTES)},
        .boot_binary = BINARY_OWN,
        .quotas = {.slots = 8,
                   .frames = 128,
                   .ring_bytes = RING_BYTES,
                   .outstanding_calls = 8,
                   .scratch_bytes = 4096,
                   .threads = 1},
        .scheduling = {.cpu_mask = UINT64_MAX},
    };
    struct process_handle handle = {{0}};

    CHECK_EQUAL(check, process_client_spawn(check->rt, spawner, &request, &handle), TRANSPORT_OK);
    return handle;
}

static int32_t give(struct check *check, struct cap_id cap, struct cap_id to, uint8_t flags,
                    uint32_t slot)
{
    struct rt_transfer request = {.cap = cap, .target = to, .flags = flags, .slot = slot};

    return rt_transfer(&check->rt->ring, &request, NULL);
}

static void transfers_refused(struct check *check, struct cap_id to)
{
    struct rt_ring *ring = &check->rt->ring;
    struct cap_id null = held(check, "null", 0);
    struct cap_id dead = revoked(check);
    struct rt_duplicate window_slot = {.cap = null, .facet = RT_FACET_SAME, .flags = SQE_WINDOW};
    struct rt_duplicate looking = {.cap = to, .facet = PROCESS_HANDLE_FACET_INFO};
    struct cap_id descriptor;
    struct rt_delegated made;
    struct cap_id copy;
    struct cap_id info;

    CHECK_EQUAL(check, rt_duplicate(ring, &window_slot, &descriptor, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, duplicate(check, descriptor, &copy), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_delegate(ring, descriptor, RT_FACET_SAME, &made, NULL), TRANSPORT_OK);
    CHECK_EQUAL(check, rt_duplicate(ring, &looking, &info, NULL), TRANSPORT_OK);
    REFUSED(check, BAD_CAP, CAP, .opcode = OPCODE_TRANSFER, .cap = never, .target = to);
    REFUSED(check, STALE_CAP, CAP, .opcode = OPCODE_TRANSFER, .cap = stale(check), .target = to);
    REFUSED(check, REVOKED, CAP, .opcode = OPCODE_TRANSFER, .cap = dead, .target = to);
    REFUSED(check, NOT_GRANTABLE, CAP, .opcode = OPCODE_TRANSFER, .cap = held(check, "plain", 0),
            .target = to);
    REFUSED(check, NOT_GRANTABLE, CAP, .opcode = OPCODE_TRANSFER, .flags = SQE_KEEP_GRANT,
            .cap = held(check, "once", 0), .target = to);
    REFUSED(check, NOT_GRANTABLE, CAP, .opcode = OPCODE_TRANSFER, .flags = SQE_KEEP_GRANT,
            .cap = descriptor, .target = to);
    /* Nor does what is made of a descriptor, or becomes one. */
    REFUSED(check, NOT_GRANTABLE, CAP, .opcode = OPCODE_TRANSFER, .flags = SQE_KEEP_GRANT,
            .cap = copy, .target = to);
    REFUSED(check, NOT_GRANTABLE, CAP, .opcode = OPCODE_TRANSFER, .flags = SQE_KEEP_GRANT,
            .cap = made.cap, .target = to);
    REFUSED(check, NOT_GRANTABLE, CAP, .opcode = OPCODE_TRANSFER,
            .flags = SQE_KEEP_GRANT | SQE_EXACT_SLOT, .cap = null, .target = to, .slot = 9);
    REFUSED(check, BAD_CAP, TARGET, .opcode = OPCODE_TRANSFER, .cap = null, .target = never);
    REFUSED(check, WRONG_INTERFACE, TARGET, .opcode = OPCODE_TRANSFER, .cap = null, .target = null);
    REFUSED(check, NO_METHOD, TARGET, .opcode = OPCODE_TRANSFER, .cap = null, .target = info);
    REFUSED(check, BAD_FIELD, SLOT, .opcode = OPCODE_TRANSFER, .cap = null, .target = to,
            .slot = 3);
    giving_release(check, descriptor);
    giving_release(check, made.cap);
    giving_release(check, made.handle);
    giving_release(check, copy);
    giving_release(check, info);
    giving_release(check, dead);
}

static void transfers(struct check *check)
{
    struct process_handle idle = spawn(check, "idle");
    struct process_handle quick = spawn(check, "quick");
    struct cap_id null = held(check, "null", 0);
    struct process_end end;
    struct cap_id copy;
    int32_t status;

    CHECK_EQUAL(check, process_client_wait(check->rt, quick, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, give(check, null, quick.cap, 0, 0), TRANSPORT_PEER_GONE);
    transfers_refused(check, idle.cap);
    /* A move leaves nothing behind; one that is refused leaves everything as it was. */
    CHECK_EQUAL(check, duplicate(check, null, &copy), TRANSPORT_OK);
    CHECK_EQUAL(check, give(check, copy, idle.cap, SQE_EXACT_SLOT, 7), TRANSPORT_OK);
    CHECK_EQUAL(check, give(check, copy, idle.cap, SQE_EXACT_SLOT | SQE_MOVE, 7),
                TRANSPORT_SLOT_IN_USE);
    CHECK_EQUAL(check, giving_ask(check->rt, copy), TRANSPORT_OK);
    CHECK_EQUAL(check, give(check, copy, idle.cap, SQE_EXACT_SLOT | SQE_MOVE, 8), TRANSPORT_OK);
    CHECK_EQUAL(check, giving_ask(check->rt, copy), TRANSPORT_STALE_CAP);
    do {
        status = give(check, null, idle.cap, 0, 0);
    } while (status == TRANSPORT_OK);
    CHECK_EQUAL(check, status, TRANSPORT_LIMIT);
    CHECK_EQUAL(check, process_client_kill(check->rt, idle, 0), TRANSPORT_OK);
    CHECK_EQUAL(check, process_client_wait(check->rt, idle, &end), TRANSPORT_OK);
    CHECK_EQUAL(check, give(check, null, idle.cap, 0, 0), TRANSPORT_PEER_GONE);
    giving_release(check, idle.cap);
    giving_release(check, quick.cap);
}

/* ---- CapabilityManager ----------------------------------------------------------------------- */

struct census {
    uint32_t used;
    uint32_t revoked;
    uint32_t nodes;
};

static struct census census(struct check *check)
{
    struct capability_manager_census_results_reader results;
    struct census counts;
    struct client client;

    client_open(&client, check->rt, held(check, "manager", CAPABILITY_MANAGER_INTERFACE_ID),
                CLIENT_ROOM_SMALL);
    (void)capability_manager_census_request(&client.call);
    results = capability_manager_census_invoke(&client.call);
    counts = (struct census){capability_manager_census_results_get_slots_used(results),
                             capability_manager_census_results_get_revoked(results),
                             capability_manager_census_results_get_grant_nodes(results)};
    CHECK_EQUAL(check, client_close(&client), TRANSPORT_OK);
    return counts;
}

/* How many edges the manager lists, and how many of them revoked. */
static uint32_t listed(struct check *check, uint32_t *revoked_count)
{
    uint32_t count = 0;
    uint32_t slot = 0;

    *revoked_count = 0;
    do {
        struct capability_manager_list_params_builder params;
        struct capability_manager_list_results_reader results;
        struct capability_edge_info_list edges;
        struct client client;

        client_open(&client, check->rt, held(check, "manager", CAPABILITY_MANAGER_INTERFACE_ID),
                    (struct client_room){.request_bytes = 256, .answer_bytes = 4096});
        params = capability_manager_list_request(&client.call);
        capability_manager_list_params_set_first_slot(params, slot);
        capability_manager_list_params_set_max_edges(params, CAPABILITY_LIST_MAX);
        results = capability_manager_list_invoke(&client.call);
        edges = capability_manager_list_results_get_edges(results);
        for (uint32_t i = 0; i < edges.raw.count; i++) {
            struct capability_edge_info_reader edge = capability_edge_info_list_get(edges, i);

            count++;
            *revoked_count += capability_edge_info_get_revoked(edge);
        }
        slot = capability_manager_list_results_get_next_slot(results);
        CHECK_EQUAL(check, client_close(&client), TRANSPORT_OK);
    } while (slot != 0);
    return count;
}

/* The last step by which the caller came to hold an edge. */
struct step {
    uint16_t origin;
    uint64_t from_pid;
    uint64_t at_ns;
};

/* The steps through which the caller came to hold `cap`: the last, and how many. */
static uint32_t why(struct check *check, struct cap_id cap, struct step *last)
{
    struct capability_manager_why_params_builder params;
    struct capability_manager_why_results_reader results;
    struct capability_provenance_step_list steps;
    struct client client;
    uint32_t count;

    client_open(&client, check->rt, held(check, "manager", CAPABILITY_MANAGER_INTERFACE_ID),
                (struct client_room){.request_bytes = 256, .answer_bytes = 4096});
    params = capability_manager_why_request(&client.call);
    capability_manager_why_params_set_cap_id(params, cap.raw);
    results = capability_manager_why_invoke(&client.call);
    steps = capability_manager_why_results_get_steps(results);
    count = steps.raw.count;
    if (CHECK(check, count > 0)) {
        struct capability_provenance_step_reader step =
            capability_provenance_step_list_get(steps, 0);

        last->origin = (uint16_t)capability_provenance_step_get_origin(step);
        last->from_pid = capability_provenance_step_get_from_pid(step);
        last->at_ns = capability_provenance_step_get_at_ns(step);
        CHECK(check, capability_manager_why_results_get_complete(results));
    }
    CHECK_EQUAL(check, client_close(&client), TRANSPORT_OK);
    return count;
}

/* What the ledger's line `name` says is used; UINT64_MAX: there is no such line. */
static uint64_t ledger_used(struct check *check, const char *name)
{
    struct capability_ledger_line_list lines;
    uint64_t used = UINT64_MAX;
    struct client client;

    client_open(&client, check->rt, held(check, "manager", CAPABILITY_MANAGER_INTERFACE_ID),
                (struct client_room){.request_bytes = 256, .answer_bytes = 2048});
    (void)capability_manager_ledger_request(&client.call);
    lines =
        capability_manager_ledger_results_get_lines(capability_manager_ledger_invoke(&client.call));
    for (uint32_t i = 0; i < lines.raw.count; i++) {
        struct capability_ledger_line_reader line = capability_ledger_line_list_get(lines, i);
        struct capn_text text = capability_ledger_line_get_name(line);

        CHECK(check,
              capability_ledger_line_get_used(line) <= capability_ledger_line_get_limit(line));
        if (string_matches(text.bytes, text.length, name)) {
            used = capability_ledger_line_get_used(line);
        }
    }
    CHECK_EQUAL(check, client_close(&client), TRANSPORT_OK);
    return used;
}

/* Whichever way a DUP goes, its edge says what it was made of, by whom and when: alone, two at
 * once, and with a flag. */
static void duplicates_are_explained(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    const struct sqe usual = {
        .opcode = OPCODE_DUP, .cap = held(check, "null", 0), .facet = RT_FACET_SAME};
    struct sqe flagged = usual;
    struct cap_id copy[5];
    struct step last = {.at_ns = 0};
    struct rt_operation two[2];

    flagged.flags = SQE_WINDOW;
    CHECK(check, why(check, usual.cap, &last) > 0);
    copy[0] = check_done(check, ring, &flagged).cap[0];
    copy[1] = check_done(check, ring, &usual).cap[0];
    for (unsigned i = 0; i < 2; i++) {
        two[i] = check_submit(check, ring, &usual);
    }
    for (unsigned i = 0; i < 2; i++) {
        copy[2 + i] = check_completion(check, ring, two[i]).cap[0];
    }
    copy[4] = check_done(check, ring, &flagged).cap[0];
    for (size_t i = 0; i < ARRAY_COUNT(copy); i++) {
        struct step step = {.origin = UINT16_MAX};

        CHECK_EQUAL(check, why(check, copy[i], &step), 3);
        CHECK_EQUAL(check, step.origin, CAPABILITY_EDGE_ORIGIN_DUPLICATE);
        CHECK_EQUAL(check, step.from_pid, check->rt->start->pid);
        CHECK(check, step.at_ns > last.at_ns || (i > 1 && step.at_ns == last.at_ns));
        last = step;
        giving_release(check, copy[i]);
    }
}

static void manager(struct check *check)
{
    struct rt_ring *ring = &check->rt->ring;
    struct census before = census(check);
    struct census now;
    struct rt_delegated made;
    uint32_t revoked_count;
    struct step step = {.origin = UINT16_MAX};
    struct cap_id copy;

    CHECK_EQUAL(check, listed(check, &revoked_count), before.used);
    CHECK_EQUAL(check, revoked_count, before.revoked);
    CHECK_EQUAL(check, rt_delegate(ring, held(check, "null", 0), RT_FACET_SAME, &made, NULL),
                TRANSPORT_OK);
    CHECK_EQUAL(check, duplicate(check, made.cap, &copy), TRANSPORT_OK);
    /* of the delegation, of the spawner's edge, of the manifest */
    CHECK_EQUAL(check, why(check, copy, &step), 4);
    CHECK_EQUAL(check, step.origin, CAPABILITY_EDGE_ORIGIN_DUPLICATE);
    CHECK_EQUAL(check, why(check, held(check, "null", 0), &step), 2);
    CHECK_EQUAL(check, step.origin, CAPABILITY_EDGE_ORIGIN_SPAWN);
    now = census(check);
    CHECK_EQUAL(check, now.used, before.used + 3);
    CHECK_EQUAL(check, now.nodes, before.nodes + 1);
    CHECK_EQUAL(check, ledger_used(check, "grantNodes"), 1);
    CHECK(check, ledger_used(check, "slots") >= now.used);
    CHECK_EQUAL(check, rt_revoke(ring, made.handle, NULL, NULL), 2);
    now = census(check);
    CHECK_EQUAL(check, now.used, before.used + 3);
    CHECK_EQUAL(check, now.revoked, before.revoked + 2);
    CHECK_EQUAL(check, listed(check, &revoked_count), now.used);
    CHECK_EQUAL(check, revoked_count, now.revoked);
    giving_release(check, copy);
    giving_release(check, made.cap);
    giving_release(check, made.handle);
    now = census(check);
    CHECK_EQUAL(check, now.used, before.used);
    CHECK_EQUAL(check, now.revoked, before.revoked);
}

/* Until the quota is used up, window and rest; then everything goes back. */
static void table_fills(struct check *check)
{
    static struct cap_id made[LIMIT_TABLE_SLOTS];
    struct rt_ring *ring = &check->rt->ring;
    struct rt_duplicate request = {.cap = held(check, "null", 0), .facet = RT_FACET_SAME};
    struct refusal refusal;
    uint32_t revoked_count;
    uint32_t count = 0;
    int32_t status;

    do {
        request.flags = count % 2 == 0 ? 0 : SQE_WINDOW;
        status = rt_duplicate(ring, &request, &made[count], &refusal);
        count += status == TRANSPORT_OK;
    } while (status == TRANSPORT_OK && count < LIMIT_TABLE_SLOTS);
    CHECK_EQUAL(check, status, TRANSPORT_LIMIT);
    CHECK(check, count > 8);
    CHECK_EQUAL(check, listed(check, &revoked_count), census(check).used);
    CHECK_EQUAL(check, revoked_count, census(check).revoked);
    for (uint32_t i = 0; i < count; i++) {
        giving_release(check, made[i]);
    }
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    uint32_t used;

    if (rt_name_is(rt, "quick")) {
        return 0;
    }
    while (rt_name_is(rt, "idle")) {
        rt_sleep(rt, IDLE_NS);
    }
    used = census(&check).used;
    for (unsigned round = 0; round < ROUNDS; round++) {
        duplicates(&check);
        window(&check);
        window_revoked(&check);
        delegations(&check);
        handles(&check);
        revoke_cancelled(&check);
        chain(&check, 1);
        chain(&check, 3);
        duplicates_are_explained(&check);
        manager(&check);
        transfers(&check);
        CHECK_EQUAL(&check, census(&check).used, used);
    }
    chain(&check, LIMIT_GRANT_DEPTH);
    table_fills(&check);
    CHECK_EQUAL(&check, census(&check).used, used);
    CHECK_EQUAL(&check, rt_ring_blocks_used(&rt->ring), 0);
    return check_end(&check);
}
