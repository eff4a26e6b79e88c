"""One topic's way into its table: what waits, what is being inserted, and what may be committed."""

from __future__ import annotations

import threading
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass

from processors.writer.batch import Batch, Buffer
from processors.writer.delivery import AbandonedError, Delivery


@dataclass
class _Flight:
    """A batch that is being delivered, and the offsets it brings, less those of partitions that were lost since."""

    future: Future[None]
    offsets: dict[int, int]
    abandoned: threading.Event


class Feed:
    """Buffers a topic's records and delivers them batch by batch, at most one at a time. Used by one thread only."""

    def __init__(self, topic: str, delivery: Delivery, interval_s: float, max_bytes: int) -> None:
        self._delivery = delivery
        self._interval_s = interval_s
        self._max_bytes = max_bytes
        self._buffer = Buffer(topic)
        self._waiting_since: float | None = None
        self._flight: _Flight | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being delivered."""
        return not self._buffer and self._flight is None

    @property
    def landing(self) -> bool:
        """Whether a delivery is under way that should end soon."""
        return self._flight is not None and not self._delivery.failing.is_set()

    @property
    def blocked(self) -> bool:
        """Whether to take no more records for now: the buffer is full, or ClickHouse is out."""
        return self._buffer.size_bytes >= self._max_bytes or self._delivery.failing.is_set()

    def add(self, partition: int, offset: int, value: bytes | None, received_ms: int, now_s: float) -> None:
        """Take a record at `now_s` (monotonic seconds)."""
        self._buffer.add(partition, offset, value, received_ms)
        if self._waiting_since is None:
            self._waiting_since = now_s

    def due_in_s(self, now_s: float) -> float | None:
        """Seconds until the next delivery should start; None when none can."""
        if self._flight is not None or self._waiting_since is None:
            return None
        if self._buffer.size_bytes >= self._max_bytes:
            return 0.0
        return max(0.0, self._waiting_since + self._interval_s - now_s)

    def launch(self) -> None:
        """Start to deliver what waits; call when `due_in_s` is 0, or earlier to flush."""
        if self._flight is not None or not self._buffer:
            return
        batch = self._buffer.cut()
        self._waiting_since = None
        abandoned = threading.Event()
        future: Future[None] = Future()
        self._flight = _Flight(future, batch.next_offsets, abandoned)
        # A thread of its own, so that a slow table holds up no other; a daemon, so that a hung insert delays no exit.
        threading.Thread(target=self._deliver, args=(batch, abandoned, future), daemon=True).start()

    def collect(self) -> dict[int, int]:
        """The offsets to commit by partition, if a delivery has ended since the last call.

        Raises what made the delivery impossible (RejectError); its offsets are never given.
        """
        flight = self._flight
        if flight is None or not flight.future.done():
            return {}
        self._flight = None
        try:
            flight.future.result()
        except AbandonedError:
            return {}
        return flight.offsets

    def keep(self, partitions: Collection[int]) -> None:
        """Forget what is not of `partitions`: those are lost, their next owner starts from the committed offsets."""
        self._buffer.keep(partitions)
        if not self._buffer:
            self._waiting_since = None
        if self._flight is not None:
            self._flight.offsets = {p: offset for p, offset in self._flight.offsets.items() if p in partitions}
            if not self._flight.offsets:
                self._flight.abandoned.set()

    def abandon(self) -> None:
        """Give up the delivery that is under way, at its next attempt."""
        if self._flight is not None:
            self._flight.abandoned.set()

    def _deliver(self, batch: Batch, abandoned: threading.Event, future: Future[None]) -> None:
        try:
            self._delivery.deliver(batch, abandoned)
        except BaseException as error:  # handed to the loop, which raises it
            future.set_exception(error)
        else:
            future.set_result(None)
