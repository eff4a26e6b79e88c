"""One reading: wrk against a running collector, and what that cost its processes."""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import psutil

_SCRIPT: Final = Path(__file__).with_name("post.lua")
_SAMPLE_INTERVAL_S: Final = 0.1
_MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class Reading:
    """What wrk saw, and the CPU and memory of the collector's processes, and the broker's CPU, while it ran."""

    requests_per_s: float
    events_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_s_per_million_events: float
    broker_cpu_s_per_million_events: float
    peak_memory_mib: float
    refused: int
    failed: int
    events: int


def wrk(
    url: str,
    bodies: Path,
    *,
    connections: int,
    seconds: int,
    events_per_body: int,
    pid: int,
    broker_pid: int | None = None,
) -> Reading:
    """Post `bodies` to `url` for `seconds`, watching process `pid` and its children, and the broker if it runs."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    broker = [psutil.Process(broker_pid)] if broker_pid is not None else []
    peak = _Peak(processes)
    before, broker_before = _cpu_s(processes), _cpu_s(broker)
    with peak:
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(_SCRIPT), url],
            env={**os.environ, "BODIES": str(bodies)},
            capture_output=True,
            text=True,
            check=True,
        )
    cpu_s, broker_cpu_s = _cpu_s(processes) - before, _cpu_s(broker) - broker_before
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    found = orjson.loads(line.removeprefix("RESULT "))
    answered = found["requests"] - found["refused"]
    events = answered * events_per_body
    return Reading(
        requests_per_s=round(answered / found["seconds"]),
        events_per_s=round(events / found["seconds"]),
        p50_ms=round(found["p50_ms"], 1),
        p99_ms=round(found["p99_ms"], 1),
        cpu_s_per_million_events=round(cpu_s / max(events, 1) * 1e6, 1),
        broker_cpu_s_per_million_events=round(broker_cpu_s / max(events, 1) * 1e6, 1),
        peak_memory_mib=round(peak.bytes / _MIB),
        refused=found["refused"],
        failed=found["failed"],
        events=events,
    )


class _Peak:
    """The greatest resident memory of `processes` together while it is entered."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self.bytes = 0
        self._processes = processes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_INTERVAL_S):
            self.bytes = max(self.bytes, sum(process.memory_info().rss for process in self._processes))


def _cpu_s(processes: list[psutil.Process]) -> float:
    return float(sum(sum(process.cpu_times()[:2]) for process in processes))
