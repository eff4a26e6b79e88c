"""A machine without Java, Maven or a browser gets the right command for its system, or, as root on Debian, the package.

Run on a PATH with nothing but what the script needs and stand-ins for the system's package manager, so nothing is
installed; the stand-ins write down how they were called.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "local" / "prerequisites.sh"
SHELL_TOOLS = ("sh", "sed", "head", "cat")


class Machine:
    """A PATH of its own: `tools` are stand-ins that succeed, `uid` is who `id -u` says we are."""

    def __init__(self, directory: Path, *, manager: str = "", uid: int = 1000) -> None:
        self.bin, self.calls = directory / "bin", directory / "calls"
        self.bin.mkdir()
        for name in SHELL_TOOLS:
            found = shutil.which(name)
            assert found, name
            (self.bin / name).symlink_to(found)
        self.add("id", f"echo {uid}")
        if manager:
            self.add(manager, f'echo "{manager} $*" >> {self.calls}')

    def add(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def java(self, version: str) -> None:
        self.add("java", f"echo 'openjdk version \"{version}\" 2026-01-01' >&2")

    def run(self, *wanted: str) -> subprocess.CompletedProcess[str]:
        shell = self.bin / "sh"
        return subprocess.run(
            [str(shell), str(SCRIPT), *wanted],
            env={"PATH": str(self.bin)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.mark.parametrize(
    ("manager", "what", "command"),
    [
        ("apt-get", "java", "sudo apt-get install -y openjdk-17-jre-headless"),
        ("apt-get", "maven", "sudo apt-get install -y maven"),
        ("apt-get", "python", "sudo apt-get install -y python3 python3-venv"),
        ("dnf", "java", "sudo dnf install -y java-17-openjdk-headless"),
        ("dnf", "maven", "sudo dnf install -y maven"),
        ("dnf", "python", "sudo dnf install -y python3.12"),
        ("pacman", "java", "sudo pacman -S --needed jre-openjdk-headless"),
        ("pacman", "maven", "sudo pacman -S --needed maven"),
        ("zypper", "java", "sudo zypper install -y java-17-openjdk-headless"),
        ("zypper", "maven", "sudo zypper install -y maven"),
        ("apk", "java", "sudo apk add openjdk17-jre-headless"),
        ("apk", "maven", "sudo apk add maven"),
        ("brew", "java", "brew install openjdk@17"),
        ("brew", "maven", "brew install maven"),
    ],
)
def test_a_user_is_told_the_command_of_the_system(tmp_path: Path, manager: str, what: str, command: str) -> None:
    machine = Machine(tmp_path, manager=manager)
    done = machine.run(what)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{what} is missing")
    assert done.stderr.rstrip().endswith(f"Install it with: {command}")
    assert done.stdout == ""
    assert machine.called() == []


def test_root_elsewhere_needs_no_sudo(tmp_path: Path) -> None:
    machine = Machine(tmp_path, manager="dnf", uid=0)
    done = machine.run("java")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("Install it with: dnf install -y java-17-openjdk-headless")
    assert machine.called() == []


def test_an_unknown_system_is_told_what_to_look_for(tmp_path: Path) -> None:
    done = Machine(tmp_path).run("java")
    assert done.returncode == 1
    assert "a Java runtime (JRE) of version 17 or newer" in done.stderr
    done = subprocess.run(
        [str(tmp_path / "bin" / "sh"), str(SCRIPT), "maven"],
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Apache Maven" in done.stderr


def test_root_on_debian_gets_what_is_missing_after_being_told(tmp_path: Path) -> None:
    machine = Machine(tmp_path, manager="apt-get", uid=0)
    machine.java("17.0.9")
    done = machine.run("java", "maven", "browser")
    assert done.returncode == 0, done.stderr
    assert machine.called() == [
        "apt-get update -qq",
        "apt-get install -y -qq --no-install-recommends maven",
        "apt-get install -y -qq --no-install-recommends chromium",
    ]
    assert "maven is missing; running: apt-get install -y maven" in done.stderr


def test_a_failed_installation_says_so_and_stops(tmp_path: Path) -> None:
    machine = Machine(tmp_path, uid=0)
    machine.add("apt-get", 'case "$1" in install) echo "E: Unable to locate package" >&2; exit 100 ;; esac')
    done = machine.run("maven")
    assert done.returncode != 0
    assert "E: Unable to locate package" in done.stderr
    assert "maven could not be installed" in done.stderr


@pytest.mark.parametrize(("version", "good"), [("17.0.9", True), ("25", True), ("11.0.2", False), ("1.8.0_392", False)])
def test_java_must_be_of_version_17(tmp_path: Path, version: str, good: bool) -> None:
    machine = Machine(tmp_path, manager="apt-get")
    machine.java(version)
    done = machine.run("java")
    assert (done.returncode == 0) == good
    assert good or f"java is too old ({version}, 17 or newer is needed)" in done.stderr


def test_a_missing_browser_is_a_loud_warning_only(tmp_path: Path) -> None:
    machine = Machine(tmp_path, manager="dnf")
    done = machine.run("browser")
    assert done.returncode == 0
    assert "WARNING: browser is missing, its tests will be SKIPPED" in done.stderr
    assert "sudo dnf install -y chromium" in done.stderr


def test_missing_npm_or_an_old_node_is_a_loud_warning_only(tmp_path: Path) -> None:
    machine = Machine(tmp_path, manager="dnf")
    done = machine.run("npm")
    assert done.returncode == 0
    assert "WARNING: npm is missing, its tests will be SKIPPED" in done.stderr
    assert "sudo dnf install -y nodejs npm" in done.stderr
    machine.add("npm", "exit 0")
    machine.add("node", "exit 1")
    done = machine.run("npm")
    assert done.returncode == 0
    assert "Node.js is older than 20" in done.stderr
    machine.add("node", "exit 0")
    assert machine.run("npm").stderr == ""


def test_an_old_python_is_told_of(tmp_path: Path) -> None:
    machine = Machine(tmp_path, manager="apt-get")
    machine.add("python3", "exit 1")
    done = machine.run("python")
    assert done.returncode == 1
    assert "sudo apt-get install -y python3 python3-venv" in done.stderr


def test_nothing_is_said_when_nothing_is_missing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, manager="apt-get", uid=0)
    machine.java("21.0.1")
    for name in ("mvn", "chromium", "python3"):
        machine.add(name, "exit 0")
    done = machine.run("python", "java", "maven", "browser")
    assert (done.returncode, done.stdout, done.stderr, machine.called()) == (0, "", "", [])


def test_the_real_node_is_judged_by_its_version(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        sys.stderr.write("\nWARNING: without node nobody checks how prerequisites.sh judges it\n")
        pytest.skip("node is not installed: apt-get install nodejs")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    machine = Machine(tmp_path, manager="dnf")
    machine.add("npm", "exit 0")
    (machine.bin / "node").symlink_to(node)
    enough = int(version.removeprefix("v").split(".")[0]) >= 20
    assert (machine.run("npm").stderr == "") == enough
