"""The vendors' own npm packages, installed from `tests/clients/package.json` and its lock file, once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

CLIENTS: Final = Path(__file__).parents[1] / "clients"
INSTALL_DEADLINE_S: Final = 300
NODE_MIN_MAJOR: Final = 20  # what posthog-node asks for


def _node_major() -> int:
    """The major version of Node.js; 0 without one."""
    if shutil.which("node") is None:
        return 0
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    return int(said.strip().lstrip("v").split(".")[0])


def installed_packages() -> Path:
    """The folder that holds `node_modules`; installs them first if the lock file is new. Without npm: skipped, loudly.

    The folder is `.cache/npm/<hash of the lock file>` beside the sources, or below SNAG_TEST_CACHE.
    """
    if shutil.which("npm") is None or _node_major() < NODE_MIN_MAJOR:
        reason = f"NO CLIENT FROM NPM WAS TESTED: there is no npm, or no Node.js {NODE_MIN_MAJOR} or newer, on PATH."
        print(f"\nWARNING: {reason}", file=sys.stderr)  # noqa: T201 - has to be seen beside the passing tests
        pytest.skip(reason)
    lock = CLIENTS / "package-lock.json"
    cache = Path(os.environ.get("SNAG_TEST_CACHE", Path(__file__).parents[2] / ".cache")) / "npm"
    folder = cache / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(CLIENTS / name, folder)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_DEADLINE_S, check=False
            )
            assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-2000:]}"
            (folder / "complete").touch()
    return folder
