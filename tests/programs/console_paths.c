/* SPDX-License-Identifier: MIT */
/*
 * Every way to name a buffer wrongly, on the console: each has its defined error and argument, and
 * nothing is printed. Buffers outside the arena are allowed for kernel objects and work.
 */
#include "core/string.h"
#include "schema/generated/console.capnp.h"
#include "schema/generated/exception.capnp.h"
#include "tests/programs/support/check.h"
#include "user/lib/client.h"
#include "user/rt/call.h"

enum {
    MESSAGE_BYTES = 64,
    RESULT_BYTES = 512,
};

#define KERNEL_ADDRESS UINT64_C(0xffffffff80100000)
#define NONCANONICAL   (UINT64_C(1) << 47)

static const uint8_t constant[16] = {1};
static uint8_t *message_memory; /* on main's stack */
static uint8_t *result_memory;

/* Builds write("console-paths: ...\n") at `to` and gives its length. */
static uint32_t message_build(uint8_t *to, uint32_t room)
{
    static const uint8_t text[] = "console_paths: from memory of my own\n";
    struct capn_build_segment segment = {.bytes = to, .capacity_words = room / CAPN_WORD_BYTES};
    struct capn_builder builder;

    capn_builder_init(&builder, &segment, 1);
    console_write_params_set_bytes(console_write_params_init(capn_builder_root(&builder)),
                                   (struct capn_data){text, sizeof(text) - 1});
    return segment.used_words * CAPN_WORD_BYTES;
}

static struct cqe call(struct check *check, uint64_t message, uint32_t bytes, uint64_t result,
                       uint32_t room)
{
    struct sqe entry = {
        .opcode = OPCODE_CALL,
        .method = CONSOLE_METHOD_WRITE,
        .cap = check->rt->console,
        .interface_id = CONSOLE_INTERFACE_ID,
        .message = message,
        .message_bytes = bytes,
        .result = result,
        .result_bytes = room,
    };
    struct cqe completion = {.result = INT32_MIN};

    CHECK_EQUAL(check, rt_ring_do(&check->rt->ring, &entry, &completion), TRANSPORT_OK);
    return completion;
}

static uint64_t address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static void messages_bad(struct check *check)
{
    struct rt *rt = check->rt;
    const uint64_t bad[] = {
        8,                         /* the null page */
        UINT64_C(0x123456789000),  /* nothing is there */
        rt->start->stack_low - 16, /* crosses from the guard page into the stack */
        rt->start->stack_high - 8, /* crosses from the stack into nothing */
        LIMIT_USER_MAX - 8,        /* crosses the end of the user half */
        LIMIT_USER_MAX,
        NONCANONICAL,
        KERNEL_ADDRESS,
        UINT64_MAX - 7, /* wraps */
        UINT64_MAX,
    };

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct cqe completion = call(check, bad[i], 64, address_of(result_memory), RESULT_BYTES);

        CHECK_EQUAL(check, completion.result, TRANSPORT_BAD_BUFFER);
        CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_MESSAGE);
        CHECK_EQUAL(check, completion.refusal.amount, bad[i]);
    }
}

static void results_bad(struct check *check, uint32_t bytes)
{
    struct rt *rt = check->rt;
    const uint64_t bad[] = {
        8,
        UINT64_C(0x123456789000),
        rt->start->stack_low - 16,
        rt->start->stack_high - 8,
        LIMIT_USER_MAX - 8,
        NONCANONICAL,
        KERNEL_ADDRESS,
        UINT64_MAX - 7,
        address_of(constant),  /* read-only */
        address_of(rt->start), /* read-only, the kernel's own page */
        address_of(rt->capset),
        address_of(messages_bad), /* code */
    };

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct cqe completion = call(check, address_of(message_memory), bytes, bad[i], 64);

        CHECK_EQUAL(check, completion.result, TRANSPORT_BAD_BUFFER);
        CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_RESULT);
    }
}

