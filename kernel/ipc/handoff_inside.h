/* SPDX-License-Identifier: MIT */
/*
 * What the short ways of CALL and RETURN_RECV share: entries, operations, deliveries. Theory in
 * handoff.c; for kernel/ipc/handoff*.c alone.
 */
#ifndef KERNEL_IPC_HANDOFF_INSIDE_H
#define KERNEL_IPC_HANDOFF_INSIDE_H

#include "core/assert.h"
#include "kernel/ipc/delivery.h"
#include "kernel/ipc/handoff.h"
#include "kernel/ipc/operation_pool.h"
#include "kernel/ipc/straight.h"
#include "kernel/sched/switch.h"

/* ---- entries --------------------------------------------------------------------------------- */

/* What an entry says of its buffers, and its method. */
struct buffers {
    uint32_t message_bytes;
    uint32_t message; /* offsets in the arena */
    uint32_t result;
    uint32_t result_bytes;
    uint8_t method;
};

/* Finds the buffers of the shared entry, whose first word is `first` and which has `room` for a
 * result; false: they are not in the arena. */
static ALWAYS_INLINE bool buffers_find(const struct thread *thread, const uint8_t *shared,
                                       uint64_t first, uint64_t room, struct buffers *buffers)
{
    buffers->message_bytes = (uint32_t)(first >> 32);
    buffers->result_bytes = (uint32_t)room;
    buffers->method = (uint8_t)(first >> 16);
    return thread_arena_offset(thread, quick_word(shared, offsetof(struct sqe, message)),
                               buffers->message_bytes, &buffers->message) &&
           thread_arena_offset(thread, quick_word(shared, offsetof(struct sqe, result)), room,
                               &buffers->result);
}

/* Reads those of a usual entry; false: they are not in the arena, or an answer is kept, whose id
 * stands above its room. */
static ALWAYS_INLINE bool buffers_read(const struct thread *thread, const uint8_t *shared,
                                       uint64_t first, struct buffers *buffers)
{
    uint64_t room = quick_word(shared, offsetof(struct sqe, result_bytes));

    return buffers_find(thread, shared, first, room, buffers) &&
           quick_word(shared, offsetof(struct sqe, spare)) == 0;
}

/* Where the one descriptor behind the message lies, two words; NULL: across pages, or in no usual
 * place. */
static inline const uint8_t *descriptor_at(const struct thread *thread,
                                           const struct buffers *buffers)
{
    uint32_t at = buffers->message + buffers->message_bytes;

    if (at % sizeof(uint64_t) != 0 ||
        at + sizeof(struct transfer) > thread->plan.ring.arena_bytes ||
        at % LIMIT_PAGE_BYTES > LIMIT_PAGE_BYTES - sizeof(struct transfer)) {
        return NULL;
    }
    return thread->arena_page[at / LIMIT_PAGE_BYTES] + at % LIMIT_PAGE_BYTES;
}

/* The first word of a usual CALL, of its bits in HANDOFF_FIXED: no more than the opcode. */
#define CALL_USUAL ((uint64_t)OPCODE_CALL)

/* Reads a CALL; false: it is not usual. */
static ALWAYS_INLINE bool call_read(const struct thread *thread, const uint8_t *shared,
                                    struct buffers *buffers)
{
    uint64_t first = quick_word(shared, 0);

    return LIKELY((first & HANDOFF_FIXED) == CALL_USUAL &&
                  buffers_read(thread, shared, first, buffers));
}

/* ---- operations ------------------------------------------------------------------------------ */

/* Whether a call that comes now may meet `receiver`, or wait if there is none, as usual. Endpoint
 * lock held. */
static ALWAYS_INLINE bool call_is_usual(const struct endpoint *endpoint,
                                        struct endpoint_record *receiver)
{
    const struct endpoint_queues *queues = &endpoint->queues;

    if (receiver == NULL) {
        return LIKELY(!endpoint->closed && queues->call_count < queues->limits.queue_length);
    }
    return LIKELY(!endpoint->closed && operation_of(receiver)->grant == NULL &&
                  endpoint_can_meet(queues));
}

