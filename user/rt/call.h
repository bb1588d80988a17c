/* SPDX-License-Identifier: MIT */
/*
 * The endpoint opcodes as functions: each submits one entry and waits for its completion. Their
 * results are the completion's: >= 0 or a transport error (abi/errors.def), with the refusal detail
 * in `refusal` where the caller gives one.
 */
#ifndef USER_RT_CALL_H
#define USER_RT_CALL_H

#include "user/rt/rt_ring.h"

/* One CALL. Message and result buffers belong to the kernel until rt_call returns. */
struct rt_call {
    struct cap_id cap;
    uint64_t interface_id;
    uint8_t method;
    uint8_t transfers; /* struct transfer records behind the message */
    const void *message;
    uint32_t message_bytes; /* a multiple of 8 */
    uint32_t result_bytes;  /* room at `result` */
    void *result;
};

/* What a CALL ended with. */
struct rt_answer {
    int32_t status; /* bytes of the result message, or a transport error */
    bool exception; /* the message is a CapException */
    uint16_t cap_count;
    const struct received_cap *caps; /* behind the message; NULL: none */
    struct refusal refusal;
};

/* The submission for a CALL, for those who submit it themselves. */
struct sqe rt_call_entry(const struct rt_call *call);

/* What `completion` says about the CALL it completes. */
struct rt_answer rt_call_answer(const struct rt_call *call, const struct cqe *completion);

/* Makes the call and waits for its end. */
struct rt_answer rt_call(struct rt_ring *ring, const struct rt_call *call);

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

/* One RETURN. */
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

/* Answers one call and waits for the next one with a single submission. When the answer fails,
 * nothing was armed. */
struct rt_request rt_return_receive(struct rt_ring *ring, const struct rt_reply *reply,
                                    struct rt_buffer buffer);

/* Gives up one capability of this process. */
MUST_USE int32_t rt_release(struct rt_ring *ring, struct cap_id cap);

/* Does nothing, by the whole way. */
MUST_USE int32_t rt_nop(struct rt_ring *ring);

#endif
