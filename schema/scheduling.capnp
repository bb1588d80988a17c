# SPDX-License-Identifier: MIT
# Time as a resource: scheduling parameters and the contexts that hold a budget.
@0xa08282bb5d604aa2;

using C = import "/c.capnp";
using Thread = import "thread.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

struct SchedulingParameters {
  # How a thread competes for a CPU.

  priority @0 :UInt8;
  # 0 is the lowest; below LIMIT_PRIORITIES and never above the caller's own.

  budgetNs @1 :UInt64;
  # Time that the thread may run in each period, nanoseconds. 0 means no budget of its own: it
  # runs whenever its priority is served.

  periodNs @2 :UInt64;
  # Length of a period, nanoseconds; at least budgetNs. Ignored when budgetNs is 0.

  cpuMask @3 :UInt64 = 0xffffffffffffffff;
  # Bit n allows CPU n. Bits beyond the machine's CPUs are ignored; no bit left is outOfRange.
}

interface SchedulingContext {
  # A budget of CPU time that a thread runs on. It is lent along a blocking call and comes back at
  # its return, cancellation or death.
  # Lifetime: lives while an edge to it or a thread bound to it lives.
  # Minted by: the kernel, one for each thread; further ones for holders of ThreadControl.

  configure @0 (parameters :SchedulingParameters) -> ();
  # Sets budget, period and priority; takes effect at the next replenishment.
  # Units: nanoseconds, priority below LIMIT_PRIORITIES.
  # Errors: outOfRange (budget above period, priority above the caller's own, empty CPU mask).
  # Lifetime: until the next configure.
  # Minted by: the manifest or a parent that holds this facet; a thread's own edge lacks it.

  consumed @1 () -> (totalNs :UInt64, remainingNs :UInt64);
  # Time charged so far, and what is left of the current period.
  # Units: nanoseconds.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: whoever minted the context.

  bind @2 (thread :Thread.ThreadHandle) -> ();
  # Makes the thread run on this context.
  # Units: none.
  # Errors: missingCapability; busy (the context or the thread is bound already).
  # Lifetime: until unbind, or the end of either.
  # Minted by: the manifest or a parent that holds this facet.

  unbind @3 () -> ();
  # Takes the context from its thread, which stops at once if it has no other.
  # Units: none.
  # Errors: notFound (nothing is bound).
  # Lifetime: takes effect before the completion.
  # Minted by: the manifest or a parent that holds this facet.
}
