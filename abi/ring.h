/* SPDX-License-Identifier: MIT */
/*
 * The ring: version 0 of the memory that one thread and the kernel share. One header page, one
 * array of 64-byte submissions, one array of 32-byte completions, one arena for messages, each at a
 * page boundary of one contiguous region of the thread's address space.
 *
 * The user writes sq_tail and cq_head, the kernel sq_head and cq_tail; each index has its own cache
 * line, counts without wrapping to the array's size (mod 2^32), and is touched through the four
 * helpers below alone. The kernel keeps its own copy of the indices it owns and reads a submission
 * once; what stands in shared memory afterwards is of no interest to it.
 *
 * A message is one Cap'n Proto segment without a stream header: its first word is the root pointer,
 * and its length is a multiple of 8. The root is the method's parameter structure in a CALL, its
 * result structure in an answer, CapException where a flag says so. A capability pointer in it is
 * an index into the records behind it.
 */
#ifndef ABI_RING_H
#define ABI_RING_H

#include "abi/atomic.h"
#include "abi/capid.h"
#include "abi/errors.h"
#include "abi/limits.h"

#define RING_MAGIC   UINT32_C(0x474e4952) /* "RING" */
#define RING_VERSION 0

enum opcode {
    OPCODE_NOP = 0,
    OPCODE_CALL = 1,
    OPCODE_RECV = 2,
    OPCODE_RETURN = 3,
    OPCODE_RETURN_RECV = 4,
    OPCODE_RELEASE = 5,
    /* Reserved numbers: refused with BAD_OPCODE. */
    OPCODE_DUP = 6,
    OPCODE_TRANSFER = 7,
    OPCODE_DELEGATE = 8,
    OPCODE_REVOKE = 9,
    OPCODE_TOKEN = 10,
    OPCODE_FINISH = 11,
    OPCODE_CANCEL = 12,
    OPCODE_WATCH = 13,
    OPCODE_PARK = 14,
    OPCODE_UNPARK = 15,
    OPCODE_FORWARD = 16,
};

/* sqe.flags */
enum {
    SQE_EXCEPTION = 1, /* RETURN, RETURN_RECV: the message is a CapException */
};

/* One submission. A field that an opcode does not use must be zero. */
struct sqe {
    uint8_t opcode;         /* enum opcode */
    uint8_t flags;          /* SQE_* */
    uint16_t method;        /* CALL: method ordinal */
    uint32_t message_bytes; /* CALL, RETURN, RETURN_RECV: length of the message */
    uint64_t user_data;     /* returned in the completion, never looked at */
    struct cap_id cap;      /* CALL, RECV, RETURN_RECV, RELEASE: the capability meant */
    uint64_t interface_id;  /* CALL: interface expected of the capability */
    uint64_t token;         /* RETURN, RETURN_RECV: the return token of the call answered */
    uint64_t message;       /* CALL, RETURN, RETURN_RECV: user address of the message */
    uint64_t result; /* CALL: where the result goes; RECV, RETURN_RECV: where the next call goes */
    uint32_t result_bytes; /* room at `result` */
    uint16_t transfers;    /* descriptors behind the message, at its end rounded up to 8 */
    uint16_t spare;        /* zero */
};

/* cqe.flags */
enum {
    CQE_EXCEPTION = 1,   /* CALL: the result is a CapException of the callee */
    CQE_CAPS_SHIFT = 16, /* CALL: flags >> 16 received_cap records stand behind the result */
};

/* One completion. result >= 0: bytes of the message written at the submission's `result` (RECV: its
 * head included), the received_cap records behind it not counted; < 0: transport error. */
struct cqe {
    uint64_t user_data;
    int32_t result;
    uint32_t flags;
    struct refusal refusal;
};

/* One capability that travels beside a message; sixteen bytes. */
struct transfer {
    struct cap_id cap;
    uint32_t mode; /* enum transfer_mode */
    uint32_t spare;
};

