#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boot scenes: run tests/scenes/*.json in QEMU and compare what the guest prints.

  scene.py [--result FILE] [NAME]...     all scenes, or those named (a variant: "NAME[smp=4]")

A scene is a JSON object:
  name        must equal the file's name
  about       what the scene shows, in a sentence
  manifest    path of a JSON manifest, relative to the tree, or the manifest itself; absent: the
              boot module is the default system
  programs    names the scene needs under out/user/bin (checked before booting)
  kernel      debug (default), release or measure
  boot        pvh (default), bios or uefi
  smp, memory_mib, cpu ("-smep" changes the model, "qemu64" replaces it), cmdline, icount
  timeout_s   default 60; the environment's SCENE_TIME_SCALE multiplies it
  module      normal (default), none, two (not with pvh) or a path of any file
  expect      list, in order: "text" is found in a line, "/regex/" is searched in a line; an inner
              list is found in any order
  forbid      texts and regexes that no line may have
  exit        success (default), failure, panic (a failure after a report) or halt (the guest stays
              where it is once everything expected was printed)
  addresses   true: kernel addresses may be printed (always so for panic)
  matrix      list of objects; each, laid over the scene, is one variant

One line for each scene that passes; the whole output of each that fails.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import threading

import make_iso
import qemu
import suite

ROOT = suite.ROOT
SCENES = os.path.join("tests", "scenes")
KEYS = {
    "name": str, "about": str, "manifest": (str, dict), "programs": list, "kernel": str,
    "boot": str, "smp": int, "memory_mib": int, "cpu": str, "cmdline": str, "icount": bool,
    "timeout_s": (int, float), "module": str, "expect": list, "forbid": list, "exit": str,
    "addresses": bool, "matrix": list,
}
CHOICES = {
    "kernel": ("debug", "release", "measure"), "boot": ("pvh", "bios", "uefi"),
    "exit": ("success", "failure", "panic", "halt"),
}
DEFAULTS = {
    "kernel": "debug", "boot": "pvh", "smp": 1, "memory_mib": qemu.MEMORY_MIB, "cpu": "",
    "cmdline": "", "icount": False, "timeout_s": 60, "module": "normal", "expect": [],
    "forbid": [], "exit": "success", "addresses": False, "programs": [],
}
DEFAULT_MANIFEST = "systems/default.json"
ANSI = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]")
KERNEL_ADDRESS = re.compile(r"(?<![0-9a-fA-F])(?:0x)?ffff[89a-f][0-9a-f]{11}(?![0-9a-fA-F])")
PANIC = re.compile(r"(?i)\bpanic\b")


class SceneError(Exception):
    pass


def overlay_name(overlay):
    """ "smp=4,boot=uefi": how a variant is called. """
    return ",".join("%s=%s" % (key, value if isinstance(value, (str, int, float)) else "...")
                    for key, value in overlay.items() if key not in ("expect", "forbid"))


def scene_check(scene, path):
    for key, value in scene.items():
        if key not in KEYS:
            raise SceneError("%s: unknown key '%s'" % (path, key))
        if not isinstance(value, KEYS[key]):
            raise SceneError("%s: '%s' has the wrong type" % (path, key))
        if key in CHOICES and value not in CHOICES[key]:
            raise SceneError("%s: '%s' is '%s', not one of %s" % (path, key, value,
                                                                 ", ".join(CHOICES[key])))
    for rule in list(flatten(scene.get("expect", []))) + scene.get("forbid", []):
        if not isinstance(rule, str):
            raise SceneError("%s: a rule is a text: %r" % (path, rule))
        matcher(rule)
    if scene.get("boot", "pvh") == "pvh" and scene.get("module") == "two":
        raise SceneError("%s: the direct boot takes one module; use bios" % path)


def scene_variants(path, defaults=None):
    """The scene of a file, once for each entry of its matrix."""
    with open(path) as file:
        try:
            scene = json.load(file)
        except ValueError as problem:
            raise SceneError("%s: %s" % (path, problem))
    stem = os.path.basename(path)[:-len(".json")]
    if not isinstance(scene, dict) or scene.get("name") != stem:
        raise SceneError("%s: 'name' must be '%s'" % (path, stem))
    matrix = scene.pop("matrix", [{}])
    variants = []
    for overlay in matrix:
        if not isinstance(overlay, dict):
            raise SceneError("%s: an entry of 'matrix' is an object" % path)
        variant = dict(scene, **overlay)
        scene_check(variant, path)
        if overlay:
            variant["name"] = "%s[%s]" % (stem, overlay_name(overlay))
        variants.append(dict(DEFAULTS, **dict(defaults or {}, **variant)))
    names = [variant["name"] for variant in variants]
    if len(set(names)) != len(names):
        raise SceneError("%s: two entries of 'matrix' are alike" % path)
    return variants


