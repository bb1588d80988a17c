/* SPDX-License-Identifier: MIT */
/*
 * Endpoints.
 *
 * A message waits in its sender's arena and is copied once, at delivery, into the buffer that the
 * receiver named when it asked. Delivery cannot fail: RECV is refused unless its buffer holds the
 * largest message with all its capabilities, and has reserved slots for those; CALL is refused when
 * its message is larger, and has reserved slots for what its answer may bring; every operation
 * keeps a place for its completion. What travels with a call that waits is a bundle (core/transfer)
 * in the call's record: it arrives with the message or comes back when the call ends before.
 *
 * Three objects. Owners' edges name `owner`; when the last of them goes, the endpoint is closed and
 * a job ends what waits, a few at a time. Clients' edges name a session, if they have a badge, else
 * `object`. So what an edge pins is exactly what must notice its end, and to copy, move or drop an
 * edge is to count a reference, whatever it is an edge of. `object` is kept by `owner`, by each
 * session and by each operation, and goes with the last of them.
 *
 * A session's references are its edges and its calls (and, for the length of one submission, the
 * pin of whoever looked one up). When the last goes, its record waits for a receiver, which gets
 * CLOSED with the badge; there is nothing that could bring a session back, so that happens once.
 *
 * Ends. A call may end from either side, by a revoke, or with the endpoint: whoever finds it in the
 * endpoint under its lock ends it, takes its bundle back and completes it; whoever comes second
 * finds nothing. An operation remembers the grant of the edge it was begun through, and a call in
 * flight that of the edge it was taken through. Both are compared when the operation is published
 * under the lock, at delivery and at RETURN; a revoke marks first and walks the endpoint later, so
 * it finds the operation or the operation finds the mark.
 *
 * A thread that ends with calls in flight leaves them to its process if that ends too: only when
 * the process's edges are gone it is known whether the endpoint closes (PEER_GONE) or lives on with
 * another owner (PEER_RESTARTED).
 *
 * Lifetime. Whoever takes an endpoint's lock pins it by another reference than those that may end
 * under the lock; the shortest ways (handoff.c) by one of those that they find in the endpoint and
 * leave there. A thread that retires takes the lock of each endpoint its operations name, so no
 * other CPU is still completing one of them afterwards. A server thread finds the calls it took by
 * their tokens, never by pointer, because their owners may be gone.
 *
 * Locks: endpoint, then one process or two by pid, or a ring. Edges that arrive nowhere are dropped
 * after the endpoint's lock was given back (struct settling), since that may take another one.
 * What can fail: buffers, limits, a closed endpoint, a token used before, descriptors: each a named
 * refusal with nothing changed, except that an answer too large for its caller uses up the token
 * and both sides are told.
 */
#include "kernel/ipc/endpoint.h"

#include "core/assert.h"
#include "kernel/ipc/delivery.h"
#include "kernel/mem/kmem.h"

enum {
    /* Each end is about 400 instructions, with capabilities up to 2,000. One of a revoke may also
     * let a call of the largest message be delivered, about 8,000 more. */
    CLOSED_PER_STEP = 4,
    REVOKED_PER_STEP = 1,
    /* Operations of which grants are walked in one step of a revoke, up to 160 instructions each;
     * those looked at before, a full queue of them, are some 15 each. */
    WALKED_PER_STEP = 16,
    /* A step of received_cancel ends when so many messages, or bytes of them, were delivered. */
    RECEIVED_PER_STEP = 8,
    RECEIVED_BYTES = 8192,
};

static struct kmem_cache endpoint_cache;
static struct kmem_cache session_cache;
static uint64_t closing; /* atomic: endpoints without owner whose work is not over */

void endpoints_init(void)
{
    closing = 0;
    kmem_cache_init(&endpoint_cache, "endpoint", sizeof(struct endpoint));
    kmem_cache_init(&session_cache, "session", sizeof(struct session));
}

uint64_t endpoints_closing(void)
{
    return atomic_load_acquire_u64(&closing);
}

enum status endpoint_create(const struct endpoint_limits *limits, struct account *account,
                            struct endpoint **created)
{
    enum status status = account_charge(account, LEDGER_ENDPOINT_QUEUE, endpoint_places(limits));
    struct endpoint *endpoint;

