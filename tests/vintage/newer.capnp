# SPDX-License-Identifier: MIT
# The manifest's schema as a later version might have it: every structure and enum has something
# more. It stands alone; what matters is that numbers and places are those of schema/.
@0xdc8f21542adc4cbf;

enum TransferMode { none @0; copy @1; move @2; copyGrantable @3; moveGrantable @4; lend @5; }
enum RestartMode { never @0; onFailure @1; always @2; essential @3; onTuesdays @4; }

struct Facet {
  union {
    all @0 :Void;
    methods @1 :UInt64;
    named @2 :List(Text);
  }
  newer @3 :UInt64;
}

struct Quotas {
  slots @0 :UInt32;
  frames @1 :UInt32;
  ringBytes @2 :UInt32;
  endpointQueue @3 :UInt32;
  outstandingCalls @4 :UInt32;
  scratchBytes @5 :UInt32;
  threads @6 :UInt32;
  logBytes @7 :UInt32;
  grantNodes @8 :UInt32;
  cpuPermille @9 :UInt16 = 1000;
  newer @10 :UInt16;
  newerText @11 :Text;
}

struct SchedulingParameters {
  priority @0 :UInt8;
  budgetNs @1 :UInt64;
  periodNs @2 :UInt64;
  cpuMask @3 :UInt64 = 0xffffffffffffffff;
  newer @4 :UInt64;
}

struct Manifest {
  schemaVersion @0 :UInt32;
  name @1 :Text;
  binaries @2 :List(Binary);
  services @3 :List(Service);
  kernel @4 :KernelParameters;
  sourceHash @5 :Data;
  newer @6 :List(Text);
  newerNumber @7 :UInt64;
}

struct Binary {
  name @0 :Text;
  data @1 :Data;
  newer @2 :Data;
  newerNumber @3 :UInt8;
}

struct Service {
  name @0 :Text;
  binary @1 :Text;
  arguments @2 :List(Text);
  grants @3 :List(Grant);
  exports @4 :List(Export);
  quotas @5 :Quotas;
  restart @6 :RestartPolicy;
  scheduling @7 :SchedulingParameters;
  newer @8 :Quotas;
}

struct Grant {
  name @0 :Text;
  source :union {
    kernel @1 :Text;
    service :group {
      name @2 :Text;
      exportName @3 :Text;
    }
    remote @8 :Text;
  }
  interfaceId @4 :UInt64;
  facet @5 :Facet;
  badge @6 :UInt64;
  transferMode @7 :TransferMode;
  newer @9 :Bool;
  newerText @10 :Text;
}

struct Export {
  name @0 :Text;
  interfaceId @1 :UInt64;
  facet @2 :Facet;
  messageBytes @3 :UInt32 = 4096;
  capabilities @4 :UInt16 = 4;
  queueLength @5 :UInt32 = 64;
  newer @6 :UInt64 = 5;
}

struct RestartPolicy {
  mode @0 :RestartMode;
  maxRestarts @1 :UInt32;
  windowNs @2 :UInt64;
  backoffNs @3 :UInt64;
  newer @4 :Text;
}

struct KernelParameters {
  logLevel @0 :UInt8 = 2;
  timerHz @1 :UInt32 = 1000;
  maxCpus @2 :UInt16;
  logBytes @3 :UInt32 = 65536;
  haltOnInitExit @4 :Bool = true;
  newer @5 :Bool = true;
  newerNumber @6 :UInt64;
}
