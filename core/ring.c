/* SPDX-License-Identifier: MIT */
/*
 * Ring, kernel side.
 *
 * The kernel trusts nothing it reads from the shared pages. It works on private indices and copies;
 * the user's two indices are read once each time they are needed and believed only if they moved
 * forward by a possible amount. An impossible index makes the ring corrupt: it is marked so in the
 * header, nothing more is taken from it, completions already promised are still posted. Its user
 * may put the indices right and clear the mark; the kernel then looks once more.
 *
 * Invariants:
 *  1. cq_tail <= sq_head <= cq_head + cq_entries: every submission that was accepted is completed
 *     once, and its completion always has its place.
 *  2. The header's sq_head and cq_tail are never ahead of the private ones.
 *  3. While corrupt is set no shared field but the header's `corrupt` is read, and no submission is
 *     taken. Only ring_repair clears it, with indices it believed like any other.
 *  4. Both sizes are powers of two within their limits.
 */
#include "core/ring.h"

#include "core/assert.h"
#include "core/string.h"

static bool size_is_valid(uint32_t size, uint32_t min, uint32_t max)
{
    return size >= min && size <= max && (size & (size - 1)) == 0;
}

bool ring_sizes_settle(struct ring_sizes *sizes)
{
    sizes->sq_entries = sizes->sq_entries == 0 ? LIMIT_SQ_ENTRIES : sizes->sq_entries;
    sizes->cq_entries = sizes->cq_entries == 0 ? LIMIT_CQ_ENTRIES : sizes->cq_entries;
    sizes->arena_bytes = sizes->arena_bytes == 0 ? LIMIT_ARENA_BYTES : sizes->arena_bytes;
    return size_is_valid(sizes->sq_entries, LIMIT_SQ_ENTRIES_MIN, LIMIT_SQ_ENTRIES) &&
           size_is_valid(sizes->cq_entries, LIMIT_CQ_ENTRIES_MIN, LIMIT_CQ_ENTRIES) &&
           size_is_valid(sizes->arena_bytes, LIMIT_PAGE_BYTES, LIMIT_ARENA_BYTES_MAX);
}

void ring_init(struct ring *ring, const struct ring_sizes *sizes, struct ring_memory memory)
{
    struct ring_header *header = memory.header;

    memset(ring, 0, sizeof(*ring));
    ring->header = header;
    ring->sq = memory.sq;
    ring->cq = memory.cq;
    ring->sq_entries = sizes->sq_entries;
    ring->cq_entries = sizes->cq_entries;
    ASSERT(ring_check(ring) == 0);
    header->magic = RING_MAGIC;
    header->version = RING_VERSION;
    header->sq_entries = ring->sq_entries;
    header->cq_entries = ring->cq_entries;
    header->sq_offset = RING_SQ_OFFSET;
    header->cq_offset = RING_CQ_OFFSET;
    header->arena_offset = RING_ARENA_OFFSET;
    header->arena_bytes = sizes->arena_bytes;
}

void ring_fail_closed(struct ring *ring)
{
    ring->corrupt = true;
    ring_publish(&ring->header->corrupt, 1);
}

bool ring_repair(struct ring *ring)
{
    ASSERT(ring->corrupt);
    if (ring_load_peer(&ring->header->corrupt) != 0) {
        return false;
    }
    if (ring_load_peer(&ring->header->sq_tail) - ring->sq_head > ring->sq_entries) {
        ring_fail_closed(ring);
        return false;
    }
    ring->corrupt = !ring_head_read(ring);
    return !ring->corrupt;
}

bool ring_take_at_tick(struct ring *ring, struct sqe *sqe)
{
    static const uint32_t safe =
        UINT32_C(1) << OPCODE_NOP | UINT32_C(1) << OPCODE_TOKEN | UINT32_C(1) << OPCODE_FINISH;

    /* By the private copy: what the user makes of the entry meanwhile is not looked at. */
    if (ring_copy(ring, sqe) != RING_TAKE_ENTRY || (safe >> sqe->opcode & 1) == 0) {
        return false;
    }
    ring_accept(ring, ring->sq_head + 1);
    return true;
}

/* Fields that an opcode may use; every other must be zero. Those that share bytes share a bit. */
enum {
    USES_METHOD = 1,
    USES_TRANSFERS = 2,
    USES_MESSAGE_BYTES = 4,
    USES_CAP = 8,
    USES_SECOND = 16, /* interface_id, token, facet, target */
    USES_MESSAGE = 32,
    USES_RESULT = 64,
    USES_RESULT_BYTES = 128,
    USES_ANSWER = 256, /* answer, slot, value */
    USES_NEVER = 512,  /* spare */
    USES_OUT = USES_MESSAGE | USES_MESSAGE_BYTES | USES_TRANSFERS,
    USES_IN = USES_RESULT | USES_RESULT_BYTES,
    KNOWN = 1024, /* the opcode exists */
};

/* The wire form of one opcode: its fields and its flags. */
struct opcode_wire {
    uint16_t uses;
    uint8_t flags;
};

