/* SPDX-License-Identifier: MIT */
/*
 * Calls that are nearly usual. NullObject.nothing with both buffers in the arena is answered by the
 * kernel's shortest way; here each call differs from it in one thing, alone and behind a usual one
 * in the same batch, and gets what the documentation of that thing says. Then what a call to a
 * kernel object needs beside its own form: descriptors, scratch, room, an operation, a slot.
 *
 * It is granted "null" (copy-grantable), "endpoint-factory", "frame-allocator" and
 * "process-spawner", with quotas that it can use up. Named "unusual-idle" it waits to be killed.
 */
#include "abi/ledgers.h"
#include "core/string.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/null.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/lib/memory.h"
#include "user/lib/process.h"
#include "user/rt/cap.h"

enum {
    BINARY_OWN = 1,
    IDLE_NS = 1000 * 1000 * 1000,
    ROOM = 512,         /* for any answer */
    ECHO_WORDS = 40,    /* of a payload whose echo needs more than LIMIT_ANSWER_ROOM */
    SLOTS_MAX = 256,    /* more than the quota */
    SCRATCH_QUOTA = 64, /* bytes: of the scene */
};

struct bench {
    struct check *check;
    struct rt *rt;
    struct rt_ring *ring;
    struct cap_id null;
    struct rt_buffer message; /* zeros: an empty message of any length */
    struct rt_buffer result;
};

static uint64_t address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static struct sqe usual(const struct bench *bench)
{
    return (struct sqe){.opcode = OPCODE_CALL,
                        .method = NULL_OBJECT_METHOD_NOTHING,
                        .cap = bench->null,
                        .interface_id = NULL_OBJECT_INTERFACE_ID,
                        .message = address_of(bench->message.bytes),
                        .message_bytes = 8,
                        .result = address_of(bench->result.bytes),
                        .result_bytes = ROOM};
}

/* The completion of `entry` behind a usual call in one batch; *alone is that without one. */
static struct cqe behind(struct bench *bench, const struct sqe *entry, struct cqe *alone)
{
    struct sqe first = usual(bench);
    struct rt_operation operation[2];

    *alone = check_done(bench->check, bench->ring, entry);
    operation[0] = check_submit(bench->check, bench->ring, &first);
    operation[1] = check_submit(bench->check, bench->ring, entry);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[0]).result, 8);
    return check_completion(bench->check, bench->ring, operation[1]);
}

/* `entry` ends with `error` about `argument`, both times. */
static void refused_at(struct bench *bench, const struct sqe *entry, int32_t error,
                       unsigned argument, unsigned line)
{
    struct cqe alone;
    struct cqe second = behind(bench, entry, &alone);

    (void)check_numbers(bench->check, alone.result, error, line);
    (void)check_numbers(bench->check, second.result, error, line);
    (void)check_numbers(bench->check, alone.refusal.argument, argument, line);
    (void)check_numbers(bench->check, second.refusal.argument, argument, line);
}
#define REFUSED(bench, entry, error, argument)                                                     \
    refused_at((bench), (entry), TRANSPORT_##error, ARGUMENT_##argument, __LINE__)

/* `entry` ends with an exception of the callee, both times. */
static void excepted_at(struct bench *bench, const struct sqe *entry, unsigned line)
{
    struct cqe alone;
    struct cqe second = behind(bench, entry, &alone);

    (void)check_note(bench->check, alone.result > 0 && (alone.flags & CQE_EXCEPTION) != 0,
                     "an exception", line);
    (void)check_note(bench->check, second.result > 0 && (second.flags & CQE_EXCEPTION) != 0,
                     "an exception in a batch", line);
}
#define EXCEPTED(bench, entry) excepted_at((bench), (entry), __LINE__)

/* ---- the capability and the method ----------------------------------------------------------- */

static void capabilities_differ(struct bench *bench)
{
    struct sqe entry = usual(bench);
    struct rt_delegated made = {.cap = {0}};

    entry.cap.raw += UINT64_C(1) << CAP_SLOT_BITS;
    REFUSED(bench, &entry, BAD_CAP, CAP);
    CHECK_EQUAL(bench->check, rt_duplicate_same(bench->ring, bench->null, &entry.cap), 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, entry.cap), 0);
    REFUSED(bench, &entry, STALE_CAP, CAP);
    CHECK_EQUAL(bench->check, rt_delegate(bench->ring, bench->null, RT_FACET_SAME, &made, NULL), 0);
    CHECK_EQUAL(bench->check, rt_revoke(bench->ring, made.handle, NULL, NULL), 1);
    entry.cap = made.cap;
    REFUSED(bench, &entry, REVOKED, CAP);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, made.cap), 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, made.handle), 0);
}

