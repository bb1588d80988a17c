/* SPDX-License-Identifier: MIT */
/*
 * The edge of the kernel: every other system call number answers NO_SYSCALL and changes nothing;
 * registers come back as abi/syscall.h says, whatever they held; flags, segments and a stack
 * pointer that points nowhere do not disturb the kernel.
 *
 * covers: cap_enter/BAD_ARGUMENT, exit/BAD_ARGUMENT, exit/NO_SYSCALL
 */
#include "core/string.h"
#include "tests/programs/support/check.h"
#include "tests/programs/syscalls/probe.h"
#include "user/rt/call.h"
#include "user/rt/syscall.h"

enum {
    NUMBERS = 4097,
    RANDOM_NUMBERS = 2000,
    FLAG_ALWAYS = 1 << 1,
    FLAG_CARRY = 1 << 0,
    FLAG_DIRECTION = 1 << 10,
    FLAG_OVERFLOW = 1 << 11,
    FLAG_NESTED = 1 << 14,
    FLAG_ALIGNMENT = 1 << 18,
    FLAG_IDENTIFY = 1 << 21,
    FLAG_INTERRUPT = 1 << 9,
    LONG_SPIN = 20 * 1000 * 1000, /* some timer ticks */
};

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Fills every register but rax with values that would show. */
static void registers_fill(uint64_t number)
{
    uint64_t *word = (uint64_t *)&probe_block.before;

    memset(&probe_block, 0, sizeof(probe_block));
    for (size_t i = 0; i < sizeof(probe_block.before) / sizeof(*word); i++) {
        word[i] = random_next();
    }
    probe_block.before.rax = number;
    probe_block.before.flags = FLAG_ALWAYS;
    probe_block.keep_stack = 1;
    probe_block.spin = 1;
}

/* Whether the registers came back as the ABI says, for a call that answers `result`. */
static bool registers_good(int64_t result)
{
    const struct probe_registers *before = &probe_block.before;
    const struct probe_registers *after = &probe_block.after;
    bool kept = after->rbx == before->rbx && after->rbp == before->rbp &&
                after->rsp == before->rsp && after->r12 == before->r12 &&
                after->r13 == before->r13 && after->r14 == before->r14 && after->r15 == before->r15;
    bool cleared = (after->rdi | after->rsi | after->rdx | after->r8 | after->r9 | after->r10) == 0;

    return kept && cleared && (int64_t)after->rax == result &&
           after->rcx == (uint64_t)(uintptr_t)syscall_probe_return;
}

static void numbers_sweep(struct check *check)
{
    unsigned good = 0;

    for (uint64_t number = 0; number < NUMBERS; number++) {
        if (number == SYSCALL_CAP_ENTER || number == SYSCALL_EXIT) {
            continue;
        }
        registers_fill(number);
        syscall_probe();
        good += registers_good(TRANSPORT_NO_SYSCALL);
    }
    CHECK_EQUAL(check, good, NUMBERS - 2);
    good = 0;
    for (unsigned i = 0; i < RANDOM_NUMBERS; i++) {
        uint64_t number = random_next() | UINT64_C(1) << 32;

        registers_fill(number);
        syscall_probe();
        good += registers_good(TRANSPORT_NO_SYSCALL);
    }
    CHECK_EQUAL(check, good, RANDOM_NUMBERS);
    registers_fill(UINT64_C(0x100000000) | SYSCALL_EXIT);
    syscall_probe();
    CHECK(check, registers_good(TRANSPORT_NO_SYSCALL)); /* the number is all 64 bits */
}

static void arguments_refused(struct check *check)
{
    CHECK_EQUAL(check, rt_syscall_exit(0, 2), TRANSPORT_BAD_ARGUMENT);
    CHECK_EQUAL(check, rt_syscall_exit(0, UINT64_MAX), TRANSPORT_BAD_ARGUMENT);
    CHECK_EQUAL(check, rt_syscall_cap_enter(LIMIT_CQ_ENTRIES + 1, 0), TRANSPORT_BAD_ARGUMENT);
    CHECK_EQUAL(check, rt_syscall_cap_enter(UINT64_MAX, TIMEOUT_NONE), TRANSPORT_BAD_ARGUMENT);
    CHECK_EQUAL(check, rt_syscall_cap_enter(UINT64_C(1) << 32, 0), TRANSPORT_BAD_ARGUMENT);
}

/* The two live calls leave registers as all others do. */
static void live_registers(struct check *check)
{
    registers_fill(SYSCALL_CAP_ENTER);
    probe_block.before.rdi = 0;
    probe_block.before.rsi = 0;
    syscall_probe();
    CHECK(check, registers_good(0));
    registers_fill(SYSCALL_EXIT);
    probe_block.before.rsi = 7;
    syscall_probe();
    CHECK(check, registers_good(TRANSPORT_BAD_ARGUMENT));
    registers_fill(SYSCALL_CAP_ENTER);
    probe_block.before.rdi = 1;
    probe_block.before.rsi = 1000000; /* one millisecond: through the scheduler and back */
    syscall_probe();
    CHECK(check, registers_good(0));
}

