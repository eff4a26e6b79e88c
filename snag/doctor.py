"""What `snag doctor` checks: each check measures one thing and names one fix."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final, Literal

import msgspec
import psutil

from deploy.local.ports import is_free
from deploy.local.state import is_process, load_state
from ingest.spool.quarantine import Quarantine
from schemas.settings import Settings

_GIB: Final = 1024**3
_DISK_WANTED_BYTES: Final = 2 * _GIB  # jars, a week of a small site
_MEMORY_WANTED_BYTES: Final = 2 * _GIB  # the stack needs 1.5 GB; a few MB less is a warning, never a refusal
_JAVA_MIN: Final = 17
_PYTHON_MIN: Final = (3, 11)
_TIMEOUT_S: Final = 20

Verdict = Literal["ok", "warn", "fail"]


class Check(msgspec.Struct, frozen=True):
    """The outcome of one check. `fix` is one command or sentence, empty when there is nothing to mend."""

    name: str
    verdict: Verdict
    found: str
    fix: str = ""


def run_checks(settings: Settings) -> list[Check]:
    """All checks, in the order in which a start needs them."""
    state = load_state(settings.local.data_dir.absolute())
    alive = state is not None and is_process(state.pid, state.created)
    own = {part.endpoint.rpartition(":")[2] for part in state.parts} if state is not None and alive else set()
    checks: list[Callable[[], Check]] = [
        python_version,
        java_version,
        maven,
        avx2,
        memory,
        lambda: data_directory(settings.local.data_dir),
        lambda: disk(settings.local.data_dir),
        lambda: port("collector", settings.ingest.port, own),
        lambda: port("clickhouse", 8123, own),
        lambda: port("kafka", 9092, own),
        lambda: quarantine(settings.spool_root()),
        variables,
    ]
    return [check() for check in checks]


def install_command(package: Literal["java", "maven"]) -> str:
    """The command that installs `package` on this system."""
    names = {
        "apt-get": ("apt-get install -y", {"java": "openjdk-17-jre-headless", "maven": "maven"}),
        "dnf": ("dnf install -y", {"java": "java-17-openjdk-headless", "maven": "maven"}),
        "apk": ("apk add", {"java": "openjdk17-jre-headless", "maven": "maven"}),
        "brew": ("brew install", {"java": "openjdk@17", "maven": "maven"}),
    }
    for tool, (command, packages) in names.items():
        if shutil.which(tool):
            sudo = "" if tool == "brew" or os.geteuid() == 0 else "sudo "
            return f"{sudo}{command} {packages[package]}"
    return f"install {'a JRE of version 17 or newer' if package == 'java' else 'Apache Maven'}"


def python_version() -> Check:
    """Python 3.11 or newer."""
    found = platform.python_version()
    good = sys.version_info >= _PYTHON_MIN
    return Check("python", "ok" if good else "fail", found, "" if good else "install Python 3.11 or newer")


def java_version() -> Check:
    """Java 17 or newer, which Kafka 4 needs."""
    text = _output("java", "-version")
    if text is None:
        return Check("java", "fail", "not found", install_command("java"))
    match = re.search(r'version "(\d+)', text)
    major = int(match.group(1)) if match else 0
    good = major >= _JAVA_MIN
    return Check("java", "ok" if good else "fail", f"version {major}", "" if good else install_command("java"))


def maven() -> Check:
    """Maven, which fetches Kafka once."""
    text = _output("mvn", "-version")
    if text is None:
        return Check("maven", "fail", "not found", install_command("maven"))
    return Check("maven", "ok", text.splitlines()[0] if text else "found")


def avx2() -> Check:
    """ClickHouse's x86-64 builds are compiled for processors with AVX2."""
    if platform.machine() not in {"x86_64", "AMD64"}:
        return Check("cpu", "ok", platform.machine())
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return Check("cpu", "ok", f"{platform.machine()}, flags unknown")
    if " avx2" in flags:
        return Check("cpu", "ok", "AVX2")
    return Check("cpu", "warn", "no AVX2", "run ClickHouse on another machine: SNAG_CLICKHOUSE__URL")


def memory() -> Check:
    """Free memory for the whole stack."""
    free = psutil.virtual_memory().available
    good = free >= _MEMORY_WANTED_BYTES
    return Check("memory", "ok" if good else "warn", f"{free / _GIB:.1f} GB free", "" if good else "close programs")


def data_directory(path: Path) -> Check:
    """The data directory can be made and written."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    good = os.access(place, os.W_OK)
    fix = "" if good else f"chown it, or choose another: snag up --data-dir DIR (now {path})"
    return Check("data directory", "ok" if good else "fail", str(path), fix)


def disk(path: Path) -> Check:
    """Free space where the data directory lies."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    good = free >= _DISK_WANTED_BYTES
    fix = "" if good else "free some space, or choose another disk: snag up --data-dir DIR"
    return Check("disk", "ok" if good else "warn", f"{free / _GIB:.1f} GB free", fix)


def port(name: str, number: int, own: Collection[str] = ()) -> Check:
    """A wanted port is free, or taken by the running stack's `own` parts; when not, `up` takes another and says so."""
    if str(number) in own:
        return Check(f"port {name}", "ok", f"{number} is in use by the running stack")
    if is_free(number):
        return Check(f"port {name}", "ok", f"{number} is free")
    return Check(f"port {name}", "warn", f"{number} is taken", "snag up will take another; snag status says which")


def quarantine(spool: Path) -> Check:
    """Nothing that was answered 200 waits beside `spool` because Kafka refuses it."""
    kept = Quarantine(spool)
    try:
        kept.look()
    except OSError as error:
        return Check("quarantine", "warn", f"{kept.path}: {error.strerror}", "run snag doctor as the collector's user")
    if not kept.events:
        return Check("quarantine", "ok", "Kafka has refused no event")
    events = f"{kept.events:,} event{'' if kept.events == 1 else 's'}"
    why = f", the newest because of: {kept.reason}" if kept.reason else ""
    fix = "mend the reason, then: snag quarantine send (docs/operations.md)"
    return Check("quarantine", "warn", f"{events} refused by Kafka, kept in {kept.path}{why}", fix)


def variables() -> Check:
    """Environment variables that look like settings and are none: most likely a misspelling."""
    unknown = sorted(name for name in os.environ if name.startswith("SNAG_") and not _is_setting(name))
    if not unknown:
        return Check("environment", "ok", "every SNAG_ variable is a setting")
    return Check("environment", "warn", f"no setting: {', '.join(unknown)}", "see the names with: snag config show")


def _is_setting(variable: str) -> bool:
    section, *rest = variable.removeprefix("SNAG_").lower().split("__")
    field = Settings.model_fields.get(section)
    if field is None:
        return False
    inner = getattr(field.annotation, "model_fields", None)
    return not rest or inner is None or rest[0] in inner


def _output(*command: str) -> str | None:
    """What a command prints; None when it is not there or does not answer."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout + done.stderr).strip()