static void methods_differ(struct bench *bench)
{
    struct sqe entry = usual(bench);
    struct rt_duplicate narrow = {.cap = bench->null, .facet = NULL_OBJECT_FACET_ECHO};

    entry.interface_id ^= 1;
    REFUSED(bench, &entry, WRONG_INTERFACE, INTERFACE);
    entry = usual(bench);
    for (unsigned method = 2; method < UINT8_MAX; method += 31) {
        entry.method = (uint8_t)method; /* 64 among them, whose bit is that of 0 in a word */
        EXCEPTED(bench, &entry);
    }
    entry.method = 64 + NULL_OBJECT_METHOD_NOTHING;
    EXCEPTED(bench, &entry);
    entry.method = NULL_OBJECT_METHOD_ECHO; /* without its argument */
    EXCEPTED(bench, &entry);
    CHECK_EQUAL(bench->check, rt_duplicate(bench->ring, &narrow, &narrow.cap, NULL), 0);
    entry = usual(bench);
    entry.cap = narrow.cap;
    REFUSED(bench, &entry, NO_METHOD, METHOD);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, narrow.cap), 0);
}

/* ---- form and buffers ------------------------------------------------------------------------ */

static void forms_differ(struct bench *bench)
{
    struct sqe entry = usual(bench);

    entry.flags = SQE_MOVE;
    REFUSED(bench, &entry, BAD_FIELD, FLAGS);
    entry = usual(bench);
    entry.opcode = OPCODE_COUNT;
    REFUSED(bench, &entry, BAD_OPCODE, OPCODE);
    entry = usual(bench);
    entry.spare = 1;
    REFUSED(bench, &entry, BAD_FIELD, SPARE);
    entry = usual(bench);
    entry.message_bytes = 12;
    REFUSED(bench, &entry, TOO_LARGE, MESSAGE_BYTES); /* no whole words */
    entry.message_bytes = LIMIT_CALL_BYTES + 8;
    REFUSED(bench, &entry, TOO_LARGE, MESSAGE_BYTES);
    entry = usual(bench);
    entry.result_bytes = LIMIT_ANSWER_ROOM - 8;
    REFUSED(bench, &entry, NO_ROOM, RESULT_BYTES);
    entry.result_bytes = 0;
    REFUSED(bench, &entry, NO_ROOM, RESULT_BYTES);
}

static void buffers_differ(struct bench *bench)
{
    const uint64_t nowhere = UINT64_C(0x123456789000);
    uint64_t arena_end = address_of(bench->ring->arena) + bench->ring->arena_bytes;
    uint8_t own[ROOM] ALIGNED(8) = {0};
    struct sqe entry = usual(bench);
    struct cqe alone;

    entry.message = nowhere;
    REFUSED(bench, &entry, BAD_BUFFER, MESSAGE);
    entry.message = UINT64_MAX - 7;
    REFUSED(bench, &entry, BAD_BUFFER, MESSAGE);
    entry = usual(bench);
    entry.result = nowhere;
    REFUSED(bench, &entry, BAD_BUFFER, RESULT);
    entry.result = arena_end - LIMIT_ANSWER_ROOM + 8;
    entry.result_bytes = LIMIT_ANSWER_ROOM;
    REFUSED(bench, &entry, BAD_BUFFER, RESULT); /* from the arena into nothing */
    entry = usual(bench);
    entry.message = address_of(own);
    CHECK_EQUAL(bench->check, behind(bench, &entry, &alone).result, 8);
    CHECK_EQUAL(bench->check, alone.result, 8);
    entry = usual(bench);
    memset(own, 0xff, sizeof(own));
    entry.result = address_of(own);
    CHECK_EQUAL(bench->check, behind(bench, &entry, &alone).result, 8);
    CHECK_EQUAL(bench->check, alone.result, 8);
    CHECK(bench->check, own[0] == 0xfc && own[7] == 0 && own[8] == 0xff);
    /* Across the border of two pages of the arena, which are two frames. */
    entry.result = (address_of(bench->message.bytes) + LIMIT_PAGE_BYTES) / LIMIT_PAGE_BYTES *
                       LIMIT_PAGE_BYTES -
                   4;
    CHECK_EQUAL(bench->check, behind(bench, &entry, &alone).result, 8);
    CHECK(bench->check, memcmp((const void *)(uintptr_t)entry.result, own, 8) == 0);
    memset(bench->message.bytes, 0, bench->message.size);
}

