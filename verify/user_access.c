/* SPDX-License-Identifier: MIT */
/*
 * User memory: no byte is copied but from or to pages that the tables permit, all of them in the
 * user half; and what is copied is the whole range, once, in order.
 *
 * The tables are a model: of the pages from any page on, each is absent, read-only or writable. Any
 * address and length, any of both directions; another CPU may take any page away at any time after
 * the check, so that a copy may fail at any page.
 *
 * bound: ranges of 12 KiB, and those that are refused as too large
 * cbmc: kernel/mem/user_access.c
 * options: -I verify/shim -I kernel/arch/host -I kernel/release --unwind 6
 * prove: prove_range prove_copy
 * quick: prove_range
 * twin: prove_range | kernel/mem/user_access.c
 *     | if (address < LIMIT_USER_MIN || !range_fits
 *     | if (!range_fits
 * twin: prove_range | core/checked.h
 *     | return start <= limit && length <= limit - start;
 *     | return start + length <= limit;
 * twin: prove_copy | kernel/mem/user_access.c
 *     | (mapping.flags & need) == need;
 *     | true;
 * twin: prove_copy | kernel/mem/user_access.c
 *     | return user_range_permitted(vspace, range, write) ? STATUS_OK : STATUS_FAULT;
 *     | return STATUS_OK;
 * twin: prove_copy | kernel/mem/user_access.c
 *     | size_t rest = FRAME_BYTES - (size_t)(address % FRAME_BYTES);
 *     | size_t rest = FRAME_BYTES;
 */
#include "verify/prover.h"

#include "kernel/mem/user_access.c"

void prove_range(void);
void prove_copy(void);

enum {
    BYTES = 3 * FRAME_BYTES,
    PAGES = BYTES / FRAME_BYTES + 1,
};

static struct {
    vaddr_t base; /* the first page */
    bool present[PAGES];
    bool writable[PAGES];
} tables;

/* The copy under way. */
static struct {
    struct user_range range;
    bool write;
    const uint8_t *buffer;
    size_t done;
    bool failed;
} copy;

static struct vspace space;
static struct cpu this_cpu;
static uint8_t buffer[USER_COPY_BYTES_MAX];

/* Whether the byte at an address may be touched, by the model alone. */
static bool byte_permitted(vaddr_t address, bool write)
{
    uint64_t page = address / FRAME_BYTES - tables.base / FRAME_BYTES;

    return address >= LIMIT_USER_MIN && address < LIMIT_USER_MAX && page < PAGES &&
           tables.present[page] && (!write || tables.writable[page]);
}

bool arch_vspace_query(const struct arch_vspace *vspace, vaddr_t address,
                       struct arch_mapping *mapping)
{
    __CPROVER_assert(vspace == &space.arch, "the space's own tables");
    mapping->frame = nondet_u64();
    mapping->flags = byte_permitted(address, true) ? ARCH_PAGE_WRITE : 0;
    return byte_permitted(address, false);
}

/* One piece of a copy, in either direction. */
static bool piece_copied(vaddr_t address, const void *kernel, size_t bytes, bool write)
{
    __CPROVER_assert(write == copy.write && !copy.failed, "the way that was asked for");
    __CPROVER_assert(address == copy.range.address + copy.done, "in order");
    __CPROVER_assert(kernel == copy.buffer + copy.done, "to its place");
    __CPROVER_assert(bytes > 0 && bytes <= copy.range.bytes - copy.done, "not beyond the range");
    __CPROVER_assert(address / FRAME_BYTES == (address + bytes - 1) / FRAME_BYTES, "of one page");
    __CPROVER_assert(byte_permitted(address, write), "that was permitted");
    copy.failed = nondet_bool();
    copy.done += copy.failed ? 0 : bytes;
    return !copy.failed;
}

bool arch_copy_from_user(void *to, vaddr_t from, size_t bytes)
{
    return piece_copied(from, to, bytes, false);
}

bool arch_copy_to_user(vaddr_t to, const void *from, size_t bytes)
{
    return piece_copied(to, from, bytes, true);
}

struct cpu *arch_cpu_this(void)
{
    return &this_cpu;
}

void arch_lock_point(void)
{
}

void user_copy_rendezvous(struct vspace *vspace, vaddr_t address)
{
    (void)vspace;
    (void)address;
}

void user_copy_rendezvous_end(struct vspace *vspace, enum status status)
{
    (void)vspace;
    (void)status;
}

/* The one constructor, against sums that cannot wrap. */
void prove_range(void)
{
    vaddr_t address = nondet_u64();
    uint64_t bytes = nondet_u64();
    struct user_range range;
    bool inside = address >= LIMIT_USER_MIN &&
                  (unsigned __int128)address + bytes <= (unsigned __int128)LIMIT_USER_MAX;

    __CPROVER_assert(user_range_make(address, bytes, &range) == inside, "exactly the user half");
    __CPROVER_assert(!inside || (range.address == address && range.bytes == bytes), "as asked");
}

void prove_copy(void)
{
    enum status status;
    bool permitted;
    size_t at;

    tables.base = nondet_u64() & ~(uint64_t)(FRAME_BYTES - 1);
    for (unsigned i = 0; i < PAGES; i++) {
        tables.present[i] = nondet_bool();
        tables.writable[i] = nondet_bool();
    }
    __CPROVER_assume(user_range_make(nondet_u64(), nondet_u64(), &copy.range));
    __CPROVER_assume(copy.range.address / FRAME_BYTES == tables.base / FRAME_BYTES);
    __CPROVER_assume(copy.range.bytes <= BYTES || copy.range.bytes > USER_COPY_BYTES_MAX);
    copy.write = nondet_bool();
    copy.buffer = buffer;
    this_cpu.vspace = &space;
    permitted = true;
    for (unsigned i = 0; i < PAGES; i++) {
        vaddr_t page = tables.base + i * FRAME_BYTES;

        if (page < copy.range.address + copy.range.bytes && copy.range.bytes != 0) {
            permitted = permitted && tables.present[i] && (!copy.write || tables.writable[i]);
        }
    }
    status = copy.write ? user_copy_out(&space, copy.range, buffer)
                        : user_copy_in(&space, buffer, copy.range);
    at = copy.done;
    __CPROVER_assert((status == STATUS_TOO_LARGE) == (copy.range.bytes > USER_COPY_BYTES_MAX),
                     "too large");
    __CPROVER_assert(status != STATUS_OK || at == copy.range.bytes, "the whole range");
    __CPROVER_assert(status == STATUS_OK || status == STATUS_TOO_LARGE || copy.failed || !permitted,
                     "refused for a reason");
    __CPROVER_assert(status == STATUS_OK || copy.failed || at == 0, "nothing before the check");
}
