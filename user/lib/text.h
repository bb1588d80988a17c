/* SPDX-License-Identifier: MIT */
/*
 * Text for programs: the bounded string functions, the four memory functions and the formatter of
 * core/, which programs themselves do not include.
 */
#ifndef USER_LIB_TEXT_H
#define USER_LIB_TEXT_H

#include "core/format.h"
#include "core/string.h"

#endif
