"""Close offset gaps: pause the partition, seek back half a second later, resume; again until the wanted record comes.

A seek alone is not enough: the batch in flight would move the read offset on past what was sought.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from faust.types import TP

from schemas.logs import get_logger

PERIOD_S: Final = 0.5  # between the pause and the seek, so that the batch in flight has landed
PATIENCE_S: Final = 2.0  # between two seeks of one gap, so that the first has had its chance

log = get_logger(__name__)


class Rewinder:
    """Drives the consumer of `app`. Call `step` every PERIOD_S with the gaps as they are now."""

    def __init__(self, app: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self._clock = app, clock
        self._paused: set[TP] = set()
        self._sought: dict[TP, float] = {}

    async def step(self, gaps: Iterable[tuple[TP, int]]) -> None:
        """`gaps`: topic-partitions with the offset wanted. Those that closed are forgotten."""
        now, consumer = self._clock(), self._app.consumer
        wanted = {tp: offset for tp, offset in gaps if tp in consumer.assignment()}
        for tp, offset in wanted.items():
            if tp in self._paused:
                await consumer.seek(tp, offset)
                consumer.resume_partitions([tp])
                self._paused.discard(tp)
                self._sought[tp] = now
                log.info("rewound", topic=tp.topic, partition=tp.partition, offset=offset)
            elif now - self._sought.get(tp, 0.0) > PATIENCE_S:
                consumer.pause_partitions([tp])
                self._paused.add(tp)
        closed = [tp for tp in self._paused if tp not in wanted]
        if closed:
            consumer.resume_partitions([tp for tp in closed if tp in consumer.assignment()])
            self._paused.difference_update(closed)
        self._sought = {tp: at for tp, at in self._sought.items() if tp in wanted}

    def forget(self) -> None:
        """Partitions are changing hands: the new assignment starts unpaused."""
        self._paused.clear()
        self._sought.clear()
