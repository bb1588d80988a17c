/* SPDX-License-Identifier: MIT */
/*
 * A server may give its clients edges of any interface, those of the kernel's own objects included:
 * that is how one stands in for another. Where the kernel itself takes such an edge as its object,
 * it must look at the object and not at the interface that the edge claims. Needs "virtual-memory"
 * and "endpoint-factory".
 */
#include "schema/generated/capability.capnp.h"
#include "schema/generated/exception.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/endpoint.h"
#include "user/lib/memory.h"

enum {
    BADGE = 5,
};

static struct cap_id forge(struct check *check, struct endpoint_owner owner, uint64_t interface_id,
                           uint64_t badge)
{
    const struct endpoint_session session = {.interface_id = interface_id,
                                             .facet = MANIFEST_FACET_ALL,
                                             .badge = badge,
                                             .mode = AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE};
    struct cap_id cap = {.raw = 0};

    CHECK_EQUAL(check, endpoint_client_mint(check->rt, owner, &session, &cap), TRANSPORT_OK);
    return cap;
}

static int32_t result_of(struct check *check, const struct sqe *entry)
{
    struct cqe completion = {.result = INT32_MIN};

    CHECK_EQUAL(check, rt_ring_do(&check->rt->ring, entry, &completion), TRANSPORT_OK);
    return completion.result;
}

/* Forged edges of every kind, with a badge or without: the object differs. */
static void forged(struct check *check, struct endpoint_owner owner, uint64_t badge)
{
    struct virtual_memory memory = {.cap = check_held(check, "virtual-memory")};
    struct cap_id process = forge(check, owner, PROCESS_HANDLE_INTERFACE_ID, badge);
    struct cap_id delegation =
        forge(check, owner, CAPABILITY_DELEGATION_INTERFACE_ID, badge == 0 ? 0 : badge + 1);
    struct memory_part part = {
        .object = {forge(check, owner, MEMORY_OBJECT_INTERFACE_ID, badge == 0 ? 0 : badge + 2)}};
    struct memory_range range = {.address = 0, .bytes = LIMIT_PAGE_BYTES};

    CHECK_EQUAL(check, result_of(check, &(struct sqe){.opcode = OPCODE_REVOKE, .cap = delegation}),
                TRANSPORT_WRONG_INTERFACE);
    CHECK_EQUAL(
        check,
        result_of(check,
                  &(struct sqe){.opcode = OPCODE_TRANSFER, .cap = delegation, .target = process}),
        TRANSPORT_WRONG_INTERFACE);
    CHECK_EQUAL(
        check,
        memory_client_map_object(check->rt, memory, part, MEMORY_PROTECTION_READ_WRITE, &range),
        EXCEPTION_REASON_WRONG_INTERFACE);
    CHECK(check,
          result_of(check, &(struct sqe){
                               .opcode = OPCODE_UNPARK, .cap = part.object.cap, .value = 1}) < 0);
    CHECK_EQUAL(check, result_of(check, &(struct sqe){.opcode = OPCODE_RECV, .cap = process}),
                TRANSPORT_WRONG_INTERFACE);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    struct endpoint_factory factory = {.cap = check_held(&check, "endpoint-factory")};
    const struct manifest_export limits = {.message_bytes = 64, .queue_length = 4};
    struct endpoint_owner owner;

    CHECK_EQUAL(&check, endpoint_client_create(rt, factory, &limits, &owner), TRANSPORT_OK);
    forged(&check, owner, 0);
    forged(&check, owner, BADGE);
    return check_end(&check);
}