/* X(opcode, fields, flags): the wire form of every opcode. */
#define OPCODE_WIRES(X)                                                                            \
    X(OPCODE_NOP, KNOWN, 0)                                                                        \
    X(OPCODE_CALL,                                                                                 \
      KNOWN | USES_METHOD | USES_OUT | USES_CAP | USES_SECOND | USES_IN | USES_ANSWER,             \
      SQE_PROMISED)                                                                                \
    X(OPCODE_RECV, KNOWN | USES_CAP | USES_IN, 0)                                                  \
    X(OPCODE_RETURN, KNOWN | USES_OUT | USES_CAP | USES_SECOND, SQE_EXCEPTION)                     \
    X(OPCODE_RETURN_RECV, KNOWN | USES_OUT | USES_CAP | USES_SECOND | USES_IN, SQE_EXCEPTION)      \
    X(OPCODE_RELEASE, KNOWN | USES_CAP, 0)                                                         \
    X(OPCODE_DUP, KNOWN | USES_CAP | USES_SECOND | USES_ANSWER,                                    \
      SQE_EXACT_SLOT | SQE_WINDOW | SQE_CLOSE_ON_SPAWN)                                            \
    X(OPCODE_TRANSFER, KNOWN | USES_CAP | USES_SECOND | USES_ANSWER,                               \
      SQE_EXACT_SLOT | SQE_MOVE | SQE_KEEP_GRANT)                                                  \
    X(OPCODE_DELEGATE, KNOWN | USES_CAP | USES_SECOND, 0)                                          \
    X(OPCODE_REVOKE, KNOWN | USES_CAP, 0)                                                          \
    X(OPCODE_TOKEN, KNOWN | USES_SECOND | USES_ANSWER, 0)                                          \
    X(OPCODE_FINISH, KNOWN | USES_ANSWER, SQE_RELEASE)                                             \
    X(OPCODE_CANCEL, KNOWN | USES_SECOND, 0)                                                       \
    X(OPCODE_WATCH, KNOWN | USES_CAP | USES_SECOND, 0)                                             \
    X(OPCODE_PARK, KNOWN | USES_CAP | USES_MESSAGE | USES_RESULT | USES_ANSWER, 0)                 \
    X(OPCODE_UNPARK, KNOWN | USES_CAP | USES_MESSAGE | USES_ANSWER, 0)

#define WIRE_ROW(opcode, fields, flag_bits) [opcode] = {.uses = (fields), .flags = (flag_bits)},
static const struct opcode_wire opcode_wire[OPCODE_COUNT] = {OPCODE_WIRES(WIRE_ROW)};

/* All bits of a field of `bits` at `shift`, unless it is used; then those of `closer`. */
#define DOUBT(used, closer, bits, shift)                                                           \
    (((used) != 0 ? (uint64_t)(closer) : (UINT64_C(1) << (bits)) - 1) << (shift))
#define DOUBT_WORD(used) ((used) != 0 ? 0 : UINT64_MAX)
/* An answer, a slot and a value are one field; what a slot means depends on flags. */
#define DOUBT_ROW(opcode, fields, flag_bits)                                                       \
    [opcode] = {DOUBT((flag_bits)&SQE_EXCEPTION, 0xff & ~SQE_EXCEPTION, 8, 8) |                    \
                    DOUBT((fields)&USES_METHOD, 0, 8, 16) |                                        \
                    DOUBT((fields)&USES_TRANSFERS, 0xf0, 8, 24) |                                  \
                    DOUBT((fields)&USES_MESSAGE_BYTES, 0xffff8007, 32, 32),                        \
                0,                                                                                 \
                DOUBT_WORD((fields)&USES_CAP),                                                     \
                DOUBT_WORD((fields)&USES_SECOND),                                                  \
                DOUBT_WORD((fields)&USES_MESSAGE),                                                 \
                DOUBT_WORD((fields)&USES_RESULT),                                                  \
                DOUBT((fields)&USES_RESULT_BYTES, 0, 32, 0) |                                      \
                    DOUBT((fields)&USES_ANSWER,                                                    \
                          ((flag_bits)&SQE_EXACT_SLOT) != 0 ? 0xffffffff : 0, 32, 32),             \
                UINT64_MAX},
#define DOUBT_ALL                                                                                  \
    {                                                                                              \
        UINT64_MAX, 0, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX      \
    }
const uint64_t sqe_doubtful[OPCODE_COUNT + 1][SQE_WORDS] = {
    OPCODE_WIRES(DOUBT_ROW)[OPCODE_FORWARD] = DOUBT_ALL, [OPCODE_COUNT] = DOUBT_ALL};

static enum transport_error refuse(struct refusal *refusal, enum transport_error error,
                                   enum refusal_argument argument, uint64_t amount)
{
    refusal->reason = (uint16_t)-error;
    refusal->argument = (uint16_t)argument;
    refusal->amount = amount;
    return error;
}

