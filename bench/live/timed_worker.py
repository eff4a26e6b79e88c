"""The live worker, with the time its ticks take away from events written to a file.

Steps of a tick are wrapped from outside. Whatever ticks run between two applied records are one pause. The file named
by BENCH_TICKS gets a JSON line a pause: {"pause_s": all of it, "checkpoint_s": of that the blobs, minutes and meta, and
the wait for Kafka to have them}.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, ParamSpec, TypeVar

from faust.transport.drivers import aiokafka

from processors.domain.partition import Partition
from processors.live.__main__ import main
from processors.live.owned import OwnedPartition
from processors.live.store import Store

P = ParamSpec("P")
R = TypeVar("R")

_STEPS: Final = ("save_minutes", "save_bucket", "save_step_times", "save_meta")

_paused = _spent = 0.0


def _timed(step: Callable[P, R]) -> Callable[P, R]:
    """`step`, its seconds added up."""

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        global _spent  # noqa: PLW0603  ticks run one after the other on one loop
        started = time.perf_counter()
        try:
            return step(*args, **kwargs)
        finally:
            _spent += time.perf_counter() - started

    return run


def _timed_wait(step: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        global _spent  # noqa: PLW0603  as above
        started = time.perf_counter()
        try:
            return await step(*args, **kwargs)
        finally:
            _spent += time.perf_counter() - started

    return run


def _timed_tick(tick: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def run(self: OwnedPartition, now: int, ends: Mapping[str, int]) -> None:
        global _paused  # noqa: PLW0603  as above
        started = time.perf_counter()
        await tick(self, now, ends)
        _paused += time.perf_counter() - started

    return run


def _telling(on_record: Callable[..., None], out: Any) -> Callable[..., None]:
    """`on_record`, telling first of the pause that it ends."""

    def run(self: OwnedPartition, name: str, offset: int, value: bytes) -> None:
        global _paused, _spent  # noqa: PLW0603  as above
        if _paused:
            out.write(json.dumps({"pause_s": _paused, "checkpoint_s": _spent}) + "\n")
            _paused = _spent = 0.0
        on_record(self, name, offset, value)

    return run


def wrap(out: Any) -> None:
    """Put the watches in; they write to the text file `out`. Raises AttributeError when a step has another name."""
    for name in _STEPS:
        setattr(Store, name, _timed(getattr(Store, name)))
    changed: Any = Partition
    changed.dump = _timed(Partition.dump)
    flushing: Any = aiokafka.Producer
    flushing.flush = _timed_wait(flushing.flush)
    owned: Any = OwnedPartition
    owned.on_tick = _timed_tick(OwnedPartition.on_tick)
    owned.on_record = _telling(OwnedPartition.on_record, out)


if __name__ == "__main__":
    with open(os.environ["BENCH_TICKS"], "a", encoding="utf-8", buffering=1) as ticks:
        wrap(ticks)
        main()
