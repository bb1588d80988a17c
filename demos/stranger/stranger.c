/* SPDX-License-Identifier: MIT */
/*
 * A stranger: a program whose CapSet is empty. It knows the names of everything, guesses ids, and
 * tries each opcode on them; it ends with 0 only if every attempt got the defined refusal. It
 * cannot even print; its exit code is all that anybody hears of it.
 */
#include "schema/generated/console.capnp.h"
#include "user/rt/call.h"
#include "user/rt/rt.h"
#include "user/rt/syscall.h"

enum stranger_exit {
    STRANGER_REFUSED_EVERYWHERE = 0,
    STRANGER_HAS_NAMES = 1,  /* the CapSet is not empty */
    STRANGER_FOUND_NAME = 2, /* a lookup succeeded */
    STRANGER_CALLED = 3,     /* a CALL was not refused as BAD_CAP */
    STRANGER_RECEIVED = 4,   /* the same for RECV */
    STRANGER_RETURNED = 5,   /* the same for RETURN */
    STRANGER_RELEASED = 6,   /* the same for RELEASE */
    STRANGER_SYSCALL = 7,    /* another system call did something */
    STRANGER_RING = 8,       /* the ring itself failed */
    GUESSES_PER_ENTER = 32,
    GENERATIONS_TRIED = 3,
    RANDOM_GUESSES = 512,
    SYSCALLS_TRIED = 64,
};

static const char *const names[] = {
    "console",          "boot-package",   "process-spawner",
    "thread-spawner",   "virtual-memory", "frame-allocator",
    "endpoint-factory", "timer",          "null",
    "greeter",          "init",           "",
};

/* What one guess is tried with. */
struct attempt {
    enum opcode opcode;
    uint8_t exit;
};

static const struct attempt attempts[] = {
    {OPCODE_CALL, STRANGER_CALLED},
    {OPCODE_RECV, STRANGER_RECEIVED},
    {OPCODE_RETURN, STRANGER_RETURNED},
    {OPCODE_RELEASE, STRANGER_RELEASED},
};

/* Guesses under way, to be taken in together. */
struct sweep {
    struct rt *rt;
    struct attempt attempt;
    struct rt_buffer buffer; /* of RECV, never written */
    uint32_t count;
    struct rt_operation operation[GUESSES_PER_ENTER];
};

static struct sqe attempt_entry(const struct sweep *sweep, struct cap_id guess)
{
    struct sqe entry = {.opcode = (uint8_t)sweep->attempt.opcode, .cap = guess};

    if (entry.opcode == OPCODE_CALL) {
        entry.interface_id = CONSOLE_INTERFACE_ID;
    }
    if (entry.opcode == OPCODE_RECV) {
        entry.result = (uint64_t)(uintptr_t)sweep->buffer.bytes;
        entry.result_bytes = sweep->buffer.size;
    }
    if (entry.opcode == OPCODE_RETURN) {
        entry.token = guess.raw;
    }
    return entry;
}

/* Takes in what was submitted; whether all of it was refused. */
static bool sweep_collect(struct sweep *sweep)
{
    bool refused = true;

    for (uint32_t i = 0; i < sweep->count; i++) {
        struct cqe completion;
        int32_t status =
            rt_ring_wait(&sweep->rt->ring, sweep->operation[i], TIMEOUT_NONE, &completion);

        refused = refused && status == TRANSPORT_OK && completion.result == TRANSPORT_BAD_CAP &&
                  completion.refusal.argument == ARGUMENT_CAP;
    }
    sweep->count = 0;
    return refused;
}

static bool sweep_guess(struct sweep *sweep, struct cap_id guess)
{
    struct sqe entry = attempt_entry(sweep, guess);

    if (sweep->attempt.opcode == OPCODE_RECV) {
        /* One buffer, one owner: these go one by one. */
        return rt_ring_submit(&sweep->rt->ring, &entry, &sweep->operation[sweep->count++]) ==
                   TRANSPORT_OK &&
               sweep_collect(sweep);
    }
    if (rt_ring_submit(&sweep->rt->ring, &entry, &sweep->operation[sweep->count]) != TRANSPORT_OK) {
        return false;
    }
    sweep->count++;
    return sweep->count < GUESSES_PER_ENTER || sweep_collect(sweep);
}

/* Every slot of a table and some beyond, the first generations of each, and random ids. */
static bool sweep_all(struct sweep *sweep)
{
    uint64_t random = sweep->rt->start->random_seed[0] | 1;

    for (uint32_t slot = 0; slot < LIMIT_TABLE_SLOTS + 8; slot++) {
        for (uint64_t generation = 0; generation < GENERATIONS_TRIED; generation++) {
            if (!sweep_guess(sweep, cap_id_make(slot, generation))) {
                return false;
            }
        }
    }
    for (uint32_t i = 0; i < RANDOM_GUESSES; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (!sweep_guess(sweep, (struct cap_id){.raw = random})) {
            return false;
        }
    }
    return sweep_collect(sweep);
}

static bool names_unknown(const struct rt *rt)
{
    struct cap_id cap;

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (rt_find(rt, names[i], 0, &cap) != TRANSPORT_BAD_CAP) {
            return false;
        }
    }
    return true;
}

static bool syscalls_refused(void)
{
    for (uint64_t number = 0; number < SYSCALLS_TRIED; number++) {
        if (number != SYSCALL_CAP_ENTER && number != SYSCALL_EXIT &&
            rt_syscall_raw(1, 1, number) != TRANSPORT_NO_SYSCALL) {
            return false;
        }
    }
    return true;
}

int main(struct rt *rt)
{
    struct sweep sweep = {.rt = rt};

    if (rt->capset->count != 0) {
        return STRANGER_HAS_NAMES;
    }
    if (!names_unknown(rt)) {
        return STRANGER_FOUND_NAME;
    }
    sweep.buffer = rt_buffer_alloc(&rt->ring, RT_RECEIVE_BYTES(LIMIT_CALL_BYTES));
    if (sweep.buffer.bytes == NULL) {
        return STRANGER_RING;
    }
    for (size_t i = 0; i < ARRAY_COUNT(attempts); i++) {
        sweep.attempt = attempts[i];
        if (!sweep_all(&sweep)) {
            return attempts[i].exit;
        }
    }
    return syscalls_refused() ? STRANGER_REFUSED_EVERYWHERE : STRANGER_SYSCALL;
}
