"""A crashed worker ends, whatever hangs in it; any other goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, threading
from processors.live.crash import exit_after_crash

crashed = threading.Event()
exit_after_crash(crashed.is_set, stop_deadline_s=0.1 if sys.argv[1] == "crashes" else 600)
if sys.argv[1] == "crashes":
    crashed.set()
    threading.Event().wait()  # hangs
if sys.argv[1] == "crashes and stops":
    crashed.set()
    sys.exit(3)
"""
DEADLINE_S = 60


@pytest.mark.parametrize(("what", "code"), [("crashes", 1), ("crashes and stops", 3), ("stops", 0)])
def test_a_worker_that_crashed_and_hangs_ends(what: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, what], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == code, done.stderr
    assert ("did not stop in time" in done.stdout + done.stderr) is (what == "crashes")
