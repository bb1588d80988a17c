# SPDX-License-Identifier: MIT
# Memory: objects made of frames, and the address space that they are mapped into. No physical
# address and no kernel address ever appears in a message.
@0xe55b47993c69ed90;

using C = import "/c.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

const objectReadMax :UInt32 = 32768;
# Most bytes of one MemoryObject.read or write.

const contiguousMax :UInt32 = 16777216;
# Most bytes of a contiguous object.

enum Protection {
  # What a mapping allows. Writable and executable at once cannot be said.

  none @0;
  read @1;
  readWrite @2;
  readExecute @3;
}

interface FrameAllocator $C.name("frame_allocator") {
  # Turns quota into memory objects.
  # Lifetime: lives as long as the machine.
  # Minted by: the kernel for init; the manifest's grants from there on.

  allocate @0 (sizeBytes :UInt64, contiguous :Bool) -> (object :MemoryObject);
  # Makes an object of zeroed frames, charged to the caller's frames.
  # Units: bytes, a multiple of 4096; contiguous asks for one physical run, of contiguousMax at most,
  # which is searched for and zeroed before the answer comes.
  # Errors: outOfRange (size 0, above the most that an object has, or that a contiguous one has);
  # misaligned; quotaExceeded (frames); outOfMemory (no run that long, or no frames);
  # revokedCapability (the allocator's edge, meanwhile).
  # Lifetime: the frames return to the caller's quota when the last edge, mapping and use ends.
  # Minted by: the manifest.

  info @1 () -> (freeFrames :UInt64, chargedFrames :UInt64, limitFrames :UInt64);
  # Frames free in the machine, charged to the caller, and the caller's limit.
  # Units: frames of 4096 bytes.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: the manifest.
}

interface MemoryObject {
  # A run of zeroed or filled bytes that can be mapped, read, written and passed on. What a holder
  # may do with it is its facet: mapRead, mapWrite and mapExecute are tested when the object is an
  # argument of VirtualMemory.map.
  # An edge may be for a slice: then sizes and offsets, in every method and wherever else the object
  # is named by that edge, are those of the slice.
  # Lifetime: lives while an edge, a mapping or a registered ring arena uses it.
  # Minted by: FrameAllocator.allocate; BootPackage.binary; MemoryObject.slice.

  info @0 () -> (sizeBytes :UInt64, contiguous :Bool, mappings :UInt32);
  # Size, layout, and how many mappings there are now that show a page of it.
  # Units: bytes.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: whoever minted the object.

  read @1 (offset :UInt64, maxBytes :UInt32) -> (bytes :Data);
  # Copies bytes out of the object; fewer than maxBytes only at its end.
  # Units: bytes; maxBytes at most objectReadMax.
  # Errors: outOfRange (offset beyond the end, maxBytes 0 or too large).
  # Lifetime: the copy belongs to the caller.
  # Minted by: whoever minted the object.

  write @2 (offset :UInt64, bytes :Data) -> ();
  # Copies bytes into the object, all or nothing.
  # Units: bytes; at most objectReadMax in one call.
  # Errors: missingArgument; outOfRange (the bytes would pass the end).
  # Lifetime: visible to every mapping when the call completes.
  # Minted by: whoever minted the object; boot images are minted without it.

  mapRead @3 () -> ();
  # The right to map the object readable, and to PARK on it; tested by VirtualMemory.map.
  # Units: none.
  # Errors: opcodeOnly when it is called.
  # Lifetime: as the edge.
  # Minted by: whoever minted the object.

  mapWrite @4 () -> ();
  # The right to map the object writable; tested by VirtualMemory.map and protect.
  # Units: none.
  # Errors: opcodeOnly when it is called.
  # Lifetime: as the edge.
  # Minted by: whoever minted the object; boot images are minted without it.

  mapExecute @5 () -> ();
  # The right to map the object executable; tested by VirtualMemory.map and protect.
  # Units: none.
  # Errors: opcodeOnly when it is called.
  # Lifetime: as the edge.
  # Minted by: whoever minted the object.

