# SPDX-License-Identifier: MIT
# What bench/capnp_bench.cc measures: a call of 64 bytes, and a list of 1,000 elements.
@0xd3a1f6c2b7e94805;

struct Call {
  a @0 :UInt64;
  b @1 :UInt64;
  c @2 :UInt32;
  d @3 :UInt32;
  e @4 :UInt16;
  f @5 :UInt16;
  g @6 :UInt32;
  h @7 :UInt64;
  name @8 :Text;
}

struct Item {
  id @0 :UInt64;
  size @1 :UInt32;
  kind @2 :UInt16;
}

struct Items {
  items @0 :List(Item);
}
