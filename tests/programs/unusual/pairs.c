/* SPDX-License-Identifier: MIT */
/*
 * Batches at whose end the thread waits. The last entry, a PARK behind an UNPARK or a call, would
 * go by a short way of its own; here the pair differs in one thing, or the call meets its own
 * thread.
 */
#include "tests/programs/unusual/unusual.h"
#include "user/lib/memory.h"
#include "user/rt/call.h"
#include "user/rt/cap.h"

static struct memory_object object_made(struct bench *bench, uint64_t bytes)
{
    struct frame_allocator allocator = {.cap = check_held(bench->check, "frame-allocator")};
    struct memory_object object = {{0}};

    CHECK_EQUAL(bench->check, memory_client_allocate(bench->rt, allocator, bytes, &object), 0);
    return object;
}

/* ---- pairs of UNPARK and PARK -------------------------------------------------------------- */

/* A pair that would wait for ever by the short way: one word is to be woken, at the other one
 * waits.
 */
struct pair {
    struct sqe wake;
    struct sqe wait;
};

static uint32_t *word; /* two of them and a third behind, on the stack of waits_differ */

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
    struct cqe completion;

    CHECK(bench->check, rt_syscall_cap_enter(2, TIMEOUT_NONE) >= 2);
    completion = check_completion(bench->check, bench->ring, wake);
    (void)check_numbers(bench->check, completion.result, woken, line);
    check_refusal(bench->check, &pair->wake, &completion);
    completion = check_completion(bench->check, bench->ring, wait);
    (void)check_numbers(bench->check, completion.result, waited, line);
    check_refusal(bench->check, &pair->wait, &completion);
}
#define PAIRED(bench, pair, woken, waited)                                                         \
    paired_at((bench), (pair), TRANSPORT_##woken, TRANSPORT_##waited, __LINE__)

/* The pair while the thread waits for two completions: that of the UNPARK, and that of another
 * PARK's time limit. So it goes on, and the pair's PARK is left waiting. Completions are not read
 * meanwhile: the limit may be over before the wait begins, and must count then. */
static struct rt_operation pair_left(struct bench *bench, const struct pair *pair, int32_t woken)
{
    struct sqe later = pair_usual().wait;
    struct rt_operation operation[3];
    struct cqe completion;

    later.timeout_ns = UNUSUAL_IDLE_NS / 1000;
    operation[0] = check_submit(bench->check, bench->ring, &later);
    CHECK(bench->check, rt_syscall_cap_enter(0, 0) >= 0);
    operation[1] = check_submit(bench->check, bench->ring, &pair->wake);
    operation[2] = check_submit(bench->check, bench->ring, &pair->wait);
    CHECK(bench->check, rt_syscall_cap_enter(2, TIMEOUT_NONE) >= 2);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[0]).result,
                TRANSPORT_TIMEOUT);
    completion = check_completion(bench->check, bench->ring, operation[1]);
    CHECK_EQUAL(bench->check, completion.result, woken);
    check_refusal(bench->check, &pair->wake, &completion);
    return operation[2];
}

/* The UNPARK ends with `woken`, the PARK waits until it is taken back. */
static void wait_cancelled(struct bench *bench, const struct pair *pair, int32_t woken)
{
    struct rt_operation left = pair_left(bench, pair, woken);

    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, left), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, left).result,
                TRANSPORT_CANCELLED);
}

static void wake_refused(struct bench *bench, const struct pair *pair)
{
    wait_cancelled(bench, pair, TRANSPORT_BAD_FIELD);
}

/* A lone UNPARK, behind which the ring still has the PARK of a pair that is over, in a thread that
 * waits for its completion, or for that of an earlier PARK as well. */
static void the_pair_is_over(struct bench *bench, uint32_t enough)
{
    const struct sqe nothing = {.opcode = OPCODE_NOP};
    struct pair pair = pair_usual();
    struct sqe later = pair.wait;
    struct rt_operation wake;
    struct rt_operation wait = {.id = 0};

    wait_cancelled(bench, &pair, TRANSPORT_OK);
    for (uint32_t behind = 2 + enough; behind < bench->ring->header->sq_entries; behind++) {
        CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &nothing).result, 0);
    }
    if (enough == 2) {
        later.timeout_ns = UNUSUAL_IDLE_NS / 1000;
        wait = check_submit(bench->check, bench->ring, &later);
        CHECK(bench->check, rt_syscall_cap_enter(0, 0) >= 0);
    }
    wake = check_submit(bench->check, bench->ring, &pair.wake);
    CHECK(bench->check, rt_syscall_cap_enter(enough, TIMEOUT_NONE) >= enough);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, wake).result, 0);
    if (enough == 2) {
        CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, wait).result,
                    TRANSPORT_TIMEOUT);
    }
    CHECK_EQUAL(bench->check, check_done(bench->check, bench->ring, &nothing).result, 0);
}