/* A call whose answer is kept: its id is good afterwards, once. */
static void answer_kept(struct bench *bench)
{
    struct sqe entry = usual(bench);

    for (unsigned i = 0; i < 2; i++) {
        struct rt_answer_id id = rt_answer_take(bench->ring);
        struct sqe finish = {.opcode = OPCODE_FINISH, .answer = id.raw};
        struct sqe first = usual(bench);
        struct rt_operation operation = {.id = 0};

        entry.answer = id.raw;
        if (i == 1) {
            operation = check_submit(bench->check, bench->ring, &first);
        }
        CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result, 8);
        if (i == 1) {
            CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation).result,
                        8);
        }
        CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &finish).result, 0);
        CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &finish).result,
                    TRANSPORT_BAD_ANSWER);
        rt_answer_release(bench->ring, id);
    }
}

/* ---- descriptors, scratch, room ----------------------------------------------------------------
 */

static void descriptors_refused(struct bench *bench)
{
    struct transfer *descriptor = (struct transfer *)(void *)(bench->message.bytes + 8);
    struct sqe entry = usual(bench);

    entry.transfers = 1;
    *descriptor = (struct transfer){.cap = bench->null, .mode = TRANSFER_COPY};
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result, 8);
    descriptor->mode = TRANSFER_MOVE; /* the kernel takes nothing away */
    REFUSED(bench, &entry, BAD_FIELD, TRANSFERS);
    *descriptor = (struct transfer){.cap = bench->null, .mode = TRANSFER_COPY};
    memset((uint8_t *)descriptor + sizeof(*descriptor) - 1, 1, 1); /* its spare bytes */
    REFUSED(bench, &entry, BAD_FIELD, TRANSFERS);
    memset(descriptor, 0, sizeof(*descriptor));
    /* The message is the last of the arena, its descriptor lies behind. */
    entry.message = address_of(bench->ring->arena) + bench->ring->arena_bytes - 8;
    REFUSED(bench, &entry, BAD_BUFFER, TRANSFERS);
}

/* A message that needs more scratch than the quota has, and one that needs none of it. */
static void scratch_short(struct bench *bench)
{
    struct sqe entry = usual(bench);

    entry.method = NULL_OBJECT_METHOD_ECHO; /* the shortest way copies nothing */
    entry.message_bytes = LIMIT_CALL_BYTES;
    refused_at(bench, &entry, TRANSPORT_LIMIT, ARGUMENT_LEDGER + LEDGER_SCRATCH_BYTES, __LINE__);
    entry.message_bytes = 8;
    EXCEPTED(bench, &entry); /* without its argument, but carried out */
}

/* An answer longer than the room for it is not written, not even in part. */
static void answer_too_long(struct bench *bench)
{
    uint64_t *word = (uint64_t *)(void *)bench->message.bytes;
    struct sqe entry = usual(bench);
    unsigned changed = 0;

    /* A structure of one pointer, to one of ECHO_WORDS words (encoding, "Structs"). */
    word[0] = UINT64_C(1) << 48;
    word[1] = (uint64_t)ECHO_WORDS << 32;
    memset(&word[2], 1, ECHO_WORDS * sizeof(*word));
    entry.method = NULL_OBJECT_METHOD_ECHO;
    entry.message_bytes = (2 + ECHO_WORDS) * sizeof(*word);
    entry.result_bytes = LIMIT_ANSWER_ROOM;
    memset(bench->result.bytes, 0xc3, ROOM);
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result,
                TRANSPORT_NO_ROOM);
    for (unsigned i = 0; i < ROOM; i++) {
        changed += bench->result.bytes[i] != 0xc3;
    }
    CHECK_EQUAL(bench->check, changed, 0);
    REFUSED(bench, &entry, NO_ROOM, RESULT_BYTES);
    entry.result_bytes = ROOM;
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result,
                (2 + ECHO_WORDS) * sizeof(*word));
    memset(bench->message.bytes, 0, bench->message.size);
}

/* ---- operations --------------------------------------------------------------------------------
 */

