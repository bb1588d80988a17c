/* SPDX-License-Identifier: MIT */
/* Touching what is not there, not ours, or not for this use. */
#include "tests/programs/hostile/hostile.h"

enum {
    RETURN_INSTRUCTION = 0xc3,
    NONCANONICAL_SHIFT = 47,
    RECURSION_BYTES = 512,
};

static const uint64_t constant = 1;
static uint8_t data_page[LIMIT_PAGE_BYTES] ALIGNED(LIMIT_PAGE_BYTES);

static NOINLINE void read_at(uint64_t address)
{
    (void)*(const volatile uint64_t *)(uintptr_t)address;
}

static NOINLINE void write_at(uint64_t address)
{
    *(volatile uint64_t *)(uintptr_t)address = 1;
}

static NOINLINE void jump_to(uint64_t address)
{
    ((void (*)(void))(uintptr_t)address)();
}

static void act_kernel_read(struct rt *rt)
{
    (void)rt;
    read_at(KERNEL_ADDRESS);
}

static void act_kernel_write(struct rt *rt)
{
    (void)rt;
    write_at(KERNEL_ADDRESS);
}

static void act_kernel_jump(struct rt *rt)
{
    (void)rt;
    jump_to(KERNEL_ADDRESS);
}

static void act_null_read(struct rt *rt)
{
    (void)rt;
    read_at(rt->start->thread_argument); /* 0, unknown to the compiler */
}

static void act_null_write(struct rt *rt)
{
    write_at(rt->start->thread_argument);
}

static void act_null_jump(struct rt *rt)
{
    jump_to(rt->start->thread_argument);
}

static void act_noncanonical_read(struct rt *rt)
{
    (void)rt;
    read_at(UINT64_C(1) << NONCANONICAL_SHIFT);
}

static void act_noncanonical_jump(struct rt *rt)
{
    (void)rt;
    jump_to(UINT64_C(1) << NONCANONICAL_SHIFT);
}

static void act_last_page(struct rt *rt)
{
    (void)rt;
    read_at(LIMIT_USER_MAX);
}

static void act_rodata_write(struct rt *rt)
{
    (void)rt;
    write_at((uint64_t)(uintptr_t)&constant);
}

static void act_text_write(struct rt *rt)
{
    (void)rt;
    write_at((uint64_t)(uintptr_t)act_kernel_write);
}

static void act_start_info_write(struct rt *rt)
{
    write_at((uint64_t)(uintptr_t)rt->start);
}

static void act_capset_write(struct rt *rt)
{
    write_at((uint64_t)(uintptr_t)rt->capset);
}

static void act_data_execute(struct rt *rt)
{
    (void)rt;
    data_page[0] = RETURN_INSTRUCTION;
    jump_to((uint64_t)(uintptr_t)data_page);
}

static void act_stack_execute(struct rt *rt)
{
    volatile uint8_t code[16] = {RETURN_INSTRUCTION};

    (void)rt;
    jump_to((uint64_t)(uintptr_t)code);
}

static void act_arena_execute(struct rt *rt)
{
    struct rt_buffer buffer = rt_buffer_alloc(&rt->ring, 16);

    buffer.bytes[0] = RETURN_INSTRUCTION;
    jump_to((uint64_t)(uintptr_t)buffer.bytes);
}

static void act_stack_above(struct rt *rt)
{
    write_at(rt->start->stack_high);
}

/* Uses up the stack in small steps, so that the guard page is what it meets. */
static NOINLINE uint64_t deeper(uint64_t levels)
{
    volatile uint8_t block[RECURSION_BYTES];

    block[levels % RECURSION_BYTES] = 1;
    return levels == 0 ? 0 : deeper(levels - 1) + block[0];
}

static void act_stack_overflow(struct rt *rt)
{
    (void)rt;
    (void)deeper(LIMIT_STACK_BYTES / RECURSION_BYTES + 1);
}

const struct act memory_acts[] = {
    {"kernel-read", act_kernel_read},
    {"kernel-write", act_kernel_write},
    {"kernel-jump", act_kernel_jump},
    {"null-read", act_null_read},
    {"null-write", act_null_write},
    {"null-jump", act_null_jump},
    {"noncanonical-read", act_noncanonical_read},
    {"noncanonical-jump", act_noncanonical_jump},
    {"last-page", act_last_page},
    {"rodata-write", act_rodata_write},
    {"text-write", act_text_write},
    {"start-info-write", act_start_info_write},
    {"capset-write", act_capset_write},
    {"data-execute", act_data_execute},
    {"stack-execute", act_stack_execute},
    {"arena-execute", act_arena_execute},
    {"stack-above", act_stack_above},
    {"stack-overflow", act_stack_overflow},
    {NULL, NULL},
};
