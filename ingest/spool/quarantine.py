"""Events that were answered 200 and that Kafka refuses for good: kept in a file beside the spool until they are sent
again.

The file holds JSON lines: when and why Kafka refused an event, and the event as it was sent. All collectors that share
a spool directory share it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple

import msgspec

from ingest.spool.frame import Record, encode
from ingest.spool.slot import SEGMENT_BYTES, Slot, sync_directory, take_slot
from schemas.logs import get_logger

_log = get_logger(__name__)

FILE: Final = "quarantine.ndjson"

_ANY: Final = 0  # partitions believed in: none, so the drain partitions anew


class Refused(NamedTuple):
    """A record of one event, and why Kafka refuses it."""

    record: Record
    reason: str


class Entry(msgspec.Struct, frozen=True):
    """One line of the file."""

    quarantined_at: datetime
    topic: str
    reason: str
    received_at_ms: int
    line: str


class QuarantineError(Exception):
    """The file is not as it was written. The text names the line and what to do."""


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Entry).decode


class Quarantine:
    """The file below `root`, and what is known of it: how much it holds, and why Kafka refused the newest event."""

    def __init__(self, root: Path) -> None:
        self.path = root / FILE
        self.size_bytes = 0
        self.events = 0
        self.reason = ""

    def look(self) -> None:
        """See what the file holds now: others add to it and send it again. Blocks on the disk."""
        try:
            size_bytes = self.path.stat().st_size
        except FileNotFoundError:
            size_bytes = 0
        if size_bytes == self.size_bytes:
            return
        events, newest = 0, b""
        if size_bytes:
            with self.path.open("rb") as file:
                for line in file:
                    events += 1
                    newest = line
        self.size_bytes, self.events = size_bytes, events
        try:
            self.reason = _decode(newest).reason
        except msgspec.MsgspecError:  # somebody is editing it; who sends it again will be told
            self.reason = ""

    async def keep(self, refused: list[Refused]) -> None:
        """Add events; they are durable when this returns. Raises OSError."""
        now = datetime.fromtimestamp(int(time.time()), UTC)
        entries = [
            Entry(now, record.topic, reason, record.received_at_ms, record.value.decode()) for record, reason in refused
        ]
        await asyncio.to_thread(self._keep, entries)
        _log.error(
            "kafka refuses events for good; they are in quarantine",
            events=len(refused),
            topics=sorted({record.topic for record, _ in refused}),
            reason=refused[-1].reason,
            path=str(self.path),
        )

    def _keep(self, entries: list[Entry]) -> None:
        before, after = _append(self.path, entries)
        if before != self.size_bytes:
            self.look()  # others have changed the file too
            return
        self.size_bytes, self.events, self.reason = after, self.events + len(entries), entries[-1].reason


def send_again(root: Path) -> int:
    """Move all that is in quarantine below `root` back into the spool, for a collector to take over. Returns how many
    events these are.

    Raises:
        QuarantineError: a line is not as it was written; nothing was moved.
        SpoolError: the directory cannot be used.
        OSError: the disk refuses; what was moved will be repeated, which readers know by the event ids.
    """
    path = root / FILE
    if not path.exists():
        return 0
    with _locked(path) as file:
        _cut_torn_end(file)
        file.seek(0)
        for number, line in enumerate(file, start=1):
            _check(path, number, line)
        file.seek(0)
        slot = take_slot(root)
        try:
            events = _write_segments(slot, file)
        finally:
            slot.release()
        _cut(file, 0)
    return events


def _write_segments(slot: Slot, lines: Iterable[bytes]) -> int:
    number = next(reversed(slot.numbers()), 0)
    segment: BinaryIO | None = None
    events = 0
    try:
        for line in lines:
            entry = _decode(line)
            if segment is None or segment.tell() >= SEGMENT_BYTES:
                _finish(segment)
                number += 1
                segment = _opened(slot.segment(number), os.O_WRONLY | os.O_EXCL, "wb")
            segment.write(encode(Record(entry.topic, 0, _ANY, entry.received_at_ms, entry.line.encode())))
            events += 1
    finally:
        _finish(segment)
    slot.sync()
    return events


def _finish(segment: BinaryIO | None) -> None:
    if segment is not None:
        segment.flush()
        os.fsync(segment.fileno())
        segment.close()


def _check(path: Path, number: int, line: bytes) -> None:
    try:
        _decode(line)
    except msgspec.MsgspecError as error:
        raise QuarantineError(
            f"{path}, line {number}: {error}. Nothing was sent. Mend the line or take it out, then try again."
        ) from error


def _append(path: Path, entries: list[Entry]) -> tuple[int, int]:
    """Add whole lines, durably; returns the file's size in bytes before and after."""
    is_new = not path.exists()
    with _locked(path) as file:
        _cut_torn_end(file)
        before = file.tell()
        file.write(b"".join(_encode(entry) + b"\n" for entry in entries))
        after = file.tell()
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        sync_directory(path.parent)
    return before, after


def _cut_torn_end(file: BinaryIO) -> None:
    """Go to the end, and cut what a crash left of a line there: its event is still in the spool, and comes again."""
    end = file.seek(0, os.SEEK_END)
    if not end:
        return
    file.seek(end - 1)
    if file.read(1) == b"\n":
        return
    file.seek(0)
    whole = sum(len(line) for line in file if line.endswith(b"\n"))
    _cut(file, whole)


def _cut(file: BinaryIO, size_bytes: int) -> None:
    file.truncate(size_bytes)
    file.seek(size_bytes)
    os.fsync(file.fileno())


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    with _opened(path, os.O_RDWR, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _opened(path: Path, flags: int, mode: Literal["wb", "r+b"]) -> BinaryIO:
    return os.fdopen(os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600), mode)
