// SPDX-License-Identifier: MIT
//
// The runtime's reader and the C++ library's, side by side over the same bytes under the same
// limits: at each pointer both must accept or both refuse, and accepted objects must have the same
// contents.
//
// Packing must give the same bytes, and unpack to the same.
//
// Input: one byte of limits, one byte n, n bytes of script, then a framed message. The script says
// as what the pointers are read, in the order in which they are met; after its end, as what they
// are.
//
// Intended differences, each of them a refusal that the C++ library does not make:
//   1. an object without words whose offset leads outside its segment (CAPN_OUT_OF_BOUNDS);
//   2. a double far pointer whose landing pad is a double far pointer itself
//   (CAPN_BAD_LANDING_PAD);
//   3. a list of anything else read as a list of bits (CAPN_ELEMENT_SIZE);
//   4. a struct list whose tag counts 2^29 elements or more (CAPN_BAD_LIST_TAG);
//   5. a second segment, though empty, in a message asked to be canonical (CAPN_NOT_CANONICAL).
// The run stops at the first of them, since the two readers go on differently.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include <capnp/any.h>
#include <capnp/layout.h>
#include <capnp/message.h>
#include <capnp/serialize-packed.h>
#include <kj/debug.h>
#include <kj/exception.h>

extern "C" {
#include "capnp/runtime/capn.h"
}

namespace
{

enum class As : uint8_t {
    any,
    text,
    data,
    bits,
    bytes,
    twos,
    fours,
    eights,
    pointers,
    structs,
    nothing,
    last
};

class Difference
{
};

void report(const char *what, const capn_reader &ours)
{
    fprintf(stderr,
            "difference: %s; ours: %s (%s, segment %u, word %llu, found %llu, limit %llu)\n", what,
            capn_status_text(ours.error.code), ours.error.what ? ours.error.what : "-",
            ours.error.segment, (unsigned long long)ours.error.word,
            (unsigned long long)ours.error.found, (unsigned long long)ours.error.limit);
    abort();
}

class Pair
{
  public:
    Pair(const uint8_t *script, size_t script_length, capn_reader &ours)
        : script_(script), left_(script_length), ours_(ours)
    {
    }

    // Walks below one pointer; false when both refused or an intended difference was met.
    bool pointer(capn_pointer mine, capnp::AnyPointer::Reader theirs)
    {
        As as = next();
        switch (as) {
        case As::any:
            return any(mine, theirs);
        case As::text: {
            capn_text found = capn_read_text(mine, capn_text{nullptr, 0});
            capnp::Text::Reader value;
            return both([&] { value = theirs.getAs<capnp::Text>(); }) &&
                   bytes(found.bytes, found.length, value.begin(), value.size());
        }
        case As::data: {
            capn_data found = capn_read_data(mine, capn_data{nullptr, 0});
            capnp::Data::Reader value;
            return both([&] { value = theirs.getAs<capnp::Data>(); }) &&
                   bytes(found.bytes, found.length, value.begin(), value.size());
        }
        case As::bits:
            return list<bool>(mine, theirs, CAPN_ELEMENT_BIT, capn_list_get_bool);
        case As::bytes:
            return list<uint8_t>(mine, theirs, CAPN_ELEMENT_BYTE, capn_list_get_u8);
        case As::twos:
            return list<uint16_t>(mine, theirs, CAPN_ELEMENT_TWO_BYTES, capn_list_get_u16);
        case As::fours:
            return list<uint32_t>(mine, theirs, CAPN_ELEMENT_FOUR_BYTES, capn_list_get_u32);
        case As::eights:
            return list<uint64_t>(mine, theirs, CAPN_ELEMENT_EIGHT_BYTES, capn_list_get_u64);
        case As::nothing: {
            capn_list found = capn_read_list(mine, CAPN_ELEMENT_VOID, nullptr);
            capnp::List<capnp::Void>::Reader value;
            return both([&] { value = theirs.getAs<capnp::List<capnp::Void>>(); }) &&
                   same(found.count, value.size());
        }
        case As::pointers: {
            capn_list found = capn_read_list(mine, CAPN_ELEMENT_POINTER, nullptr);
            capnp::List<capnp::AnyPointer>::Reader value;
            return both([&] {
                       value = typed<capnp::AnyPointer>(theirs, capnp::ElementSize::POINTER);
                   }) &&
                   pointers(found, value);
        }
        case As::structs: {
            capn_list found = capn_read_list(mine, CAPN_ELEMENT_COMPOSITE, nullptr);
            capnp::List<capnp::AnyStruct>::Reader value;
            return both([&] {
                       value =
                           typed<capnp::AnyStruct>(theirs, capnp::ElementSize::INLINE_COMPOSITE);
                   }) &&
                   structs(found, value);
        }
        case As::last:
            break;
        }
        return true;
    }

