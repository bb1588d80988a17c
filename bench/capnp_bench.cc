// SPDX-License-Identifier: MIT
//
// The runtime against the C++ library: a call of 64 bytes and a list of 1,000 elements, built and
// read with every field, both generated and -O2, the C++ side in a reused scratch segment (which it
// clears after use, as it must). One run measures both in turn and prints ratios of the shortest
// rounds, runtime / C++ library, so that a busy machine harms both alike.
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <capnp/message.h>

#include "capnp_bench.capnp.h"

extern "C" {
#include "bench/capnp_bench.h"
}

namespace
{

constexpr size_t scratch_words = 4096;
constexpr unsigned rounds = 60;

capnp::word scratch[scratch_words];
uint64_t room_words[scratch_words];

// A message as both libraries take it.
struct Message {
    uint64_t words[scratch_words];
    size_t count;
};

uint64_t now_ns()
{
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return uint64_t(time.tv_sec) * 1000000000u + uint64_t(time.tv_nsec);
}

// The words built; the scratch segment is zeroes again when the builder goes.
uint64_t finish(capnp::MallocMessageBuilder &builder, Message *copy)
{
    auto segment = builder.getSegmentsForOutput()[0];
    if (copy != nullptr) {
        copy->count = segment.size();
        memcpy(copy->words, segment.begin(), segment.size() * 8);
    }
    return segment.size();
}

uint64_t cpp_encode_call(uint64_t seed, Message *copy = nullptr)
{
    capnp::MallocMessageBuilder builder(kj::arrayPtr(scratch, scratch_words));
    auto call = builder.initRoot<Call>();
    call.setA(seed);
    call.setB(seed + 1);
    call.setC(uint32_t(seed) + 2);
    call.setD(uint32_t(seed) + 3);
    call.setE(uint16_t(seed + 4));
    call.setF(uint16_t(seed + 5));
    call.setG(uint32_t(seed) + 6);
    call.setH(seed + 7);
    call.setName(capnp::Text::Reader("seven b", 7));
    return finish(builder, copy);
}

uint64_t cpp_encode_items(uint64_t seed, Message *copy = nullptr)
{
    capnp::MallocMessageBuilder builder(kj::arrayPtr(scratch, scratch_words));
    auto list = builder.initRoot<Items>().initItems(BENCH_ITEMS);
    for (uint32_t i = 0; i < BENCH_ITEMS; i++) {
        auto item = list[i];
        item.setId(seed + i);
        item.setSize(uint32_t(seed) ^ i);
        item.setKind(uint16_t(i));
    }
    return finish(builder, copy);
}

uint64_t cpp_decode_call(const Message &message)
{
    kj::ArrayPtr<const capnp::word> segment(reinterpret_cast<const capnp::word *>(message.words),
                                            message.count);
    capnp::SegmentArrayMessageReader reader(kj::arrayPtr(&segment, 1));
    auto call = reader.getRoot<Call>();
    auto name = call.getName();
    return call.getA() + call.getB() + call.getC() + call.getD() + call.getE() + call.getF() +
           call.getG() + call.getH() + name.size() + uint8_t(name[0]);
}

uint64_t cpp_decode_items(const Message &message)
{
    kj::ArrayPtr<const capnp::word> segment(reinterpret_cast<const capnp::word *>(message.words),
                                            message.count);
    capnp::SegmentArrayMessageReader reader(kj::arrayPtr(&segment, 1));
    uint64_t sum = 0;
    for (auto item : reader.getRoot<Items>().getItems()) {
        sum += item.getId() + item.getSize() + item.getKind();
    }
    return sum;
}

// The shortest of many rounds of each, turn about.
template <typename Mine, typename Theirs>
bool measure(const char *name, unsigned repeat, Mine mine, Theirs theirs)
{
    uint64_t best[2] = {UINT64_MAX, UINT64_MAX};
    for (unsigned round = 0; round < rounds; round++) {
        uint64_t sums[2] = {0, 0};
        uint64_t start = now_ns();
        for (unsigned i = 0; i < repeat; i++) {
            sums[0] += mine(i);
        }
        uint64_t middle = now_ns();
        for (unsigned i = 0; i < repeat; i++) {
            sums[1] += theirs(i);
        }
        uint64_t end = now_ns();
        best[0] = middle - start < best[0] ? middle - start : best[0];
        best[1] = end - middle < best[1] ? end - middle : best[1];
        if (sums[0] != sums[1]) {
            fprintf(stderr, "%s: the two sides came to %" PRIu64 " and %" PRIu64 "\n", name,
                    sums[0], sums[1]);
            return false;
        }
    }
    printf("bench %s %.2f ratio\n", name, double(best[0]) / double(best[1]));
    return true;
}

bool check_same(const char *what, const Message &ours, const Message &theirs)
{
    bool same = ours.count == theirs.count && memcmp(ours.words, theirs.words, ours.count * 8) == 0;
    if (!same) {
        fprintf(stderr, "%s: the two sides built different messages\n", what);
    }
    return same;
}

} // namespace

int main()
{
    static Message call, items, theirs;
    capn_build_segment room = {reinterpret_cast<uint8_t *>(room_words), scratch_words, 0};
    bool good = true;
    call.count = bench_encode_call(&room, 5);
    memcpy(call.words, room_words, call.count * 8);
    cpp_encode_call(5, &theirs);
    good &= check_same("call", call, theirs) && call.count * 8 == 64;
    items.count = bench_encode_items(&room, 5);
    memcpy(items.words, room_words, items.count * 8);
    cpp_encode_items(5, &theirs);
    good &= check_same("list", items, theirs);
    capn_segment call_segment = {reinterpret_cast<uint8_t *>(call.words), call.count};
    capn_segment items_segment = {reinterpret_cast<uint8_t *>(items.words), items.count};

    good &= measure(
        "capnp_encode_64", 20000, [&](uint64_t i) { return bench_encode_call(&room, i); },
        [&](uint64_t i) { return cpp_encode_call(i); });
    good &= measure(
        "capnp_decode_64", 20000, [&](uint64_t) { return bench_decode_call(&call_segment); },
        [&](uint64_t) { return cpp_decode_call(call); });
    good &= measure(
        "capnp_encode_1000", 200, [&](uint64_t i) { return bench_encode_items(&room, i); },
        [&](uint64_t i) { return cpp_encode_items(i); });
    good &= measure(
        "capnp_decode_1000", 400, [&](uint64_t) { return bench_decode_items(&items_segment); },
        [&](uint64_t) { return cpp_decode_items(items); });
    return good ? 0 : 1;
}