static struct process_handle idle_spawn(struct bench *bench)
{
    struct process_spawner spawner = {.cap = check_held(bench->check, "process-spawner")};
    static const char name[] = "unusual-idle";
    struct process_request request = {
        .name = {name, sizeof(name) - 1},
        .boot_binary = BINARY_OWN,
        .quotas = {.slots = 8,
                   .frames = 128,
                   .ring_bytes = RING_BYTES,
                   .outstanding_calls = 8,
                   .threads = 1},
        .scheduling = {.cpu_mask = UINT64_MAX},
    };
    struct process_handle handle = {{0}};

    CHECK_EQUAL(bench->check, process_client_spawn(bench->rt, spawner, &request, &handle),
                TRANSPORT_OK);
    return handle;
}

static struct sqe wait_entry(const struct bench *bench, struct process_handle process)
{
    struct sqe entry = usual(bench);

    entry.cap = process.cap;
    entry.interface_id = PROCESS_HANDLE_INTERFACE_ID;
    entry.method = PROCESS_HANDLE_METHOD_WAIT;
    return entry;
}

/* What answers later needs a place for its answer that stays: ROOM bytes of the arena. */
static void later_needs_the_arena(struct bench *bench, struct process_handle process)
{
    uint8_t own[ROOM] ALIGNED(8);
    struct sqe entry = wait_entry(bench, process);

    entry.result = address_of(own);
    EXCEPTED(bench, &entry);
    entry = wait_entry(bench, process);
    entry.result_bytes = LIMIT_ANSWER_ROOM;
    EXCEPTED(bench, &entry);
}

/* With every operation in use, what needs one is refused, and what needs none goes on. */
static void operations_used_up(struct bench *bench, struct process_handle process)
{
    struct rt_operation operation[LIMIT_OPERATIONS];
    struct rt_answer_id kept = rt_answer_take(bench->ring);
    struct rt_answer_id open = rt_answer_take(bench->ring);
    struct sqe entry = usual(bench);
    struct sqe finish = {.opcode = OPCODE_FINISH, .answer = kept.raw};
    uint32_t word = 0;
    unsigned used = 0;
    struct cqe cqe;

    entry.answer = kept.raw;
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result, 8);
    entry = wait_entry(bench, process);
    entry.answer = open.raw;
    operation[used++] = check_submit(bench->check, bench->ring, &entry);
    CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
    entry = (struct sqe){
        .opcode = OPCODE_PARK, .address = address_of(&word), .timeout_ns = TIMEOUT_NONE};
    while (used < LIMIT_OPERATIONS) {
        operation[used++] = check_submit(bench->check, bench->ring, &entry);
        CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
    }
    entry = wait_entry(bench, process);
    cqe = check_done(bench->check, bench->ring, &entry);
    CHECK(bench->check, cqe.result > 0 && (cqe.flags & CQE_EXCEPTION) != 0);
    entry = usual(bench);
    entry.flags = SQE_PROMISED;
    entry.promise = (struct promise){.answer = open.raw, .path = {.step = {1}}};
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result,
                TRANSPORT_LIMIT);
    entry.promise.answer = kept.raw; /* decided: nothing has to wait */
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &entry).result,
                TRANSPORT_BROKEN);
    for (unsigned i = 0; i < used; i++) {
        CHECK_EQUAL(bench->check, rt_cancel(bench->ring, operation[i]), TRANSPORT_OK);
        CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[i]).result,
                    TRANSPORT_CANCELLED);
    }
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &finish).result, 0);
    finish.answer = open.raw;
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &finish).result, 0);
    rt_answer_release(bench->ring, kept);
    rt_answer_release(bench->ring, open);
}

/* ---- edges -------------------------------------------------------------------------------------
 */

/* RETURN_RECV asks for both rights, each by itself. */
static void half_an_owner_does_not_serve(struct bench *bench)
{
    const struct manifest_export limits = {
        .message_bytes = 64, .capabilities = 1, .queue_length = 1};
    const uint64_t halves[] = {ENDPOINT_FACET_ANSWER, ENDPOINT_FACET_RECEIVE};
    struct endpoint_factory factory = {.cap = check_held(bench->check, "endpoint-factory")};
    struct endpoint_owner owner = {{0}};

    CHECK_EQUAL(bench->check, endpoint_client_create(bench->rt, factory, &limits, &owner), 0);
    for (size_t i = 0; i < ARRAY_COUNT(halves); i++) {
        struct rt_duplicate narrow = {.cap = owner.cap, .facet = halves[i]};
        struct sqe entry = {.opcode = OPCODE_RETURN_RECV,
                            .token = 1,
                            .message = address_of(bench->message.bytes),
                            .result = address_of(bench->result.bytes),
                            .result_bytes = ROOM};

        CHECK_EQUAL(bench->check, rt_duplicate(bench->ring, &narrow, &entry.cap, NULL), 0);
        REFUSED(bench, &entry, NO_METHOD, CAP);
        CHECK_EQUAL(bench->check, rt_release(bench->ring, entry.cap), 0);
    }
    CHECK_EQUAL(bench->check, rt_release(bench->ring, owner.cap), 0);
}

