# SPDX-License-Identifier: MIT
"""The build rules on a small tree: what is rebuilt, what is not, and what is refused."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tools"))

import suite  # noqa: E402

FILES = {
    "core/add.h": "int core_add(int a, int b);\n",
    "core/add.c": '#include "core/add.h"\nint core_add(int a, int b)\n{\n    return a + b;\n}\n',
    "core/other.c": "int core_other(void);\nint core_other(void)\n{\n    return 1;\n}\n",
    "kernel/symbols.h": None,
    "kernel/arch/arch.h": "int arch_one(void);\n",
    "kernel/arch/x86_64/arch_types.h": "",
    "kernel/arch/x86_64/entry.S": ".globl _start\n_start: call kernel_main\nhlt\n",
    "kernel/arch/x86_64/kernel.ld":
        "ENTRY(_start) SECTIONS { . = 0xffffffff80100000; .rodata : { *(.rodata .rodata.*) } "
        ".text : { KEEP(*entry.S.o(.text)) *(.text .text.*) } .data : { *(.data .data.*) } }\n",
    "kernel/main.c": '#include "core/add.h"\n#include "kernel/symbols.h"\nint kernel_main(int a);\n'
                     "int kernel_main(int a)\n{\n    return core_add(a, (int)kernel_symbols[0].address"
                     " + kernel_build_id[0] + (int)kernel_symbol_count);\n}\n",
    "user/rt/user.ld": "ENTRY(_start) SECTIONS { . = 0x400000; .text : { *(.text .text.*) } "
                       ".data : { *(.data .data.*) } }\n",
    "user/rt/start.S": ".globl _start\n_start: call main\nhlt\n",
    "services/init/main.c": "int main(void);\nint main(void)\n{\n    return 0;\n}\n",
    "tests/programs/hello.c": "int main(void);\nint main(void)\n{\n    return 1;\n}\n",
}
COPIED = ("Makefile", "mk", "tools", "kernel/symbols.h", "abi/compiler.h", "core/assert.h")


class Build(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = os.path.join(cls.folder.name, "tree")
        for path in COPIED:
            source, target = os.path.join(ROOT, path), os.path.join(cls.root, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.isdir(source):
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("mkmanifest"))
            else:
                shutil.copy(source, target)
        for path, text in FILES.items():
            if text is not None:
                cls.write(path, text)
        cls.make("kernel", "user", "host")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def write(cls, path, text):
        full = os.path.join(cls.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as file:
            file.write(text)
        # Newer than anything built within the same tick of the file system's clock.
        later = time.time() + 0.01
        os.utime(full, (later, later))
        time.sleep(0.02)

    @classmethod
    def make(cls, *targets, status=0, **variables):
        result = subprocess.run(
            ["make", "SETUP=no"] + ["%s=%s" % pair for pair in variables.items()] + list(targets),
            cwd=cls.root, env=suite.make_environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if result.returncode and status == 0 or not result.returncode and status:
            raise AssertionError(result.stdout)
        return result.stdout

    def setUp(self):
        self.make("kernel", "user", "host")

    def symbols(self, path):
        return subprocess.run(["nm", path], cwd=self.root, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=True).stdout

    def test_nothing_to_do_the_second_time(self):
        self.assertEqual(self.make("kernel", "user", "host"), "")

    def test_several_goals_build_once(self):
        """Goals that each build in a make of their own do not write the same files at once."""
        with open(os.path.join(self.root, "mk/commands.mk")) as file:
            text = file.read()
        self.write("mk/commands.mk", text + "\none two:\n\t@$(MAKE) host\n")
        try:
            said = self.make("-j4", "clean", "one", "two")
            for name in ("core/add.o", "core/other.o", "libcore.a"):
                self.assertEqual(len(re.findall(r"out/host/%s\b" % re.escape(name), said)), 1, said)
        finally:
            self.write("mk/commands.mk", text)

    def test_header_rebuilds_its_users_only(self):
        self.write("core/add.h", FILES["core/add.h"] + "\n")
        said = self.make("kernel", "user", "host")
        self.assertIn("out/kernel/release/kernel/main.o", said)
        self.assertIn("out/host/core/add.o", said)
        self.assertNotIn("core/other.o", said)

    def test_new_and_removed_source_join_and_leave(self):
        self.write("core/late.c", "int core_late(void);\nint core_late(void)\n{\n    return 2;\n}\n")
        self.make("host")
        self.assertIn("core_late", self.symbols("out/host/libcore.a"))
        os.remove(os.path.join(self.root, "core/late.c"))
        self.make("host")
        self.assertNotIn("core_late", self.symbols("out/host/libcore.a"))

    def test_changed_flags_rebuild(self):
        with open(os.path.join(self.root, "mk/config.mk")) as file:
            text = file.read()
        self.write("mk/config.mk", text.replace("USER_FLAGS := ", "USER_FLAGS := -DCHANGED "))
        try:
            said = self.make("user", "host")
            self.assertIn("out/user/services/init/main.o", said)
            self.assertNotIn("out/host/", said)
        finally:
            self.write("mk/config.mk", text)
            self.make("user")

    WARNINGS = {
        "unused-variable": "int f(void); int f(void) { int a; return 0; }",  # -Wall
        "unused-parameter": "int f(int a); int f(int a) { return 0; }",  # -Wextra
        "shadow": "int f(int a); int f(int a) { for (;;) { int a = 1; if (a) return a; } }",
        "conversion": "char f(long a); char f(long a) { return a; }",
        "strict-prototypes": "int f(); int f(void) { return 0; }",
        "missing-prototypes": "int f(void) { return 0; }",
    }

    def test_warnings_fail(self):
        """Each of the warnings that were promised is an error, with both compilers."""
        paths = ["core/bad_%s.c" % name.replace("-", "_") for name in self.WARNINGS]
        for path, text in zip(paths, self.WARNINGS.values()):
            self.write(path, text + "\n")
        try:
            for variables in ({}, {"CC": "clang"}):
                said = self.make("-kj1", "out/clang/host/libcore.a" if variables else
                                 "out/host/libcore.a", status=1, **variables)
                for path, name in zip(paths, self.WARNINGS):
                    self.assertRegex(said, r"%s:.*-Werror[=,].*%s" % (path, name))
        finally:
            for path in paths:
                os.remove(os.path.join(self.root, path))

    def test_two_programs_of_one_name(self):
        self.write("demos/init/main.c", FILES["services/init/main.c"])
        try:
            self.assertIn("two programs of one name", self.make("user", status=1))
        finally:
            shutil.rmtree(os.path.join(self.root, "demos"))

    def test_kernel_carries_its_symbols(self):
        """The table names every function at the address the linker gave it; the id is no zero."""
        with open(os.path.join(self.root, "out/kernel/release/symbols.c")) as file:
            table = file.read()
        found = [line.split() for line in self.symbols("out/kernel/release/kernel.elf").splitlines()]
        functions = [(address, name) for address, kind, name in found if kind in "tT"]
        self.assertTrue(functions)
        for address, name in functions:
            self.assertIn('{0x%su, "%s"}' % (address, name), table)
        self.assertNotIn('"0000000000000000"', table)

    def test_build_id_follows_the_contents(self):
        def build_id():
            with open(os.path.join(self.root, "out/kernel/release/symbols.c")) as file:
                return file.read().rsplit('"', 2)[1]

        before = build_id()
        self.write("core/add.c", FILES["core/add.c"].replace("a + b", "a - b"))
        self.make("kernel")
        self.assertNotEqual(build_id(), before)
        self.write("core/add.c", FILES["core/add.c"])
        self.make("kernel")
        self.assertEqual(build_id(), before)

    def test_clang_builds_beside(self):
        if shutil.which("clang-14") is None:
            self.fail("clang-14 is not installed: tools/setup.sh test")
        self.make("kernel", CC="clang")
        self.assertTrue(os.path.exists(os.path.join(self.root, "out/clang/kernel/debug/kernel.elf")))

    def test_programs_are_stripped_copies(self):
        self.assertIn("main", self.symbols("out/user/debug/hello"))
        self.assertEqual(self.symbols("out/user/bin/hello"), "")

    def commands(self):
        """{name: the groups that its recipe sets up, None: it sets up nothing} of `make help`."""
        found = {}
        for path in sorted(glob.glob(os.path.join(ROOT, "mk", "*.mk"))):
            with open(path) as file:
                for name, recipe in re.findall(r"^([a-z-]+):.* ## .*\n((?:\t.*\n)*)", file.read(), re.M):
                    groups = re.match(r"\t\$\(call setup,([a-z ]+)\)\n", recipe)
                    delegated = re.match(r"\t@\$\(MAKE\) ([a-z]+) ", recipe)
                    found[name] = (groups.group(1).split() if groups else
                                   delegated.group(1) if delegated else None)
        return {name: found[groups] if isinstance(groups, str) else groups
                for name, groups in found.items()}

    def test_every_command_installs_what_it_needs(self):
        """Only those that tell about the machine, or need nothing, leave it as it is."""
        commands = self.commands()
        self.assertEqual({name for name, groups in commands.items() if groups is None},
                         {"help", "clean", "doctor", "pins-check", "pins-update"})
        self.assertEqual(set(commands), set(re.findall(r"(?m)^  make ([a-z-]+)", self.make("help"))))

    def test_running_installs_nothing_that_only_tests_need(self):
        commands = self.commands()
        for name in ("run", "run-spawn", "run-smoke"):
            self.assertEqual(commands[name], ["build", "run"])
        for name, group in (("iso", "iso"), ("debug", "debug"), ("test", "test")):
            self.assertIn(group, commands[name])
        with open(os.path.join(ROOT, "tools", "pins.txt")) as file:
            rows = [line.split() for line in file if line.startswith("package ")]
        wanted = {row[2] for row in rows if row[1] in ("build", "run")}
        for tool in ("clang", "llvm", "cmocka", "gdb", "cppcheck", "capnp", "g++", "grub"):
            self.assertEqual([name for name in wanted if tool in name], [])

    def test_help_names_every_command(self):
        said = self.make("help")
        for command in ("run", "test", "doctor", "iso", "debug", "test-host", "test-boot", "test-core",
                        "test-sanitize", "rt-check", "run-spawn", "run-smoke", "fmt-check",
                        "test-fresh", "bench", "fuzz-build", "fuzz-smoke", "edges-check",
                        "reproducible-check", "generated-code-check", "clean"):
            self.assertIn("make %s " % command, said)


if __name__ == "__main__":
    unittest.main()
