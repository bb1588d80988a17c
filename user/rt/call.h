/* SPDX-License-Identifier: MIT */
/*
 * The endpoint opcodes as functions: each submits one entry and waits for its completion. Their
 * results are the completion's: >= 0 or a transport error (abi/errors.def), with the refusal detail
 * in `refusal` where the caller gives one.
 */
#ifndef USER_RT_CALL_H
#define USER_RT_CALL_H

#include "user/rt/rt_ring.h"

/* One CALL, its fields grouped as the words of an entry. Message and result buffers belong to the
 * kernel until rt_call returns. */
struct rt_call {
    struct cap_id cap;
    uint64_t interface_id;
    const void *message;
    void *result;
    uint32_t result_bytes;      /* room at `result` */
    struct rt_answer_id answer; /* kept under this id until rt_finish; raw 0: not kept */
    uint16_t spare;             /* not looked at */
    uint8_t method;
    uint8_t transfers;      /* struct transfer records behind the message */
    uint32_t message_bytes; /* a multiple of 8 */
    struct promise promise; /* the target instead of `cap`, by rt_promised; answer 0: `cap` is */
};

/* What a CALL ended with. */
struct rt_answer {
    int32_t status; /* bytes of the result message, or a transport error */
    bool exception; /* the message is a CapException */
    uint16_t cap_count;
    const struct received_cap *caps; /* behind the message; NULL: none */
    struct refusal refusal;
};

/* Groups of fields that are one word in an entry, and are copied as one. */
_Static_assert(offsetof(struct rt_call, method) == offsetof(struct rt_call, spare) + 2 &&
                   offsetof(struct rt_call, transfers) == offsetof(struct rt_call, spare) + 3 &&
                   offsetof(struct rt_call, message_bytes) == offsetof(struct rt_call, spare) + 4,
               "as the first word of an entry");
enum {
    RT_CALL_SAME_BYTES = 40, /* from the capability to the answer's id */
};
#define RT_CALL_SAME(field)                                                                        \
    (offsetof(struct rt_call, field) == offsetof(struct sqe, field) - offsetof(struct sqe, cap))
_Static_assert(RT_CALL_SAME(cap) && RT_CALL_SAME(interface_id) && RT_CALL_SAME(message) &&
                   RT_CALL_SAME(result) && RT_CALL_SAME(result_bytes) && RT_CALL_SAME(answer) &&
                   offsetof(struct sqe, spare) - offsetof(struct sqe, cap) == RT_CALL_SAME_BYTES,
               "as an entry's");

/* Writes the submission for a CALL, all but its user_data, in place (rt_ring_place) or not. */
static inline void rt_call_write(struct sqe *entry, const struct rt_call *call)
{
    uint64_t first;

    memcpy(&first, (const uint8_t *)call + offsetof(struct rt_call, spare), sizeof(first));
    rt_ring_first_word(entry, (first & ~UINT64_C(0xffff)) | OPCODE_CALL);
    memcpy((uint8_t *)entry + offsetof(struct sqe, cap), call, RT_CALL_SAME_BYTES);
    entry->spare = 0;
    if (UNLIKELY(call->promise.answer != 0)) {
        entry->flags = SQE_PROMISED;
        entry->promise = call->promise;
    }
}

/* The submission for a CALL, for those who submit it themselves. */
struct sqe rt_call_entry(const struct rt_call *call);

/* What `completion` says about the CALL it completes. */
struct rt_answer rt_call_answer(const struct rt_call *call, const struct cqe *completion);

/*
 * The capability at a path of an answer that was asked for before and may still be on its way:
 *
 *     open.answer = rt_answer_take(ring);
 *     read.promise = rt_promised(open.answer, RT_PATH(DIRECTORY_OPEN_PATH_FILE));
 *     ... submit rt_call_entry of both, in this order; wait for either ...
 *     rt_finish(ring, open.answer)
 *
 * Message and result of a promised call lie in the arena. When the answer breaks, or holds no
 * capability there, the call ends with BROKEN. Calls on one answer are sent in the order of their
 * submission, and all before the answer's own completion comes.
 */
static inline struct promise rt_promised(struct rt_answer_id answer, struct answer_path path)
{
    struct promise promise = {.answer = answer.raw};

    memcpy(&promise.path, &path, sizeof(path));
    return promise;
}

/* A path of generated code (struct capn_path) as promises have it; at most four indices. */
#define RT_PATH(path)                                                                              \
    ((struct answer_path){.step = {RT_PATH_STEP(path, 0), RT_PATH_STEP(path, 1),                   \
                                   RT_PATH_STEP(path, 2), RT_PATH_STEP(path, 3)}})
#define RT_PATH_STEP(path, at) ((uint8_t)((path).length > (at) ? (path).index[at] + 1 : 0))

/* Ends the keeping of an answer, which need not have come: calls promised from it are still sent.
 * 0 or BAD_ANSWER (the call was refused before its answer was kept). */
MUST_USE int32_t rt_finish(struct rt_ring *ring, struct rt_answer_id id);

/* The same, and what came with the answer, or comes yet, is released as by rt_release: of what its
 * paths name, which calls could be promised from. */
MUST_USE int32_t rt_finish_release(struct rt_ring *ring, struct rt_answer_id id);

