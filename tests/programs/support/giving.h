/* SPDX-License-Identifier: MIT */
/* What programs that hand capabilities to each other share: to use one, give it, and see its holder
 * end well. */
#ifndef TESTS_PROGRAMS_SUPPORT_GIVING_H
#define TESTS_PROGRAMS_SUPPORT_GIVING_H

#include "tests/programs/support/check.h"
#include "user/lib/process.h"

/* A name of at most LIMIT_NAME_BYTES as Cap'n Proto has it; the string stays the caller's. */
struct capn_text giving_text(const char *string);

/* Calls `method` of NullObject through `cap`, which may be an endpoint's: TRANSPORT_OK or why not.
 */
int32_t giving_call(struct rt *rt, struct cap_id cap, uint8_t method);

/* The same of NullObject.nothing with room of its own; an exception is not OK, but its reason. */
int32_t giving_ask(struct rt *rt, struct cap_id cap);

/* Releases a capability that is held. */
void giving_release(struct check *check, struct cap_id cap);

/* A grant of what is held under `name`, as it is held; the child may not pass it on. */
struct process_grant giving_held(struct check *check, const char *name);

/* A grant of `cap` under `name`, which may be passed on; of "console" what programs are given. */
struct process_grant giving_grant(const char *name, struct cap_id cap);

/* Waits for a process that must end with 0, and lets go of it. */
void giving_good_end(struct check *check, struct process_handle handle);

#endif
