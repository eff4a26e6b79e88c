"""Micro-batches: the lines of a few milliseconds and one partition become one Kafka record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from ingest.budget import Budget

MAX_RECORD_LINES: Final = 500  # keeps a reader's unit of work, and what one bad record costs, small
MAX_RECORD_BYTES: Final = 512 * 1024  # half of Kafka's default limit, though our topics take more

_MAX_ROUNDS: Final = 2  # one on its way, one being answered; more would only cut the same lines into smaller records
_FEW_RECORDS: Final = 8  # a second round of so many costs little
_FULL_LINES: Final = 16  # a record costs as much as some ten lines: with so many in each a second round pays
_MAX_WAIT_S: Final = 0.05  # for a round to come back; beyond it the broker is slow, and waiting brings it nothing


class AckError(Exception):
    """A record was not acknowledged: it may or may not have been stored. The text says why."""


class RefusedError(AckError):
    """Kafka has looked at a record and will not have it: sending the same bytes again brings the same answer."""


class Sink(Protocol):
    """Where records go. One record is one call; its outcome comes back once, on the event loop, never from inside."""

    def send(self, topic: str, partition: int, value: bytes, received_at_ms: int, done: Done) -> None:
        """Send `value` (NDJSON lines) and call `done(None)` when it is durable, `done(AckError)` when it is not."""


Done = Callable[[AckError | None], None]


class Ticket:
    """What one request waits for: that all records holding its lines are acknowledged."""

    __slots__ = ("_future", "error", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self.error: AckError | None = None
        self._future: asyncio.Future[None] | None = None

    async def acknowledged(self) -> None:
        """Return when every record is acknowledged. Raises AckError as soon as one is known not to be."""
        if self.error is None and self.waiting:
            self._future = asyncio.get_running_loop().create_future()
            await self._future
        if self.error is not None:
            raise self.error

    def settle(self, error: AckError | None) -> None:
        """One of the records is done."""
        self.waiting -= 1
        if error is not None:
            self.error = error
        if (error is not None or not self.waiting) and self._future is not None and not self._future.done():
            self._future.set_result(None)


class _Record:
    __slots__ = ("done", "last", "lines", "partition", "received_at_ms", "size_bytes", "tickets", "topic")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.lines: list[bytes] = []
        self.size_bytes = 0
        self.received_at_ms = 0
        self.tickets: list[Ticket] = []
        self.last: Ticket | None = None  # of the tickets
        self.done = False


class Batcher:
    """Collects lines per topic and partition for `linger_s`, then sends each collection as one record.

    While two such rounds are unacknowledged, or one and the next would be many small records, the next one waits and
    grows: a record costs the same for one line as for many, so the batches grow with the load by themselves.

    All methods run on the event loop. `budget` holds the bytes of a line until the sink is done with its record, which
    may be long after the request was answered.
    """

    def __init__(
        self,
        sink: Sink,
        budget: Budget,
        *,
        linger_s: float,
        ack_timeout_s: float,
        timed_out: Callable[[str], None],
    ) -> None:
        """`timed_out` is called with the reason when a record was not acknowledged within `ack_timeout_s`."""
        self._sink = sink
        self._budget = budget
        self._linger_s = linger_s
        self._ack_timeout_s = ack_timeout_s
        self._timed_out = timed_out
        self._open: dict[tuple[str, int], _Record] = {}
        self._flush_at: asyncio.TimerHandle | None = None
        self._unacknowledged = 0
        self._rounds = 0
        self._overdue = False
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, topic: str, partition: int, lines: Sequence[bytes], received_at_ms: int, ticket: Ticket) -> None:
        """Add `lines` (no newline in them); `ticket` is settled with the records that carry them."""
        key = (topic, partition)
        record = self._open.get(key)
        if record is None:
            record = self._open[key] = _Record(topic, partition)
            if self._flush_at is None:
                self._flush_at = asyncio.get_running_loop().call_later(self._linger_s, self._lingered)
        size_bytes = sum(map(len, lines)) + len(lines)
        held_bytes = record.size_bytes + size_bytes
        held_lines = len(record.lines) + len(lines)
        is_full = held_bytes >= MAX_RECORD_BYTES or held_lines >= MAX_RECORD_LINES
        if is_full and len(lines) > 1:
            for line in lines:
                self.add(topic, partition, (line,), received_at_ms, ticket)
            return
        self._budget.used_bytes += size_bytes
        record.size_bytes = held_bytes
        record.lines += lines
        if record.last is not ticket:
            record.last = ticket
            record.tickets.append(ticket)
            ticket.waiting += 1
            record.received_at_ms = max(record.received_at_ms, received_at_ms)
        if is_full:
            del self._open[key]
            self._send([record])

    def flush(self) -> None:
        """Send what is collected, without waiting."""
        if self._flush_at is not None:
            self._flush_at.cancel()
            self._flush_at = None
        self._overdue = False
        if self._open:
            records = list(self._open.values())
            self._open.clear()
            self._send(records)

    def _lingered(self) -> None:
        if self._rounds == 0 or (self._rounds < _MAX_ROUNDS and self._worthwhile()):
            self.flush()
        else:
            self._overdue = True
            self._flush_at = asyncio.get_running_loop().call_later(_MAX_WAIT_S, self.flush)

    def _worthwhile(self) -> bool:
        records = self._open.values()
        return len(records) <= _FEW_RECORDS or sum(len(r.lines) for r in records) >= _FULL_LINES * len(records)

    async def drain(self) -> None:
        """Flush, and return when the sink is done with every record."""
        self.flush()
        await self._idle.wait()

    def _send(self, records: list[_Record]) -> None:
        self._rounds += 1
        self._unacknowledged += len(records)
        self._idle.clear()
        expiry = asyncio.get_running_loop().call_later(self._ack_timeout_s, self._give_up, records)
        left = len(records)

        def finish(record: _Record, error: AckError | None) -> None:
            nonlocal left
            left -= 1
            self._finish(record, error)
            if not left:
                expiry.cancel()
                self._rounds -= 1
                if self._overdue:
                    self.flush()

        for record in records:
            self._sink.send(
                record.topic,
                record.partition,
                b"\n".join(record.lines),
                record.received_at_ms,
                lambda error, record=record: finish(record, error),  # type: ignore[misc]  # a default binds early
            )

    def _finish(self, record: _Record, error: AckError | None) -> None:
        self._budget.give(record.size_bytes)
        self._unacknowledged -= 1
        if not self._unacknowledged and not self._open:
            self._idle.set()
        self._settle(record, error)

    def _give_up(self, records: list[_Record]) -> None:
        error = AckError(f"no acknowledgement within {self._ack_timeout_s:g} s")
        for record in records:
            self._settle(record, error)
        self._timed_out(str(error))

    def _settle(self, record: _Record, error: AckError | None) -> None:
        if not record.done:
            record.done = True
            for ticket in record.tickets:
                ticket.settle(error)
