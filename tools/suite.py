# SPDX-License-Identifier: MIT
"""What test suites share: where the tree is, how a suite reports, what a suite's result file holds."""
import json
import os
import resource

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def finish(name, passed, failed, result=None):
    """Prints a suite's last line and leaves its counts in the file `result`, if one is named."""
    print("%s: %d passed, %d failed" % (name, passed, failed), flush=True)
    if result:
        with open(result, "w") as file:
            json.dump({"suite": name, "passed": passed, "failed": failed}, file)


def make_environment():
    """The environment for a `make` that is not part of the calling make's job pool."""
    return {key: value for key, value in os.environ.items()
            if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}


def children_seconds():
    """Processor time of all child processes that ended: what other work on the machine does not
    change."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