  slice @6 (offset :UInt64, sizeBytes :UInt64) -> (object :MemoryObject);
  # An edge for a part of what this edge is for, over the same frames and with the same facet, right
  # to grant and delegation; DUP, or the way of passing it on, narrows the facet. Its badge says
  # which pages of the whole object it is for: the first in the upper 32 bits, how many below.
  # Units: bytes, multiples of 4096.
  # Errors: misaligned; outOfRange (sizeBytes 0, or beyond the end).
  # Lifetime: ends with the delegation of the edge it was made through; keeps the frames of the
  # whole object alive, and charged to whoever allocated it.
  # Minted by: whoever minted the object.
}

struct MemoryRegion {
  # One run of pages of an address space that were mapped or reserved together.

  address @0 :UInt64;     # first byte; a multiple of 4096
  sizeBytes @1 :UInt64;   # a multiple of 4096
  protection @2 :Protection;
  committed @3 :Bool;     # false: reserved only, a touch is a fault
  shared @4 :Bool;        # true: backed by a MemoryObject; false: private and anonymous
  objectOffset @5 :UInt64; # offset of the first byte in what was mapped, bytes; 0 when not shared
}

interface VirtualMemory $C.name("virtual_memory") {
  # The address space of one process. Every change is whole or not at all, and its completion
  # comes after the last CPU has seen it.
  # Lifetime: lives as long as its process; calls after that answer peerDied.
  # Minted by: the kernel, one for each process that its manifest or parent grants it to.

  map @0 (object :MemoryObject, objectOffset :UInt64, sizeBytes :UInt64, protection :Protection,
          addressHint :UInt64, fixed :Bool) -> (address :UInt64);
  # Maps a range of a memory object, or private zeroed memory when the object is null.
  # Units: bytes, multiples of 4096; addressHint 0 leaves the choice to the kernel.
  # Errors: misaligned; outOfRange (beyond the object or the user half); alreadyExists (fixed, and
  # something is there); methodNotInFacet (the object's edge lacks mapRead, mapWrite or
  # mapExecute); quotaExceeded (frames).
  # Lifetime: until unmap, revocation of the object's edge, or the end of the process.
  # Minted by: the kernel at spawn.

  unmap @1 (address :UInt64, sizeBytes :UInt64) -> ();
  # Removes every mapping and reservation in the range.
  # Units: bytes, multiples of 4096.
  # Errors: misaligned; outOfRange; notFound (nothing is there); busy (a ring or a StartInfo page, or
  # another change or a revocation is at work there); limitExceeded (regions of the space, mappings of
  # the object: the range begins or ends within one).
  # Lifetime: frames return once every CPU has dropped them; the completion waits for that.
  # Minted by: the kernel at spawn.

  protect @2 (address :UInt64, sizeBytes :UInt64, protection :Protection) -> ();
  # Changes what the range allows.
  # Units: bytes, multiples of 4096.
  # Errors: misaligned; notFound (a hole in the range); methodNotInFacet (the object was mapped
  # through an edge without that right); revokedCapability (the edge it was mapped through was taken
  # back: unmap it); busy; limitExceeded as for unmap.
  # Lifetime: until the next protect or unmap.
  # Minted by: the kernel at spawn.

  reserve @3 (sizeBytes :UInt64, addressHint :UInt64, fixed :Bool) -> (address :UInt64);
  # Keeps a range of addresses free without memory behind it.
  # Units: bytes, multiples of 4096.
  # Errors: misaligned; outOfRange; alreadyExists (fixed).
  # Lifetime: until unmap.
  # Minted by: the kernel at spawn.

  commit @4 (address :UInt64, sizeBytes :UInt64, protection :Protection) -> ();
  # Puts zeroed private memory behind reserved addresses.
  # Units: bytes, multiples of 4096.
  # Errors: misaligned; notFound (not reserved); alreadyExists (committed before); quotaExceeded
  # (frames); outOfMemory.
  # Lifetime: until decommit or unmap.
  # Minted by: the kernel at spawn.

  decommit @5 (address :UInt64, sizeBytes :UInt64) -> ();
  # Gives the memory back and keeps the addresses reserved; the contents are lost.
  # Units: bytes, multiples of 4096.
  # Errors: misaligned; notFound (not committed, or backed by an object).
  # Lifetime: as unmap.
  # Minted by: the kernel at spawn.

  query @6 (address :UInt64) -> (region :MemoryRegion);
  # The region that holds the address, or the next one above it.
  # Units: bytes.
  # Errors: notFound (nothing at or above the address).
  # Lifetime: the answer is a snapshot.
  # Minted by: the kernel at spawn.
}
