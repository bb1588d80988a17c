/* SPDX-License-Identifier: MIT */
/* BootPackage: the boot module in chunks. Its binaries are listed once, at boot, so that spawning
 * needs no decoding afterwards. */
#include "kernel/object/boot_package.h"

#include "kernel/dispatch/call.h"
#include "kernel/object/kernel_objects.h"
#include "schema/generated/boot.capnp.h"
#include "schema/generated/exception.capnp.h"

enum {
    BOOT_PACKAGE_CHUNK_MAX = 32768,
};

static const uint8_t *module_bytes;
static uint64_t module_length;
static uint32_t binary_count;
static struct manifest_binary binaries[MANIFEST_BINARIES_MAX];

enum manifest_error boot_package_open(const uint8_t *bytes, uint64_t length,
                                      struct manifest *manifest)
{
    enum manifest_error error = manifest_open(bytes, length, manifest);

    if (error == MANIFEST_OK) {
        module_bytes = bytes;
        module_length = length;
        binary_count = manifest->binary_count;
        for (uint32_t i = 0; i < binary_count; i++) {
            manifest_binary_get(manifest, i, &binaries[i]);
        }
    }
    return error;
}

bool boot_package_binary(uint32_t index, struct manifest_binary *binary)
{
    if (index >= binary_count) {
        return false;
    }
    *binary = binaries[index];
    return true;
}

static enum capn_dispatch package_size(void *object, struct capn_request *request,
                                       struct boot_package_size_params_reader params,
                                       struct boot_package_size_results_builder results)
{
    (void)object;
    (void)request;
    (void)params;
    boot_package_size_results_set_size_bytes(results, module_length);
    boot_package_size_results_set_binaries(results, binary_count);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch package_read(void *object, struct capn_request *request,
                                       struct boot_package_read_params_reader params,
                                       struct boot_package_read_results_builder results)
{
    uint64_t offset = boot_package_read_params_get_offset(params);
    uint64_t bytes = boot_package_read_params_get_max_bytes(params);

    (void)object;
    if (offset > module_length) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, module_length, offset);
    }
    if (bytes == 0 || bytes > BOOT_PACKAGE_CHUNK_MAX) {
        return call_refuse(request, EXCEPTION_REASON_OUT_OF_RANGE, BOOT_PACKAGE_CHUNK_MAX, bytes);
    }
    if (bytes > module_length - offset) {
        bytes = module_length - offset;
    }
    boot_package_read_results_set_bytes(results, (struct capn_data){module_bytes + offset, bytes});
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch package_call(struct object *object, struct capn_request *request)
{
    static const struct boot_package_server server = {.size = package_size, .read = package_read};

    return boot_package_dispatch(&server, object, request);
}

static const struct object_type boot_package_type = {.name = "boot package", .call = package_call};

struct object boot_package_object = OBJECT_STATIC(&boot_package_type);
