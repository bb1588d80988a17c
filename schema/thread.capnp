# SPDX-License-Identifier: MIT
# Threads: making them inside the caller's own process, and steering them.
@0xe6d7563e5aa249e3;

using C = import "/c.capnp";
using Scheduling = import "scheduling.capnp";
using Process = import "process.capnp";
using EndpointFile = import "endpoint.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

struct RingSizes {
  # Sizes of a thread's ring, powers of two; 0 takes the default of the system.

  submissionEntries @0 :UInt32; # default 64
  completionEntries @1 :UInt32; # default 128
  arenaBytes @2 :UInt32;        # default 65536
}

struct ThreadRequest {
  # All that a new thread is made of. Its ring is mapped by the kernel.

  entry @0 :UInt64;         # address of its first instruction, in the user half
  stackTop @1 :UInt64;      # first byte above its stack; a multiple of 16. 0: the kernel makes one
  argument @2 :UInt64;      # in its first argument register
  threadPointer @3 :UInt64; # base of its thread-local storage. 0: the kernel's choice with a stack
                            # that it makes, none with another
  ring @4 :RingSizes;
  scheduling @5 :Scheduling.SchedulingParameters;
  name @6 :Text;            # 1 to 32 of [a-z0-9_-]; appears in info. Absent: it has none
}

interface ThreadSpawner {
  # Makes threads in the process that holds it.
  # Lifetime: lives as long as its process.
  # Minted by: the kernel at spawn, for the process itself; it cannot be passed on.

  spawn @0 (request :ThreadRequest) -> (thread :ThreadHandle, ringAddress :UInt64);
  # Starts one thread, or changes nothing.
  # Units: bytes, addresses.
  # Errors: missingArgument; outOfRange (entry, stack or thread pointer outside the user half, ring
  # sizes, budget, a mask without a CPU); misaligned (stackTop); invalidName; widerThanSource
  # (priority above the caller's own; a caller with a budget); limitExceeded (threads of a process);
  # quotaExceeded (threads, ringBytes, frames, slots, outstandingCalls); outOfMemory.
  # Lifetime: until it exits or its process ends; dropping the handle leaves it running.
  # Minted by: the kernel at spawn.
}

interface ThreadHandle {
  # One thread, as seen from its own process or a supervisor.
  # Lifetime: outlives the thread and keeps its exit code.
  # Minted by: ThreadSpawner.spawn.

  setScheduling @0 (parameters :Scheduling.SchedulingParameters) -> ();
  # Changes how the thread competes for a CPU.
  # Units: see SchedulingParameters.
  # Errors: missingArgument; widerThanSource (priority above the caller's own; more time than the
  # thread has, asked by a caller with a budget); outOfRange; unsupported (a mask without the
  # thread's CPU, which stays the same); closed (the thread has ended).
  # Lifetime: until the next call of it; what the thread owes of its old budget it still owes.
  # Minted by: ThreadSpawner.spawn.

  getScheduling @1 () -> (parameters :Scheduling.SchedulingParameters);
  # How the thread competes for a CPU now.
  # Units: see SchedulingParameters.
  # Errors: closed (the thread has ended).
  # Lifetime: the answer is a snapshot.
  # Minted by: ThreadSpawner.spawn.

  wait @2 (timeoutNs :UInt64 = 0xffffffffffffffff) -> (kind :Process.ExitKind, code :Int32);
  # Completes when the thread has ended and all that it had is back. A thread that ends with its
  # process ends as that does.
  # Units: nanoseconds; 0 asks without waiting, the default waits for ever.
  # Errors: wouldBlock; timedOut; deadlock (a thread that waits for itself); quotaExceeded
  # (outstandingCalls); limitExceeded (room for the answer). CANCEL and a revocation end it.
  # Lifetime: may be asked any number of times.
  # Minted by: ThreadSpawner.spawn.

  interrupt @3 () -> (wasBlocked :Bool);
  # Makes a blocked cap_enter of the thread return, as if its time were over; its calls stay in
  # flight.
  # Units: none.
  # Errors: closed (the thread has ended).
  # Lifetime: when the thread is not blocked, its next cap_enter that would block returns at once,
  # one time.
  # Minted by: ThreadSpawner.spawn.

  info @4 () -> (threadId :UInt64, name :Text, cpuTimeNs :UInt64, blocked :Bool);
  # What the thread is and has used. The id is for people: it grants nothing. Of a thread with a
  # budget it is what was charged to that, by whomever it was lent to as well; of another what it ran
  # itself, up to the last time its CPU looked at the clock, a quantum ago at most. Threads that call
  # each other on one CPU have parts of a quantum in each other's time.
  # Units: nanoseconds.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: ThreadSpawner.spawn.
}

interface ThreadControl {
  # Steers the threads of the process that holds it, the calling one first of all.
  # Lifetime: lives as long as its process.
  # Minted by: the kernel at spawn, for the process itself; it cannot be passed on.

  self @0 () -> (thread :ThreadHandle);
  # A handle of the calling thread.
  # Units: none.
  # Errors: quotaExceeded (slots).
  # Lifetime: until it is released.
  # Minted by: the kernel at spawn.

  setScheduling @1 (thread :ThreadHandle, parameters :Scheduling.SchedulingParameters) -> ();
  # As ThreadHandle.setScheduling; a null thread is the calling one.
  # Units: see SchedulingParameters.
  # Errors: missingArgument; widerThanSource; outOfRange; closed; methodNotInFacet (the handle's
  # edge lacks setScheduling).
  # Lifetime: until the next call of it.
  # Minted by: the kernel at spawn.

  getScheduling @2 (thread :ThreadHandle) -> (parameters :Scheduling.SchedulingParameters);
  # As ThreadHandle.getScheduling; a null thread is the calling one.
  # Units: see SchedulingParameters.
  # Errors: closed; methodNotInFacet (the handle's edge lacks getScheduling).
  # Lifetime: the answer is a snapshot.
  # Minted by: the kernel at spawn.

  setThreadPointer @3 (address :UInt64) -> ();
  # Sets the base of the calling thread's thread-local storage.
  # Units: address in the user half.
  # Errors: outOfRange (not canonical, or in the kernel half).
  # Lifetime: until the next call of it.
  # Minted by: the kernel at spawn.

  setFaultEndpoint @4 (endpoint :EndpointFile.Endpoint) -> ();
  # Who is told when the calling thread faults; null leaves faults to end the process.
  # Units: none.
  # Errors: methodNotInFacet (the endpoint's edge lacks mint); limitExceeded (its messages are too
  # small for a FaultReport).
  # Lifetime: until the next call of it, or the endpoint's end.
  # Minted by: the kernel at spawn.

  createContext @5 (parameters :Scheduling.SchedulingParameters)
      -> (context :Scheduling.SchedulingContext);
  # A new scheduling context, its budget taken from the process's share of CPU time.
  # Units: see SchedulingParameters.
  # Errors: missingArgument; outOfRange; widerThanSource; quotaExceeded (cpuPermille, slots).
  # Lifetime: until its last edge and bound thread are gone.
  # Minted by: the kernel at spawn.

  yield @6 () -> ();
  # Lets other threads of the same priority run first.
  # Units: none.
  # Errors: none beyond those of every call.
  # Lifetime: one time.
  # Minted by: the kernel at spawn.
}
