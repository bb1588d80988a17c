# SPDX-License-Identifier: MIT
# The boot manifest: the authority graph and the binaries, in one message. docs/schema-evolution.md
# says how it may change.
@0xaa72d72db58521d3;

using C = import "/c.capnp";
using Authority = import "authority.capnp";
using Scheduling = import "scheduling.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

const currentSchemaVersion :UInt32 = 1;
# The version that this system writes. A reader refuses any other before it looks further.

const nameBytesMax :UInt32 = 32;
# Longest name of a service, grant, export or binary, bytes.

struct Manifest {
  # The root.

  schemaVersion @0 :UInt32;
  # Checked before anything else in the message is looked at.

  name @1 :Text;
  # Name of the system, for banners and reports.

  binaries @2 :List(Binary);
  # Every program, each used by at least one service.

  services @3 :List(Service);
  # The first one is init, which the kernel starts; init starts the others in this order.

  kernel @4 :KernelParameters;

  sourceHash @5 :Data;
  # SHA-256 of the sources that the manifest was made from, 32 bytes.
}

struct Binary {
  # One embedded program.

  name @0 :Text; # 1 to 32 of [a-z0-9_-], unique
  data @1 :Data; # an ELF image
}

struct Service {
  # One process to be started, and everything that it may do.

  name @0 :Text;
  # 1 to 32 of [a-z0-9_-], unique.

  binary @1 :Text;
  # Name of its program among the binaries.

  arguments @2 :List(Text);
  grants @3 :List(Grant);
  exports @4 :List(Export);
  quotas @5 :Authority.Quotas;
  restart @6 :RestartPolicy;
  scheduling @7 :Scheduling.SchedulingParameters;
}

struct Grant {
  # One capability that a service starts with.

  name @0 :Text;
  # Its name in the service's CapSet: 1 to 32 of [a-z0-9_-], unique in the service.

  source :union {
    # Where it comes from.

    kernel @1 :Text;
    # Name of a kernel object, like "console".

    service :group {
      # An export of another service.
      name @2 :Text;
      exportName @3 :Text;
    }
  }

  interfaceId @4 :UInt64;
  # The interface of the edge, equal to or a parent of the source's.

  facet @5 :Authority.Facet;
  # Required; never wider than what the source holds.

  badge @6 :UInt64;
  # Tells the server which client calls; 0 is none. Kernel objects take 0 only.

  transferMode @7 :Authority.TransferMode;
}

struct Export {
  # One interface that a service offers through an endpoint of its own.

  name @0 :Text;        # 1 to 32 of [a-z0-9_-], unique in the system
  interfaceId @1 :UInt64;
  facet @2 :Authority.Facet; # the widest facet that may be granted
  messageBytes @3 :UInt32 = 4096; # largest message, bytes, a multiple of 8
  capabilities @4 :UInt16 = 4;
  queueLength @5 :UInt32 = 64;
}

struct RestartPolicy {
  # What the supervisor does when a service ends.

  mode @0 :RestartMode;
  maxRestarts @1 :UInt32;  # within windowNs; more end the service for good
  windowNs @2 :UInt64;
  backoffNs @3 :UInt64;    # wait before each restart, nanoseconds
}

enum RestartMode {
  never @0;     # its end is final
  onFailure @1; # after a fault, a kill or an exit code other than 0
  always @2;
  essential @3; # its end ends the system, with its exit code
}

struct KernelParameters {
  # What the kernel itself is told.

  logLevel @0 :UInt8 = 2;      # as LogLevel: lines above it are dropped
  timerHz @1 :UInt32 = 1000;   # scheduler ticks per second
  maxCpus @2 :UInt16;          # 0 uses all
  logBytes @3 :UInt32 = 65536; # size of the log buffer
  haltOnInitExit @4 :Bool = true;
  # True: the machine powers off when init ends, with init's exit code.
}
