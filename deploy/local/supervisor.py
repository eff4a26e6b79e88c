"""The supervisor of the one-command stack: starts the parts in order, keeps them running, stops them in order.

kafka + clickhouse -> topics + migrations -> writer + live + collector -> probe event read back -> ready
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from deploy.local.kafka import jars
from deploy.local.keeper import Keeper, trim
from deploy.local.parts import Layout, Part, child_env, collector_part, lay_out, storage_parts, worker_parts
from deploy.local.ports import PortClaims
from deploy.local.probe import ProbeError, send_probe
from deploy.local.state import StackState, created_at, is_process, load_state, write_state
from schemas.settings import Settings

_PART_DEADLINE_S: Final = 90.0  # a cold start on a slow disk; each part's usual time is a few seconds
_PROBE_DEADLINE_S: Final = 60.0
_DISK_WANTED_BYTES: Final = 1024**3  # Kafka's and ClickHouse's logs of an hour of tests, with room
_TRIM_INTERVAL_S: Final = 60.0


class StackError(Exception):
    """The stack cannot start; the text names the part, the cause and the fix."""


class Report(Protocol):
    """Told what happens, for a person: a part came up, or something worth a line."""

    def part_up(self, name: str, endpoint: str, seconds: float) -> None:
        """`name` serves at `endpoint`, `seconds` after it was started."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def ready(self, state: StackState, seconds: float) -> None:
        """The probe came back; `seconds` since the start."""


class Supervisor:
    """One stack in one data directory. `run` returns when it was stopped; everything is down then."""

    def __init__(
        self, settings: Settings, data_dir: Path, live_workers: int, report: Report, *, rebuild: bool = False
    ) -> None:
        """With `rebuild`, derived rows are deleted before the live workers start, and recomputed by them."""
        self._settings, self._report, self._rebuild = settings, report, rebuild
        self._data_dir, self._live_workers = data_dir, live_workers
        self._keepers: dict[str, Keeper] = {}
        self._layout: Layout
        self._claims = PortClaims()
        self._probed = False
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Start everything, then wait for SIGINT or SIGTERM. Raises StackError when a part does not come up."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        begun = time.monotonic()
        with lock(self._data_dir):
            end_leftovers(self._data_dir)
            self._layout = lay_out(self._settings, self._data_dir, self._live_workers, self._claims)
            for text in (*self._layout.moved, *low_disk(self._data_dir)):
                self._report.note(text)
            try:
                await self._until_stopped(self._start())
                if not self._stop.is_set():
                    self._report.ready(self._state(), time.monotonic() - begun)
                    await self._watch()
            finally:
                self._report.note("stopping")
                await self._stop_all()
                self._claims.release()

    async def _start(self) -> None:
        if not jars.present():
            self._report.note("fetching Kafka with Maven (once)")
        await asyncio.to_thread(self._layout.broker.prepare)
        await self._bring_up(storage_parts(self._layout))
        await asyncio.gather(
            self._once("topics", [sys.executable, "-m", "deploy.local.kafka.topics"]),
            self._once("migrations", [sys.executable, "-m", "processors.writer", "migrate"]),
        )
        if self._rebuild:
            command = "from snag.cli import main; main()"
            await self._once("rebuild", [sys.executable, "-c", command, "rebuild", "--incomplete"])
            self._report.note((self._logs() / "rebuild.log").read_text(errors="replace").strip())
        await self._bring_up([collector_part(self._layout), *worker_parts(self._layout)])
        try:
            await asyncio.to_thread(send_probe, self._settings, self._layout, _PROBE_DEADLINE_S)
        except ProbeError as error:
            raise StackError(str(error)) from error
        self._probed = True
        self._write()

    async def _until_stopped(self, work: Coroutine[None, None, None]) -> None:
        """Await `work`, or give it up when a stop is asked for."""
        task = asyncio.create_task(work)
        stop = asyncio.create_task(self._stop.wait())
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not task.done():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _bring_up(self, parts: Sequence[Part]) -> None:
        for part in parts:
            keeper = Keeper(part, child_env(self._layout, part), self._logs(), self._write)
            self._keepers[part.name] = keeper
            keeper.start()
        await asyncio.gather(*(self._come_up(self._keepers[part.name]) for part in parts))

    async def _come_up(self, keeper: Keeper) -> None:
        begun = time.monotonic()
        try:
            await asyncio.wait_for(keeper.up.wait(), _PART_DEADLINE_S)
        except TimeoutError:
            name = keeper.part.name
            raise StackError(
                f"{name} did not come up within {_PART_DEADLINE_S:.0f} s. Its log says why: snag logs {name}"
            ) from None
        self._report.part_up(keeper.part.name, keeper.part.endpoint, time.monotonic() - begun)

    async def _once(self, name: str, command: list[str]) -> None:
        log = self._logs() / f"{name}.log"
        begun = time.monotonic()
        with log.open("wb") as out:
            env = {**os.environ, **self._layout.env()}
            process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out, env=env)
        if await process.wait():
            raise StackError(f"{name} failed: {log.read_text(errors='replace')[-600:].strip()}")
        self._report.part_up(name, "", time.monotonic() - begun)

    async def _watch(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _TRIM_INTERVAL_S)
            for log in self._logs().glob("*.log"):
                trim(log)

    async def _stop_all(self) -> None:
        self._probed = False
        workers = [k for name, k in self._keepers.items() if name == "writer" or name.startswith("live")]
        for names in (["collector"], [k.part.name for k in workers], ["clickhouse", "kafka"]):
            await asyncio.gather(*(self._keepers[name].stop() for name in names if name in self._keepers))

    def _logs(self) -> Path:
        return self._data_dir / "logs"

    def _state(self) -> StackState:
        parts = [keeper.status for keeper in self._keepers.values()]
        return StackState(
            ready=self._probed and all(part.state == "up" for part in parts),
            collector=self._layout.collector,
            clickhouse=self._layout.clickhouse,
            kafka=self._layout.broker.bootstrap,
            data_dir=str(self._data_dir),
            pid=os.getpid(),
            created=created_at(os.getpid()),
            parts=parts,
        )

    def _write(self) -> None:
        write_state(self._state())


def low_disk(data_dir: Path) -> list[str]:
    """A warning when the disk is nearly full: Kafka ends itself when it cannot write."""
    free_bytes = shutil.disk_usage(data_dir).free
    if free_bytes >= _DISK_WANTED_BYTES:
        return []
    free = f"only {free_bytes / 2**20:.0f} MB are free on the disk of {data_dir}"
    return [f"{free}: free some, or choose another with --data-dir; events are refused when it is full"]


@contextlib.contextmanager
def lock(data_dir: Path) -> Iterator[None]:
    """Hold the data directory for one supervisor. Raises StackError when another has it or it cannot be written."""
    try:
        (data_dir / "logs").mkdir(parents=True, exist_ok=True)
        file = (data_dir / "lock").open("w")
    except OSError as error:
        raise StackError(f"data directory {data_dir}: {error.strerror}. Choose another with --data-dir.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackError(
                f"A stack is already running in {data_dir}. See it with `snag status`, stop it with `snag down`, "
                "or start another with --data-dir."
            ) from None
        yield


def end_leftovers(data_dir: Path, kill: Callable[[int, int], None] = os.kill) -> list[int]:
    """End processes that a supervisor which was killed left behind, where the system did not; returns their ids."""
    state = load_state(data_dir)
    left = [p.pid for p in state.parts if is_process(p.pid, p.created)] if state else []
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)
    return left