    if (status != STATUS_OK) {
        return status;
    }
    endpoint = kmem_alloc(&endpoint_cache);
    if (endpoint == NULL) {
        account_release(account, LEDGER_ENDPOINT_QUEUE, endpoint_places(limits));
        return STATUS_NO_MEMORY;
    }
    object_init(&endpoint->object, &endpoint_type); /* the owner object's reference */
    object_init(&endpoint->owner, &endpoint_owner_type);
    endpoint->account = account;
    spinlock_init(&endpoint->lock, LOCK_RANK_ENDPOINT, 0);
    endpoint_queues_init(&endpoint->queues, limits);
    endpoint->receive_bytes = endpoint_receive_bytes(limits);
    *created = endpoint;
    return STATUS_OK;
}

static void endpoint_destroy(struct object *object)
{
    struct endpoint *endpoint = CONTAINER_OF(object, struct endpoint, object);

    ASSERT(endpoint_any(&endpoint->queues) == NULL);
    ASSERT(endpoint->queues.session_count == 0);
    ASSERT(atomic_load_relaxed_u64(&endpoint->owner.grants.nodes) == 0);
    account_release(endpoint->account, LEDGER_ENDPOINT_QUEUE,
                    endpoint_places(&endpoint->queues.limits));
    kmem_free(&endpoint_cache, endpoint);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static enum session_refusal session_open(struct endpoint *endpoint, uint64_t badge,
                                         struct session *session)
{
    enum endpoint_session_refusal refusal;

    object_init(&session->object, &session_type);
    session->endpoint = endpoint;
    spinlock_lock(&endpoint->lock);
    refusal = endpoint_session_open(&endpoint->queues, &session->record, badge);
    spinlock_unlock(&endpoint->lock);
    if (refusal != ENDPOINT_SESSION_OK) {
        return refusal == ENDPOINT_SESSION_EXISTS ? SESSION_EXISTS : SESSION_LIMIT;
    }
    object_ref(&endpoint->object);
    return SESSION_OK;
}

enum session_refusal session_create(struct endpoint *endpoint, uint64_t badge,
                                    struct account *account, struct session **created)
{
    enum session_refusal refusal = SESSION_NO_MEMORY;
    struct session *session;

    if (account_charge(account, LEDGER_ENDPOINT_QUEUE, SESSION_PLACES) != STATUS_OK) {
        return SESSION_QUOTA;
    }
    session = kmem_alloc(&session_cache);
    if (session != NULL) {
        session->account = account;
        refusal = session_open(endpoint, badge, session);
        if (refusal != SESSION_OK) {
            kmem_free(&session_cache, session);
        }
    }
    if (refusal != SESSION_OK) {
        account_release(account, LEDGER_ENDPOINT_QUEUE, SESSION_PLACES);
        return refusal;
    }
    *created = session;
    return SESSION_OK;
}

void session_free(struct endpoint *endpoint, struct endpoint_session *record)
{
    struct session *session = CONTAINER_OF(record, struct session, record);

    account_release(session->account, LEDGER_ENDPOINT_QUEUE, SESSION_PLACES);
    kmem_free(&session_cache, session);
    object_unref(&endpoint->object);
}

void session_over(struct endpoint *endpoint, struct session *session)
{
    ASSERT(atomic_load_relaxed_u64(&session->object.grants.nodes) == 0);
    if (endpoint->closed) {
        endpoint_session_remove(&endpoint->queues, &session->record);
        session_free(endpoint, &session->record);
    } else {
        endpoint_session_close(&endpoint->queues, &session->record);
    }
}

/* The last edge and call of a badge are gone. */
static void session_destroy(struct object *object)
{
    struct session *session = CONTAINER_OF(object, struct session, object);
    struct endpoint *endpoint = session->endpoint;
    struct settling settling;

    object_ref(&endpoint->object);
    settle_lock(endpoint, &settling);
    session_over(endpoint, session);
    settle_unlock(endpoint, &settling);
    object_unref(&endpoint->object);
}

/* ---- the end of an endpoint ------------------------------------------------------------------ */

/* Ends a few of those who wait and a few sessions nobody will be told of; false: none are left. */
static bool close_some(struct endpoint *endpoint)
{
    const struct operation_outcome gone = {.result = TRANSPORT_PEER_GONE};
    struct endpoint_session *session;
    struct endpoint_record *record;
    struct settling settling;
    unsigned ended = 0;

    settle_lock(endpoint, &settling);
    while (ended < CLOSED_PER_STEP && (record = endpoint_any(&endpoint->queues)) != NULL &&
           transfer_drops_fit(&settling.drops, &operation_of(record)->bundle)) {
        endpoint_take_back(endpoint, operation_of(record), &gone, &settling);
        ended++;
    }
    while (ended < CLOSED_PER_STEP &&
           (session = endpoint_session_closed(&endpoint->queues)) != NULL) {
        endpoint_session_remove(&endpoint->queues, session);
        session_free(endpoint, session);
        ended++;
    }
    settle_unlock(endpoint, &settling);
    return ended != 0;
}

static bool close_step(struct job *job)
{
    struct endpoint *endpoint = CONTAINER_OF(job, struct endpoint, closing);
    bool more = close_some(endpoint);

    if (!more) {
        object_unref(&endpoint->object); /* the owner object's reference */
        atomic_add_u64(&closing, UINT64_MAX);
    }
    return more;
}

/* Whether anybody waits or is to be told nothing. */
static bool close_has_work(struct endpoint *endpoint)
{
    bool work;

    spinlock_lock(&endpoint->lock);
    endpoint->closed = true;
    work = endpoint_any(&endpoint->queues) != NULL ||
           endpoint_session_closed(&endpoint->queues) != NULL;
    spinlock_unlock(&endpoint->lock);
    return work;
}

/* The last owner's edge is gone. Many such edges may be dropped in one stretch, so nothing is ended
 * here. */
static void owner_destroy(struct object *object)
{
    struct endpoint *endpoint = CONTAINER_OF(object, struct endpoint, owner);
    struct cpu *cpu = arch_cpu_this();

    if (close_has_work(endpoint)) {
        atomic_add_u64(&closing, 1);
        endpoint->closing.step = close_step;
        job_start(&endpoint->closing, cpu, cpu->running_priority);
    } else {
        object_unref(&endpoint->object); /* the owner object's reference */
    }
}

/* ---- ends from outside ----------------------------------------------------------------------- */

bool endpoint_operation_cancel(struct endpoint *endpoint, struct operation *operation,
                               bool completes)
{
    const struct operation_outcome outcome = {.result = TRANSPORT_CANCELLED, .silent = !completes};
    struct settling settling;
    bool pending;

    settle_lock(endpoint, &settling);
    pending = operation->endpoint_record.place != ENDPOINT_NOWHERE;
    if (pending) {
        endpoint_take_back(endpoint, operation, &outcome, &settling);
    }
    settle_unlock(endpoint, &settling);
    return pending;
}

/* The first call of a list of received ones under `lock`: its endpoint, pinned, and its token.
 * NULL: the list is empty. */
static struct endpoint *received_first(struct spinlock *lock, const struct list *list,
                                       uint64_t *token)
{
    struct endpoint *endpoint = NULL;
    struct list_node *node;

    spinlock_lock(lock);
    node = list_first(list);
    if (node != NULL) {
        const struct operation *call = CONTAINER_OF(node, struct operation, received_node);

        endpoint = call->endpoint;
        *token = call->token;
        object_ref(&endpoint->object);
    }
    spinlock_unlock(lock);
    return endpoint;
}

/* The call in flight ends without an answer from who had taken it. */
static void received_end(struct endpoint *endpoint, uint64_t token, struct settling *settling)
{
    const struct operation_outcome outcome = {
        .result = endpoint->closed ? TRANSPORT_PEER_GONE : TRANSPORT_PEER_RESTARTED};
    struct endpoint_end end;

    if (endpoint_finish(&endpoint->queues, token, &end) == TRANSPORT_OK) {
        received_remove(operation_of(end.call));
        endpoint_end(endpoint, operation_of(end.call), end.watch, &outcome, settling);
    }
}

/* The call in flight loses its thread, and belongs to the process that ends. */
static void received_orphan(struct endpoint *endpoint, uint64_t token, struct process *process)
{
    struct endpoint_record *record = endpoint_find(&endpoint->queues, token);

    if (record != NULL) {
        struct operation *call = operation_of(record);

        received_remove(call);
        call->orphaned_in = process;
        spinlock_lock(&process->lock);
        list_push_back(&process->orphans, &call->received_node);
        spinlock_unlock(&process->lock);
    }
}

bool received_cancel(struct thread *thread)
{
    struct process *process = thread->process;
    bool ending = process_is_dying(process);
    uint32_t bytes = 0;

    for (unsigned i = 0; i < RECEIVED_PER_STEP && bytes < RECEIVED_BYTES; i++) {
        struct settling settling;
        uint64_t token;
        struct endpoint *endpoint = received_first(&thread->ring_lock, &thread->received, &token);

        if (endpoint == NULL) {
            return true;
        }
        settle_lock(endpoint, &settling);
        if (ending) {
            received_orphan(endpoint, token, process);
        } else {
            received_end(endpoint, token, &settling);
        }
        settle_unlock(endpoint, &settling);
        bytes += settling.bytes;
        object_unref(&endpoint->object);
    }
    return false;
}

bool orphans_cancel(struct process *process)
{
    uint32_t bytes = 0;

    for (unsigned i = 0; i < RECEIVED_PER_STEP && bytes < RECEIVED_BYTES; i++) {
        struct settling settling;
        uint64_t token;
        struct endpoint *endpoint = received_first(&process->lock, &process->orphans, &token);

        if (endpoint == NULL) {
            return true;
        }
        settle_lock(endpoint, &settling);
        received_end(endpoint, token, &settling);
        settle_unlock(endpoint, &settling);
        bytes += settling.bytes;
        object_unref(&endpoint->object);
    }
    return false;
}

/* ---- revoking -------------------------------------------------------------------------------- */

/* What one step of a revoke has left, and has done. */
struct sweep {
    struct endpoint *endpoint;
    struct settling settling;
    unsigned walks;
    unsigned ended;
    bool more;
};

/* Whether `grant` was looked at since the last revoke in its tree: one compare, for the full queue
 * that each step passes over. */
static inline bool grant_is_current(const struct grant_node *grant, uint64_t epoch)
{
    return grant == NULL || atomic_load_acquire_u64(&grant->tree->epoch) == epoch;
}

/* Looks at one operation; false: the step is over. */
static bool sweep_one(struct operation *operation, struct sweep *sweep)
{
    const struct operation_outcome revoked = {.result = TRANSPORT_REVOKED};

    if (grant_is_current(operation->grant, operation->epoch) &&
        grant_is_current(operation->taken_grant, operation->taken_epoch)) {
        return true;
    }
    if (sweep->walks >= WALKED_PER_STEP || sweep->ended >= REVOKED_PER_STEP ||
        !transfer_drops_fit(&sweep->settling.drops, &operation->bundle)) {
        sweep->more = true;
        return false;
    }
    sweep->walks++;
    if (!operation_is_alive(operation)) {
        endpoint_take_back(sweep->endpoint, operation, &revoked, &sweep->settling);
        sweep->ended++;
    }
    return true;
}

/* Calls that wait, or receivers. */
static bool sweep_list(const struct list *list, struct sweep *sweep)
{
    struct list_node *node = list_first(list);

    while (node != NULL) {
        struct list_node *next = list_next(list, node);

        if (!sweep_one(operation_of(CONTAINER_OF(node, struct endpoint_record, node)), sweep)) {
            return false;
        }
        node = next;
    }
    return true;
}

/* Calls in flight, each with its watch: a watch whose own edge was revoked ends alone. */
static bool sweep_in_flight(struct sweep *sweep)
{
    struct endpoint_queues *queues = &sweep->endpoint->queues;

    for (uint32_t slot = 0; slot < LIMIT_TOKEN_SLOTS; slot++) {
        const struct endpoint_token *token = &queues->token[slot];

        if (token->watch != NULL && !sweep_one(operation_of(token->watch), sweep)) {
            return false;
        }
        if (token->call != NULL && !sweep_one(operation_of(token->call), sweep)) {
            return false;
        }
    }
    return true;
}

/* object_type.revoke of all three: ends a bounded number of calls, receivers and watches at the
 * endpoint of `object` whose edge has been revoked, by this revocation or another. */
static bool endpoint_revoke(struct object *object, struct revoke_step *step)
{
    struct endpoint *endpoint = endpoint_of_client(object);
    struct sweep sweep = {.walks = 0};

    if (endpoint == NULL) {
        endpoint = endpoint_of_owner(object);
    }
    sweep.endpoint = endpoint;
    object_ref(&endpoint->object);
    settle_lock(endpoint, &sweep.settling);
    (void)(sweep_list(&endpoint->queues.calls, &sweep) &&
           sweep_list(&endpoint->queues.receivers, &sweep) && sweep_in_flight(&sweep));
    settle_unlock(endpoint, &sweep.settling);
    object_unref(&endpoint->object);
    step->receipt.calls += sweep.ended;
    return sweep.more;
}

const struct object_type endpoint_type = {
    .name = "endpoint", .revoke = endpoint_revoke, .destroy = endpoint_destroy};

const struct object_type endpoint_owner_type = {.name = "endpoint owner",
                                                .call = endpoint_owner_call,
                                                .gives = UINT64_C(1) << ENDPOINT_METHOD_MINT,
                                                .revoke = endpoint_revoke,
                                                .destroy = owner_destroy,
                                                .outlived = true};

const struct object_type session_type = {
    .name = "session", .revoke = endpoint_revoke, .destroy = session_destroy};
