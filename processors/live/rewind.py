"""Close offset gaps: pause the partition, seek back half a second later, resume; again until the wanted record comes.

A seek alone is not enough: the batch in flight would move the read offset on past what was sought.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from faust.types import TP

from schemas.logs import get_logger

PERIOD_S: Final = 0.5  # between the pause and the seek, so that the batch in flight has landed
PATIENCE_S: Final = 2.0  # between two seeks of one gap, so that the first has had its chance
SILENCE_S: Final = 5.0  # without the wanted record, which Kafka has: longer than a fetch, a poll and a full buffer take

log = get_logger(__name__)


class Silence:
    """Notices wanted records that do not come although Kafka has them.

    A gap shows itself by a later record. Faust drops records while partitions change hands, and the last ones of a log
    have no later record: the partition would wait for them until somebody sends another event of that kind.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[TP, tuple[int, float]] = {}

    def holds(self, tp: TP, wanted: int, end: int) -> bool:
        """Whether `wanted` has been wanted for SILENCE_S; `end`: one past the newest offset known of `tp`."""
        now = self._clock()
        if wanted >= end:
            self._since.pop(tp, None)
            return False
        offset, since = self._since.get(tp, (-1, now))
        if offset != wanted:
            self._since[tp] = wanted, now
            return False
        return now - since > SILENCE_S

    def forget(self) -> None:
        """Partitions are changing hands."""
        self._since.clear()


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

    def in_vain(self, tp: TP) -> bool:
        """Whether `tp` was sought PATIENCE_S ago or longer, and its gap is still open."""
        return self._clock() - self._sought.get(tp, math.inf) > PATIENCE_S

    def forget(self) -> None:
        """Partitions are changing hands: the new assignment starts unpaused."""
        self._paused.clear()
        self._sought.clear()
