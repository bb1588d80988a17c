/* SPDX-License-Identifier: MIT */
/*
 * Who is inside the frame allocator. The caches of frames are each CPU's own and under no lock, so
 * what frames_check says of them is true while no CPU stands in the middle of one of these
 * functions; this file stands in for them and knows.
 */
#include "kernel/arch/host/machine.h"
#include "kernel/mem/frames.h"
#include "sim/hunt/look.h"

static unsigned inside; /* CPUs, each as often as it went in */

void __real_frame_free(paddr_t frame);
void __wrap_frame_free(paddr_t frame);
enum status __real_frame_run_take(unsigned count, uint64_t *from, paddr_t *first);
enum status __wrap_frame_run_take(unsigned count, uint64_t *from, paddr_t *first);
enum status __real_frame_reserve_fill(struct frame_reserve *reserve, unsigned count);
enum status __wrap_frame_reserve_fill(struct frame_reserve *reserve, unsigned count);
void __real_frame_reserve_release(struct frame_reserve *reserve);
void __wrap_frame_reserve_release(struct frame_reserve *reserve);
void __real_frames_cache_drain(void);
void __wrap_frames_cache_drain(void);

void inside_begin(void)
{
    inside++;
}

void inside_end(void)
{
    inside--;
}

bool inside_nobody(void)
{
    return inside == 0;
}

void __wrap_frame_free(paddr_t frame)
{
    inside_begin();
    __real_frame_free(frame);
    inside_end();
}

enum status __wrap_frame_run_take(unsigned count, uint64_t *from, paddr_t *first)
{
    enum status status;

    inside_begin();
    status = __real_frame_run_take(count, from, first);
    inside_end();
    return status;
}

enum status __wrap_frame_reserve_fill(struct frame_reserve *reserve, unsigned count)
{
    enum status status;

    inside_begin();
    status = __real_frame_reserve_fill(reserve, count);
    inside_end();
    return status;
}

void __wrap_frame_reserve_release(struct frame_reserve *reserve)
{
    inside_begin();
    __real_frame_reserve_release(reserve);
    inside_end();
}

void __wrap_frames_cache_drain(void)
{
    inside_begin();
    __real_frames_cache_drain();
    inside_end();
}
