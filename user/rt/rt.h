/* SPDX-License-Identifier: MIT */
/*
 * The runtime of one thread: what it was started with, its ring, and the capabilities it may look
 * up. There is no state outside struct rt, so a program is an ordinary C function of it.
 */
#ifndef USER_RT_RT_H
#define USER_RT_RT_H

#include "abi/capset.h"
#include "abi/start_info.h"
#include "user/rt/rt_ring.h"

/* How a program ends when it cannot even say why: exit codes the runtime uses itself. */
enum {
    RT_EXIT_BAD_START = 120,    /* StartInfo, CapSet or ring are not of this version */
    RT_EXIT_ASSERTION = 121,    /* an assertion of the program or the runtime failed */
    RT_EXIT_OUT_OF_TABLE = 122, /* the program's static limits are too small for its work */
};

struct rt {
    const struct start_info *start;
    const struct capset *capset;
    struct rt_ring ring;
    struct cap_id console; /* where rt_print writes; raw 0: nothing is held */
};

/* Supplied by the program: its first thread. The value returned is the process's exit code. */
int main(struct rt *rt);

/* Checks `start` and takes over its ring. False: this runtime cannot run from it. */
MUST_USE bool rt_init(struct rt *rt, const struct start_info *start);

/* Whether this process was started under `name`. */
MUST_USE bool rt_name_is(const struct rt *rt, const char *name);

/*
 * The capability named `name` if it has this interface (0: any). TRANSPORT_BAD_CAP: no capability
 * has this name; TRANSPORT_WRONG_INTERFACE: it has another interface.
 */
MUST_USE int32_t rt_find(const struct rt *rt, const char *name, uint64_t interface_id,
                         struct cap_id *cap);

/* The CapSet entry named `name`; NULL: there is none. */
const struct capset_entry *rt_find_entry(const struct rt *rt, const char *name);

/* The first CapSet entry with this interface; NULL: there is none. */
const struct capset_entry *rt_find_interface(const struct rt *rt, uint64_t interface_id);

/*
 * Writes text through the console capability, at most RT_PRINT_BYTES; what is longer ends in "...".
 * Without a console nothing happens. Returns the transport status.
 */
enum {
    RT_PRINT_BYTES = 1024,
};
int32_t rt_print(struct rt *rt, const char *format, ...) PRINTF_LIKE(2, 3);

/* Ends the process. */
NORETURN void rt_exit(int code);

/* Ends the calling thread only. */
NORETURN void rt_thread_exit(int code);

/* Lets `ns` pass. */
void rt_sleep(struct rt *rt, uint64_t ns);

/* The name of a transport status, like "BAD_CAP". */
const char *rt_status_name(int32_t status);

#endif