static void sizes_bad(struct check *check, uint32_t bytes)
{
    uint64_t message = address_of(message_memory);
    uint64_t result = address_of(result_memory);
    struct cqe completion = call(check, message, LIMIT_CALL_BYTES + 8, result, RESULT_BYTES);

    CHECK_EQUAL(check, completion.result, TRANSPORT_TOO_LARGE);
    CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_MESSAGE_BYTES);
    CHECK_EQUAL(check, completion.refusal.limit, LIMIT_CALL_BYTES);
    completion = call(check, message, bytes, result, 8);
    CHECK_EQUAL(check, completion.result, TRANSPORT_NO_ROOM);
    CHECK_EQUAL(check, completion.refusal.argument, ARGUMENT_RESULT_BYTES);
    completion = call(check, message, bytes, 0, 0);
    CHECK_EQUAL(check, completion.result, TRANSPORT_NO_ROOM);
}

/* The reason of the exception that the completion carries. */
static int32_t exception_of(const struct cqe *completion)
{
    struct capn_segment segment = {.bytes = result_memory,
                                   .words = (uint64_t)completion->result / CAPN_WORD_BYTES};
    struct capn_reader reader;

    if (completion->result < 0 || (completion->flags & CQE_EXCEPTION) == 0) {
        return completion->result < 0 ? completion->result : 0;
    }
    capn_reader_init(&reader, &segment, 1, CAPN_LIMITS_DEFAULT);
    return cap_exception_get_reason(cap_exception_read(capn_reader_root(&reader)));
}

static void contents_bad(struct check *check)
{
    uint8_t bad[64] ALIGNED(8) = {0};
    struct cqe completion;

    completion = call(check, address_of(bad), 0, address_of(result_memory), RESULT_BYTES);
    CHECK(check, exception_of(&completion) != 0); /* no root at all */
    completion = call(check, address_of(bad), 8, address_of(result_memory), RESULT_BYTES);
    CHECK_EQUAL(check, exception_of(&completion), EXCEPTION_REASON_MISSING_ARGUMENT);
    memset(bad, 0xff, sizeof(bad));
    completion = call(check, address_of(bad), 64, address_of(result_memory), RESULT_BYTES);
    CHECK(check, exception_of(&completion) != 0);
    memset(bad, 0, sizeof(bad));
    bad[0] = 0xfc; /* a struct pointer far beyond the end */
    bad[1] = 0x7f;
    bad[6] = 1;
    completion = call(check, address_of(bad), 64, address_of(result_memory), RESULT_BYTES);
    CHECK(check, exception_of(&completion) != 0);
}

/* What must work: memory of one's own, unaligned too. */
static void memory_own(struct check *check, uint32_t bytes)
{
    uint8_t on_stack[80];
    uint8_t result_on_stack[RESULT_BYTES];
    struct cqe completion;

    memcpy(on_stack + 1, message_memory, bytes);
    completion =
        call(check, address_of(on_stack + 1), bytes, address_of(result_on_stack), RESULT_BYTES);
    CHECK(check, completion.result > 0 && completion.flags == 0);
    completion = call(check, address_of(message_memory), bytes, address_of(result_memory + 8),
                      RESULT_BYTES - 8);
    CHECK(check, completion.result > 0 && completion.flags == 0);
}

/* Bytes of the result buffer beyond the result stay as they were. */
static void result_canary(struct check *check, uint32_t bytes)
{
    struct cqe completion;
    unsigned changed = 0;

    memset(result_memory, 0xc3, RESULT_BYTES);
    completion =
        call(check, address_of(message_memory), bytes, address_of(result_memory), RESULT_BYTES);
    CHECK(check, completion.result > 0);
    for (uint32_t i = (uint32_t)completion.result; i < RESULT_BYTES; i++) {
        changed += result_memory[i] != 0xc3;
    }
    CHECK_EQUAL(check, changed, 0);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};
    uint8_t message[MESSAGE_BYTES] ALIGNED(8);
    uint8_t result[RESULT_BYTES] ALIGNED(8);
    uint32_t bytes = message_build(message, sizeof(message));

    message_memory = message;
    result_memory = result;
    rt->ring.checks = false; /* these buffers are not the client's */
    messages_bad(&check);
    results_bad(&check, bytes);
    sizes_bad(&check, bytes);
    contents_bad(&check);
    memory_own(&check, bytes);
    result_canary(&check, bytes);
    return check_end(&check);
}
