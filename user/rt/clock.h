/* SPDX-License-Identifier: MIT */
/* Deadlines on the cycle counter, without a call of the kernel. */
#ifndef USER_RT_CLOCK_H
#define USER_RT_CLOCK_H

#include "abi/start_info.h"
#include "user/rt/syscall.h"

#define CLOCK_NS_PER_SECOND UINT64_C(1000000000)
#define CLOCK_NEVER         UINT64_MAX

/* `amount` of one unit in another, `from` and `to` units per second; both below 2^33. */
static inline uint64_t clock_convert(uint64_t amount, uint64_t from, uint64_t to)
{
    return amount / from * to + amount % from * to / from;
}

/* Nanoseconds of system time. */
static inline uint64_t clock_now_ns(const struct start_info *start)
{
    return clock_convert(rt_cycle_counter() - start->clock_start, start->clock_hertz,
                         CLOCK_NS_PER_SECOND);
}

/* The cycle at which `timeout_ns` from now is over; CLOCK_NEVER when that lies beyond ten years. */
static inline uint64_t clock_deadline(uint64_t hertz, uint64_t timeout_ns)
{
    if (timeout_ns > CLOCK_NS_PER_SECOND * 3600 * 24 * 3650) {
        return CLOCK_NEVER;
    }
    return rt_cycle_counter() + clock_convert(timeout_ns, CLOCK_NS_PER_SECOND, hertz);
}

/* Nanoseconds until `deadline`; 0: it is over; TIMEOUT_NONE: it never is. */
static inline uint64_t clock_left_ns(uint64_t hertz, uint64_t deadline)
{
    uint64_t now = rt_cycle_counter();

    if (deadline == CLOCK_NEVER) {
        return TIMEOUT_NONE;
    }
    return now >= deadline ? 0 : clock_convert(deadline - now, hertz, CLOCK_NS_PER_SECOND) + 1;
}

#endif
