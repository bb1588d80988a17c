// SPDX-License-Identifier: MIT
//
// The reference's reading of messages that hold capabilities, which `capnp convert` refuses: prints
// a stream of framed messages in the same words as tests/capnp/visit.c. It knows the schema by
// parsing it, and nothing of our code.
//
//   oracle SCHEMA IMPORT-FOLDER TYPE < STREAM      TYPE: a struct, or INTERFACE.METHOD.params
//   (.results)
#include <capnp/capability.h>
#include <capnp/dynamic.h>
#include <capnp/schema-parser.h>
#include <capnp/serialize.h>
#include <kj/filesystem.h>
#include <kj/io.h>

#include <cinttypes>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <unistd.h>
#include <vector>

using namespace capnp;

static const unsigned CAPABILITIES = 8;
static std::vector<ClientHook *> hooks;
static std::string out;

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    out += text;
}

static void printCapability(Capability::Client client)
{
    auto hook = ClientHook::from(kj::mv(client));
    for (unsigned i = 0; i < hooks.size(); i++) {
        if (hooks[i] == hook.get()) {
            print("<capability %u>", i);
            return;
        }
    }
    print("<capability %" PRIu32 ">", UINT32_MAX);
}

static void printFloat(double value, int digits)
{
    if (std::isnan(value)) {
        out += "nan";
    } else if (std::isinf(value)) {
        out += value < 0 ? "-inf" : "inf";
    } else {
        print("%.*e", digits, value);
    }
}

static void printText(Text::Reader text)
{
    out += '"';
    for (unsigned char c : text) {
        if (c == '"' || c == '\\') {
            print("\\%c", c);
        } else if (c < 0x20 || c >= 0x7f) {
            print("\\x%02x", c);
        } else {
            out += static_cast<char>(c);
        }
    }
    out += '"';
}

static void printAny(AnyPointer::Reader any)
{
    switch (any.getPointerType()) {
    case PointerType::NULL_:
        out += "null";
        break;
    case PointerType::STRUCT: {
        auto s = any.getAs<AnyStruct>();
        print("<struct %u %u>", static_cast<unsigned>(s.getDataSection().size()),
              static_cast<unsigned>(s.getPointerSection().size()));
        break;
    }
    case PointerType::LIST: {
        auto list = any.getAs<AnyList>();
        print("<list %u %u>", static_cast<unsigned>(list.getElementSize()),
              static_cast<unsigned>(list.size()));
        break;
    }
    case PointerType::CAPABILITY:
        printCapability(any.getAs<Capability>());
        break;
    }
}

static void printStruct(DynamicStruct::Reader s);

static void printValue(DynamicValue::Reader value, schema::Type::Which which)
{
    switch (value.getType()) {
    case DynamicValue::VOID:
        out += "void";
        break;
    case DynamicValue::BOOL:
        out += value.as<bool>() ? "true" : "false";
        break;
    case DynamicValue::INT:
        print("%" PRId64, value.as<int64_t>());
        break;
    case DynamicValue::UINT:
        print("%" PRIu64, value.as<uint64_t>());
        break;
    case DynamicValue::FLOAT:
        printFloat(value.as<double>(), which == schema::Type::FLOAT32 ? 8 : 16);
        break;
    case DynamicValue::TEXT:
        printText(value.as<Text>());
        break;
    case DynamicValue::DATA:
        out += value.as<Data>().size() != 0 ? "0x\"" : "\"";
        for (auto byte : value.as<Data>()) {
            print("%02x", byte);
        }
        out += '"';
        break;
    case DynamicValue::LIST: {
        auto list = value.as<DynamicList>();
        auto element = list.getSchema().getElementType().which();
        bool comma = false;
        out += '[';
        for (auto each : list) {
            out += comma ? ", " : "";
            comma = true;
            printValue(each, element);
        }
        out += ']';
        break;
    }
    case DynamicValue::ENUM: {
        auto e = value.as<DynamicEnum>();
        KJ_IF_MAYBE (enumerant, e.getEnumerant()) {
            out += enumerant->getProto().getName().cStr();
        } else {
            print("%u", static_cast<unsigned>(e.getRaw()));
        }
        break;
    }
    case DynamicValue::STRUCT:
        printStruct(value.as<DynamicStruct>());
        break;
    case DynamicValue::CAPABILITY:
        printCapability(value.as<DynamicCapability>());
        break;
    case DynamicValue::ANY_POINTER:
        printAny(value.as<AnyPointer>());
        break;
    case DynamicValue::UNKNOWN:
        out += "unknown";
        break;
    }
}

