/* SPDX-License-Identifier: MIT */
/* Which kernel object a manifest's source names. */
#include "kernel/object/kernel_objects.h"

struct object *kernel_object(enum manifest_source source)
{
    static struct object *const objects[MANIFEST_SOURCE_COUNT] = {
        [MANIFEST_SOURCE_CONSOLE] = &console_object,
        [MANIFEST_SOURCE_BOOT_PACKAGE] = &boot_package_object,
        [MANIFEST_SOURCE_ENDPOINT_FACTORY] = &endpoint_factory_object,
        [MANIFEST_SOURCE_PROCESS_SPAWNER] = &process_spawner_object,
        [MANIFEST_SOURCE_THREAD_SPAWNER] = &thread_spawner_object,
        [MANIFEST_SOURCE_FRAME_ALLOCATOR] = &frame_allocator_object,
        [MANIFEST_SOURCE_VIRTUAL_MEMORY] = &virtual_memory_object,
        [MANIFEST_SOURCE_CAPABILITY_MANAGER] = &capability_manager_object,
        [MANIFEST_SOURCE_NULL_OBJECT] = &null_object,
    };

    return objects[source];
}
