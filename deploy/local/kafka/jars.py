"""Kafka's jars: fetched once by Maven from the pom beside this file, again when the pom changes."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
POM: Final = _HERE / "pom.xml"
LIB: Final = _HERE / "lib"
_FETCHED_POM: Final = LIB / "fetched-pom.xml"  # a copy of the pom the jars belong to: the last thing written
_LOCK: Final = _HERE / ".lib.lock"
_FETCH_TIMEOUT_S: Final = 600  # a slow line and an empty Maven cache; the jars are 40 MB


class JarsError(Exception):
    """Kafka's jars are missing and could not be fetched. The text says why and what to do."""


def present() -> bool:
    """Whether the jars that the pom names are in lib/."""
    return _FETCHED_POM.exists() and _FETCHED_POM.read_bytes() == POM.read_bytes()


def classpath() -> str:
    """Java's class path over lib/."""
    return f"{LIB}/*"


def ensure() -> None:
    """Fetch the jars if they are missing or belong to another pom. Several processes may call this at once.

    Raises:
        JarsError: Maven is missing or failed.
    """
    if present():
        return
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not present():
            _fetch()


def _fetch() -> None:
    shutil.rmtree(LIB, ignore_errors=True)  # jars of an older Kafka on the same class path would mix with the new ones
    command = ["mvn", "-q", "-B", "-ntp", "-f", str(POM), "dependency:copy-dependencies"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_FETCH_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise JarsError(
            "Maven (mvn) is not installed; it fetches Kafka. `snag doctor` prints the command for it."
        ) from None
    except subprocess.TimeoutExpired:
        raise JarsError(f"Maven did not finish fetching Kafka within {_FETCH_TIMEOUT_S} s. Try again.") from None
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise JarsError("Maven could not fetch Kafka:\n" + "\n".join(said[:8]) + f"\nTry: {' '.join(command[:1])} -v")
    shutil.copyfile(POM, _FETCHED_POM)
