/* SPDX-License-Identifier: MIT */
/* BootPackage: the boot module in chunks. */
#ifndef USER_LIB_BOOT_PACKAGE_H
#define USER_LIB_BOOT_PACKAGE_H

#include "schema/generated/boot.capnp.h"
#include "user/lib/client.h"

struct boot_package {
    struct cap_id cap;
};

/* Length of the module and number of its binaries. */
int32_t boot_package_client_size(struct rt *rt, struct boot_package package, uint64_t *size_bytes,
                                 uint32_t *binaries);

/* Copies `length` bytes from `offset` on. TRANSPORT_BAD_MESSAGE: the module is shorter. */
int32_t boot_package_client_read(struct rt *rt, struct boot_package package, uint64_t offset,
                                 void *to, uint64_t length);

#endif
