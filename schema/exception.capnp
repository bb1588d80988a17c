# SPDX-License-Identifier: MIT
# What a refused call answers: one typed reason, the argument that was refused, and the numbers.
@0x86b2abeeeb9b0142;

using C = import "/c.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

enum Reason {
  # Why a call was refused or broken. The numbers are stable: new reasons are added at the end.
  # The same numbers stand in the refusal detail of a completion (abi/).

  none @0;                 # not an error; never sent
  malformedMessage @1;     # the parameters cannot be decoded, or use up the decoding budget
  unknownMethod @2;        # the interface has no method with this number
  methodNotInFacet @3;     # the edge exists but its facet does not include this method
  staleCapability @4;      # the id names no live edge: released, moved or never there
  revokedCapability @5;    # the edge was derived from a grant that has been revoked
  wrongInterface @6;       # the edge holds an object of another interface
  missingCapability @7;    # a capability argument is null or was not passed
  missingArgument @8;      # a required text, data, list or structure is absent
  invalidArgument @9;      # the value has no meaning for this call
  outOfRange @10;          # the value lies beyond what the object holds; limit and amount tell
  misaligned @11;          # an address, offset or length is not a multiple of limit
  invalidName @12;         # empty, longer than limit, or outside [a-z0-9_-]
  alreadyExists @13;       # the name, slot or address is taken
  notFound @14;            # nothing has this name, index or address
  quotaExceeded @15;       # a ledger of the payer is used up; limitName is the ledger
  limitExceeded @16;       # a fixed limit of the system; limitName names it
  outOfMemory @17;         # no free frames, although the quota would allow it
  notGrantable @18;        # the edge lacks the right to grant
  widerThanSource @19;     # a derived facet, mode or quota asks for more than its source holds
  busy @20;                # the object is in a state that excludes this call
  wouldBlock @21;          # a call that must not wait would have to
  timedOut @22;            # the time given in the call has passed
  cancelled @23;           # CANCEL, or the caller's ring was closed
  interrupted @24;         # ThreadHandle.interrupt woke the waiting thread
  brokenAnswer @25;        # the answer that this call was pipelined on failed or was finished
  peerDied @26;            # the process that would have answered is gone
  peerRestarted @27;       # the service was restarted; ask its supervisor for a new capability
  unsupportedVersion @28;  # a version number that this system does not know
  badImage @29;            # not a loadable ELF image; detail says which rule it breaks
  notSeekable @30;         # the object has no position
  notOwner @31;            # the caller does not hold the lock, token or role that this needs
  deadlock @32;            # the caller would wait for itself
  closed @33;              # the object was closed or destroyed by its owner
  messageTooLarge @34;     # longer than the endpoint's largest message, which is limit
  tooManyCapabilities @35; # more than the endpoint takes in one message, which is limit
  permissionDenied @36;    # a rule about inheritance or delegation forbids it
  unsupported @37;         # the object knows the method but cannot do it here
  writableAndExecutable @38; # memory may be one of the two, never both
  opcodeOnly @39;          # the method is performed through a ring opcode, not through CALL
}

struct CapException $C.name("cap_exception") {
  # The body of a completion whose status says "exception". It belongs to the call that it answers
  # and is valid until the arena space that it lies in is reused.

  reason @0 :Reason;
  # Why; never none.

  method @1 :UInt16;
  # Number of the refused method within interfaceId.

  argumentIndex @2 :UInt16 = 0xffff;
  # Index of the refused argument within the method's parameters; 0xffff when no single argument
  # is to blame.

  interfaceId @3 :UInt64;
  # The interface of the refused call.

  argument @4 :Text;
  # Name of the refused argument, as in the schema; a path like "request.grants[2].name" when it
  # lies deeper. Absent when no single argument is to blame.

  limitName @5 :Text;
  # Name of the limit or ledger that refused, for quotaExceeded, limitExceeded and outOfRange.

  limit @6 :UInt64;
  # What would have been allowed, in the units of the argument; for quotaExceeded the ledger's limit,
  # less what was given to children.

  amount @7 :UInt64;
  # What was asked for, in the same units.

  object @8 :Text;
  # Manifest name of the object or service that refused.

  detail @9 :Text;
  # One sentence for a person. Programs decide by reason, never by this text.
}
