/* SPDX-License-Identifier: MIT */
/*
 * Ring, kernel side.
 *
 * The kernel trusts nothing it reads from the shared pages. It works on private indices and copies;
 * the user's two indices are read once each time they are needed and believed only if they moved
 * forward by a possible amount. An impossible index makes the ring corrupt: it is marked so in the
 * header, nothing more is taken from it, completions already promised are still posted.
 *
 * Invariants:
 *  1. cq_tail - cq_head + reserved <= cq_entries: a promised completion always has its place.
 *  2. The header's sq_head and cq_tail are never ahead of the private ones.
 *  3. corrupt is set once and never cleared here.
 */
#include "core/ring.h"

#include "core/assert.h"
#include "core/string.h"

void ring_init(struct ring *ring, struct ring_header *header, const struct sqe *sq, struct cqe *cq)
{
    memset(ring, 0, sizeof(*ring));
    ring->header = header;
    ring->sq = sq;
    ring->cq = cq;
    ring->sq_entries = LIMIT_SQ_ENTRIES;
    ring->cq_entries = LIMIT_CQ_ENTRIES;
    header->magic = RING_MAGIC;
    header->version = RING_VERSION;
    header->sq_entries = ring->sq_entries;
    header->cq_entries = ring->cq_entries;
    header->sq_offset = RING_SQ_OFFSET;
    header->cq_offset = RING_CQ_OFFSET;
    header->arena_offset = RING_ARENA_OFFSET;
    header->arena_bytes = LIMIT_ARENA_BYTES;
}

static void ring_fail_closed(struct ring *ring)
{
    ring->corrupt = true;
    ring_publish(&ring->header->corrupt, 1);
}

/* Believes the user's cq_head if it moved forward and not past what was posted. */
static bool cq_head_read(struct ring *ring)
{
    uint32_t head = ring_load_peer(&ring->header->cq_head);
    uint32_t tail = atomic_load_relaxed_u32(&ring->cq_tail);

    if (head - ring->cq_head > tail - ring->cq_head) {
        ring_fail_closed(ring);
        return false;
    }
    ring->cq_head = head;
    return true;
}

enum ring_take ring_take(struct ring *ring, struct sqe *sqe)
{
    uint32_t tail;

    if (ring->corrupt) {
        return RING_TAKE_CORRUPT;
    }
    tail = ring_load_peer(&ring->header->sq_tail);
    if (tail == ring->sq_head) {
        return RING_TAKE_EMPTY;
    }
    if (tail - ring->sq_head > ring->sq_entries) {
        ring_fail_closed(ring);
        return RING_TAKE_CORRUPT;
    }
    if (ring->cq_tail - ring->cq_head + ring->reserved >= ring->cq_entries) {
        if (!cq_head_read(ring)) {
            return RING_TAKE_CORRUPT;
        }
        if (ring->cq_tail - ring->cq_head + ring->reserved >= ring->cq_entries) {
            return RING_TAKE_FULL;
        }
    }
    memcpy(sqe, &ring->sq[ring->sq_head & (ring->sq_entries - 1)], sizeof(*sqe));
    ring->sq_head++;
    ring->reserved++;
    ring_publish(&ring->header->sq_head, ring->sq_head);
    ASSERT(ring->cq_tail - ring->cq_head + ring->reserved <= ring->cq_entries);
    return RING_TAKE_ENTRY;
}

void ring_post(struct ring *ring, const struct cqe *cqe)
{
    ASSERT(ring->reserved > 0);
    ring->cq[ring->cq_tail & (ring->cq_entries - 1)] = *cqe;
    atomic_store_relaxed_u32(&ring->cq_tail, ring->cq_tail + 1);
    ring->reserved--;
    ring_publish(&ring->header->cq_tail, ring->cq_tail);
}

uint32_t ring_completions(struct ring *ring)
{
    if (!ring->corrupt && !cq_head_read(ring)) {
        return 0;
    }
    return atomic_load_relaxed_u32(&ring->cq_tail) - ring->cq_head;
}

