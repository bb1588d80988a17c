# SPDX-License-Identifier: MIT
"""capnpc-c: what it refuses and how it says so, that it writes nothing then, that the same schema
gives the same bytes, and that its reading of a request agrees with what it generates for one."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PLUGIN = os.path.join(ROOT, "out", "host", "bin", "capnpc-c")
HEAD = '@0xf0a1b2c3d4e5f607;\nusing C = import "/c.capnp";\n'
DOCS = '$C.methodDocs(["Errors:", "Minted by:"]);\n$C.interfaceDocs(["Lifetime:"]);\n'
CC = ["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wstrict-prototypes",
      "-Wmissing-prototypes", "-Werror", "-iquote", ROOT]


def clean_environment():
    """Without what a make above this one has put there."""
    return {name: value for name, value in os.environ.items()
            if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}


def setUpModule():
    subprocess.run(["make", "-s", "-C", ROOT, "SETUP=no", "out/host/bin/capnpc-c"], check=True,
                   env=clean_environment())


def tree(folder):
    found = {}
    for name in glob.glob(os.path.join(folder, "**", "*"), recursive=True):
        if os.path.isfile(name):
            with open(name, "rb") as file:
                found[os.path.relpath(name, folder)] = file.read()
    return found


class Generator(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.out = os.path.join(self.folder, "out")
        os.mkdir(self.out)

    def generate(self, files, out=None):
        """Writes the schemas, runs the compiler; the result has the text of both streams."""
        for name, text in files.items():
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(text)
        return subprocess.run(["capnp", "compile", "-I/usr/include",
                               "-I" + os.path.join(ROOT, "capnp", "capnpc-c"), "-I.",
                               "-o%s:%s" % (PLUGIN, out or self.out)] + list(files),
                              cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=dict(os.environ, PWD=self.folder))

    def refused(self, text, *messages):
        result = self.generate({"x.capnp": text})
        self.assertNotEqual(result.returncode, 0, result.stdout)
        for message in messages:
            self.assertIn(message, result.stdout)
        self.assertEqual(tree(self.out), {}, "files in spite of an error")

    def accepted(self, text, name="x.capnp"):
        result = self.generate({name: text})
        self.assertEqual(result.returncode, 0, result.stdout)
        for path in glob.glob(os.path.join(self.out, "**", "*.c"), recursive=True):
            subprocess.run(CC + ["-c", path, "-o", "/dev/null"], check=True)
        return tree(self.out)


class Refusals(Generator):
    def test_missing_line_in_a_method(self):
        self.refused(HEAD + DOCS + """interface I {
          # Lifetime: ever.
          good @0 ();
          # Errors: none.
          # Minted by: the test.
          bad @1 ();
          # Errors: none.
        }""", 'x.capnp:I.bad: its comment has no line "Minted by: ..."', "1 error, nothing written")

    def test_line_without_text(self):
        self.refused(HEAD + DOCS + """interface I {
          # Lifetime: ever.
          bad @0 ();
          # Errors: none.
          # Minted by:
        }""", 'x.capnp:I.bad: its comment has no line "Minted by: ..."')

    def test_method_without_any_comment(self):
        self.refused(HEAD + DOCS + "interface I {\n# Lifetime: ever.\nbad @0 (); }",
                     '"Errors: ..."', '"Minted by: ..."', "2 errors")

    def test_missing_line_in_an_interface(self):
        self.refused(HEAD + DOCS + "interface I {\n# No such line.\n}",
                     'x.capnp:I: its comment has no line "Lifetime: ..."')

    def test_no_demand_without_the_annotation(self):
        self.accepted(HEAD + "interface I { free @0 (); }")

    def test_sixty_five_methods(self):
        methods = "".join("m%d @%d ();\n" % (i, i) for i in range(65))
        self.refused(HEAD + "interface I {\n" + methods + "}",
                     "x.capnp:I: the interface has 65 methods, a facet has bits for 64")

    def test_sixty_four_methods(self):
        methods = "".join("m%d @%d ();\n" % (i, i) for i in range(64))
        header = self.accepted(HEAD + "interface I {\n" + methods + "}")["x.capnp.h"].decode()
        self.assertIn("#define X_I_FACETS_DECLARED UINT64_C(0xffffffffffffffff)", header)
        self.assertIn("#define X_I_FACET_M63 (UINT64_C(1) << 63)", header)

    def test_collision_of_types(self):
        self.refused(HEAD + "struct FooBar {}\nstruct Foo { struct Bar {} }",
                     'the C name "x_foo_bar_reader" is taken by x.capnp:FooBar')

    def test_collision_of_fields(self):
        self.refused(HEAD + "struct S { fooBar @0 :Text; fooBAR @1 :Text; }",
                     'x.capnp:S.fooBAR: the C name "x_s_at_foo_bar" is taken by x.capnp:S.fooBar')

    def test_collision_of_enumerants(self):
        self.refused(HEAD + "enum E { fooBar @0; fooBAR @1; }",
                     'x.capnp:E.fooBAR: the C name "X_E_FOO_BAR" is taken by x.capnp:E.fooBar')

    def test_collision_is_settled_by_a_name(self):
        header = self.accepted(HEAD + 'struct S { fooBar @0 :Text; fooBAR @1 :Text $C.name("other");'
                               ' }')["x.capnp.h"].decode()
        self.assertIn("x_s_get_other(", header)

    def test_keyword_as_method(self):
        self.refused(HEAD + "interface I { register @0 (); }",
                     'x.capnp:I.register: "register" is a keyword of C')

    def test_keyword_as_chosen_name(self):
        self.refused(HEAD + 'enum E $C.name("while") { a @0; }', '"while" is a keyword of C')

    def test_keywords_where_they_do_no_harm(self):
        self.accepted(HEAD + "struct S { int @0 :Int32; while @1 :Text; union { if @2 :Void;"
                      " else @3 :Void; } }\nenum E { default @0; }")

    def test_chosen_name_that_is_none(self):
        self.refused(HEAD + 'struct S $C.name("a-b") {}', '"a-b_reader" is no C identifier')

    def test_file_name_that_begins_with_a_digit(self):
        result = self.generate({"1st.capnp": "@0xf0a1b2c3d4e5f607;\nstruct S {}"})
        self.assertIn('"1st_s_reader" is no C identifier', result.stdout)
        self.assertNotEqual(result.returncode, 0)

    def test_prefix_settles_it(self):
        files = self.accepted(HEAD + '$C.prefix("first");\nstruct S {}', "1st.capnp")
        self.assertIn("struct first_s_reader", files["1st.capnp.h"].decode())

    def test_many_errors_are_all_told(self):
        self.refused(HEAD + "interface I { register @0 (); static @1 (); volatile @2 (); }",
                     "I.register", "I.static", "I.volatile", "3 errors, nothing written")

    def run_plugin(self, data, *arguments):
        return subprocess.run([PLUGIN] + list(arguments), cwd=self.out, input=data,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_input_that_is_no_request(self):
        for data in (b"", b"garbage", b"\xff" * 64, b"\0" * 8, os.urandom(4096)):
            result = self.run_plugin(data)
            self.assertIn(b"standard input is no CodeGeneratorRequest", result.stdout)
            self.assertEqual(result.returncode, 1)
        self.assertEqual(tree(self.out), {})

    def test_argument(self):
        result = self.run_plugin(b"", "--help")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b'unexpected argument "--help"', result.stdout)

    def test_damaged_requests_do_not_crash(self):
        sanitized = os.path.join(self.folder, "capnpc-c")
        subprocess.run(["gcc", "-std=gnu11", "-O1", "-iquote", ROOT, "-o", sanitized,
                        "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
                       + glob.glob(os.path.join(ROOT, "capnp", "capnpc-c", "*.c"))
                       + glob.glob(os.path.join(ROOT, "capnp", "runtime", "*.c")), check=True)
        request = subprocess.run(["capnp", "compile", "-I" + os.path.join(ROOT, "capnp", "capnpc-c"),
                                  "-o-", os.path.join(ROOT, "schema", "null.capnp")],
                                 stdout=subprocess.PIPE, check=True).stdout
        cuts = [request[:at] for at in (8, 100, len(request) // 2, len(request) - 8)]
        for at in range(0, len(request), max(1, len(request) // 300)):
            damaged = bytearray(request)
            damaged[at] ^= 0x5a
            cuts.append(bytes(damaged))
        for damaged in cuts:
            result = subprocess.run([sanitized], cwd=self.out, input=damaged,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertNotIn(b"Sanitizer", result.stdout)
            self.assertNotIn(b"runtime error", result.stdout)
            self.assertIn(result.returncode, (0, 1), result.stdout[-300:])


class Output(Generator):
    def test_same_bytes_each_time_and_in_any_company(self):
        schemas = {}
        for path in glob.glob(os.path.join(ROOT, "schema", "*.capnp")):
            with open(path) as file:
                schemas[os.path.basename(path)] = file.read()
        self.assertEqual(self.generate(schemas).returncode, 0)
        first = tree(self.out)
        other = os.path.join(self.folder, "other")
        os.mkdir(other)
        backwards = dict(sorted(schemas.items(), reverse=True))
        self.assertEqual(self.generate(backwards, other).returncode, 0)
        second = tree(other)
        del first["index.meta.c"], second["index.meta.c"]
        self.assertEqual(first, second)
        alone = os.path.join(self.folder, "alone")
        os.mkdir(alone)
        result = subprocess.run(["capnp", "compile", "-I/usr/include",
                                 "-I" + os.path.join(ROOT, "capnp", "capnpc-c"),
                                 "-o%s:%s" % (PLUGIN, alone), "thread.capnp"], cwd=self.folder,
                                env=dict(os.environ, PWD=self.folder))
        self.assertEqual(result.returncode, 0)
        for name, data in tree(alone).items():
            self.assertEqual(data, first[name], name)

    def test_no_path_of_this_machine_in_the_output(self):
        for name, data in self.accepted(HEAD + "struct S { a @0 :Text = \"x\"; }").items():
            self.assertNotIn(self.folder.encode(), data, name)

    def test_hostile_comments_stay_comments(self):
        header = self.accepted(HEAD + "struct S {\n# end */ #error out /* again\n"
                               "# line two \\\n a @0 :Text; }")["x.capnp.h"].decode()
        self.assertIn("end * / #error out / * again", header)

    def test_circle_of_imports(self):
        a = '@0xf0a1b2c3d4e5f601;\nusing B = import "b.capnp";\nstruct A { b @0 :B.B; }'
        b = ('@0xf0a1b2c3d4e5f602;\nusing A = import "a.capnp";\n'
             "struct B { a @0 :A.A; list @1 :List(A.A); }")
        self.assertEqual(self.generate({"a.capnp": a, "b.capnp": b}).returncode, 0)
        for name in ("a", "b"):
            source = os.path.join(self.folder, name + ".c")
            with open(source, "w") as file:
                file.write('#include "out/%s.capnp.h"\n' % name)
            subprocess.run(CC + ["-I", self.folder, "-c", source, "-o", "/dev/null"], check=True)

    def test_files_in_folders(self):
        files = {"one/two/in.capnp": "@0xf0a1b2c3d4e5f601;\nstruct In { x @0 :Text; }",
                 "one/out.capnp": '@0xf0a1b2c3d4e5f602;\nusing In = import "two/in.capnp";\n'
                                  "struct Out { in @0 :In.In; }"}
        result = self.generate(files)
        self.assertEqual(result.returncode, 0, result.stdout)
        for path in ("one/out.meta.c", "one/two/in.meta.c"):
            subprocess.run(CC + ["-c", os.path.join(self.out, path), "-o", "/dev/null"], check=True)

    def test_compiles_with_clang_and_without_floating_point(self):
        for path in glob.glob(os.path.join(ROOT, "schema", "generated", "*.h")):
            for compiler in (["clang-14", "-Wall", "-Werror", "-std=gnu11"], CC[:1] + CC[1:]):
                subprocess.run(compiler + ["-iquote", ROOT, "-mgeneral-regs-only", "-ffreestanding",
                                           "-include", path, "-x", "c", "-c", "/dev/null", "-o",
                                           "/dev/null"], check=True)

    def test_own_reading_of_requests(self):
        subprocess.run(["capnp", "compile", "-I/usr/include", "--src-prefix=/usr/include/capnp",
                        "-o%s:%s" % (PLUGIN, self.out), "/usr/include/capnp/schema.capnp"],
                       check=True)
        program = os.path.join(self.folder, "request")
        subprocess.run(CC + ["-I", self.out, "-o", program,
                             os.path.join(ROOT, "tests", "capnp", "request_main.c")]
                       + glob.glob(os.path.join(ROOT, "capnp", "runtime", "*.c")), check=True)
        schemas = [os.path.join(ROOT, "tests", "capnp", "features.capnp"),
                   "/usr/include/capnp/schema.capnp", "/usr/include/capnp/rpc.capnp"]
        for schema in schemas + glob.glob(os.path.join(ROOT, "schema", "*.capnp")):
            request = subprocess.run(["capnp", "compile", "-I/usr/include", "-I"
                                      + os.path.join(ROOT, "capnp", "capnpc-c"), "-o-", schema],
                                     stdout=subprocess.PIPE, check=True).stdout
            result = subprocess.run([program], input=request, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT)
            self.assertEqual(result.returncode, 0, result.stdout)
            self.assertGreater(int(result.stdout.split()[0]), 10)


class Drift(unittest.TestCase):
    def check(self, *variables):
        return subprocess.run(["make", "-C", ROOT, "SETUP=no", "generated-code-check"]
                              + list(variables), env=clean_environment(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_current(self):
        result = self.check()
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_changed_line_extra_and_missing_file(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, "generated")
            for change in ("line", "extra", "missing"):
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(os.path.join(ROOT, "schema", "generated"), copy)
                name = os.path.join(copy, "timer.capnp.h")
                if change == "missing":
                    os.remove(name)
                else:
                    with open(name if change == "line" else name + ".h", "a") as file:
                        file.write("\n")
                result = self.check("SCHEMA_GENERATED=" + copy)
                self.assertNotEqual(result.returncode, 0, change)
                self.assertIn("run make generated-code", result.stdout)

    def test_another_compiler(self):
        result = self.check("CAPNP_VERSION=Cap'n Proto version 9.9.9")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("pinned is", result.stdout)
        result = self.check("CAPNP_COMPILER=/nonexistent/capnp")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("/nonexistent/capnp: found", result.stdout)


class Schemas(unittest.TestCase):
    def test_every_schema_asks_for_its_lines(self):
        schemas = glob.glob(os.path.join(ROOT, "schema", "*.capnp"))
        self.assertGreaterEqual(len(schemas), 15)
        for path in schemas:
            with open(path) as file:
                text = file.read()
            self.assertIn('$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);', text,
                          path)
            self.assertIn('$C.interfaceDocs(["Lifetime:", "Minted by:"]);', text, path)

    def test_limits_in_comments_exist(self):
        with open(os.path.join(ROOT, "abi", "limits.h")) as file:
            limits = set(re.findall(r"LIMIT_\w+", file.read()))
        found = set()
        for path in glob.glob(os.path.join(ROOT, "schema", "*.capnp")):
            with open(path) as file:
                found |= set(re.findall(r"LIMIT_\w+", file.read()))
        self.assertTrue(found)
        self.assertEqual(found - limits, set())

    def test_errors_in_comments_are_reasons(self):
        with open(os.path.join(ROOT, "schema", "exception.capnp")) as file:
            reasons = set(re.findall(r"^  (\w+) @\d+;", file.read(), re.M))
        self.assertIn("staleCapability", reasons)
        for path in glob.glob(os.path.join(ROOT, "schema", "*.capnp")):
            with open(path) as file:
                text = file.read()
            for errors in re.findall(r"# Errors: (.*?)\n *# Lifetime:", text, re.S):
                plain = re.sub(r"\([^()]*\)", "", errors.replace("#", ""))
                plain = re.sub(r"\s+", " ", plain).strip().rstrip(".")
                for word in re.split(r"[;,] ?", plain):
                    self.judge(path, word.strip(), reasons)

    def judge(self, path, word, reasons):
        if word in ("", "none beyond those of every call") or re.match(r"as \w+$", word):
            return
        first = word.split()[0]
        if word.startswith("opcodeOnly when") or "killing a process" in word:
            return
        self.assertIn(first, reasons, "%s: \"%s\"" % (os.path.basename(path), word))


if __name__ == "__main__":
    unittest.main()