    // Runs theirs, after ours has run; both must have come out alike.
    template <typename Function> bool both(Function &&theirs)
    {
        bool refused = false;
        KJ_IF_MAYBE (problem, kj::runCatchingExceptions(kj::fwd<Function>(theirs))) {
            refused = true;
            if (ours_.error.code == CAPN_OK) {
                report(problem->getDescription().cStr(), ours_);
            }
        }
        if (ours_.error.code != CAPN_OK && !refused && !intended()) {
            report("accepted by the C++ library", ours_);
        }
        return ours_.error.code == CAPN_OK;
    }

  private:
    // What List(AnyPointer) and List(AnyStruct) would be read with, were there such fields.
    template <typename Element>
    static typename capnp::List<Element>::Reader typed(capnp::AnyPointer::Reader from,
                                                       capnp::ElementSize size)
    {
        auto pointer = capnp::_::PointerHelpers<capnp::AnyPointer>::getInternalReader(from);
        return typename capnp::List<Element>::Reader(pointer.getList(size, nullptr));
    }

    bool intended() const
    {
        const capn_error &error = ours_.error;
        return (error.code == CAPN_OUT_OF_BOUNDS && error.found == 0) ||
               (error.code == CAPN_BAD_LANDING_PAD && (error.found & 7) == 6) ||
               (error.code == CAPN_BAD_LIST_TAG && error.limit == CAPN_LIST_COUNT_MAX) ||
               (error.code == CAPN_ELEMENT_SIZE && error.limit == CAPN_ELEMENT_BIT &&
                error.found != CAPN_ELEMENT_BIT);
    }

    As next()
    {
        if (left_ == 0) {
            return As::any;
        }
        left_--;
        return static_cast<As>(*script_++ % static_cast<uint8_t>(As::last));
    }

    bool same(uint64_t mine, uint64_t theirs)
    {
        if (mine != theirs) {
            report("another count or value", ours_);
        }
        return true;
    }

    bool bytes(const void *mine, size_t mine_length, const void *theirs, size_t theirs_length)
    {
        same(mine_length, theirs_length);
        if (mine_length != 0 && memcmp(mine, theirs, mine_length) != 0) {
            report("other bytes", ours_);
        }
        return true;
    }

    template <typename Value, typename Get>
    bool list(capn_pointer mine, capnp::AnyPointer::Reader theirs, capn_element_size element,
              Get get)
    {
        capn_list found = capn_read_list(mine, element, nullptr);
        typename capnp::List<Value>::Reader value;
        if (!both([&] { value = theirs.getAs<capnp::List<Value>>(); })) {
            return false;
        }
        same(found.count, value.size());
        for (uint32_t i = 0; i < found.count; i++) {
            same(get(found, i), value[i]);
        }
        return true;
    }

    bool any(capn_pointer mine, capnp::AnyPointer::Reader theirs)
    {
        capn_kind kind = capn_pointer_kind(mine);
        capnp::PointerType type = capnp::PointerType::NULL_;
        if (!both([&] { type = theirs.getPointerType(); })) {
            return false;
        }
        if (kind == CAPN_KIND_NULL && type == capnp::PointerType::NULL_) {
            return true;
        }
        if (kind == CAPN_KIND_STRUCT && type == capnp::PointerType::STRUCT) {
            capn_struct found = capn_read_struct(mine, nullptr);
            capnp::AnyStruct::Reader value;
            return both([&] { value = theirs.getAs<capnp::AnyStruct>(); }) &&
                   structure(found, value);
        }
        if (kind == CAPN_KIND_CAPABILITY && type == capnp::PointerType::CAPABILITY) {
            return true;
        }
        if (kind != CAPN_KIND_LIST || type != capnp::PointerType::LIST) {
            report("another kind", ours_);
        }
        capn_list found = capn_read_list(mine, CAPN_ELEMENT_ANY, nullptr);
        capnp::AnyList::Reader value;
        if (!both([&] { value = theirs.getAs<capnp::AnyList>(); })) {
            return false;
        }
        same(found.count, value.size());
        same(found.element_size, static_cast<uint8_t>(value.getElementSize()));
        if (found.element_size == CAPN_ELEMENT_COMPOSITE) {
            return structs(found, value.as<capnp::List<capnp::AnyStruct>>());
        }
        if (found.element_size == CAPN_ELEMENT_POINTER) {
            return pointers(found, value.as<capnp::List<capnp::AnyPointer>>());
        }
        auto raw = value.getRawBytes();
        return found.count == 0 || found.element_size == CAPN_ELEMENT_VOID ||
               memcmp(found.data, raw.begin(), raw.size()) == 0 || same(1, 0);
    }