/* The operation of a call that was answered holds nothing any more, nor keeps its answer. Its ring
 * is locked. */
static ALWAYS_INLINE void call_release(struct thread *client, struct operation *call)
{
    operation_push(client, call, OPERATION_CALL);
    operation_calls_over(client, 1);
}

/* Gives up what the operation holds. Endpoint lock held. */
static ALWAYS_INLINE void operation_let_go(struct endpoint *endpoint, struct operation *operation)
{
    struct object *target = operation->target;

    if (LIKELY(target == &endpoint->object && operation->grant == NULL)) {
        operation->target = NULL;
        if (UNLIKELY(object_put(target))) {
            ASSERT(false); /* the endpoint is pinned */
        }
    } else {
        operation_unuse(endpoint, operation);
    }
}

/* Whether `bytes` from two offsets on lie in one page each. No bytes do not: their offset may be
 * the arena's end, where no page is. */
static ALWAYS_INLINE bool pages_hold(uint32_t one, uint32_t one_bytes, uint32_t other,
                                     uint32_t other_bytes)
{
    return LIKELY(((one % LIMIT_PAGE_BYTES + one_bytes - 1) |
                   (other % LIMIT_PAGE_BYTES + other_bytes - 1)) < LIMIT_PAGE_BYTES);
}

/* Where the kernel reaches an offset in the arena below its end. */
static ALWAYS_INLINE uint8_t *arena_at(const struct thread *thread, uint32_t offset)
{
    return thread->arena_page[offset / LIMIT_PAGE_BYTES] + offset % LIMIT_PAGE_BYTES;
}

/* Copies within one page of each side, or the long way round. */
static ALWAYS_INLINE void message_copy(struct thread *to, uint32_t to_offset, struct thread *from,
                                       uint32_t from_offset, uint32_t bytes)
{
    if (pages_hold(to_offset, bytes, from_offset, bytes)) {
        arch_copy_words(arena_at(to, to_offset), arena_at(from, from_offset), bytes / 8);
    } else {
        arena_copy(to, to_offset, from, from_offset, bytes);
    }
}

/* The head of a message, struct endpoint_message, as words. */
struct head {
    uint64_t token;
    uint64_t badge;
    uint64_t interface_id;
    uint64_t form; /* method, caps, message_bytes */
    uint64_t room; /* result_bytes, kind */
};
_Static_assert(sizeof(struct head) == offsetof(struct endpoint_message, spare) &&
                   offsetof(struct endpoint_message, method) == offsetof(struct head, form) &&
                   offsetof(struct endpoint_message, caps) == offsetof(struct head, form) + 2 &&
                   offsetof(struct endpoint_message, message_bytes) ==
                       offsetof(struct head, form) + 4 &&
                   offsetof(struct endpoint_message, result_bytes) == offsetof(struct head, room) &&
                   offsetof(struct endpoint_message, kind) == offsetof(struct head, room) + 4 &&
                   sizeof(struct endpoint_message) == sizeof(struct head) + sizeof(uint64_t) &&
                   ENDPOINT_MESSAGE_CALL == 0,
               "a head is words, and a spare one; their upper halves come first in none of them");

/* What a call and its message are for its server: in the caller's arena. */
struct message {
    struct thread *from;
    uint32_t offset;
    uint32_t bytes;
    struct head head;
};

static ALWAYS_INLINE uint64_t head_form(uint16_t method, uint16_t caps, uint32_t message_bytes)
{
    return (uint64_t)message_bytes << 32 | (uint32_t)caps << 16 | method;
}

/* The message of `call`, in flight. */
static ALWAYS_INLINE struct message message_of(const struct operation *call, uint16_t caps)
{
    return (struct message){
        .from = call->owner,
        .offset = call->message_offset,
        .bytes = call->message_bytes,
        .head = {.token = call->token,
                 .badge = call->badge,
                 .interface_id = call->interface_id,
                 .form = head_form(call->method, caps, call->message_bytes),
                 .room = call->result_bytes},
    };
}