/* A time limit beyond the end of time is none. */
static void waits_nearly_for_ever(struct bench *bench)
{
    struct sqe later = pair_usual().wait;
    struct rt_operation wait;

    later.timeout_ns = UNUSUAL_IDLE_NS / 1000;
    wait = check_submit(bench->check, bench->ring, &later);
    CHECK_EQUAL(bench->check, rt_syscall_cap_enter(1, TIMEOUT_NONE - 1), 1);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, wait).result,
                TRANSPORT_TIMEOUT);
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
    PAIRED(bench, &pair, OK, BAD_BUFFER); /* half of two words, which are what is expected */
    pair = pair_usual();
    pair.wake.address += 2;
    wait_cancelled(bench, &pair, TRANSPORT_BAD_BUFFER);
    pair = pair_usual();
    pair.wait.address = UINT64_C(0x123456789000); /* nothing is there */
    PAIRED(bench, &pair, OK, BAD_BUFFER);
    pair.wait.address = LIMIT_USER_MAX;
    PAIRED(bench, &pair, OK, BAD_BUFFER);
    pair.wait.address = UINT64_MAX - 3;
    PAIRED(bench, &pair, OK, BAD_BUFFER);
}

/* The UNPARK through `cap` is refused with `error`; the PARK waits until it is taken back. */
static void wake_refused_through(struct bench *bench, struct cap_id cap, int32_t error)
{
    struct pair pair = pair_usual();
    struct rt_operation left;

    pair.wake.cap = cap;
    pair.wake.address = 0;
    left = pair_left(bench, &pair, error);
    CHECK_EQUAL(bench->check, rt_cancel(bench->ring, left), TRANSPORT_OK);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, left).result,
                TRANSPORT_CANCELLED);
}

/* Words that an object has not; at the same addresses the program itself has some, of value 0. */
static void pairs_differ_in_words(struct bench *bench, struct cap_id object)
{
    struct pair pair = pair_usual();

    pair.wait.cap = object;
    PAIRED(bench, &pair, OK, BAD_BUFFER);
    pair.wait.address = LIMIT_PAGE_BYTES;
    PAIRED(bench, &pair, OK, BAD_BUFFER);
    pair.wait.address = 2;
    PAIRED(bench, &pair, OK, BAD_BUFFER);
    pair.wait.address = 0;
    pair.wait.value = 7; /* the page is there from now on */
    PAIRED(bench, &pair, OK, CHANGED);
    PAIRED(bench, &pair, OK, CHANGED);
}

