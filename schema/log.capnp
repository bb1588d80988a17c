# SPDX-License-Identifier: MIT
# The system log: bounded, with levels, and honest about what it dropped.
@0xdd07e77cec2490d7;

using C = import "/c.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

const writeMax :UInt32 = 512;
# Most bytes of one Log.write.

const readMin :UInt32 = 1024;
const readMax :UInt32 = 32768;
# Least and most bytes that one Log.read may ask for.

enum LogLevel {
  error @0;
  warning @1;
  notice @2;
  debug @3;
}

struct LogRecord {
  # One line.

  sequence @0 :UInt64;   # counts every record ever written, from 1
  atNs @1 :UInt64;       # nanoseconds since boot
  cpu @2 :UInt16;
  level @3 :LogLevel;
  source @4 :Text;       # manifest name of the writer; "kernel" for the kernel
  text @5 :Text;
  repeats @6 :UInt32;    # how often the same line followed and was folded into this one
}

interface Log {
  # Reads and writes the log. Writers and readers usually hold different facets.
  # Lifetime: lives as long as the machine.
  # Minted by: the kernel for init; the manifest's grants from there on.

  write @0 (level :LogLevel, text :Text) -> (sequence :UInt64);
  # Adds one line under the caller's manifest name.
  # Units: bytes of UTF-8; at most writeMax. Control characters are shown escaped.
  # Errors: missingArgument; limitExceeded (longer than writeMax); quotaExceeded (logBytes).
  # Lifetime: until newer lines push it out; its bytes are refunded then.
  # Minted by: the manifest.

  read @1 (firstSequence :UInt64, maxBytes :UInt32)
      -> (records :List(LogRecord), nextSequence :UInt64, lost :UInt64);
  # Records from firstSequence on, oldest first, as many as fit into maxBytes.
  # Units: bytes; maxBytes readMin to readMax. lost counts records that were pushed out before.
  # Errors: outOfRange (maxBytes).
  # Lifetime: the answer is a snapshot.
  # Minted by: the manifest, for readers; a writer's facet lacks it.
}
