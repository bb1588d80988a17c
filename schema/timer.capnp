# SPDX-License-Identifier: MIT
# Time: the monotonic clock and timers on it.
@0xb1b102aa2183e8bc;

using C = import "/c.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

const intervalMinNs :UInt64 = 1000;
# Shortest interval of a TimerObject.

interface Timer {
  # The monotonic clock: nanoseconds since boot, never backwards, the same on every CPU.
  # Lifetime: lives as long as the machine.
  # Minted by: the kernel for init; the manifest's grants from there on.

  now @0 () -> (nowNs :UInt64);
  # The time.
  # Units: nanoseconds since boot.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: the manifest.

  sleep @1 (untilNs :UInt64) -> (nowNs :UInt64);
  # Completes when the clock has reached untilNs; at once when it has already.
  # Units: nanoseconds since boot, an absolute time.
  # Errors: quotaExceeded (outstandingCalls); cancelled; interrupted.
  # Lifetime: one record, reserved at submission.
  # Minted by: the manifest.

  create @2 () -> (timer :TimerObject);
  # A new timer, disarmed.
  # Units: none.
  # Errors: quotaExceeded (slots, scratchBytes).
  # Lifetime: until the last edge to it is released.
  # Minted by: the manifest.
}

interface TimerObject {
  # A timer that may fire again and again.
  # Lifetime: lives while an edge to it or a waiting call lives.
  # Minted by: Timer.create.

  set @0 (firstNs :UInt64, intervalNs :UInt64) -> (previousFirstNs :UInt64,
                                                   previousIntervalNs :UInt64);
  # Arms the timer, or disarms it with firstNs 0. Forgets expirations that nobody waited for.
  # Units: firstNs in nanoseconds since boot; intervalNs in nanoseconds, 0 for once.
  # Errors: outOfRange (intervalNs below intervalMinNs and not 0).
  # Lifetime: until the next set.
  # Minted by: Timer.create.

  get @1 () -> (nextNs :UInt64, intervalNs :UInt64);
  # When it fires next; nextNs 0 when it is disarmed.
  # Units: nanoseconds since boot; nanoseconds.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: Timer.create.

  wait @2 () -> (expirations :UInt64);
  # Completes at the next expiration, or at once if one has come since the last wait; tells how
  # many there were.
  # Units: expirations.
  # Errors: busy (another call waits); cancelled; interrupted; closed.
  # Lifetime: one record, reserved at submission.
  # Minted by: Timer.create.

  overrun @3 () -> (expirations :UInt64);
  # How many expirations came in addition to the one that the last wait reported.
  # Units: expirations.
  # Errors: none beyond those of every call.
  # Lifetime: reset by wait and set.
  # Minted by: Timer.create.
}
