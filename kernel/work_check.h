/* SPDX-License-Identifier: MIT */
/*
 * What one piece of kernel work may do. A piece is what happens between two moments at which
 * interrupts may come in (kernel/irq_probe.h: a system call's stretch, an interrupt, one step of a
 * job). Debug kernels, the simulator among them, assert two things about each
 * (kernel/debug/work_check.c); release kernels nothing.
 *
 * Memory. Dispatch allocates nothing: what a submission needs was reserved when its ring, endpoint
 * or table was made. A frame or object may be taken from the kernel's memory only between
 * memory_permit_begin and memory_permit_end, for these reasons and no other:
 *
 *   booting            until the first program is started
 *   a method           a kernel object is called by a method whose answer is something new: those
 *                      of object_type.gives and object_type.makes
 *   a table            a capability table grows by a page inside its quota (process_slots_reserve,
 *                      and DUP, TRANSFER, DELEGATE into the caller's or the child's table)
 *   a delegation       DELEGATE makes the node and the object behind its handle
 *   a page             READ, WRITE and PARK of a memory object make a page that nobody has touched
 *   building           one step of a job that builds a process, a thread or a mapping
 *
 * So NOP, RETURN, RELEASE, REVOKE, TOKEN, FINISH, CANCEL, WATCH, PARK at a word of the caller's
 * own, UNPARK, the methods of kernel objects that make nothing, every cancellation, every step of a
 * revoke and every teardown allocate nothing; CALL and RECV at an endpoint nothing but the page of
 * the table that their slots may need.
 *
 * Work. A piece takes at most WORK_LOCKS_MAX locks and WORK_ALLOCATIONS_MAX frames and objects.
 */
#ifndef KERNEL_WORK_CHECK_H
#define KERNEL_WORK_CHECK_H

#include "kernel/cpu.h"

enum {
    WORK_LOCKS_MAX = 1024,
    WORK_ALLOCATIONS_MAX = 64,
};

#include "work_check_hooks.h" /* kernel/<variant>/ */

#endif
