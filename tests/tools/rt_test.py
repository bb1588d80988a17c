# SPDX-License-Identifier: MIT
"""The runtime check refuses each thing it promises to refuse, on programs built for it."""
import os
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import rt_check  # noqa: E402

SCRIPT = """ENTRY(_start)
PHDRS { text PT_LOAD FLAGS(5); data PT_LOAD FLAGS(%d); }
SECTIONS { . = 0x%x; .text : { *(.text .text.*) } :text
           . = ALIGN(4096); .data : { *(.data .data.*) } :data }
"""
GOOD = ".globl _start\n_start: call main\ncall syscall_exit\n" \
       ".globl main\nmain: ret\n.globl syscall_exit\nsyscall_exit: syscall\nret\n" \
       ".data\n.quad 1\n"


class Programs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def problems(self, source=GOOD, base=0x400000, data_flags=6, options=(), free=False):
        paths = [os.path.join(self.folder, name) for name in ("p.S", "p.ld", "p")]
        for path, text in zip(paths, (source, SCRIPT % (data_flags, base))):
            with open(path, "w") as file:
                file.write(text)
        subprocess.run(["gcc", "-nostdlib", "-static", "-no-pie", "-Wl,-T," + paths[1],
                        "-Wl,--no-warn-rwx-segments", "-Wl,-z,noexecstack", "-Wl,--build-id=none"] +
                       list(options) + ["-o", paths[2], paths[0]], check=True)
        return "\n".join(rt_check.program_problems(paths[2], free))

    def test_good_program(self):
        self.assertEqual(self.problems(), "")

    def test_writable_and_executable(self):
        self.assertIn("writable and executable", self.problems(data_flags=7))

    def test_beyond_the_user_half(self):
        self.assertIn("beyond the user half", self.problems(base=0x800000000000))

    def test_start_elsewhere(self):
        self.assertIn("does not start at _start", self.problems(options=("-Wl,-e,main",)))

    def test_wanted_symbol(self):
        source, output = (os.path.join(self.folder, name) for name in ("w.S", "w.o"))
        with open(source, "w") as file:
            file.write(GOOD + ".text\n.quad stranger\n")
        subprocess.run(["gcc", "-c", "-o", output, source], check=True)
        self.assertIn("wants the symbol stranger", list(rt_check.symbol_problems(output, 0)))

    def test_entering_the_kernel_elsewhere(self):
        source = GOOD.replace("main: ret", "main: syscall\nret")
        self.assertIn("enters the kernel in main", self.problems(source))
        self.assertEqual(self.problems(source, free=True), "")

    def test_interrupt_instruction(self):
        self.assertIn("int", self.problems(GOOD.replace("main: ret", "main: int $0x80\nret")))

    def test_dynamic_program(self):
        with open("/bin/true", "rb") as file:
            data = file.read()
        self.assertTrue(list(rt_check.header_problems(data)))

    def test_no_elf(self):
        self.assertEqual(list(rt_check.header_problems(b"#!/bin/sh\n")),
                         ["is no little-endian ELF64"])


if __name__ == "__main__":
    unittest.main()
