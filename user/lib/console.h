/* SPDX-License-Identifier: MIT */
/* Console in one line. */
#ifndef USER_LIB_CONSOLE_H
#define USER_LIB_CONSOLE_H

#include "schema/generated/console.capnp.h"
#include "user/lib/client.h"

struct console {
    struct cap_id cap;
};

enum {
    CONSOLE_TEXT_MAX = 4096, /* bytes of one write (schema/console.capnp) */
};

/* Writes `length` bytes, whole and not interleaved with others'. TRANSPORT_TOO_LARGE: more than
 * CONSOLE_TEXT_MAX, nothing was written. */
int32_t console_client_write(struct rt *rt, struct console console, const char *text,
                             uint32_t length);

#endif
