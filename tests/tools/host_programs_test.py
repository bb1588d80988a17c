# SPDX-License-Identifier: MIT
"""The host build: stubs of programs, and names that a C library must not have too."""
import glob
import os
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import host_programs  # noqa: E402
import suite  # noqa: E402

LIBRARIES = ("/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6")
KERNEL = os.path.join(suite.ROOT, "out", "host", "libkernel_host.a")


def names(*arguments):
    text = subprocess.run(["nm", "--defined-only", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=True).stdout
    return {line.split()[2].split("@")[0] for line in text.splitlines() if len(line.split()) == 3}


class HostPrograms(unittest.TestCase):
    def test_stub(self):
        data = host_programs.stub("ipc_server")
        self.assertTrue(data.startswith(b"\x7fELF\x02\x01\x01"))
        self.assertIn(b"capos-host-program:ipc_server\0", data)
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            shown = subprocess.run(["readelf", "-hl", file.name], stdout=subprocess.PIPE,
                                   check=True).stdout
        self.assertIn(b"EXEC (Executable file)", shown)

    def test_table(self):
        text = host_programs.table(["a", "b"], ["x/one.bin"])
        self.assertIn('{"a", host_program_a},', text)
        self.assertIn("host_program_count = 2;", text)
        self.assertIn('{"one", host_system_0, host_system_0_end},', text)

    def test_manifest_of_a_scene(self):
        scene = {"manifest": {"name": "x", "services": [{"name": "a"}, {"name": "b"}]}}
        self.assertEqual(host_programs.manifest(scene, ["b"]), {"name": "x", "services": [{"name": "a"}]})

    def test_no_name_is_the_librarys(self):
        """A sanitizer in the same process would call the kernel's function for the library's."""
        if not os.path.exists(KERNEL):
            self.skipTest("the host kernel is not built")
        library = set()
        for path in LIBRARIES:
            for found in glob.glob(path):
                library |= names("-D", found)
        self.assertIn("sched_yield", library)
        self.assertEqual(names("-g", KERNEL) & library, set())


if __name__ == "__main__":
    unittest.main()
