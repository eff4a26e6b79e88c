"""A bucket: the visitors of one slice of a partition with the counts they share, checkpointed as one blob."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from processors.domain.fact import Fact
from processors.domain.funnels.cohort import CellKey as StepCell
from processors.domain.funnels.cohort import Steps, Tally
from processors.domain.packing import compress, decompress, pack_visitor, unpack_visitor
from processors.domain.shelf import Shelf
from processors.domain.timetable import Timetable
from processors.domain.visitor import Visitor

MinuteKey = tuple[str, int]
"""(site, minute as Unix ms)."""

FLOOD_KEPT: Final = 2000
"""Ids of hot keys' events that a bucket remembers: a client's retry comes within seconds, a flood has no end."""

_FORMAT: Final = 3  # first byte of a blob; another one cannot be read
_LENGTH_BYTES: Final = 4

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_steps: Final = msgspec.msgpack.Decoder(Steps).decode


class FormatError(Exception):
    """A blob that another version of this program wrote."""


def _pack_steps(steps: Steps) -> bytes:
    return compress(_encode(steps))


def _unpack_steps(packed: bytes) -> Steps:
    return _decode_steps(decompress(packed))


class _Header(msgspec.Struct, array_like=True):
    """What a blob begins with; fields as in Bucket and Timetable, of visitors and cohorts the sizes (bytes)."""

    offsets: dict[str, int]
    visitors: dict[str, int]
    due: dict[str, int]
    ends: dict[str, int]
    cohorts: dict[MinuteKey, int]
    cohorts_since: int
    loose: dict[str, int]
    flood: dict[str, int] = {}


_decode_header: Final = msgspec.msgpack.Decoder(_Header).decode


class Bucket:
    """State of one bucket.

    `offsets`: by topic, the last offset whose events are in it. `times`: when what changes by silence.
    `cohorts_since`: the first minute whose cohorts are held.
    `inherited`: visitors that came with the blob and have not been spoken of since.
    """

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.offsets: dict[str, int] = {}
        self.visitors: Shelf[str, Visitor] = Shelf(pack_visitor, unpack_visitor)
        self.times = Timetable()
        self.cohorts: Shelf[MinuteKey, Steps] = Shelf(_pack_steps, _unpack_steps)
        self.cohorts_since = 0
        self.loose: dict[str, int] = {}
        self.flood: dict[str, int] = {}
        self.inherited: set[str] = set()

    def visitor(self, key: str) -> Visitor:
        """The visitor of `key`, new if unknown."""
        visitor = self.visitors.get(key)
        if visitor is None:
            visitor = Visitor(*split_key(key))
            self.visitors.put(key, visitor)
        visitor.bucket = self.number
        return visitor

    def inherits(self, key: str) -> bool:
        """Whether the visitor came with the blob; true once. What was said of it since the blob was made is unknown."""
        if key in self.inherited:
            self.inherited.discard(key)
            return True
        return False

    def met(self, fact: Fact, *, is_hot: bool) -> bool:
        """Take note of nobody's event; whether it was known. Of hot keys' events only the last FLOOD_KEPT are known."""
        known = self.flood if is_hot else self.loose
        if fact.event_id in known:
            return True
        known[fact.event_id] = fact.received
        if is_hot and len(known) > FLOOD_KEPT:
            del known[next(iter(known))]
        return False

    def add_steps(self, minute: MinuteKey, cell: StepCell, difference: Tally) -> bool:
        """Add to the counts of a step; whether it is the first time."""
        steps = self.cohorts.get(minute)
        if steps is None:
            steps = {}
            self.cohorts.put(minute, steps)
        before = steps.get(cell)
        steps[cell] = difference if before is None else before.plus(difference)
        return before is None

    def forget(self, cohorts_before: int, loose_before: int) -> None:
        """Let go of cohorts of minutes before, and of nobody's event ids received before (Unix ms)."""
        self.cohorts_since = max(self.cohorts_since, cohorts_before)
        for key in list(self.cohorts.keys()):
            if key[1] < cohorts_before:
                self.cohorts.drop(key)
        for known in (self.loose, self.flood):
            for event_id in [i for i, received in known.items() if received < loose_before]:
                del known[event_id]

    def dump(self, keep_hot: Callable[[str], bool]) -> bytes:
        """The bucket as bytes: format, length of the header, header, visitors, cohorts.

        Visitors for which `keep_hot` is false rest in these bytes from now on. Each is packed alone, so what rested
        before is neither unpacked nor compressed again.
        """
        visitors, cohorts = self.visitors.packed(), self.cohorts.packed()
        header = _Header(
            offsets=self.offsets,
            visitors={key: len(packed) for key, packed in visitors.items()},
            due=self.times.due,
            ends=self.times.ends,
            cohorts={key: len(packed) for key, packed in cohorts.items()},
            cohorts_since=self.cohorts_since,
            loose=self.loose,
            flood=self.flood,
        )
        packed = compress(_encode(header))
        start = (bytes((_FORMAT,)), len(packed).to_bytes(_LENGTH_BYTES, "big"), packed)
        blob = b"".join((*start, *visitors.values(), *cohorts.values()))
        self._rest(blob, header, sum(map(len, start)), keep_hot)
        return blob

    @classmethod
    def load(cls, blob: bytes, number: int = 0) -> Bucket:
        """The bucket in `blob`, everything at rest. Raises FormatError when another version wrote it."""
        if blob[0] != _FORMAT:
            raise FormatError(f"bucket {number} is in format {blob[0]}, this version reads and writes {_FORMAT}")
        start = 1 + _LENGTH_BYTES
        end = start + int.from_bytes(blob[1:start], "big")
        header = _decode_header(decompress(blob[start:end]))
        bucket = cls(number)
        bucket.offsets, bucket.cohorts_since = header.offsets, header.cohorts_since
        bucket.inherited = set(header.visitors)
        bucket._rest(blob, header, end, lambda _: False)
        return bucket

    def _rest(self, blob: bytes, header: _Header, start: int, keep_hot: Callable[[str], bool]) -> None:
        names = {key: key for key in header.visitors}  # one text of each name, wherever it came from
        due, ends = ({names.get(key, key): at for key, at in times.items()} for times in (header.due, header.ends))
        self.times = Timetable(due, ends)
        self.loose, self.flood = header.loose, header.flood
        self.visitors.rest(blob, start, header.visitors, keep_hot)
        self.cohorts.rest(blob, start + sum(header.visitors.values()), header.cohorts, lambda _: False)


def visitor_key(site: str, visitor_id: str, session_id: str) -> str:
    """Key of a visitor within a bucket; one known by session only never meets a visitor of the same id."""
    return f"{site}\0v{visitor_id}" if visitor_id else f"{site}\0s{session_id}"


def split_key(key: str) -> tuple[str, str]:
    """Site and visitor id of a key; the visitor id is empty for one known by session only."""
    site, who = key.split("\0", 1)
    return site, who[1:] if who[0] == "v" else ""
