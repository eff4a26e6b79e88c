"""One subject that is not the live worker, run to its end as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson

from bench.live.worker import DEADLINE_S


class SubjectFailed(RuntimeError):
    """A subject did not come to its end; the text has the end of its log."""


def run_subject(module: str, work: Path, *arguments: object, python: Path | None = None) -> dict[str, float]:
    """Run `module` of bench.live under `python` (ours by default) in `work`; its result with `events_per_s` and CPU.

    Raises SubjectFailed.
    """
    command = [str(python or sys.executable), "-m", f"bench.live.{module}", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    log = work / f"{module}.log"
    with log.open("wb") as err:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=err, timeout=DEADLINE_S, check=False, env=env, cwd=work
        )
    if done.returncode != 0 or not done.stdout:
        raise SubjectFailed(f"{module} ended with {done.returncode}; the end of its log:\n{log.read_text()[-2000:]}")
    result: dict[str, float] = orjson.loads(done.stdout.splitlines()[-1])
    return rated(result)


def rated(result: dict[str, float]) -> dict[str, float]:
    """`result` with events a second and CPU microseconds an event."""
    events = result["events"]
    return {
        **result,
        "events_per_s": events / result["seconds"],
        "cpu_us_per_event": result["cpu_s"] / events * 1e6,
    }
