/* SPDX-License-Identifier: MIT */
/*
 * The ring: version 1 of the memory that one thread and the kernel share. One header page, one
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
#define RING_VERSION 1

enum opcode {
    OPCODE_NOP = 0,
    OPCODE_CALL = 1,
    OPCODE_RECV = 2,
    OPCODE_RETURN = 3,
    OPCODE_RETURN_RECV = 4,
    OPCODE_RELEASE = 5,
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
    OPCODE_FORWARD = 16, /* reserved: refused with BAD_OPCODE */
    OPCODE_COUNT,
};

/* sqe.flags */
enum {
    SQE_EXCEPTION = 1,       /* RETURN, RETURN_RECV: the message is a CapException */
    SQE_PROMISED = 2,        /* CALL: the target is a capability of an answer still to come */
    SQE_EXACT_SLOT = 4,      /* DUP, TRANSFER: `slot` says where the edge goes */
    SQE_WINDOW = 8,          /* DUP: into the lowest free slot of the descriptor window */
    SQE_MOVE = 16,           /* TRANSFER: the caller's own edge goes away */
    SQE_KEEP_GRANT = 32,     /* TRANSFER: with the right to grant, if the caller has it */
    SQE_CLOSE_ON_SPAWN = 64, /* DUP: a spawn that inherits descriptors leaves it out */
    SQE_RELEASE = 128,       /* FINISH: what the answer gave, or gives yet, is released */
};

enum {
    PATH_STEPS = 4,
    PATH_INDEX_MAX = 254,
};

/* Which capability of an answer: pointer indices from the root on, each plus one; 0 ends. All 0: no
 * path. Cap'n Proto's promised-answer path, which schema evolution leaves as it is. */
struct answer_path {
    uint8_t step[PATH_STEPS];
};

/*
 * A capability of an answer that the same thread asked for before. `answer` is the id that it gave
 * that call: ANSWER_SLOT_BITS of slot, the rest a generation of its choice, so that an id of an
 * earlier use of the slot names nothing. 0: no answer.
 */
struct promise {
    uint32_t answer;
    struct answer_path path;
};

enum {
    ANSWER_SLOT_BITS = 8,
};

/* One submission. A field that an opcode does not use must be zero; the last eight bytes always. */
struct sqe {
    uint8_t opcode;         /* enum opcode */
    uint8_t flags;          /* SQE_* */
    uint8_t method;         /* CALL: method ordinal */
    uint8_t transfers;      /* CALL, RETURN, RETURN_RECV: descriptors behind the message, at its end
                               rounded up to 8 */
    uint32_t message_bytes; /* CALL, RETURN, RETURN_RECV: length of the message */
    uint64_t user_data;     /* returned in the completion, never looked at */
    union {
        struct cap_id cap;      /* the capability meant: all but NOP, TOKEN, FINISH, CANCEL */
        struct promise promise; /* CALL with SQE_PROMISED */
    };
    union {
        uint64_t interface_id; /* CALL, TOKEN: interface expected of the capability */
        uint64_t token;        /* RETURN, RETURN_RECV, WATCH: the return token of a call received;
                                  CANCEL: user_data of the submission to cancel */
        uint64_t facet;        /* DUP, DELEGATE: methods of the new edge */
        struct cap_id target;  /* TRANSFER: ProcessHandle of the process that gets the edge */
    };
    union {
        uint64_t message; /* CALL, RETURN, RETURN_RECV: user address of the message */
        uint64_t address; /* PARK, UNPARK: user address, or offset in the MemoryObject `cap` */
    };
    union {
        uint64_t result;     /* CALL: where the result goes; RECV, RETURN_RECV: the next call */
        uint64_t timeout_ns; /* PARK: from now; TIMEOUT_NONE: for ever */
    };
    uint32_t result_bytes; /* room at `result` */
    union {
        uint32_t answer; /* CALL: id under which the answer is kept, 0: it is not; FINISH: its id */
        uint32_t slot;   /* TOKEN; DUP and TRANSFER with SQE_EXACT_SLOT */
        uint32_t value;  /* PARK: value expected at the address; UNPARK: threads to wake at most */
    };
    uint64_t spare; /* zero */
};

/* cqe.flags */
enum {
    CQE_EXCEPTION = 1,   /* CALL: the result is a CapException of the callee */
    CQE_CAPS_SHIFT = 16, /* CALL: flags >> 16 received_cap records stand behind the result */
};

/* What REVOKE ended besides edges. */
struct receipt {
    uint32_t calls;    /* queued or running */
    uint32_t mappings; /* pages */
    uint32_t events;   /* armed timers and waits */
    uint32_t nodes;    /* delegations that hung below */
};