/* The submission of rt_finish, for those who submit it beside others, and of rt_finish_release;
 * rt_answer_release the id. */
struct sqe rt_finish_entry(struct rt_answer_id id);
struct sqe rt_finish_release_entry(struct rt_answer_id id);

/* Writes the submission of rt_finish_release in place, all but its user_data. */
static inline void rt_finish_release_write(struct sqe *entry, struct rt_answer_id id)
{
    rt_ring_first_word(entry, (uint64_t)OPCODE_FINISH | (uint64_t)SQE_RELEASE << 8);
    entry->cap.raw = 0;
    entry->interface_id = 0;
    entry->message = 0;
    entry->result = 0;
    rt_ring_room_word(entry, (uint64_t)id.raw << 32);
    entry->spare = 0;
}

/* Takes back an operation under way: 0, and it completes with CANCELLED; NOT_FOUND: it had ended,
 * and its completion tells how. */
MUST_USE int32_t rt_cancel(struct rt_ring *ring, struct rt_operation operation);

/* Makes the call and waits for its end. */
void rt_call_into(struct rt_ring *ring, const struct rt_call *call, struct rt_answer *answer);

/* The same, for those who like a value. */
static inline struct rt_answer rt_call(struct rt_ring *ring, const struct rt_call *call)
{
    struct rt_answer answer;

    rt_call_into(ring, call, &answer);
    return answer;
}

/* A call that has arrived, in the buffer given to rt_receive. */
struct rt_request {
    int32_t status; /* >= 0, or a transport error: then nothing else holds */
    const struct endpoint_message *head;
    const uint8_t *message;          /* head->message_bytes */
    const struct received_cap *caps; /* head->caps; NULL: none */
    struct refusal refusal;
};

/* Room that a receive needs for messages of at most `message_bytes`, with as many capabilities as
 * any endpoint lets through. */
#define RT_RECEIVE_BYTES(message_bytes)                                                            \
    ((uint32_t)sizeof(struct endpoint_message) + (message_bytes) +                                 \
     LIMIT_ENDPOINT_CAPABILITIES * (uint32_t)sizeof(struct received_cap))

/* Waits for the next call of `endpoint` (an owner's edge). NO_ROOM: the buffer is smaller than the
 * endpoint's largest message. */
struct rt_request rt_receive(struct rt_ring *ring, struct cap_id endpoint, struct rt_buffer buffer);

/* One RETURN. Its capabilities are struct transfer records behind the message. */
struct rt_reply {
    struct cap_id endpoint; /* the owner's edge through which the call came */
    uint64_t token;
    const void *message;
    uint32_t message_bytes;
    uint8_t transfers;
    bool exception;
};

/* Answers the call that `reply->token` names. 0, or why the answer did not arrive. */
MUST_USE int32_t rt_return(struct rt_ring *ring, const struct rt_reply *reply);

/* The same, with what was refused. An answer whose descriptors are refused (ARGUMENT_TRANSFERS, not
 * NO_ROOM) leaves the token good. */
MUST_USE int32_t rt_return_refused(struct rt_ring *ring, const struct rt_reply *reply,
                                   struct refusal *refusal);

/* The submission that watches the call under `token`: it completes with WATCH_ENDED or
 * WATCH_CANCELLED. */
struct sqe rt_watch_entry(struct cap_id endpoint, uint64_t token);

/* Answers one call and waits for the next one with a single submission. When the answer fails,
 * nothing was armed. */
struct rt_request rt_return_receive(struct rt_ring *ring, const struct rt_reply *reply,
                                    struct rt_buffer buffer);

/* Gives up one capability of this process. */
MUST_USE int32_t rt_release(struct rt_ring *ring, struct cap_id cap);

/*
 * Waits while `*word`, which is 4-aligned, is `expected`, until somebody unparks it. 0: unparked;
 * CHANGED: it was another value; TIMEOUT; CANCELLED. The comparison and the waiting are one step
 * against every rt_unpark: change the word first, then unpark.
 */
MUST_USE int32_t rt_park(struct rt_ring *ring, const uint32_t *word, uint32_t expected,
                         uint64_t timeout_ns);

/* Wakes at most `count` of those that wait at `word`, the longest first, and tells how many;
 * LIMIT_UNPARK at most: ask again for more. */
MUST_USE int32_t rt_unpark(struct rt_ring *ring, const uint32_t *word, uint32_t count);

/* Two words, each at an address of its own or, with a capability, at an offset of a MemoryObject.
 */
struct rt_turn {
    struct cap_id wake_cap; /* raw 0: `wake` is an address */
    uint64_t wake;
    struct cap_id wait_cap; /* raw 0: `wait` is an address */
    uint64_t wait;
    uint32_t expected;
};

/* rt_unpark of one thread at `wake`, then rt_park at `wait` without a time limit, in one
 * submission: how two threads hand work to and fro. Nothing else is under way on this ring. 0:
 * unparked, perhaps by a wake-up that was meant for an earlier wait: look at the word; CHANGED; and
 * the errors of either. */
MUST_USE int32_t rt_wake_and_wait(struct rt_ring *ring, const struct rt_turn *turn);

/* Does nothing, by the whole way. */
MUST_USE int32_t rt_nop(struct rt_ring *ring);

#endif
