# SPDX-License-Identifier: MIT
# Faults: who is told when a thread does what the processor refuses, and what then becomes of it.
@0xbb44fb329433f4b7;

using C = import "/c.capnp";
using Process = import "process.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

const faultMessageBytes :UInt32 = 256;
# Least message size of an endpoint that is told of faults.

enum FaultAction {
  # What becomes of a thread that faulted.

  endProcess @0; # it ends as faulted, with a report: what happens without a handler too
  endThread @1;  # the thread ends as faulted, its process lives on if it has another one
  resume @2;     # it goes on where it was: whoever removed the cause lets it try again
}

interface FaultHandler $C.name("fault_handler") {
  # What the kernel calls for a process that was spawned with a fault endpoint. An ordinary service
  # too: whoever holds such a capability may call it.
  # Lifetime: as the endpoint behind it.
  # Minted by: Endpoint.mint; the kernel, for the owner's edge named as SpawnRequest.faultEndpoint.

  fault @0 (process :Text, pid :UInt64, report :Process.FaultReport) -> (action :FaultAction);
  # A thread has faulted and is stopped until this is answered. The message is the kernel's: nothing
  # of it comes from the process but what its thread did. The call gives the handler no capability
  # and no way into the process. An exception, and an answer that cannot be read, mean endProcess. So
  # do an endpoint that is gone or full, a revoked edge, and a handler that ends without an answer.
  # Units: see FaultReport.
  # Errors: none beyond those of every call.
  # Lifetime: WATCH tells when the process was killed meanwhile; the answer is then CANCELLED.
  # Minted by: as the interface.
}
