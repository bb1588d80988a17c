/* SPDX-License-Identifier: MIT */
/*
 * The whole dispatcher, with several processes, on the host kernel. An input is a program of moves
 * (dispatch/acts.c) of whoever is current: submissions of every opcode, valid, spoilt in one field
 * or any bytes; calls on kernel objects; entries, time, exits, faults, scribbled rings, memory that
 * runs out. dispatch/rig.c plays the programs and goes back to the same machine before each input.
 *
 * Checked: the answer to each submission (dispatch/play.c); after each move every structure and the
 * law of the ledgers (dispatch/look.c); at the end init exits, and the kernel's own census of
 * frames and ledgers must balance.
 *
 * The beginning: init and three children. E is init's endpoint, F the first child's; all have
 * clients' edges of both, a memory object, and one edge that init can revoke.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/dispatch/acts.h"
#include "fuzz/dispatch/look.h"
#include "schema/generated/capability.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/memory.capnp.h"
#include "schema/generated/process.capnp.h"

enum {
    MOVES_MAX = 96,
    BYTES_MAX = 1024,
    THOROUGH_EVERY = 16,
    TURNS_EACH = 32,   /* until a program leaves by itself */
    TURNS_MAX = 10000, /* until the machine must have ended */
};

/* The manifest, as the build made it (mk/fuzz.mk). */
extern const uint8_t dispatch_manifest[];
extern const uint8_t dispatch_manifest_end[];

static uint64_t first_of(uint64_t interface_id)
{
    uint64_t id = 0;

    if (look_ids(rig_thread()->process, interface_id, &id, 1) == 0) {
        look_complain("init lacks a grant", interface_id, 0);
    }
    return id;
}

static uint64_t delegated(uint64_t id)
{
    struct sqe sqe = {.opcode = OPCODE_DELEGATE, .cap = {id}, .facet = UINT64_MAX};
    uint64_t name = play_submit(&sqe, NULL);
    struct cqe cqe;

    play_enter(0, 0);
    if (!play_is_done(name, &cqe) || cqe.result != 0) {
        look_complain("the beginning cannot delegate", id, (uint64_t)cqe.result);
    }
    return cqe.cap[0].raw;
}

static uint64_t made(enum word_name name, uint64_t of)
{
    (void)act_call(name, of, NULL);
    return act_received();
}

static void begin(void)
{
    uint64_t factory = first_of(ENDPOINT_FACTORY_INTERFACE_ID);
    uint64_t spawner = first_of(PROCESS_SPAWNER_INTERFACE_ID);
    uint64_t e = made(WORD_CREATE, factory);
    uint64_t f = made(WORD_CREATE, factory);
    uint64_t client = made(WORD_MINT, e);
    uint64_t grants[WORD_GRANTS] = {
        client,
        made(WORD_MINT_BADGE, f),
        made(WORD_ALLOCATE, first_of(FRAME_ALLOCATOR_INTERFACE_ID)),
        delegated(client),
        factory,
        first_of(VIRTUAL_MEMORY_INTERFACE_ID),
    };

    (void)act_call(WORD_SPAWN_GRANTS, spawner, grants);
    grants[4] = spawner;
    grants[5] = first_of(CAPABILITY_MANAGER_INTERFACE_ID);
    (void)act_call(WORD_SPAWN_GRANTS, spawner, grants);
    (void)act_call(WORD_SPAWN_GRANTS, spawner, grants);
}

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count;
    (void)arguments;
    rig_boot(dispatch_manifest, (size_t)(dispatch_manifest_end - dispatch_manifest));
    if (rig_turn() != RIG_PROGRAM) {
        look_complain("the machine does not boot", rig_turn(), 0);
    }
    begin();
    look_at_all(true);
    rig_keep();
    return 0;
}

static void words_judge(void)
{
    if (strstr(rig_console(), "panic") != NULL) {
        look_complain("the kernel panicked", 0, 0);
    }
    if (strstr(rig_console(), "leaked") != NULL || strstr(rig_console(), "charged in") != NULL) {
        look_complain("something was not given back", 0, 0);
    }
}

/* Init exits, and the machine with it; what the kernel says of itself then. */
static void end(void)
{
    rig_starve(0, 0);
    play_lazy(false);
    if (rig_turn() != RIG_ENDED) {
        rig_end_init();
    }
    /* The others wait until they are killed; those whose rings cannot wait leave by themselves. */
    for (unsigned i = 1; i < TURNS_MAX && rig_turn() == RIG_PROGRAM; i++) {
        if (i % TURNS_EACH == 0) {
            rig_syscall(SYSCALL_EXIT, 0, EXIT_PROCESS);
        } else {
            play_enter(1, TIMEOUT_NONE);
        }
    }
    if (rig_turn() != RIG_ENDED) {
        look_complain("the machine does not end", rig_turn(), 0);
    }
    words_judge();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dice dice = {data, size < BYTES_MAX ? size : BYTES_MAX};

    rig_reset();
    play_reset();
    act_reset();
    for (unsigned i = 0; i < MOVES_MAX && dice.left > 0 && rig_turn() == RIG_PROGRAM; i++) {
        act_next(&dice);
        if (rig_turn() != RIG_ENDED) {
            look_at_all(i % THOROUGH_EVERY == THOROUGH_EVERY - 1);
        }
    }
    end();
    return 0;
}