static bool isPointer(Type type)
{
    return type.isText() || type.isData() || type.isList() || type.isStruct() ||
           type.isInterface() || type.isAnyPointer();
}

static void printField(DynamicStruct::Reader s, StructSchema::Field field, bool member, bool &comma)
{
    bool slot = field.getProto().isSlot();
    bool present = !slot || !isPointer(field.getType()) || s.has(field);
    bool hidden = !member && (!present || (slot && field.getType().isVoid()));
    if (hidden) {
        return;
    }
    out += comma ? ", " : "";
    comma = true;
    out += field.getProto().getName().cStr();
    out += " = ";
    if (present) {
        printValue(s.get(field), field.getType().which());
    } else {
        out += "null";
    }
}

static void printStruct(DynamicStruct::Reader s)
{
    bool comma = false;
    out += '(';
    for (auto field : s.getSchema().getNonUnionFields()) {
        printField(s, field, false, comma);
    }
    if (s.getSchema().getUnionFields().size() != 0) {
        KJ_IF_MAYBE (field, s.which()) {
            printField(s, *field, true, comma);
        } else {
            out += comma ? ", unknown member" : "unknown member";
        }
    }
    out += ')';
}

// What the tool `capnp convert` cannot name: the two structs of a method.
static StructSchema findType(ParsedSchema schema, std::string name)
{
    auto dot = name.find('.');
    if (dot == std::string::npos) {
        return schema.getNested(name).asStruct();
    }
    auto end = name.rfind('.');
    auto method = schema.getNested(name.substr(0, dot))
                      .asInterface()
                      .getMethodByName(name.substr(dot + 1, end - dot - 1));
    return name.substr(end) == ".params" ? method.getParamType() : method.getResultType();
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: oracle SCHEMA IMPORT-FOLDER TYPE < STREAM\n");
        return 1;
    }
    SchemaParser parser;
    auto disk = kj::newDiskFilesystem();
    auto &root = disk->getRoot();
    auto cwd = disk->getCurrentPath().clone();
    auto import = root.openSubdir(cwd.evalNative(argv[2]));
    auto standard = root.openSubdir(kj::Path({"usr", "include"}));
    const kj::ReadableDirectory *imports[] = {import.get(), standard.get()};
    auto schema =
        parser.parseFromDirectory(root, cwd.evalNative(argv[1]), kj::arrayPtr(imports, 2));
    auto type = findType(schema, argv[3]);

    kj::FdInputStream fd(STDIN_FILENO);
    kj::BufferedInputStreamWrapper input(fd);
    while (input.tryGetReadBuffer().size() != 0) {
        kj::Vector<kj::Maybe<kj::Own<ClientHook>>> table;
        hooks.clear();
        for (unsigned i = 0; i < CAPABILITIES; i++) {
            auto hook = newBrokenCap("a capability of the test");
            hooks.push_back(hook.get());
            table.add(kj::mv(hook));
        }
        ReaderCapabilityTable capabilities(table.releaseAsArray());
        InputStreamMessageReader reader(input);
        auto any = capabilities.imbue(reader.getRoot<AnyPointer>());
        printStruct(any.getAs<DynamicStruct>(type));
        out += '\n';
    }
    return fwrite(out.data(), 1, out.size(), stdout) == out.size() ? 0 : 1;
}
