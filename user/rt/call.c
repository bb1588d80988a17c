/* SPDX-License-Identifier: MIT */
/* The endpoint opcodes over the ring client. */
#include "user/rt/call.h"

static uint64_t address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static const struct received_cap *caps_behind(const uint8_t *message, uint64_t bytes)
{
    return (const struct received_cap *)(const void *)(message + (bytes + 7) / 8 * 8);
}

/* Writes all of the entry but user_data, in place or not. */
static inline void call_write(struct sqe *entry, const struct rt_call *call)
{
    entry->opcode = OPCODE_CALL;
    entry->flags = 0;
    entry->method = (uint8_t)call->method;
    entry->transfers = (uint8_t)call->transfers;
    entry->message_bytes = call->message_bytes;
    entry->cap = call->cap;
    entry->interface_id = call->interface_id;
    entry->message = address_of(call->message);
    entry->result = address_of(call->result);
    entry->result_bytes = call->result_bytes;
    entry->answer = call->answer.raw;
    entry->spare = 0;
    if (UNLIKELY(call->promise.answer != 0)) {
        entry->flags = SQE_PROMISED;
        entry->promise = call->promise;
    }
}

struct sqe rt_call_entry(const struct rt_call *call)
{
    struct sqe entry = {.user_data = 0};

    call_write(&entry, call);
    return entry;
}

struct promise rt_promised(struct rt_answer_id answer, struct answer_path path)
{
    return (struct promise){.answer = answer.raw, .path = path};
}

struct rt_answer rt_call_answer(const struct rt_call *call, const struct cqe *completion)
{
    struct rt_answer answer = {
        .status = completion->result,
        .exception = (completion->flags & CQE_EXCEPTION) != 0,
        .cap_count = (uint16_t)(completion->flags >> CQE_CAPS_SHIFT),
        .refusal = completion->refusal,
    };

    if (completion->result >= 0 && answer.cap_count != 0) {
        answer.caps = caps_behind(call->result, (uint64_t)completion->result);
    }
    return answer;
}

/* rt_call by a slot. */
static COLD struct rt_answer call_watched(struct rt_ring *ring, const struct rt_call *call)
{
    struct sqe entry = rt_call_entry(call);
    struct cqe completion;
    int32_t status = rt_ring_do_watched(ring, &entry, &completion);

    return status != TRANSPORT_OK ? (struct rt_answer){.status = status}
                                  : rt_call_answer(call, &completion);
}

struct rt_answer rt_call(struct rt_ring *ring, const struct rt_call *call)
{
    struct sqe *place = rt_ring_place(ring, 0);
    struct cqe completion;
    int32_t status;

    if (UNLIKELY(ring->checks || !rt_ring_has_place(ring))) {
        return call_watched(ring, call);
    }
    call_write(place, call);
    place->user_data = RT_RING_LONE;
    status = rt_ring_lone(ring, &completion);
    return UNLIKELY(status != TRANSPORT_OK) ? (struct rt_answer){.status = status}
                                            : rt_call_answer(call, &completion);
}

/* What a completion that announces a call in `buffer` says. */
static inline struct rt_request request_of(int32_t status, const struct cqe *completion,
                                           struct rt_buffer buffer)
{
    const struct endpoint_message *head =
        (const struct endpoint_message *)(const void *)buffer.bytes;
    struct rt_request request;

    request.status = status != TRANSPORT_OK ? status : completion->result;
    if (UNLIKELY(request.status < 0)) {
        return (struct rt_request){.status = request.status,
                                   .refusal = status != TRANSPORT_OK ? (struct refusal){0}
                                                                     : completion->refusal};
    }
    request.head = head;
    request.message = buffer.bytes + sizeof(*head);
    request.caps = head->caps != 0 ? caps_behind(request.message, head->message_bytes) : NULL;
    request.refusal = completion->refusal;
    return request;
}

/* Submits an entry whose completion announces a call in `buffer`. */
static struct rt_request receive_by(struct rt_ring *ring, const struct sqe *entry,
                                    struct rt_buffer buffer)
{
    struct cqe completion;
    int32_t status = rt_ring_do(ring, entry, &completion);

    return request_of(status, &completion, buffer);
}

struct rt_request rt_receive(struct rt_ring *ring, struct cap_id endpoint, struct rt_buffer buffer)
{
    struct sqe entry = {
        .opcode = OPCODE_RECV,
        .cap = endpoint,
        .result = address_of(buffer.bytes),
        .result_bytes = buffer.size,
    };

    return receive_by(ring, &entry, buffer);
}

static struct sqe return_entry(const struct rt_reply *reply, enum opcode opcode)
{
    return (struct sqe){
        .opcode = (uint8_t)opcode,
        .flags = reply->exception ? SQE_EXCEPTION : 0,
        .message_bytes = reply->message_bytes,
        .cap = reply->endpoint,
        .token = reply->token,
        .message = address_of(reply->message),
        .transfers = reply->transfers,
    };
}

int32_t rt_return_refused(struct rt_ring *ring, const struct rt_reply *reply,
                          struct refusal *refusal)
{
    struct sqe entry = return_entry(reply, OPCODE_RETURN);
    struct cqe completion = {.result = 0};
    int32_t status = rt_ring_do(ring, &entry, &completion);