/* Whoever counts its edges is told of each that comes and goes, however it does. */
static void owners_are_counted(struct bench *bench)
{
    const struct manifest_export limits = {
        .message_bytes = 64, .capabilities = 1, .queue_length = 1};
    const struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                             .facet = RT_FACET_SAME,
                                             .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    struct endpoint_factory factory = {.cap = check_held(bench->check, "endpoint-factory")};
    struct sqe receive = {
        .opcode = OPCODE_RECV, .result = address_of(bench->result.bytes), .result_bytes = ROOM};
    struct sqe call = usual(bench);
    struct endpoint_owner owner = {{0}};
    struct rt_operation operation;

    CHECK_EQUAL(bench->check, endpoint_client_create(bench->rt, factory, &limits, &owner), 0);
    CHECK_EQUAL(bench->check, endpoint_client_mint(bench->rt, owner, &session, &call.cap), 0);
    CHECK_EQUAL(bench->check, rt_duplicate_same(bench->ring, owner.cap, &receive.cap), 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, owner.cap), 0);
    operation = check_submit(bench->check, bench->ring, &receive); /* its last owner is there */
    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, operation), 0);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation).result,
                TRANSPORT_CANCELLED);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, receive.cap), 0);
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &call).result,
                TRANSPORT_PEER_GONE); /* and now it is not */
    CHECK_EQUAL(bench->check, rt_release(bench->ring, call.cap), 0);
}

/* A descriptor goes one hop, and what is no descriptor may go on with the right to. */
static void edges_passed_on(struct bench *bench, struct process_handle to)
{
    struct rt_duplicate lowest = {.cap = bench->null, .facet = RT_FACET_SAME, .flags = SQE_WINDOW};
    struct rt_transfer request = {.target = to.cap};

    CHECK_EQUAL(bench->check, rt_duplicate(bench->ring, &lowest, &request.cap, NULL), 0);
    CHECK_EQUAL(bench->check, rt_transfer(bench->ring, &request, NULL), TRANSPORT_OK);
    request.flags = SQE_KEEP_GRANT;
    CHECK_EQUAL(bench->check, rt_transfer(bench->ring, &request, NULL), TRANSPORT_NOT_GRANTABLE);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, request.cap), 0);
    request.cap = bench->null;
    request.flags = SQE_KEEP_GRANT | SQE_EXACT_SLOT;
    request.slot = LIMIT_DESCRIPTORS - 1;
    CHECK_EQUAL(bench->check, rt_transfer(bench->ring, &request, NULL), TRANSPORT_NOT_GRANTABLE);
    request.slot = LIMIT_DESCRIPTORS; /* no descriptor: it is held, which is another matter */
    CHECK_EQUAL(bench->check, rt_transfer(bench->ring, &request, NULL), TRANSPORT_SLOT_IN_USE);
    request.flags = SQE_KEEP_GRANT;
    request.slot = 0;
    CHECK_EQUAL(bench->check, rt_transfer(bench->ring, &request, NULL), TRANSPORT_OK);
}

/* A full table takes no edge by any opcode, and says which quota it is; what needs no slot goes
 * on. */
static void slots_used_up(struct bench *bench)
{
    static struct cap_id copy[SLOTS_MAX];
    struct sqe duplicate = {.opcode = OPCODE_DUP, .cap = bench->null, .facet = 1};
    struct sqe delegate = {.opcode = OPCODE_DELEGATE, .cap = bench->null, .facet = 1};
    struct sqe echo = usual(bench);
    uint32_t count = 0;

    while (count < SLOTS_MAX &&
           rt_duplicate_same(bench->ring, bench->null, &copy[count]) == TRANSPORT_OK) {
        count++;
    }
    CHECK(bench->check, count > 2 && count < SLOTS_MAX);
    refused_at(bench, &duplicate, TRANSPORT_LIMIT, ARGUMENT_LEDGER + LEDGER_SLOTS, __LINE__);
    refused_at(bench, &delegate, TRANSPORT_LIMIT, ARGUMENT_LEDGER + LEDGER_SLOTS, __LINE__);
    echo.method = NULL_OBJECT_METHOD_ECHO;
    EXCEPTED(bench, &echo); /* without its argument, but carried out */
    duplicate.flags = SQE_WINDOW;
    refused_at(bench, &duplicate, TRANSPORT_LIMIT, ARGUMENT_NONE, __LINE__);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, copy[0]), 0);
    refused_at(bench, &delegate, TRANSPORT_LIMIT, ARGUMENT_LEDGER + LEDGER_SLOTS, __LINE__);
    for (uint32_t i = 1; i < count; i++) {
        CHECK_EQUAL(bench->check, rt_release(bench->ring, copy[i]), 0);
    }
}

