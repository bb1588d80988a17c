/* SPDX-License-Identifier: MIT */
/* Checks of test programs. */
#include "tests/programs/support/check.h"

bool check_note(struct check *check, bool good, const char *expression, unsigned line)
{
    if (good) {
        check->passed++;
    } else {
        check->failed++;
        (void)rt_print(check->rt, "%.32s: FAILED at line %u: %s\n", check->rt->start->process_name,
                       line, expression);
    }
    return good;
}

bool check_numbers(struct check *check, int64_t found, int64_t expected, unsigned line)
{
    if (found == expected) {
        check->passed++;
        return true;
    }
    check->failed++;
    (void)rt_print(check->rt, "%.32s: FAILED at line %u: %lld (%s), expected %lld (%s)\n",
                   check->rt->start->process_name, line, (long long)found,
                   rt_status_name((int32_t)found), (long long)expected,
                   rt_status_name((int32_t)expected));
    return false;
}

int check_end(const struct check *check)
{
    (void)rt_print(check->rt, "%.32s: %u checks passed, %u failed\n",
                   check->rt->start->process_name, check->passed, check->failed);
    return check->failed == 0 && check->passed != 0 ? 0 : 1;
}
