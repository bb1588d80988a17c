# SPDX-License-Identifier: MIT
# What a process may learn about the capabilities that it holds itself.
@0xf1ec99332588aa8b;

using C = import "/c.capnp";
using Authority = import "authority.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

const listMax :UInt32 = 64;
# Most edges of one CapabilityManager.list, and steps of one why.

enum EdgeOrigin {
  # How an edge came into the table. The numbers equal those in abi/.

  manifest @0;  # by the boot manifest
  spawn @1;     # as a grant of the process that spawned the holder
  transfer @2;  # as an argument of a call that the holder received
  result @3;    # as a result of a call that the holder made
  duplicate @4; # by DUP of another edge of the holder
  kernel @5;    # made by the kernel for this process itself
}

struct EdgeInfo {
  # One slot of the caller's own table.

  capId @0 :UInt64;       # slot in the low 20 bits, generation in the high 44
  interfaceId @1 :UInt64;
  facet @2 :Authority.Facet;
  badge @3 :UInt64;
  transferMode @4 :Authority.TransferMode;
  origin @5 :EdgeOrigin;
  objectName @6 :Text;    # manifest name of the object
  revoked @7 :Bool;       # true: it resolves no more and waits to be released
  grantDepth @8 :UInt16;  # delegations between the object's first owner and this edge
  closeOnSpawn @9 :Bool;  # of a descriptor: a spawn that inherits descriptors leaves it out
}

struct ProvenanceStep {
  # One step on the way of an edge to its holder, the youngest first.

  origin @0 :EdgeOrigin;
  fromProcess @1 :Text;   # manifest name of the process that it came from
  fromPid @2 :UInt64;     # never reused; for people
  manifestLine @3 :Text;  # like "services.shell.grants[2]", for manifest and spawn
  interfaceId @4 :UInt64; # of the call that carried it, for transfer and result
  method @5 :UInt16;      # of the call that carried it
  atNs @6 :UInt64;        # when, nanoseconds since boot
}

struct LedgerLine {
  # One account of the caller's ledger.

  name @0 :Text;
  used @1 :UInt64;
  limit @2 :UInt64;
  peak @3 :UInt64;
  donated @4 :UInt64;    # given on to children, part of used
}

interface Delegation {
  # The handle of one delegation: whoever holds it can take back, at one stroke, the edge that
  # DELEGATE made and everything that was derived from it, through any number of hands. Copies of the
  # handle are handles of the same delegation. When the last one is released without a revoke, the
  # delegation can never be revoked by itself any more, only with those above it.
  # Lifetime: keeps the delegated object alive until its last handle is released.
  # Minted by: the opcode DELEGATE.

  revoke @0 () -> ();
  # The right to revoke. It is used through the opcode REVOKE, never through CALL.
  # Units: none.
  # Errors: opcodeOnly.
  # Lifetime: final.
  # Minted by: DELEGATE.

  info @1 () -> (revoked :Bool, depth :UInt16, below :UInt32, interfaceId :UInt64);
  # Whether it was revoked, how many delegations lie between the object and it (itself counted), how
  # many lie below it, and the interface that was delegated.
  # Units: delegations.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: DELEGATE.
}

interface CapabilityManager {
  # The caller's own table, told to itself. It tells nothing about anybody else's.
  # Lifetime: lives as long as its process.
  # Minted by: the kernel at spawn, for the process itself, if its manifest or parent grants it.

  list @0 (firstSlot :UInt32, maxEdges :UInt32) -> (edges :List(EdgeInfo), nextSlot :UInt32);
  # Live edges from firstSlot on, in the order of their slots. nextSlot 0 means that there are no
  # more; an answer may hold fewer edges than asked for, or none, and still name a nextSlot. Slots
  # that change between two calls may be missed or seen, never seen twice.
  # Units: slots; maxEdges 1 to listMax.
  # Errors: outOfRange (maxEdges).
  # Lifetime: the answer is a snapshot.
  # Minted by: the kernel at spawn.

  why @1 (capId :UInt64, maxSteps :UInt16 = 16) -> (steps :List(ProvenanceStep), complete :Bool);
  # Through whom the caller came to hold this edge. complete is false when there are more steps, or
  # when the edge that a step came from is gone, and its own history with it.
  # Units: steps; at most listMax.
  # Errors: staleCapability; outOfRange (maxSteps).
  # Lifetime: the answer is a snapshot.
  # Minted by: the kernel at spawn.

  census @2 () -> (slotsUsed :UInt32, slotsRetired :UInt32, revoked :UInt32, callsOut :UInt32,
                   callsIn :UInt32, grantNodes :UInt32);
  # How many of each there are now; revoked are those that wait to be released, grantNodes the handles
  # of delegations held.
  # Units: slots, edges, calls, delegations.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: the kernel at spawn.

  ledger @3 () -> (lines :List(LedgerLine));
  # Every account of the caller's ledger.
  # Units: those of Quotas.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: the kernel at spawn.

  setCloseOnSpawn @4 (capId :UInt64, closeOnSpawn :Bool) -> ();
  # Whether a spawn that inherits descriptors leaves this descriptor out, as SQE_CLOSE_ON_SPAWN says
  # when DUP makes one. The edge stays what it is, under its id.
  # Units: none.
  # Errors: outOfRange (no descriptor: its slot is not below 256); staleCapability;
  # revokedCapability.
  # Lifetime: until the next call of it, or the edge's end; a copy of the edge begins without.
  # Minted by: the kernel at spawn.
}