/* Flags that would hurt a kernel that kept them: it must survive, and they must come back. */
static void flags_survive(struct check *check)
{
    static const uint64_t flags[] = {FLAG_DIRECTION,
                                     FLAG_ALIGNMENT,
                                     FLAG_NESTED,
                                     FLAG_IDENTIFY,
                                     FLAG_CARRY | FLAG_OVERFLOW,
                                     FLAG_DIRECTION | FLAG_ALIGNMENT | FLAG_NESTED | FLAG_CARRY};

    for (size_t i = 0; i < ARRAY_COUNT(flags); i++) {
        for (uint64_t wait_ns = 0; wait_ns <= 1000000; wait_ns += 1000000) {
            registers_fill(SYSCALL_CAP_ENTER);
            probe_block.before.rdi = 1;
            probe_block.before.rsi = wait_ns;
            probe_block.before.flags = flags[i] | FLAG_ALWAYS;
            probe_block.spin = wait_ns == 0 ? LONG_SPIN : 1;
            syscall_probe();
            CHECK(check, registers_good(0));
            CHECK_EQUAL(check, probe_block.after.flags & flags[i], flags[i]);
            CHECK(check, (probe_block.after.flags & FLAG_INTERRUPT) != 0);
            CHECK_EQUAL(check, probe_block.after.r11 & flags[i], flags[i]);
        }
    }
}

/* One call on the console with a message that is refused, entered with `flags`; its completion. */
static struct cqe call_entered_with(struct check *check, struct rt_buffer buffer, uint64_t flags)
{
    struct sqe entry = {
        .opcode = OPCODE_CALL,
        .cap = check->rt->console,
        .interface_id = rt_find_entry(check->rt, "console")->interface_id,
        .message = (uint64_t)(uintptr_t)buffer.bytes,
        .message_bytes = buffer.size / 2,
        .result = (uint64_t)(uintptr_t)buffer.bytes + buffer.size / 2,
        .result_bytes = buffer.size / 2,
    };
    struct rt_operation operation;
    struct cqe completion = {.result = INT32_MIN};

    CHECK_EQUAL(check, rt_ring_submit(&check->rt->ring, &entry, &operation), 0);
    registers_fill(SYSCALL_CAP_ENTER);
    probe_block.before.rdi = 1;
    probe_block.before.rsi = 0;
    probe_block.before.flags = flags | FLAG_ALWAYS;
    syscall_probe();
    CHECK(check, registers_good(1));
    CHECK_EQUAL(check, rt_ring_enter(&check->rt->ring, 0, 0), 0);
    CHECK(check, rt_ring_poll(&check->rt->ring, operation, &completion));
    return completion;
}

/* The kernel's own copies go the right way whatever direction the program had. */
static void direction_in_a_call(struct check *check)
{
    struct rt_buffer buffer = rt_buffer_alloc(&check->rt->ring, 2048);
    struct cqe plain = call_entered_with(check, buffer, 0);
    struct cqe backward = call_entered_with(check, buffer, FLAG_DIRECTION);

    CHECK_EQUAL(check, backward.result, plain.result);
    CHECK_EQUAL(check, backward.flags, plain.flags);
    CHECK_EQUAL(check, memcmp(&backward.refusal, &plain.refusal, sizeof(plain.refusal)), 0);
    rt_buffer_free(&check->rt->ring, buffer);
}

/* A stack pointer that points nowhere is the program's own affair: calls and interrupts work. */
static void stack_bogus(struct check *check)
{
    static const uint64_t stacks[] = {
        0, 8, UINT64_C(0xffffffff80100000), UINT64_C(1) << 47, UINT64_MAX - 7, LIMIT_USER_MAX};

    for (size_t i = 0; i < ARRAY_COUNT(stacks); i++) {
        registers_fill(SYSCALL_CAP_ENTER);
        probe_block.before.rdi = 1;
        probe_block.before.rsi = 1000000;
        probe_block.before.rsp = stacks[i];
        probe_block.keep_stack = 0;
        probe_block.spin = LONG_SPIN / ARRAY_COUNT(stacks);
        syscall_probe();
        CHECK(check, registers_good(0));
    }
}

/* Null selectors: the kernel's per-CPU base must not be reachable through them. */
static void segments_null(struct check *check)
{
    segments_set(0);
    for (unsigned i = 0; i < 3; i++) {
        registers_fill(SYSCALL_CAP_ENTER);
        probe_block.before.rdi = 1;
        probe_block.before.rsi = 1000000;
        probe_block.spin = LONG_SPIN / 3;
        syscall_probe();
        CHECK(check, registers_good(0));
    }
}

/* Selectors that a program loads are gone after the next change of thread: nobody can read there
 * what another left behind, and a load cannot take the thread pointer away for good. */
static void segments_forgotten(struct check *check)
{
    uint64_t user_data;

    __asm__ volatile("movq %%ss, %0" : "=r"(user_data));
    CHECK_EQUAL(check, segments_get(), 0);
    segments_set(user_data);
    CHECK_EQUAL(check, segments_get(), user_data);
    registers_fill(SYSCALL_CAP_ENTER);
    probe_block.before.rdi = 1;
    probe_block.before.rsi = 1000000; /* through the scheduler and back */
    syscall_probe();
    CHECK(check, registers_good(0));
    CHECK_EQUAL(check, segments_get(), 0);
}

/* The ring still works after all of that, and nothing was posted into it. */
static void ring_untouched(struct check *check)
{
    CHECK_EQUAL(check, rt_nop(&check->rt->ring), 0);
    CHECK_EQUAL(check, check->rt->ring.strays, 0);
}

int main(struct rt *rt)
{
    struct check check = {.rt = rt};

    numbers_sweep(&check);
    arguments_refused(&check);
    live_registers(&check);
    flags_survive(&check);
    direction_in_a_call(&check);
    stack_bogus(&check);
    ring_untouched(&check);
    segments_null(&check);
    segments_forgotten(&check);
    ring_untouched(&check);
    return check_end(&check);
}
