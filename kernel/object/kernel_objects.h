/* SPDX-License-Identifier: MIT */
/* The kernel objects that exist once and that the manifest grants by name. */
#ifndef KERNEL_OBJECT_KERNEL_OBJECTS_H
#define KERNEL_OBJECT_KERNEL_OBJECTS_H

#include "core/manifest.h"
#include "kernel/object/object.h"

extern struct object capability_manager_object;
extern struct object console_object;
extern struct object boot_package_object;
extern struct object endpoint_factory_object;
extern struct object process_spawner_object;
extern struct object thread_spawner_object;
extern struct object virtual_memory_object;
extern struct object frame_allocator_object;
extern struct object null_object;

/* The object behind a manifest source; NULL: this kernel has none. */
struct object *kernel_object(enum manifest_source source);

#endif
