/* SPDX-License-Identifier: MIT */
/* The endpoint opcodes over the ring client. */
#include "user/rt/call.h"

#include "core/string.h"

static uint64_t address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static const struct received_cap *caps_behind(const uint8_t *message, uint64_t bytes)
{
    return (const struct received_cap *)(const void *)(message + (bytes + 7) / 8 * 8);
}

_Static_assert(offsetof(struct rt_answer, status) == 0 &&
                   offsetof(struct rt_answer, exception) == 4 &&
                   offsetof(struct rt_answer, cap_count) == 4 + CQE_CAPS_SHIFT / 8 &&
                   CQE_EXCEPTION == 1,
               "as result and flags of a completion");

static inline uint64_t word_of(const void *base, size_t offset)
{
    uint64_t word;

    memcpy(&word, (const uint8_t *)base + offset, sizeof(word));
    return word;
}

struct sqe rt_call_entry(const struct rt_call *call)
{
    struct sqe entry;

    rt_call_write(&entry, call);
    entry.user_data = 0;
    return entry;
}

static inline void answer_read(struct rt_answer *answer, const struct rt_call *call,
                               const struct cqe *completion)
{
    uint64_t word = word_of(completion, offsetof(struct cqe, result));

    memcpy(answer, &word, sizeof(word));
    answer->caps = NULL;
    answer->refusal = completion->refusal;
    if (UNLIKELY(completion->flags >> CQE_CAPS_SHIFT != 0) && completion->result >= 0) {
        answer->caps = caps_behind(call->result, (uint64_t)completion->result);
    }
}

struct rt_answer rt_call_answer(const struct rt_call *call, const struct cqe *completion)
{
    struct rt_answer answer;

    answer_read(&answer, call, completion);
    return answer;
}

/* rt_call by a slot. */
static NOINLINE COLD struct rt_answer call_watched(struct rt_ring *ring, const struct rt_call *call)
{
    struct sqe entry = rt_call_entry(call);
    struct cqe completion;
    int32_t status = rt_ring_do_watched(ring, &entry, &completion);

    return status != TRANSPORT_OK ? (struct rt_answer){.status = status}
                                  : rt_call_answer(call, &completion);
}

/* rt_call once other completions came before its own. */
static NOINLINE COLD struct rt_answer call_wait(struct rt_ring *ring, const struct rt_call *call)
{
    struct cqe completion;
    int32_t status = rt_ring_lone_wait(ring, &completion);

    return status != TRANSPORT_OK ? (struct rt_answer){.status = status}
                                  : rt_call_answer(call, &completion);
}

void rt_call_into(struct rt_ring *ring, const struct rt_call *call, struct rt_answer *answer)
{
    const struct cqe *next;
    struct rt_lone lone;

    if (!rt_ring_lone_begin(ring, &lone)) {
        *answer = call_watched(ring, call);
        return;
    }
    lone.place->user_data = RT_RING_LONE;
    rt_call_write(lone.place, call);
    next = rt_ring_lone_send(ring, &lone);
    if (UNLIKELY(next == NULL)) {
        *answer = call_wait(ring, call);
        return;
    }
    answer_read(answer, call, next);
    rt_ring_taken(ring, 1);
}

/* What a completion that announces a call in `buffer` says. */
static inline struct rt_request request_of(const struct cqe *completion, struct rt_buffer buffer)
{
    const struct endpoint_message *head =
        (const struct endpoint_message *)(const void *)buffer.bytes;
    struct rt_request request;

    request.status = completion->result;
    if (UNLIKELY(request.status < 0)) {
        return (struct rt_request){.status = request.status, .refusal = completion->refusal};
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

    return status != TRANSPORT_OK ? (struct rt_request){.status = status}
                                  : request_of(&completion, buffer);
}

/* receive_by once the entry was sent and other completions came before its own. */
static COLD struct rt_request receive_wait(struct rt_ring *ring, struct rt_buffer buffer)
{
    struct cqe completion;
    int32_t status = rt_ring_lone_wait(ring, &completion);

    return status != TRANSPORT_OK ? (struct rt_request){.status = status}
                                  : request_of(&completion, buffer);
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
    struct rt_request request;
    const struct cqe *next;
    struct rt_lone lone;
    struct sqe *place;

    if (!rt_ring_lone_begin(ring, &lone)) {
        struct sqe entry = return_entry(reply, OPCODE_RETURN_RECV);

        entry.result = address_of(buffer.bytes);
        entry.result_bytes = buffer.size;
        return receive_by(ring, &entry, buffer);
    }
    place = lone.place;
    rt_ring_first_word(place, OPCODE_RETURN_RECV | (reply->exception ? SQE_EXCEPTION << 8 : 0) |
                                  (uint64_t)reply->transfers << 24 |
                                  (uint64_t)reply->message_bytes << 32);
    place->user_data = RT_RING_LONE;
    place->cap = reply->endpoint;
    place->token = reply->token;
    place->message = address_of(reply->message);
    place->result = address_of(buffer.bytes);
    rt_ring_room_word(place, buffer.size);
    place->spare = 0;
    next = rt_ring_lone_send(ring, &lone);
    if (UNLIKELY(next == NULL)) {
        return receive_wait(ring, buffer);
    }
    request = request_of(next, buffer);
    rt_ring_taken(ring, 1);
    return request;
}

struct sqe rt_finish_entry(struct rt_answer_id id)
{
    return (struct sqe){.opcode = OPCODE_FINISH, .answer = id.raw};
}

struct sqe rt_finish_release_entry(struct rt_answer_id id)
{
    return (struct sqe){.opcode = OPCODE_FINISH, .flags = SQE_RELEASE, .answer = id.raw};
}

static int32_t finish(struct rt_ring *ring, const struct sqe *entry, struct rt_answer_id id)
{
    struct cqe completion;
    int32_t status = rt_ring_do(ring, entry, &completion);

    rt_answer_release(ring, id);
    return status != TRANSPORT_OK ? status : completion.result;
}

int32_t rt_finish(struct rt_ring *ring, struct rt_answer_id id)
{
    struct sqe entry = rt_finish_entry(id);

    return finish(ring, &entry, id);
}

int32_t rt_finish_release(struct rt_ring *ring, struct rt_answer_id id)
{
    struct sqe entry = rt_finish_release_entry(id);

    return finish(ring, &entry, id);
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
    return rt_ring_do_short(ring, OPCODE_RELEASE, cap, 0).result;
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