/* ---- pairs of UNPARK and PARK -------------------------------------------------------------- */

/* A pair that would wait for ever by the short way: one word is to be woken, at the other one
 * waits.
 */
struct pair {
    struct sqe wake;
    struct sqe wait;
};

static uint32_t *word; /* two of them, on main's stack */

static struct pair pair_usual(void)
{
    return (struct pair){
        .wake = {.opcode = OPCODE_UNPARK, .address = address_of(&word[0]), .value = 1},
        .wait = {
            .opcode = OPCODE_PARK, .address = address_of(&word[1]), .timeout_ns = TIMEOUT_NONE}};
}

static void paired_at(struct bench *bench, const struct pair *pair, int32_t woken, int32_t waited,
                      unsigned line)
{
    struct rt_operation wake = check_submit(bench->check, bench->ring, &pair->wake);
    struct rt_operation wait = check_submit(bench->check, bench->ring, &pair->wait);

    CHECK(bench->check, rt_syscall_cap_enter(2, TIMEOUT_NONE) >= 2);
    (void)check_numbers(bench->check, check_completion(bench->check, bench->ring, wake).result,
                        woken, line);
    (void)check_numbers(bench->check, check_completion(bench->check, bench->ring, wait).result,
                        waited, line);
}
#define PAIRED(bench, pair, woken, waited)                                                         \
    paired_at((bench), (pair), TRANSPORT_##woken, TRANSPORT_##waited, __LINE__)

/* The pair while the thread waits for two completions: that of the UNPARK, and that of another
 * PARK's time limit. So it goes on, and the pair's PARK is left waiting. */
static struct rt_operation pair_left(struct bench *bench, const struct pair *pair, int32_t woken)
{
    struct sqe later = pair_usual().wait;
    struct rt_operation operation[3];

    later.timeout_ns = IDLE_NS / 1000;
    operation[0] = check_submit(bench->check, bench->ring, &later);
    CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
    operation[1] = check_submit(bench->check, bench->ring, &pair->wake);
    operation[2] = check_submit(bench->check, bench->ring, &pair->wait);
    CHECK(bench->check, rt_syscall_cap_enter(2, TIMEOUT_NONE) >= 2);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[0]).result,
                TRANSPORT_TIMEOUT);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[1]).result,
                woken);
    return operation[2];
}

/* The UNPARK is refused, the PARK waits until it is taken back. */
static void wake_refused(struct bench *bench, const struct pair *pair)
{
    struct rt_operation left = pair_left(bench, pair, TRANSPORT_BAD_FIELD);

    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, left), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, left).result,
                TRANSPORT_CANCELLED);
}

static void pairs_differ_in_form(struct bench *bench)
{
    struct pair pair = pair_usual();

    pair.wake.method = 1;
    wake_refused(bench, &pair);
    pair = pair_usual();
    pair.wake.result_bytes = 1;
    wake_refused(bench, &pair);
    pair = pair_usual();
    pair.wake.spare = 1;
    wake_refused(bench, &pair);
    pair = pair_usual();
    pair.wait.value = 7; /* the word has another value */
    PAIRED(bench, &pair, OK, CHANGED);
    pair = pair_usual();
    pair.wait.method = 1;
    PAIRED(bench, &pair, OK, BAD_FIELD);
    pair = pair_usual();
    pair.wait.result_bytes = 1;
    PAIRED(bench, &pair, OK, BAD_FIELD);
    pair = pair_usual();
    pair.wait.timeout_ns = 1000;
    PAIRED(bench, &pair, OK, TIMEOUT);
    pair = pair_usual();
    pair.wait.interface_id = 1;
    PAIRED(bench, &pair, OK, BAD_FIELD);
    pair = pair_usual();
    pair.wait.address += 2;
    PAIRED(bench, &pair, OK, BAD_BUFFER);
    pair.wait.address = UINT64_C(0x123456789000); /* nothing is there */
    PAIRED(bench, &pair, OK, BAD_BUFFER);
    pair.wait.address = LIMIT_USER_MAX;
    PAIRED(bench, &pair, OK, BAD_BUFFER);
    pair.wait.address = UINT64_MAX - 3;
    PAIRED(bench, &pair, OK, BAD_BUFFER);
}

