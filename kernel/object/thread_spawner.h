/* SPDX-License-Identifier: MIT */
/* ThreadSpawner's cache. */
#ifndef KERNEL_OBJECT_THREAD_SPAWNER_H
#define KERNEL_OBJECT_THREAD_SPAWNER_H

void thread_spawner_init(void);

#endif
