#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that each systems/NAME.json is what its CUE sources say, without needing CUE.

  check_manifests.py [--root TREE] [--result FILE]

`make manifests` evaluates systems/schema.cue with systems/NAME.cue and writes NAME.json with a field
`sources`: the SHA-256 of both files and of the evaluated value. A changed source, a JSON file edited
by hand and one that no source stands behind are told apart and refused.
"""
import argparse
import hashlib
import json
import os
import sys

import suite

SHARED = "schema.cue"
EVALUATED = "evaluated"


def digest(data):
    return hashlib.sha256(data).hexdigest()


def file_digest(path):
    with open(path, "rb") as file:
        return digest(file.read())


def value_digest(system):
    """Of the evaluated value, whatever its layout as text."""
    value = {key: system[key] for key in system if key != "sources"}
    return digest(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def names(folder):
    """Names of the systems that have a CUE source."""
    return sorted(name[:-len(".cue")] for name in os.listdir(folder)
                  if name.endswith(".cue") and name != SHARED)


def sources(folder, name):
    """What the field `sources` of a system must be for its files of today."""
    return {file: file_digest(os.path.join(folder, file)) for file in (SHARED, name + ".cue")}


def system_problem(folder, name):
    """What is wrong with one system, or None."""
    path = os.path.join(folder, name + ".json")
    again = "run make manifests"
    if not os.path.exists(path):
        return "%s.cue has no %s.json: %s" % (name, name, again)
    try:
        with open(path, encoding="utf-8") as file:
            system = json.load(file)
    except ValueError as problem:
        return "%s.json is no JSON: %s" % (name, problem)
    recorded = system.get("sources") if isinstance(system, dict) else None
    if not isinstance(recorded, dict):
        return "%s.json does not say what it was made from: %s" % (name, again)
    for file, found in sources(folder, name).items():
        if recorded.get(file) != found:
            return "%s changed since %s.json was made from it: %s" % (file, name, again)
    if recorded.get(EVALUATED) != value_digest(system):
        return "%s.json was edited by hand: edit %s.cue and %s" % (name, name, again)
    return None


def problems(folder):
    found = [system_problem(folder, name) for name in names(folder)]
    known = set(names(folder))
    for file in sorted(os.listdir(folder)):
        if file.endswith(".json") and file[:-len(".json")] not in known:
            found.append("%s has no source %s.cue" % (file, file[:-len(".json")]))
    return [problem for problem in found if problem]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=suite.ROOT)
    parser.add_argument("--result")
    options = parser.parse_args()
    folder = os.path.join(options.root, "systems")
    found = problems(folder)
    for problem in found:
        print("systems/" + problem)
    suite.finish("manifests", len(names(folder)) - min(len(found), len(names(folder))),
                 len(found), options.result)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