/* Which fields are not zero. */
static unsigned fields_present(const struct sqe *sqe)
{
    return (sqe->method != 0 ? USES_METHOD : 0U) | (sqe->transfers != 0 ? USES_TRANSFERS : 0U) |
           (sqe->message_bytes != 0 ? USES_MESSAGE_BYTES : 0U) |
           (sqe->cap.raw != 0 ? USES_CAP : 0U) | (sqe->interface_id != 0 ? USES_SECOND : 0U) |
           (sqe->message != 0 ? USES_MESSAGE : 0U) | (sqe->result != 0 ? USES_RESULT : 0U) |
           (sqe->result_bytes != 0 ? USES_RESULT_BYTES : 0U) |
           (sqe->answer != 0 ? USES_ANSWER : 0U) | (sqe->spare != 0 ? USES_NEVER : 0U);
}

/* Names the first of the fields `wrong` that are not zero and should be. */
static enum transport_error unused_field_error(const struct sqe *sqe, unsigned wrong,
                                               struct refusal *refusal)
{
    const struct {
        unsigned use;
        enum refusal_argument argument;
        uint64_t value;
    } field[] = {
        {USES_METHOD, ARGUMENT_METHOD, sqe->method},
        {USES_CAP, ARGUMENT_CAP, sqe->cap.raw},
        {USES_SECOND, ARGUMENT_INTERFACE, sqe->interface_id},
        {USES_MESSAGE, ARGUMENT_MESSAGE, sqe->message},
        {USES_MESSAGE_BYTES, ARGUMENT_MESSAGE_BYTES, sqe->message_bytes},
        {USES_RESULT, ARGUMENT_RESULT, sqe->result},
        {USES_RESULT_BYTES, ARGUMENT_RESULT_BYTES, sqe->result_bytes},
        {USES_TRANSFERS, ARGUMENT_TRANSFERS, sqe->transfers},
        {USES_ANSWER, ARGUMENT_ANSWER, sqe->answer},
        {USES_NEVER, ARGUMENT_SPARE, sqe->spare},
    };
    unsigned i = 0;

    while ((wrong & field[i].use) == 0) {
        i++;
        ASSERT(i < ARRAY_COUNT(field));
    }
    return refuse(refusal, TRANSPORT_BAD_FIELD, field[i].argument, field[i].value);
}

/* A path is one step at least, and nothing stands behind its end. */
static bool path_is_valid(const struct answer_path *path)
{
    bool ended = path->step[0] == 0;

    if (ended) {
        return false;
    }
    for (unsigned i = 1; i < PATH_STEPS; i++) {
        if (ended && path->step[i] != 0) {
            return false;
        }
        ended = path->step[i] == 0;
    }
    return true;
}

/* Fields whose value matters beyond zero or not; sizes last, as the pages of docs/abi have it. */
static enum transport_error value_error(const struct sqe *sqe, struct refusal *refusal)
{
    bool placed = sqe->opcode == OPCODE_DUP || sqe->opcode == OPCODE_TRANSFER;

    if ((sqe->flags & SQE_PROMISED) != 0 && sqe->promise.answer == 0) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_ANSWER, 0);
    }
    if ((sqe->flags & SQE_PROMISED) != 0 && !path_is_valid(&sqe->promise.path)) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_PATH, sqe->cap.raw >> 32);
    }
    if ((sqe->flags & SQE_EXACT_SLOT) != 0 && (sqe->flags & SQE_WINDOW) != 0) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_FLAGS, sqe->flags);
    }
    if (placed && (sqe->flags & SQE_EXACT_SLOT) == 0 && sqe->slot != 0) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_SLOT, sqe->slot);
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

enum transport_error sqe_wire_validation_error(const struct sqe *sqe, struct refusal *refusal)
{
    const struct opcode_wire *wire;
    unsigned wrong;

    memset(refusal, 0, sizeof(*refusal));
    if (sqe->opcode >= OPCODE_COUNT || opcode_wire[sqe->opcode].uses == 0) {
        return refuse(refusal, TRANSPORT_BAD_OPCODE, ARGUMENT_OPCODE, sqe->opcode);
    }
    wire = &opcode_wire[sqe->opcode];
    if ((sqe->flags & ~wire->flags) != 0) {
        return refuse(refusal, TRANSPORT_BAD_FIELD, ARGUMENT_FLAGS, sqe->flags);
    }
    wrong = fields_present(sqe) & ~(unsigned)wire->uses;
    return wrong != 0 ? unused_field_error(sqe, wrong, refusal) : value_error(sqe, refusal);
}

unsigned ring_check(const struct ring *ring)
{
    if (ring->sq_head - ring->cq_head > ring->cq_entries ||
        ring->sq_head - ring->cq_tail > ring->cq_entries) {
        return 1;
    }
    return size_is_valid(ring->sq_entries, LIMIT_SQ_ENTRIES_MIN, LIMIT_SQ_ENTRIES) &&
                   size_is_valid(ring->cq_entries, LIMIT_CQ_ENTRIES_MIN, LIMIT_CQ_ENTRIES)
               ? 0
               : 4;
}
