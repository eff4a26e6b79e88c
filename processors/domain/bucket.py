"""A bucket: the visitors of one slice of a partition with the counts they share, checkpointed as one blob."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from processors.domain.fact import Fact
from processors.domain.funnels.cohort import CellKey as StepCell
from processors.domain.funnels.cohort import Steps, Tally
from processors.domain.rates import MINUTE_MS, Cell, CellKey, Minute, MinuteKey, Present, cells_of, count
from processors.domain.shelf import Shelf
from processors.domain.visitor import Visitor

FLOOD_KEPT: Final = 2000
"""Ids of hot keys' events that a bucket remembers: a client's retry comes within seconds, a flood has no end."""

_pack: Final = msgspec.msgpack.Encoder().encode


def _pack_visitor(visitor: Visitor) -> bytes:
    visitor.present = None
    return _pack(visitor)


_unpack_visitor: Final = msgspec.msgpack.Decoder(Visitor).decode
_unpack_minute: Final = msgspec.msgpack.Decoder(Minute).decode
_unpack_steps: Final = msgspec.msgpack.Decoder(Steps).decode


class _Blob(msgspec.Struct, array_like=True):
    """A bucket at rest; fields as in Bucket, values packed."""

    offsets: dict[str, int]
    visitors: dict[str, bytes]
    due: dict[str, int]
    minutes: dict[MinuteKey, bytes]
    newest: dict[MinuteKey, int]
    cohorts: dict[MinuteKey, bytes]
    cohorts_since: int
    loose: dict[str, int]
    unsaid: list[tuple[MinuteKey, CellKey]]
    flood: dict[str, int] = {}


_unpack_blob: Final = msgspec.msgpack.Decoder(_Blob).decode


class Bucket:
    """State of one bucket.

    `offsets`: by topic, the last offset whose events are in it. `due`: receipt time (Unix ms) at which a visitor's rows
    change by silence, 0 when they have changed already and are not yet said. `unsaid`: cells not yet said. `newest`: of
    minutes that have rested, the newest receipt time then. `cohorts_since`: the first minute whose cohorts are held.
    """

    def __init__(self) -> None:
        self.offsets: dict[str, int] = {}
        self.visitors: Shelf[str, Visitor] = Shelf(_pack_visitor, _unpack_visitor)
        self.due: dict[str, int] = {}
        self.minutes: Shelf[MinuteKey, Minute] = Shelf(_pack, _unpack_minute)
        self.newest: dict[MinuteKey, int] = {}
        self.cohorts: Shelf[MinuteKey, Steps] = Shelf(_pack, _unpack_steps)
        self.cohorts_since = 0
        self.loose: dict[str, int] = {}
        self.flood: dict[str, int] = {}
        self.unsaid: list[tuple[MinuteKey, CellKey]] = []

    def visitor(self, key: str) -> Visitor:
        """The visitor of `key`, new if unknown."""
        visitor = self.visitors.get(key)
        if visitor is None:
            visitor = Visitor(*split_key(key))
            self.visitors.put(key, visitor)
        return visitor

    def met(self, fact: Fact, *, is_hot: bool) -> bool:
        """Take note of nobody's event; whether it was known. Of hot keys' events only the last FLOOD_KEPT are known."""
        known = self.flood if is_hot else self.loose
        if fact.event_id in known:
            return True
        known[fact.event_id] = fact.received
        if is_hot and len(known) > FLOOD_KEPT:
            del known[next(iter(known))]
        return False

    def count(self, site: str, fact: Fact, visitor: Visitor | None) -> None:
        """Count a new fact in its minute's cells; call it before `visitor` (None: nobody's event) takes the fact in."""
        at = fact.ts - fact.ts % MINUTE_MS
        minute_key = (site, at)
        minute = self.minutes.get(minute_key)
        if minute is None:
            minute = Minute()
            self.minutes.put(minute_key, minute)
        minute.received = max(minute.received, fact.received)
        present = None
        if visitor is not None:
            present = visitor.present = visitor.present or Present()
            if present.minute != at:
                present.turn_to(at, visitor.facts.values() if visitor.newest >= at else ())
        for key in cells_of(fact):
            cell = minute.cells.get(key)
            if cell is None:
                cell = minute.cells[key] = Cell()
            count(cell, key, fact, present, is_visitor=visitor is not None and visitor.visitor_id != "")
            if cell.said:
                cell.said = False
                self.unsaid.append((minute_key, key))

    def add_steps(self, minute: MinuteKey, cell: StepCell, difference: Tally) -> bool:
        """Add to the counts of a step; whether it is the first time."""
        steps = self.cohorts.get(minute)
        if steps is None:
            steps = {}
            self.cohorts.put(minute, steps)
        before = steps.get(cell)
        steps[cell] = difference if before is None else before.plus(difference)
        return before is None

    def say(self) -> None:
        """All changed cells have been said."""
        for minute_key, key in self.unsaid:
            minute = self.minutes.get(minute_key)
            if minute is not None:
                minute.cells[key].said = True
        self.unsaid.clear()

    def forget_minutes(self, minutes: Iterable[MinuteKey]) -> None:
        """Let go of minutes that are final in every bucket and have been said."""
        for key in minutes:
            self.minutes.drop(key)
            self.newest.pop(key, None)

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
        """The bucket as bytes; visitors for which `keep_hot` is false, and all minutes, rest from now on."""
        for key, minute in self.minutes.hot.items():
            self.newest[key] = minute.received
        blob = _Blob(
            offsets=self.offsets,
            visitors=self.visitors.dump(keep_hot),
            due=self.due,
            minutes=self.minutes.dump(lambda _: False),
            newest=self.newest,
            cohorts=self.cohorts.dump(lambda _: False),
            cohorts_since=self.cohorts_since,
            loose=self.loose,
            unsaid=self.unsaid,
            flood=self.flood,
        )
        return _pack(blob)

    @classmethod
    def load(cls, packed: bytes) -> Bucket:
        """The bucket in `packed`, everything at rest."""
        blob = _unpack_blob(packed)
        bucket = cls()
        bucket.offsets, bucket.due = blob.offsets, blob.due
        bucket.newest = blob.newest
        bucket.loose, bucket.unsaid = blob.loose, blob.unsaid
        bucket.cohorts.load(blob.cohorts)
        bucket.cohorts_since = blob.cohorts_since
        bucket.flood = blob.flood
        bucket.visitors.load(blob.visitors)
        bucket.minutes.load(blob.minutes)
        return bucket


def visitor_key(site: str, visitor_id: str, session_id: str) -> str:
    """Key of a visitor within a bucket; one known by session only never meets a visitor of the same id."""
    return f"{site}\0v{visitor_id}" if visitor_id else f"{site}\0s{session_id}"


def split_key(key: str) -> tuple[str, str]:
    """Site and visitor id of a key; the visitor id is empty for one known by session only."""
    site, who = key.split("\0", 1)
    return site, who[1:] if who[0] == "v" else ""
