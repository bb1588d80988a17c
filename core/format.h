/* SPDX-License-Identifier: MIT */
/*
 * Formatted text into a bounded buffer, with the part of C's printf that logs and reports need:
 * %d %i %u %x %X %c %s %% with flags - 0 + # and blank, width and precision (also *), and the
 * length modifiers hh h l ll z t j. There is no %p on purpose: kernel addresses are not for
 * printing; a panic report casts and writes %lx. A conversion outside this list appears as it
 * stands and consumes no argument.
 */
#ifndef CORE_FORMAT_H
#define CORE_FORMAT_H

#include <stdarg.h>

#include "abi/compiler.h"

#define FORMAT_FIELD_MAX 1024

/*
 * Writes at most `size` bytes including the final NUL, which is there whenever size is not 0.
 * Returns the length of the whole text without the NUL, like snprintf: a result >= size means it
 * was cut. `buffer` may be NULL when size is 0. A NULL string prints as (null).
 */
size_t format_text(char *buffer, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
size_t format_text_arguments(char *buffer, size_t size, const char *format, va_list arguments)
    PRINTF_LIKE(3, 0);

#endif
