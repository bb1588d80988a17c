# SPDX-License-Identifier: MIT
# A weather station and its measurements: the schema of the five-minute example.
@0xd3b4c2a190f8e765;

enum Unit {
  celsius @0;
  hectopascal @1;
  percent @2;
}

struct Measurement {
  # One value, as it was read.
  unit @0 :Unit;
  thousandths @1 :Int32;
}

struct Report {
  # What a station sends every hour.
  station @0 :Text;
  hour @1 :UInt64;
  battery @2 :UInt8 = 100;
  measurements @3 :List(Measurement);

  state :union {
    # How the station is.
    fine @4 :Void;
    broken @5 :Text;
  }
}

interface Station {
  # Something that one may ask for a report.
  latest @0 (maxMeasurements :UInt32 = 10) -> (report :Report);
}
