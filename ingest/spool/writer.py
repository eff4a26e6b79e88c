"""The thread that owns the spool's files: it appends in groups, one fsync a group, and removes what is drained."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ingest.spool.frame import Record, encode
from ingest.spool.slot import DAMAGED_SUFFIX, Slot, SpoolError, orphans
from schemas.logs import get_logger

_log = get_logger(__name__)

_MAX_GROUP_BYTES: Final = 4 * 1024 * 1024  # bounds what one fsync makes everybody wait for

_sync_data: Final = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class Place(NamedTuple):
    """Where a record lies in the spool: its segment and the offset of its frame's end."""

    segment: int
    end: int


Appended = Callable[[Place | SpoolError], None]


@dataclass(frozen=True)
class Append:
    """Append `record`; `done` gets its place once it is durable."""

    record: Record
    size_bytes: int
    done: Appended


@dataclass(frozen=True)
class Retire:
    """Everything in the segment is in Kafka: remove it, or set it aside if `damaged`."""

    segment: int
    damaged: bool


@dataclass(frozen=True)
class Adopt:
    """Move the segments of processes that are gone, anywhere below `root`, to the end of this one's."""

    root: Path


class Outcomes:
    """What the writer reports, always on the writer's thread; the spool brings it to the event loop."""

    def written(self, group: list[Append], outcome: list[Place] | SpoolError) -> None:
        """The group is durable at these places, or none of it is to be relied on."""
        raise NotImplementedError

    def adopted(self, segment: int, size_bytes: int) -> None:
        """A segment with `size_bytes` joined behind all others."""
        raise NotImplementedError


class SegmentWriter:
    """Takes commands in order from any thread; all files are changed on its own thread."""

    def __init__(self, slot: Slot, *, first_segment: int, segment_bytes: int, outcomes: Outcomes) -> None:
        self._slot = slot
        self._next_segment = first_segment
        self._segment_bytes = segment_bytes
        self._outcomes = outcomes
        self._commands: queue.SimpleQueue[Append | Retire | Adopt | None] = queue.SimpleQueue()
        self._fd = -1
        self._segment = 0
        self._size_bytes = 0  # of the open segment, all of it durable
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, command: Append | Retire | Adopt) -> None:
        """Carry out `command` after those before it."""
        self._commands.put(command)

    def stop(self, timeout_s: float) -> bool:
        """Carry out what was submitted and end. Returns whether that was done within `timeout_s`."""
        self._commands.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        group: list[Append] = []
        group_bytes = 0
        while True:
            command = self._commands.get()
            while isinstance(command, Append):
                group.append(command)
                group_bytes += command.size_bytes
                if group_bytes >= _MAX_GROUP_BYTES or self._commands.empty():
                    break
                command = self._commands.get()
            if group:
                self._append(group)
                group, group_bytes = [], 0
            if command is None:
                self._close()
                return
            if isinstance(command, Retire):
                self._retire(command)
            elif isinstance(command, Adopt):
                self._adopt(command.root)

    def _append(self, group: list[Append]) -> None:
        outcome: list[Place] | SpoolError
        try:
            frames = [encode(append.record) for append in group]
            if self._fd < 0:
                self._begin()
            _write_all(self._fd, b"".join(frames))
            _sync_data(self._fd)
            if not os.fstat(self._fd).st_nlink:
                raise FileNotFoundError(f"segment {self._segment} was removed by somebody else")
        except (OSError, ValueError) as error:
            # Nothing more is appended here: after a failed fsync nobody knows what the file holds behind this point.
            self._abandon()
            outcome = SpoolError(f"the spool {self._slot.path} takes nothing: {error}")
        else:
            outcome = []
            for frame in frames:
                self._size_bytes += len(frame)
                outcome.append(Place(self._segment, self._size_bytes))
            if self._size_bytes >= self._segment_bytes:
                self._close()
        self._outcomes.written(group, outcome)

    def _begin(self) -> None:
        self._segment = self._next_segment
        self._size_bytes = 0
        path = self._slot.segment(self._segment)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._next_segment += 1
        self._slot.sync()

    def _abandon(self) -> None:
        if self._fd < 0:
            return
        try:
            if self._size_bytes:
                os.ftruncate(self._fd, self._size_bytes)
            else:
                self._slot.segment(self._segment).unlink()
        except OSError as error:
            _log.warning("a failed write could not be cut off", segment=self._segment, reason=str(error))
        self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            try:
                os.close(self._fd)
            except OSError as error:  # what counts has been fsynced
                _log.warning("a segment did not close", segment=self._segment, reason=str(error))
            self._fd = -1

    def _retire(self, command: Retire) -> None:
        if command.segment == self._segment:
            self._close()
        path = self._slot.segment(command.segment)
        try:
            if command.damaged:
                path.rename(path.with_suffix(DAMAGED_SUFFIX))
            else:
                path.unlink(missing_ok=True)
        except OSError as error:  # it is drained again after a restart: repeats, which readers know by their ids
            _log.warning("a drained segment could not be removed", path=str(path), reason=str(error))

    def _adopt(self, root: Path) -> None:
        try:
            for slot in orphans(root, self._slot):
                self._close()
                for number in slot.numbers():
                    found = slot.segment(number)
                    size_bytes = found.stat().st_size
                    found.rename(self._slot.segment(self._next_segment))
                    self._next_segment += 1
                    self._outcomes.adopted(self._next_segment - 1, size_bytes)
                self._slot.sync()
                slot.sync()
        except OSError as error:  # what was not moved stays where it is, for the next time
            _log.warning("segments that another process left stay there", root=str(root), reason=str(error))


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
