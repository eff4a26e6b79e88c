"""Runs a command that dies with its parent: `python tether.py PARENT_PID COMMAND [ARGUMENT ..]`.

The process keeps its id, since the command replaces it. On Linux the kernel kills it when the parent ends in whatever
way, -9 included (prctl(2), PR_SET_PDEATHSIG). Elsewhere it just runs; the next start finds it in the state file.
Started as a file, not as a module, and on the standard library alone: it runs before every part.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def command(argv: list[str]) -> list[str]:
    """`argv` tethered to this process."""
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), str(os.getpid()), *argv]


def main(arguments: list[str]) -> None:
    """Tether this process to its parent and become the command."""
    parent, argv = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        sys.exit(1)  # the parent ended before the tether was tied
    os.execvp(argv[0], argv)  # noqa: S606 - the argument list is the supervisor's own


if __name__ == "__main__":
    main(sys.argv[1:])
