# SPDX-License-Identifier: MIT
# An object that does nothing, to measure what a call costs.
@0xb8f30f8c304b1a2a;

using C = import "/c.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

struct NullPayload {
  # 64 bytes of data with one of each width, for the encode and decode measurements.

  a @0 :UInt64;
  b @1 :UInt64;
  c @2 :UInt64;
  d @3 :UInt64;
  e @4 :UInt64;
  f @5 :UInt32;
  g @6 :UInt32;
  h @7 :UInt16;
  i @8 :UInt16;
  j @9 :UInt8;
  k @10 :UInt8;
  l @11 :Bool;
  m @12 :Int64;
}

interface NullObject {
  # For measurement only.
  # Lifetime: lives as long as the machine.
  # Minted by: the kernel for init, in systems whose manifest asks for it.

  nothing @0 () -> ();
  # Answers at once with nothing.
  # Units: none.
  # Errors: none beyond those of every call.
  # Lifetime: nothing is kept.
  # Minted by: the manifest.

  echo @1 (payload :NullPayload) -> (payload :NullPayload);
  # Decodes the payload and answers with the same.
  # Units: none.
  # Errors: missingArgument.
  # Lifetime: the answer belongs to the caller.
  # Minted by: the manifest.

  next @2 () -> (next :NullObject);
  # Answers with this object again, by the same methods, badge and delegation, not to be passed on:
  # what a chain of calls, each on what the one before gave, is measured with.
  # Units: none.
  # Errors: none beyond those of every call.
  # Lifetime: the capability belongs to the caller.
  # Minted by: the manifest.
}
