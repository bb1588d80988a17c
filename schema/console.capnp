# SPDX-License-Identifier: MIT
# The console: bytes out, bytes in.
@0xed1ae115aefaf265;

using C = import "/c.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

const writeMax :UInt32 = 4096;
# Most bytes of one Console.write.

const readMax :UInt32 = 4096;
# Most bytes of one Console.read.

interface Console {
  # A stream of bytes towards a person. Output of one call is never interleaved with another's.
  # Lifetime: lives as long as the machine; an edge lives until it is released or revoked.
  # Minted by: the kernel for init; the manifest's grants from there on.

  write @0 (bytes :Data) -> (writtenBytes :UInt32);
  # Writes the bytes, whole, in order.
  # Units: bytes; at most writeMax in one call.
  # Errors: missingArgument (bytes absent); limitExceeded (more than writeMax);
  # quotaExceeded (the caller's log bytes are used up).
  # Lifetime: the bytes are copied before the completion.
  # Minted by: the manifest; a facet of this method alone is what most programs hold.

  read @1 (maxBytes :UInt32, timeoutNs :UInt64) -> (bytes :Data);
  # Waits until at least one byte has come and takes up to maxBytes.
  # Units: bytes, nanoseconds; timeoutNs 0 asks without waiting.
  # Errors: outOfRange (maxBytes 0 or above readMax); wouldBlock (timeoutNs 0, nothing there);
  # timedOut; busy (another reader waits); cancelled.
  # Lifetime: the bytes are taken from the stream and belong to the caller.
  # Minted by: the manifest, for at most one program at a time.

  info @2 () -> (columns :UInt16, rows :UInt16, interactive :Bool);
  # What is known about the other side; 0 columns or rows when it is not known.
  # Units: characters.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: the manifest.
}