/* message_deliver across pages, or of no bytes. */
static NOINLINE void message_deliver_pages(struct thread *server, uint32_t offset,
                                           const struct message *message)
{
    const uint64_t spare = 0;

    thread_arena_write(server, offset, &message->head, sizeof(message->head));
    thread_arena_write(server, offset + (uint32_t)sizeof(message->head), &spare, sizeof(spare));
    arena_copy(server, offset + (uint32_t)sizeof(struct endpoint_message), message->from,
               message->offset, message->bytes);
}

/* The call is in flight: writes its message to the arena of its server. Endpoint lock held. */
static ALWAYS_INLINE void message_deliver(struct thread *server, uint32_t offset,
                                          const struct message *message)
{
    uint64_t *place;

    if (UNLIKELY(!pages_hold(offset, (uint32_t)sizeof(struct endpoint_message) + message->bytes,
                             message->offset, message->bytes))) {
        struct message copy = *message; /* the other stays in registers */

        message_deliver_pages(server, offset, &copy);
        return;
    }
    place = (uint64_t *)(void *)arena_at(server, offset);
    place[0] = message->head.token;
    place[1] = message->head.badge;
    place[2] = message->head.interface_id;
    place[3] = message->head.form;
    place[4] = message->head.room;
    place[5] = 0;
    arch_copy_words(place + 6, arena_at(message->from, message->offset), message->bytes / 8);
}

/* message_deliver of message_of a call without capabilities across pages, or of no bytes. */
static NOINLINE UNUSED void call_deliver_pages(struct thread *server, uint32_t offset,
                                               const struct operation *call)
{
    const struct message message = message_of(call, 0);

    message_deliver_pages(server, offset, &message);
}

/* message_deliver of message_of a call without capabilities, word by word from where they are. */
static ALWAYS_INLINE void call_deliver(struct thread *server, uint32_t offset,
                                       const struct operation *call)
{
    uint32_t bytes = call->message_bytes;
    uint64_t *place;

    if (UNLIKELY(!pages_hold(offset, (uint32_t)sizeof(struct endpoint_message) + bytes,
                             call->message_offset, bytes))) {
        call_deliver_pages(server, offset, call);
        return;
    }
    place = (uint64_t *)(void *)arena_at(server, offset);
    place[0] = call->token;
    place[1] = call->badge;
    place[2] = call->interface_id;
    place[3] = head_form(call->method, 0, bytes);
    place[4] = call->result_bytes;
    place[5] = 0;
    arch_copy_words(place + 6, arena_at(call->owner, call->message_offset), bytes / 8);
}

/* A capability beside a call that goes the short way: a copy with references of its own. */
struct passed {
    struct hold_edge edge;
    struct cap_id from; /* in the caller's table */
};

/* What passed->from names, if it is usual: a copy with references of its own, which the other
 * side's table gets. The process's lock is held. */
MUST_USE bool handoff_passed(struct process *process, struct passed *passed);

/* It arrives in a slot that `receive` has, with its record behind the message. The call is in
 * flight. Endpoint lock held. */
void handoff_pass(const struct operation *call, struct operation *receive,
                  const struct passed *passed);

/* Where what is passed comes from and goes to. */
struct arrival {
    const struct operation *call; /* that carries it, or the answer to it */
    struct process *from;
    struct process *to;
    uint32_t *slots; /* reserved in the table of `to`, one at least */
    enum edge_origin origin;
};

/* It arrives in the table of arrival->to; its id there. No process or ring lock is held. */
struct cap_id handoff_arrive(const struct arrival *arrival, const struct passed *passed);

