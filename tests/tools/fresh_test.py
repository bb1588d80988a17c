# SPDX-License-Identifier: MIT
"""The fresh root: ended by a signal, it leaves neither its folder nor a process behind;
and what is mounted in it is never taken away with it."""
import os
import signal
import subprocess
import tempfile
import time
import unittest

FRESH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "test_fresh.sh")
PATIENCE_S = 20
# Stand-ins for what needs root or a mirror; `hang` is a command of several processes without an end.
STAND_INS = {
    "id": "echo 0",
    "unshare": 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"',
    "apt-get": '. /etc/os-release; echo "http://nowhere.invalid $VERSION_CODENAME main Debian"',
    "apt-config": ":",
    "mktemp": 'mkdir "$STATE/work" && ln -sfn . "$STATE/through" && echo "$STATE/through/work"',
    # A table of mounts, which has the real name of what was mounted until that is taken out.
    "mount": '[ "$1" != --rbind ] || echo "$2 $(realpath "$3") none" >>"$STATE/mounts"',
    "umount": 'shift; for place; do [ -n "$STUCK" ] || sed -i "\\| $place |d" "$STATE/mounts"; done',
    "awk": 'for last; do :; done; PATH=${PATH#*:}; [ "$last" = /proc/self/mounts ] || exec awk "$@"; '
           'exec awk "$1" "$2" "$3" "$STATE/mounts"',
    "git": ":",
    "hang": 'trap "" HUP INT TERM; sleep 1000 & echo $$ $! >"$STATE/new"; '
            'mv "$STATE/new" "$STATE/hangs"; wait; wait',
    "debootstrap": 'mkdir -p "$4/etc/apt/apt.conf.d" "$4/root" "$4/proc" "$4/dev"; '
                   '[ "$HANGS" != debootstrap ] || exec hang',
    "chroot": '[ "$HANGS" != chroot ] || exec hang',
}


def is_running(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def becomes(condition):
    """Whether it does within a time that only a fault takes."""
    end = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def signals_as_usual():
    """A suite in the background ignores SIGINT, and so would what it starts."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Fresh(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = folder.name
        self.bin = os.path.join(self.state, "bin")
        os.mkdir(self.bin)
        for name, body in STAND_INS.items():
            path = os.path.join(self.bin, name)
            with open(path, "w") as file:
                file.write("#!/bin/sh\n%s\n" % body)
            os.chmod(path, 0o755)
        self.mounts = self.path("mounts")
        open(self.mounts, "w").close()

    def start(self, hangs, stuck=""):
        process = subprocess.Popen(
            ["bash", FRESH, "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, preexec_fn=signals_as_usual,
            env={"PATH": self.bin + ":/usr/sbin:/usr/bin:/sbin:/bin", "STATE": self.state,
                 "HANGS": hangs, "STUCK": stuck})
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def path(self, name):
        return os.path.join(self.state, name)

    def test_passes(self):
        process = self.start("nowhere")
        self.assertIn("passed", process.communicate(timeout=PATIENCE_S)[1])
        self.assertEqual(process.returncode, 0)
        self.nothing_is_left()

    def nothing_is_left(self):
        self.assertEqual(os.path.getsize(self.mounts), 0, "something is mounted still")
        self.assertFalse(os.path.exists(self.path("work")))

    def test_what_is_mounted_still_stays(self):
        said = self.start("nowhere", stuck="yes").communicate(timeout=PATIENCE_S)[1]
        self.assertIn("it stays", said)
        self.assertTrue(os.path.exists(self.path("work/root/dev")))

    def test_ended_by_a_signal(self):
        for hangs in ("debootstrap", "chroot"):
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
                with self.subTest(hangs=hangs, signal=number.name):
                    self.end(hangs, number)

    def end(self, hangs, number):
        process = self.start(hangs)
        self.assertTrue(becomes(lambda: os.path.exists(self.path("hangs"))))
        with open(self.path("hangs")) as file:
            left = [int(pid) for pid in file.read().split()]
        os.remove(self.path("hangs"))
        try:
            process.send_signal(number)
            said = process.communicate(timeout=PATIENCE_S)[1]
            self.assertEqual(process.returncode, 128 + number)
            self.assertIn("ended by " + number.name, said)
            self.nothing_is_left()
            for pid in left:
                self.assertTrue(becomes(lambda: not is_running(pid)), "%d runs on" % pid)
        finally:
            for pid in left:
                if is_running(pid):
                    os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
