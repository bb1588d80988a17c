# SPDX-License-Identifier: MIT
# The vocabulary of authority: transfer modes, facets, quotas. It has structures only, so nothing
# here can be called.
@0xa31a379d6821b01d;

using C = import "/c.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

enum TransferMode {
  # What the holder of an edge may do with it besides calling. The numbers equal those in abi/.

  none @0;          # may be called, not passed on
  copy @1;          # may be passed on as a copy; the receiver's edge is of mode none
  move @2;          # may be passed on once, leaving the sender
  copyGrantable @3; # as copy, and the receiver may get the right to pass it on as well
  moveGrantable @4; # as move, and the receiver keeps the right to pass it on
}

struct Facet {
  # The methods that an edge may call, of one interface's own methods. Bit n stands for method
  # number n. Inherited methods are reached through an upcast edge of the parent interface.

  union {
    all @0 :Void;       # every method, those added to the interface later included
    methods @1 :UInt64; # exactly these; zero is an edge that can be held and passed on only
  }
}

struct Quotas {
  # What a process may use at most, all hard limits. A parent donates them from its own ledger and
  # gets back what is unused, and what was used as it is released. Zero means none of it.

  slots @0 :UInt32;            # capability table slots
  frames @1 :UInt32;           # frames of 4096 bytes, page tables included
  ringBytes @2 :UInt32;        # rings and their arenas, bytes
  endpointQueue @3 :UInt32;    # endpoints made, calls that may wait at them, and badges minted
  outstandingCalls @4 :UInt32; # calls sent and not yet completed
  scratchBytes @5 :UInt32;     # kernel scratch for parameters and results, bytes
  threads @6 :UInt32;          # threads, the first included
  logBytes @7 :UInt32;         # bytes written to the console in one second
  grantNodes @8 :UInt32;       # delegations that may be live at one time
  cpuPermille @9 :UInt16 = 1000; # share of one CPU, thousandths
}
