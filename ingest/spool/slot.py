"""Where segments lie: one numbered directory per process below the spool's, each held by a lock while in use."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SUFFIX: Final = ".seg"
DAMAGED_SUFFIX: Final = ".damaged"
SEGMENT_BYTES: Final = 8 * 1024 * 1024  # read whole by the drain; what a crash makes it send twice

_LOCK: Final = "lock"
_MAX_SLOTS: Final = 1024  # more collectors than share one disk


class SpoolError(Exception):
    """The spool cannot be used, or did not take a record. The text names the cause."""


class Slot:
    """A directory of segments that this process holds. Segments are numbered in the order they were begun."""

    def __init__(self, path: Path, lock_fd: int) -> None:
        self.path = path
        self._lock_fd = lock_fd

    def numbers(self) -> list[int]:
        """The segments that are there, oldest first."""
        return sorted(int(path.stem) for path in self.path.glob(f"*{SUFFIX}") if path.stem.isdigit())

    def segment(self, number: int) -> Path:
        """The file of a segment."""
        return self.path / f"{number:012d}{SUFFIX}"

    def sync(self) -> None:
        """Make created, renamed and removed files survive a crash of the machine."""
        sync_directory(self.path)

    def release(self) -> None:
        """Let another process have it."""
        os.close(self._lock_fd)


def sync_directory(path: Path) -> None:
    """Make files created, renamed and removed in `path` survive a crash of the machine."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def take_slot(root: Path) -> Slot:
    """The first slot below `root` that nobody holds, made if need be. Raises SpoolError."""
    try:
        _make(root)
        for number in range(_MAX_SLOTS):
            path = root / str(number)
            _make(path)
            if (slot := _lock(path)) is not None:
                return slot
    except OSError as error:
        raise SpoolError(
            f"The spool directory {root} cannot be used: {error.strerror}. Make it writable for this user, "
            "or name another one in the setting ingest.spool_dir."
        ) from error
    raise SpoolError(f"All {_MAX_SLOTS} slots of the spool directory {root} are in use.")


def _make(path: Path) -> None:
    """Make a directory, and those above it, so that it survives a crash of the machine: what lies in it has to."""
    if path.is_dir():
        return
    if path != path.parent:
        _make(path.parent)
    path.mkdir(exist_ok=True)
    sync_directory(path.parent)


def orphans(root: Path, own: Slot) -> Iterator[Slot]:
    """Slots that hold segments and that no process holds any more: each is held while it is looked at."""
    for path in sorted(root.iterdir()):
        if path == own.path or not path.name.isdigit() or next(path.glob(f"*{SUFFIX}"), None) is None:
            continue
        slot = _lock(path)
        if slot is not None:
            try:
                yield slot
            finally:
                slot.release()


def _lock(path: Path) -> Slot | None:
    fd = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return Slot(path, fd)
