"""Environments of the peers' own: their dependencies and ours exclude each other."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

_INSTALL_DEADLINE_S: Final = 300


class PeerMissing(RuntimeError):
    """The peer cannot be installed here; the text says why."""


def python_of(peer: str, work: Path) -> Path:
    """The Python of `peer`'s environment under `work`, made and filled from `peer`.txt beside this file if need be.

    Raises PeerMissing with pip's words when the package index is away or has nothing for this machine.
    """
    place = work / peer
    python = place / "bin" / "python"
    done = place / "installed"
    wanted = Path(__file__).with_name(f"{peer}.txt")
    filled = f"{sys.version}\n{wanted.read_text()}"  # a peer on another Python is not beside us
    if not done.exists() or done.read_text() != filled:
        venv.create(place, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(wanted)]
        made = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_DEADLINE_S, check=False)
        if made.returncode != 0:
            raise PeerMissing(f"{peer} cannot be installed: {made.stderr.strip()[-500:]}")
        done.write_text(filled)
    return python