static void pairs_differ_in_objects(struct bench *bench)
{
    const struct endpoint_session forged = {.interface_id = MEMORY_OBJECT_INTERFACE_ID,
                                            .facet = RT_FACET_SAME,
                                            .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    struct rt_duplicate narrow = {.facet = ~MEMORY_OBJECT_FACET_READ};
    struct endpoint_owner owner = endpoint_made(bench);
    struct memory_object object = object_made(bench, LIMIT_PAGE_BYTES);
    struct rt_delegated made = {.cap = {0}};
    struct pair pair = pair_usual();
    struct rt_operation left;

    pairs_differ_in_words(bench, object.cap);
    pair.wait.address = 0;
    pair.wait.cap = bench->null;
    PAIRED(bench, &pair, OK, WRONG_INTERFACE);
    wake_refused_through(bench, pair.wait.cap, TRANSPORT_WRONG_INTERFACE);
    pair.wait.cap.raw += UINT64_C(1) << CAP_SLOT_BITS;
    PAIRED(bench, &pair, OK, BAD_CAP);
    wake_refused_through(bench, pair.wait.cap, TRANSPORT_BAD_CAP);
    CHECK_EQUAL(bench->check, endpoint_client_mint(bench->rt, owner, &forged, &pair.wait.cap), 0);
    PAIRED(bench, &pair, OK, WRONG_INTERFACE);
    wake_refused_through(bench, pair.wait.cap, TRANSPORT_WRONG_INTERFACE);
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
    struct memory_object object = object_made(bench, 2 * LIMIT_PAGE_BYTES);
    struct pair pair = pair_usual();
    struct rt_operation left;

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

/* ---- a batch that waits ---------------------------------------------------------------------- */

/* A batch that ends with a call, which meets a receiver of the same thread, while that waits for
 * `enough` completions. 2 come at once: it goes on. One more comes with a time limit: it waits, and
 * nobody is switched to. */
static void calls_itself(struct bench *bench, uint32_t enough)
{
    const struct endpoint_session session = {.interface_id = NULL_OBJECT_INTERFACE_ID,
                                             .facet = RT_FACET_SAME};
    struct rt_buffer inbox = rt_buffer_alloc(bench->ring, RT_RECEIVE_BYTES(64));
    struct sqe later = {
        .opcode = OPCODE_PARK, .address = address_of(word), .timeout_ns = UNUSUAL_IDLE_NS / 1000};
    struct sqe receive = {.opcode = OPCODE_RECV,
                          .result = address_of(inbox.bytes),
                          .result_bytes = RT_RECEIVE_BYTES(64)};
    struct sqe nothing = {.opcode = OPCODE_NOP};
    struct sqe call = usual(bench);
    struct endpoint_owner owner = endpoint_made(bench);
    struct rt_operation operation[4];

    CHECK_EQUAL(bench->check, endpoint_client_mint(bench->rt, owner, &session, &call.cap), 0);
    receive.cap = owner.cap;
    operation[0] = check_submit(bench->check, bench->ring, &later);
    operation[1] = check_submit(bench->check, bench->ring, &receive);
    CHECK(bench->check, rt_syscall_cap_enter(0, 0) >= 0);
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

/* A call that is the last of its session is answered while another waits: who receives with the
 * answer is told of the session's end first, and gets the call then. */
static void session_ends_first(struct bench *bench)
{
    struct endpoint_session session = {
        .interface_id = NULL_OBJECT_INTERFACE_ID, .facet = RT_FACET_SAME, .badge = 7};
    struct rt_buffer inbox = rt_buffer_alloc(bench->ring, RT_RECEIVE_BYTES(64));
    struct rt_buffer room = rt_buffer_alloc(bench->ring, ROOM);
    struct endpoint_owner owner = endpoint_made(bench);
    struct sqe last = usual(bench);
    struct sqe other = usual(bench);
    struct rt_operation operation[2];
    struct rt_request request;
    struct rt_reply reply;

    CHECK_EQUAL(bench->check, endpoint_client_mint(bench->rt, owner, &session, &last.cap), 0);
    session.badge = 0;
    CHECK_EQUAL(bench->check, endpoint_client_mint(bench->rt, owner, &session, &other.cap), 0);
    other.message = other.result = address_of(room.bytes);
    other.message_bytes = 0;
    other.result_bytes = 8; /* no capability comes back: the slot is there for the receive */
    operation[0] = check_submit(bench->check, bench->ring, &last);
    request = rt_receive(bench->ring, owner.cap, inbox);
    CHECK(bench->check, request.status > 0 && request.head->badge == 7);
    reply = (struct rt_reply){
        .endpoint = owner.cap, .token = request.head->token, .message = inbox.bytes};
    CHECK_EQUAL(bench->check, rt_release(bench->ring, last.cap), 0);
    operation[1] = check_submit(bench->check, bench->ring, &other);
    CHECK_EQUAL(bench->check, rt_ring_enter(bench->ring, 0, 0), TRANSPORT_OK);
    request = rt_return_receive(bench->ring, &reply, inbox);
    CHECK(bench->check, request.status > 0 && request.head->kind == ENDPOINT_MESSAGE_CLOSED &&
                            request.head->badge == 7);
    request = rt_receive(bench->ring, owner.cap, inbox);
    CHECK(bench->check, request.status > 0 && request.head->kind == ENDPOINT_MESSAGE_CALL);
    reply.token = request.head->token;
    CHECK_EQUAL(bench->check, rt_return(bench->ring, &reply), 0);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[0]).result, 0);
    CHECK_EQUAL(bench->check, check_completion(bench->check, bench->ring, operation[1]).result, 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, other.cap), 0);
    CHECK_EQUAL(bench->check, rt_release(bench->ring, owner.cap), 0);
    rt_buffer_free(bench->ring, room);
    rt_buffer_free(bench->ring, inbox);
}

void waits_differ(struct bench *bench)
{
    uint32_t words[3] = {0};

    word = words;
    calls_itself(bench, 2);
    calls_itself(bench, 3);
    session_ends_first(bench);
    pairs_differ_in_form(bench);
    the_pair_is_over(bench, 1);
    the_pair_is_over(bench, 2);
    waits_nearly_for_ever(bench);
    pairs_differ_in_objects(bench);
    pair_makes_a_page(bench);
    word = NULL;
}
