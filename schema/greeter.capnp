# SPDX-License-Identifier: MIT
# The service of the first demonstration: a server that is a program like any other.
@0xc34cecaad6942b57;

using C = import "/c.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

interface Greeter {
  # Somebody to talk to. Kernel and runtime know nothing of it; it travels as any other interface.
  # Lifetime: as long as its server runs; after that callers get PEER_GONE.
  # Minted by: the manifest, for services that are granted the export.

  greet @0 (name :Text) -> (greeting :Text, calls :UInt32);
  # A greeting for this name, and how many calls the server has answered with this one.
  # Units: name in bytes, at most 64; calls.
  # Errors: missingArgument (name absent); limitExceeded (a longer name).
  # Lifetime: the answer belongs to the caller.
  # Minted by: the manifest.

  finish @1 () -> (calls :UInt32);
  # Asks the server to end; this is the last call it answers.
  # Units: calls answered, this one included.
  # Errors: none beyond those of every call.
  # Lifetime: final.
  # Minted by: the manifest.
}