static void pairs_differ_in_objects(struct bench *bench)
{
    const struct manifest_export limits = {
        .message_bytes = 64, .capabilities = 1, .queue_length = 1};
    const struct endpoint_session forged = {.interface_id = MEMORY_OBJECT_INTERFACE_ID,
                                            .facet = RT_FACET_SAME,
                                            .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    struct frame_allocator allocator = {.cap = check_held(bench->check, "frame-allocator")};
    struct endpoint_factory factory = {.cap = check_held(bench->check, "endpoint-factory")};
    struct rt_duplicate narrow = {.facet = ~MEMORY_OBJECT_FACET_READ};
    struct endpoint_owner owner = {{0}};
    struct memory_object object = {{0}};
    struct rt_delegated made = {.cap = {0}};
    struct pair pair = pair_usual();
    struct rt_operation left;

    CHECK_EQUAL(bench->check,
                memory_client_allocate(bench->rt, allocator, LIMIT_PAGE_BYTES, &object), 0);
    pair.wait.address = 0;
    pair.wait.cap = bench->null;
    PAIRED(bench, &pair, OK, WRONG_INTERFACE);
    pair.wait.cap.raw += UINT64_C(1) << CAP_SLOT_BITS;
    PAIRED(bench, &pair, OK, BAD_CAP);
    CHECK_EQUAL(bench->check, endpoint_client_create(bench->rt, factory, &limits, &owner), 0);
    CHECK_EQUAL(bench->check, endpoint_client_mint(bench->rt, owner, &forged, &pair.wait.cap), 0);
    PAIRED(bench, &pair, OK, WRONG_INTERFACE);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, pair.wait.cap), 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, owner.cap), 0);
    narrow.cap = object.cap;
    CHECK_EQUAL(bench->check, rt_duplicate(bench->ring, &narrow, &pair.wait.cap, NULL), 0);
    PAIRED(bench, &pair, OK, NO_METHOD);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, pair.wait.cap), 0);
    CHECK_EQUAL(bench->check, rt_delegate(bench->ring, object.cap, RT_FACET_SAME, &made, NULL), 0);
    pair.wait.cap = made.cap;
    left = pair_left(bench, &pair, 0);
    CHECK(bench->check, rt_revoke(bench->ring, made.handle, NULL, NULL) >= 0);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, left).result,
                TRANSPORT_REVOKED);
    PAIRED(bench, &pair, OK, REVOKED);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, made.cap), 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, made.handle), 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, object.cap), 0);
}

/* Words of an object in a page that nobody has touched: the kernel makes it for the one that waits.
 */
static void pair_makes_a_page(struct bench *bench)
{
    struct frame_allocator allocator = {.cap = check_held(bench->check, "frame-allocator")};
    struct memory_object object = {{0}};
    struct pair pair = pair_usual();
    struct rt_operation left;

    CHECK_EQUAL(bench->check,
                memory_client_allocate(bench->rt, allocator, 2 * LIMIT_PAGE_BYTES, &object), 0);
    pair.wake.cap = object.cap;
    pair.wake.address = 0;
    pair.wait.cap = object.cap;
    pair.wait.address = LIMIT_PAGE_BYTES;
    left = pair_left(bench, &pair, 0);
    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, left), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, left).result,
                TRANSPORT_CANCELLED);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, object.cap), 0);
}

/* ---- a batch that waits ------------------------------------------------------------------------
 */

/* A batch that ends with a call, which meets a receiver of the same thread, while that waits for
 * `enough` completions. 2 come at once: it goes on. One more comes with a time limit: it waits, and
 * nobody is switched to. */
