/* SPDX-License-Identifier: MIT */
/* The boot module: read once by the kernel for init, then by whoever holds BootPackage. */
#ifndef KERNEL_OBJECT_BOOT_PACKAGE_H
#define KERNEL_OBJECT_BOOT_PACKAGE_H

#include "core/manifest.h"

/* Opens and checks the manifest in the module, which stays where it is for ever. On error
 * `manifest->refusal` says why. */
MUST_USE enum manifest_error boot_package_open(const uint8_t *bytes, uint64_t length,
                                               struct manifest *manifest);

/* Binary `index`; false: there is none. */
MUST_USE bool boot_package_binary(uint32_t index, struct manifest_binary *binary);

#endif