    bool structure(capn_struct mine, capnp::AnyStruct::Reader theirs)
    {
        auto data = theirs.getDataSection();
        bytes(mine.data, mine.data_bytes, data.begin(), data.size());
        auto pointers = theirs.getPointerSection();
        same(mine.pointer_count, pointers.size());
        for (uint16_t i = 0; i < mine.pointer_count; i++) {
            if (!pointer(capn_get_pointer(mine, i), pointers[i])) {
                return false;
            }
        }
        return true;
    }

    bool structs(capn_list mine, capnp::List<capnp::AnyStruct>::Reader theirs)
    {
        same(mine.count, theirs.size());
        for (uint32_t i = 0; i < mine.count; i++) {
            capn_struct found = capn_list_get_struct(mine, i);
            capnp::AnyStruct::Reader value;
            if (!both([&] { value = theirs[i]; }) || !structure(found, value)) {
                return false;
            }
        }
        return true;
    }

    bool pointers(capn_list mine, capnp::List<capnp::AnyPointer>::Reader theirs)
    {
        same(mine.count, theirs.size());
        for (uint32_t i = 0; i < mine.count; i++) {
            if (!pointer(capn_list_get_pointer(mine, i), theirs[i])) {
                return false;
            }
        }
        return true;
    }

    const uint8_t *script_;
    size_t left_;
    capn_reader &ours_;
};

// The message's segments, copied to where the C++ library may read them: on word boundaries.
struct Aligned {
    std::vector<std::unique_ptr<uint64_t[]>> memory;
    std::vector<kj::ArrayPtr<const capnp::word>> segments;

