# SPDX-License-Identifier: MIT
# The boot package: the manifest and the binaries that the machine was started with.
@0xa83293d0d1ded648;

using C = import "/c.capnp";
using Memory = import "memory.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

const packageReadMax :UInt32 = 32768;
# Most bytes of one BootPackage.read.

interface BootPackage {
  # The boot module, read-only.
  # Lifetime: lives as long as the machine.
  # Minted by: the kernel, for init only; a manifest may grant it on.

  size @0 () -> (sizeBytes :UInt64, binaries :UInt32);
  # Length of the whole module, and how many binaries it embeds.
  # Units: bytes.
  # Errors: none beyond those of every call.
  # Lifetime: constant.
  # Minted by: the kernel at boot.

  read @1 (offset :UInt64, maxBytes :UInt32) -> (bytes :Data);
  # A chunk of the module; fewer than maxBytes only at its end.
  # Units: bytes; maxBytes at most packageReadMax.
  # Errors: outOfRange (offset beyond the end, maxBytes 0 or too large).
  # Lifetime: the copy belongs to the caller.
  # Minted by: the kernel at boot.

  binary @2 (index :UInt32) -> (name :Text, image :Memory.MemoryObject);
  # One embedded binary as a memory object that can be read and mapped, not written.
  # Units: index from 0.
  # Errors: notFound (limit tells how many there are); quotaExceeded (slots).
  # Lifetime: the object lives as long as its edges.
  # Minted by: the kernel at boot.

  map @3 () -> (image :Memory.MemoryObject);
  # The whole module as a memory object that can be read and mapped readable.
  # Units: none.
  # Errors: quotaExceeded (slots).
  # Lifetime: the object lives as long as its edges.
  # Minted by: the kernel at boot.
}
