# SPDX-License-Identifier: MIT
# Processes: making them with exactly the authority that they are given, and watching them end.
@0xaae0872e06ab25f5;

using C = import "/c.capnp";
using Authority = import "authority.capnp";
using Memory = import "memory.capnp";
using Scheduling = import "scheduling.capnp";
using EndpointFile = import "endpoint.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

struct SpawnGrant {
  # One capability that the child starts with.

  name @0 :Text;
  # Its name in the child's CapSet: 1 to 32 of [a-z0-9_-], unique in the list.

  capability @1 :Capability;
  # The caller's edge that the child's is derived from.

  facet @2 :Authority.Facet;
  # Methods of the child's edge, of the source edge's own at most. Absent: the source's facet.

  badge @3 :UInt64;
  # Badge of the child's edge; 0 keeps the source's. Another value needs an owner's edge.

  transferMode @4 :Authority.TransferMode;
  # What the child may do with its edge besides calling.

  exactSlot @5 :UInt32 = 0xffffffff;
  # Slot in the child's table, below 256: of the descriptor window, where nothing has the right to
  # grant. 0xffffffff takes any beyond the window.
}

struct SpawnRequest {
  # All that a new process is made of.

  name @0 :Text;
  # Manifest name, 1 to 32 of [a-z0-9_-]; appears in every report about the process.

  image :union {
    # Where its program comes from.
    bootBinary @1 :UInt32;           # index in the boot package's binaries
    object @2 :Memory.MemoryObject;  # an ELF image whose headers lie in its first page; the edge
                                     # needs MemoryObject.read
  }

  grants @3 :List(SpawnGrant);
  # At most LIMIT_GRANTS; the child holds these and nothing else.

  arguments @4 :List(Text);
  # Handed to the program as they are; with their list at most half a page.

  quotas @5 :Authority.Quotas;
  # Donated from the caller's ledger.

  scheduling @6 :Scheduling.SchedulingParameters;
  # Of the first thread.

  faultEndpoint @7 :EndpointFile.Endpoint;
  # Who decides about faults of the child's threads (FaultHandler in fault.capnp): an owner's edge
  # with mint, or a client's of the interface FaultHandler, whose badge then tells whose faults they
  # are. Null leaves faults to end the process.

  inheritDescriptors @8 :Bool;
  # True: the caller's slots 0 to 255 are inherited as well, each without the right to grant.

  restartCount @9 :UInt32;
  # How often its supervisor has started this service before; shown in reports.
}

enum ExitKind {
  # How a process or thread ended.

  running @0; # it has not
  exited @1;  # by exit(), or by returning from main
  killed @2;  # by ProcessHandle.kill or the end of its last thread's supervisor
  faulted @3; # by a processor exception
}

enum FaultCause {
  # Why the processor refused to go on.

  other @0;
  page @1;          # memory that is not mapped, or not for this access
  privilege @2;     # an instruction, segment or gate that is the kernel's alone
  address @3;       # an address that no program can have
  divide @4;        # by zero, or the quotient does not fit
  instruction @5;   # none that the processor knows
  alignment @6;
  floatingPoint @7;
  breakpoint @8;    # the instruction pointer is behind it
}

enum FaultAccess {
  # What a thread tried to do with memory.

  none @0; # the cause is another than page
  read @1;
  write @2;
  execute @3;
}

struct FaultReport {
  # What the processor said when a thread faulted.

  kind @0 :Text;               # in words, like "page fault"
  vector @1 :UInt16;           # the processor's number
  address @2 :UInt64;          # of the access, for page faults
  instructionPointer @3 :UInt64;
  stackPointer @4 :UInt64;
  threadId @5 :UInt64;
  cause @6 :FaultCause;
  access @7 :FaultAccess;
  mapped @8 :Bool;             # for page faults: the page is there, without the right
}

struct ExitReport {
  # The end of a process.

  kind @0 :ExitKind;
  code @1 :Int32;          # exit code; for killed, the code that kill was given
  fault @2 :FaultReport;   # present when kind is faulted
  cpuTimeNs @3 :UInt64;    # that its threads used (ThreadHandle.info), nanoseconds
  peakFrames @4 :UInt32;   # most frames it held at one time
}

interface ProcessHandle {
  # A process as seen by who supervises it. Holding it does not let one act as the process.
  # Lifetime: outlives the process, keeps its exit report, and costs one slot until released.
  # Minted by: ProcessSpawner.spawn.

  wait @0 (timeoutNs :UInt64 = 0xffffffffffffffff) -> (exit :ExitReport);
  # Completes when the process has ended and its memory is back in the ledger.
  # Units: nanoseconds; 0 asks without waiting, the default waits for ever.
  # Errors: wouldBlock; timedOut; quotaExceeded (outstandingCalls); limitExceeded (less room for the
  # answer than 512 bytes of the arena). CANCEL and a revocation end it.
  # Lifetime: the report may be asked for any number of times.
  # Minted by: ProcessSpawner.spawn.

  kill @1 (code :Int32) -> ();
  # Ends the process; completes when no thread of it can run any more. Killing a process that is
  # ending changes nothing of how it ends; who asks is told when its threads have stopped. CANCEL
  # and a revocation end the waiting, not what was begun.
  # Units: none.
  # Errors: quotaExceeded (outstandingCalls: nothing was done), limitExceeded (room for the answer,
  # as wait: nothing was done).
  # Lifetime: final.
  # Minted by: ProcessSpawner.spawn.

  info @2 () -> (pid :UInt64, name :Text, kind :ExitKind, threads :UInt32, slots :UInt32,
                 frames :UInt32, restartCount :UInt32, quotas :Authority.Quotas);
  # What the process is and uses now. The pid is for people: it is never reused and grants nothing.
  # Units: frames of 4096 bytes.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: ProcessSpawner.spawn.

  give @3 () -> ();
  # The right to put capabilities into the process's table. It is used through the opcode TRANSFER
  # with this handle as the target, never through CALL.
  # Units: none.
  # Errors: opcodeOnly.
  # Lifetime: what was given stays with the process when the handle is gone.
  # Minted by: ProcessSpawner.spawn.
}

interface ProcessSpawner {
  # Makes processes out of images and of capabilities that the caller holds.
  # Lifetime: lives as long as the machine.
  # Minted by: the kernel for init; the manifest's grants from there on.

  spawn @0 (request :SpawnRequest) -> (process :ProcessHandle);
  # Starts one process, or changes nothing.
  # Units: see the fields of SpawnRequest.
  # Errors: missingArgument (request, name, quotas); invalidName; alreadyExists (two grants of one
  # name or slot); notFound (bootBinary); badImage; staleCapability, revokedCapability (a grant's
  # source); widerThanSource (facet, transfer mode, quotas, priority); notGrantable (a grant);
  # permissionDenied (a descriptor that may not be inherited, or a grant at a slot of the window with
  # the right to grant); outOfRange (exactSlot, budget, a mask without a CPU); wrongInterface,
  # methodNotInFacet (image.object, faultEndpoint); notGrantable (faultEndpoint: a client's edge that
  # may not be copied); limitExceeded (grants, arguments; faultEndpoint: its messages are too small);
  # quotaExceeded; outOfMemory.
  # Lifetime: the process lives until it ends or is killed; dropping the handle leaves it running.
  # Minted by: the manifest.
}
