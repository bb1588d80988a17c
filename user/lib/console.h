/* SPDX-License-Identifier: MIT */
/* Console (schema/console.capnp). */
#ifndef USER_LIB_CONSOLE_H
#define USER_LIB_CONSOLE_H

#include "user/lib/client.h"

#define CONSOLE_INTERFACE_ID UINT64_C(0xd167c2da040eaded)

struct console {
    struct cap_id cap;
};

enum {
    CONSOLE_METHOD_WRITE = 0,
    /* Text in one call: a message to a kernel object less root pointer, parameters and Data. */
    CONSOLE_TEXT_MAX = LIMIT_CALL_BYTES - 4 * 8,
};

/* Writes `length` bytes (at most CONSOLE_TEXT_MAX), whole and not interleaved with others'.
 * TRANSPORT_TOO_LARGE: nothing was written. */
int32_t console_client_write(struct rt *rt, struct console console, const char *text,
                             uint32_t length);

#endif