/* Fields that an opcode may use; every other must be zero. */
enum {
    USES_FLAGS = 1,
    USES_METHOD = 2,
    USES_MESSAGE = 4,
    USES_CAP = 8,
    USES_INTERFACE = 16,
    USES_TOKEN = 32,
    USES_RESULT = 64,
    USES_TRANSFERS = 128,
};

static const uint8_t opcode_uses[] = {
    [OPCODE_NOP] = 0,
    [OPCODE_CALL] =
        USES_METHOD | USES_MESSAGE | USES_CAP | USES_INTERFACE | USES_RESULT | USES_TRANSFERS,
    [OPCODE_RECV] = USES_CAP | USES_RESULT,
    [OPCODE_RETURN] = USES_FLAGS | USES_MESSAGE | USES_TOKEN | USES_CAP | USES_TRANSFERS,
    [OPCODE_RETURN_RECV] =
        USES_FLAGS | USES_MESSAGE | USES_TOKEN | USES_CAP | USES_RESULT | USES_TRANSFERS,
    [OPCODE_RELEASE] = USES_CAP,
};

static enum transport_error refuse(struct refusal *refusal, enum transport_error error,
                                   enum refusal_argument argument, uint64_t amount)
{
    refusal->reason = (uint16_t)-error;
    refusal->argument = (uint16_t)argument;
    refusal->amount = amount;
    return error;
}

enum transport_error sqe_wire_validation_error(const struct sqe *sqe, struct refusal *refusal)
{
    unsigned uses;

    memset(refusal, 0, sizeof(*refusal));
    if (sqe->opcode >= ARRAY_COUNT(opcode_uses)) {
        return refuse(refusal, TRANSPORT_BAD_OPCODE, ARGUMENT_OPCODE, sqe->opcode);
    }
    uses = opcode_uses[sqe->opcode];
    if (((uses & USES_FLAGS) == 0 && sqe->flags != 0) || (sqe->flags & ~SQE_EXCEPTION) != 0) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_FLAGS, sqe->flags);
    }
    if ((uses & USES_METHOD) == 0 && sqe->method != 0) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_METHOD, sqe->method);
    }
    if ((uses & USES_CAP) == 0 && sqe->cap.raw != 0) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_CAP, sqe->cap.raw);
    }
    if ((uses & USES_INTERFACE) == 0 && sqe->interface_id != 0) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_INTERFACE, sqe->interface_id);
    }
    if ((uses & USES_TOKEN) == 0 && sqe->token != 0) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_TOKEN, sqe->token);
    }
    if ((uses & USES_MESSAGE) == 0 && (sqe->message != 0 || sqe->message_bytes != 0)) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_MESSAGE, sqe->message);
    }
    if ((uses & USES_RESULT) == 0 && (sqe->result != 0 || sqe->result_bytes != 0)) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_RESULT, sqe->result);
    }
    if ((uses & USES_TRANSFERS) == 0 && sqe->transfers != 0) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_TRANSFERS, sqe->transfers);
    }
    if (sqe->spare != 0) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_SPARE, sqe->spare);
    }
    if (sqe->message_bytes % 8 != 0 || sqe->message_bytes > LIMIT_MESSAGE_BYTES) {
        refusal->limit = LIMIT_MESSAGE_BYTES;
        return refuse(refusal, TRANSPORT_TOO_LARGE, ARGUMENT_MESSAGE_BYTES, sqe->message_bytes);
    }
    if (sqe->transfers > LIMIT_TRANSFERS) {
        refusal->limit = LIMIT_TRANSFERS;
        return refuse(refusal, TRANSPORT_TOO_LARGE, ARGUMENT_TRANSFERS, sqe->transfers);
    }
    return TRANSPORT_OK;
}

unsigned ring_check(const struct ring *ring)
{
    if (ring->cq_tail - ring->cq_head + ring->reserved > ring->cq_entries) {
        return 1;
    }
    return 0;
}