    *refusal = completion.refusal;
    return status != TRANSPORT_OK ? status : completion.result;
}

int32_t rt_return(struct rt_ring *ring, const struct rt_reply *reply)
{
    struct refusal refusal;

    return rt_return_refused(ring, reply, &refusal);
}

struct sqe rt_watch_entry(struct cap_id endpoint, uint64_t token)
{
    return (struct sqe){.opcode = OPCODE_WATCH, .cap = endpoint, .token = token};
}

struct rt_request rt_return_receive(struct rt_ring *ring, const struct rt_reply *reply,
                                    struct rt_buffer buffer)
{
    struct sqe *place = rt_ring_place(ring, 0);
    struct cqe completion;
    int32_t status;

    if (UNLIKELY(ring->checks || !rt_ring_has_place(ring))) {
        struct sqe entry = return_entry(reply, OPCODE_RETURN_RECV);

        entry.result = address_of(buffer.bytes);
        entry.result_bytes = buffer.size;
        return receive_by(ring, &entry, buffer);
    }
    place->opcode = OPCODE_RETURN_RECV;
    place->flags = reply->exception ? SQE_EXCEPTION : 0;
    place->method = 0;
    place->transfers = reply->transfers;
    place->message_bytes = reply->message_bytes;
    place->user_data = RT_RING_LONE;
    place->cap = reply->endpoint;
    place->token = reply->token;
    place->message = address_of(reply->message);
    place->result = address_of(buffer.bytes);
    place->result_bytes = buffer.size;
    place->answer = 0;
    place->spare = 0;
    status = rt_ring_lone(ring, &completion);
    return request_of(status, &completion, buffer);
}

struct sqe rt_finish_entry(struct rt_answer_id id)
{
    return (struct sqe){.opcode = OPCODE_FINISH, .answer = id.raw};
}

int32_t rt_finish(struct rt_ring *ring, struct rt_answer_id id)
{
    struct sqe entry = rt_finish_entry(id);
    struct cqe completion;
    int32_t status = rt_ring_do(ring, &entry, &completion);

    rt_answer_release(ring, id);
    return status != TRANSPORT_OK ? status : completion.result;
}

int32_t rt_cancel(struct rt_ring *ring, struct rt_operation operation)
{
    struct sqe entry = {.opcode = OPCODE_CANCEL, .token = operation.id};
    struct cqe completion;
    int32_t status = rt_ring_do(ring, &entry, &completion);

    return status != TRANSPORT_OK ? status : completion.result;
}

int32_t rt_release(struct rt_ring *ring, struct cap_id cap)
{
    return (int32_t)rt_ring_do_short(ring, OPCODE_RELEASE, cap, 0).result;
}

int32_t rt_park(struct rt_ring *ring, const uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
    struct sqe entry = {.opcode = OPCODE_PARK,
                        .address = address_of(word),
                        .timeout_ns = timeout_ns,
                        .value = expected};
    struct cqe completion;
    int32_t status = rt_ring_do(ring, &entry, &completion);

    return status != TRANSPORT_OK ? status : completion.result;
}

int32_t rt_unpark(struct rt_ring *ring, const uint32_t *word, uint32_t count)
{
    struct sqe entry = {.opcode = OPCODE_UNPARK, .address = address_of(word), .value = count};
    struct cqe completion;
    int32_t status = rt_ring_do(ring, &entry, &completion);

    return status != TRANSPORT_OK ? status : completion.result;
}

int32_t rt_wake_and_wait(struct rt_ring *ring, const struct rt_turn *turn)
{
    const struct cqe *first = rt_ring_completion(ring, 0);
    const struct cqe *second = rt_ring_completion(ring, 1);
    int64_t status;
    int32_t woken;
    int32_t waited;

    *rt_ring_place(ring, 0) = (struct sqe){.opcode = OPCODE_UNPARK,
                                           .user_data = RT_RING_OWN,
                                           .cap = turn->wake_cap,
                                           .address = turn->wake,
                                           .value = 1};
    *rt_ring_place(ring, 1) = (struct sqe){.opcode = OPCODE_PARK,
                                           .user_data = RT_RING_OWN | 1,
                                           .cap = turn->wait_cap,
                                           .address = turn->wait,
                                           .timeout_ns = TIMEOUT_NONE,
                                           .value = turn->expected};
    rt_ring_push(ring, 2);
    do {
        status = rt_syscall_cap_enter(2, TIMEOUT_NONE);
        if (UNLIKELY(status < 0)) {
            return (int32_t)status;
        }
    } while (UNLIKELY(status < 2));
    /* The PARK may have ended first. */
    woken = (first->user_data & 1) == 0 ? first->result : second->result;
    waited = (first->user_data & 1) == 0 ? second->result : first->result;
    rt_ring_taken(ring, 2);
    return woken < 0 ? woken : waited;
}

int32_t rt_nop(struct rt_ring *ring)
{
    struct sqe entry = {.opcode = OPCODE_NOP};
    struct cqe completion;
    int32_t status = rt_ring_do(ring, &entry, &completion);

    return status != TRANSPORT_OK ? status : completion.result;
}