    Aligned(const capn_segment *from, uint32_t count)
    {
        for (uint32_t i = 0; i < count; i++) {
            memory.emplace_back(new uint64_t[from[i].words + 1]);
            if (from[i].words != 0) {
                memcpy(memory.back().get(), from[i].bytes, from[i].words * 8);
            }
            segments.push_back(kj::arrayPtr(
                reinterpret_cast<const capnp::word *>(memory.back().get()), from[i].words));
        }
    }
};

// Canonical form: the same bytes, and the same answer to whether a message has it.
void canonical_compare(const capn_segment *segments, uint32_t count, capn_limits limits,
                       const Aligned &aligned, capnp::ReaderOptions options)
{
    capn_reader reader;
    capn_reader_init(&reader, segments, count, limits);
    bool mine = capn_canonical_check(&reader) == CAPN_OK;
    bool theirs = false;
    auto problem = kj::runCatchingExceptions([&] {
        capnp::SegmentArrayMessageReader message(
            kj::arrayPtr(aligned.segments.data(), aligned.segments.size()), options);
        theirs = message.isCanonical();
    });
    if (mine && (problem != nullptr || !theirs)) {
        report("not canonical for the C++ library", reader);
    }
    if (!mine && theirs && reader.error.code == CAPN_NOT_CANONICAL && count == 1) {
        report("canonical for the C++ library", reader);
    }
    std::vector<uint8_t> bytes(65536);
    capn_output output = {bytes.data(), bytes.size(), 0};
    capn_reader_init(&reader, segments, count, limits);
    if (capn_canonical_write(capn_reader_root(&reader), &output) != CAPN_OK) {
        return;
    }
    problem = kj::runCatchingExceptions([&] {
        capnp::SegmentArrayMessageReader message(
            kj::arrayPtr(aligned.segments.data(), aligned.segments.size()), options);
        auto root = message.getRoot<capnp::AnyPointer>();
        if (root.getPointerType() != capnp::PointerType::STRUCT) {
            return;
        }
        auto words = root.getAs<capnp::AnyStruct>().canonicalize();
        if (words.size() * 8 != output.used ||
            memcmp(words.begin(), output.bytes, output.used) != 0) {
            report("another canonical form", reader);
        }
    });
    capn_segment form = {output.bytes, output.used / 8};
    capn_reader again;
    capn_reader_init(&again, &form, 1, limits);
    if (reader.traversal_words_left > 65536 && capn_canonical_check(&again) != CAPN_OK) {
        report("our canonical form is not canonical", again);
    }
}

// Packed, ours and theirs are the same bytes; and theirs unpacks what ours unpacks.
void packed_compare(const capn_segment *segments, uint32_t count, const Aligned &aligned)
{
    std::vector<uint8_t> bytes(capn_packed_bytes(segments, count));
    bytes.resize(bytes.size() + 10);
    capn_output output = {bytes.data(), bytes.size(), 0};
    capn_packer packer;
    capn_packer_init(&packer, segments, count);
    if (!capn_pack(&packer, &output)) {
        abort();
    }
    kj::VectorOutputStream stream;
    capnp::writePackedMessage(stream,
                              kj::arrayPtr(aligned.segments.data(), aligned.segments.size()));
    if (stream.getArray().size() != output.used ||
        memcmp(stream.getArray().begin(), output.bytes, output.used) != 0) {
        fprintf(stderr, "difference: packed otherwise\n");
        abort();
    }
}

void unpacked_compare(const uint8_t *packed, size_t length)
{
    uint64_t words = 0;
    if (capn_unpacked_words(packed, length, &words) != CAPN_OK || words > 1 << 16) {
        return;
    }
    std::vector<uint8_t> mine(words * 8 + 1), theirs(words * 8 + 1);
    capn_input input = {packed, length, 0};
    capn_output output = {mine.data(), words * 8, 0};
    if (capn_unpack_all(&input, &output) != CAPN_OK) {
        abort();
    }
    kj::ArrayInputStream stream(kj::arrayPtr(packed, length));
    capnp::_::PackedInputStream unpacker(stream);
    size_t read = unpacker.tryRead(theirs.data(), words * 8, words * 8);
    if (read != words * 8 || memcmp(mine.data(), theirs.data(), read) != 0) {
        fprintf(stderr, "difference: unpacked otherwise\n");
        abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    if (length < 2 || length < size_t{2} + input[1]) {
        return 0;
    }
    static const uint64_t words[4] = {8, 64, 1024, 1 << 17};
    static const uint16_t depths[4] = {2, 5, 20, 64};
    capn_limits limits = {words[input[0] & 3], depths[input[0] >> 2 & 3]};
    capnp::ReaderOptions options;
    // The C++ library pays twice for the root pointer.
    options.traversalLimitInWords = limits.traversal_words + 1;
    options.nestingLimit = limits.depth;

    capn_segment segments[16];
    capn_frame frame = {};
    frame.segments = segments;
    frame.segment_room = 16;
    frame.words_limit = 1 << 16;
    const uint8_t *script = input + 2;
    size_t script_length = input[1];
    const uint8_t *framed = script + script_length;
    unpacked_compare(framed, length - 2 - script_length);
    if (capn_frame_parse(&frame, framed, length - 2 - script_length) != CAPN_OK) {
        return 0;
    }
    Aligned aligned(segments, frame.segment_count);
    capn_reader reader;
    capn_reader_init(&reader, segments, frame.segment_count, limits);
    capn_pointer root = capn_reader_root(&reader);
    {
        capnp::SegmentArrayMessageReader message(
            kj::arrayPtr(aligned.segments.data(), aligned.segments.size()), options);
        capnp::AnyPointer::Reader theirs;
        Pair pair(script, script_length, reader);
        if (pair.both([&] { theirs = message.getRoot<capnp::AnyPointer>(); })) {
            pair.pointer(root, theirs);
        }
    }
    packed_compare(segments, frame.segment_count, aligned);
    canonical_compare(segments, frame.segment_count, limits, aligned, options);
    return 0;
}
