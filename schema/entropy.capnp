# SPDX-License-Identifier: MIT
# Random bytes.
@0xf549924561215507;

using C = import "/c.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

const sourceReadMax :UInt32 = 4096;
# Most bytes of one EntropySource.read.

interface EntropySource {
  # A cryptographic generator, seeded from what the machine offers.
  # Lifetime: lives as long as the machine.
  # Minted by: the kernel for init; the manifest's grants from there on.

  read @0 (sizeBytes :UInt32) -> (bytes :Data);
  # Bytes that nobody else has been or will be given.
  # Units: bytes; at most sourceReadMax in one call.
  # Errors: outOfRange (0 or above sourceReadMax); unsupported (the machine offers no seed).
  # Lifetime: the bytes belong to the caller; the kernel keeps no copy.
  # Minted by: the manifest.

  quality @1 () -> (seedBits :UInt32, hardware :Bool);
  # How much the seed was worth, and whether an instruction of the processor fed it.
  # Units: bits.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: the manifest.
}