# ---- matching ------------------------------------------------------------------------------------

def flatten(rules):
    for rule in rules:
        if isinstance(rule, list):
            yield from rule
        else:
            yield rule


def matcher(rule):
    """A function line -> bool."""
    if len(rule) > 2 and rule[0] == "/" and rule[-1] == "/":
        try:
            pattern = re.compile(rule[1:-1])
        except re.error as problem:
            raise SceneError("bad pattern %s: %s" % (rule, problem))
        return lambda line: pattern.search(line) is not None
    return lambda line: rule in line


def first_unmet(expect, lines):
    """The first expectation that `lines` does not meet, in order; None: all are met."""
    position = 0
    for rule in expect:
        if isinstance(rule, list):
            furthest = position
            taken = set()
            for text in rule:
                match = matcher(text)
                for index in range(position, len(lines)):
                    if index not in taken and match(lines[index]):
                        taken.add(index)
                        furthest = max(furthest, index + 1)
                        break
                else:
                    return text
            position = furthest
            continue
        match = matcher(rule)
        for index in range(position, len(lines)):
            if match(lines[index]):
                position = index + 1
                break
        else:
            return rule
    return None


def output_lines(output):
    text = ANSI.sub("", output.decode("utf-8", errors="replace"))
    return [line.rstrip() for line in text.replace("\r", "\n").split("\n") if line.rstrip()]


def judge(scene, lines, outcome):
    """What is wrong with a run, None: nothing."""
    for rule in scene["forbid"]:
        match = matcher(rule)
        for line in lines:
            if match(line):
                return "printed what is forbidden (%s): %s" % (rule, line)
    wanted = scene["exit"]
    if wanted != "panic":
        if not scene["addresses"]:
            for line in lines:
                if KERNEL_ADDRESS.search(line):
                    return "printed a kernel address: %s" % line
    unmet = first_unmet(scene["expect"], lines)
    if unmet is not None:
        return "did not print: %s  (%s)" % (unmet, outcome.reason)
    if wanted == "halt":
        return None if outcome.reason == "stopped" else "did not stay halted: %s" % outcome.reason
    if wanted == "success":
        return None if outcome.success else "expected success: %s" % outcome.reason
    failed = outcome.status is not None and outcome.status & 1 and outcome.status > 1
    if not failed or outcome.success:
        return "expected %s: %s" % (wanted, outcome.reason)
    if wanted == "panic" and not any(PANIC.search(line) for line in lines):
        return "failed without a panic report"
    return None


# ---- running -------------------------------------------------------------------------------------

