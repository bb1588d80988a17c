/* SPDX-License-Identifier: MIT */
/* Where schema and ABI say the same thing twice, they say the same. */
#include "tests/host/support.h"

#include "abi/capset.h"
#include "abi/ring.h"
#include "kernel/log.h"
#include "schema/generated/authority.capnp.h"
#include "schema/generated/boot.capnp.h"
#include "schema/generated/console.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/exception.capnp.h"
#include "schema/generated/log.capnp.h"
#include "schema/generated/manifest.capnp.h"
#include "schema/generated/memory.capnp.h"
#include "schema/generated/process.capnp.h"
#include "schema/generated/thread.capnp.h"

static void transfer_modes(void **state)
{
    (void)state;
    assert_int_equal((int)AUTHORITY_TRANSFER_MODE_COPY, (int)TRANSFER_COPY);
    assert_int_equal((int)AUTHORITY_TRANSFER_MODE_MOVE, (int)TRANSFER_MOVE);
}

/* A descriptor beside a message carries what a Grant's fields carry; a received one, what EdgeInfo
 * says of an edge: ids and facets of 64 bits. */
static void widths(void **state)
{
    (void)state;
    struct transfer transfer;
    struct received_cap received;
    assert_int_equal(sizeof(transfer.cap), sizeof(uint64_t));
    assert_int_equal(sizeof(received.interface_id), sizeof(CONSOLE_INTERFACE_ID));
    assert_int_equal(sizeof(received.facet), sizeof(CONSOLE_FACET_WRITE));
    assert_int_equal(sizeof(received.badge), sizeof(uint64_t));
    struct capset_entry entry;
    assert_int_equal(sizeof(entry.facet), sizeof(CONSOLE_FACET_WRITE));
    assert_int_equal(sizeof(entry.name), MANIFEST_NAME_BYTES_MAX);
}

/* Where a result has a capability: generated code and submissions say it in as many steps, and a
 * step of a submission is one more than the pointer's index. */
static void paths(void **state)
{
    static const struct capn_path paths[] = {
        PROCESS_SPAWNER_SPAWN_PATH_PROCESS, THREAD_SPAWNER_SPAWN_PATH_THREAD,
        FRAME_ALLOCATOR_ALLOCATE_PATH_OBJECT, ENDPOINT_FACTORY_CREATE_PATH_ENDPOINT,
        ENDPOINT_MINT_PATH_CLIENT};
    struct promise promise;

    (void)state;
    assert_int_equal(CAPN_PATH_MAX, PATH_STEPS);
    assert_int_equal(sizeof(promise.path.step), PATH_STEPS);
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        assert_in_range(paths[i].length, 1, PATH_STEPS);
        for (unsigned step = 0; step < paths[i].length; step++) {
            assert_in_range(paths[i].index[step], 0, UINT8_MAX - 1);
        }
    }
}

static void limits(void **state)
{
    (void)state;
    assert_int_equal(MANIFEST_NAME_BYTES_MAX, LIMIT_NAME_BYTES);
    /* The largest calls and answers of kernel objects fit what dispatch has room for. */
    assert_in_range(CONSOLE_WRITE_MAX, 1, LIMIT_CALL_BYTES - 64);
    assert_in_range(BOOT_PACKAGE_READ_MAX, 1, LIMIT_ANSWER_BYTES - 64);
}

/* An endpoint that is asked for without a word about its limits is one that the system makes, and
 * an export of a manifest is the same one. */
static void endpoint_defaults(void **state)
{
    const struct endpoint_limits_reader endpoint = {0};
    const struct manifest_export_reader exported = {0};

    (void)state;
    assert_in_range(endpoint_limits_get_message_bytes(endpoint), 8, LIMIT_MESSAGE_BYTES);
    assert_int_equal(endpoint_limits_get_message_bytes(endpoint) % 8, 0);
    assert_in_range(endpoint_limits_get_capabilities(endpoint), 1, LIMIT_ENDPOINT_CAPABILITIES);
    assert_in_range(endpoint_limits_get_queue_length(endpoint), 1, LIMIT_ENDPOINT_QUEUE);
    assert_int_equal(endpoint_limits_get_message_bytes(endpoint),
                     manifest_export_get_message_bytes(exported));
    assert_int_equal(endpoint_limits_get_capabilities(endpoint),
                     manifest_export_get_capabilities(exported));
    assert_int_equal(endpoint_limits_get_queue_length(endpoint),
                     manifest_export_get_queue_length(exported));
}

/* The reason of a refusal travels in 16 bits of a completion, in a reader's own and in a call's. */
static void reasons(void **state)
{
    (void)state;
    struct refusal refusal;
    struct capn_refuse_reason reason;
    assert_int_equal(sizeof(refusal.reason), sizeof(uint16_t));
    assert_int_equal(sizeof(reason.reason), sizeof(uint16_t));
    assert_true(EXCEPTION_REASON_COUNT < UINT16_MAX);
    assert_int_equal(EXCEPTION_REASON_NONE, 0);
}

/* The kernel's own levels are those of the schema. */
static void log_levels(void **state)
{
    (void)state;
    assert_int_equal((int)LOG_ERROR, (int)LOG_LEVEL_ERROR);
    assert_int_equal((int)LOG_WARNING, (int)LOG_LEVEL_WARNING);
    assert_int_equal((int)LOG_NOTICE, (int)LOG_LEVEL_NOTICE);
    assert_int_equal((int)LOG_DEBUG, (int)LOG_LEVEL_DEBUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transfer_modes),
        cmocka_unit_test(widths),
        cmocka_unit_test(limits),
        cmocka_unit_test(paths),
        cmocka_unit_test(endpoint_defaults),
        cmocka_unit_test(reasons),
        cmocka_unit_test(log_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
