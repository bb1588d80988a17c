/* SPDX-License-Identifier: MIT */
/* The runtime's side of bench/capnp_bench.cc, on generated code as any user has it. */
#include "bench/capnp_bench.h"

#include "capnp_bench.capnp.h"

static uint64_t built_words(const struct capn_builder *builder)
{
    return capn_builder_status(builder) == CAPN_OK ? capn_builder_words(builder) : 0;
}

uint64_t bench_encode_call(struct capn_build_segment *room, uint64_t seed)
{
    struct capn_builder builder;
    capn_builder_init(&builder, room, 1);
    struct capnp_bench_call_builder call = capnp_bench_call_init(capn_builder_root(&builder));
    capnp_bench_call_set_a(call, seed);
    capnp_bench_call_set_b(call, seed + 1);
    capnp_bench_call_set_c(call, (uint32_t)seed + 2);
    capnp_bench_call_set_d(call, (uint32_t)seed + 3);
    capnp_bench_call_set_e(call, (uint16_t)(seed + 4));
    capnp_bench_call_set_f(call, (uint16_t)(seed + 5));
    capnp_bench_call_set_g(call, (uint32_t)seed + 6);
    capnp_bench_call_set_h(call, seed + 7);
    capnp_bench_call_set_name(call, CAPN_TEXT("seven b"));
    return built_words(&builder);
}

uint64_t bench_encode_items(struct capn_build_segment *room, uint64_t seed)
{
    struct capn_builder builder;
    capn_builder_init(&builder, room, 1);
    struct capnp_bench_items_builder root = capnp_bench_items_init(capn_builder_root(&builder));
    struct capnp_bench_item_builder_list list = capnp_bench_items_init_items(root, BENCH_ITEMS);
    for (uint32_t i = 0; i < list.raw.count; i++) {
        struct capnp_bench_item_builder item = capnp_bench_item_list_edit(list, i);
        capnp_bench_item_set_id(item, seed + i);
        capnp_bench_item_set_size(item, (uint32_t)seed ^ i);
        capnp_bench_item_set_kind(item, (uint16_t)i);
    }
    return built_words(&builder);
}

static uint64_t result(const struct capn_reader *reader, uint64_t sum)
{
    return capn_reader_status(reader) == CAPN_OK ? sum : UINT64_MAX;
}

uint64_t bench_decode_call(const struct capn_segment *message)
{
    struct capn_reader reader;
    capn_reader_init(&reader, message, 1, CAPN_LIMITS_DEFAULT);
    struct capnp_bench_call_reader call = capnp_bench_call_read(capn_reader_root(&reader));
    struct capn_text name = capnp_bench_call_get_name(call);
    uint64_t sum = capnp_bench_call_get_a(call) + capnp_bench_call_get_b(call) +
                   capnp_bench_call_get_c(call) + capnp_bench_call_get_d(call) +
                   capnp_bench_call_get_e(call) + capnp_bench_call_get_f(call) +
                   capnp_bench_call_get_g(call) + capnp_bench_call_get_h(call);
    return result(&reader, sum + name.length + (uint8_t)name.bytes[0]);
}

uint64_t bench_decode_items(const struct capn_segment *message)
{
    struct capn_reader reader;
    uint64_t sum = 0;
    capn_reader_init(&reader, message, 1, CAPN_LIMITS_DEFAULT);
    struct capnp_bench_items_reader root = capnp_bench_items_read(capn_reader_root(&reader));
    struct capnp_bench_item_list list = capnp_bench_items_get_items(root);
    for (uint32_t i = 0; i < list.raw.count; i++) {
        struct capnp_bench_item_reader item = capnp_bench_item_list_get(list, i);
        sum += capnp_bench_item_get_id(item) + capnp_bench_item_get_size(item) +
               capnp_bench_item_get_kind(item);
    }
    return result(&reader, sum);
}
