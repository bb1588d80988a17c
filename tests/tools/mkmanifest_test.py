# SPDX-License-Identifier: MIT
"""mkmanifest as it is run: what it writes, what it refuses to touch, and that no shell is near."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)

import host_programs  # noqa: E402
import suite  # noqa: E402

TOOL = os.path.join(suite.ROOT, "out", "host", "bin", "mkmanifest")


def system(**changes):
    """A system of init and one service; the keywords replace fields of the root."""
    found = {
        "schemaVersion": 1, "name": "test", "kernel": {},
        "binaries": [{"name": "init", "path": "init"}, {"name": "service", "path": "sub/service"}],
        "init": {"name": "init", "binary": "init", "grants": [
            {"name": "console", "source": "kernel:console", "interface": "Console", "facet": "all",
             "transfer": "copy"}]},
        "services": [{"name": "service", "binary": "service", "grants": [
            {"name": "console", "source": "kernel:console", "interface": "Console",
             "facet": ["write"]}]}],
    }
    found.update(changes)
    return found


class MkmanifestTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mkmanifest-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.bin = os.path.join(self.folder, "bin")
        os.makedirs(os.path.join(self.bin, "sub"))
        for name in ("init", "sub/service"):
            self.put(name, host_programs.stub("x"))
        self.output = os.path.join(self.folder, "out.bin")
        self.environment = None

    def put(self, name, data):
        path = os.path.join(self.bin, name)
        with open(path, "wb") as to:
            to.write(data)
        return path

    def draw(self):
        """Puts a stand-in for graphviz's `dot` first in the tool's PATH."""
        folder = tempfile.mkdtemp(prefix="mkmanifest-test-dot-")
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "dot")
        with open(path, "w", encoding="utf-8") as to:
            to.write('#!/bin/sh\n[ "$*" = -Tsvg ] && echo "<svg>" && cat && echo "</svg>"\n')
        os.chmod(path, 0o755)
        self.environment = {"PATH": folder + ":/usr/bin:/bin"}

    def run_tool(self, description, *options):
        path = os.path.join(self.folder, "system.json")
        text = description if isinstance(description, str) else json.dumps(description)
        with open(path, "w", encoding="utf-8") as to:
            to.write(text)
        return subprocess.run(
            [TOOL, "--output", self.output, "--binaries", self.bin, *options, path],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=60, cwd=self.folder, env=self.environment)

    def accept(self, description, *options):
        result = self.run_tool(description, *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(os.path.exists(self.output))
        return result

    def refuse(self, description, *parts, options=()):
        """Refused, each part said, and nothing left behind."""
        before = self.tree()
        result = self.run_tool(description, *options)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertTrue(result.stderr.startswith("mkmanifest: "), result.stderr)
        self.assertTrue(result.stderr.endswith("nothing was written\n"), result.stderr)
        self.assertIn("system.json: ", result.stderr)
        for part in ("\n  rule:  ", "\n  found: ", "\n  try:   ") + parts:
            self.assertIn(part, result.stderr)
        self.assertEqual(self.tree() - {"system.json"}, before - {"system.json"})
        return result

    def decoded(self):
        """The output as the reference reads it."""
        with open(self.output, "rb") as file:
            return subprocess.run(
                ["capnp", "decode", "-Icapnp/capnpc-c", "schema/manifest.capnp", "Manifest"],
                stdin=file, stdout=subprocess.PIPE, cwd=suite.ROOT, timeout=60, check=True,
                text=True).stdout

    def tree(self):
        found = set()
        for folder, folders, files in os.walk(self.folder):
            for name in folders + files:
                found.add(os.path.relpath(os.path.join(folder, name), self.folder))
        return found

    def binary_at(self, path):
        return system(binaries=[{"name": "init", "path": "init"},
                                {"name": "service", "path": path}])

    # ---- acceptance

    def test_writes_the_same_bytes_again(self):
        self.accept(system())
        with open(self.output, "rb") as file:
            first = file.read()
        os.remove(self.output)
        self.accept(system())
        with open(self.output, "rb") as file:
            self.assertEqual(file.read(), first)
        self.assertEqual(self.tree(), {"bin", "bin/init", "bin/sub", "bin/sub/service", "out.bin",
                                       "system.json"})

    def test_reference_reader_understands_it(self):
        self.accept(system())
        self.assertIn('name = "test"', self.decoded())
        self.assertIn('source = (kernel = "console")', self.decoded())

    def test_without_output_only_checks(self):
        path = os.path.join(self.folder, "system.json")
        with open(path, "w", encoding="utf-8") as to:
            json.dump(system(), to)
        result = subprocess.run([TOOL, "--binaries", self.bin, path], timeout=60)
        self.assertEqual(result.returncode, 0)
        self.assertFalse(os.path.exists(self.output))

    def test_usage(self):
        self.assertEqual(subprocess.run([TOOL], stderr=subprocess.DEVNULL).returncode, 2)
        self.assertEqual(subprocess.run([TOOL, "--bogus", "x"],
                                        stderr=subprocess.DEVNULL).returncode, 2)
        shown = subprocess.run([TOOL, "--help"], stdout=subprocess.PIPE, text=True)
        self.assertEqual(shown.returncode, 0)
        self.assertIn("--explain", shown.stdout)

    def test_defaults_are_those_of_the_definitions(self):
        # systems/schema.cue writes them into the JSON, this tool takes them for what is not there.
        defaults, name = {}, None
        with open(os.path.join(suite.ROOT, "systems", "schema.cue"), encoding="utf-8") as file:
            for line in file:
                name = line[1:line.index(":")] if line.startswith("#") else name
                match = re.match(r"\t(\w+): +\*(\S+) \|", line)
                if match and match.group(2) != "name":
                    defaults.setdefault(name, {})[match.group(1)] = json.loads(match.group(2))

        def process(quota, **fields):
            return dict(defaults["Process"], quota=dict(defaults["Quota"], **defaults[quota]),
                        arguments=[], after=[], **fields)

        export = {"name": "greeter", "interface": "Greeter"}
        plain = system(services=[dict(system()["services"][0], exports=[export])])
        whole = dict(plain, kernel=defaults["Kernel"], init=process("InitQuota", **plain["init"]),
                     services=[process("ServiceQuota", **dict(
                         plain["services"][0], exports=[dict(defaults["Export"], **export)],
                         grants=[dict(defaults["Grant"], **plain["services"][0]["grants"][0])]))])
        self.assertGreater(len(json.dumps(whole)), 2 * len(json.dumps(plain)))
        found = []
        for description in (plain, whole):
            self.accept(description)
            found.append(re.sub(r'sourceHash = .*\)', "", self.decoded()))
        self.assertEqual(found[0], found[1])

    # ---- refusals leave everything as it was

    def test_refusal_keeps_an_old_output(self):
        self.accept(system())
        with open(self.output, "rb") as file:
            before = file.read()
        self.refuse(system(schemaVersion=2), "$.schemaVersion")
        with open(self.output, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_output_in_no_folder(self):
        result = self.run_tool(system(), "--output", os.path.join(self.folder, "no", "out.bin"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("the output can be written", result.stderr)

    def test_a_graph_is_no_leftover_of_an_output_that_fails(self):
        graph = os.path.join(self.folder, "g.dot")
        for output in (os.path.join(self.folder, "no", "out.bin"), self.bin):
            result = self.run_tool(system(), "--graph", graph, "--output", output)
            self.assertEqual(result.returncode, 1)
            self.assertIn("nothing was written", result.stderr)
            self.assertEqual(self.tree(), {"bin", "bin/init", "bin/sub", "bin/sub/service",
                                           "system.json"})

    def test_no_such_input(self):
        result = subprocess.run([TOOL, os.path.join(self.folder, "absent.json")],
                                stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("absent.json", result.stderr)
        self.assertIn("No such file", result.stderr)

    # ---- binaries

    def test_absolute_path(self):
        self.refuse(self.binary_at("/bin/true"), "$.binaries[1].path", "relative to the folder",
                    '"/bin/true"')

    def test_path_with_dots(self):
        for path in ("../bin/init", "sub/../init", "./init", "sub//service", "", "sub/",
                     "sub/../../bin/init", ".."):
            self.refuse(self.binary_at(path), "$.binaries[1].path", '"." or ".." parts')

    def test_absent_file_names_the_nearest(self):
        self.refuse(self.binary_at("sub/servce"), "$.binaries[1].path", "the file exists",
                    'try:   "service"')
        self.refuse(self.binary_at("sbu/service"), 'no "sbu" there', 'try:   "sub"')

    def test_symbolic_links(self):
        outside = os.path.join(self.folder, "outside")
        with open(outside, "wb") as to:
            to.write(host_programs.stub("x"))
        os.symlink(outside, os.path.join(self.bin, "link"))
        os.symlink("init", os.path.join(self.bin, "inner"))
        os.symlink(self.folder, os.path.join(self.bin, "up"))
        for path in ("link", "inner", "up/outside"):
            self.refuse(self.binary_at(path), "$.binaries[1].path", "symbolic link", '"%s"' % path)

    def test_not_a_file(self):
        os.mkfifo(os.path.join(self.bin, "pipe"))
        self.refuse(self.binary_at("pipe"), "$.binaries[1].path", "regular file")
        self.refuse(self.binary_at("sub"), "$.binaries[1].path", "regular file")
        self.refuse(self.binary_at("init/deeper"), "$.binaries[1].path", "link or no folder")
        try:
            os.mknod(os.path.join(self.bin, "device"), 0o20644, os.makedev(1, 5))
        except (PermissionError, OSError):
            return
        self.refuse(self.binary_at("device"), "$.binaries[1].path", "device")

    def test_not_elf(self):
        self.put("sub/service", b"#!/bin/sh\necho no\n")
        self.refuse(system(), "$.binaries[1].path", "not a program that can be loaded", "ELF")
        self.put("sub/service", host_programs.stub("x")[:100])
        self.refuse(system(), "$.binaries[1].path", "not a program that can be loaded")

    def test_no_folder_of_binaries(self):
        result = self.run_tool(system(), "--binaries", os.path.join(self.folder, "no"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("the folder of binaries can be opened", result.stderr)

    # ---- no shell

    def test_shell_characters_do_nothing(self):
        self.draw()
        mark = os.path.join(self.folder, "mark")
        evil = "x;touch %s;$(touch %s)`touch %s`" % (mark, mark, mark)
        self.refuse(self.binary_at(evil), "$.binaries[1].path")
        self.refuse(system(name=evil), "$.name", "a name is")
        service = dict(system()["services"][0], arguments=[evil, "$(id)", "`id`", "a b\tc"])
        self.accept(system(services=[service]), "--graph", os.path.join(self.folder, "g.svg"),
                    "--explain", "service")
        strange = os.path.join(self.folder, "strange;touch mark;$(touch mark).svg")
        self.accept(system(services=[service]), "--graph", strange)
        self.assertTrue(os.path.exists(strange))
        with open(self.output, "rb") as file:
            self.assertIn(evil.encode(), file.read())
        self.assertFalse(os.path.exists(mark))

    def test_init_has_the_same_decoder(self):
        program = os.path.join(suite.ROOT, "out", "user", "debug", "init")
        names = subprocess.run(["nm", program], stdout=subprocess.PIPE, text=True, check=True)
        self.assertRegex(names.stdout, r"(?m) T manifest_open$")

    # ---- views

    def test_explain(self):
        result = self.accept(system(), "--explain", "service")
        self.assertIn("service: program service", result.stdout)
        self.assertIn("is granted 1 capability, and nothing else", result.stdout)
        self.assertIn("console: Console, the kernel's console, through init", result.stdout)
        self.assertIn("may call write: Writes the bytes", result.stdout)
        self.assertIn("may not call read, info", result.stdout)
        self.assertIn("may not pass it on", result.stdout)
        self.refuse(system(), "--explain names a service", '"srvice"', 'try:   "service"',
                    options=("--explain", "srvice"))

    def test_graph(self):
        path = os.path.join(self.folder, "g.dot")
        self.accept(system(), "--graph", path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertIn('"service" -> "kernel:console" [label="console: write"];', text)
        self.assertIn('"init" -> "kernel:console"', text)

    def test_svg(self):
        self.draw()
        path = os.path.join(self.folder, "g.svg")
        self.accept(system(), "--graph", path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertTrue(text.startswith("<svg>\n"), text)
        self.assertIn('"service" -> "kernel:console" [label="console: write"];', text)
        self.assertTrue(text.endswith("</svg>\n"), text)

    @unittest.skipUnless(shutil.which("dot"), "graphviz is not installed")
    def test_svg_by_graphviz(self):
        path = os.path.join(self.folder, "g.svg")
        self.accept(system(), "--graph", path)
        with open(path, encoding="utf-8") as file:
            self.assertIn("</svg>", file.read())

    def test_svg_without_dot(self):
        path = os.path.join(self.folder, "system.json")
        with open(path, "w", encoding="utf-8") as to:
            json.dump(system(), to)
        result = subprocess.run([TOOL, "--binaries", self.bin, "--graph",
                                 os.path.join(self.folder, "g.svg"), path],
                                env={"PATH": self.bin}, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("install graphviz", result.stderr)


if __name__ == "__main__":
    unittest.main()
