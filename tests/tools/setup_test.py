# SPDX-License-Identifier: MIT
"""The set-up script tells what it would install, and fails by name; nothing is installed here."""
import os
import subprocess
import tempfile
import unittest

SETUP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "setup.sh")
PINS = """\
package have  dpkg            minimum 0.1
package old   dpkg            minimum 999:1
package lack  no-such-package minimum 1
package lack  dpkg            minimum 0.1
"""


class Setup(unittest.TestCase):
    def run_setup(self, *arguments, **environment):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
            pins.write(PINS)
            pins.flush()
            result = subprocess.run(
                ["sh", SETUP] + list(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True,
                env=dict({"PATH": "/usr/bin:/bin", "SETUP_PINS": pins.name}, **environment))
        return result.returncode, result.stdout

    def test_nothing_to_do(self):
        self.assertEqual(self.run_setup("--dry-run", "have"), (0, "setup: nothing to install\n"))

    def test_missing_package_is_named(self):
        self.assertEqual(self.run_setup("--dry-run", "lack"),
                         (0, "setup: would install: no-such-package \n"))

    def test_old_package_is_named(self):
        self.assertEqual(self.run_setup("--dry-run", "old"),
                         (0, "setup: would install: dpkg \n"))

    def test_groups_add_up(self):
        status, said = self.run_setup("--dry-run", "have", "lack")
        self.assertEqual(status, 0)
        self.assertIn("no-such-package", said)

    def test_list_names_each_with_its_version(self):
        for group, name, version in (("old", "dpkg", "999:1"), ("lack", "no-such-package", "1")):
            status, said = self.run_setup("--list", group)
            self.assertEqual(status, 0)
            self.assertEqual(said.split(), ["MISSING", name, "version", version, "or", "later", "is",
                                            "needed"])
        self.assertEqual(self.run_setup("--list", "have"), (0, ""))

    def test_unknown_group(self):
        status, said = self.run_setup("--dry-run", "nonsense")
        self.assertEqual(status, 1)
        self.assertIn("no group 'nonsense'", said)

    def test_no_group(self):
        status, said = self.run_setup()
        self.assertEqual(status, 1)
        self.assertIn("usage", said)

    def test_not_a_debian_system(self):
        with tempfile.TemporaryDirectory() as folder:
            for tool in ("sh", "awk", "sed", "dirname", "cut", "tr", "mktemp", "rm"):
                os.symlink("/usr/bin/" + tool, os.path.join(folder, tool))
            status, said = self.run_setup("lack", PATH=folder)
        self.assertEqual(status, 1)
        self.assertIn("not a Debian system", said)
        self.assertIn("no-such-package 1", said)

    def test_install(self):
        """A stand-in apt-get: it is first locked out, then installs, then nothing is left to do."""
        with Machine() as machine:
            machine.apt("""
case "$*" in
*update*) exit 0 ;;
esac
if [ ! -e "$state/tried" ]; then
    : >"$state/tried"
    echo "E: Could not get lock /var/lib/dpkg/lock-frontend" >&2
    exit 100
fi
echo "no-such-package installed 1" >>"$state/packages"
""")
            status, said = machine.setup("lack")
            self.assertEqual(status, 0, said)
            self.assertEqual(said, "setup: installing: no-such-package \n"
                                   "setup: another program holds the package database; waiting\n")
            self.assertIn("install -y --no-install-recommends no-such-package", machine.asked())
            self.assertEqual(machine.setup("lack"), (0, ""))
            self.assertEqual(machine.asked().count("update"), 1)

    def test_failure_names_the_package_and_what_apt_said(self):
        with Machine() as machine:
            machine.apt('echo "E: Unable to locate package no-such-package" >&2; exit 100\n')
            status, said = machine.setup("lack")
            self.assertEqual(status, 1)
            self.assertIn("Unable to locate package", said)
            self.assertTrue(said.endswith("setup: could not install: no-such-package\n"), said)

    def test_ordinary_user_without_sudo(self):
        with Machine(user=1000) as machine:
            machine.apt("exit 0\n")
            status, said = machine.setup("lack")
            self.assertEqual(status, 1)
            self.assertIn("without sudo; as root run: tools/setup.sh lack", said)
            self.assertEqual(machine.asked(), "")

    def test_ordinary_user_with_sudo_is_asked_nothing(self):
        with Machine(user=1000) as machine:
            machine.program("sudo", 'printf "%s\\n" "$1" >>"$state/sudo"; shift; exec "$@"\n')
            machine.apt('echo "no-such-package installed 1" >>"$state/packages"\n')
            status, said = machine.setup("lack")
            self.assertEqual(status, 0, said)
            with open(os.path.join(machine.folder, "state", "sudo")) as file:
                self.assertEqual(set(file.read().split()), {"-n"})


class Machine:
    """A folder of stand-ins for what the script asks of a system."""

    TOOLS = ("sh", "awk", "sed", "dirname", "cut", "tr", "mktemp", "rm", "env", "grep", "tail", "cat",
             "mkdir", "sleep", "dpkg")

    def __init__(self, user=0):
        self.keep = tempfile.TemporaryDirectory()
        self.folder = self.keep.name
        for name in ("bin", "state"):
            os.mkdir(os.path.join(self.folder, name))
        for tool in self.TOOLS:
            os.symlink("/usr/bin/" + tool, os.path.join(self.folder, "bin", tool))
        self.program("id", "echo %d\n" % user)
        self.program("dpkg-query", 'cat "$state/packages"\n')
        self.write("state/packages", "dpkg installed 1.21\n")
        self.write("state/asked", "")
        self.write("pins.txt", PINS)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.keep.cleanup()

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    def program(self, name, text):
        self.write("bin/" + name, "#!/bin/sh\nstate=%s/state\n%s" % (self.folder, text))
        os.chmod(os.path.join(self.folder, "bin", name), 0o755)

    def apt(self, text):
        self.program("apt-get", 'echo "$*" >>"$state/asked"\n' + text)

    def asked(self):
        with open(os.path.join(self.folder, "state", "asked")) as file:
            return file.read()

    def setup(self, *groups):
        path = os.path.join(self.folder, "bin")
        result = subprocess.run(
            ["/bin/sh", SETUP] + list(groups), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
            env={"PATH": path, "SETUP_PATH": path, "SETUP_LOCK_PAUSE": "0",
                 "SETUP_PINS": os.path.join(self.folder, "pins.txt"),
                 "SETUP_STAMPS": os.path.join(self.folder, "stamps"),
                 "SETUP_DPKG_STATUS": os.path.join(self.folder, "state", "packages")})
        return result.returncode, result.stdout


if __name__ == "__main__":
    unittest.main()
