/* SPDX-License-Identifier: MIT */
/*
 * What the short ways of CALL and RETURN_RECV share: entries, operations, deliveries. Theory in
 * handoff.c; for it and handoff_return.c alone.
 */
#ifndef KERNEL_IPC_HANDOFF_INSIDE_H
#define KERNEL_IPC_HANDOFF_INSIDE_H

#include "core/assert.h"
#include "kernel/ipc/delivery.h"
#include "kernel/ipc/handoff.h"
#include "kernel/ipc/operation_pool.h"
#include "kernel/ipc/straight.h"

/* ---- entries -----------------------------------------------------------------------------------
 */

/* What an entry says of its buffers. */
struct buffers {
    uint32_t message_bytes;
    uint32_t message; /* offsets in the arena */
    uint32_t result;
    uint32_t result_bytes;
};

/* Reads the buffers of the shared entry, whose first word is `first`; false: they are not in the
 * arena, or an answer is kept. */
static ALWAYS_INLINE bool buffers_read(const struct thread *thread, const uint8_t *shared,
                                       uint64_t first, struct buffers *buffers)
{
    uint64_t room =
        quick_word(shared, offsetof(struct sqe, result_bytes)); /* and the answer's id */

    buffers->message_bytes = (uint32_t)(first >> 32);
    buffers->result_bytes = (uint32_t)room;
    return room <= LIMIT_ARENA_BYTES && quick_word(shared, offsetof(struct sqe, spare)) == 0 &&
           thread_arena_offset(thread, quick_word(shared, offsetof(struct sqe, message)),
                               buffers->message_bytes, &buffers->message) &&
           thread_arena_offset(thread, quick_word(shared, offsetof(struct sqe, result)), room,
                               &buffers->result);
}

/* ---- operations --------------------------------------------------------------------------------
 */

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

/* Copies within one page of each side, or the long way round. */
static ALWAYS_INLINE void message_copy(struct thread *to, uint32_t to_offset, struct thread *from,
                                       uint32_t from_offset, uint32_t bytes)
{
    uint32_t to_within = to_offset % LIMIT_PAGE_BYTES;
    uint32_t from_within = from_offset % LIMIT_PAGE_BYTES;

    if (LIKELY(to_within + bytes <= LIMIT_PAGE_BYTES && from_within + bytes <= LIMIT_PAGE_BYTES)) {
        arch_copy_words(to->arena_page[to_offset / LIMIT_PAGE_BYTES] + to_within,
                        from->arena_page[from_offset / LIMIT_PAGE_BYTES] + from_within, bytes / 8);
    } else {
        arena_copy(to, to_offset, from, from_offset, bytes);
    }
}

/* The head of the message of `call`, in flight, at its place or elsewhere. */
static ALWAYS_INLINE void head_write(struct endpoint_message *head, const struct operation *call,
                                     uint16_t caps)
{
    head->token = call->token;
    head->badge = call->badge;
    head->interface_id = call->interface_id;
    head->method = call->method;
    head->caps = caps;
    head->message_bytes = call->message_bytes;
    head->result_bytes = call->result_bytes;
    head->kind = ENDPOINT_MESSAGE_CALL;
    head->spare[0] = 0;
    head->spare[1] = 0;
}

/* message_deliver across pages. */
static NOINLINE void message_deliver_pages(const struct operation *call, struct thread *server,
                                           uint32_t offset, uint16_t caps)
{
    struct endpoint_message head;

    head_write(&head, call, caps);
    thread_arena_write(server, offset, &head, sizeof(head));
    arena_copy(server, offset + (uint32_t)sizeof(head), call->owner, call->message_offset,
               call->message_bytes);
}

/* The call is in flight: writes its message to the arena of its server. Endpoint lock held. */
static ALWAYS_INLINE void message_deliver(const struct operation *call, struct thread *server,
                                          uint32_t offset, uint16_t caps)
{
    uint32_t bytes = (uint32_t)sizeof(struct endpoint_message) + call->message_bytes;
    uint32_t to_within = offset % LIMIT_PAGE_BYTES;
    uint32_t from_within = call->message_offset % LIMIT_PAGE_BYTES;
    struct endpoint_message *head;
    const uint8_t *from;

    if (UNLIKELY(to_within + bytes > LIMIT_PAGE_BYTES || from_within + bytes > LIMIT_PAGE_BYTES)) {
        message_deliver_pages(call, server, offset, caps);
        return;
    }
    head = (struct endpoint_message *)(void *)(server->arena_page[offset / LIMIT_PAGE_BYTES] +
                                               to_within);
    from = call->owner->arena_page[call->message_offset / LIMIT_PAGE_BYTES] + from_within;
    head_write(head, call, caps);
    arch_copy_words(head + 1, from, call->message_bytes / 8);
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

/* Writes a record of what arrived to the arena. */
void handoff_record(struct thread *thread, uint32_t offset, const struct received_cap *record);

/* A call was the last of its session: whoever receives is told, perhaps this thread. Gives the
 * endpoint's lock back. */
void handoff_closed(struct endpoint *endpoint);

/* `call`, in flight, goes to the server of `receive`, which completes, with what is `passed` (NULL:
 * nothing); wait_end's result. Endpoint lock held. */
static ALWAYS_INLINE bool call_give(struct cpu *cpu, struct endpoint *endpoint,
                                    struct operation *call, struct operation *receive,
                                    const struct thread *waits, const struct passed *passed)
{
    struct thread *server = receive->owner;
    bool straight;

    ASSERT(sizeof(struct endpoint_message) + call->message_bytes <= receive->result_bytes);
    message_deliver(call, server, receive->result_offset, passed != NULL);
    if (passed != NULL) {
        handoff_pass(call, receive, passed);
    }
    call->taken_epoch = receive->epoch;
    call->receiver = server;
    operation_let_go(endpoint, receive);
    spinlock_lock(&server->ring_lock);
    list_push_back(&server->received, &call->received_node);
    ring_post_result(&server->ring, receive->user_data,
                     (int32_t)(sizeof(struct endpoint_message) + call->message_bytes), 0);
    operation_push(server, receive, OPERATION_RECEIVE);
    straight = wait_end(cpu, server, waits, true);
    spinlock_unlock(&server->ring_lock);
    return straight;
}

#endif