def text_hash(text):
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class Builder:
    """Boot modules and ISOs, each made once for all the variants that share it."""

    def __init__(self, out):
        self.out = out
        self.folder = os.path.join(out, "scenes")
        self.lock = threading.Lock()
        self.made = {}
        os.makedirs(self.folder, exist_ok=True)

    def once(self, key, make):
        with self.lock:
            future = self.made.get(key)
            owner = future is None
            if owner:
                future = self.made[key] = concurrent.futures.Future()
        if owner:
            try:
                future.set_result(make())
            except BaseException as problem:
                future.set_exception(problem)
        return future.result()

    def manifest_module(self, scene):
        manifest = scene.get("manifest", DEFAULT_MANIFEST)
        stem = scene["name"].split("[")[0]
        if isinstance(manifest, dict):
            key = json.dumps(manifest, sort_keys=True)
            source = os.path.join(self.folder, "%s-%s.json" % (stem, text_hash(key)))
        else:
            key, source = manifest, manifest

        def make():
            if isinstance(manifest, dict):
                with open(source, "w") as file:
                    json.dump(manifest, file, indent=2)
            # Paths inside a manifest are the tool's own business; it runs at the root of the tree.
            name = os.path.basename(source)[:-len(".json")]
            output = os.path.join(self.folder, name + ".bin")
            command = [os.path.join(self.out, "host", "bin", "mkmanifest"), "--output", output,
                       "--binaries", os.path.join(self.out, "user", "bin"), source]
            result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT)
            if result.returncode:
                raise SceneError("%s\n%s" % (" ".join(command),
                                             result.stdout.decode(errors="replace")))
            return output

        return self.once(("manifest", key), make)

    def modules(self, scene):
        if scene["module"] == "none":
            return []
        if scene["module"] not in ("normal", "two"):
            return [scene["module"]]
        return [self.manifest_module(scene)] * (2 if scene["module"] == "two" else 1)

    def machine(self, scene):
        kernel = os.path.join(self.out, "kernel", scene["kernel"], "kernel.elf")
        if not os.path.exists(kernel):
            raise SceneError("%s is not built" % kernel)
        for program in scene["programs"]:
            if not os.path.exists(os.path.join(self.out, "user", "bin", program)):
                raise SceneError("program '%s' is not built" % program)
        modules = self.modules(scene)
        machine = qemu.Machine(scene["boot"], smp=scene["smp"], memory_mib=scene["memory_mib"],
                               cpu=scene["cpu"], icount=scene["icount"])
        if scene["boot"] == "pvh":
            machine.kernel, machine.cmdline = kernel, scene["cmdline"]
            machine.module = modules[0] if modules else None
            return machine

        key = ("iso", kernel, tuple(modules), scene["cmdline"])

        def make():
            path = os.path.join(self.folder, "%s-%s.iso" % (scene["name"].split("[")[0],
                                                           text_hash(repr(key))))
            try:
                make_iso.make_iso(kernel, modules, scene["cmdline"], path)
            except RuntimeError as problem:
                raise SceneError(str(problem))
            return path

        machine.iso = self.once(key, make)
        return machine


def run_scene(scene, builder, scale, extra=()):
    """(what is wrong or None, seconds, output); `extra` arguments for the emulator"""
    try:
        machine = builder.machine(scene)
        machine.extra += extra
    except (SceneError, OSError) as problem:
        return str(problem), 0.0, b""
    stop = None
    if scene["exit"] == "halt":
        def stop(output):
            return first_unmet(scene["expect"], output_lines(output)) is None
    outcome = qemu.run(machine, scene["timeout_s"] * scale, stop)
    lines = output_lines(outcome.output)
    return judge(scene, lines, outcome), outcome.seconds, outcome.output


def select(names):
    """All variants of the tree that `names` chooses."""
    folder = os.path.join(ROOT, SCENES)
    files = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    variants = []
    for file in files:
        if file.endswith(".json"):
            variants += scene_variants(os.path.join(SCENES, file))
    if not names:
        return variants
    chosen = [variant for variant in variants
              if variant["name"] in names or variant["name"].split("[")[0] in names]
    known = {variant["name"].split("[")[0] for variant in variants}
    for name in names:
        if name.split("[")[0] not in known or not any(
                name in (v["name"], v["name"].split("[")[0]) for v in chosen):
            raise SceneError("no scene '%s'; there are: %s" % (name, " ".join(sorted(known))))
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result")
    parser.add_argument("--out", default="out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    os.chdir(ROOT)
    try:
        scenes = select(options.names)
    except SceneError as problem:
        print("scene: %s" % problem)
        suite.finish("boot scenes", 0, 1, options.result)
        return 1
    builder = Builder(options.out)
    scale = float(os.environ.get("SCENE_TIME_SCALE", "1"))
    passed = failed = 0
    # Scenes with many CPUs get the machine's threads too; a few at a time keep timeouts honest.
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        # The slow ones first, so that the last to end is a short one.
        scenes.sort(key=lambda scene: ({"uefi": 0, "bios": 1, "pvh": 2}[scene["boot"]]))
        futures = {pool.submit(run_scene, scene, builder, scale): scene for scene in scenes}
        for future in concurrent.futures.as_completed(futures):
            scene = futures[future]
            problem, seconds, output = future.result()
            if problem is None:
                passed += 1
                print("  PASS  %s (%.1f s)" % (scene["name"], seconds), flush=True)
                continue
            failed += 1
            print("  FAIL  %s (%.1f s): %s" % (scene["name"], seconds, problem))
            print("---- output of %s ----" % scene["name"])
            sys.stdout.write(output.decode("utf-8", errors="replace").replace("\r", ""))
            print("---- end of output of %s ----" % scene["name"], flush=True)
    suite.finish("boot scenes", passed, failed, options.result)
    return 1 if failed or not (passed or not options.names) else 0


if __name__ == "__main__":
    sys.exit(main())
