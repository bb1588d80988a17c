# SPDX-License-Identifier: MIT
# Every feature of the schema language, for the tests of runtime and generator.
@0xb8e4f1a2c7d35096;

using C = import "/c.capnp";

enum Colour {
  red @0;
  green @1;
  darkBlue @2;
}

struct Leaf {
  # A small struct, for lists.
  number @0 :UInt32;
  name @1 :Text;
}

struct Tiny {
  # Its list may have been a List(UInt32) once.
  value @0 :UInt32;
}

struct Named {
  # Its list may have been a List(Text) once.
  text @0 :Text;
  extra @1 :UInt16;
}

struct Empty {}

struct Box(T) {
  # Generic: one pointer of any type.
  value @0 :T;
  count @1 :UInt8;

  struct Pair(U) {
    # Generic inside a generic.
    first @0 :T;
    second @1 :U;
  }
}

interface Reader(T) {
  # A generic interface.
  get @0 (index :UInt32) -> (value :T, found :Bool);
  each @1 [V] (tag :V, target :Reader(T)) -> (next :Reader(V));

  struct Item {
    # Its parameter is the interface's.
    value @0 :T;
    place @1 :UInt32;
  }
}

interface Base {
  ping @0 ();
  share @1 (leaf :Leaf) -> (inner :Holder);
}

interface Middle extends(Base) {
  middle @0 Leaf -> Named;
}

interface Other {
  other @0 () -> stream;
}

interface Derived extends(Middle, Other) {
  # Two parents, one of which has a parent of its own.
  go @0 (colour :Colour = green, text :Text = "go", reader :Reader(Text)) -> (holder :Holder);
  pass @1 (any :AnyPointer) -> (any :AnyPointer);
}

struct Holder {
  # Capabilities at several depths, for the paths of results.
  cap @0 :Base;
  nested @1 :Nested;
  chosen :union {
    none @2 :Void;
    reader @3 :Reader(Leaf);
  }
  struct Nested {
    cap @0 :Derived;
    deeper @1 :Deeper;
    struct Deeper {
      cap @0 :Capability;
      deepest @1 :Nested;
    }
  }
}

struct Numbers {
  void @0 :Void;
  bool @1 :Bool;
  int8 @2 :Int8;
  int16 @3 :Int16;
  int32 @4 :Int32;
  int64 @5 :Int64;
  uint8 @6 :UInt8;
  uint16 @7 :UInt16;
  uint32 @8 :UInt32;
  uint64 @9 :UInt64;
  float32 @10 :Float32;
  float64 @11 :Float64;
  colour @12 :Colour;
}

struct Defaults {
  # Every kind of default.
  bool @0 :Bool = true;
  int8 @1 :Int8 = -128;
  int16 @2 :Int16 = -12345;
  int32 @3 :Int32 = -2147483648;
  int64 @4 :Int64 = -9223372036854775808;
  uint8 @5 :UInt8 = 255;
  uint16 @6 :UInt16 = 65535;
  uint32 @7 :UInt32 = 4294967295;
  uint64 @8 :UInt64 = 18446744073709551615;
  float32 @9 :Float32 = 1.5;
  float64 @10 :Float64 = -1e300;
  float32Inf @11 :Float32 = inf;
  float64Nan @12 :Float64 = nan;
  colour @13 :Colour = darkBlue;
  text @14 :Text = "two\nlines, \"quoted\", ??/ and \xc3\xbc";
  data @15 :Data = 0x"00 01 fe ff";
  leaf @16 :Leaf = (number = 7, name = "seven");
  numbers @17 :List(Int16) = [-1, 0, 1];
  bools @18 :List(Bool) = [true, false, true];
  texts @19 :List(Text) = ["a", "", "c"];
  leaves @20 :List(Leaf) = [(number = 1, name = "one"), (number = 2)];
  nested @21 :List(List(UInt8)) = [[1, 2], [], [3]];
  empty @22 :Text = "";
  group :group {
    inner @23 :UInt16 = 23;
    text @24 :Text = "in a group";
  }
  union {
    first @25 :UInt32 = 25;
    second @26 :Text = "second";
  }
}

struct Lists {
  # A list of every element.
  voids @0 :List(Void);
  bools @1 :List(Bool);
  int8s @2 :List(Int8);
  int16s @3 :List(Int16);
  int32s @4 :List(Int32);
  int64s @5 :List(Int64);
  uint8s @6 :List(UInt8);
  uint16s @7 :List(UInt16);
  uint32s @8 :List(UInt32);
  uint64s @9 :List(UInt64);
  float32s @10 :List(Float32);
  float64s @11 :List(Float64);
  texts @12 :List(Text);
  datas @13 :List(Data);
  colours @14 :List(Colour);
  leaves @15 :List(Leaf);
  empties @16 :List(Empty);
  matrix @17 :List(List(Int32));
  cube @18 :List(List(List(Bool)));
  leafLists @19 :List(List(Leaf));
  textLists @20 :List(List(Text));
  bases @21 :List(Base);
  upgradedNumbers @22 :List(Tiny);
  upgradedTexts @23 :List(Named);
}

struct Unions {
  # Named and unnamed unions, groups in them, unions in groups.
  before @0 :UInt8;
  union {
    nothing @1 :Void;
    number @2 :UInt64;
    text @3 :Text;
    leaf @4 :Leaf;
    group :group {
      x @5 :Int32;
      y @6 :Int32;
      name @7 :Text;
    }
    list @8 :List(UInt16);
  }
  shape :union {
    circle @9 :Float64;
    rectangle :group {
      width @10 :Float64;
      height @11 :Float64;
      style :union {
        plain @12 :Void;
        filled @13 :Colour;
      }
    }
    named @14 :Text;
  }
  plainGroup :group {
    flag @15 :Bool;
    inner :group {
      deep @16 :Data;
    }
  }
}

struct Generics {
  textBox @0 :Box(Text);
  leafBox @1 :Box(Leaf);
  boxBox @2 :Box(Box(Data));
  anyBox @3 :Box;
  pair @4 :Box(Text).Pair(Leaf);
  any @5 :AnyPointer;
  anyStruct @6 :AnyStruct;
  anyList @7 :AnyList;
  capability @8 :Capability;
  reader @9 :Reader(Text);
  textItem @10 :Reader(Text).Item;
  anyItem @11 :Reader.Item;
}

struct Features {
  # The root of the conformance messages.
  numbers @0 :Numbers;
  defaults @1 :Defaults;
  lists @2 :Lists;
  unions @3 :Unions;
  generics @4 :Generics;
  holder @5 :Holder;
  self @6 :Features;
  selves @7 :List(Features);
  empty @8 :Empty;
}

const answer :UInt32 = 42;
const negative :Int8 = -3;
const ratio :Float64 = 0.25;
const yes :Bool = true;
const nothing :Void = void;
const favourite :Colour = darkBlue;
const greeting :Text = "hello";
const magic :Data = 0x"ca fe";
const leaf :Leaf = (number = 9, name = "nine");
const primes :List(UInt16) = [2, 3, 5, 7];
const tree :Features = (numbers = (int32 = -5), selves = [(), (empty = ())]);

struct Renamed $C.name("other_name") {
  # Names chosen by annotation.
  int @0 :Int32 $C.name("integer");
  register @1 :Text;
}
