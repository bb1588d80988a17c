#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write a hybrid ISO that boots the kernel through GRUB, under BIOS and UEFI firmware alike.

The bytes depend on the kernel, the modules, the command line and the pinned tools only: every time
stamp is TIME, also the ones grub-mkrescue and mtools take from the clock. An input that differs from
tools/pins.txt is refused before anything is made.
"""
import argparse
import functools
import os
import shutil
import subprocess
import sys
import tempfile

import check_pins

TIME = 1700000000
TIME_TEXT = "2023-11-14 22:13:20"
GRUB_MODULES = ("multiboot2 normal iso9660 part_gpt part_msdos fat serial terminal boot relocator "
                "search")


def configuration(modules, cmdline):
    lines = ["set timeout=0", "multiboot2 /boot/kernel.elf" + (" " + cmdline if cmdline else "")]
    lines += ["module2 /boot/%s %s" % (name, name) for name in modules]
    return "\n".join(lines + ["boot", ""])


@functools.lru_cache(maxsize=None)
def pins_refusal():
    """What of the ISO's inputs differs from tools/pins.txt; "": nothing. Looked at once."""
    found, _ = check_pins.problems(*check_pins.pins_read(check_pins.PINS), (check_pins.FILE_GROUP,))
    return "\n".join("pins: %s: %s" % (name, problem) for name, problem in found if problem)


def make_iso(kernel, modules, cmdline, output):
    """`modules`: paths of boot modules, in order. Raises RuntimeError with the tool's output, or with
    the input that is not the pinned one."""
    if pins_refusal():
        raise RuntimeError(pins_refusal())
    folder = tempfile.mkdtemp(prefix="capos-iso-")
    try:
        tree = os.path.join(folder, "iso")
        boot = os.path.join(tree, "boot")
        os.makedirs(os.path.join(boot, "grub"))
        shutil.copyfile(kernel, os.path.join(boot, "kernel.elf"))
        names = []
        for index, module in enumerate(modules):
            names.append("module%d.bin" % index)
            shutil.copyfile(module, os.path.join(boot, names[-1]))
        with open(os.path.join(boot, "grub", "grub.cfg"), "w") as file:
            file.write(configuration(names, cmdline))
        for path, folders, files in os.walk(tree):
            for name in folders + files:
                os.chmod(os.path.join(path, name), 0o755 if name in folders else 0o644)
                os.utime(os.path.join(path, name), (TIME, TIME))
        os.utime(tree, (TIME, TIME))
        image = os.path.join(folder, "image.iso")
        # TMPDIR inside the private folder: grub-mkrescue keeps its working tree there.
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC",
                       "SOURCE_DATE_EPOCH": str(TIME), "TMPDIR": folder}
        result = subprocess.run(
            ["faketime", "-f", TIME_TEXT, "grub-mkrescue", "--fonts=", "--themes=", "--locales=",
             "--install-modules=" + GRUB_MODULES, "-o", image, tree],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        if result.returncode or not os.path.exists(image):
            raise RuntimeError("grub-mkrescue failed:\n" + result.stdout.decode(errors="replace"))
        os.makedirs(os.path.dirname(output) or ".", exist_ok=True)
        shutil.move(image, output)
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--module", action="append", default=[])
    parser.add_argument("--cmdline", default="")
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    try:
        make_iso(options.kernel, options.module, options.cmdline, options.output)
    except (RuntimeError, OSError) as problem:
        sys.exit("make_iso: %s" % problem)


if __name__ == "__main__":
    main()
