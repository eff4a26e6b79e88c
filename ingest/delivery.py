"""Where a record goes, Kafka or the spool, decided so that an answer never waits for a broker that is away."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Final, Protocol

from prometheus_client import Histogram

from ingest.batcher import AckError, Done, Sink
from ingest.budget import Budget
from ingest.spool import Place, Record, Spool, SpoolError
from schemas.metrics import Metrics
from schemas.topics import ALL

HANDOVER_BYTES: Final = 1024 * 1024  # records this close to the spool's end no longer make new ones queue behind them

_LEAST_ROOM_BYTES: Final = 64 * 1024  # with less than this the spool counts as full
_SECOND_LOOK_S: Final = 0.05
_RESERVED_SHARE: Final = 0.1  # of the spool's bound, for clients that never send again


class Kafka(Sink, Protocol):
    """What delivery needs of the Kafka sink."""

    up: bool
    reason: str
    partitions: int
    on_change: Callable[[], None]

    def mark_down(self, reason: str) -> None:
        """See `KafkaSink.mark_down`."""


class _State(Enum):
    IDLE = auto()  # not asked
    OPEN = auto()  # asked; the outcome is outstanding
    STORED = auto()
    FAILED = auto()


class _Sending:
    """One record on its way. It is settled once: when the first place has stored it, or when none will."""

    __slots__ = ("began", "done", "kafka", "kafka_known", "problems", "record", "settled", "size_bytes", "spool")

    def __init__(self, record: Record, done: Done, began: float) -> None:
        self.record: Record | None = record  # until it is settled
        self.size_bytes = len(record.value)
        self.done = done
        self.began = began
        self.kafka = _State.IDLE
        self.spool = _State.IDLE
        self.settled = False
        self.problems: list[str] = []
        self.kafka_known: asyncio.Future[None] | None = None


class Delivery:
    """A circuit breaker in front of Kafka, with the spool behind it.

    Closed: records go to Kafka; one that is not acknowledged within `spool_after_s` opens the breaker. Open: records go
    to the spool, and with them all that Kafka still owes. When Kafka is up again the drain empties the spool, new
    records queue behind the old ones, and the breaker closes when the backlog is small. A record may so be stored
    twice; readers know it by its event ids.
    """

    def __init__(
        self, kafka: Kafka, spool: Spool, budget: Budget, metrics: Metrics, *, topic_prefix: str, spool_after_s: float
    ) -> None:
        self._kafka = kafka
        self._spool = spool
        self._budget = budget
        self._spool_after_s = spool_after_s
        self._bare_names = {topic.full_name(topic_prefix): topic.name for topic in ALL}
        self._owed: deque[_Sending] = deque()  # by Kafka, oldest first
        self._timer: asyncio.TimerHandle | None = None
        self._in_both: dict[Place, _Sending] = {}
        self._closed = False
        self._kafka_seconds = metrics.histogram("snag_ingest_ack_seconds", "kafka")
        self._spool_seconds = metrics.histogram("snag_ingest_ack_seconds", "spool")
        self._spooled_bytes = metrics.counter("snag_ingest_spooled_bytes_total")
        kafka.on_change = self._kafka_changed

    @property
    def partitions(self) -> int:
        """How many partitions the topics have, as far as is known."""
        return self._kafka.partitions

    def accepts(self, *, once_only: bool = False) -> bool:
        """Whether a record could be stored now.

        The last room of the spool is kept for clients that send `once_only`: the others come again.
        """
        if self._kafka.up:
            return True
        return self._spool.has_room(_LEAST_ROOM_BYTES if once_only else int(self._spool.max_bytes * _RESERVED_SHARE))

    @property
    def refusal(self) -> str:
        """Why nothing could be stored now."""
        spool = self._spool
        return f"Kafka: {self._kafka.reason}. Spool: {spool.used_bytes} of {spool.max_bytes} bytes are used."

    def send(self, topic: str, partition: int, value: bytes, received_at_ms: int, done: Done) -> None:
        """Store one record (see `batcher.Sink`)."""
        kafka = self._kafka
        record = Record(self._bare_names[topic], partition, kafka.partitions, received_at_ms, value)
        sending = _Sending(record, done, asyncio.get_running_loop().time())
        if self._closed or (kafka.up and not self._spool.has_room(len(value))):
            sending.kafka = _State.OPEN
            self._owed.append(sending)
            if self._timer is None:
                self._arm(sending)
            kafka.send(topic, partition, value, received_at_ms, partial(self._from_kafka, sending))
        else:
            self._to_spool(sending)

    async def is_in_kafka(self, place: Place) -> bool:
        """Whether Kafka has acknowledged the record at `place` of the spool; waits while that is open."""
        sending = self._in_both.pop(place, None)
        if sending is None:
            return False
        if sending.kafka is _State.OPEN:
            sending.kafka_known = asyncio.get_running_loop().create_future()
            await sending.kafka_known
        return sending.kafka is _State.STORED

    def drained(self) -> None:
        """The drain has moved on: close the breaker when little is left."""
        if self._kafka.up and self._spool.backlog_bytes <= HANDOVER_BYTES:
            self._closed = True

    def _kafka_changed(self) -> None:
        if self._kafka.up:
            self._closed = not self._spool.backlog_bytes
            return
        self._closed = False
        while self._owed:
            sending = self._owed.popleft()
            if not sending.settled and sending.spool is _State.IDLE:
                self._to_spool(sending)

    def _arm(self, oldest: _Sending) -> None:
        due = oldest.began + self._spool_after_s
        self._timer = asyncio.get_running_loop().call_at(due, self._look_at_the_owed, None)

    def _look_at_the_owed(self, overdue: _Sending | None) -> None:
        """Open the breaker if Kafka still owes `overdue`; else look who is the oldest now."""
        self._timer = None
        owed = self._owed
        while owed and owed[0].settled:
            owed.popleft()
        if not owed:
            return
        oldest = owed[0]
        loop = asyncio.get_running_loop()
        if oldest is overdue:
            self._kafka.mark_down(f"no acknowledgement within {self._spool_after_s:g} s")
        elif oldest.began + self._spool_after_s <= loop.time():
            # Where this process was too busy to notice, acknowledgements that have come wait to be told: let them.
            self._timer = loop.call_later(_SECOND_LOOK_S, self._look_at_the_owed, oldest)
        else:
            self._arm(oldest)

    def _to_spool(self, sending: _Sending) -> None:
        assert sending.record is not None  # noqa: S101  only what is not settled is spooled
        sending.spool = _State.OPEN
        try:
            self._spool.append(sending.record, partial(self._from_spool, sending))
        except SpoolError as error:
            self._from_spool(sending, error)

    def _from_kafka(self, sending: _Sending, error: AckError | None) -> None:
        sending.kafka = _State.STORED if error is None else _State.FAILED
        if sending.settled:  # by the spool; the producer held the bytes until now
            self._budget.give(sending.size_bytes)
            if sending.kafka_known is not None and not sending.kafka_known.done():
                sending.kafka_known.set_result(None)
        elif error is None:
            self._settle(sending, self._kafka_seconds)
        else:
            sending.problems.append(str(error))
            if sending.spool is _State.IDLE:
                self._to_spool(sending)
            elif sending.spool is _State.FAILED:
                self._fail(sending)

    def _from_spool(self, sending: _Sending, outcome: Place | SpoolError) -> None:
        if isinstance(outcome, SpoolError):
            sending.spool = _State.FAILED
            sending.problems.append(str(outcome))
            if not sending.settled and sending.kafka is not _State.OPEN:
                self._fail(sending)
            return
        sending.spool = _State.STORED
        self._spooled_bytes.inc(sending.size_bytes)
        if sending.kafka in (_State.OPEN, _State.STORED):
            self._in_both[outcome] = sending
        if not sending.settled:
            if sending.kafka is _State.OPEN:
                self._budget.move(sending.size_bytes)
            self._settle(sending, self._spool_seconds)

    def _settle(self, sending: _Sending, seconds: Histogram) -> None:
        seconds.observe(asyncio.get_running_loop().time() - sending.began)
        sending.settled = True
        sending.record = None
        sending.done(None)

    def _fail(self, sending: _Sending) -> None:
        sending.settled = True
        sending.record = None
        sending.done(AckError("; ".join(sending.problems)))
