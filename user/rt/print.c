/* SPDX-License-Identifier: MIT */
/* Text to the console the process holds. */
#include "core/format.h"
#include "core/string.h"
#include "user/lib/console.h"
#include "user/rt/rt.h"

static const char print_cut[] = "...\n";

int32_t rt_print(struct rt *rt, const char *format, ...)
{
    char text[RT_PRINT_BYTES];
    va_list arguments;
    size_t length;

    if (rt->console.raw == 0) {
        return TRANSPORT_OK;
    }
    va_start(arguments, format);
    length = format_text_arguments(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length >= sizeof(text)) {
        memcpy(text + sizeof(text) - sizeof(print_cut), print_cut, sizeof(print_cut));
        length = sizeof(text) - 1;
    }
    return console_client_write(rt, (struct console){.cap = rt->console}, text, (uint32_t)length);
}
