/* SPDX-License-Identifier: MIT */
/* Weak references to AddressSanitizer's interface (sanitizer/common_interface_defs.h of gcc). */
#include "kernel/arch/host/sanitizer.h"

void __sanitizer_start_switch_fiber(void **kept, const void *bottom, size_t size)
    __attribute__((weak));
void __sanitizer_finish_switch_fiber(void *kept, const void **bottom_old, size_t *size_old)
    __attribute__((weak));

/* The stack that the first switch of the process left. */
static const void *main_bottom;
static size_t main_size;

void sanitizer_switch_begin(void **kept, const uint8_t *low, const uint8_t *top)
{
    if (__sanitizer_start_switch_fiber != NULL) {
        __sanitizer_start_switch_fiber(kept, low, (size_t)(top - low));
    }
}

void sanitizer_switch_end(void *kept)
{
    const void *bottom;
    size_t size;

    if (__sanitizer_finish_switch_fiber == NULL) {
        return;
    }
    __sanitizer_finish_switch_fiber(kept, &bottom, &size);
    if (main_bottom == NULL) {
        main_bottom = bottom;
        main_size = size;
    }
}

void sanitizer_leave_main(void)
{
    if (__sanitizer_start_switch_fiber != NULL) {
        __sanitizer_start_switch_fiber(NULL, main_bottom, main_size);
    }
}
