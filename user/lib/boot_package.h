/* SPDX-License-Identifier: MIT */
/* BootPackage (schema/boot.capnp). */
#ifndef USER_LIB_BOOT_PACKAGE_H
#define USER_LIB_BOOT_PACKAGE_H

#include "user/lib/client.h"

#define BOOT_PACKAGE_INTERFACE_ID UINT64_C(0x99206b79ffaec91e)

struct boot_package {
    struct cap_id cap;
};

enum {
    BOOT_PACKAGE_METHOD_SIZE = 0,
    BOOT_PACKAGE_METHOD_READ = 1,
    BOOT_PACKAGE_CHUNK_BYTES = 2048, /* what this client asks for at a time */
};

/* Length of the module and number of its binaries. */
int32_t boot_package_client_size(struct rt *rt, struct boot_package package, uint64_t *size_bytes,
                                 uint32_t *binaries);

/* Copies `length` bytes from `offset` on, in chunks. TRANSPORT_BAD_MESSAGE: the module is shorter.
 */
int32_t boot_package_client_read(struct rt *rt, struct boot_package package, uint64_t offset,
                                 void *to, uint64_t length);

#endif
