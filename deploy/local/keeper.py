"""Keeps one part running: start, wait until ready, wait for its end, start again with backoff."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.local import tether
from deploy.local.parts import Part
from deploy.local.state import PartStatus, created_at

LOG_MAX_BYTES: Final = 10 * 1024 * 1024  # a log and its predecessor: 20 MB a part at most
_PROBE_INTERVAL_S: Final = 0.15
_HEALTHY_AFTER_S: Final = 60.0  # up for this long: the next end starts again without backoff
_BACKOFF_MIN_S: Final = 0.2
_BACKOFF_MAX_S: Final = 10.0


def backoff_s(failures: int) -> float:
    """Seconds to wait before the next start after `failures` ends in a row (1 or more): doubling, bounded."""
    return float(min(_BACKOFF_MAX_S, _BACKOFF_MIN_S * 2 ** (failures - 1)))


class Keeper:
    """One part's process over its lives. `changed` is called after every change of `status`."""

    def __init__(self, part: Part, env: dict[str, str], log_dir: Path, changed: Callable[[], None]) -> None:
        self.part = part
        self.status = PartStatus(name=part.name, endpoint=part.endpoint)
        self.up = asyncio.Event()
        self._env, self._changed = env, changed
        self._log = log_dir / f"{part.name}.log"
        self._request = log_dir.parent / f"restart-{part.name}"
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to keep the part running."""
        self._task = asyncio.create_task(self._keep(), name=self.part.name)

    async def stop(self) -> None:
        """End the part: SIGTERM, then SIGKILL when its time is over. It is not started again."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), self.part.stop_s)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._set("down")

    async def _keep(self) -> None:
        failures = 0
        while not self._stopping:
            started = time.monotonic()
            process = await self._spawn()
            ready = asyncio.create_task(self._until_ready())
            code = await process.wait()
            ready.cancel()
            await asyncio.gather(ready, return_exceptions=True)
            self.up.clear()
            self.status.last_exit = code
            self._set("down")
            if self._stopping:
                return
            self.status.restarts += 1
            if self._request.exists():
                self._request.unlink()
                failures = 0
                continue
            failures = 1 if time.monotonic() - started > _HEALTHY_AFTER_S else failures + 1
            await asyncio.sleep(backoff_s(failures))

    async def _spawn(self) -> asyncio.subprocess.Process:
        rotate(self._log)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *tether.command(self.part.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops the parts in order
            )
        self.status.pid = self._process.pid
        self.status.created = created_at(self._process.pid)
        self._set("starting")
        return self._process

    async def _until_ready(self) -> None:
        while not await asyncio.to_thread(self.part.is_ready):  # noqa: ASYNC110  another process has no event to wait on
            await asyncio.sleep(_PROBE_INTERVAL_S)
        self._set("up")
        self.up.set()

    def _set(self, state: str) -> None:
        self.status.state = state  # type: ignore[assignment]  # one of PartState, by the callers above
        self._changed()


def rotate(log: Path) -> None:
    """Move a log that has grown over its bound aside; the one before is overwritten."""
    if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
        log.replace(log.with_suffix(".log.1"))


def trim(log: Path) -> None:
    """Bound the log of a running part: keep a copy, empty the file (it is written in append mode)."""
    if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
        log.with_suffix(".log.1").write_bytes(log.read_bytes())
        with log.open("r+b") as file:
            file.truncate(0)