/* Writes the record of an edge that arrived, and got the id `cap`, to the arena. */
static ALWAYS_INLINE void record_write(struct thread *thread, uint32_t offset,
                                       const struct hold_edge *edge, struct cap_id cap)
{
    uint8_t *place;

    if (UNLIKELY(offset % LIMIT_PAGE_BYTES > LIMIT_PAGE_BYTES - sizeof(struct received_cap))) {
        const struct received_cap record = {.cap = cap,
                                            .interface_id = edge->interface_id,
                                            .facet = edge->facet,
                                            .badge = edge->badge};

        thread_arena_write(thread, offset, &record, sizeof(record));
        return;
    }
    place = arena_at(thread, offset); /* whole words, at any address */
    memcpy(place + offsetof(struct received_cap, cap), &cap, sizeof(cap));
    memcpy(place + offsetof(struct received_cap, interface_id), &edge->interface_id, 8);
    memcpy(place + offsetof(struct received_cap, facet), &edge->facet, 8);
    memcpy(place + offsetof(struct received_cap, badge), &edge->badge, 8);
}
_Static_assert(sizeof(struct received_cap) == 32, "a record is four words");

/* A call was the last of its session: whoever receives is told, perhaps this thread. Gives the
 * endpoint's lock back. */
void handoff_closed(struct endpoint *endpoint);

/* `call`, in flight, is the server's, whose `receive` completes: its message is there. wait_end's
 * result. Endpoint lock held. */
static ALWAYS_INLINE bool receive_complete(struct cpu *cpu, struct thread *server,
                                           struct operation *call, struct operation *receive,
                                           uint32_t message_bytes, const struct thread *waits)
{
    bool straight;

    call->receiver = server;
    spinlock_lock(&server->ring_lock);
    list_push_back(&server->received, &call->received_node);
    ring_post_result(&server->ring, receive->user_data,
                     (int32_t)(sizeof(struct endpoint_message) + message_bytes), 0);
    operation_push(server, receive, OPERATION_RECEIVE);
    straight = wait_end(cpu, server, waits, true);
    spinlock_unlock(&server->ring_lock);
    return straight;
}

/* The message of `call`, in flight, is there: the call goes to the server of `receive`, which
 * completes; wait_end's result. Endpoint lock held. */
static ALWAYS_INLINE bool call_given(struct cpu *cpu, struct endpoint *endpoint,
                                     struct operation *call, struct operation *receive,
                                     const struct thread *waits)
{
    call->taken_epoch = receive->epoch;
    operation_let_go(endpoint, receive);
    return receive_complete(cpu, receive->owner, call, receive, call->message_bytes, waits);
}

