"""From the spool to Kafka, in the order of receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, Protocol

from ingest.batcher import MAX_RECORD_BYTES, MAX_RECORD_LINES, AckError, RefusedError, Sink
from ingest.spool.frame import Record
from ingest.spool.quarantine import Refused
from ingest.spool.repartition import repartition
from ingest.spool.spool import Place, Spool
from schemas.logs import get_logger

_log = get_logger(__name__)

_STEP_BYTES: Final = 4 * 1024 * 1024  # sent before its acknowledgements are awaited: all of it may be sent again
_IDLE_S: Final = 0.2  # how soon a record that comes to the spool while Kafka is up is looked at
_RETRY_S: Final = 1.0  # between attempts that failed
_ADOPT_INTERVAL_S: Final = 10.0  # between looks at what processes that are gone left behind


class Layout(Protocol):
    """Whether Kafka acknowledges, and how many partitions the topics have now."""

    up: bool
    partitions: int


class Drain:
    """A task that moves records from `spool` to `sink` while Kafka is up.

    A step is released from the spool only when Kafka has acknowledged all of it; after a failure it is sent again
    whole. Neighbours of one partition share a Kafka record, and keep their order whatever fails. One that Kafka refuses
    for good is halved until the events stand alone that it means; these go to quarantine, so that nothing waits behind
    them.
    """

    def __init__(
        self,
        spool: Spool,
        sink: Sink,
        layout: Layout,
        *,
        topic_prefix: str,
        is_in_kafka: Callable[[Place], Awaitable[bool]],
        drained: Callable[[], None],
        quarantined: Callable[[int], None],
    ) -> None:
        """`is_in_kafka` says whether Kafka has a record already; `drained` is called after each step, `quarantined`
        with the number of events that went there.
        """
        self._spool = spool
        self._sink = sink
        self._layout = layout
        self._prefix = topic_prefix
        self._is_in_kafka = is_in_kafka
        self._drained = drained
        self._quarantined = quarantined

    async def run(self) -> None:
        """Drain until cancelled."""
        adopt_at = 0.0
        now = asyncio.get_running_loop().time
        while True:
            if self._layout.up and await self._drain_once():
                continue
            if now() >= adopt_at:
                await self._look_around()
                adopt_at = now() + _ADOPT_INTERVAL_S
            await asyncio.sleep(_IDLE_S)

    async def _look_around(self) -> None:
        """See what others have left in the spool's directory."""
        self._spool.adopt_orphans()
        try:
            await asyncio.to_thread(self._spool.quarantine.look)
        except OSError as error:
            _log.warning("the quarantine cannot be read", path=str(self._spool.quarantine.path), reason=str(error))

    async def _drain_once(self) -> bool:
        """Move one portion. Whether there was one and all of it went."""
        try:
            portion = await self._spool.next_portion()
            if portion is None:
                self._drained()
                return False
            for step in _steps(portion.records):
                refused = await self._send([record for record, place in step if not await self._is_in_kafka(place)])
                if refused:
                    await self._spool.quarantine.keep(refused)
                    self._quarantined(len(refused))
                self._spool.release(step[-1][1])
                self._drained()
        except (AckError, OSError) as error:
            _log.warning(
                "draining the spool is interrupted", reason=str(error), backlog_bytes=self._spool.backlog_bytes
            )
            await asyncio.sleep(_RETRY_S)
            return False
        return True

    async def _send(self, records: list[Record]) -> list[Refused]:
        """Return when Kafka has all `records` but those events that it refuses for good. Raises AckError."""
        partitions: dict[tuple[str, int], list[Record]] = {}
        for record in merge(repartitioned(records, self._layout.partitions)):
            partitions.setdefault((record.topic, record.partition), []).append(record)
        outcomes = await asyncio.gather(*map(self._send_in_order, partitions.values()), return_exceptions=True)
        refused: list[Refused] = []
        for outcome in outcomes:  # of all partitions: none is still sending when the step is sent again
            if isinstance(outcome, BaseException):
                raise outcome
            refused += outcome
        return refused

    async def _send_in_order(self, records: list[Record]) -> list[Refused]:
        """Send `records` of one partition as `_send` does, each when Kafka has the one before it.

        Sent together, one that fails and is sent again would come after those that did not fail.
        """
        refused: list[Refused] = []
        for record in records:
            if (error := await self._submit(record)) is not None:
                refused += await self._halved(record, error)
        return refused

    def _submit(self, record: Record) -> asyncio.Future[RefusedError | None]:
        """Send `record`: None when Kafka has it, an error when it refuses it for good. Raises AckError."""
        outcome: asyncio.Future[RefusedError | None] = asyncio.get_running_loop().create_future()

        def done(error: AckError | None) -> None:
            if outcome.cancelled():
                return
            if error is None or isinstance(error, RefusedError):
                outcome.set_result(error)
            else:
                outcome.set_exception(error)

        self._sink.send(self._prefix + record.topic, record.partition, record.value, record.received_at_ms, done)
        return outcome

    async def _halved(self, record: Record, error: RefusedError) -> list[Refused]:
        """Send `record`, which Kafka refuses, in parts; returns the events refused one by one. Raises AckError."""
        lines = record.value.split(b"\n")
        if len(lines) == 1:
            return [Refused(record, str(error))]
        middle = len(lines) // 2
        halves = (lines[:middle], lines[middle:])
        return await self._send_in_order([record._replace(value=b"\n".join(half)) for half in halves])


def repartitioned(records: Iterable[Record], partitions: int) -> Iterator[Record]:
    """`records` as they lie among `partitions`: taken apart where another number was believed in.

    A partition beyond the number that it was said to be of is taken apart too: sent as it is, it would be refused for
    ever, and hold up all records behind it.
    """
    for record in records:
        if record.partitions == partitions and record.partition < partitions:
            yield record
        else:
            yield from repartition(record, partitions)


def merge(records: Iterable[Record]) -> Iterator[Record]:
    """Join records of one topic and partition, in their order, within the batcher's bounds: fewer records cost less."""
    open_: dict[tuple[str, int], _Group] = {}
    for record in records:
        key = (record.topic, record.partition)
        lines = record.value.count(b"\n") + 1
        group = open_.get(key)
        if group is not None and not group.takes(len(record.value), lines):
            yield _joined(group.records)
            group = None
        if group is None:
            group = open_[key] = _Group()
        group.add(record, lines)
    for group in open_.values():
        yield _joined(group.records)


class _Group:
    def __init__(self) -> None:
        self.records: list[Record] = []
        self._size_bytes = 0
        self._lines = 0

    def takes(self, size_bytes: int, lines: int) -> bool:
        return self._size_bytes + size_bytes <= MAX_RECORD_BYTES and self._lines + lines <= MAX_RECORD_LINES

    def add(self, record: Record, lines: int) -> None:
        self.records.append(record)
        self._size_bytes += len(record.value) + 1
        self._lines += lines


def _joined(group: list[Record]) -> Record:
    if len(group) == 1:
        return group[0]
    return group[0]._replace(
        received_at_ms=max(record.received_at_ms for record in group),
        value=b"\n".join(record.value for record in group),
    )


def _steps(records: list[tuple[Record, Place]]) -> Iterator[list[tuple[Record, Place]]]:
    step: list[tuple[Record, Place]] = []
    size_bytes = 0
    for item in records:
        step.append(item)
        size_bytes += len(item[0].value)
        if size_bytes >= _STEP_BYTES:
            yield step
            step, size_bytes = [], 0
    if step:
        yield step
