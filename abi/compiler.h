/* SPDX-License-Identifier: MIT */
/*
 * The one place for compiler extensions below user/lib: everything else is C11. gcc 12 and clang 14
 * both understand each of these.
 */
#ifndef ABI_COMPILER_H
#define ABI_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE          __attribute__((warn_unused_result))
#define NORETURN          __attribute__((noreturn))
#define PACKED            __attribute__((packed))
#define ALIGNED(bytes)    __attribute__((aligned(bytes)))
#define SECTION(name)     __attribute__((section(name)))
#define USED              __attribute__((used))
#define UNUSED            __attribute__((unused))
#define NOINLINE          __attribute__((noinline))
#define ALWAYS_INLINE     __attribute__((always_inline)) inline
#define COLD              __attribute__((cold))
#define MAY_ALIAS         __attribute__((may_alias))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* `*(result) = a op b`; true when the exact result does not fit (core/checked.h is the readable
 * form). */
#define ADD_OVERFLOWS(a, b, result) __builtin_add_overflow((a), (b), (result))
#define MUL_OVERFLOWS(a, b, result) __builtin_mul_overflow((a), (b), (result))

/* Undefined for 0 (core/bits.h is the checked form). */
#define COUNT_TRAILING_ZEROS_U64(x) __builtin_ctzll(x)
#define COUNT_LEADING_ZEROS_U64(x)  __builtin_clzll(x)

/* The object of type `type` whose member `member` is at `pointer`. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