enum transfer_mode {
    TRANSFER_COPY = 1,
    TRANSFER_MOVE = 2,
};

/* What arrived beside a message, behind it at its end rounded up to 8; thirty-two bytes. */
struct received_cap {
    struct cap_id cap;
    uint64_t interface_id;
    uint64_t facet;
    uint64_t badge;
};

/* Head of every message that RECV delivers, at `result`; the message follows. */
struct endpoint_message {
    uint64_t token;        /* names this call in RETURN, once */
    uint64_t badge;        /* of the edge the caller used */
    uint64_t interface_id; /* expected by the caller and held by the edge */
    uint16_t method;
    uint16_t caps;          /* received_cap records behind the message */
    uint32_t message_bytes; /* bytes of the message behind this head */
    uint32_t result_bytes;  /* room the caller has for the answer */
    uint32_t spare[3];
};

struct ring_header {
    uint32_t magic;
    uint16_t version;
    uint16_t spare0;
    uint64_t features;
    uint32_t sq_entries;
    uint32_t cq_entries;
    uint32_t sq_offset; /* bytes from the header to each part */
    uint32_t cq_offset;
    uint32_t arena_offset;
    uint32_t arena_bytes;
    uint8_t spare1[24];
    ALIGNED(64) uint32_t sq_head; /* kernel */
    ALIGNED(64) uint32_t sq_tail; /* user */
    ALIGNED(64) uint32_t cq_head; /* user */
    ALIGNED(64) uint32_t cq_tail; /* kernel */
    ALIGNED(64) uint32_t corrupt; /* kernel: 1 once the ring failed closed */
    uint8_t spare2[60];
};

enum {
    RING_SQ_OFFSET = 4096,
    RING_CQ_OFFSET = RING_SQ_OFFSET + LIMIT_SQ_ENTRIES * 64,
    RING_ARENA_OFFSET = RING_CQ_OFFSET + LIMIT_CQ_ENTRIES * 32,
    RING_BYTES = RING_ARENA_OFFSET + LIMIT_ARENA_BYTES,
};

/* An index that only the reader's own side writes. */
static inline uint32_t ring_load_own(const uint32_t *index)
{
    return atomic_load_relaxed_u32(index);
}

/* An index of the other side: what it published before is visible afterwards. */
static inline uint32_t ring_load_peer(const uint32_t *index)
{
    return atomic_load_acquire_u32(index);
}

/* Publishes the entries written (or given back) before. */
static inline void ring_publish(uint32_t *index, uint32_t value)
{
    atomic_store_release_u32(index, value);
}

/* Sets an index that nobody else can see yet. */
static inline void ring_store_own(uint32_t *index, uint32_t value)
{
    atomic_store_relaxed_u32(index, value);
}

_Static_assert(sizeof(struct sqe) == 64, "a submission is 64 bytes");
_Static_assert(sizeof(struct cqe) == 32, "a completion is 32 bytes");
_Static_assert(offsetof(struct sqe, user_data) == 8 && offsetof(struct sqe, cap) == 16 &&
                   offsetof(struct sqe, interface_id) == 24 && offsetof(struct sqe, token) == 32 &&
                   offsetof(struct sqe, message) == 40 && offsetof(struct sqe, result) == 48 &&
                   offsetof(struct sqe, result_bytes) == 56,
               "submission layout");
_Static_assert(sizeof(struct transfer) == 16, "a transfer descriptor is 16 bytes");
_Static_assert(sizeof(struct received_cap) == 32, "a received capability is 32 bytes");
_Static_assert(sizeof(struct endpoint_message) == 48, "an endpoint message head is 48 bytes");
_Static_assert(offsetof(struct ring_header, sq_head) == 64 &&
                   offsetof(struct ring_header, corrupt) == 320,
               "each index on its own cache line");
_Static_assert(sizeof(struct ring_header) <= RING_SQ_OFFSET, "the header fits its page");
_Static_assert(RING_BYTES % LIMIT_PAGE_BYTES == 0, "the ring is whole pages");

#endif