/* One completion. result >= 0: bytes of the message written at the submission's `result` (RECV: its
 * head included), the received_cap records behind it not counted; < 0: transport error. */
struct cqe {
    uint64_t user_data;
    int32_t result;
    uint32_t flags;
    union {
        struct refusal refusal; /* result < 0; all zero where nothing below applies */
        struct cap_id cap[2];   /* DUP, TOKEN: the edge; DELEGATE: the edge and its handle */
        struct receipt receipt; /* REVOKE */
    };
};

/* One capability that travels beside a message; sixteen bytes. */
struct transfer {
    struct cap_id cap;
    uint8_t mode;            /* enum transfer_mode */
    uint8_t flags;           /* zero */
    struct answer_path path; /* RETURN, RETURN_RECV: where the message points at it; all 0: a call
                                promised from this answer cannot name it. CALL: all 0 */
    uint16_t spare;          /* zero */
};

enum transfer_mode {
    TRANSFER_COPY = 1,
    TRANSFER_MOVE = 2,
};

/* Whether every field beside capability and mode is zero, as a CALL's descriptor must be. */
static inline bool transfer_is_plain(const struct transfer *transfer)
{
    const uint8_t *step = transfer->path.step;

    return transfer->flags == 0 && transfer->spare == 0 &&
           (step[0] | step[1] | step[2] | step[3]) == 0;
}

/* What arrived beside a message, behind it at its end rounded up to 8; thirty-two bytes. */
struct received_cap {
    struct cap_id cap;
    uint64_t interface_id;
    uint64_t facet;
    uint64_t badge;
};

/* What the completion of a WATCH says of the call. */
enum watch_result {
    WATCH_ENDED = 0,     /* it was answered, or ended with the endpoint */
    WATCH_CANCELLED = 1, /* its caller took it back, died, or lost the right to make it */
};

/* What a message delivered by RECV says. */
enum endpoint_message_kind {
    ENDPOINT_MESSAGE_CALL = 0,
    ENDPOINT_MESSAGE_CLOSED = 1, /* the last edge and call of `badge` are gone; nothing to return */
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
    uint32_t kind;          /* enum endpoint_message_kind */
    uint32_t spare[2];
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
_Static_assert(offsetof(struct sqe, flags) == 1 && offsetof(struct sqe, method) == 2 &&
                   offsetof(struct sqe, transfers) == 3 &&
                   offsetof(struct sqe, message_bytes) == 4 && offsetof(struct sqe, user_data) == 8,
               "submission layout");
_Static_assert(offsetof(struct sqe, cap) == 16 && offsetof(struct sqe, promise) == 16 &&
                   offsetof(struct sqe, interface_id) == 24 && offsetof(struct sqe, token) == 24 &&
                   offsetof(struct sqe, facet) == 24 && offsetof(struct sqe, target) == 24,
               "submission layout");
_Static_assert(offsetof(struct sqe, message) == 32 && offsetof(struct sqe, address) == 32 &&
                   offsetof(struct sqe, result) == 40 && offsetof(struct sqe, timeout_ns) == 40 &&
                   offsetof(struct sqe, result_bytes) == 48 && offsetof(struct sqe, answer) == 52 &&
                   offsetof(struct sqe, slot) == 52 && offsetof(struct sqe, value) == 52,
               "submission layout");
_Static_assert(offsetof(struct sqe, spare) == 56 && sizeof(((struct sqe *)0)->spare) == 8,
               "eight bytes are spare in every layout");
_Static_assert(offsetof(struct cqe, result) == 8 && offsetof(struct cqe, flags) == 12 &&
                   offsetof(struct cqe, refusal) == 16 && offsetof(struct cqe, cap) == 16 &&
                   offsetof(struct cqe, receipt) == 16,
               "completion layout");
_Static_assert(sizeof(struct promise) == 8 && sizeof(struct receipt) == 16, "one field each");
_Static_assert(sizeof(struct transfer) == 16, "a transfer descriptor is 16 bytes");
_Static_assert(sizeof(struct received_cap) == 32, "a received capability is 32 bytes");
_Static_assert(sizeof(struct endpoint_message) == 48, "an endpoint message head is 48 bytes");
_Static_assert(offsetof(struct ring_header, sq_head) == 64 &&
                   offsetof(struct ring_header, corrupt) == 320,
               "each index on its own cache line");
_Static_assert(sizeof(struct ring_header) <= RING_SQ_OFFSET, "the header fits its page");
_Static_assert(RING_BYTES % LIMIT_PAGE_BYTES == 0, "the ring is whole pages");

#endif
