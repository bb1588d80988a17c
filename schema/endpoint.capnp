# SPDX-License-Identifier: MIT
# Endpoints: where a server receives the calls that its clients make.
@0xff46bed4481eccce;

using C = import "/c.capnp";
using Authority = import "authority.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

struct EndpointLimits {
  # Fixed when an endpoint is made; RECV and CALL reserve by them, so that delivery cannot fail.

  messageBytes @0 :UInt32 = 4096; # largest message, bytes, a multiple of 8
  capabilities @1 :UInt16 = 4;    # most capabilities in one message
  queueLength @2 :UInt32 = 64;    # calls that may wait for a receiver
}

interface Endpoint {
  # The owner's side of a service. Clients hold edges of the service's own interface to the same
  # object; those carry a badge and are minted here.
  # Lifetime: lives while an owner edge lives; after that its clients get peerDied.
  # Minted by: EndpointFactory.create; the manifest, for each export of a service.

  receive @0 () -> ();
  # The right to take calls; performed through the opcodes RECV and RETURN_RECV.
  # Units: none.
  # Errors: opcodeOnly when it is called.
  # Lifetime: as the edge.
  # Minted by: whoever minted the endpoint.

  answer @1 () -> ();
  # The right to answer a call that was taken; performed through RETURN and RETURN_RECV.
  # Units: none.
  # Errors: opcodeOnly when it is called.
  # Lifetime: as the edge.
  # Minted by: whoever minted the endpoint.

  mint @2 (interfaceId :UInt64, facet :Authority.Facet, badge :UInt64,
           transferMode :Authority.TransferMode) -> (client :Capability);
  # Makes a client edge: a session, if its badge is not 0. When the last edge and call of a badge
  # are gone, the owner receives CLOSED with the badge, once.
  # Units: none.
  # Errors: missingArgument (facet absent); invalidArgument (interfaceId 0); quotaExceeded
  # (endpointQueue, of which a badge takes one until CLOSED was received; slots); alreadyExists
  # (badge in use and not 0); limitExceeded (badges of one endpoint).
  # Lifetime: the edge is the caller's until it passes it on.
  # Minted by: whoever minted the endpoint.

  info @3 () -> (limits :EndpointLimits, waitingCalls :UInt32, waitingReceivers :UInt32,
                 openBadges :UInt32);
  # The endpoint's limits and its queues now.
  # Units: calls, receivers, badges.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: whoever minted the endpoint.
}

interface EndpointFactory {
  # Makes endpoints, charged to the caller.
  # Lifetime: lives as long as the machine.
  # Minted by: the kernel for init; the manifest's grants from there on.

  create @0 (limits :EndpointLimits) -> (endpoint :Endpoint);
  # A new endpoint with these limits.
  # Units: see EndpointLimits.
  # Errors: outOfRange (a limit of 0, or beyond the system's); quotaExceeded (endpointQueue, of
  # which an endpoint takes its queueLength and one more, scratchBytes, slots).
  # Lifetime: until the last owner edge is released.
  # Minted by: the manifest.
}