static void calls_itself(struct bench *bench, uint32_t enough)
{
    const struct manifest_export limits = {.message_bytes = 64, .queue_length = 1};
    const struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                             .facet = RT_FACET_SAME};
    struct endpoint_factory factory = {.cap = check_held(bench->check, "endpoint-factory")};
    struct rt_buffer inbox = rt_buffer_alloc(bench->ring, RT_RECEIVE_BYTES(64));
    struct sqe later = {
        .opcode = OPCODE_PARK, .address = address_of(word), .timeout_ns = IDLE_NS / 1000};
    struct sqe receive = {.opcode = OPCODE_RECV,
                          .result = address_of(inbox.bytes),
                          .result_bytes = RT_RECEIVE_BYTES(64)};
    struct sqe nothing = {.opcode = OPCODE_NOP};
    struct sqe call = usual(bench);
    struct endpoint_owner owner = {{0}};
    struct rt_operation operation[4];

    CHECK_EQUAL(bench->check, endpoint_client_create(bench->rt, factory, &limits, &owner), 0);
    CHECK_EQUAL(bench->check, endpoint_client_mint(bench->rt, owner, &session, &call.cap), 0);
    receive.cap = owner.cap;
    operation[0] = check_submit(bench->check, bench->ring, &later);
    operation[1] = check_submit(bench->check, bench->ring, &receive);
    CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
    operation[2] = check_submit(bench->check, bench->ring, &nothing);
    operation[3] = check_submit(bench->check, bench->ring, &call);
    CHECK(bench->check, rt_syscall_cap_enter(enough, TIMEOUT_NONE) >= (int64_t)enough);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[0]).result,
                TRANSPORT_TIMEOUT);
    CHECK(bench->check, check_completion(bench->check, bench->ring, operation[1]).result > 0);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[2]).result, 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, owner.cap), 0);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[3]).result,
                TRANSPORT_PEER_GONE);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, call.cap), 0);
    rt_buffer_free(bench->ring, inbox);
}

/* ---- the system calls themselves
 * ----------------------------------------------------------------- */

static void system_calls_refused(struct bench *bench)
{
    struct ring_header *header = bench->ring->header;
    uint32_t head = ring_load_peer(&header->cq_head);

    CHECK_EQUAL(bench->check, rt_syscall_exit(9, 7), TRANSPORT_BAD_ARGUMENT);
    CHECK_EQUAL(bench->check, rt_syscall_cap_enter(LIMIT_CQ_ENTRIES + 1, 0),
                TRANSPORT_BAD_ARGUMENT);
    /* An impossible head and nothing submitted: nobody waits for what cannot be counted. */
    ring_publish(&header->cq_head, head + 1);
    CHECK_EQUAL(bench->check, rt_syscall_cap_enter(1, TIMEOUT_NONE), TRANSPORT_RING_CORRUPT);
    CHECK_EQUAL(bench->check, rt_syscall_cap_enter(0, 0), TRANSPORT_RING_CORRUPT);
    ring_publish(&header->cq_head, head);
    ring_publish(&header->corrupt, 0);
    CHECK_EQUAL(bench->check, rt_syscall_cap_enter(0, 0), 0);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct bench bench = {.check = &check, .rt = rt, .ring = &rt->ring};
    uint32_t words[2] = {0};
    struct process_handle idle;

    if (rt_name_is(rt, "unusual-idle")) {
        rt_sleep(rt, IDLE_NS);
        return 0;
    }
    rt->ring.checks = false; /* buffers outside the arena, and on its last byte */
    bench.null = check_held(&check, "null");
    bench.message = rt_buffer_alloc(&rt->ring, LIMIT_CALL_BYTES + 8);
    bench.result = rt_buffer_alloc(&rt->ring, ROOM);
    capabilities_differ(&bench);
    methods_differ(&bench);
    forms_differ(&bench);
    buffers_differ(&bench);
    answer_kept(&bench);
    descriptors_refused(&bench);
    scratch_short(&bench);
    answer_too_long(&bench);
    idle = idle_spawn(&bench);
    later_needs_the_arena(&bench, idle);
    operations_used_up(&bench, idle);
    edges_passed_on(&bench, idle);
    CHECK_EQUAL(&check, process_client_kill(rt, idle, 0), TRANSPORT_OK);
    CHECK_EQUAL(&check, rt_release(&rt->ring, idle.cap), TRANSPORT_OK);
    half_an_owner_does_not_serve(&bench);
    owners_are_counted(&bench);
    word = words;
    calls_itself(&bench, 2);
    calls_itself(&bench, 3);
    pairs_differ_in_form(&bench);
    pairs_differ_in_objects(&bench);
    pair_makes_a_page(&bench);
    slots_used_up(&bench);
    system_calls_refused(&bench);
    return check_end(&check);
}