/* The same with the message, and with what is `passed` (NULL: nothing). */
static ALWAYS_INLINE bool call_give(struct cpu *cpu, struct endpoint *endpoint,
                                    struct operation *call, struct operation *receive,
                                    const struct thread *waits, const struct passed *passed)
{
    const struct message message = message_of(call, passed != NULL);

    ASSERT_AGAIN(sizeof(struct endpoint_message) + call->message_bytes <= receive->result_bytes);
    message_deliver(receive->owner, receive->result_offset, &message);
    if (passed != NULL) {
        handoff_pass(call, receive, passed);
    }
    return call_given(cpu, endpoint, call, receive, waits);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* The first word of a usual RETURN_RECV: opcode, perhaps SQE_EXCEPTION, no transfers, message_bytes
 * a multiple of 8 below 32 KiB. */
#define RETURN_FIXED UINT64_C(0xffff8007fffffeff)
#define RETURN_USUAL ((uint64_t)OPCODE_RETURN_RECV)

/* The edge `cap` of an endpoint's owner, if it is usual; else NULL. The table's process is locked.
 */
static ALWAYS_INLINE const struct hold_edge *owner_edge(const struct cap_table *table,
                                                        struct cap_id cap)
{
    const struct cap_slot *slot = cap_table_slot(table, cap);

    return LIKELY(cap_slot_is_plain(slot, cap) &&
                  ((const struct object *)slot->edge.object)->type == &endpoint_owner_type &&
                  slot->edge.interface_id == ENDPOINT_INTERFACE_ID &&
                  slot->edge.facet == CAP_FACET_ALL)
               ? &slot->edge
               : NULL;
}

/* The call in flight under `token` if `server` took it and nothing about it is unusual: nobody
 * watches it, neither edge was delegated, it has a completion, and its answer is not kept unless
 * that `may_be_kept`. Else NULL. The endpoint is locked. */
static ALWAYS_INLINE struct operation *call_taken(const struct endpoint *endpoint,
                                                  const struct thread *server, uint64_t token,
                                                  bool may_be_kept)
{
    struct endpoint_record *record = endpoint_find(&endpoint->queues, token);
    const struct endpoint_record *watch = endpoint->queues.token[endpoint_token_slot(token)].watch;
    struct operation *call;
    uint32_t kept;

    if (UNLIKELY(record == NULL)) {
        return NULL;
    }
    call = operation_of(record);
    kept = may_be_kept ? 0 : call->answer;
    /* All are mostly 0: one test. */
    return LIKELY(((uintptr_t)watch | (uintptr_t)call->grant | (uintptr_t)call->taken_grant | kept |
                   call->posts_nothing) == 0 &&
                  call->receiver == server)
               ? call
               : NULL;
}

/* The call in flight under `token` if its answer of `bytes` has nothing unusual. The endpoint is
 * locked, and not closed. */
static ALWAYS_INLINE struct operation *call_find(const struct endpoint *endpoint,
                                                 const struct thread *server, uint64_t token,
                                                 uint32_t bytes)
{
    struct operation *call = call_taken(endpoint, server, token, false);

    return LIKELY(call != NULL && bytes <= call->result_bytes) ? call : NULL;
}

/* Reads a descriptor: what it passes, and the step of a path of one at most. False: it is no plain
 * copy, or has a longer path. */
static ALWAYS_INLINE bool descriptor_copies(const uint8_t *descriptor, struct cap_id *from,
                                            uint8_t *step)
{
    uint64_t rest = quick_word(descriptor, offsetof(struct transfer, mode));

    from->raw = quick_word(descriptor, offsetof(struct transfer, cap));
    *step = (uint8_t)(rest >> 16);
    return (rest & ~UINT64_C(0xff0000)) == TRANSFER_COPY;
}
_Static_assert(sizeof(struct transfer) == 16 && offsetof(struct transfer, mode) == 8 &&
                   offsetof(struct transfer, path) == 10,
               "the second word of a descriptor begins with mode, flags and path");

/* What a call completes with. */
struct given {
    int32_t bytes;
    uint32_t flags;
};

/* The same, by the entry that begins with `first`, which carries no capability. */
static ALWAYS_INLINE struct given given_by(uint64_t first)
{
    return (struct given){.bytes = (int32_t)(first >> 32),
                          .flags = (first >> 8 & SQE_EXCEPTION) != 0 ? (uint32_t)CQE_EXCEPTION : 0};
}

/* The answer of `call`, taken out of the endpoint, is there, and it holds nothing any more: it
 * completes. wait_end's result. `server` is the current thread. Endpoint lock held. */
static ALWAYS_INLINE bool call_complete(struct cpu *cpu, const struct thread *server,
                                        struct operation *call, struct given given,
                                        const struct thread *waits)
{
    struct thread *client = call->owner;
    bool straight;

    spinlock_lock(&client->ring_lock);
    ring_post_result(&client->ring, call->user_data, given.bytes, given.flags);
    call_release(client, call);
    straight = wait_end(cpu, client, waits, false);
    if (UNLIKELY(!straight && thread_lends_to(client, server))) {
        sched_lent_for(client, server); /* it waits for something else as well */
    }
    spinlock_unlock(&client->ring_lock);
    return straight;
}

/* What a RETURN_RECV that is found usual is about. */
struct returning {
    struct endpoint *endpoint; /* locked and pinned */
    struct operation *call;    /* that is answered */
    struct operation *receive; /* of the entry; handoff_return.c */
    uint64_t first;            /* word of the entry */
    struct buffers buffers;
};

/* Whether the thread, the current one, has over what a receive needs. Other CPUs only give it back:
 * who does not take it now need not lock the thread's ring. */
static ALWAYS_INLINE bool receive_fits(const struct thread *thread, const struct endpoint *endpoint)
{
    return LIKELY(thread->slots_over >= endpoint->queues.limits.capabilities &&
                  operation_may_receive(thread) && thread->operations_free != NULL);
}

/* The operation of the receive that comes with the answer to `call`, which is the thread's no more.
 * receive_fits. Its ring is locked. */
static ALWAYS_INLINE struct operation *
receive_begin(struct thread *thread, const struct endpoint *endpoint, struct operation *call)
{
    struct operation *receive = operation_pop_free(thread, OPERATION_RECEIVE, false);

    receive->slots = endpoint->queues.limits.capabilities;
    thread->slots_over -= receive->slots;
    list_remove(&call->received_node);
    return receive;
}

/* Reads a RETURN_RECV; false: it is not usual. */
static ALWAYS_INLINE bool return_read(const struct thread *thread, const uint8_t *shared,
                                      struct returning *returning)
{
    returning->first = quick_word(shared, 0);
    return LIKELY((returning->first & RETURN_FIXED) == RETURN_USUAL &&
                  buffers_read(thread, shared, returning->first, &returning->buffers) &&
                  returning->buffers.result % 8 == 0 &&
                  returning->buffers.result_bytes >= returning->endpoint->receive_bytes);
}

/* ---- loans ----------------------------------------------------------------------------------- */

/* lend, where it makes a difference or may be refused. */
bool handoff_lend_closely(struct cpu *cpu, struct thread *thread, struct thread *server);

/* The current thread, which waits, lends what it runs on to its server, which runs now. One that is
 * queued is ready again, and has nobody to end a loan; if it cannot lend, each runs on its own.
 * False: that changes who pays, and the server is queued instead. Under the endpoint's lock, so
 * that no answer comes before the loan that it ends. */
static ALWAYS_INLINE bool lend(struct cpu *cpu, struct thread *thread, struct thread *server)
{
    return LIKELY(!sched_borrows(&thread->share) &&
                  sched_own_priority(&thread->share) <= sched_own_priority(&server->share) &&
                  ((uintptr_t)cpu->payer | server->time.budget_ns |
                   atomic_load_relaxed_word(&server->share.lender)) == 0) ||
           handoff_lend_closely(cpu, thread, server);
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* What the CALLs of a run have in common. */
struct calling {
    struct endpoint *endpoint; /* locked */
    struct object *target;     /* what their edge names; pinned */
    struct cap_id cap;
    uint64_t interface_id;
    uint64_t badge;
    uint64_t epoch;
};

/* Entries of one edge, one behind the other: CALLs, or RETURN_RECVs of an owner's edge. */
struct run {
    struct cpu *cpu;
    struct thread *thread;
    struct endpoint *endpoint;     /* pinned */
    const struct calling *calling; /* CALLs */
    struct cap_id cap;             /* RETURN_RECVs */
    struct thread **next;          /* of the last entry; NULL: the thread does not wait behind it */
    uint32_t left;                 /* entries that were not done */
    uint32_t references; /* of the target: CALLs have them, and they are not taken yet; or nothing
                            has them since its RETURN_RECV, and they are not given back yet */
    uint32_t slots;      /* too few are over for the next CALL, which needs so many; or 0 */
    enum quick quick;    /* what became of the entries done; NONE: none is */
    bool over;           /* the next one is not usual, or there is none */
};

/* The CALLs of a run, the first of which is usual, from it on as long as they are: run->quick.
 * The edge counts as looked up for all of them when it was for the first: nothing between them can
 * have changed it, and what others do to it meanwhile comes after. The target is pinned, and no
 * lock is held. */
void handoff_run_calls(struct run *run);

/* RETURN_RECVs of one edge, from the first on as long as they are usual: run->quick. The endpoint
 * is pinned, and no lock is held. */
void handoff_run_answers(struct run *run);

#endif
