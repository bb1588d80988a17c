/* SPDX-License-Identifier: MIT */
/* The opcodes on capability tables. */
#include "user/rt/cap.h"

/* Submits, waits, and tells what was refused. */
static int32_t cap_do(struct rt_ring *ring, const struct sqe *entry, struct cqe *completion,
                      struct refusal *refusal)
{
    int32_t status = rt_ring_do(ring, entry, completion);

    if (status != TRANSPORT_OK) {
        *completion = (struct cqe){.result = status};
    }
    if (refusal != NULL) {
        *refusal = (struct refusal){0};
        if (completion->result < 0) {
            *refusal = completion->refusal;
        }
    }
    return completion->result;
}

int32_t rt_duplicate(struct rt_ring *ring, const struct rt_duplicate *request, struct cap_id *cap,
                     struct refusal *refusal)
{
    struct sqe entry = {.opcode = OPCODE_DUP,
                        .flags = request->flags,
                        .cap = request->cap,
                        .facet = request->facet,
                        .slot = request->slot};
    struct cqe completion;
    int32_t result = cap_do(ring, &entry, &completion, refusal);

    cap->raw = result >= 0 ? completion.cap[0].raw : 0;
    return result;
}

int32_t rt_duplicate_same(struct rt_ring *ring, struct cap_id cap, struct cap_id *copy)
{
    struct rt_outcome outcome = rt_ring_do_short(ring, OPCODE_DUP, cap, RT_FACET_SAME);

    copy->raw = LIKELY(outcome.result >= 0) ? outcome.cap.raw : 0;
    return outcome.result;
}

int32_t rt_token(struct rt_ring *ring, uint32_t slot, uint64_t interface_id, struct cap_id *cap)
{
    struct sqe entry = {.opcode = OPCODE_TOKEN, .interface_id = interface_id, .slot = slot};
    struct cqe completion;
    int32_t result = cap_do(ring, &entry, &completion, NULL);

    cap->raw = result >= 0 ? completion.cap[0].raw : 0;
    return result;
}

int32_t rt_transfer(struct rt_ring *ring, const struct rt_transfer *request,
                    struct refusal *refusal)
{
    struct sqe entry = {.opcode = OPCODE_TRANSFER,
                        .flags = request->flags,
                        .cap = request->cap,
                        .target = request->target,
                        .slot = request->slot};
    struct cqe completion;

    return cap_do(ring, &entry, &completion, refusal);
}

int32_t rt_delegate(struct rt_ring *ring, struct cap_id cap, uint64_t facet,
                    struct rt_delegated *delegated, struct refusal *refusal)
{
    struct sqe entry = {.opcode = OPCODE_DELEGATE, .cap = cap, .facet = facet};
    struct cqe completion;
    int32_t result = cap_do(ring, &entry, &completion, refusal);

    *delegated = (struct rt_delegated){{0}, {0}};
    if (result >= 0) {
        *delegated = (struct rt_delegated){completion.cap[0], completion.cap[1]};
    }
    return result;
}

int32_t rt_revoke(struct rt_ring *ring, struct cap_id handle, struct receipt *receipt,
                  struct refusal *refusal)
{
    struct sqe entry = {.opcode = OPCODE_REVOKE, .cap = handle};
    struct cqe completion;
    int32_t result = cap_do(ring, &entry, &completion, refusal);

    if (receipt != NULL) {
        *receipt = (struct receipt){0};
        if (result >= 0) {
            *receipt = completion.receipt;
        }
    }
    return result;
}
