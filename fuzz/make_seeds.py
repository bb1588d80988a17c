# SPDX-License-Identifier: MIT
"""Writes the hand-made seeds of the ELF, boot information, submission, dispatcher and
grants corpora.

Usage: make_seeds.py [FOLDER], FOLDER being fuzz/corpus. The seeds are valid input in its main
shapes; what a fuzzer finds from there is added to the corpus beside them, merged to small size.
"""
import pathlib
import struct
import sys


def elf(segments, entry=0x400100, size=0x200, header=b""):
    """A file of `size` bytes with these program headers: (type, flags, offset, address, file size,
    memory size, alignment)."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, entry, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    for kind, flags, offset, address, file_size, memory_size, align in segments:
        head += struct.pack("<IIQQQQQQ", kind, flags, offset, address, address, file_size,
                            memory_size, align)
    return (header + head[len(header):]).ljust(size, b"\x90")[:size]


LOAD, INTERPRETER, TLS, STACK = 1, 3, 7, 0x6474E551
READ, WRITE, EXECUTE = 4, 2, 1
TEXT = (LOAD, READ | EXECUTE, 0, 0x400000, 0x200, 0x200, 0x1000)

ELF_SEEDS = {
    "text": elf([TEXT]),
    "text-data": elf([TEXT, (LOAD, READ | WRITE, 0x180, 0x401180, 0x80, 0x3000, 0x1000)]),
    "three": elf([TEXT, (LOAD, READ, 0x100, 0x402100, 0x80, 0x80, 0x1000),
                  (LOAD, READ | WRITE, 0, 0x404000, 0, 0x2000, 0x1000)]),
    "tls": elf([TEXT, (TLS, READ, 0x110, 0x400110, 0x20, 0x48, 16)]),
    "tls-zero": elf([TEXT, (TLS, READ, 0, 0, 0, 0x48, 8)]),
    "stack": elf([TEXT, (STACK, READ | WRITE, 0, 0, 0, 0, 16)]),
    "interpreter": elf([TEXT, (INTERPRETER, READ, 0x100, 0x400100, 0x10, 0x10, 1)]),
    "overlap": elf([TEXT, (LOAD, READ, 0x100, 0x400900, 0x80, 0x80, 1)]),
    "writable-code": elf([(LOAD, 7, 0, 0x400000, 0x200, 0x200, 0x1000)]),
    "kernel-half": elf([TEXT, (LOAD, READ, 0, 0xFFFF800000000000, 0x10, 0x10, 0x1000)]),
}


def tag(kind, body):
    data = struct.pack("<II", kind, 8 + len(body)) + body
    return data + bytes(-len(data) % 8)


def memory_entry(base, length, kind):
    return struct.pack("<QQII", base, length, kind, 0)


MEMORY = b"".join([memory_entry(0, 0x9FC00, 1), memory_entry(0x9FC00, 0x400, 2),
                   memory_entry(0x100000, 0x7EE0000, 1), memory_entry(0x7FE0000, 0x20000, 3)])


def multiboot2(*tags):
    body = b"".join(tags) + tag(0, b"")
    return struct.pack("<II", 8 + len(body), 0) + body


def cut(last, missing):
    """A blob that ends within its last tag, which says that it has `missing` bytes more."""
    size = struct.pack("<I", len(last) + missing)
    return struct.pack("<II", 8 + len(last), 0) + last[:4] + size + last[8:]


MAP_TAG = tag(6, struct.pack("<II", 24, 0) + MEMORY)
LINE_TAG = tag(1, b"trace=1 quiet\0")
MODULE_TAG = tag(3, struct.pack("<II", 0x200000, 0x210000) + b"manifest\0")


def pvh():
    base = 0x1000
    line = b"trace=1\0"
    module = struct.pack("<QQQQ", 0x200000, 0x1000, 0, 0)
    start = struct.pack("<IIIIQQQQII", 0x336EC578, 1, 0, 1, base + 64, base + 96, 0xF5AE0,
                        base + 104, len(MEMORY) // 24, 0)
    return start.ljust(64, b"\0") + module + line + MEMORY


def summed(data, at):
    data = bytearray(data)
    data[at] = 0
    data[at] = -sum(data) & 255
    return bytes(data)


def table(signature, body):
    data = signature + struct.pack("<IBB", 36 + len(body), 1, 0) + b"CAPOS TESTTABL\1\0\0\0TEST\1\0\0\0"
    return summed(data + body, 9)


MADT_BODY = struct.pack("<II", 0xFEE00000, 1)
MADT_BODY += bytes([0, 8, 0, 0, 1, 0, 0, 0]) + bytes([0, 8, 1, 2, 1, 0, 0, 0])
MADT_BODY += struct.pack("<BBBBII", 1, 12, 0, 0, 0xFEC00000, 0)
MADT_BODY += struct.pack("<BBBBIH", 2, 10, 0, 9, 9, 13)
MADT_BODY += bytes([4, 6, 255, 0, 0, 1])
MADT_BODY += struct.pack("<BBHQ", 5, 12, 0, 0xFEE00000)
MADT_BODY += struct.pack("<BBHIII", 9, 16, 0, 0x100, 1, 7)
HPET_BODY = struct.pack("<IIQBHB", 0x8086A201, 0, 0xFED00000, 0, 100, 0)


def acpi(wide):
    base = 0x1000
    madt = table(b"APIC", MADT_BODY)
    entry = struct.pack("<Q" if wide else "<I", base + 0x80)
    tables = table(b"XSDT" if wide else b"RSDT", entry)
    root = b"RSD PTR \0CAPOS " + struct.pack("<BI", 2 if wide else 0, base + 0x28)
    root = summed(root, 8)
    if wide:
        root = summed(root + struct.pack("<IQI", 36, base + 0x28, 0), 32)
    return (root.ljust(0x28, b"\0") + tables).ljust(0x80, b"\0") + madt


BOOT_SEEDS = {
    "multiboot2": b"\0" + multiboot2(LINE_TAG, MODULE_TAG, MAP_TAG, tag(14, bytes(20))),
    "multiboot2-map": b"\0" + multiboot2(MAP_TAG),
    "multiboot2-modules": b"\0" + multiboot2(MODULE_TAG, MAP_TAG, MODULE_TAG, tag(15, bytes(36))),
    "multiboot2-cut-map": b"\0" + cut(MAP_TAG, 24),
    "multiboot2-cut-line": b"\0" + cut(LINE_TAG[:8] + b"no end..", 8),
    "pvh": b"\1" + pvh(),
    "acpi-rsdt": b"\2" + acpi(False),
    "acpi-xsdt": b"\2" + acpi(True),
    "madt": b"\3" + table(b"APIC", MADT_BODY),
    "hpet": b"\4" + table(b"HPET", HPET_BODY),
}


# fuzz/sqe_fuzz.c: way, tick, then what the way reads.
SQE_SEEDS = {f"all-{tick}": struct.pack("<BBQ", 2, tick, 0x5EED + tick) for tick in (0, 1)}
SQE_SEEDS |= {f"pair-{opcode}": bytes([1, 0, opcode, opcode % 12]) + bytes(range(1, 65))
              for opcode in range(16)}


# fuzz/dispatch/acts.c: moves. The numbers of those that are no opcodes stand at its end.
(NOP, CALL, RECV, RETURN, RETURN_RECV, RELEASE, DUP, TRANSFER, DELEGATE, REVOKE, TOKEN, FINISH, CANCEL,
 WATCH, PARK, UNPARK, ANY, OBJECT, _, ENTER, GO, _, WAIT, SCRIBBLE, END, POKE, STARVE, _, _, _, REPEAT) = range(31)
BATCH, SPOIL, AWAIT = 0x80, 0x40, 0x20
PROMISED, KEPT = 0x30, 0x40  # bits of a CALL's first choice


def go_to(pid):
    return bytes([GO | (pid - 1) << 5])


def call(how=0, shape=1, cap=0, beside=b"", answer=0, promise=0):
    """Descriptors: two bytes each, how and which."""
    at = bytes([CALL, how, shape | len(beside) // 2 << 4]) + beside + bytes([0])
    at += bytes([promise]) if how & PROMISED == PROMISED else bytes([cap])
    return at + (bytes([answer]) if how & KEPT else b"")


def answer(how=0, shape=1, beside=b"", opcode=RETURN):
    at = bytes([opcode, how, 0, 0, shape | len(beside) // 2 << 4]) + beside
    return at + (bytes([0]) if opcode == RETURN_RECV else b"")


def one(move, *choices):
    return bytes([move, *choices])


RECEIVE = one(RECV, 0, 0)
# A client's edge that can be revoked is the fourth of a child's grants.
DELEGATED = 1
HANDED = RECEIVE + go_to(2) + call(cap=0) + go_to(1)
DISPATCH_SEEDS = {
    "call": HANDED + answer() + go_to(2) + one(NOP),
    "call-first": go_to(2) + call() + go_to(1) + RECEIVE + answer(opcode=RETURN_RECV) + go_to(3) + call(),
    "call-wait": RECEIVE + go_to(2) + call() + one(ENTER, 0x0C) + go_to(1) + answer() + one(ENTER, 0),
    "exception": HANDED + answer(how=3) + go_to(2) + one(NOP),
    "copies": RECEIVE + go_to(2) + call(beside=b"\0\0\0\1") + go_to(1) + answer(beside=b"\2\0"),
    "moves": RECEIVE + go_to(3) + call(beside=b"\1\0") + go_to(1) + answer(beside=b"\3\0"),
    "kept": RECEIVE + go_to(2) + call(how=KEPT) + call(how=PROMISED) + go_to(1) +
            answer(beside=b"\2\0") + RECEIVE + go_to(2) + one(FINISH, 0),
    "kept-released": RECEIVE + go_to(2) + call(how=KEPT) + call(how=PROMISED) + one(FINISH, 0x40) + go_to(1) +
                     answer(beside=b"\2\0") + RECEIVE + go_to(2) + call(how=KEPT) + one(FINISH, 0x40),
    "kept-broken": RECEIVE + go_to(2) + call(how=KEPT) + call(how=PROMISED) + go_to(1) + answer(how=3) +
                   go_to(2) + call(how=PROMISED),
    "kept-chain": RECEIVE + go_to(2) + call(how=KEPT) + call(how=PROMISED | KEPT, answer=1) +
                  call(how=PROMISED, promise=1) + one(FINISH, 0) + go_to(1) + answer(beside=b"\2\0") +
                  RECEIVE + answer(beside=b"\2\0"),
    "cancel": go_to(2) + call() + one(CANCEL, 1) + RECEIVE + one(CANCEL, 1),
    "cancel-received": HANDED + one(WATCH, 0, 0) + go_to(2) + one(CANCEL, 1) + go_to(1) + answer(),
    "watch": HANDED + one(WATCH, 0, 0) + answer(),
    "delegate": one(DELEGATE, 0, 0, 0) + one(DUP, 0, DELEGATED, 0) + one(REVOKE, 0),
    "revoke-calls": go_to(3) + call(cap=DELEGATED) + go_to(1) + one(REVOKE, 0) + RECEIVE + go_to(3) + call(),
    "revoke-held": RECEIVE + go_to(3) + call(cap=DELEGATED) + go_to(1) + one(REVOKE, 0) + answer(),
    "transfer": one(TRANSFER, 0, 0, 0) + one(TRANSFER, 2, 0, 0) + one(TRANSFER, 5, 0, 0, 44, 1),
    "table": one(DUP, 1, 0, 0) + one(DUP, 2, 0, 0, 9, 0) + one(TOKEN, 0, 1, 0) + one(RELEASE, 0, 0),
    "park": one(PARK, 0) + one(POKE, 16) + one(UNPARK, 0x10) + one(PARK, 3) + one(UNPARK, 0x13),
    "park-timeout": one(PARK, 0x20) + one(WAIT, 255, 255) + one(PARK, 0x60),
    "scribble": one(SCRIBBLE, 0, 3) + one(NOP) + one(SCRIBBLE, 6, 0) + one(NOP) + one(SCRIBBLE, 1, 7),
    "spoilt": b"".join(one(opcode | SPOIL) + bytes(6) for opcode in (NOP, RELEASE, TOKEN, FINISH)),
    "starve": one(STARVE, 0) + one(OBJECT, 2, 0, 0, 0) + one(STARVE, 2) + call(how=KEPT),
    "batch": b"".join(one(opcode | BATCH, 0) for opcode in (NOP, FINISH, NOP)) + one(ENTER, 0),
    "exit": HANDED + one(END, 0) + one(NOP),
    "thread-exit": HANDED + one(END, 2),
    "fault": go_to(2) + RECEIVE + one(END, 4),
    "queue-full": go_to(2) + call() * 6,
    "owner-goes": go_to(2) + call() + go_to(1) + one(RELEASE, 0x80, 0xC0 | 6) + one(RELEASE, 0x80, 0xC0 | 7),
}
LAST = 24  # choices from here on count from the end
HANDLES = 0x20  # in the first choice of RELEASE: a delegation's handle


def object_call(word, how=0, cap=0):
    return one(OBJECT, word, how, 0, cap)


def spawn_with(how=0, grants=bytes(6)):
    return object_call(SPAWN_GRANTS, how) + grants


def waiting(move):
    return bytes([move[0] | AWAIT]) + move[1:]


def many(move, count):
    return move + b"".join(one(REPEAT, min(count, 64) - 1) for count in range(count, 0, -64))


def carrying(descriptors, cap=0):
    """A CALL with many descriptors behind eight bytes."""
    return bytes([CALL, 0, 0x80, 1, 0, len(descriptors) // 2, 0]) + descriptors + bytes([0, cap])


CREATE, MINT, MINT_BADGE, THREAD, LIST, WHY = 2, 3, 4, 11, 29, 30
SPAWN, SPAWN_GRANTS = 6, 7
AWHILE = (one(WAIT, 255, 255) + go_to(2) + go_to(1)) * 6
TOKENS = b"".join(one(TOKEN, slot & 255, slot >> 8, slot & 15) for slot in range(256, 284))
WIDE = object_call(CREATE, 60) + object_call(MINT, 0, LAST)  # an endpoint with much room
DISPATCH_SEEDS |= {
    "handoff": waiting(RECEIVE) + (go_to(2) + waiting(call()) + go_to(1) +
                                   waiting(answer(opcode=RETURN_RECV))) * 4,
    "handoff-alone": (go_to(3) + waiting(one(PARK, 0x60)) + go_to(4) + waiting(one(PARK, 0x60)) + go_to(1) +
                      waiting(RECEIVE)) + (go_to(2) + waiting(call()) + go_to(1) +
                                           waiting(answer(opcode=RETURN_RECV))) * 3 + one(END, 0),
    "handoff-away": waiting(RECEIVE) + go_to(2) + waiting(call()) + go_to(1) +
                    waiting(answer(opcode=RETURN_RECV)) + go_to(2) + call() + go_to(1) +
                    one(ENTER, 8) + waiting(answer(opcode=RETURN_RECV)) + go_to(2) + one(END, 0),
    "handoff-first": go_to(2) + waiting(call()) + go_to(1) + waiting(RECEIVE) + waiting(answer()),
    "delegations": one(DELEGATE, 0, 0, 0) + many(one(DELEGATE, 0, LAST, 0), 20),
    "spliced": one(DELEGATE, 0, 0, 0) + one(RELEASE, HANDLES, LAST) + one(DELEGATE, 0, LAST, 0) +
               one(REVOKE, LAST) + one(REVOKE, LAST),
    "revoke-moving": one(DELEGATE, 0, 0, 0) + call(beside=bytes([1, LAST])) + one(REVOKE, LAST) + RECEIVE,
    "revoke-copied": one(DELEGATE, 0, 0, 0) + call(beside=bytes([0, LAST])) + one(REVOKE, LAST) + RECEIVE,
    "revoke-table": one(DELEGATE, 0, 0, 0) + one(DUP, 0, LAST, 0) + one(DUP, 1, LAST, 0) +
                    one(REVOKE, LAST) + object_call(LIST) + object_call(WHY, LAST) + one(TOKEN, 0, 1, 0) +
                    one(DUP, 0, LAST, 0) + one(RELEASE, 0, LAST),
    "revoke-buried": one(DELEGATE, 0, 0, 0) + call(beside=bytes([1, LAST])) + one(REVOKE, LAST) + AWHILE +
                     RECEIVE,
    "revoke-listed": one(DELEGATE, 0, LAST, 0) + one(DUP, 0, LAST, 0) + one(DELEGATE, 0, LAST, 0) +
                     one(REVOKE, 0) + AWHILE + object_call(LIST, 2) + object_call(LIST, 3) + TOKENS +
                     one(REVOKE, 0),
    "revoke-at-once": one(DELEGATE, 0, 0, 0) + one(REVOKE | BATCH, LAST) + one(DUP | BATCH, 0, LAST, 0) +
                      one(TOKEN | BATCH, 17, 1, 9) + call(cap=LAST) + object_call(LIST, 1),
    "revoke-twice": one(DELEGATE, 0, 0, 0) + one(REVOKE, LAST) + AWHILE + one(REVOKE, LAST),
    "moved-twice": call(beside=b"\1\0\1\0") + call(beside=b"\0\0\1\0"),
    "descriptors": call(beside=b"\x30\0") +
                   b"".join(bytes([CALL, 0, 0x11, 0x80, 0, mode, 0, 0]) for mode in (0, 3, 0xFE, 0xFF)),
    "paths": RECEIVE + go_to(2) + call() + go_to(1) + answer(beside=b"\x40\0") + answer(beside=b"\x44\0"),
    "facets": call(beside=b"\0\x20") + spawn_with(32, b"\x20" * 6) + spawn_with(32) +
              one(TRANSFER, 4, 0x20, 0) + one(DUP, 0, 0x20, 8, 15, 0, 0, 0, 0, 0, 0, 0),
    "modes": b"".join(object_call(MINT, how) + one(TRANSFER, 0, LAST, 0) + one(TRANSFER, 4, LAST, 0) +
                      one(TRANSFER, 6, LAST, 0) + one(TRANSFER, 2, LAST, 0) for how in range(1, 5)),
    "never-used": b"".join(one(RELEASE, 0, 0xF0) + struct.pack("<Q", raw) for raw in
                           (900 | 1 << 20, 310 | 1 << 20, 100 | 1 << 20, 5000 | 1 << 20, 256)) +
                  one(DUP, 2, 0, 0, 9, 0) + one(RELEASE, 0, 0xF0) + bytes(8),
    "tokens-of-slots": TOKENS + one(TOKEN, 0, 4, 0) + one(TOKEN, 200, 3, 0),
    "methods": call(how=0x83) + call(how=0x83, cap=0x20) + object_call(MINT_BADGE, 8) + call(how=3, cap=0x20 | LAST),
    "spoilt-promise": b"".join(bytes([CALL | SPOIL, PROMISED, 1, 0, 0, 4, end, 1, 7]) +
                               bytes([CALL | SPOIL, PROMISED, 1, 0, 0, 4, end, 0]) for end in range(4)),
    "spoilt-sizes": bytes([CALL | SPOIL, 0, 1, 0, 0, 3, 0, 0, 1, 0]) + bytes([CALL | SPOIL, 0, 1, 0, 0, 3, 9]) +
                    bytes([CALL | SPOIL, 0, 1, 0, 0, 2, 9]),
    "spoilt-slots": one(DUP | SPOIL, 2, 0, 0, 9, 0, 0, 3) + one(DUP | SPOIL, 0, 0, 0, 9, 1, 0, 0, 0),
    "slots": go_to(2) + many(one(DUP, 0, 0, 0), 64) + many(one(DUP, 1, 0, 0), 2) + one(DUP, 2, 0, 0, 9, 0) +
             one(DELEGATE, 0, 0, 0) + RECEIVE + call(beside=b"\0\0"),
    "slots-free": many(one(DUP, 0, 0, 0), 8) + many(one(RELEASE, 0, LAST), 6) +
                  b"".join(one(DUP, 2, 0, 0, slot, 1) for slot in range(16, 34)) + one(DUP, 0, 0, 0),
    "slots-many": many(one(DUP, 0, 0, 0), 128),
    "slots-starved": one(STARVE, 0) + many(one(DUP, 0, 0, 0), 100),
    "window": many(one(DUP, 1, 0, 0), 280),
    "receivers": many(RECEIVE, 66),
    "tokens": (RECEIVE + call()) * 33 + go_to(2) + call() + waiting(call()) + go_to(1) + RECEIVE,
    "tokens-fast": waiting(RECEIVE) + go_to(2) + waiting(call()) + go_to(1) + answer() +
                   (RECEIVE + call()) * 32 + RECEIVE + go_to(3) + call() + go_to(2) + waiting(call()),
    "operations": WIDE + many(call(cap=LAST), 66),
    "items": WIDE + many(carrying(bytes(24), LAST), 5),
    "badges": many(object_call(MINT_BADGE, 0), 2) + b"".join(object_call(MINT_BADGE, how)
                                                              for how in range(1, 20)),
    "limits": b"".join(object_call(CREATE, how) for how in (1, 2, 3, 4, 8, 16, 32)),
    "rings": b"".join(object_call(THREAD, how) for how in (0, 1, 2, 4, 8, 16, 32, 63)),
    "places": one(ENTER, 0x80) + many(one(NOP), 192) + one(NOP | BATCH) * 3 + one(ENTER, 0) + one(NOP),
    "places-wrong": one(ENTER, 0x80) + many(one(NOP), 192) + one(SCRIBBLE, 2, 3) + one(SCRIBBLE, 4, 0) +
                    one(SCRIBBLE, 4, 0) + one(SCRIBBLE, 6, 0) + one(NOP),
    "closed": object_call(MINT_BADGE, 8) + one(RELEASE, 0, 0x20 | LAST) + RECEIVE,
    "closed-received": RECEIVE + object_call(MINT_BADGE, 8) + one(RELEASE, 0, 0x20 | LAST),
    "closed-fast": waiting(RECEIVE) + go_to(2) + waiting(call()) + go_to(1) + object_call(MINT_BADGE, 8) +
                   one(RELEASE, 0, 0x20 | LAST) + waiting(answer(opcode=RETURN_RECV)) + RECEIVE,
    "closed-forgotten": object_call(MINT_BADGE, 8) + object_call(MINT_BADGE, 16) +
                        one(RELEASE, 0, 0x20 | LAST) * 2 + one(RELEASE, 0x60, 0),
    "waiting-fast": waiting(RECEIVE) + go_to(2) + waiting(call()) + go_to(3) + call() + go_to(1) +
                    waiting(answer(opcode=RETURN_RECV)),
    "receivers-end": RECEIVE + RECEIVE + one(RELEASE, 0x60, 0) + call(),
    "watched-twice": HANDED + one(WATCH, 0, 0) * 2 + one(CANCEL, 0) + one(CANCEL, 1) + one(CANCEL, 2),
    "impatient": one(RECV | BATCH, 0, 0) + one(ENTER, 8) + go_to(2) + waiting(call()) + go_to(1) +
                 one(RETURN_RECV | BATCH, 0, 0, 0, 1, 0) + one(ENTER, 8) + go_to(2) + waiting(call()),
    "orphan": go_to(3) + object_call(SPAWN, 1) + AWHILE + one(END, 0) + go_to(1) + AWHILE,
    "greedy": go_to(3) + many(object_call(SPAWN), 3) + object_call(SPAWN, 1) + object_call(SPAWN, 2),
    "unhurried": spawn_with(9) + AWHILE + b"".join(go_to(pid) + waiting(one(PARK, 0x60))
                                                              for pid in (2, 3, 4)) +
                 go_to(1) + waiting(RECEIVE) + (waiting(call()) + waiting(answer(opcode=RETURN_RECV))) * 4,
    "budget": spawn_with(17) + AWHILE + waiting(RECEIVE) +
              (go_to(5) + waiting(call()) + go_to(1) + waiting(answer(opcode=RETURN_RECV))) * 3,
    "mend-badly": one(SCRIBBLE, 0, 3) + one(SCRIBBLE, 4, 0) + one(SCRIBBLE, 5, 0) + one(SCRIBBLE, 6, 0) + one(NOP),
    "tail-shown": one(ENTER, 0x80) + one(NOP) * 2 + one(SCRIBBLE, 5, 0) + one(NOP),
    "spare": HANDED + b"".join(bytes([RETURN, 0, 0, 0, 0x11, 0x80, 0, mode]) for mode in (0xFE, 0xFF, 0)),
    "receivers-many": many(RECEIVE, 62) + object_call(THREAD, 48) + AWHILE + many(RECEIVE, 6) + go_to(2) +
                      go_to(1) + many(RECEIVE, 6) + AWHILE + many(RECEIVE, 6),
    "quota-exact": go_to(2) + many(one(DUP, 0, 0, 0), 64) + one(RELEASE, 0, LAST) + one(DUP, 1, 0, 0) +
                   b"".join(one(DUP, 2, 0, 0, slot, 1) for slot in range(40, 62)),
    "listed-sparse": many(one(DUP, 0, 0, 0), 128) + many(one(RELEASE, 0, LAST), 128) + object_call(LIST, 3) +
                     object_call(LIST, 2),
    "death": WIDE + many(call(cap=LAST), 3) + go_to(3) + call() + one(END, 0) + RECEIVE,
    "spawn-dies": spawn_with() + one(WAIT, 255, 255) + object_call(9, 0, LAST) + object_call(8, 0, LAST),
    "spawns": many(object_call(6), 12),
}

# Init's own endpoint, by its place among all that init holds, as the first grant of a child.
SERVES = bytes([0xC0 | 7]) + bytes(5)
LATER, NEVER = (waiting(one(PARK, how)) for how in (0x40, 0x60))  # the other two are out of the way
ALONE = AWHILE * 3 + go_to(3) + NEVER + go_to(4) + NEVER + go_to(1) + one(NOP)
DISPATCH_SEEDS |= {
    # The fifth process receives at init's endpoint beside init, until there is no room for one more.
    "receivers-fast": spawn_with(1, SERVES) + AWHILE * 3 + go_to(1) + RECEIVE + go_to(2) + call() +
                      go_to(5) + many(RECEIVE, 63) + go_to(1) + many(RECEIVE, 62) +
                      waiting(answer(opcode=RETURN_RECV)),
    # It serves at a lower priority than its caller's, or calls at a lower one than its server's, while
    # the second process is ready.
    "priority-lent": spawn_with(9, SERVES) + ALONE + go_to(2) + LATER + go_to(1) + LATER + waiting(RECEIVE) +
                     go_to(1) + waiting(call()) + go_to(2) +
                     (LATER + go_to(5) + waiting(answer(opcode=RETURN_RECV)) + go_to(1) + LATER + go_to(1) +
                      waiting(call())) * 3,
    "priority-overtaken": spawn_with(9) + ALONE + go_to(2) + LATER + go_to(1) + waiting(RECEIVE) +
                          (go_to(5) + waiting(call()) + one(WAIT, 255, 255) + go_to(1) +
                           waiting(answer(opcode=RETURN_RECV)) + go_to(2) + LATER) * 4,
}
HELD = 0xC0  # in the choice of a capability: one of all that are held
NULL, OWNER = HELD | 4, HELD | 7  # of init's


def told(by, how=0):
    """A spawn whose faults are told through `by`, and time for it."""
    return object_call(SPAWN, 32 | how) + bytes([by]) + AWHILE * 3


FAULT = go_to(5) + one(END, 4) + go_to(1) + RECEIVE
RELEASING = 0x40  # in the choice of a FINISH's answer


def batched(move):
    return bytes([move[0] | BATCH]) + move[1:]


def relayed(kept):
    """The second process calls, and on what that will give, and is done with it; init answers both."""
    return (go_to(2) + batched(call(how=KEPT, answer=kept)) + batched(call(how=PROMISED, promise=kept)) +
            batched(one(FINISH, RELEASING | kept)) + one(ENTER, 0x0E) + go_to(1) +
            waiting(answer(beside=b"\2\0", opcode=RETURN_RECV)) + waiting(answer(opcode=RETURN_RECV)))


def slots_freed(count):
    return go_to(2) + one(DUP, 0, 0, 0) * count + one(RELEASE, 0, LAST) * count


ROUND = waiting(RECEIVE) + go_to(2) + waiting(call()) + go_to(1) + waiting(answer(opcode=RETURN_RECV))
FULL = many(one(DUP, 0, 0, 0), 64)
DISPATCH_SEEDS |= {
    "fault-resumed": told(OWNER) + FAULT + answer() + FAULT + answer(opcode=RETURN_RECV) + FAULT,
    "fault-ends": told(OWNER, 1) + FAULT + answer(how=3) + AWHILE,
    "fault-unheard": told(OWNER) + go_to(5) + one(END, 4) + go_to(1) + one(RELEASE, 0x60, 0) + AWHILE,
    "fault-through": object_call(MINT, 32) + told(HELD | LAST) + FAULT + answer(),
    "fault-edges": told(0) + object_call(MINT, 33) + told(HELD | LAST) + one(DUP, 0x60, 0, 3) + told(HELD | LAST),
    # One capability beside a call that a receiver waits for, with room and with the room it reserved.
    "passed-fast": waiting(RECEIVE) + (go_to(2) + waiting(call(beside=b"\0\0")) + go_to(1) +
                                       waiting(answer(opcode=RETURN_RECV))) * 3,
    "passed-full": spawn_with(1, SERVES) + AWHILE * 3 + go_to(5) + waiting(RECEIVE) + go_to(1) +
                   waiting(call()) + go_to(5) + answer() + RECEIVE + FULL + one(ENTER, 0x0C) + go_to(1) +
                   waiting(call(beside=b"\0\0")) + go_to(5),
    # NullObject.next, kept: with room for the edge and without.
    "next": call(how=KEPT | 2, cap=NULL) + call(how=PROMISED | 2, answer=0) + one(FINISH, 0),
    "next-full": spawn_with(1, bytes([NULL]) + bytes(5)) + AWHILE * 3 + go_to(5) +
                 call(how=KEPT | 2, cap=HELD) + one(FINISH, 0) + FULL + call(how=KEPT | 2, cap=HELD),
    # An answer that is for one call alone: no slot of the client's is free, one is, several are.
    "relayed": ROUND + slots_freed(1) + relayed(0) + relayed(4),
    "relayed-late": ROUND + relayed(0) + slots_freed(1) + relayed(4) + slots_freed(3) + relayed(1),
    # Copies beside calls that wait while they are revoked: taken, and taken back.
    "revoke-beside": one(DELEGATE, 0, 0, 0) + call(beside=bytes([0, LAST])) + call(beside=b"\0\0") +
                     one(REVOKE, LAST) + AWHILE + RECEIVE + RECEIVE,
    "revoke-cancelled": one(DELEGATE, 0, 0, 0) + call(beside=bytes([0, LAST])) + one(REVOKE, LAST) + AWHILE +
                        one(CANCEL, 1),
    "alone-stale": one(DUP, 0, 0, 0) + one(RELEASE, 0, LAST) + waiting(call(cap=0xE0)) +
                   waiting(call(cap=0xF0) + struct.pack("<Q", 256)) +
                   waiting(call(cap=0xF0) + struct.pack("<Q", 256 | 1 << 50)),
    "alone-corrupt": one(SCRIBBLE, 0, 3) + one(SCRIBBLE, 3, 0) + one(ENTER, 0x0C) + one(SCRIBBLE, 6, 0),
}


# The first grant in the message of a spawn (fuzz/dispatch/words.c), and its fields in it.
FIRST_GRANT, BADGE_AT, MODE_AT = 8 * 12, 0, 8
IN_WINDOW = {place: 0xFF for place in (13, 14, 15)}  # slot 255: what is stored is its complement


def asked(changes, grants=bytes(6)):
    """A spawn with at most three bytes of its first grant changed."""
    at = b"".join(struct.pack("<BH", byte, FIRST_GRANT + place) for place, byte in changes.items())
    return one(OBJECT, SPAWN_GRANTS, 0, len(changes)) + at + bytes([0]) + grants


BADGED, NEW = (bytes([first]) + bytes(5) for first in (0x20, LAST))  # badge 7 and three methods; just made
DISPATCH_SEEDS |= {
    "gift-modes": b"".join(asked({MODE_AT: mode}) for mode in (5, 4, 2, 1, 0)),
    "gift-of-modes": b"".join(object_call(MINT, how) + asked({MODE_AT: 0}, NEW) + asked({MODE_AT: 1}, NEW)
                              for how in range(1, 5)),
    "gift-facets": spawn_with(32, BADGED) + spawn_with(32, b"\0\x20" + bytes(4)) + spawn_with(32),
    "gift-badges": asked({BADGE_AT: 7}, BADGED) + asked({BADGE_AT: 8}, BADGED) + asked({BADGE_AT: 7}),
    "gift-descriptor": asked(IN_WINDOW) + spawn_with(),
    "gift-revoked": one(DELEGATE, 0, 0, 0) + batched(one(REVOKE, LAST)) + batched(spawn_with(0, NEW)) +
                    one(ENTER, 0) + spawn_with(0, NEW),
}
DISPATCH_SEEDS |= {f"object-{word}": one(OBJECT, word, 0, 0, 0) + one(ENTER, 4) for word in range(33)}


# fuzz/grants_fuzz.c: moves by their number in its table, choices behind them.
def g(*choices):
    return bytes(choices)


NEWEST, ABOVE = 0x80, 2  # of the ids given out; a place above the window
G_MAKE, G_MAKE_MOVE, G_MAKE_FIXED = (g(0, how, 0, ABOVE) for how in (0xA0, 0xC0, 0x80))
G_DELEGATE = g(2, NEWEST, ABOVE)
G_SWEEP = g(5, 254) * 8
G_TO_1 = 1 << 4


def g_begin(*carried, how=G_TO_1):
    return g(10, how, len(carried) // 2 - 1, *carried)


G_ARRIVES, G_RETURNS = g(12, 2), g(12, 0)
GRANTS_SEEDS = {
    f"{name}-{mode}": make + way
    for mode, make in (("copy", G_MAKE), ("move", G_MAKE_MOVE), ("fixed", G_MAKE_FIXED))
    for name, way in {
        "sent": g_begin(NEWEST, 0) + G_ARRIVES + g_begin(0, 1) + G_ARRIVES,
        "returned": g_begin(NEWEST, 1) + g(6, 0) + g(7, 0, 0, 0) + G_RETURNS + g(6, 0),
        "revoked": G_DELEGATE + g_begin(NEWEST, 0) + g(3, 0) + G_ARRIVES,
        "revoked-moving": G_DELEGATE + g_begin(NEWEST, 1) + g(3, 0) + G_ARRIVES,
        "buried-moving": G_DELEGATE + g_begin(NEWEST, 1) + g(3, 0) + G_SWEEP + G_ARRIVES,
        "buried-returned": G_DELEGATE + g_begin(NEWEST, 1) + g(3, 0) + G_SWEEP + G_RETURNS + g(6, NEWEST),
        "twice": g_begin(NEWEST, 1, NEWEST, 1) + g_begin(NEWEST, 0, NEWEST, 1) + G_ARRIVES,
        "revoked-token": G_DELEGATE + g(7, 0, NEWEST, 0) + g(3, 0) + g(7, 0, NEWEST, 0) + G_SWEEP +
                         g(7, 0, NEWEST, 0) + g(7, 0, NEWEST, 1) + g(6, NEWEST),
        "passed": g(13, NEWEST, 0x78) + g(13, NEWEST, 0x7A) + g(13, 0, 0x79) + g(13, 0, 0x7B),
        "deep": G_DELEGATE * 18 + g(3, 3) + G_SWEEP + g(3, 0) + G_SWEEP,
        "spliced": G_DELEGATE + g(4, 0) + G_DELEGATE * 17 + g(4, 3) + g(3, 5) + G_SWEEP,
        "duplicates": g(1, NEWEST, 0, ABOVE) * 45 + g(9, 0, 60) + g(1, NEWEST, 1, 0) * 4 + g(9, 0, 5),
        "places": g(1, NEWEST, 0, 0) * 3 + g(1, NEWEST, 0, 1 | 52 << 2) + g(6, 0) + g(1, NEWEST, 0, 1 | 52 << 2) +
                  g(6, 1) + g(6, 2) + g(1, NEWEST, 0, ABOVE) * 3,
        "starved": g(0xF0, 0xA0, 1, ABOVE) + g(0xF0, 0xA0, 1, 0) + g(0xF0, 0xA0, 1, 1),
        "bad": b"".join(g_begin(NEWEST, how, how=G_TO_1 | answers) + G_RETURNS
                        for how in (0xF8, 0xFB, 0xFD, 2, 4, 6) for answers in (0, 2)),
    }.items()
}


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "fuzz/corpus")
    for name, seeds in (("elf", ELF_SEEDS), ("bootinfo", BOOT_SEEDS), ("sqe", SQE_SEEDS),
                        ("dispatch", DISPATCH_SEEDS), ("grants", GRANTS_SEEDS)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for seed, data in seeds.items():
            (folder / name / f"seed-{seed}").write_bytes(data)


if __name__ == "__main__":
    main()
