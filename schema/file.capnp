# SPDX-License-Identifier: MIT
# Files. A read-only file is a facet of this interface without the writing methods.
@0x8bf26a2ccf74e227;

using C = import "/c.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

const readMax :UInt32 = 32768;
# Most bytes of one File.read, readAt, write or writeAt.

enum SeekOrigin {
  start @0;
  current @1;
  end @2;
}

enum FileKind {
  regular @0;
  directory @1;
  stream @2;    # pipes, sockets, consoles: no position
  device @3;
}

interface File {
  # An open file: bytes, and a position that every edge of one open shares.
  # Lifetime: lives while an edge lives; the server hears of the last one by its badge.
  # Minted by: a file service, by opening; the manifest, for files it names.

  read @0 (maxBytes :UInt32) -> (bytes :Data);
  # Bytes at the position, which moves behind them. No bytes means the end.
  # Units: bytes; maxBytes 1 to readMax.
  # Errors: outOfRange (maxBytes); unsupported (a directory); wouldBlock; cancelled; interrupted.
  # Lifetime: the copy belongs to the caller.
  # Minted by: the file service.

  readAt @1 (offset :UInt64, maxBytes :UInt32) -> (bytes :Data);
  # Bytes at an offset; the position stays.
  # Units: bytes; maxBytes 1 to readMax.
  # Errors: as read; notSeekable.
  # Lifetime: the copy belongs to the caller.
  # Minted by: the file service.

  seek @2 (offset :Int64, origin :SeekOrigin) -> (position :UInt64);
  # Moves the position.
  # Units: bytes.
  # Errors: notSeekable (directories, streams, synthetic devices); outOfRange (before the start).
  # Lifetime: until the next read, write or seek through any edge of this open.
  # Minted by: the file service.

  stat @3 () -> (sizeBytes :UInt64, kind :FileKind, seekable :Bool, modifiedNs :UInt64);
  # What the file is.
  # Units: bytes; nanoseconds since 1970-01-01 UTC, 0 when not known.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: the file service.

  write @4 (bytes :Data) -> (writtenBytes :UInt32);
  # Writes at the position, which moves behind the bytes.
  # Units: bytes; at most readMax in one call.
  # Errors: missingArgument; outOfRange; outOfMemory (no space); quotaExceeded; wouldBlock;
  # cancelled; interrupted.
  # Lifetime: the bytes are copied before the completion; sync makes them durable.
  # Minted by: the file service; not in the facet of a read-only file.

  writeAt @5 (offset :UInt64, bytes :Data) -> (writtenBytes :UInt32);
  # Writes at an offset; the position stays.
  # Units: bytes; at most readMax in one call.
  # Errors: as write; notSeekable.
  # Lifetime: as write.
  # Minted by: the file service; not in the facet of a read-only file.

  truncate @6 (sizeBytes :UInt64) -> ();
  # Cuts or extends the file; new bytes are zero.
  # Units: bytes.
  # Errors: notSeekable; outOfRange; outOfMemory (no space); quotaExceeded.
  # Lifetime: at once for every edge.
  # Minted by: the file service; not in the facet of a read-only file.

  sync @7 () -> ();
  # Completes when all that was written before is durable.
  # Units: none.
  # Errors: unsupported (the medium cannot promise it).
  # Lifetime: nothing is kept.
  # Minted by: the file service; not in the facet of a read-only file.
}
