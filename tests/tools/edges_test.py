# SPDX-License-Identifier: MIT
"""The edge check sees a forbidden include and a forbidden symbol planted in a small tree."""
import os
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import check_edges  # noqa: E402

GOOD = {
    "abi/a.h": "#include <stdint.h>\n",
    "capnp/runtime/c.h": "#include <stddef.h>\n",
    "capnp/runtime/c.c": '#include "c.h"\nint capn_c(void); int capn_c(void) { return 1; }\n',
    "core/a.h": '#include "abi/a.h"\nint core_a(void);\n',
    "core/a.c": '#include "core/a.h"\nint core_a(void) { return 1; }\n',
    "kernel/arch/arch.h": '#include "arch_types.h"\nint arch_known(void); int arch_hidden_no(void);\n',
    "kernel/arch/x86_64/arch_types.h": "",
    "kernel/arch/x86_64/x.h": "int x86_private(void);\n",
    "kernel/arch/x86_64/x.c": "int arch_known(void); int arch_known(void) { return 2; }\n"
                              "int x86_private(void); int x86_private(void) { return 3; }\n",
    "kernel/main.c": '#include "kernel/arch/arch.h"\n#include "core/a.h"\n'
                     "int kernel_main(void); int kernel_main(void) { return core_a() + arch_known(); }\n",
    "user/rt/rt.h": '#include "abi/a.h"\nint rt(void);\n',
    "user/rt/rt.c": '#include "user/rt/rt.h"\nint rt(void) { return 0; }\n',
    "services/init/main.c": '#include "user/rt/rt.h"\nint main(void) { return rt(); }\n',
    "tests/host/a_test.c": '#include <stdio.h>\n#include "core/a.h"\n',
}


class Tree:
    """A tree of files in a temporary folder, with its objects on request."""

    def __init__(self, changes):
        self.folder = tempfile.TemporaryDirectory()
        self.root = self.folder.name
        for path, text in dict(GOOD, **changes).items():
            full = os.path.join(self.root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w") as file:
                file.write(text)

    def compile(self, variant, paths):
        for path in paths:
            output = os.path.join(self.root, "out", variant, path[:-2] + ".o")
            os.makedirs(os.path.dirname(output), exist_ok=True)
            subprocess.run(["gcc", "-ffreestanding", "-iquote", ".", "-iquote",
                            "kernel/arch/x86_64", "-c", "-o", output, path],
                           cwd=self.root, check=True)

    def check(self, objects=False):
        command = [sys.executable, os.path.join(TOOLS, "check_edges.py"), "--root", self.root]
        if objects:
            command += ["--objects", os.path.join(self.root, "out")]
        result = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        return result.returncode, result.stderr


class IncludeEdges(unittest.TestCase):
    def refused(self, path, text, words):
        status, said = Tree({path: text}).check()
        self.assertEqual(status, 1, said)
        self.assertIn(path, said)
        self.assertIn(words, said)

    def test_good_tree_passes(self):
        self.assertEqual(Tree({}).check(), (0, ""))

    def test_core_may_not_use_kernel(self):
        self.refused("core/bad.c", '#include "kernel/arch/arch.h"\n', "core may not use kernel")

    def test_abi_may_not_use_core(self):
        self.refused("abi/bad.h", '#include "core/a.h"\n', "abi may not use core")

    def test_capnp_runtime_includes_three_headers_only(self):
        self.refused("capnp/runtime/bad.c", "#include <string.h>\n", "<string.h>")

    def test_core_may_not_use_the_c_library(self):
        self.refused("core/bad.c", "#include <stdlib.h>\n", "<stdlib.h>")

    def test_services_may_not_use_core(self):
        self.refused("services/init/bad.c", '#include "core/a.h"\n', "services may not use core")

    def test_kernel_may_not_use_an_isa(self):
        self.refused("kernel/bad.c", '#include "kernel/arch/x86_64/x.h"\n', "only kernel/arch/arch.h")

    def test_one_isa_may_not_use_another(self):
        self.refused("kernel/arch/host/bad.c", '#include "kernel/arch/x86_64/x.h"\n', "only kernel/")

    def test_nothing_uses_tests(self):
        self.refused("kernel/bad.c", '#include "tests/host/a_test.c"\n', "may not use tests")

    def test_unknown_file(self):
        self.refused("core/bad.c", '#include "core/none.h"\n', "not in the tree")

    def test_relative_way_out_is_seen(self):
        self.refused("core/bad.c", '#include "../kernel/arch/arch.h"\n', "core may not use kernel")

    def test_commented_include_is_none(self):
        self.assertEqual(Tree({"core/ok.c": '/*\n#include "kernel/arch/arch.h"\n*/\n'}).check(),
                         (0, ""))


class SymbolEdges(unittest.TestCase):
    KERNEL = ("core/a.c", "kernel/main.c", "kernel/arch/x86_64/x.c")

    def test_good_objects_pass(self):
        tree = Tree({})
        tree.compile("kernel/release", self.KERNEL)
        tree.compile("user", ("user/rt/rt.c", "services/init/main.c"))
        self.assertEqual(tree.check(objects=True), (0, ""))

    def test_core_wanting_the_kernel_is_seen(self):
        tree = Tree({"core/bad.c": "int kernel_main(void); int core_bad(void);\n"
                                   "int core_bad(void) { return kernel_main(); }\n"})
        tree.compile("kernel/release", self.KERNEL + ("core/bad.c",))
        status, said = tree.check(objects=True)
        self.assertEqual(status, 1)
        self.assertIn("wants 'kernel_main'", said)

    def test_core_wanting_the_c_library_is_seen(self):
        tree = Tree({"core/bad.c": "int abs_of(void); int core_bad(void);\n"
                                   "int core_bad(void) { return abs_of(); }\n"})
        tree.compile("kernel/release", self.KERNEL + ("core/bad.c",))
        status, said = tree.check(objects=True)
        self.assertEqual(status, 1)
        self.assertIn("nothing below it defines", said)

    def test_name_of_the_c_library_is_seen(self):
        tree = Tree({"kernel/bad.c": "void sched_yield(void);\nvoid sched_yield(void)\n{\n}\n"})
        tree.compile("kernel/release", self.KERNEL + ("kernel/bad.c",))
        status, said = tree.check(objects=True)
        self.assertEqual(status, 1)
        self.assertIn("defines 'sched_yield', which is the C library's", said)

    def test_kernel_wanting_more_than_the_contract_is_seen(self):
        tree = Tree({"kernel/bad.c": "int x86_private(void); int bad(void);\n"
                                     "int bad(void) { return x86_private(); }\n"})
        tree.compile("kernel/release", self.KERNEL + ("kernel/bad.c",))
        status, said = tree.check(objects=True)
        self.assertEqual(status, 1)
        self.assertIn("arch.h does not declare", said)


class ThisTree(unittest.TestCase):
    def test_includes_of_this_tree(self):
        self.assertEqual(check_edges.check_includes(os.path.join(TOOLS, "..")), [])


if __name__ == "__main__":
    unittest.main()
