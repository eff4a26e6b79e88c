"""The spool as the event loop sees it: append, read what is not in Kafka yet, let go of what is."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ingest.spool.frame import Record, frame_bytes, scan
from ingest.spool.quarantine import Quarantine
from ingest.spool.slot import SEGMENT_BYTES, Slot, SpoolError, take_slot
from ingest.spool.writer import Adopt, Append, Appended, Outcomes, Place, Retire, SegmentWriter
from schemas.logs import get_logger

__all__ = ["Place", "Portion", "Spool", "SpoolError"]

_log = get_logger(__name__)

_PATIENCE: Final = 10  # times that a segment is read in vain, a second apart, before others are read first
_SEGMENTS_MIN: Final = 16  # however small the bound is, so that draining frees room early


@dataclass
class _Segment:
    """`durable_bytes` may be read; up to `drained_bytes` everything is in Kafka."""

    number: int
    durable_bytes: int
    oldest_ms: int
    drained_bytes: int = 0
    damaged: bool = False
    failures: int = 0  # of reading it


@dataclass(frozen=True)
class Portion:
    """Records in the order they were taken, each with its place."""

    records: list[tuple[Record, Place]]


class Spool(Outcomes):
    """At most `max_bytes` of records in segment files below `root`, appended with one fsync a group.

    All methods run on the event loop. What was acknowledged and not released is read again after a restart.
    """

    def __init__(self, root: Path, *, max_bytes: int) -> None:
        self._root = root
        self.max_bytes = max_bytes
        self.quarantine = Quarantine(root)
        self._segments: deque[_Segment] = deque()
        self._slot: Slot | None = None
        self._writer: SegmentWriter | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._appending = 0
        self._appending_bytes = 0
        self._kept_bytes = 0
        self.damaged_bytes = 0
        self.error = ""

    @property
    def used_bytes(self) -> int:
        """What segments and quarantine take on the disk, with what is on its way there."""
        return self._kept_bytes + self._appending_bytes + self.quarantine.size_bytes

    @property
    def backlog_bytes(self) -> int:
        """What is not known to be in Kafka."""
        return sum(s.durable_bytes - s.drained_bytes for s in self._segments) + self._appending_bytes

    def lag_s(self) -> float:
        """The age of the oldest record that is not known to be in Kafka; 0 when there is none."""
        oldest = next((s.oldest_ms for s in self._segments if s.drained_bytes < s.durable_bytes), None)
        return max(0.0, time.time() - oldest / 1000) if oldest is not None else 0.0

    def has_room(self, size_bytes: int) -> bool:
        """Whether a record with a value of `size_bytes` fits the bound."""
        return self.used_bytes + size_bytes <= self.max_bytes

    def open(self) -> None:
        """Take a slot, find what earlier processes left in it, and start writing. Raises SpoolError."""
        self._loop = asyncio.get_running_loop()
        slot = self._slot = take_slot(self._root)
        numbers = slot.numbers()
        for number in numbers:
            path = slot.segment(number)
            self._add(_Segment(number, path.stat().st_size, int(path.stat().st_mtime * 1000)))
        self._writer = SegmentWriter(
            slot,
            first_segment=numbers[-1] + 1 if numbers else 1,
            segment_bytes=min(SEGMENT_BYTES, self.max_bytes // _SEGMENTS_MIN),
            outcomes=self,
        )
        self._writer.start()
        self.adopt_orphans()
        self.quarantine.look()
        if numbers:
            _log.info("records wait in the spool", path=str(slot.path), size_bytes=self.backlog_bytes)

    async def close(self, timeout_s: float) -> None:
        """Write what was appended; give the slot back."""
        if self._writer is not None and self._slot is not None:
            if not await asyncio.to_thread(self._writer.stop, timeout_s):
                _log.warning("the spool's disk did not answer in time", path=str(self._slot.path))
                return
            await asyncio.sleep(0)  # the outcomes of the last group
            self._slot.release()

    def append(self, record: Record, done: Appended) -> None:
        """Append `record`; `done` is called on the event loop with its place once it is durable, or with an error.

        Raises SpoolError at once when there is no room.
        """
        assert self._writer is not None  # noqa: S101  open() is what makes a spool
        size_bytes = frame_bytes(record)
        if not self.has_room(size_bytes):
            raise SpoolError(f"the spool is full: {self.used_bytes} of {self.max_bytes} bytes")
        self._appending += 1
        self._appending_bytes += size_bytes
        self._writer.submit(Append(record, size_bytes, done))

    async def next_portion(self) -> Portion | None:
        """The oldest records that were not released, at most a segment's worth; None when there are none.

        Raises OSError when they cannot be read now. A segment of which that was said often comes behind all others.
        """
        for segment in sorted(self._segments, key=lambda found: found.failures >= _PATIENCE):
            if segment.drained_bytes == segment.durable_bytes:
                continue
            try:
                portion = await self._read(segment)
            except FileNotFoundError as error:
                self._let_go(segment, str(error))
                continue
            except OSError:
                segment.failures += 1
                raise
            if portion.records:
                return portion
        return None

    def release(self, place: Place) -> None:
        """Everything up to `place` is in Kafka."""
        for segment in tuple(self._segments):
            if segment.number == place.segment:
                segment.drained_bytes = max(segment.drained_bytes, place.end)
        self._retire_drained()

    def adopt_orphans(self) -> None:
        """Take over the segments of processes that are gone, in the background."""
        assert self._writer is not None  # noqa: S101  open() is what makes a spool
        self._writer.submit(Adopt(self._root))

    # Reports of the writer's thread.

    def written(self, group: list[Append], outcome: list[Place] | SpoolError) -> None:
        """See Outcomes."""
        self._post(partial(self._on_written, group, outcome))

    def adopted(self, segment: int, size_bytes: int) -> None:
        """See Outcomes."""
        self._post(partial(self._add, _Segment(segment, size_bytes, int(time.time() * 1000))))

    def _post(self, change: Callable[[], None]) -> None:
        assert self._loop is not None  # noqa: S101  open() is what makes a spool
        self._loop.call_soon_threadsafe(change)

    def _add(self, segment: _Segment) -> None:
        self._segments.append(segment)
        self._kept_bytes += segment.durable_bytes

    def _on_written(self, group: list[Append], outcome: list[Place] | SpoolError) -> None:
        self._appending -= len(group)
        self._appending_bytes -= sum(append.size_bytes for append in group)
        if isinstance(outcome, SpoolError):
            if not self.error:
                _log.error("the spool does not take records", reason=str(outcome))
            self.error = str(outcome)
            for append in group:
                append.done(outcome)
            return
        if self.error:
            _log.info("the spool takes records again")
            self.error = ""
        if not self._segments or self._segments[-1].number != outcome[0].segment:
            self._add(_Segment(outcome[0].segment, 0, group[0].record.received_at_ms))
        segment = self._segments[-1]
        self._kept_bytes += outcome[-1].end - segment.durable_bytes
        segment.durable_bytes = outcome[-1].end
        for append, place in zip(group, outcome, strict=True):
            append.done(place)

    async def _read(self, segment: _Segment) -> Portion:
        assert self._slot is not None  # noqa: S101  open() is what makes a spool
        start, end = segment.drained_bytes, segment.durable_bytes
        path = self._slot.segment(segment.number)
        found = await asyncio.to_thread(lambda: scan(_bytes_of(path, start, end)))
        if found.damaged_bytes and not segment.damaged:
            segment.damaged = True
            self.damaged_bytes += found.damaged_bytes
            _log.error("a segment is damaged and will be kept", path=str(path), lost_bytes=found.damaged_bytes)
        if found.torn_bytes:
            _log.warning("a torn tail is cut off", path=str(path), size_bytes=found.torn_bytes)
            self._kept_bytes -= found.torn_bytes
            segment.durable_bytes -= found.torn_bytes
            self._retire_drained()
        records = [(record, Place(segment.number, start + at)) for record, at in found.records]
        if records:
            segment.oldest_ms = records[0][0].received_at_ms
        return Portion(records)

    def _let_go(self, segment: _Segment, reason: str) -> None:
        """Forget a segment that is gone."""
        lost_bytes = segment.durable_bytes - segment.drained_bytes
        self.damaged_bytes += lost_bytes
        _log.error("a segment was removed by somebody else", lost_bytes=lost_bytes, reason=reason)
        self._segments.remove(segment)
        self._kept_bytes -= segment.durable_bytes

    def _retire_drained(self) -> None:
        """Remove drained segments; the newest only while nothing is on its way into it."""
        assert self._writer is not None  # noqa: S101  open() is what makes a spool
        for segment in tuple(self._segments):
            is_newest = segment is self._segments[-1]
            if segment.drained_bytes < segment.durable_bytes or (is_newest and self._appending):
                continue
            self._segments.remove(segment)
            self._kept_bytes -= segment.durable_bytes
            self._writer.submit(Retire(segment.number, segment.damaged))


def _bytes_of(path: Path, start: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)
