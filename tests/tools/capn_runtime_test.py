# SPDX-License-Identifier: MIT
"""The Cap'n Proto runtime as an object: what it may call, how large it is, that it allocates nothing
and never calls itself."""
import glob
import os
import re
import subprocess
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SOURCES = sorted(glob.glob(os.path.join(ROOT, "capnp", "runtime", "*.c")))
MEMORY = {"memcpy", "memmove", "memset", "memcmp"}
TEXT_MAX = 24 * 1024
ALLOCATORS = ("malloc", "calloc", "realloc", "free")

# Each allocator counts, and the first line of main shows that it does.
PROBE = r"""
#include "capnp/runtime/capn.h"
#include <stdio.h>
#include <stdlib.h>
static unsigned count;
void *__real_malloc(size_t n); void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t m); void *__wrap_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n); void *__wrap_realloc(void *p, size_t n);
void __real_free(void *p); void __wrap_free(void *p);
void *__wrap_malloc(size_t n) { count++; return __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t m) { count++; return __real_calloc(n, m); }
void *__wrap_realloc(void *p, size_t n) { count++; return __real_realloc(p, n); }
void __wrap_free(void *p) { count++; __real_free(p); }
static uint8_t a[800], b[800], bytes[2000], plain[2000];
static unsigned work(void)
{
    struct capn_build_segment rooms[2] = {{a, 6, 0}, {a + 48, 90, 0}}, other = {b, 100, 0};
    struct capn_segment view[2]; struct capn_builder to, copy; struct capn_reader from;
    struct capn_packer packer; struct capn_output out = {bytes, sizeof(bytes), 0};
    struct capn_output unpacked = {plain, sizeof(plain), 0};
    capn_builder_init(&to, rooms, 2);
    struct capn_struct_builder s = capn_init_struct(capn_builder_root(&to), (struct capn_size){1, 2});
    capn_set_u64(s, 0, 7, 0);
    capn_write_text(capn_set_pointer(s, 0), (struct capn_text){"far away, I say", 15});
    capn_init_struct_list(capn_set_pointer(s, 1), 3, (struct capn_size){1, 1});
    uint32_t n = capn_builder_segments(&to, view);
    capn_packer_init(&packer, view, n);
    unsigned good = capn_pack(&packer, &out);
    struct capn_input in = {bytes, out.used, 0};
    good += capn_unpack_all(&in, &unpacked) == CAPN_OK;
    capn_reader_init(&from, view, n, CAPN_LIMITS_DEFAULT);
    good += capn_reader_check_all(&from) == CAPN_OK;
    capn_builder_init(&copy, &other, 1);
    good += capn_copy(capn_builder_root(&copy), capn_reader_root(&from)) == CAPN_OK;
    out.used = 0;
    good += capn_canonical_write(capn_reader_root(&from), &out) == CAPN_OK;
    return good;
}
int main(void)
{
    void *volatile p = malloc(1); free(p);
    unsigned before = count, good = work();
    unsigned during = count - before;
    printf("%u %u %u\n", before, during, good);
    return 0;
}
"""


def run(*command):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


class Runtime(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def objects(self, compiler, level):
        names = []
        for source in SOURCES:
            names.append(os.path.join(self.folder, os.path.basename(source) + ".o"))
            run(compiler, "-std=gnu11", level, "-ffreestanding", "-fno-asynchronous-unwind-tables",
                "-iquote", ".", "-c", source, "-o", names[-1])
        return names

    def test_calls_nothing_and_is_small(self):
        for compiler in ("gcc", "clang-14"):
            for level in ("-Os", "-O2"):
                objects = self.objects(compiler, level)
                found = run("nm", "-P", *objects)
                defined = set(re.findall(r"^(\S+) [A-TV-Z] ", found, re.M))
                wanted = set(re.findall(r"^(\S+) U", found, re.M))
                self.assertEqual(wanted - defined - MEMORY, set(), (compiler, level))
                text = sum(int(line.split()[0]) for line in run("size", *objects).splitlines()[1:])
                self.assertTrue(0 < text <= TEXT_MAX, (compiler, level, text))

    def test_never_calls_itself(self):
        calls = {}
        for source in SOURCES:
            name = os.path.join(self.folder, os.path.basename(source))
            run("gcc", "-std=gnu11", "-O1", "-fno-inline", "-fcallgraph-info", "-ffreestanding",
                "-iquote", ".", "-c", source, "-o", name + ".o")
            with open(name + ".ci") as file:
                for caller, called in re.findall(r'edge: { sourcename: "(.*?)" targetname: "(.*?)"',
                                                 file.read()):
                    calls.setdefault(caller, set()).add(called)
        self.assertGreater(len(calls), 50)
        # A call whose target nobody can tell would leave the graph open.
        self.assertEqual([name for name in calls if "__indirect_call" in calls[name]], [])
        finished = set()

        def visit(function, above):
            self.assertNotIn(function, above, "a circle of calls")
            if function not in finished:
                for called in calls.get(function, ()):
                    visit(called, above | {function})
                finished.add(function)

        for function in list(calls):
            visit(function, frozenset())

    def test_allocates_nothing(self):
        probe, program = os.path.join(self.folder, "probe.c"), os.path.join(self.folder, "probe")
        with open(probe, "w") as file:
            file.write(PROBE)
        run("gcc", "-std=gnu11", "-O1", "-iquote", ".", probe, *SOURCES, "-o", program,
            "-Wl," + ",".join("--wrap=" + name for name in ALLOCATORS))
        before, during, good = map(int, run(program).split())
        self.assertEqual((before, during, good), (2, 0, 5))


if __name__ == "__main__":
    unittest.main()
