#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Evaluate systems/*.cue into systems/*.json with the pinned CUE.

  make_manifests.py [--root TREE] [--check] [NAME...]

CUE is the module that the row `module cue` of tools/pins.txt names, built by `go install` into
out/tools. The program is used from there and nowhere else, and its build information must name that
module, version and hash; a CUE from another place or of another version is refused. --check writes
nothing and fails if an evaluation differs from what stands there.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys

import check_manifests
import suite

GO_LEAST = (1, 25)


def refuse(text):
    sys.exit("make manifests: " + text)


def pin_read(root):
    """(package, version, hash) of the pinned CUE."""
    with open(os.path.join(root, "tools", "pins.txt"), encoding="utf-8") as file:
        rows = [line.split() for line in file if line.startswith("module cue ")]
    if len(rows) != 1 or len(rows[0]) != 5:
        refuse("tools/pins.txt has no row `module cue PACKAGE VERSION HASH`")
    return rows[0][2:]


def go_version(go):
    try:
        text = subprocess.run([go, "env", "GOVERSION"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.match(r"go(\d+)\.(\d+)", text)
    return (int(match.group(1)), int(match.group(2))) if match else None


def go_find():
    """A Go that is new enough; PATH may be bare."""
    places = [os.path.join(folder, "go") for folder in os.environ.get("PATH", "").split(":")]
    places += ["/usr/local/go/bin/go", os.path.expanduser("~/go/bin/go")]
    places += sorted(glob.glob(os.path.expanduser("~/sdk/go*/bin/go")), reverse=True)
    for place in places:
        version = go_version(place) if os.access(place, os.X_OK) else None
        if version and version >= GO_LEAST:
            return place
    refuse("Go %d.%d or later is needed to build CUE; none was found in PATH, /usr/local/go, ~/go "
           "or ~/sdk. Only who changes a .cue file needs it" % GO_LEAST)


def build_problem(go, cue, pin):
    """Why this program is not the pinned CUE, or None."""
    package, version, digest = pin
    result = subprocess.run([go, "version", "-m", cue], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    rows = [line.split() for line in result.stdout.splitlines()[1:]]
    if ["path", package] not in rows:
        return "%s is not %s" % (cue, package)
    modules = [row[1:] for row in rows if row[:1] == ["mod"]]
    if len(modules) != 1 or modules[0][1:] != [version, digest]:
        return "%s is %s, pinned is %s %s" % (cue, " ".join(modules[0][1:]) if modules else
                                             "of no known version", version, digest)
    return None


def cue_find(root, pin):
    """The pinned CUE, built if it is not there yet."""
    folder = os.path.join(root, "out", "tools")
    cue = os.path.join(folder, "cue")
    asked = os.environ.get("CUE")
    if asked and os.path.realpath(asked) != os.path.realpath(cue):
        refuse("CUE=%s is refused: the pinned program is %s" % (asked, cue))
    go = go_find()
    if not os.path.exists(cue):
        os.makedirs(folder, exist_ok=True)
        print("  GO  %s@%s" % (pin[0], pin[1]), flush=True)
        environment = dict(os.environ, GOBIN=folder, GOFLAGS="-trimpath")
        result = subprocess.run([go, "install", "%s@%s" % (pin[0], pin[1])], env=environment)
        if result.returncode != 0:
            refuse("go install of %s@%s failed" % (pin[0], pin[1]))
    problem = build_problem(go, cue, pin)
    if problem:
        refuse(problem)
    return cue


def evaluate(cue, folder, name):
    """The system as a value, `sources` included."""
    result = subprocess.run([cue, "export", "--out", "json", "-e", "system",
                             check_manifests.SHARED, name + ".cue"], cwd=folder, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        refuse("systems/%s.cue:\n%s" % (name, result.stderr))
    system = json.loads(result.stdout)
    found = check_manifests.sources(folder, name)
    found[check_manifests.EVALUATED] = check_manifests.value_digest(system)
    system["sources"] = found
    return system


def write(path, text):
    """Beside the file first, then over it."""
    temporary = "%s.new-%d" % (path, os.getpid())
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=suite.ROOT)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    folder = os.path.join(options.root, "systems")
    cue = cue_find(options.root, pin_read(options.root))
    different = 0
    for name in options.names or check_manifests.names(folder):
        text = json.dumps(evaluate(cue, folder, name), indent=2, sort_keys=False) + "\n"
        path = os.path.join(folder, name + ".json")
        old = ""
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                old = file.read()
        if old == text:
            continue
        different += 1
        print("  %s  systems/%s.json" % ("DIFFERS" if options.check else "CUE", name))
        if not options.check:
            write(path, text)
    return 1 if options.check and different else 0


if __name__ == "__main__":
    sys.exit(main())
